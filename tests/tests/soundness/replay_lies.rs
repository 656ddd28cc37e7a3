//! Messages of a finished proof altered, exchanged, replayed, left out or added. Nothing is computed anew: every challenge after the
//! change is another one.

use ark_bn254::{Fr, G1Affine};
use ark_ec::AffineRepr;
use ark_ff::{AdditiveGroup, Field};
use vouch_circuits::argument::key::CoreProof;
use vouch_circuits::argument::opening::OpeningPoints;
use vouch_circuits::backend::Check;
use vouch_verifier::Refused;

use crate::cheat::{Cheat, Message};
use crate::programs::*;
use crate::protocol_lies::messages;
use crate::scene::Scene;
use crate::values::Values;

/// A proof and, for each of its scalars, the message that it belongs to and its number there.
struct Honest {
    scene: Scene,
    values: Values,
    proof: CoreProof,
    places: Vec<(Message, usize)>,
}

/// With the whole tree of fractions.
fn honest(case: &Case) -> Honest {
    honest_at(case, 0)
}

/// With the fractions of a layer committed to.
fn honest_at(case: &Case, layer: usize) -> Honest {
    let scene = case.scene.cut_at(layer);
    let values = scene.honest(&case.inputs);
    let (messages, proof) = messages(&scene, &values);
    let places = messages.into_iter().flat_map(|(message, count)| (0..count).map(move |i| (message, i))).collect();
    assert_eq!(scene.verify(&proof), Ok(()));
    Honest { scene, values, proof, places }
}

/// Without commitments to fractions, with those of a layer in the midst, and with the leaves'.
fn honest_ones(case: &Case) -> [Honest; 3] {
    let leaves = case.scene.layout.leaf_bits;
    [0, leaves / 2, leaves].map(|layer| honest_at(case, layer))
}

impl Honest {
    /// The check that refuses the proof after a change.
    fn after(&self, change: impl FnOnce(&mut CoreProof)) -> Refused {
        let mut changed = self.proof.clone();
        change(&mut changed);
        assert_ne!(changed, self.proof, "a change");
        self.scene.verify(&changed).expect_err("an altered proof")
    }

    /// Another proof of the same statement.
    fn again(&self) -> CoreProof {
        Cheat::new(&self.scene, &self.values).prove()
    }

    /// The first check that other challenges from the first one on lead to: where there is no tree, that of the contractions, which every
    /// model of these tests has.
    fn first_check(&self) -> Check {
        let layout = &self.scene.layout;
        if layout.layer == layout.leaf_bits { Check::Contraction } else { Check::LookupSumcheck }
    }

    /// The first check that meets scalar `i`.
    fn meets(&self, i: usize) -> Check {
        match self.places[i] {
            (Message::Root, _) => Check::LookupSum,
            // With the salt change all challenges.
            (Message::Salt | Message::FractionRound(_) | Message::FractionEnd, _) => self.first_check(),
            (Message::LookupRound { .. } | Message::Children { .. }, _) => Check::LookupSumcheck,
            (Message::Total | Message::ContractionRound(_) | Message::NumberRound(_) | Message::Operands, _) => {
                Check::Contraction
            }
            (Message::BatchRound(_) | Message::Vectors, _) => Check::Batch,
            (Message::Blind | Message::Opening, _) => Check::Pairing,
        }
    }
}

fn refused(check: Check) -> Refused {
    Refused::Check(check)
}

/// The first of two checks in the verifier's order.
fn first(a: Check, b: Check) -> Check {
    let order = [Check::LookupSum, Check::LookupSumcheck, Check::Contraction, Check::Batch, Check::Pairing];
    order.into_iter().find(|check| [a, b].contains(check)).unwrap_or(a)
}

#[test]
fn each_scalar_altered_is_refused() {
    for honest in [&*FAN_OUT, &*PRODUCTS].into_iter().flat_map(honest_ones) {
        for i in 0..honest.places.len() {
            for change in [|v: &mut Fr| *v += Fr::ONE, |v: &mut Fr| *v = v.double() + Fr::ONE] {
                let refusal = honest.after(|proof| change(&mut proof.scalars[i]));
                assert_eq!(refusal, refused(honest.meets(i)), "{:?}", honest.places[i]);
            }
        }
    }
}

#[test]
fn scalars_in_another_order_are_refused() {
    honest_ones(&FAN_OUT).iter().for_each(assert_order_counts);
}

fn assert_order_counts(honest: &Honest) {
    let scalars = &honest.proof.scalars;
    let last = scalars.len() - 1;
    for (i, j) in (0..last).map(|i| (i, i + 1)).chain((0..last).map(|i| (i, last - i))) {
        if scalars[i] != scalars[j] {
            let refusal = honest.after(|proof| proof.scalars.swap(i, j));
            let expected = match (honest.places[i], honest.places[j]) {
                // The sum is p0·q1 + p1·q0: exchanging the factors of a product leaves it zero.
                ((Message::Root, 0), (Message::Root, 3)) | ((Message::Root, 1), (Message::Root, 2)) => {
                    Check::LookupSumcheck
                }
                // Both operands of one product.
                ((Message::Operands, k), (Message::Operands, l)) if l == k + 1 && k % 2 == 0 => Check::Batch,
                _ => first(honest.meets(i), honest.meets(j)),
            };
            assert_eq!(refusal, refused(expected), "{:?} and {:?}", honest.places[i], honest.places[j]);
        }
    }
    // All by one place; the other way round.
    let expected = if honest.scene.layout.layer == 0 { Check::LookupSum } else { honest.first_check() };
    for refusal in [honest.after(|p| p.scalars.rotate_left(1)), honest.after(|p| p.scalars.reverse())] {
        assert_eq!(refusal, refused(expected));
    }
}

#[test]
fn each_point_altered_is_refused() {
    honest_ones(&FAN_OUT).iter().for_each(assert_points_count);
}

fn assert_points_count(honest: &Honest) {
    let other = honest.again();
    let changes: [&dyn Fn(G1Affine, G1Affine) -> G1Affine; 4] =
        [&|point, _| -point, &|_, other| other, &|_, _| G1Affine::zero(), &|_, _| G1Affine::generator()];
    for change in changes {
        for i in 0..honest.proof.x_commitments.len() {
            // The root's fractions sum to zero whatever the challenges; the first sumcheck depends on them.
            let refusal = honest.after(|p| p.x_commitments[i] = change(p.x_commitments[i], other.x_commitments[i]));
            assert_eq!(refusal, refused(honest.first_check()), "commitment {i}");
        }
        for i in 0..honest.proof.y_commitments.len() {
            let refusal = honest.after(|p| p.y_commitments[i] = change(p.y_commitments[i], other.y_commitments[i]));
            assert_eq!(refusal, refused(honest.first_check()), "commitment {i} to fractions");
        }
        let cross = honest.after(|p| p.opening.cross = change(p.opening.cross, other.opening.cross));
        assert_eq!(cross, refused(Check::Pairing));
        let quotient = honest.after(|p| p.opening.quotient = change(p.opening.quotient, other.opening.quotient));
        assert_eq!(quotient, refused(Check::Pairing));
        let witness = honest.after(|p| p.opening.witness = change(p.opening.witness, other.opening.witness));
        assert_eq!(witness, refused(Check::Pairing));
    }
}

#[test]
fn points_in_another_order_are_refused() {
    let honest = honest(&FAN_OUT);
    let count = honest.proof.x_commitments.len();
    assert!(count > 3);
    for i in 0..count - 1 {
        let refusal = honest.after(|p| p.x_commitments.swap(i, i + 1));
        assert_eq!(refusal, refused(Check::LookupSumcheck), "commitments {i} and the next");
    }
    let refusal = honest.after(|p| std::mem::swap(&mut p.opening.cross, &mut p.opening.quotient));
    assert_eq!(refusal, refused(Check::Pairing));
    let refusal = honest.after(|p| std::mem::swap(&mut p.opening.quotient, &mut p.opening.witness));
    assert_eq!(refusal, refused(Check::Pairing));
    // From one group to another.
    let refusal = honest.after(|p| std::mem::swap(&mut p.opening.cross, &mut p.x_commitments[0]));
    assert_eq!(refusal, refused(Check::LookupSumcheck));
    let fractions = honest_at(&FAN_OUT, FAN_OUT.scene.layout.leaf_bits);
    for i in 1..fractions.proof.y_commitments.len() {
        assert_eq!(fractions.after(|p| p.y_commitments.swap(0, i)), refused(fractions.first_check()));
    }
    let refusal = fractions.after(|p| std::mem::swap(&mut p.y_commitments[0], &mut p.x_commitments[0]));
    assert_eq!(refusal, refused(fractions.first_check()));
}

/// Parts of another proof of the same statement, and of one of another statement.
#[test]
fn replayed_messages_are_refused() {
    honest_ones(&FAN_OUT).iter().for_each(assert_no_replay);
}

fn assert_no_replay(honest: &Honest) {
    let (scene, anew) = (&honest.scene, refused(honest.first_check()));
    let other_run = Cheat::new(scene, &scene.honest(&[vec![1, 2, 3]])).prove();
    assert_eq!(scene.verify(&other_run), Ok(()));
    for other in [honest.again(), other_run] {
        let statement = if other.publics == honest.proof.publics { "the same" } else { "another" };
        let scalars = honest.after(|p| p.scalars.clone_from(&other.scalars));
        assert_eq!(scalars, anew, "{statement}: all scalars");
        let points = honest.after(|p| p.x_commitments.clone_from(&other.x_commitments));
        assert_eq!(points, anew, "{statement}: all commitments");
        if scene.layout.layer > 0 {
            let points = honest.after(|p| p.y_commitments.clone_from(&other.y_commitments));
            assert_eq!(points, anew, "{statement}: all commitments to fractions");
        }
        let opening = honest.after(|p| p.opening = other.opening.clone());
        assert_eq!(opening, refused(Check::Pairing), "{statement}: the opening's points");
        // Each single scalar, and all from one on.
        for i in 0..honest.places.len() {
            if honest.proof.scalars[i] == other.scalars[i] {
                continue;
            }
            let one = honest.after(|p| p.scalars[i] = other.scalars[i]);
            assert_eq!(one, refused(honest.meets(i)), "{statement}: {:?}", honest.places[i]);
            let tail = honest.after(|p| p.scalars[i..].copy_from_slice(&other.scalars[i..]));
            let expected = match honest.places[i] {
                // All of the root's fractions are another root's, which sums to zero too.
                (Message::Salt, _) | (Message::Root, 0) => honest.first_check(),
                _ => (i..honest.places.len()).map(|j| honest.meets(j)).reduce(first).unwrap(),
            };
            assert_eq!(tail, refused(expected), "{statement}: from {:?} on", honest.places[i]);
        }
        if other.publics != honest.proof.publics {
            let stated = honest.after(|p| p.publics.clone_from(&other.publics));
            assert_eq!(stated, anew, "the other's statement");
        }
    }
}

#[test]
fn missing_and_additional_messages_are_refused() {
    honest_ones(&FAN_OUT).iter().for_each(assert_complete);
}

fn assert_complete(honest: &Honest) {
    let count = honest.proof.scalars.len();
    for len in 0..count {
        // What is there is checked as it is read: a cut proof fails for want of a message, wherever the cut is.
        assert_eq!(honest.after(|p| p.scalars.truncate(len)), refused(Check::Shape), "{len} scalars");
    }
    for extra in [Fr::ZERO, Fr::ONE, honest.proof.scalars[0]] {
        assert_eq!(honest.after(|p| p.scalars.push(extra)), refused(Check::Shape));
    }
    for i in 0..count {
        let gone = honest.after(|p| p.scalars = [&p.scalars[..i], &p.scalars[i + 1..]].concat());
        assert!(matches!(gone, Refused::Check(_)), "without {:?}", honest.places[i]);
        let twice = honest.after(|p| p.scalars.insert(i, p.scalars[i]));
        assert!(matches!(twice, Refused::Check(_)), "{:?} twice", honest.places[i]);
    }
    let need = honest.proof.x_commitments.len();
    let have = |have| Refused::Commitments { have, need };
    assert_eq!(honest.after(|p| p.x_commitments.truncate(need - 1)), have(need - 1));
    assert_eq!(honest.after(|p| p.x_commitments.clear()), have(0));
    assert_eq!(honest.after(|p| p.x_commitments.push(G1Affine::zero())), have(need + 1));
    let need = honest.proof.y_commitments.len();
    let have = |have| Refused::Commitments { have, need };
    assert_eq!(honest.after(|p| p.y_commitments.push(G1Affine::zero())), have(need + 1));
    if need > 0 {
        assert_eq!(honest.after(|p| p.y_commitments.truncate(need - 1)), have(need - 1));
        assert_eq!(honest.after(|p| p.y_commitments.clear()), have(0));
    }
}

/// Nothing at all: every scalar zero, every point at infinity.
#[test]
fn an_empty_proof_is_refused() {
    let zero = |p: &mut CoreProof| {
        p.scalars.fill(Fr::ZERO);
        p.x_commitments.fill(G1Affine::zero());
        p.y_commitments.fill(G1Affine::zero());
        let none = G1Affine::zero();
        p.opening = OpeningPoints { cross: none, quotient: none, witness: none };
    };
    // Fractions 0/0 sum to zero; that is why the root's denominator must not be. Those that are committed to are no fractions of the
    // constraints'.
    let refusals = honest_ones(&FAN_OUT).map(|honest| honest.after(zero));
    assert_eq!(refusals, [Check::LookupSum, Check::Batch, Check::Batch].map(refused));
}
