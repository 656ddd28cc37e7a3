//! Inputs whose columns have scales of their own, as tables have: what is small beside another column keeps its precision.
//!
//! This is for inputs of which every reader multiplies each column by a constant, at once or after it chose columns; the scales go into
//! those constants, and nothing else ever sees such a tensor.

use ndarray::ArrayD;

use super::build::Lowering;
use super::elementwise::pointwise;
use super::gather::gather;
use super::layout;
use super::linear::Factors;
use super::operands::Operands;
use super::value::Value;
use crate::calibrate::frac_for;
use crate::error::ModelError;
use crate::onnx::{GraphNode, InputSpec};

/// How much larger than in the calibration data a column's values may be.
const ROOM: f64 = 4.0;
/// How large a column's values times the constant that it is multiplied by may be at least, next to the largest such product of any column,
/// or to 1: constants tell what is large, too.
const REACH: f64 = 4.0;
/// Operators between an input and what multiplies its columns, at most.
const MOST_BETWEEN: usize = 8;
/// Columns have scales of their own where these differ by so many bits.
const LEAST_SPREAD: i32 = 3;

impl<'g> Lowering<'g> {
    /// One scale for each column of an input, or none where one for all does as well.
    pub(super) fn column_fracs(&self, input: &InputSpec) -> Result<Vec<i32>, ModelError> {
        let columns = match input.shape[..] {
            [.., columns] if columns > 1 && !input.integer => columns,
            _ => return Ok(vec![]),
        };
        let mut factors = vec![f64::INFINITY; columns];
        if !self.factors(&input.name, &mut factors, MOST_BETWEEN)? {
            return Ok(vec![]);
        }
        let whole = self.ranges.largest(&input.name);
        let seen = self.ranges.by_column(&input.name).iter();
        let product = seen.clone().zip(&factors).fold(0.0f64, |most, (seen, factor)| most.max(seen * factor)).min(1.0);
        let reach = |factor: f64| if factor > 0.0 { REACH * product / factor } else { 0.0 };
        let largest = seen.zip(&factors).map(|(&seen, &factor)| match seen {
            0.0 => whole,
            _ => (ROOM * seen).max(reach(factor)).min(whole),
        });
        let fracs: Vec<i32> = largest.map(frac_for).collect();
        let (coarsest, finest) = (fracs.iter().min().copied(), fracs.iter().max().copied());
        let apart = finest.unwrap_or(0) - coarsest.unwrap_or(0);
        Ok(if fracs.len() == columns && apart >= LEAST_SPREAD { fracs } else { vec![] })
    }

    /// Lowers a node that reads a tensor whose columns have scales of their own. `false` if it reads none.
    pub(super) fn by_column(&mut self, node: &'g GraphNode) -> Result<bool, ModelError> {
        let Some((tensor, finer)) = node.inputs.iter().find_map(|name| Some((name, self.columns.get(name)?.clone())))
        else {
            return Ok(false);
        };
        let operands = Operands::new(self.graph, node);
        let result = operands.result()?;
        match node.op.as_str() {
            "Cast" => {
                layout::cast(self, operands)?;
                self.columns.insert(result.to_string(), finer);
            }
            "Identity" => {
                layout::identity(self, operands)?;
                self.columns.insert(result.to_string(), finer);
            }
            "Gather" => {
                let picked = self.picked_columns(node, tensor, &finer)?.ok_or_else(unexpected)?;
                gather(self, operands)?;
                self.columns.insert(result.to_string(), picked);
            }
            _ => {
                let x = self.value(tensor)?;
                let (mut weights, mut bias) = self.last_axis(node, tensor)?.ok_or_else(unexpected)?;
                let axis = x.shape.len() - 1;
                let behind = self.absorb_channelwise(result, x.shape.len(), axis, weights.len())?;
                for (c, (weight, bias)) in weights.iter_mut().zip(&mut bias).enumerate() {
                    *weight *= behind.scale[c] * f64::from(-finer[c]).exp2();
                    *bias = *bias * behind.scale[c] + behind.shift[c];
                }
                let shape = x.shape.clone();
                pointwise(self, &x, weights, bias, vec![axis], &behind.tensor, &shape)?;
            }
        }
        Ok(true)
    }

    /// Constants as fixed point has them. Thresholds are rounded as what is compared with them was: to the operand's scale, then to that of
    /// its product, so that whatever was equal, or less, is not greater then.
    pub(super) fn as_compared(&self, name: &str, data: ArrayD<f32>) -> Result<ArrayD<f32>, ModelError> {
        let Some(thresholds) = self.graph.thresholds(name) else { return Ok(data) };
        let (own, scale) = (self.value(&thresholds.operand)?.frac, self.rounded.get(&thresholds.scaled).copied());
        let (Some(scale), true) = (scale, thresholds.columns.len() == data.len()) else { return Err(unexpected()) };
        let finer = self.columns.get(&thresholds.operand);
        let rounded = data.iter().zip(&thresholds.columns).map(|(&x, compared)| {
            let Some((column, factor)) = *compared else { return x };
            let frac = own + finer.and_then(|finer| finer.get(column)).copied().unwrap_or(0);
            let (fine, coarse) = (f64::from(frac).exp2(), f64::from(scale).exp2());
            let integer = (f64::from(x) / f64::from(factor) * fine).round();
            // Halves up, as all that is computed.
            ((integer / fine * f64::from(factor) * coarse + 0.5).floor() / coarse) as f32
        });
        ArrayD::from_shape_vec(data.shape().to_vec(), rounded.collect()).map_err(|_| unexpected())
    }

    /// Says of an input that its columns are finer than its value's scale by so many bits.
    pub(super) fn set_columns(&mut self, value: &Value, name: &str, fracs: &[i32]) {
        if !fracs.is_empty() {
            self.columns.insert(name.to_string(), fracs.iter().map(|frac| frac - value.frac).collect());
        }
    }

    /// Whether all readers of a tensor multiply its columns, at most so many operators on, and for each column the smallest factor.
    fn factors(&self, tensor: &str, smallest: &mut [f64], between: usize) -> Result<bool, ModelError> {
        if between == 0 || self.graph.outputs.iter().any(|output| output == tensor) {
            return Ok(false);
        }
        let mut read = false;
        for node in self.graph.nodes.iter().filter(|node| node.inputs.iter().any(|input| input == tensor)) {
            read = true;
            let Some(result) = node.outputs.first() else { return Ok(false) };
            let fits = match node.op.as_str() {
                "Cast" | "Identity" => !self.graph.is_integer(result) && self.factors(result, smallest, between - 1)?,
                "Gather" => {
                    let places: Vec<usize> = (0..smallest.len()).collect();
                    let Some(picked) = self.picked_columns(node, tensor, &places)? else { return Ok(false) };
                    let mut of_picked: Vec<f64> = picked.iter().map(|&place| smallest[place]).collect();
                    let fits = self.factors(result, &mut of_picked, between - 1)?;
                    for (place, factor) in picked.into_iter().zip(of_picked) {
                        smallest[place] = smallest[place].min(factor);
                    }
                    fits
                }
                _ => match self.scales_behind(node, tensor)? {
                    Some(factors) => {
                        smallest.iter_mut().zip(factors).for_each(|(least, factor)| *least = least.min(factor.abs()));
                        true
                    }
                    None => false,
                },
            };
            if !fits {
                return Ok(false);
            }
        }
        Ok(read)
    }

    /// What each column is multiplied by in all, from a node on; `None` if it does something else, too.
    fn scales_behind(&self, node: &'g GraphNode, tensor: &str) -> Result<Option<Vec<f64>>, ModelError> {
        let Some((mut scales, _)) = self.last_axis(node, tensor)? else { return Ok(None) };
        let mut tensor = &node.outputs[0];
        while let Some((_, reader)) = self.sole_reader(tensor) {
            let Some((more, _)) = self.last_axis(reader, tensor)? else { break };
            scales.iter_mut().zip(more).for_each(|(scale, more)| *scale *= more);
            tensor = &reader.outputs[0];
        }
        Ok(Some(scales))
    }

    /// Scale and shift of each column, if that is all that a node does to a tensor.
    fn last_axis(&self, node: &'g GraphNode, tensor: &str) -> Result<Option<Factors>, ModelError> {
        let shape = self.graph.shape(tensor).unwrap_or_default();
        match shape {
            [.., columns] => self.channelwise(node, tensor, shape.len(), shape.len() - 1, *columns),
            [] => Ok(None),
        }
    }

    /// What a Gather along the last axis by constants picks of one thing for each column.
    fn picked_columns<T: Copy>(
        &self,
        node: &GraphNode,
        tensor: &str,
        each: &[T],
    ) -> Result<Option<Vec<T>>, ModelError> {
        let (Some(shape), [data, index]) = (self.graph.shape(tensor), &node.inputs[..]) else { return Ok(None) };
        let axis = Operands::new(self.graph, node).int("axis")?.unwrap_or(0);
        let last = shape.len() as i64 - 1;
        let one_axis = self.graph.shape(index).is_some_and(|shape| shape.len() == 1);
        let Some(places) = self.graph.integers(index).filter(|_| data == tensor && one_axis) else { return Ok(None) };
        if axis != last && axis != -1 {
            return Ok(None);
        }
        let from_front = |place: i64| if place < 0 { place + each.len() as i64 } else { place };
        let pick = |place: i64| each.get(usize::try_from(from_front(place)).ok()?).copied();
        Ok(places.into_iter().map(pick).collect())
    }
}

fn unexpected() -> ModelError {
    ModelError::invalid("columns of an input are read otherwise than was found at first")
}
