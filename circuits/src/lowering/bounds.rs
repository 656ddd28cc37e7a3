//! What lowering takes from the interval analysis: a width or a decision for each use, and nothing else.
//!
//! The analysis reads the weights, so whoever has none of them cannot repeat it. These bounds are therefore part of the
//! [architecture](crate::architecture::Architecture), which is published, and lowering takes them as they are given. The constraints
//! name the same widths, so the bounds show nothing of the weights that the constraints do not show.
//!
//! Lowering must be sound for every bound. A bound that is too narrow makes honest runs unprovable; no bound gives an input a second
//! output (docs/PROTOCOL.md, sections 5.1 and 12.4).

use serde::{Deserialize, Serialize};
use vouch_program::{Func, Interval, Node, NodeId, Op, Program, rescaled};

use super::LowerError;
use super::tables::MAX_CLAMP_BITS;

/// The most bits of a cell that a witness stores.
pub(super) const MAX_CELL_BITS: u32 = 32;
/// The most bits that a maximum's operands differ by.
const MAX_DIFFERENCE_BITS: u32 = 63;
/// The most bits of a divide's remainder.
const MAX_REMAINDER_BITS: u32 = 40;

/// What lowering takes from the interval analysis about one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeBounds {
    /// Nothing.
    Nothing,
    /// Of an [`Op::Apply`] that may saturate: the width of `high`, sign included.
    Clamp {
        /// Its width; at least 2.
        high_bits: u32,
    },
    /// Of an [`Op::Contract`] of two operands that sums nothing.
    Product {
        /// Whether every value fits a cell, so that the product may be committed to.
        fits: bool,
    },
    /// Of an [`Op::Max`].
    Max {
        /// Bits of the operands' difference, sign included; at least 2.
        difference_bits: u32,
    },
    /// Of an [`Op::Divide`].
    Divide {
        /// Bits of the quotient, sign included.
        quotient_bits: u32,
        /// Bits of the remainder, which is never negative.
        remainder_bits: u32,
    },
    /// Of an [`Op::ArgMax`]: what its input's elements lie between, rounded outward to powers of two.
    ArgMax {
        /// The least; not above 0.
        least: i64,
        /// The greatest; not below 0.
        greatest: i64,
    },
}

impl NodeBounds {
    /// The bounds of a program's nodes, given their intervals.
    ///
    /// # Errors
    /// The first node whose values have more bits than any constraint is made for.
    pub(crate) fn all_of(program: &Program, intervals: &[Interval]) -> Result<Vec<Self>, LowerError> {
        (0..program.nodes.len()).map(|index| Self::of(program, intervals, NodeId(index as u32))).collect()
    }

    fn of(program: &Program, intervals: &[Interval], id: NodeId) -> Result<Self, LowerError> {
        let node = program.node(id);
        let interval = |id: NodeId| intervals[id.index()];
        let cell = |id: NodeId| check_bits(node, interval(id).bits(), MAX_CELL_BITS);
        Ok(match &node.op {
            Op::Apply { input, shift, func, bits, saturate: true } => {
                let quotient = rescaled(interval(*input), *shift);
                let (low_bits, window_low) = window(*func, *bits);
                let digit = |value: i64| (value - window_low) >> low_bits;
                let high_bits = Interval::new(digit(quotient.lo), digit(quotient.hi)).bits().max(2);
                check_bits(node, high_bits, MAX_CLAMP_BITS)?;
                Self::Clamp { high_bits }
            }
            Op::Contract { vars, rhs: Some(_), .. } if vars.len() == node.shape.len() => {
                Self::Product { fits: interval(id).bits() <= MAX_CELL_BITS }
            }
            Op::Max { lhs, rhs } => {
                cell(id)?;
                let (a, b) = (interval(*lhs), interval(*rhs));
                // Saturated bounds are far too wide for any constraint.
                let difference = Interval::new(a.lo.saturating_sub(b.hi), a.hi.saturating_sub(b.lo));
                let difference_bits = difference.bits().max(2);
                check_bits(node, difference_bits, MAX_DIFFERENCE_BITS)?;
                Self::Max { difference_bits }
            }
            Op::Divide { den, .. } => {
                cell(id)?;
                // No remainder is larger than twice the divisor.
                let largest = interval(den.node).hi.saturating_mul(2);
                let remainder_bits = Interval::new(0, largest).bits() - 1;
                check_bits(node, remainder_bits, MAX_REMAINDER_BITS)?;
                Self::Divide { quotient_bits: interval(id).bits(), remainder_bits }
            }
            Op::Store { input } => {
                cell(*input)?;
                Self::Nothing
            }
            Op::ArgMax { input, .. } => {
                // The constraints are public: exact bounds would show something of the weights.
                let Interval { lo, hi } = interval(*input).with_zero().outward();
                Self::ArgMax { least: lo, greatest: hi }
            }
            _ => Self::Nothing,
        })
    }

    /// Whether these can be a node's bounds: of its operator, and within what constraints are made for.
    pub(crate) fn fit(self, node: &Node) -> bool {
        let product = |vars: &[usize]| vars.len() == node.shape.len();
        match (&node.op, self) {
            (Op::Apply { saturate: true, .. }, Self::Clamp { high_bits }) => (2..=MAX_CLAMP_BITS).contains(&high_bits),
            (Op::Apply { saturate, .. }, Self::Nothing) => !saturate,
            (Op::Contract { vars, rhs: Some(_), .. }, Self::Product { .. }) => product(vars),
            (Op::Contract { vars, rhs, .. }, Self::Nothing) => rhs.is_none() || !product(vars),
            (Op::Max { .. }, Self::Max { difference_bits }) => (2..=MAX_DIFFERENCE_BITS).contains(&difference_bits),
            (Op::Divide { .. }, Self::Divide { quotient_bits, remainder_bits }) => {
                (1..=MAX_CELL_BITS).contains(&quotient_bits) && (1..=MAX_REMAINDER_BITS).contains(&remainder_bits)
            }
            (Op::ArgMax { .. }, Self::ArgMax { least, greatest }) => {
                let within = -(1i64 << 33)..=1i64 << 33;
                least <= 0 && 0 <= greatest && within.contains(&least) && within.contains(&greatest)
            }
            (Op::Input { .. } | Op::Weight { .. } | Op::Affine { .. }, Self::Nothing) => true,
            (Op::Store { .. } | Op::Gather { .. } | Op::Pick { .. }, Self::Nothing) => true,
            _ => false,
        }
    }
}

/// The clamp's window for a function of so many bits: bits of `low`, and the least value inside.
pub(super) fn window(func: Func, bits: u32) -> (u32, i64) {
    match func {
        Func::Relu => (bits - 1, 0),
        Func::Identity | Func::Table(_) => (bits, Interval::signed(bits).lo),
    }
}

/// Refuses what has more bits than there may be.
pub(super) fn check_bits(node: &Node, bits: u32, limit: u32) -> Result<(), LowerError> {
    if bits <= limit {
        return Ok(());
    }
    Err(LowerError::TooWide { origin: node.source.clone(), bits, limit })
}
