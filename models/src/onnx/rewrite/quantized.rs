//! Products of integers. With a scale each, what is computed keeps its integers, less their zero point; the weights' scale is that of a step of the result by a
//! step of the operand, so that the sum counts the result's steps, and is rounded to whole ones. Without, they are products of whole numbers.

use tract_onnx::pb::AttributeProto;

use super::node::{Rewriting, int};
use crate::error::ModelError;

/// `x x_scale x_zero w w_scale w_zero y_scale y_zero [bias]`, the bias of scale `x_scale·w_scale`.
pub(super) fn convolution(node: &mut Rewriting) -> Result<(), ModelError> {
    let [x, xs, xz, w, ws, wz, ys, yz] = first(node)?;
    let one = node.numbers("one", &[], &[1.0]);
    let image = node.compute("DequantizeLinear", &[&x, &one, &xz], "x", vec![]);
    // One scale for all, or one for each of the result's channels.
    let scale = in_steps(node, &ws, &xs, &ys);
    let weights = node.compute("DequantizeLinear", &[&w, &scale, &wz], "w", vec![int("axis", 0)]);
    let mut factors = vec![image, weights];
    if let Some(given) = node.optional(8) {
        let float = node.numbers_of(&given, "float bias");
        factors.push(node.compute("Mul", &[&float, &scale], "bias", vec![]));
    }
    let attributes = node.hand_on();
    let factors: Vec<&str> = factors.iter().map(String::as_str).collect();
    let sum = node.compute("Conv", &factors, "y", attributes);
    let result = node.result(0);
    node.define("QuantizeLinear", &[&sum, &one, &yz], &result, vec![]);
    Ok(())
}

/// `a a_scale a_zero b b_scale b_zero [c] [y_scale] [y_zero]`, `c` of scale `a_scale·b_scale`; floats where the result has no scale.
pub(super) fn gemm(node: &mut Rewriting) -> Result<(), ModelError> {
    let [a, a_scale, a_zero, b, b_scale, b_zero] = first(node)?;
    if node.float("alpha")?.unwrap_or(1.0) != 1.0 {
        return Err(node.refuse("alpha", "other than 1 is not supported"));
    }
    let [trans_a, trans_b] = [node.int("transA")?.unwrap_or(0), node.int("transB")?.unwrap_or(0)];
    let attributes = vec![int("transA", trans_a), int("transB", trans_b)];
    let one = node.numbers("one", &[], &[1.0]);
    let (scale, own) = match node.optional(7) {
        Some(ys) => (in_steps(node, &b_scale, &a_scale, &ys), one.clone()),
        None => (b_scale, a_scale.clone()),
    };
    let lhs = node.compute("DequantizeLinear", &[&a, &own, &a_zero], "a", vec![]);
    // One scale for all, or one for each of the result's columns.
    let rhs = node.compute("DequantizeLinear", &[&b, &scale, &b_zero], "b", vec![int("axis", i64::from(trans_b == 0))]);
    let mut factors = vec![lhs, rhs];
    if let Some(given) = node.optional(6) {
        let float = node.numbers_of(&given, "float c");
        let scale = node.compute("Mul", &[&scale, &own], "scale of c", vec![]);
        factors.push(node.compute("Mul", &[&float, &scale], "c", vec![]));
    }
    let factors: Vec<&str> = factors.iter().map(String::as_str).collect();
    let result = node.result(0);
    if node.optional(7).is_none() {
        node.define("Gemm", &factors, &result, attributes);
        return Ok(());
    }
    let sum = node.compute("Gemm", &factors, "y", attributes);
    let zero = node.optional(8);
    let operands = [Some(sum), Some(one), zero].into_iter().flatten().collect::<Vec<_>>();
    node.define("QuantizeLinear", &operands.iter().map(String::as_str).collect::<Vec<_>>(), &result, vec![]);
    Ok(())
}

/// `a a_scale a_zero b b_scale b_zero y_scale y_zero`: their sum.
pub(super) fn sum(node: &mut Rewriting) -> Result<(), ModelError> {
    through(node, "Add", &[0, 3], 6, vec![])
}

/// As [`sum`]: their product, element by element.
pub(super) fn factors(node: &mut Rewriting) -> Result<(), ModelError> {
    through(node, "Mul", &[0, 3], 6, vec![])
}

/// `x x_scale x_zero y_scale y_zero`.
pub(super) fn sigmoid(node: &mut Rewriting) -> Result<(), ModelError> {
    through(node, "Sigmoid", &[0], 3, vec![])
}

/// As [`sigmoid`].
pub(super) fn leaky_relu(node: &mut Rewriting) -> Result<(), ModelError> {
    let attributes = node.hand_on();
    through(node, "LeakyRelu", &[0], 3, attributes)
}

/// As [`sigmoid`].
pub(super) fn average(node: &mut Rewriting) -> Result<(), ModelError> {
    let attributes = of_channels_first(node)?;
    through(node, "AveragePool", &[0], 3, attributes)
}

/// As [`sigmoid`].
pub(super) fn average_of_all(node: &mut Rewriting) -> Result<(), ModelError> {
    let attributes = of_channels_first(node)?;
    through(node, "GlobalAveragePool", &[0], 3, attributes)
}

/// `y_scale y_zero`, then `x x_scale x_zero` of each that stands side by side.
pub(super) fn side_by_side(node: &mut Rewriting) -> Result<(), ModelError> {
    let places: Vec<usize> = (2..node.operands().len()).step_by(3).collect();
    let attributes = node.hand_on();
    through(node, "Concat", &places, 0, attributes)
}

/// All attributes of an operator whose images have their channels first.
fn of_channels_first(node: &mut Rewriting) -> Result<Vec<AttributeProto>, ModelError> {
    if node.int("channels_last")?.unwrap_or(0) != 0 {
        return Err(node.refuse("channels_last", "not supported; images need their channels first"));
    }
    let attributes = node.hand_on().into_iter();
    Ok(attributes.filter(|attribute| attribute.name != "channels_last").collect())
}

/// An operator of floats between integers: its operands, each with a scale and a zero point behind it, are at these places, the result's scale and zero point at that one.
fn through(
    node: &mut Rewriting,
    operator: &str,
    places: &[usize],
    result_at: usize,
    attributes: Vec<AttributeProto>,
) -> Result<(), ModelError> {
    let mut operands = Vec::new();
    for &place in places {
        let (integers, scale) = (node.operand(place)?, node.operand(place + 1)?);
        let all: Vec<String> = [Some(integers), Some(scale), node.optional(place + 2)].into_iter().flatten().collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        operands.push(node.compute("DequantizeLinear", &all, &format!("operand {place}"), vec![]));
    }
    let operands: Vec<&str> = operands.iter().map(String::as_str).collect();
    let floats = node.compute(operator, &operands, "y", attributes);
    let all = [Some(floats), Some(node.operand(result_at)?), node.optional(result_at + 1)];
    let all: Vec<String> = all.into_iter().flatten().collect();
    let result = node.result(0);
    node.define("QuantizeLinear", &all.iter().map(String::as_str).collect::<Vec<_>>(), &result, vec![]);
    Ok(())
}

/// `a a_scale a_zero b b_scale b_zero y_scale y_zero`.
pub(super) fn product(node: &mut Rewriting) -> Result<(), ModelError> {
    let [a, a_scale, a_zero, b, b_scale, b_zero, ys, yz] = first(node)?;
    let one = node.numbers("one", &[], &[1.0]);
    let lhs = node.compute("DequantizeLinear", &[&a, &one, &a_zero], "a", vec![]);
    // One scale for all, or one for each of the result's columns.
    let scale = in_steps(node, &b_scale, &a_scale, &ys);
    let rhs = node.compute("DequantizeLinear", &[&b, &scale, &b_zero], "b", vec![int("axis", -1)]);
    let sum = node.compute("MatMul", &[&lhs, &rhs], "y", vec![]);
    let result = node.result(0);
    node.define("QuantizeLinear", &[&sum, &one, &yz], &result, vec![]);
    Ok(())
}

/// The weights' scale times the operand's by the result's, of which both are single numbers.
fn in_steps(node: &mut Rewriting, weights: &str, operand: &str, result: &str) -> String {
    let operand = node.reshape(operand, &[], "operand's scale");
    let result = node.reshape(result, &[], "result's scale");
    let ratio = node.compute("Div", &[&operand, &result], "steps of the operand", vec![]);
    node.compute("Mul", &[weights, &ratio], "scale in steps", vec![])
}

/// `x` as integers, with the scale and the zero point that its own range gives them. What this stands for are the numbers themselves: they go on as
/// they are, with scale one, so that the model is the one that it was before it was quantized, but for its weights.
pub(super) fn by_its_range(node: &mut Rewriting) -> Result<(), ModelError> {
    let x = node.operand(0)?;
    let [y, scale, zero] = [0, 1, 2].map(|position| node.result(position));
    node.define("Identity", &[&x], &y, vec![]);
    for (result, what, value) in [(scale, "one", 1.0), (zero, "zero", 0.0)] {
        let constant = node.numbers(what, &[], &[value]);
        node.define("Identity", &[&constant], &result, vec![]);
    }
    Ok(())
}

/// `a b [a_zero] [b_zero]`: a product of integers.
pub(super) fn integer_product(node: &mut Rewriting) -> Result<(), ModelError> {
    let lhs = from_zero(node, 0, Some(&[1]))?;
    // One for all, or one for each column.
    let rhs = from_zero(node, 1, None)?;
    let result = node.result(0);
    node.define("MatMul", &[&lhs, &rhs], &result, vec![]);
    Ok(())
}

/// `x w [x_zero] [w_zero]`: a convolution of integers.
pub(super) fn integer_convolution(node: &mut Rewriting) -> Result<(), ModelError> {
    let image = from_zero(node, 0, Some(&[1]))?;
    // Left out, the weights' shape says it.
    let spatial = match node.ints("kernel_shape")?.len() {
        0 => 2,
        lengths => lengths,
    };
    // One for all, or one for each of the result's channels.
    let channels = [vec![-1], vec![1; spatial + 1]].concat();
    let weights = from_zero(node, 1, Some(&channels))?;
    let attributes = node.hand_on();
    let result = node.result(0);
    node.define("Conv", &[&image, &weights], &result, attributes);
    Ok(())
}

/// A factor as floats, less its zero point, if it has one, which is brought to a shape that broadcasts.
fn from_zero(node: &mut Rewriting, position: usize, shape: Option<&[i64]>) -> Result<String, ModelError> {
    let factor = node.operand(position)?;
    let factor = node.numbers_of(&factor, &format!("factor {position}"));
    let Some(zero) = node.optional(position + 2) else { return Ok(factor) };
    let mut zero = node.numbers_of(&zero, &format!("zero {position}"));
    if let Some(shape) = shape {
        zero = node.reshape(&zero, shape, &format!("zero {position}, shaped"));
    }
    Ok(node.compute("Sub", &[&factor, &zero], &format!("factor {position} from zero"), vec![]))
}

/// The first operands, which must be there.
fn first<const COUNT: usize>(node: &Rewriting) -> Result<[String; COUNT], ModelError> {
    let mut all = [const { String::new() }; COUNT];
    for (position, name) in all.iter_mut().enumerate() {
        *name = node.operand(position)?;
    }
    Ok(all)
}
