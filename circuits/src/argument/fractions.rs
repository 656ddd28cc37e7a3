//! Committed fractions: `y_i = P_i / Q_i` for all `2^d` nodes of one layer of the fraction tree at once, in place of the layers above it
//! ([`super::lookups`]); with `d` the tree's depth, of its leaves, and no tree is left.
//!
//! The prover commits to `y` after `α` and `β`. Then one challenge `z` is drawn, and one sumcheck shows
//! `Σ_i z^i·(y_i·Q_i − P_i) = 0`, which for values fixed before `z` means `y_i·Q_i = P_i` for all `i` but with probability `2^d/p`. It
//! ends at one point `r` in `y(r)·Q(r) − P(r)`: `y(r)` and `Q(r)` are sent, `P(r)` follows. What is left are the claim on the nodes'
//! numerators and denominators at `r`, which the layers above would have ended in too, and two claims on `y`: its value at `r`, and
//! `Σ_i y_i = 0`, the LogUp sum (Haböck 2022, "Multivariate lookups based on logarithmic derivatives", section 3.1).
//!
//! **Products join in.** With `d` the tree's depth, rows of `a·b = c` ([`crate::ir::Product`]) take positions of their own behind the
//! fractions': `a` stands there in the place of `y`, `b` of `Q`, `c` of `P`. What is sent as `y(r)` is then the sum of both parts.
//!
//! **`y(r)` and the sum read the same positions** ([`Layout::fraction_len`](crate::layout::Layout::fraction_len)): all `2^d`, or those before the
//! products', whose `a` is no fraction. A position that the sum reads and the products do not would be a free
//! summand, with which any lookup can be forged. Where a denominator is zero, `y_i` is free; keys are committed before `α`, so that
//! happens with a probability of at most the number of leaves over `p`.
//!
//! Cost: two messages a round and two at the end; the tree takes two for each round of each of its layers, and four a layer.

use ark_bn254::Fr;
use ark_ff::{One, Zero};

use super::lookups::FractionClaim;
use super::sumcheck::power_round;
use crate::backend::{Arithmetic, Channel, Check};
use crate::layout::{Block, blocks_of};
use crate::mle::{self, BlockWeights};

/// What committed fractions reduce to.
pub struct Claims<S> {
    /// The nodes' numerators and denominators at one point.
    pub nodes: FractionClaim<S>,
    /// `y`'s extension at that point. (That `y` sums to zero is the other claim on it.)
    pub value: S,
}

/// A linear functional of the committed fractions of a layer of `2^point.len()` nodes, the first `len` of them.
#[derive(Clone, Debug)]
pub struct Functional<S> {
    /// Where their extension is taken.
    pub point: Vec<S>,
    /// The multiplier of that value.
    pub at_point: S,
    /// The multiplier of their sum.
    pub sum: S,
    /// Where the fractions end.
    pub len: usize,
}

impl<S: Clone> Functional<S> {
    /// The functional's weight polynomial over `y` at the batching step's point, `rho` being as many of its coordinates as `y` has
    /// variables. A block of the layer may be longer than `y`: what lies beyond has no chunk and no used leaf, so it counts as zero.
    pub fn evaluate<A: Arithmetic<Scalar = S>>(&self, ar: &mut A, rho: &[S]) -> S {
        let shared = self.point.len().min(rho.len());
        let prefixes = mle::eq_prefixes(ar, &self.point[..shared], &rho[..shared]);
        let (mut at_point, mut at_rho) = (BlockWeights::new(&self.point), BlockWeights::new(rho));
        let mut value = ar.constant(Fr::zero());
        for Block { offset, bits } in blocks_of(self.len) {
            let mut inside = prefixes[bits.min(shared)].clone();
            for coordinate in &self.point[bits.min(shared)..bits] {
                let clear = ar.complement(coordinate);
                inside = ar.mul(&inside, &clear);
            }
            let here = at_point.get(ar, bits, offset >> bits);
            let inside = ar.mul(&inside, &here);
            let part = ar.mul_add(&self.sum, &self.at_point, &inside);
            let there = if bits < rho.len() { at_rho.get(ar, bits, offset >> bits) } else { ar.constant(Fr::one()) };
            value = ar.mul_add(&value, &part, &there);
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
    let mut sum = ch.constant(Fr::zero());
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
