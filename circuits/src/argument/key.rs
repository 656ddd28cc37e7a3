//! What the core argument alone is proven and checked with. A proof for others wraps a core proof in the shell
//! ([`crate::key`]): these values stay with the prover, and with those who test the core.

use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use sha3::{Digest, Keccak256};

use super::opening::OpeningPoints;
use crate::encoding::{put_points, put_system};
use crate::ir::{ConstraintSystem, axis_ranges};
use crate::key::{InvalidKey, PROTOCOL_VERSION};
use crate::layout::{Cuts, Layout};
use crate::mle::eq_table;
use crate::points::{encode_g2, encode_scalar, is_in_g2};
use crate::validate::validate;

/// The constraints and the commitments to the weights.
#[derive(Clone, Debug, PartialEq)]
pub struct CoreKey {
    /// Every constraint of the model.
    pub system: ConstraintSystem,
    /// Where vectors and the fraction tree are cut.
    pub cuts: Cuts,
    /// One commitment for each chunk of `w`, blinded but for the fixed region's.
    pub w_commitments: Vec<G1Affine>,
    /// `[τ]_2`.
    pub tau_g2: G2Affine,
}

impl CoreKey {
    /// Where everything lies.
    pub fn layout(&self) -> Layout {
        Layout::new(&self.system, self.cuts)
    }

    /// Whether the key is well formed.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn check(&self) -> Result<(), InvalidKey> {
        validate(&self.system, self.cuts)?;
        let (have, need) = (self.w_commitments.len(), self.layout().w_chunks());
        if have != need {
            return Err(InvalidKey::Commitments { have, need });
        }
        check_points(&self.tau_g2, &self.w_commitments)
    }

    /// Names everything in it.
    pub fn digest(&self) -> [u8; 32] {
        let Cuts { chunk_bits, layer } = self.cuts;
        let mut bytes: Vec<u8> = [chunk_bits, layer].map(|cut| u8::try_from(cut).unwrap_or(u8::MAX)).to_vec();
        bytes.extend(encode_g2(&self.tau_g2));
        put_points(&mut bytes, &self.w_commitments);
        put_system(&mut bytes, &self.system);
        let hash = Keccak256::new().chain_update(b"vouch core key").chain_update(PROTOCOL_VERSION.to_be_bytes());
        hash.chain_update(bytes).finalize().into()
    }
}

/// Whether a key's group elements are in their groups.
pub(crate) fn check_points(tau_g2: &G2Affine, w_commitments: &[G1Affine]) -> Result<(), InvalidKey> {
    if tau_g2.is_zero() || !is_in_g2(tau_g2) {
        return Err(InvalidKey::Point("power in G2"));
    }
    if w_commitments.iter().all(|point| point.is_on_curve()) {
        Ok(())
    } else {
        Err(InvalidKey::Point("weight commitment"))
    }
}

/// A core proof: succinct, not zero-knowledge.
#[derive(Clone, Debug, PartialEq)]
pub struct CoreProof {
    /// Digest of the key that it was made for.
    pub key_digest: [u8; 32],
    /// What the proof is bound to, if to anything.
    pub context: Option<[u8; 32]>,
    /// The hashes of hashed inputs and outputs, in the order of the system's `publics`.
    pub hashes: Vec<Fr>,
    /// The inputs' and outputs' integers, in the order of the system's `publics`; none of one that is not public.
    pub publics: Vec<Vec<i64>>,
    /// One commitment for each chunk of `x`, and the mask chunk's.
    pub x_commitments: Vec<G1Affine>,
    /// One commitment for each chunk of `y`.
    pub y_commitments: Vec<G1Affine>,
    /// The transcript's scalars, in order.
    pub scalars: Vec<Fr>,
    /// The opening's group elements.
    pub opening: OpeningPoints,
}

/// What is stated: the Keccak-256 digest of the key's digest, the context (a byte 0, or a byte 1 and its 32 bytes), the hashes, then each public tensor
/// as its length and its integers, 8 bytes big-endian each, two's complement. How many hashes there are the key says.
pub fn statement(key_digest: &[u8; 32], context: Option<&[u8; 32]>, hashes: &[Fr], publics: &[Vec<i64>]) -> [u8; 32] {
    let mut hash = Keccak256::new().chain_update(key_digest);
    match context {
        None => hash.update([0]),
        Some(context) => {
            hash.update([1]);
            hash.update(context);
        }
    }
    for hashed in hashes {
        hash.update(encode_scalar(hashed));
    }
    for values in publics {
        hash.update((values.len() as u64).to_be_bytes());
        for value in values {
            hash.update(value.to_be_bytes());
        }
    }
    hash.finalize().into()
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
