//! Normalizations: what is centred, divided by the root of its mean square.
//!
//! LayerNormalization, InstanceNormalization, GroupNormalization and what models spell out differ in which elements a mean is over. The root is that of a wide sum of
//! squares, read by tables of several scales, so that groups of small variance keep their bits.

use ndarray::ArrayD;
use vouch_program::interval::{Interval, rescaled};
use vouch_program::{AffineTerm, AxisIndex, Func, NodeId, Op, View};

use super::build::{BITS, Lowering};
use super::elementwise::pointwise;
use super::linear::power_of_two;
use super::operands::Operands;
use super::pool::{Window, mean};
use super::reduce::Summed;
use super::spelled::Spelled;
use super::value::Value;
use super::wide::{Rising, by_scales};
use crate::error::ModelError;

/// Bits of the root behind those of what is divided by it.
const ROOT_BITS: i32 = 8;
/// The least root: half a step of what is divided by it, which is known no better than that.
const LEAST_ROOT: f64 = (1 << (ROOT_BITS - 1)) as f64;
/// Scale that quotients have where it fits.
const QUOTIENT_FRAC: i32 = 14;
/// Bits of the factor by which a sum becomes a mean, beside those of the sum's length.
const MEAN_BITS: u32 = 15;

pub(super) fn layer_normalization(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let x = low.value(operands.required(0)?)?;
    let rank = x.shape.len();
    let axis = operands.int("axis")?.unwrap_or(-1);
    let axis = operands.axis(axis, rank)?;
    // How the mean is computed in floats.
    operands.ignore("stash_type");
    let inner = x.shape[axis..].to_vec();
    let scale = broadcast(&operands, operands.constant(1)?, &inner, "operand 1")?;
    let bias = match operands.optional_constant(2)? {
        Some(bias) => broadcast(&operands, bias, &inner, "operand 2")?,
        None => vec![0.0; scale.len()],
    };
    let epsilon = epsilon(&mut operands)?;
    let wanted = |position: usize| {
        let name = operands.node().outputs.get(position).map(String::as_str);
        name.filter(|name| !name.is_empty() && low.graph.is_read(name))
    };
    let (tensor, mean, inverse) = (wanted(0), wanted(1), wanted(2));
    operands.finish()?;
    let axes: Vec<bool> = (0..rank).map(|a| a >= axis).collect();
    let shape = x.shape.clone();
    let Normalized { value, root, root_frac } = normalized(low, &x, &axes, epsilon)?;
    if let Some(tensor) = mean {
        mean_of(low, &x, &axes, tensor)?;
    }
    if let Some(tensor) = inverse {
        inverse_of(low, root, root_frac, tensor)?;
    }
    match tensor {
        Some(tensor) => pointwise(low, &value, scale, bias, (axis..rank).collect(), tensor, &shape),
        None => Ok(()),
    }
}

/// The mean along the axes, which stay.
fn mean_of(low: &mut Lowering, x: &Value, axes: &[bool], tensor: &str) -> Result<(), ModelError> {
    let x = low.addressed(x)?;
    let Summed { vars, view, inner, size } = Summed::new(low, &x, axes)?;
    let (lo, hi) = low.real_range(&x);
    let plan = low.plan(tensor, lo.abs().max(hi.abs()))?;
    mean(low, plan, &x, Window { vars, lhs: view, out: &inner, size }, &inner)
}

/// One divided by a root.
fn inverse_of(low: &mut Lowering, root: NodeId, root_frac: i32, tensor: &str) -> Result<(), ModelError> {
    let shape = low.program.node(root).shape.clone();
    let ones = low.push_weight(&vec![1.0; shape.iter().product()], &shape, QUOTIENT_FRAC)?;
    let least = low.interval(root).lo.max(1);
    let plan = low.plan(tensor, f64::from(root_frac).exp2() / least as f64)?;
    // A result of no more than 31 bits.
    let shift = (plan.frac + root_frac).min(29 - QUOTIENT_FRAC + least.ilog2() as i32).clamp(0, 24);
    let axes = (0..shape.len()).map(|axis| if shape[axis] == 1 { AxisIndex::fixed(0) } else { AxisIndex::var(axis) });
    let den = View { node: root, axes: axes.collect() };
    let frac = QUOTIENT_FRAC + shift - root_frac;
    let node = low.push(Op::Divide { num: ones, den, shift: shift as u32 }, &shape, frac)?;
    low.finish_scaled(plan, node, frac, &shape)
}

pub(super) fn instance_normalization(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let x = low.value(operands.required(0)?)?;
    let epsilon = epsilon(&mut operands)?;
    let channels = x.shape.get(1).copied().unwrap_or(0);
    grouped(low, operands, &x, channels, epsilon)
}

pub(super) fn group_normalization(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let x = low.value(operands.required(0)?)?;
    let epsilon = epsilon(&mut operands)?;
    operands.ignore("stash_type");
    let groups = operands.int("num_groups")?.and_then(|groups| usize::try_from(groups).ok());
    let channels = x.shape.get(1).copied().unwrap_or(0);
    let groups = groups.filter(|&groups| groups > 0 && channels % groups == 0);
    let groups = groups.ok_or_else(|| operands.refuse("num_groups", "does not divide the channels"))?;
    grouped(low, operands, &x, groups, epsilon)
}

/// Over each of so many groups of channels.
fn grouped(low: &mut Lowering, operands: Operands, x: &Value, groups: usize, epsilon: f64) -> Result<(), ModelError> {
    if x.shape.len() < 2 || groups == 0 {
        return Err(operands.refuse("operand 0", "needs a batch and a channel axis"));
    }
    let (batch, channels) = (x.shape[0], x.shape[1]);
    // One for each channel, or, in operator sets before 21, for each group.
    let factors = |position: usize| -> Result<Vec<f64>, ModelError> {
        let given: Vec<f64> = operands.constant(position)?.iter().map(|&x| f64::from(x)).collect();
        match given.len() {
            count if count == channels => Ok(given),
            count if count == groups => Ok((0..channels).map(|c| given[c / (channels / groups)]).collect()),
            _ => Err(operands.refuse(&format!("operand {position}"), "needs one value for each channel")),
        }
    };
    let (scale, bias) = (factors(1)?, factors(2)?);
    let tensor = operands.result()?;
    operands.finish()?;
    let shape = x.shape.clone();
    let members = shape.iter().product::<usize>() / (batch * groups);
    let normal = normalized(low, &x.reshaped(&[batch, groups, members]), &[false, false, true], epsilon)?.value;
    pointwise(low, &normal.reshaped(&shape), scale, bias, vec![1], tensor, &shape)
}

fn epsilon(operands: &mut Operands) -> Result<f64, ModelError> {
    match operands.float("epsilon")?.unwrap_or(1e-5) {
        epsilon if epsilon >= 0.0 && epsilon.is_finite() => Ok(epsilon),
        _ => Err(operands.refuse("epsilon", "is negative or infinite")),
    }
}

fn broadcast(operands: &Operands, factors: ArrayD<f32>, shape: &[usize], name: &str) -> Result<Vec<f64>, ModelError> {
    let whole = factors.broadcast(shape).ok_or_else(|| operands.refuse(name, "does not broadcast to the axes"))?;
    Ok(whole.iter().map(|&x| f64::from(x)).collect())
}

struct Normalized {
    value: Value,
    /// What was divided by, along the axes one place.
    root: NodeId,
    root_frac: i32,
}

/// `(x − mean)/√(mean of its square + epsilon)`, means over the axes.
fn normalized(low: &mut Lowering, x: &Value, axes: &[bool], epsilon: f64) -> Result<Normalized, ModelError> {
    let x = low.addressed(x)?;
    let (centred, frac) = centred(low, &x, axes)?;
    by_its_root(low, centred, frac, axes, epsilon)
}

/// A normalization that the model spells out, with the factors and the summands behind it.
pub(super) fn spelled(low: &mut Lowering, of: &Spelled) -> Result<(), ModelError> {
    let x = low.value(of.x)?;
    let shape = x.shape.clone();
    let value = if of.centred {
        normalized(low, &x, &of.axes, of.epsilon)?.value
    } else {
        let x = low.addressed(&x)?;
        let whole = low.materialised(&x)?;
        by_its_root(low, whole.view.node, x.frac, &of.axes, of.epsilon)?.value
    };
    // Factors are along the last axis, or for each channel.
    let mut axis = shape.len() - 1;
    let mut behind = low.absorb_channelwise(of.result, shape.len(), axis, shape[axis])?;
    if behind.tensor == of.result && shape.len() > 2 {
        axis = 1;
        behind = low.absorb_channelwise(of.result, shape.len(), axis, shape[axis])?;
    }
    pointwise(low, &value, behind.scale, behind.shift, vec![axis], &behind.tensor, &shape)
}

/// A stored tensor divided by `√(mean of its square + epsilon)`, means over the axes.
fn by_its_root(
    low: &mut Lowering,
    centred: NodeId,
    centred_frac: i32,
    axes: &[bool],
    epsilon: f64,
) -> Result<Normalized, ModelError> {
    let shape = low.program.node(centred).shape.clone();
    let squares = squares(low, centred, axes, centred_frac)?;
    let (root, root_frac) = root(low, squares, axes, &shape, centred_frac, epsilon)?;
    // As many bits as the quotient of the largest and the least leaves.
    let least = low.interval(root).lo.max(1).ilog2() as i32;
    let shift = (QUOTIENT_FRAC + root_frac - centred_frac).min(15 + least).clamp(0, 24);
    let den = View {
        node: root,
        axes: (0..shape.len())
            .map(|axis| if axes[axis] && shape[axis] > 1 { AxisIndex::fixed(0) } else { AxisIndex::var(axis) })
            .collect(),
    };
    let frac = centred_frac + shift - root_frac;
    let node = low.push(Op::Divide { num: centred, den, shift: shift as u32 }, &shape, frac)?;
    Ok(Normalized { value: Value::stored(node, &shape, frac), root, root_frac })
}

/// `x − mean`, and its scale, which is that of `x` or, where that could lack a bit, half as fine.
fn centred(low: &mut Lowering, x: &Value, axes: &[bool]) -> Result<(NodeId, i32), ModelError> {
    let shape = x.shape.clone();
    let Summed { vars, view, inner, size } = Summed::new(low, x, axes)?;
    let sum = low.push(Op::Contract { vars, lhs: view, rhs: None }, &inner, x.frac)?;
    let sum = low.push(Op::Store { input: sum }, &inner, x.frac)?;
    let bits = MEAN_BITS + size.next_power_of_two().trailing_zeros();
    let share = (power_of_two(bits as i32)? as f64 / size as f64).round() as i64;
    let index: Vec<AxisIndex> = (0..shape.len()).map(AxisIndex::var).collect();
    let own = low.view_at(x, &index)?;
    let of_sum = (0..shape.len()).map(|axis| if axes[axis] { AxisIndex::fixed(0) } else { AxisIndex::var(axis) });
    let mean = View { node: sum, axes: of_sum.collect() };
    let terms = vec![
        AffineTerm::Scaled { coef: power_of_two(bits as i32)?, view: own },
        AffineTerm::Scaled { coef: -share, view: mean },
    ];
    let acc = low.push(Op::Affine { terms }, &shape, x.frac + bits as i32)?;
    // No tensor of the graph says how far from its mean an element is: up to twice as far as from zero, which takes one bit more.
    let coarser = u32::from(!Interval::signed(BITS).covers(rescaled(low.interval(acc), bits)));
    let shift = bits + coarser;
    let saturate = !Interval::signed(BITS).covers(rescaled(low.interval(acc), shift));
    let apply = Op::Apply { input: acc, shift, func: Func::Identity, bits: BITS, saturate };
    let frac = x.frac - coarser as i32;
    Ok((low.push(apply, &shape, frac)?, frac))
}

/// The sums of squares, wide.
fn squares(low: &mut Lowering, centred: NodeId, axes: &[bool], frac: i32) -> Result<NodeId, ModelError> {
    let shape = low.program.node(centred).shape.clone();
    let value = Value::stored(centred, &shape, frac);
    let Summed { vars, view, inner, .. } = Summed::new(low, &value, axes)?;
    low.push(Op::Contract { vars, lhs: view.clone(), rhs: Some(view) }, &inner, 2 * frac)
}

/// `√(squares/size + epsilon)`, no less than [`LEAST_ROOT`], and its scale.
fn root(
    low: &mut Lowering,
    squares: NodeId,
    axes: &[bool],
    shape: &[usize],
    frac: i32,
    epsilon: f64,
) -> Result<(NodeId, i32), ModelError> {
    let size: usize = shape.iter().zip(axes).filter(|(_, reduced)| **reduced).map(|(len, _)| len).product();
    let root_frac = frac + ROOT_BITS;
    let (unit, scale) = (f64::from(-2 * frac).exp2() / size as f64, f64::from(root_frac).exp2());
    let of = |sum: f64| {
        ((sum.max(0.0) * unit + epsilon).sqrt() * scale).round().clamp(LEAST_ROOT, f64::from(i32::MAX)) as i32
    };
    let coarsest = (i64::BITS - low.interval(squares).hi.max(1).leading_zeros()).saturating_sub(BITS - 1);
    let name = format!("root over {size} + {epsilon} at 2^{} → 2^{}", -2 * frac, -root_frac);
    let node = by_scales(low, squares, coarsest, &Rising { name, of: &of, lowest: 1 }, root_frac)?;
    Ok((node, root_frac))
}
