//! Normalizations that models spell out are lowered as what they are, and only where they are.

mod common;

use common::{bytes, declared, floats, int, ints, model, node};
use ndarray::{ArrayD, IxDyn};
use tract_onnx::pb::{NodeProto, TensorProto};
use vouch_models::{Calibration, CompileOptions, Compiled, Model};
use vouch_program::Op;

const SHAPE: [i64; 3] = [2, 5, 16];

/// Rows of sizes from 1 to 1/256.
fn compiled(mut weights: Vec<TensorProto>, nodes: Vec<NodeProto>, outputs: &[&str]) -> Compiled {
    weights.extend([floats("epsilon", &[], vec![1e-6]), floats("two", &[], vec![2.0]), floats("one", &[1], vec![1.0])]);
    weights.push(floats("gamma", &[16], (0..16).map(|i| 0.5 + i as f32 / 16.0).collect()));
    weights.push(floats("beta", &[16], (0..16).map(|i| 0.1 * i as f32 - 0.8).collect()));
    let proto = model(vec![declared("x", &SHAPE)], weights, nodes, outputs);
    let data = common::noise(8 * 160, 11).into_iter().enumerate();
    let data = data.map(|(i, x)| (x + 0.3) * 0.5f32.powi((i / 16 % 5) as i32 * 2)).collect();
    let data = ArrayD::from_shape_vec(IxDyn(&[8, 2, 5, 16]), data).unwrap();
    let model = Model::from_bytes(&bytes(&proto)).unwrap();
    model.compile(&Calibration::from_array(data), &CompileOptions::default(), &mut |_| {}).unwrap()
}

fn mean(of: &str, to: &str, axes: &[i64]) -> NodeProto {
    node("ReduceMean", &[of], to, vec![ints("axes", axes), int("keepdims", 1)])
}

/// From `d` to the root `s`.
fn root(axes: &[i64]) -> Vec<NodeProto> {
    vec![
        node("Pow", &["d", "two"], "p", vec![]),
        mean("p", "v", axes),
        node("Add", &["v", "epsilon"], "a", vec![]),
        node("Sqrt", &["a"], "s", vec![]),
    ]
}

fn centred(axes: &[i64]) -> Vec<NodeProto> {
    vec![mean("x", "m", axes), node("Sub", &["x", "m"], "d", vec![])]
}

fn scaled() -> Vec<NodeProto> {
    vec![node("Mul", &["n", "gamma"], "g", vec![]), node("Add", &["g", "beta"], "y", vec![])]
}

fn divisions(compiled: &Compiled) -> usize {
    compiled.program.nodes.iter().filter(|node| matches!(node.op, Op::Divide { .. })).count()
}

/// As close as rows of the least size allow, which are some 40 steps of the input's scale. (With a variance of 16 bits they would be off by half.)
fn is_close(compiled: &Compiled) {
    assert_eq!(divisions(compiled), 1);
    let output = &compiled.report.outputs[0];
    assert!(output.error_share < 2e-2 && output.mean_error < 6e-3, "{}", compiled.report);
}

#[test]
fn layer_normalization_in_each_form() {
    let ends = [
        vec![node("Div", &["d", "s"], "n", vec![])],
        vec![node("Reciprocal", &["s"], "r", vec![]), node("Mul", &["d", "r"], "n", vec![])],
        vec![node("Div", &["one", "s"], "r", vec![]), node("Mul", &["r", "d"], "n", vec![])],
    ];
    let spelled = |axes: &[i64], end: &Vec<NodeProto>| {
        compiled(vec![], [centred(axes), root(axes), end.clone(), scaled()].concat(), &["y"])
    };
    for end in &ends {
        is_close(&spelled(&[2], end));
    }
    is_close(&spelled(&[-1], &ends[0]));
    is_close(&spelled(&[1, 2], &ends[0]));
    // It is no further from the float model than LayerNormalization is, and made of the same.
    let own = vec![node("LayerNormalization", &["x", "gamma", "beta"], "y", vec![common::float("epsilon", 1e-6)])];
    let own = compiled(vec![], own, &["y"]);
    let written = spelled(&[2], &ends[0]);
    assert_eq!((own.report.rows, own.report.samples), (8 * 10, 8));
    assert!(own.report.row_agreement > 75);
    assert_eq!(own.report.outputs[0].largest_error, written.report.outputs[0].largest_error);
    assert_eq!(own.program.nodes.len(), written.program.nodes.len());
}

#[test]
fn without_a_mean() {
    let nodes = [root(&[2]), vec![node("Div", &["d", "s"], "n", vec![])], scaled()].concat();
    let nodes = [vec![node("Identity", &["x"], "d", vec![])], nodes].concat();
    is_close(&compiled(vec![], nodes, &["y"]));
    // What is centred along another axis, or read elsewhere, is not centred here.
    let other = [centred(&[1]), root(&[2]), vec![node("Div", &["d", "s"], "n", vec![])], scaled()].concat();
    is_close(&compiled(vec![], other, &["y"]));
    let read = [centred(&[2]), root(&[2]), vec![node("Div", &["d", "s"], "n", vec![])], scaled()].concat();
    let read = compiled(vec![], read, &["y", "d"]);
    is_close(&read);
    assert!(read.report.outputs[1].largest_error < 1e-3);
}

#[test]
fn factors_of_channels() {
    let channels = floats("c", &[5, 1], vec![0.5, 1.0, 2.0, 0.25, 1.5]);
    let nodes = vec![node("Div", &["d", "s"], "n", vec![]), node("Mul", &["n", "c"], "y", vec![])];
    is_close(&compiled(vec![channels], [centred(&[2]), root(&[2]), nodes].concat(), &["y"]));
}

#[test]
fn what_is_read_elsewhere_stays() {
    // The variance is an output: nothing of it may disappear.
    let nodes = [centred(&[2]), root(&[2]), vec![node("Div", &["d", "s"], "y", vec![])]].concat();
    let found = compiled(vec![], nodes, &["y", "v"]);
    assert_eq!(found.report.outputs.len(), 2);
    assert!(found.report.outputs[1].largest_error < 1e-3, "{}", found.report);
}
