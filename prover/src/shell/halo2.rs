//! Halo2's own keys and proofs of the shell, which ours are held to.

use ark_bn254::G1Affine;
use halo2_proofs::halo2curves::bn256::{self, Bn256};
use halo2_proofs::plonk::{self, create_proof, keygen_pk, keygen_vk};
use halo2_proofs::poly::kzg::commitment::{KZGCommitmentScheme, ParamsKZG};
use halo2_proofs::poly::kzg::multiopen::ProverSHPLONK;
use halo2_proofs::transcript::TranscriptWrite;
use rand_core::OsRng;
use vouch_circuits::shell::{Recording, Shape, ShellKey};

use super::circuit::Shell;
use super::convert;
use super::key;
use super::transcript::Challenge;
use crate::commit::Srs;

/// The crate's parameters of `2^k` powers.
///
/// # Panics
/// If the string has fewer.
pub fn parameters(srs: &mut Srs, k: u32) -> ParamsKZG<Bn256> {
    let points = |points: &[G1Affine]| points.iter().map(convert::g1).collect::<Vec<_>>();
    let [g2, tau_g2] = [&srs.g2, &srs.tau_g2].map(convert::g2);
    // The crate makes parameters from parts only with the help of others.
    let maker = ParamsKZG::<Bn256>::setup(1, OsRng);
    let lagrange = points(srs.ensure_lagrange(k));
    maker.from_parts(k, points(&srs.powers[..1 << k]), Some(lagrange), g2, tau_g2)
}

/// The verifying key that the crate makes of a recording's circuit.
///
/// # Errors
/// If it refuses.
pub fn verifying_key(recording: Recording, lanes: usize, srs: &mut Srs) -> Result<ShellKey, plonk::Error> {
    let k = Shape::of(&recording, lanes).k;
    let key = keygen_vk(&parameters(srs, k), &Shell { recording, lanes })?;
    Ok(key::from_halo2(&key, k, lanes))
}

/// Proves a recording with the crate, over any transcript.
///
/// # Errors
/// If it refuses, as it does a recording of another circuit than the key's.
pub fn prove<T: TranscriptWrite<bn256::G1Affine, Challenge>>(
    key: &ShellKey,
    recording: Recording,
    srs: &mut Srs,
    mut transcript: T,
) -> Result<T, plonk::Error> {
    let instances: Vec<bn256::Fr> = recording.instance_values().iter().map(convert::scalar).collect();
    let circuit = Shell { recording, lanes: key.columns.lanes };
    let params = parameters(srs, key.k);
    let key = keygen_pk(&params, key::to_halo2(key), &circuit)?;
    create_proof::<KZGCommitmentScheme<Bn256>, ProverSHPLONK<Bn256>, Challenge, _, _, _>(
        &params,
        &key,
        &[circuit],
        &[&[&instances]],
        OsRng,
        &mut transcript,
    )?;
    Ok(transcript)
}
