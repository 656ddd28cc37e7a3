//! Sums and means along axes.

use vouch_program::{AxisIndex, Op, View};

use super::build::Lowering;
use super::operands::Operands;
use super::pool::{Window, mean};
use super::value::Value;
use crate::error::ModelError;

/// What a reduction says: of which tensor, along which axes.
pub(super) struct Reduction<'g> {
    pub x: Value,
    /// The result.
    pub tensor: &'g str,
    /// For each axis whether it is reduced.
    pub axes: Vec<bool>,
    /// The result's shape, reduced axes kept or not.
    pub shape: Vec<usize>,
}

impl<'g> Reduction<'g> {
    /// Axes are an attribute in older operator sets, an operand since.
    pub fn read(low: &Lowering, mut operands: Operands<'g>) -> Result<Self, ModelError> {
        let x = low.value(operands.required(0)?)?;
        let tensor = operands.result()?;
        let rank = x.shape.len();
        let keep = operands.int("keepdims")?.unwrap_or(1) != 0;
        let nothing_if_empty = operands.int("noop_with_empty_axes")?.unwrap_or(0) != 0;
        let given = operands.integers("axes", 1)?.unwrap_or_default();
        let mut axes = vec![given.is_empty() && !nothing_if_empty; rank];
        for axis in given {
            axes[operands.axis(axis, rank)?] = true;
        }
        operands.finish()?;
        let inner = x.shape.iter().zip(&axes).map(|(&len, &reduced)| if reduced { 1 } else { len });
        let shape = inner.zip(&axes).filter(|(_, reduced)| keep || !**reduced).map(|(len, _)| len).collect();
        Ok(Self { x, tensor, axes, shape })
    }
}

/// A tensor's elements by the place of the sum that they belong to.
pub(super) struct Summed {
    /// Lengths of the variables, those of the sum's places first.
    pub vars: Vec<usize>,
    pub view: View,
    /// The sum's shape, reduced axes with one place.
    pub inner: Vec<usize>,
    /// Summands of each sum.
    pub size: usize,
}

impl Summed {
    pub fn new(low: &mut Lowering, x: &Value, axes: &[bool]) -> Result<Self, ModelError> {
        let inner: Vec<usize> = x.shape.iter().zip(axes).map(|(&len, &r)| if r { 1 } else { len }).collect();
        let mut vars = inner.clone();
        let mut index = Vec::with_capacity(inner.len());
        for (axis, (&reduced, &len)) in axes.iter().zip(&x.shape).enumerate() {
            index.push(match (reduced, len) {
                (false, _) => AxisIndex::var(axis),
                (true, 1) => AxisIndex::fixed(0),
                (true, len) => {
                    vars.push(len);
                    AxisIndex::var(vars.len() - 1)
                }
            });
        }
        let size = vars[inner.len()..].iter().product();
        let view = low.view_at(x, &index)?;
        Ok(Self { vars, view, inner, size })
    }
}

pub(super) fn reduce_mean(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    operands.refuse_integers(operands.result()?)?;
    let Reduction { x, tensor, axes, shape } = Reduction::read(low, operands)?;
    let x = low.addressed(&x)?;
    let Summed { vars, view, inner, size } = Summed::new(low, &x, &axes)?;
    let (lo, hi) = low.real_range(&x);
    let plan = low.plan(tensor, lo.abs().max(hi.abs()))?;
    mean(low, plan, &x, Window { vars, lhs: view, out: &inner, size }, &shape)
}

pub(super) fn reduce_sum(low: &mut Lowering, operands: Operands) -> Result<(), ModelError> {
    let Reduction { x, tensor, axes, shape } = Reduction::read(low, operands)?;
    let x = low.addressed(&x)?;
    let Summed { vars, view, inner, size } = Summed::new(low, &x, &axes)?;
    let (lo, hi) = low.real_range(&x);
    let plan = low.plan(tensor, lo.abs().max(hi.abs()) * size as f64)?;
    let acc = low.push(Op::Contract { vars, lhs: view, rhs: None }, &inner, x.frac)?;
    low.finish_scaled(plan, acc, x.frac, &shape)
}
