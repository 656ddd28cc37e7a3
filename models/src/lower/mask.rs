//! Masks: large negative constants that stand in for what a Softmax is to leave out.
//!
//! Only that they are out of reach matters. At their own size they would leave the numbers beside them next to no bits, so they are
//! brought to just beyond what these can be, less what the exponential rounds to nothing.
//!
//! Constants that meet the scores themselves ([`Lowering::raise_masks`]) are out of reach of any input's. Where a mask is computed, from which
//! places are padding, the constant comes before the scores are known, and calibration tells how large these are
//! ([`Lowering::nearer`]), as it does of what is added later.

use std::collections::HashMap;

use ndarray::{ArrayD, Axis};

use super::build::{BITS, Lowering};
use super::operand::Operand;
use super::operands::Operands;
use crate::calibrate::frac_for;
use crate::error::ModelError;
use crate::onnx::{Attributes, GraphNode, MASKED};

/// The exponential of this much below the largest rounds to nothing.
const NOTHING: f64 = 20.0;

/// No score is as large as this, which a mask at least is.
const LOW: f64 = 1000.0;

/// How constants meet what is computed.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Masking {
    /// They are added to it.
    Added,
    /// They stand where a condition does not choose it.
    Chosen,
}

/// Where masks go, by tensor.
#[derive(Default)]
pub(super) struct Masks {
    /// Of what becomes an argument of a Softmax along the last axis: what sums on the way may add to it, other than masks.
    ahead: HashMap<String, f64>,
    /// Of what is only ever added to such: how low a mask needs to be there.
    reach: HashMap<String, f64>,
}

impl Lowering<'_> {
    /// Raises the constants among the operands if a Softmax along the last axis alone reads the result, or a sum on the way to one, and
    /// they are lower than any need to be. Softmax's result is the same, that of a row that is masked as a whole, too.
    ///
    /// # Errors
    ///
    /// If constants stay that are infinite, or nearly, in the model.
    pub(super) fn raise_masks(
        &mut self,
        operands: &Operands,
        masking: Masking,
        given: &mut [&mut Operand],
    ) -> Result<(), ModelError> {
        let tensor = operands.result()?;
        let computed = given.iter().filter(|operand| matches!(operand, Operand::Computed(_)));
        let beside = computed.map(|operand| operand.largest(self)).fold(0.0, |sum, largest| sum + largest);
        // So much below a row's largest constant, or below zero, nothing is left of a share.
        let ahead = self.masks.ahead.get(tensor).copied();
        let later = ahead.unwrap_or_default();
        let (reach, most) = match masking {
            Masking::Added => (2.0 * (beside + later) + NOTHING, 3.0 * beside + 2.0 * later + NOTHING),
            Masking::Chosen => (beside + 2.0 * later + NOTHING, beside + 2.0 * later + NOTHING),
        };
        let constants = given.iter().filter(|operand| matches!(operand, Operand::Constant(_))).count();
        let is_mask = constants == 1 && given.len() > 1 && ahead.is_some();
        let mut raised = false;
        for operand in given {
            let Operand::Constant(array) = &mut **operand else { continue };
            if is_mask {
                raised |= match masking {
                    Masking::Added => raise_rows(array, reach),
                    Masking::Chosen => raise_one(array, reach),
                };
            }
            if array.iter().any(|&x| x <= MASKED) {
                let reason = "has numbers of -1e30 or less, which is supported for what is added to the argument of a Softmax along the last axis, or chosen instead of it";
                return Err(operands.refuse("operand", reason));
            }
        }
        if raised {
            self.bound(tensor, most);
        }
        Ok(())
    }

    /// Brings constants near that `tensor` is made of by a product or a choice, if it is a mask all of which is added to arguments of
    /// Softmax. What else is chosen there are the tensors `beside`.
    pub(super) fn nearer(&mut self, tensor: &str, constants: &mut [&mut ArrayD<f32>], beside: &[&String]) {
        let Some(&reach) = self.masks.reach.get(tensor).filter(|_| self.is_mask(tensor)) else { return };
        let reach = reach + beside.iter().map(|name| self.score_size(name)).fold(0.0, f64::max);
        for array in constants {
            array.mapv_inplace(|x| if f64::from(x.abs()) < LOW { x } else { x.clamp(-reach as f32, reach as f32) });
        }
        self.bound(tensor, reach);
    }

    /// Of a sum that becomes an argument of Softmax, with a mask that is nearer than in the float model: how large it is.
    pub(super) fn masked_sum(&mut self, tensor: &str, operands: &[(String, f64)]) {
        if !self.masks.ahead.contains_key(tensor) && !self.masks.reach.contains_key(tensor) {
            return;
        }
        let bounds: Vec<_> = operands.iter().map(|(name, _)| self.bound_of(self.moved_from(name))).collect();
        if bounds.iter().any(Option::is_some) {
            let sum = bounds.iter().zip(operands).map(|(bound, (_, largest))| bound.unwrap_or(*largest)).sum();
            self.bound(tensor, sum);
        }
    }

    /// Finds out where masks go, before anything is lowered.
    pub(super) fn find_masks(&mut self) {
        // What reads a tensor comes later, and is known here.
        for node in self.graph.nodes.iter().rev() {
            for tensor in &node.outputs {
                if let Some(ahead) = self.ahead(tensor) {
                    self.masks.ahead.insert(tensor.clone(), ahead);
                }
                if let Some(reach) = self.reach(tensor) {
                    self.masks.reach.insert(tensor.clone(), reach);
                }
            }
        }
    }

    fn ahead(&self, tensor: &str) -> Option<f64> {
        let (_, reader) = self.sole_reader(tensor)?;
        match reader.op.as_str() {
            "Softmax" => {
                let rank = self.graph.shape(tensor)?.len();
                let axis = Attributes::of(&reader.proto).int("axis").ok()?;
                let axis = axis.unwrap_or(if self.graph.opset < 13 { 1 } else { -1 });
                (axis == -1 || axis + 1 == rank as i64).then_some(0.0)
            }
            "Add" => {
                let ahead = self.masks.ahead.get(&reader.outputs[0])?;
                Some(ahead + self.beside(tensor, reader))
            }
            _ => None,
        }
    }

    fn reach(&self, tensor: &str) -> Option<f64> {
        if self.graph.outputs.iter().any(|output| output == tensor) {
            return None;
        }
        let mut most = 0.0f64;
        for &index in self.edges.readers.get(tensor)? {
            let reader = &self.graph.nodes[index];
            let result = &reader.outputs[0];
            let position = reader.inputs.iter().position(|name| name == tensor)?;
            let own = match (reader.op.as_str(), position, self.masks.ahead.get(result)) {
                ("Add", _, Some(later)) => 2.0 * (later + self.beside(tensor, reader)) + NOTHING,
                ("Add", _, None) | ("Where", 1 | 2, _) => *self.masks.reach.get(result)?,
                (moving, 0, _) if MOVING.contains(&moving) => *self.masks.reach.get(result)?,
                _ => return None,
            };
            most = most.max(own);
        }
        Some(most)
    }

    /// How large the other operands of a sum may become.
    fn beside(&self, tensor: &str, sum: &GraphNode) -> f64 {
        sum.inputs.iter().filter(|name| *name != tensor).map(|name| self.score_size(name)).sum()
    }

    /// How large scores, without masks, may become in the program: what calibration leaves room for.
    fn score_size(&self, name: &str) -> f64 {
        let mut name = self.moved_from(name);
        while self.is_mask(name) {
            // What is chosen beside the mask.
            let chosen = self.made_by(name).filter(|node| node.op == "Where").map_or(&[][..], |node| &node.inputs[1..]);
            let Some(computed) = chosen.iter().find(|name| !self.graph.is_constant(name)) else { return 0.0 };
            name = self.moved_from(computed);
        }
        let seen = self.ranges.largest(name) * self.options.headroom;
        f64::from(BITS as i32 - 1 - frac_for(seen)).exp2()
    }

    /// Whether a product or a choice makes a tensor of constants that are too large for scores, and what calibration saw, if anything but
    /// zero, is, too, but not larger: a product that is has other factors than truth values, which it must keep apart.
    fn is_mask(&self, name: &str) -> bool {
        let of = match self.made_by(name).map(|node| (node.op.as_str(), &node.inputs[..])) {
            Some(("Mul", factors)) => factors,
            Some(("Where", [_, chosen @ ..])) => chosen,
            _ => return false,
        };
        let constants = of.iter().filter_map(|name| self.graph.constant(name));
        let largest = constants.flat_map(ArrayD::into_iter).fold(0.0, |most, x| f64::max(most, f64::from(x.abs())));
        let seen = self.ranges.largest(name);
        largest >= LOW && (seen == 0.0 || (LOW..=largest).contains(&seen))
    }

    /// The tensor that this one is, but for its shape and the order of its elements.
    fn moved_from<'a>(&'a self, mut name: &'a str) -> &'a str {
        while let Some(node) = self.made_by(name).filter(|node| MOVING.contains(&node.op.as_str())) {
            name = &node.inputs[0];
        }
        name
    }

    fn made_by(&self, name: &str) -> Option<&GraphNode> {
        self.edges.makers.get(name).map(|&index| &self.graph.nodes[index])
    }
}

/// Operators whose result is made of the elements of their first operand.
pub(super) const MOVING: [&str; 9] =
    ["Cast", "Expand", "Identity", "Reshape", "Slice", "Squeeze", "Tile", "Transpose", "Unsqueeze"];

/// Takes its largest number from each row, and raises what is then below `-reach`; or leaves all rows as they are if nothing is. One number
/// for a whole row makes no difference to its shares.
fn raise_rows(array: &mut ArrayD<f32>, reach: f64) -> bool {
    let Some(last) = array.ndim().checked_sub(1) else { return raise_one(array, reach) };
    let largest = array.map_axis(Axis(last), |row| row.fold(f32::NEG_INFINITY, |most, &x| most.max(x)));
    let mut moved = array.clone();
    let lanes = moved.lanes_mut(Axis(last)).into_iter().zip(&largest);
    lanes.for_each(|(mut lane, most)| lane.mapv_inplace(|x| x - most));
    if !array.iter().chain(&moved).any(|&x| f64::from(x) < -reach) {
        return false;
    }
    *array = moved.mapv_into(|x| x.max(-reach as f32));
    true
}

/// Raises the one number that is below `-reach`, if there is one: of several, a row that is masked as a whole would keep the largest.
fn raise_one(array: &mut ArrayD<f32>, reach: f64) -> bool {
    let mut low = array.iter().copied().filter(|&x| f64::from(x) < -reach);
    let Some(first) = low.next() else { return false };
    if low.any(|x| x != first) {
        return false;
    }
    array.mapv_inplace(|x| x.max(-reach as f32));
    true
}
