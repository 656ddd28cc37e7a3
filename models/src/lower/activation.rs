//! One-variable functions: each is one row of [`KINDS`], which has all that is known of it.

use crate::error::ModelError;
use crate::onnx::{Graph, GraphNode};

use super::operands::Operands;

/// Parameters of an activation, two at most; what is not used is 0.
type Parameters = [f64; 2];

/// An activation function.
struct Kind {
    /// ONNX's name for the operator.
    op: &'static str,
    /// Reads its parameters.
    parameters: fn(&mut Operands) -> Result<Parameters, ModelError>,
    /// Its value at a point.
    eval: fn(Parameters, f64) -> f64,
    /// If it is constant (to within `2^-16`) beyond some `|x|`, that `|x|`: arguments may be clamped to it.
    settles_at: fn(Parameters) -> Option<f64>,
    /// A name for its table, parameters included.
    name: fn(Parameters) -> String,
}

/// All of them, in alphabetical order.
const KINDS: &[Kind] = &[
    Kind {
        op: "Clip",
        parameters: clip_bounds,
        // As ONNX says: the upper bound wins where the bounds cross.
        eval: |[lo, hi], x| x.max(lo).min(hi),
        settles_at: |[lo, hi]| (lo.is_finite() && hi.is_finite()).then(|| lo.abs().max(hi.abs())),
        name: |[lo, hi]| format!("clip {lo} to {hi}"),
    },
    Kind {
        op: "HardSigmoid",
        parameters: |operands| Ok([operands.float("alpha")?.unwrap_or(0.2), operands.float("beta")?.unwrap_or(0.5)]),
        eval: |[alpha, beta], x| (alpha * x + beta).clamp(0.0, 1.0),
        settles_at: |[alpha, beta]| (alpha != 0.0).then(|| (beta / alpha).abs().max(((1.0 - beta) / alpha).abs())),
        name: |[alpha, beta]| format!("hard sigmoid {alpha} {beta}"),
    },
    Kind {
        op: "HardSwish",
        parameters: none,
        eval: |_, x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
        settles_at: |_| None,
        name: |_| "hard swish".into(),
    },
    Kind {
        op: "LeakyRelu",
        parameters: |operands| Ok([operands.float("alpha")?.unwrap_or(0.01), 0.0]),
        eval: |[alpha, _], x| if x < 0.0 { alpha * x } else { x },
        settles_at: |_| None,
        name: |[alpha, _]| format!("leaky relu {alpha}"),
    },
    Kind { op: RELU, parameters: none, eval: |_, x| x.max(0.0), settles_at: |_| None, name: |_| "relu".into() },
    Kind {
        op: "Sigmoid",
        parameters: none,
        eval: |_, x| 1.0 / (1.0 + (-x).exp()),
        settles_at: |_| Some(15.9),
        name: |_| "sigmoid".into(),
    },
    Kind { op: "Tanh", parameters: none, eval: |_, x| x.tanh(), settles_at: |_| Some(7.9), name: |_| "tanh".into() },
];

/// The one that needs no table.
const RELU: &str = "Relu";

fn none(_: &mut Operands) -> Result<Parameters, ModelError> {
    Ok([0.0; 2])
}

/// Attributes in older operator sets, operands since.
fn clip_bounds(operands: &mut Operands) -> Result<Parameters, ModelError> {
    let mut bound = |position: usize, name: &str, open: f64| {
        let attribute = operands.float(name)?;
        let operand = operands.optional_scalar(position)?;
        Ok::<f64, ModelError>(operand.or(attribute).unwrap_or(open))
    };
    let (lo, hi) = (bound(1, "min", f64::NEG_INFINITY)?, bound(2, "max", f64::INFINITY)?);
    if lo.is_nan() || hi.is_nan() {
        return Err(operands.refuse("min/max", "a bound is NaN"));
    }
    Ok([lo, hi])
}

/// The operators that are activations, in alphabetical order.
pub(crate) fn operators() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|kind| kind.op)
}

/// An activation function with its parameters.
#[derive(Clone, Copy)]
pub(crate) struct Activation {
    kind: &'static Kind,
    parameters: Parameters,
}

impl Activation {
    /// The activation that `node` applies to its first operand, if it is one.
    pub fn of(graph: &Graph, node: &GraphNode) -> Result<Option<Self>, ModelError> {
        let Some(kind) = KINDS.iter().find(|kind| kind.op == node.op) else { return Ok(None) };
        let mut operands = Operands::new(graph, node);
        let parameters = (kind.parameters)(&mut operands)?;
        operands.finish()?;
        Ok(Some(Self { kind, parameters }))
    }

    /// Whether it is the ReLU, for which fixed point has a function of its own.
    pub fn is_relu(self) -> bool {
        self.kind.op == RELU
    }

    /// Its value at `x`.
    pub fn eval(self, x: f64) -> f64 {
        (self.kind.eval)(self.parameters, x)
    }

    /// If it is constant (to within `2^-16`) beyond some `|x|`, that `|x|`: arguments may be clamped to it.
    pub fn settles_at(self) -> Option<f64> {
        (self.kind.settles_at)(self.parameters)
    }

    /// A name for its table, parameters included.
    pub fn name(self) -> String {
        (self.kind.name)(self.parameters)
    }
}
