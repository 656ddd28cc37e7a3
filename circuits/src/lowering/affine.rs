//! `Affine`: a virtual tensor, never committed; affine nodes that it adds up are expanded.

use vouch_program::{AffineTerm, NodeId};

use super::{LowerError, Lowering, MAX_TERMS, Value};
use crate::ir::*;

impl Lowering<'_> {
    pub(super) fn affine(&self, id: NodeId, terms: &[AffineTerm]) -> Result<Virtual, LowerError> {
        let node = self.program.node(id);
        let mut sum = Virtual::zero(&node.shape);
        for term in terms {
            sum = match term {
                AffineTerm::Scaled { coef, view } => match &self.values[view.node.index()] {
                    Value::Stored(_) => sum.plus(*coef, Source::Read(self.operand(view))),
                    Value::Virtual(value) => sum.plus_virtual(*coef, value),
                },
                AffineTerm::Fill { coef, ranges } => sum.plus(*coef, Source::Fill(ranges.clone())),
            };
            if sum.terms.len() > MAX_TERMS {
                return Err(LowerError::TooManyTerms(node.source.clone()));
            }
        }
        Ok(sum)
    }
}
