//! The shell's verifying key: the circuit's size and the commitments to its fixed columns.
//!
//! Everything else that checking needs follows from the circuit's configuration, which the number of lanes determines.

use ark_bn254::G1Affine;
use halo2_proofs::halo2curves::bn256;
use halo2_proofs::plonk::{Circuit, ConstraintSystem, VerifyingKey, permutation};
use halo2_proofs::poly::EvaluationDomain;

use super::circuit::{MAX_LANES, Shell};
use super::convert;
use super::poseidon::CELLS;

/// Largest size of a shell's circuit, as a binary logarithm of its rows: a key from elsewhere must not cost a verifier much memory.
pub const MAX_K: u32 = 18;
/// Smallest size: the rows that blind the columns must fit.
pub const MIN_K: u32 = 4;

/// Fixed columns of a circuit of so many lanes.
pub fn fixed_columns(lanes: usize) -> usize {
    (CELLS + 1) * lanes + 3
}

/// Columns that can hold copies: the advice columns and the public values.
pub fn copy_columns(lanes: usize) -> usize {
    CELLS * lanes + 1
}

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
    /// From the crate's key.
    pub fn of(key: &VerifyingKey<bn256::G1Affine>, k: u32, lanes: usize) -> Self {
        let points = |points: &[bn256::G1Affine]| points.iter().map(convert::g1_back).collect();
        Self { k, lanes, fixed: points(key.fixed_commitments()), copies: points(key.permutation().commitments()) }
    }

    /// Whether its numbers are those of a shell, and its points are on the curve.
    pub fn is_well_formed(&self) -> bool {
        (MIN_K..=MAX_K).contains(&self.k)
            && (1..=MAX_LANES).contains(&self.lanes)
            && (self.fixed.len(), self.copies.len()) == (fixed_columns(self.lanes), copy_columns(self.lanes))
            && self.fixed.iter().chain(&self.copies).all(G1Affine::is_on_curve)
    }

    /// The crate's key; this one must be well formed.
    pub fn to_halo2(&self) -> VerifyingKey<bn256::G1Affine> {
        let mut meta = ConstraintSystem::default();
        Shell::configure_with_params(&mut meta, self.lanes);
        // The shell has no selectors that the crate would have to turn into columns.
        let (meta, _) = meta.directly_convert_selectors_to_fixed(Vec::new());
        let points = |points: &[G1Affine]| points.iter().map(convert::g1).collect::<Vec<_>>();
        let domain = EvaluationDomain::new(meta.degree() as u32, self.k);
        let copies = permutation::VerifyingKey::from_commitments(points(&self.copies));
        VerifyingKey::from_parts(domain, points(&self.fixed), copies, meta, Vec::new(), false)
    }
}
