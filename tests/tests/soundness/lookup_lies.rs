//! Lies in the lookup argument itself: false multiplicities, rows counted elsewhere, columns and fractions that are not those of the
//! committed values.

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field};
use vouch_circuits::backend::Check;
use vouch_circuits::ir::TensorId;
use vouch_circuits::layout::Leaf;

use crate::cheat::{Bend, Cheat};
use crate::programs::*;
use crate::values::{Values, shift};

/// The rows of two tables exchanged: each `(argument, result)` is in the other's table, and counted there. The table's number is part
/// of a row's key.
#[test]
fn rows_of_another_table_are_refused() {
    for scene in TABLES.scene.cuts() {
        let honest = scene.honest(&TABLES.inputs);
        let mut values = honest.clone();
        values.swap(scene.tensor("result y").0 as usize, scene.tensor("result z").0 as usize);
        assert_eq!(scene.refusal(&values), scene.sum_check(), "counted nowhere");
        for table in ["f", "g"] {
            let multiplicity = scene.multiplicity(table).0 as usize;
            values[multiplicity] = honest[multiplicity].clone();
        }
        assert_eq!(scene.refusal(&values), scene.sum_check(), "counted in the other's table");
    }
}

/// Multiplicities that are not the counts, among them ones whose sum is right, for one table and for two.
#[test]
fn forged_multiplicities_are_refused() {
    let scene = &TABLES.scene;
    let honest = scene.honest(&TABLES.inputs);
    let (f, g, range) = (scene.multiplicity("f"), scene.multiplicity("g"), scene.multiplicity("range of 3 bits"));
    let lies: [&[(TensorId, usize, i64)]; 8] = [
        &[(f, 16, 1)],
        &[(f, 16, -1)],
        &[(f, 2, -1)],
        &[(f, 16, 1), (f, 17, -1)],
        &[(f, 16, 1), (g, 16, -1)],
        &[(f, 16, 1), (range, 0, -1)],
        &[(range, 0, 1), (range, 1, -2), (range, 2, 1)],
        &[(range, 7, i64::from(u32::MAX))],
    ];
    let mut none = honest.clone();
    none[f.0 as usize].fill(Fr::ZERO);
    for scene in scene.cuts() {
        for lie in lies {
            let mut values = honest.clone();
            lie.iter().for_each(|&(tensor, position, by)| shift(&mut values, tensor, position, by));
            assert_eq!(scene.refusal(&values), scene.sum_check(), "{lie:?}");
        }
        assert_eq!(scene.refusal(&none), scene.sum_check());
    }
}

/// A row that is in no table, with its multiplicity given to the nearest row, or to none with a count of the field that would
/// make a plain sum of rows right.
#[test]
fn no_multiplicities_help_a_row_that_is_in_no_table() {
    let scene = &DENSE.scene;
    let y = scene.tensor("result y");
    let values = scene.lied(&DENSE.inputs, y, |values| shift(values, y, 1, 1));
    let table = scene.multiplicity("range of 2 bits").0 as usize;
    let total = |values: &Values| values[table].iter().sum::<Fr>();
    let missing = total(&scene.honest(&DENSE.inputs)) - total(&values);
    assert_ne!(missing, Fr::ZERO);
    let mut spread = values.clone();
    spread[table].iter_mut().for_each(|m| *m += missing / Fr::from(4));
    for scene in scene.cuts() {
        for position in 0..4 {
            let mut forged = values.clone();
            forged[table][position] += missing;
            assert_eq!(scene.refusal(&forged), scene.sum_check());
        }
        assert_eq!(scene.refusal(&spread), scene.sum_check());
    }
}

/// Looked-up columns that are not the committed ones: the fractions are those of the truth, the committed values a lie.
#[test]
fn columns_that_are_not_committed_are_refused() {
    for (case, name) in [(&*DENSE, "result h"), (&*TABLES, "result y"), (&*POOL, "max pairs"), (&*PRODUCTS, "input x")]
    {
        let scene = &case.scene;
        let tensor = scene.tensor(name);
        let honest = scene.honest(&case.inputs);
        let mut values = honest.clone();
        shift(&mut values, tensor, 1, 1);
        for scene in scene.cuts() {
            let checks = [Bend::Nothing, Bend::Batch].map(|bend| {
                scene.refusal_of(&Cheat { leaves_from: Some(&honest), bend, ..Cheat::new(&scene, &values) })
            });
            assert_eq!(checks, [Check::Batch, Check::Pairing].map(Some), "{name}");
        }
    }
}

/// Fractions that sum to zero although one row is in no table, because some of them are not what the key says: the row left out, the
/// row in a good one's place, its fraction taken back at a leaf that stands for nothing, or by a table's.
#[test]
fn fractions_that_the_key_does_not_know_are_refused() {
    let scene = &DENSE.scene;
    let y = scene.tensor("result y");
    let values = scene.lied(&DENSE.inputs, y, |values| shift(values, y, 1, 1));
    assert_eq!(scene.refusal(&values), Some(Check::LookupSum));
    let layout = &scene.layout;
    assert!(layout.leaf_len < 1 << layout.leaf_bits, "some leaves stand for nothing");
    // The row of y's remainder that is in no table, and the first one, which is.
    let remainder = scene.system().lookups.len() - 1;
    let block = |leaf| layout.leaves.iter().find(|(l, _)| *l == leaf).unwrap().1;
    let rows = block(Leaf::Lookup(remainder));
    let (good, bad) = (rows.offset, rows.offset + 1);
    let table = block(Leaf::Table(scene.system().lookups[remainder].table)).offset;
    let unused = (1 << layout.leaf_bits) - 1;
    type Change = Box<dyn Fn(&mut [Fr], &mut [Fr])>;
    let changes: [(&str, Change); 4] = [
        ("left out", Box::new(move |p, _| p[bad] = Fr::ZERO)),
        (
            "a good row instead, counted",
            Box::new(move |p, q| {
                let with = (0..4).find(|i| q[table + i] == q[good]).unwrap();
                q[bad] = q[good];
                p[table + with] -= Fr::ONE;
            }),
        ),
        ("taken back by nothing", Box::new(move |p, q| (p[unused], q[unused]) = (-Fr::ONE, q[bad]))),
        ("taken back by a table", Box::new(move |p, q| p[table] -= q[table] / q[bad])),
    ];
    for scene in scene.cuts() {
        for (what, change) in &changes {
            let mut cheat = Cheat::new(&scene, &values);
            cheat.tamper_leaves = Box::new(change);
            let mut refusals = Vec::new();
            for bend in [Bend::Nothing, Bend::Batch] {
                cheat.bend = bend;
                refusals.push(scene.refusal_of(&cheat));
            }
            let expected = [Check::Batch, Check::Pairing].map(Some);
            assert_eq!(refusals, expected, "{what}, layer {}", scene.layout.layer);
        }
    }
}
