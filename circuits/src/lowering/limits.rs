//! How much a program may be lowered to, counted before anything of that size is made.
//!
//! A published program may be hostile: few bytes of it can name tensors, sums and index tables of any size.

use super::LowerError;
use crate::ir::{Source, Virtual, shape_bits};

/// Binary logarithm of the positions, padding included, that every tensor has fewer of. A row's position is an `i32`.
const MAX_TENSOR_BITS: usize = 31;

/// The most of each kind that lowering makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Positions of all fixed tensors, which lowering computes.
    pub fixed: u64,
    /// Summands of all sums, tensors and names, each counted by the memory that it takes, in units of 64 bytes.
    pub units: u64,
}

impl Limits {
    /// For the model's owner, who has a whole proof to make.
    pub const OWNER: Self = Self { fixed: 1 << 31, units: 1 << 27 };
    /// For whoever recomputes a stranger's key: at most some hundreds of megabytes. A shell has room for fewer summands than this.
    pub const STRANGER: Self = Self { fixed: 1 << 26, units: 1 << 21 };
}

/// What is left of the limits.
pub(super) struct Budget {
    limits: Limits,
    fixed: u64,
    units: u64,
}

impl Budget {
    pub fn new(limits: Limits) -> Self {
        Self { limits, fixed: 0, units: 0 }
    }

    /// A tensor of this shape and a name of this length.
    pub fn tensor(&mut self, shape: &[usize], name: usize) -> Result<(), LowerError> {
        let bits = shape_bits(shape);
        if bits >= MAX_TENSOR_BITS {
            return Err(LowerError::TooLarge { bits });
        }
        self.units(2 + (name / 64) as u64)
    }

    /// The values of a fixed tensor of this shape, whose size has been checked.
    pub fn fixed(&mut self, shape: &[usize]) -> Result<(), LowerError> {
        self.fixed = self.fixed.saturating_add(1 << shape_bits(shape));
        let limit = self.limits.fixed;
        if self.fixed <= limit { Ok(()) } else { Err(LowerError::TooMuch { what: "positions of index tables", limit }) }
    }

    /// A sum that is kept.
    pub fn sum(&mut self, value: &Virtual) -> Result<(), LowerError> {
        self.units(1 + value.terms.iter().map(|(_, source)| size(source)).sum::<u64>())
    }

    /// An operand that is kept, of so many axes.
    pub fn operand(&mut self, axes: usize) -> Result<(), LowerError> {
        self.units(1 + 2 * axes as u64)
    }

    fn units(&mut self, count: u64) -> Result<(), LowerError> {
        self.units = self.units.saturating_add(count);
        let limit = self.limits.units;
        if self.units <= limit { Ok(()) } else { Err(LowerError::TooMuch { what: "summands", limit }) }
    }
}

/// A summand's memory, in units of 64 bytes.
fn size(source: &Source) -> u64 {
    match source {
        Source::Read(operand) => match &operand.access {
            crate::ir::Access::Raw => 1,
            crate::ir::Access::Indexed(axes) => 1 + 2 * axes.len() as u64,
        },
        Source::Fill(ranges) => 1 + ranges.len() as u64,
        _ => 1,
    }
}
