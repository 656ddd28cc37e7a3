//! A model with whole keys: what goes for a core proof must go for the proof that wraps it.

use std::sync::LazyLock;

use vouch_circuits::argument::key::CoreProof;
use vouch_circuits::ir::Visibility;
use vouch_circuits::key::Proof;
use vouch_circuits::lowering::MAX_LIMB_BITS;
use vouch_circuits::shell::shape::PACKED;
use vouch_circuits::shell::{Columns, Recording};
use vouch_program::{Port, Program};
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
    /// With what a setup picks: fractions of the leaves committed to.
    pub fn new(salt: u8) -> Self {
        Self::cut_at(salt, None, Columns::packed(1))
    }

    pub fn cut_at(salt: u8, layer: Option<usize>, columns: Columns) -> Self {
        // At a given layer the lookups are the scene's.
        let limb_bits = layer.map(|_| MAX_LIMB_BITS);
        let (lanes, packing) = (Some(columns.lanes), Some(columns.packing));
        let options = |layer| SetupOptions { layer, limb_bits, lanes, packing, ..SetupOptions::chunk_bits(CHUNK_BITS) };
        let needs = |layer| Needs::of(&DENSE.program, &options(layer)).unwrap();
        // The whole tree takes the largest shell.
        static SRS: LazyLock<Srs> = LazyLock::new(|| {
            let (layer, lanes, packing) = (Some(0), Some(1), Some(PACKED));
            let options = SetupOptions { layer, lanes, packing, ..SetupOptions::chunk_bits(CHUNK_BITS) };
            Srs::development(Needs::of(&DENSE.program, &options).unwrap().powers(), &mut rand::rng())
        });
        let mut srs = SRS.clone();
        if let Some(k) = needs(layer).lagrange() {
            srs.ensure_lagrange(k);
        }
        let key = setup(DENSE.program.clone(), &options(layer), srs, [salt; 32], &mut |_| {}).unwrap();
        let prepared = PreparedKey::new(key.verifying_key.clone()).unwrap();
        Self { key, prepared }
    }

    /// Any program's, all its inputs and all its outputs as visible as this, with what a setup picks for the rest.
    pub fn showing(program: &Program, inputs: Visibility, outputs: Visibility, lanes: Option<usize>) -> Self {
        let names = |ports: &[Port], visibility| ports.iter().map(|port| (port.name.clone(), visibility)).collect();
        let options = SetupOptions {
            inputs: names(&program.inputs, inputs),
            outputs: names(&program.outputs, outputs),
            lanes,
            ..SetupOptions::chunk_bits(CHUNK_BITS)
        };
        let needs = Needs::of(program, &options).unwrap();
        let srs = Srs::development_with_lagrange(needs.powers(), &[needs.k], &mut rand::rng());
        let key = setup(program.clone(), &options, srs, [1; 32], &mut |_| {}).unwrap();
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
        let shell = self.key.shell.prove(&recording).unwrap();
        let CoreProof { key_digest, context, hashes, publics, x_commitments, y_commitments, opening, .. } =
            core.clone();
        Proof { key_digest, context, hashes, publics, x_commitments, y_commitments, opening, exports, shell }
    }
}
