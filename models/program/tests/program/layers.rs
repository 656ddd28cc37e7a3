//! Programs as people read them.

use vouch_program::layers::{Entry, Layer, entries, layers};
use vouch_program::*;

use crate::build::{Builder, fill, scaled, view};

/// A contraction that is read where it stands.
fn contract(b: &mut Builder, vars: &[usize], outputs: usize, lhs: View, rhs: Option<View>) -> NodeId {
    b.push(Op::Contract { vars: vars.to_vec(), lhs, rhs }, &vars[..outputs])
}

fn affine(b: &mut Builder, shape: &[usize], terms: Vec<AffineTerm>) -> NodeId {
    b.push(Op::Affine { terms }, shape)
}

fn words(program: &Program) -> Vec<String> {
    layers(program).layers.into_iter().map(|layer| layer.what).collect()
}

#[test]
fn kinds_are_derived_from_operators() {
    let mut b = Builder::new();
    let x = b.input(8, &[3, 8, 8]);
    let kernel = b.weight(&[1; 4 * 3 * 5 * 5], &[4, 3, 5, 5]);
    let windows = view(x, vec![AxisIndex::var(3), AxisIndex::window(1, 1, 4, 1, 2), AxisIndex::window(2, 1, 5, 1, 2)]);
    let taps = View::of_vars(kernel, &[0, 3, 4, 5]);
    let conv = contract(&mut b, &[4, 8, 8, 3, 5, 5], 3, windows, Some(taps));
    let bias = b.weight(&[1; 4], &[4]);
    let sum =
        affine(&mut b, &[4, 8, 8], vec![scaled(1, View::identity(conv, 3)), scaled(1, View::of_vars(bias, &[0]))]);
    let relu = b.apply(sum, 8, Func::Relu, 16, true);
    let part = |b: &mut Builder, node, at| {
        let axes = vec![AxisIndex::var(0), AxisIndex::var(1), AxisIndex::strided(2, 2, at)];
        affine(b, &[4, 8, 4], vec![scaled(1, view(node, axes))])
    };
    let (even, odd) = (part(&mut b, relu, 0), part(&mut b, relu, 1));
    let pooled = b.push(Op::Max { lhs: even, rhs: odd }, &[4, 8, 4]);
    let matrix = b.weight(&[1; 10 * 4 * 8 * 4], &[10, 4, 8, 4]);
    let rows = View::of_vars(matrix, &[0, 1, 2, 3]);
    let linear = contract(&mut b, &[10, 4, 8, 4], 1, View::of_vars(pooled, &[1, 2, 3]), Some(rows));
    let scores = b.apply(linear, 8, Func::Identity, 16, true);
    let most = b.push(Op::ArgMax { input: scores, axis: 0 }, &[1]);
    let squares = contract(
        &mut b,
        &[1, 10],
        1,
        view(scores, vec![AxisIndex::var(1)]),
        Some(view(scores, vec![AxisIndex::var(1)])),
    );
    let floor = affine(&mut b, &[1], vec![scaled(1, View::identity(squares, 1)), fill(1, &[])]);
    let den = b.push(Op::Store { input: floor }, &[1]);
    let quotient = b.push(Op::Divide { num: scores, den: view(den, vec![AxisIndex::fixed(0)]), shift: 4 }, &[10]);
    let program = b.finish(&[most, quotient]);
    let expected = [
        "input of 8 bits",
        "convolution 5x5, 3 to 4 channels, parameters added, ReLU",
        "largest of 2 places of #2",
        "linear, 128 to 10, clamped",
        "position of the largest of 10",
        "sums of 10 squares of #4, constants added",
        "quotient of #4 by #6",
    ];
    assert_eq!(words(&program), expected);
    let found = layers(&program);
    assert_eq!((&found.inputs[..], &found.outputs[..], found.complete), (&[1][..], &[5, 7][..], true));
    assert_eq!(found.layers.iter().map(|layer| layer.parameters).collect::<Vec<_>>(), [0, 304, 0, 1280, 0, 0, 0]);
    // Of an outline it says the same, and names say nothing.
    let mut renamed = Outline::of(&program).program().clone();
    renamed.nodes.iter_mut().for_each(|node| node.source = "softmax".into());
    assert_eq!(layers(&renamed), found);
}

/// An output that is a copy of an input is told as such.
#[test]
fn a_copy_is_a_copy() {
    let mut b = Builder::new();
    let (x, hint) = (b.input(8, &[3]), b.input(8, &[3]));
    let w = b.weight(&[1; 9], &[3, 3]);
    let product = contract(&mut b, &[3, 3], 1, View::of_vars(w, &[0, 1]), Some(View::of_vars(x, &[1])));
    b.apply(product, 4, Func::Relu, 16, true);
    let scores = b.push(Op::Store { input: hint }, &[3]);
    let program = b.finish(&[scores]);
    assert_eq!(words(&program)[2..], ["linear, 3 to 3, ReLU", "copy"]);
    let found = layers(&program);
    assert_eq!((found.outputs[0], &found.layers[3].reads[..]), (4, &[2][..]));
}

#[test]
fn sequences_that_return_are_told_once() {
    let mut b = Builder::new();
    let first = b.input(8, &[3]);
    let mut x = first;
    let shared = b.weight(&[1; 9], &[3, 3]);
    for _ in 0..5 {
        let own = b.weight(&[1; 9], &[3, 3]);
        let product = contract(&mut b, &[3, 3], 1, View::of_vars(own, &[0, 1]), Some(View::of_vars(x, &[1])));
        let y = b.apply(product, 8, Func::Relu, 16, true);
        let product = contract(&mut b, &[3, 3], 1, View::of_vars(shared, &[0, 1]), Some(View::of_vars(y, &[1])));
        let z = b.apply(product, 8, Func::Identity, 16, true);
        let terms = [x, z, first].map(|node| scaled(1, View::identity(node, 1))).to_vec();
        let sum = affine(&mut b, &[3], terms);
        x = b.apply(sum, 0, Func::Identity, 16, true);
    }
    let program = b.finish(&[x]);
    let layers = layers(&program).layers;
    let entries = entries(&layers);
    // The first run reads the input where the others read a run before.
    let [Entry::One(_), .., Entry::Repeated { times: 4, layers: run, parameters: 36 }] = &entries[..] else {
        panic!("{entries:?}");
    };
    let what: Vec<&str> = run.iter().map(|Layer { what, .. }| what.as_str()).collect();
    assert_eq!(what, ["linear, 3 to 3, ReLU", "linear, 3 to 3, clamped", "#4 plus #6 plus #1, clamped"]);
    assert_eq!(entries.len(), 5);
}

/// A stranger's program: what is nested without end is not told in full, and that is said.
#[test]
fn nothing_takes_long() {
    let mut b = Builder::new();
    let x = b.input(8, &[3]);
    let mut sum = affine(&mut b, &[3], vec![scaled(0, View::identity(x, 1))]);
    for _ in 0..20_000 {
        let twice = vec![scaled(1, View::identity(sum, 1)); 2];
        sum = affine(&mut b, &[3], twice);
    }
    let y = b.push(Op::Store { input: sum }, &[3]);
    let mut most = y;
    for _ in 0..20_000 {
        most = b.push(Op::Max { lhs: most, rhs: x }, &[3]);
    }
    let program = b.finish(&[most]);
    let found = layers(&program);
    assert!(!found.complete);
    assert!(found.layers.iter().all(|layer| layer.what.len() < 400));
    assert!(entries(&found.layers).len() <= 3);
    let many: Vec<Layer> = (0..40_000usize)
        .map(|number| {
            let what = format!("kind {}", number.wrapping_mul(number) % 977);
            Layer { number, what, reads: vec![], shape: vec![], frac: 0, parameters: 0, shared: 0 }
        })
        .collect();
    assert!(entries(&many).len() > 1000);
}
