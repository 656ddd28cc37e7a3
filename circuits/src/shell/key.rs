//! The shell's verifying key: the circuit's size and the commitments to its fixed columns.
//!
//! Everything else that checking needs follows from the circuit's gates and its number of lanes.

use ark_bn254::G1Affine;

use super::shape::{MAX_K, MAX_LANES, MIN_K, copy_columns, fixed_columns};

/// What checking a shell proof needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellKey {
    /// Binary logarithm of the rows.
    pub k: u32,
    /// Lanes of four advice columns.
    pub lanes: usize,
    /// Commitments to the fixed columns, [`fixed_columns`] of them.
    pub fixed: Vec<G1Affine>,
    /// Commitments to the copy constraints' permutation, one for each of the [`copy_columns`].
    pub copies: Vec<G1Affine>,
}

impl ShellKey {
    /// Whether its numbers are those of a shell, and its points are on the curve.
    pub fn is_well_formed(&self) -> bool {
        (MIN_K..=MAX_K).contains(&self.k)
            && (1..=MAX_LANES).contains(&self.lanes)
            && (self.fixed.len(), self.copies.len()) == (fixed_columns(self.lanes), copy_columns(self.lanes))
            && self.fixed.iter().chain(&self.copies).all(G1Affine::is_on_curve)
    }
}
