//! Operators that are written as others once the shape of what they are of is known: what [`super::settle`] has asked the runtime for.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::prelude::Tensor;

use super::super::float::{floats, integers};
use super::node::{Reduced, Rewriting, int, ints};
use super::scatter::Scatter;
use super::{reductions, scatter};
use crate::error::ModelError;

/// What the runtime said of tensors.
pub(super) struct Known {
    pub shapes: HashMap<String, Vec<usize>>,
    pub constants: HashMap<String, Arc<Tensor>>,
    /// Tensors of integers.
    pub integers: HashSet<String>,
}

/// Writes one node of those that wait, but If.
///
/// # Errors
///
/// If it depends on an input where only constants are supported, or makes no sense.
pub(super) fn write(node: &mut Rewriting, known: &Known, opset: i64) -> Result<(), ModelError> {
    let (x, result) = (node.operand(0)?, node.result(0));
    let unknown = |node: &Rewriting| node.refuse("operand 0", "its shape is not known");
    let shape = known.shapes.get(&x).cloned().ok_or_else(|| unknown(node))?;
    match node.operator() {
        "Col2Im" => return image(node, known, &shape),
        "Gemm" => return product_and_sum(node),
        "CumSum" => return cumulative_sum(node, known, &shape),
        "Hardmax" => return flag_of_largest(node, &shape, opset),
        "LRN" => return local_response(node, &shape),
        "RMSNormalization" => return by_root_mean_square(node, &shape),
        "ReduceProd" => return product(node, known, &shape),
        "GatherND" | "Scatter" | "ScatterElements" | "ScatterND" => return by_indices(node, known, &shape),
        _ => {}
    }
    if node.operator() == "Squeeze" {
        let shape: Vec<i64> = shape.iter().filter(|&&len| len != 1).map(|&len| len as i64).collect();
        let shape = node.integers("shape", &shape);
        node.define("Reshape", &[&x, &shape], &result, vec![]);
        return Ok(());
    }
    let scales = if opset < 9 {
        node.floats("scales")?
    } else {
        let given = known.constants.get(&node.operand(1)?).and_then(|tensor| floats(tensor));
        given.ok_or_else(|| node.refuse("scales", "must be constant"))?
    };
    let mode = node.string("mode")?;
    upsample(node, &x, &shape, &scales, mode.as_deref().unwrap_or("nearest"))
}

/// Of each place along an axis the sum of all up to it: a product with a triangle of ones.
fn cumulative_sum(node: &mut Rewriting, known: &Known, shape: &[usize]) -> Result<(), ModelError> {
    let rank = shape.len();
    let axis = node.optional(1).and_then(|name| known.integers(&name)).and_then(|axes| axes.first().copied());
    let axis = node.axis(axis.ok_or_else(|| node.refuse("operand 1", "is no constant"))?, rank)?;
    let exclusive = node.int("exclusive")?.unwrap_or(0) != 0;
    let reverse = node.int("reverse")?.unwrap_or(0) != 0;
    let len = shape[axis];
    is_short(node, len)?;
    let counts = |from: usize, to: usize| if reverse { from >= to } else { from <= to } && !(exclusive && from == to);
    let ones = (0..len).flat_map(|from| (0..len).map(move |to| f32::from(u8::from(counts(from, to)))));
    let ones: Vec<f32> = ones.collect();
    let (x, result) = (node.operand(0)?, node.result(0));
    let floats = node.floats_of_operand()?;
    let sums = along(node, &floats, axis, rank, &[len, len], &ones, "sums");
    let kind = if known.integers.contains(&x) { DataType::Int64 } else { DataType::Float };
    node.define("Cast", &[&sums], &result, vec![int("to", kind as i64)]);
    Ok(())
}

/// Blocks in columns, summed where they lie over each other in the image: a transposed convolution whose weights put each row of a column
/// to its place in the block.
fn image(node: &mut Rewriting, known: &Known, shape: &[usize]) -> Result<(), ModelError> {
    let constant = |node: &Rewriting, position: usize| {
        let given = node.optional(position).and_then(|name| known.integers(&name)).unwrap_or_default();
        match given[..] {
            [a, b] if (1..1 << 20).contains(&a) && (1..1 << 20).contains(&b) => Ok([a, b]),
            _ => Err(node.refuse(&format!("operand {position}"), "needs two constant lengths")),
        }
    };
    let (image, block) = (constant(node, 1)?, constant(node, 2)?);
    let mut pair = |name: &str, least: i64| match node.ints(name)?[..] {
        [] => Ok([least; 2]),
        [a, b] if a >= least && b >= least && a.max(b) < 1 << 20 => Ok([a, b]),
        _ => Err(node.refuse(name, "needs two lengths")),
    };
    let (strides, dilations) = (pair("strides", 1)?, pair("dilations", 1)?);
    let pads = match node.ints("pads")?[..] {
        [] => [0; 4],
        [a, b, c, d] if [a, b, c, d].iter().all(|pad| (0..1 << 20).contains(pad)) => [a, b, c, d],
        _ => return Err(node.refuse("pads", "needs four lengths")),
    };
    let places = block[0] * block[1];
    let span = |axis: usize| image[axis] + pads[axis] + pads[axis + 2] - dilations[axis] * (block[axis] - 1) - 1;
    let blocks = [0, 1].map(|axis| span(axis).div_euclid(strides[axis]) + 1);
    let fits = matches!(shape, [_, rows, columns] if places <= *rows as i64
        && *rows as i64 % places == 0
        && span(0) >= 0 && span(1) >= 0
        && *columns as i64 == blocks[0] * blocks[1]);
    if !fits || places > 1 << 12 {
        return Err(node.refuse("operand 0", "has not as many columns as blocks fit into the image"));
    }
    let (x, result) = (node.operand(0)?, node.result(0));
    let (batch, channels) = (shape[0] as i64, shape[1] as i64 / places);
    let columns = node.reshape(&x, &[batch * channels, places, blocks[0], blocks[1]], "columns");
    let side = places as usize;
    let weights: Vec<f32> = (0..side * side).map(|i| f32::from(u8::from(i % side == i / side))).collect();
    let weights = node.numbers("places", &[side, 1, block[0] as usize, block[1] as usize], &weights);
    let rest = [0, 1].map(|axis| span(axis).rem_euclid(strides[axis]));
    let attributes = vec![
        ints("kernel_shape", &block),
        ints("strides", &strides),
        ints("dilations", &dilations),
        ints("pads", &pads),
        ints("output_padding", &rest),
    ];
    let image_of = node.compute("ConvTranspose", &[&columns, &weights], "blocks over each other", attributes);
    let to = node.integers("shape", &[batch, channels, image[0], image[1]]);
    node.define("Reshape", &[&image_of, &to], &result, vec![]);
    Ok(())
}

/// 1 where the first of the largest along an axis is, else 0.
fn flag_of_largest(node: &mut Rewriting, shape: &[usize], opset: i64) -> Result<(), ModelError> {
    let rank = shape.len();
    // Before version 13 all axes from one on are one.
    let axis = node.int("axis")?.unwrap_or(if opset < 13 { 1 } else { -1 });
    let axis = node.axis(axis, rank)?;
    let (x, result) = (node.operand(0)?, node.result(0));
    let (whole, len) = (opset < 13, shape[axis..].iter().product::<usize>());
    let (rows, along, depth) = match whole {
        true => (node.reshape(&x, &[-1, len as i64], "rows"), 1, len),
        false => (x, axis, shape[axis]),
    };
    let place = node.compute("ArgMax", &[&rows], "place", vec![int("axis", along as i64), int("keepdims", 0)]);
    let (depth, values) = (node.integers("places", &[depth as i64]), node.numbers("values", &[2], &[0.0, 1.0]));
    let flags = node.compute("OneHot", &[&place, &depth, &values], "flags", vec![int("axis", along as i64)]);
    let shape: Vec<i64> = shape.iter().map(|&len| len as i64).collect();
    let shape = node.integers("shape", &shape);
    node.define("Reshape", &[&flags, &shape], &result, vec![]);
    Ok(())
}

/// `x / (bias + alpha/size·Σ x²)^beta`, the sum over so many channels around each.
fn local_response(node: &mut Rewriting, shape: &[usize]) -> Result<(), ModelError> {
    let size = node.int("size")?.and_then(|size| usize::try_from(size).ok()).filter(|size| (1..1 << 20).contains(size));
    let size = size.ok_or_else(|| node.refuse("size", "is no number of channels"))?;
    let (alpha, beta) = (node.float("alpha")?.unwrap_or(1e-4), node.float("beta")?.unwrap_or(0.75));
    let bias = node.float("bias")?.unwrap_or(1.0);
    let [_, channels, ..] = *shape else { return Err(node.refuse("operand 0", "needs a channel axis")) };
    is_short(node, channels)?;
    let (x, result) = (node.operand(0)?, node.result(0));
    let squares = node.compute("Mul", &[&x, &x], "squares", vec![]);
    let near = |from: usize, to: usize| from + (size - 1) / 2 >= to && from <= to + size / 2;
    let shares = (0..channels).flat_map(|from| (0..channels).map(move |to| (from, to)));
    let shares: Vec<f32> = shares.map(|(from, to)| if near(from, to) { alpha / size as f32 } else { 0.0 }).collect();
    let sums = along(node, &squares, 1, shape.len(), &[channels, channels], &shares, "sums");
    let bias = node.numbers("bias", &[], &[bias]);
    let sums = node.compute("Add", &[&sums, &bias], "sums and bias", vec![]);
    let power = node.numbers("power", &[], &[-beta]);
    let factors = node.compute("Pow", &[&sums, &power], "factors", vec![]);
    node.define("Mul", &[&x, &factors], &result, vec![]);
    Ok(())
}

/// `scale·x / √(mean of x² + epsilon)` over all axes from one on, as exporters spell it out.
fn by_root_mean_square(node: &mut Rewriting, shape: &[usize]) -> Result<(), ModelError> {
    let (x, scale, result) = (node.operand(0)?, node.operand(1)?, node.result(0));
    let rank = shape.len();
    let axis = node.int("axis")?.unwrap_or(-1);
    let first = node.axis(axis, rank)?;
    let epsilon = node.float("epsilon")?.unwrap_or(1e-5);
    node.ignore("stash_type");
    let two = node.numbers("two", &[], &[2.0]);
    let squares = node.compute("Pow", &[&x, &two], "squares", vec![]);
    let mean = node.tensor("mean");
    let along = Reduced::keeping((first..rank).map(|axis| axis as i64).collect());
    node.reduce("ReduceMean", &squares, &mean, &along)?;
    let epsilon = node.numbers("epsilon", &[], &[epsilon]);
    let mean = node.compute("Add", &[&mean, &epsilon], "mean and epsilon", vec![]);
    let root = node.compute("Sqrt", &[&mean], "root", vec![]);
    let normalized = node.compute("Div", &[&x, &root], "normalized", vec![]);
    node.define("Mul", &[&normalized, &scale], &result, vec![]);
    Ok(())
}

/// A product of matrices and the sum of it with what is computed, too.
fn product_and_sum(node: &mut Rewriting) -> Result<(), ModelError> {
    let (a, b, c, result) = (node.operand(0)?, node.operand(1)?, node.operand(2)?, node.result(0));
    let beta = node.float("beta")?.unwrap_or(1.0);
    let attributes = node.hand_on().into_iter().filter(|attribute| attribute.name != "beta").collect();
    let product = node.compute("Gemm", &[&a, &b], "product", attributes);
    let mut summand = c;
    if beta != 1.0 {
        let beta = node.numbers("beta", &[], &[beta]);
        summand = node.compute("Mul", &[&summand, &beta], "summand", vec![]);
    }
    node.define("Add", &[&product, &summand], &result, vec![]);
    Ok(())
}

/// A product along the axes that are named.
fn product(node: &mut Rewriting, known: &Known, shape: &[usize]) -> Result<(), ModelError> {
    let mut given = node.ints("axes")?;
    if let Some(name) = node.optional(1) {
        given = known.integers(&name).ok_or_else(|| node.refuse("operand 1", "must be constant"))?;
    }
    let nothing = node.int("noop_with_empty_axes")?.unwrap_or(0) != 0;
    let keep = node.int("keepdims")?.unwrap_or(1) != 0;
    let rank = shape.len();
    let mut axes = given.into_iter().map(|axis| node.axis(axis, rank)).collect::<Result<Vec<_>, _>>()?;
    if axes.is_empty() && !nothing {
        axes = (0..rank).collect();
    }
    reductions::product(node, shape, &axes, keep)
}

/// What is at constant places, or the operand with other elements there.
fn by_indices(node: &mut Rewriting, known: &Known, shape: &[usize]) -> Result<(), ModelError> {
    let index = node.operand(1)?;
    let indices = known.integers(&index);
    let indices = indices
        .ok_or_else(|| node.refuse("operand 1", "depends on the model's input; only constants are supported"))?;
    let unknown = |node: &Rewriting| node.refuse("operand 1", "its shape is not known");
    let index_shape = known.shapes.get(&index).ok_or_else(|| unknown(node))?;
    if node.operator() == "GatherND" {
        return scatter::slices(node, shape, &indices, index_shape);
    }
    let update_shape = known.shapes.get(&node.operand(2)?).ok_or_else(|| unknown(node))?;
    let of = Scatter { shape, indices: &indices, index_shape, update_shape };
    if node.operator() == "ScatterND" { scatter::tuples(node, &of) } else { scatter::elements(node, &of) }
}

impl Known {
    /// A constant's integers.
    fn integers(&self, name: &str) -> Option<Vec<i64>> {
        self.constants.get(name).and_then(|tensor| integers(tensor))
    }
}

/// Upsample, and Resize of operator set 10: element `i` of an axis is from `i / scale`, from the one before or, if linear, from both beside it.
fn upsample(node: &mut Rewriting, x: &str, shape: &[usize], scales: &[f32], mode: &str) -> Result<(), ModelError> {
    if scales.len() != shape.len() || !scales.iter().all(|scale| (1.0 / 64.0..=64.0).contains(scale)) {
        return Err(node.refuse("scales", "needs a number from 1/64 to 64 for each axis"));
    }
    let result = node.result(0);
    let mut x = x.to_string();
    for (axis, (&len, &scale)) in shape.iter().zip(scales).enumerate().filter(|(_, (_, scale))| **scale != 1.0) {
        let places: Vec<f32> = (0..(len as f32 * scale) as usize).map(|i| i as f32 / scale).collect();
        let what = format!("grown along axis {axis}");
        x = match mode {
            "nearest" => {
                // Where an axis becomes shorter, the one behind it, as runtimes have it.
                let whole = |place: &f32| if scale < 1.0 { place.ceil() } else { *place };
                let from: Vec<i64> = places.iter().map(|place| (whole(place) as i64).min(len as i64 - 1)).collect();
                let from = node.integers(&format!("{what}, places"), &from);
                node.compute("Gather", &[&x, &from], &what, vec![int("axis", axis as i64)])
            }
            "linear" | "bilinear" => {
                is_short(node, len)?;
                let mut shares = vec![0.0; len * places.len()];
                for (i, place) in places.iter().enumerate() {
                    let (lower, part) = ((*place as usize).min(len - 1), place.fract());
                    shares[lower * places.len() + i] += 1.0 - part;
                    shares[(lower + 1).min(len - 1) * places.len() + i] += part;
                }
                along(node, &x, axis, shape.len(), &[len, places.len()], &shares, &what)
            }
            _ => return Err(node.refuse("mode", format!("\"{mode}\" is not supported; nearest and linear are"))),
        };
    }
    node.define("Identity", &[&x], &result, vec![]);
    Ok(())
}

/// Refuses an axis whose square is too large: that of a matrix along it.
fn is_short(node: &Rewriting, len: usize) -> Result<(), ModelError> {
    const LONGEST: usize = 1 << 12;
    if len > LONGEST {
        return Err(node.refuse("operand 0", format!("has more than {LONGEST} places along an axis")));
    }
    Ok(())
}

/// A product with a matrix along one axis.
fn along(
    node: &mut Rewriting,
    x: &str,
    axis: usize,
    rank: usize,
    dims: &[usize],
    matrix: &[f32],
    what: &str,
) -> String {
    let matrix = node.numbers(&format!("{what}, shares"), dims, matrix);
    // The axis and the last one change places, and back.
    let mut order: Vec<i64> = (0..rank as i64).collect();
    order.swap(axis, rank - 1);
    let last = node.transpose(x, &order, &format!("{what}, last"));
    let grown = node.compute("MatMul", &[&last, &matrix], &format!("{what}, grown"), vec![]);
    node.transpose(&grown, &order, what)
}
