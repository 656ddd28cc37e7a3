//! The example: a contract that pays for a proof that a trusted model takes an image for a seven.

use alloy_sol_types::{SolCall, SolError, SolValue};
use revm::primitives::{Address, Bytes, FixedBytes, U256};
use vouch_circuits::ir::Visibility;
use vouch_circuits::key::Proof;
use vouch_evm::VouchVerifier::WrongProof;
use vouch_evm::{Arguments, SevenBounty, key_creation_code, verifier_creation_code};
use vouch_models::{quantize_all, zoo};
use vouch_prover::{SetupOptions, prove, setup};
use vouch_verifier::argmax;

use crate::SRS;
use crate::chain::Chain;

/// The example as the compiler made it.
fn creation_code(verifier: Address) -> Bytes {
    [SevenBounty::BYTECODE.to_vec(), verifier.abi_encode()].concat().into()
}

#[test]
fn a_seven_is_paid_for_once_and_to_its_prover() {
    let entry = zoo::find("digits8x8_mlp").unwrap();
    let program = entry.compile(&mut |_| {}).unwrap().program;
    let options = SetupOptions { inputs: [("input".into(), Visibility::Committed)].into(), ..SetupOptions::default() };
    let key = setup(program.clone(), &options, SRS.clone(), [5; 32], &mut |_| {}).unwrap();
    let model_id: FixedBytes<32> = key.verifying_key.model_id().into();
    let samples: Vec<Vec<Vec<i64>>> =
        entry.samples().unwrap().iter().map(|sample| quantize_all(&program, sample).unwrap()).collect();
    let prove = |class: usize, context: FixedBytes<32>| -> Proof {
        let proofs = samples.iter().map(|inputs| prove(&key, inputs, Some(context.0), &mut |_| {}).unwrap());
        let is_it = |proof: &Proof| argmax(&proof.publics[1]) == class;
        proofs.into_iter().find(is_it).expect("each digit is among the samples")
    };

    let mut chain = Chain::default();
    let [owner, prover, thief] = [[1; 20], [2; 20], [3; 20]].map(Address::from);
    chain.fund(owner, 10_000);
    let verifier = chain.deploy(verifier_creation_code());
    let key_address = chain.deploy(&key_creation_code(&key.verifying_key).unwrap());
    let bounty = chain.deploy_from(owner, &creation_code(verifier));
    for amount in [1000, 500] {
        chain.send(owner, bounty, SevenBounty::offerCall {}.abi_encode(), amount).returned.unwrap();
    }
    let context = |chain: &Chain, number: u64, claimant: Address| {
        let call = SevenBounty::contextOfCall { bounty: U256::from(number), claimant };
        let returned = chain.call(bounty, call.abi_encode()).returned.unwrap();
        SevenBounty::contextOfCall::abi_decode_returns(&returned).unwrap()
    };
    let claim = |chain: &mut Chain, from: Address, number: u64, proof: &Proof| {
        let Arguments { proof, values: scores, .. } = Arguments::of(proof).unwrap();
        let call =
            SevenBounty::claimCall { bounty: U256::from(number), key: key_address, modelId: model_id, proof, scores };
        chain.send(from, bounty, call.abi_encode(), 0)
    };

    let seven = prove(7, context(&chain, 0, prover));
    let untrusted = claim(&mut chain, prover, 0, &seven).returned.unwrap_err();
    assert_eq!(untrusted[..], SevenBounty::UntrustedModel {}.abi_encode());
    let trust = SevenBounty::trustCall { modelId: model_id, whether: true }.abi_encode();
    let not_owner = chain.send(thief, bounty, trust.clone(), 0).returned.unwrap_err();
    assert_eq!(not_owner[..], SevenBounty::OnlyOwner {}.abi_encode());
    chain.send(owner, bounty, trust, 0).returned.unwrap();

    // Somebody else's proof, and for another bounty.
    for (from, number) in [(thief, 0), (prover, 1)] {
        let refused = claim(&mut chain, from, number, &seven).returned.unwrap_err();
        assert_eq!(refused[..], WrongProof {}.abi_encode());
    }
    // An image of another digit, whose proof is right, and one that says that it is a seven.
    let mut one = prove(1, context(&chain, 0, prover));
    let refused = claim(&mut chain, prover, 0, &one).returned.unwrap_err();
    assert_eq!(refused[..], SevenBounty::NotASeven { class: U256::from(1) }.abi_encode());
    one.publics[1].swap(1, 7);
    let refused = claim(&mut chain, prover, 0, &one).returned.unwrap_err();
    assert_eq!(refused[..], WrongProof {}.abi_encode());

    let paid = claim(&mut chain, prover, 0, &seven);
    paid.returned.unwrap();
    println!("{} gas to claim", paid.gas);
    assert_eq!((chain.balance(prover), chain.balance(bounty)), (U256::from(1000), U256::from(500)));
    let again = claim(&mut chain, prover, 0, &seven).returned.unwrap_err();
    assert_eq!(again[..], SevenBounty::NothingOffered {}.abi_encode());
}
