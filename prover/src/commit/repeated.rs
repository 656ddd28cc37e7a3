//! Commitments to field elements many of which are zero, or the same: the fractions of a lookup argument, where rows with equal keys have
//! equal fractions, and a row that is looked up once has the negative of its table row's.
//!
//! The points of equal elements are added first, so that each element is multiplied once.
//!
//! Cost: an addition for each element that is not zero, and a scalar multiplication of full size for each that is another, signs apart.

use std::collections::HashMap;

use ark_bn254::{Fr, G1Affine, G1Projective};
use ark_ec::{AffineRepr, CurveGroup, ScalarMul};
use ark_ff::{PrimeField, Zero};
use rayon::prelude::*;

use vouch_circuits::blinds::blind_base;

use super::msm::{msm, sum_segments};
use super::srs::Srs;

/// Commits a flat vector in chunks of `2^c` (the last may be shorter), each with its blind.
///
/// # Panics
/// If the reference string has fewer than `2^c` powers, or blinds and chunks differ in number.
pub fn commit_field_chunks(srs: &Srs, c: usize, values: &[Fr], blinds: &[Fr]) -> Vec<G1Affine> {
    let chunk = 1usize << c;
    assert_eq!(values.len().div_ceil(chunk), blinds.len(), "one blind for each chunk");
    let blinds = blind_base().into_group().batch_mul(blinds);
    let sums: Vec<G1Projective> = values.par_chunks(chunk).map(|values| commit_repeated(&srs.powers, values)).collect();
    let sums: Vec<G1Projective> = sums.iter().zip(blinds).map(|(sum, blind)| *sum + blind).collect();
    G1Projective::normalize_batch(&sums)
}

/// `Σ values_i·powers_i`.
///
/// # Panics
/// If there are more values than powers.
pub fn commit_repeated(powers: &[G1Affine], values: &[Fr]) -> G1Projective {
    assert!(values.len() <= powers.len(), "{} values for {} powers", values.len(), powers.len());
    let (mut numbers, mut distinct, mut counts) = (HashMap::new(), Vec::new(), Vec::new());
    // For each value that is not zero its point, negated where the other sign came first, and its number.
    let mut used = Vec::new();
    for (power, value) in powers.iter().zip(values).filter(|(_, value)| !value.is_zero()) {
        let (plain, negated) = (value.into_bigint(), (-*value).into_bigint());
        let (magnitude, point, scalar) =
            if negated < plain { (negated, -*power, -*value) } else { (plain, *power, *value) };
        let number = *numbers.entry(magnitude).or_insert_with(|| {
            distinct.push(scalar);
            counts.push(0);
            distinct.len() - 1
        });
        counts[number] += 1;
        used.push((number, point));
    }
    // A counting sort.
    let mut segments = Vec::with_capacity(distinct.len());
    let mut total = 0;
    for count in &counts {
        segments.push((total, *count));
        total += count;
    }
    let mut ends: Vec<usize> = segments.iter().map(|(start, _)| *start).collect();
    let mut sorted = vec![G1Affine::identity(); total];
    for (number, point) in used {
        sorted[ends[number]] = point;
        ends[number] += 1;
    }
    msm(&sum_segments(&mut sorted, &segments), &distinct)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::{commit_sparse, random_scalar};
    use proptest::prelude::*;
    use std::sync::LazyLock;

    static SRS: LazyLock<Srs> = LazyLock::new(|| Srs::development(64, &mut rand::rng()));

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// Few different values, of both signs, zeros among them.
        #[test]
        fn repeated_equals_plain(picks in prop::collection::vec(-4i32..=4, 0..200)) {
            let pool: Vec<Fr> = (0..4).map(|_| random_scalar(&mut rand::rng())).collect();
            let value = |pick: &i32| match pick {
                0 => Fr::zero(),
                pick if *pick > 0 => pool[*pick as usize - 1],
                pick => -pool[-pick as usize - 1],
            };
            let values: Vec<Fr> = picks.iter().map(value).collect();
            let blinds: Vec<Fr> = values.chunks(64).map(|_| random_scalar(&mut rand::rng())).collect();
            let committed = commit_field_chunks(&SRS, 6, &values, &blinds);
            for ((chunk, blind), found) in values.chunks(64).zip(&blinds).zip(committed) {
                let entries: Vec<(usize, Fr)> = chunk.iter().copied().enumerate().collect();
                let expected = commit_sparse(&SRS.powers, &entries) + blind_base() * blind;
                prop_assert_eq!(found, expected.into_affine());
            }
        }
    }
}
