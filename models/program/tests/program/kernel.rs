//! Contractions against their definition: random views, layouts and sizes, and how fast they are.

use std::time::Instant;

use proptest::prelude::*;
use vouch_program::*;

use crate::build::{Builder, view};
use crate::random::Choices;
use crate::reference::{evaluate, indices};

/// Small numbers that look random.
fn noise(count: usize, seed: u64) -> Vec<i32> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as i32 - (1 << 23)
    };
    (0..count).map(next).collect()
}

fn noise_input(count: usize) -> Vec<i64> {
    noise(count, 7).iter().map(|&value| i64::from(value >> 8)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn contractions_with_random_views_are_what_the_definition_says(stream in Choices::strategy(120)) {
        let mut choices = Choices::new(stream);
        // Long enough now and then that rows are split and threads share the work.
        let lengths = [1, 2, 3, 5, 8, 13, 40, 700];
        let mut vars = Vec::new();
        let mut products = 1;
        let (outputs, summed) = (choices.below(4), choices.below(4));
        for _ in 0..outputs + summed {
            let len = choices.pick(&lengths);
            vars.push(if products * len <= 60_000 { len } else { 1 });
            products *= vars[vars.len() - 1];
        }
        let mut builder = Builder::new();
        let mut operand = |choices: &mut Choices, weight: bool| {
            let shape: Vec<usize> = (0..choices.below(4)).map(|_| choices.pick(&lengths[..7])).collect();
            let count = shape.iter().product();
            let node = match weight {
                true => builder.weight(&noise(count, 3), &shape),
                false => builder.input(16, &shape),
            };
            (node, choices.view(node, &shape, &vars))
        };
        let lhs_weight = choices.below(2) == 0;
        let (lhs_node, mut lhs) = operand(&mut choices, lhs_weight);
        let (_, rhs) = operand(&mut choices, !lhs_weight);
        let unused: Vec<usize> =
            (outputs..vars.len()).filter(|var| !lhs.vars().chain(rhs.vars()).any(|v| v == *var)).collect();
        // Summed variables that no operand has room for are not valid.
        for &var in unused.iter().rev() {
            vars[var] = 1;
            match lhs.axes.iter_mut().find(|axis| axis.terms.len() < 2) {
                Some(axis) => axis.terms.push((var, 1)),
                None => return Ok(()),
            }
        }
        prop_assume!(lhs.node == lhs_node);
        let out = match choices.below(2) {
            0 => builder.contract(&vars, outputs, lhs, Some(rhs)),
            _ => builder.contract(&vars, outputs, rhs, Some(lhs)),
        };
        let len = builder.program.node(builder.program.inputs[0].node).len();
        let inputs = [noise_input(len)];
        let expected = evaluate(&builder.program, &inputs, false);
        prop_assert_eq!(builder.run(&inputs, out), &expected.tensors[out.index()].values[..]);
    }
}

#[test]
fn matrix_products_in_every_layout_and_size() {
    for (m, k, n) in [(1, 1, 1), (2, 3, 5), (1, 7, 1), (13, 1, 11), (1, 300, 600), (37, 41, 43), (600, 90, 1)] {
        for flip in 0..4 {
            let mut builder = Builder::new();
            let (a_vars, b_vars) = ([[0, 2], [2, 0]][flip & 1], [[2, 1], [1, 2]][flip >> 1]);
            let vars = [m, n, k];
            let x = builder.input(16, &a_vars.map(|v| vars[v]));
            let w = builder.weight(&noise(k * n, 1), &b_vars.map(|v| vars[v]));
            let (lhs, rhs) = (View::of_vars(x, &a_vars), View::of_vars(w, &b_vars));
            let out = builder.contract(&vars, 2, lhs, Some(rhs));
            let (a, b) = (noise_input(m * k), noise(k * n, 1));
            let at = |vars: [usize; 2], lens: [usize; 3], i: [usize; 3]| i[vars[0]] * lens[vars[1]] + i[vars[1]];
            let expected: Vec<i64> = indices(&[m, n])
                .map(|o| {
                    let product = |s| {
                        let i = [o[0], o[1], s];
                        a[at(a_vars, vars, i)] * i64::from(b[at(b_vars, vars, i)])
                    };
                    (0..k).map(product).sum()
                })
                .collect();
            assert_eq!(builder.run(&[a], out), expected, "{m} {k} {n}, layout {flip}");
        }
    }
}

/// A convolution of `[channels, side, side]` with `filters` of `[channels, taps, taps]`.
fn convolution(
    builder: &mut Builder,
    [channels, side, filters, taps]: [usize; 4],
    [stride, dilation, pad]: [usize; 3],
) -> NodeId {
    let x = builder.input(16, &[channels, side, side]);
    let weights = noise(filters * channels * taps * taps, 5);
    let w = builder.weight(&weights, &[filters, channels, taps, taps]);
    let out = (side + 2 * pad - dilation * (taps - 1) - 1) / stride + 1;
    let window = |out, tap| AxisIndex::window(out, stride, tap, dilation, pad);
    let lhs = view(x, vec![AxisIndex::var(3), window(1, 4), window(2, 5)]);
    let rhs = View::of_vars(w, &[0, 3, 4, 5]);
    builder.contract(&[filters, out, out, channels, taps, taps], 3, lhs, Some(rhs))
}

#[test]
fn convolutions_with_strides_dilations_and_pads() {
    for (sizes, window) in [
        ([1, 1, 1, 1], [1, 1, 0]),
        ([3, 7, 2, 3], [1, 1, 1]),
        ([2, 11, 3, 3], [2, 1, 1]),
        ([2, 9, 3, 2], [3, 2, 0]),
        ([4, 13, 5, 5], [1, 2, 4]),
        ([3, 40, 8, 3], [1, 1, 3]),
    ] {
        let mut builder = Builder::new();
        let out = convolution(&mut builder, sizes, window);
        let inputs = [noise_input(sizes[0] * sizes[1] * sizes[1])];
        let expected = evaluate(&builder.program, &inputs, false);
        assert_eq!(builder.run(&inputs, out), expected.tensors[out.index()].values, "{sizes:?} {window:?}");
    }
}

#[test]
#[ignore = "prints timings: cargo test --release -p vouch-program -- --ignored --nocapture speed"]
fn speed() {
    let time = |what: &str, builder: &Builder, products: usize| {
        let len = builder.program.node(builder.program.inputs[0].node).len();
        let inputs = [noise_input(len)];
        let best = (0..5)
            .map(|_| {
                let start = Instant::now();
                std::hint::black_box(execute(&builder.program, &inputs).unwrap());
                start.elapsed()
            })
            .min()
            .unwrap();
        let start = Instant::now();
        let bounds = intervals(&builder.program).map(|known| known.len());
        let rate = products as f64 / best.as_secs_f64() / 1e6;
        println!("{what}: {best:.2?} ({rate:.0} M products/s); intervals {:.2?} {}", start.elapsed(), bounds.is_ok());
    };
    for transposed in [false, true] {
        for rows in [1, 64] {
            let mut builder = Builder::new();
            let x = builder.input(16, &[rows, 1024]);
            let w = builder.weight(&noise(1 << 20, 1), &[1024, 1024]);
            let rhs = View::of_vars(w, if transposed { &[1, 2] } else { &[2, 1] });
            builder.contract(&[rows, 1024, 1024], 2, View::of_vars(x, &[0, 2]), Some(rhs));
            time(&format!("{rows} x 1024 x 1024, transposed {transposed}"), &builder, rows << 20);
        }
    }
    for sizes in [[3, 224, 64, 7], [64, 56, 64, 3], [256, 14, 256, 3], [512, 7, 512, 3], [16, 28, 32, 5]] {
        let mut builder = Builder::new();
        let stride = if sizes[3] == 7 { 2 } else { 1 };
        let out = convolution(&mut builder, sizes, [stride, 1, sizes[3] / 2]);
        let products = builder.program.node(out).len() * sizes[0] * sizes[3] * sizes[3];
        time(&format!("convolution {sizes:?} stride {stride}"), &builder, products);
    }
}
