//! One of ONNX's tests: a model, its inputs, and what ONNX says that it gives.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ndarray::ArrayD;
use prost::Message;
use tract_onnx::pb::{ModelProto, TensorProto, ValueInfoProto, type_proto::Value};
use tract_onnx::prelude::{Framework, Tensor};
use vouch_models::{Calibration, CompileOptions, Model, outputs, quantize_all};
use vouch_program::{Program, execute};
use vouch_prover::check;

/// The files of one test, by their numbers.
#[derive(Default)]
pub struct Case {
    pub model: Vec<u8>,
    pub inputs: BTreeMap<usize, Vec<u8>>,
    pub outputs: BTreeMap<usize, Vec<u8>>,
}

/// A case that passed.
pub struct Passed {
    /// How many operands were computed.
    pub live: usize,
    pub program: Program,
    pub inputs: Vec<Vec<i64>>,
}

pub enum Failure {
    /// With words about why.
    Refused(String),
    /// Something else came out than ONNX says, or the constraints do not hold.
    Wrong(String),
}

fn refused(reason: impl ToString) -> Failure {
    Failure::Refused(reason.to_string())
}

/// The number in a name such as `input_3.pb`.
pub fn numbered(name: &str, kind: &str) -> Option<usize> {
    name.strip_prefix(kind)?.strip_suffix(".pb")?.parse().ok()
}

/// The type that an input's elements are declared to have, if it is a tensor.
fn kind(input: &ValueInfoProto) -> Option<i32> {
    let Value::TensorType(tensor) = input.r#type.as_ref()?.value.as_ref()?;
    Some(tensor.elem_type)
}

/// What is no tensor of numbers, such as a sequence, is none.
fn array(bytes: &[u8]) -> Option<(TensorProto, ArrayD<f32>)> {
    let proto = TensorProto::decode(bytes).ok()?;
    let onnx = tract_onnx::onnx();
    let load = || tract_onnx::tensor::load_tensor(&*onnx.provider, &proto, None);
    let tensor: Tensor = catch_unwind(AssertUnwindSafe(load)).ok()?.ok()?;
    let floats = tensor.cast_to::<f32>().ok()?.into_owned();
    let array = floats.to_plain_array_view::<f32>().ok()?.to_owned();
    Some((proto, array))
}

impl Case {
    /// A test in a folder of its own.
    pub fn in_folder(folder: &Path) -> Option<Self> {
        let mut case = Self { model: std::fs::read(folder.join("model.onnx")).ok()?, ..Self::default() };
        for entry in std::fs::read_dir(folder.join("test_data_set_0")).ok()? {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_string_lossy().into_owned();
            for (kind, files) in [("input_", &mut case.inputs), ("output_", &mut case.outputs)] {
                if let Some(index) = numbered(&name, kind) {
                    files.insert(index, std::fs::read(&path).ok()?);
                }
            }
        }
        Some(case)
    }

    /// Runs it with the operands from `live` on promoted to constants.
    fn run(&self, live: usize) -> Result<Passed, Failure> {
        let mut model: ModelProto = tract_onnx::onnx().proto_model_for_read(&mut &self.model[..]).map_err(refused)?;
        let graph = model.graph.as_mut().ok_or_else(|| refused("no graph"))?;
        let given = |name: &String| !graph.initializer.iter().any(|constant| constant.name == *name);
        let named = graph.input.iter().map(|input| (input.name.clone(), kind(input)));
        let names: Vec<_> = named.filter(|(name, _)| given(name)).collect();
        let mut sample = Vec::new();
        for (index, (name, kind)) in names.iter().enumerate() {
            // Of bfloat16 there are just the bits.
            let read = self.inputs.get(&index).and_then(|bytes| array(bytes));
            let read = read.filter(|(proto, _)| Some(proto.data_type) == *kind);
            let (mut proto, value) = read.ok_or_else(|| refused("no tensors of numbers"))?;
            if index < live {
                sample.push((name.clone(), value));
            } else {
                proto.name.clone_from(name);
                graph.initializer.push(proto);
            }
        }
        let wanted = self.outputs.values().map(|bytes| array(bytes).map(|(_, value)| value));
        let wanted: Vec<_> = wanted.collect::<Option<_>>().ok_or_else(|| refused("no tensors of numbers"))?;
        let model = Model::from_bytes(&model.encode_to_vec()).map_err(refused)?;
        let calibration = Calibration::from_named(sample.clone());
        let compiled = model.compile(&calibration, &CompileOptions::default(), &mut |_| {}).map_err(refused)?;
        let inputs: Vec<_> = sample.into_iter().map(|(_, value)| value).collect();
        let integers = quantize_all(&compiled.program, &inputs).map_err(refused)?;
        let execution = execute(&compiled.program, &integers).map_err(refused)?;
        for (wanted, found) in wanted.iter().zip(&outputs(&compiled.program, &execution)) {
            if wanted.shape() != found.shape() {
                return Err(Failure::Wrong(format!("shape {:?} instead of {:?}", found.shape(), wanted.shape())));
            }
            let largest = wanted.iter().fold(0.0f32, |most, x| most.max(x.abs()));
            let allowed = (0.01 * largest).max(1e-3);
            let far =
                wanted.iter().zip(found).find(|(a, b)| (*a - *b).abs().partial_cmp(&allowed).is_none_or(|o| o.is_gt()));
            if let Some((wanted, found)) = far {
                return Err(Failure::Wrong(format!("{found} instead of {wanted}, the largest being {largest}")));
            }
        }
        check(&compiled.program, &integers).map_err(|error| Failure::Wrong(error.to_string()))?;
        Ok(Passed { live, program: compiled.program, inputs: integers })
    }

    /// With as many operands computed as can be, the others constants; or what failed with one. What came out otherwise than it should
    /// counts, however many were.
    pub fn most_computed(&self) -> Result<Passed, Failure> {
        let mut outcome = Err(refused("the case has no operands"));
        for live in (1..=self.inputs.len()).rev() {
            outcome = self.run(live);
            if !matches!(outcome, Err(Failure::Refused(_))) {
                break;
            }
        }
        outcome
    }
}
