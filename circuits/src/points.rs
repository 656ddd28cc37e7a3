//! Group elements as bytes: `x ‖ y`, each coordinate 32 bytes big-endian (in G2 two of them, the imaginary part first), as the
//! EVM has them. The point at infinity is all zero.

use ark_bn254::{Fq, Fq2, Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInt, BigInteger, PrimeField};

/// Bytes of an element of G1.
pub const G1_BYTES: usize = 64;
/// Bytes of an element of G2.
pub const G2_BYTES: usize = 128;

/// `x ‖ y` of a point of G1.
pub fn encode_g1(point: &G1Affine) -> [u8; G1_BYTES] {
    let mut bytes = [0u8; G1_BYTES];
    if let Some((x, y)) = point.xy() {
        bytes[..32].copy_from_slice(&x.into_bigint().to_bytes_be());
        bytes[32..].copy_from_slice(&y.into_bigint().to_bytes_be());
    }
    bytes
}

/// `x ‖ y` of a point of G2.
pub fn encode_g2(point: &G2Affine) -> [u8; G2_BYTES] {
    let mut bytes = [0u8; G2_BYTES];
    if let Some((x, y)) = point.xy() {
        for (bytes, coordinate) in bytes.chunks_exact_mut(32).zip([x.c1, x.c0, y.c1, y.c0]) {
            bytes.copy_from_slice(&coordinate.into_bigint().to_bytes_be());
        }
    }
    bytes
}

/// The point with these coordinates, whether on the curve or not; `None` if one is not below the modulus or the length is wrong.
pub fn decode_g1_unchecked(bytes: &[u8]) -> Option<G1Affine> {
    if bytes.len() != G1_BYTES {
        return None;
    }
    if bytes.iter().all(|byte| *byte == 0) {
        return Some(G1Affine::identity());
    }
    let (x, y) = bytes.split_at(32);
    Some(G1Affine::new_unchecked(decode_coordinate(x)?, decode_coordinate(y)?))
}

/// The point of G1 (all of the curve has the right order), infinity included.
pub fn decode_g1(bytes: &[u8]) -> Option<G1Affine> {
    decode_g1_unchecked(bytes).filter(|point| point.is_on_curve())
}

/// The point with these coordinates, whether in G2 or not; `None` if one is not below the modulus or the length is wrong.
pub fn decode_g2_unchecked(bytes: &[u8]) -> Option<G2Affine> {
    if bytes.len() != G2_BYTES {
        return None;
    }
    if bytes.iter().all(|byte| *byte == 0) {
        return Some(G2Affine::identity());
    }
    let mut coordinates = bytes.chunks_exact(32).map(decode_coordinate);
    let mut next = || coordinates.next().flatten();
    let [x1, x0, y1, y0] = [next()?, next()?, next()?, next()?];
    Some(G2Affine::new_unchecked(Fq2::new(x0, x1), Fq2::new(y0, y1)))
}

/// Whether the point is on the curve and of the right order.
pub fn is_in_g2(point: &G2Affine) -> bool {
    point.is_on_curve() && point.is_in_correct_subgroup_assuming_on_curve()
}

/// A scalar, 32 bytes big-endian.
pub fn encode_scalar(scalar: &Fr) -> [u8; 32] {
    let mut bytes = [0u8; 32];
    bytes.copy_from_slice(&scalar.into_bigint().to_bytes_be());
    bytes
}

/// The scalar, if it is below the modulus.
pub fn decode_scalar(bytes: &[u8]) -> Option<Fr> {
    Fr::from_bigint(big_endian(bytes)?)
}

fn decode_coordinate(bytes: &[u8]) -> Option<Fq> {
    Fq::from_bigint(big_endian(bytes)?)
}

fn big_endian(bytes: &[u8]) -> Option<BigInt<4>> {
    if bytes.len() != 32 {
        return None;
    }
    let mut limbs = [0u64; 4];
    for (limb, bytes) in limbs.iter_mut().rev().zip(bytes.chunks_exact(8)) {
        *limb = bytes.iter().fold(0, |limb, byte| limb << 8 | u64::from(*byte));
    }
    Some(BigInt::new(limbs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ec::{CurveGroup, PrimeGroup};
    use ark_ff::{AdditiveGroup, Field};

    #[test]
    fn elements_return() {
        for k in [0u64, 1, 2, 3, u64::MAX] {
            let scalar = -Fr::from(k).pow([3u64]);
            assert_eq!(decode_scalar(&encode_scalar(&scalar)), Some(scalar));
            let point = (G1Affine::generator() * scalar).into_affine();
            assert_eq!(decode_g1(&encode_g1(&point)), Some(point));
            let point = (ark_bn254::G2Projective::generator() * scalar).into_affine();
            assert_eq!(decode_g2_unchecked(&encode_g2(&point)), Some(point));
            assert!(is_in_g2(&point));
        }
    }

    #[test]
    fn the_modulus_is_no_canonical_zero() {
        assert_eq!(decode_scalar(&Fr::MODULUS.to_bytes_be()), None);
        assert_eq!(decode_scalar(&[0xff; 32]), None);
        assert_eq!(decode_scalar(&[0; 32]), Some(Fr::ZERO));
        assert_eq!(decode_scalar(&[0; 31]), None);
        // x + p instead of x, on the generator (1, 2).
        let mut bytes = encode_g1(&G1Affine::generator());
        let mut x = Fq::MODULUS;
        x.add_with_carry(&BigInt::one());
        bytes[..32].copy_from_slice(&x.to_bytes_be());
        assert_eq!(decode_g1(&bytes), None);
    }

    #[test]
    fn points_off_the_curve_are_refused() {
        let mut bytes = encode_g1(&G1Affine::generator());
        bytes[63] ^= 1;
        assert_eq!(decode_g1(&bytes), None);
        assert!(decode_g1_unchecked(&bytes).is_some());
        assert_eq!(decode_g1(&bytes[..63]), None);
        assert_eq!(decode_g2_unchecked(&[0; 64]), None);
        let outside = (1u64..)
            .find_map(|x| G2Affine::get_point_from_x_unchecked(Fq2::from(x), false))
            .filter(|point| !point.is_in_correct_subgroup_assuming_on_curve())
            .unwrap();
        assert!(!is_in_g2(&outside));
    }
}
