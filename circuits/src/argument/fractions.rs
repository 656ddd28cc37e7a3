//! Committed fractions: `y_i = P_i / Q_i` for all leaves of the lookup argument at once, in place of the tree of [`super::lookups`].
//!
//! The prover commits to `y` after `α` and `β`. Then one challenge `z` is drawn, and one sumcheck shows
//! `Σ_i z^i·(y_i·Q_i − P_i) = 0`, which for values fixed before `z` means `y_i·Q_i = P_i` for all `i` but with probability `2^n/p`. It
//! ends at one point `r` in `y(r)·Q(r) − P(r)`: `y(r)` and `Q(r)` are sent, `P(r)` follows. What is left are the claim on the leaves'
//! numerators and denominators at `r`, which the tree would have ended in too, and two claims on `y`: its value at `r`, and `Σ_i y_i = 0`,
//! the LogUp sum (Haböck 2022, "Multivariate lookups based on logarithmic derivatives", section 3.1).
//!
//! **`y(r)` and the sum read the same positions.** A position that the sum reads and the products do not would be a free summand, with
//! which any lookup can be forged. Where a denominator is zero, `y_i` is free; keys are committed before `α`, so that happens with
//! probability `2^n/p` only.
//!
//! Cost: two messages a round, `2^n` being the number of leaves, and two at the end; the tree takes two for each round of each of its `n`
//! layers, and four a layer.
//!
//! No command uses this step yet: what is to come is `y` as a third committed vector ([`crate::layout`]), opened with the other two.

use super::lookups::LeafClaim;
use super::sumcheck::power_round;
use crate::backend::{Channel, Check};

/// What committed fractions reduce to.
pub struct FractionClaims<S> {
    /// The leaves' numerators and denominators at one point.
    pub leaves: LeafClaim<S>,
    /// `y`'s extension at that point. (That `y` sums to zero is the other claim on it.)
    pub value: S,
}

/// The verifier's half, for `2^bits` leaves; `y`'s commitment has been absorbed.
///
/// # Errors
/// A message that is missing. What is false is left in the claims: the caller checks them against the commitments.
pub fn verify<C: Channel>(ch: &mut C, bits: usize) -> Result<FractionClaims<C::Scalar>, Check> {
    let mut w = ch.challenge();
    let mut sum = ch.constant(ark_bn254::Fr::default());
    let mut point = Vec::with_capacity(bits);
    for round in 0..bits {
        if round > 0 {
            w = ch.mul(&w, &w);
        }
        let r;
        (sum, r) = power_round(ch, &sum, &w)?;
        point.push(r);
    }
    let value = ch.read()?;
    let denominator = ch.read()?;
    let product = ch.mul(&value, &denominator);
    let numerator = ch.sub(&product, &sum);
    Ok(FractionClaims { leaves: LeafClaim { point, numerator, denominator }, value })
}
