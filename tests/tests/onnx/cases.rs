//! A small model of each supported operator.

use super::proto::{Message, attribute, floats, integers, node};
use super::tables;

/// From -1 to 1, the same everywhere.
pub fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut step = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    step();
    (0..count).map(|_| step()).collect()
}

pub fn weight(name: &str, dims: &[i64]) -> Message {
    floats(name, dims, &noise(dims.iter().product::<i64>() as usize, dims.len() as u32 + name.len() as u32))
}

pub struct Case {
    /// The operators that it is about.
    pub operators: Vec<&'static str>,
    pub shape: Vec<i64>,
    pub weights: Vec<Message>,
    pub nodes: Vec<Message>,
}

/// One operator alone.
pub fn one(
    operator: &'static str,
    shape: &[i64],
    inputs: &[&str],
    weights: Vec<Message>,
    attributes: Vec<Message>,
) -> Case {
    let nodes = vec![node(operator, inputs, "y", &attributes)];
    Case { operators: vec![operator], shape: shape.to_vec(), weights, nodes }
}

/// One operator without weights or attributes.
pub fn plain(operator: &'static str, shape: &[i64]) -> Case {
    one(operator, shape, &["x"], vec![], vec![])
}

pub fn cases() -> Vec<Case> {
    use attribute::{float, int, ints, tensor};
    let image = [1, 3, 5, 6];
    let kernel = || ints("kernel_shape", &[3, 2]);
    let pads = || ints("pads", &[1, 0, 1, 1]);
    let strides = || ints("strides", &[2, 1]);
    let mut cases = vec![
        one("ArgMax", &[2, 5], &["x"], vec![], vec![int("axis", 1)]),
        one("AveragePool", &image, &["x"], vec![], vec![kernel(), pads(), strides()]),
        one("MaxPool", &image, &["x"], vec![], vec![kernel(), pads(), strides()]),
        plain("GlobalAveragePool", &image),
        plain("GlobalMaxPool", &image),
        one("ReduceMean", &[2, 3, 5], &["x"], vec![], vec![ints("axes", &[1]), int("keepdims", 0)]),
        one(
            "Conv",
            &image,
            &["x", "w", "b"],
            vec![weight("w", &[4, 3, 3, 2]), weight("b", &[4])],
            vec![pads(), strides()],
        ),
        one("Conv", &image, &["x", "w"], vec![weight("w", &[3, 1, 2, 2])], vec![int("group", 3)]),
        one(
            "Gemm",
            &[2, 5],
            &["x", "w", "b"],
            vec![weight("w", &[3, 5]), weight("b", &[3])],
            vec![int("transB", 1), float("alpha", 0.5)],
        ),
        one("MatMul", &[2, 3, 5], &["x", "w"], vec![weight("w", &[5, 4])], vec![]),
        one("HardSigmoid", &[7], &["x"], vec![], vec![float("alpha", 0.4), float("beta", 0.3)]),
        one("LeakyRelu", &[7], &["x"], vec![], vec![float("alpha", 0.2)]),
        plain("HardSwish", &[7]),
        plain("Relu", &[7]),
        plain("Sigmoid", &[7]),
        plain("Tanh", &[7]),
        plain("Identity", &[7]),
        plain("Dropout", &[7]),
        one("Clip", &[7], &["x", "lo", "hi"], vec![floats("lo", &[], &[-0.5]), floats("hi", &[], &[1.25])], vec![]),
        one("Flatten", &image, &["x"], vec![], vec![int("axis", 2)]),
        one("Reshape", &[6, 4], &["x", "s"], vec![integers("s", &[3, -1])], vec![]),
        one("Transpose", &[2, 3, 5], &["x"], vec![], vec![ints("perm", &[2, 0, 1])]),
        one("Squeeze", &[1, 3, 1], &["x", "a"], vec![integers("a", &[0])], vec![]),
        one("Unsqueeze", &[3, 5], &["x", "a"], vec![integers("a", &[1])], vec![]),
        one("Concat", &[2, 3], &["x", "c", "x"], vec![weight("c", &[2, 2])], vec![int("axis", 1)]),
        one("Pad", &[2, 3], &["x", "p", "c"], vec![integers("p", &[1, 0, 0, 2]), floats("c", &[], &[0.75])], vec![]),
        one(
            "Slice",
            &[6, 7],
            &["x", "from", "to", "axes", "step"],
            vec![
                integers("from", &[-1, 1]),
                integers("to", &[-100, 6]),
                integers("axes", &[0, 1]),
                integers("step", &[-2, 3]),
            ],
            vec![],
        ),
        one(
            "BatchNormalization",
            &[1, 3, 4],
            &["x", "s", "b", "m", "v"],
            vec![weight("s", &[3]), weight("b", &[3]), weight("m", &[3]), floats("v", &[3], &[0.5, 1.0, 2.0])],
            vec![],
        ),
        // Two computed operands.
        Case {
            operators: vec!["Transpose", "MatMul", "Relu"],
            shape: vec![2, 3, 5],
            weights: vec![],
            nodes: vec![
                node("Transpose", &["x"], "t", &[ints("perm", &[0, 2, 1])]),
                node("MatMul", &["x", "t"], "p", &[]),
                node("Relu", &["p"], "y", &[]),
            ],
        },
        // A residual block: the input has two readers, and a constant comes as a node.
        Case {
            operators: vec!["Conv", "Constant", "Mul", "Add", "Sigmoid"],
            shape: vec![1, 3, 5, 5],
            weights: vec![weight("w", &[3, 3, 3, 3])],
            nodes: vec![
                node("Conv", &["x", "w"], "c", &[ints("pads", &[1, 1, 1, 1])]),
                node("Constant", &[], "k", &[tensor("value", floats("", &[3, 1, 1], &[0.5, -1.5, 1.0]))]),
                node("Mul", &["c", "k"], "m", &[]),
                node("Add", &["m", "x"], "s", &[]),
                node("Sigmoid", &["s"], "y", &[]),
            ],
        },
    ];
    cases.extend(functions());
    cases.extend(shares());
    cases.extend(quotients());
    cases.extend(steps());
    cases.extend(truths());
    cases.extend(movements());
    cases.extend(tables::cases());
    cases.extend(super::composed::cases());
    cases.extend(super::quantized::cases());
    for operator in ["Add", "Sub", "Mul", "Div"] {
        cases.push(one(operator, &[2, 3], &["x", "c"], vec![floats("c", &[3], &[0.7, -1.3, 2.0])], vec![]));
        if operator != "Div" {
            cases.push(one(operator, &[2, 3], &["x", "x"], vec![], vec![]));
        }
    }
    cases
}

/// Functions of one variable, and what is largest or least.
fn functions() -> Vec<Case> {
    use attribute::{float, ints, text};
    let mut cases: Vec<Case> = [
        "Abs", "Ceil", "Celu", "Elu", "Erf", "Exp", "Floor", "Gelu", "Mish", "Neg", "Round", "Selu", "Sign",
        "Softplus", "Softsign",
    ]
    .map(|operator| plain(operator, &[7]))
    .into();
    // Of what is positive, and shaped anew, so that both do not become one function.
    for operator in ["Log", "Reciprocal", "Sqrt"] {
        let nodes = vec![
            node("Sigmoid", &["x"], "s", &[]),
            node("Flatten", &["s"], "f", &[]),
            node(operator, &["f"], "y", &[]),
        ];
        cases.push(Case { operators: vec!["Sigmoid", operator], shape: vec![7], weights: vec![], nodes });
    }
    // What several operators spell out: a function of one variable, and a normalization.
    cases.push(Case {
        operators: vec!["Sigmoid", "Mul"],
        shape: vec![2, 3],
        weights: vec![],
        nodes: vec![node("Sigmoid", &["x"], "s", &[]), node("Mul", &["x", "s"], "y", &[])],
    });
    let last = || [ints("axes", &[-1]), attribute::int("keepdims", 1)];
    cases.push(Case {
        operators: vec!["ReduceMean", "Sub", "Pow", "Add", "Sqrt", "Div", "Mul"],
        shape: vec![3, 8],
        weights: vec![floats("two", &[], &[2.0]), floats("e", &[], &[1e-5]), weight("g", &[8]), weight("b", &[8])],
        nodes: vec![
            node("ReduceMean", &["x"], "m", &last()),
            node("Sub", &["x", "m"], "d", &[]),
            node("Pow", &["d", "two"], "p", &[]),
            node("ReduceMean", &["p"], "v", &last()),
            node("Add", &["v", "e"], "a", &[]),
            node("Sqrt", &["a"], "s", &[]),
            node("Div", &["d", "s"], "n", &[]),
            node("Mul", &["n", "g"], "k", &[]),
            node("Add", &["k", "b"], "y", &[]),
        ],
    });
    let slopes = floats("s", &[3, 1], &[0.25, -0.5, 1.5]);
    let constants = || vec![floats("c", &[3], &[0.7, -1.3, 0.2]), floats("d", &[], &[0.1])];
    cases.extend([
        one("Gelu", &[7], &["x"], vec![], vec![text("approximate", "tanh")]),
        one("ThresholdedRelu", &[7], &["x"], vec![], vec![float("alpha", 0.5)]),
        one("Pow", &[7], &["x", "e"], vec![floats("e", &[], &[3.0])], vec![]),
        one("PRelu", &[2, 3, 4], &["x", "s"], vec![slopes], vec![]),
        one("Max", &[2, 3], &["x", "c", "d"], constants(), vec![]),
        one("Min", &[2, 3], &["x", "c", "d"], constants(), vec![]),
        one("Sum", &[2, 3], &["x", "c", "d", "x"], constants(), vec![]),
        one("ReduceMax", &[2, 3, 5], &["x"], vec![], vec![ints("axes", &[0, 2])]),
        one("ReduceMin", &[2, 3, 5], &["x"], vec![], vec![ints("axes", &[1])]),
        one("ReduceSum", &[2, 3, 5], &["x", "a"], vec![integers("a", &[-1])], vec![]),
    ]);
    cases
}

/// Exponentials by their sum: along each axis, of one element, and of more than a narrow maximum could show.
fn shares() -> Vec<Case> {
    let along = |shape: &[i64], axis| one("Softmax", shape, &["x"], vec![], vec![attribute::int("axis", axis)]);
    let later: Vec<f32> = (0..25).map(|at| if at % 5 > at / 5 { f32::NEG_INFINITY } else { 0.0 }).collect();
    let masked = Case {
        operators: vec!["Add", "Softmax"],
        shape: vec![2, 5, 5],
        weights: vec![floats("m", &[5, 5], &later)],
        nodes: vec![node("Add", &["x", "m"], "s", &[]), node("Softmax", &["s"], "y", &[])],
    };
    vec![
        masked,
        plain("Softmax", &[2, 3, 5]),
        along(&[2, 3, 5], 1),
        along(&[3, 1], 1),
        along(&[1, 40], -1),
        plain("LogSoftmax", &[3, 5]),
    ]
}

/// Normalizations, and quotients of what is computed.
fn quotients() -> Vec<Case> {
    use attribute::{float, int};
    let factors = |count: i64| vec![weight("s", &[count]), weight("b", &[count])];
    let by_root = |nodes: Vec<Message>| Case {
        operators: vec!["Div", "Abs", "Add"],
        shape: vec![2, 3],
        weights: vec![floats("c", &[], &[0.4])],
        nodes,
    };
    vec![
        one("LayerNormalization", &[2, 3, 6], &["x", "s", "b"], factors(6), vec![]),
        one("LayerNormalization", &[2, 8], &["x", "s"], factors(8), vec![float("epsilon", 0.1)]),
        one("InstanceNormalization", &[1, 3, 4, 5], &["x", "s", "b"], factors(3), vec![]),
        one("GroupNormalization", &[1, 4, 3, 2], &["x", "s", "b"], factors(2), vec![int("num_groups", 2)]),
        by_root(vec![
            node("Abs", &["x"], "a", &[]),
            node("Add", &["a", "c"], "d", &[]),
            node("Div", &["x", "d"], "y", &[]),
        ]),
        by_root(vec![
            node("Abs", &["x"], "a", &[]),
            node("Add", &["a", "c"], "d", &[]),
            node("Div", &["c", "d"], "y", &[]),
        ]),
    ]
}

/// Two steps of two hidden places; both ways, and with an initial state.
fn steps() -> Vec<Case> {
    use attribute::{int, text};
    let shape = [2, 1, 3];
    let weights = |directions: i64, gates: i64| {
        let mut weights = vec![weight("w", &[directions, gates * 2, 3]), weight("r", &[directions, gates * 2, 2])];
        weights.push(weight("b", &[directions, 2 * gates * 2]));
        weights
    };
    let both = || vec![int("hidden_size", 2), text("direction", "bidirectional")];
    let mut with_state = weights(1, 3);
    with_state.push(weight("h", &[1, 1, 2]));
    let after = vec![int("hidden_size", 2), int("linear_before_reset", 1)];
    vec![
        one("LSTM", &shape, &["x", "w", "r", "b"], weights(2, 4), both()),
        one("GRU", &shape, &["x", "w", "r", "b"], weights(2, 3), both()),
        one("GRU", &shape, &["x", "w", "r", "b", "", "h"], with_state, after),
    ]
}

/// Comparisons of the input with constants, logic on two of them, and a choice.
fn truths() -> Vec<Case> {
    use attribute::int;
    const FLOAT: i64 = 1;
    let constants = || vec![floats("c", &[3], &[0.3, -0.4, 1.1]), floats("d", &[], &[0.6])];
    let case = |operators: Vec<&'static str>, nodes| Case { operators, shape: vec![2, 3], weights: constants(), nodes };
    let as_floats = |name: &str| node("Cast", &[name], "y", &[int("to", FLOAT)]);
    let mut cases: Vec<Case> = ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"]
        .map(|operator| case(vec![operator, "Cast"], vec![node(operator, &["x", "c"], "b", &[]), as_floats("b")]))
        .into();
    let compared = || [node("Greater", &["x", "c"], "p", &[]), node("Less", &["x", "d"], "q", &[])];
    for operator in ["And", "Or", "Xor"] {
        let last = [node(operator, &["p", "q"], "b", &[]), as_floats("b")];
        cases.push(case(vec!["Greater", "Less", operator, "Cast"], compared().into_iter().chain(last).collect()));
    }
    let [first, _] = compared();
    cases.push(case(vec!["Not"], vec![first.clone(), node("Not", &["p"], "b", &[]), as_floats("b")]));
    for (a, b) in [("x", "d"), ("c", "x"), ("c", "d")] {
        cases.push(case(vec!["Where"], vec![first.clone(), node("Where", &["p", a, b], "y", &[])]));
    }
    cases
}

/// What moves, repeats and interpolates.
fn movements() -> Vec<Case> {
    use attribute::{branch, int, ints, text};
    let image = [1, 3, 4, 5];
    let scales = |scales: &[f32]| floats("s", &[4], scales);
    let resized = |mode: &str, coordinates: &str, factors: &[f32]| {
        let attributes = vec![text("mode", mode), text("coordinate_transformation_mode", coordinates)];
        one("Resize", &image, &["x", "", "s"], vec![scales(factors)], attributes)
    };
    let transposed = |group: i64, weights: &[i64]| {
        let attributes = vec![int("group", group), ints("strides", &[2, 1]), ints("pads", &[1, 0, 0, 1])];
        one(
            "ConvTranspose",
            &image,
            &["x", "w", "b"],
            vec![weight("w", weights), weight("b", &[weights[1] * group])],
            attributes,
        )
    };
    let split = node("Split", &["x", "n"], "a", &[int("axis", 1)]).text(2, "b");
    vec![
        one("Gather", &[4, 5], &["x", "i"], vec![integers("i", &[3, 0, -1])], vec![int("axis", 1)]),
        one("Gather", &[4, 5], &["x", "i"], vec![integers("i", &[1, 3])], vec![]),
        Case {
            operators: vec!["ArgMax", "GatherElements"],
            shape: vec![4, 6],
            weights: vec![],
            nodes: vec![
                node("ArgMax", &["x"], "p", &[int("axis", 1)]),
                node("GatherElements", &["x", "p"], "y", &[int("axis", 1)]),
            ],
        },
        Case {
            operators: vec!["ArgMax", "Gather"],
            shape: vec![4, 6],
            weights: vec![weight("w", &[6, 3])],
            nodes: vec![
                node("ArgMax", &["x"], "p", &[int("axis", 1), int("keepdims", 0)]),
                node("Gather", &["w", "p"], "y", &[]),
            ],
        },
        Case {
            operators: vec!["Split", "Mul"],
            shape: vec![2, 6],
            weights: vec![integers("n", &[3, 3])],
            nodes: vec![split, node("Mul", &["a", "b"], "y", &[])],
        },
        one("Expand", &[3, 1], &["x", "s"], vec![integers("s", &[2, 1, 4])], vec![]),
        one("Tile", &[2, 3], &["x", "r"], vec![integers("r", &[2, 3])], vec![]),
        one("DepthToSpace", &[1, 8, 2, 3], &["x"], vec![], vec![int("blocksize", 2), text("mode", "CRD")]),
        Case {
            operators: vec!["If", "Relu"],
            shape: vec![2, 3],
            weights: vec![integers("two", &[2]), integers("first", &[0])],
            nodes: vec![
                node("Shape", &["x"], "lengths", &[]),
                node("Gather", &["lengths", "first"], "rows", &[]),
                node("Equal", &["rows", "two"], "is two", &[]),
                node(
                    "If",
                    &["is two"],
                    "y",
                    &[
                        branch("then_branch", &[node("Relu", &["x"], "of branch", &[])], "of branch"),
                        branch("else_branch", &[node("Tanh", &["x"], "of branch", &[])], "of branch"),
                    ],
                ),
            ],
        },
        one("Upsample", &[1, 2, 3, 2], &["x", "scales"], vec![floats("scales", &[4], &[1.0, 1.0, 2.0, 3.0])], vec![]),
        one(
            "Upsample",
            &[1, 2, 3, 2],
            &["x", "scales"],
            vec![floats("scales", &[4], &[1.0, 1.0, 2.0, 1.5])],
            vec![text("mode", "linear")],
        ),
        one("SpaceToDepth", &[1, 2, 4, 6], &["x"], vec![], vec![int("blocksize", 2)]),
        resized("nearest", "half_pixel", &[1.0, 1.0, 2.0, 1.5]),
        resized("linear", "half_pixel", &[1.0, 1.0, 1.5, 0.6]),
        resized("cubic", "align_corners", &[1.0, 1.0, 2.0, 1.0]),
        transposed(1, &[3, 2, 3, 2]),
        transposed(3, &[3, 1, 2, 2]),
    ]
}
