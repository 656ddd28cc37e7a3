//! `Contract`: a contraction, never committed.

use vouch_program::{NodeId, View};

use super::Lowering;
use crate::ir::*;

impl Lowering<'_> {
    pub(super) fn contraction(&mut self, id: NodeId, vars: &[usize], lhs: &View, rhs: Option<&View>) -> Virtual {
        let outputs = self.program.node(id).shape.len();
        let lhs = self.operand(lhs);
        let rhs = rhs.map(|view| self.operand(view));
        self.contract(Contraction { vars: vars.to_vec(), outputs, lhs, rhs })
    }

    /// The result of a new contraction.
    pub(super) fn contract(&mut self, contraction: Contraction) -> Virtual {
        let id = ContractionId(self.system.contractions.len() as u32);
        let domain = contraction.vars[..contraction.outputs].to_vec();
        self.system.contractions.push(contraction);
        Virtual::zero(&domain).plus(1, Source::Contraction(id))
    }
}
