//! Ensembles of decision trees.
//!
//! All trees are walked at once, one comparison of each tree a step, as often as the deepest has comparisons. A step looks up, by the
//! number of the node where each tree stands, the column that it compares, its threshold and its first child; the second child's
//! number is the next one, so the comparison's result is added. A leaf stays where it is: it is its own first child, and its threshold
//! is beyond what a column can reach. So nothing but the number of nodes, the steps and the set of columns shows in the graph's shape.
//!
//! Columns are scaled by powers of two, for each one that makes the most of fixed point's bits for its thresholds, and kept within what
//! decides comparisons: then one scale of fixed point suits all.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::node::{Rewriting, Thresholds, int};
use super::tables::{Classes, Ending, Others};
use crate::error::ModelError;
use crate::onnx::MAX_ELEMENTS;

/// Most nodes that are walked together: their numbers are indices of 16 bits.
const MOST_NODES: usize = (1 << 15) - 1;
/// Most comparisons from a root to a leaf.
const MOST_STEPS: usize = 256;
/// Most columns of a table.
const MOST_COLUMNS: usize = 1 << 20;
/// The largest threshold of a scaled column is at most this, and more than half of it. All that is below is below 1, which fixed point
/// has 15 bits for.
const LARGEST: f32 = 0.875;
/// Where scaled columns are kept, beyond all thresholds.
const BOUND: f32 = 0.9375;
/// The threshold of leaves, which no column exceeds.
const NEVER: f32 = 0.96875;
/// Thresholds smaller than this count as zero when a scale is chosen: some trainers write zero so.
const TINY: f32 = 1e-20;

/// A tree's node, its children by their places in the tree.
enum Node {
    Leaf(Vec<f32>),
    Branch { column: usize, threshold: f32, children: [usize; 2] },
}

/// A tree's nodes.
struct Tree {
    nodes: Vec<Node>,
    root: usize,
}

/// What every ensemble has.
struct Ensemble {
    trees: Vec<Tree>,
    /// The second child is taken where the column is at least the threshold; else only where it exceeds it.
    inclusive: bool,
    /// The columns that are compared, in order.
    columns: Vec<usize>,
}

/// The sum, or the mean, of what the trees say, for each target.
pub(super) fn regressor(node: &mut Rewriting) -> Result<(), ModelError> {
    let targets = usize::try_from(node.int("n_targets")?.unwrap_or(1)).ok().filter(|&n| n > 0);
    let targets = targets.ok_or_else(|| node.refuse("n_targets", "is not positive"))?;
    let mean = match node.string("aggregate_function")?.as_deref() {
        None | Some("SUM") => false,
        Some("AVERAGE") => true,
        Some(other) => return Err(node.refuse("aggregate_function", format!("\"{other}\" is not supported"))),
    };
    let (ending, base) = (Ending::of(node)?, node.floats("base_values")?);
    let leaves = Leaves::of(node, ["target_treeids", "target_nodeids", "target_ids", "target_weights"])?;
    let mut ensemble = Ensemble::of(node, &leaves, targets)?;
    if mean {
        ensemble.share();
    }
    let scores = ensemble.write(node, targets)?;
    let scores = with_base(node, scores, &base, targets)?;
    let result = node.result(0);
    ending.define(node, &scores, &result);
    Ok(())
}

/// The class for which the trees' sum is largest, and what these become.
pub(super) fn classifier(node: &mut Rewriting) -> Result<(), ModelError> {
    let classes = Classes::of(node, "classlabels_int64s")?;
    let (ending, base) = (Ending::of(node)?, node.floats("base_values")?);
    let mut leaves = Leaves::of(node, ["class_treeids", "class_nodeids", "class_ids", "class_weights"])?;
    let named: BTreeSet<i64> = leaves.targets.iter().copied().collect();
    let only = named.first().copied().filter(|_| classes.count == 2 && named.len() == 1);
    let Some(only) = only else {
        let ensemble = Ensemble::of(node, &leaves, classes.count)?;
        leaves.check_covered(node, classes.count)?;
        let scores = ensemble.write(node, classes.count)?;
        let scores = with_base(node, scores, &base, classes.count)?;
        classes.largest(node, &scores, ending);
        return Ok(());
    };
    // One score for both classes.
    let positive = leaves.weights.iter().all(|&weight| weight >= 0.0);
    let (threshold, others) = match (only, ending, positive) {
        (0, Ending::Logistic, _) => (if positive { 0.5 } else { 0.0 }, Others::Negative),
        (0, _, true) => (0.5, Others::Complement),
        (0, _, false) => (0.0, Others::Negative),
        _ => (if positive { 0.5 } else { 0.0 }, Others::Zero),
    };
    if base.len() > 1 || (only != 0 && !base.is_empty()) {
        return Err(node.refuse("base_values", "not supported where all weights are one class's"));
    }
    if only == 0 && ending == Ending::Softmax {
        return Err(node.refuse("post_transform", "SOFTMAX of one score is not supported"));
    }
    leaves.targets.fill(0);
    let ensemble = Ensemble::of(node, &leaves, 1)?;
    let score = ensemble.write(node, 1)?;
    let score = with_base(node, score, &base, 1)?;
    classes.one_score(node, &score, threshold, others, ending)
}

fn with_base(node: &mut Rewriting, scores: String, base: &[f32], targets: usize) -> Result<String, ModelError> {
    if base.iter().all(|&b| b == 0.0) {
        return Ok(scores);
    }
    if base.len() != targets {
        return Err(node.refuse("base_values", "needs one for each target"));
    }
    let base = node.numbers("base", &[targets], base);
    Ok(node.compute("Add", &[&scores, &base], "with base", vec![]))
}

/// What leaves say: for each entry a leaf, a target or class, and a summand.
struct Leaves {
    trees: Vec<i64>,
    nodes: Vec<i64>,
    targets: Vec<i64>,
    weights: Vec<f32>,
}

impl Leaves {
    fn of(node: &mut Rewriting, names: [&str; 4]) -> Result<Self, ModelError> {
        let [trees, nodes, targets] = [node.ints(names[0])?, node.ints(names[1])?, node.ints(names[2])?];
        let weights = node.floats(names[3])?;
        if [nodes.len(), targets.len(), weights.len()].iter().any(|&len| len != trees.len()) {
            return Err(node.refuse(names[0], "has another length than its like"));
        }
        Ok(Self { trees, nodes, targets, weights })
    }

    /// A class that no leaf on the way names has no score at all, which is not the same as zero.
    fn check_covered(&self, node: &Rewriting, classes: usize) -> Result<(), ModelError> {
        let mut named: HashMap<(i64, i64), BTreeSet<i64>> = HashMap::new();
        for ((&tree, &leaf), &class) in self.trees.iter().zip(&self.nodes).zip(&self.targets) {
            named.entry((tree, class)).or_default().insert(leaf);
        }
        let mut leaves: HashMap<i64, BTreeSet<i64>> = HashMap::new();
        for (&tree, &leaf) in self.trees.iter().zip(&self.nodes) {
            leaves.entry(tree).or_default().insert(leaf);
        }
        let always = |class: i64| leaves.iter().any(|(&tree, all)| named.get(&(tree, class)) == Some(all));
        if (0..classes as i64).all(always) {
            return Ok(());
        }
        Err(node.refuse("class_ids", "a class is scored by some leaves of each tree only"))
    }
}

impl Ensemble {
    /// Reads and checks the trees, with one number for each of `width` targets in each leaf.
    fn of(node: &mut Rewriting, leaves: &Leaves, width: usize) -> Result<Self, ModelError> {
        let [ids, numbers, columns] =
            [node.ints("nodes_treeids")?, node.ints("nodes_nodeids")?, node.ints("nodes_featureids")?];
        let [yes, no] = [node.ints("nodes_truenodeids")?, node.ints("nodes_falsenodeids")?];
        let (modes, thresholds) = (node.strings("nodes_modes")?, node.floats("nodes_values")?);
        // They matter for NaN alone, which no input is; or not at all.
        for name in ["nodes_missing_value_tracks_true", "nodes_hitrates", "nodes_hitrates_as_tensor"] {
            node.ignore(name);
        }
        let lens = [numbers.len(), columns.len(), yes.len(), no.len(), modes.len(), thresholds.len()];
        if ids.is_empty() || lens.iter().any(|&len| len != ids.len()) {
            return Err(node.refuse("nodes_treeids", "is empty, or has another length than its like"));
        }
        if ids.len().checked_mul(width).is_none_or(|elements| elements > MAX_ELEMENTS) {
            return Err(node.refuse("nodes_treeids", "has too many nodes for so many targets or classes"));
        }
        let mut place = HashMap::new();
        let mut sizes: BTreeMap<i64, usize> = BTreeMap::new();
        for (&tree, &number) in ids.iter().zip(&numbers) {
            let size = sizes.entry(tree).or_default();
            if place.insert((tree, number), *size).is_some() {
                return Err(node.refuse("nodes_nodeids", format!("node {number} of tree {tree} is there twice")));
            }
            *size += 1;
        }
        let find = |tree: i64, number: i64| {
            let found = place.get(&(tree, number)).copied();
            found.ok_or_else(|| node.refuse("nodes_nodeids", format!("node {number} of tree {tree} is missing")))
        };
        let mut inclusive = None;
        let mut trees: BTreeMap<i64, Vec<Node>> = BTreeMap::new();
        for (i, &tree) in ids.iter().enumerate() {
            let (strict, swapped) = match modes[i].as_str() {
                "LEAF" => {
                    trees.entry(tree).or_default().push(Node::Leaf(vec![0.0; width]));
                    continue;
                }
                "BRANCH_LEQ" => (true, false),
                "BRANCH_LT" => (false, false),
                "BRANCH_GT" => (true, true),
                "BRANCH_GTE" => (false, true),
                other => return Err(node.refuse("nodes_modes", format!("\"{other}\" is not supported"))),
            };
            if *inclusive.get_or_insert(!strict) == strict {
                let reason = "an ensemble that both takes and leaves what is equal to a threshold is not supported";
                return Err(node.refuse("nodes_modes", reason));
            }
            let column = usize::try_from(columns[i]).ok().filter(|&column| column < MOST_COLUMNS);
            let column = column.ok_or_else(|| node.refuse("nodes_featureids", "is negative or too large"))?;
            let mut children = [find(tree, yes[i])?, find(tree, no[i])?];
            if swapped {
                children.reverse();
            }
            trees.entry(tree).or_default().push(Node::Branch { column, threshold: thresholds[i], children });
        }
        for (i, &tree) in leaves.trees.iter().enumerate() {
            let at = find(tree, leaves.nodes[i])?;
            let target = usize::try_from(leaves.targets[i]).ok().filter(|&target| target < width);
            let target = target.ok_or_else(|| node.refuse("target_ids", "is none of the targets or classes"))?;
            match trees.get_mut(&tree).and_then(|nodes| nodes.get_mut(at)) {
                Some(Node::Leaf(values)) => values[target] += leaves.weights[i],
                _ => return Err(node.refuse("target_nodeids", "is no leaf")),
            }
        }
        let trees = trees.into_iter().map(|(id, nodes)| Tree::of(node, id, nodes)).collect::<Result<Vec<_>, _>>()?;
        let branches = trees.iter().flat_map(|tree| &tree.nodes);
        let columns: BTreeSet<usize> = branches
            .filter_map(|node| if let Node::Branch { column, .. } = node { Some(*column) } else { None })
            .collect();
        if columns.is_empty() {
            return Err(node.refuse("nodes_modes", "no tree compares anything: nothing depends on the input"));
        }
        Ok(Self { trees, inclusive: inclusive.unwrap_or(false), columns: columns.into_iter().collect() })
    }

    /// Makes a mean of the sum.
    fn share(&mut self) {
        let count = self.trees.len() as f32;
        for node in self.trees.iter_mut().flat_map(|tree| &mut tree.nodes) {
            if let Node::Leaf(values) = node {
                values.iter_mut().for_each(|value| *value /= count);
            }
        }
    }

    /// Writes the walk, and gives the sum of the leaves that are reached, of shape `[rows, width]`.
    fn write(&self, node: &mut Rewriting, width: usize) -> Result<String, ModelError> {
        let scales = self.scales();
        let columns: Vec<(usize, f32)> = self.columns.iter().copied().zip(scales.iter().copied()).collect();
        let operand = node.floats_of_operand()?;
        let x = self.scaled_columns(node, &operand, &scales);
        let compared = Compared { operand, scaled: x, columns };
        let mut sums = Vec::new();
        for (number, trees) in self.groups(node)?.into_iter().enumerate() {
            let layout = Layout::of(trees, &self.columns, &scales);
            let name = if number == 0 { String::new() } else { format!("group {} ", number + 1) };
            sums.push(layout.write(node, &name, &compared, self.inclusive, width)?);
        }
        let sums: Vec<&str> = sums.iter().map(String::as_str).collect();
        Ok(if let [only] = sums[..] { only.to_string() } else { node.compute("Sum", &sums, "sum of all", vec![]) })
    }

    /// A power of two for each column that is compared.
    fn scales(&self) -> Vec<f32> {
        let mut largest = vec![0.0f32; self.columns.len()];
        for node in self.trees.iter().flat_map(|tree| &tree.nodes) {
            if let Node::Branch { column, threshold, .. } = node
                && let Ok(at) = self.columns.binary_search(column)
            {
                largest[at] = largest[at].max(threshold.abs());
            }
        }
        let scale = |most: f32| if most < TINY { 1.0 } else { (LARGEST / most).log2().floor().exp2() };
        largest.into_iter().map(scale).collect()
    }

    fn scaled_columns(&self, node: &mut Rewriting, x: &str, scales: &[f32]) -> String {
        let columns: Vec<i64> = self.columns.iter().map(|&column| column as i64).collect();
        let columns = node.integers("columns", &columns);
        let picked = node.compute("Gather", &[x, &columns], "compared columns", vec![int("axis", -1)]);
        let scales = node.numbers("scales", &[scales.len()], scales);
        let scaled = node.compute("Mul", &[&picked, &scales], "scaled columns", vec![]);
        node.clip(&scaled, -BOUND, BOUND, "bounded columns")
    }

    /// Trees that are walked together.
    fn groups(&self, node: &Rewriting) -> Result<Vec<&[Tree]>, ModelError> {
        let mut groups = Vec::new();
        let (mut start, mut nodes) = (0, 0);
        for (at, tree) in self.trees.iter().enumerate() {
            let size = tree.nodes.len();
            if size > MOST_NODES {
                return Err(node
                    .refuse("nodes_treeids", format!("a tree has {size} nodes; at most {MOST_NODES} can be walked")));
            }
            if nodes + size > MOST_NODES {
                groups.push(&self.trees[start..at]);
                (start, nodes) = (at, 0);
            }
            nodes += size;
        }
        groups.push(&self.trees[start..]);
        Ok(groups)
    }
}

impl Tree {
    /// Checks that the nodes are one tree.
    fn of(node: &Rewriting, id: i64, nodes: Vec<Node>) -> Result<Self, ModelError> {
        let fail = || node.refuse("nodes_truenodeids", format!("the nodes of tree {id} are not one tree"));
        let mut parents = vec![0; nodes.len()];
        for branch in &nodes {
            if let Node::Branch { children, .. } = branch {
                children.iter().for_each(|&child| parents[child] += 1);
            }
        }
        let root = parents.iter().position(|&count| count == 0).ok_or_else(fail)?;
        let tree = Self { nodes, root };
        // With a parent for each but the root, what is reached is a tree; the rest would be circles.
        let reached: usize = tree.levels().iter().map(Vec::len).sum();
        if parents.iter().filter(|&&count| count == 1).count() + 1 != parents.len() || reached != parents.len() {
            return Err(fail());
        }
        if tree.levels().len() > MOST_STEPS + 1 {
            return Err(node.refuse("nodes_treeids", format!("tree {id} is more than {MOST_STEPS} comparisons deep")));
        }
        Ok(tree)
    }

    /// The nodes by their distance from the root. Stops where there are more than nodes.
    fn levels(&self) -> Vec<Vec<usize>> {
        let mut levels = vec![vec![self.root]];
        let mut count = 1;
        loop {
            let last = levels.last().map_or(&[][..], Vec::as_slice);
            let below: Vec<usize> = last.iter().flat_map(|&at| self.children(at)).collect();
            count += below.len();
            if below.is_empty() || count > self.nodes.len() {
                return levels;
            }
            levels.push(below);
        }
    }

    fn children(&self, at: usize) -> impl Iterator<Item = usize> {
        let children = if let Node::Branch { children, .. } = &self.nodes[at] { Some(*children) } else { None };
        children.into_iter().flatten()
    }
}

/// What thresholds are compared with: columns of the operand, scaled.
struct Compared {
    operand: String,
    scaled: String,
    /// The operand's columns that are compared, and their scales.
    columns: Vec<(usize, f32)>,
}

/// Trees as tables by a node's number.
struct Layout {
    roots: Vec<i64>,
    steps: usize,
    column: Vec<i64>,
    threshold: Vec<f32>,
    /// The number of the first child; the second's is one more.
    child: Vec<i64>,
    /// For each leaf one number for each target; zero for the others.
    values: Vec<f32>,
}

impl Layout {
    fn of(trees: &[Tree], columns: &[usize], scales: &[f32]) -> Self {
        let mut layout = Self {
            roots: Vec::with_capacity(trees.len()),
            steps: 0,
            column: Vec::new(),
            threshold: Vec::new(),
            child: Vec::new(),
            values: Vec::new(),
        };
        let width = trees.iter().flat_map(|tree| &tree.nodes).find_map(|node| match node {
            Node::Leaf(values) => Some(values.len()),
            Node::Branch { .. } => None,
        });
        let width = width.unwrap_or(0);
        for tree in trees {
            let levels = tree.levels();
            layout.steps = layout.steps.max(levels.len() - 1);
            layout.roots.push(layout.child.len() as i64);
            // Level by level, children are side by side, and a node's first child comes behind all that were given a number before.
            let mut next = layout.child.len() + 1;
            for &at in levels.iter().flatten() {
                let own = layout.child.len() as i64;
                match &tree.nodes[at] {
                    Node::Leaf(values) => {
                        layout.push(0, NEVER, own);
                        layout.values.extend(values);
                    }
                    Node::Branch { column, threshold, .. } => {
                        // All columns that are compared are in the list.
                        let column = columns.binary_search(column).unwrap_or_default();
                        layout.push(column as i64, threshold * scales[column], next as i64);
                        layout.values.extend(std::iter::repeat_n(0.0, width));
                        next += 2;
                    }
                }
            }
        }
        // By its interval the last node's number might be one more.
        let last = layout.child.len() as i64;
        layout.push(0, NEVER, last - 1);
        layout.values.extend(std::iter::repeat_n(0.0, width));
        layout
    }

    fn push(&mut self, column: i64, threshold: f32, child: i64) {
        self.column.push(column);
        self.threshold.push(threshold);
        self.child.push(child);
    }

    fn write(
        &self,
        node: &mut Rewriting,
        name: &str,
        compared: &Compared,
        inclusive: bool,
        width: usize,
    ) -> Result<String, ModelError> {
        if self.steps == 0 {
            return Err(node.refuse("nodes_modes", "tens of thousands of trees compare nothing"));
        }
        let named = |what: &str| format!("{name}{what}");
        let count = self.child.len();
        let columns = node.integers(&named("column"), &self.column);
        let thresholds = node.numbers(&named("threshold"), &[count], &self.threshold);
        let compare = |constant: &str, at: &mut dyn Iterator<Item = usize>| Thresholds {
            constant: constant.to_string(),
            operand: compared.operand.clone(),
            scaled: compared.scaled.clone(),
            columns: at
                .map(|at| (self.threshold[at] < NEVER).then(|| compared.columns[self.column[at] as usize]))
                .collect(),
        };
        node.compares(compare(&thresholds, &mut (0..count)));
        let children = node.integers(&named("child"), &self.child);
        let along = |axis| vec![int("axis", axis)];
        let mut at = node.integers(&named("roots"), &self.roots);
        for step in 1..=self.steps {
            let named = |what: &str| format!("{name}step {step} {what}");
            let column = node.compute("Gather", &[&columns, &at], &named("column"), along(0));
            let threshold = node.compute("Gather", &[&thresholds, &at], &named("threshold"), along(0));
            let child = node.compute("Gather", &[&children, &at], &named("child"), along(0));
            // The roots are the same for each row.
            let pick = if step == 1 { "Gather" } else { "GatherElements" };
            if step == 1 {
                // All of it is constant.
                node.compares(compare(&threshold, &mut self.roots.iter().map(|&root| root as usize)));
            }
            let value = node.compute(pick, &[&compared.scaled, &column], &named("value"), along(-1));
            let operator = if inclusive { "GreaterOrEqual" } else { "Greater" };
            let second = node.compute(operator, &[&value, &threshold], &named("comparison"), vec![]);
            let second = node.as_integers(&second, &named("side"));
            at = node.compute("Add", &[&child, &second], &named("node"), vec![]);
        }
        let (dims, keep): (Vec<usize>, _) = if width == 1 { (vec![count], true) } else { (vec![count, width], false) };
        let values = node.numbers(&named("leaves"), &dims, &self.values);
        let reached = node.compute("Gather", &[&values, &at], &named("reached"), along(0));
        Ok(node.sum(&reached, 1, keep, &named("sum of trees")))
    }
}
