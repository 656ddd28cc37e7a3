//! What tests that see vouch from outside share; the tests lie in `tests/`. None of it is the product's code, so that a fault of
//! the product's is not a fault of its tests too.

use ark_bn254::Fr;
use ark_ff::AdditiveGroup;

/// A polynomial's value, coefficients from the lowest.
pub fn evaluate(polynomial: &[Fr], x: Fr) -> Fr {
    polynomial.iter().rev().fold(Fr::ZERO, |sum, coefficient| sum * x + coefficient)
}

/// Quotient and remainder by a divisor whose leading coefficient is 1.
pub fn divide(f: &[Fr], divisor: &[Fr]) -> (Vec<Fr>, Vec<Fr>) {
    let degree = divisor.len() - 1;
    let mut rest = f.to_vec();
    let mut quotient = vec![Fr::ZERO; f.len() - degree];
    for i in (0..quotient.len()).rev() {
        let lead = rest[i + degree];
        quotient[i] = lead;
        divisor.iter().enumerate().for_each(|(k, d)| rest[i + k] -= lead * d);
    }
    rest.truncate(degree);
    (quotient, rest)
}
