//! Operators that ONNX defines by others, written as those before anything else sees the graph.
//!
//! `QLinearConv` and `QLinearMatMul` take integers to floats, multiply, and go back to integers: what is here is their definition.

use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, attribute_proto::AttributeType, tensor_proto::DataType};

/// The operators that are written as others.
pub const REWRITTEN: [&str; 2] = ["QLinearConv", "QLinearMatMul"];

/// Replaces them all. One with fewer operands than it needs is left for others to refuse.
pub fn rewrite(graph: &mut GraphProto) {
    for node in std::mem::take(&mut graph.node) {
        let known = matches!(node.domain.as_str(), "" | "ai.onnx");
        match (node.op_type.as_str(), &node.input[..], &node.output[..]) {
            ("QLinearConv", [_, _, _, _, _, _, _, _, ..], [_]) if known => graph.node.extend(convolution(node)),
            ("QLinearMatMul", [_, _, _, _, _, _, _, _], [_]) if known => graph.node.extend(product(node)),
            _ => graph.node.push(node),
        }
    }
}

/// `x x_scale x_zero w w_scale w_zero y_scale y_zero [bias]`, the bias of scale `x_scale·w_scale`.
fn convolution(node: NodeProto) -> Vec<NodeProto> {
    let [x, xs, xz, w, ws, wz, ys, yz] = [0, 1, 2, 3, 4, 5, 6, 7].map(|i| node.input[i].as_str());
    let parts = Parts::of(&node);
    let [image, weights, sum] = ["x", "w", "y"].map(|what| parts.tensor(what));
    let mut nodes = vec![
        parts.node("DequantizeLinear", &[x, xs, xz], &image, vec![]),
        // One scale for all, or one for each of the result's channels.
        parts.node("DequantizeLinear", &[w, ws, wz], &weights, vec![int("axis", 0)]),
    ];
    let mut operands = vec![image.as_str(), &weights];
    let [bias, scale, float] = ["bias", "bias scale", "float bias"].map(|what| parts.tensor(what));
    if let Some(given) = node.input.get(8).filter(|given| !given.is_empty()) {
        nodes.push(parts.node("Mul", &[xs, ws], &scale, vec![]));
        nodes.push(parts.node("Cast", &[given], &float, vec![int("to", DataType::Float as i64)]));
        nodes.push(parts.node("Mul", &[&float, &scale], &bias, vec![]));
        operands.push(&bias);
    }
    nodes.push(parts.node("Conv", &operands, &sum, node.attribute.clone()));
    nodes.push(parts.node("QuantizeLinear", &[&sum, ys, yz], &node.output[0], vec![]));
    nodes
}

/// `a a_scale a_zero b b_scale b_zero y_scale y_zero`.
fn product(node: NodeProto) -> Vec<NodeProto> {
    let [a, a_scale, a_zero, b, b_scale, b_zero, ys, yz] = [0, 1, 2, 3, 4, 5, 6, 7].map(|i| node.input[i].as_str());
    let parts = Parts::of(&node);
    let [lhs, rhs, sum] = ["a", "b", "y"].map(|what| parts.tensor(what));
    vec![
        // One scale for all, or one for each of the result's rows, or columns.
        parts.node("DequantizeLinear", &[a, a_scale, a_zero], &lhs, vec![int("axis", -2)]),
        parts.node("DequantizeLinear", &[b, b_scale, b_zero], &rhs, vec![int("axis", -1)]),
        parts.node("MatMul", &[&lhs, &rhs], &sum, vec![]),
        parts.node("QuantizeLinear", &[&sum, ys, yz], &node.output[0], vec![]),
    ]
}

/// What the nodes that one becomes are named after.
struct Parts {
    name: String,
    output: String,
}

impl Parts {
    fn of(node: &NodeProto) -> Self {
        let output = node.output[0].clone();
        let name = if node.name.is_empty() { &output } else { &node.name };
        Self { name: format!("{name} ({})", node.op_type), output }
    }

    /// A tensor between them.
    fn tensor(&self, what: &str) -> String {
        format!("{}: {what}", self.output)
    }

    fn node(&self, operator: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> NodeProto {
        NodeProto {
            op_type: operator.into(),
            name: format!("{} {output}", self.name),
            input: inputs.iter().map(|name| name.to_string()).collect(),
            output: vec![output.into()],
            attribute,
            ..NodeProto::default()
        }
    }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Int as i32, i, ..AttributeProto::default() }
}
