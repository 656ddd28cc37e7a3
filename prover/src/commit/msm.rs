//! Multi-scalar multiplication: `Σ_i s_i·P_i`, for small integers and for field elements.
//!
//! Pippenger's bucket method on signed digits, with all curve additions in affine coordinates: `B`
//! independent additions share one field inversion (Montgomery's trick), which leaves six multiplications
//! an addition, where a mixed Jacobian addition has eleven. Independence comes from trees: a bucket's
//! points are summed pairwise, level by level, over all buckets at once, so that equal digits
//! (multiplicities, zero points of a quantization) cost no more than others. The weighted sum of buckets
//! `Σ_b b·B_b` is taken bit by bit of `b`, `Σ_k 2^k·T_k` with `T_k` the sum of those `B_b` that have bit
//! `k` set, by the same trees.
//!
//! Cost: for each entry one addition per nonzero digit, for each window of `w` bits `2^w` more; small
//! integers that are equal are added up first. So a chunk of 16-bit integers takes one addition for each
//! entry, and one more for each distinct magnitude.
//!
//! The running time depends on the values: that is for the prover's own machine, where the owner of the
//! values is at home.

use ark_bn254::{Fq, Fr, G1Affine, G1Projective};
use ark_ec::{AdditiveGroup, AffineRepr, CurveGroup, ScalarMul};
use ark_ff::{BigInt, BigInteger, Field, PrimeField, Zero};
use rayon::prelude::*;

use vouch_circuits::blinds::blind_base;

use super::srs::Srs;

/// Additions that share an inversion: an inversion costs some two hundred multiplications, and the block
/// should stay in the cache.
const BLOCK: usize = 1024;

/// `Σ values_i·powers_i`.
///
/// # Panics
/// If there are more values than powers.
pub fn commit_small(powers: &[G1Affine], values: &[i32]) -> G1Projective {
    assert!(values.len() <= powers.len(), "{} values for {} powers", values.len(), powers.len());
    let (points, magnitudes) = merge_equal(powers, values);
    // How many magnitudes have each bit length.
    let mut lengths = [0usize; 33];
    for magnitude in &magnitudes {
        lengths[(u32::BITS - magnitude.leading_zeros()) as usize] += 1;
    }
    let largest = magnitudes.iter().copied().max().map_or(0, u64::from);
    let cost = |window: usize| {
        let count = small_windows(window, largest);
        let digits: usize = (1..).zip(&lengths[1..]).map(|(bits, len): (usize, _)| len * bits.div_ceil(window)).sum();
        digits + (count << window)
    };
    let window = (1..=16).min_by_key(|&window| cost(window)).unwrap_or(8);
    let count = small_windows(window, largest);
    let digits = Digits { window, count };
    let bias: u64 = (0..count - 1).map(|j| digits.bias() << (j * window)).sum();
    let sums = (0..count)
        .flat_map(|j| {
            bucket_sums(&points, points.len(), window, |i| {
                digits.signed(j, (u64::from(magnitudes[i]) + bias) >> (j * window), false)
            })
        })
        .collect();
    combine(&weighted_sums(sums, window))
}

/// The distinct nonzero magnitudes of the values, each with the sum of its points (negated where the value
/// is negative). Quantized values repeat: what is merged here costs one addition instead of one a window.
/// Magnitudes above 16 bits are rare and stay as they are.
fn merge_equal(powers: &[G1Affine], values: &[i32]) -> (Vec<G1Affine>, Vec<u32>) {
    const DENSE: u32 = 1 << 16;
    let signed = |power: &G1Affine, value: i32| if value < 0 { -*power } else { *power };
    let dense = |value: &i32| (1..DENSE).contains(&value.unsigned_abs());
    let largest = values.iter().filter(|value| dense(value)).map(|value| value.unsigned_abs()).max().unwrap_or(0);
    // A counting sort.
    let mut ends = vec![0u32; largest as usize + 1];
    for value in values.iter().filter(|value| dense(value)) {
        ends[value.unsigned_abs() as usize] += 1;
    }
    let mut magnitudes = Vec::new();
    let mut segments = Vec::new();
    let mut total = 0;
    for (magnitude, end) in (0..).zip(&mut ends) {
        let count = std::mem::replace(end, total);
        if count > 0 {
            magnitudes.push(magnitude);
            segments.push((total as usize, count as usize));
        }
        total += count;
    }
    let mut sorted = vec![G1Affine::identity(); total as usize];
    for (power, value) in powers.iter().zip(values).filter(|(_, value)| dense(value)) {
        let end = &mut ends[value.unsigned_abs() as usize];
        sorted[*end as usize] = signed(power, *value);
        *end += 1;
    }
    let mut points = sum_segments(&mut sorted, &segments);
    for (power, value) in powers.iter().zip(values).filter(|(_, value)| value.unsigned_abs() >= DENSE) {
        magnitudes.push(value.unsigned_abs());
        points.push(signed(power, *value));
    }
    (points, magnitudes)
}

/// `count` digits in `[1 − half, half]`, `half = 2^(window−1)`, to the base `2^window`. All but the
/// highest are stored with `half − 1` added, so that none is negative: with that bias added to a magnitude
/// beforehand, a digit is cut out without carries.
#[derive(Clone, Copy)]
struct Digits {
    window: usize,
    count: usize,
}

impl Digits {
    fn bias(self) -> u64 {
        (1 << (self.window - 1)) - 1
    }

    /// Digit `j`, which begins at the lowest of `bits`.
    fn signed(self, j: usize, bits: u64, negative: bool) -> i32 {
        let bias = if j + 1 < self.count { self.bias() } else { 0 };
        // At most 16 bits.
        let digit = (bits & ((1 << self.window) - 1)) as i32 - bias as i32;
        if negative { -digit } else { digit }
    }
}

/// Windows that the integers up to `largest` need, in digits of at most `2^(window−1)`.
fn small_windows(window: usize, largest: u64) -> usize {
    let mut count = 1;
    let mut reach = 1u64 << (window - 1);
    while reach < largest {
        reach = (reach << window) + (1 << (window - 1));
        count += 1;
    }
    count
}

/// Commits a flat vector in chunks of `2^c` (the last may be shorter), each with its blind.
///
/// # Panics
/// If the reference string has fewer than `2^c` powers, or blinds and chunks differ in number.
pub fn commit_chunks(srs: &Srs, c: usize, values: &[i32], blinds: &[Fr]) -> Vec<G1Affine> {
    let chunk = 1usize << c;
    assert_eq!(values.len().div_ceil(chunk), blinds.len(), "one blind for each chunk");
    let base = blind_base().into_group();
    // A table for the one base of all blinds, and the chunks, which are the bulk of the work.
    let (blinds, sums) = rayon::join(
        || base.batch_mul(blinds),
        || values.par_chunks(chunk).map(|values| commit_small(&srs.powers, values)).collect::<Vec<_>>(),
    );
    let sums: Vec<G1Projective> = sums.iter().zip(blinds).map(|(sum, blind)| *sum + blind).collect();
    G1Projective::normalize_batch(&sums)
}

/// `Σ value·powers[index]` over the entries; an index may repeat.
///
/// # Panics
/// If an index is out of range.
pub fn commit_sparse(powers: &[G1Affine], entries: &[(usize, Fr)]) -> G1Projective {
    let (points, scalars): (Vec<_>, Vec<_>) = entries.iter().map(|&(index, value)| (powers[index], value)).unzip();
    msm(&points, &scalars)
}

/// `Σ scalars_i·points_i`.
///
/// # Panics
/// If there are more scalars than points.
pub fn msm(points: &[G1Affine], scalars: &[Fr]) -> G1Projective {
    assert!(scalars.len() <= points.len(), "{} scalars for {} points", scalars.len(), points.len());
    // The representative of least magnitude, so that small negative numbers are short.
    let scalars: Vec<(BigInt<4>, bool)> = scalars
        .par_iter()
        .map(|scalar| {
            let (plain, negated) = (scalar.into_bigint(), (-*scalar).into_bigint());
            if negated < plain { (negated, true) } else { (plain, false) }
        })
        .collect();
    let bits = scalars.par_iter().map(|(magnitude, _)| magnitude.num_bits() as usize).max().unwrap_or(0);
    if bits == 0 {
        return G1Projective::zero();
    }
    // One bit more than the magnitudes, so that the highest digit is at most half the base even with a
    // carry into it.
    let cost = |window: usize| (bits + 1).div_ceil(window) * (scalars.len() + (1 << window));
    let window = (2..=16).min_by_key(|&window| cost(window)).unwrap_or(8);
    let count = (bits + 1).div_ceil(window);
    let digits = Digits { window, count };
    let mut bias = BigInt::<4>::zero();
    for j in 0..count - 1 {
        let mut term = BigInt::from(digits.bias());
        term <<= (j * window) as u32;
        bias.add_with_carry(&term);
    }
    let biased: Vec<(BigInt<4>, bool)> = scalars
        .into_par_iter()
        .map(|(mut magnitude, negative)| {
            magnitude.add_with_carry(&bias);
            (magnitude, negative)
        })
        .collect();
    let sums: Vec<Vec<G1Affine>> = (0..count)
        .into_par_iter()
        .map(|j| {
            let (limb, shift) = (j * window / 64, j * window % 64);
            bucket_sums(points, biased.len(), window, |i| {
                let (BigInt(limbs), negative) = &biased[i];
                let mut digit = limbs[limb] >> shift;
                if shift + window > 64 && limb + 1 < limbs.len() {
                    digit |= limbs[limb + 1] << (64 - shift);
                }
                digits.signed(j, digit, *negative)
            })
        })
        .collect();
    // Several windows together, so that the small levels of the trees share inversions as well.
    let group = count.div_ceil(rayon::current_num_threads());
    let sums: Vec<G1Affine> =
        sums.par_chunks(group).flat_map_iter(|sums| weighted_sums(sums.concat(), window)).collect();
    combine(&sums)
}

/// The sums `B_0 … B_{2^(w−1)}` of the points by digit, a negative digit standing for the negated point;
/// `B_0` is empty.
fn bucket_sums(points: &[G1Affine], len: usize, window: usize, digit: impl Fn(usize) -> i32) -> Vec<G1Affine> {
    let buckets = (1usize << (window - 1)) + 1;
    // A counting sort by bucket.
    let digits: Vec<i32> = (0..len).map(digit).collect();
    let mut ends = vec![0usize; buckets];
    for digit in digits.iter().filter(|&&digit| digit != 0) {
        ends[digit.unsigned_abs() as usize] += 1;
    }
    let mut total = 0;
    for end in &mut ends {
        let count = std::mem::replace(end, total);
        total += count;
    }
    let starts = ends.clone();
    let mut sorted = vec![G1Affine::identity(); total];
    for (point, digit) in points.iter().zip(&digits).filter(|(_, digit)| **digit != 0) {
        let end = &mut ends[digit.unsigned_abs() as usize];
        sorted[*end] = if *digit < 0 { -*point } else { *point };
        *end += 1;
    }
    let segments: Vec<(usize, usize)> = starts.iter().zip(&ends).map(|(start, end)| (*start, end - start)).collect();
    sum_segments(&mut sorted, &segments)
}

/// From the buckets of several windows in a row, `T_0 … T_{w−1}` of each window in turn, such that `Σ_b
/// b·B_b = Σ_k 2^k·T_k`.
fn weighted_sums(mut buckets: Vec<G1Affine>, window: usize) -> Vec<G1Affine> {
    // The last bucket of a window alone has the highest bit. Below it, level k adds each odd entry to the
    // even one before it; what `T_k` needs are the odd entries as they were before.
    let half = 1usize << (window - 1);
    let windows = buckets.len() / (half + 1);
    let mut odd = Vec::with_capacity(buckets.len());
    let mut segments = vec![(0, 0); windows * window];
    let mut adder = BatchAdder::default();
    for bit in 0..window - 1 {
        let stride = 1usize << bit;
        for index in 0..windows {
            let start = odd.len();
            for even in (index * (half + 1)..).step_by(2 * stride).take(half / (2 * stride)) {
                let addend = buckets[even + stride];
                odd.push(addend);
                // The last level's sums are needed by no bit.
                if 2 * stride < half {
                    adder.add(&mut buckets, even, addend);
                }
            }
            segments[index * window + bit] = (start, odd.len() - start);
        }
        adder.flush(&mut buckets);
    }
    for index in 0..windows {
        segments[index * window + window - 1] = (odd.len(), 1);
        odd.push(buckets[index * (half + 1) + half]);
    }
    sum_segments(&mut odd, &segments)
}

/// `Σ_i 2^i·sums_i`.
fn combine(sums: &[G1Affine]) -> G1Projective {
    sums.iter().rev().fold(G1Projective::zero(), |sum, point| sum.double() + point)
}

/// The sum of each segment `(start, length)` of the points, which are used up.
pub(super) fn sum_segments(points: &mut [G1Affine], segments: &[(usize, usize)]) -> Vec<G1Affine> {
    let mut adder = BatchAdder::default();
    let mut active: Vec<(usize, usize)> = segments.iter().copied().filter(|(_, length)| *length > 1).collect();
    while !active.is_empty() {
        // The upper half joins the lower one; a middle point waits.
        for (start, length) in &mut active {
            let rest = length.div_ceil(2);
            for i in 0..*length - rest {
                let addend = points[*start + rest + i];
                adder.add(points, *start + i, addend);
            }
            *length = rest;
        }
        adder.flush(points);
        active.retain(|(_, length)| *length > 1);
    }
    segments.iter().map(|&(start, length)| if length == 0 { G1Affine::identity() } else { points[start] }).collect()
}

/// Affine additions `points[target] += addend` that wait for a shared inversion.
///
/// Between an [`add`](Self::add) and the next [`flush`](Self::flush) no target may be added to again, nor
/// read.
#[derive(Default)]
pub(super) struct BatchAdder {
    pending: Vec<Pending>,
    /// Product of all denominators.
    product: Fq,
}

struct Pending {
    target: usize,
    addend: G1Affine,
    /// Of the slope; never zero.
    denominator: Fq,
    /// Product of the denominators before this one.
    before: Fq,
}

impl BatchAdder {
    pub(super) fn add(&mut self, points: &mut [G1Affine], target: usize, addend: G1Affine) {
        let point = &mut points[target];
        if addend.is_zero() {
            return;
        }
        if point.is_zero() {
            *point = addend;
            return;
        }
        let mut denominator = addend.x - point.x;
        if denominator.is_zero() {
            if point.y != addend.y {
                *point = G1Affine::identity();
                return;
            }
            // A doubling; no point of this prime-order group has y = 0.
            denominator = point.y.double();
        }
        if self.pending.is_empty() {
            self.product = Fq::ONE;
        }
        self.pending.push(Pending { target, addend, denominator, before: self.product });
        self.product *= denominator;
        if self.pending.len() == BLOCK {
            self.flush(points);
        }
    }

    pub(super) fn flush(&mut self, points: &mut [G1Affine]) {
        if self.pending.is_empty() {
            return;
        }
        // Each factor was checked to be nonzero, so the product is.
        let Some(mut inverse) = self.product.inverse() else { unreachable!("a product of nonzero elements") };
        for Pending { target, addend, denominator, before } in self.pending.drain(..).rev() {
            let point = &mut points[target];
            let rise = if point.x == addend.x {
                let square = point.x.square();
                square.double() + square
            } else {
                addend.y - point.y
            };
            let slope = rise * before * inverse;
            inverse *= denominator;
            let x = slope.square() - point.x - addend.x;
            point.y = slope * (point.x - x) - point.y;
            point.x = x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn naive(points: &[G1Affine], scalars: impl IntoIterator<Item = Fr>) -> G1Projective {
        points.iter().zip(scalars).map(|(point, scalar)| *point * scalar).sum()
    }

    fn distinct(len: usize) -> Vec<G1Affine> {
        Srs::development_with_tau(len, &Fr::from(0x1234_5678_9abc_def1u64)).powers
    }

    /// Few distinct points, their negations and infinity, so that additions double and cancel.
    fn colliding(len: usize) -> Vec<G1Affine> {
        let few = distinct(3);
        (0..len)
            .map(|i| match i * 7 % 11 {
                0 | 5 => few[0],
                1 | 6 => -few[0],
                2 | 7 => few[1],
                3 => -few[1],
                4 => G1Affine::identity(),
                _ => few[2],
            })
            .collect()
    }

    fn values() -> impl Strategy<Value = Vec<i32>> {
        let value = prop_oneof![
            4 => Just(0),
            4 => prop_oneof![Just(1), Just(-1)],
            4 => -129..=129i32,
            8 => any::<i16>().prop_map(i32::from),
            2 => any::<u16>().prop_map(i32::from),
            1 => any::<i32>(),
            1 => prop_oneof![Just(i32::MIN), Just(i32::MAX), Just(-32768), Just(32768), Just(32896), Just(32897)],
        ];
        prop_oneof![vec(value, 0..80), vec(-1..=1i32, 0..80), (any::<i32>(), 0..80usize).prop_map(|(v, n)| vec![v; n])]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn small_equals_naive(values in values()) {
            for points in [distinct(values.len()), colliding(values.len()), vec![G1Affine::generator(); values.len()]] {
                prop_assert_eq!(commit_small(&points, &values), naive(&points, values.iter().map(|&v| Fr::from(v))));
            }
        }

        #[test]
        fn full_equals_naive(seeds in vec(any::<[u8; 32]>(), 0..40), shift in 0..8u32) {
            // Of various lengths: the top bytes are cleared.
            let scalars: Vec<Fr> = seeds
                .iter()
                .map(|seed| Fr::from_le_bytes_mod_order(&seed[..32 >> shift.min(5)]))
                .flat_map(|scalar| [scalar, -scalar])
                .collect();
            for points in [distinct(scalars.len()), colliding(scalars.len())] {
                prop_assert_eq!(msm(&points, &scalars), naive(&points, scalars.iter().copied()));
            }
        }
    }

    #[test]
    fn extreme_integers() {
        for value in [i32::MIN, i32::MIN + 1, i32::MAX, -32769, -32768, -32767, 32767, 32768, 32896, 32897, -1, 0, 1] {
            for len in [1, 2, 3, 64, 257] {
                let points = distinct(len);
                let values = vec![value; len];
                assert_eq!(commit_small(&points, &values), naive(&points, values.iter().map(|&v| Fr::from(v))));
            }
        }
    }

    #[test]
    fn every_window_of_long_vectors() {
        // Lengths at which the cost model picks wide windows; the sum over equal points is known.
        let generator = G1Affine::generator();
        for log in [10, 14, 17] {
            let points = vec![generator; 1 << log];
            let values: Vec<i32> = (0..1i64 << log).map(|i| (i * 0x9e37_79b9 % 65_521 - 32_760) as i32).collect();
            let sum: i64 = values.iter().map(|&v| i64::from(v)).sum();
            assert_eq!(commit_small(&points, &values), generator * Fr::from(sum));
            let scalars: Vec<Fr> = values.iter().map(|&v| Fr::from(v).square() * Fr::from(-3).pow([77u64])).collect();
            assert_eq!(msm(&points, &scalars), generator * scalars.iter().sum::<Fr>());
        }
    }

    #[test]
    fn extreme_scalars() {
        let half = Fr::from(2).inverse().unwrap();
        let scalars = [Fr::ZERO, Fr::ONE, -Fr::ONE, half, -half, half - Fr::ONE, half + Fr::ONE];
        for len in [1, 7, 33, 700, 5000] {
            let scalars: Vec<Fr> = (0..len).map(|i| scalars[i * 5 % 7]).collect();
            let points = distinct(len);
            assert_eq!(msm(&points, &scalars), naive(&points, scalars.iter().copied()), "{len}");
        }
    }

    #[test]
    fn chunks_carry_their_blinds() {
        let c = 4;
        let srs = Srs::development_with_tau(1 << c, &Fr::from(987_654_321u64));
        let values: Vec<i32> = (0..3 * 16 + 5).map(|i| i * i * 31 - 20_000).collect();
        let blinds: Vec<Fr> = (1..=4u64).map(|i| Fr::from(i).pow([100 + i])).collect();
        let commitments = commit_chunks(&srs, c, &values, &blinds);
        for ((values, blind), commitment) in values.chunks(16).zip(&blinds).zip(&commitments) {
            let plain = naive(&srs.powers, values.iter().map(|&v| Fr::from(v)));
            assert_eq!(plain + blind_base() * blind, *commitment);
        }
        assert_eq!(commitments.len(), 4);
        assert!(commit_chunks(&srs, c, &[], &[]).is_empty());
    }

    #[test]
    fn sparse_entries_may_repeat() {
        let powers = distinct(20);
        let entries = [(3, Fr::from(5)), (17, -Fr::from(9)), (3, Fr::from(-5)), (0, Fr::from(7).inverse().unwrap())];
        let expected: G1Projective = entries.iter().map(|&(i, value)| powers[i] * value).sum();
        assert_eq!(commit_sparse(&powers, &entries), expected);
        assert!(commit_sparse(&powers, &[]).is_zero());
    }
}
