//! vouch on Ethereum: the contract that checks proofs, keys as contracts' code, and what the contract is called with.
//!
//! One contract ([`verifier_creation_code`]) checks proofs of all models. A model's key lies in the code of a contract of its own
//! ([`key_creation_code`]), which does nothing: the verifier reads it and computes the model's id from it, so that it does not matter who put it
//! there. The proof's elements are handed in as a proof's file has them ([`Arguments`]).
//!
//! The contract's text is in `contracts/`, in Solidity; docs/PROTOCOL.md, section 11, is what it follows. Compiled it is part of this crate, so that
//! nobody needs a compiler; `npm run check` compares both.

pub mod project;

pub use alloy_primitives::{Address, B256, Bytes};
use alloy_sol_types::{SolCall, SolInterface, sol};
use thiserror::Error;
use vouch_circuits::key::{Proof, VerifyingKey};

sol!(
    /// The verifier, as the compiler made it of `contracts/VouchVerifier.sol`.
    #[derive(Debug, PartialEq, Eq)]
    VouchVerifier,
    "artifacts/VouchVerifier.json"
);

sol!(
    /// A contract that acts on a proven output: `examples/SevenBounty.sol`.
    #[derive(Debug, PartialEq, Eq)]
    SevenBounty,
    "artifacts/SevenBounty.json"
);

sol! {
    /// The functions of a contract for one model, which [`project`] writes.
    #[derive(Debug, PartialEq, Eq)]
    interface ModelVerifier {
        function verify(bytes proof, bytes32 context, bytes values) external view returns (bool);
        function requireValid(bytes proof, bytes32 context, bytes values) external view;
    }
}

/// The operation that fails (EIP-141).
const INVALID: u8 = 0xfe;

/// Most bytes of a contract's code (EIP-170).
pub const MAX_CODE: usize = 24_576;

/// Why a key cannot be put on a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the key has {bytes} bytes, a contract holds at most {}; set up with longer chunks (--chunk-bits), so that there are fewer commitments", MAX_CODE - 1)]
pub struct KeyTooLong {
    /// Its bytes.
    pub bytes: usize,
}

/// A context of zeros, which to the contract is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the proof's context is all zeros, which the contract takes for none; prove with another context, or without")]
pub struct ZeroContext;

/// The code that deploys the verifier.
pub fn verifier_creation_code() -> &'static Bytes {
    &VouchVerifier::BYTECODE
}

/// The code of a contract that holds the key: an invalid operation, so that every call of it fails, and what a key's file holds.
///
/// # Errors
/// A key that is longer than a contract's code can be.
pub fn key_code(key: &VerifyingKey) -> Result<Vec<u8>, KeyTooLong> {
    let body = key.body();
    if body.len() >= MAX_CODE {
        return Err(KeyTooLong { bytes: body.len() });
    }
    Ok([&[INVALID], &body[..]].concat())
}

/// The code that deploys the contract that holds the key.
///
/// # Errors
/// A key that is longer than a contract's code can be.
pub fn key_creation_code(key: &VerifyingKey) -> Result<Bytes, KeyTooLong> {
    let code = key_code(key)?;
    // Below MAX_CODE.
    let [high, low] = (code.len() as u16).to_be_bytes();
    // PUSH2 length, DUP1, PUSH1 12, PUSH1 0, CODECOPY, PUSH1 0, RETURN: what follows becomes the contract.
    let head = [0x61, high, low, 0x80, 0x60, 12, 0x60, 0, 0x39, 0x60, 0, 0xf3];
    Ok([&head[..], &code].concat().into())
}

/// What a contract says by what it reverts with.
pub fn revert_reason(data: &[u8]) -> String {
    use VouchVerifier::VouchVerifierErrors as Errors;
    match Errors::abi_decode(data) {
        Ok(Errors::NotAKey(_)) => "the contract that should hold the model's key does not",
        Ok(Errors::OtherModel(_)) => "the key on the chain is of another model",
        Ok(Errors::WrongPublicLength(_)) => "not as many public values as the model has",
        Ok(Errors::PublicValueOutOfRange(_)) => "a public value lies outside the range that the model declares",
        Ok(Errors::WrongProofLength(_)) => "the proof has not as many elements as the key says",
        Ok(Errors::ScalarOutOfRange(_)) => "a scalar of the proof is not below the field's order",
        Ok(Errors::PointNotOnCurve(_)) => "a point of the proof is not on the curve",
        Ok(Errors::WrongProof(_)) => "the proof does not fit the statement, the commitments and the model",
        Ok(Errors::PrecompileFailed(_)) => "the gas does not suffice",
        Err(_) => return format!("it reverts with 0x{}", hex::encode(data)),
    }
    .into()
}

/// What the contract is told of a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// The proof's elements, as its file has them.
    pub proof: Bytes,
    /// What it is bound to; zero if to nothing.
    pub context: B256,
    /// The public values, eight bytes each.
    pub values: Bytes,
}

impl Arguments {
    /// A proof's.
    ///
    /// # Errors
    /// A context of zeros.
    pub fn of(proof: &Proof) -> Result<Self, ZeroContext> {
        if proof.context == Some([0; 32]) {
            return Err(ZeroContext);
        }
        let context = proof.context.unwrap_or_default().into();
        Ok(Self { proof: proof.elements().into(), context, values: proof.public_values().into() })
    }

    /// The calldata of the verifier's `verify`, for a key at this address.
    pub fn verify(&self, key: Address, model_id: [u8; 32]) -> Vec<u8> {
        let Self { proof, context, values } = self.clone();
        VouchVerifier::verifyCall { key, modelId: model_id.into(), proof, context, values }.abi_encode()
    }

    /// The calldata of the verifier's `requireValid`, for a key at this address.
    pub fn require_valid(&self, key: Address, model_id: [u8; 32]) -> Vec<u8> {
        let Self { proof, context, values } = self.clone();
        VouchVerifier::requireValidCall { key, modelId: model_id.into(), proof, context, values }.abi_encode()
    }

    /// The calldata of `verify` of a contract for the model alone.
    pub fn verify_alone(&self) -> Vec<u8> {
        let Self { proof, context, values } = self.clone();
        ModelVerifier::verifyCall { proof, context, values }.abi_encode()
    }

    /// The calldata of `requireValid` of a contract for the model alone.
    pub fn require_valid_alone(&self) -> Vec<u8> {
        let Self { proof, context, values } = self.clone();
        ModelVerifier::requireValidCall { proof, context, values }.abi_encode()
    }
}
