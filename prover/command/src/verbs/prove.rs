//! `vouch prove`: a run of the model, its proof, and the openings of what it commits to or states a hash of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vouch_circuits::key::{Proof, VerifyingKey};
use vouch_circuits::tensor_hash::HashOpening;
use vouch_circuits::tensor_opening::TensorOpening;
use vouch_prover::{ProveError, ProveOptions, Proven, ProvingKey, prove_with};
use vouch_verifier::{Opening, PreparedKey, Verified, printable, verify};

use crate::args::Prove;
use crate::artifacts::{NewFile, VERIFYING_KEY, expect_writable, read_opening, read_proving_key, write_folder};
use crate::failure::Failure;
use crate::output::{Output, size, time};
use crate::progress::Progress;
use crate::values::{pick, read_samples, to_integers};

pub fn run(args: &Prove, out: &Output) -> Result<Value, Failure> {
    expect_writable(&args.out)?;
    let mut progress = Progress::new(out);
    progress.begin("reading the key");
    let key = read_proving_key(&args.dir)?;
    let (mut earlier, mut earlier_hashes) = (Vec::new(), Vec::new());
    for path in &args.opening {
        match read_opening(path)? {
            Opening::Committed(opening) => earlier.push(opening),
            Opening::Hashed(opening) => earlier_hashes.push(opening),
        }
    }
    progress.begin("reading the input");
    let samples = read_samples(&args.input.input, key.program())?;
    let sample = pick(samples, args.input.index, &args.input.input)?;
    let inputs = to_integers(key.program(), &sample)?;
    let options = ProveOptions { context: args.context, openings: &earlier, hashes: &earlier_hashes };
    let start = Instant::now();
    let Proven { proof, openings, hashes } = make(&key, &inputs, &options, &mut progress)?;
    let proving = start.elapsed().as_secs_f64();
    let openings = numbered(openings, hashes);
    progress.begin("verifying");
    // A proof that does not verify is worth nothing: better to know now.
    let verified = check_own(&key, &proof, &openings)?;
    progress.begin("writing the proof");
    let bytes = proof.to_bytes();
    let files = opening_files(&args.out, &key.verifying_key, &openings);
    write(&args.out, &bytes, &files, &openings)?;
    let table = progress.finish();

    let publics = &key.verifying_key.publics;
    verified.shown.outputs.iter().for_each(|output| out.say(format!("output {output}")));
    out.say(&table);
    let batch = key.program().batch;
    let each = proving / batch as f64;
    if batch > 1 {
        let each = time(Duration::from_secs_f64(each));
        out.say(format!(
            "{batch} inferences, {each} of proving and {} of proof each",
            size(bytes.len() as u64 / batch as u64)
        ));
    }
    out.say(format!("wrote {} ({}), a zero-knowledge proof", args.out.display(), size(bytes.len() as u64)));
    for ((tensor, opening), file) in openings.iter().zip(&files) {
        let (name, (what, _)) = (printable(&publics[*tensor].name), opening.public_part());
        out.say(format!("wrote {}, what opens the {what} of {name:?}: as secret as its values", file.display()));
    }
    let vk = args.dir.join(VERIFYING_KEY);
    out.say(format!("next: vouch verify --key {} --proof {}", vk.display(), args.out.display()));
    let openings: Vec<Value> = (openings.iter().zip(&files))
        .map(|((tensor, _), file)| json!({ "name": publics[*tensor].name, "file": file }))
        .collect();
    Ok(json!({
        "command": "prove",
        "model": key.program().name,
        "batch": batch,
        "seconds_each": each,
        "model_id": hex::encode(key.verifying_key.model_id()),
        "context": args.context.map(hex::encode),
        "development": key.verifying_key.development,
        "outputs": verified.shown.outputs,
        "file": args.out,
        "bytes": bytes.len(),
        "openings": openings,
        "stages": table,
    }))
}

/// All openings, each with its number among the key's inputs and outputs.
pub fn numbered(committed: Vec<TensorOpening>, hashed: Vec<(usize, HashOpening)>) -> Vec<(usize, Opening)> {
    let committed = committed.into_iter().map(|opening| (opening.tensor, Opening::Committed(opening)));
    committed.chain(hashed.into_iter().map(|(tensor, opening)| (tensor, Opening::Hashed(opening)))).collect()
}

/// Writes the proof and its openings, which lie beside it: all of them, or none.
fn write(proof: &Path, bytes: &[u8], files: &[PathBuf], openings: &[(usize, Opening)]) -> Result<(), Failure> {
    let name = |path: &'_ Path| path.file_name().unwrap_or_default().to_os_string();
    let mut new: Vec<_> =
        files.iter().zip(openings).map(|(file, (_, opening))| (name(file), opening.to_bytes(), true)).collect();
    // Where the proof is, its openings are.
    new.push((name(proof), bytes.to_vec(), false));
    let new: Vec<NewFile> =
        new.iter().map(|(name, bytes, private)| NewFile { name: name.as_ref(), bytes, private: *private }).collect();
    let folder = proof.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    write_folder(folder, &new)
}

/// Where the openings go: beside the proof, by the tensor's name as far as that can be in a file's.
fn opening_files(proof: &Path, key: &VerifyingKey, openings: &[(usize, Opening)]) -> Vec<PathBuf> {
    let safe = |tensor: usize| -> String {
        let letter = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
        // Names of files have their bounds too.
        key.publics[tensor].name.chars().map(letter).take(60).collect()
    };
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    openings.iter().for_each(|(tensor, _)| *count.entry(safe(*tensor)).or_default() += 1);
    let file = |(number, _): &(usize, Opening)| {
        let mut name = proof.file_name().unwrap_or_default().to_os_string();
        let tensor = safe(*number);
        name.push(if count[&tensor] == 1 { format!(".{tensor}") } else { format!(".{tensor}-{number}") });
        name.push(".opening");
        proof.with_file_name(name)
    };
    openings.iter().map(file).collect()
}

/// Proves a run.
pub fn make(
    key: &ProvingKey,
    inputs: &[Vec<i64>],
    options: &ProveOptions,
    progress: &mut Progress,
) -> Result<Proven, Failure> {
    prove_with(key, inputs, options, &mut |stage| progress.begin(stage)).map_err(|error| {
        let failure = match error {
            ProveError::Witness(_) | ProveError::Randomness => Failure::unusable("no proof can be made for this input"),
            ProveError::Reuse(_) => Failure::unusable("an earlier commitment or hash cannot be used again"),
            ProveError::Refused(_) | ProveError::Shell(_) => Failure::fault("no proof could be made"),
        };
        let failure = failure.because(&error);
        match error {
            ProveError::Reuse(_) => {
                failure.advice("leave --opening out: the proof gets a commitment or hash of its own")
            }
            _ => failure,
        }
    })
}

/// The verifier's check of a proof that was made here, and of its openings.
pub fn check_own(key: &ProvingKey, proof: &Proof, openings: &[(usize, Opening)]) -> Result<Verified, Failure> {
    let fault =
        |error: &dyn std::error::Error| Failure::fault("the proof that was just made does not verify").because(error);
    let prepared = PreparedKey::new(key.verifying_key.clone()).map_err(|error| fault(&error))?;
    let verified = verify(&prepared, proof).map_err(|refusal| fault(&refusal))?;
    for (_, opening) in openings {
        opening.verify(&prepared, Some(proof)).map_err(|refusal| fault(&refusal))?;
    }
    Ok(verified)
}
