//! The cheating prover's tree of fractions.

use ark_bn254::Fr;
use ark_ff::AdditiveGroup;
use vouch_circuits::argument::lookups::LeafClaim;
use vouch_circuits::mle::eq_table;

use crate::cheat::{Message, Sender};
use crate::sumcheck::fold;

/// From the root to the leaves, given as numerators and denominators.
pub fn prove(sender: &mut Sender, leaves: [Vec<Fr>; 2]) -> LeafClaim<Fr> {
    let mut layers = vec![leaves];
    while layers[layers.len() - 1][0].len() > 2 {
        let [p, q] = &layers[layers.len() - 1];
        let p_above = p.chunks(2).zip(q.chunks(2)).map(|(p, q)| p[0] * q[1] + p[1] * q[0]).collect();
        let q_above = q.chunks(2).map(|q| q[0] * q[1]).collect();
        layers.push([p_above, q_above]);
    }
    let [p, q] = layers.pop().unwrap();
    let mut children = [p[0], p[1], q[0], q[1]];
    sender.scalars(Message::Root, &mut children, |c| c[0] = -c[1] * c[2] / c[3]);
    let mut claim = split(sender, &children, Vec::new());
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
    claim
}

fn split(sender: &mut Sender, [p0, p1, q0, q1]: &[Fr; 4], mut point: Vec<Fr>) -> LeafClaim<Fr> {
    let z = sender.writer.challenge();
    point.insert(0, z);
    LeafClaim { point, numerator: *p0 + z * (*p1 - p0), denominator: *q0 + z * (*q1 - q0) }
}
