//! ONNX's own single-operator tests: each is compiled, run, compared with what ONNX says it gives, and held against its constraints; of each
//! operator one is proven and verified. Skipped where `../shared` is absent.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use ndarray::ArrayD;
use prost::Message;
use tract_onnx::pb::{ModelProto, TensorProto};
use tract_onnx::prelude::{Framework, Tensor};
use vouch_models::{Calibration, CompileOptions, Model, outputs, quantize_all};
use vouch_program::{Program, execute};
use vouch_prover::commit::Srs;
use vouch_prover::{SetupOptions, check, prove_core, setup_core};
use vouch_verifier::{PreparedCore, verify_core};

/// The cases that are refused, by their names, or what those begin with if that ends with an underscore; and what the refusal says.
const REFUSED: &[(&str, &str)] = &[
    // Nothing in them depends on an input.
    ("test_constantofshape_", "ConstantOfShape"),
    ("test_constant", "no operands"),
    ("test_shape", "does not depend on any input"),
    ("test_shape_end_1", "does not depend on any input"),
    // An empty tensor: nothing to compute.
    ("test_reshape_allowzero_reordered", "length 0"),
    // An exponent for each element.
    ("test_pow", "is not a scalar"),
    ("test_pow_example", "is not a scalar"),
];

/// One test: the model, its inputs, its outputs.
#[derive(Default)]
struct Case {
    model: Vec<u8>,
    inputs: BTreeMap<usize, Vec<u8>>,
    outputs: BTreeMap<usize, Vec<u8>>,
}

/// A file of `../shared`, or `None` with a message where that folder is absent.
fn shared(file: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(file);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not there", path.display());
    None
}

fn cases() -> Option<BTreeMap<String, Case>> {
    let path = shared("onnx-conformance/node_tests.tar.gz")?;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()));
    let mut cases: BTreeMap<String, Case> = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let parts: Vec<&str> = path.split('/').collect();
        let numbered =
            |name: &str, kind: &str| -> Option<usize> { name.strip_prefix(kind)?.strip_suffix(".pb")?.parse().ok() };
        match parts[..] {
            [_, name, "model.onnx"] => cases.entry(name.into()).or_default().model = bytes,
            [_, name, _, file] => {
                let case = cases.entry(name.into()).or_default();
                if let Some(index) = numbered(file, "input_") {
                    case.inputs.insert(index, bytes);
                } else if let Some(index) = numbered(file, "output_") {
                    case.outputs.insert(index, bytes);
                }
            }
            _ => {}
        }
    }
    Some(cases)
}

fn array(bytes: &[u8]) -> (TensorProto, ArrayD<f32>) {
    let proto = TensorProto::decode(bytes).unwrap();
    let onnx = tract_onnx::onnx();
    let tensor: Tensor = tract_onnx::tensor::load_tensor(&*onnx.provider, &proto, None).unwrap();
    let floats = tensor.cast_to::<f32>().unwrap().into_owned();
    let array = floats.to_plain_array_view::<f32>().unwrap().to_owned();
    (proto, array)
}

/// A case that passed.
struct Passed {
    /// How many operands were computed.
    live: usize,
    program: Program,
    inputs: Vec<Vec<i64>>,
}

/// Runs one case with the operands from `live` on promoted to constants; the error is what failed.
fn run(case: &Case, live: usize) -> Result<Passed, String> {
    let mut model: ModelProto = tract_onnx::onnx().proto_model_for_read(&mut &case.model[..]).unwrap();
    let graph = model.graph.as_mut().unwrap();
    let names: Vec<String> = graph.input.iter().map(|i| i.name.clone()).collect();
    let mut sample = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let (mut proto, value) = array(&case.inputs[&index]);
        if index < live {
            sample.push((name.clone(), value));
        } else {
            proto.name = name.clone();
            graph.initializer.push(proto);
        }
    }
    let wanted: Vec<_> = case.outputs.values().map(|bytes| array(bytes).1).collect();
    let model = Model::from_bytes(&model.encode_to_vec()).map_err(|e| e.to_string())?;
    let calibration = Calibration::from_named(sample.clone());
    let options = CompileOptions::default();
    let compiled = model.compile(&calibration, &options, &mut |_| {}).map_err(|e| e.to_string())?;
    let inputs: Vec<_> = sample.into_iter().map(|(_, value)| value).collect();
    let integers = quantize_all(&compiled.program, &inputs).map_err(|e| e.to_string())?;
    let execution = execute(&compiled.program, &integers).map_err(|e| e.to_string())?;
    let found = outputs(&compiled.program, &execution);
    for (wanted, found) in wanted.iter().zip(&found) {
        if wanted.shape() != found.shape() {
            return Err(format!("shape {:?} instead of {:?}", found.shape(), wanted.shape()));
        }
        let largest = wanted.iter().fold(0.0f32, |m, x| m.max(x.abs()));
        let error = wanted.iter().zip(found).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
        if error > (0.01 * largest).max(1e-3) {
            return Err(format!("error {error} where the largest value is {largest}"));
        }
    }
    check(&compiled.program, &integers).map_err(|e| e.to_string())?;
    Ok(Passed { live, program: compiled.program, inputs: integers })
}

/// A proof of it by the core, which says what the program gave.
fn is_proven(Passed { program, inputs, .. }: Passed, srs: &Srs) {
    let options = SetupOptions::chunk_bits(srs.powers.len().ilog2() as usize);
    let key = setup_core(program, &options, srs.clone(), [5; 32], &mut |_| {}).unwrap();
    let proof = prove_core(&key, &inputs, None, &mut |_| {}).unwrap();
    let verified = verify_core(&PreparedCore::new(key.key.clone(), key.key_digest).unwrap(), &proof).unwrap();
    let execution = execute(&key.program, &inputs).unwrap();
    assert!(verified.outputs.iter().map(|output| &output.integers[..]).eq(execution.outputs()));
}

/// Each case with as many operands computed as can be, the others constants; or what failed with one.
fn most_computed(case: &Case) -> Result<Passed, String> {
    let mut outcome = Err("the case has no operands".to_string());
    for live in (1..=case.inputs.len()).rev() {
        match run(case, live) {
            Ok(passed) => return Ok(passed),
            Err(reason) => outcome = Err(reason),
        }
    }
    outcome
}

#[test]
fn onnx_s_own_tests_pass() {
    let Some(cases) = cases() else { return };
    let Some(list) = shared("onnx-conformance/by_operator.json") else {
        return;
    };
    let list: BTreeMap<String, Vec<String>> = serde_json::from_slice(&std::fs::read(list).unwrap()).unwrap();
    let srs = Srs::development(1 << 10, &mut rand::rng());
    let (mut passed, mut wrong) = (0, Vec::new());
    for (operator, names) in &list {
        let (mut row, mut proven) = (Vec::new(), false);
        for name in names {
            let outcome = most_computed(&cases[name]);
            let is_it = |refused: &str| name == refused || (refused.ends_with('_') && name.starts_with(refused));
            let expected = REFUSED.iter().find(|(refused, _)| is_it(refused));
            match (outcome, expected) {
                (Ok(case), None) => {
                    passed += 1;
                    row.push(format!("{name} ({})", case.live));
                    if !std::mem::replace(&mut proven, true) {
                        is_proven(case, &srs);
                    }
                }
                (Err(reason), Some((_, words))) if reason.contains(words) => row.push(format!("{name}: {reason}")),
                (Ok(_), Some(_)) => wrong.push(format!("{name} is not refused")),
                (Err(reason), _) => wrong.push(format!("{name}: {reason}")),
            }
        }
        println!("{operator}: {}", row.join(", "));
    }
    println!("{passed} passed, of each operator one proven");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
