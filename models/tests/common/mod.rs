//! Where the shared models lie, and little ONNX models built on the spot.

#![allow(dead_code)]

pub mod compare;

use std::path::PathBuf;

use prost::Message;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto, attribute_proto::AttributeType, tensor_proto::DataType, tensor_shape_proto::Dimension,
    tensor_shape_proto::dimension::Value as Dim, type_proto,
};

/// A file of `../shared`, or `None` with a message where that folder is absent.
pub fn shared(file: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(file);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not there", path.display());
    None
}

/// A float tensor.
pub fn floats(name: &str, dims: &[i64], data: Vec<f32>) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: DataType::Float as i32,
        float_data: data,
        ..TensorProto::default()
    }
}

/// A tensor of integers.
pub fn integers(name: &str, data: Vec<i64>) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: vec![data.len() as i64],
        data_type: DataType::Int64 as i32,
        int64_data: data,
        ..TensorProto::default()
    }
}

pub fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Int as i32, i, ..AttributeProto::default() }
}

pub fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Ints as i32,
        ints: ints.to_vec(),
        ..AttributeProto::default()
    }
}

pub fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Float as i32, f, ..AttributeProto::default() }
}

pub fn string(name: &str, s: &str) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::String as i32, s: s.into(), ..AttributeProto::default() }
}

/// `output = op(inputs)`.
pub fn node(op: &str, inputs: &[&str], output: &str, attributes: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        op_type: op.into(),
        name: format!("{op}_{output}"),
        input: inputs.iter().map(|s| s.to_string()).collect(),
        output: vec![output.into()],
        attribute: attributes,
        ..NodeProto::default()
    }
}

/// A declared float tensor; negative lengths are symbolic.
pub fn declared(name: &str, dims: &[i64]) -> ValueInfoProto {
    declared_as(name, dims, DataType::Float)
}

/// A declared tensor of any type.
pub fn declared_as(name: &str, dims: &[i64], kind: DataType) -> ValueInfoProto {
    let dim = dims.iter().map(|&len| Dimension {
        value: Some(if len < 0 { Dim::DimParam("batch".into()) } else { Dim::DimValue(len) }),
        ..Dimension::default()
    });
    let tensor = type_proto::Tensor { elem_type: kind as i32, shape: Some(TensorShapeProto { dim: dim.collect() }) };
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() }),
        ..ValueInfoProto::default()
    }
}

/// A whole model.
pub fn model(
    inputs: Vec<ValueInfoProto>,
    weights: Vec<TensorProto>,
    nodes: Vec<NodeProto>,
    outputs: &[&str],
) -> ModelProto {
    let output = outputs.iter().map(|name| ValueInfoProto { name: name.to_string(), ..ValueInfoProto::default() });
    ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 13 }],
        graph: Some(GraphProto {
            name: "test".into(),
            node: nodes,
            initializer: weights,
            input: inputs,
            output: output.collect(),
            ..GraphProto::default()
        }),
        ..ModelProto::default()
    }
}

pub fn bytes(model: &ModelProto) -> Vec<u8> {
    model.encode_to_vec()
}

/// Numbers from -1 to 1 that look random and are the same everywhere.
pub fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(step).collect()
}
