//! The one loop that does a model's arithmetic: `out[o] += Σ_s lhs[o, s] · rhs[o, s]` over views.
//!
//! One variable becomes the inner loop, picked by an estimate of what a product costs: either a summed
//! variable, whose run is a dot product; or the output's last axis, whose run adds a multiple of one
//! operand to a row of results. So matrix products of any layout, and convolutions with short filters,
//! run over long strides of 1. Views are clipped to the node once for each run, not for each
//! element; see [`crate::address`]. Rows go to threads.
//!
//! Sums wrap at `2^64`: exact for programs that the interval analysis has accepted.

use rayon::prelude::*;

use crate::address::{Address, Cursor, Odometer};
use crate::program::View;

/// Products below which work is not split further: some tens of microseconds.
const GRAIN: usize = 1 << 14;
/// Shortest piece of a row that is split off where runs go along rows.
const SHORTEST_PIECE: usize = 256;

/// Row-major elements, weights as they are stored.
#[derive(Clone, Copy)]
pub(crate) enum Data<'a> {
    Narrow(&'a [i32]),
    Wide(&'a [i64]),
}

/// A view with what it reads.
#[derive(Clone, Copy)]
pub(crate) struct Operand<'a> {
    pub(crate) view: &'a View,
    pub(crate) shape: &'a [usize],
    pub(crate) data: Data<'a>,
}

trait Element: Copy + Sync {
    fn wide(self) -> i64;
}

impl Element for i32 {
    fn wide(self) -> i64 {
        self.into()
    }
}

impl Element for i64 {
    fn wide(self) -> i64 {
        self
    }
}

/// Adds `Σ_s lhs[o, s] · rhs[o, s]` to each `out[o]`. Of the variables, whose lengths are `vars`, the
/// first `outputs` are the axes of `out`, the others are summed over.
pub(crate) fn accumulate(out: &mut [i64], outputs: usize, vars: &[usize], lhs: Operand<'_>, rhs: Operand<'_>) {
    let plan = Plan::new(outputs, vars, lhs, rhs);
    match (lhs.data, rhs.data) {
        (Data::Narrow(l), Data::Narrow(r)) => plan.run(out, l, r),
        (Data::Narrow(l), Data::Wide(r)) => plan.run(out, l, r),
        (Data::Wide(l), Data::Narrow(r)) => plan.run(out, l, r),
        (Data::Wide(l), Data::Wide(r)) => plan.run(out, l, r),
    }
}

struct Plan {
    lhs: Address,
    rhs: Address,
    /// `(variable, length)` of the output's axes before the row.
    outer: Vec<(usize, usize)>,
    /// The output's last axis that is longer than 1, and its length.
    row: Option<usize>,
    row_len: usize,
    /// Whether the inner loop goes along the row.
    along_row: bool,
    /// Length of the inner variable.
    inner_len: usize,
    /// The summed variables but the inner one.
    sums: Odometer,
    /// Products for each element of `out`.
    products: usize,
}

impl Plan {
    fn new(outputs: usize, vars: &[usize], lhs: Operand<'_>, rhs: Operand<'_>) -> Self {
        let (lhs, rhs) = (Address::new(lhs.view, lhs.shape, vars), Address::new(rhs.view, rhs.shape, vars));
        let row = (0..outputs).rev().find(|&var| vars[var] > 1);
        let cost = |var: usize| cost(vars[var], [lhs.step(var), rhs.step(var)], Some(var) == row);
        let inner = row
            .into_iter()
            .chain((outputs..vars.len()).filter(|&var| vars[var] > 1))
            .min_by(|&a, &b| cost(a).total_cmp(&cost(b)));
        Self {
            outer: (0..row.unwrap_or(0)).map(|var| (var, vars[var])).collect(),
            row,
            row_len: row.map_or(1, |var| vars[var]),
            along_row: row.is_some() && inner == row,
            inner_len: inner.map_or(1, |var| vars[var]),
            sums: Odometer::new((outputs..vars.len()).filter(|&var| Some(var) != inner), vars),
            products: vars[outputs..].iter().product(),
            lhs: lhs.with_inner(inner),
            rhs: rhs.with_inner(inner),
        }
    }

    fn run<L: Element, R: Element>(&self, out: &mut [i64], lhs: &[L], rhs: &[R]) {
        if out.len().saturating_mul(self.products) <= 2 * GRAIN {
            for (row, out) in out.chunks_mut(self.row_len).enumerate() {
                self.piece(row, 0, out, lhs, rhs);
            }
            return;
        }
        let shortest = if self.along_row { SHORTEST_PIECE } else { 1 };
        let piece = (GRAIN / self.products).max(shortest);
        let rows_at_once = (GRAIN / self.products / self.row_len).max(1);
        out.par_chunks_mut(self.row_len).with_min_len(rows_at_once).enumerate().for_each(|(row, out)| {
            if out.len() <= piece {
                self.piece(row, 0, out, lhs, rhs);
            } else {
                out.par_chunks_mut(piece).enumerate().for_each(|(i, out)| self.piece(row, i * piece, out, lhs, rhs));
            }
        });
    }

    /// Adds to the elements `from..from + out.len()` of a row.
    fn piece<L: Element, R: Element>(&self, row: usize, from: usize, out: &mut [i64], lhs: &[L], rhs: &[R]) {
        let (mut l, mut r) = (self.lhs.origin(), self.rhs.origin());
        let mut rest = row;
        for &(var, len) in self.outer.iter().rev() {
            self.advance(&mut l, &mut r, var, (rest % len) as i64);
            rest /= len;
        }
        if self.along_row {
            return self.add_rows(from, out, (l, lhs), (r, rhs));
        }
        let Some(var) = self.row else {
            // Without a row, `out` is one element.
            out.iter_mut().for_each(|out| *out = out.wrapping_add(self.dot((l, lhs), (r, rhs))));
            return;
        };
        self.advance(&mut l, &mut r, var, from as i64);
        for out in out {
            *out = out.wrapping_add(self.dot((l, lhs), (r, rhs)));
            self.advance(&mut l, &mut r, var, 1);
        }
    }

    fn advance(&self, l: &mut Cursor, r: &mut Cursor, var: usize, by: i64) {
        self.lhs.advance(l, var, by);
        self.rhs.advance(r, var, by);
    }

    /// Runs along the row, one for each assignment of the summed variables.
    fn add_rows<L: Element, R: Element>(
        &self,
        from: usize,
        out: &mut [i64],
        (mut l, lhs): (Cursor, &[L]),
        (mut r, rhs): (Cursor, &[R]),
    ) {
        let (l_step, r_step) = (self.lhs.inner_step(), self.rhs.inner_step());
        let mut reading = self.sums.start();
        loop {
            let run = self.rhs.clip(&r, self.lhs.clip(&l, from..from + out.len()));
            if !run.is_empty() {
                let l = Run::new(lhs, self.lhs.position(&l, run.start), l_step);
                let r = Run::new(rhs, self.rhs.position(&r, run.start), r_step);
                add_products(&mut out[run.start - from..run.end - from], l, r);
            }
            if !self.sums.next(&mut reading, |var, by| self.advance(&mut l, &mut r, var, by)) {
                return;
            }
        }
    }

    /// The sum over all summed variables, runs being dot products.
    fn dot<L: Element, R: Element>(&self, (mut l, lhs): (Cursor, &[L]), (mut r, rhs): (Cursor, &[R])) -> i64 {
        let (l_step, r_step) = (self.lhs.inner_step(), self.rhs.inner_step());
        let mut reading = self.sums.start();
        let mut total = 0i64;
        loop {
            let run = self.rhs.clip(&r, self.lhs.clip(&l, 0..self.inner_len));
            if !run.is_empty() {
                let l = Run::new(lhs, self.lhs.position(&l, run.start), l_step);
                let r = Run::new(rhs, self.rhs.position(&r, run.start), r_step);
                total = total.wrapping_add(sum_products(run.len(), l, r));
            }
            if !self.sums.next(&mut reading, |var, by| self.advance(&mut l, &mut r, var, by)) {
                return total;
            }
        }
    }
}

/// What one product costs with an inner variable of this length and these strides, in about a
/// nanosecond: a share of the work for each run, and what memory asks for each stride.
fn cost(len: usize, steps: [i64; 2], along_row: bool) -> f32 {
    let stride = |step: i64| match step.unsigned_abs() {
        0 => 0.0,
        1 => 0.5,
        2..=8 => 1.0,
        _ => 3.0,
    };
    15.0 / len as f32 + stride(steps[0]) + stride(steps[1]) + if along_row { 0.5 } else { 0.0 }
}

/// Elements `data[at + i·step]`.
struct Run<'a, T> {
    data: &'a [T],
    at: usize,
    step: i64,
}

impl<'a, T: Element> Run<'a, T> {
    fn new(data: &'a [T], at: usize, step: i64) -> Self {
        Self { data, at, step }
    }

    fn contiguous(&self, len: usize) -> &'a [T] {
        &self.data[self.at..self.at + len]
    }

    fn first(&self) -> i64 {
        self.data[self.at].wide()
    }

    fn strided(self) -> impl Iterator<Item = i64> {
        let mut at = self.at;
        std::iter::repeat_with(move || {
            let value = self.data[at].wide();
            at = at.wrapping_add(self.step as usize);
            value
        })
    }
}

/// `out[i] += lhs[i] · rhs[i]`.
fn add_products<L: Element, R: Element>(out: &mut [i64], lhs: Run<'_, L>, rhs: Run<'_, R>) {
    fn scaled<T: Element>(out: &mut [i64], factor: i64, values: &[T]) {
        for (out, &value) in out.iter_mut().zip(values) {
            *out = out.wrapping_add(factor.wrapping_mul(value.wide()));
        }
    }
    match (lhs.step, rhs.step) {
        (0, 1) => scaled(out, lhs.first(), rhs.contiguous(out.len())),
        (1, 0) => scaled(out, rhs.first(), lhs.contiguous(out.len())),
        (1, 1) => {
            let (lhs, rhs) = (lhs.contiguous(out.len()), rhs.contiguous(out.len()));
            for ((out, &l), &r) in out.iter_mut().zip(lhs).zip(rhs) {
                *out = out.wrapping_add(l.wide().wrapping_mul(r.wide()));
            }
        }
        _ => {
            for ((out, l), r) in out.iter_mut().zip(lhs.strided()).zip(rhs.strided()) {
                *out = out.wrapping_add(l.wrapping_mul(r));
            }
        }
    }
}

/// `Σ_i lhs[i] · rhs[i]` over `len` elements.
fn sum_products<L: Element, R: Element>(len: usize, lhs: Run<'_, L>, rhs: Run<'_, R>) -> i64 {
    if (lhs.step, rhs.step) == (1, 1) {
        let pairs = lhs.contiguous(len).iter().zip(rhs.contiguous(len));
        return pairs.fold(0, |sum, (&l, &r)| sum.wrapping_add(l.wide().wrapping_mul(r.wide())));
    }
    let mut sum = 0i64;
    // The counter goes first: an iterator that has run out must not read one element too many.
    for ((_, l), r) in (0..len).zip(lhs.strided()).zip(rhs.strided()) {
        sum = sum.wrapping_add(l.wrapping_mul(r));
    }
    sum
}
