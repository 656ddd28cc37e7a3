//! `Store`: committed, and equal to the virtual tensor.

use vouch_program::NodeId;

use super::{LowerError, Lowering, Recipe};
use crate::ir::*;

/// A virtual tensor's own values.
#[derive(Clone, Debug)]
pub struct Store {
    /// What is stored.
    pub value: Virtual,
    /// Where it goes.
    pub out: TensorId,
}

impl Lowering<'_> {
    pub(super) fn store(&mut self, id: NodeId, input: NodeId) -> Result<TensorId, LowerError> {
        let value = self.virtual_of(input);
        let node = self.program.node(id);
        self.copy(value, &format!("copy {}", node.source))
    }

    /// A new tensor of a virtual one's values.
    pub(super) fn copy(&mut self, value: Virtual, name: &str) -> Result<TensorId, LowerError> {
        let out = self.commit(Origin::Witness, &value.domain, name.into())?;
        self.equal(value.clone().plus_raw(-1, out))?;
        self.plan.push(Recipe::Store(Store { value, out }));
        Ok(out)
    }
}
