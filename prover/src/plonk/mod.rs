//! The shell's proof: Halo2's PLONK over KZG with SHPLONK, the proving half of `vouch_verifier::plonk` (docs/PROTOCOL.md, section 10A.3).
//!
//! Gabizon, Williamson, Ciobotaru: PLONK, ePrint 2019/953; the Halo2 book, "Proving system", for the copy argument over several columns and
//! the blinding of rows; Gabizon, Williamson: fflonk, ePrint 2021/1167, for columns that share commitments.
//!
//! ```text
//! cells ─► copies (running products) ─► quotient (its pieces) ─► values at a point ─► shplonk (two points)
//! ```
//!
//! Cost at `2^k` rows in one lane: fourteen multi-scalar multiplications and, for each of six cosets, an FFT of each column. With four columns to
//! a commitment the multiplications are six: one of `2^k` scalars, one of twice and four of four times as many.
//!
//! It knows the shape of the shell's circuit and its gates, not what they are for.

mod copies;
mod quotient;
mod rows;
mod shplonk;

use ark_bn254::{Fr, G1Affine};
use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, Field};
use rand::CryptoRng;
use rayon::prelude::*;
use vouch_circuits::points::{encode_g1, encode_scalar};
use vouch_circuits::shell::Columns;
use vouch_circuits::shell::keccak::Keccak;
use vouch_circuits::shell::shape::UNUSABLE_ROWS;
use vouch_circuits::tensor_opening::evaluate;

pub(crate) use self::rows::Rows;
use self::shplonk::Sets;
use crate::commit::{msm, random_scalar};

/// A column as the polynomial with its values on the rows.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub values: Vec<Fr>,
    pub coefficients: Vec<Fr>,
}

/// What proving needs of a circuit.
#[derive(Debug)]
pub struct ProvingKey {
    rows: Rows,
    columns: Columns,
    /// The reference string's first [`Columns::powers`].
    powers: Vec<G1Affine>,
    /// The first `2^k` in Lagrange form, if each column has a commitment of its own.
    lagrange: Option<Vec<G1Affine>>,
    /// The fixed columns.
    fixed: Vec<Column>,
    /// The copy constraints' permutation, for each column that may hold copies: the row, in its column, of the cell that follows.
    permuted: Vec<Column>,
}

impl ProvingKey {
    /// Of a circuit of `2^k` rows with these fixed columns. `follows` is the column and row of the cell that follows each in its cycle of
    /// copies; `powers` are a reference string's first [`Columns::powers`], `lagrange` the first `2^k` in Lagrange form, where columns do
    /// not share commitments.
    pub fn new(
        k: u32,
        columns: Columns,
        fixed: Vec<Vec<Fr>>,
        follows: &[Vec<(usize, usize)>],
        powers: Vec<G1Affine>,
        lagrange: Option<Vec<G1Affine>>,
    ) -> Self {
        let rows = Rows::new(k);
        let permuted = rows.permutation(follows);
        let polynomials = |values: Vec<Vec<Fr>>| values.into_par_iter().map(|values| rows.column(values)).collect();
        let (fixed, permuted) = (polynomials(fixed), polynomials(permuted));
        Self { rows, columns, powers, lagrange, fixed, permuted }
    }

    /// Commitments to the fixed columns and the permutation's, as a verifying key has them.
    pub fn commitments(&self) -> Vec<G1Affine> {
        let (partial, others) = self.fixed.split_at(1);
        let others: Vec<&Column> = others.iter().chain(&self.permuted).collect();
        let shared = others.chunks(self.columns.packing).map(|columns| self.commit_shared(columns));
        partial.iter().map(|column| self.commit_alone(column)).chain(shared).collect()
    }

    fn commit_alone(&self, column: &Column) -> G1Affine {
        match &self.lagrange {
            Some(lagrange) => msm(lagrange, &column.values).into_affine(),
            None => self.commit(&column.coefficients),
        }
    }

    /// The commitment that these columns share, if any do; not more than are to share one.
    fn commit_shared(&self, columns: &[&Column]) -> G1Affine {
        let packing = self.columns.packing;
        if let (1, [column]) = (packing, columns) {
            return self.commit_alone(column);
        }
        let mut shared = vec![Fr::ZERO; packing * self.rows.size];
        add_shared(&mut shared, &coefficients(columns.iter().copied()), packing, &Fr::ONE);
        self.commit(&shared)
    }

    fn commit(&self, coefficients: &[Fr]) -> G1Affine {
        msm(&self.powers, coefficients).into_affine()
    }

    /// A proof that the advice columns' cells satisfy the circuit with these public values; of cells that do not it is none.
    ///
    /// # Panics
    /// If the columns are not as many or as long as the circuit's.
    pub fn prove(&self, mut advice: Vec<Vec<Fr>>, instance: &[Fr], rng: &mut impl CryptoRng) -> Vec<u8> {
        let Self { rows, columns, .. } = self;
        let packing = columns.packing;
        let mut transcript = Writer::default();
        instance.iter().for_each(|value| transcript.absorb(value));
        advice.iter_mut().for_each(|values| rows.blind(values, UNUSABLE_ROWS, rng));
        let advice: Vec<Column> = advice.into_par_iter().map(|values| rows.column(values)).collect();
        for columns in advice.chunks(packing) {
            transcript.point(&self.commit_shared(&columns.iter().collect::<Vec<_>>()));
        }
        let mut public = instance.to_vec();
        public.resize(rows.size, Fr::ZERO);
        let instance = rows.column(public);

        // Halo2's challenge for lookups in the circuit, which has none.
        transcript.challenge();
        let (beta, gamma) = (transcript.challenge(), transcript.challenge());
        let products = copies::products(self, &advice, &instance, &beta, &gamma, rng);
        products.iter().for_each(|product| transcript.point(&self.commit_alone(product)));
        // The crate's is as long as a column. Two coefficients make its commitment and its one value uniform and independent.
        let random = columns.have_random().then(|| [(); 2].map(|()| random_scalar(rng)));
        random.iter().for_each(|random| transcript.point(&self.commit(random)));

        let y = transcript.challenge();
        let pieces = quotient::pieces(self, &advice, &instance, &products, &[beta, gamma, y]);
        let pieces = quotient::blinded(pieces.chunks(packing).map(<[_]>::concat).collect(), rng);
        pieces.iter().for_each(|piece| transcript.point(&self.commit(piece)));

        let x = transcript.challenge();
        let (next, last) = (x * rows.root, rows.last(&x));
        let of = |columns: &[Column], at: &Fr| -> Vec<Fr> {
            columns.par_iter().map(|column| evaluate(&column.coefficients, at)).collect()
        };
        let mut values = of(&advice, &x);
        values.extend(of(&advice, &next));
        let fixed = of(&self.fixed, &x);
        values.extend(&fixed[..1]);
        values.extend(of(&self.fixed[..1], &next));
        values.extend(&fixed[1..]);
        values.extend(random.iter().map(|random| evaluate(random, &x)));
        values.extend(of(&self.permuted, &x));
        for (i, product) in products.iter().enumerate() {
            let points = if i + 1 < products.len() { vec![x, next, last] } else { vec![x, next] };
            values.extend(points.iter().map(|point| evaluate(&product.coefficients, point)));
        }
        values.iter().for_each(|value| transcript.scalar(value));

        let joined = quotient::joined(&pieces, &rows.power(&x).pow([packing as u64]));
        let mut sets = Sets::default();
        let two = [x, next];
        for columns in coefficients(&advice).chunks(packing) {
            sets.claim(&two, packing, columns.to_vec());
        }
        // There is a product, and there are fixed columns.
        let (before, end) = products.split_at(products.len() - 1);
        let (partial, fixed) = self.fixed.split_at(1);
        coefficients(end.iter().chain(partial)).into_iter().for_each(|column| sets.claim(&two, 1, vec![column]));
        coefficients(before).into_iter().for_each(|column| sets.claim(&[x, next, last], 1, vec![column]));
        for columns in coefficients(fixed.iter().chain(&self.permuted)).chunks(packing) {
            sets.claim(&[x], packing, columns.to_vec());
        }
        sets.claim(&[x], 1, vec![&joined]);
        random.iter().for_each(|random| sets.claim(&[x], 1, vec![random]));
        shplonk::open(self, &sets, &mut transcript);
        transcript.proof
    }
}

/// The coefficients of `Σ weights_i·P_i`, with `P_i` what commitment `i` of a verifying key is of ([`ProvingKey::commitments`]), from the columns as
/// [`ProvingKey::new`] takes them: as many FFTs as columns share a commitment, and one.
pub fn combined(
    k: u32,
    columns: Columns,
    fixed: &[Vec<Fr>],
    follows: &[Vec<(usize, usize)>],
    weights: &[Fr],
) -> Vec<Fr> {
    let rows = Rows::new(k);
    let permuted = rows.permutation(follows);
    let packing = columns.packing;
    let (partial, fixed) = fixed.split_at(1);
    let (first, weights) = weights.split_at(1);
    let others: Vec<&Vec<Fr>> = fixed.iter().chain(&permuted).collect();
    // Column `l` of those that share a commitment, of all commitments.
    let shared: Vec<Vec<Fr>> = (0..packing)
        .into_par_iter()
        .map(|l| {
            let mut sum = vec![Fr::ZERO; rows.size];
            for (columns, weight) in others.chunks(packing).zip(weights) {
                let Some(column) = columns.get(l) else { continue };
                sum.iter_mut().zip(column.iter()).for_each(|(sum, value)| *sum += *weight * value);
            }
            rows.coefficients(sum)
        })
        .collect();
    let mut sum = vec![Fr::ZERO; packing * rows.size];
    add_shared(&mut sum, &shared.iter().map(|column| &column[..]).collect::<Vec<_>>(), packing, &Fr::ONE);
    let alone = rows.coefficients(partial[0].clone());
    sum.iter_mut().zip(&alone).for_each(|(sum, coefficient)| *sum += first[0] * coefficient);
    sum
}

/// Halo2's transcript, at the writing end.
#[derive(Default)]
struct Writer {
    transcript: Keccak,
    proof: Vec<u8>,
}

impl Writer {
    fn absorb(&mut self, scalar: &Fr) {
        self.transcript.absorb(&encode_scalar(scalar));
    }

    fn scalar(&mut self, scalar: &Fr) {
        self.absorb(scalar);
        self.proof.extend(encode_scalar(scalar));
    }

    fn point(&mut self, point: &G1Affine) {
        let bytes = encode_g1(point);
        self.transcript.absorb(&bytes);
        self.proof.extend(bytes);
    }

    fn challenge(&mut self) -> Fr {
        self.transcript.challenge()
    }
}

fn coefficients<'c>(columns: impl IntoIterator<Item = &'c Column>) -> Vec<&'c [Fr]> {
    columns.into_iter().map(|column| &column.coefficients[..]).collect()
}

/// Adds `factor·Σ X^i·p_i(X^t)` to a sum that is long enough, `t` being the packing.
fn add_shared(sum: &mut [Fr], polynomials: &[&[Fr]], packing: usize, factor: &Fr) {
    sum.par_chunks_mut(packing).enumerate().for_each(|(place, sum)| {
        for (sum, polynomial) in sum.iter_mut().zip(polynomials) {
            *sum += polynomial.get(place).map_or(Fr::ZERO, |coefficient| *factor * coefficient);
        }
    });
}
