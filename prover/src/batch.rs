//! The prover's half of the batching step ([`vouch_circuits::argument::batch`]).
//!
//! Positions beyond the used ones are zero and not stored.

use ark_bn254::Fr;
use ark_ff::Zero;
use rayon::prelude::*;
use vouch_circuits::argument::batch::VectorClaims;
use vouch_circuits::argument::claims::BatchClaims;
use vouch_circuits::backend::Step;
use vouch_circuits::ir::ConstraintSystem;
use vouch_circuits::layout::{Layout, MASK_LEN, Vector};
use vouch_circuits::mle::eq_table;
use vouch_circuits::tensor_hash;
use vouch_circuits::transcript::Writer;

use crate::operands::add_claim;
use crate::sumcheck::{Inner, PARALLEL, send_round};

/// Binary logarithm of the mask's size.
const MASK_BITS: usize = MASK_LEN.trailing_zeros() as usize;

/// Proves the claims; `x`, `w` and `y` are the committed vectors, `mask` what `x` holds at [`Layout::mask`] instead of its zeros.
pub fn prove(
    system: &ConstraintSystem,
    layout: &Layout,
    claims: &BatchClaims<Fr>,
    (x, mask): (&[i32], &[Fr; MASK_LEN]),
    w: &[i32],
    y: &[Fr],
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
    for (tensor, coef) in &claims.packed {
        let (vector, block) = layout.block(*tensor);
        let part = if vector == Vector::X { &mut q_x } else { &mut q_w };
        let weights = tensor_hash::weights(&claims.points.leaves[..block.bits]);
        part[block.range()].iter_mut().zip(weights).for_each(|(q, weight)| *q += weight * coef);
    }
    for claim in &claims.indexed {
        let (vector, block) = layout.block(claim.tensor);
        let part = if vector == Vector::X { &mut q_x } else { &mut q_w };
        add_claim(&system.tensor(claim.tensor).shape, claim, &claims.points, &mut part[block.range()]);
    }
    let mut parts = vec![Inner::new(x, q_x, layout.x_bits()), Inner::new(w, q_w, layout.w_bits())];
    parts.extend(claims.fractions.as_ref().map(|claim| {
        // The claims read unused nodes, whose fractions are zero, too.
        let mut weights = eq_table(&claim.point);
        weights.truncate(claim.len.min(1 << layout.y_bits()));
        weights.par_iter_mut().with_min_len(PARALLEL).for_each(|e| *e = claim.sum + claim.at_point * *e);
        let mut y = y.to_vec();
        y.resize(weights.len(), Fr::zero());
        Inner::of_field(y, weights, layout.y_bits())
    }));

    let rounds = layout.chunks().rho();
    let mut rho = Vec::with_capacity(rounds);
    for round in 0..rounds {
        if round == MASK_BITS {
            // The mask, without weight so far, has become one position.
            let value = mask.iter().zip(eq_table(&rho)).map(|(value, e)| *value * e).sum();
            parts[0].set(layout.mask().start / MASK_LEN, value);
        }
        let mut sum = [Fr::zero(); 4];
        for [constant, square] in parts.iter().map(Inner::round) {
            sum[0] += constant;
            sum[2] += square;
        }
        let r = send_round(transcript, &sum, 2);
        parts.iter_mut().for_each(|part| part.fold(&r));
        rho.push(r);
    }
    parts.iter().for_each(|part| transcript.write(part.value()));
    let (x, w, y) = (parts[0].value(), parts[1].value(), parts.get(2).map(Inner::value));
    VectorClaims { rho, x, w, y }
}
