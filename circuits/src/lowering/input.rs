//! `Input`: committed by the prover, in its declared range, zero in its padding.

use vouch_program::NodeId;

use super::{LowerError, Lowering, Recipe};
use crate::ir::*;

/// Input port `port`, zero in the padding.
#[derive(Clone, Debug)]
pub struct Input {
    /// Position among the program's inputs.
    pub port: usize,
    /// Where it goes.
    pub out: TensorId,
}

impl Lowering<'_> {
    pub(super) fn input(&mut self, id: NodeId, bits: u32) -> Result<TensorId, LowerError> {
        let program = self.program;
        let node = program.node(id);
        let out = self.commit(Origin::Witness, &node.shape, format!("input {}", node.source))?;
        let port = program.inputs.iter().position(|p| p.node == id).unwrap_or(0);
        self.plan.push(Recipe::Input(Input { port, out }));
        self.range(Virtual::raw(out, &node.shape).plus_constant(1 << (bits - 1)), bits, &node.source)?;
        self.zero_padding(out)?;
        Ok(out)
    }
}
