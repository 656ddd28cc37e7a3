//! `vouch compile`: from an ONNX file to a fixed-point model and its accuracy.

use serde_json::{Value, json};
use vouch_models::{Calibration, CompileOptions, Fixed, Model};

use crate::args::Compile;
use crate::artifacts::{MODEL, NewFile, PROVING_KEY, REPORT, VERIFYING_KEY, encode_model, write_folder};
use crate::failure::Failure;
use crate::output::{Output, count, size};
use crate::progress::Progress;
use crate::values::model_failure;

pub fn run(args: &Compile, out: &Output) -> Result<Value, Failure> {
    let shown = args.model.display();
    if args.out.exists() && !args.out.is_dir() {
        return Err(Failure::unusable(format!("{} is not a folder", args.out.display())).advice("give another --out"));
    }
    let mut progress = Progress::new(out);
    progress.begin("reading the model");
    let fixed = Fixed { lengths: args.dim.iter().cloned().collect(), inputs: args.fix.iter().cloned().collect() };
    let model = Model::from_path_with(&args.model, &fixed)
        .map_err(|error| model_failure(format!("the model {shown} cannot be used"), &error))?;
    let calibration = Calibration::from_path(&args.calibration).map_err(|error| {
        model_failure(format!("the calibration data {} cannot be used", args.calibration.display()), &error)
    })?;
    let mut options = CompileOptions::default();
    options.shift = args.shift.unwrap_or(options.shift);
    let compiled = model
        .compile(&calibration, &options, &mut |message| progress.news(message))
        .map_err(|error| model_failure(format!("{shown} cannot be compiled"), &error))?;
    progress.begin("writing");
    let bytes = encode_model(&compiled.program)?;
    let report = serde_json::to_vec_pretty(&compiled.report)
        .map_err(|error| Failure::fault("the report cannot be written").because(&error))?;
    let new = [
        // It holds the weights.
        NewFile { name: MODEL.as_ref(), bytes: &bytes, private: true },
        NewFile { name: REPORT.as_ref(), bytes: &report, private: false },
    ];
    write_folder(&args.out, &new)?;
    let table = progress.finish();

    let parameters = compiled.program.parameters();
    out.say(format!("{}: {} parameters", compiled.program.name, count(parameters)));
    out.say(&compiled.report);
    let path = args.out.join(MODEL);
    out.say(format!("wrote {} ({}; it holds the weights) and {REPORT}", path.display(), size(bytes.len() as u64)));
    let stale = [PROVING_KEY, VERIFYING_KEY].iter().any(|key| args.out.join(key).exists());
    if stale {
        out.warn(format!("the keys in {} are of an earlier compile: make new ones", args.out.display()));
    }
    out.say(format!("next: vouch setup {}", args.out.display()));
    Ok(json!({
        "command": "compile",
        "model": compiled.program.name,
        "parameters": parameters,
        "report": compiled.report,
        "file": path,
        "bytes": bytes.len(),
        "keys_outdated": stale,
        "stages": table,
    }))
}
