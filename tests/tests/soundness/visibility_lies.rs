//! Inputs that no proof shows: what is stated then, and lies about which inputs are.

use std::sync::LazyLock;

use vouch_circuits::backend::Check;
use vouch_circuits::ir::{Role, Visibility};
use vouch_circuits::key::{InvalidKey, Proof};
use vouch_prover::prove::prove_witness;
use vouch_prover::witness::{generate, model_values};
use vouch_prover::{Needs, ProvingKey, SetupError, SetupOptions, prove, setup};
use vouch_verifier::{PreparedKey, Refused};

use crate::contract::verify;
use crate::programs::*;
use crate::scene::CHUNK_BITS;
use crate::wrapped::{Wrapped, wrapped};

fn options(names: &[&str]) -> SetupOptions {
    let inputs = names.iter().map(|name| (name.to_string(), Visibility::Private)).collect();
    SetupOptions { inputs, ..SetupOptions::chunk_bits(CHUNK_BITS) }
}

/// The name of the one input.
fn input() -> &'static str {
    &DENSE.program.inputs[0].name
}

/// [`DENSE`] with its input private.
static PRIVATE: LazyLock<Wrapped> = LazyLock::new(|| {
    let srs = wrapped().key.core.srs.clone();
    let key = setup(DENSE.program.clone(), &options(&[input()]), srs, [1; 32], &mut |_| {}).unwrap();
    let prepared = PreparedKey::new(key.verifying_key.clone()).unwrap();
    Wrapped { key, prepared }
});

fn proven(key: &ProvingKey, inputs: &[Vec<i64>]) -> Proof {
    prove(key, inputs, None, &mut |_| {}).unwrap()
}

#[test]
fn a_private_input_is_not_stated() {
    let inputs = [vec![vec![7, -5, 6]], vec![vec![-8, 0, 1]]];
    for inputs in &inputs {
        let proof = proven(&PRIVATE.key, inputs);
        assert!(proof.publics[0].is_empty());
        let verified = verify(&PRIVATE.prepared, &proof).unwrap();
        assert_eq!((verified.shown.inputs.len(), &verified.shown.private_inputs[..]), (0, &[input().to_string()][..]));
        let public = verify(&wrapped().prepared, &proven(&wrapped().key, inputs)).unwrap();
        assert_eq!(public.shown.inputs[0].integers, inputs[0]);
        assert_eq!(verified.shown.outputs, public.shown.outputs, "the same outputs either way");
        assert!(verified.to_string().contains("on a private input"));
    }
    // Nobody needs to know the input's extension either: the shell has one public value less, and those of the outputs' point.
    let (private, public) = (&PRIVATE.key.shell.shape, &wrapped().key.shell.shape);
    assert!(private.instances < public.instances);
}

#[test]
fn lies_about_private_inputs_are_refused() {
    let proof = proven(&PRIVATE.key, &DENSE.inputs);
    let refusal = |change: &dyn Fn(&mut Proof)| {
        let mut changed = proof.clone();
        change(&mut changed);
        verify(&PRIVATE.prepared, &changed).unwrap_err()
    };
    let name = input().to_string();
    assert_eq!(
        refusal(&|p| p.publics[0] = DENSE.inputs[0].clone()),
        Refused::PublicLength { name, have: DENSE.inputs[0].len(), need: 0 }
    );
    assert_eq!(refusal(&|p| drop(p.publics.remove(0))), Refused::PublicCount { have: 1, need: 2 });
    let least = PRIVATE.key.verifying_key.publics[1].range.0;
    let other = if proof.publics[1][0] == least { least + 1 } else { least };
    assert_eq!(refusal(&|p| p.publics[1][0] = other), Refused::Shell);

    // The same model with another visibility is another key, and another model.
    let public = wrapped().prove(None);
    assert_ne!(PRIVATE.key.verifying_key.model_id(), wrapped().key.verifying_key.model_id());
    assert_eq!(verify(&PRIVATE.prepared, &public), Err(Refused::OtherKey));
    let mut forged = public.clone();
    forged.key_digest = proof.key_digest;
    forged.publics[0].clear();
    assert!(verify(&PRIVATE.prepared, &forged).is_err());
    let mut key = PRIVATE.key.verifying_key.clone();
    key.publics[0].visibility = Visibility::Public;
    let mut forged = proof.clone();
    forged.key_digest = key.digest();
    let key = PreparedKey::new(key).unwrap();
    assert!(matches!(verify(&key, &forged), Err(Refused::PublicLength { .. })));
    forged.publics[0] = DENSE.inputs[0].clone();
    assert!(verify(&key, &forged).is_err(), "the circuit binds no stated input");
}

/// That nobody sees an input does not free it of its range.
#[test]
fn a_private_input_out_of_range_is_refused() {
    let core = &PRIVATE.key.core;
    let lowered = core.lowered();
    let tensor = lowered.system.publics[0].tensor.0 as usize;
    let (witness, _) = generate(lowered, model_values(&core.program, lowered), &DENSE.inputs).unwrap();
    for outside in [8, -9, 1 << 20] {
        let mut lie = generate(lowered, model_values(&core.program, lowered), &DENSE.inputs).unwrap().0;
        lie.values[tensor][0] = outside;
        // The range's row of it, too.
        lie.lookups[0][0][0] = i64::from(outside) + 8;
        let proof = prove_witness(core, &lie, None, &mut |_| {}).unwrap();
        assert_eq!(PRIVATE.record(&proof).failure, Some(Check::Batch), "{outside}: the fractions' sum");
        assert!(verify(&PRIVATE.prepared, &PRIVATE.wrap(&proof)).is_err());
    }
    let proof = prove_witness(core, &witness, None, &mut |_| {}).unwrap();
    assert!(verify(&PRIVATE.prepared, &PRIVATE.wrap(&proof)).is_ok());
}

#[test]
fn only_inputs_that_exist_can_be_private() {
    for name in ["nothing", &DENSE.program.outputs[0].name] {
        let outcome = Needs::of(&DENSE.program, &options(&[name]));
        assert!(matches!(outcome, Err(SetupError::NoSuchInput(unknown)) if unknown == name));
    }
    let output = DENSE.program.outputs[0].name.clone();
    let said = |name: &str, visibility| SetupOptions {
        outputs: [(name.to_string(), visibility)].into(),
        ..SetupOptions::chunk_bits(CHUNK_BITS)
    };
    let outcome = Needs::of(&DENSE.program, &said(&output, Visibility::Private));
    assert!(matches!(outcome, Err(SetupError::PrivateOutput(name)) if name == output));
    let outcome = Needs::of(&DENSE.program, &said("nothing", Visibility::Committed));
    assert!(matches!(outcome, Err(SetupError::NoSuchOutput(name)) if name == "nothing"));
    let mut key = PRIVATE.key.verifying_key.clone();
    assert_eq!(key.publics[1].role, Role::Output);
    key.publics[1].visibility = Visibility::Private;
    assert!(matches!(PreparedKey::new(key), Err(InvalidKey::System(_))));
}

/// One of two inputs private: the other is bound as before.
#[test]
fn inputs_are_private_each_for_itself() {
    let (first, second) = (&PRODUCTS.program.inputs[0].name, &PRODUCTS.program.inputs[1].name);
    assert_ne!(first, second);
    let needs = Needs::of(&PRODUCTS.program, &options(&[first])).unwrap();
    let srs = vouch_prover::commit::Srs::development_with_lagrange(needs.powers(), &[needs.k], &mut rand::rng());
    let key = setup(PRODUCTS.program.clone(), &options(&[first]), srs, [1; 32], &mut |_| {}).unwrap();
    let prepared = PreparedKey::new(key.verifying_key.clone()).unwrap();
    let proof = proven(&key, &PRODUCTS.inputs);
    let verified = verify(&prepared, &proof).unwrap();
    assert_eq!((&verified.shown.private_inputs, &verified.shown.inputs[0].name), (&vec![first.clone()], second));
    assert_eq!(verified.shown.inputs[0].integers, PRODUCTS.inputs[1]);
    for position in 0..proof.publics[1].len() {
        let mut other = proof.clone();
        let value = &mut other.publics[1][position];
        *value = if *value == 0 { 1 } else { 0 };
        assert_eq!(verify(&prepared, &other), Err(Refused::Shell), "{position}");
    }
    // The keys' file says which.
    let read = ProvingKey::from_bytes(&key.to_bytes()).unwrap();
    assert_eq!(read.verifying_key, key.verifying_key);
    verify(&prepared, &proven(&read, &PRODUCTS.inputs)).unwrap();
}
