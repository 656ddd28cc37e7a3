//! Ranges: one lookup, or one for each limb of a wide value.

use super::{LowerError, Lowering, Recipe};
use crate::ir::*;

/// The digits of `value` to the base `2^limb_bits`, the lowest left out.
#[derive(Clone, Debug)]
pub struct Limbs {
    /// What is cut.
    pub value: Virtual,
    /// Width of a limb.
    pub limb_bits: u32,
    /// Where the digits go, from the second on.
    pub cells: Vec<TensorId>,
}

impl Lowering<'_> {
    /// `0 <= value < 2^bits`.
    ///
    /// Of more than one limb all but the lowest are committed; the lowest is what is left of the value. Limbs in their ranges add up
    /// to a number in the value's, and each such number has one such sum.
    pub(super) fn range(&mut self, value: Virtual, bits: u32, source: &str) -> Result<(), LowerError> {
        let limb_bits = self.style.limb_bits;
        let domain = value.domain.clone();
        let (mut lowest, mut cells) = (value.clone(), Vec::new());
        for at in (limb_bits..bits).step_by(limb_bits as usize) {
            let cell = self.commit(Origin::Witness, &domain, format!("limb {source}"))?;
            self.range_of_limb(Virtual::raw(cell, &domain), limb_bits.min(bits - at))?;
            lowest = lowest.plus_raw(-(1 << at), cell);
            cells.push(cell);
        }
        self.range_of_limb(lowest, limb_bits.min(bits))?;
        if !cells.is_empty() {
            self.limbs.push(Recipe::Limbs(Limbs { value, limb_bits, cells }));
        }
        Ok(())
    }

    /// `0 <= value < 2^bits`, or a somewhat larger power of two if that takes fewer tables: for values that are known to be less in truth, so
    /// that only wrapping around the field is to be excluded.
    pub(super) fn range_about(&mut self, value: Virtual, bits: u32, source: &str) -> Result<(), LowerError> {
        let limb_bits = self.style.limb_bits;
        let bits = if bits > limb_bits { bits.next_multiple_of(limb_bits) } else { bits };
        self.range(value, bits, source)
    }

    fn range_of_limb(&mut self, value: Virtual, bits: u32) -> Result<(), LowerError> {
        let table = self.tables.range(&mut self.system, bits);
        self.lookup(vec![value], table)
    }
}
