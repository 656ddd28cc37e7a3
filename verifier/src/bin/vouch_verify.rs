//! The `vouch-verify` command: one proof, one verifying key, one answer.

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use serde_json::{Value, json};
use vouch_circuits::key::{Proof, VerifyingKey, srs_id};
use vouch_verifier::{Opening, PreparedKey, verify};

/// Checks that a proof made by vouch is right: that the model behind a verifying key gave the stated output on the stated input.
#[derive(Parser)]
#[command(name = "vouch-verify", version, arg_required_else_help = true, max_term_width = 110)]
#[command(after_help = "Example:
  vouch-verify --key verifying.key --proof x.proof --model-id 5c0f…

A verifying key is its maker's word for which model it is of. Compare its model id with one that you trust, or give that one as
--model-id. A proof may be bound to a context, a request's id for example: give it as --context.

Exit codes: 0 the proof is right; 1 it is refused; 2 a file or the command line is unusable.")]
struct Args {
    /// The verifying key
    #[arg(long, short, value_name = "VK")]
    key: PathBuf,
    /// The proof
    #[arg(long, short, value_name = "PROOF")]
    proof: PathBuf,
    /// Refuse unless the key is of the model with this id
    #[arg(long, value_name = "HEX", value_parser = bytes32)]
    model_id: Option<[u8; 32]>,
    /// Refuse unless the proof is bound to this context
    #[arg(long, value_name = "HEX", value_parser = bytes32)]
    context: Option<[u8; 32]>,
    /// Refuse unless the key rests on the reference string with this id, that of a ceremony that you trust
    #[arg(long, value_name = "HEX", value_parser = bytes32)]
    srs_id: Option<[u8; 32]>,
    /// The opening of a committed or hashed input or output, to be checked and shown; may be given several times
    #[arg(long, value_name = "OPENING")]
    opening: Vec<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn bytes32(text: &str) -> Result<[u8; 32], String> {
    let bytes = hex::decode(text.strip_prefix("0x").unwrap_or(text)).map_err(|_| "not a hexadecimal number")?;
    let length = bytes.len();
    bytes.try_into().map_err(|_| format!("{length} bytes where 32 are needed (64 hexadecimal digits)"))
}

enum Failure {
    Refused(String),
    Unusable(String),
}

fn main() -> ExitCode {
    let args = Args::parse();
    let (object, text, code) = match run(&args) {
        Ok((object, text)) => (object, text, 0),
        Err(failure) => {
            let (word, message, code) = match failure {
                Failure::Refused(message) => ("refused", message, 1),
                Failure::Unusable(message) => ("unusable input", message, 2),
            };
            let _ = writeln!(std::io::stderr(), "{word}: {message}");
            (json!({ "ok": false, "accepted": false, "outcome": word, "error": message }), String::new(), code)
        }
    };
    // Nobody is left to tell of a closed pipe.
    let _ = match (args.json, text.is_empty()) {
        (true, _) => writeln!(std::io::stdout(), "{object:#}"),
        (false, false) => writeln!(std::io::stdout(), "{text}"),
        (false, true) => Ok(()),
    };
    ExitCode::from(code)
}

fn run(args: &Args) -> Result<(Value, String), Failure> {
    let key = read(&args.key, "verifying key", VerifyingKey::from_bytes)?;
    let proof = read(&args.proof, "proof", Proof::from_bytes)?;
    let key = PreparedKey::new(key).map_err(|error| unusable(&args.key, "verifying key", &error))?;
    let id = hex::encode(key.model_id());
    if args.model_id.is_some_and(|expected| expected != key.model_id()) {
        return Err(Failure::Refused(format!("the verifying key is of another model: its model id is {id}")));
    }
    let rests_on = srs_id(&key.key().tau_g2);
    if args.srs_id.is_some_and(|expected| expected != rests_on) {
        let id = hex::encode(rests_on);
        return Err(Failure::Refused(format!("the verifying key rests on another reference string: its id is {id}")));
    }
    let start = Instant::now();
    let verified = verify(&key, &proof).map_err(|refusal| Failure::Refused(refusal.to_string()))?;
    let seconds = start.elapsed().as_secs_f64();
    if args.context.is_some() && args.context != verified.context {
        let bound = verified.context.map_or("none".into(), hex::encode);
        return Err(Failure::Refused(format!("the proof is bound to another context: {bound}")));
    }
    if verified.development {
        let warning = "the key rests on a development reference string: whoever made it could forge this proof";
        let _ = writeln!(std::io::stderr(), "warning: {warning}");
    }
    let mut text = verified.to_string();
    let mut opened = Vec::new();
    for path in &args.opening {
        let opening = read(path, "opening", Opening::from_bytes)?;
        let tensor = opening
            .verify(&key, Some(&proof))
            .map_err(|refusal| Failure::Refused(format!("{}: {refusal}", path.display())))?;
        text += &format!("\nopened: {}", tensor.values);
        opened.push(tensor.values);
    }
    text += &format!("\naccepted in {:.1} ms", seconds * 1e3);
    let object = json!({
        "ok": true,
        "accepted": true,
        "model_id": id,
        "development": verified.development,
        "sentence": verified.sentence(),
        "verified": verified,
        "opened": opened,
        "seconds": seconds,
    });
    Ok((object, text))
}

fn read<T, E: Error>(path: &Path, what: &str, decode: impl Fn(&[u8]) -> Result<T, E>) -> Result<T, Failure> {
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::Unusable(format!("cannot read the {what} {}: {error}", path.display())))?;
    decode(&bytes).map_err(|error| unusable(path, what, &error))
}

fn unusable(path: &Path, what: &str, error: &dyn Error) -> Failure {
    Failure::Unusable(format!("{} is no usable {what}: {error}", path.display()))
}
