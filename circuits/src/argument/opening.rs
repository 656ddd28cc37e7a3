//! HyperKZG: opens one committed polynomial of `2^c` coefficients at a multilinear point (the verifier's
//! half).
//!
//! The fold is Gemini's (Bootle, Chiesa, Hu, Orrù: "Gemini", Eurocrypt 2022, section 2.4.2) in the form of
//! HyperKZG in microsoft/Nova (`src/provider/hyperkzg.rs`); the three points of each fold are opened with
//! the two quotients of Boneh, Drake, Fisch, Gabizon (ePrint 2020/081, section 4).
//!
//! To show: `g`, whose coefficient `i` is the value at the hypercube point `i` (bit `k` is the coordinate
//! `k`), has the multilinear evaluation `v` at `ρ`.
//!
//! 1. With `f_0 = g`, write `f_k(X) = e_k(X²) + X·o_k(X²)`. The fold `f_{k+1} = (1 − ρ_k)·e_k + ρ_k·o_k`
//!    binds the coordinate `k`; `f_c` is the constant `v`. The prover commits to `f_1 … f_{c−1}`.
//! 2. At a challenge `r` the prover sends `f_k(±r)`, hence `e_k(r²)` and `o_k(r²)`, hence `f_{k+1}(r²)`;
//!    `f_0(r²)` is sent. The last must be `v`.
//! 3. `F = Σ_k q^k·f_k` for a challenge `q`; `R` is the quadratic through `F` at `r, −r, r²`;
//!    `H = (F − R) / Z` with `Z(X) = (X² − r²)(X − r²)`. The prover commits to `H`.
//! 4. `L(X) = F(X) − R(z) − Z(z)·H(X)` vanishes at the challenge `z`; the prover commits to
//!    `W = L / (X − z)`.
//!
//! What is left is `e(C_F − R(z)·[1] − Z(z)·H + z·W, [1]) = e(W, [τ])` over the groups, for the outer
//! verifier ([`OpeningScalars`] says with which scalars).
//!
//! `C_F` needs no bound on the degree of `g`. Were `g = Σ_j X^{j·2^c}·g_j(X)` with `g_j` of `2^c`
//! coefficients each, `f_c` would be `Σ_j g̃_j(ρ)·X^j`, and step 2 asks that it be `v` at a random `r²`: so
//! `g̃_0(ρ) = v` all the same, and the other `g̃_j` vanish at `ρ`. That refuses a blind (which sits in `g_1`)
//! that was not subtracted.
//!
//! Cost: `2c + 1` scalars and `c + 1` group elements; the verifier does about `8c` multiplications and two
//! inversions here, and `c + 2` scalar multiplications and two pairings outside; the prover three MSMs of
//! `2^c`.

use ark_bn254::{Fr, G1Affine};
use ark_ff::{AdditiveGroup, Field};

use crate::backend::{Arithmetic, Channel, Check, Step};

/// The group elements that an opening sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpeningPoints {
    /// Commitments to the folds `f_1 … f_{c−1}`.
    pub folds: Vec<G1Affine>,
    /// Commitment to `H`.
    pub quotient: G1Affine,
    /// Commitment to `W`.
    pub witness: G1Affine,
}

impl OpeningPoints {
    /// The groups in which the transcript absorbs them. `W` is in none: no challenge follows it, and the group equation determines it.
    pub fn groups(&self) -> [&[G1Affine]; 2] {
        [&self.folds, std::slice::from_ref(&self.quotient)]
    }
}

/// All groups of points that a transcript absorbs, in order: the commitments to `x`'s chunks, those to `y`'s if there is a `y`, the opening's.
pub fn point_groups<'a>(x: &'a [G1Affine], y: &'a [G1Affine], opening: &'a OpeningPoints) -> Vec<&'a [G1Affine]> {
    let mut groups = vec![x];
    groups.extend((!y.is_empty()).then_some(y));
    groups.extend(opening.groups());
    groups
}

/// The scalars of the group equation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpeningScalars<S> {
    /// `R(z)`: subtracted times `[1]`.
    pub r_at_z: S,
    /// `Z(z)`: subtracted times `H`.
    pub z_quotient: S,
    /// `q`: its powers `q, q², …, q^{c−1}` are added times `f_1 … f_{c−1}` (`g` itself enters once).
    pub q: S,
    /// `z`: added times `W`.
    pub z: S,
}

/// `(f(r), f(−r))` as the values of the even and the odd part at `r²`.
struct Parts<S> {
    even: S,
    odd: S,
}

/// Checks the folds of the opening of `v` at `rho`, and returns what the group equation needs.
///
/// The caller has absorbed the commitment, the claim and (if the commitment is blinded) the revealed blind
/// before.
pub fn verify<C: Channel>(ch: &mut C, rho: &[C::Scalar], v: &C::Scalar) -> Result<OpeningScalars<C::Scalar>, Check> {
    if rho.is_empty() {
        return Err(Check::Shape);
    }
    ch.label(Step::Opening);
    ch.read_points()?;
    let r = ch.challenge();
    let r_inverse = ch.invert(&r, Check::Degenerate)?;
    let r_square = ch.mul(&r, &r);

    let half = Fr::ONE.double().inverse().unwrap_or(Fr::ONE);
    let mut parts = Vec::with_capacity(rho.len());
    for _ in rho {
        let plus = ch.read()?;
        let minus = ch.read()?;
        let sum = ch.add(&plus, &minus);
        let even = ch.scale(&sum, half);
        let difference = ch.sub(&plus, &minus);
        let difference = ch.scale(&difference, half);
        let odd = ch.mul(&difference, &r_inverse);
        parts.push(Parts { even, odd });
    }
    // f_k(r²) for k = 0 … c.
    let mut at_square = Vec::with_capacity(rho.len() + 1);
    at_square.push(ch.read()?);
    for (coordinate, Parts { even, odd }) in rho.iter().zip(&parts) {
        let slope = ch.sub(odd, even);
        at_square.push(ch.mul_add(even, coordinate, &slope));
    }
    if let Some(last) = at_square.pop() {
        ch.assert_equal(&last, v, Check::OpeningFold)?;
    }

    let q = ch.challenge();
    let q_powers = powers(ch, &q, rho.len() - 1);
    // The same combination of the even parts, the odd parts and the values at r².
    let mut even = parts[0].even.clone();
    let mut odd = parts[0].odd.clone();
    let mut square = at_square[0].clone();
    for ((power, parts), value) in q_powers.iter().zip(&parts[1..]).zip(&at_square[1..]) {
        even = ch.mul_add(&even, power, &parts.even);
        odd = ch.mul_add(&odd, power, &parts.odd);
        square = ch.mul_add(&square, power, value);
    }

    ch.read_points()?;
    let z = ch.challenge();

    // R(X) = even + odd·X + curvature·(X² − r²): right at ±r as it stands, and at r² by choice of the
    // curvature.
    let line = ch.mul_add(&even, &odd, &r_square);
    let residue = ch.sub(&square, &line);
    let fourth = ch.mul(&r_square, &r_square);
    let spread = ch.sub(&fourth, &r_square);
    let spread_inverse = ch.invert(&spread, Check::Degenerate)?;
    let curvature = ch.mul(&residue, &spread_inverse);
    let z_square = ch.mul(&z, &z);
    let at_both = ch.sub(&z_square, &r_square);
    let at_third = ch.sub(&z, &r_square);
    let z_quotient = ch.mul(&at_both, &at_third);
    let line = ch.mul_add(&even, &odd, &z);
    let r_at_z = ch.mul_add(&line, &curvature, &at_both);
    Ok(OpeningScalars { r_at_z, z_quotient, q, z })
}

/// `q, q², …, q^count`.
pub fn powers<A: Arithmetic>(ar: &mut A, q: &A::Scalar, count: usize) -> Vec<A::Scalar> {
    let mut powers: Vec<A::Scalar> = Vec::with_capacity(count);
    for _ in 0..count {
        let next = match powers.last() {
            Some(last) => ar.mul(last, q),
            None => q.clone(),
        };
        powers.push(next);
    }
    powers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::plain_arithmetic;

    /// A verifier's end with chosen challenges and no points; counts what it is asked for.
    struct Scripted {
        challenges: Vec<Fr>,
        scalars: usize,
        groups: usize,
    }

    plain_arithmetic!(Scripted);

    impl Channel for Scripted {
        fn label(&mut self, step: Step) {
            assert_eq!(step, Step::Opening);
        }
        fn absorb(&mut self, _: &Fr) {}
        fn read(&mut self) -> Result<Fr, Check> {
            self.scalars += 1;
            Ok(Fr::ZERO)
        }
        fn read_points(&mut self) -> Result<(), Check> {
            self.groups += 1;
            Ok(())
        }
        fn challenge(&mut self) -> Fr {
            self.challenges.pop().expect("three challenges")
        }
    }

    fn run(c: u64, r: Fr) -> (Result<OpeningScalars<Fr>, Check>, Scripted) {
        let challenges = vec![Fr::from(11), Fr::from(3), r];
        let mut script = Scripted { challenges, scalars: 0, groups: 0 };
        let rho: Vec<Fr> = (5..5 + c).map(Fr::from).collect();
        let result = verify(&mut script, &rho, &Fr::ZERO);
        (result, script)
    }

    #[test]
    fn degenerate_challenges_are_refused() {
        for r in [Fr::ZERO, Fr::ONE, -Fr::ONE] {
            assert_eq!(run(3, r).0, Err(Check::Degenerate));
        }
        assert!(run(3, Fr::from(2)).0.is_ok());
    }

    #[test]
    fn messages_are_as_many_as_stated() {
        for c in 1..10 {
            let (result, script) = run(c, Fr::from(7));
            assert_eq!((script.scalars as u64, script.groups), (2 * c + 1, 2));
            assert!(script.challenges.is_empty());
            let scalars = result.expect("zero opens to zero");
            assert_eq!((scalars.q, scalars.z, scalars.r_at_z), (Fr::from(3), Fr::from(11), Fr::ZERO));
            assert_eq!(scalars.z_quotient, Fr::from((11 * 11 - 49) * (11 - 49)));
        }
    }
}
