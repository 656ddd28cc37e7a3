//! The verifier's half of a sumcheck, one round at a time; the prover's is `vouch_prover::sumcheck`.
//!
//! Of a round polynomial one coefficient follows from the claim before it and is not sent.

use ark_bn254::Fr;
use ark_ff::One;

use crate::backend::{Arithmetic, Channel, Check};

/// A plain round of degree 2 or 3: `g(0) + g(1) = sum`. Reads `g`'s coefficients but the linear one, and gives `g(r)` and `r`.
///
/// # Errors
/// A message that is missing.
pub fn round<C: Channel>(ch: &mut C, sum: &C::Scalar, degree: usize) -> Result<(C::Scalar, C::Scalar), Check> {
    let constant = ch.read()?;
    let higher: Vec<C::Scalar> = (2..=degree).map(|_| ch.read()).collect::<Result<_, _>>()?;
    let twice = ch.add(&constant, &constant);
    let linear = higher.iter().fold(ch.sub(sum, &twice), |rest, c| ch.sub(&rest, c));
    let r = ch.challenge();
    let mut value = higher.last().cloned().unwrap_or_else(|| linear.clone());
    for coefficient in higher.iter().rev().skip(1).chain(std::iter::once(&linear)) {
        value = ch.mul_add(coefficient, &r, &value);
    }
    let value = ch.mul_add(&constant, &r, &value);
    Ok((value, r))
}

/// `rounds` plain rounds from the claim `sum`: the claim that is left, and the point.
///
/// # Errors
/// A message that is missing.
pub fn rounds<C: Channel>(
    ch: &mut C,
    sum: &C::Scalar,
    degree: usize,
    rounds: usize,
) -> Result<(C::Scalar, Vec<C::Scalar>), Check> {
    let mut sum = sum.clone();
    let mut point = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let r;
        (sum, r) = round(ch, &sum, degree)?;
        point.push(r);
    }
    Ok((sum, point))
}

/// A round with the factor `eq(z, X)` kept out of the message (Gruen 2024, "Some improvements for the PIOP for ZeroCheck", section 3):
/// of `h(X) = a + bX + cX²` with `(1 - z)·h(0) + z·h(1) = sum`, `b` and `c` are read, and `a = sum - z·(b + c)` follows. Gives `h(r)`
/// and `r`.
///
/// # Errors
/// A message that is missing.
pub fn weighted_round<C: Channel>(ch: &mut C, sum: &C::Scalar, z: &C::Scalar) -> Result<(C::Scalar, C::Scalar), Check> {
    let linear = ch.read()?;
    let square = ch.read()?;
    let r = ch.challenge();
    let rise = ch.add(&linear, &square);
    let rise = ch.mul(z, &rise);
    let constant = ch.sub(sum, &rise);
    let slope = ch.mul_add(&linear, &r, &square);
    let value = ch.mul_add(&constant, &r, &slope);
    Ok((value, r))
}

/// A round of `Σ_i z^i·f(i) = sum`, whose weights are a product, `z^i = Π_k w_k^(i_k)` with `w_k = z^(2^k)`, so that they stay out of the
/// message: with this round's `w`, `sum = h(0) + w·h(1)`. Of `h`, of degree 2, `h(1)` and the leading coefficient are read, and `h(0)`
/// follows without an inverse. Gives `h(r)` and `r`.
///
/// # Errors
/// A message that is missing.
pub fn power_round<C: Channel>(ch: &mut C, sum: &C::Scalar, w: &C::Scalar) -> Result<(C::Scalar, C::Scalar), Check> {
    let at_one = ch.read()?;
    let square = ch.read()?;
    let r = ch.challenge();
    let weighted = ch.mul(w, &at_one);
    let at_zero = ch.sub(sum, &weighted);
    // h(r) = h(0) + r·(h(1) - h(0) + c·(r - 1))
    let before = ch.complement(&r);
    let curve = ch.mul(&square, &before);
    let rise = ch.sub(&at_one, &at_zero);
    let slope = ch.sub(&rise, &curve);
    let value = ch.mul_add(&at_zero, &r, &slope);
    Ok((value, r))
}

/// For each `n`, `Π_{t >= n} (1 - r_t)`: the factor of a part with `n` variables among longer ones.
pub fn late_factors<A: Arithmetic>(ar: &mut A, r: &[A::Scalar]) -> Vec<A::Scalar> {
    let mut factors = vec![ar.constant(Fr::one())];
    for r in r.iter().rev() {
        let clear = ar.complement(r);
        let last = factors.last().cloned().unwrap_or_else(|| clear.clone());
        factors.push(ar.mul(&last, &clear));
    }
    factors.reverse();
    factors
}
