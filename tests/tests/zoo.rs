//! The sample models, end to end: every constraint on all 64 images, and real proofs.

use std::path::PathBuf;

use ndarray::{ArrayD, Axis};
use vouch_models::{Calibration, CompileOptions, Compiled, Model, quantize_all, zoo};
use vouch_program::Program;
use vouch_prover::commit::Srs;
use vouch_prover::{Checker, SetupOptions, check, prove_core, setup_core};
use vouch_verifier::{PreparedCore, verify_core};

fn assert_accurate(name: &str, compiled: &Compiled) {
    let report = &compiled.report;
    assert_eq!(report.samples, 64, "{name}");
    assert_eq!(report.top1_agreement, 64, "{name}: the largest output is float's on every image");
    assert!(report.largest_error_share < 0.002, "{name}: largest error {}", report.largest_error_share);
}

fn check_all(name: &str, program: &Program, samples: &[Vec<ArrayD<f32>>]) {
    assert_eq!(samples.len(), 64);
    let checker = Checker::new(program).unwrap();
    for (i, sample) in samples.iter().enumerate() {
        let inputs = quantize_all(program, sample).unwrap();
        checker.check(&inputs).unwrap_or_else(|e| panic!("{name}, image {i}: {e}"));
    }
}

fn prove_one(name: &str, program: Program, inputs: &[Vec<i64>]) {
    let (options, needs) = SetupOptions::default().settle(&program).unwrap();
    let srs = Srs::development(1 << needs.cuts.chunk_bits, &mut rand::rng());
    let key = setup_core(program, &options, srs, [3; 32], &mut |_| {}).unwrap();
    let proof = prove_core(&key, inputs, None, &mut |_| {}).unwrap();
    let prepared = PreparedCore::new(key.key.clone(), key.key_digest).expect("a key that was just made is well formed");
    verify_core(&prepared, &proof).unwrap_or_else(|e| panic!("{name}: {e}"));
}

#[test]
fn every_sample_model_is_accurate_and_satisfies_its_constraints_on_all_images() {
    for model in zoo::entries() {
        let compiled = model.compile(&mut |_| {}).unwrap();
        assert_accurate(model.name, &compiled);
        check_all(model.name, &compiled.program, &model.samples().unwrap());
    }
}

#[test]
fn every_sample_model_is_proven_and_verified() {
    for model in zoo::entries() {
        let program = model.compile(&mut |_| {}).unwrap().program;
        let inputs = quantize_all(&program, &model.samples().unwrap()[0]).unwrap();
        prove_one(model.name, program, &inputs);
    }
}

/// Models that others trained, where they are at hand.
#[test]
fn models_trained_by_others_are_accurate_and_proven() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/models");
    if !folder.is_dir() {
        println!("skipped: the models trained by others are not beside this checkout");
        return;
    }
    // 28 x 28 as the first model wants it, and the inner 16 x 16 of every other pixel for the second.
    let images = zoo::find("mnist_mlp").unwrap().images().unwrap();
    let normalize = |mean: f32, deviation: f32, images: &ArrayD<f32>| images.mapv(|v| (v - mean) / deviation);
    let whole = images.clone().into_shape_with_order(vec![64, 1, 28, 28]).unwrap();
    let small = whole.slice_axis(Axis(2), (6..22).into()).slice_axis(Axis(3), (6..22).into()).to_owned();
    let cases = [
        ("ccexam_mnist_cnn", normalize(0.1307, 0.3081, &whole)),
        ("ccexam_usps_cnn", normalize(0.2471, 0.2994, &small.into_dyn())),
    ];
    for (name, images) in cases {
        let model = Model::from_path(folder.join(name).with_extension("onnx")).unwrap();
        let calibration = Calibration::from_array(images);
        let samples = calibration.samples(model.inputs()).unwrap();
        let compiled = model.compile(&calibration, &CompileOptions::default(), &mut |_| {}).unwrap();
        assert_accurate(name, &compiled);
        check_all(name, &compiled.program, &samples);
        let inputs = quantize_all(&compiled.program, &samples[0]).unwrap();
        prove_one(name, compiled.program, &inputs);
    }
}

/// Thousands of inputs, most of them nothing like an image: every one in the declared range must be provable.
#[test]
#[ignore = "minutes: run with `-- --ignored`"]
fn every_input_in_the_declared_range_satisfies_the_constraints() {
    let mut state = 1u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 48) as i64 - (1 << 15)
    };
    for model in zoo::entries() {
        let program = model.compile(&mut |_| {}).unwrap().program;
        for round in 0..500 {
            let scale = 1 << (round % 16);
            let inputs: Vec<Vec<i64>> = (program.inputs.iter())
                .map(|port| (0..program.node(port.node).len()).map(|_| random() / scale).collect())
                .collect();
            check(&program, &inputs).unwrap_or_else(|e| panic!("{}, round {round}: {e}", model.name));
        }
    }
}
