//! Values of tensors and constraints over the field, by definition and without regard to speed.
//!
//! Independent of the prover's own evaluation: this is the yardstick that lies are built and measured with.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField};
use vouch_circuits::ir::*;
use vouch_circuits::lowering::{
    ArgMaxFlags, Divide, Gather, Input, Limbs, Lowered, Max, Multiply, Pick, Recipe, Rescale, RescaleFunc, Store,
    padded_positions,
};
use vouch_program::half;

/// Each tensor's values on its padded domain.
pub type Values = Vec<Vec<Fr>>;

/// `by` added to one position.
pub fn shift(values: &mut Values, tensor: TensorId, position: usize, by: i64) {
    values[tensor.0 as usize][position] += Fr::from(by);
}

/// A small integer, if the element stands for one.
pub fn small(value: Fr) -> Option<i64> {
    let magnitude = |v: Fr| {
        let big = v.into_bigint();
        (big.num_bits() < 62).then(|| big.0[0] as i64)
    };
    magnitude(value).or_else(|| magnitude(-value).map(|v| -v))
}

/// The integers of a tensor's true entries; zero where one is none.
pub fn integers(system: &ConstraintSystem, tensor: TensorId, values: &Values) -> Vec<i64> {
    let all = &values[tensor.0 as usize];
    let shape = &system.tensor(tensor).shape;
    padded_positions(shape).into_iter().map(|p| small(all[p]).unwrap_or(0)).collect()
}

/// The public tensors' integers.
pub fn publics(system: &ConstraintSystem, values: &Values) -> Vec<Vec<i64>> {
    let stated = |p: &Public| if p.is_stated() { integers(system, p.tensor, values) } else { Vec::new() };
    system.publics.iter().map(stated).collect()
}

/// The index on each axis of a padded position.
pub fn digits(position: usize, axes: &[Range<usize>]) -> Vec<usize> {
    axes.iter().map(|r| position >> r.start & ((1 << r.len()) - 1)).collect()
}

/// An operand's element at the variables' values.
pub fn read(system: &ConstraintSystem, operand: &Operand, values: &Values, vars: &[usize]) -> Fr {
    let shape = &system.tensor(operand.tensor).shape;
    let mut position = 0;
    for (axis, range) in axis_ranges(shape).into_iter().enumerate() {
        let index = match &operand.access {
            Access::Raw => vars[axis] as i64,
            Access::Indexed(axes) => {
                let index = axes[axis].terms.iter().map(|&(v, c)| c * vars[v] as i64).sum::<i64>() + axes[axis].offset;
                if !(0..shape[axis] as i64).contains(&index) {
                    return Fr::ZERO;
                }
                index
            }
        };
        position += (index as usize) << range.start;
    }
    values[operand.tensor.0 as usize][position]
}

/// Calls `visit` with every assignment of variables of these lengths.
pub fn for_all(lens: &[usize], visit: &mut dyn FnMut(&[usize])) {
    let count: usize = lens.iter().product();
    let mut vars = vec![0; lens.len()];
    for mut rest in 0..count {
        for (var, len) in vars.iter_mut().zip(lens).rev() {
            *var = rest % len;
            rest /= len;
        }
        visit(&vars);
    }
}

/// A contraction's results on its padded outputs.
pub fn contract(system: &ConstraintSystem, contraction: &Contraction, values: &Values) -> Vec<Fr> {
    let (outputs, summed) = contraction.vars.split_at(contraction.outputs);
    let axes = axis_ranges(outputs);
    let mut results = vec![Fr::ZERO; 1 << shape_bits(outputs)];
    for (position, result) in results.iter_mut().enumerate() {
        let mut vars = digits(position, &axes);
        vars.resize(contraction.vars.len(), 0);
        for_all(summed, &mut |s| {
            vars[contraction.outputs..].copy_from_slice(s);
            let rhs = contraction.rhs.as_ref().map_or(Fr::ONE, |rhs| read(system, rhs, values, &vars));
            if rhs != Fr::ZERO {
                *result += rhs * read(system, &contraction.lhs, values, &vars);
            }
        });
    }
    results
}

/// Contractions whose readers see results other than those of the values.
pub type Results = BTreeMap<ContractionId, Vec<Fr>>;

/// All rows of a virtual tensor.
pub fn rows(system: &ConstraintSystem, value: &Virtual, values: &Values) -> Vec<Fr> {
    rows_with(system, value, values, &Results::new())
}

fn rows_with(system: &ConstraintSystem, value: &Virtual, values: &Values, known: &Results) -> Vec<Fr> {
    let axes = axis_ranges(&value.domain);
    let size = 1usize << value.bits();
    let mut rows = vec![Fr::ZERO; size];
    for (coef, source) in &value.terms {
        let coef = Fr::from(*coef);
        let results = match source {
            Source::Contraction(id) => match known.get(id) {
                Some(results) => results.clone(),
                None => contract(system, system.contraction(*id), values),
            },
            _ => Vec::new(),
        };
        for (i, row) in rows.iter_mut().enumerate() {
            let (i, middle) = (i as i64, size as i64 / 2);
            *row += match source {
                Source::Read(operand) => coef * read(system, operand, values, &digits(i as usize, &axes)),
                Source::Contraction(_) => coef * results[i as usize],
                Source::Fill(ranges) => {
                    let vars = digits(i as usize, &axes);
                    let inside = ranges.iter().all(|&(v, start, end)| (start..end).contains(&vars[v]));
                    if inside { coef } else { Fr::ZERO }
                }
                Source::Position => coef * Fr::from(i),
                Source::PositionRelu => coef * Fr::from((i - middle).max(0)),
                Source::PositionIsMiddle => coef * Fr::from(size > 1 && i == middle),
                Source::PositionAboveMiddle => coef * Fr::from(i > middle),
            };
        }
    }
    rows
}

/// The rows of several columns, each row's columns together.
pub fn columns(system: &ConstraintSystem, columns: &[Virtual], values: &Values) -> Vec<Vec<Fr>> {
    columns_with(system, columns, values, &Results::new())
}

/// The same where some contractions have other results.
pub fn columns_with(system: &ConstraintSystem, columns: &[Virtual], values: &Values, known: &Results) -> Vec<Vec<Fr>> {
    let columns: Vec<Vec<Fr>> = columns.iter().map(|c| rows_with(system, c, values, known)).collect();
    (0..columns[0].len()).map(|i| columns.iter().map(|c| c[i]).collect()).collect()
}

/// A constraint that the verifying key can have or lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Constraint {
    Lookup(usize),
    Equal(usize),
    Product(usize),
    Public(usize),
}

/// Writes the multiplicities that the looked-up rows have; rows that are in no table count nowhere.
pub fn count(system: &ConstraintSystem, values: &mut Values) {
    count_with(system, values, &Results::new());
}

/// The same where some contractions have other results.
pub fn count_with(system: &ConstraintSystem, values: &mut Values, known: &Results) {
    check(system, values, known);
}

/// All constraints that do not hold, the public values being `stated`. Multiplicities are made as right as can be.
pub fn violated(system: &ConstraintSystem, values: &mut Values, stated: &[Vec<i64>]) -> Vec<Constraint> {
    let mut violated = check(system, values, &Results::new());
    let not_zero = |equal: &Virtual| rows(system, equal, values).iter().any(|v| *v != Fr::ZERO);
    violated.extend((0..system.equals.len()).filter(|i| not_zero(&system.equals[*i])).map(Constraint::Equal));
    for (i, product) in system.products.iter().enumerate() {
        let holds = |row: &Vec<Fr>| row[0] * row[1] == row[2];
        if !columns(system, &product.terms, values).iter().all(holds) {
            violated.push(Constraint::Product(i));
        }
    }
    for (i, public) in system.publics.iter().enumerate() {
        let all = &values[public.tensor.0 as usize];
        let positions = padded_positions(&system.tensor(public.tensor).shape);
        if positions.iter().zip(&stated[i]).any(|(p, v)| all[*p] != Fr::from(*v)) {
            violated.push(Constraint::Public(i));
        }
    }
    violated
}

fn check(system: &ConstraintSystem, values: &mut Values, known: &Results) -> Vec<Constraint> {
    let index = |table: &Table| -> HashMap<Vec<Fr>, usize> {
        columns(system, &table.columns, values).into_iter().enumerate().map(|(i, row)| (row, i)).collect()
    };
    let tables: Vec<HashMap<Vec<Fr>, usize>> = system.tables.iter().map(index).collect();
    let mut counts: Vec<Vec<Fr>> = tables.iter().map(|t| vec![Fr::ZERO; t.len()]).collect();
    let mut violated = Vec::new();
    for (i, lookup) in system.lookups.iter().enumerate() {
        let table = lookup.table.0 as usize;
        let mut holds = true;
        for row in columns_with(system, &lookup.columns, values, known) {
            match tables[table].get(&row) {
                Some(at) => counts[table][*at] += Fr::ONE,
                None => holds = false,
            }
        }
        if !holds {
            violated.push(Constraint::Lookup(i));
        }
    }
    for (table, counts) in system.tables.iter().zip(counts) {
        values[table.multiplicity.0 as usize] = counts;
    }
    violated
}

/// Follows the plan as an honest prover does. After each step `lie` is told which tensor was last written and may change
/// anything; later steps go on from there.
pub fn run(
    lowered: &Lowered,
    model: &Values,
    inputs: &[Vec<i64>],
    lie: &mut dyn FnMut(TensorId, &mut Values),
) -> Values {
    let system = &lowered.system;
    let mut values = model.clone();
    for recipe in &lowered.plan {
        let done = follow(system, recipe, inputs, &mut values);
        lie(done, &mut values);
    }
    count(system, &mut values);
    values
}

fn follow(system: &ConstraintSystem, recipe: &Recipe, inputs: &[Vec<i64>], values: &mut Values) -> TensorId {
    let whole = |value: &Virtual, values: &Values| -> Vec<i64> {
        rows(system, value, values).into_iter().map(|v| small(v).unwrap_or(0)).collect()
    };
    match recipe {
        Recipe::Input(Input { port, out }) => {
            let shape = &system.tensor(*out).shape;
            let mut padded = vec![Fr::ZERO; 1 << shape_bits(shape)];
            for (position, value) in padded_positions(shape).into_iter().zip(&inputs[*port]) {
                padded[position] = Fr::from(*value);
            }
            values[out.0 as usize] = padded;
            *out
        }
        Recipe::Rescale(rescale) => {
            let accumulators = whole(&rescale.value, values);
            follow_rescale(rescale, &accumulators, values);
            rescale.out
        }
        Recipe::Max(Max { lhs, rhs, out }) => {
            let (lhs, rhs) = (whole(lhs, values), whole(rhs, values));
            values[out.0 as usize] = lhs.iter().zip(rhs).map(|(a, b)| Fr::from(*a.max(&b))).collect();
            *out
        }
        Recipe::Multiply(Multiply { lhs, rhs, out }) => {
            let (lhs, rhs) = (rows(system, lhs, values), rows(system, rhs, values));
            values[out.0 as usize] = lhs.iter().zip(rhs).map(|(a, b)| *a * b).collect();
            *out
        }
        Recipe::Divide(divide) => {
            let Divide { num, den, out, .. } = divide;
            let (num, den) = (whole(num, values), whole(den, values));
            let quotients = num.iter().zip(den).map(|(num, den)| Fr::from(divide.quotient(*num, den)));
            values[out.0 as usize] = quotients.collect();
            *out
        }
        Recipe::Store(Store { value, out }) => {
            values[out.0 as usize] = rows(system, value, values);
            *out
        }
        Recipe::Gather(Gather { input, index, out }) => {
            let (input, index) = (&values[input.0 as usize], &values[index.0 as usize]);
            values[out.0 as usize] = index.iter().map(|i| input[small(*i).unwrap_or(0) as usize]).collect();
            *out
        }
        Recipe::Pick(Pick { rows, position, out, .. }) => {
            let positions = whole(position, values);
            let rows = &values[rows.0 as usize];
            let at = |at: &i64| usize::try_from(*at).ok().and_then(|at| rows.get(at)).copied().unwrap_or_default();
            values[out.0 as usize] = positions.iter().map(at).collect();
            *out
        }
        Recipe::ArgMaxFlags(ArgMaxFlags { input, axis, before }) => {
            let shape = system.tensor(*before).shape.clone();
            let read_at = |vars: &[usize], k: usize| {
                let mut vars = vars.to_vec();
                vars[*axis] = k;
                let operand = Operand::identity(*input, vars.len());
                small(read(system, &operand, values, &vars)).unwrap_or(0)
            };
            let mut flags = vec![Fr::ZERO; 1 << shape_bits(&shape)];
            let mut positions = padded_positions(&shape).into_iter();
            for_all(&shape, &mut |vars| {
                let best = (0..=shape[*axis]).rev().max_by_key(|k| read_at(vars, *k)).unwrap_or(0);
                let position = positions.next().unwrap_or(0);
                flags[position] = Fr::from(vars[*axis] < best);
            });
            values[before.0 as usize] = flags;
            *before
        }
        Recipe::Limbs(Limbs { value, limb_bits, cells }) => {
            let rows = rows(system, value, values);
            let last = cells.len() - 1;
            for (i, cell) in cells.iter().enumerate() {
                let at = limb_bits * (i as u32 + 1);
                // The highest limb has all that is left; of what is no small integer, all.
                let digit = |value: &Fr| match small(*value) {
                    Some(value) if i == last => Fr::from(value >> at),
                    Some(value) => Fr::from(value >> at & ((1 << limb_bits) - 1)),
                    None if i == last => *value / Fr::from(1u64 << at),
                    None => Fr::ZERO,
                };
                values[cell.0 as usize] = rows.iter().map(digit).collect();
            }
            cells[0]
        }
    }
}

fn follow_rescale(rescale: &Rescale, accumulators: &[i64], values: &mut Values) {
    for tensor in cells(rescale) {
        values[tensor.0 as usize] = vec![Fr::ZERO; accumulators.len()];
    }
    for (row, accumulator) in accumulators.iter().enumerate() {
        let biased = accumulator + half(rescale.shift);
        let quotient = biased >> rescale.shift;
        set_rescaled(rescale, row, quotient, values);
    }
}

/// The tensors that a rescale writes.
pub fn cells(rescale: &Rescale) -> Vec<TensorId> {
    let clamp = rescale.clamp.iter().flat_map(|c| [Some(c.low), Some(c.high), Some(c.inside), c.above]);
    clamp.chain([rescale.argument, rescale.below, Some(rescale.out)]).flatten().collect()
}

/// Writes one row of a rescale's cells as they follow from a quotient, whatever it is.
pub fn set_rescaled(rescale: &Rescale, row: usize, quotient: i64, values: &mut Values) {
    let mut set = |tensor: Option<TensorId>, value: i64| {
        if let Some(tensor) = tensor {
            values[tensor.0 as usize][row] = Fr::from(value);
        }
    };
    let mut z = quotient;
    if let Some(clamp) = &rescale.clamp {
        let above = quotient - clamp.window_low;
        let high = above >> clamp.low_bits;
        set(Some(clamp.low), above - (high << clamp.low_bits));
        set(Some(clamp.high), high);
        set(Some(clamp.inside), i64::from(high == 0));
        set(clamp.above, i64::from(high > 0));
        z = quotient.clamp(clamp.window_low, clamp.window_low + (1 << clamp.low_bits) - 1);
    }
    set(rescale.argument, z);
    set(rescale.below, z.max(0) - z);
    let result = match rescale.func {
        RescaleFunc::Identity => Fr::from(z),
        RescaleFunc::Relu => Fr::from(z.max(0)),
        RescaleFunc::Table(table) => {
            let table = &values[table.0 as usize];
            let last = table.len() as i64 - 1;
            table[(z + table.len() as i64 / 2).clamp(0, last) as usize]
        }
    };
    values[rescale.out.0 as usize][row] = result;
}
