//! `vouch check`: every constraint of a run, without a proof.

use serde_json::{Value, json};
use vouch_program::Program;
use vouch_prover::{CheckError, CheckReport, Checker, witness::WitnessError};

use crate::args::Check;
use crate::artifacts::read_model;
use crate::failure::Failure;
use crate::output::{Output, count};
use crate::progress::Progress;
use crate::values::{outputs, pick, read_samples, to_integers};

pub fn run(args: &Check, out: &Output) -> Result<Value, Failure> {
    let mut progress = Progress::new(out);
    progress.begin("reading the model");
    let program = read_model(&args.dir)?;
    let path = &args.input.input;
    let mut samples = read_samples(path, &program)?;
    if !args.all {
        samples = vec![pick(samples, args.input.index, path)?];
    }
    let total = samples.len();
    progress.begin("lowering");
    let unusable = |error| Failure::unusable("the model cannot be proven").because(&error);
    let checker = Checker::new(&program).map_err(unusable)?;
    let mut reports = Vec::with_capacity(total);
    for (index, sample) in samples.iter().enumerate() {
        progress.news(&format!("checking: sample {} of {total}", index + 1));
        let number = if args.all { index } else { args.input.index.unwrap_or(0) };
        reports.push(check_one(&checker, &program, sample, number)?);
    }
    let table = progress.finish();

    let Some(last) = reports.last() else { return Err(Failure::unusable("there is no sample")) };
    if total == 1 {
        outputs(&program, &last.outputs).iter().for_each(|output| out.say(format!("output {output}")));
    }
    let checked = &last.checked;
    out.say(format!("{}: every constraint holds, {} of {total} samples", out.good("fine"), reports.len()));
    out.say(format!("  lookups       {} with {} rows", count(checked.lookups), count(checked.lookup_rows)));
    out.say(format!("  contractions  {}", count(checked.contractions)));
    out.say(format!("  equalities    {} rows", count(checked.equal_rows)));
    out.say(format!("  products      {} rows", count(checked.product_rows)));
    out.say(format!("  a proof commits to {} cells", count(last.committed_cells)));
    Ok(json!({
        "command": "check",
        "model": program.name,
        "samples": total,
        "checked": checked,
        "committed_cells": last.committed_cells,
        "outputs": reports.iter().map(|report| outputs(&program, &report.outputs)).collect::<Vec<_>>(),
        "stages": table,
    }))
}

fn check_one(
    checker: &Checker,
    program: &Program,
    sample: &vouch_models::Sample,
    number: usize,
) -> Result<CheckReport, Failure> {
    let inputs = to_integers(program, sample).map_err(|failure| failure.of(format!("sample {number}")))?;
    checker.check(&inputs).map_err(|error| {
        let what = format!("sample {number} cannot be proven");
        match &error {
            CheckError::Lower(_) | CheckError::Execute(_) | CheckError::Witness(WitnessError::Input(_)) => {
                Failure::unusable(what).because(&error)
            }
            CheckError::Witness(_) | CheckError::Differs(_) => Failure::refused(what).because(&error),
        }
    })
}
