//! Cases of `ai.onnx.ml`, and of what its exporters write beside: rows of numbers, three of them, so that nothing is shared by accident.

use super::cases::Case;
use super::proto::attribute::{self, floats as list, int, ints, text, texts};
use super::proto::{Message, bytes, floats, integers, node, node_of, table_node};

pub fn cases() -> Vec<Case> {
    [numbers(), kinds(), distances(), linear(), vectors(), trees()].into_iter().flatten().collect()
}

const SHAPE: [i64; 2] = [3, 4];

fn table(operator: &'static str, attributes: Vec<Message>) -> Case {
    let nodes = vec![table_node(operator, &["x"], &["y"], &attributes)];
    Case { operators: vec![operator], shape: SHAPE.to_vec(), weights: vec![], nodes }
}

/// Of what gives a class, too, the scores.
fn classified(operator: &'static str, attributes: Vec<Message>) -> Case {
    let scores = node("Identity", &["s"], "y", &[]);
    let nodes = vec![table_node(operator, &["x"], &["class", "s"], &attributes), scores];
    Case { operators: vec![operator], shape: SHAPE.to_vec(), weights: vec![], nodes }
}

fn with(mut attributes: Vec<Message>, more: Vec<Message>) -> Vec<Message> {
    attributes.extend(more);
    attributes
}

/// Of numbers, and of which.
fn numbers() -> Vec<Case> {
    // By the largest element: of whatever sign, and zero.
    let normalized = |moved: &str, by: &[f32], then: Option<&str>| {
        let moved = node(moved, &["x", "by"], "moved", &[]);
        let then = node(then.unwrap_or("Identity"), &["moved"], "then", &[]);
        let norm = table_node("Normalizer", &["then"], &["y"], &[text("norm", "MAX")]);
        let (operators, weights) = (vec!["Normalizer"], vec![floats("by", &[4], by)]);
        Case { operators, shape: SHAPE.to_vec(), weights, nodes: vec![moved, then, norm] }
    };
    let columns = vec![table_node("ArrayFeatureExtractor", &["x", "i"], &["y"], &[])];
    vec![
        table("Scaler", vec![list("offset", &[0.1, -0.4, 0.3, 0.0]), list("scale", &[0.5, 2.0, 1.5, 1.0])]),
        table("Normalizer", vec![text("norm", "L2")]),
        table("Normalizer", vec![text("norm", "L1")]),
        normalized("Add", &[3.0, 0.0, -1.0, 0.5], None),
        normalized("Sub", &[3.0, 4.5, 3.0, 5.0], None),
        normalized("Min", &[0.0; 4], Some("Round")),
        Case {
            operators: vec!["IsNaN"],
            shape: SHAPE.to_vec(),
            weights: vec![floats("other", &[], &[9.0])],
            nodes: vec![node("IsNaN", &["x"], "missing", &[]), node("Where", &["missing", "other", "x"], "y", &[])],
        },
        table("Binarizer", vec![attribute::float("threshold", 0.25)]),
        table("Imputer", vec![list("imputed_value_floats", &[0.5])]),
        Case {
            operators: vec!["FeatureVectorizer"],
            shape: SHAPE.to_vec(),
            weights: vec![],
            nodes: vec![table_node("FeatureVectorizer", &["x", "x"], &["y"], &[ints("inputdimensions", &[4, 4])])],
        },
        Case {
            operators: vec!["ArrayFeatureExtractor"],
            shape: SHAPE.to_vec(),
            weights: vec![integers("i", &[3, 1])],
            nodes: columns,
        },
    ]
}

/// Of numbers that are kinds.
fn kinds() -> Vec<Case> {
    // Of -2, 0 and 2, which are kinds.
    let encoded = |operator: &'static str, integers: bool, attributes: &[Message], back: bool| {
        let kind = node("Cast", &["whole"], "kind", &[int("to", if integers { 7 } else { 1 })]);
        let encoded = table_node(operator, &["kind"], &["encoded"], attributes);
        let numbers = if back {
            node("Cast", &["encoded"], "y", &[int("to", 1)])
        } else {
            node("Identity", &["encoded"], "y", &[])
        };
        let signs = ["low", "high"].map(|by| {
            let (moved, sign) = (format!("{by} moved"), format!("{by} sign"));
            [node("Add", &["x", by], &moved, &[]), node("Sign", &[&moved], &sign, &[])]
        });
        let whole = node("Add", &["low sign", "high sign"], "whole", &[]);
        let nodes = signs.into_iter().flatten().chain([whole, kind, encoded, numbers]).collect();
        let weights = vec![floats("low", &[], &[0.81]), floats("high", &[], &[-0.37])];
        Case { operators: vec![operator], shape: SHAPE.to_vec(), weights, nodes }
    };
    vec![
        encoded("OneHotEncoder", true, &[ints("cats_int64s", &[-2, 3, 2])], false),
        encoded("OneHotEncoder", false, &[ints("cats_int64s", &[0, -2])], false),
        encoded(
            "LabelEncoder",
            true,
            &[
                ints("keys_int64s", &[2, -2, -1]),
                list("values_floats", &[0.5, -1.25, 3.0]),
                attribute::float("default_float", 0.25),
            ],
            false,
        ),
        encoded(
            "LabelEncoder",
            false,
            &[list("keys_floats", &[2.0, -2.0, 1.0]), ints("values_int64s", &[70, 80, -90]), int("default_int64", 5)],
            true,
        ),
        encoded("LabelEncoder", true, &[ints("keys_int64s", &[2, 1000]), ints("values_int64s", &[-3, 4])], true),
    ]
}

/// Of pairs of rows.
fn distances() -> Vec<Case> {
    // The distances of each row from five others: of pairs, and row by row.
    let others: Vec<f32> = (0..20).map(|i| ((i * i * 7) % 23) as f32 / 11.5 - 1.0).collect();
    let pairwise = |metric: &str| {
        let nodes = vec![node_of("com.microsoft", "CDist", &["x", "others"], &["y"], &[text("metric", metric)])];
        let weights = vec![floats("others", &[5, 4], &others)];
        Case { operators: vec!["CDist"], shape: SHAPE.to_vec(), weights, nodes }
    };
    let scanned = |measure: &str, axis: i64| {
        let steps = [
            node("Identity", &["kept"], "keeps", &[]),
            node("Sub", &["kept", "row"], "apart", &[]),
            node("Mul", &["apart", "row"], "by the row", &[]),
            node(measure, &["by the row"], "measured", &[ints("axes", &[axis]), int("keepdims", 0)]),
            node("Add", &["measured", "measured"], "given", &[]),
        ];
        let operands: [(&str, &[i64]); 2] = [("kept", &[3, 4]), ("row", &[4])];
        let body = attribute::body("body", &operands, &steps, &["keeps", "given"]);
        let scan = node_of("", "Scan", &["x", "others"], &["kept", "y"], &[body, int("num_scan_inputs", 1)]);
        let weights = vec![floats("others", &[5, 4], &others)];
        Case { operators: vec!["Scan"], shape: SHAPE.to_vec(), weights, nodes: vec![scan] }
    };
    vec![pairwise("euclidean"), pairwise("sqeuclidean"), scanned("ReduceSumSquare", 1), scanned("ReduceL1", -1)]
}

/// Linear models.
fn linear() -> Vec<Case> {
    let intercepts = || list("intercepts", &[0.2, -0.1]);
    let coefficients = || list("coefficients", &[0.7, -1.2, 0.3, 0.4, -0.6, 0.9, 1.1, -0.2]);
    let labels = || ints("classlabels_ints", &[5, 9]);
    let mut zipped =
        classified("LinearClassifier", vec![coefficients(), ints("classlabels_ints", &[0, 1]), intercepts()]);
    zipped.operators = vec!["LinearClassifier", "ZipMap"];
    zipped.nodes[1] = table_node("ZipMap", &["s"], &["y"], &[ints("classlabels_int64s", &[0, 1])]);
    vec![
        table("LinearRegressor", vec![coefficients(), intercepts(), int("targets", 2)]),
        classified("LinearClassifier", vec![coefficients(), intercepts(), labels(), text("post_transform", "SOFTMAX")]),
        classified(
            "LinearClassifier",
            vec![list("coefficients", &[0.7, -1.2, 0.3, 0.4]), list("intercepts", &[0.2]), labels()],
        ),
        zipped,
    ]
}

/// Support vector machines.
fn vectors() -> Vec<Case> {
    let supports = |kernel: &str| {
        let vectors = [0.5, -1.0, 0.25, 1.5, -0.75, 0.5, 1.0, -0.25, 1.25, 0.75, -1.5, 0.0];
        let parameters = list("kernel_params", &[0.3, 0.5, 2.0]);
        vec![list("support_vectors", &vectors), parameters, text("kernel_type", kernel)]
    };
    let alone = || vec![list("coefficients", &[1.0, -0.6, 0.8]), list("rho", &[0.2]), int("n_supports", 3)];
    // A vector of each class.
    let pairs = || {
        vec![
            list("coefficients", &[1.0, -0.6, 0.8, 0.5, 0.7, -0.9]),
            list("rho", &[0.2, -0.1, 0.05]),
            ints("vectors_per_class", &[1, 1, 1]),
            ints("classlabels_ints", &[4, 5, 6]),
        ]
    };
    let certainty = vec![list("prob_a", &[-1.5, -2.0, 0.7]), list("prob_b", &[0.2, -0.3, 0.1])];
    let mut probable = classified("SVMClassifier", with(supports("RBF"), with(pairs(), certainty)));
    probable.operators = vec!["SVMClassifier", "Identity"];
    vec![
        classified("SVMClassifier", with(supports("RBF"), pairs())),
        probable,
        table("SVMRegressor", with(supports("RBF"), alone())),
        table("SVMRegressor", with(supports("POLY"), alone())),
        table("SVMRegressor", with(supports("SIGMOID"), alone())),
        table("SVMRegressor", with(supports("LINEAR"), alone())),
    ]
}

/// Ensembles of trees.
fn trees() -> Vec<Case> {
    // Two trees of five and three nodes. Each leaf names each of two targets or classes.
    let two = |kind: &str, mode: &str| {
        let leaf = "LEAF";
        vec![
            ints("nodes_treeids", &[0, 0, 0, 0, 0, 1, 1, 1]),
            ints("nodes_nodeids", &[0, 1, 2, 3, 4, 0, 1, 2]),
            ints("nodes_featureids", &[2, 0, 0, 0, 0, 3, 0, 0]),
            texts("nodes_modes", &[mode, leaf, mode, leaf, leaf, mode, leaf, leaf]),
            list("nodes_values", &[0.31, 0.0, -0.52, 0.0, 0.0, 0.07, 0.0, 0.0]),
            ints("nodes_truenodeids", &[1, 0, 3, 0, 0, 1, 0, 0]),
            ints("nodes_falsenodeids", &[2, 0, 4, 0, 0, 2, 0, 0]),
            ints(&format!("{kind}_treeids"), &[0, 0, 0, 0, 0, 0, 1, 1, 1, 1]),
            ints(&format!("{kind}_nodeids"), &[1, 1, 3, 3, 4, 4, 1, 1, 2, 2]),
            ints(&format!("{kind}_ids"), &[0, 1, 0, 1, 0, 1, 0, 1, 0, 1]),
            list(&format!("{kind}_weights"), &[0.2, 0.8, 0.9, 0.1, 0.4, 0.6, 1.0, 0.0, 0.3, 0.7]),
        ]
    };
    // The same trees as version 5 has them, with a number for each leaf.
    let rooted = |modes: [u8; 3], splits: [f32; 3], together: i64, targets: &[i64]| {
        let tensor = attribute::tensor;
        let count = 1 + targets.iter().max().unwrap_or(&0);
        vec![
            ints("tree_roots", &[0, 2]),
            ints("nodes_featureids", &[2, 0, 3]),
            tensor("nodes_modes", bytes("modes", &[3], &modes)),
            tensor("nodes_splits", floats("splits", &[3], &splits)),
            ints("nodes_truenodeids", &[0, 1, 3]),
            ints("nodes_trueleafs", &[1, 1, 1]),
            ints("nodes_falsenodeids", &[1, 2, 4]),
            ints("nodes_falseleafs", &[0, 1, 1]),
            ints("leaf_targetids", targets),
            tensor("leaf_weights", floats("weights", &[5], &[0.2, 0.9, -0.4, 1.0, 0.3])),
            int("n_targets", count),
            int("aggregate_function", together),
        ]
    };
    let listed = |mode: u8, together: i64, targets: &[i64]| {
        table("TreeEnsemble", rooted([mode; 3], [0.31, -0.52, 0.07], together, targets))
    };
    // Of whole numbers, which are those that are asked for.
    let asking = |modes: [u8; 3], splits: [f32; 3], sets: &[f32]| {
        let mut attributes = rooted(modes, splits, 1, &[0; 5]);
        if !sets.is_empty() {
            let sets = floats("sets", &[sets.len() as i64], sets);
            attributes.push(attribute::tensor("membership_values", sets));
        }
        let trees = table_node("TreeEnsemble", &["whole"], &["y"], &attributes);
        let nodes = vec![node("Round", &["x"], "whole", &[]), trees];
        Case { operators: vec!["TreeEnsemble"], shape: SHAPE.to_vec(), weights: vec![], nodes }
    };
    // A set, as a chain of nodes that all lead to the same one.
    let chained = || {
        let modes = ["BRANCH_EQ", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF"];
        let attributes = [
            ints("nodes_treeids", &[0; 7]),
            ints("nodes_nodeids", &[0, 1, 2, 3, 4, 5, 6]),
            ints("nodes_featureids", &[2, 2, 2, 3, 0, 0, 0]),
            texts("nodes_modes", &modes),
            list("nodes_values", &[1.0, -1.0, 2.0, 0.5, 0.0, 0.0, 0.0]),
            ints("nodes_truenodeids", &[3, 3, 4, 5, 0, 0, 0]),
            ints("nodes_falsenodeids", &[1, 2, 3, 6, 0, 0, 0]),
            ints("target_treeids", &[0; 3]),
            ints("target_nodeids", &[4, 5, 6]),
            ints("target_ids", &[0; 3]),
            list("target_weights", &[0.2, 0.9, -0.4]),
            int("n_targets", 1),
        ];
        let trees = table_node("TreeEnsembleRegressor", &["whole"], &["y"], &attributes);
        let nodes = vec![node("Round", &["x"], "whole", &[]), trees];
        Case { operators: vec!["TreeEnsembleRegressor"], shape: SHAPE.to_vec(), weights: vec![], nodes }
    };
    let labels = || ints("classlabels_int64s", &[7, -3]);
    let choice = table_node(
        "TreeEnsembleClassifier",
        &["x"],
        &["y", "scores"],
        &with(two("class", "BRANCH_LT"), vec![labels()]),
    );
    let operators = vec!["TreeEnsembleClassifier"];
    let chosen = Case { operators, shape: SHAPE.to_vec(), weights: vec![], nodes: vec![choice] };
    vec![
        table("TreeEnsembleRegressor", with(two("target", "BRANCH_LEQ"), vec![int("n_targets", 2)])),
        chained(),
        listed(0, 1, &[0; 5]),
        listed(3, 0, &[0, 1, 0, 1, 1]),
        listed(1, 2, &[0; 5]),
        listed(2, 3, &[0; 5]),
        asking([4, 5, 4], [1.0, -0.0, -1.0], &[]),
        asking([6, 0, 6], [0.0, -1.0, 0.0], &[-2.0, 1.0, f32::NAN, 0.0, 2.0, -1.0, f32::NAN]),
        asking([2, 6, 5], [0.0, 0.0, 1.0], &[0.0]),
        classified("TreeEnsembleClassifier", with(two("class", "BRANCH_LT"), vec![labels()])),
        chosen,
    ]
}
