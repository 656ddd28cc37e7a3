//! `vouch model-id`: a verifying key against the model itself, for models whose weights are published.

use serde_json::{Value, json};
use vouch_prover::SetupOptions;

use super::setup::{PUBLISHED_SALT, batch_of, make, options_of};
use crate::args::ModelId;
use crate::artifacts::{read_model, read_verifying_key};
use crate::failure::Failure;
use crate::output::Output;
use crate::progress::Progress;

pub fn run(args: &ModelId, out: &Output) -> Result<Value, Failure> {
    let mut progress = Progress::new(out);
    progress.begin("reading the model");
    let program = batch_of(read_model(&args.dir)?, &args.options)?;
    let published = args.key.as_deref().map(read_verifying_key).transpose()?;
    let options = published.as_ref().map_or_else(|| options_of(&args.options, &program), SetupOptions::of);
    let salt = args.salt.unwrap_or(PUBLISHED_SALT);
    let key = make(program, &options, args.options.srs.as_deref(), Some(salt), out, &mut progress)?;
    let table = progress.finish();

    let ours = key.verifying_key.model_id();
    if let (Some(published), Some(path)) = (&published, &args.key)
        && ours != published.model_id()
    {
        let theirs = published.model_id();
        let advice = if key.verifying_key.tau_g2 != published.tau_g2 {
            "the key rests on another reference string: give it with --srs"
        } else if key.verifying_key.system_digest != published.system_digest {
            "the models differ in more than their weights: ask the key's owner which model it is of"
        } else {
            "the weights differ, or the salt does: ask the key's owner for both"
        };
        return Err(Failure::refused(format!("the key {} is not this model's", path.display()))
            .because(&std::io::Error::other(format!(
                "the model's id is {}, the key's {}",
                hex::encode(ours),
                hex::encode(theirs)
            )))
            .advice(advice));
    }
    let id = hex::encode(ours);
    match &published {
        Some(_) => out.say(format!("{}: the key is this model's, weights and all", out.good("recomputed"))),
        None => out.say("no key was given: compare the id with the one that you know"),
    }
    out.say(format!("model id  {id}"));
    out.say(&table);
    Ok(json!({
        "command": "model-id",
        "compared": published.is_some(),
        "model_id": id,
        "development": key.verifying_key.development,
        "stages": table,
    }))
}
