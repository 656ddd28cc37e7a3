//! Typed access to a node's attributes.
//!
//! An operator *takes* the attributes that it knows; what is left over is refused by name, so that no
//! attribute is ever ignored in silence.

use std::collections::BTreeMap;

use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto, attribute_proto::AttributeType};

/// The attributes of one node that nobody has taken yet.
pub struct Attributes {
    left: BTreeMap<String, AttributeProto>,
}

/// An attribute that is there but of another type.
#[derive(Debug)]
pub struct WrongType(pub String);

impl Attributes {
    /// Those of `node`.
    pub fn of(node: &NodeProto) -> Self {
        Self { left: node.attribute.iter().map(|a| (a.name.clone(), a.clone())).collect() }
    }

    fn take(&mut self, name: &str, wanted: AttributeType) -> Result<Option<AttributeProto>, WrongType> {
        match self.left.remove(name) {
            // Old writers leave the type out.
            Some(a) if a.r#type == wanted as i32 || a.r#type == 0 => Ok(Some(a)),
            Some(_) => Err(WrongType(name.to_string())),
            None => Ok(None),
        }
    }

    /// An integer.
    pub fn int(&mut self, name: &str) -> Result<Option<i64>, WrongType> {
        Ok(self.take(name, AttributeType::Int)?.map(|a| a.i))
    }

    /// A list of integers.
    pub fn ints(&mut self, name: &str) -> Result<Option<Vec<i64>>, WrongType> {
        Ok(self.take(name, AttributeType::Ints)?.map(|a| a.ints))
    }

    /// A float.
    pub fn float(&mut self, name: &str) -> Result<Option<f32>, WrongType> {
        Ok(self.take(name, AttributeType::Float)?.map(|a| a.f))
    }

    /// A list of floats.
    pub fn floats(&mut self, name: &str) -> Result<Option<Vec<f32>>, WrongType> {
        Ok(self.take(name, AttributeType::Floats)?.map(|a| a.floats))
    }

    /// A tensor.
    pub fn tensor(&mut self, name: &str) -> Result<Option<TensorProto>, WrongType> {
        Ok(self.take(name, AttributeType::Tensor)?.and_then(|a| a.t))
    }

    /// A graph.
    pub fn graph(&mut self, name: &str) -> Result<Option<GraphProto>, WrongType> {
        Ok(self.take(name, AttributeType::Graph)?.and_then(|a| a.g))
    }

    /// A string.
    pub fn string(&mut self, name: &str) -> Result<Option<String>, WrongType> {
        let bytes = self.take(name, AttributeType::String)?.map(|a| a.s);
        bytes.map(|b| String::from_utf8(b).map_err(|_| WrongType(name.to_string()))).transpose()
    }

    /// A list of strings.
    pub fn strings(&mut self, name: &str) -> Result<Option<Vec<String>>, WrongType> {
        let lists = self.take(name, AttributeType::Strings)?.map(|a| a.strings);
        let read = |bytes: Vec<Vec<u8>>| bytes.into_iter().map(String::from_utf8).collect::<Result<_, _>>();
        lists.map(|bytes| read(bytes).map_err(|_| WrongType(name.to_string()))).transpose()
    }

    /// Forgets an attribute that does not matter for the result.
    pub fn ignore(&mut self, name: &str) {
        self.left.remove(name);
    }

    /// The name of one that nobody took.
    pub fn leftover(&self) -> Option<&str> {
        self.left.keys().next().map(String::as_str)
    }
}
