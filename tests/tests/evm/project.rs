//! The Solidity project that is written for a model, compiled. Needs npm and its registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use alloy_sol_types::{SolCall, SolError};
use revm::primitives::Bytes;
use vouch_circuits::key::VerifyingKey;
use vouch_circuits::shell::Columns;
use vouch_evm::ModelVerifier::verifyCall;
use vouch_evm::VouchVerifier::WrongProof;
use vouch_evm::project::{contract_name, fits_in_one, project};
use vouch_evm::{Arguments, key_code, verifier_creation_code};

use crate::DIGITS;

/// The folder of the compiler, which is installed there, once.
pub fn compiler() -> &'static Path {
    static COMPILER: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../verifier/evm");
        let arguments = ["ci", "--no-audit", "--no-fund"];
        assert!(Command::new("npm").args(arguments).current_dir(&folder).status().unwrap().success());
        folder
    });
    &COMPILER
}

/// Writes the project of a key to a folder, each file's text changed, and compiles it.
pub fn compile(key: &VerifyingKey, folder: &Path, change: impl Fn(&str, String) -> String) {
    for file in project(key).unwrap() {
        let path = folder.join(&file.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, change(&file.path, file.text)).unwrap();
    }
    let compiled = Command::new("node").arg(compiler().join("compile.mjs")).arg("--project").arg(folder).status();
    assert!(compiled.unwrap().success());
}

pub fn creation_code(folder: &Path, contract: &str) -> Bytes {
    let artifact = fs::read(folder.join(format!("artifacts/{contract}.json"))).unwrap();
    let artifact: serde_json::Value = serde_json::from_slice(&artifact).unwrap();
    artifact["bytecode"].as_str().unwrap().parse().unwrap()
}

#[test]
#[ignore = "takes the Solidity compiler from the npm registry"]
fn a_models_contracts_do_what_the_compiled_ones_do() {
    for deployed in DIGITS.iter() {
        let key = &deployed.key.verifying_key;
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        compile(key, folder, |_, text| text);
        let name = contract_name(&key.name);
        assert_eq!(creation_code(folder, "VouchVerifier"), *verifier_creation_code());
        let mut chain = deployed.chain.clone();
        let address = chain.deploy(&creation_code(folder, &format!("{name}Key")));
        assert_eq!(chain.code(address).to_vec(), key_code(key).unwrap());
        // Verifier and key in one, but for the longer keys.
        println!("{}: a key of {} bytes", deployed.name, key.body().len());
        assert_eq!(fits_in_one(key), key.shell.columns == Columns::packed(1));
        if !fits_in_one(key) {
            continue;
        }
        let address = chain.deploy(&creation_code(folder, &format!("{name}Verifier")));
        let honest = Arguments::of(&deployed.proof).unwrap();
        let called = chain.call(address, honest.verify_alone());
        assert!(verifyCall::abi_decode_returns(&called.returned.unwrap()).unwrap(), "{}", deployed.name);
        println!("{}: {} gas in one contract", deployed.name, called.gas);
        assert!(chain.call(address, honest.require_valid_alone()).returned.is_ok());
        let mut other = honest.values.to_vec();
        *other.last_mut().unwrap() ^= 1;
        let other = Arguments { values: other.into(), ..honest };
        let called = chain.call(address, other.verify_alone());
        assert!(!verifyCall::abi_decode_returns(&called.returned.unwrap()).unwrap());
        let called = chain.call(address, other.require_valid_alone());
        assert_eq!(called.returned.unwrap_err()[..], WrongProof {}.abi_encode());
    }
}
