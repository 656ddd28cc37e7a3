//! The Ethereum contract against the verifier: both accept or both refuse.

mod bounty;
mod chain;
mod gas;
mod project;
mod removed;

use std::sync::LazyLock;

use alloy_sol_types::{SolCall, SolInterface};
use ark_bn254::{Fq, Fr};
use ark_ff::{BigInteger256, PrimeField};
use revm::primitives::{Address, U256};
use vouch_circuits::files::{self, Kind};
use vouch_circuits::ir::Visibility;
use vouch_circuits::key::Proof;
use vouch_circuits::shell::Columns;
use vouch_evm::VouchVerifier::{VouchVerifierErrors as Error, describeCall, verifyCall};
use vouch_evm::{Arguments, key_code, key_creation_code, verifier_creation_code};
use vouch_models::{quantize_all, zoo};
use vouch_prover::commit::Srs;
use vouch_prover::{ProvingKey, SetupOptions, prove, setup};
use vouch_verifier::{PreparedKey, Refused, verify};

use crate::chain::{Called, Chain};

/// A model whose key and whose verifier are on a chain.
struct Deployed {
    name: String,
    key: ProvingKey,
    prepared: PreparedKey,
    proof: Proof,
    chain: Chain,
    verifier: Address,
    key_address: Address,
}

static SRS: LazyLock<Srs> =
    LazyLock::new(|| Srs::development_with_lagrange(1 << 15, &[8, 9, 10, 11, 12], &mut rand::rng()));

impl Deployed {
    fn new(model: &str, options: SetupOptions, context: Option<[u8; 32]>) -> Self {
        let entry = zoo::find(model).unwrap();
        let program = entry.compile(&mut |_| {}).unwrap().program;
        let inputs = quantize_all(&program, &entry.samples().unwrap()[0]).unwrap();
        let key = setup(program, &options, SRS.clone(), [3; 32], &mut |_| {}).unwrap();
        let proof = prove(&key, &inputs, context, &mut |_| {}).unwrap();
        let prepared = PreparedKey::new(key.verifying_key.clone()).unwrap();
        let mut chain = Chain::default();
        let verifier = chain.deploy(verifier_creation_code());
        let key_address = chain.deploy(&key_creation_code(&key.verifying_key).unwrap());
        let visibility = key.verifying_key.publics[0].visibility;
        let Columns { lanes, packing } = key.verifying_key.shell.columns;
        let name = format!("{model}, input {visibility:?}, {lanes} lanes, {packing} columns to a commitment");
        Self { name, key, prepared, proof, chain, verifier, key_address }
    }

    fn verify(&self, arguments: &Arguments) -> bool {
        let called = self.chain.call(self.verifier, arguments.verify(self.key_address, self.prepared.model_id()));
        verifyCall::abi_decode_returns(&called.returned.expect("it answers")).unwrap()
    }

    fn require_valid(&self, arguments: &Arguments) -> Result<Called, Error> {
        let model_id = self.prepared.model_id();
        let called = self.chain.call(self.verifier, arguments.require_valid(self.key_address, model_id));
        match &called.returned {
            Ok(_) => Ok(called),
            Err(data) => Err(Error::abi_decode(data).unwrap()),
        }
    }

    /// What the contract says of a proof whose elements are these, and the verifier of the same in a file.
    fn outcomes(&self, elements: &[u8]) -> (Option<Error>, Option<Refused>) {
        let arguments = Arguments { proof: elements.to_vec().into(), ..Arguments::of(&self.proof).unwrap() };
        let contract = self.require_valid(&arguments).err();
        assert_eq!(self.verify(&arguments), contract.is_none(), "{}", self.name);
        let file = self.proof.to_bytes();
        let body = files::open(&file, Kind::Proof).unwrap();
        let statement = &body[..body.len() - self.proof.elements().len()];
        let file = files::seal(Kind::Proof, &[statement, elements].concat());
        // What is no proof at all is refused with whatever the reader says.
        let refused = match Proof::from_bytes(&file) {
            Ok(proof) => verify(&self.prepared, &proof).err(),
            Err(_) => Some(Refused::Point),
        };
        (contract, refused)
    }
}

fn in_columns(Columns { lanes, packing }: Columns) -> SetupOptions {
    SetupOptions { lanes: Some(lanes), packing: Some(packing), ..SetupOptions::default() }
}

/// In one lane, with a committed input.
fn committed(input: &str) -> SetupOptions {
    shown(input, Visibility::Committed)
}

fn shown(input: &str, visibility: Visibility) -> SetupOptions {
    SetupOptions { inputs: [(input.into(), visibility)].into(), ..in_columns(Columns::packed(1)) }
}

/// One lane and a committed input, as a chain has it cheapest; a public input and a context, in two lanes whose columns have commitments of their own;
/// four lanes.
static DIGITS: LazyLock<[Deployed; 3]> = LazyLock::new(|| {
    let deployed = |options, context| Deployed::new("digits8x8_mlp", options, context);
    let (two, four) = (in_columns(Columns::alone(2)), in_columns(Columns::packed(4)));
    [deployed(committed("input"), None), deployed(two, Some([7; 32])), deployed(four, None)]
});

#[test]
fn honest_proofs_are_accepted() {
    let others = [
        Deployed::new("mnist_mlp", SetupOptions::default(), None),
        Deployed::new("mnist_lenet5", committed("input"), Some([1; 32])),
        Deployed::new("mnist_mlp", shown("input", Visibility::Hashed), None),
    ];
    // Whoever makes a call dearer should know.
    let most = [407_000, 682_000, 591_000, 696_000, 553_000, 466_000];
    for (deployed, most) in DIGITS.iter().chain(&others).zip(most) {
        let arguments = Arguments::of(&deployed.proof).unwrap();
        assert!(deployed.verify(&arguments), "{}", deployed.name);
        let called = deployed.require_valid(&arguments).unwrap();
        let bytes = arguments.proof.len();
        println!("{}: {} gas, {bytes} bytes beside public values", deployed.name, called.gas);
        assert!(called.gas <= most, "{}: {} gas", deployed.name, called.gas);
        assert!(bytes <= 4096 || deployed.key.verifying_key.shell.columns.lanes > 2, "{}", deployed.name);
    }
}

#[test]
fn the_contract_reads_the_key() {
    for deployed in DIGITS.iter() {
        let key = &deployed.key.verifying_key;
        assert_eq!(deployed.chain.clone().code(deployed.key_address).to_vec(), key_code(key).unwrap());
        let called = deployed.chain.call(deployed.verifier, describeCall { key: deployed.key_address }.abi_encode());
        let described = describeCall::abi_decode_returns(&called.returned.unwrap()).unwrap();
        assert_eq!(described.modelId, key.model_id());
        assert_eq!(described.srsId, vouch_circuits::key::srs_id(&key.tau_g2));
        assert_eq!((described.development, &described.name), (true, &key.name));
    }
}

#[test]
fn other_statements_are_refused() {
    for deployed in DIGITS.iter() {
        let honest = Arguments::of(&deployed.proof).unwrap();
        let refusal = |arguments: &Arguments| deployed.require_valid(arguments).map(|_| ()).unwrap_err();
        let values = honest.values.to_vec();
        let other_values = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut values = values.clone();
            change(&mut values);
            refusal(&Arguments { values: values.into(), ..honest.clone() })
        };
        let last = values.len() - 1;
        assert!(matches!(other_values(&|v| v[last] ^= 1), Error::WrongProof(_)));
        assert!(matches!(other_values(&|v| v[..8].fill(0x7f)), Error::PublicValueOutOfRange(_)));
        assert!(matches!(other_values(&|v| v[last - 7] ^= 0x80), Error::PublicValueOutOfRange(_)));
        assert!(matches!(other_values(&|v| v.truncate(last)), Error::WrongPublicLength(_)));
        assert!(matches!(other_values(&|v| v.extend([0; 8])), Error::WrongPublicLength(_)));
        assert!(matches!(other_values(&Vec::clear), Error::WrongPublicLength(_)));
        let context = if honest.context.is_zero() { [1; 32].into() } else { Default::default() };
        assert!(matches!(refusal(&Arguments { context, ..honest.clone() }), Error::WrongProof(_)));
    }
}

#[test]
fn other_keys_are_refused() {
    let [one, other, _] = &*DIGITS;
    let mut chain = one.chain.clone();
    let arguments = Arguments::of(&one.proof).unwrap();
    let other_key = chain.deploy(&key_creation_code(&other.key.verifying_key).unwrap());
    let refusal = |key: Address, model_id: [u8; 32]| {
        let called = chain.call(one.verifier, arguments.require_valid(key, model_id));
        let verified = chain.call(one.verifier, arguments.verify(key, model_id)).returned;
        (
            Error::abi_decode(&called.returned.unwrap_err()).unwrap(),
            verified.map(|data| verifyCall::abi_decode_returns(&data).unwrap()).ok(),
        )
    };
    let (own, others) = (one.prepared.model_id(), other.prepared.model_id());
    assert!(matches!(refusal(other_key, own), (Error::OtherModel(_), Some(false))));
    assert!(matches!(refusal(one.key_address, others), (Error::OtherModel(_), Some(false))));
    // Another key, by its own id: its publics are others.
    assert!(matches!(refusal(other_key, others), (Error::WrongPublicLength(_), Some(false))));
    // Whoever takes the key for the verifier is not told that all is well.
    let data = arguments.require_valid(one.key_address, own);
    assert!(chain.call_with(1_000_000, one.key_address, data).is_none());
    // No contract, and one that holds no key.
    assert!(matches!(refusal(Address::ZERO, own), (Error::NotAKey(_), None)));
    assert!(matches!(refusal(one.verifier, own), (Error::NotAKey(_), None)));
}

type Alteration = fn(&mut [u8]);

/// A bit at the end, a bit near the beginning, nothing, too much, what is the same number modulo the order of either field, and half of it.
const ALTERATIONS: [Alteration; 7] = [
    |word| word.iter_mut().rev().take(1).for_each(|byte| *byte ^= 1),
    |word| word.iter_mut().skip(2).take(1).for_each(|byte| *byte ^= 0x10),
    |word| word.fill(0),
    |word| word.fill(0xff),
    |word| add(word, Fr::MODULUS),
    |word| add(word, Fq::MODULUS),
    |word| word[16..].fill(0),
];

fn add(word: &mut [u8], modulus: BigInteger256) {
    let sum = U256::from_be_slice(word).wrapping_add(U256::from_limbs(modulus.0));
    word.copy_from_slice(&sum.to_be_bytes::<32>());
}

/// Where the words of coordinates and scalars begin, and where the counts before them.
fn places(proof: &Proof) -> (Vec<usize>, Vec<usize>) {
    let lists = [
        (true, 2 * proof.x_commitments.len()),
        (true, 2 * proof.y_commitments.len()),
        (false, 6),
        (true, proof.exports.len()),
        (true, proof.shell.len() / 32),
    ];
    let (mut words, mut counts, mut at) = (Vec::new(), Vec::new(), 0);
    for (counted, length) in lists {
        counts.extend(counted.then_some(at));
        at += if counted { 4 } else { 0 };
        words.extend((0..length).map(|i| at + 32 * i));
        at += 32 * length;
    }
    assert_eq!(at, proof.elements().len());
    (words, counts)
}

#[test]
fn altered_elements_are_refused_by_both() {
    let mut altered = 0;
    for deployed in DIGITS.iter() {
        let honest = deployed.proof.elements();
        assert_eq!(deployed.outcomes(&honest), (None, None));
        let (words, counts) = places(&deployed.proof);
        let mut refused = |change: &dyn Fn(&mut [u8])| {
            let mut elements = honest.clone();
            change(&mut elements);
            if elements == honest {
                return None;
            }
            let (contract, verifier) = deployed.outcomes(&elements);
            altered += 1;
            assert!(contract.is_some() && verifier.is_some(), "{}: {contract:?}, {verifier:?}", deployed.name);
            contract
        };
        for word in words {
            for (i, change) in ALTERATIONS.iter().enumerate() {
                let error = refused(&|elements| change(&mut elements[word..word + 32]));
                // More than either modulus is refused as such.
                let too_much = matches!(error, None | Some(Error::ScalarOutOfRange(_) | Error::PointNotOnCurve(_)));
                assert!(too_much || i < 3 || i == 6, "{}, word at {word}, alteration {i}: {error:?}", deployed.name);
            }
        }
        for count in counts {
            for byte in 0..4 {
                let error = refused(&|elements| elements[count + byte] ^= 1);
                assert!(matches!(error, Some(Error::WrongProofLength(_))), "{}, count at {count}", deployed.name);
            }
        }
        for elements in [&honest[1..], &honest[..honest.len() - 1], &[&honest[..], &[0]].concat(), &[]] {
            let (contract, verifier) = deployed.outcomes(elements);
            assert!(matches!(contract, Some(Error::WrongProofLength(_))) && verifier.is_some());
        }
    }
    println!("{altered} altered proofs");
    assert!(altered >= 2000);
}

/// Too little gas is an error, never a proof that is said to be wrong.
#[test]
fn want_of_gas_is_no_refusal() {
    let deployed = &DIGITS[0];
    let data = Arguments::of(&deployed.proof).unwrap().verify(deployed.key_address, deployed.prepared.model_id());
    let needed = deployed.chain.call(deployed.verifier, data.clone()).gas;
    let mut reverted = 0;
    for gas in (0..needed).step_by(3001).chain((0..2000).map(|less| needed - less * 7)) {
        match deployed.chain.call_with(gas, deployed.verifier, data.clone()).map(|called| called.returned) {
            None => (),
            Some(Err(data)) => {
                assert!(matches!(Error::abi_decode(&data).unwrap(), Error::PrecompileFailed(_)), "{gas}");
                reverted += 1;
            }
            Some(Ok(data)) => assert!(verifyCall::abi_decode_returns(&data).unwrap(), "with {gas} gas"),
        }
    }
    println!("{reverted} reverted");
}
