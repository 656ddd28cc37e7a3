//! What setup and proving hand to the verifier: the verifying key and the proof.
//!
//! The key names the architecture by a digest only: that the shell's key is of a circuit that checks its constraints, whoever holds the
//! architecture can recompute.

use std::ops::Range;

use ark_bn254::{Fr, G1Affine, G2Affine};
use serde::{Deserialize, Serialize};
use sha3::{Digest, Keccak256};
use thiserror::Error;

use crate::argument::key::check_points;
use crate::argument::opening::OpeningPoints;
use crate::encoding::encode;
use crate::ir::{Classes, ConstraintSystem, Role, Visibility, shape_bits};
use crate::layout::{Chunks, Cuts, Layout};
use crate::points::encode_g2;
use crate::shell::ShellKey;
use crate::validate::{
    InvalidSystem, MAX_CHUNK_BITS, MAX_SIZE_BITS, MIN_CHUNK_BITS, Problem, check_fracs, check_inferences,
    check_public_range, check_shape, check_visibility,
};

/// Version of the protocol; part of every key's digest.
pub const PROTOCOL_VERSION: u32 = 22;
/// Most chunks of one vector.
pub const MAX_CHUNKS: usize = 1 << 20;

/// All that checking a proof needs. Holds no secret.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifyingKey {
    /// The model's name, for people.
    pub name: String,
    /// Names the architecture, which the constraints follow from ([`crate::architecture::Architecture::digest`]).
    pub architecture: [u8; 32],
    /// Where vectors and the fraction tree are cut.
    pub cuts: Cuts,
    /// Chunks of `x`, the mask chunk among them.
    pub x_chunks: usize,
    /// Chunks of `y`; 0 if no fractions are committed to.
    pub y_chunks: usize,
    /// One commitment for each chunk of `w`, blinded but for the fixed region's.
    pub w_commitments: Vec<G1Affine>,
    /// `[τ]_2`.
    pub tau_g2: G2Affine,
    /// Whether the structured reference string was made locally, so that its maker could forge proofs.
    pub development: bool,
    /// Inputs and outputs, in the constraints' order.
    pub publics: Vec<PublicTensor>,
    /// The shell's.
    pub shell: ShellKey,
    /// The names of classes that outputs speak of, in the order of the outputs that do. Not part of what digests are of, but for the names' own.
    pub labels: Vec<Labels>,
}

/// Names of classes, in the order of their numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels(pub Vec<String>);

impl Labels {
    /// The most names.
    pub const MAX_COUNT: usize = 1 << 16;
    /// The most bytes of a name.
    pub const MAX_BYTES: usize = 256;

    /// Names them.
    pub fn digest(&self) -> [u8; 32] {
        Keccak256::new().chain_update(b"vouch labels v1").chain_update(encode(self)).finalize().into()
    }

    /// The name of a class, if it has one.
    pub fn name(&self, class: usize) -> Option<&str> {
        self.0.get(class).map(String::as_str)
    }

    /// Whether they are within bounds.
    pub fn are_bounded(&self) -> bool {
        self.0.len() <= Self::MAX_COUNT && self.0.iter().all(|name| name.len() <= Self::MAX_BYTES)
    }
}

/// An input or output; its values are part of the statement if it is public.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicTensor {
    /// Input or output.
    pub role: Role,
    /// What a proof shows of it.
    pub visibility: Visibility,
    /// The ONNX file's name for it.
    pub name: String,
    /// The shape that its values are padded by.
    pub tensor_shape: Vec<usize>,
    /// The ONNX file's shape for it; as many elements.
    pub shape: Vec<usize>,
    /// The real value of an integer `q` is `q · 2^-frac`.
    pub frac: i32,
    /// Where columns have scales of their own: one `frac` for each place along the last axis of `shape`. Else empty.
    pub column_fracs: Vec<i32>,
    /// Least and greatest value that an honest run can have.
    pub range: (i64, i64),
    /// Of how many inferences it has the places, side by side.
    pub inferences: usize,
    /// Whether it tells a class.
    pub classes: Classes,
    /// The first chunk of `x` that holds it alone and the one after the last, if it is committed; else both 0.
    pub chunks: (u32, u32),
}

impl PublicTensor {
    /// A system's, in order.
    pub fn all_of(system: &ConstraintSystem, layout: &Layout) -> Vec<Self> {
        // A vector has at most 2^20 chunks.
        let chunks = |chunks: Range<usize>| (chunks.start as u32, chunks.end as u32);
        let public = |public: &crate::ir::Public| Self {
            role: public.role,
            visibility: public.visibility,
            name: public.name.clone(),
            tensor_shape: system.tensor(public.tensor).shape.clone(),
            shape: public.shape.clone(),
            frac: public.frac,
            column_fracs: public.column_fracs.clone(),
            range: public.range,
            inferences: public.inferences,
            classes: public.classes,
            chunks: if public.is_committed() { chunks(layout.chunks_of(public.tensor)) } else { (0, 0) },
        };
        system.publics.iter().map(public).collect()
    }

    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.tensor_shape.iter().product()
    }

    /// Whether its values are part of the statement.
    pub fn is_stated(&self) -> bool {
        self.visibility == Visibility::Public
    }

    /// Whether it has commitments of its own.
    pub fn is_committed(&self) -> bool {
        self.visibility == Visibility::Committed
    }

    /// Whether a hash of it is part of the statement.
    pub fn is_hashed(&self) -> bool {
        self.visibility == Visibility::Hashed
    }

    /// Number of values that a proof states.
    pub fn values(&self) -> usize {
        if self.is_stated() { self.elements() } else { 0 }
    }

    /// The chunks of `x` that hold it alone; none unless it is committed.
    pub fn commitments(&self) -> Range<usize> {
        self.chunks.0 as usize..self.chunks.1 as usize
    }

    /// For vectors that are cut like this.
    fn check(&self, cut: &Chunks) -> Result<(), Problem> {
        check_shape(&self.tensor_shape)?;
        check_shape(&self.shape)?;
        if self.elements() != self.shape.iter().product::<usize>() {
            return Err(Problem::Public);
        }
        check_visibility(self.role, self.visibility, self.range)?;
        check_public_range(self.range)?;
        check_fracs(&self.shape, self.frac, &self.column_fracs)?;
        check_inferences(self.role, self.elements(), self.inferences, self.classes)?;
        let (chunks, bits) = (self.commitments(), shape_bits(&self.tensor_shape));
        let fits = match self.visibility {
            // The last one is the mask's.
            Visibility::Committed => chunks.len() == 1 << bits.saturating_sub(cut.bits) && chunks.end < cut.x,
            _ => self.chunks == (0, 0),
        };
        if fits { Ok(()) } else { Err(Problem::Chunks) }
    }
}

/// Names a structured reference string, however many of its powers one has: the Keccak-256 digest of `[τ]_2`.
pub fn srs_id(tau_g2: &G2Affine) -> [u8; 32] {
    Keccak256::digest(encode_g2(tau_g2)).into()
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
    /// A number of chunks, or a chunk size, that no key has.
    #[error("the verifying key's chunks are not {MIN_CHUNK_BITS} to {MAX_CHUNK_BITS} bits in size, or too many")]
    Chunks,
    /// The shell's key is not one.
    #[error("the verifying key's part for the shell is not well formed")]
    Shell,
    /// Names of classes that no output speaks of, or others than it speaks of.
    #[error("the verifying key's names of classes are not those that its outputs speak of")]
    Labels,
}

impl VerifyingKey {
    /// How the vectors are cut.
    pub fn chunks(&self) -> Chunks {
        Chunks { bits: self.cuts.chunk_bits, x: self.x_chunks, y: self.y_chunks, w: self.w_commitments.len() }
    }

    /// Coordinates of the leaf point that are public: as many as the widest public tensor has.
    pub fn exported_leaf(&self) -> usize {
        let stated = self.publics.iter().filter(|public| public.is_stated());
        stated.map(|public| shape_bits(&public.tensor_shape)).max().unwrap_or(0)
    }

    /// Whether the key is well formed, so that verifying with it is safe whatever the proof. It is still its maker's word that the
    /// commitments are to a certain model's weights, that the shell checks the constraints, and that nobody knows the reference string's
    /// secret.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn check(&self) -> Result<(), InvalidKey> {
        let chunks = self.chunks();
        let sized = (MIN_CHUNK_BITS..=MAX_CHUNK_BITS).contains(&chunks.bits);
        if !(sized && (1..=MAX_CHUNKS).contains(&chunks.x) && chunks.y.max(chunks.w) <= MAX_CHUNKS) {
            return Err(InvalidKey::Chunks);
        }
        // Fractions are committed to, or they are not.
        if self.cuts.layer > MAX_SIZE_BITS || (self.cuts.layer == 0) != (chunks.y == 0) {
            return Err(InvalidKey::Chunks);
        }
        for (i, public) in self.publics.iter().enumerate() {
            let place = format!("public tensor {i} ({:?})", public.name);
            public.check(&chunks).map_err(|problem| InvalidSystem { place, problem })?;
        }
        self.check_labels()?;
        check_points(&self.tau_g2, &self.w_commitments)?;
        if self.shell.is_well_formed() { Ok(()) } else { Err(InvalidKey::Shell) }
    }

    /// The public tensors whose classes have names.
    fn labelled(&self) -> impl Iterator<Item = (&PublicTensor, [u8; 32])> {
        self.publics.iter().filter_map(|public| match public.classes {
            Classes::Named(digest) => Some((public, digest)),
            Classes::None | Classes::Numbered => None,
        })
    }

    fn check_labels(&self) -> Result<(), InvalidKey> {
        let all = self.labelled().count() == self.labels.len() && self.labels.iter().all(Labels::are_bounded);
        let fit = |((public, digest), labels): ((&PublicTensor, [u8; 32]), &Labels)| {
            let places = public.shape.last().copied().unwrap_or(1);
            labels.digest() == digest && (places == 1 || places == labels.0.len())
        };
        if all && self.labelled().zip(&self.labels).all(fit) { Ok(()) } else { Err(InvalidKey::Labels) }
    }

    /// The names of a public tensor's classes, if they have any; `public` is its number.
    pub fn labels_of(&self, public: usize) -> Option<&Labels> {
        let Classes::Named(_) = self.publics.get(public)?.classes else { return None };
        let named = |public: &&PublicTensor| matches!(public.classes, Classes::Named(_));
        self.labels.get(self.publics.iter().take(public).filter(named).count())
    }

    /// How many inferences a proof is of.
    pub fn inferences(&self) -> usize {
        self.publics.iter().map(|public| public.inferences).max().unwrap_or(1)
    }
}

/// A proof: zero-knowledge, and of few kilobytes; it grows with the number of chunks, not with the model's depth.
#[derive(Clone, Debug, PartialEq)]
pub struct Proof {
    /// Digest of the verifying key that it was made for.
    pub key_digest: [u8; 32],
    /// What the proof is bound to, if to anything: a request's id, a contract's address.
    pub context: Option<[u8; 32]>,
    /// The hashes of hashed inputs and outputs, in the key's order.
    pub hashes: Vec<Fr>,
    /// The inputs' and outputs' integers, in the key's order; none of one that is not public.
    pub publics: Vec<Vec<i64>>,
    /// One commitment for each chunk of `x`, and the mask chunk's.
    pub x_commitments: Vec<G1Affine>,
    /// One commitment for each chunk of `y`.
    pub y_commitments: Vec<G1Affine>,
    /// The opening's group elements.
    pub opening: OpeningPoints,
    /// What the argument leaves outside, in the shell's order ([`crate::shell::instances::export_list`]).
    pub exports: Vec<Fr>,
    /// The shell's proof.
    pub shell: Vec<u8>,
}
