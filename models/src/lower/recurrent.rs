//! RNN, LSTM and GRU, their steps written out one after the other.
//!
//! A step's tensors have the shape `[1, 1, batch, hidden]`: of the result's axes (step, direction, batch, hidden) each has the part that is
//! its own, so that the result is a sum of views.

use ndarray::{ArrayD, Axis, Slice};
use vouch_program::interval::{Interval, rescaled};
use vouch_program::{AffineTerm, AxisIndex, Func, NodeId, Op, View};

use super::build::{BITS, FRACS, Lowering};
use super::linear::{integer_frac, power_of_two};
use super::operand::Operand;
use super::operands::Operands;
use super::rescale::MAX_SHIFT;
use super::value::Value;
use crate::calibrate::frac_for;
use crate::error::ModelError;

/// Scale of gates, which are from 0 to 1 or from -1 to 1, and of the hidden state.
const GATE_FRAC: i32 = 15;
/// Scales of a gate's argument: beyond 16 a logistic function is constant, beyond 8 a hyperbolic tangent.
const LOGISTIC_FRAC: i32 = 11;
const TANGENT_FRAC: i32 = 12;
/// The finest scale of weights: times what is at the finest scale, too, they can still be rescaled.
const WEIGHT_FRAC: i32 = 19;
const _: () = assert!(WEIGHT_FRAC + *FRACS.end() - LOGISTIC_FRAC <= MAX_SHIFT);
/// The largest cell state that keeps its value: more saturates.
const LARGEST_CELL: f64 = 30.0;
/// Most steps.
const MAX_STEPS: usize = 1 << 12;

#[derive(Clone, Copy)]
enum Gate {
    Logistic,
    Tangent,
}

/// A node and its scale.
type Scaled = (NodeId, i32);

/// A sum's summands.
type Parts = Vec<Scaled>;

/// A state, the step that it is after and its direction.
type State = (usize, usize, Scaled);

/// A function's name and itself.
type Function = (&'static str, fn(f64) -> f64);

/// What both have in common.
struct Recurrent<'g> {
    x: Value,
    steps: usize,
    batch: usize,
    hidden: usize,
    directions: Vec<Direction>,
    /// `Y`, `Y_h`, `Y_c`, as far as they are wanted.
    results: [Option<&'g str>; 3],
}

/// One direction's weights, by gate.
struct Direction {
    reverse: bool,
    /// Of the input, `[hidden, input]` each, and their scales.
    input: Vec<Scaled>,
    /// Of the hidden state, `[hidden, hidden]` each.
    state: Vec<Scaled>,
    /// Those added beside the input, and beside the hidden state.
    input_bias: Vec<Vec<f64>>,
    state_bias: Vec<Vec<f64>>,
    /// Of the cell, `[hidden]` each; none if there are no peepholes.
    peepholes: Vec<Scaled>,
    first: Scaled,
    first_cell: Option<Scaled>,
}

pub(super) fn lstm(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    if operands.int("input_forget")?.unwrap_or(0) != 0 {
        return Err(operands.refuse("input_forget", "is not supported"));
    }
    let recurrent = Recurrent::read(low, operands, 4, &["Sigmoid", "Tanh", "Tanh"])?;
    let cell_frac = frac_for((recurrent.steps as f64 + 1.0).min(LARGEST_CELL));
    let (mut all, mut last, mut cells) = (Vec::new(), Vec::new(), Vec::new());
    for (number, direction) in recurrent.directions.iter().enumerate() {
        let mut h = direction.first;
        let mut c = direction.first_cell.ok_or_else(|| ModelError::invalid("an LSTM without a cell"))?;
        for t in recurrent.order(direction) {
            // Gates in ONNX's order: input, output, forget, cell.
            let mut gates = Vec::with_capacity(4);
            for gate in [0, 2, 3] {
                let mut parts = recurrent.sums(low, direction, gate, t, h)?;
                let peephole = [Some(0), None, Some(2), None][gate];
                if let Some(&weights) = peephole.and_then(|p| direction.peepholes.get(p)) {
                    parts.push(recurrent.product(low, c, weights)?);
                }
                let kind = if gate == 3 { Gate::Tangent } else { Gate::Logistic };
                gates.push(recurrent.gate(low, parts, &direction.bias(gate), kind)?);
            }
            let [i, f, g] = gates[..] else { return Err(ModelError::invalid("an LSTM without gates")) };
            let kept = recurrent.product_of_states(low, f, c)?;
            let new = recurrent.product_of_states(low, i, g)?;
            c = recurrent.state(low, vec![kept, new], cell_frac)?;
            let mut parts = recurrent.sums(low, direction, 1, t, h)?;
            if let Some(&weights) = direction.peepholes.get(1) {
                parts.push(recurrent.product(low, c, weights)?);
            }
            let o = recurrent.gate(low, parts, &direction.bias(1), Gate::Logistic)?;
            let tangent = recurrent.gate(low, vec![c], &[], Gate::Tangent)?;
            let product = recurrent.product_of_states(low, o, tangent)?;
            h = recurrent.state(low, vec![product], GATE_FRAC)?;
            all.push((t, number, h));
        }
        last.push((0, number, h));
        cells.push((0, number, c));
    }
    recurrent.define(low, [all, last, cells])
}

pub(super) fn gru(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let resets_product = operands.int("linear_before_reset")?.unwrap_or(0) != 0;
    let recurrent = Recurrent::read(low, operands, 3, &["Sigmoid", "Tanh"])?;
    let (mut all, mut last) = (Vec::new(), Vec::new());
    for (number, direction) in recurrent.directions.iter().enumerate() {
        let mut h = direction.first;
        for t in recurrent.order(direction) {
            // Gates in ONNX's order: update, reset, hidden.
            let mut gates = Vec::with_capacity(2);
            for gate in [0, 1] {
                let parts = recurrent.sums(low, direction, gate, t, h)?;
                gates.push(recurrent.gate(low, parts, &direction.bias(gate), Gate::Logistic)?);
            }
            let [z, r] = gates[..] else { return Err(ModelError::invalid("a GRU without gates")) };
            let of_input = recurrent.of_input(low, direction, 2, t)?;
            let candidate = if resets_product {
                let of_state = recurrent.of_state(low, direction, 2, h)?;
                let biased = recurrent.wide(low, vec![of_state], &direction.state_bias[2])?;
                let product = recurrent.product_of_states(low, r, biased)?;
                recurrent.gate(low, vec![of_input, product], &direction.input_bias[2], Gate::Tangent)?
            } else {
                let product = recurrent.product_of_states(low, r, h)?;
                let reset = recurrent.state(low, vec![product], GATE_FRAC)?;
                let of_state = recurrent.of_state(low, direction, 2, reset)?;
                recurrent.gate(low, vec![of_input, of_state], &direction.bias(2), Gate::Tangent)?
            };
            // z·h + (1 − z)·candidate.
            let kept = recurrent.product_of_states(low, z, h)?;
            let replaced = recurrent.product_of_states(low, z, candidate)?;
            h = recurrent.blend(low, kept, replaced, candidate)?;
            all.push((t, number, h));
        }
        last.push((0, number, h));
    }
    recurrent.define(low, [all, last, Vec::new()])
}

/// One gate, which is the state.
pub(super) fn rnn(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    let recurrent = Recurrent::read(low, operands, 1, &["Tanh"])?;
    let (mut all, mut last) = (Vec::new(), Vec::new());
    for (number, direction) in recurrent.directions.iter().enumerate() {
        let mut h = direction.first;
        for t in recurrent.order(direction) {
            let parts = recurrent.sums(low, direction, 0, t, h)?;
            h = recurrent.gate(low, parts, &direction.bias(0), Gate::Tangent)?;
            all.push((t, number, h));
        }
        last.push((0, number, h));
    }
    recurrent.define(low, [all, last, Vec::new()])
}

impl Direction {
    fn bias(&self, gate: usize) -> Vec<f64> {
        self.input_bias[gate].iter().zip(&self.state_bias[gate]).map(|(a, b)| a + b).collect()
    }
}

impl<'g> Recurrent<'g> {
    fn read(
        low: &mut Lowering,
        mut operands: Operands<'g>,
        gates: usize,
        activations: &[&str],
    ) -> Result<Self, ModelError> {
        let x = low.value(operands.required(0)?)?;
        let [steps, batch, width] = x.shape[..] else {
            return Err(operands.refuse("operand 0", "needs a step, a batch and an input axis"));
        };
        if steps > MAX_STEPS {
            return Err(operands.refuse("operand 0", format!("has more than {MAX_STEPS} steps")));
        }
        let (w, r) = (operands.constant(1)?, operands.constant(2)?);
        let hidden = *r.shape().last().unwrap_or(&0);
        operands.ignore("hidden_size");
        let reverse: &[bool] = match operands.string("direction")?.as_deref() {
            None | Some("forward") => &[false],
            // The float model that calibration and the report rest on computes it forward.
            Some("reverse") => {
                return Err(operands.refuse("direction", "\"reverse\" alone is not supported; \"bidirectional\" is"));
            }
            Some("bidirectional") => &[false, true],
            Some(other) => return Err(operands.refuse("direction", format!("\"{other}\" is not known"))),
        };
        let shaped =
            w.shape() == [reverse.len(), gates * hidden, width] && r.shape() == [reverse.len(), gates * hidden, hidden];
        if !shaped || hidden == 0 {
            return Err(operands.refuse("operand 1", "the weights' shapes do not fit"));
        }
        let expected: Vec<String> = reverse.iter().flat_map(|_| activations).map(|name| name.to_string()).collect();
        if operands.strings("activations")?.is_some_and(|given| given != expected) {
            return Err(
                operands.refuse("activations", format!("other than {} are not supported", activations.join(", ")))
            );
        }
        if operands.float("clip")?.is_some() {
            return Err(operands.refuse("clip", "is not supported"));
        }
        if operands.int("layout")?.unwrap_or(0) != 0 {
            return Err(operands.refuse("layout", "steps come first"));
        }
        let bias = operands.optional_constant(3)?;
        if bias.as_ref().is_some_and(|bias| bias.shape() != [reverse.len(), 2 * gates * hidden]) {
            return Err(operands.refuse("operand 3", "the biases' shape does not fit"));
        }
        if operands.optional_integers(4)?.is_some_and(|lens| lens.iter().any(|&len| len != steps as i64)) {
            return Err(operands.refuse("operand 4", "sequences of different lengths are not supported"));
        }
        let peepholes = if gates == 4 { operands.optional_constant(7)? } else { None };
        let x = low.addressed(&x)?;
        let mut directions = Vec::with_capacity(reverse.len());
        for (d, &reverse) in reverse.iter().enumerate() {
            let of = |array: &ArrayD<f32>, from: usize, to: usize| -> Vec<f64> {
                let row = array.index_axis(Axis(0), d);
                row.slice_axis(Axis(0), Slice::from(from..to)).iter().map(|&x| f64::from(x)).collect()
            };
            let mut weights = |array: &ArrayD<f32>, rows: usize, gate: usize, shape: &[usize]| {
                let data = of(array, gate * rows, (gate + 1) * rows);
                let frac = integer_frac(data.iter().fold(0.0, |m, x| m.max(x.abs()))).min(WEIGHT_FRAC);
                Ok::<_, ModelError>((low.push_weight(&data, shape, frac)?, frac))
            };
            let input = (0..gates).map(|g| weights(&w, hidden, g, &[hidden, width])).collect::<Result<_, _>>()?;
            let state = (0..gates).map(|g| weights(&r, hidden, g, &[hidden, hidden])).collect::<Result<_, _>>()?;
            let peepholes = match &peepholes {
                Some(p) if p.shape() == [w.shape()[0], 3 * hidden] => {
                    (0..3).map(|g| weights(p, hidden, g, &[hidden])).collect::<Result<_, _>>()?
                }
                Some(_) => return Err(operands.refuse("operand 7", "the peepholes' shape does not fit")),
                None => Vec::new(),
            };
            let biases = |first: usize| -> Vec<Vec<f64>> {
                let gate = |g: usize| match &bias {
                    Some(bias) => of(bias, (first + g) * hidden, (first + g + 1) * hidden),
                    None => vec![0.0; hidden],
                };
                (0..gates).map(gate).collect()
            };
            let (input_bias, state_bias) = (biases(0), biases(gates));
            let shape = [batch, hidden];
            let first = initial(low, &operands, 5, d, shape)?;
            let first_cell = if gates == 4 { Some(initial(low, &operands, 6, d, shape)?) } else { None };
            directions.push(Direction { reverse, input, state, input_bias, state_bias, peepholes, first, first_cell });
        }
        let mut results = [None; 3];
        for (result, name) in results.iter_mut().zip(&operands.node().outputs) {
            *result = Some(name.as_str()).filter(|name| !name.is_empty() && low.graph.is_read(name));
        }
        operands.finish()?;
        Ok(Self { x, steps, batch, hidden, directions, results })
    }

    fn shape(&self) -> Vec<usize> {
        vec![1, 1, self.batch, self.hidden]
    }

    fn order(&self, direction: &Direction) -> Vec<usize> {
        if direction.reverse { (0..self.steps).rev().collect() } else { (0..self.steps).collect() }
    }

    /// A gate's summands of the input and the hidden state.
    fn sums(
        &self,
        low: &mut Lowering,
        direction: &Direction,
        gate: usize,
        t: usize,
        h: Scaled,
    ) -> Result<Parts, ModelError> {
        Ok(vec![self.of_input(low, direction, gate, t)?, self.of_state(low, direction, gate, h)?])
    }

    fn of_input(&self, low: &mut Lowering, direction: &Direction, gate: usize, t: usize) -> Result<Scaled, ModelError> {
        let index = [AxisIndex::fixed(t as i64), AxisIndex::var(2), AxisIndex::var(4)];
        let lhs = low.view_at(&self.x, &index)?;
        self.weighed(low, (lhs, self.x.frac), self.x.shape[2], direction.input[gate])
    }

    fn of_state(
        &self,
        low: &mut Lowering,
        direction: &Direction,
        gate: usize,
        (h, frac): Scaled,
    ) -> Result<Scaled, ModelError> {
        let axes = vec![AxisIndex::fixed(0), AxisIndex::fixed(0), AxisIndex::var(2), AxisIndex::var(4)];
        self.weighed(low, (View { node: h, axes }, frac), self.hidden, direction.state[gate])
    }

    /// `Σ_k view[b, k]·weights[h, k]`.
    fn weighed(
        &self,
        low: &mut Lowering,
        (lhs, frac): (View, i32),
        len: usize,
        (weights, weight_frac): Scaled,
    ) -> Result<Scaled, ModelError> {
        let mut vars = self.shape();
        vars.push(len);
        let rhs = Some(View::of_vars(weights, &[3, 4]));
        let node = low.push(Op::Contract { vars, lhs, rhs }, &self.shape(), frac + weight_frac)?;
        Ok((node, frac + weight_frac))
    }

    /// A state times a weight for each hidden place.
    fn product(
        &self,
        low: &mut Lowering,
        (state, frac): Scaled,
        (weights, weight_frac): Scaled,
    ) -> Result<Scaled, ModelError> {
        let (lhs, rhs) = (View::identity(state, 4), Some(View::of_vars(weights, &[3])));
        let node = low.push(Op::Contract { vars: self.shape(), lhs, rhs }, &self.shape(), frac + weight_frac)?;
        Ok((node, frac + weight_frac))
    }

    fn product_of_states(
        &self,
        low: &mut Lowering,
        (a, a_frac): Scaled,
        (b, b_frac): Scaled,
    ) -> Result<Scaled, ModelError> {
        let (lhs, rhs) = (View::identity(a, 4), Some(View::identity(b, 4)));
        let node = low.push(Op::Contract { vars: self.shape(), lhs, rhs }, &self.shape(), a_frac + b_frac)?;
        Ok((node, a_frac + b_frac))
    }

    /// The sum of the parts and a bias at a scale that drops the usual number of bits to `frac`, or the finest that a part has.
    fn sum(&self, low: &mut Lowering, parts: Parts, bias: &[f64], frac: i32) -> Result<Scaled, ModelError> {
        let finest = parts.iter().map(|part| part.1).max().unwrap_or(frac);
        let at = finest.max(frac + low.options.shift as i32);
        let mut terms = Vec::with_capacity(parts.len() + 1);
        for (node, own) in parts {
            terms.push(low.scaled_identity(node, power_of_two(at - own)?));
        }
        if bias.iter().any(|&b| b != 0.0) {
            terms.push(low.constant_term(bias, &[self.hidden], &[3], at)?);
        }
        Ok((low.push(Op::Affine { terms }, &self.shape(), at)?, at))
    }

    fn rescaled(
        &self,
        low: &mut Lowering,
        (acc, at): Scaled,
        func: Func,
        frac: i32,
        out: i32,
    ) -> Result<Scaled, ModelError> {
        let shift = u32::try_from(at - frac).unwrap_or(0);
        let saturate = !Interval::signed(BITS).covers(rescaled(low.interval(acc), shift));
        Ok((low.push(Op::Apply { input: acc, shift, func, bits: BITS, saturate }, &self.shape(), out)?, out))
    }

    /// A gate of a sum.
    fn gate(&self, low: &mut Lowering, parts: Parts, bias: &[f64], kind: Gate) -> Result<Scaled, ModelError> {
        let (frac, function): (i32, Function) = match kind {
            Gate::Logistic => (LOGISTIC_FRAC, ("logistic gate", |x| 1.0 / (1.0 + (-x).exp()))),
            Gate::Tangent => (TANGENT_FRAC, ("tangent gate", f64::tanh)),
        };
        let acc = self.sum(low, parts, bias, frac)?;
        let func = low.function(function, frac, GATE_FRAC);
        self.rescaled(low, acc, func, frac, GATE_FRAC)
    }

    /// A state, which is a sum.
    fn state(&self, low: &mut Lowering, parts: Parts, frac: i32) -> Result<Scaled, ModelError> {
        let acc = self.sum(low, parts, &[], frac)?;
        self.rescaled(low, acc, Func::Identity, frac, frac)
    }

    /// A sum that is a gate's argument before it is reset.
    fn wide(&self, low: &mut Lowering, parts: Parts, bias: &[f64]) -> Result<Scaled, ModelError> {
        let acc = self.sum(low, parts, bias, TANGENT_FRAC)?;
        self.rescaled(low, acc, Func::Identity, TANGENT_FRAC, TANGENT_FRAC)
    }

    /// `kept − replaced + candidate`, as a state.
    fn blend(
        &self,
        low: &mut Lowering,
        (kept, frac): Scaled,
        (replaced, replaced_frac): Scaled,
        (candidate, own): Scaled,
    ) -> Result<Scaled, ModelError> {
        let at = frac.max(replaced_frac);
        let terms = vec![
            low.scaled_identity(kept, power_of_two(at - frac)?),
            low.scaled_identity(replaced, -power_of_two(at - replaced_frac)?),
            low.scaled_identity(candidate, power_of_two(at - own)?),
        ];
        let acc = (low.push(Op::Affine { terms }, &self.shape(), at)?, at);
        self.rescaled(low, acc, Func::Identity, GATE_FRAC, GATE_FRAC)
    }

    /// The results that are wanted: all steps' states, the last ones, the last cells, each with its step and direction.
    fn define(&self, low: &mut Lowering, states: [Vec<State>; 3]) -> Result<(), ModelError> {
        for (number, (states, tensor)) in states.into_iter().zip(self.results).enumerate() {
            let Some(tensor) = tensor else { continue };
            let steps = if number == 0 { self.steps } else { 1 };
            let whole = vec![steps, self.directions.len(), self.batch, self.hidden];
            let frac = states.iter().map(|(_, _, (_, frac))| *frac).max().unwrap_or(GATE_FRAC);
            let mut terms = Vec::with_capacity(states.len());
            for (t, d, (node, own)) in states {
                let mut view = View::identity(node, 4);
                view.axes[0].offset = -(t as i64);
                view.axes[1].offset = -(d as i64);
                terms.push(AffineTerm::Scaled { coef: power_of_two(frac - own)?, view });
            }
            let acc = low.push(Op::Affine { terms }, &whole, frac)?;
            let node = low.push(Op::Store { input: acc }, &whole, frac)?;
            let shape = if number == 0 { whole.clone() } else { whole[1..].to_vec() };
            low.define_computed(tensor, Value::stored(node, &whole, frac).reshaped(&shape));
        }
        Ok(())
    }
}

/// The state before the first step: zero if it is not given.
fn initial(
    low: &mut Lowering,
    operands: &Operands,
    position: usize,
    direction: usize,
    [batch, hidden]: [usize; 2],
) -> Result<Scaled, ModelError> {
    let shape = [1, 1, batch, hidden];
    if operands.operand(position).is_none() {
        return Ok((low.push_weight(&vec![0.0; batch * hidden], &shape, GATE_FRAC)?, GATE_FRAC));
    }
    match Operand::read(low, operands, position)? {
        Operand::Constant(array) => {
            let row = array.index_axis(Axis(0), direction);
            let data: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
            let frac = frac_for(data.iter().fold(0.0, |m, x| m.max(x.abs())));
            Ok((low.push_weight(&data, &shape, frac)?, frac))
        }
        Operand::Computed(value) => {
            let value = low.addressed(&value)?;
            let index = [AxisIndex::fixed(direction as i64), AxisIndex::var(2), AxisIndex::var(3)];
            let view = low.view_at(&value, &index)?;
            let input =
                low.push(Op::Affine { terms: vec![AffineTerm::Scaled { coef: 1, view }] }, &shape, value.frac)?;
            Ok((low.push(Op::Store { input }, &shape, value.frac)?, value.frac))
        }
    }
}
