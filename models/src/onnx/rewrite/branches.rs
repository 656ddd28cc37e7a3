//! `If` whose condition no input changes: the branch that is taken, as a part of the graph around it.

use std::collections::{HashMap, HashSet};

use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto};

use super::super::attributes::Attributes;
use crate::error::ModelError;

/// The names that a node reads, in its branches too. Names that only exist in a branch may be among them.
pub(super) fn reads(node: &NodeProto) -> Vec<&str> {
    let mut names: Vec<&str> = node.input.iter().map(String::as_str).collect();
    for branch in node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()) {
        names.extend(branch.node.iter().flat_map(reads));
        names.extend(branch.output.iter().map(|output| output.name.as_str()));
    }
    names
}

/// Whether a node has branches.
pub(super) fn has_any(node: &NodeProto) -> bool {
    node.attribute.iter().any(|attribute| attribute.g.is_some())
}

/// Adds to `graph` the branch of `node`, an `If`, that `condition` takes, if that is known.
pub(super) fn take(graph: &mut GraphProto, node: NodeProto, condition: Option<Vec<f32>>) -> Result<(), ModelError> {
    let outputs = &node.output;
    let place = outputs.iter().find(|name| !name.is_empty()).unwrap_or(&node.name).clone();
    let refuse = |attribute: &str, reason: &str| {
        Err(ModelError::UnsupportedAttribute {
            operator: node.op_type.clone(),
            node: if node.name.is_empty() { place.clone() } else { node.name.clone() },
            attribute: format!("\"{attribute}\""),
            reason: reason.to_string(),
        })
    };
    let Some([taken]) = condition.as_deref() else {
        return refuse(
            "condition",
            "depends on what the inputs are: fix the input that decides it (--fix), or an axis (--dim), or export the model without it",
        );
    };
    let side = if *taken != 0.0 { "then_branch" } else { "else_branch" };
    let mut branch = match Attributes::of(&node).graph(side) {
        Ok(Some(branch)) => branch,
        _ => return refuse(side, "is missing"),
    };
    if !branch.input.is_empty() || branch.output.len() != outputs.len() {
        return refuse(side, "has inputs, or not as many outputs as the node");
    }
    // Both branches, and those of other nodes, may call tensors the same.
    let own = defined(&branch).into_iter().map(|name| (name.to_string(), format!("{place}/{name}"))).collect();
    rename(&mut branch, &own);
    graph.initializer.extend(branch.initializer);
    graph.node.extend(branch.node);
    graph.value_info.retain(|declared| !outputs.contains(&declared.name));
    for (result, output) in branch.output.into_iter().zip(outputs).filter(|(_, output)| !output.is_empty()) {
        graph.node.push(NodeProto {
            op_type: "Identity".into(),
            name: output.clone(),
            input: vec![result.name],
            output: vec![output.clone()],
            ..NodeProto::default()
        });
    }
    Ok(())
}

/// The names that a branch itself defines.
fn defined(branch: &GraphProto) -> HashSet<&str> {
    let computed = branch.node.iter().flat_map(|node| &node.output).map(String::as_str);
    computed
        .chain(branch.initializer.iter().map(|tensor| tensor.name.as_str()))
        .filter(|name| !name.is_empty())
        .collect()
}

fn rename(branch: &mut GraphProto, names: &HashMap<String, String>) {
    let change = |name: &mut String| {
        if let Some(new) = names.get(name) {
            name.clone_from(new);
        }
    };
    branch.initializer.iter_mut().for_each(|tensor| change(&mut tensor.name));
    branch.output.iter_mut().for_each(|output| change(&mut output.name));
    for node in &mut branch.node {
        node.input.iter_mut().chain(&mut node.output).for_each(change);
        for inner in node.attribute.iter_mut().filter_map(|attribute: &mut AttributeProto| attribute.g.as_mut()) {
            let own: HashSet<String> = defined(inner).into_iter().map(str::to_string).collect();
            let seen = names.iter().filter(|(name, _)| !own.contains(*name));
            let seen = seen.map(|(name, new)| (name.clone(), new.clone())).collect();
            rename(inner, &seen);
        }
    }
}
