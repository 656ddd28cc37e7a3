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
    static VERIFIER: LazyLock<(Chain, Address)> = LazyLock::new(|| {
        let mut chain = Chain::default();
        let verifier = chain.deploy(verifier_creation_code());
        (chain, verifier)
    });
    let arguments = Arguments::of(proof).ok()?;
    let (mut chain, verifier) = VERIFIER.clone();
    let key_address = chain.deploy(&key_creation_code(key.key()).unwrap());
    let called = chain.call(verifier, arguments.verify(key_address, key.model_id()));
    Some(verifyCall::abi_decode_returns(&called.returned.expect("it answers")).unwrap())
}
