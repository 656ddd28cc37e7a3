//! What ranges the tensors of the float model take on sample inputs, and the scales that follow.

use std::collections::HashMap;

use ndarray::ArrayD;

use crate::error::ModelError;
use crate::onnx::{FloatModel, Graph};

/// What each tensor's values are between over the calibration samples.
pub(crate) struct Ranges {
    /// The least and the greatest value, zero counted among them.
    ends: HashMap<String, (f64, f64)>,
    /// Of each input, for each place along its last axis.
    by_column: HashMap<String, Vec<f64>>,
}

impl Ranges {
    /// Runs the float model on each sample. `done` is told how many were run.
    ///
    /// # Errors
    ///
    /// If the runtime refuses a sample, or a tensor becomes NaN or infinite.
    pub fn measure(
        graph: &Graph,
        float: &FloatModel,
        samples: &[Vec<ArrayD<f32>>],
        mut done: impl FnMut(usize),
    ) -> Result<Self, ModelError> {
        let (mut ends, mut by_column) = (HashMap::new(), HashMap::new());
        for (index, sample) in samples.iter().enumerate() {
            for (input, array) in graph.inputs.iter().zip(sample) {
                let columns = input.shape.last().copied().unwrap_or(1).max(1);
                let most = by_column.entry(input.name.clone()).or_insert_with(|| vec![0.0f64; columns]);
                array.iter().enumerate().for_each(|(flat, &x)| {
                    most[flat % columns] = most[flat % columns].max(f64::from(x).abs());
                });
            }
            for (name, values) in float.names().iter().zip(float.run(sample)?) {
                if graph.is_constant(name) {
                    // Such as a bound of Clip, which may be infinite.
                    continue;
                }
                // Two masks of the least float add up to minus infinity: that is as much out of reach as one.
                let masked = |x: f32| x == f32::NEG_INFINITY && !graph.outputs.contains(name);
                if !values.iter().all(|&x| x.is_finite() || masked(x)) {
                    return Err(ModelError::data(
                        format!("calibration sample {index}"),
                        format!("the float model's tensor \"{name}\" becomes NaN or infinite"),
                    ));
                }
                let (lo, hi) = ends.entry(name.clone()).or_insert((0.0f64, 0.0f64));
                for x in values.into_iter().filter(|x| x.is_finite()).map(f64::from) {
                    (*lo, *hi) = (lo.min(x), hi.max(x));
                }
            }
            done(index + 1);
        }
        Ok(Self { ends, by_column })
    }

    /// The largest absolute value in each place along the last axis of an input.
    pub fn by_column(&self, input: &str) -> &[f64] {
        self.by_column.get(input).map_or(&[], Vec::as_slice)
    }

    /// A tensor's largest absolute value.
    pub fn largest(&self, tensor: &str) -> f64 {
        let (lo, hi) = self.ends(tensor);
        hi.max(-lo)
    }

    /// A tensor's least and greatest value, zero counted among them.
    pub fn ends(&self, tensor: &str) -> (f64, f64) {
        self.ends.get(tensor).copied().unwrap_or((0.0, 0.0))
    }
}

/// The finest scale at which values up to `largest` in size fit 16 bits.
pub(crate) fn frac_for(largest: f64) -> i32 {
    let limit = f64::from(i16::MAX);
    let fits = |frac: i32| largest * f64::from(frac).exp2() <= limit;
    // From the finest: the range is short, and comparing is exact where a logarithm is not.
    crate::lower::FRACS.rev().find(|&frac| fits(frac)).unwrap_or(*crate::lower::FRACS.start())
}
