//! The circuit ([`super::grid`]) as Halo2 has it.

use std::ops::{Add, Mul, Sub};

use ark_bn254::Fr;
use ark_ff::AdditiveGroup;
use halo2_proofs::circuit::{Cell, Layouter, SimpleFloorPlanner, Value};
use halo2_proofs::halo2curves::bn256::Fr as Scalar;
use halo2_proofs::plonk::{
    Advice, Circuit, Column, ConstraintSystem, Error, Expression, Fixed, Instance, VirtualCells,
};
use halo2_proofs::poly::Rotation;
use vouch_circuits::poseidon::WIDTH;
use vouch_circuits::shell::Recording;
use vouch_circuits::shell::gates::{Algebra, Cells, DEGREE, Selectors};
use vouch_circuits::shell::poseidon::CELLS;
use vouch_circuits::shell::shape::UNUSABLE_ROWS;

use super::convert;
use super::grid::Grid;

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
        let grid = Grid::new(&self.recording, self.lanes).ok_or(Error::Synthesis)?;
        let advice: Vec<_> = columns.lanes.iter().flat_map(|lane| lane.cells).collect();
        let cells = layouter.assign_region(
            || "shell",
            |mut region| {
                let constants =
                    columns.lanes.iter().flat_map(|lane| lane.linear.into_iter().chain([lane.product, lane.constant]));
                let fixed = [columns.partial, columns.full, columns.arithmetic].into_iter().chain(constants);
                for (column, values) in fixed.zip(&grid.fixed) {
                    for (row, value) in values.iter().enumerate().filter(|(_, value)| **value != Fr::ZERO) {
                        region.assign_fixed(column, row, convert::scalar(value));
                    }
                }
                let used = grid.advice.iter().map(|values| values.len() - UNUSABLE_ROWS);
                let columns = advice.iter().zip(&grid.advice).zip(used);
                let mut cells = |((column, values), used): ((&Column<Advice>, &Vec<Fr>), usize)| -> Vec<Cell> {
                    let rows = values[..used].iter().enumerate();
                    let assign =
                        |(row, value)| region.assign_advice(*column, row, Value::known(convert::scalar(value)));
                    rows.map(assign).map(|assigned| assigned.cell()).collect()
                };
                let cells: Vec<Vec<Cell>> = columns.map(&mut cells).collect();
                for [one, other] in grid.copies.iter().filter(|pair| pair[1].column < cells.len()) {
                    region.constrain_equal(cells[one.column][one.row], cells[other.column][other.row]);
                }
                Ok(cells)
            },
        )?;
        for [cell, public] in grid.copies.iter().filter(|pair| pair[1].column >= cells.len()) {
            layouter.constrain_instance(cells[cell.column][cell.row], columns.instance, public.row);
        }
        Ok(())
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
    use halo2_proofs::halo2curves::ff::Field as _;
    use vouch_circuits::shell::gates::selectors;
    use vouch_circuits::shell::poseidon::{self, ROWS, round_rows};
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
