//! Batching: all claims on the committed vectors reduced by one sumcheck to one point each.
//!
//! Every claim is a linear functional of one tensor, or of the committed fractions `y`, so their combination with powers of `η` is `Σ_b
//! x(b)·Q_x(b) + Σ_b w(b)·Q_w(b) + Σ_b y(b)·Q_y(b)`, where the verifier knows each `Q` as a short sum of products of per-axis wiring
//! predicates. (Resolving views and batching are therefore one sumcheck, not two.) All parts bind their lowest variables in the same
//! rounds; the shorter ones are extended by zero. The sumcheck has degree 2: of `a + bX + cX²`, `a` and `c` are sent. It ends in `x(ρ)`,
//! `w(ρ)` and `y(ρ)`.

use ark_bn254::Fr;
use ark_ff::Zero;

use crate::backend::{Arithmetic, Channel, Check, Step};
use crate::ir::ConstraintSystem;
use crate::layout::Layout;

use super::claims::BatchClaims;
use super::sumcheck;

/// The values of the committed vectors at the batching step's point.
pub struct VectorClaims<S> {
    /// As many coordinates as the longest vector has; each vector is taken at as many of the first as it has.
    pub rho: Vec<S>,
    /// `x(ρ)`.
    pub x: S,
    /// `w(ρ)`.
    pub w: S,
    /// `y(ρ)`, if there is a `y`.
    pub y: Option<S>,
}

impl<S: Clone> VectorClaims<S> {
    /// `w(ρ) + δ·x(ρ) + δ²·y(ρ)`: what the chunks, weighted by [`super::chunk_weights`], open to.
    pub fn joined<A: Arithmetic<Scalar = S>>(&self, ar: &mut A, delta: &S) -> S {
        let behind = match &self.y {
            Some(y) => ar.mul_add(&self.x, delta, y),
            None => self.x.clone(),
        };
        ar.mul_add(&self.w, delta, &behind)
    }
}

/// The verifier's half: `claims` together have the value `target`.
pub fn verify<C: Channel>(
    ch: &mut C,
    system: &ConstraintSystem,
    layout: &Layout,
    claims: &BatchClaims<C::Scalar>,
    target: &C::Scalar,
) -> Result<VectorClaims<C::Scalar>, Check> {
    ch.label(Step::Batch);
    let (sum, rho) = sumcheck::rounds(ch, target, 2, layout.chunks().rho())?;
    let late = sumcheck::late_factors(ch, &rho);
    let x = ch.read()?;
    let w = ch.read()?;
    let y = claims.fractions.as_ref().map(|_| ch.read()).transpose()?;
    let weights = claims.evaluate(ch, system, layout, &rho);
    let mut parts = vec![(&x, weights.x, layout.x_bits()), (&w, weights.w, layout.w_bits())];
    parts.extend(y.as_ref().zip(weights.y).map(|(y, weight)| (y, weight, layout.y_bits())));
    let mut expected = ch.constant(Fr::zero());
    for (value, weight, bits) in parts {
        let weight = ch.mul(&weight, &late[bits]);
        expected = ch.mul_add(&expected, value, &weight);
    }
    ch.assert_equal(&sum, &expected, Check::Batch)?;
    Ok(VectorClaims { rho, x, w, y })
}
