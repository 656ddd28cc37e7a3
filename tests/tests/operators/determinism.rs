//! What must be the same each time, and what must not.

use std::collections::BTreeSet;

use ark_bn254::{Fr, G1Affine};
use ark_ff::{One, Zero};
use proptest::prelude::*;
use vouch_circuits::argument::key::CoreProof;
use vouch_circuits::layout::Cuts;
use vouch_program::*;
use vouch_prover::{CoreProvingKey, SetupOptions, prove_core, setup_core};
use vouch_verifier::{PreparedCore, verify_core};

use crate::build::Builder;
use crate::generate::{Case, SMALL, case, stream};
use crate::harness::{key, srs};

/// Two layers; `spread` weights.
fn program(spread: i32) -> Program {
    let mut builder = Builder::new();
    let x = builder.input(8, &[5]);
    let w = builder.weight((0..15).map(|i| i * i % 23 * spread).collect(), &[3, 5]);
    let sum = builder.contract(&[3, 5], 1, View::of_vars(w, &[0, 1]), Some(View::of_vars(x, &[1])));
    let hidden = builder.apply(sum, 4, Func::Relu, 8, true);
    let at = builder.argmax(hidden, 0);
    builder.finish(&[hidden, at])
}

fn key_with_salt(program: Program, salt: u8) -> CoreProvingKey {
    setup_core(program, &SetupOptions::cut_at(Cuts { chunk_bits: 6, layer: 0 }), srs(), [salt; 32], &mut |_| {})
        .unwrap_or_else(|error| panic!("{error}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Lowering twice gives the same, says every use of `harness::lowered`.
    #[test]
    fn keys_follow_from_program_salt_and_reference_string(stream in stream(), chunk_bits in 6usize..=8) {
        let Case { program, .. } = case(stream, SMALL);
        let first = key(&program, chunk_bits, None).map_err(TestCaseError::fail)?;
        let second = key(&program, chunk_bits, None).map_err(TestCaseError::fail)?;
        prop_assert!(first.key == second.key);
        prop_assert_eq!(first.key_digest, second.key_digest);
        prop_assert_eq!(first.recommit(), second.key.w_commitments);
    }
}

#[test]
fn salt_and_weights_change_the_commitments_and_nothing_else() {
    let first = key_with_salt(program(1), 1).key;
    for other in [key_with_salt(program(1), 2), key_with_salt(program(-1), 1)] {
        let other = other.key;
        assert!(first.w_commitments.iter().zip(&other.w_commitments).all(|(a, b)| a != b));
        assert_ne!(first.digest(), other.digest());
        let mut same = other.clone();
        same.w_commitments = first.w_commitments.clone();
        assert!(same.system != first.system || same == first);
    }
}

#[test]
fn without_weights_the_salt_does_not_matter() {
    let mut builder = Builder::new();
    let x = builder.input(8, &[5]);
    let y = builder.apply(x, 1, Func::Relu, 8, false);
    let program = builder.finish(&[y]);
    let keys = [1, 2].map(|salt| key_with_salt(program.clone(), salt).key);
    assert!(keys[0].w_commitments.is_empty());
    assert_eq!(keys[0].digest(), keys[1].digest());
}

fn points(proof: &CoreProof) -> Vec<G1Affine> {
    proof.x_commitments.iter().copied().chain(proof.opening.all()).collect()
}

#[test]
fn two_proofs_of_one_statement_share_nothing_else() {
    let key = key_with_salt(program(1), 1);
    let prepared = PreparedCore::new(key.key.clone(), key.key_digest).expect("a key that was just made");
    // Of all-zero inputs, so that many chunks are equal, and of others.
    for input in [vec![0; 5], vec![-128, 127, 0, 5, -1]] {
        let proofs = [(); 2]
            .map(|()| prove_core(&key, std::slice::from_ref(&input), None, &mut |_| {}).expect("an input in range"));
        for proof in &proofs {
            verify_core(&prepared, proof).expect("an honest proof");
        }
        let [first, second] = &proofs;
        assert_eq!((first.key_digest, &first.publics), (second.key_digest, &second.publics));
        assert!(first.x_commitments.len() > 4);
        let all: Vec<Vec<u8>> = proofs.iter().flat_map(points).map(|point| format!("{point:?}").into_bytes()).collect();
        let distinct: BTreeSet<&Vec<u8>> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "each commitment has a blind of its own");

        // Fractions that stand for absent leaves are 0 over 1 in every proof.
        let said = |proof: &CoreProof| -> BTreeSet<Fr> {
            proof.scalars.iter().copied().filter(|scalar| !scalar.is_zero() && !scalar.is_one()).collect()
        };
        let (first, second) = (said(first), said(second));
        assert!(first.len() > 50 && first.is_disjoint(&second));
    }
}
