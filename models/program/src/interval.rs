//! Worst-case ranges of every tensor, for every input in the declared range.
//!
//! The ranges hold for the proof as well, which extends each axis to a power of two: what a node's
//! formula gives beyond its true lengths lies in the node's interval, too. There, and outside a node's
//! axes, views read zeros. So the one rule is: **whatever is read through a view is taken
//! from the hull of its interval with 0.** A product's interval then contains 0, so that a sum's
//! interval covers sums of any subset of its products, such as windows that hang over an edge.
//!
//! Weights are known, so contractions with a weight sum the actual coefficients for each
//! combination of output variables; everything else is bounded by interval arithmetic, computed
//! exactly in `i128` and refused beyond `±2^62`.
//!
//! Results depend on weights: they are for the owner of the model.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, Odometer};
use crate::error::{Problem, ProgramError};
use crate::program::*;
use crate::validate::{node_place, validate, validate_node};

/// Largest absolute value of any element: with what rescaling adds, it still fits `i64`.
pub const MAX_VALUE: i64 = 1 << 62;

/// Most weights that one contraction is summed over exactly; beyond, it is bounded more coarsely.
const MAX_EXACT: usize = 1 << 32;

/// The integers from `lo` to `hi`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interval {
    /// The smallest.
    pub lo: i64,
    /// The largest; not below `lo`.
    pub hi: i64,
}

impl Interval {
    /// Only 0.
    pub const ZERO: Interval = Interval { lo: 0, hi: 0 };

    /// From `lo` to `hi`.
    ///
    /// # Panics
    ///
    /// If `lo > hi`.
    pub fn new(lo: i64, hi: i64) -> Self {
        assert!(lo <= hi, "an interval from {lo} to {hi}");
        Self { lo, hi }
    }

    /// Only `value`.
    pub fn point(value: i64) -> Self {
        Self { lo: value, hi: value }
    }

    /// `[-2^(bits-1), 2^(bits-1))`, for 1 to 63 bits.
    pub fn signed(bits: u32) -> Self {
        Self { lo: -(1 << (bits - 1)), hi: (1 << (bits - 1)) - 1 }
    }

    /// The smallest interval that holds both.
    pub fn hull(self, other: Self) -> Self {
        Self { lo: self.lo.min(other.lo), hi: self.hi.max(other.hi) }
    }

    /// The hull with 0: what a view of such a tensor reads.
    pub fn with_zero(self) -> Self {
        self.hull(Self::ZERO)
    }

    /// Whether `value` lies in it.
    pub fn contains(self, value: i64) -> bool {
        (self.lo..=self.hi).contains(&value)
    }

    /// Whether all of `other` lies in it.
    pub fn covers(self, other: Self) -> bool {
        self.lo <= other.lo && other.hi <= self.hi
    }

    /// The least `b >= 1` such that all of it lies in `[-2^(b-1), 2^(b-1))`.
    pub fn bits(self) -> u32 {
        // For a negative x, !x = -x - 1 needs as many bits as x besides the sign.
        let magnitude = |x: i64| 64 - (if x < 0 { !x } else { x }).leading_zeros();
        1 + magnitude(self.lo).max(magnitude(self.hi))
    }

    /// The smallest interval from a negative power of two, or 0, to one less than a power of two that holds all of it: what may be shown
    /// of an interval that depends on weights.
    pub fn outward(self) -> Self {
        let below = |x: u64| x.next_power_of_two() as i64;
        let lo = if self.lo < 0 { 0i64.wrapping_sub(below(self.lo.unsigned_abs())) } else { 0 };
        let hi = if self.hi > 0 { below(self.hi.unsigned_abs() + 1).wrapping_sub(1) } else { 0 };
        Self { lo, hi }
    }

    /// Each value moved to the nearest one in `domain`.
    pub fn clamp_to(self, domain: Self) -> Self {
        Self { lo: self.lo.clamp(domain.lo, domain.hi), hi: self.hi.clamp(domain.lo, domain.hi) }
    }
}

/// One interval for each node, in order: every element, for every input in the declared range, lies in
/// it. Checks the program first, so that it may be untrusted.
///
/// # Errors
///
/// The first rule that is broken; or the first node whose values cannot be shown to stay within `±2^62`
/// ([`Problem::TooWide`]) or, for an [`Op::Apply`] that does not saturate, in its domain
/// ([`Problem::RangeNotProven`]).
pub fn intervals(program: &Program) -> Result<Vec<Interval>, ProgramError> {
    validate(program)?;
    let mut known = Vec::with_capacity(program.nodes.len());
    for (index, node) in program.nodes.iter().enumerate() {
        let interval = interval_of(program, &known, node);
        known.push(interval.map_err(|problem| node_place(index, node).error(problem))?);
    }
    Ok(known)
}

/// The interval of `node` as the next one of a program that is still being built.
///
/// Reads the tables and the first `known.len()` nodes of `program_so_far`, whose intervals are `known`
/// and which must have been checked; `node` need not be in the list yet, and is checked here.
///
/// # Errors
///
/// As of [`intervals`].
pub fn node_interval(program_so_far: &Program, known: &[Interval], node: &Node) -> Result<Interval, ProgramError> {
    validate_node(program_so_far, known.len(), node)?;
    interval_of(program_so_far, known, node).map_err(|problem| node_place(known.len(), node).error(problem))
}

/// The values that an [`Op::Apply`] rescales an input to, before it clamps or checks them:
/// `floor((input + half(shift)) / 2^shift)`. `input` lies within `±2^62`.
pub fn rescaled(input: Interval, shift: u32) -> Interval {
    // Monotone, so the ends go to the ends.
    Interval { lo: rescale(input.lo, shift), hi: rescale(input.hi, shift) }
}

/// `floor((value + half(shift)) / 2^shift)`: nearest, halves up. `|value| <= 2^62`, `shift <= 40`.
pub fn rescale(value: i64, shift: u32) -> i64 {
    value.wrapping_add(half(shift)) >> shift
}

/// An interval before it is known to be narrow enough. `None` stands for beyond `i128`.
type Wide = Option<(i128, i128)>;

fn interval_of(program: &Program, known: &[Interval], node: &Node) -> Result<Interval, Problem> {
    let of = |id: NodeId| known[id.index()];
    let interval = match &node.op {
        Op::Input { bits } => Interval::signed(*bits),
        // Never empty: no axis has length 0. Padding is zero.
        Op::Weight { data } => range_of(data).with_zero(),
        Op::Contract { vars, lhs, rhs } => {
            narrow(contraction(program, known, node.shape.len(), vars, lhs, rhs.as_ref()))?
        }
        Op::Affine { terms } => narrow(affine(program, known, terms))?,
        Op::Apply { input, shift, func, bits, saturate } => {
            let (q, domain) = (rescaled(of(*input), *shift), Interval::signed(*bits));
            if !saturate && !domain.covers(q) {
                return Err(Problem::RangeNotProven { lo: q.lo, hi: q.hi, bits: *bits });
            }
            applied(program, *func, q.clamp_to(domain), domain)
        }
        Op::Max { lhs, rhs } => {
            let (a, b) = (of(*lhs), of(*rhs));
            Interval { lo: a.lo.max(b.lo), hi: a.hi.max(b.hi) }
        }
        Op::Divide { num, den, shift } => {
            let (n, d) = (of(*num).with_zero(), of(den.node));
            if d.lo < 1 {
                return Err(Problem::DivisorNotPositive { read: den.node, lo: d.lo });
            }
            quotients(n, d, *shift)?
        }
        Op::Store { input } => of(*input),
        Op::Gather { input, .. } => of(*input).with_zero(),
        Op::Pick { rows, index, .. } => {
            // The position of what is picked must not leave 62 bits.
            let len = program.node(*rows).len().next_power_of_two() as i128;
            narrow(product((len, len), of(*index).with_zero()))?;
            of(*rows).with_zero()
        }
        Op::ArgMax { input, axis } => Interval { lo: 0, hi: program.node(*input).shape[*axis] as i64 - 1 },
    };
    Ok(interval)
}

/// What values of `n` give divided by values of `d`, which are positive.
fn quotients(n: Interval, d: Interval, shift: u32) -> Result<Interval, Problem> {
    // The dividend itself must not leave 62 bits.
    let scale = 1i128 << (shift + 1);
    let (least, most) = (scale * i128::from(n.lo), scale * i128::from(n.hi));
    narrow(Some((least - i128::from(d.hi), most + i128::from(d.hi))))?;
    narrow(Some((0, 2 * i128::from(d.hi))))?;
    // Monotone in each, so the ends go to the ends.
    let corner = |n: i64, d: i64| quotient(n, d, shift);
    let corners = [corner(n.lo, d.lo), corner(n.lo, d.hi), corner(n.hi, d.lo), corner(n.hi, d.hi)];
    Ok(corners.into_iter().fold(Interval::ZERO, |hull, q| hull.hull(Interval::point(q))))
}

/// `floor((2^(shift+1)·n + d) / (2·d))`: nearest, halves up. `d` is positive, and neither dividend nor `2·d` leaves 63 bits.
pub fn quotient(n: i64, d: i64, shift: u32) -> i64 {
    ((n << (shift + 1)) + d).div_euclid(2 * d)
}

/// `func` over the arguments `z`, a part of `domain`.
fn applied(program: &Program, func: Func, z: Interval, domain: Interval) -> Interval {
    match func {
        Func::Identity => z,
        Func::Relu => Interval { lo: z.lo.max(0), hi: z.hi.max(0) },
        Func::Table(table) => {
            let values = &program.tables[table as usize].values;
            range_of(&values[(z.lo - domain.lo) as usize..=(z.hi - domain.lo) as usize])
        }
    }
}

/// The least and the largest of `values`, of which there is at least one.
fn range_of(values: &[i32]) -> Interval {
    let (mut lo, mut hi) = (i32::MAX, i32::MIN);
    for &value in values {
        lo = lo.min(value);
        hi = hi.max(value);
    }
    Interval { lo: lo.into(), hi: hi.into() }
}

fn narrow(wide: Wide) -> Result<Interval, Problem> {
    let limit = i128::from(MAX_VALUE);
    match wide {
        // Both fit i64, since they lie within ±2^62.
        Some((lo, hi)) if -limit <= lo && hi <= limit => Ok(Interval { lo: lo as i64, hi: hi as i64 }),
        _ => Err(Problem::TooWide),
    }
}

/// The extremes of the sum. Terms that are zero but in ranges of one variable that do not meet, such as tensors side by side, never add up.
fn affine(program: &Program, known: &[Interval], terms: &[AffineTerm]) -> Wide {
    let extremes = terms.iter().map(|term| match term {
        AffineTerm::Scaled { coef, view } => {
            let read = known[view.node.index()].with_zero();
            product((i128::from(*coef), i128::from(*coef)), read)
        }
        AffineTerm::Fill { coef, ranges } if ranges.is_empty() => Some(((*coef).into(), (*coef).into())),
        AffineTerm::Fill { coef, .. } => Some(((*coef).min(0).into(), (*coef).max(0).into())),
    });
    let extremes: Vec<(i128, i128)> = extremes.collect::<Option<_>>()?;
    let plus = |sum: (i128, i128), (lo, hi): (i128, i128)| Some((sum.0.checked_add(lo)?, sum.1.checked_add(hi)?));
    let mut tightest = extremes.iter().try_fold((0, 0), |sum, extreme| plus(sum, *extreme))?;
    let places: Vec<Vec<Place>> = terms.iter().map(|term| places(program, term)).collect();
    let vars: BTreeSet<usize> = places.iter().flatten().map(|place| place.var).collect();
    for var in vars {
        // What the terms add up to along the variable: those that are placed nowhere everywhere, the others from their start to their end.
        let (mut everywhere, mut changes) = ((0, 0), BTreeMap::new());
        for (&(lo, hi), places) in extremes.iter().zip(&places) {
            let Some(place) = places.iter().find(|place| place.var == var) else {
                everywhere = plus(everywhere, (lo, hi))?;
                continue;
            };
            for (at, change) in [(place.start, (lo, hi)), (place.end, (-lo, -hi))] {
                let sum = changes.entry(at).or_insert((0, 0));
                *sum = plus(*sum, change)?;
            }
        }
        let (mut here, mut hull) = (everywhere, everywhere);
        for change in changes.into_values() {
            here = plus(here, change)?;
            hull = (hull.0.min(here.0), hull.1.max(here.1));
        }
        tightest = (tightest.0.max(hull.0), tightest.1.min(hull.1));
    }
    Some(tightest)
}

/// A range of a variable beyond which a term is zero.
struct Place {
    var: usize,
    start: i64,
    end: i64,
}

/// For some variables, at most one each, where a term can be other than zero.
fn places(program: &Program, term: &AffineTerm) -> Vec<Place> {
    match term {
        AffineTerm::Fill { ranges, .. } => {
            ranges.iter().map(|&(var, start, end)| Place { var, start: start as i64, end: end as i64 }).collect()
        }
        AffineTerm::Scaled { view, .. } => {
            let lens = &program.node(view.node).shape;
            let axes = view.axes.iter().zip(lens);
            // Beyond the true lengths of a stored node a view is zero; a virtual one is read in its padding, too.
            let axes = axes.filter(|_| program.node(view.node).op.is_stored());
            axes.filter_map(|(axis, &len)| match axis.terms[..] {
                // A variable that is the index, moved.
                [(var, 1)] => Some(Place { var, start: -axis.offset, end: len as i64 - axis.offset }),
                _ => None,
            })
            .collect()
        }
    }
}

/// `outputs` of the variables are the node's own axes.
fn contraction(
    program: &Program,
    known: &[Interval],
    outputs: usize,
    vars: &[usize],
    lhs: &View,
    rhs: Option<&View>,
) -> Wide {
    let read = |view: Option<&View>| match view {
        Some(view) => known[view.node.index()].with_zero(),
        None => Interval::point(1).with_zero(),
    };
    for (weight, other) in [(Some(lhs), rhs), (rhs, Some(lhs))] {
        let Some(weight) = weight else { continue };
        let node = program.node(weight.node);
        if let Op::Weight { data } = &node.op
            && let Some(bound) = weighted_sum(vars, outputs, weight, &node.shape, data, read(other))
        {
            return bound;
        }
    }
    let (a, b) = (read(Some(lhs)), read(rhs));
    let (mut least, most) = product((a.lo.into(), a.hi.into()), b)?;
    if rhs == Some(lhs) {
        // A sum of squares.
        least = 0;
    }
    let products = vars[outputs..].iter().product::<usize>() as i128;
    Some((least.checked_mul(products)?, most.checked_mul(products)?))
}

/// The extremes of products of a value of each.
fn product((lo, hi): (i128, i128), other: Interval) -> Wide {
    let (a, b) = (i128::from(other.lo), i128::from(other.hi));
    let corners = [lo.checked_mul(a)?, lo.checked_mul(b)?, hi.checked_mul(a)?, hi.checked_mul(b)?];
    Some(corners.iter().fold((corners[0], corners[0]), |(lo, hi), &c| (lo.min(c), hi.max(c))))
}

/// The extremes of `Σ_s weight[o, s] · x[o, s]` for `x` in an interval `read` around 0, over all output
/// indices `o`, those in the padding of their axes included; `None` where that is too much work.
fn weighted_sum(
    vars: &[usize],
    outputs: usize,
    view: &View,
    shape: &[usize],
    data: &[i32],
    read: Interval,
) -> Option<Wide> {
    let lengths: Vec<usize> = vars
        .iter()
        .enumerate()
        // The proof reads the weight at padded output indices, too; summed variables end in time.
        .map(|(var, &len)| if var < outputs { len.next_power_of_two() } else { len })
        .collect();
    let mut used: Vec<usize> = view.vars().collect();
    used.sort_unstable();
    let work = used.iter().try_fold(1usize, |work, &var| work.checked_mul(lengths[var]))?;
    if work > MAX_EXACT {
        return None;
    }
    let (outer, mut summed): (Vec<_>, Vec<_>) = used.iter().copied().partition(|&var| var < outputs);
    let inner = summed.pop();
    // Each weight meets as many different values as the summed variables that it lacks have.
    let unused = (outputs..vars.len()).filter(|var| !used.contains(var));
    let repeats = unused.map(|var| vars[var] as i128).product::<i128>();

    let address = Address::new(view, shape, &lengths).with_inner(inner);
    let run = 0..inner.map_or(1, |var| lengths[var]);
    let (outer, summed) = (Odometer::new(outer.into_iter(), &lengths), Odometer::new(summed.into_iter(), &lengths));
    let (mut outer_at, mut summed_at) = (outer.start(), summed.start());
    let mut cursor = address.origin();
    let mut bound = (0i128, 0i128);
    loop {
        let (mut positive, mut negative) = (0i128, 0i128);
        loop {
            let inside = address.clip(&cursor, run.clone());
            // A run is at most 2^31 long and a weight below 2^31 in size: i64 holds its sums.
            let (mut plus, mut minus) = (0i64, 0i64);
            let mut at = address.position(&cursor, inside.start) as i64;
            for _ in inside {
                let weight = i64::from(data[at as usize]);
                plus += weight.max(0);
                minus += weight.min(0);
                at = at.wrapping_add(address.inner_step());
            }
            positive += i128::from(plus);
            negative += i128::from(minus);
            if !summed.next(&mut summed_at, |var, by| address.advance(&mut cursor, var, by)) {
                break;
            }
        }
        let Some((least, most)) = sum_extremes(positive * repeats, negative * repeats, read) else {
            return Some(None);
        };
        bound = (bound.0.min(least), bound.1.max(most));
        if !outer.next(&mut outer_at, |var, by| address.advance(&mut cursor, var, by)) {
            return Some(Some(bound));
        }
    }
}

/// The extremes of `Σ w·x` for `x` in `[lo, hi]` with `lo <= 0 <= hi`, where the positive coefficients
/// sum to `positive` and the negative ones to `negative`.
fn sum_extremes(positive: i128, negative: i128, read: Interval) -> Wide {
    let (lo, hi) = (i128::from(read.lo), i128::from(read.hi));
    let least = positive.checked_mul(lo)?.checked_add(negative.checked_mul(hi)?)?;
    let most = positive.checked_mul(hi)?.checked_add(negative.checked_mul(lo)?)?;
    Some((least, most))
}
