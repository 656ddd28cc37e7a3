//! `Scan` that keeps nothing from one step to the next, and `CDist`: what is computed of each row, for all rows at once. So the distances
//! of all pairs are written that models of neighbours and of kernels are made of.

use std::collections::HashMap;

use tract_onnx::pb::type_proto::Value;
use tract_onnx::pb::{NodeProto, ValueInfoProto};

use super::node::Rewriting;
use crate::error::ModelError;
use crate::onnx::attributes::Attributes;

/// The distances of all pairs of rows.
pub(super) fn distances(node: &mut Rewriting) -> Result<(), ModelError> {
    let (a, b, result) = (node.operand(0)?, node.operand(1)?, node.result(0));
    let metric = node.string("metric")?.unwrap_or_else(|| "sqeuclidean".into());
    let a = node.unsqueeze(&a, &[1], "rows");
    let b = node.unsqueeze(&b, &[0], "other rows");
    let apart = node.compute("Sub", &[&a, &b], "apart", vec![]);
    let squares = node.compute("Mul", &[&apart, &apart], "squares", vec![]);
    let sum = node.sum(&squares, -1, false, "squared distances");
    let last = match metric.as_str() {
        "sqeuclidean" => "Identity",
        "euclidean" => "Sqrt",
        _ => return Err(node.refuse("metric", format!("\"{metric}\" is not supported"))),
    };
    node.define(last, &[&sum], &result, vec![]);
    Ok(())
}

/// A tensor of the body.
#[derive(Clone, PartialEq)]
struct Inside {
    /// Its name outside.
    name: String,
    /// Its axes in the body.
    rank: usize,
    /// Whether it is another for each row: then all are along one more axis, the first.
    each: bool,
}

/// What a Scan computes of each row of its last operands, for all at once.
pub(super) fn map(node: &mut Rewriting) -> Result<(), ModelError> {
    let count = node.operands().len();
    let scanned = node.int("num_scan_inputs")?.and_then(|scanned| usize::try_from(scanned).ok());
    let states = scanned.and_then(|scanned| count.checked_sub(scanned));
    let states = states.ok_or_else(|| node.refuse("num_scan_inputs", "is not the number of some operands"))?;
    for name in ["scan_input_axes", "scan_input_directions", "scan_output_axes", "scan_output_directions"] {
        if node.ints(name)?.iter().any(|&x| x != 0) {
            return Err(node.refuse(name, "is supported only where all are 0"));
        }
    }
    let body = node.graph("body")?;
    let mut inside = HashMap::new();
    for (at, value) in body.input.iter().enumerate() {
        let rank = rank(value).ok_or_else(|| node.refuse("body", "has an operand that is not declared as a tensor"))?;
        inside.insert(value.name.clone(), Inside { name: node.operand(at)?, rank, each: at >= states });
    }
    for step in &body.node {
        let (result, found) = of_step(node, step, &inside)?;
        inside.insert(result, found);
    }
    for (at, value) in body.output.iter().enumerate() {
        let found = inside.get(&value.name).ok_or_else(|| unlike(node, &value.name))?;
        // What a step hands on is what it was given; what it gives is of its row.
        let fits = if at < states { !found.each && found.name == node.operand(at)? } else { found.each };
        if !fits {
            return Err(unlike(node, &value.name));
        }
        let result = node.result(at);
        node.define("Identity", &[&found.name], &result, vec![]);
    }
    Ok(())
}

fn unlike(node: &Rewriting, what: &str) -> ModelError {
    let reason = format!(
        "is supported only where each step computes sums, differences, products and sums along an axis of its own row, and keeps nothing; \"{what}\" is not like that"
    );
    node.refuse("body", reason)
}

/// Writes what one node of the body computes, and gives its name there with what it is.
fn of_step(
    node: &mut Rewriting,
    step: &NodeProto,
    inside: &HashMap<String, Inside>,
) -> Result<(String, Inside), ModelError> {
    let [result] = &step.output[..] else { return Err(unlike(node, &step.name)) };
    if !matches!(step.domain.as_str(), "" | "ai.onnx") {
        return Err(unlike(node, result));
    }
    let operands: Option<Vec<&Inside>> = step.input.iter().map(|name| inside.get(name)).collect();
    let operands = operands.ok_or_else(|| unlike(node, result))?;
    let found = match (step.op_type.as_str(), &operands[..]) {
        ("Identity", &[x]) => x.clone(),
        ("Abs" | "Sqrt", &[x]) => {
            let name = node.compute(&step.op_type, &[&x.name], result, vec![]);
            Inside { name, ..*x }
        }
        ("Add" | "Sub" | "Mul", &[a, b]) => {
            let (rank, each) = (a.rank.max(b.rank), a.each || b.each);
            // The rows stay in front where an operand has fewer axes behind.
            let aligned = [(a, "first"), (b, "second")].map(|(x, which)| match rank - x.rank {
                more @ 1.. if x.each => {
                    let axes: Vec<i64> = (1..=more as i64).collect();
                    node.unsqueeze(&x.name, &axes, &format!("{which} of {result}"))
                }
                _ => x.name.clone(),
            });
            let name = node.compute(&step.op_type, &[&aligned[0], &aligned[1]], result, vec![]);
            Inside { name, rank, each }
        }
        ("ReduceSum" | "ReduceSumSquare" | "ReduceL1", &[x]) => {
            let mut attributes = Attributes::of(step);
            let read = (attributes.ints("axes"), attributes.int("keepdims"));
            let (Ok(axes), Ok(keep)) = read else { return Err(unlike(node, result)) };
            let (Some(&[axis]), keep) = (axes.as_deref(), keep.unwrap_or(1) != 0) else {
                return Err(unlike(node, result));
            };
            if attributes.leftover().is_some() || !(-(x.rank as i64)..x.rank as i64).contains(&axis) {
                return Err(unlike(node, result));
            }
            let summed = format!("summed for {result}");
            let summed = match step.op_type.as_str() {
                "ReduceSumSquare" => node.compute("Mul", &[&x.name, &x.name], &summed, vec![]),
                "ReduceL1" => node.compute("Abs", &[&x.name], &summed, vec![]),
                _ => x.name.clone(),
            };
            let axis = if axis >= 0 && x.each { axis + 1 } else { axis };
            let name = node.sum(&summed, axis, keep, result);
            Inside { name, rank: x.rank - usize::from(!keep), each: x.each }
        }
        _ => return Err(unlike(node, result)),
    };
    Ok((result.clone(), found))
}

fn rank(value: &ValueInfoProto) -> Option<usize> {
    let Value::TensorType(tensor) = value.r#type.as_ref()?.value.as_ref()?;
    Some(tensor.shape.as_ref()?.dim.len())
}
