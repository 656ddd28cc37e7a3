//! Operators of integers with a scale: a small model of each.

use super::cases::Case;
use super::proto::{Message, attribute, bytes, floats, node, node_of};
use attribute::{float, int, ints};

pub fn cases() -> Vec<Case> {
    vec![
        Case {
            operators: vec!["QuantizeLinear", "DequantizeLinear"],
            shape: vec![3, 5],
            weights: vec![floats("s", &[], &[0.05])],
            nodes: vec![node("QuantizeLinear", &["x", "s"], "q", &[]), node("DequantizeLinear", &["q", "s"], "y", &[])],
        },
        of_integers("QLinearConv", &[1, 2, 4, 4], &[3, 2, 3, 3]),
        of_integers("QLinearMatMul", &[3, 4], &[4, 5]),
        of_integers("QGemm", &[3, 4], &[4, 5]),
        through_integers("QLinearAdd", &["q", "s", "z", "w", "t", "z", "u", "z"], vec![]),
        through_integers("QLinearMul", &["q", "s", "z", "w", "t", "z", "u", "z"], vec![]),
        through_integers("QLinearSigmoid", &["q", "s", "z", "t", "z"], vec![]),
        through_integers("QLinearLeakyRelu", &["q", "s", "z", "u", "z"], vec![float("alpha", 0.2)]),
        through_integers("QLinearGlobalAveragePool", &["q", "s", "z", "t", "z"], vec![]),
        through_integers("QLinearAveragePool", &["q", "s", "z", "t", "z"], vec![ints("kernel_shape", &[2, 2])]),
        through_integers("QLinearConcat", &["u", "z", "q", "s", "z", "q", "s", "z"], vec![int("axis", 1)]),
        of_whole_numbers("ConvInteger", &[1, 2, 4, 4], &[3, 2, 3, 3], bytes("v", &[], &[90])),
        of_whole_numbers("MatMulInteger", &[3, 4], &[4, 5], bytes("v", &[5], &[0, 90, 100, 128, 255])),
        by_its_range(),
    ]
}

fn some_bytes(name: &str, dims: &[i64]) -> Message {
    let count = dims.iter().product::<i64>();
    bytes(name, dims, &(0..count).map(|i| (i * i * 37 % 251) as u8).collect::<Vec<u8>>())
}

/// An operator on bytes whose result are sums, as floats; the zero points of its weights are `v`.
fn of_whole_numbers(operator: &'static str, shape: &[i64], weights: &[i64], v: Message) -> Case {
    const FLOAT: i64 = 1;
    Case {
        operators: vec![operator, "QuantizeLinear", "Cast"],
        shape: shape.to_vec(),
        weights: vec![floats("s", &[], &[0.02]), bytes("z", &[], &[100]), some_bytes("w", weights), v],
        nodes: vec![
            node("QuantizeLinear", &["x", "s", "z"], "q", &[]),
            node(operator, &["q", "w", "z", "v"], "p", &[]),
            node("Cast", &["p"], "y", &[int("to", FLOAT)]),
        ],
    }
}

/// As onnxruntime writes a product whose weights are bytes and whose other factor becomes bytes when it runs.
fn by_its_range() -> Case {
    const FLOAT: i64 = 1;
    Case {
        operators: vec!["DynamicQuantizeLinear", "MatMulInteger", "Cast", "Mul"],
        shape: vec![3, 40],
        weights: vec![bytes("v", &[], &[120]), some_bytes("w", &[40, 5])],
        nodes: vec![
            node("DynamicQuantizeLinear", &["x"], "q", &[]).text(2, "t").text(2, "z"),
            node("MatMulInteger", &["q", "w", "z", "v"], "p", &[]),
            node("Cast", &["p"], "f", &[int("to", FLOAT)]),
            node("Mul", &["f", "t"], "y", &[]),
        ],
    }
}

/// An operator of bytes, between those that take to bytes and back.
fn of_integers(operator: &'static str, shape: &[i64], weights: &[i64]) -> Case {
    let scalar = |name: &str, value: f32| floats(name, &[], &[value]);
    Case {
        operators: vec![operator, "QuantizeLinear", "DequantizeLinear"],
        shape: shape.to_vec(),
        weights: vec![
            scalar("s", 0.0213),
            scalar("t", 0.0117),
            scalar("u", 0.0931),
            bytes("z", &[], &[100]),
            some_bytes("w", weights),
        ],
        nodes: vec![
            node("QuantizeLinear", &["x", "s", "z"], "q", &[]),
            match operator {
                "QGemm" => {
                    node_of("com.microsoft", operator, &["q", "s", "z", "w", "t", "z", "", "u", "z"], &["p"], &[])
                }
                _ => node(operator, &["q", "s", "z", "w", "t", "z", "u", "z"], "p", &[]),
            },
            node("DequantizeLinear", &["p", "u", "z"], "y", &[]),
        ],
    }
}

/// One of onnxruntime's own operators of bytes, between those that take to bytes and back.
fn through_integers(operator: &'static str, inputs: &[&str], attributes: Vec<Message>) -> Case {
    let shape = [1, 2, 4, 4];
    let mut case = of_integers(operator, &shape, &shape);
    case.nodes[1] = node_of("com.microsoft", operator, inputs, &["p"], &attributes);
    let last = if inputs.contains(&"u") { "u" } else { "t" };
    case.nodes[2] = node("DequantizeLinear", &["p", last, "z"], "y", &[]);
    case
}
