//! Lies in the statement: other public values, another key, other constraints than the key's.

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field};
use vouch_circuits::argument::key::{CoreKey, CoreProof};
use vouch_circuits::backend::Check;
use vouch_circuits::ir::*;
use vouch_circuits::layout::Cuts;
use vouch_circuits::lowering::Lowered;
use vouch_program::{Op, Program};
use vouch_prover::{CoreProvingKey, SetupOptions, prove_core, setup_core};
use vouch_verifier::{PreparedCore, Refused, verify_core};

use crate::cheat::{Bend, Cheat};
use crate::programs::*;
use crate::scene::{CHUNK_BITS, SRS};
use crate::values::{Values, publics, run, violated};

/// A key, and a proof for it, as the product makes them.
struct Made {
    key: CoreProvingKey,
    prepared: PreparedCore,
    proof: CoreProof,
}

fn made(program: &Program, inputs: &[Vec<i64>], salt: u8) -> Made {
    let cuts = Cuts { chunk_bits: CHUNK_BITS, layer: 0 };
    let key = setup_core(program.clone(), &SetupOptions::cut_at(cuts), SRS.clone(), [salt; 32], &mut |_| {}).unwrap();
    let prepared = PreparedCore::new(key.key.clone(), key.key_digest).unwrap();
    let proof = prove_core(&key, inputs, None, &mut |_| {}).unwrap();
    let made = Made { key, prepared, proof };
    assert_eq!(made.refusal(|_| ()), None);
    made
}

impl Made {
    fn refusal(&self, change: impl FnOnce(&mut CoreProof)) -> Option<Refused> {
        let mut changed = self.proof.clone();
        change(&mut changed);
        verify_core(&self.prepared, &changed).err()
    }

    /// The same key with a change that its maker or the verifier made.
    fn changed(&self, change: impl FnOnce(&mut CoreKey)) -> PreparedCore {
        let mut key = self.key.key.clone();
        change(&mut key);
        let digest = key.digest();
        assert_ne!(digest, self.key.key_digest, "the digest covers the change");
        PreparedCore::new(key, digest).unwrap()
    }
}

fn sumcheck() -> Option<Refused> {
    Some(Refused::Check(Check::LookupSumcheck))
}

/// Public values changed once the proof is made: all challenges are others.
#[test]
fn other_public_values_are_refused() {
    for case in [&*DENSE, &*PRODUCTS] {
        let made = made(&case.program, &case.inputs, 1);
        for tensor in 0..made.proof.publics.len() {
            let public = &made.key.key.system.publics[tensor];
            let name = || public.name.clone();
            let need = made.proof.publics[tensor].len();
            for position in 0..need {
                let value = made.proof.publics[tensor][position];
                for other in [value + 1, value - 1, -value, 0].into_iter().filter(|other| *other != value) {
                    let refusal = made.refusal(|p| p.publics[tensor][position] = other);
                    let inside = (public.range.0..=public.range.1).contains(&other);
                    let expected =
                        if inside { sumcheck() } else { Some(Refused::PublicRange { name: name(), position }) };
                    assert_eq!(refusal, expected, "{} at {position}: {other}", public.name);
                }
                for beyond in [public.range.0 - 1, public.range.1 + 1, i64::MIN, i64::MAX] {
                    let refusal = made.refusal(|p| p.publics[tensor][position] = beyond);
                    assert_eq!(refusal, Some(Refused::PublicRange { name: name(), position }));
                }
            }
            let length = |have| Some(Refused::PublicLength { name: name(), have, need });
            assert_eq!(made.refusal(|p| p.publics[tensor].push(0)), length(need + 1));
            assert_eq!(made.refusal(|p| p.publics[tensor].truncate(need - 1)), length(need - 1));
            assert_eq!(made.refusal(|p| p.publics[tensor].clear()), length(0));
        }
        let need = made.proof.publics.len();
        let count = |have| Some(Refused::PublicCount { have, need });
        assert_eq!(made.refusal(|p| p.publics.push(Vec::new())), count(need + 1));
        assert_eq!(made.refusal(|p| drop(p.publics.pop())), count(need - 1));
        assert_eq!(made.refusal(|p| p.publics.clear()), count(0));
    }
}

/// Two inputs of one shape exchanged, and one's values moved along.
#[test]
fn public_tensors_in_another_order_are_refused() {
    let products = made(&PRODUCTS.program, &PRODUCTS.inputs, 1);
    assert_eq!(products.refusal(|p| p.publics.swap(0, 1)), sumcheck());
    let rotated = |p: &mut CoreProof| p.publics[0].rotate_left(1);
    assert_eq!(products.refusal(rotated), sumcheck());
}

/// A prover that states what its witness does not hold, from the beginning: the challenges are those of the false statement.
#[test]
fn a_statement_that_the_witness_does_not_hold_is_refused() {
    for case in [&*DENSE, &*PRODUCTS, &*ARGMAX] {
        let scene = &case.scene;
        let values = scene.honest(&case.inputs);
        let truth = publics(scene.system(), &values);
        scene.assert_accepts(&values);
        for tensor in 0..truth.len() {
            for position in 0..truth[tensor].len() {
                let mut stated = truth.clone();
                stated[tensor][position] += 1;
                for (bend, check) in [(Bend::Nothing, Check::Batch), (Bend::Batch, Check::Pairing)] {
                    let cheat = Cheat { publics: Some(stated.clone()), bend, ..Cheat::new(scene, &values) };
                    assert_eq!(scene.refusal_of(&cheat), Some(check), "tensor {tensor} at {position}, {bend:?}");
                }
            }
        }
    }
}

/// Other weights, another salt, another reference string: a proof is for one key, and saying that it is for another one does not help.
#[test]
fn a_proof_for_another_key_is_refused() {
    let good = made(&DENSE.program, &DENSE.inputs, 1);
    let mut weights = DENSE.program.clone();
    let weight = weights.nodes.iter_mut().find_map(|node| match &mut node.op {
        Op::Weight { data } => Some(data),
        _ => None,
    });
    // -3 is the least weight already, so no range changes.
    weight.unwrap()[1] = -3;
    let others = [made(&weights, &DENSE.inputs, 1), made(&DENSE.program, &DENSE.inputs, 2)];
    for (i, other) in others.iter().enumerate() {
        assert_eq!(verify_core(&good.prepared, &other.proof).err(), Some(Refused::OtherKey), "{i}");
        assert_eq!(verify_core(&other.prepared, &good.proof).err(), Some(Refused::OtherKey), "{i}");
        // The digest rewritten: the transcript begins with the key's own.
        assert_eq!(
            good.refusal(|p| (*p, p.key_digest) = (other.proof.clone(), good.key.key_digest)),
            sumcheck(),
            "{i}"
        );
    }
}

/// The digest as the verifier wants it, but in the prover's transcript another one, or none.
#[test]
fn a_transcript_that_begins_with_another_key_is_refused() {
    let scene = &DENSE.scene;
    let values = scene.honest(&DENSE.inputs);
    for digest in [[0; 32], TABLES.scene.digest] {
        let mut proof = Cheat { digest, ..Cheat::new(scene, &values) }.prove();
        assert_eq!(scene.verify(&proof), Err(Refused::OtherKey));
        proof.key_digest = scene.digest;
        assert_eq!(scene.verify(&proof).err(), sumcheck());
    }
}

/// Constraints that differ from those that the proof was made for: ranges, tables, scales, shifts, the graph, the weights. The digest
/// covers each of them; were it forged, the transcript would differ.
#[test]
fn a_key_with_other_constraints_refuses() {
    let made = made(&PRODUCTS.program, &PRODUCTS.inputs, 1);
    type Change = fn(&mut CoreKey);
    let changes: [(&str, Change); 14] = [
        ("a public range", |k| k.system.publics[0].range.1 += 1),
        ("a scale", |k| k.system.publics[2].frac += 1),
        ("a name", |k| k.system.publics[2].name.push('!')),
        ("a public shape", |k| k.system.publics[0].shape = vec![15]),
        ("a role", |k| k.system.publics[0].role = Role::Output),
        ("which tensor is public", |k| k.system.publics[0].tensor = k.system.publics[1].tensor),
        ("a table's column", |k| {
            k.system.tables[0].columns[0] = k.system.tables[0].columns[0].clone().plus_constant(1);
        }),
        ("a lookup's column", |k| {
            k.system.lookups[0].columns[0] = k.system.lookups[0].columns[0].clone().plus_constant(1);
        }),
        ("a coefficient", |k| k.system.lookups[0].columns[0].terms[0].0 += 1),
        ("a lookup", |k| drop(k.system.lookups.pop())),
        ("an equality", |k| drop(k.system.equals.pop())),
        ("a contraction's operand", |k| k.system.contractions[0].lhs = k.system.contractions[0].rhs.clone().unwrap()),
        ("a tensor's name", |k| k.system.tensors[0].name.push('!')),
        ("the weights", |k| k.w_commitments[0] = -k.w_commitments[0]),
    ];
    for (what, change) in changes {
        let key = made.changed(change);
        assert_eq!(verify_core(&key, &made.proof).err(), Some(Refused::OtherKey), "{what}");
        let mut forged = made.proof.clone();
        forged.key_digest = key.key().digest();
        assert_eq!(verify_core(&key, &forged).err(), sumcheck(), "{what}, with its digest");
    }
}

/// A prover with constraints of its own choice, under which nothing in its proof is false; the transcript begins with the key. What the
/// key says enters the claims that the batch reduces.
#[test]
fn constraints_of_the_provers_choice_are_refused() {
    let scene = &DENSE.scene;
    let system = scene.system();
    let refusal = |idea: &ConstraintSystem, mut values: Values, stated: Vec<Vec<i64>>| {
        let lies = violated(idea, &mut values, &stated);
        assert_eq!(lies, [], "under the prover's constraints nothing is false");
        scene.refusal_of(&Cheat { system: idea, publics: Some(stated), ..Cheat::new(scene, &values) })
    };
    let honest = scene.honest(&DENSE.inputs);
    assert_eq!(refusal(system, honest.clone(), publics(system, &honest)), None);
    let batch = Some(Check::Batch);

    // An input range that is one further up.
    let mut idea = system.clone();
    idea.lookups[0].columns[0] = idea.lookups[0].columns[0].clone().plus_constant(-1);
    let values = scene.honest(&[vec![8, -5, 6]]);
    assert_eq!(refusal(&idea, values.clone(), publics(system, &values)), batch);

    // A remainder of three bits looked up in the inputs' range, of four.
    let h = scene.tensor("result h");
    let rescale = scene.rescale(h);
    let argument = rescale.argument.unwrap().0 as usize;
    let values = scene.lied(&DENSE.inputs, h, |values| {
        let row = (0..5).find(|row| values[h.0 as usize][*row] != Fr::ZERO).unwrap();
        values[h.0 as usize][row] -= Fr::ONE;
        values[argument][row] -= Fr::ONE;
    });
    let mut idea = system.clone();
    let is_remainder = |lookup: &&mut Lookup| system.table(lookup.table).columns[0].domain == [8];
    idea.lookups.iter_mut().find(is_remainder).unwrap().table = system.lookups[0].table;
    assert_eq!(refusal(&idea, values.clone(), publics(system, &values)), batch);

    // The stated input bound to the result instead.
    let mut idea = system.clone();
    idea.publics[0].tensor = idea.publics[1].tensor;
    assert_eq!(refusal(&idea, honest.clone(), publics(&idea, &honest)), batch);

    // The matrix read one column further on.
    let mut idea = system.clone();
    idea.contractions[0].lhs.access = Access::Indexed(vec![Index::var(0), Index::shifted(1, 1)]);
    let lowered = Lowered { system: idea.clone(), ..scene.lowered.clone() };
    let values = run(&lowered, &scene.model, &DENSE.inputs, &mut |_, _| ());
    assert_ne!(publics(system, &values), publics(system, &honest));
    assert_eq!(refusal(&idea, values.clone(), publics(system, &values)), batch);
}
