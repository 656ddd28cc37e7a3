//! Contractions: one batched sumcheck for all sums of products.
//!
//! A contraction's result at a point `p` is `Σ_s eq(p_b, s_b)·mask(s)·lhs(p_o, s)·rhs(p_o, s)`, where `s` runs over the *bound* variables: those
//! summed over, and the batch variables `b`, outputs that both operands read. Other outputs `o` are simply set to their part of `p`.
//! `mask` restricts a summed variable to its true length where no operand's own bounds do.
//!
//! All contractions, weighted, form one sumcheck (degree 3 at most, lowest variable first). One with fewer bound variables than the longest
//! is extended by zero: it is multiplied by `Π (1 - r_t)` over the rounds that it does not have. Its bound variables fixed, contraction `i`
//! is `c_i·lhs_i·rhs_i` with `c_i` known to the verifier, and the sum over `i` is a sumcheck of as few more rounds as their number has
//! bits. It ends in two claims, on `Σ eq(ζ, i)·c_i·lhs_i` and `Σ eq(ζ, i)·rhs_i`, so that the messages hardly grow with the model's depth.

use std::collections::BTreeMap;

use ark_bn254::Fr;
use ark_ff::{One, Zero};

use super::claims::{Point, Span, TensorClaim, operand_wires};
use super::sumcheck;
use crate::backend::{Arithmetic, Channel, Check};
use crate::ir::*;
use crate::layout::log2_ceil;
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

/// For each variable of a contraction where its coordinates are.
pub fn variable_spans(contraction: &Contraction, roles: &Roles) -> Vec<Span> {
    // All variables are outputs or bound.
    let mut spans = vec![Span::new(Point::Leaves, 0..0); contraction.vars.len()];
    for (var, range) in axis_ranges(&contraction.vars[..contraction.outputs]).into_iter().enumerate() {
        spans[var] = Span::new(Point::Leaves, range);
    }
    let lens: Vec<usize> = roles.bound.iter().map(|&v| contraction.vars[v]).collect();
    for (&var, range) in roles.bound.iter().zip(axis_ranges(&lens)) {
        spans[var] = Span::new(Point::Bound, range);
    }
    spans
}

/// Degree of the round polynomials over the contractions' numbers: `(c·lhs)·rhs`.
pub const NUMBER_DEGREE: usize = 2;

/// The contractions' first or second factors.
pub struct Side<S> {
    /// Functionals of the operands.
    pub claims: Vec<TensorClaim<S>>,
    /// The value that they have together.
    pub value: S,
}

/// What the contractions reduce to.
pub struct OperandClaims<S> {
    /// The contractions' combined weighted value, as the prover sent it.
    pub total: S,
    /// The sumcheck's point over bound variables.
    pub bound: Vec<S>,
    /// First and second factors.
    pub sides: [Side<S>; 2],
}

impl<S> OperandClaims<S> {
    /// Of no contractions.
    pub fn none<A: Arithmetic<Scalar = S>>(ar: &mut A) -> Self {
        let sides = [(); 2].map(|()| Side { claims: Vec::new(), value: ar.constant(Fr::zero()) });
        Self { total: ar.constant(Fr::zero()), bound: Vec::new(), sides }
    }
}

/// The verifier's half, for the contractions with their `weights`, all claimed at first coordinates of `p`.
pub fn verify<C: Channel>(
    ch: &mut C,
    system: &ConstraintSystem,
    weights: &[(ContractionId, C::Scalar)],
    p: &[C::Scalar],
) -> Result<OperandClaims<C::Scalar>, Check> {
    if weights.is_empty() {
        return Ok(OperandClaims::none(ch));
    }
    let total = ch.read()?;
    let degree = degree(system);
    let all_roles: Vec<Roles> = weights.iter().map(|(id, _)| roles(system, system.contraction(*id))).collect();
    let rounds = all_roles.iter().map(|r| r.bits).max().unwrap_or(0);
    let (sum, bound) = sumcheck::rounds(ch, &total, degree, rounds)?;
    let (sum, zeta) = sumcheck::rounds(ch, &sum, NUMBER_DEGREE, log2_ceil(weights.len()))?;
    let [lhs, rhs] = [ch.read()?, ch.read()?];

    let factors = known_factors(ch, system, weights, &all_roles, p, &bound);
    let one = ch.constant(Fr::one());
    let numbers = mle::eq_weights(ch, &zeta, &one, weights.len());
    let expected = ch.mul(&lhs, &rhs);
    ch.assert_equal(&sum, &expected, Check::Contraction)?;
    let sides = operand_claims(ch, system, weights, &all_roles, (&numbers, &factors), [lhs, rhs]);
    Ok(OperandClaims { total, bound, sides })
}

/// The factor that each contraction has beside its operands once its bound variables are fixed: its weight, `Π (1 - r_t)` over the
/// rounds that it does not have, `eq(p_b, r_b)` and the masks at `r`.
pub fn known_factors<A: Arithmetic>(
    ar: &mut A,
    system: &ConstraintSystem,
    weights: &[(ContractionId, A::Scalar)],
    all_roles: &[Roles],
    p: &[A::Scalar],
    bound: &[A::Scalar],
) -> Vec<A::Scalar> {
    let late = sumcheck::late_factors(ar, bound);
    // Contractions of one shape share all but their weight.
    let mut known: BTreeMap<Shape, A::Scalar> = BTreeMap::new();
    let mut factors = Vec::with_capacity(weights.len());
    for ((id, weight), roles) in weights.iter().zip(all_roles) {
        let contraction = system.contraction(*id);
        let spans = variable_spans(contraction, roles);
        let outputs = axis_ranges(&contraction.vars[..contraction.outputs]);
        let shape = Shape {
            bits: roles.bits,
            batch: roles.batch.iter().map(|&v| (outputs[v].start, spans[v].clone())).collect(),
            masked: roles.masked.iter().map(|&v| (spans[v].clone(), contraction.vars[v])).collect(),
        };
        let shared = known.entry(shape).or_insert_with_key(|shape| {
            let mut factor = late[shape.bits].clone();
            for (start, span) in &shape.batch {
                let own = &bound[span.start..span.end];
                let eq = mle::eq(ar, &p[*start..*start + own.len()], own);
                factor = ar.mul(&factor, &eq);
            }
            for (span, len) in &shape.masked {
                let mask = mle::less_than(ar, &bound[span.start..span.end], *len);
                factor = ar.mul(&factor, &mask);
            }
            factor
        });
        factors.push(ar.mul(weight, shared));
    }
    factors
}

/// What determines a contraction's known factor but for its weight.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    bits: usize,
    /// First coordinate of `p`, and the coordinates of the bound point, of each batch variable.
    batch: Vec<(usize, Span)>,
    masked: Vec<(Span, usize)>,
}

/// The operands' functionals, each side's combined with the contractions' numbers, `eq(ζ, i)`, and the first side's with their known factors
/// too; a missing operand is 1 and needs none.
pub fn operand_claims<A: Arithmetic>(
    ar: &mut A,
    system: &ConstraintSystem,
    weights: &[(ContractionId, A::Scalar)],
    all_roles: &[Roles],
    (numbers, factors): (&[A::Scalar], &[A::Scalar]),
    [lhs, mut rhs]: [A::Scalar; 2],
) -> [Side<A::Scalar>; 2] {
    let [mut first, mut second] = [Vec::new(), Vec::new()];
    for (((id, _), roles), (number, factor)) in weights.iter().zip(all_roles).zip(numbers.iter().zip(factors)) {
        let contraction = system.contraction(*id);
        let spans = variable_spans(contraction, roles);
        let claim = |operand: &Operand, coef| {
            let wires = operand_wires(system, operand, &spans);
            TensorClaim { tensor: operand.tensor, coef, wires }
        };
        first.push(claim(&contraction.lhs, ar.mul(number, factor)));
        match &contraction.rhs {
            Some(operand) => second.push(claim(operand, number.clone())),
            None => rhs = ar.sub(&rhs, number),
        }
    }
    [Side { claims: first, value: lhs }, Side { claims: second, value: rhs }]
}
