//! The shell on the sample models: real Halo2 proofs of real core proofs, and the circuit's verifier against the native one.

use std::sync::LazyLock;

use ark_bn254::Fr;
use vouch_circuits::argument;
use vouch_circuits::backend::{Arithmetic, Channel, Check, Step};
use vouch_circuits::key::{CoreProof, public_at, statement};
use vouch_circuits::shell::arithmetic::Traced;
use vouch_circuits::shell::trace::{Messages, Trace};
use vouch_circuits::shell::{Shape, record_shape};
use vouch_circuits::transcript::{Reader, points_digest};
use vouch_models::{quantize_all, zoo};
use vouch_prover::commit::Srs;
use vouch_prover::shell::{ShellProvingKey, record_proof};
use vouch_prover::{ProvingKey, chunk_bits_for, prove, setup};
use vouch_verifier::shell::PreparedShell;

struct Proven {
    name: &'static str,
    key: ProvingKey,
    proof: CoreProof,
}

/// Powers for every chunk size and every shell of the sample models.
static SRS: LazyLock<Srs> = LazyLock::new(|| Srs::development(1 << 15, &mut rand::rng()));

static PROVEN: LazyLock<Vec<Proven>> = LazyLock::new(|| {
    let proven = zoo::entries().iter().map(|model| {
        let program = model.compile(&mut |_| {}).unwrap().program;
        let inputs = quantize_all(&program, &model.samples().unwrap()[0]).unwrap();
        let chunk_bits = chunk_bits_for(&program).unwrap();
        let key = setup(program, chunk_bits, SRS.clone(), [3; 32], &mut |_| {}).unwrap();
        let proof = prove(&key, &inputs, &mut |_| {}).unwrap();
        Proven { name: model.name, key, proof }
    });
    proven.collect()
});

#[test]
fn every_sample_models_core_proof_wraps_and_verifies() {
    for Proven { name, key, proof } in PROVEN.iter() {
        let (system, layout) = (&key.lowered().system, key.layout());
        let statement = statement(&key.key_digest, &proof.publics);
        let recording = record_proof(system, layout, &statement, proof);
        assert_eq!(recording.failure, None, "{name}");
        let shell = ShellProvingKey::new(system, layout, &SRS, None).unwrap();
        println!("{name}: {:?}", shell.shape);
        assert!(shell.shape.k <= 14, "{name}: {:?}", shell.shape);
        assert!(shell.verifying_key.is_well_formed(), "{name}");
        let instances = recording.instance_values();
        let bytes = shell.prove(recording).unwrap();
        assert!(bytes.len() <= 2048, "{name}: {} bytes", bytes.len());
        let prepared = PreparedShell::new(&shell.verifying_key, SRS.powers[0], SRS.g2, SRS.tau_g2);
        assert!(prepared.accepts(&instances, &bytes), "{name}");

        // Any other public value, and a proof with anything changed, cut off or added, is refused.
        for i in 0..instances.len() {
            let mut other = instances.clone();
            other[i] += Fr::from(1u64);
            assert!(!prepared.accepts(&other, &bytes), "{name}: public value {i}");
        }
        for at in (0..bytes.len()).step_by(61) {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert!(!prepared.accepts(&instances, &other), "{name}: byte {at}");
        }
        assert!(!prepared.accepts(&instances, &bytes[..bytes.len() - 1]), "{name}: cut");
        assert!(!prepared.accepts(&instances, &[&bytes[..], &[0]].concat()), "{name}: longer");
    }
}

/// What a channel's user sees: each message and each challenge.
struct Logged<C: Channel> {
    inner: C,
    log: Vec<C::Scalar>,
}

impl<C: Channel> Arithmetic for Logged<C> {
    type Scalar = C::Scalar;
    fn constant(&mut self, value: Fr) -> C::Scalar {
        self.inner.constant(value)
    }
    fn add(&mut self, a: &C::Scalar, b: &C::Scalar) -> C::Scalar {
        self.inner.add(a, b)
    }
    fn sub(&mut self, a: &C::Scalar, b: &C::Scalar) -> C::Scalar {
        self.inner.sub(a, b)
    }
    fn mul(&mut self, a: &C::Scalar, b: &C::Scalar) -> C::Scalar {
        self.inner.mul(a, b)
    }
    fn scale(&mut self, a: &C::Scalar, c: Fr) -> C::Scalar {
        self.inner.scale(a, c)
    }
    fn invert(&mut self, a: &C::Scalar, check: Check) -> Result<C::Scalar, Check> {
        self.inner.invert(a, check)
    }
    fn assert_equal(&mut self, a: &C::Scalar, b: &C::Scalar, check: Check) -> Result<(), Check> {
        self.inner.assert_equal(a, b, check)
    }
}

impl<C: Channel> Channel for Logged<C> {
    fn label(&mut self, step: Step) {
        self.inner.label(step);
    }
    fn absorb(&mut self, value: &C::Scalar) {
        self.inner.absorb(value);
    }
    fn read(&mut self) -> Result<C::Scalar, Check> {
        let value = self.inner.read()?;
        self.log.push(value.clone());
        Ok(value)
    }
    fn read_points(&mut self) -> Result<(), Check> {
        self.inner.read_points()
    }
    fn challenge(&mut self) -> C::Scalar {
        let value = self.inner.challenge();
        self.log.push(value.clone());
        value
    }
}

/// The verifier over a channel: all messages, challenges and exports.
fn log<C: Channel>(
    channel: C,
    Proven { key, proof, .. }: &Proven,
    of: impl Fn(&mut C, Fr) -> C::Scalar,
    value: impl Fn(&C::Scalar) -> Fr,
) -> Vec<Fr> {
    let system = &key.lowered().system;
    let mut logged = Logged { inner: channel, log: Vec::new() };
    let statement: Vec<C::Scalar> =
        statement(&key.key_digest, &proof.publics).into_iter().map(|v| of(&mut logged.inner, v)).collect();
    let mut at = |logged: &mut Logged<C>, i: usize, point: &[C::Scalar]| {
        let point: Vec<Fr> = point.iter().map(&value).collect();
        let shape = &system.tensor(system.publics[i].tensor).shape;
        of(&mut logged.inner, public_at(shape, &proof.publics[i], &point))
    };
    let exports = argument::verify(&mut logged, system, key.layout(), &statement, &mut at).unwrap();
    let exports = vouch_circuits::shell::instances::export_list(&exports);
    logged.log.iter().chain(&exports).map(value).collect()
}

#[test]
fn the_circuits_verifier_is_the_native_one() {
    for proven in PROVEN.iter() {
        let proof = &proven.proof;
        let [folds, quotient] = proof.opening.groups();
        let groups = [&proof.x_commitments[..], folds, quotient];
        let native = log(Reader::new(&proof.scalars, &groups), proven, |_, v| v, |v| *v);
        let points = groups.map(points_digest);
        let messages = Messages { scalars: &proof.scalars, points: &points };
        let traced = log(Trace::new(messages), proven, |t, v| t.witness(v), |v: &Traced| v.value);
        assert_eq!(native, traced, "{}", proven.name);
    }
}

#[test]
fn a_recordings_shape_does_not_depend_on_its_values() {
    for Proven { name, key, proof } in PROVEN.iter() {
        let (system, layout) = (&key.lowered().system, key.layout());
        let shape = record_shape(system, layout);
        let real = record_proof(system, layout, &statement(&key.key_digest, &proof.publics), proof);
        assert_eq!((&shape.rows, &shape.permutations), (&real.rows, &real.permutations), "{name}");
        assert_eq!((&shape.instances, Shape::of(&shape)), (&real.instances, Shape::of(&real)), "{name}");
    }
}
