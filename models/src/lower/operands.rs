//! The operands and attributes of one ONNX node, and errors that name them.

use ndarray::ArrayD;
use tract_onnx::prelude::DatumType;

use crate::error::ModelError;
use crate::onnx::{Attributes, Graph, GraphNode};

/// Reads what a node says. [`Operands::finish`] refuses whatever was not read.
pub(crate) struct Operands<'g> {
    graph: &'g Graph,
    node: &'g GraphNode,
    attributes: Attributes,
}

impl<'g> Operands<'g> {
    pub fn new(graph: &'g Graph, node: &'g GraphNode) -> Self {
        Self { graph, node, attributes: Attributes::of(&node.proto) }
    }

    /// The node itself.
    pub fn node(&self) -> &'g GraphNode {
        self.node
    }

    /// An error about one attribute or operand of this node.
    pub fn refuse(&self, attribute: &str, reason: impl Into<String>) -> ModelError {
        ModelError::UnsupportedAttribute {
            operator: self.node.op.clone(),
            node: self.node.name.clone(),
            attribute: format!("attribute \"{attribute}\""),
            reason: reason.into(),
        }
    }

    /// Refuses a quotient that is cut off to an integer.
    pub fn refuse_integers(&self, tensor: &str) -> Result<(), ModelError> {
        if self.graph.is_integer(tensor) {
            return Err(self.refuse("operand 0", "holds integers, whose quotient is cut off, and is not of one constant number; cast to floats before it"));
        }
        Ok(())
    }

    /// Refuses attributes that nobody asked for.
    pub fn finish(self) -> Result<(), ModelError> {
        match self.attributes.leftover() {
            None => Ok(()),
            Some(name) => Err(self.refuse(name, "not supported")),
        }
    }

    pub fn int(&mut self, name: &str) -> Result<Option<i64>, ModelError> {
        let value = self.attributes.int(name);
        value.map_err(|_| self.refuse(name, "is not an integer"))
    }

    pub fn ints(&mut self, name: &str) -> Result<Option<Vec<i64>>, ModelError> {
        let value = self.attributes.ints(name);
        value.map_err(|_| self.refuse(name, "is not a list of integers"))
    }

    /// A list of so many lengths, each at least `least`.
    pub fn lengths(&mut self, name: &str, count: usize, least: i64) -> Result<Option<Vec<usize>>, ModelError> {
        let Some(values) = self.ints(name)? else { return Ok(None) };
        if values.len() != count || !values.iter().all(|value| (least..1 << 20).contains(value)) {
            return Err(self.refuse(name, format!("needs {count} values of at least {least}")));
        }
        Ok(Some(values.iter().map(|&value| value as usize).collect()))
    }

    /// The lengths of a kernel along its spatial axes, which the weights have too if there are any.
    pub fn kernel(&mut self, rank: usize, weights: Option<&[usize]>) -> Result<Vec<usize>, ModelError> {
        match (self.lengths("kernel_shape", rank, 1)?, weights) {
            (Some(given), Some(weights)) if given != weights => {
                Err(self.refuse("kernel_shape", "differs from the weights' shape"))
            }
            (Some(given), _) => Ok(given),
            (None, Some(weights)) => Ok(weights.to_vec()),
            (None, None) => Err(self.refuse("kernel_shape", "is missing")),
        }
    }

    pub fn float(&mut self, name: &str) -> Result<Option<f64>, ModelError> {
        let value = self.attributes.float(name);
        let value = value.map_err(|_| self.refuse(name, "is not a float"))?;
        match value {
            Some(x) if x.is_nan() => Err(self.refuse(name, "is NaN")),
            other => Ok(other.map(f64::from)),
        }
    }

    pub fn string(&mut self, name: &str) -> Result<Option<String>, ModelError> {
        let value = self.attributes.string(name);
        value.map_err(|_| self.refuse(name, "is not a string"))
    }

    pub fn strings(&mut self, name: &str) -> Result<Option<Vec<String>>, ModelError> {
        let value = self.attributes.strings(name);
        value.map_err(|_| self.refuse(name, "is not a list of strings"))
    }

    pub fn ignore(&mut self, name: &str) {
        self.attributes.ignore(name);
    }

    /// The name of operand `position`; `None` if it is left out.
    pub fn operand(&self, position: usize) -> Option<&'g str> {
        self.node.inputs.get(position).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// The name of an operand that must be there.
    pub fn required(&self, position: usize) -> Result<&'g str, ModelError> {
        self.operand(position).ok_or_else(|| self.refuse(&format!("operand {position}"), "is missing"))
    }

    /// An optional operand that must be a constant: its floats.
    pub fn optional_constant(&self, position: usize) -> Result<Option<ArrayD<f32>>, ModelError> {
        let Some(name) = self.operand(position) else {
            return Ok(None);
        };
        match self.graph.constant(name) {
            Some(value) => Ok(Some(value)),
            None => Err(self
                .refuse(&format!("operand {position}"), "depends on the model's input; only constants are supported")),
        }
    }

    /// A constant operand.
    pub fn constant(&self, position: usize) -> Result<ArrayD<f32>, ModelError> {
        let value = self.optional_constant(position)?;
        value.ok_or_else(|| self.refuse(&format!("operand {position}"), "is missing"))
    }

    /// An optional constant operand of one element.
    pub fn optional_scalar(&self, position: usize) -> Result<Option<f64>, ModelError> {
        match self.optional_constant(position)? {
            None => Ok(None),
            Some(value) if value.len() == 1 => Ok(value.first().map(|&x| x.into())),
            Some(_) => Err(self.refuse(&format!("operand {position}"), "is not a scalar")),
        }
    }

    /// A constant operand of one element, if that is what it is.
    pub fn number(&self, position: usize) -> Option<f64> {
        self.graph.number(self.operand(position)?)
    }

    /// The type of a constant operand's elements, if there is one.
    pub fn constant_type(&self, position: usize) -> Option<DatumType> {
        self.graph.constant_type(self.operand(position)?)
    }

    /// Integers given as a constant operand.
    pub fn optional_integers(&self, position: usize) -> Result<Option<Vec<i64>>, ModelError> {
        let Some(name) = self.operand(position) else {
            return Ok(None);
        };
        match self.graph.integers(name) {
            Some(values) => Ok(Some(values)),
            None => Err(self
                .refuse(&format!("operand {position}"), "depends on the model's input; only constants are supported")),
        }
    }

    /// Integers given as an attribute (older operator sets) or as operand `position`.
    pub fn integers(&mut self, name: &str, position: usize) -> Result<Option<Vec<i64>>, ModelError> {
        let attribute = self.ints(name)?;
        Ok(self.optional_integers(position)?.or(attribute))
    }

    /// The shape of a tensor of this node's.
    pub fn shape(&self, tensor: &str) -> Result<Vec<usize>, ModelError> {
        let shape = self.graph.shape(tensor).map(<[usize]>::to_vec);
        shape.ok_or_else(|| ModelError::invalid(format!("the shape of tensor \"{tensor}\" is not known")))
    }

    /// The one result; further ones must not be wanted.
    pub fn result(&self) -> Result<&'g str, ModelError> {
        if self.node.outputs.iter().skip(1).any(|name| !name.is_empty() && self.graph.is_read(name)) {
            return Err(self.refuse("second result", "only the first result is supported"));
        }
        let name = self.node.outputs.first().map(String::as_str).filter(|name| !name.is_empty());
        name.ok_or_else(|| self.refuse("first result", "is missing"))
    }

    /// All results that are wanted, in order.
    pub fn results(&self) -> impl Iterator<Item = &'g str> {
        self.node.outputs.iter().map(String::as_str).filter(|name| !name.is_empty())
    }

    /// An axis counted from the front, given one that may count from the back.
    pub fn axis(&self, axis: i64, rank: usize) -> Result<usize, ModelError> {
        let from_front = if axis < 0 { axis + rank as i64 } else { axis };
        usize::try_from(from_front)
            .ok()
            .filter(|&axis| axis < rank)
            .ok_or_else(|| self.refuse("axis", format!("{axis} is no axis of a tensor of rank {rank}")))
    }
}
