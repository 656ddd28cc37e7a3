//! A small model's key and proof, made by the prover.

use vouch_circuits::key::Proof;
use vouch_program::{AxisIndex, Func, Node, NodeId, Op, Port, Program, View};
use vouch_prover::commit::Srs;
use vouch_prover::{Needs, ProvingKey, SetupOptions, prove, setup};

/// `relu(W·x)` for a 5 × 3 matrix, and its argmax.
pub fn program() -> Program {
    let node = |op, shape: &[usize]| Node { op, shape: shape.to_vec(), frac: 4, source: "test".into() };
    let product = Op::Contract {
        vars: vec![5, 3],
        lhs: View::of_vars(NodeId(1), &[0, 1]),
        rhs: Some(View { node: NodeId(0), axes: vec![AxisIndex::var(1)] }),
    };
    let nodes = vec![
        node(Op::Input { bits: 8 }, &[3]),
        node(Op::Weight { data: (0..15).map(|i| (i * i) % 23 - 11).collect() }, &[5, 3]),
        node(product, &[5]),
        node(Op::Apply { input: NodeId(2), shift: 4, func: Func::Relu, bits: 8, saturate: true }, &[5]),
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
        outputs: vec![port("y", NodeId(3), &[1, 5])],
        batch: 1,
    }
}

pub fn key(salt: u8) -> ProvingKey {
    let needs = Needs::of(&program(), &SetupOptions::chunk_bits(6)).unwrap();
    let srs = Srs::development_with_lagrange(needs.powers(), &[needs.k], &mut rand::rng());
    setup(program(), &SetupOptions::chunk_bits(6), srs, [salt; 32], &mut |_| {}).unwrap()
}

pub fn proof(key: &ProvingKey) -> Proof {
    prove(key, &[vec![17, -100, 127]], None, &mut |_| {}).unwrap()
}
