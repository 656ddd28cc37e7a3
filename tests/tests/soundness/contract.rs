//! The verifier with the Ethereum contract beside it: whatever is verified here, the contract has to say the same of.

use std::sync::LazyLock;

use alloy_sol_types::SolCall;
use revm::primitives::Address;
use vouch_circuits::key::Proof;
use vouch_evm::VouchVerifier::verifyCall;
use vouch_evm::{Arguments, key_creation_code, verifier_creation_code};
use vouch_verifier::{PreparedKey, Refused, Verified};

use crate::chain::Chain;

/// The verifier's outcome, which must be the contract's.
pub fn verify(key: &PreparedKey, proof: &Proof) -> Result<Verified, Refused> {
    let outcome = vouch_verifier::verify(key, proof);
    if let Some(accepted) = contract_accepts(key, proof)
        && comparable(&outcome)
    {
        assert_eq!(accepted, outcome.is_ok(), "the contract's outcome is not {:?}", outcome.err());
    }
    outcome
}

/// Whether the contract is told what was refused: it takes a key digest from its key, and values without their counts.
fn comparable(outcome: &Result<Verified, Refused>) -> bool {
    !matches!(outcome, Err(Refused::OtherKey | Refused::PublicCount { .. } | Refused::PublicLength { .. }))
}

/// Nothing of a proof that cannot be handed to it: in a context of zeros.
fn contract_accepts(key: &PreparedKey, proof: &Proof) -> Option<bool> {
    let arguments = Arguments::of(proof).ok()?;
    let (chain, verifier, key_address) = deployed(key);
    let called = chain.call(verifier, arguments.verify(key_address, key.model_id()));
    Some(verifyCall::abi_decode_returns(&called.returned.expect("it answers")).unwrap())
}

/// What the contract reverts with, given other bytes for the proof's values; nothing if it accepts them.
pub fn refusal_of_values(key: &PreparedKey, proof: &Proof, values: &[u8]) -> Option<Vec<u8>> {
    let arguments = Arguments { values: values.to_vec().into(), ..Arguments::of(proof).unwrap() };
    let (chain, verifier, key_address) = deployed(key);
    let answer = chain.call(verifier, arguments.verify(key_address, key.model_id())).returned.expect("it answers");
    let refusal = chain.call(verifier, arguments.require_valid(key_address, key.model_id())).returned.err();
    assert_eq!(verifyCall::abi_decode_returns(&answer).unwrap(), refusal.is_none());
    refusal.map(|data| data.to_vec())
}

/// The verifier on a chain of its own, with a key.
fn deployed(key: &PreparedKey) -> (Chain, Address, Address) {
    static VERIFIER: LazyLock<(Chain, Address)> = LazyLock::new(|| {
        let mut chain = Chain::default();
        let verifier = chain.deploy(verifier_creation_code());
        (chain, verifier)
    });
    let (mut chain, verifier) = VERIFIER.clone();
    let key_address = chain.deploy(&key_creation_code(key.key()).unwrap());
    (chain, verifier, key_address)
}
