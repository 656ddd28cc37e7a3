//! Mod, by the remainder that has the sign of what is divided: the only one that the float model's runtime computes.

use super::node::{Rewriting, int};
use crate::error::ModelError;

/// The remainder with the divisor's sign, `((x rem d) + d) rem d`, if that is the one that is asked for.
pub(super) fn remainder(node: &mut Rewriting) -> Result<(), ModelError> {
    let (x, divisor, result) = (node.operand(0)?, node.operand(1)?, node.result(0));
    let signed = || vec![int("fmod", 1)];
    if node.int("fmod")?.unwrap_or(0) != 0 {
        node.define("Mod", &[&x, &divisor], &result, signed());
        return Ok(());
    }
    let rest = node.compute("Mod", &[&x, &divisor], "rest", signed());
    let shifted = node.compute("Add", &[&rest, &divisor], "shifted rest", vec![]);
    node.define("Mod", &[&shifted, &divisor], &result, signed());
    Ok(())
}
