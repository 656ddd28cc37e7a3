//! The shell's proof: Halo2's PLONK over KZG with SHPLONK, the proving half of `vouch_verifier::plonk` (docs/PROTOCOL.md, section 10A.3).
//!
//! Gabizon, Williamson, Ciobotaru: PLONK, ePrint 2019/953; the Halo2 book, "Proving system", for the copy argument over several columns and
//! the blinding of rows.
//!
//! ```text
//! cells ─► copies (running products) ─► quotient (its pieces) ─► values at a point ─► shplonk (two points)
//! ```
//!
//! Cost at `2^k` rows in one lane: fourteen multi-scalar multiplications and, for each of six cosets, an FFT of each column.
//!
//! It knows the shape of the shell's circuit and its gates, not what they are for.

mod copies;
mod quotient;
mod rows;
mod shplonk;

use ark_bn254::{Fr, G1Affine};
use ark_ec::CurveGroup;
use ark_ff::AdditiveGroup;
use rand::CryptoRng;
use rayon::prelude::*;
use vouch_circuits::points::{encode_g1, encode_scalar};
use vouch_circuits::shell::keccak::Keccak;
use vouch_circuits::shell::shape::UNUSABLE_ROWS;
use vouch_circuits::tensor_opening::evaluate;

pub(crate) use self::rows::Rows;
use self::shplonk::Set;
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
    lanes: usize,
    /// The reference string's first `2^k + 1` powers.
    powers: Vec<G1Affine>,
    /// All but the last in Lagrange form.
    lagrange: Vec<G1Affine>,
    /// The fixed columns.
    fixed: Vec<Column>,
    /// The copy constraints' permutation, for each column that may hold copies: the row, in its column, of the cell that follows.
    permuted: Vec<Column>,
}

impl ProvingKey {
    /// Of a circuit of `2^k` rows in so many lanes with these fixed columns. `follows` is the column and row of the cell that follows each in
    /// its cycle of copies; `powers` are a reference string's first `2^k + 1`, `lagrange` all of them but the last in Lagrange form.
    pub fn new(
        lanes: usize,
        fixed: Vec<Vec<Fr>>,
        follows: &[Vec<(usize, usize)>],
        powers: Vec<G1Affine>,
        lagrange: Vec<G1Affine>,
    ) -> Self {
        let rows = Rows::new(lagrange.len().trailing_zeros());
        let permuted = rows.permutation(follows);
        let columns = |values: Vec<Vec<Fr>>| values.into_par_iter().map(|values| rows.column(values)).collect();
        let (fixed, permuted) = (columns(fixed), columns(permuted));
        Self { rows, lanes, powers, lagrange, fixed, permuted }
    }

    /// Commitments to the fixed columns, and to the permutation's.
    pub fn commitments(&self) -> [Vec<G1Affine>; 2] {
        let commit = |columns: &[Column]| columns.iter().map(|column| self.commit_values(&column.values)).collect();
        [commit(&self.fixed), commit(&self.permuted)]
    }

    fn commit_values(&self, values: &[Fr]) -> G1Affine {
        msm(&self.lagrange, values).into_affine()
    }

    fn commit(&self, coefficients: &[Fr]) -> G1Affine {
        msm(&self.powers, coefficients).into_affine()
    }

    /// A proof that the advice columns' cells satisfy the circuit with these public values; of cells that do not it is none.
    ///
    /// # Panics
    /// If the columns are not as many or as long as the circuit's.
    pub fn prove(&self, mut advice: Vec<Vec<Fr>>, instance: &[Fr], rng: &mut impl CryptoRng) -> Vec<u8> {
        let Self { rows, .. } = self;
        let mut transcript = Writer::default();
        instance.iter().for_each(|value| transcript.absorb(value));
        for values in &mut advice {
            rows.blind(values, UNUSABLE_ROWS, rng);
            transcript.point(&self.commit_values(values));
        }
        let advice: Vec<Column> = advice.into_par_iter().map(|values| rows.column(values)).collect();
        let mut public = instance.to_vec();
        public.resize(rows.size, Fr::ZERO);
        let instance = rows.column(public);

        // Halo2's challenge for lookups in the circuit, which has none.
        transcript.challenge();
        let (beta, gamma) = (transcript.challenge(), transcript.challenge());
        let products = copies::products(self, &advice, &instance, &beta, &gamma, rng);
        products.iter().for_each(|product| transcript.point(&self.commit_values(&product.values)));
        // The crate's is as long as a column. Two coefficients make its commitment and its one value uniform and independent.
        let random = [(); 2].map(|()| random_scalar(rng));
        transcript.point(&self.commit(&random));

        let y = transcript.challenge();
        let pieces = quotient::pieces(self, &advice, &instance, &products, &[beta, gamma, y]);
        let pieces = quotient::blinded(pieces, rng);
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
        values.push(evaluate(&random, &x));
        values.extend(of(&self.permuted, &x));
        for (i, product) in products.iter().enumerate() {
            let points = if i + 1 < products.len() { vec![x, next, last] } else { vec![x, next] };
            values.extend(points.iter().map(|point| evaluate(&product.coefficients, point)));
        }
        values.iter().for_each(|value| transcript.scalar(value));

        let joined = quotient::joined(&pieces, &rows.power(&x));
        let (before, end) = products.split_at(products.len() - 1);
        let (partial, fixed) = self.fixed.split_at(1);
        let two = coefficients(&advice).chain(coefficients(end)).chain(coefficients(partial)).collect();
        let three: Vec<&[Fr]> = coefficients(before).collect();
        let single = coefficients(fixed).chain(coefficients(&self.permuted)).chain([&joined[..], &random]).collect();
        let mut sets = vec![Set { points: vec![x, next], polynomials: two }];
        if !three.is_empty() {
            sets.push(Set { points: vec![x, next, last], polynomials: three });
        }
        sets.push(Set { points: vec![x], polynomials: single });
        shplonk::open(self, &sets, &mut transcript);
        transcript.proof
    }
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

fn coefficients(columns: &[Column]) -> impl Iterator<Item = &[Fr]> {
    columns.iter().map(|column| &column.coefficients[..])
}
