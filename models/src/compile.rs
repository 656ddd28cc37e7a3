//! The whole way from an ONNX file and sample inputs to a fixed-point program and its accuracy.

use std::path::Path;

use vouch_program::Program;

use crate::calibrate::Ranges;
use crate::data::{Calibration, Sample};
use crate::error::ModelError;
use crate::lower::{Lowering, check_operator};
use crate::onnx::{Fixed, FloatModel, Graph, InputSpec, read_model};
use crate::report::{AccuracyReport, Comparison};

/// What can be chosen when compiling. The default is meant to be right.
#[derive(Clone, Debug, PartialEq)]
pub struct CompileOptions {
    /// A name for people; the file's stem, or the graph's own name, if not given.
    pub name: Option<String>,
    /// How many bits a rescale drops wherever that can be chosen: one number lets the proof share one table. 1 to 24.
    pub shift: u32,
    /// How much larger than in the calibration data values may become before they saturate. At least 1.
    pub headroom: f64,
    /// How many bits of precision to give up for a tensor that then provably never saturates.
    pub slack_bits: u32,
    /// On how many calibration samples the accuracy is measured, at most.
    pub report_samples: usize,
}

impl Default for CompileOptions {
    fn default() -> Self {
        Self { name: None, shift: 16, headroom: 1.25, slack_bits: 1, report_samples: 64 }
    }
}

/// A compiled model.
pub struct Compiled {
    /// The fixed-point program.
    pub program: Program,
    /// How close it is to the float model.
    pub report: AccuracyReport,
}

/// A model that has been read and checked, with its float version ready to run.
pub struct Model {
    graph: Graph,
    float: FloatModel,
    stem: Option<String>,
}

impl Model {
    /// Reads an ONNX file, which may be untrusted.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is not a usable ONNX model, or uses an operator that is not supported.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        Self::from_path_with(path, &Fixed::default())
    }

    /// Like [`Model::from_path`], with what is fixed of what the model leaves open.
    ///
    /// # Errors
    ///
    /// As of [`Model::from_path`], and if there is no such axis.
    pub fn from_path_with(path: impl AsRef<Path>, fixed: &Fixed) -> Result<Self, ModelError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| ModelError::Read { path: path.to_path_buf(), source })?;
        let mut model = Self::read(&bytes, path.parent(), fixed)?;
        model.stem = path.file_stem().map(|s| s.to_string_lossy().into_owned());
        Ok(model)
    }

    /// Reads an ONNX model with all its weights from memory. The bytes may be untrusted.
    ///
    /// # Errors
    ///
    /// As of [`Model::from_path`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        Self::read(bytes, None, &Fixed::default())
    }

    /// Like [`Model::from_bytes`], with what is fixed of what the model leaves open.
    ///
    /// # Errors
    ///
    /// As of [`Model::from_path_with`].
    pub fn from_bytes_with(bytes: &[u8], fixed: &Fixed) -> Result<Self, ModelError> {
        Self::read(bytes, None, fixed)
    }

    fn read(bytes: &[u8], folder: Option<&Path>, fixed: &Fixed) -> Result<Self, ModelError> {
        let proto = read_model(bytes, folder)?;
        let (graph, float) = Graph::new(proto, folder, fixed, check_operator)?;
        Ok(Self { graph, float, stem: None })
    }

    /// The model's inputs.
    pub fn inputs(&self) -> &[InputSpec] {
        &self.graph.inputs
    }

    /// The float model's outputs for one sample, row-major, in the model's own order.
    ///
    /// # Errors
    ///
    /// If the runtime refuses the sample.
    pub fn run_float(&self, sample: &Sample) -> Result<Vec<Vec<f32>>, ModelError> {
        let mut values = self.float.run(sample)?;
        let names = self.float.names();
        let outputs = self.graph.outputs.iter();
        let found = outputs.filter_map(|output| names.iter().position(|name| name == output));
        Ok(found.map(|index| std::mem::take(&mut values[index])).collect())
    }

    /// Compiles to fixed point. `progress` is told, in words, what is being done.
    ///
    /// # Errors
    ///
    /// If the calibration data does not fit the model or something in the model cannot be compiled.
    pub fn compile(
        &self,
        calibration: &Calibration,
        options: &CompileOptions,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Compiled, ModelError> {
        check_options(options)?;
        let mut options = options.clone();
        options.name = options.name.or_else(|| self.stem.clone());
        let samples = calibration.samples(&self.graph.inputs)?;
        let count = samples.len();
        progress(&format!("calibrating on {count} samples"));
        let ranges = Ranges::measure(&self.graph, &self.float, &samples, |done| {
            if done % 16 == 0 {
                progress(&format!("calibrating: {done} of {count} samples"));
            }
        })?;
        progress("choosing scales and lowering operators");
        let lowered = Lowering::new(&self.graph, &ranges, &options).run()?;
        let program = &lowered.program;
        vouch_program::intervals(program)
            .map_err(|source| ModelError::Program { node: program.name.clone(), source: Box::new(source) })?;
        let measured = &samples[..count.min(options.report_samples.max(1))];
        progress(&format!("comparing with the float model on {} samples", measured.len()));
        let mut comparison = Comparison::new(&lowered, &self.float);
        for (index, sample) in measured.iter().enumerate() {
            comparison.add(sample)?;
            if (index + 1) % 16 == 0 {
                progress(&format!("comparing: {} of {} samples", index + 1, measured.len()));
            }
        }
        let report = comparison.report();
        Ok(Compiled { program: lowered.program, report })
    }
}

fn check_options(options: &CompileOptions) -> Result<(), ModelError> {
    if !(1..=24).contains(&options.shift) {
        return Err(ModelError::data("option shift", "must be 1 to 24"));
    }
    if !(options.headroom.is_finite() && options.headroom >= 1.0) {
        return Err(ModelError::data("option headroom", "must be a number, at least 1"));
    }
    Ok(())
}

/// Reads and compiles a model in one go.
///
/// # Errors
///
/// As of [`Model::from_path`] and [`Model::compile`].
pub fn compile(
    onnx: impl AsRef<Path>,
    calibration: &Calibration,
    options: &CompileOptions,
    progress: &mut dyn FnMut(&str),
) -> Result<Compiled, ModelError> {
    progress("reading the model");
    Model::from_path(onnx)?.compile(calibration, options, progress)
}
