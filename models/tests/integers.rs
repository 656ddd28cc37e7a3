//! Integers: as inputs, as indices, and in quantized models, against the float model and the runtime's own operators.

mod common;

use common::compare::*;
use common::*;
use ndarray::{ArrayD, IxDyn};
use tract_onnx::pb::{AttributeProto, NodeProto, TensorProto, ValueInfoProto, tensor_proto::DataType};
use tract_onnx::prelude::*;
use vouch_models::{Calibration, CompileOptions, Compiled, Model, ModelError, dequantize, quantize_all};
use vouch_program::{Op, execute};

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
fn integers_become_floats_at_a_scale() {
    for (kind, below) in [(DataType::Int32, 2000), (DataType::Uint8, 250), (DataType::Int8, 100)] {
        let numbers = vec![whole_numbers(&[2, 5], below, 3)];
        let back = vec![node("DequantizeLinear", &["x", "s", "z"], "y", vec![])];
        let of = vec![scalar("s", 0.03), zero("z", kind, 7)];
        check_integers(vec![declared_as("x", &[2, 5], kind)], numbers, of, back);
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
    let quantized = |data| quantize_all(&program, &[array(data)]);
    assert_eq!(quantized([6.0, 0.0, 3.0]).unwrap(), [[6, 0, 3]]);
    let text = quantized([6.0, 0.5, 3.0]).unwrap_err().to_string();
    assert!(text.contains("position [0, 1]") && text.contains("not whole"), "{text}");
    assert!(matches!(quantized([40000.0, 0.0, 0.0]), Err(ModelError::OutOfRange { .. })));
    let error = execute(&program, &quantized([6.0, 7.0, 3.0]).unwrap()).unwrap_err().to_string();
    assert!(error.contains("Gather_y") && error.contains("from 0 to 6"), "{error}");
    // The runtime's own words for the same, at compile time.
    assert!(
        model
            .compile(&Calibration::from_array(array([9.0, 0.0, 0.0])), &CompileOptions::default(), &mut |_| {})
            .is_err()
    );
    // Quotients of integers are cut off, which is done by one number alone.
    for (op, inputs) in [("Div", vec!["x", "several"]), ("ReduceMean", vec!["x"])] {
        let nodes = vec![node(op, &inputs, "y", vec![])];
        let weights = vec![integers("several", vec![2, 3, 4])];
        let model = common::model(vec![declared_as("x", &[1, 3], DataType::Int64)], weights, nodes, &["y"]);
        let data = Calibration::from_array(array([6.0, 0.0, 3.0]));
        let model = Model::from_bytes(&bytes(&model)).unwrap();
        let text = model.compile(&data, &CompileOptions::default(), &mut |_| {}).err().unwrap().to_string();
        assert!(text.contains("holds integers"), "{text}");
    }
}

/// Tokens of a vocabulary that 16 bits cannot number: the table says how wide they are, moved about or not.
#[test]
fn tokens_of_a_long_table() {
    const WORDS: i64 = 50_257;
    let x = declared_as("x", &[1, 3], DataType::Int64);
    let data: Vec<f32> = (0..WORDS).map(|word| (word % 251) as f32 / 251.0 - 0.5).collect();
    let nodes = vec![node("Unsqueeze", &["x", "axis"], "u", vec![]), node("Gather", &["w", "u"], "y", vec![])];
    let weights = vec![floats("w", &[WORDS, 1], data.clone()), integers("axis", vec![1])];
    let model = Model::from_bytes(&bytes(&model(vec![x], weights, nodes, &["y"]))).unwrap();
    let tokens = |given: [f32; 3]| ArrayD::from_shape_vec(IxDyn(&[1, 3]), given.to_vec()).unwrap();
    // Calibration need not have seen the last ones.
    let calibration = Calibration::from_array(tokens([0.0, 7.0, 300.0]));
    let program = model.compile(&calibration, &CompileOptions::default(), &mut |_| {}).unwrap().program;
    assert!(matches!(program.nodes[program.inputs[0].node.index()].op, Op::Input { bits: 17 }));
    let given = [0.0, 32_768.0, (WORDS - 1) as f32];
    let integers = quantize_all(&program, &[tokens(given)]).unwrap();
    let execution = execute(&program, &integers).unwrap();
    let found = vouch_models::outputs(&program, &execution).swap_remove(0);
    for (token, value) in given.iter().zip(&found) {
        assert!((data[*token as usize] - value).abs() < 1e-3, "{token}: {value}");
    }
    let beyond = quantize_all(&program, &[tokens([70_000.0, 0.0, 0.0])]);
    assert!(matches!(beyond, Err(ModelError::OutOfRange { .. })));
    let none = quantize_all(&program, &[tokens([WORDS as f32, 0.0, 0.0])]).unwrap();
    assert!(execute(&program, &none).is_err());
}

#[test]
fn quotients_and_remainders_of_integers() {
    let x = declared_as("x", &[1, 6], DataType::Int64);
    let by = |op: &str, divisor: i64| {
        let nodes = vec![node(op, &["x", "by"], "y", vec![])];
        let model = model(vec![x.clone()], vec![integers("by", vec![divisor])], nodes, &["y"]);
        let data = ArrayD::from_shape_vec(IxDyn(&[1, 6]), vec![-32768.0, -7.0, -1.0, 0.0, 8.0, 32767.0]).unwrap();
        let model = Model::from_bytes(&bytes(&model)).unwrap();
        let program = model.compile(&Calibration::from_array(data.clone()), &CompileOptions::default(), &mut |_| {});
        let program = program.unwrap().program;
        let integers = quantize_all(&program, &[data]).unwrap();
        let execution = execute(&program, &integers).unwrap();
        let found = vouch_models::outputs(&program, &execution).swap_remove(0);
        found.iter().map(|&y| y as i64).collect::<Vec<_>>()
    };
    assert_eq!(by("Div", 3), [-10922, -2, 0, 0, 2, 10922]);
    assert_eq!(by("Div", -3), [10922, 2, 0, 0, -2, -10922]);
    assert_eq!(by("Mod", 3), [1, 2, 2, 0, 2, 1]);
    assert_eq!(by("Mod", -3), [-2, -1, -1, 0, -1, -2]);
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
        let product = |scale: &str, zero: &str| {
            node("QLinearMatMul", &["q", "xs", "xz", "m", scale, zero, "ys", "yz"], "p", vec![])
        };
        // A scale for each column: held to the runtime's DequantizeLinear, as its QLinearMatMul takes one alone.
        check_quantized(&[3, 6], own.clone(), vec![quantize(), product("wss", "wzs"), back()], 0.1);
        let cases = [
            (vec![1, 2, 5, 4], conv(&["ws", "wz", "ys", "yz"])),
            (vec![1, 2, 5, 4], conv(&["ws", "wz", "ys", "yz", "b"])),
            (vec![1, 2, 5, 4], conv(&["wss", "wzs", "ys", "yz", "b"])),
            (vec![3, 6], vec![quantize(), product("ws", "wz"), back()]),
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

/// A chain of quantized operators, in both forms, gives the very integers that their definitions give, computed with whole numbers.
#[test]
fn integers_of_a_chain_are_exact() {
    const ROWS: usize = 16;
    const INNER: usize = 40;
    const MIDDLE: usize = 24;
    const COLUMNS: usize = 8;
    let bytes_like =
        |count: usize, seed| -> Vec<i32> { noise(count, seed).iter().map(|x| (x * 127.0).round() as i32).collect() };
    let (first, second) = (bytes_like(INNER * MIDDLE, 3), bytes_like(MIDDLE * COLUMNS, 4));
    let (xs, ps, ys) = (0.017_31f32, 0.021_93f32, 0.031_7f32);
    let scales: Vec<f32> = noise(MIDDLE, 5).iter().map(|x| 0.003 + 0.001_7 * x).collect();
    let (scale, zeros) = (0.004_71f32, [117, 3, 100]);
    let weights = vec![
        scalar("xs", xs),
        zero("xz", DataType::Uint8, zeros[0]),
        bytes_of("v", &[INNER as i64, MIDDLE as i64], DataType::Int8, first.clone()),
        floats("vs", &[MIDDLE as i64], scales.clone()),
        bytes_of("vz", &[MIDDLE as i64], DataType::Int8, vec![0; MIDDLE]),
        scalar("ps", ps),
        zero("pz", DataType::Int8, zeros[1]),
        bytes_of("w", &[MIDDLE as i64, COLUMNS as i64], DataType::Int8, second.clone()),
        scalar("ws", scale),
        zero("wz", DataType::Int8, 0),
        scalar("ys", ys),
        zero("yz", DataType::Uint8, zeros[2]),
    ];
    let quantize =
        |x: &str, of: &str, y: &str| node("QuantizeLinear", &[x, &format!("{of}s"), &format!("{of}z")], y, vec![]);
    let back = |x: &str, of: &str, y: &str, axis: Vec<AttributeProto>| {
        node("DequantizeLinear", &[x, &format!("{of}s"), &format!("{of}z")], y, axis)
    };
    let whole = vec![
        quantize("x", "x", "q"),
        node("QLinearMatMul", &["q", "xs", "xz", "v", "vs", "vz", "ps", "pz"], "p", vec![]),
        node("QLinearMatMul", &["p", "ps", "pz", "w", "ws", "wz", "ys", "yz"], "y", vec![]),
    ];
    let there_and_back = vec![
        quantize("x", "x", "q"),
        back("q", "x", "d", vec![]),
        back("v", "v", "vd", vec![int("axis", 1)]),
        node("MatMul", &["d", "vd"], "m", vec![]),
        quantize("m", "p", "p"),
        back("p", "p", "e", vec![]),
        back("w", "w", "wd", vec![]),
        node("Gemm", &["e", "wd"], "g", vec![]),
        quantize("g", "y", "y"),
    ];
    let shape = [ROWS as i64, INNER as i64];
    let programs = [whole, there_and_back].map(|nodes| {
        let model = model(vec![declared("x", &shape)], weights.clone(), nodes, &["y"]);
        compile(&model, &shape, 2.0).unwrap().program
    });
    let [program, other] = &programs;
    let data = noise(40 * ROWS * INNER, 9);
    // What lies so near a tie that the scales' last digits decide is no number.
    let step = |value: f64, zero: i32, [least, most]: [f64; 2]| {
        let near = ((value - value.floor()) - 0.5).abs() < 1e-4;
        (!near).then(|| (value.round_ties_even() + f64::from(zero)).clamp(least, most) as i64)
    };
    let (mut at_an_end, mut undecided) = (0, 0);
    for x in data.chunks(ROWS * INNER) {
        let x = ArrayD::from_shape_vec(IxDyn(&[ROWS, INNER]), x.iter().map(|x| 2.0 * x).collect()).unwrap();
        let integers = quantize_all(program, &[x]).unwrap();
        let held = dequantize(program, &program.inputs[0], &integers[0]).unwrap();
        let found = execute(program, &integers).unwrap().outputs()[0].to_vec();
        assert_eq!(execute(other, &integers).unwrap().outputs()[0], found);
        let q = |x: &f32| step(f64::from(*x) / f64::from(xs), zeros[0], [0.0, 255.0]);
        let q: Vec<Option<i64>> = held.iter().map(q).collect();
        let product = |lhs: &[i64], zero: i32, rhs: &[i32], column: usize, columns: usize| -> i64 {
            let factors = lhs.iter().zip(rhs[column..].iter().step_by(columns));
            factors.map(|(a, b)| (a - i64::from(zero)) * i64::from(*b)).sum()
        };
        for (row, found) in q.chunks(INNER).zip(found.chunks(COLUMNS)) {
            let inner = |row: &[i64], j: usize| {
                let factor = f64::from(xs) * f64::from(scales[j]) / f64::from(ps);
                step(product(row, zeros[0], &first, j, MIDDLE) as f64 * factor, zeros[1], [-128.0, 127.0])
            };
            let row: Option<Vec<i64>> = row.iter().copied().collect();
            let p: Option<Vec<i64>> = row.and_then(|row| (0..MIDDLE).map(|j| inner(&row, j)).collect());
            let Some(p) = p else {
                undecided += 1;
                continue;
            };
            for (k, found) in found.iter().enumerate() {
                let factor = f64::from(ps) * f64::from(scale) / f64::from(ys);
                let expected = step(product(&p, zeros[1], &second, k, COLUMNS) as f64 * factor, zeros[2], [0.0, 255.0]);
                assert!(expected.is_none_or(|expected| *found == expected), "{found} {expected:?}");
                at_an_end += usize::from([0, 255].contains(found));
            }
        }
    }
    assert!((1..40 * ROWS * COLUMNS / 2).contains(&at_an_end), "{at_an_end}");
    assert!(undecided < 40 * ROWS / 20, "{undecided}");
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
    assert!(output.largest_error <= 1.01 * step && output.mean_error < 0.03 * step, "{}", compiled.report);
    compiled
}

/// A product of two computed factors that is small in steps of the result.
#[test]
fn small_computed_factors() {
    for scale in [0.02, 2e-4, 1e-5] {
        let bytes = |of: &str| zero(of, DataType::Uint8, 128);
        let own = vec![
            scalar("xs", 0.02),
            bytes("xz"),
            scalar("ps", 0.02),
            bytes("pz"),
            scalar("ys", 0.02 / scale),
            bytes("yz"),
        ];
        let nodes = vec![
            node("QuantizeLinear", &["x", "xs", "xz"], "q", vec![]),
            node("Transpose", &["q"], "t", vec![ints("perm", &[1, 0])]),
            node("QLinearMatMul", &["q", "xs", "xz", "t", "ps", "pz", "ys", "yz"], "p", vec![]),
            node("DequantizeLinear", &["p", "ys", "yz"], "y", vec![]),
        ];
        check_quantized(&[6, 6], own, nodes, f64::from(0.02 / scale));
    }
}

/// A layer with a bias and a ReLU between integers and floats: the ReLU goes where no integer is below its zero point, and the steps are those of plain arithmetic; where another
/// operator reads what comes back, it stays as it is.
#[test]
fn layers_between_integers_and_floats() {
    let conv = |zero_point: i32, read_again: bool| {
        let matrix = noise(4 * 3 * 9, 3).iter().map(|x| (x * 127.0).round() as i32).collect();
        let weights = vec![
            scalar("xs", 0.017_3),
            zero("xz", DataType::Uint8, 118),
            bytes_of("w", &[4, 3, 3, 3], DataType::Int8, matrix),
            floats("ws", &[4], vec![0.003_1, 0.002_7, 0.005_3, 0.001_9]),
            bytes_of("wz", &[4], DataType::Int8, vec![0; 4]),
            bytes_of("b", &[4], DataType::Int32, vec![500, -700, 20, 0]),
            floats("bs", &[4], vec![5.363e-5, 4.671e-5, 9.169e-5, 3.287e-5]),
            scalar("ys", 0.009_7),
            zero("yz", DataType::Uint8, zero_point),
        ];
        let quantize =
            |x: &str, of: &str, y: &str| node("QuantizeLinear", &[x, &format!("{of}s"), &format!("{of}z")], y, vec![]);
        let mut nodes = vec![
            quantize("x", "x", "q"),
            node("DequantizeLinear", &["q", "xs", "xz"], "d", vec![]),
            node("DequantizeLinear", &["w", "ws", "wz"], "wd", vec![int("axis", 0)]),
            node("DequantizeLinear", &["b", "bs"], "bd", vec![int("axis", 0)]),
            node("Conv", &["d", "wd", "bd"], "c", vec![ints("pads", &[1, 1, 1, 1])]),
            node("Relu", &["c"], "r", vec![]),
            quantize("r", "y", "p"),
            node("DequantizeLinear", &["p", "ys", "yz"], "s", vec![]),
        ];
        let last = if read_again {
            vec![node("ReduceMax", &["d"], "n", vec![]), node("Add", &["s", "n"], "y", vec![])]
        } else {
            vec![node("Identity", &["s"], "y", vec![])]
        };
        nodes.extend(last);
        check_quantized(&[1, 3, 6, 6], weights, nodes, 0.009_7)
    };
    let rounded = |compiled: &Compiled| {
        let shift = |op: &Op| matches!(op, Op::Apply { shift: 32, .. });
        count(compiled, shift)
    };
    assert_eq!(rounded(&conv(0, false)), 1);
    assert_eq!(rounded(&conv(3, false)), 0);
    assert_eq!(rounded(&conv(0, true)), 0);
}
