//! Nodes that can be written as others only once shapes, or what is computed of constants alone, are known: the runtime is asked for those.
//!
//! It happens in rounds, since one such node may wait for another, and since a branch that is taken may hold more of them. What they become
//! [`super::shaped`] knows.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use ndarray::ArrayD;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, ValueInfoProto};

use super::super::float::{FloatModel, floats};
use super::super::graph::InputSpec;
use super::branches;
use super::node::{Rewriting, Rewritten};
use super::shaped::{Known, write};
use crate::error::ModelError;

/// The operators that have to wait, and that the runtime cannot see past: what is behind them waits, too.
const OPAQUE: [&str; 3] = ["Col2Im", "If", "Upsample"];

/// Those that it can see past, and does where nothing depends on an input.
const SEEN: [&str; 9] = [
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
        let computed = |name: &String| !name.is_empty() && !constant.contains(name);
        let adds_computed = is_onnxs(node) && node.op_type == "Gemm" && node.input.get(2).is_some_and(computed);
        let after = node.input.iter().any(|name| later.contains(name.as_str()));
        if !after && (is_opaque || adds_computed || is_seen(node) && !is_constant(node)) {
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
