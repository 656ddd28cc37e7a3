//! Lies about the fractions that are committed to: they are chosen when all keys are known, so a prover fits them to whatever it likes.
//! What refuses is that the fractions' products and their sum are claims on the same positions of one committed vector.

use ark_bn254::Fr;
use ark_ff::AdditiveGroup;
use vouch_circuits::backend::Check;
use vouch_circuits::layout::Leaf;

use crate::cheat::{BENDS, Bend, Cheat};
use crate::programs::*;
use crate::scene::{CHUNK_BITS, Scene, randoms};
use crate::values::{Values, shift};

pub type Lie = Box<dyn Fn(&mut [Fr])>;

/// [`DENSE`] at these cuts, with its honest values.
fn scenes(layers: impl IntoIterator<Item = usize>) -> Vec<(Scene, Values)> {
    let scenes = layers.into_iter().map(|layer| DENSE.scene.cut_at(layer));
    scenes.map(|scene| (scene.honest(&DENSE.inputs), scene)).map(|(values, scene)| (scene, values)).collect()
}

/// [`DENSE`]'s values with a row that is in no table.
fn with_a_false_row(scene: &Scene) -> Values {
    let y = scene.tensor("result y");
    scene.lied(&DENSE.inputs, y, |values| shift(values, y, 1, 1))
}

/// The sum made right by what stands at one position.
pub fn balanced_at(position: usize) -> Lie {
    Box::new(move |y| {
        let sum: Fr = y.iter().sum();
        y[position] -= sum;
    })
}

/// The checks that refuse these fractions, for provers who bend nothing, and who bend all that follows.
fn refusals(scene: &Scene, values: &Values, lie: Lie) -> Vec<Option<Check>> {
    let mut cheat = Cheat::new(scene, values);
    cheat.tamper_fractions = lie;
    let bends = [Bend::Nothing, Bend::Lookups, Bend::Batch];
    bends
        .map(|bend| {
            cheat.bend = bend;
            scene.refusal_of(&cheat)
        })
        .to_vec()
}

/// From the first check on that meets a false claim on the nodes of a layer, or on their sum.
fn expected(scene: &Scene, nodes: bool) -> Vec<Option<Check>> {
    let below = scene.layout.layer < scene.layout.leaf_bits;
    let first = if nodes && below { Check::LookupSumcheck } else { Check::Batch };
    [first, Check::Batch, Check::Pairing].map(Some).to_vec()
}

/// At every layer the honest fractions are accepted, however large or small it is beside a chunk.
#[test]
fn every_layer_can_be_committed_to() {
    for (scene, values) in scenes(0..=DENSE.scene.layout.leaf_bits) {
        scene.assert_accepts(&values);
    }
}

/// One fraction another, alone, and with another one that makes up for it; a lookup's, a table's and an unused node's.
#[test]
fn false_fractions_are_refused() {
    let leaves = DENSE.scene.layout.leaf_bits;
    for (scene, values) in scenes([1, leaves / 2, leaves]) {
        let nodes = scene.layout.y_len();
        let by = randoms(1)[0];
        for (one, other) in [(0, nodes - 1), (nodes / 2, 0), (nodes - 1, nodes / 2)] {
            let alone: Lie = Box::new(move |y| y[one] += by);
            assert_eq!(refusals(&scene, &values, alone), expected(&scene, true));
            if one != other {
                let balanced: Lie = Box::new(move |y| {
                    y[one] += by;
                    y[other] -= by;
                });
                assert_eq!(refusals(&scene, &values, balanced), expected(&scene, true));
                let swapped: Lie = Box::new(move |y| {
                    let other = y.iter().position(|value| *value != y[one]).expect("fractions differ");
                    y.swap(one, other);
                });
                assert_eq!(refusals(&scene, &values, swapped), expected(&scene, true));
            }
        }
        let none: Lie = Box::new(|y| y.fill(Fr::ZERO));
        assert_eq!(refusals(&scene, &values, none), expected(&scene, true));
    }
}

/// A row in no table: its fractions sum to something else than zero, and whatever makes the sum right is false elsewhere: another node's
/// fraction, an unused node's, a table's row that nothing counts.
#[test]
fn a_sum_that_is_made_right_is_refused() {
    let leaves = DENSE.scene.layout.leaf_bits;
    for layer in [1, leaves / 2, leaves] {
        let scene = DENSE.scene.cut_at(layer);
        let values = with_a_false_row(&scene);
        assert_eq!(refusals(&scene, &values, Box::new(|_| ()))[0], Some(Check::Batch), "the sum");
        for node in [0, scene.layout.y_len() / 2, scene.layout.y_len() - 1] {
            assert_eq!(
                refusals(&scene, &values, balanced_at(node)),
                expected(&scene, true),
                "layer {layer}, node {node}"
            );
        }
    }
}

/// The same where the layer does not fill its chunk: positions behind its nodes are read by neither claim, so they are no free summands.
#[test]
fn positions_beyond_the_layer_are_no_free_summands() {
    for layer in 1..CHUNK_BITS {
        let scene = DENSE.scene.cut_at(layer);
        let values = with_a_false_row(&scene);
        for position in [1 << layer, (1 << CHUNK_BITS) - 1] {
            assert_eq!(
                refusals(&scene, &values, balanced_at(position)),
                expected(&scene, false),
                "layer {layer}, position {position}"
            );
        }
    }
}

/// Without a row's fraction in the sum no multiplicity is needed for it: a table's multiplicity that covers a missing row, or a lookup
/// whose numerator is zero.
#[test]
fn rows_that_are_not_counted_are_refused() {
    let leaves = DENSE.scene.layout.leaf_bits;
    for (scene, values) in scenes([leaves / 2, leaves]) {
        let block = |leaf| scene.layout.leaves.iter().find(|(l, _)| *l == leaf).unwrap().1;
        let (rows, table) = (block(Leaf::Lookup(0)), block(Leaf::Table(scene.system().lookups[0].table)));
        let mut lied = values.clone();
        let multiplicity = scene.system().table(scene.system().lookups[0].table).multiplicity;
        let counted = lied[multiplicity.0 as usize].iter().position(|m| *m != Fr::ZERO).unwrap();
        shift(&mut lied, multiplicity, counted, -1);
        assert_eq!(scene.refusal(&lied), Some(Check::Batch));
        for bend in BENDS {
            let mut cheat = Cheat { bend, ..Cheat::new(&scene, &lied) };
            cheat.tamper_leaves = Box::new(move |p, q| {
                let row = rows.range().find(|row| q[*row] == q[table.offset + counted]).unwrap();
                p[row] = Fr::ZERO;
            });
            let expected = if bend == Bend::Batch { Check::Pairing } else { Check::Batch };
            assert_eq!(scene.refusal_of(&cheat), Some(expected), "{bend:?}");
        }
    }
}

/// A denominator that is zero would leave its fraction free. Only a key equal to `α` has one, and then the sum is whatever the prover
/// likes; a prover who pretends it where it is not so is refused like any other false leaf.
#[test]
fn denominators_that_are_pretended_to_be_zero_are_refused() {
    let leaves = DENSE.scene.layout.leaf_bits;
    let scene = DENSE.scene.cut_at(leaves);
    let values = with_a_false_row(&scene);
    for bend in [Bend::Nothing, Bend::Batch] {
        let mut cheat = Cheat { bend, ..Cheat::new(&scene, &values) };
        cheat.tamper_leaves = Box::new(|p, q| (p[0], q[0]) = (Fr::ZERO, Fr::ZERO));
        cheat.tamper_fractions = balanced_at(0);
        let expected = if bend == Bend::Batch { Check::Pairing } else { Check::Batch };
        assert_eq!(scene.refusal_of(&cheat), Some(expected), "{bend:?}");
    }
}
