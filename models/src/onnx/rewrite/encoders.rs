//! Encoders of `ai.onnx.ml`: numbers that name a kind, as a row of zeros with a one, or as other numbers. Kinds that have texts are refused.

use tract_onnx::pb::tensor_proto::DataType;

use super::node::{Rewriting, int};
use crate::error::ModelError;

/// Keys that are integers are looked up by their place if at most this many times as many numbers lie between the least and the largest,
const HOLES: usize = 8;
/// and no more than indices of 16 bits can name.
const MOST_PLACES: usize = (1 << 15) - 1;

/// For each number as many as there are kinds: a one at its kind's place, zeros elsewhere; for what is of no kind zeros alone.
pub(super) fn one_hot(node: &mut Rewriting) -> Result<(), ModelError> {
    node.ignore("zeros");
    let kinds: Vec<f32> = node.ints("cats_int64s")?.into_iter().map(|kind| kind as f32).collect();
    check_exact(node, "cats_int64s", &kinds)?;
    if kinds.is_empty() {
        return Err(node.refuse("cats_int64s", "is empty; kinds that are texts are not supported"));
    }
    let (result, x) = (node.result(0), node.floats_of_operand()?);
    let equal = equal(node, &x, &kinds);
    node.define("Cast", &[&equal], &result, vec![int("to", DataType::Float as i64)]);
    Ok(())
}

/// For each number the value of the key that it is, or what stands for those that are none.
pub(super) fn labels(node: &mut Rewriting) -> Result<(), ModelError> {
    let (keys, integer_keys) = numbers(node, ["keys_int64s", "keys_floats", "keys_tensor"])?;
    let (values, integer) = numbers(node, ["values_int64s", "values_floats", "values_tensor"])?;
    let (of_integers, of_floats) = (node.int("default_int64")?, node.float("default_float")?);
    let otherwise = match (&node.number_tensor("default_tensor")?.0[..], integer) {
        (&[own], _) => own,
        ([], true) => of_integers.unwrap_or(-1) as f32,
        ([], false) => of_floats.unwrap_or(0.0),
        _ => return Err(node.refuse("default_tensor", "needs one number")),
    };
    if integer {
        check_exact(node, "default_int64", &[otherwise])?;
    }
    if keys.is_empty() || keys.len() != values.len() {
        return Err(node.refuse("keys_int64s", "needs a value for each key, and one at least; texts are not supported"));
    }
    let (result, x) = (node.result(0), node.floats_of_operand()?);
    let (least, most) = keys.iter().fold((keys[0], keys[0]), |(least, most), &key| (least.min(key), most.max(key)));
    // What is between keys, or beyond them, has a place, too.
    let places = ((most - least) as usize).saturating_add(3);
    let found = if integer_keys && places <= MOST_PLACES.min(HOLES * keys.len() + 2) {
        let mut by_place = vec![otherwise; places];
        for (&key, &value) in keys.iter().zip(&values).rev() {
            by_place[(key - least) as usize + 1] = value;
        }
        let first = node.numbers("before the least key", &[], &[least - 1.0]);
        let place = node.compute("Sub", &[&x, &first], "place", vec![]);
        let place = node.clip(&place, 0.0, (places - 1) as f32, "place of a key");
        let place = node.as_integers(&place, "place as an integer");
        let by_place = node.numbers("values by place", &[places], &by_place);
        node.compute("Gather", &[&by_place, &place], "value", vec![int("axis", 0)])
    } else {
        let equal = equal(node, &x, &keys);
        let equal = node.numbers_of(&equal, "is the key as a number");
        // Of a key that is there twice the first counts.
        let more = |at: usize| if keys[..at].contains(&keys[at]) { 0.0 } else { values[at] - otherwise };
        let more: Vec<f32> = (0..keys.len()).map(more).collect();
        let more = node.numbers("more than otherwise", &[keys.len()], &more);
        let sum = node.compute("MatMul", &[&equal, &more], "sum", vec![]);
        let otherwise = node.numbers("otherwise", &[], &[otherwise]);
        node.compute("Add", &[&sum, &otherwise], "value", vec![])
    };
    let to = if integer { DataType::Int64 } else { DataType::Float };
    node.define("Cast", &[&found], &result, vec![int("to", to as i64)]);
    Ok(())
}

/// Whether each number, along one more axis, is each of these.
fn equal(node: &mut Rewriting, x: &str, numbers: &[f32]) -> String {
    let x = node.unsqueeze(x, &[-1], "with one more axis");
    let numbers = node.numbers("kinds", &[numbers.len()], numbers);
    node.compute("Equal", &[&x, &numbers], "is the kind", vec![])
}

/// Numbers by the names of a list of integers, of one of floats, and of a tensor of either; and whether they are integers.
fn numbers(node: &mut Rewriting, names: [&str; 3]) -> Result<(Vec<f32>, bool), ModelError> {
    let (integers, floats) = (node.ints(names[0])?, node.floats(names[1])?);
    let (numbers, integer) = match (integers.is_empty(), floats.is_empty()) {
        (false, _) => (integers.into_iter().map(|x| x as f32).collect(), true),
        (true, false) => (floats, false),
        (true, true) => node.number_tensor(names[2])?,
    };
    if integer {
        check_exact(node, names[0], &numbers)?;
    }
    Ok((numbers, integer))
}

/// That integers are as exact as floats.
fn check_exact(node: &Rewriting, name: &str, integers: &[f32]) -> Result<(), ModelError> {
    if integers.iter().any(|x| x.abs() >= (1 << f32::MANTISSA_DIGITS) as f32) {
        return Err(node.refuse(name, "has integers of more than 24 bits"));
    }
    Ok(())
}

/// Whether each element is missing: none of an input is, and nothing that is computed.
pub(super) fn missing(node: &mut Rewriting) -> Result<(), ModelError> {
    let (result, x) = (node.result(0), node.operand(0)?);
    node.define("Less", &[&x, &x], &result, vec![]);
    Ok(())
}
