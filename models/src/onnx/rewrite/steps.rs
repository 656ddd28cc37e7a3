//! Products between QuantizeLinear and DequantizeLinear, as onnxruntime's static quantization leaves them: written as the quantized operators are
//! ([`super::quantized`]), so that they give the same integers.
//!
//! What is computed comes in its own integers, less the zero point; the weights' scale is that of the operand's steps in the result's, so that the sum counts the
//! result's steps. A ReLU before the result's QuantizeLinear is left out where no integer is below its zero point. Whatever is not of this form stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use tract_onnx::pb::{GraphProto, NodeProto, TensorProto, tensor_proto::DataType};

use super::super::float::{floats, integers};
use super::super::guarded;

/// Operators with a computed operand, weights, and perhaps a bias.
const PRODUCTS: [&str; 3] = ["Conv", "Gemm", "MatMul"];

/// A product of integers with a result of integers, by the places of its nodes.
struct Product {
    node: usize,
    /// The DequantizeLinear before it, of its weights, and the QuantizeLinear behind it.
    operand: usize,
    weights: usize,
    result: usize,
    relu: Option<usize>,
    /// The weights' scales in the result's steps, and what a bias is multiplied by.
    scales: Vec<f32>,
    bias: f32,
}

/// Writes those products, if all that reads a tensor is seen here: no graph is within a node.
pub(super) fn write(graph: &mut GraphProto) {
    if graph.node.iter().flat_map(|node| &node.attribute).any(|a| a.g.is_some() || !a.graphs.is_empty()) {
        return;
    }
    let products = find(graph);
    let mut gone = BTreeSet::new();
    let mut added = Vec::new();
    for (number, product) in products.into_iter().enumerate() {
        let named = |what: &str| format!("quantized product {number}: {what}");
        // A scale for all, or a list of them.
        let listed = graph.node[product.weights].input[1].clone();
        let dims = graph.initializer.iter().find(|tensor| tensor.name == listed).map(|tensor| tensor.dims.clone());
        graph.initializer.push(numbers(&named("one"), vec![], &[1.0]));
        graph.initializer.push(numbers(&named("scale"), dims.unwrap_or_default(), &product.scales));
        let mut weights = graph.node[product.weights].clone();
        (weights.input[1], weights.output) = (named("scale"), vec![named("weights")]);
        weights.name = named("weights");
        graph.node[product.operand].input[1] = named("one");
        graph.node[product.result].input[1] = named("one");
        let node = &mut graph.node[product.node];
        node.input[1] = named("weights");
        if let Some(bias) = node.input.get_mut(2).filter(|bias| !bias.is_empty()) {
            graph.initializer.push(numbers(&named("of bias"), vec![], &[product.bias]));
            let (input, output) = (vec![bias.clone(), named("of bias")], vec![named("bias")]);
            *bias = named("bias");
            added.push((
                product.node,
                NodeProto { op_type: "Mul".into(), name: named("bias"), input, output, ..NodeProto::default() },
            ));
        }
        added.push((product.node, weights));
        if let Some(relu) = product.relu {
            gone.insert(relu);
            graph.node[product.result].input[0] = graph.node[product.node].output[0].clone();
        }
    }
    // What a node reads goes before it.
    let mut before: BTreeMap<usize, Vec<NodeProto>> = BTreeMap::new();
    added.into_iter().for_each(|(place, node)| before.entry(place).or_default().push(node));
    for (place, node) in std::mem::take(&mut graph.node).into_iter().enumerate() {
        graph.node.extend(before.remove(&place).unwrap_or_default());
        if !gone.contains(&place) {
            graph.node.push(node);
        }
    }
}

/// All of this form whose operand no other node reads.
fn find(graph: &GraphProto) -> Vec<Product> {
    let view = Graph::of(graph);
    let found: Vec<Product> = (0..graph.node.len()).filter_map(|place| view.product(place)).collect();
    let of_operand = |operand: usize| found.iter().filter(move |product| product.operand == operand).count();
    let alone: BTreeSet<usize> = found
        .iter()
        .filter(|product| view.readers(&graph.node[product.operand].output[0]).len() == of_operand(product.operand))
        .map(|product| product.node)
        .collect();
    found.into_iter().filter(|product| alone.contains(&product.node)).collect()
}

struct Graph<'g> {
    graph: &'g GraphProto,
    makers: BTreeMap<&'g str, usize>,
    readers: BTreeMap<&'g str, Vec<usize>>,
    constants: BTreeMap<&'g str, &'g TensorProto>,
}

impl<'g> Graph<'g> {
    fn of(graph: &'g GraphProto) -> Self {
        let mut readers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut makers = BTreeMap::new();
        for (place, node) in graph.node.iter().enumerate() {
            node.input.iter().for_each(|name| readers.entry(name).or_default().push(place));
            makers.extend(node.output.iter().map(|name| (name.as_str(), place)));
        }
        // An output is read from outside.
        graph.output.iter().for_each(|output| readers.entry(&output.name).or_default().push(graph.node.len()));
        let constants = graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        Self { graph, makers, readers, constants }
    }

    fn readers(&self, tensor: &str) -> &[usize] {
        self.readers.get(tensor).map_or(&[], Vec::as_slice)
    }

    fn product(&self, place: usize) -> Option<Product> {
        let node = &self.graph.node[place];
        if !PRODUCTS.contains(&node.op_type.as_str()) {
            return None;
        }
        let (operand, weights) = (self.back(node.input.first()?)?, self.back(node.input.get(1)?)?);
        let [of_operand, of_weights] = [operand, weights].map(|place| &self.graph.node[place]);
        if self.constants.contains_key(of_operand.input[0].as_str())
            || !self.constants.contains_key(of_weights.input[0].as_str())
        {
            return None;
        }
        if let Some(bias) = node.input.get(2).filter(|bias| !bias.is_empty())
            && !self.is_constant(bias)
        {
            return None;
        }
        let (mut result, mut relu) = (self.only_reader(node.output.first()?)?, None);
        if self.graph.node[result].op_type == "Relu" {
            relu = Some(result);
            result = self.only_reader(self.graph.node[result].output.first()?)?;
        }
        let behind = &self.graph.node[result];
        if behind.op_type != "QuantizeLinear" || !is_plain(behind) {
            return None;
        }
        if relu.is_some() && !self.is_least(behind.input.get(2))? {
            return None;
        }
        let (own, step) = (self.number(&of_operand.input[1])?, self.number(&behind.input[1])?);
        let scales: Vec<f32> = self.floats(&of_weights.input[1])?.iter().map(|scale| scale * (own / step)).collect();
        // What is too small or too large for such a scale is left as it is.
        let is_number = |x: f32| x > 0.0 && x.is_normal();
        (is_number(own) && is_number(1.0 / step) && scales.iter().all(|scale| is_number(*scale))).then_some(Product {
            node: place,
            operand,
            weights,
            result,
            relu,
            scales,
            bias: 1.0 / step,
        })
    }

    /// The DequantizeLinear that makes a tensor.
    fn back(&self, tensor: &str) -> Option<usize> {
        let place = *self.makers.get(tensor)?;
        let node = &self.graph.node[place];
        (node.op_type == "DequantizeLinear" && is_plain(node)).then_some(place)
    }

    fn is_constant(&self, tensor: &str) -> bool {
        let made = || {
            self.back(tensor).is_some_and(|place| self.constants.contains_key(self.graph.node[place].input[0].as_str()))
        };
        self.constants.contains_key(tensor) || made()
    }

    fn only_reader(&self, tensor: &str) -> Option<usize> {
        if let [only] = self.readers(tensor) {
            Some(*only).filter(|place| *place < self.graph.node.len())
        } else {
            None
        }
    }

    /// Whether a zero point is the least integer of its type.
    fn is_least(&self, zero: Option<&String>) -> Option<bool> {
        let Some(zero) = zero.filter(|zero| !zero.is_empty()) else { return Some(true) };
        let tensor = self.constants.get(zero.as_str())?;
        let least = match tensor.data_type {
            kind if kind == DataType::Uint8 as i32 => 0,
            kind if kind == DataType::Int8 as i32 => -128,
            _ => return None,
        };
        let values = read(tensor, integers)?;
        Some(values.iter().all(|value| *value == least))
    }

    fn number(&self, tensor: &str) -> Option<f32> {
        if let [only] = self.floats(tensor)?[..] { Some(only) } else { None }
    }

    fn floats(&self, tensor: &str) -> Option<Vec<f32>> {
        let tensor = self.constants.get(tensor)?;
        if tensor.data_type == DataType::Float as i32 { read(tensor, floats) } else { None }
    }
}

/// Whether a QuantizeLinear or DequantizeLinear is of the first form, without blocks and types of the result.
fn is_plain(node: &NodeProto) -> bool {
    node.input.len() >= 2 && node.attribute.iter().all(|attribute| attribute.name == "axis")
}

/// A tensor's values, if they are in the file.
fn read<T>(tensor: &TensorProto, values: fn(&tract_onnx::prelude::Tensor) -> Option<Vec<T>>) -> Option<Vec<T>> {
    let onnx = tract_onnx::onnx();
    let read = guarded(|| tract_onnx::tensor::load_tensor(&*onnx.provider, tensor, None));
    read.ok().and_then(|tensor| values(&tensor))
}

fn numbers(name: &str, dims: Vec<i64>, values: &[f32]) -> TensorProto {
    let (name, data_type, float_data) = (name.into(), DataType::Float as i32, values.to_vec());
    TensorProto { name, dims, data_type, float_data, ..TensorProto::default() }
}
