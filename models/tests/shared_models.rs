//! Other people's trained models and the benchmark models. Skipped where `../shared` is absent.

mod common;

use std::io::Read;

use ndarray::{ArrayD, IxDyn};
use vouch_models::{AccuracyReport, Calibration, CompileOptions, Fixed, Model};

/// The first 64 images of the MNIST test set, 28x28 bytes each.
fn mnist() -> Option<Vec<f32>> {
    let path = common::shared("models/t10k-images-idx3-ubyte.gz")?;
    let mut bytes = vec![0; 16 + 64 * 28 * 28];
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_exact(&mut bytes).unwrap();
    Some(bytes[16..].iter().map(|&b| b.into()).collect())
}

fn compile(file: &str, shape: &[usize], data: Vec<f32>) -> Option<AccuracyReport> {
    compile_with(file, &Fixed::default(), shape, data)
}

fn compile_with(file: &str, fixed: &Fixed, shape: &[usize], data: Vec<f32>) -> Option<AccuracyReport> {
    let path = common::shared(file)?;
    let data = Calibration::from_array(ArrayD::from_shape_vec(IxDyn(shape), data).unwrap());
    let model = Model::from_path_with(path, fixed).unwrap();
    let compiled = model.compile(&data, &CompileOptions::default(), &mut |_| {}).unwrap();
    println!("{file}\n{}", compiled.report);
    Some(compiled.report)
}

#[test]
fn a_pretrained_mnist_network() {
    let Some(images) = mnist() else { return };
    let data = images.iter().map(|x| (x / 255.0 - 0.1307) / 0.3081).collect();
    let Some(report) = compile("models/ccexam_mnist_cnn.onnx", &[64, 1, 28, 28], data) else {
        return;
    };
    assert_eq!(report.top1_agreement, 64);
    assert!(report.largest_error_share < 0.002);
    assert!(report.saturated.is_empty());
}

#[test]
fn a_pretrained_usps_network() {
    let Some(images) = mnist() else { return };
    // MNIST's digits, each 28x28 image shrunk to 16x16: every pixel the mean of the 2x2 cells nearest to it.
    let mut data = Vec::with_capacity(64 * 256);
    for image in images.chunks(28 * 28) {
        for y in 0..16 {
            for x in 0..16 {
                let (top, left) = (y * 26 / 15, x * 26 / 15);
                let cells = [(0, 0), (0, 1), (1, 0), (1, 1)];
                let mean = cells.iter().map(|(dy, dx)| image[(top + dy) * 28 + left + dx]).sum::<f32>() / 4.0;
                data.push((mean / 255.0 - 0.2471) / 0.2994);
            }
        }
    }
    let Some(report) = compile("models/ccexam_usps_cnn.onnx", &[64, 1, 16, 16], data) else {
        return;
    };
    assert_eq!(report.top1_agreement, 64);
    assert!(report.largest_error_share < 0.002);
    assert!(report.saturated.is_empty());
}

#[test]
fn benchmark_models() {
    for (file, shape) in [
        ("models/bench/mlp-1M.onnx", vec![8, 784]),
        ("models/bench/lenet.onnx", vec![8, 1, 28, 28]),
        ("models/bench/resnet20.onnx", vec![8, 3, 32, 32]),
    ] {
        let data = common::noise(shape.iter().product(), 5);
        let Some(report) = compile(file, &shape, data) else {
            return;
        };
        assert_eq!(report.top1_agreement, 8, "{file}");
        assert!(report.largest_error_share < 0.003, "{file}: {}", report.largest_error_share);
    }
}

#[test]
fn a_transformer_block() {
    let Some(report) = compile("models/bench/tf-1L.onnx", &[8, 16, 64], common::noise(8 * 16 * 64, 5)) else { return };
    assert!(report.smallest_cosine > 0.9999, "{}", report.smallest_cosine);
}

#[test]
fn a_text_direction_classifier() {
    let (shape, open) = ([8, 3, 48, 192], Fixed::lengths([("x.2", 48), ("x.3", 192)]));
    let data = common::noise(shape.iter().product(), 5);
    let Some(report) = compile_with("models/ppocr_mobile_v2_cls.onnx", &open, &shape, data) else { return };
    assert_eq!(report.top1_agreement, 8);
    assert!(report.smallest_cosine > 0.999, "{}", report.smallest_cosine);
}

#[test]
fn a_reaction_mapper() {
    let Some(path) = common::shared("models/rxnmapper_albert_seq25.onnx") else { return };
    let Some(ids) = common::shared("models/rxn_ids.npy") else { return };
    let data = Calibration::from_path(ids).unwrap();
    let compiled = Model::from_path(path).unwrap().compile(&data, &CompileOptions::default(), &mut |_| {}).unwrap();
    println!("{}", compiled.report);
    assert!(compiled.program.inputs[0].integer);
    assert!(compiled.report.smallest_cosine > 0.99999, "{}", compiled.report.smallest_cosine);
    assert!(compiled.report.largest_error_share < 0.005, "{}", compiled.report.largest_error_share);
    assert!(compiled.report.saturated.is_empty());
}

#[test]
fn a_word_splitter() {
    let open = Fixed::lengths([("seq_len", 32)]);
    // Characters of its alphabet.
    let ids = common::noise(16 * 32, 5).iter().map(|x| ((x + 1.0) * 35.0).floor().clamp(0.0, 69.0)).collect();
    let Some(report) = compile_with("models/attacut_c.onnx", &open, &[16, 32], ids) else { return };
    assert_eq!(report.top1_agreement, 16);
    assert!(report.smallest_cosine > 0.9999, "{}", report.smallest_cosine);
    assert!(report.saturated.is_empty());
}

#[test]
fn a_voice_detector() {
    let Some(path) = common::shared("models/silero_vad_openvino_16k.onnx") else { return };
    let array = |shape: &[usize], seed: u64, scale: f32| {
        let data = common::noise(shape.iter().product(), seed).iter().map(|x| x * scale).collect();
        ArrayD::from_shape_vec(IxDyn(shape), data).unwrap()
    };
    let sound = ("input".to_string(), array(&[8, 576], 5, 0.5));
    let data = Calibration::from_named([sound, ("state".to_string(), array(&[8, 2, 1, 128], 6, 0.5))]);
    let model = Model::from_path(path).unwrap();
    let report = model.compile(&data, &CompileOptions::default(), &mut |_| {}).unwrap().report;
    println!("{report}");
    assert!(report.smallest_cosine > 0.999, "{}", report.smallest_cosine);
}
