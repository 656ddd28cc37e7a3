//! Claims about committed tensors, and how virtual tensors turn into them.
//!
//! Everything that the steps of the argument end in is linear in the committed tensors. A [`TensorClaim`] is one such functional: the
//! tensor summed against a product of per-axis weight vectors, each the restriction of a wiring predicate. [`Reduction`]
//! collects functionals of virtual tensors at one point `p` (a domain of `n` variables is taken at `p`'s first `n` coordinates) as
//! functionals of tensors, of contraction results, and a known rest.
//!
//! Weights are kept as *wires*, which name coordinates of the claims' points instead of holding them, so that a predicate that many
//! claims share is evaluated once.

use std::collections::BTreeMap;

use ark_bn254::Fr;
use ark_ff::{One, Zero};

use super::fractions::Functional;
use crate::backend::Arithmetic;
use crate::ir::*;
use crate::layout::{Layout, Vector};
use crate::mle::{self, BlockWeights};
use crate::tensor_hash;

/// The points at which claims are.
#[derive(Clone, Debug)]
pub struct Points<S> {
    /// The lookups' leaf point, where all virtual tensors are claimed.
    pub leaves: Vec<S>,
    /// The contraction sumcheck's, over bound variables.
    pub bound: Vec<S>,
}

/// One of the [`Points`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// [`Points::leaves`].
    Leaves,
    /// [`Points::bound`].
    Bound,
}

/// Coordinates of one of the [`Points`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Which point.
    pub point: Point,
    /// First coordinate.
    pub start: usize,
    /// The one after the last.
    pub end: usize,
}

impl Span {
    /// These coordinates of `point`.
    pub fn new(point: Point, range: std::ops::Range<usize>) -> Self {
        Self { point, start: range.start, end: range.end }
    }
}

impl<S> Points<S> {
    /// The coordinates themselves.
    pub fn at(&self, span: &Span) -> &[S] {
        let point = match span.point {
            Point::Leaves => &self.leaves,
            Point::Bound => &self.bound,
        };
        &point[span.start..span.end]
    }
}

/// The index on one axis as an affine function of variables, each at a [`Span`]: a [`mle::Wire`] whose points are named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wire {
    /// `(coef, the variable's coordinates)`.
    pub terms: Vec<(i64, Span)>,
    /// Added to the sum.
    pub offset: i64,
    /// Indices outside `[0, len)` do not count.
    pub len: usize,
}

impl Wire {
    /// With the coordinates themselves.
    pub fn at<S: Clone>(&self, points: &Points<S>) -> mle::Wire<S> {
        let terms = self.terms.iter().map(|(coef, span)| (*coef, points.at(span).to_vec())).collect();
        mle::Wire { terms, offset: self.offset, len: self.len }
    }
}

/// `coef · Σ_i tensor[i] · Π_a wire_a(i_a)`.
#[derive(Clone, Debug)]
pub struct TensorClaim<S> {
    /// The tensor.
    pub tensor: TensorId,
    /// Multiplier.
    pub coef: S,
    /// One for each axis.
    pub wires: Vec<Wire>,
}

/// Functionals of virtual tensors, reduced.
#[derive(Clone, Debug)]
pub struct Reduction<S> {
    /// Tensors as they lie, at the first coordinates of `p`: multiplier by tensor.
    pub raw: BTreeMap<TensorId, S>,
    /// Tensors read through indices.
    pub indexed: Vec<TensorClaim<S>>,
    /// Multiplier of each hashed tensor's packed values ([`tensor_hash`]) at the first coordinates of `p`.
    pub packed: BTreeMap<TensorId, S>,
    /// Multiplier of each contraction's result at the first coordinates of `p`.
    pub contractions: BTreeMap<ContractionId, S>,
    /// Of the committed fractions, if there are any.
    pub fractions: Option<Functional<S>>,
    /// What needs no claim.
    pub known: S,
}

impl<S: Clone> Reduction<S> {
    /// Of no functional.
    pub fn new<A: Arithmetic<Scalar = S>>(ar: &mut A) -> Self {
        let known = ar.constant(Fr::zero());
        Self {
            raw: BTreeMap::new(),
            indexed: Vec::new(),
            packed: BTreeMap::new(),
            contractions: BTreeMap::new(),
            fractions: None,
            known,
        }
    }

    /// Adds `weight · Σ_b weight_b(p)·tensor_b`, the weights being those of a hash's elements.
    pub fn add_packed<A: Arithmetic<Scalar = S>>(&mut self, ar: &mut A, tensor: TensorId, weight: S) {
        add_to(ar, &mut self.packed, tensor, weight);
    }

    /// Adds `weight · value(p)`.
    pub fn add_virtual<A: Arithmetic<Scalar = S>>(
        &mut self,
        ar: &mut A,
        system: &ConstraintSystem,
        value: &Virtual,
        p: &[S],
        weight: &S,
    ) {
        let point = &p[..value.bits()];
        for (coef, source) in &value.terms {
            let coef = if *coef == 1 { weight.clone() } else { ar.scale(weight, Fr::from(*coef)) };
            match source {
                Source::Read(operand) => self.add_operand(ar, system, operand, &value.domain, coef),
                Source::Contraction(id) => add_to(ar, &mut self.contractions, *id, coef),
                closed => {
                    let at_point = closed_form(ar, closed, &value.domain, point);
                    self.known = ar.mul_add(&self.known, &coef, &at_point);
                }
            }
        }
    }

    fn add_operand<A: Arithmetic<Scalar = S>>(
        &mut self,
        ar: &mut A,
        system: &ConstraintSystem,
        operand: &Operand,
        domain: &[usize],
        coef: S,
    ) {
        match &operand.access {
            Access::Raw => add_to(ar, &mut self.raw, operand.tensor, coef),
            Access::Indexed(_) => {
                let spans: Vec<Span> =
                    axis_ranges(domain).into_iter().map(|range| Span::new(Point::Leaves, range)).collect();
                let wires = operand_wires(system, operand, &spans);
                self.indexed.push(TensorClaim { tensor: operand.tensor, coef, wires });
            }
        }
    }
}

fn add_to<A: Arithmetic, K: Ord>(ar: &mut A, map: &mut BTreeMap<K, A::Scalar>, key: K, value: A::Scalar) {
    let sum = match map.get(&key) {
        Some(sum) => ar.add(sum, &value),
        None => value,
    };
    map.insert(key, sum);
}

/// The wires of an operand, given where every variable's coordinates are.
pub fn operand_wires(system: &ConstraintSystem, operand: &Operand, spans: &[Span]) -> Vec<Wire> {
    let shape = &system.tensor(operand.tensor).shape;
    match &operand.access {
        Access::Raw => (shape.iter().zip(spans))
            .map(|(len, span)| Wire { terms: vec![(1, span.clone())], offset: 0, len: len.next_power_of_two() })
            .collect(),
        Access::Indexed(axes) => (axes.iter().zip(shape))
            .map(|(axis, &len)| Wire {
                terms: axis.terms.iter().map(|&(v, c)| (c, spans[v].clone())).collect(),
                offset: axis.offset,
                len,
            })
            .collect(),
    }
}

/// The extension of a source that is known without any tensor.
#[expect(clippy::unreachable, reason = "the caller handles tensors and contractions itself")]
fn closed_form<A: Arithmetic>(ar: &mut A, source: &Source, domain: &[usize], point: &[A::Scalar]) -> A::Scalar {
    let one = ar.constant(Fr::one());
    match source {
        Source::Fill(ranges) => {
            let axes = axis_ranges(domain);
            ranges.iter().fold(one, |product, &(var, start, end)| {
                let inside = mle::in_range(ar, &point[axes[var].clone()], start, end);
                ar.mul(&product, &inside)
            })
        }
        Source::Position => mle::position(ar, point),
        Source::PositionRelu => {
            // The upper half begins at the middle, so above it the low bits are the value.
            let Some((top, low)) = point.split_last() else { return ar.constant(Fr::zero()) };
            let value = mle::position(ar, low);
            ar.mul(top, &value)
        }
        Source::PositionIsMiddle => middle(ar, point),
        Source::PositionAboveMiddle => {
            let Some(top) = point.last().cloned() else { return ar.constant(Fr::zero()) };
            let is_middle = middle(ar, point);
            ar.sub(&top, &is_middle)
        }
        Source::Read(_) | Source::Contraction(_) => unreachable!("handled by the caller"),
    }
}

fn middle<A: Arithmetic>(ar: &mut A, point: &[A::Scalar]) -> A::Scalar {
    match point.len() {
        0 => ar.constant(Fr::zero()),
        n => mle::eq_at_index(ar, point, 1 << (n - 1)),
    }
}

/// All claims that the batching step reduces.
#[derive(Clone, Debug)]
pub struct BatchClaims<S> {
    /// Tensors as they lie, at the first coordinates of the leaf point.
    pub raw: BTreeMap<TensorId, S>,
    /// The points of all claims.
    pub points: Points<S>,
    /// Hashed tensors' packed values, at the first coordinates of the leaf point.
    pub packed: BTreeMap<TensorId, S>,
    /// All others about tensors.
    pub indexed: Vec<TensorClaim<S>>,
    /// About the committed fractions, if there are any.
    pub fractions: Option<Functional<S>>,
}

/// The claims' combined weight polynomials over the committed vectors at the batching step's point.
pub struct VectorWeights<S> {
    /// `Q_x(ρ)`.
    pub x: S,
    /// `Q_w(ρ)`.
    pub w: S,
    /// `Q_y(ρ)`, if there is a `y`.
    pub y: Option<S>,
}

impl<S: Clone> BatchClaims<S> {
    /// The weight polynomials at `rho`.
    pub fn evaluate<A: Arithmetic<Scalar = S>>(
        &self,
        ar: &mut A,
        system: &ConstraintSystem,
        layout: &Layout,
        rho: &[S],
    ) -> VectorWeights<S> {
        let mut by_tensor: BTreeMap<TensorId, S> = BTreeMap::new();
        let most = self.raw.keys().map(|t| system.tensor(*t).bits()).max().unwrap_or(0);
        let prefixes = mle::eq_prefixes(ar, &self.points.leaves[..most], &rho[..most]);
        for (tensor, coef) in &self.raw {
            let value = ar.mul(coef, &prefixes[system.tensor(*tensor).bits()]);
            add_to(ar, &mut by_tensor, *tensor, value);
        }
        for (tensor, coef) in &self.packed {
            let bits = system.tensor(*tensor).bits();
            let weight = tensor_hash::weight_at(ar, &self.points.leaves[..bits], &rho[..bits]);
            let value = ar.mul(coef, &weight);
            add_to(ar, &mut by_tensor, *tensor, value);
        }
        let mut known: BTreeMap<(usize, &Wire), S> = BTreeMap::new();
        for claim in &self.indexed {
            let axes = axis_ranges(&system.tensor(claim.tensor).shape);
            let mut value = claim.coef.clone();
            for (wire, axis) in claim.wires.iter().zip(axes) {
                // A wire's length determines the axis' number of bits, so its first bit names the axis.
                let factor = known
                    .entry((axis.start, wire))
                    .or_insert_with(|| mle::wiring(ar, &rho[axis], &wire.at(&self.points)));
                value = ar.mul(&value, factor);
            }
            add_to(ar, &mut by_tensor, claim.tensor, value);
        }
        let zero = ar.constant(Fr::zero());
        let (mut x, mut w) = (zero.clone(), zero);
        let mut x_blocks = BlockWeights::new(&rho[..layout.x_bits()]);
        let mut w_blocks = BlockWeights::new(&rho[..layout.w_bits()]);
        for (tensor, value) in by_tensor {
            let (vector, block) = layout.block(tensor);
            let (sum, blocks) = match vector {
                Vector::X => (&mut x, &mut x_blocks),
                Vector::W => (&mut w, &mut w_blocks),
            };
            let weight = blocks.get(ar, block.bits, block.offset >> block.bits);
            *sum = ar.mul_add(sum, &value, &weight);
        }
        let y = self.fractions.as_ref().map(|claim| claim.evaluate(ar, &rho[..layout.y_bits()]));
        VectorWeights { x, w, y }
    }
}
