//! Each supported ONNX operator, the whole way: a model's file, the fixed-point program, a proof, and what the
//! verifier says next to the float model's answer.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use ndarray::{ArrayD, IxDyn};
use vouch_circuits::ir::{Origin, Tensor, TensorId};
use vouch_circuits::lowering::lower;
use vouch_models::{Calibration, CompileOptions, Model, Sample, dequantize, quantize_all, supported_operators};
use vouch_program::{Interval, Op, Program, batched, execute};
use vouch_prover::commit::Srs;
use vouch_prover::{SetupOptions, check, prove_core, setup_core};
use vouch_verifier::{PreparedCore, verify_core};

mod cases;
mod composed;
mod proto;
mod quantized;
mod runtime;
mod tables;
mod whole;

use cases::{Case, cases, noise};
use proto::{attribute, model, model_of, table_node};

fn sample(shape: &[i64], seed: u32) -> ArrayD<f32> {
    let shape: Vec<usize> = shape.iter().map(|len| *len as usize).collect();
    let values = noise(shape.iter().product(), seed).iter().map(|value| 2.0 * value).collect();
    ArrayD::from_shape_vec(IxDyn(&shape), values).expect("as many values as the shape has elements")
}

fn srs() -> Srs {
    static SRS: OnceLock<Srs> = OnceLock::new();
    SRS.get_or_init(|| Srs::development(1 << CHUNK_BITS, &mut rand::rng())).clone()
}

const CHUNK_BITS: usize = 9;

/// Inputs at the ends of the declared range satisfy the constraints.
fn check_corners(program: &Program) {
    let corner = |pick: fn(usize, Interval) -> i64| -> Vec<Vec<i64>> {
        let of = |node: &vouch_program::Node| match node.op {
            Op::Input { bits } => (0..node.len()).map(|i| pick(i, Interval::signed(bits))).collect(),
            _ => panic!("an input port names an input"),
        };
        program.inputs.iter().map(|port| of(program.node(port.node))).collect()
    };
    let picks: [fn(usize, Interval) -> i64; 3] =
        [|_, range| range.lo, |_, range| range.hi, |i, range| if i % 3 == 0 { range.hi } else { range.lo }];
    for pick in picks {
        check(program, &corner(pick)).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// A case as a file.
fn file(case: &Case) -> Vec<u8> {
    // Some came later than the forms in which other operators are written here.
    let latest = |operator: &&str| match *operator {
        "Swish" => 24,
        "RMSNormalization" => 23,
        "Gelu" => 20,
        operator if operator.ends_with("Normalization") || ["Col2Im", "LpPool", "Mish"].contains(&operator) => 18,
        "CastLike" => 15,
        _ => 14,
    };
    // Two went before.
    let opset = match case.operators[..] {
        ["Upsample"] => 9,
        ["Scatter"] => 10,
        _ => case.operators.iter().map(latest).max().unwrap_or(14),
    };
    let tables = if case.operators == ["TreeEnsemble"] { 5 } else { 3 };
    model_of([opset, tables], &case.shape, &case.weights, &case.nodes)
}

/// A case's model, compiled with eight samples, which are last.
fn compiled(case: &Case) -> (Model, Program, Vec<ArrayD<f32>>) {
    let model = Model::from_bytes(&file(case)).unwrap();
    let samples: Vec<_> = (1..=8).map(|seed| sample(&case.shape, seed)).collect();
    let views: Vec<_> = samples.iter().map(|sample| sample.view()).collect();
    let calibration = Calibration::from_array(ndarray::stack(ndarray::Axis(0), &views).expect("equal shapes"));
    let program = model.compile(&calibration, &CompileOptions::default(), &mut |_| {}).unwrap().program;
    (model, program, samples)
}

/// An operator's committed cells for each element of the case's result: of the core's constraints, without multiplicities, inputs and padding.
fn cells(case: &Case, operator: &str) -> f64 {
    let (_, program, _) = compiled(case);
    let system = lower(&program).unwrap().system;
    let counters: BTreeSet<_> = system.tables.iter().map(|table| table.multiplicity).collect();
    let source = format!("({operator})");
    let is_cell = |(id, tensor): &(u32, &Tensor)| {
        tensor.origin == Origin::Witness && tensor.name.contains(&source) && !counters.contains(&TensorId(*id))
    };
    let cells = (0..).zip(&system.tensors).filter(is_cell).map(|(_, tensor)| tensor.shape.iter().product::<usize>());
    cells.sum::<usize>() as f64 / program.outputs[0].shape.iter().product::<usize>() as f64
}

fn run(case: &Case) {
    let (model, program, samples) = compiled(case);
    check_corners(&program);

    let sample: Sample = vec![samples[3].clone()];
    let inputs = quantize_all(&program, &sample).unwrap();
    let options = SetupOptions::chunk_bits(CHUNK_BITS);
    let key = setup_core(program, &options, srs(), [5; 32], &mut |_| {}).unwrap_or_else(|error| panic!("{error}"));
    let proof = prove_core(&key, &inputs, None, &mut |_| {}).unwrap();
    let prepared = PreparedCore::new(key.key.clone(), key.key_digest).unwrap();
    let verified = verify_core(&prepared, &proof).unwrap();

    let execution = execute(&key.program, &inputs).unwrap();
    assert_eq!(verified.outputs[0].integers, execution.outputs()[0]);
    let float = model.run_float(&sample).unwrap().swap_remove(0);
    let proven = &verified.outputs[0].values;
    assert_eq!(proven.len(), float.len());
    let largest = float.iter().fold(0f64, |largest, value| largest.max(f64::from(value.abs())));
    for (proven, float) in proven.iter().zip(&float) {
        let error = (proven - f64::from(*float)).abs();
        assert!(error <= 0.004 * largest, "{proven} is proven where the float model says {float}");
    }
}

/// Columns that differ by a factor of 2^30: each is proven in its own scale, and shown as the real numbers that it holds.
#[test]
fn columns_of_different_sizes_are_proven() {
    let sizes = [2f32.powi(-15), 1.0, 2f32.powi(15)];
    let scales = attribute::floats("scale", &sizes.map(|size| 1.0 / size));
    let nodes = [table_node("Scaler", &["x"], &["y"], &[scales])];
    let model = Model::from_bytes(&model(14, &[2, 3], &[], &nodes)).unwrap();
    let mut data = noise(8 * 6, 3);
    data.iter_mut().enumerate().for_each(|(i, x)| *x *= sizes[i % 3]);
    let calibration = ArrayD::from_shape_vec(IxDyn(&[8, 2, 3]), data.clone()).unwrap();
    let options = CompileOptions::default();
    let program = model.compile(&Calibration::from_array(calibration), &options, &mut |_| {}).unwrap().program;
    assert_eq!(program.inputs[0].column_fracs.len(), 3);
    check_corners(&program);

    let sample: Sample = vec![ArrayD::from_shape_vec(IxDyn(&[2, 3]), data[..6].to_vec()).unwrap()];
    let inputs = quantize_all(&program, &sample).unwrap();
    let key = setup_core(program, &SetupOptions::chunk_bits(CHUNK_BITS), srs(), [5; 32], &mut |_| {}).unwrap();
    let proof = prove_core(&key, &inputs, None, &mut |_| {}).unwrap();
    let verified = verify_core(&PreparedCore::new(key.key.clone(), key.key_digest).unwrap(), &proof).unwrap();
    for (i, (shown, given)) in verified.inputs[0].values.iter().zip(&data).enumerate() {
        assert!((shown - f64::from(*given)).abs() < 0.001 * f64::from(sizes[i % 3]), "{shown} {given}");
    }
    for (i, (proven, given)) in verified.outputs[0].values.iter().zip(&data).enumerate() {
        assert!((proven - f64::from(given / sizes[i % 3])).abs() < 0.001, "{proven} {given}");
    }
}

/// Three inferences of each operator in one program do what they do one by one, and satisfy its constraints; of trees, which pick by what they compute of what each
/// input holds, there is a proof.
#[test]
fn inferences_of_every_operator_can_stand_side_by_side() {
    const COUNT: usize = 3;
    for case in &cases() {
        let (_, program, samples) = compiled(case);
        let name = case.operators[0];
        let alone: Vec<_> = samples[..COUNT]
            .iter()
            .map(|sample| quantize_all(&program, std::slice::from_ref(sample)).unwrap())
            .collect();
        let outputs: Vec<i64> =
            alone.iter().flat_map(|inputs| execute(&program, inputs).unwrap().outputs()[0].to_vec()).collect();
        let batch = batched(&program, COUNT).unwrap_or_else(|error| panic!("{name}: {error}"));
        let inputs = vec![alone.iter().flat_map(|inputs| inputs[0].clone()).collect::<Vec<i64>>()];
        assert_eq!(execute(&batch, &inputs).unwrap().outputs()[0], outputs, "{name}");
        check(&batch, &inputs).unwrap_or_else(|error| panic!("{name}: {error}"));
        if name != "TreeEnsembleRegressor" {
            continue;
        }
        let key = setup_core(batch, &SetupOptions::chunk_bits(CHUNK_BITS), srs(), [5; 32], &mut |_| {}).unwrap();
        let proof = prove_core(&key, &inputs, None, &mut |_| {}).unwrap();
        let verified = verify_core(&PreparedCore::new(key.key.clone(), key.key_digest).unwrap(), &proof).unwrap();
        assert_eq!(verified.outputs[0].integers, outputs);
    }
}

/// The page of operators.
fn page() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/OPERATORS.md")).unwrap()
}

/// What a column of the page says of an operator.
fn said_of<'p>(page: &'p str, operator: &str, column: usize) -> &'p str {
    let row = page.lines().find(|line| line.starts_with(&format!("| {operator} |"))).expect("each operator has a row");
    row.split('|').nth(column).map(str::trim).expect("each row has all columns")
}

/// The page says what each operator commits to in the first case here that has it alone, or else has it.
#[test]
fn the_page_counts_the_cells() {
    let page = page();
    let cases = cases();
    let mut wrong = Vec::new();
    for operator in supported_operators() {
        let having = || cases.iter().filter(|case| case.operators.contains(&operator));
        let case = having().min_by_key(|case| case.operators.len() > 1).expect("each operator has a case");
        let count = cells(case, operator);
        let count = if count.fract() == 0.0 { format!("{count}") } else { format!("{count:.1}") };
        if said_of(&page, operator, 4) != count {
            wrong.push(format!("{operator}: {count}"));
        }
    }
    assert!(wrong.is_empty(), "docs/OPERATORS.md has other cells: {wrong:#?}");
}

/// The largest distance from the float model, in units of the output's scale, over eight samples that fixed point holds as they are.
fn distance(case: &Case) -> f64 {
    let (model, program, samples) = compiled(case);
    let port = &program.outputs[0];
    let unit = f64::from(-program.node(port.node).frac).exp2();
    let mut most = 0.0f64;
    for sample in &samples {
        let inputs = quantize_all(&program, std::slice::from_ref(sample)).unwrap();
        let held = dequantize(&program, &program.inputs[0], &inputs[0]).unwrap();
        let execution = execute(&program, &inputs).unwrap();
        let found = dequantize(&program, port, execution.outputs()[0]).unwrap();
        let float = model.run_float(&vec![held]).unwrap().swap_remove(0);
        let distances = found.iter().zip(&float).map(|(found, float)| f64::from((found - float).abs()));
        most = distances.fold(most, f64::max);
    }
    most / unit
}

/// What the page says of each operator's exactness is what its own cases show on inputs that fixed point holds as they are.
#[test]
fn the_page_says_what_is_exact() {
    let page = page();
    let cases = cases();
    let mut wrong = Vec::new();
    for operator in supported_operators() {
        let said = said_of(&page, operator, 5);
        let own: Vec<&Case> = cases.iter().filter(|case| case.operators == [operator]).collect();
        let distances: Vec<f64> = own.iter().map(|case| distance(case)).collect();
        let most = distances.iter().fold(0.0f64, |most, distance| most.max(*distance));
        let is_right = match said {
            // A constant operand is rounded to the result's scale.
            "yes" => own.iter().zip(&distances).all(|(case, d)| *d == 0.0 || (*d <= 0.501 && !case.weights.is_empty())),
            // What is as large as the largest power of two that calibration saw is one unit less.
            "at its scale" | "at its argument's scale" | "if the scales agree" | "integers yes" => most <= 1.001,
            "nearest yes" | "yes; linear not" => distances.contains(&0.0) && most > 0.0,
            // Cases are between integers and back: nothing is off but by the scale of what goes back.
            "to the step, but for ties" => {
                cases.iter().filter(|case| case.operators[0] == operator).all(|case| distance(case) <= 0.501)
            }
            // Some have no case of their own.
            "no" => own.is_empty() || most > 0.0,
            "integers yes, floats at their scale" | "as Cast" | "values 0 and 1 yes" => most <= 0.501,
            _ => false,
        };
        if !is_right {
            wrong.push(format!("{operator}: \"{said}\", but {distances:?} units of the result's scale"));
        }
    }
    assert!(wrong.is_empty(), "docs/OPERATORS.md says otherwise: {wrong:#?}");
}

#[test]
fn every_supported_operator_is_proven() {
    let cases = cases();
    let covered: BTreeSet<&str> = cases.iter().flat_map(|case| case.operators.iter().copied()).collect();
    assert_eq!(covered, supported_operators().collect());
    for case in &cases {
        println!("{:?} on {:?}", case.operators, case.shape);
        run(case);
    }
}
