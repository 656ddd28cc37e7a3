//! Inputs from files to a model's integers, and outputs back to numbers for people.

use std::fmt;
use std::path::Path;

use vouch_models::{Calibration, InputSpec, ModelError, Sample, quantize_all};
use vouch_program::Program;
use vouch_verifier::TensorValues;

use crate::failure::Failure;

/// A failure of the model front end.
pub fn model_failure(what: impl fmt::Display, error: &ModelError) -> Failure {
    let failure = Failure::unusable(what).because(error);
    match error {
        ModelError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            failure.advice("check the path")
        }
        ModelError::NotOnnx { .. } | ModelError::InvalidModel { .. } => {
            failure.advice("check that it is an ONNX file, whole, and export it again if not")
        }
        ModelError::UnsupportedOperator { .. } | ModelError::UnsupportedAttribute { .. } => {
            failure.advice("replace the operator in the model, or leave it out of the export")
        }
        ModelError::NotFiniteInput { .. } => failure.advice("remove it from the data"),
        _ => failure,
    }
}

/// The samples in a file, in the forms that calibration data has.
pub fn read_samples(path: &Path, program: &Program) -> Result<Vec<Sample>, Failure> {
    let fail = |error: &ModelError| model_failure(format!("the input {} cannot be used", path.display()), error);
    let data = Calibration::from_path(path).map_err(|error| fail(&error))?;
    data.samples(&InputSpec::of_program(program)).map_err(|error| fail(&error))
}

/// The one sample that is meant.
pub fn pick(mut samples: Vec<Sample>, index: Option<usize>, path: &Path) -> Result<Sample, Failure> {
    let count = samples.len();
    match index {
        None if count > 1 => Err(Failure::unusable(format!("{} holds {count} samples", path.display()))
            .advice(format!("say which with --index K, from 0 to {}", count - 1))),
        Some(index) if index >= count => Err(Failure::unusable(format!("{} holds no sample {index}", path.display()))
            .advice(format!("its samples are 0 to {}", count - 1))),
        index => Ok(samples.swap_remove(index.unwrap_or(0))),
    }
}

/// A sample as the model's integers.
pub fn to_integers(program: &Program, sample: &Sample) -> Result<Vec<Vec<i64>>, Failure> {
    quantize_all(program, sample).map_err(|error| model_failure("the input does not fit the model", &error))
}

/// All outputs, for integers in the program's order.
pub fn outputs(program: &Program, integers: &[Vec<i64>]) -> Vec<TensorValues> {
    let ports = program.outputs.iter().zip(integers);
    ports.map(|(port, q)| TensorValues::new(&port.name, &port.shape, program.node(port.node).frac, q)).collect()
}
