//! Lies of a key's maker: keys that are not of the architecture that was published with them. Each field but the name and the weights'
//! commitments is recomputed.

use ark_ec::CurveGroup;
use vouch_circuits::architecture::{Architecture, InvalidArchitecture};
use vouch_circuits::files::{Kind, open, seal};
use vouch_circuits::key::VerifyingKey;
use vouch_prover::commit::Srs;
use vouch_prover::{KeyMismatch, Needs, ProvingKey, SetupOptions, setup, verify_key};

use crate::programs::*;
use crate::scene::CHUNK_BITS;

struct Published {
    key: ProvingKey,
    architecture: Architecture,
    srs: Srs,
}

fn published(case: &Case) -> Published {
    let needs = Needs::of(&case.program, &SetupOptions::chunk_bits(CHUNK_BITS)).unwrap();
    let srs = Srs::development_with_lagrange(needs.powers(), &[needs.k], &mut rand::rng());
    let key =
        setup(case.program.clone(), &SetupOptions::chunk_bits(CHUNK_BITS), srs.clone(), [1; 32], &mut |_| {}).unwrap();
    let architecture = Architecture::of(key.core.lowered());
    let bytes = architecture.to_bytes();
    assert_eq!(Architecture::from_bytes(&bytes).unwrap(), architecture);
    Published { key, architecture, srs }
}

impl Published {
    fn outcome(&self, key: &VerifyingKey, architecture: &Architecture) -> Result<(), KeyMismatch> {
        verify_key(key, architecture, &mut self.srs.clone())
    }

    /// With a change of the key.
    fn of_key(&self, change: impl FnOnce(&mut VerifyingKey)) -> Result<(), KeyMismatch> {
        let mut key = self.key.verifying_key.clone();
        change(&mut key);
        self.outcome(&key, &self.architecture)
    }

    /// With a change of the architecture.
    fn of_architecture(&self, change: impl FnOnce(&mut Architecture)) -> Result<(), KeyMismatch> {
        let mut architecture = self.architecture.clone();
        change(&mut architecture);
        self.outcome(&self.key.verifying_key, &architecture)
    }
}

#[test]
fn every_field_is_recomputed() {
    let tables = published(&TABLES);
    assert!(!tables.architecture.fixed.is_empty());
    let power = tables.srs.powers[3];
    tables.of_key(|_| ()).unwrap();
    // What cannot be recomputed.
    tables.of_key(|k| k.name.push('!')).unwrap();
    tables.of_key(|k| k.w_commitments[0] = -k.w_commitments[0]).unwrap();
    let field = |outcome| matches!(outcome, Err(KeyMismatch::Field(_)));
    assert!(field(tables.of_key(|k| k.system_digest[7] ^= 1)));
    assert!(field(tables.of_key(|k| k.x_chunks += 1)));
    assert!(field(tables.of_key(|k| k.w_commitments.push(power))));
    assert!(field(tables.of_key(|k| k.w_commitments.truncate(k.w_commitments.len() - 1))));
    assert!(field(tables.of_key(|k| k.cuts.chunk_bits += 1)));
    assert!(field(tables.of_key(|k| k.y_chunks += 1)));
    assert!(matches!(tables.of_key(|k| k.cuts.layer += 1), Err(KeyMismatch::Architecture(_))));
    assert!(field(tables.of_key(|k| k.publics[0].range.1 += 1)));
    assert!(field(tables.of_key(|k| k.publics[0].frac += 1)));
    assert!(field(tables.of_key(|k| k.publics[0].name.push('!'))));
    assert!(field(tables.of_key(|k| drop(k.publics.pop()))));
    let reference = |outcome| matches!(outcome, Err(KeyMismatch::ReferenceString));
    assert!(reference(tables.of_key(|k| k.development = false)));
    assert!(reference(tables.of_key(|k| k.tau_g2 = -k.tau_g2)));
    let shell = |outcome| matches!(outcome, Err(KeyMismatch::Shell));
    assert!(shell(tables.of_key(|k| k.shell.k += 1)));
    for i in 0..tables.key.verifying_key.shell.commitments.len() {
        let moved = |k: &mut VerifyingKey| k.shell.commitments[i] = (k.shell.commitments[i] + power).into_affine();
        assert!(shell(tables.of_key(moved)), "commitment {i}");
    }
}

/// A function table or a gather's indices exchanged: the key commits to others than those published.
#[test]
fn exchanged_tables_and_indices_are_seen() {
    for case in [&*TABLES, &*GATHER, &*PICK, &*OWN] {
        let published = published(case);
        for tensor in 0..published.architecture.fixed.len() {
            for at in [0, published.architecture.fixed[tensor].1.len() - 1] {
                let outcome = published.of_architecture(|a| a.fixed[tensor].1[at] += 1);
                assert!(matches!(outcome, Err(KeyMismatch::Fixed)), "{}: tensor {tensor}", case.program.name);
            }
            let last = published.key.verifying_key.w_commitments.len() - 1;
            let outcome = published.of_key(|k| k.w_commitments[last] = -k.w_commitments[last]);
            assert!(matches!(outcome, Err(KeyMismatch::Fixed)));
        }
        let none = |outcome| {
            let shape = matches!(outcome, Err(KeyMismatch::Architecture(InvalidArchitecture::Fixed)));
            assert!(shape, "{}", case.program.name);
        };
        none(published.of_architecture(|a| drop(a.fixed.pop())));
        none(published.of_architecture(|a| a.fixed.push(a.fixed[0].clone())));
        none(published.of_architecture(|a| a.fixed[0].1.push(0)));
        none(published.of_architecture(|a| a.fixed[0].0.0 = 1 << 20));
        let other = |outcome| matches!(outcome, Err(KeyMismatch::Field(_)));
        assert!(other(published.of_architecture(|a| a.system.lookups.swap(0, 1))));
        assert!(other(published.of_architecture(|a| drop(a.system.lookups.pop()))));
    }
}

/// Bytes of an architecture's file changed behind a right checksum: it does not parse, is none, or is another.
#[test]
fn altered_architectures_are_refused() {
    let published = published(&TABLES);
    let file = published.architecture.to_bytes();
    let body = open(&file, Kind::Architecture).unwrap();
    for at in 0..body.len() {
        for flip in [1u8, 0x80] {
            let mut altered = body.to_vec();
            altered[at] ^= flip;
            if let Ok(architecture) = Architecture::from_bytes(&seal(Kind::Architecture, &altered)) {
                published.outcome(&published.key.verifying_key, &architecture).unwrap_err();
            }
        }
    }
    for len in 0..body.len() {
        Architecture::from_bytes(&seal(Kind::Architecture, &body[..len])).unwrap_err();
    }
}
