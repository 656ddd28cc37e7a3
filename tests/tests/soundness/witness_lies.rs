//! Lies in the committed values. Everything that follows from a lie is computed anew, and multiplicities are counted from the rows
//! that the lie has.

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field};
use vouch_circuits::backend::Check;
use vouch_circuits::ir::TensorId;
use vouch_circuits::lowering::Limbs;
use vouch_program::half;

use crate::cheat::{Bend, Cheat};
use crate::programs::*;
use crate::scene::Scene;
use crate::values::{Constraint, Values, cells, count, publics, rows, set_rescaled, shift, small, violated};

const LOOKUP: Option<Check> = Some(Check::LookupSum);
const BATCH: Option<Check> = Some(Check::Batch);

#[test]
fn the_truth_is_accepted() {
    for case in all().into_iter().chain([&*LIMBS]) {
        case.scene.assert_accepts(&case.scene.honest(&case.inputs));
    }
}

/// The quotient of each row of the rescale that gives `out`, in truth.
fn quotients(scene: &Scene, out: TensorId, values: &Values) -> Vec<i64> {
    let rescale = scene.rescale(out);
    let accumulators = rows(scene.system(), &rescale.value, values);
    accumulators.into_iter().map(|value| (small(value).unwrap() + half(rescale.shift)) >> rescale.shift).collect()
}

/// Results that follow from a quotient off by `off`, the remainder making up for it.
fn misdivided(case: &Case, out: &str, row: usize, off: i64) -> Values {
    let scene = &case.scene;
    let out = scene.tensor(out);
    let rescale = scene.rescale(out);
    scene.lied(&case.inputs, out, |values| {
        let quotient = quotients(scene, out, values)[row];
        set_rescaled(&rescale, row, quotient + off, values);
    })
}

/// The right accumulator, another result of the function.
#[test]
fn a_wrong_activation_is_refused() {
    for (case, name) in
        [(&*DENSE, "result h"), (&*TABLES, "result y"), (&*CLAMPS, "result t"), (&*PRODUCTS, "result fx")]
    {
        let out = case.scene.tensor(name);
        for off in [1, -1, 1 << 20] {
            let values = case.scene.lied(&case.inputs, out, |values| shift(values, out, 1, off));
            assert_eq!(case.scene.refusal(&values), LOOKUP, "{name} {off}");
        }
    }
}

/// A quotient off by a little, with a remainder outside `[0, 2^s)` that makes up for it, and all that follows from the quotient: for
/// identities (`y`, `h` of fractions), committed arguments (`h`), two limbs (`y` and `z` of limbs), clamped ones, means.
#[test]
fn remainders_outside_their_range_are_refused() {
    let rescales: [(&Case, &str); 11] = [
        (&DENSE, "result h"),
        (&DENSE, "result y"),
        (&FRACTIONS, "result h"),
        (&FAN_OUT, "result h"),
        (&LIMBS, "result y"),
        (&LIMBS, "result z"),
        (&CLAMPS, "result i"),
        (&CLAMPS, "result r"),
        (&CLAMPS, "result t"),
        (&PRODUCTS, "result y"),
        (&PRODUCTS, "result means"),
    ];
    for (case, name) in rescales {
        assert_eq!(
            misdivided(case, name, 1, 0),
            case.scene.honest(&case.inputs),
            "{name}: without the lie it is the truth"
        );
        let offs: &[i64] = if case.program.name == "limbs" { &[1] } else { &[1, -1, 2] };
        for off in offs {
            let values = misdivided(case, name, 1, *off);
            assert_eq!(case.scene.refusal(&values), LOOKUP, "{name} {off}");
        }
    }
}

/// Limbs of a remainder exchanged for others that stand for the same number.
#[test]
fn another_split_into_limbs_is_refused() {
    // The lowest limb is virtual, and follows.
    let mut told = 0;
    for scene in [&LIMBS.scene, &LIMBS.narrow] {
        for Limbs { cells, limb_bits, .. } in scene.limbs() {
            for (i, cell) in cells.iter().enumerate() {
                for off in [-1, 1] {
                    let values = scene.lied(&LIMBS.inputs, cells[0], |values| {
                        shift(values, *cell, 0, off);
                        if i > 0 {
                            shift(values, cells[i - 1], 0, -off << limb_bits);
                        }
                    });
                    assert_eq!(scene.refusal(&values), scene.sum_check(), "limb {i}");
                    told += 1;
                }
            }
        }
    }
    assert!(told > 20, "{told} lies");
}

/// `h` a fraction in the field: `2^s·h + r = acc` with another `r` of the right range. Later rows multiply `h` by 16 and are whole
/// again, so that the result is an integer, and another one. Of all constraints only `h`'s own range stands against it.
#[test]
fn a_fraction_for_a_virtual_remainder_is_refused() {
    let scene = &FRACTIONS.scene;
    let h = scene.tensor("result h");
    let values = scene.lied(&FRACTIONS.inputs, h, |values| {
        let accumulators = rows(scene.system(), &scene.rescale(h).value, values);
        // The remainder 3 for all rows.
        let whole = |a: &Fr| *a + Fr::from(half(4) - 3);
        values[h.0 as usize] = accumulators.iter().map(|a| whole(a) / Fr::from(16)).collect();
    });
    assert!(values[h.0 as usize].iter().any(|v| small(*v).is_none()), "a fraction");
    let stated = publics(scene.system(), &values);
    assert_ne!(stated, publics(scene.system(), &scene.honest(&FRACTIONS.inputs)));
    let broken = violated(scene.system(), &mut values.clone(), &stated);
    assert_eq!(broken.len(), 1, "only the range of h: {broken:?}");
    assert_eq!(scene.refusal(&values), LOOKUP);
}

/// A ReLU's argument is a fraction, so that the remainder is another one of the right range; the result may be what
/// the prover likes.
#[test]
fn a_fraction_for_an_argument_is_refused() {
    let scene = &DENSE.scene;
    let h = scene.tensor("result h");
    let argument = scene.rescale(h).argument.unwrap();
    let fraction = Fr::from(8).inverse().unwrap();
    for result in [Fr::ZERO, Fr::ONE, fraction] {
        let values = scene.lied(&DENSE.inputs, h, |values| {
            let accumulator = small(rows(scene.system(), &scene.rescale(h).value, values)[0]).unwrap() + half(3);
            let by = if accumulator % 8 == 7 { fraction } else { -fraction };
            values[argument.0 as usize][0] += by;
            values[h.0 as usize][0] = result;
        });
        let broken = violated(scene.system(), &mut values.clone(), &publics(scene.system(), &values));
        assert!(broken.iter().all(|c| matches!(c, Constraint::Lookup(_))), "{broken:?}");
        assert_eq!(scene.refusal(&values), LOOKUP);
    }
}

/// A row of the function's table, but of another argument.
#[test]
fn a_row_of_another_argument_is_refused() {
    let scene = &TABLES.scene;
    let (y, table) = (scene.tensor("result y"), scene.tensor("function f"));
    for row in [0, 3, 7] {
        let values = scene.lied(&TABLES.inputs, y, |values| {
            let argument = quotients(scene, y, values)[row];
            values[y.0 as usize][row] = values[table.0 as usize][(argument + 16 + 2) as usize];
        });
        assert_eq!(scene.refusal(&values), LOOKUP, "row {row}");
    }
}

/// A maximum that is larger than all, smaller than one of its inputs, or between them; followed by the right maximum of those.
#[test]
fn a_wrong_maximum_is_refused() {
    let scene = &POOL.scene;
    for name in ["max pairs", "max most"] {
        let out = scene.tensor(name);
        for row in 0..2 {
            for off in [1, -1, -2, 8, -8] {
                let values = scene.lied(&POOL.inputs, out, |values| shift(values, out, row, off));
                assert_eq!(scene.refusal(&values), LOOKUP, "{name}, row {row}, {off}");
            }
        }
    }
    // The other input of the pair (1, -3) and of (5, 2).
    let pairs = scene.tensor("max pairs");
    for (row, other) in [(0, -3), (1, 2)] {
        let values = scene.lied(&POOL.inputs, pairs, |values| values[pairs.0 as usize][row] = Fr::from(other));
        assert_eq!(scene.refusal(&values), LOOKUP);
    }
}

/// The first line is `5 5 5 5 5`, the second has 7 at 1 and 3, the third rises to 4.
#[test]
fn a_wrong_argmax_is_refused() {
    let scene = &ARGMAX.scene;
    let (flags, out) = (scene.tensor("argmax flags y"), scene.tensor("argmax y"));
    // Lines of four flags; the result is their sum.
    let lie = |line: usize, row: [i64; 4]| {
        let set = |values: &mut Values| {
            let cells = &mut values[flags.0 as usize][4 * line..4 * line + 4];
            cells.iter_mut().zip(row).for_each(|(cell, flag)| *cell = Fr::from(flag));
        };
        scene.lied(&ARGMAX.inputs, flags, set)
    };
    for (line, truth) in [(0, [0; 4]), (1, [1, 0, 0, 0]), (2, [1; 4])] {
        assert_eq!(lie(line, truth), scene.honest(&ARGMAX.inputs), "line {line}: the truth");
        // Every other position, ties broken the other way among them; flags that rise; flags that are no bits.
        let fallen = [[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]];
        let others =
            [[0, 1, 0, 0], [1, 0, 1, 1], [0, 0, 0, 1], [2, 1, 0, 0], [-1, 0, 0, 0], [1, 1, 2, 0], [0, 0, 1, -1]];
        for row in fallen.into_iter().chain(others).filter(|row| *row != truth) {
            assert_eq!(scene.refusal(&lie(line, row)), LOOKUP, "line {line}: {row:?}");
        }
        // The right flags, another result.
        for off in [1, -1] {
            let values = scene.lied(&ARGMAX.inputs, out, |values| shift(values, out, line, off));
            assert_eq!(scene.refusal(&values), BATCH, "line {line}: {off}");
        }
    }
    // Halves add up to steps that are no bits.
    let values =
        scene.lied(&ARGMAX.inputs, flags, |values| values[flags.0 as usize][0] = Fr::from(2).inverse().unwrap());
    assert_eq!(scene.refusal(&values), LOOKUP);
}

/// All encodings of a clamped quotient but the right one: high, low and flag, with the result that the clamp table gives for them.
#[test]
fn another_encoding_of_a_clamp_is_refused() {
    let scene = &CLAMPS.scene;
    let honest = scene.honest(&CLAMPS.inputs);
    let mut seen = [0; 3];
    for name in ["result i", "result r", "result t"] {
        let out = scene.tensor(name);
        let clamp = scene.rescale(out).clamp.unwrap();
        for row in 0..5 {
            let high = small(honest[clamp.high.0 as usize][row]).unwrap();
            seen[(high.signum() + 1) as usize] += 1;
            // The digits exchanged, the sum the same: `low` leaves its range. What the table gives for `high` follows.
            for off in [1, -1] {
                let values = scene.lied(&CLAMPS.inputs, out, |values| {
                    shift(values, clamp.high, row, off);
                    shift(values, clamp.low, row, -off << clamp.low_bits);
                    let high = high + off;
                    let low = small(values[clamp.low.0 as usize][row]).unwrap();
                    let above = clamp.window_low + (1 << clamp.low_bits) - 1;
                    let z = [clamp.window_low, clamp.window_low + low, above][(high.signum() + 1) as usize];
                    values[clamp.inside.0 as usize][row] = Fr::from(high == 0);
                    let result = scene.rescale(out).argument.unwrap_or(out);
                    values[result.0 as usize][row] = Fr::from(z);
                });
                assert_eq!(scene.refusal(&values), LOOKUP, "{name}, row {row}: digits off by {off}");
            }
            // The flag alone; the flag with the result that it would give.
            for follow in [false, true] {
                let values = scene.lied(&CLAMPS.inputs, out, |values| {
                    let flag = &mut values[clamp.inside.0 as usize][row];
                    *flag = Fr::ONE - *flag;
                    if follow {
                        let low = values[clamp.low.0 as usize][row];
                        let kept = if high == 0 { -low } else { low };
                        values[scene.rescale(out).argument.unwrap_or(out).0 as usize][row] += kept;
                    }
                });
                assert_eq!(scene.refusal(&values), LOOKUP, "{name}, row {row}: the flag, {follow}");
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 0), "below, inside and above the window: {seen:?}");
}

/// A second encoding of zero that gives the same result: below the window instead of at its first value.
#[test]
fn a_second_encoding_of_zero_is_refused() {
    let scene = &CLAMPS.scene;
    let r = scene.tensor("result r");
    let clamp = scene.rescale(r).clamp.unwrap();
    let inputs = vec![vec![0, 0, 0]];
    let values = scene.lied(&inputs, r, |values| {
        assert_eq!(small(values[clamp.high.0 as usize][0]), Some(0));
        shift(values, clamp.high, 0, -1);
        shift(values, clamp.low, 0, 1 << clamp.low_bits);
        values[clamp.inside.0 as usize][0] = Fr::ZERO;
    });
    assert_eq!(publics(scene.system(), &values), publics(scene.system(), &scene.honest(&inputs)));
    assert_eq!(violated(scene.system(), &mut values.clone(), &publics(scene.system(), &values)).len(), 1);
    assert_eq!(scene.refusal(&values), LOOKUP);
}

/// An element that the index does not name; also one that stands elsewhere in the input.
#[test]
fn a_wrong_gather_is_refused() {
    let scene = &GATHER.scene;
    let picked = scene.tensor("gather picked");
    for (row, value) in [(0, -5), (1, 6), (4, 100)] {
        let values = scene.lied(&GATHER.inputs, picked, |values| values[picked.0 as usize][row] = Fr::from(value));
        assert_eq!(scene.refusal(&values), LOOKUP, "row {row}");
    }
}

/// An element of another row, or of none; and a row that is padding, is beyond all, or is before the first.
#[test]
fn a_wrong_pick_is_refused() {
    for scene in [&PICK.scene, &PICK.joined, &PICK.narrow] {
        let refused = |values: &Values| matches!(scene.refusal(values), Some(Check::LookupSum | Check::Batch));
        let (picked, index) = (scene.tensor("pick rows"), scene.tensor("result at"));
        for (row, value) in [(0, 5), (1, -2), (6, 100)] {
            let values = scene.lied(&PICK.inputs, picked, |values| values[picked.0 as usize][row] = Fr::from(value));
            assert!(refused(&values), "row {row}");
        }
        for at in [3, 4, 7, -1] {
            let values = scene.honest(&[PICK.inputs[0].clone(), vec![at, 0], PICK.inputs[2].clone()]);
            let broken = violated(scene.system(), &mut values.clone(), &publics(scene.system(), &values));
            assert!(broken.iter().all(|one| matches!(one, Constraint::Lookup(_))), "{broken:?}");
            // A row of the padding is in the table, and a negative index below the range's end.
            assert_eq!(broken.len(), if at == 3 || at == -1 { 1 } else { 2 }, "index {at}: {broken:?}");
            assert!(refused(&values), "index {at}");
        }
        // Between two rows, where another element's position is met.
        let quarter = Fr::from(4).inverse().unwrap();
        let values = scene.lied(&PICK.inputs, index, |values| values[index.0 as usize][0] = Fr::from(1) + quarter);
        assert!(refused(&values));
    }
}

/// An element of another's row, named by its own index or by one beyond its own rows.
#[test]
fn a_row_of_another_is_refused() {
    for scene in [&OWN.scene, &OWN.joined, &OWN.narrow] {
        let refused = |values: &Values| matches!(scene.refusal(values), Some(Check::LookupSum | Check::Batch));
        let picked = scene.tensor("pick rows");
        for (row, value) in [(0, 0), (1, 4), (5, -5), (15, 7)] {
            let values = scene.lied(&OWN.inputs, picked, |values| values[picked.0 as usize][row] = Fr::from(value));
            assert!(refused(&values), "row {row}");
        }
        // Indices that the executor refuses: here the place that they lead to is picked from, and stated.
        let of = |input: usize, at: usize, to: i64| {
            let mut inputs = OWN.inputs.clone();
            inputs[input][at] = to;
            scene.honest(&inputs)
        };
        let broken = |values: &Values| violated(scene.system(), &mut values.clone(), &publics(scene.system(), values));
        assert!(broken(&of(1, 0, 1)).is_empty() && broken(&of(2, 4, 3)).is_empty());
        // The next one's rows, the last one's padding, the one's before.
        let outside = [(0, 4), (1, 5), (2, 6), (4, 4), (3, -1), (2, -4), (4, -2)];
        let of_rows = outside.into_iter().chain([(0, 3), (5, 3)]).map(|(at, to)| (1, at, to));
        for (input, at, to) in of_rows.chain(outside.map(|(at, to)| (2, at, to))) {
            let values = of(input, at, to);
            let broken = broken(&values);
            // The place and what is there are in the table: it is ranges, of one column, that refuse.
            let is_range =
                |one: &_| matches!(one, Constraint::Lookup(at) if scene.system().lookups[*at].columns.len() == 1);
            assert!(!broken.is_empty() && broken.iter().all(is_range), "index {at} of {to}: {broken:?}");
            assert!(refused(&values), "index {at} of {to}");
        }
    }
}

/// Weights that are not those whose interval the setup knew, so that an index leads to the padding, which can hold anything, or to another line:
/// the key's maker can commit to them, and proves nothing.
#[test]
fn weights_cannot_name_what_is_free() {
    let scene = &BY_WEIGHTS.scene;
    for (weights, to) in [("index", 3), ("index in lines", 2), ("index in lines", -1)] {
        let weights = scene.tensor(&format!("weights {weights}")).0 as usize;
        let mut model = scene.model.clone();
        model[weights][usize::from(to < 0)] = Fr::from(to);
        let other = Scene::with(scene.lowered.clone(), model, 0);
        let values = other.honest(&BY_WEIGHTS.inputs);
        let broken = violated(other.system(), &mut values.clone(), &publics(other.system(), &values));
        assert!(matches!(broken[..], [Constraint::Lookup(_)]), "{to}: {broken:?}");
        assert_eq!(other.refusal(&values), LOOKUP, "{to}");
    }
}

/// A copy that is none is stopped by an equality, at the leaves' point.
#[test]
fn a_wrong_copy_is_refused() {
    let scene = &GATHER.scene;
    let y = scene.tensor("copy y");
    let values = scene.lied(&GATHER.inputs, y, |values| shift(values, y, 2, 1));
    assert_eq!(scene.refusal(&values), BATCH);
    let bent = Cheat { bend: Bend::Batch, ..Cheat::new(scene, &values) };
    assert_eq!(scene.refusal_of(&bent), Some(Check::Pairing));
}

/// A run on one input, another one stated; and inputs outside the declared range, stated as they are.
#[test]
fn a_run_on_another_input_is_refused() {
    let scene = &DENSE.scene;
    let honest = scene.honest(&DENSE.inputs);
    for (input, check) in [(6, BATCH), (8, LOOKUP), (-9, LOOKUP)] {
        let values = scene.honest(&[vec![input, -5, 6]]);
        let mut stated = publics(scene.system(), &values);
        stated[0] = publics(scene.system(), &honest)[0].clone();
        assert_eq!(scene.refusal_of(&Cheat { publics: Some(stated), ..Cheat::new(scene, &values) }), check, "{input}");
        assert_eq!(scene.refusal(&values), check.filter(|_| check == LOOKUP), "{input}, stated");
    }
}

/// Each cell that a rescale commits, changed alone.
#[test]
fn every_cell_of_a_rescale_matters() {
    for (case, name) in [
        (&*DENSE, "result h"),
        (&*CLAMPS, "result i"),
        (&*CLAMPS, "result r"),
        (&*CLAMPS, "result t"),
        (&*LIMBS, "result y"),
        (&*LIMBS, "result z"),
    ] {
        let scene = &case.scene;
        let out = scene.tensor(name);
        for cell in cells(&scene.rescale(out)) {
            let mut values = scene.honest(&case.inputs);
            shift(&mut values, cell, 0, 1);
            count(scene.system(), &mut values);
            let refusal = scene.refusal(&values);
            assert_eq!(refusal, LOOKUP, "{name}: {}", scene.system().tensor(cell).name);
        }
    }
}

/// Quotients off by one, or more, with the remainder that belongs to them; fractions; one that wraps around the field.
#[test]
fn wrong_quotients_are_refused() {
    let case = &*QUOTIENTS;
    let scene = &case.scene;
    for name in ["quotient y", "quotient z"] {
        let out = scene.tensor(name);
        // True rows, and one that is padding on the last axis only, where the divisor is positive.
        for row in [0, 1, 4, 9] {
            for off in [1, -1, 2, 1 << 20] {
                let values = scene.lied(&case.inputs, out, |values| shift(values, out, row, off));
                assert_eq!(scene.refusal(&values), LOOKUP, "{name}, row {row}, off by {off}");
            }
            let fraction = |values: &mut Values| values[out.0 as usize][row] += Fr::from(2u64).inverse().unwrap();
            assert_eq!(scene.refusal(&scene.lied(&case.inputs, out, fraction)), LOOKUP, "{name}, row {row}");
        }
    }
    // The divisor of a row's every quotient.
    let divisor = scene.tensor("copy divisor");
    for (row, lie) in [(0, 0i64), (1, -1), (2, -300)] {
        let mut values = scene.lied(&case.inputs, divisor, |values| {
            values[divisor.0 as usize][row] = Fr::from(lie);
        });
        let stated = publics(scene.system(), &values);
        let broken = violated(scene.system(), &mut values, &stated);
        // That the divisor is not what it should be, and that it is not positive.
        assert!(broken.iter().any(|constraint| matches!(constraint, Constraint::Equal(_))), "{broken:?}");
        assert!(broken.iter().any(|constraint| matches!(constraint, Constraint::Lookup(_))), "{broken:?}");
        assert_eq!(scene.refusal(&values), LOOKUP);
    }
}
