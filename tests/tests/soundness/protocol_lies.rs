//! Lies in the messages, told by a prover that goes on from them: whatever it claims after a false message is consistent with it,
//! and it bends the values that end a step so that the verifier's next checks pass. What it cannot bend is the commitments.

use std::cell::RefCell;
use std::collections::BTreeMap;

use ark_bn254::Fr;
use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, Field};
use vouch_circuits::argument::key::CoreProof;
use vouch_circuits::backend::Check;
use vouch_circuits::ir::ContractionId;

use crate::cheat::{BENDS, Bend, Cheat, Message, Points};
use crate::programs::*;
use crate::scene::{CHUNK_BITS, SRS, Scene, randoms};
use crate::values::{Values, contract, count, count_with, publics, run};

/// The check that refuses a lie in this message, for a prover who bends this far.
fn refusing(scene: &Scene, message: Message, bend: Bend) -> Check {
    // The checks in the verifier's order, each with the bend that passes it.
    const CHECKS: [(Check, Bend); 4] = [
        (Check::LookupSum, Bend::Root),
        (Check::LookupSumcheck, Bend::Lookups),
        (Check::Contraction, Bend::Contractions),
        (Check::Batch, Bend::Batch),
    ];
    let first = match message {
        Message::Root | Message::Salt => 0,
        Message::LookupRound { .. } | Message::Children { .. } => 1,
        // What is left is claimed of the next layer, or of the committed values if these were the leaves.
        Message::FractionRound(_) | Message::FractionEnd if scene.layout.layer < scene.layout.leaf_bits => 1,
        Message::FractionRound(_) | Message::FractionEnd => 3,
        Message::Total | Message::ContractionRound(_) | Message::NumberRound(_) | Message::Operands => 2,
        Message::BatchRound(_) | Message::Vectors => 3,
        // Only the commitments tell.
        Message::Blind | Message::Opening => 4,
    };
    // False claims on leaves do not touch the contractions: the batch is the next to see them.
    let concerned = |check| first == 2 || check != Check::Contraction;
    let mut checks = CHECKS[first..].iter().filter(|(check, _)| concerned(*check));
    checks.find(|(_, passed_by)| bend < *passed_by).map_or(Check::Pairing, |(check, _)| *check)
}

/// Whether the bent prover sets just this scalar, and so undoes the lie.
fn is_bent(message: Message, scalar: usize, bend: Bend) -> bool {
    match message {
        // Any salt is as good as another.
        Message::Salt => true,
        Message::Root => scalar == 0 && bend >= Bend::Root,
        Message::Children { .. } => scalar == 0 && bend >= Bend::Lookups,
        Message::Operands => scalar == 0 && bend >= Bend::Contractions,
        Message::Vectors => scalar == 0 && bend >= Bend::Batch,
        _ => false,
    }
}

/// All messages of a proof with their sizes, in order, and the proof.
pub fn messages(scene: &Scene, values: &Values) -> (Vec<(Message, usize)>, CoreProof) {
    let seen = RefCell::new(Vec::new());
    let mut cheat = Cheat::new(scene, values);
    cheat.tamper = Box::new(|message, scalars| seen.borrow_mut().push((message, scalars.len())));
    let proof = cheat.prove();
    drop(cheat);
    let seen = seen.into_inner();
    assert_eq!(seen.iter().map(|(_, count)| count).sum::<usize>(), proof.scalars.len());
    (seen, proof)
}

fn lie_in_every_message(case: &Case) {
    case.scene.cuts().iter().for_each(|scene| lie_in_every_message_to(case, scene));
}

fn lie_in_every_message_to(case: &Case, scene: &Scene) {
    let values = scene.honest(&case.inputs);
    let (all, proof) = messages(scene, &values);
    assert_eq!(scene.verify(&proof), Ok(()));
    for (place, count) in all {
        for scalar in 0..count {
            for bend in BENDS {
                if scalar > 0 && !matches!(bend, Bend::Nothing | Bend::Batch) {
                    continue;
                }
                let mut cheat = Cheat { bend, ..Cheat::new(scene, &values) };
                cheat.tamper = Box::new(move |message, scalars| {
                    if message == place {
                        scalars[scalar] += Fr::ONE;
                    }
                });
                let expected = (!is_bent(place, scalar, bend)).then(|| refusing(scene, place, bend));
                let (refusal, layer) = (scene.refusal_of(&cheat), scene.layout.layer);
                let what = || format!("{}, layer {layer}: {place:?}, scalar {scalar}, {bend:?}", case.program.name);
                assert_eq!(refusal, expected, "{}", what());
            }
        }
    }
}

/// Every scalar of every message: false root fractions, a false split of each layer, false round polynomials that fit the claim
/// before them, false totals, operands, evaluations, blinds and the opening's value.
#[test]
fn a_lie_in_any_message_is_refused_however_far_it_is_bent() {
    lie_in_every_message(&FAN_OUT);
}

/// The same where contractions have batch variables and masks, and so cubic rounds.
#[test]
fn a_lie_in_any_message_is_refused_where_rounds_are_cubic() {
    lie_in_every_message(&PRODUCTS);
}

/// A false row is carried through all steps: each bend passes one check more, and the commitments stop the last. Fractions that are
/// committed to are false (or do not sum to zero) before any check: the batch is the first to see it, or, if the prover makes the sum
/// right, the next layer.
#[test]
fn a_false_witness_can_be_carried_as_far_as_the_commitments() {
    use Check::*;
    let expected = [
        [LookupSum, LookupSumcheck, Batch, Batch, Pairing],
        [Batch, LookupSumcheck, Batch, Batch, Pairing],
        [Batch, Batch, Batch, Batch, Pairing],
    ];
    for (scene, expected) in DENSE.scene.cuts().iter().zip(expected) {
        let y = scene.tensor("result y");
        let values = scene.lied(&DENSE.inputs, y, |values| values[y.0 as usize][1] += Fr::ONE);
        let checks = BENDS.map(|bend| scene.refusal_of(&Cheat { bend, ..Cheat::new(scene, &values) }));
        assert_eq!(checks, expected.map(Some), "layer {}", scene.layout.layer);
    }
}

/// Two operands of one product changed so that the product is the same: the sumcheck's end holds, the claims on the tensors do not.
#[test]
fn operands_with_the_right_product_are_refused() {
    let values = FAN_OUT.scene.honest(&FAN_OUT.inputs);
    for (bend, check) in [(Bend::Nothing, Check::Batch), (Bend::Batch, Check::Pairing)] {
        for factor in [2, 3, 5].map(Fr::from) {
            let mut cheat = Cheat { bend, ..Cheat::new(&FAN_OUT.scene, &values) };
            cheat.tamper = Box::new(move |message, scalars| {
                if message == Message::Operands {
                    scalars[0] *= factor;
                    scalars[1] /= factor;
                }
            });
            assert_eq!(FAN_OUT.scene.refusal_of(&cheat), Some(check), "factor {factor}, {bend:?}");
        }
    }
}

/// `x(ρ)` and `w(ρ)` both changed, so that what the batch asks for is right; what is then opened is not.
#[test]
fn evaluations_exchanged_between_the_vectors_are_refused() {
    let values = DENSE.scene.honest(&DENSE.inputs);
    let mut cheat = Cheat { bend: Bend::Batch, ..Cheat::new(&DENSE.scene, &values) };
    cheat.tamper = Box::new(|message, scalars| {
        if message == Message::Vectors {
            scalars[1] += Fr::from(5);
        }
    });
    assert_eq!(DENSE.scene.refusal_of(&cheat), Some(Check::Pairing));
}

/// Cross terms that are others, with everything after them computed from those.
#[test]
fn false_cross_terms_are_refused() {
    let values = DENSE.scene.honest(&DENSE.inputs);
    for position in 0..(1 << CHUNK_BITS) - 1 {
        let cheat = Cheat { alter_cross: Some(position), ..Cheat::new(&DENSE.scene, &values) };
        assert_eq!(DENSE.scene.refusal_of(&cheat), Some(Check::Pairing), "cross term {position}");
    }
}

/// Points other than those that the messages are about, put in place before the challenges that depend on them.
#[test]
fn false_points_are_refused() {
    let scene = DENSE.scene.cut_at(DENSE.scene.layout.leaf_bits);
    let values = scene.honest(&DENSE.inputs);
    let chunks = scene.layout.chunks();
    for (place, count) in [
        (Points::Commitments, chunks.x),
        (Points::Fractions, chunks.y),
        (Points::Cross, 1),
        (Points::Quotient, 1),
        (Points::Witness, 1),
    ] {
        for point in 0..count {
            let mut cheat = Cheat::new(&scene, &values);
            cheat.tamper_points = Box::new(move |points, group| {
                if points == place {
                    group[point] = (group[point] + SRS.powers[3]).into_affine();
                }
            });
            // All scalars are right: only the group equation can tell.
            assert_eq!(scene.refusal_of(&cheat), Some(Check::Pairing), "{place:?} {point}");
        }
    }
}

/// Commits to one run, takes the challenges, and proves another run.
#[test]
fn values_exchanged_after_the_challenges_are_refused() {
    let scene = &DENSE.scene;
    let (one, other) = (scene.honest(&DENSE.inputs), scene.honest(&[vec![-8, 3, 1]]));
    let stated = Some(publics(scene.system(), &other));
    for open_later in [false, true] {
        let publics = stated.clone();
        let cheat = Cheat { later: Some(&other), open_later, publics, ..Cheat::new(scene, &one) };
        assert_eq!(scene.refusal_of(&cheat), Some(Check::Pairing), "{open_later}");
    }
    let cheat = Cheat { later: Some(&other), publics: stated, ..Cheat::new(scene, &other) };
    assert_eq!(scene.refusal_of(&cheat), None);
}

/// All results follow from one weight that is another than the committed one.
#[test]
fn a_wrong_weight_is_refused() {
    let scene = &DENSE.scene;
    let honest = scene.honest(&DENSE.inputs);
    for name in ["weights w", "weights v"] {
        let weights = scene.tensor(name).0 as usize;
        let values = (0..scene.model[weights].len()).find_map(|i| {
            let mut model = scene.model.clone();
            model[weights][i] += Fr::from(3);
            let values = run(&scene.lowered, &model, &DENSE.inputs, &mut |_, _| ());
            (publics(scene.system(), &values) != publics(scene.system(), &honest)).then_some(values)
        });
        let values = values.expect("some weight matters");
        // Used throughout, or opened as committed, or opened as used.
        for open_later in [false, true] {
            let cheat = Cheat { later: Some(&values), open_later, ..Cheat::new(scene, &values) };
            assert_eq!(scene.refusal_of(&cheat), Some(Check::Pairing), "{name}, {open_later}");
        }
        // The committed weights in the argument, the other ones' results in the witness.
        let mut mixed = values.clone();
        mixed[weights] = scene.model[weights].clone();
        count(scene.system(), &mut mixed);
        assert_eq!(scene.refusal(&mixed), Some(Check::LookupSum), "{name}");
    }
}

/// Fan-out: `h` has three readers, and some of them are shown another one. Each reader's result is consistent with what it was
/// shown, so that lookups and contractions hold; but each read is a claim of its own on the one committed tensor.
#[test]
fn readers_that_are_shown_different_tensors_refuse() {
    let scene = &FAN_OUT.scene;
    let honest = scene.honest(&FAN_OUT.inputs);
    let h = scene.tensor("result h");
    let results = ["result first", "result second", "copy third"].map(|name| scene.tensor(name));
    // The contractions of the readers `first` and `second`.
    let readers = [ContractionId(1), ContractionId(2)];
    for reader in readers {
        assert_eq!(scene.system().contraction(reader).rhs.as_ref().unwrap().tensor, h);
    }
    let shown = |delta: i64| scene.lied(&FAN_OUT.inputs, h, |values| values[h.0 as usize][2] += Fr::from(delta));
    // By how much the element of `h` is off for each reader; the third reads it in an equality.
    for deltas in [[1, 0, 0], [0, -2, 0], [0, 0, 1], [3, 3, 0], [1, -1, 0], [2, 2, 2]] {
        let mut values = honest.clone();
        let mut lied_to = BTreeMap::new();
        for (reader, delta) in deltas.into_iter().enumerate() {
            let shown = shown(delta);
            let out = results[reader].0 as usize;
            assert_eq!(shown[out] != honest[out], delta != 0, "reader {reader} sees a difference");
            values[out] = shown[out].clone();
            if let Some(id) = readers.get(reader) {
                lied_to.insert(*id, shown);
            }
        }
        recount(&mut values, &lied_to);
        let refusal = |bend| scene.refusal_of(&Cheat { bend, lied_to: lied_to.clone(), ..Cheat::new(scene, &values) });
        assert_eq!(refusal(Bend::Nothing), Some(Check::Batch), "{deltas:?}");
        assert_eq!(refusal(Bend::Batch), Some(Check::Pairing), "{deltas:?}");
    }
}

/// Multiplicities of what the readers were shown: those of the honest run with each reader's own rows replaced.
fn recount(values: &mut Values, lied_to: &BTreeMap<ContractionId, Values>) {
    let system = FAN_OUT.scene.system();
    let results = lied_to.iter().map(|(id, values)| (*id, contract(system, system.contraction(*id), values)));
    count_with(system, values, &results.collect());
}

/// What no claim reads may hold anything: positions beyond the tensors, the mask's among them.
#[test]
fn values_that_no_claim_reads_are_free() {
    let values = DENSE.scene.honest(&DENSE.inputs);
    let junk = randoms(1)[0];
    assert_ne!(junk, Fr::ZERO);
    assert_eq!(DENSE.scene.refusal_of(&Cheat { junk, ..Cheat::new(&DENSE.scene, &values) }), None);
    // A layer that does not fill its chunk.
    let scene = DENSE.scene.cut_at(CHUNK_BITS - 1);
    let mut cheat = Cheat { junk, ..Cheat::new(&scene, &values) };
    cheat.tamper_fractions = Box::new(move |y| y[1 << (CHUNK_BITS - 1)..].fill(junk));
    assert_eq!(scene.refusal_of(&cheat), None);
}
