//! Models whose graph depends on what is fixed of them: branches of If, and axes that a Squeeze does not name.

mod common;

use common::{bytes, declared, declared_as, floats, integers, model, node};
use ndarray::{ArrayD, IxDyn};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, attribute_proto::AttributeType,
    tensor_proto::DataType,
};
use vouch_models::{Calibration, CompileOptions, Fixed, Model, outputs, quantize_all};
use vouch_program::execute;

fn branch(side: &str, nodes: Vec<NodeProto>, weights: Vec<TensorProto>, output: &str) -> AttributeProto {
    let output = vec![ValueInfoProto { name: output.into(), ..ValueInfoProto::default() }];
    let graph = GraphProto { name: side.into(), node: nodes, initializer: weights, output, ..GraphProto::default() };
    AttributeProto {
        name: side.into(),
        r#type: AttributeType::Graph as i32,
        g: Some(graph),
        ..AttributeProto::default()
    }
}

/// The float model's and the program's result for one sample of 2 x 3.
fn run(model: &ModelProto, fixed: &Fixed) -> Result<(Vec<f32>, Vec<f32>), String> {
    let model = Model::from_bytes_with(&bytes(model), fixed).map_err(|error| error.to_string())?;
    assert_eq!(model.inputs().len(), 1);
    let data = ArrayD::from_shape_vec(IxDyn(&[4, 2, 3]), common::noise(24, 3)).unwrap();
    let sample = vec![data.index_axis(ndarray::Axis(0), 0).to_owned().into_dyn()];
    let compiled = model.compile(&Calibration::from_array(data), &CompileOptions::default(), &mut |_| {});
    let program = compiled.map_err(|error| error.to_string())?.program;
    let execution = execute(&program, &quantize_all(&program, &sample).unwrap()).unwrap();
    Ok((
        model.run_float(&sample).unwrap().swap_remove(0),
        outputs(&program, &execution).swap_remove(0).into_raw_vec_and_offset().0,
    ))
}

fn close(outcome: (Vec<f32>, Vec<f32>), expected: impl Fn(f32) -> f32) {
    let inputs = common::noise(6, 3);
    assert_eq!((outcome.0.len(), outcome.1.len()), (6, 6));
    for ((x, float), fixed) in inputs.into_iter().zip(outcome.0).zip(outcome.1) {
        assert!((expected(x) - float).abs() < 1e-5, "{x}: {float}");
        assert!((expected(x) - fixed).abs() < 1e-3, "{x}: {fixed}");
    }
}

/// `rate` chooses a factor, and inside of one branch the number of rows chooses again. Both branches, and the graph around them, call
/// tensors the same.
fn rated() -> ModelProto {
    let inner = |factor: f32| {
        let weights = vec![floats("factor", &[], vec![factor])];
        (vec![node("Mul", &["doubled", "factor"], "scaled", vec![])], weights)
    };
    let ((few, few_weights), (many, many_weights)) = (inner(3.0), inner(5.0));
    let slow = vec![
        node("Add", &["x", "x"], "doubled", vec![]),
        node("Shape", &["x"], "lengths", vec![]),
        node("Gather", &["lengths", "first"], "rows", vec![]),
        node("Less", &["rows", "four"], "is few", vec![]),
        node(
            "If",
            &["is few"],
            "result",
            vec![
                branch("then_branch", few, few_weights, "scaled"),
                branch("else_branch", many, many_weights, "scaled"),
            ],
        ),
    ];
    let fast = vec![node("Add", &["x", "x"], "doubled", vec![]), node("Neg", &["doubled"], "result", vec![])];
    let nodes = vec![
        node("Equal", &["rate", "8000"], "is slow", vec![]),
        node(
            "If",
            &["is slow"],
            "chosen",
            vec![
                branch("then_branch", slow, vec![integers("first", vec![0])], "result"),
                branch("else_branch", fast, vec![], "result"),
            ],
        ),
        node("Identity", &["chosen"], "result", vec![]),
    ];
    let weights = vec![integers("8000", vec![8000]), integers("four", vec![4])];
    model(vec![declared("x", &[2, 3]), declared_as("rate", &[1], DataType::Int64)], weights, nodes, &["result"])
}

#[test]
fn the_branch_that_is_taken_becomes_a_part_of_the_graph() {
    let at = |rate: f64| Fixed { inputs: [("rate".to_string(), rate)].into(), ..Fixed::default() };
    close(run(&rated(), &at(8000.0)).unwrap(), |x| 6.0 * x);
    close(run(&rated(), &at(16000.0)).unwrap(), |x| -2.0 * x);
}

#[test]
fn what_an_input_decides_is_refused() {
    let error = Model::from_bytes(&bytes(&rated())).err().unwrap().to_string();
    assert!(error.contains("If_chosen") && error.contains("--fix"), "{error}");
    for (name, value, reason) in
        [("speed", 1.0, "no input"), ("rate", 0.5, "does not fit"), ("rate", 1e300, "does not fit")]
    {
        let fixed = Fixed { inputs: [(name.to_string(), value)].into(), ..Fixed::default() };
        let error = run(&rated(), &fixed).unwrap_err();
        assert!(error.contains(name) && error.contains(reason), "{error}");
    }
}

#[test]
fn branches_that_make_no_sense_are_refused() {
    let with = |attributes: Vec<AttributeProto>| {
        let weights = vec![TensorProto {
            name: "yes".into(),
            dims: vec![1],
            data_type: DataType::Bool as i32,
            int32_data: vec![1],
            ..TensorProto::default()
        }];
        model(vec![declared("x", &[2, 3])], weights, vec![node("If", &["yes"], "y", attributes)], &["y"])
    };
    let negated = || vec![node("Neg", &["x"], "n", vec![])];
    close(run(&with(vec![branch("then_branch", negated(), vec![], "n")]), &Fixed::default()).unwrap(), |x| -x);
    let missing = run(&with(vec![branch("else_branch", negated(), vec![], "n")]), &Fixed::default()).unwrap_err();
    assert!(missing.contains("then_branch"), "{missing}");
    let mut two = branch("then_branch", negated(), vec![], "n");
    two.g.as_mut().unwrap().output.push(ValueInfoProto { name: "x".into(), ..ValueInfoProto::default() });
    let two = run(&with(vec![two]), &Fixed::default()).unwrap_err();
    assert!(two.contains("as many outputs"), "{two}");
    // Weights in a branch are checked like all others.
    let bad = vec![floats("w", &[2], vec![f32::NAN, 1.0])];
    let bad = run(&with(vec![branch("then_branch", negated(), bad, "n")]), &Fixed::default()).unwrap_err();
    assert!(bad.contains("NaN"), "{bad}");
    // A loop in a branch.
    let looping = vec![node("Loop", &["x"], "n", vec![branch("body", vec![], vec![], "x")])];
    let looping = run(&with(vec![branch("then_branch", looping, vec![], "n")]), &Fixed::default()).unwrap_err();
    assert!(looping.contains("Loop"), "{looping}");
}

#[test]
fn squeeze_without_axes_drops_those_of_length_one() {
    for opset in [11, 13, 18] {
        let nodes = vec![
            node("Unsqueeze", if opset < 13 { &["x"] } else { &["x", "axes"] }, "wide", {
                if opset < 13 { vec![common::ints("axes", &[0, 2])] } else { vec![] }
            }),
            node("Squeeze", &["wide"], "narrow", vec![]),
            node("Neg", &["narrow"], "y", vec![]),
        ];
        let weights = vec![integers("axes", vec![0, 2])];
        let mut squeezed = model(vec![declared("x", &[2, 3])], weights, nodes, &["y"]);
        squeezed.opset_import[0].version = opset;
        close(run(&squeezed, &Fixed::default()).unwrap(), |x| -x);
    }
}

#[test]
fn upsample_has_its_scales_in_either_form() {
    for opset in [7, 9] {
        let scales = vec![1.0, 2.0];
        let attribute = AttributeProto {
            name: "scales".into(),
            r#type: AttributeType::Floats as i32,
            floats: scales.clone(),
            ..AttributeProto::default()
        };
        let (inputs, attributes): (&[&str], _) =
            if opset < 9 { (&["x"], vec![attribute]) } else { (&["x", "s"], vec![]) };
        let weights = vec![floats("s", &[2], scales)];
        let mut grown =
            model(vec![declared("x", &[2, 3])], weights, vec![node("Upsample", inputs, "y", attributes)], &["y"]);
        grown.opset_import[0].version = opset;
        let (float, fixed) = run(&grown, &Fixed::default()).unwrap();
        let expected: Vec<f32> = common::noise(6, 3).into_iter().flat_map(|x| [x, x]).collect();
        assert_eq!(float, expected);
        assert!(fixed.iter().zip(&expected).all(|(a, b)| (a - *b).abs() < 1e-3));
    }
}

#[test]
fn nodes_may_have_one_name() {
    let mut nodes = vec![
        node("ReduceMean", &["x"], "m", vec![common::ints("axes", &[1])]),
        node("Sub", &["x", "m"], "d", vec![]),
        node("ReduceMean", &["d"], "n", vec![common::ints("axes", &[1])]),
        node("Add", &["d", "m"], "s", vec![]),
        node("Add", &["s", "n"], "y", vec![]),
    ];
    nodes.iter_mut().for_each(|node| node.name = "node".into());
    close(run(&model(vec![declared("x", &[2, 3])], vec![], nodes, &["y"]), &Fixed::default()).unwrap(), |x| x);
}

/// A branch reads what lies between integers and a product, which nothing around it reads: it is what it was.
#[test]
fn branches_read_what_quantized_products_read() {
    let scalar = |name: &str, value: f32| floats(name, &[], vec![value]);
    let bytes_of = |name: &str, dims: &[i64], kind: DataType, data: Vec<i32>| TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: kind as i32,
        int32_data: data,
        ..TensorProto::default()
    };
    let own = vec![
        scalar("s", 0.01),
        bytes_of("z", &[], DataType::Uint8, vec![128]),
        bytes_of("w", &[3, 3], DataType::Int8, vec![100, 0, 0, 0, 100, 0, 0, 0, 100]),
        bytes_of("v", &[], DataType::Int8, vec![0]),
        bytes_of("yes", &[], DataType::Bool, vec![1]),
    ];
    let sides = ["then_branch", "else_branch"]
        .map(|side| branch(side, vec![node("Identity", &["d"], "again", vec![])], vec![], "again"));
    let nodes = vec![
        node("QuantizeLinear", &["x", "s", "z"], "q", vec![]),
        node("DequantizeLinear", &["q", "s", "z"], "d", vec![]),
        node("DequantizeLinear", &["w", "s", "v"], "u", vec![]),
        node("MatMul", &["d", "u"], "m", vec![]),
        node("QuantizeLinear", &["m", "s", "z"], "p", vec![]),
        node("DequantizeLinear", &["p", "s", "z"], "b", vec![]),
        node("If", &["yes"], "c", sides.into()),
        node("Add", &["b", "c"], "y", vec![]),
    ];
    let (float, fixed) = run(&model(vec![declared("x", &[2, 3])], own, nodes, &["y"]), &Fixed::default()).unwrap();
    for ((x, float), fixed) in common::noise(6, 3).into_iter().zip(float).zip(fixed) {
        assert!((2.0 * x - float).abs() < 0.03 && (float - fixed).abs() < 0.03, "{x}: {float} {fixed}");
    }
}
