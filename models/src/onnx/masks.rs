//! Infinite masks: what exporters write for "out of reach", brought to where floats can be added to it.

use std::collections::HashSet;

use tract_onnx::pb::{GraphProto, TensorProto, tensor_proto::DataType};

/// What stands for minus infinity in constants that are added or chosen: no number of a model is lower.
pub const MASKED: f32 = -1e30;

/// Brings to [`MASKED`] what is lower in the constants that nothing but Add and Where reads.
pub(super) fn bound_masks(graph: &mut GraphProto) {
    let branches =
        graph.node.iter_mut().flat_map(|node| &mut node.attribute).filter_map(|attribute| attribute.g.as_mut());
    branches.for_each(bound_masks);
    let readers = |adds: bool| {
        let nodes = graph.node.iter().filter(move |node| matches!(node.op_type.as_str(), "Add" | "Where") == adds);
        nodes.flat_map(|node| node.input.iter().cloned()).collect::<HashSet<_>>()
    };
    let (mut added, others) = (readers(true), readers(false));
    added.retain(|name| !others.contains(name) && !graph.output.iter().any(|output| output.name == *name));
    for tensor in graph.initializer.iter_mut().filter(|tensor| added.contains(&tensor.name)) {
        bound(tensor);
    }
    for node in graph.node.iter_mut().filter(|node| node.op_type == "Constant") {
        if node.output.first().is_some_and(|name| added.contains(name)) {
            for attribute in &mut node.attribute {
                attribute.f = bounded(attribute.f);
                attribute.t.iter_mut().for_each(bound);
            }
        }
    }
}

fn bound(tensor: &mut TensorProto) {
    if tensor.data_type != DataType::Float as i32 {
        return;
    }
    tensor.float_data.iter_mut().for_each(|x| *x = bounded(*x));
    let (words, rest) = tensor.raw_data.as_chunks::<4>();
    let float = |word: &[u8; 4]| f32::from_le_bytes(*word);
    if rest.is_empty() && words.iter().any(|word| float(word) < MASKED) {
        let raw: Vec<u8> = words.iter().flat_map(|word| bounded(float(word)).to_le_bytes()).collect();
        tensor.raw_data = raw;
    }
}

/// NaN stays, to be refused.
fn bounded(x: f32) -> f32 {
    if x < MASKED { MASKED } else { x }
}
