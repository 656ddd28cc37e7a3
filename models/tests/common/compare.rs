//! Small models, compiled and compared with the float model on noise.

use ndarray::{ArrayD, IxDyn};
use tract_onnx::pb::{ModelProto, NodeProto, TensorProto};
use vouch_models::{Calibration, CompileOptions, Compiled, Model, ModelError};
use vouch_program::Op;

use super::*;

pub const SAMPLES: usize = 8;

pub fn samples(shape: &[i64], scale: f32) -> Calibration {
    let mut dims: Vec<usize> = vec![SAMPLES];
    dims.extend(shape.iter().map(|&d| d as usize));
    let data = noise(dims.iter().product(), 7).iter().map(|x| x * scale).collect();
    Calibration::from_array(ArrayD::from_shape_vec(IxDyn(&dims), data).unwrap())
}

pub fn compile(model: &ModelProto, shape: &[i64], scale: f32) -> Result<Compiled, ModelError> {
    let options = CompileOptions::default();
    Model::from_bytes(&bytes(model))?.compile(&samples(shape, scale), &options, &mut |_| {})
}

/// Compiles nodes that lead from `x` of `shape` to `y` and compares on random inputs.
pub fn check(shape: &[i64], weights: Vec<TensorProto>, nodes: Vec<NodeProto>) -> Compiled {
    let what =
        nodes.iter().map(|n| format!("{}{:?} ", n.op_type, n.attribute.iter().map(|a| &a.name).collect::<Vec<_>>()));
    let what: String = what.collect();
    let model = model(vec![declared("x", shape)], weights, nodes, &["y"]);
    let compiled = compile(&model, shape, 2.0).unwrap_or_else(|e| panic!("{what}: {e}"));
    let share = compiled.report.largest_error_share;
    assert!(share < 0.004, "{what}: error {share}\n{}", compiled.report);
    assert!(compiled.report.saturated.is_empty(), "{what}: {:?}", compiled.report.saturated);
    compiled
}

pub fn count(compiled: &Compiled, wanted: fn(&Op) -> bool) -> usize {
    compiled.program.nodes.iter().filter(|n| wanted(&n.op)).count()
}

pub fn w(name: &str, dims: &[i64], seed: u64) -> TensorProto {
    floats(name, dims, noise(dims.iter().product::<i64>() as usize, seed))
}
