//! Products of integers. With a scale each, what is computed keeps its integers, less their zero point; the weights' scale is that of a step of the result by a
//! step of the operand, so that the sum counts the result's steps, and is rounded to whole ones. Without, they are products of whole numbers.

use tract_onnx::pb::tensor_proto::DataType;

use super::node::{Rewriting, int};
use crate::error::ModelError;

/// `x x_scale x_zero w w_scale w_zero y_scale y_zero [bias]`, the bias of scale `x_scale·w_scale`.
pub(super) fn convolution(node: &mut Rewriting) -> Result<(), ModelError> {
    let [x, xs, xz, w, ws, wz, ys, yz] = operands(node)?;
    let one = node.numbers("one", &[], &[1.0]);
    let image = node.compute("DequantizeLinear", &[&x, &one, &xz], "x", vec![]);
    // One scale for all, or one for each of the result's channels.
    let scale = in_steps(node, &ws, &xs, &ys);
    let weights = node.compute("DequantizeLinear", &[&w, &scale, &wz], "w", vec![int("axis", 0)]);
    let mut factors = vec![image, weights];
    if let Some(given) = node.optional(8) {
        let float = node.compute("Cast", &[&given], "float bias", vec![int("to", DataType::Float as i64)]);
        factors.push(node.compute("Mul", &[&float, &scale], "bias", vec![]));
    }
    let attributes = node.hand_on();
    let factors: Vec<&str> = factors.iter().map(String::as_str).collect();
    let sum = node.compute("Conv", &factors, "y", attributes);
    let result = node.result(0);
    node.define("QuantizeLinear", &[&sum, &one, &yz], &result, vec![]);
    Ok(())
}

/// `a a_scale a_zero b b_scale b_zero y_scale y_zero`.
pub(super) fn product(node: &mut Rewriting) -> Result<(), ModelError> {
    let [a, a_scale, a_zero, b, b_scale, b_zero, ys, yz] = operands(node)?;
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

fn operands(node: &Rewriting) -> Result<[String; 8], ModelError> {
    let mut all = [const { String::new() }; 8];
    for (position, name) in all.iter_mut().enumerate() {
        *name = node.operand(position)?;
    }
    Ok(all)
}
