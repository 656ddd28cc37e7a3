//! Between the core's types (ark) and Halo2's (halo2curves).
//!
//! Both libraries' elements are canonical, and every conversion goes through the canonical integer, so none can fail.

use ark_bn254::{Fq, Fq2, Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInt, PrimeField};
use halo2_proofs::halo2curves::bn256;
use halo2_proofs::halo2curves::ff::PrimeField as _;
use halo2_proofs::halo2curves::group::prime::PrimeCurveAffine;

/// To Halo2's scalar.
pub fn scalar(value: &Fr) -> bn256::Fr {
    bn256::Fr::from_raw(value.into_bigint().0)
}

/// From Halo2's scalar.
pub fn scalar_back(value: &bn256::Fr) -> Fr {
    // Halo2's representation is little-endian and below the modulus.
    Fr::from_le_bytes_mod_order(value.to_repr().as_ref())
}

/// To Halo2's point; the point need not be on the curve.
pub fn g1(point: &G1Affine) -> bn256::G1Affine {
    match point.xy() {
        Some((x, y)) => bn256::G1Affine { x: base(&x), y: base(&y) },
        None => bn256::G1Affine::identity(),
    }
}

/// From Halo2's point.
pub fn g1_back(point: &bn256::G1Affine) -> G1Affine {
    if bool::from(point.is_identity()) {
        return G1Affine::identity();
    }
    G1Affine::new_unchecked(base_back(&point.x), base_back(&point.y))
}

/// To Halo2's point of G2; the point need not be on the curve.
pub fn g2(point: &G2Affine) -> bn256::G2Affine {
    let extension = |value: &Fq2| bn256::Fq2::new(base(&value.c0), base(&value.c1));
    match point.xy() {
        Some((x, y)) => bn256::G2Affine { x: extension(&x), y: extension(&y) },
        None => bn256::G2Affine::identity(),
    }
}

fn base(value: &Fq) -> bn256::Fq {
    bn256::Fq::from_raw(value.into_bigint().0)
}

fn base_back(value: &bn256::Fq) -> Fq {
    let bytes = value.to_repr();
    let mut limbs = [0u64; 4];
    for (limb, bytes) in limbs.iter_mut().zip(bytes.as_ref().chunks_exact(8)) {
        *limb = bytes.iter().rev().fold(0, |limb, byte| limb << 8 | u64::from(*byte));
    }
    Fq::from_bigint(BigInt::new(limbs)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ec::{CurveGroup, PrimeGroup};
    use ark_ff::Field;
    use halo2_proofs::halo2curves::group::Curve;

    #[test]
    fn elements_are_the_same_on_both_sides() {
        for k in [0u64, 1, 2, u64::MAX] {
            let s = -Fr::from(k).pow([3u64]);
            assert_eq!(scalar_back(&scalar(&s)), s);
            assert_eq!(scalar(&(s * s)), scalar(&s) * scalar(&s));
            let point = (G1Affine::generator() * s).into_affine();
            assert_eq!(g1(&point), (bn256::G1Affine::generator() * scalar(&s)).to_affine());
            assert_eq!(g1_back(&g1(&point)), point);
            let point = (ark_bn254::G2Projective::generator() * s).into_affine();
            assert_eq!(g2(&point), (bn256::G2Affine::generator() * scalar(&s)).to_affine());
        }
    }
}
