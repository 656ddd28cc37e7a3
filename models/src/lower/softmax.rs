//! Softmax and its logarithm: exponentials of differences from the largest, and their sum.
//!
//! The largest element's exponential is 1, so that the sum is 1 at least; a maximum with 1, which changes nothing, tells the interval
//! analysis so, and with it that no quotient is above 1.

use vouch_program::interval::{Interval, rescaled};
use vouch_program::{AffineTerm, AxisIndex, Func, NodeId, Op, View};

use super::build::{BITS, Lowering};
use super::extreme::along;
use super::linear::power_of_two;
use super::operands::Operands;
use super::value::Value;
use crate::error::ModelError;

/// Scale of the differences: with 16 bits they reach 16 below the largest, whose exponential rounds to nothing.
const DIFFERENCE_FRAC: i32 = 11;
/// Scale of exponentials and of the result.
const SHARE_FRAC: i32 = 14;
/// Longest axis: the sum of exponentials must fit a cell.
const MAX_LEN: usize = 1 << 16;

pub(super) fn softmax(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    let Shares { exponentials, sum, inner, shape, tensor, axis, .. } = Shares::new(low, operands)?;
    let mut den = View::identity(sum, inner.len());
    den.axes[axis] = AxisIndex::fixed(0);
    // Of a single element the axis is one of the result's.
    if inner[axis] == 1 {
        den = View::identity(sum, inner.len());
    }
    let node = low.push(Op::Divide { num: exponentials, den, shift: SHARE_FRAC as u32 }, &inner, SHARE_FRAC)?;
    low.define_computed(tensor, Value::stored(node, &inner, SHARE_FRAC).reshaped(&shape));
    Ok(())
}

/// `x` less the largest, less the logarithm of the sum.
pub(super) fn log_softmax(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    let Shares { x, largest, sum, inner, shape, tensor, axis, .. } = Shares::new(low, operands)?;
    let (lo, hi) = low.real_range(&x);
    let plan = low.plan(tensor, hi - lo + (inner[axis] as f64).ln())?;
    let frac = low.usual_frac(&plan).max(x.frac).max(SHARE_FRAC);
    let mut index: Vec<AxisIndex> = (0..inner.len()).map(AxisIndex::var).collect();
    let own = low.view_at(&x, &index)?;
    index[axis] = AxisIndex::fixed(0);
    let largest = low.addressed(&largest)?;
    let most = low.view_at(&largest, &index)?;
    let coef = power_of_two(frac - x.frac)?;
    let mut terms = vec![AffineTerm::Scaled { coef, view: own }, AffineTerm::Scaled { coef: -coef, view: most }];
    for logarithm in logarithms(low, sum, inner[axis])? {
        let view = View { node: logarithm, axes: index.clone() };
        terms.push(AffineTerm::Scaled { coef: -power_of_two(frac - SHARE_FRAC)?, view });
    }
    let acc = low.push(Op::Affine { terms }, &inner, frac)?;
    low.finish(plan, acc, frac, &shape)
}

/// Tensors whose sum is the logarithm of `sum`, which is from 1 to `most`: one for each octave, by how much of it lies below.
fn logarithms(low: &mut Lowering, sum: NodeId, most: usize) -> Result<Vec<NodeId>, ModelError> {
    let shape = low.program.node(sum).shape.clone();
    let func = low.function(("logarithm from 1 to 2", octave), SHARE_FRAC, SHARE_FRAC);
    let octaves = most.next_power_of_two().trailing_zeros().max(1);
    let part = |shift| {
        let saturate = !Interval::signed(BITS).covers(rescaled(low.interval(sum), shift));
        low.clamped(Op::Apply { input: sum, shift, func, bits: BITS, saturate }, &shape, SHARE_FRAC)
    };
    (0..octaves).map(part).collect()
}

/// The logarithm within an octave; the largest number of 16 bits stands for 2.
fn octave(x: f64) -> f64 {
    let last = f64::from(i16::MAX) * f64::from(-SHARE_FRAC).exp2();
    if x >= last { std::f64::consts::LN_2 } else { x.max(1.0).ln() }
}

/// The exponentials of one axis and their sum.
struct Shares<'g> {
    x: Value,
    /// Along the axis, which has one place.
    largest: Value,
    exponentials: NodeId,
    /// One for each place beside the axis, whose length is 1.
    sum: NodeId,
    inner: Vec<usize>,
    shape: Vec<usize>,
    tensor: &'g str,
    axis: usize,
}

impl<'g> Shares<'g> {
    fn new(low: &mut Lowering, mut operands: Operands<'g>) -> Result<Self, ModelError> {
        let x = low.value(operands.required(0)?)?;
        let tensor = operands.result()?;
        let rank = x.shape.len();
        // Before version 13 all axes from the given one on are one.
        let joins = low.graph.opset < 13;
        let axis = operands.int("axis")?.unwrap_or(if joins { 1 } else { -1 });
        let axis = if joins && axis == rank as i64 { rank } else { operands.axis(axis, rank)? };
        let shape = x.shape.clone();
        let (x, axis) = if joins {
            let outside: usize = shape[..axis].iter().product();
            (x.reshaped(&[outside, shape[axis..].iter().product()]), 1)
        } else {
            (x, axis)
        };
        if x.shape[axis] > MAX_LEN {
            return Err(operands.refuse("axis", format!("is longer than {MAX_LEN}")));
        }
        operands.finish()?;
        let x = low.addressed(&x)?;
        let inner = x.shape.clone();
        let largest = along(low, x.clone(), axis)?;
        let differences = differences(low, &x, &largest, axis)?;
        let exponentials = exponentials(low, differences)?;
        let sum = sum(low, exponentials, axis)?;
        Ok(Self { x, largest, exponentials, sum, inner, shape, tensor, axis })
    }
}

/// `x` less the largest along the axis, at [`DIFFERENCE_FRAC`], not above zero.
fn differences(low: &mut Lowering, x: &Value, largest: &Value, axis: usize) -> Result<NodeId, ModelError> {
    let shape = x.shape.clone();
    let largest = low.addressed(largest)?;
    let mut index: Vec<AxisIndex> = (0..shape.len()).map(AxisIndex::var).collect();
    let own = low.view_at(x, &index)?;
    index[axis] = AxisIndex::fixed(0);
    let most = low.view_at(&largest, &index)?;
    // A coarser tensor is brought to the scale first.
    let finer = (DIFFERENCE_FRAC - x.frac).max(0);
    let coef = power_of_two(finer)?;
    let terms = vec![AffineTerm::Scaled { coef, view: own }, AffineTerm::Scaled { coef: -coef, view: most }];
    let acc = low.push(Op::Affine { terms }, &shape, x.frac + finer)?;
    let shift = u32::try_from(x.frac + finer - DIFFERENCE_FRAC).unwrap_or(0);
    let saturate = !Interval::signed(BITS).covers(rescaled(low.interval(acc), shift));
    let apply = Op::Apply { input: acc, shift, func: Func::Identity, bits: BITS, saturate };
    low.clamped(apply, &shape, DIFFERENCE_FRAC)
}

/// The exponentials of what is not above zero.
fn exponentials(low: &mut Lowering, differences: NodeId) -> Result<NodeId, ModelError> {
    // What is above zero is never looked up.
    low.function_of(differences, ("exponential up to 1", |x| x.exp().min(1.0)), DIFFERENCE_FRAC, SHARE_FRAC)
}

/// The sum along the axis, and no less than 1.
fn sum(low: &mut Lowering, exponentials: NodeId, axis: usize) -> Result<NodeId, ModelError> {
    let shape = low.program.node(exponentials).shape.clone();
    let mut out = shape.clone();
    out[axis] = 1;
    let mut index: Vec<AxisIndex> = (0..shape.len()).map(AxisIndex::var).collect();
    let mut vars = out.clone();
    if shape[axis] > 1 {
        index[axis] = AxisIndex::var(vars.len());
        vars.push(shape[axis]);
    }
    let lhs = View { node: exponentials, axes: index };
    let sum = low.push(Op::Contract { vars, lhs, rhs: None }, &out, SHARE_FRAC)?;
    let terms = vec![low.whole(1 << SHARE_FRAC)];
    let one = low.push(Op::Affine { terms }, &out, SHARE_FRAC)?;
    low.push(Op::Max { lhs: sum, rhs: one }, &out, SHARE_FRAC)
}
