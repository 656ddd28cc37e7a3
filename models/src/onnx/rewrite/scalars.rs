//! Operands that ONNX wants without axes, and that files have with one of one place: the runtime takes them as ONNX wants them.

use std::collections::HashMap;

use tract_onnx::pb::{GraphProto, NodeProto, TensorProto, tensor_proto::DataType};

/// Operators, and which of their operands.
const SCALARS: [(&str, usize); 2] = [("Pad", 2), ("Trilu", 1)];

/// Puts a Reshape before each of them.
pub fn without_axes(graph: &mut GraphProto) {
    const SHAPE: &str = "no axes at all";
    let mut known: HashMap<String, String> = HashMap::new();
    for mut node in std::mem::take(&mut graph.node) {
        let wanted = SCALARS.iter().find(|(operator, _)| *operator == node.op_type);
        if let Some(name) = wanted.and_then(|(_, place)| node.input.get_mut(*place)).filter(|name| !name.is_empty()) {
            let scalar = known.entry(name.clone()).or_insert_with(|| {
                let scalar = format!("{name}, without axes");
                graph.node.push(NodeProto {
                    op_type: "Reshape".into(),
                    name: scalar.clone(),
                    input: vec![name.clone(), SHAPE.into()],
                    output: vec![scalar.clone()],
                    ..NodeProto::default()
                });
                scalar
            });
            name.clone_from(scalar);
        }
        graph.node.push(node);
    }
    if !known.is_empty() {
        let (data_type, dims) = (DataType::Int64 as i32, vec![0]);
        graph.initializer.push(TensorProto { name: SHAPE.into(), data_type, dims, ..TensorProto::default() });
    }
}
