//! Openings of committed inputs and outputs: what shows to others, without any power of `τ`, what a proof's commitment holds.
//!
//! An opening is the values, one blind for each chunk, and a KZG proof that the chunks' polynomials, combined by a challenge, take at
//! another challenge the value that follows from the values. Both challenges are Keccak-256 of all that is claimed, so that whoever made the
//! commitments could not fit values to them. Whoever has the powers could compare commitments instead; this needs none.
//!
//! Secret as the values are: it has no `Debug`.

use ark_bn254::{Fr, G1Affine};
use ark_ff::{Field, One, PrimeField};
use sha3::{Digest, Keccak256};

use crate::encoding::{DecodeError, Fields, put_count, put_points};
use crate::files::{self, Kind};
use crate::ir::shape_bits;
use crate::key::PROTOCOL_VERSION;
use crate::lowering::padded_positions;
use crate::points::{G1_BYTES, decode_g1, decode_scalar, encode_g1, encode_scalar};

/// What opens one committed input or output of a proof.
#[derive(Clone, PartialEq)]
pub struct TensorOpening {
    /// Digest of the proof's verifying key.
    pub key_digest: [u8; 32],
    /// Which of the key's inputs and outputs.
    pub tensor: usize,
    /// The proof's commitments to the tensor's chunks.
    pub commitments: Vec<G1Affine>,
    /// The tensor's integers, row-major.
    pub values: Vec<i64>,
    /// The chunks' blinds.
    pub blinds: Vec<Fr>,
    /// The KZG proof: `[(p(τ) − p(z)) / (τ − z)]` for the combined polynomial `p`.
    pub witness: G1Affine,
}

/// The two challenges of an opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpeningChallenges {
    /// Where the polynomial is evaluated.
    pub z: Fr,
    /// Chunk `j` is weighed by `γ^j`.
    pub gamma: Fr,
}

impl TensorOpening {
    /// Both challenges: each 64 bytes, `Keccak(d, 2i)` and `Keccak(d, 2i + 1)`, reduced modulo the order, where `d` is Keccak-256 of all but
    /// the KZG proof.
    pub fn challenges(&self) -> OpeningChallenges {
        let digest = Keccak256::new()
            .chain_update(b"vouch tensor opening")
            .chain_update(PROTOCOL_VERSION.to_be_bytes())
            .chain_update(self.claim())
            .finalize();
        let half = |number: u8| Keccak256::new().chain_update(digest).chain_update([number]).finalize();
        let challenge = |first: u8| Fr::from_be_bytes_mod_order(&[half(first), half(first + 1)].concat());
        OpeningChallenges { z: challenge(0), gamma: challenge(2) }
    }

    /// All but the KZG proof, as bytes.
    fn claim(&self) -> Vec<u8> {
        let mut out = self.key_digest.to_vec();
        put_count(&mut out, self.tensor);
        put_points(&mut out, &self.commitments);
        put_count(&mut out, self.values.len());
        self.values.iter().for_each(|value| out.extend(value.to_be_bytes()));
        put_count(&mut out, self.blinds.len());
        self.blinds.iter().for_each(|blind| out.extend(encode_scalar(blind)));
        out
    }

    /// As a file, as secret as the values.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.claim();
        out.extend(encode_g1(&self.witness));
        files::seal(Kind::TensorOpening, &out)
    }

    /// From a file.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn from_bytes(file: &[u8]) -> Result<Self, DecodeError> {
        let mut body = Fields(files::open(file, Kind::TensorOpening)?);
        let key_digest = body.digest("key digest")?;
        let tensor = body.number("tensor's number")?;
        let commitments = body.list("commitments", G1_BYTES, decode_g1)?;
        let values = body.list("values", 8, |bytes| bytes.try_into().ok().map(i64::from_be_bytes))?;
        let blinds = body.list("blinds", 32, decode_scalar)?;
        let witness = body.g1("proof")?;
        if !body.0.is_empty() {
            return Err(DecodeError::Trailing);
        }
        Ok(Self { key_digest, tensor, commitments, values, blinds, witness })
    }
}

/// The coefficients of the combined polynomial of a tensor's chunks: `Σ_j γ^j·v[2^c·j + i]` for each `i`, the values padded by `shape`.
pub fn combined_polynomial(shape: &[usize], values: &[i64], chunk_bits: usize, gamma: &Fr) -> Vec<Fr> {
    let size = 1usize << chunk_bits.min(shape_bits(shape));
    let mut coefficients = vec![Fr::default(); size];
    let mut weights = vec![Fr::one()];
    for (position, value) in padded_positions(shape).into_iter().zip(values) {
        let chunk = position >> chunk_bits;
        while weights.len() <= chunk {
            let last = weights[weights.len() - 1];
            weights.push(last * gamma);
        }
        coefficients[position % size] += weights[chunk] * Fr::from(*value);
    }
    coefficients
}

/// A polynomial's value.
pub fn evaluate(coefficients: &[Fr], z: &Fr) -> Fr {
    coefficients.iter().rev().fold(Fr::default(), |sum, coefficient| sum * z + coefficient)
}

/// The commitments and blinds combined as the polynomial is: `(C_j, γ^j)` for each chunk, and `Σ_j γ^j·b_j`.
pub fn combined_commitment(opening: &TensorOpening, gamma: &Fr) -> (Vec<(G1Affine, Fr)>, Fr) {
    let weights = (0..).map(|j: u64| gamma.pow([j]));
    let terms: Vec<_> = opening.commitments.iter().copied().zip(weights).collect();
    let blind = terms.iter().zip(&opening.blinds).map(|((_, weight), blind)| *weight * blind).sum();
    (terms, blind)
}

/// Names a committed tensor's commitments in few bytes: Keccak-256 of a tag and the points, in order.
pub fn commitment_id(commitments: &[G1Affine]) -> [u8; 32] {
    let mut hash = Keccak256::new().chain_update(b"vouch tensor commitment");
    commitments.iter().for_each(|point| hash.update(encode_g1(point)));
    hash.finalize().into()
}
