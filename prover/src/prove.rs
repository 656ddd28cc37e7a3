//! Proving: the prover's halves of all steps, in the verifier's order ([`vouch_circuits::argument::verify`]), and the shell around them.

use std::ops::Range;

use ark_bn254::{Fr, G1Affine};
use ark_ec::CurveGroup;
use ark_ff::Zero;
use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};
use rayon::prelude::*;
use thiserror::Error;
use vouch_circuits::argument::key::{CoreProof, public_at, statement};
use vouch_circuits::argument::{ChunkWeights, Stated, batch_claims, chunk_weights, linear_claim};
use vouch_circuits::backend::{Check, Plain, Step};
use vouch_circuits::ir::{Origin, Public, TensorId};
use vouch_circuits::key::Proof;
use vouch_circuits::layout::{Layout, MASK_LEN};
use vouch_circuits::tensor_hash::HashOpening;
use vouch_circuits::tensor_opening::TensorOpening;
use vouch_circuits::transcript::Writer;

use crate::batch;
use crate::commit::{commit_chunks, commit_field_chunks, msm, open, random_scalar};
use crate::contractions;
use crate::core_key::{CoreProvingKey, weight_vector};
use crate::lookups::{self, Tree};
use crate::openings::{ReuseError, expect_same, openings_of, use_again};
use crate::setup::ProvingKey;
use crate::shell::{ShellError, record_proof};
use crate::small::combine_rows;
use crate::sumcheck::PARALLEL;
use crate::witness::{Witness, WitnessError, flatten, generate, model_values, unpad};

/// Why no proof was made.
#[derive(Debug, Error)]
pub enum ProveError {
    /// The statement cannot be proven.
    #[error(transparent)]
    Witness(#[from] WitnessError),
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    Randomness,
    /// The core's proof does not pass its own verifier; nothing is shown of it.
    #[error("the proof that was made fails a check of its own verifier: {0}")]
    Refused(Check),
    /// The shell cannot be proven.
    #[error(transparent)]
    Shell(#[from] ShellError),
    /// An earlier commitment cannot be used again.
    #[error(transparent)]
    Reuse(#[from] ReuseError),
}

/// What a proof is made with beside the inputs.
#[derive(Clone, Copy, Default)]
pub struct ProveOptions<'a> {
    /// What the proof is bound to: a request's id, a contract's address.
    pub context: Option<[u8; 32]>,
    /// Openings of earlier proofs whose commitments are to be this proof's too.
    pub openings: &'a [TensorOpening],
    /// Openings of hashes that are to be this proof's: each of the first hashed input or output with its values.
    pub hashes: &'a [HashOpening],
}

/// A proof, and what stays with the prover.
pub struct Proven {
    /// The proof.
    pub proof: Proof,
    /// What opens its committed inputs and outputs, in the key's order; as secret as their values.
    pub openings: Vec<TensorOpening>,
    /// What opens the hashes of its hashed ones, each with its number among the key's inputs and outputs; as secret as their values.
    pub hashes: Vec<(usize, HashOpening)>,
}

/// Proves a run of the key's program on integer inputs, bound to `context` if there is one. `progress` is told at the beginning of each
/// stage.
///
/// # Errors
/// Inputs that do not fit or lie outside the declared range, before any proving work.
pub fn prove(
    key: &ProvingKey,
    inputs: &[Vec<i64>],
    context: Option<[u8; 32]>,
    progress: &mut dyn FnMut(&'static str),
) -> Result<Proof, ProveError> {
    let options = ProveOptions { context, ..ProveOptions::default() };
    prove_with(key, inputs, &options, progress).map(|proven| proven.proof)
}

/// Like [`prove`], with earlier commitments used again; gives the openings of committed tensors too.
///
/// # Errors
/// As [`prove`], and openings that do not fit the key or the run.
pub fn prove_with(
    key: &ProvingKey,
    inputs: &[Vec<i64>],
    options: &ProveOptions,
    progress: &mut dyn FnMut(&'static str),
) -> Result<Proven, ProveError> {
    let ProveOptions { context, openings, hashes } = *options;
    let place = (&key.core.key.system, &key.core.layout);
    progress("witness");
    let witness = witness_of(&key.core, inputs)?;
    let hashes = hash_openings(&key.core, &witness, hashes)?;
    let mut blinds = draw_blinds(&key.core)?;
    use_again(openings, &key.core.key_digest, place, &mut blinds)?;
    let commitments = Commitments::new(&key.core, &witness, blinds, progress)?;
    expect_same(openings, place, &commitments.points)?;
    let blinds = commitments.blinds.clone();
    let statement = Statement { context, hashes: &hashes };
    let core = prove_committed(&key.core, &witness, commitments, statement, progress)?;
    let openings = openings_of(place, &key.core.srs, &witness, &core, &blinds);
    let proof = wrap(key, core, progress)?;
    Ok(Proven { proof, openings, hashes })
}

/// The shell around a core proof.
fn wrap(key: &ProvingKey, core: CoreProof, progress: &mut dyn FnMut(&'static str)) -> Result<Proof, ProveError> {
    progress("shell");
    let recording = record_proof(&key.core.key.system, &key.core.layout, &core);
    if let Some(check) = recording.failure {
        return Err(ProveError::Refused(check));
    }
    let exports = recording.exports.clone();
    let shell = key.shell.prove(&recording)?;
    let CoreProof { key_digest, context, hashes, publics, x_commitments, y_commitments, opening, .. } = core;
    Ok(Proof { key_digest, context, hashes, publics, x_commitments, y_commitments, opening, exports, shell })
}

/// Proves a run with the core alone: a proof that hides nothing, for those who test and measure the core.
///
/// # Errors
/// As [`prove`].
pub fn prove_core(
    key: &CoreProvingKey,
    inputs: &[Vec<i64>],
    context: Option<[u8; 32]>,
    progress: &mut dyn FnMut(&'static str),
) -> Result<CoreProof, ProveError> {
    progress("witness");
    prove_witness(key, &witness_of(key, inputs)?, context, progress)
}

fn witness_of(key: &CoreProvingKey, inputs: &[Vec<i64>]) -> Result<Witness, WitnessError> {
    generate(&key.lowered, model_values(&key.program, &key.lowered), inputs).map(|(witness, _)| witness)
}

/// Proves whatever the witness holds; the proof verifies only if it satisfies every constraint. Of use beside [`prove_core`] to
/// those who test soundness.
///
/// # Errors
/// No randomness.
pub fn prove_witness(
    key: &CoreProvingKey,
    witness: &Witness,
    context: Option<[u8; 32]>,
    progress: &mut dyn FnMut(&'static str),
) -> Result<CoreProof, ProveError> {
    let hashes = hash_openings(key, witness, &[])?;
    let commitments = Commitments::new(key, witness, draw_blinds(key)?, progress)?;
    prove_committed(key, witness, commitments, Statement { context, hashes: &hashes }, progress)
}

/// What opens the hashes of hashed inputs and outputs, in order: those given, and new ones with fresh salts.
fn hash_openings(
    key: &CoreProvingKey,
    witness: &Witness,
    given: &[HashOpening],
) -> Result<Vec<(usize, HashOpening)>, ProveError> {
    let mut rng = randomness()?;
    let mut given: Vec<&HashOpening> = given.iter().collect();
    let system = &key.lowered.system;
    let hashed = system.publics.iter().enumerate().filter(|(_, public)| public.is_hashed());
    let open = |(tensor, public): (usize, &Public)| {
        let shape = &system.tensor(public.tensor).shape;
        let values = unpad(shape, &witness.values[public.tensor.0 as usize]);
        let known = given.iter().position(|opening| opening.shape == *shape && opening.values == values);
        let opening = match known {
            Some(position) => given.remove(position).clone(),
            None => HashOpening { shape: shape.clone(), values, salt: random_scalar(&mut rng) },
        };
        (tensor, opening)
    };
    let openings = hashed.map(open).collect();
    if given.is_empty() { Ok(openings) } else { Err(ReuseError::Hash.into()) }
}

/// What a proof states beside public values.
#[derive(Clone, Copy)]
struct Statement<'a> {
    context: Option<[u8; 32]>,
    hashes: &'a [(usize, HashOpening)],
}

fn randomness() -> Result<StdRng, ProveError> {
    StdRng::try_from_rng(&mut SysRng).map_err(|_| ProveError::Randomness)
}

/// A salt for a hash.
///
/// # Errors
/// No randomness.
pub fn fresh_salt() -> Result<Fr, ProveError> {
    Ok(random_scalar(&mut randomness()?))
}

/// A fresh blind for each chunk of `x`.
fn draw_blinds(key: &CoreProvingKey) -> Result<Vec<Fr>, ProveError> {
    let mut rng = randomness()?;
    Ok((0..key.layout.chunks().x).map(|_| random_scalar(&mut rng)).collect())
}

/// The vector `x`, committed to.
struct Commitments {
    /// With zeros in the mask's place.
    x: Vec<i32>,
    mask: [Fr; MASK_LEN],
    /// One for each chunk.
    blinds: Vec<Fr>,
    points: Vec<G1Affine>,
}

impl Commitments {
    fn new(
        key: &CoreProvingKey,
        witness: &Witness,
        blinds: Vec<Fr>,
        progress: &mut dyn FnMut(&'static str),
    ) -> Result<Self, ProveError> {
        progress("commitments");
        let mut rng = randomness()?;
        let (layout, c) = (&key.layout, key.layout.chunk_bits);
        let x = flatten(witness_blocks(key, &witness.values), layout.mask().end);
        let mask = [(); MASK_LEN].map(|()| random_scalar(&mut rng));
        let mut points = commit_chunks(&key.srs, c, &x, &blinds);
        if let Some(last) = points.last_mut() {
            *last = (msm(&key.srs.powers[mask_in_chunk(layout)], &mask) + *last).into_affine();
        }
        Ok(Self { x, mask, blinds, points })
    }
}

/// The argument over what was committed to.
fn prove_committed(
    key: &CoreProvingKey,
    witness: &Witness,
    commitments: Commitments,
    Statement { context, hashes }: Statement,
    progress: &mut dyn FnMut(&'static str),
) -> Result<CoreProof, ProveError> {
    let mut rng = randomness()?;
    let (system, layout) = (&key.lowered.system, &key.layout);
    let c = layout.chunk_bits;
    let Commitments { x, mask, blinds, points: x_commitments } = commitments;
    let w = weight_vector(&key.lowered, layout, &witness.values);
    let stated = |public: &Public| {
        let values = || unpad(&system.tensor(public.tensor).shape, &witness.values[public.tensor.0 as usize]);
        if public.is_stated() { values() } else { Vec::new() }
    };
    let publics: Vec<Vec<i64>> = system.publics.iter().map(stated).collect();

    let openings = hashes.iter().map(|(_, opening)| opening);
    let hashes: Vec<Fr> = openings.clone().map(HashOpening::hash).collect();
    let elements: Vec<Vec<Fr>> = openings.clone().map(HashOpening::elements).collect();

    let mut transcript = Writer::default();
    for (opening, elements) in openings.zip(&elements) {
        transcript.write_hashed(&[opening.salt]);
        transcript.write_hashed(elements);
    }
    transcript.label(Step::Commitments);
    transcript.write_first(&statement(&key.key_digest, context.as_ref(), &hashes, &publics), &x_commitments);
    transcript.write(random_scalar(&mut rng));

    progress("lookups");
    let challenges = lookups::challenges(&mut transcript);
    let leaves = lookups::leaves(system, layout, witness, &challenges);
    let tree = Tree::new(leaves, layout.leaf_bits, layout.layer);
    let y = tree.fractions();
    let y_blinds: Vec<Fr> = (0..layout.chunks().y).map(|_| random_scalar(&mut rng)).collect();
    let y_commitments = commit_field_chunks(&key.srs, c, &y, &y_blinds);
    if layout.layer > 0 {
        transcript.write_points(&y_commitments);
    }
    let rows = tree.prove(&y, &mut transcript);

    progress("contractions");
    transcript.label(Step::Contractions);
    let gamma = transcript.challenge();
    let mut at = |_: &mut Plain, i: usize, point: &[Fr]| {
        public_at(&system.tensor(system.publics[i].tensor).shape, &publics[i], point)
    };
    let stated = Stated { elements: &elements, public_at: &mut at };
    let (reduction, target) = linear_claim(&mut Plain, system, layout, &challenges, &rows, &gamma, stated);
    let weights: Vec<_> = reduction.contractions.iter().map(|(id, weight)| (*id, *weight)).collect();
    let operands = contractions::prove(system, &witness.values, &weights, &rows.leaves.point, &mut transcript);

    progress("batching");
    let eta = transcript.challenge();
    let rest = target - operands.total;
    let (claims, _) = batch_claims(&mut Plain, reduction, rows.leaves.point, operands, &rest, &eta);
    let vectors = batch::prove(system, layout, &claims, (&x, &mask), &w, &y, &mut transcript);

    progress("opening");
    let delta = transcript.challenge();
    let weights = chunk_weights(&layout.chunks(), &vectors.rho[c..], &delta);
    let blinds = [(&weights.w, &key.w_blinds), (&weights.x, &blinds), (&weights.y, &y_blinds)];
    let blind: Fr =
        blinds.into_iter().flat_map(|(weights, blinds)| weights.iter().zip(blinds)).map(|(e, b)| *e * b).sum();
    transcript.write(blind);
    let g = collapse(layout, &weights, (&w, &x, &y), &mask);
    let opening = open(&key.srs, &g, &vectors.rho[..c], &mut transcript).map_err(ProveError::Refused)?;
    let scalars = transcript.into_scalars();
    let key_digest = key.key_digest;
    Ok(CoreProof { key_digest, context, hashes, publics, x_commitments, y_commitments, scalars, opening })
}

/// `Σ_j weight_j·chunk_j` over all vectors, the mask in `x`.
fn collapse(
    layout: &Layout,
    weights: &ChunkWeights,
    (w, x, y): (&[i32], &[i32], &[Fr]),
    mask: &[Fr; MASK_LEN],
) -> Vec<Fr> {
    let size = 1 << layout.chunk_bits;
    let mut g = combine_rows(&weights.w, w, size);
    for (sum, value) in g.iter_mut().zip(combine_rows(&weights.x, x, size)) {
        *sum += value;
    }
    for (weight, chunk) in weights.y.iter().zip(y.chunks(size)) {
        let parts = g.par_iter_mut().with_min_len(PARALLEL).zip(chunk).filter(|(_, value)| !value.is_zero());
        parts.for_each(|(sum, value)| *sum += *weight * value);
    }
    if let Some(weight) = weights.x.last() {
        g[mask_in_chunk(layout)].iter_mut().zip(mask).for_each(|(sum, value)| *sum += *weight * value);
    }
    g
}

/// The mask's positions in the last chunk of `x`.
fn mask_in_chunk(layout: &Layout) -> Range<usize> {
    let start = layout.mask().start % (1 << layout.chunk_bits);
    start..start + MASK_LEN
}

fn witness_blocks<'a>(key: &'a CoreProvingKey, values: &'a [Vec<i32>]) -> impl Iterator<Item = (usize, &'a [i32])> {
    let tensors = key.lowered.system.tensors.iter().zip(values).enumerate();
    tensors
        .filter(|(_, (tensor, _))| tensor.origin == Origin::Witness)
        .map(|(i, (_, values))| (key.layout.block(TensorId(i as u32)).1.offset, &values[..]))
}
