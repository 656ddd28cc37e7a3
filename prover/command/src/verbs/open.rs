//! `vouch open`: what a committed or hashed input or output holds.

use serde_json::{Value, json};
use vouch_circuits::ir::Role;
use vouch_verifier::{Opening, PreparedKey, verify};

use crate::args::Open;
use crate::artifacts::{read_opening, read_proof, read_verifying_key, unusable};
use crate::failure::Failure;
use crate::output::Output;

pub fn run(args: &Open, out: &Output) -> Result<Value, Failure> {
    let key = read_verifying_key(&args.key)?;
    let opening = read_opening(&args.opening)?;
    let proof = args.proof.as_deref().map(read_proof).transpose()?;
    let key = PreparedKey::new(key).map_err(|error| unusable(&args.key, "verifying key", &error))?;
    let verified = match (&args.proof, &proof) {
        (Some(path), Some(proof)) => Some(verify(&key, proof).map_err(|refusal| {
            Failure::refused(format!("the proof {} is not accepted", path.display())).because(&refusal)
        })?),
        _ => None,
    };
    let opened = opening.verify(&key, proof.as_ref()).map_err(|refusal| {
        Failure::refused(format!("the opening {} is not accepted", args.opening.display())).because(&refusal)
    })?;
    if key.key().development && matches!(opening, Opening::Committed(_)) {
        out.warn("the key rests on a development reference string: whoever made it could open commitments to anything");
    }
    let (what, id) = opening.public_part();
    let id = hex::encode(id);
    let role = if opened.role == Role::Input { "input" } else { "output" };
    match &verified {
        Some(verified) => out.say(verified.sentence()),
        None => out.say(format!("no proof was given: compare the {what} with one that you know, or give --proof")),
    }
    out.say(format!("{what} {id}"));
    out.say(format!("{} the {role} {}", out.good("opens to"), opened.values));
    Ok(json!({
        "command": "open",
        "accepted": true,
        "model_id": hex::encode(key.model_id()),
        "development": key.key().development,
        "role": role,
        what: id,
        "opened": opened.values,
        "sentence": verified.as_ref().map(|verified| verified.sentence()),
        "verified": verified,
    }))
}
