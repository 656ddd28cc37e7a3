//! Each operator and each of its attributes against the float model, on small models built here.

mod common;

use common::compare::*;
use common::*;
use ndarray::{ArrayD, IxDyn};
use tract_onnx::pb::{AttributeProto, NodeProto, attribute_proto::AttributeType};
use vouch_models::{Calibration, CompileOptions, Model, supported_operators};
use vouch_program::{Func, Op};

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
    let text = refused(vec![node("GridSample", &["x", "x"], "y", vec![])], vec![]);
    assert!(text.contains("GridSample") && text.contains("GridSample_y") && text.contains("Conv, "), "{text}");
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
    // To bytes.
    let text = refused(vec![node("Cast", &["x"], "y", vec![int("to", 2)])], vec![]);
    assert!(text.contains("\"to\""), "{text}");
    // Indices that are computed, that are outside, that are too many; letters that make a diagonal, or no sense.
    let index = || node("ArgMax", &["x"], "i", vec![int("axis", 3)]);
    let text = refused(vec![index(), node("ScatterElements", &["x", "i", "x"], "y", vec![])], vec![]);
    assert!(text.contains("ScatterElements_y") && text.contains("only constants"), "{text}");
    let far = vec![integers("flat", vec![0, 0, 9]), integers("dims", vec![1, 3])];
    let outside = vec![node("Reshape", &["flat", "dims"], "i", vec![]), node("GatherND", &["x", "i"], "y", vec![])];
    let text = refused(outside, far);
    assert!(text.contains("GatherND_y") && text.contains("outside the axis"), "{text}");
    let mut many = node("TopK", &["x", "k"], "y", vec![]);
    many.output.push("places".into());
    assert!(refused(vec![many], vec![integers("k", vec![5])]).contains("TopK"));
    // Products with matrices that would be too large.
    let long = |op: &str, attributes| {
        let nodes = vec![node(op, &["x"], "y", attributes)];
        let model = model(vec![declared("x", &[1, 1 << 20, 1])], vec![], nodes, &["y"]);
        Model::from_bytes(&bytes(&model)).err().unwrap().to_string()
    };
    let text = long("LRN", vec![int("size", 3)]);
    assert!(text.contains("LRN_y") && text.contains("more than 4096 places"), "{text}");
    let sum = |equation: &str| vec![node("Einsum", &["x"], "y", vec![string("equation", equation)])];
    let text = refused(sum("abcc->abc"), vec![]);
    assert!(text.contains("diagonals"), "{text}");
    assert!(refused(sum("abc->a"), vec![]).contains("Einsum"));
    // What the float model would compute by a hyperbolic tangent.
    let of_sizes = AttributeProto { strings: vec![b"Relu".to_vec()], ..ints("activations", &[]) };
    let of_sizes = AttributeProto { r#type: AttributeType::Strings as i32, ..of_sizes };
    let steps = vec![
        node("Flatten", &["x"], "f", vec![]),
        node("Unsqueeze", &["f", "a"], "u", vec![]),
        node("RNN", &["u", "w", "r"], "y", vec![int("hidden_size", 1), of_sizes]),
    ];
    let text = refused(steps, vec![integers("a", vec![0]), w("w", &[1, 1, 32], 1), w("r", &[1, 1, 1], 2)]);
    assert!(text.contains("activations"), "{text}");
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
