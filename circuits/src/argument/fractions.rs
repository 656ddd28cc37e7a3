//! Committed fractions: `y_i = P_i / Q_i` for all `2^d` nodes of one layer of the fraction tree at once, in place of the layers above it
//! ([`super::lookups`]); with `d` the tree's depth, of its leaves, and no tree is left.
//!
//! The prover commits to `y` after `α` and `β`. Then one challenge `z` is drawn, and one sumcheck shows
//! `Σ_i z^i·(y_i·Q_i − P_i) = 0`, which for values fixed before `z` means `y_i·Q_i = P_i` for all `i` but with probability `2^d/p`. It
//! ends at one point `r` in `y(r)·Q(r) − P(r)`: `y(r)` and `Q(r)` are sent, `P(r)` follows. What is left are the claim on the nodes'
//! numerators and denominators at `r`, which the layers above would have ended in too, and two claims on `y`: its value at `r`, and
//! `Σ_i y_i = 0`, the LogUp sum (Haböck 2022, "Multivariate lookups based on logarithmic derivatives", section 3.1).
//!
//! **`y(r)` and the sum read the same positions**, all `2^d` in both. A position that the sum reads and the products do not would be a free
//! summand, with which any lookup can be forged. Where a denominator is zero, `y_i` is free; keys are committed before `α`, so that
//! happens with a probability of at most the number of leaves over `p`.
//!
//! Cost: two messages a round and two at the end; the tree takes two for each round of each of its layers, and four a layer.

use super::lookups::FractionClaim;
use super::sumcheck::power_round;
use crate::backend::{Arithmetic, Channel, Check};
use crate::mle;

/// What committed fractions reduce to.
pub struct Claims<S> {
    /// The nodes' numerators and denominators at one point.
    pub nodes: FractionClaim<S>,
    /// `y`'s extension at that point. (That `y` sums to zero is the other claim on it.)
    pub value: S,
}

/// A linear functional of the committed fractions, of a layer of `2^point.len()` nodes.
#[derive(Clone, Debug)]
pub struct Functional<S> {
    /// Where their extension is taken.
    pub point: Vec<S>,
    /// The multiplier of that value.
    pub at_point: S,
    /// The multiplier of their sum.
    pub sum: S,
}

impl<S: Clone> Functional<S> {
    /// The functional's weight polynomial over `y` at the batching step's point, `rho` being as many of its coordinates as `y` has
    /// variables. A layer may be shorter than `y`, whose last chunk it does not fill then, or longer: then it has no chunk, nor any used
    /// leaf, where its further coordinates are not zero.
    pub fn evaluate<A: Arithmetic<Scalar = S>>(&self, ar: &mut A, rho: &[S]) -> S {
        let shared = self.point.len().min(rho.len());
        let mut at_point = mle::eq(ar, &self.point[..shared], &rho[..shared]);
        for coordinate in &self.point[shared..] {
            let clear = ar.complement(coordinate);
            at_point = ar.mul(&at_point, &clear);
        }
        let mut value = ar.mul_add(&self.sum, &self.at_point, &at_point);
        for coordinate in &rho[shared..] {
            let clear = ar.complement(coordinate);
            value = ar.mul(&value, &clear);
        }
        value
    }
}

/// The verifier's half, for a layer of `2^bits` nodes; `y`'s commitments have been absorbed.
///
/// # Errors
/// A message that is missing. What is false is left in the claims: the caller checks them against the commitments.
pub fn verify<C: Channel>(ch: &mut C, bits: usize) -> Result<Claims<C::Scalar>, Check> {
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
    Ok(Claims { nodes: FractionClaim { point, numerator, denominator }, value })
}
