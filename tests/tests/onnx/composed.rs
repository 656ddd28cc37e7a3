//! Operators that are sums, picks and orders of others: a small model of each.

use super::cases::{Case, one, plain, weight};
use super::proto::{Message, attribute, floats, indices, integers, node};
use attribute::{float, int, ints, text};

pub fn cases() -> Vec<Case> {
    let mut cases = curves();
    cases.extend(reductions());
    cases.extend(places());
    cases.extend(products());
    cases
}

/// Functions of an angle and their inverses, where they have values; and what is left of a division.
fn curves() -> Vec<Case> {
    let mut cases: Vec<Case> =
        ["Asinh", "Atan", "Cos", "Cosh", "Sin", "Sinh"].map(|operator| plain(operator, &[7])).into();
    let within = |operator: &'static str, factor: f32, shift: f32| Case {
        operators: vec!["Mul", "Add", operator],
        shape: vec![7],
        weights: vec![floats("factor", &[1], &[factor]), floats("shift", &[1], &[shift]), integers("all", &[7, 1])],
        // Shaped anew, so that all do not become one function.
        nodes: vec![
            node("Mul", &["x", "factor"], "m", &[]),
            node("Add", &["m", "shift"], "a", &[]),
            node("Reshape", &["a", "all"], "r", &[]),
            node(operator, &["r"], "y", &[]),
        ],
    };
    cases.extend([
        within("Acos", 0.45, 0.0),
        within("Acosh", 0.9, 3.0),
        within("Asin", 0.45, 0.0),
        within("Atanh", 0.45, 0.0),
        within("Tan", 0.5, 0.0),
        one("Shrink", &[7], &["x"], vec![], vec![float("lambd", 0.75), float("bias", 0.25)]),
        one("Swish", &[7], &["x"], vec![], vec![float("alpha", 1.5)]),
        one("Mod", &[7], &["x", "d"], vec![floats("d", &[], &[0.625])], vec![int("fmod", 1)]),
    ]);
    cases
}

fn reductions() -> Vec<Case> {
    let mut cases: Vec<Case> = ["ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceSumSquare"]
        .map(|operator| one(operator, &[2, 3, 5], &["x"], vec![], vec![ints("axes", &[1, -1])]))
        .into();
    let all = || vec![int("keepdims", 0)];
    cases.extend([
        one("ReduceL2", &[2, 3], &["x"], vec![], all()),
        one("ReduceLogSumExp", &[2, 3], &["x"], vec![], all()),
        one("ReduceLogSumExp", &[2, 3], &["x"], vec![], vec![ints("axes", &[0]), int("keepdims", 0)]),
        one("ReduceProd", &[2, 3, 2], &["x"], vec![], vec![ints("axes", &[1])]),
        one("ReduceProd", &[2, 5], &["x"], vec![], vec![ints("axes", &[-1]), int("keepdims", 0)]),
        one("LpNormalization", &[3, 4], &["x"], vec![], vec![int("axis", 1)]),
        one("LpNormalization", &[3, 4], &["x"], vec![], vec![int("p", 1), int("axis", 0)]),
        one("Mean", &[2, 3], &["x", "c", "x"], vec![weight("c", &[3])], vec![]),
        one("MeanVarianceNormalization", &[2, 3, 2, 2], &["x"], vec![], vec![]),
        one("RMSNormalization", &[3, 8], &["x", "s"], vec![weight("s", &[8])], vec![]),
        one("LpPool", &[1, 2, 4, 5], &["x"], vec![], vec![ints("kernel_shape", &[2, 3]), ints("pads", &[0, 1, 0, 1])]),
        one("LpPool", &[1, 2, 6], &["x"], vec![], vec![ints("kernel_shape", &[2]), int("p", 1), ints("strides", &[2])]),
        one("LRN", &[1, 5, 2, 2], &["x"], vec![], vec![int("size", 3), float("alpha", 0.5), float("bias", 1.25)]),
        Case {
            operators: vec!["Softplus", "ReduceLogSum"],
            shape: vec![3, 5],
            weights: vec![],
            nodes: vec![
                node("Softplus", &["x"], "p", &[]),
                node("ReduceLogSum", &["p"], "y", &[ints("axes", &[1]), int("keepdims", 0)]),
            ],
        },
    ]);
    let axis = |axis: i64| vec![integers("a", &[axis])];
    cases.extend([
        one("CumSum", &[3, 4], &["x", "a"], axis(1), vec![]),
        one("CumSum", &[3, 2, 4], &["x", "a"], axis(-3), vec![int("reverse", 1), int("exclusive", 1)]),
    ]);
    cases
}

/// What is at places, and which places.
fn places() -> Vec<Case> {
    let shaped = |flat: &[i64], dims: &[i64]| vec![integers("flat", flat), integers("dims", dims)];
    let picked = |flat: &[i64], dims: &[i64], batch: i64| Case {
        operators: vec!["GatherND"],
        shape: vec![3, 4, 2],
        weights: shaped(flat, dims),
        nodes: vec![
            node("Reshape", &["flat", "dims"], "i", &[]),
            node("GatherND", &["x", "i"], "y", &[int("batch_dims", batch)]),
        ],
    };
    let replaced = |operator: &'static str, flat: &[i64], dims: &[i64], updates: &[i64], attributes: Vec<Message>| {
        let mut weights = shaped(flat, dims);
        weights.push(weight("u", updates));
        let nodes =
            vec![node("Reshape", &["flat", "dims"], "i", &[]), node(operator, &["x", "i", "u"], "y", &attributes)];
        Case { operators: vec![operator], shape: vec![4, 3], weights, nodes }
    };
    let largest = |which: i64| Case {
        operators: vec!["TopK"],
        shape: vec![3, 5],
        weights: vec![integers("k", &[3])],
        nodes: vec![
            node("TopK", &["x", "k"], "values", &[int("largest", which), int("axis", 1)]).text(2, "places"),
            // So that both results count.
            node("Cast", &["places"], "numbers", &[int("to", 1)]),
            node("Add", &["values", "numbers"], "y", &[]),
        ],
    };
    let hot = |axis: i64, values: &[f32]| Case {
        operators: vec!["ArgMax", "OneHot"],
        shape: vec![3, 4],
        weights: vec![integers("depth", &[4]), floats("values", &[2], values)],
        nodes: vec![
            node("ArgMax", &["x"], "p", &[int("axis", 1), int("keepdims", 0)]),
            node("OneHot", &["p", "depth", "values"], "y", &[int("axis", axis)]),
        ],
    };
    vec![
        // In even steps, and not.
        picked(&[0, 0, 0, 2, 2, 0, 2, 2], &[2, 2, 2], 0),
        picked(&[0, 3, 2, 1, 1, -1], &[3, 2], 0),
        picked(&[1, 0, 3], &[3, 1], 1),
        replaced("ScatterND", &[3, 0], &[2, 1], &[2, 3], vec![]),
        replaced("ScatterND", &[0, 1, 2, -1], &[2, 2], &[2], vec![]),
        replaced("ScatterElements", &[2, 0, 1, 1, 3, 0], &[2, 3], &[2, 3], vec![]),
        replaced("ScatterElements", &[1, -1, 0], &[3, 1], &[3, 1], vec![int("axis", 1)]),
        largest(1),
        largest(0),
        Case {
            operators: vec!["TopK"],
            shape: vec![2, 3, 2],
            weights: vec![integers("k", &[2])],
            nodes: vec![node("TopK", &["x", "k"], "y", &[int("axis", 1)]).text(2, "places")],
        },
        // Windows that lie over each other: a view.
        Case {
            operators: vec!["Gather"],
            shape: vec![2, 6],
            weights: shaped(&[0, 1, 2, 2, 3, 4], &[2, 3]),
            nodes: vec![
                node("Reshape", &["flat", "dims"], "i", &[]),
                node("Gather", &["x", "i"], "y", &[int("axis", 1)]),
            ],
        },
        Case {
            operators: vec!["ArgMax", "CastLike"],
            shape: vec![3, 4],
            weights: vec![],
            nodes: vec![
                node("ArgMax", &["x"], "p", &[int("axis", 1)]),
                node("CastLike", &["p", "x"], "n", &[]),
                node("Add", &["n", "x"], "y", &[]),
            ],
        },
        // To integers, and what is left of a division of such.
        Case {
            operators: vec!["Mul", "Cast", "Div", "Mod"],
            shape: vec![7],
            weights: vec![floats("ten", &[], &[10.0]), integers("three", &[3])],
            nodes: vec![
                node("Mul", &["x", "ten"], "m", &[]),
                node("Cast", &["m"], "whole", &[int("to", 7)]),
                node("Div", &["whole", "three"], "thirds", &[]),
                node("Mod", &["whole", "three"], "rest", &[]),
                node("Add", &["thirds", "rest"], "both", &[]),
                node("Cast", &["both"], "y", &[int("to", 1)]),
            ],
        },
        hot(-1, &[0.0, 1.0]),
        hot(0, &[-0.5, 2.25]),
        one(
            "Scatter",
            &[2, 3],
            &["x", "i", "u"],
            vec![indices("i", &[1, 2], &[2, 0]), weight("u", &[1, 2])],
            vec![int("axis", 1)],
        ),
        one("Hardmax", &[2, 3, 4], &["x"], vec![], vec![int("axis", 1)]),
        one("ArgMin", &[2, 5], &["x"], vec![], vec![int("axis", 1)]),
        one("Trilu", &[2, 3, 4], &["x"], vec![], vec![]),
        Case {
            operators: vec!["Trilu"],
            shape: vec![3, 4],
            weights: vec![integers("k", &[-1]), integers("none", &[])],
            nodes: vec![
                node("Reshape", &["k", "none"], "diagonal", &[]),
                node("Trilu", &["x", "diagonal"], "y", &[int("upper", 0)]),
            ],
        },
    ]
}

/// Sums of products over named axes, blocks in columns, and a recurrence of one gate.
fn products() -> Vec<Case> {
    let sum = |equation: &str, inputs: &[&str], weights: Vec<Message>| {
        one("Einsum", &[2, 3, 4], inputs, weights, vec![text("equation", equation)])
    };
    let steps = vec![weight("w", &[2, 2, 3]), weight("r", &[2, 2, 2]), weight("b", &[2, 4])];
    let both = vec![int("hidden_size", 2), text("direction", "bidirectional")];
    let blocks = [integers("image", &[4, 5]), integers("block", &[2, 3])];
    vec![
        Case {
            operators: vec!["Gemm", "Flatten"],
            shape: vec![2, 2],
            weights: vec![weight("w", &[2, 2])],
            nodes: vec![
                node("Flatten", &["x"], "f", &[]),
                node("Gemm", &["x", "w", "f"], "y", &[float("beta", 0.5), float("alpha", 2.0), int("transB", 1)]),
            ],
        },
        sum("bij,bkj->bik", &["x", "x"], vec![]),
        sum("...ij,kj->...ki", &["x", "w"], vec![weight("w", &[5, 4])]),
        sum("w,biw", &["w", "x"], vec![weight("w", &[4])]),
        sum("bij->jb", &["x"], vec![]),
        sum("b i j -> i j b", &["x"], vec![]),
        one(
            "Col2Im",
            &[1, 12, 6],
            &["x", "image", "block"],
            blocks.to_vec(),
            vec![ints("strides", &[1, 2]), ints("pads", &[0, 1, 0, 0])],
        ),
        one("RNN", &[2, 1, 3], &["x", "w", "r", "b"], steps, both),
    ]
}
