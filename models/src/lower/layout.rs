//! Operators that only move data: most of them cost nothing, since views do the moving.

use tract_onnx::pb::tensor_proto::DataType;
use vouch_program::interval::Interval;
use vouch_program::{AffineTerm, AxisIndex, Op};

use super::build::{BITS, Lowering};
use super::linear::power_of_two;
use super::operand::Operand;
use super::operands::Operands;
use super::select;
use super::value::Value;
use crate::error::ModelError;

pub(super) fn identity(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    let value = low.value(operands.required(0)?)?;
    low.define(operands.result()?, value);
    operands.finish()
}

pub(super) fn dropout(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    if operands.optional_scalar(2)?.unwrap_or(0.0) != 0.0 {
        return Err(operands.refuse("training_mode", "only inference is supported"));
    }
    operands.ignore("ratio");
    operands.ignore("seed");
    operands.ignore("is_test");
    identity(low, operands)
}

/// To floats, to integers, and of anything to whether it is not zero.
pub(super) fn cast(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let value = low.value(operands.required(0)?)?;
    let to = operands.int("to")?.and_then(|to| i32::try_from(to).ok());
    let to = to.and_then(|to| DataType::try_from(to).ok());
    operands.ignore("saturate");
    let is_float = matches!(to, Some(DataType::Float | DataType::Double | DataType::Float16 | DataType::Bfloat16));
    let is_truth = Interval::new(0, 1).covers(low.interval(value.view.node));
    let is_whole = value.frac <= 0 || low.graph.is_integer(operands.required(0)?);
    let stays = match to {
        Some(DataType::Bool) if value.frac == 0 && is_truth => true,
        Some(DataType::Bool) => return select::not_zero(low, operands),
        Some(DataType::Int32 | DataType::Int64) if !is_whole => return cut_off(low, operands),
        Some(DataType::Int32 | DataType::Int64) => true,
        _ => is_float,
    };
    if !stays {
        return Err(operands.refuse("to", "integers of other than 32 or 64 bits are not supported"));
    }
    identity(low, operands)
}

/// To the type of another operand, if that is floats, or integers where integers are given.
pub(super) fn cast_like(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    operands.ignore("saturate");
    let (from, to) = (operands.required(0)?, operands.result()?);
    if low.graph.is_text(to) {
        return Err(operands.refuse("operand 1", "holds texts, which are not supported"));
    }
    if low.graph.is_truth(to) && !low.graph.is_truth(from) {
        return select::not_zero(low, operands);
    }
    if low.graph.is_integer(to) && !low.graph.is_integer(from) {
        return cut_off(low, operands);
    }
    identity(low, operands)
}

/// To integers, towards zero.
fn cut_off(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    let value = low.value(operands.required(0)?)?;
    let tensor = operands.result()?;
    operands.finish()?;
    let input = low.node_of(&value)?;
    let half = 1i64 << (BITS - 1);
    let step = f64::from(-value.frac).exp2();
    // What is one unit below an integer is that integer: rounding, or the end of the range, may have taken it there.
    let values = (-half..half).map(|q| ((q + q.signum()) as f64 * step).trunc() as i32).collect();
    let func = low.table_of_integers(format!("cut off 2^{}", -value.frac), values);
    let saturate = !Interval::signed(BITS).covers(low.interval(input));
    let node = low.push(Op::Apply { input, shift: 0, func, bits: BITS, saturate }, &value.inner, 0)?;
    low.define_computed(tensor, Value::stored(node, &value.inner, 0).reshaped(&value.shape));
    Ok(())
}

/// The result has the shape that inference gave it; the elements keep their order.
fn reshaped(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    let value = low.value(operands.required(0)?)?;
    let tensor = operands.result()?;
    let shape = operands.shape(tensor)?;
    if shape.iter().product::<usize>() != value.shape.iter().product::<usize>() {
        return Err(operands.refuse("operand 1", "the new shape has another number of elements"));
    }
    operands.finish()?;
    low.define(tensor, value.reshaped(&shape));
    Ok(())
}

pub(super) fn flatten(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    operands.ignore("axis");
    reshaped(low, operands)
}

pub(super) fn reshape(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    operands.ignore("shape");
    operands.ignore("allowzero");
    operands.optional_integers(1)?;
    reshaped(low, operands)
}

pub(super) fn squeeze(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    operands.ignore("axes");
    operands.optional_integers(1)?;
    reshaped(low, operands)
}

pub(super) fn unsqueeze(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    squeeze(low, operands)
}

pub(super) fn transpose(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let value = low.value(operands.required(0)?)?;
    let tensor = operands.result()?;
    let rank = value.shape.len();
    let order = match operands.ints("perm")? {
        None => (0..rank).rev().collect(),
        Some(perm) => {
            let order = perm.iter().map(|&axis| operands.axis(axis, rank)).collect::<Result<Vec<_>, _>>()?;
            let mut sorted = order.clone();
            sorted.sort_unstable();
            if sorted != (0..rank).collect::<Vec<_>>() {
                return Err(operands.refuse("perm", "is not a permutation of the axes"));
            }
            order
        }
    };
    operands.finish()?;
    let moved = permuted(low, &value, &order)?;
    low.define(tensor, moved);
    Ok(())
}

/// The value with its axes reordered: axis `i` of the result is axis `order[i]`.
pub(super) fn permuted(low: &mut Lowering, value: &Value, order: &[usize]) -> Result<Value, ModelError> {
    let value = low.addressed(value)?;
    let mut index = vec![AxisIndex::fixed(0); order.len()];
    for (to, &from) in order.iter().enumerate() {
        index[from] = AxisIndex::var(to);
    }
    let view = low.view_at(&value, &index)?;
    let shape: Vec<usize> = order.iter().map(|&from| value.shape[from]).collect();
    Ok(Value { inner: shape.clone(), shape, view, frac: value.frac })
}

pub(super) fn concat(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let tensor = operands.result()?;
    let shape = operands.shape(tensor)?;
    let axis = operands.int("axis")?.ok_or_else(|| operands.refuse("axis", "is missing"))?;
    let axis = operands.axis(axis, shape.len())?;
    let mut values = Vec::new();
    let (mut worst, mut fracs) = (0.0f64, Vec::new());
    for position in 0..operands.node().inputs.len() {
        let operand = Operand::read(low, &operands, position)?;
        if operand.shape().get(axis) == Some(&0) {
            continue;
        }
        worst = worst.max(operand.largest(low));
        if let Operand::Computed(value) = &operand {
            fracs.push(value.frac);
        }
        values.push(operand);
    }
    operands.finish()?;
    let coarsest = fracs.iter().copied().min().unwrap_or(0);
    let same = fracs.iter().all(|&f| f == coarsest) && fracs.len() == values.len();
    // Nothing to rescale: only move.
    let (plan, frac) = if same {
        (None, coarsest)
    } else {
        let plan = low.plan(tensor, worst)?;
        let frac = low.usual_frac(&plan).max(fracs.iter().copied().max().unwrap_or(0));
        (Some(plan), frac)
    };
    let mut terms = Vec::new();
    let mut start = 0;
    for value in values {
        let at_start = |len: usize| {
            let mut index: Vec<AxisIndex> = (0..shape.len()).map(AxisIndex::var).collect();
            index[axis] = AxisIndex::strided(axis, 1, -(start as i64));
            (index, len)
        };
        match value {
            Operand::Computed(value) => {
                let value = low.addressed(&value)?;
                let value = low.zero_outside(&value, &[axis])?;
                let (index, len) = at_start(value.shape[axis]);
                let view = low.view_at(&value, &index)?;
                terms.push(AffineTerm::Scaled { coef: power_of_two(frac - value.frac)?, view });
                start += len;
            }
            Operand::Constant(data) => {
                let real: Vec<f64> = data.iter().map(|&x| f64::from(x)).collect();
                let largest = real.iter().fold(0.0f64, |m, x| m.max(x.abs()));
                let own = frac.min(super::linear::integer_frac(largest));
                let node = low.push_weight(&real, data.shape(), own)?;
                let (index, len) = at_start(data.shape()[axis]);
                let view = vouch_program::View { node, axes: index };
                terms.push(AffineTerm::Scaled { coef: power_of_two(frac - own)?, view });
                start += len;
            }
        }
    }
    let acc = low.push(Op::Affine { terms }, &shape, frac)?;
    match plan {
        Some(plan) => low.finish(plan, acc, frac, &shape),
        None => {
            let node = low.push(Op::Store { input: acc }, &shape, frac)?;
            low.define_computed(tensor, Value::stored(node, &shape, frac));
            Ok(())
        }
    }
}
