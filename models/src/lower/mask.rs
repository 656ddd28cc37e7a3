//! Masks: large negative constants that stand in for what a Softmax is to leave out.
//!
//! Only that they are out of reach matters. At their own size they would leave the numbers beside them next to no bits, so they are
//! brought to just beyond what these can be, less what the exponential rounds to nothing.
//!
//! Constants that meet the scores themselves ([`Lowering::raise_masks`]) are out of reach of any input's. Where a mask is computed, from which
//! places are padding, the constant comes before the scores are known, and calibration tells how large these are
//! ([`Lowering::nearer`]).

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

impl Lowering<'_> {
    /// Raises the constants among the operands of what becomes `tensor`, of `rank` axes, if a Softmax along the last alone reads it and they
    /// are lower than any need to be. Softmax's result is the same, that of a row that is masked as a whole, too.
    ///
    /// # Errors
    ///
    /// If constants stay that are infinite, or nearly, in the model.
    pub(super) fn raise_masks(
        &mut self,
        operands: &Operands,
        masking: Masking,
        given: &mut [&mut Operand],
        rank: usize,
    ) -> Result<(), ModelError> {
        let tensor = operands.result()?;
        let computed = given.iter().filter(|operand| matches!(operand, Operand::Computed(_)));
        let beside = computed.map(|operand| operand.largest(self)).fold(0.0, |sum, largest| sum + largest);
        // So much below a row's largest constant, or below zero, nothing is left of a share.
        let ahead = self.ahead(tensor, rank);
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
    /// Softmax. Of what else is chosen there `beside` is the size.
    pub(super) fn nearer(&mut self, tensor: &str, constants: &mut [&mut ArrayD<f32>], beside: f64) {
        let Some(reach) = self.mask_reach(tensor).filter(|_| self.is_mask(tensor)) else { return };
        let reach = reach + beside;
        for array in constants {
            array.mapv_inplace(|x| if f64::from(x.abs()) < LOW { x } else { x.clamp(-reach as f32, reach as f32) });
        }
        self.bound(tensor, reach);
    }

    /// Of a sum that a Softmax reads, with a mask that is nearer than in the float model: how large it is.
    pub(super) fn masked_sum(&mut self, tensor: &str, operands: &[(String, f64)], rank: usize) {
        if self.ahead(tensor, rank).is_none() && self.mask_reach(tensor).is_none() {
            return;
        }
        let bounds: Vec<_> = operands.iter().map(|(name, _)| self.bound_of(self.moved_from(name))).collect();
        if bounds.iter().any(Option::is_some) {
            let sum = bounds.iter().zip(operands).map(|(bound, (_, largest))| bound.unwrap_or(*largest)).sum();
            self.bound(tensor, sum);
        }
    }

    /// What further additions, if nothing else comes before a Softmax along the last of `rank` axes, can add to a tensor, other than masks;
    /// `None` if the tensor is no argument of one.
    fn ahead(&self, tensor: &str, rank: usize) -> Option<f64> {
        let (_, reader) = self.sole_reader(tensor)?;
        match reader.op.as_str() {
            "Softmax" => {
                let axis = Attributes::of(&reader.proto).int("axis").ok()?;
                let axis = axis.unwrap_or(if self.graph.opset < 13 { 1 } else { -1 });
                (axis == -1 || axis + 1 == rank as i64).then_some(0.0)
            }
            "Add" => {
                let others = reader.inputs.iter().filter(|name| *name != tensor);
                let added: f64 = others.map(|name| self.score_size(name)).sum();
                let result = &reader.outputs[0];
                Some(added + self.ahead(result, self.graph.shape(result)?.len())?)
            }
            _ => None,
        }
    }

    /// How low a mask needs to be that is made in `tensor`, if all that becomes of that is to be added to arguments of Softmax.
    fn mask_reach(&self, tensor: &str) -> Option<f64> {
        if self.graph.outputs.iter().any(|output| output == tensor) {
            return None;
        }
        let readers = self.readers.get(tensor)?.iter().map(|&index| &self.graph.nodes[index]);
        let reaches = readers.map(|reader| {
            let result = &reader.outputs[0];
            let position = reader.inputs.iter().position(|name| name == tensor)?;
            match (reader.op.as_str(), position) {
                ("Add", _) => {
                    let Some(later) = self.ahead(result, self.graph.shape(result)?.len()) else {
                        return self.mask_reach(result);
                    };
                    let others = reader.inputs.iter().filter(|name| *name != tensor);
                    let beside: f64 = others.map(|name| self.score_size(name)).sum();
                    Some(2.0 * (beside + later) + NOTHING)
                }
                ("Where", 1 | 2) => self.mask_reach(result),
                (moving, 0) if MOVING.contains(&moving) => self.mask_reach(result),
                _ => None,
            }
        });
        reaches.reduce(|a, b| Some(a?.max(b?))).flatten()
    }

    /// How large scores, without masks, may become in the program: what calibration leaves room for.
    pub(super) fn score_size(&self, name: &str) -> f64 {
        let name = self.moved_from(name);
        if !self.is_mask(name) {
            let seen = self.ranges.largest(name) * self.options.headroom;
            return f64::from(BITS as i32 - 1 - frac_for(seen)).exp2();
        }
        let chosen = self.made_by(name).filter(|node| node.op == "Where").map_or(&[][..], |node| &node.inputs[1..]);
        let computed = chosen.iter().filter(|name| !self.graph.is_constant(name));
        computed.map(|name| self.score_size(name)).fold(0.0, f64::max)
    }

    /// Whether a product or a choice makes a tensor of constants that are too large for scores, and what calibration saw, if anything but
    /// zero, is, too.
    fn is_mask(&self, name: &str) -> bool {
        let made = self.made_by(name).filter(|node| matches!(node.op.as_str(), "Mul" | "Where"));
        let mut constants = made.iter().flat_map(|node| &node.inputs).filter_map(|name| self.graph.constant(name));
        let seen = self.ranges.largest(name);
        (seen == 0.0 || seen >= LOW) && constants.any(|array| array.iter().any(|x| f64::from(x.abs()) >= LOW))
    }

    /// The tensor that this one is, but for its shape and the order of its elements.
    fn moved_from<'a>(&'a self, name: &'a str) -> &'a str {
        match self.made_by(name).filter(|node| MOVING.contains(&node.op.as_str())) {
            Some(node) => self.moved_from(&node.inputs[0]),
            None => name,
        }
    }

    fn made_by(&self, name: &str) -> Option<&GraphNode> {
        self.graph.nodes.iter().find(|node| node.outputs.iter().any(|output| output == name))
    }
}

/// Operators whose result is made of the elements of their first operand.
const MOVING: [&str; 9] =
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
