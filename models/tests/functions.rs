//! Functions of one variable that are written with several operators become one table each, and are as close to the float model as one rounding is.

mod common;

use common::{bytes, declared, float, floats, model, node};
use ndarray::{ArrayD, IxDyn};
use tract_onnx::pb::{NodeProto, TensorProto};
use vouch_models::{Calibration, CompileOptions, Compiled, Model};
use vouch_program::Op;

/// Compiled with 16 samples of 64 numbers from `-reach` to `reach`.
fn compiled(weights: Vec<TensorProto>, nodes: Vec<NodeProto>, outputs: &[&str], reach: f32) -> Compiled {
    let proto = model(vec![declared("x", &[1, 64])], weights, nodes, outputs);
    let data = common::noise(16 * 64, 7).into_iter().map(|x| x * reach).collect();
    let data = Calibration::from_array(ArrayD::from_shape_vec(IxDyn(&[16, 1, 64]), data).unwrap());
    let model = Model::from_bytes(&bytes(&proto)).unwrap();
    model.compile(&data, &CompileOptions::default(), &mut |_| {}).unwrap()
}

fn applied(compiled: &Compiled) -> usize {
    compiled.program.nodes.iter().filter(|node| matches!(node.op, Op::Apply { .. })).count()
}

fn scalar(name: &str, value: f32) -> TensorProto {
    floats(name, &[], vec![value])
}

/// One table, and errors of half a step of what it is of, times the slope, and half a step of its own.
fn is_one_table(weights: Vec<TensorProto>, nodes: Vec<NodeProto>, reach: f32) {
    let output = nodes.last().unwrap().output[0].clone();
    let compiled = compiled(weights, nodes, &[&output], reach);
    assert_eq!(applied(&compiled), 1);
    let worst = f64::from(reach) * 1.25 / 32768.0 * 2.0;
    let found = &compiled.report.outputs[0];
    assert!(found.largest_error <= 2.0 * worst, "{} {worst}", found.largest_error);
    assert!(compiled.report.saturated.is_empty(), "{:?}", compiled.report.saturated);
}

#[test]
fn swish() {
    is_one_table(vec![], vec![node("Sigmoid", &["x"], "s", vec![]), node("Mul", &["x", "s"], "y", vec![])], 9.0);
}

#[test]
fn hard_swish_as_older_exporters_write_it() {
    let weights = vec![scalar("three", 3.0), scalar("zero", 0.0), scalar("six", 6.0)];
    let nodes = vec![
        node("Add", &["x", "three"], "shifted", vec![]),
        node("Clip", &["shifted", "zero", "six"], "clipped", vec![]),
        node("Mul", &["x", "clipped"], "product", vec![]),
        node("Div", &["product", "six"], "y", vec![]),
    ];
    is_one_table(weights, nodes, 8.0);
}

#[test]
fn gelu_of_either_form() {
    let weights = || {
        vec![
            scalar("root", 2f32.sqrt()),
            scalar("one", 1.0),
            scalar("half", 0.5),
            scalar("three", 3.0),
            scalar("c", 0.044715),
            scalar("d", 0.797_884_6),
        ]
    };
    let by_erf = vec![
        node("Div", &["x", "root"], "scaled", vec![]),
        node("Erf", &["scaled"], "e", vec![]),
        node("Add", &["e", "one"], "sum", vec![]),
        node("Mul", &["x", "sum"], "product", vec![]),
        node("Mul", &["product", "half"], "y", vec![]),
    ];
    is_one_table(weights(), by_erf, 5.0);
    let by_tanh = vec![
        node("Pow", &["x", "three"], "cube", vec![]),
        node("Mul", &["cube", "c"], "small", vec![]),
        node("Add", &["x", "small"], "inner", vec![]),
        node("Mul", &["inner", "d"], "scaled", vec![]),
        node("Tanh", &["scaled"], "t", vec![]),
        node("Add", &["t", "one"], "sum", vec![]),
        node("Mul", &["half", "x"], "halved", vec![]),
        node("Mul", &["halved", "sum"], "y", vec![]),
    ];
    is_one_table(weights(), by_tanh, 5.0);
}

#[test]
fn a_product_with_itself_of_a_sum() {
    let weights = vec![scalar("two", 2.0)];
    let nodes = vec![node("Add", &["x", "two"], "sum", vec![]), node("Mul", &["sum", "sum"], "y", vec![])];
    // One operator that is not linear: a product, as before.
    let found = compiled(weights, nodes, &["y"], 1.0);
    assert!(found.report.outputs[0].largest_error < 1e-3);
    assert!(found.program.tables.is_empty());
}

#[test]
fn what_is_read_between_stays() {
    let swish = || vec![node("Sigmoid", &["x"], "s", vec![]), node("Mul", &["x", "s"], "y", vec![])];
    // The sigmoid is an output too.
    let found = compiled(vec![], swish(), &["y", "s"], 4.0);
    assert_eq!(applied(&found), 2);
    assert!(found.report.outputs.iter().all(|output| output.largest_error < 2e-3));
    // Something else reads it.
    let read = [swish(), vec![node("ReduceMean", &["s"], "m", vec![])]].concat();
    let found = compiled(vec![], read, &["y", "m"], 4.0);
    assert!(found.report.outputs.iter().all(|output| output.largest_error < 2e-3), "{:?}", found.report.outputs);
    // A sum of two tensors is no function of one.
    let two = vec![
        node("Slice", &["x", "from", "to", "axis"], "part", vec![]),
        node("Sigmoid", &["part"], "a", vec![]),
        node("Tanh", &["part"], "b", vec![]),
        node("Mul", &["a", "w"], "c", vec![]),
        node("Mul", &["c", "b"], "y", vec![]),
    ];
    let indices = [("from", 0), ("to", 8), ("axis", 1)].map(|(name, i)| common::integers(name, vec![i]));
    let weights = [vec![floats("w", &[1, 8], common::noise(8, 3))], indices.to_vec()].concat();
    let found = compiled(weights, two, &["y"], 4.0);
    assert!(found.report.outputs[0].largest_error < 1e-3, "{:?}", found.report.outputs);
}

#[test]
fn a_function_behind_a_product_needs_no_cell_of_its_own() {
    let weights = vec![floats("w", &[64, 64], common::noise(64 * 64, 5))];
    let nodes = vec![
        node("MatMul", &["x", "w"], "p", vec![]),
        node("Sigmoid", &["p"], "s", vec![]),
        node("Mul", &["p", "s"], "y", vec![]),
    ];
    let found = compiled(weights, nodes, &["y"], 1.0);
    assert_eq!(applied(&found), 1);
    assert!(found.report.largest_error_share < 5e-4, "{}", found.report.largest_error_share);
}

#[test]
fn the_side_where_a_function_is_constant_does_not_coarsen_it() {
    // From -240 to 8: what is below -16 or so is zero.
    let weights = vec![scalar("scale", 124.0), scalar("shift", -116.0)];
    let nodes = vec![
        node("Mul", &["x", "scale"], "scaled", vec![]),
        node("Add", &["scaled", "shift"], "p", vec![]),
        node("Sigmoid", &["p"], "s", vec![]),
        node("Mul", &["p", "s"], "y", vec![]),
    ];
    let found = compiled(weights, nodes, &["y"], 1.0);
    assert!(found.report.outputs[0].largest_error < 6e-3, "{:?}", found.report.outputs);
    assert!(found.report.saturated.is_empty(), "{:?}", found.report.saturated);
}

/// What JAX writes before a softmax.
#[test]
fn a_maximum_with_what_is_beyond_all_is_the_other() {
    for (op, bound) in [("Max", f32::NEG_INFINITY), ("Max", -1e30), ("Min", f32::INFINITY), ("Min", 1e30)] {
        let found = compiled(vec![scalar("bound", bound)], vec![node(op, &["bound", "x"], "y", vec![])], &["y"], 3.0);
        assert!(found.report.outputs[0].largest_error < 1e-3, "{op} {bound}: {:?}", found.report.outputs);
    }
}

/// Products with weights as small as these drop more bits than usual; the sum must not take that for its own scale.
#[test]
fn a_sum_with_a_product_of_small_weights_keeps_its_range() {
    let small = common::noise(64 * 64, 5).into_iter().map(|w| w * 1e-4).collect();
    let weights = vec![floats("w", &[64, 64], small)];
    let nodes = vec![node("MatMul", &["x", "w"], "p", vec![]), node("Add", &["p", "x"], "y", vec![])];
    let found = compiled(weights, nodes, &["y"], 10.0);
    assert!(found.report.saturated.is_empty(), "{:?}", found.report.saturated);
    assert!(found.report.largest_error_share < 1e-3, "{}", found.report.largest_error_share);
}

/// The search for functions takes no time to speak of where many follow each other and each is read elsewhere.
#[test]
fn many_in_a_row() {
    let mut nodes = Vec::new();
    for i in 0..1000 {
        let of = if i == 0 { "x".to_string() } else { format!("t{}", i - 1) };
        nodes.push(node("Tanh", &[&of], &format!("t{i}"), vec![]));
        nodes.push(node("ReduceMean", &[&format!("t{i}")], &format!("m{i}"), vec![]));
    }
    let outputs: Vec<String> = (0..1000).map(|i| format!("m{i}")).collect();
    let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
    let begun = std::time::Instant::now();
    let found = compiled(vec![], nodes, &outputs, 1.0);
    assert_eq!(found.program.outputs.len(), 1000);
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

#[test]
fn attributes_of_the_parts_count() {
    let nodes = vec![
        node("LeakyRelu", &["x"], "l", vec![float("alpha", 0.25)]),
        node("Elu", &["l"], "e", vec![float("alpha", 2.0)]),
        node("Mul", &["e", "x"], "y", vec![]),
    ];
    is_one_table(vec![], nodes, 2.0);
}

/// Magnitudes of pairs, from 1 to 2^-12: the small ones are as exact as the parts are.
#[test]
fn magnitudes_keep_small_values() {
    let indices =
        [("zero", 0), ("mid", 32), ("end", 64), ("axis", 1)].map(|(name, i)| common::integers(name, vec![i])).to_vec();
    let parts = || {
        vec![
            node("Slice", &["x", "zero", "mid", "axis"], "re", vec![]),
            node("Slice", &["x", "mid", "end", "axis"], "im", vec![]),
        ]
    };
    let squares = [
        vec![node("Pow", &["re", "two"], "a", vec![]), node("Pow", &["im", "two"], "b", vec![])],
        vec![node("Mul", &["re", "re"], "a", vec![]), node("Mul", &["im", "im"], "b", vec![])],
    ];
    let ends = [
        vec![node("Sqrt", &["sum"], "y", vec![])],
        vec![node("Pow", &["sum", "half"], "y", vec![])],
        vec![node("Sqrt", &["sum"], "r", vec![]), node("Log", &["r"], "y", vec![])],
    ];
    for (squares, end) in squares.iter().flat_map(|squares| ends.iter().map(move |end| (squares, end))) {
        let nodes = [parts(), squares.clone(), vec![node("Add", &["a", "b"], "sum", vec![])], end.clone()].concat();
        let weights = [vec![scalar("two", 2.0), scalar("half", 0.5)], indices.clone()].concat();
        let proto = model(vec![declared("x", &[1, 64])], weights, nodes, &["y"]);
        let data = common::noise(16 * 64, 7).into_iter().enumerate();
        let data = data.map(|(i, x)| (x + x.signum()) * 0.5f32.powi((i % 32 % 13) as i32)).collect();
        let data = Calibration::from_array(ArrayD::from_shape_vec(IxDyn(&[16, 1, 64]), data).unwrap());
        let model = Model::from_bytes(&bytes(&proto)).unwrap();
        let compiled = model.compile(&data, &CompileOptions::default(), &mut |_| {}).unwrap();
        let output = &compiled.report.outputs[0];
        // Parts of 2^-12 are some four steps of 2^-14; a root of 16 bits would be off by 2^-7 there.
        let allowed = if end.len() == 2 { 0.15 } else { 4e-4 };
        assert!(output.largest_error < allowed, "{} {:?}", end[0].op_type, output);
        // The two squares have no cells of their own.
        let applied = compiled.program.nodes.iter().filter(|node| matches!(node.op, Op::Apply { .. }));
        assert!(applied.count() <= 4);
    }
}

/// What is behind a square that is summed is asked for once, however many squares of sums follow each other.
#[test]
fn squares_of_sums_of_squares() {
    const COUNT: usize = 48;
    let indices =
        [("zero", 0), ("mid", 32), ("end", 64), ("axis", 1)].map(|(name, i)| common::integers(name, vec![i])).to_vec();
    let mut nodes = vec![
        node("Slice", &["x", "zero", "mid", "axis"], "t0", vec![]),
        node("Slice", &["x", "mid", "end", "axis"], "c", vec![]),
    ];
    for i in 0..COUNT {
        let (of, square) = (format!("t{i}"), format!("p{i}"));
        nodes.push(node("Pow", &[&of, "two"], &square, vec![]));
        nodes.push(node("Add", &[&square, "c"], &format!("t{}", i + 1), vec![]));
    }
    let begun = std::time::Instant::now();
    let weights = [vec![scalar("two", 2.0)], indices].concat();
    let found = compiled(weights, nodes, &[&format!("t{COUNT}")], 0.2);
    assert!(found.report.outputs[0].largest_error < 1e-3, "{:?}", found.report.outputs);
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}
