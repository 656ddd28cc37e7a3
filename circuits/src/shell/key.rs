//! The shell's verifying key: the circuit's size and the commitments to its fixed columns.
//!
//! Everything else that checking needs follows from the circuit's gates and its number of lanes.

use ark_bn254::G1Affine;

use super::shape::{Columns, MAX_K, MIN_K};

/// What checking a shell proof needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellKey {
    /// Binary logarithm of the rows.
    pub k: u32,
    /// How its cells lie in columns, and those in commitments.
    pub columns: Columns,
    /// Commitments to the fixed columns and the copy constraints' permutation, [`Columns::of_key`] of them.
    pub commitments: Vec<G1Affine>,
}

impl ShellKey {
    /// Whether its numbers are those of a shell, and its points are on the curve.
    pub fn is_well_formed(&self) -> bool {
        (MIN_K..=MAX_K).contains(&self.k)
            && self.columns.are_supported()
            && self.commitments.len() == self.columns.of_key()
            && self.commitments.iter().all(G1Affine::is_on_curve)
    }
}
