//! Masks: large negative constants that stand in for what a Softmax is to leave out.
//!
//! Only that they are out of reach matters. At their own size they would leave the numbers beside them next to no bits, so they are
//! brought to just beyond what these, whatever the input, can be, less what the exponential rounds to nothing.

use ndarray::{ArrayD, Axis};

use super::build::Lowering;
use super::operand::Operand;
use super::operands::Operands;
use crate::error::ModelError;
use crate::onnx::{Attributes, MASKED};

/// The exponential of this much below the largest rounds to nothing.
const NOTHING: f64 = 20.0;

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
        let (reach, most) = match masking {
            Masking::Added => (2.0 * beside + NOTHING, 3.0 * beside + NOTHING),
            Masking::Chosen => (beside + NOTHING, beside + NOTHING),
        };
        let constants = given.iter().filter(|operand| matches!(operand, Operand::Constant(_))).count();
        let is_mask = constants == 1 && given.len() > 1 && self.is_softmax_input(tensor, rank);
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

    /// Whether a Softmax along the last of `rank` axes alone reads it.
    fn is_softmax_input(&self, tensor: &str, rank: usize) -> bool {
        let reader = self.sole_reader(tensor).map(|(_, reader)| reader).filter(|reader| reader.op == "Softmax");
        let axis = reader.map(|reader| Attributes::of(&reader.proto).int("axis").ok().flatten());
        let usual = if self.graph.opset < 13 { 1 } else { -1 };
        axis.is_some_and(|axis| matches!(axis.unwrap_or(usual), axis if axis == -1 || axis + 1 == rank as i64))
    }
}

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
