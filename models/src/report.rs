//! How close the fixed-point program is to the float model, and where the error enters.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use vouch_program::{Func, NodeId, Op, Program, execute};

use crate::data::Sample;
use crate::error::ModelError;
use crate::lower::{Layer, Lowered};
use crate::onnx::FloatModel;
use crate::quantize::quantize_all;

/// How many layers the text shows.
const SHOWN: usize = 5;

/// How far one tensor is from its float version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TensorAccuracy {
    /// Its name in the ONNX file.
    pub tensor: String,
    /// The operator that gives it.
    pub operator: String,
    /// Largest absolute value in the float model.
    pub largest_value: f64,
    /// Largest absolute difference.
    pub largest_error: f64,
    /// Mean absolute difference.
    pub mean_error: f64,
    /// The largest difference as a share of the largest value.
    pub error_share: f64,
}

/// How often a tensor was clamped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saturation {
    /// Where in the model.
    pub source: String,
    /// How many elements were clamped, over all samples.
    pub count: usize,
}

/// The accuracy of a fixed-point program, measured on samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccuracyReport {
    /// How many samples were compared.
    pub samples: usize,
    /// The model's outputs, in its own order.
    pub outputs: Vec<TensorAccuracy>,
    /// Largest output difference as a share of the largest float output, over all outputs.
    pub largest_error_share: f64,
    /// Smallest cosine between an output and its float version.
    pub smallest_cosine: f64,
    /// Mean of these cosines.
    pub mean_cosine: f64,
    /// On how many samples the position of the first output's largest element is float's.
    pub top1_agreement: usize,
    /// The same for each row along its last axis, such as the time steps of a sequence, if rows have more than one element: on how many.
    #[serde(default)]
    pub row_agreement: usize,
    /// How many rows there are, over all samples.
    #[serde(default)]
    pub rows: usize,
    /// All compared layers, the one with the largest error share first.
    pub layers: Vec<TensorAccuracy>,
    /// Tensors in which clamping changed values: not those below zero that a Relu would have cut anyway.
    pub saturated: Vec<Saturation>,
    /// Tensors that could saturate, for some declared input.
    pub can_saturate: usize,
}

#[derive(Clone, Default)]
struct Sums {
    largest_value: f64,
    largest_error: f64,
    total_error: f64,
    count: usize,
}

impl Sums {
    fn add(&mut self, float: &[f32], fixed: impl Iterator<Item = f64>) {
        for (&x, y) in float.iter().zip(fixed) {
            let error = (f64::from(x) - y).abs();
            self.largest_value = self.largest_value.max(f64::from(x).abs());
            self.largest_error = self.largest_error.max(error);
            self.total_error += error;
            self.count += 1;
        }
    }

    fn accuracy(&self, tensor: &str, operator: &str) -> TensorAccuracy {
        let share = if self.largest_value > 0.0 { self.largest_error / self.largest_value } else { self.largest_error };
        TensorAccuracy {
            tensor: tensor.to_string(),
            operator: operator.to_string(),
            largest_value: self.largest_value,
            largest_error: self.largest_error,
            mean_error: self.total_error / self.count.max(1) as f64,
            error_share: share,
        }
    }
}

/// Compares sample by sample.
pub(crate) struct Comparison<'m> {
    program: &'m Program,
    float: &'m FloatModel,
    layers: &'m [Layer],
    clamps: &'m BTreeSet<NodeId>,
    position: BTreeMap<&'m str, usize>,
    layer_sums: Vec<Sums>,
    output_sums: Vec<Sums>,
    cosines: Vec<f64>,
    agreement: usize,
    row_agreement: usize,
    rows: usize,
    saturated: BTreeMap<NodeId, usize>,
    samples: usize,
}

impl<'m> Comparison<'m> {
    pub fn new(lowered: &'m Lowered, float: &'m FloatModel) -> Self {
        let Lowered { program, layers, clamps } = lowered;
        Self {
            program,
            float,
            layers,
            clamps,
            position: float.names().iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect(),
            layer_sums: vec![Sums::default(); layers.len()],
            output_sums: vec![Sums::default(); program.outputs.len()],
            cosines: Vec::new(),
            agreement: 0,
            row_agreement: 0,
            rows: 0,
            saturated: BTreeMap::new(),
            samples: 0,
        }
    }

    /// Runs both models on one more sample.
    pub fn add(&mut self, sample: &Sample) -> Result<(), ModelError> {
        let float = self.float.run(sample)?;
        let execution = execute(self.program, &quantize_all(self.program, sample)?)?;
        let real = |node: NodeId| {
            let scale = f64::from(-self.program.node(node).frac).exp2();
            execution.value(node).iter().map(move |&q| q as f64 * scale)
        };
        let expected = |tensor: &str| self.position.get(tensor).map_or(&[][..], |&index| &float[index]);
        for (layer, sums) in self.layers.iter().zip(&mut self.layer_sums) {
            sums.add(expected(&layer.tensor), real(layer.node));
        }
        for (index, (port, sums)) in self.program.outputs.iter().zip(&mut self.output_sums).enumerate() {
            let (wanted, found) = (expected(&port.name), real(port.node).collect::<Vec<_>>());
            sums.add(wanted, found.iter().copied());
            self.cosines.push(cosine(wanted, &found));
            let agree = |(wanted, found): (&[f32], &[f64])| {
                let wanted = position_of_largest(wanted.iter().map(|&x| f64::from(x)));
                usize::from(wanted == position_of_largest(found.iter().copied()))
            };
            if index == 0 {
                let row = port.shape.last().copied().unwrap_or(1).max(1);
                self.agreement += agree((wanted, &found));
                // Of one element the largest is no news.
                if row > 1 {
                    self.row_agreement += wanted.chunks(row).zip(found.chunks(row)).map(agree).sum::<usize>();
                    self.rows += wanted.len() / row;
                }
            }
        }
        for &(node, count) in execution.saturated().iter().filter(|(node, _)| !self.clamps.contains(node)) {
            let lost = match lossy_end(self.program, node) {
                LossyEnd::Neither => 0,
                LossyEnd::Both => count,
                LossyEnd::One(end) => execution.value(node).iter().filter(|&&q| q == end).count().min(count),
            };
            *self.saturated.entry(node).or_insert(0) += lost;
        }
        self.samples += 1;
        Ok(())
    }

    pub fn report(self) -> AccuracyReport {
        let pairs = self.program.outputs.iter().zip(&self.output_sums);
        let outputs: Vec<_> = pairs.map(|(port, sums)| sums.accuracy(&port.name, "output")).collect();
        let pairs = self.layers.iter().zip(&self.layer_sums);
        let mut layers: Vec<_> = pairs.map(|(layer, sums)| sums.accuracy(&layer.tensor, &layer.operator)).collect();
        layers.sort_by(|a, b| b.error_share.total_cmp(&a.error_share));
        let source = |node: NodeId| self.program.node(node).source.clone();
        let saturates = |op: &Op| matches!(op, Op::Apply { saturate: true, .. });
        let can_saturate = (0..)
            .map(NodeId)
            .zip(&self.program.nodes)
            .filter(|(id, n)| saturates(&n.op) && !self.clamps.contains(id))
            .count();
        AccuracyReport {
            samples: self.samples,
            largest_error_share: outputs.iter().fold(0.0, |m, o| m.max(o.error_share)),
            outputs,
            smallest_cosine: self.cosines.iter().copied().fold(1.0, f64::min),
            mean_cosine: self.cosines.iter().sum::<f64>() / self.cosines.len().max(1) as f64,
            top1_agreement: self.agreement,
            row_agreement: self.row_agreement,
            rows: self.rows,
            layers,
            saturated: self
                .saturated
                .iter()
                .filter(|(_, count)| **count > 0)
                .map(|(&node, &count)| Saturation { source: source(node), count })
                .collect(),
            can_saturate,
        }
    }
}

/// At which end of its domain clamping changes an activation's result.
enum LossyEnd {
    Neither,
    Both,
    /// Results there are this.
    One(i64),
}

fn lossy_end(program: &Program, node: NodeId) -> LossyEnd {
    match &program.node(node).op {
        Op::Apply { func: Func::Relu, bits, .. } => LossyEnd::One((1 << (bits - 1)) - 1),
        Op::Apply { func: Func::Table(table), .. } => {
            // A function that is flat at both ends, such as sigmoid, has settled there.
            let values = &program.tables[*table as usize].values;
            let flat = |ends: &[i32]| ends.windows(2).all(|pair| pair[0] == pair[1]);
            let end = values.len().min(4);
            match (flat(&values[..end]), flat(&values[values.len() - end..]), values.first(), values.last()) {
                (true, true, ..) => LossyEnd::Neither,
                (true, false, _, Some(&last)) => LossyEnd::One(i64::from(last)),
                (false, true, Some(&first), _) => LossyEnd::One(i64::from(first)),
                _ => LossyEnd::Both,
            }
        }
        _ => LossyEnd::Both,
    }
}

/// The first position of the largest element.
fn position_of_largest(values: impl Iterator<Item = f64>) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (index, value) in values.enumerate() {
        if value > best.1 {
            best = (index, value);
        }
    }
    best.0
}

fn cosine(a: &[f32], b: &[f64]) -> f64 {
    let dot: f64 = a.iter().zip(b).map(|(&x, y)| f64::from(x) * y).sum();
    let norm = |sum: f64| sum.sqrt();
    let (na, nb) = (norm(a.iter().map(|&x| f64::from(x).powi(2)).sum()), norm(b.iter().map(|y| y * y).sum()));
    match na * nb {
        // Two zero vectors point the same way; a zero and another do not.
        0.0 if na == nb => 1.0,
        0.0 => 0.0,
        norms => dot / norms,
    }
}

impl fmt::Display for AccuracyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "fixed point against float, {} samples", self.samples)?;
        writeln!(f, "  same top-1          {} of {}", self.top1_agreement, self.samples)?;
        if self.rows > self.samples {
            writeln!(f, "  same in each row    {} of {}", self.row_agreement, self.rows)?;
        }
        writeln!(f, "  cosine              {:.8} mean, {:.8} smallest", self.mean_cosine, self.smallest_cosine)?;
        let saturated: usize = self.saturated.iter().map(|s| s.count).sum();
        writeln!(f, "  saturated elements  {saturated} (tensors that can saturate: {})", self.can_saturate)?;
        let widest = |rows: &[TensorAccuracy]| rows.iter().map(|t| t.tensor.len()).max().unwrap_or(0);
        let width = widest(&self.outputs).max(widest(&self.layers[..self.layers.len().min(SHOWN)])).max(12);
        let head = |f: &mut fmt::Formatter<'_>, title: &str| {
            writeln!(f, "  {title:width$}  {:>12} {:>12} {:>12} {:>9}", "largest", "max error", "mean error", "share")
        };
        let row = |f: &mut fmt::Formatter<'_>, t: &TensorAccuracy| {
            writeln!(
                f,
                "  {:width$}  {:>12.6} {:>12.6} {:>12.6} {:>8.4}%",
                t.tensor,
                t.largest_value,
                t.largest_error,
                t.mean_error,
                100.0 * t.error_share
            )
        };
        head(f, "output")?;
        for output in &self.outputs {
            row(f, output)?;
        }
        if !self.layers.is_empty() {
            head(f, "worst layers")?;
            for layer in self.layers.iter().take(SHOWN) {
                row(f, layer)?;
            }
        }
        for s in self.saturated.iter().take(SHOWN) {
            writeln!(f, "  saturated: {} elements in {}", s.count, s.source)?;
        }
        Ok(())
    }
}
