//! A program without its weights: what a setup publishes of a model.
//!
//! An outline has every operator, shape, scale, function table and fixed index of the program. It holds none of the integers
//! that were trained.

use serde::{Deserialize, Serialize};

use crate::error::{Place, Problem, ProgramError};
use crate::program::{Op, Program};
use crate::validate::{Weights, validate_with};

/// A program whose [`Op::Weight`] nodes hold no data.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Outline(Program);

impl Outline {
    /// The outline of a program.
    pub fn of(program: &Program) -> Self {
        let without = |node: &crate::Node| crate::Node {
            op: match &node.op {
                Op::Weight { .. } => Op::Weight { data: Vec::new() },
                op => op.clone(),
            },
            shape: node.shape.clone(),
            frac: node.frac,
            source: node.source.clone(),
        };
        Self(Program {
            name: program.name.clone(),
            nodes: program.nodes.iter().map(without).collect(),
            tables: program.tables.clone(),
            inputs: program.inputs.clone(),
            outputs: program.outputs.clone(),
            batch: program.batch,
        })
    }

    /// The program, whose weights have no data: it cannot be executed, and its intervals are not known.
    pub fn program(&self) -> &Program {
        &self.0
    }

    /// Checks every structural rule ([`crate::validate()`]), and that there are no weights. Safe on untrusted outlines.
    ///
    /// # Errors
    ///
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), ProgramError> {
        validate_with(&self.0, Weights::Absent)
    }

    /// The program of this outline with these weights: the data of each [`Op::Weight`] node, in order.
    ///
    /// # Errors
    ///
    /// Weights of another number or of other sizes than the outline has.
    pub fn with_weights(&self, weights: Vec<Vec<i32>>) -> Result<Program, ProgramError> {
        let mut program = self.0.clone();
        let nodes = program.nodes.iter_mut().filter_map(|node| match &mut node.op {
            Op::Weight { data } => Some(data),
            _ => None,
        });
        let nodes: Vec<_> = nodes.collect();
        let (expected, found) = (nodes.len(), weights.len());
        if expected != found {
            return Err(Place::Program.error(Problem::WeightCount { expected, found }));
        }
        nodes.into_iter().zip(weights).for_each(|(data, weight)| *data = weight);
        validate_with(&program, Weights::Present)?;
        Ok(program)
    }
}

/// The data of a program's [`Op::Weight`] nodes, in order.
pub fn weights(program: &Program) -> impl Iterator<Item = &[i32]> {
    program.nodes.iter().filter_map(|node| match &node.op {
        Op::Weight { data } => Some(&data[..]),
        _ => None,
    })
}
