//! Contractions: one batched sumcheck for all sums of products.
//!
//! A contraction's result at a point `p` is `Σ_s eq(p_b, s_b)·mask(s)·lhs(p_o, s)·rhs(p_o, s)`, where `s` runs over the *bound* variables: those
//! summed over, and the batch variables `b`, outputs that both operands read. Other outputs `o` are simply set to their part of `p`.
//! `mask` restricts a summed variable to its true length where no operand's own bounds do.
//!
//! All contractions, weighted, form one sumcheck (degree 3 at most, lowest variable first). One with fewer bound variables than the longest
//! is extended by zero: it is multiplied by `Π (1 - r_t)` over the rounds that it does not have. The sumcheck ends in one claim an operand.

use ark_bn254::Fr;
use ark_ff::{One, Zero};

use super::claims::{TensorClaim, operand_wires};
use crate::backend::{Arithmetic, Channel, Check};
use crate::ir::*;
use crate::mle;

/// How a contraction's variables take part in the sumcheck.
#[derive(Clone, Debug)]
pub struct Roles {
    /// The bound variables in order, the last one lowest.
    pub bound: Vec<usize>,
    /// Those of `bound` that are outputs.
    pub batch: Vec<usize>,
    /// Those of `bound` that need the mask.
    pub masked: Vec<usize>,
    /// Number of bound variables' bits.
    pub bits: usize,
}

/// The roles of a contraction's variables.
pub fn roles(system: &ConstraintSystem, contraction: &Contraction) -> Roles {
    let reads = |operand: &Operand, var: usize| operand.reads(var, system.tensor(operand.tensor).shape.len());
    let bounded = |operand: &Operand, var: usize| match &operand.access {
        Access::Raw => false,
        Access::Indexed(axes) => (axes.iter().zip(&system.tensor(operand.tensor).shape))
            .any(|(axis, &len)| axis.is_var(var) && len == contraction.vars[var]),
    };
    let operands = || std::iter::once(&contraction.lhs).chain(&contraction.rhs);
    let batch: Vec<usize> = match &contraction.rhs {
        Some(rhs) => (0..contraction.outputs).filter(|&v| reads(&contraction.lhs, v) && reads(rhs, v)).collect(),
        None => Vec::new(),
    };
    let summed = contraction.outputs..contraction.vars.len();
    let masked = (summed.clone())
        .filter(|&v| !contraction.vars[v].is_power_of_two() && !operands().any(|o| bounded(o, v)))
        .collect();
    let bound: Vec<usize> = batch.iter().copied().chain(summed).collect();
    let bits = bound.iter().map(|&v| axis_bits(contraction.vars[v])).sum();
    Roles { bound, batch, masked, bits }
}

/// Degree of the round polynomials: 2, or 3 where some two-operand contraction has batch variables or masks.
pub fn degree(system: &ConstraintSystem) -> usize {
    let three = system.contractions.iter().any(|c| {
        let roles = roles(system, c);
        c.rhs.is_some() && !(roles.batch.is_empty() && roles.masked.is_empty())
    });
    if three { 3 } else { 2 }
}

/// For each variable of a contraction its point, from the claim's point `p` and the sumcheck's point `r`.
pub fn variable_points<S: Clone>(contraction: &Contraction, roles: &Roles, p: &[S], r: &[S]) -> Vec<Vec<S>> {
    let mut points = vec![Vec::new(); contraction.vars.len()];
    for (var, range) in axis_ranges(&contraction.vars[..contraction.outputs]).into_iter().enumerate() {
        points[var] = p[range].to_vec();
    }
    let lens: Vec<usize> = roles.bound.iter().map(|&v| contraction.vars[v]).collect();
    for (&var, range) in roles.bound.iter().zip(axis_ranges(&lens)) {
        points[var] = r[range].to_vec();
    }
    points
}

/// What the contractions reduce to.
pub struct OperandClaims<S> {
    /// Claims with multiplier 1, and their values.
    pub claims: Vec<(TensorClaim<S>, S)>,
    /// The contractions' combined weighted value, as the prover sent it.
    pub total: S,
}

/// The verifier's half, for the contractions with their `weights`, all claimed at first coordinates of `p`.
pub fn verify<C: Channel>(
    ch: &mut C,
    system: &ConstraintSystem,
    weights: &[(ContractionId, C::Scalar)],
    p: &[C::Scalar],
) -> Result<OperandClaims<C::Scalar>, Check> {
    if weights.is_empty() {
        let total = ch.constant(Fr::zero());
        return Ok(OperandClaims { claims: Vec::new(), total });
    }
    let total = ch.read()?;
    let degree = degree(system);
    let all_roles: Vec<Roles> = weights.iter().map(|(id, _)| roles(system, system.contraction(*id))).collect();
    let rounds = all_roles.iter().map(|r| r.bits).max().unwrap_or(0);
    let mut sum = total.clone();
    let mut r = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let challenge;
        (sum, challenge) = super::sumcheck_round(ch, &sum, degree)?;
        r.push(challenge);
    }
    let late = super::late_factors(ch, &r);

    let mut expected = ch.constant(Fr::zero());
    let mut claims = Vec::new();
    for ((id, weight), roles) in weights.iter().zip(&all_roles) {
        let contraction = system.contraction(*id);
        let points = variable_points(contraction, roles, p, &r);
        let mut product = ch.mul(weight, &late[roles.bits]);
        let factor = public_factor(ch, contraction, roles, p, &points);
        product = ch.mul(&product, &factor);
        for operand in std::iter::once(&contraction.lhs).chain(&contraction.rhs) {
            let value = ch.read()?;
            product = ch.mul(&product, &value);
            let coef = ch.constant(Fr::one());
            let wires = operand_wires(system, operand, &points);
            claims.push((TensorClaim { tensor: operand.tensor, coef, wires }, value));
        }
        expected = ch.add(&expected, &product);
    }
    ch.assert_equal(&sum, &expected, Check::Contraction)?;
    Ok(OperandClaims { claims, total })
}

/// `eq(p_b, r_b)` over the batch variables times the masks at `r`.
fn public_factor<A: Arithmetic>(
    ar: &mut A,
    contraction: &Contraction,
    roles: &Roles,
    p: &[A::Scalar],
    points: &[Vec<A::Scalar>],
) -> A::Scalar {
    let outputs = axis_ranges(&contraction.vars[..contraction.outputs]);
    let mut factor = ar.constant(Fr::one());
    for &var in &roles.batch {
        let eq = mle::eq(ar, &p[outputs[var].clone()], &points[var]);
        factor = ar.mul(&factor, &eq);
    }
    for &var in &roles.masked {
        let mask = mle::less_than(ar, &points[var], contraction.vars[var]);
        factor = ar.mul(&factor, &mask);
    }
    factor
}
