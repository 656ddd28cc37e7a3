//! The Poseidon permutation over BN254's `Fr` (Grassi, Khovratovich, Rechberger, Roy, Schofnegger:
//! "Poseidon", USENIX Security 2021): three cells, `x ↦ x^5`, eight full and 57 partial rounds, which is
//! the instance of circomlib.
//!
//! A full round is `s ↦ M·(s + c)^5` cell by cell; a partial round raises the first cell only. The
//! constants `c` and the Cauchy matrix `M` come out of the reference's Grain LFSR, run here once.
//!
//! [`permute`] computes the partial rounds in the sparse form of the paper's appendix B: every `M` splits
//! into `S·D`, where `D` leaves the first cell alone, so commutes with the power map and moves into the
//! round before it; what stays is a sparse `S` (five multiplications for nine) and one constant for three.

use std::sync::LazyLock;

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, BigInt, BigInteger, Field, PrimeField};

/// Cells of the state.
pub const WIDTH: usize = 3;
/// Rounds that raise every cell to the fifth power; half of them come first, half last.
pub const FULL_ROUNDS: usize = 8;
/// Rounds in the middle that raise only the first cell.
pub const PARTIAL_ROUNDS: usize = 57;

type State = [Fr; WIDTH];
type Matrix = [[Fr; WIDTH]; WIDTH];

/// The constants of the plain (textbook) form of the permutation.
pub struct Parameters {
    /// What each of the `FULL_ROUNDS + PARTIAL_ROUNDS` rounds adds before its power map.
    pub round_constants: Vec<[Fr; WIDTH]>,
    /// The matrix that ends each round: cell `i` becomes `Σ_j mds[i][j]·s_j`.
    pub mds: [[Fr; WIDTH]; WIDTH],
}

/// The parameters, generated on first use.
pub fn parameters() -> &'static Parameters {
    static PARAMETERS: LazyLock<Parameters> = LazyLock::new(Parameters::generate);
    &PARAMETERS
}

/// Applies the permutation.
pub fn permute(state: &mut [Fr; WIDTH]) {
    static SPARSE: LazyLock<SparseForm> = LazyLock::new(|| SparseForm::new(parameters()));
    SPARSE.permute(state);
}

impl Parameters {
    fn generate() -> Self {
        let mut grain = Grain::new();
        let round_constants =
            (0..FULL_ROUNDS + PARTIAL_ROUNDS).map(|_| std::array::from_fn(|_| grain.field_element())).collect();
        let xs: State = std::array::from_fn(|_| grain.field_element_reduced());
        let ys: State = std::array::from_fn(|_| grain.field_element_reduced());
        // The LFSR has no free input, so a zero sum would show in every run of every test.
        let mds = xs.map(|x| ys.map(|y| (x + y).inverse().expect("the fixed constants are distinct")));
        Self { round_constants, mds }
    }
}

/// The reference's 80-bit Grain LFSR in self-shrinking mode.
struct Grain {
    /// The oldest bit is bit 0.
    register: u128,
}

impl Grain {
    fn new() -> Self {
        // Prime field, power map x^5, then sizes; the last 30 bits are ones. Most significant bit first.
        let description: [(u64, u32); 7] = [
            (1, 2),
            (0, 4),
            (Fr::MODULUS_BIT_SIZE as u64, 12),
            (WIDTH as u64, 12),
            (FULL_ROUNDS as u64, 10),
            (PARTIAL_ROUNDS as u64, 10),
            ((1 << 30) - 1, 30),
        ];
        let mut register = 0u128;
        let mut position = 0;
        for (value, bits) in description {
            for bit in (0..bits).rev() {
                register |= u128::from(value >> bit & 1) << position;
                position += 1;
            }
        }
        let mut grain = Self { register };
        for _ in 0..160 {
            grain.clock();
        }
        grain
    }

    fn clock(&mut self) -> bool {
        let bit = [62, 51, 38, 23, 13, 0].iter().fold(0, |sum, tap| sum ^ self.register >> tap & 1);
        self.register = self.register >> 1 | bit << 79;
        bit == 1
    }

    /// Of each pair of bits, the second counts if the first is one.
    fn bit(&mut self) -> bool {
        while !self.clock() {
            self.clock();
        }
        self.clock()
    }

    fn integer(&mut self) -> BigInt<4> {
        let mut limbs = [0u64; 4];
        for position in (0..Fr::MODULUS_BIT_SIZE as usize).rev() {
            limbs[position / 64] |= u64::from(self.bit()) << (position % 64);
        }
        BigInt::new(limbs)
    }

    /// A uniform element, by rejection.
    fn field_element(&mut self) -> Fr {
        loop {
            if let Some(element) = Fr::from_bigint(self.integer()) {
                return element;
            }
        }
    }

    /// An integer of as many bits as the modulus, reduced: how the reference draws the matrix.
    fn field_element_reduced(&mut self) -> Fr {
        let mut integer = self.integer();
        // Below 2^254, so less than six times the modulus.
        while integer >= Fr::MODULUS {
            integer.sub_with_borrow(&Fr::MODULUS);
        }
        Fr::from_bigint(integer).unwrap_or(Fr::ZERO)
    }
}

/// `x^5`.
fn fifth_power(x: &Fr) -> Fr {
    x.square().square() * x
}

fn apply(matrix: &Matrix, state: &State) -> State {
    std::array::from_fn(|i| Fr::sum_of_products(&matrix[i], state))
}

fn full_round(state: &mut State, constants: &State, matrix: &Matrix) {
    for (cell, constant) in state.iter_mut().zip(constants) {
        *cell = fifth_power(&(*cell + constant));
    }
    *state = apply(matrix, state);
}

/// A partial round after its constant and power map: `s_0 ↦ row·s`, `s_j ↦ s_j + column_j·s_0`.
struct SparseRound {
    constant: Fr,
    row: State,
    column: [Fr; WIDTH - 1],
}

/// The permutation rewritten for speed.
struct SparseForm {
    full_constants: [State; FULL_ROUNDS],
    mds: Matrix,
    /// `D·M` of the first partial round's `D`: the matrix of the last full round before the partial ones.
    into_partial: Matrix,
    /// Added to all cells before the first partial round (its first cell is in the round's own constant).
    partial_offset: [Fr; WIDTH - 1],
    partial: Vec<SparseRound>,
}

impl SparseForm {
    fn new(parameters: &Parameters) -> Self {
        let half = FULL_ROUNDS / 2;
        let mds = &parameters.mds;
        let constants = &parameters.round_constants;
        // From the last partial round to the first: `M = S·D`, and `D` joins the matrix of the round before.
        let mut rounds = Vec::with_capacity(PARTIAL_ROUNDS);
        let mut matrix = *mds;
        for round in (0..PARTIAL_ROUNDS).rev() {
            let (row, column, block) = split(&matrix);
            rounds.push((row, column, apply(&block, &constants[half + round])));
            matrix = multiply(&block, mds);
        }
        rounds.reverse();
        // From the first to the last: the constants of the other cells pass the power map and the sparse
        // matrix.
        let partial_offset = std::array::from_fn(|j| rounds[0].2[1 + j]);
        let mut partial = Vec::with_capacity(PARTIAL_ROUNDS);
        let mut passed = [Fr::ZERO; WIDTH];
        for (round, (row, column, constants)) in rounds.into_iter().enumerate() {
            let mut sum: State = std::array::from_fn(|i| constants[i] + passed[i]);
            let constant = std::mem::replace(&mut sum[0], Fr::ZERO);
            if round == 0 {
                // These are added by `partial_offset`.
                sum = [Fr::ZERO; WIDTH];
            }
            passed = [Fr::sum_of_products(&row, &sum), sum[1], sum[2]];
            partial.push(SparseRound { constant, row, column });
        }
        let mut full_constants: [State; FULL_ROUNDS] =
            std::array::from_fn(|round| constants[if round < half { round } else { round + PARTIAL_ROUNDS }]);
        for (constant, passed) in full_constants[half].iter_mut().zip(passed) {
            *constant += passed;
        }
        Self { full_constants, mds: *mds, into_partial: matrix, partial_offset, partial }
    }

    fn permute(&self, state: &mut State) {
        let (first, last) = self.full_constants.split_at(FULL_ROUNDS / 2);
        for (round, constants) in first.iter().enumerate() {
            let matrix = if round + 1 == first.len() { &self.into_partial } else { &self.mds };
            full_round(state, constants, matrix);
        }
        for (cell, offset) in state[1..].iter_mut().zip(&self.partial_offset) {
            *cell += offset;
        }
        for round in &self.partial {
            let raised = fifth_power(&(state[0] + round.constant));
            state[0] = raised;
            state[0] = Fr::sum_of_products(&round.row, state);
            for (cell, column) in state[1..].iter_mut().zip(&round.column) {
                *cell += raised * column;
            }
        }
        for constants in last {
            full_round(state, constants, &self.mds);
        }
    }
}

/// Splits a matrix into `S·D`: the first row and the rest of the first column of `S` (elsewhere the
/// identity), and `D` (which has the first unit vector as its first row and column).
fn split(matrix: &Matrix) -> (State, [Fr; WIDTH - 1], Matrix) {
    let [[corner, v1, v2], [w1, a, b], [w2, c, d]] = *matrix;
    // Fixed numbers: a singular block would show in every run.
    let inverse = (a * d - b * c).inverse().expect("the blocks of the fixed matrix are regular");
    let row = [corner, (v1 * d - v2 * c) * inverse, (v2 * a - v1 * b) * inverse];
    let (zero, one) = (Fr::ZERO, Fr::ONE);
    (row, [w1, w2], [[one, zero, zero], [zero, a, b], [zero, c, d]])
}

fn multiply(left: &Matrix, right: &Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..WIDTH).map(|k| left[i][k] * right[k][j]).sum()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn permute_plain(state: &mut State) {
        let Parameters { round_constants, mds } = parameters();
        for (round, constants) in round_constants.iter().enumerate() {
            let full = !(FULL_ROUNDS / 2..FULL_ROUNDS / 2 + PARTIAL_ROUNDS).contains(&round);
            for (cell, constant) in state.iter_mut().zip(constants) {
                *cell += constant;
            }
            for cell in state.iter_mut().take(if full { WIDTH } else { 1 }) {
                *cell = cell.pow([5u64]);
            }
            *state = std::array::from_fn(|i| (0..WIDTH).map(|j| mds[i][j] * state[j]).sum());
        }
    }

    fn element(decimal_or_hex: &str) -> Fr {
        let (digits, radix) = match decimal_or_hex.strip_prefix("0x") {
            Some(digits) => (digits, 16),
            None => (decimal_or_hex, 10),
        };
        digits
            .chars()
            .map(|digit| Fr::from(digit.to_digit(radix).unwrap()))
            .fold(Fr::ZERO, |value, digit| value * Fr::from(radix) + digit)
    }

    fn hash(left: Fr, right: Fr) -> Fr {
        let mut state = [Fr::ZERO, left, right];
        permute(&mut state);
        state[0]
    }

    #[test]
    fn constants_are_circomlibs() {
        let first = element("0x0ee9a592ba9a9518d05986d656f40c2114c4993c11bb29938d21d47304cd8e6e");
        assert_eq!(parameters().round_constants[0][0], first);
        assert_eq!(parameters().round_constants.len(), FULL_ROUNDS + PARTIAL_ROUNDS);
        let corner = element("0x109b7f411ba0e4c9b2b70caf5c36a7b194be7c11ad24378bfedb68592ba8118b");
        assert_eq!(parameters().mds[0][0], corner);
    }

    #[test]
    fn hashes_are_circomlibs() {
        let one_two = "7853200120776062878684798364095072458815029376092732009249414926327459813530";
        assert_eq!(hash(Fr::from(1), Fr::from(2)), element(one_two));
        // The empty Merkle trees of depth 1 to 3, which many deployed contracts carry.
        let empty = [
            "0x2098f5fb9e239eab3ceac3f27b81e481dc3124d55ffed523a839ee8446b64864",
            "0x1069673dcdb12263df301a6ff584a7ec261a44cb9dc68df067a4774460b1f1e1",
            "0x18f43331537ee2af2e3d758d50f72106467c6eea50371dd528d57eb2b856d238",
        ];
        let mut node = Fr::ZERO;
        for expected in empty {
            node = hash(node, node);
            assert_eq!(node, element(expected));
        }
    }

    proptest! {
        #[test]
        fn sparse_form_equals_plain_form(bytes in proptest::array::uniform3(any::<[u8; 32]>())) {
            let state = bytes.map(|bytes| Fr::from_le_bytes_mod_order(&bytes));
            let (mut sparse, mut plain) = (state, state);
            permute(&mut sparse);
            permute_plain(&mut plain);
            prop_assert_eq!(sparse, plain);
        }
    }
}
