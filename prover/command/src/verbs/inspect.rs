//! `vouch inspect`: what a file is and what is in it. Of secrets (weights, salt, blinds) it shows sizes at most.

use std::path::Path;

use serde_json::{Map, Value, json};
use vouch_circuits::architecture::Architecture;
use vouch_circuits::files::{self, Kind};
use vouch_circuits::ir::{ConstraintSystem, Origin, Role, Visibility};
use vouch_circuits::key::{Proof, PublicTensor, VerifyingKey, srs_id};
use vouch_circuits::lowering::Style;
use vouch_circuits::lowering::limits::Limits;
use vouch_circuits::points::encode_scalar;
use vouch_circuits::tensor_hash::HashOpening;
use vouch_circuits::tensor_opening::{TensorOpening, commitment_id};
use vouch_models::AccuracyReport;
use vouch_program::{Op, Program};
use vouch_prover::ProvingKey;
use vouch_prover::commit::{Srs, Trust};
use vouch_verifier::printable;

use crate::args::Inspect;
use crate::artifacts::{MODEL, PROVING_KEY, REPORT, VERIFYING_KEY, decode_model, read, unusable};
use crate::description;
use crate::failure::Failure;
use crate::output::{Output, count, size};

pub fn run(args: &Inspect, out: &Output) -> Result<Value, Failure> {
    if !args.file.is_dir() {
        let facts = inspect(&args.file)?;
        facts.say(&args.file, out);
        return Ok(facts.object(&args.file));
    }
    let mut objects = Vec::new();
    for path in vouch_files(&args.file)? {
        let facts = inspect(&path)?;
        facts.say(&path, out);
        objects.push(facts.object(&path));
    }
    if objects.is_empty() {
        return Err(Failure::unusable(format!("{} holds no vouch files", args.file.display()))
            .advice("`vouch compile` writes the first one"));
    }
    Ok(json!({ "command": "inspect", "files": objects }))
}

/// The files of a folder that are vouch's, by their content, in order.
fn vouch_files(dir: &Path) -> Result<Vec<std::path::PathBuf>, Failure> {
    let fail =
        |error: std::io::Error| Failure::unusable(format!("cannot read the folder {}", dir.display())).because(&error);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let named = [MODEL, REPORT, PROVING_KEY, VERIFYING_KEY].iter().any(|name| path.ends_with(name));
        if path.is_file() && (named || std::fs::read(&path).is_ok_and(|bytes| files::kind_of(&bytes).is_ok())) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// What is known about a file.
struct Facts {
    kind: &'static str,
    /// A key for scripts, words for people, and the value.
    rows: Vec<(&'static str, &'static str, Value)>,
    /// What is told below them: a key for scripts, the value, and lines for people.
    listing: Option<(&'static str, Value, Vec<String>)>,
    bytes: usize,
}

impl Facts {
    fn new(kind: &'static str, bytes: &[u8]) -> Self {
        Self { kind, rows: Vec::new(), listing: None, bytes: bytes.len() }
    }

    fn add(&mut self, key: &'static str, words: &'static str, value: impl Into<Value>) {
        self.rows.push((key, words, value.into()));
    }

    fn say(&self, path: &Path, out: &Output) {
        out.say(format!("{}: {}, {}", out.bold(path.display()), self.kind, size(self.bytes as u64)));
        let width = self.rows.iter().map(|(_, words, _)| words.len()).max().unwrap_or(0);
        for (_, words, value) in &self.rows {
            match value {
                Value::Array(items) => {
                    for (i, item) in items.iter().enumerate() {
                        let words = if i == 0 { *words } else { "" };
                        out.say(format!("  {words:width$}  {}", in_words(item)));
                    }
                }
                value => out.say(format!("  {words:width$}  {}", in_words(value))),
            }
        }
        self.listing.iter().flat_map(|(_, _, lines)| lines).for_each(|line| out.say(line));
    }

    fn object(&self, path: &Path) -> Value {
        let rows = self.rows.iter().map(|(key, _, value)| (key.to_string(), value.clone()));
        let mut object: Map<String, Value> = rows.collect();
        object.extend(self.listing.iter().map(|(key, value, _)| (key.to_string(), value.clone())));
        object.insert("command".into(), json!("inspect"));
        object.insert("file".into(), json!(path));
        object.insert("kind".into(), json!(self.kind));
        object.insert("bytes".into(), json!(self.bytes));
        Value::Object(object)
    }
}

fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text),
        Value::Number(number) => match number.as_u64().and_then(|n| usize::try_from(n).ok()) {
            Some(n) => count(n),
            None => {
                number.as_f64().filter(|_| number.is_f64()).map_or_else(|| number.to_string(), |x| format!("{x:.6}"))
            }
        },
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.into(),
        Value::Null => "-".into(),
        Value::Array(items) => format!("[{}]", items.iter().map(in_words).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name} {}", in_words(value)));
            fields.collect::<Vec<_>>().join(", ")
        }
    }
}

fn inspect(path: &Path) -> Result<Facts, Failure> {
    let bytes = read(path, "the file")?;
    if path.ends_with(REPORT)
        && let Ok(report) = serde_json::from_slice::<AccuracyReport>(&bytes)
    {
        return Ok(report_facts(&report, &bytes));
    }
    let kind = files::kind_of(&bytes).map_err(|error| {
        let failure = Failure::unusable(format!("{} is no vouch file that this version can read", path.display()))
            .because(&error);
        match guess(&bytes) {
            Some(advice) => failure.advice(advice),
            None => failure,
        }
    })?;
    let mut facts = Facts::new(words(kind), &bytes);
    let bad = |error: &dyn std::error::Error| unusable(path, words(kind), error);
    match kind {
        Kind::FixedPointModel => program_facts(&decode_model(&bytes).map_err(|e| bad(&*e))?, &mut facts),
        Kind::ProvingKey => {
            let key = ProvingKey::from_bytes(&bytes).map_err(|e| bad(&e))?;
            key_facts(&key.verifying_key, &mut facts);
            system_facts(&key.core.lowered().system, &mut facts);
            facts.add("parameters", "parameters (not shown)", key.program().parameters());
            facts.add("batch", "inferences in a proof", key.program().batch);
            facts.add("powers", "powers of the reference string", key.core.srs.powers.len());
        }
        Kind::VerifyingKey => key_facts(&VerifyingKey::from_bytes(&bytes).map_err(|e| bad(&e))?, &mut facts),
        Kind::Proof => proof_facts(&Proof::from_bytes(&bytes).map_err(|e| bad(&e))?, &mut facts),
        Kind::Architecture => {
            let architecture = Architecture::from_bytes(&bytes).map_err(|e| bad(&e))?;
            // The file may be a stranger's.
            let lowered = architecture.lower(Limits::STRANGER).map_err(|e| bad(&e))?;
            facts.add("architecture", "digest", hex::encode(architecture.digest()));
            facts.add("inferences", "inferences in a proof", architecture.outline.program().batch);
            let Style { products, limb_bits } = architecture.style;
            facts.add("limb_bits", "bits of a lookup, at most", limb_bits);
            facts.add("products", "products as constraints", products);
            size_facts(&lowered.system, &mut facts);
            let (value, lines) = description::of(&architecture);
            facts.listing = Some(("program", value, lines));
        }
        Kind::TensorOpening => {
            let opening = TensorOpening::from_bytes(&bytes).map_err(|e| bad(&e))?;
            facts.add("key_digest", "made for the key with digest", hex::encode(opening.key_digest));
            facts.add("tensor", "number of the input or output", opening.tensor);
            facts.add("commitment", "commitment", hex::encode(commitment_id(&opening.commitments)));
            facts.add("values", "values (not shown)", opening.values.len());
        }
        Kind::HashOpening => {
            let opening = HashOpening::from_bytes(&bytes).map_err(|e| bad(&e))?;
            facts.add("shape", "shape", json!(opening.shape));
            facts.add("hash", "hash", hex::encode(encode_scalar(&opening.hash())));
            facts.add("values", "values (not shown)", opening.values.len());
        }
        Kind::ReferenceString => {
            let body = files::open(&bytes, kind).map_err(|e| bad(&e))?;
            let srs = Srs::read_from(body, Trust::Foreign).map_err(|e| bad(&e))?;
            facts.add("srs_id", "id", hex::encode(srs_id(&srs.tau_g2)));
            facts.add("powers", "powers", srs.powers.len());
            facts.add("largest_chunk_bits", "largest --chunk-bits", json!(srs.max_log_chunk()));
            facts.add("development", "for development only", srs.development);
        }
    }
    Ok(facts)
}

fn words(kind: Kind) -> &'static str {
    match kind {
        Kind::FixedPointModel => "fixed-point model",
        Kind::ProvingKey => "proving key (secret)",
        Kind::VerifyingKey => "verifying key",
        Kind::Proof => "proof",
        Kind::Architecture => "architecture (a model without its weights)",
        Kind::TensorOpening => "opening of a committed tensor (secret)",
        Kind::HashOpening => "opening of a hash (secret)",
        Kind::ReferenceString => "structured reference string",
    }
}

/// What else a file may be.
fn guess(bytes: &[u8]) -> Option<&'static str> {
    if bytes.is_empty() {
        Some("the file is empty: make it again")
    } else if bytes.starts_with(b"\x93NUMPY") || bytes.starts_with(b"PK") {
        Some("it looks like data of numpy: give it to `vouch prove --input` or `vouch compile --calibration`")
    } else if bytes[0] == 8 {
        Some("if it is an ONNX model, compile it: vouch compile MODEL.onnx --calibration DATA --out DIR")
    } else {
        None
    }
}

fn program_facts(program: &Program, facts: &mut Facts) {
    let ports = |ports: &[vouch_program::Port]| -> Vec<Value> {
        let port = |p: &vouch_program::Port| json!({ "name": p.name, "shape": p.shape, "frac": program.node(p.node).frac, "column_fracs": p.column_fracs });
        ports.iter().map(port).collect()
    };
    let saturating = |op: &Op| matches!(op, Op::Apply { saturate: true, .. });
    facts.add("name", "name", program.name.as_str());
    facts.add("inputs", "inputs (a value is q/2^frac, or of its column)", ports(&program.inputs));
    facts.add("outputs", "outputs", ports(&program.outputs));
    facts.add("parameters", "parameters (not shown)", program.parameters());
    facts.add("nodes", "nodes", program.nodes.len());
    facts.add("tables", "function tables", program.tables.len());
    let can = program.nodes.iter().filter(|node| saturating(&node.op)).count();
    facts.add("can_saturate", "tensors that can saturate", can);
    // The constraints are made at setup; a model that has none cannot be set up, which `setup` explains.
    if let Ok((lowered, _)) = vouch_prover::constraints_of(program) {
        system_facts(&lowered.system, facts);
    }
}

fn system_facts(system: &ConstraintSystem, facts: &mut Facts) {
    size_facts(system, facts);
    let tables: Vec<Value> = system.tables.iter().map(|table| json!(table.name)).collect();
    facts.add("lookup_tables", "lookup tables", tables);
}

/// How large constraints are. Names are left out: a stranger's could be anything.
fn size_facts(system: &ConstraintSystem, facts: &mut Facts) {
    let tensors = |origin| system.tensors.iter().filter(move |tensor| tensor.origin == origin);
    let cells = |origin| tensors(origin).map(|tensor| 1usize << tensor.bits()).sum::<usize>();
    let rows: usize = system.lookups.iter().filter_map(|l| l.columns.first()).map(|c| 1usize << c.bits()).sum();
    facts.add("tensors", "committed tensors", tensors(Origin::Witness).count());
    facts.add("committed_cells", "cells committed for each proof", cells(Origin::Witness));
    facts.add("model_cells", "cells committed at setup", cells(Origin::Model) + cells(Origin::Fixed));
    facts.add("contractions", "contractions", system.contractions.len());
    facts.add("lookups", "lookups", system.lookups.len());
    facts.add("lookup_rows", "rows looked up", rows);
    facts.add("equalities", "equalities", system.equals.len());
    facts.add("product_constraints", "products, row by row", system.products.len());
}

fn key_facts(key: &VerifyingKey, facts: &mut Facts) {
    facts.add("name", "model", key.name.as_str());
    facts.add("model_id", "model id", hex::encode(key.model_id()));
    facts.add("key_digest", "key digest", hex::encode(key.digest()));
    facts.add("srs_id", "reference string's id", hex::encode(srs_id(&key.tau_g2)));
    facts.add("development", "development reference string", key.development);
    facts.add("chunk_bits", "chunk bits", key.cuts.chunk_bits);
    facts.add("weight_commitments", "weight commitments", key.w_commitments.len());
    facts.add("commitments", "commitments of a proof", key.x_chunks);
    facts.add("fraction_layer", "layer of committed fractions", key.cuts.layer);
    facts.add("fraction_commitments", "commitments to fractions", key.y_chunks);
    facts.add("shell_rows_bits", "rows of the shell, bits", key.shell.k);
    facts.add("architecture", "architecture's digest", hex::encode(key.architecture));
    facts.add("inferences", "inferences in a proof", key.inferences());
    let shape = |role| -> Vec<Value> {
        let publics = key.publics.iter().filter(|public| public.role == role);
        let public = |p: &PublicTensor| json!({ "name": p.name, "shape": p.shape, "frac": p.frac, "column_fracs": p.column_fracs, "shown": shown(p.visibility) });
        publics.map(public).collect()
    };
    facts.add("inputs", "inputs (a value is q/2^frac, or of its column)", shape(Role::Input));
    facts.add("outputs", "outputs", shape(Role::Output));
}

/// What proofs show of an input or output, in a word.
pub fn shown(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Public => "public",
        Visibility::Committed => "committed",
        Visibility::Private => "private",
        Visibility::Hashed => "hashed",
    }
}

fn proof_facts(proof: &Proof, facts: &mut Facts) {
    let lengths: Vec<Value> = proof.publics.iter().map(|values| json!(values.len())).collect();
    facts.add("key_digest", "made for the key with digest", hex::encode(proof.key_digest));
    facts.add("hashes", "hashes", proof.hashes.len());
    facts.add("public_lengths", "public values", Value::Array(vec![Value::Array(lengths)]));
    facts.add("commitments", "commitments", proof.x_commitments.len());
    facts.add("fraction_commitments", "commitments to fractions", proof.y_commitments.len());
    facts.add("context", "context", json!(proof.context.map(hex::encode)));
    facts.add("exports", "scalars beside the shell", proof.exports.len());
    facts.add("shell_bytes", "bytes of the shell's proof", proof.shell.len());
}

fn report_facts(report: &AccuracyReport, bytes: &[u8]) -> Facts {
    let mut facts = Facts::new("accuracy report", bytes);
    facts.add("samples", "samples", report.samples);
    facts.add("top1_agreement", "same top-1", report.top1_agreement);
    facts.add("largest_error_share", "largest error / largest output", report.largest_error_share);
    facts.add("mean_cosine", "mean cosine", report.mean_cosine);
    facts.add("smallest_cosine", "smallest cosine", report.smallest_cosine);
    facts.add("saturated", "saturated elements", report.saturated.iter().map(|s| s.count).sum::<usize>());
    facts
}
