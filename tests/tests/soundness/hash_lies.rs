//! Hashed inputs and outputs: what their hashes are of, and lies about that.

use std::sync::LazyLock;

use alloy_sol_types::SolError;
use ark_bn254::Fr;
use ark_ff::{BigInteger, Field, One, PrimeField};
use vouch_circuits::backend::Check;
use vouch_circuits::encoding::DecodeError;
use vouch_circuits::files::{Kind, open, seal};
use vouch_circuits::ir::{TensorId, Visibility};
use vouch_circuits::key::{InvalidKey, Proof};
use vouch_circuits::lowering::{LowerError, MAX_LIMB_BITS, Style, lower_with};
use vouch_circuits::tensor_hash::HashOpening;
use vouch_evm::VouchVerifier::{PublicValueOutOfRange, WrongProof, WrongPublicLength};
use vouch_program::{AffineTerm, Op, Program};
use vouch_prover::openings::ReuseError;
use vouch_prover::{KeyMismatch, ProveError, ProveOptions, Proven, prove_with, verify_key};
use vouch_verifier::{OpeningRefused, PreparedKey, Refused, verify_hash_opening};

use crate::cheat::{Cheat, Hashed};
use crate::contract::{refusal_of_values, verify};
use crate::programs::*;
use crate::scene::Scene;
use crate::values::Values;
use crate::wrapped::Wrapped;

/// Two inputs and two outputs, with padding on one axis and on two.
fn scene() -> &'static Scene {
    static SCENE: LazyLock<Scene> = LazyLock::new(|| {
        Scene::showing(&PRODUCTS.program, Visibility::Hashed, Style { products: true, limb_bits: MAX_LIMB_BITS })
    });
    &SCENE
}

fn honest_values() -> &'static Values {
    static HONEST: LazyLock<Values> = LazyLock::new(|| scene().honest(&PRODUCTS.inputs));
    &HONEST
}

/// The tensors that are hashed.
fn hashed_tensors() -> Vec<TensorId> {
    scene().system().publics.iter().map(|public| public.tensor).collect()
}

fn refusal(lie: impl FnOnce(&mut Cheat)) -> Option<Check> {
    let mut cheat = Cheat::new(scene(), honest_values());
    lie(&mut cheat);
    scene().refusal_of(&cheat)
}

#[test]
fn the_truth_is_accepted_however_it_is_lowered() {
    for case in [&*DENSE, &*FAN_OUT, &*PRODUCTS, &*ARGMAX] {
        let showing = |style| Scene::showing(&case.program, Visibility::Hashed, style);
        let joined = [2, MAX_LIMB_BITS].map(|limb_bits| showing(Style { products: true, limb_bits }));
        for scene in joined.into_iter().chain(showing(Style::TABLES).cuts()) {
            scene.assert_accepts(&scene.honest(&case.inputs));
        }
    }
}

#[test]
fn a_hash_of_other_values_is_refused() {
    for tensor in 0..4 {
        // One value in the first and the last element, padding among them: an honest hash of a tensor that is not the run's.
        let last = [3, 3, 0, 0][tensor];
        for (element, place) in [(0, 0), (0, 3), (last, 2), (last, 7)] {
            let other = move |elements: &mut [Vec<Fr>]| elements[tensor][element] += Fr::from(2u64).pow([16 * place]);
            assert_eq!(refusal(|cheat| cheat.tamper_elements = Box::new(other)), Some(Check::Batch));
        }
    }
    let exchanged = |elements: &mut [Vec<Fr>]| elements.swap(0, 1);
    assert_eq!(refusal(|cheat| cheat.tamper_elements = Box::new(exchanged)), Some(Check::Batch));
    // A single row of a tensor is its own element's matter.
    let reordered = |elements: &mut [Vec<Fr>]| elements[0].swap(0, 1);
    assert_eq!(refusal(|cheat| cheat.tamper_elements = Box::new(reordered)), Some(Check::Batch));
}

#[test]
fn a_hash_that_is_not_of_what_was_sent_is_refused() {
    type Lie = Box<dyn Fn(&mut Hashed)>;
    for tensor in 0..4 {
        let lies: [Lie; 4] = [
            Box::new(move |it| it.hashes[tensor] += Fr::one()),
            Box::new(move |it| it.salts[tensor] += Fr::one()),
            Box::new(move |it| it.elements[tensor][0] += Fr::one()),
            Box::new(move |it| it.hashes.swap(tensor, (tensor + 1) % 4)),
        ];
        for lie in lies {
            assert_eq!(refusal(|cheat| cheat.tamper_hashed = lie), Some(Check::Hash));
        }
    }
    // With one too many, or one too few, every later message is another.
    let longer = |it: &mut Hashed| it.elements[3].push(Fr::one());
    let shorter = |it: &mut Hashed| it.elements[0].truncate(3);
    let more = |it: &mut Hashed| it.hashes.push(Fr::one());
    let proof = |lie: Lie| {
        let mut cheat = Cheat::new(scene(), honest_values());
        cheat.tamper_hashed = lie;
        scene().verify(&cheat.prove())
    };
    assert!(matches!(proof(Box::new(longer)), Err(Refused::Check(_))));
    assert_eq!(proof(Box::new(shorter)), Err(Refused::Check(Check::Hash)));
    assert_eq!(proof(Box::new(more)), Err(Refused::Hashes { have: 5, need: 4 }));
}

/// One value larger by `2^16` and the next one less by one are packed into the same element, and have the same hash.
#[test]
fn values_of_more_bits_are_refused_though_their_hash_is_the_same() {
    let system = scene().system();
    let inputs = scene().lowered.plan.len();
    assert!(inputs > 2);
    for tensor in hashed_tensors() {
        let carry = |values: &mut Values| {
            let cells = &mut values[tensor.0 as usize];
            cells[0] += Fr::from(1u64 << 16);
            cells[1] -= Fr::one();
        };
        let lied = scene().lied(&PRODUCTS.inputs, tensor, carry);
        let role = system.publics.iter().find(|public| public.tensor == tensor).unwrap().role;
        assert_eq!(scene().refusal(&lied), scene().sum_check(), "{role:?}: a range");
    }
    // The range is what refuses it in an output too: without it, whatever else binds an output's copy is an equality with it.
    let program = &PRODUCTS.program;
    let ranges = |visibility| {
        let style = Style { products: true, limb_bits: MAX_LIMB_BITS };
        lower_with(program, &|_, _| visibility, style).unwrap().system.lookups.len()
    };
    assert_eq!(ranges(Visibility::Hashed), ranges(Visibility::Committed) + program.outputs.len());
}

#[test]
fn junk_in_a_hashed_tensors_padding_is_refused() {
    for tensor in hashed_tensors() {
        let shape = &scene().system().tensor(tensor).shape;
        let junk = |values: &mut Values| {
            // Five of eight in a row, three of four rows, two columns of them: the last position is none's.
            let cells = &mut values[tensor.0 as usize];
            *cells.last_mut().unwrap() += Fr::one();
        };
        let lied = scene().lied(&PRODUCTS.inputs, tensor, junk);
        assert_eq!(scene().refusal(&lied), Some(Check::Batch), "{shape:?}");
    }
}

#[test]
fn values_of_more_bits_cannot_be_hashed() {
    // The output's values are twice the input's, or 2^14 times those.
    let hashed = |program: &Program| lower_with(program, &|_, _| Visibility::Hashed, Style::TABLES).map(|_| ());
    hashed(&GATHER.program).expect("five bits");
    let mut wide = GATHER.program.clone();
    let terms =
        wide.nodes.iter_mut().find_map(|node| if let Op::Affine { terms } = &mut node.op { Some(terms) } else { None });
    let Some(AffineTerm::Scaled { coef, .. }) = terms.unwrap().first_mut() else { panic!("a scaled view") };
    *coef = 1 << 14;
    let name = wide.outputs[0].name.clone();
    assert!(matches!(hashed(&wide), Err(LowerError::HashedTooWide(refused)) if refused == name));
    // Nor an input of more bits.
    let mut wide = GATHER.program.clone();
    let input = wide.inputs[0].node.index();
    wide.nodes[input].op = Op::Input { bits: 17 };
    let name = wide.inputs[0].name.clone();
    assert!(matches!(hashed(&wide), Err(LowerError::HashedTooWide(refused)) if refused == name));
    // A key that claims so is none.
    let mut key = HASHED.key.verifying_key.clone();
    key.publics[0].range.1 = 1 << 15;
    assert!(matches!(PreparedKey::new(key).err(), Some(InvalidKey::System(_))));
}

/// Keys with all inputs and outputs hashed.
static HASHED: LazyLock<Wrapped> =
    LazyLock::new(|| Wrapped::showing(&WIDE.program, Visibility::Hashed, Visibility::Hashed, Some(1)));

fn proven(inputs: &[Vec<i64>], hashes: &[HashOpening]) -> Result<Proven, ProveError> {
    prove_with(&HASHED.key, inputs, &ProveOptions { hashes, ..ProveOptions::default() }, &mut |_| {})
}

fn honest() -> &'static Proven {
    static HONEST: LazyLock<Proven> = LazyLock::new(|| proven(&WIDE.inputs, &[]).unwrap());
    &HONEST
}

#[test]
fn whole_proofs_state_hashes_that_open_to_the_runs_values() {
    let Proven { proof, openings, hashes } = honest();
    let verified = verify(&HASHED.prepared, proof).unwrap();
    assert!(verified.sentence().ends_with("maps 2 hashed inputs to 2 hashed outputs"), "{}", verified.sentence());
    assert!(openings.is_empty() && proof.publics.iter().all(Vec::is_empty));
    let run = vouch_program::execute(&WIDE.program, &WIDE.inputs).unwrap();
    let truth = WIDE.inputs.iter().cloned().chain(run.outputs().into_iter().map(<[i64]>::to_vec));
    for (number, ((tensor, opening), values)) in hashes.iter().zip(truth).enumerate() {
        let opened = verify_hash_opening(&HASHED.prepared, opening, Some(proof)).unwrap();
        assert_eq!((opened.tensor, &opened.values.integers), (*tensor, &values));
        assert_eq!((number, proof.hashes[number]), (*tensor, opening.hash()));
    }
    let read = Proof::from_bytes(&proof.to_bytes()).unwrap();
    assert_eq!(&read, proof);
    // Another proof of the same has other hashes, by which nobody can tell.
    let again = proven(&WIDE.inputs, &[]).unwrap();
    assert!(again.proof.hashes.iter().all(|hash| !proof.hashes.contains(hash)));
    // In several lanes every sponge is cut into as many parts; beside public inputs, hashes come first.
    for lanes in [2, 4] {
        let mixed = Wrapped::showing(&WIDE.program, Visibility::Public, Visibility::Hashed, Some(lanes));
        let proof = mixed_proof(&mixed);
        assert_eq!((proof.hashes.len(), proof.publics[0].len(), proof.publics[2].len()), (2, 150, 0));
        verify(&mixed.prepared, &proof).unwrap();
        let mut other = proof.clone();
        other.publics[1][7] ^= 1;
        assert_eq!(verify(&mixed.prepared, &other).err(), Some(Refused::Shell));
    }
}

fn mixed_proof(keys: &Wrapped) -> Proof {
    prove_with(&keys.key, &WIDE.inputs, &ProveOptions::default(), &mut |_| {}).unwrap().proof
}

#[test]
fn another_hash_in_a_whole_proof_is_refused() {
    let proof = &honest().proof;
    let refused = |lie: &dyn Fn(&mut Vec<Fr>)| {
        let mut changed = proof.clone();
        lie(&mut changed.hashes);
        verify(&HASHED.prepared, &changed).err().unwrap()
    };
    for number in 0..4 {
        assert_eq!(refused(&|hashes| hashes[number] += Fr::one()), Refused::Shell);
        assert_eq!(refused(&|hashes| hashes[number] = Fr::from(0u64)), Refused::Shell);
        assert_eq!(refused(&|hashes| hashes.swap(number, (number + 1) % 4)), Refused::Shell);
    }
    assert_eq!(refused(&|hashes| hashes.truncate(3)), Refused::Hashes { have: 3, need: 4 });
    assert_eq!(refused(&|hashes| hashes.push(Fr::one())), Refused::Hashes { have: 5, need: 4 });
    // One that is written as another number of the same residue.
    let body = open(&proof.to_bytes(), Kind::Proof).unwrap().to_vec();
    let first = body.windows(32).position(|bytes| bytes == proof.hashes[0].into_bigint().to_bytes_be()).unwrap();
    let mut beyond = proof.hashes[0].into_bigint();
    beyond.add_with_carry(&Fr::MODULUS);
    let mut body = body;
    body[first..first + 32].copy_from_slice(&beyond.to_bytes_be());
    assert_eq!(Proof::from_bytes(&seal(Kind::Proof, &body)), Err(DecodeError::Field("hashes")));
    // What the contract says of these.
    let values = proof.public_values();
    let refusal = |values: &[u8]| refusal_of_values(&HASHED.prepared, proof, values);
    assert_eq!(refusal(&values), None);
    let mut other = values.clone();
    other[..32].copy_from_slice(&beyond.to_bytes_be());
    assert_eq!(refusal(&other), Some(PublicValueOutOfRange {}.abi_encode()));
    other[..32].copy_from_slice(&values[32..64]);
    assert_eq!(refusal(&other), Some(WrongProof {}.abi_encode()));
    for length in [0, 32, values.len() - 1, values.len() - 32] {
        assert_eq!(refusal(&values[..length]), Some(WrongPublicLength {}.abi_encode()));
    }
}

#[test]
fn lies_in_openings_are_refused() {
    let Proven { proof, hashes, .. } = honest();
    for (_, opening) in hashes {
        let refusal = |lie: &dyn Fn(&mut HashOpening)| {
            let mut changed = opening.clone();
            lie(&mut changed);
            verify_hash_opening(&HASHED.prepared, &changed, Some(proof)).err().unwrap()
        };
        for position in 0..opening.values.len() {
            assert_eq!(refusal(&|it| it.values[position] ^= 1), OpeningRefused::OtherHash);
        }
        assert_eq!(refusal(&|it| it.salt += Fr::one()), OpeningRefused::OtherHash);
        // The same values on another shape.
        assert_eq!(refusal(&|it| it.shape.insert(0, 1)), OpeningRefused::NotHashed);
    }
    let of_committed = verify_hash_opening(&crate::wrapped::wrapped().prepared, &hashes[0].1, None);
    assert_eq!(of_committed.err(), Some(OpeningRefused::NotHashed));
}

#[test]
fn a_hash_is_shown_again() {
    let Proven { proof, hashes, .. } = honest();
    let earlier: Vec<HashOpening> = hashes.iter().map(|(_, opening)| opening.clone()).collect();
    let again = proven(&WIDE.inputs, &earlier).unwrap().proof;
    assert_eq!(again.hashes, proof.hashes);
    verify(&HASHED.prepared, &again).unwrap();
    let one = proven(&WIDE.inputs, &earlier[1..2]).unwrap().proof;
    assert_eq!(one.hashes[1], proof.hashes[1]);
    assert!([0, 2, 3].iter().all(|i| one.hashes[*i] != proof.hashes[*i]));
    // Of other values than the run's, or twice.
    let mut other = earlier[..1].to_vec();
    other[0].values[0] ^= 1;
    for hashes in [other, vec![earlier[0].clone(); 2]] {
        assert!(matches!(proven(&WIDE.inputs, &hashes).err(), Some(ProveError::Reuse(ReuseError::Hash))));
    }
}

#[test]
fn keys_with_hashes_are_recomputed_from_the_architecture() {
    let key = &HASHED.key.verifying_key;
    let architecture = &HASHED.key.architecture;
    let srs = &HASHED.key.core.srs;
    assert!(verify_key(key, architecture, srs).is_ok());
    let mut shown = key.clone();
    shown.publics[0].visibility = Visibility::Private;
    assert!(matches!(verify_key(&shown, architecture, srs), Err(KeyMismatch::Field(_))));
}
