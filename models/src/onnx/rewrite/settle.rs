//! Nodes that can be written as others only once shapes, or what is computed of constants alone, are known: the runtime is asked for those.
//!
//! It happens in rounds, since one such node may wait for another, and since a branch that is taken may hold more of them. It is all
//! the module that knows shapes here.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use ndarray::ArrayD;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, ValueInfoProto};
use tract_onnx::prelude::Tensor;

use super::super::float::{FloatModel, floats};
use super::super::graph::InputSpec;
use super::branches;
use super::node::{Rewriting, Rewritten, int};
use crate::error::ModelError;

/// The operators that have to wait.
pub(super) const OPERATORS: [&str; 2] = ["If", "Upsample"];

/// What the runtime said of tensors.
struct Known {
    shapes: HashMap<String, Vec<usize>>,
    constants: HashMap<String, Arc<Tensor>>,
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

/// Whether a node has to wait.
fn waits(node: &NodeProto, opset: i64) -> bool {
    if !matches!(node.domain.as_str(), "" | "ai.onnx") {
        return false;
    }
    let names_axes = node.input.get(1).is_some_and(|name| !name.is_empty())
        || opset < 13 && node.attribute.iter().any(|attribute| attribute.name == "axes");
    OPERATORS.contains(&node.op_type.as_str()) || node.op_type == "Squeeze" && !names_axes
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

/// The places of the nodes that outputs need, that have to wait, and that come after none like them.
fn ready(graph: &GraphProto, opset: i64) -> Vec<usize> {
    let live = live(graph, graph.output.iter().map(|output| output.name.as_str()));
    let mut later: HashSet<&str> = HashSet::new();
    let mut ready = Vec::new();
    for (index, node) in graph.node.iter().enumerate().filter(|(index, _)| live[*index]) {
        let waits = waits(node, opset);
        let after = node.input.iter().any(|name| later.contains(name.as_str()));
        if waits && !after {
            ready.push(index);
        }
        if waits || after {
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
    computed.try_for_each(check)?;
    let mut wanted: Vec<String> = wanted.into_iter().collect();
    wanted.sort_unstable();
    graph.output = wanted.iter().map(|name| ValueInfoProto { name: name.clone(), ..Default::default() }).collect();
    let float = FloatModel::new(&part, folder, inputs, wanted)?;
    let shapes = float.facts().iter().map(|(name, fact)| (name.clone(), fact.shape.clone())).collect();
    let mut constants = HashMap::new();
    if float.names().iter().any(|name| fixed.contains(name)) {
        let zeros: Vec<_> = inputs.iter().map(|input| ArrayD::zeros(input.shape.clone())).collect();
        let values = float.names().iter().cloned().zip(float.run_raw(&zeros)?);
        constants = values.filter(|(name, _)| fixed.contains(name)).collect();
    }
    Ok(Known { shapes, constants })
}

/// The names of the tensors that no input's values change: weights, and what is computed of them and of shapes.
pub fn constants(graph: &GraphProto) -> HashSet<String> {
    let mut constant: HashSet<String> = graph.initializer.iter().map(|tensor| tensor.name.clone()).collect();
    for node in &graph.node {
        let fixed = node.op_type == "Shape" || node.input.iter().all(|name| name.is_empty() || constant.contains(name));
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

/// Upsample: element `i` of an axis is from `i / scale`, from the one before or, if linear, from both beside it.
fn upsample(node: &mut Rewriting, x: &str, shape: &[usize], scales: &[f32], mode: &str) -> Result<(), ModelError> {
    if scales.len() != shape.len() || !scales.iter().all(|scale| (1.0..=64.0).contains(scale)) {
        return Err(node.refuse("scales", "needs a number from 1 to 64 for each axis"));
    }
    let result = node.result(0);
    let mut x = x.to_string();
    for (axis, (&len, &scale)) in shape.iter().zip(scales).enumerate().filter(|(_, (_, scale))| **scale != 1.0) {
        let places: Vec<f32> = (0..(len as f32 * scale) as usize).map(|i| i as f32 / scale).collect();
        let what = format!("grown along axis {axis}");
        x = match mode {
            "nearest" => {
                let from: Vec<i64> = places.iter().map(|place| (*place as i64).min(len as i64 - 1)).collect();
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
