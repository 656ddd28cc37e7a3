//! The shell on the sample models: real Halo2 proofs of real core proofs, and the circuit's verifier against the native one.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ark_bn254::Fr;
use vouch_circuits::argument;
use vouch_circuits::argument::key::{CoreProof, public_at, statement};
use vouch_circuits::argument::opening::point_digests;
use vouch_circuits::backend::{Arithmetic, Channel, Check, Step};
use vouch_circuits::encoding::DecodeError;
use vouch_circuits::files::{self, Kind};
use vouch_circuits::key::{Proof, VerifyingKey};
use vouch_circuits::layout::Layout;
use vouch_circuits::poseidon::WIDTH;
use vouch_circuits::shell::arithmetic::Traced;
use vouch_circuits::shell::trace::{Messages, Trace};
use vouch_circuits::shell::{Columns, Shape, ShellKey, record_shape};
use vouch_circuits::sponge::{Block, Permute};
use vouch_circuits::transcript::Reader;
use vouch_models::{quantize_all, zoo};
use vouch_program::{AffineTerm, AxisIndex, Func, Node, NodeId, Op, Port, Program, View};
use vouch_prover::commit::Srs;
use vouch_prover::shell::{ShellProvingKey, record_proof};
use vouch_prover::{ProvingKey, SetupOptions, constraints_of, price, prove, prove_core, setup};
use vouch_verifier::{PreparedKey, Refused, plonk, verify};

struct Proven {
    name: &'static str,
    key: ProvingKey,
    inputs: Vec<Vec<i64>>,
    core: CoreProof,
}

/// Powers for every chunk size and every shell of the sample models.
static SRS: LazyLock<Srs> =
    LazyLock::new(|| Srs::development_with_lagrange(1 << 16, &[9, 10, 11, 12, 13], &mut rand::rng()));

static PROVEN: LazyLock<Vec<Proven>> = LazyLock::new(|| {
    let proven = zoo::entries().iter().map(|model| {
        let program = model.compile(&mut |_| {}).unwrap().program;
        let inputs = quantize_all(&program, &model.samples().unwrap()[0]).unwrap();
        let key = setup(program, &SetupOptions::default(), SRS.clone(), [3; 32], &mut |_| {}).unwrap();
        let core = prove_core(&key.core, &inputs, None, &mut |_| {}).unwrap();
        Proven { name: model.name, key, inputs, core }
    });
    proven.collect()
});

#[test]
fn every_sample_model_is_proven_in_few_kilobytes_and_verified() {
    for Proven { name, key, inputs, .. } in PROVEN.iter() {
        let proof = prove(key, inputs, None, &mut |_| {}).unwrap();
        let (shape, bytes) = (&key.shell.shape, proof.to_bytes());
        let publics: usize = proof.publics.iter().map(|values| 8 * values.len()).sum();
        let own = bytes.len() - publics;
        println!("{name}: {shape:?}, {} bytes of Halo2's, {own} beside public values", proof.shell.len());
        let estimate = price(&key.core.lowered().system, key.verifying_key.cuts, key.verifying_key.shell.columns).bytes;
        assert!(own.abs_diff(estimate) < 100, "{name}: {own} bytes, estimated to be {estimate}");
        assert!(proof.shell.len() <= 1200 && own <= 3100, "{name}");
        let key_bytes = key.verifying_key.to_bytes();
        assert!(key_bytes.len() <= 10_000 + 64 * key.verifying_key.w_commitments.len(), "{name}");

        let read = PreparedKey::new(VerifyingKey::from_bytes(&key_bytes).unwrap()).unwrap();
        let proof = Proof::from_bytes(&bytes).unwrap();
        let verified = verify(&read, &proof).unwrap();
        assert_eq!(verified.shown.inputs[0].integers, inputs[0], "{name}");

        // Altered bytes of the proof, behind a right checksum.
        let body = files::open(&bytes, Kind::Proof).unwrap();
        let refused = |body: &[u8]| match Proof::from_bytes(&files::seal(Kind::Proof, body)) {
            Ok(proof) => verify(&read, &proof).is_err(),
            Err(DecodeError::Field(_) | DecodeError::Trailing) => true,
            Err(other) => panic!("{name}: {other}"),
        };
        for at in (0..body.len()).step_by(61) {
            let mut other = body.to_vec();
            other[at] ^= 1;
            assert!(refused(&other), "{name}: byte {at}");
        }
        assert!(refused(&body[..body.len() - 1]), "{name}: cut");
        assert!(refused(&[body, &[0]].concat()), "{name}: longer");
    }
    // Keys and proofs of two models.
    let [one, other] = [&PROVEN[0], &PROVEN[1]].map(|p| PreparedKey::new(p.key.verifying_key.clone()).unwrap());
    let proof = prove(&PROVEN[0].key, &PROVEN[0].inputs, Some([9; 32]), &mut |_| {}).unwrap();
    assert_eq!(verify(&one, &proof).unwrap().context, Some([9; 32]));
    assert_eq!(verify(&other, &proof), Err(Refused::OtherKey));
    for context in [None, Some([8; 32])] {
        assert_eq!(verify(&one, &Proof { context, ..proof.clone() }), Err(Refused::Shell));
    }
}

/// Lanes change the circuit's shape and nothing else: the same run, in circuits half and a quarter as long, whether columns share commitments or
/// not.
#[test]
fn circuits_of_several_lanes_are_proven_and_verified() {
    for Proven { name, key, core, .. } in PROVEN.iter().take(2) {
        let (system, layout) = (&key.core.lowered().system, key.core.layout());
        let all = [Columns::alone, Columns::packed].into_iter().flat_map(|columns| [2, 3, 4].map(columns));
        for columns in all {
            let shell = ShellProvingKey::new(system, layout, columns, &mut SRS.clone()).unwrap();
            assert!(shell.shape.k < key.shell.shape.k && shell.verifying_key.is_well_formed(), "{name}, {columns:?}");
            let recording = record_proof(system, layout, core);
            let instances = recording.instance_values();
            let proof = shell.prove(&recording).unwrap();
            let reduced = plonk::reduce(&shell.verifying_key, &instances, &proof).unwrap();
            assert!(reduced.equation.holds(SRS.tau_g2), "{name}, {columns:?}");
            let Columns { lanes, packing } = columns;
            for columns in [Columns { lanes: lanes - 1, packing }, Columns { lanes, packing: 5 - packing }] {
                let other = ShellKey { columns, ..shell.verifying_key.clone() };
                assert!(!other.is_well_formed(), "{name}, {columns:?}");
            }
        }
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

impl<C: Channel + Permute> Permute for Logged<C> {
    fn permute(&mut self, state: &mut [C::Scalar; WIDTH], block: Block<C::Scalar>) {
        self.inner.permute(state, block);
    }
}

impl<C: Channel> Channel for Logged<C> {
    fn label(&mut self, step: Step) {
        self.inner.label(step);
    }
    fn read(&mut self) -> Result<C::Scalar, Check> {
        let value = self.inner.read()?;
        self.log.push(value.clone());
        Ok(value)
    }
    fn read_points(&mut self) -> Result<(), Check> {
        self.inner.read_points()
    }
    fn stated_hash(&mut self) -> Result<C::Scalar, Check> {
        self.inner.stated_hash()
    }
    fn read_hashed(&mut self) -> Result<C::Scalar, Check> {
        self.inner.read_hashed()
    }
    fn challenge(&mut self) -> C::Scalar {
        let value = self.inner.challenge();
        self.log.push(value.clone());
        value
    }
}

/// The verifier over a channel: all messages, challenges and exports.
fn log<C: Channel + Permute>(
    channel: C,
    Proven { key, core: proof, .. }: &Proven,
    of: impl Fn(&mut C, Fr) -> C::Scalar,
    value: impl Fn(&C::Scalar) -> Fr,
) -> Vec<Fr> {
    let (system, layout) = (&key.core.lowered().system, key.core.layout());
    let mut logged = Logged { inner: channel, log: Vec::new() };
    let mut at = |logged: &mut Logged<C>, i: usize, point: &[C::Scalar]| {
        let point: Vec<Fr> = point.iter().map(&value).collect();
        let shape = &system.tensor(system.publics[i].tensor).shape;
        of(&mut logged.inner, public_at(shape, &proof.publics[i], &point))
    };
    let exports = argument::verify(&mut logged, system, layout, &mut at).unwrap();
    let exports = vouch_circuits::shell::instances::export_list(&exports);
    logged.log.iter().chain(&exports).map(value).collect()
}

#[test]
fn the_circuits_verifier_is_the_native_one() {
    for proven in PROVEN.iter() {
        let proof = &proven.core;
        let statement = statement(&proof.key_digest, None, &proof.hashes, &proof.publics);
        let digests = point_digests(&statement, &proof.x_commitments, &proof.y_commitments, &proof.opening);
        let native = log(Reader::new(&proof.scalars, &digests).with_hashes(&proof.hashes), proven, |_, v| v, |v| *v);
        let messages = Messages { scalars: &proof.scalars, digests: &digests, hashes: &proof.hashes };
        let traced = log(Trace::new(messages), proven, |t, v| t.witness(v), |v: &Traced| v.value);
        assert_eq!(native, traced, "{}", proven.name);
    }
}

/// The shell costs what the transcript costs, and a chain what the commitments cost; whoever makes more of them should know.
#[test]
fn transcripts_and_proofs_stay_short() {
    // Permutations, bytes beside the public values, commitments in proof and key, and the shell's k.
    let most = BTreeMap::from([
        ("digits8x8_mlp", [38, 2010, 3, 11]),
        ("mnist_mlp", [51, 2270, 11, 11]),
        ("mnist_cnn_tiny", [51, 2460, 7, 12]),
        ("mnist_lenet5", [58, 3070, 20, 12]),
    ]);
    for Proven { name, key, .. } in PROVEN.iter() {
        let price = price(&key.core.lowered().system, key.verifying_key.cuts, key.verifying_key.shell.columns);
        let have = [key.shell.shape.permutations, price.bytes, price.commitments, key.shell.shape.k as usize];
        println!("{name}: {have:?}, {:?}", key.verifying_key.cuts);
        assert!(have.iter().zip(&most[name]).all(|(have, most)| have <= most), "{name}: {have:?}");
    }
}

/// A perceptron of layers 32 wide.
fn perceptron(layers: usize) -> Program {
    let mut nodes: Vec<Node> = Vec::new();
    let mut push = |op: Op, shape: &[usize]| {
        nodes.push(Node { op, shape: shape.to_vec(), frac: 12, source: "perceptron".into() });
        NodeId(nodes.len() as u32 - 1)
    };
    let input = push(Op::Input { bits: 16 }, &[32]);
    let mut last = input;
    for layer in 0..layers as i32 {
        let number = |i: i32| (i * 37 + layer) % 1000 - 500;
        let weights = push(Op::Weight { data: (0..32 * 32).map(number).collect() }, &[32, 32]);
        let bias = push(Op::Weight { data: (0..32).map(|i| 1000 * number(i)).collect() }, &[32]);
        let lhs = View::of_vars(weights, &[0, 1]);
        let rhs = Some(View { node: last, axes: vec![AxisIndex::var(1)] });
        let products = push(Op::Contract { vars: vec![32, 32], lhs, rhs }, &[32]);
        let terms = [products, bias].map(|node| AffineTerm::Scaled { coef: 1, view: View::identity(node, 1) });
        let sums = push(Op::Affine { terms: terms.to_vec() }, &[32]);
        last = push(Op::Apply { input: sums, shift: 14, func: Func::Relu, bits: 16, saturate: true }, &[32]);
    }
    let port =
        |name: &str, node| Port { name: name.into(), node, shape: vec![1, 32], integer: false, column_fracs: vec![] };
    let (inputs, outputs) = (vec![port("input", input)], vec![port("output", last)]);
    Program { name: "perceptron".into(), nodes, tables: Vec::new(), inputs, outputs, batch: 1 }
}

#[test]
fn a_hundred_times_as_many_layers_take_half_as_many_hashes_more() {
    let permutations = |layers| {
        let (lowered, cuts) = constraints_of(&perceptron(layers)).unwrap();
        record_shape(&lowered.system, &Layout::new(&lowered.system, cuts)).permutations.len()
    };
    let (two, two_hundred) = (permutations(2), permutations(200));
    println!("two layers: {two}, two hundred: {two_hundred}");
    assert!(10 * two_hundred <= 16 * two, "{two_hundred} permutations for 200 layers, {two} for 2");
}

#[test]
fn a_recordings_shape_does_not_depend_on_its_values() {
    for Proven { name, key, core, .. } in PROVEN.iter() {
        let (system, layout) = (&key.core.lowered().system, key.core.layout());
        let shape = record_shape(system, layout);
        let real = record_proof(system, layout, core);
        assert_eq!(real.failure, None, "{name}");
        assert_eq!((&shape.rows, &shape.permutations), (&real.rows, &real.permutations), "{name}");
        assert_eq!((&shape.instances, Shape::of(&shape, 1)), (&real.instances, Shape::of(&real, 1)), "{name}");
    }
}
