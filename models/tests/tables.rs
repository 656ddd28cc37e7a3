//! Models of tables (`ai.onnx.ml`) against plain evaluations of what their attributes say.

mod common;

use common::*;
use ndarray::{ArrayD, IxDyn};
use tract_onnx::pb::{AttributeProto, NodeProto, TensorProto, attribute_proto::AttributeType};
use vouch_models::{Calibration, CompileOptions, Compiled, Model, ModelError};
use vouch_program::Op;

const ROWS: usize = 24;

fn numbers(name: &str, values: Vec<f32>) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Floats as i32, floats: values, ..Default::default() }
}

fn tensor(name: &str, t: TensorProto) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Tensor as i32, t: Some(t), ..Default::default() }
}

fn texts(name: &str, values: &[&str]) -> AttributeProto {
    let strings = values.iter().map(|text| text.as_bytes().to_vec()).collect();
    AttributeProto { name: name.into(), r#type: AttributeType::Strings as i32, strings, ..Default::default() }
}

fn table_node(op: &str, outputs: &[&str], attributes: Vec<AttributeProto>) -> NodeProto {
    let mut made = node(op, &["x"], outputs[0], attributes);
    made.domain = "ai.onnx.ml".into();
    made.output = outputs.iter().map(|name| name.to_string()).collect();
    made
}

/// Rows of multiples of 1/32 below 2, so that fixed point holds them as they are.
fn rows(columns: usize, seed: u64) -> Vec<Vec<f32>> {
    let data = noise(ROWS * columns, seed).iter().map(|x| (x * 64.0).round() / 32.0).collect::<Vec<_>>();
    data.chunks(columns).map(<[f32]>::to_vec).collect()
}

fn read(columns: usize, outputs: &[&str], node: NodeProto) -> Result<Model, ModelError> {
    Model::from_bytes(&bytes(&model(vec![declared("x", &[1, columns as i64])], vec![], vec![node], outputs)))
}

/// Compiles the node and compares the float model with what is expected of each row, and the fixed-point one with that.
fn check(outputs: &[&str], node: NodeProto, rows: &[Vec<f32>], expected: impl Fn(&[f32]) -> Vec<Vec<f32>>) -> Compiled {
    let (columns, name) = (rows[0].len(), node.op_type.clone());
    let model = read(columns, outputs, node).unwrap_or_else(|e| panic!("{name}: {e}"));
    for row in rows {
        let input = ArrayD::from_shape_vec(IxDyn(&[1, columns]), row.clone()).unwrap();
        for (found, expected) in model.run_float(&vec![input]).unwrap().iter().zip(expected(row)) {
            let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-5 * b.abs().max(1.0);
            assert!(
                found.len() == expected.len() && found.iter().zip(&expected).all(close),
                "{name}: {found:?} {expected:?}"
            );
        }
    }
    let data = ArrayD::from_shape_vec(IxDyn(&[rows.len(), 1, columns]), rows.concat()).unwrap();
    let compiled = model.compile(&Calibration::from_array(data), &CompileOptions::default(), &mut |_| {});
    let compiled = compiled.unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(compiled.report.largest_error_share < 0.001, "{name}: {}", compiled.report);
    assert!(compiled.report.saturated.is_empty(), "{name}: {:?}", compiled.report.saturated);
    compiled
}

/// An ensemble as its attributes have it.
#[derive(Default, Clone)]
struct Trees {
    tree: Vec<i64>,
    number: Vec<i64>,
    column: Vec<i64>,
    mode: Vec<&'static str>,
    value: Vec<f32>,
    yes: Vec<i64>,
    no: Vec<i64>,
    /// Tree, node, target, weight.
    leaves: Vec<(i64, i64, i64, f32)>,
}

impl Trees {
    /// Trees that split as long as a generator says so. Numbers of nodes are not in order, and have gaps.
    fn random(trees: usize, depth: usize, columns: usize, targets: usize, modes: &[&'static str], seed: u64) -> Self {
        let dice = noise(1 << 16, seed);
        let mut dice = dice.iter().cycle();
        let mut roll = |below: usize| ((dice.next().unwrap() + 1.0) / 2.0 * below as f32) as usize % below;
        let mut made = Self::default();
        for tree in 0..trees as i64 {
            let (mut open, mut next) = (vec![(100, 0)], 100);
            while let Some((number, level)) = open.pop() {
                let splits = level < depth && (level == 0 || roll(4) > 0);
                let mut children = [0, 0];
                if splits {
                    children = [next + 3, next + 7];
                    next += 7;
                    open.extend(children.map(|child| (child, level + 1)));
                } else {
                    for target in 0..targets as i64 {
                        made.leaves.push((tree, number, target, roll(4000) as f32 / 1000.0 - 1.0));
                    }
                }
                made.tree.push(tree);
                made.number.push(number);
                made.column.push(roll(columns) as i64);
                made.mode.push(if splits { modes[roll(modes.len())] } else { "LEAF" });
                // Some thresholds are what some rows have.
                made.value.push((roll(128) as f32 - 64.0) / 64.0);
                made.yes.push(children[0]);
                made.no.push(children[1]);
            }
        }
        made
    }

    fn attributes(&self, kind: &str) -> Vec<AttributeProto> {
        let leaves = |name: &str, of: fn(&(i64, i64, i64, f32)) -> i64| {
            ints(&format!("{kind}_{name}"), &self.leaves.iter().map(of).collect::<Vec<_>>())
        };
        vec![
            ints("nodes_treeids", &self.tree),
            ints("nodes_nodeids", &self.number),
            ints("nodes_featureids", &self.column),
            texts("nodes_modes", &self.mode),
            numbers("nodes_values", self.value.clone()),
            ints("nodes_truenodeids", &self.yes),
            ints("nodes_falsenodeids", &self.no),
            ints("nodes_missing_value_tracks_true", &vec![1; self.tree.len()]),
            leaves("treeids", |leaf| leaf.0),
            leaves("nodeids", |leaf| leaf.1),
            leaves("ids", |leaf| leaf.2),
            numbers(&format!("{kind}_weights"), self.leaves.iter().map(|leaf| leaf.3).collect()),
        ]
    }

    /// The sums of the leaves that a row comes to.
    fn sums(&self, row: &[f32], targets: usize) -> Vec<f32> {
        let mut sums = vec![0.0; targets];
        let trees: std::collections::BTreeSet<i64> = self.tree.iter().copied().collect();
        for tree in trees {
            let place = |number: i64| (0..self.tree.len()).find(|&i| (self.tree[i], self.number[i]) == (tree, number));
            let mut at = place(100).unwrap();
            while self.mode[at] != "LEAF" {
                let (x, value) = (row[self.column[at] as usize], self.value[at]);
                let yes = match self.mode[at] {
                    "BRANCH_LEQ" => x <= value,
                    "BRANCH_LT" => x < value,
                    "BRANCH_GT" => x > value,
                    _ => x >= value,
                };
                at = place(if yes { self.yes[at] } else { self.no[at] }).unwrap();
            }
            for (_, _, target, weight) in self.leaves.iter().filter(|leaf| (leaf.0, leaf.1) == (tree, self.number[at]))
            {
                sums[*target as usize] += weight;
            }
        }
        sums
    }
}

fn regressor(trees: &Trees, more: Vec<AttributeProto>) -> NodeProto {
    table_node("TreeEnsembleRegressor", &["y"], [trees.attributes("target"), more].concat())
}

#[test]
fn trees_are_walked() {
    let strict: &[&str] = &["BRANCH_LEQ", "BRANCH_GT"];
    let shapes = [(1, 1, 1, 1), (1, 5, 3, 1), (7, 4, 4, 1), (3, 6, 5, 3), (20, 3, 2, 2)];
    for (i, (count, depth, columns, targets)) in shapes.into_iter().enumerate() {
        for modes in [strict, &["BRANCH_LT", "BRANCH_GTE"], &["BRANCH_LEQ"]] {
            let trees = Trees::random(count, depth, columns, targets, modes, i as u64 + 1);
            let node = regressor(&trees, vec![int("n_targets", targets as i64)]);
            check(&["y"], node, &rows(columns, 3), |row| vec![trees.sums(row, targets)]);
        }
    }
    // The mean, and what is added to it.
    let trees = Trees::random(4, 3, 3, 2, strict, 5);
    let more =
        vec![int("n_targets", 2), string("aggregate_function", "AVERAGE"), numbers("base_values", vec![0.5, -1.0])];
    check(&["y"], regressor(&trees, more), &rows(3, 3), |row| {
        let sums = trees.sums(row, 2);
        vec![vec![sums[0] / 4.0 + 0.5, sums[1] / 4.0 - 1.0]]
    });
}

/// Ensembles of the same numbers of trees, nodes and steps over the same columns differ in their weights alone.
#[test]
fn what_trees_compare_is_in_the_weights() {
    let honest = Trees::random(4, 3, 3, 1, &["BRANCH_LEQ"], 1);
    let mut other = honest.clone();
    // Each column's part is another's, in roots, too.
    other.column.iter_mut().for_each(|column| *column = (*column + 1) % 3);
    other.value.reverse();
    let program = |trees: &Trees| {
        let compiled = check(&["y"], regressor(trees, vec![]), &rows(3, 3), |row| vec![trees.sums(row, 1)]);
        compiled.program
    };
    let [honest, other] = [&honest, &other].map(program);
    let public = |program: &vouch_program::Program| -> Vec<_> {
        let without = |op: &Op| match op {
            Op::Weight { .. } => Op::Weight { data: vec![] },
            op => op.clone(),
        };
        program.nodes.iter().map(|node| (without(&node.op), node.shape.clone())).collect()
    };
    // Operators have no text, lest weights were printed.
    assert!(public(&honest) == public(&other) && honest.nodes != other.nodes);
}

/// More nodes than one walk can number.
#[test]
fn trees_are_walked_in_groups() {
    let trees = Trees::random(100, 12, 4, 1, &["BRANCH_LEQ"], 9);
    assert!(trees.tree.len() > 1 << 16, "{} nodes", trees.tree.len());
    let input = ArrayD::from_shape_vec(IxDyn(&[1, 4]), vec![0.25, -0.5, 1.0, 0.125]).unwrap();
    let model = read(4, &["y"], regressor(&trees, vec![])).unwrap();
    let (found, expected) = (model.run_float(&vec![input]).unwrap(), trees.sums(&[0.25, -0.5, 1.0, 0.125], 1));
    assert!((found[0][0] - expected[0]).abs() < 1e-3, "{found:?} {expected:?}");
}

#[test]
fn trees_choose_classes() {
    let softmax = |scores: &[f32]| {
        let sum: f32 = scores.iter().map(|x| x.exp()).sum();
        scores.iter().map(|x| x.exp() / sum).collect::<Vec<f32>>()
    };
    let largest = |scores: &[f32]| (0..scores.len()).fold(0, |best, i| if scores[i] > scores[best] { i } else { best });
    let trees = Trees::random(5, 4, 3, 3, &["BRANCH_LEQ"], 2);
    let labels = [40, 10, -2];
    let more = vec![ints("classlabels_int64s", &labels), string("post_transform", "SOFTMAX")];
    let node = table_node("TreeEnsembleClassifier", &["y", "scores"], [trees.attributes("class"), more].concat());
    check(&["y", "scores"], node, &rows(3, 8), |row| {
        let sums = trees.sums(row, 3);
        vec![vec![labels[largest(&sums)] as f32], softmax(&sums)]
    });
    // Two classes by one score, their labels texts.
    let mut trees = Trees::random(5, 4, 3, 1, &["BRANCH_LT"], 2);
    let both = |trees: &Trees, how: &str| {
        let more = vec![texts("classlabels_strings", &["no", "yes"]), string("post_transform", how)];
        table_node("TreeEnsembleClassifier", &["y", "scores"], [trees.attributes("class"), more].concat())
    };
    let logistic = |x: f32| 1.0 / (1.0 + (-x).exp());
    check(&["y", "scores"], both(&trees, "LOGISTIC"), &rows(3, 8), |row| {
        let sum = trees.sums(row, 1)[0];
        vec![vec![(sum > 0.0).into()], vec![logistic(-sum), logistic(sum)]]
    });
    check(&["y", "scores"], both(&trees, "NONE"), &rows(3, 8), |row| {
        let sum = trees.sums(row, 1)[0];
        vec![vec![(sum > 0.0).into()], vec![-sum, sum]]
    });
    // Shares, none of which is negative.
    trees.leaves.iter_mut().for_each(|leaf| leaf.3 = (leaf.3 + 1.0) / 20.0);
    check(&["y", "scores"], both(&trees, "NONE"), &rows(3, 8), |row| {
        let sum = trees.sums(row, 1)[0];
        vec![vec![(sum > 0.5).into()], vec![1.0 - sum, sum]]
    });
}

#[test]
fn linear_models_and_scaling() {
    let (offset, scale) = (vec![0.5, -0.25, 1.0], vec![2.0, 0.125, 1.5]);
    let node = table_node("Scaler", &["y"], vec![numbers("offset", offset.clone()), numbers("scale", scale.clone())]);
    check(&["y"], node, &rows(3, 1), |row| vec![(0..3).map(|i| (row[i] - offset[i]) * scale[i]).collect()]);
    let node = table_node("Scaler", &["y"], vec![numbers("offset", vec![0.5]), numbers("scale", scale.clone())]);
    check(&["y"], node, &rows(3, 1), |row| vec![(0..3).map(|i| (row[i] - 0.5) * scale[i]).collect()]);
    let node = table_node("Binarizer", &["y"], vec![float("threshold", 0.5)]);
    check(&["y"], node, &rows(3, 1), |row| vec![row.iter().map(|&x| (x > 0.5).into()).collect()]);
    for (norm, size) in [("L1", (|x| x.abs()) as fn(f32) -> f32), ("L2", |x| x * x)] {
        let node = table_node("Normalizer", &["y"], vec![string("norm", norm)]);
        check(&["y"], node, &rows(3, 1), |row| {
            let sum: f32 = row.iter().map(|&x| size(x)).sum();
            let norm = if norm == "L2" { sum.sqrt() } else { sum };
            vec![row.iter().map(|x| x / norm.max(1e-6)).collect()]
        });
    }
    let weights = [0.5, -1.0, 0.25, 1.5, 0.75, -0.5];
    let dot = |row: &[f32], target: usize| (0..3).map(|i| weights[3 * target + i] * row[i]).sum::<f32>();
    let node = table_node(
        "LinearRegressor",
        &["y"],
        vec![numbers("coefficients", weights.to_vec()), numbers("intercepts", vec![0.5, 2.0]), int("targets", 2)],
    );
    check(&["y"], node, &rows(3, 1), |row| vec![vec![dot(row, 0) + 0.5, dot(row, 1) + 2.0]]);
    let logistic = |x: f32| 1.0 / (1.0 + (-x).exp());
    let node = table_node(
        "LinearClassifier",
        &["y", "scores"],
        vec![
            numbers("coefficients", weights.to_vec()),
            numbers("intercepts", vec![0.5, 0.25]),
            ints("classlabels_ints", &[1, 0]),
            string("post_transform", "LOGISTIC"),
        ],
    );
    check(&["y", "scores"], node, &rows(3, 1), |row| {
        let scores = [dot(row, 0) + 0.5, dot(row, 1) + 0.25];
        vec![vec![(scores[0] >= scores[1]).into()], scores.map(logistic).to_vec()]
    });
}

/// Columns of very different sizes: a common scale would leave nothing of the small ones.
#[test]
fn columns_have_scales_of_their_own() {
    let sizes = [0.001f32, 1.0, 40_000.0, 16.0];
    let sized = |rows: Vec<Vec<f32>>| -> Vec<Vec<f32>> {
        rows.iter().map(|row| row.iter().zip(sizes).map(|(x, size)| x * size).collect()).collect()
    };
    let own_scales = |compiled: &Compiled| {
        let fracs = &compiled.program.inputs[0].column_fracs;
        assert!(fracs.len() == 4 && fracs[0] > fracs[1] && fracs[1] > fracs[3] && fracs[3] > fracs[2], "{fracs:?}");
    };
    let (offset, scale) = (sizes.map(|s| s / 2.0), sizes.map(|s| 1.5 / s));
    let scaler =
        || table_node("Scaler", &["y"], vec![numbers("offset", offset.into()), numbers("scale", scale.into())]);
    let scaled = |row: &[f32]| vec![(0..4).map(|i| (row[i] - offset[i]) * scale[i]).collect()];
    own_scales(&check(&["y"], scaler(), &sized(rows(4, 1)), scaled));
    let weights = [3000.0, 2.0, -4e-5, 0.125];
    let node = table_node("LinearRegressor", &["y"], vec![numbers("coefficients", weights.into())]);
    own_scales(&check(&["y"], node, &sized(rows(4, 1)), |row| {
        vec![vec![weights.iter().zip(row).map(|(w, x)| w * x).sum()]]
    }));
    // Of a common scale of 1, which is what the third column would have, the first column would be always 0.
    let mut trees = Trees::random(6, 4, 4, 1, &["BRANCH_LEQ"], 5);
    for (value, &column) in trees.value.iter_mut().zip(&trees.column) {
        // Between what rows have.
        *value = ((*value * 32.0).floor() + 0.5) / 32.0 * sizes[column as usize];
    }
    own_scales(&check(&["y"], regressor(&trees, vec![]), &sized(rows(4, 3)), |row| vec![trees.sums(row, 1)]));

    // A value is out of its own column's range.
    let model = read(4, &["y"], scaler()).unwrap();
    let data = ArrayD::from_shape_vec(IxDyn(&[ROWS, 1, 4]), sized(rows(4, 1)).concat()).unwrap();
    let program =
        model.compile(&Calibration::from_array(data), &CompileOptions::default(), &mut |_| {}).unwrap().program;
    let input = |x: f32| vec![ArrayD::from_shape_vec(IxDyn(&[1, 4]), vec![x, 0.5, 30_000.0, 4.0]).unwrap()];
    let integers = vouch_models::quantize_all(&program, &input(0.0007)).unwrap();
    let back = vouch_models::dequantize(&program, &program.inputs[0], &integers[0]).unwrap();
    assert!((back[[0, 0]] - 0.0007).abs() < 1e-6 && (back[[0, 2]] - 30_000.0).abs() < 8.0, "{back}");
    match vouch_models::quantize_all(&program, &input(0.5)) {
        Err(ModelError::OutOfRange { position, hi, .. }) => assert!(position == [0, 0] && hi < 0.01, "{hi}"),
        other => panic!("{other:?}"),
    }
}

/// Where anything but constants' products reads an input, all of it has one scale.
#[test]
fn columns_have_one_scale_where_something_else_reads_them() {
    let rows: Vec<f32> = rows(2, 1).concat().iter().enumerate().map(|(i, x)| x * [0.01, 100.0][i % 2]).collect();
    let data = Calibration::from_array(ArrayD::from_shape_vec(IxDyn(&[ROWS, 1, 2]), rows).unwrap());
    let fracs = |nodes: Vec<NodeProto>, outputs: &[&str]| {
        let constants = vec![
            floats("c", &[2], vec![100.0, 0.01]),
            floats("d", &[2], vec![0.01, 100.0]),
            floats("w", &[2, 2], vec![1.0, 0.5, 0.25, 0.125]),
            integers("i", vec![1, 0]),
        ];
        let model = model(vec![declared("x", &[1, 2])], constants, nodes, outputs);
        let model = Model::from_bytes(&bytes(&model)).unwrap();
        let compiled = model.compile(&data, &CompileOptions::default(), &mut |_| {}).unwrap();
        let columns = compiled.program.inputs[0].column_fracs.len();
        assert!(columns == 0 || compiled.report.largest_error_share < 0.001, "{}", compiled.report);
        columns
    };
    let product = |x: &str, y: &str| node("Mul", &[x, "c"], y, vec![]);
    assert_eq!(fracs(vec![product("x", "y")], &["y"]), 2);
    assert_eq!(fracs(vec![node("Identity", &["x"], "a", vec![]), product("a", "y")], &["y"]), 2);
    let exchanged = node("Gather", &["x", "i"], "a", vec![int("axis", 1)]);
    assert_eq!(fracs(vec![exchanged, node("Mul", &["a", "d"], "y", vec![])], &["y"]), 2);
    assert_eq!(fracs(vec![node("Div", &["x", "d"], "y", vec![])], &["y"]), 2);
    assert_eq!(fracs(vec![product("x", "a"), node("Sub", &["x", "a"], "y", vec![])], &["y"]), 0);
    assert_eq!(fracs(vec![product("x", "y"), node("Identity", &["x"], "z", vec![])], &["y", "z"]), 0);
    assert_eq!(fracs(vec![node("MatMul", &["x", "w"], "y", vec![])], &["y"]), 0);
    assert_eq!(fracs(vec![node("Relu", &["x"], "a", vec![]), product("a", "y")], &["y"]), 0);
}

#[test]
fn support_vectors() {
    let vectors = [[0.5f32, -1.0, 0.25], [1.5, -0.75, 0.5], [1.0, -0.25, 1.25], [0.75, -1.5, 0.0]];
    let (gamma, shift) = (0.25f32, 0.5f32);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let apart = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
    type Kernel = Box<dyn Fn(&[f32], &[f32]) -> f32>;
    let kernels: [(&str, Kernel); 4] = [
        ("LINEAR", Box::new(dot)),
        ("POLY", Box::new(move |a, b| (gamma * dot(a, b) + shift).powi(3))),
        ("SIGMOID", Box::new(move |a, b| (gamma * dot(a, b) + shift).tanh())),
        ("RBF", Box::new(move |a, b| (-gamma * apart(a, b)).exp())),
    ];
    for (kind, kernel) in kernels {
        let own = vec![
            string("kernel_type", kind),
            numbers("kernel_params", vec![gamma, shift, 3.0]),
            numbers("support_vectors", vectors.concat()),
        ];
        let coefficients = [1.0, -0.5, 0.25, 0.75];
        let more =
            vec![numbers("coefficients", coefficients.into()), numbers("rho", vec![0.125]), int("n_supports", 4)];
        let node = table_node("SVMRegressor", &["y"], [own.clone(), more].concat());
        check(&["y"], node, &rows(3, 1), |row| {
            vec![vec![(0..4).map(|v| coefficients[v] * kernel(row, &vectors[v])).sum::<f32>() + 0.125]]
        });
        // Two vectors of the second class, one of each other; of each vector against the other classes in order.
        let (against, rho) = ([[1.0, -0.5, 0.25, 0.75], [0.5, 1.25, -1.0, -0.75]], [0.125, -0.25, 0.0625]);
        let more = vec![
            numbers("coefficients", against.concat()),
            numbers("rho", rho.into()),
            ints("vectors_per_class", &[1, 2, 1]),
            ints("classlabels_ints", &[3, 1, 2]),
        ];
        let node = table_node("SVMClassifier", &["y", "scores"], [own, more].concat());
        check(&["y", "scores"], node, &rows(3, 1), |row| {
            let k: Vec<f32> = vectors.iter().map(|vector| kernel(row, vector)).collect();
            let scores = vec![
                against[0][0] * k[0] + against[0][1] * k[1] + against[0][2] * k[2] + rho[0],
                against[1][0] * k[0] + against[0][3] * k[3] + rho[1],
                against[1][1] * k[1] + against[1][2] * k[2] + against[1][3] * k[3] + rho[2],
            ];
            let wins = |pair: usize| f32::from(scores[pair] > 0.0);
            let votes = [wins(0) + wins(1), 1.0 - wins(0) + wins(2), 2.0 - wins(1) - wins(2)];
            let most = votes.iter().fold(0.0f32, |most, &votes| most.max(votes));
            let class = votes.iter().position(|&votes| votes == most).unwrap();
            vec![vec![[3.0, 1.0, 2.0][class]], scores]
        });
    }
}

#[test]
fn what_is_no_ensemble_is_refused() {
    let refused = |node: NodeProto| match read(3, &["y"], node) {
        Err(ModelError::UnsupportedAttribute { operator, node, attribute, reason }) => {
            assert_eq!((operator.as_str(), node.as_str()), ("TreeEnsembleRegressor", "TreeEnsembleRegressor_y"));
            format!("{attribute} {reason}")
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("was accepted"),
    };
    let honest = || Trees::random(2, 3, 3, 1, &["BRANCH_LEQ"], 1);
    let lie = |change: fn(&mut Trees)| {
        let mut trees = honest();
        change(&mut trees);
        refused(regressor(&trees, vec![]))
    };
    read(3, &["y"], regressor(&honest(), vec![])).unwrap();
    assert!(lie(|t| t.mode[0] = "BRANCH_NEAR").contains("BRANCH_NEAR"));
    assert!(lie(|t| t.mode[0] = "BRANCH_LT").contains("equal to a threshold"));
    assert!(lie(|t| t.yes[0] = 1).contains("is missing"));
    assert!(lie(|t| t.yes[0] = 100).contains("not one tree"));
    assert!(lie(|t| t.yes[0] = t.no[0]).contains("not one tree"));
    assert!(lie(|t| t.number[1] = 100).contains("twice"));
    assert!(lie(|t| t.column[0] = -1).contains("negative"));
    assert!(lie(|t| t.value[0] = f32::NAN).contains("NaN"));
    assert!(lie(|t| t.no.truncate(2)).contains("another length"));
    assert!(lie(|t| t.leaves[0].1 = 100).contains("no leaf"));
    assert!(lie(|t| t.leaves[0].2 = 1).contains("none of the targets"));
    assert!(refused(regressor(&honest(), vec![int("n_targets", i64::MAX)])).contains("too many"));
    assert!(refused(regressor(&honest(), vec![string("post_transform", "PROBIT")])).contains("PROBIT"));
    assert!(refused(regressor(&honest(), vec![int("unheard_of", 1)])).contains("unheard_of"));
}

/// Three nodes, of which the first and the last are roots, and five leaves, as version 5 has them.
#[derive(Clone)]
struct Rooted {
    roots: Vec<i64>,
    columns: Vec<i64>,
    modes: Vec<i64>,
    splits: Vec<f32>,
    yes: [Vec<i64>; 2],
    no: [Vec<i64>; 2],
    targets: Vec<i64>,
}

impl Rooted {
    fn new(mode: i64) -> Self {
        Self {
            roots: vec![0, 2],
            columns: vec![1, 0, 2],
            modes: vec![mode; 3],
            splits: vec![0.25, -0.5, 0.5],
            yes: [vec![0, 1, 3], vec![1; 3]],
            no: [vec![1, 2, 4], vec![0, 1, 1]],
            targets: vec![0; 5],
        }
    }

    const WEIGHTS: [f32; 5] = [0.5, 1.25, -0.75, 1.0, -1.5];

    fn node(&self, more: Vec<AttributeProto>) -> NodeProto {
        let own = vec![
            ints("tree_roots", &self.roots),
            ints("nodes_featureids", &self.columns),
            tensor("nodes_modes", integers("modes", self.modes.clone())),
            tensor("nodes_splits", floats("splits", &[3], self.splits.clone())),
            ints("nodes_truenodeids", &self.yes[0]),
            ints("nodes_trueleafs", &self.yes[1]),
            ints("nodes_falsenodeids", &self.no[0]),
            ints("nodes_falseleafs", &self.no[1]),
            ints("leaf_targetids", &self.targets),
            tensor("leaf_weights", floats("weights", &[5], Self::WEIGHTS.into())),
        ];
        table_node("TreeEnsemble", &["y"], [own, more].concat())
    }
}

#[test]
fn trees_that_are_listed_by_their_roots_are_walked() {
    let compares: [fn(f32, f32) -> bool; 4] = [|x, t| x <= t, |x, t| x < t, |x, t| x >= t, |x, t| x > t];
    let together: [fn(f32, f32) -> f32; 4] = [|a, b| (a + b) / 2.0, |a, b| a + b, f32::min, f32::max];
    for (mode, compare) in (0..).zip(compares) {
        for (number, together) in (0..).zip(together) {
            let node = Rooted::new(mode).node(vec![int("aggregate_function", number)]);
            check(&["y"], node, &rows(3, 7), |row| {
                let low = if compare(row[0], -0.5) { 1 } else { 2 };
                let first = if compare(row[1], 0.25) { 0 } else { low };
                let second = if compare(row[2], 0.5) { 3 } else { 4 };
                vec![vec![together(Rooted::WEIGHTS[first], Rooted::WEIGHTS[second])]]
            });
        }
    }
    // The older form has the same.
    let trees = Trees::random(5, 4, 3, 1, &["BRANCH_LEQ"], 6);
    let each = |row: &[f32]| -> Vec<f32> {
        let only = |tree: i64| {
            let mut one = trees.clone();
            one.leaves.retain(|leaf| leaf.0 == tree);
            one.sums(row, 1)[0]
        };
        (0..5).map(only).collect()
    };
    let least = |row: &[f32]| each(row).into_iter().fold(f32::INFINITY, f32::min);
    check(&["y"], regressor(&trees, vec![string("aggregate_function", "MIN")]), &rows(3, 7), |row| {
        vec![vec![least(row)]]
    });
}

#[test]
fn what_are_no_roots_is_refused() {
    let refused = |node: NodeProto| match read(3, &["y"], node) {
        Err(ModelError::UnsupportedAttribute { attribute, reason, .. }) => format!("{attribute} {reason}"),
        // Tensors are looked at before the node is.
        Err(error) => error.to_string(),
        Ok(_) => panic!("was accepted"),
    };
    let lie = |change: fn(&mut Rooted)| {
        let mut trees = Rooted::new(0);
        change(&mut trees);
        refused(trees.node(vec![]))
    };
    read(3, &["y"], Rooted::new(0).node(vec![])).unwrap();
    assert!(lie(|t| t.roots = vec![]).contains("is empty"));
    assert!(lie(|t| t.roots[1] = 3).contains("no place in the list"));
    assert!(lie(|t| t.roots[1] = 1).contains("more than one place"));
    assert!(lie(|t| t.no[0][0] = 0).contains("more than one place"));
    assert!(lie(|t| t.no[0][0] = -1).contains("no place in the list"));
    assert!(lie(|t| t.yes[0][0] = 5).contains("no place in the list"));
    assert!(lie(|t| t.modes[0] = 6).contains("fewer sets than nodes ask for"));
    assert!(lie(|t| t.modes[0] = 7).contains("7 is none"));
    assert!(lie(|t| t.modes[0] = 1).contains("equal to a threshold"));
    assert!(lie(|t| t.columns[0] = -1).contains("negative"));
    assert!(lie(|t| t.splits[0] = f32::NAN).contains("NaN"));
    assert!(lie(|t| t.no[1].truncate(2)).contains("another length"));
    assert!(lie(|t| t.targets.truncate(4)).contains("another length"));
    assert!(lie(|t| t.targets[0] = 1).contains("none of the targets"));
    let more = |name: &str, value| refused(Rooted::new(0).node(vec![int("n_targets", 2), int(name, value)]));
    assert!(more("aggregate_function", 2).contains("several targets"));
    assert!(more("aggregate_function", 9).contains("9 is none"));
    assert!(more("post_transform", 4).contains("4 is not supported"));
    assert!(more("unheard_of", 1).contains("unheard_of"));
}

#[test]
fn what_encodes_no_numbers_is_refused() {
    let refused = |operator: &str, attributes: Vec<AttributeProto>| match read(
        1,
        &["y"],
        table_node(operator, &["y"], attributes),
    ) {
        Err(ModelError::UnsupportedAttribute { attribute, reason, .. }) => format!("{attribute} {reason}"),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("was accepted"),
    };
    let labels = |keys: AttributeProto, values: AttributeProto| refused("LabelEncoder", vec![keys, values]);
    let (keys, values) = (|keys: &[i64]| ints("keys_int64s", keys), |values: &[i64]| ints("values_int64s", values));
    assert!(labels(keys(&[1, 2]), values(&[3])).contains("a value for each key"));
    assert!(labels(keys(&[1, i64::MIN]), values(&[3, 4])).contains("more than 24 bits"));
    assert!(labels(keys(&[1, 2]), values(&[3, 1 << 24])).contains("more than 24 bits"));
    let more = vec![keys(&[1]), values(&[3]), int("default_int64", i64::MAX)];
    assert!(refused("LabelEncoder", more).contains("more than 24 bits"));
    assert!(refused("LabelEncoder", vec![]).contains("texts are not supported"));
    assert!(refused("OneHotEncoder", vec![]).contains("texts are not supported"));
    assert!(refused("OneHotEncoder", vec![ints("cats_int64s", &[-(1 << 24)])]).contains("more than 24 bits"));
    // As far apart as can be.
    let far = vec![numbers("keys_floats", vec![f32::MIN, f32::MAX]), numbers("values_floats", vec![0.5, 1.0])];
    read(1, &["y"], table_node("LabelEncoder", &["y"], far)).unwrap();
}
