//! A batch computes what its inferences do one by one.

use proptest::prelude::*;
use vouch_program::*;

use crate::build::{Builder, fill, scaled, view};
use crate::random::{Choices, program};

/// Other inputs of the same ranges.
fn others(inputs: &[Vec<i64>], by: usize) -> Vec<Vec<i64>> {
    let rotated = |input: &Vec<i64>| {
        let mut input = input.clone();
        let by = by % input.len();
        input.rotate_left(by);
        input
    };
    inputs.iter().map(rotated).collect()
}

/// Runs the batch of these inputs and each of them alone.
fn agrees(program: &Program, all: &[Vec<Vec<i64>>]) -> Result<(), TestCaseError> {
    let batch = batched(program, all.len()).unwrap();
    let inputs: Vec<Vec<i64>> =
        (0..program.inputs.len()).map(|i| all.iter().flat_map(|one| one[i].clone()).collect()).collect();
    let together = execute(&batch, &inputs).unwrap();
    for (i, port) in program.outputs.iter().enumerate() {
        let alone: Vec<Vec<i64>> = all.iter().map(|one| execute(program, one).unwrap().outputs()[i].to_vec()).collect();
        let found = together.outputs()[i];
        if found.len() == port.shape.iter().product() && all.len() > 1 {
            prop_assert!(alone.iter().all(|one| one == found), "{} depends on the input", port.name);
        } else {
            prop_assert_eq!(found, alone.concat(), "{}", port.name);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_batch_is_its_inferences_side_by_side(stream in Choices::strategy(600), count in 1usize..4) {
        let (program, _, inputs) = program(stream);
        let all: Vec<_> = (0..count).map(|by| others(&inputs, by)).collect();
        agrees(&program, &all)?;
        prop_assert!(intervals(&batched(&program, count).unwrap()).is_ok());
    }
}

/// What meets a computed tensor and is the same for all: weights, and what they alone lead to.
#[test]
fn weights_stay_as_they_are() {
    let mut builder = Builder::new();
    let x = builder.input(8, &[1, 3]);
    let w = builder.weight(&[5, -9, 2], &[1, 3]);
    let relu = builder.apply(w, 0, Func::Relu, 8, false);
    let most = builder.push(Op::Max { lhs: x, rhs: relu }, &[1, 3]);
    let first = builder.push(Op::ArgMax { input: w, axis: 1 }, &[1, 1]);
    let floor = builder.affine(&[1, 3], vec![fill(300, &[]), scaled(1, View::identity(x, 2))]);
    let den = builder.push(Op::Store { input: floor }, &[1, 3]);
    let quotient = builder.push(Op::Divide { num: w, den: View::identity(den, 2), shift: 9 }, &[1, 3]);
    let by = builder.push(Op::ArgMax { input: x, axis: 1 }, &[1, 1]);
    let rows = builder.push(Op::Gather { input: w, index: vec![2, 1, 0] }, &[3]);
    let picked = builder.push(Op::Pick { rows, index: by, shared: 0 }, &[1, 1]);
    for node in [relu, most, first, quotient, picked] {
        let shape = builder.program.node(node).shape.clone();
        builder.program.outputs.push(Port {
            name: node.to_string(),
            node,
            shape,
            integer: false,
            column_fracs: vec![],
        });
    }
    let program = builder.program;
    agrees(&program, &[vec![vec![-100, 40, 3]], vec![vec![7, 0, -1]], vec![vec![127, -128, 127]]]).unwrap();

    let batch = batched(&program, 4).unwrap();
    assert_eq!((batch.batch, batch.parameters()), (4, program.parameters()));
    assert_eq!(batch.inputs[0].shape, [4, 3]);
    let shapes: Vec<_> = batch.outputs[program.outputs.len() - 5..].iter().map(|port| port.shape.clone()).collect();
    assert_eq!(shapes, [vec![1, 3], vec![4, 3], vec![1, 1], vec![4, 3], vec![4, 1]]);
}

/// Rows of each inference's own input, by what is computed and by what is the same for all.
#[test]
fn rows_are_picked_from_each_inferences_own() {
    let mut builder = Builder::new();
    let x = builder.input(8, &[3, 2]);
    let by = builder.push(Op::ArgMax { input: x, axis: 0 }, &[1, 2]);
    let fixed = builder.weight(&[2, 0], &[2]);
    let first = builder.push(Op::ArgMax { input: x, axis: 1 }, &[3, 1]);
    let w = builder.weight(&[7, 9, 4, -4, 0, 80], &[3, 2]);
    let picked = [
        builder.push(Op::Pick { rows: x, index: by, shared: 0 }, &[1, 2, 2]),
        builder.push(Op::Pick { rows: x, index: fixed, shared: 0 }, &[2, 2]),
        // Of each row an element.
        builder.push(Op::Pick { rows: x, index: first, shared: 1 }, &[3, 1]),
        builder.push(Op::Pick { rows: w, index: first, shared: 1 }, &[3, 1]),
    ];
    for node in picked {
        let shape = builder.program.node(node).shape.clone();
        let port = Port { name: node.to_string(), node, shape, integer: false, column_fracs: vec![] };
        builder.program.outputs.push(port);
    }
    let all: Vec<Vec<Vec<i64>>> =
        (0..5).map(|i| vec![(0..6).map(|j| (7 * i * i + 11 * j * (i + 3)) % 50).collect()]).collect();
    agrees(&builder.program, &all).unwrap();
    agrees(&builder.program, &all[..2]).unwrap();
}

/// An index that names no row of an inference's own names none of another's.
#[test]
fn rows_of_another_inference_are_none() {
    let mut builder = Builder::new();
    let (x, by) = (builder.input(8, &[3]), builder.input(4, &[2]));
    builder.push(Op::Pick { rows: x, index: by, shared: 0 }, &[2]);
    let batch = batched(&builder.program, 2).unwrap();
    let picked = |by: [i64; 4]| {
        let run = execute(&batch, &[vec![10, 11, 12, 20, 21, 22], by.to_vec()]);
        run.map(|run| run.value(NodeId(batch.nodes.len() as u32 - 1)).to_vec())
    };
    assert_eq!(picked([2, 0, 0, 1]).unwrap(), [12, 10, 20, 21]);
    for (at, outside) in [(1, 3), (2, -1), (2, 3)] {
        let mut by = [2, 0, 0, 1];
        by[at] = outside;
        let error = picked(by).unwrap_err().to_string();
        assert!(error.contains(&format!("element {at} of what it picks by is no index from 0 to 2")), "{error}");
    }
}

#[test]
fn what_has_no_batch_is_refused() {
    let mut builder = Builder::new();
    let x = builder.input(8, &[3, 2]);
    builder.push(Op::ArgMax { input: x, axis: 0 }, &[1, 2]);
    let deep = builder.affine(&[1; 8], vec![scaled(1, view(x, vec![AxisIndex::fixed(0), AxisIndex::fixed(1)]))]);
    builder.push(Op::Store { input: deep }, &[1; 8]);
    let text = |program: &Program, count| batched(program, count).err().expect("there is no such batch").to_string();
    assert!(text(&builder.program, 2).contains("rank 9 is above the limit of 8"));
    assert!(text(&builder.program, 0).contains("a batch of 0"));
    builder.program.nodes.truncate(2);
    builder.program.outputs.truncate(1);
    let twice = batched(&builder.program, 2).unwrap();
    assert!(text(&twice, 2).contains("of a program for 2"));
    assert_eq!(batched(&twice, 1).unwrap().batch, 2);
    let mut none = builder.program.clone();
    none.batch = 0;
    assert_eq!(validate(&none).unwrap_err().to_string(), "program: is for no inference at all");
}
