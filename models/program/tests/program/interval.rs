//! Intervals hold everything that is computed, on padded domains too, and are as tight as they say.

use proptest::prelude::*;
use vouch_program::*;

use crate::build::{Builder, fill, scaled, view};
use crate::random::{Choices, program};
use crate::reference::evaluate;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn intervals_hold_every_value_on_the_padded_domain(stream in Choices::strategy(600)) {
        let (program, known, inputs) = program(stream);
        prop_assert_eq!(&intervals(&program).unwrap(), &known);
        let padded = evaluate(&program, &inputs, true);
        for (index, tensor) in padded.tensors.iter().enumerate() {
            for &value in &tensor.values {
                prop_assert!(known[index].contains(value), "node {}: {} in {:?}", index, value, known[index]);
            }
        }
    }

    #[test]
    fn a_width_is_the_least_that_fits(lo in any::<i64>(), hi in any::<i64>(), shift in 0u32..64) {
        let interval = Interval::new(lo.min(hi) >> shift, lo.max(hi) >> shift);
        let bits = interval.bits();
        prop_assert!(bits == 64 || Interval::signed(bits).covers(interval));
        prop_assert!(bits == 1 || !Interval::signed(bits - 1).covers(interval));
    }
}

fn last(builder: &Builder) -> Interval {
    *intervals(&builder.program).unwrap().last().unwrap()
}

#[test]
fn widths_at_the_edges() {
    for (lo, hi, bits) in
        [(0, 0, 1), (-1, 0, 1), (0, 1, 2), (-2, 1, 2), (-3, 1, 3), (0, 127, 8), (0, 128, 9), (-128, 0, 8)]
    {
        assert_eq!(Interval::new(lo, hi).bits(), bits, "{lo}..={hi}");
    }
}

#[test]
fn weights_are_summed_for_each_output() {
    let mut builder = Builder::new();
    let x = builder.input(8, &[3]);
    let w = builder.weight(&[1, 2, 3, -4, 5, -6], &[2, 3]);
    builder.contract(&[2, 3], 1, View::of_vars(x, &[1]), Some(View::of_vars(w, &[0, 1])));
    // Rows: 6·[-128, 127] and 5·[-128, 127] + -10·[-128, 127].
    assert_eq!(last(&builder), Interval::new(-5 * 128 - 10 * 127, 5 * 127 + 10 * 128));
}

/// Tensors side by side are as large as the larger, not as both; those that lie over each other, or over what is everywhere, add up.
#[test]
fn what_lies_side_by_side_does_not_add_up() {
    let side_by_side = |starts: [i64; 2], extra: Vec<AffineTerm>| {
        let mut builder = Builder::new();
        let parts = [builder.input(8, &[2, 3]), builder.input(6, &[2, 4])];
        let placed = parts.iter().zip(starts).map(|(&part, start)| {
            let axes = vec![AxisIndex::var(0), AxisIndex::strided(1, 1, -start)];
            AffineTerm::Scaled { coef: 1, view: View { node: part, axes } }
        });
        builder.affine(&[2, 7], placed.chain(extra).collect());
        last(&builder)
    };
    assert_eq!(side_by_side([0, 3], vec![]), Interval::new(-128, 127));
    assert_eq!(side_by_side([4, 0], vec![]), Interval::new(-128, 127));
    assert_eq!(side_by_side([0, 2], vec![]), Interval::new(-128 - 32, 127 + 31));
    // What is everywhere is where the others are.
    assert_eq!(side_by_side([0, 3], vec![fill(10, &[])]), Interval::new(-118, 137));
    // Beside both, and over the second.
    assert_eq!(side_by_side([1, 4], vec![fill(200, &[(1, 0, 1)])]), Interval::new(-128, 200));
    assert_eq!(side_by_side([0, 3], vec![fill(200, &[(1, 3, 7)])]), Interval::new(-128, 231));
    // Rows do not tell places apart.
    assert_eq!(side_by_side([0, 3], vec![fill(200, &[(0, 0, 1)])]), Interval::new(-128, 327));
}

#[test]
fn a_weight_that_is_used_again_counts_again() {
    let mut builder = Builder::new();
    let x = builder.input(8, &[4, 5]);
    let w = builder.weight(&[1, 2, 3, 4, 5], &[5]);
    builder.contract(&[4, 5], 0, View::of_vars(x, &[0, 1]), Some(View::of_vars(w, &[1])));
    assert_eq!(last(&builder), Interval::new(-128 * 60, 127 * 60));
}

#[test]
fn weights_behind_the_padding_of_an_output_axis_count() {
    let mut builder = Builder::new();
    let x = builder.input(8, &[1]);
    let w = builder.weight(&[1, 1, 1, 100, 1000], &[5]);
    let lhs = view(x, vec![AxisIndex::fixed(0)]);
    // The axis of length 3 is extended to 4 in the proof, where the fourth weight is read.
    builder.contract(&[3], 1, lhs, Some(View::of_vars(w, &[0])));
    assert_eq!(last(&builder), Interval::new(-12800, 12700));
}

#[test]
fn squares_are_not_negative() {
    let mut builder = Builder::new();
    let x = builder.input(8, &[4]);
    let square = View::of_vars(x, &[0]);
    builder.contract(&[4], 0, square.clone(), Some(square));
    assert_eq!(last(&builder), Interval::new(0, 4 * 128 * 128));
}

#[test]
fn products_of_activations_and_sums_of_one_operand() {
    let mut builder = Builder::new();
    let x = builder.input(8, &[4]);
    let y = builder.input(4, &[4]);
    builder.contract(&[4], 0, View::of_vars(x, &[0]), Some(View::of_vars(y, &[0])));
    assert_eq!(last(&builder), Interval::new(-4 * 127 * 8, 4 * 128 * 8));
    builder.contract(&[4], 0, View::of_vars(x, &[0]), None);
    assert_eq!(last(&builder), Interval::new(-4 * 128, 4 * 127));
}

#[test]
fn constants_are_exact_and_ranged_fills_include_zero() {
    let mut builder = Builder::new();
    let w = builder.weight(&[5, 7], &[2]);
    builder.affine(&[2], vec![fill(10, &[])]);
    assert_eq!(last(&builder), Interval::point(10));
    builder.affine(&[2], vec![fill(10, &[]), fill(-3, &[(0, 0, 1)])]);
    assert_eq!(last(&builder), Interval::new(7, 10));
    builder.affine(&[2], vec![fill(10, &[]), scaled(-2, View::identity(w, 1))]);
    assert_eq!(last(&builder), Interval::new(-4, 10));
    builder.affine(&[2], vec![]);
    assert_eq!(last(&builder), Interval::ZERO);
}

#[test]
fn functions_are_taken_over_the_part_that_is_reached() {
    let mut builder = Builder::new();
    let values = (0..16).map(|i| i * i).collect();
    builder.program.tables.push(FunctionTable { name: "t".into(), bits: 4, values });
    let x = builder.input(4, &[1]);
    builder.apply(x, 1, Func::Table(0), 4, false);
    // [-8, 7] rescales to [-4, 4], entries 4 to 12.
    assert_eq!(last(&builder), Interval::new(16, 144));
    builder.apply(x, 0, Func::Relu, 3, true);
    assert_eq!(last(&builder), Interval::new(0, 3));
    builder.apply(x, 2, Func::Identity, 3, false);
    assert_eq!(last(&builder), Interval::new(-2, 2));
    assert_eq!(rescaled(Interval::new(-8, 7), 2), Interval::new(-2, 2));
}

#[test]
fn the_rest() {
    let mut builder = Builder::new();
    let (x, y) = (builder.input(8, &[6]), builder.input(4, &[6]));
    builder.push(Op::Max { lhs: x, rhs: y }, &[6]);
    assert_eq!(last(&builder), Interval::new(-8, 127));
    builder.push(Op::ArgMax { input: x, axis: 0 }, &[1]);
    assert_eq!(last(&builder), Interval::new(0, 5));
    let constant = builder.affine(&[6], vec![fill(9, &[])]);
    builder.push(Op::Gather { input: constant, index: vec![1] }, &[1]);
    assert_eq!(last(&builder), Interval::new(0, 9));
}

#[test]
fn what_cannot_be_shown_is_refused_by_name() {
    let message = |builder: &Builder| intervals(&builder.program).unwrap_err().to_string();

    let mut builder = Builder::new();
    let x = builder.input(8, &[1]);
    builder.apply(x, 0, Func::Identity, 4, false);
    let range = "the rescaled value can be anything in -128..=127, which is not within 4 bits";
    assert_eq!(message(&builder), format!(r#"node 1 ("source 1"): {range}"#));

    let too_wide = "values cannot be shown to stay within ±2^62";
    let mut builder = Builder::new();
    let x = builder.input(16, &[1]);
    builder.affine(&[1], vec![scaled(1 << 47, View::identity(x, 1))]);
    assert_eq!(last(&builder).lo, -(1 << 62));
    let id = builder.affine(&[1], vec![scaled(1 << 47, View::identity(x, 1)), fill(-1, &[])]);
    assert_eq!(message(&builder), format!(r#"node {} ("source {}"): {too_wide}"#, id.0 - 1, id.0 - 1));

    // Sums and products beyond i128.
    let wide = |builder: &mut Builder| {
        let x = builder.input(16, &[1]);
        builder.affine(&[1], vec![scaled(1 << 47, View::identity(x, 1))])
    };
    let mut builder = Builder::new();
    let node = wide(&mut builder);
    builder.affine(&[1], (0..1000).map(|_| scaled(i64::MIN, View::identity(node, 1))).collect());
    assert!(message(&builder).ends_with(too_wide));

    let products = [1 << 30, 1 << 10];
    for known in [None, Some(i32::MIN)] {
        let mut builder = Builder::new();
        let lhs = View::of_vars(wide(&mut builder), &[0]);
        let rhs = match known {
            Some(weight) => View::of_vars(builder.weight(&[weight], &[1]), &[1]),
            None => View::of_vars(lhs.node, &[1]),
        };
        builder.contract(&products, 0, lhs, Some(rhs));
        assert!(message(&builder).ends_with(too_wide));
    }
}
