//! Sums of small integers times field elements, reduced once at the end.
//!
//! `Σ v_i·f_i` with `|v_i| < 2^32` costs four word multiplications a term: the products of `f`'s Montgomery limbs are added up in 128-bit
//! words, positive and negative terms apart. A limb product is below `2^96`, so `2^32` terms fit.

use std::sync::LazyLock;

use ark_bn254::Fr;
use ark_ff::{Field, PrimeField};
use rayon::prelude::*;

/// One running sum.
#[derive(Clone, Copy, Default)]
pub struct Accumulator {
    limbs: [[u128; 4]; 2],
}

/// `R^-1`, where `R = 2^256` is the Montgomery factor.
static MONTGOMERY_INVERSE: LazyLock<Fr> = LazyLock::new(|| {
    let two = Fr::from(2u64);
    two.pow([256u64]).inverse().expect("a power of two is not zero in a field of odd order")
});

impl Accumulator {
    /// Adds `small · field`, with `|small| < 2^33`.
    #[inline(always)]
    pub fn add(&mut self, small: i64, field: &Fr) {
        let magnitude = u128::from(small.unsigned_abs());
        let limbs = &mut self.limbs[usize::from(small < 0)];
        for (sum, limb) in limbs.iter_mut().zip(field.0.0) {
            *sum += magnitude * u128::from(limb);
        }
    }

    /// The sum.
    pub fn finish(&self) -> Fr {
        (reduce(&self.limbs[0]) - reduce(&self.limbs[1])) * *MONTGOMERY_INVERSE
    }
}

/// The integer that the limb sums stand for, modulo the field's order.
fn reduce(limbs: &[u128; 4]) -> Fr {
    if limbs.iter().all(|l| *l == 0) {
        return Fr::default();
    }
    let mut bytes = [0u8; 48];
    let mut carry = 0u128;
    for (word, limb) in bytes[..32].chunks_exact_mut(8).zip(limbs) {
        let (sum, overflow) = limb.overflowing_add(carry);
        word.copy_from_slice(&(sum as u64).to_le_bytes());
        carry = (sum >> 64) + (u128::from(overflow) << 64);
    }
    bytes[32..].copy_from_slice(&carry.to_le_bytes());
    Fr::from_le_bytes_mod_order(&bytes)
}

/// Columns handled together, so that their accumulators stay in the first-level cache.
const COLUMN_BLOCK: usize = 128;

/// `out[c] = Σ_r weights[r]·rows[r][c]`, with `rows` one after the other in `matrix`, `columns` wide; the last row may be short.
pub fn combine_rows(weights: &[Fr], matrix: &[i32], columns: usize) -> Vec<Fr> {
    let mut out = vec![Fr::default(); columns];
    out.par_chunks_mut(COLUMN_BLOCK).enumerate().for_each(|(block, out)| {
        let first = block * COLUMN_BLOCK;
        let mut sums = [Accumulator::default(); COLUMN_BLOCK];
        for (weight, row) in weights.iter().zip(matrix.chunks(columns)) {
            let end = (first + out.len()).min(row.len());
            for (sum, value) in sums.iter_mut().zip(row.get(first..end).unwrap_or_default()) {
                if *value != 0 {
                    sum.add(i64::from(*value), weight);
                }
            }
        }
        for (out, sum) in out.iter_mut().zip(&sums) {
            *out = sum.finish();
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn combinations_equal_plain_sums(
            columns in 1usize..300, rows in 1usize..6, seed: u64, values in prop::collection::vec(any::<i32>(), 1..1500),
        ) {
            let weights: Vec<Fr> =
                (0..rows as u64).map(|i| -Fr::from(seed.wrapping_mul(i + 1)).square() - Fr::from(i)).collect();
            let values = &values[..values.len().min(rows * columns)];
            let combined = combine_rows(&weights, values, columns);
            for (c, got) in combined.iter().enumerate() {
                let plain: Fr = weights.iter().enumerate()
                    .filter_map(|(r, w)| values.get(r * columns + c).map(|v| *w * Fr::from(*v))).sum();
                prop_assert_eq!(*got, plain);
            }
        }
    }
}
