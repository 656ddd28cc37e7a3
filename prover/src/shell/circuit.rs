//! The circuit: a recording laid out in lanes of four advice columns.
//!
//! Permutations come first, 23 rows each ([`vouch_circuits::shell::poseidon`]), arithmetic rows below them, all in the same four columns, since a column
//! costs a verifier more than rows do. Where proving time counts more, the circuit has several such lanes side by side, half or a quarter as
//! long: each takes its share of every sponge's chain of permutations (one sponge below the other), then of the arithmetic rows.
//!
//! Three fixed columns of zeros and ones tell what the rows of all lanes are, so that a gate's selector
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
//! Round constants `k` share the columns of `q_a, q_b, q_c, q_0`, which each lane has for itself; `partial`, `full` and `arithmetic` hold for all of
//! them. The highest degree is 7, with which a product of the copy argument takes five columns.

use std::ops::{Add, Mul, Sub};

use ark_bn254::Fr;
use ark_ff::AdditiveGroup;
use halo2_proofs::circuit::{Cell, Layouter, Region, SimpleFloorPlanner, Value};
use halo2_proofs::halo2curves::bn256::Fr as Scalar;
use halo2_proofs::halo2curves::ff::Field as _;
use halo2_proofs::plonk::{
    Advice, Circuit, Column, ConstraintSystem, Error, Expression, Fixed, Instance, VirtualCells,
};
use halo2_proofs::poly::Rotation;
use vouch_circuits::poseidon::WIDTH;
use vouch_circuits::shell::Recording;
use vouch_circuits::shell::arithmetic::{Permutation, Row};
use vouch_circuits::shell::expression::Variable;
use vouch_circuits::shell::gates::{Algebra, Cells, DEGREE, Selectors, selectors};
use vouch_circuits::shell::poseidon::{self, CELLS, Kind, ROWS, round_rows};
use vouch_circuits::shell::shape::sponge_rows;

use super::convert;

/// A lane's columns.
#[derive(Clone, Debug)]
struct Lane {
    cells: [Column<Advice>; CELLS],
    /// Round constants, or the coefficients of `a, b, c`.
    linear: [Column<Fixed>; WIDTH],
    /// Coefficient of `a·b`.
    product: Column<Fixed>,
    constant: Column<Fixed>,
}

/// The columns.
#[derive(Clone, Debug)]
pub struct Columns {
    partial: Column<Fixed>,
    full: Column<Fixed>,
    arithmetic: Column<Fixed>,
    lanes: Vec<Lane>,
    instance: Column<Instance>,
}

/// The circuit of one recording. Its constraints do not depend on the recording's values.
#[derive(Clone, Debug)]
pub struct Shell {
    /// What is laid out.
    pub recording: Recording,
    /// Lanes that it is laid out in, 1 to [`MAX_LANES`](vouch_circuits::shell::shape::MAX_LANES).
    pub lanes: usize,
}

impl Circuit<Scalar> for Shell {
    type Config = Columns;
    type FloorPlanner = SimpleFloorPlanner;
    /// Lanes.
    type Params = usize;

    fn without_witnesses(&self) -> Self {
        self.clone()
    }

    fn params(&self) -> usize {
        self.lanes
    }

    fn configure(meta: &mut ConstraintSystem<Scalar>) -> Columns {
        Self::configure_with_params(meta, 1)
    }

    fn configure_with_params(meta: &mut ConstraintSystem<Scalar>, lanes: usize) -> Columns {
        // Else the crate takes gates of degree 5 at most, and proofs fail.
        meta.set_minimum_degree(DEGREE);
        let lane = |meta: &mut ConstraintSystem<Scalar>| Lane {
            cells: [(); CELLS].map(|()| meta.advice_column()),
            linear: [(); WIDTH].map(|()| meta.fixed_column()),
            product: meta.fixed_column(),
            constant: meta.fixed_column(),
        };
        let columns = Columns {
            partial: meta.fixed_column(),
            full: meta.fixed_column(),
            arithmetic: meta.fixed_column(),
            lanes: (0..lanes).map(|_| lane(meta)).collect(),
            instance: meta.instance_column(),
        };
        columns.lanes.iter().flat_map(|lane| lane.cells).for_each(|column| meta.enable_equality(column));
        meta.enable_equality(columns.instance);
        for lane in &columns.lanes {
            meta.create_gate("lane", |v| {
                query(v, &columns, lane).gates().into_iter().map(|polynomial| polynomial.0).collect::<Vec<_>>()
            });
        }
        columns
    }

    fn synthesize(&self, columns: Columns, mut layouter: impl Layouter<Scalar>) -> Result<(), Error> {
        let Self { recording, lanes } = self;
        let Recording { rows, values, instances, .. } = recording;
        let cells = layouter.assign_region(
            || "shell",
            |region| {
                let mut sheet = Sheet { region, columns: &columns, values, cells: vec![None; values.len()] };
                let mut below = 0;
                for chain in recording.sponges() {
                    let count = chain.len().div_ceil(*lanes);
                    let starts: Vec<usize> = (0..count).map(|i| below + i * ROWS).collect();
                    sheet.rounds_begin(&starts);
                    for lane in 0..*lanes {
                        let own = chain.chunks(count).nth(lane).unwrap_or_default();
                        sheet.permutations(lane, own, &starts);
                    }
                    below += sponge_rows(chain.len(), *lanes);
                }
                sheet.arithmetic_begins(below..below + rows.len().div_ceil(*lanes));
                for (i, row) in rows.iter().enumerate() {
                    sheet.arithmetic(i % lanes, below + i / lanes, row);
                }
                Ok(sheet.cells)
            },
        )?;
        for (i, variable) in instances.iter().enumerate() {
            // A public value that no row reads would be bound to nothing.
            let cell = cells[variable.0].ok_or(Error::Synthesis)?;
            layouter.constrain_instance(cell, columns.instance, i);
        }
        Ok(())
    }
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
    fn free(&mut self, column: Column<Advice>, row: usize, value: &Fr) -> Cell {
        self.region.assign_advice(column, row, Value::known(convert::scalar(value))).cell()
    }

    /// A cell that holds the variable: a copy of all its others.
    fn put(&mut self, column: Column<Advice>, row: usize, variable: Variable) {
        let cell = self.free(column, row, &self.values[variable.0]);
        match self.cells[variable.0] {
            Some(first) => self.region.constrain_equal(cell, first),
            None => self.cells[variable.0] = Some(cell),
        }
    }

    /// That permutations begin in these rows, in all lanes.
    fn rounds_begin(&mut self, starts: &[usize]) {
        for start in starts {
            for (i, round) in round_rows().iter().enumerate() {
                self.select(selectors(round.kind), start + i);
            }
        }
    }

    /// That these rows are arithmetic ones, in all lanes.
    fn arithmetic_begins(&mut self, rows: std::ops::Range<usize>) {
        rows.for_each(|row| self.select([false, false, true], row));
    }

    fn select(&mut self, [partial, full, arithmetic]: [bool; 3], row: usize) {
        let Columns { partial: p, full: f, arithmetic: a, .. } = self.columns;
        for (column, _) in [(p, partial), (f, full), (a, arithmetic)].into_iter().filter(|(_, is)| *is) {
            self.region.assign_fixed(*column, row, Scalar::ONE);
        }
    }

    fn constants(&mut self, lane: usize, row: usize, linear: &[Fr; WIDTH], product: &Fr, constant: &Fr) {
        let lane = &self.columns.lanes[lane];
        let pairs = lane.linear.iter().zip(linear).chain([(&lane.product, product), (&lane.constant, constant)]);
        for (column, value) in pairs {
            self.region.assign_fixed(*column, row, convert::scalar(value));
        }
    }

    /// A lane's part of a chain, and, if that is shorter than the others' parts, permutations of no consequence behind it.
    fn permutations(&mut self, lane: usize, own: &[Permutation], starts: &[usize]) {
        let mut state = [Fr::ZERO; WIDTH];
        for (i, start) in starts.iter().enumerate() {
            state = match own.get(i) {
                Some(permutation) => self.permutation(lane, *start, permutation),
                None => self.filler(lane, *start, state),
            };
        }
    }

    fn permutation(&mut self, lane: usize, start: usize, permutation: &Permutation) -> [Fr; WIDTH] {
        let Permutation { before, capacity, messages, after } = permutation;
        let cells = self.columns.lanes[lane].cells;
        cells.into_iter().zip(before).for_each(|(column, variable)| self.put(column, start, *variable));
        self.put(cells[WIDTH], start, messages[0]);
        self.put(cells[WIDTH], start + 1, messages[1]);
        let values = self.values;
        let messages = messages.map(|variable| values[variable.0]);
        let state = self.rounds(lane, start, before.map(|variable| values[variable.0]), *capacity, messages);
        cells.into_iter().zip(after).for_each(|(column, variable)| self.put(column, start + ROWS, *variable));
        state
    }

    /// A permutation of what the row before holds, without messages.
    fn filler(&mut self, lane: usize, start: usize, state: [Fr; WIDTH]) -> [Fr; WIDTH] {
        let after = self.rounds(lane, start, state, Fr::ZERO, [Fr::ZERO; 2]);
        for (column, value) in self.columns.lanes[lane].cells.into_iter().zip(&after) {
            self.free(column, start + ROWS, value);
        }
        after
    }

    /// The constants of a permutation's rows, and those of their cells that hold no variable.
    fn rounds(
        &mut self,
        lane: usize,
        start: usize,
        mut state: [Fr; WIDTH],
        capacity: Fr,
        messages: [Fr; 2],
    ) -> [Fr; WIDTH] {
        let columns = self.columns.lanes[lane].cells;
        state[0] += capacity;
        let (cells, after) = poseidon::cells(state, messages);
        for (i, (round, cells)) in round_rows().iter().zip(&cells).enumerate() {
            let row = start + i;
            // The state before and the messages are variables' cells, and a full round's fourth cell is in no gate.
            let own = match round.kind {
                Kind::Absorb => 0,
                Kind::Full => WIDTH,
                Kind::Enter | Kind::Partial | Kind::Leave => CELLS,
            };
            for (column, value) in columns.into_iter().zip(&cells[..own]) {
                self.free(column, row, value);
            }
            let [mut k0, k1, k2, k3] = round.constants;
            if round.kind == Kind::Absorb {
                k0 += capacity;
            }
            self.constants(lane, row, &[k0, k1, k2], &round.first, &k3);
        }
        after
    }

    fn arithmetic(&mut self, lane: usize, row: usize, arithmetic: &Row) {
        let Row { inputs, output, product, linear, constant } = arithmetic;
        self.constants(lane, row, linear, product, constant);
        let cells = self.columns.lanes[lane].cells;
        for (column, input) in cells.into_iter().zip(inputs) {
            if let Some(variable) = input {
                self.put(column, row, *variable);
            }
        }
        self.put(cells[WIDTH], row, *output);
    }
}

/// A polynomial of the circuit's columns.
#[derive(Clone, Debug)]
struct Polynomial(Expression<Scalar>);

impl Add for Polynomial {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Polynomial {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Mul for Polynomial {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self(self.0 * other.0)
    }
}

impl Algebra for Polynomial {
    fn number(value: &Fr) -> Self {
        Self(Expression::Constant(convert::scalar(value)))
    }
    fn times(self, factor: &Fr) -> Self {
        Self(self.0 * convert::scalar(factor))
    }
}

fn query(v: &mut VirtualCells<Scalar>, columns: &Columns, lane: &Lane) -> Cells<Polynomial> {
    let mut fixed = |column, rotation| Polynomial(v.query_fixed(column, rotation));
    let kind = Selectors {
        partial: fixed(columns.partial, Rotation::cur()),
        next_partial: fixed(columns.partial, Rotation::next()),
        full: fixed(columns.full, Rotation::cur()),
        arithmetic: fixed(columns.arithmetic, Rotation::cur()),
    };
    let linear = lane.linear.map(|column| fixed(column, Rotation::cur()));
    let (product, constant) = (fixed(lane.product, Rotation::cur()), fixed(lane.constant, Rotation::cur()));
    let own = lane.cells.map(|column| Polynomial(v.query_advice(column, Rotation::cur())));
    let next = lane.cells.map(|column| Polynomial(v.query_advice(column, Rotation::next())));
    Cells { own, next, linear, product, constant, kind }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::{AdditiveGroup, Field};
    use vouch_circuits::shell::shape::{
        MAX_LANES, MIN_K, UNUSABLE_ROWS, advice_columns, copy_columns, fixed_columns, product_columns,
    };

    #[test]
    fn the_crate_adds_to_the_circuit_what_its_shape_says() {
        for lanes in 1..=MAX_LANES {
            let mut meta = ConstraintSystem::default();
            Shell::configure_with_params(&mut meta, lanes);
            assert_eq!(meta.blinding_factors() + 1, UNUSABLE_ROWS);
            assert!(meta.minimum_rows() <= 1 << MIN_K);
            assert_eq!(meta.degree(), DEGREE);
            assert_eq!(meta.num_fixed_columns(), fixed_columns(lanes));
            assert_eq!(meta.num_advice_columns(), advice_columns(lanes));
            let copies = meta.permutation().get_columns().len();
            assert_eq!((copies, copies.div_ceil(meta.degree() - 2)), (copy_columns(lanes), product_columns(lanes)));
        }
    }

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

        fn evaluate(&self, polynomial: &Expression<Scalar>, row: usize) -> Scalar {
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
        Shell::configure(meta);
        let some = |i: usize| Fr::from(seed + 3 + i as u64).pow([77u64]);
        let (mut cells, after) = poseidon::cells(std::array::from_fn(some), [some(10), some(11)]);
        cells.push([after[0], after[1], after[2], Fr::ZERO]);
        let mut fixed: Vec<Vec<Scalar>> = Vec::new();
        for round in round_rows() {
            let [k0, k1, k2, k3] = round.constants;
            let mut row = selectors(round.kind).map(Scalar::from).to_vec();
            row.extend([k0, k1, k2, round.first, k3].iter().map(convert::scalar));
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
