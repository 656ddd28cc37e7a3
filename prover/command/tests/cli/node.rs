//! A real Ethereum node: from a model to a transaction that a contract acts on. Needs npm and its registry.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use alloy::network::TransactionBuilder;
use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::providers::{Provider, ProviderBuilder};
use alloy::rpc::types::TransactionRequest;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol;
use tempfile::TempDir;
use vouch_circuits::key::Proof;
use vouch_circuits::tensor_opening::commitment_id;
use vouch_verifier::argmax;

use crate::{REFUSED, fails, json};

sol!(
    #[sol(rpc)]
    VouchVerifier,
    "../../verifier/evm/artifacts/VouchVerifier.json"
);

sol!(
    #[sol(rpc)]
    SevenBounty,
    "../../verifier/evm/artifacts/SevenBounty.json"
);

/// The first of the accounts that the node gives money to, the same on all machines.
const ACCOUNT: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/// The node, ended with the test.
struct Node {
    process: Child,
    url: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn contracts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../verifier/evm")
}

fn node() -> Node {
    let folder = contracts();
    let npm = Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder).status();
    assert!(npm.expect("npm is installed").success());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // The program itself: npm's starter would leave it running when it is ended.
    let packages = fs::read_dir(folder.join("node_modules/@foundry-rs")).unwrap();
    let mut programs = packages.map(|package| package.unwrap().path().join("bin/anvil"));
    let program = programs.find(|path| path.exists()).expect("there is a node for this machine");
    let mut command = Command::new(program);
    let process = command.args(["--port", &port.to_string(), "--silent"]).stdin(Stdio::null()).spawn().unwrap();
    Node { process, url: format!("http://127.0.0.1:{port}") }
}

/// Compiles a bundled model to `out`, its images beside it.
fn compile(folder: &Path, model: &str, out: &str) {
    let images = format!("{out}.images");
    json(folder, &["demo", "--model", model, "--keep", &images]);
    let (onnx, samples) = (format!("{images}/{model}.onnx"), format!("{images}/images.npy"));
    json(folder, &["compile", &onnx, "--calibration", &samples, "--out", out]);
}

async fn deploy(provider: &impl Provider, code: Bytes) -> Address {
    let transaction = TransactionRequest::default().with_deploy_code(code);
    let receipt = provider.send_transaction(transaction).await.unwrap().get_receipt().await.unwrap();
    assert!(receipt.status());
    receipt.contract_address.unwrap()
}

/// What `vouch calldata --json` prints of a proof, as the contract takes it.
fn arguments(folder: &Path, proof: &str, key: &str, address: Address) -> (B256, Bytes, B256, Bytes) {
    let printed = json(folder, &["calldata", proof, "--key", key, "--key-contract", &address.to_string()]);
    let argument = |i: usize| printed["args"][i].as_str().unwrap().to_string();
    let fixed = |i: usize| argument(i).parse().unwrap();
    (fixed(1), argument(2).parse().unwrap(), fixed(3), argument(4).parse().unwrap())
}

fn code(folder: &Path, file: &str) -> Bytes {
    fs::read_to_string(folder.join(file)).unwrap().trim().parse().unwrap()
}

#[tokio::test]
#[ignore = "takes an Ethereum node from the npm registry"]
async fn a_contract_acts_on_a_proven_output() {
    let node = node();
    let signer: PrivateKeySigner = ACCOUNT.parse().unwrap();
    let account = signer.address();
    let provider = ProviderBuilder::new().wallet(signer).connect_http(node.url.parse().unwrap());
    for _ in 0..100 {
        if provider.get_chain_id().await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    // A model with a committed input, on the chain.
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    compile(folder, "digits8x8_mlp", "m");
    json(folder, &["setup", "m", "--input", "committed"]);
    json(folder, &["evm", "m", "--out", "contracts"]);
    let verifier_address = deploy(&provider, code(folder, "contracts/deploy/VouchVerifier.bin")).await;
    let key_address = deploy(&provider, code(folder, "contracts/deploy/Digits8x8MlpKey.bin")).await;
    let (verifier, key) = (verifier_address.to_string(), key_address.to_string());

    // A bounty on it.
    let bounty = SevenBounty::deploy(&provider, verifier_address).await.unwrap();
    let amount = U256::from(1_000_000);
    bounty.offer().value(amount).send().await.unwrap().get_receipt().await.unwrap();
    let context = bounty.contextOf(U256::ZERO, account).call().await.unwrap();

    // The proof of an image that the model takes for a seven.
    let context = hex::encode(context);
    let seven = (0..64).map(|index| index.to_string()).find(|index| {
        let prove =
            ["prove", "m", "--input", "m.images/images.npy", "--index", index, "--out", "seven", "--context", &context];
        json(folder, &prove);
        argmax(&Proof::from_bytes(&fs::read(folder.join("seven")).unwrap()).unwrap().publics[1]) == 7
    });
    assert!(seven.is_some(), "there is a seven among the samples");
    let (model_id, proof, _, scores) = arguments(folder, "seven", "m", key_address);
    bounty.trust(model_id, true).send().await.unwrap().get_receipt().await.unwrap();
    let of_verifier = ["verify", "--key", "m", "--proof", "seven", "--rpc", &node.url, "--contract", &verifier];
    let ask = [&of_verifier[..], &["--key-contract", &key]].concat();
    assert_eq!(json(folder, &ask)["contract"], verifier);

    // A transaction: paid once.
    let contract = *bounty.address();
    assert_eq!(provider.get_balance(contract).await.unwrap(), amount);
    let claim = bounty.claim(U256::ZERO, key_address, model_id, proof.clone(), scores.clone());
    let receipt = claim.send().await.unwrap().get_receipt().await.unwrap();
    println!("{} gas to claim", receipt.gas_used);
    assert!(receipt.status());
    assert_eq!(provider.get_balance(contract).await.unwrap(), U256::ZERO);
    assert!(claim.call().await.is_err());
    // What the proof says of the image is its commitment, and whoever has the opening can show that to others.
    let opening = ["open", "--key", "m", "--proof", "seven", "--opening", "seven.input.opening"];
    let opened = json(folder, &opening);
    let whole = Proof::from_bytes(&fs::read(folder.join("seven")).unwrap()).unwrap();
    assert_eq!(opened["commitment"], hex::encode(commitment_id(&whole.x_commitments[..1])));

    // 784 public inputs.
    compile(folder, "mnist_mlp", "large");
    json(folder, &["setup", "large"]);
    json(folder, &["prove", "large", "--input", "large.images/images.npy", "--index", "0", "--out", "digit"]);
    json(folder, &["evm", "large", "--out", "contracts"]);
    let large = deploy(&provider, code(folder, "contracts/deploy/MnistMlpKey.bin")).await;
    let (model_id, proof, context, values) = arguments(folder, "digit", "large", large);
    let contract = VouchVerifier::new(verifier_address, &provider);
    assert!(contract.verify(large, model_id, proof.clone(), context, values.clone()).call().await.unwrap());
    let sent = contract.requireValid(large, model_id, proof.clone(), context, values.clone()).send().await.unwrap();
    let receipt = sent.get_receipt().await.unwrap();
    println!("{} gas for {} public values", receipt.gas_used, values.len() / 8);
    assert!(receipt.status());
    let mut other = values.to_vec();
    other[7] ^= 1;
    assert!(!contract.verify(large, model_id, proof, context, other.into()).call().await.unwrap());
    // The other model's key.
    let digit = ["verify", "--key", "large", "--proof", "digit", "--rpc", &node.url, "--contract", &verifier];
    fails(folder, &[&digit[..], &["--key-contract", &key]].concat(), REFUSED, &["of another model"]);
    assert_eq!(json(folder, &[&digit[..], &["--key-contract", &large.to_string()]].concat())["accepted"], true);
}
