//! `Max`: `(a - b, out - b)` is a row of the ReLU's table; or, where lookups are narrow and products may be, or the table would be too long, `out - a`
//! and `out - b` are in a range and their product is zero.

use vouch_program::NodeId;

use super::bounds::{MAX_CELL_BITS, NodeBounds};
use super::tables::MAX_RELU_BITS;
use super::{LowerError, Lowering, Recipe};
use crate::ir::*;

/// `max(lhs, rhs)`.
#[derive(Clone, Debug)]
pub struct Max {
    /// First operand.
    pub lhs: Virtual,
    /// Second operand.
    pub rhs: Virtual,
    /// Where it goes.
    pub out: TensorId,
}

impl Lowering<'_> {
    pub(super) fn max(&mut self, id: NodeId, lhs: NodeId, rhs: NodeId) -> Result<TensorId, LowerError> {
        let NodeBounds::Max { difference_bits } = self.bounds(id) else { return Err(self.misfit(id)) };
        let (lhs, rhs) = (self.virtual_of(lhs), self.virtual_of(rhs));
        let node = self.program.node(id);
        let out = self.commit(Origin::Witness, &node.shape, format!("max {}", node.source))?;
        let above = |operand| Virtual::raw(out, &node.shape).plus_virtual(-1, operand);
        self.plan.push(Recipe::Max(Max { lhs: lhs.clone(), rhs: rhs.clone(), out }));
        if !self.style.is_narrow() && difference_bits <= MAX_RELU_BITS {
            let table = self.tables.relu(&mut self.system, difference_bits);
            self.lookup(vec![lhs.plus_virtual(-1, &rhs), above(&rhs)], table)?;
            return Ok(out);
        }
        let above = [above(&lhs), above(&rhs)];
        above.iter().try_for_each(|above| self.range_about(above.clone(), difference_bits, &node.source))?;
        let [above_lhs, above_rhs] = above;
        if self.style.products {
            self.product([above_lhs, above_rhs, Virtual::zero(&node.shape)])?;
            return Ok(out);
        }
        // Both have cells of their own.
        self.check_bits(id, difference_bits, MAX_CELL_BITS)?;
        let name = format!("above {}", node.source);
        let (lhs, rhs) = (Operand::raw(self.copy(above_lhs, &name)?), Operand::raw(self.copy(above_rhs, &name)?));
        let vars = node.shape.clone();
        let product = self.contract(Contraction { outputs: vars.len(), vars, lhs, rhs: Some(rhs) })?;
        self.equal(product)?;
        Ok(out)
    }
}
