//! Lookups: one LogUp argument over all of them, as a tree of fractions checked by GKR.
//!
//! Every row of every lookup is in its table if and only if, with random `α`,
//! `Σ_rows 1/(α - key) - Σ_table rows multiplicity/(α - key) = 0` (Haböck 2022, "Multivariate lookups based on logarithmic derivatives";
//! the tree is that of Papini and Haböck 2023, "Improving logarithmic derivative lookups using GKR", section 3). A row's key is
//! `u + β·v + β²·t + β³·(table number + 1)`. All fractions are leaves of one binary tree; a node is the sum of its two children
//! `p/q = p0/q0 + p1/q1`, so `p = p0·q1 + p1·q0` and `q = q0·q1`. From the root down, one sumcheck a layer reduces claims
//! about a layer's `p` and `q` at a point to claims about the next one's; the last are about the leaves. Node `b` has children `2b` and
//! `2b + 1`, and sumchecks bind the lowest variable first. Of a layer's fractions, if the key says so, commitments take the place of all
//! layers above it ([`super::fractions`]).
//!
//! The factor `eq(z, ·)` is kept out of the messages ([`sumcheck::weighted_round`]).

use ark_bn254::Fr;
use ark_ff::{One, Zero};

use super::Challenges;
use super::claims::Reduction;
use super::fractions::Functional;
use super::{fractions, sumcheck};
use crate::backend::{Arithmetic, Channel, Check, Step};
use crate::ir::*;
use crate::layout::{Layout, Leaf};
use crate::mle::BlockWeights;

/// A claim about one layer's fractions: the numerators' and denominators' extensions at one point.
pub struct FractionClaim<S> {
    /// As many coordinates as the layer's number says.
    pub point: Vec<S>,
    /// The numerators' extension there.
    pub numerator: S,
    /// The denominators' extension there.
    pub denominator: S,
}

/// Draws `β` and `α`, in this order, after all commitments.
pub fn challenges<C: Channel>(ch: &mut C) -> Challenges<C::Scalar> {
    ch.label(Step::Lookups);
    let beta = ch.challenge();
    let alpha = ch.challenge();
    Challenges { alpha, beta }
}

/// What the lookups reduce to.
pub struct Claims<S> {
    /// About the leaves.
    pub leaves: FractionClaim<S>,
    /// The committed fractions' extension at a point, if there are any.
    pub fractions: Option<ValueAt<S>>,
}

/// A multilinear extension's value at a point.
pub struct ValueAt<S> {
    /// The point.
    pub point: Vec<S>,
    /// The value.
    pub value: S,
}

/// The verifier's half: from the root, or from the committed fractions of `layer`, to the leaves.
///
/// # Errors
/// The check that refused.
pub fn verify<C: Channel>(ch: &mut C, leaf_bits: usize, layer: usize) -> Result<Claims<C::Scalar>, Check> {
    let (mut claim, fractions) = if layer == 0 {
        (verify_root(ch)?, None)
    } else {
        ch.read_points()?;
        let fractions::Claims { nodes, value } = fractions::verify(ch, layer)?;
        let fractions = ValueAt { point: nodes.point.clone(), value };
        (nodes, Some(fractions))
    };
    for _ in claim.point.len()..leaf_bits {
        claim = verify_layer(ch, &claim)?;
    }
    Ok(Claims { leaves: claim, fractions })
}

/// The root's fraction is zero; the claim is about its children.
fn verify_root<C: Channel>(ch: &mut C) -> Result<FractionClaim<C::Scalar>, Check> {
    let [p0, p1, q0, q1] = read_children(ch)?;
    let (left, right) = (ch.mul(&p0, &q1), ch.mul(&p1, &q0));
    let numerator = ch.add(&left, &right);
    let zero = ch.constant(Fr::zero());
    ch.assert_equal(&numerator, &zero, Check::LookupSum)?;
    let denominator = ch.mul(&q0, &q1);
    ch.invert(&denominator, Check::LookupSum)?;
    Ok(between_children(ch, [p0, p1, q0, q1], Vec::new()))
}

/// From a claim about a layer to one about the next.
fn verify_layer<C: Channel>(ch: &mut C, claim: &FractionClaim<C::Scalar>) -> Result<FractionClaim<C::Scalar>, Check> {
    let lambda = ch.challenge();
    let mut sum = ch.mul_add(&claim.numerator, &lambda, &claim.denominator);
    let mut point = Vec::with_capacity(claim.point.len() + 1);
    for z in &claim.point {
        let r;
        (sum, r) = sumcheck::weighted_round(ch, &sum, z)?;
        point.push(r);
    }
    let [p0, p1, q0, q1] = read_children(ch)?;
    // p0·q1 + p1·q0 + λ·q0·q1
    let tail = ch.mul_add(&p1, &lambda, &q1);
    let left = ch.mul(&p0, &q1);
    let expected = ch.mul_add(&left, &q0, &tail);
    ch.assert_equal(&sum, &expected, Check::LookupSumcheck)?;
    Ok(between_children(ch, [p0, p1, q0, q1], point))
}

/// Claims about both children of a node at one point, as one claim about their layer at a challenge.
fn between_children<C: Channel>(
    ch: &mut C,
    [p0, p1, q0, q1]: [C::Scalar; 4],
    mut point: Vec<C::Scalar>,
) -> FractionClaim<C::Scalar> {
    let z = ch.challenge();
    let (numerator, denominator) = (line(ch, &p0, &p1, &z), line(ch, &q0, &q1, &z));
    point.insert(0, z);
    FractionClaim { point, numerator, denominator }
}

fn read_children<C: Channel>(ch: &mut C) -> Result<[C::Scalar; 4], Check> {
    Ok([ch.read()?, ch.read()?, ch.read()?, ch.read()?])
}

/// `a + z·(b - a)`.
fn line<A: Arithmetic>(ar: &mut A, a: &A::Scalar, b: &A::Scalar, z: &A::Scalar) -> A::Scalar {
    let rise = ar.sub(b, a);
    ar.mul_add(a, z, &rise)
}

/// Adds the claims to `reduction`: the denominators' with weight 1, the numerators' with weight `γ`, and, if fractions are committed to,
/// their value's with weight `γ²` and their sum's with weight `γ³`. Gives the value that the added functionals have together, and the
/// last weight.
///
/// With `s_B` the weight of block `B` in the leaves: `denominator = Σ_fractions s_B·(α - key_B) + Σ_products s_B·b_B + (1 - Σ s_B)`,
/// `numerator = Σ_lookups s_B - Σ_tables s_B·multiplicity_B + Σ_products s_B·c_B`, and, over the committed fractions' first nodes,
/// `value = Σ_i eq(r, i)·y_i + Σ_products s_B·a_B`.
pub fn reduce<A: Arithmetic>(
    ar: &mut A,
    system: &ConstraintSystem,
    layout: &Layout,
    challenges: &Challenges<A::Scalar>,
    Claims { leaves: claim, fractions }: &Claims<A::Scalar>,
    gamma: &A::Scalar,
    reduction: &mut Reduction<A::Scalar>,
) -> (A::Scalar, A::Scalar) {
    let powers = beta_powers(ar, &challenges.beta);
    let zero = ar.constant(Fr::zero());
    let (mut all, mut keyed, mut lookups, mut numbers) = (zero.clone(), zero.clone(), zero.clone(), zero);
    let square = ar.mul(gamma, gamma);
    let mut blocks = BlockWeights::new(&claim.point);
    for (leaf, block) in &layout.leaves {
        let selector = blocks.get(ar, block.bits, block.offset >> block.bits);
        all = ar.add(&all, &selector);
        let (columns, table) = match leaf {
            Leaf::Product(i) => {
                let [a, b, c] = &system.products[*i].terms;
                let minus = ar.scale(&selector, -Fr::one());
                reduction.add_virtual(ar, system, b, &claim.point, &minus);
                let weight = ar.mul(gamma, &minus);
                reduction.add_virtual(ar, system, c, &claim.point, &weight);
                let weight = ar.mul(&square, &selector);
                reduction.add_virtual(ar, system, a, &claim.point, &weight);
                continue;
            }
            Leaf::Lookup(i) => {
                lookups = ar.add(&lookups, &selector);
                (&system.lookups[*i].columns, system.lookups[*i].table)
            }
            Leaf::Table(id) => {
                let weight = ar.mul(gamma, &selector);
                let multiplicity = Virtual::raw(system.table(*id).multiplicity, &system.table(*id).columns[0].domain);
                reduction.add_virtual(ar, system, &multiplicity, &claim.point, &weight);
                (&system.table(*id).columns, *id)
            }
        };
        keyed = ar.add(&keyed, &selector);
        for (k, (column, power)) in columns.iter().zip(&powers).enumerate() {
            let weight = if k == 0 { selector.clone() } else { ar.mul(&selector, power) };
            reduction.add_virtual(ar, system, column, &claim.point, &weight);
        }
        let number = ar.scale(&selector, Fr::from(u64::from(table.0) + 1));
        numbers = ar.add(&numbers, &number);
    }
    reduction.known = ar.mul_add(&reduction.known, &numbers, &powers[MAX_COLUMNS]);
    // Σ_fractions s_B·key_B - Σ_products s_B·b_B = α·Σ_fractions s_B + 1 - Σ s_B - denominator
    let rest = ar.complement(&all);
    let keys = ar.mul_add(&rest, &challenges.alpha, &keyed);
    let keys = ar.sub(&keys, &claim.denominator);
    // Σ_tables s_B·multiplicity_B - Σ_products s_B·c_B = Σ_lookups s_B - numerator
    let multiplicities = ar.sub(&lookups, &claim.numerator);
    let mut value = ar.mul_add(&keys, gamma, &multiplicities);
    let mut last = gamma.clone();
    if let Some(ValueAt { point, value: at_point }) = fractions {
        value = ar.mul_add(&value, &square, at_point);
        last = ar.mul(&square, gamma);
        let (point, len) = (point.clone(), layout.fraction_len());
        reduction.fractions = Some(Functional { point, at_point: square, sum: last.clone(), len });
    }
    (value, last)
}

/// `1, β, β², β³`: the weights of a key's columns, and of the table's number.
pub fn beta_powers<A: Arithmetic>(ar: &mut A, beta: &A::Scalar) -> Vec<A::Scalar> {
    let mut powers = vec![ar.constant(Fr::one())];
    for k in 0..MAX_COLUMNS {
        powers.push(ar.mul(&powers[k], beta));
    }
    powers
}
