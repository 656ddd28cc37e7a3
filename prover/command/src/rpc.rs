//! What is asked of an Ethereum node, by JSON-RPC over HTTP.

use std::time::Duration;

use serde_json::{Value, json};
use vouch_evm::{Address, Bytes};

use crate::failure::Failure;

/// How long a node may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Calls a contract on the newest block, without a transaction: what it returns, or what it reverts with.
pub fn call(url: &str, to: Address, data: &[u8]) -> Result<Result<Bytes, Bytes>, Failure> {
    let call = json!({ "to": to.to_string(), "data": format!("0x{}", hex::encode(data)) });
    let answer = ask(url, "eth_call", &json!([call, "latest"]))?;
    let error = &answer["error"];
    if error.is_null() {
        return Ok(Ok(bytes(url, &answer["result"])?));
    }
    // A revert carries its data; any other error is of the node's.
    match error["data"].as_str().and_then(|data| data.parse().ok()) {
        Some(data) => Ok(Err(data)),
        None => Err(unusable(url, error["message"].as_str().unwrap_or("it gives no reason"))),
    }
}

fn ask(url: &str, method: &str, params: &Value) -> Result<Value, Failure> {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let answer = agent.post(url).send_json(&request).and_then(|mut response| response.body_mut().read_json());
    answer.map_err(|error| {
        Failure::unusable(format!("the node {url} does not answer"))
            .because(&error)
            .advice("check --rpc: it is the address of an Ethereum node's JSON-RPC, such as http://127.0.0.1:8545")
    })
}

fn bytes(url: &str, value: &Value) -> Result<Bytes, Failure> {
    value.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| unusable(url, "its answer is none"))
}

fn unusable(url: &str, reason: &str) -> Failure {
    Failure::unusable(format!("the node {url} refuses")).because(&std::io::Error::other(reason.to_string()))
}
