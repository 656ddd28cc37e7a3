//! How large a shell's circuit is: its columns, its rows and the rows that blind it.

use super::gates::DEGREE;
use super::poseidon::{CELLS, ROWS};
use super::record::Recording;

/// The most lanes that a circuit has.
pub const MAX_LANES: usize = 4;
/// Largest size of a circuit, as a binary logarithm of its rows: a key from elsewhere must not cost a verifier much memory.
pub const MAX_K: u32 = 18;
/// Smallest size: the rows that blind the columns must fit.
pub const MIN_K: u32 = 4;
/// Rows at the end that hold no cells: those that blind the columns, and the one before them, where the copy argument's products end.
pub const UNUSABLE_ROWS: usize = 6;
/// Copies' columns to one product: the degree leaves room for as many factors beside the product itself and its selector.
pub const COPIES_TO_A_PRODUCT: usize = DEGREE - 2;

/// Columns to a commitment where they share one.
pub const PACKED: usize = 4;

/// How a circuit's cells lie in columns, and its columns in commitments.
///
/// `t` polynomials share the commitment of `Σ X^i·p_i(X^t)`: its values at the `t` roots of `Y^t = x` are as good as those of all `p_i` at `x`
/// (Gabizon, Williamson: fflonk, ePrint 2021/1167). Alone, each has its own, as Halo2 has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// Lanes, of four advice columns each, at most [`MAX_LANES`].
    pub lanes: usize,
    /// Columns to a commitment: 1, or [`PACKED`]. Fewer points for who checks, longer ones for who proves.
    pub packing: usize,
}

impl Columns {
    /// In so many lanes, each column with a commitment of its own.
    pub fn alone(lanes: usize) -> Self {
        Self { lanes, packing: 1 }
    }

    /// In so many lanes, columns that share commitments.
    pub fn packed(lanes: usize) -> Self {
        Self { lanes, packing: PACKED }
    }

    /// Whether a verifier takes such circuits.
    pub fn are_supported(&self) -> bool {
        (1..=MAX_LANES).contains(&self.lanes) && [1, PACKED].contains(&self.packing)
    }

    /// Commitments of a key: to its first fixed column alone, which is opened at two points; to the others and the permutation, together.
    pub fn of_key(&self) -> usize {
        1 + (fixed_columns(self.lanes) - 1 + copy_columns(self.lanes)).div_ceil(self.packing)
    }

    /// Commitments of a proof to its advice columns.
    pub fn of_advice(&self) -> usize {
        advice_columns(self.lanes).div_ceil(self.packing)
    }

    /// Pieces of the quotient, each as long as what shares a commitment.
    pub fn of_quotient(&self) -> usize {
        (DEGREE - 1).div_ceil(self.packing)
    }

    /// Whether a proof has Halo2's random polynomial, which hides nothing that is not hidden without it.
    pub fn have_random(&self) -> bool {
        self.packing == 1
    }

    /// Powers of a reference string that proofs of a circuit of `2^k` rows take.
    pub fn powers(&self, k: u32) -> usize {
        // One more for the quotient's pieces, which are blinded.
        (self.packing << k) + 1
    }
}

/// Advice columns of a circuit of so many lanes.
pub fn advice_columns(lanes: usize) -> usize {
    CELLS * lanes
}

/// Fixed columns: what rows are, and a lane's constants.
pub fn fixed_columns(lanes: usize) -> usize {
    (CELLS + 1) * lanes + 3
}

/// Columns that can hold copies: the advice columns and the public values.
pub fn copy_columns(lanes: usize) -> usize {
    advice_columns(lanes) + 1
}

/// Columns of the copy argument's products.
pub fn product_columns(lanes: usize) -> usize {
    copy_columns(lanes).div_ceil(COPIES_TO_A_PRODUCT)
}

/// How large a recording's circuit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Permutations.
    pub permutations: usize,
    /// Arithmetic rows.
    pub arithmetic: usize,
    /// Public values.
    pub instances: usize,
    /// Lanes, of four advice columns each.
    pub lanes: usize,
    /// Rows that are used.
    pub rows: usize,
    /// Binary logarithm of the number of rows that the circuit has, those that blind its columns among them.
    pub k: u32,
}

impl Shape {
    /// A recording's.
    pub fn of(recording: &Recording, lanes: usize) -> Self {
        let sponges: Vec<usize> = recording.sponges().map(<[_]>::len).collect();
        Self::new(&sponges, recording.rows.len(), recording.instances.len(), lanes)
    }

    /// With so many permutations of each sponge and so many arithmetic rows, in so many lanes.
    pub fn new(sponges: &[usize], arithmetic: usize, instances: usize, lanes: usize) -> Self {
        let permutations = sponges.iter().sum();
        let below = sponges.iter().map(|permutations| sponge_rows(*permutations, lanes)).sum::<usize>();
        let rows = below + arithmetic.div_ceil(lanes);
        let need = rows.max(instances) + UNUSABLE_ROWS;
        let k = need.next_power_of_two().trailing_zeros().max(MIN_K);
        Self { permutations, arithmetic, instances, lanes, rows, k }
    }
}

/// The rows of a sponge's permutations, of which each lane has equally many or fewer, and the row that holds their result.
pub fn sponge_rows(permutations: usize, lanes: usize) -> usize {
    if permutations == 0 { 0 } else { permutations.div_ceil(lanes) * ROWS + 1 }
}
