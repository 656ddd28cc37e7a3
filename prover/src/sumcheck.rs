//! The prover's half of a sumcheck, whatever is summed; the verifier's is [`vouch_circuits::argument::sumcheck`].
//!
//! A table holds one element for each point of the hypercube, the lowest variable fastest; elements beyond its end are `absent` ones.
//! A round looks at the pairs of neighbours, which differ in the lowest variable, and folding at `r` binds it.

use ark_bn254::Fr;
use ark_ff::{One, Zero};
use rayon::prelude::*;
use vouch_circuits::transcript::Writer;

use crate::small::Accumulator;

/// Fewer elements or pairs than this are not worth a second thread.
pub const PARALLEL: usize = 1 << 10;

/// The coefficients of a round polynomial, the lowest first.
pub type Round = [Fr; 4];

/// Sends a plain round of this degree, the linear coefficient left out, and draws the challenge.
pub fn send_round(transcript: &mut Writer, round: &Round, degree: usize) -> Fr {
    transcript.write(round[0]);
    round[2..=degree].iter().for_each(|coefficient| transcript.write(*coefficient));
    transcript.challenge()
}

/// `Σ_j summand(j)` for `j` below `count`.
pub fn sum_over<const N: usize>(count: usize, summand: impl Fn(usize) -> [Fr; N] + Send + Sync) -> [Fr; N] {
    let add = |a: [Fr; N], b: [Fr; N]| std::array::from_fn(|k| a[k] + b[k]);
    (0..count).into_par_iter().with_min_len(PARALLEL).map(summand).reduce(|| [Fr::zero(); N], add)
}

/// Pair `j` of a table.
pub fn pair<'a, T>(table: &'a [T], absent: &'a T, j: usize) -> (&'a T, &'a T) {
    (&table[2 * j], table.get(2 * j + 1).unwrap_or(absent))
}

/// A table folded by the line through each pair.
pub fn fold_with<T: Send + Sync>(table: &[T], absent: &T, line: impl Fn(&T, &T) -> T + Send + Sync) -> Vec<T> {
    let pairs = (0..table.len().div_ceil(2)).into_par_iter().with_min_len(PARALLEL);
    pairs
        .map(|j| {
            let (low, high) = pair(table, absent, j);
            line(low, high)
        })
        .collect()
}

/// A table of field elements, absent ones zero, at `r` in its lowest variable.
pub fn fold(table: &[Fr], r: &Fr) -> Vec<Fr> {
    fold_with(table, &Fr::zero(), |low, high| *low + *r * (*high - low))
}

/// `weight · Σ_i Π_k factors[k][i]`, of up to three tables of one length, a power of two. In rounds after its own it is extended by zero.
pub struct Product {
    /// What the sum is multiplied by.
    pub weight: Fr,
    /// The tables.
    pub factors: Vec<Vec<Fr>>,
}

impl Product {
    /// The sum.
    pub fn sum(&self) -> Fr {
        let [sum] = sum_over(self.factors[0].len(), |i| [self.factors.iter().map(|f| f[i]).product()]);
        self.weight * sum
    }

    /// This round's polynomial. When all variables are bound it is the value times `1 - X`.
    pub fn round(&self) -> Round {
        let len = self.factors[0].len();
        if len == 1 {
            let value = self.sum();
            return [value, -value, Fr::zero(), Fr::zero()];
        }
        let lines = |j: usize| self.factors.iter().map(move |f| (f[2 * j], f[2 * j + 1] - f[2 * j]));
        sum_over(len / 2, |j| product_of_lines(lines(j))).map(|coefficient| coefficient * self.weight)
    }

    /// Binds a variable.
    pub fn fold(&mut self, r: &Fr) {
        if self.factors[0].len() == 1 {
            self.weight *= Fr::one() - r;
        } else {
            self.factors.iter_mut().for_each(|factor| *factor = fold(factor, r));
        }
    }
}

/// The coefficients of a product of up to three lines, given as their values at 0 and their rises.
fn product_of_lines(lines: impl Iterator<Item = (Fr, Fr)>) -> Round {
    let mut product = [Fr::one(), Fr::zero(), Fr::zero(), Fr::zero()];
    for (k, (low, rise)) in lines.enumerate() {
        if k == 0 {
            product = [low, rise, Fr::zero(), Fr::zero()];
            continue;
        }
        for c in (0..=k + 1).rev() {
            let carried = if c > 0 { product[c - 1] * rise } else { Fr::zero() };
            product[c] = product[c] * low + carried;
        }
    }
    product
}

/// `Σ_i values[i]·weights[i]` over `2^variables` points, both zero beyond their ends. The first round runs on the values' small integers.
/// In rounds after its own it is extended by zero.
pub struct Inner {
    values: Values,
    weights: Vec<Fr>,
    /// Variables not yet bound.
    left: usize,
    /// `Π (1 - r)` over the rounds after the last variable was bound.
    late: Fr,
}

enum Values {
    Small(Vec<i32>),
    Field(Vec<Fr>),
}

impl Inner {
    /// Of integers with as many weights.
    pub fn new(values: &[i32], weights: Vec<Fr>, variables: usize) -> Self {
        Self { values: Values::Small(values.to_vec()), weights, left: variables, late: Fr::one() }
    }

    /// Of field elements with as many weights.
    pub fn of_field(values: Vec<Fr>, weights: Vec<Fr>, variables: usize) -> Self {
        Self { values: Values::Field(values), weights, left: variables, late: Fr::one() }
    }

    /// The values' extension at the point, once all variables are bound.
    pub fn value(&self) -> Fr {
        match &self.values {
            Values::Small(v) => v.first().map_or(Fr::zero(), |v| Fr::from(*v)),
            Values::Field(v) => v.first().copied().unwrap_or_default(),
        }
    }

    /// Puts another value at a position.
    pub fn set(&mut self, position: usize, value: Fr) {
        let mut values = match std::mem::replace(&mut self.values, Values::Field(Vec::new())) {
            Values::Small(v) => v.into_iter().map(Fr::from).collect(),
            Values::Field(v) => v,
        };
        values.resize(values.len().max(position + 1), Fr::zero());
        values[position] = value;
        self.values = Values::Field(values);
    }

    /// The round polynomial's constant and leading coefficients.
    pub fn round(&self) -> [Fr; 2] {
        if self.left == 0 {
            let weight = self.weights.first().copied().unwrap_or_default();
            return [self.value() * weight * self.late, Fr::zero()];
        }
        match &self.values {
            Values::Small(values) => small_round(values, &self.weights),
            Values::Field(values) => {
                let (zero, len) = (Fr::zero(), values.len().min(self.weights.len()));
                sum_over(len.div_ceil(2), |j| {
                    let ((v0, v1), (q0, q1)) = (pair(values, &zero, j), pair(&self.weights, &zero, j));
                    [*v0 * q0, (*v1 - v0) * (*q1 - q0)]
                })
            }
        }
    }

    /// Binds a variable.
    pub fn fold(&mut self, r: &Fr) {
        if self.left == 0 {
            self.late *= Fr::one() - r;
            return;
        }
        self.left -= 1;
        let folded = match &self.values {
            Values::Small(values) => (values.par_chunks(2).with_min_len(PARALLEL))
                .map(|v| {
                    let (v0, v1) = small_pair(v);
                    if v0 == 0 && v1 == 0 { Fr::zero() } else { Fr::from(v0) + *r * Fr::from(v1 - v0) }
                })
                .collect(),
            Values::Field(values) => fold(values, r),
        };
        self.values = Values::Field(folded);
        self.weights = fold(&self.weights, r);
    }
}

fn small_pair(pair: &[i32]) -> (i64, i64) {
    (i64::from(pair[0]), pair.get(1).map_or(0, |v| i64::from(*v)))
}

/// A round over integers, whose products with field elements are reduced once at the end.
fn small_round(values: &[i32], weights: &[Fr]) -> [Fr; 2] {
    let sums = (values.par_chunks(2).zip(weights.par_chunks(2)).with_min_len(PARALLEL)).fold(
        || [Accumulator::default(); 2],
        |mut sums, (v, q)| {
            let (v0, v1) = small_pair(v);
            if v0 != 0 || v1 != 0 {
                let q1 = q.get(1).copied().unwrap_or_default();
                sums[0].add(v0, &q[0]);
                sums[1].add(v1 - v0, &(q1 - q[0]));
            }
            sums
        },
    );
    let sums = sums.map(|sums| sums.map(|sum| sum.finish()));
    sums.reduce(|| [Fr::zero(); 2], |a, b| [a[0] + b[0], a[1] + b[1]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::random_scalar;
    use ark_ff::AdditiveGroup;
    use proptest::prelude::*;
    use vouch_circuits::argument::sumcheck::{late_factors, rounds};
    use vouch_circuits::backend::Plain;
    use vouch_circuits::mle::eq_table;
    use vouch_circuits::transcript::Reader;

    fn randoms(count: usize) -> Vec<Fr> {
        (0..count).map(|_| random_scalar(&mut rand::rng())).collect()
    }

    fn extension(table: &[Fr], point: &[Fr]) -> Fr {
        eq_table(point).iter().zip(table).map(|(e, v)| *e * v).sum()
    }

    /// The verifier's half on the same messages: the claim that is left.
    fn verified(writer: Writer, sum: Fr, degree: usize, count: usize) -> (Fr, Vec<Fr>) {
        let scalars = writer.into_scalars();
        let mut reader = Reader::new(&scalars, &[]);
        let left = rounds(&mut reader, &sum, degree, count).unwrap();
        reader.finish().unwrap();
        left
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn products_end_in_their_factors_values(bits in 0usize..6, factors in 1usize..4, extra in 0usize..3) {
            let tables: Vec<Vec<Fr>> = (0..factors).map(|_| randoms(1 << bits)).collect();
            let mut product = Product { weight: randoms(1)[0], factors: tables.clone() };
            let (weight, sum, mut writer) = (product.weight, product.sum(), Writer::default());
            for _ in 0..bits + extra {
                let r = send_round(&mut writer, &product.round(), 3);
                product.fold(&r);
            }
            let (left, point) = verified(writer, sum, 3, bits + extra);
            let late = late_factors(&mut Plain, &point)[bits];
            let values: Fr = tables.iter().map(|table| extension(table, &point[..bits])).product();
            prop_assert_eq!(left, weight * late * values);
            prop_assert_eq!(product.sum(), left);
        }

        #[test]
        fn inner_products_of_integers_end_in_their_value(
            values in prop::collection::vec(any::<i32>(), 1..40), extra in 0usize..3,
        ) {
            let bits = values.len().next_power_of_two().trailing_zeros() as usize;
            let weights = randoms(values.len());
            let mut inner = Inner::new(&values, weights.clone(), bits);
            let field: Vec<Fr> = values.iter().map(|v| Fr::from(*v)).collect();
            let sum = field.iter().zip(&weights).map(|(v, w)| *v * w).sum();
            let mut writer = Writer::default();
            for _ in 0..bits + extra {
                let [constant, square] = inner.round();
                let r = send_round(&mut writer, &[constant, Fr::ZERO, square, Fr::ZERO], 2);
                inner.fold(&r);
            }
            let (left, point) = verified(writer, sum, 2, bits + extra);
            let late = late_factors(&mut Plain, &point)[bits];
            prop_assert_eq!(inner.value(), extension(&field, &point[..bits]));
            prop_assert_eq!(left, late * inner.value() * extension(&weights, &point[..bits]));
        }
    }
}
