//! The prover's half of the lookup argument ([`vouch_circuits::argument::lookups`]): the tree of fractions and its sumchecks, below the
//! [`fractions`] that are committed to.
//!
//! Only used leaves are stored: a missing one is the fraction `0/1`, as are all its sums, and its share of a round
//! polynomial is known without looking. Cost: about 13 field multiplications a leaf for the tree and all sumchecks.

use ark_bn254::Fr;
use ark_ff::{One, Zero, batch_inversion};
use rayon::prelude::*;
use vouch_circuits::argument::Challenges;
use vouch_circuits::argument::fractions as committed;
use vouch_circuits::argument::lookups::{Claims, FractionClaim, ValueAt, beta_powers};
use vouch_circuits::backend::{Plain, Step};
use vouch_circuits::ir::{ConstraintSystem, MAX_COLUMNS};
use vouch_circuits::layout::{Layout, Leaf};
use vouch_circuits::transcript::Writer;

use crate::evaluate::Evaluator;
use crate::fractions;
use crate::sumcheck::{PARALLEL, fold_with, pair, sum_over};
use crate::witness::Witness;

/// A fraction `numerator / denominator`.
#[derive(Clone, Copy)]
pub struct Fraction {
    /// Above the line.
    pub numerator: Fr,
    /// Below the line.
    pub denominator: Fr,
}

impl Fraction {
    const NONE: fn() -> Self = || Self { numerator: Fr::zero(), denominator: Fr::one() };

    fn plus(&self, other: &Self) -> Self {
        let numerator = self.numerator * other.denominator + other.numerator * self.denominator;
        Self { numerator, denominator: self.denominator * other.denominator }
    }
}

/// Draws `β` and `α`.
pub fn challenges(transcript: &mut Writer) -> Challenges<Fr> {
    transcript.label(Step::Lookups);
    let beta = transcript.challenge();
    let alpha = transcript.challenge();
    Challenges { alpha, beta }
}

/// The leaves in their layout, and the products' rows behind them.
pub struct Leaves {
    /// In a product's row `c / b`.
    fractions: Vec<Fraction>,
    /// Where a product's rows begin, and its `a` in each.
    factors: Vec<(usize, Vec<Fr>)>,
    /// Where the fractions end that are committed to.
    len: usize,
}

/// The leaves of a witness.
pub fn leaves(system: &ConstraintSystem, layout: &Layout, witness: &Witness, challenges: &Challenges<Fr>) -> Leaves {
    let powers = beta_powers(&mut Plain, &challenges.beta);
    let evaluator = Evaluator::new(system);
    let mut leaves = vec![Fraction::NONE(); layout.row_len];
    let mut factors = Vec::new();
    for (leaf, block) in &layout.leaves {
        let table_columns: Vec<Vec<i64>>;
        let (columns, multiplicities, table) = match leaf {
            Leaf::Product(i) => {
                let [a, b, c] = &witness.products[*i];
                for (leaf, (b, c)) in leaves[block.range()].iter_mut().zip(b.iter().zip(c)) {
                    *leaf = Fraction { numerator: Fr::from(*c), denominator: Fr::from(*b) };
                }
                factors.push((block.offset, a.iter().map(|a| Fr::from(*a)).collect()));
                continue;
            }
            Leaf::Lookup(i) => (&witness.lookups[*i], None, system.lookups[*i].table),
            Leaf::Table(id) => {
                let table = system.table(*id);
                table_columns = table.columns.iter().map(|c| evaluator.rows(c, &witness.values)).collect();
                (&table_columns, Some(&witness.values[table.multiplicity.0 as usize]), *id)
            }
        };
        let base = challenges.alpha - powers[MAX_COLUMNS] * Fr::from(u64::from(table.0) + 1);
        leaves[block.range()].par_iter_mut().with_min_len(PARALLEL).enumerate().for_each(|(row, leaf)| {
            let mut denominator = base;
            for (column, power) in columns.iter().zip(&powers) {
                let value = Fr::from(column[row]);
                denominator -= if power.is_one() { value } else { value * power };
            }
            let numerator = match multiplicities {
                Some(m) => -Fr::from(m[row]),
                None => Fr::one(),
            };
            *leaf = Fraction { numerator, denominator };
        });
    }
    Leaves { fractions: leaves, factors, len: layout.leaf_len }
}

/// The tree of fractions, from the leaves up to the first layer that is proven.
pub struct Tree {
    /// The leaves first.
    layers: Vec<Vec<Fraction>>,
    /// The last one's number if its fractions are committed to; else 0, and the last one has the root's children.
    layer: usize,
    /// Of [`Leaves`].
    factors: Vec<(usize, Vec<Fr>)>,
    /// Fractions that are committed to.
    len: usize,
}

impl Tree {
    /// Above `leaves`, of which the tree has `2^leaf_bits`; up to `layer`, whose fractions are committed to unless it is 0. (It is that of
    /// the leaves if there are products.)
    pub fn new(leaves: Leaves, leaf_bits: usize, layer: usize) -> Self {
        let Leaves { fractions, factors, len } = leaves;
        let mut layers = vec![fractions];
        for _ in layer.max(1)..leaf_bits {
            // The vector is never empty: it begins with the leaves.
            let below = &layers[layers.len() - 1];
            // A child that is missing changes nothing.
            let above = fold_with(below, &Fraction::NONE(), Fraction::plus);
            layers.push(above);
        }
        let len = if layer == 0 { 0 } else { len.div_ceil(1 << (leaf_bits - layer)) };
        Self { layers, layer, factors, len }
    }

    /// What is committed to: the fractions of the first layer; none if its number is 0.
    pub fn fractions(&self) -> Vec<Fr> {
        fractions::values(&self.layers[self.layers.len() - 1][..self.len])
    }

    /// Proves that the fractions sum to zero, `y` being those that are committed to; ends in a claim about the leaves.
    pub fn prove(self, y: &[Fr], transcript: &mut Writer) -> Claims<Fr> {
        let Self { mut layers, layer, factors, .. } = self;
        let top = layers.pop().unwrap_or_default();
        let (mut claim, fractions) = if layer == 0 {
            let child = |i: usize| top.get(i).copied().unwrap_or_else(Fraction::NONE);
            (split(transcript, child(0), child(1), Vec::new()), None)
        } else {
            let mut y = y.to_vec();
            y.resize(top.len(), Fr::zero());
            for (offset, factor) in factors {
                y[offset..offset + factor.len()].copy_from_slice(&factor);
            }
            let committed::Claims { nodes, value } = fractions::prove(&y, &top, layer, transcript);
            let fractions = ValueAt { point: nodes.point.clone(), value };
            (nodes, Some(fractions))
        };
        while let Some(layer) = layers.pop() {
            let (left, right, point) = prove_layer(&layer, &claim, transcript);
            claim = split(transcript, left, right, point);
        }
        Claims { leaves: claim, fractions }
    }
}

/// Sends both children's values and draws the line's point.
fn split(transcript: &mut Writer, left: Fraction, right: Fraction, mut point: Vec<Fr>) -> FractionClaim<Fr> {
    for value in [left.numerator, right.numerator, left.denominator, right.denominator] {
        transcript.write(value);
    }
    let z = transcript.challenge();
    point.insert(0, z);
    FractionClaim {
        point,
        numerator: left.numerator + z * (right.numerator - left.numerator),
        denominator: left.denominator + z * (right.denominator - left.denominator),
    }
}

/// `[p0 + λ·q0, q1, p1, q0]` of one node: the layer's summand is `t0·t1 + t2·t3`.
type Terms = [Fr; 4];

/// One layer's sumcheck, over the children in `layer`.
fn prove_layer(
    layer: &[Fraction],
    claim: &FractionClaim<Fr>,
    transcript: &mut Writer,
) -> (Fraction, Fraction, Vec<Fr>) {
    let lambda = transcript.challenge();
    let absent: Terms = [lambda, Fr::one(), Fr::zero(), Fr::one()];
    let none = Fraction::NONE();
    let mut terms: Vec<Terms> = layer
        .par_chunks(2)
        .with_min_len(PARALLEL)
        .map(|children| {
            let (left, right) = (children[0], *children.get(1).unwrap_or(&none));
            [left.numerator + lambda * left.denominator, right.denominator, right.numerator, left.denominator]
        })
        .collect();
    let weights = suffix_tables(&claim.point, terms.len());
    let mut inverses = claim.point.clone();
    batch_inversion(&mut inverses);

    let mut sum = claim.numerator + lambda * claim.denominator;
    let mut point = Vec::with_capacity(claim.point.len() + 1);
    for (i, z_inverse) in inverses.iter().enumerate() {
        // Absent nodes contribute λ each; taken out of every node, only present ones are left to sum.
        let [mut constant, square] = round(&terms, &weights[i + 1], &absent, lambda);
        constant += lambda;
        let linear = (sum - constant) * z_inverse - square;
        transcript.write(linear);
        transcript.write(square);
        let r = transcript.challenge();
        sum = constant + r * (linear + r * square);
        terms = fold_with(&terms, &absent, |low, high| std::array::from_fn(|k| low[k] + r * (high[k] - low[k])));
        point.push(r);
    }
    let [shifted, q1, p1, q0] = terms.first().copied().unwrap_or(absent);
    let left = Fraction { numerator: shifted - lambda * q0, denominator: q0 };
    (left, Fraction { numerator: p1, denominator: q1 }, point)
}

/// `Σ_j weight_j·(f_j(0) - λ)` and `Σ_j weight_j·(f_j's leading coefficient)` over pairs of nodes.
fn round(terms: &[Terms], weights: &[Fr], absent: &Terms, lambda: Fr) -> [Fr; 2] {
    sum_over(terms.len().div_ceil(2), |j| {
        let (low, high) = pair(terms, absent, j);
        let constant = low[0] * low[1] + low[2] * low[3] - lambda;
        let square = (high[0] - low[0]) * (high[1] - low[1]) + (high[2] - low[2]) * (high[3] - low[3]);
        [constant * weights[j], square * weights[j]]
    })
}

/// For each `i`, the table of `eq(point[i..], ·)`, as far as `len` nodes folded `i` times reach.
fn suffix_tables(point: &[Fr], len: usize) -> Vec<Vec<Fr>> {
    let mut tables = vec![vec![Fr::one()]];
    for i in (0..point.len()).rev() {
        let needed = len.div_ceil(1 << i);
        let above = &tables[tables.len() - 1];
        let z = point[i];
        let mut table = vec![Fr::zero(); (2 * above.len()).min(needed)];
        table.par_chunks_mut(2).with_min_len(PARALLEL).zip(above).for_each(|(pair, weight)| {
            let high = *weight * z;
            pair[0] = *weight - high;
            if let Some(second) = pair.get_mut(1) {
                *second = high;
            }
        });
        tables.push(table);
    }
    tables.reverse();
    tables
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::G1Affine;
    use ark_ec::AffineRepr;
    use proptest::prelude::*;
    use vouch_circuits::argument::lookups::verify;
    use vouch_circuits::backend::Check;
    use vouch_circuits::layout::log2_ceil;
    use vouch_circuits::mle::eq_table;
    use vouch_circuits::transcript::{Reader, points_digest};

    /// Fractions that sum to zero: `1/d` and `-1/d` for each `d`, in some order.
    fn cancelling(denominators: &[u64]) -> Vec<Fraction> {
        let one = |d: &u64, n: Fr| Fraction { numerator: n, denominator: Fr::from(*d) + Fr::one() };
        let mut leaves: Vec<Fraction> = denominators.iter().map(|d| one(d, Fr::one())).collect();
        leaves.extend(denominators.iter().rev().map(|d| one(d, -Fr::one())));
        leaves
    }

    /// With the fractions of `layer` committed to by a point that stands for them.
    fn run(leaves: &[Fraction], depth: usize, layer: usize) -> Result<(Claims<Fr>, Claims<Fr>), Check> {
        let mut writer = Writer::default();
        let leaves = Leaves { fractions: leaves.to_vec(), factors: Vec::new(), len: leaves.len() };
        let tree = Tree::new(leaves, depth, layer);
        let y = tree.fractions();
        let point = [G1Affine::generator()];
        if layer > 0 {
            writer.write_points(&point);
        }
        let proven = tree.prove(&y, &mut writer);
        let scalars = writer.into_scalars();
        let digests = [points_digest(&point)];
        let mut reader = Reader::new(&scalars, if layer > 0 { &digests } else { &[] });
        let verified = verify(&mut reader, depth, layer)?;
        reader.finish()?;
        if let Some(fractions) = &verified.fractions {
            assert_eq!(y.iter().sum::<Fr>(), Fr::zero());
            let value: Fr = eq_table(&fractions.point).iter().zip(&y).map(|(e, y)| *e * y).sum();
            assert_eq!(fractions.value, value);
        }
        Ok((proven, verified))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn honest_sums_are_accepted_and_end_in_the_leaves(
            denominators in prop::collection::vec(any::<u64>(), 1..40), extra in 0usize..3, layer: usize,
        ) {
            let leaves = cancelling(&denominators);
            let depth = log2_ceil(leaves.len()).max(1) + extra;
            let (proven, verified) = run(&leaves, depth, layer % (depth + 1)).unwrap();
            let (proven, verified) = (proven.leaves, verified.leaves);
            prop_assert_eq!(&proven.point, &verified.point);
            let weights = eq_table(&verified.point);
            let at = |i: usize| leaves.get(i).copied().unwrap_or_else(Fraction::NONE);
            let numerator: Fr = weights.iter().enumerate().map(|(i, w)| *w * at(i).numerator).sum();
            let denominator: Fr = weights.iter().enumerate().map(|(i, w)| *w * at(i).denominator).sum();
            prop_assert_eq!(verified.numerator, numerator);
            prop_assert_eq!(verified.denominator, denominator);
        }

        #[test]
        fn other_sums_are_refused(denominators in prop::collection::vec(any::<u64>(), 1..40), at: usize) {
            let mut leaves = cancelling(&denominators);
            let at = at % leaves.len();
            leaves[at].denominator += Fr::one();
            let depth = log2_ceil(leaves.len()).max(1);
            prop_assert_eq!(run(&leaves, depth, 0).map(|_| ()), Err(Check::LookupSum));
        }
    }

    #[test]
    fn a_zero_denominator_is_refused() {
        let mut leaves = cancelling(&[3, 4, 5]);
        leaves[2].denominator = Fr::zero();
        leaves[2].numerator = Fr::zero();
        assert_eq!(run(&leaves, 3, 0).map(|_| ()), Err(Check::LookupSum));
    }
}
