//! The opening of all polynomials at once.
//!
//! Boneh, Drake, Fisch, Gabizon: ePrint 2020/081, section 4, with the last quotient scaled as Halo2 has it.

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field, One};
use rayon::prelude::*;

use super::{ProvingKey, Writer, add_shared};
use crate::commit::opening::divide_by_linear;

/// Polynomials that are opened at the same points.
struct Set<'p> {
    /// Different from one another.
    points: Vec<Fr>,
    /// How many polynomials share a commitment.
    packing: usize,
    /// By their coefficients; those together that share one.
    claims: Vec<Vec<&'p [Fr]>>,
}

/// Sets in the order of their first claims.
#[derive(Default)]
pub struct Sets<'p>(Vec<Set<'p>>);

impl<'p> Sets<'p> {
    /// Opens polynomials that share a commitment at these points.
    pub fn claim(&mut self, points: &[Fr], packing: usize, polynomials: Vec<&'p [Fr]>) {
        match self.0.iter_mut().find(|set| (&set.points[..], set.packing) == (points, packing)) {
            Some(set) => set.claims.push(polynomials),
            None => self.0.push(Set { points: points.to_vec(), packing, claims: vec![polynomials] }),
        }
    }
}

impl Set<'_> {
    /// `Σ y^j·claim_j`, as a polynomial of the commitments'.
    fn combined(&self, y: &Fr) -> Vec<Fr> {
        let longest = self.claims.iter().flatten().map(|polynomial| polynomial.len()).max().unwrap_or_default();
        let mut sum = vec![Fr::ZERO; self.packing * longest];
        let mut weight = Fr::one();
        for polynomials in &self.claims {
            add_shared(&mut sum, polynomials, self.packing, &weight);
            weight *= y;
        }
        sum
    }

    /// Each point with what vanishes at its roots, at `u`.
    fn factors(&self, u: &Fr) -> Vec<(usize, Fr, Fr)> {
        let power = u.pow([self.packing as u64]);
        self.points.iter().map(|point| (self.packing, *point, power - point)).collect()
    }
}

/// Appends the opening's two points; the values are in the transcript.
pub fn open(key: &ProvingKey, Sets(sets): &Sets, transcript: &mut Writer) {
    let (y, v) = (transcript.challenge(), transcript.challenge());
    let combined: Vec<Vec<Fr>> = sets.iter().map(|set| set.combined(&y)).collect();
    let mut quotient = vec![Fr::ZERO; combined.iter().map(Vec::len).max().unwrap_or_default()];
    for (set, polynomial) in sets.iter().zip(&combined).rev() {
        // What interpolates the values is the remainder.
        let part = set.points.iter().fold(polynomial.clone(), |part, point| divide(part, set.packing, point));
        quotient.par_iter_mut().for_each(|sum| *sum *= v);
        quotient.par_iter_mut().zip(part).for_each(|(sum, coefficient)| *sum += coefficient);
    }
    transcript.point(&key.commit(&quotient));

    let u = transcript.challenge();
    let mut all = Vec::new();
    for factor in sets.iter().flat_map(|set| set.factors(&u)) {
        if !all.contains(&factor) {
            all.push(factor);
        }
    }
    let outside = |set: &Set| {
        let own = set.factors(&u);
        all.iter().filter(|factor| !own.contains(factor)).map(|(.., value)| value).product::<Fr>()
    };
    let first = sets.first();
    // The challenge is a root of one of the points with negligible probability; the proof is refused then.
    let scale = first.and_then(|set| outside(set).inverse()).unwrap_or_default();
    let own: Fr = first.into_iter().flat_map(|set| set.factors(&u)).map(|(.., value)| value).product();
    let mut witness = quotient;
    witness.par_iter_mut().for_each(|coefficient| *coefficient *= -own);
    let mut of_set = scale;
    for (set, polynomial) in sets.iter().zip(&combined) {
        let weight = of_set * outside(set);
        witness.par_iter_mut().zip(polynomial).for_each(|(sum, coefficient)| *sum += weight * coefficient);
        of_set *= v;
    }
    transcript.point(&key.commit(&divide_by_linear(&witness, &u).0));
}

/// The quotient by `X^t − point`, `t` being the packing.
fn divide(mut polynomial: Vec<Fr>, packing: usize, point: &Fr) -> Vec<Fr> {
    for i in (packing..polynomial.len()).rev() {
        let carried = polynomial[i] * point;
        polynomial[i - packing] += carried;
    }
    polynomial.drain(..packing.min(polynomial.len()));
    polynomial
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::random_scalar;
    use crate::plonk::evaluate;

    #[test]
    fn quotients_have_remainders_that_interpolate() {
        let mut rng = rand::rng();
        for packing in [1, 4] {
            let pieces: Vec<Vec<Fr>> =
                (0..packing).map(|_| (0..5).map(|_| random_scalar(&mut rng)).collect()).collect();
            let polynomials: Vec<&[Fr]> = pieces.iter().map(|piece| &piece[..]).collect();
            let mut shared = vec![Fr::ZERO; 5 * packing];
            add_shared(&mut shared, &polynomials, packing, &Fr::one());
            let (point, u) = (random_scalar(&mut rng), random_scalar(&mut rng));
            let power = u.pow([packing as u64]);
            // The values at the point's roots are the pieces' at the point.
            let remainder: Fr = pieces.iter().rev().fold(Fr::ZERO, |sum, piece| sum * u + evaluate(piece, &point));
            let quotient = divide(shared.clone(), packing, &point);
            assert_eq!(evaluate(&quotient, &u) * (power - point) + remainder, evaluate(&shared, &u));
        }
    }
}
