//! Pooling: maxima as trees over strided views, averages as window sums.

use vouch_program::{AffineTerm, AxisIndex, Op, View};

use super::build::Lowering;
use super::conv::Windows;
use super::extreme::tree;
use super::linear::power_of_two;
use super::operands::Operands;
use super::rescale::Plan;
use super::value::Value;
use crate::error::ModelError;

/// Bits to which the factor `1 / window size` is rounded at least.
const RECIPROCAL_BITS: i32 = 12;

pub(super) fn spatial_input(low: &Lowering, operands: &Operands) -> Result<Value, ModelError> {
    let x = low.value(operands.required(0)?)?;
    if x.shape.len() < 3 {
        return Err(operands.refuse("operand 0", "needs a batch, a channel and a spatial axis"));
    }
    Ok(x)
}

fn ceil_mode(operands: &mut Operands) -> Result<bool, ModelError> {
    Ok(operands.int("ceil_mode")?.unwrap_or(0) != 0)
}

pub(super) fn max_pool(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let x = spatial_input(low, &operands)?;
    let ceil = ceil_mode(&mut operands)?;
    // Only the second result, which is refused, depends on it.
    operands.ignore("storage_order");
    let windows = Windows::read(&mut operands, &x.shape[2..], None, ceil)?;
    let tensor = operands.result()?;
    operands.finish()?;
    let mut x = low.addressed(&x)?;
    // One axis after the other, the last (fastest) first.
    for axis in (0..windows.kernel.len()).rev() {
        x = max_along(low, &x, &windows, axis)?;
    }
    low.define_computed(tensor, x);
    Ok(())
}

/// The maximum of each window along one spatial axis.
fn max_along(low: &mut Lowering, x: &Value, windows: &Windows, axis: usize) -> Result<Value, ModelError> {
    let var = axis + 2;
    let len = x.shape[var];
    let (out, stride, begin) = (windows.out[axis], windows.strides[axis] as i64, windows.begin[axis] as i64);
    let mut x = x.clone();
    if windows.overhangs(axis, len) {
        x = low.zero_outside(&x, &[var])?;
    }
    let mut shape = x.shape.clone();
    shape[var] = out;
    // What a cell outside counts as: no more than any value of the tensor.
    let least = low.interval(x.view.node).lo.min(0);
    let mut taps = Vec::new();
    for tap in 0..windows.kernel[axis] {
        let offset = (tap * windows.dilations[axis]) as i64 - begin;
        // Window positions whose cell lies inside the tensor.
        let start = (-offset).max(0).div_ceil_by(stride).min(out as i64);
        let end = (len as i64 - offset).max(0).div_ceil_by(stride).min(out as i64).max(start);
        if start == end {
            continue;
        }
        let mut index: Vec<AxisIndex> = (0..shape.len()).map(AxisIndex::var).collect();
        index[var] = AxisIndex::strided(var, stride, offset);
        let view = low.view_at(&x, &index)?;
        let mut terms = vec![AffineTerm::Scaled { coef: 1, view }];
        if (end - start) as usize != out && least < 0 {
            terms.push(AffineTerm::Fill { coef: least, ranges: vec![] });
            terms.push(AffineTerm::Fill { coef: -least, ranges: vec![(var, start as usize, end as usize)] });
        }
        taps.push(terms);
    }
    if let [terms] = &taps[..]
        && let [AffineTerm::Scaled { view, .. }] = &terms[..]
    {
        return Ok(Value { inner: shape.clone(), shape, view: view.clone(), frac: x.frac });
    }
    let mut nodes = Vec::with_capacity(taps.len());
    for terms in taps {
        nodes.push(low.push(Op::Affine { terms }, &shape, x.frac)?);
    }
    if nodes.is_empty() {
        return Err(ModelError::invalid("a pooling window lies outside its input entirely"));
    }
    let node = tree(low, nodes, &shape, x.frac)?;
    Ok(Value::stored(node, &shape, x.frac))
}

trait DivCeil {
    fn div_ceil_by(self, divisor: i64) -> i64;
}

impl DivCeil for i64 {
    /// For a dividend that is not negative and a positive divisor.
    fn div_ceil_by(self, divisor: i64) -> i64 {
        (self + divisor - 1) / divisor
    }
}

pub(super) fn average_pool(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let x = spatial_input(low, &operands)?;
    let ceil = ceil_mode(&mut operands)?;
    let padding_counts = operands.int("count_include_pad")?.unwrap_or(0) != 0;
    let windows = Windows::read(&mut operands, &x.shape[2..], None, ceil)?;
    average(low, operands, &x, &windows, padding_counts)
}

pub(super) fn global_average_pool(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    let x = spatial_input(low, &operands)?;
    let rank = x.shape.len() - 2;
    let windows = Windows {
        kernel: x.shape[2..].to_vec(),
        strides: vec![1; rank],
        dilations: vec![1; rank],
        begin: vec![0; rank],
        end: vec![0; rank],
        out: vec![1; rank],
    };
    average(low, operands, &x, &windows, false)
}

fn average(
    low: &mut Lowering,
    operands: Operands,
    x: &Value,
    windows: &Windows,
    padding_counts: bool,
) -> Result<(), ModelError> {
    let tensor = operands.result()?;
    operands.finish()?;
    let spatial = x.shape[2..].to_vec();
    let x = low.addressed(x)?;
    let overhanging: Vec<usize> =
        (0..spatial.len()).filter(|&a| windows.overhangs(a, spatial[a])).map(|a| a + 2).collect();
    let x = low.zero_outside(&x, &overhanging)?;
    let mut shape = x.shape[..2].to_vec();
    shape.extend(&windows.out);
    let mut vars = shape.clone();
    let mut index = vec![AxisIndex::var(0), AxisIndex::var(1)];
    for (axis, &taps) in windows.kernel.iter().enumerate() {
        let tap_var = (taps > 1).then_some(vars.len());
        index.push(windows.index(axis, axis + 2, tap_var));
        vars.extend(tap_var.map(|_| taps));
    }
    let lhs = low.view_at(&x, &index)?;
    let (lo, hi) = low.real_range(&x);
    let plan = low.plan(tensor, lo.abs().max(hi.abs()))?;

    // How many cells each window divides by, along each axis.
    let counts: Vec<Vec<usize>> = (0..spatial.len())
        .map(|axis| {
            let (begin, end) = if padding_counts { (windows.begin[axis], windows.end[axis]) } else { (0, 0) };
            let inside = -(begin as i64)..(spatial[axis] + end) as i64;
            let cell = |p: usize, tap: usize| {
                (p * windows.strides[axis] + tap * windows.dilations[axis]) as i64 - windows.begin[axis] as i64
            };
            let count = |p| (0..windows.kernel[axis]).filter(|&tap| inside.contains(&cell(p, tap))).count();
            (0..windows.out[axis]).map(|p| count(p).max(1)).collect()
        })
        .collect();
    let uniform = counts.iter().all(|axis| axis.iter().all(|&c| c == axis[0]));
    let largest: usize = counts.iter().map(|axis| axis.iter().copied().max().unwrap_or(1)).product();
    if uniform {
        return mean(low, plan, &x, Window { vars, lhs, out: &shape, size: largest }, &shape);
    }
    let bits = reciprocal_bits(low, &plan, &x, largest).min(30);
    let mut shares = vec![1.0];
    for axis in &counts {
        shares = shares.iter().flat_map(|&s: &f64| axis.iter().map(move |&c| s / c as f64)).collect();
    }
    let weight = low.push_weight(&shares, &windows.out, bits)?;
    let frac = x.frac + bits;
    let positions: Vec<usize> = (2..shape.len()).collect();
    let rhs = Some(View::of_vars(weight, &positions));
    let acc = low.push(Op::Contract { vars, lhs, rhs }, &shape, frac)?;
    low.finish_scaled(plan, acc, frac, &shape)
}

/// A sum over windows that all have the same number of cells.
pub(super) struct Window<'s> {
    pub vars: Vec<usize>,
    pub lhs: View,
    pub out: &'s [usize],
    pub size: usize,
}

/// The mean of each window.
pub(super) fn mean(
    low: &mut Lowering,
    plan: Plan,
    x: &Value,
    window: Window,
    shape: &[usize],
) -> Result<(), ModelError> {
    let Window { vars, lhs, out, size } = window;
    let op = Op::Contract { vars, lhs, rhs: None };
    if size.is_power_of_two() {
        // Dividing is only a change of scale.
        let frac = x.frac + size.trailing_zeros() as i32;
        let acc = low.push(op, out, frac)?;
        return low.finish_scaled(plan, acc, frac, shape);
    }
    let bits = reciprocal_bits(low, &plan, x, size);
    let frac = x.frac + bits;
    let sum = low.push(op, out, x.frac)?;
    let coef = (power_of_two(bits)? as f64 / size as f64).round() as i64;
    let acc = low.push(Op::Affine { terms: vec![low.scaled_identity(sum, coef)] }, out, frac)?;
    low.finish(plan, acc, frac, shape)
}

/// How many bits `1 / size` is given: the usual number, unless that is too coarse.
fn reciprocal_bits(low: &Lowering, plan: &Plan, x: &Value, size: usize) -> i32 {
    let needed = RECIPROCAL_BITS + (usize::BITS - size.leading_zeros()) as i32;
    (low.usual_frac(plan) - x.frac).max(needed)
}
