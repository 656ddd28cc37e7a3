//! Operators that pick or repeat elements: Gather, Split, Expand, Tile, blocks to channels and back.

use vouch_program::{AxisIndex, Op};

use super::build::Lowering;
use super::layout::permuted;
use super::operand::Operand;
use super::operands::Operands;
use super::value::Value;
use crate::calibrate::frac_for;
use crate::error::ModelError;

pub(super) fn gather(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let axis = operands.int("axis")?.unwrap_or(0);
    if !low.graph.is_constant(operands.required(1)?) {
        return gather_by_computed(low, operands, axis);
    }
    let value = low.value(operands.required(0)?)?;
    let axis = operands.axis(axis, value.shape.len())?;
    let indices = operands.optional_integers(1)?.ok_or_else(|| operands.refuse("operand 1", "is missing"))?;
    let tensor = operands.result()?;
    let shape = operands.shape(tensor)?;
    let len = value.shape[axis];
    let from_front = |&i: &i64| if i < 0 { i + len as i64 } else { i };
    let picked: Option<Vec<usize>> =
        indices.iter().map(|i| usize::try_from(from_front(i)).ok().filter(|&i| i < len)).collect();
    let picked = picked.ok_or_else(|| operands.refuse("operand 1", "has an index outside the axis"))?;
    operands.finish()?;
    let value = low.addressed(&value)?;
    // Evenly spaced ones are a view.
    let step = picked.get(1).map_or(1, |second| *second as i64 - picked[0] as i64);
    let even = picked.windows(2).all(|pair| pair[1] as i64 - pair[0] as i64 == step) && step != 0;
    let mut inner = value.shape.clone();
    inner[axis] = picked.len();
    if even && !picked.is_empty() {
        let mut index: Vec<AxisIndex> = (0..inner.len()).map(AxisIndex::var).collect();
        index[axis] = AxisIndex::strided(axis, step, picked[0] as i64);
        let view = low.view_at(&value, &index)?;
        let value = Value { shape: inner.clone(), inner, view, frac: value.frac };
        low.define(tensor, value.reshaped(&shape));
        return Ok(());
    }
    let places = shape[axis..shape.len() - (value.shape.len() - axis - 1)].to_vec();
    if let Some(along) = even_places(&picked, &places, axis) {
        let from = |other: usize| if other < axis { other } else { other + places.len() - 1 };
        let of = |other: usize| if other == axis { along.clone() } else { AxisIndex::var(from(other)) };
        let index: Vec<AxisIndex> = (0..value.shape.len()).map(of).collect();
        let view = low.view_at(&value, &index)?;
        low.define(tensor, Value { inner: shape.clone(), shape, view, frac: value.frac });
        return Ok(());
    }
    let inside: usize = value.shape[axis + 1..].iter().product();
    let outside: usize = value.shape[..axis].iter().product();
    let flat = (0..outside).flat_map(|o| picked.iter().map(move |&i| (o * len + i) * inside));
    let flat = flat.flat_map(|start| start..start + inside);
    picked_elements(low, &value, flat.collect(), tensor, &shape)
}

/// Indices of these places, variables from `first` on, that step evenly along each axis: what they are a sum of. `None` if they do not, or if
/// that is more than a view can say.
fn even_places(indices: &[usize], places: &[usize], first: usize) -> Option<AxisIndex> {
    let stride = |axis: usize| places[axis + 1..].iter().product::<usize>();
    let at = |place: usize| indices.get(place).map(|&index| index as i64);
    let start = at(0)?;
    let axes: Vec<(usize, i64)> = (0..places.len())
        .filter(|&axis| places[axis] > 1)
        .map(|axis| at(stride(axis)).map(|next| (axis, next - start)))
        .collect::<Option<_>>()?;
    let is_even = (0..indices.len()).all(|place| {
        let moved: i64 = axes.iter().map(|&(axis, step)| step * (place / stride(axis) % places[axis]) as i64).sum();
        at(place) == Some(start + moved)
    });
    let terms = axes.into_iter().filter(|(_, step)| *step != 0).map(|(axis, step)| (first + axis, step));
    let along = AxisIndex { terms: terms.collect(), offset: start };
    (is_even && along.terms.len() <= 2).then_some(along)
}

/// Of a table, such as embeddings, or of a computed tensor: the slices along the axis that computed indices name.
fn gather_by_computed(low: &mut Lowering, operands: Operands, axis: i64) -> Result<(), ModelError> {
    let data = Operand::read(low, &operands, 0)?;
    let index = low.value(operands.required(1)?)?;
    let rank = data.shape().len();
    let axis = operands.axis(axis, rank)?;
    let tensor = operands.result()?;
    let index = low.integers(&index)?;
    let order: Vec<usize> = std::iter::once(axis).chain((0..rank).filter(|&other| other != axis)).collect();
    let (rows, frac) = match data {
        Operand::Constant(array) => {
            let name = operands.required(0)?;
            match low.picked_from.get(&(name.to_string(), axis)) {
                Some(&rows) => (rows, low.program.node(rows).frac),
                None => {
                    let moved = array.permuted_axes(order);
                    let (real, frac) = table(&operands, moved.iter());
                    let rows = low.push_weight(&real, moved.shape(), frac)?;
                    low.picked_from.insert((name.to_string(), axis), rows);
                    (rows, frac)
                }
            }
        }
        Operand::Computed(value) => {
            let moved = permuted(low, &value, &order)?;
            (low.materialised(&moved)?.view.node, value.frac)
        }
    };
    let row = low.program.node(rows).shape[1..].to_vec();
    let shape = [&index.shape[..], &row].concat();
    let node = low.push(Op::Pick { rows, index: index.view.node, shared: 0 }, &shape, frac)?;
    operands.finish()?;
    // The indices' axes stand where the axis was.
    let (from, to) = (index.shape.len(), shape.len());
    let order: Vec<usize> = (from..from + axis).chain(0..from).chain(from + axis..to).collect();
    let picked = permuted(low, &Value::stored(node, &shape, frac), &order)?;
    low.define_computed(tensor, picked);
    Ok(())
}

/// The constant that is picked from, and its scale: integers stay as they are.
fn table<'a>(operands: &Operands, data: impl Iterator<Item = &'a f32>) -> (Vec<f64>, i32) {
    let real: Vec<f64> = data.map(|&x| x.into()).collect();
    let integer = operands.constant_type(0).is_some_and(|kind| !kind.is_float());
    let frac = if integer { 0 } else { frac_for(real.iter().fold(0.0, |most, x| x.abs().max(most))) };
    (real, frac)
}

/// For each index the element of which it is the place along the axis; the other places are the index's own.
pub(super) fn gather_elements(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let axis = operands.int("axis")?.unwrap_or(0);
    let data = Operand::read(low, &operands, 0)?;
    let own = data.shape().to_vec();
    let axis = operands.axis(axis, own.len())?;
    let tensor = operands.result()?;
    let shape = operands.shape(operands.required(1)?)?;
    let len = own[axis];
    let inside = |a: usize| a == axis || shape[a] <= own[a];
    if shape.len() != own.len() || !(0..own.len()).all(inside) {
        return Err(operands.refuse("operand 1", "has an axis that is longer than the data's"));
    }
    if low.graph.is_constant(operands.required(1)?) {
        let indices = operands.optional_integers(1)?.unwrap_or_default();
        let from_front = |i: i64| usize::try_from(if i < 0 { i + len as i64 } else { i }).ok().filter(|&i| i < len);
        let stride = |a: usize| own[a + 1..].iter().product::<usize>();
        // The places along the other axes are the index's own.
        let picked = indices.iter().enumerate().map(|(flat, &i)| {
            let places = (0..shape.len()).filter(|&a| a != axis);
            let own = places.map(|a| flat / shape[a + 1..].iter().product::<usize>() % shape[a] * stride(a));
            Some(own.sum::<usize>() + stride(axis) * from_front(i)?)
        });
        let picked: Option<Vec<usize>> = picked.collect();
        let picked = picked.ok_or_else(|| operands.refuse("operand 1", "has an index outside the axis"))?;
        operands.finish()?;
        let Operand::Computed(value) = data else {
            return Err(ModelError::invalid(format!("tensor \"{tensor}\" is constant but was not folded")));
        };
        return picked_elements(low, &value, picked, tensor, &shape);
    }
    // Of all other axes together the places are what picks, and is picked from along the axis.
    let others: Vec<usize> = (0..own.len()).filter(|&other| other != axis).collect();
    let order = [&others[..], &[axis]].concat();
    let (rows, frac) = match data {
        Operand::Constant(array) => {
            let inside =
                array.slice_each_axis(|a| ndarray::Slice::from(..if a.axis.0 == axis { len } else { shape[a.axis.0] }));
            let moved = inside.permuted_axes(order.clone());
            let (real, frac) = table(&operands, moved.iter());
            (low.push_weight(&real, moved.shape(), frac)?, frac)
        }
        Operand::Computed(value) => {
            let value = low.addressed(&value)?;
            let mut inside = value.clone();
            others.iter().for_each(|&other| inside.shape[other] = shape[other]);
            inside.inner.clone_from(&inside.shape);
            let moved = permuted(low, if inside.shape == own { &value } else { &inside }, &order)?;
            (low.materialised(&moved)?.view.node, value.frac)
        }
    };
    let index = low.value(operands.required(1)?)?;
    let index = low.integers(&index)?;
    let index = permuted(low, &index, &order)?;
    let index = low.materialised(&index)?;
    operands.finish()?;
    let node = low.push(Op::Pick { rows, index: index.view.node, shared: others.len() }, &index.shape, frac)?;
    let mut back: Vec<usize> = (0..others.len()).collect();
    back.insert(axis, others.len());
    let picked = permuted(low, &Value::stored(node, &index.shape, frac), &back)?;
    low.define_computed(tensor, picked);
    Ok(())
}

/// The elements at flat positions, as a tensor.
pub(super) fn picked_elements(
    low: &mut Lowering,
    value: &Value,
    positions: Vec<usize>,
    tensor: &str,
    shape: &[usize],
) -> Result<(), ModelError> {
    let whole = low.materialised(value)?;
    let index: Result<Vec<u32>, _> = positions.into_iter().map(u32::try_from).collect();
    let index =
        index.map_err(|_| ModelError::invalid(format!("tensor \"{tensor}\" is picked from too many elements")))?;
    let node = low.push(Op::Gather { input: whole.view.node, index }, shape, value.frac)?;
    low.define_computed(tensor, Value::stored(node, shape, value.frac));
    Ok(())
}

pub(super) fn split(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let value = low.value(operands.required(0)?)?;
    let axis = operands.int("axis")?.unwrap_or(0);
    let axis = operands.axis(axis, value.shape.len())?;
    // The parts' lengths follow from the results' shapes.
    operands.ignore("split");
    operands.ignore("num_outputs");
    operands.optional_integers(1)?;
    let results: Vec<&str> = operands.results().collect();
    let value = low.addressed(&value)?;
    let mut start = 0;
    let mut parts = Vec::with_capacity(results.len());
    for tensor in results {
        let shape = operands.shape(tensor)?;
        let mut index: Vec<AxisIndex> = (0..shape.len()).map(AxisIndex::var).collect();
        index[axis] = AxisIndex::strided(axis, 1, start as i64);
        start += shape[axis];
        parts.push((tensor, shape, index));
    }
    if start != value.shape[axis] {
        return Err(operands.refuse("split", "the parts are not the whole axis"));
    }
    operands.finish()?;
    for (tensor, shape, index) in parts {
        let view = low.view_at(&value, &index)?;
        low.define(tensor, Value { inner: shape.clone(), shape, view, frac: value.frac });
    }
    Ok(())
}

pub(super) fn expand(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    let value = low.value(operands.required(0)?)?;
    let tensor = operands.result()?;
    operands.optional_integers(1)?;
    let shape = operands.shape(tensor)?;
    operands.finish()?;
    let value = low.addressed(&value)?;
    let view = low.view_at(&value, &super::elementwise::broadcast_index(&value.shape, shape.len()))?;
    low.define(tensor, Value { inner: shape.clone(), shape, view, frac: value.frac });
    Ok(())
}

pub(super) fn tile(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    let value = low.value(operands.required(0)?)?;
    let tensor = operands.result()?;
    operands.optional_integers(1)?;
    let shape = operands.shape(tensor)?;
    operands.finish()?;
    let value = low.addressed(&value)?;
    // Each axis as (repetition, place): the first is not read.
    let (mut inner, mut index) = (Vec::new(), Vec::new());
    for (&len, &tiled) in value.shape.iter().zip(&shape) {
        if tiled > len {
            inner.push(tiled / len);
        }
        index.push(AxisIndex::var(inner.len()));
        inner.push(len);
    }
    let view = low.view_at(&value, &index)?;
    low.define(tensor, Value { shape, inner, view, frac: value.frac });
    Ok(())
}

pub(super) fn depth_to_space(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let depth_first = match operands.string("mode")?.as_deref() {
        None | Some("DCR") => true,
        Some("CRD") => false,
        Some(other) => return Err(operands.refuse("mode", format!("\"{other}\" is not known"))),
    };
    let (value, tensor, block) = blocks(low, operands)?;
    let [n, c, h, w] = value.shape[..] else { return Err(not_an_image(low)) };
    let inner = c / (block * block);
    let (split, order) = if depth_first {
        (vec![n, block, block, inner, h, w], [0, 3, 4, 1, 5, 2])
    } else {
        (vec![n, inner, block, block, h, w], [0, 1, 4, 2, 5, 3])
    };
    rearranged(low, &value, tensor, &split, &order)
}

pub(super) fn space_to_depth(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    let (value, tensor, block) = blocks(low, operands)?;
    let [n, c, h, w] = value.shape[..] else { return Err(not_an_image(low)) };
    let split = [n, c, h / block, block, w / block, block];
    rearranged(low, &value, tensor, &split, &[0, 3, 5, 1, 2, 4])
}

fn blocks<'g>(low: &Lowering, mut operands: Operands<'g>) -> Result<(Value, &'g str, usize), ModelError> {
    let value = low.value(operands.required(0)?)?;
    let tensor = operands.result()?;
    let block = operands.int("blocksize")?.and_then(|block| usize::try_from(block).ok()).filter(|block| *block > 0);
    let block = block.ok_or_else(|| operands.refuse("blocksize", "is missing or not positive"))?;
    operands.finish()?;
    Ok((value, tensor, block))
}

fn not_an_image(low: &Lowering) -> ModelError {
    ModelError::invalid(format!("node {}: its operand needs four axes", low.source))
}

/// Axes split, then reordered, as a tensor of the shape that inference gave.
fn rearranged(
    low: &mut Lowering,
    value: &Value,
    tensor: &str,
    split: &[usize],
    order: &[usize],
) -> Result<(), ModelError> {
    if split.iter().product::<usize>() != value.shape.iter().product::<usize>() {
        return Err(ModelError::invalid(format!("node {}: the block size does not divide its operand", low.source)));
    }
    let shape = low.graph.shape(tensor).map(<[usize]>::to_vec);
    let shape = shape.ok_or_else(|| ModelError::invalid(format!("the shape of tensor \"{tensor}\" is not known")))?;
    let moved = permuted(low, &value.reshaped(split), order)?;
    low.define(tensor, moved.reshaped(&shape));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_step_evenly_are_an_index() {
        // Of each query and key the key.
        let keys: Vec<usize> = (0..3).flat_map(|_| 0..4).collect();
        assert_eq!(even_places(&keys, &[1, 3, 4], 2), Some(AxisIndex { terms: vec![(4, 1)], offset: 0 }));
        // Windows that lie over each other, backwards.
        let windows = [5, 4, 3, 4, 3, 2];
        assert_eq!(even_places(&windows, &[2, 3], 0), Some(AxisIndex { terms: vec![(0, -1), (1, -1)], offset: 5 }));
        assert_eq!(even_places(&[7], &[], 1), Some(AxisIndex::fixed(7)));
        assert_eq!(even_places(&[0, 1, 3], &[3], 0), None);
        assert_eq!(even_places(&[0, 1, 2, 4], &[2, 2], 0), None);
    }
}
