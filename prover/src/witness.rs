//! Witness generation: every committed tensor's values on its padded domain, and a check of every constraint.
//!
//! What cannot be proven is an error here, before any proving work, and names the constraint.

use serde::Serialize;
use thiserror::Error;
use vouch_circuits::ir::*;
use vouch_circuits::lowering::{
    ArgMaxFlags, Divide, Gather, Input, Limbs, Lowered, Max, Multiply, Pick, Recipe, Rescale, RescaleFunc, Store,
    padded_positions,
};
use vouch_program::{Op, Program, half};

use crate::evaluate::Evaluator;

/// Why no witness exists.
#[derive(Debug, Error)]
pub enum WitnessError {
    /// Wrong number or length of inputs, or a value outside the declared range.
    #[error("{0}")]
    Input(String),
    /// A row is in no table row.
    #[error("{what}: row {row} is not in the table `{table}`")]
    Lookup {
        /// The looked-up tensor.
        what: String,
        /// Position in the padded domain.
        row: usize,
        /// The table.
        table: String,
    },
    /// An equality does not hold.
    #[error("{what}: row {row} breaks an equality")]
    Equal {
        /// The first tensor in it.
        what: String,
        /// Position in the padded domain.
        row: usize,
    },
    /// A product does not hold.
    #[error("{what}: row {row} is not the product that it should be")]
    Product {
        /// The first tensor of what should be the product.
        what: String,
        /// Position in the padded domain.
        row: usize,
    },
    /// An index that names no row.
    #[error(
        "{what}: position {row} is picked by an index that names no row; use indices from 0 to one less than the rows' number"
    )]
    Index {
        /// The tensor of what is picked.
        what: String,
        /// Position in the padded domain.
        row: usize,
    },
    /// A row is looked up more often than a multiplicity can count.
    #[error("the table `{table}` has a row that is looked up more than 2^31 times: the model is too large")]
    TooOften {
        /// The table.
        table: String,
    },
    /// A value does not fit where it is stored; the interval analysis should have excluded it.
    #[error("{what}: position {row} leaves the range that its place was made for")]
    Range {
        /// The tensor.
        what: String,
        /// Position in the padded domain.
        row: usize,
    },
}

/// All values behind a proof.
pub struct Witness {
    /// Each tensor's values on its padded domain.
    pub values: Vec<Vec<i32>>,
    /// For each lookup, the rows of its columns.
    pub lookups: Vec<Vec<Vec<i64>>>,
    /// For each product, the rows of `a`, `b` and `c`.
    pub products: Vec<[Vec<i64>; 3]>,
}

/// How much a witness satisfies.
#[derive(Clone, Copy, Debug, Default, Serialize, PartialEq, Eq)]
pub struct Checked {
    /// Looked-up rows.
    pub lookup_rows: usize,
    /// Lookups.
    pub lookups: usize,
    /// Equality rows.
    pub equal_rows: usize,
    /// Product rows.
    pub product_rows: usize,
    /// Contractions evaluated.
    pub contractions: usize,
}

/// The values of weights and fixed tensors, on padded domains.
pub fn model_values(program: &Program, lowered: &Lowered) -> Vec<Vec<i32>> {
    let mut values = vec![Vec::new(); lowered.system.tensors.len()];
    for (tensor, node) in &lowered.model {
        let node = program.node(*node);
        if let Op::Weight { data } = &node.op {
            values[tensor.0 as usize] = pad(&node.shape, data.iter().copied());
        }
    }
    for (tensor, fixed) in &lowered.fixed {
        values[tensor.0 as usize] = fixed.clone();
    }
    values
}

/// Lays true values out on the padded domain.
pub fn pad(shape: &[usize], values: impl Iterator<Item = i32>) -> Vec<i32> {
    let mut padded = vec![0; 1 << shape_bits(shape)];
    for (position, value) in padded_positions(shape).into_iter().zip(values) {
        padded[position] = value;
    }
    padded
}

/// The true values of a padded tensor.
pub fn unpad(shape: &[usize], values: &[i32]) -> Vec<i64> {
    padded_positions(shape).into_iter().map(|p| i64::from(values[p])).collect()
}

/// Computes the witness for `inputs` and checks every constraint; `model` is [`model_values`].
pub fn generate(
    lowered: &Lowered,
    model: Vec<Vec<i32>>,
    inputs: &[Vec<i64>],
) -> Result<(Witness, Checked), WitnessError> {
    let system = &lowered.system;
    check_inputs(system, inputs)?;
    let evaluator = Evaluator::new(system);
    let mut values = model;
    for recipe in &lowered.plan {
        follow(system, &evaluator, recipe, inputs, &mut values)?;
    }
    let (lookups, mut checked) = count_lookups(system, &evaluator, &mut values)?;
    for equal in &system.equals {
        let rows = evaluator.rows(equal, &values);
        if let Some(row) = rows.iter().position(|v| *v != 0) {
            return Err(WitnessError::Equal { what: describe(system, equal), row });
        }
        checked.equal_rows += rows.len();
    }
    let products = check_products(system, &evaluator, &values)?;
    checked.product_rows = products.iter().map(|[rows, ..]| rows.len()).sum();
    checked.contractions = system.contractions.len();
    Ok((Witness { values, lookups, products }, checked))
}

/// Evaluates all products' rows and checks them.
fn check_products(
    system: &ConstraintSystem,
    evaluator: &Evaluator,
    values: &[Vec<i32>],
) -> Result<Vec<[Vec<i64>; 3]>, WitnessError> {
    let check = |Product { terms: [a, b, c] }: &Product| {
        let all = [a, b, c].map(|value| evaluator.rows(value, values));
        let [a_rows, b_rows, c_rows] = &all;
        let wrong = (0..c_rows.len()).find(|i| i128::from(a_rows[*i]) * i128::from(b_rows[*i]) != c_rows[*i].into());
        match wrong {
            Some(row) => Err(WitnessError::Product { what: describe(system, c), row }),
            None => Ok(all),
        }
    };
    system.products.iter().map(check).collect()
}

fn check_inputs(system: &ConstraintSystem, inputs: &[Vec<i64>]) -> Result<(), WitnessError> {
    let ports: Vec<&Public> = system.publics.iter().filter(|p| p.role == Role::Input).collect();
    if ports.len() != inputs.len() {
        return Err(WitnessError::Input(format!("the model has {} inputs, {} were given", ports.len(), inputs.len())));
    }
    for (port, values) in ports.iter().zip(inputs) {
        let (name, (lo, hi)) = (&port.name, port.range);
        let len = system.tensor(port.tensor).len();
        if values.len() != len {
            let message = format!("input `{name}` has {len} elements, {} were given", values.len());
            return Err(WitnessError::Input(message));
        }
        if let Some(at) = values.iter().position(|v| !(lo..=hi).contains(v)) {
            let message = format!("input `{name}`: element {at} is outside the declared range {lo}..={hi}");
            return Err(WitnessError::Input(message));
        }
    }
    Ok(())
}

/// The name of the first committed tensor that plays a part.
fn describe(system: &ConstraintSystem, value: &Virtual) -> String {
    let first = value.terms.iter().find_map(|(_, s)| match s {
        Source::Read(operand) => Some(operand.tensor),
        Source::Contraction(id) => Some(system.contraction(*id).lhs.tensor),
        _ => None,
    });
    first.map_or_else(|| "a constant".into(), |t| system.tensor(t).name.clone())
}

fn follow(
    system: &ConstraintSystem,
    evaluator: &Evaluator,
    recipe: &Recipe,
    inputs: &[Vec<i64>],
    values: &mut [Vec<i32>],
) -> Result<(), WitnessError> {
    let name = |tensor: &TensorId| system.tensor(*tensor).name.clone();
    let narrow = |wide: Vec<i64>, out: &TensorId| -> Result<Vec<i32>, WitnessError> {
        wide.into_iter()
            .enumerate()
            .map(|(row, v)| i32::try_from(v).map_err(|_| WitnessError::Range { what: name(out), row }))
            .collect()
    };
    match recipe {
        Recipe::Input(Input { port, out }) => {
            let shape = &system.tensor(*out).shape;
            // Ranges were checked: inputs have at most 24 bits.
            values[out.0 as usize] = pad(shape, inputs[*port].iter().map(|v| *v as i32));
        }
        Recipe::Rescale(rescale) => {
            let accumulators = evaluator.rows(&rescale.value, values);
            follow_rescale(rescale, accumulators, &name(&rescale.out), values)?;
        }
        Recipe::Max(Max { lhs, rhs, out }) => {
            let pairs = evaluator.rows(lhs, values).into_iter().zip(evaluator.rows(rhs, values));
            values[out.0 as usize] = narrow(pairs.map(|(a, b)| a.max(b)).collect(), out)?;
        }
        Recipe::Multiply(Multiply { lhs, rhs, out }) => {
            let pairs = evaluator.rows(lhs, values).into_iter().zip(evaluator.rows(rhs, values));
            values[out.0 as usize] = narrow(pairs.map(|(a, b)| a * b).collect(), out)?;
        }
        Recipe::Divide(divide) => {
            let Divide { num, den, out, .. } = divide;
            let pairs = evaluator.rows(num, values).into_iter().zip(evaluator.rows(den, values));
            values[out.0 as usize] = narrow(pairs.map(|(a, b)| divide.quotient(a, b)).collect(), out)?;
        }
        Recipe::Store(Store { value, out }) => {
            values[out.0 as usize] = narrow(evaluator.rows(value, values), out)?;
        }
        Recipe::Gather(Gather { input, index, out }) => {
            let (input, index) = (&values[input.0 as usize], &values[index.0 as usize]);
            values[out.0 as usize] = index.iter().map(|i| input[*i as usize]).collect();
        }
        Recipe::Pick(Pick { rows, index, count, position, out }) => {
            let [indices, positions] = [index, position].map(|column| evaluator.rows(column, values));
            let rows = &values[rows.0 as usize];
            let picked = indices.iter().zip(positions).enumerate().map(|(row, (index, at))| {
                let at = usize::try_from(at).ok().filter(|_| (0..*count).contains(index));
                at.map(|at| rows[at]).ok_or_else(|| WitnessError::Index { what: name(out), row })
            });
            values[out.0 as usize] = picked.collect::<Result<_, _>>()?;
        }
        Recipe::ArgMaxFlags(ArgMaxFlags { input, axis, before }) => {
            values[before.0 as usize] = argmax_flags(&system.tensor(*input).shape, *axis, &values[input.0 as usize]);
        }
        Recipe::Limbs(Limbs { value, limb_bits, cells }) => {
            let rows = evaluator.rows(value, values);
            for (i, cell) in cells.iter().enumerate() {
                let digit = |v: &i64| (v >> (*limb_bits as usize * (i + 1)) & ((1 << limb_bits) - 1)) as i32;
                values[cell.0 as usize] = rows.iter().map(digit).collect();
            }
        }
    }
    Ok(())
}

fn follow_rescale(
    rescale: &Rescale,
    accumulators: Vec<i64>,
    name: &str,
    values: &mut [Vec<i32>],
) -> Result<(), WitnessError> {
    let shift = rescale.shift;
    let table = match rescale.func {
        RescaleFunc::Table(tensor) => values[tensor.0 as usize].clone(),
        _ => Vec::new(),
    };
    let size = accumulators.len();
    let column = |present: bool| if present { Vec::with_capacity(size) } else { Vec::new() };
    let clamp = rescale.clamp.as_ref();
    let mut out = column(true);
    let mut argument = column(rescale.argument.is_some());
    let mut below = column(rescale.below.is_some());
    let [mut low, mut high, mut inside] = [(); 3].map(|()| column(clamp.is_some()));
    let mut beyond = column(clamp.is_some_and(|c| c.above.is_some()));
    for (row, accumulator) in accumulators.into_iter().enumerate() {
        let range = || WitnessError::Range { what: name.into(), row };
        let cell = |value: i64| i32::try_from(value).map_err(|_| range());
        let q = (accumulator + half(shift)) >> shift;
        let mut z = q;
        if let Some(clamp) = clamp {
            let above = q - clamp.window_low;
            let part = above >> clamp.low_bits;
            z = q.clamp(clamp.window_low, clamp.window_low + (1 << clamp.low_bits) - 1);
            low.push(cell(above - (part << clamp.low_bits))?);
            high.push(cell(part)?);
            inside.push(i32::from(part == 0));
            if clamp.above.is_some() {
                beyond.push(i32::from(part > 0));
            }
        }
        let y = match rescale.func {
            RescaleFunc::Identity => z,
            RescaleFunc::Relu => z.max(0),
            RescaleFunc::Table(_) => {
                let at = usize::try_from(z + (1 << (rescale.bits - 1))).ok();
                at.and_then(|at| table.get(at)).map(|v| i64::from(*v)).ok_or_else(range)?
            }
        };
        if rescale.argument.is_some() {
            argument.push(cell(z)?);
        }
        if rescale.below.is_some() {
            below.push(cell(y - z)?);
        }
        out.push(cell(y)?);
    }
    values[rescale.out.0 as usize] = out;
    let mut put = |tensor: Option<TensorId>, column| {
        if let Some(tensor) = tensor {
            values[tensor.0 as usize] = column;
        }
    };
    put(rescale.argument, argument);
    put(rescale.below, below);
    put(clamp.map(|clamp| clamp.low), low);
    put(clamp.map(|clamp| clamp.high), high);
    put(clamp.map(|clamp| clamp.inside), inside);
    put(clamp.and_then(|clamp| clamp.above), beyond);
    Ok(())
}

/// 1 at each position before the first largest element along `axis`.
fn argmax_flags(shape: &[usize], axis: usize, input: &[i32]) -> Vec<i32> {
    let mut flags_shape = shape.to_vec();
    flags_shape[axis] -= 1;
    let mut flags = vec![0; 1 << shape_bits(&flags_shape)];
    let (from, to) = (axis_ranges(shape), axis_ranges(&flags_shape));
    let mut line_shape = shape.to_vec();
    line_shape[axis] = 1;
    let lines: usize = line_shape.iter().product();
    for line in 0..lines {
        let mut rest = line;
        let (mut source, mut target) = (0, 0);
        for (a, &len) in line_shape.iter().enumerate().rev() {
            source += (rest % len) << from[a].start;
            target += (rest % len) << to[a].start;
            rest /= len;
        }
        let at = |k: usize| input[source + (k << from[axis].start)];
        let best = (1..shape[axis]).fold(0, |best, k| if at(k) > at(best) { k } else { best });
        for k in 0..best {
            flags[target + (k << to[axis].start)] = 1;
        }
    }
    flags
}

type LookupRows = Vec<Vec<Vec<i64>>>;

/// Evaluates all looked-up rows, checks them, and fills in the multiplicities.
fn count_lookups(
    system: &ConstraintSystem,
    evaluator: &Evaluator,
    values: &mut [Vec<i32>],
) -> Result<(LookupRows, Checked), WitnessError> {
    let rows = |columns: &[Virtual], values: &[Vec<i32>]| -> Vec<Vec<i64>> {
        columns.iter().map(|column| evaluator.rows(column, values)).collect()
    };
    let tables: Vec<Vec<Vec<i64>>> = system.tables.iter().map(|table| rows(&table.columns, values)).collect();
    let mut counts: Vec<Vec<i32>> = tables.iter().map(|t| vec![0; t[0].len()]).collect();
    let mut all = Vec::with_capacity(system.lookups.len());
    let mut checked = Checked { lookups: system.lookups.len(), ..Checked::default() };
    for lookup in &system.lookups {
        let columns = rows(&lookup.columns, values);
        let table = &tables[lookup.table.0 as usize];
        let counts = &mut counts[lookup.table.0 as usize];
        for row in 0..columns[0].len() {
            // A table's first column counts up by one.
            let found = usize::try_from(columns[0][row] - table[0][0])
                .ok()
                .filter(|&at| columns.iter().zip(table).all(|(c, t)| t.get(at) == Some(&c[row])));
            let Some(at) = found else {
                let what = describe(system, &lookup.columns[0]);
                return Err(WitnessError::Lookup { what, row, table: system.table(lookup.table).name.clone() });
            };
            counts[at] = counts[at]
                .checked_add(1)
                .ok_or_else(|| WitnessError::TooOften { table: system.table(lookup.table).name.clone() })?;
        }
        checked.lookup_rows += columns[0].len();
        all.push(columns);
    }
    for (table, counts) in system.tables.iter().zip(counts) {
        values[table.multiplicity.0 as usize] = counts;
    }
    Ok((all, checked))
}

/// The flat vector of all tensors that lie in it, by block; `len` positions.
pub fn flatten<'a>(blocks: impl Iterator<Item = (usize, &'a [i32])>, len: usize) -> Vec<i32> {
    let mut flat = vec![0; len];
    for (offset, values) in blocks {
        flat[offset..offset + values.len()].copy_from_slice(values);
    }
    flat
}
