//! Inputs from files to a model's integers, and outputs back to numbers for people.

use std::fmt;
use std::path::Path;

use serde::Serialize;
use vouch_models::{Calibration, InputSpec, ModelError, Sample, quantize_all};
use vouch_program::Program;

use crate::failure::Failure;
use crate::output::printable;

/// How many values of an output people are shown.
const SHOWN: usize = 12;

/// A failure of the model front end.
pub fn model_failure(what: impl fmt::Display, error: &ModelError) -> Failure {
    let failure = Failure::unusable(what).because(error);
    match error {
        ModelError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => failure.advice("check the path"),
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

/// One output of a model.
#[derive(Clone, Debug, Serialize)]
pub struct OutputValues {
    /// Its name in the ONNX file.
    pub name: String,
    /// Its shape there.
    pub shape: Vec<usize>,
    /// The real values, row-major.
    pub values: Vec<f64>,
    /// The integers that the proof is about.
    pub integers: Vec<i64>,
    /// A value is an integer times `2^-frac`.
    pub frac: i32,
    /// Position of the largest value, the first on ties.
    pub argmax: usize,
}

impl OutputValues {
    /// From integers.
    pub fn new(name: &str, shape: &[usize], frac: i32, integers: &[i64]) -> Self {
        let scale = f64::from(-frac).exp2();
        Self {
            name: name.to_string(),
            shape: shape.to_vec(),
            values: integers.iter().map(|&q| q as f64 * scale).collect(),
            integers: integers.to_vec(),
            frac,
            argmax: argmax(integers),
        }
    }
}

impl fmt::Display for OutputValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "output {:?} {:?}", printable(&self.name), self.shape)?;
        let values = self.values.iter().take(SHOWN).map(|value| format!("{value:.4}"));
        let mut values: Vec<_> = values.collect();
        if self.values.len() > SHOWN {
            values.push("…".into());
        }
        write!(f, ": {}", values.join("  "))?;
        if self.values.len() > 1 {
            write!(f, "\n  largest: position {}, {:.4}", self.argmax, self.values[self.argmax])?;
        }
        Ok(())
    }
}

/// Position of the largest, the first on ties.
pub fn argmax(values: &[i64]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

/// All outputs, for integers in the program's order.
pub fn outputs(program: &Program, integers: &[Vec<i64>]) -> Vec<OutputValues> {
    let ports = program.outputs.iter().zip(integers);
    ports.map(|(port, q)| OutputValues::new(&port.name, &port.shape, program.node(port.node).frac, q)).collect()
}
