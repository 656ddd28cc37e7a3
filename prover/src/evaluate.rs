//! Integer values of virtual tensors on their padded domains.
//!
//! This evaluates constraints as the verifier means them, and so is independent of the program's executor.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use rayon::prelude::*;
use vouch_circuits::ir::*;

/// Evaluates virtual tensors over the tensors' padded values.
pub struct Evaluator<'a> {
    system: &'a ConstraintSystem,
    contractions: RefCell<HashMap<ContractionId, Rc<Vec<i64>>>>,
}

impl<'a> Evaluator<'a> {
    /// For one system; contraction results are kept once computed.
    pub fn new(system: &'a ConstraintSystem) -> Self {
        Self { system, contractions: RefCell::new(HashMap::new()) }
    }

    /// All rows of `value`. `values` holds each tensor's padded values, empty where they are not known yet.
    pub fn rows(&self, value: &Virtual, values: &[Vec<i32>]) -> Vec<i64> {
        let size = 1usize << value.bits();
        let mut rows = vec![0i64; size];
        for (coef, source) in &value.terms {
            match source {
                Source::Read(operand) => {
                    let read = ReadPlan::new(self.system, operand, &values[operand.tensor.0 as usize]);
                    let lens: Vec<usize> = value.domain.iter().map(|len| len.next_power_of_two()).collect();
                    read.add_scaled(*coef, &lens, &mut rows);
                }
                Source::Contraction(id) => {
                    let results = self.contraction(*id, values);
                    add_each(&mut rows, |i| coef * results[i]);
                }
                Source::Fill(ranges) if ranges.is_empty() => add_each(&mut rows, |_| *coef),
                Source::Fill(ranges) => {
                    let axes = axis_ranges(&value.domain);
                    add_each(&mut rows, |i| {
                        let inside = ranges.iter().all(|&(var, start, end)| {
                            let index = i >> axes[var].start & ((1 << axes[var].len()) - 1);
                            (start..end).contains(&index)
                        });
                        if inside { *coef } else { 0 }
                    });
                }
                Source::Position => add_each(&mut rows, |i| coef * i as i64),
                Source::PositionRelu => add_each(&mut rows, |i| coef * (i as i64 - size as i64 / 2).max(0)),
                Source::PositionIsMiddle => add_each(&mut rows, |i| if i == size / 2 { *coef } else { 0 }),
                Source::PositionAboveMiddle => add_each(&mut rows, |i| if i > size / 2 { *coef } else { 0 }),
            }
        }
        rows
    }

    fn contraction(&self, id: ContractionId, values: &[Vec<i32>]) -> Rc<Vec<i64>> {
        if let Some(known) = self.contractions.borrow().get(&id) {
            return known.clone();
        }
        let results = Rc::new(contract(self.system, self.system.contraction(id), values));
        self.contractions.borrow_mut().insert(id, results.clone());
        results
    }

    /// Forgets contraction results that are not read any more.
    pub fn forget(&self) {
        self.contractions.borrow_mut().clear();
    }
}

fn add_each(rows: &mut [i64], value: impl Fn(usize) -> i64) {
    for (i, row) in rows.iter_mut().enumerate() {
        *row += value(i);
    }
}

/// How one operand's elements are found.
struct ReadPlan<'v> {
    values: &'v [i32],
    axes: Vec<AxisPlan>,
}

struct AxisPlan {
    terms: Vec<(usize, i64)>,
    offset: i64,
    /// Indices from here on, and negative ones, read zero.
    len: i64,
    /// Distance of neighbours in the padded tensor.
    stride: i64,
}

/// A run along one variable: element `v` is `values[start + v·step]` for `v` in `range`, else zero.
struct Run {
    range: std::ops::Range<i64>,
    start: i64,
    step: i64,
}

impl<'v> ReadPlan<'v> {
    fn new(system: &ConstraintSystem, operand: &Operand, values: &'v [i32]) -> Self {
        let shape = &system.tensor(operand.tensor).shape;
        let axes = axis_ranges(shape).into_iter().enumerate().map(|(a, bits)| {
            let stride = 1i64 << bits.start;
            match &operand.access {
                Access::Raw => {
                    AxisPlan { terms: vec![(a, 1)], offset: 0, len: shape[a].next_power_of_two() as i64, stride }
                }
                Access::Indexed(axes) => {
                    AxisPlan { terms: axes[a].terms.clone(), offset: axes[a].offset, len: shape[a] as i64, stride }
                }
            }
        });
        Self { values, axes: axes.collect() }
    }

    /// The run along variable `inner`, `count` long, at the other variables' values `vars`.
    fn run(&self, vars: &[usize], inner: usize, count: usize) -> Run {
        let mut run = Run { range: 0..count as i64, start: 0, step: 0 };
        for axis in &self.axes {
            let mut slope = 0;
            let mut index = axis.offset;
            for &(var, coef) in &axis.terms {
                if var == inner {
                    slope = coef;
                } else {
                    index += coef * vars[var] as i64;
                }
            }
            run.start += index * axis.stride;
            run.step += slope * axis.stride;
            // Those v with 0 <= index + slope·v < len.
            let (low, high) = match slope.signum() {
                1 => ((-index).div_euclid(slope) + i64::from((-index).rem_euclid(slope) != 0), {
                    let last = axis.len - 1 - index;
                    last.div_euclid(slope) + 1
                }),
                -1 => {
                    let slope = -slope;
                    let first = index - (axis.len - 1);
                    (first.div_euclid(slope) + i64::from(first.rem_euclid(slope) != 0), index.div_euclid(slope) + 1)
                }
                _ if (0..axis.len).contains(&index) => (0, count as i64),
                _ => (0, 0),
            };
            run.range.start = run.range.start.max(low);
            run.range.end = run.range.end.min(high);
        }
        run
    }

    /// `rows[i] += coef · element`, over a domain of these (padded) lengths.
    fn add_scaled(&self, coef: i64, lens: &[usize], rows: &mut [i64]) {
        let Some((&count, outer)) = lens.split_last() else {
            let run = self.run(&[], usize::MAX, 1);
            if !run.range.is_empty() {
                rows[0] += coef * i64::from(self.values[run.start as usize]);
            }
            return;
        };
        let mut vars = vec![0usize; lens.len()];
        for row in rows.chunks_mut(count) {
            let run = self.run(&vars, outer.len(), count);
            for v in run.range {
                row[v as usize] += coef * i64::from(self.values[(run.start + v * run.step) as usize]);
            }
            advance(&mut vars[..outer.len()], outer);
        }
    }
}

/// The next assignment of variables with these lengths, the last one fastest; false after the last.
fn advance(vars: &mut [usize], lens: &[usize]) -> bool {
    for (var, &len) in vars.iter_mut().zip(lens).rev() {
        *var += 1;
        if *var < len {
            return true;
        }
        *var = 0;
    }
    false
}

/// A contraction's results on its padded output domain.
pub fn contract(system: &ConstraintSystem, contraction: &Contraction, values: &[Vec<i32>]) -> Vec<i64> {
    let plan = |operand: &Operand| ReadPlan::new(system, operand, &values[operand.tensor.0 as usize]);
    let lhs = plan(&contraction.lhs);
    let rhs = contraction.rhs.as_ref().map(plan);
    let outputs = contraction.outputs;
    let padded: Vec<usize> = contraction.vars[..outputs].iter().map(|l| l.next_power_of_two()).collect();
    let ranges = axis_ranges(&contraction.vars[..outputs]);
    let mut results = vec![0i64; 1 << shape_bits(&contraction.vars[..outputs])];
    let summed = &contraction.vars[outputs..];

    let Some((&count, outer)) = summed.split_last() else {
        lhs.add_scaled(1, &padded, &mut results);
        if let Some(rhs) = rhs {
            let mut factors = vec![0i64; results.len()];
            rhs.add_scaled(1, &padded, &mut factors);
            results.iter_mut().zip(factors).for_each(|(r, f)| *r *= f);
        }
        return results;
    };
    let inner = contraction.vars.len() - 1;
    results.par_iter_mut().with_min_len(16).enumerate().for_each_init(
        || vec![0usize; contraction.vars.len()],
        |vars, (position, result)| {
            for (var, range) in vars.iter_mut().zip(&ranges) {
                *var = position >> range.start & ((1 << range.len()) - 1);
            }
            vars[outputs..].fill(0);
            let mut sum = 0i64;
            loop {
                let a = lhs.run(vars, inner, count);
                sum += match &rhs {
                    Some(rhs) if !a.range.is_empty() => dot(lhs.values, &a, rhs.values, &rhs.run(vars, inner, count)),
                    Some(_) => 0,
                    None => a.range.map(|v| i64::from(lhs.values[(a.start + v * a.step) as usize])).sum(),
                };
                if !advance(&mut vars[outputs..inner], outer) {
                    break;
                }
            }
            *result = sum;
        },
    );
    results
}

fn dot(a_values: &[i32], a: &Run, b_values: &[i32], b: &Run) -> i64 {
    let start = a.range.start.max(b.range.start);
    let end = a.range.end.min(b.range.end);
    if start >= end {
        return 0;
    }
    if a.step == 1 && b.step == 1 {
        let slice = |values: &'_ [i32], run: &Run| -> std::ops::Range<usize> {
            debug_assert!(run.start + end <= values.len() as i64);
            (run.start + start) as usize..(run.start + end) as usize
        };
        let (a, b) = (&a_values[slice(a_values, a)], &b_values[slice(b_values, b)]);
        return a.iter().zip(b).map(|(x, y)| i64::from(*x) * i64::from(*y)).sum();
    }
    (start..end)
        .map(|v| {
            let x = a_values[(a.start + v * a.step) as usize];
            let y = b_values[(b.start + v * b.step) as usize];
            i64::from(x) * i64::from(y)
        })
        .sum()
}
