//! Programs of one operator have one solution for each input, over the whole field, and that is the executor's: in every style, and whatever the
//! bounds say that lowering takes from the interval analysis.

use ark_bn254::Fr;
use ark_ff::Field;
use vouch_circuits::architecture::Architecture;
use vouch_circuits::ir::*;
use vouch_circuits::lowering::bounds::NodeBounds;
use vouch_circuits::lowering::limits::Limits;
use vouch_circuits::lowering::{Lowered, MAX_LIMB_BITS, Style, lower_architecture};
use vouch_program::*;
use vouch_prover::witness::{model_values, pad};

use crate::build::{Builder, fill, whole};
use crate::solve::solutions;
use crate::values::Values;

/// A program with all inputs that it is tried on.
struct Tried {
    name: String,
    program: Program,
    inputs: Vec<Vec<Vec<i64>>>,
}

/// Every combination of integers from these ranges, one for each element of each input; each `stride`th.
fn all_of(ranges: &[(usize, std::ops::Range<i64>)], stride: usize) -> Vec<Vec<Vec<i64>>> {
    let lens: Vec<i64> = ranges.iter().flat_map(|(count, range)| vec![range.end - range.start; *count]).collect();
    let count: i64 = lens.iter().product();
    let number = |mut rest: i64| {
        let mut digits = lens.iter().map(|len| {
            let digit = rest % len;
            rest /= len;
            digit
        });
        let digits: Vec<i64> = digits.by_ref().collect();
        let mut digits = digits.into_iter();
        ranges.iter().map(|(count, range)| digits.by_ref().take(*count).map(|d| range.start + d).collect()).collect()
    };
    (0..count).step_by(stride).map(number).collect()
}

/// With cuts at each bit, at some in the midst of values, at none; with products and without.
fn styles() -> Vec<Style> {
    let of = |products| [1, 2, 3, 6, MAX_LIMB_BITS].map(|limb_bits| Style { products, limb_bits });
    [of(true), of(false)].concat()
}

/// Every function with and without a clamp, dropping no, one and two bits.
fn rescales() -> Vec<Tried> {
    let mut all = Vec::new();
    for kind in ["identity", "relu", "table"] {
        for (shift, bits, saturate, input_bits) in
            [(0, 3, false, 3), (1, 2, false, 2), (2, 2, false, 3), (0, 2, true, 4), (1, 2, true, 5), (2, 3, true, 6)]
        {
            let mut b = Builder::new();
            let x = b.input(input_bits, &[]);
            let func = match kind {
                "identity" => Func::Identity,
                "relu" => Func::Relu,
                _ => b.table(bits, (0..1 << bits).map(|i: i32| i * 3 % 5 - 2).collect()),
            };
            let y = b.apply(x, shift, func, bits, saturate);
            let half = 1i64 << (input_bits - 1);
            let stride = if saturate { 3 } else { 1 };
            all.push(Tried {
                name: format!("{kind}, shift {shift}, {bits} bits, saturate {saturate}"),
                program: b.finish(&[y]),
                inputs: all_of(&[(1, -half..half)], stride),
            });
        }
    }
    all
}

fn others() -> Vec<Tried> {
    let mut all = Vec::new();
    let mut add = |name: &str, program: Program, inputs| all.push(Tried { name: name.into(), program, inputs });

    let mut b = Builder::new();
    let (x, z) = (b.input(3, &[]), b.input(2, &[]));
    let y = b.max(x, z);
    add("max", b.finish(&[y]), all_of(&[(1, -4..4), (1, -2..2)], 1));

    let mut b = Builder::new();
    let (x, z) = (b.input(2, &[]), b.input(2, &[]));
    let product = b.contract(&[], 0, View::identity(x, 0), Some(View::identity(z, 0)));
    let y = b.store(product);
    add("product", b.finish(&[y]), all_of(&[(1, -2..2), (1, -2..2)], 1));

    let mut b = Builder::new();
    let (x, w) = (b.input(2, &[3]), b.weight(vec![3, -1, 2], &[3]));
    let product = b.contract(&[3], 0, View::identity(w, 1), Some(View::identity(x, 1)));
    let sum = b.affine(&[], vec![whole(2, product, 0), fill(1, &[])]);
    let y = b.store(sum);
    add("weighted sum", b.finish(&[y, y]), all_of(&[(3, -2..2)], 5));

    for shift in [0, 2] {
        let mut b = Builder::new();
        let (n, d) = (b.input(3, &[]), b.input(2, &[]));
        let two = b.affine(&[], vec![whole(1, d, 0), fill(3, &[])]);
        let den = b.store(two);
        let y = b.divide(n, den, shift);
        add(&format!("divide, shift {shift}"), b.finish(&[y]), all_of(&[(1, -4..4), (1, -2..2)], 3));
    }

    let mut b = Builder::new();
    let x = b.input(2, &[3]);
    let y = b.gather(x, &[2, 0, 2], &[3]);
    add("gather", b.finish(&[y]), all_of(&[(3, -2..2)], 7));

    for count in [1usize, 2, 3, 4] {
        let mut b = Builder::new();
        let x = b.input(2, &[count]);
        let y = b.argmax(x, 0);
        add(&format!("argmax of {count}"), b.finish(&[y]), all_of(&[(count, -2..2)], if count > 2 { 5 } else { 1 }));
    }
    all
}

/// Picks from inputs and from weights, of rows of one place and of several, alone and each owner's own.
fn picks() -> Vec<Tried> {
    let mut all = Vec::new();
    for count in [1usize, 2, 3, 4, 5] {
        for (owners, row) in
            [(vec![], vec![]), (vec![], vec![3]), (vec![3], vec![]), (vec![2], vec![2]), (vec![1], vec![2])]
        {
            for weight in [false, true] {
                let mut b = Builder::new();
                let shape = [&owners[..], &[count], &row[..]].concat();
                let size: usize = shape.iter().product();
                let data: Vec<i64> = (0..size as i64).map(|i| i * 5 % 7 - 3).collect();
                let rows = match weight {
                    true => b.weight(data.iter().map(|v| *v as i32).collect(), &shape),
                    false => b.input(3, &shape),
                };
                let n: usize = owners.iter().product();
                let index = b.input(4, &[&owners[..], &[1]].concat());
                let out = [&owners[..], &[1], &row[..]].concat();
                let y = b.push(Op::Pick { rows, index, shared: owners.len() }, &out);
                let inputs = (0..n).flat_map(|owner| (-8..8).map(move |at| (owner, at)));
                let inputs = inputs.map(|(owner, at)| {
                    let mut indices = vec![0i64; n];
                    indices[owner] = at;
                    if weight { vec![indices] } else { vec![data.clone(), indices] }
                });
                all.push(Tried {
                    name: format!("pick of {count} rows {row:?} of {owners:?}, weights {weight}"),
                    program: b.finish(&[y]),
                    inputs: inputs.collect(),
                });
            }
        }
    }
    all
}

/// What is given: inputs on their padded positions, weights and fixed tensors.
fn given(program: &Program, lowered: &Lowered, inputs: &[Vec<i64>]) -> Values {
    let field = |values: &[i32]| values.iter().map(|value| Fr::from(*value)).collect::<Vec<Fr>>();
    let mut given: Values = model_values(program, lowered).iter().map(|values| field(values)).collect();
    let publics = lowered.system.publics.iter().filter(|public| public.role == Role::Input);
    for (public, values) in publics.zip(inputs) {
        let shape = &lowered.system.tensor(public.tensor).shape;
        given[public.tensor.0 as usize] = field(&pad(shape, values.iter().map(|value| *value as i32)));
    }
    given
}

/// All outputs of a solution, `None` where they are free.
fn outputs(system: &ConstraintSystem, solution: &[Vec<Option<Fr>>]) -> Vec<Vec<Option<Fr>>> {
    let outputs = system.publics.iter().filter(|public| public.role == Role::Output);
    let of = |public: &Public| {
        let positions = vouch_circuits::lowering::padded_positions(&system.tensor(public.tensor).shape);
        positions.into_iter().map(|position| solution[public.tensor.0 as usize][position]).collect()
    };
    outputs.map(of).collect()
}

fn executed(program: &Program, inputs: &[Vec<i64>]) -> Option<Vec<Vec<Option<Fr>>>> {
    let field = |values: &&[i64]| values.iter().map(|value| Some(Fr::from(*value))).collect();
    execute(program, inputs).ok().map(|run| run.outputs().iter().map(field).collect())
}

/// All cells of each solution are determined, and its outputs are the executor's; how many solutions there are.
fn solved(name: &str, program: &Program, lowered: &Lowered, inputs: &[Vec<i64>]) -> usize {
    let found = solutions(&lowered.system, &given(program, lowered, inputs));
    let counters: Vec<u32> = lowered.system.tables.iter().map(|table| table.multiplicity.0).collect();
    for solution in &found {
        for (i, values) in solution.iter().enumerate().filter(|(i, _)| !counters.contains(&(*i as u32))) {
            let free = values.iter().any(Option::is_none);
            assert!(!free, "{name}: {} is free on {inputs:?}", lowered.system.tensors[i].name);
        }
        assert_eq!(Some(outputs(&lowered.system, solution)), executed(program, inputs), "{name} on {inputs:?}");
    }
    found.len()
}

fn assert_unique(tried: &[Tried], visibility: Visibility) {
    for Tried { name, program, inputs } in tried {
        let architecture = Architecture::of(program, &|_, _| visibility).unwrap();
        for style in styles() {
            let lowered = lower_architecture(&architecture, style, Limits::OWNER).unwrap();
            for inputs in inputs {
                let name = format!("{name}, {style:?}, {visibility:?}");
                let expected = usize::from(executed(program, inputs).is_some());
                assert_eq!(solved(&name, program, &lowered, inputs), expected, "{name} on {inputs:?}");
            }
        }
    }
}

#[test]
fn each_rescale_has_one_solution() {
    assert_unique(&rescales(), Visibility::Public);
}

#[test]
fn each_operator_has_one_solution() {
    assert_unique(&others(), Visibility::Public);
    // Copies for what is committed to or hashed. A hash's range of 16 bits has too many rows to be tried.
    assert_unique(&others(), Visibility::Committed);
}

#[test]
fn each_pick_has_one_solution_if_its_index_names_a_row() {
    assert_unique(&picks(), Visibility::Public);
}

/// The bounds that an architecture could have in place of a node's.
fn falsified(bounds: NodeBounds) -> Vec<NodeBounds> {
    let near = |bits: u32| (bits.saturating_sub(2)..=bits + 2).filter(move |other| *other != bits);
    match bounds {
        NodeBounds::Nothing => Vec::new(),
        NodeBounds::Clamp { high_bits } => near(high_bits).map(|high_bits| NodeBounds::Clamp { high_bits }).collect(),
        NodeBounds::Product { fits } => vec![NodeBounds::Product { fits: !fits }],
        NodeBounds::Max { difference_bits } => {
            near(difference_bits).map(|difference_bits| NodeBounds::Max { difference_bits }).collect()
        }
        NodeBounds::Divide { quotient_bits, remainder_bits } => {
            let quotients = near(quotient_bits).map(|quotient_bits| (quotient_bits, remainder_bits));
            let remainders = near(remainder_bits).map(|remainder_bits| (quotient_bits, remainder_bits));
            let both = quotients.chain(remainders);
            both.map(|(quotient_bits, remainder_bits)| NodeBounds::Divide { quotient_bits, remainder_bits }).collect()
        }
        NodeBounds::ArgMax { least, greatest } => {
            let ends = [
                (least / 2, greatest),
                (2 * least, greatest),
                (least, greatest / 2),
                (least, 2 * greatest + 1),
                (0, 0),
            ];
            ends.map(|(least, greatest)| NodeBounds::ArgMax { least, greatest }).to_vec()
        }
    }
}

/// A bound that is not the program's own gives no second output, and none but the executor's; too wide a one takes no run its proof.
#[test]
fn false_bounds_give_no_other_output() {
    let (mut proven, mut unprovable) = (0, 0);
    let tried: Vec<Tried> = rescales().into_iter().chain(others()).collect();
    for Tried { name, program, inputs } in &tried {
        let honest = Architecture::of(program, &|_, _| Visibility::Public).unwrap();
        for node in 0..honest.bounds.len() {
            for bounds in falsified(honest.bounds[node]) {
                let mut architecture = honest.clone();
                architecture.bounds[node] = bounds;
                for style in styles() {
                    let Ok(lowered) = lower_architecture(&architecture, style, Limits::OWNER) else { continue };
                    for inputs in inputs.iter().step_by(2) {
                        let name = format!("{name}, {style:?}, {bounds:?}");
                        match solved(&name, program, &lowered, inputs) {
                            0 => unprovable += 1,
                            1 => proven += 1,
                            count => panic!("{name}: {count} solutions on {inputs:?}"),
                        }
                    }
                }
            }
        }
    }
    assert!(proven > 1000 && unprovable > 100, "{proven} proven, {unprovable} unprovable");
}

/// What an input's declared range excludes has no proof, in whatever limbs it is looked up: of a private input nothing else would say so.
#[test]
fn inputs_beyond_their_range_have_no_solution() {
    for bits in [2u32, 3, 4, 5, 7] {
        let mut b = Builder::new();
        let x = b.input(bits, &[]);
        let program = b.finish(&[x]);
        let half = 1i64 << (bits - 1);
        for style in styles() {
            let architecture = Architecture::of(&program, &|_, _| Visibility::Public).unwrap();
            let lowered = lower_architecture(&architecture, style, Limits::OWNER).unwrap();
            for value in (-2 * half..2 * half).chain([4 * half, -9 * half, 1 << 20]) {
                let found = solutions(&lowered.system, &given(&program, &lowered, &[vec![value]])).len();
                assert_eq!(found, usize::from((-half..half).contains(&value)), "{bits} bits, {style:?}: {value}");
            }
        }
    }
}

/// An index that a key's maker commits to as a fraction, which would name a place between two rows, has no proof; nor has one beyond the rows.
#[test]
fn weights_that_are_no_row_have_no_solution() {
    // The weight itself, and what is made of it without a lookup.
    let made: [fn(&mut Builder, NodeId) -> NodeId; 4] = [
        |_, index| index,
        |b, index| b.store(index),
        |b, index| b.apply(index, 0, Func::Identity, 4, false),
        |b, index| b.max(index, index),
    ];
    for count in [1usize, 2, 3, 4] {
        for (owners, made) in [vec![], vec![2]].iter().flat_map(|owners| made.map(|made| (owners, made))) {
            let mut b = Builder::new();
            let rows = b.input(3, &[&owners[..], &[count, 3]].concat());
            let n: usize = owners.iter().product();
            let index = b.weight(vec![0; n], &[&owners[..], &[1]].concat());
            let index = made(&mut b, index);
            let y = b.push(Op::Pick { rows, index, shared: owners.len() }, &[&owners[..], &[1, 3]].concat());
            let program = b.finish(&[y]);
            let data = (0..(n * count * 3) as i64).map(|i| i % 7 - 3).collect::<Vec<i64>>();
            let architecture = Architecture::of(&program, &|_, _| Visibility::Public).unwrap();
            let quarter = Fr::from(4u64).inverse().unwrap();
            for style in styles() {
                let lowered = lower_architecture(&architecture, style, Limits::OWNER).unwrap();
                let weights = lowered.model[0].0.0 as usize;
                for quarters in -4..20i64 {
                    let mut given = given(&program, &lowered, std::slice::from_ref(&data));
                    given[weights][n - 1] = Fr::from(quarters) * quarter;
                    let names_a_row = quarters % 4 == 0 && (0..count as i64).contains(&(quarters / 4));
                    let found = solutions(&lowered.system, &given).len();
                    let name = format!(
                        "{count} of {owners:?}, {style:?}, {:?}",
                        program.nodes[program.nodes.len() - 2].op.reads()
                    );
                    assert_eq!(found, usize::from(names_a_row), "{name}: {quarters}/4");
                }
            }
        }
    }
}
