//! What setup and proving hand to the verifier: the verifying key and the core proof.

use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use sha3::{Digest, Keccak256};
use thiserror::Error;

use crate::argument::opening::OpeningPoints;
use crate::ir::{ConstraintSystem, axis_ranges};
use crate::layout::Layout;
use crate::mle::eq_table;
use crate::points::is_in_g2;
use crate::transcript::digest_limbs;
use crate::validate::{InvalidSystem, validate};

/// Version of the core's protocol; part of every key's digest.
pub const PROTOCOL_VERSION: u32 = 2;

/// All that checking a proof needs: the constraints, and the commitments to the weights. Holds no secret.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifyingKey {
    /// The model's name, for people.
    pub name: String,
    /// Every constraint of the model.
    pub system: ConstraintSystem,
    /// Binary logarithm of the chunk size.
    pub chunk_bits: usize,
    /// One commitment for each chunk of `w`, blinded but for the fixed region's.
    pub w_commitments: Vec<G1Affine>,
    /// `[τ]_2`.
    pub tau_g2: G2Affine,
    /// Whether the structured reference string was made locally, so that its maker could forge proofs.
    pub development: bool,
}

/// Why a verifying key is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidKey {
    /// The constraints make no sense.
    #[error("the verifying key's constraints are not well formed: {0}")]
    System(#[from] InvalidSystem),
    /// Not one weight commitment for each chunk.
    #[error("the verifying key has {have} weight commitments, its constraints need {need}")]
    Commitments {
        /// Present.
        have: usize,
        /// Needed.
        need: usize,
    },
    /// A group element is not on its curve or not in its group.
    #[error("the verifying key's {0} is not the group element that it should be")]
    Point(&'static str),
}

impl VerifyingKey {
    /// Where everything lies.
    pub fn layout(&self) -> Layout {
        Layout::new(&self.system, self.chunk_bits)
    }

    /// Whether the key is well formed, so that verifying with it is safe whatever the proof. It is still its maker's word that the
    /// commitments are to a certain model's weights, and that nobody knows the reference string's secret.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn check(&self) -> Result<(), InvalidKey> {
        validate(&self.system, self.chunk_bits)?;
        let (have, need) = (self.w_commitments.len(), self.layout().w_chunks());
        if have != need {
            return Err(InvalidKey::Commitments { have, need });
        }
        let points = [
            ("power in G2", is_in_g2(&self.tau_g2) && !self.tau_g2.is_zero()),
            ("weight commitment", self.w_commitments.iter().all(|point| point.is_on_curve())),
        ];
        match points.iter().find(|(_, good)| !good) {
            Some((what, _)) => Err(InvalidKey::Point(what)),
            None => Ok(()),
        }
    }
}

/// A core proof: succinct, not yet zero-knowledge.
#[derive(Clone, Debug, PartialEq)]
pub struct CoreProof {
    /// Digest of the verifying key that it was made for.
    pub key_digest: [u8; 32],
    /// The public tensors' integers, in the order of the system's `publics`.
    pub publics: Vec<Vec<i64>>,
    /// One commitment for each chunk of `x`, and the mask chunk's.
    pub x_commitments: Vec<G1Affine>,
    /// The transcript's scalars, in order.
    pub scalars: Vec<Fr>,
    /// The opening's group elements.
    pub opening: OpeningPoints,
}

/// What the transcript begins with: the key's digest and the Keccak-256 digest of the public values (each tensor as its length and its
/// integers, 8 bytes big-endian each, two's complement), as two 128-bit limbs each.
pub fn statement(key_digest: &[u8; 32], publics: &[Vec<i64>]) -> Vec<Fr> {
    let mut hash = Keccak256::new();
    for values in publics {
        hash.update((values.len() as u64).to_be_bytes());
        for value in values {
            hash.update(value.to_be_bytes());
        }
    }
    [digest_limbs(key_digest), digest_limbs(&hash.finalize())].concat()
}

/// The multilinear extension, at `point`, of a public tensor's integers on its zero-padded shape.
pub fn public_at(shape: &[usize], values: &[i64], point: &[Fr]) -> Fr {
    let weights: Vec<Vec<Fr>> = axis_ranges(shape).into_iter().map(|r| eq_table(&point[r])).collect();
    // Folds the last axis first.
    let mut folded: Vec<Fr> = values.iter().map(|v| Fr::from(*v)).collect();
    for (len, weights) in shape.iter().zip(&weights).rev() {
        folded = folded.chunks(*len).map(|row| row.iter().zip(weights).map(|(v, w)| *v * w).sum()).collect();
    }
    folded.first().copied().unwrap_or_default()
}
