//! Each supported ONNX operator, the whole way: a model's file, the fixed-point program, a proof, and what the
//! verifier says next to the float model's answer.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use ndarray::{ArrayD, IxDyn};
use vouch_circuits::ir::{Origin, Tensor, TensorId};
use vouch_circuits::lowering::lower;
use vouch_models::{Calibration, CompileOptions, Model, Sample, quantize_all, supported_operators};
use vouch_program::{Interval, Op, Program, execute};
use vouch_prover::commit::Srs;
use vouch_prover::{SetupOptions, check, prove_core, setup_core};
use vouch_verifier::{PreparedCore, verify_core};

use proto::{Message, attribute, bytes, floats, integers, model, node};

/// The few messages of ONNX's format that tests write.
mod proto {
    /// Fields, encoded.
    #[derive(Clone, Default)]
    pub struct Message(pub Vec<u8>);

    impl Message {
        fn varint(mut self, mut value: u64) -> Self {
            while value >= 0x80 {
                self.0.push(value as u8 | 0x80);
                value >>= 7;
            }
            self.0.push(value as u8);
            self
        }

        pub fn int(self, field: u64, value: i64) -> Self {
            self.varint(field << 3).varint(value as u64)
        }

        pub fn float(self, field: u64, value: f32) -> Self {
            let mut message = self.varint(field << 3 | 5);
            message.0.extend(value.to_le_bytes());
            message
        }

        pub fn bytes(self, field: u64, value: &[u8]) -> Self {
            let mut message = self.varint(field << 3 | 2).varint(value.len() as u64);
            message.0.extend(value);
            message
        }

        pub fn text(self, field: u64, value: &str) -> Self {
            self.bytes(field, value.as_bytes())
        }

        pub fn each(self, field: u64, values: &[Message]) -> Self {
            values.iter().fold(self, |message, value| message.bytes(field, &value.0))
        }
    }

    fn tensor(name: &str, dims: &[i64], kind: i64, raw: &[u8]) -> Message {
        let message = dims.iter().fold(Message::default(), |message, dim| message.int(1, *dim));
        message.int(2, kind).text(8, name).bytes(9, raw)
    }

    pub fn floats(name: &str, dims: &[i64], data: &[f32]) -> Message {
        tensor(name, dims, 1, &data.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
    }

    pub fn bytes(name: &str, dims: &[i64], data: &[u8]) -> Message {
        tensor(name, dims, 2, data)
    }

    pub fn integers(name: &str, data: &[i64]) -> Message {
        let raw: Vec<u8> = data.iter().flat_map(|value| value.to_le_bytes()).collect();
        tensor(name, &[data.len() as i64], 7, &raw)
    }

    /// Attributes by kind.
    pub mod attribute {
        use super::Message;

        fn named(name: &str, kind: i64) -> Message {
            Message::default().text(1, name).int(20, kind)
        }

        pub fn float(name: &str, value: f32) -> Message {
            named(name, 1).float(2, value)
        }

        pub fn int(name: &str, value: i64) -> Message {
            named(name, 2).int(3, value)
        }

        pub fn text(name: &str, value: &str) -> Message {
            named(name, 3).text(4, value)
        }

        pub fn tensor(name: &str, value: Message) -> Message {
            named(name, 4).bytes(5, &value.0)
        }

        pub fn ints(name: &str, values: &[i64]) -> Message {
            values.iter().fold(named(name, 7), |message, value| message.int(8, *value))
        }
    }

    pub fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[Message]) -> Message {
        let message = inputs.iter().fold(Message::default(), |message, input| message.text(1, input));
        message.text(2, output).text(3, &format!("the {operator}")).text(4, operator).each(5, attributes)
    }

    fn declared(name: &str, shape: Option<&[i64]>) -> Message {
        let message = Message::default().text(1, name);
        let Some(shape) = shape else { return message };
        let dims: Vec<Message> = shape.iter().map(|len| Message::default().int(1, *len)).collect();
        let tensor = Message::default().int(1, 1).bytes(2, &Message::default().each(1, &dims).0);
        message.bytes(2, &Message::default().bytes(1, &tensor.0).0)
    }

    /// From `x` to `y`.
    pub fn model(opset: i64, shape: &[i64], weights: &[Message], nodes: &[Message]) -> Vec<u8> {
        let graph = Message::default().each(1, nodes).text(2, "test").each(5, weights);
        let graph = graph.each(11, &[declared("x", Some(shape))]).each(12, &[declared("y", None)]);
        let opset = Message::default().text(1, "").int(2, opset);
        Message::default().int(1, 8).bytes(7, &graph.0).bytes(8, &opset.0).0
    }
}

/// From -1 to 1, the same everywhere.
fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut step = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    step();
    (0..count).map(|_| step()).collect()
}

fn weight(name: &str, dims: &[i64]) -> Message {
    floats(name, dims, &noise(dims.iter().product::<i64>() as usize, dims.len() as u32 + name.len() as u32))
}

struct Case {
    /// The operators that it is about.
    operators: Vec<&'static str>,
    shape: Vec<i64>,
    weights: Vec<Message>,
    nodes: Vec<Message>,
}

/// One operator alone.
fn one(
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
fn plain(operator: &'static str, shape: &[i64]) -> Case {
    one(operator, shape, &["x"], vec![], vec![])
}

fn cases() -> Vec<Case> {
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
    // Of what is positive.
    for operator in ["Log", "Reciprocal", "Sqrt"] {
        let nodes = vec![node("Sigmoid", &["x"], "s", &[]), node(operator, &["s"], "y", &[])];
        cases.push(Case { operators: vec!["Sigmoid", operator], shape: vec![7], weights: vec![], nodes });
    }
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
    vec![
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
    use attribute::{int, ints, text};
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
            operators: vec!["QuantizeLinear", "DequantizeLinear"],
            shape: vec![3, 5],
            weights: vec![floats("s", &[], &[0.05])],
            nodes: vec![node("QuantizeLinear", &["x", "s"], "q", &[]), node("DequantizeLinear", &["q", "s"], "y", &[])],
        },
        of_integers("QLinearConv", &[1, 2, 4, 4], &[3, 2, 3, 3]),
        of_integers("QLinearMatMul", &[3, 4], &[4, 5]),
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
        one("SpaceToDepth", &[1, 2, 4, 6], &["x"], vec![], vec![int("blocksize", 2)]),
        resized("nearest", "half_pixel", &[1.0, 1.0, 2.0, 1.5]),
        resized("linear", "half_pixel", &[1.0, 1.0, 1.5, 0.6]),
        resized("cubic", "align_corners", &[1.0, 1.0, 2.0, 1.0]),
        transposed(1, &[3, 2, 3, 2]),
        transposed(3, &[3, 1, 2, 2]),
    ]
}

/// An operator of bytes, between those that take to bytes and back.
fn of_integers(operator: &'static str, shape: &[i64], weights: &[i64]) -> Case {
    let count = weights.iter().product::<i64>();
    let data: Vec<u8> = (0..count).map(|i| (i * i * 37 % 251) as u8).collect();
    let scalar = |name: &str, value: f32| floats(name, &[], &[value]);
    Case {
        operators: vec![operator, "QuantizeLinear", "DequantizeLinear"],
        shape: shape.to_vec(),
        weights: vec![
            scalar("s", 0.02),
            scalar("t", 0.01),
            scalar("u", 0.1),
            bytes("z", &[], &[100]),
            bytes("w", weights, &data),
        ],
        nodes: vec![
            node("QuantizeLinear", &["x", "s", "z"], "q", &[]),
            node(operator, &["q", "s", "z", "w", "t", "z", "u", "z"], "p", &[]),
            node("DequantizeLinear", &["p", "u", "z"], "y", &[]),
        ],
    }
}

fn sample(shape: &[i64], seed: u32) -> ArrayD<f32> {
    let shape: Vec<usize> = shape.iter().map(|len| *len as usize).collect();
    let values = noise(shape.iter().product(), seed).iter().map(|value| 2.0 * value).collect();
    ArrayD::from_shape_vec(IxDyn(&shape), values).expect("as many values as the shape has elements")
}

fn srs() -> Srs {
    static SRS: OnceLock<Srs> = OnceLock::new();
    SRS.get_or_init(|| Srs::development(1 << CHUNK_BITS, &mut rand::rng())).clone()
}

const CHUNK_BITS: usize = 9;

/// Inputs at the ends of the declared range satisfy the constraints.
fn check_corners(program: &Program) {
    let corner = |pick: fn(usize, Interval) -> i64| -> Vec<Vec<i64>> {
        let of = |node: &vouch_program::Node| match node.op {
            Op::Input { bits } => (0..node.len()).map(|i| pick(i, Interval::signed(bits))).collect(),
            _ => panic!("an input port names an input"),
        };
        program.inputs.iter().map(|port| of(program.node(port.node))).collect()
    };
    let picks: [fn(usize, Interval) -> i64; 3] =
        [|_, range| range.lo, |_, range| range.hi, |i, range| if i % 3 == 0 { range.hi } else { range.lo }];
    for pick in picks {
        check(program, &corner(pick)).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// A case's model, compiled with eight samples, which are last.
fn compiled(case: &Case) -> (Model, Program, Vec<ArrayD<f32>>) {
    // The normalizations came later than the forms in which other operators are written here.
    let opset = if case.operators.iter().any(|operator| operator.ends_with("Normalization")) { 18 } else { 14 };
    let model = Model::from_bytes(&model(opset, &case.shape, &case.weights, &case.nodes)).unwrap();
    let samples: Vec<_> = (1..=8).map(|seed| sample(&case.shape, seed)).collect();
    let views: Vec<_> = samples.iter().map(|sample| sample.view()).collect();
    let calibration = Calibration::from_array(ndarray::stack(ndarray::Axis(0), &views).expect("equal shapes"));
    let program = model.compile(&calibration, &CompileOptions::default(), &mut |_| {}).unwrap().program;
    (model, program, samples)
}

/// An operator's committed cells for each element of the case's result: of the core's constraints, without multiplicities, inputs and padding.
fn cells(case: &Case, operator: &str) -> f64 {
    let (_, program, _) = compiled(case);
    let system = lower(&program).unwrap().system;
    let counters: BTreeSet<_> = system.tables.iter().map(|table| table.multiplicity).collect();
    let source = format!("({operator})");
    let is_cell = |(id, tensor): &(u32, &Tensor)| {
        tensor.origin == Origin::Witness && tensor.name.contains(&source) && !counters.contains(&TensorId(*id))
    };
    let cells = (0..).zip(&system.tensors).filter(is_cell).map(|(_, tensor)| tensor.shape.iter().product::<usize>());
    cells.sum::<usize>() as f64 / program.outputs[0].shape.iter().product::<usize>() as f64
}

fn run(case: &Case) {
    let (model, program, samples) = compiled(case);
    check_corners(&program);

    let sample: Sample = vec![samples[3].clone()];
    let inputs = quantize_all(&program, &sample).unwrap();
    let options = SetupOptions::chunk_bits(CHUNK_BITS);
    let key = setup_core(program, &options, srs(), [5; 32], &mut |_| {}).unwrap_or_else(|error| panic!("{error}"));
    let proof = prove_core(&key, &inputs, None, &mut |_| {}).unwrap();
    let prepared = PreparedCore::new(key.key.clone(), key.key_digest).unwrap();
    let verified = verify_core(&prepared, &proof).unwrap();

    let execution = execute(&key.program, &inputs).unwrap();
    assert_eq!(verified.outputs[0].integers, execution.outputs()[0]);
    let float = model.run_float(&sample).unwrap().swap_remove(0);
    let proven = &verified.outputs[0].values;
    assert_eq!(proven.len(), float.len());
    let largest = float.iter().fold(0f64, |largest, value| largest.max(f64::from(value.abs())));
    for (proven, float) in proven.iter().zip(&float) {
        let error = (proven - f64::from(*float)).abs();
        assert!(error <= 0.004 * largest, "{proven} is proven where the float model says {float}");
    }
}

/// The page says what each operator commits to in the first case here that has it alone, or else has it.
#[test]
fn the_page_counts_the_cells() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/OPERATORS.md")).unwrap();
    let cases = cases();
    let mut wrong = Vec::new();
    for operator in supported_operators() {
        let having = || cases.iter().filter(|case| case.operators.contains(&operator));
        let case = having().min_by_key(|case| case.operators.len() > 1).expect("each operator has a case");
        let count = cells(case, operator);
        let count = if count.fract() == 0.0 { format!("{count}") } else { format!("{count:.1}") };
        let row =
            page.lines().find(|line| line.starts_with(&format!("| {operator} |"))).expect("each operator has a row");
        if row.split('|').nth(4).map(str::trim) != Some(&count) {
            wrong.push(format!("{operator}: {count}"));
        }
    }
    assert!(wrong.is_empty(), "docs/OPERATORS.md has other cells: {wrong:#?}");
}

#[test]
fn every_supported_operator_is_proven() {
    let cases = cases();
    let covered: BTreeSet<&str> = cases.iter().flat_map(|case| case.operators.iter().copied()).collect();
    assert_eq!(covered, supported_operators().collect());
    for case in &cases {
        println!("{:?} on {:?}", case.operators, case.shape);
        run(case);
    }
}
