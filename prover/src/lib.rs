//! The prover: commitments, the prover's half of each step, witness generation, setup and proving.
//!
//! Each module named like one of [`vouch_circuits::argument`] holds the prover's half of that step. It knows fixed-point
//! programs, not ONNX (only the `vouch` command does).

pub mod batch;
pub mod check;
mod choice;
pub mod commit;
pub mod contractions;
pub mod core_key;
pub mod evaluate;
pub mod fractions;
pub mod key_file;
pub mod lookups;
pub mod openings;
mod operands;
pub mod plonk;
pub mod prove;
pub mod setup;
pub mod shell;
pub mod small;
pub mod sumcheck;
pub mod verify_key;
pub mod witness;

pub use check::{CheckError, CheckReport, Checker, check};
pub use choice::{Prefer, Price, constraints_of, price};
pub use core_key::{CoreProvingKey, setup_core};
pub use key_file::KeyFileError;
pub use prove::{ProveError, ProveOptions, Proven, fresh_salt, prove, prove_core, prove_with};
pub use setup::{Needs, ProvingKey, SetupError, SetupOptions, setup};
pub use verify_key::{KeyMismatch, powers_of, verify_key};
