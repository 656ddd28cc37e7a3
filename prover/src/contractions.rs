//! The prover's half of the contraction step ([`vouch_circuits::argument::contractions`]).
//!
//! Cost: each operand element is read once or twice, then a sumcheck over the bound variables alone.

use ark_bn254::Fr;
use ark_ff::{One, Zero};
use rayon::prelude::*;
use vouch_circuits::argument::claims::{TensorClaim, operand_wires};
use vouch_circuits::argument::contractions::{OperandClaims, Roles, degree, roles, variable_points};
use vouch_circuits::ir::*;
use vouch_circuits::mle::eq_table;
use vouch_circuits::transcript::Writer;

use crate::operands::operand_table;

/// Fewer pairs than this are not worth a second thread.
const PARALLEL: usize = 1 << 10;

/// One contraction in the sumcheck: `weight · Σ factors[0]·factors[1]·…`.
struct Instance {
    weight: Fr,
    /// The operands' tables, then the public factor's, if there is one.
    factors: Vec<Vec<Fr>>,
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
        return OperandClaims { claims: Vec::new(), total: Fr::zero() };
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
            factors.extend(public_table(contraction, roles, p));
            Instance { weight: *weight, factors }
        })
        .collect();
    let total: Fr = instances.iter().map(|i| i.weight * i.sum()).sum();
    transcript.write(total);

    let degree = degree(system);
    let rounds = all_roles.iter().map(|r| r.bits).max().unwrap_or(0);
    let mut r = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let parts: Vec<[Fr; 4]> = instances.par_iter().map(Instance::round).collect();
        let polynomial: [Fr; 4] = std::array::from_fn(|k| parts.iter().map(|p| p[k]).sum());
        transcript.write(polynomial[0]);
        polynomial[2..=degree].iter().for_each(|c| transcript.write(*c));
        let challenge = transcript.challenge();
        instances.par_iter_mut().for_each(|i| i.fold(challenge));
        r.push(challenge);
    }

    let mut claims = Vec::new();
    for (((id, _), roles), instance) in weights.iter().zip(&all_roles).zip(&instances) {
        let contraction = system.contraction(*id);
        let points = variable_points(contraction, roles, p, &r);
        let operands = std::iter::once(&contraction.lhs).chain(&contraction.rhs);
        for (operand, factor) in operands.zip(&instance.factors) {
            let value = factor[0];
            transcript.write(value);
            let wires = operand_wires(system, operand, &points);
            claims.push((TensorClaim { tensor: operand.tensor, coef: Fr::one(), wires }, value));
        }
    }
    OperandClaims { claims, total }
}

fn unbound_points(contraction: &Contraction, roles: &Roles, p: &[Fr]) -> Vec<Vec<Fr>> {
    let placeholder = vec![Fr::zero(); roles.bits];
    variable_points(contraction, roles, p, &placeholder)
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
            .map(|j| {
                let mut product = [Fr::one(), Fr::zero(), Fr::zero(), Fr::zero()];
                for (k, factor) in self.factors.iter().enumerate() {
                    let (low, rise) = (factor[2 * j], factor[2 * j + 1] - factor[2 * j]);
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
            })
            .reduce(|| [Fr::zero(); 4], |a, b| std::array::from_fn(|k| a[k] + b[k]));
        coefficients.map(|c| c * self.weight)
    }

    fn fold(&mut self, r: Fr) {
        if self.factors[0].len() == 1 {
            self.weight *= Fr::one() - r;
            return;
        }
        for factor in &mut self.factors {
            *factor =
                factor.par_chunks(2).with_min_len(PARALLEL).map(|pair| pair[0] + r * (pair[1] - pair[0])).collect();
        }
    }
}
