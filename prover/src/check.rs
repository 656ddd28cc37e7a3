//! `vouch check`: a run with every constraint checked, without a proof.

use serde::Serialize;
use thiserror::Error;
use vouch_circuits::ir::{Origin, Role};
use vouch_circuits::lowering::{LowerError, Lowered};
use vouch_program::{ExecuteError, Program, execute};

use crate::choice::constraints_of;
use crate::witness::{Checked, WitnessError, generate, model_values, unpad};

/// Why a run does not satisfy its constraints.
#[derive(Debug, Error)]
pub enum CheckError {
    /// The program cannot be lowered.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// The executor refuses the inputs.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// A constraint does not hold.
    #[error(transparent)]
    Witness(#[from] WitnessError),
    /// The constraints compute something else than the executor. This is a bug in vouch.
    #[error(
        "output `{0}`: the constraints' value differs from the executor's; this is a bug in vouch, please report it"
    )]
    Differs(String),
}

/// What was checked.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// Constraint counts.
    pub checked: Checked,
    /// Cells that a proof commits to for each run, padding included.
    pub committed_cells: usize,
    /// The outputs, as integers.
    pub outputs: Vec<Vec<i64>>,
}

/// A program whose runs are to be checked, with the constraints that a setup would choose if everything is public.
pub struct Checker<'p> {
    program: &'p Program,
    lowered: Lowered,
}

impl<'p> Checker<'p> {
    /// Of a program.
    ///
    /// # Errors
    /// A program that cannot be lowered.
    pub fn new(program: &'p Program) -> Result<Self, LowerError> {
        Ok(Self { program, lowered: constraints_of(program)?.0 })
    }

    /// The constraints.
    pub fn lowered(&self) -> &Lowered {
        &self.lowered
    }

    /// Runs the program on integer inputs, checks every constraint, and that the constraints' outputs are the executor's.
    ///
    /// # Errors
    /// The first thing that does not hold, by name.
    pub fn check(&self, inputs: &[Vec<i64>]) -> Result<CheckReport, CheckError> {
        let Self { program, lowered } = self;
        let execution = execute(program, inputs)?;
        let (witness, checked) = generate(lowered, model_values(program, lowered), inputs)?;
        let system = &lowered.system;
        let outputs: Vec<Vec<i64>> = execution.outputs().iter().map(|o| o.to_vec()).collect();
        for (public, expected) in system.publics.iter().filter(|p| p.role == Role::Output).zip(&outputs) {
            let tensor = system.tensor(public.tensor);
            if &unpad(&tensor.shape, &witness.values[public.tensor.0 as usize]) != expected {
                return Err(CheckError::Differs(public.name.clone()));
            }
        }
        let committed = system.tensors.iter().filter(|t| t.origin == Origin::Witness);
        let committed_cells = committed.map(|t| 1usize << t.bits()).sum();
        Ok(CheckReport { checked, committed_cells, outputs })
    }
}

/// [`Checker::check`] for one run.
///
/// # Errors
/// The first thing that does not hold, by name.
pub fn check(program: &Program, inputs: &[Vec<i64>]) -> Result<CheckReport, CheckError> {
    Checker::new(program)?.check(inputs)
}
