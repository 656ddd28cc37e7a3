//! The constraints that a fixed-point program lowers to, and the verifier's half of the core argument.
//!
//! ```text
//! program ──lowering──► ir (constraints) ──layout──► where all lies in the committed vectors
//!                        │
//!                        ▼
//!                     argument: the verifier, written once over backend's traits
//!                        │                         │
//!              transcript::Reader          shell (the same run, recorded
//!              (numbers, native)            as rows of a Halo2 circuit)
//! ```
//!
//! | what | modules |
//! |---|---|
//! | constraints | [`ir`], their rules [`validate`], how programs become them [`lowering`], where they lie [`layout`], what setup publishes of them [`architecture`] |
//! | the verifier's algorithm | [`argument`] over [`backend`], with multilinear building blocks [`mle`] |
//! | hashes | [`poseidon`], [`sponge`], [`transcript`] |
//! | the shell | [`shell`]: recording, circuit, keys, Halo2's transcript |
//! | keys and proofs | [`key`], [`tensor_hash`], [`tensor_opening`], their bytes [`encoding`], containers [`files`], group elements [`points`], the blinds' base [`blinds`] |
//!
//! This crate knows neither ONNX nor witness values, and nothing of how a proof is made. docs/PROTOCOL.md states the protocol, docs/ARCHITECTURE.md
//! the way from a model to a proof.

pub mod architecture;
pub mod argument;
pub mod backend;
pub mod blinds;
pub mod encoding;
pub mod files;
pub mod ir;
pub mod key;
pub mod layout;
pub mod lowering;
pub mod mle;
pub mod points;
pub mod poseidon;
pub mod shell;
pub mod sponge;
pub mod tensor_hash;
pub mod tensor_opening;
pub mod transcript;
pub mod validate;
