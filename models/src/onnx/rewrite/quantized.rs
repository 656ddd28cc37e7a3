//! Products of integers with a scale each: they go to floats, are multiplied, and go back to integers.

use tract_onnx::pb::tensor_proto::DataType;

use super::node::{Rewriting, int};
use crate::error::ModelError;

/// `x x_scale x_zero w w_scale w_zero y_scale y_zero [bias]`, the bias of scale `x_scale·w_scale`.
pub(super) fn convolution(node: &mut Rewriting) -> Result<(), ModelError> {
    let [x, xs, xz, w, ws, wz, ys, yz] = operands(node)?;
    let image = node.compute("DequantizeLinear", &[&x, &xs, &xz], "x", vec![]);
    // One scale for all, or one for each of the result's channels.
    let weights = node.compute("DequantizeLinear", &[&w, &ws, &wz], "w", vec![int("axis", 0)]);
    let mut factors = vec![image, weights];
    if let Some(given) = node.optional(8) {
        let scale = node.compute("Mul", &[&xs, &ws], "bias scale", vec![]);
        let float = node.compute("Cast", &[&given], "float bias", vec![int("to", DataType::Float as i64)]);
        factors.push(node.compute("Mul", &[&float, &scale], "bias", vec![]));
    }
    let attributes = node.hand_on();
    let factors: Vec<&str> = factors.iter().map(String::as_str).collect();
    let sum = node.compute("Conv", &factors, "y", attributes);
    let result = node.result(0);
    node.define("QuantizeLinear", &[&sum, &ys, &yz], &result, vec![]);
    Ok(())
}

/// `a a_scale a_zero b b_scale b_zero y_scale y_zero`.
pub(super) fn product(node: &mut Rewriting) -> Result<(), ModelError> {
    let [a, a_scale, a_zero, b, b_scale, b_zero, ys, yz] = operands(node)?;
    // One scale for all, or one for each of the result's rows, or columns.
    let lhs = node.compute("DequantizeLinear", &[&a, &a_scale, &a_zero], "a", vec![int("axis", -2)]);
    let rhs = node.compute("DequantizeLinear", &[&b, &b_scale, &b_zero], "b", vec![int("axis", -1)]);
    let sum = node.compute("MatMul", &[&lhs, &rhs], "y", vec![]);
    let result = node.result(0);
    node.define("QuantizeLinear", &[&sum, &ys, &yz], &result, vec![]);
    Ok(())
}

fn operands(node: &Rewriting) -> Result<[String; 8], ModelError> {
    let mut all = [const { String::new() }; 8];
    for (position, name) in all.iter_mut().enumerate() {
        *name = node.operand(position)?;
    }
    Ok(all)
}
