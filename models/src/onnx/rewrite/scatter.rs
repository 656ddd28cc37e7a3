//! GatherND, ScatterND and ScatterElements with constant indices: by Gather along one axis, of a tensor's slices, or of all elements of two
//! tensors side by side, of which each place picks its own.

use super::node::{Rewriting, int};
use crate::error::ModelError;
use crate::onnx::MAX_ELEMENTS;

/// The slices that tuples of indices name, along with the first `shared` axes of both.
pub(super) fn slices(
    node: &mut Rewriting,
    shape: &[usize],
    indices: &[i64],
    index_shape: &[usize],
) -> Result<(), ModelError> {
    let shared = node.int("batch_dims")?.unwrap_or(0);
    let shared = usize::try_from(shared).ok().filter(|&shared| shared < index_shape.len() && shared <= shape.len());
    let shared = shared.ok_or_else(|| node.refuse("batch_dims", "is more than there are axes"))?;
    let (places, depth) = (&index_shape[..index_shape.len() - 1], index_shape[index_shape.len() - 1]);
    if depth == 0 || shared + depth > shape.len() || places[..shared] != shape[..shared] {
        return Err(node.refuse("operand 1", "names more axes than there are"));
    }
    let each = places[shared..].iter().product::<usize>().max(1);
    let mut flat = Vec::with_capacity(indices.len() / depth);
    for (tuple, indices) in indices.chunks(depth).enumerate() {
        // Which of those that both share it is, row-major.
        let mut at = tuple / each;
        for (&index, &len) in indices.iter().zip(&shape[shared..]) {
            at = at * len + from_front(node, index, len)?;
        }
        flat.push(at as i64);
    }
    let (x, result) = (node.operand(0)?, node.result(0));
    let lens = |lens: &[usize]| lens.iter().map(|&len| len as i64).collect::<Vec<_>>();
    let named: usize = shape[..shared + depth].iter().product();
    let rows = node.reshape(&x, &[vec![named as i64], lens(&shape[shared + depth..])].concat(), "slices");
    let flat = node.integers("places in a row", &flat);
    let flat = node.reshape(&flat, &lens(places), "places");
    node.define("Gather", &[&rows, &flat], &result, vec![int("axis", 0)]);
    Ok(())
}

/// `indices` and `updates`, of the shapes `index_shape` and `update_shape`, in a tensor of `shape`.
pub(super) struct Scatter<'a> {
    pub shape: &'a [usize],
    pub indices: &'a [i64],
    pub index_shape: &'a [usize],
    pub update_shape: &'a [usize],
}

/// The last axis of the indices names the first axes of the tensor.
pub(super) fn tuples(node: &mut Rewriting, of: &Scatter) -> Result<(), ModelError> {
    let (depth, rank) = (of.index_shape.last().copied().unwrap_or_default(), of.shape.len());
    if depth == 0 || depth > rank || !of.indices.len().is_multiple_of(depth) {
        return Err(node.refuse("operand 1", "names more axes than there are"));
    }
    let inside: usize = of.shape[depth..].iter().product();
    let mut starts = Vec::with_capacity(of.indices.len() / depth);
    for tuple in of.indices.chunks(depth) {
        let mut start = 0;
        for (&index, &len) in tuple.iter().zip(of.shape) {
            start = start * len + from_front(node, index, len)?;
        }
        starts.push(start * inside);
    }
    scatter(node, of, starts.into_iter().flat_map(|start| start..start + inside).collect())
}

/// Each index replaces the place of its update along an axis.
pub(super) fn elements(node: &mut Rewriting, of: &Scatter) -> Result<(), ModelError> {
    let rank = of.shape.len();
    let axis = node.int("axis")?.unwrap_or(0);
    let axis = node.axis(axis, rank)?;
    let fits = |other: usize| other == axis || of.index_shape[other] <= of.shape[other];
    if of.index_shape.len() != rank || !(0..rank).all(fits) {
        return Err(node.refuse("operand 1", "has an axis that is longer than the tensor's"));
    }
    let stride = |shape: &[usize], axis: usize| shape[axis + 1..].iter().product::<usize>();
    let mut positions = Vec::with_capacity(of.indices.len());
    for (flat, &index) in of.indices.iter().enumerate() {
        let along = from_front(node, index, of.shape[axis])?;
        let place = |other: usize| flat / stride(of.index_shape, other) % of.index_shape[other];
        let at = |other: usize| if other == axis { along } else { place(other) };
        positions.push((0..rank).map(|other| at(other) * stride(of.shape, other)).sum());
    }
    scatter(node, of, positions)
}

fn from_front(node: &Rewriting, index: i64, len: usize) -> Result<usize, ModelError> {
    let index = usize::try_from(if index < 0 { index + len as i64 } else { index }).ok();
    index.filter(|&index| index < len).ok_or_else(|| node.refuse("operand 1", "has an index outside the axis"))
}

/// Update `i` goes to the flat place `positions[i]`.
fn scatter(node: &mut Rewriting, of: &Scatter, positions: Vec<usize>) -> Result<(), ModelError> {
    if !matches!(node.string("reduction")?.as_deref(), None | Some("none")) {
        return Err(node.refuse("reduction", "is not supported"));
    }
    let elements: usize = of.shape.iter().product();
    if positions.len() != of.update_shape.iter().product::<usize>() || elements + positions.len() > MAX_ELEMENTS {
        return Err(node.refuse("operand 2", "has another number of elements than the indices name"));
    }
    let (x, updates, result) = (node.operand(0)?, node.operand(2)?, node.result(0));
    let mut picked: Vec<i64> = (0..elements as i64).collect();
    for (update, &place) in positions.iter().enumerate() {
        picked[place] = (elements + update) as i64;
    }
    let x = node.reshape(&x, &[elements as i64], "in a row");
    let updates = node.reshape(&updates, &[positions.len() as i64], "updates in a row");
    let all = node.compute("Concat", &[&x, &updates], "side by side", vec![int("axis", 0)]);
    let picked = node.integers("places", &picked);
    let picked = node.compute("Gather", &[&all, &picked], "picked", vec![int("axis", 0)]);
    let shape: Vec<i64> = of.shape.iter().map(|&len| len as i64).collect();
    let shape = node.integers("shape", &shape);
    node.define("Reshape", &[&picked, &shape], &result, vec![]);
    Ok(())
}
