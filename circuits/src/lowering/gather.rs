//! `Gather`: `(index, out)` among the rows `(position, input)`; the index is a fixed tensor.

use vouch_program::NodeId;

use super::{LowerError, Lowering, Recipe, padded_position, padded_positions};
use crate::ir::*;

/// `out[o] = input[index[o]]` over padded positions.
#[derive(Clone, Debug)]
pub struct Gather {
    /// What is read.
    pub input: TensorId,
    /// A fixed tensor of padded positions.
    pub index: TensorId,
    /// Where it goes.
    pub out: TensorId,
}

impl Lowering<'_> {
    /// `(index[o], out[o])` is one of the rows `(position, input[position])`.
    pub(super) fn gather(&mut self, id: NodeId, input: NodeId, index: &[u32]) -> Result<TensorId, LowerError> {
        let node = self.program.node(id);
        let input = self.tensor_of(input);
        let input_shape = self.system.tensor(input).shape.clone();
        let padded = || {
            let mut padded = vec![0i32; 1 << shape_bits(&node.shape)];
            for (&to, &from) in padded_positions(&node.shape).iter().zip(index) {
                // No tensor has 2^31 positions.
                padded[to] = padded_position(&input_shape, from as usize) as i32;
            }
            padded
        };
        let index = self.commit_fixed(&node.shape, format!("index {}", node.source), padded)?;
        let out = self.commit(Origin::Witness, &node.shape, format!("gather {}", node.source))?;
        let table = self.rows_of(input, &node.source)?;
        self.lookup(vec![Virtual::raw(index, &node.shape), Virtual::raw(out, &node.shape)], table)?;
        self.plan.push(Recipe::Gather(Gather { input, index, out }));
        Ok(out)
    }

    /// The table of a tensor's padded positions and what is there: one for all that pick from it.
    pub(super) fn rows_of(&mut self, tensor: TensorId, source: &str) -> Result<TableId, LowerError> {
        let shape = self.system.tensor(tensor).shape.clone();
        let rows = vec![Virtual::zero(&shape).plus(1, Source::Position), Virtual::raw(tensor, &shape)];
        // The table's multiplicities are a tensor, too.
        self.budget.tensor(&shape, source.len())?;
        Ok(self.tables.rows(&mut self.system, tensor, format!("rows for {source}"), rows))
    }
}
