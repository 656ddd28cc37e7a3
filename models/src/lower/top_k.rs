//! TopK: the largest along an axis one after the other, each taken out before the next is looked for.

use vouch_program::interval::Interval;
use vouch_program::{AffineTerm, AxisIndex, NodeId, Op, View};

use super::build::{BITS, Lowering};
use super::operands::Operands;
use super::value::Value;
use crate::error::ModelError;

/// Most elements that are looked at, those of all rounds together.
const MAX_LOOKED_AT: usize = 1 << 22;

pub(super) fn top_k(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let value = low.value(operands.required(0)?)?;
    let rank = value.shape.len();
    let axis = operands.int("axis")?.unwrap_or(-1);
    let axis = operands.axis(axis, rank)?;
    let count = operands.integers("k", 1)?.and_then(|given| given.first().copied());
    let count = count.and_then(|count| usize::try_from(count).ok());
    let count = count.filter(|count| (1..=value.shape[axis]).contains(count));
    let count = count.ok_or_else(|| operands.refuse("k", "is not from 1 to the length of the axis"))?;
    let largest = operands.int("largest")?.unwrap_or(1) != 0;
    // Sorted is one of the orders that may be any.
    operands.ignore("sorted");
    if value.shape.iter().product::<usize>() * count > MAX_LOOKED_AT {
        return Err(operands.refuse("k", format!("{MAX_LOOKED_AT} elements are looked at at most, k times all")));
    }
    let wanted = |position: usize| {
        let name = operands.node().outputs.get(position).map(String::as_str);
        name.filter(|name| !name.is_empty() && low.graph.is_read(name))
    };
    let (values, indices) = (wanted(0), wanted(1));
    operands.finish()?;

    let value = low.addressed(&value)?;
    let (shape, frac) = (value.shape.clone(), value.frac);
    let mut inner = shape.clone();
    inner[axis] = 1;
    let mut rest = within(low, &value, largest)?;
    let (mut found, mut places) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for round in 0..count {
        let place = low.push(Op::ArgMax { input: rest, axis }, &inner, 0)?;
        let flags = flags(low, place, axis, &shape)?;
        places.push(place);
        if values.is_some() {
            // The one that is flagged.
            let mut vars = inner.clone();
            vars.push(shape[axis]);
            let along = |node: NodeId| {
                let mut axes: Vec<AxisIndex> = (0..rank).map(AxisIndex::var).collect();
                axes[axis] = AxisIndex::var(rank);
                View { node, axes }
            };
            let (lhs, rhs) = (along(rest), Some(along(flags)));
            found.push(low.push(Op::Contract { vars, lhs, rhs }, &inner, frac)?);
        }
        if round + 1 < count {
            // Below all others: the lesser of x and hi - flag·(hi - lo), so that its interval stays as it is.
            let Interval { lo, hi } = Interval::signed(BITS);
            let negated = low.push(Op::Affine { terms: vec![low.scaled_identity(rest, -1)] }, &shape, frac)?;
            let terms = vec![low.whole(-hi), low.scaled_identity(flags, hi - lo)];
            let least = low.push(Op::Affine { terms }, &shape, frac)?;
            let taken = low.push(Op::Max { lhs: negated, rhs: least }, &shape, frac)?;
            let input = low.push(Op::Affine { terms: vec![low.scaled_identity(taken, -1)] }, &shape, frac)?;
            rest = low.push(Op::Store { input }, &shape, frac)?;
        }
    }
    let sign = if largest { 1 } else { -1 };
    if let Some(tensor) = values {
        let stored: Result<Vec<_>, _> =
            found.into_iter().map(|node| low.push(Op::Store { input: node }, &inner, frac)).collect();
        side_by_side(low, &stored?, axis, sign, frac, tensor)?;
    }
    if let Some(tensor) = indices {
        side_by_side(low, &places, axis, 1, 0, tensor)?;
    }
    Ok(())
}

/// The tensor, negated if its smallest are wanted, with room for one number below all.
fn within(low: &mut Lowering, value: &Value, largest: bool) -> Result<NodeId, ModelError> {
    let mut node = low.materialised(value)?.view.node;
    if !largest {
        let terms = vec![low.scaled_identity(node, -1)];
        node = low.push(Op::Affine { terms }, &value.shape, value.frac)?;
    }
    let Interval { lo, hi } = Interval::signed(BITS);
    // The least has no negative.
    if low.interval(node).hi > hi {
        let saturate = true;
        let op = Op::Apply { input: node, shift: 0, func: vouch_program::Func::Identity, bits: BITS, saturate };
        node = low.push(op, &value.shape, value.frac)?;
    }
    if low.interval(node).lo <= lo {
        let least = low.push(Op::Affine { terms: vec![low.whole(lo + 1)] }, &value.shape, value.frac)?;
        return low.push(Op::Max { lhs: node, rhs: least }, &value.shape, value.frac);
    }
    if low.program.node(node).op.is_stored() {
        return Ok(node);
    }
    low.push(Op::Store { input: node }, &value.shape, value.frac)
}

/// 1 at the place along an axis that a tensor names, else 0.
fn flags(low: &mut Lowering, place: NodeId, axis: usize, shape: &[usize]) -> Result<NodeId, ModelError> {
    let mut axes: Vec<AxisIndex> = (0..shape.len()).map(AxisIndex::var).collect();
    axes[axis] = AxisIndex::fixed(0);
    let input = low.less_place(View { node: place, axes }, axis, shape)?;
    let func = low.truths("equal", |difference| difference == 0);
    let saturate = !Interval::signed(BITS).covers(low.interval(input));
    low.push(Op::Apply { input, shift: 0, func, bits: BITS, saturate }, shape, 0)
}

/// Nodes of one place along an axis, as one tensor.
fn side_by_side(
    low: &mut Lowering,
    nodes: &[NodeId],
    axis: usize,
    coef: i64,
    frac: i32,
    tensor: &str,
) -> Result<(), ModelError> {
    let mut shape = low.program.node(nodes[0]).shape.clone();
    shape[axis] = nodes.len();
    let terms = nodes.iter().enumerate().map(|(place, &node)| {
        let mut view = View::identity(node, shape.len());
        view.axes[axis].offset = -(place as i64);
        AffineTerm::Scaled { coef, view }
    });
    let acc = low.push(Op::Affine { terms: terms.collect() }, &shape, frac)?;
    let node = low.push(Op::Store { input: acc }, &shape, frac)?;
    low.define_computed(tensor, Value::stored(node, &shape, frac));
    Ok(())
}
