//! A program against its executor: by its constraints alone, and by a proof.

use std::sync::OnceLock;

use vouch_circuits::ir::{Origin, Role, Visibility};
use vouch_circuits::lowering::{LowerError, Lowered, Style, lower_with};
use vouch_program::{Interval, Program, execute, intervals};
use vouch_prover::commit::Srs;
use vouch_prover::witness::{Checked, generate, model_values, unpad};
use vouch_prover::{Checker, CoreProvingKey, SetupOptions, constraints_of, prove_core, setup_core};
use vouch_verifier::{PreparedCore, verify_core};

/// The greatest chunk size used here, as a binary logarithm.
const MAX_CHUNK_BITS: usize = 8;

/// One reference string for all tests.
pub fn srs() -> Srs {
    static SRS: OnceLock<Srs> = OnceLock::new();
    SRS.get_or_init(|| Srs::development(1 << MAX_CHUNK_BITS, &mut rand::rng())).clone()
}

/// The executor's outputs.
pub fn executed(program: &Program, inputs: &[Vec<i64>]) -> Vec<Vec<i64>> {
    let execution = execute(program, inputs).expect("the executor takes inputs in the declared range");
    execution.outputs().iter().map(|output| output.to_vec()).collect()
}

/// A program's constraints in the ways in which it can be lowered.
pub struct Lowerings<'p> {
    program: &'p Program,
    checker: Checker<'p>,
    /// With contractions only; with products; with products and narrow lookups.
    all: [Lowered; 3],
}

impl<'p> Lowerings<'p> {
    /// Each way twice, to the same.
    pub fn of(program: &'p Program) -> Result<Self, LowerError> {
        let narrow = Style { products: true, limb_bits: 2 };
        let styles = [Style::TABLES, Style { products: true, ..Style::TABLES }, narrow];
        let lowered = |style| -> Result<Lowered, LowerError> {
            let lower = || lower_with(program, &|_, _| Visibility::Public, style);
            let (first, second) = (lower()?, lower()?);
            assert!(first.system == second.system, "lowering is a function of the program");
            assert!(first.model == second.model && first.fixed == second.fixed);
            Ok(first)
        };
        let [tables, products, narrow] = styles.map(lowered);
        Ok(Self { program, checker: Checker::new(program)?, all: [tables?, products?, narrow?] })
    }

    /// Whether every constraint holds and the constraints' outputs, within their declared ranges, are the executor's.
    pub fn agree(&self, inputs: &[Vec<i64>]) -> Result<(), String> {
        let expected = executed(self.program, inputs);
        let report = self.checker.check(inputs).map_err(|error| error.to_string())?;
        if report.outputs != expected {
            return Err(format!("check gives {:?}, the executor {expected:?}", report.outputs));
        }
        if satisfied(self.program, self.checker.lowered(), inputs, &expected)? != report.checked {
            return Err(format!("checked {:?}", report.checked));
        }
        for lowered in &self.all {
            satisfied(self.program, lowered, inputs, &expected)
                .map_err(|error| format!("{:?}: {error}", lowered.style))?;
        }
        Ok(())
    }
}

/// Whether the constraints hold and their outputs are the expected ones.
fn satisfied(
    program: &Program,
    lowered: &Lowered,
    inputs: &[Vec<i64>],
    expected: &[Vec<i64>],
) -> Result<Checked, String> {
    let (witness, checked) =
        generate(lowered, model_values(program, lowered), inputs).map_err(|error| error.to_string())?;
    let system = &lowered.system;
    let rows: usize = system.products.iter().map(|product| 1usize << product.bits()).sum();
    if checked.lookups != system.lookups.len() || checked.product_rows != rows {
        return Err(format!("checked {checked:?}"));
    }
    for (tensor, values) in system.tensors.iter().zip(&witness.values) {
        if values.len() != 1 << tensor.bits() {
            return Err(format!("{}: {} values for {} bits", tensor.name, values.len(), tensor.bits()));
        }
    }
    let outputs: Vec<_> = system.publics.iter().filter(|public| public.role == Role::Output).collect();
    if outputs.len() != expected.len() {
        return Err(format!("{} outputs are bound, {} computed", outputs.len(), expected.len()));
    }
    for (public, expected) in outputs.into_iter().zip(expected) {
        let found = unpad(&system.tensor(public.tensor).shape, &witness.values[public.tensor.0 as usize]);
        if found != *expected {
            return Err(format!("{}: {found:?} instead of {expected:?}", public.name));
        }
        let range = Interval::new(public.range.0, public.range.1);
        if found.iter().any(|value| !range.contains(*value)) {
            return Err(format!("{}: {found:?} leaves {range:?}", public.name));
        }
        if system.tensor(public.tensor).origin != Origin::Witness {
            return Err(format!("{} is bound to something that no proof commits", public.name));
        }
    }
    Ok(checked)
}

/// The program must be lowered; each of `inputs` and the corners of the range must satisfy the constraints.
pub fn assert_checked(program: &Program, inputs: &[Vec<Vec<i64>>]) {
    let lowerings = Lowerings::of(program).unwrap_or_else(|error| panic!("{error}"));
    for inputs in inputs.iter().chain(&crate::build::corners(program)) {
        lowerings.agree(inputs).unwrap_or_else(|error| panic!("on {inputs:?}: {error}"));
    }
}

pub fn key(program: &Program, chunk_bits: usize, layer: Option<usize>) -> Result<CoreProvingKey, String> {
    let picked = constraints_of(program).map_err(|error| error.to_string())?.1.layer;
    let layer = layer.map(|layer| layer.min(picked));
    let options = SetupOptions { layer, ..SetupOptions::chunk_bits(chunk_bits) };
    setup_core(program.clone(), &options, srs(), [7; 32], &mut |_| {}).map_err(|error| error.to_string())
}

/// Setup, a proof for each of `inputs`, and whether the verified values are the executor's.
pub fn round_trip(
    program: &Program,
    chunk_bits: usize,
    layer: Option<usize>,
    inputs: &[Vec<Vec<i64>>],
) -> Result<(), String> {
    let key = key(program, chunk_bits, layer)?;
    let prepared = PreparedCore::new(key.key.clone(), key.key_digest).map_err(|error| error.to_string())?;
    for inputs in inputs {
        let proof = prove_core(&key, inputs, None, &mut |_| {}).map_err(|error| error.to_string())?;
        let verified = verify_core(&prepared, &proof).map_err(|error| error.to_string())?;
        let of = |tensors: &[vouch_verifier::TensorValues]| -> Vec<Vec<i64>> {
            tensors.iter().map(|tensor| tensor.integers.clone()).collect()
        };
        if of(&verified.inputs) != *inputs {
            return Err(format!("the proof is about {:?}, not {inputs:?}", of(&verified.inputs)));
        }
        let expected = executed(program, inputs);
        if of(&verified.outputs) != expected {
            return Err(format!("{:?} is proven, {expected:?} computed", of(&verified.outputs)));
        }
        let ports = program.inputs.iter().chain(&program.outputs);
        for (port, tensor) in ports.zip(verified.inputs.iter().chain(&verified.outputs)) {
            if tensor.name != port.name || tensor.shape != port.shape || tensor.frac != program.node(port.node).frac {
                return Err(format!("{} is not {}", tensor.name, port.name));
            }
        }
    }
    Ok(())
}

/// Constraints for `inputs` and the corners; a proof for each of `inputs` and for one corner.
pub fn assert_proven(program: &Program, inputs: &[Vec<Vec<i64>>]) {
    assert_checked(program, inputs);
    let mut inputs = inputs.to_vec();
    inputs.push(crate::build::corners(program)[2].clone());
    round_trip(program, 6, None, &inputs).unwrap_or_else(|error| panic!("{error}"));
}

/// The interval of an output's node.
pub fn output_interval(program: &Program, output: usize) -> Interval {
    intervals(program).expect("a valid program")[program.outputs[output].node.index()]
}
