//! The rows' subgroup and its cosets, and the FFTs between a column's values there and its polynomial.
//!
//! The transforms are our own, since there are a hundred of a few thousand elements: a library's that computes roots for each, and shares
//! each among threads, takes four times as long. Columns are what threads share here.

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field, One};
use rand::CryptoRng;
use vouch_circuits::shell::domain::{column_factor, root};
use vouch_circuits::shell::shape::UNUSABLE_ROWS;

use super::Column;
use crate::commit::random_scalar;

/// The powers of a root of unity.
#[derive(Debug)]
pub struct Rows {
    pub size: usize,
    pub root: Fr,
    /// The first half of the root's powers, and of its inverse's.
    twiddles: [Vec<Fr>; 2],
    /// The inverse of the number of rows.
    scale: Fr,
}

impl Rows {
    /// `2^k` rows.
    pub fn new(k: u32) -> Self {
        let (size, root) = (1usize << k, root(k));
        // Neither is zero.
        let [scale, inverse] = [Fr::from(size as u64), root].map(|x| x.inverse().unwrap_or_default());
        let twiddles = [root, inverse].map(|root| powers(Fr::one(), root, size / 2));
        Self { size, root, twiddles, scale }
    }

    /// All rows, as elements of the subgroup times a factor.
    pub fn elements(&self, factor: Fr) -> Vec<Fr> {
        powers(factor, self.root, self.size)
    }

    /// The columns that say of each cell which one follows: the row times the power of the factor that is its column's.
    pub fn permutation(&self, follows: &[Vec<(usize, usize)>]) -> Vec<Vec<Fr>> {
        let factor = column_factor();
        let factors = powers(Fr::one(), factor, follows.len());
        let elements: Vec<Vec<Fr>> = factors.into_iter().map(|factor| self.elements(factor)).collect();
        follows.iter().map(|cells| cells.iter().map(|(column, row)| elements[*column][*row]).collect()).collect()
    }

    /// A column of values, as a polynomial too.
    pub fn column(&self, values: Vec<Fr>) -> Column {
        let coefficients = self.coefficients(values.clone());
        Column { values, coefficients }
    }

    /// The polynomial of least degree with these values on the rows.
    pub fn coefficients(&self, mut values: Vec<Fr>) -> Vec<Fr> {
        transform(&mut values, &self.twiddles[1]);
        values.iter_mut().for_each(|value| *value *= self.scale);
        values
    }

    /// Random numbers in the last rows, so many of them.
    pub fn blind(&self, values: &mut [Fr], rows: usize, rng: &mut impl CryptoRng) {
        values[self.size - rows..].iter_mut().for_each(|value| *value = random_scalar(rng));
    }

    /// The rows times `shift`.
    pub fn coset(&self, shift: Fr) -> Coset<'_> {
        // Only zero has no inverse, whose rows are no coset.
        let inverse = shift.inverse().unwrap_or_default();
        Coset { rows: self, powers: [shift, inverse].map(|shift| powers(Fr::one(), shift, self.size)) }
    }

    /// `x` to the number of rows.
    pub fn power(&self, x: &Fr) -> Fr {
        x.pow([self.size as u64])
    }

    /// The row in which products end.
    pub fn end(&self) -> usize {
        self.size - UNUSABLE_ROWS
    }

    /// That row, counted from `x`.
    pub fn last(&self, x: &Fr) -> Fr {
        *x * self.root.pow([self.end() as u64])
    }

    /// The column with ones in some rows.
    pub fn indicator(&self, rows: std::ops::Range<usize>) -> Column {
        let mut values = vec![Fr::ZERO; self.size];
        values[rows].fill(Fr::one());
        self.column(values)
    }
}

/// A coset of the rows.
pub struct Coset<'r> {
    rows: &'r Rows,
    /// Of what the rows are multiplied by, and of its inverse.
    powers: [Vec<Fr>; 2],
}

impl Coset<'_> {
    /// A polynomial's values.
    pub fn values(&self, coefficients: &[Fr]) -> Vec<Fr> {
        let mut values: Vec<Fr> = coefficients.iter().zip(&self.powers[0]).map(|(a, b)| *a * b).collect();
        transform(&mut values, &self.rows.twiddles[0]);
        values
    }

    /// The polynomial of least degree with these values.
    pub fn coefficients(&self, values: Vec<Fr>) -> Vec<Fr> {
        let mut coefficients = self.rows.coefficients(values);
        coefficients.iter_mut().zip(&self.powers[1]).for_each(|(coefficient, power)| *coefficient *= power);
        coefficients
    }
}

/// `first·ratio^i`.
fn powers(first: Fr, ratio: Fr, count: usize) -> Vec<Fr> {
    std::iter::successors(Some(first), |power| Some(*power * ratio)).take(count).collect()
}

/// From coefficients to values on the powers of a root of unity, of which `twiddles` are the first half (Cooley and Tukey's FFT).
fn transform(values: &mut [Fr], twiddles: &[Fr]) {
    let size = values.len();
    let unused = usize::BITS - size.trailing_zeros();
    for i in 0..size {
        // Of one value there are no bits to reverse.
        let reversed = i.reverse_bits().checked_shr(unused).unwrap_or_default();
        if i < reversed {
            values.swap(i, reversed);
        }
    }
    let mut half = 1;
    while half < size {
        let step = size / (2 * half);
        for pair in values.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for ((low, high), twiddle) in low.iter_mut().zip(high).zip(twiddles.iter().step_by(step)) {
                let product = if half == 1 { *high } else { *high * twiddle };
                *high = *low - product;
                *low += product;
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plonk::evaluate;

    #[test]
    fn polynomials_have_their_values_on_cosets() {
        let mut rng = rand::rng();
        for k in [0, 1, 2, 5] {
            let rows = Rows::new(k);
            let coefficients: Vec<Fr> = (0..rows.size).map(|_| random_scalar(&mut rng)).collect();
            let expected =
                |shift| rows.elements(shift).iter().map(|at| evaluate(&coefficients, at)).collect::<Vec<_>>();
            let shift = random_scalar(&mut rng);
            let coset = rows.coset(shift);
            assert_eq!(coset.values(&coefficients), expected(shift));
            assert_eq!(coset.coefficients(expected(shift)), coefficients);
            assert_eq!(rows.column(expected(Fr::one())).coefficients, coefficients);
        }
    }
}
