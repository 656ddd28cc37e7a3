//! The integer executor: what a program computes, and so what a proof shows.
//!
//! Sums are `i64` and wrap at `2^64`, which the interval analysis has shown not to happen:
//! run [`crate::intervals`] once when a program is made or loaded. Values of inputs never appear
//! in errors.
//!
//! It knows no floats; scales (`frac`) play no part.

use std::fmt;
use std::sync::OnceLock;

use rayon::prelude::*;

use crate::error::ExecuteError;
use crate::interval::{Interval, quotient, rescale};
use crate::kernel::{Data, Operand, accumulate};
use crate::program::*;
use crate::validate::validate;

/// Elements that a thread takes at once where each is cheap.
const PIECE: usize = 1 << 13;

/// Which nodes' values outlive an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Those of stored nodes; virtual ones go as soon as their last reader is done.
    Stored,
    /// All.
    All,
}

/// The values that a program took for one input. They may be private: `Debug` shows none.
pub struct Execution<'p> {
    program: &'p Program,
    values: Vec<Values>,
    saturated: Vec<(NodeId, usize)>,
}

enum Values {
    Dropped,
    Held(Vec<i64>),
    /// Weights stay in the program and are widened when somebody asks.
    Weight(OnceLock<Vec<i64>>),
}

impl fmt::Debug for Execution<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "execution of {:?}, {} nodes", self.program.name, self.values.len())
    }
}

/// Executes `program` on `inputs`, one row-major tensor for each of [`Program::inputs`], and keeps the
/// values of stored nodes. Checks the program's structure first.
///
/// # Errors
///
/// If the program breaks a rule; if the inputs differ from the program's in number, length or
/// declared range. Only for programs that [`crate::intervals`] refuses: [`ExecuteError::OutOfDomain`],
/// or sums that wrap.
pub fn execute<'p>(program: &'p Program, inputs: &[Vec<i64>]) -> Result<Execution<'p>, ExecuteError> {
    execute_keeping(program, inputs, Keep::Stored)
}

/// As [`execute`], and says which values are kept.
///
/// # Errors
///
/// As of [`execute`].
pub fn execute_keeping<'p>(
    program: &'p Program,
    inputs: &[Vec<i64>],
    keep: Keep,
) -> Result<Execution<'p>, ExecuteError> {
    validate(program)?;
    check_inputs(program, inputs)?;
    let mut run =
        Execution { program, values: program.nodes.iter().map(|_| Values::Dropped).collect(), saturated: Vec::new() };
    for (port, input) in program.inputs.iter().zip(inputs) {
        run.values[port.node.index()] = Values::Held(input.clone());
    }
    let expiring = if keep == Keep::Stored { last_uses(program) } else { Vec::new() };
    for index in 0..program.nodes.len() {
        run.step(index)?;
        for node in expiring.get(index).into_iter().flatten() {
            run.values[node.index()] = Values::Dropped;
        }
    }
    Ok(run)
}

impl<'p> Execution<'p> {
    /// The program that was executed.
    pub fn program(&self) -> &'p Program {
        self.program
    }

    /// The values of `node`, row-major.
    ///
    /// # Panics
    ///
    /// If the program has no such node, or if it is virtual and was not kept: see [`Keep`].
    pub fn value(&self, node: NodeId) -> &[i64] {
        match &self.values[node.index()] {
            Values::Dropped => panic!("the values of virtual {node} were not kept"),
            Values::Held(values) => values,
            Values::Weight(values) => values.get_or_init(|| match &self.program.node(node).op {
                Op::Weight { data } => data.iter().map(|&value| value.into()).collect(),
                _ => unreachable!("only `step` makes weights, and only of weights"),
            }),
        }
    }

    /// The values of each output, row-major, in the order of [`Program::outputs`].
    pub fn outputs(&self) -> Vec<&[i64]> {
        self.program.outputs.iter().map(|port| self.value(port.node)).collect()
    }

    /// For each [`Op::Apply`] that saturates, in order: how many of its elements were clamped.
    pub fn saturated(&self) -> &[(NodeId, usize)] {
        &self.saturated
    }

    /// Computes node `place` from those before it.
    fn step(&mut self, place: usize) -> Result<(), ExecuteError> {
        let node = &self.program.nodes[place];
        let values = match &node.op {
            Op::Input { .. } => return Ok(()),
            Op::Weight { .. } => {
                self.values[place] = Values::Weight(OnceLock::new());
                return Ok(());
            }
            Op::Contract { vars, lhs, rhs } => {
                let mut out = vec![0; node.len()];
                let (one, ones) = ([1], scalar_view());
                let rhs = match rhs {
                    Some(rhs) => self.operand(rhs),
                    None => Operand { view: &ones, shape: &[], data: Data::Wide(&one) },
                };
                accumulate(&mut out, node.shape.len(), vars, self.operand(lhs), rhs);
                out
            }
            Op::Affine { terms } => {
                let mut out = vec![0; node.len()];
                terms.iter().for_each(|term| self.add_term(&mut out, &node.shape, term));
                out
            }
            Op::Apply { input, shift, func, bits, saturate } => {
                let (out, outside) = self.apply(self.value(*input), *shift, *func, *bits);
                if *saturate {
                    self.saturated.push((NodeId(place as u32), outside));
                } else if outside > 0 {
                    return Err(self.out_of_domain(place, *input, *shift, *bits));
                }
                out
            }
            Op::Max { lhs, rhs } => {
                let pairs = self.value(*lhs).iter().zip(self.value(*rhs));
                pairs.map(|(&l, &r)| l.max(r)).collect()
            }
            Op::Divide { num, den, shift } => {
                let mut divisors = vec![0; node.len()];
                let whole = AffineTerm::Scaled { coef: 1, view: den.clone() };
                self.add_term(&mut divisors, &node.shape, &whole);
                if let Some(position) = divisors.iter().position(|&d| d < 1) {
                    return Err(ExecuteError::Divisor { node: place, origin: node.source.clone(), position });
                }
                let pairs = self.value(*num).iter().zip(&divisors);
                pairs.map(|(&n, &d)| quotient(n, d, *shift)).collect()
            }
            Op::Store { input } => self.value(*input).to_vec(),
            Op::Gather { input, index } => {
                let input = self.value(*input);
                index.iter().map(|&i| input[i as usize]).collect()
            }
            Op::Pick { rows, index, shared } => {
                let [count, ref row @ ..] = self.program.node(*rows).shape[*shared..] else {
                    unreachable!("validation found an axis")
                };
                let len: usize = row.iter().product();
                let own: usize = self.program.node(*index).shape[*shared..].iter().product();
                let (rows, index) = (self.value(*rows), self.value(*index));
                let mut out = Vec::with_capacity(node.len());
                for (position, at) in index.iter().enumerate() {
                    let Some(at) = usize::try_from(*at).ok().filter(|&at| at < count) else {
                        let (origin, last) = (node.source.clone(), count - 1);
                        return Err(ExecuteError::Index { node: place, origin, position, last });
                    };
                    let start = (position / own * count + at) * len;
                    out.extend_from_slice(&rows[start..start + len]);
                }
                out
            }
            Op::ArgMax { input, axis } => arg_max(self.value(*input), &self.program.node(*input).shape, *axis),
        };
        self.values[place] = Values::Held(values);
        Ok(())
    }

    fn operand<'a>(&'a self, view: &'a View) -> Operand<'a> {
        let node = self.program.node(view.node);
        let data = match &node.op {
            Op::Weight { data } => Data::Narrow(data),
            _ => Data::Wide(self.value(view.node)),
        };
        Operand { view, shape: &node.shape, data }
    }

    fn add_term(&self, out: &mut [i64], shape: &[usize], term: &AffineTerm) {
        match term {
            AffineTerm::Scaled { coef, view } => {
                let operand = self.operand(view);
                if let Data::Wide(values) = operand.data
                    && view.is_identity()
                    && operand.shape == shape
                {
                    return add_scaled(out, *coef, values);
                }
                let (coef, scalar) = ([*coef], scalar_view());
                let factor = Operand { view: &scalar, shape: &[], data: Data::Wide(&coef) };
                accumulate(out, shape.len(), shape, operand, factor);
            }
            AffineTerm::Fill { coef, ranges } => {
                let mut bounds: Vec<_> = shape.iter().map(|&len| (0, len)).collect();
                for &(var, start, end) in ranges {
                    bounds[var] = (start, end);
                }
                fill(out, shape, &bounds, *coef);
            }
        }
    }

    /// The results, and how many rescaled values lay outside the domain.
    fn apply(&self, input: &[i64], shift: u32, func: Func, bits: u32) -> (Vec<i64>, usize) {
        let domain = Interval::signed(bits);
        match func {
            Func::Identity => map_rescaled(input, shift, domain, |z| z),
            Func::Relu => map_rescaled(input, shift, domain, |z| z.max(0)),
            Func::Table(table) => {
                let values = &self.program.tables[table as usize].values;
                map_rescaled(input, shift, domain, |z| values[(z - domain.lo) as usize].into())
            }
        }
    }

    fn out_of_domain(&self, index: usize, input: NodeId, shift: u32, bits: u32) -> ExecuteError {
        let domain = Interval::signed(bits);
        let outside = |&value: &i64| !domain.contains(rescale(value, shift));
        ExecuteError::OutOfDomain {
            node: index,
            origin: self.program.nodes[index].source.clone(),
            position: self.value(input).iter().position(outside).unwrap_or(0),
            lo: domain.lo,
            hi: domain.hi,
        }
    }
}

fn check_inputs(program: &Program, inputs: &[Vec<i64>]) -> Result<(), ExecuteError> {
    let (expected, found) = (program.inputs.len(), inputs.len());
    if expected != found {
        return Err(ExecuteError::InputCount { expected, found });
    }
    for (index, (port, input)) in program.inputs.iter().zip(inputs).enumerate() {
        let node = program.node(port.node);
        let name = || port.name.clone();
        let (expected, found) = (node.len(), input.len());
        if expected != found {
            return Err(ExecuteError::InputLength { index, name: name(), expected, found });
        }
        let Op::Input { bits } = node.op else {
            continue;
        };
        let Interval { lo, hi } = Interval::signed(bits);
        if let Some(position) = input.iter().position(|&value| value < lo || value > hi) {
            return Err(ExecuteError::InputRange { index, name: name(), position, lo, hi });
        }
    }
    Ok(())
}

/// For each node, the virtual nodes that nobody reads after it.
fn last_uses(program: &Program) -> Vec<Vec<NodeId>> {
    // A node that nobody reads expires at once.
    let mut last: Vec<usize> = (0..program.nodes.len()).collect();
    for (index, node) in program.nodes.iter().enumerate() {
        node.op.reads().into_iter().for_each(|read| last[read.index()] = index);
    }
    let mut expiring = vec![Vec::new(); program.nodes.len()];
    for (index, node) in program.nodes.iter().enumerate() {
        if !node.op.is_stored() {
            expiring[last[index]].push(NodeId(index as u32));
        }
    }
    expiring
}

/// The view of a scalar, for factors that no node holds.
fn scalar_view() -> View {
    View { node: NodeId(0), axes: Vec::new() }
}

fn add_scaled(out: &mut [i64], coef: i64, values: &[i64]) {
    for (out, &value) in out.iter_mut().zip(values) {
        *out = out.wrapping_add(coef.wrapping_mul(value));
    }
}

/// Adds `coef` within `bounds`, one `(start, end)` for each axis of `shape`.
fn fill(out: &mut [i64], shape: &[usize], bounds: &[(usize, usize)], coef: i64) {
    let (Some((&len, inner)), Some((&(start, end), inner_bounds))) = (shape.split_first(), bounds.split_first()) else {
        out.iter_mut().for_each(|out| *out = out.wrapping_add(coef));
        return;
    };
    let stride = out.len() / len;
    let inside = &mut out[start * stride..end * stride];
    if inner.iter().zip(inner_bounds).all(|(&len, &bounds)| bounds == (0, len)) {
        inside.iter_mut().for_each(|out| *out = out.wrapping_add(coef));
    } else {
        inside.chunks_mut(stride).for_each(|out| fill(out, inner, inner_bounds, coef));
    }
}

/// `func` of each rescaled value clamped to `domain`, and how many had to be clamped.
fn map_rescaled(input: &[i64], shift: u32, domain: Interval, func: impl Fn(i64) -> i64 + Sync) -> (Vec<i64>, usize) {
    let mut out = vec![0; input.len()];
    let piece = |(out, input): (&mut [i64], &[i64])| {
        let mut outside = 0;
        for (out, &value) in out.iter_mut().zip(input) {
            let q = rescale(value, shift);
            let z = q.clamp(domain.lo, domain.hi);
            outside += usize::from(z != q);
            *out = func(z);
        }
        outside
    };
    let outside = if input.len() <= 2 * PIECE {
        piece((&mut out, input))
    } else {
        out.par_chunks_mut(PIECE).zip(input.par_chunks(PIECE)).map(piece).sum()
    };
    (out, outside)
}

/// Positions of the largest along `axis`, the first one on ties.
fn arg_max(input: &[i64], shape: &[usize], axis: usize) -> Vec<i64> {
    let stride: usize = shape[axis + 1..].iter().product();
    let mut out = Vec::with_capacity(input.len() / shape[axis]);
    for block in input.chunks(stride * shape[axis]) {
        for lane in 0..stride {
            let mut best = (0, block[lane]);
            for (position, &value) in block[lane..].iter().step_by(stride).enumerate() {
                if value > best.1 {
                    best = (position, value);
                }
            }
            out.push(best.0 as i64);
        }
    }
    out
}
