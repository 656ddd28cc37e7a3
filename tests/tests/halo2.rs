//! The verifier's own check of the shell against Halo2's, on real proofs and on altered ones: both accept or both refuse.

use std::sync::LazyLock;

use ark_bn254::{Fr, G1Affine};
use ark_ec::AffineRepr;
use ark_ff::Field;
use vouch_circuits::points::{encode_g1, encode_scalar};
use vouch_circuits::shell::ShellKey;
use vouch_models::{quantize_all, zoo};
use vouch_prover::commit::Srs;
use vouch_prover::shell::{ShellProvingKey, record_proof};
use vouch_prover::{SetupOptions, prove_core, setup_core};
use vouch_verifier::shell::PreparedShell;
use vouch_verifier::{pairing, plonk};

struct Proven {
    srs: Srs,
    key: ShellKey,
    instances: Vec<Fr>,
    proof: Vec<u8>,
}

/// One model's run in one, two and four lanes.
static PROVEN: LazyLock<Vec<Proven>> = LazyLock::new(|| {
    let model = &zoo::entries()[0];
    let program = model.compile(&mut |_| {}).unwrap().program;
    let inputs = quantize_all(&program, &model.samples().unwrap()[0]).unwrap();
    let (options, needs) = SetupOptions::default().settle(&program).unwrap();
    let mut srs = Srs::development_with_lagrange(needs.powers(), &[9, 10, 11], &mut rand::rng());
    let core = setup_core(program, &options, srs.clone(), [3; 32], &mut |_| {}).unwrap();
    let run =
        record_proof(&core.lowered().system, core.layout(), &prove_core(&core, &inputs, None, &mut |_| {}).unwrap());
    let proven = [1, 2, 4].map(|lanes| {
        let shell = ShellProvingKey::new(&core.lowered().system, core.layout(), lanes, &mut srs).unwrap();
        let (instances, proof) = (run.instance_values(), shell.prove(run.clone()).unwrap());
        Proven { srs: srs.clone(), key: shell.verifying_key, instances, proof }
    });
    proven.into()
});

impl Proven {
    fn prepared(&self) -> PreparedShell {
        PreparedShell::new(&self.key, self.srs.tau_g2)
    }

    fn accepts(&self, prepared: &PreparedShell, instances: &[Fr], proof: &[u8]) -> bool {
        let ours = plonk::reduce(&self.key, &prepared.digest(), instances, proof)
            .is_ok_and(|opening| pairing::check(&opening.terms, opening.witness, self.srs.tau_g2));
        assert_eq!(ours, prepared.accepts(instances, proof));
        ours
    }
}

#[test]
fn both_accept_what_was_proven() {
    for proven in PROVEN.iter() {
        assert!(proven.accepts(&proven.prepared(), &proven.instances, &proven.proof), "{} lanes", proven.key.lanes);
    }
}

#[test]
fn both_refuse_every_element_that_was_changed() {
    for proven in PROVEN.iter() {
        let Proven { proof, key, .. } = proven;
        let prepared = proven.prepared();
        let refused = |proof: &[u8], what: &str| {
            assert!(!proven.accepts(&prepared, &proven.instances, proof), "{} lanes, {what}", key.lanes);
        };
        let with = |at: usize, bytes: &[u8]| [&proof[..at], bytes, &proof[at + bytes.len()..]].concat();
        // Points come first, but for the openings' two at the end; all others are scalars.
        let products = (4 * key.lanes + 1).div_ceil(5);
        let first_scalar = 64 * (4 * key.lanes + products + 7);
        let (points, scalars) = ((0..first_scalar).step_by(64), (first_scalar..proof.len() - 128).step_by(32));
        let elements = points.chain([proof.len() - 128, proof.len() - 64]);
        let (generator, other) = (encode_g1(&G1Affine::generator()), encode_g1(&(-G1Affine::generator())));
        for at in elements {
            for (bytes, what) in [
                (&generator[..], "a generator"),
                (&other, "its negative"),
                (&[0; 64], "infinity"),
                (&[1; 64], "no point"),
            ] {
                refused(&with(at, bytes), &format!("{what} at {at}"));
            }
        }
        for at in scalars {
            for (bytes, what) in
                [(encode_scalar(&Fr::from(7)), "another scalar"), ([0; 32], "zero"), ([0xff; 32], "no scalar")]
            {
                refused(&with(at, &bytes), &format!("{what} at {at}"));
            }
        }
        refused(&[&proof[..], &[0]].concat(), "a byte more");
        refused(&proof[..proof.len() - 1], "a byte less");
        refused(&[], "nothing");
        // The opening's quotient and witness exchanged.
        let end = proof.len() - 128;
        refused(&[&proof[..end], &proof[end + 64..], &proof[end..end + 64]].concat(), "an exchange");
    }
}

#[test]
fn both_refuse_other_public_values() {
    for proven in PROVEN.iter() {
        let prepared = proven.prepared();
        let refused = |instances: &[Fr]| assert!(!proven.accepts(&prepared, instances, &proven.proof));
        for i in 0..proven.instances.len() {
            let mut other = proven.instances.clone();
            other[i] += Fr::ONE;
            refused(&other);
        }
        refused(&proven.instances[1..]);
        refused(&[]);
        refused(&vec![Fr::ONE; 1 << proven.key.k]);
    }
}

/// A key of which one commitment is another's: the transcript begins with the right key's digest all the same.
#[test]
fn every_commitment_of_the_key_counts() {
    for proven in PROVEN.iter() {
        let digest = proven.prepared().digest();
        let count = proven.key.fixed.len() + proven.key.copies.len();
        for i in 0..count {
            let mut key = proven.key.clone();
            let place = key.fixed.iter_mut().chain(&mut key.copies).nth(i).unwrap();
            *place = (*place + G1Affine::generator()).into();
            let opening = plonk::reduce(&key, &digest, &proven.instances, &proven.proof).unwrap();
            assert!(!pairing::check(&opening.terms, opening.witness, proven.srs.tau_g2), "commitment {i}");
        }
        let opening = plonk::reduce(&proven.key, &(digest + Fr::ONE), &proven.instances, &proven.proof).unwrap();
        assert!(!pairing::check(&opening.terms, opening.witness, proven.srs.tau_g2), "another digest");
    }
}
