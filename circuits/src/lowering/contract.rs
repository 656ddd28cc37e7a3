//! `Contract`: a contraction, never committed; or, if nothing is summed and products may be constraints, a committed tensor that is the
//! product row by row.

use vouch_program::{NodeId, View};

use super::bounds::NodeBounds;
use super::{LowerError, Lowering, Recipe};
use crate::ir::*;

/// `lhs · rhs`, row by row.
#[derive(Clone, Debug)]
pub struct Multiply {
    /// First factor.
    pub lhs: Virtual,
    /// Second factor.
    pub rhs: Virtual,
    /// Where it goes.
    pub out: TensorId,
}

impl Lowering<'_> {
    pub(super) fn contraction(
        &mut self,
        id: NodeId,
        vars: &[usize],
        lhs: &View,
        rhs: Option<&View>,
    ) -> Result<Virtual, LowerError> {
        let outputs = self.program.node(id).shape.len();
        let lhs = self.operand(lhs);
        let rhs = rhs.map(|view| self.operand(view));
        match (rhs, self.bounds(id)) {
            (Some(rhs), NodeBounds::Product { fits }) => self.product_of(id, vars, lhs, rhs, fits),
            (rhs, _) => self.contract(Contraction { vars: vars.to_vec(), outputs, lhs, rhs }),
        }
    }

    /// A product row by row, of values that fit a cell or may not.
    pub(super) fn product_of(
        &mut self,
        id: NodeId,
        domain: &[usize],
        lhs: Operand,
        rhs: Operand,
        fits: bool,
    ) -> Result<Virtual, LowerError> {
        if self.style.products && fits {
            return self.multiply(id, domain, lhs, rhs);
        }
        self.contract(Contraction { vars: domain.to_vec(), outputs: domain.len(), lhs, rhs: Some(rhs) })
    }

    fn multiply(&mut self, id: NodeId, domain: &[usize], lhs: Operand, rhs: Operand) -> Result<Virtual, LowerError> {
        let [lhs, rhs] = [lhs, rhs].map(|operand| Virtual::zero(domain).plus(1, Source::Read(operand)));
        let out = self.commit(Origin::Witness, domain, format!("product {}", self.program.node(id).source))?;
        let product = Virtual::raw(out, domain);
        self.product([lhs.clone(), rhs.clone(), product.clone()])?;
        self.plan.push(Recipe::Multiply(Multiply { lhs, rhs, out }));
        Ok(product)
    }

    /// The result of a new contraction.
    pub(super) fn contract(&mut self, contraction: Contraction) -> Result<Virtual, LowerError> {
        for operand in std::iter::once(&contraction.lhs).chain(&contraction.rhs) {
            self.budget.operand(self.system.tensor(operand.tensor).shape.len())?;
        }
        let id = ContractionId(self.system.contractions.len() as u32);
        let domain = contraction.vars[..contraction.outputs].to_vec();
        self.system.contractions.push(contraction);
        Ok(Virtual::zero(&domain).plus(1, Source::Contraction(id)))
    }
}
