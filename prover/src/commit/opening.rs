//! The opening, the prover's half; [`vouch_circuits::argument::opening`] states the protocol and has the verifier's.
//!
//! Cost: three multi-scalar multiplications of `2^c` random scalars, and about `(c + 10)·2^c` field multiplications.

use ark_bn254::Fr;
use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, Field};
use rayon::prelude::*;
use vouch_circuits::argument::opening::{OpeningScalars, eq_polynomial, scalars};
use vouch_circuits::backend::{Check, Plain, Step};
use vouch_circuits::transcript::Writer;

use super::msm::msm;
use super::srs::Srs;
use crate::sumcheck::PARALLEL;

pub use vouch_circuits::argument::opening::OpeningPoints;

/// Opens `g` (coefficient `i` is the value at the hypercube point `i`) at `rho`. Whoever calls this has
/// sent the commitment, the claim and the blind before.
///
/// # Errors
/// A degenerate challenge, with negligible probability.
///
/// # Panics
/// If `g` has not `2^rho.len()` coefficients, or the reference string is shorter.
pub fn open(srs: &Srs, g: &[Fr], rho: &[Fr], transcript: &mut Writer) -> Result<OpeningPoints, Check> {
    assert!(g.len() == 1 << rho.len(), "{} coefficients, {} variables", g.len(), rho.len());
    transcript.label(Step::Opening);
    let (value, s) = cross_terms(g, rho);
    let cross = msm(&srs.powers, &s).into_affine();
    transcript.write_points(&[cross]);
    let zeta = transcript.challenge();
    let (y, h) = quotients(g, &s, rho, &zeta)?;
    transcript.write(y);
    let quotient = msm(&srs.powers, &h).into_affine();
    transcript.write_points(&[quotient]);
    let z = transcript.challenge();
    let scalars = scalars(&mut Plain, rho, &value, [&zeta, &y, &z])?;
    let witness = msm(&srs.powers, &witness(g, &s, &h, &scalars)).into_affine();
    Ok(OpeningPoints { cross, quotient, witness })
}

/// The constant coefficient of `g(X)·E(1/X)`, which is the evaluation, and `S`: the sums of its coefficients at `X^(k+1)` and `X^(−k−1)`.
fn cross_terms(g: &[Fr], rho: &[Fr]) -> (Fr, Vec<Fr>) {
    // Times 1 − ρ_k + ρ_k·X^(−2^k), one after the other; the position of X^0 moves by 2^k each time.
    let mut product = g.to_vec();
    for (k, coordinate) in rho.iter().enumerate() {
        let shift = 1 << k;
        let next = (0..product.len() + shift).into_par_iter().with_min_len(PARALLEL).map(|at| {
            let kept = at.checked_sub(shift).map_or(Fr::ZERO, |at| product[at]);
            let moved = product.get(at).copied().unwrap_or_default();
            kept + *coordinate * (moved - kept)
        });
        product = next.collect();
    }
    let (below, at_and_above) = product.split_at(g.len() - 1);
    let cross = at_and_above[1..].iter().zip(below.iter().rev()).map(|(above, below)| *above + below).collect();
    (at_and_above[0], cross)
}

/// `y` and `H`.
fn quotients(g: &[Fr], s: &[Fr], rho: &[Fr], zeta: &Fr) -> Result<(Fr, Vec<Fr>), Check> {
    let inverse = zeta.inverse().ok_or(Check::Degenerate)?;
    let [at_zeta, at_inverse] = [zeta, &inverse].map(|x| eq_polynomial(&mut Plain, rho, x));
    let divide = |by: &Fr, of_g: Fr, of_s: &Fr| divide_by_linear(&combine([(g, of_g), (s, -*of_s)]), by);
    let ((mut sum, y), (other, _)) =
        rayon::join(|| divide(zeta, at_inverse, zeta), || divide(&inverse, at_zeta, &inverse));
    sum.iter_mut().zip(other).for_each(|(sum, other)| *sum += other);
    Ok((y, sum))
}

/// The quotient of `g − s·S − h·H` by `X − z`; constants do not matter to it.
fn witness(g: &[Fr], s: &[Fr], h: &[Fr], scalars: &OpeningScalars<Fr>) -> Vec<Fr> {
    let linear = combine([(g, Fr::ONE), (s, -scalars.cross), (h, -scalars.quotient)]);
    divide_by_linear(&linear, &scalars.witness).0
}

/// The sum of the polynomials, weighted; the first is the longest.
fn combine<const N: usize>(terms: [(&[Fr], Fr); N]) -> Vec<Fr> {
    let len = terms[0].0.len();
    let at = |i: usize| terms.iter().map(|(f, weight)| f.get(i).map_or(Fr::ZERO, |f| *f * weight)).sum();
    (0..len).into_par_iter().with_min_len(PARALLEL).map(at).collect()
}

/// Quotient and remainder by `X − z`.
pub(crate) fn divide_by_linear(f: &[Fr], z: &Fr) -> (Vec<Fr>, Fr) {
    let mut quotient = vec![Fr::ZERO; f.len().saturating_sub(1)];
    let mut carry = Fr::ZERO;
    for (i, coefficient) in f.iter().enumerate().rev() {
        if let Some(quotient) = quotient.get_mut(i) {
            *quotient = carry;
        }
        carry = carry * z + coefficient;
    }
    (quotient, carry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::{commit_chunks, commit_sparse, random_scalar};
    use crate::sumcheck::fold;
    use ark_bn254::{G1Affine, G1Projective};
    use ark_ec::AffineRepr;
    use vouch_circuits::argument::opening;
    use vouch_circuits::backend::Channel;
    use vouch_circuits::blinds::blind_base;
    use vouch_circuits::transcript::{Reader, points_digest};
    use vouch_verifier::pairing::{Equation, opening_terms};

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
            opened.prove(&g);
            opened
        }

        /// Opens `g`, whatever is committed to and claimed.
        fn prove(&mut self, g: &[Fr]) {
            let mut transcript = Writer::default();
            self.points = open(&self.srs, g, &self.rho, &mut transcript).unwrap();
            self.scalars = transcript.into_scalars();
        }

        fn unproven(srs: Srs, commitment: G1Affine, blind: Fr, rho: Vec<Fr>, v: Fr) -> Self {
            let none = G1Affine::identity();
            let points = OpeningPoints { cross: none, quotient: none, witness: none };
            Self { srs, commitment, blind, rho, v, scalars: vec![], points }
        }

        fn check(&self) -> Result<(), Check> {
            let digests = self.points.groups().map(points_digest);
            let mut reader = Reader::new(&self.scalars, &digests);
            let scalars = opening::verify(&mut reader, &self.rho, &self.v)?;
            reader.finish()?;
            let mut terms = opening_terms(&self.points, &scalars, self.blind).to_vec();
            terms.push((self.commitment, Fr::ONE));
            let holds = Equation::new(terms, self.points.witness).holds(self.srs.tau_g2);
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
        for c in [0, 1, 2, 3, 5, 8] {
            let opened = Opened::new(c);
            assert_eq!(opened.check(), Ok(()), "c = {c}");
            assert_eq!(opened.scalars.len(), 1);
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
                opened.prove(&g);
                assert_eq!(opened.check(), Ok(()));
            }
        }
    }

    #[test]
    fn each_altered_message_is_refused() {
        for c in [1, 2, 3, 5, 8] {
            let opened = Opened::new(c);
            assert_eq!(opened.after(|proof| proof.scalars[0] += Fr::ONE), Err(Check::Pairing), "c = {c}");
            let other = G1Affine::generator();
            assert_eq!(opened.after(|proof| proof.points.cross = other), Err(Check::Pairing));
            assert_eq!(opened.after(|proof| proof.points.quotient = other), Err(Check::Pairing));
            assert_eq!(opened.after(|proof| proof.points.witness = other), Err(Check::Pairing));
        }
    }

    #[test]
    fn other_statements_are_refused() {
        for c in [1, 3, 8] {
            let opened = Opened::new(c);
            assert_eq!(opened.after(|proof| proof.v += Fr::ONE), Err(Check::Pairing));
            for i in 0..c {
                assert_eq!(opened.after(|proof| proof.rho[i] += Fr::ONE), Err(Check::Pairing), "coordinate {i}");
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
        assert_eq!(opened.after(|proof| proof.scalars.clear()), Err(Check::Shape));
        assert_eq!(opened.after(|proof| proof.scalars.push(Fr::ZERO)), Err(Check::Shape));
        let exchanged = opened.after(|proof| std::mem::swap(&mut proof.points.cross, &mut proof.points.quotient));
        assert_eq!(exchanged, Err(Check::Pairing));
        let longer: Vec<_> = opened.points.groups().into_iter().chain([&[][..]]).map(points_digest).collect();
        let mut reader = Reader::new(&opened.scalars, &longer);
        assert!(opening::verify(&mut reader, &opened.rho, &opened.v).is_ok());
        assert_eq!(reader.finish(), Err(Check::Shape));
    }

    #[test]
    fn without_its_label_the_step_is_another() {
        let opened = Opened::new(2);
        let digests = opened.points.groups().map(points_digest);
        let mut reader = Reader::new(&opened.scalars, &digests);
        reader.label(Step::Batch);
        let scalars = opening::verify(&mut reader, &opened.rho, &opened.v).unwrap();
        let mut terms = opening_terms(&opened.points, &scalars, opened.blind).to_vec();
        terms.push((opened.commitment, Fr::ONE));
        assert!(!Equation::new(terms, opened.points.witness).holds(opened.srs.tau_g2));
    }

    /// A prover who goes on honestly from a false `S`, sends the `y` that `choose` makes of the honest one, and takes the rest
    /// from the claim: every message but the commitments is then as the verifier's formulas have it.
    fn prove_falsely(opened: &mut Opened, g: &[Fr], s: &[Fr], choose: impl FnOnce(Fr) -> Fr) {
        let mut transcript = Writer::default();
        transcript.label(Step::Opening);
        let commit = |f: &[Fr]| msm(&opened.srs.powers, f).into_affine();
        let cross = commit(s);
        transcript.write_points(&[cross]);
        let zeta = transcript.challenge();
        let (y, h) = quotients(g, s, &opened.rho, &zeta).unwrap();
        let y = choose(y);
        transcript.write(y);
        let quotient = commit(&h);
        transcript.write_points(&[quotient]);
        let z = transcript.challenge();
        let scalars = scalars(&mut Plain, &opened.rho, &opened.v, [&zeta, &y, &z]).unwrap();
        opened.points = OpeningPoints { cross, quotient, witness: commit(&witness(g, s, &h, &scalars)) };
        opened.scalars = transcript.into_scalars();
    }

    /// The commitment to `g`, and what is claimed of it.
    fn claiming(c: usize, g: &[Fr], v: Fr) -> Opened {
        let mut opened = Opened::new(c);
        opened.blind = Fr::ZERO;
        opened.commitment = msm(&opened.srs.powers, g).into_affine();
        opened.v = v;
        opened
    }

    #[test]
    fn false_claims_are_refused_whatever_is_sent() {
        for c in [1, 2, 5] {
            let g = random(1 << c);
            let mut opened = claiming(c, &g, Fr::ZERO);
            opened.v = extend(&g, &opened.rho);
            let (value, honest) = cross_terms(&g, &opened.rho);
            assert_eq!(value, opened.v);
            prove_falsely(&mut opened, &g, &honest, |y| y);
            assert_eq!(opened.check(), Ok(()), "the truth is accepted along the same way");
            prove_falsely(&mut opened, &g, &honest, |y| y + Fr::ONE);
            assert_eq!(opened.check(), Err(Check::Pairing), "another y");
            // What is one too large split between both values in any way.
            opened.v += Fr::ONE;
            for share in [Fr::ZERO, Fr::ONE, Fr::from(2), random(1)[0]] {
                prove_falsely(&mut opened, &g, &honest, |y| y + share);
                assert_eq!(opened.check(), Err(Check::Pairing), "c = {c}");
            }
            // No other cross terms make up for it: at no power, beyond g's length neither.
            for at in [0, 1, honest.len() - 1, honest.len(), 1 << c] {
                let mut s = honest.clone();
                s.resize(s.len().max(at + 1), Fr::ZERO);
                s[at] += Fr::ONE;
                let mut longer = g.clone();
                longer.resize(s.len().max(g.len()), Fr::ZERO);
                prove_falsely(&mut opened, &longer, &s, |y| y);
                assert_eq!(opened.check(), Err(Check::Pairing), "c = {c}, cross term {at}");
            }
        }
    }

    /// Two false values at `ζ` and `1/ζ` whose sum is right, and a quotient with both poles left in it as far as a polynomial can.
    #[test]
    fn values_exchanged_between_the_points_are_refused() {
        let c = 4;
        let g = random(1 << c);
        let mut opened = claiming(c, &g, Fr::ZERO);
        opened.v = extend(&g, &opened.rho);
        let double = opened.v.double();
        let (_, s) = cross_terms(&g, &opened.rho);
        prove_falsely(&mut opened, &g, &s, |y| double - y);
        assert_eq!(opened.check(), Err(Check::Pairing));
    }

    /// The cross terms of the whole polynomial `g`, of whatever length: only coefficients that meet one of `E` count for `v`.
    fn long_cross_terms(g: &[Fr], rho: &[Fr]) -> (Fr, Vec<Fr>) {
        let eq = vouch_circuits::mle::eq_table(rho);
        let mut sums = vec![Fr::ZERO; g.len()];
        for (i, value) in g.iter().enumerate() {
            for (j, weight) in eq.iter().enumerate() {
                sums[i.abs_diff(j)] += *value * weight;
            }
        }
        (sums[0], sums[1..].to_vec())
    }

    /// A commitment to more than `2^c` coefficients opens to what the first `2^c` say, and to nothing else.
    #[test]
    fn coefficients_beyond_the_chunk_do_not_count() {
        for c in [1, 3, 5] {
            for position in [1 << c, (2 << c) - 1] {
                let mut g = random(1 << c);
                let mut opened = claiming(c, &g, Fr::ZERO);
                let v = extend(&g, &opened.rho);
                g.resize(2 << c, Fr::ZERO);
                g[position] = Fr::from(7);
                opened.commitment = msm(&opened.srs.powers, &g).into_affine();
                let (value, s) = long_cross_terms(&g, &opened.rho);
                assert_eq!(value, v);
                opened.v = v;
                prove_falsely(&mut opened, &g, &s, |y| y);
                assert_eq!(opened.check(), Ok(()), "c = {c}, {position}");
                // The first coefficients alone, or another value, are not what is committed to.
                opened.prove(&g[..1 << c]);
                assert_eq!(opened.check(), Err(Check::Pairing));
                opened.v += Fr::ONE;
                prove_falsely(&mut opened, &g, &s, |y| y);
                assert_eq!(opened.check(), Err(Check::Pairing));
            }
        }
    }

    #[test]
    fn cross_terms_are_those_of_the_definition() {
        for c in 0..7 {
            let (g, rho) = (random(1 << c), random(c));
            assert_eq!(cross_terms(&g, &rho), long_cross_terms(&g, &rho));
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
        opened.prove(&moved);
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
        opened.prove(&g);
        assert_eq!(opened.check(), Ok(()));
        assert_eq!(opened.after(|proof| proof.blind = Fr::ZERO), Err(Check::Pairing));
    }
}
