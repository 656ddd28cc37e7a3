//! Parts of tensors: Slice, Pad, and the position of the largest element.

use vouch_program::{AffineTerm, AxisIndex, Op};

use super::build::Lowering;
use super::operands::Operands;
use super::value::Value;
use crate::error::ModelError;

pub(super) fn slice(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let value = low.value(operands.required(0)?)?;
    let tensor = operands.result()?;
    let rank = value.shape.len();
    let missing = |operands: &Operands, name: &str| operands.refuse(name, "is missing");
    let starts = operands.integers("starts", 1)?.ok_or_else(|| missing(&operands, "starts"))?;
    let ends = operands.integers("ends", 2)?.ok_or_else(|| missing(&operands, "ends"))?;
    let axes = operands.integers("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = operands.optional_integers(4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if ends.len() != starts.len() || axes.len() != starts.len() || steps.len() != starts.len() {
        return Err(operands.refuse("starts", "starts, ends, axes and steps differ in number"));
    }
    let value = low.addressed(&value)?;
    let mut index: Vec<AxisIndex> = (0..rank).map(AxisIndex::var).collect();
    let mut shape = value.shape.clone();
    for (i, &axis) in axes.iter().enumerate() {
        let axis = operands.axis(axis, rank)?;
        let (len, step) = (value.shape[axis] as i64, steps[i]);
        let from_front = |at: i64| if at < 0 { at.saturating_add(len) } else { at };
        // As ONNX clamps: a negative step may end before the first element.
        let (start, count) = if step > 0 {
            let (start, end) = (from_front(starts[i]).clamp(0, len), from_front(ends[i]).clamp(0, len));
            (start, (end - start).max(0) as u64)
        } else {
            let (start, end) = (from_front(starts[i]).clamp(0, len - 1), from_front(ends[i]).clamp(-1, len - 1));
            (start, (start - end).max(0) as u64)
        };
        if step == 0 || count == 0 {
            return Err(operands.refuse("steps", "the slice is empty"));
        }
        shape[axis] = count.div_ceil(step.unsigned_abs()) as usize;
        // A step beyond the axis takes one element: its size does not matter.
        index[axis] = AxisIndex::strided(axis, step.clamp(-len, len), start);
    }
    operands.finish()?;
    let view = low.view_at(&value, &index)?;
    low.define(tensor, Value { inner: shape.clone(), shape, view, frac: value.frac });
    Ok(())
}

pub(super) fn pad(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let value = low.value(operands.required(0)?)?;
    let tensor = operands.result()?;
    let rank = value.shape.len();
    let mode = operands.string("mode")?.unwrap_or_else(|| "constant".into());
    let pads = operands.integers("pads", 1)?.ok_or_else(|| operands.refuse("pads", "is missing"))?;
    let fill = operands.float("value")?;
    let fill = operands.optional_scalar(2)?.or(fill).unwrap_or(0.0);
    let axes = operands.optional_integers(3)?.unwrap_or_else(|| (0..rank as i64).collect());
    if pads.len() != 2 * axes.len() {
        return Err(operands.refuse("pads", "needs two values for each axis"));
    }
    let (mut begin, mut shape) = (vec![0i64; rank], value.shape.clone());
    for (i, &axis) in axes.iter().enumerate() {
        let axis = operands.axis(axis, rank)?;
        begin[axis] = pads[i];
        let len = (shape[axis] as i64).saturating_add(pads[i]).saturating_add(pads[i + axes.len()]);
        shape[axis] = usize::try_from(len)
            .ok()
            .filter(|len| (1..1 << 28).contains(len))
            .ok_or_else(|| operands.refuse("pads", "leaves an axis empty or makes it too long"))?;
    }
    if !fill.is_finite() {
        return Err(operands.refuse("constant_value", "is not finite"));
    }
    let value = low.addressed(&value)?;
    match mode.as_str() {
        "constant" => {
            operands.finish()?;
            constant_pad(low, &value, &begin, &shape, fill, tensor)
        }
        "reflect" | "edge" | "wrap" => {
            let index = gathered(&value.shape, &shape, &begin, &mode);
            let index = index.ok_or_else(|| operands.refuse("pads", "are longer than the tensor that they repeat"))?;
            operands.finish()?;
            let whole = low.materialised(&value)?;
            let node = low.push(Op::Gather { input: whole.view.node, index }, &shape, value.frac)?;
            low.define_computed(tensor, Value::stored(node, &shape, value.frac));
            Ok(())
        }
        other => Err(operands.refuse("mode", format!("\"{other}\" is not known"))),
    }
}

fn constant_pad(
    low: &mut Lowering,
    value: &Value,
    begin: &[i64],
    shape: &[usize],
    fill: f64,
    tensor: &str,
) -> Result<(), ModelError> {
    let rank = shape.len();
    let grows = |axis: usize| begin[axis] > 0 || (value.shape[axis] as i64) + begin[axis] < shape[axis] as i64;
    let padded: Vec<usize> = (0..rank).filter(|&axis| grows(axis)).collect();
    let value = low.zero_outside(value, &padded)?;
    let index: Vec<AxisIndex> = (0..rank).map(|axis| AxisIndex::strided(axis, 1, -begin[axis])).collect();
    let view = low.view_at(&value, &index)?;
    let moved = Value { shape: shape.to_vec(), inner: shape.to_vec(), view: view.clone(), frac: value.frac };
    if fill == 0.0 || padded.is_empty() {
        low.define(tensor, moved);
        return Ok(());
    }
    // The fill everywhere, less the fill where the tensor is, plus the tensor.
    let (lo, hi) = low.real_range(&value);
    let plan = low.plan(tensor, lo.abs().max(hi.abs()).max(fill.abs()))?;
    let frac = low.usual_frac(&plan).max(value.frac);
    let coef = (fill * f64::from(frac).exp2()).round() as i64;
    let inside = padded.iter().map(|&axis| {
        let start = begin[axis].max(0) as usize;
        let end = (begin[axis] + value.shape[axis] as i64).clamp(0, shape[axis] as i64) as usize;
        (axis, start.min(end), end)
    });
    let terms = vec![
        AffineTerm::Scaled { coef: super::linear::power_of_two(frac - value.frac)?, view },
        AffineTerm::Fill { coef, ranges: vec![] },
        AffineTerm::Fill { coef: -coef, ranges: inside.collect() },
    ];
    let acc = low.push(Op::Affine { terms }, shape, frac)?;
    low.finish(plan, acc, frac, shape)
}

/// For each element of the padded tensor, the flat position in the original.
fn gathered(from: &[usize], to: &[usize], begin: &[i64], mode: &str) -> Option<Vec<u32>> {
    let sources: Vec<Vec<usize>> = (0..to.len())
        .map(|axis| {
            let len = from[axis] as i64;
            let source = |i: usize| {
                let at = i as i64 - begin[axis];
                let at = match mode {
                    "edge" => at.clamp(0, len - 1),
                    "wrap" => at.rem_euclid(len),
                    _ if at < 0 => -at,
                    _ if at >= len => 2 * (len - 1) - at,
                    _ => at,
                };
                usize::try_from(at).ok().filter(|&at| at < from[axis])
            };
            (0..to[axis]).map(source).collect::<Option<Vec<_>>>()
        })
        .collect::<Option<_>>()?;
    let total: usize = to.iter().product();
    let mut index = Vec::with_capacity(total);
    for flat in 0..total {
        let (mut rest, mut position, mut stride) = (flat, 0, 1);
        for axis in (0..to.len()).rev() {
            position += sources[axis][rest % to[axis]] * stride;
            rest /= to[axis];
            stride *= from[axis];
        }
        index.push(u32::try_from(position).ok()?);
    }
    Some(index)
}

pub(super) fn arg_max(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let value = low.value(operands.required(0)?)?;
    let tensor = operands.result()?;
    let axis = operands.int("axis")?.unwrap_or(0);
    let axis = operands.axis(axis, value.shape.len())?;
    let keep = operands.int("keepdims")?.unwrap_or(1) != 0;
    if operands.int("select_last_index")?.unwrap_or(0) != 0 {
        return Err(operands.refuse("select_last_index", "ties go to the first index; the last is not supported"));
    }
    operands.finish()?;
    let value = low.addressed(&value)?;
    let value = low.materialised(&value)?;
    let mut inner = value.shape.clone();
    inner[axis] = 1;
    let node = low.push(Op::ArgMax { input: value.view.node, axis }, &inner, 0)?;
    let mut shape = inner.clone();
    if !keep {
        shape.remove(axis);
    }
    let result = Value::stored(node, &inner, 0).reshaped(&shape);
    low.define_computed(tensor, result);
    Ok(())
}
