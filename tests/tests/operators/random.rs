//! Random programs of all operators: the constraints, and proofs, against the executor.

use std::collections::BTreeMap;

use proptest::option;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use vouch_circuits::lowering::{LowerError, lower};
use vouch_program::*;

use crate::build::corners;
use crate::generate::{Case, LARGE, SMALL, case, stream};
use crate::harness::{Lowerings, round_trip};

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

fn written(program: &Program) -> String {
    serde_json::to_string(program).expect("programs can be written")
}

/// Lowering succeeds, and then every input in the declared range satisfies the constraints; or an error says why not.
fn check_case(Case { program, inputs }: Case) -> Result<(), TestCaseError> {
    let lowerings = match Lowerings::of(&program) {
        Ok(lowerings) => lowerings,
        Err(LowerError::TooWide { bits, limit, .. }) => {
            prop_assert!(bits > limit);
            return Ok(());
        }
        Err(error) => return Err(TestCaseError::fail(format!("{error}\n{}", written(&program)))),
    };
    let mut all = corners(&program);
    all.push(inputs);
    for inputs in all {
        lowerings
            .agree(&inputs)
            .map_err(|error| TestCaseError::fail(format!("{error}\non {inputs:?}\n{}", written(&program))))?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(1024))]

    #[test]
    fn random_programs_satisfy_their_constraints(stream in stream()) {
        check_case(case(stream, LARGE))?;
    }
}

proptest! {
    #![proptest_config(config(4_000))]

    #[test]
    #[ignore = "minutes: run with `-- --ignored`"]
    fn many_random_programs_satisfy_their_constraints(stream in stream()) {
        check_case(case(stream, LARGE))?;
    }
}

fn prove_case(Case { program, inputs }: Case, chunk_bits: usize, layer: Option<usize>) -> Result<(), TestCaseError> {
    let all = [inputs, corners(&program).swap_remove(2)];
    round_trip(&program, chunk_bits, layer, &all)
        .map_err(|error| TestCaseError::fail(format!("{error}\non {all:?}\n{}", written(&program))))
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn random_programs_are_proven(stream in stream(), chunk_bits in 6usize..=8, layer in option::of(0usize..10)) {
        prove_case(case(stream, SMALL), chunk_bits, layer)?;
    }
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    #[ignore = "minutes: run with `-- --ignored`"]
    fn many_random_programs_are_proven(stream in stream(), chunk_bits in 6usize..=8, layer in option::of(0usize..10)) {
        prove_case(case(stream, SMALL), chunk_bits, layer)?;
    }
}

/// The kind of an operator, with what matters most about it.
fn kind(op: &Op) -> &'static str {
    match op {
        Op::Input { .. } => "input",
        Op::Weight { .. } => "weight",
        Op::Contract { rhs: None, .. } => "contraction of one",
        Op::Contract { .. } => "contraction of two",
        Op::Affine { .. } => "affine",
        Op::Apply { func: Func::Identity, saturate: true, .. } => "saturating rescale",
        Op::Apply { func: Func::Identity, .. } => "rescale",
        Op::Apply { func: Func::Relu, saturate: true, .. } => "saturating relu",
        Op::Apply { func: Func::Relu, .. } => "relu",
        Op::Apply { func: Func::Table(_), saturate: true, .. } => "saturating table",
        Op::Apply { func: Func::Table(_), .. } => "table",
        Op::Max { .. } => "max",
        Op::Divide { .. } => "quotient",
        Op::Store { .. } => "store",
        Op::Gather { .. } => "gather",
        Op::Pick { .. } => "pick",
        Op::ArgMax { .. } => "argmax",
    }
}

/// So that the tests above test something.
#[test]
fn random_programs_hold_every_operator_often() {
    let mut runner = TestRunner::deterministic();
    for (scale, least) in [(LARGE, 40), (SMALL, 20)] {
        let mut counts = BTreeMap::new();
        let (mut lowerable, mut refused) = (0, 0);
        for _ in 0..512 {
            let stream = stream().new_tree(&mut runner).expect("a strategy without filters").current();
            let Case { program, .. } = case(stream, scale);
            match lower(&program) {
                Ok(_) => lowerable += 1,
                Err(_) => refused += 1,
            }
            for node in &program.nodes {
                *counts.entry(kind(&node.op)).or_insert(0) += 1;
                if let Op::Apply { shift, .. } = node.op {
                    let width = match shift {
                        0 => "no shift",
                        1..=16 => "shift of one limb",
                        _ => "shift of two limbs",
                    };
                    *counts.entry(width).or_insert(0) += 1;
                }
            }
            let mut read = vec![0; program.nodes.len()];
            for id in program.nodes.iter().flat_map(|node| node.op.reads()) {
                read[id.index()] += 1;
            }
            *counts.entry("three readers").or_insert(0) += read.iter().filter(|&&count| count >= 3).count();
        }
        println!("{lowerable} lowered, {refused} refused, {counts:?}");
        assert_eq!(counts.len(), 17 + 4, "{counts:?}");
        assert!(counts.values().all(|&count| count >= least), "{counts:?}");
        assert!(lowerable >= 450, "{lowerable} lowered");
        assert_eq!(refused > 0, scale.refusals);
    }
}
