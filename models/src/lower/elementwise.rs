//! Operators that act on each element by itself, with broadcasting.

use ndarray::ArrayD;
use vouch_program::interval::Interval;
use vouch_program::{AffineTerm, AxisIndex, Func, NodeId, Op, View};

use super::activation::Activation;
use super::build::{BITS, Lowering};
use super::linear::{Factors, Linear, power_of_two};
use super::mask::Masking;
use super::matmul::broadcast_shape;
use super::operand::Operand;
use super::operands::Operands;
use super::rescale::Deferred;
use super::value::Value;
use crate::calibrate::frac_for;
use crate::error::ModelError;

/// Bits to which a number that scales a tensor is rounded at least.
const FACTOR_BITS: i32 = 12;

/// A summand.
enum Summand {
    Operand(Operand),
    /// The accumulator of a linear operator, of the sum's own shape.
    Accumulator(Deferred),
}

/// An activation that no operator before it took in.
pub(super) fn activation(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    let node = operands.node();
    let activation =
        Activation::of(low.graph, node)?.ok_or_else(|| operands.refuse("operator", "is not an activation"))?;
    let value = low.value(operands.required(0)?)?;
    let tensor = operands.result()?;
    if activation.is_square() && low.root_ahead(tensor, &value.shape)?.is_some() {
        let (x, shape) = (low.addressed(&value)?, value.shape.clone());
        let view = low.view_at(&x, &broadcast_index(&shape, shape.len()))?;
        return low.bilinear((&x, view.clone()), (&x, view), &shape, shape.clone(), tensor, &shape);
    }
    low.activate(&value, activation, tensor)
}

/// The position of each result axis in an operand of `shape`, aligned at the end.
pub(super) fn broadcast_index(shape: &[usize], rank: usize) -> Vec<AxisIndex> {
    let missing = rank - shape.len();
    let axes = shape.iter().enumerate();
    axes.map(|(axis, &len)| if len == 1 { AxisIndex::fixed(0) } else { AxisIndex::var(axis + missing) }).collect()
}

pub(super) fn check_rank(operands: &Operands, a: &[usize], b: &[usize]) -> Result<Vec<usize>, ModelError> {
    broadcast_shape(a, b).ok_or_else(|| operands.refuse("operand 1", "the shapes do not broadcast"))
}

pub(super) fn add(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    sum(low, operands, &[1, 1])
}

pub(super) fn sub(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    sum(low, operands, &[1, -1])
}

/// Of any number of operands.
pub(super) fn sum_of_all(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    let signs = vec![1; operands.node().inputs.len()];
    sum(low, operands, &signs)
}

/// `Σ sign·operand`.
fn sum(low: &mut Lowering, mut operands: Operands, signs: &[i64]) -> Result<(), ModelError> {
    refuse_old_broadcast(&mut operands)?;
    let tensor = operands.result()?;
    let mut summands = Vec::with_capacity(signs.len());
    let mut shape = Vec::new();
    for (position, &sign) in signs.iter().enumerate() {
        let name = operands.required(position)?;
        shape = check_rank(&operands, &shape, &operands.shape(name)?)?;
        summands.push(match low.take_deferred(name) {
            Some(deferred) => (Summand::Accumulator(deferred), sign),
            None => (Summand::Operand(Operand::read(low, &operands, position)?), sign),
        });
    }
    let given = summands.iter_mut().filter_map(|(summand, sign)| match summand {
        Summand::Operand(operand) if *sign > 0 => Some(operand),
        _ => None,
    });
    let given = &mut given.collect::<Vec<_>>()[..];
    if given.len() == signs.len() {
        let named = operands.node().inputs.iter().zip(given.iter());
        let sizes: Vec<_> = named.map(|(name, operand)| (name.clone(), operand.largest(low))).collect();
        low.masked_sum(tensor, &sizes);
        low.raise_masks(&operands, Masking::Added, given)?;
    }
    operands.finish()?;

    let mut worst = 0.0;
    let mut finest = i32::MIN;
    // The finest accumulator, and the finest scale that one was made for.
    let mut accumulated: Option<(i32, i32)> = None;
    let mut whole = true;
    for (summand, _) in &summands {
        worst += match summand {
            Summand::Operand(operand) => {
                match operand {
                    Operand::Computed(value) => finest = finest.max(value.frac),
                    Operand::Constant(array) => whole &= array.iter().all(|x| x.fract() == 0.0),
                }
                operand.largest(low)
            }
            Summand::Accumulator(deferred) => {
                let (frac, sum_frac) = accumulated.unwrap_or((deferred.frac, deferred.sum_frac));
                accumulated = Some((frac.max(deferred.frac), sum_frac.max(deferred.sum_frac)));
                deferred.worst
            }
        };
    }
    let mut plan = low.plan(tensor, worst)?;
    let frac = if let Some((frac, sum_frac)) = accumulated {
        plan.frac = plan.frac.max(sum_frac);
        plan.told = Some(frac);
        low.usual_frac(&plan).max(finest).max(frac)
    } else if finest == plan.frac || (finest == 0 && plan.frac > 0 && whole) {
        plan.frac = finest;
        // Exact where the result is as fine as its operands, or all are integers; else a rescale like all others.
        finest
    } else {
        low.usual_frac(&plan).max(finest)
    };
    let mut terms = Vec::new();
    for (summand, sign) in summands {
        match summand {
            Summand::Accumulator(deferred) => {
                let coef = sign * power_of_two(frac - deferred.frac)?;
                terms.push(low.scaled_identity(deferred.node, coef));
            }
            Summand::Operand(Operand::Computed(value)) => {
                let value = low.addressed(&value)?;
                let view = low.view_at(&value, &broadcast_index(&value.shape, shape.len()))?;
                terms.push(AffineTerm::Scaled { coef: sign * power_of_two(frac - value.frac)?, view });
            }
            Summand::Operand(Operand::Constant(array)) => {
                let data: Vec<f64> = array.iter().map(|&x| sign as f64 * f64::from(x)).collect();
                let (own, vars) = without_units(array.shape(), shape.len());
                terms.push(low.constant_term(&data, &own, &vars, frac)?);
            }
        }
    }
    let acc = low.push(Op::Affine { terms }, &shape, frac)?;
    low.finish(plan, acc, frac, &shape)
}

/// Operator sets before 7 broadcast in their own way.
fn refuse_old_broadcast(operands: &mut Operands) -> Result<(), ModelError> {
    match operands.int("axis")? {
        Some(_) => Err(operands.refuse("axis", "the broadcasting of operator sets before 7 is not supported")),
        None => {
            operands.ignore("broadcast");
            Ok(())
        }
    }
}

/// A constant's shape without axes of length 1, and the result variables of what is left.
pub(super) fn without_units(shape: &[usize], rank: usize) -> (Vec<usize>, Vec<usize>) {
    let missing = rank - shape.len();
    shape.iter().enumerate().filter(|&(_, &len)| len > 1).map(|(axis, &len)| (len, axis + missing)).unzip()
}

pub(super) fn mul(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    refuse_old_broadcast(&mut operands)?;
    let tensor = operands.result()?;
    let (a, b) = (Operand::read(low, &operands, 0)?, Operand::read(low, &operands, 1)?);
    let shape = check_rank(&operands, a.shape(), b.shape())?;
    operands.finish()?;
    match (a, b) {
        (Operand::Computed(a), Operand::Computed(b)) => {
            let (a, b) = (low.addressed(&a)?, low.addressed(&b)?);
            let a_view = low.view_at(&a, &broadcast_index(&a.shape, shape.len()))?;
            let b_view = low.view_at(&b, &broadcast_index(&b.shape, shape.len()))?;
            low.bilinear((&a, a_view), (&b, b_view), &shape, shape.clone(), tensor, &shape)
        }
        (Operand::Computed(x), Operand::Constant(mut factor))
        | (Operand::Constant(mut factor), Operand::Computed(x)) => {
            if x.frac <= 0 {
                // Of integers only zero is not masked.
                low.nearer(tensor, &mut [&mut factor], &[]);
            }
            scaled(low, &x, &factor.mapv(f64::from), tensor, &shape)
        }
        _ => Err(ModelError::invalid(format!("tensor \"{tensor}\" is constant but was not folded"))),
    }
}

pub(super) fn neg(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    let x = low.value(operands.required(0)?)?;
    let tensor = operands.result()?;
    operands.finish()?;
    scalar(low, &x, -1.0, tensor)
}

/// `slope·x + (1 − slope)·max(x, 0)`.
pub(super) fn parametric_relu(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    let x = low.value(operands.required(0)?)?;
    let slope = operands.constant(1)?;
    let tensor = operands.result()?;
    let shape = x.shape.clone();
    if check_rank(&operands, &shape, slope.shape())? != shape {
        return Err(operands.refuse("operand 1", "does not broadcast to the shape of operand 0"));
    }
    operands.finish()?;
    let x = low.addressed(&x)?;
    let input = low.node_of(&x)?;
    let relu = Op::Apply { input, shift: 0, func: Func::Relu, bits: BITS, saturate: false };
    let relu = low.push(relu, &shape, x.frac)?;
    let positive = Value::stored(relu, &shape, x.frac);
    let (own, vars) = without_units(slope.shape(), shape.len());
    let slopes: Vec<f64> = slope.iter().map(|&s| f64::from(s)).collect();
    let steepest = slopes.iter().fold(1.0f64, |m, s| m.max(s.abs()));
    let (lo, hi) = low.real_range(&x);
    let plan = low.plan(tensor, steepest * lo.abs().max(hi.abs()))?;
    let bits = (low.usual_frac(&plan) - x.frac).clamp(FACTOR_BITS, 24);
    let others: Vec<f64> = slopes.iter().map(|s| 1.0 - s).collect();
    let mut terms = Vec::new();
    for (value, factors) in [(&x, &slopes), (&positive, &others)] {
        let lhs = low.view_at(value, &broadcast_index(&shape, shape.len()))?;
        let weight = low.push_weight(factors, &own, bits)?;
        let rhs = Some(View::of_vars(weight, &vars));
        let product = low.push(Op::Contract { vars: shape.clone(), lhs, rhs }, &shape, x.frac + bits)?;
        terms.push(low.scaled_identity(product, 1));
    }
    let acc = low.push(Op::Affine { terms }, &shape, x.frac + bits)?;
    low.finish_scaled(plan, acc, x.frac + bits, &shape)
}

pub(super) fn div(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    refuse_old_broadcast(&mut operands)?;
    let tensor = operands.result()?;
    let (x, divisor) = (Operand::read(low, &operands, 0)?, Operand::read(low, &operands, 1)?);
    let shape = check_rank(&operands, x.shape(), divisor.shape())?;
    if let (true, Operand::Computed(x), Some(divisor)) = (low.graph.is_integer(tensor), &x, operands.number(1)) {
        if divisor == 0.0 {
            return Err(operands.refuse("operand 1", "is zero"));
        }
        operands.finish()?;
        return whole_quotient(low, x, divisor, tensor, &shape);
    }
    operands.refuse_integers(tensor)?;
    match (x, divisor) {
        (Operand::Computed(x), Operand::Constant(divisor)) => {
            if divisor.iter().any(|&d| d == 0.0) {
                return Err(operands.refuse("operand 1", "is zero somewhere"));
            }
            operands.finish()?;
            scaled(low, &x, &divisor.mapv(|d| 1.0 / f64::from(d)), tensor, &shape)
        }
        (x, Operand::Computed(divisor)) => {
            if low.interval(divisor.view.node).lo < 0 {
                let reason = "may be negative; a divisor that is computed must be shown to be positive, such as a root, an absolute value or an exponential";
                return Err(operands.refuse("operand 1", reason));
            }
            operands.finish()?;
            quotient(low, x, &divisor, tensor, &shape)
        }
        _ => Err(ModelError::invalid(format!("tensor \"{tensor}\" is constant but was not folded"))),
    }
}

/// The quotient of integers, cut off towards zero.
fn whole_quotient(
    low: &mut Lowering,
    x: &Value,
    divisor: f64,
    tensor: &str,
    shape: &[usize],
) -> Result<(), ModelError> {
    let x = low.integers(x)?;
    // What is clamped would have another quotient.
    if !Interval::signed(BITS).covers(low.interval(x.view.node)) {
        return Err(ModelError::invalid(format!("node {}: what it divides may be beyond {BITS} bits", low.source)));
    }
    let half = 1i64 << (BITS - 1);
    let values = (-half..half).map(|x| (x as f64 / divisor).trunc() as i32).collect();
    let func = low.table_of_integers(format!("whole quotient by {divisor}"), values);
    let apply = Op::Apply { input: x.view.node, shift: 0, func, bits: BITS, saturate: false };
    let node = low.push(apply, &x.shape, 0)?;
    low.define_computed(tensor, Value::stored(node, &x.shape, 0).reshaped(shape));
    Ok(())
}

/// Most bits of a quotient before it is rescaled.
const QUOTIENT_BITS: i32 = 30;
/// Bits of a quotient behind those of the result.
const GUARD_BITS: i32 = 4;

/// `x / divisor`, the divisor not negative; one that is zero counts as the least that is not.
fn quotient(low: &mut Lowering, x: Operand, divisor: &Value, tensor: &str, shape: &[usize]) -> Result<(), ModelError> {
    let missing = vec![1; shape.len() - divisor.shape.len()];
    let divisor = divisor.reshaped(&[missing, divisor.shape.clone()].concat());
    let divisor = low.addressed(&divisor)?;
    let (own, frac) = (divisor.shape.clone(), divisor.frac);
    let mut den = low.node_of(&divisor)?;
    if low.interval(den).lo < 1 {
        let one = low.push(Op::Affine { terms: vec![low.whole(1)] }, &own, frac)?;
        den = low.push(Op::Max { lhs: den, rhs: one }, &own, frac)?;
    } else if !low.program.node(den).op.is_stored() {
        den = low.push(Op::Store { input: den }, &own, frac)?;
    }
    let (num, num_frac) = dividend(low, x, shape)?;
    let bits = low.interval(num).bits() as i32;
    let least = low.interval(den).lo.max(1);
    let worst = f64::from(1 << (bits - 1).min(30)) / least as f64 * f64::from(frac - num_frac).exp2();
    let plan = low.plan(tensor, worst)?;
    let shift = (plan.frac + GUARD_BITS + frac - num_frac).min(QUOTIENT_BITS - bits + least.ilog2() as i32);
    let shift = shift.clamp(0, 24);
    let axes = own.iter().zip(shape).enumerate();
    let axes = axes.map(|(a, (&own, &len))| if own == len { AxisIndex::var(a) } else { AxisIndex::fixed(0) });
    let den = View { node: den, axes: axes.collect() };
    let result = num_frac + shift - frac;
    let node = low.push(Op::Divide { num, den, shift: shift as u32 }, shape, result)?;
    low.finish_scaled(plan, node, result, shape)
}

/// A stored tensor of the whole shape, and its scale.
fn dividend(low: &mut Lowering, x: Operand, shape: &[usize]) -> Result<(NodeId, i32), ModelError> {
    match x {
        Operand::Computed(x) => {
            let x = low.addressed(&x)?;
            let view = low.view_at(&x, &broadcast_index(&x.shape, shape.len()))?;
            let whole = Value { shape: shape.to_vec(), inner: shape.to_vec(), view, frac: x.frac };
            Ok((low.materialised(&whole)?.view.node, x.frac))
        }
        Operand::Constant(array) => {
            let largest = array.iter().fold(0.0f64, |m, &x| m.max(f64::from(x).abs()));
            let frac = frac_for(largest);
            let whole = array.broadcast(shape).map(|view| view.iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
            let whole = whole.ok_or_else(|| ModelError::invalid("a dividend that does not broadcast"))?;
            Ok((low.push_weight(&whole, shape, frac)?, frac))
        }
    }
}

/// `factor · x`, the factor broadcasting.
fn scaled(
    low: &mut Lowering,
    x: &Value,
    factor: &ArrayD<f64>,
    tensor: &str,
    shape: &[usize],
) -> Result<(), ModelError> {
    let (own, vars) = without_units(factor.shape(), shape.len());
    debug_assert!(own.iter().zip(&vars).all(|(&len, &v)| shape[v] == len));
    if let (1, Some(&factor)) = (factor.len(), factor.first())
        && x.shape == shape
    {
        return scalar(low, x, factor, tensor);
    }
    let mut weights: Vec<f64> = factor.iter().copied().collect();
    let (&[axis], &[channels]) = (&vars[..], &own[..]) else {
        return pointwise(low, x, weights, vec![], vars, tensor, shape);
    };
    let behind = low.absorb_channelwise(tensor, shape.len(), axis, channels)?;
    weights.iter_mut().zip(&behind.scale).for_each(|(weight, scale)| *weight *= scale);
    pointwise(low, x, weights, behind.shift, vars, &behind.tensor, shape)
}

/// `factor · x` for one number.
fn scalar(low: &mut Lowering, x: &Value, factor: f64, tensor: &str) -> Result<(), ModelError> {
    let (lo, hi) = low.real_range(x);
    let plan = low.plan(tensor, factor.abs() * lo.abs().max(hi.abs()))?;
    let finest = if factor == 0.0 { 0 } else { FACTOR_BITS - factor.abs().log2().floor() as i32 };
    let bits = (low.usual_frac(&plan) - x.frac).max(finest.min(30));
    let coef = (factor * f64::from(bits).exp2()).round() as i64;
    // The reshape, if one is pending, stays so.
    let terms = vec![AffineTerm::Scaled { coef, view: x.view.clone() }];
    let acc = low.push(Op::Affine { terms }, &x.inner, x.frac + bits)?;
    let shape = x.shape.clone();
    low.finish_scaled(plan, acc, x.frac + bits, &shape)
}

/// `weights · x + bias` element by element, both over the result axes `vars`.
pub(super) fn pointwise(
    low: &mut Lowering,
    x: &Value,
    weights: Vec<f64>,
    bias: Vec<f64>,
    vars: Vec<usize>,
    tensor: &str,
    shape: &[usize],
) -> Result<(), ModelError> {
    let x = low.addressed(x)?;
    let x_view = low.view_at(&x, &broadcast_index(&x.shape, shape.len()))?;
    let linear = Linear {
        out: shape.to_vec(),
        vars: shape.to_vec(),
        x: &x,
        x_view,
        weights,
        weight_vars: vars.clone(),
        bias,
        bias_vars: vars,
    };
    low.linear(linear, tensor, shape)
}

/// A batch normalization with no linear operator before it to fold it into.
pub(super) fn batch_normalization(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    let x = low.value(operands.required(0)?)?;
    let tensor = operands.result()?;
    let Some(&channels) = x.shape.get(1) else {
        return Err(operands.refuse("operand 0", "needs a channel axis"));
    };
    let (scale, shift) = batch_norm_factors(operands, channels)?;
    let shape = x.shape.clone();
    pointwise(low, &x, scale, shift, vec![1], tensor, &shape)
}

/// Scale and shift that a batch normalization applies to each channel.
pub(super) fn batch_norm_factors(mut operands: Operands, channels: usize) -> Result<Factors, ModelError> {
    let epsilon = operands.float("epsilon")?.unwrap_or(1e-5);
    if operands.int("training_mode")?.unwrap_or(0) != 0 {
        return Err(operands.refuse("training_mode", "only inference is supported"));
    }
    if operands.int("spatial")?.unwrap_or(1) != 1 {
        return Err(operands.refuse("spatial", "only one factor for each channel is supported"));
    }
    operands.ignore("momentum");
    operands.ignore("is_test");
    operands.result()?;
    let mut parts = Vec::new();
    for position in 1..5 {
        let part = operands.constant(position)?;
        if part.len() != channels {
            return Err(operands.refuse(&format!("operand {position}"), "needs one value for each channel"));
        }
        parts.push(part.iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
    }
    if parts[3].iter().any(|&variance| variance + epsilon <= 0.0) {
        return Err(operands.refuse("operand 4", "a variance is not positive"));
    }
    operands.finish()?;
    let scale: Vec<f64> = (0..channels).map(|c| parts[0][c] / (parts[3][c] + epsilon).sqrt()).collect();
    let shift = (0..channels).map(|c| parts[1][c] - parts[2][c] * scale[c]).collect();
    Ok((scale, shift))
}
