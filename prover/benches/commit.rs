//! What commitments and openings take, beside arkworks' own multi-scalar multiplication.
//!
//! `cargo bench -p vouch-prover --bench commit`

use ark_bn254::{Fr, G1Projective};
use ark_ec::VariableBaseMSM;
use divan::{Bencher, black_box};
use vouch_circuits::argument::opening::{self, OpeningScalars};
use vouch_circuits::poseidon::permute;
use vouch_circuits::transcript::{Reader, Writer, points_digest};
use vouch_prover::commit::{self, Srs, Trust, random_scalar};
use vouch_verifier::pairing::{Equation, opening_terms};

fn main() {
    divan::main();
}

const CHUNKS: [usize; 2] = [14, 16];

fn srs(c: usize) -> Srs {
    Srs::development(1 << c, &mut rand::rng())
}

/// Integers of 16 bits, as activations of a random network are: all magnitudes, a quarter zero.
fn small(len: usize) -> Vec<i32> {
    (0..len as u64)
        .map(|i| {
            let mixed = (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let value = (mixed >> 40) as i16 >> (mixed & 7);
            if mixed >> 10 & 3 == 0 { 0 } else { i32::from(value) }
        })
        .collect()
}

/// Integers uniform in 16 signed bits.
fn uniform(len: usize) -> Vec<i32> {
    (0..len as u64).map(|i| i32::from(((i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as i16)).collect()
}

fn full(len: usize) -> Vec<Fr> {
    (0..len).map(|_| random_scalar(&mut rand::rng())).collect()
}

#[divan::bench_group(sample_count = 10)]
mod small_integers {
    use super::*;

    #[divan::bench(args = CHUNKS)]
    fn vouch_activations(bencher: Bencher, c: usize) {
        let (srs, values) = (srs(c), small(1 << c));
        bencher.bench_local(|| commit::commit_small(&srs.powers, black_box(&values)));
    }

    #[divan::bench(args = CHUNKS)]
    fn vouch_uniform(bencher: Bencher, c: usize) {
        let (srs, values) = (srs(c), uniform(1 << c));
        bencher.bench_local(|| commit::commit_small(&srs.powers, black_box(&values)));
    }

    #[divan::bench(args = CHUNKS)]
    fn ark_field_elements_uniform(bencher: Bencher, c: usize) {
        let (srs, values) = (srs(c), uniform(1 << c));
        let values: Vec<Fr> = values.into_iter().map(Fr::from).collect();
        bencher.bench_local(|| G1Projective::msm_unchecked(&srs.powers[..1 << c], black_box(&values)));
    }

    /// Unsigned, which is all that arkworks' entry point takes.
    #[divan::bench(args = CHUNKS)]
    fn ark_u16_uniform(bencher: Bencher, c: usize) {
        let (srs, values) = (srs(c), uniform(1 << c));
        let values: Vec<u16> = values.into_iter().map(|value| value as u16).collect();
        bencher.bench_local(|| G1Projective::msm_u16(&srs.powers[..1 << c], black_box(&values)));
    }
}

/// `2^20` uniform 16-bit integers, on all threads.
#[divan::bench_group(sample_count = 5)]
mod million_integers {
    use super::*;

    #[divan::bench(args = [12, 13, 14, 16])]
    fn vouch_chunks(bencher: Bencher, c: usize) {
        let (srs, values, blinds) = (srs(c), uniform(1 << 20), full(1 << (20 - c)));
        bencher.bench_local(|| commit::commit_chunks(&srs, c, black_box(&values), &blinds));
    }

    #[divan::bench(args = [14])]
    fn ark_chunks_unblinded(bencher: Bencher, c: usize) {
        let (srs, values) = (srs(c), uniform(1 << 20));
        let values: Vec<Fr> = values.into_iter().map(Fr::from).collect();
        bencher.bench_local(|| -> Vec<G1Projective> {
            values
                .chunks(1 << c)
                .map(|values| G1Projective::msm_unchecked(&srs.powers[..1 << c], black_box(values)))
                .collect()
        });
    }
}

#[divan::bench_group(sample_count = 10)]
mod field_elements {
    use super::*;

    #[divan::bench(args = CHUNKS)]
    fn vouch(bencher: Bencher, c: usize) {
        let (srs, values) = (srs(c), full(1 << c));
        bencher.bench_local(|| commit::msm(&srs.powers, black_box(&values)));
    }

    #[divan::bench(args = CHUNKS)]
    fn ark(bencher: Bencher, c: usize) {
        let (srs, values) = (srs(c), full(1 << c));
        bencher.bench_local(|| G1Projective::msm_unchecked(&srs.powers[..1 << c], black_box(&values)));
    }

    /// A mask chunk.
    #[divan::bench]
    fn vouch_forty(bencher: Bencher) {
        let (srs, values) = (srs(6), full(40));
        bencher.bench_local(|| commit::msm(&srs.powers, black_box(&values)));
    }
}

#[divan::bench(args = [12, 13, 14], sample_count = 10)]
fn open(bencher: Bencher, c: usize) {
    let (srs, g, rho) = (srs(c), full(1 << c), full(c));
    bencher.bench_local(|| commit::open(&srs, black_box(&g), &rho, &mut Writer::default()));
}

/// The group equation with a hundred chunk commitments.
#[divan::bench(sample_count = 20)]
fn verify_group_equation(bencher: Bencher) {
    let c = 14;
    let (srs, g, rho) = (srs(c), full(1 << c), full(c));
    let mut transcript = Writer::default();
    let points = commit::open(&srs, &g, &rho, &mut transcript).expect("no degenerate challenge");
    let scalars = transcript.into_scalars();
    let v = rho.iter().fold(g, |g, rho| g.chunks(2).map(|pair| pair[0] + *rho * (pair[1] - pair[0])).collect())[0];
    let digests = points.groups().map(points_digest);
    let verified: OpeningScalars<Fr> =
        opening::verify(&mut Reader::new(&scalars, &digests), &rho, &v).expect("an honest opening");
    let blind = random_scalar(&mut rand::rng());
    let mut terms = opening_terms(&points, &verified, blind).to_vec();
    terms.extend(srs.powers[..100].iter().copied().zip(full(100)));
    let equation = Equation::new(terms, points.witness);
    bencher.bench_local(|| black_box(&equation).holds(srs.tau_g2));
}

#[divan::bench_group(sample_count = 3)]
mod reference_string {
    use super::*;

    #[divan::bench(args = [14, 18])]
    fn development(log: usize) -> Srs {
        srs(log)
    }

    #[divan::bench(args = [14, 18])]
    fn ark_batch_mul(bencher: Bencher, log: usize) {
        use ark_ec::{AffineRepr, ScalarMul};
        let scalars = full(1 << log);
        bencher.bench_local(|| ark_bn254::G1Affine::generator().into_group().batch_mul(black_box(&scalars)));
    }

    #[divan::bench(args = [14, 18])]
    fn check(bencher: Bencher, log: usize) {
        let srs = srs(log);
        bencher.bench_local(|| srs.check(&mut rand::rng()));
    }

    #[divan::bench(args = [14, 18])]
    fn read(bencher: Bencher, log: usize) {
        let mut bytes = Vec::new();
        srs(log).write_to(&mut bytes).expect("memory takes all");
        bencher.bench_local(|| Srs::read_from(black_box(&bytes), Trust::Foreign));
    }
}

/// The transcript's permutation.
#[divan::bench]
fn poseidon(bencher: Bencher) {
    let mut state = [Fr::from(1), Fr::from(2), Fr::from(3)];
    bencher.bench_local(|| permute(black_box(&mut state)));
}
