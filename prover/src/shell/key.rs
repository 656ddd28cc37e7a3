//! Between the shell's verifying key and the crate's.

use ark_bn254::G1Affine;
use halo2_proofs::halo2curves::bn256;
use halo2_proofs::plonk::{Circuit, ConstraintSystem, VerifyingKey, permutation};
use halo2_proofs::poly::EvaluationDomain;
use vouch_circuits::shell::shape::fixed_columns;
use vouch_circuits::shell::{Columns, ShellKey};

use super::circuit::Shell;
use super::convert;

/// From the crate's key of a circuit of `2^k` rows in so many lanes.
pub fn from_halo2(key: &VerifyingKey<bn256::G1Affine>, k: u32, lanes: usize) -> ShellKey {
    let points = key.fixed_commitments().iter().chain(key.permutation().commitments());
    ShellKey { k, columns: Columns::alone(lanes), commitments: points.map(convert::g1_back).collect() }
}

/// The crate's key, of one that is well formed and in which each column has a commitment of its own.
pub fn to_halo2(key: &ShellKey) -> VerifyingKey<bn256::G1Affine> {
    let mut meta = ConstraintSystem::default();
    Shell::configure_with_params(&mut meta, key.columns.lanes);
    // The shell has no selectors that the crate would have to turn into columns.
    let (meta, _) = meta.directly_convert_selectors_to_fixed(Vec::new());
    let points = |points: &[G1Affine]| points.iter().map(convert::g1).collect::<Vec<_>>();
    let domain = EvaluationDomain::new(meta.degree() as u32, key.k);
    let (fixed, copies) = key.commitments.split_at(fixed_columns(key.columns.lanes));
    let copies = permutation::VerifyingKey::from_commitments(points(copies));
    VerifyingKey::from_parts(domain, points(fixed), copies, meta, Vec::new(), false)
}
