//! From an ONNX graph with known ranges to a fixed-point program: one small function for each operator.
//!
//! - [`value`]: a tensor as a view of a stored node, so that moving data around costs nothing.
//! - [`build`]: appends nodes and follows their worst-case intervals.
//! - [`rescale`]: chooses scales and ends each operator with one rescale that also applies its activation.
//! - [`operands`], [`operand`]: what a node says; [`activation`]: the functions of one variable.
//! - the others: operators, grouped by kind.
//!
//! It knows ranges, not samples: where calibration data comes from is `calibrate`'s matter.

mod activation;
mod build;
mod conv;
mod elementwise;
mod layout;
mod linear;
mod matmul;
mod operand;
mod operands;
mod pool;
mod rescale;
mod slicing;
mod value;

pub(crate) use build::{FRACS, Layer, Lowering};

use crate::error::ModelError;
use crate::onnx::GraphNode;
use operands::Operands;

type Lower = for<'a, 'g> fn(&'a mut Lowering<'g>, Operands<'g>) -> Result<(), ModelError>;

/// Every operator but activations, with the function that lowers it.
const OPERATORS: &[(&str, Lower)] = &[
    ("Add", elementwise::add),
    ("ArgMax", slicing::arg_max),
    ("AveragePool", pool::average_pool),
    ("BatchNormalization", elementwise::batch_normalization),
    ("Concat", layout::concat),
    ("Constant", layout::identity),
    ("Conv", conv::conv),
    ("Div", elementwise::div),
    ("Dropout", layout::dropout),
    ("Flatten", layout::flatten),
    ("Gemm", matmul::gemm),
    ("GlobalAveragePool", pool::global_average_pool),
    ("GlobalMaxPool", pool::global_max_pool),
    ("Identity", layout::identity),
    ("MatMul", matmul::mat_mul),
    ("MaxPool", pool::max_pool),
    ("Mul", elementwise::mul),
    ("Pad", slicing::pad),
    ("ReduceMean", pool::reduce_mean),
    ("Reshape", layout::reshape),
    ("Slice", slicing::slice),
    ("Squeeze", layout::squeeze),
    ("Sub", elementwise::sub),
    ("Transpose", layout::transpose),
    ("Unsqueeze", layout::unsqueeze),
];

/// The operators that can be compiled, in alphabetical order.
pub fn supported_operators() -> impl Iterator<Item = &'static str> {
    let mut all: Vec<&str> = OPERATORS.iter().map(|(name, _)| *name).chain(activation::operators()).collect();
    all.sort_unstable();
    all.into_iter()
}

pub(crate) fn supported_list() -> String {
    supported_operators().collect::<Vec<_>>().join(", ")
}

/// Refuses a node whose operator is not supported.
pub(crate) fn check_operator(node: &GraphNode) -> Result<(), ModelError> {
    find(node).map(drop)
}

fn find(node: &GraphNode) -> Result<Lower, ModelError> {
    if activation::operators().any(|name| name == node.op) {
        return Ok(elementwise::activation);
    }
    let found = OPERATORS.iter().find(|(name, _)| *name == node.op);
    found
        .map(|(_, lower)| *lower)
        .ok_or_else(|| ModelError::UnsupportedOperator { operator: node.op.clone(), node: node.name.clone() })
}
