//! Maxima and minima: of several tensors, along axes, over everything but batch and channels.

use vouch_program::interval::{Interval, rescaled};
use vouch_program::{AffineTerm, AxisIndex, Func, NodeId, Op};

use super::build::{BITS, Lowering};
use super::elementwise::{broadcast_index, check_rank};
use super::linear::power_of_two;
use super::operand::Operand;
use super::operands::Operands;
use super::pool::spatial_input;
use super::reduce::Reduction;
use super::value::Value;
use crate::calibrate::frac_for;
use crate::error::ModelError;

/// Which of several is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Largest,
    Least,
}

impl Which {
    /// The least is the largest of what is negated, negated.
    fn sign(self) -> i64 {
        if self == Self::Largest { 1 } else { -1 }
    }
}

pub(super) fn max(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    of_tensors(low, operands, Which::Largest)
}

pub(super) fn min(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    of_tensors(low, operands, Which::Least)
}

/// Element by element, with broadcasting. All are brought to the coarsest scale among them.
fn of_tensors(low: &mut Lowering, operands: Operands, which: Which) -> Result<(), ModelError> {
    let tensor = operands.result()?;
    let count = operands.node().inputs.len();
    let read = (0..count).map(|position| Operand::read(low, &operands, position)).collect::<Result<Vec<_>, _>>()?;
    let mut shape = Vec::new();
    for operand in &read {
        shape = check_rank(&operands, &shape, operand.shape())?;
    }
    operands.finish()?;
    // What is beyond all that the others can be is as good as their bound.
    let mut read = read;
    let bound = read.iter().fold(0.0f64, |bound, operand| match (operand, which) {
        (Operand::Constant(_), _) => bound,
        (Operand::Computed(value), Which::Largest) => bound.min(low.real_range(value).0),
        (Operand::Computed(value), Which::Least) => bound.max(low.real_range(value).1),
    });
    for array in read.iter_mut().filter_map(Operand::constant) {
        array.mapv_inplace(|x| if which == Which::Largest { x.max(bound as f32) } else { x.min(bound as f32) });
    }
    let fracs = read.iter().map(|operand| match operand {
        Operand::Constant(_) => frac_for(operand.largest(low)),
        Operand::Computed(value) => value.frac,
    });
    let frac = fracs.min().unwrap_or(0);
    let mut nodes = Vec::with_capacity(count);
    for operand in read {
        let term = match operand {
            Operand::Constant(array) => {
                let data: Vec<f64> = array.iter().map(|&x| which.sign() as f64 * f64::from(x)).collect();
                let (own, vars) = super::elementwise::without_units(array.shape(), shape.len());
                // Rounded as a tensor of this scale is.
                let step = f64::from(-frac).exp2();
                let data: Vec<f64> = data.iter().map(|x| (x / step).round() * step).collect();
                low.constant_term(&data, &own, &vars, frac)?
            }
            Operand::Computed(value) => {
                let value = at_frac(low, &value, frac)?;
                let value = low.addressed(&value)?;
                let view = low.view_at(&value, &broadcast_index(&value.shape, shape.len()))?;
                AffineTerm::Scaled { coef: which.sign(), view }
            }
        };
        nodes.push(low.push(Op::Affine { terms: vec![term] }, &shape, frac)?);
    }
    let node = tree(low, nodes, &shape, frac)?;
    define(low, Value::stored(node, &shape, frac), which, tensor, &shape)
}

/// The value at a scale that is no finer than its own.
fn at_frac(low: &mut Lowering, value: &Value, frac: i32) -> Result<Value, ModelError> {
    if value.frac == frac {
        return Ok(value.clone());
    }
    let input = low.node_of(value)?;
    let shift = u32::try_from(value.frac - frac).unwrap_or(0);
    let saturate = !Interval::signed(BITS).covers(rescaled(low.interval(input), shift));
    let node = low.push(Op::Apply { input, shift, func: Func::Identity, bits: BITS, saturate }, &value.inner, frac)?;
    Ok(Value::stored(node, &value.inner, frac).reshaped(&value.shape))
}

/// The maximum of nodes of one shape, pair by pair.
pub(super) fn tree(
    low: &mut Lowering,
    mut nodes: Vec<NodeId>,
    shape: &[usize],
    frac: i32,
) -> Result<NodeId, ModelError> {
    while nodes.len() > 1 {
        let mut next = Vec::with_capacity(nodes.len().div_ceil(2));
        for pair in nodes.chunks(2) {
            next.push(match *pair {
                [lhs, rhs] => low.push(Op::Max { lhs, rhs }, shape, frac)?,
                _ => pair[0],
            });
        }
        nodes = next;
    }
    match nodes[..] {
        // A single one: the view still needs a place of its own.
        [only] if !low.program.node(only).op.is_stored() => low.push(Op::Store { input: only }, shape, frac),
        [only] => Ok(only),
        _ => Err(ModelError::invalid("a maximum of nothing")),
    }
}

/// The negative, with a place of its own.
fn negated(low: &mut Lowering, value: &Value) -> Result<Value, ModelError> {
    let terms = vec![AffineTerm::Scaled { coef: -power_of_two(0)?, view: value.view.clone() }];
    let input = low.push(Op::Affine { terms }, &value.inner, value.frac)?;
    let node = low.push(Op::Store { input }, &value.inner, value.frac)?;
    Ok(Value::stored(node, &value.inner, value.frac).reshaped(&value.shape))
}

/// Defines what the largest of negated values, or of the values themselves, stands for.
fn define(low: &mut Lowering, value: Value, which: Which, tensor: &str, shape: &[usize]) -> Result<(), ModelError> {
    let value = if which == Which::Least { negated(low, &value)? } else { value };
    low.define_computed(tensor, value.reshaped(shape));
    Ok(())
}

pub(super) fn reduce_max(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    reduced(low, operands, Which::Largest)
}

pub(super) fn reduce_min(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    reduced(low, operands, Which::Least)
}

fn reduced(low: &mut Lowering, operands: Operands, which: Which) -> Result<(), ModelError> {
    let reduction = Reduction::read(low, operands)?;
    let mut x = low.addressed(&reduction.x)?;
    if which == Which::Least {
        x = negated(low, &x)?;
    }
    for axis in (0..x.shape.len()).filter(|&axis| reduction.axes[axis]).rev() {
        x = along(low, x, axis)?;
    }
    define(low, x, which, reduction.tensor, &reduction.shape)
}

pub(super) fn global_max_pool(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    let x = spatial_input(low, &operands)?;
    let tensor = operands.result()?;
    operands.finish()?;
    let mut x = low.addressed(&x)?;
    for axis in (2..x.shape.len()).rev() {
        x = along(low, x, axis)?;
    }
    low.define_computed(tensor, x);
    Ok(())
}

/// The maximum along an axis, which keeps one place.
pub(super) fn along(low: &mut Lowering, mut x: Value, axis: usize) -> Result<Value, ModelError> {
    while x.shape[axis] > 1 {
        // The two halves, overlapping in the middle if the length is odd: a maximum may count a cell twice.
        let len = x.shape[axis];
        let mut shape = x.shape.clone();
        shape[axis] = len.div_ceil(2);
        let mut half = |start: usize| {
            let mut index: Vec<AxisIndex> = (0..shape.len()).map(AxisIndex::var).collect();
            index[axis] = AxisIndex::strided(axis, 1, start as i64);
            let view = low.view_at(&x, &index)?;
            low.push(Op::Affine { terms: vec![AffineTerm::Scaled { coef: 1, view }] }, &shape, x.frac)
        };
        let (lhs, rhs) = (half(0)?, half(len - len.div_ceil(2))?);
        let node = low.push(Op::Max { lhs, rhs }, &shape, x.frac)?;
        x = Value::stored(node, &shape, x.frac);
    }
    Ok(x)
}
