//! The checks of openings: that the values of one are what a committed input's or output's commitment holds, or a hashed one's hash is of. They need no powers.

use ark_bn254::{Fr, G1Affine};
use ark_ec::AffineRepr;
use thiserror::Error;
use vouch_circuits::blinds::blind_base;
use vouch_circuits::encoding::DecodeError;
use vouch_circuits::files::{self, Kind};
use vouch_circuits::ir::Role;
use vouch_circuits::key::Proof;
use vouch_circuits::points::encode_scalar;
use vouch_circuits::tensor_hash::HashOpening;
use vouch_circuits::tensor_opening::{
    TensorOpening, combined_commitment, combined_polynomial, commitment_id, evaluate,
};

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
    /// The key has no hashed input or output of this shape.
    #[error("the key has no hashed input or output of the shape that the hash is of")]
    NotHashed,
    /// The proof's hashes are others.
    #[error("the proof states another hash")]
    OtherHash,
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

/// What opens an input or output that a proof commits to or states a hash of. Secret as the values are: it has no `Debug`.
#[derive(Clone, PartialEq)]
pub enum Opening {
    /// Of a committed one.
    Committed(TensorOpening),
    /// Of a hashed one.
    Hashed(HashOpening),
}

impl Opening {
    /// From a file of either kind.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn from_bytes(file: &[u8]) -> Result<Self, DecodeError> {
        match files::kind_of(file)? {
            Kind::HashOpening => HashOpening::from_bytes(file).map(Self::Hashed),
            _ => TensorOpening::from_bytes(file).map(Self::Committed),
        }
    }

    /// As a file of its kind, as secret as the values.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Committed(opening) => opening.to_bytes(),
            Self::Hashed(opening) => opening.to_bytes(),
        }
    }

    /// [`verify_opening`] or [`verify_hash_opening`].
    ///
    /// # Errors
    /// Theirs.
    pub fn verify(&self, key: &PreparedKey, proof: Option<&Proof>) -> Result<Opened, OpeningRefused> {
        match self {
            Self::Committed(opening) => verify_opening(key, opening, proof),
            Self::Hashed(opening) => verify_hash_opening(key, opening, proof),
        }
    }

    /// What it opens, in a word, and the 32 bytes by which others know that.
    pub fn public_part(&self) -> (&'static str, [u8; 32]) {
        match self {
            Self::Committed(opening) => ("commitment", commitment_id(&opening.commitments)),
            Self::Hashed(opening) => ("hash", encode_scalar(&opening.hash())),
        }
    }
}

/// Checks that `proof`, which has been verified for this key, has the opening's hash for an input or output of its shape; without a proof,
/// that the key has such an input or output, which anybody's values could be for.
///
/// # Errors
/// There is none.
pub fn verify_hash_opening(
    key: &PreparedKey,
    opening: &HashOpening,
    proof: Option<&Proof>,
) -> Result<Opened, OpeningRefused> {
    let hashed = key.key().publics.iter().enumerate().filter(|(_, public)| public.is_hashed());
    let mut fitting = hashed.enumerate().filter(|(_, (_, public))| public.tensor_shape == opening.shape).peekable();
    if fitting.peek().is_none() {
        return Err(OpeningRefused::NotHashed);
    }
    let hash = opening.hash();
    let is_of = |number: usize| proof.is_none_or(|proof| proof.hashes.get(number) == Some(&hash));
    let (_, (tensor, public)) = fitting.find(|(number, _)| is_of(*number)).ok_or(OpeningRefused::OtherHash)?;
    let values = TensorValues::of(key.key(), tensor, &opening.values).ok_or(OpeningRefused::NotHashed)?;
    Ok(Opened { role: public.role, tensor, values })
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
    let values = TensorValues::of(key, opening.tensor, &opening.values).ok_or(OpeningRefused::NotCommitted)?;
    Ok(Opened { role: public.role, tensor: opening.tensor, values })
}
