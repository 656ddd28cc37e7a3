//! The shell's keys and proofs: a recorded run of the core's verifier, proven with Halo2 over KZG (SHPLONK).
//!
//! Cost at `2^k` rows: about twenty multi-scalar multiplications and, for each of eight cosets, an FFT of each column.

use ark_bn254::{Fr, G1Affine};
use halo2_proofs::halo2curves::bn256::{self, Bn256};
use halo2_proofs::plonk::{self, create_proof, keygen_pk, keygen_vk};
use halo2_proofs::poly::kzg::commitment::{KZGCommitmentScheme, ParamsKZG};
use halo2_proofs::poly::kzg::multiopen::ProverSHPLONK;
use halo2_proofs::transcript::TranscriptWriterBuffer;
use rand_core::OsRng;
use thiserror::Error;
use vouch_circuits::ir::ConstraintSystem;
use vouch_circuits::key::{CoreProof, public_at};
use vouch_circuits::layout::Layout;
use vouch_circuits::shell::keccak::{Challenge, End};
use vouch_circuits::shell::trace::Messages;
use vouch_circuits::shell::{Recording, Shape, Shell, ShellKey, convert, record, record_shape};
use vouch_circuits::transcript::points_digest;

use crate::commit::Srs;

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
    /// Halo2 refused. A recording of the key's own system gives it no reason to.
    #[error("the shell could not be proven: {0}")]
    Halo2(String),
}

/// All that proving the shell needs.
pub struct ShellProvingKey {
    params: ParamsKZG<Bn256>,
    key: plonk::ProvingKey<bn256::G1Affine>,
    /// What checking its proofs needs.
    pub verifying_key: ShellKey,
    /// How large the circuit is.
    pub shape: Shape,
}

impl ShellProvingKey {
    /// The keys of a constraint system's shell. `lagrange` is the reference string's first `2^k` powers in Lagrange form; without it, it
    /// is computed, which takes seconds.
    ///
    /// # Errors
    /// A reference string that is too short.
    pub fn new(
        system: &ConstraintSystem,
        layout: &Layout,
        srs: &Srs,
        lagrange: Option<&[G1Affine]>,
    ) -> Result<Self, ShellError> {
        let circuit = Shell(record_shape(system, layout));
        let shape = Shape::of(&circuit.0);
        let params = parameters(srs, shape.k, lagrange)?;
        let key = keygen_vk(&params, &circuit).map_err(refused)?;
        let verifying_key = ShellKey::of(&key, shape.k);
        let key = keygen_pk(&params, key, &circuit).map_err(refused)?;
        Ok(Self { params, key, verifying_key, shape })
    }

    /// Proves a recording, whatever its values: the proof verifies only if every check of the run held.
    ///
    /// # Errors
    /// A recording of another system.
    pub fn prove(&self, recording: Recording) -> Result<Vec<u8>, ShellError> {
        let shape = Shape::of(&recording);
        if shape != self.shape {
            return Err(ShellError::Halo2(format!("the recording has the shape {shape:?}, the key {:?}", self.shape)));
        }
        let instances: Vec<bn256::Fr> = recording.instance_values().iter().map(convert::scalar).collect();
        let mut transcript = End::<Vec<u8>>::init(Vec::new());
        create_proof::<KZGCommitmentScheme<Bn256>, ProverSHPLONK<Bn256>, Challenge, _, _, _>(
            &self.params,
            &self.key,
            &[Shell(recording)],
            &[&[&instances]],
            OsRng,
            &mut transcript,
        )
        .map_err(refused)?;
        Ok(transcript.finalize())
    }
}

/// Records the verifier's run on a core proof.
pub fn record_proof(system: &ConstraintSystem, layout: &Layout, statement: &[Fr], proof: &CoreProof) -> Recording {
    let [folds, quotient] = proof.opening.groups();
    let points = [&proof.x_commitments, folds, quotient].map(points_digest);
    let public_at =
        |i: usize, point: &[Fr]| public_at(&system.tensor(system.publics[i].tensor).shape, &proof.publics[i], point);
    record(system, layout, statement, Messages { scalars: &proof.scalars, points: &points }, &public_at)
}

fn parameters(srs: &Srs, k: u32, lagrange: Option<&[G1Affine]>) -> Result<ParamsKZG<Bn256>, ShellError> {
    let (have, need) = (srs.powers.len(), 1 << k);
    if have < need {
        return Err(ShellError::SrsTooShort { have, need });
    }
    let points = |points: &[G1Affine]| points.iter().map(convert::g1).collect::<Vec<_>>();
    let [g2, tau_g2] = [&srs.g2, &srs.tau_g2].map(convert::g2);
    // The crate makes parameters from parts only with the help of others.
    let maker = ParamsKZG::<Bn256>::setup(1, OsRng);
    Ok(maker.from_parts(k, points(&srs.powers[..need]), lagrange.map(points), g2, tau_g2))
}

fn refused(error: plonk::Error) -> ShellError {
    ShellError::Halo2(error.to_string())
}
