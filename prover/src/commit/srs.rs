//! The structured reference string: powers of a secret `τ` in the exponent, `[τ^i]_1`, with `[1]_2` and
//! `[τ]_2`.
//!
//! A chunk of `2^c` entries needs as many powers. Whoever knows `τ` can open any commitment to anything: [`Srs::development`] draws it here and forgets it, which is for
//! trying things out only, and the string says so.
//!
//! Cost: a power by fixed-base multiplication takes 22 affine additions (a table of signed 12-bit digits),
//! or about 3 µs.

use std::io::{self, Write};
use std::sync::LazyLock;

use ark_bn254::{Bn254, Fr, G1Affine, G1Projective, G2Affine};
use ark_ec::pairing::Pairing;
use ark_ec::{AdditiveGroup, AffineRepr, CurveGroup, PrimeGroup};
use ark_ff::{BigInt, BigInteger, Field, PrimeField, Zero};
use rand::CryptoRng;
use rayon::prelude::*;
use thiserror::Error;
use vouch_circuits::points::{
    G1_BYTES, G2_BYTES, decode_g1_unchecked, decode_g2_unchecked, encode_g1, encode_g2, is_in_g2,
};
use zeroize::Zeroize;

use super::lagrange;
use super::msm::{BatchAdder, msm};
use super::random_scalar;

/// Development flag, number of powers, `[1]_2`, `[τ]_2`.
const HEAD_BYTES: usize = 1 + 8 + 2 * G2_BYTES;

/// What is wrong with a reference string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SrsError {
    /// The bytes end early, or go on after the last power.
    #[error("the reference string's length is not what its header says")]
    Length,
    /// The flag for development is neither 0 nor 1.
    #[error("the reference string's header is not well formed")]
    Header,
    /// A power in G1 is no point of the curve, is infinity or is not canonically encoded.
    #[error("power {0} of the reference string is no point of the curve")]
    Power(usize),
    /// A point in G2 is infinity, not in the group or not canonically encoded.
    #[error("a G2 point of the reference string is not in the group")]
    G2,
    /// The first power or `[1]_2` is not the curve's standard generator.
    #[error("the reference string does not start at the standard generators")]
    Generator,
    /// The powers are not the powers of the one `τ` of `[τ]_2`.
    #[error("the reference string's points are not the powers of one secret (pairing check)")]
    Inconsistent,
    /// Fewer powers than needed.
    #[error("the reference string has {have} powers, {need} are needed")]
    TooShort {
        /// Powers there are.
        have: usize,
        /// Powers needed.
        need: usize,
    },
}

/// Where bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// From elsewhere: every point is checked to lie on its curve, in its group. (Call [`Srs::check`] too,
    /// once.)
    Foreign,
    /// Written by this program and guarded by a checksum since: only encodings are checked.
    Own,
}

/// Powers of `τ` in the exponent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srs {
    /// `[τ^i]_1` for `i = 0, 1, …`.
    pub powers: Vec<G1Affine>,
    /// `[1]_2`.
    pub g2: G2Affine,
    /// `[τ]_2`.
    pub tau_g2: G2Affine,
    /// Made here, by one party who could have kept `τ`: proofs convince only those who trust that party.
    pub development: bool,
    /// The first `2^k` powers in Lagrange form ([`lagrange`]), for some `k`, by rising `k`.
    pub lagrange: Vec<Vec<G1Affine>>,
}

impl Srs {
    /// `len` powers of a secret that is drawn from `rng` and forgotten.
    pub fn development(len: usize, rng: &mut impl CryptoRng) -> Self {
        let mut tau = random_scalar(rng);
        let srs = Self::development_with_tau(len, &tau);
        tau.zeroize();
        srs
    }

    /// The same, with its powers in Lagrange form for each `k` of `sizes`; while `τ` is known that costs little.
    pub fn development_with_lagrange(len: usize, sizes: &[u32], rng: &mut impl CryptoRng) -> Self {
        let mut tau = random_scalar(rng);
        let mut srs = Self::development_with_tau(len, &tau);
        srs.lagrange = sizes.iter().map(|k| lagrange::from_tau(*k, &tau)).collect();
        tau.zeroize();
        srs
    }

    /// `len` powers of a known `τ`, for tests that look behind commitments.
    #[doc(hidden)]
    pub fn development_with_tau(len: usize, tau: &Fr) -> Self {
        const PIECE: usize = 1 << 12;
        let mut exponents = vec![Fr::ZERO; len];
        exponents.par_chunks_mut(PIECE).enumerate().for_each(|(index, piece)| {
            let mut power = tau.pow([(index * PIECE) as u64]);
            for exponent in piece {
                *exponent = power;
                power *= tau;
            }
            power.zeroize();
        });
        let powers = multiply_generator(&exponents);
        exponents.zeroize();
        let g2 = G2Affine::generator();
        Self { powers, g2, tau_g2: (g2 * tau).into_affine(), development: true, lagrange: Vec::new() }
    }

    /// The largest `c` such that chunks of `2^c` entries fit.
    pub fn max_log_chunk(&self) -> Option<usize> {
        self.powers.len().checked_ilog2().map(|c| c as usize)
    }

    /// Drops all but the first `len` powers.
    pub fn truncate(&mut self, len: usize) -> Result<(), SrsError> {
        if len > self.powers.len() {
            return Err(SrsError::TooShort { have: self.powers.len(), need: len });
        }
        self.powers.truncate(len);
        self.powers.shrink_to_fit();
        Ok(())
    }

    /// The first `2^k` powers in Lagrange form, if they are there.
    pub fn lagrange(&self, k: u32) -> Option<&[G1Affine]> {
        self.lagrange.iter().map(Vec::as_slice).find(|points| points.len() == 1 << k)
    }

    /// The first `2^k` powers in Lagrange form; computed if they are not there, by an FFT over the group, which takes four seconds at `k`
    /// = 14.
    ///
    /// # Panics
    /// If there are not so many powers.
    pub fn ensure_lagrange(&mut self, k: u32) -> &[G1Affine] {
        let at = self.lagrange.partition_point(|points| points.len() < 1 << k);
        if self.lagrange.get(at).is_none_or(|points| points.len() != 1 << k) {
            self.lagrange.insert(at, lagrange::from_powers(&self.powers, k));
        }
        &self.lagrange[at]
    }

    /// Drops all but the first `len` powers and these Lagrange forms.
    pub fn cut(&mut self, len: usize, sizes: &[u32]) {
        self.powers.truncate(len);
        self.powers.shrink_to_fit();
        self.lagrange.retain(|points| sizes.iter().any(|k| points.len() == 1 << k));
    }

    /// Checks by two pairings that the points are the powers of one nonzero `τ`, from the standard
    /// generators. A wrong string passes with probability `2^-128`.
    pub fn check(&self, rng: &mut impl CryptoRng) -> Result<(), SrsError> {
        let len = self.powers.len();
        if len < 2 {
            return Err(SrsError::TooShort { have: len, need: 2 });
        }
        if let Some(index) = self.powers.par_iter().position_first(|power| power.is_zero() || !power.is_on_curve()) {
            return Err(SrsError::Power(index));
        }
        check_g2(&self.tau_g2)?;
        if self.powers[0] != G1Affine::generator() || self.g2 != G2Affine::generator() {
            return Err(SrsError::Generator);
        }
        // Σ ρ_i·[τ^{i+1}] against τ times Σ ρ_i·[τ^i].
        let coefficients: Vec<Fr> = (1..len)
            .map(|_| {
                let mut bytes = [0u8; 16];
                rng.fill_bytes(&mut bytes);
                Fr::from(u128::from_le_bytes(bytes))
            })
            .collect();
        let shifted = msm(&self.powers[1..], &coefficients).into_affine();
        let plain = msm(&self.powers, &coefficients).into_affine();
        if !Bn254::multi_pairing([shifted, -plain], [self.g2, self.tau_g2]).is_zero() {
            return Err(SrsError::Inconsistent);
        }
        self.lagrange.iter().try_for_each(|points| self.check_lagrange(points, rng))
    }

    /// The polynomial with random values, committed to both ways. Wrong points pass with probability `2^-128`.
    fn check_lagrange(&self, points: &[G1Affine], rng: &mut impl CryptoRng) -> Result<(), SrsError> {
        let (have, need) = (self.powers.len(), points.len());
        if have < need {
            return Err(SrsError::TooShort { have, need });
        }
        if let Some(index) = points.par_iter().position_first(|point| !point.is_on_curve()) {
            return Err(SrsError::Power(index));
        }
        let values: Vec<Fr> = (0..need).map(|_| random_scalar(rng)).collect();
        let coefficients = lagrange::coefficients(&values);
        if msm(points, &values) == msm(&self.powers, &coefficients) { Ok(()) } else { Err(SrsError::Inconsistent) }
    }

    /// Writes the string: a byte that is 1 for development, the number of powers (64 bits, little-endian),
    /// `[1]_2`, `[τ]_2`, the powers; then, for each Lagrange form, a byte `k` and `2^k` points. Points are as in
    /// [`vouch_circuits::points`].
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&[u8::from(self.development)])?;
        out.write_all(&(self.powers.len() as u64).to_le_bytes())?;
        out.write_all(&encode_g2(&self.g2))?;
        out.write_all(&encode_g2(&self.tau_g2))?;
        write_points(out, &self.powers)?;
        self.lagrange.iter().try_for_each(|points| {
            out.write_all(&[points.len().trailing_zeros() as u8])?;
            write_points(out, points)
        })
    }

    /// Reads what [`write_to`](Self::write_to) wrote; safe on any bytes.
    pub fn read_from(bytes: &[u8], trust: Trust) -> Result<Self, SrsError> {
        let (head, powers) = bytes.split_at_checked(HEAD_BYTES).ok_or(SrsError::Length)?;
        let (flag, head) = head.split_first().ok_or(SrsError::Length)?;
        let development = match flag {
            0 => false,
            1 => true,
            _ => return Err(SrsError::Header),
        };
        let (count, points) = head.split_first_chunk::<8>().ok_or(SrsError::Length)?;
        let length = u64::from_le_bytes(*count).checked_mul(G1_BYTES as u64).and_then(|len| usize::try_from(len).ok());
        let (powers, mut rest) = length.and_then(|length| powers.split_at_checked(length)).ok_or(SrsError::Length)?;
        let (g2, tau_g2) = points.split_at(G2_BYTES);
        let [g2, tau_g2] = [g2, tau_g2].map(|bytes| {
            let point = decode_g2_unchecked(bytes).ok_or(SrsError::G2)?;
            if trust == Trust::Foreign {
                check_g2(&point)?;
            }
            Ok(point)
        });
        let powers = read_points(powers, trust)?;
        if let Some(index) = powers.iter().position(|power| power.is_zero()) {
            return Err(SrsError::Power(index));
        }
        let mut lagrange: Vec<Vec<G1Affine>> = Vec::new();
        while let Some((k, bytes)) = rest.split_first() {
            let length = 1usize.checked_shl(u32::from(*k)).and_then(|count| count.checked_mul(G1_BYTES));
            let points;
            (points, rest) = length.and_then(|length| bytes.split_at_checked(length)).ok_or(SrsError::Length)?;
            if points.len() / G1_BYTES > powers.len() || lagrange.last().is_some_and(|last| last.len() >> k != 0) {
                return Err(SrsError::Header);
            }
            lagrange.push(read_points(points, trust)?);
        }
        Ok(Self { powers, g2: g2?, tau_g2: tau_g2?, development, lagrange })
    }
}

fn write_points(out: &mut impl Write, points: &[G1Affine]) -> io::Result<()> {
    points.chunks(1 << 12).try_for_each(|points| {
        let bytes: Vec<u8> = points.par_iter().flat_map_iter(encode_g1).collect();
        out.write_all(&bytes)
    })
}

fn read_points(bytes: &[u8], trust: Trust) -> Result<Vec<G1Affine>, SrsError> {
    let point = |(index, bytes)| {
        decode_g1_unchecked(bytes)
            .filter(|point| trust == Trust::Own || point.is_on_curve())
            .ok_or(SrsError::Power(index))
    };
    bytes.par_chunks_exact(G1_BYTES).enumerate().map(point).collect()
}

pub(super) fn check_g2(point: &G2Affine) -> Result<(), SrsError> {
    if !point.is_zero() && is_in_g2(point) { Ok(()) } else { Err(SrsError::G2) }
}

/// Bits of a digit in [`multiply_generator`].
const WINDOW: usize = 12;
/// Digits of a scalar.
const WINDOWS: usize = (Fr::MODULUS_BIT_SIZE as usize).div_ceil(WINDOW);
/// The largest digit.
const HALF: usize = 1 << (WINDOW - 1);

/// Row `j` holds `d·2^(12j)·G` at `d = 0 … HALF`: three megabytes for all rows.
fn generator_table() -> &'static [G1Affine] {
    static TABLE: LazyLock<Vec<G1Affine>> = LazyLock::new(|| {
        let bases: Vec<G1Projective> = std::iter::successors(Some(G1Projective::generator()), |base| {
            Some((0..WINDOW).fold(*base, |base, _| base.double()))
        })
        .take(WINDOWS)
        .collect();
        let bases = G1Projective::normalize_batch(&bases);
        let mut table = vec![G1Affine::identity(); WINDOWS * (HALF + 1)];
        let mut adder = BatchAdder::default();
        for (row, base) in table.chunks_exact_mut(HALF + 1).zip(&bases) {
            row[1] = *base;
            // The known multiples, each plus the largest of them, double in number.
            let mut known = 1;
            while known < HALF {
                let top = row[known];
                for d in 1..=known {
                    row[known + d] = row[d];
                    adder.add(row, known + d, top);
                }
                adder.flush(row);
                known *= 2;
            }
        }
        table
    });
    &TABLE
}

/// The generator of G1 times each scalar.
pub(super) fn multiply_generator(scalars: &[Fr]) -> Vec<G1Affine> {
    /// Points whose additions are interleaved.
    const PIECE: usize = 1 << 10;
    let table = generator_table();
    // Signed digits, by a bias of half − 1 on all but the highest (which has two bits, and so at most a
    // carry more).
    let mut bias = BigInt::<4>::zero();
    for j in 0..WINDOWS - 1 {
        let mut term = BigInt::from(HALF as u64 - 1);
        term <<= (j * WINDOW) as u32;
        bias.add_with_carry(&term);
    }
    let mut products = vec![G1Affine::identity(); scalars.len()];
    products.par_chunks_mut(PIECE).zip(scalars.par_chunks(PIECE)).for_each(|(products, scalars)| {
        let mut adder = BatchAdder::default();
        for j in 0..WINDOWS {
            let bias_of_digit = if j + 1 < WINDOWS { HALF as i64 - 1 } else { 0 };
            for (i, scalar) in scalars.iter().enumerate() {
                let mut biased = scalar.into_bigint();
                biased.add_with_carry(&bias);
                biased >>= (j * WINDOW) as u32;
                let digit = (biased.0[0] & (2 * HALF as u64 - 1)) as i64 - bias_of_digit;
                let multiple = table[j * (HALF + 1) + digit.unsigned_abs() as usize];
                adder.add(products, i, if digit < 0 { -multiple } else { multiple });
            }
            adder.flush(products);
        }
    });
    products
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::{Fq, Fq2};
    use proptest::prelude::*;

    fn string(len: usize) -> Srs {
        Srs::development(len, &mut rand::rng())
    }

    fn bytes(srs: &Srs) -> Vec<u8> {
        let mut bytes = Vec::new();
        srs.write_to(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn powers_are_powers() {
        for tau in [Fr::from(3), -Fr::ONE, -Fr::from(2), Fr::from(7).inverse().unwrap()] {
            let srs = Srs::development_with_tau(1500, &tau);
            for i in [0, 1, 2, 3, 1023, 1024, 1499] {
                assert_eq!(srs.powers[i], G1Affine::generator() * tau.pow([i as u64]));
            }
        }
    }

    #[test]
    fn fixed_base_table_covers_extreme_digits() {
        let mut scalars = vec![Fr::ZERO, Fr::ONE, -Fr::ONE, Fr::from(2047), Fr::from(2048), Fr::from(2049)];
        scalars.extend((0..254).map(|bit| Fr::from(2).pow([bit]) - Fr::ONE));
        scalars.extend((0..21).map(|j| Fr::from(2048) * Fr::from(2).pow([12 * j])));
        let products = multiply_generator(&scalars);
        for (scalar, product) in scalars.iter().zip(products) {
            assert_eq!(product, G1Affine::generator() * scalar);
        }
    }

    #[test]
    fn honest_strings_pass() {
        for len in [2, 3, 33, 1025] {
            string(len).check(&mut rand::rng()).unwrap();
        }
        assert_ne!(string(2), string(2));
        assert!(string(2).development);
    }

    #[test]
    fn false_strings_are_refused() {
        let rng = &mut rand::rng();
        let good = string(33);
        let with = |change: &dyn Fn(&mut Srs)| {
            let mut bad = good.clone();
            change(&mut bad);
            bad.check(&mut rand::rng())
        };
        for i in [1, 2, 17, 32] {
            assert_eq!(with(&|srs| srs.powers[i] = -srs.powers[i]), Err(SrsError::Inconsistent));
            assert_eq!(with(&|srs| srs.powers[i] = G1Affine::identity()), Err(SrsError::Power(i)));
            assert_eq!(with(&|srs| srs.powers[i].y += Fq::ONE), Err(SrsError::Power(i)));
        }
        assert_eq!(with(&|srs| srs.powers.swap(4, 5)), Err(SrsError::Inconsistent));
        assert_eq!(with(&|srs| srs.powers.rotate_left(1)), Err(SrsError::Generator));
        assert_eq!(with(&|srs| srs.tau_g2 = srs.g2), Err(SrsError::Inconsistent));
        assert_eq!(with(&|srs| srs.tau_g2 = G2Affine::identity()), Err(SrsError::G2));
        assert_eq!(with(&|srs| srs.g2 = srs.tau_g2), Err(SrsError::Generator));
        // On the curve, outside the subgroup.
        let outside = (1u64..)
            .find_map(|x| G2Affine::get_point_from_x_unchecked(Fq2::from(x), false))
            .filter(|point| !point.is_in_correct_subgroup_assuming_on_curve())
            .unwrap();
        assert_eq!(with(&|srs| srs.tau_g2 = outside), Err(SrsError::G2));
        // All powers of τ = 0.
        assert_eq!(Srs::development_with_tau(5, &Fr::ZERO).check(rng), Err(SrsError::Power(1)));
        assert_eq!(string(1).check(rng), Err(SrsError::TooShort { have: 1, need: 2 }));
    }

    #[test]
    fn bytes_return() {
        for len in [0, 1, 2, 4097] {
            let srs = string(len);
            let bytes = bytes(&srs);
            assert_eq!(bytes.len(), HEAD_BYTES + 64 * len);
            assert_eq!(Srs::read_from(&bytes, Trust::Foreign), Ok(srs.clone()));
            assert_eq!(Srs::read_from(&bytes, Trust::Own), Ok(srs));
        }
    }

    #[test]
    fn hostile_bytes_are_refused() {
        let good = bytes(&string(3));
        let read = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = good.clone();
            change(&mut bytes);
            Srs::read_from(&bytes, Trust::Foreign).map(|_| ())
        };
        let power = HEAD_BYTES + G1_BYTES;
        assert_eq!(read(&|_| ()), Ok(()));
        for len in 0..good.len() {
            assert_eq!(read(&|bytes| bytes.truncate(len)), Err(SrsError::Length));
        }
        assert_eq!(read(&|bytes| bytes.push(0)), Err(SrsError::Length));
        assert_eq!(read(&|bytes| bytes[0] = 2), Err(SrsError::Header));
        assert_eq!(read(&|bytes| bytes[1..9].fill(0xff)), Err(SrsError::Length));
        // A count whose product with 64 would wrap to the right length.
        assert_eq!(read(&|bytes| bytes[8] = 4), Err(SrsError::Length));
        assert_eq!(read(&|bytes| bytes[power + 40] ^= 1), Err(SrsError::Power(1)));
        // The encoding of infinity, which arkworks takes for a point on the curve.
        assert_eq!(read(&|bytes| bytes[power..power + 64].fill(0)), Err(SrsError::Power(1)));
        // x + p instead of x, on the generator (1, 2).
        assert_eq!(
            read(&|bytes| {
                let mut x = Fq::MODULUS;
                x.add_with_carry(&BigInt::one());
                bytes[HEAD_BYTES..HEAD_BYTES + 32].copy_from_slice(&x.to_bytes_be());
            }),
            Err(SrsError::Power(0))
        );
        assert_eq!(read(&|bytes| bytes[9..9 + 128].fill(0)), Err(SrsError::G2));
        assert_eq!(read(&|bytes| bytes[9 + 130] ^= 1), Err(SrsError::G2));
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = Srs::read_from(&bytes, Trust::Foreign);
            let _ = Srs::read_from(&bytes, Trust::Own);
        }

        #[test]
        fn altered_bytes_never_panic(position in 0..HEAD_BYTES + 128, byte: u8) {
            let mut bytes = bytes(&Srs::development_with_tau(2, &Fr::from(5)));
            bytes[position] = byte;
            if let Ok(srs) = Srs::read_from(&bytes, Trust::Own) {
                let _ = srs.check(&mut rand::rng());
            }
        }
    }

    #[test]
    fn lagrange_forms_are_the_powers_own() {
        let rng = &mut rand::rng();
        let mut srs = Srs::development_with_lagrange(40, &[2, 5], rng);
        assert_eq!((srs.lagrange(2).unwrap().len(), srs.lagrange(3)), (4, None));
        srs.check(rng).unwrap();
        // The FFT over the group gives the same.
        let mut computed = Srs { lagrange: Vec::new(), ..srs.clone() };
        for k in [5, 2, 3] {
            computed.ensure_lagrange(k);
        }
        srs.ensure_lagrange(3);
        assert_eq!(computed, srs);
        assert_eq!(Srs::read_from(&bytes(&srs), Trust::Foreign).as_ref(), Ok(&srs));
        for change in
            [|points: &mut Vec<G1Affine>| points.swap(0, 1), |points: &mut Vec<G1Affine>| points[7] = -points[7]]
        {
            let mut bad = srs.clone();
            change(&mut bad.lagrange[2]);
            assert_eq!(bad.check(rng), Err(SrsError::Inconsistent));
        }
        let mut twice = srs.clone();
        twice.lagrange.insert(0, srs.lagrange[0].clone());
        assert_eq!(Srs::read_from(&bytes(&twice), Trust::Own), Err(SrsError::Header));
        srs.cut(33, &[2]);
        assert_eq!((srs.powers.len(), srs.lagrange.len()), (33, 1));
    }

    #[test]
    fn truncation() {
        let mut srs = string(20);
        assert_eq!(srs.max_log_chunk(), Some(4));
        srs.truncate(17).unwrap();
        assert_eq!((srs.powers.len(), srs.max_log_chunk()), (17, Some(4)));
        srs.truncate(15).unwrap();
        assert_eq!(srs.max_log_chunk(), Some(3));
        assert_eq!(srs.truncate(17), Err(SrsError::TooShort { have: 15, need: 17 }));
        srs.truncate(1).unwrap();
        assert_eq!(srs.max_log_chunk(), Some(0));
        srs.check(&mut rand::rng()).unwrap_err();
    }
}
