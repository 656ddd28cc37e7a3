//! Committed inputs and outputs: what their openings show, and lies about what is committed to.

use std::sync::LazyLock;

use ark_bn254::{Fr, G1Affine};
use ark_ec::AffineRepr;
use ark_ff::Field;
use vouch_circuits::backend::Check;
use vouch_circuits::encoding::DecodeError;
use vouch_circuits::files::FileError;
use vouch_circuits::ir::{TensorId, Visibility};
use vouch_circuits::key::InvalidKey;
use vouch_circuits::tensor_opening::TensorOpening;
use vouch_prover::openings::ReuseError;
use vouch_prover::prove::prove_witness;
use vouch_prover::witness::{Witness, generate, model_values};
use vouch_prover::{KeyMismatch, ProveError, ProveOptions, Proven, ProvingKey, prove, prove_with, verify_key};
use vouch_verifier::{OpeningRefused, PreparedKey, Refused, verify_opening};

use crate::contract::verify;
use crate::programs::*;
use crate::wrapped::Wrapped;

/// Keys with all inputs and outputs committed.
static COMMITTED: LazyLock<Wrapped> =
    LazyLock::new(|| Wrapped::showing(&WIDE.program, Visibility::Committed, Visibility::Committed, None));

fn proven(key: &ProvingKey, inputs: &[Vec<i64>], openings: &[TensorOpening]) -> Result<Proven, ProveError> {
    prove_with(key, inputs, &ProveOptions { openings, ..ProveOptions::default() }, &mut |_| {})
}

fn honest() -> &'static Proven {
    static HONEST: LazyLock<Proven> = LazyLock::new(|| proven(&COMMITTED.key, &WIDE.inputs, &[]).unwrap());
    &HONEST
}

/// What the program gives, and the integers of each port.
fn truth() -> Vec<Vec<i64>> {
    let run = vouch_program::execute(&WIDE.program, &WIDE.inputs).unwrap();
    WIDE.inputs.iter().cloned().chain(run.outputs().into_iter().map(<[i64]>::to_vec)).collect()
}

#[test]
fn committed_tensors_open_to_the_runs_values() {
    let Proven { proof, openings, .. } = honest();
    let verified = verify(&COMMITTED.prepared, proof).unwrap();
    assert!(proof.publics.iter().all(Vec::is_empty));
    assert_eq!(
        (openings.len(), verified.shown.committed_inputs.len(), verified.shown.committed_outputs.len()),
        (4, 2, 2)
    );
    assert!(verified.sentence().ends_with("maps 2 committed inputs to 2 committed outputs"), "{}", verified.sentence());
    let counts: Vec<usize> = openings.iter().map(|opening| opening.commitments.len()).collect();
    assert_eq!(counts, [4, 4, 1, 4], "256, 256, 4 and 256 cells in chunks of 64");
    for (tensor, (opening, values)) in openings.iter().zip(truth()).enumerate() {
        let opened = verify_opening(&COMMITTED.prepared, opening, Some(proof)).unwrap();
        assert_eq!((opened.tensor, &opened.values.integers), (tensor, &values));
        assert!(TensorOpening::from_bytes(&opening.to_bytes()).unwrap() == *opening);
    }
    let shown = verified.shown.committed_inputs.iter().chain(&verified.shown.committed_outputs);
    assert!(shown.zip(openings).all(|(shown, opening)| shown.commitments == opening.commitments));
}

#[test]
fn lies_in_openings_are_refused() {
    let Proven { proof, openings, .. } = honest();
    let name = |tensor: usize| COMMITTED.key.verifying_key.publics[tensor].name.clone();
    for (tensor, opening) in openings.iter().enumerate() {
        let refusal = |lie: &dyn Fn(&mut TensorOpening)| {
            let mut changed = opening.clone();
            lie(&mut changed);
            verify_opening(&COMMITTED.prepared, &changed, Some(proof)).unwrap_err()
        };
        let range = COMMITTED.key.verifying_key.publics[tensor].range;
        for position in 0..opening.values.len() {
            let other = if opening.values[position] == range.0 { range.0 + 1 } else { range.0 };
            assert_eq!(refusal(&|o| o.values[position] = other), OpeningRefused::Values(name(tensor)));
            let beyond = OpeningRefused::Range { name: name(tensor), position };
            assert_eq!(refusal(&|o| o.values[position] = range.1 + 1), beyond);
        }
        for chunk in 0..opening.blinds.len() {
            assert_eq!(refusal(&|o| o.blinds[chunk] += Fr::ONE), OpeningRefused::Values(name(tensor)));
            // The commitments are the proof's.
            let other = |o: &mut TensorOpening| o.commitments[chunk] = G1Affine::generator();
            assert_eq!(refusal(&other), OpeningRefused::OtherCommitment(name(tensor)));
            let mut changed = opening.clone();
            other(&mut changed);
            let alone = verify_opening(&COMMITTED.prepared, &changed, None);
            assert_eq!(alone, Err(OpeningRefused::Values(name(tensor))));
        }
        assert_eq!(refusal(&|o| o.witness = G1Affine::generator()), OpeningRefused::Values(name(tensor)));
        let off = G1Affine::new_unchecked(1u64.into(), 1u64.into());
        assert_eq!(refusal(&|o| o.witness = off), OpeningRefused::Point);
        assert_eq!(refusal(&|o| o.key_digest[0] ^= 1), OpeningRefused::OtherKey);
        assert_eq!(refusal(&|o| o.tensor = 4), OpeningRefused::NotCommitted);
        assert_eq!(refusal(&|o| o.values.clear()), OpeningRefused::Size(name(tensor)));
        assert_eq!(refusal(&|o| o.blinds.clear()), OpeningRefused::Size(name(tensor)));
        assert_eq!(refusal(&|o| o.commitments.clear()), OpeningRefused::Size(name(tensor)));
    }
    // One input for the other, of the same shape.
    let mut swapped = openings[0].clone();
    swapped.tensor = 1;
    let outcome = verify_opening(&COMMITTED.prepared, &swapped, Some(proof));
    assert_eq!(outcome, Err(OpeningRefused::OtherCommitment(name(1))));
    // Without a proof the commitments are right, but the challenges are others.
    assert_eq!(verify_opening(&COMMITTED.prepared, &swapped, None), Err(OpeningRefused::Values(name(1))));
}

#[test]
fn damaged_openings_are_no_openings() {
    let bytes = honest().openings[3].to_bytes();
    let body = vouch_circuits::files::open(&bytes, vouch_circuits::files::Kind::TensorOpening).unwrap();
    let seal = |body: &[u8]| vouch_circuits::files::seal(vouch_circuits::files::Kind::TensorOpening, body);
    for length in 0..body.len() {
        assert!(TensorOpening::from_bytes(&seal(&body[..length])).is_err());
        assert!(TensorOpening::from_bytes(&bytes[..length]).is_err());
    }
    let longer = TensorOpening::from_bytes(&seal(&[body, &[0]].concat()));
    assert_eq!(longer.err(), Some(DecodeError::Trailing));
    let foreign = TensorOpening::from_bytes(&honest().proof.to_bytes());
    assert!(matches!(foreign.err(), Some(DecodeError::File(FileError::OtherKind { .. }))));
    // Every byte altered: none is accepted, none panics.
    for position in 0..body.len() {
        let mut changed = body.to_vec();
        changed[position] ^= 1 << (position % 8);
        if let Ok(opening) = TensorOpening::from_bytes(&seal(&changed)) {
            assert!(verify_opening(&COMMITTED.prepared, &opening, None).is_err(), "byte {position}");
        }
    }
}

#[test]
fn a_commitment_is_used_again_for_the_same_values_only() {
    let Proven { proof, openings, .. } = honest();
    let fresh = proven(&COMMITTED.key, &WIDE.inputs, &[]).unwrap().proof;
    assert!(fresh.x_commitments.iter().zip(&proof.x_commitments).all(|(a, b)| a != b), "blinds are fresh");

    let again = proven(&COMMITTED.key, &WIDE.inputs, &openings[..1]).unwrap();
    verify(&COMMITTED.prepared, &again.proof).unwrap();
    let chunks = COMMITTED.key.verifying_key.publics[0].commitments();
    for (chunk, (a, b)) in again.proof.x_commitments.iter().zip(&proof.x_commitments).enumerate() {
        assert_eq!(a == b, chunks.contains(&chunk), "chunk {chunk}");
    }
    assert!(again.openings[0] == openings[0]);
    verify_opening(&COMMITTED.prepared, &openings[0], Some(&again.proof)).unwrap();
    // The other input may change, this one may not.
    let mut inputs = WIDE.inputs.clone();
    inputs[1][4] -= 1;
    verify(&COMMITTED.prepared, &proven(&COMMITTED.key, &inputs, &openings[..1]).unwrap().proof).unwrap();
    inputs[0][4] += 1;
    let refused = proven(&COMMITTED.key, &inputs, &openings[..1]).err();
    assert!(matches!(refused, Some(ProveError::Reuse(ReuseError::OtherValues { name })) if name == "x"));

    let reuse = |lie: &dyn Fn(&mut Vec<TensorOpening>)| {
        let mut earlier = openings[..1].to_vec();
        lie(&mut earlier);
        match proven(&COMMITTED.key, &WIDE.inputs, &earlier).err() {
            Some(ProveError::Reuse(error)) => error,
            _ => panic!("not refused"),
        }
    };
    assert!(matches!(reuse(&|o| o[0].key_digest[0] ^= 1), ReuseError::OtherKey));
    assert!(matches!(reuse(&|o| o[0].tensor = 9), ReuseError::Tensor));
    assert!(matches!(reuse(&|o| o[0].blinds.clear()), ReuseError::Tensor));
    assert!(matches!(reuse(&|o| o.push(openings[0].clone())), ReuseError::Tensor));
    assert!(matches!(reuse(&|o| o[0].blinds[0] += Fr::ONE), ReuseError::OtherValues { .. }));
    assert!(matches!(reuse(&|o| o[0].tensor = 1), ReuseError::OtherValues { .. }));
}

fn witness() -> Witness {
    let core = &COMMITTED.key.core;
    let model = model_values(&core.program, core.lowered());
    generate(core.lowered(), model, &WIDE.inputs).unwrap().0
}

/// The check that refuses a run whose committed tensor `of` holds something else at `position`.
fn refusal(of: usize, position: usize, change: i32) -> Option<Check> {
    let core = &COMMITTED.key.core;
    let TensorId(tensor) = core.lowered().system.publics[of].tensor;
    let mut lie = witness();
    lie.values[tensor as usize][position] += change;
    let proof = prove_witness(core, &lie, None, &mut |_| {}).unwrap();
    let failure = COMMITTED.record(&proof).failure;
    assert_eq!(verify(&COMMITTED.prepared, &COMMITTED.wrap(&proof)).is_ok(), failure.is_none());
    failure
}

/// An output's own chunks hold the output, and nothing beside it.
#[test]
fn a_committed_output_is_the_runs_and_zero_in_its_padding() {
    let core = &COMMITTED.key.core;
    assert_eq!(refusal(2, 0, 0), None, "the truth");
    for (of, name) in [(2, "committed sums"), (3, "committed y")] {
        let tensor = core.lowered().system.publics[of].tensor;
        assert_eq!(core.lowered().system.tensor(tensor).name, name, "a copy, for the padding");
    }
    // The sums have three elements and one position of padding; y has three rows of 50, each with 14 more, and a fourth.
    for (of, position) in [(2, 0), (2, 2), (2, 3), (3, 49), (3, 50), (3, 63), (3, 64), (3, 192), (3, 255)] {
        assert_eq!(refusal(of, position, 1), Some(Check::Batch), "output {of}, position {position}");
    }
    // An input's padding too.
    assert_eq!(refusal(0, 55, 1), Some(Check::Batch));
}

/// The input's commitment exchanged for one to other values, with all else of the proof.
#[test]
fn another_commitment_is_another_proof() {
    let proof = &honest().proof;
    let mut inputs = WIDE.inputs.clone();
    inputs[0][0] = -inputs[0][0];
    let other = proven(&COMMITTED.key, &inputs, &[]).unwrap();
    for chunk in 0..proof.x_commitments.len() {
        let mut lie = proof.clone();
        lie.x_commitments[chunk] = other.proof.x_commitments[chunk];
        assert_eq!(verify(&COMMITTED.prepared, &lie), Err(Refused::Shell), "chunk {chunk}");
    }
    let refused = verify_opening(&COMMITTED.prepared, &other.openings[0], Some(proof));
    assert_eq!(refused, Err(OpeningRefused::OtherCommitment("x".into())));
}

/// Which chunks are a tensor's own is part of the key, and recomputed with it.
#[test]
fn keys_say_which_chunks_are_a_tensors_own() {
    let key = &COMMITTED.key.verifying_key;
    let with = |chunks: (u32, u32)| {
        let mut key = key.clone();
        key.publics[2].chunks = chunks;
        key
    };
    let mask = key.x_chunks as u32 - 1;
    for chunks in [(0, 0), (0, 2), (mask, mask + 1), (mask + 1, mask + 2), (3, 2), (u32::MAX, 0)] {
        assert!(matches!(PreparedKey::new(with(chunks)), Err(InvalidKey::System(_))), "{chunks:?}");
    }
    let own = key.publics[2].chunks;
    let moved = with(if own.0 == 0 { (1, 2) } else { (own.0 - 1, own.0) });
    let prepared = PreparedKey::new(moved.clone()).unwrap();
    assert_eq!(verify(&prepared, &honest().proof), Err(Refused::OtherKey));
    let architecture = &COMMITTED.key.architecture;
    let srs = &COMMITTED.key.core.srs;
    verify_key(key, architecture, srs).unwrap();
    assert!(matches!(verify_key(&moved, architecture, srs), Err(KeyMismatch::Field("list of inputs and outputs"))));
    // One visibility for another.
    let mut shown = key.clone();
    shown.publics[0].visibility = Visibility::Private;
    assert!(matches!(PreparedKey::new(shown.clone()), Err(InvalidKey::System(_))));
    shown.publics[0].chunks = (0, 0);
    assert_eq!(verify(&PreparedKey::new(shown).unwrap(), &honest().proof), Err(Refused::OtherKey));
}

/// Nothing lies beside a committed tensor, whatever the chunks' size, and every program still has its proof.
#[test]
fn committed_tensors_lie_alone() {
    for case in [&*DENSE, &*ARGMAX, &*GATHER] {
        let wrapped = Wrapped::showing(&case.program, Visibility::Committed, Visibility::Committed, None);
        let core = &wrapped.key.core;
        let (system, layout) = (&core.lowered().system, core.layout());
        for public in &system.publics {
            let own = layout.chunks_of(public.tensor);
            assert!(own.end <= layout.mask().start >> layout.chunk_bits);
            for other in (0..system.tensors.len() as u32).map(TensorId).filter(|other| *other != public.tensor) {
                let (vector, _) = layout.block(other);
                let chunks = layout.chunks_of(other);
                let apart = chunks.end <= own.start || own.end <= chunks.start;
                assert!(apart || vector == vouch_circuits::layout::Vector::W, "{}", system.tensor(other).name);
            }
        }
        let read = ProvingKey::from_bytes(&wrapped.key.to_bytes()).unwrap();
        let proof = prove(&read, &case.inputs, None, &mut |_| {}).unwrap();
        verify(&wrapped.prepared, &proof).unwrap();
    }
}
