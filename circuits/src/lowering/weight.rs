//! `Weight`: committed at setup, by the model's owner.

use vouch_program::NodeId;

use super::{LowerError, Lowering};
use crate::ir::*;

impl Lowering<'_> {
    pub(super) fn weight(&mut self, id: NodeId) -> Result<TensorId, LowerError> {
        let node = self.program.node(id);
        let out = self.commit(Origin::Model, &node.shape, format!("weights {}", node.source))?;
        self.model.push((out, id));
        Ok(out)
    }
}
