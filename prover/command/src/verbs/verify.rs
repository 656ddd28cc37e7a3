//! `vouch verify`: the standalone verifier's check.

use std::time::Instant;

use serde_json::{Value, json};
use vouch_circuits::key::{Proof, srs_id};
use vouch_evm::{Address, Arguments};
use vouch_verifier::{PreparedKey, verify};

use crate::args::Verify;
use crate::artifacts::{read_proof, read_verifying_key, unusable};
use crate::failure::Failure;
use crate::output::{Output, time};
use crate::rpc;

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
    let contract = match (&args.rpc, args.contract) {
        (Some(url), Some(contract)) => {
            ask(url, contract, args.key_contract, &key, &proof)?;
            Some(contract)
        }
        _ => None,
    };
    out.say(&verified);
    out.say(format!("{} in {}", out.good("accepted"), time(taken)));
    if let Some(contract) = contract {
        out.say(format!("{} by the contract {contract}", out.good("accepted")));
    }
    Ok(json!({
        "command": "verify",
        "accepted": true,
        "model_id": hex::encode(model_id),
        "development": verified.development,
        "sentence": verified.sentence(),
        "verified": verified,
        "contract": contract.map(|contract| contract.to_string()),
        "seconds": taken.as_secs_f64(),
    }))
}

/// Asks a contract whether it accepts, for a key in a contract of its own or in the same.
fn ask(
    url: &str,
    contract: Address,
    key_contract: Option<Address>,
    key: &PreparedKey,
    proof: &Proof,
) -> Result<(), Failure> {
    let arguments =
        Arguments::of(proof).map_err(|error| Failure::refused("no contract takes the proof").because(&error))?;
    let (verify, require_valid) = match key_contract {
        Some(address) => {
            let model_id = key.model_id();
            (arguments.verify(address, model_id), arguments.require_valid(address, model_id))
        }
        None => (arguments.verify_alone(), arguments.require_valid_alone()),
    };
    let refused = |reason: String| {
        let failure = Failure::refused(format!("the contract {contract} does not accept the proof"));
        failure.because(&std::io::Error::other(reason))
    };
    match rpc::call(url, contract, &verify)? {
        Ok(returned) if returned[..] == ACCEPTED => Ok(()),
        Ok(returned) if returned[..] == [0; 32] => match rpc::call(url, contract, &require_valid)? {
            Err(data) => Err(refused(vouch_evm::revert_reason(&data))),
            Ok(_) => Err(refused("it does not say why".into())),
        },
        // Whatever lies at the address, if anything does: a call to no contract succeeds too.
        Ok(_) => Err(Failure::unusable(format!("what is at {contract} is no verifier"))
            .advice("check --contract, --rpc, and whether the verifier has a --key-contract")),
        Err(data) => Err(refused(vouch_evm::revert_reason(&data))),
    }
}

/// What `verify` returns of a proof that is right: a one.
const ACCEPTED: [u8; 32] = {
    let mut word = [0; 32];
    word[31] = 1;
    word
};
