//! Lies in the core's transcript, wrapped all the same: a run of the verifier that failed a check is recorded as it is and proven with
//! Halo2, and the proof is refused. So is one whose cells are not what the run computed.

use std::sync::LazyLock;

use ark_bn254::Fr;
use ark_ff::Field;
use vouch_circuits::argument::key::CoreProof;
use vouch_circuits::backend::Check;
use vouch_circuits::shell::Recording;
use vouch_verifier::shell::PreparedShell;

use crate::cheat::{Bend, Cheat, Message};
use crate::programs::*;
use crate::wrapped::wrapped;

/// The verifier's run on a cheating prover's transcript, in the circuit of the whole key: a scene's differs from it in public ranges only,
/// which no circuit sees.
fn record(proof: &CoreProof) -> Recording {
    wrapped().record(proof)
}

/// Whether a proof of the recording, made with whatever its cells hold, is accepted.
fn accepts(recording: Recording) -> bool {
    static SHELL: LazyLock<PreparedShell> = LazyLock::new(|| {
        let key = &wrapped().key.verifying_key;
        PreparedShell::new(&key.shell, key.tau_g2)
    });
    let instances = recording.instance_values();
    let proof = wrapped().key.shell.prove(recording).unwrap();
    SHELL.accepts(&instances, &proof)
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
    let scene = &DENSE.scene;
    let values = scene.honest(&DENSE.inputs);
    let honest = record(&Cheat::new(scene, &values).prove());
    assert_eq!(honest.failure, None);
    assert!(accepts(honest), "the truth is accepted along the same way");
    for (check, place, bend) in LIES {
        let mut cheat = Cheat { bend, ..Cheat::new(scene, &values) };
        cheat.tamper = Box::new(move |message, scalars| {
            if message == place {
                scalars[0] += Fr::ONE;
            }
        });
        let proof = cheat.prove();
        assert_eq!(scene.verify(&proof), Err(check.into()), "natively, {place:?}");
        let recording = record(&proof);
        assert_eq!(recording.failure, Some(check), "in the circuit, {place:?}");
        assert!(!accepts(recording), "{place:?}, {bend:?}");
    }
}

/// Messages too few or too many. The circuit has no more and no fewer than it reads, so that only the recorder can tell.
#[test]
fn other_numbers_of_messages_are_remembered() {
    let scene = &DENSE.scene;
    let mut proof = Cheat::new(scene, &scene.honest(&DENSE.inputs)).prove();
    proof.scalars.push(Fr::ONE);
    assert_eq!(record(&proof).failure, Some(Check::Shape));
    proof.scalars.truncate(proof.scalars.len() - 2);
    assert_eq!(record(&proof).failure, Some(Check::Shape));
}

/// A cell that could hold another value with all else as it is would be the prover's choice.
#[test]
fn no_cell_is_free() {
    let scene = &DENSE.scene;
    let honest = record(&Cheat::new(scene, &scene.honest(&DENSE.inputs)).prove());
    let mut readers = vec![Vec::new(); honest.values.len()];
    for (i, row) in honest.rows.iter().enumerate() {
        row.inputs.iter().flatten().chain([&row.output]).for_each(|v| readers[v.0].push(i));
        assert!(row.holds(&honest.values));
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
        assert!(readers[v].iter().any(|row| !honest.rows[*row].holds(&values)), "variable {v}");
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
        assert!(!accepts(recording), "{variable:?}");
    }
}
