//! Operators that are defined by others, written as those before anything else sees the graph.
//!
//! - [`quantized`]: `QLinearConv`, `QLinearMatMul`, `MatMulInteger` and `ConvInteger`; and `DynamicQuantizeLinear`. [`steps`]: products between
//!   QuantizeLinear and DequantizeLinear, as those.
//! - [`tables`]: scalers, normalizers and linear models of `ai.onnx.ml`; [`trees`]: its ensembles of trees,
//!   of which [`ensemble`] reads what they say, and [`roots`] the form of version 5.
//! - [`support`]: its support vector machines, whose probabilities [`coupling`] finds; [`encoders`]: its encoders of kinds.
//! - [`scan`]: what is computed of each row alone, for all at once, and the distances of all pairs.
//! - [`reductions`]: norms and reductions that are made of sums; [`order`]: how many of the largest; [`remainder`]: what is left of a division; [`scalars`]: operands without axes; [`scatter`]: tensors some places of which are another's.
//! - [`settle`]: what can be written only once shapes and constants are known, such as `If`, of which [`branches`] puts the branch that is
//!   taken in its place.
//! - [`shaped`]: what those become but for If.
//! - [`node`]: what one node says, and what it becomes.
//!
//! It knows operators and their constants; but for [`settle`] and [`shaped`] no shapes: those are inferred of what is written here.

mod branches;
mod coupling;
mod encoders;
mod ensemble;
mod node;
mod order;
mod quantized;
mod reductions;
mod remainder;
mod roots;
mod scalars;
mod scan;
mod scatter;
mod settle;
mod shaped;
mod steps;
mod support;
mod tables;
mod trees;

use tract_onnx::pb::{GraphProto, NodeProto};

use crate::error::ModelError;
use node::Rewriting;
pub use node::Thresholds;
pub use scalars::without_axes;
pub use settle::{constants, live, settle};

type Rewrite = fn(&mut Rewriting) -> Result<(), ModelError>;

/// The operators that are written as others, each with its domain and with what writes it.
const OPERATORS: [(&str, &str, Rewrite); 45] = [
    ("", "ArgMin", reductions::smallest),
    ("", "ConvInteger", quantized::integer_convolution),
    ("", "DynamicQuantizeLinear", quantized::by_its_range),
    ("", "IsNaN", encoders::missing),
    ("", "LpNormalization", reductions::normalization),
    ("", "LpPool", reductions::pool),
    ("", "MatMulInteger", quantized::integer_product),
    ("", "Mean", reductions::mean),
    ("", "MeanVarianceNormalization", reductions::standardization),
    ("", "Mod", remainder::remainder),
    ("", "QLinearConv", quantized::convolution),
    ("", "QLinearMatMul", quantized::product),
    ("", "ReduceL1", reductions::sum_of_sizes),
    ("", "ReduceL2", reductions::euclidean),
    ("", "ReduceLogSum", reductions::logarithm),
    ("", "ReduceLogSumExp", reductions::logarithm_of_exponentials),
    ("", "ReduceSumSquare", reductions::sum_of_squares),
    ("", "Scan", scan::map),
    ("", "Swish", reductions::swish),
    ("", "TopK", order::largest),
    (MICROSOFT, "CDist", scan::distances),
    (MICROSOFT, "QGemm", quantized::gemm),
    (MICROSOFT, "QLinearAdd", quantized::sum),
    (MICROSOFT, "QLinearAveragePool", quantized::average),
    (MICROSOFT, "QLinearConcat", quantized::side_by_side),
    (MICROSOFT, "QLinearGlobalAveragePool", quantized::average_of_all),
    (MICROSOFT, "QLinearLeakyRelu", quantized::leaky_relu),
    (MICROSOFT, "QLinearMul", quantized::factors),
    (MICROSOFT, "QLinearSigmoid", quantized::sigmoid),
    (TABLES, "ArrayFeatureExtractor", tables::columns),
    (TABLES, "Binarizer", tables::binarizer),
    (TABLES, "FeatureVectorizer", tables::side_by_side),
    (TABLES, "Imputer", tables::imputer),
    (TABLES, "LabelEncoder", encoders::labels),
    (TABLES, "LinearClassifier", tables::linear_classifier),
    (TABLES, "LinearRegressor", tables::linear_regressor),
    (TABLES, "Normalizer", tables::normalizer),
    (TABLES, "OneHotEncoder", encoders::one_hot),
    (TABLES, "SVMClassifier", support::classifier),
    (TABLES, "SVMRegressor", support::regressor),
    (TABLES, "Scaler", tables::scaler),
    (TABLES, "TreeEnsemble", trees::ensemble),
    (TABLES, "TreeEnsembleClassifier", trees::classifier),
    (TABLES, "TreeEnsembleRegressor", trees::regressor),
    (TABLES, "ZipMap", tables::zip_map),
];

/// The domain of what onnxruntime adds of its own.
const MICROSOFT: &str = "com.microsoft";
/// The domain of what scikit-learn and its like are exported to.
const TABLES: &str = "ai.onnx.ml";

/// Their names.
pub fn rewritten() -> impl Iterator<Item = &'static str> {
    OPERATORS.iter().map(|(_, name, _)| *name).chain(settle::operators())
}

/// Replaces them all, in a graph of this version of ONNX's operators. What is compared there may need one more look.
///
/// # Errors
///
/// If one says what is not supported, or makes no sense.
pub fn rewrite(graph: &mut GraphProto, opset: i64) -> Result<Vec<Thresholds>, ModelError> {
    steps::write(graph);
    let mut thresholds = Vec::new();
    for node in std::mem::take(&mut graph.node) {
        let Some((_, _, write)) = OPERATORS.iter().find(|(domain, name, _)| is(&node, domain, name)) else {
            graph.node.push(node);
            continue;
        };
        // Of results that become floats the declared types would be wrong; all are inferred again.
        graph.value_info.retain(|declared| !node.output.contains(&declared.name));
        let mut rewriting = Rewriting::new(node, opset);
        write(&mut rewriting)?;
        let written = rewriting.finish()?;
        graph.node.extend(written.nodes);
        graph.initializer.extend(written.constants);
        thresholds.extend(written.thresholds);
    }
    Ok(thresholds)
}

fn is(node: &NodeProto, domain: &str, name: &str) -> bool {
    let own = if node.domain == "ai.onnx" { "" } else { &node.domain };
    own == domain && node.op_type == name
}
