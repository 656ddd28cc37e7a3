//! The rows' subgroup and its cosets.

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field, One};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
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
    subgroup: Radix2EvaluationDomain<Fr>,
}

impl Rows {
    /// `2^k` rows.
    pub fn new(k: u32) -> Self {
        let (size, root) = (1usize << k, root(k));
        let count = Fr::from(size as u64);
        // Neither is zero.
        let [size_inv, group_gen_inv] = [count, root].map(|x| x.inverse().unwrap_or_default());
        // The library has another root of unity.
        let subgroup = Radix2EvaluationDomain {
            size: size as u64,
            log_size_of_group: k,
            size_as_field_element: count,
            size_inv,
            group_gen: root,
            group_gen_inv,
            offset: Fr::one(),
            offset_inv: Fr::one(),
            offset_pow_size: Fr::one(),
        };
        Self { size, root, subgroup }
    }

    /// All rows, as elements of the subgroup times a factor.
    pub fn elements(&self, factor: Fr) -> Vec<Fr> {
        std::iter::successors(Some(factor), |element| Some(*element * self.root)).take(self.size).collect()
    }

    /// The columns that say of each cell which one follows: the row times the power of the factor that is its column's.
    pub fn permutation(&self, follows: &[Vec<(usize, usize)>]) -> Vec<Vec<Fr>> {
        let factor = column_factor();
        let factors = std::iter::successors(Some(Fr::one()), |power| Some(*power * factor)).take(follows.len());
        let elements: Vec<Vec<Fr>> = factors.map(|factor| self.elements(factor)).collect();
        follows.iter().map(|cells| cells.iter().map(|(column, row)| elements[*column][*row]).collect()).collect()
    }

    /// A column of values, as a polynomial too.
    pub fn column(&self, values: Vec<Fr>) -> Column {
        let coefficients = self.subgroup.ifft(&values);
        Column { values, coefficients }
    }

    /// Random numbers in the last rows, so many of them.
    pub fn blind(&self, values: &mut [Fr], rows: usize, rng: &mut impl CryptoRng) {
        values[self.size - rows..].iter_mut().for_each(|value| *value = random_scalar(rng));
    }

    /// A polynomial's values on the rows times `shift`.
    pub fn on_coset(&self, coefficients: &[Fr], shift: Fr) -> Vec<Fr> {
        self.coset(shift).fft(coefficients)
    }

    /// The polynomial of least degree with these values there.
    pub fn interpolated(&self, values: &[Fr], shift: Fr) -> Vec<Fr> {
        self.coset(shift).ifft(values)
    }

    fn coset(&self, shift: Fr) -> Radix2EvaluationDomain<Fr> {
        // Only of zero there is none.
        self.subgroup.get_coset(shift).unwrap_or(self.subgroup)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plonk::evaluate;

    #[test]
    fn polynomials_have_their_values_on_cosets() {
        let mut rng = rand::rng();
        for k in [1, 2, 5] {
            let rows = Rows::new(k);
            let coefficients: Vec<Fr> = (0..rows.size).map(|_| random_scalar(&mut rng)).collect();
            for shift in [Fr::one(), random_scalar(&mut rng)] {
                let values = rows.on_coset(&coefficients, shift);
                let expected: Vec<Fr> = rows.elements(shift).iter().map(|at| evaluate(&coefficients, at)).collect();
                assert_eq!(values, expected);
                assert_eq!(rows.interpolated(&values, shift), coefficients);
            }
            assert_eq!(rows.column(rows.on_coset(&coefficients, Fr::one())).coefficients, coefficients);
        }
    }
}
