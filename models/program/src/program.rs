//! The fixed-point program: what a model is once floats are gone.
//!
//! A program is a list of nodes in topological order, each producing one integer tensor. An integer
//! `q` of a node stands for the real value `q · 2^-frac`. The operators are few and general, so that
//! widening the ONNX front end rarely touches anything below it. This page fixes their exact integer
//! semantics; [`execute()`](crate::execute()) computes them and the proof shows exactly them, bit for bit.
//!
//! Nodes are either *stored* (inputs, weights, and results that have a place of their own) or
//! *virtual* ([`Op::Contract`] and [`Op::Affine`]: exact wide values that are only ever read by
//! other operators of the same shape). A [`View`] addresses stored nodes only.
//!
//! This module knows neither ONNX nor any cryptography.

use serde::{Deserialize, Serialize};

/// Index of a node in [`Program::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeId(pub u32);

impl NodeId {
    /// The position in [`Program::nodes`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A whole model as integer arithmetic.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// A name for people, usually the ONNX file's stem.
    pub name: String,
    /// Topologically ordered: an operator reads only earlier nodes.
    pub nodes: Vec<Node>,
    /// Tables of one-variable functions, shared by [`Func::Table`].
    pub tables: Vec<FunctionTable>,
    /// The model's inputs, in its own order; each is an [`Op::Input`] node.
    pub inputs: Vec<Port>,
    /// The model's outputs, in its own order; each is a stored node.
    pub outputs: Vec<Port>,
    /// How many inferences it does at once: see [`crate::batched`].
    pub batch: usize,
}

/// A named input or output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// The tensor's name in the ONNX file.
    pub name: String,
    /// The node that holds it.
    pub node: NodeId,
    /// The shape the ONNX file gives it; as many elements as the node has, in the same row-major order.
    pub shape: Vec<usize>,
    /// Whether the ONNX file declares integers or booleans. The node's scale is then 2^0.
    pub integer: bool,
    /// Of an input whose columns differ in scale: one `frac` for each place along the last axis, in place of the node's. Else empty.
    pub column_fracs: Vec<i32>,
}

/// One integer tensor and how it comes to be.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// How the tensor is computed.
    pub op: Op,
    /// Lengths of the axes, row-major; the empty shape is a scalar. No axis has length 0.
    pub shape: Vec<usize>,
    /// The real value of an integer `q` is `q · 2^-frac`.
    pub frac: i32,
    /// Where it comes from, for messages: the ONNX node's name and operator.
    pub source: String,
}

/// The operators. `out` is the node's own tensor and `half(s) = 2^(s-1)`, or 0 when `s = 0`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum Op {
    /// An input of the model: integers in `[-2^(bits-1), 2^(bits-1))`. Stored.
    Input {
        /// Width of the declared range, sign included; 2 to 24.
        bits: u32,
    },
    /// Trained parameters, row-major. Stored.
    Weight {
        /// One integer an element.
        data: Vec<i32>,
    },
    /// `out[o] = Σ_s lhs[o, s] · rhs[o, s]`, an einsum over index variables. Virtual.
    ///
    /// The first `shape.len()` variables are the node's own axes (`vars` repeats their lengths), the
    /// others are summed over. Without `rhs` the second factor is 1.
    Contract {
        /// Length of each index variable.
        vars: Vec<usize>,
        /// First operand, over `vars`.
        lhs: View,
        /// Second operand, over `vars`.
        rhs: Option<View>,
    },
    /// `out[o] = Σ_t term_t[o]`, variables being the node's own axes. Virtual.
    Affine {
        /// The summands.
        terms: Vec<AffineTerm>,
    },
    /// `out[o] = func(z)`, where `q = floor((input[o] + half(shift)) / 2^shift)` and `z` is `q`, clamped to
    /// `[-2^(bits-1), 2^(bits-1))` if `saturate`. Without `saturate` the interval analysis must
    /// have shown that `q` lies in that range for every input. Stored.
    Apply {
        /// A node of the same shape, stored or virtual.
        input: NodeId,
        /// How many bits the rescaling drops; 0 to 40.
        shift: u32,
        /// The function after rescaling.
        func: Func,
        /// Width of the function's domain, sign included; 2 to 16.
        bits: u32,
        /// Whether values outside the domain are clamped to it.
        saturate: bool,
    },
    /// `out[o] = max(lhs[o], rhs[o])`, both of the node's shape, stored or virtual. Stored.
    Max {
        /// First operand.
        lhs: NodeId,
        /// Second operand.
        rhs: NodeId,
    },
    /// The input's values, given a place of their own so that views can address them. Stored.
    Store {
        /// A node of the same shape, stored or virtual.
        input: NodeId,
    },
    /// `out[o] = input[index[o]]`, both indexed by flat row-major position. Stored.
    Gather {
        /// A stored node of any shape.
        input: NodeId,
        /// One flat position of `input` for each element of `out`.
        index: Vec<u32>,
    },
    /// `out[b, i, j] = rows[b, index[b, i], j]`, each letter standing for any number of axes: the rows that a tensor's values name, `b` having
    /// rows of its own. An index that names none of its own ends the execution; there is no proof of it. Stored.
    Pick {
        /// A stored node of more axes than are shared, the first of the others is picked from.
        rows: NodeId,
        /// A stored node of scale 2^0.
        index: NodeId,
        /// The number of axes that `b` stands for: the first ones of both.
        shared: usize,
    },
    /// `out[o] = floor((2^(shift+1)·num[o] + den[o]) / (2·den[o]))`: the quotient with `shift` bits behind the point, to nearest, halves up. The interval
    /// analysis must have shown that the divisor is positive. Stored.
    Divide {
        /// A stored node of the same shape.
        num: NodeId,
        /// A stored node, each of its axes either one of the result's, of the same length, or of length 1 and read at 0.
        den: View,
        /// 0 to 24.
        shift: u32,
    },
    /// The position of the largest element along an axis; the first one on ties. `shape` is the
    /// input's with that axis of length 1. `frac` is 0. Stored.
    ArgMax {
        /// A stored node.
        input: NodeId,
        /// The axis of `input` to search.
        axis: usize,
    },
}

/// One summand of [`Op::Affine`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AffineTerm {
    /// `coef · view[o]`. Where the view's node is virtual, the view must be the identity.
    Scaled {
        /// Multiplier.
        coef: i64,
        /// What it multiplies.
        view: View,
    },
    /// `coef` where every listed variable `v` lies in `[start, end)`, else 0. No ranges: a constant.
    Fill {
        /// The value inside.
        coef: i64,
        /// `(variable, start, end)`; a variable stands at most once.
        ranges: Vec<(usize, usize, usize)>,
    },
}

/// The function of [`Op::Apply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Func {
    /// `z`.
    Identity,
    /// `max(z, 0)`.
    Relu,
    /// `tables[i].values[z + 2^(bits-1)]`; the table's `bits` equal the operator's.
    Table(u32),
}

/// A one-variable function on `[-2^(bits-1), 2^(bits-1))`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionTable {
    /// What it computes, with scales, for messages: `sigmoid 2^-11 → 2^-15`.
    pub name: String,
    /// Width of the domain, sign included.
    pub bits: u32,
    /// `2^bits` results, for arguments in increasing order.
    pub values: Vec<i32>,
}

/// A stored node re-addressed: element `o` of the view (one index for each variable) is the node's element
/// at the indices that `axes` give, or **zero** where any of them falls outside the node's axis.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct View {
    /// The node that is read.
    pub node: NodeId,
    /// One for each axis of the node. A variable stands in at most one axis.
    pub axes: Vec<AxisIndex>,
}

/// `Σ coef · variable + offset`: the index on one axis of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AxisIndex {
    /// `(variable, coef)`; at most two, coefs not 0.
    pub terms: Vec<(usize, i64)>,
    /// Added to the sum.
    pub offset: i64,
}

impl AxisIndex {
    /// The variable itself.
    pub fn var(var: usize) -> Self {
        Self { terms: vec![(var, 1)], offset: 0 }
    }

    /// A fixed index.
    pub fn fixed(offset: i64) -> Self {
        Self { terms: Vec::new(), offset }
    }

    /// `stride · var + offset`.
    pub fn strided(var: usize, stride: i64, offset: i64) -> Self {
        Self { terms: vec![(var, stride)], offset }
    }

    /// `stride · out + dilation · tap - pad`: the sliding window of a convolution or pooling.
    pub fn window(out: usize, stride: usize, tap: usize, dilation: usize, pad: usize) -> Self {
        Self { terms: vec![(out, stride as i64), (tap, dilation as i64)], offset: -(pad as i64) }
    }

    /// Whether this is variable `var`, unchanged.
    pub fn is_var(&self, var: usize) -> bool {
        self.offset == 0 && self.terms == [(var, 1)]
    }

    /// The index for one assignment of the variables.
    pub fn at(&self, vars: &[usize]) -> i64 {
        self.terms.iter().map(|&(v, c)| c * vars[v] as i64).sum::<i64>() + self.offset
    }
}

impl View {
    /// Axis `i` reads variable `i`.
    pub fn identity(node: NodeId, rank: usize) -> Self {
        Self { node, axes: (0..rank).map(AxisIndex::var).collect() }
    }

    /// Axis `i` reads variable `vars[i]`: a transposition, or a broadcast over the variables left out.
    pub fn of_vars(node: NodeId, vars: &[usize]) -> Self {
        Self { node, axes: vars.iter().map(|&v| AxisIndex::var(v)).collect() }
    }

    /// Whether axis `i` reads variable `i`, for all axes.
    pub fn is_identity(&self) -> bool {
        self.axes.iter().enumerate().all(|(i, a)| a.is_var(i))
    }

    /// The variables that occur.
    pub fn vars(&self) -> impl Iterator<Item = usize> + '_ {
        self.axes.iter().flat_map(|a| a.terms.iter().map(|&(v, _)| v))
    }
}

impl Op {
    /// Whether the result has a place of its own that views can address.
    pub fn is_stored(&self) -> bool {
        !matches!(self, Op::Contract { .. } | Op::Affine { .. })
    }

    /// The nodes that it reads, in the order of its fields; one that is read twice stands twice.
    pub fn reads(&self) -> Vec<NodeId> {
        match self {
            Op::Input { .. } | Op::Weight { .. } => Vec::new(),
            Op::Contract { lhs, rhs, .. } => std::iter::once(lhs).chain(rhs).map(|view| view.node).collect(),
            Op::Affine { terms } => terms
                .iter()
                .filter_map(|term| match term {
                    AffineTerm::Scaled { view, .. } => Some(view.node),
                    AffineTerm::Fill { .. } => None,
                })
                .collect(),
            Op::Apply { input, .. } | Op::Store { input } | Op::Gather { input, .. } | Op::ArgMax { input, .. } => {
                vec![*input]
            }
            Op::Max { lhs, rhs } => vec![*lhs, *rhs],
            Op::Pick { rows, index, .. } => vec![*rows, *index],
            Op::Divide { num, den, .. } => vec![*num, den.node],
        }
    }
}

impl Node {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Never true for a valid node: no axis has length 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Program {
    /// The node with this id.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// Number of trained parameters.
    pub fn parameters(&self) -> usize {
        self.nodes.iter().map(|n| if let Op::Weight { data } = &n.op { data.len() } else { 0 }).sum()
    }
}

/// `2^(shift-1)`, what rescaling adds so that flooring rounds to nearest; 0 for no shift.
pub fn half(shift: u32) -> i64 {
    if shift == 0 { 0 } else { 1 << (shift - 1) }
}
