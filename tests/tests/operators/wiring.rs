//! How nodes hang together: fan-out, unusual inputs and outputs, and programs without one kind of thing.

use vouch_circuits::layout::Cuts;
use vouch_circuits::lowering::{LowerError, MAX_TERMS, lower};
use vouch_program::*;
use vouch_prover::{CheckError, SetupError, SetupOptions, check, setup_core};

use crate::build::{Builder, fill, whole};
use crate::harness::{assert_proven, executed, srs};

/// Refused alike by lowering, by a check and by setup.
fn refused(program: &Program, inputs: &[Vec<i64>]) -> LowerError {
    let error = lower(program).err().expect("refused");
    match check(program, inputs) {
        Err(CheckError::Lower(other)) => assert_eq!(other.to_string(), error.to_string()),
        Err(CheckError::Execute(other)) => assert_eq!(other.to_string(), error.to_string()),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("checked"),
    }
    match setup_core(
        program.clone(),
        &SetupOptions::cut_at(Cuts { chunk_bits: 6, layer: 0 }),
        srs(),
        [0; 32],
        &mut |_| {},
    ) {
        Err(SetupError::Lower(other)) => assert_eq!(other.to_string(), error.to_string()),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("set up"),
    }
    error
}

fn problem(error: LowerError) -> Problem {
    match error {
        LowerError::Program(error) => error.problem,
        error => panic!("{error}"),
    }
}

#[test]
fn a_tensor_with_many_readers() {
    let mut builder = Builder::new();
    let x = builder.input(8, &[3]);
    let w = builder.weight(vec![3, -2, 1], &[3]);
    let hidden = builder.apply(x, 1, Func::Relu, 8, false);
    let read = || View::of_vars(hidden, &[0]);
    // The hidden tensor and the weights are each read by three operators and more.
    let dot = builder.contract(&[3], 0, read(), Some(View::of_vars(w, &[0])));
    let squares = builder.contract(&[3], 0, read(), Some(read()));
    let product = builder.contract(&[3], 1, View::of_vars(w, &[0]), Some(read()));
    let sum = builder.affine(&[3], vec![whole(2, hidden, 1), whole(-3, w, 1), whole(1, product, 1)]);
    let stored = [dot, squares, sum].map(|node| builder.store(node));
    let outputs = [
        builder.max(hidden, w),
        builder.argmax(hidden, 0),
        builder.gather(hidden, &[2, 2, 0], &[3]),
        builder.gather(w, &[1, 1, 1], &[3]),
        // A virtual tensor with three readers.
        builder.apply(sum, 2, Func::Identity, 8, true),
        builder.apply(sum, 0, Func::Relu, 4, true),
        hidden,
    ];
    let program = builder.finish(&[&stored[..], &outputs].concat());
    assert_proven(&program, &[vec![vec![100, -7, 33]]]);
}

#[test]
fn an_output_that_is_an_input() {
    let mut builder = Builder::new();
    let x = builder.input(8, &[3]);
    let z = builder.input(4, &[]);
    // Nothing is computed at all; and one input has no reader.
    let program = builder.finish(&[x]);
    assert_eq!(executed(&program, &[vec![1, -2, 3], vec![-8]]), [[1, -2, 3]]);
    assert_proven(&program, &[vec![vec![1, -2, 3], vec![-8]]]);

    let mut builder = Builder::new();
    let x = builder.input(8, &[3]);
    let y = builder.apply(x, 1, Func::Relu, 8, false);
    let program = builder.finish(&[y, x, x]);
    assert_eq!(executed(&program, &[vec![5, -2, 3]]), [[3, 0, 2], [5, -2, 3], [5, -2, 3]]);
    assert_proven(&program, &[vec![vec![5, -2, 3]]]);
    assert_eq!(z, NodeId(1));
}

#[test]
fn outputs_named_twice_and_with_other_shapes() {
    let mut builder = Builder::new();
    let x = builder.input(8, &[2, 3]);
    let y = builder.apply(x, 1, Func::Relu, 8, false);
    let mut program = builder.finish(&[y, y, y]);
    program.outputs[1].shape = vec![1, 6, 1];
    program.outputs[2].shape = vec![3, 2];
    program.outputs[2].name = program.outputs[0].name.clone();
    program.inputs[0].shape = vec![6];
    program.nodes[1].frac = -3;
    assert_proven(&program, &[vec![vec![1, 2, 3, -4, -5, 6]]]);
}

#[test]
fn inputs_in_another_order_than_nodes() {
    let mut builder = Builder::new();
    let first = builder.input(8, &[3]);
    let w = builder.weight(vec![1, 2, 3], &[3]);
    let second = builder.input(4, &[3]);
    let third = builder.input(16, &[1]);
    let sum = builder.affine(&[3], vec![whole(1, first, 1), whole(100, second, 1), whole(7, w, 1)]);
    let y = builder.store(sum);
    let mut program = builder.finish(&[y]);
    program.inputs.rotate_left(1);
    assert_eq!(program.inputs.iter().map(|port| port.node).collect::<Vec<_>>(), [second, third, first]);
    assert_proven(&program, &[vec![vec![-8, 7, 1], vec![-32768], vec![-128, 127, 1]]]);
}

#[test]
fn programs_without_lookups() {
    // Constants: no inputs, no weights, no lookups.
    let mut builder = Builder::new();
    let constant = builder.affine(&[3], vec![fill(5, &[]), fill(-9, &[(0, 1, 2)])]);
    let y = builder.store(constant);
    let program = builder.finish(&[y]);
    let lowered = lower(&program).unwrap_or_else(|error| panic!("{error}"));
    assert!(lowered.system.lookups.is_empty() && lowered.system.tables.is_empty());
    assert_eq!(executed(&program, &[]), [[5, -4, 5]]);
    assert_proven(&program, &[]);

    // Weights, summed.
    let mut builder = Builder::new();
    let w = builder.weight(vec![3, -4, 5, 6, 7, -8], &[2, 3]);
    let v = builder.weight(vec![1, 2, -1], &[3]);
    let sum = builder.contract(&[2, 3], 1, View::of_vars(w, &[0, 1]), Some(View::of_vars(v, &[1])));
    let y = builder.store(sum);
    let program = builder.finish(&[y]);
    assert!(lower(&program).unwrap_or_else(|error| panic!("{error}")).system.lookups.is_empty());
    assert_eq!(executed(&program, &[]), [[-10, 28]]);
    assert_proven(&program, &[]);
}

#[test]
fn programs_without_weights_or_inputs() {
    let mut builder = Builder::new();
    let x = builder.input(8, &[2, 3]);
    let product = builder.contract(&[2, 2, 3], 2, View::of_vars(x, &[0, 2]), Some(View::of_vars(x, &[1, 2])));
    let y = builder.apply(product, 8, Func::Relu, 8, true);
    assert_proven(&builder.finish(&[y]), &[vec![vec![-128, 127, 3, 4, 5, -6]]]);

    // Fixed tensors only: an index map and a function.
    let mut builder = Builder::new();
    let x = builder.input(3, &[3]);
    let func = builder.table(3, (0..8).rev().collect());
    let y = builder.apply(x, 0, func, 3, false);
    let moved = builder.gather(y, &[0, 0, 2, 1], &[4]);
    assert_proven(&builder.finish(&[moved]), &[vec![vec![-4, 3, 0]]]);

    let mut builder = Builder::new();
    let w = builder.weight((0..6).map(|i| i * 7 - 20).collect(), &[6]);
    let y = builder.apply(w, 1, Func::Relu, 8, false);
    let at = builder.argmax(w, 0);
    let most = builder.max(w, w);
    assert_proven(&builder.finish(&[y, at, most]), &[]);

    // Weights, a table and a sum that nothing reads.
    let mut builder = Builder::new();
    let x = builder.input(8, &[2]);
    builder.weight(vec![1; 300], &[300]);
    builder.table(4, vec![9; 16]);
    builder.contract(&[2], 0, View::of_vars(x, &[0]), None);
    assert_proven(&builder.finish(&[x]), &[]);
}

#[test]
fn weights_are_no_outputs() {
    let mut builder = Builder::new();
    let w = builder.weight(vec![1, 2], &[2]);
    let error = refused(&builder.finish(&[w]), &[]);
    assert!(matches!(error, LowerError::PublishesWeights(name) if name == "out0"));
}

#[test]
fn virtual_nodes_are_no_outputs() {
    let mut builder = Builder::new();
    let x = builder.input(8, &[2]);
    let sum = builder.affine(&[2], vec![whole(2, x, 1)]);
    let error = refused(&builder.finish(&[sum]), &[vec![0; 2]]);
    assert_eq!(problem(error), Problem::VirtualOutput { node: sum });
}

#[test]
fn empty_axes_are_refused() {
    type Make = fn(&mut Builder) -> NodeId;
    let makers: [Make; 8] = [
        |builder| builder.input(8, &[2, 0]),
        |builder| builder.weight(vec![], &[2, 0]),
        |builder| builder.contract(&[2, 0], 2, View::of_vars(NodeId(0), &[0]), None),
        |builder| builder.affine(&[2, 0], vec![fill(1, &[])]),
        |builder| builder.push(Op::Store { input: NodeId(0) }, &[2, 0]),
        |builder| builder.push(Op::Max { lhs: NodeId(0), rhs: NodeId(0) }, &[2, 0]),
        |builder| builder.gather(NodeId(0), &[], &[2, 0]),
        |builder| builder.push(Op::ArgMax { input: NodeId(0), axis: 0 }, &[2, 0]),
    ];
    for make in makers {
        let mut builder = Builder::new();
        let x = builder.input(8, &[2]);
        make(&mut builder);
        let count = builder.program.inputs.len();
        let inputs = [vec![0; 2], vec![]];
        let error = refused(&builder.finish(&[x]), &inputs[..count]);
        assert_eq!(problem(error), Problem::ZeroAxis { axis: 1 });
    }
    let mut builder = Builder::new();
    let x = builder.input(8, &[2]);
    builder.contract(&[2, 0], 1, View::of_vars(x, &[1]), None);
    let error = refused(&builder.finish(&[x]), &[vec![0; 2]]);
    assert!(matches!(problem(error), Problem::VarLength { var: 1, .. }));
    let error = refused(&Builder::new().finish(&[]), &[]);
    assert_eq!(problem(error), Problem::NoOutputs);
}

#[test]
fn sums_of_sums_grow_to_a_limit() {
    for (doublings, fits) in [(11, true), (12, false)] {
        let mut builder = Builder::new();
        let x = builder.input(2, &[2]);
        // Two summands at first, twice as many each time.
        let mut sum = builder.affine(&[2], vec![whole(1, x, 1), fill(1, &[])]);
        for _ in 0..doublings {
            sum = builder.affine(&[2], vec![whole(1, sum, 1), whole(1, sum, 1)]);
        }
        let y = builder.apply(sum, 8, Func::Relu, 8, true);
        let program = builder.finish(&[y]);
        if fits {
            assert_proven(&program, &[]);
        } else {
            assert!(matches!(refused(&program, &[vec![0; 2]]), LowerError::TooManyTerms(_)));
        }
    }
    assert_eq!(MAX_TERMS, 2 << 11);
}

#[test]
fn strides_beyond_what_a_verifier_walks_are_refused_by_setup() {
    let mut builder = Builder::new();
    let x = builder.input(8, &[3]);
    let stride = AxisIndex::strided(0, 1 << 31, -(1 << 31));
    let sum = builder.affine(&[3], vec![AffineTerm::Scaled { coef: 1, view: View { node: x, axes: vec![stride] } }]);
    let y = builder.store(sum);
    let program = builder.finish(&[y]);
    let report = check(&program, &[vec![5, 6, 7]]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(report.outputs, [[0, 5, 0]]);
    match setup_core(program, &SetupOptions::cut_at(Cuts { chunk_bits: 6, layer: 0 }), srs(), [0; 32], &mut |_| {}) {
        Err(SetupError::System(error)) => assert!(error.to_string().contains("steps"), "{error}"),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("set up"),
    }
}
