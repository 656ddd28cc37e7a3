//! Transposed convolution: a convolution, with the weights turned around, over the operand with zeros between its elements.

use vouch_program::AxisIndex;

use super::build::Lowering;
use super::linear::Linear;
use super::operands::Operands;
use super::value::Value;
use crate::error::ModelError;

/// One spatial axis.
struct Axis {
    len: usize,
    taps: usize,
    stride: usize,
    dilation: usize,
    /// Cut off at the start of what all taps reach.
    begin: usize,
    out: usize,
}

pub(super) fn conv_transpose(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let x = low.value(operands.required(0)?)?;
    let weights = operands.constant(1)?;
    let bias = operands.optional_constant(2)?;
    if x.shape.len() < 3 || weights.ndim() != x.shape.len() {
        return Err(operands.refuse("operand 1", "input and weights need the same rank, 3 or more"));
    }
    let (c_in, per_group) = (x.shape[1], weights.shape()[1]);
    let group = operands.int("group")?.unwrap_or(1);
    let group = usize::try_from(group).ok().filter(|&g| g > 0 && c_in % g == 0 && weights.shape()[0] == c_in);
    let Some(group) = group else {
        return Err(operands.refuse("group", "does not divide the channels of input and weights"));
    };
    let tensor = operands.result()?;
    let shape = operands.shape(tensor)?;
    let axes = read_axes(&mut operands, &x.shape[2..], &weights.shape()[2..], &shape[2..])?;
    operands.finish()?;
    let c_out = per_group * group;

    let mut x = low.addressed(&x)?;
    for (axis, Axis { stride, .. }) in axes.iter().enumerate().filter(|(_, axis)| axis.stride > 1) {
        x = spread(low, &x, axis + 2, *stride)?;
    }
    x = low.addressed(&x)?;
    let spatial: Vec<usize> = (2..shape.len()).collect();
    x = low.zero_outside(&x, &spatial)?;

    let taps: usize = axes.iter().map(|axis| axis.taps).product();
    let after = low.absorb_channelwise(tensor, shape.len(), 1, c_out)?;
    let flat: Vec<f64> = weights.iter().map(|&w| f64::from(w)).collect();
    let bias: Vec<f64> = (0..c_out)
        .map(|c| bias.as_ref().map_or(0.0, |b| f64::from(b[[c]])) * after.scale[c] + after.shift[c])
        .collect();
    // Groups become blocks on the diagonal, and taps are turned around.
    let mut dense = vec![0.0; c_out * c_in * taps];
    for i in 0..c_in {
        for c in 0..per_group {
            let to = i / (c_in / group) * per_group + c;
            for tap in 0..taps {
                dense[(to * c_in + i) * taps + (taps - 1 - tap)] =
                    flat[(i * per_group + c) * taps + tap] * after.scale[to];
            }
        }
    }
    let mut vars = shape.clone();
    let mut weight_vars = vec![1];
    let mut index = vec![AxisIndex::var(0)];
    if c_in > 1 {
        index.push(AxisIndex::var(vars.len()));
        weight_vars.push(vars.len());
        vars.push(c_in);
    } else {
        index.push(AxisIndex::fixed(0));
    }
    for (position, axis) in axes.iter().enumerate() {
        // Tap t, turned around, reads the place o + begin − dilation·(taps − 1 − t).
        let pad = (axis.dilation * (axis.taps - 1)) as i64 - axis.begin as i64;
        let mut at = AxisIndex::strided(position + 2, 1, -pad);
        if axis.taps > 1 {
            at.terms.push((vars.len(), axis.dilation as i64));
            weight_vars.push(vars.len());
            vars.push(axis.taps);
        }
        index.push(at);
    }
    let x_view = low.view_at(&x, &index)?;
    let linear =
        Linear { out: shape.clone(), vars, x: &x, x_view, weights: dense, weight_vars, bias, bias_vars: vec![1] };
    low.linear(linear, &after.tensor, &shape)
}

/// The result's lengths are those that inference gave; where the attributes say so too, they must agree.
fn read_axes(
    operands: &mut Operands,
    spatial: &[usize],
    kernel: &[usize],
    out: &[usize],
) -> Result<Vec<Axis>, ModelError> {
    let rank = spatial.len();
    let kernel = operands.kernel(rank, Some(kernel))?;
    let strides = operands.lengths("strides", rank, 1)?.unwrap_or_else(|| vec![1; rank]);
    let dilations = operands.lengths("dilations", rank, 1)?.unwrap_or_else(|| vec![1; rank]);
    let pads = operands.lengths("pads", 2 * rank, 0)?;
    let auto = operands.string("auto_pad")?.unwrap_or_default();
    let given = operands.lengths("output_shape", rank, 1)?;
    let extra = operands.lengths("output_padding", rank, 0)?.unwrap_or_else(|| vec![0; rank]);
    let mut axes = Vec::with_capacity(rank);
    for axis in 0..rank {
        let reach = strides[axis] * (spatial[axis] - 1) + (kernel[axis] - 1) * dilations[axis] + 1;
        let begin = match (auto.as_str(), &pads) {
            ("" | "NOTSET", Some(pads)) if given.is_none() => pads[axis],
            ("" | "NOTSET" | "VALID", None) if given.is_none() => 0,
            ("" | "NOTSET" | "SAME_UPPER" | "SAME_LOWER", _) => {
                let total = (reach + extra[axis]).saturating_sub(out[axis]);
                if auto == "SAME_UPPER" { total / 2 } else { total - total / 2 }
            }
            _ => return Err(operands.refuse("auto_pad", format!("\"{auto}\" is not known"))),
        };
        if given.as_ref().is_some_and(|given| given[axis] != out[axis]) {
            return Err(operands.refuse("output_shape", "is not the shape that was inferred"));
        }
        // The float model that calibration and the report rest on cuts off another part.
        if given.is_some() && reach + extra[axis] > out[axis] {
            return Err(operands.refuse("output_shape", "cuts the result off; say so by \"pads\" instead"));
        }
        let (len, taps, stride, dilation) = (spatial[axis], kernel[axis], strides[axis], dilations[axis]);
        axes.push(Axis { len, taps, stride, dilation, begin, out: out[axis] });
    }
    if axes.iter().any(|axis| axis.out + axis.begin > (axis.len + axis.taps * axis.dilation) * axis.stride + 1) {
        return Err(operands.refuse("output_padding", "is too large"));
    }
    Ok(axes)
}

/// The value with `stride − 1` zeros behind each element along an axis.
fn spread(low: &mut Lowering, x: &Value, axis: usize, stride: usize) -> Result<Value, ModelError> {
    let x = low.addressed(x)?;
    let x = low.zero_outside(&x, &[axis])?;
    let len = x.shape[axis];
    // Place (i, j) reads element i + len·j, which is one for j = 0 only.
    let mut inner = x.shape.clone();
    inner.insert(axis + 1, stride);
    let moved = |a: usize| AxisIndex::var(if a > axis { a + 1 } else { a });
    let mut index: Vec<AxisIndex> = (0..x.shape.len()).map(moved).collect();
    index[axis].terms.push((axis + 1, len as i64));
    let view = low.view_at(&x, &index)?;
    let mut shape = x.shape.clone();
    shape[axis] = len * stride;
    Ok(Value { shape, inner, view, frac: x.frac })
}
