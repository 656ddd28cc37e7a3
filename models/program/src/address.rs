//! Walking over the elements that views read, without recomputing an index for each.
//!
//! A variable stands in at most one axis of a view, so that moving it moves one axis index and the
//! flat position by constants. All variables but one, the *inner* one, are moved by an [`Odometer`];
//! the inner one's values that stay within the node form one range, worked out for each run by
//! [`Address::clip`]. What is done with the elements of a run is not this module's affair.
//!
//! Views and shapes must have passed [`validate()`](crate::validate()). Flat positions are computed modulo `2^64`,
//! since those outside the node can be anything; those inside are exact.

use std::ops::Range;

use crate::program::View;
use crate::validate::{MAX_RANK, MAX_VARS};

/// Where one assignment of the variables points; a plain value, moved by its [`Address`].
#[derive(Clone, Copy)]
pub(crate) struct Cursor {
    index: [i64; MAX_RANK],
    flat: i64,
}

/// What moving a variable by one does: `axis` moves by `coef`, the flat position by `flat`.
#[derive(Clone, Copy, Default)]
struct Step {
    axis: usize,
    coef: i64,
    flat: i64,
}

/// A view of a row-major tensor, with its strides worked out.
pub(crate) struct Address {
    shape: Vec<i64>,
    steps: [Step; MAX_VARS],
    origin: Cursor,
    /// The axes that some assignment leaves.
    leaving: Vec<usize>,
    inner: Step,
    inner_leaves: bool,
    /// `leaving` without the inner variable's axis.
    watched: Vec<usize>,
}

impl Address {
    /// A view of a tensor of `shape` over variables of lengths `vars`, none of them inner yet.
    pub(crate) fn new(view: &View, shape: &[usize], vars: &[usize]) -> Self {
        let mut address = Self {
            shape: shape.iter().map(|&len| len as i64).collect(),
            steps: [Step::default(); MAX_VARS],
            origin: Cursor { index: [0; MAX_RANK], flat: 0 },
            leaving: Vec::new(),
            inner: Step::default(),
            inner_leaves: false,
            watched: Vec::new(),
        };
        let mut stride = 1i64;
        for (axis, index) in view.axes.iter().enumerate().rev() {
            let (mut least, mut most) = (index.offset, index.offset);
            for &(var, coef) in &index.terms {
                address.steps[var] = Step { axis, coef, flat: coef.wrapping_mul(stride) };
                let reach = coef * (vars[var] as i64 - 1);
                least += reach.min(0);
                most += reach.max(0);
            }
            address.origin.index[axis] = index.offset;
            address.origin.flat = address.origin.flat.wrapping_add(index.offset.wrapping_mul(stride));
            if least < 0 || most >= address.shape[axis] {
                address.leaving.push(axis);
            }
            stride *= address.shape[axis];
        }
        address.watched = address.leaving.clone();
        address
    }

    /// The same with `var` as the inner variable.
    pub(crate) fn with_inner(mut self, var: Option<usize>) -> Self {
        self.inner = var.map_or(Step::default(), |var| self.steps[var]);
        let axis = (self.inner.coef != 0).then_some(self.inner.axis);
        self.inner_leaves = axis.is_some_and(|axis| self.leaving.contains(&axis));
        self.watched = self.leaving.iter().copied().filter(|&a| Some(a) != axis).collect();
        self
    }

    /// All variables 0.
    pub(crate) fn origin(&self) -> Cursor {
        self.origin
    }

    /// What moving `var` by one adds to the flat position.
    pub(crate) fn step(&self, var: usize) -> i64 {
        self.steps[var].flat
    }

    /// What moving the inner variable by one adds to the flat position.
    pub(crate) fn inner_step(&self) -> i64 {
        self.inner.flat
    }

    /// Moves `var` by `by`.
    pub(crate) fn advance(&self, cursor: &mut Cursor, var: usize, by: i64) {
        let step = &self.steps[var];
        // One step behind the last assignment, where nobody looks, this can wrap.
        cursor.index[step.axis] = cursor.index[step.axis].wrapping_add(step.coef * by);
        cursor.flat = cursor.flat.wrapping_add(step.flat.wrapping_mul(by));
    }

    /// The part of `range` where the inner variable, itself 0 in `cursor`, leaves the view within the
    /// node; elsewhere in `range` the view is zero.
    pub(crate) fn clip(&self, cursor: &Cursor, range: Range<usize>) -> Range<usize> {
        let outside = |&axis: &usize| !(0..self.shape[axis]).contains(&cursor.index[axis]);
        if self.watched.iter().any(outside) {
            return range.start..range.start;
        }
        if !self.inner_leaves {
            return range;
        }
        let (coef, at) = (self.inner.coef, cursor.index[self.inner.axis]);
        let last = self.shape[self.inner.axis] - 1;
        // The least v with coef·v + at >= 0, and the least with coef·v + at > last (coef > 0); a
        // negative coefficient walks the mirrored axis, at whose positions last - i it is positive.
        let (coef, at) = if coef > 0 { (coef, at) } else { (-coef, last - at) };
        let (from, to) = (ceil_div(-at, coef), ceil_div(last + 1 - at, coef));
        let within = |v: i64| v.clamp(range.start as i64, range.end as i64) as usize;
        within(from)..within(to)
    }

    /// The flat position with the inner variable at `inner`; meaningful within the clipped range.
    pub(crate) fn position(&self, cursor: &Cursor, inner: usize) -> usize {
        cursor.flat.wrapping_add(self.inner.flat.wrapping_mul(inner as i64)) as usize
    }
}

fn ceil_div(number: i64, divisor: i64) -> i64 {
    // Strides of 1 are the rule, and a division would cost as much as a short run.
    if divisor == 1 { number } else { -(-number).div_euclid(divisor) }
}

/// Goes through all assignments of some variables, the last one fastest.
pub(crate) struct Odometer {
    /// `(variable, length)`, without those of length 1.
    wheels: Vec<(usize, usize)>,
}

/// An odometer's reading, kept apart so that threads can share the odometer.
pub(crate) type Reading = [usize; MAX_VARS];

impl Odometer {
    /// An odometer of `vars`, whose lengths are `lengths[var]`.
    pub(crate) fn new(vars: impl Iterator<Item = usize>, lengths: &[usize]) -> Self {
        Self { wheels: vars.map(|var| (var, lengths[var])).filter(|&(_, len)| len > 1).collect() }
    }

    /// The reading to begin with: all variables 0.
    pub(crate) fn start(&self) -> Reading {
        [0; MAX_VARS]
    }

    /// Turns to the next assignment, calling `turn(variable, by)` for each variable that moves. False
    /// after the last one; then all variables stand at 0 again.
    pub(crate) fn next(&self, reading: &mut Reading, mut turn: impl FnMut(usize, i64)) -> bool {
        for (&(var, len), at) in self.wheels.iter().zip(reading.iter_mut()).rev() {
            if *at + 1 < len {
                *at += 1;
                turn(var, 1);
                return true;
            }
            *at = 0;
            turn(var, 1 - len as i64);
        }
        false
    }
}
