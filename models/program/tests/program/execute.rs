//! Each operator, its edges, and what is said about bad inputs.

use proptest::prelude::*;
use vouch_program::*;

use crate::build::{Builder, fill, scaled, view};
use crate::random::{Choices, program};
use crate::reference::evaluate;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn random_programs_compute_what_the_definitions_say(stream in Choices::strategy(600)) {
        let (program, _, inputs) = program(stream);
        let expected = evaluate(&program, &inputs, false);
        let all = execute_keeping(&program, &inputs, Keep::All).unwrap();
        let stored = execute(&program, &inputs).unwrap();
        for (index, node) in program.nodes.iter().enumerate() {
            let id = NodeId(index as u32);
            prop_assert_eq!(all.value(id), &expected.tensors[index].values[..], "{}", id);
            if node.op.is_stored() {
                prop_assert_eq!(stored.value(id), all.value(id));
            }
        }
        prop_assert_eq!(stored.saturated(), all.saturated());
    }
}

#[test]
fn rescaling_rounds_to_nearest_and_halves_up() {
    let mut builder = Builder::new();
    let x = builder.input(8, &[13]);
    let values = vec![-128, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 127];
    let y = builder.apply(x, 2, Func::Identity, 8, false);
    assert_eq!(builder.run(&[values], y), [-32, -2, -1, -1, -1, -1, 0, 0, 0, 0, 1, 1, 32]);
}

#[test]
fn rescaling_by_nothing_and_by_most() {
    let mut builder = Builder::new();
    let x = builder.input(16, &[4]);
    let same = builder.apply(x, 0, Func::Identity, 16, false);
    let wide =
        builder.push(Op::Affine { terms: vec![scaled(1 << 40, View::identity(x, 1)), fill(-(1 << 39), &[])] }, &[4]);
    let back = builder.apply(wide, 40, Func::Identity, 16, false);
    let values = vec![-32768, -1, 0, 32767];
    assert_eq!(builder.run(std::slice::from_ref(&values), same), values);
    // Halves go up: x - 1/2 becomes x.
    assert_eq!(builder.run(std::slice::from_ref(&values), back), values);
    intervals(&builder.program).unwrap();
}

#[test]
fn saturation_clamps_before_the_function_and_is_counted() {
    let mut builder = Builder::new();
    let values = (0..16).map(|i| 100 + i).collect();
    builder.program.tables.push(FunctionTable { name: "t".into(), bits: 4, values });
    let x = builder.input(8, &[6]);
    let identity = builder.apply(x, 1, Func::Identity, 4, true);
    let relu = builder.apply(x, 1, Func::Relu, 4, true);
    let table = builder.apply(x, 1, Func::Table(0), 4, true);
    let inputs = [vec![-128, -18, -17, 14, 15, 127]];
    let run = execute(&builder.program, &inputs).unwrap();
    assert_eq!(run.value(identity), [-8, -8, -8, 7, 7, 7]);
    assert_eq!(run.value(relu), [0, 0, 0, 7, 7, 7]);
    assert_eq!(run.value(table), [100, 100, 100, 115, 115, 115]);
    // -17 rescales to -8, 14 to 7: just inside. 15 rescales to 8.
    assert_eq!(run.saturated(), [(identity, 4), (relu, 4), (table, 4)]);
    assert_eq!(run.outputs().len(), 4);
}

#[test]
fn many_elements_saturate_alike_on_threads() {
    let mut builder = Builder::new();
    let x = builder.input(16, &[50_000]);
    let y = builder.apply(x, 3, Func::Relu, 8, true);
    let inputs = [(0..50_000).map(|i| i % 4096 - 2048).collect::<Vec<i64>>()];
    let run = execute(&builder.program, &inputs).unwrap();
    let expected = inputs[0].iter().map(|v| ((v + 4) >> 3).clamp(-128, 127).max(0));
    assert!(run.value(y).iter().copied().eq(expected));
    let outside = inputs[0].iter().filter(|&&v| !(-128..128).contains(&((v + 4) >> 3))).count();
    assert_eq!(run.saturated(), [(y, outside)]);
}

#[test]
fn an_unproven_domain_is_an_error_without_the_value() {
    let mut builder = Builder::new();
    let x = builder.input(8, &[3]);
    builder.apply(x, 0, Func::Identity, 4, false);
    let error = execute(&builder.program, &[vec![7, -8, 99]]).unwrap_err();
    assert_eq!(error.to_string(), r#"node 1 ("source 1"), element 2: rescaled value outside -8..=7"#);
}

#[test]
fn the_first_of_equals_is_the_largest() {
    let mut builder = Builder::new();
    let x = builder.input(8, &[2, 3, 2]);
    let shapes = [[1, 3, 2], [2, 1, 2], [2, 3, 1]];
    let ids: Vec<_> = (0..3).map(|axis| builder.push(Op::ArgMax { input: x, axis }, &shapes[axis])).collect();
    #[rustfmt::skip]
    let values = vec![
        5, -1,   5, -1,   4, -1,
        5, -2,   6, 0,    4, -1,
    ];
    let run = execute(&builder.program, std::slice::from_ref(&values)).unwrap();
    assert_eq!(run.value(ids[0]), [0, 0, 1, 1, 0, 0]);
    assert_eq!(run.value(ids[1]), [0, 0, 1, 1]);
    assert_eq!(run.value(ids[2]), [0, 0, 0, 0, 0, 0]);
}

#[test]
fn rows_are_picked_by_values() {
    let mut builder = Builder::new();
    let (x, i) = (builder.input(8, &[3, 2, 2]), builder.input(4, &[2, 1]));
    let rows = builder.push(Op::Pick { rows: x, index: i, shared: 0 }, &[2, 1, 2, 2]);
    let w = builder.weight(&[70, -80, 90], &[3]);
    let weights = builder.push(Op::Pick { rows: w, index: i, shared: 0 }, &[2, 1]);
    let values: Vec<i64> = (0..12).collect();
    let run = execute(&builder.program, &[values.clone(), vec![2, 0]]).unwrap();
    assert_eq!(run.value(rows), [8, 9, 10, 11, 0, 1, 2, 3]);
    assert_eq!(run.value(weights), [90, 70]);
    for outside in [3, -1] {
        let error = execute(&builder.program, &[values.clone(), vec![2, outside]]).unwrap_err();
        let text = r#"node 2 ("source 2"): element 1 of what it picks by is no index from 0 to 2"#;
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn rows_are_picked_from_each_ones_own() {
    let mut builder = Builder::new();
    let (x, i) = (builder.input(8, &[2, 1, 3, 2]), builder.input(4, &[2, 1, 2, 1]));
    let rows = builder.push(Op::Pick { rows: x, index: i, shared: 2 }, &[2, 1, 2, 1, 2]);
    let w = builder.weight(&[70, -80, 90, 5, 6, 7], &[2, 3]);
    let j = builder.input(4, &[2, 3]);
    let elements = builder.push(Op::Pick { rows: w, index: j, shared: 1 }, &[2, 3]);
    let values: Vec<i64> = (0..12).collect();
    let run = execute(&builder.program, &[values.clone(), vec![2, 0, 1, 2], vec![0, 2, 1, 1, 1, 0]]).unwrap();
    assert_eq!(run.value(rows), [4, 5, 0, 1, 8, 9, 10, 11]);
    assert_eq!(run.value(elements), [70, 90, -80, 6, 6, 5]);
    for outside in [3, -1] {
        let error = execute(&builder.program, &[values.clone(), vec![0, outside, 0, 0], vec![0; 6]]).unwrap_err();
        assert!(error.to_string().ends_with("element 1 of what it picks by is no index from 0 to 2"));
    }
}

#[test]
fn scalars_go_through_every_operator() {
    let mut builder = Builder::new();
    let x = builder.input(8, &[]);
    let w = builder.weight(&[-3], &[]);
    let product = builder.contract(&[], 0, view(x, vec![]), Some(view(w, vec![])));
    let sum = builder.affine(&[], vec![scaled(2, view(product, vec![])), fill(1, &[]), scaled(1, view(w, vec![]))]);
    let most = builder.push(Op::Max { lhs: sum, rhs: w }, &[]);
    let spread = builder.push(Op::Gather { input: most, index: vec![0; 3] }, &[3]);
    let first = builder.push(Op::ArgMax { input: spread, axis: 0 }, &[1]);
    let picked = builder.push(Op::Pick { rows: spread, index: first, shared: 0 }, &[1]);
    let run = execute(&builder.program, &[vec![4]]).unwrap();
    let values: Vec<_> = [product, sum, most, spread, first, picked].iter().map(|&id| run.value(id)).collect();
    assert_eq!(values, [&[-12][..], &[-26], &[-3], &[-3, -3, -3], &[0], &[-3]]);
}

#[test]
fn fills_are_constant_within_their_ranges() {
    let mut builder = Builder::new();
    let w = builder.weight(&[0], &[]);
    let shape = [2, 3, 4];
    let terms = vec![
        fill(1, &[]),
        fill(10, &[(1, 1, 3)]),
        fill(100, &[(2, 0, 1), (0, 1, 2)]),
        fill(1000, &[(2, 2, 2)]),
        scaled(5, view(w, vec![])),
    ];
    let out = builder.affine(&shape, terms);
    let expected = evaluate(&builder.program, &[], false);
    assert_eq!(builder.run(&[], out), expected.tensors[out.index()].values);
    assert_eq!(builder.run(&[], out)[12..20], [101, 1, 1, 1, 111, 11, 11, 11]);
}

#[test]
fn padding_and_mirrors_in_affine_views() {
    let mut builder = Builder::new();
    let x = builder.input(8, &[3]);
    let shifted = builder.affine(&[6], vec![scaled(1, view(x, vec![AxisIndex::strided(0, 1, -2)]))]);
    let mirrored = builder.affine(&[3], vec![scaled(-1, view(x, vec![AxisIndex::strided(0, -1, 2)]))]);
    let sparse = builder.affine(&[5], vec![scaled(1, view(x, vec![AxisIndex::strided(0, -2, 3)]))]);
    let run = execute(&builder.program, &[vec![1, 2, 3]]).unwrap();
    assert_eq!(run.value(shifted), [0, 0, 1, 2, 3, 0]);
    assert_eq!(run.value(mirrored), [-3, -2, -1]);
    assert_eq!(run.value(sparse), [0, 2, 0, 0, 0]);
}

#[test]
fn bad_inputs_are_named_without_their_values() {
    let mut builder = Builder::new();
    builder.input(8, &[2, 2]);
    builder.input(16, &[1]);
    let fails = |inputs: &[Vec<i64>], message: &str| {
        assert_eq!(execute(&builder.program, inputs).unwrap_err().to_string(), message);
    };
    fails(&[vec![0; 4]], "1 inputs given where the program has 2");
    fails(&[vec![0; 3], vec![0]], r#"input 0 ("t0"): 3 elements given where the program has 4"#);
    fails(
        &[vec![-128, 127, 128, 7777], vec![0]],
        r#"input 0 ("t0"), element 2: outside the declared range -128..=127"#,
    );
    fails(&[vec![0; 4], vec![-32769]], r#"input 1 ("t1"), element 0: outside the declared range -32768..=32767"#);
    fails(&[vec![0; 4], vec![i64::MIN]], r#"input 1 ("t1"), element 0: outside the declared range -32768..=32767"#);
}

#[test]
fn virtual_values_go_unless_they_are_kept() {
    let mut builder = Builder::new();
    let x = builder.input(8, &[2]);
    let sum = builder.push(Op::Affine { terms: vec![scaled(3, View::identity(x, 1))] }, &[2]);
    builder.apply(sum, 1, Func::Relu, 16, false);
    let inputs = [vec![2, -1]];
    let all = execute_keeping(&builder.program, &inputs, Keep::All).unwrap();
    assert_eq!(all.value(sum), [6, -3]);
    let stored = execute(&builder.program, &inputs).unwrap();
    assert!(std::panic::catch_unwind(|| stored.value(sum).len()).is_err());
    assert!(!format!("{all:?}").contains("-3"));
}
