//! A model with whole keys: what goes for a core proof must go for the proof that wraps it.

use std::sync::LazyLock;

use vouch_circuits::argument::key::CoreProof;
use vouch_circuits::key::Proof;
use vouch_circuits::shell::Recording;
use vouch_prover::commit::Srs;
use vouch_prover::shell::record_proof;
use vouch_prover::{Needs, ProvingKey, SetupOptions, prove, setup};
use vouch_verifier::PreparedKey;

use crate::programs::*;
use crate::scene::CHUNK_BITS;

/// [`DENSE`] with its keys.
pub struct Wrapped {
    pub key: ProvingKey,
    pub prepared: PreparedKey,
}

/// The one of these tests.
pub fn wrapped() -> &'static Wrapped {
    static WRAPPED: LazyLock<Wrapped> = LazyLock::new(|| Wrapped::new(1));
    &WRAPPED
}

impl Wrapped {
    pub fn new(salt: u8) -> Self {
        static SRS: LazyLock<Srs> = LazyLock::new(|| {
            let needs = Needs::of(&DENSE.program, &SetupOptions::chunk_bits(CHUNK_BITS)).unwrap();
            Srs::development_with_lagrange(needs.powers(), &[needs.k], &mut rand::rng())
        });
        let key =
            setup(DENSE.program.clone(), &SetupOptions::chunk_bits(CHUNK_BITS), SRS.clone(), [salt; 32], &mut |_| {})
                .unwrap();
        let prepared = PreparedKey::new(key.verifying_key.clone()).unwrap();
        Self { key, prepared }
    }

    /// An honest proof.
    pub fn prove(&self, context: Option<[u8; 32]>) -> Proof {
        prove(&self.key, &DENSE.inputs, context, &mut |_| {}).unwrap()
    }

    /// The verifier's run on a core proof.
    pub fn record(&self, core: &CoreProof) -> Recording {
        record_proof(&self.key.core.key.system, self.key.core.layout(), core)
    }

    /// The proof around a core proof, whatever its run.
    pub fn wrap(&self, core: &CoreProof) -> Proof {
        let recording = self.record(core);
        let exports = recording.exports.clone();
        let shell = self.key.shell.prove(recording).unwrap();
        let CoreProof { key_digest, context, publics, x_commitments, opening, .. } = core.clone();
        Proof { key_digest, context, publics, x_commitments, opening, exports, shell }
    }
}
