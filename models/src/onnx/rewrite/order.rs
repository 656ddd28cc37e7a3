//! TopK of operator sets before 10, where an attribute says how many.

use super::node::Rewriting;
use crate::error::ModelError;

/// With their number as an operand.
pub(super) fn largest(node: &mut Rewriting) -> Result<(), ModelError> {
    let (x, results) = (node.operand(0)?, [node.result(0), node.result(1)]);
    let count = match (node.optional(1), node.int("k")?) {
        (Some(count), _) => count,
        (None, Some(count)) => node.integers("number of the largest", &[count]),
        (None, None) => return Err(node.refuse("k", "is missing")),
    };
    let attributes = node.hand_on().into_iter().filter(|attribute| attribute.name != "k").collect();
    node.define_all("TopK", &[&x, &count], &results, attributes);
    Ok(())
}
