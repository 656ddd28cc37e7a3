//! Verifying keys as files: they return, each field is bound by the digest, and a hostile one is an error or a refusal.

mod common;

use ark_bn254::{Fq2, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::AdditiveGroup;
use common::{key, proof};
use proptest::prelude::*;
use vouch_circuits::encoding::DecodeError;
use vouch_circuits::files::{self, Kind};
use vouch_circuits::ir::Classes;
use vouch_circuits::key::{InvalidKey, Proof, VerifyingKey};
use vouch_circuits::shell::{Columns, ShellKey};
use vouch_verifier::{PreparedKey, Refused, verify};

type Change<'a> = &'a dyn Fn(&mut VerifyingKey);

#[test]
fn keys_and_proofs_return() {
    let key = key(1);
    let vk = &key.verifying_key;
    assert_eq!(&VerifyingKey::from_bytes(&vk.to_bytes()).unwrap(), vk);
    let proof = proof(&key);
    let read = Proof::from_bytes(&proof.to_bytes()).unwrap();
    assert_eq!(read, proof);
    let verified = verify(&PreparedKey::new(vk.clone()).unwrap(), &read).unwrap();
    assert_eq!(verified.shown.inputs[0].integers, [17, -100, 127]);
    assert_eq!(verified.model_id, vk.model_id());
    assert!(verified.development);
}

#[test]
fn the_digest_binds_every_field_and_the_id_the_model() {
    let good = key(1).verifying_key;
    let changes: [(Change, bool); 18] = [
        (&|k| k.name.push('!'), false),
        (&|k| k.development = false, true),
        (&|k| k.tau_g2 = G2Affine::generator(), true),
        (&|k| k.cuts.chunk_bits += 1, true),
        (&|k| k.cuts.layer -= 1, true),
        (&|k| k.y_chunks += 1, true),
        (&|k| k.w_commitments[0] = -k.w_commitments[0], true),
        (&|k| k.w_commitments.push(G1Affine::generator()), true),
        (&|k| k.x_chunks += 1, true),
        (&|k| k.architecture[31] ^= 1, true),
        (&|k| k.publics[0].inferences += 1, true),
        (&|k| k.publics[1].classes = Classes::Numbered, true),
        (&|k| k.publics[1].classes = Classes::Named([1; 32]), true),
        (&|k| k.publics[0].range.1 -= 1, true),
        (&|k| k.publics[0].tensor_shape[0] += 1, true),
        (&|k| k.shell.k += 1, true),
        (&|k| k.shell.commitments.swap(0, 1), true),
        (&|k| k.shell.commitments[3] = -k.shell.commitments[3], true),
    ];
    for (i, (change, model)) in changes.iter().enumerate() {
        let mut changed = good.clone();
        change(&mut changed);
        assert_ne!(changed.digest(), good.digest(), "change {i}");
        assert_eq!(changed.model_id() != good.model_id(), *model, "change {i}");
    }
    // Another salt hides the same weights behind other commitments.
    assert_ne!(key(2).verifying_key.model_id(), good.model_id());
}

#[test]
fn keys_that_make_no_sense_are_refused() {
    let good = key(1).verifying_key;
    let with = |change: Change| {
        let mut bad = good.clone();
        change(&mut bad);
        let read = VerifyingKey::from_bytes(&bad.to_bytes()).err();
        (PreparedKey::new(bad).unwrap_err(), read.expect("decoding checks too"))
    };
    let point = |what| InvalidKey::Point(what);
    let outside = (1u64..)
        .find_map(|x| G2Affine::get_point_from_x_unchecked(Fq2::from(x), false))
        .filter(|point| !point.is_in_correct_subgroup_assuming_on_curve())
        .unwrap();
    let cases: [(Change, InvalidKey); 14] = [
        (&|k| k.x_chunks = 0, InvalidKey::Chunks),
        (&|k| k.x_chunks = 1 << 21, InvalidKey::Chunks),
        (&|k| k.y_chunks = 0, InvalidKey::Chunks),
        (&|k| k.y_chunks = 1 << 21, InvalidKey::Chunks),
        (&|k| k.cuts.layer = 0, InvalidKey::Chunks),
        (&|k| k.cuts.layer = 41, InvalidKey::Chunks),
        (&|k| k.cuts.layer = 255, InvalidKey::Chunks),
        (&|k| k.cuts.chunk_bits = 5, InvalidKey::Chunks),
        (&|k| k.cuts.chunk_bits = 200, InvalidKey::Chunks),
        (&|k| k.shell.k = 3, InvalidKey::Shell),
        (&|k| k.shell.k = 19, InvalidKey::Shell),
        (&|k| k.tau_g2 = G2Affine::zero(), point("power in G2")),
        (&|k| k.tau_g2 = outside, point("power in G2")),
        (&|k| k.tau_g2.y.double_in_place().ignore(), point("power in G2")),
    ];
    for (change, expected) in cases {
        assert_eq!(with(change), (expected.clone(), DecodeError::Key(expected)));
    }
    // Off the curve: decoding refuses the bytes already.
    let (invalid, undecodable) = with(&|k| k.w_commitments[0].y.double_in_place().ignore());
    assert_eq!((invalid, undecodable), (point("weight commitment"), DecodeError::Field("weight commitments")));
    let unshelled = |change: Change| {
        let mut bad = good.clone();
        change(&mut bad);
        PreparedKey::new(bad).unwrap_err()
    };
    for i in 0..good.shell.commitments.len() {
        assert_eq!(unshelled(&|k| k.shell.commitments[i].y.double_in_place().ignore()), InvalidKey::Shell);
    }
    assert_eq!(unshelled(&|k| k.shell.commitments.truncate(1)), InvalidKey::Shell);
    assert_eq!(unshelled(&|k| k.shell.commitments.push(G1Affine::generator())), InvalidKey::Shell);
    // Lanes without their columns, none, and more than a verifier takes; and other numbers of columns to a commitment.
    assert_eq!(unshelled(&|k| k.shell.columns.lanes = 2), InvalidKey::Shell);
    for (lanes, packing) in [(0, 1), (5, 1), (255, 4), (1, 0), (1, 2), (1, 3), (2, 8)] {
        let (mut bad, point) = (good.clone(), G1Affine::generator());
        let columns = Columns { lanes, packing };
        let commitments = if packing > 0 { vec![point; columns.of_key()] } else { vec![point] };
        bad.shell = ShellKey { columns, commitments, ..bad.shell };
        assert_eq!(VerifyingKey::from_bytes(&bad.to_bytes()), Err(DecodeError::Key(InvalidKey::Shell)));
        assert_eq!(PreparedKey::new(bad).unwrap_err(), InvalidKey::Shell);
    }
    assert!(matches!(with(&|k| k.publics[0].tensor_shape = vec![4]).0, InvalidKey::System(_)));
    assert!(matches!(with(&|k| k.publics[0].shape = vec![0]).0, InvalidKey::System(_)));
    assert!(matches!(with(&|k| k.publics[0].tensor_shape = vec![1 << 31; 2]).0, InvalidKey::System(_)));
    assert!(matches!(with(&|k| k.publics[0].range = (1, 0)).0, InvalidKey::System(_)));
    assert!(matches!(with(&|k| k.publics[0].frac = 300).0, InvalidKey::System(_)));
    let columns = |count: usize, frac: i32| with(&|k| k.publics[0].column_fracs = vec![frac; count]).0;
    let last = good.publics[0].shape.last().copied().unwrap_or(1);
    assert!(matches!(columns(last + 1, 3), InvalidKey::System(_)));
    assert!(matches!(columns(last, -257), InvalidKey::System(_)));
}

trait Ignore {
    fn ignore(&self) {}
}
impl<T> Ignore for T {}

#[test]
fn parts_of_a_proof_that_the_key_fixes_are_checked_first() {
    let key = key(1);
    let prepared = PreparedKey::new(key.verifying_key.clone()).unwrap();
    let good = proof(&key);
    let refusal = |change: &dyn Fn(&mut Proof)| {
        let mut bad = good.clone();
        change(&mut bad);
        verify(&prepared, &bad).unwrap_err()
    };
    let name = || "x".to_string();
    let have = good.x_commitments.len();
    assert_eq!(refusal(&|p| p.key_digest[0] ^= 1), Refused::OtherKey);
    assert_eq!(refusal(&|p| p.publics.truncate(1)), Refused::PublicCount { have: 1, need: 2 });
    assert_eq!(refusal(&|p| p.publics[0].push(0)), Refused::PublicLength { name: name(), have: 4, need: 3 });
    assert_eq!(refusal(&|p| p.publics[0][2] = 128), Refused::PublicRange { name: name(), position: 2 });
    assert_eq!(refusal(&|p| p.publics[0][1] = i64::MIN), Refused::PublicRange { name: name(), position: 1 });
    let generator = G1Affine::generator();
    assert_eq!(refusal(&|p| p.x_commitments.push(generator)), Refused::Commitments { have: have + 1, need: have });
    // A point moved from one group to the next.
    let fractions = good.y_commitments.len();
    let moved = |p: &mut Proof| p.y_commitments.insert(0, p.x_commitments[have - 1]);
    assert_eq!(refusal(&moved), Refused::Commitments { have: fractions + 1, need: fractions });
    let have = good.exports.len();
    assert_eq!(refusal(&|p| p.exports.truncate(3)), Refused::Exports { have: 3, need: have });
    assert_eq!(refusal(&|p| p.exports.push(0.into())), Refused::Exports { have: have + 1, need: have });
    // Values that no file can hold.
    assert_eq!(refusal(&|p| p.opening.witness.y.double_in_place().ignore()), Refused::Point);
    assert_eq!(refusal(&|p| p.shell.clear()), Refused::Shell);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Bytes of a key changed behind a right checksum, and a proof that says it is for that key.
    #[test]
    fn hostile_keys_do_no_harm(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        thread_local! {
            static GOOD: (Vec<u8>, Proof) = {
                let key = key(1);
                (key.verifying_key.to_bytes(), proof(&key))
            };
        }
        GOOD.with(|(file, proof)| {
            let original = files::open(file, Kind::VerifyingKey).unwrap();
            let mut body = original.to_vec();
            for (position, byte) in changes {
                // Most of a key is points, and most bytes make none of them: the rest deserves as much attention.
                let tail = body.len() - 60;
                let position = if byte % 2 == 0 { position.index(60) } else { tail + position.index(60) };
                body[position] = byte;
            }
            if body == original {
                return Ok(());
            }
            if let Ok(key) = VerifyingKey::from_bytes(&files::seal(Kind::VerifyingKey, &body)) {
                let mut proof = proof.clone();
                proof.key_digest = key.digest();
                let prepared = PreparedKey::new(key).expect("decoding checks all");
                prop_assert!(verify(&prepared, &proof).is_err());
            }
            Ok(())
        })?;
    }

    /// The same for proofs.
    #[test]
    fn hostile_proofs_are_refused(position in any::<prop::sample::Index>(), byte: u8, cut in any::<bool>()) {
        thread_local! {
            static GOOD: (PreparedKey, Vec<u8>) = {
                let key = key(1);
                (PreparedKey::new(key.verifying_key.clone()).unwrap(), proof(&key).to_bytes())
            };
        }
        GOOD.with(|(key, file)| {
            let original = files::open(file, Kind::Proof).unwrap();
            let mut body = original.to_vec();
            let position = position.index(body.len());
            if cut {
                body.truncate(position);
            } else {
                body[position] = byte;
            }
            if body == original {
                return Ok(());
            }
            if let Ok(proof) = Proof::from_bytes(&files::seal(Kind::Proof, &body)) {
                prop_assert!(verify(key, &proof).is_err());
            }
            Ok(())
        })?;
    }
}
