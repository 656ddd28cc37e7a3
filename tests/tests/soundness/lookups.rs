//! The cheating prover's tree of fractions, and the fractions that it commits to.

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field};
use vouch_circuits::argument::lookups::{Claims, FractionClaim, ValueAt};
use vouch_circuits::mle::eq_table;

use crate::cheat::{Message, Sender};
use crate::sumcheck::fold;

/// The layers' numerators and denominators, from the leaves up to `layer`, or to the root's children if that is 0.
pub fn tree(leaves: [Vec<Fr>; 2], layer: usize) -> Vec<[Vec<Fr>; 2]> {
    let mut layers = vec![leaves];
    while layers[layers.len() - 1][0].len() > 1 << layer.max(1) {
        let [p, q] = &layers[layers.len() - 1];
        let p_above = p.chunks(2).zip(q.chunks(2)).map(|(p, q)| p[0] * q[1] + p[1] * q[0]).collect();
        let q_above = q.chunks(2).map(|q| q[0] * q[1]).collect();
        layers.push([p_above, q_above]);
    }
    layers
}

/// From the root, or from the fractions `y` that are committed to of `layer`, to the leaves. (Products' factors stand behind the fractions.)
pub fn prove(sender: &mut Sender, mut layers: Vec<[Vec<Fr>; 2]>, layer: usize, y: Vec<Fr>) -> Claims<Fr> {
    let [p, q] = layers.pop().unwrap();
    let (mut claim, fractions) = if layer == 0 {
        let mut children = [p[0], p[1], q[0], q[1]];
        sender.scalars(Message::Root, &mut children, |c| c[0] = -c[1] * c[2] / c[3]);
        (split(sender, &children, Vec::new()), None)
    } else {
        let (claim, value) = prove_fractions(sender, y, p, q);
        let fractions = ValueAt { point: claim.point.clone(), value };
        (claim, Some(fractions))
    };
    while let Some([p, q]) = layers.pop() {
        let depth = claim.point.len();
        let lambda = sender.writer.challenge();
        let even = |v: &[Fr]| -> Vec<Fr> { v.iter().step_by(2).copied().collect() };
        let odd = |v: &[Fr]| -> Vec<Fr> { v.iter().skip(1).step_by(2).copied().collect() };
        let [mut p0, mut p1, mut q0, mut q1] = [even(&p), odd(&p), even(&q), odd(&q)];
        let mut sum = claim.numerator + lambda * claim.denominator;
        let mut point = Vec::new();
        for (round, z) in claim.point.iter().enumerate() {
            let weights = eq_table(&claim.point[round + 1..]);
            // The round polynomial at 0, its leading coefficient, and it at 1.
            let mut at = [Fr::ZERO; 3];
            for (j, weight) in weights.iter().enumerate() {
                let summand = |f: &dyn Fn(&[Fr]) -> Fr| {
                    let (p0, p1, q0, q1) = (f(&p0), f(&p1), f(&q0), f(&q1));
                    *weight * (p0 * q1 + p1 * q0 + lambda * q0 * q1)
                };
                at[0] += summand(&|v| v[2 * j]);
                at[1] += summand(&|v| v[2 * j + 1] - v[2 * j]);
                at[2] += summand(&|v| v[2 * j + 1]);
            }
            let mut message = [at[2] - at[0] - at[1], at[1]];
            sender.plain(Message::LookupRound { depth, round }, &mut message);
            let r = sender.writer.challenge();
            let constant = sum - *z * (message[0] + message[1]);
            sum = constant + r * (message[0] + r * message[1]);
            [p0, p1, q0, q1] = [&p0, &p1, &q0, &q1].map(|v| fold(v, r));
            point.push(r);
        }
        let mut children = [p0[0], p1[0], q0[0], q1[0]];
        sender.scalars(Message::Children { depth }, &mut children, |c| {
            c[0] = (sum - c[1] * c[2] - lambda * c[2] * c[3]) / c[3];
        });
        claim = split(sender, &children, point);
    }
    Claims { leaves: claim, fractions }
}

/// `Σ_i z^i·(y_i·q_i − p_i) = 0`: the claim on `p` and `q`, and the value of `y`.
fn prove_fractions(sender: &mut Sender, mut y: Vec<Fr>, mut p: Vec<Fr>, mut q: Vec<Fr>) -> (FractionClaim<Fr>, Fr) {
    let mut w = sender.writer.challenge();
    let (mut sum, mut point) = (Fr::ZERO, Vec::new());
    for round in 0..p.len().trailing_zeros() as usize {
        // h(X) = Σ_j (w²)^j·(the summand of pair j), at 1 and its leading coefficient.
        let (mut at_one, mut square, mut weight) = (Fr::ZERO, Fr::ZERO, Fr::ONE);
        for j in 0..p.len() / 2 {
            let (low, high) = (2 * j, 2 * j + 1);
            at_one += weight * (y[high] * q[high] - p[high]);
            square += weight * (y[high] - y[low]) * (q[high] - q[low]);
            weight *= w.square();
        }
        let mut message = [at_one, square];
        sender.plain(Message::FractionRound(round), &mut message);
        let r = sender.writer.challenge();
        let [at_one, square] = message;
        let at_zero = sum - w * at_one;
        sum = at_zero + r * (at_one - at_zero) + square * r * (r - Fr::ONE);
        [y, p, q] = [&y, &p, &q].map(|v| fold(v, r));
        w = w.square();
        point.push(r);
    }
    let mut end = [y[0], q[0]];
    sender.plain(Message::FractionEnd, &mut end);
    let [value, denominator] = end;
    (FractionClaim { point, numerator: value * denominator - sum, denominator }, value)
}

fn split(sender: &mut Sender, [p0, p1, q0, q1]: &[Fr; 4], mut point: Vec<Fr>) -> FractionClaim<Fr> {
    let z = sender.writer.challenge();
    point.insert(0, z);
    FractionClaim { point, numerator: *p0 + z * (*p1 - p0), denominator: *q0 + z * (*q1 - q0) }
}
