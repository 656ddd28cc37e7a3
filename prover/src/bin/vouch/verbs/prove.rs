//! `vouch prove`: a run of the model, and its proof.

use serde_json::{Value, json};
use vouch_circuits::key::Proof;
use vouch_prover::{ProveError, ProvingKey, prove};
use vouch_verifier::{PreparedKey, Verified, verify};

use crate::args::Prove;
use crate::artifacts::{VERIFYING_KEY, expect_writable, read_proving_key, write_file};
use crate::failure::Failure;
use crate::output::{Output, size};
use crate::progress::Progress;
use crate::values::{pick, read_samples, to_integers};

/// Runs it.
pub fn run(args: &Prove, out: &Output) -> Result<Value, Failure> {
    expect_writable(&args.out)?;
    let mut progress = Progress::new(out);
    progress.begin("reading the key");
    let key = read_proving_key(&args.dir)?;
    progress.begin("reading the input");
    let samples = read_samples(&args.input.input, key.program())?;
    let sample = pick(samples, args.input.index, &args.input.input)?;
    let inputs = to_integers(key.program(), &sample)?;
    let proof = make(&key, &inputs, args.context, &mut progress)?;
    progress.begin("verifying");
    // A proof that does not verify is worth nothing: better to know now.
    let verified = check_own(&key, &proof)?;
    progress.begin("writing the proof");
    let bytes = proof.to_bytes();
    write_file(&args.out, &bytes, false)?;
    let table = progress.finish();

    verified.outputs.iter().for_each(|output| out.say(format!("output {output}")));
    out.say(&table);
    out.say(format!("wrote {} ({}), a zero-knowledge proof", args.out.display(), size(bytes.len() as u64)));
    let vk = args.dir.join(VERIFYING_KEY);
    out.say(format!("next: vouch verify --key {} --proof {}", vk.display(), args.out.display()));
    Ok(json!({
        "command": "prove",
        "model": key.program().name,
        "model_id": hex::encode(key.verifying_key.model_id()),
        "context": args.context.map(hex::encode),
        "development": key.verifying_key.development,
        "outputs": verified.outputs,
        "file": args.out,
        "bytes": bytes.len(),
        "stages": table,
    }))
}

/// Proves a run.
pub fn make(
    key: &ProvingKey,
    inputs: &[Vec<i64>],
    context: Option<[u8; 32]>,
    progress: &mut Progress,
) -> Result<Proof, Failure> {
    prove(key, inputs, context, &mut |stage| progress.begin(stage)).map_err(|error| {
        let failure = match error {
            ProveError::Witness(_) | ProveError::Randomness => Failure::unusable("no proof can be made for this input"),
            ProveError::Refused(_) | ProveError::Shell(_) => Failure::fault("no proof could be made"),
        };
        failure.because(&error)
    })
}

/// The verifier's check of a proof that was made here.
pub fn check_own(key: &ProvingKey, proof: &Proof) -> Result<Verified, Failure> {
    let fault =
        |error: &dyn std::error::Error| Failure::fault("the proof that was just made does not verify").because(error);
    let prepared = PreparedKey::new(key.verifying_key.clone()).map_err(|error| fault(&error))?;
    verify(&prepared, proof).map_err(|refusal| fault(&refusal))
}
