//! What a proof shows: nothing but the statement. That what the opening makes public is masked (rank), that two proofs share nothing,
//! that the public challenges are no oracle for guesses, and that keys show no more of the weights than they must.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use ark_bn254::{Fr, G1Affine};
use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, Field};
use vouch_circuits::argument::chunk_weights;
use vouch_circuits::argument::key::statement;
use vouch_circuits::argument::opening::{eq_polynomial, scalars};
use vouch_circuits::backend::{Plain, Step};
use vouch_circuits::key::Proof;
use vouch_circuits::layout::{Chunks, MASK_LEN};
use vouch_circuits::mle::eq_table;
use vouch_circuits::points::encode_g1;
use vouch_circuits::shell::instances::exports_of;
use vouch_circuits::transcript::Writer;
use vouch_program::*;
use vouch_prover::commit::{Srs, msm, random_scalar};
use vouch_prover::lookups::Tree;
use vouch_prover::shell::record_proof;
use vouch_prover::witness::{Witness, generate, model_values};
use vouch_prover::{Needs, ProvingKey, SetupOptions, lookups, prove, prove_core, setup};
use vouch_tests::{divide, evaluate};
use vouch_verifier::{PreparedKey, verify};

const CHUNK_BITS: usize = 6;

/// `relu(W·x)` for a 5 × 3 matrix, and the position of its largest element.
fn program(weights: impl Fn(i32) -> i32) -> Program {
    let node = |op, shape: &[usize]| Node { op, shape: shape.to_vec(), frac: 0, source: "test".into() };
    let product = Op::Contract {
        vars: vec![5, 3],
        lhs: View::of_vars(NodeId(1), &[0, 1]),
        rhs: Some(View { node: NodeId(0), axes: vec![AxisIndex::var(1)] }),
    };
    let nodes = vec![
        node(Op::Input { bits: 8 }, &[3]),
        node(Op::Weight { data: (0..15).map(weights).collect() }, &[5, 3]),
        node(product, &[5]),
        node(Op::Apply { input: NodeId(2), shift: 4, func: Func::Relu, bits: 8, saturate: true }, &[5]),
        node(Op::ArgMax { input: NodeId(3), axis: 0 }, &[1]),
    ];
    let port = |name: &str, node, shape: &[usize]| Port {
        name: name.into(),
        node,
        shape: shape.to_vec(),
        integer: false,
        column_fracs: vec![],
    };
    Program {
        name: "small".into(),
        nodes,
        tables: Vec::new(),
        inputs: vec![port("x", NodeId(0), &[1, 3])],
        outputs: vec![port("largest", NodeId(4), &[1])],
        batch: 1,
    }
}

fn weights(i: i32) -> i32 {
    (i * i) % 23 - 11
}

static SRS: LazyLock<Srs> = LazyLock::new(|| {
    let needs = Needs::of(&program(weights), &SetupOptions::chunk_bits(CHUNK_BITS)).unwrap();
    Srs::development_with_lagrange(needs.powers(), &[needs.k], &mut rand::rng())
});

fn key(weights: impl Fn(i32) -> i32, salt: u8) -> ProvingKey {
    setup(program(weights), &SetupOptions::chunk_bits(CHUNK_BITS), SRS.clone(), [salt; 32], &mut |_| {}).unwrap()
}

static KEY: LazyLock<ProvingKey> = LazyLock::new(|| key(weights, 1));

fn random() -> Fr {
    random_scalar(&mut rand::rng())
}

fn randoms(count: usize) -> Vec<Fr> {
    (0..count).map(|_| random()).collect()
}

fn rank(mut rows: Vec<Vec<Fr>>) -> usize {
    let mut rank = 0;
    for column in 0..rows[0].len() {
        let Some(pivot) = (rank..rows.len()).find(|&row| rows[row][column] != Fr::ZERO) else { continue };
        rows.swap(rank, pivot);
        let (done, below) = rows.split_at_mut(rank + 1);
        let pivot = &done[rank];
        let inverse = pivot[column].inverse().unwrap();
        for row in below {
            let factor = row[column] * inverse;
            row.iter_mut().zip(pivot).for_each(|(value, pivot)| *value -= factor * pivot);
        }
        rank += 1;
    }
    rank
}

/// The challenges that what is public depends on, and the secrets of a test's own group: `τ`, and `b` with `B = [b]_1`.
struct Challenges {
    tau: Fr,
    b: Fr,
    rho: Vec<Fr>,
    zeta: Fr,
    z: Fr,
}

/// What an opening of `g` makes public but for `W`, which the group equation determines: the logarithms of the commitments to `S` and
/// `H`, and the scalar of `[1]`.
fn opened(g: &[Fr], challenges: &Challenges) -> Vec<Fr> {
    let Challenges { tau, rho, zeta, z, .. } = challenges;
    // Of few coefficients, each with all of eq(ρ, ·).
    let eq = eq_table(rho);
    let mut sums = vec![Fr::ZERO; g.len()];
    for (i, value) in g.iter().enumerate().filter(|(_, value)| **value != Fr::ZERO) {
        eq.iter().enumerate().for_each(|(j, weight)| sums[i.abs_diff(j)] += *value * weight);
    }
    let (v, s) = (sums[0], &sums[1..]);
    let inverse = zeta.inverse().unwrap();
    let combined = |of_g: Fr, of_s: Fr| -> Vec<Fr> {
        (0..g.len()).map(|i| g[i] * of_g - of_s * s.get(i).copied().unwrap_or_default()).collect()
    };
    let first = combined(eq_polynomial(&mut Plain, rho, &inverse), *zeta);
    let second = combined(eq_polynomial(&mut Plain, rho, zeta), inverse);
    let y = evaluate(&first, *zeta);
    let h = evaluate(&divide(&first, &[-*zeta, Fr::ONE]).0, *tau)
        + evaluate(&divide(&second, &[-inverse, Fr::ONE]).0, *tau);
    vec![evaluate(s, *tau), h, scalars(&mut Plain, rho, &v, [zeta, &y, z]).unwrap().one]
}

/// Everything public that depends on the witness, as a function of the masks and blinds alone (it is affine in them): all of it can take
/// any value, whatever the witness.
#[test]
fn masks_and_blinds_reach_everything_that_is_public() {
    let sizes = [(6, 1, 0), (6, 3, 1), (6, 20, 33), (8, 2, 0), (10, 5, 2), (13, 26, 8), (16, 2, 1)];
    // The mask alone in its chunk, behind tensors, at the chunk's end.
    let masked =
        sizes.into_iter().flat_map(|size| [0, 8 << (size.0 / 3), (1 << size.0) - MASK_LEN].map(|start| (size, start)));
    for ((c, x, y), start) in masked {
        let chunks = Chunks { bits: c, x, y, w: 3 };
        let challenges = Challenges { tau: random(), b: random(), rho: randoms(c), zeta: random(), z: random() };
        let weights = chunk_weights(&chunks, &randoms(chunks.rho_high()), &random());
        let (mask_weight, weights) = (weights.x[x - 1], [weights.x, weights.y].concat());
        let all = x + y;
        let positions = start..start + MASK_LEN;
        let mut columns: Vec<Vec<Fr>> = Vec::new();
        // A mask's value enters its chunk's commitment and g.
        for position in positions.clone() {
            let mut commitments = vec![Fr::ZERO; all];
            commitments[x - 1] = challenges.tau.pow([position as u64]);
            let mut g = vec![Fr::ZERO; 1 << c];
            g[position] = mask_weight;
            columns.push([commitments, vec![Fr::ZERO], opened(&g, &challenges)].concat());
        }
        // A blind enters its chunk's commitment and the combined blind.
        for chunk in 0..all {
            let mut commitments = vec![Fr::ZERO; all];
            commitments[chunk] = challenges.b;
            columns.push([commitments, vec![weights[chunk]], vec![Fr::ZERO; 3]].concat());
        }
        let public = columns[0].len();
        assert_eq!(public, all + 1 + 3);
        assert_eq!(rank(columns.clone()), public, "c = {c}, {x} and {y} chunks, mask at {start}");
        // Four of its values would do; three would not, nor none.
        assert_eq!(rank(columns[MASK_LEN - 4..].to_vec()), public);
        assert!(rank(columns[MASK_LEN - 3..].to_vec()) < public);
        assert!(rank(columns[positions.len()..].to_vec()) < public);
        // The opening of a committed tensor gives its chunks' blinds away, and with them its commitments: nothing else rests on them.
        let given = x - 1;
        let mut others = columns;
        others.drain(positions.len()..positions.len() + given);
        others.iter_mut().for_each(|column| drop(column.drain(..given)));
        assert_eq!(rank(others), public - given, "c = {c}, {given} of {x} chunks opened");
    }
}

fn elements(proof: &Proof) -> BTreeSet<Vec<u8>> {
    let opening = proof.opening.all();
    let points = proof.x_commitments.iter().chain(&proof.y_commitments).chain(&opening);
    let points = points.map(|point| encode_g1(point).to_vec());
    let scalars = proof.exports.iter().map(|scalar| format!("{scalar:?}").into_bytes());
    points.chain(scalars).chain(proof.shell.chunks(32).map(<[u8]>::to_vec)).collect()
}

#[test]
fn two_proofs_of_one_statement_share_nothing_else() {
    let prepared = PreparedKey::new(KEY.verifying_key.clone()).unwrap();
    for input in [vec![0; 3], vec![-128, 127, 5]] {
        let [one, other] = [(); 2].map(|()| prove(&KEY, std::slice::from_ref(&input), None, &mut |_| {}).unwrap());
        for proof in [&one, &other] {
            verify(&prepared, proof).unwrap();
        }
        assert_eq!((one.key_digest, &one.publics), (other.key_digest, &other.publics));
        let (one, other) = (elements(&one), elements(&other));
        assert!(one.len() > 45 && one.is_disjoint(&other));
    }
}

/// Whoever guesses the witness can run the prover up to the leaf point, from the proof's own commitments. With the salt the right guess
/// gives the public point and a wrong one does not; without it neither does, so a guess cannot be tested.
#[test]
fn public_challenges_are_no_oracle_for_guesses() {
    let key = &KEY.core;
    let (system, layout) = (&key.lowered().system, key.layout());
    let (right, wrong) = (vec![vec![17, -100, 127]], vec![vec![17, -100, 126]]);
    let witness =
        |inputs: &[Vec<i64>]| generate(key.lowered(), model_values(&key.program, key.lowered()), inputs).unwrap().0;
    let core = prove_core(key, &right, None, &mut |_| {}).unwrap();
    let run = record_proof(system, layout, &core);
    assert_eq!(run.failure, None);
    let exports = exports_of(KEY.verifying_key.exported_leaf(), &layout.chunks(), &run.exports).unwrap();
    let public = exports.leaf;
    assert!(!public.is_empty());

    let replay = |witness: &Witness, salt: Fr| {
        let mut transcript = Writer::default();
        transcript.label(Step::Commitments);
        transcript.write_first(&statement(&core.key_digest, None, &core.hashes, &core.publics), &core.x_commitments);
        transcript.write(salt);
        let challenges = lookups::challenges(&mut transcript);
        let leaves = lookups::leaves(system, layout, witness, &challenges);
        let tree = Tree::new(leaves, layout.leaf_bits, layout.layer);
        let y = tree.fractions();
        if layout.layer > 0 {
            transcript.write_points(&core.y_commitments);
        }
        tree.prove(&y, &mut transcript).leaves.point[..public.len()].to_vec()
    };
    let (right, wrong) = (witness(&right), witness(&wrong));
    let salt = core.scalars[0];
    assert_eq!(replay(&right, salt), public, "the replay is the prover");
    assert_ne!(replay(&wrong, salt), public);
    for guess in [Fr::ZERO, Fr::ONE, random(), salt + Fr::ONE] {
        assert_ne!(replay(&right, guess), public);
        assert_ne!(replay(&wrong, guess), public);
    }
}

/// One salt for two versions of a model must not show the difference of their weights.
#[test]
fn blinds_differ_for_other_weights() {
    let one = &KEY.verifying_key;
    let other = key(|i| weights(i) + i32::from(i == 4), 1).verifying_key;
    let difference = (one.w_commitments[0] - other.w_commitments[0]).into_affine();
    // The matrix is padded to 8 × 4; its entry 4 lies in row 1, column 1.
    let entries: Vec<Fr> = (0..32).map(|i| if i == 5 { -Fr::ONE } else { Fr::ZERO }).collect();
    let unblinded: G1Affine = msm(&SRS.powers[..32], &entries).into_affine();
    assert_ne!(difference, unblinded);
    assert_eq!(key(weights, 1).verifying_key, *one, "the same weights have the same key");
}

/// What a key shows besides commitments depends on powers of two only, not on each weight.
#[test]
fn ranges_in_keys_are_rounded() {
    let one = &KEY.verifying_key;
    let other = key(|i| weights(i) + i32::from(i == 4), 2).verifying_key;
    assert_eq!((one.architecture, &one.publics, &one.shell), (other.architecture, &other.publics, &other.shell));
    for public in &one.publics {
        let (least, greatest) = public.range;
        assert!(least == 0 || (-least as u64).is_power_of_two(), "{least}");
        assert!(((greatest + 1) as u64).is_power_of_two(), "{greatest}");
    }
}
