//! Operators of `ai.onnx.ml` for rows of numbers: scaling, choosing columns, linear models, and how models of several classes end.
//!
//! Where the specification leaves a case open, such as two classes with one score, it is as onnxruntime computes it.

use tract_onnx::pb::tensor_proto::DataType;

use super::node::{Rewriting, int};
use super::reductions::by_norm;
use crate::error::ModelError;

/// Weights of columns that are smaller than the largest by more than this do not matter.
const LEAST_WEIGHT: f32 = 1e-9;

/// `(x - offset)·scale`, each one number or one for each column.
pub(super) fn scaler(node: &mut Rewriting) -> Result<(), ModelError> {
    let (offset, scale) = (node.floats("offset")?, node.floats("scale")?);
    let (result, x) = (node.result(0), node.floats_of_operand()?);
    // Multiplied first, since columns may be of very different sizes before.
    let columns = offset.len().max(scale.len()).max(1);
    let wide = |list: Vec<f32>, otherwise| match list[..] {
        [] => Some(vec![otherwise; columns]),
        [only] => Some(vec![only; columns]),
        _ => (list.len() == columns).then_some(list),
    };
    let (Some(offset), Some(scale)) = (wide(offset, 0.0), wide(scale, 1.0)) else {
        return Err(node.refuse("scale", "has another length than the offset"));
    };
    let shift: Vec<f32> = offset.iter().zip(&scale).map(|(o, s)| o * s).collect();
    if !shift.iter().all(|x| x.is_finite()) {
        return Err(node.refuse("scale", "is too large"));
    }
    let scale = node.numbers("scale", &[columns], &scale);
    let shift = node.numbers("offset", &[columns], &shift);
    let scaled = node.compute("Mul", &[&x, &scale], "scaled", vec![]);
    node.define("Sub", &[&scaled, &shift], &result, vec![]);
    Ok(())
}

/// Each row divided by its norm.
pub(super) fn normalizer(node: &mut Rewriting) -> Result<(), ModelError> {
    let norm = node.string("norm")?.unwrap_or_else(|| "MAX".into());
    let x = node.floats_of_operand()?;
    match norm.to_ascii_uppercase().as_str() {
        "L1" => by_norm(node, &x, -1, 1),
        "L2" => by_norm(node, &x, -1, 2),
        "MAX" => by_largest(node, &x),
        _ => return Err(node.refuse("norm", format!("\"{norm}\" is not supported; L1, L2 and MAX are"))),
    }
    Ok(())
}

/// Each row divided by its largest element, whatever that one's sign; as it is where that one is zero.
fn by_largest(node: &mut Rewriting, x: &str) {
    let result = node.result(0);
    let largest = node.extreme("ReduceMax", x, -1, "largest");
    let [zero, one, minus] =
        [("zero", 0.0), ("one", 1.0), ("minus one", -1.0)].map(|(name, x)| node.numbers(name, &[], &[x]));
    let size = node.compute("Abs", &[&largest], "size", vec![]);
    let none = node.compute("Equal", &[&largest, &zero], "is zero", vec![]);
    let none = node.numbers_of(&none, "is zero as a number");
    let divisor = node.compute("Add", &[&size, &none], "divisor", vec![]);
    let negative = node.compute("Less", &[&largest, &zero], "is negative", vec![]);
    let sign = node.compute("Where", &[&negative, &minus, &one], "sign", vec![]);
    let turned = node.compute("Mul", &[x, &sign], "turned", vec![]);
    node.define("Div", &[&turned, &divisor], &result, vec![]);
}

/// 1 where an element is greater than the threshold.
pub(super) fn binarizer(node: &mut Rewriting) -> Result<(), ModelError> {
    let threshold = node.float("threshold")?.unwrap_or(0.0);
    let (result, x) = (node.result(0), node.floats_of_operand()?);
    let threshold = node.numbers("threshold", &[], &[threshold]);
    let greater = node.compute("Greater", &[&x, &threshold], "greater", vec![]);
    node.define("Cast", &[&greater], &result, vec![int("to", DataType::Float as i64)]);
    Ok(())
}

/// What stands in for a missing value: inputs have none.
pub(super) fn imputer(node: &mut Rewriting) -> Result<(), ModelError> {
    let replaced = node.any_float("replaced_value_float")?;
    if !replaced.is_none_or(f32::is_nan) {
        return Err(node.refuse("replaced_value_float", "only what is NaN can be replaced"));
    }
    node.ignore("imputed_value_floats");
    let (result, x) = (node.result(0), node.operand(0)?);
    node.define("Identity", &[&x], &result, vec![]);
    Ok(())
}

/// Operands side by side.
pub(super) fn side_by_side(node: &mut Rewriting) -> Result<(), ModelError> {
    node.ignore("inputdimensions");
    let (result, operands) = (node.result(0), node.operands());
    let operands: Vec<&str> = operands.iter().map(String::as_str).collect();
    node.define("Concat", &operands, &result, vec![int("axis", -1)]);
    Ok(())
}

/// The columns that the second operand names.
pub(super) fn columns(node: &mut Rewriting) -> Result<(), ModelError> {
    let (result, x, index) = (node.result(0), node.operand(0)?, node.operand(1)?);
    let index = node.reshape(&index, &[-1], "columns");
    node.define("Gather", &[&x, &index], &result, vec![int("axis", -1)]);
    Ok(())
}

/// A table of scores by class: the scores, in the classes' order.
pub(super) fn zip_map(node: &mut Rewriting) -> Result<(), ModelError> {
    node.ignore("classlabels_int64s");
    node.ignore("classlabels_strings");
    let (result, x) = (node.result(0), node.operand(0)?);
    node.define("Identity", &[&x], &result, vec![]);
    Ok(())
}

/// `coefficients·x + intercepts`, for each target.
pub(super) fn linear_regressor(node: &mut Rewriting) -> Result<(), ModelError> {
    let targets = usize::try_from(node.int("targets")?.unwrap_or(1)).unwrap_or(0);
    let ending = Ending::of(node)?;
    let intercepts = node.floats("intercepts")?;
    let scores = linear(node, targets, &intercepts)?;
    let result = node.result(0);
    ending.define(node, &scores, &result);
    Ok(())
}

/// The class whose `coefficients·x + intercepts` is largest, and what these become.
pub(super) fn linear_classifier(node: &mut Rewriting) -> Result<(), ModelError> {
    node.ignore("multi_class");
    let classes = Classes::of(node, "classlabels_ints")?;
    let ending = Ending::of(node)?;
    let intercepts = node.floats("intercepts")?;
    // Two classes may have one score.
    let scores = if intercepts.len() == 1 { 1 } else { classes.count };
    let scored = linear(node, scores, &intercepts)?;
    if scores > 1 {
        classes.largest(node, &scored, ending);
        return Ok(());
    }
    match ending {
        Ending::Nothing => classes.one_score(node, &scored, 0.0, Others::Complement, ending),
        Ending::Logistic => classes.one_score(node, &scored, 0.0, Others::Negative, ending),
        Ending::Softmax => Err(node.refuse("post_transform", "SOFTMAX of one score is not supported")),
    }
}

/// One score for each target.
fn linear(node: &mut Rewriting, targets: usize, intercepts: &[f32]) -> Result<String, ModelError> {
    let coefficients = node.floats("coefficients")?;
    let columns = coefficients.len().checked_div(targets).unwrap_or(0);
    if columns == 0 || columns * targets != coefficients.len() {
        return Err(node.refuse("coefficients", "needs as many for each target"));
    }
    if !matches!(intercepts.len(), 0 | 1) && intercepts.len() != targets {
        return Err(node.refuse("intercepts", "needs one for each target"));
    }
    let x = node.floats_of_operand()?;
    // Columns of very different sizes have weights that are as different: each column is brought to a size where its weights are alike.
    let weight = |c: usize| (0..targets).fold(0.0f32, |most, t| most.max(coefficients[t * columns + c].abs()));
    let most = (0..columns).fold(0.0f32, |most, c| most.max(weight(c)));
    let share = |c: usize| if weight(c) > most * LEAST_WEIGHT { weight(c) / most } else { LEAST_WEIGHT };
    let shares: Vec<f32> = (0..columns).map(|c| share(c).log2().round().exp2() / 2.0).collect();
    let factors = node.numbers("sizes", &[columns], &shares);
    let x = node.compute("Mul", &[&x, &factors], "sized", vec![]);
    let by_column: Vec<f32> = (0..columns)
        .flat_map(|c| (0..targets).map(move |t| (t, c)))
        .map(|(t, c)| coefficients[t * columns + c] / shares[c])
        .collect();
    let weights = node.numbers("coefficients", &[columns, targets], &by_column);
    let product = node.compute("MatMul", &[&x, &weights], "product", vec![]);
    if intercepts.iter().all(|&b| b == 0.0) {
        return Ok(product);
    }
    let bias = node.numbers("intercepts", &[intercepts.len()], intercepts);
    Ok(node.compute("Add", &[&product, &bias], "scores", vec![]))
}

/// What scores become.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Nothing,
    Logistic,
    Softmax,
}

impl Ending {
    pub fn of(node: &mut Rewriting) -> Result<Self, ModelError> {
        match node.string("post_transform")?.as_deref() {
            None | Some("NONE") => Ok(Self::Nothing),
            Some("LOGISTIC") => Ok(Self::Logistic),
            Some("SOFTMAX") => Ok(Self::Softmax),
            Some(other) => Err(node.refuse("post_transform", format!("\"{other}\" is not supported"))),
        }
    }

    /// Of a row of scores.
    pub fn define(self, node: &mut Rewriting, scores: &str, result: &str) {
        match self {
            Self::Nothing => node.define("Identity", &[scores], result, vec![]),
            Self::Logistic => node.define("Sigmoid", &[scores], result, vec![]),
            Self::Softmax => node.define("Softmax", &[scores], result, vec![int("axis", -1)]),
        }
    }
}

/// What stands beside the one score of two classes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    /// `1 - score`.
    Complement,
    /// `-score`.
    Negative,
    /// 0.
    Zero,
}

/// Classes by number, and their labels.
pub(super) struct Classes {
    pub count: usize,
    /// Labels that are integers; where they are texts, a class is given by its number.
    labels: Option<Vec<i64>>,
}

impl Classes {
    /// Of a classifier whose integer labels are called `integers`.
    pub fn of(node: &mut Rewriting, integers: &str) -> Result<Self, ModelError> {
        let (numbers, texts) = (node.ints(integers)?, node.strings("classlabels_strings")?);
        let count = numbers.len().max(texts.len());
        if count < 2 {
            return Err(node.refuse(integers, "needs two labels at least"));
        }
        let plain = numbers.is_empty() || numbers.iter().enumerate().all(|(i, &label)| label == i as i64);
        Ok(Self { count, labels: (!plain).then_some(numbers) })
    }

    /// The class whose score is largest, of one score for each, and the scores.
    pub fn largest(&self, node: &mut Rewriting, scores: &str, ending: Ending) {
        let class = node.compute("ArgMax", &[scores], "class", vec![int("axis", -1), int("keepdims", 0)]);
        self.label(node, &class);
        let result = node.result(1);
        ending.define(node, scores, &result);
    }

    /// The second of two classes where their one score, of shape `[rows, 1]`, is above a threshold, and a score for each.
    pub fn one_score(
        &self,
        node: &mut Rewriting,
        score: &str,
        threshold: f32,
        others: Others,
        ending: Ending,
    ) -> Result<(), ModelError> {
        if self.count != 2 {
            return Err(node.refuse("classlabels", "one score is for two classes"));
        }
        let least = node.numbers("least for the second", &[], &[threshold]);
        let above = node.compute("Greater", &[score, &least], "is the second", vec![]);
        let class = node.as_integers(&above, "second as a number");
        let class = node.reshape(&class, &[-1], "class");
        self.label(node, &class);
        // The two scores are `factor·score + summand`.
        let (factor, summand) = match others {
            Others::Complement => (-1.0, 1.0),
            Others::Negative => (-1.0, 0.0),
            Others::Zero => (0.0, 0.0),
        };
        let factors = node.numbers("factors", &[1, 2], &[factor, 1.0]);
        let mut both = node.compute("MatMul", &[score, &factors], "both", vec![]);
        if summand != 0.0 {
            let summands = node.numbers("summands", &[2], &[summand, 0.0]);
            both = node.compute("Add", &[&both, &summands], "both scores", vec![]);
        }
        let result = node.result(1);
        ending.define(node, &both, &result);
        Ok(())
    }

    /// The label of a class by its number.
    pub fn label(&self, node: &mut Rewriting, class: &str) {
        let result = node.result(0);
        match &self.labels {
            None => node.define("Identity", &[class], &result, vec![]),
            Some(labels) => {
                let labels = node.integers("labels", labels);
                node.define("Gather", &[&labels, class], &result, vec![int("axis", 0)]);
            }
        }
    }
}
