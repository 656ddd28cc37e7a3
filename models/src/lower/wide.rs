//! Functions of wide accumulators that are steep at zero, such as roots and logarithms: looked up in tables of several scales, of which the
//! largest result is the right one, so that small arguments keep their bits.

use vouch_program::interval::{Interval, rescaled};
use vouch_program::{NodeId, Op};

use super::build::{BITS, Lowering};
use super::extreme::tree;
use crate::error::ModelError;

/// Bits between the tables: a value that one rounds to fewer than as many again is the next one's.
pub(super) const STEP: u32 = 7;
/// The largest value that is clamped to 16 bits.
const MAX_CLAMPED: i64 = (1 << (2 * BITS - 1)) - (1 << BITS);

/// A function that never falls.
pub(super) struct Rising<'f> {
    /// What its tables are called: all that they depend on, but for which bits of the argument they look at.
    pub name: String,
    /// The result for an accumulator.
    pub of: &'f dyn Fn(f64) -> i32,
    /// The least result.
    pub lowest: i32,
}

/// The function of `acc`, of which no table drops more bits than `coarsest`: results, of scale `frac`.
pub(super) fn by_scales(
    low: &mut Lowering,
    acc: NodeId,
    coarsest: u32,
    function: &Rising,
    frac: i32,
) -> Result<NodeId, ModelError> {
    let out = low.program.node(acc).shape.clone();
    let most = low.interval(acc).hi.max(1);
    // What is beyond all lookups' reach cannot be clamped.
    let finest = (0..).find(|&shift| most >> shift <= MAX_CLAMPED).unwrap_or(0);
    let mut shifts: Vec<u32> = (finest..=coarsest).rev().step_by(STEP as usize).collect();
    if finest > 0 && shifts.last() != Some(&finest) {
        shifts.push(finest);
    }
    let mut nodes = Vec::new();
    for (number, &shift) in shifts.iter().enumerate() {
        let half = 1i64 << (BITS - 1);
        // What the next table tells better is left to it.
        let from = if number + 1 == shifts.len() { -half } else { half >> STEP };
        let value = |z: i64| {
            if z < from { function.lowest } else { (function.of)(z as f64 * f64::from(shift).exp2()) }
        };
        let name = format!("{} from {from}, 2^{shift}", function.name);
        let func = low.table_of_integers(name, (-half..half).map(value).collect());
        let saturate = !Interval::signed(BITS).covers(rescaled(low.interval(acc), shift));
        nodes.push(low.clamped(Op::Apply { input: acc, shift, func, bits: BITS, saturate }, &out, frac)?);
    }
    tree(low, nodes, &out, frac)
}
