//! Setup: a program's weights committed, once; the proving and the verifying key.

use ark_bn254::{Fr, G1Affine};
use ark_ff::{PrimeField, Zero};
use sha3::{Digest, Keccak256};
use thiserror::Error;
use vouch_circuits::key::VerifyingKey;
use vouch_circuits::layout::{Layout, Vector, log2_ceil};
use vouch_circuits::lowering::{LowerError, Lowered, lower};
use vouch_circuits::validate::{InvalidSystem, validate};
pub use vouch_circuits::validate::{MAX_CHUNK_BITS, MIN_CHUNK_BITS};
use vouch_program::Program;

use crate::commit::{Srs, commit_chunks};
use crate::witness::{flatten, model_values};

/// Why a setup fails.
#[derive(Debug, Error)]
pub enum SetupError {
    /// The program cannot be lowered.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// The model's constraints are beyond what a verifier accepts.
    #[error("the model is too large to be verified: {0}")]
    System(#[from] InvalidSystem),
    /// The structured reference string is too short.
    #[error(
        "the structured reference string has {have} powers, {need} are needed; use a longer one or a smaller chunk size"
    )]
    SrsTooShort {
        /// Powers present.
        have: usize,
        /// Powers needed.
        need: usize,
    },
    /// The chunk size is outside the supported range.
    #[error("chunks of 2^{0} entries are not supported; choose between 2^{MIN_CHUNK_BITS} and 2^{MAX_CHUNK_BITS}")]
    ChunkBits(usize),
    /// The key does not belong to the program beside it.
    #[error("the proving key's parts do not belong together: {0}")]
    Inconsistent(&'static str),
}

/// All that proving needs. The salt and the blinds that follow from it are secret, and so is the program.
pub struct ProvingKey {
    /// The public part.
    pub verifying_key: VerifyingKey,
    /// Its digest.
    pub key_digest: [u8; 32],
    /// The program, weights included.
    pub program: Program,
    /// The powers that chunks use.
    pub srs: Srs,
    /// Determines the weight commitments' blinds.
    pub salt: [u8; 32],
    pub(crate) lowered: Lowered,
    pub(crate) layout: Layout,
}

/// A chunk size for the program: half way between one chunk (a fast verifier) and many (a fast prover).
pub fn chunk_bits_for(program: &Program) -> Result<usize, SetupError> {
    let layout = Layout::new(&lower(program)?.system, MIN_CHUNK_BITS);
    let total = log2_ceil(layout.x_len + layout.w_len);
    Ok(((total + 8) / 2).clamp(10, 16))
}

/// Commits the program's weights.
///
/// # Errors
/// A program that cannot be lowered, or `srs` with fewer than `2^chunk_bits` powers.
pub fn setup(
    program: Program,
    chunk_bits: usize,
    srs: Srs,
    salt: [u8; 32],
    progress: &mut dyn FnMut(&'static str),
) -> Result<ProvingKey, SetupError> {
    if !(MIN_CHUNK_BITS..=MAX_CHUNK_BITS).contains(&chunk_bits) {
        return Err(SetupError::ChunkBits(chunk_bits));
    }
    let need = 1 << chunk_bits;
    if srs.powers.len() < need {
        return Err(SetupError::SrsTooShort { have: srs.powers.len(), need });
    }
    let mut srs = srs;
    srs.powers.truncate(need);
    progress("lowering");
    let lowered = lower(&program)?;
    validate(&lowered.system, chunk_bits)?;
    let layout = Layout::new(&lowered.system, chunk_bits);
    progress("committing to the weights");
    let w = weight_vector(&lowered, &layout, &model_values(&program, &lowered));
    let w_commitments = commit_chunks(&srs, chunk_bits, &w, &weight_blinds(&layout, &salt));
    let verifying_key = VerifyingKey {
        name: program.name.clone(),
        system: lowered.system.clone(),
        chunk_bits,
        w_commitments,
        tau_g2: srs.tau_g2,
        development: srs.development,
    };
    progress("finishing the keys");
    ProvingKey::assemble(verifying_key, program, lowered, srs, salt)
}

impl ProvingKey {
    /// Puts a key together from its stored parts.
    ///
    /// # Errors
    /// Parts that do not belong together.
    pub fn from_parts(
        verifying_key: VerifyingKey,
        program: Program,
        srs: Srs,
        salt: [u8; 32],
    ) -> Result<Self, SetupError> {
        let lowered = lower(&program)?;
        Self::assemble(verifying_key, program, lowered, srs, salt)
    }

    fn assemble(
        verifying_key: VerifyingKey,
        program: Program,
        lowered: Lowered,
        srs: Srs,
        salt: [u8; 32],
    ) -> Result<Self, SetupError> {
        if lowered.system != verifying_key.system {
            return Err(SetupError::Inconsistent("the verifying key is another program's"));
        }
        let fits = srs.powers.len() == 1 << verifying_key.chunk_bits && srs.tau_g2 == verifying_key.tau_g2;
        if !fits {
            return Err(SetupError::Inconsistent(
                "the verifying key was made with another structured reference string",
            ));
        }
        let key_digest = verifying_key.digest();
        let layout = verifying_key.layout();
        Ok(Self { verifying_key, key_digest, program, srs, salt, lowered, layout })
    }

    /// The constraints and what proving needs beside them.
    pub fn lowered(&self) -> &Lowered {
        &self.lowered
    }

    /// Where everything lies.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The weight commitments, recomputed from the program and the salt.
    pub fn recommit(&self) -> Vec<G1Affine> {
        let w = weight_vector(&self.lowered, &self.layout, &model_values(&self.program, &self.lowered));
        commit_chunks(&self.srs, self.layout.chunk_bits, &w, &weight_blinds(&self.layout, &self.salt))
    }
}

/// The flat vector `w`.
pub(crate) fn weight_vector(lowered: &Lowered, layout: &Layout, values: &[Vec<i32>]) -> Vec<i32> {
    let ids = lowered.model.iter().map(|(t, _)| *t).chain(lowered.fixed.iter().map(|(t, _)| *t));
    let blocks = ids.map(|t| (layout.block(t), t)).filter(|((vector, _), _)| *vector == Vector::W);
    flatten(blocks.map(|((_, block), t)| (block.offset, &values[t.0 as usize][..])), layout.w_len)
}

/// The blinds of `w`'s chunks: 512 pseudo-random bits each from the salt; none in the fixed region, which anyone can recompute.
pub(crate) fn weight_blinds(layout: &Layout, salt: &[u8; 32]) -> Vec<Fr> {
    let fixed = layout.w_fixed >> layout.chunk_bits;
    let half = |chunk: usize, part: u8| {
        let hash = Keccak256::new().chain_update(b"vouch weight blind").chain_update(salt);
        hash.chain_update((chunk as u64).to_be_bytes()).chain_update([part]).finalize()
    };
    let blind = |chunk| Fr::from_be_bytes_mod_order(&[half(chunk, 0), half(chunk, 1)].concat());
    (0..layout.w_chunks()).map(|chunk| if chunk < fixed { blind(chunk) } else { Fr::zero() }).collect()
}
