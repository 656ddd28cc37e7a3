//! The prover: commitments, the prover's half of each step, witness generation, setup and proving.
//!
//! Each module named like one of [`vouch_circuits::argument`] holds the prover's half of that step. It knows fixed-point
//! programs, not ONNX (only the `vouch` command does).

pub mod batch;
pub mod check;
pub mod commit;
pub mod contractions;
pub mod core_key;
mod cuts;
pub mod evaluate;
pub mod fractions;
pub mod key_file;
pub mod lookups;
pub mod openings;
mod operands;
pub mod prove;
pub mod setup;
pub mod shell;
pub mod small;
pub mod sumcheck;
pub mod verify_key;
pub mod witness;

pub use check::{CheckError, CheckReport, check};
pub use core_key::{CoreProvingKey, setup_core};
pub use cuts::constraints_of;
pub use key_file::KeyFileError;
pub use prove::{ProveError, ProveOptions, Proven, prove, prove_core, prove_with};
pub use setup::{Needs, ProvingKey, SetupError, SetupOptions, setup};
pub use verify_key::{KeyMismatch, verify_key};
