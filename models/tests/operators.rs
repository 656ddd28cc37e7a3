//! Each operator and each of its attributes against the float model, on small models built here.

mod common;

use common::*;
use ndarray::{ArrayD, IxDyn};
use tract_onnx::pb::{ModelProto, NodeProto, TensorProto, ValueInfoProto, tensor_proto::DataType};
use tract_onnx::prelude::*;
use vouch_models::{Calibration, CompileOptions, Compiled, Model, ModelError, supported_operators};
use vouch_program::{Func, Op};

const SAMPLES: usize = 8;

fn samples(shape: &[i64], scale: f32) -> Calibration {
    let mut dims: Vec<usize> = vec![SAMPLES];
    dims.extend(shape.iter().map(|&d| d as usize));
    let data = noise(dims.iter().product(), 7).iter().map(|x| x * scale).collect();
    Calibration::from_array(ArrayD::from_shape_vec(IxDyn(&dims), data).unwrap())
}

fn compile(model: &ModelProto, shape: &[i64], scale: f32) -> Result<Compiled, ModelError> {
    let options = CompileOptions::default();
    Model::from_bytes(&bytes(model))?.compile(&samples(shape, scale), &options, &mut |_| {})
}

/// Compiles nodes that lead from `x` of `shape` to `y` and compares on random inputs.
fn check(shape: &[i64], weights: Vec<TensorProto>, nodes: Vec<NodeProto>) -> Compiled {
    let what =
        nodes.iter().map(|n| format!("{}{:?} ", n.op_type, n.attribute.iter().map(|a| &a.name).collect::<Vec<_>>()));
    let what: String = what.collect();
    let model = model(vec![declared("x", shape)], weights, nodes, &["y"]);
    let compiled = compile(&model, shape, 2.0).unwrap_or_else(|e| panic!("{what}: {e}"));
    let share = compiled.report.largest_error_share;
    assert!(share < 0.004, "{what}: error {share}\n{}", compiled.report);
    assert!(compiled.report.saturated.is_empty(), "{what}: {:?}", compiled.report.saturated);
    compiled
}

fn count(compiled: &Compiled, wanted: fn(&Op) -> bool) -> usize {
    compiled.program.nodes.iter().filter(|n| wanted(&n.op)).count()
}

fn w(name: &str, dims: &[i64], seed: u64) -> TensorProto {
    floats(name, dims, noise(dims.iter().product::<i64>() as usize, seed))
}

#[test]
fn convolutions() {
    let conv = |attributes| vec![node("Conv", &["x", "w", "b"], "y", attributes)];
    let b = || w("b", &[4], 2);
    // Plain, with every attribute left out.
    check(&[1, 3, 7, 6], vec![w("w", &[4, 3, 3, 2], 1)], vec![node("Conv", &["x", "w"], "y", vec![])]);
    // Strides, dilations, uneven pads.
    let attributes = vec![ints("strides", &[2, 1]), ints("dilations", &[1, 2]), ints("pads", &[1, 0, 2, 3])];
    check(&[1, 3, 9, 8], vec![w("w", &[4, 3, 3, 3], 1), b()], conv(attributes));
    // One and three dimensions.
    check(&[1, 2, 20], vec![w("w", &[4, 2, 5], 1), b()], conv(vec![ints("pads", &[2, 2]), ints("strides", &[3])]));
    check(&[1, 2, 4, 4, 4], vec![w("w", &[4, 2, 2, 2, 2], 1), b()], conv(vec![]));
    // Depthwise, depthwise with a multiplier, grouped.
    check(&[1, 4, 6, 6], vec![w("w", &[4, 1, 3, 3], 1), b()], conv(vec![int("group", 4), ints("pads", &[1, 1, 1, 1])]));
    check(&[1, 2, 6, 6], vec![w("w", &[4, 1, 3, 3], 1), b()], conv(vec![int("group", 2)]));
    check(&[1, 6, 6, 6], vec![w("w", &[4, 3, 3, 3], 1), b()], conv(vec![int("group", 2)]));
    // A 1x1 kernel, and one input channel.
    check(&[1, 3, 5, 5], vec![w("w", &[4, 3, 1, 1], 1), b()], conv(vec![ints("strides", &[2, 2])]));
    check(&[1, 1, 5, 5], vec![w("w", &[4, 1, 3, 3], 1), b()], conv(vec![]));
    for auto in ["SAME_UPPER", "SAME_LOWER", "VALID"] {
        let attributes = vec![string("auto_pad", auto), ints("strides", &[2, 3])];
        check(&[1, 3, 8, 8], vec![w("w", &[4, 3, 3, 4], 1), b()], conv(attributes));
    }
}

#[test]
fn batch_normalization_is_folded() {
    let variance = floats("v", &[4], vec![0.5, 1.0, 2.0, 0.1]);
    let weights =
        || vec![w("w", &[4, 3, 3, 3], 1), w("s", &[4], 2), w("b", &[4], 3), w("m", &[4], 4), variance.clone()];
    let norm = |x| node("BatchNormalization", &[x, "s", "b", "m", "v"], "y", vec![float("epsilon", 1e-3)]);
    let folded = check(&[1, 3, 6, 6], weights(), vec![node("Conv", &["x", "w"], "c", vec![]), norm("c")]);
    assert_eq!(count(&folded, |op| matches!(op, Op::Apply { .. })), 1);
    assert_eq!(count(&folded, |op| matches!(op, Op::Contract { .. })), 1);
    // Alone, and where something else reads the convolution.
    check(&[1, 4, 6, 6], weights(), vec![norm("x")]);
    let shared = vec![
        node("Conv", &["x", "w"], "c", vec![]),
        node("BatchNormalization", &["c", "s", "b", "m", "v"], "n", vec![]),
        node("Add", &["n", "c"], "y", vec![]),
    ];
    check(&[1, 3, 6, 6], weights(), shared);
    // MatMul with a bias and a scale behind it is one linear operator.
    let chain = vec![
        node("MatMul", &["x", "w"], "p", vec![]),
        node("Add", &["p", "b"], "q", vec![]),
        node("Mul", &["q", "s"], "r", vec![]),
        node("Relu", &["r"], "y", vec![]),
    ];
    let chain = check(&[1, 6], vec![w("w", &[6, 5], 1), w("b", &[5], 2), w("s", &[5], 3)], chain);
    assert_eq!(count(&chain, |op| matches!(op, Op::Apply { func: Func::Relu, .. })), 1);
    assert_eq!(count(&chain, |op| matches!(op, Op::Apply { .. })), 1);
}

#[test]
fn products() {
    let gemm = |attributes| vec![node("Gemm", &["x", "w", "c"], "y", attributes)];
    let attributes = || vec![int("transB", 1), float("alpha", 0.3), float("beta", -1.5)];
    check(&[1, 6], vec![w("w", &[5, 6], 1), w("c", &[5], 2)], gemm(attributes()));
    check(&[6, 3], vec![w("w", &[6, 5], 1), w("c", &[3, 5], 2)], gemm(vec![int("transA", 1)]));
    // Constant on the left; batches that broadcast; vectors.
    check(&[1, 6, 4], vec![w("w", &[5, 6], 1)], vec![node("MatMul", &["w", "x"], "y", vec![])]);
    check(&[2, 3, 6], vec![w("w", &[2, 6, 5], 1)], vec![node("MatMul", &["x", "w"], "y", vec![])]);
    check(&[3, 6], vec![w("w", &[2, 6, 5], 1)], vec![node("MatMul", &["x", "w"], "y", vec![])]);
    check(&[3, 6], vec![w("w", &[6], 1)], vec![node("MatMul", &["x", "w"], "y", vec![])]);
    // Two computed operands.
    let attention =
        vec![node("Transpose", &["x"], "t", vec![ints("perm", &[0, 2, 1])]), node("MatMul", &["x", "t"], "y", vec![])];
    check(&[2, 3, 6], vec![], attention);
    // A flattened convolution is not copied.
    let flat = vec![
        node("Conv", &["x", "k"], "c", vec![]),
        node("Relu", &["c"], "r", vec![]),
        node("Flatten", &["r"], "f", vec![]),
        node("Gemm", &["f", "w", "b"], "y", vec![]),
    ];
    let flat = check(&[1, 2, 5, 5], vec![w("k", &[3, 2, 2, 2], 1), w("w", &[48, 5], 2), w("b", &[5], 3)], flat);
    assert_eq!(count(&flat, |op| matches!(op, Op::Gather { .. } | Op::Store { .. })), 0);
}

#[test]
fn a_residual_sum_is_one_rescale() {
    let conv = |x, w, y| node("Conv", &[x, w, "b"], y, vec![ints("pads", &[1, 1, 1, 1])]);
    let weights = || vec![w("v", &[3, 3, 3, 3], 1), w("w", &[3, 3, 3, 3], 2), w("b", &[3], 3)];
    for sum in ["Add", "Sub"] {
        let relu = || node("Relu", &["s"], "y", vec![]);
        let nodes = vec![conv("x", "w", "c"), node(sum, &["x", "c"], "s", vec![]), relu()];
        let skip = check(&[1, 3, 5, 5], weights(), nodes);
        assert_eq!(count(&skip, |op| matches!(op, Op::Apply { .. })), 1);
        let nodes = vec![conv("x", "v", "a"), conv("x", "w", "c"), node(sum, &["a", "c"], "s", vec![]), relu()];
        let both = check(&[1, 3, 5, 5], weights(), nodes);
        assert_eq!(count(&both, |op| matches!(op, Op::Apply { .. })), 1);
    }
    // Where the sum broadcasts, each operand keeps a place of its own.
    let nodes = vec![
        node("GlobalAveragePool", &["x"], "g", vec![]),
        conv("x", "w", "c"),
        node("Add", &["g", "c"], "y", vec![]),
    ];
    check(&[1, 3, 5, 5], weights(), nodes);
}

#[test]
fn elementwise() {
    for op in ["Add", "Sub", "Mul"] {
        check(&[1, 3, 4], vec![w("c", &[3, 1], 1)], vec![node(op, &["x", "c"], "y", vec![])]);
        check(&[1, 3, 4], vec![w("c", &[1, 3, 4], 1)], vec![node(op, &["c", "x"], "y", vec![])]);
        check(&[1, 3, 4], vec![floats("c", &[], vec![0.37])], vec![node(op, &["c", "x"], "y", vec![])]);
        // The result is larger than the tensor.
        check(&[3, 1], vec![w("c", &[2, 1, 5], 1)], vec![node(op, &["x", "c"], "y", vec![])]);
        // Two computed operands of different scales, one broadcast.
        let both = vec![
            node("GlobalAveragePool", &["x"], "g", vec![]),
            node("Mul", &["g", "c"], "h", vec![]),
            node(op, &["x", "h"], "y", vec![]),
        ];
        check(&[1, 3, 4, 4], vec![floats("c", &[1], vec![8.5])], both);
    }
    check(&[1, 5], vec![w("c", &[5], 1)], vec![node("Div", &["x", "c"], "y", vec![])]);
    // Doubling, squaring, cancelling.
    check(&[1, 5], vec![], vec![node("Add", &["x", "x"], "y", vec![])]);
    check(&[1, 5], vec![], vec![node("Mul", &["x", "x"], "y", vec![])]);
    check(&[1, 5], vec![], vec![node("Sub", &["x", "x"], "z", vec![]), node("Add", &["z", "x"], "y", vec![])]);
}

#[test]
fn activations() {
    let bounds = || vec![floats("lo", &[], vec![-0.5]), floats("hi", &[], vec![1.25])];
    for (op, inputs, attributes) in [
        ("Relu", vec!["x"], vec![]),
        ("LeakyRelu", vec!["x"], vec![float("alpha", 0.2)]),
        ("LeakyRelu", vec!["x"], vec![]),
        ("Clip", vec!["x", "lo", "hi"], vec![]),
        ("Clip", vec!["x", "lo"], vec![]),
        ("Clip", vec!["x", "", "hi"], vec![]),
        ("HardSigmoid", vec!["x"], vec![float("alpha", 0.4), float("beta", 0.3)]),
        ("Sigmoid", vec!["x"], vec![]),
        ("Tanh", vec!["x"], vec![]),
    ] {
        check(&[1, 40], bounds(), vec![node(op, &inputs, "y", attributes.clone())]);
        // Behind a linear operator it costs no rescale of its own.
        let mut behind = inputs.clone();
        behind[0] = "p";
        let nodes = vec![node("MatMul", &["x", "w"], "p", vec![]), node(op, &behind, "y", attributes)];
        let mut weights = bounds();
        weights.push(w("w", &[40, 7], 1));
        let fused = check(&[1, 40], weights, nodes);
        assert_eq!(count(&fused, |op| matches!(op, Op::Apply { .. })), 1, "{op}");
    }
    let swish = vec![node("MatMul", &["x", "w"], "p", vec![]), node("HardSwish", &["p"], "y", vec![])];
    let mut model = model(vec![declared("x", &[1, 10])], vec![w("w", &[10, 6], 1)], swish, &["y"]);
    model.opset_import[0].version = 14;
    let compiled = compile(&model, &[1, 10], 2.0).unwrap();
    assert!(compiled.report.largest_error_share < 0.004, "{}", compiled.report);
    // Read twice: once by its own activation.
    let silu = vec![
        node("MatMul", &["x", "w"], "p", vec![]),
        node("Sigmoid", &["p"], "s", vec![]),
        node("Mul", &["p", "s"], "y", vec![]),
    ];
    check(&[1, 10], vec![w("w", &[10, 6], 1)], silu);
}

#[test]
fn equal_tables_are_shared() {
    let nodes = vec![
        node("MatMul", &["x", "w"], "p", vec![]),
        node("Sigmoid", &["p"], "q", vec![]),
        node("MatMul", &["q", "w"], "r", vec![]),
        node("Sigmoid", &["r"], "y", vec![]),
    ];
    let compiled = check(&[1, 6], vec![w("w", &[6, 6], 1)], nodes);
    assert_eq!(compiled.program.tables.len(), 1);
}

#[test]
fn pooling() {
    let kernel = || ints("kernel_shape", &[3, 2]);
    let all = || vec![kernel(), ints("strides", &[2, 2]), ints("pads", &[1, 0, 1, 1])];
    for op in ["MaxPool", "AveragePool"] {
        check(&[1, 3, 7, 6], vec![], vec![node(op, &["x"], "y", vec![kernel()])]);
        check(&[1, 3, 7, 6], vec![], vec![node(op, &["x"], "y", all())]);
        check(&[1, 2, 9], vec![], vec![node(op, &["x"], "y", vec![ints("kernel_shape", &[4]), ints("strides", &[3])])]);
        let mut ceil = vec![ints("kernel_shape", &[3, 3]), ints("strides", &[2, 2]), int("ceil_mode", 1)];
        check(&[1, 3, 8, 6], vec![], vec![node(op, &["x"], "y", ceil.clone())]);
        ceil[2] = string("auto_pad", "SAME_UPPER");
        check(&[1, 3, 8, 6], vec![], vec![node(op, &["x"], "y", ceil)]);
    }
    let mut counted = all();
    counted.push(int("count_include_pad", 1));
    check(&[1, 3, 7, 6], vec![], vec![node("AveragePool", &["x"], "y", counted)]);
    let dilated = vec![ints("kernel_shape", &[2, 2]), ints("dilations", &[2, 3])];
    check(&[1, 2, 7, 7], vec![], vec![node("MaxPool", &["x"], "y", dilated)]);
    for op in ["GlobalMaxPool", "GlobalAveragePool"] {
        check(&[1, 3, 7, 5], vec![], vec![node(op, &["x"], "y", vec![])]);
        check(&[1, 3, 4, 4], vec![], vec![node(op, &["x"], "y", vec![])]);
        check(&[1, 3, 1, 1], vec![], vec![node(op, &["x"], "y", vec![])]);
    }
    let mean = vec![ints("axes", &[-1, 1]), int("keepdims", 0)];
    check(&[1, 3, 4, 5], vec![], vec![node("ReduceMean", &["x"], "y", mean)]);
}

#[test]
fn data_movement() {
    let pads = || integers("p", vec![0, 0, 1, 2, 0, 0, 2, 1]);
    for (mode, fill) in [("constant", 0.0), ("constant", 1.5), ("constant", -1.5), ("reflect", 0.0), ("edge", 0.0)] {
        let weights = vec![pads(), floats("c", &[], vec![fill])];
        let inputs: &[&str] = if mode == "constant" { &["x", "p", "c"] } else { &["x", "p"] };
        check(&[1, 2, 4, 5], weights, vec![node("Pad", inputs, "y", vec![string("mode", mode)])]);
    }
    let slice = |x, y| node("Slice", &[x, "start", "end", "axes", "step"], y, vec![]);
    let bounds = || {
        vec![
            integers("start", vec![-1, 1]),
            integers("end", vec![-100, 5]),
            integers("axes", vec![2, -1]),
            integers("step", vec![-2, 3]),
        ]
    };
    check(&[1, 2, 6, 7], bounds(), vec![slice("x", "y")]);
    // A slice, seen through the padding of a convolution: cells beside the slice must read as zero.
    let mut weights = bounds();
    weights.push(w("w", &[2, 2, 3, 3], 1));
    let nodes = vec![slice("x", "s"), node("Conv", &["s", "w"], "y", vec![ints("pads", &[1, 1, 1, 1])])];
    check(&[1, 2, 6, 7], weights, nodes);
    // Padding before a convolution is folded into its windows.
    let nodes = vec![node("Pad", &["x", "p"], "q", vec![]), node("Conv", &["q", "w"], "y", vec![])];
    let padded = check(&[1, 2, 4, 5], vec![pads(), w("w", &[2, 2, 3, 3], 1)], nodes);
    assert_eq!(count(&padded, |op| matches!(op, Op::Store { .. })), 0);
    // Concat: equal scales move only; different ones are rescaled.
    check(&[1, 2, 3], vec![w("c", &[1, 2, 2], 1)], vec![node("Concat", &["x", "c", "x"], "y", vec![int("axis", -1)])]);
    let nodes = vec![node("Mul", &["x", "k"], "big", vec![]), node("Concat", &["x", "big"], "y", vec![int("axis", 1)])];
    check(&[1, 2, 3], vec![floats("k", &[], vec![9.0])], nodes);
    // Reshapes that views can say, and one that they cannot, each read by a transposition.
    for shape in [vec![1, 2, 3, 4], vec![6, 4], vec![4, 3, 2], vec![24]] {
        let perm: Vec<i64> = (0..shape.len() as i64).rev().collect();
        let nodes = vec![
            node("Reshape", &["x", "s"], "r", vec![]),
            node("Transpose", &["r"], "t", vec![ints("perm", &perm)]),
            node("Relu", &["t"], "y", vec![]),
        ];
        check(&[1, 6, 4], vec![integers("s", shape)], nodes);
    }
    let nodes = vec![
        node("Unsqueeze", &["x", "a"], "u", vec![]),
        node("Squeeze", &["u", "b"], "v", vec![]),
        node("Dropout", &["v"], "d", vec![]),
        node("Identity", &["d"], "y", vec![]),
    ];
    check(&[1, 3, 1], vec![integers("a", vec![0, 4]), integers("b", vec![3, 4])], nodes);
}

#[test]
fn shapes_computed_by_the_model_are_folded() {
    // What exporters write for x.view(x.shape[0], -1).
    let nodes = vec![
        node("Shape", &["x"], "shape", vec![]),
        node("Gather", &["shape", "zero"], "first", vec![int("axis", 0)]),
        node("Concat", &["first", "rest"], "new", vec![int("axis", 0)]),
        node("Reshape", &["x", "new"], "flat", vec![]),
        node("Gemm", &["flat", "w"], "y", vec![]),
    ];
    let weights = vec![integers("zero", vec![0]), integers("rest", vec![-1]), w("w", &[12, 3], 1)];
    let model = model(vec![declared("x", &[-1, 3, 4])], weights, nodes, &["y"]);
    let compiled = compile(&model, &[1, 3, 4], 2.0).unwrap();
    assert!(compiled.report.largest_error_share < 0.004, "{}", compiled.report);
    assert_eq!(compiled.program.inputs[0].shape, [1, 3, 4]);
}

#[test]
fn positions_of_maxima() {
    for (attributes, shape) in [
        (vec![int("axis", -1), int("keepdims", 0)], vec![1, 3]),
        (vec![int("axis", 1)], vec![1, 1, 5]),
        (vec![], vec![1, 3, 5]),
    ] {
        let compiled = check(&[1, 3, 5], vec![], vec![node("ArgMax", &["x"], "y", attributes)]);
        assert_eq!(compiled.report.largest_error_share, 0.0);
        assert_eq!(compiled.program.outputs[0].shape, shape);
    }
}

#[test]
fn several_inputs_and_outputs() {
    let nodes = vec![node("Add", &["a", "b"], "sum", vec![]), node("Mul", &["a", "b"], "product", vec![])];
    let model = model(vec![declared("a", &[1, 4]), declared("b", &[1, 4])], vec![], nodes, &["product", "a", "sum"]);
    let array = |seed| ArrayD::from_shape_vec(IxDyn(&[SAMPLES, 4]), noise(SAMPLES * 4, seed)).unwrap();
    let data = Calibration::from_named([("b".to_string(), array(1)), ("a".to_string(), array(2))]);
    let model = Model::from_bytes(&bytes(&model)).unwrap();
    let compiled = model.compile(&data, &CompileOptions::default(), &mut |_| {}).unwrap();
    assert!(compiled.report.largest_error_share < 0.001, "{}", compiled.report);
    let names: Vec<&str> = compiled.program.outputs.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["product", "a", "sum"]);
}

#[test]
fn what_is_not_supported_is_named() {
    let refused = |nodes: Vec<NodeProto>, weights| {
        let model = model(vec![declared("x", &[1, 2, 4, 4])], weights, nodes, &["y"]);
        match compile(&model, &[1, 2, 4, 4], 1.0) {
            Ok(_) => panic!("compiled"),
            Err(error) => error.to_string(),
        }
    };
    let text = refused(vec![node("Hardmax", &["x"], "y", vec![])], vec![]);
    assert!(text.contains("Hardmax") && text.contains("Hardmax_y") && text.contains("Conv, "), "{text}");
    let text = refused(vec![node("ArgMax", &["x"], "y", vec![int("select_last_index", 1)])], vec![]);
    assert!(text.contains("ArgMax_y") && text.contains("select_last_index"), "{text}");
    let text = refused(vec![node("Relu", &["x"], "y", vec![int("strange", 1)])], vec![]);
    assert!(text.contains("strange"), "{text}");
    let text = refused(vec![node("Conv", &["x", "x"], "y", vec![])], vec![]);
    assert!(text.contains("operand 1"), "{text}");
    let text = refused(vec![node("Pow", &["x", "e"], "y", vec![])], vec![floats("e", &[4], vec![1.0, 2.0, 3.0, 4.0])]);
    assert!(text.contains("operand 1") && text.contains("scalar"), "{text}");
    let text = refused(vec![node("PRelu", &["x", "x"], "y", vec![])], vec![]);
    assert!(text.contains("operand 1") && text.contains("only constants"), "{text}");
    // To whole numbers.
    let text = refused(vec![node("Cast", &["x"], "y", vec![int("to", 7)])], vec![]);
    assert!(text.contains("\"to\""), "{text}");
    // What the float model would compute forward; lengths that are read in more than one way.
    let reverse = vec![int("hidden_size", 1), string("direction", "reverse")];
    let layer = vec![node("Flatten", &["x"], "f", vec![]), node("Unsqueeze", &["f", "a"], "u", vec![])];
    let layer = layer.into_iter().chain([node("LSTM", &["u", "w", "r"], "y", reverse)]).collect();
    let weights = vec![integers("a", vec![0]), w("w", &[1, 4, 32], 1), w("r", &[1, 4, 1], 2)];
    let text = refused(layer, weights);
    assert!(text.contains("LSTM_y") && text.contains("bidirectional"), "{text}");
    let cut = vec![ints("output_shape", &[5, 4])];
    let text = refused(vec![node("ConvTranspose", &["x", "w"], "y", cut)], vec![w("w", &[2, 2, 3, 2], 1)]);
    assert!(text.contains("ConvTranspose_y") && text.contains("pads"), "{text}");
    let corners = vec![string("mode", "linear"), string("coordinate_transformation_mode", "align_corners")];
    let scales = vec![floats("s", &[4], vec![1.0, 1.0, 1.3, 1.0])];
    let text = refused(vec![node("Resize", &["x", "", "s"], "y", corners)], scales);
    assert!(text.contains("Resize_y") && text.contains("whole lengths"), "{text}");
    let halved = vec![string("mode", "cubic"), string("coordinate_transformation_mode", "pytorch_half_pixel")];
    let scales = vec![floats("s", &[4], vec![1.0, 1.0, 0.25, 1.0])];
    let text = refused(vec![node("Resize", &["x", "", "s"], "y", halved)], scales);
    assert!(text.contains("Resize_y") && text.contains("single element"), "{text}");
    let text = refused(vec![node("DepthToSpace", &["x"], "y", vec![int("blocksize", 0)])], vec![]);
    assert!(text.contains("DepthToSpace") || text.contains("float model"), "{text}");
    let mut two = node("MaxPool", &["x"], "m", vec![ints("kernel_shape", &[2, 2])]);
    two.output.push("index".into());
    let text = refused(vec![two, node("Identity", &["index"], "y", vec![])], vec![]);
    assert!(text.contains("second result"), "{text}");
    let text = refused(vec![node("Identity", &["c"], "y", vec![])], vec![w("c", &[3], 1)]);
    assert!(text.contains("does not depend on any input"), "{text}");
}

#[test]
fn the_page_lists_what_is_supported() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/OPERATORS.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let listed: Vec<&str> = rows.filter(|name| *name != "operator").collect();
    assert_eq!(listed, supported_operators().collect::<Vec<_>>());
}

#[test]
fn resizes() {
    let resize = |mode: &str, coordinates: &str, more: Vec<_>, scales: [f32; 4]| {
        let mut attributes = vec![string("mode", mode), string("coordinate_transformation_mode", coordinates)];
        attributes.extend(more);
        check(
            &[1, 2, 5, 4],
            vec![floats("s", &[4], scales.to_vec())],
            vec![node("Resize", &["x", "", "s"], "y", attributes)],
        );
    };
    let factors = [[1.0, 1.0, 2.0, 1.0], [1.0, 1.0, 0.6, 1.75], [1.0, 1.0, 0.4, 0.25], [1.0, 1.0, 1.3, 0.9]];
    for coordinates in ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"] {
        for scales in factors {
            if coordinates == "align_corners" && scales[2] == 1.3 {
                continue;
            }
            for rounding in ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"] {
                println!("{coordinates} {rounding} {scales:?}");
                resize("nearest", coordinates, vec![string("nearest_mode", rounding)], scales);
            }
            println!("{coordinates} linear {scales:?}");
            resize("linear", coordinates, vec![], scales);
            if coordinates == "pytorch_half_pixel" && scales[3] == 0.25 {
                continue;
            }
            println!("{coordinates} cubic {scales:?}");
            resize("cubic", coordinates, vec![], scales);
        }
    }
}

#[test]
fn resizes_of_a_part() {
    let weights = || {
        let region = vec![0.0, 0.0, 0.2, -0.25, 1.0, 1.0, 0.7, 1.1];
        vec![floats("r", &[8], region), floats("s", &[4], vec![1.0, 1.0, 0.8, 2.0])]
    };
    for mode in ["nearest", "linear", "cubic"] {
        let crop = string("coordinate_transformation_mode", "tf_crop_and_resize");
        let attributes = vec![string("mode", mode), crop, float("extrapolation_value", 0.75)];
        check(&[1, 2, 5, 4], weights(), vec![node("Resize", &["x", "r", "s"], "y", attributes)]);
    }
    let attributes = vec![string("mode", "cubic"), int("exclude_outside", 1), float("cubic_coeff_a", -0.5)];
    check(&[1, 2, 5, 4], weights(), vec![node("Resize", &["x", "", "s"], "y", attributes)]);
    // By lengths.
    let lengths = vec![integers("n", vec![1, 2, 7, 1])];
    for coordinates in ["half_pixel", "align_corners"] {
        let attributes = vec![string("mode", "linear"), string("coordinate_transformation_mode", coordinates)];
        check(&[1, 2, 5, 4], lengths.clone(), vec![node("Resize", &["x", "", "", "n"], "y", attributes)]);
    }
}

#[test]
fn transposed_convolutions() {
    let transposed = |weights: &[i64], attributes| {
        check(
            &[1, 4, 5, 6],
            vec![w("w", weights, 1), w("b", &[4], 2)],
            vec![node("ConvTranspose", &["x", "w", "b"], "y", attributes)],
        );
    };
    transposed(&[4, 4, 3, 2], vec![]);
    transposed(
        &[4, 4, 3, 3],
        vec![ints("strides", &[2, 3]), ints("pads", &[1, 1, 1, 1]), ints("output_padding", &[1, 2])],
    );
    transposed(&[4, 4, 2, 3], vec![ints("dilations", &[2, 1]), ints("pads", &[0, 1, 1, 0])]);
    transposed(&[4, 2, 3, 3], vec![int("group", 2), ints("strides", &[2, 2])]);
    transposed(&[4, 4, 3, 3], vec![ints("strides", &[2, 2]), ints("output_shape", &[12, 14])]);
    check(
        &[1, 4, 6],
        vec![w("w", &[4, 2, 3], 1)],
        vec![node("ConvTranspose", &["x", "w"], "y", vec![ints("strides", &[2])])],
    );
    check(&[1, 2, 3, 2, 4], vec![w("w", &[2, 2, 2, 2, 2], 1)], vec![node("ConvTranspose", &["x", "w"], "y", vec![])]);
    transposed(&[4, 4, 3, 3], vec![ints("strides", &[2, 2]), string("auto_pad", "SAME_UPPER")]);
    transposed(&[4, 4, 3, 3], vec![ints("strides", &[2, 2]), string("auto_pad", "SAME_LOWER")]);
}

#[test]
fn recurrent_layers() {
    let weights = |directions: i64, gates: i64| {
        vec![
            w("w", &[directions, gates * 3, 4], 1),
            w("r", &[directions, gates * 3, 3], 2),
            w("b", &[directions, gates * 6], 3),
        ]
    };
    for direction in ["forward", "bidirectional"] {
        let directions = if direction == "bidirectional" { 2 } else { 1 };
        for (operator, gates) in [("LSTM", 4), ("GRU", 3)] {
            println!("{operator} {direction}");
            let attributes = vec![int("hidden_size", 3), string("direction", direction)];
            check(&[5, 2, 4], weights(directions, gates), vec![node(operator, &["x", "w", "r", "b"], "y", attributes)]);
        }
    }
    // The last states, from given ones.
    let mut given = weights(1, 4);
    given.extend([w("h", &[1, 2, 3], 4), w("c", &[1, 2, 3], 5)]);
    for wanted in 1..3 {
        let mut lstm = node("LSTM", &["x", "w", "r", "b", "", "h", "c"], "", vec![int("hidden_size", 3)]);
        lstm.output = (0..3).map(|i| if i == wanted { "y".into() } else { String::new() }).collect();
        check(&[3, 2, 4], given.clone(), vec![lstm]);
    }
    given.push(w("p", &[1, 9], 6));
    let peepholes = node("LSTM", &["x", "w", "r", "b", "", "h", "c", "p"], "y", vec![int("hidden_size", 3)]);
    check(&[3, 2, 4], given, vec![peepholes]);
    let after = vec![int("hidden_size", 3), int("linear_before_reset", 1)];
    check(&[5, 2, 4], weights(1, 3), vec![node("GRU", &["x", "w", "r", "b"], "y", after)]);
}

#[test]
fn shares_and_normalizations() {
    for axis in [0, 1, -1] {
        check(&[3, 4, 5], vec![], vec![node("Softmax", &["x"], "y", vec![int("axis", axis)])]);
        check(&[3, 4, 5], vec![], vec![node("LogSoftmax", &["x"], "y", vec![int("axis", axis)])]);
    }
    // Logits so far apart that most exponentials are nothing.
    let weights = || vec![floats("c", &[], vec![12.0])];
    for operator in ["Softmax", "LogSoftmax"] {
        check(&[3, 8], weights(), vec![node("Mul", &["x", "c"], "m", vec![]), node(operator, &["m"], "y", vec![])]);
    }
    // A hundred classes; and, in old operator sets, all axes from one on.
    check(&[2, 100], vec![], vec![node("Softmax", &["x"], "y", vec![])]);
    check(&[2, 100], vec![], vec![node("LogSoftmax", &["x"], "y", vec![])]);
    let mut old = model(
        vec![declared("x", &[2, 3, 4])],
        vec![],
        vec![node("Softmax", &["x"], "y", vec![int("axis", 1)])],
        &["y"],
    );
    old.opset_import[0].version = 11;
    let compiled = compile(&old, &[2, 3, 4], 2.0).unwrap();
    assert!(compiled.report.largest_error_share < 0.004, "{}", compiled.report);

    let factors = |count: i64| vec![w("s", &[count], 1), w("b", &[count], 2)];
    let normalized = |shape: &[i64], weights, nodes| {
        let mut model = model(vec![declared("x", shape)], weights, nodes, &["y"]);
        model.opset_import[0].version = 18;
        let compiled = compile(&model, shape, 2.0).unwrap();
        assert!(compiled.report.largest_error_share < 0.004, "{}", compiled.report);
        assert!(compiled.report.saturated.is_empty(), "{}", compiled.report);
    };
    let mut both = factors(20);
    both.iter_mut().for_each(|tensor| tensor.dims = vec![4, 5]);
    normalized(&[3, 4, 5], both, vec![node("LayerNormalization", &["x", "s", "b"], "y", vec![int("axis", 1)])]);
    normalized(&[2, 256], factors(256), vec![node("LayerNormalization", &["x", "s", "b"], "y", vec![])]);
    normalized(&[2, 6, 7], factors(6), vec![node("InstanceNormalization", &["x", "s", "b"], "y", vec![])]);
}

#[test]
fn blocks_and_positions() {
    for mode in ["DCR", "CRD"] {
        let attributes = vec![int("blocksize", 2), string("mode", mode)];
        check(&[1, 8, 3, 2], vec![], vec![node("DepthToSpace", &["x"], "y", attributes)]);
    }
    // What is whole becomes whole numbers, and those floats.
    let at = node("ArgMax", &["x"], "p", vec![int("axis", 1)]);
    check(
        &[2, 5],
        vec![],
        vec![at, node("Cast", &["p"], "q", vec![int("to", 6)]), node("Cast", &["q"], "y", vec![int("to", 1)])],
    );
}

/// Compiles a model of integer inputs, and compares on these.
fn check_integers(
    inputs: Vec<ValueInfoProto>,
    arrays: Vec<ArrayD<f32>>,
    weights: Vec<TensorProto>,
    nodes: Vec<NodeProto>,
) {
    let names: Vec<String> = inputs.iter().map(|input| input.name.clone()).collect();
    let what = format!("{:?}", nodes.iter().map(|node| &node.name).collect::<Vec<_>>());
    let model = Model::from_bytes(&bytes(&model(inputs, weights, nodes, &["y"]))).unwrap();
    let data = Calibration::from_named(names.into_iter().zip(arrays));
    let compiled =
        model.compile(&data, &CompileOptions::default(), &mut |_| {}).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert!(compiled.report.largest_error_share < 0.001, "{what}: {}", compiled.report);
    assert!(compiled.report.saturated.is_empty(), "{what}: {:?}", compiled.report.saturated);
    assert!(compiled.program.inputs.iter().all(|port| port.integer && compiled.program.node(port.node).frac == 0));
}

/// Numbers below `below`, in samples of this shape.
fn whole_numbers(shape: &[usize], below: u32, seed: u64) -> ArrayD<f32> {
    let shape = [&[SAMPLES], shape].concat();
    let data = noise(shape.iter().product(), seed).iter().map(|x| ((x + 1.0) / 2.0 * below as f32).floor()).collect();
    ArrayD::from_shape_vec(IxDyn(&shape), data).unwrap().mapv(|x: f32| x.min(below as f32 - 1.0))
}

#[test]
fn tokens_and_masks() {
    let ids = |kind| vec![declared_as("x", &[2, 5], kind)];
    let table = || w("w", &[7, 4], 1);
    // Embeddings, by rows and by columns, of each type of integer; of what is computed.
    for kind in [DataType::Int64, DataType::Int32, DataType::Int16, DataType::Int8, DataType::Uint8] {
        let tokens = || vec![whole_numbers(&[2, 5], 7, 3)];
        let rows = vec![node("Cast", &["x"], "i", vec![int("to", 7)]), node("Gather", &["w", "i"], "y", vec![])];
        check_integers(ids(kind), tokens(), vec![table()], rows.clone());
    }
    let tokens = || vec![whole_numbers(&[2, 5], 7, 3)];
    let columns = vec![node("Gather", &["w", "x"], "y", vec![int("axis", 1)])];
    check_integers(ids(DataType::Int64), tokens(), vec![w("w", &[3, 7, 2], 1)], columns);
    let few = vec![whole_numbers(&[2, 5], 6, 3)];
    let next = vec![node("Add", &["x", "one"], "i", vec![]), node("Gather", &["w", "i"], "y", vec![])];
    check_integers(ids(DataType::Int64), few, vec![table(), integers("one", vec![1])], next);
    // A vector of weights, and a table that is computed from the same input.
    check_integers(
        ids(DataType::Int64),
        tokens(),
        vec![w("w", &[7], 1)],
        vec![node("Gather", &["w", "x"], "y", vec![])],
    );
    let own = vec![
        node("Cast", &["x"], "f", vec![int("to", 1)]),
        node("MatMul", &["f", "w"], "m", vec![]),
        node("ReduceMax", &["x"], "i", vec![ints("axes", &[1]), int("keepdims", 0)]),
        node("Gather", &["m", "i"], "y", vec![int("axis", 1)]),
    ];
    check_integers(ids(DataType::Int64), tokens(), vec![w("w", &[5, 7], 1)], own);
    // Two inputs: a mask beside the tokens, as integers or as truth values.
    for kind in [DataType::Int64, DataType::Bool] {
        let inputs = vec![declared_as("x", &[2, 5], DataType::Int64), declared_as("m", &[2, 5], kind)];
        let arrays = vec![whole_numbers(&[2, 5], 7, 3), whole_numbers(&[2, 5], 2, 4)];
        let masked = vec![
            node("Gather", &["w", "x"], "e", vec![]),
            node("Cast", &["m"], "c", vec![int("to", 9)]),
            node("Where", &["c", "e", "z"], "y", vec![]),
        ];
        check_integers(inputs, arrays, vec![w("w", &[7], 1), floats("z", &[], vec![-2.0])], masked);
    }
}

#[test]
fn integers_that_are_none_are_refused() {
    let model = model(
        vec![declared_as("x", &[1, 3], DataType::Int64)],
        vec![w("w", &[7, 4], 1)],
        vec![node("Gather", &["w", "x"], "y", vec![])],
        &["y"],
    );
    let model = Model::from_bytes(&bytes(&model)).unwrap();
    let array = |data: [f32; 3]| ArrayD::from_shape_vec(IxDyn(&[1, 3]), data.to_vec()).unwrap();
    let data = Calibration::from_array(array([6.0, 0.0, 3.0]));
    let program = model.compile(&data, &CompileOptions::default(), &mut |_| {}).unwrap().program;
    let quantized = |data| vouch_models::quantize_all(&program, &[array(data)]);
    assert_eq!(quantized([6.0, 0.0, 3.0]).unwrap(), [[6, 0, 3]]);
    let text = quantized([6.0, 0.5, 3.0]).unwrap_err().to_string();
    assert!(text.contains("position [0, 1]") && text.contains("not whole"), "{text}");
    assert!(matches!(quantized([40000.0, 0.0, 0.0]), Err(ModelError::OutOfRange { .. })));
    let error = vouch_program::execute(&program, &quantized([6.0, 7.0, 3.0]).unwrap()).unwrap_err().to_string();
    assert!(error.contains("Gather_y") && error.contains("from 0 to 6"), "{error}");
    // The runtime's own words for the same, at compile time.
    assert!(
        model
            .compile(&Calibration::from_array(array([9.0, 0.0, 0.0])), &CompileOptions::default(), &mut |_| {})
            .is_err()
    );
    // Quotients of integers are cut off.
    for (op, inputs) in [("Div", vec!["x", "two"]), ("ReduceMean", vec!["x"])] {
        let nodes = vec![node(op, &inputs, "y", vec![])];
        let weights = vec![integers("two", vec![2])];
        let model = common::model(vec![declared_as("x", &[1, 3], DataType::Int64)], weights, nodes, &["y"]);
        let data = Calibration::from_array(array([6.0, 0.0, 3.0]));
        let model = Model::from_bytes(&bytes(&model)).unwrap();
        let text = model.compile(&data, &CompileOptions::default(), &mut |_| {}).err().unwrap().to_string();
        assert!(text.contains("holds integers"), "{text}");
    }
}

/// A tensor of small integers.
fn bytes_of(name: &str, dims: &[i64], kind: DataType, data: Vec<i32>) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: kind as i32,
        int32_data: data,
        ..TensorProto::default()
    }
}

fn scalar(name: &str, value: f32) -> TensorProto {
    floats(name, &[], vec![value])
}

fn zero(name: &str, kind: DataType, value: i32) -> TensorProto {
    bytes_of(name, &[], kind, vec![value])
}

/// Operators of integers are what ONNX says: the runtime's own, which know nothing of how they are written as others, give the same.
#[test]
fn operators_of_integers() {
    let quantize = || node("QuantizeLinear", &["x", "xs", "xz"], "q", vec![]);
    let back = || node("DequantizeLinear", &["p", "ys", "yz"], "y", vec![]);
    for (kind, at) in [(DataType::Uint8, 120), (DataType::Int8, 5)] {
        let mut own = vec![scalar("xs", 0.02), zero("xz", kind, at), scalar("ys", 0.1), zero("yz", kind, at + 2)];
        let integers = |count: usize| noise(count, 3).iter().map(|x| (x * 127.0).round() as i32).collect();
        own.extend([
            bytes_of("w", &[4, 2, 3, 3], DataType::Int8, integers(72)),
            scalar("ws", 0.01),
            floats("wss", &[4], vec![0.01, 0.02, 0.005, 0.03]),
            zero("wz", DataType::Int8, 0),
            bytes_of("wzs", &[4], DataType::Int8, vec![0; 4]),
            bytes_of("b", &[4], DataType::Int32, vec![500, -700, 20, 0]),
            bytes_of("m", &[6, 4], DataType::Int8, integers(24)),
        ]);
        let conv = |inputs: &[&str]| {
            let all = [&["q", "xs", "xz", "w"], inputs].concat();
            vec![
                quantize(),
                node("QLinearConv", &all, "p", vec![ints("pads", &[1, 0, 1, 0]), ints("strides", &[2, 1])]),
                back(),
            ]
        };
        let product = node("QLinearMatMul", &["q", "xs", "xz", "m", "ws", "wz", "ys", "yz"], "p", vec![]);
        let cases = [
            (vec![1, 2, 5, 4], conv(&["ws", "wz", "ys", "yz"])),
            (vec![1, 2, 5, 4], conv(&["ws", "wz", "ys", "yz", "b"])),
            (vec![1, 2, 5, 4], conv(&["wss", "wzs", "ys", "yz", "b"])),
            (vec![3, 6], vec![quantize(), product, back()]),
        ];
        for (shape, nodes) in cases {
            let model = model(vec![declared("x", &shape)], own.clone(), nodes.clone(), &["y"]);
            let given = samples(&shape, 2.0).samples(Model::from_bytes(&bytes(&model)).unwrap().inputs()).unwrap();
            check_quantized(&shape, own.clone(), nodes, 0.1);
            let runnable = onnx().model_for_proto_model(&model).unwrap().into_typed().unwrap().into_runnable();
            let runnable = runnable.unwrap();
            for sample in given {
                let written = Model::from_bytes(&bytes(&model)).unwrap().run_float(&sample).unwrap().swap_remove(0);
                let found = runnable.run(tvec!(Tensor::from(sample[0].clone()).into())).unwrap();
                let found = found[0].to_plain_array_view::<f32>().unwrap();
                let far = written.iter().zip(&found).filter(|(a, b)| (*a - *b).abs() > 1e-3).count();
                let further = written.iter().zip(&found).filter(|(a, b)| (*a - *b).abs() > 0.101).count();
                // Ties are rounded in another way.
                assert!(further == 0 && far * 20 <= written.len(), "{written:?} {found}");
            }
        }
    }
}

/// Operators between integers and floats, as exporters place them: around each operator, its weights as integers too.
#[test]
fn quantized_chains() {
    let quantize =
        |x: &str, y: &str, of: &str| node("QuantizeLinear", &[x, &format!("{of}s"), &format!("{of}z")], y, vec![]);
    let back =
        |x: &str, y: &str, of: &str| node("DequantizeLinear", &[x, &format!("{of}s"), &format!("{of}z")], y, vec![]);
    for (kind, at) in [(DataType::Uint8, 128), (DataType::Int8, -3)] {
        let own = || vec![scalar("xs", 0.02), zero("xz", kind, at)];
        // There and back is one table; apart, both are exact.
        let both = vec![quantize("x", "q", "x"), back("q", "y", "x")];
        let both = check(&[3, 5], own(), both);
        assert_eq!(count(&both, |op| matches!(op, Op::Apply { .. })), 1);
        let apart = vec![quantize("x", "q", "x"), back("q", "d", "x"), node("Cast", &["q"], "c", vec![int("to", 1)])];
        let apart = [apart, vec![node("Add", &["d", "c"], "y", vec![])]].concat();
        check(&[3, 5], own(), apart);
        // A layer with weights of a scale for each column, and a bias of 32 bits.
        let mut weights = own();
        let matrix = noise(6 * 4, 3).iter().map(|x| (x * 127.0).round() as i32).collect();
        weights.extend([
            bytes_of("w", &[6, 4], DataType::Int8, matrix),
            floats("ws", &[4], vec![0.01, 0.02, 0.005, 0.03]),
            bytes_of("wz", &[4], DataType::Int8, vec![0; 4]),
            bytes_of("b", &[4], DataType::Int32, vec![500, -700, 20, 0]),
            floats("bs", &[4], vec![2e-4, 4e-4, 1e-4, 6e-4]),
            bytes_of("bz", &[4], DataType::Int32, vec![0; 4]),
            scalar("ys", 0.05),
            zero("yz", kind, at),
        ]);
        let layer = vec![
            quantize("x", "q", "x"),
            back("q", "d", "x"),
            node("DequantizeLinear", &["w", "ws", "wz"], "wd", vec![int("axis", 1)]),
            node("DequantizeLinear", &["b", "bs", "bz"], "bd", vec![int("axis", 0)]),
            node("Gemm", &["d", "wd", "bd"], "g", vec![]),
            node("Relu", &["g"], "r", vec![]),
            quantize("r", "p", "y"),
            back("p", "y", "y"),
        ];
        let layer = check_quantized(&[3, 6], weights, layer, 0.05);
        assert_eq!(count(&layer, |op| matches!(op, Op::Apply { .. })), 3);
    }
    // Without a zero point bytes are meant; one for each channel of what is computed is refused.
    check(&[3, 5], vec![scalar("s", 0.02)], vec![node("QuantizeLinear", &["x", "s"], "y", vec![])]);
    let scales = floats("s", &[5], vec![0.1, 0.2, 0.3, 0.4, 0.5]);
    let each = model(
        vec![declared("x", &[3, 5])],
        vec![scales],
        vec![node("QuantizeLinear", &["x", "s"], "y", vec![])],
        &["y"],
    );
    let text = compile(&each, &[3, 5], 2.0).err().unwrap().to_string();
    assert!(text.contains("QuantizeLinear_y") && text.contains("not a scalar"), "{text}");
}

/// As [`check`], of a result that has so large a step: what lies between two goes to either.
fn check_quantized(shape: &[i64], weights: Vec<TensorProto>, nodes: Vec<NodeProto>, step: f64) -> Compiled {
    let compiled = compile(&model(vec![declared("x", shape)], weights, nodes, &["y"]), shape, 2.0).unwrap();
    let output = &compiled.report.outputs[0];
    assert!(output.largest_error <= 1.01 * step && output.mean_error < 0.02 * step, "{}", compiled.report);
    compiled
}
