//! Batching: all claims on `x` and `w` reduced by one sumcheck to one point each.
//!
//! Every claim is a linear functional of one tensor, so their combination with powers of `η` is `Σ_b x(b)·Q_x(b) + Σ_b w(b)·Q_w(b)`, where `Q_x` and
//! `Q_w` are known to the verifier as short sums of products of per-axis wiring predicates. (Resolving views and batching
//! are therefore one sumcheck, not two.) Both halves bind their lowest variables in the same rounds; the shorter one is extended by zero.
//! The sumcheck has degree 2: of `a + bX + cX²`, `a` and `c` are sent. It ends in `x(ρ)` and `w(ρ)`.

use crate::backend::{Channel, Check, Step};
use crate::ir::ConstraintSystem;
use crate::layout::Layout;

use super::claims::BatchClaims;
use super::sumcheck;

/// The values of the committed vectors at the batching step's point.
pub struct VectorClaims<S> {
    /// `max(x_bits, w_bits)` coordinates; each vector is taken at as many of the first as it has.
    pub rho: Vec<S>,
    /// `x(ρ)`.
    pub x: S,
    /// `w(ρ)`.
    pub w: S,
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
    let rounds = layout.x_bits().max(layout.w_bits());
    let (sum, rho) = sumcheck::rounds(ch, target, 2, rounds)?;
    let late = sumcheck::late_factors(ch, &rho);
    let x = ch.read()?;
    let w = ch.read()?;
    let (q_x, q_w) = claims.evaluate(ch, system, layout, &rho);
    let x_part = ch.mul(&x, &q_x);
    let x_part = ch.mul(&x_part, &late[layout.x_bits()]);
    let w_part = ch.mul(&w, &q_w);
    let w_part = ch.mul(&w_part, &late[layout.w_bits()]);
    let expected = ch.add(&x_part, &w_part);
    ch.assert_equal(&sum, &expected, Check::Batch)?;
    Ok(VectorClaims { rho, x, w })
}
