//! HyperKZG, the prover's half; [`vouch_circuits::argument::opening`] states the protocol and has the
//! verifier's.
//!
//! Cost: three multi-scalar multiplications of `2^c` random scalars (the folds' add up to one), and about
//! `8·2^c` field multiplications.

use ark_bn254::{Fr, G1Affine, G1Projective};
use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, Field};
use rayon::prelude::*;
use vouch_circuits::backend::Step;
use vouch_circuits::transcript::Writer;

use super::msm::msm;
use super::srs::Srs;
use crate::sumcheck::fold;

pub use vouch_circuits::argument::opening::OpeningPoints;

/// Opens `g` (coefficient `i` is the value at the hypercube point `i`) at `rho`. Whoever calls this has
/// sent the commitment, the claim and the blind before.
///
/// # Panics
/// If `g` has not `2^rho.len()` coefficients, at least two, or the reference string is shorter.
pub fn open(srs: &Srs, g: Vec<Fr>, rho: &[Fr], transcript: &mut Writer) -> OpeningPoints {
    assert!(!rho.is_empty() && g.len() == 1 << rho.len(), "{} coefficients, {} variables", g.len(), rho.len());
    transcript.label(Step::Opening);
    let polynomials = fold_all(g, &rho[..rho.len() - 1]);
    let folds = commit_folds(srs, &polynomials);
    transcript.write_points(&folds);
    let r = transcript.challenge();
    for value in evaluations(&polynomials, &r) {
        transcript.write(value);
    }
    let q = transcript.challenge();
    let (quotient, witness) = open_batch(srs, batch(polynomials, &q), &r, transcript);
    OpeningPoints { folds, quotient, witness }
}

/// `f_0 = g` and its folds, one for each coordinate.
fn fold_all(g: Vec<Fr>, coordinates: &[Fr]) -> Vec<Vec<Fr>> {
    let mut polynomials = vec![g];
    for coordinate in coordinates {
        let next = fold(&polynomials[polynomials.len() - 1], coordinate);
        polynomials.push(next);
    }
    polynomials
}

fn commit_folds(srs: &Srs, polynomials: &[Vec<Fr>]) -> Vec<G1Affine> {
    let folds: Vec<G1Projective> = polynomials[1..].par_iter().map(|fold| msm(&srs.powers, fold)).collect();
    G1Projective::normalize_batch(&folds)
}

/// `f_k(r), f_k(−r)` for each `k`, then `f_0(r²)`.
fn evaluations(polynomials: &[Vec<Fr>], r: &Fr) -> Vec<Fr> {
    let square = r.square();
    let parts: Vec<(Fr, Fr)> = polynomials.par_iter().map(|f| evaluate_parts(f, &square)).collect();
    let mut values: Vec<Fr> = parts.iter().flat_map(|(even, odd)| [*even + *odd * r, *even - *odd * r]).collect();
    let (even, odd) = evaluate_parts(&polynomials[0], &square.square());
    values.push(even + odd * square);
    values
}

/// Sends `H` and `W` for `F` at `r`, `−r` and `r²`.
fn open_batch(srs: &Srs, batched: Vec<Fr>, r: &Fr, transcript: &mut Writer) -> (G1Affine, G1Affine) {
    // Z(X) = (X² − r²)(X − r²); the remainder by it is R.
    let square = r.square();
    let divisor = [square.square(), -square, -square];
    let (quotient, remainder) = divide_by_cubic(&batched, &divisor);
    let quotient_point = msm(&srs.powers, &quotient).into_affine();
    transcript.write_points(&[quotient_point]);

    let z = transcript.challenge();
    let divisor_at_z = ((z + divisor[2]) * z + divisor[1]) * z + divisor[0];
    let mut linearized = batched;
    for (coefficient, quotient) in linearized.iter_mut().zip(&quotient) {
        *coefficient -= divisor_at_z * quotient;
    }
    linearized[0] -= (remainder[2] * z + remainder[1]) * z + remainder[0];
    let witness = msm(&srs.powers, &divide_by_linear(&linearized, &z)).into_affine();
    (quotient_point, witness)
}

/// The even and the odd part of `f` at `x` (so `f(±r)` for `x = r²`).
fn evaluate_parts(f: &[Fr], x: &Fr) -> (Fr, Fr) {
    /// Coefficients a piece: the power of `x` that joins pieces costs less than one percent of it.
    const PIECE: usize = 1 << 12;
    let pieces: Vec<(Fr, Fr)> = f
        .par_chunks(PIECE)
        .map(|piece| {
            piece
                .rchunks_exact(2)
                .fold((Fr::ZERO, Fr::ZERO), |(even, odd), pair| (even * x + pair[0], odd * x + pair[1]))
        })
        .collect();
    let step = x.pow([PIECE as u64 / 2]);
    pieces.iter().rev().fold((Fr::ZERO, Fr::ZERO), |(even, odd), piece| (even * step + piece.0, odd * step + piece.1))
}

/// `Σ_k q^k·f_k` of polynomials each half as long as the one before.
fn batch(mut polynomials: Vec<Vec<Fr>>, q: &Fr) -> Vec<Fr> {
    // Horner from the shortest.
    let mut sum: Vec<Fr> = Vec::new();
    while let Some(mut next) = polynomials.pop() {
        next.par_iter_mut().zip(&sum).with_min_len(1024).for_each(|(next, sum)| *next += *q * sum);
        sum = next;
    }
    sum
}

/// Quotient and remainder by `X³ + d_2·X² + d_1·X + d_0`, coefficients from the lowest.
fn divide_by_cubic(f: &[Fr], [d0, d1, d2]: &[Fr; 3]) -> (Vec<Fr>, [Fr; 3]) {
    let mut quotient = vec![Fr::ZERO; f.len().saturating_sub(3)];
    // The window of three coefficients that is left of the dividend, lowest first.
    let mut rest = [Fr::ZERO; 3];
    for (i, coefficient) in f.iter().enumerate().rev() {
        let lead = rest[2];
        rest = [*coefficient - lead * d0, rest[0] - lead * d1, rest[1] - lead * d2];
        if let Some(quotient) = quotient.get_mut(i) {
            *quotient = lead;
        }
    }
    (quotient, rest)
}

/// The quotient by `X − z`; the remainder is dropped.
pub(crate) fn divide_by_linear(f: &[Fr], z: &Fr) -> Vec<Fr> {
    let mut quotient = vec![Fr::ZERO; f.len() - 1];
    let mut carry = Fr::ZERO;
    for (quotient, coefficient) in quotient.iter_mut().zip(&f[1..]).rev() {
        carry = carry * z + coefficient;
        *quotient = carry;
    }
    quotient
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::{commit_chunks, commit_sparse, random_scalar};
    use ark_ec::AffineRepr;
    use vouch_circuits::argument::opening;
    use vouch_circuits::backend::{Channel, Check};
    use vouch_circuits::blinds::blind_base;
    use vouch_circuits::transcript::Reader;
    use vouch_verifier::pairing;

    fn random(count: usize) -> Vec<Fr> {
        (0..count).map(|_| random_scalar(&mut rand::rng())).collect()
    }

    /// The multilinear extension of the values, at a point.
    fn extend(values: &[Fr], rho: &[Fr]) -> Fr {
        rho.iter().fold(values.to_vec(), |values, coordinate| fold(&values, coordinate))[0]
    }

    /// A statement and a proof of it.
    #[derive(Clone)]
    struct Opened {
        srs: Srs,
        commitment: G1Affine,
        blind: Fr,
        rho: Vec<Fr>,
        v: Fr,
        scalars: Vec<Fr>,
        points: OpeningPoints,
    }

    impl Opened {
        fn new(c: usize) -> Self {
            // Longer than needed, so that a cheating prover has powers to abuse.
            let srs = Srs::development((2 << c) + 2, &mut rand::rng());
            let (g, rho, blind) = (random(1 << c), random(c), random(1)[0]);
            let commitment = (msm(&srs.powers, &g) + blind_base() * blind).into_affine();
            let v = extend(&g, &rho);
            let mut opened = Self::unproven(srs, commitment, blind, rho, v);
            let mut transcript = Writer::default();
            opened.points = open(&opened.srs, g, &opened.rho, &mut transcript);
            opened.scalars = transcript.into_scalars();
            opened
        }

        fn unproven(srs: Srs, commitment: G1Affine, blind: Fr, rho: Vec<Fr>, v: Fr) -> Self {
            let none = G1Affine::identity();
            let points = OpeningPoints { folds: vec![], quotient: none, witness: none };
            Self { srs, commitment, blind, rho, v, scalars: vec![], points }
        }

        fn check(&self) -> Result<(), Check> {
            let groups = self.points.groups();
            let mut reader = Reader::new(&self.scalars, &groups);
            let scalars = opening::verify(&mut reader, &self.rho, &self.v)?;
            reader.finish()?;
            let mut terms = pairing::opening_terms(&self.points, &scalars, self.blind);
            terms.push((self.commitment, Fr::ONE));
            let holds = pairing::check(&terms, self.points.witness, self.srs.tau_g2);
            if holds { Ok(()) } else { Err(Check::Pairing) }
        }

        /// What becomes of the proof after a change.
        fn after(&self, change: impl FnOnce(&mut Self)) -> Result<(), Check> {
            let mut changed = self.clone();
            change(&mut changed);
            changed.check()
        }
    }

    #[test]
    fn honest_openings_pass() {
        for c in [1, 2, 3, 5, 8] {
            let opened = Opened::new(c);
            assert_eq!(opened.check(), Ok(()), "c = {c}");
            assert_eq!(opened.scalars.len(), 2 * c + 1);
            assert_eq!(opened.points.folds.len(), c - 1);
        }
    }

    #[test]
    fn special_polynomials_and_points_pass() {
        let c = 3;
        let srs = Srs::development(1 << c, &mut rand::rng());
        let zero_one = [Fr::ZERO, Fr::ONE];
        for g in [vec![Fr::ZERO; 8], vec![Fr::ONE; 8], (0..8).map(|i| zero_one[usize::from(i == 5)]).collect()] {
            for corner in 0..8 {
                let rho: Vec<Fr> = (0..c).map(|bit| zero_one[corner >> bit & 1]).collect();
                let commitment = msm(&srs.powers, &g).into_affine();
                let mut opened = Opened::unproven(srs.clone(), commitment, Fr::ZERO, rho, g[corner]);
                let mut transcript = Writer::default();
                opened.points = open(&srs, g.clone(), &opened.rho, &mut transcript);
                opened.scalars = transcript.into_scalars();
                assert_eq!(opened.check(), Ok(()));
            }
        }
    }

    #[test]
    fn each_altered_message_is_refused() {
        for c in [1, 2, 3, 5, 8] {
            let opened = Opened::new(c);
            for i in 0..opened.scalars.len() {
                // Only the last fold meets the claim; the others meet the commitments.
                let expected = if i / 2 == c - 1 { Check::OpeningFold } else { Check::Pairing };
                assert_eq!(opened.after(|proof| proof.scalars[i] += Fr::ONE), Err(expected), "c = {c}, scalar {i}");
            }
            for i in 0..c - 1 {
                // Another r.
                let altered = opened.after(|proof| proof.points.folds[i] = -proof.points.folds[i]);
                assert_eq!(altered, Err(Check::OpeningFold));
            }
            let other = G1Affine::generator();
            assert_eq!(opened.after(|proof| proof.points.quotient = other), Err(Check::Pairing));
            assert_eq!(opened.after(|proof| proof.points.witness = other), Err(Check::Pairing));
        }
    }

    #[test]
    fn other_statements_are_refused() {
        for c in [1, 3, 8] {
            let opened = Opened::new(c);
            assert_eq!(opened.after(|proof| proof.v += Fr::ONE), Err(Check::OpeningFold));
            for i in 0..c {
                let expected = if i == c - 1 { Check::OpeningFold } else { Check::Pairing };
                assert_eq!(opened.after(|proof| proof.rho[i] += Fr::ONE), Err(expected), "coordinate {i}");
            }
            let other = G1Affine::generator();
            assert_eq!(opened.after(|proof| proof.commitment = other), Err(Check::Pairing));
            assert_eq!(opened.after(|proof| proof.blind += Fr::ONE), Err(Check::Pairing));
            assert_eq!(opened.after(|proof| proof.srs.tau_g2 = -proof.srs.tau_g2), Err(Check::Pairing));
        }
    }

    #[test]
    fn other_shapes_are_refused() {
        let opened = Opened::new(3);
        assert_eq!(opened.after(|proof| proof.scalars.truncate(6)), Err(Check::Shape));
        assert_eq!(opened.after(|proof| proof.scalars.push(Fr::ZERO)), Err(Check::Shape));
        // The digest of the folds changes with their number, and r with it.
        assert_eq!(opened.after(|proof| proof.points.folds.truncate(1)), Err(Check::OpeningFold));
        assert_eq!(opened.after(|proof| proof.points.folds.swap(0, 1)), Err(Check::OpeningFold));
        let empty = opening::verify(&mut Reader::new(&[], &[]), &[], &Fr::ZERO);
        assert_eq!(empty, Err(Check::Shape));
        let longer: Vec<_> = opened.points.groups().into_iter().chain([&[][..]]).collect();
        let mut reader = Reader::new(&opened.scalars, &longer);
        assert!(opening::verify(&mut reader, &opened.rho, &opened.v).is_ok());
        assert_eq!(reader.finish(), Err(Check::Shape));
    }

    #[test]
    fn without_its_label_the_step_is_another() {
        let opened = Opened::new(2);
        let groups = opened.points.groups();
        let mut reader = Reader::new(&opened.scalars, &groups);
        reader.label(Step::Batch);
        assert_eq!(opening::verify(&mut reader, &opened.rho, &opened.v), Err(Check::OpeningFold));
    }

    /// A prover who deviates in the evaluations, and goes on honestly from there.
    fn open_falsely(
        srs: &Srs,
        g: Vec<Fr>,
        rho: &[Fr],
        deviate: impl FnOnce(&mut [Fr], &Fr),
    ) -> (Vec<Fr>, OpeningPoints) {
        let mut transcript = Writer::default();
        transcript.label(Step::Opening);
        let polynomials = fold_all(g, &rho[..rho.len() - 1]);
        let folds = commit_folds(srs, &polynomials);
        transcript.write_points(&folds);
        let r = transcript.challenge();
        let mut values = evaluations(&polynomials, &r);
        deviate(&mut values, &r);
        for value in values {
            transcript.write(value);
        }
        let q = transcript.challenge();
        let (quotient, witness) = open_batch(srs, batch(polynomials, &q), &r, &mut transcript);
        (transcript.into_scalars(), OpeningPoints { folds, quotient, witness })
    }

    #[test]
    fn evaluations_bent_to_a_false_claim_are_refused() {
        for c in [1, 2, 5] {
            let mut opened = Opened::new(c);
            let g = random(1 << c);
            opened.blind = Fr::ZERO;
            opened.commitment = msm(&opened.srs.powers, &g).into_affine();
            opened.v = extend(&g, &opened.rho) + Fr::ONE;
            // f_{c−1}(r) such that the last fold meets the false claim.
            let last = opened.rho[c - 1];
            let (scalars, points) = open_falsely(&opened.srs, g, &opened.rho, |values, r| {
                let weight = (Fr::ONE - last + last / r) / Fr::from(2);
                values[2 * c - 2] += weight.inverse().unwrap();
            });
            (opened.scalars, opened.points) = (scalars, points);
            assert_eq!(opened.check(), Err(Check::Pairing));
        }
    }

    #[test]
    fn coefficients_beyond_the_chunk_are_refused() {
        for c in [1, 3, 5] {
            let mut opened = Opened::new(c);
            opened.blind = Fr::ZERO;
            // A blind that was not subtracted, then junk at the highest power.
            for position in [1 << c, (2 << c) - 1] {
                let mut g = random(1 << c);
                opened.v = extend(&g, &opened.rho);
                g.resize(2 << c, Fr::ZERO);
                g[position] = Fr::from(7);
                opened.commitment = msm(&opened.srs.powers, &g).into_affine();
                (opened.scalars, opened.points) = open_falsely(&opened.srs, g, &opened.rho, |_, _| ());
                assert_eq!(opened.check(), Err(Check::OpeningFold));
            }
        }
    }

    /// A prover for whom the first power is a base of blinds: it adds to `g`'s first coefficient what makes a false claim true, opens
    /// that, and reveals the difference as a blind. Were the key's maker free to name the base, this would prove anything.
    #[test]
    fn a_blind_cannot_move_the_polynomial() {
        let c = 4;
        let mut opened = Opened::new(c);
        let g = random(1 << c);
        opened.commitment = msm(&opened.srs.powers, &g).into_affine();
        opened.v = extend(&g, &opened.rho) + Fr::ONE;
        // eq(ρ, 0) is what the first coefficient weighs.
        let weight: Fr = opened.rho.iter().map(|coordinate| Fr::ONE - coordinate).product();
        let shift = weight.inverse().unwrap();
        let mut moved = g;
        moved[0] += shift;
        let mut transcript = Writer::default();
        opened.points = open(&opened.srs, moved, &opened.rho, &mut transcript);
        opened.scalars = transcript.into_scalars();
        opened.blind = -shift;
        assert_eq!(opened.check(), Err(Check::Pairing));
        // With [1] in B's place it passes.
        opened.commitment = (opened.commitment + (blind_base() - opened.srs.powers[0]) * opened.blind).into_affine();
        assert_eq!(opened.check(), Ok(()));
    }

    #[test]
    fn combined_blinded_chunks_open() {
        let c = 6;
        let srs = Srs::development(1 << c, &mut rand::rng());
        let values: Vec<i32> = (0..5 * 64 - 9).map(|i| (i * i * 7919) % 65_536 - 32_768).collect();
        let blinds = random(6);
        let mut commitments = commit_chunks(&srs, c, &values, &blinds[..5]);
        let mask: Vec<(usize, Fr)> =
            (0..c).flat_map(|j| [1 << j, 3 << j >> 1]).chain([0, 40]).zip(random(2 * c + 2)).collect();
        let masked = commit_sparse(&srs.powers, &mask) + blind_base() * blinds[5];
        commitments.push(masked.into_affine());

        let (weights, rho) = (random(6), random(c));
        let mut g = vec![Fr::ZERO; 1 << c];
        for (chunk, weight) in values.chunks(1 << c).zip(&weights) {
            for (sum, value) in g.iter_mut().zip(chunk) {
                *sum += *weight * Fr::from(*value);
            }
        }
        for (index, value) in mask {
            g[index] += weights[5] * value;
        }
        let terms: Vec<_> = commitments.iter().copied().zip(weights.iter().copied()).collect();
        let commitment = terms.iter().map(|(point, weight)| *point * weight).sum::<G1Projective>().into_affine();
        let blind = blinds.iter().zip(&weights).map(|(blind, weight)| *blind * weight).sum();
        let mut opened = Opened::unproven(srs, commitment, blind, rho, Fr::ZERO);
        opened.v = extend(&g, &opened.rho);
        let mut transcript = Writer::default();
        opened.points = open(&opened.srs, g, &opened.rho, &mut transcript);
        opened.scalars = transcript.into_scalars();
        assert_eq!(opened.check(), Ok(()));
        assert_eq!(opened.after(|proof| proof.blind = Fr::ZERO), Err(Check::Pairing));
    }

    #[test]
    fn long_polynomials_are_evaluated_in_pieces() {
        let f = random(1 << 14);
        let x = random(1)[0];
        let (even, odd) = evaluate_parts(&f, &x.square());
        let naive = |x: Fr| f.iter().rev().fold(Fr::ZERO, |sum, coefficient| sum * x + coefficient);
        assert_eq!(even + odd * x, naive(x));
        assert_eq!(even - odd * x, naive(-x));
    }
}
