//! Ensembles of decision trees.
//!
//! All trees are walked at once, one comparison of each tree a step, as often as the deepest has comparisons. A step looks up, by the
//! number of the node where each tree stands, the column that it compares, its threshold and its first child; the second child's
//! number is the next one, so the comparison's result is added. A leaf stays where it is: it is its own first child, and its threshold
//! is beyond what a column can reach. So nothing but the numbers of trees and nodes, the steps and the set of columns shows in the graph's shape.
//! Branches that ask whether a column has one of some values compare one more column, which says so: the values are hidden, how many there
//! are of each column is not.
//!
//! Columns are scaled by powers of two, for each one that makes the most of fixed point's bits for its thresholds, and kept within what
//! decides comparisons: then one scale of fixed point suits all.

use std::collections::BTreeSet;

use super::ensemble::{Ensemble, Leaves, Node, Test, Tree};
use super::node::{Rewriting, Thresholds, int};
use super::roots;
use super::tables::{Classes, Ending, Others};
use crate::error::ModelError;
use crate::onnx::MAX_ELEMENTS;

/// Most nodes that are walked together: their numbers are indices of 16 bits.
const MOST_NODES: usize = (1 << 15) - 1;
/// The largest threshold of a scaled column is at most this, and more than half of it. All that is below is below 1, which fixed point
/// has 15 bits for.
const LARGEST: f32 = 0.875;
/// Where scaled columns are kept, beyond all thresholds.
const BOUND: f32 = 0.9375;
/// The threshold of leaves, which no column exceeds.
const NEVER: f32 = 0.96875;
/// What a column that says whether another has some value is where it has; zero where not.
const AMONG: f32 = 0.75;
/// Thresholds smaller than this count as zero when a scale is chosen: some trainers write zero so.
const TINY: f32 = 1e-20;

/// What becomes of what the trees say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Together {
    Mean,
    Sum,
    Least,
    Greatest,
}

impl Together {
    /// As version 5 numbers them, with the names that they had.
    const ALL: [(&str, Self); 4] =
        [("AVERAGE", Self::Mean), ("SUM", Self::Sum), ("MIN", Self::Least), ("MAX", Self::Greatest)];
}

/// The sum, the mean, the least or the greatest of what the trees say, for each target.
pub(super) fn regressor(node: &mut Rewriting) -> Result<(), ModelError> {
    let targets = targets(node)?;
    let name = node.string("aggregate_function")?.unwrap_or_else(|| "SUM".into());
    let together = Together::ALL.iter().find(|(known, _)| *known == name).map(|(_, together)| *together);
    let together = together.ok_or_else(|| node.refuse("aggregate_function", format!("\"{name}\" is not supported")))?;
    let (ending, base) = (Ending::of(node)?, node.floats("base_values")?);
    let leaves = Leaves::of(node, ["target_treeids", "target_nodeids", "target_ids", "target_weights"])?;
    let ensemble = Ensemble::of(node, &leaves, targets)?;
    ensemble.tell(node, targets, together, &base, ending)
}

/// As [`regressor`], in the form of version 5.
pub(super) fn ensemble(node: &mut Rewriting) -> Result<(), ModelError> {
    let targets = targets(node)?;
    let number = node.int("aggregate_function")?.unwrap_or(1);
    let together = usize::try_from(number).ok().and_then(|number| Together::ALL.get(number));
    let (_, together) = *together.ok_or_else(|| node.refuse("aggregate_function", format!("{number} is none")))?;
    let ending = match node.int("post_transform")?.unwrap_or(0) {
        0 => Ending::Nothing,
        1 => Ending::Softmax,
        2 => Ending::Logistic,
        other => return Err(node.refuse("post_transform", format!("{other} is not supported"))),
    };
    let (listed, leaves) = roots::listed(node)?;
    let ensemble = Ensemble::of_list(node, listed, &leaves, targets)?;
    ensemble.tell(node, targets, together, &[], ending)
}

fn targets(node: &mut Rewriting) -> Result<usize, ModelError> {
    let targets = usize::try_from(node.int("n_targets")?.unwrap_or(1)).ok().filter(|&n| n > 0);
    targets.ok_or_else(|| node.refuse("n_targets", "is not positive"))
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
        let scores = ensemble.write(node, classes.count, Together::Sum)?;
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
    let score = ensemble.write(node, 1, Together::Sum)?;
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

impl Ensemble {
    /// Defines the node's result: what the leaves that are reached say together, for each target.
    fn tell(
        mut self,
        node: &mut Rewriting,
        targets: usize,
        together: Together,
        base: &[f32],
        ending: Ending,
    ) -> Result<(), ModelError> {
        if together == Together::Mean {
            self.share();
        }
        // A tree need not name every target, and what it does not name is no number.
        if targets > 1 && matches!(together, Together::Least | Together::Greatest) {
            return Err(node.refuse("aggregate_function", "MIN and MAX of several targets are not supported"));
        }
        let scores = self.write(node, targets, together)?;
        let scores = with_base(node, scores, base, targets)?;
        let result = node.result(0);
        ending.define(node, &scores, &result);
        Ok(())
    }

    /// Writes the walk, and gives what the leaves that are reached are together, of shape `[rows, width]`.
    fn write(&self, node: &mut Rewriting, width: usize, together: Together) -> Result<String, ModelError> {
        let compared = self.compared(node)?;
        let mut sums = Vec::new();
        for (number, trees) in self.groups(node)?.into_iter().enumerate() {
            let layout = Layout::of(trees, &compared);
            let name = if number == 0 { String::new() } else { format!("group {} ", number + 1) };
            let reached = layout.write(node, &name, &compared, self.inclusive, width)?;
            sums.push(of_trees(node, &name, &reached, width, together));
        }
        let sums: Vec<&str> = sums.iter().map(String::as_str).collect();
        let operator = match together {
            Together::Mean | Together::Sum => "Sum",
            Together::Least => "Min",
            Together::Greatest => "Max",
        };
        Ok(if let [only] = sums[..] { only.to_string() } else { node.compute(operator, &sums, "all trees", vec![]) })
    }

    /// A power of two for each column that is compared.
    fn scales(&self) -> Vec<f32> {
        let mut largest = vec![0.0f32; self.columns.len()];
        for node in self.trees.iter().flat_map(|tree| &tree.nodes) {
            if let Node::Branch { test: Test::Above { column, threshold }, .. } = node {
                largest[*column] = largest[*column].max(threshold.abs());
            }
        }
        for set in &self.sets {
            largest[set.column] = set.values.iter().fold(largest[set.column], |most, value| most.max(value.abs()));
        }
        let scale = |most: f32| if most < TINY { 1.0 } else { (LARGEST / most).log2().floor().exp2() };
        largest.into_iter().map(scale).collect()
    }

    /// The columns that branches compare: the operand's, scaled, and behind them those that say whether one is in a set. The first is there again up to
    /// a power of two of them all: of so many each place that is picked is one, which takes no proof.
    fn compared(&self, node: &mut Rewriting) -> Result<Compared, ModelError> {
        let operand = node.floats_of_operand()?;
        let scales = self.scales();
        let columns: Vec<(usize, f32)> = self.columns.iter().copied().zip(scales).collect();
        let first_set = (columns.len() + self.sets.len()).next_power_of_two() - self.sets.len();
        let repeated = columns.iter().chain(std::iter::repeat(&columns[0])).take(first_set);
        let (places, scales): (Vec<i64>, Vec<f32>) = repeated.map(|&(column, scale)| (column as i64, scale)).unzip();
        let places = node.integers("columns", &places);
        let picked = node.compute("Gather", &[&operand, &places], "compared columns", vec![int("axis", -1)]);
        let scales = node.numbers("scales", &[scales.len()], &scales);
        let scaled = node.compute("Mul", &[&picked, &scales], "scaled columns", vec![]);
        let scaled = node.clip(&scaled, -BOUND, BOUND, "bounded columns");
        let mut compared = Compared { operand, all: scaled.clone(), scaled, columns, first_set };
        if !self.sets.is_empty() {
            let among = self.among(node, &compared)?;
            compared.all = node.compute("Concat", &[&compared.scaled, &among], "all columns", vec![int("axis", -1)]);
        }
        Ok(compared)
    }

    /// For each set a column that is [`AMONG`] where the one that it is of has one of its values.
    fn among(&self, node: &mut Rewriting, compared: &Compared) -> Result<String, ModelError> {
        // Each value of a column once.
        let bits = |value: f32| value.to_bits();
        let pairs = self.sets.iter().flat_map(|set| set.values.iter().map(|&value| (set.column, bits(value))));
        let pairs: Vec<(usize, u32)> = pairs.collect::<BTreeSet<_>>().into_iter().collect();
        let (count, width) = (pairs.len(), self.sets.len());
        if count == 0 || count.checked_mul(width).is_none_or(|elements| elements > MAX_ELEMENTS) {
            return Err(node.refuse("membership_values", "names no value, or too many values and sets"));
        }
        let places: Vec<i64> = pairs.iter().map(|&(column, _)| column as i64).collect();
        let values: Vec<f32> = pairs.iter().map(|&(at, bits)| f32::from_bits(bits) * compared.columns[at].1).collect();
        let places = node.integers("places of values", &places);
        let picked = node.compute("Gather", &[&compared.scaled, &places], "columns of values", vec![int("axis", -1)]);
        let values = node.numbers("values", &[count], &values);
        node.compares(Thresholds {
            constant: values.clone(),
            operand: compared.operand.clone(),
            scaled: compared.scaled.clone(),
            columns: pairs.iter().map(|&(at, _)| Some(compared.columns[at])).collect(),
        });
        let equal = node.compute("Equal", &[&picked, &values], "is the value", vec![]);
        let equal = node.numbers_of(&equal, "is the value as a number");
        let mut members = vec![0.0; count * width];
        for (at, set) in self.sets.iter().enumerate() {
            for &value in &set.values {
                let pair = pairs.partition_point(|&pair| pair < (set.column, bits(value)));
                members[pair * width + at] = AMONG;
            }
        }
        let members = node.numbers("members", &[count, width], &members);
        Ok(node.compute("MatMul", &[&equal, &members], "is in the set", vec![]))
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

/// What the leaves that trees reached are together: those of `[rows, trees]` for one target, `[rows, trees, width]` for several.
fn of_trees(node: &mut Rewriting, name: &str, reached: &str, width: usize, together: Together) -> String {
    match together {
        Together::Mean | Together::Sum => node.sum(reached, 1, width == 1, &format!("{name}sum of trees")),
        Together::Least => node.extreme("ReduceMin", reached, 1, &format!("{name}least of trees")),
        Together::Greatest => node.extreme("ReduceMax", reached, 1, &format!("{name}greatest of trees")),
    }
}

/// What thresholds are compared with: columns of the operand, scaled.
struct Compared {
    operand: String,
    scaled: String,
    /// The scaled columns, and those of sets.
    all: String,
    /// The operand's columns that are compared, and their scales.
    columns: Vec<(usize, f32)>,
    /// The place of the first set's column among them all.
    first_set: usize,
}

impl Compared {
    /// The place of what a branch compares among all columns, and the threshold there.
    fn by(&self, test: &Test) -> (usize, f32) {
        match *test {
            Test::Above { column, threshold } => (column, threshold * self.columns[column].1),
            Test::Among { set } => (self.first_set + set, AMONG / 2.0),
        }
    }
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
    fn of(trees: &[Tree], compared: &Compared) -> Self {
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
                    Node::Branch { test, .. } => {
                        let (column, threshold) = compared.by(test);
                        layout.push(column as i64, threshold, next as i64);
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
        let column_of = |at: usize| {
            let column = compared.columns.get(self.column[at] as usize).copied();
            column.filter(|_| self.threshold[at] < NEVER)
        };
        node.compares(Thresholds {
            constant: thresholds.clone(),
            operand: compared.operand.clone(),
            scaled: compared.scaled.clone(),
            columns: (0..count).map(column_of).collect(),
        });
        let children = node.integers(&named("child"), &self.child);
        let along = |axis| vec![int("axis", axis)];
        // Begun at what depends on the input, though it is always zero: of what is constant, the columns would be indices that all can see.
        let first = node.integers(&named("first column"), &[0]);
        let first = node.compute("Gather", &[&compared.all, &first], &named("first column's value"), along(-1));
        let never = node.numbers(&named("never"), &[], &[NEVER]);
        let never = node.compute("Greater", &[&first, &never], &named("never reached"), vec![]);
        let zero = node.as_integers(&never, &named("zero"));
        let roots = node.integers(&named("roots"), &self.roots);
        let mut at = node.compute("Add", &[&roots, &zero], &named("root"), vec![]);
        for step in 1..=self.steps {
            let named = |what: &str| format!("{name}step {step} {what}");
            let column = node.compute("Gather", &[&columns, &at], &named("column"), along(0));
            let threshold = node.compute("Gather", &[&thresholds, &at], &named("threshold"), along(0));
            let child = node.compute("Gather", &[&children, &at], &named("child"), along(0));
            let value = node.compute("GatherElements", &[&compared.all, &column], &named("value"), along(-1));
            let operator = if inclusive { "GreaterOrEqual" } else { "Greater" };
            let second = node.compute(operator, &[&value, &threshold], &named("comparison"), vec![]);
            let second = node.as_integers(&second, &named("side"));
            at = node.compute("Add", &[&child, &second], &named("node"), vec![]);
        }
        let dims = if width == 1 { vec![count] } else { vec![count, width] };
        let values = node.numbers(&named("leaves"), &dims, &self.values);
        Ok(node.compute("Gather", &[&values, &at], &named("reached"), along(0)))
    }
}
