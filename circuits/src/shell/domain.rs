//! The subgroup of the scalar field that stands for the circuit's rows, with Halo2's roots of unity, and what tells columns apart.

use ark_bn254::Fr;
use ark_ff::{Field, One, PrimeField};

/// Binary logarithm of the order of the largest subgroup of rows.
const TWO_ADICITY: u32 = 28;
/// A generator of the field's multiplicative group: the one whose powers Halo2's constants are.
pub const GENERATOR: u64 = 7;

/// The root of unity whose powers are `2^k` rows.
pub fn root(k: u32) -> Fr {
    // (p − 1) / 2^28, then as many squarings as the subgroup is smaller.
    let mut exponent = (-Fr::one()).into_bigint();
    exponent >>= TWO_ADICITY;
    let largest = Fr::from(GENERATOR).pow(exponent);
    (k..TWO_ADICITY).fold(largest, |root, _| root.square())
}

/// A factor whose powers take the rows of different columns apart.
pub fn column_factor() -> Fr {
    Fr::from(GENERATOR).pow([1u64 << TWO_ADICITY])
}
