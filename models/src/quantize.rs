//! Between real numbers and a program's integers.

use ndarray::ArrayD;
use vouch_program::{Execution, Op, Port, Program};

use crate::error::ModelError;

/// A real input as integers: `round(x · 2^frac)`, halves away from zero, with the scale of the element's column where columns have their own.
///
/// # Errors
///
/// If the shape is not the port's, or a value is not finite, outside the declared range, or a fraction where the model takes integers.
pub fn quantize(program: &Program, port: &Port, input: &ArrayD<f32>) -> Result<Vec<i64>, ModelError> {
    if input.shape() != port.shape {
        return Err(ModelError::data(
            format!("input \"{}\"", port.name),
            format!("its shape is {:?} where the model takes {:?}", input.shape(), port.shape),
        ));
    }
    let node = program.node(port.node);
    let Op::Input { bits } = node.op else {
        return Err(ModelError::data(format!("input \"{}\"", port.name), "the program holds it in no input node"));
    };
    let limit = 1i64 << (bits - 1);
    let mut integers = Vec::with_capacity(input.len());
    for (flat, &x) in input.iter().enumerate() {
        if !x.is_finite() {
            return Err(ModelError::NotFiniteInput {
                tensor: port.name.clone(),
                position: position(flat, &port.shape),
            });
        }
        let scale = f64::from(frac_at(program, port, flat)).exp2();
        let q = (f64::from(x) * scale).round();
        if port.integer && q != f64::from(x) {
            return Err(ModelError::NotWhole { tensor: port.name.clone(), position: position(flat, &port.shape) });
        }
        if q < -limit as f64 || q >= limit as f64 {
            let (lo, hi) = (-limit as f64 / scale, (limit - 1) as f64 / scale);
            return Err(ModelError::OutOfRange {
                tensor: port.name.clone(),
                position: position(flat, &port.shape),
                lo,
                hi,
            });
        }
        integers.push(q as i64);
    }
    Ok(integers)
}

/// All inputs of a program, in its own order.
///
/// # Errors
///
/// As of [`quantize`], or if there are too many or too few.
pub fn quantize_all(program: &Program, inputs: &[ArrayD<f32>]) -> Result<Vec<Vec<i64>>, ModelError> {
    if inputs.len() != program.inputs.len() {
        return Err(ModelError::data(
            "inputs",
            format!("{} given where the model takes {}", inputs.len(), program.inputs.len()),
        ));
    }
    program.inputs.iter().zip(inputs).map(|(port, input)| quantize(program, port, input)).collect()
}

/// The real values that a port's integers stand for, in the ONNX file's shape. `None` if their number is not the port's.
pub fn dequantize(program: &Program, port: &Port, integers: &[i64]) -> Option<ArrayD<f32>> {
    let real = |(flat, &q): (usize, &i64)| (q as f64 * f64::from(-frac_at(program, port, flat)).exp2()) as f32;
    let real = integers.iter().enumerate().map(real).collect();
    ArrayD::from_shape_vec(port.shape.clone(), real).ok()
}

/// The scale of a port's element.
fn frac_at(program: &Program, port: &Port, flat: usize) -> i32 {
    let columns = port.column_fracs.len().max(1);
    port.column_fracs.get(flat % columns).copied().unwrap_or_else(|| program.node(port.node).frac)
}

/// The real outputs of an execution, in the program's own order.
pub fn outputs(program: &Program, execution: &Execution) -> Vec<ArrayD<f32>> {
    let ports = program.outputs.iter();
    ports.filter_map(|port| dequantize(program, port, execution.value(port.node))).collect()
}

fn position(flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut rest = flat;
    let mut position: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&len| {
            let index = rest % len.max(1);
            rest /= len.max(1);
            index
        })
        .collect();
    position.reverse();
    position
}
