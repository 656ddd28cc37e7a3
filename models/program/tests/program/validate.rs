//! Each rule, broken once; and hostile programs, which must not panic.

use proptest::prelude::*;
use vouch_program::*;

use crate::build::{Builder, fill, scaled, view};
use crate::random::{Choices, program};

/// A valid program with every operator: nodes 0 input, 1 weight, 2 contract, 3 affine, 4 apply, 5 max,
/// 6 store, 7 gather, 8 arg-max, 9 gather, 10 quotient.
fn valid() -> Program {
    let mut builder = Builder::new();
    builder.program.tables.push(FunctionTable { name: "t".into(), bits: 2, values: vec![0; 4] });
    let x = builder.input(8, &[2, 3]);
    let w = builder.weight(&[-54321; 12], &[3, 4]);
    let (lhs, rhs) = (View::of_vars(x, &[0, 2]), View::of_vars(w, &[2, 1]));
    let sum = builder.push(Op::Contract { vars: vec![2, 4, 3], lhs, rhs: Some(rhs) }, &[2, 4]);
    let terms = vec![
        scaled(1, View::identity(sum, 2)),
        scaled(2, view(x, vec![AxisIndex::var(0), AxisIndex::fixed(1)])),
        fill(3, &[(0, 1, 2)]),
    ];
    let affine = builder.push(Op::Affine { terms }, &[2, 4]);
    let apply = builder.apply(affine, 3, Func::Table(0), 2, true);
    let max = builder.push(Op::Max { lhs: apply, rhs: affine }, &[2, 4]);
    builder.push(Op::Store { input: max }, &[2, 4]);
    let gather = builder.push(Op::Gather { input: w, index: vec![11, 0] }, &[2]);
    builder.push(Op::ArgMax { input: gather, axis: 0 }, &[1]);
    let rows = builder.push(Op::Gather { input: w, index: vec![1, 0] }, &[2, 1]);
    let den = view(rows, vec![AxisIndex::var(0), AxisIndex::fixed(0)]);
    builder.push(Op::Divide { num: apply, den, shift: 3 }, &[2, 4]);
    builder.push(Op::Pick { rows: w, index: gather, shared: 0 }, &[2, 4]);
    validate(&builder.program).unwrap();
    builder.program
}

type Break = fn(&mut Program);

fn pick(program: &mut Program, rows: u32, index: u32) {
    program.nodes[11].op = Op::Pick { rows: NodeId(rows), index: NodeId(index), shared: 0 };
}

fn share(program: &mut Program, rows: u32, index: u32, shared: usize) {
    program.nodes[11].op = Op::Pick { rows: NodeId(rows), index: NodeId(index), shared };
}

fn lhs(program: &mut Program) -> &mut View {
    match &mut program.nodes[2].op {
        Op::Contract { lhs, .. } => lhs,
        _ => unreachable!(),
    }
}

fn vars(program: &mut Program) -> &mut Vec<usize> {
    match &mut program.nodes[2].op {
        Op::Contract { vars, .. } => vars,
        _ => unreachable!(),
    }
}

fn term(program: &mut Program, at: usize) -> &mut AffineTerm {
    match &mut program.nodes[3].op {
        Op::Affine { terms } => &mut terms[at],
        _ => unreachable!(),
    }
}

fn divide(program: &mut Program) -> (&mut NodeId, &mut View, &mut u32) {
    match &mut program.nodes[10].op {
        Op::Divide { num, den, shift } => (num, den, shift),
        _ => unreachable!(),
    }
}

fn apply(input: u32, shift: u32, func: Func, bits: u32) -> Op {
    Op::Apply { input: NodeId(input), shift, func, bits, saturate: true }
}

#[test]
fn every_rule_is_checked() {
    let cases: &[(&str, Break)] = &[
        ("node 0 (\"source 0\"): rank 9 is above the limit of 8", |p| p.nodes[0].shape = vec![1; 9]),
        ("node 0 (\"source 0\"): axis 1 has length 0", |p| p.nodes[0].shape[1] = 0),
        ("node 0 (\"source 0\"): the shape has more than 2147483648 elements", |p| {
            p.nodes[0].shape = vec![1 << 16, (1 << 15) + 1];
        }),
        ("the shape has more than 2147483648 elements", |p| p.nodes[0].shape = vec![1 << 62; 8]),
        ("scale 2^-(257) is outside 2^±256", |p| p.nodes[4].frac = 257),
        ("scale 2^-(-2147483648) is outside 2^±256", |p| p.nodes[4].frac = i32::MIN),
        ("node 0 (\"source 0\"): a width of 1 bits is outside 2 to 24", |p| {
            p.nodes[0].op = Op::Input { bits: 1 };
        }),
        ("a width of 25 bits", |p| p.nodes[0].op = Op::Input { bits: 25 }),
        ("node 1 (\"source 1\"): 11 values where the shape has 12", |p| {
            p.nodes[1].op = Op::Weight { data: vec![-54321; 11] };
        }),
        // Order and kinds of what is read.
        ("node 2 (\"source 2\"): reads node 2, which does not come before it", |p| lhs(p).node = NodeId(2)),
        ("reads node 4294967295, which does not", |p| lhs(p).node = NodeId(u32::MAX)),
        ("node 4 (\"source 4\"): reads node 5, which does not", |p| {
            p.nodes[4].op = apply(5, 0, Func::Relu, 2);
        }),
        ("node 7 (\"source 7\"): reads node 3, which is virtual", |p| {
            p.nodes[7].op = Op::Gather { input: NodeId(3), index: vec![0, 0] };
        }),
        ("node 8 (\"source 8\"): reads node 3, which is virtual", |p| {
            p.nodes[8].op = Op::ArgMax { input: NodeId(3), axis: 0 };
        }),
        ("node 2 (\"source 2\"): reads node 1, which is virtual", |p| {
            p.nodes[1].op = Op::Affine { terms: vec![] };
        }),
        ("reads node 0 of shape [2, 3] where shape [2, 4] is needed", |p| {
            p.nodes[4].op = apply(0, 0, Func::Relu, 2);
        }),
        ("node 5 (\"source 5\"): reads node 1 of shape [3, 4]", |p| {
            p.nodes[5].op = Op::Max { lhs: NodeId(1), rhs: NodeId(3) };
        }),
        ("node 5 (\"source 5\"): reads node 1 of shape [3, 4]", |p| {
            p.nodes[5].op = Op::Max { lhs: NodeId(3), rhs: NodeId(1) };
        }),
        ("node 6 (\"source 6\"): reads node 1 of shape [3, 4]", |p| {
            p.nodes[6].op = Op::Store { input: NodeId(1) };
        }),
        // Views.
        ("a view of node 0 has 1 axes where the node has 2", |p| lhs(p).axes.truncate(1)),
        ("axis 0 of a view of node 0 has 3 terms, more than 2", |p| {
            lhs(p).axes[0].terms = vec![(0, 1), (1, 1), (2, 1)];
        }),
        ("axis 1 of a view of node 0 uses variable 3 of 3", |p| lhs(p).axes[1].terms[0].0 = 3),
        ("variable 0 stands more than once in a view of node 0", |p| lhs(p).axes[1].terms[0].0 = 0),
        ("variable 2 stands more than once in a view of node 0", |p| lhs(p).axes[1].terms.push((2, 1))),
        ("axis 0 of a view of node 0 has a coefficient 0", |p| lhs(p).axes[0].terms[0].1 = 0),
        ("axis 0 of a view of node 0 has a coefficient or an offset beyond", |p| {
            lhs(p).axes[0].terms[0].1 = (1 << 31) + 1;
        }),
        ("has a coefficient or an offset beyond", |p| lhs(p).axes[0].terms[0].1 = i64::MIN),
        ("has a coefficient or an offset beyond", |p| lhs(p).axes[1].offset = i64::MAX),
        ("a view of node 1 has 1 axes", |p| {
            if let Op::Contract { rhs: Some(rhs), .. } = &mut p.nodes[2].op {
                rhs.axes.pop();
            }
        }),
        // Contractions.
        ("17 index variables, more than 16", |p| vars(p).resize(17, 1)),
        ("the first index variables have lengths [2, 5] where the node's axes have [2, 4]", |p| vars(p)[1] = 5),
        ("the first index variables have lengths [2]", |p| vars(p).truncate(1)),
        ("index variable 2 has length 0", |p| vars(p)[2] = 0),
        ("index variable 2 has length 0 or above", |p| vars(p)[2] = (1 << 31) + 1),
        ("more than 1099511627776 products", |p| vars(p).extend([1 << 20, 1 << 18])),
        ("more than 1099511627776 products", |p| vars(p).extend([1 << 30, 1 << 30, 1 << 30])),
        ("summed variable 3 stands in no operand", |p| vars(p).push(2)),
        // Affine terms.
        ("a view of node 2, which is virtual, is not the identity", |p| {
            *term(p, 0) = scaled(1, view(NodeId(2), vec![AxisIndex::var(0), AxisIndex::strided(1, 1, 1)]));
        }),
        ("node 3 (\"source 3\"): reads node 2 of shape [2, 4] where shape [2, 3]", |p| {
            p.nodes[3].shape = vec![2, 3];
        }),
        ("axis 1 of a view of node 0 uses variable 2 of 2", |p| {
            *term(p, 1) = scaled(1, view(NodeId(0), vec![AxisIndex::var(0), AxisIndex::var(2)]));
        }),
        ("a fill names variable 2 of 2", |p| *term(p, 2) = fill(1, &[(2, 0, 1)])),
        ("a fill names variable 1 twice", |p| *term(p, 2) = fill(1, &[(1, 0, 1), (1, 2, 3)])),
        ("a fill's range 1..5 does not fit variable 1 of length 4", |p| *term(p, 2) = fill(1, &[(1, 1, 5)])),
        ("a fill's range 3..2 does not fit", |p| *term(p, 2) = fill(1, &[(1, 3, 2)])),
        // Functions.
        ("a width of 1 bits", |p| p.nodes[4].op = apply(3, 0, Func::Relu, 1)),
        ("a width of 4294967295 bits", |p| p.nodes[4].op = apply(3, 0, Func::Relu, u32::MAX)),
        ("rescaling by 41 bits is above the limit of 40", |p| p.nodes[4].op = apply(3, 41, Func::Relu, 2)),
        ("uses table 1 of 1", |p| p.nodes[4].op = apply(3, 0, Func::Table(1), 2)),
        ("uses a table for 2 bits where its own domain has 3", |p| {
            p.nodes[4].op = apply(3, 0, Func::Table(0), 3);
        }),
        ("table 0 (\"t\"): 5 values where the shape has 4", |p| p.tables[0].values.push(0)),
        ("table 0 (\"t\"): a width of 40 bits", |p| p.tables[0].bits = 40),
        // Gathers and positions.
        ("1 positions to gather where the shape has 2", |p| {
            p.nodes[7].op = Op::Gather { input: NodeId(1), index: vec![0] };
        }),
        ("position 1 gathers element 12 of 12", |p| {
            p.nodes[7].op = Op::Gather { input: NodeId(1), index: vec![0, 12] };
        }),
        ("searches axis 1 of a tensor of rank 1", |p| {
            p.nodes[8].op = Op::ArgMax { input: NodeId(7), axis: 1 };
        }),
        ("has shape [2] where the position of the largest has [1]", |p| p.nodes[8].shape = vec![2]),
        ("a position has scale 2^0, not 2^-(1)", |p| p.nodes[8].frac = 1),
        // Picked rows.
        ("node 11 (\"source 11\"): reads node 3, which is virtual", |p| pick(p, 3, 7)),
        ("node 11 (\"source 11\"): reads node 2, which is virtual", |p| pick(p, 1, 2)),
        ("node 11 (\"source 11\"): reads node 11, which does not come before it", |p| pick(p, 1, 11)),
        ("node 12 (\"source 11\"): picks from node 8, which has no axis for that", |p| {
            let last = p.nodes[11].clone();
            p.nodes[8].op = Op::Weight { data: vec![0] };
            p.nodes[8].shape = vec![];
            p.nodes.push(last);
            p.nodes[12].op = Op::Pick { rows: NodeId(8), index: NodeId(7), shared: 0 };
        }),
        ("has shape [2, 4] where the picked rows have [2, 4, 4]", |p| pick(p, 1, 6)),
        ("picks from node 1 by node 7, whose first axes, 1 of them, are not the same", |p| share(p, 1, 7, 1)),
        ("picks from node 9 by node 7, whose first axes, 3 of them, are not the same", |p| share(p, 9, 7, 3)),
        ("has shape [2, 4] where the picked rows have [2]", |p| share(p, 9, 7, 1)),
        ("picks from node 7, which has no axis for that", |p| share(p, 7, 7, 1)),
        ("picks by node 7, whose scale is 2^-(3), not 2^0", |p| p.nodes[7].frac = 3),
        // Quotients.
        ("node 10 (\"source 10\"): reads node 3, which is virtual", |p| divide(p).0.0 = 3),
        ("node 10 (\"source 10\"): reads node 1 of shape [3, 4]", |p| divide(p).0.0 = 1),
        ("rescaling by 25 bits is above the limit of 24", |p| *divide(p).2 = 25),
        ("divides by node 9, whose axis 0 is neither one of the result's nor of length 1", |p| {
            divide(p).1.axes[0] = AxisIndex::fixed(0);
        }),
        ("divides by node 9, whose axis 0 is neither", |p| divide(p).1.axes[0] = AxisIndex::var(1)),
        ("divides by node 9, whose axis 0 is neither", |p| divide(p).1.axes[0].offset = 1),
        ("divides by node 9, whose axis 1 is neither", |p| divide(p).1.axes[1] = AxisIndex::fixed(1)),
        ("reads node 3, which is virtual", |p| divide(p).1.node = NodeId(3)),
        ("a view of node 9 has 1 axes where the node has 2", |p| divide(p).1.axes.truncate(1)),
        // Ports.
        ("input 0 (\"t0\"): names node 1, which is not an input", |p| {
            p.inputs[0] =
                Port { name: "t0".into(), node: NodeId(1), shape: vec![12], integer: false, column_fracs: vec![] };
        }),
        ("input 0 (\"t0\"): has integers of scale 2^-(5), not 2^0", |p| {
            p.inputs[0].integer = true;
            p.nodes[0].frac = 5;
        }),
        ("input 0 (\"t0\"): has scales for 2 columns where there can be some for 3", |p| {
            p.inputs[0].shape = vec![2, 3];
            p.inputs[0].column_fracs = vec![1, 2];
        }),
        ("input 0 (\"t0\"): has scales for 3 columns", |p| {
            p.inputs[0].shape = vec![2, 3];
            p.inputs[0].column_fracs = vec![1, 2, 1000];
        }),
        ("output 0 (\"t0\"): has scales for 1 columns where there can be some for 0", |p| {
            p.outputs[0].column_fracs = vec![1];
        }),
        ("input 0 (\"t0\"): names node 99, which the program does not have", |p| p.inputs[0].node = NodeId(99)),
        ("input 0 (\"t0\"): shape [5] does not have the 6 elements", |p| p.inputs[0].shape = vec![5]),
        ("input 0 (\"t0\"): shape [4294967296, 4294967296]", |p| p.inputs[0].shape = vec![1 << 32; 2]),
        ("input 1 (\"t0\"): names node 0, which another input names too", |p| {
            let port = p.inputs[0].clone();
            p.inputs.push(port);
        }),
        ("node 0 (\"source 0\"): is an input that the program's list of inputs lacks", |p| p.inputs.clear()),
        ("output 0 (\"t0\"): names node 3, which is virtual", |p| {
            p.outputs[0].node = NodeId(3);
            p.outputs[0].shape = vec![8];
        }),
        ("output 0 (\"t0\"): names node 12, which the program does not have", |p| p.outputs[0].node = NodeId(12)),
        ("output 1 (\"t1\"): shape [3] does not have the 12", |p| p.outputs[1].shape = vec![3]),
        ("program: has no outputs", |p| p.outputs.clear()),
    ];
    for (message, break_rule) in cases {
        let mut program = valid();
        break_rule(&mut program);
        let found = validate(&program).expect_err(message).to_string();
        assert!(found.contains(message), "{found:?} where {message:?} was expected");
        assert!(!found.contains("54321"), "a weight in {found:?}");
        assert_eq!(intervals(&program).unwrap_err().to_string(), found);
        assert_eq!(execute(&program, &[vec![0; 6]]).unwrap_err().to_string(), found);
    }
}

#[test]
fn names_from_a_file_cannot_reach_the_terminal() {
    let mut program = valid();
    program.nodes[4].source = "\u{1b}[2Jboo".into();
    program.nodes[4].frac = 999;
    assert!(!validate(&program).unwrap_err().to_string().contains('\u{1b}'));
}

#[test]
fn extreme_coefficients_are_walked_without_overflow() {
    let most = 1i64 << 31;
    for (a, b, offset) in [(most, most, most), (-most, -most, -most), (most, -most, 0), (-most, 3, most)] {
        for vars in [[1 << 14, 3], [3, 1 << 14]] {
            let mut builder = Builder::new();
            let x = builder.input(8, &[3, 3]);
            let terms = vec![(0, a), (1, b)];
            let axes = vec![AxisIndex { terms, offset }, AxisIndex { terms: vec![], offset: 1 }];
            let sum = builder.contract(&vars, 1, view(x, axes.clone()), None);
            let all = builder.contract(&vars, 2, view(x, axes), None);
            intervals(&builder.program).unwrap();
            let expected = crate::reference::evaluate(&builder.program, &[vec![1; 9]], false);
            let run = execute(&builder.program, &[vec![1; 9]]).unwrap();
            for id in [sum, all] {
                assert_eq!(run.value(id), expected.tensors[id.index()].values);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn hostile_programs_do_not_panic(stream in Choices::strategy(400), damage in Choices::strategy(40)) {
        let (mut program, _, inputs) = program(stream);
        let mut choices = Choices::new(damage);
        for _ in 0..1 + choices.below(3) {
            break_something(&mut program, &mut choices);
        }
        // Valid ones may still be large: what is executed must be small.
        let small = |node: &Node| match &node.op {
            Op::Contract { vars, .. } => vars.iter().try_fold(1usize, |n, &len| n.checked_mul(len)),
            _ => node.shape.iter().try_fold(1usize, |n, &len| n.checked_mul(len)),
        };
        if validate(&program).is_ok() && program.nodes.iter().all(|n| small(n).is_some_and(|n| n < 100_000)) {
            let _ = intervals(&program);
            let _ = execute(&program, &inputs);
        }
    }
}

fn break_something(program: &mut Program, choices: &mut Choices) {
    let at = choices.below(program.nodes.len());
    let extreme = choices.pick(&[0, 1, -1, 2, 1 << 31, -(1 << 31), i64::MAX, i64::MIN, 1 << 62, 17]);
    let id = NodeId(choices.pick(&[0, 1, 2, 3, u32::MAX]));
    let which = choices.below(6);
    let node = &mut program.nodes[at];
    let break_view = |view: &mut View| match (which, view.axes.first_mut()) {
        (0, Some(axis)) => axis.offset = extreme,
        (1, Some(axis)) => axis.terms.push((extreme as usize, extreme)),
        (2, Some(axis)) => axis.terms.iter_mut().for_each(|term| term.1 = extreme),
        (3, Some(axis)) => axis.terms.iter_mut().for_each(|term| term.0 = extreme as usize),
        (4, _) => view.node = id,
        _ => view.axes.push(AxisIndex::fixed(extreme)),
    };
    match &mut node.op {
        Op::Input { bits } => *bits = extreme as u32,
        Op::Weight { data } if which < 3 => drop(data.pop()),
        Op::Weight { data } => data.fill(extreme as i32),
        Op::Contract { vars, .. } if which == 5 && !vars.is_empty() => {
            let at = choices.below(vars.len());
            vars[at] = extreme as usize;
        }
        Op::Contract { lhs, rhs, .. } => break_view(rhs.as_mut().unwrap_or(lhs)),
        Op::Affine { terms } => match terms.first_mut() {
            Some(AffineTerm::Scaled { view, .. }) if which < 5 => break_view(view),
            Some(AffineTerm::Scaled { coef, .. }) => *coef = extreme,
            Some(AffineTerm::Fill { ranges, .. }) => ranges.push((which, 0, extreme as usize)),
            None => terms.push(fill(extreme, &[])),
        },
        Op::Apply { shift, func, bits, input, .. } => match which {
            0 => *shift = extreme as u32,
            1 => *bits = extreme as u32,
            2 => *func = Func::Table(extreme as u32),
            _ => *input = id,
        },
        Op::Max { lhs, .. } => *lhs = id,
        Op::Divide { num, den, shift } => match which {
            0 => *shift = extreme as u32,
            1 | 3 => *num = id,
            _ => break_view(den),
        },
        Op::Store { input } => *input = id,
        Op::Pick { rows, .. } if which < 3 => *rows = id,
        Op::Pick { index, .. } if which < 5 => *index = id,
        Op::Pick { shared, .. } => *shared = extreme as usize,
        Op::Gather { input, .. } if which < 3 => *input = id,
        Op::Gather { index, .. } => index.push(extreme as u32),
        Op::ArgMax { axis, .. } => *axis = extreme as usize,
    }
    if which == 2
        && let Some(len) = node.shape.first_mut()
    {
        *len = extreme as usize;
    }
}
