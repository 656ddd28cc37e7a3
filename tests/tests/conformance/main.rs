//! ONNX's own single-operator tests: each is compiled, run, compared with what ONNX says it gives, and held against its constraints; of each
//! operator one is proven and verified. Skipped where `../shared` is absent.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use vouch_program::execute;
use vouch_prover::commit::Srs;
use vouch_prover::{SetupOptions, prove_core, setup_core};
use vouch_verifier::{PreparedCore, verify_core};

mod case;
mod versions;

use case::{Case, Failure, Passed, numbered};

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

/// A proof of it by the core, which says what the program gave.
fn is_proven(Passed { program, inputs, .. }: Passed, srs: &Srs) {
    let options = SetupOptions::chunk_bits(srs.powers.len().ilog2() as usize);
    let key = setup_core(program, &options, srs.clone(), [5; 32], &mut |_| {}).unwrap();
    let proof = prove_core(&key, &inputs, None, &mut |_| {}).unwrap();
    let verified = verify_core(&PreparedCore::new(key.key.clone(), key.key_digest).unwrap(), &proof).unwrap();
    let execution = execute(&key.program, &inputs).unwrap();
    assert!(verified.outputs.iter().map(|output| &output.integers[..]).eq(execution.outputs()));
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
            let is_it = |refused: &str| name == refused || (refused.ends_with('_') && name.starts_with(refused));
            let expected = REFUSED.iter().find(|(refused, _)| is_it(refused));
            match (cases[name].most_computed(), expected) {
                (Ok(case), None) => {
                    passed += 1;
                    row.push(format!("{name} ({})", case.live));
                    if !std::mem::replace(&mut proven, true) {
                        is_proven(case, &srs);
                    }
                }
                (Err(Failure::Refused(reason)), Some((_, words))) if reason.contains(words) => {
                    row.push(format!("{name}: {reason}"));
                }
                (Ok(_), Some(_)) => wrong.push(format!("{name} is not refused")),
                (Err(Failure::Refused(reason) | Failure::Wrong(reason)), _) => wrong.push(format!("{name}: {reason}")),
            }
        }
        println!("{operator}: {}", row.join(", "));
    }
    println!("{passed} passed, of each operator one proven");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
