//! The `vouch` command: thin over the libraries.
//!
//! [`args`] parses, [`verbs`] call the libraries, [`output`] and [`progress`] speak, [`failure`] explains. Everything that this program
//! reads may be foreign: reading checks first. Exit codes are [`failure::Outcome`]'s.

mod args;
mod artifacts;
mod description;
mod failure;
mod interrupt;
mod memory;
mod output;
mod picture;
mod progress;
mod reference;
mod rpc;
mod values;
mod verbs;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use clap::Parser;
use serde_json::json;

use args::{Cli, Verb};
use failure::Failure;
use output::Output;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let out = Output::new(cli.speech);
    interrupt::install();
    quiet_panics();
    // A fault still ends in a message and an exit code of its own. What the closure touches is not used afterwards.
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| run(&cli.verb, &out)));
    let outcome = outcome.unwrap_or_else(|_| Err(Failure::fault("vouch met a case that it should not have")));
    match outcome {
        Ok(mut object) => {
            object["ok"] = json!(true);
            out.object(&object);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            out.failure(&failure);
            failure.outcome.into()
        }
    }
}

fn run(verb: &Verb, out: &Output) -> Result<serde_json::Value, Failure> {
    match verb {
        Verb::Compile(args) => verbs::compile::run(args, out),
        Verb::Setup(args) => verbs::setup::run(args, out),
        Verb::Prove(args) => verbs::prove::run(args, out),
        Verb::Verify(args) => verbs::verify::run(args, out),
        Verb::Hash(args) => verbs::hash::run(args, out),
        Verb::Open(args) => verbs::open::run(args, out),
        Verb::ModelId(args) => verbs::model_id::run(args, out),
        Verb::Srs(args) => verbs::srs::run(args, out),
        Verb::VerifyKey(args) => verbs::verify_key::run(args, out),
        Verb::Check(args) => verbs::check::run(args, out),
        Verb::Inspect(args) => verbs::inspect::run(args, out),
        Verb::Evm(args) => verbs::evm::run(args, out),
        Verb::Calldata(args) => verbs::calldata::run(args, out),
        Verb::Demo(args) => verbs::demo::run(args, out),
    }
}

/// Where a panic happened is worth a line, its message is not: it might hold a value of the user's.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        if let Some(place) = info.location() {
            eprintln!("vouch: fault at {}:{}", place.file(), place.line());
        }
    }));
}
