//! The circuit: a recording laid out in four advice columns.
//!
//! Permutations come first, 23 rows each ([`super::poseidon`]), arithmetic rows below them, all in the same four columns, since a column
//! costs the prover (and a contract) more than rows do. Three fixed columns of zeros and ones tell what a row is, so that a gate's selector
//! is a product of two factors: `partial` (the row holds four partial rounds), `full` (a full round), `arithmetic` (an arithmetic row,
//! and with `full` a round that absorbs). With `s, p` the cells of a row, `x` all four of them, and a prime for the next row's:
//!
//! | rows | selector | equations |
//! |---|---|---|
//! | absorb | `full·arithmetic` | `(s_0 + k_0)^5, (s_1 + p + k_1)^5, (s_2 + p' + k_2)^5` are `M⁻¹·(s' − (k_3, 0, 0))` |
//! | full | `full·(1 − arithmetic)` | `(s_i + k_i)^5` are `M⁻¹·(s' − (k_3, 0, 0))` |
//! | enter | `(1 − partial)·partial'` | `p` and `x'` are linear in `s_1, s_2` and powers of `s_0`, `p`, `x'` |
//! | partial | `partial·partial'` | `x'` is linear in `x`, `x'` and their powers |
//! | leave | `partial·(1 − partial')` | `s'` is linear in `x` and its powers |
//! | arithmetic | `arithmetic·(1 − full)` | `q_ab·a·b + q_a·a + q_b·b + q_c·c + q_0 = d` |
//!
//! Round constants `k` share the columns of `q_a, q_b, q_c, q_0`. The highest degree is 7, with which one column of the copy argument holds
//! all five columns.

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
use super::poseidon::{self, CELLS, Forms, Kind, ROWS, forms, inverse_matrix, round_rows};
use super::record::Recording;
use crate::poseidon::WIDTH;

/// Degree of the highest gate: a selector of two factors times a fifth power.
pub const DEGREE: usize = 7;

/// The columns.
#[derive(Clone, Debug)]
pub struct Columns {
    cells: [Column<Advice>; CELLS],
    /// Round constants, or the coefficients of `a, b, c`.
    linear: [Column<Fixed>; WIDTH],
    /// Coefficient of `a·b`.
    product: Column<Fixed>,
    constant: Column<Fixed>,
    partial: Column<Fixed>,
    full: Column<Fixed>,
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
            partial: meta.fixed_column(),
            full: meta.fixed_column(),
            arithmetic: meta.fixed_column(),
            instance: meta.instance_column(),
        };
        columns.cells.iter().for_each(|column| meta.enable_equality(*column));
        meta.enable_equality(columns.instance);
        meta.create_gate("absorb", |v| Cells::query(v, &columns).absorb());
        meta.create_gate("full round", |v| Cells::query(v, &columns).full());
        meta.create_gate("enter partial rounds", |v| Cells::query(v, &columns).enter());
        meta.create_gate("partial rounds", |v| Cells::query(v, &columns).partial());
        meta.create_gate("leave partial rounds", |v| Cells::query(v, &columns).leave());
        meta.create_gate("arithmetic", |v| Cells::query(v, &columns).arithmetic());
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

    fn constants(&mut self, row: usize, linear: &[Fr; WIDTH], product: &Fr, constant: &Fr) {
        let columns = self.columns;
        columns.linear.iter().zip(linear).for_each(|(column, value)| self.fix(*column, row, value));
        self.fix(columns.product, row, product);
        self.fix(columns.constant, row, constant);
    }

    fn select(&mut self, column: Column<Fixed>, row: usize) {
        self.region.assign_fixed(column, row, Scalar::ONE);
    }

    fn permutation(&mut self, start: usize, permutation: &Permutation) {
        let Permutation { before, capacity, messages, after } = permutation;
        let columns = self.columns;
        before.iter().enumerate().for_each(|(i, cell)| self.put(i, start, *cell));
        self.put(WIDTH, start, messages[0]);
        self.put(WIDTH, start + 1, messages[1]);
        let mut state = before.map(|cell| self.values[cell.0]);
        state[0] += capacity;
        let (cells, _) = poseidon::cells(state, messages.map(|message| self.values[message.0]));
        for (i, (round, cells)) in round_rows().iter().zip(&cells).enumerate() {
            let row = start + i;
            // The cells that hold variables are there already, and a full round's fourth cell is in no gate.
            let own = match round.kind {
                Kind::Absorb => 0,
                Kind::Full => WIDTH,
                Kind::Enter | Kind::Partial | Kind::Leave => CELLS,
            };
            for (column, value) in cells[..own].iter().enumerate() {
                self.free(column, row, value);
            }
            for column in columns.of(round.kind) {
                self.select(column, row);
            }
            let [mut k0, k1, k2, k3] = round.constants;
            if round.kind == Kind::Absorb {
                k0 += capacity;
            }
            self.constants(row, &[k0, k1, k2], &round.first, &k3);
        }
        after.iter().enumerate().for_each(|(i, cell)| self.put(i, start + ROWS, *cell));
    }

    fn arithmetic(&mut self, row: usize, arithmetic: &Row) {
        let Row { inputs, output, product, linear, constant } = arithmetic;
        let columns = self.columns;
        self.select(columns.arithmetic, row);
        self.constants(row, linear, product, constant);
        for (i, input) in inputs.iter().enumerate() {
            if let Some(variable) = input {
                self.put(i, row, *variable);
            }
        }
        self.put(WIDTH, row, *output);
    }
}

impl Columns {
    /// Those that are one in a row of this kind.
    fn of(&self, kind: Kind) -> Vec<Column<Fixed>> {
        match kind {
            Kind::Absorb => vec![self.full, self.arithmetic],
            Kind::Full => vec![self.full],
            Kind::Enter => Vec::new(),
            Kind::Partial | Kind::Leave => vec![self.partial],
        }
    }
}

type Polynomial = Expression<Scalar>;

/// This row's and the next row's cells, as the gates see them.
struct Cells {
    own: [Polynomial; CELLS],
    next: [Polynomial; CELLS],
    linear: [Polynomial; WIDTH],
    product: Polynomial,
    constant: Polynomial,
    is_partial: Polynomial,
    next_is_partial: Polynomial,
    is_full: Polynomial,
    is_arithmetic: Polynomial,
}

impl Cells {
    fn query(v: &mut VirtualCells<Scalar>, columns: &Columns) -> Self {
        Self {
            own: columns.cells.map(|column| v.query_advice(column, Rotation::cur())),
            next: columns.cells.map(|column| v.query_advice(column, Rotation::next())),
            linear: columns.linear.map(|column| v.query_fixed(column, Rotation::cur())),
            product: v.query_fixed(columns.product, Rotation::cur()),
            constant: v.query_fixed(columns.constant, Rotation::cur()),
            is_partial: v.query_fixed(columns.partial, Rotation::cur()),
            next_is_partial: v.query_fixed(columns.partial, Rotation::next()),
            is_full: v.query_fixed(columns.full, Rotation::cur()),
            is_arithmetic: v.query_fixed(columns.arithmetic, Rotation::cur()),
        }
    }

    fn absorb(self) -> Vec<Polynomial> {
        let [s0, s1, s2, p] = self.own.clone();
        let [.., next_p] = self.next.clone();
        let selector = self.is_full.clone() * self.is_arithmetic.clone();
        selected(selector, self.round([s0, s1 + p, s2 + next_p]))
    }

    fn full(self) -> Vec<Polynomial> {
        let [s0, s1, s2, _] = self.own.clone();
        let selector = self.is_full.clone() * not(&self.is_arithmetic);
        selected(selector, self.round([s0, s1, s2]))
    }

    /// A full round of `s`.
    fn round(self, s: [Polynomial; WIDTH]) -> Vec<Polynomial> {
        let powers = s.into_iter().zip(self.linear).map(|(s, k)| fifth_power(&(s + k)));
        let [s0, s1, s2, _] = self.next;
        let after = [s0 - self.constant, s1, s2];
        powers.zip(inverse_matrix()).map(|(power, row)| power - form(&row, &after)).collect()
    }

    fn enter(self) -> Vec<Polynomial> {
        let Forms { first, second, .. } = forms();
        let [x0, s1, s2, x1] = self.own.clone();
        let [x2, ..] = self.next.clone();
        let [p0, p1] = [&x0, &x1].map(fifth_power);
        let selector = not(&self.is_partial) * self.next_is_partial.clone();
        let is_first = form(first, &[p0.clone(), s1.clone(), s2.clone()]) + self.product.clone() - x1.clone();
        let is_second = form(second, &[p0, p1, s1, s2]) + self.linear[0].clone() - x2;
        let others = self.following(&[x0, x1]).into_iter();
        selected(selector, [is_first, is_second].into_iter().chain(others).collect())
    }

    fn partial(self) -> Vec<Polynomial> {
        let [_, x1, x2, x3] = self.own.clone();
        let selector = self.is_partial.clone() * self.next_is_partial.clone();
        selected(selector, self.following(&[x1, x2, x3]))
    }

    /// That the last of the next row's cells follow, each from the three before it, of which `before` are the first.
    fn following(self, before: &[Polynomial]) -> Vec<Polynomial> {
        let [k0, k1, k2] = self.linear;
        let constants = [k0, k1, k2, self.constant];
        let all = [before, &self.next].concat();
        let powers: Vec<Polynomial> = all.iter().map(fifth_power).collect();
        let constants = &constants[CELLS + WIDTH - all.len()..];
        let follows = constants.iter().enumerate().map(|(i, constant)| {
            let from = [&all[i + 1..i + 3], &powers[i..i + 3]].concat();
            form(&forms().next, &from) + constant.clone() - all[i + 3].clone()
        });
        follows.collect()
    }

    fn leave(self) -> Vec<Polynomial> {
        let [_, x1, x2, x3] = self.own;
        let [s0, s1, s2, _] = self.next;
        let from = [x2.clone(), x3.clone(), fifth_power(&x1), fifth_power(&x2)];
        let [_, k1, k2] = self.linear;
        let [of_s1, of_s2] = &forms().last;
        let selector = self.is_partial * not(&self.next_is_partial);
        selected(selector, vec![x3 - s0, form(of_s1, &from) + k1 - s1, form(of_s2, &from) + k2 - s2])
    }

    fn arithmetic(self) -> Vec<Polynomial> {
        let [a, b, c, d] = self.own;
        let [qa, qb, qc] = self.linear;
        let selector = self.is_arithmetic * not(&self.is_full);
        let sum = self.product * a.clone() * b.clone() + qa * a + qb * b + qc * c + self.constant;
        selected(selector, vec![sum - d])
    }
}

fn selected(selector: Polynomial, constraints: Vec<Polynomial>) -> Vec<Polynomial> {
    constraints.into_iter().map(|constraint| selector.clone() * constraint).collect()
}

fn not(selector: &Polynomial) -> Polynomial {
    Expression::Constant(Scalar::ONE) - selector.clone()
}

fn fifth_power(x: &Polynomial) -> Polynomial {
    let square = x.clone() * x.clone();
    square.clone() * square * x.clone()
}

/// `Σ coefficient·value`.
fn form(coefficients: &[Fr], values: &[Polynomial]) -> Polynomial {
    let terms =
        coefficients.iter().zip(values).map(|(coefficient, value)| value.clone() * convert::scalar(coefficient));
    terms.reduce(|sum, term| sum + term).unwrap_or(Expression::Constant(Scalar::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::{AdditiveGroup, Field};

    /// The permutation's rows: their cells, and the fixed columns in order.
    struct Grid {
        cells: Vec<[Scalar; CELLS]>,
        fixed: Vec<Vec<Scalar>>,
    }

    impl Grid {
        /// Whether all gates hold between all rows.
        fn holds(&self, meta: &ConstraintSystem<Scalar>) -> bool {
            let rows = self.cells.len();
            let polynomials = || meta.gates().iter().flat_map(|gate| gate.polynomials());
            (0..rows).all(|row| polynomials().all(|polynomial| self.evaluate(polynomial, row) == Scalar::ZERO))
        }

        fn evaluate(&self, polynomial: &Polynomial, row: usize) -> Scalar {
            let at = |rotation: Rotation| (row + rotation.0 as usize) % self.cells.len();
            polynomial.evaluate(
                &|constant| constant,
                &|_| unreachable!("no selectors"),
                &|query| self.fixed[at(query.rotation())][query.column_index()],
                &|query| self.cells[at(query.rotation())][query.column_index()],
                &|_| unreachable!("no public values in gates"),
                &|_| unreachable!("one phase"),
                &|a| -a,
                &|a, b| a + b,
                &|a, b| a * b,
                &|a, scalar| a * scalar,
            )
        }
    }

    /// A permutation with a row before and two after it that do nothing.
    fn permutation(meta: &mut ConstraintSystem<Scalar>, seed: u64) -> Grid {
        let columns = Shell::configure(meta);
        let some = |i: usize| Fr::from(seed + 3 + i as u64).pow([77u64]);
        let (mut cells, after) = poseidon::cells(std::array::from_fn(some), [some(10), some(11)]);
        cells.push([after[0], after[1], after[2], Fr::ZERO]);
        let mut fixed: Vec<Vec<Scalar>> = Vec::new();
        for round in round_rows() {
            let [k0, k1, k2, k3] = round.constants;
            let mut row: Vec<Scalar> = [k0, k1, k2, round.first, k3].iter().map(convert::scalar).collect();
            row.resize(meta.num_fixed_columns(), Scalar::ZERO);
            columns.of(round.kind).iter().for_each(|column| row[column.index()] = Scalar::ONE);
            fixed.push(row);
        }
        let idle = |fixed: &mut Vec<Vec<Scalar>>, at| fixed.insert(at, vec![Scalar::ZERO; meta.num_fixed_columns()]);
        [0, ROWS + 1, ROWS + 2].into_iter().for_each(|at| idle(&mut fixed, at));
        cells.insert(0, std::array::from_fn(|i| some(20 + i)));
        cells.push(std::array::from_fn(|i| some(30 + i)));
        Grid { cells: cells.iter().map(|row| row.map(|value| convert::scalar(&value))).collect(), fixed }
    }

    #[test]
    fn every_cell_of_a_permutation_is_determined() {
        let mut meta = ConstraintSystem::default();
        let mut grid = permutation(&mut meta, 0);
        assert_eq!(meta.degree(), DEGREE);
        assert!(grid.holds(&meta));
        for row in 0..grid.cells.len() {
            for column in 0..CELLS {
                grid.cells[row][column] += Scalar::ONE;
                let inside = row > 0 && row <= ROWS + 1;
                let full = inside && (row <= 4 || row > ROWS - 4);
                // What is in no gate: the fourth cell of a full round that holds no message, and what lies outside.
                let free = !inside || full && column == WIDTH && row > 2;
                assert_eq!(grid.holds(&meta), free, "row {row}, column {column}");
                grid.cells[row][column] -= Scalar::ONE;
            }
        }
    }

    #[test]
    fn one_state_follows_from_another() {
        // Another state before is another one after: no chain of rows holds that mixes two permutations.
        let mut meta = ConstraintSystem::default();
        let (mut one, mut other) = (permutation(&mut meta, 0), permutation(&mut ConstraintSystem::default(), 100));
        assert!(one.holds(&meta) && other.holds(&meta));
        for cut in 2..=ROWS + 1 {
            std::mem::swap(&mut one, &mut other);
            let mut mixed = Grid { cells: one.cells[..cut].to_vec(), fixed: one.fixed.clone() };
            mixed.cells.extend(&other.cells[cut..]);
            assert!(!mixed.holds(&meta), "cut before row {cut}");
        }
    }
}
