//! The graph that is lowered: live nodes in order, shapes known, everything constant folded away.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use ndarray::ArrayD;
use tract_onnx::pb::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto, tensor_proto::DataType,
    tensor_shape_proto::dimension::Value as Dim, type_proto::Value as Type,
};
use tract_onnx::prelude::{Datum, DatumType, Tensor};

use super::float::{FloatModel, floats, integers};
use super::rewrite::{Thresholds, constants, live, rewrite, settle, without_axes};
use super::{MAX_ELEMENTS, guarded, text_of};
use crate::error::ModelError;

/// Of ONNX's own operators, where a model does not say.
const USUAL_OPSET: i64 = 15;

/// What the model expects of one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputSpec {
    /// Its name.
    pub name: String,
    /// Its shape, a symbolic batch axis fixed to 1.
    pub shape: Vec<usize>,
    /// Whether it holds integers or truth values.
    pub integer: bool,
    /// Width of a fixed-point program's input, sign included, if its elements' type says one.
    pub(crate) bits: Option<u32>,
    /// Whether its first axis is that of several inferences.
    pub(crate) is_batch: bool,
    /// The type that the float model takes.
    pub(super) kind: DatumType,
}

impl InputSpec {
    /// What a compiled program expects of its inputs: enough to match a data file with them, without the ONNX file.
    pub fn of_program(program: &vouch_program::Program) -> Vec<Self> {
        let ports = program.inputs.iter();
        let spec = |port: &vouch_program::Port| Self {
            name: port.name.clone(),
            shape: port.shape.clone(),
            integer: port.integer,
            bits: None,
            is_batch: program.batch > 1,
            kind: f32::datum_type(),
        };
        ports.map(spec).collect()
    }
}

/// One operator whose result depends on an input.
pub struct GraphNode {
    /// Its name, or its first output's where it has none.
    pub name: String,
    /// The operator, with its domain if that is not ONNX's own.
    pub op: String,
    /// Names of its operands; empty where an optional one is left out.
    pub inputs: Vec<String>,
    /// Names of its results; empty where not wanted.
    pub outputs: Vec<String>,
    /// The protobuf, for the attributes.
    pub proto: NodeProto,
}

/// A model as a graph over named tensors.
pub struct Graph {
    /// The model's own name for itself, possibly empty.
    pub name: String,
    /// Version of ONNX's operator set.
    pub opset: i64,
    /// Its inputs, in its own order.
    pub inputs: Vec<InputSpec>,
    /// Its outputs, in its own order.
    pub outputs: Vec<String>,
    /// Live nodes that depend on an input, in topological order.
    pub nodes: Vec<GraphNode>,
    constants: BTreeMap<String, Arc<Tensor>>,
    shapes: HashMap<String, Vec<usize>>,
    /// The types of computed tensors.
    kinds: HashMap<String, DatumType>,
    /// By the constant's name.
    thresholds: HashMap<String, Thresholds>,
}

impl Graph {
    /// Analyses a model that [`super::read_model`] gave, and prepares the float model. `check` sees each live node that is
    /// not constant, before anything is run.
    ///
    /// # Errors
    ///
    /// What `check` says, or if shapes cannot be inferred or the graph is malformed.
    pub fn new(
        mut model: ModelProto,
        folder: Option<&Path>,
        fixed: &Fixed,
        check: impl Fn(&GraphNode) -> Result<(), ModelError>,
    ) -> Result<(Self, FloatModel), ModelError> {
        let opset = opset_of(&mut model);
        let Some(proto) = model.graph.as_mut() else {
            return Err(ModelError::invalid("it contains no graph"));
        };
        name_apart(proto);
        let inputs = inputs(proto, fixed)?;
        without_axes(proto);
        let mut thresholds = rewrite(proto, opset)?;
        let known = |node: &NodeProto| check(&graph_node(node));
        while settle(&mut model, folder, &inputs, opset, known)? {
            let Some(proto) = model.graph.as_mut() else { break };
            thresholds.extend(rewrite(proto, opset)?);
        }
        let Some(proto) = model.graph.as_mut() else {
            return Err(ModelError::invalid("it contains no graph"));
        };
        let thresholds = thresholds.into_iter().map(|each| (each.constant.clone(), each)).collect();
        keep_live(proto)?;
        name_apart(proto);

        let constant = constants(proto);
        let (mut nodes, mut folded) = (Vec::new(), Vec::new());
        for node in &proto.node {
            let mut named = node.output.iter().filter(|name| !name.is_empty()).peekable();
            if named.peek().is_some_and(|name| constant.contains(*name)) {
                folded.extend(named.cloned());
                continue;
            }
            let node = graph_node(node);
            check(&node)?;
            nodes.push(node);
        }
        let outputs: Vec<String> = proto.output.iter().map(|o| o.name.clone()).collect();
        let name = proto.name.clone();

        let mut computed: Vec<String> = inputs.iter().map(|i| i.name.clone()).collect();
        computed.extend(proto.node.iter().flat_map(|n| n.output.iter().filter(|o| !o.is_empty()).cloned()));
        let mut constants = load_initializers(proto, folder)?;
        let float = FloatModel::new(&model, folder, &inputs, computed)?;
        let facts = float.facts().iter();
        let mut shapes: HashMap<String, Vec<usize>> =
            facts.map(|(name, fact)| (name.clone(), fact.shape.clone())).collect();
        let kinds = float.facts().iter().map(|(name, fact)| (name.clone(), fact.kind)).collect();
        if !folded.is_empty() {
            let zeros: Vec<_> = inputs.iter().map(|i| ArrayD::zeros(i.shape.clone())).collect();
            let wanted: HashSet<&String> = folded.iter().collect();
            for (name, value) in float.names().iter().zip(float.run_raw(&zeros)?) {
                if wanted.contains(name) {
                    constants.insert(name.clone(), value);
                }
            }
        }
        for (name, tensor) in &constants {
            shapes.insert(name.clone(), tensor.shape().to_vec());
        }
        for spec in &inputs {
            shapes.insert(spec.name.clone(), spec.shape.clone());
        }
        Ok((Self { name, opset, inputs, outputs, nodes, constants, shapes, kinds, thresholds }, float))
    }

    /// A tensor's shape.
    pub fn shape(&self, tensor: &str) -> Option<&[usize]> {
        self.shapes.get(tensor).map(Vec::as_slice)
    }

    /// Whether a computed tensor holds integers or truth values.
    pub fn is_integer(&self, tensor: &str) -> bool {
        self.kinds.get(tensor).is_some_and(|kind| !kind.is_float())
    }

    /// Whether a computed tensor holds truth values.
    pub fn is_truth(&self, tensor: &str) -> bool {
        self.kinds.get(tensor) == Some(&bool::datum_type())
    }

    /// Whether a computed tensor holds texts.
    pub fn is_text(&self, tensor: &str) -> bool {
        self.kinds.get(tensor) == Some(&String::datum_type())
    }

    /// Whether a computed tensor holds integers of fewer than 32 bits, which wrap around.
    pub fn is_narrow(&self, tensor: &str) -> bool {
        let narrow = [u8::datum_type(), i8::datum_type(), u16::datum_type(), i16::datum_type()];
        self.kinds.get(tensor).is_some_and(|kind| narrow.contains(kind))
    }

    /// Whether a tensor is known without any input.
    pub fn is_constant(&self, tensor: &str) -> bool {
        self.constants.contains_key(tensor)
    }

    /// Whether anything, an output of the model included, reads a tensor.
    pub fn is_read(&self, tensor: &str) -> bool {
        let read = |node: &GraphNode| node.inputs.iter().any(|i| i == tensor);
        self.outputs.iter().any(|o| o == tensor) || self.nodes.iter().any(read)
    }

    /// The type of a constant's elements.
    pub fn constant_type(&self, tensor: &str) -> Option<DatumType> {
        Some(self.constants.get(tensor)?.datum_type())
    }

    /// A constant as floats.
    pub fn constant(&self, tensor: &str) -> Option<ArrayD<f32>> {
        let value = self.constants.get(tensor)?;
        ArrayD::from_shape_vec(value.shape().to_vec(), floats(value)?).ok()
    }

    /// A constant of one element.
    pub fn number(&self, tensor: &str) -> Option<f64> {
        let array = self.constant(tensor)?;
        array.iter().next().map(|&x| f64::from(x)).filter(|_| array.len() == 1)
    }

    /// What a constant is compared with, if that is all it is for.
    pub fn thresholds(&self, tensor: &str) -> Option<&Thresholds> {
        self.thresholds.get(tensor)
    }

    /// A constant as integers, row-major.
    pub fn integers(&self, tensor: &str) -> Option<Vec<i64>> {
        integers(self.constants.get(tensor)?)
    }
}

/// The version of ONNX's own operators. A model of other domains' alone need not say one, but what those are written as has one.
fn opset_of(model: &mut ModelProto) -> i64 {
    let stated = model.opset_import.iter().find(|o| o.domain.is_empty() || o.domain == "ai.onnx").map(|o| o.version);
    stated.unwrap_or_else(|| {
        let own = OperatorSetIdProto { domain: String::new(), version: USUAL_OPSET };
        model.opset_import.push(own);
        USUAL_OPSET
    })
}

fn graph_node(proto: &NodeProto) -> GraphNode {
    let op = match proto.domain.as_str() {
        "" | "ai.onnx" => proto.op_type.clone(),
        domain => format!("{domain}::{}", proto.op_type),
    };
    let first = proto.output.first().cloned().unwrap_or_default();
    let name = if proto.name.is_empty() { first } else { proto.name.clone() };
    GraphNode { name, op, inputs: proto.input.clone(), outputs: proto.output.clone(), proto: proto.clone() }
}

/// Drops nodes that no output needs, and checks that each tensor is defined once, before it is read.
fn keep_live(graph: &mut GraphProto) -> Result<(), ModelError> {
    let mut defined: HashSet<&str> = graph.input.iter().map(|i| i.name.as_str()).collect();
    // An input may have a default.
    let mut constants = HashSet::new();
    if let Some(twice) = graph.initializer.iter().find(|tensor| !constants.insert(tensor.name.as_str())) {
        return Err(ModelError::invalid(format!("tensor \"{}\" is defined twice", twice.name)));
    }
    defined.extend(constants);
    for node in &graph.node {
        if let Some(missing) = node.input.iter().find(|i| !i.is_empty() && !defined.contains(i.as_str())) {
            return Err(ModelError::invalid(format!(
                "node \"{}\" ({}) reads tensor \"{missing}\", which nothing before it defines",
                node.name, node.op_type
            )));
        }
        for output in node.output.iter().filter(|o| !o.is_empty()) {
            if !defined.insert(output) {
                return Err(ModelError::invalid(format!("tensor \"{output}\" is defined twice")));
            }
        }
    }
    if graph.output.is_empty() {
        return Err(ModelError::invalid("the graph has no outputs"));
    }
    if let Some(missing) = graph.output.iter().find(|o| !defined.contains(o.name.as_str())) {
        return Err(ModelError::invalid(format!("output \"{}\" is defined by no node", missing.name)));
    }
    let mut kept = live(graph, graph.output.iter().map(|output| output.name.as_str())).into_iter();
    graph.node.retain(|_| kept.next().unwrap_or(false));
    Ok(())
}

/// The runtime wants names that differ; ONNX does not.
fn name_apart(graph: &mut GraphProto) {
    let mut known = HashSet::new();
    for (place, node) in graph.node.iter_mut().enumerate().filter(|(_, node)| !node.name.is_empty()) {
        if !known.insert(node.name.clone()) {
            node.name = format!("{} #{place}", node.name);
            known.insert(node.name.clone());
        }
    }
}

/// What is fixed of a model that leaves it open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fixed {
    /// Lengths of axes: by the name that the model gives the axis, or by `INPUT.AXIS`, axes counted from 0.
    pub lengths: BTreeMap<String, usize>,
    /// Inputs that always hold this number, in all their elements: they become constants of the model.
    pub inputs: BTreeMap<String, f64>,
}

impl Fixed {
    /// Lengths alone.
    pub fn lengths<S: Into<String>>(lengths: impl IntoIterator<Item = (S, usize)>) -> Self {
        let lengths = lengths.into_iter().map(|(name, length)| (name.into(), length)).collect();
        Self { lengths, ..Self::default() }
    }
}

/// The inputs that stay such; those that are fixed become constants.
fn inputs(graph: &mut GraphProto, fixed: &Fixed) -> Result<Vec<InputSpec>, ModelError> {
    let initializers: HashSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    let inputs = graph.input.iter().filter(|i| !initializers.contains(i.name.as_str()));
    let mut unused: BTreeSet<&str> = fixed.lengths.keys().map(String::as_str).collect();
    let mut specs =
        inputs.map(|input| input_spec(input, &fixed.lengths, &mut unused)).collect::<Result<Vec<_>, _>>()?;
    if let Some(name) = unused.first() {
        return Err(ModelError::invalid(format!("no axis of an input is left open under the name \"{name}\"")));
    }
    for (name, value) in &fixed.inputs {
        let Some(place) = specs.iter().position(|spec| spec.name == *name) else {
            return Err(ModelError::invalid(format!("it has no input \"{name}\" that could be fixed")));
        };
        graph.initializer.push(filled(&specs.remove(place), *value)?);
        graph.input.retain(|input| input.name != *name);
    }
    Ok(specs)
}

/// A constant in an input's place.
fn filled(spec: &InputSpec, value: f64) -> Result<TensorProto, ModelError> {
    let fail = |reason: &str| ModelError::invalid(format!("input \"{}\" cannot be fixed: {reason}", spec.name));
    let float = spec.kind.is_float();
    if !(if float { (value as f32).is_finite() } else { value.fract() == 0.0 && value.abs() < 1e15 }) {
        return Err(fail("the number does not fit its type"));
    }
    let count = spec.shape.iter().try_fold(1usize, |count, &len| count.checked_mul(len));
    let count = count.filter(|&count| count <= MAX_ELEMENTS).ok_or_else(|| fail("it is too large"))?;
    let tensor = Tensor::from(ndarray::Array1::from_elem(count, value));
    let tensor = guarded(|| Ok(tensor.cast_to_dt(spec.kind)?.into_owned())).map_err(|reason| fail(&reason))?;
    let kind = match spec.kind {
        DatumType::F32 => DataType::Float,
        DatumType::F64 => DataType::Double,
        DatumType::I64 => DataType::Int64,
        DatumType::I32 => DataType::Int32,
        DatumType::I16 => DataType::Int16,
        DatumType::U16 => DataType::Uint16,
        DatumType::U64 => DataType::Uint64,
        DatumType::U32 => DataType::Uint32,
        DatumType::I8 => DataType::Int8,
        DatumType::U8 => DataType::Uint8,
        _ => DataType::Bool,
    };
    Ok(TensorProto {
        name: spec.name.clone(),
        dims: spec.shape.iter().map(|&len| len as i64).collect(),
        data_type: kind as i32,
        raw_data: tensor.as_bytes().to_vec(),
        ..TensorProto::default()
    })
}

fn input_spec<'d>(
    input: &ValueInfoProto,
    dimensions: &'d BTreeMap<String, usize>,
    unused: &mut BTreeSet<&'d str>,
) -> Result<InputSpec, ModelError> {
    let fail = |reason: &str| Err(ModelError::invalid(format!("input \"{}\" {reason}", input.name)));
    let Some(Type::TensorType(tensor)) = input.r#type.as_ref().and_then(|t| t.value.as_ref()) else {
        return fail("is not a tensor");
    };
    // Integers as wide as their type, or as an input can be.
    let (kind, bits) = match DataType::try_from(tensor.elem_type) {
        Ok(DataType::Float) => (f32::datum_type(), None),
        Ok(DataType::Double) => (f64::datum_type(), None),
        Ok(DataType::Int64) => (i64::datum_type(), Some(16)),
        Ok(DataType::Int32) => (i32::datum_type(), Some(16)),
        Ok(DataType::Int16) => (i16::datum_type(), Some(16)),
        Ok(DataType::Uint16) => (u16::datum_type(), Some(17)),
        Ok(DataType::Uint64) => (u64::datum_type(), Some(16)),
        Ok(DataType::Uint32) => (u32::datum_type(), Some(16)),
        Ok(DataType::Int8) => (i8::datum_type(), Some(8)),
        Ok(DataType::Uint8) => (u8::datum_type(), Some(9)),
        Ok(DataType::Bool) => (bool::datum_type(), Some(2)),
        _ => {
            return fail(
                "holds neither floats nor integers (int8 to int64, uint8 to uint64) nor truth values, which is all that is supported as an input",
            );
        }
    };
    let Some(shape) = &tensor.shape else {
        return fail("has no declared shape: export the model with one");
    };
    let mut lens = Vec::with_capacity(shape.dim.len());
    for (axis, dim) in shape.dim.iter().enumerate() {
        let place = format!("{}.{axis}", input.name);
        let named = if let Some(Dim::DimParam(name)) = &dim.value { name.as_str() } else { "" };
        let open = !matches!(&dim.value, Some(Dim::DimValue(len)) if *len >= 0);
        if let Some((name, len)) =
            [named, &place].into_iter().find_map(|name| dimensions.get_key_value(name)).filter(|_| open)
        {
            unused.remove(name.as_str());
            lens.push(*len);
            continue;
        }
        match &dim.value {
            Some(Dim::DimValue(len)) if *len > 0 => lens.push(*len as usize),
            Some(Dim::DimValue(0)) => return fail("has an axis of length 0"),
            // One proof is about one sample.
            _ if axis == 0 => lens.push(1),
            _ => {
                let named = if named.is_empty() { String::new() } else { format!("\"{named}\" or ") };
                return fail(&format!(
                    "has an axis, not the first, whose length is left open: give it as {named}\"{place}\" (--dim), or export the model with fixed sizes"
                ));
            }
        }
    }
    Ok(InputSpec { name: input.name.clone(), shape: lens, integer: bits.is_some(), bits, is_batch: false, kind })
}

fn load_initializers(graph: &GraphProto, folder: Option<&Path>) -> Result<BTreeMap<String, Arc<Tensor>>, ModelError> {
    let onnx = tract_onnx::onnx();
    let folder = folder.map(text_of);
    let mut constants = BTreeMap::new();
    for tensor in &graph.initializer {
        let value = guarded(|| tract_onnx::tensor::load_tensor(&*onnx.provider, tensor, folder))
            .map_err(|reason| ModelError::invalid(format!("tensor \"{}\": {reason}", tensor.name)))?;
        if let Some(values) = floats(&value) {
            let count = values.iter().filter(|x| !x.is_finite()).count();
            if count > 0 && values.len() > 1 {
                let total = values.len();
                return Err(ModelError::NotFiniteWeights { tensor: tensor.name.clone(), count, total });
            }
        }
        constants.insert(tensor.name.clone(), Arc::new(value));
    }
    Ok(constants)
}
