//! Models of half precision, read as ones of single precision: each 16-bit float is a 32-bit float, too.
//!
//! What the model rounds between its operators is not rounded then: fixed point has roundings of its own.

use std::path::Path;

use half::{bf16, f16};
use tract_onnx::pb::{
    GraphProto, TensorProto, ValueInfoProto, tensor_proto::DataLocation, tensor_proto::DataType, type_proto::Value,
};

use super::{guarded, text_of};

/// Attributes that name a type.
const NAMES_OF_TYPES: [&str; 3] = ["dtype", "stash_type", "to"];

/// Makes all 16-bit floats of a graph, in branches too, 32-bit ones. Tensors that are damaged stay as they are.
pub(super) fn widen(graph: &mut GraphProto, folder: Option<&Path>) {
    for tensor in &mut graph.initializer {
        widen_tensor(tensor, folder);
    }
    for value in graph.input.iter_mut().chain(&mut graph.output).chain(&mut graph.value_info) {
        widen_declared(value);
    }
    for attribute in graph.node.iter_mut().flat_map(|node| &mut node.attribute) {
        if NAMES_OF_TYPES.contains(&attribute.name.as_str()) && is_half(attribute.i as i32).is_some() {
            attribute.i = DataType::Float as i64;
        }
        attribute.t.iter_mut().chain(&mut attribute.tensors).for_each(|tensor| widen_tensor(tensor, folder));
        attribute.g.iter_mut().chain(&mut attribute.graphs).for_each(|branch| widen(branch, folder));
    }
}

/// How the 16 bits are read, if this is such a type.
fn is_half(kind: i32) -> Option<fn(u16) -> f32> {
    match DataType::try_from(kind) {
        Ok(DataType::Float16) => Some(|bits| f16::from_bits(bits).to_f32()),
        Ok(DataType::Bfloat16) => Some(|bits| bf16::from_bits(bits).to_f32()),
        _ => None,
    }
}

fn widen_declared(value: &mut ValueInfoProto) {
    if let Some(Value::TensorType(tensor)) = value.r#type.as_mut().and_then(|kind| kind.value.as_mut())
        && is_half(tensor.elem_type).is_some()
    {
        tensor.elem_type = DataType::Float as i32;
    }
}

fn widen_tensor(tensor: &mut TensorProto, folder: Option<&Path>) {
    let Some(read) = is_half(tensor.data_type) else { return };
    if tensor.data_location == Some(DataLocation::External as i32) {
        let onnx = tract_onnx::onnx();
        let folder = folder.map(text_of);
        let loaded = guarded(|| {
            let half = tract_onnx::tensor::load_tensor(&*onnx.provider, tensor, folder)?;
            Ok(half.cast_to::<f32>()?.as_bytes().to_vec())
        });
        // What is not there the runtime names.
        let Ok(raw) = loaded else { return };
        (tensor.raw_data, tensor.data_location) = (raw, None);
        tensor.external_data.clear();
    } else if tensor.raw_data.is_empty() {
        tensor.float_data = tensor.int32_data.drain(..).map(|bits| read(bits as u16)).collect();
    } else {
        let (words, []) = tensor.raw_data.as_chunks::<2>() else { return };
        let wide = words.iter().flat_map(|word| read(u16::from_le_bytes(*word)).to_le_bytes());
        tensor.raw_data = wide.collect();
    }
    tensor.data_type = DataType::Float as i32;
}
