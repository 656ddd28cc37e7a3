//! The gates of the shell's circuit, and which selectors a kind of row has.
//!
//! They are written once, over anything that can be added and multiplied ([`Algebra`]): the circuit has them as polynomials, a verifier
//! as their values at one point.

use std::ops::{Add, Mul, Sub};

use ark_bn254::Fr;

use super::poseidon::{CELLS, Forms, Kind, forms, inverse_matrix};
use crate::poseidon::WIDTH;

/// Degree of the highest gate: a selector of two factors times a fifth power.
pub const DEGREE: usize = 7;

/// What gates are computed with.
pub trait Algebra: Clone + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> {
    /// A number.
    fn number(value: &Fr) -> Self;
    /// Multiplied by a number.
    fn times(self, factor: &Fr) -> Self;
}

impl Algebra for Fr {
    fn number(value: &Fr) -> Self {
        *value
    }
    fn times(self, factor: &Fr) -> Self {
        self * factor
    }
}

/// A lane's cells of a row and of the next one, with the row's selectors.
#[derive(Clone, Debug)]
pub struct Cells<T> {
    /// `s_0 s_1 s_2 p`, `a b c d` or four `x`.
    pub own: [T; CELLS],
    /// The next row's.
    pub next: [T; CELLS],
    /// `k_0 k_1 k_2` or `q_a q_b q_c`.
    pub linear: [T; WIDTH],
    /// `x_1`'s constant or `q_ab`.
    pub product: T,
    /// `k_3` or `q_0`.
    pub constant: T,
    /// The selectors.
    pub kind: Selectors<T>,
}

/// The columns of zeros and ones, which all lanes share.
#[derive(Clone, Debug)]
pub struct Selectors<T> {
    /// Whether the row holds four partial rounds.
    pub partial: T,
    /// Whether the next one does.
    pub next_partial: T,
    /// Whether it is a full round.
    pub full: T,
    /// Whether it is an arithmetic row, or, if it is a full round, absorbs.
    pub arithmetic: T,
}

/// `partial`, `full` and `arithmetic` in a row of this kind; an arithmetic row has the last alone.
pub fn selectors(kind: Kind) -> [bool; 3] {
    match kind {
        Kind::Absorb => [false, true, true],
        Kind::Full => [false, true, false],
        Kind::Enter => [false, false, false],
        Kind::Partial | Kind::Leave => [true, false, false],
    }
}

/// What several gates compute of a row and the next one.
struct Shared<T> {
    /// Fifth powers of the cells.
    own: [T; CELLS],
    next: [T; CELLS],
    /// What a full round's powers are, by the state that follows.
    raised: Vec<T>,
}

impl<T: Algebra> Cells<T> {
    /// All gates' polynomials, each zero in every row, in the circuit's order.
    pub fn gates(&self) -> Vec<T> {
        let [s0, s1, s2, _] = self.next.clone();
        let after = [s0 - self.constant.clone(), s1, s2];
        let shared = &Shared {
            own: self.own.each_ref().map(fifth_power),
            next: self.next.each_ref().map(fifth_power),
            raised: inverse_matrix().iter().map(|row| form(row, &after)).collect(),
        };
        let gates = [
            self.absorb(shared),
            self.full(shared),
            self.enter(shared),
            self.partial(shared),
            self.leave(shared),
            self.arithmetic(),
        ];
        gates.concat()
    }

    fn absorb(&self, shared: &Shared<T>) -> Vec<T> {
        let [s0, s1, s2, p] = self.own.clone();
        let [.., next_p] = self.next.clone();
        let selector = self.kind.full.clone() * self.kind.arithmetic.clone();
        selected(&selector, self.round([s0, s1 + p, s2 + next_p], shared))
    }

    fn full(&self, shared: &Shared<T>) -> Vec<T> {
        let [s0, s1, s2, _] = self.own.clone();
        let selector = self.kind.full.clone() * not(&self.kind.arithmetic);
        selected(&selector, self.round([s0, s1, s2], shared))
    }

    /// A full round of `s`.
    fn round(&self, s: [T; WIDTH], shared: &Shared<T>) -> Vec<T> {
        let powers = s.into_iter().zip(self.linear.clone()).map(|(s, k)| fifth_power(&(s + k)));
        powers.zip(&shared.raised).map(|(power, raised)| power - raised.clone()).collect()
    }

    fn enter(&self, shared: &Shared<T>) -> Vec<T> {
        let Forms { first, second, .. } = forms();
        let [x0, s1, s2, x1] = self.own.clone();
        let [p0, _, _, p1] = shared.own.clone();
        let [x2, ..] = self.next.clone();
        let is_first = form(first, &[p0.clone(), s1.clone(), s2.clone()]) + self.product.clone() - x1.clone();
        let is_second = form(second, &[p0.clone(), p1.clone(), s1, s2]) + self.linear[0].clone() - x2;
        let all = [vec![is_first, is_second], self.following(&[x0, x1], &[p0, p1], shared)].concat();
        selected(&(not(&self.kind.partial) * self.kind.next_partial.clone()), all)
    }

    fn partial(&self, shared: &Shared<T>) -> Vec<T> {
        let selector = self.kind.partial.clone() * self.kind.next_partial.clone();
        selected(&selector, self.following(&self.own[1..], &shared.own[1..], shared))
    }

    /// That the last of the next row's cells follow, each from the three before it, of which `before` are the first and `powers` their
    /// fifth powers.
    fn following(&self, before: &[T], powers: &[T], shared: &Shared<T>) -> Vec<T> {
        let [k0, k1, k2] = self.linear.clone();
        let constants = [k0, k1, k2, self.constant.clone()];
        let (all, powers) = ([before, &self.next].concat(), [powers, &shared.next].concat());
        let constants = &constants[CELLS + WIDTH - all.len()..];
        let follows = constants.iter().enumerate().map(|(i, constant)| {
            let from = [&all[i + 1..i + 3], &powers[i..i + 3]].concat();
            form(&forms().next, &from) + constant.clone() - all[i + 3].clone()
        });
        follows.collect()
    }

    fn leave(&self, shared: &Shared<T>) -> Vec<T> {
        let [_, _, x2, x3] = self.own.clone();
        let [_, p1, p2, _] = shared.own.clone();
        let [s0, s1, s2, _] = self.next.clone();
        let from = [x2, x3.clone(), p1, p2];
        let [_, k1, k2] = self.linear.clone();
        let [of_s1, of_s2] = &forms().last;
        let selector = self.kind.partial.clone() * not(&self.kind.next_partial);
        selected(&selector, vec![x3 - s0, form(of_s1, &from) + k1 - s1, form(of_s2, &from) + k2 - s2])
    }

    fn arithmetic(&self) -> Vec<T> {
        let [a, b, c, d] = self.own.clone();
        let [qa, qb, qc] = self.linear.clone();
        let selector = self.kind.arithmetic.clone() * not(&self.kind.full);
        let sum = self.product.clone() * a.clone() * b.clone() + qa * a + qb * b + qc * c + self.constant.clone();
        selected(&selector, vec![sum - d])
    }
}

fn selected<T: Algebra>(selector: &T, constraints: Vec<T>) -> Vec<T> {
    constraints.into_iter().map(|constraint| selector.clone() * constraint).collect()
}

fn not<T: Algebra>(selector: &T) -> T {
    T::number(&Fr::from(1u64)) - selector.clone()
}

fn fifth_power<T: Algebra>(x: &T) -> T {
    let square = x.clone() * x.clone();
    square.clone() * square * x.clone()
}

/// `Σ coefficient·value`.
fn form<T: Algebra>(coefficients: &[Fr], values: &[T]) -> T {
    let terms = coefficients.iter().zip(values).map(|(coefficient, value)| value.clone().times(coefficient));
    terms.reduce(|sum, term| sum + term).unwrap_or_else(|| T::number(&Fr::from(0u64)))
}
