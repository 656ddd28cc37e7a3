//! The edges of each operator's range: widths, shifts, saturation, ties.

use vouch_circuits::lowering::{LowerError, lower};
use vouch_program::*;

use crate::build::{Builder, fill, whole};
use crate::harness::{assert_checked, assert_proven, executed, output_interval, round_trip};

/// The bits that an operator would need and those that there are.
fn too_wide(program: &Program) -> (u32, u32) {
    match lower(program) {
        Err(LowerError::TooWide { bits, limit, origin }) => {
            assert!(origin.starts_with("source "));
            (bits, limit)
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("lowered"),
    }
}

fn functions(builder: &mut Builder, bits: u32) -> [Func; 3] {
    let table = builder.table(bits, (0..1 << bits).map(|i| 1000 - 3 * i).collect());
    [Func::Identity, Func::Relu, table]
}

/// A sum that is exactly `[-2^15, 2^15)` for an input of 8 bits, and inputs that reach both ends.
fn full_range(builder: &mut Builder) -> (NodeId, Vec<Vec<Vec<i64>>>) {
    let x = builder.input(8, &[4]);
    let w = builder.weight(vec![100, -120, 29, -8], &[4]);
    let sum = builder.contract(&[4], 0, View::of_vars(x, &[0]), Some(View::of_vars(w, &[0])));
    (sum, vec![vec![vec![127, -128, 127, -128]], vec![vec![-128, 127, -128, 127]]])
}

#[test]
fn a_domain_that_is_just_wide_enough_needs_no_saturation() {
    let mut builder = Builder::new();
    let (sum, inputs) = full_range(&mut builder);
    let outputs = functions(&mut builder, 16).map(|func| builder.apply(sum, 0, func, 16, false));
    let copy = builder.store(sum);
    let mut all = outputs.to_vec();
    all.push(copy);
    let program = builder.finish(&all);
    assert_eq!(output_interval(&program, 3), Interval::signed(16));
    assert_eq!(executed(&program, &inputs[0])[0], [32767]);
    assert_eq!(executed(&program, &inputs[1])[0], [-32768]);
    assert_proven(&program, &inputs);

    // One bit less is refused as long as it does not saturate.
    let mut builder = Builder::new();
    let (sum, inputs) = full_range(&mut builder);
    builder.apply(sum, 0, Func::Relu, 15, false);
    builder.output(NodeId(3));
    let error = lower(&builder.program).err().expect("refused");
    assert!(matches!(&error, LowerError::Program(error) if matches!(error.problem, Problem::RangeNotProven { .. })));
    let Op::Apply { saturate, .. } = &mut builder.program.nodes[3].op else { panic!("the last node") };
    *saturate = true;
    assert_proven(&builder.program, &inputs);
}

#[test]
fn saturation_at_both_ends() {
    for bits in [2, 3, 8, 15] {
        for shift in [0, 1, 5] {
            let mut builder = Builder::new();
            // Around both ends of the domain, and of what rounds to them, and the ends of the input itself.
            let (end, half) = (1i64 << (bits - 1 + shift), half(shift));
            let mut values: Vec<i64> =
                [-end, end, 0].iter().flat_map(|at| (-2..=2).map(move |d| at - half + d)).collect();
            values.extend([-32768, 32767]);
            values.retain(|value| Interval::signed(16).contains(*value));
            let x = builder.input(16, &[values.len()]);
            let saturating = functions(&mut builder, bits).map(|func| builder.apply(x, shift, func, bits, true));
            let program = builder.finish(&saturating);
            let expected = |func: fn(i64) -> i64| -> Vec<i64> {
                let domain = Interval::signed(bits);
                values.iter().map(|value| func(((value + half) >> shift).clamp(domain.lo, domain.hi))).collect()
            };
            let inputs = vec![values.clone()];
            let outputs = executed(&program, &inputs);
            assert_eq!(outputs[0], expected(|z| z));
            assert_eq!(outputs[1], expected(|z| z.max(0)));
            let middle = 1 << (bits - 1);
            let table: Vec<i64> = expected(|z| z).iter().map(|z| 1000 - 3 * (z + middle)).collect();
            assert_eq!(outputs[2], table);
            assert_checked(&program, std::slice::from_ref(&inputs));
            if shift == 1 && bits < 15 {
                round_trip(&program, 7, None, &[inputs]).unwrap();
            }
        }
    }
}

/// `x · 2^up`, for an `x` of 16 bits.
fn scaled_up(up: u32) -> (Builder, NodeId) {
    let mut builder = Builder::new();
    let x = builder.input(16, &[6]);
    let sum = builder.affine(&[6], vec![whole(1 << up, x, 1), fill(-(1 << up >> 1), &[(0, 0, 3)])]);
    (builder, sum)
}

#[test]
fn shifts_up_to_the_largest() {
    let input = vec![vec![vec![-32768, -1, 32767, -32768, 1, 32767]]];
    for shift in [15, 16, 17, 31, 32] {
        for saturate in [false, true] {
            let (mut builder, sum) = scaled_up(shift);
            let bits = if saturate { 4 } else { 16 };
            // The first three are halves, which are rounded up; the first would leave the domain if they were not.
            let applied = functions(&mut builder, bits).map(|func| builder.apply(sum, shift, func, bits, saturate));
            let program = builder.finish(&applied);
            if !saturate {
                assert_eq!(executed(&program, &input[0])[0], input[0][0]);
            }
            assert_checked(&program, &input);
        }
        let (mut builder, sum) = scaled_up(shift);
        let y = builder.apply(sum, shift, Func::Relu, 5, true);
        assert_proven(&builder.finish(&[y]), &input);
    }
    for shift in [33, 40] {
        let (mut builder, sum) = scaled_up(shift);
        let y = builder.apply(sum, shift, Func::Relu, 16, true);
        assert_eq!(too_wide(&builder.finish(&[y])), (shift, 32));
    }
    let (mut builder, sum) = scaled_up(40);
    let y = builder.apply(sum, 41, Func::Relu, 16, true);
    let error = lower(&builder.finish(&[y])).err().expect("refused");
    let LowerError::Program(error) = error else { panic!("{error}") };
    assert_eq!(error.problem, Problem::Shift { shift: 41, limit: 40 });
}

#[test]
fn the_widest_values_saturate_or_are_refused() {
    // ±2^62 rescaled by 2^32 is 2^30; what is above the domain must fit 16 bits.
    for (bits, fits) in [(16, true), (15, false), (8, false)] {
        for func in 0..3 {
            let mut builder = Builder::new();
            let x = builder.input(2, &[3]);
            let sum = builder.affine(&[3], vec![whole(1 << 61, x, 1), fill(1 << 61, &[(0, 1, 3)])]);
            let func = functions(&mut builder, bits)[func];
            let y = builder.apply(sum, 32, func, bits, true);
            let program = builder.finish(&[y]);
            // The ReLU's window is one bit narrower.
            if fits && func != Func::Relu {
                assert_checked(&program, &[vec![vec![-2, 1, 1]]]);
            } else {
                let (need, limit) = too_wide(&program);
                assert!(need > 16 && limit == 16);
            }
        }
    }
}

#[test]
fn tables_at_both_ends_and_of_the_widest_values() {
    for bits in [2, 16] {
        let mut builder = Builder::new();
        let mut values: Vec<i32> = (0..1 << bits).map(|i: i32| i.wrapping_mul(1_000_003)).collect();
        values[0] = i32::MIN;
        values[(1 << bits) - 1] = i32::MAX;
        let widest = builder.table(bits, values);
        let step = builder.table(bits, (0..1 << bits).map(|i| i32::from(i >= 1 << (bits - 1))).collect());
        builder.table(3, vec![0; 8]);
        let x = builder.input(bits, &[5]);
        let (least, largest) = (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1);
        let outputs = [widest, step, widest].map(|func| builder.apply(x, 0, func, bits, false));
        let program = builder.finish(&outputs);
        let inputs = vec![vec![least, largest, 0, -1, 1]];
        let found = executed(&program, &inputs);
        assert_eq!(found[0][..2], [i64::from(i32::MIN), i64::from(i32::MAX)]);
        assert_eq!(found[1], [0, 1, 1, 0, 1]);
        assert_proven(&program, &[inputs]);
    }
}

#[test]
fn stores_of_up_to_32_bits() {
    for (up, fits) in [(16, true), (17, false)] {
        let mut builder = Builder::new();
        let x = builder.input(16, &[3]);
        let sum = builder.affine(&[3], vec![whole(1 << up, x, 1)]);
        let y = builder.store(sum);
        let moved = builder.gather(y, &[2, 0], &[2]);
        let program = builder.finish(&[y, moved]);
        if fits {
            assert_eq!(output_interval(&program, 0).lo, i64::from(i32::MIN));
            assert_proven(&program, &[vec![vec![-32768, 32767, 0]]]);
        } else {
            assert_eq!(too_wide(&program), (33, 32));
        }
    }
}

#[test]
fn ties_and_signs_of_the_largest() {
    let lines: [&[i64]; 12] = [
        &[5, 5, 5, 5, 5],
        &[-128, -128, -128, -128, -128],
        &[127, 127, 127, 127, 127],
        &[-3, -1, -2, -1, -4],
        &[-128, -127, -127, -128, -128],
        &[0, 0, 0, 0, 1],
        &[0, 0, 0, 0, -1],
        &[-1, 0, 0, -1, 0],
        &[127, -128, 127, -128, 127],
        &[-128, 127, -128, 127, -128],
        &[-1, -2, -3, -4, -5],
        &[-5, -4, -3, -2, -1],
    ];
    let first_largest = |line: &[i64]| {
        let largest = line.iter().max().unwrap();
        line.iter().position(|value| value == largest).unwrap() as i64
    };
    for (axis, shape) in [(1, [12, 5]), (0, [5, 12])] {
        let mut builder = Builder::new();
        let x = builder.input(8, &shape);
        let at = builder.argmax(x, axis);
        let program = builder.finish(&[at]);
        let input: Vec<i64> = match axis {
            1 => lines.concat(),
            _ => (0..5).flat_map(|k| lines.iter().map(move |line| line[k])).collect(),
        };
        let expected: Vec<i64> = lines.iter().map(|line| first_largest(line)).collect();
        assert_eq!(executed(&program, std::slice::from_ref(&input)), [expected]);
        assert_proven(&program, &[vec![input]]);
    }
}

#[test]
fn the_largest_of_one_and_of_equal_inputs() {
    let mut builder = Builder::new();
    let x = builder.input(16, &[3, 1]);
    let nothing = builder.affine(&[4], vec![]);
    let zeros = builder.store(nothing);
    let at = [builder.argmax(x, 1), builder.argmax(zeros, 0)];
    let equal = [builder.max(x, x), builder.max(zeros, nothing)];
    let program = builder.finish(&[at[0], at[1], equal[0], equal[1]]);
    let found = executed(&program, &[vec![-32768, 32767, 0]]);
    assert_eq!(found[..3], [vec![0; 3], vec![0], vec![-32768, 32767, 0]]);
    assert_proven(&program, &[vec![vec![-32768, 32767, 0]]]);
}

#[test]
fn differences_of_18_bits_and_of_more() {
    // The largest of values of 17 bits and of one more, which no table of ReLUs takes; the position among those of 17 bits.
    for (up, fits) in [(1, true), (2, false)] {
        let wide = |builder: &mut Builder| {
            let x = builder.input(16, &[3]);
            builder.affine(&[3], vec![whole(1 << up, x, 1)])
        };
        let inputs = [vec![vec![-32768, 32767, -32768], vec![32767, -32768, -32768]]];
        let mut builder = Builder::new();
        let (a, b) = (wide(&mut builder), wide(&mut builder));
        let y = builder.max(a, b);
        assert_proven(&builder.finish(&[y]), &inputs);

        let mut builder = Builder::new();
        let a = wide(&mut builder);
        let stored = builder.store(a);
        let wider = builder.affine(&[3], vec![whole(2, stored, 1)]);
        let stored = builder.store(wider);
        let y = builder.argmax(stored, 0);
        let program = builder.finish(&[y]);
        if fits {
            assert_proven(&program, &[inputs[0][..1].to_vec()]);
        } else {
            assert_eq!(too_wide(&program), (19, 18));
        }
    }
}

/// Values that may be too wide for any place: an error when the program is lowered, not a panic, and not an error
/// when it is proven.
fn refused_or_provable(program: &Program) {
    match lower(program) {
        Err(LowerError::TooWide { bits, limit, .. }) => assert!(bits > limit),
        Err(error) => panic!("{error}"),
        Ok(_) => assert_checked(program, &[]),
    }
}

#[test]
fn the_larger_of_two_close_values_far_from_zero() {
    for up in [16, 30, 31, 40] {
        let mut builder = Builder::new();
        let x = builder.input(8, &[2]);
        let far = builder.affine(&[2], vec![fill(1 << up, &[])]);
        let near = builder.affine(&[2], vec![fill(1 << up, &[]), whole(1, x, 1)]);
        let largest = builder.max(far, near);
        let y = builder.apply(largest, 32, Func::Identity, 16, false);
        refused_or_provable(&builder.finish(&[y]));
    }
}

/// Their difference leaves 64 bits.
#[test]
fn the_larger_of_the_widest_values() {
    let mut builder = Builder::new();
    builder.input(8, &[2]);
    let high = builder.affine(&[2], vec![fill(1 << 62, &[(0, 0, 1)])]);
    let low = builder.affine(&[2], vec![fill(-(1 << 62), &[(0, 0, 1)])]);
    let y = builder.max(high, low);
    refused_or_provable(&builder.finish(&[y]));
}

/// Values that cancel can have coefficients that 64 bits do not hold once sums of sums are expanded: in the field they would not cancel.
#[test]
fn coefficients_that_leave_64_bits_are_refused() {
    let mut builder = Builder::new();
    builder.input(8, &[2]);
    let half = 1 << 61;
    let nothing = builder.affine(&[2], vec![fill(half, &[]), fill(half, &[]), fill(-2 * half, &[])]);
    let still_nothing = builder.affine(&[2], vec![AffineTerm::Scaled { coef: 6, view: View::identity(nothing, 1) }]);
    let y = builder.store(still_nothing);
    let program = builder.finish(&[y]);
    assert!(intervals(&program).unwrap()[y.index()] == Interval::ZERO);
    assert!(matches!(lower(&program), Err(LowerError::Coefficient)));
}

/// Coefficients of what is always zero are bounded by nothing but what constraints can hold.
#[test]
fn the_widest_coefficients_of_zeros() {
    let mut builder = Builder::new();
    let x = builder.input(8, &[2]);
    let nothing = builder.affine(&[2], vec![]);
    let zeros = builder.store(nothing);
    let least = builder.affine(&[2], vec![whole(i64::MIN, zeros, 1), whole(1, x, 1)]);
    let negated = builder.affine(&[2], vec![whole(-1, least, 1), whole(i64::MAX, zeros, 1)]);
    let y = builder.apply(negated, 1, Func::Identity, 8, true);
    let largest = builder.max(negated, least);
    assert!(matches!(lower(&builder.finish(&[y, largest])), Err(LowerError::Coefficient)));
}

/// Inputs wider than any function: they are cut into limbs.
#[test]
fn inputs_of_more_bits_than_a_function() {
    let mut builder = Builder::new();
    let x = builder.input(24, &[3]);
    let twice = builder.affine(&[3], vec![whole(2, x, 1)]);
    let (wide, clamped) = (builder.store(twice), builder.apply(twice, 9, Func::Identity, 15, true));
    let program = builder.finish(&[wide, clamped]);
    let ends = [-(1i64 << 23), (1 << 23) - 1, -1];
    let inputs = [vec![ends.to_vec()], vec![vec![5, -5, 1 << 22]]];
    assert_eq!(executed(&program, &inputs[0]), [ends.map(|x| 2 * x), [-16384, 16383, 0]]);
    assert_proven(&program, &inputs);
}

/// What each line picks of its own rows: of one, of as many as a range holds and of fewer.
#[test]
fn picks_of_each_lines_own_rows() {
    for count in [1, 2, 3, 4, 5] {
        let mut builder = Builder::new();
        let (x, index) = (builder.input(6, &[3, count, 2]), builder.input(4, &[3, 3]));
        let picked = builder.push(Op::Pick { rows: x, index, shared: 1 }, &[3, 3, 2]);
        let program = builder.finish(&[picked]);
        let rows: Vec<i64> = (0..6 * count as i64).map(|i| i * i % 61 - 30).collect();
        let indices: Vec<i64> = (0..9).map(|i| i * 7 % count as i64).collect();
        let own = |at: usize| (at / 3 * count + indices[at] as usize) * 2;
        let expected: Vec<i64> = (0..9).flat_map(|at| [rows[own(at)], rows[own(at) + 1]]).collect();
        let inputs = vec![rows.clone(), indices.clone()];
        assert_eq!(executed(&program, &inputs), [expected]);
        round_trip(&program, 8, None, &[inputs]).unwrap_or_else(|error| panic!("{error}"));
        for beyond in [-1, count as i64] {
            let indices = vec![0, 0, 0, beyond, 0, 0, 0, 0, 0];
            assert!(execute(&program, &[rows.clone(), indices]).is_err());
        }
    }
}

/// What an index of more than 16 bits picks, of more rows than those number.
#[test]
fn picks_by_indices_of_more_bits_than_a_function() {
    let mut builder = Builder::new();
    let index = builder.input(18, &[3]);
    let count = 70_000;
    let rows = builder.weight((0..count).map(|row| row % 1009 - 500).collect(), &[count as usize]);
    let picked = builder.push(Op::Pick { rows, index, shared: 0 }, &[3]);
    let program = builder.finish(&[picked]);
    let inputs = [vec![i64::from(count) - 1, 65_536, 0], vec![32_767, 32_768, 40_000]];
    for indices in &inputs {
        let expected: Vec<i64> = indices.iter().map(|row| row % 1009 - 500).collect();
        assert_eq!(executed(&program, std::slice::from_ref(indices)), [expected]);
    }
    round_trip(&program, 8, None, &inputs.map(|indices| vec![indices])).unwrap_or_else(|error| panic!("{error}"));
    for beyond in [-1, i64::from(count)] {
        assert!(execute(&program, &[vec![beyond, 0, 0]]).is_err());
    }
}
