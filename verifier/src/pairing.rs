//! The group equation that is left of an opening: `e(Σ s_i·P_i, [1]) = e(W, [τ])`, `[1]` being the standard generator.
//!
//! Cost: one multi-scalar multiplication over the commitments and the opening's points, and a product of
//! two pairings.

use ark_bn254::{Bn254, Fr, G1Affine, G1Projective, G2Affine};
use ark_ec::pairing::Pairing;
use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM};
use ark_ff::Zero;
use vouch_circuits::argument::opening::{OpeningPoints, OpeningScalars};
use vouch_circuits::argument::{Exports, chunk_weights};
use vouch_circuits::blinds::blind_base;
use vouch_circuits::layout::Chunks;

/// Why a group equation is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A point of the proof is not on the curve.
    Point,
    /// The equation does not hold.
    Pairing,
}

/// The equation of one proof: the chunks' commitments, weighted, open as the opening's points and the exports say. The key's own points are in their
/// groups, and there are as many points as the chunks say.
#[derive(Clone, Copy, Debug)]
pub struct GroupEquation<'a> {
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
    /// `[τ]_2`.
    pub tau_g2: G2Affine,
}

impl GroupEquation<'_> {
    /// Whether it holds.
    ///
    /// # Errors
    /// A point off the curve, or an equation that does not hold.
    pub fn check(&self) -> Result<(), Refusal> {
        let Self { chunks, w_commitments, x_commitments, y_commitments, opening, exports, tau_g2 } = self;
        let mut sent = x_commitments.iter().copied().chain(y_commitments.iter().copied()).chain(opening.all());
        if !sent.all(|point| point.is_on_curve()) {
            return Err(Refusal::Point);
        }
        let weights = chunk_weights(chunks, &exports.rho_high, &exports.delta);
        let mut left: Vec<_> = w_commitments.iter().copied().zip(weights.w).collect();
        left.extend(x_commitments.iter().copied().zip(weights.x));
        left.extend(y_commitments.iter().copied().zip(weights.y));
        left.extend(opening_terms(opening, &exports.opening, exports.blind));
        if check(&left, opening.witness, *tau_g2) { Ok(()) } else { Err(Refusal::Pairing) }
    }
}

/// Whether `e(Σ s_i·P_i, [1]) = e(w, tau_g2)`.
///
/// The points must lie on their curves (and `tau_g2` in the subgroup of prime order, which the points of
/// G1 do of themselves): whoever parses them checks that.
pub fn check(left: &[(G1Affine, Fr)], w: G1Affine, tau_g2: G2Affine) -> bool {
    let left = sum(left).into_affine();
    Bn254::multi_pairing([left, -w], [G2Affine::generator(), tau_g2]).is_zero()
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
    use ark_ff::{AdditiveGroup, Field};

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
        // Zero on both sides, and on one.
        let zero = G1Affine::identity();
        assert!(check(&[], zero, tau_g2));
        assert!(check(&[(g1(Fr::ONE), Fr::ZERO), (zero, Fr::ONE)], zero, tau_g2));
        assert!(!check(&[], g1(Fr::ONE), tau_g2));
        assert!(!check(&[(g1(Fr::ONE), Fr::ONE)], zero, tau_g2));
    }
}
