//! What Conv, Gemm, MatMul, Mul and BatchNormalization share: a contraction with constant weights, a bias, one rescale.
//!
//! With input scale `fx`, weight scale `fw` and result scale `fy` the rescale drops `fx + fw - fy` bits;
//! weights are quantized so that this is the usual number, unless that would make them too coarse.

use ndarray::ArrayD;
use vouch_program::{AffineTerm, NodeId, Op, View};

use super::build::Lowering;
use super::rescale::{Deferred, MAX_SHIFT};
use super::value::Value;
use crate::error::ModelError;

/// Weights should have this root mean square, as integers, at least.
const MIN_WEIGHT_RMS: f64 = 512.0;
/// Most bits that a rescale of a linear operator drops.
const MAX_LINEAR_SHIFT: i32 = 30;

/// A contraction with weights.
pub(crate) struct Linear<'v> {
    /// Shape of the result: the first index variables.
    pub out: Vec<usize>,
    /// Lengths of all index variables.
    pub vars: Vec<usize>,
    /// The activations.
    pub x: &'v Value,
    /// How they are addressed.
    pub x_view: View,
    /// Real weights, row-major over `weight_vars`.
    pub weights: Vec<f64>,
    /// Index variables of the weights' axes, in increasing order: those of the result come first.
    pub weight_vars: Vec<usize>,
    /// Real biases, row-major over `bias_vars`; none if empty.
    pub bias: Vec<f64>,
    /// Result variables of the biases' axes, in increasing order.
    pub bias_vars: Vec<usize>,
}

impl<'g> Lowering<'g> {
    /// Builds the contraction and defines `tensor`, of ONNX shape `shape`.
    pub fn linear(&mut self, linear: Linear, tensor: &str, shape: &[usize]) -> Result<(), ModelError> {
        let worst = self.worst(&linear);
        let mut plan = self.plan(tensor, worst)?;
        let sum = if linear.out == shape { self.sum_ahead(tensor, shape)? } else { None };
        if let Some(frac) = sum {
            plan.frac = frac;
        }
        let fx = linear.x.frac;
        let largest = linear.weights.iter().fold(0.0f64, |m, w| m.max(w.abs()));
        let mean_square = linear.weights.iter().map(|w| w * w).sum::<f64>() / linear.weights.len().max(1) as f64;
        let mut frac = self.usual_frac(&plan) - fx;
        if plan.is_stepped() {
            // Weights are integers times a scale: as fine as it goes, so that the sum goes to the right step.
            frac = plan.frac + MAX_SHIFT - fx;
        } else if mean_square > 0.0 {
            // Coarser than this, rounding the weights would be the largest error: drop more bits here instead.
            let finer = (MIN_WEIGHT_RMS / mean_square.sqrt()).log2().ceil() as i32 - frac;
            let room = (MAX_LINEAR_SHIFT - self.options.shift as i32).max(0);
            frac += finer.clamp(0, room);
        }
        // What does not fit is left to a power-of-two factor behind the contraction.
        let finest = integer_frac(largest);
        let factor = (frac - finest).max(0);
        frac -= factor;

        let weight_shape: Vec<usize> = linear.weight_vars.iter().map(|&v| linear.vars[v]).collect();
        let weight = self.push_weight(&linear.weights, &weight_shape, frac)?;
        let rhs = Some(View::of_vars(weight, &linear.weight_vars));
        let op = Op::Contract { vars: linear.vars, lhs: linear.x_view, rhs };
        let mut acc = self.push(op, &linear.out, fx + frac)?;
        let mut acc_frac = fx + frac;
        let biased = linear.bias.iter().any(|&b| b != 0.0);
        if biased || factor > 0 {
            acc_frac += factor;
            let mut terms = vec![self.scaled_identity(acc, 1 << factor)];
            if biased {
                let shape: Vec<usize> = linear.bias_vars.iter().map(|&v| linear.out[v]).collect();
                terms.push(self.constant_term(&linear.bias, &shape, &linear.bias_vars, acc_frac)?);
            }
            acc = self.push(Op::Affine { terms }, &linear.out, acc_frac)?;
        }
        if sum.is_some() {
            self.defer(tensor, Deferred { node: acc, frac: acc_frac, sum_frac: plan.frac, worst });
            return Ok(());
        }
        plan.told = Some(fx + frac);
        self.finish(plan, acc, acc_frac, shape)
    }

    /// Constants as a summand of an accumulator of scale `frac`, axis `i` addressed by variable `vars[i]`.
    pub fn constant_term(
        &mut self,
        data: &[f64],
        shape: &[usize],
        vars: &[usize],
        frac: i32,
    ) -> Result<AffineTerm, ModelError> {
        let largest = data.iter().fold(0.0f64, |m, x| m.max(x.abs()));
        if let [value] = data {
            return Ok(AffineTerm::Fill { coef: (value * f64::from(frac).exp2()).round() as i64, ranges: vec![] });
        }
        let own = frac.min(integer_frac(largest));
        let node = self.push_weight(data, shape, own)?;
        let coef = power_of_two(frac - own)?;
        Ok(AffineTerm::Scaled { coef, view: View::of_vars(node, vars) })
    }

    /// The largest absolute real value that the result can take.
    fn worst(&self, linear: &Linear) -> f64 {
        let (lo, hi) = self.real_range(linear.x);
        let rank = linear.out.len();
        let row: usize = linear.weight_vars.iter().filter(|&&v| v >= rank).map(|&v| linear.vars[v]).product();
        let rows = linear.weights.chunks(row.max(1)).map(|row| {
            let positive: f64 = row.iter().filter(|w| **w > 0.0).sum();
            let negative: f64 = row.iter().filter(|w| **w < 0.0).sum();
            (positive * hi + negative * lo).abs().max((positive * lo + negative * hi).abs())
        });
        let sum = rows.fold(0.0f64, f64::max);
        sum + linear.bias.iter().fold(0.0f64, |m, b| m.max(b.abs()))
    }
}

/// `2^exponent` as a coefficient.
pub(crate) fn power_of_two(exponent: i32) -> Result<i64, ModelError> {
    match exponent {
        0..=61 => Ok(1 << exponent),
        _ => Err(ModelError::invalid("the scales of two operands are too far apart for fixed point")),
    }
}

/// The finest scale at which values up to `largest` in size fit `i32`.
pub(crate) fn integer_frac(largest: f64) -> i32 {
    if largest == 0.0 {
        return 60;
    }
    let limit = f64::from(i32::MAX);
    let mut frac = (limit / largest).log2().floor().clamp(-200.0, 200.0) as i32;
    // The logarithm may be off by one at powers of two.
    while largest * f64::from(frac).exp2() > limit {
        frac -= 1;
    }
    frac
}

/// Scale and shift of each channel.
pub(crate) type Factors = (Vec<f64>, Vec<f64>);

/// What follows a linear operator and only scales and shifts its channels: `scale·y + shift`.
pub(crate) struct Channelwise {
    pub scale: Vec<f64>,
    pub shift: Vec<f64>,
    /// The tensor after all of it.
    pub tensor: String,
}

impl<'g> Lowering<'g> {
    /// Takes in the batch normalizations and the constant additions and multiplications that follow `tensor`, of rank
    /// `rank`, whose axis `axis` has `channels` channels.
    pub fn absorb_channelwise(
        &mut self,
        tensor: &str,
        rank: usize,
        axis: usize,
        channels: usize,
    ) -> Result<Channelwise, ModelError> {
        let mut folded =
            Channelwise { scale: vec![1.0; channels], shift: vec![0.0; channels], tensor: tensor.to_string() };
        while let Some((index, reader)) = self.sole_reader(&folded.tensor) {
            let Some((scale, shift)) = self.channelwise(reader, &folded.tensor, rank, axis, channels)? else {
                break;
            };
            for c in 0..channels {
                folded.scale[c] *= scale[c];
                folded.shift[c] = folded.shift[c] * scale[c] + shift[c];
            }
            folded.tensor.clone_from(&reader.outputs[0]);
            self.absorb(index);
        }
        Ok(folded)
    }

    /// Scale and shift of each channel, if that is all that `reader` does to `tensor`.
    pub(super) fn channelwise(
        &self,
        reader: &'g crate::onnx::GraphNode,
        tensor: &str,
        rank: usize,
        axis: usize,
        channels: usize,
    ) -> Result<Option<Factors>, ModelError> {
        if reader.op == "BatchNormalization" {
            if axis != 1 || reader.inputs.first().is_none_or(|first| first != tensor) {
                return Ok(None);
            }
            return super::elementwise::batch_norm_factors(super::Operands::new(self.graph, reader), channels)
                .map(Some);
        }
        let [a, b] = &reader.inputs[..] else {
            return Ok(None);
        };
        let (first, other) = if a == tensor { (true, b) } else { (false, a) };
        let Some(constant) = self.graph.constant(other) else {
            return Ok(None);
        };
        // The constant must not make the result larger than the tensor is.
        let Some(values) = per_channel(&constant, rank, axis, channels) else {
            return Ok(None);
        };
        let (ones, zeros) = (vec![1.0; channels], vec![0.0; channels]);
        let negated = || values.iter().map(|v| -v).collect();
        Ok(match (reader.op.as_str(), first) {
            ("Add", _) => Some((ones, values)),
            ("Sub", true) => Some((ones, negated())),
            ("Sub", false) => Some((vec![-1.0; channels], values)),
            ("Mul", _) => Some((values, zeros)),
            ("Div", true) if values.iter().all(|&v| v != 0.0) => {
                Some((values.iter().map(|v| 1.0 / v).collect(), zeros))
            }
            _ => None,
        })
    }
}

/// The constant's value for each channel, if it varies along `axis` only when broadcast to rank `rank`.
fn per_channel(constant: &ArrayD<f32>, rank: usize, axis: usize, channels: usize) -> Option<Vec<f64>> {
    if let [only] = constant.as_slice()? {
        return (constant.ndim() <= rank).then(|| vec![f64::from(*only); channels]);
    }
    let shape = constant.shape();
    let missing = rank.checked_sub(shape.len())?;
    let varies = |(i, &len): (usize, &usize)| len == if i + missing == axis { channels } else { 1 };
    (shape.iter().enumerate().all(varies) && constant.len() == channels)
        .then(|| constant.iter().map(|&x| f64::from(x)).collect())
}

/// The node that an accumulator's view reads, for operators that contract two activations.
impl<'g> Lowering<'g> {
    /// `out[o] = Σ_s a·b` of two activations, then a rescale to `tensor` of ONNX shape `shape`.
    pub fn bilinear(
        &mut self,
        (a, a_view): (&Value, View),
        (b, b_view): (&Value, View),
        out: &[usize],
        vars: Vec<usize>,
        tensor: &str,
        shape: &[usize],
    ) -> Result<(), ModelError> {
        let summed: usize = vars[out.len()..].iter().product();
        let size = |(lo, hi): (f64, f64)| lo.abs().max(hi.abs());
        let worst = size(self.real_range(a)) * size(self.real_range(b)) * summed as f64;
        if out == shape
            && let Some(sum_frac) = self.root_ahead(tensor, shape)?
        {
            let frac = a.frac + b.frac;
            let node = self.push(Op::Contract { vars, lhs: a_view, rhs: Some(b_view) }, out, frac)?;
            self.defer(tensor, Deferred { node, frac, sum_frac, worst });
            return Ok(());
        }
        let plan = self.plan(tensor, worst)?;
        let frac = a.frac + b.frac;
        let acc: NodeId = self.push(Op::Contract { vars, lhs: a_view, rhs: Some(b_view) }, out, frac)?;
        self.finish_scaled(plan, acc, frac, shape)
    }
}
