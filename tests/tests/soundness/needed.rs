//! No constraint is idle: for each lookup, equality and public binding there is a lie that breaks it and nothing else. The full key
//! refuses that lie; a key that lacks the one constraint accepts it.

use std::collections::HashMap;

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field};
use vouch_circuits::backend::Check;
use vouch_circuits::ir::*;
use vouch_circuits::layout::leaf_bits;
use vouch_circuits::lowering::{
    ArgMaxFlags, Divide, Gather, Input, Limbs, Lowered, Max, Multiply, Pick, Recipe, Rescale, RescaleFunc, Store,
};

use crate::cheat::Cheat;
use crate::programs::*;
use crate::scene::Scene;
use crate::values::*;

type Statement = Vec<Vec<i64>>;

/// Lies about one cell each: the cell alone, and with all that follows; and rescales whose digits or limbs are exchanged, or are fractions.
fn lies(case: &Case, scene: &Scene) -> Vec<Values> {
    let system = scene.system();
    let honest = scene.honest(&case.inputs);
    let mut lies = Vec::new();
    let multiplicities: Vec<TensorId> = system.tables.iter().map(|t| t.multiplicity).collect();
    for (i, tensor) in system.tensors.iter().enumerate() {
        let id = TensorId(i as u32);
        if tensor.origin != Origin::Witness || multiplicities.contains(&id) {
            continue;
        }
        for position in 0..honest[i].len() {
            for delta in [1, -1, 2, -2] {
                let change = |values: &mut Values| values[i][position] += Fr::from(delta);
                let mut alone = honest.clone();
                change(&mut alone);
                lies.push(alone);
                if scene.lowered.plan.iter().any(|recipe| written(recipe) == id) {
                    lies.push(scene.lied(&case.inputs, id, change));
                }
            }
        }
    }
    for recipe in &scene.lowered.plan {
        match recipe {
            Recipe::Rescale(rescale) => lies.extend(rescaled(case, scene, rescale)),
            // Inputs have 4 bits: just outside.
            Recipe::Input(Input { port, .. }) => lies.extend((0..case.inputs[*port].len()).flat_map(|i| {
                [8, -9].map(|value| {
                    let mut inputs = case.inputs.clone();
                    inputs[*port][i] = value;
                    scene.honest(&inputs)
                })
            })),
            // The other operand.
            Recipe::Max(Max { lhs, rhs, out }) => lies.extend((0..1 << lhs.bits()).map(|row| {
                scene.lied(&case.inputs, *out, |values| {
                    let both = rows(system, lhs, values)[row] + rows(system, rhs, values)[row];
                    let result = &mut values[out.0 as usize][row];
                    *result = both - *result;
                })
            })),
            // A quotient that is a fraction, its remainder another in its range.
            Recipe::Divide(Divide { den, out, .. }) => lies.extend((0..1 << den.bits()).flat_map(|row| {
                [-1i64, 1].map(|off| {
                    scene.lied(&case.inputs, *out, |values| {
                        let den = rows(system, den, values)[row];
                        let step = (den + den).inverse().unwrap_or_default();
                        values[out.0 as usize][row] += Fr::from(off) * step;
                    })
                })
            })),
            Recipe::Limbs(limbs) => lies.extend(exchanged(case, scene, limbs)),
            _ => {}
        }
    }
    lies
}

/// Neighbouring limbs exchanged, the sum the same; the lowest limb follows of itself.
fn exchanged(case: &Case, scene: &Scene, Limbs { value, limb_bits, cells }: &Limbs) -> Vec<Values> {
    let mut lies = Vec::new();
    let last = (1 << value.bits()) - 1;
    for row in (0..last.min(4)).chain([last]) {
        for (i, cell) in cells.iter().enumerate() {
            for off in [-1, 1] {
                lies.push(scene.lied(&case.inputs, cells[0], |values| {
                    shift(values, *cell, row, off);
                    if i > 0 {
                        shift(values, cells[i - 1], row, -off << limb_bits);
                    }
                }));
            }
        }
    }
    lies
}

fn written(recipe: &Recipe) -> TensorId {
    match recipe {
        Recipe::Input(Input { out, .. }) | Recipe::Max(Max { out, .. }) | Recipe::Store(Store { out, .. }) => *out,
        Recipe::Gather(Gather { out, .. }) | Recipe::Multiply(Multiply { out, .. }) => *out,
        Recipe::Divide(Divide { out, .. }) | Recipe::Pick(Pick { out, .. }) => *out,
        Recipe::Rescale(rescale) => rescale.out,
        Recipe::ArgMaxFlags(ArgMaxFlags { before, .. }) => *before,
        Recipe::Limbs(Limbs { cells, .. }) => cells[0],
    }
}

/// Lies about the first rows of a rescale, and the last, which may be padding.
fn rescaled(case: &Case, scene: &Scene, rescale: &Rescale) -> Vec<Values> {
    let cell = |values: &mut Values, tensor: TensorId, row: usize, by: Fr| values[tensor.0 as usize][row] += by;
    let mut lies = Vec::new();
    let last = (1 << rescale.value.bits()) - 1;
    for row in (0..last.min(4)).chain([last]) {
        for off in [-2i64, -1, 1, 2] {
            let by = Fr::from(off);
            // Another quotient, its remainder making up for it.
            lies.push(scene.lied(&case.inputs, rescale.out, |values| {
                let value = small(rows(scene.system(), &rescale.value, values)[row]).unwrap_or(0);
                let biased = value + vouch_program::half(rescale.shift);
                let quotient = (biased >> rescale.shift) + off;
                set_rescaled(rescale, row, quotient, values);
            }));
            // Another remainder, the quotient of an identity a fraction that makes up for it.
            lies.push(scene.lied(&case.inputs, rescale.out, |values| {
                cell(values, rescale.out, row, by / Fr::from(2).pow([u64::from(rescale.shift)]));
            }));
            // Both parts of a ReLU's argument larger; the argument a fraction, above zero or below.
            if let Some(below) = rescale.below {
                let fraction = by / Fr::from(2).pow([u64::from(rescale.shift)]);
                for negative in [None, Some(false), Some(true)] {
                    lies.push(scene.lied(&case.inputs, rescale.out, |values| {
                        let q = values[rescale.out.0 as usize][row] - values[below.0 as usize][row] + fraction;
                        let (out, under) = match negative {
                            None => (values[rescale.out.0 as usize][row] + by, values[below.0 as usize][row] + by),
                            Some(false) => (q, Fr::ZERO),
                            Some(true) => (Fr::ZERO, -q),
                        };
                        (values[rescale.out.0 as usize][row], values[below.0 as usize][row]) = (out, under);
                    }));
                }
            }
            // Flags of another digit, with the value that belongs to them.
            if let Some((clamp, above)) =
                rescale.clamp.as_ref().and_then(|clamp| clamp.above.map(|above| (clamp, above)))
            {
                for (inside, beyond) in [(0u64, 0u64), (1, 0), (0, 1)] {
                    lies.push(scene.lied(&case.inputs, rescale.out, |values| {
                        values[clamp.inside.0 as usize][row] = Fr::from(inside);
                        values[above.0 as usize][row] = Fr::from(beyond);
                        let end = Fr::from(beyond) * Fr::from((1u64 << clamp.low_bits) - 1);
                        let kept = Fr::from(inside) * values[clamp.low.0 as usize][row];
                        let z = rescale.argument.unwrap_or(rescale.out);
                        values[z.0 as usize][row] = Fr::from(clamp.window_low) + end + kept;
                        follow_function(rescale, row, values);
                    }));
                }
            }
            // Another argument, with all that belongs to it.
            if let Some(clamped) = rescale.argument {
                lies.extend([-2i64, -1, 1, 2].map(|off| {
                    scene.lied(&case.inputs, rescale.out, |values| {
                        cell(values, clamped, row, Fr::from(off));
                        follow_function(rescale, row, values);
                    })
                }));
            }
            // Clamped digits that stand for the same number.
            if let Some(clamp) = &rescale.clamp {
                for flag in [false, true] {
                    lies.push(scene.lied(&case.inputs, rescale.out, |values| {
                        cell(values, clamp.high, row, by);
                        cell(values, clamp.low, row, -by * Fr::from(1u64 << clamp.low_bits));
                        let high = small(values[clamp.high.0 as usize][row]).unwrap_or(0);
                        let low = values[clamp.low.0 as usize][row];
                        let window = Fr::from(clamp.window_low);
                        let base = if high > 0 { window + Fr::from((1u64 << clamp.low_bits) - 1) } else { window };
                        let z = rescale.argument.unwrap_or(rescale.out);
                        values[clamp.inside.0 as usize][row] = Fr::from(high == 0);
                        if let Some(above) = clamp.above {
                            values[above.0 as usize][row] = Fr::from(high > 0);
                        }
                        values[z.0 as usize][row] = if high == 0 { base + low } else { base };
                        if flag {
                            // With the result that belongs to the clamped value.
                            follow_function(rescale, row, values);
                        }
                    }));
                }
            }
        }
    }
    lies
}

fn follow_function(rescale: &Rescale, row: usize, values: &mut Values) {
    if let (RescaleFunc::Table(table), Some(clamped)) = (rescale.func, rescale.argument) {
        let table = &values[table.0 as usize];
        let at = small(values[clamped.0 as usize][row]).unwrap_or(0) + table.len() as i64 / 2;
        let result = usize::try_from(at).ok().and_then(|at| table.get(at)).copied().unwrap_or(Fr::ZERO);
        values[rescale.out.0 as usize][row] = result;
    }
}

/// The same constraints without one.
fn without(scene: &Scene, dropped: Constraint) -> Scene {
    let Lowered { mut system, style, plan, model, fixed } = scene.lowered.clone();
    match dropped {
        Constraint::Lookup(i) => drop(system.lookups.remove(i)),
        Constraint::Equal(i) => drop(system.equals.remove(i)),
        Constraint::Product(i) => drop(system.products.remove(i)),
        Constraint::Public(i) => drop(system.publics.remove(i)),
    }
    // Of the leaves again: there may be fewer, and less deep.
    let layer = if scene.layout.layer == 0 { 0 } else { leaf_bits(&system) };
    Scene::with(Lowered { system, style, plan, model, fixed }, scene.model.clone(), layer)
}

/// The check that refuses a lie which breaks only this.
fn refusing(scene: &Scene, constraint: Constraint) -> Check {
    match constraint {
        // Of committed fractions the batch is the first check to see the sum.
        Constraint::Lookup(_) if scene.layout.layer == 0 => Check::LookupSum,
        Constraint::Lookup(_) => Check::Batch,
        Constraint::Equal(_) | Constraint::Product(_) | Constraint::Public(_) => Check::Batch,
    }
}

#[test]
fn every_constraint_is_needed() {
    for (case, scene) in lowered_in_every_style() {
        let system = scene.system();
        let honest = scene.honest(&case.inputs);
        let truth = publics(system, &honest);
        // For each constraint a lie, as stated, that breaks it alone.
        let mut found: HashMap<Constraint, (Values, Statement)> = HashMap::new();
        let mut consider = |mut values: Values, stated: Statement| {
            if let [only] = violated(system, &mut values, &stated)[..] {
                found.entry(only).or_insert((values, stated));
            }
        };
        for i in 0..system.publics.len() {
            let mut stated = truth.clone();
            stated[i][0] += 1;
            consider(honest.clone(), stated);
        }
        for values in lies(case, scene) {
            let stated = publics(system, &values);
            consider(values, stated);
        }
        let lookups = (0..system.lookups.len()).map(Constraint::Lookup);
        let equals = (0..system.equals.len()).map(Constraint::Equal);
        let products = (0..system.products.len()).map(Constraint::Product);
        let publics = (0..system.publics.len()).map(Constraint::Public);
        for constraint in lookups.chain(equals).chain(products).chain(publics) {
            let what = format!("{}, layer {}: {constraint:?}", case.program.name, scene.layout.layer);
            let (values, stated) = found.get(&constraint).unwrap_or_else(|| panic!("{what} is idle"));
            let cheat = Cheat { publics: Some(stated.clone()), ..Cheat::new(scene, values) };
            assert_eq!(scene.refusal_of(&cheat), Some(refusing(scene, constraint)), "{what}");
            let weaker = without(scene, constraint);
            let mut publics = stated.clone();
            if let Constraint::Public(i) = constraint {
                publics.remove(i);
            }
            let mut values = values.clone();
            count(weaker.system(), &mut values);
            let cheat = Cheat { publics: Some(publics), ..Cheat::new(&weaker, &values) };
            assert_eq!(weaker.refusal_of(&cheat), None, "{what}: a key without it");
        }
    }
}
