//! Builds the program: appends nodes with their worst-case intervals, and says where each tensor of the graph is.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use vouch_program::interval::{Interval, node_interval};
use vouch_program::validate::MAX_INPUT_BITS;
use vouch_program::{AffineTerm, AxisIndex, Node, NodeId, Op, Port, Program, View};

use super::activation::Activation;
use super::edges::Edges;
use super::functions::{self, Group};
use super::mask::{MOVING, Masks};
use super::norm;
use super::operands::Operands;
use super::rescale::Deferred;
use super::spelled::{self, Spelled};
use super::value::Value;
use crate::calibrate::{Ranges, frac_for};
use crate::compile::CompileOptions;
use crate::error::ModelError;
use crate::onnx::{Attributes, Graph, GraphNode};

/// Width of activations.
pub(crate) const BITS: u32 = 16;
/// Scales that calibration may choose from.
pub(crate) const FRACS: std::ops::RangeInclusive<i32> = -24..=24;

/// Operators whose results may be beyond their type.
const WRAPPING: [&str; 10] = ["Add", "Einsum", "Gemm", "MatMul", "Mul", "Neg", "Pow", "ReduceSum", "Sub", "Sum"];

/// Which node holds which ONNX tensor, for the report.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub tensor: String,
    pub operator: String,
    pub node: NodeId,
}

/// A lowered graph.
pub(crate) struct Lowered {
    pub program: Program,
    pub layers: Vec<Layer>,
    /// Activations whose clamp loses nothing.
    pub clamps: BTreeSet<NodeId>,
}

/// A program under construction.
pub(crate) struct Lowering<'g> {
    pub graph: &'g Graph,
    pub options: &'g CompileOptions,
    pub(super) ranges: &'g Ranges,
    /// Ranges of tensors that the graph does not have.
    likened: HashMap<String, f64>,
    pub program: Program,
    pub known: Vec<Interval>,
    values: HashMap<String, Value>,
    pub(super) deferred: HashMap<String, Deferred>,
    pub(super) edges: Edges<'g>,
    pub(super) masks: Masks,
    absorbed: BTreeSet<usize>,
    /// Functions of one variable that several nodes compute.
    functions: Vec<Group<'g>>,
    /// Normalizations that several nodes compute.
    spelled: Vec<Spelled<'g>>,
    pub(super) tables: BTreeMap<String, u32>,
    layers: Vec<Layer>,
    /// Tensors whose columns have scales of their own: by how many bits each is finer than the value's scale.
    pub(super) columns: HashMap<String, Vec<i32>>,
    /// Tensors that are not what they are in the float model.
    unlike: BTreeSet<String>,
    /// Constants that computed indices pick from, by name and axis: the weights that they are.
    pub(super) picked_from: HashMap<(String, usize), NodeId>,
    /// Tensors that a rescale ended: the scale to which it rounded, before an activation.
    pub(super) rounded: HashMap<String, i32>,
    /// See [`Lowered`].
    clamps: BTreeSet<NodeId>,
    /// The ONNX node being lowered, for messages.
    pub(super) source: String,
}

impl<'g> Lowering<'g> {
    pub fn new(graph: &'g Graph, ranges: &'g Ranges, options: &'g CompileOptions) -> Self {
        let program = Program {
            name: options.name.clone().unwrap_or_else(|| graph.name.clone()),
            nodes: Vec::new(),
            tables: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            batch: 1,
        };
        Self {
            graph,
            options,
            ranges,
            likened: HashMap::new(),
            program,
            known: Vec::new(),
            values: HashMap::new(),
            deferred: HashMap::new(),
            edges: Edges::of(graph),
            masks: Masks::default(),
            absorbed: BTreeSet::new(),
            functions: Vec::new(),
            spelled: Vec::new(),
            tables: BTreeMap::new(),
            layers: Vec::new(),
            columns: HashMap::new(),
            unlike: BTreeSet::new(),
            picked_from: HashMap::new(),
            rounded: HashMap::new(),
            clamps: BTreeSet::new(),
            source: String::new(),
        }
    }

    /// Lowers the whole graph.
    pub fn run(mut self) -> Result<Lowered, ModelError> {
        let graph = self.graph;
        self.spelled = spelled::find(graph, &self.edges);
        let taken = self.spelled.iter().flat_map(|spelled| spelled.nodes.iter().copied()).collect();
        self.functions = functions::find(graph, &self.edges, taken)?;
        self.find_masks();
        for input in &graph.inputs {
            self.source = format!("input {}", input.name);
            let column_fracs = self.column_fracs(input)?;
            let coarsest = column_fracs.iter().min().copied();
            let whole = || if input.integer { 0 } else { frac_for(self.ranges.largest(&input.name)) };
            let frac = coarsest.unwrap_or_else(whole);
            let bits = input.bits.unwrap_or(BITS).max(self.bits_of_index(&input.name));
            let node = self.push(Op::Input { bits }, &input.shape, frac)?;
            let value = Value::stored(node, &input.shape, frac);
            self.set_columns(&value, &input.name, &column_fracs);
            self.values.insert(input.name.clone(), value);
            let (name, shape, integer) = (input.name.clone(), input.shape.clone(), input.integer);
            self.program.inputs.push(Port { name, node, shape, integer, column_fracs });
        }
        for (index, node) in graph.nodes.iter().enumerate() {
            if self.absorbed.contains(&index) {
                continue;
            }
            let lower = super::find(node)?;
            self.source = format!("{} ({})", node.name, node.op);
            if WRAPPING.contains(&node.op.as_str()) && node.outputs.iter().any(|tensor| graph.is_narrow(tensor)) {
                let reason = "computes in integers of fewer than 32 bits, which wrap around; cast to int32 before it";
                return Err(Operands::new(graph, node).refuse("operand 0", reason));
            }
            if let Some(place) = self.spelled.iter().position(|spelled| spelled.nodes.contains(&index)) {
                let spelled = self.spelled.swap_remove(place);
                self.absorbed.extend(&spelled.nodes);
                norm::spelled(&mut self, &spelled)?;
                continue;
            }
            if let Some(group) = self.functions.iter().find(|group| group.nodes.contains(&index)) {
                let (nodes, activation) = (group.nodes.clone(), Activation::Composite(group.function.clone()));
                let (value, result) = (self.value(group.variable)?, group.result);
                self.absorb_all(&nodes.into_iter().collect::<Vec<_>>());
                self.activate(&value, activation, result)?;
                continue;
            }
            if !self.by_column(node)? {
                lower(&mut self, Operands::new(graph, node))?;
            }
        }
        for name in &graph.outputs {
            self.source = format!("output {name}");
            self.output(name)?;
        }
        Ok(Lowered { program: self.program, layers: self.layers, clamps: self.clamps })
    }

    /// Bits that the places of the longest axis need that a tensor picks from, such as an embedding's; none if it is no index.
    fn bits_of_index(&self, tensor: &str) -> u32 {
        let (mut bits, mut moved) = (0, vec![tensor]);
        while let Some(tensor) = moved.pop() {
            for &index in self.edges.readers.get(tensor).into_iter().flatten() {
                let reader = &self.graph.nodes[index];
                if reader.op == "Gather" && reader.inputs.get(1).is_some_and(|index| index == tensor) {
                    let shape = self.graph.shape(&reader.inputs[0]).unwrap_or_default();
                    let axis = Attributes::of(&reader.proto).int("axis").ok().flatten().unwrap_or(0);
                    let axis = if axis < 0 { axis + shape.len() as i64 } else { axis };
                    let len = usize::try_from(axis).ok().and_then(|axis| shape.get(axis)).copied().unwrap_or(0);
                    bits = bits.max(Interval::new(0, len as i64 - 1).bits().min(MAX_INPUT_BITS));
                } else if MOVING.contains(&reader.op.as_str()) && reader.inputs[0] == tensor {
                    moved.push(&reader.outputs[0]);
                }
            }
        }
        bits
    }

    /// Appends an activation whose clamp is part of how the operator is computed: what is beyond makes no difference to the result.
    pub fn clamped(&mut self, op: Op, shape: &[usize], frac: i32) -> Result<NodeId, ModelError> {
        let node = self.push(op, shape, frac)?;
        self.clamps.insert(node);
        Ok(node)
    }

    fn output(&mut self, name: &'g str) -> Result<(), ModelError> {
        if self.graph.is_constant(name) {
            return Err(ModelError::invalid(format!(
                "output \"{name}\" does not depend on any input: there is nothing to prove about it"
            )));
        }
        let value = self.value(name)?;
        let shape = value.shape.clone();
        let value = self.materialised(&value)?;
        let mut node = value.view.node;
        if matches!(self.program.node(node).op, Op::Input { .. }) {
            // An output is a result, with a place of its own.
            let inner = value.inner.clone();
            node = self.push(Op::Store { input: node }, &inner, value.frac)?;
        }
        self.program.outputs.push(Port { name: name.to_string(), node, shape, integer: false, column_fracs: vec![] });
        Ok(())
    }

    /// The value of a tensor that depends on an input.
    pub fn value(&self, tensor: &str) -> Result<Value, ModelError> {
        let value = self.values.get(tensor).cloned();
        value.ok_or_else(|| ModelError::invalid(format!("tensor \"{tensor}\" is read before it is computed")))
    }

    /// Says where a tensor is.
    pub fn define(&mut self, tensor: &str, value: Value) {
        self.values.insert(tensor.to_string(), value);
    }

    fn fail(&self, source: vouch_program::ProgramError) -> ModelError {
        ModelError::Program { node: self.source.clone(), source: Box::new(source) }
    }

    /// Appends a node.
    pub fn push(&mut self, op: Op, shape: &[usize], frac: i32) -> Result<NodeId, ModelError> {
        let node = Node { op, shape: shape.to_vec(), frac, source: self.source.clone() };
        let interval = node_interval(&self.program, &self.known, &node).map_err(|e| self.fail(e))?;
        let id = u32::try_from(self.program.nodes.len())
            .map_err(|_| ModelError::invalid("the program has more than 2^32 nodes"))?;
        self.program.nodes.push(node);
        self.known.push(interval);
        Ok(NodeId(id))
    }

    /// Appends a weight node with real values `data`, rounded at scale `frac`.
    pub fn push_weight(&mut self, data: &[f64], shape: &[usize], frac: i32) -> Result<NodeId, ModelError> {
        let scale = f64::from(frac).exp2();
        // The callers choose `frac` so that the values fit; `as` saturates, should one miss by rounding.
        let data = data.iter().map(|x| (x * scale).round() as i32).collect();
        self.push(Op::Weight { data }, shape, frac)
    }

    /// The worst-case interval of a node.
    pub fn interval(&self, node: NodeId) -> Interval {
        self.known[node.index()]
    }

    /// The real values that a view of `value` can read, zero included.
    pub fn real_range(&self, value: &Value) -> (f64, f64) {
        let range = self.interval(value.view.node).with_zero();
        let scale = f64::from(-value.frac).exp2();
        (range.lo as f64 * scale, range.hi as f64 * scale)
    }

    /// Takes a tensor of this program alone to be as large as one of the graph's.
    pub fn like(&mut self, tensor: &str, other: &str) {
        self.likened.insert(tensor.to_string(), self.ranges.largest(other));
    }

    /// Says of a tensor that in the program it is at most this, other than in the float model: the report is not to compare them.
    pub fn bound(&mut self, tensor: &str, largest: f64) {
        self.likened.insert(tensor.to_string(), largest);
        self.unlike.insert(tensor.to_string());
    }

    /// What [`Self::bound`] said of a tensor.
    pub(super) fn bound_of(&self, tensor: &str) -> Option<f64> {
        self.unlike.get(tensor).and_then(|_| self.likened.get(tensor)).copied()
    }

    /// The largest absolute value of a tensor in the calibration data.
    pub fn largest_seen(&self, tensor: &str) -> f64 {
        self.likened.get(tensor).copied().unwrap_or_else(|| self.ranges.largest(tensor))
    }

    /// The least and the greatest value of a tensor in the calibration data, zero counted among them.
    pub fn ends_seen(&self, tensor: &str) -> (f64, f64) {
        self.likened.get(tensor).map_or_else(|| self.ranges.ends(tensor), |&largest| (-largest, largest))
    }

    /// The only reader of a tensor, if it has one only and the tensor is no output of the model, and if that is no part of a function of
    /// several nodes.
    pub fn sole_reader(&self, tensor: &str) -> Option<(usize, &'g GraphNode)> {
        match self.edges.readers.get(tensor)?[..] {
            [index] if !self.is_output(tensor) && !self.functions.iter().any(|group| group.nodes.contains(&index)) => {
                Some((index, &self.graph.nodes[index]))
            }
            _ => None,
        }
    }

    fn is_output(&self, tensor: &str) -> bool {
        self.graph.outputs.iter().any(|output| output == tensor)
    }

    /// The function of this tensor that several nodes compute, if nothing else reads it.
    pub(super) fn function_of_alone(&self, tensor: &str) -> Option<&Group<'g>> {
        let group = self.functions.iter().find(|group| group.variable == tensor)?;
        let alone = self.edges.readers.get(tensor)?.iter().all(|index| group.nodes.contains(index));
        (alone && !self.is_output(tensor)).then_some(group)
    }

    /// Marks a node as computed by the one that is being lowered.
    pub fn absorb(&mut self, index: usize) {
        self.absorbed.insert(index);
    }

    /// Marks nodes as computed by the one that is being lowered.
    pub fn absorb_all(&mut self, nodes: &[usize]) {
        self.absorbed.extend(nodes);
    }

    /// Defines a computed tensor, and notes it for the report if it has a node of its own.
    pub fn define_computed(&mut self, tensor: &str, value: Value) {
        if value.whole_node(&self.program).is_some() && !self.unlike.contains(tensor) {
            let operator = self.graph.nodes.iter().find(|n| n.outputs.iter().any(|o| o == tensor));
            let operator = operator.map_or(String::new(), |n| n.op.clone());
            self.layers.push(Layer { tensor: tensor.to_string(), operator, node: value.view.node });
        }
        self.define(tensor, value);
    }

    /// `coef` times a node, as it stands.
    pub fn scaled_identity(&self, node: NodeId, coef: i64) -> AffineTerm {
        AffineTerm::Scaled { coef, view: View::identity(node, self.program.node(node).shape.len()) }
    }

    /// A number everywhere.
    pub fn whole(&self, coef: i64) -> AffineTerm {
        AffineTerm::Fill { coef, ranges: vec![] }
    }

    /// A node, stored or virtual, that holds the value's elements in the shape `inner`.
    pub fn node_of(&mut self, value: &Value) -> Result<NodeId, ModelError> {
        match value.whole_node(&self.program) {
            Some(node) => Ok(node),
            None => {
                let terms = vec![AffineTerm::Scaled { coef: 1, view: value.view.clone() }];
                self.push(Op::Affine { terms }, &value.inner, value.frac)
            }
        }
    }

    /// The value as the whole of a stored node, in the order of its elements; the shape may still be pending.
    pub fn materialised(&mut self, value: &Value) -> Result<Value, ModelError> {
        if value.whole_node(&self.program).is_some() {
            return Ok(value.clone());
        }
        let input = self.node_of(value)?;
        let node = self.push(Op::Store { input }, &value.inner, value.frac)?;
        Ok(Value { view: View::identity(node, value.inner.len()), ..value.clone() })
    }

    /// The value with `inner` equal to `shape`, so that views can address its axes.
    pub fn addressed(&mut self, value: &Value) -> Result<Value, ModelError> {
        if let Some(value) = value.addressed() {
            return Ok(value);
        }
        let whole = self.materialised(value)?;
        let len = whole.inner.iter().product::<usize>();
        let index = u32::try_from(len)
            .map(|len| (0..len).collect())
            .map_err(|_| ModelError::invalid("a reshaped tensor has more than 2^32 elements"))?;
        let node = self.push(Op::Gather { input: whole.view.node, index }, &value.shape, value.frac)?;
        Ok(Value::stored(node, &value.shape, value.frac))
    }

    /// The value such that reading outside any of the axes `vars` gives zero.
    pub fn zero_outside(&mut self, value: &Value, vars: &[usize]) -> Result<Value, ModelError> {
        if vars.iter().all(|&var| value.zero_outside(&self.program, var)) {
            return Ok(value.clone());
        }
        let input = self.node_of(value)?;
        let node = self.push(Op::Store { input }, &value.inner, value.frac)?;
        Ok(Value { view: View::identity(node, value.inner.len()), ..value.clone() })
    }

    /// A legal view of the value at the given index; stores the value if its own view does not allow it.
    pub fn view_at(&mut self, value: &Value, index: &[AxisIndex]) -> Result<View, ModelError> {
        if let Some(view) = value.at(index) {
            return Ok(view);
        }
        let stored = self.materialised(value)?;
        stored
            .at(index)
            .ok_or_else(|| ModelError::invalid(format!("node {}: no view addresses its operand", self.source)))
    }
}
