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
use vouch_circuits::mle::{eq_table, eq_weights};
use vouch_circuits::transcript::Writer;

use crate::operands::operand_table;

/// Fewer pairs than this are not worth a second thread.
const PARALLEL: usize = 1 << 10;

/// One contraction in the sumcheck: `weight · Σ factors[0]·factors[1]·…`.
struct Instance {
    weight: Fr,
    /// The operands' tables, then the public factor's, if there is one.
    factors: Vec<Vec<Fr>>,
    /// How many of them are operands'.
    operands: usize,
}

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
    let mut instances: Vec<Instance> = (weights.par_iter().zip(&all_roles))
        .map(|((id, weight), roles)| {
            let contraction = system.contraction(*id);
            // Bound variables have no point yet; operands do not ask for it.
            let points = unbound_points(contraction, roles, p);
            let mut factors: Vec<Vec<Fr>> = std::iter::once(&contraction.lhs)
                .chain(&contraction.rhs)
                .map(|o| operand_table(system, contraction, roles, o, &values[o.tensor.0 as usize], &points))
                .collect();
            let operands = factors.len();
            factors.extend(public_table(contraction, roles, p));
            Instance { weight: *weight, factors, operands }
        })
        .collect();
    let total: Fr = instances.iter().map(|i| i.weight * i.sum()).sum();
    transcript.write(total);

    let degree = degree(system);
    let rounds = all_roles.iter().map(|r| r.bits).max().unwrap_or(0);
    let mut bound = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let parts: Vec<[Fr; 4]> = instances.par_iter().map(Instance::round).collect();
        let polynomial: [Fr; 4] = std::array::from_fn(|k| parts.iter().map(|p| p[k]).sum());
        transcript.write(polynomial[0]);
        polynomial[2..=degree].iter().for_each(|c| transcript.write(*c));
        let challenge = transcript.challenge();
        instances.par_iter_mut().for_each(|i| i.fold(challenge));
        bound.push(challenge);
    }

    let factors = known_factors(&mut Plain, system, weights, &all_roles, p, &bound);
    let (numbers, values) = prove_numbers(factors, &instances, transcript);
    let sides = operand_claims(&mut Plain, system, weights, &all_roles, &numbers, values);
    OperandClaims { total, bound, sides }
}

/// The sum of the contractions' `factor·lhs·rhs` by a sumcheck over their numbers: `eq(ζ, i)` of each, and both sides' values.
fn prove_numbers(factors: Vec<Fr>, instances: &[Instance], transcript: &mut Writer) -> (Vec<Fr>, [Fr; 2]) {
    let side = |k: usize| instances.iter().map(|i| if k < i.operands { i.factors[k][0] } else { Fr::one() }).collect();
    let mut tables: [Vec<Fr>; 3] = [factors, side(0), side(1)];
    tables.iter_mut().for_each(|table| table.resize(instances.len().next_power_of_two(), Fr::zero()));
    let mut zeta = Vec::new();
    while tables[0].len() > 1 {
        let [constant, _, square, cube] = (0..tables[0].len() / 2)
            .map(|j| product_round(tables.iter().map(|table| (table[2 * j], table[2 * j + 1] - table[2 * j]))))
            .fold([Fr::zero(); NUMBER_DEGREE + 1], |a, b| std::array::from_fn(|k| a[k] + b[k]));
        [constant, square, cube].into_iter().for_each(|c| transcript.write(c));
        let challenge = transcript.challenge();
        tables.iter_mut().for_each(|table| *table = fold(table, challenge));
        zeta.push(challenge);
    }
    let values = [tables[1][0], tables[2][0]];
    values.into_iter().for_each(|value| transcript.write(value));
    (eq_weights(&mut Plain, &zeta, &Fr::one(), instances.len()), values)
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

impl Instance {
    fn sum(&self) -> Fr {
        let len = self.factors[0].len();
        (0..len).into_par_iter().with_min_len(PARALLEL).map(|i| self.factors.iter().map(|f| f[i]).product::<Fr>()).sum()
    }

    /// Coefficients of the round polynomial. A finished instance is its value times `1 - X`.
    fn round(&self) -> [Fr; 4] {
        let len = self.factors[0].len();
        if len == 1 {
            let value = self.weight * self.sum();
            return [value, -value, Fr::zero(), Fr::zero()];
        }
        let coefficients = (0..len / 2)
            .into_par_iter()
            .with_min_len(PARALLEL)
            .map(|j| product_round(self.factors.iter().map(|f| (f[2 * j], f[2 * j + 1] - f[2 * j]))))
            .reduce(|| [Fr::zero(); 4], |a, b| std::array::from_fn(|k| a[k] + b[k]));
        coefficients.map(|c| c * self.weight)
    }

    fn fold(&mut self, r: Fr) {
        if self.factors[0].len() == 1 {
            self.weight *= Fr::one() - r;
            return;
        }
        self.factors.iter_mut().for_each(|factor| *factor = fold(factor, r));
    }
}

/// The coefficients of a product of up to three lines, given as their values at 0 and their rises.
fn product_round(lines: impl Iterator<Item = (Fr, Fr)>) -> [Fr; 4] {
    let mut product = [Fr::one(), Fr::zero(), Fr::zero(), Fr::zero()];
    for (k, (low, rise)) in lines.enumerate() {
        if k == 0 {
            product = [low, rise, Fr::zero(), Fr::zero()];
            continue;
        }
        for c in (0..=k + 1).rev() {
            let carried = if c > 0 { product[c - 1] * rise } else { Fr::zero() };
            product[c] = product[c] * low + carried;
        }
    }
    product
}

fn fold(table: &[Fr], r: Fr) -> Vec<Fr> {
    table.par_chunks(2).with_min_len(PARALLEL).map(|pair| pair[0] + r * (pair[1] - pair[0])).collect()
}
