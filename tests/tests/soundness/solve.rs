//! All solutions of a small constraint system, over the whole field.
//!
//! Unknown are the cells of witness tensors; inputs and whatever is committed at setup are given. A looked-up row is one of its table's rows, so the
//! search tries each; everything else is a linear equation once one factor of each product is known. So nothing is left out: what the search does not
//! find is no solution.

use std::collections::BTreeMap;

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field};
use vouch_circuits::ir::*;

use crate::values::{Values, digits, for_all};

/// `constant + Σ coefficient · cell`.
#[derive(Clone, Debug, Default)]
struct Linear {
    terms: BTreeMap<usize, Fr>,
    constant: Fr,
}

impl Linear {
    fn constant(constant: Fr) -> Self {
        Self { terms: BTreeMap::new(), constant }
    }

    fn cell(cell: usize) -> Self {
        Self { terms: BTreeMap::from([(cell, Fr::ONE)]), constant: Fr::ZERO }
    }

    fn add(&mut self, factor: Fr, other: &Self) {
        self.constant += factor * other.constant;
        for (cell, coefficient) in &other.terms {
            let sum = self.terms.entry(*cell).or_default();
            *sum += factor * coefficient;
            if *sum == Fr::ZERO {
                self.terms.remove(cell);
            }
        }
    }

    fn value(&self) -> Option<Fr> {
        self.terms.is_empty().then_some(self.constant)
    }

    /// The product, if one factor is known.
    fn times(&self, other: &Self) -> Option<Self> {
        let (known, linear) = match (self.value(), other.value()) {
            (Some(known), _) => (known, other),
            (_, Some(known)) => (known, self),
            _ => return None,
        };
        let mut product = Self::default();
        product.add(known, linear);
        Some(product)
    }
}

/// A constraint in one row.
#[derive(Clone, Copy, Debug)]
enum Pending {
    Lookup(usize, usize),
    Equal(usize, usize),
    Product(usize, usize),
}

/// What is known so far.
#[derive(Clone)]
struct State {
    /// For each cell what it is, in terms of cells that nothing is known of.
    cells: Vec<Option<Linear>>,
    pending: Vec<Pending>,
}

/// The search.
pub struct Solver<'a> {
    system: &'a ConstraintSystem,
    /// The first cell of each witness tensor that is not a multiplicity.
    first: Vec<Option<usize>>,
    /// Values of all other tensors.
    given: Values,
    solutions: Vec<Vec<Option<Fr>>>,
}

/// Every solution, as the values of tensors: those that `given` has (inputs, weights, fixed tensors), and those that the constraints determine. `None` stands for a
/// cell that they leave free.
pub fn solutions(system: &ConstraintSystem, given: &Values) -> Vec<Vec<Vec<Option<Fr>>>> {
    let counters: Vec<u32> = system.tables.iter().map(|table| table.multiplicity.0).collect();
    let mut cells = 0;
    let first = (0..system.tensors.len()).map(|i| {
        let unknown = system.tensors[i].origin == Origin::Witness && !counters.contains(&(i as u32));
        (unknown && given[i].is_empty()).then(|| {
            cells += 1 << system.tensors[i].bits();
            cells - (1 << system.tensors[i].bits())
        })
    });
    let first: Vec<Option<usize>> = first.collect();
    let rows = |bits: usize| 0..1usize << bits;
    let lookups = system.lookups.iter().enumerate();
    let mut pending: Vec<Pending> =
        lookups.flat_map(|(i, l)| rows(l.columns[0].bits()).map(move |row| Pending::Lookup(i, row))).collect();
    let equals = system.equals.iter().enumerate();
    pending.extend(equals.flat_map(|(i, e)| rows(e.bits()).map(move |row| Pending::Equal(i, row))));
    let products = system.products.iter().enumerate();
    pending.extend(products.flat_map(|(i, p)| rows(p.bits()).map(move |row| Pending::Product(i, row))));
    // Row by row: what speaks of the same row is decided together, so that a wrong guess ends soon.
    pending.sort_by_key(|pending| match pending {
        Pending::Lookup(_, row) | Pending::Equal(_, row) | Pending::Product(_, row) => *row,
    });
    let mut solver = Solver { system, first, given: given.clone(), solutions: Vec::new() };
    solver.search(State { cells: vec![None; cells], pending });
    let Solver { solutions, first, .. } = solver;
    let tensors = |cells: Vec<Option<Fr>>| {
        let tensor = |i: usize| match first[i] {
            Some(at) => cells[at..at + (1 << system.tensors[i].bits())].to_vec(),
            None => given[i].iter().copied().map(Some).collect(),
        };
        (0..system.tensors.len()).map(tensor).collect()
    };
    solutions.into_iter().map(tensors).collect()
}

impl Solver<'_> {
    fn search(&mut self, mut state: State) {
        if !self.settle(&mut state) {
            return;
        }
        // The looked-up row with the fewest rows of the table left.
        let mut best: Option<(usize, Vec<Vec<Linear>>)> = None;
        for (place, pending) in state.pending.iter().enumerate() {
            let Pending::Lookup(lookup, row) = *pending else { continue };
            let Some(left) = self.left(&state, lookup, row) else { continue };
            if best.as_ref().is_none_or(|(_, fewest)| left.len() < fewest.len()) {
                best = Some((place, left));
            }
        }
        match best {
            Some((place, left)) => {
                state.pending.remove(place);
                for differences in left {
                    let mut next = state.clone();
                    if differences.into_iter().all(|difference| self.vanish(&mut next, difference)) {
                        self.search(next);
                    }
                }
            }
            // Two unknown factors that nothing else speaks of leave whole curves of solutions.
            None if !state.pending.is_empty() => self.solutions.push(vec![None; state.cells.len()]),
            None => {
                let values = (0..state.cells.len()).map(|cell| self.reduced(&state, &Linear::cell(cell)).value());
                let values = values.collect();
                self.solutions.push(values);
            }
        }
    }

    /// Takes in all that is a linear equation by now; whether that has a solution.
    fn settle(&self, state: &mut State) -> bool {
        loop {
            let before = state.pending.len();
            for pending in std::mem::take(&mut state.pending) {
                let equation = match pending {
                    Pending::Lookup(..) => None,
                    Pending::Equal(i, row) => self.linear(state, &self.system.equals[i], row),
                    Pending::Product(i, row) => {
                        let [a, b, c] = &self.system.products[i].terms;
                        let terms = [a, b, c].map(|term| self.linear(state, term, row));
                        match terms {
                            [Some(a), Some(b), Some(c)] => a.times(&b).map(|mut product| {
                                product.add(-Fr::ONE, &c);
                                product
                            }),
                            _ => None,
                        }
                    }
                };
                match equation {
                    Some(equation) => {
                        if !self.vanish(state, equation) {
                            return false;
                        }
                    }
                    None => state.pending.push(pending),
                }
            }
            if state.pending.len() == before {
                return true;
            }
        }
    }

    /// Makes the expression zero; whether it can be.
    fn vanish(&self, state: &mut State, expression: Linear) -> bool {
        let expression = self.reduced(state, &expression);
        let Some((&cell, &coefficient)) = expression.terms.iter().next() else {
            return expression.constant == Fr::ZERO;
        };
        let mut solved = expression;
        solved.terms.remove(&cell);
        let factor = -coefficient.inverse().unwrap();
        let mut value = Linear::default();
        value.add(factor, &solved);
        state.cells[cell] = Some(value);
        true
    }

    /// The same in cells that nothing is known of.
    fn reduced(&self, state: &State, expression: &Linear) -> Linear {
        let mut reduced = Linear::constant(expression.constant);
        for (cell, coefficient) in &expression.terms {
            match &state.cells[*cell] {
                Some(value) => reduced.add(*coefficient, &self.reduced(state, value)),
                None => reduced.add(*coefficient, &Linear::cell(*cell)),
            }
        }
        reduced
    }

    /// For each row of its table that a looked-up row may still be, what has to vanish then; none if the row, or the table, is not linear yet.
    fn left(&self, state: &State, lookup: usize, row: usize) -> Option<Vec<Vec<Linear>>> {
        let lookup = &self.system.lookups[lookup];
        let columns = &self.system.table(lookup.table).columns;
        let own: Vec<Linear> = lookup.columns.iter().map(|c| self.linear(state, c, row)).collect::<Option<_>>()?;
        let mut left = Vec::new();
        for entry in 0..1usize << columns[0].bits() {
            let mut differences = Vec::new();
            for (own, column) in own.iter().zip(columns) {
                let mut difference = own.clone();
                difference.add(-Fr::ONE, &self.linear(state, column, entry)?);
                differences.push(difference);
            }
            if differences.iter().all(|difference| difference.value().is_none_or(|value| value == Fr::ZERO)) {
                left.push(differences);
            }
        }
        Some(left)
    }

    /// A virtual tensor's row, if it is linear by now.
    fn linear(&self, state: &State, value: &Virtual, row: usize) -> Option<Linear> {
        let vars = digits(row, &axis_ranges(&value.domain));
        let (size, at) = (1i64 << value.bits(), row as i64);
        let mut sum = Linear::default();
        for (coef, source) in &value.terms {
            let number = |number: i64| Linear::constant(Fr::from(number));
            let term = match source {
                Source::Read(operand) => self.read(state, operand, &vars),
                Source::Contraction(id) => self.contraction(state, self.system.contraction(*id), &vars)?,
                Source::Fill(ranges) => {
                    let inside = ranges.iter().all(|&(var, start, end)| (start..end).contains(&vars[var]));
                    number(i64::from(inside))
                }
                Source::Position => number(at),
                Source::PositionRelu => number((at - size / 2).max(0)),
                Source::PositionIsMiddle => number(i64::from(size > 1 && at == size / 2)),
                Source::PositionAboveMiddle => number(i64::from(at > size / 2)),
            };
            sum.add(Fr::from(*coef), &term);
        }
        Some(sum)
    }

    fn contraction(&self, state: &State, contraction: &Contraction, outputs: &[usize]) -> Option<Linear> {
        let mut sum = Some(Linear::default());
        for_all(&contraction.vars[contraction.outputs..], &mut |summed| {
            let vars = [outputs, summed].concat();
            let lhs = self.read(state, &contraction.lhs, &vars);
            let product = match &contraction.rhs {
                Some(rhs) => lhs.times(&self.read(state, rhs, &vars)),
                None => Some(lhs),
            };
            match (&mut sum, product) {
                (Some(sum), Some(product)) => sum.add(Fr::ONE, &product),
                _ => sum = None,
            }
        });
        sum
    }

    fn read(&self, state: &State, operand: &Operand, vars: &[usize]) -> Linear {
        let shape = &self.system.tensor(operand.tensor).shape;
        let mut position = 0;
        for (axis, range) in axis_ranges(shape).into_iter().enumerate() {
            let index = match &operand.access {
                Access::Raw => vars[axis] as i64,
                Access::Indexed(axes) => {
                    let terms = axes[axis].terms.iter().map(|&(var, coef)| coef * vars[var] as i64);
                    let index = terms.sum::<i64>() + axes[axis].offset;
                    if !(0..shape[axis] as i64).contains(&index) {
                        return Linear::default();
                    }
                    index
                }
            };
            position += (index as usize) << range.start;
        }
        let tensor = operand.tensor.0 as usize;
        match self.first[tensor] {
            Some(first) => self.reduced(state, &Linear::cell(first + position)),
            None => Linear::constant(self.given[tensor][position]),
        }
    }
}
