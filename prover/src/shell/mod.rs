//! The shell's keys and proofs: a recorded run of the core's verifier, laid out in a circuit ([`grid`]) and proven ([`crate::plonk`]).

pub mod circuit;
pub mod convert;
pub mod grid;
pub mod halo2;
pub mod key;
pub mod transcript;

use ark_bn254::Fr;
use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};
use thiserror::Error;
use vouch_circuits::argument::key::{CoreProof, public_at, statement};
use vouch_circuits::argument::opening::point_digests;
use vouch_circuits::ir::ConstraintSystem;
use vouch_circuits::layout::Layout;
use vouch_circuits::shell::shape::MAX_K;
use vouch_circuits::shell::trace::Messages;
use vouch_circuits::shell::{Columns, Recording, Shape, ShellKey, record, record_shape};

use self::grid::Grid;
use crate::commit::Srs;
use crate::plonk::{ProvingKey, combined};

/// Why there is no shell key or proof.
#[derive(Debug, Error)]
pub enum ShellError {
    /// The structured reference string is too short for the circuit.
    #[error("the structured reference string has {have} powers, the shell needs {need}; use a longer one")]
    SrsTooShort {
        /// Powers present.
        have: usize,
        /// Powers needed.
        need: usize,
    },
    /// A model whose transcript is too long for any shell.
    #[error(
        "the model's shell would have 2^{k} rows, at most 2^{MAX_K} are supported; the model has too many different parts"
    )]
    TooLarge {
        /// Binary logarithm of the rows.
        k: u32,
    },
    /// A recording or a key of another circuit.
    #[error("the shell could not be proven: {0}")]
    Foreign(String),
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    Randomness,
}

/// All that proving the shell needs.
pub struct ShellProvingKey {
    key: ProvingKey,
    /// What checking its proofs needs.
    pub verifying_key: ShellKey,
    /// How large the circuit is.
    pub shape: Shape,
}

impl ShellProvingKey {
    /// The keys of a constraint system's shell in such columns. What the reference string lacks in Lagrange form is added to it, if columns have
    /// commitments of their own, which takes seconds.
    ///
    /// # Errors
    /// A reference string that is too short.
    pub fn new(
        system: &ConstraintSystem,
        layout: &Layout,
        columns: Columns,
        srs: &mut Srs,
    ) -> Result<Self, ShellError> {
        let (key, shape) = proving_key(system, layout, columns, srs)?;
        let commitments = key.commitments();
        Ok(Self { key, verifying_key: ShellKey { k: shape.k, columns, commitments }, shape })
    }

    /// The same keys, given the verifying one: what is left are the columns' polynomials, without a commitment. (It takes as long as
    /// to read them from a file and check them, and they would be eight times all else that is in it.)
    ///
    /// # Errors
    /// A verifying key of another circuit's size, or a reference string that is too short.
    pub fn restore(
        system: &ConstraintSystem,
        layout: &Layout,
        srs: &mut Srs,
        verifying_key: &ShellKey,
    ) -> Result<Self, ShellError> {
        let (key, shape) = proving_key(system, layout, verifying_key.columns, srs)?;
        if shape.k != verifying_key.k {
            let (k, expected) = (verifying_key.k, shape.k);
            return Err(ShellError::Foreign(format!("the key's shell has 2^{k} rows, the model's has 2^{expected}")));
        }
        Ok(Self { key, verifying_key: verifying_key.clone(), shape })
    }

    /// Proves a recording, whatever its values: the proof verifies only if every check of the run held.
    ///
    /// # Errors
    /// A recording of another system, or no randomness.
    pub fn prove(&self, recording: &Recording) -> Result<Vec<u8>, ShellError> {
        let shape = Shape::of(recording, self.shape.lanes);
        if shape != self.shape {
            return Err(ShellError::Foreign(format!(
                "the recording has the shape {shape:?}, the key {:?}",
                self.shape
            )));
        }
        let mut rng = StdRng::try_from_rng(&mut SysRng).map_err(|_| ShellError::Randomness)?;
        let Grid { advice, instance, .. } = grid(recording, self.shape.lanes)?;
        Ok(self.key.prove(advice, &instance, &mut rng))
    }
}

/// The key, and how large the circuit is.
fn proving_key(
    system: &ConstraintSystem,
    layout: &Layout,
    columns: Columns,
    srs: &mut Srs,
) -> Result<(ProvingKey, Shape), ShellError> {
    let recording = record_shape(system, layout);
    let shape = Shape::of(&recording, columns.lanes);
    check_size(&shape)?;
    let (have, need) = (srs.powers.len(), columns.powers(shape.k));
    if have < need {
        return Err(ShellError::SrsTooShort { have, need });
    }
    let grid = grid(&recording, columns.lanes)?;
    let lagrange = (columns.packing == 1).then(|| srs.ensure_lagrange(shape.k).to_vec());
    let powers = srs.powers[..need].to_vec();
    let follows = grid.permutation();
    Ok((ProvingKey::new(shape.k, columns, grid.fixed, &follows, powers, lagrange), shape))
}

/// The coefficients of the combination of what the key's commitments should be of, for the circuit of a recording; none if the circuit is of another size
/// than the key's.
///
/// # Errors
/// A recording that has no circuit.
pub fn combined_columns(recording: &Recording, key: &ShellKey, weights: &[Fr]) -> Result<Option<Vec<Fr>>, ShellError> {
    if Shape::of(recording, key.columns.lanes).k != key.k {
        return Ok(None);
    }
    let grid = grid(recording, key.columns.lanes)?;
    Ok(Some(combined(key.k, key.columns, &grid.fixed, &grid.permutation(), weights)))
}

fn grid(recording: &Recording, lanes: usize) -> Result<Grid, ShellError> {
    Grid::new(recording, lanes).ok_or_else(|| ShellError::Foreign("a public value is in no row".to_string()))
}

/// Refuses a circuit that no verifier takes.
///
/// # Errors
/// More than `2^MAX_K` rows.
pub fn check_size(shape: &Shape) -> Result<(), ShellError> {
    let k = shape.k;
    if k <= MAX_K { Ok(()) } else { Err(ShellError::TooLarge { k }) }
}

/// Records the verifier's run on a core proof.
pub fn record_proof(system: &ConstraintSystem, layout: &Layout, proof: &CoreProof) -> Recording {
    let statement = statement(&proof.key_digest, proof.context.as_ref(), &proof.hashes, &proof.publics);
    let digests = point_digests(&statement, &proof.x_commitments, &proof.y_commitments, &proof.opening);
    let public_at =
        |i: usize, point: &[Fr]| public_at(&system.tensor(system.publics[i].tensor).shape, &proof.publics[i], point);
    let messages = Messages { scalars: &proof.scalars, digests: &digests, hashes: &proof.hashes };
    record(system, layout, messages, &public_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circuits_beyond_what_verifiers_take_are_refused() {
        let shape =
            |k: u32| Shape { permutations: 1, arithmetic: 1, rows: 1usize << (k - 1), instances: 1, lanes: 1, k };
        assert!(check_size(&shape(MAX_K)).is_ok());
        assert!(matches!(check_size(&shape(MAX_K + 1)), Err(ShellError::TooLarge { k }) if k == MAX_K + 1));
    }
}
