//! Lies in the core's transcript, wrapped all the same: a run of the verifier that failed a check is recorded as it is and proven with
//! Halo2, and the proof is refused. So is one whose cells are not what the run computed.

use std::sync::LazyLock;

use ark_bn254::Fr;
use ark_ff::Field;
use vouch_circuits::backend::Check;
use vouch_circuits::shell::{Columns, Recording};
use vouch_verifier::plonk;

use crate::cheat::{Bend, Cheat, Message};
use crate::programs::*;
use crate::scene::Scene;
use crate::wrapped::Wrapped;

/// [`DENSE`] at one cut, with whole keys. A scene's constraints differ from its in public ranges only, which no circuit sees.
struct Shelled {
    scene: Scene,
    wrapped: Wrapped,
}

/// With the whole tree of fractions, and with those of a layer in the midst and of the leaves committed to; in circuits of one, two and four
/// lanes, whose columns share commitments but for those of the two.
static SHELLED: LazyLock<[Shelled; 3]> = LazyLock::new(|| {
    let mut columns = [Columns::packed(1), Columns::alone(2), Columns::packed(4)].into_iter();
    DENSE.scene.cuts().map(|scene| {
        let wrapped = Wrapped::cut_at(1, Some(scene.layout.layer), columns.next().unwrap());
        Shelled { scene, wrapped }
    })
});

impl Shelled {
    fn honest(&self) -> Recording {
        let values = self.scene.honest(&DENSE.inputs);
        self.wrapped.record(&Cheat::new(&self.scene, &values).prove())
    }

    /// Whether a proof of the recording, made with whatever its cells hold, is accepted.
    fn accepts(&self, recording: Recording) -> bool {
        let instances = recording.instance_values();
        let proof = self.wrapped.key.shell.prove(&recording).unwrap();
        let key = &self.wrapped.key.verifying_key;
        plonk::reduce(&key.shell, &instances, &proof).is_ok_and(|reduced| reduced.equation.holds(key.tau_g2))
    }
}

/// A message to lie in and how far to bend what follows, such that this check refuses.
type Lie = (Check, Message, Bend);

/// For each of [`SHELLED`].
const LIES: [&[Lie]; 3] = [
    &[
        (Check::LookupSum, Message::Root, Bend::Nothing),
        (Check::LookupSumcheck, Message::Children { depth: 2 }, Bend::Nothing),
        (Check::LookupSumcheck, Message::LookupRound { depth: 3, round: 1 }, Bend::Root),
        (Check::Contraction, Message::ContractionRound(0), Bend::Nothing),
        (Check::Batch, Message::BatchRound(1), Bend::Nothing),
    ],
    &[
        (Check::LookupSumcheck, Message::FractionRound(0), Bend::Nothing),
        (Check::LookupSumcheck, Message::FractionEnd, Bend::Nothing),
        (Check::Batch, Message::FractionEnd, Bend::Lookups),
    ],
    &[
        (Check::Batch, Message::FractionRound(1), Bend::Nothing),
        (Check::Batch, Message::FractionEnd, Bend::Contractions),
        (Check::Batch, Message::Vectors, Bend::Contractions),
    ],
];

#[test]
fn a_run_that_fails_a_check_has_no_accepted_proof() {
    for (shelled, lies) in SHELLED.iter().zip(LIES) {
        let honest = shelled.honest();
        assert_eq!(honest.failure, None);
        assert!(shelled.accepts(honest), "the truth is accepted along the same way");
        lies.iter().for_each(|lie| assert_refused(shelled, *lie));
    }
}

fn assert_refused(shelled: &Shelled, (check, place, bend): Lie) {
    let scene = &shelled.scene;
    let values = scene.honest(&DENSE.inputs);
    let mut cheat = Cheat { bend, ..Cheat::new(scene, &values) };
    cheat.tamper = Box::new(move |message, scalars| {
        if message == place {
            // The first scalar of the vectors' values is the one that bends them.
            scalars[scalars.len() - 1] += Fr::ONE;
        }
    });
    let proof = cheat.prove();
    assert_eq!(scene.verify(&proof), Err(check.into()), "natively, {place:?}");
    let recording = shelled.wrapped.record(&proof);
    assert_eq!(recording.failure, Some(check), "in the circuit, {place:?}");
    assert!(!shelled.accepts(recording), "{place:?}, {bend:?}");
}

/// Messages too few or too many. The circuit has no more and no fewer than it reads, so that only the recorder can tell.
#[test]
fn other_numbers_of_messages_are_remembered() {
    for Shelled { scene, wrapped, .. } in SHELLED.iter() {
        let mut proof = Cheat::new(scene, &scene.honest(&DENSE.inputs)).prove();
        proof.scalars.push(Fr::ONE);
        assert_eq!(wrapped.record(&proof).failure, Some(Check::Shape));
        proof.scalars.truncate(proof.scalars.len() - 2);
        assert_eq!(wrapped.record(&proof).failure, Some(Check::Shape));
    }
}

/// A cell that could hold another value with all else as it is would be the prover's choice.
#[test]
fn no_cell_is_free() {
    SHELLED.iter().for_each(assert_no_cell_is_free);
}

fn assert_no_cell_is_free(shelled: &Shelled) {
    let honest = shelled.honest();
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
        assert!(!shelled.accepts(recording), "{variable:?}");
    }
}
