//! The group equations that are left of openings, and the one pairing check for all of them.
//!
//! Cost: one multi-scalar multiplication over the commitments and the openings' points, and a product of
//! two pairings.

use ark_bn254::{Bn254, Fr, G1Affine, G1Projective, G2Affine};
use ark_ec::pairing::Pairing;
use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM};
use ark_ff::{Field, Zero};
use vouch_circuits::argument::opening::{OpeningPoints, OpeningScalars};
use vouch_circuits::argument::{Exports, chunk_weights};
use vouch_circuits::blinds::blind_base;
use vouch_circuits::layout::Chunks;

/// A point of the proof is not on the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffCurve;

/// `e(Σ scalar·point, [1]) = e(witness, [τ])`, `[1]` being the standard generators.
///
/// The points must lie on their curves (and `[τ]_2` in the subgroup of prime order, which the points of
/// G1 do of themselves): whoever parses them checks that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equation {
    /// The points of the left side with their scalars.
    pub terms: Vec<(G1Affine, Fr)>,
    /// The right side's points with their scalars.
    pub witnesses: Vec<(G1Affine, Fr)>,
}

impl Equation {
    /// With one point on the right.
    pub fn new(terms: Vec<(G1Affine, Fr)>, witness: G1Affine) -> Self {
        Self { terms, witnesses: vec![(witness, Fr::ONE)] }
    }

    /// Whether it holds.
    pub fn holds(&self, tau_g2: G2Affine) -> bool {
        let sides = [sum(&self.terms), -sum(&self.witnesses)].map(CurveGroup::into_affine);
        Bn254::multi_pairing(sides, [G2Affine::generator(), tau_g2]).is_zero()
    }

    /// This one and `factor` times another. If one of the two does not hold, their sum holds for at most one factor.
    pub fn and(&self, other: &Self, factor: Fr) -> Self {
        let sum = |own: &[(G1Affine, Fr)], others: &[(G1Affine, Fr)]| {
            own.iter().copied().chain(others.iter().map(|(point, scalar)| (*point, factor * scalar))).collect()
        };
        Self { terms: sum(&self.terms, &other.terms), witnesses: sum(&self.witnesses, &other.witnesses) }
    }
}

/// What the equation of the core's opening is made of: the chunks' commitments, weighted, open as the opening's points and the exports say. The
/// key's own points are in their groups, and there are as many points as the chunks say.
#[derive(Clone, Copy, Debug)]
pub struct CoreOpening<'a> {
    /// How the vectors are cut.
    pub chunks: Chunks,
    /// The key's commitments.
    pub w_commitments: &'a [G1Affine],
    /// The proof's.
    pub x_commitments: &'a [G1Affine],
    /// The proof's to fractions.
    pub y_commitments: &'a [G1Affine],
    /// The opening's points.
    pub opening: &'a OpeningPoints,
    /// The scalars.
    pub exports: &'a Exports<Fr>,
}

impl CoreOpening<'_> {
    /// The equation.
    ///
    /// # Errors
    /// A point off the curve.
    pub fn equation(&self) -> Result<Equation, OffCurve> {
        let Self { chunks, w_commitments, x_commitments, y_commitments, opening, exports } = self;
        let mut sent = x_commitments.iter().copied().chain(y_commitments.iter().copied()).chain(opening.all());
        if !sent.all(|point| point.is_on_curve()) {
            return Err(OffCurve);
        }
        let weights = chunk_weights(chunks, &exports.rho_high, &exports.delta);
        let mut left: Vec<_> = w_commitments.iter().copied().zip(weights.w).collect();
        left.extend(x_commitments.iter().copied().zip(weights.x));
        left.extend(y_commitments.iter().copied().zip(weights.y));
        left.extend(opening_terms(opening, &exports.opening, exports.blind));
        Ok(Equation::new(left, opening.witness))
    }
}

/// The terms that an opening adds to those of the opened commitment `C_g` on the equation's left side: `−s·S − h·H − o·[1] + z·W`, less
/// the `blind`'s multiple of the blinds' base.
pub fn opening_terms(points: &OpeningPoints, scalars: &OpeningScalars<Fr>, blind: Fr) -> [(G1Affine, Fr); 5] {
    [
        (points.cross, -scalars.cross),
        (points.quotient, -scalars.quotient),
        (G1Affine::generator(), -scalars.one),
        (points.witness, scalars.witness),
        (blind_base(), -blind),
    ]
}

/// `Σ s_i·P_i`.
fn sum(terms: &[(G1Affine, Fr)]) -> G1Projective {
    let (points, scalars): (Vec<_>, Vec<_>) = terms.iter().copied().unzip();
    G1Projective::msm_unchecked(&points, &scalars)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::AdditiveGroup;

    fn check(left: &[(G1Affine, Fr)], witness: G1Affine, tau_g2: G2Affine) -> bool {
        Equation::new(left.to_vec(), witness).holds(tau_g2)
    }

    fn g1(scalar: Fr) -> G1Affine {
        (G1Affine::generator() * scalar).into_affine()
    }

    #[test]
    fn the_equation_is_checked() {
        let tau = Fr::from(123_456_789).pow([9u64]);
        let g2 = G2Affine::generator();
        let tau_g2 = (g2 * tau).into_affine();
        for count in [1u64, 2, 5, 120] {
            let left: Vec<_> = (1..=count).map(|i| (g1(Fr::from(i * i)), -Fr::from(i).pow([50u64]))).collect();
            let sum: Fr = (1..=count).map(|i| -Fr::from(i).pow([52u64])).sum();
            let w = g1(sum / tau);
            assert!(check(&left, w, tau_g2));
            assert!(!check(&left, -w, tau_g2));
            assert!(!check(&left, w, g2));
            assert!(!check(&left[1..], w, tau_g2));
            let mut altered = left.clone();
            altered[0].1 += Fr::ONE;
            assert!(!check(&altered, w, tau_g2));
        }
        // Two at once.
        let equation = |scalar: Fr, witness: Fr| Equation::new(vec![(g1(Fr::ONE), scalar)], g1(witness));
        let (one, other) = (equation(tau, Fr::ONE), equation(-tau, -Fr::ONE));
        let (wrong, wrong_too) = (equation(tau + Fr::ONE, Fr::ONE), equation(tau - Fr::ONE, Fr::ONE));
        let factor = Fr::from(77);
        assert!(one.and(&other, factor).holds(tau_g2));
        assert!(!one.and(&wrong, factor).holds(tau_g2) && !wrong.and(&one, factor).holds(tau_g2));
        assert!(!wrong.and(&wrong_too, factor).holds(tau_g2));
        // What is wrong in them cancels for this factor alone.
        assert!(wrong.and(&wrong_too, Fr::ONE).holds(tau_g2));
        // Zero on both sides, and on one.
        let zero = G1Affine::identity();
        assert!(check(&[], zero, tau_g2));
        assert!(check(&[(g1(Fr::ONE), Fr::ZERO), (zero, Fr::ONE)], zero, tau_g2));
        assert!(!check(&[], g1(Fr::ONE), tau_g2));
        assert!(!check(&[(g1(Fr::ONE), Fr::ONE)], zero, tau_g2));
    }
}
