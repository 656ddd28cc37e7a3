//! Masks before a Softmax: what is beside them keeps its precision, and what they say stays as the model has it.

mod common;

use common::compare::*;
use common::*;
use ndarray::{ArrayD, IxDyn};
use tract_onnx::pb::{ModelProto, NodeProto, TensorProto, tensor_proto::DataType};
use vouch_models::{Calibration, CompileOptions, Model, ModelError, outputs, quantize_all};
use vouch_program::execute;

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

/// Which of six places are kept, in each sample.
type Kept = fn(usize, usize) -> bool;

const TOKENS: usize = 6;
const SAMPLED: usize = 8;

fn padded(sample: usize, place: usize) -> bool {
    place <= sample % TOKENS
}

/// Compiles scores and a mask of which places are kept, with such samples, and says how far shares are from the float model on others,
/// with padding.
fn off(weights: Vec<TensorProto>, nodes: Vec<NodeProto>, kept: Kept) -> f32 {
    let inputs = vec![declared("x", &[1, 3, 6]), declared_as("kept", &[1, 6], DataType::Int64)];
    let model = Model::from_bytes(&bytes(&model(inputs, weights, nodes, &["y"]))).unwrap();
    let scores: Vec<f32> = noise(SAMPLED * 18, 4).iter().map(|x| 4.0 * x).collect();
    let shaped = |shape: &[usize], data: Vec<f32>| ArrayD::from_shape_vec(IxDyn(shape), data).unwrap();
    let mask = |kept: Kept| -> Vec<f32> {
        (0..SAMPLED * TOKENS).map(|at| f32::from(u8::from(kept(at / TOKENS, at % TOKENS)))).collect()
    };
    let data = [
        ("x".to_string(), shaped(&[SAMPLED, 1, 3, 6], scores.clone())),
        ("kept".to_string(), shaped(&[SAMPLED, 1, 6], mask(kept))),
    ];
    let options = CompileOptions::default();
    let program = model.compile(&Calibration::from_named(data), &options, &mut |_| {}).unwrap().program;
    let pairs = scores.chunks(18).zip(mask(padded).chunks(TOKENS).map(<[f32]>::to_vec).collect::<Vec<_>>());
    let differences = pairs.map(|(scores, mask)| {
        let sample = vec![shaped(&[1, 3, 6], scores.to_vec()), shaped(&[1, 6], mask)];
        let execution = execute(&program, &quantize_all(&program, &sample).unwrap()).unwrap();
        let found = outputs(&program, &execution).swap_remove(0);
        let expected = model.run_float(&sample).unwrap().swap_remove(0);
        found.iter().zip(&expected).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()))
    });
    differences.fold(0.0, f32::max)
}

#[test]
fn masks_that_are_computed() {
    const FLOAT: i64 = 1;
    const BOOL: i64 = 9;
    let cast = |from: &str, to: &str, kind| node("Cast", &[from], to, vec![int("to", kind)]);
    let flipped = || vec![cast("kept", "k", FLOAT), node("Sub", &["one", "k"], "left", vec![])];
    let ends = || vec![node("Add", &["x", "mask"], "m", vec![]), shares()];
    let constants = |low| vec![floats("one", &[], vec![1.0]), floats("low", &[], vec![low])];
    let product = || node("Mul", &["left", "low"], "mask", vec![]);
    let chosen = || vec![cast("left", "p", BOOL), node("Where", &["p", "low", "left"], "mask", vec![])];
    let wide = || vec![int_shape(), node("Expand", &["thin", "shape"], "mask", vec![])];
    let thin = |mut nodes: Vec<NodeProto>| {
        nodes.last_mut().unwrap().output[0] = "thin".into();
        nodes
    };
    let whole: Kept = |_, _| true;
    for kept in [padded, whole] {
        for low in [-10000.0, -1e9, f32::MIN] {
            let made = [[flipped(), vec![product()]].concat(), [flipped(), chosen()].concat()];
            for nodes in made {
                // Between the mask and the scores it may be widened.
                let widened = [thin(nodes.clone()), wide(), ends()].concat();
                // A causal mask may come before it, of its own or of the scores.
                let causal = || {
                    let pattern = (0..18).map(|at| if at % 6 > at / 6 + 3 { 1.0 } else { 0.0 }).collect();
                    TensorProto { dims: vec![3, 6], ..truths(pattern) }
                };
                let before = vec![node("Where", &["c", "x", "low"], "s", vec![])];
                let after = vec![node("Add", &["s", "mask"], "m", vec![]), shares()];
                let both = [nodes.clone(), before, after].concat();
                for nodes in [[nodes, ends()].concat(), widened, both] {
                    let weights = [constants(low), vec![causal()]].concat();
                    let off = off(weights, nodes.clone(), kept);
                    assert!(off < 0.001, "{off} with {low}: {nodes:?}");
                }
            }
        }
    }
}

fn int_shape() -> NodeProto {
    let value = tract_onnx::pb::AttributeProto {
        name: "value".into(),
        r#type: tract_onnx::pb::attribute_proto::AttributeType::Tensor as i32,
        t: Some(integers("", vec![1, 3, 6])),
        ..Default::default()
    };
    node("Constant", &[], "shape", vec![value])
}

/// A product with a large constant is no mask if it is of what is no integer, or if something else reads it.
#[test]
fn large_factors_stay() {
    let scaled = |factor: f32, add: &str| {
        let nodes = vec![
            node("Mul", &["x", "f"], "l", vec![]),
            node("Add", &["l", add], "m", vec![]),
            node("Softmax", &["m"], "y", vec![]),
        ];
        (vec![floats("f", &[], vec![factor])], nodes)
    };
    for factor in [30.0, 2000.0] {
        let (weights, nodes) = scaled(factor, "x");
        let report = check(&SHAPE, weights, nodes).report;
        assert!(report.smallest_cosine > 0.9999, "{report}");
    }
}

/// Sums of sums are looked through once, though there are 2^36 ways through these.
#[test]
fn many_ways_from_a_sum_to_the_end() {
    let name = |i: usize| if i == 0 { "x".to_string() } else { format!("t{i}") };
    let mut nodes: Vec<NodeProto> = (0..36).map(|i| node("Add", &[&name(i), &name(i)], &name(i + 1), vec![])).collect();
    nodes.push(node("Relu", &[&name(36)], "y", vec![]));
    check(&[2, 3], vec![], nodes);
}

/// Nor is one of integers beyond 1, of which the largest still wins.
#[test]
fn factors_of_larger_integers_stay() {
    let inputs = vec![declared("x", &[1, 2, 3]), declared_as("n", &[1, 3], DataType::Int64)];
    let nodes = vec![
        node("Cast", &["n"], "k", vec![int("to", 1)]),
        node("Mul", &["k", "f"], "mask", vec![]),
        node("Add", &["x", "mask"], "m", vec![]),
        shares(),
    ];
    let model = model(inputs, vec![floats("f", &[], vec![2000.0])], nodes, &["y"]);
    let model = Model::from_bytes(&bytes(&model)).unwrap();
    let shaped = |shape: &[usize], data: &[f32]| ArrayD::from_shape_vec(IxDyn(shape), data.to_vec()).unwrap();
    let data = [
        ("x".to_string(), shaped(&[1, 1, 2, 3], &[0.5, -0.5, 0.2, 0.1, 0.9, -0.3])),
        ("n".to_string(), shaped(&[1, 1, 3], &[7.0, 8.0, 9.0])),
    ];
    let options = CompileOptions::default();
    let compiled = model.compile(&Calibration::from_named(data), &options, &mut |_| {}).unwrap();
    assert!(compiled.report.largest_error_share < 0.001, "{}", compiled.report);
}
