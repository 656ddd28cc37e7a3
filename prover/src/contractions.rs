//! The prover's half of the contraction step ([`vouch_circuits::argument::contractions`]).
//!
//! Cost: each operand element is read once or twice, then a sumcheck over the bound variables alone.

use ark_bn254::Fr;
use ark_ff::{One, Zero};
use rayon::prelude::*;
use vouch_circuits::argument::claims::Points;
use vouch_circuits::argument::contractions::{
    NUMBER_DEGREE, OperandClaims, Roles, degree, known_factors, operand_claims, roles, variable_spans,
};
use vouch_circuits::backend::Plain;
use vouch_circuits::ir::*;
use vouch_circuits::layout::log2_ceil;
use vouch_circuits::mle::{eq_table, eq_weights};
use vouch_circuits::transcript::Writer;

use crate::operands::operand_table;
use crate::sumcheck::{Product, Round, send_round};

/// Proves the contractions with their weights, all claimed at first coordinates of `p`.
pub fn prove(
    system: &ConstraintSystem,
    values: &[Vec<i32>],
    weights: &[(ContractionId, Fr)],
    p: &[Fr],
    transcript: &mut Writer,
) -> OperandClaims<Fr> {
    if weights.is_empty() {
        return OperandClaims::none(&mut Plain);
    }
    let all_roles: Vec<Roles> = weights.iter().map(|(id, _)| roles(system, system.contraction(*id))).collect();
    // The operands' tables, then the public factor's, if there is one.
    let mut products: Vec<Product> = (weights.par_iter().zip(&all_roles))
        .map(|((id, weight), roles)| {
            let contraction = system.contraction(*id);
            // Bound variables have no point yet; operands do not ask for it.
            let points = unbound_points(contraction, roles, p);
            let mut factors: Vec<Vec<Fr>> = std::iter::once(&contraction.lhs)
                .chain(&contraction.rhs)
                .map(|o| operand_table(system, contraction, roles, o, &values[o.tensor.0 as usize], &points))
                .collect();
            factors.extend(public_table(contraction, roles, p));
            Product { weight: *weight, factors }
        })
        .collect();
    let total: Fr = products.iter().map(Product::sum).sum();
    transcript.write(total);

    let degree = degree(system);
    let rounds = all_roles.iter().map(|r| r.bits).max().unwrap_or(0);
    let mut bound = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let parts: Vec<Round> = products.par_iter().map(Product::round).collect();
        let round: Round = std::array::from_fn(|k| parts.iter().map(|part| part[k]).sum());
        let challenge = send_round(transcript, &round, degree);
        products.par_iter_mut().for_each(|product| product.fold(&challenge));
        bound.push(challenge);
    }

    let factors = known_factors(&mut Plain, system, weights, &all_roles, p, &bound);
    let operand = |product: &Product, id: ContractionId, k: usize| {
        let there = k == 0 || system.contraction(id).rhs.is_some();
        if there { product.factors[k][0] } else { Fr::one() }
    };
    let side = |k: usize| weights.iter().zip(&products).map(move |((id, _), product)| operand(product, *id, k));
    let first = side(0).zip(&factors).map(|(value, factor)| value * factor).collect();
    let (numbers, values) = prove_numbers([first, side(1).collect()], transcript);
    let sides = operand_claims(&mut Plain, system, weights, &all_roles, (&numbers, &factors), values);
    OperandClaims { total, bound, sides }
}

/// The sum of the contractions' `(factor·lhs)·rhs` by a sumcheck over their numbers: `eq(ζ, i)` of each, and both sides' values.
fn prove_numbers(mut tables: [Vec<Fr>; 2], transcript: &mut Writer) -> (Vec<Fr>, [Fr; 2]) {
    let count = tables[0].len();
    tables.iter_mut().for_each(|table| table.resize(count.next_power_of_two(), Fr::zero()));
    let mut product = Product { weight: Fr::one(), factors: tables.to_vec() };
    let mut zeta = Vec::new();
    for _ in 0..log2_ceil(count) {
        let challenge = send_round(transcript, &product.round(), NUMBER_DEGREE);
        product.fold(&challenge);
        zeta.push(challenge);
    }
    let values = [product.factors[0][0], product.factors[1][0]];
    values.into_iter().for_each(|value| transcript.write(value));
    (eq_weights(&mut Plain, &zeta, &Fr::one(), count), values)
}

/// The unbound variables' points.
fn unbound_points(contraction: &Contraction, roles: &Roles, p: &[Fr]) -> Vec<Vec<Fr>> {
    let points = Points { leaves: p.to_vec(), bound: vec![Fr::zero(); roles.bits] };
    variable_spans(contraction, roles).iter().map(|span| points.at(span).to_vec()).collect()
}

/// The table of `eq(p_b, b)·mask` over the bound variables; none if it is 1.
fn public_table(contraction: &Contraction, roles: &Roles, p: &[Fr]) -> Option<Vec<Fr>> {
    if roles.batch.is_empty() && roles.masked.is_empty() {
        return None;
    }
    let outputs = axis_ranges(&contraction.vars[..contraction.outputs]);
    let mut table = vec![Fr::one()];
    for var in &roles.bound {
        let len = contraction.vars[*var];
        let factor: Vec<Fr> = if roles.batch.contains(var) {
            eq_table(&p[outputs[*var].clone()])
        } else {
            let end = if roles.masked.contains(var) { len } else { len.next_power_of_two() };
            (0..len.next_power_of_two()).map(|i| if i < end { Fr::one() } else { Fr::zero() }).collect()
        };
        table = table.iter().flat_map(|t| factor.iter().map(move |f| *t * f)).collect();
    }
    Some(table)
}
