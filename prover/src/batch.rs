//! The prover's half of the batching step ([`vouch_circuits::argument::batch`]).
//!
//! The first round runs on the vectors' small integers. Positions beyond the used ones are zero and not stored.

use ark_bn254::Fr;
use ark_ff::{One, Zero};
use rayon::prelude::*;
use vouch_circuits::argument::batch::VectorClaims;
use vouch_circuits::argument::claims::BatchClaims;
use vouch_circuits::backend::Step;
use vouch_circuits::ir::ConstraintSystem;
use vouch_circuits::layout::{Layout, Vector};
use vouch_circuits::mle::eq_table;
use vouch_circuits::transcript::Writer;

use crate::operands::add_claim;
use crate::small::Accumulator;

/// Fewer pairs than this are not worth a second thread.
const PARALLEL: usize = 1 << 11;

/// The mask chunk: random field elements at few positions of one chunk.
#[derive(Clone)]
pub struct Mask {
    /// `(position in the chunk, value)`.
    pub entries: Vec<(usize, Fr)>,
}

impl Mask {
    /// The chunk's multilinear extension at `point`.
    pub fn at(&self, point: &[Fr]) -> Fr {
        let weight = |position: usize| -> Fr {
            point.iter().enumerate().map(|(k, p)| if position >> k & 1 == 1 { *p } else { Fr::one() - p }).product()
        };
        self.entries.iter().map(|(position, value)| weight(*position) * value).sum()
    }
}

/// One vector with its weight polynomial.
struct Half {
    values: Values,
    weights: Vec<Fr>,
    /// Variables not yet bound.
    left: usize,
    /// `Π (1 - r)` over the rounds after the last variable was bound.
    late: Fr,
}

enum Values {
    Small(Vec<i32>),
    Field(Vec<Fr>),
}

/// Proves the claims; `x` and `w` are the committed vectors, `mask` the mask chunk of `x`.
pub fn prove(
    system: &ConstraintSystem,
    layout: &Layout,
    claims: &BatchClaims<Fr>,
    (x, mask): (&[i32], &Mask),
    w: &[i32],
    transcript: &mut Writer,
) -> VectorClaims<Fr> {
    transcript.label(Step::Batch);
    let mut q_x = vec![Fr::zero(); x.len()];
    let mut q_w = vec![Fr::zero(); w.len()];
    for (tensor, coef) in &claims.raw {
        let (vector, block) = layout.block(*tensor);
        let part = if vector == Vector::X { &mut q_x } else { &mut q_w };
        let weights = eq_table(&claims.points.leaves[..block.bits]);
        part[block.range()].par_iter_mut().with_min_len(PARALLEL).zip(weights).for_each(|(q, e)| *q += e * coef);
    }
    for claim in &claims.indexed {
        let (vector, block) = layout.block(claim.tensor);
        let part = if vector == Vector::X { &mut q_x } else { &mut q_w };
        add_claim(&system.tensor(claim.tensor).shape, claim, &claims.points, &mut part[block.range()]);
    }
    let half =
        |values: &[i32], weights, left| Half { values: Values::Small(values.to_vec()), weights, left, late: Fr::one() };
    let mut x_half = half(x, q_x, layout.x_bits());
    let mut w_half = half(w, q_w, layout.w_bits());

    let rounds = layout.x_bits().max(layout.w_bits());
    let mut rho = Vec::with_capacity(rounds);
    for round in 0..rounds {
        if round == layout.chunk_bits {
            // One element a chunk is left; the mask chunk, without weight so far, takes its place behind the others.
            x_half.set(layout.mask_chunk(), mask.at(&rho));
        }
        let (a, b) = (x_half.round(), w_half.round());
        transcript.write(a.0 + b.0);
        transcript.write(a.1 + b.1);
        let r = transcript.challenge();
        x_half.fold(r);
        w_half.fold(r);
        rho.push(r);
    }
    if rounds == layout.chunk_bits {
        x_half.set(layout.mask_chunk(), mask.at(&rho));
    }
    let (x, w) = (x_half.value(), w_half.value());
    transcript.write(x);
    transcript.write(w);
    VectorClaims { rho, x, w }
}

impl Half {
    fn value(&self) -> Fr {
        match &self.values {
            Values::Small(v) => v.first().map_or(Fr::zero(), |v| Fr::from(*v)),
            Values::Field(v) => v.first().copied().unwrap_or_default(),
        }
    }

    fn set(&mut self, position: usize, value: Fr) {
        let mut values = match &self.values {
            Values::Small(v) => v.iter().map(|v| Fr::from(*v)).collect(),
            Values::Field(v) => v.clone(),
        };
        values.resize(values.len().max(position + 1), Fr::zero());
        values[position] = value;
        self.values = Values::Field(values);
    }

    /// The round polynomial's constant and leading coefficients.
    fn round(&self) -> (Fr, Fr) {
        if self.left == 0 {
            let weight = self.weights.first().copied().unwrap_or_default();
            return (self.value() * weight * self.late, Fr::zero());
        }
        match &self.values {
            Values::Small(values) => {
                let sums = (values.par_chunks(2).zip(self.weights.par_chunks(2)).with_min_len(PARALLEL))
                    .fold(
                        || [Accumulator::default(); 2],
                        |mut sums, (v, q)| {
                            let (v0, v1) = (i64::from(v[0]), v.get(1).map_or(0, |v| i64::from(*v)));
                            if v0 != 0 || v1 != 0 {
                                let q1 = q.get(1).copied().unwrap_or_default();
                                sums[0].add(v0, &q[0]);
                                sums[1].add(v1 - v0, &(q1 - q[0]));
                            }
                            sums
                        },
                    )
                    .map(|sums| (sums[0].finish(), sums[1].finish()));
                sums.reduce(|| (Fr::zero(), Fr::zero()), |a, b| (a.0 + b.0, a.1 + b.1))
            }
            Values::Field(values) => (values.par_chunks(2).zip(self.weights.par_chunks(2)).with_min_len(PARALLEL))
                .map(|(v, q)| {
                    let v1 = v.get(1).copied().unwrap_or_default();
                    let q1 = q.get(1).copied().unwrap_or_default();
                    (v[0] * q[0], (v1 - v[0]) * (q1 - q[0]))
                })
                .reduce(|| (Fr::zero(), Fr::zero()), |a, b| (a.0 + b.0, a.1 + b.1)),
        }
    }

    fn fold(&mut self, r: Fr) {
        if self.left == 0 {
            self.late *= Fr::one() - r;
            return;
        }
        self.left -= 1;
        let folded = match &self.values {
            Values::Small(values) => (values.par_chunks(2).with_min_len(PARALLEL))
                .map(|v| {
                    let (v0, v1) = (i64::from(v[0]), v.get(1).map_or(0, |v| i64::from(*v)));
                    if v0 == 0 && v1 == 0 { Fr::zero() } else { Fr::from(v0) + r * Fr::from(v1 - v0) }
                })
                .collect(),
            Values::Field(values) => fold_field(values, r),
        };
        self.values = Values::Field(folded);
        self.weights = fold_field(&self.weights, r);
    }
}

fn fold_field(values: &[Fr], r: Fr) -> Vec<Fr> {
    (values.par_chunks(2).with_min_len(PARALLEL))
        .map(|v| v[0] + r * (v.get(1).copied().unwrap_or_default() - v[0]))
        .collect()
}
