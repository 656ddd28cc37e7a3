//! The core's part of a setup: a program's weights committed, once.

use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ff::{PrimeField, Zero};
use sha3::{Digest, Keccak256};
use vouch_circuits::argument::key::CoreKey;
use vouch_circuits::layout::{Cuts, Layout, Vector};
use vouch_circuits::lowering::Lowered;
use vouch_circuits::points::encode_g2;
use vouch_circuits::validate::{MAX_CHUNK_BITS, MIN_CHUNK_BITS, validate};
use vouch_program::Program;

use crate::choice::Choice;
use crate::commit::{Srs, commit_chunks};
use crate::setup::{SetupError, SetupOptions};
use crate::witness::{flatten, model_values};

/// All that proving the core needs. The salt and the blinds that follow from it are secret, and so is the program.
pub struct CoreProvingKey {
    /// The public part.
    pub key: CoreKey,
    /// What proofs name the key by.
    pub key_digest: [u8; 32],
    /// The program, weights included.
    pub program: Program,
    /// At least the powers that chunks use.
    pub srs: Srs,
    /// Determines the weight commitments' blinds.
    pub salt: [u8; 32],
    pub(crate) w_blinds: Vec<Fr>,
    pub(crate) lowered: Lowered,
    pub(crate) layout: Layout,
}

/// Commits the program's weights. Proofs name the key by its own digest.
///
/// # Errors
/// A program that cannot be lowered, or `srs` with fewer than `2^chunk_bits` powers.
pub fn setup_core(
    program: Program,
    options: &SetupOptions,
    srs: Srs,
    salt: [u8; 32],
    progress: &mut dyn FnMut(&'static str),
) -> Result<CoreProvingKey, SetupError> {
    progress("lowering");
    let (_, Choice { lowered, cuts, .. }) = options.choose(&program)?;
    commit_weights(program, lowered, cuts, srs, salt, progress)
}

/// The same for a program that has been lowered.
pub(crate) fn commit_weights(
    program: Program,
    lowered: Lowered,
    cuts: Cuts,
    srs: Srs,
    salt: [u8; 32],
    progress: &mut dyn FnMut(&'static str),
) -> Result<CoreProvingKey, SetupError> {
    let chunk_bits = cuts.chunk_bits;
    if !(MIN_CHUNK_BITS..=MAX_CHUNK_BITS).contains(&chunk_bits) {
        return Err(SetupError::ChunkBits(chunk_bits));
    }
    let (have, need) = (srs.powers.len(), 1 << chunk_bits);
    if have < need {
        return Err(SetupError::SrsTooShort { have, need });
    }
    validate(&lowered.system, cuts)?;
    let layout = Layout::new(&lowered.system, cuts);
    progress("committing to the weights");
    let w = weight_vector(&lowered, &layout, &model_values(&program, &lowered));
    let w_blinds = weight_blinds(&layout, &salt, &srs.tau_g2, &w);
    let w_commitments = commit_chunks(&srs, chunk_bits, &w, &w_blinds);
    let key = CoreKey { system: lowered.system.clone(), cuts, w_commitments, tau_g2: srs.tau_g2 };
    let key_digest = key.digest();
    Ok(CoreProvingKey { key, key_digest, program, srs, salt, w_blinds, lowered, layout })
}

impl CoreProvingKey {
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
        let blinds = weight_blinds(&self.layout, &self.salt, &self.srs.tau_g2, &w);
        commit_chunks(&self.srs, self.layout.chunk_bits, &w, &blinds)
    }
}

/// The flat vector `w`.
pub(crate) fn weight_vector(lowered: &Lowered, layout: &Layout, values: &[Vec<i32>]) -> Vec<i32> {
    let ids = lowered.model.iter().map(|(t, _)| *t).chain(lowered.fixed.iter().map(|(t, _)| *t));
    let blocks = ids.map(|t| (layout.block(t), t)).filter(|((vector, _), _)| *vector == Vector::W);
    flatten(blocks.map(|((_, block), t)| (block.offset, &values[t.0 as usize][..])), layout.w_len)
}

/// The blinds of `w`'s chunks: 512 pseudo-random bits each from the salt and all that is committed, so that one salt for two versions of
/// a model, or two reference strings, does not show what lies between their commitments; none in the fixed region, which anyone can
/// recompute.
pub(crate) fn weight_blinds(layout: &Layout, salt: &[u8; 32], tau_g2: &G2Affine, w: &[i32]) -> Vec<Fr> {
    let fixed = layout.w_fixed >> layout.chunk_bits;
    let mut committed = Keccak256::new();
    w.iter().for_each(|entry| committed.update(entry.to_be_bytes()));
    let seed = Keccak256::new()
        .chain_update(b"vouch weight blinds")
        .chain_update(salt)
        .chain_update(encode_g2(tau_g2))
        .chain_update((layout.chunk_bits as u64).to_be_bytes())
        .chain_update(committed.finalize());
    let half = |chunk: usize, part: u8| {
        seed.clone().chain_update((chunk as u64).to_be_bytes()).chain_update([part]).finalize()
    };
    let blind = |chunk| Fr::from_be_bytes_mod_order(&[half(chunk, 0), half(chunk, 1)].concat());
    (0..layout.w_chunks()).map(|chunk| if chunk < fixed { blind(chunk) } else { Fr::zero() }).collect()
}
