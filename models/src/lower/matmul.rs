//! Matrix products: Gemm and MatMul, with constant or computed operands.
//!
//! A flattened operand is not flattened: the contraction runs over the stored node's own axes.

use ndarray::{ArrayD, Axis};
use vouch_program::{AxisIndex, Op};

use super::build::Lowering;
use super::linear::Linear;
use super::operand::Operand;
use super::operands::Operands;
use super::value::{Value, axis_groups};
use crate::error::ModelError;

/// Bits to which a factor that is no power of two is rounded.
const ALPHA_BITS: i32 = 14;

/// What products do with their operands before they multiply them.
impl Operand {
    fn reshaped(self, shape: &[usize]) -> Self {
        match self {
            Self::Constant(array) => {
                // Only axes of length 1 are added.
                Self::Constant(array.clone().into_shape_with_order(shape.to_vec()).unwrap_or(array))
            }
            Self::Computed(value) => Self::Computed(value.reshaped(shape)),
        }
    }

    /// With the last two axes exchanged.
    fn transposed(self, low: &mut Lowering) -> Result<Self, ModelError> {
        Ok(match self {
            Self::Constant(mut array) => {
                let rank = array.ndim();
                array.swap_axes(rank - 1, rank - 2);
                Self::Constant(array.as_standard_layout().into_owned())
            }
            Self::Computed(value) => {
                let rank = value.shape.len();
                let mut order: Vec<usize> = (0..rank).collect();
                order.swap(rank - 1, rank - 2);
                Self::Computed(super::layout::permuted(low, &value, &order)?)
            }
        })
    }
}

/// What a product is scaled by and what is added to it.
struct Extra {
    alpha: f64,
    /// Row-major over `[rows, columns]`, `[columns]`, or empty.
    bias: Vec<f64>,
}

pub(super) fn gemm(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let mut a = Operand::read(low, &operands, 0)?;
    let mut b = Operand::read(low, &operands, 1)?;
    let c = operands.optional_constant(2)?;
    let alpha = operands.float("alpha")?.unwrap_or(1.0);
    let beta = operands.float("beta")?.unwrap_or(1.0);
    if a.shape().len() != 2 || b.shape().len() != 2 {
        return Err(operands.refuse("operand 0", "both factors need rank 2"));
    }
    if operands.int("transA")?.unwrap_or(0) != 0 {
        a = a.transposed(low)?;
    }
    if operands.int("transB")?.unwrap_or(0) != 0 {
        b = b.transposed(low)?;
    }
    // Of operator sets before 7, where it said what is the rule since.
    operands.ignore("broadcast");
    let (rows, columns) = (a.shape()[0], b.shape()[1]);
    let mut bias = Vec::new();
    if let Some(c) = c {
        let full = c.broadcast(vec![rows, columns]);
        let full = full.ok_or_else(|| operands.refuse("operand 2", "does not broadcast to the result's shape"))?;
        bias = full.iter().map(|&x| beta * f64::from(x)).collect();
        if bias.chunks(columns).all(|row| row == &bias[..columns]) {
            bias.truncate(columns);
        }
    }
    product(low, operands, a, b, Extra { alpha, bias }, vec![rows, columns])
}

pub(super) fn mat_mul(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    let a = Operand::read(low, &operands, 0)?;
    let b = Operand::read(low, &operands, 1)?;
    if a.shape().is_empty() || b.shape().is_empty() {
        return Err(operands.refuse("operand 0", "a factor is a scalar"));
    }
    let shape = operands.shape(operands.result()?)?;
    let raised = |side: &Operand, front: bool| match side.shape() {
        [len] if front => vec![1, *len],
        [len] => vec![*len, 1],
        other => other.to_vec(),
    };
    let (a_shape, b_shape) = (raised(&a, true), raised(&b, false));
    let (a, b) = (a.reshaped(&a_shape), b.reshaped(&b_shape));
    product(low, operands, a, b, Extra { alpha: 1.0, bias: Vec::new() }, shape)
}

/// `alpha · a·b + bias` for operands of rank 2 or more; `shape` is the result's in the graph.
fn product(
    low: &mut Lowering,
    operands: Operands,
    a: Operand,
    b: Operand,
    extra: Extra,
    shape: Vec<usize>,
) -> Result<(), ModelError> {
    let (a_shape, b_shape) = (a.shape().to_vec(), b.shape().to_vec());
    let (a_rank, b_rank) = (a_shape.len(), b_shape.len());
    let (rows, depth, columns) = (a_shape[a_rank - 2], a_shape[a_rank - 1], b_shape[b_rank - 1]);
    if b_shape[b_rank - 2] != depth {
        return Err(operands.refuse("operand 1", "its rows are not as many as the other's columns"));
    }
    let batch = broadcast_shape(&a_shape[..a_rank - 2], &b_shape[..b_rank - 2])
        .ok_or_else(|| operands.refuse("operand 1", "the batch axes do not broadcast"))?;
    let tensor = operands.result()?;
    operands.finish()?;
    let row_var = batch.len();
    let mut out = batch.clone();
    out.extend([rows, columns]);

    match (a, b) {
        (Operand::Constant(_), Operand::Constant(_)) => {
            Err(ModelError::invalid(format!("tensor \"{tensor}\" is constant but was not folded")))
        }
        (Operand::Computed(a), Operand::Computed(b)) => {
            let (a, b) = (low.addressed(&a)?, low.addressed(&b)?);
            let mut vars = out.clone();
            vars.push(depth);
            let depth_var = vars.len() - 1;
            let a_index = batch_index(&a.shape, &batch, [AxisIndex::var(row_var), AxisIndex::var(depth_var)]);
            let b_index = batch_index(&b.shape, &batch, [AxisIndex::var(depth_var), AxisIndex::var(row_var + 1)]);
            let (a_view, b_view) = (low.view_at(&a, &a_index)?, low.view_at(&b, &b_index)?);
            if extra.alpha == 1.0 && extra.bias.is_empty() {
                return low.bilinear((&a, a_view), (&b, b_view), &out, vars, tensor, &shape);
            }
            let size = |(lo, hi): (f64, f64)| lo.abs().max(hi.abs());
            let largest_bias = extra.bias.iter().fold(0.0f64, |m, x| m.max(x.abs()));
            let worst =
                size(low.real_range(&a)) * size(low.real_range(&b)) * depth as f64 * extra.alpha.abs() + largest_bias;
            let plan = low.plan(tensor, worst)?;
            let mut frac = a.frac + b.frac;
            let mut acc = low.push(Op::Contract { vars, lhs: a_view, rhs: Some(b_view) }, &out, frac)?;
            let coef = (extra.alpha * f64::from(ALPHA_BITS).exp2()).round() as i64;
            let mut terms = vec![low.scaled_identity(acc, coef)];
            frac += ALPHA_BITS;
            if !extra.bias.is_empty() {
                let per_row = extra.bias.len() > columns;
                let (bias_shape, bias_vars) =
                    if per_row { (vec![rows, columns], vec![0, 1]) } else { (vec![columns], vec![1]) };
                terms.push(low.constant_term(&extra.bias, &bias_shape, &bias_vars, frac)?);
            }
            acc = low.push(Op::Affine { terms }, &out, frac)?;
            low.finish_scaled(plan, acc, frac, &shape)
        }
        (Operand::Computed(x), Operand::Constant(b)) => {
            let mut weights = b;
            weights.swap_axes(b_rank - 1, b_rank - 2);
            let channels_last = shape.last() == Some(&columns) && b_rank >= 2 && shape.len() == out.len();
            let after = if channels_last {
                low.absorb_channelwise(tensor, shape.len(), shape.len() - 1, columns)?
            } else {
                super::linear::Channelwise {
                    scale: vec![1.0; columns],
                    shift: vec![0.0; columns],
                    tensor: tensor.to_string(),
                }
            };
            let last = weights.shape()[b_rank - 1];
            let scaled = weights.iter().enumerate().map(|(i, &w)| {
                let column = i / last % columns;
                f64::from(w) * extra.alpha * after.scale[column]
            });
            let scaled = ArrayD::from_shape_vec(weights.shape().to_vec(), scaled.collect())
                .map_err(|e| ModelError::invalid(e.to_string()))?;
            let mut bias = extra.bias;
            if bias.is_empty() {
                bias = vec![0.0; columns];
            }
            for (i, b) in bias.iter_mut().enumerate() {
                *b = *b * after.scale[i % columns] + after.shift[i % columns];
            }
            let bias_vars = if bias.len() > columns { vec![row_var, row_var + 1] } else { vec![row_var + 1] };
            let fixed = Fixed { weights: scaled, out_var: row_var + 1, bias, bias_vars };
            with_weights(low, &x, Roles { batch, out, depth_last: true }, fixed, &after.tensor, &shape)
        }
        (Operand::Constant(a), Operand::Computed(x)) => {
            let scaled = a.mapv(|w| f64::from(w) * extra.alpha);
            let bias_vars = if extra.bias.len() > columns { vec![row_var, row_var + 1] } else { vec![row_var + 1] };
            let fixed = Fixed { weights: scaled, out_var: row_var, bias: extra.bias, bias_vars };
            with_weights(low, &x, Roles { batch, out, depth_last: false }, fixed, tensor, &shape)
        }
    }
}

/// The constant factor, as `[batch.., own axis, depth]`.
struct Fixed {
    weights: ArrayD<f64>,
    /// The result's axis that is the factor's own.
    out_var: usize,
    bias: Vec<f64>,
    bias_vars: Vec<usize>,
}

/// The axes of the result, and whether the computed operand is the left one, with the summed axis last.
struct Roles {
    batch: Vec<usize>,
    out: Vec<usize>,
    depth_last: bool,
}

fn with_weights(
    low: &mut Lowering,
    x: &Value,
    roles: Roles,
    fixed: Fixed,
    tensor: &str,
    shape: &[usize],
) -> Result<(), ModelError> {
    let Roles { batch, out, depth_last } = roles;
    let rank = x.shape.len();
    let depth_axis = if depth_last { rank - 1 } else { rank - 2 };
    let groups = |x: &Value| {
        let groups = axis_groups(&x.shape, &x.inner)?;
        let long = |group: &[usize]| group.iter().filter(|&&axis| x.inner[axis] > 1).count();
        let fits = groups.iter().enumerate().all(|(axis, group)| axis == depth_axis || long(group) <= 1);
        fits.then_some(groups)
    };
    let (x, groups) = match groups(x) {
        Some(groups) => (x.clone(), groups),
        None => {
            let x = low.addressed(x)?;
            let own = (0..rank).map(|axis| vec![axis]).collect();
            (x, own)
        }
    };
    let x_var = if depth_last { batch.len() } else { batch.len() + 1 };
    let own = batch_index(&x.shape, &batch, [AxisIndex::var(x_var), AxisIndex::var(x_var)]);
    let mut vars = out.clone();
    let mut index = vec![AxisIndex::fixed(0); x.inner.len()];
    for (axis, group) in groups.iter().enumerate() {
        for &inner in group.iter().filter(|&&inner| x.inner[inner] > 1) {
            index[inner] = if axis == depth_axis {
                vars.push(x.inner[inner]);
                AxisIndex::var(vars.len() - 1)
            } else {
                own[axis].clone()
            };
        }
    }
    let mut weights = fixed.weights;
    let mut weight_vars: Vec<usize> = Vec::new();
    // Batch axes that the weights share are dropped.
    let leading = weights.ndim() - 2;
    for axis in (0..leading).rev() {
        if weights.shape()[axis] == 1 {
            weights.index_axis_inplace(Axis(axis), 0);
        } else {
            weight_vars.push(batch.len() - (leading - axis));
        }
    }
    weight_vars.reverse();
    weight_vars.push(fixed.out_var);
    weight_vars.extend(out.len()..vars.len());
    let x_view = low.view_at(&x, &index)?;
    let weights = weights.iter().copied().collect();
    let linear =
        Linear { out, vars, x: &x, x_view, weights, weight_vars, bias: fixed.bias, bias_vars: fixed.bias_vars };
    low.linear(linear, tensor, shape)
}

/// Index of each axis of an operand of `shape`: broadcast batch axes, then `last`.
fn batch_index(shape: &[usize], batch: &[usize], last: [AxisIndex; 2]) -> Vec<AxisIndex> {
    let own = shape.len() - 2;
    let mut index: Vec<AxisIndex> = (0..own)
        .map(|axis| if shape[axis] == 1 { AxisIndex::fixed(0) } else { AxisIndex::var(batch.len() - own + axis) })
        .collect();
    index.extend(last);
    index
}

/// The shape that two shapes broadcast to.
pub(super) fn broadcast_shape(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let at = |shape: &[usize], i: usize| (i + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
    (0..rank)
        .map(|i| match (at(a, i), at(b, i)) {
            (x, y) if x == y || y == 1 => Some(x),
            (1, y) => Some(y),
            _ => None,
        })
        .collect()
}
