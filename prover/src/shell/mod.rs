//! The shell's keys and proofs: a recorded run of the core's verifier, proven with Halo2 over KZG (SHPLONK).
//!
//! Cost at `2^k` rows in one lane: fourteen multi-scalar multiplications and, for each of eight cosets, an FFT of each column.

pub mod circuit;
pub mod convert;
pub mod key;
mod parameters;
pub mod transcript;

use ark_bn254::{Fr, G1Affine};
use halo2_proofs::halo2curves::bn256::{self, Bn256};
use halo2_proofs::plonk::{self, create_proof, keygen_pk, keygen_vk};
use halo2_proofs::poly::kzg::commitment::ParamsKZG;
use halo2_proofs::transcript::{TranscriptWrite, TranscriptWriterBuffer};
use rand_core::OsRng;
use thiserror::Error;
use vouch_circuits::argument::key::{CoreProof, public_at, statement};
use vouch_circuits::argument::opening::point_digests;
use vouch_circuits::ir::ConstraintSystem;
use vouch_circuits::layout::Layout;
use vouch_circuits::shell::shape::MAX_K;
use vouch_circuits::shell::trace::Messages;
use vouch_circuits::shell::{Recording, Shape, ShellKey, record, record_shape};

use self::circuit::Shell;
use self::parameters::{Kzg, Parameters, Shplonk};
use self::transcript::{Challenge, End};
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
    /// A model whose transcript is too long for any shell.
    #[error(
        "the model's shell would have 2^{k} rows, at most 2^{MAX_K} are supported; the model has too many different parts"
    )]
    TooLarge {
        /// Binary logarithm of the rows.
        k: u32,
    },
    /// Halo2 refused. A recording of the key's own system gives it no reason to.
    #[error("the shell could not be proven: {0}")]
    Halo2(String),
}

/// All that proving the shell needs.
pub struct ShellProvingKey {
    params: Parameters,
    key: plonk::ProvingKey<bn256::G1Affine>,
    /// What checking its proofs needs.
    pub verifying_key: ShellKey,
    /// How large the circuit is.
    pub shape: Shape,
}

impl ShellProvingKey {
    /// The keys of a constraint system's shell in so many lanes. What the reference string lacks in Lagrange form is added to it, which
    /// takes seconds.
    ///
    /// # Errors
    /// A reference string that is too short.
    pub fn new(system: &ConstraintSystem, layout: &Layout, lanes: usize, srs: &mut Srs) -> Result<Self, ShellError> {
        let circuit = Shell { recording: record_shape(system, layout), lanes };
        let shape = Shape::of(&circuit.recording, lanes);
        check_size(&shape)?;
        let params = parameters(srs, shape.k)?;
        let key = keygen_vk(&params, &circuit).map_err(refused)?;
        let verifying_key = key::from_halo2(&key, shape.k, lanes);
        let key = keygen_pk(&params, key, &circuit).map_err(refused)?;
        Ok(Self { params, key, verifying_key, shape })
    }

    /// The same keys, given the verifying one: what is left are the columns' polynomials, without a commitment. (A tenth of a second at
    /// k = 14; as long as it takes to read them from a file and check them, and they would be eight times all else that is in it.)
    ///
    /// # Errors
    /// A verifying key of another circuit's size, or a reference string that is too short.
    pub fn restore(
        system: &ConstraintSystem,
        layout: &Layout,
        srs: &mut Srs,
        verifying_key: &ShellKey,
    ) -> Result<Self, ShellError> {
        let lanes = verifying_key.lanes;
        let circuit = Shell { recording: record_shape(system, layout), lanes };
        let shape = Shape::of(&circuit.recording, lanes);
        if shape.k != verifying_key.k {
            let (k, expected) = (verifying_key.k, shape.k);
            return Err(ShellError::Halo2(format!("the key's shell has 2^{k} rows, the model's has 2^{expected}")));
        }
        let params = parameters(srs, shape.k)?;
        let key = keygen_pk(&params, key::to_halo2(verifying_key), &circuit).map_err(refused)?;
        Ok(Self { params, key, verifying_key: verifying_key.clone(), shape })
    }

    /// Proves a recording, whatever its values: the proof verifies only if every check of the run held.
    ///
    /// # Errors
    /// A recording of another system.
    pub fn prove(&self, recording: Recording) -> Result<Vec<u8>, ShellError> {
        self.prove_over(recording, End::<Vec<u8>>::init(Vec::new())).map(End::finalize)
    }

    /// Proves a recording to another transcript than the protocol's, for those who test what a prover with a transcript of its own can do.
    ///
    /// # Errors
    /// A recording of another system.
    pub fn prove_over<T: TranscriptWrite<bn256::G1Affine, Challenge>>(
        &self,
        recording: Recording,
        mut transcript: T,
    ) -> Result<T, ShellError> {
        let shape = Shape::of(&recording, self.shape.lanes);
        if shape != self.shape {
            return Err(ShellError::Halo2(format!("the recording has the shape {shape:?}, the key {:?}", self.shape)));
        }
        let instances: Vec<bn256::Fr> = recording.instance_values().iter().map(convert::scalar).collect();
        create_proof::<Kzg, Shplonk, Challenge, _, _, _>(
            &self.params,
            &self.key,
            &[Shell { recording, lanes: self.shape.lanes }],
            &[&[&instances]],
            OsRng,
            &mut transcript,
        )
        .map_err(refused)?;
        Ok(transcript)
    }
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

pub(crate) fn parameters(srs: &mut Srs, k: u32) -> Result<Parameters, ShellError> {
    let (have, need) = (srs.powers.len(), 1 << k);
    if have < need {
        return Err(ShellError::SrsTooShort { have, need });
    }
    let points = |points: &[G1Affine]| points.iter().map(convert::g1).collect::<Vec<_>>();
    let [g2, tau_g2] = [&srs.g2, &srs.tau_g2].map(convert::g2);
    // The crate makes parameters from parts only with the help of others.
    let maker = ParamsKZG::<Bn256>::setup(1, OsRng);
    let lagrange = srs.ensure_lagrange(k).to_vec();
    let halo2 = maker.from_parts(k, points(&srs.powers[..need]), Some(points(&lagrange)), g2, tau_g2);
    Ok(Parameters::new(halo2, lagrange))
}

fn refused(error: plonk::Error) -> ShellError {
    ShellError::Halo2(error.to_string())
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
