//! (Being written: only the chunk size is checked so far. To be replaced wholly.)
use crate::ir::ConstraintSystem;
use thiserror::Error;
/// The least supported chunk size: room for the mask.
pub const MIN_CHUNK_BITS: usize = 6;
/// The greatest supported chunk size.
pub const MAX_CHUNK_BITS: usize = 24;
/// Why a constraint system makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct InvalidSystem(pub String);
/// Checks.
pub fn validate(_: &ConstraintSystem, chunk_bits: usize) -> Result<(), InvalidSystem> {
    if (MIN_CHUNK_BITS..=MAX_CHUNK_BITS).contains(&chunk_bits) {
        Ok(())
    } else {
        Err(InvalidSystem("chunk size".into()))
    }
}
