//! The check of a shell's proof: Halo2's PLONK over KZG with SHPLONK, as docs/PROTOCOL.md, section 10A.3, has it, with one column to a commitment or
//! several.
//!
//! Gabizon, Williamson, Ciobotaru: PLONK, ePrint 2019/953; the Halo2 book, "Proving system", for the copy argument over several columns and
//! the blinding of rows; Boneh, Drake, Fisch, Gabizon: ePrint 2020/081, section 4, for the openings; Gabizon, Williamson: fflonk, ePrint
//! 2021/1167, for columns that share commitments. What is left of a proof is one
//! equation over the groups, for the caller to check.
//!
//! It knows the shape of the shell's circuit and its gates, not what they are for.

use ark_bn254::{Fr, G1Affine};
use ark_ec::AffineRepr;
use ark_ff::{AdditiveGroup, Field, One, Zero};
use vouch_circuits::points::{G1_BYTES, decode_g1, decode_scalar, encode_scalar};
use vouch_circuits::shell::copies::{Copies, Product};
use vouch_circuits::shell::domain::root;
use vouch_circuits::shell::gates::{Cells, Selectors};
use vouch_circuits::shell::keccak::Keccak;
use vouch_circuits::shell::poseidon::CELLS;
use vouch_circuits::shell::shape::{UNUSABLE_ROWS, advice_columns, copy_columns, fixed_columns, product_columns};
use vouch_circuits::shell::{Columns, ShellKey};

use crate::pairing::Equation;

/// What is left of a proof.
#[derive(Clone, Debug)]
pub struct Reduced {
    /// The equation to check.
    pub equation: Equation,
    /// The transcript behind the proof's last point.
    pub transcript: Keccak,
}

/// Why there is no equation: elements that are none, too few or too many bytes, too many public values, or a challenge for which a denominator
/// is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Halo2's transcript (section 10A.3), at the reading end.
struct Reader<'a> {
    transcript: Keccak,
    proof: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(proof: &'a [u8]) -> Self {
        Self { transcript: Keccak::default(), proof }
    }

    fn absorb(&mut self, scalar: &Fr) {
        self.transcript.absorb(&encode_scalar(scalar));
    }

    fn challenge(&mut self) -> Fr {
        self.transcript.challenge()
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.proof.split_at_checked(count).ok_or(Malformed)?;
        self.proof = rest;
        self.transcript.absorb(taken);
        Ok(taken)
    }

    fn point(&mut self) -> Result<G1Affine, Malformed> {
        decode_g1(self.take(G1_BYTES)?).ok_or(Malformed)
    }

    fn points(&mut self, count: usize) -> Result<Vec<G1Affine>, Malformed> {
        (0..count).map(|_| self.point()).collect()
    }

    fn scalar(&mut self) -> Result<Fr, Malformed> {
        decode_scalar(self.take(32)?).ok_or(Malformed)
    }

    fn scalars(&mut self, count: usize) -> Result<Vec<Fr>, Malformed> {
        (0..count).map(|_| self.scalar()).collect()
    }

    fn finish(self) -> Result<Keccak, Malformed> {
        if self.proof.is_empty() { Ok(self.transcript) } else { Err(Malformed) }
    }
}

/// The rows' subgroup at the challenge `x`.
struct Domain {
    size: u64,
    root: Fr,
    x: Fr,
    /// `x^n − 1`.
    vanishing: Fr,
}

impl Domain {
    fn new(k: u32, x: Fr) -> Result<Self, Malformed> {
        let root = root(k);
        let vanishing = (0..k).fold(x, |power, _| power.square()) - Fr::one();
        if vanishing.is_zero() { Err(Malformed) } else { Ok(Self { size: 1 << k, root, x, vanishing }) }
    }

    /// The Lagrange polynomials of rows `first`, `first + 1`, … at `x`.
    fn lagrange(&self, first: u64, count: usize) -> Vec<Fr> {
        let mut row = self.root.pow([first]);
        let mut rows = Vec::with_capacity(count);
        for _ in 0..count {
            rows.push(row);
            row *= self.root;
        }
        let mut inverses: Vec<Fr> = rows.iter().map(|row| (self.x - row) * Fr::from(self.size)).collect();
        // Not zero: x is in no row, as it is no zero of x^n − 1.
        ark_ff::batch_inversion(&mut inverses);
        rows.iter().zip(inverses).map(|(row, inverse)| *row * inverse * self.vanishing).collect()
    }
}

/// The values that a proof claims of its polynomials.
struct Values {
    own: Vec<Fr>,
    next: Vec<Fr>,
    /// Fixed columns as in the key, at `x`.
    fixed: Vec<Fr>,
    next_partial: Fr,
    /// The random polynomial's, if there is one.
    random: Option<Fr>,
    copies: Vec<Fr>,
    products: Vec<Product<Fr>>,
}

impl Values {
    /// In the order in which the crate asks for them.
    fn read(reader: &mut Reader, columns: Columns) -> Result<Self, Malformed> {
        let lanes = columns.lanes;
        let (own, next) = (reader.scalars(advice_columns(lanes))?, reader.scalars(advice_columns(lanes))?);
        let partial = reader.scalar()?;
        let next_partial = reader.scalar()?;
        let fixed = [vec![partial], reader.scalars(fixed_columns(lanes) - 1)?].concat();
        let random = columns.have_random().then(|| reader.scalar()).transpose()?;
        let copies = reader.scalars(copy_columns(lanes))?;
        let count = product_columns(lanes);
        let product = |i: usize, reader: &mut Reader| -> Result<_, Malformed> {
            let (own, next) = (reader.scalar()?, reader.scalar()?);
            Ok(Product { own, next, last: (i + 1 < count).then(|| reader.scalar()).transpose()? })
        };
        let products = (0..count).map(|i| product(i, reader)).collect::<Result<_, _>>()?;
        Ok(Self { own, next, fixed, next_partial, random, copies, products })
    }

    /// The gates' polynomials.
    #[expect(clippy::indexing_slicing, reason = "as many values were read as lanes have columns")]
    fn gates(&self, lanes: usize) -> Vec<Fr> {
        let [partial, full, arithmetic] = std::array::from_fn(|i| self.fixed[i]);
        let kind = Selectors { partial, next_partial: self.next_partial, full, arithmetic };
        let lane = |lane: usize| {
            let (cells, fixed) = (lane * CELLS, &self.fixed[3 + lane * (CELLS + 1)..]);
            let four = |values: &[Fr]| std::array::from_fn(|i| values[cells + i]);
            Cells {
                own: four(&self.own),
                next: four(&self.next),
                linear: std::array::from_fn(|i| fixed[i]),
                product: fixed[3],
                constant: fixed[4],
                kind: kind.clone(),
            }
        };
        (0..lanes).flat_map(|i| lane(i).gates()).collect()
    }

    /// The copy argument's polynomials, `instance` being the public values' column.
    #[expect(clippy::indexing_slicing, reason = "there are unusable rows")]
    fn copies(&self, domain: &Domain, instance: Fr, beta: Fr, gamma: Fr) -> Vec<Fr> {
        let ends = domain.lagrange(domain.size - UNUSABLE_ROWS as u64, UNUSABLE_ROWS);
        let copies = Copies {
            columns: [&self.own[..], &[instance]].concat(),
            permuted: self.copies.clone(),
            products: self.products.clone(),
            row: domain.x,
            first: domain.lagrange(0, 1)[0],
            end: ends[0],
            usable: Fr::one() - ends.iter().sum::<Fr>(),
        };
        copies.constraints(&beta, &gamma)
    }
}

/// A commitment, as a sum, and the values at a set's points of each polynomial that shares it.
struct Claim {
    commitment: Vec<(G1Affine, Fr)>,
    values: Vec<Vec<Fr>>,
}

/// Claims at the same points, of commitments that as many polynomials share.
struct Set {
    points: Vec<Fr>,
    packing: usize,
    claims: Vec<Claim>,
}

/// Sets in the order of their first claims.
#[derive(Default)]
struct Sets(Vec<Set>);

impl Sets {
    fn claim(&mut self, points: &[Fr], packing: usize, commitment: Vec<(G1Affine, Fr)>, values: Vec<Vec<Fr>>) {
        let claim = Claim { commitment, values };
        match self.0.iter_mut().find(|set| (&set.points[..], set.packing) == (points, packing)) {
            Some(set) => set.claims.push(claim),
            None => self.0.push(Set { points: points.to_vec(), packing, claims: vec![claim] }),
        }
    }
}

/// Reduces a proof with these public values to an equation over the groups; `key` must be well formed, and the public values must be bound to it, since
/// nothing else makes challenges depend on it.
///
/// # Errors
/// A proof that cannot be read, or a degenerate challenge.
pub fn reduce(key: &ShellKey, instances: &[Fr], proof: &[u8]) -> Result<Reduced, Malformed> {
    // Public values lie in the first rows, above those that blind.
    if instances.len() + UNUSABLE_ROWS > 1 << key.k {
        return Err(Malformed);
    }
    let Columns { lanes, packing } = key.columns;
    let mut reader = Reader::new(proof);
    instances.iter().for_each(|value| reader.absorb(value));
    let cells = reader.points(key.columns.of_advice())?;
    // The crate's challenge for lookups in the circuit, which has none.
    reader.challenge();
    let (beta, gamma) = (reader.challenge(), reader.challenge());
    let products = reader.points(product_columns(lanes))?;
    let random = key.columns.have_random().then(|| reader.point()).transpose()?;
    let y = reader.challenge();
    let pieces = reader.points(key.columns.of_quotient())?;
    let x = reader.challenge();
    let values = Values::read(&mut reader, key.columns)?;

    let domain = Domain::new(key.k, x)?;
    let lagrange = domain.lagrange(0, instances.len());
    let instance = lagrange.iter().zip(instances).map(|(l, value)| *l * value).sum();
    let polynomials = [values.gates(lanes), values.copies(&domain, instance, beta, gamma)].concat();
    let sum = polynomials.into_iter().fold(Fr::ZERO, |sum, value| sum * y + value);
    let quotient = sum * domain.vanishing.inverse().ok_or(Malformed)?;

    let one = |point: &G1Affine| vec![(*point, Fr::one())];
    let (next, last) = (x * domain.root, x * domain.root.pow([domain.size - UNUSABLE_ROWS as u64]));
    let mut sets = Sets::default();
    // Cells, the last product and the selector that the next row's is read of: at this row and at the next one.
    let two = [x, next];
    for (point, (own, next)) in cells.iter().zip(values.own.chunks(packing).zip(values.next.chunks(packing))) {
        let values = own.iter().zip(next).map(|(own, next)| vec![*own, *next]).collect();
        sets.claim(&two, packing, one(point), values);
    }
    let (end, others) = products.split_last().ok_or(Malformed)?;
    let (end_values, other_values) = values.products.split_last().ok_or(Malformed)?;
    sets.claim(&two, 1, one(end), vec![vec![end_values.own, end_values.next]]);
    let (partial, of_key) = key.commitments.split_first().ok_or(Malformed)?;
    let (partial_value, fixed_values) = values.fixed.split_first().ok_or(Malformed)?;
    sets.claim(&two, 1, one(partial), vec![vec![*partial_value, values.next_partial]]);
    // All other products: at the last usable row too.
    for (point, v) in others.iter().zip(other_values) {
        sets.claim(&[x, next, last], 1, one(point), vec![vec![v.own, v.next, v.last.unwrap_or_default()]]);
    }
    // All else: at this row.
    let key_values = [fixed_values, &values.copies].concat();
    for (point, values) in of_key.iter().zip(key_values.chunks(packing)) {
        sets.claim(&[x], packing, one(point), values.iter().map(|value| vec![*value]).collect());
    }
    let power = (domain.vanishing + Fr::one()).pow([packing as u64]);
    let powers = std::iter::successors(Some(Fr::one()), |last| Some(*last * power));
    sets.claim(&[x], 1, pieces.iter().copied().zip(powers).collect(), vec![vec![quotient]]);
    if let Some((random, value)) = random.zip(values.random) {
        sets.claim(&[x], 1, one(&random), vec![vec![value]]);
    }
    let equation = shplonk(&mut reader, &sets.0)?;
    Ok(Reduced { equation, transcript: reader.finish()? })
}

/// SHPLONK: what vanishes at a set's points, of polynomials that share a commitment, vanishes at the points' roots.
fn shplonk(reader: &mut Reader, sets: &[Set]) -> Result<Equation, Malformed> {
    let (y, v) = (reader.challenge(), reader.challenge());
    let quotient = reader.point()?;
    let u = reader.challenge();
    let witness = reader.point()?;

    // What vanishes at each point, at u.
    let at = |packing: usize| u.pow([packing as u64]);
    let factors = |set: &Set| -> Vec<(usize, Fr, Fr)> {
        set.points.iter().map(|point| (set.packing, *point, at(set.packing) - point)).collect()
    };
    let mut all: Vec<(usize, Fr, Fr)> = Vec::new();
    for factor in sets.iter().flat_map(factors) {
        if !all.contains(&factor) {
            all.push(factor);
        }
    }
    let outside = |set: &Set| {
        let own = factors(set);
        all.iter().filter(|factor| !own.contains(factor)).map(|(.., value)| value).product::<Fr>()
    };
    let first = sets.first().ok_or(Malformed)?;
    let scale = outside(first).inverse().ok_or(Malformed)?;

    let mut terms = Vec::new();
    let mut constant = Fr::ZERO;
    let mut of_set = Fr::one();
    for set in sets {
        let lagrange = lagrange_at(&set.points, at(set.packing))?;
        let mut weight = of_set * outside(set) * scale;
        for Claim { commitment, values } in &set.claims {
            terms.extend(commitment.iter().map(|(point, scalar)| (*point, *scalar * weight)));
            let interpolated = |values: &Vec<Fr>| values.iter().zip(&lagrange).map(|(value, l)| *value * l).sum::<Fr>();
            constant += weight * values.iter().rev().fold(Fr::ZERO, |sum, values| sum * u + interpolated(values));
            weight *= y;
        }
        of_set *= v;
    }
    terms.push((G1Affine::generator(), -constant));
    terms.push((quotient, -factors(first).iter().map(|(.., value)| value).product::<Fr>()));
    terms.push((witness, u));
    Ok(Equation::new(terms, witness))
}

/// The Lagrange polynomials of these points, at another one.
fn lagrange_at(points: &[Fr], at: Fr) -> Result<Vec<Fr>, Malformed> {
    let of = |(i, point): (usize, &Fr)| {
        let others = || points.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, other)| other);
        let numerator: Fr = others().map(|other| at - other).product();
        let denominator: Fr = others().map(|other| *point - other).product();
        Ok(numerator * denominator.inverse().ok_or(Malformed)?)
    };
    points.iter().enumerate().map(of).collect()
}
