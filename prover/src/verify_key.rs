//! Recomputing a verifying key from what its maker published: all of it but the name and the commitments to the weights.
//!
//! Key and architecture may be a stranger's: each step is bounded before it is taken. Commitments are not recomputed one by one. A random
//! combination of what they should be of is committed to, and compared with the same combination of them: a false commitment passes with a
//! probability of `1/p`, the coefficients being drawn when the key is known.

use ark_bn254::{Fr, G1Affine, G1Projective};
use ark_ec::CurveGroup;
use ark_ff::AdditiveGroup;
use thiserror::Error;
use vouch_circuits::architecture::Architecture;
use vouch_circuits::key::{PublicTensor, VerifyingKey};
use vouch_circuits::layout::Layout;
use vouch_circuits::lowering::limits::Limits;
use vouch_circuits::lowering::{LowerError, Lowered};
use vouch_circuits::shell::record_shape_within;
use vouch_circuits::validate::{InvalidSystem, validate};

use crate::commit::{Srs, msm, random_scalar};
use crate::shell::{ShellError, combined_columns};

/// What a key and an architecture disagree about.
#[derive(Debug, Error)]
pub enum KeyMismatch {
    /// The key names another architecture.
    #[error("the key is of another architecture")]
    Architecture,
    /// The architecture cannot be lowered, or takes too much.
    #[error("the architecture has no constraints: {0}")]
    Lower(#[from] LowerError),
    /// Its constraints are none that a key can be of.
    #[error("the architecture's constraints are not well formed: {0}")]
    System(#[from] InvalidSystem),
    /// A field of the key is another.
    #[error("the key's {0} is not the architecture's")]
    Field(&'static str),
    /// The key rests on another reference string.
    #[error("the key rests on another reference string")]
    ReferenceString,
    /// The reference string is too short for the key.
    #[error("the reference string has {have} powers, the key rests on {need}; use a longer one")]
    SrsTooShort {
        /// Powers present.
        have: usize,
        /// Powers needed.
        need: usize,
    },
    /// A function table or a gather's indices are others than those committed to.
    #[error("the key commits to other function tables or indices than the architecture's")]
    Fixed,
    /// The key's circuit is not the one that checks the architecture's constraints.
    #[error("the key's shell is not the one of the architecture: proofs for it show something else, or nothing")]
    Shell,
    /// The shell's columns could not be made.
    #[error(transparent)]
    Keygen(#[from] ShellError),
}

/// Powers of a reference string that recomputing a key takes.
pub fn powers_of(key: &VerifyingKey) -> usize {
    (1 << key.cuts.chunk_bits).max(key.shell.columns.powers(key.shell.k))
}

/// Recomputes `key` from `architecture` and `srs`; gives the constraints. What is left to its maker's word are the name and the weights behind
/// the commitments of the model's chunks. Safe on any key and architecture: takes at most some gigabyte and some seconds.
///
/// # Errors
/// What differs first.
pub fn verify_key(key: &VerifyingKey, architecture: &Architecture, srs: &Srs) -> Result<Lowered, KeyMismatch> {
    if architecture.digest() != key.architecture {
        return Err(KeyMismatch::Architecture);
    }
    if srs.tau_g2 != key.tau_g2 || srs.development != key.development {
        return Err(KeyMismatch::ReferenceString);
    }
    let (have, need) = (srs.powers.len(), powers_of(key));
    if have < need {
        return Err(KeyMismatch::SrsTooShort { have, need });
    }
    let lowered = architecture.lower(Limits::STRANGER)?;
    let system = &lowered.system;
    validate(system, key.cuts)?;
    let layout = Layout::new(system, key.cuts);
    if layout.chunks() != key.chunks() {
        return Err(KeyMismatch::Field("number of chunks"));
    }
    if PublicTensor::all_of(system, &layout) != key.publics {
        return Err(KeyMismatch::Field("list of inputs and outputs"));
    }
    let recording = record_shape_within(system, &layout, key.shell.columns.lanes << key.shell.k);
    let recording = recording.ok_or(KeyMismatch::Shell)?;
    if !fixed_chunks_match(key, &lowered, &layout, srs) {
        return Err(KeyMismatch::Fixed);
    }
    let mut rng = rand::rng();
    let weights: Vec<Fr> = key.shell.commitments.iter().map(|_| random_scalar(&mut rng)).collect();
    match combined_columns(&recording, &key.shell, &weights)? {
        Some(columns) if commits(&srs.powers, &columns, &key.shell.commitments, &weights) => Ok(lowered),
        _ => Err(KeyMismatch::Shell),
    }
}

/// Whether the chunks of the fixed region are committed to as they should be, without a blind.
fn fixed_chunks_match(key: &VerifyingKey, lowered: &Lowered, layout: &Layout, srs: &Srs) -> bool {
    // Without fixed tensors `w` may end before a whole chunk does.
    let length = layout.w_len.saturating_sub(layout.w_fixed);
    let first = layout.w_chunks() - length.div_ceil(1 << layout.chunk_bits);
    let commitments = &key.w_commitments[first..];
    let mut rng = rand::rng();
    let weights: Vec<Fr> = commitments.iter().map(|_| random_scalar(&mut rng)).collect();
    let mut sum = vec![Fr::ZERO; length.min(1 << layout.chunk_bits)];
    for (tensor, values) in &lowered.fixed {
        let offset = layout.block(*tensor).1.offset - layout.w_fixed;
        for (position, value) in (offset..).zip(values) {
            let (chunk, place) = (position >> layout.chunk_bits, position & ((1 << layout.chunk_bits) - 1));
            if *value != 0 {
                sum[place] += weights[chunk] * Fr::from(*value);
            }
        }
    }
    commits(&srs.powers, &sum, commitments, &weights)
}

/// Whether the combination of the commitments is the commitment to what is combined.
fn commits(powers: &[G1Affine], combined: &[Fr], commitments: &[G1Affine], weights: &[Fr]) -> bool {
    let theirs: G1Projective = msm(commitments, weights);
    msm(powers, combined).into_affine() == theirs.into_affine()
}
