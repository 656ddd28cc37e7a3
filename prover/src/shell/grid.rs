//! A recording laid out in the circuit's columns: lanes of four advice columns.
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
//!
//! It knows the circuit, not what proves it.

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, One};
use vouch_circuits::poseidon::WIDTH;
use vouch_circuits::shell::Recording;
use vouch_circuits::shell::arithmetic::{Permutation, Row};
use vouch_circuits::shell::expression::Variable;
use vouch_circuits::shell::gates::selectors;
use vouch_circuits::shell::poseidon::{self, CELLS, Kind, ROWS, round_rows};
use vouch_circuits::shell::shape::{Shape, advice_columns, copy_columns, fixed_columns, sponge_rows};

/// A cell that can be a copy. The column of public values comes behind the advice columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// Which column.
    pub column: usize,
    /// Which row.
    pub row: usize,
}

/// All cells. What is fixed and what is copied does not depend on the recording's values.
#[derive(Clone, Debug)]
pub struct Grid {
    /// The advice columns, each of `2^k` rows.
    pub advice: Vec<Vec<Fr>>,
    /// The fixed columns: `partial`, `full`, `arithmetic`, and for each lane `q_a, q_b, q_c, q_ab, q_0`.
    pub fixed: Vec<Vec<Fr>>,
    /// The public values.
    pub instance: Vec<Fr>,
    /// Pairs of cells that hold the same.
    pub copies: Vec<[At; 2]>,
}

/// Columns of constants that a lane has.
const CONSTANTS: usize = CELLS + 1;
/// Columns that hold for all lanes.
const SHARED: usize = 3;

impl Grid {
    /// A recording in so many lanes, or `None` if it has a public value that no row reads: it would be bound to nothing.
    pub fn new(recording: &Recording, lanes: usize) -> Option<Self> {
        let Recording { rows, values, instances, .. } = recording;
        let size = 1 << Shape::of(recording, lanes).k;
        let mut sheet = Sheet {
            grid: Self {
                advice: vec![vec![Fr::ZERO; size]; advice_columns(lanes)],
                fixed: vec![vec![Fr::ZERO; size]; fixed_columns(lanes)],
                instance: recording.instance_values(),
                copies: Vec::new(),
            },
            values,
            cells: vec![None; values.len()],
        };
        let mut below = 0;
        for chain in recording.sponges() {
            let count = chain.len().div_ceil(lanes);
            let starts: Vec<usize> = (0..count).map(|i| below + i * ROWS).collect();
            sheet.rounds_begin(&starts);
            for lane in 0..lanes {
                let own = chain.chunks(count).nth(lane).unwrap_or_default();
                sheet.permutations(lane, own, &starts);
            }
            below += sponge_rows(chain.len(), lanes);
        }
        sheet.arithmetic_begins(below..below + rows.len().div_ceil(lanes));
        for (i, row) in rows.iter().enumerate() {
            sheet.arithmetic(i % lanes, below + i / lanes, row);
        }
        for (row, variable) in instances.iter().enumerate() {
            let public = At { column: copy_columns(lanes) - 1, row };
            sheet.grid.copies.push([sheet.cells[variable.0]?, public]);
        }
        Some(sheet.grid)
    }

    /// Column and row of the cell that follows each in its cycle of copies: Halo2's merging of cycles ("Permutation argument" in its book).
    pub fn permutation(&self) -> Vec<Vec<(usize, usize)>> {
        let (columns, rows) = (self.advice.len() + 1, self.advice[0].len());
        let identity = (0..columns).map(|column| (0..rows).map(|row| At { column, row }).collect());
        let mut next: Vec<Vec<At>> = identity.collect();
        let mut cycles = next.clone();
        let mut sizes = vec![vec![1usize; rows]; columns];
        for [left, right] in &self.copies {
            let cycle = |at: &At| cycles[at.column][at.row];
            let (mut kept, mut merged) = (cycle(left), cycle(right));
            if kept == merged {
                continue;
            }
            if sizes[kept.column][kept.row] < sizes[merged.column][merged.row] {
                std::mem::swap(&mut kept, &mut merged);
            }
            sizes[kept.column][kept.row] += sizes[merged.column][merged.row];
            let mut at = merged;
            loop {
                cycles[at.column][at.row] = kept;
                at = next[at.column][at.row];
                if at == merged {
                    break;
                }
            }
            let behind = next[left.column][left.row];
            next[left.column][left.row] = std::mem::replace(&mut next[right.column][right.row], behind);
        }
        next.into_iter().map(|column| column.into_iter().map(|at| (at.column, at.row)).collect()).collect()
    }
}

/// The grid being filled.
struct Sheet<'a> {
    grid: Grid,
    values: &'a [Fr],
    /// The first cell of each variable.
    cells: Vec<Option<At>>,
}

impl Sheet<'_> {
    fn free(&mut self, at: At, value: Fr) {
        self.grid.advice[at.column][at.row] = value;
    }

    /// A cell that holds the variable: a copy of all its others.
    fn put(&mut self, at: At, variable: Variable) {
        self.free(at, self.values[variable.0]);
        match self.cells[variable.0] {
            Some(first) => self.grid.copies.push([at, first]),
            None => self.cells[variable.0] = Some(at),
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

    fn select(&mut self, kind: [bool; SHARED], row: usize) {
        for (column, _) in self.grid.fixed.iter_mut().zip(kind).filter(|(_, is)| *is) {
            column[row] = Fr::one();
        }
    }

    fn constants(&mut self, lane: usize, row: usize, linear: &[Fr; WIDTH], product: &Fr, constant: &Fr) {
        let columns = self.grid.fixed.iter_mut().skip(SHARED + lane * CONSTANTS);
        for (column, value) in columns.zip(linear.iter().chain([product, constant])) {
            column[row] = *value;
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
        (0..).zip(before).for_each(|(cell, variable)| self.put(at(lane, cell, start), *variable));
        self.put(at(lane, WIDTH, start), messages[0]);
        self.put(at(lane, WIDTH, start + 1), messages[1]);
        let values = self.values;
        let messages = messages.map(|variable| values[variable.0]);
        let state = self.rounds(lane, start, before.map(|variable| values[variable.0]), *capacity, messages);
        (0..).zip(after).for_each(|(cell, variable)| self.put(at(lane, cell, start + ROWS), *variable));
        state
    }

    /// A permutation of what the row before holds, without messages.
    fn filler(&mut self, lane: usize, start: usize, state: [Fr; WIDTH]) -> [Fr; WIDTH] {
        let after = self.rounds(lane, start, state, Fr::ZERO, [Fr::ZERO; 2]);
        (0..).zip(after).for_each(|(cell, value)| self.free(at(lane, cell, start + ROWS), value));
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
            (0..own).zip(cells).for_each(|(cell, value)| self.free(at(lane, cell, row), *value));
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
        for (cell, input) in inputs.iter().enumerate() {
            if let Some(variable) = input {
                self.put(at(lane, cell, row), *variable);
            }
        }
        self.put(at(lane, WIDTH, row), *output);
    }
}

/// A lane's cell in a row.
fn at(lane: usize, cell: usize, row: usize) -> At {
    At { column: lane * CELLS + cell, row }
}
