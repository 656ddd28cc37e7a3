//! The shell: the core's verifier as a circuit, so that a proof shows a core transcript that verifies without showing it.
//!
//! ```text
//! argument::verify ─► trace (a channel) ─► record (rows over named cells) ─► the prover's circuit (lanes of four columns)
//! ```
//!
//! [`mod@record`] runs the verifier's own code ([`crate::argument`]) over values that remember where they came from; what comes out is a
//! [`Recording`]: rows of one arithmetic gate, Poseidon permutations, and the cells that are public ([`Instances`]). How it lies in columns
//! ([`shape`]) and what holds between them ([`gates`], [`copies`]) both sides know from here. Which rows there are depends on the constraint system
//! alone, never on a value, so a recording of a transcript of zeros has the shape of every other: setup needs no proof.
//!
//! It knows the argument, not who proves it or how the proof is checked outside. Group elements are here as their digests.

pub mod arithmetic;
pub mod copies;
pub mod domain;
pub mod expression;
pub mod gates;
pub mod instances;
pub mod keccak;
pub mod key;
pub mod poseidon;
pub mod record;
pub mod shape;
pub mod trace;

pub use instances::Instances;
pub use key::ShellKey;
pub use record::{Recording, record, record_shape, record_shape_within};
pub use shape::{Columns, Shape};
