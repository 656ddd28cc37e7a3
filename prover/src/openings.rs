//! The openings of committed inputs and outputs ([`vouch_circuits::tensor_opening`]): made with a proof, used again with a later one.

use ark_bn254::{Fr, G1Affine};
use ark_ec::{AffineRepr, CurveGroup};
use thiserror::Error;
use vouch_circuits::argument::key::CoreProof;
use vouch_circuits::ir::ConstraintSystem;
use vouch_circuits::layout::Layout;
use vouch_circuits::tensor_opening::{TensorOpening, combined_polynomial};

use crate::commit::opening::divide_by_linear;
use crate::commit::{Srs, msm};
use crate::witness::{Witness, unpad};

/// Why an opening cannot be used again.
#[derive(Debug, Error)]
pub enum ReuseError {
    /// It belongs to other keys.
    #[error("the opening was made with another key")]
    OtherKey,
    /// The key commits to nothing that it could open, or two openings are of one tensor.
    #[error("the opening is of no committed tensor of this model, or of one that another opening is of")]
    Tensor,
    /// No hashed input or output of the run has these values and shape.
    #[error("no hashed input or output of this run has the values that the hash is of")]
    Hash,
    /// A value has changed: the old blind would show the difference.
    #[error("{name:?} has other values in this run than in the opening; its commitment cannot be used again")]
    OtherValues {
        /// The input's or output's name.
        name: String,
    },
}

/// Puts the openings' blinds in place of the drawn ones.
///
/// # Errors
/// An opening of another key or of nothing.
pub(crate) fn use_again(
    openings: &[TensorOpening],
    key_digest: &[u8; 32],
    (system, layout): (&ConstraintSystem, &Layout),
    blinds: &mut [Fr],
) -> Result<(), ReuseError> {
    for (i, opening) in openings.iter().enumerate() {
        if opening.key_digest != *key_digest {
            return Err(ReuseError::OtherKey);
        }
        let public = system.publics.get(opening.tensor).filter(|public| public.is_committed());
        let again = openings[..i].iter().any(|other| other.tensor == opening.tensor);
        let chunks =
            public.filter(|_| !again).map(|public| layout.chunks_of(public.tensor)).ok_or(ReuseError::Tensor)?;
        if chunks.len() != opening.blinds.len() {
            return Err(ReuseError::Tensor);
        }
        blinds[chunks].copy_from_slice(&opening.blinds);
    }
    Ok(())
}

/// That the commitments came out as the openings have them.
///
/// # Errors
/// Other values.
pub(crate) fn expect_same(
    openings: &[TensorOpening],
    (system, layout): (&ConstraintSystem, &Layout),
    x_commitments: &[G1Affine],
) -> Result<(), ReuseError> {
    for opening in openings {
        let public = &system.publics[opening.tensor];
        if x_commitments[layout.chunks_of(public.tensor)] != opening.commitments {
            return Err(ReuseError::OtherValues { name: public.name.clone() });
        }
    }
    Ok(())
}

/// The openings of all tensors that a proof commits to by themselves, in the key's order.
pub(crate) fn openings_of(
    (system, layout): (&ConstraintSystem, &Layout),
    srs: &Srs,
    witness: &Witness,
    proof: &CoreProof,
    blinds: &[Fr],
) -> Vec<TensorOpening> {
    let committed = system.publics.iter().enumerate().filter(|(_, public)| public.is_committed());
    let open = |(tensor, public): (usize, &vouch_circuits::ir::Public)| {
        let shape = &system.tensor(public.tensor).shape;
        let chunks = layout.chunks_of(public.tensor);
        let mut opening = TensorOpening {
            key_digest: proof.key_digest,
            tensor,
            commitments: proof.x_commitments[chunks.clone()].to_vec(),
            values: unpad(shape, &witness.values[public.tensor.0 as usize]),
            blinds: blinds[chunks].to_vec(),
            witness: G1Affine::zero(),
        };
        let challenges = opening.challenges();
        let polynomial = combined_polynomial(shape, &opening.values, layout.chunk_bits, &challenges.gamma);
        opening.witness = msm(&srs.powers, &divide_by_linear(&polynomial, &challenges.z).0).into_affine();
        opening
    };
    committed.map(open).collect()
}
