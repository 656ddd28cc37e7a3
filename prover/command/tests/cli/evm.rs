//! Contracts: the project that is written, what contracts are called with, and what nodes answer.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use serde_json::{Value, json as object};
use vouch_circuits::key::{Proof, VerifyingKey};
use vouch_evm::{Arguments, key_code, verifier_creation_code};

use crate::{REFUSED, UNUSABLE, fails, json, vouch, workplace};

const ADDRESS: &str = "0x5FbDB2315678afecb367f032d93F642f64180aa3";

fn key(folder: &Path) -> VerifyingKey {
    VerifyingKey::from_bytes(&fs::read(folder.join("m/verifying.key")).unwrap()).unwrap()
}

fn proof(folder: &Path) -> Proof {
    Proof::from_bytes(&fs::read(folder.join("p")).unwrap()).unwrap()
}

#[test]
fn a_project_is_written() {
    let workplace = workplace();
    let folder = workplace.path();
    let written = json(folder, &["evm", "m", "--out", "contracts"]);
    let key = key(folder);
    assert_eq!(written["model_id"], hex::encode(key.model_id()));
    for file in written["files"].as_array().unwrap() {
        let text = fs::read_to_string(folder.join(file.as_str().unwrap())).unwrap();
        // No place of a template is left.
        let is_place = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        assert!(!text.is_empty() && !text.split('@').any(is_place), "{file}");
    }
    let contracts = folder.join("contracts");
    let read = |name: &str| fs::read_to_string(contracts.join(name)).unwrap();
    assert_eq!(read("deploy/VouchVerifier.bin").trim(), verifier_creation_code().to_string());
    // The key, as code, and in the source.
    let code = hex::encode(key_code(&key).unwrap());
    assert!(read("deploy/Digits8x8MlpKey.bin").trim().ends_with(&code));
    for source in ["src/Digits8x8MlpKey.sol", "src/Digits8x8MlpVerifier.sol"] {
        let text = read(source);
        let literal: String = text.split("hex\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(literal.ends_with(&code[2..]), "{source}");
        assert!(text.contains(&hex::encode(key.model_id())), "{source}");
    }
    assert!(read("README.md").contains("for development"));
    // Over an old one.
    json(folder, &["evm", "m/verifying.key", "--out", "contracts"]);
    fails(folder, &["evm", "nowhere", "--out", "other"], UNUSABLE, &["cannot read the verifying key"]);
    fails(folder, &["evm", "m", "--out", "x.json"], UNUSABLE, &["x.json"]);
}

#[test]
fn calldata_is_the_proofs() {
    let workplace = workplace();
    let folder = workplace.path();
    let (arguments, model_id) = (Arguments::of(&proof(folder)).unwrap(), key(folder).model_id());
    let as_hex = |data: Vec<u8>| format!("0x{}", hex::encode(data));
    let alone = ["calldata", "p", "--key", "m"];
    let with_key = [&alone[..], &["--key-contract", ADDRESS]].concat();
    let address = ADDRESS.parse().unwrap();
    let printed = json(folder, &alone);
    assert_eq!(printed["calldata"], as_hex(arguments.verify_alone()));
    assert_eq!(printed["function"], "verify(bytes,bytes32,bytes)(bool)");
    let printed = json(folder, &with_key);
    assert_eq!(printed["calldata"], as_hex(arguments.verify(address, model_id)));
    assert_eq!(printed["function"], "verify(address,bytes32,bytes,bytes32,bytes)(bool)");
    let own: Vec<_> = [ADDRESS.to_string(), as_hex(model_id.to_vec())].into();
    let rest = [&arguments.proof, &arguments.context.to_vec().into(), &arguments.values].map(|bytes| bytes.to_string());
    assert_eq!(printed["args"], object!([own, rest.to_vec()].concat()));
    let printed = json(folder, &[&with_key[..], &["--require-valid"]].concat());
    assert_eq!(printed["calldata"], as_hex(arguments.require_valid(address, model_id)));
    assert_eq!(printed["function"], "requireValid(address,bytes32,bytes,bytes32,bytes)");

    let short = vouch(folder, &["calldata", "p", "--key", "m", "--key-contract", "0x12"]);
    assert_eq!(short.status.code(), Some(UNUSABLE));
    assert!(String::from_utf8_lossy(&short.stderr).contains("40 hexadecimal digits"));
    // A proof that no contract accepts: of another key, and in a context that contracts do not know.
    json(folder, &["prove", "m", "--input", "x.json", "--out", "zero", "--context", &"00".repeat(32)]);
    fails(folder, &["calldata", "zero", "--key", "m"], UNUSABLE, &["all zeros"]);
    json(folder, &["setup", "m"]);
    fails(folder, &alone, REFUSED, &["another verifying key"]);
}

/// A node that gives these answers, one after the other, and its address.
fn node(answers: Vec<Value>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            // Bodies end with a closing brace, and heads do not have one.
            while !request.ends_with(b"}") {
                let read = stream.read(&mut buffer).unwrap();
                request.extend(&buffer[..read]);
            }
            let body = answer.to_string();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length:";
            write!(stream, "{head} {}\r\n\r\n{body}", body.len()).unwrap();
        }
    });
    url
}

fn result(data: &str) -> Value {
    object!({ "jsonrpc": "2.0", "id": 1, "result": data })
}

fn revert(data: &str) -> Value {
    object!({ "jsonrpc": "2.0", "id": 1, "error": { "code": 3, "message": "execution reverted", "data": data } })
}

#[test]
fn a_contract_accepts_only_if_it_says_so() {
    let workplace = workplace();
    let folder = workplace.path();
    let verify =
        |url: &str| ["verify", "--key", "m", "--proof", "p", "--contract", ADDRESS, "--rpc", url].map(String::from);
    let (one, zero) = (format!("0x{:064x}", 1), format!("0x{:064x}", 0));
    let arguments = verify(&node(vec![result(&one)]));
    let accepted = json(folder, &arguments.each_ref().map(String::as_str));
    assert_eq!(accepted["contract"], ADDRESS);
    let refusals: [(Vec<Value>, i32, &str); 7] = [
        // Nothing there, or something else.
        (vec![result("0x")], UNUSABLE, "is no verifier"),
        (vec![result(&format!("0x{:064x}", 2))], UNUSABLE, "is no verifier"),
        (vec![result(&zero), revert("0x11223344")], REFUSED, "reverts with 0x11223344"),
        (vec![result(&zero), result("0x")], REFUSED, "does not say why"),
        (vec![revert("0x")], REFUSED, "does not accept"),
        (vec![result("zebra")], UNUSABLE, "its answer is none"),
        (vec![object!({ "error": { "code": 1, "message": "rate limited" } })], UNUSABLE, "rate limited"),
    ];
    for (answers, code, words) in refusals {
        fails(folder, &verify(&node(answers)).each_ref().map(String::as_str), code, &[words]);
    }
    let nobody = verify("http://127.0.0.1:1");
    let nobody = nobody.each_ref().map(String::as_str);
    fails(folder, &nobody, UNUSABLE, &["does not answer", "check --rpc"]);
    let without_node = vouch(folder, &nobody[..7]);
    assert_eq!(without_node.status.code(), Some(UNUSABLE));
    assert!(String::from_utf8_lossy(&without_node.stderr).contains("--rpc"));
}
