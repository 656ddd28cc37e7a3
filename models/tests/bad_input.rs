//! Whatever is wrong with a file or a value is an error in words, never a panic, and never a huge allocation.

mod common;

use std::io::Write;

use common::*;
use ndarray::{ArrayD, IxDyn};
use ndarray_npy::WriteNpyExt;
use tract_onnx::pb::ModelProto;
use vouch_models::{Calibration, CompileOptions, Fixed, InputSpec, Model, ModelError, quantize, quantize_all, zoo};

fn small() -> ModelProto {
    let weights = vec![floats("w", &[4, 3], noise(12, 1)), floats("b", &[3], noise(3, 2))];
    model(vec![declared("x", &[-1, 4])], weights, vec![node("Gemm", &["x", "w", "b"], "y", vec![])], &["y"])
}

fn read_error(bytes: &[u8]) -> String {
    match Model::from_bytes(bytes) {
        Ok(_) => panic!("accepted"),
        Err(error) => error.to_string(),
    }
}

fn array(shape: &[usize], data: Vec<f32>) -> ArrayD<f32> {
    ArrayD::from_shape_vec(IxDyn(shape), data).unwrap()
}

#[test]
fn a_missing_file_is_named() {
    let text = Model::from_path("/nowhere/model.onnx").err().unwrap().to_string();
    assert!(text.contains("/nowhere/model.onnx"), "{text}");
    let text = Calibration::from_path("/nowhere/data.npy").err().unwrap().to_string();
    assert!(text.contains("/nowhere/data.npy"), "{text}");
}

#[test]
fn empty_and_foreign_files() {
    assert!(read_error(b"").contains("empty"));
    let mut npy = Vec::new();
    array(&[2], vec![1.0, 2.0]).write_npy(&mut npy).unwrap();
    for foreign in [b"hello, world\n".to_vec(), vec![0; 100], vec![0xff; 100], b"{\"a\": 1}".to_vec(), npy] {
        let text = read_error(&foreign);
        assert!(text.contains("not a usable ONNX file"), "{text}");
    }
}

#[test]
fn a_file_cut_anywhere() {
    let whole = bytes(&small());
    for len in 0..whole.len() {
        // A cut at the border of a field is a shorter message that may be valid: then it lacks a part.
        let text = read_error(&whole[..len]);
        assert!(!text.is_empty());
    }
    let lenet = zoo::find("mnist_lenet5").unwrap().onnx;
    for len in (1..lenet.len()).step_by(9973) {
        read_error(&lenet[..len]);
    }
}

#[test]
fn altered_bytes_never_panic() {
    let whole = bytes(&small());
    for at in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut altered = whole.clone();
            altered[at] ^= flip;
            // Many are still models, with another name or weight.
            if let Ok(model) = Model::from_bytes(&altered) {
                let size: usize = model.inputs().iter().map(|i| i.shape.iter().product::<usize>()).sum();
                if size < 1000 && model.inputs().len() == 1 {
                    let data = Calibration::from_array(ArrayD::zeros(model.inputs()[0].shape.clone()));
                    let _ = model.compile(&data, &CompileOptions::default(), &mut |_| {});
                }
            }
        }
    }
}

#[test]
fn huge_dimensions() {
    let mut huge = small();
    huge.graph.as_mut().unwrap().initializer[0].dims = vec![1 << 40, 1 << 40];
    assert!(read_error(&bytes(&huge)).contains("more than"));
    huge.graph.as_mut().unwrap().initializer[0].dims = vec![1 << 27, 1];
    assert!(read_error(&bytes(&huge)).contains("does not have"));
    huge.graph.as_mut().unwrap().initializer[0].dims = vec![-4, -3];
    assert!(read_error(&bytes(&huge)).contains("negative"));
    let input = model(vec![declared("x", &[1, 1 << 40])], vec![], vec![node("Relu", &["x"], "y", vec![])], &["y"]);
    assert!(read_error(&bytes(&input)).contains("more than"));
    // Small tensors from which a huge one is made.
    let pads = integers("p", vec![0, 1 << 40, 0, 1 << 40]);
    let pad = model(vec![declared("x", &[1, 4])], vec![pads], vec![node("Pad", &["x", "p"], "y", vec![])], &["y"]);
    read_error(&bytes(&pad));
    let shape = integers("s", vec![1 << 20, 1 << 20]);
    let nodes = vec![node("ConstantOfShape", &["s"], "c", vec![]), node("Add", &["x", "c"], "y", vec![])];
    let fill = model(vec![declared("x", &[1])], vec![shape], nodes, &["y"]);
    assert!(read_error(&bytes(&fill)).contains("more than"));
    let nodes = vec![node("MatMul", &["x", "w"], "y", vec![])];
    let outer = vec![floats("w", &[1, 1 << 17], vec![0.0; 1 << 17])];
    let product = model(vec![declared("x", &[1 << 17, 1])], outer, nodes, &["y"]);
    assert!(read_error(&bytes(&product)).contains("more than"));
}

#[test]
fn weights_that_are_no_numbers() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut broken = small();
        let weights = &mut broken.graph.as_mut().unwrap().initializer[0];
        weights.float_data[5] = bad;
        let text = read_error(&bytes(&broken));
        assert!(text.contains("\"w\"") && text.contains("1 of 12"), "{text}");
        let weights = &mut broken.graph.as_mut().unwrap().initializer[0];
        weights.raw_data = weights.float_data.drain(..).flat_map(f32::to_le_bytes).collect();
        assert!(read_error(&bytes(&broken)).contains("\"w\""));
        // A lone one is not refused while reading; it must be while compiling.
        let lone = vec![floats("c", &[], vec![bad])];
        let lone = model(vec![declared("x", &[1, 4])], lone, vec![node("Mul", &["x", "c"], "y", vec![])], &["y"]);
        let data = Calibration::from_array(array(&[1, 4], vec![1.0; 4]));
        let result =
            Model::from_bytes(&bytes(&lone)).and_then(|m| m.compile(&data, &CompileOptions::default(), &mut |_| {}));
        assert!(result.is_err());
    }
}

#[test]
fn graphs_that_make_no_sense() {
    let x = || vec![declared("x", &[1, 4])];
    let undefined = model(x(), vec![], vec![node("Add", &["x", "q"], "y", vec![])], &["y"]);
    assert!(read_error(&bytes(&undefined)).contains("\"q\""));
    let twice = model(x(), vec![], vec![node("Relu", &["x"], "y", vec![]), node("Tanh", &["x"], "y", vec![])], &["y"]);
    assert!(read_error(&bytes(&twice)).contains("twice"));
    let mismatch = vec![floats("w", &[5, 3], noise(15, 1))];
    let mismatch = model(x(), mismatch, vec![node("MatMul", &["x", "w"], "y", vec![])], &["y"]);
    read_error(&bytes(&mismatch));
    let none = model(x(), vec![], vec![node("Relu", &["x"], "y", vec![])], &[]);
    assert!(read_error(&bytes(&none)).contains("no outputs"));
    let open = model(vec![declared("x", &[1, -1])], vec![], vec![node("Relu", &["x"], "y", vec![])], &["y"]);
    let text = read_error(&bytes(&open));
    assert!(text.contains("left open") && text.contains("\"x.1\""), "{text}");
    let with = |name: &str| Model::from_bytes_with(&bytes(&open), &Fixed::lengths([(name, 4)]));
    assert_eq!(with("x.1").unwrap().inputs()[0].shape, [1, 4]);
    // An axis that is not there, and one that has a length.
    let closed = model(vec![declared("x", &[1, 4])], vec![], vec![node("Relu", &["x"], "y", vec![])], &["y"]);
    for name in ["x.2", "x.0", "height"] {
        let text = Model::from_bytes_with(&bytes(&closed), &Fixed::lengths([(name, 4)])).err().unwrap().to_string();
        assert!(text.contains(name) && text.contains("no axis"), "{text}");
    }
}

fn samples_error(data: &[u8]) -> String {
    let model = Model::from_bytes(&bytes(&small())).unwrap();
    let outcome = Calibration::from_bytes(data, "data").and_then(|c| c.samples(model.inputs()));
    match outcome {
        Ok(samples) => panic!("{} samples", samples.len()),
        Err(error) => error.to_string(),
    }
}

fn npy(array: &ArrayD<f32>) -> Vec<u8> {
    let mut bytes = Vec::new();
    array.write_npy(&mut bytes).unwrap();
    bytes
}

#[test]
fn calibration_data_that_does_not_fit() {
    assert!(samples_error(b"").contains("empty"));
    assert!(samples_error(b"garbage").contains("neither"));
    assert!(samples_error(&npy(&array(&[2, 5], vec![0.0; 10]))).contains("[2, 5]"));
    assert!(samples_error(&npy(&array(&[0, 4], vec![]))).contains("no samples"));
    assert!(samples_error(&npy(&array(&[1, 4], vec![0.0, f32::NAN, 0.0, 0.0]))).contains("element 1"));
    let whole = npy(&array(&[3, 4], vec![0.5; 12]));
    for len in 0..whole.len() {
        samples_error(&whole[..len]);
    }
    // Twice an input's own first axis is not two samples, but of a program for a batch.
    let wide = model(vec![declared("x", &[3, 4])], vec![], vec![node("Relu", &["x"], "y", vec![])], &["y"]);
    let wide = Model::from_bytes(&bytes(&wide)).unwrap();
    let twice = Calibration::from_array(array(&[6, 4], vec![0.0; 24]));
    assert!(twice.samples(wide.inputs()).unwrap_err().to_string().contains("does not fit"));
    let once = Calibration::from_array(array(&[3, 4], vec![0.0; 12]));
    let program = wide.compile(&once, &CompileOptions::default(), &mut |_| {}).unwrap().program;
    assert!(twice.samples(&InputSpec::of_program(&program)).is_err());
    let batch = vouch_program::Program { batch: 3, ..program };
    assert_eq!(twice.samples(&InputSpec::of_program(&batch)).unwrap().len(), 2);
    let more = Calibration::from_array(array(&[7, 4], vec![0.0; 28])).samples(&InputSpec::of_program(&batch));
    assert!(more.unwrap_err().to_string().contains("7 samples for input \"x\", of which 3"));
    // A header that promises far more than there is.
    let header = String::from_utf8_lossy(&whole[..128]).replace("(3, 4)", "(9999999999, 4)");
    assert!(samples_error(header.as_bytes()).len() > 10);
    for json in [
        "{",
        "[]",
        "[[1,2],[3]]",
        "[\"a\"]",
        "{\"input_data\": []}",
        "[1,2,3]",
        "[[1,2,3,4],[1,2,3,1e99]]",
        "{\"a\":null}",
    ] {
        samples_error(json.as_bytes());
    }
    samples_error(b"PK\x03\x04 not a zip file");
}

#[test]
fn calibration_data_in_every_form() {
    let model = Model::from_bytes(&bytes(&small())).unwrap();
    let wanted: Vec<Vec<f32>> = vec![vec![1.0, 2.0, 3.0, 4.0], vec![5.0, 6.0, 7.0, 8.0]];
    let flat: Vec<f32> = wanted.concat();
    let check = |data: &[u8], count: usize| {
        let samples = Calibration::from_bytes(data, "data").unwrap().samples(model.inputs()).unwrap();
        assert_eq!(samples.len(), count);
        for (sample, wanted) in samples.iter().zip(&wanted) {
            assert_eq!(sample[0].shape(), [1, 4]);
            assert!(sample[0].iter().eq(wanted));
        }
    };
    check(&npy(&array(&[2, 4], flat.clone())), 2);
    check(&npy(&array(&[2, 1, 4], flat.clone())), 2);
    check(&npy(&array(&[4], flat[..4].to_vec())), 1);
    let fortran = array(&[4, 2], vec![1.0, 5.0, 2.0, 6.0, 3.0, 7.0, 4.0, 8.0]).reversed_axes();
    check(&npy(&fortran), 2);
    macro_rules! types {
        ($($kind:ty),*) => {$(
            let typed = array(&[2, 4], flat.clone()).mapv(|x| x as $kind);
            let mut bytes = Vec::new();
            typed.write_npy(&mut bytes).unwrap();
            check(&bytes, 2);
        )*};
    }
    types!(f64, u8, i8, u16, i16, u32, i32, u64, i64);
    check(b"[[1,2,3,4],[5,6,7,8]]", 2);
    check(b"[1,2,3,4]", 1);
    check(b" {\"x\": [[1,2,3,4],[5,6,7,8]]}", 2);
    check(b"{\"input_data\": [[1,2,3,4]]}", 1);
    check(b"{\"input_data\": [[1,2,3,4,5,6,7,8]]}", 2);
    check(b"{\"input_data\": [[[1,2,3,4],[5,6,7,8]]]}", 2);
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("x.npy", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(&npy(&array(&[2, 4], flat))).unwrap();
    let npz = zip.finish().unwrap().into_inner();
    check(&npz, 2);
    for len in (4..npz.len()).step_by(7) {
        samples_error(&npz[..len]);
    }
}

#[test]
fn several_inputs_need_names() {
    let nodes = vec![node("Add", &["a", "b"], "y", vec![])];
    let model = model(vec![declared("a", &[1, 2]), declared("b", &[1, 3, 2])], vec![], nodes, &["y"]);
    let model = Model::from_bytes(&bytes(&model)).unwrap();
    let samples = |json: &str| Calibration::from_bytes(json.as_bytes(), "data").and_then(|c| c.samples(model.inputs()));
    assert!(samples("[[1,2]]").err().unwrap().to_string().contains("a, b"));
    assert!(samples("{\"a\": [[1,2]], \"c\": [[1,2],[3,4],[5,6]]}").err().unwrap().to_string().contains("\"b\""));
    let two = samples("{\"b\": [[1,2],[3,4],[5,6]], \"a\": [1,2]}").unwrap();
    assert_eq!(two[0][1].shape(), [1, 3, 2]);
    assert!(
        samples("{\"b\": [[1,2],[3,4],[5,6]], \"a\": [[1,2],[1,2]]}")
            .err()
            .unwrap()
            .to_string()
            .contains("different numbers")
    );
}

#[test]
fn inputs_out_of_range_or_of_another_shape() {
    let model = Model::from_bytes(&bytes(&small())).unwrap();
    let data = Calibration::from_array(array(&[2, 4], vec![0.9, -0.9, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]));
    let program = model.compile(&data, &CompileOptions::default(), &mut |_| {}).unwrap().program;
    let port = &program.inputs[0];
    // Halves go away from zero.
    let unit = f64::from(-program.node(port.node).frac).exp2() as f32;
    let integers = quantize(&program, port, &array(&[1, 4], vec![2.5 * unit, -2.5 * unit, 2.4 * unit, 0.0]));
    assert_eq!(integers.unwrap(), [3, -3, 2, 0]);
    match quantize(&program, port, &array(&[1, 4], vec![0.0, 0.0, 37.0, 0.0])) {
        Err(ModelError::OutOfRange { tensor, position, lo, hi }) => {
            assert_eq!((tensor.as_str(), position), ("x", vec![0, 2]));
            assert!(lo < -0.9 && hi > 0.9);
        }
        other => panic!("{other:?}"),
    }
    let text = quantize(&program, port, &array(&[1, 4], vec![0.0, 0.0, 37.0, 0.0])).err().unwrap().to_string();
    assert!(!text.contains("37"), "an input's value in a message: {text}");
    let nan = quantize(&program, port, &array(&[1, 4], vec![0.0, f32::NAN, 0.0, 0.0]));
    assert!(matches!(nan, Err(ModelError::NotFiniteInput { .. })));
    assert!(quantize(&program, port, &array(&[4, 1], vec![0.0; 4])).is_err());
    assert!(quantize_all(&program, &[]).is_err());
}
