//! The cheating prover's contractions.

use std::collections::BTreeMap;

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field};
use vouch_circuits::argument::contractions::{OperandClaims, Roles, degree, operand_claims, roles};
use vouch_circuits::argument::sumcheck::late_factors;
use vouch_circuits::backend::Plain;
use vouch_circuits::ir::*;
use vouch_circuits::mle::eq_table;

use crate::cheat::{Message, Sender};
use crate::sumcheck::{Product, next_claim};
use crate::values::{Values, digits, for_all, read};

/// All contractions with their weights, claimed at `p`; those of `lied_to` over other values.
pub fn prove(
    sender: &mut Sender,
    system: &ConstraintSystem,
    values: &Values,
    weights: &BTreeMap<ContractionId, Fr>,
    p: &[Fr],
) -> OperandClaims<Fr> {
    if weights.is_empty() {
        return OperandClaims::none(&mut Plain);
    }
    let all: Vec<(&Contraction, Roles, Fr)> = (weights.iter())
        .map(|(id, weight)| (system.contraction(*id), roles(system, system.contraction(*id)), *weight))
        .collect();
    let operands = |c: &Contraction| std::iter::once(c.lhs.clone()).chain(c.rhs.clone()).collect::<Vec<Operand>>();
    let lied_to = sender.lied_to();
    let mut products: Vec<Product> = (all.iter().zip(weights.keys()))
        .map(|((contraction, roles, _), id)| {
            let values = lied_to.get(id).unwrap_or(values);
            let mut factors: Vec<Vec<Fr>> = (operands(contraction).iter())
                .map(|operand| operand_table(system, contraction, roles, operand, values, p))
                .collect();
            factors.push(public_table(contraction, roles, p));
            Product::new(factors)
        })
        .collect();
    let mut total = [products.iter().zip(&all).map(|(product, (_, _, weight))| *weight * product.sum()).sum()];
    sender.plain(Message::Total, &mut total);
    let rounds = all.iter().map(|(_, roles, _)| roles.bits).max().unwrap_or(0);
    let mut sum = total[0];
    let mut r = Vec::new();
    for round in 0..rounds {
        let mut polynomial = [Fr::ZERO; 4];
        for (product, (_, _, weight)) in products.iter().zip(&all) {
            polynomial.iter_mut().zip(product.round()).for_each(|(sum, c)| *sum += *weight * c);
        }
        let mut message = vec![polynomial[0]];
        message.extend(&polynomial[2..=degree(system)]);
        sender.plain(Message::ContractionRound(round), &mut message);
        let challenge = sender.writer.challenge();
        sum = next_claim(sum, &message, challenge);
        products.iter_mut().for_each(|product| product.fold(challenge));
        r.push(challenge);
    }

    let late = late_factors(&mut Plain, &r);
    // For each contraction what the verifier knows times the first operand's value, and the second one's, 1 if it is missing.
    let mut known = Vec::new();
    let mut sides = [Vec::new(), Vec::new()];
    for (product, (contraction, roles, weight)) in products.iter().zip(&all) {
        let count = operands(contraction).len();
        known.push(*weight * late[roles.bits] * product.factors[count][0]);
        sides[0].push(known[known.len() - 1] * product.factors[0][0]);
        sides[1].push(if count == 2 { product.factors[1][0] } else { Fr::ONE });
    }
    sides.iter_mut().for_each(|side| side.resize(all.len().next_power_of_two(), Fr::ZERO));
    let mut numbered = Product::new(sides.to_vec());
    let mut zeta = Vec::new();
    for round in 0..all.len().next_power_of_two().ilog2() {
        let polynomial = numbered.round();
        let mut message = [polynomial[0], polynomial[2]];
        sender.plain(Message::NumberRound(round as usize), &mut message);
        let challenge = sender.writer.challenge();
        sum = next_claim(sum, &message, challenge);
        numbered.fold(challenge);
        zeta.push(challenge);
    }
    let mut sent = [0, 1].map(|k| numbered.factors[k][0]);
    sender.scalars(Message::Operands, &mut sent, |sent| {
        // The first side is set so that the sum is reached.
        sent[0] = sum / sent[1];
    });
    let ids: Vec<(ContractionId, Fr)> = weights.iter().map(|(id, weight)| (*id, *weight)).collect();
    let roles: Vec<Roles> = all.into_iter().map(|(_, roles, _)| roles).collect();
    let sides = operand_claims(&mut Plain, system, &ids, &roles, (&eq_table(&zeta), &known), sent);
    OperandClaims { total: total[0], bound: r, sides }
}

/// The operand over the bound variables, the other outputs at their points.
fn operand_table(
    system: &ConstraintSystem,
    contraction: &Contraction,
    roles: &Roles,
    operand: &Operand,
    values: &Values,
    p: &[Fr],
) -> Vec<Fr> {
    let rank = system.tensor(operand.tensor).shape.len();
    let outputs = axis_ranges(&contraction.vars[..contraction.outputs]);
    let free: Vec<usize> =
        (0..contraction.outputs).filter(|v| !roles.bound.contains(v) && operand.reads(*v, rank)).collect();
    let weights: Vec<Vec<Fr>> = free.iter().map(|v| eq_table(&p[outputs[*v].clone()])).collect();
    let lens: Vec<usize> = weights.iter().map(Vec::len).collect();
    let bound_lens: Vec<usize> = roles.bound.iter().map(|v| contraction.vars[*v]).collect();
    let bound = axis_ranges(&bound_lens);
    let mut vars = vec![0; contraction.vars.len()];
    let mut table = vec![Fr::ZERO; 1 << roles.bits];
    for (position, sum) in table.iter_mut().enumerate() {
        for (var, digit) in roles.bound.iter().zip(digits(position, &bound)) {
            vars[*var] = digit;
        }
        for_all(&lens, &mut |at| {
            free.iter().zip(at).for_each(|(var, at)| vars[*var] = *at);
            let weight: Fr = weights.iter().zip(at).map(|(w, at)| w[*at]).product();
            *sum += weight * read(system, operand, values, &vars);
        });
    }
    table
}

/// `eq(p_b, b)` of the batch variables times the masks.
fn public_table(contraction: &Contraction, roles: &Roles, p: &[Fr]) -> Vec<Fr> {
    let outputs = axis_ranges(&contraction.vars[..contraction.outputs]);
    let lens: Vec<usize> = roles.bound.iter().map(|v| contraction.vars[*v]).collect();
    let bound = axis_ranges(&lens);
    let factor = |var: usize, at: usize| {
        if roles.batch.contains(&var) {
            eq_table(&p[outputs[var].clone()])[at]
        } else {
            Fr::from(!roles.masked.contains(&var) || at < contraction.vars[var])
        }
    };
    let at = |position| roles.bound.iter().zip(digits(position, &bound)).map(|(var, at)| factor(*var, at)).product();
    (0..1 << roles.bits).map(at).collect()
}
