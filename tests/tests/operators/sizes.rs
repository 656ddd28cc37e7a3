//! Each operator alone, at each size, on inputs that reach its edges; proven.

use vouch_program::*;

use crate::build::{Builder, fill, scaled, view, whole};
use crate::harness::{assert_proven, executed};

const SIZES: [usize; 5] = [1, 2, 3, 5, 8];

/// Weights of both signs.
fn weights(count: usize) -> Vec<i32> {
    (0..count as i32).map(|i| (i * i * 7 + i) % 31 - 15).collect()
}

/// One input of each of `lengths`, of 8 bits.
fn with_inputs<const N: usize>(shapes: [&[usize]; N]) -> (Builder, [NodeId; N]) {
    let mut builder = Builder::new();
    let ids = shapes.map(|shape| builder.input(8, shape));
    (builder, ids)
}

/// `n` times one axis of each operator that has axes of its own.
fn contractions(n: usize) -> Vec<(&'static str, Program)> {
    let mut programs = Vec::new();
    let mut add = |name, mut builder: Builder, sum: NodeId| {
        let y = builder.apply(sum, 3, Func::Identity, 8, true);
        programs.push((name, builder.finish(&[y])));
    };
    let (mut builder, [x]) = with_inputs([&[n]]);
    let w = builder.weight(weights(3 * n), &[3, n]);
    let sum = builder.contract(&[3, n], 1, View::of_vars(w, &[0, 1]), Some(View::of_vars(x, &[1])));
    add("summed over n", builder, sum);

    let (mut builder, [x]) = with_inputs([&[3]]);
    let w = builder.weight(weights(3 * n), &[n, 3]);
    let sum = builder.contract(&[n, 3], 1, View::of_vars(x, &[1]), Some(View::of_vars(w, &[0, 1])));
    add("n results", builder, sum);

    let (mut builder, [x, z]) = with_inputs([&[n, 2, 3], &[n, 3, 2]]);
    let (lhs, rhs) = (View::of_vars(x, &[0, 1, 3]), View::of_vars(z, &[0, 3, 2]));
    let sum = builder.contract(&[n, 2, 2, 3], 3, lhs, Some(rhs));
    add("n products of matrices", builder, sum);

    let (mut builder, [x]) = with_inputs([&[2, n]]);
    let (lhs, rhs) = (View::of_vars(x, &[0, 2]), View::of_vars(x, &[1, 2]));
    let sum = builder.contract(&[2, 2, n], 2, lhs, Some(rhs));
    add("with its own transpose", builder, sum);

    let (mut builder, [x]) = with_inputs([&[n]]);
    let square = View::of_vars(x, &[0]);
    let sum = builder.contract(&[n], 1, square.clone(), Some(square));
    add("squares", builder, sum);

    let (mut builder, [x]) = with_inputs([&[n, 3]]);
    let sum = builder.contract(&[n, 3], 1, View::of_vars(x, &[0, 1]), None);
    add("sums of one operand", builder, sum);

    let (mut builder, [x]) = with_inputs([&[2, n]]);
    let sum = builder.contract(&[2, n], 0, View::of_vars(x, &[0, 1]), None);
    add("the sum of everything", builder, sum);

    let (mut builder, [x]) = with_inputs([&[2, n + 2]]);
    let w = builder.weight(weights(18), &[3, 2, 3]);
    let axes = vec![AxisIndex::var(2), AxisIndex::window(1, 1, 3, 1, 1)];
    let sum = builder.contract(&[3, n + 2, 2, 3], 2, view(x, axes), Some(View::of_vars(w, &[0, 2, 3])));
    add("a convolution with padding", builder, sum);

    let (mut builder, [x]) = with_inputs([&[2, 2 * n + 3]]);
    let w = builder.weight(weights(4), &[2, 2]);
    // Each channel has its own kernel; strided and dilated.
    let axes = vec![AxisIndex::var(0), AxisIndex::window(1, 2, 2, 3, 2)];
    let sum = builder.contract(&[2, n + 2, 2], 2, view(x, axes), Some(View::of_vars(w, &[0, 2])));
    add("a depthwise convolution", builder, sum);

    let (mut builder, [x, z]) = with_inputs([&[n], &[n]]);
    // Out of the axis altogether, and mirrored.
    let lhs = view(x, vec![AxisIndex::strided(0, 1, -1)]);
    let rhs = view(z, vec![AxisIndex::strided(0, -1, n as i64)]);
    let sum = builder.contract(&[n + 2], 1, lhs, Some(rhs));
    add("windows of two operands", builder, sum);
    programs
}

fn others(n: usize) -> Vec<(&'static str, Program)> {
    let mut programs = Vec::new();
    let (mut builder, [x, z]) = with_inputs([&[n, 2], &[n, 2]]);
    let sum = builder.affine(&[n, 2], vec![whole(3, x, 2), whole(-2, z, 2), fill(5, &[]), fill(7, &[(0, 0, n - 1)])]);
    let y = builder.store(sum);
    programs.push(("affine", builder.finish(&[y])));

    let (mut builder, [x, z]) = with_inputs([&[2, n], &[2, 3]]);
    let beside = view(z, vec![AxisIndex::var(0), AxisIndex::strided(1, 1, -(n as i64))]);
    let sum = builder.affine(&[2, n + 3], vec![whole(1, x, 2), scaled(1, beside)]);
    let y = builder.store(sum);
    programs.push(("concat", builder.finish(&[y])));

    for (name, func) in [("identity", Func::Identity), ("relu", Func::Relu)] {
        for saturate in [false, true] {
            let (mut builder, [x]) = with_inputs([&[n]]);
            let y = builder.apply(x, 2, func, if saturate { 4 } else { 8 }, saturate);
            programs.push((name, builder.finish(&[y])));
        }
    }
    for saturate in [false, true] {
        let (mut builder, [x]) = with_inputs([&[n]]);
        let func = builder.table(5, (0..32).map(|i| i * i - 300).collect());
        let y = builder.apply(x, if saturate { 1 } else { 4 }, func, 5, saturate);
        programs.push(("table", builder.finish(&[y])));
    }

    let (mut builder, [x, z]) = with_inputs([&[n, 3], &[n, 3]]);
    let y = builder.max(x, z);
    programs.push(("max", builder.finish(&[y])));

    // Wider than any table of ReLUs: 2^20 times one, and the other.
    let (mut builder, [x, z]) = with_inputs([&[n, 3], &[n, 3]]);
    let wide = builder.affine(&[n, 3], vec![whole(1 << 20, x, 2)]);
    let y = builder.max(wide, z);
    programs.push(("wide max", builder.finish(&[y])));

    // By a positive number for each row, each column, each element, and all of it.
    let (mut builder, [x, z]) = with_inputs([&[n, 3], &[n, 3]]);
    let mut quotients = Vec::new();
    for shape in [[n, 1], [1, 3], [n, 3], [1, 1]] {
        let axes = shape.iter().enumerate();
        let axes = axes.map(|(axis, &len)| if len == 1 { AxisIndex::fixed(0) } else { AxisIndex::var(axis) });
        let picked = builder.affine(&shape, vec![scaled(1, view(z, axes.collect()))]);
        let least = builder.affine(&shape, vec![fill(7, &[])]);
        let den = builder.max(picked, least);
        quotients.push(builder.divide(x, den, 5));
    }
    programs.push(("quotients", builder.finish(&quotients)));

    // The largest of each window of 2, at both ends one of 1: strided views and a maximum.
    let (mut builder, [x]) = with_inputs([&[n]]);
    let at = |offset| scaled(1, view(x, vec![AxisIndex::strided(0, 2, offset)]));
    let (left, right) = (builder.affine(&[n / 2 + 1], vec![at(-1)]), builder.affine(&[n / 2 + 1], vec![at(0)]));
    let y = builder.max(left, right);
    programs.push(("max of windows", builder.finish(&[y])));

    let (mut builder, [x]) = with_inputs([&[n]]);
    let y = builder.store(x);
    programs.push(("store", builder.finish(&[y])));

    let (mut builder, [x]) = with_inputs([&[n, 3]]);
    let last = 3 * n as u32 - 1;
    let mirrored: Vec<u32> = (0..=last).rev().collect();
    let turned = builder.gather(x, &mirrored, &[3, n]);
    let one = builder.gather(turned, &[last], &[]);
    let many = builder.gather(one, &vec![0; n], &[n]);
    programs.push(("gather", builder.finish(&[turned, one, many])));

    let (mut builder, [x]) = with_inputs([&[2, n, 3]]);
    let positions = [0, 1, 2].map(|axis| builder.argmax(x, axis));
    programs.push(("argmax", builder.finish(&positions)));

    let (mut builder, [x]) = with_inputs([&[n]]);
    let w = builder.weight(weights(n), &[n]);
    let copy = builder.store(w);
    let largest = builder.max(w, x);
    let at = builder.argmax(w, 0);
    let moved = builder.gather(w, &vec![n as u32 - 1; n], &[n]);
    let narrow = builder.apply(w, 1, Func::Relu, 16, false);
    programs.push(("weights as operands of everything", builder.finish(&[copy, largest, at, moved, narrow])));
    programs
}

#[test]
fn contractions_of_every_size() {
    for n in SIZES {
        for (name, program) in contractions(n) {
            println!("{name}, {n}");
            assert_proven(&program, &[]);
        }
    }
}

#[test]
fn other_operators_of_every_size() {
    for n in SIZES {
        for (name, program) in others(n) {
            println!("{name}, {n}");
            assert_proven(&program, &[]);
        }
    }
}

#[test]
fn scalars_and_the_most_axes() {
    let (mut builder, [x, z]) = with_inputs([&[], &[1; 8]]);
    let w = builder.weight(vec![-3], &[]);
    let product = builder.contract(&[], 0, view(x, vec![]), Some(view(w, vec![])));
    let sum = builder.affine(&[], vec![whole(2, product, 0), whole(1, x, 0), fill(-9, &[])]);
    let y = builder.apply(sum, 1, Func::Relu, 12, true);
    let largest = builder.max(sum, y);
    let at = builder.argmax(z, 7);
    let tail = builder.gather(z, &[0, 0, 0], &[1, 1, 3]);
    assert_proven(&builder.finish(&[y, largest, at, tail]), &[vec![vec![100], vec![-100]]]);

    // 16 variables: 8 axes of the result and 8 summed.
    let (mut builder, [x, z]) = with_inputs([&[2, 1, 3, 1, 1, 2, 1, 1], &[1, 2, 1, 2, 1, 1, 3, 1]]);
    let vars: Vec<usize> = [builder.shape(x), builder.shape(z)].concat();
    let lhs = View::of_vars(x, &[0, 1, 2, 3, 4, 5, 6, 7]);
    let rhs = View::of_vars(z, &[8, 9, 10, 11, 12, 13, 14, 15]);
    let sum = builder.contract(&vars, 8, lhs, Some(rhs));
    let y = builder.apply(sum, 10, Func::Identity, 8, true);
    let at = builder.argmax(y, 2);
    assert_proven(&builder.finish(&[y, at]), &[]);
}

#[test]
fn windows_that_see_only_padding() {
    let (mut builder, [x]) = with_inputs([&[3]]);
    let w = builder.weight(weights(2), &[2]);
    let mut results = Vec::new();
    // The farthest offsets are allowed, too, and cost the verifier nothing.
    for offset in [-9, 3, -(1 << 31), 1 << 31] {
        let window = view(x, vec![AxisIndex { terms: vec![(0, 1), (1, 2)], offset }]);
        let sum = builder.contract(&[3, 2], 1, window, Some(View::of_vars(w, &[1])));
        results.push(builder.store(sum));
        let sum = builder.affine(&[3], vec![scaled(5, view(x, vec![AxisIndex::strided(0, 1, offset)])), fill(1, &[])]);
        results.push(builder.store(sum));
    }
    let program = builder.finish(&results);
    assert!(executed(&program, &[vec![1, 2, 3]]).iter().flatten().all(|value| [0, 1].contains(value)));
    assert_proven(&program, &[]);
}
