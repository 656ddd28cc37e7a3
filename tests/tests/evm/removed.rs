//! The contract with one of its checks removed: what the check alone refuses is accepted then. Needs npm and its registry.

use std::io;

use alloy_sol_types::{SolCall, SolInterface};
use ark_bn254::Fr;
use ark_ff::{BigInteger, PrimeField};
use halo2_proofs::halo2curves::bn256;
use halo2_proofs::transcript::{EncodedChallenge, Transcript, TranscriptWrite};
use revm::primitives::Bytes;
use vouch_circuits::argument::key::CoreProof;
use vouch_circuits::key::Proof;
use vouch_circuits::points::{encode_g1, encode_scalar};
use vouch_circuits::shell::keccak::Keccak;
use vouch_evm::VouchVerifier::{VouchVerifierErrors as Error, verifyCall};
use vouch_evm::{Arguments, key_creation_code};
use vouch_models::{quantize_all, zoo};
use vouch_prover::shell::convert::{g1_back, scalar_back};
use vouch_prover::shell::transcript::Challenge;
use vouch_prover::shell::{halo2, record_proof};
use vouch_prover::{SetupOptions, prove, prove_core, setup};
use vouch_verifier::PreparedKey;

use crate::project::{compile, creation_code};
use crate::{DIGITS, Deployed, SRS, places};

const SOURCE: &str = "VouchProof.sol";

/// The code that creates the contract with `from` replaced by `to` in one of its sources.
fn altered(source: &str, from: &str, to: &str) -> Bytes {
    let folder = tempfile::tempdir().unwrap();
    compile(&DIGITS[0].key.verifying_key, folder.path(), |path, text| {
        if path != format!("src/{source}") {
            return text;
        }
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text.replace(from, to)
    });
    creation_code(folder.path(), "VouchVerifier")
}

/// A call that one check refuses.
struct Lie {
    name: &'static str,
    /// Bytes of the key that is deployed.
    key: PreparedKey,
    model_id: [u8; 32],
    arguments: Arguments,
    refused_as: fn(&Error) -> bool,
    /// What is replaced in which source, and by what.
    source: &'static str,
    check: &'static str,
    without: String,
}

impl Lie {
    fn of(name: &'static str, deployed: &Deployed, refused_as: fn(&Error) -> bool, check: &'static str) -> Self {
        let key = deployed.prepared.clone();
        let (model_id, arguments) = (key.model_id(), Arguments::of(&deployed.proof).unwrap());
        // The condition stays, so that nothing is unused.
        let without = check.split("return").next().unwrap().to_string() + "{}";
        Self { name, key, model_id, arguments, refused_as, source: SOURCE, check, without }
    }
}

/// A transcript that absorbs and writes one of its scalars as another number of the same residue.
struct Bent {
    keccak: Keccak,
    bytes: Vec<u8>,
    /// Whether the crate has handed in its key's digest, which is not absorbed.
    begun: bool,
    /// Scalars until then.
    before: usize,
}

fn beyond(value: &Fr) -> [u8; 32] {
    let mut number = value.into_bigint();
    assert!(!number.add_with_carry(&Fr::MODULUS), "twice the order fits 256 bits");
    number.to_bytes_be().try_into().unwrap()
}

impl Bent {
    fn absorbed(&mut self, value: &bn256::Fr) -> [u8; 32] {
        let value = scalar_back(value);
        let bent = self.before == 0;
        self.before = self.before.wrapping_sub(1);
        let bytes = if bent { beyond(&value) } else { encode_scalar(&value) };
        self.keccak.absorb(&bytes);
        bytes
    }
}

impl Transcript<bn256::G1Affine, Challenge> for Bent {
    fn squeeze_challenge(&mut self) -> Challenge {
        Challenge::new(&self.keccak.challenge())
    }

    fn common_point(&mut self, point: bn256::G1Affine) -> io::Result<()> {
        self.keccak.absorb(&encode_g1(&g1_back(&point)));
        Ok(())
    }

    fn common_scalar(&mut self, value: bn256::Fr) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            self.absorbed(&value);
        }
        Ok(())
    }
}

impl TranscriptWrite<bn256::G1Affine, Challenge> for Bent {
    fn write_point(&mut self, point: bn256::G1Affine) -> io::Result<()> {
        self.common_point(point)?;
        self.bytes.extend(encode_g1(&g1_back(&point)));
        Ok(())
    }

    fn write_scalar(&mut self, value: bn256::Fr) -> io::Result<()> {
        let bytes = self.absorbed(&value);
        self.bytes.extend(bytes);
        Ok(())
    }
}

/// A proof for a key whose columns have commitments of their own, whose prover took one of its scalars for another number of the same residue, in the
/// transcript too: of the exports the one of this number, or of the shell's values.
fn bent(deployed: &Deployed, export: Option<usize>, value: Option<usize>) -> Vec<u8> {
    let key = &deployed.key;
    let entry = zoo::find("digits8x8_mlp").unwrap();
    let inputs = quantize_all(key.program(), &entry.samples().unwrap()[0]).unwrap();
    let core = prove_core(&key.core, &inputs, deployed.proof.context, &mut |_| {}).unwrap();
    let recording = record_proof(&key.core.key.system, key.core.layout(), &core);
    let instances = recording.instances.len();
    let exports = recording.exports.clone();
    let before = export.map_or(0, |i| instances - exports.len() + i) + value.map_or(0, |i| instances + i);
    let transcript = Bent { keccak: Keccak::default(), bytes: Vec::new(), begun: false, before };
    let shell = halo2::prove(&key.verifying_key.shell, recording, &mut SRS.clone(), transcript).unwrap().bytes;
    let CoreProof { key_digest, context, hashes, publics, x_commitments, y_commitments, opening, .. } = core;
    let proof = Proof { key_digest, context, hashes, publics, x_commitments, y_commitments, opening, exports, shell };
    let mut elements = proof.elements();
    if let Some(export) = export {
        // Lists in order: commitments, fractions', the opening's points, exports.
        let chunks = proof.x_commitments.len() + proof.y_commitments.len();
        let at = 4 + 4 + 64 * (chunks + 3) + 4 + 32 * export;
        assert_eq!(elements[at..at + 32], encode_scalar(&proof.exports[export]));
        elements[at..at + 32].copy_from_slice(&beyond(&proof.exports[export]));
    }
    elements
}

fn lies() -> Vec<Lie> {
    let [one, other, _] = &*DIGITS;
    let honest = |name, refused_as, check| Lie::of(name, one, refused_as, check);
    let is_length = |error: &Error| matches!(error, Error::WrongPublicLength(_));

    // An honest proof of another model than the one that was asked for.
    let mut model = honest(
        "model",
        |error| matches!(error, Error::OtherModel(_)),
        "if (key.modelId != modelId) return Refusal.OtherModel;",
    );
    model.model_id = other.prepared.model_id();

    let mut length =
        honest("length", is_length, "if (values.length != Statement.lengthOf(key)) return Refusal.PublicLength;");
    length.arguments.values = [&length.arguments.values[..], &[0; 8]].concat().into();

    // A key by which the honest output is none.
    let entry = zoo::find("digits8x8_mlp").unwrap();
    let options = SetupOptions::of(&one.key.verifying_key, one.key.program()).unwrap();
    let mut key = setup(one.key.program().clone(), &options, SRS.clone(), [3; 32], &mut |_| {}).unwrap();
    let output = key.verifying_key.publics.last_mut().unwrap();
    let least = one.proof.publics.last().unwrap().iter().min().unwrap();
    output.range.0 = least + 1;
    key.core.key_digest = key.verifying_key.digest();
    let inputs = quantize_all(key.program(), &entry.samples().unwrap()[0]).unwrap();
    let mut range = honest(
        "range",
        |error| matches!(error, Error::PublicValueOutOfRange(_)),
        "if (!canonical || !inRange) return Refusal.PublicRange;",
    );
    range.arguments = Arguments::of(&prove(&key, &inputs, None, &mut |_| {}).unwrap()).unwrap();
    range.key = PreparedKey::new(key.verifying_key.clone()).unwrap();
    range.model_id = range.key.model_id();

    let fits = "if (!fits) return Refusal.ProofLength;";
    let is_proof_length = |error: &Error| matches!(error, Error::WrongProofLength(_));
    let mut longer = honest("longer", is_proof_length, fits);
    longer.arguments.proof = [&longer.arguments.proof[..], &[0]].concat().into();
    // The counts, which nothing else reads.
    let mut counted = honest("count", is_proof_length, fits);
    let mut elements = counted.arguments.proof.to_vec();
    for count in places(&one.proof).1 {
        elements[count] ^= 1;
    }
    counted.arguments.proof = elements.into();

    let canonical = "if (!ElementsOf.scalarsAreCanonical(e)) return Refusal.Scalar;";
    let is_scalar = |error: &Error| matches!(error, Error::ScalarOutOfRange(_));
    // An export that multiplies a point, and a value at the challenge.
    let blind = other.proof.exports.len() - 5;
    let mut export = Lie::of("export", other, is_scalar, canonical);
    export.arguments.proof = bent(other, Some(blind), None).into();
    let mut value = Lie::of("value", other, is_scalar, canonical);
    value.arguments.proof = bent(other, None, Some(0)).into();

    let wrong = |error: &Error| matches!(error, Error::WrongProof(_));
    let mut context = honest(
        "context",
        wrong,
        "context == 0 ? abi.encodePacked(key.digest, uint8(0)) : abi.encodePacked(key.digest, uint8(1), context)",
    );
    (context.source, context.without) = ("Statement.sol", context.check.replace("uint8(1), context", "uint8(0)"));
    context.arguments.context = [1; 32].into();

    let mut equation = honest(
        "equation",
        wrong,
        "return Curve.pairingHolds(run.left, right, key.tau) ? Refusal.None : Refusal.Proof;",
    );
    equation.without = equation.check.replace("Refusal.Proof", "Refusal.None");
    let mut elements = equation.arguments.proof.to_vec();
    // The first export.
    let first = places(&one.proof).0[2 * (one.proof.x_commitments.len() + one.proof.y_commitments.len() + 3)];
    elements[first + 31] ^= 1;
    equation.arguments.proof = elements.into();
    vec![model, length, range, longer, counted, export, value, context, equation]
}

#[test]
#[ignore = "takes the Solidity compiler from the npm registry"]
fn each_check_is_the_only_one_that_refuses_something() {
    for lie in lies() {
        let whole = &DIGITS[0];
        let mut chain = whole.chain.clone();
        let key = chain.deploy(&key_creation_code(lie.key.key()).unwrap());
        let without = chain.deploy(&altered(lie.source, lie.check, &lie.without));
        let refusal = chain.call(whole.verifier, lie.arguments.require_valid(key, lie.model_id)).returned.unwrap_err();
        let refusal = Error::abi_decode(&refusal).unwrap();
        assert!((lie.refused_as)(&refusal), "{}: {refusal:?}", lie.name);
        let answer = chain.call(without, lie.arguments.verify(key, lie.model_id)).returned;
        let accepted = answer.is_ok_and(|data| verifyCall::abi_decode_returns(&data).unwrap());
        assert!(accepted, "{}: something else refuses it too", lie.name);
        println!("{}: without its check it is accepted", lie.name);
    }
}
