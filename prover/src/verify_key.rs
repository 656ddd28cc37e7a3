//! Recomputing a verifying key from what its maker published: all of it but the name and the commitments to the weights.

use ark_ff::AdditiveGroup;
use thiserror::Error;
use vouch_circuits::architecture::{Architecture, InvalidArchitecture};
use vouch_circuits::key::{PublicTensor, VerifyingKey, system_digest};
use vouch_circuits::layout::Layout;

use crate::commit::{Srs, commit_chunks};
use crate::shell::{ShellError, ShellProvingKey};
use crate::witness::flatten;

/// What a key and an architecture disagree about.
#[derive(Debug, Error)]
pub enum KeyMismatch {
    /// There is no such architecture.
    #[error("the architecture is none: {0}")]
    Architecture(#[from] InvalidArchitecture),
    /// A field of the key is another.
    #[error("the key's {0} is not the architecture's")]
    Field(&'static str),
    /// The key rests on another reference string.
    #[error("the key rests on another reference string")]
    ReferenceString,
    /// A function table or a gather's indices are others than those committed to.
    #[error("the key commits to other function tables or indices than the architecture's")]
    Fixed,
    /// The key's circuit is not the one that checks the architecture's constraints.
    #[error("the key's shell is not the one of the architecture: proofs for it show something else, or nothing")]
    Shell,
    /// The shell's keys could not be made.
    #[error(transparent)]
    Keygen(#[from] ShellError),
}

/// Recomputes `key` from `architecture` and `srs`. What is left to its maker's word are the name and the weights behind the
/// commitments of the model's chunks.
///
/// # Errors
/// What differs first.
pub fn verify_key(key: &VerifyingKey, architecture: &Architecture, srs: &mut Srs) -> Result<(), KeyMismatch> {
    architecture.check(key.cuts)?;
    let system = &architecture.system;
    if system_digest(system) != key.system_digest {
        return Err(KeyMismatch::Field("digest of the constraints"));
    }
    let layout = Layout::new(system, key.cuts);
    if layout.chunks() != key.chunks() {
        return Err(KeyMismatch::Field("number of chunks"));
    }
    if PublicTensor::all_of(system, &layout) != key.publics {
        return Err(KeyMismatch::Field("list of inputs and outputs"));
    }
    if srs.tau_g2 != key.tau_g2 || srs.development != key.development {
        return Err(KeyMismatch::ReferenceString);
    }
    let (have, need) = (srs.powers.len(), 1 << key.cuts.chunk_bits);
    if have < need {
        return Err(ShellError::SrsTooShort { have, need }.into());
    }
    let blocks = architecture.fixed.iter().map(|(id, values)| (layout.block(*id).1.offset, &values[..]));
    let w = flatten(blocks, layout.w_len);
    // Without fixed tensors `w` may end before a whole chunk does.
    let fixed = w.get(layout.w_fixed..).unwrap_or_default();
    let first = layout.w_chunks() - fixed.len().div_ceil(1 << key.cuts.chunk_bits);
    let blinds = vec![ark_bn254::Fr::ZERO; layout.w_chunks() - first];
    if commit_chunks(srs, key.cuts.chunk_bits, fixed, &blinds) != key.w_commitments[first..] {
        return Err(KeyMismatch::Fixed);
    }
    if ShellProvingKey::new(system, &layout, key.shell.columns, srs)?.verifying_key != key.shell {
        return Err(KeyMismatch::Shell);
    }
    Ok(())
}
