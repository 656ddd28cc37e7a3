//! The second verifier of the core argument (`tests/independent`, in Python, written from docs/PROTOCOL.md alone) against this one, on honest
//! proofs and on altered ones. That needs Python 3.9 with venv, and installs two packages from PyPI under `target`; so it is not run by default.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ark_bn254::{Fr, G1Affine};
use ark_ec::AffineRepr;
use ark_ff::Field;
use serde_json::json;
use vouch_circuits::argument::key::CoreProof;
use vouch_circuits::files::VERSION;
use vouch_circuits::ir::Visibility;
use vouch_circuits::key::PROTOCOL_VERSION;
use vouch_circuits::points::{encode_g1, encode_scalar};
use vouch_models::{quantize_all, zoo};
use vouch_prover::commit::Srs;
use vouch_prover::{Needs, SetupOptions, prove_core, setup};
use vouch_verifier::{PreparedCore, verify_core};

/// The page by which others verify names the versions of what is written here.
#[test]
fn the_page_names_the_versions() {
    let page = std::fs::read_to_string(source("../../docs/PROTOCOL.md")).unwrap();
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let [_, _, high, low] = PROTOCOL_VERSION.to_be_bytes();
    for text in [
        format!("version being the 4 bytes 00 00 {high:02x} {low:02x} "),
        format!("\"vouch core argument v{PROTOCOL_VERSION}\""),
        format!("the format version (2 bytes, {VERSION});"),
    ] {
        assert!(page.contains(&text), "docs/PROTOCOL.md does not say {text:?}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn run(command: &mut Command) -> String {
    let output = command.stderr(Stdio::inherit()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// A Python with what the second verifier imports.
fn python() -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/independent");
    let python = target.join("bin/python");
    let imports = || Command::new(&python).args(["-c", "import py_ecc, Crypto"]).stderr(Stdio::null()).status();
    if !imports().is_ok_and(|status| status.success()) {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&target));
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        run(Command::new(&python).args(install).arg(source("requirements.txt")));
    }
    python
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("independent").join(name)
}

fn as_json(proof: &CoreProof) -> serde_json::Value {
    let points = |points: &[G1Affine]| points.iter().map(|point| hex(&encode_g1(point))).collect::<Vec<_>>();
    json!({
        "key_digest": hex(&proof.key_digest),
        "context": proof.context.map(|context| hex(&context)),
        "hashes": proof.hashes.iter().map(|hash| hex(&encode_scalar(hash))).collect::<Vec<_>>(),
        "publics": proof.publics,
        "x": points(&proof.x_commitments),
        "y": points(&proof.y_commitments),
        "scalars": proof.scalars.iter().map(|scalar| hex(&encode_scalar(scalar))).collect::<Vec<_>>(),
        "opening": points(&proof.opening.all()),
    })
}

type Change = Box<dyn Fn(&mut CoreProof)>;

/// Changes of everything that a proof consists of; of its scalars each `stride`th.
fn changes(honest: &CoreProof, stride: usize) -> Vec<Change> {
    let mut changes: Vec<Change> = vec![
        Box::new(|_| ()),
        Box::new(|p| p.key_digest[31] ^= 1),
        Box::new(|p| p.context = None),
        Box::new(|p| p.context = Some([6; 32])),
        Box::new(|p| p.scalars.truncate(p.scalars.len() - 1)),
        Box::new(|p| p.scalars.push(Fr::ONE)),
        Box::new(|p| p.x_commitments.push(G1Affine::zero())),
        Box::new(|p| p.x_commitments[0] = G1Affine::generator()),
        Box::new(|p| p.opening.cross = G1Affine::zero()),
        Box::new(|p| p.opening.quotient = G1Affine::generator()),
        Box::new(|p| p.opening.witness = -p.opening.witness),
        Box::new(|p| p.publics.swap(0, 1)),
        Box::new(|p| p.y_commitments.reverse()),
    ];
    for i in (0..honest.publics.len()).filter(|i| !honest.publics[*i].is_empty()) {
        changes.push(Box::new(move |p| p.publics[i][0] += 1));
        changes.push(Box::new(move |p| p.publics[i][0] = 1 << 40));
        changes.push(Box::new(move |p| p.publics[i].push(0)));
    }
    for i in 0..honest.hashes.len() {
        changes.push(Box::new(move |p| p.hashes[i] += Fr::ONE));
        changes.push(Box::new(move |p| p.hashes.truncate(i)));
    }
    changes.extend(
        (0..honest.scalars.len()).step_by(stride).map(|i| -> Change { Box::new(move |p| p.scalars[i] += Fr::ONE) }),
    );
    changes
}

/// Both verifiers on a sample model's proof and on `changes` of it.
fn compare(model: &str, python: &Path, options: &SetupOptions, stride: usize) {
    let entry = zoo::entries().iter().find(|entry| entry.name == model).unwrap();
    let program = entry.compile(&mut |_| {}).unwrap().program;
    let inputs = quantize_all(&program, &entry.samples().unwrap()[1]).unwrap();
    let needs = Needs::of(&program, options).unwrap();
    let srs = Srs::development_with_lagrange(needs.powers(), &[needs.k], &mut rand::rng());
    let key = setup(program, options, srs, [3; 32], &mut |_| {}).unwrap();
    let honest = prove_core(&key.core, &inputs, Some([5; 32]), &mut |_| {}).unwrap();
    let proofs: Vec<CoreProof> = changes(&honest, stride)
        .into_iter()
        .map(|change| {
            let mut proof = honest.clone();
            change(&mut proof);
            proof
        })
        .collect();
    let prepared = PreparedCore::new(key.core.key.clone(), key.core.key_digest).unwrap();
    let ours = proofs.iter().map(|proof| match verify_core(&prepared, proof) {
        Ok(_) => "accepted".to_owned(),
        Err(vouch_verifier::Refused::Check(check)) => format!("{check:?}"),
        Err(refused) => format!("{refused:?}").split([' ', '(']).next().unwrap().to_owned(),
    });
    let ours: Vec<String> = ours.collect();

    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let all = serde_json::to_vec(&proofs.iter().map(as_json).collect::<Vec<_>>()).unwrap();
    let files = [
        file("key", &key.verifying_key.to_bytes()),
        file("architecture", &key.architecture.to_bytes()),
        file("system", &postcard::to_stdvec(&key.core.lowered().system).unwrap()),
        file("proofs", &all),
    ];
    let theirs = run(Command::new(python).arg(source("verify.py")).args(files));
    let theirs: Vec<&str> = theirs.lines().collect();
    assert_eq!(ours, theirs, "{model}, {options:?}");
    // A change may leave a proof as it is, such as exchanging one commitment with itself.
    let accepted = ours.iter().zip(&proofs).filter(|(outcome, _)| *outcome == "accepted");
    accepted.for_each(|(_, proof)| assert_eq!(*proof, honest, "{model}"));
    let mut names = ours.clone();
    names.sort();
    names.dedup();
    println!("{model}: {} proofs, {}", proofs.len(), names.join(", "));
    for check in ["Batch", "Pairing", "Shape", "OtherKey", "PublicRange", "Commitments"] {
        assert!(names.iter().any(|name| name == check), "{model}: nothing is refused by {check}");
    }
}

#[test]
#[ignore = "needs Python and packages from PyPI"]
fn a_second_verifier_agrees() {
    let python = python();
    let cut = |layer| SetupOptions { layer: Some(layer), ..SetupOptions::default() };
    // The fractions of the leaves committed to, none, and those of a layer in the midst.
    compare("digits8x8_mlp", &python, &SetupOptions::default(), 3);
    compare("digits8x8_mlp", &python, &cut(0), 11);
    compare("digits8x8_mlp", &python, &cut(7), 7);
    // Convolutions and views, narrow lookups; an input that is committed, and an output that is.
    let all = |visibility: Visibility| [("input", visibility)].map(|(name, v)| (name.to_owned(), v)).into();
    compare("mnist_cnn_tiny", &python, &SetupOptions { inputs: all(Visibility::Private), ..cut(12) }, 17);
    compare(
        "mnist_lenet5",
        &python,
        &SetupOptions { inputs: all(Visibility::Committed), ..SetupOptions::default() },
        17,
    );
    // A hashed input.
    compare("digits8x8_mlp", &python, &SetupOptions { inputs: all(Visibility::Hashed), ..SetupOptions::default() }, 5);
}
