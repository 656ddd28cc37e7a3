//! Poseidon's rounds as rows of the circuit: which round lies in which row, with which constants.
//!
//! A permutation takes 23 rows of four cells. Full rounds have a row each, `s0 s1 s2` before the round; the first one absorbs, with a
//! message in its fourth cell and one in the next row's. Partial rounds are four to a row, one cell each: `x_r`, what round `r` raises to
//! the fifth power. No more is needed, since the two cells that are not raised are linear in what came before: with
//! `(s1, s2)' = N·(s1, s2) + n·p` and `x' = m·(s1, s2) + M_00·p + c'` (`p = x^5`, and `M` in blocks), the theorem of Cayley and Hamilton
//! for `N` makes `x_(r+3)` a linear form in `x_(r+1)`, `x_(r+2)` and the powers of `x_r`, `x_(r+1)`, `x_(r+2)` ([`Forms::next`]). The row
//! before them holds the state as it enters the partial rounds, with `x_1` in its fourth cell; from the last two `x` and the last two powers
//! the state that leaves follows. The row after all holds the result, and is the first one of the next permutation.
//!
//! The constants that partial rounds add to the cells which they do not raise pass through the matrix into the next round's, so that a
//! partial round has one constant; the first one's is added at the end of the full round before.

use std::sync::LazyLock;

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field};

use crate::poseidon::{FULL_ROUNDS, PARTIAL_ROUNDS, WIDTH, parameters};

/// Cells of a row.
pub const CELLS: usize = WIDTH + 1;
/// Rows before the first ones of partial rounds: a half of the full rounds, and the state that enters.
const BEFORE: usize = FULL_ROUNDS / 2 + 1;
/// Rows of partial rounds: `x_2` to `x_57`, the last one the first cell of the state that leaves.
const PARTIAL: usize = (PARTIAL_ROUNDS - 1) / CELLS;
const _: () = assert!((PARTIAL_ROUNDS - 1).is_multiple_of(CELLS), "the last row of partial rounds is full");
/// Rows of a permutation, without the one that holds the result.
pub const ROWS: usize = BEFORE + PARTIAL + FULL_ROUNDS / 2;

/// What a row says about the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Messages are added to `s1` and `s2` first, then it is a full round.
    Absorb,
    /// `next = M·(s + constants)^5`, and one more constant for the next row's first cell.
    Full,
    /// `x_1` in its own fourth cell, `x_2` to `x_5` in the next row's.
    Enter,
    /// The next four.
    Partial,
    /// The state, from the last four.
    Leave,
}

/// One row's kind and constants.
#[derive(Clone, Copy, Debug)]
pub struct RoundRow {
    /// What it does.
    pub kind: Kind,
    /// `Absorb`, `Full`: the round's constants, then that of the next row's first cell. `Enter`, `Partial`: those of the next row's cells.
    /// `Leave`: those of the next row's cells `s1` and `s2` in their places.
    pub constants: [Fr; CELLS],
    /// `Enter`: that of `x_1`.
    pub first: Fr,
}

/// The rows, in order.
pub fn round_rows() -> &'static [RoundRow] {
    static ROUND_ROWS: LazyLock<Vec<RoundRow>> = LazyLock::new(generate);
    &ROUND_ROWS
}

/// The linear forms of partial rounds, without constants.
#[derive(Clone, Debug)]
pub struct Forms {
    /// `x_1`, in `x_0^5, s1, s2`.
    pub first: [Fr; 3],
    /// `x_2`, in `x_0^5, x_1^5, s1, s2`.
    pub second: [Fr; 4],
    /// `x_(r+3)`, in `x_(r+1), x_(r+2), x_r^5, x_(r+1)^5, x_(r+2)^5`.
    pub next: [Fr; 5],
    /// `s1` and `s2` after the last round `r`, in `x_r, x_(r+1), x_(r-1)^5, x_r^5`.
    pub last: [[Fr; 4]; 2],
}

/// The forms.
pub fn forms() -> &'static Forms {
    static FORMS: LazyLock<Forms> = LazyLock::new(|| Blocks::new().forms());
    &FORMS
}

/// Each row's cells for the state before (with the capacity's constant added) and two messages, and the state afterwards.
pub fn cells(mut state: [Fr; WIDTH], messages: [Fr; 2]) -> (Vec<[Fr; CELLS]>, [Fr; WIDTH]) {
    let half = FULL_ROUNDS / 2;
    let constants = one_constant_each();
    let mut rows = Vec::with_capacity(ROWS);
    let full = |state: [Fr; WIDTH], c: &[Fr; WIDTH]| mix(std::array::from_fn(|i| fifth_power(state[i] + c[i])));
    let [m1, m2] = messages;
    let fourth = [m1, m2].into_iter().chain(std::iter::repeat(Fr::ZERO));
    for (round, p) in constants[..half].iter().zip(fourth) {
        let [s0, s1, s2] = state;
        rows.push([s0, s1, s2, p]);
        if rows.len() == 1 {
            state = [s0, s1 + m1, s2 + m2];
        }
        state = full(state, round);
    }
    let mut raised = Vec::with_capacity(PARTIAL_ROUNDS + 1);
    let [_, s1, s2] = state;
    for [c, ..] in &constants[half..half + PARTIAL_ROUNDS] {
        state[0] += c;
        raised.push(state[0]);
        state = mix([fifth_power(state[0]), state[1], state[2]]);
    }
    raised.push(state[0]);
    rows.push([raised[0], s1, s2, raised[1]]);
    rows.extend(raised[2..].chunks_exact(CELLS).map(|four| std::array::from_fn(|i| four[i])));
    for round in &constants[half + PARTIAL_ROUNDS..] {
        let [s0, s1, s2] = state;
        rows.push([s0, s1, s2, Fr::ZERO]);
        state = full(state, round);
    }
    (rows, state)
}

/// The inverse of the permutation's matrix: a round's power is then one linear form of the next row.
pub fn inverse_matrix() -> &'static [[Fr; WIDTH]; WIDTH] {
    static INVERSE: LazyLock<[[Fr; WIDTH]; WIDTH]> = LazyLock::new(invert);
    &INVERSE
}

fn invert() -> [[Fr; WIDTH]; WIDTH] {
    let m = &parameters().mds;
    let minor = |i: usize, j: usize| {
        let ([a, b], [c, d]) = ([(i + 1) % 3, (i + 2) % 3], [(j + 1) % 3, (j + 2) % 3]);
        m[a][c] * m[b][d] - m[a][d] * m[b][c]
    };
    let determinant: Fr = (0..WIDTH).map(|j| m[0][j] * minor(0, j)).sum();
    // A fixed matrix, a Cauchy one: a singular one would show in every run.
    let inverse = determinant.inverse().expect("a Cauchy matrix is regular");
    std::array::from_fn(|j| std::array::from_fn(|i| minor(i, j) * inverse))
}

/// The rounds' constants, of which partial rounds have the first only.
fn one_constant_each() -> &'static [[Fr; WIDTH]] {
    static CONSTANTS: LazyLock<Vec<[Fr; WIDTH]>> = LazyLock::new(move_constants);
    &CONSTANTS
}

fn move_constants() -> Vec<[Fr; WIDTH]> {
    let half = FULL_ROUNDS / 2;
    let mut constants = parameters().round_constants.clone();
    for round in half..half + PARTIAL_ROUNDS {
        let [c, c1, c2] = constants[round];
        let passed = mix([Fr::ZERO, c1, c2]);
        constants[round] = [c, Fr::ZERO, Fr::ZERO];
        constants[round + 1].iter_mut().zip(passed).for_each(|(sum, passed)| *sum += passed);
    }
    constants
}

fn generate() -> Vec<RoundRow> {
    let half = FULL_ROUNDS / 2;
    let constants = one_constant_each();
    let (before, rest) = constants.split_at(half);
    let (partial, after) = rest.split_at(PARTIAL_ROUNDS);
    let blocks = Blocks::new();
    // c_r is what x_r has; the state that leaves has none.
    let c: Vec<Fr> = partial.iter().map(|[c, ..]| *c).chain([Fr::ZERO]).collect();
    let of = |r: usize| if r < 3 { c[r] } else { c[r] - blocks.trace() * c[r - 1] + blocks.determinant() * c[r - 2] };
    let four = |first: usize| std::array::from_fn(|i| of(first + i));
    let row = |kind, constants| RoundRow { kind, constants, first: Fr::ZERO };
    let full = |[c0, c1, c2]: &[Fr; WIDTH]| row(Kind::Full, [*c0, *c1, *c2, Fr::ZERO]);

    let mut rows: Vec<RoundRow> = before.iter().map(full).collect();
    rows[0].kind = Kind::Absorb;
    rows[half - 1].constants[WIDTH] = c[0];
    rows.push(RoundRow { kind: Kind::Enter, constants: four(2), first: c[1] });
    rows.extend((1..PARTIAL).map(|i| row(Kind::Partial, four(2 + CELLS * i))));
    let [s1, s2] = forms().last.map(|[of_last, ..]| -of_last * c[PARTIAL_ROUNDS - 1]);
    rows.push(row(Kind::Leave, [Fr::ZERO, s1, s2, Fr::ZERO]));
    rows.extend(after.iter().map(full));
    rows
}

/// The matrix `M` as the cell that is raised and the two others see it.
struct Blocks {
    /// `M_00`.
    own: Fr,
    /// The rest of the first row: `m`.
    row: [Fr; 2],
    /// The rest of the first column: `n`.
    column: [Fr; 2],
    /// What is left: `N`.
    rest: [[Fr; 2]; 2],
}

impl Blocks {
    fn new() -> Self {
        let [[own, m1, m2], [n1, a, b], [n2, c, d]] = parameters().mds;
        Self { own, row: [m1, m2], column: [n1, n2], rest: [[a, b], [c, d]] }
    }

    fn trace(&self) -> Fr {
        self.rest[0][0] + self.rest[1][1]
    }

    fn determinant(&self) -> Fr {
        let [[a, b], [c, d]] = self.rest;
        a * d - b * c
    }

    fn forms(&self) -> Forms {
        let Self { own, row, column, rest } = *self;
        let (trace, determinant) = (self.trace(), self.determinant());
        let dot = |a: [Fr; 2], b: [Fr; 2]| a[0] * b[0] + a[1] * b[1];
        let columns = |n: [[Fr; 2]; 2]| [[n[0][0], n[1][0]], [n[0][1], n[1][1]]];
        let times = |n: [[Fr; 2]; 2], v: [Fr; 2]| n.map(|row| dot(row, v));
        let product = |a: [[Fr; 2]; 2], b: [[Fr; 2]; 2]| a.map(|row| columns(b).map(|column| dot(row, column)));
        // m·n, m·N and N·n.
        let at_once = dot(row, column);
        let later = columns(rest).map(|column| dot(row, column));
        let moved = times(rest, column);

        let first = [own, row[0], row[1]];
        let second = [at_once, own, later[0], later[1]];
        // With y_r = m·(s1, s2)_r = x_(r+1) − M_00·p_r − c_(r+1): y_(r+2) = trace·y_(r+1) − det·y_r + (m·n)·p_(r+1) + (m·N·n −
        // trace·m·n)·p_r.
        let oldest = dot(row, moved) - trace * at_once + determinant * own;
        let next = [-determinant, trace, oldest, at_once - trace * own, own];

        // (m, m·N) takes (s1, s2) before the last round but one to (y, y' − m·n·p); two rounds more are N², N·n and n.
        let [[a, b], [c, d]] = [row, later];
        // Were it zero, a line of states would never reach the power: the matrix is one for which that is excluded.
        let inverse = (a * d - b * c).inverse().expect("the partial rounds see the whole state");
        let seen = [[d * inverse, -b * inverse], [-c * inverse, a * inverse]];
        let back = product(product(rest, rest), seen);
        let last = [0, 1].map(|i| {
            let [y, y_next] = back[i];
            [y, y_next, moved[i] - y * own - y_next * at_once, column[i] - y_next * own]
        });
        Forms { first, second, next, last }
    }
}

fn mix(state: [Fr; WIDTH]) -> [Fr; WIDTH] {
    parameters().mds.map(|row| Fr::sum_of_products(&row, &state))
}

fn fifth_power(x: Fr) -> Fr {
    x.square().square() * x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poseidon::permute;

    #[test]
    fn cells_end_in_the_permutation() {
        for seed in 0..5u64 {
            let state: [Fr; WIDTH] = std::array::from_fn(|i| -Fr::from(seed + i as u64).pow([7u64]));
            let messages = [Fr::from(seed * 3), -Fr::from(seed)];
            let mut expected = [state[0], state[1] + messages[0], state[2] + messages[1]];
            permute(&mut expected);
            let (rows, result) = cells(state, messages);
            assert_eq!((rows.len(), result), (ROWS, expected));
        }
        assert_eq!(round_rows().len(), ROWS);
    }

    #[test]
    fn the_inverse_is_one() {
        let inverse = inverse_matrix();
        for i in 0..WIDTH {
            let unit: [Fr; WIDTH] = std::array::from_fn(|j| if i == j { Fr::ONE } else { Fr::ZERO });
            let back = mix(unit);
            assert_eq!(inverse.map(|row| Fr::sum_of_products(&row, &back)), unit);
        }
    }
}
