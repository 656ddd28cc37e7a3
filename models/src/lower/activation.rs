//! One-variable functions: what they compute, and the range in which they need a table.

use crate::error::ModelError;
use crate::onnx::{Graph, GraphNode};

use super::operands::Operands;

/// An activation function with its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Activation {
    Relu,
    LeakyRelu { alpha: f64 },
    Clip { lo: f64, hi: f64 },
    HardSigmoid { alpha: f64, beta: f64 },
    HardSwish,
    Sigmoid,
    Tanh,
}

impl Activation {
    /// The activation that `node` applies to its first operand, if it is one.
    pub fn of(graph: &Graph, node: &GraphNode) -> Result<Option<Self>, ModelError> {
        let mut operands = Operands::new(graph, node);
        let activation = match node.op.as_str() {
            "Relu" => Self::Relu,
            "LeakyRelu" => Self::LeakyRelu { alpha: operands.float("alpha")?.unwrap_or(0.01) },
            "Clip" => {
                let bound = |operands: &mut Operands, position: usize, name: &str, open: f64| {
                    let attribute = operands.float(name)?;
                    let operand = operands.optional_scalar(position)?;
                    Ok::<f64, ModelError>(operand.or(attribute).unwrap_or(open))
                };
                let lo = bound(&mut operands, 1, "min", f64::NEG_INFINITY)?;
                let hi = bound(&mut operands, 2, "max", f64::INFINITY)?;
                if lo.is_nan() || hi.is_nan() {
                    return Err(operands.refuse("min/max", "a bound is NaN"));
                }
                Self::Clip { lo, hi }
            }
            "HardSigmoid" => Self::HardSigmoid {
                alpha: operands.float("alpha")?.unwrap_or(0.2),
                beta: operands.float("beta")?.unwrap_or(0.5),
            },
            "HardSwish" => Self::HardSwish,
            "Sigmoid" => Self::Sigmoid,
            "Tanh" => Self::Tanh,
            _ => return Ok(None),
        };
        operands.finish()?;
        Ok(Some(activation))
    }

    /// Its value at `x`.
    pub fn eval(self, x: f64) -> f64 {
        match self {
            Self::Relu => x.max(0.0),
            Self::LeakyRelu { alpha } => {
                if x < 0.0 {
                    alpha * x
                } else {
                    x
                }
            }
            // As ONNX says: the upper bound wins where the bounds cross.
            Self::Clip { lo, hi } => x.max(lo).min(hi),
            Self::HardSigmoid { alpha, beta } => (alpha * x + beta).clamp(0.0, 1.0),
            Self::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Self::Tanh => x.tanh(),
        }
    }

    /// If the function is constant (to within `2^-16`) beyond some `|x|`, that `|x|`: arguments may be clamped to it.
    pub fn settles_at(self) -> Option<f64> {
        match self {
            Self::Relu | Self::LeakyRelu { .. } | Self::HardSwish => None,
            Self::Clip { lo, hi } if lo.is_finite() && hi.is_finite() => Some(lo.abs().max(hi.abs())),
            Self::Clip { .. } => None,
            Self::HardSigmoid { alpha: 0.0, .. } => None,
            Self::HardSigmoid { alpha, beta } => Some((beta / alpha).abs().max(((1.0 - beta) / alpha).abs())),
            Self::Sigmoid => Some(15.9),
            Self::Tanh => Some(7.9),
        }
    }

    /// A name for tables, parameters included.
    pub fn name(self) -> String {
        match self {
            Self::Relu => "relu".into(),
            Self::LeakyRelu { alpha } => format!("leaky relu {alpha}"),
            Self::Clip { lo, hi } => format!("clip {lo} to {hi}"),
            Self::HardSigmoid { alpha, beta } => format!("hard sigmoid {alpha} {beta}"),
            Self::HardSwish => "hard swish".into(),
            Self::Sigmoid => "sigmoid".into(),
            Self::Tanh => "tanh".into(),
        }
    }
}
