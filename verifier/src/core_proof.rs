//! The check of a core proof, which no command takes: for those who test the core argument, its shell left out.

use ark_bn254::Fr;
use vouch_circuits::argument::key::{CoreKey, CoreProof, public_at, statement};
use vouch_circuits::argument::opening::point_digests;
use vouch_circuits::argument::{self, Exports};
use vouch_circuits::backend::Check;
use vouch_circuits::key::{InvalidKey, PublicTensor};
use vouch_circuits::layout::Layout;
use vouch_circuits::transcript::Reader;

use crate::pairing::CoreOpening;
use crate::values::Shown;
use crate::verify::{Refused, check_counts, check_publics};

/// A core key, checked, with what follows from it for every proof.
#[derive(Clone, Debug)]
pub struct PreparedCore {
    key: CoreKey,
    layout: Layout,
    publics: Vec<PublicTensor>,
    digest: [u8; 32],
}

impl PreparedCore {
    /// Checks the key and prepares it for proofs that name it by `digest`.
    ///
    /// # Errors
    /// A key that is not well formed.
    pub fn new(key: CoreKey, digest: [u8; 32]) -> Result<Self, InvalidKey> {
        key.check()?;
        let layout = key.layout();
        let publics = PublicTensor::all_of(&key.system, &layout);
        Ok(Self { key, layout, publics, digest })
    }

    /// The key itself.
    pub fn key(&self) -> &CoreKey {
        &self.key
    }
}

/// Checks `proof` against `key`.
///
/// # Errors
/// The first check that the proof fails.
pub fn verify_core(key: &PreparedCore, proof: &CoreProof) -> Result<Shown, Refused> {
    let PreparedCore { key, layout, publics, digest } = key;
    if proof.key_digest != *digest {
        return Err(Refused::OtherKey);
    }
    check_publics(publics, &proof.hashes, &proof.publics)?;
    // The transcript absorbs a group of points as one digest: that each has the size that the key fixes is checked here.
    check_counts(&layout.chunks(), [&proof.x_commitments, &proof.y_commitments])?;
    let exports = check_argument(key, layout, proof)?;
    let opening = CoreOpening {
        chunks: layout.chunks(),
        w_commitments: &key.w_commitments,
        x_commitments: &proof.x_commitments,
        y_commitments: &proof.y_commitments,
        opening: &proof.opening,
        exports: &exports,
    };
    if !opening.equation()?.holds(key.tau_g2) {
        return Err(Check::Pairing.into());
    }
    let labels = vec![None; publics.len()];
    Ok(Shown::of_publics(publics, &labels, &proof.hashes, &proof.publics, &proof.x_commitments))
}

/// The core argument over the proof's scalars.
fn check_argument(key: &CoreKey, layout: &Layout, proof: &CoreProof) -> Result<Exports<Fr>, Check> {
    let statement = statement(&proof.key_digest, proof.context.as_ref(), &proof.hashes, &proof.publics);
    let digests = point_digests(&statement, &proof.x_commitments, &proof.y_commitments, &proof.opening);
    let mut reader = Reader::new(&proof.scalars, &digests).with_hashes(&proof.hashes);
    let system = &key.system;
    #[expect(clippy::indexing_slicing, reason = "the proof has been found to have as many public tensors as the key")]
    let mut at = |_: &mut Reader, i: usize, point: &[Fr]| {
        public_at(&system.tensor(system.publics[i].tensor).shape, &proof.publics[i], point)
    };
    let exports = argument::verify(&mut reader, system, layout, &mut at)?;
    reader.finish()?;
    Ok(exports)
}
