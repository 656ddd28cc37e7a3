//! What the attributes of an ensemble say: trees, checked to be trees.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::node::Rewriting;
use crate::error::ModelError;
use crate::onnx::MAX_ELEMENTS;

/// Most comparisons from a root to a leaf.
const MOST_STEPS: usize = 256;
/// Most columns of a table.
const MOST_COLUMNS: usize = 1 << 20;

/// A tree's node, its children by their places in the tree.
pub(super) enum Node {
    Leaf(Vec<f32>),
    Branch { test: Test, children: [usize; 2] },
}

/// What leads to a branch's second child; columns and sets by their places in the ensemble.
pub(super) enum Test {
    /// That a column exceeds a threshold, or reaches it.
    Above { column: usize, threshold: f32 },
    /// That a column has one of a set's values.
    Among { set: usize },
}

/// A tree's nodes.
pub(super) struct Tree {
    pub nodes: Vec<Node>,
    pub root: usize,
}

/// What every ensemble has.
pub(super) struct Ensemble {
    pub trees: Vec<Tree>,
    /// The second child is taken where the column is at least the threshold; else only where it exceeds it.
    pub inclusive: bool,
    /// The columns that are compared, in order.
    pub columns: Vec<usize>,
    /// The sets that columns are looked for in.
    pub sets: Vec<Set>,
}

/// Values of a column, its place among those that are compared.
pub(super) struct Set {
    pub column: usize,
    pub values: Vec<f32>,
}

/// Nodes as a list, by the numbers of their trees and their own. A node's mode is how it compares, or that it is a leaf; with one value or, if it
/// asks for members, several.
#[derive(Default)]
pub(super) struct Listed {
    trees: Vec<i64>,
    numbers: Vec<i64>,
    columns: Vec<i64>,
    modes: Vec<String>,
    values: Vec<Vec<f32>>,
    yes: Vec<i64>,
    no: Vec<i64>,
}

impl Listed {
    /// As attributes have it.
    fn of(node: &mut Rewriting) -> Result<Self, ModelError> {
        // They matter for NaN alone, which no input is; or not at all.
        for name in ["nodes_missing_value_tracks_true", "nodes_hitrates", "nodes_hitrates_as_tensor"] {
            node.ignore(name);
        }
        Ok(Self {
            trees: node.ints("nodes_treeids")?,
            numbers: node.ints("nodes_nodeids")?,
            columns: node.ints("nodes_featureids")?,
            modes: node.strings("nodes_modes")?,
            values: node.floats("nodes_values")?.into_iter().map(|value| vec![value]).collect(),
            yes: node.ints("nodes_truenodeids")?,
            no: node.ints("nodes_falsenodeids")?,
        })
    }

    pub fn leaf(&mut self, tree: i64, number: i64) {
        self.branch(tree, number, 0, (LEAF, vec![]), [0, 0]);
    }

    pub fn branch(&mut self, tree: i64, number: i64, column: i64, (mode, values): (&str, Vec<f32>), leads: [i64; 2]) {
        self.trees.push(tree);
        self.numbers.push(number);
        self.columns.push(column);
        self.modes.push(mode.into());
        self.values.push(values);
        self.yes.push(leads[0]);
        self.no.push(leads[1]);
    }

    /// With one node for each chain of nodes that ask whether a column has one value, or else another, and all lead to the same node if so: exporters
    /// write sets in this way, and trees are none with nodes to which several lead.
    fn joined(mut self) -> Self {
        let (count, mut places) = (self.trees.len(), HashMap::new());
        let mut parents: HashMap<(i64, i64), usize> = HashMap::new();
        for at in 0..count {
            places.insert((self.trees[at], self.numbers[at]), at);
            if self.modes[at] == NOT_EQUAL {
                self.modes[at] = EQUAL.into();
                std::mem::swap(&mut self.yes[at], &mut self.no[at]);
            }
            for child in [self.yes[at], self.no[at]].into_iter().filter(|_| self.modes[at] != LEAF) {
                *parents.entry((self.trees[at], child)).or_default() += 1;
            }
        }
        let asks = |mode: &str| mode == EQUAL || mode == MEMBER;
        let mut gone = vec![false; count];
        for at in 0..count {
            while asks(&self.modes[at]) && !gone[at] {
                let next = (self.trees[at], self.no[at]);
                let Some(&other) = places.get(&next).filter(|_| parents.get(&next) == Some(&1)) else { break };
                let same = self.columns[at] == self.columns[other] && self.yes[at] == self.yes[other];
                if !(same && asks(&self.modes[other])) || other == at || gone[other] {
                    break;
                }
                let values = std::mem::take(&mut self.values[other]);
                self.values[at].extend(values);
                (self.no[at], gone[other]) = (self.no[other], true);
            }
        }
        let mut joined = Self::default();
        for at in (0..count).filter(|&at| !gone[at]) {
            let (mode, values) = (&self.modes[at], std::mem::take(&mut self.values[at]));
            let leads = [self.yes[at], self.no[at]];
            joined.branch(self.trees[at], self.numbers[at], self.columns[at], (mode, values), leads);
        }
        joined
    }
}

/// The mode of what compares nothing.
const LEAF: &str = "LEAF";
const EQUAL: &str = "BRANCH_EQ";
const NOT_EQUAL: &str = "BRANCH_NEQ";
/// The mode of what asks for several values.
pub(super) const MEMBER: &str = "BRANCH_MEMBER";

/// What leaves say: for each entry a leaf, a target or class, and a summand.
#[derive(Default)]
pub(super) struct Leaves {
    trees: Vec<i64>,
    nodes: Vec<i64>,
    pub targets: Vec<i64>,
    pub weights: Vec<f32>,
}

impl Leaves {
    pub fn push(&mut self, tree: i64, leaf: i64, target: i64, weight: f32) {
        self.trees.push(tree);
        self.nodes.push(leaf);
        self.targets.push(target);
        self.weights.push(weight);
    }

    pub fn of(node: &mut Rewriting, names: [&str; 4]) -> Result<Self, ModelError> {
        let [trees, nodes, targets] = [node.ints(names[0])?, node.ints(names[1])?, node.ints(names[2])?];
        let weights = node.floats(names[3])?;
        if [nodes.len(), targets.len(), weights.len()].iter().any(|&len| len != trees.len()) {
            return Err(node.refuse(names[0], "has another length than its like"));
        }
        Ok(Self { trees, nodes, targets, weights })
    }

    /// A class that no leaf on the way names has no score at all, which is not the same as zero.
    pub fn check_covered(&self, node: &Rewriting, classes: usize) -> Result<(), ModelError> {
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
    pub fn of(node: &mut Rewriting, leaves: &Leaves, width: usize) -> Result<Self, ModelError> {
        let listed = Listed::of(node)?;
        Self::of_list(node, listed, leaves, width)
    }

    /// Checks that the nodes are trees, as [`Self::of`].
    pub fn of_list(node: &Rewriting, listed: Listed, leaves: &Leaves, width: usize) -> Result<Self, ModelError> {
        let Listed { trees: ids, numbers, columns, modes, values, yes, no } = &listed;
        let lens = [numbers.len(), columns.len(), yes.len(), no.len(), modes.len(), values.len()];
        if ids.is_empty() || lens.iter().any(|&len| len != ids.len()) {
            return Err(node.refuse("nodes_treeids", "is empty, or has another length than its like"));
        }
        let Listed { trees: ids, numbers, columns, modes, values, yes, no } = listed.joined();
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
        let mut asked = Asked::of(node, &columns, &modes)?;
        for (i, &tree) in ids.iter().enumerate() {
            // Whether the second child is the one for what is so, and whether what is equal to a threshold is not above it.
            let (swapped, strict) = match modes[i].as_str() {
                LEAF => {
                    trees.entry(tree).or_default().push(Node::Leaf(vec![0.0; width]));
                    continue;
                }
                "BRANCH_LEQ" => (false, Some(true)),
                "BRANCH_LT" => (false, Some(false)),
                "BRANCH_GT" => (true, Some(true)),
                "BRANCH_GTE" => (true, Some(false)),
                EQUAL | MEMBER => (true, None),
                other => return Err(node.refuse("nodes_modes", format!("\"{other}\" is not supported"))),
            };
            if strict.is_some_and(|strict| *inclusive.get_or_insert(!strict) == strict) {
                let reason = "an ensemble that both takes and leaves what is equal to a threshold is not supported";
                return Err(node.refuse("nodes_modes", reason));
            }
            let test = match (strict, &values[i][..]) {
                (Some(_), &[threshold]) => Test::Above { column: asked.place(columns[i]), threshold },
                (None, values) => Test::Among { set: asked.set(columns[i], values) },
                _ => return Err(node.refuse("nodes_values", "needs one for each node")),
            };
            let mut children = [find(tree, yes[i])?, find(tree, no[i])?];
            if swapped {
                children.reverse();
            }
            trees.entry(tree).or_default().push(Node::Branch { test, children });
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
        let Asked { columns, sets, .. } = asked;
        Ok(Self { trees, inclusive: inclusive.unwrap_or(false), columns, sets })
    }

    /// Makes a mean of the sum.
    pub fn share(&mut self) {
        let count = self.trees.len() as f32;
        for node in self.trees.iter_mut().flat_map(|tree| &mut tree.nodes) {
            if let Node::Leaf(values) = node {
                values.iter_mut().for_each(|value| *value /= count);
            }
        }
    }
}

/// Columns and sets, as branches ask for them.
struct Asked {
    columns: Vec<usize>,
    sets: Vec<Set>,
    known: HashMap<(usize, Vec<u32>), usize>,
}

impl Asked {
    /// With all columns that are compared.
    fn of(node: &Rewriting, columns: &[i64], modes: &[String]) -> Result<Self, ModelError> {
        let compared = columns.iter().zip(modes).filter(|(_, mode)| *mode != LEAF);
        let columns: Option<BTreeSet<usize>> =
            compared.map(|(&column, _)| usize::try_from(column).ok().filter(|&column| column < MOST_COLUMNS)).collect();
        let columns = columns.ok_or_else(|| node.refuse("nodes_featureids", "is negative or too large"))?;
        if columns.is_empty() {
            return Err(node.refuse("nodes_modes", "no tree compares anything: nothing depends on the input"));
        }
        Ok(Self { columns: columns.into_iter().collect(), sets: vec![], known: HashMap::new() })
    }

    /// The place of a column, which is there.
    fn place(&self, column: i64) -> usize {
        self.columns.partition_point(|&other| (other as i64) < column)
    }

    /// The place of a set, the same one for the same values.
    fn set(&mut self, column: i64, values: &[f32]) -> usize {
        let column = self.place(column);
        // A negative zero is zero.
        let mut values: Vec<f32> = values.iter().map(|value| value + 0.0).collect();
        values.sort_by(f32::total_cmp);
        values.dedup();
        let key = (column, values.iter().map(|value| value.to_bits()).collect());
        *self.known.entry(key).or_insert_with(|| {
            self.sets.push(Set { column, values });
            self.sets.len() - 1
        })
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
    pub fn levels(&self) -> Vec<Vec<usize>> {
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
