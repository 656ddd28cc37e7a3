//! The circuit: a recording laid out in four advice columns.
//!
//! Permutations come first, 38 rows each ([`super::poseidon`]), arithmetic rows below them, all in the same four columns, since a column
//! costs the prover (and a contract) more than rows do. With `s, p` the cells of a row and `s', p'` the next row's:
//!
//! | rows | equations |
//! |---|---|
//! | absorb | `s'_0 = s_0 + constant`, `s'_1 = s_1 + p`, `s'_2 = s_2 + p'` |
//! | full | `(s_i + c_i)^5 = (M⁻¹·s')_i` |
//! | two partial rounds | `p = (s_0 + c_0)^5`, `t = M·(p, s_1, s_2)`, `((t_0 + c_1)^5, t_1, t_2) = M⁻¹·s'` |
//! | one partial round | `((s_0 + c_0)^5, s_1, s_2) = M⁻¹·s'` |
//! | arithmetic | `q_ab·a·b + q_a·a + q_b·b + q_c·c + q_0 = d` |
//!
//! Each kind has a fixed column that selects it; the round constants and `q_a, q_b, q_c` share theirs. The highest degree is 6.

use ark_bn254::Fr;
use halo2_proofs::circuit::{Cell, Layouter, Region, SimpleFloorPlanner, Value};
use halo2_proofs::halo2curves::bn256::Fr as Scalar;
use halo2_proofs::halo2curves::ff::Field as _;
use halo2_proofs::plonk::{
    Advice, Circuit, Column, ConstraintSystem, Error, Expression, Fixed, Instance, VirtualCells,
};
use halo2_proofs::poly::Rotation;

use super::arithmetic::{Permutation, Row};
use super::convert;
use super::expression::Variable;
use super::poseidon::{ROWS, Rounds, inverse_matrix, round_rows, states};
use super::record::Recording;
use crate::poseidon::{WIDTH, parameters};

/// Advice columns.
pub const CELLS: usize = WIDTH + 1;
/// Degree of the highest gate: a selector times a fifth power.
pub const DEGREE: usize = 6;

/// The columns.
#[derive(Clone, Debug)]
pub struct Columns {
    cells: [Column<Advice>; CELLS],
    /// Round constants, or the coefficients of `a, b, c`.
    linear: [Column<Fixed>; WIDTH],
    /// Coefficient of `a·b`.
    product: Column<Fixed>,
    constant: Column<Fixed>,
    absorb: Column<Fixed>,
    full: Column<Fixed>,
    two: Column<Fixed>,
    one: Column<Fixed>,
    arithmetic: Column<Fixed>,
    instance: Column<Instance>,
}

/// How large a recording's circuit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Permutations.
    pub permutations: usize,
    /// Arithmetic rows.
    pub arithmetic: usize,
    /// All rows.
    pub rows: usize,
    /// Public values.
    pub instances: usize,
    /// Binary logarithm of the number of rows that the circuit has, those that blind its columns among them.
    pub k: u32,
}

impl Shape {
    /// A recording's.
    pub fn of(recording: &Recording) -> Self {
        let mut meta = ConstraintSystem::<Scalar>::default();
        Shell::configure(&mut meta);
        let unusable = meta.blinding_factors() + 1;
        let permutations = recording.permutations.len();
        let arithmetic = recording.rows.len();
        let rows = starts(&recording.permutations).last().map_or(0, |start| start + ROWS + 1) + arithmetic;
        let instances = recording.instances.len();
        let need = (rows.max(instances) + unusable).max(meta.minimum_rows());
        Self { permutations, arithmetic, rows, instances, k: need.next_power_of_two().trailing_zeros() }
    }
}

/// The circuit of one recording. Its constraints do not depend on the recording's values.
#[derive(Clone, Debug)]
pub struct Shell(pub Recording);

impl Circuit<Scalar> for Shell {
    type Config = Columns;
    type FloorPlanner = SimpleFloorPlanner;

    fn without_witnesses(&self) -> Self {
        self.clone()
    }

    fn configure(meta: &mut ConstraintSystem<Scalar>) -> Columns {
        // Else the crate takes gates of degree 5 at most, and proofs fail.
        meta.set_minimum_degree(DEGREE);
        let columns = Columns {
            cells: [(); CELLS].map(|()| meta.advice_column()),
            linear: [(); WIDTH].map(|()| meta.fixed_column()),
            product: meta.fixed_column(),
            constant: meta.fixed_column(),
            absorb: meta.fixed_column(),
            full: meta.fixed_column(),
            two: meta.fixed_column(),
            one: meta.fixed_column(),
            arithmetic: meta.fixed_column(),
            instance: meta.instance_column(),
        };
        columns.cells.iter().for_each(|column| meta.enable_equality(*column));
        meta.enable_equality(columns.instance);
        meta.create_gate("absorb", |v| absorb_gate(v, &columns));
        meta.create_gate("full round", |v| full_gate(v, &columns));
        meta.create_gate("two partial rounds", |v| two_gate(v, &columns));
        meta.create_gate("one partial round", |v| one_gate(v, &columns));
        meta.create_gate("arithmetic", |v| arithmetic_gate(v, &columns));
        columns
    }

    fn synthesize(&self, columns: Columns, mut layouter: impl Layouter<Scalar>) -> Result<(), Error> {
        let recording = &self.0;
        let cells = layouter.assign_region(
            || "shell",
            |region| {
                let cells = vec![None; recording.values.len()];
                let mut sheet = Sheet { region, columns: &columns, values: &recording.values, cells };
                let mut row = 0;
                for (start, permutation) in starts(&recording.permutations).into_iter().zip(&recording.permutations) {
                    sheet.permutation(start, permutation);
                    row = start + ROWS + 1;
                }
                for (i, arithmetic) in recording.rows.iter().enumerate() {
                    sheet.arithmetic(row + i, arithmetic);
                }
                Ok(sheet.cells)
            },
        )?;
        for (i, variable) in recording.instances.iter().enumerate() {
            // A public value that no row reads would be bound to nothing.
            let cell = cells[variable.0].ok_or(Error::Synthesis)?;
            layouter.constrain_instance(cell, columns.instance, i);
        }
        Ok(())
    }
}

/// First row of each permutation. One that goes on from another begins in the row that holds the other's result.
fn starts(permutations: &[Permutation]) -> Vec<usize> {
    let mut starts = Vec::with_capacity(permutations.len());
    let mut next = 0;
    for (i, permutation) in permutations.iter().enumerate() {
        let goes_on = i > 0 && permutations[i - 1].after == permutation.before;
        let start = if i > 0 && !goes_on { next + 1 } else { next };
        starts.push(start);
        next = start + ROWS;
    }
    starts
}

/// The region being filled.
struct Sheet<'r, 'a> {
    region: Region<'r, Scalar>,
    columns: &'a Columns,
    values: &'a [Fr],
    /// The first cell of each variable.
    cells: Vec<Option<Cell>>,
}

impl Sheet<'_, '_> {
    fn free(&mut self, column: usize, row: usize, value: &Fr) -> Cell {
        self.region.assign_advice(self.columns.cells[column], row, Value::known(convert::scalar(value))).cell()
    }

    /// A cell that holds the variable: a copy of all its others.
    fn put(&mut self, column: usize, row: usize, variable: Variable) {
        let cell = self.free(column, row, &self.values[variable.0]);
        match self.cells[variable.0] {
            Some(first) => self.region.constrain_equal(cell, first),
            None => self.cells[variable.0] = Some(cell),
        }
    }

    fn fix(&mut self, column: Column<Fixed>, row: usize, value: &Fr) {
        self.region.assign_fixed(column, row, convert::scalar(value));
    }

    fn select(&mut self, column: Column<Fixed>, row: usize) {
        self.region.assign_fixed(column, row, Scalar::ONE);
    }

    fn permutation(&mut self, start: usize, permutation: &Permutation) {
        let Permutation { before, capacity, messages, after } = permutation;
        let columns = self.columns;
        self.select(columns.absorb, start);
        self.fix(columns.constant, start, capacity);
        before.iter().enumerate().for_each(|(i, cell)| self.put(i, start, *cell));
        self.put(WIDTH, start, messages[0]);
        self.put(WIDTH, start + 1, messages[1]);
        let mut state = before.map(|cell| self.values[cell.0]);
        state[0] += capacity;
        for (cell, message) in state[1..].iter_mut().zip(messages) {
            *cell += self.values[message.0];
        }
        let (rows, _) = states(state);
        for (i, (round, [s0, s1, s2, p])) in round_rows().iter().zip(&rows).enumerate() {
            let row = start + 1 + i;
            for (i, value) in [s0, s1, s2].into_iter().enumerate() {
                self.free(i, row, value);
            }
            let (selector, constants) = match round.rounds {
                Rounds::Full => (columns.full, WIDTH),
                Rounds::Two => (columns.two, 2),
                Rounds::One => (columns.one, 1),
            };
            if round.rounds == Rounds::Two {
                self.free(WIDTH, row, p);
            }
            self.select(selector, row);
            for (column, constant) in columns.linear.iter().zip(&round.constants[..constants]) {
                self.fix(*column, row, constant);
            }
        }
        after.iter().enumerate().for_each(|(i, cell)| self.put(i, start + ROWS, *cell));
    }

    fn arithmetic(&mut self, row: usize, arithmetic: &Row) {
        let Row { inputs, output, product, linear, constant } = arithmetic;
        let columns = self.columns;
        self.select(columns.arithmetic, row);
        self.fix(columns.product, row, product);
        self.fix(columns.constant, row, constant);
        columns.linear.iter().zip(linear).for_each(|(column, coefficient)| self.fix(*column, row, coefficient));
        for (i, input) in inputs.iter().enumerate() {
            if let Some(variable) = input {
                self.put(i, row, *variable);
            }
        }
        self.put(WIDTH, row, *output);
    }
}

/// This row's and the next row's cells.
struct Cells {
    s: [Expression<Scalar>; WIDTH],
    p: Expression<Scalar>,
    next: [Expression<Scalar>; WIDTH],
    next_p: Expression<Scalar>,
    linear: [Expression<Scalar>; WIDTH],
}

fn query(v: &mut VirtualCells<Scalar>, columns: &Columns) -> Cells {
    let [s0, s1, s2, p] = columns.cells;
    Cells {
        s: [s0, s1, s2].map(|column| v.query_advice(column, Rotation::cur())),
        p: v.query_advice(p, Rotation::cur()),
        next: [s0, s1, s2].map(|column| v.query_advice(column, Rotation::next())),
        next_p: v.query_advice(p, Rotation::next()),
        linear: columns.linear.map(|column| v.query_fixed(column, Rotation::cur())),
    }
}

fn selected(
    v: &mut VirtualCells<Scalar>,
    column: Column<Fixed>,
    constraints: Vec<Expression<Scalar>>,
) -> Vec<Expression<Scalar>> {
    let selector = v.query_fixed(column, Rotation::cur());
    constraints.into_iter().map(|constraint| selector.clone() * constraint).collect()
}

fn absorb_gate(v: &mut VirtualCells<Scalar>, columns: &Columns) -> Vec<Expression<Scalar>> {
    let Cells { s, p, next, next_p, .. } = query(v, columns);
    let added = [v.query_fixed(columns.constant, Rotation::cur()), p, next_p];
    let constraints = s.into_iter().zip(added).zip(next).map(|((s, added), next)| s + added - next);
    selected(v, columns.absorb, constraints.collect())
}

fn full_gate(v: &mut VirtualCells<Scalar>, columns: &Columns) -> Vec<Expression<Scalar>> {
    let Cells { s, next, linear, .. } = query(v, columns);
    let powers = s.into_iter().zip(linear).map(|(s, c)| fifth_power(s + c));
    let constraints = powers.zip(unmixed(&next)).map(|(power, unmixed)| power - unmixed);
    selected(v, columns.full, constraints.collect())
}

fn two_gate(v: &mut VirtualCells<Scalar>, columns: &Columns) -> Vec<Expression<Scalar>> {
    let Cells { s: [s0, s1, s2], p, next, linear: [c0, c1, _], .. } = query(v, columns);
    let [t0, t1, t2] = times(&parameters().mds, &[p.clone(), s1, s2]);
    let [u0, u1, u2] = unmixed(&next);
    let constraints = vec![fifth_power(s0 + c0) - p, fifth_power(t0 + c1) - u0, t1 - u1, t2 - u2];
    selected(v, columns.two, constraints)
}

fn one_gate(v: &mut VirtualCells<Scalar>, columns: &Columns) -> Vec<Expression<Scalar>> {
    let Cells { s: [s0, s1, s2], next, linear: [c0, ..], .. } = query(v, columns);
    let [u0, u1, u2] = unmixed(&next);
    selected(v, columns.one, vec![fifth_power(s0 + c0) - u0, s1 - u1, s2 - u2])
}

fn arithmetic_gate(v: &mut VirtualCells<Scalar>, columns: &Columns) -> Vec<Expression<Scalar>> {
    let Cells { s: [a, b, c], p: d, linear: [qa, qb, qc], .. } = query(v, columns);
    let product = v.query_fixed(columns.product, Rotation::cur());
    let constant = v.query_fixed(columns.constant, Rotation::cur());
    let sum = product * a.clone() * b.clone() + qa * a + qb * b + qc * c + constant;
    selected(v, columns.arithmetic, vec![sum - d])
}

fn fifth_power(x: Expression<Scalar>) -> Expression<Scalar> {
    let square = x.clone() * x.clone();
    square.clone() * square * x
}

/// `M⁻¹·s`.
fn unmixed(s: &[Expression<Scalar>; WIDTH]) -> [Expression<Scalar>; WIDTH] {
    times(&inverse_matrix(), s)
}

fn times(matrix: &[[Fr; WIDTH]; WIDTH], s: &[Expression<Scalar>; WIDTH]) -> [Expression<Scalar>; WIDTH] {
    let [s0, s1, s2] = s;
    matrix.map(|row| {
        let [m0, m1, m2] = row.map(|entry| convert::scalar(&entry));
        s0.clone() * m0 + s1.clone() * m1 + s2.clone() * m2
    })
}
