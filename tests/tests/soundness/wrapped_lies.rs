//! Lies in a whole proof: in what it states, in what it is bound to, in each of its elements, in the keys it is checked with, and
//! in the witness that its prover was given.

use ark_bn254::{Fr, G1Affine, G1Projective};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{Field, Zero};
use vouch_circuits::backend::Check;
use vouch_circuits::ir::Origin;
use vouch_circuits::key::{Proof, VerifyingKey};
use vouch_circuits::points::encode_g1;
use vouch_circuits::shell::instances::exports_of;
use vouch_prover::prove::prove_witness;
use vouch_prover::prove_core;
use vouch_prover::witness::{generate, model_values};
use vouch_prover::{Needs, SetupOptions, setup};
use vouch_verifier::pairing::CoreOpening;
use vouch_verifier::{PreparedKey, Refused, plonk};

use crate::contract::verify;
use crate::programs::*;
use crate::wrapped::{Wrapped, wrapped};

const SHELL: Option<Refused> = Some(Refused::Shell);

struct Honest {
    wrapped: &'static Wrapped,
    proof: Proof,
}

fn honest(context: Option<[u8; 32]>) -> Honest {
    let wrapped = wrapped();
    let honest = Honest { wrapped, proof: wrapped.prove(context) };
    assert_eq!(honest.refusal(|_| ()), None);
    honest
}

impl Honest {
    fn refusal(&self, change: impl FnOnce(&mut Proof)) -> Option<Refused> {
        let mut changed = self.proof.clone();
        change(&mut changed);
        verify(&self.wrapped.prepared, &changed).err()
    }
}

#[test]
fn other_public_values_are_refused() {
    let honest = honest(None);
    let publics = &honest.wrapped.key.verifying_key.publics;
    for (tensor, public) in publics.iter().enumerate() {
        for position in 0..public.values() {
            let value = honest.proof.publics[tensor][position];
            for other in [value + 1, value - 1, -value, 0, public.range.0, public.range.1, i64::MIN, i64::MAX] {
                if other == value {
                    continue;
                }
                let inside = (public.range.0..=public.range.1).contains(&other);
                let range = Refused::PublicRange { name: public.name.clone(), position };
                let refusal = honest.refusal(|p| p.publics[tensor][position] = other);
                assert_eq!(refusal, if inside { SHELL } else { Some(range) }, "{} at {position}: {other}", public.name);
            }
        }
        assert!(matches!(honest.refusal(|p| p.publics[tensor].push(0)), Some(Refused::PublicLength { .. })));
        assert!(matches!(honest.refusal(|p| p.publics[tensor].clear()), Some(Refused::PublicLength { .. })));
    }
    assert!(matches!(honest.refusal(|p| drop(p.publics.pop())), Some(Refused::PublicCount { .. })));
    assert_eq!(honest.refusal(|p| p.publics[0].rotate_left(1)), SHELL);
}

#[test]
fn another_context_is_refused() {
    let bound = honest(Some([7; 32]));
    assert_eq!(bound.refusal(|p| p.context = None), SHELL);
    assert_eq!(bound.refusal(|p| p.context = Some([0; 32])), SHELL);
    let unbound = honest(None);
    // Not even the digest of nothing, or all zeros.
    assert_eq!(unbound.refusal(|p| p.context = Some([0; 32])), SHELL);
}

/// Each group element exchanged, negated, moved, made infinity; each scalar changed.
#[test]
fn every_element_counts() {
    let honest = honest(None);
    let other = honest.wrapped.prove(None);
    let x = honest.proof.x_commitments.len();
    type Place = Box<dyn Fn(&mut Proof) -> &mut G1Affine>;
    let mut places: Vec<(Place, Option<Refused>)> = Vec::new();
    for i in 0..x {
        places.push((Box::new(move |p| &mut p.x_commitments[i]), SHELL));
    }
    for i in 0..honest.proof.y_commitments.len() {
        places.push((Box::new(move |p| &mut p.y_commitments[i]), SHELL));
    }
    places.push((Box::new(|p| &mut p.opening.cross), SHELL));
    places.push((Box::new(|p| &mut p.opening.quotient), SHELL));
    // Only the group equation sees W.
    places.push((Box::new(|p| &mut p.opening.witness), Some(Refused::Check(Check::Pairing))));
    for (i, (place, refusal)) in places.iter().enumerate() {
        let mut another = other.clone();
        let another = *place(&mut another);
        let changes: [&dyn Fn(G1Affine) -> G1Affine; 4] = [
            &|point| -point,
            &|_| G1Affine::zero(),
            &|point| (point + G1Affine::generator()).into_affine(),
            &move |_| another,
        ];
        for change in changes {
            assert_eq!(honest.refusal(|p| *place(p) = change(*place(p))), *refusal, "point {i}");
        }
        let off = |p: &mut Proof| place(p).y += ark_bn254::Fq::ONE;
        assert_eq!(honest.refusal(off), Some(Refused::Point), "point {i} off the curve");
    }
    assert_eq!(honest.refusal(|p| p.x_commitments.swap(0, 1)), SHELL);
    assert_eq!(honest.refusal(|p| std::mem::swap(&mut p.opening.cross, &mut p.opening.quotient)), SHELL);
    for i in 0..honest.proof.exports.len() {
        assert_eq!(honest.refusal(|p| p.exports[i] += Fr::ONE), SHELL, "export {i}");
        assert_eq!(honest.refusal(|p| p.exports[i] = other.exports[i]), SHELL, "export {i}");
    }
    assert_eq!(honest.refusal(|p| p.shell = other.shell.clone()), SHELL);
    assert_eq!(honest.refusal(|p| p.exports = other.exports.clone()), SHELL);
}

/// A wrong shell and a wrong opening, such that the sum of their equations holds for the factor that follows from all but one of their last
/// points, which was chosen last. It follows from both.
#[test]
fn two_wrong_equations_do_not_make_a_right_one() {
    let wrapped = wrapped();
    let (key, srs) = (&wrapped.key.verifying_key, &wrapped.key.core.srs);
    let core = prove_core(&wrapped.key.core, &DENSE.inputs, None, &mut |_| {}).unwrap();
    let recording = wrapped.record(&core);
    let honest = wrapped.wrap(&core);
    assert_eq!(verify(&wrapped.prepared, &honest).err(), None);

    let reduce = |proof: &Proof| plonk::reduce(&key.shell, &recording.instance_values(), &proof.shell).unwrap();
    let factor = |proof: &Proof| {
        let mut transcript = reduce(proof).transcript;
        transcript.absorb(&encode_g1(&proof.opening.witness));
        transcript.challenge()
    };
    let (shell_witness, u) = *reduce(&honest).equation.terms.last().unwrap();
    let z = *honest.exports.last().unwrap();
    let less_tau = |scalar: Fr| G1Affine::generator() * scalar - srs.powers[1];
    let moved = |proof: &Proof, of_shell: G1Projective, of_core: G1Projective| {
        let mut moved = proof.clone();
        let end = moved.shell.len() - 64;
        moved.shell[end..].copy_from_slice(&encode_g1(&(of_shell + shell_witness).into_affine()));
        moved.opening.witness = (of_core + honest.opening.witness).into_affine();
        moved
    };
    let nothing = G1Projective::zero();
    // (u − τ) times what the shell's point is moved by, and factor·(z − τ) times what the core's is, are zero together.
    let core_first = moved(&honest, nothing, less_tau(u));
    let known = factor(&core_first);
    let shell_last = (moved(&core_first, less_tau(z) * -known, less_tau(u)), known);
    let shell_first = moved(&honest, less_tau(z), nothing);
    let known = factor(&shell_first);
    let core_last = (moved(&shell_first, less_tau(z), less_tau(u) * -known.inverse().unwrap()), known);
    for (forged, factor) in [shell_last, core_last] {
        let opening = CoreOpening {
            chunks: key.chunks(),
            w_commitments: &key.w_commitments,
            x_commitments: &forged.x_commitments,
            y_commitments: &forged.y_commitments,
            opening: &forged.opening,
            exports: &exports_of(key.exported_leaf(), &key.chunks(), &forged.exports).unwrap(),
        };
        let (shell, core) = (reduce(&forged).equation, opening.equation().unwrap());
        assert!(!shell.holds(key.tau_g2) && !core.holds(key.tau_g2));
        assert!(shell.and(&core, factor).holds(key.tau_g2), "they cancel for the factor that was known");
        assert_eq!(verify(&wrapped.prepared, &forged).err(), SHELL);
    }
}

/// Keys that differ in one thing each refuse, also a proof that claims to be for them.
#[test]
fn another_key_is_refused() {
    let honest = honest(None);
    let good = &honest.wrapped.key.verifying_key;
    // Of the same size, for other constraints: the last division is by twice as much.
    let mut program = DENSE.program.clone();
    let shift = program.nodes.iter_mut().rev().find_map(|node| match &mut node.op {
        vouch_program::Op::Apply { shift, .. } => Some(shift),
        _ => None,
    });
    *shift.unwrap() += 1;
    let limb_bits = Some(honest.wrapped.key.core.lowered().style.limb_bits);
    let options = SetupOptions { limb_bits, ..SetupOptions::cut_at(good.cuts) };
    assert_eq!(Needs::of(&program, &options).unwrap().k, good.shell.k);
    let srs = honest.wrapped.key.core.srs.clone();
    let coarser = setup(program, &options, srs, [1; 32], &mut |_| {}).unwrap().verifying_key;
    assert_ne!(coarser.shell, good.shell);

    let salted = Wrapped::new(2).key.verifying_key;
    let changes: [&dyn Fn(&mut VerifyingKey); 10] = [
        &|k| *k = salted.clone(),
        &|k| *k = coarser.clone(),
        &|k| k.shell = coarser.shell.clone(),
        &|k| k.w_commitments[0] = -k.w_commitments[0],
        &|k| k.architecture[0] ^= 1,
        &|k| k.publics[0].range.1 += 1,
        &|k| k.publics.swap(0, 1),
        &|k| k.shell.commitments.swap(2, 3),
        &|k| k.tau_g2 = (k.tau_g2 + ark_bn254::G2Affine::generator()).into_affine(),
        &|k| k.name.push('!'),
    ];
    for (i, change) in changes.iter().enumerate() {
        let mut key = good.clone();
        change(&mut key);
        let (digest, id) = (key.digest(), key.model_id());
        assert_eq!(id == good.model_id(), i + 1 == changes.len(), "only the name is in no id");
        let key = PreparedKey::new(key).unwrap();
        assert_eq!(verify(&key, &honest.proof), Err(Refused::OtherKey), "{i}");
        let mut forged = honest.proof.clone();
        forged.key_digest = digest;
        let refusal = verify(&key, &forged).unwrap_err();
        let of_publics = matches!(refusal, Refused::PublicLength { .. } | Refused::PublicRange { .. });
        assert!(refusal == Refused::Shell || of_publics, "{i}: {refusal}");
    }
}

/// The product's own prover, given a witness that lies: it says so instead of wrapping, and what it would have written is refused.
#[test]
fn a_lying_witness_cannot_be_wrapped() {
    let wrapped = wrapped();
    let core = &wrapped.key.core;
    let lowered = core.lowered();
    let (mut witness, _) = generate(lowered, model_values(&core.program, lowered), &DENSE.inputs).unwrap();
    let lies = (0..lowered.system.tensors.len()).filter(|i| lowered.system.tensors[*i].origin == Origin::Witness);
    let mut wrapped_lies = 0;
    for tensor in lies {
        witness.values[tensor][0] += 1;
        let proof = prove_witness(core, &witness, None, &mut |_| {}).unwrap();
        let run = wrapped.record(&proof);
        assert!(run.failure.is_some(), "tensor {tensor}");
        // A real proof for some of them.
        if tensor % 4 == 0 {
            let refusal = verify(&wrapped.prepared, &wrapped.wrap(&proof)).unwrap_err();
            let out_of_range = matches!(refusal, Refused::PublicRange { .. });
            assert!(refusal == Refused::Shell || out_of_range, "tensor {tensor}: {refusal}");
            wrapped_lies += 1;
        }
        witness.values[tensor][0] -= 1;
    }
    assert!(wrapped_lies >= 2);
    let proof = prove_witness(core, &witness, None, &mut |_| {}).unwrap();
    assert!(verify(&wrapped.prepared, &wrapped.wrap(&proof)).is_ok(), "the truth, along the same way");
}
