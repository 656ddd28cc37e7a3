//! From bytes to a checked protobuf.
//!
//! What is checked here is what would otherwise make the runtime panic or allocate without bound:
//! the bytes may come from anyone.

use std::path::Path;

use tract_onnx::pb::{GraphProto, ModelProto, TensorProto, attribute_proto::AttributeType, tensor_proto};
use tract_onnx::prelude::Framework;

use super::guarded;
use super::half::widen;
use super::masks::bound_masks;
use crate::error::ModelError;

/// Most elements that any tensor of a model may have.
pub const MAX_ELEMENTS: usize = 1 << 28;

/// Parses and checks an ONNX model. `bytes` may be untrusted. Weights in files beside the model are
/// looked up in `folder`.
///
/// # Errors
///
/// If the bytes are empty, cut or no ONNX model, or a tensor is malformed, too large or not finite.
pub fn read_model(bytes: &[u8], folder: Option<&Path>) -> Result<ModelProto, ModelError> {
    let foreign = |reason: &str| ModelError::NotOnnx { reason: reason.to_string() };
    if bytes.is_empty() {
        return Err(foreign("it is empty"));
    }
    let mut model = guarded(|| tract_onnx::onnx().proto_model_for_read(&mut &*bytes))
        .map_err(|_| foreign("its bytes are not an ONNX protobuf; it may be cut or of another kind"))?;
    let Some(graph) = &mut model.graph else {
        return Err(foreign("it contains no graph; it may be cut or of another kind"));
    };
    if graph.node.is_empty() && graph.output.is_empty() {
        return Err(foreign("its graph is empty; it may be cut or of another kind"));
    }
    if model.opset_import.is_empty() {
        return Err(foreign("it does not say which operator set it uses; it may be cut"));
    }
    widen(graph, folder);
    bound_masks(graph);
    check_graph(graph, folder)?;
    Ok(model)
}

fn check_graph(graph: &GraphProto, folder: Option<&Path>) -> Result<(), ModelError> {
    if !graph.sparse_initializer.is_empty() {
        return Err(ModelError::invalid("sparse weights are not supported: export dense ones"));
    }
    for tensor in &graph.initializer {
        check_tensor(&tensor.name, tensor, folder)?;
        check_finite(&tensor.name, tensor)?;
    }
    for node in &graph.node {
        for attribute in &node.attribute {
            if let (Some(branch), "If" | "Scan") = (&attribute.g, node.op_type.as_str()) {
                check_graph(branch, folder)?;
                continue;
            }
            if attribute.r#type == AttributeType::Graph as i32 || attribute.g.is_some() || !attribute.graphs.is_empty()
            {
                return Err(ModelError::invalid(format!(
                    "operator {} (node \"{}\") has a subgraph: of control flow only If and Scan are supported",
                    node.op_type, node.name
                )));
            }
            for tensor in attribute.t.iter().chain(&attribute.tensors) {
                let name = node.output.first().map_or(node.name.as_str(), |name| name.as_str());
                check_tensor(name, tensor, folder)?;
                // Of an ensemble's sets each ends with a NaN; whoever reads them checks the rest.
                if attribute.name != "membership_values" {
                    check_finite(name, tensor)?;
                }
            }
        }
        check_filled_shape(graph, node)?;
    }
    for value in graph.input.iter().chain(&graph.value_info).chain(&graph.output) {
        check_declared(value)?;
    }
    Ok(())
}

/// A declared shape must not be so large that merely preparing the tensor exhausts memory.
fn check_declared(value: &tract_onnx::pb::ValueInfoProto) -> Result<(), ModelError> {
    use tract_onnx::pb::{tensor_shape_proto::dimension::Value as Dim, type_proto::Value};
    let Some(Value::TensorType(tensor)) = value.r#type.as_ref().and_then(|t| t.value.as_ref()) else {
        return Ok(());
    };
    let Some(shape) = &tensor.shape else {
        return Ok(());
    };
    let known = shape.dim.iter().filter_map(|dim| match &dim.value {
        Some(Dim::DimValue(len)) if *len >= 0 => Some(*len),
        _ => None,
    });
    elements(&value.name, known).map(drop)
}

/// The runtime evaluates `ConstantOfShape` while it loads: bound what it would allocate.
fn check_filled_shape(graph: &GraphProto, node: &tract_onnx::pb::NodeProto) -> Result<(), ModelError> {
    if !matches!(node.op_type.as_str(), "ConstantOfShape" | "Expand") {
        return Ok(());
    }
    let shape_input = if node.op_type == "Expand" { 1 } else { 0 };
    let Some(name) = node.input.get(shape_input) else {
        return Ok(());
    };
    let constant = graph.node.iter().filter(|n| n.op_type == "Constant" && n.output.contains(name));
    let from_nodes = constant.flat_map(|n| n.attribute.iter().filter_map(|a| a.t.as_ref()));
    for tensor in graph.initializer.iter().filter(|t| t.name == *name).chain(from_nodes) {
        let mut dims = tensor.int64_data.clone();
        dims.extend(tensor.raw_data.chunks_exact(8).map(|b| {
            let mut word = [0; 8];
            word.copy_from_slice(b);
            i64::from_le_bytes(word)
        }));
        elements(node.output.first().unwrap_or(&node.name), dims.into_iter())?;
    }
    Ok(())
}

fn elements(name: &str, dims: impl Iterator<Item = i64>) -> Result<usize, ModelError> {
    let mut total = 1usize;
    for dim in dims {
        let len = usize::try_from(dim)
            .map_err(|_| ModelError::invalid(format!("tensor \"{name}\" has a negative dimension")))?;
        total = match total.checked_mul(len) {
            Some(total) if total <= MAX_ELEMENTS => total,
            _ => {
                return Err(ModelError::invalid(format!("tensor \"{name}\" has more than {MAX_ELEMENTS} elements")));
            }
        };
    }
    Ok(total)
}

/// Checks the size, and that the data is as long as the shape says.
fn check_tensor(name: &str, tensor: &TensorProto, folder: Option<&Path>) -> Result<(), ModelError> {
    use tensor_proto::DataType;
    let expected = elements(name, tensor.dims.iter().copied())?;
    let external = tensor.data_location == Some(tensor_proto::DataLocation::External as i32);
    if external {
        return match folder {
            Some(_) => Ok(()),
            None => Err(ModelError::invalid(format!(
                "tensor \"{name}\" lies in another file, which cannot be found from here: read the model by its path"
            ))),
        };
    }
    let kind = DataType::try_from(tensor.data_type)
        .map_err(|_| ModelError::invalid(format!("tensor \"{name}\" has an unknown element type")))?;
    let width = match kind {
        DataType::Float | DataType::Int32 | DataType::Uint32 => 4,
        DataType::Double | DataType::Int64 | DataType::Uint64 => 8,
        DataType::Uint8 | DataType::Int8 | DataType::Bool => 1,
        DataType::Float16 | DataType::Uint16 | DataType::Int16 => 2,
        // Strings stand in attributes of nodes that are refused later, by name.
        DataType::String => return Ok(()),
        other => {
            return Err(ModelError::invalid(format!(
                "tensor \"{name}\" has elements of type {other:?}, which is not supported"
            )));
        }
    };
    let found = if tensor.raw_data.is_empty() {
        match kind {
            DataType::Float => tensor.float_data.len(),
            DataType::Double => tensor.double_data.len(),
            DataType::Int64 => tensor.int64_data.len(),
            DataType::Uint64 | DataType::Uint32 => {
                tensor.uint64_data.len().max(tensor.int64_data.len()).max(tensor.int32_data.len())
            }
            _ => tensor.int32_data.len(),
        }
    } else if tensor.raw_data.len().is_multiple_of(width) {
        tensor.raw_data.len() / width
    } else {
        usize::MAX
    };
    if found != expected {
        return Err(ModelError::invalid(format!(
            "tensor \"{name}\" does not have the {expected} elements that its shape says; the file may be damaged"
        )));
    }
    Ok(())
}

/// Checks that floats are finite. Whether they are as many as the shape says is known.
fn check_finite(name: &str, tensor: &TensorProto) -> Result<(), ModelError> {
    use tensor_proto::DataType;
    let finite: Vec<bool> = match DataType::try_from(tensor.data_type) {
        Ok(DataType::Float) => {
            let raw = tensor.raw_data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
            raw.chain(tensor.float_data.iter().copied()).map(f32::is_finite).collect()
        }
        Ok(DataType::Double) => {
            let raw = tensor.raw_data.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b));
            raw.chain(tensor.double_data.iter().copied()).map(f64::is_finite).collect()
        }
        _ => return Ok(()),
    };
    let (total, count) = (finite.len(), finite.iter().filter(|finite| !**finite).count());
    // A lone infinity is a common "no bound" (of Clip, or of a pad for max-pooling): the operator decides.
    if count > 0 && total > 1 {
        return Err(ModelError::NotFiniteWeights { tensor: name.to_string(), count, total });
    }
    Ok(())
}
