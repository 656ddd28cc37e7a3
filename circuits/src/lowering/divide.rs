//! `Divide`: `2^(shift+1)·num + den - 2·out·den` is a remainder in `[0, 2·den)`: it and `2·den - 1` less it are in a range, and so is `out`, so
//! that nothing wraps around the field.
//!
//! Together the two ranges say that `den` is at least 1. In the padding, where it may be zero, one more is allowed, and `out` is zero.

use vouch_program::{NodeId, View};

use super::bounds::{MAX_CELL_BITS, NodeBounds};
use super::{LowerError, Lowering, Recipe};
use crate::ir::*;

/// `⌊(2^(shift+1)·num + den) / (2·den)⌋`; 0 where `den` is 0, in the padding.
#[derive(Clone, Debug)]
pub struct Divide {
    /// What is divided.
    pub num: Virtual,
    /// What by.
    pub den: Virtual,
    /// Bits behind the point of the result.
    pub shift: u32,
    /// Where it goes.
    pub out: TensorId,
}

impl Divide {
    /// The quotient of two values.
    pub fn quotient(&self, num: i64, den: i64) -> i64 {
        if den == 0 { 0 } else { vouch_program::quotient(num, den, self.shift) }
    }
}

impl Lowering<'_> {
    pub(super) fn divide(&mut self, id: NodeId, num: NodeId, den: &View, shift: u32) -> Result<TensorId, LowerError> {
        let NodeBounds::Divide { quotient_bits: bits, remainder_bits } = self.bounds(id) else {
            return Err(self.misfit(id));
        };
        let node = self.program.node(id);
        let (shape, source) = (node.shape.clone(), node.source.clone());
        let out = self.commit(Origin::Witness, &shape, format!("quotient {source}"))?;
        let den_operand = self.operand(den);
        let read = |operand: &Operand| Virtual::zero(&shape).plus(1, Source::Read(operand.clone()));
        self.zero_padding(out)?;
        let num = read(&Operand::identity(self.tensor_of(num), shape.len()));
        let divisor = read(&den_operand);
        self.plan.push(Recipe::Divide(Divide { num: num.clone(), den: divisor.clone(), shift, out }));

        let quotient = Operand::identity(out, shape.len());
        // At most the dividend and half the divisor.
        let product = self.product_of(id, &shape, quotient, den_operand, remainder_bits + bits <= MAX_CELL_BITS)?;
        let remainder = num_less_product(&num, &divisor, &product, shift);
        self.range_about(remainder.clone(), remainder_bits, &source)?;
        let above = Virtual::zero(&shape).plus_virtual(2, &divisor).plus_constant(-1).plus_virtual(-1, &remainder);
        self.range_about(outside(above, den), remainder_bits, &source)?;
        let from_zero = Virtual::raw(out, &shape).plus_constant(1 << (bits - 1));
        self.range_about(from_zero, bits, &source)?;
        Ok(out)
    }
}

/// `2^(shift+1)·num + den - 2·product`.
fn num_less_product(num: &Virtual, den: &Virtual, product: &Virtual, shift: u32) -> Virtual {
    let sum = Virtual::zero(&num.domain).plus_virtual(1 << (shift + 1), num);
    sum.plus_virtual(1, den).plus_virtual(-2, product)
}

/// The value, and one more where the divisor's view reads outside its node.
fn outside(value: Virtual, den: &View) -> Virtual {
    let padded = den.vars().filter(|var| !value.domain[*var].is_power_of_two());
    let inside: Vec<(usize, usize, usize)> = padded.map(|var| (var, 0, value.domain[var])).collect();
    if inside.is_empty() { value } else { value.plus_constant(1).plus(-1, Source::Fill(inside)) }
}
