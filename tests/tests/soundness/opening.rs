//! The cheating prover's opening: HyperKZG with every message open to change.

use ark_bn254::{Fr, G1Affine};
use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, Field};
use vouch_circuits::argument::opening::OpeningPoints;
use vouch_circuits::backend::Step;
use vouch_prover::commit::msm;
use vouch_tests::{divide, evaluate};

use crate::cheat::{Message, Points, Sender};
use crate::scene::SRS;

/// Opens `g` at `rho`, with `v` claimed. `alter` is a fold that is replaced by another polynomial, from which the prover goes on.
pub fn open(sender: &mut Sender, g: Vec<Fr>, rho: &[Fr], v: Fr, alter: Option<usize>) -> OpeningPoints {
    sender.writer.label(Step::Opening);
    let c = rho.len();
    let mut folds = vec![g];
    for (k, coordinate) in rho[..c - 1].iter().enumerate() {
        let mut next: Vec<Fr> = folds[k].chunks(2).map(|pair| pair[0] + *coordinate * (pair[1] - pair[0])).collect();
        if alter == Some(k) {
            next[0] += Fr::ONE;
        }
        folds.push(next);
    }
    let mut fold_points: Vec<G1Affine> = folds[1..].iter().map(|f| commit(f)).collect();
    sender.points(Points::Folds, &mut fold_points);

    let r = sender.writer.challenge();
    let mut values: Vec<Fr> = folds.iter().flat_map(|f| [evaluate(f, r), evaluate(f, -r)]).collect();
    values.push(evaluate(&folds[0], r.square()));
    let last = rho[c - 1];
    sender.scalars(Message::FoldValues, &mut values, |values| {
        // even + ρ·(odd − even) of the last fold is to be v.
        let (plus, minus) = (values[2 * c - 2], values[2 * c - 1]);
        let half = Fr::from(2).inverse().unwrap();
        let (even, odd) = ((plus + minus) * half, (plus - minus) * half / r);
        let missing = v - even - last * (odd - even);
        let slope = half * (Fr::ONE - last + last / r);
        values[2 * c - 2] += missing / slope;
    });

    let q = sender.writer.challenge();
    let mut batched = vec![Fr::ZERO; folds[0].len()];
    let mut power = Fr::ONE;
    for fold in &folds {
        batched.iter_mut().zip(fold).for_each(|(sum, value)| *sum += power * value);
        power *= q;
    }
    let square = r.square();
    let divisor = [square.square(), -square, -square, Fr::ONE];
    let (quotient, remainder) = divide(&batched, &divisor);
    let mut quotient_point = [commit(&quotient)];
    sender.points(Points::Quotient, &mut quotient_point);
    let z = sender.writer.challenge();
    let at_z = evaluate(&divisor, z);
    let mut linear = batched;
    linear.iter_mut().zip(&quotient).for_each(|(value, quotient)| *value -= at_z * quotient);
    linear[0] -= evaluate(&remainder, z);
    let mut witness_point = [commit(&divide(&linear, &[-z, Fr::ONE]).0)];
    sender.points(Points::Witness, &mut witness_point);
    OpeningPoints { folds: fold_points, quotient: quotient_point[0], witness: witness_point[0] }
}

fn commit(polynomial: &[Fr]) -> G1Affine {
    msm(&SRS.powers[..polynomial.len()], polynomial).into_affine()
}
