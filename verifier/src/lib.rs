//! Checks one vouch proof against one verifying key.
//!
//! What a proof shows: whoever made it knows weights behind the key's commitments with which the key's constraints turn the
//! proof's input into the proof's output. docs/PROTOCOL.md states every check. This crate knows neither ONNX nor proving.

#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable)
)]

mod core_proof;
pub mod pairing;
pub mod plonk;
mod tensor_opening;
mod values;
mod verify;

pub use core_proof::{PreparedCore, verify_core};
pub use tensor_opening::{Opened, Opening, OpeningRefused, verify_hash_opening, verify_opening};
pub use values::{Class, CommittedTensor, HashedTensor, Shown, TensorValues, argmax, printable};
pub use verify::{PreparedKey, Refused, Verified, verify};
