//! What can be wrong with a program, or with an input to one, in words that a user can act on.
//!
//! Messages name the place (node and the ONNX operator it came from) and the numbers of the
//! *architecture*. They never hold a weight or an element of an input: those may be private.

use std::fmt;

use thiserror::Error;

use crate::program::NodeId;

/// A program that breaks a rule, with the place and the rule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {problem}")]
pub struct ProgramError {
    /// Where.
    pub place: Place,
    /// What.
    pub problem: Problem,
}

/// The part of a program that an error is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The program as a whole.
    Program,
    /// `nodes[index]`; `origin` is the node's `source`.
    Node {
        /// Position in the list of nodes.
        index: usize,
        /// The node's `source`.
        origin: String,
    },
    /// `tables[index]`.
    Table {
        /// Position in the list of tables.
        index: usize,
        /// The table's name.
        name: String,
    },
    /// `inputs[index]`.
    Input {
        /// Position in the list of inputs.
        index: usize,
        /// The port's name.
        name: String,
    },
    /// `outputs[index]`.
    Output {
        /// Position in the list of outputs.
        index: usize,
        /// The port's name.
        name: String,
    },
}

impl fmt::Display for Place {
    // Names come from files that may be hostile: `{:?}` keeps control characters off the terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Program => write!(f, "program"),
            Place::Node { index, origin } => write!(f, "node {index} ({origin:?})"),
            Place::Table { index, name } => write!(f, "table {index} ({name:?})"),
            Place::Input { index, name } => write!(f, "input {index} ({name:?})"),
            Place::Output { index, name } => write!(f, "output {index} ({name:?})"),
        }
    }
}

impl Place {
    /// This place with what is wrong there.
    pub(crate) fn error(&self, problem: Problem) -> ProgramError {
        ProgramError { place: self.clone(), problem }
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}", self.0)
    }
}

/// The rules of a program, as they are broken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the messages say what each variant and field is")]
pub enum Problem {
    #[error("rank {rank} is above the limit of {limit}")]
    Rank { rank: usize, limit: usize },
    #[error("axis {axis} has length 0")]
    ZeroAxis { axis: usize },
    #[error("the shape has more than {limit} elements")]
    TooManyElements { limit: usize },
    #[error("scale 2^-({frac}) is outside 2^±{limit}")]
    Frac { frac: i32, limit: i32 },
    #[error("a width of {bits} bits is outside {min} to {max}")]
    Bits { bits: u32, min: u32, max: u32 },
    #[error("rescaling by {shift} bits is above the limit of {limit}")]
    Shift { shift: u32, limit: u32 },
    #[error("{found} values where the shape has {expected} elements")]
    DataLength { expected: usize, found: usize },
    #[error("reads {read}, which does not come before it")]
    NotEarlier { read: NodeId },
    #[error("reads {read} of shape {found:?} where shape {expected:?} is needed")]
    ShapeMismatch { read: NodeId, expected: Vec<usize>, found: Vec<usize> },
    #[error("reads {read}, which is virtual, where a stored node is needed")]
    ReadsVirtual { read: NodeId },
    #[error("a view of {read}, which is virtual, is not the identity")]
    NotIdentity { read: NodeId },
    #[error("a view of {read} has {found} axes where the node has {expected}")]
    ViewRank { read: NodeId, expected: usize, found: usize },
    #[error("axis {axis} of a view of {read} has {found} terms, more than {limit}")]
    ViewTerms { read: NodeId, axis: usize, found: usize, limit: usize },
    #[error("axis {axis} of a view of {read} uses variable {var} of {vars}")]
    ViewVar { read: NodeId, axis: usize, var: usize, vars: usize },
    #[error("variable {var} stands more than once in a view of {read}")]
    VarTwice { read: NodeId, var: usize },
    #[error("axis {axis} of a view of {read} has a coefficient 0")]
    ZeroCoef { read: NodeId, axis: usize },
    #[error("axis {axis} of a view of {read} has a coefficient or an offset beyond ±{limit}")]
    IndexTooLarge { read: NodeId, axis: usize, limit: i64 },
    #[error("the first index variables have lengths {found:?} where the node's axes have {expected:?}")]
    OutputVars { expected: Vec<usize>, found: Vec<usize> },
    #[error("{vars} index variables, more than {limit}")]
    TooManyVars { vars: usize, limit: usize },
    #[error("index variable {var} has length 0 or above {limit}")]
    VarLength { var: usize, limit: usize },
    #[error("more than {limit} products")]
    TooManyProducts { limit: u64 },
    #[error("summed variable {var} stands in no operand")]
    UnusedVar { var: usize },
    #[error("a fill names variable {var} of {vars}")]
    FillVar { var: usize, vars: usize },
    #[error("a fill names variable {var} twice")]
    FillVarTwice { var: usize },
    #[error("a fill's range {start}..{end} does not fit variable {var} of length {len}")]
    FillRange { var: usize, start: usize, end: usize, len: usize },
    #[error("uses table {table} of {tables}")]
    TableIndex { table: u32, tables: usize },
    #[error("uses a table for {found} bits where its own domain has {expected}")]
    TableBits { expected: u32, found: u32 },
    #[error("{found} positions to gather where the shape has {expected} elements")]
    IndexCount { expected: usize, found: usize },
    #[error("position {at} gathers element {index} of {len}")]
    IndexRange { at: usize, index: u32, len: usize },
    #[error("picks from {read}, which has no axis for that")]
    PickRows { read: NodeId },
    #[error("picks from {read} by {by}, whose first axes, {shared} of them, are not the same")]
    PickShared { read: NodeId, by: NodeId, shared: usize },
    #[error("has shape {found:?} where the picked rows have {expected:?}")]
    PickShape { expected: Vec<usize>, found: Vec<usize> },
    #[error("picks by {read}, whose scale is 2^-({frac}), not 2^0")]
    PickFrac { read: NodeId, frac: i32 },
    #[error("searches axis {axis} of a tensor of rank {rank}")]
    ArgMaxAxis { axis: usize, rank: usize },
    #[error("has shape {found:?} where the position of the largest has {expected:?}")]
    ArgMaxShape { expected: Vec<usize>, found: Vec<usize> },
    #[error("a position has scale 2^0, not 2^-({frac})")]
    ArgMaxFrac { frac: i32 },
    #[error("divides by {read}, whose axis {axis} is neither one of the result's nor of length 1")]
    DivisorAxis { read: NodeId, axis: usize },
    #[error("divides by {read}, whose values may be as small as {lo}")]
    DivisorNotPositive { read: NodeId, lo: i64 },
    #[error("has integers of scale 2^-({frac}), not 2^0")]
    PortFrac { frac: i32 },
    #[error("has scales for {given} columns where there can be some for {columns}")]
    PortColumns { columns: usize, given: usize },
    #[error("names {node}, which the program does not have")]
    NoSuchNode { node: NodeId },
    #[error("names {node}, which is not an input")]
    NotAnInput { node: NodeId },
    #[error("names {node}, which another input names too")]
    InputTwice { node: NodeId },
    #[error("is an input that the program's list of inputs lacks")]
    UnnamedInput,
    #[error("names {node}, which is virtual and so has no values of its own")]
    VirtualOutput { node: NodeId },
    #[error("shape {shape:?} does not have the {expected} elements of its node")]
    PortShape { expected: usize, shape: Vec<usize> },
    #[error(
        "a batch of {count} cannot be made of a program for {batch}; it needs one for 1, and at least one inference"
    )]
    Batch { batch: usize, count: usize },
    #[error("has {expected} tensors of weights, {found} were given")]
    WeightCount { expected: usize, found: usize },
    #[error("is for no inference at all")]
    EmptyBatch,
    #[error("has no outputs")]
    NoOutputs,
    #[error("the rescaled value can be anything in {lo}..={hi}, which is not within {bits} bits")]
    RangeNotProven { lo: i64, hi: i64, bits: u32 },
    #[error("values cannot be shown to stay within ±2^62")]
    TooWide,
}

/// Why a program was not executed to its end.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExecuteError {
    /// The program breaks a rule.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// Another number of inputs than the program has.
    #[error("{found} inputs given where the program has {expected}")]
    InputCount {
        /// As many as the program has.
        expected: usize,
        /// As many as were given.
        found: usize,
    },
    /// An input with another number of elements than its node.
    #[error("input {index} ({name:?}): {found} elements given where the program has {expected}")]
    InputLength {
        /// Position in the list of inputs.
        index: usize,
        /// The port's name.
        name: String,
        /// As many as the node has.
        expected: usize,
        /// As many as were given.
        found: usize,
    },
    /// An element of an input outside the range that the program declares for it.
    #[error("input {index} ({name:?}), element {position}: outside the declared range {lo}..={hi}")]
    InputRange {
        /// Position in the list of inputs.
        index: usize,
        /// The port's name.
        name: String,
        /// Flat row-major position of the element.
        position: usize,
        /// Smallest value allowed.
        lo: i64,
        /// Largest value allowed.
        hi: i64,
    },
    /// A rescaled value outside an operator's domain, though the operator does not saturate: the
    /// program was run without [`crate::intervals`] having accepted it.
    #[error("node {node} ({origin:?}), element {position}: rescaled value outside {lo}..={hi}")]
    OutOfDomain {
        /// Position in the list of nodes.
        node: usize,
        /// The node's `source`.
        origin: String,
        /// Flat row-major position of the element.
        position: usize,
        /// Smallest value allowed.
        lo: i64,
        /// Largest value allowed.
        hi: i64,
    },
    /// An index that names no row.
    #[error("node {node} ({origin:?}): element {position} of what it picks by is no index from 0 to {last}")]
    Index {
        /// Position in the list of nodes.
        node: usize,
        /// The node's `source`.
        origin: String,
        /// Flat row-major position of the index.
        position: usize,
        /// The last row.
        last: usize,
    },
    /// A divisor that is not positive: the program was run without [`crate::intervals`] having accepted it.
    #[error("node {node} ({origin:?}), element {position}: the divisor is not positive")]
    Divisor {
        /// Position in the list of nodes.
        node: usize,
        /// The node's `source`.
        origin: String,
        /// Flat row-major position of the element.
        position: usize,
    },
}
