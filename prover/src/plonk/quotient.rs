//! The quotient of the constraints' sum by what vanishes in all rows.
//!
//! Of degree below `6·2^k`, it is found from its values on six cosets of the rows: on the coset of `s` it agrees with a polynomial of `2^k` coefficients,
//! `Σ s^{j·n}·piece_j`, and six of these determine the pieces.

use std::ops::{Add, Mul, Sub};

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field, One};
use rand::CryptoRng;
use rayon::prelude::*;
use vouch_circuits::shell::copies::{Copies, Product};
use vouch_circuits::shell::domain::{GENERATOR, root};
use vouch_circuits::shell::gates::{Algebra, Cells, DEGREE, Selectors};
use vouch_circuits::shell::poseidon::CELLS;
use vouch_circuits::shell::shape::MIN_K;

use super::{Column, ProvingKey};
use crate::commit::random_scalar;

/// Pieces of the quotient, each of as many coefficients as there are rows.
const PIECES: usize = DEGREE - 1;
/// Rows that are evaluated together; no circuit has fewer.
const BLOCK: usize = 16;
const _: () = assert!(BLOCK <= 1 << MIN_K);
/// Cosets among which the pieces' are the first.
const COSETS: usize = PIECES.next_power_of_two();

/// The quotient's pieces, of constraints combined by powers of the last challenge.
pub fn pieces(
    key: &ProvingKey,
    advice: &[Column],
    instance: &Column,
    products: &[Column],
    challenges: &[Fr; 3],
) -> Vec<Vec<Fr>> {
    let rows = &key.rows;
    let ends = [0..1, rows.end()..rows.end() + 1, 0..rows.end()].map(|range| rows.indicator(range));
    let finer = root((rows.size * COSETS).trailing_zeros());
    let shifts = std::iter::successors(Some(Fr::from(GENERATOR)), |shift| Some(*shift * finer)).take(PIECES);
    let shifts: Vec<Fr> = shifts.collect();
    let parts: Vec<Vec<Fr>> = shifts
        .iter()
        .map(|shift| {
            let coset = rows.coset(*shift);
            let on_coset = |columns: &[Column]| -> Vec<Vec<Fr>> {
                columns.par_iter().map(|column| coset.values(&column.coefficients)).collect()
            };
            let columns = Columns {
                key,
                advice: on_coset(advice),
                instance: coset.values(&instance.coefficients),
                products: on_coset(products),
                fixed: on_coset(&key.fixed),
                permuted: on_coset(&key.permuted),
                ends: on_coset(&ends),
                elements: rows.elements(*shift),
            };
            // The rows' subgroup is the coset of 1, and no shift lies in it.
            let scale = (rows.power(shift) - Fr::one()).inverse().unwrap_or_default();
            let values = (0..rows.size / BLOCK)
                .into_par_iter()
                .flat_map_iter(|block| columns.sum(block * BLOCK, challenges).0.map(|value| value * scale))
                .collect();
            coset.coefficients(values)
        })
        .collect();
    let powers: Vec<Fr> = shifts.iter().map(|shift| rows.power(shift)).collect();
    let weights = lagrange_coefficients(&powers);
    let piece = |j: usize| {
        let coefficient = |i: usize| parts.iter().zip(&weights).map(|(part, weights)| part[i] * weights[j]).sum();
        (0..rows.size).into_par_iter().map(coefficient).collect()
    };
    (0..PIECES).map(piece).collect()
}

/// The same quotient of pieces that are one coefficient longer, and of which all but any one are uniform at any point but 0: a random multiple of
/// the power behind a piece is taken from the next one's constant (Gabizon, Williamson, Ciobotaru: PLONK, ePrint 2019/953, section 8.3,
/// round 3).
pub fn blinded(mut pieces: Vec<Vec<Fr>>, rng: &mut impl CryptoRng) -> Vec<Vec<Fr>> {
    let mut carried = Fr::ZERO;
    let last = pieces.len() - 1;
    for (j, piece) in pieces.iter_mut().enumerate() {
        piece[0] -= carried;
        carried = if j < last { random_scalar(rng) } else { Fr::ZERO };
        piece.push(carried);
    }
    pieces
}

/// `Σ power^j·piece_j`.
pub fn joined(pieces: &[Vec<Fr>], power: &Fr) -> Vec<Fr> {
    let mut joined = vec![Fr::ZERO; pieces.first().map_or(0, Vec::len)];
    for piece in pieces.iter().rev() {
        joined.par_iter_mut().zip(piece).for_each(|(sum, coefficient)| *sum = *sum * power + coefficient);
    }
    joined
}

/// The coefficients of the polynomials that are 1 at one of these points and 0 at the others.
fn lagrange_coefficients(points: &[Fr]) -> Vec<Vec<Fr>> {
    let of = |i: usize| {
        let mut product = vec![Fr::one()];
        let mut scale = Fr::one();
        for (_, other) in points.iter().enumerate().filter(|(j, _)| *j != i) {
            product.push(Fr::ZERO);
            for at in (0..product.len()).rev() {
                let before = if at > 0 { product[at - 1] } else { Fr::ZERO };
                product[at] = before - *other * product[at];
            }
            scale *= points[i] - other;
        }
        // The points are different.
        let scale = scale.inverse().unwrap_or_default();
        product.into_iter().map(|coefficient| coefficient * scale).collect()
    };
    (0..points.len()).map(of).collect()
}

/// All columns on a coset of the rows.
struct Columns<'k> {
    key: &'k ProvingKey,
    advice: Vec<Vec<Fr>>,
    instance: Vec<Fr>,
    products: Vec<Vec<Fr>>,
    fixed: Vec<Vec<Fr>>,
    permuted: Vec<Vec<Fr>>,
    /// 1 in the first row, in that where products end, and in those above it.
    ends: Vec<Vec<Fr>>,
    elements: Vec<Fr>,
}

impl Columns<'_> {
    /// The constraints' sum in a block of rows.
    fn sum(&self, start: usize, [beta, gamma, y]: &[Fr; 3]) -> Block {
        let own = |column: &Vec<Fr>| block(column, start);
        let next = |column: &Vec<Fr>| block(column, start + 1);
        let all = |columns: &[Vec<Fr>]| columns.iter().map(own).collect::<Vec<_>>();
        let (fixed, cells) = (all(&self.fixed), all(&self.advice));
        let kind = Selectors {
            partial: fixed[0].clone(),
            next_partial: next(&self.fixed[0]),
            full: fixed[1].clone(),
            arithmetic: fixed[2].clone(),
        };
        let gates = (0..self.key.columns.lanes).flat_map(|lane| {
            let constants = &fixed[3 + lane * (CELLS + 1)..];
            let lane = Cells {
                own: std::array::from_fn(|i| cells[lane * CELLS + i].clone()),
                next: std::array::from_fn(|i| next(&self.advice[lane * CELLS + i])),
                linear: std::array::from_fn(|i| constants[i].clone()),
                product: constants[3].clone(),
                constant: constants[4].clone(),
                kind: kind.clone(),
            };
            lane.gates()
        });
        let [first, end, usable] = [0, 1, 2].map(|i| own(&self.ends[i]));
        let count = self.products.len();
        let product = |(i, column): (usize, &Vec<Fr>)| {
            let last = (i + 1 < count).then(|| block(column, start + self.key.rows.end()));
            Product { own: own(column), next: next(column), last }
        };
        let copies = Copies {
            products: self.products.iter().enumerate().map(product).collect(),
            columns: cells.iter().cloned().chain([own(&self.instance)]).collect(),
            permuted: all(&self.permuted),
            row: own(&self.elements),
            first,
            end,
            usable,
        };
        let constraints = gates.chain(copies.constraints(beta, gamma));
        constraints.fold(Block([Fr::ZERO; BLOCK]), |sum, constraint| sum.times(y) + constraint)
    }
}

/// The same in several rows, so that what a gate allocates is little beside what it computes.
#[derive(Clone, Debug)]
struct Block([Fr; BLOCK]);

/// A column's cells from a row on, the first row following the last one.
fn block(column: &[Fr], start: usize) -> Block {
    Block(std::array::from_fn(|i| column[(start + i) % column.len()]))
}

impl Block {
    fn with(mut self, other: &Self, operation: impl Fn(&mut Fr, &Fr)) -> Self {
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| operation(own, other));
        self
    }
}

impl Add for Block {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.with(&other, |a, b| *a += b)
    }
}

impl Sub for Block {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.with(&other, |a, b| *a -= b)
    }
}

impl Mul for Block {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        self.with(&other, |a, b| *a *= b)
    }
}

impl Algebra for Block {
    fn number(value: &Fr) -> Self {
        Self([*value; BLOCK])
    }
    fn times(mut self, factor: &Fr) -> Self {
        self.0.iter_mut().for_each(|value| *value *= factor);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plonk::evaluate;

    #[test]
    fn blinds_cancel_and_reach_every_piece() {
        let mut rng = rand::rng();
        let pieces: Vec<Vec<Fr>> = (0..PIECES).map(|_| (0..4).map(|_| random_scalar(&mut rng)).collect()).collect();
        let blinded = blinded(pieces.clone(), &mut rng);
        let x = random_scalar(&mut rng);
        let power = x.pow([4u64]);
        assert_eq!(evaluate(&joined(&blinded, &power), &x), evaluate(&joined(&pieces, &power), &x));
        for (one, other) in blinded.iter().zip(&pieces) {
            assert_eq!(one.len(), 5);
            assert_ne!(evaluate(one, &x), evaluate(other, &x));
        }
    }

    #[test]
    fn pieces_join_at_a_point() {
        let mut rng = rand::rng();
        let whole: Vec<Fr> = (0..12).map(|_| random_scalar(&mut rng)).collect();
        let pieces: Vec<Vec<Fr>> = whole.chunks(4).map(<[Fr]>::to_vec).collect();
        let x = random_scalar(&mut rng);
        assert_eq!(evaluate(&joined(&pieces, &x.pow([4u64])), &x), evaluate(&whole, &x));
    }

    #[test]
    fn polynomials_are_one_at_one_point() {
        let points: Vec<Fr> = (2..7u64).map(Fr::from).collect();
        for (i, coefficients) in lagrange_coefficients(&points).iter().enumerate() {
            for (j, point) in points.iter().enumerate() {
                assert_eq!(evaluate(coefficients, point), Fr::from(u64::from(i == j)));
            }
        }
    }
}
