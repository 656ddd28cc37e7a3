//! One node that is being replaced: what it says, and the nodes and constants that it becomes.

use tract_onnx::pb::{
    AttributeProto, GraphProto, NodeProto, TensorProto, attribute_proto::AttributeType, tensor_proto::DataType,
};
use tract_onnx::prelude::Tensor;

use super::super::attributes::{Attributes, WrongType};
use super::super::float::{floats, integers};
use super::super::guarded;
use crate::error::ModelError;

/// A constant whose elements are only compared with columns of a tensor, each of which is a column of the operand times a constant: an
/// element that equals one of the operand's must do so in fixed point, too.
#[derive(Clone, Debug)]
pub struct Thresholds {
    /// The constant.
    pub constant: String,
    /// What the columns are of before they are multiplied.
    pub operand: String,
    /// What the elements are compared with.
    pub scaled: String,
    /// For each element the operand's column, and what it is multiplied by; none where it is beyond all columns.
    pub columns: Vec<Option<(usize, f32)>>,
}

/// What a node became.
pub(super) struct Rewritten {
    pub nodes: Vec<NodeProto>,
    pub constants: Vec<TensorProto>,
    pub thresholds: Vec<Thresholds>,
}

/// What a reduction says of its axes: all, if it names none and does not say that it then does nothing.
pub(super) struct Reduced {
    pub keep: bool,
    nothing_if_empty: bool,
    operand: Option<String>,
    attribute: Vec<i64>,
}

impl Reduced {
    /// Along these axes, which are kept.
    pub fn keeping(attribute: Vec<i64>) -> Self {
        Self { keep: true, nothing_if_empty: false, operand: None, attribute }
    }

    /// Along these axes, where it names none.
    pub fn or_along(&mut self, axes: &[i64]) {
        if self.operand.is_none() && self.attribute.is_empty() {
            self.attribute = axes.to_vec();
        }
    }
}

/// A node, and what has been written of it so far.
pub(super) struct Rewriting {
    node: NodeProto,
    attributes: Attributes,
    opset: i64,
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
    thresholds: Vec<Thresholds>,
}

impl Rewriting {
    pub fn new(node: NodeProto, opset: i64) -> Self {
        let attributes = Attributes::of(&node);
        Self { node, attributes, opset, nodes: Vec::new(), constants: Vec::new(), thresholds: Vec::new() }
    }

    /// What it became. Refuses attributes that nobody asked for.
    pub fn finish(self) -> Result<Rewritten, ModelError> {
        match self.attributes.leftover() {
            None => Ok(Rewritten { nodes: self.nodes, constants: self.constants, thresholds: self.thresholds }),
            Some(name) => Err(self.refuse(name, "not supported")),
        }
    }

    /// An error about one attribute or operand.
    pub fn refuse(&self, attribute: &str, reason: impl Into<String>) -> ModelError {
        ModelError::UnsupportedAttribute {
            operator: self.node.op_type.clone(),
            node: self.name().to_string(),
            attribute: format!("attribute \"{attribute}\""),
            reason: reason.into(),
        }
    }

    /// The node's name, or its first result's where it has none.
    fn name(&self) -> &str {
        let first = self.node.output.first().map_or("", String::as_str);
        if self.node.name.is_empty() { first } else { &self.node.name }
    }

    /// The operator that is being replaced.
    pub fn operator(&self) -> &str {
        &self.node.op_type
    }

    /// The name of operand `position`, which must be there.
    pub fn operand(&self, position: usize) -> Result<String, ModelError> {
        let name = self.optional(position);
        name.ok_or_else(|| self.refuse(&format!("operand {position}"), "is missing"))
    }

    /// The name of operand `position`; `None` where it is left out.
    pub fn optional(&self, position: usize) -> Option<String> {
        self.node.input.get(position).filter(|name| !name.is_empty()).cloned()
    }

    /// The names of all operands.
    pub fn operands(&self) -> Vec<String> {
        self.node.input.clone()
    }

    /// The name of result `position`; one of its own where nobody wants it.
    pub fn result(&self, position: usize) -> String {
        let name = self.node.output.get(position).filter(|name| !name.is_empty()).cloned();
        name.unwrap_or_else(|| self.tensor(&format!("result {position}")))
    }

    /// A tensor between operands and results.
    pub fn tensor(&self, what: &str) -> String {
        let first = self.node.output.iter().find(|name| !name.is_empty());
        format!("{}: {what}", first.map_or(self.node.name.as_str(), String::as_str))
    }

    fn taken<T>(&self, name: &str, value: Result<T, WrongType>, kind: &str) -> Result<T, ModelError> {
        value.map_err(|_| self.refuse(name, format!("is not {kind}")))
    }

    /// An attribute that is an integer.
    pub fn int(&mut self, name: &str) -> Result<Option<i64>, ModelError> {
        let value = self.attributes.int(name);
        self.taken(name, value, "an integer")
    }

    /// An attribute that is a list of integers; empty where it is left out.
    pub fn ints(&mut self, name: &str) -> Result<Vec<i64>, ModelError> {
        let value = self.attributes.ints(name);
        Ok(self.taken(name, value, "a list of integers")?.unwrap_or_default())
    }

    /// An attribute that is a finite float.
    pub fn float(&mut self, name: &str) -> Result<Option<f32>, ModelError> {
        let value = self.any_float(name)?;
        Ok(self.finite(name, value.into_iter().collect())?.first().copied())
    }

    /// An attribute that is a float of any kind.
    pub fn any_float(&mut self, name: &str) -> Result<Option<f32>, ModelError> {
        let value = self.attributes.float(name);
        self.taken(name, value, "a float")
    }

    /// An attribute that is a list of finite floats, or a tensor of them under the name that newer operators have for that; empty
    /// where it is left out.
    pub fn floats(&mut self, name: &str) -> Result<Vec<f32>, ModelError> {
        let value = self.attributes.floats(name);
        if let Some(list) = self.taken(name, value, "a list of floats")?.filter(|list| !list.is_empty()) {
            return self.finite(name, list);
        }
        self.float_tensor(&format!("{name}_as_tensor"))
    }

    /// An attribute that is a tensor of finite floats; empty where it is left out.
    pub fn float_tensor(&mut self, name: &str) -> Result<Vec<f32>, ModelError> {
        let values = self.tensor_of(name, "a tensor of floats", floats)?;
        self.finite(name, values)
    }

    /// An attribute that is a tensor of lists of floats, each but the last ended by a NaN; empty where it is left out.
    pub fn float_lists(&mut self, name: &str) -> Result<Vec<Vec<f32>>, ModelError> {
        let values = self.tensor_of(name, "a tensor of floats", floats)?;
        let mut lists: Vec<Vec<f32>> = values.split(|value| value.is_nan()).map(<[f32]>::to_vec).collect();
        // None begins behind the last end.
        if lists.last().is_some_and(Vec::is_empty) {
            lists.pop();
        }
        lists.into_iter().map(|list| self.finite(name, list)).collect()
    }

    /// An attribute that is a tensor of numbers, and whether they are integers; empty where it is left out.
    pub fn number_tensor(&mut self, name: &str) -> Result<(Vec<f32>, bool), ModelError> {
        let read = |tensor: &Tensor| {
            let exact = integers(tensor).map(|list| list.into_iter().map(|x| (x as f32, true)).collect());
            exact.or_else(|| Some(floats(tensor)?.into_iter().map(|x| (x, false)).collect()))
        };
        let (values, kinds): (Vec<f32>, Vec<bool>) =
            self.tensor_of(name, "a tensor of numbers", read)?.into_iter().unzip();
        Ok((self.finite(name, values)?, kinds.first().copied().unwrap_or(false)))
    }

    /// An attribute that is a graph.
    pub fn graph(&mut self, name: &str) -> Result<GraphProto, ModelError> {
        let value = self.attributes.graph(name);
        self.taken(name, value, "a graph")?.ok_or_else(|| self.refuse(name, "is missing"))
    }

    /// An attribute that is a tensor of integers; empty where it is left out.
    pub fn integer_tensor(&mut self, name: &str) -> Result<Vec<i64>, ModelError> {
        self.tensor_of(name, "a tensor of integers", integers)
    }

    fn tensor_of<T>(
        &mut self,
        name: &str,
        kind: &str,
        values: fn(&Tensor) -> Option<Vec<T>>,
    ) -> Result<Vec<T>, ModelError> {
        let value = self.attributes.tensor(name);
        let Some(tensor) = self.taken(name, value, "a tensor")? else { return Ok(vec![]) };
        let onnx = tract_onnx::onnx();
        let read = guarded(|| tract_onnx::tensor::load_tensor(&*onnx.provider, &tensor, None));
        let values = read.ok().and_then(|tensor| values(&tensor));
        values.ok_or_else(|| self.refuse(name, format!("is not {kind}")))
    }

    fn finite(&self, name: &str, values: Vec<f32>) -> Result<Vec<f32>, ModelError> {
        if values.iter().all(|x| x.is_finite()) {
            return Ok(values);
        }
        Err(self.refuse(name, "holds NaN or an infinity"))
    }

    /// An attribute that is a string.
    pub fn string(&mut self, name: &str) -> Result<Option<String>, ModelError> {
        let value = self.attributes.string(name);
        self.taken(name, value, "a string")
    }

    /// An attribute that is a list of strings; empty where it is left out.
    pub fn strings(&mut self, name: &str) -> Result<Vec<String>, ModelError> {
        let value = self.attributes.strings(name);
        Ok(self.taken(name, value, "a list of strings")?.unwrap_or_default())
    }

    /// An axis counted from the front, given one that may count from the back.
    pub fn axis(&self, axis: i64, rank: usize) -> Result<usize, ModelError> {
        let from_front = if axis < 0 { axis + rank as i64 } else { axis };
        let inside = usize::try_from(from_front).ok().filter(|&axis| axis < rank);
        inside.ok_or_else(|| self.refuse("axis", format!("{axis} is no axis of a tensor of rank {rank}")))
    }

    /// Forgets an attribute that does not matter for the result.
    pub fn ignore(&mut self, name: &str) {
        self.attributes.ignore(name);
    }

    /// Gives all attributes to a node that is written.
    pub fn hand_on(&mut self) -> Vec<AttributeProto> {
        for attribute in &self.node.attribute {
            self.attributes.ignore(&attribute.name);
        }
        self.node.attribute.clone()
    }

    /// A node whose result is the tensor `output`.
    pub fn define(&mut self, operator: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) {
        self.nodes.push(NodeProto {
            op_type: operator.into(),
            name: format!("{} ({}) {output}", self.name(), self.node.op_type),
            input: inputs.iter().map(|name| name.to_string()).collect(),
            output: vec![output.into()],
            attribute,
            ..NodeProto::default()
        });
    }

    /// A node of several results.
    pub fn define_all(&mut self, operator: &str, inputs: &[&str], outputs: &[String], attribute: Vec<AttributeProto>) {
        self.define(operator, inputs, &outputs[0], attribute);
        if let Some(node) = self.nodes.last_mut() {
            node.output = outputs.to_vec();
        }
    }

    /// A node whose result is a tensor between others, called `what`.
    pub fn compute(&mut self, operator: &str, inputs: &[&str], what: &str, attribute: Vec<AttributeProto>) -> String {
        let output = self.tensor(what);
        self.define(operator, inputs, &output, attribute);
        output
    }

    /// The first operand as floats.
    pub fn floats_of_operand(&mut self) -> Result<String, ModelError> {
        let x = self.operand(0)?;
        Ok(self.compute("Cast", &[&x], "as floats", vec![int("to", DataType::Float as i64)]))
    }

    /// A tensor as floats.
    pub fn numbers_of(&mut self, x: &str, what: &str) -> String {
        self.compute("Cast", &[x], what, vec![int("to", DataType::Float as i64)])
    }

    /// A tensor as integers.
    pub fn as_integers(&mut self, x: &str, what: &str) -> String {
        self.compute("Cast", &[x], what, vec![int("to", DataType::Int64 as i64)])
    }

    /// A sum along an axis, which stays with length 1 or goes.
    pub fn sum(&mut self, x: &str, axis: i64, keep: bool, what: &str) -> String {
        let mut attributes = vec![int("keepdims", keep.into())];
        if self.opset < 13 {
            attributes.push(ints("axes", &[axis]));
            return self.compute("ReduceSum", &[x], what, attributes);
        }
        let axes = self.integers(&format!("{what}, axes"), &[axis]);
        self.compute("ReduceSum", &[x, &axes], what, attributes)
    }

    /// The least or the greatest along an axis, which stays with length 1.
    pub fn extreme(&mut self, operator: &str, x: &str, axis: i64, what: &str) -> String {
        let along = Reduced { keep: true, nothing_if_empty: false, operand: None, attribute: vec![axis] };
        let result = self.tensor(what);
        self.along(operator, x, &result, &along, vec![int("keepdims", 1)], 18);
        result
    }

    /// The axes that this node, which is a reduction, names.
    pub fn reduced(&mut self) -> Result<Reduced, ModelError> {
        Ok(Reduced {
            keep: self.int("keepdims")?.unwrap_or(1) != 0,
            nothing_if_empty: self.int("noop_with_empty_axes")?.unwrap_or(0) != 0,
            operand: self.optional(1),
            attribute: self.ints("axes")?,
        })
    }

    /// A reduction along these axes.
    pub fn reduce(&mut self, operator: &str, x: &str, output: &str, along: &Reduced) -> Result<(), ModelError> {
        // Since when axes are an operand.
        let since = if operator == "ReduceSum" { 13 } else { 18 };
        let mut attributes = vec![int("keepdims", along.keep.into())];
        let named = along.operand.is_some() || !along.attribute.is_empty();
        if self.opset >= since {
            attributes.push(int("noop_with_empty_axes", along.nothing_if_empty.into()));
        } else if along.nothing_if_empty && !named {
            return Err(self.refuse("noop_with_empty_axes", "without axes is not supported"));
        }
        self.along(operator, x, output, along, attributes, since);
        Ok(())
    }

    /// Leaves out these axes, which a reduction kept.
    pub fn squeeze(&mut self, x: &str, output: &str, along: &Reduced) {
        if along.operand.is_none() && along.attribute.is_empty() {
            let shape = self.integers("no axes", &[]);
            return self.define("Reshape", &[x, &shape], output, vec![]);
        }
        self.along("Squeeze", x, output, along, vec![], 13);
    }

    /// An operator that takes axes as an attribute, and `since` some version as an operand.
    fn along(
        &mut self,
        operator: &str,
        x: &str,
        output: &str,
        along: &Reduced,
        mut attributes: Vec<AttributeProto>,
        since: i64,
    ) {
        match &along.operand {
            Some(axes) => self.define(operator, &[x, axes], output, attributes),
            None if along.attribute.is_empty() => self.define(operator, &[x], output, attributes),
            None if self.opset < since => {
                attributes.push(ints("axes", &along.attribute));
                self.define(operator, &[x], output, attributes);
            }
            None => {
                let axes = self.integers(&format!("axes of {output}"), &along.attribute);
                self.define(operator, &[x, &axes], output, attributes);
            }
        }
    }

    /// A tensor kept between two bounds.
    pub fn clip(&mut self, x: &str, lo: f32, hi: f32, what: &str) -> String {
        if self.opset < 11 {
            return self.compute("Clip", &[x], what, vec![float("min", lo), float("max", hi)]);
        }
        let [min, max] =
            [("least", lo), ("most", hi)].map(|(name, at)| self.numbers(&format!("{what}, {name}"), &[], &[at]));
        self.compute("Clip", &[x, &min, &max], what, vec![])
    }

    /// A tensor with axes of length 1 at these places.
    pub fn unsqueeze(&mut self, x: &str, axes: &[i64], what: &str) -> String {
        let along = Reduced { keep: true, nothing_if_empty: false, operand: None, attribute: axes.to_vec() };
        let result = self.tensor(what);
        self.along("Unsqueeze", x, &result, &along, vec![], 13);
        result
    }

    /// A tensor of another shape.
    pub fn reshape(&mut self, x: &str, shape: &[i64], what: &str) -> String {
        let to = self.integers(&format!("{what}, shape"), shape);
        self.compute("Reshape", &[x, &to], what, vec![])
    }

    /// A tensor with its axes in another order.
    pub fn transpose(&mut self, x: &str, order: &[i64], what: &str) -> String {
        self.compute("Transpose", &[x], what, vec![ints("perm", order)])
    }

    /// Says of a constant what it is compared with.
    pub fn compares(&mut self, thresholds: Thresholds) {
        self.thresholds.push(thresholds);
    }

    /// A constant of floats.
    pub fn numbers(&mut self, what: &str, dims: &[usize], data: &[f32]) -> String {
        self.constant(what, dims, DataType::Float, data.iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    /// A constant list of integers.
    pub fn integers(&mut self, what: &str, data: &[i64]) -> String {
        self.constant(what, &[data.len()], DataType::Int64, data.iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    fn constant(&mut self, what: &str, dims: &[usize], kind: DataType, raw: Vec<u8>) -> String {
        let name = self.tensor(what);
        self.constants.push(TensorProto {
            name: name.clone(),
            dims: dims.iter().map(|&len| len as i64).collect(),
            data_type: kind as i32,
            raw_data: raw,
            ..TensorProto::default()
        });
        name
    }
}

pub(super) fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Int as i32, i, ..AttributeProto::default() }
}

pub(super) fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    let r#type = AttributeType::Ints as i32;
    AttributeProto { name: name.into(), r#type, ints: ints.to_vec(), ..AttributeProto::default() }
}

pub(super) fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Float as i32, f, ..AttributeProto::default() }
}
