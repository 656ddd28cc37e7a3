//! What the cheating prover's sumchecks share.

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field};

/// `g(r)` from `g(0) + g(1) = sum` and all coefficients but the linear one.
pub fn next_claim(sum: Fr, message: &[Fr], r: Fr) -> Fr {
    let higher: Fr = message[1..].iter().sum();
    let linear = sum - message[0].double() - higher;
    let tail = message[1..].iter().rev().fold(Fr::ZERO, |tail, c| tail * r + c);
    message[0] + r * (linear + r * tail)
}

pub fn fold(values: &[Fr], r: Fr) -> Vec<Fr> {
    values.chunks(2).map(|pair| pair[0] + r * (pair[1] - pair[0])).collect()
}

/// A product of multilinear functions in a sumcheck that may have more rounds than it has variables.
pub struct Product {
    /// Tables over the variables left.
    pub factors: Vec<Vec<Fr>>,
    /// `Π (1 - r)` over the rounds after the last variable was bound.
    pub late: Fr,
}

impl Product {
    pub fn new(factors: Vec<Vec<Fr>>) -> Self {
        Self { factors, late: Fr::ONE }
    }

    pub fn sum(&self) -> Fr {
        (0..self.factors[0].len()).map(|i| self.factors.iter().map(|f| f[i]).product::<Fr>()).sum()
    }

    /// Coefficients of the round polynomial.
    pub fn round(&self) -> [Fr; 4] {
        let len = self.factors[0].len();
        if len == 1 {
            let value = self.late * self.sum();
            return [value, -value, Fr::ZERO, Fr::ZERO];
        }
        let mut sum = [Fr::ZERO; 4];
        for j in 0..len / 2 {
            let mut product = [Fr::ONE, Fr::ZERO, Fr::ZERO, Fr::ZERO];
            for factor in &self.factors {
                let (low, rise) = (factor[2 * j], factor[2 * j + 1] - factor[2 * j]);
                product = std::array::from_fn(|k| {
                    let carried = if k > 0 { product[k - 1] * rise } else { Fr::ZERO };
                    product[k] * low + carried
                });
            }
            sum.iter_mut().zip(product).for_each(|(sum, c)| *sum += c);
        }
        sum
    }

    pub fn fold(&mut self, r: Fr) {
        if self.factors[0].len() == 1 {
            self.late *= Fr::ONE - r;
        } else {
            self.factors.iter_mut().for_each(|factor| *factor = fold(factor, r));
        }
    }
}
