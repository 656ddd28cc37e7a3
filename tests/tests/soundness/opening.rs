//! The cheating prover's opening: every message open to change.

use ark_bn254::{Fr, G1Affine};
use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, Field};
use vouch_circuits::argument::opening::{OpeningPoints, eq_polynomial};
use vouch_circuits::backend::{Plain, Step};
use vouch_circuits::mle::eq_table;
use vouch_prover::commit::msm;
use vouch_tests::{divide, evaluate};

use crate::cheat::{Message, Points, Sender};
use crate::scene::SRS;

/// Opens `g` at `rho`, with `v` claimed. With `alter` a coefficient of `S` is another, from which the prover goes on.
pub fn open(sender: &mut Sender, g: &[Fr], rho: &[Fr], v: Fr, alter: Option<usize>) -> OpeningPoints {
    sender.writer.label(Step::Opening);
    let mut s = vec![Fr::ZERO; g.len() - 1];
    for (i, value) in g.iter().enumerate() {
        for (j, weight) in eq_table(rho).iter().enumerate().filter(|(j, _)| *j != i) {
            s[i.abs_diff(j) - 1] += *value * weight;
        }
    }
    if let Some(position) = alter {
        s[position] += Fr::ONE;
    }
    let mut cross = [commit(&s)];
    sender.points(Points::Cross, &mut cross);

    let zeta = sender.writer.challenge();
    let inverse = zeta.inverse().unwrap();
    let [at_zeta, at_inverse] = [zeta, inverse].map(|x| eq_polynomial(&mut Plain, rho, &x));
    let combined = |of_g: Fr, of_s: Fr| -> Vec<Fr> {
        (0..g.len()).map(|i| g[i] * of_g - of_s * s.get(i).copied().unwrap_or_default()).collect()
    };
    let (first, second) = (combined(at_inverse, zeta), combined(at_zeta, inverse));
    let mut y = [evaluate(&first, zeta)];
    sender.plain(Message::Opening, &mut y);

    let (one, other) = (divide(&first, &[-zeta, Fr::ONE]).0, divide(&second, &[-inverse, Fr::ONE]).0);
    let h: Vec<Fr> = one.iter().zip(&other).map(|(one, other)| *one + other).collect();
    let mut quotient = [commit(&h)];
    sender.points(Points::Quotient, &mut quotient);
    let z = sender.writer.challenge();
    let (from_zeta, from_inverse) = (z - zeta, z - inverse);
    let factor = from_inverse * at_inverse + from_zeta * at_zeta;
    let mut linear: Vec<Fr> =
        first.iter().zip(&second).map(|(first, second)| from_inverse * first + from_zeta * second).collect();
    linear.iter_mut().zip(&h).for_each(|(value, h)| *value -= from_zeta * from_inverse * h);
    linear[0] -= from_inverse * y[0] + from_zeta * (v.double() - y[0]);
    linear.iter_mut().for_each(|value| *value /= factor);
    let mut witness = [commit(&divide(&linear, &[-z, Fr::ONE]).0)];
    sender.points(Points::Witness, &mut witness);
    OpeningPoints { cross: cross[0], quotient: quotient[0], witness: witness[0] }
}

fn commit(polynomial: &[Fr]) -> G1Affine {
    msm(&SRS.powers[..polynomial.len()], polynomial).into_affine()
}
