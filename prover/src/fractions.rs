//! The prover's half of committed fractions ([`vouch_circuits::argument::fractions`]).
//!
//! Cost: one batched inversion for `y`, and three field multiplications a node for the sumcheck, twelve where `P` is not
//! zero. Nodes with `P = 0` have `y = 0`: most of a table's rows in a small model.

use ark_bn254::Fr;
use ark_ff::{Field, One, Zero, batch_inversion};
use rayon::prelude::*;
use vouch_circuits::argument::fractions::Claims;
use vouch_circuits::argument::lookups::FractionClaim;
use vouch_circuits::transcript::Writer;

use crate::lookups::Fraction;
use crate::sumcheck::{PARALLEL, fold_with, pair, sum_over};

/// `y = P/Q` of each node; 0 where `P` is 0, and where `Q` is, which no proof survives.
pub fn values(nodes: &[Fraction]) -> Vec<Fr> {
    let counted = |node: &Fraction| !node.numerator.is_zero();
    let mut inverses: Vec<Fr> =
        nodes.iter().map(|node| if counted(node) { node.denominator } else { Fr::zero() }).collect();
    batch_inversion(&mut inverses);
    inverses.iter().zip(nodes).map(|(inverse, node)| *inverse * node.numerator).collect()
}

/// One node: the summand is `y·Q − P`.
#[derive(Clone, Copy)]
struct Node {
    y: Fr,
    denominator: Fr,
    numerator: Fr,
}

impl Node {
    /// Beyond the end: the fraction 0/1.
    fn absent() -> Self {
        Self { y: Fr::zero(), denominator: Fr::one(), numerator: Fr::zero() }
    }

    /// Whether its summand is zero whatever the denominator is.
    fn is_idle(&self) -> bool {
        self.y.is_zero() && self.numerator.is_zero()
    }

    /// At `r` on the line through two.
    fn between(low: &Self, high: &Self, r: &Fr) -> Self {
        let at = |low: &Fr, high: &Fr| *low + *r * (*high - low);
        let denominator = at(&low.denominator, &high.denominator);
        if low.is_idle() && high.is_idle() {
            return Self { denominator, ..Self::absent() };
        }
        Self { y: at(&low.y, &high.y), denominator, numerator: at(&low.numerator, &high.numerator) }
    }
}

/// Proves that `y·Q = P` at each of `2^bits` nodes; those beyond the end are the fraction 0/1.
pub fn prove(y: &[Fr], nodes: &[Fraction], bits: usize, transcript: &mut Writer) -> Claims<Fr> {
    let z = transcript.challenge();
    let absent = Node::absent();
    let node = |(y, node): (&Fr, &Fraction)| Node { y: *y, denominator: node.denominator, numerator: node.numerator };
    let mut nodes: Vec<Node> = y.iter().zip(nodes).map(node).collect();
    let weights = powers(&z.square(), nodes.len().div_ceil(2));
    let mut point = Vec::with_capacity(bits);
    for round in 0..bits {
        let [at_one, square] = sum_pairs(&nodes, &absent, |j| &weights[j << round]);
        transcript.write(at_one);
        transcript.write(square);
        let r = transcript.challenge();
        nodes = fold_with(&nodes, &absent, |low, high| Node::between(low, high, &r));
        point.push(r);
    }
    let Node { y: value, denominator, numerator } = nodes.first().copied().unwrap_or(absent);
    transcript.write(value);
    transcript.write(denominator);
    Claims { nodes: FractionClaim { point, numerator, denominator }, value }
}

/// `1, base, base², …`, so many.
fn powers(base: &Fr, count: usize) -> Vec<Fr> {
    let mut powers = vec![Fr::one(); count];
    powers.par_chunks_mut(PARALLEL).enumerate().for_each(|(chunk, powers)| {
        let mut power = base.pow([(chunk * PARALLEL) as u64]);
        for place in powers {
            *place = power;
            power *= base;
        }
    });
    powers
}

/// `h(1)` and the leading coefficient of `h(X) = Σ_j weight(j)·f_j(X)` over pairs of nodes. Absent pairs add nothing.
fn sum_pairs<'a>(nodes: &[Node], absent: &Node, weight: impl Fn(usize) -> &'a Fr + Send + Sync) -> [Fr; 2] {
    sum_over(nodes.len().div_ceil(2), |j| {
        let (low, high) = pair(nodes, absent, j);
        if low.is_idle() && high.is_idle() {
            return [Fr::zero(); 2];
        }
        let at_one = high.y * high.denominator - high.numerator;
        let square = (high.y - low.y) * (high.denominator - low.denominator);
        [at_one * weight(j), square * weight(j)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::random_scalar;
    use proptest::prelude::*;
    use vouch_circuits::argument::fractions::verify;
    use vouch_circuits::layout::log2_ceil;
    use vouch_circuits::mle::eq_table;
    use vouch_circuits::transcript::Reader;

    fn random() -> Fr {
        random_scalar(&mut rand::rng())
    }

    /// Lookups' rows (numerator 1), tables' (any, often 0) and nothing at all.
    fn leaves(kinds: &[u8]) -> Vec<Fraction> {
        let one = |kind: &u8| match kind % 4 {
            0 => Fraction { numerator: Fr::one(), denominator: random() },
            1 => Fraction { numerator: -Fr::from(*kind), denominator: random() },
            2 => Fraction { numerator: Fr::zero(), denominator: random() },
            _ => Fraction { numerator: Fr::zero(), denominator: Fr::one() },
        };
        kinds.iter().map(one).collect()
    }

    /// The extensions of `y`, `P` and `Q` at a point.
    fn extensions(y: &[Fr], leaves: &[Fraction], point: &[Fr]) -> [Fr; 3] {
        let at =
            |i: usize| leaves.get(i).copied().unwrap_or(Fraction { numerator: Fr::zero(), denominator: Fr::one() });
        let mut sums = [Fr::zero(); 3];
        for (i, weight) in eq_table(point).into_iter().enumerate() {
            let y = y.get(i).copied().unwrap_or_default();
            let values = [y, at(i).numerator, at(i).denominator];
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
        }
        sums
    }

    /// What the verifier is left with, and whether that is true of `y` and the leaves.
    fn run(y: &[Fr], leaves: &[Fraction], bits: usize) -> bool {
        let mut writer = Writer::default();
        let proven = prove(y, leaves, bits, &mut writer);
        let scalars = writer.into_scalars();
        assert_eq!(scalars.len(), 2 * bits + 2);
        let mut reader = Reader::new(&scalars, &[]);
        let claims = verify(&mut reader, bits).unwrap();
        reader.finish().unwrap();
        assert_eq!(claims.nodes.point, proven.nodes.point);
        let [value, numerator, denominator] = extensions(y, leaves, &claims.nodes.point);
        assert_eq!((claims.value, claims.nodes.denominator), (value, denominator));
        claims.nodes.numerator == numerator
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn fractions_end_in_true_claims(kinds in prop::collection::vec(any::<u8>(), 1..70), extra in 0usize..3) {
            let leaves = leaves(&kinds);
            let bits = log2_ceil(leaves.len()) + extra;
            prop_assert!(run(&values(&leaves), &leaves, bits));
        }

        /// Any position's fraction that is another leaves a false claim about the numerators, whatever the others are; also one that makes
        /// up for another, so that the sum stays.
        #[test]
        fn false_fractions_end_in_false_claims(
            kinds in prop::collection::vec(any::<u8>(), 2..40), at: usize, other: usize,
        ) {
            let leaves = leaves(&kinds);
            let mut y = values(&leaves);
            let (at, other) = (at % y.len(), other % y.len());
            let bits = log2_ceil(leaves.len());
            let change = random();
            y[at] += change;
            prop_assert!(!run(&y, &leaves, bits));
            if at != other {
                y[other] -= change;
                prop_assert!(!run(&y, &leaves, bits));
            }
        }
    }

    #[test]
    fn fractions_are_quotients() {
        let leaves = leaves(&[0, 1, 2, 3, 5, 9]);
        let y = values(&leaves);
        assert!(y.iter().zip(&leaves).all(|(y, leaf)| *y * leaf.denominator == leaf.numerator));
        // A key that equals α: there is no such fraction, and what is committed instead is false.
        let zero = Fraction { numerator: Fr::one(), denominator: Fr::zero() };
        assert_eq!(values(&[zero]), [Fr::zero()]);
        assert!(!run(&[random()], &[zero], 0));
        assert!(!run(&[random(), Fr::zero()], &[zero, leaves[3]], 1));
    }

    #[test]
    fn altered_messages_leave_a_false_claim_or_none() {
        let leaves = leaves(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        let y = values(&leaves);
        let mut writer = Writer::default();
        prove(&y, &leaves, 4, &mut writer);
        let honest = writer.into_scalars();
        for position in 0..honest.len() {
            let mut scalars = honest.clone();
            scalars[position] += Fr::one();
            let mut reader = Reader::new(&scalars, &[]);
            let claims = verify(&mut reader, 4).unwrap();
            let expected = extensions(&y, &leaves, &claims.nodes.point);
            let claimed = [claims.value, claims.nodes.numerator, claims.nodes.denominator];
            assert_ne!(claimed, expected, "message {position}");
        }
        for length in 0..honest.len() {
            assert!(verify(&mut Reader::new(&honest[..length], &[]), 4).is_err());
        }
    }
}
