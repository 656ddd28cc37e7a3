//! `vouch verify-key`: a verifying key against the architecture that was published with it.

use serde_json::{Value, json};
use vouch_circuits::key::srs_id;
use vouch_prover::{KeyMismatch, powers_of, verify_key};

use crate::args::VerifyKey;
use crate::artifacts::{read_architecture, read_verifying_key};
use crate::failure::Failure;
use crate::output::Output;
use crate::progress::Progress;
use crate::reference;

pub fn run(args: &VerifyKey, out: &Output) -> Result<Value, Failure> {
    let mut progress = Progress::new(out);
    progress.begin("reading the key");
    let key = read_verifying_key(&args.key)?;
    let architecture = read_architecture(&args.architecture)?;
    let srs_id = srs_id(&key.tau_g2);
    reference::expect_id(&srs_id, args.srs_id)?;
    let srs = reference::of_key(&srs_id, args.srs.as_deref(), powers_of(&key), &mut progress)?;
    progress.begin("recomputing the key");
    verify_key(&key, &architecture, &srs).map_err(|mismatch| {
        let failure = Failure::refused(format!("the key {} is not what it should be", args.key.display()));
        let failure = failure.because(&mismatch);
        match mismatch {
            KeyMismatch::ReferenceString | KeyMismatch::SrsTooShort { .. } => {
                failure.advice("give the key's reference string with --srs")
            }
            KeyMismatch::Lower(_) | KeyMismatch::System(_) => {
                failure.advice("no honest setup publishes such an architecture: trust neither it nor the key")
            }
            _ => failure.advice("ask the model's owner for the architecture that belongs to this key"),
        }
    })?;
    let table = progress.finish();

    let [model_id, srs_id] = [key.model_id(), srs_id].map(hex::encode);
    let weights = key.w_commitments.len();
    out.say(format!("{}: the key is the architecture's, model id {model_id}", out.good("recomputed")));
    out.say(format!("it rests on the reference string {srs_id}"));
    if key.development {
        out.warn("that is a development reference string: whoever made it can forge proofs for this key");
    }
    out.say(format!(
        "not recomputed: the weights behind its {weights} commitments (the model's part of them), and the names of model and classes"
    ));
    let file = args.architecture.display();
    out.say(format!("which model it is: vouch inspect {file}"));
    out.say(&table);
    Ok(json!({
        "command": "verify-key",
        "accepted": true,
        "model_id": model_id,
        "srs_id": srs_id,
        "architecture": hex::encode(key.architecture),
        "inferences": key.inferences(),
        "development": key.development,
        "stages": table,
    }))
}
