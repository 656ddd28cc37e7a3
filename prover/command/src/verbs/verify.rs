//! `vouch verify`: the standalone verifier's check.

use std::time::Instant;

use serde_json::{Value, json};
use vouch_circuits::key::srs_id;
use vouch_verifier::{PreparedKey, verify};

use crate::args::Verify;
use crate::artifacts::{read_proof, read_verifying_key, unusable};
use crate::failure::Failure;
use crate::output::{Output, time};

pub fn run(args: &Verify, out: &Output) -> Result<Value, Failure> {
    let key = read_verifying_key(&args.key)?;
    let proof = read_proof(&args.proof)?;
    let key = PreparedKey::new(key).map_err(|error| unusable(&args.key, "verifying key", &error))?;
    let model_id = key.model_id();
    if let Some(expected) = args.model_id
        && expected != model_id
    {
        return Err(Failure::refused("the verifying key is of another model")
            .because(&std::io::Error::other(format!("its model id is {}", hex::encode(model_id))))
            .advice("get the verifying key from the model's owner, or check --model-id"));
    }
    let rests_on = srs_id(&key.key().tau_g2);
    if args.srs_id.is_some_and(|expected| expected != rests_on) {
        return Err(Failure::refused("the verifying key rests on another reference string")
            .because(&std::io::Error::other(format!("its id is {}", hex::encode(rests_on))))
            .advice("whoever knows a reference string's secret can forge proofs: ask for a key that rests on yours"));
    }
    let start = Instant::now();
    let verified = verify(&key, &proof).map_err(|refusal| {
        Failure::refused(format!("the proof {} is not accepted", args.proof.display())).because(&refusal)
    })?;
    let taken = start.elapsed();
    if args.context.is_some() && args.context != verified.context {
        let bound = verified.context.map_or("to none".into(), |context| format!("to {}", hex::encode(context)));
        return Err(Failure::refused("the proof is bound to another context")
            .because(&std::io::Error::other(format!("it is bound {bound}")))
            .advice("a proof for another use says nothing about this one: ask for one with this --context"));
    }
    if verified.development {
        out.warn("the key rests on a development reference string: whoever made it could forge this proof");
    }
    out.say(&verified);
    out.say(format!("{} in {}", out.good("accepted"), time(taken)));
    Ok(json!({
        "command": "verify",
        "accepted": true,
        "model_id": hex::encode(model_id),
        "development": verified.development,
        "sentence": verified.sentence(),
        "verified": verified,
        "seconds": taken.as_secs_f64(),
    }))
}
