//! `vouch verify-key`: a verifying key against the architecture that was published with it.

use serde_json::{Value, json};
use vouch_circuits::layout::Layout;
use vouch_circuits::shell::{Shape, record_shape};
use vouch_prover::{KeyMismatch, Needs, verify_key};

use crate::args::VerifyKey;
use crate::artifacts::{read_architecture, read_verifying_key, unusable};
use crate::failure::Failure;
use crate::output::Output;
use crate::progress::Progress;
use crate::reference;

pub fn run(args: &VerifyKey, out: &Output) -> Result<Value, Failure> {
    let mut progress = Progress::new(out);
    progress.begin("reading the key");
    let key = read_verifying_key(&args.key)?;
    let architecture = read_architecture(&args.architecture)?;
    architecture.check(key.cuts).map_err(|error| unusable(&args.architecture, "architecture", &error))?;
    let system = &architecture.system;
    let columns = key.shell.columns;
    let k = Shape::of(&record_shape(system, &Layout::new(system, key.cuts)), columns.lanes).k;
    let needs = Needs { cuts: key.cuts, k, columns };
    let mut srs = match &args.srs {
        Some(path) => reference::foreign(path, needs, &mut progress)?,
        None => reference::development(needs, out, &mut progress),
    };
    progress.begin("recomputing the key");
    verify_key(&key, &architecture, &mut srs).map_err(|mismatch| {
        let failure = Failure::refused(format!("the key {} is not what it should be", args.key.display()));
        let failure = failure.because(&mismatch);
        match mismatch {
            KeyMismatch::ReferenceString => failure.advice("give the key's reference string with --srs"),
            _ => failure.advice("ask the model's owner for the architecture that belongs to this key"),
        }
    })?;
    let table = progress.finish();

    let model_id = hex::encode(key.model_id());
    let weights = key.w_commitments.len();
    out.say(format!("{}: the key is the architecture's, model id {model_id}", out.good("recomputed")));
    out.say(format!(
        "not recomputed: the weights behind its {weights} commitments (the model's part of them), and the name"
    ));
    out.say(&table);
    Ok(json!({
        "command": "verify-key",
        "accepted": true,
        "model_id": model_id,
        "constraints": hex::encode(key.system_digest),
        "development": key.development,
        "stages": table,
    }))
}
