//! Masks before a Softmax: what is beside them keeps its precision, and what they say stays as the model has it.

mod common;

use common::compare::*;
use common::*;
use ndarray::{ArrayD, IxDyn};
use tract_onnx::pb::{ModelProto, NodeProto, TensorProto, tensor_proto::DataType};
use vouch_models::{Model, ModelError};

const SHAPE: [i64; 3] = [2, 4, 6];

/// Row i leaves out what comes after its place i.
fn causal(masked: f32) -> Vec<f32> {
    (0..24).map(|at| if at % 6 > at / 6 { masked } else { 0.0 }).collect()
}

fn truths(data: Vec<f32>) -> TensorProto {
    let int32_data = data.iter().map(|x| i32::from(*x == 0.0)).collect();
    TensorProto { int32_data, data_type: DataType::Bool as i32, float_data: vec![], ..floats("c", &[4, 6], data) }
}

fn shares() -> NodeProto {
    node("Softmax", &["m"], "y", vec![])
}

fn adds() -> Vec<NodeProto> {
    vec![node("Add", &["x", "mask"], "m", vec![]), shares()]
}

fn chooses(inputs: &[&str]) -> Vec<NodeProto> {
    vec![node("Where", inputs, "m", vec![]), shares()]
}

fn built(weights: &[TensorProto], nodes: &[NodeProto]) -> ModelProto {
    model(vec![declared("x", &SHAPE)], weights.to_vec(), nodes.to_vec(), &["y"])
}

/// Compiles, and compares shares with what they are by their definition in double precision.
fn check_shares(weights: Vec<TensorProto>, nodes: Vec<NodeProto>, masked: impl Fn(usize, f32) -> f64) {
    let compiled = check(&SHAPE, weights.clone(), nodes.clone());
    assert!(compiled.report.largest_error_share < 0.0005, "{}", compiled.report);
    let model = Model::from_bytes(&bytes(&built(&weights, &nodes))).unwrap();
    let x: Vec<f32> = noise(48, 5).iter().map(|x| 3.0 * x).collect();
    let sample = ArrayD::from_shape_vec(IxDyn(&[2, 4, 6]), x.clone()).unwrap();
    let found = model.run_float(&vec![sample]).unwrap().swap_remove(0);
    let scores: Vec<f64> = x.iter().enumerate().map(|(at, &x)| masked(at % 24, x)).collect();
    for (scores, found) in scores.chunks(6).zip(found.chunks(6)) {
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = scores.iter().map(|score| (score - largest).exp()).sum();
        for (score, found) in scores.iter().zip(found) {
            assert!(((score - largest).exp() / sum - f64::from(*found)).abs() < 1e-5, "{scores:?} {found}");
        }
    }
}

#[test]
fn masks_that_are_added() {
    for low in [-50.0, -10000.0, -1e9, f32::MIN, f32::NEG_INFINITY] {
        let mask = causal(low);
        let added = |at: usize, x: f32| f64::from(x) + f64::from(mask[at]);
        check_shares(vec![floats("mask", &[4, 6], mask.clone())], adds(), added);
        // As the first operand, and of more axes.
        let turned = vec![node("Add", &["mask", "x"], "m", vec![]), shares()];
        check_shares(vec![floats("mask", &[1, 4, 6], mask.clone())], turned, added);
    }
    // What is left of rows that a mask shifts as a whole is what they are without it.
    let rows = [0.0, -10000.0, 700.0, -3.0];
    let shifted: Vec<f32> = causal(-20000.0).iter().enumerate().map(|(at, x)| x + rows[at / 6]).collect();
    let added = |at: usize, x: f32| f64::from(x + causal(-20000.0)[at]);
    check_shares(vec![floats("mask", &[4, 6], shifted)], adds(), added);
    // Moderate numbers beside low ones are themselves.
    let uneven: Vec<f32> = (0..24).map(|at| if at % 5 == 4 { -10000.0 } else { -((at % 5) as f32) }).collect();
    let added = |at: usize, x: f32| f64::from(x + uneven[at]);
    check_shares(vec![floats("mask", &[4, 6], uneven.clone())], adds(), added);
}

#[test]
fn masks_that_are_chosen() {
    for low in [-50.0, -10000.0, -1e9, f32::MIN, f32::NEG_INFINITY] {
        let mut pattern = causal(low);
        // One row is masked as a whole.
        if low > f32::MIN {
            pattern[12..18].fill(low);
        }
        let chosen = |at: usize, x: f32| if pattern[at] == 0.0 { f64::from(x) } else { f64::from(low) };
        let weights = || vec![truths(pattern.clone()), floats("low", &[], vec![low])];
        check_shares(weights(), chooses(&["c", "x", "low"]), chosen);
        // The other way around.
        let other = truths(pattern.iter().map(|x| if *x == 0.0 { 1.0 } else { 0.0 }).collect());
        check_shares(vec![other, floats("low", &[1, 1], vec![low])], chooses(&["c", "low", "x"]), chosen);
    }
}

/// What holds no rows of scores is not touched, and -inf there is refused.
#[test]
fn other_low_numbers() {
    let refused = |weights: &[TensorProto], nodes: &[NodeProto]| match compile(&built(weights, nodes), &SHAPE, 2.0) {
        Err(ModelError::UnsupportedAttribute { node, reason, .. }) => (node, reason),
        Err(error) => panic!("{error}"),
        Ok(compiled) => panic!("{}", compiled.report),
    };
    let mask = |low| vec![floats("mask", &[4, 6], causal(low))];
    // Another axis, another operator, a second reader, and an output.
    let add = || node("Add", &["x", "mask"], "m", vec![]);
    let across = node("Softmax", &["m"], "y", vec![int("axis", 1)]);
    let relu = vec![add(), node("Relu", &["m"], "y", vec![])];
    let twice = vec![add(), node("Softmax", &["m"], "s", vec![]), node("Add", &["m", "s"], "y", vec![])];
    for nodes in [vec![add(), across], relu, twice, vec![node("Add", &["x", "mask"], "y", vec![])]] {
        let (node, reason) = refused(&mask(f32::NEG_INFINITY), &nodes);
        assert!(node.starts_with("Add") && reason.contains("Softmax"), "{node}: {reason}");
    }
    // Between several low numbers a row that is masked as a whole still chooses.
    let mut lows = mask(-1e9);
    lows[0].float_data[3] = f32::NEG_INFINITY;
    lows.push(truths(causal(1.0)));
    assert!(refused(&lows, &chooses(&["c", "x", "mask"])).0.starts_with("Where"));
    // What anything else reads must be finite as before.
    let product = vec![node("Mul", &["x", "mask"], "m", vec![]), shares()];
    let error = compile(&built(&mask(f32::NEG_INFINITY), &product), &SHAPE, 2.0).err().unwrap();
    assert!(matches!(error, ModelError::NotFiniteWeights { .. }), "{error}");
    let mut nan = mask(f32::NEG_INFINITY);
    nan[0].float_data[0] = f32::NAN;
    let error = compile(&built(&nan, &adds()), &SHAPE, 2.0).err().unwrap();
    assert!(matches!(error, ModelError::NotFiniteWeights { count: 1, .. }), "{error}");
}
