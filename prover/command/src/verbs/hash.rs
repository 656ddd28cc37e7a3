//! `vouch hash`: the hash of an input, before there is a proof of anything about it.

use serde_json::{Value, json};
use vouch_circuits::points::encode_scalar;
use vouch_circuits::tensor_hash::HashOpening;
use vouch_program::{Port, Program};
use vouch_prover::fresh_salt;
use vouch_verifier::printable;

use crate::args::Hash;
use crate::artifacts::{expect_writable, read_model, write_file};
use crate::failure::Failure;
use crate::output::Output;
use crate::values::{pick, read_samples, to_integers};

pub fn run(args: &Hash, out: &Output) -> Result<Value, Failure> {
    expect_writable(&args.out)?;
    let program = read_model(&args.dir)?;
    let number = which(&program, args.name.as_deref())?;
    let sample = pick(read_samples(&args.input.input, &program)?, args.input.index, &args.input.input)?;
    let values = to_integers(&program, &sample)?.swap_remove(number);
    let port = &program.inputs[number];
    let salt = fresh_salt().map_err(|error| Failure::fault("no hash could be made").because(&error))?;
    let opening = HashOpening { shape: program.node(port.node).shape.clone(), values, salt };
    let hash = hex::encode(encode_scalar(&opening.hash()));
    write_file(&args.out, &opening.to_bytes(), true)?;
    out.say(format!("hash {hash}"));
    out.say(format!("wrote {}, what opens it: as secret as the input", args.out.display()));
    out.say(format!(
        "next: vouch prove {} --input {} --opening {} --out PROOF",
        args.dir.display(),
        args.input.input.display(),
        args.out.display()
    ));
    Ok(json!({ "command": "hash", "input": port.name, "hash": hash, "file": args.out }))
}

/// The number of the input that is meant.
fn which(program: &Program, name: Option<&str>) -> Result<usize, Failure> {
    let names = || {
        let names: Vec<String> = program.inputs.iter().map(|port: &Port| printable(&port.name)).collect();
        format!("its inputs are {}", names.join(", "))
    };
    match name {
        None if program.inputs.len() == 1 => Ok(0),
        None => {
            Err(Failure::unusable("the model has several inputs").advice(format!("say which with --name: {}", names())))
        }
        Some(name) => {
            let number = program.inputs.iter().position(|port| port.name == name);
            number.ok_or_else(|| {
                Failure::unusable(format!("the model has no input {:?}", printable(name))).advice(names())
            })
        }
    }
}
