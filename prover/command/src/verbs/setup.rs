//! `vouch setup`: the keys of a compiled model.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use vouch_circuits::ir::Visibility;
use vouch_circuits::key::Labels;
use vouch_circuits::lowering::LowerError;
use vouch_circuits::shell::poseidon::CELLS;
use vouch_program::{Port, Program, batched};
use vouch_prover::{Price, ProvingKey, SetupError, SetupOptions, price, setup};
use vouch_verifier::printable;

use crate::args::{KeyOptions, Setup, Shows};
use crate::artifacts::{ARCHITECTURE, NewFile, PROVING_KEY, VERIFYING_KEY, read, read_model, write_folder};
use crate::failure::Failure;
use crate::output::{Output, count, size};
use crate::progress::Progress;
use crate::reference;

pub fn run(args: &Setup, out: &Output) -> Result<Value, Failure> {
    let mut progress = Progress::new(out);
    progress.begin("reading the model");
    let program = batch_of(read_model(&args.dir)?, &args.options)?;
    let options = options_of(&args.options, &program)?;
    let salt = if args.published_weights { Some(PUBLISHED_SALT) } else { args.salt };
    let key = make(program, &options, Reference::OwnersChoice(args.options.srs.as_deref()), salt, out, &mut progress)?;
    progress.begin("writing the keys");
    let sizes = write(&args.dir, &key)?;
    let table = progress.finish();

    let model_id = hex::encode(key.verifying_key.model_id());
    out.say(format!("model id       {model_id}"));
    out.say(format!("proving key    {} ({}; secret)", args.dir.join(PROVING_KEY).display(), size(sizes.proving)));
    out.say(format!("verifying key  {} ({}; public)", args.dir.join(VERIFYING_KEY).display(), size(sizes.verifying)));
    let path = args.dir.join(ARCHITECTURE);
    out.say(format!(
        "architecture   {} ({}; public: with it anyone can recompute the verifying key)",
        path.display(),
        size(sizes.architecture)
    ));
    for (visibility, word) in
        [(Visibility::Committed, "committed"), (Visibility::Hashed, "hashed"), (Visibility::Private, "private")]
    {
        let names: Vec<String> = named(&key, visibility).iter().map(|name| printable(name)).collect();
        if !names.is_empty() {
            out.say(format!("{word:<14} {}", names.join(", ")));
        }
    }
    out.say(format!("commitments    {}", commitments(&key)));
    let limb_bits = key.core.lowered().style.limb_bits;
    out.say(format!(
        "lookups        of {limb_bits} bits at most, the fractions of layer {} committed to",
        key.verifying_key.cuts.layer
    ));
    let price = price(&key.core.lowered().system, key.verifying_key.cuts, key.verifying_key.shell.columns);
    out.say(format!("proofs         {}", priced(&price)));
    out.say(format!("shell          {}", shell(&key)));
    out.say(&table);
    out.say(format!("next: vouch prove {} --input X.npy --out PROOF", args.dir.display()));
    Ok(json!({
        "command": "setup",
        "model": key.program().name,
        "batch": key.program().batch,
        "model_id": model_id,
        "key_digest": hex::encode(key.core.key_digest),
        "chunk_bits": key.verifying_key.cuts.chunk_bits,
        "limb_bits": limb_bits,
        "layer": key.verifying_key.cuts.layer,
        "estimate": {
            "bytes_beside_public_values": price.bytes,
            "commitments": price.commitments,
            "seconds": price.seconds,
        },
        "private": named(&key, Visibility::Private),
        "committed": named(&key, Visibility::Committed),
        "hashed": named(&key, Visibility::Hashed),
        "published_weights": args.published_weights,
        "shell_rows_bits": key.shell.shape.k,
        "shell_lanes": key.shell.shape.lanes,
        "shell_columns_to_a_commitment": key.verifying_key.shell.columns.packing,
        "permutations": key.shell.shape.permutations,
        "weight_commitments": key.verifying_key.w_commitments.len(),
        "development": key.verifying_key.development,
        "proving_key": { "file": args.dir.join(PROVING_KEY), "bytes": sizes.proving },
        "verifying_key": { "file": args.dir.join(VERIFYING_KEY), "bytes": sizes.verifying },
        "architecture": { "file": path, "bytes": sizes.architecture },
        "stages": table,
    }))
}

/// The salt of models whose weights are published.
pub const PUBLISHED_SALT: [u8; 32] = [0; 32];

/// So many inferences of the model as the command line says.
pub fn batch_of(program: Program, said: &KeyOptions) -> Result<Program, Failure> {
    batched(&program, said.batch as usize).map_err(|error| {
        let failure = Failure::unusable(format!("no proof can be of {} inferences of this model", said.batch));
        failure.because(&error).advice("make a smaller batch, or keys without --batch")
    })
}

/// What the command line says, of this program.
pub fn options_of(said: &KeyOptions, program: &Program) -> Result<SetupOptions, Failure> {
    Ok(SetupOptions {
        chunk_bits: said.chunk_bits.map(usize::from),
        prefer: said.prefer,
        inputs: visibilities(&said.input, &program.inputs),
        outputs: visibilities(&said.output, &program.outputs),
        classes: classes(said, program)?,
        ..SetupOptions::default()
    })
}

/// The outputs that tell classes, with these classes' names.
fn classes(said: &KeyOptions, program: &Program) -> Result<BTreeMap<String, Option<Labels>>, Failure> {
    let only = || match &program.outputs[..] {
        [output] => Ok(output.name.clone()),
        outputs => {
            let names: Vec<_> = outputs.iter().map(|port| format!("{:?}", printable(&port.name))).collect();
            Err(Failure::unusable("the model has several outputs").advice(format!(
                "say which tells the class: --classes OUTPUT, --labels OUTPUT=FILE; they are {}",
                names.join(", ")
            )))
        }
    };
    let mut classes = BTreeMap::new();
    for name in &said.classes {
        classes.insert(if name.is_empty() { only()? } else { name.clone() }, None);
    }
    for text in &said.labels {
        // Names may have an equals sign in them, and so may paths.
        let of_output = program.outputs.iter().find_map(|port| {
            let path = text.strip_prefix(&port.name)?.strip_prefix('=')?;
            Some((port.name.clone(), path))
        });
        let (name, path) = match of_output {
            Some(of_output) => of_output,
            None => (only()?, text.as_str()),
        };
        classes.insert(name, Some(read_labels(Path::new(path))?));
    }
    Ok(classes)
}

/// The lines of a file of names.
fn read_labels(path: &Path) -> Result<Labels, Failure> {
    let text = String::from_utf8(read(path, "the names of classes")?).map_err(|error| {
        Failure::unusable(format!("{} is no text in UTF-8", path.display()))
            .because(&error)
            .advice("give a text file with the name of a class on each line")
    })?;
    Ok(Labels(text.lines().map(|line| line.trim().to_string()).collect()))
}

/// What is said of each port by its name; what is said last counts.
fn visibilities(said: &[Shows], ports: &[Port]) -> BTreeMap<String, Visibility> {
    let all = |shows: &Shows| ports.iter().map(|port| (port.name.clone(), shows.visibility)).collect::<Vec<_>>();
    let named = |shows: &Shows| match &shows.name {
        Some(name) => vec![(name.clone(), shows.visibility)],
        None => all(shows),
    };
    said.iter().flat_map(named).collect()
}

/// Names of the inputs and outputs that proofs show so much of.
fn named(key: &ProvingKey, visibility: Visibility) -> Vec<String> {
    let publics = key.verifying_key.publics.iter().filter(|public| public.visibility == visibility);
    publics.map(|public| public.name.clone()).collect()
}

/// How the weights are committed, in words.
pub fn commitments(key: &ProvingKey) -> String {
    let (count, bits) = (key.verifying_key.w_commitments.len(), key.verifying_key.cuts.chunk_bits);
    format!("{count} for the weights, of 2^{bits} entries each")
}

/// What a proof is estimated to cost, in words.
fn priced(price: &Price) -> String {
    let Price { bytes, commitments, seconds, .. } = price;
    let bytes = size(*bytes as u64);
    format!(
        "about {bytes} beside public values, {commitments} commitments to check; {seconds:.1} s on two cores for shell, lookups and opening"
    )
}

/// The circuit around the core argument, in words.
pub fn shell(key: &ProvingKey) -> String {
    let shape = &key.shell.shape;
    let (rows, permutations) = (count(shape.rows), count(shape.permutations));
    let (columns, packing) = (CELLS * shape.lanes, key.verifying_key.shell.columns.packing);
    let shared = if packing > 1 { format!(" ({packing} to a commitment)") } else { String::new() };
    format!("2^{} rows of {columns} columns{shared}, {rows} of them used, for {permutations} hashes", shape.k)
}

/// Where the reference string of keys comes from.
pub enum Reference<'a> {
    /// Of a setup: from a file or by its id; else a development string, which is made if there is none.
    OwnersChoice(Option<&'a Path>),
    /// Of keys that are made to be compared: from a file or by its id; else the one with this id, or the development string, if this machine has it.
    Known {
        /// The id that it must have.
        id: Option<[u8; 32]>,
        /// The file, or an id.
        file: Option<&'a Path>,
    },
}

/// Makes the keys.
pub fn make(
    program: Program,
    options: &SetupOptions,
    srs: Reference,
    salt: Option<[u8; 32]>,
    out: &Output,
    progress: &mut Progress,
) -> Result<ProvingKey, Failure> {
    let names =
        |ports: &[Port]| ports.iter().map(|port| format!("{:?}", printable(&port.name))).collect::<Vec<_>>().join(", ");
    let (inputs, outputs) = (names(&program.inputs), names(&program.outputs));
    let fail = |error: SetupError| {
        let failure = Failure::unusable("no keys can be made for this model").because(&error);
        match error {
            SetupError::NoSuchInput(_) => failure.advice(format!("its inputs are {inputs}")),
            SetupError::NoSuchOutput(_) => failure.advice(format!("its outputs are {outputs}")),
            SetupError::PrivateOutput(_) => failure.advice("make it committed"),
            SetupError::Labels { .. } => failure.advice("give a text file with the name of a class on each line"),
            SetupError::Lower(LowerError::PublishesWeights(_)) => {
                failure.advice("remove that output from the model before compiling")
            }
            _ => failure,
        }
    };
    let (options, needs) = options.settle(&program).map_err(fail)?;
    let srs = match srs {
        Reference::OwnersChoice(Some(path)) => reference::foreign(path, needs, progress)?,
        Reference::OwnersChoice(None) => reference::development(needs, out, progress),
        Reference::Known { id: Some(id), file } => reference::of_key(&id, file, needs.powers(), progress)?,
        Reference::Known { id: None, file } => reference::known(file, needs.powers(), out, progress)?,
    };
    let salt = salt.unwrap_or_else(rand::random);
    setup(program, &options, srs, salt, &mut |stage| progress.begin(stage)).map_err(fail)
}

/// Sizes of the key files, in bytes.
pub struct KeySizes {
    /// The secret one.
    pub proving: u64,
    /// The public one.
    pub verifying: u64,
    /// The architecture's, public too.
    pub architecture: u64,
}

/// Writes both keys.
pub fn write(dir: &Path, key: &ProvingKey) -> Result<KeySizes, Failure> {
    let (proving, verifying) = (key.to_bytes(), key.verifying_key.to_bytes());
    let architecture = key.architecture.to_bytes();
    let new = [
        NewFile { name: PROVING_KEY.as_ref(), bytes: &proving, private: true },
        NewFile { name: VERIFYING_KEY.as_ref(), bytes: &verifying, private: false },
        NewFile { name: ARCHITECTURE.as_ref(), bytes: &architecture, private: false },
    ];
    write_folder(dir, &new)?;
    let [proving, verifying, architecture] = [proving, verifying, architecture].map(|bytes| bytes.len() as u64);
    Ok(KeySizes { proving, verifying, architecture })
}
