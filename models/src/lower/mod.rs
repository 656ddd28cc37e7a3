//! From an ONNX graph with known ranges to a fixed-point program: one small function for each operator.
//!
//! - [`value`]: a tensor as a view of a stored node, so that moving data around costs nothing.
//! - [`build`]: appends nodes and follows their worst-case intervals.
//! - [`rescale`]: chooses scales and ends each operator with one rescale that also applies its activation.
//! - [`wide`]: roots and logarithms of accumulators.
//! - [`columns`]: inputs whose columns have scales of their own.
//! - [`edges`]: which node makes a tensor, and which read it; [`operands`], [`operand`]: what a node says; [`activation`]: the functions of one variable; [`functions`]: those that several
//!   nodes compute; [`spelled`]: normalizations that do.
//! - the others: operators, grouped by kind.
//!
//! It knows ranges, not samples: where calibration data comes from is `calibrate`'s matter.

mod activation;
mod build;
mod columns;
mod conv;
mod conv_transpose;
mod edges;
mod einsum;
mod elementwise;
mod extreme;
mod functions;
mod gather;
mod layout;
mod linear;
mod mask;
mod matmul;
mod norm;
mod operand;
mod operands;
mod pool;
mod recurrent;
mod reduce;
mod rescale;
mod resize;
mod select;
mod slicing;
mod softmax;
mod spelled;
mod top_k;
mod value;
mod wide;

pub(crate) use build::{FRACS, Layer, Lowered, Lowering};

use crate::error::ModelError;
use crate::onnx::{GraphNode, rewritten};
use operands::Operands;

type Lower = for<'a, 'g> fn(&'a mut Lowering<'g>, Operands<'g>) -> Result<(), ModelError>;

/// Every operator but activations and those that are written as others, with the function that lowers it.
const OPERATORS: &[(&str, Lower)] = &[
    ("Add", elementwise::add),
    ("And", select::and),
    ("ArgMax", slicing::arg_max),
    ("AveragePool", pool::average_pool),
    ("BatchNormalization", elementwise::batch_normalization),
    ("Cast", layout::cast),
    ("CastLike", layout::cast_like),
    ("Concat", layout::concat),
    ("Constant", layout::identity),
    ("Conv", conv::conv),
    ("ConvTranspose", conv_transpose::conv_transpose),
    ("DepthToSpace", gather::depth_to_space),
    ("Div", elementwise::div),
    ("Dropout", layout::dropout),
    ("Einsum", einsum::einsum),
    ("Equal", select::equal),
    ("Expand", gather::expand),
    ("Flatten", layout::flatten),
    ("GRU", recurrent::gru),
    ("Gather", gather::gather),
    ("GatherElements", gather::gather_elements),
    ("Gemm", matmul::gemm),
    ("GlobalAveragePool", pool::global_average_pool),
    ("GlobalMaxPool", extreme::global_max_pool),
    ("Greater", select::greater),
    ("GreaterOrEqual", select::greater_or_equal),
    ("GroupNormalization", norm::group_normalization),
    ("Identity", layout::identity),
    ("InstanceNormalization", norm::instance_normalization),
    ("LSTM", recurrent::lstm),
    ("LayerNormalization", norm::layer_normalization),
    ("Less", select::less),
    ("LessOrEqual", select::less_or_equal),
    ("LogSoftmax", softmax::log_softmax),
    ("MatMul", matmul::mat_mul),
    ("Max", extreme::max),
    ("MaxPool", pool::max_pool),
    ("Min", extreme::min),
    ("Mul", elementwise::mul),
    ("Neg", elementwise::neg),
    ("Not", select::not),
    ("OneHot", select::one_hot),
    ("Or", select::or),
    ("PRelu", elementwise::parametric_relu),
    ("Pad", slicing::pad),
    ("RNN", recurrent::rnn),
    ("ReduceMax", extreme::reduce_max),
    ("ReduceMean", reduce::reduce_mean),
    ("ReduceMin", extreme::reduce_min),
    ("ReduceSum", reduce::reduce_sum),
    ("Reshape", layout::reshape),
    ("Resize", resize::resize),
    ("Slice", slicing::slice),
    ("Softmax", softmax::softmax),
    ("SpaceToDepth", gather::space_to_depth),
    ("Split", gather::split),
    ("Squeeze", layout::squeeze),
    ("Sub", elementwise::sub),
    ("Sum", elementwise::sum_of_all),
    ("Tile", gather::tile),
    ("TopK", top_k::top_k),
    ("Transpose", layout::transpose),
    ("Trilu", select::triangle),
    ("Unsqueeze", layout::unsqueeze),
    ("Where", select::choose),
    ("Xor", select::xor),
];

/// The operators that can be compiled, in alphabetical order.
pub fn supported_operators() -> impl Iterator<Item = &'static str> {
    let own = OPERATORS.iter().map(|(name, _)| *name).chain(activation::operators());
    let mut all: Vec<&str> = own.chain(rewritten()).collect();
    all.sort_unstable();
    // Some are written as others of the same name.
    all.dedup();
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
