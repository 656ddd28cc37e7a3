//! What operators meant in older operator sets, and other types than floats and integers of 32 bits.

mod common;

use common::{bytes, declared, declared_as, floats, int, integers, model, node, string};
use ndarray::{ArrayD, IxDyn};
use tract_onnx::pb::{ModelProto, TensorProto, tensor_proto::DataType};
use vouch_models::{Calibration, CompileOptions, Model, ModelError, outputs, quantize_all};
use vouch_program::execute;

fn array(shape: &[usize], data: Vec<f32>) -> ArrayD<f32> {
    ArrayD::from_shape_vec(IxDyn(shape), data).unwrap()
}

/// The first output for the sample that is the calibration, too: the float model's, and the program's.
fn run(model: &ModelProto, sample: &ArrayD<f32>) -> Result<[Vec<f32>; 2], ModelError> {
    let model = Model::from_bytes(&bytes(model))?;
    let compiled = model.compile(&Calibration::from_array(sample.clone()), &CompileOptions::default(), &mut |_| {})?;
    let sample = vec![sample.clone()];
    let execution = execute(&compiled.program, &quantize_all(&compiled.program, &sample)?).unwrap();
    let found = outputs(&compiled.program, &execution).swap_remove(0).into_raw_vec_and_offset().0;
    Ok([model.run_float(&sample)?.swap_remove(0), found])
}

fn gives(model: &ModelProto, sample: &ArrayD<f32>, expected: &[f32]) {
    for found in run(model, sample).unwrap() {
        assert_eq!(found.len(), expected.len());
        let far = found.iter().zip(expected).find(|(a, b)| (*a - *b).abs() > 2e-3);
        assert!(far.is_none(), "{found:?} instead of {expected:?}");
    }
}

fn of_set(opset: i64, mut model: ModelProto) -> ModelProto {
    model.opset_import[0].version = opset;
    model
}

/// Of operator set 10: corners lie on each other, and what is between two goes to the one before, or behind where an axis shrinks.
#[test]
fn resizes_of_before_there_were_modes() {
    let row = array(&[1, 1, 1, 4], vec![1.0, 2.0, 3.0, 4.0]);
    let resized = |scale: f32, mode: &str, opset: i64| {
        let scales = floats("s", &[4], vec![1.0, 1.0, 1.0, scale]);
        let inputs: &[&str] = if opset < 11 { &["x", "s"] } else { &["x", "", "s"] };
        let nodes = vec![node("Resize", inputs, "y", vec![string("mode", mode)])];
        of_set(opset, model(vec![declared("x", &[1, 1, 1, 4])], vec![scales], nodes, &["y"]))
    };
    gives(&resized(1.5, "nearest", 10), &row, &[1.0, 1.0, 2.0, 3.0, 3.0, 4.0]);
    gives(&resized(0.6, "nearest", 10), &row, &[1.0, 3.0]);
    gives(&resized(2.0, "linear", 10), &row, &[1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.0]);
    // As it is since: half a pixel off.
    gives(&resized(2.0, "linear", 13), &row, &[1.0, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4.0]);
}

#[test]
fn the_largest_of_a_number_that_an_attribute_says() {
    let mut largest = node("TopK", &["x"], "y", vec![int("k", 2), int("axis", 1)]);
    largest.output.push("places".into());
    let largest = of_set(9, model(vec![declared("x", &[1, 4])], vec![], vec![largest], &["y"]));
    gives(&largest, &array(&[1, 4], vec![0.5, -1.0, 2.0, 0.75]), &[2.0, 0.75]);
}

/// Constants of one place where ONNX wants none.
#[test]
fn constants_with_an_axis_too_many() {
    let weights = vec![integers("p", vec![0, 1, 0, 1]), floats("c", &[1], vec![0.5])];
    let padded = model(vec![declared("x", &[1, 2])], weights, vec![node("Pad", &["x", "p", "c"], "y", vec![])], &["y"]);
    gives(&padded, &array(&[1, 2], vec![1.0, -2.0]), &[0.5, 1.0, -2.0, 0.5]);
}

/// 16-bit floats: inputs, weights in both forms, outputs, and casts between them.
#[test]
fn half_precision_is_read_as_single() {
    for (kind, of) in [
        (DataType::Float16, (|x| half::f16::from_f32(x).to_bits()) as fn(f32) -> u16),
        (DataType::Bfloat16, |x| half::bf16::from_f32(x).to_bits()),
    ] {
        let raw = [0.5f32, -2.0].iter().flat_map(|&x| of(x).to_le_bytes()).collect();
        let listed = [1.5f32, 0.25].iter().map(|&x| i32::from(of(x))).collect();
        let tensor = |name: &str| TensorProto {
            name: name.into(),
            dims: vec![2],
            data_type: kind as i32,
            ..TensorProto::default()
        };
        let weights =
            vec![TensorProto { raw_data: raw, ..tensor("a") }, TensorProto { int32_data: listed, ..tensor("b") }];
        let nodes = vec![
            node("Mul", &["x", "a"], "m", vec![]),
            node("Cast", &["m"], "wide", vec![int("to", DataType::Float as i64)]),
            node("Cast", &["wide"], "narrow", vec![int("to", kind as i64)]),
            node("Add", &["narrow", "b"], "y", vec![]),
        ];
        let half = model(vec![declared_as("x", &[1, 2], kind)], weights, nodes, &["y"]);
        gives(&half, &array(&[1, 2], vec![1.0, 3.0]), &[2.0, -5.75]);
    }
}

/// Integers of 8 bits wrap around, which is not what a program does.
#[test]
fn arithmetic_of_narrow_integers_is_refused() {
    let bytes = TensorProto { data_type: DataType::Uint8 as i32, ..integers("b", vec![2]) };
    let bytes = TensorProto { raw_data: vec![2], int64_data: vec![], ..bytes };
    let x = || vec![declared_as("x", &[1, 2], DataType::Uint8)];
    let sum = model(x(), vec![bytes.clone()], vec![node("Add", &["x", "b"], "y", vec![])], &["y"]);
    let sample = array(&[1, 2], vec![1.0, 254.0]);
    let text = run(&sum, &sample).unwrap_err().to_string();
    assert!(text.contains("Add_y") && text.contains("wrap around"), "{text}");
    let wide = |name: &str, of: &str| node("Cast", &[of], name, vec![int("to", DataType::Int32 as i64)]);
    let nodes = vec![wide("w", "x"), wide("v", "b"), node("Add", &["w", "v"], "y", vec![])];
    gives(&model(x(), vec![bytes], nodes, &["y"]), &sample, &[3.0, 256.0]);
}
