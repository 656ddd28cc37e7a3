//! Multilinear building blocks, generic over the arithmetic: equality, comparison and affine wiring predicates.
//!
//! Points are little-endian: coordinate `k` belongs to bit `k` of the index. The wiring predicate's extension is computed by a
//! carry automaton that reads all indices bit by bit from the lowest (the technique of evaluating read-once branching programs, Holmgren
//! and Rothblum 2018, section 4): the cost is linear in the number of bits and in the number of carries, and independent of the tensors' size.

use std::collections::{BTreeMap, BTreeSet};

use ark_bn254::Fr;
use ark_ff::{One, Zero};

use crate::backend::Arithmetic;

/// `eq(point, bits of value)`: the weight of one index.
pub fn eq_at_index<A: Arithmetic>(ar: &mut A, point: &[A::Scalar], value: usize) -> A::Scalar {
    let mut product = ar.constant(Fr::one());
    for (k, coordinate) in point.iter().enumerate() {
        let factor = if value >> k & 1 == 1 { coordinate.clone() } else { ar.complement(coordinate) };
        product = ar.mul(&product, &factor);
    }
    product
}

/// The weights of aligned blocks at one point, each from that of the block twice its size: many blocks cost little more than one
/// multiplication each.
pub struct BlockWeights<S> {
    point: Vec<S>,
    /// By `(bits, number)`.
    known: BTreeMap<(usize, usize), S>,
}

impl<S: Clone> BlockWeights<S> {
    /// None computed yet.
    pub fn new(point: &[S]) -> Self {
        Self { point: point.to_vec(), known: BTreeMap::new() }
    }

    /// `eq(point[bits..], number)`: the weight of block `number` among those of `2^bits` positions.
    pub fn get<A: Arithmetic<Scalar = S>>(&mut self, ar: &mut A, bits: usize, number: usize) -> S {
        let Some(coordinate) = self.point.get(bits).cloned() else { return ar.constant(Fr::one()) };
        if let Some(weight) = self.known.get(&(bits, number)) {
            return weight.clone();
        }
        let (even, odd) = if bits + 1 == self.point.len() {
            (ar.complement(&coordinate), coordinate)
        } else {
            let parent = self.get(ar, bits + 1, number >> 1);
            let odd = ar.mul(&parent, &coordinate);
            (ar.sub(&parent, &odd), odd)
        };
        let weight = if number & 1 == 1 { odd.clone() } else { even.clone() };
        self.known.insert((bits, number & !1), even);
        self.known.insert((bits, number | 1), odd);
        weight
    }
}

/// `scale · eq(point, i)` for the first `count` indices.
pub fn eq_weights<A: Arithmetic>(ar: &mut A, point: &[A::Scalar], scale: &A::Scalar, count: usize) -> Vec<A::Scalar> {
    let mut weights = vec![scale.clone()];
    for coordinate in point {
        let high: Vec<_> = weights.iter().map(|weight| ar.mul(weight, coordinate)).collect();
        weights = weights.iter().zip(&high).map(|(weight, high)| ar.sub(weight, high)).collect();
        weights.extend(high);
    }
    weights.truncate(count);
    weights
}

/// `eq(a, b) = Π a_k·b_k + (1 - a_k)(1 - b_k)`; both of the same length.
pub fn eq<A: Arithmetic>(ar: &mut A, a: &[A::Scalar], b: &[A::Scalar]) -> A::Scalar {
    let one = ar.constant(Fr::one());
    a.iter().zip(b).fold(one, |product, (a, b)| {
        let factor = eq_bit(ar, a, b);
        ar.mul(&product, &factor)
    })
}

/// The products of [`eq`] over the first 0, 1, 2, … coordinates.
pub fn eq_prefixes<A: Arithmetic>(ar: &mut A, a: &[A::Scalar], b: &[A::Scalar]) -> Vec<A::Scalar> {
    let mut prefixes = vec![ar.constant(Fr::one())];
    for (k, (a, b)) in a.iter().zip(b).enumerate() {
        let factor = eq_bit(ar, a, b);
        prefixes.push(ar.mul(&prefixes[k], &factor));
    }
    prefixes
}

/// `1 - a - b + 2ab`.
fn eq_bit<A: Arithmetic>(ar: &mut A, a: &A::Scalar, b: &A::Scalar) -> A::Scalar {
    let product = ar.mul(a, b);
    let twice = ar.add(&product, &product);
    let sum = ar.add(a, b);
    let difference = ar.sub(&twice, &sum);
    let one = ar.constant(Fr::one());
    ar.add(&difference, &one)
}

/// The extension of `[index < bound]` at `point`.
pub fn less_than<A: Arithmetic>(ar: &mut A, point: &[A::Scalar], bound: usize) -> A::Scalar {
    if bound >> point.len() != 0 {
        return ar.constant(Fr::one());
    }
    // From the lowest bit: below(k+1) = bound_k ? (1 - p) + p·below(k) : (1 - p)·below(k).
    let mut below = ar.constant(Fr::zero());
    for (k, p) in point.iter().enumerate() {
        let clear = ar.complement(p);
        below = if bound >> k & 1 == 1 { ar.mul_add(&clear, p, &below) } else { ar.mul(&clear, &below) };
    }
    below
}

/// The extension of `[start <= index < end]` at `point`.
pub fn in_range<A: Arithmetic>(ar: &mut A, point: &[A::Scalar], start: usize, end: usize) -> A::Scalar {
    let below_end = less_than(ar, point, end);
    if start == 0 {
        return below_end;
    }
    let below_start = less_than(ar, point, start);
    ar.sub(&below_end, &below_start)
}

/// The extension of the index itself: `Σ 2^k · p_k`.
pub fn position<A: Arithmetic>(ar: &mut A, point: &[A::Scalar]) -> A::Scalar {
    let mut sum = ar.constant(Fr::zero());
    let mut power = Fr::one();
    for p in point {
        let term = ar.scale(p, power);
        sum = ar.add(&sum, &term);
        power += power;
    }
    sum
}

/// The index on one axis as an affine function of variables whose points are known.
#[derive(Clone, Debug)]
pub struct Wire<S> {
    /// `(coef, the variable's point)`.
    pub terms: Vec<(i64, Vec<S>)>,
    /// Added to the sum.
    pub offset: i64,
    /// True length of the axis: indices outside `[0, len)` do not count.
    pub len: usize,
}

/// The extension, at `axis` and the wire's variable points, of
/// `[index = Σ coef·variable + offset and 0 <= index < len]`.
pub fn wiring<A: Arithmetic>(ar: &mut A, axis: &[A::Scalar], wire: &Wire<A::Scalar>) -> A::Scalar {
    let full = wire.len == 1 << axis.len();
    if let [(1, variable)] = &wire.terms[..]
        && wire.offset == 0
        && full
        && variable.len() == axis.len()
    {
        return eq(ar, axis, variable);
    }
    let levels = wire.terms.iter().map(|(_, p)| p.len()).max().unwrap_or(0).max(axis.len());
    let live = live_carries(wire, axis.len(), levels);
    let one = ar.constant(Fr::one());
    // State: (carry, index so far is below len in the bits read) → weight.
    let mut states: BTreeMap<(i64, bool), A::Scalar> = BTreeMap::new();
    if live[0].contains(&wire.offset) {
        states.insert((wire.offset, full), one);
    }
    for level in 0..levels {
        let choices = bit_choices(ar, wire, level);
        let index_bit = axis.get(level).cloned();
        let complement = index_bit.as_ref().map(|p| ar.complement(p));
        // Arrivals with the same next state and index bit are added before the bit's factor is multiplied in.
        let mut arrivals: BTreeMap<(i64, bool, bool), A::Scalar> = BTreeMap::new();
        for (&(carry, below), weight) in &states {
            for (step, choice) in &choices {
                let sum = carry + step;
                let bit = sum.rem_euclid(2) == 1;
                let next = sum.div_euclid(2);
                if (bit && index_bit.is_none()) || !live[level + 1].contains(&next) {
                    continue;
                }
                let below = if full { true } else { compare_bit(below, bit, wire.len >> level & 1 == 1) };
                let product = match choice {
                    Some(choice) => ar.mul(weight, choice),
                    None => weight.clone(),
                };
                accumulate(ar, &mut arrivals, (next, below, bit), product);
            }
        }
        states = BTreeMap::new();
        for ((carry, below, bit), weight) in arrivals {
            let factor = if bit { &index_bit } else { &complement };
            let product = match factor {
                Some(factor) => ar.mul(&weight, factor),
                None => weight,
            };
            accumulate(ar, &mut states, (carry, below), product);
        }
    }
    states.remove(&(0, true)).unwrap_or_else(|| ar.constant(Fr::zero()))
}

fn compare_bit(below: bool, bit: bool, bound: bool) -> bool {
    if bit == bound { below } else { bound }
}

fn accumulate<A: Arithmetic, K: Ord>(ar: &mut A, map: &mut BTreeMap<K, A::Scalar>, key: K, value: A::Scalar) {
    match map.entry(key) {
        std::collections::btree_map::Entry::Occupied(mut entry) => {
            let sum = ar.add(entry.get(), &value);
            entry.insert(sum);
        }
        std::collections::btree_map::Entry::Vacant(entry) => {
            entry.insert(value);
        }
    }
}

/// For one bit level: what each choice of the variables' bits adds to the carry, and its weight (none is 1).
fn bit_choices<A: Arithmetic>(ar: &mut A, wire: &Wire<A::Scalar>, level: usize) -> Vec<(i64, Option<A::Scalar>)> {
    let mut choices: Vec<(i64, Option<A::Scalar>)> = vec![(0, None)];
    for (coef, point) in &wire.terms {
        let Some(p) = point.get(level) else { continue };
        let clear = ar.complement(p);
        let mut next = Vec::with_capacity(choices.len() * 2);
        for (step, weight) in choices {
            for (bit, factor) in [(0, &clear), (1, p)] {
                let product = match &weight {
                    Some(weight) => ar.mul(weight, factor),
                    None => factor.clone(),
                };
                next.push((step + coef * bit, Some(product)));
            }
        }
        choices = next;
    }
    choices
}

/// The carries before each level from which carry 0 after the last level can be reached.
fn live_carries<S>(wire: &Wire<S>, axis_bits: usize, levels: usize) -> Vec<BTreeSet<i64>> {
    let steps = |level: usize| -> BTreeSet<i64> {
        wire.terms
            .iter()
            .filter(|(_, p)| level < p.len())
            .fold(BTreeSet::from([0]), |steps, (coef, _)| steps.iter().flat_map(|s| [*s, s + coef]).collect())
    };
    let next = |carry: i64, level: usize, step: i64| -> Option<i64> {
        let sum = carry + step;
        (level < axis_bits || sum.rem_euclid(2) == 0).then(|| sum.div_euclid(2))
    };
    let mut reached = vec![BTreeSet::from([wire.offset])];
    for level in 0..levels {
        let steps = steps(level);
        let arrivals =
            reached[level].iter().flat_map(|&c| steps.iter().filter_map(move |&s| next(c, level, s))).collect();
        reached.push(arrivals);
    }
    let mut live = vec![BTreeSet::new(); levels + 1];
    if reached[levels].contains(&0) {
        live[levels].insert(0);
    }
    for level in (0..levels).rev() {
        let steps = steps(level);
        let (before, after) = live.split_at_mut(level + 1);
        before[level] = reached[level]
            .iter()
            .copied()
            .filter(|&c| steps.iter().any(|&s| next(c, level, s).is_some_and(|n| after[0].contains(&n))))
            .collect();
    }
    live
}

/// The table of `eq(point, ·)` over all `2^n` indices.
pub fn eq_table(point: &[Fr]) -> Vec<Fr> {
    let mut table = Vec::with_capacity(1 << point.len());
    table.push(Fr::one());
    for p in point {
        for i in 0..table.len() {
            let high = table[i] * p;
            table[i] -= high;
            table.push(high);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Plain;
    use proptest::prelude::*;

    fn point(seed: u64, n: usize) -> Vec<Fr> {
        (0..n as u64).map(|i| Fr::from(seed.wrapping_mul(i + 3) ^ 0x9e37_79b9_7f4a_7c15)).collect()
    }

    /// The definition: a sum over all indices.
    fn wiring_by_sum(axis: &[Fr], wire: &Wire<Fr>) -> Fr {
        let axis_eq = eq_table(axis);
        let tables: Vec<Vec<Fr>> = wire.terms.iter().map(|(_, p)| eq_table(p)).collect();
        let mut assignment = vec![0usize; tables.len()];
        let mut total = Fr::zero();
        loop {
            let index = wire.offset + wire.terms.iter().zip(&assignment).map(|((c, _), v)| c * *v as i64).sum::<i64>();
            if (0..wire.len as i64).contains(&index) {
                let weight: Fr = tables.iter().zip(&assignment).map(|(t, v)| t[*v]).product();
                total += weight * axis_eq[index as usize];
            }
            let Some(k) = (0..tables.len()).find(|&k| assignment[k] + 1 < tables[k].len()) else { return total };
            assignment[k] += 1;
            assignment[..k].fill(0);
        }
    }

    proptest! {
        #[test]
        fn wiring_equals_its_sum(
            len in 1usize..20, offset in -9i64..20, coefs in prop::collection::vec((-3i64..5, 0usize..4), 0..3), seed: u64,
        ) {
            let axis = point(seed, crate::ir::axis_bits(len));
            let terms = coefs.iter().enumerate()
                .map(|(i, &(c, n))| (if c == 0 { 1 } else { c }, point(seed ^ (i as u64 + 7), n))).collect();
            let wire = Wire { terms, offset, len };
            prop_assert_eq!(wiring(&mut Plain, &axis, &wire), wiring_by_sum(&axis, &wire));
        }

        #[test]
        fn ranges_equal_their_sums(n in 0usize..6, a in 0usize..70, b in 0usize..70, seed: u64) {
            let (start, end) = (a.min(b), a.max(b));
            let p = point(seed, n);
            let table = eq_table(&p);
            let sum: Fr = (start..end).filter_map(|i| table.get(i)).sum();
            prop_assert_eq!(in_range(&mut Plain, &p, start, end), sum);
            let mean: Fr = table.iter().enumerate().map(|(i, w)| *w * Fr::from(i as u64)).sum();
            prop_assert_eq!(position(&mut Plain, &p), mean);
            if start < table.len() {
                prop_assert_eq!(eq_at_index(&mut Plain, &p, start), table[start]);
            }
        }
    }
}
