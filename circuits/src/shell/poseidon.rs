//! Poseidon's rounds as rows of the circuit: which round lies in which row, with which constants.
//!
//! A permutation takes 38 rows of cells `s0 s1 s2 p`: one that absorbs, four full rounds, 28 rows of two partial rounds each (`p` holds the
//! first one's power), the lone last partial round, four full rounds. The row after them holds the result, and is the absorbing row
//! of the next permutation. The constants that partial rounds add to the cells which they do not raise pass through the matrix into the
//! next round's, so that a partial round has one constant.

use std::sync::LazyLock;

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field};

use crate::poseidon::{FULL_ROUNDS, PARTIAL_ROUNDS, WIDTH, parameters};

/// What a row does between its cells and the next row's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounds {
    /// `next = M·(s + constants)^5`.
    Full,
    /// Two partial rounds with the first two constants.
    Two,
    /// A partial round with the first constant.
    One,
}

/// One row's rounds and their constants.
#[derive(Clone, Copy, Debug)]
pub struct RoundRow {
    /// Which rounds.
    pub rounds: Rounds,
    /// Their constants.
    pub constants: [Fr; WIDTH],
}

/// Rows of a permutation, with the one that absorbs and without the one that holds the result.
pub const ROWS: usize = 1 + FULL_ROUNDS + PARTIAL_ROUNDS / 2 + PARTIAL_ROUNDS % 2;

/// The rows after the absorbing one, in order.
pub fn round_rows() -> &'static [RoundRow] {
    static ROUND_ROWS: LazyLock<Vec<RoundRow>> = LazyLock::new(generate);
    &ROUND_ROWS
}

/// Each row's `s0 s1 s2 p` from the state in the first of them, then the result.
pub fn states(mut state: [Fr; WIDTH]) -> (Vec<[Fr; WIDTH + 1]>, [Fr; WIDTH]) {
    let rows = round_rows().iter().map(|row| {
        let [s0, s1, s2] = state;
        let mut p = Fr::ZERO;
        let c = &row.constants;
        state = match row.rounds {
            Rounds::Full => mix(std::array::from_fn(|i| fifth_power(state[i] + c[i]))),
            Rounds::One => mix([fifth_power(s0 + c[0]), s1, s2]),
            Rounds::Two => {
                p = fifth_power(s0 + c[0]);
                let [t0, t1, t2] = mix([p, s1, s2]);
                mix([fifth_power(t0 + c[1]), t1, t2])
            }
        };
        [s0, s1, s2, p]
    });
    (rows.collect(), state)
}

/// The inverse of the permutation's matrix: a round's power is then one linear form of the next row.
pub fn inverse_matrix() -> [[Fr; WIDTH]; WIDTH] {
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

fn generate() -> Vec<RoundRow> {
    let half = FULL_ROUNDS / 2;
    let mut constants = parameters().round_constants.clone();
    let partial = half..half + PARTIAL_ROUNDS;
    for round in partial.clone() {
        let [_, c1, c2] = constants[round];
        let passed = mix([Fr::ZERO, c1, c2]);
        constants[round] = [constants[round][0], Fr::ZERO, Fr::ZERO];
        constants[round + 1].iter_mut().zip(passed).for_each(|(sum, passed)| *sum += passed);
    }
    let full = |row: &[Fr; WIDTH]| RoundRow { rounds: Rounds::Full, constants: *row };
    let mut rows: Vec<RoundRow> = constants[..half].iter().map(full).collect();
    rows.extend(constants[partial.clone()].chunks(2).map(|pair| match pair {
        [first, second] => RoundRow { rounds: Rounds::Two, constants: [first[0], second[0], Fr::ZERO] },
        lone => RoundRow { rounds: Rounds::One, constants: lone[0] },
    }));
    rows.extend(constants[partial.end..].iter().map(full));
    rows
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
    fn rows_end_in_the_permutation() {
        for seed in 0..5u64 {
            let state: [Fr; WIDTH] = std::array::from_fn(|i| -Fr::from(seed + i as u64).pow([7u64]));
            let mut expected = state;
            permute(&mut expected);
            let (rows, result) = states(state);
            assert_eq!((rows.len() + 1, result), (ROWS, expected));
        }
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
