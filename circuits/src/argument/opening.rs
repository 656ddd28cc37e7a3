//! The opening: one committed polynomial of `2^c` coefficients at a multilinear point (the verifier's half).
//!
//! An inner product of coefficients, shown at one random point as in Mercury (Eagen, Gabizon: ePrint 2025/385, section 4), but of the
//! whole polynomial with all of `eq(ρ, ·)`: Mercury first binds half of the coordinates by a division, which saves the prover one
//! of three multi-scalar multiplications and costs three points more. Two evaluations are then opened by one quotient (Boneh, Drake, Fisch,
//! Gabizon: ePrint 2020/081, section 4).
//!
//! To show: `g`, whose coefficient `i` is the value at the hypercube point `i` (bit `k` is the coordinate `k`), has the multilinear
//! evaluation `v` at `ρ`, that is `Σ_{i < 2^c} g_i·eq(ρ, i) = v`.
//!
//! 1. With `E(X) = Σ_i eq(ρ, i)·X^i = Π_k (1 − ρ_k + ρ_k·X^(2^k))`, the constant coefficient of `g(X)·E(1/X)` is `v`. So there is a
//!    polynomial `S`, the cross terms, with `g(X)·E(1/X) + g(1/X)·E(X) = 2v + X·S(X) + S(1/X)/X`, and only if `v` is that
//!    evaluation. The prover commits to `S`.
//! 2. At a challenge `ζ` this is a claim on `g` and `S`: with `G_1 = E(1/ζ)·g − ζ·S` and `G_2 = E(ζ)·g − S/ζ` it says
//!    `G_1(ζ) + G_2(1/ζ) = 2v`. The prover sends `y = G_1(ζ)`; `G_2(1/ζ)` is then `2v − y`.
//! 3. The prover commits to `H = (G_1 − y)/(X − ζ) + (G_2 − (2v − y))/(X − 1/ζ)`. That this is a polynomial means that neither pole is
//!    there, as they are apart, so both values are right.
//! 4. At a challenge `z` the polynomial `(z − 1/ζ)·(G_1 − y) + (z − ζ)·(G_2 − (2v − y)) − (z − ζ)(z − 1/ζ)·H` vanishes. Divided by the
//!    factor of `g` in it, it is `L = g − s·S − h·H − o`. The prover sends `W = L/(X − z)`.
//!
//! What is left is `e(C_g − s·S − h·H − o·[1] + z·W, [1]) = e(W, [τ])` over the groups, for the outer verifier ([`OpeningScalars`] has
//! the scalars).
//!
//! `C_g` needs no bound on the degree of `g`: step 1 is about the constant coefficient, to which only the first `2^c` of `g`
//! contribute; the others can be anything.
//!
//! Cost: one scalar and three group elements whatever `c` is; the verifier does about `8c` multiplications and two inversions here, and
//! four scalar multiplications and two pairings outside; the prover three multi-scalar multiplications of `2^c` and about
//! `(c + 10)·2^c` field multiplications.

use ark_bn254::{Fr, G1Affine};
use ark_ff::One;

use crate::backend::{Arithmetic, Channel, Check, Step};
use crate::transcript::{first_digest, points_digest};

/// The group elements that an opening sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpeningPoints {
    /// Commitment to `S`.
    pub cross: G1Affine,
    /// Commitment to `H`.
    pub quotient: G1Affine,
    /// Commitment to `W`.
    pub witness: G1Affine,
}

impl OpeningPoints {
    /// All of them, in the order in which they are sent.
    pub fn all(&self) -> [G1Affine; 3] {
        [self.cross, self.quotient, self.witness]
    }

    /// The groups in which the transcript absorbs them. `W` is in none: no challenge follows it, and the group equation determines it.
    pub fn groups(&self) -> [&[G1Affine]; 2] {
        [&self.cross, &self.quotient].map(std::slice::from_ref)
    }
}

/// The digests of all groups of points that a transcript absorbs, in order: the commitments to `x`'s chunks behind the statement, those to
/// `y`'s if there is a `y`, the opening's.
pub fn point_digests(statement: &[u8; 32], x: &[G1Affine], y: &[G1Affine], opening: &OpeningPoints) -> Vec<Fr> {
    let mut digests = vec![first_digest(statement, x)];
    digests.extend((!y.is_empty()).then(|| points_digest(y)));
    digests.extend(opening.groups().map(points_digest));
    digests
}

/// The scalars of the group equation, named by what they multiply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpeningScalars<S> {
    /// Subtracted times `S`.
    pub cross: S,
    /// Subtracted times `H`.
    pub quotient: S,
    /// Subtracted times `[1]`.
    pub one: S,
    /// `z`: added times `W`.
    pub witness: S,
}

/// Reads an opening of `v` at `rho`, and returns what the group equation needs. That alone tells whether the opening is right: none of its
/// messages can be checked here.
///
/// The caller has absorbed the commitment, the claim and (if the commitment is blinded) the revealed blind
/// before.
///
/// # Errors
/// A message that is missing, or a degenerate challenge.
pub fn verify<C: Channel>(ch: &mut C, rho: &[C::Scalar], v: &C::Scalar) -> Result<OpeningScalars<C::Scalar>, Check> {
    ch.label(Step::Opening);
    ch.read_points()?;
    let zeta = ch.challenge();
    let y = ch.read()?;
    ch.read_points()?;
    let z = ch.challenge();
    scalars(ch, rho, v, [&zeta, &y, &z])
}

/// The scalars of the group equation for the claim `v` at `rho`, the challenges `ζ` and `z`, and the message `y` between them.
///
/// # Errors
/// A degenerate challenge.
pub fn scalars<A: Arithmetic>(
    ar: &mut A,
    rho: &[A::Scalar],
    v: &A::Scalar,
    [zeta, y, z]: [&A::Scalar; 3],
) -> Result<OpeningScalars<A::Scalar>, Check> {
    let inverse = ar.invert(zeta, Check::Degenerate)?;
    let at_zeta = eq_polynomial(ar, rho, zeta);
    let at_inverse = eq_polynomial(ar, rho, &inverse);
    let from_zeta = ar.sub(z, zeta);
    let from_inverse = ar.sub(z, &inverse);
    let factor = ar.mul(&from_inverse, &at_inverse);
    let factor = ar.mul_add(&factor, &from_zeta, &at_zeta);
    let scale = ar.invert(&factor, Check::Degenerate)?;

    let product = ar.mul(&from_zeta, &from_inverse);
    let quotient = ar.mul(&product, &scale);
    // (z − 1/ζ)·ζ + (z − ζ)/ζ.
    let cross = ar.mul(&from_inverse, zeta);
    let cross = ar.mul_add(&cross, &from_zeta, &inverse);
    let cross = ar.mul(&cross, &scale);
    let double = ar.add(v, v);
    let other = ar.sub(&double, y);
    let one = ar.mul(&from_inverse, y);
    let one = ar.mul_add(&one, &from_zeta, &other);
    let one = ar.mul(&one, &scale);
    Ok(OpeningScalars { cross, quotient, one, witness: z.clone() })
}

/// `E(x) = Π_k (1 + ρ_k·(x^(2^k) − 1))`.
pub fn eq_polynomial<A: Arithmetic>(ar: &mut A, rho: &[A::Scalar], x: &A::Scalar) -> A::Scalar {
    let one = ar.constant(Fr::one());
    let (mut product, mut power) = (one.clone(), x.clone());
    for (k, coordinate) in rho.iter().enumerate() {
        if k > 0 {
            power = ar.mul(&power, &power);
        }
        let less_one = ar.sub(&power, &one);
        let factor = ar.mul_add(&one, coordinate, &less_one);
        product = if k > 0 { ar.mul(&product, &factor) } else { factor };
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Plain, plain_arithmetic};
    use crate::mle::eq_table;
    use ark_ff::{AdditiveGroup, Field};

    /// A verifier's end with chosen challenges, the zero as each message, and no points; counts what it is asked for.
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
        fn read(&mut self) -> Result<Fr, Check> {
            self.scalars += 1;
            Ok(Fr::ZERO)
        }
        fn read_points(&mut self) -> Result<(), Check> {
            self.groups += 1;
            Ok(())
        }
        fn stated_hash(&mut self) -> Result<Fr, Check> {
            Err(Check::Hash)
        }
        fn read_hashed(&mut self) -> Result<Fr, Check> {
            Err(Check::Hash)
        }
        fn challenge(&mut self) -> Fr {
            self.challenges.pop().expect("two challenges")
        }
    }

    fn run(c: u64, zeta: Fr, z: Fr) -> (Result<OpeningScalars<Fr>, Check>, Scripted) {
        let mut script = Scripted { challenges: vec![z, zeta], scalars: 0, groups: 0 };
        let rho: Vec<Fr> = (5..5 + c).map(Fr::from).collect();
        let result = verify(&mut script, &rho, &Fr::ZERO);
        (result, script)
    }

    #[test]
    fn degenerate_challenges_are_refused() {
        let (zeta, z) = (Fr::from(7), Fr::from(11));
        assert!(run(3, zeta, z).0.is_ok());
        assert_eq!(run(3, Fr::ZERO, z).0, Err(Check::Degenerate));
        // The z at which nothing is left of g: (z − 1/ζ)·E(1/ζ) + (z − ζ)·E(ζ) = 0.
        let rho: Vec<Fr> = (5..8).map(Fr::from).collect();
        let inverse = zeta.inverse().unwrap();
        let [at_zeta, at_inverse] = [zeta, inverse].map(|x| eq_polynomial(&mut Plain, &rho, &x));
        let z = (inverse * at_inverse + zeta * at_zeta) / (at_inverse + at_zeta);
        assert_eq!(run(3, zeta, z).0, Err(Check::Degenerate));
        assert!(run(3, zeta, z + Fr::ONE).0.is_ok());
    }

    #[test]
    fn messages_are_as_many_as_stated() {
        for c in 0..10 {
            let (result, script) = run(c, Fr::from(7), Fr::from(11));
            assert_eq!((script.scalars, script.groups), (1, 2));
            assert!(script.challenges.is_empty());
            let OpeningScalars { one, witness, .. } = result.expect("zero opens to zero");
            assert_eq!((one, witness), (Fr::ZERO, Fr::from(11)));
        }
    }

    #[test]
    fn the_product_form_has_the_tables_coefficients() {
        for c in 0..6 {
            let rho: Vec<Fr> = (5..5 + c).map(|i| Fr::from(i).inverse().unwrap()).collect();
            for x in [0, 1, 2, 77].map(Fr::from) {
                let sum = eq_table(&rho).iter().rev().fold(Fr::ZERO, |sum, weight| sum * x + weight);
                assert_eq!(eq_polynomial(&mut Plain, &rho, &x), sum);
            }
        }
    }
}
