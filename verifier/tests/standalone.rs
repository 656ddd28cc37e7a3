//! The `vouch-verify` command.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::{key, proof};
use serde_json::Value;
use tempfile::TempDir;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vouch-verify")).current_dir(folder).args(arguments).output().unwrap()
}

#[test]
fn one_proof_one_key_one_answer() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let (good, other) = (key(1), key(2));
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
    write("key", &good.verifying_key.to_bytes());
    write("other", &other.verifying_key.to_bytes());
    let mut proof = proof(&good);
    write("proof", &proof.to_bytes());
    proof.publics[1][0] += 1;
    write("lie", &proof.to_bytes());
    write("cut", &proof.to_bytes()[..99]);
    let id = hex::encode(good.verifying_key.model_id());

    let accepted = run(folder, &["--key", "key", "--proof", "proof", "--model-id", &id]);
    assert_eq!(accepted.status.code(), Some(0));
    let said = String::from_utf8(accepted.stdout).unwrap();
    assert!(said.contains("accepted") && said.contains(&id) && said.contains("gave the output \"y\""), "{said}");
    assert!(String::from_utf8(accepted.stderr).unwrap().contains("development reference string"));
    let object = run(folder, &["--key", "key", "--proof", "proof", "--json"]).stdout;
    let object: Value = serde_json::from_slice(&object).unwrap();
    assert_eq!((&object["ok"], &object["verified"]["model_id"]), (&true.into(), &id.clone().into()));
    assert_eq!(object["verified"]["inputs"][0]["integers"], serde_json::json!([17, -100, 127]));

    let cases = [
        (&["--key", "key", "--proof", "lie"][..], 1, "does not fit the statement"),
        (&["--key", "other", "--proof", "proof"], 1, "another verifying key"),
        (&["--key", "other", "--proof", "proof", "--model-id", &id], 1, "another model"),
        (&["--key", "key", "--proof", "proof", "--srs-id", &id], 1, "another reference string"),
        (&["--key", "key", "--proof", "proof", "--context", &id], 1, "another context: none"),
        (&["--key", "key", "--proof", "cut"], 2, "cut"),
        (&["--key", "key", "--proof", "missing"], 2, "missing"),
        (&["--key", "proof", "--proof", "proof"], 2, "is a proof, not a verifying key"),
        (&["--key", "key"], 2, "--proof"),
        (&["--key", "key", "--proof", "proof", "--model-id", "12"], 2, "32 are needed"),
    ];
    for (arguments, code, words) in cases {
        let output = run(folder, arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        assert!(errors.contains(words), "{arguments:?}: {errors}");
        assert!(output.stdout.is_empty());
    }
    let refused = run(folder, &["--key", "key", "--proof", "lie", "--json"]);
    let object: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!((refused.status.code(), &object["accepted"]), (Some(1), &false.into()));
}
