//! Truth values, as 0 and 1: comparisons, logic, and the choice between two tensors, or of a triangle.

use ndarray::ArrayD;
use vouch_program::interval::Interval;
use vouch_program::{AffineTerm, AxisIndex, Func, NodeId, Op, View};

use super::build::{BITS, Lowering};
use super::elementwise::{broadcast_index, check_rank, without_units};
use super::linear::power_of_two;
use super::mask::Masking;
use super::operand::Operand;
use super::operands::Operands;
use super::value::Value;
use crate::calibrate::frac_for;
use crate::error::ModelError;

/// Bits to which numbers of which only one is chosen are given.
const CHOSEN_BITS: i32 = 14;

pub(super) fn greater(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    compared(low, operands, "greater", |d| d > 0)
}

pub(super) fn greater_or_equal(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    compared(low, operands, "greater or equal", |d| d >= 0)
}

pub(super) fn less(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    compared(low, operands, "less", |d| d < 0)
}

pub(super) fn less_or_equal(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    compared(low, operands, "less or equal", |d| d <= 0)
}

pub(super) fn equal(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    compared(low, operands, "equal", |d| d == 0)
}

pub(super) fn and(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    combined(low, operands, "and", |count| count == 2)
}

pub(super) fn or(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    combined(low, operands, "or", |count| count >= 1)
}

pub(super) fn xor(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    combined(low, operands, "xor", |count| count == 1)
}

pub(super) fn not(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    let x = low.value(operands.required(0)?)?;
    let tensor = operands.result()?;
    operands.finish()?;
    let shape = x.shape.clone();
    let input = low.node_of(&x)?;
    let terms = vec![low.whole(1), low.scaled_identity(input, -1)];
    let acc = low.push(Op::Affine { terms }, &x.inner, 0)?;
    let node = low.push(Op::Store { input: acc }, &x.inner, 0)?;
    low.define_computed(tensor, Value::stored(node, &x.inner, 0).reshaped(&shape));
    Ok(())
}

/// The result, both operands, and the shape that they broadcast to.
fn two<'g>(low: &Lowering, operands: Operands<'g>) -> Result<(&'g str, Operand, Operand, Vec<usize>), ModelError> {
    let (a, b) = (Operand::read(low, &operands, 0)?, Operand::read(low, &operands, 1)?);
    let shape = check_rank(&operands, a.shape(), b.shape())?;
    let tensor = operands.result()?;
    operands.finish()?;
    Ok((tensor, a, b, shape))
}

/// What the difference of two tensors, at the finer scale of both, says.
fn compared(low: &mut Lowering, operands: Operands, name: &str, says: fn(i64) -> bool) -> Result<(), ModelError> {
    let (tensor, a, b, shape) = two(low, operands)?;
    let fracs = [&a, &b].map(|operand| match operand {
        Operand::Computed(value) => value.frac,
        // As fine as 16 bits allow, but no finer than the other could tell.
        Operand::Constant(_) => frac_for(operand.largest(low)),
    });
    let frac = match (&a, &b) {
        (Operand::Computed(_), Operand::Constant(_)) => fracs[0],
        (Operand::Constant(_), Operand::Computed(_)) => fracs[1],
        _ => fracs[0].max(fracs[1]),
    };
    let mut terms = Vec::new();
    for (operand, sign) in [(a, 1), (b, -1)] {
        terms.push(term(low, operand, sign, frac, shape.len())?);
    }
    let acc = low.push(Op::Affine { terms }, &shape, frac)?;
    truth(low, acc, name, says, tensor, &shape)
}

/// Whether each element is not zero.
pub(super) fn not_zero(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    let value = low.value(operands.required(0)?)?;
    let tensor = operands.result()?;
    operands.finish()?;
    let value = low.addressed(&value)?;
    let input = low.node_of(&value)?;
    truth(low, input, "not zero", |d| d != 0, tensor, &value.shape)
}

/// What the number of true ones among two says.
fn combined(low: &mut Lowering, operands: Operands, name: &str, says: fn(i64) -> bool) -> Result<(), ModelError> {
    let (tensor, a, b, shape) = two(low, operands)?;
    let terms = vec![term(low, a, 1, 0, shape.len())?, term(low, b, 1, 0, shape.len())?];
    let acc = low.push(Op::Affine { terms }, &shape, 0)?;
    truth(low, acc, name, says, tensor, &shape)
}

/// An operand, broadcast, as a summand of an accumulator of scale `frac`.
fn term(low: &mut Lowering, operand: Operand, sign: i64, frac: i32, rank: usize) -> Result<AffineTerm, ModelError> {
    match operand {
        Operand::Computed(value) => {
            let value = low.addressed(&value)?;
            let view = low.view_at(&value, &broadcast_index(&value.shape, rank))?;
            Ok(AffineTerm::Scaled { coef: sign * power_of_two(frac - value.frac)?, view })
        }
        Operand::Constant(array) => {
            let (own, vars) = without_units(array.shape(), rank);
            let step = f64::from(-frac).exp2();
            let rounded = |x: &f32| sign as f64 * (f64::from(*x) / step).round() * step;
            low.constant_term(&array.iter().map(rounded).collect::<Vec<_>>(), &own, &vars, frac)
        }
    }
}

impl Lowering<'_> {
    /// What a view of integers names, less the place along an axis.
    pub(super) fn less_place(&mut self, view: View, axis: usize, shape: &[usize]) -> Result<NodeId, ModelError> {
        let places: Vec<f64> = (0..shape[axis]).map(|place| -(place as f64)).collect();
        let places = self.constant_term(&places, &[shape[axis]], &[axis], 0)?;
        self.push(Op::Affine { terms: vec![AffineTerm::Scaled { coef: 1, view }, places] }, shape, 0)
    }

    /// The table with this name of what a function says of integers.
    pub(super) fn truths(&mut self, name: &str, says: fn(i64) -> bool) -> Func {
        let half = 1i64 << (BITS - 1);
        self.table_of_integers(name.to_string(), (-half..half).map(|d| i32::from(says(d))).collect())
    }
}

/// A table of zeros and ones over clamped differences.
fn truth(
    low: &mut Lowering,
    acc: NodeId,
    name: &str,
    says: fn(i64) -> bool,
    tensor: &str,
    shape: &[usize],
) -> Result<(), ModelError> {
    let func = low.truths(name, says);
    // A clamp that nothing reaches would take cells all the same.
    let saturate = !Interval::signed(BITS).covers(low.interval(acc));
    let apply = Op::Apply { input: acc, shift: 0, func, bits: BITS, saturate };
    let node = low.push(apply, shape, 0)?;
    low.define_computed(tensor, Value::stored(node, shape, 0));
    Ok(())
}

/// One number where an index names the place along a new axis, another elsewhere.
pub(super) fn one_hot(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let index = low.value(operands.required(0)?)?;
    let tensor = operands.result()?;
    let depth = operands.optional_scalar(1)?.unwrap_or_default();
    let values = operands.constant(2)?;
    let (Some(&[off, on]), shape) = (values.as_slice(), operands.shape(tensor)?) else {
        return Err(operands.refuse("operand 2", "needs two numbers"));
    };
    let axis = operands.int("axis")?.unwrap_or(-1);
    let axis = operands.axis(axis, shape.len())?;
    if shape.len() != index.shape.len() + 1 || shape[axis] as f64 != depth {
        return Err(operands.refuse("operand 1", "is not the result's length along the axis"));
    }
    operands.finish()?;
    let index = low.integers(&index)?;
    let around: Vec<usize> = (0..shape.len()).filter(|&other| other != axis).collect();
    let own: Vec<AxisIndex> = around.iter().map(|&var| AxisIndex::var(var)).collect();
    let view = low.view_at(&index, &own)?;
    let acc = low.less_place(view, axis, &shape)?;
    let half = 1i64 << (BITS - 1);
    let depth = shape[axis] as i64;
    // One more, and what is clamped would be the last place, counted from the end.
    if depth >= half {
        return Err(ModelError::invalid(format!("node {}: it has {half} places or more", low.source)));
    }
    // Truth values as they are; others as fine as they can be.
    let is_truth = [off, on].iter().all(|&x| x == 0.0 || x == 1.0);
    let frac = if is_truth { 0 } else { frac_for(f64::from(off.abs().max(on.abs()))) };
    let [off, on] = [off, on].map(|x| (f64::from(x) * f64::from(frac).exp2()).round() as i32);
    // An index that is negative counts from the end.
    let values = (-half..half).map(|d| if d == 0 || d == -depth { on } else { off }).collect();
    let func = low.table_of_integers(format!("one hot of {depth}: {off} or {on}"), values);
    let saturate = !Interval::signed(BITS).covers(low.interval(acc));
    let node = low.push(Op::Apply { input: acc, shift: 0, func, bits: BITS, saturate }, &shape, frac)?;
    low.define_computed(tensor, Value::stored(node, &shape, frac));
    Ok(())
}

/// What is on one side of a diagonal of the last two axes, and zero beyond.
pub(super) fn triangle(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let value = low.value(operands.required(0)?)?;
    let tensor = operands.result()?;
    let upper = operands.int("upper")?.unwrap_or(1) != 0;
    let diagonal = operands.optional_integers(1)?.and_then(|given| given.first().copied()).unwrap_or(0);
    let [.., rows, columns] = value.shape[..] else {
        return Err(operands.refuse("operand 0", "needs two axes"));
    };
    operands.finish()?;
    let kept = |row: usize, column: usize| {
        let off = (column as i64 - row as i64).saturating_sub(diagonal);
        if upper { off >= 0 } else { off <= 0 }
    };
    let mask = (0..rows).flat_map(|row| (0..columns).map(move |column| f64::from(u8::from(kept(row, column)))));
    let weight = low.push_weight(&mask.collect::<Vec<_>>(), &[rows, columns], 0)?;
    let (shape, rank) = (value.shape.clone(), value.shape.len());
    let acc = product(low, &value, View::of_vars(weight, &[rank - 2, rank - 1]), value.frac, &shape)?;
    let (lo, hi) = low.real_range(&value);
    low.finish_exact(tensor, lo.abs().max(hi.abs()), acc, value.frac, &shape)
}

/// `condition·a + (1 − condition)·b`, broadcasting.
pub(super) fn choose(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    let tensor = operands.result()?;
    let condition = Operand::read(low, &operands, 0)?;
    let (mut a, mut b) = (Operand::read(low, &operands, 1)?, Operand::read(low, &operands, 2)?);
    let shape = check_rank(&operands, a.shape(), b.shape())?;
    let shape = check_rank(&operands, condition.shape(), &shape)?;
    let beside = operands.node().inputs[1..].iter().filter(|name| !low.graph.is_constant(name));
    let beside: Vec<_> = beside.collect();
    let mut constants: Vec<_> = [&mut a, &mut b].into_iter().filter_map(Operand::constant).collect();
    low.nearer(tensor, &mut constants, &beside);
    low.raise_masks(&operands, Masking::Chosen, &mut [&mut a, &mut b])?;
    operands.finish()?;
    let plan = low.plan(tensor, a.largest(low).max(b.largest(low)))?;
    // At least as fine as what is chosen.
    let finest = [&a, &b].map(|operand| match operand {
        Operand::Computed(value) => value.frac,
        Operand::Constant(_) => i32::MIN,
    });
    let frac = low.usual_frac(&plan).max(finest[0]).max(finest[1]);
    let mut terms = Vec::new();
    for (operand, is_chosen) in [(a, true), (b, false)] {
        terms.extend(selected(low, &condition, operand, is_chosen, frac, &shape)?);
    }
    let acc = low.push(Op::Affine { terms }, &shape, frac)?;
    low.finish(plan, acc, frac, &shape)
}

/// The operand where the condition has the value `is_chosen`, zero elsewhere.
fn selected(
    low: &mut Lowering,
    condition: &Operand,
    operand: Operand,
    is_chosen: bool,
    frac: i32,
    shape: &[usize],
) -> Result<Vec<AffineTerm>, ModelError> {
    let rank = shape.len();
    match (condition, operand) {
        (Operand::Constant(mask), Operand::Constant(array)) => {
            let product = broadcast(&chosen(mask, is_chosen), shape) * broadcast(&array.mapv(f64::from), shape);
            let vars: Vec<usize> = (0..rank).collect();
            let data: Vec<f64> = product.iter().copied().collect();
            Ok(vec![low.constant_term(&data, shape, &vars, frac)?])
        }
        (Operand::Constant(mask), Operand::Computed(value)) => {
            let mask = chosen(mask, is_chosen);
            let (own, vars) = without_units(mask.shape(), rank);
            let weight = low.push_weight(&mask.iter().copied().collect::<Vec<_>>(), &own, 0)?;
            let product = product(low, &value, View::of_vars(weight, &vars), value.frac, shape)?;
            Ok(vec![low.scaled_identity(product, power_of_two(frac - value.frac)?)])
        }
        (Operand::Computed(condition), operand) => {
            let condition = low.addressed(condition)?;
            // Where the condition is 0 it is the operand less its product with the condition.
            let sign = if is_chosen { 1 } else { -1 };
            let (part, own) = match &operand {
                Operand::Computed(value) => {
                    let value = low.addressed(value)?;
                    let view = low.view_at(&value, &broadcast_index(&value.shape, rank))?;
                    (product(low, &condition, view, value.frac, shape)?, value.frac)
                }
                Operand::Constant(array) => {
                    let own = frac.min(frac_for(operand.largest(low)).max(frac - CHOSEN_BITS));
                    let (lens, vars) = without_units(array.shape(), rank);
                    let data: Vec<f64> = array.iter().map(|&x| f64::from(x)).collect();
                    let weight = low.push_weight(&data, &lens, own)?;
                    (product(low, &condition, View::of_vars(weight, &vars), own, shape)?, own)
                }
            };
            let mut terms = vec![low.scaled_identity(part, sign * power_of_two(frac - own)?)];
            if !is_chosen {
                terms.push(term_at(low, operand, own, frac, rank)?);
            }
            Ok(terms)
        }
    }
}

/// The operand as its product with a truth value has it, at its own scale.
fn term_at(low: &mut Lowering, operand: Operand, own: i32, frac: i32, rank: usize) -> Result<AffineTerm, ModelError> {
    if let Operand::Constant(array) = operand {
        // Rounded as the weight is, so that both cancel.
        let step = f64::from(-own).exp2();
        return term(
            low,
            Operand::Constant(array.mapv(|x| ((f64::from(x) / step).round() * step) as f32)),
            1,
            frac,
            rank,
        );
    }
    term(low, operand, 1, frac, rank)
}

/// `value·view`, element by element.
fn product(low: &mut Lowering, value: &Value, view: View, frac: i32, shape: &[usize]) -> Result<NodeId, ModelError> {
    let value = low.addressed(value)?;
    let lhs = low.view_at(&value, &broadcast_index(&value.shape, shape.len()))?;
    low.push(Op::Contract { vars: shape.to_vec(), lhs, rhs: Some(view) }, shape, frac)
}

/// 1 where a constant condition has the value, else 0.
fn chosen(mask: &ArrayD<f32>, is_chosen: bool) -> ArrayD<f64> {
    mask.mapv(|m| f64::from(u8::from((m != 0.0) == is_chosen)))
}

fn broadcast(array: &ArrayD<f64>, shape: &[usize]) -> ArrayD<f64> {
    // The shapes have been found to broadcast.
    array.broadcast(shape).map(|view| view.to_owned()).unwrap_or_else(|| ArrayD::zeros(shape))
}
