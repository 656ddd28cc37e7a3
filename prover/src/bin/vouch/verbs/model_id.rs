//! `vouch model-id`: a verifying key against the model itself, for models whose weights are published.

use serde_json::{Value, json};
use vouch_prover::SetupOptions;

use super::setup::{PUBLISHED_SALT, make};
use crate::args::ModelId;
use crate::artifacts::{read_model, read_verifying_key};
use crate::failure::Failure;
use crate::output::Output;
use crate::progress::Progress;

/// Runs it.
pub fn run(args: &ModelId, out: &Output) -> Result<Value, Failure> {
    let mut progress = Progress::new(out);
    progress.begin("reading the model");
    let program = read_model(&args.dir)?;
    let published = read_verifying_key(&args.key)?;
    let options = SetupOptions::of(&published);
    let salt = args.salt.unwrap_or(PUBLISHED_SALT);
    let key = make(program, &options, args.srs.as_deref(), Some(salt), out, &mut progress)?;
    let table = progress.finish();

    let (ours, theirs) = (key.verifying_key.model_id(), published.model_id());
    if ours != theirs {
        let advice = if key.verifying_key.tau_g2 != published.tau_g2 {
            "the key rests on another reference string: give it with --srs"
        } else if key.verifying_key.system_digest != published.system_digest {
            "the models differ in more than their weights: ask the key's owner which model it is of"
        } else {
            "the weights differ, or the salt does: ask the key's owner for both"
        };
        return Err(Failure::refused(format!("the key {} is not this model's", args.key.display()))
            .because(&std::io::Error::other(format!(
                "the model's id is {}, the key's {}",
                hex::encode(ours),
                hex::encode(theirs)
            )))
            .advice(advice));
    }
    let id = hex::encode(ours);
    out.say(format!("{}: the key is this model's, weights and all, model id {id}", out.good("recomputed")));
    out.say(&table);
    Ok(json!({
        "command": "model-id",
        "accepted": true,
        "model_id": id,
        "development": published.development,
        "stages": table,
    }))
}
