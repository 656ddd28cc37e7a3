//! Arithmetic that writes down what it does: each operation's value, and the rows that force it.
//!
//! One kind of row serves all: cells `a, b, c, d` with `q_ab·a·b + q_a·a + q_b·b + q_c·c + q_0 − d = 0`. A row that only asserts has the
//! constant zero as its `d`. A constant's own row is `q_0 − d = 0`, so no constant is the prover's choice.
//!
//! An [`Arithmetizer`] never refuses: a check that the values fail is remembered ([`Arithmetizer::failure`]), and its row is written like
//! any other, for the circuit to refuse. So the rows depend on the operations alone.

use std::collections::HashMap;

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field};

use super::expression::{Affine, Expression, INPUTS, Variable, inverse};
use super::poseidon::ROWS;
use crate::backend::{Arithmetic, Check};
use crate::poseidon::{self, WIDTH};
use crate::sponge::{Block, Permute, RATE};

/// A value and the expression that it is of.
#[derive(Clone, Debug)]
pub struct Traced {
    /// What it is for this run's messages.
    pub value: Fr,
    expression: Expression,
}

impl Traced {
    /// A number.
    pub fn constant(value: Fr) -> Self {
        Self { value, expression: Expression::constant(value) }
    }
}

/// An arithmetic row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What the cells `a, b, c` hold; one without a variable has the coefficient zero.
    pub inputs: [Option<Variable>; INPUTS],
    /// What `d` holds.
    pub output: Variable,
    /// `q_ab`.
    pub product: Fr,
    /// `q_a, q_b, q_c`.
    pub linear: [Fr; INPUTS],
    /// `q_0`.
    pub constant: Fr,
}

impl Row {
    /// Whether the equation holds for these values of the variables.
    pub fn holds(&self, values: &[Fr]) -> bool {
        let [a, b, c] = self.inputs.map(|input| input.map_or(Fr::ZERO, |variable| values[variable.0]));
        let [qa, qb, qc] = self.linear;
        self.product * a * b + qa * a + qb * b + qc * c + self.constant == values[self.output.0]
    }
}

/// A permutation of Poseidon's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permutation {
    /// The state before.
    pub before: [Variable; WIDTH],
    /// Added to its first cell.
    pub capacity: Fr,
    /// Added to its other cells.
    pub messages: [Variable; RATE],
    /// The state afterwards.
    pub after: [Variable; WIDTH],
}

/// The recorder of operations.
///
/// It writes at most so many rows as it was made for. Beyond that it is *full*: it writes nothing more, and every operation gives zero at once, so that
/// a run of any length ends in the time that it takes natively.
#[derive(Debug)]
pub struct Arithmetizer {
    /// Each variable's value.
    pub values: Vec<Fr>,
    /// The arithmetic rows.
    pub rows: Vec<Row>,
    /// The permutations, in order.
    pub permutations: Vec<Permutation>,
    /// The first check that the values fail.
    pub failure: Option<Check>,
    /// What sums that were worked out are, by their monic part.
    known: HashMap<Expression, Affine>,
    constants: HashMap<Fr, Variable>,
    /// Rows that there is still room for, a permutation taking as many as it has in a lane.
    room: usize,
    full: bool,
}

impl Default for Arithmetizer {
    fn default() -> Self {
        Self::within(usize::MAX)
    }
}

impl Arithmetizer {
    /// A recorder of at most so many rows.
    pub fn within(limit: usize) -> Self {
        Self {
            values: Vec::new(),
            rows: Vec::new(),
            permutations: Vec::new(),
            failure: None,
            known: HashMap::new(),
            constants: HashMap::new(),
            room: limit,
            full: false,
        }
    }

    /// Whether more was to be written than there was room for. What was recorded is then of no use.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Takes room for rows; whether there is any.
    fn take(&mut self, rows: usize) -> bool {
        match self.room.checked_sub(rows) {
            Some(room) if !self.full => self.room = room,
            _ => self.full = true,
        }
        !self.full
    }

    /// A value of the prover's choice.
    pub fn witness(&mut self, value: Fr) -> Traced {
        let variable = self.variable(value);
        self.of(variable)
    }

    /// The variable that holds `value`, exactly.
    pub fn as_variable(&mut self, value: &Traced) -> Variable {
        if value.expression.is_constant() {
            return self.constant_variable(value.value);
        }
        let affine = self.reduce(value);
        if affine.slope == Fr::ONE && affine.constant == Fr::ZERO {
            return affine.variable;
        }
        self.work_out(&affine.expression(), value.value)
    }

    /// Remembers a failed check.
    pub fn fail(&mut self, check: Check) {
        self.failure.get_or_insert(check);
    }

    fn variable(&mut self, value: Fr) -> Variable {
        self.values.push(value);
        Variable(self.values.len() - 1)
    }

    fn of(&self, variable: Variable) -> Traced {
        Traced { value: self.values[variable.0], expression: variable.into() }
    }

    fn constant_variable(&mut self, value: Fr) -> Variable {
        if let Some(known) = self.constants.get(&value) {
            return *known;
        }
        let variable = self.work_out(&Expression::constant(value), value);
        self.constants.insert(value, variable);
        variable
    }

    /// A new variable, forced to be the expression.
    fn work_out(&mut self, expression: &Expression, value: Fr) -> Variable {
        let output = self.variable(value);
        self.write_row(expression, output);
        output
    }

    /// Forces the expression to be zero.
    fn force_zero(&mut self, expression: &Expression) {
        let zero = self.constant_variable(Fr::ZERO);
        self.write_row(expression, zero);
    }

    fn write_row(&mut self, expression: &Expression, output: Variable) {
        if !self.take(1) {
            return;
        }
        let mut row = Row {
            inputs: [None; INPUTS],
            output,
            product: Fr::ZERO,
            linear: [Fr::ZERO; INPUTS],
            constant: expression.constant,
        };
        if let Some((coefficient, x, y)) = expression.product {
            row.product = coefficient;
            row.inputs[..2].copy_from_slice(&[Some(x), Some(y)]);
        }
        for (variable, coefficient) in &expression.linear {
            let place = row.inputs.iter().position(|input| *input == Some(*variable));
            let place = place.or_else(|| row.inputs.iter().position(Option::is_none));
            let place = place.expect("an expression fits a row by construction");
            row.inputs[place] = Some(*variable);
            row.linear[place] = *coefficient;
        }
        self.rows.push(row);
    }

    /// As an affine expression of one variable, at the cost of a row unless the sum is known. Not for a number.
    fn reduce(&mut self, value: &Traced) -> Affine {
        let expression = &value.expression;
        if let Some(affine) = expression.as_affine() {
            return affine;
        }
        let (lead, monic) = expression.monic();
        if let Some(known) = self.known.get(&monic) {
            let constant = lead * known.constant + expression.constant;
            return Affine { slope: lead * known.slope, variable: known.variable, constant };
        }
        let variable = self.work_out(expression, value.value);
        // monic = (variable − constant) / lead
        let inverse = inverse(lead).expect("a leading coefficient is not zero");
        self.known.insert(monic, Affine { slope: inverse, variable, constant: -expression.constant * inverse });
        Affine { slope: Fr::ONE, variable, constant: Fr::ZERO }
    }

    /// The same value, as short as can be.
    fn shorten(&mut self, value: &Traced) -> Traced {
        if value.expression.is_constant() {
            return value.clone();
        }
        Traced { value: value.value, expression: self.reduce(value).expression() }
    }
}

impl Arithmetic for Arithmetizer {
    type Scalar = Traced;

    fn constant(&mut self, value: Fr) -> Traced {
        Traced::constant(value)
    }

    fn add(&mut self, a: &Traced, b: &Traced) -> Traced {
        if self.full {
            return Traced::constant(Fr::ZERO);
        }
        let value = a.value + b.value;
        if let Some(expression) = a.expression.checked_add(&b.expression) {
            return Traced { value, expression };
        }
        // The longer one becomes a variable, and if that is not enough the other one too.
        let (long, short) = if b.expression.weight() > a.expression.weight() { (b, a) } else { (a, b) };
        let long = self.shorten(long);
        let expression = long.expression.checked_add(&short.expression).unwrap_or_else(|| {
            let short = self.shorten(short);
            long.expression.checked_add(&short.expression).expect("two variables fit a row")
        });
        Traced { value, expression }
    }

    fn sub(&mut self, a: &Traced, b: &Traced) -> Traced {
        let negative = self.scale(b, -Fr::ONE);
        self.add(a, &negative)
    }

    fn mul(&mut self, a: &Traced, b: &Traced) -> Traced {
        if self.full {
            return Traced::constant(Fr::ZERO);
        }
        if a.expression.is_constant() {
            return self.scale(b, a.value);
        }
        if b.expression.is_constant() {
            return self.scale(a, b.value);
        }
        let (x, y) = (self.reduce(a), self.reduce(b));
        Traced { value: a.value * b.value, expression: Expression::product_of(&x, &y) }
    }

    fn scale(&mut self, a: &Traced, c: Fr) -> Traced {
        if self.full {
            return Traced::constant(Fr::ZERO);
        }
        Traced { value: a.value * c, expression: a.expression.scaled(&c) }
    }

    fn invert(&mut self, a: &Traced, check: Check) -> Result<Traced, Check> {
        let value = a.value.inverse().unwrap_or_else(|| {
            self.fail(check);
            Fr::ZERO
        });
        if a.expression.is_constant() {
            // Zero for a number that has an inverse.
            self.force_zero(&Expression::constant(a.value * value - Fr::ONE));
            return Ok(Traced::constant(value));
        }
        let inverse = self.witness(value);
        let product = self.mul(a, &inverse);
        self.force_zero(&product.expression.plus_constant(&-Fr::ONE));
        Ok(inverse)
    }

    fn assert_equal(&mut self, a: &Traced, b: &Traced, check: Check) -> Result<(), Check> {
        if a.value != b.value {
            self.fail(check);
        }
        let difference = self.sub(a, b);
        self.force_zero(&difference.expression);
        Ok(())
    }
}

impl Permute for Arithmetizer {
    fn permute(&mut self, state: &mut [Traced; WIDTH], block: Block<Traced>) {
        if !self.take(ROWS) {
            return;
        }
        let zero = Traced::constant(Fr::ZERO);
        // A message that is missing is the constant zero, like any other constant.
        let messages = block.messages.map(|message| self.as_variable(&message.unwrap_or(zero.clone())));
        let before = state.each_ref().map(|cell| self.as_variable(cell));
        let mut cells = before.map(|cell| self.values[cell.0]);
        cells[0] += block.capacity;
        for (cell, message) in cells[1..].iter_mut().zip(messages) {
            *cell += self.values[message.0];
        }
        poseidon::permute(&mut cells);
        let after = cells.map(|cell| self.variable(cell));
        self.permutations.push(Permutation { before, capacity: block.capacity, messages, after });
        *state = after.map(|variable| self.of(variable));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Plain;
    use proptest::prelude::*;

    fn rows_hold(ar: &Arithmetizer) -> bool {
        ar.rows.iter().all(|row| row.holds(&ar.values))
    }

    /// Random straight-line programs over both arithmetics.
    fn run<A: Arithmetic>(ar: &mut A, mut known: Vec<A::Scalar>, steps: &[(u8, usize, usize, i64)]) -> Vec<A::Scalar> {
        for (kind, i, j, c) in steps {
            let (a, b) = (known[i % known.len()].clone(), known[j % known.len()].clone());
            let next = match kind % 7 {
                0 => ar.add(&a, &b),
                1 => ar.sub(&a, &b),
                2 => ar.mul(&a, &b),
                3 => ar.scale(&a, Fr::from(*c)),
                4 => ar.complement(&a),
                5 => ar.mul_add(&a, &b, &b),
                _ => ar.invert(&a, Check::Shape).unwrap_or(a),
            };
            known.push(next);
        }
        known
    }

    proptest! {
        #[test]
        fn values_are_the_plain_ones_and_rows_hold(
            steps in prop::collection::vec((any::<u8>(), 0usize..40, 0usize..40, -3i64..4), 1..40),
            inputs in prop::collection::vec(0u64..5, 1..4),
        ) {
            let mut ar = Arithmetizer::default();
            let inputs: Vec<Fr> = inputs.into_iter().map(Fr::from).collect();
            let traced: Vec<Traced> = inputs.iter().map(|v| ar.witness(*v)).collect();
            let traced = run(&mut ar, traced, &steps);
            if ar.failure.is_some() {
                // Zero was inverted: its row cannot hold.
                prop_assert!(!rows_hold(&ar));
                return Ok(());
            }
            let plain = run(&mut Plain, inputs, &steps);
            for (traced, plain) in traced.iter().zip(&plain) {
                prop_assert_eq!(traced.value, *plain);
                let variable = ar.as_variable(traced);
                prop_assert_eq!(ar.values[variable.0], *plain);
            }
            prop_assert!(rows_hold(&ar));
        }
    }

    #[test]
    fn sums_cost_rows_only_when_they_are_too_long() {
        let mut ar = Arithmetizer::default();
        let v: Vec<Traced> = (1..6u64).map(|i| ar.witness(Fr::from(i))).collect();
        let three = ar.add(&v[0], &v[1]);
        let three = ar.add(&three, &v[2]);
        assert_eq!(ar.rows.len(), 0);
        let four = ar.add(&three, &v[3]);
        assert_eq!(ar.rows.len(), 1);
        // The same sum again, and a multiple of it, is known.
        let twice = ar.scale(&three, Fr::from(2u64));
        let product = ar.mul(&twice, &v[4]);
        assert_eq!((ar.rows.len(), product.value), (1, Fr::from(60u64)));
        let fused = ar.add(&product, &v[0]);
        assert_eq!(ar.rows.len(), 1);
        ar.as_variable(&fused);
        assert_eq!((ar.rows.len(), four.value), (2, Fr::from(10u64)));
    }

    #[test]
    fn failed_checks_are_remembered_and_their_rows_written() {
        let mut ar = Arithmetizer::default();
        let [one, two] = [1u64, 2].map(|v| ar.witness(Fr::from(v)));
        assert_eq!(ar.assert_equal(&one, &two, Check::Batch), Ok(()));
        assert_eq!(ar.assert_equal(&one, &one, Check::Contraction), Ok(()));
        assert_eq!(ar.failure, Some(Check::Batch));
        assert!(!rows_hold(&ar));
        // A constant that is none, too.
        let mut ar = Arithmetizer::default();
        let (a, b) = (ar.constant(Fr::ONE), ar.constant(Fr::ZERO));
        assert_eq!(ar.assert_equal(&a, &b, Check::LookupSum), Ok(()));
        assert_eq!(ar.failure, Some(Check::LookupSum));
        assert!(!rows_hold(&ar));
    }
}
