//! The shell's keys, proofs and their check against Halo2's: the crate makes the same keys, accepts our proofs as we do its own, and of altered
//! ones both checks refuse all. Proofs whose columns share commitments, which the crate has not, are altered likewise.

use std::sync::LazyLock;

use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::Field;
use halo2_proofs::halo2curves::bn256::{self, Bn256};
use halo2_proofs::plonk::{VerifyingKey, verify_proof};
use halo2_proofs::poly::kzg::commitment::{KZGCommitmentScheme, ParamsKZG};
use halo2_proofs::poly::kzg::multiopen::VerifierSHPLONK;
use halo2_proofs::poly::kzg::strategy::SingleStrategy;
use halo2_proofs::transcript::{TranscriptReadBuffer, TranscriptWriterBuffer};
use rand_core::OsRng;
use vouch_circuits::points::{encode_g1, encode_scalar};
use vouch_circuits::shell::shape::product_columns;
use vouch_circuits::shell::{Columns, Recording, ShellKey};
use vouch_models::{quantize_all, zoo};
use vouch_prover::commit::Srs;
use vouch_prover::shell::transcript::{Challenge, End};
use vouch_prover::shell::{ShellProvingKey, convert, halo2, key, record_proof};
use vouch_prover::{SetupOptions, prove_core, setup_core};
use vouch_verifier::plonk;

struct Proven {
    srs: Srs,
    key: ShellKey,
    run: Recording,
    instances: Vec<Fr>,
    proof: Vec<u8>,
    /// Another one of the same run.
    again: Vec<u8>,
}

/// One model's run in one, two and four lanes, with columns that have commitments of their own and with columns that share them.
static PROVEN: LazyLock<Vec<Proven>> = LazyLock::new(|| {
    let model = &zoo::entries()[0];
    let program = model.compile(&mut |_| {}).unwrap().program;
    let inputs = quantize_all(&program, &model.samples().unwrap()[0]).unwrap();
    let (options, needs) = SetupOptions::default().settle(&program).unwrap();
    let mut srs = Srs::development_with_lagrange(needs.powers().max(1 << 14), &[9, 10, 11], &mut rand::rng());
    let core = setup_core(program, &options, srs.clone(), [3; 32], &mut |_| {}).unwrap();
    let run =
        record_proof(&core.lowered().system, core.layout(), &prove_core(&core, &inputs, None, &mut |_| {}).unwrap());
    let columns = [Columns::alone, Columns::packed].into_iter().flat_map(|columns| [1, 2, 4].map(columns));
    let proven = columns.map(|columns| {
        let shell = ShellProvingKey::new(&core.lowered().system, core.layout(), columns, &mut srs).unwrap();
        let [proof, again] = [(); 2].map(|()| shell.prove(&run).unwrap());
        let (run, instances) = (run.clone(), run.instance_values());
        Proven { srs: srs.clone(), key: shell.verifying_key, run, instances, proof, again }
    });
    proven.collect()
});

/// The crate's verifier.
struct Halo2 {
    params: ParamsKZG<Bn256>,
    key: VerifyingKey<bn256::G1Affine>,
}

impl Halo2 {
    fn accepts(&self, instances: &[Fr], proof: &[u8]) -> bool {
        // It panics.
        if instances.len() > 1 << self.key.get_domain().k() {
            return false;
        }
        let instances: Vec<bn256::Fr> = instances.iter().map(convert::scalar).collect();
        let mut rest = proof;
        let accepted = {
            let mut transcript = End::<&mut &[u8]>::init(&mut rest);
            verify_proof::<KZGCommitmentScheme<Bn256>, VerifierSHPLONK<Bn256>, Challenge, _, _>(
                &self.params,
                &self.key,
                SingleStrategy::new(&self.params),
                &[&[&instances]],
                &mut transcript,
            )
            .is_ok()
        };
        // The crate does not look at what follows a proof.
        accepted && rest.is_empty()
    }
}

impl Proven {
    /// The crate's verifier, if it has such proofs.
    fn halo2(&self) -> Option<Halo2> {
        if self.key.columns.packing > 1 {
            return None;
        }
        // The crate makes parameters from parts only with the help of others. Checking uses no power but the first.
        let maker = ParamsKZG::<Bn256>::setup(1, OsRng);
        let [g2, tau_g2] = [&G2Affine::generator(), &self.srs.tau_g2].map(convert::g2);
        let one = convert::g1(&G1Affine::generator());
        let params = maker.from_parts(self.key.k, vec![one], Some(Vec::new()), g2, tau_g2);
        Some(Halo2 { params, key: key::to_halo2(&self.key) })
    }

    fn we_accept(&self, key: &ShellKey, instances: &[Fr], proof: &[u8]) -> bool {
        plonk::reduce(key, instances, proof).is_ok_and(|reduced| reduced.equation.holds(self.srs.tau_g2))
    }

    fn accepts(&self, halo2: &Option<Halo2>, instances: &[Fr], proof: &[u8]) -> bool {
        let ours = self.we_accept(&self.key, instances, proof);
        halo2.iter().for_each(|halo2| assert_eq!(ours, halo2.accepts(instances, proof)));
        ours
    }
}

/// Where a proof's scalars begin: points come first, but for the openings' two at the end.
fn first_scalar(Columns { lanes, packing }: Columns) -> usize {
    let others = if packing == 1 { 1 + 6 } else { 2 };
    64 * (4 * lanes / packing + product_columns(lanes) + others)
}

/// Points and scalars of a proof.
fn elements(key: &ShellKey, proof: &[u8]) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let (points, rest) = proof.split_at(first_scalar(key.columns));
    let (scalars, openings) = rest.split_at(rest.len() - 128);
    let chunks = |bytes: &[u8], size| bytes.chunks(size).map(<[u8]>::to_vec).collect::<Vec<_>>();
    ([chunks(points, 64), chunks(openings, 64)].concat(), chunks(scalars, 32))
}

#[test]
fn the_crate_makes_the_same_keys_and_its_proofs_are_accepted() {
    for Proven { srs, key, run, instances, .. } in PROVEN.iter().filter(|proven| proven.key.columns.packing == 1) {
        let mut srs = srs.clone();
        assert_eq!(halo2::verifying_key(run.clone(), key.columns.lanes, &mut srs).unwrap(), *key, "{:?}", key.columns);
        let transcript = End::<Vec<u8>>::init(Vec::new());
        let proof = halo2::prove(key, run.clone(), &mut srs, transcript).unwrap().finalize();
        let reduced = plonk::reduce(key, instances, &proof).unwrap();
        assert!(reduced.equation.holds(srs.tau_g2), "{:?}", key.columns);
    }
}

/// Every commitment is blinded and every value is of another point: nothing recurs in another proof of the same run.
#[test]
fn two_proofs_of_a_run_share_nothing() {
    for Proven { key, proof, again, .. } in PROVEN.iter() {
        let ((points, scalars), (other_points, other_scalars)) = (elements(key, proof), elements(key, again));
        assert!(points.iter().all(|point| !other_points.contains(point)), "{:?}", key.columns);
        assert!(scalars.iter().all(|scalar| !other_scalars.contains(scalar)), "{:?}", key.columns);
    }
}

#[test]
fn both_accept_what_was_proven() {
    for proven in PROVEN.iter() {
        assert!(proven.accepts(&proven.halo2(), &proven.instances, &proven.proof), "{:?}", proven.key.columns);
    }
}

#[test]
fn both_refuse_every_element_that_was_changed() {
    for proven in PROVEN.iter() {
        let Proven { proof, key, .. } = proven;
        let halo2 = proven.halo2();
        let refused = |proof: &[u8], what: &str| {
            assert!(!proven.accepts(&halo2, &proven.instances, proof), "{:?}, {what}", key.columns);
        };
        let with = |at: usize, bytes: &[u8]| [&proof[..at], bytes, &proof[at + bytes.len()..]].concat();
        let first_scalar = first_scalar(key.columns);
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
        let halo2 = proven.halo2();
        let refused = |instances: &[Fr]| assert!(!proven.accepts(&halo2, instances, &proven.proof));
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

/// A key of which one commitment is another's: the public values, which a key's digest goes into, are the right one's all the same.
#[test]
fn every_commitment_of_the_key_counts() {
    for proven in PROVEN.iter() {
        for i in 0..proven.key.commitments.len() {
            let mut key = proven.key.clone();
            key.commitments[i] = (key.commitments[i] + G1Affine::generator()).into();
            assert!(!proven.we_accept(&key, &proven.instances, &proven.proof), "commitment {i}");
        }
    }
}
