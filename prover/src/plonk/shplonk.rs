//! The opening of all polynomials at once.
//!
//! Boneh, Drake, Fisch, Gabizon: ePrint 2020/081, section 4, with the last quotient scaled as Halo2 has it.

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field, One};
use rayon::prelude::*;

use super::{ProvingKey, Writer};
use crate::commit::opening::divide_by_linear;

/// Polynomials that are opened at the same points.
pub struct Set<'p> {
    /// Different from one another; those of the first set are among those of all others, or all of them.
    pub points: Vec<Fr>,
    /// By their coefficients.
    pub polynomials: Vec<&'p [Fr]>,
}

/// Appends the opening's two points; the values are in the transcript.
pub fn open(key: &ProvingKey, sets: &[Set], transcript: &mut Writer) {
    let (y, v) = (transcript.challenge(), transcript.challenge());
    let combined: Vec<Vec<Fr>> = sets.iter().map(|set| combined(&set.polynomials, &y)).collect();
    let mut quotient = vec![Fr::ZERO; combined.iter().map(Vec::len).max().unwrap_or_default()];
    for (set, polynomial) in sets.iter().zip(&combined).rev() {
        // What interpolates the values is the remainder.
        let part = set.points.iter().fold(polynomial.clone(), |part, point| divide_by_linear(&part, point).0);
        quotient.par_iter_mut().for_each(|sum| *sum *= v);
        quotient.par_iter_mut().zip(part).for_each(|(sum, coefficient)| *sum += coefficient);
    }
    transcript.point(&key.commit(&quotient));

    let u = transcript.challenge();
    let mut all: Vec<Fr> = Vec::new();
    for point in sets.iter().flat_map(|set| &set.points) {
        if !all.contains(point) {
            all.push(*point);
        }
    }
    let vanishing = |points: &[Fr]| points.iter().map(|point| u - point).product::<Fr>();
    let outside = |own: &[Fr]| all.iter().filter(|point| !own.contains(point)).map(|point| u - point).product::<Fr>();
    let first = sets.first().map_or(&[][..], |set| &set.points);
    // The challenge is one of the points with negligible probability; the proof is refused then.
    let scale = outside(first).inverse().unwrap_or_default();
    let mut witness = quotient;
    let own = -vanishing(first);
    witness.par_iter_mut().for_each(|coefficient| *coefficient *= own);
    let mut of_set = scale;
    for (set, polynomial) in sets.iter().zip(&combined) {
        let weight = of_set * outside(&set.points);
        witness.par_iter_mut().zip(polynomial).for_each(|(sum, coefficient)| *sum += weight * coefficient);
        of_set *= v;
    }
    transcript.point(&key.commit(&divide_by_linear(&witness, &u).0));
}

/// `Σ y^j·polynomial_j`.
fn combined(polynomials: &[&[Fr]], y: &Fr) -> Vec<Fr> {
    let mut sum = vec![Fr::ZERO; polynomials.iter().map(|polynomial| polynomial.len()).max().unwrap_or_default()];
    let mut weight = Fr::one();
    for polynomial in polynomials {
        sum.par_iter_mut().zip(*polynomial).for_each(|(sum, coefficient)| *sum += weight * coefficient);
        weight *= y;
    }
    sum
}
