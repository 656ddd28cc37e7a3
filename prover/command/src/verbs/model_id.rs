//! `vouch model-id`: a verifying key against the model itself, for models whose weights are published.

use serde_json::{Value, json};
use vouch_circuits::key::srs_id;
use vouch_prover::SetupOptions;

use super::setup::{PUBLISHED_SALT, Reference, batch_of, make, options_of};
use crate::args::ModelId;
use crate::artifacts::{read_model, read_verifying_key};
use crate::failure::Failure;
use crate::output::Output;
use crate::progress::Progress;
use crate::reference;

pub fn run(args: &ModelId, out: &Output) -> Result<Value, Failure> {
    let mut progress = Progress::new(out);
    progress.begin("reading the model");
    let program = batch_of(read_model(&args.dir)?, &args.options)?;
    let published = args.key.as_deref().map(read_verifying_key).transpose()?;
    let options = match &published {
        Some(key) => SetupOptions::of(key, &program)
            .map_err(|error| Failure::unusable("no keys can be made for this model").because(&error))?,
        None => options_of(&args.options, &program)?,
    };
    let salt = args.salt.unwrap_or(PUBLISHED_SALT);
    let id = published.as_ref().map(|key| srs_id(&key.tau_g2));
    if let Some(id) = &id {
        reference::expect_id(id, args.srs_id)?;
    }
    let srs = Reference::Known { id, file: args.options.srs.as_deref() };
    let key = make(program, &options, srs, Some(salt), out, &mut progress)?;
    let rests_on = srs_id(&key.verifying_key.tau_g2);
    reference::expect_id(&rests_on, args.srs_id)?;
    let table = progress.finish();

    let ours = key.verifying_key.model_id();
    if let (Some(published), Some(path)) = (&published, &args.key)
        && ours != published.model_id()
    {
        let theirs = published.model_id();
        let advice = if key.verifying_key.tau_g2 != published.tau_g2 {
            "the key rests on another reference string: give it with --srs"
        } else if key.verifying_key.architecture != published.architecture {
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
    out.say(format!("model id          {id}"));
    out.say(format!("reference string  {}", hex::encode(rests_on)));
    out.say(&table);
    Ok(json!({
        "command": "model-id",
        "compared": published.is_some(),
        "model_id": id,
        "srs_id": hex::encode(rests_on),
        "development": key.verifying_key.development,
        "stages": table,
    }))
}
