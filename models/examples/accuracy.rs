//! Accuracy of one model, or of the bundled ones: `accuracy [--shift N] [MODEL.onnx DATA.npy]`.

use std::error::Error;

use vouch_models::{Calibration, CompileOptions, Model, zoo};
use vouch_program::{Op, Program};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut options = CompileOptions::default();
    if arguments.first().is_some_and(|first| first == "--shift") && arguments.len() > 1 {
        options.shift = arguments[1].parse()?;
        arguments.drain(..2);
    }
    if arguments.first().is_some_and(|first| first == "--slack") && arguments.len() > 1 {
        options.slack_bits = arguments[1].parse()?;
        arguments.drain(..2);
    }
    if let [onnx, data] = &arguments[..] {
        let compiled = Model::from_path(onnx)?.compile(&Calibration::from_path(data)?, &options, &mut |_| {})?;
        println!("{onnx}\n{}{}", summary(&compiled.program), compiled.report);
        return Ok(());
    }
    for entry in zoo::entries() {
        let compiled = entry.model()?.compile(&entry.calibration()?, &options, &mut |_| {})?;
        println!("{}\n{}{}", entry.name, summary(&compiled.program), compiled.report);
    }
    Ok(())
}

/// How many nodes of which kind, and the rescales.
fn summary(program: &Program) -> String {
    let mut counts = std::collections::BTreeMap::new();
    let mut shifts = std::collections::BTreeMap::new();
    let mut cells = 0;
    for node in &program.nodes {
        let kind = match &node.op {
            Op::Input { .. } => "input",
            Op::Weight { .. } => "weight",
            Op::Contract { .. } => "contract",
            Op::Affine { .. } => "affine",
            Op::Apply { shift, .. } => {
                *shifts.entry(*shift).or_insert(0) += node.len();
                "apply"
            }
            Op::Max { .. } => "max",
            Op::Divide { .. } => "quotient",
            Op::Store { .. } => "store",
            Op::Gather { .. } => "gather",
            Op::Pick { .. } => "pick",
            Op::ArgMax { .. } => "argmax",
        };
        *counts.entry(kind).or_insert(0) += 1;
        if node.op.is_stored() && kind != "weight" {
            cells += node.len();
        }
    }
    format!(
        "  nodes {counts:?}\n  elements by shift {shifts:?}, stored elements {cells}, tables {}\n",
        program.tables.len()
    )
}
