//! The fixed-point program: the contract between the model front end and the constraints.
//!
//! - [`program`]: nodes, operators, views and their exact integer semantics.
//! - [`validate`](mod@validate): every structural rule that the other modules rely on, checked once.
//! - [`interval`]: worst-case ranges of every tensor, for every input in the declared range.
//! - [`batch`]: several inferences as one program.
//! - [`outline`]: a program without its weights.
//! - [`layers`]: a program as people read a model.
//! - [`execute`](mod@execute): the integer executor.
//! - [`error`]: what can be wrong, in words.
//!
//! It knows neither ONNX nor cryptography: `models` writes programs, `circuits` lowers them.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod address;
pub mod batch;
pub mod error;
pub mod execute;
pub mod interval;
mod kernel;
pub mod layers;
pub mod outline;
pub mod program;
pub mod validate;

pub use batch::{batched, varying};
pub use error::{ExecuteError, Place, Problem, ProgramError};
pub use execute::{Execution, Keep, execute, execute_keeping};
pub use interval::{Interval, intervals, node_interval, quotient, rescale, rescaled};
pub use outline::{Outline, weights};
pub use program::*;
pub use validate::{validate, validate_node};
