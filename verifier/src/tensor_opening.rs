//! The check of a committed input's or output's opening: that its values are what the commitment holds. It needs no powers.

use ark_bn254::{Fr, G1Affine};
use ark_ec::AffineRepr;
use thiserror::Error;
use vouch_circuits::blinds::blind_base;
use vouch_circuits::ir::Role;
use vouch_circuits::key::Proof;
use vouch_circuits::tensor_opening::{TensorOpening, combined_commitment, combined_polynomial, evaluate};

use crate::pairing::Equation;
use crate::values::TensorValues;
use crate::verify::PreparedKey;

/// Why an opening is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OpeningRefused {
    /// Made for another key.
    #[error("the opening was made for another verifying key, perhaps another model")]
    OtherKey,
    /// The key has no such committed input or output.
    #[error("the opening is of no committed input or output of the key's")]
    NotCommitted,
    /// Not as many commitments, values or blinds as the tensor has.
    #[error("the opening has not as many values, commitments or blinds as {0:?}")]
    Size(String),
    /// A value that no accepted proof has.
    #[error("value {position} of {name:?} lies outside the range that the model declares")]
    Range {
        /// The input's or output's name.
        name: String,
        /// Row-major.
        position: usize,
    },
    /// The proof's commitments are others.
    #[error("the proof commits to another {0:?}")]
    OtherCommitment(String),
    /// A point that is not on the curve.
    #[error("a point of the opening is not on the curve")]
    Point,
    /// The equation does not hold.
    #[error("the values are not those that {0:?} is committed to by")]
    Values(String),
}

/// What an opening shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    /// Input or output.
    pub role: Role,
    /// Which of the key's inputs and outputs.
    pub tensor: usize,
    /// Its values.
    pub values: TensorValues,
}

/// Checks that the opening's values are those behind its commitments, and that `proof`, which has been verified for this key, has these
/// commitments, if one is given.
///
/// # Errors
/// The first check that the opening fails.
pub fn verify_opening(
    key: &PreparedKey,
    opening: &TensorOpening,
    proof: Option<&Proof>,
) -> Result<Opened, OpeningRefused> {
    if opening.key_digest != key.digest() {
        return Err(OpeningRefused::OtherKey);
    }
    let key = key.key();
    let public = key.publics.get(opening.tensor).filter(|public| public.is_committed());
    let public = public.ok_or(OpeningRefused::NotCommitted)?;
    let (name, chunks) = (|| public.name.clone(), public.commitments());
    let sizes = [opening.values.len(), opening.commitments.len(), opening.blinds.len()];
    if sizes != [public.elements(), chunks.len(), chunks.len()] {
        return Err(OpeningRefused::Size(name()));
    }
    let (least, greatest) = public.range;
    if let Some(position) = opening.values.iter().position(|value| !(least..=greatest).contains(value)) {
        return Err(OpeningRefused::Range { name: name(), position });
    }
    if proof.is_some_and(|proof| proof.x_commitments.get(chunks) != Some(&opening.commitments)) {
        return Err(OpeningRefused::OtherCommitment(name()));
    }
    if !opening.commitments.iter().chain([&opening.witness]).all(G1Affine::is_on_curve) {
        return Err(OpeningRefused::Point);
    }
    // C − b·B − p(z)·[1] + z·W against τ times W.
    let challenges = opening.challenges();
    let polynomial = combined_polynomial(&public.tensor_shape, &opening.values, key.cuts.chunk_bits, &challenges.gamma);
    let (mut left, blind): (Vec<(G1Affine, Fr)>, Fr) = combined_commitment(opening, &challenges.gamma);
    left.extend([
        (blind_base(), -blind),
        (G1Affine::generator(), -evaluate(&polynomial, &challenges.z)),
        (opening.witness, challenges.z),
    ]);
    if !Equation::new(left, opening.witness).holds(key.tau_g2) {
        return Err(OpeningRefused::Values(name()));
    }
    let values = TensorValues::new(&public.name, &public.shape, public.frac, &opening.values);
    Ok(Opened { role: public.role, tensor: opening.tensor, values })
}
