//! The core argument: the verifier's half of each step, written once over [`crate::backend`].
//!
//! 1. [`verify`] compares hashed tensors' [`hashes`] with the statement's, then absorbs the statement, the chunk commitments and a salt.
//! 2. [`lookups`]: all lookups of all layers, down to one claim on fractions' leaves; commitments to [`fractions`] replace a part of its
//!    tree, or all of it.
//! 3. The leaves' claims, the equalities, the public values and the hashed tensors' are one linear claim on tensors and contraction results at one point.
//! 4. [`contractions`]: the contraction results become claims on their operands.
//! 5. [`batch`]: all claims on committed tensors become one evaluation of each committed vector.
//! 6. [`opening`]: all evaluations are one opening; its group equation is left to the caller.
//!
//! Steps 2, 4 and 5 are sumchecks, whose rounds are in [`sumcheck`].
//!
//! Indices and lengths follow from the constraint system, which has been validated, and never from a proof: what a proof holds is a
//! list of scalars that is read to its end. So indexing cannot fail here for any proof, and a missing element would be a fault that
//! must not pass as a zero.
//!
//! docs/PROTOCOL.md states the same for people who write a second verifier.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable))]

pub mod batch;
pub mod claims;
pub mod contractions;
pub mod fractions;
pub mod hashes;
pub mod key;
pub mod lookups;
pub mod opening;
pub mod sumcheck;

use ark_bn254::Fr;
use ark_ff::{Field, One};

use crate::backend::{Arithmetic, Channel, Check, Plain, Step};
use crate::ir::ConstraintSystem;
use crate::ir::{Operand, Source, Virtual};
use crate::layout::{Chunks, Layout};
use crate::mle;
use crate::sponge::Permute;
use crate::tensor_hash;
use claims::{BatchClaims, Points, Reduction, TensorClaim};
use contractions::{OperandClaims, Side};

/// Challenges of the lookup keys.
#[derive(Clone, Debug)]
pub struct Challenges<S> {
    /// What keys are subtracted from.
    pub alpha: S,
    /// Combines a key's columns.
    pub beta: S,
}

/// What the argument leaves to the outer verifier: the point at which public values enter, and the scalars of the group equation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exports<S> {
    /// The leaf point; public tensor `i` was taken at its first coordinates.
    pub leaf: Vec<S>,
    /// The batching step's point but for its lowest `c` coordinates: it weighs the chunks ([`chunk_weights`]).
    pub rho_high: Vec<S>,
    /// Weight of `x` in the opened polynomial.
    pub delta: S,
    /// The combined blind, to be subtracted.
    pub blind: S,
    /// The opening's own scalars.
    pub opening: opening::OpeningScalars<S>,
}

/// The multilinear extension of public tensor `i` (zero-padded) at a point.
pub type PublicAt<'a, A> = dyn FnMut(&mut A, usize, &[<A as Arithmetic>::Scalar]) -> <A as Arithmetic>::Scalar + 'a;

/// The verifier's whole algorithm.
///
/// The statement is in the channel's first group of points. `public_at` gives the multilinear extension of public tensor `i`
/// (zero-padded) at a point.
///
/// # Errors
/// The check that refused.
pub fn verify<C: Channel + Permute>(
    ch: &mut C,
    system: &ConstraintSystem,
    layout: &Layout,
    public_at: &mut PublicAt<C>,
) -> Result<Exports<C::Scalar>, Check> {
    let elements = hashes::verify(ch, system)?;

    ch.label(Step::Commitments);
    ch.read_points()?;
    // The salt: without it all challenges up to the batching step would be functions of the witness and of what is public, and whoever
    // sees one of them could test a guess of the witness.
    ch.read()?;

    let challenges = lookups::challenges(ch);
    let rows = lookups::verify(ch, layout.leaf_bits, layout.layer)?;

    ch.label(Step::Contractions);
    let gamma = ch.challenge();
    let stated = Stated { elements: &elements, public_at };
    let (reduction, target) = linear_claim(ch, system, layout, &challenges, &rows, &gamma, stated);
    let weights: Vec<_> = reduction.contractions.iter().map(|(id, weight)| (*id, weight.clone())).collect();
    let operands = contractions::verify(ch, system, &weights, &rows.leaves.point)?;

    let eta = ch.challenge();
    let rest = ch.sub(&target, &operands.total);
    let (claims, target) = batch_claims(ch, reduction, rows.leaves.point, operands, &rest, &eta);
    let vectors = batch::verify(ch, system, layout, &claims, &target)?;

    let delta = ch.challenge();
    let value = vectors.joined(ch, &delta);
    let blind = ch.read()?;
    let (rho, rho_high) = vectors.rho.split_at(layout.chunk_bits);
    let opening = opening::verify(ch, rho, &value)?;
    Ok(Exports { leaf: claims.points.leaves, rho_high: rho_high.to_vec(), delta, blind, opening })
}

/// What inputs and outputs are compared with.
pub struct Stated<'a, A: Arithmetic> {
    /// The elements of each hashed tensor, in order ([`hashes`]).
    pub elements: &'a [Vec<A::Scalar>],
    /// Public tensors' extensions.
    pub public_at: &'a mut PublicAt<'a, A>,
}

/// The lookups' claims, the equalities and the bindings of public and hashed values as one linear claim with weights `1, γ, γ², …`: the
/// functionals, and the value they have together (what is known in closed form already subtracted).
pub fn linear_claim<A: Arithmetic>(
    ar: &mut A,
    system: &ConstraintSystem,
    layout: &Layout,
    challenges: &Challenges<A::Scalar>,
    rows: &lookups::Claims<A::Scalar>,
    gamma: &A::Scalar,
    stated: Stated<'_, A>,
) -> (Reduction<A::Scalar>, A::Scalar) {
    let mut reduction = Reduction::new(ar);
    let leaf = &rows.leaves;
    let (mut target, mut weight) = lookups::reduce(ar, system, layout, challenges, rows, gamma, &mut reduction);
    for equal in &system.equals {
        weight = ar.mul(&weight, gamma);
        reduction.add_virtual(ar, system, equal, &leaf.point, &weight);
    }
    for (i, public) in system.publics.iter().enumerate().filter(|(_, public)| public.is_stated()) {
        weight = ar.mul(&weight, gamma);
        let shape = &system.tensor(public.tensor).shape;
        let bound = Source::Read(Operand::identity(public.tensor, shape.len()));
        let bound = Virtual::zero(shape).plus(1, bound);
        reduction.add_virtual(ar, system, &bound, &leaf.point, &weight);
        let value = (stated.public_at)(ar, i, &leaf.point[..bound.bits()]);
        target = ar.mul_add(&target, &weight, &value);
    }
    let hashed = system.publics.iter().filter(|public| public.is_hashed());
    for (public, elements) in hashed.zip(stated.elements) {
        weight = ar.mul(&weight, gamma);
        reduction.add_packed(ar, public.tensor, weight.clone());
        let value = tensor_hash::extension(ar, elements, &leaf.point[..system.tensor(public.tensor).bits()]);
        target = ar.mul_add(&target, &weight, &value);
    }
    let target = ar.sub(&target, &reduction.known);
    (reduction, target)
}

/// The linear claim (of value `rest` once the contractions are taken out) and both sides of the operands' claims, combined with powers of
/// `η`.
pub fn batch_claims<A: Arithmetic>(
    ar: &mut A,
    reduction: Reduction<A::Scalar>,
    leaves: Vec<A::Scalar>,
    operands: OperandClaims<A::Scalar>,
    rest: &A::Scalar,
    eta: &A::Scalar,
) -> (BatchClaims<A::Scalar>, A::Scalar) {
    let Reduction { raw, packed, mut indexed, fractions, .. } = reduction;
    let mut target = rest.clone();
    let mut weight = ar.constant(Fr::one());
    for Side { claims, value } in operands.sides {
        weight = ar.mul(&weight, eta);
        target = ar.mul_add(&target, &weight, &value);
        indexed.extend(claims.into_iter().map(|claim| TensorClaim { coef: ar.mul(&claim.coef, &weight), ..claim }));
    }
    (BatchClaims { raw, packed, points: Points { leaves, bound: operands.bound }, indexed, fractions }, target)
}

/// What each chunk's commitment is multiplied by in the group equation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkWeights {
    /// `w`'s: `eq(ρ_hi, j)`.
    pub w: Vec<Fr>,
    /// `x`'s: `δ·eq(ρ_hi, j)`.
    pub x: Vec<Fr>,
    /// `y`'s: `δ²·eq(ρ_hi, j)`.
    pub y: Vec<Fr>,
}

/// The chunks' weights, each vector at as many of `ρ_hi`'s first coordinates as it has.
///
/// # Panics
/// If `rho_high` has fewer coordinates than [`Chunks::rho_high`].
pub fn chunk_weights(chunks: &Chunks, rho_high: &[Fr], delta: &Fr) -> ChunkWeights {
    let weights = |bits: usize, count: usize, scale: &Fr| {
        mle::eq_weights(&mut Plain, &rho_high[..bits - chunks.bits], scale, count)
    };
    let w = weights(chunks.w_bits(), chunks.w, &Fr::one());
    let x = weights(chunks.x_bits(), chunks.x, delta);
    let y = weights(chunks.y_bits(), chunks.y, &delta.square());
    ChunkWeights { w, x, y }
}
