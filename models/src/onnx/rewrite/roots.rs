//! Ensembles of trees as version 5 of `ai.onnx.ml` lists them: nodes and leaves apart, a tree by its root, what a node leads to by its place in either list.

use std::collections::BTreeSet;

use super::ensemble::{Leaves, Listed, MEMBER};
use super::node::Rewriting;
use crate::error::ModelError;

/// The ways of comparing by their numbers, as earlier versions call them.
const MODES: [&str; 7] = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", MEMBER];

/// The trees' nodes, each tree with leaves of its own, and what leaves say.
pub(super) fn listed(node: &mut Rewriting) -> Result<(Listed, Leaves), ModelError> {
    let roots = node.ints("tree_roots")?;
    let [columns, yes, no] =
        [node.ints("nodes_featureids")?, node.ints("nodes_truenodeids")?, node.ints("nodes_falsenodeids")?];
    let [yes_ends, no_ends] = [node.ints("nodes_trueleafs")?, node.ints("nodes_falseleafs")?];
    let (modes, splits) = (node.integer_tensor("nodes_modes")?, node.float_tensor("nodes_splits")?);
    let mut sets = node.float_lists("membership_values")?.into_iter();
    let mut values: Vec<Vec<f32>> = splits.iter().map(|&split| vec![split]).collect();
    let members = MODES.iter().position(|&mode| mode == MEMBER).map(|at| at as i64);
    for (own, _) in values.iter_mut().zip(&modes).filter(|(_, mode)| Some(**mode) == members) {
        *own = sets.next().ok_or_else(|| node.refuse("membership_values", "has fewer sets than nodes ask for"))?;
    }
    let (targets, weights) = (node.ints("leaf_targetids")?, node.float_tensor("leaf_weights")?);
    // They matter for NaN alone, which no input is; or not at all.
    for name in ["nodes_missing_value_tracks_true", "nodes_hitrates"] {
        node.ignore(name);
    }
    let count = columns.len();
    if [yes.len(), no.len(), yes_ends.len(), no_ends.len(), modes.len(), splits.len()].iter().any(|&len| len != count) {
        return Err(node.refuse("nodes_featureids", "has another length than its like"));
    }
    if targets.len() != weights.len() {
        return Err(node.refuse("leaf_targetids", "has another length than its like"));
    }
    let place = |id: i64, count: usize| usize::try_from(id).ok().filter(|&at| at < count);
    let outside = |name: &str, id: i64| node.refuse(name, format!("{id} is no place in the list"));
    let (mut nodes, mut leaves, mut seen) = (Listed::default(), Leaves::default(), BTreeSet::new());
    for (tree, &root) in (0..).zip(&roots) {
        let mut open = vec![root];
        while let Some(number) = open.pop() {
            let at = place(number, count).ok_or_else(|| outside("tree_roots", number))?;
            if !seen.insert(at) {
                return Err(node.refuse("tree_roots", format!("node {at} is in more than one place of the trees")));
            }
            let mode = usize::try_from(modes[at]).ok().and_then(|mode| MODES.get(mode));
            let mode = mode.ok_or_else(|| node.refuse("nodes_modes", format!("{} is none", modes[at])))?;
            // A leaf has a number for each way to it, behind all nodes'.
            let mut leads = [0; 2];
            for (side, (to, ends)) in [(&yes, &yes_ends), (&no, &no_ends)].into_iter().enumerate() {
                if ends[at] == 0 {
                    open.push(to[at]);
                    leads[side] = to[at];
                    continue;
                }
                let leaf = place(to[at], targets.len()).ok_or_else(|| outside("nodes_truenodeids", to[at]))?;
                leads[side] = (count + 2 * at + side) as i64;
                nodes.leaf(tree, leads[side]);
                leaves.push(tree, leads[side], targets[leaf], weights[leaf]);
            }
            nodes.branch(tree, number, columns[at], (mode, std::mem::take(&mut values[at])), leads);
        }
    }
    Ok((nodes, leaves))
}
