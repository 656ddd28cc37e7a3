//! An operand of an operator: known when the model is compiled, or computed when it runs.

use ndarray::ArrayD;

use super::build::Lowering;
use super::operands::Operands;
use super::value::Value;
use crate::error::ModelError;

/// One operand.
pub(crate) enum Operand {
    /// Known at compile time.
    Constant(ArrayD<f32>),
    /// Computed from the model's inputs.
    Computed(Value),
}

impl Operand {
    /// The operand at a position, which must be there; thresholds as fixed point has them.
    pub fn read(low: &Lowering, operands: &Operands, position: usize) -> Result<Self, ModelError> {
        let name = operands.required(position)?;
        if low.graph.is_constant(name) {
            return Ok(Self::Constant(low.as_compared(name, operands.constant(position)?)?));
        }
        low.value(name).map(Self::Computed)
    }

    /// Its elements, if it is known.
    pub fn constant(&mut self) -> Option<&mut ArrayD<f32>> {
        match self {
            Self::Constant(array) => Some(array),
            Self::Computed(_) => None,
        }
    }

    /// Its shape.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Constant(array) => array.shape(),
            Self::Computed(value) => &value.shape,
        }
    }

    /// The largest absolute real value that it can have.
    pub fn largest(&self, low: &Lowering) -> f64 {
        match self {
            Self::Constant(array) => array.iter().fold(0.0, |m, &x| m.max(f64::from(x).abs())),
            Self::Computed(value) => {
                let (lo, hi) = low.real_range(value);
                lo.abs().max(hi.abs())
            }
        }
    }
}
