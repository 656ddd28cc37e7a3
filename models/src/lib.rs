//! From trained ONNX models to fixed-point programs.
//!
//! - [`onnx`]: reads a file, checks it, folds constants; the float model to compare with.
//! - [`data`]: calibration data and inputs from files.
//! - [`compile`](mod@compile): the whole way; inside, ranges are measured on sample inputs and each operator is lowered.
//! - [`quantize`](mod@quantize): real numbers to a program's integers and back.
//! - [`report`]: how close the program is to the float model.
//! - [`zoo`]: our own small trained models, with real images.
//!
//! What a program is and computes is `vouch-program`'s matter. This crate knows no cryptography.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod calibrate;
pub mod compile;
pub mod data;
mod error;
mod lower;
pub mod onnx;
pub mod quantize;
pub mod report;
pub mod zoo;

pub use compile::{CompileOptions, Compiled, Model, compile};
pub use data::{Calibration, Sample};
pub use error::ModelError;
pub use lower::supported_operators;
pub use onnx::{Fixed, InputSpec};
pub use quantize::{dequantize, outputs, quantize, quantize_all};
pub use report::{AccuracyReport, Saturation, TensorAccuracy};
