//! Nodes that can be written as others only once shapes, or what is computed of constants alone, are known: the runtime is asked for those.
//!
//! It happens in rounds, since one such node may wait for another, and since a branch that is taken may hold more of them. It is all
//! the module that knows shapes here.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use ndarray::ArrayD;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, ValueInfoProto, tensor_proto::DataType};
use tract_onnx::prelude::Tensor;

use super::super::float::{FloatModel, floats, integers};
use super::super::graph::InputSpec;
use super::node::{Reduced, Rewriting, Rewritten, int, ints};
use super::scatter::Scatter;
use super::{branches, reductions, scatter};
use crate::error::ModelError;

/// The operators that have to wait, and that the runtime cannot see past: what is behind them waits, too.
const OPAQUE: [&str; 2] = ["If", "Upsample"];

/// Those that it can see past, and does where nothing depends on an input.
const SEEN: [&str; 10] = [
    "Col2Im",
    "CumSum",
    "GatherND",
    "Hardmax",
    "LRN",
    "RMSNormalization",
    "ReduceProd",
    "Scatter",
    "ScatterElements",
    "ScatterND",
];

/// The operators that have to wait.
pub(super) fn operators() -> impl Iterator<Item = &'static str> {
    OPAQUE.into_iter().chain(SEEN)
}

/// What the runtime said of tensors.
struct Known {
    shapes: HashMap<String, Vec<usize>>,
    constants: HashMap<String, Arc<Tensor>>,
    /// Tensors of integers.
    integers: HashSet<String>,
}

/// Writes all such nodes of which nothing stands before another one. Whether there were any.
///
/// # Errors
///
/// If one depends on an input's values, or makes no sense; what `check` says of what is before it, or the runtime.
pub fn settle(
    model: &mut ModelProto,
    folder: Option<&Path>,
    inputs: &[InputSpec],
    opset: i64,
    check: impl Fn(&NodeProto) -> Result<(), ModelError>,
) -> Result<bool, ModelError> {
    let Some(graph) = &model.graph else { return Ok(false) };
    let ready = ready(graph, opset);
    if ready.is_empty() {
        return Ok(false);
    }
    let operands = |node: &NodeProto| node.input.iter().filter(|name| !name.is_empty()).cloned().collect::<Vec<_>>();
    let wanted: HashSet<String> = ready.iter().flat_map(|&index| operands(&graph.node[index])).collect();
    let known = ask(model, folder, inputs, wanted, check)?;
    let Some(graph) = &mut model.graph else { return Ok(false) };
    let ready: HashSet<usize> = ready.into_iter().collect();
    for (index, node) in std::mem::take(&mut graph.node).into_iter().enumerate() {
        if !ready.contains(&index) {
            graph.node.push(node);
        } else if node.op_type == "If" {
            let taken = known.constants.get(node.input.first().map_or("", String::as_str));
            branches::take(graph, node, taken.and_then(|tensor| floats(tensor)))?;
        } else {
            let mut rewriting = Rewriting::new(node, opset);
            write(&mut rewriting, &known, opset)?;
            let Rewritten { nodes, constants, .. } = rewriting.finish()?;
            graph.node.extend(nodes);
            graph.initializer.extend(constants);
        }
    }
    Ok(true)
}

fn is_onnxs(node: &NodeProto) -> bool {
    matches!(node.domain.as_str(), "" | "ai.onnx")
}

/// Whether a node has to wait that the runtime can see past.
fn is_seen(node: &NodeProto) -> bool {
    is_onnxs(node) && SEEN.contains(&node.op_type.as_str())
}

/// Whether a node has to wait that it cannot see past.
fn is_opaque(node: &NodeProto, opset: i64) -> bool {
    if !is_onnxs(node) {
        return false;
    }
    let names_axes = node.input.get(1).is_some_and(|name| !name.is_empty())
        || opset < 13 && node.attribute.iter().any(|attribute| attribute.name == "axes");
    // Of operator set 10 it is Upsample, which the runtime takes for what it is since.
    let is_old = node.op_type == "Resize" && opset < 11;
    OPAQUE.contains(&node.op_type.as_str()) || is_old || node.op_type == "Squeeze" && !names_axes
}

/// Which nodes are needed for these tensors.
pub fn live<'g>(graph: &'g GraphProto, wanted: impl Iterator<Item = &'g str>) -> Vec<bool> {
    let mut needed: HashSet<&str> = wanted.collect();
    let mut live = vec![false; graph.node.len()];
    for (node, live) in graph.node.iter().zip(&mut live).rev() {
        *live = node.output.iter().any(|name| needed.contains(name.as_str()));
        if *live {
            needed.extend(branches::reads(node));
        }
    }
    live
}

/// The places of the nodes that outputs need, that have to wait, and that come after none that hides their operands' shapes.
fn ready(graph: &GraphProto, opset: i64) -> Vec<usize> {
    let live = live(graph, graph.output.iter().map(|output| output.name.as_str()));
    let constant = constants(graph);
    let is_constant = |node: &NodeProto| node.output.iter().any(|name| constant.contains(name));
    let mut later: HashSet<&str> = HashSet::new();
    let mut ready = Vec::new();
    for (index, node) in graph.node.iter().enumerate().filter(|(index, _)| live[*index]) {
        let is_opaque = is_opaque(node, opset);
        let after = node.input.iter().any(|name| later.contains(name.as_str()));
        if !after && (is_opaque || is_seen(node) && !is_constant(node)) {
            ready.push(index);
        }
        if is_opaque || after {
            later.extend(node.output.iter().map(String::as_str));
        }
    }
    ready
}

/// Runs what is before the tensors `wanted`: their shapes, and the values of those that no input changes.
fn ask(
    model: &ModelProto,
    folder: Option<&Path>,
    inputs: &[InputSpec],
    wanted: HashSet<String>,
    check: impl Fn(&NodeProto) -> Result<(), ModelError>,
) -> Result<Known, ModelError> {
    let mut part = model.clone();
    let graph = part.graph.get_or_insert_default();
    let live = live(graph, wanted.iter().map(String::as_str));
    let mut kept = live.into_iter();
    graph.node.retain(|_| kept.next().unwrap_or(false));
    let read = graph.node.iter().flat_map(|node| node.input.iter().cloned());
    let read: HashSet<String> = read.chain(wanted.iter().cloned()).collect();
    graph.initializer.retain(|tensor| read.contains(&tensor.name));
    let fixed = constants(graph);
    let mut computed =
        graph.node.iter().filter(|node| node.output.iter().any(|name| !name.is_empty() && !fixed.contains(name)));
    computed.try_for_each(|node| if is_seen(node) { Ok(()) } else { check(node) })?;
    let mut wanted: Vec<String> = wanted.into_iter().collect();
    wanted.sort_unstable();
    graph.output = wanted.iter().map(|name| ValueInfoProto { name: name.clone(), ..Default::default() }).collect();
    let float = FloatModel::new(&part, folder, inputs, wanted)?;
    let shapes = float.facts().iter().map(|(name, fact)| (name.clone(), fact.shape.clone())).collect();
    let integers =
        float.facts().iter().filter(|(_, fact)| !fact.kind.is_float()).map(|(name, _)| name.clone()).collect();
    let mut constants = HashMap::new();
    if float.names().iter().any(|name| fixed.contains(name)) {
        let zeros: Vec<_> = inputs.iter().map(|input| ArrayD::zeros(input.shape.clone())).collect();
        let values = float.names().iter().cloned().zip(float.run_raw(&zeros)?);
        constants = values.filter(|(name, _)| fixed.contains(name)).collect();
    }
    Ok(Known { shapes, constants, integers })
}

/// The names of the tensors that no input's values change: weights, and what is computed of them and of shapes.
pub fn constants(graph: &GraphProto) -> HashSet<String> {
    let mut constant: HashSet<String> = graph.initializer.iter().map(|tensor| tensor.name.clone()).collect();
    for node in &graph.node {
        let fixed = matches!(node.op_type.as_str(), "Shape" | "Size")
            || node.input.iter().all(|name| name.is_empty() || constant.contains(name));
        // What is in a branch may depend on more than the operands.
        if fixed && !branches::has_any(node) {
            constant.extend(node.output.iter().filter(|name| !name.is_empty()).cloned());
        }
    }
    constant
}

fn write(node: &mut Rewriting, known: &Known, opset: i64) -> Result<(), ModelError> {
    let (x, result) = (node.operand(0)?, node.result(0));
    let unknown = |node: &Rewriting| node.refuse("operand 0", "its shape is not known");
    let shape = known.shapes.get(&x).cloned().ok_or_else(|| unknown(node))?;
    match node.operator() {
        "Col2Im" => return image(node, known, &shape),
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
    /// The longest axis: the triangle grows with its square.
    const LONGEST: usize = 1 << 12;
    let rank = shape.len();
    let axis = node.optional(1).and_then(|name| known.integers(&name)).and_then(|axes| axes.first().copied());
    let axis = axis.map(|axis| if axis < 0 { axis + rank as i64 } else { axis });
    let axis = axis.and_then(|axis| usize::try_from(axis).ok()).filter(|&axis| axis < rank);
    let axis = axis.ok_or_else(|| node.refuse("operand 1", "is no constant axis of the tensor"))?;
    let exclusive = node.int("exclusive")?.unwrap_or(0) != 0;
    let reverse = node.int("reverse")?.unwrap_or(0) != 0;
    let len = shape[axis];
    if len > LONGEST {
        return Err(node.refuse("operand 0", format!("has more than {LONGEST} places along the axis")));
    }
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
    let axis = usize::try_from(if axis < 0 { axis + rank as i64 } else { axis }).ok().filter(|&axis| axis < rank);
    let axis = axis.ok_or_else(|| node.refuse("axis", "is no axis of the tensor"))?;
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
    let rank = shape.len() as i64;
    let axis = node.int("axis")?.unwrap_or(-1);
    let first = if axis < 0 { axis + rank } else { axis };
    let epsilon = node.float("epsilon")?.unwrap_or(1e-5);
    node.ignore("stash_type");
    if !(0..rank).contains(&first) {
        return Err(node.refuse("axis", "is no axis of the tensor"));
    }
    let two = node.numbers("two", &[], &[2.0]);
    let squares = node.compute("Pow", &[&x, &two], "squares", vec![]);
    let mean = node.tensor("mean");
    let along = Reduced::keeping((first..rank).collect());
    node.reduce("ReduceMean", &squares, &mean, &along)?;
    let epsilon = node.numbers("epsilon", &[], &[epsilon]);
    let mean = node.compute("Add", &[&mean, &epsilon], "mean and epsilon", vec![]);
    let root = node.compute("Sqrt", &[&mean], "root", vec![]);
    let normalized = node.compute("Div", &[&x, &root], "normalized", vec![]);
    node.define("Mul", &[&normalized, &scale], &result, vec![]);
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
    let from_front = |axis: i64| usize::try_from(if axis < 0 { axis + rank as i64 } else { axis }).ok();
    let mut axes = Vec::new();
    for axis in given {
        let axis = from_front(axis).filter(|&axis| axis < rank);
        axes.push(axis.ok_or_else(|| node.refuse("axes", "name no axis of the tensor"))?);
    }
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
