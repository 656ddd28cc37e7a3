//! `vouch calldata`: what a contract is called with.

use serde_json::{Value, json};
use vouch_evm::Arguments;
use vouch_verifier::{PreparedKey, verify};

use crate::args::Calldata;
use crate::artifacts::{read_proof, read_verifying_key, unusable};
use crate::failure::Failure;
use crate::output::Output;

pub fn run(args: &Calldata, out: &Output) -> Result<Value, Failure> {
    let key = read_verifying_key(&args.key)?;
    let proof = read_proof(&args.proof)?;
    let key = PreparedKey::new(key).map_err(|error| unusable(&args.key, "verifying key", &error))?;
    verify(&key, &proof).map_err(|refusal| {
        Failure::refused(format!("the proof {} is not accepted", args.proof.display())).because(&refusal)
    })?;
    let arguments = Arguments::of(&proof).map_err(|error| {
        Failure::unusable(format!("no contract takes the proof {}", args.proof.display())).because(&error)
    })?;
    let model_id = key.model_id();
    let calldata = match (args.key_contract, args.require_valid) {
        (Some(address), false) => arguments.verify(address, model_id),
        (Some(address), true) => arguments.require_valid(address, model_id),
        (None, false) => arguments.verify_alone(),
        (None, true) => arguments.require_valid_alone(),
    };
    let name = if args.require_valid { "requireValid" } else { "verify" };
    let returns = if args.require_valid { "" } else { "(bool)" };
    let (mut types, mut values) = (String::new(), Vec::new());
    if let Some(address) = args.key_contract {
        types.push_str("address,bytes32,");
        values.extend([address.to_string(), format!("0x{}", hex::encode(model_id))]);
    }
    let Arguments { proof, context, values: stated } = &arguments;
    values.extend([proof.to_string(), context.to_string(), stated.to_string()]);
    let calldata = format!("0x{}", hex::encode(calldata));
    out.say(&calldata);
    Ok(json!({
        "command": "calldata",
        "model_id": hex::encode(model_id),
        "function": format!("{name}({types}bytes,bytes32,bytes){returns}"),
        "args": values,
        "calldata": calldata,
    }))
}
