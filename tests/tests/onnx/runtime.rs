//! onnxruntime as a second reference: every operator's case, and models of tables as their trainers export them, which this
//! crate's float model and its fixed-point programs must agree with ([`whole`](super::whole) has the large ones). It needs Python 3.11 with venv, and installs what `tests/onnxruntime` names from PyPI
//! under `target`; so it is not run by default.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ndarray::{ArrayD, Axis, IxDyn};
use serde_json::{Value, json};
use vouch_models::{Calibration, CompileOptions, Compiled, Model, Sample, outputs, quantize_all};
use vouch_program::execute;

use super::{Case, cases, compiled, file};

/// What is in the names of models that compare.
const CHOOSING: [&str; 6] = ["tree", "forest", "boosted", "xgboost", "lightgbm", "neighbours"];

/// Of all samples all outputs, flat.
pub type Answers = Vec<Vec<Vec<f64>>>;

pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("onnxruntime").join(name)
}

pub fn run(command: &mut Command) {
    let status = command.stdout(Stdio::null()).status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}

/// A Python with onnxruntime and the trainers.
pub fn python() -> PathBuf {
    static MADE: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    let make = || {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/onnxruntime");
        let python = target.join("bin/python");
        let imports = "import lightgbm, onnxmltools, onnxruntime, skl2onnx, sklearn, xgboost";
        let status = Command::new(&python).args(["-c", imports]).stderr(Stdio::null()).status();
        if !status.is_ok_and(|status| status.success()) {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&target));
            let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
            run(Command::new(&python).args(install).arg(source("requirements.txt")));
        }
        python
    };
    MADE.get_or_init(make).clone()
}

/// Or why there are none.
pub fn answers(folder: &Path, name: &str) -> Result<Answers, String> {
    let text = std::fs::read(folder.join(format!("{name}.out.json"))).unwrap();
    match serde_json::from_slice(&text).unwrap() {
        Value::String(refused) => Err(refused),
        answers => Ok(serde_json::from_value(answers).unwrap()),
    }
}

/// An input as the scripts have it.
fn array(input: &Value) -> ArrayD<f32> {
    let shape: Vec<usize> = serde_json::from_value(input["shape"].clone()).unwrap();
    ArrayD::from_shape_vec(IxDyn(&shape), serde_json::from_value(input["data"].clone()).unwrap()).unwrap()
}

/// Of the samples that a script wrote those inputs that are the model's; fixed ones are last.
pub fn written(path: &Path, inputs: usize) -> Vec<Sample> {
    let samples: Vec<Value> = serde_json::from_slice(&std::fs::read(path.with_extension("json")).unwrap()).unwrap();
    samples.iter().map(|sample| sample.as_array().unwrap()[..inputs].iter().map(array).collect()).collect()
}

/// What [`written`] reads and onnxruntime runs.
pub fn write(path: &Path, samples: &[Sample]) {
    let tensor = |x: &ArrayD<f32>| json!({ "shape": x.shape(), "data": x.iter().collect::<Vec<_>>() });
    let samples: Vec<Vec<Value>> = samples.iter().map(|sample| sample.iter().map(tensor).collect()).collect();
    std::fs::write(path, serde_json::to_vec(&samples).unwrap()).unwrap();
}

fn calibration(model: &Model, samples: &[Sample]) -> Calibration {
    Calibration::from_named(model.inputs().iter().enumerate().map(|(i, input)| {
        let views: Vec<_> = samples.iter().map(|sample| sample[i].view()).collect();
        (input.name.clone(), ndarray::stack(Axis(0), &views).unwrap())
    }))
}

/// Compiles a model, calibrated on the samples.
pub fn compile(name: &str, model: &Model, samples: &[Sample]) -> Compiled {
    let compiled = model.compile(&calibration(model, samples), &CompileOptions::default(), &mut |_| {});
    compiled.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The largest difference.
pub fn apart(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().zip(expected);
    pairs.fold(0.0, |most, (a, b)| f64::max(most, (f64::from(*a) - b).abs()))
}

pub fn largest<'a>(values: impl Iterator<Item = &'a f64>) -> f64 {
    values.fold(1e-6, |largest, x| largest.max(x.abs()))
}

#[test]
#[ignore = "installs onnxruntime: run with `-- --ignored`"]
fn every_operator_agrees_with_onnxruntime() {
    let folder = tempfile::tempdir().unwrap();
    // Two classes that all leaves score it labels 0 and 1, whatever the model says, by the second's score alone: not ONNX's text.
    let as_text = |case: &Case| !(case.operators == ["TreeEnsembleClassifier"] && case.nodes.len() == 1);
    let cases: Vec<_> = cases().into_iter().filter(as_text).map(|case| (compiled(&case), case)).collect();
    for (i, ((_, _, samples), case)) in cases.iter().enumerate() {
        std::fs::write(folder.path().join(format!("case{i}.onnx")), file(case)).unwrap();
        let samples: Vec<Sample> = samples.iter().map(|x| vec![x.clone()]).collect();
        write(&folder.path().join(format!("case{i}.json")), &samples);
    }
    run(Command::new(python()).arg(source("run.py")).arg(folder.path()));
    let mut wrong = Vec::new();
    for (i, ((model, program, samples), case)) in cases.into_iter().enumerate() {
        let what = format!("{:?} on {:?}", case.operators, case.shape);
        let answers = match answers(folder.path(), &format!("case{i}")) {
            Ok(answers) => answers,
            Err(refused) => {
                wrong.push(format!("{what} is refused: {refused}"));
                continue;
            }
        };
        for (x, expected) in samples.into_iter().zip(answers) {
            let sample: Sample = vec![x];
            let largest = largest(expected[0].iter());
            let float = apart(&model.run_float(&sample).unwrap()[0], &expected[0]) / largest;
            let execution = execute(&program, &quantize_all(&program, &sample).unwrap()).unwrap();
            let fixed = apart(outputs(&program, &execution)[0].as_slice().unwrap(), &expected[0]) / largest;
            let (float_allowed, allowed) = match &case.operators[..] {
                // Which is left out.
                ["DynamicQuantizeLinear", ..] => (0.01, 0.01),
                // Probabilities of classes are found by iteration there, to within this.
                ["SVMClassifier", "Identity"] => (0.01, 0.01),
                // What is between two integers may go to either.
                operators if operators.contains(&"QuantizeLinear") => (1e-5, 0.06),
                _ => (1e-5, 0.004),
            };
            if float > float_allowed || fixed > allowed {
                wrong.push(format!("{what}: the float model is off by {float}, fixed point by {fixed}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
#[ignore = "installs scikit-learn, XGBoost, LightGBM and onnxruntime: run with `-- --ignored`"]
fn exported_tables_agree_with_onnxruntime() {
    let folder = tempfile::tempdir().unwrap();
    for script in ["export.py", "run.py"] {
        run(Command::new(python()).arg(source(script)).arg(folder.path()));
    }
    let mut models = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "onnx") {
            continue;
        }
        models += 1;
        let name = path.file_stem().unwrap().to_str().unwrap();
        let model = Model::from_path(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let rows = written(&path, model.inputs().len());
        let program = compile(name, &model, &rows).program;
        let answers = answers(folder.path(), name).unwrap();
        // Of each output over all rows.
        let largest: Vec<f64> =
            (0..answers[0].len()).map(|i| largest(answers.iter().flat_map(|row| &row[i]))).collect();
        let (mut float, mut fixed, mut other) = (0.0f64, 0.0f64, 0);
        for (sample, expected) in rows.iter().zip(&answers) {
            let execution = execute(&program, &quantize_all(&program, sample).unwrap()).unwrap();
            let integers: Vec<Vec<f32>> =
                outputs(&program, &execution).iter().map(|a| a.iter().copied().collect()).collect();
            let share = |found: &[Vec<f32>]| {
                let each = found.iter().zip(expected).zip(&largest).map(|((a, b), largest)| apart(a, b) / largest);
                each.fold(0.0, f64::max)
            };
            float = float.max(share(&model.run_float(sample).unwrap()));
            match share(&integers) {
                near @ 0.0..0.005 => fixed = fixed.max(near),
                // What is as near to a threshold, or another neighbour, as fixed point can tell may go another way, and of two equal classes either wins.
                _ if CHOOSING.iter().any(|kind| name.contains(kind)) => other += 1,
                far => fixed = far,
            }
        }
        println!("{name}: float {float:.1e}, fixed {fixed:.1e}, {other} rows to other leaves");
        // Probabilities of pairs are found by iteration there, to within this.
        let exact = if name.contains("probable") { 0.01 } else { 1e-4 };
        assert!(float < exact, "{name}: the float model is off by {float}");
        assert!(fixed < 0.005 && other < 2, "{name}: fixed point is off by {fixed}, {other} rows came to other leaves");
    }
    assert!(models > 27, "only {models} models were exported");
}
