//! Convolution, with a batch normalization behind it folded into its weights.

use vouch_program::AxisIndex;

use super::build::Lowering;
use super::linear::Linear;
use super::operands::Operands;
use crate::error::ModelError;

/// Sliding windows along the spatial axes.
pub(crate) struct Windows {
    pub kernel: Vec<usize>,
    pub strides: Vec<usize>,
    pub dilations: Vec<usize>,
    /// Zeros before the start of each axis.
    pub begin: Vec<usize>,
    /// Zeros behind its end.
    pub end: Vec<usize>,
    /// Number of window positions on each axis.
    pub out: Vec<usize>,
}

impl Windows {
    /// From the attributes that convolutions and poolings share. `kernel` is used where the node does not give one.
    pub fn read(
        operands: &mut Operands,
        spatial: &[usize],
        kernel: Option<&[usize]>,
        ceil: bool,
    ) -> Result<Self, ModelError> {
        let rank = spatial.len();
        let kernel = operands.kernel(rank, kernel)?;
        let strides = operands.lengths("strides", rank, 1)?.unwrap_or_else(|| vec![1; rank]);
        let dilations = operands.lengths("dilations", rank, 1)?.unwrap_or_else(|| vec![1; rank]);
        let pads = operands.lengths("pads", 2 * rank, 0)?;
        let auto = operands.string("auto_pad")?.unwrap_or_default();
        let mut windows = Self {
            kernel,
            strides,
            dilations,
            begin: vec![0; rank],
            end: vec![0; rank],
            out: Vec::with_capacity(rank),
        };
        for (axis, &len) in spatial.iter().enumerate() {
            let reach = windows.reach(axis);
            let stride = windows.strides[axis];
            match auto.as_str() {
                "" | "NOTSET" => {
                    if let Some(pads) = &pads {
                        (windows.begin[axis], windows.end[axis]) = (pads[axis], pads[axis + rank]);
                    }
                }
                "VALID" => {}
                "SAME_UPPER" | "SAME_LOWER" => {
                    let total = ((len.div_ceil(stride) - 1) * stride + reach).saturating_sub(len);
                    let (small, large) = (total / 2, total - total / 2);
                    let upper = auto == "SAME_UPPER";
                    (windows.begin[axis], windows.end[axis]) = if upper { (small, large) } else { (large, small) };
                }
                other => {
                    return Err(operands.refuse("auto_pad", format!("\"{other}\" is not known")));
                }
            }
            let padded = len + windows.begin[axis] + windows.end[axis];
            let Some(room) = padded.checked_sub(reach) else {
                return Err(operands.refuse("kernel_shape", "the window is larger than the padded input"));
            };
            let mut out = if ceil { room.div_ceil(stride) } else { room / stride } + 1;
            // A window must not start in the padding behind the end.
            if ceil && (out - 1) * stride >= len + windows.begin[axis] {
                out -= 1;
            }
            windows.out.push(out);
        }
        Ok(windows)
    }

    /// How many cells a window spans along an axis.
    pub fn reach(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilations[axis] + 1
    }

    /// Whether windows overhang the input's axis of length `len`.
    pub fn overhangs(&self, axis: usize, len: usize) -> bool {
        let last = (self.out[axis] - 1) * self.strides[axis] + self.reach(axis);
        self.begin[axis] > 0 || last > self.begin[axis] + len
    }

    /// The index on an axis for window `out_var`, and tap `tap_var` if the window has more than one.
    pub fn index(&self, axis: usize, out_var: usize, tap_var: Option<usize>) -> AxisIndex {
        let (stride, pad) = (self.strides[axis], self.begin[axis]);
        match tap_var {
            Some(tap) => AxisIndex::window(out_var, stride, tap, self.dilations[axis], pad),
            None => AxisIndex::strided(out_var, stride as i64, -(pad as i64)),
        }
    }
}

pub(super) fn conv(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let x = low.value(operands.required(0)?)?;
    let weights = operands.constant(1)?;
    let bias = operands.optional_constant(2)?;
    if x.shape.len() < 3 || weights.ndim() != x.shape.len() {
        return Err(operands.refuse("operand 1", "input and weights need the same rank, 3 or more"));
    }
    let (batch, c_in) = (x.shape[0], x.shape[1]);
    let (c_out, per_group) = (weights.shape()[0], weights.shape()[1]);
    let group = operands.int("group")?.unwrap_or(1);
    let group =
        usize::try_from(group).ok().filter(|&g| g > 0 && per_group.checked_mul(g) == Some(c_in) && c_out % g == 0);
    let Some(group) = group else {
        return Err(operands.refuse("group", "does not divide the channels of input and weights"));
    };
    let windows = Windows::read(&mut operands, &x.shape[2..], Some(&weights.shape()[2..]), false)?;
    let tensor = operands.result()?;
    operands.finish()?;
    let mut shape = vec![batch, c_out];
    shape.extend(&windows.out);
    let spatial = x.shape[2..].to_vec();

    let mut x = low.addressed(&x)?;
    let padded: Vec<usize> = (0..spatial.len()).filter(|&a| windows.overhangs(a, spatial[a])).map(|a| a + 2).collect();
    x = low.zero_outside(&x, &padded)?;

    let taps: usize = windows.kernel.iter().product();
    let after = low.absorb_channelwise(tensor, shape.len(), 1, c_out)?;
    let flat: Vec<f64> = weights.iter().map(|&w| f64::from(w)).collect();
    let scaled = |c: usize, i: usize, t: usize| flat[(c * per_group + i) * taps + t] * after.scale[c];
    let bias: Vec<f64> = (0..c_out)
        .map(|c| bias.as_ref().map_or(0.0, |b| f64::from(b[[c]])) * after.scale[c] + after.shift[c])
        .collect();

    // Variables: n, c_out, positions; then c_in, unless each channel stands alone; then taps.
    let depthwise = per_group == 1 && group == c_out;
    let mut vars = shape.clone();
    let mut weight_vars = vec![1];
    let mut index = vec![AxisIndex::var(0)];
    let weights: Vec<f64> = if depthwise {
        index.push(AxisIndex::var(1));
        (0..c_out).flat_map(|c| (0..taps).map(move |t| (c, t))).map(|(c, t)| scaled(c, 0, t)).collect()
    } else {
        if c_in > 1 {
            index.push(AxisIndex::var(vars.len()));
            weight_vars.push(vars.len());
            vars.push(c_in);
        } else {
            index.push(AxisIndex::fixed(0));
        }
        // Groups become blocks on the diagonal: the zeros cost next to nothing.
        let per_out = c_out / group;
        let mut dense = vec![0.0; c_out * c_in * taps];
        for c in 0..c_out {
            for i in 0..per_group {
                let from = c / per_out * per_group + i;
                for t in 0..taps {
                    dense[(c * c_in + from) * taps + t] = scaled(c, i, t);
                }
            }
        }
        dense
    };
    for (axis, &taps) in windows.kernel.iter().enumerate() {
        let tap_var = (taps > 1).then_some(vars.len());
        index.push(windows.index(axis, axis + 2, tap_var));
        if let Some(var) = tap_var {
            vars.push(taps);
            weight_vars.push(var);
        }
    }
    let x_view = low.view_at(&x, &index)?;
    let linear = Linear { out: shape.clone(), vars, x: &x, x_view, weights, weight_vars, bias, bias_vars: vec![1] };
    low.linear(linear, &after.tensor, &shape)
}
