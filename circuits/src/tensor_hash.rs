//! Hashes of inputs and outputs: what a contract, or another proof, can hold in place of the values.
//!
//! The hash is Poseidon's, over the number of positions, a salt, and the tensor's positions (row-major, each axis filled up with zeros to a
//! power of two) packed eight to an element: `E_i = Σ_j 2^(16j)·(v_(8i+j) + 2^15)`. Every value has 16 signed bits, so that an element
//! determines the values in it. It depends on no key: one hash of a tensor can be shown by several models.
//!
//! Hash and values meet in a claim that is linear in the tensor: the elements' extension at a point is `Σ_b weight(b)·v_b` and a constant.
//! The weights are a product over the coordinates, those of the lowest three being powers of `2^16` instead of a point's.

use ark_bn254::Fr;
use ark_ff::{Field, One};

use crate::backend::{Arithmetic, Plain};
use crate::encoding::{DecodeError, Fields, put_count};
use crate::files::{self, Kind};
use crate::ir::shape_bits;
use crate::lowering::padded_positions;
use crate::mle;
use crate::points::encode_scalar;
use crate::sponge::{Permute, Sponge};
use crate::validate::check_shape;

/// Domain tag, the sponge's initial capacity.
const DOMAIN: &[u8] = b"vouch hashed tensor v1";
/// Binary logarithm of an element's values.
pub const PACKED_BITS: usize = 3;
/// Bits of a value.
pub const VALUE_BITS: usize = 16;
/// The values that can be hashed.
pub const VALUES: std::ops::RangeInclusive<i64> = -(1 << (VALUE_BITS - 1))..=(1 << (VALUE_BITS - 1)) - 1;

/// Elements of a tensor of `2^bits` positions.
pub fn element_count(bits: usize) -> usize {
    1 << bits.saturating_sub(PACKED_BITS)
}

/// The elements of a padded tensor.
///
/// # Panics
/// If a value is none of [`VALUES`]: lowering, and whoever reads an opening, make sure that it is.
fn pack(padded: &[i64]) -> Vec<Fr> {
    let element = |values: &[i64]| {
        let packed = values.iter().rev().fold(0u128, |packed, value| {
            assert!(VALUES.contains(value), "a hashed value has more than {VALUE_BITS} bits");
            packed << VALUE_BITS | (value - VALUES.start()) as u128
        });
        Fr::from(packed)
    };
    padded.chunks(1 << PACKED_BITS).map(element).collect()
}

/// The hash of a tensor of `2^bits` positions, given its elements.
pub fn hash<P: Permute>(p: &mut P, bits: usize, salt: &P::Scalar, elements: &[P::Scalar]) -> P::Scalar {
    let positions = p.constant(Fr::from(1u64 << bits));
    let mut sponge = Sponge::of_domain(p, DOMAIN);
    for message in [&positions, salt].into_iter().chain(elements) {
        sponge.absorb(p, message);
    }
    sponge.challenge(p)
}

/// What a hash is of: whoever has it can compare. Secret as the values are: it has no `Debug`.
#[derive(Clone, PartialEq)]
pub struct HashOpening {
    /// The tensor's shape, as constraints have it.
    pub shape: Vec<usize>,
    /// Its integers, row-major, all of them in [`VALUES`].
    pub values: Vec<i64>,
    /// What makes the hash of guessed values another.
    pub salt: Fr,
}

impl HashOpening {
    /// The elements of the values.
    pub fn elements(&self) -> Vec<Fr> {
        let mut padded = vec![0; 1 << shape_bits(&self.shape)];
        for (position, value) in padded_positions(&self.shape).into_iter().zip(&self.values) {
            padded[position] = *value;
        }
        pack(&padded)
    }

    /// The hash.
    pub fn hash(&self) -> Fr {
        hash(&mut Plain, shape_bits(&self.shape), &self.salt, &self.elements())
    }

    /// As a file, as secret as the values.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_count(&mut out, self.shape.len());
        self.shape.iter().for_each(|len| put_count(&mut out, *len));
        put_count(&mut out, self.values.len());
        self.values.iter().for_each(|value| out.extend(value.to_be_bytes()));
        out.extend(encode_scalar(&self.salt));
        files::seal(Kind::HashOpening, &out)
    }

    /// From a file.
    ///
    /// # Errors
    /// What is wrong with the file: a shape that no tensor has, or values that do not fit it, among it.
    pub fn from_bytes(file: &[u8]) -> Result<Self, DecodeError> {
        let mut body = Fields(files::open(file, Kind::HashOpening)?);
        let length = |bytes: &[u8]| usize::try_from(u32::from_be_bytes(bytes.try_into().ok()?)).ok();
        let shape = body.list("shape", 4, length)?;
        check_shape(&shape).map_err(|_| DecodeError::Field("shape"))?;
        let value = |bytes: &[u8]| {
            let value = i64::from_be_bytes(bytes.try_into().ok()?);
            VALUES.contains(&value).then_some(value)
        };
        let values = body.list("values", 8, value)?;
        if values.len() != shape.iter().product::<usize>() {
            return Err(DecodeError::Field("values"));
        }
        let salt = body.scalar("salt")?;
        if body.0.is_empty() { Ok(Self { shape, values, salt }) } else { Err(DecodeError::Trailing) }
    }
}

/// The elements' extension at the coordinates of `point` that number them, less what the values' offsets add to it: `Σ_b weight(b)·v_b`.
pub fn extension<A: Arithmetic>(ar: &mut A, elements: &[A::Scalar], point: &[A::Scalar]) -> A::Scalar {
    let mut folded = elements.to_vec();
    for coordinate in point.iter().skip(PACKED_BITS) {
        let pairs = folded.chunks(2).map(|pair| match pair {
            [low, high] => {
                let difference = ar.sub(high, low);
                ar.mul_add(low, coordinate, &difference)
            }
            // An odd number, which powers of two but 1 are not.
            _ => pair[0].clone(),
        });
        folded = pairs.collect();
    }
    let offset = -Fr::from(*VALUES.start()) * powers(point.len()).into_iter().sum::<Fr>();
    let offset = ar.constant(offset);
    ar.sub(&folded[0], &offset)
}

/// The weights' extension at `rho`, for a claim at `point`; both have as many coordinates as the tensor.
pub fn weight_at<A: Arithmetic>(ar: &mut A, point: &[A::Scalar], rho: &[A::Scalar]) -> A::Scalar {
    let packed = point.len().min(PACKED_BITS);
    let mut weight = mle::eq(ar, &point[packed..], &rho[packed..]);
    for (k, coordinate) in rho[..packed].iter().enumerate() {
        // 1 − ρ_k + ρ_k·2^(16·2^k).
        let scaled = ar.scale(coordinate, power(1 << k) - Fr::one());
        weight = ar.mul_add(&weight, &weight, &scaled);
    }
    weight
}

/// The weights of all positions for a claim at `point`.
pub fn weights(point: &[Fr]) -> Vec<Fr> {
    let powers = powers(point.len());
    let elements = mle::eq_table(&point[point.len().min(PACKED_BITS)..]);
    elements.iter().flat_map(|weight| powers.iter().map(move |power| *weight * power)).collect()
}

/// What the values of one element are multiplied by.
fn powers(bits: usize) -> Vec<Fr> {
    (0..1 << bits.min(PACKED_BITS)).map(power).collect()
}

/// `2^(16·j)`.
fn power(j: u64) -> Fr {
    Fr::from(2u64).pow([VALUE_BITS as u64 * j])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::{AdditiveGroup, PrimeField, Zero};

    fn values(bits: usize) -> Vec<i64> {
        (0..1i64 << bits).map(|i| i * 40503 % 65536 - 32768).collect()
    }

    fn hash_of(salt: u64, values: &[i64]) -> Fr {
        HashOpening { shape: vec![values.len()], values: values.to_vec(), salt: Fr::from(salt) }.hash()
    }

    fn point(bits: usize, seed: u64) -> Vec<Fr> {
        (0..bits as u64).map(|i| Fr::from(seed + 7 * i).pow([5u64])).collect()
    }

    #[test]
    fn the_claim_is_linear_in_the_values() {
        for bits in 0..8 {
            let (values, point) = (values(bits), point(bits, 3));
            let elements = pack(&values);
            assert_eq!(elements.len(), element_count(bits));
            let sum: Fr = weights(&point).iter().zip(&values).map(|(weight, value)| *weight * Fr::from(*value)).sum();
            assert_eq!(extension(&mut Plain, &elements, &point), sum, "{bits} bits");
        }
    }

    #[test]
    fn weights_extend_to_their_product_form() {
        for bits in 0..8 {
            let (point, rho) = (point(bits, 3), point(bits, 1000));
            let sum: Fr = weights(&point).iter().zip(mle::eq_table(&rho)).map(|(weight, e)| *weight * e).sum();
            assert_eq!(weight_at(&mut Plain, &point, &rho), sum, "{bits} bits");
        }
    }

    #[test]
    fn elements_determine_their_values() {
        let values = values(6);
        for (element, values) in pack(&values).into_iter().zip(values.chunks(8)) {
            let mut rest = element.into_bigint();
            for value in values {
                assert_eq!(rest.0[0] & 0xffff, (value + 32768) as u64);
                rest >>= 16;
            }
            assert!(Fr::from_bigint(rest).is_some_and(|rest| rest.is_zero()));
        }
        assert_eq!(pack(&[-32768]), [Fr::ZERO]);
        assert_eq!(pack(&[32767; 8]), [Fr::from(u128::MAX)]);
    }

    #[test]
    #[should_panic(expected = "more than 16 bits")]
    fn longer_values_have_no_element() {
        pack(&[1 << 15]);
    }

    /// Tensors of other sizes, values or salts have other hashes, also where their elements are the same.
    #[test]
    fn hashes_differ() {
        let two = [7, -32768];
        assert_eq!(pack(&two), pack(&two[..1]));
        let hashes = [
            hash_of(5, &two),
            hash_of(5, &two[..1]),
            hash_of(6, &two),
            hash_of(5, &[8, -32768]),
            hash_of(5, &[7, -32768, 0]),
            hash_of(5, &[7, -32768, 0, 0, 0]),
        ];
        for (i, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..i].contains(hash));
        }
        // Padding is zero.
        assert_eq!(hash_of(5, &[7, -32768, 0]), hash_of(5, &[7, -32768, 0, 0]));
    }

    #[test]
    fn files_return_and_damaged_ones_do_not() {
        let opening = HashOpening { shape: vec![2, 3], values: vec![-32768, 1, 2, 3, 4, 32767], salt: -Fr::one() };
        let bytes = opening.to_bytes();
        assert!(HashOpening::from_bytes(&bytes).is_ok_and(|read| read == opening));
        let body = files::open(&bytes, Kind::HashOpening).unwrap().to_vec();
        let read = |body: &[u8]| HashOpening::from_bytes(&files::seal(Kind::HashOpening, body)).err();
        for length in 0..body.len() {
            assert!(read(&body[..length]).is_some(), "{length}");
        }
        assert_eq!(read(&[&body[..], &[0]].concat()), Some(DecodeError::Trailing));
        let with = |at: usize, bytes: &[u8]| {
            let mut body = body.clone();
            body[at..at + bytes.len()].copy_from_slice(bytes);
            read(&body)
        };
        assert_eq!(with(4, &[0; 4]), Some(DecodeError::Field("shape")));
        assert_eq!(with(4, &[0, 0, 0, 3]), Some(DecodeError::Field("values")));
        assert_eq!(with(16, &32768i64.to_be_bytes()), Some(DecodeError::Field("values")));
        assert_eq!(with(body.len() - 32, &[0xff; 32]), Some(DecodeError::Field("salt")));
    }
}
