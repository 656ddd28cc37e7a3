//! Everything that can be wrong with a model, its data or a value, said so that the user knows what to do.
//!
//! Weights and inputs never appear in a message.

use std::path::PathBuf;

use thiserror::Error;

use crate::lower::supported_list;

/// Why a model could not be read, compiled or given an input.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The file could not be opened or read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The bytes are not an ONNX model.
    #[error("not a usable ONNX file: {reason}")]
    NotOnnx {
        /// What is wrong with it.
        reason: String,
    },
    /// The model is ONNX but its graph or a tensor in it makes no sense, or is too large.
    #[error("the model is invalid: {reason}")]
    InvalidModel {
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor of the model holds NaN or an infinity.
    #[error(
        "{count} of {total} values of the model's tensor \"{tensor}\" are NaN or infinite: retrain or export it again"
    )]
    NotFiniteWeights {
        /// Its name.
        tensor: String,
        /// How many are not finite.
        count: usize,
        /// How many there are.
        total: usize,
    },
    /// An operator that the importer does not know.
    #[error("operator {operator} (node \"{node}\") is not supported; supported are: {}", supported_list())]
    UnsupportedOperator {
        /// Its name, with the domain if it is not ONNX's own.
        operator: String,
        /// The node's name.
        node: String,
    },
    /// A known operator with an attribute, or a form of an operand, that the importer does not know.
    #[error("operator {operator} (node \"{node}\"), {attribute}: {reason}")]
    UnsupportedAttribute {
        /// The operator.
        operator: String,
        /// The node's name.
        node: String,
        /// The attribute or operand.
        attribute: String,
        /// What is not supported, or wrong.
        reason: String,
    },
    /// The float model could not be run.
    #[error("the float model cannot be run: {reason}")]
    Float {
        /// What the runtime says.
        reason: String,
    },
    /// Calibration or input data that is missing, cut, of another kind or does not fit the model.
    #[error("{what}: {reason}")]
    Data {
        /// Which data.
        what: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// An input value outside the range that the fixed-point model was compiled for.
    #[error(
        "input \"{tensor}\", position {position:?}: the value is outside the declared range {lo} to {hi}; \
         scale the input as in training, or compile again with calibration data that covers such values"
    )]
    OutOfRange {
        /// The input's name.
        tensor: String,
        /// Where in it.
        position: Vec<usize>,
        /// Smallest real value.
        lo: f64,
        /// Largest real value.
        hi: f64,
    },
    /// A fraction in an input of integers.
    #[error("input \"{tensor}\", position {position:?}: the value is not whole, and the model takes integers there")]
    NotWhole {
        /// The input's name.
        tensor: String,
        /// Where in it.
        position: Vec<usize>,
    },
    /// A NaN or infinity in an input.
    #[error("input \"{tensor}\", position {position:?}: the value is NaN or infinite")]
    NotFiniteInput {
        /// The input's name.
        tensor: String,
        /// Where in it.
        position: Vec<usize>,
    },
    /// The fixed-point program broke one of its own rules: a fault of this crate, or a model beyond its limits.
    #[error("node \"{node}\": {source}")]
    Program {
        /// The ONNX node that was being compiled.
        node: String,
        /// What is wrong.
        source: Box<vouch_program::ProgramError>,
    },
    /// The fixed-point program could not be run.
    #[error(transparent)]
    Execute(Box<vouch_program::ExecuteError>),
}

impl From<vouch_program::ExecuteError> for ModelError {
    fn from(error: vouch_program::ExecuteError) -> Self {
        Self::Execute(Box::new(error))
    }
}

impl ModelError {
    pub(crate) fn invalid(reason: impl Into<String>) -> Self {
        Self::InvalidModel { reason: reason.into() }
    }

    pub(crate) fn data(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Data { what: what.into(), reason: reason.into() }
    }
}
