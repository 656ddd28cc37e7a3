//! Lies in the core's transcript, wrapped all the same: a run of the verifier that failed a check is recorded as it is and proven with
//! Halo2, and the proof is refused. So is one whose cells are not what the run computed.

use std::sync::LazyLock;

use ark_bn254::Fr;
use ark_ff::Field;
use vouch_circuits::backend::Check;
use vouch_circuits::key::{CoreProof, statement};
use vouch_circuits::shell::arithmetic::Row;
use vouch_circuits::shell::{Recording, Shape, record_shape};
use vouch_prover::commit::Srs;
use vouch_prover::shell::{ShellProvingKey, record_proof};
use vouch_verifier::shell::PreparedShell;

use crate::cheat::{Bend, Cheat, Message};
use crate::programs::*;

struct Wrapped {
    case: &'static Case,
    key: ShellProvingKey,
    prepared: PreparedShell,
}

static WRAPPED: LazyLock<Wrapped> = LazyLock::new(|| {
    let case = &*DENSE;
    let (system, layout) = (case.scene.system(), &case.scene.layout);
    let k = Shape::of(&record_shape(system, layout)).k;
    let srs = Srs::development(1 << k, &mut rand::rng());
    let key = ShellProvingKey::new(system, layout, &srs, None).unwrap();
    let prepared = PreparedShell::new(&key.verifying_key, srs.powers[0], srs.g2, srs.tau_g2);
    Wrapped { case, key, prepared }
});

impl Wrapped {
    fn record(&self, proof: &CoreProof) -> Recording {
        let scene = &self.case.scene;
        let statement = statement(&proof.key_digest, &proof.publics);
        record_proof(scene.system(), &scene.layout, &statement, proof)
    }

    /// Whether a proof of the recording, made with whatever its cells hold, is accepted.
    fn accepts(&self, recording: Recording) -> bool {
        let instances = recording.instance_values();
        let proof = self.key.prove(recording).unwrap();
        self.prepared.accepts(&instances, &proof)
    }
}

/// A message to lie in and how far to bend what follows, such that this check refuses.
const LIES: [(Check, Message, Bend); 6] = [
    (Check::LookupSum, Message::Root, Bend::Nothing),
    (Check::LookupSumcheck, Message::Children { depth: 2 }, Bend::Nothing),
    (Check::LookupSumcheck, Message::LookupRound { depth: 3, round: 1 }, Bend::Root),
    (Check::Contraction, Message::ContractionRound(0), Bend::Nothing),
    (Check::Batch, Message::BatchRound(1), Bend::Nothing),
    (Check::OpeningFold, Message::BatchRound(1), Bend::Batch),
];

#[test]
fn a_run_that_fails_a_check_has_no_accepted_proof() {
    let wrapped = &*WRAPPED;
    let scene = &wrapped.case.scene;
    let values = scene.honest(&wrapped.case.inputs);
    let honest = wrapped.record(&Cheat::new(scene, &values).prove());
    assert_eq!(honest.failure, None);
    assert!(wrapped.accepts(honest), "the truth is accepted along the same way");
    for (check, place, bend) in LIES {
        let mut cheat = Cheat { bend, ..Cheat::new(scene, &values) };
        cheat.tamper = Box::new(move |message, scalars| {
            if message == place {
                scalars[0] += Fr::ONE;
            }
        });
        let proof = cheat.prove();
        assert_eq!(scene.verify(&proof), Err(check.into()), "natively, {place:?}");
        let recording = wrapped.record(&proof);
        assert_eq!(recording.failure, Some(check), "in the circuit, {place:?}");
        assert!(!wrapped.accepts(recording), "{place:?}, {bend:?}");
    }
}

/// Messages too few or too many. The circuit has no more and no fewer than it reads, so that only the recorder can tell.
#[test]
fn other_numbers_of_messages_are_remembered() {
    let wrapped = &*WRAPPED;
    let scene = &wrapped.case.scene;
    let mut proof = Cheat::new(scene, &scene.honest(&wrapped.case.inputs)).prove();
    proof.scalars.push(Fr::ONE);
    assert_eq!(wrapped.record(&proof).failure, Some(Check::Shape));
    proof.scalars.truncate(proof.scalars.len() - 2);
    assert_eq!(wrapped.record(&proof).failure, Some(Check::Shape));
}

fn holds(values: &[Fr], row: &Row) -> bool {
    let [a, b, c] = row.inputs.map(|input| input.map_or(Fr::from(0u64), |v| values[v.0]));
    let [qa, qb, qc] = row.linear;
    row.product * a * b + qa * a + qb * b + qc * c + row.constant == values[row.output.0]
}

/// A cell that could hold another value with all else as it is would be the prover's choice.
#[test]
fn no_cell_is_free() {
    let wrapped = &*WRAPPED;
    let scene = &wrapped.case.scene;
    let honest = wrapped.record(&Cheat::new(scene, &scene.honest(&wrapped.case.inputs)).prove());
    let mut readers = vec![Vec::new(); honest.values.len()];
    for (i, row) in honest.rows.iter().enumerate() {
        row.inputs.iter().flatten().chain([&row.output]).for_each(|v| readers[v.0].push(i));
        assert!(holds(&honest.values, row));
    }
    let mut hashed = vec![false; honest.values.len()];
    for permutation in &honest.permutations {
        let cells = permutation.before.iter().chain(&permutation.messages).chain(&permutation.after);
        cells.for_each(|v| hashed[v.0] = true);
    }
    let mut values = honest.values.clone();
    for v in 0..values.len() {
        // A permutation's cells determine one another.
        if hashed[v] {
            continue;
        }
        values[v] += Fr::ONE;
        assert!(readers[v].iter().any(|row| !holds(&values, &honest.rows[*row])), "variable {v}");
        values[v] -= Fr::ONE;
    }
    // Real proofs for one of each kind: both constants that the sponge begins with, a message, the last permutation's result, the
    // zero of the assertions, a sum.
    let first = &honest.permutations[0];
    let last = honest.permutations.last().unwrap();
    let sum = honest.rows.last().unwrap();
    let picked = [first.before[0], first.before[1], first.messages[0], last.after[1], sum.output];
    for variable in picked {
        let mut recording = honest.clone();
        recording.values[variable.0] += Fr::ONE;
        assert!(!wrapped.accepts(recording), "{variable:?}");
    }
}
