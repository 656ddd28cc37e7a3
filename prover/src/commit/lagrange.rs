//! A reference string's powers in Lagrange form, over Halo2's domains: `[L_i(τ)]_1`, where `L_i` is 1 at the `i`-th power of Halo2's
//! `2^k`-th root of unity and 0 at the others.
//!
//! Cost: from the powers, an FFT over the group, which is `k·2^(k-1)` scalar multiplications (4 s at `k` = 14 on two cores); while `τ` is
//! known, `2^k` fixed-base multiplications.

use ark_bn254::{Fr, G1Affine, G1Projective};
use ark_ec::CurveGroup;
use ark_ff::{Field, batch_inversion};
use ark_poly::{EvaluationDomain as _, GeneralEvaluationDomain};
use vouch_circuits::shell::domain::root;
use zeroize::Zeroize;

use super::srs::multiply_generator;
use crate::plonk::Rows;

/// From the first `2^k` powers.
///
/// # Panics
/// If there are fewer, or `k` is above 28.
pub fn from_powers(powers: &[G1Affine], k: u32) -> Vec<G1Affine> {
    let n = 1usize << k;
    let domain = GeneralEvaluationDomain::<Fr>::new(n).expect("the scalar field has domains of up to 2^28");
    let mut points: Vec<G1Projective> = powers[..n].iter().map(|power| (*power).into()).collect();
    domain.ifft_in_place(&mut points);
    let points = G1Projective::normalize_batch(&points);
    // Both libraries have a root of their own. Halo2's is an odd power `e` of this one, so its i-th power is number e·i here.
    let root = root(k);
    let e = domain.elements().position(|element| element == root).expect("roots of one order are powers of each other");
    (0..n).map(|i| points[e * i % n]).collect()
}

/// From `τ`: `L_i(τ) = ω^i·(τ^n − 1) / (n·(τ − ω^i))`.
pub fn from_tau(k: u32, tau: &Fr) -> Vec<G1Affine> {
    let (n, root) = (Fr::from(1u64 << k), root(k));
    let roots: Vec<Fr> = std::iter::successors(Some(Fr::ONE), |power| Some(*power * root)).take(1 << k).collect();
    let mut values: Vec<Fr> = roots.iter().map(|power| n * (*tau - power)).collect();
    batch_inversion(&mut values);
    let common = tau.pow([1u64 << k]) - Fr::ONE;
    values.iter_mut().zip(&roots).for_each(|(value, power)| *value *= common * power);
    let points = multiply_generator(&values);
    values.zeroize();
    points
}

/// The coefficients of the polynomial with these values on Halo2's domain.
pub fn coefficients(values: &[Fr]) -> Vec<Fr> {
    Rows::new(values.len().trailing_zeros()).coefficients(values.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::Srs;
    use crate::shell::convert;
    use halo2_proofs::arithmetic::g_to_lagrange;
    use halo2_proofs::halo2curves::bn256;
    use halo2_proofs::halo2curves::group::prime::PrimeCurveAffine;

    #[test]
    fn all_ways_give_the_same() {
        let tau = Fr::from(7).pow([99u64]);
        let srs = Srs::development_with_tau(1 << 7, &tau);
        for k in [1, 2, 5, 7] {
            let points = from_powers(&srs.powers, k);
            assert_eq!(points, from_tau(k, &tau));
            // Halo2's own.
            let powers = srs.powers[..1 << k].iter().map(|power| convert::g1(power).to_curve()).collect();
            let theirs: Vec<bn256::G1Affine> = g_to_lagrange(powers, k);
            assert_eq!(points, theirs.iter().map(convert::g1_back).collect::<Vec<_>>());
        }
    }
}
