//! The check of a shell's proof: Halo2's PLONK over KZG with SHPLONK, as docs/PROTOCOL.md, section 10A.3, has it.
//!
//! Gabizon, Williamson, Ciobotaru: PLONK, ePrint 2019/953; the Halo2 book, "Proving system", for the copy argument over several columns and
//! the blinding of rows; Boneh, Drake, Fisch, Gabizon: ePrint 2020/081, section 4, for the openings. What is left of a proof is one
//! equation over the groups, for the caller to check.
//!
//! It knows the shape of the shell's circuit and its gates, not what they are for.

use ark_bn254::{Fr, G1Affine};
use ark_ec::AffineRepr;
use ark_ff::{AdditiveGroup, Field, One, Zero};
use vouch_circuits::points::{G1_BYTES, decode_g1, decode_scalar, encode_scalar};
use vouch_circuits::shell::ShellKey;
use vouch_circuits::shell::copies::{Copies, Product};
use vouch_circuits::shell::domain::root;
use vouch_circuits::shell::gates::{Cells, DEGREE, Selectors};
use vouch_circuits::shell::keccak::Keccak;
use vouch_circuits::shell::poseidon::CELLS;
use vouch_circuits::shell::shape::{UNUSABLE_ROWS, advice_columns, copy_columns, fixed_columns, product_columns};

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
    random: Fr,
    copies: Vec<Fr>,
    products: Vec<Product<Fr>>,
}

impl Values {
    /// In the order in which the crate asks for them.
    fn read(reader: &mut Reader, lanes: usize) -> Result<Self, Malformed> {
        let (own, next) = (reader.scalars(advice_columns(lanes))?, reader.scalars(advice_columns(lanes))?);
        let partial = reader.scalar()?;
        let next_partial = reader.scalar()?;
        let fixed = [vec![partial], reader.scalars(fixed_columns(lanes) - 1)?].concat();
        let random = reader.scalar()?;
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

/// A commitment, as a sum, and its polynomial's values at a set's points.
struct Claim {
    commitment: Vec<(G1Affine, Fr)>,
    values: Vec<Fr>,
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
    let mut reader = Reader::new(proof);
    instances.iter().for_each(|value| reader.absorb(value));
    let cells = reader.points(advice_columns(key.lanes))?;
    // The crate's challenge for lookups in the circuit, which has none.
    reader.challenge();
    let (beta, gamma) = (reader.challenge(), reader.challenge());
    let products = reader.points(product_columns(key.lanes))?;
    let random = reader.point()?;
    let y = reader.challenge();
    let pieces = reader.points(DEGREE - 1)?;
    let x = reader.challenge();
    let values = Values::read(&mut reader, key.lanes)?;

    let domain = Domain::new(key.k, x)?;
    let lagrange = domain.lagrange(0, instances.len());
    let instance = lagrange.iter().zip(instances).map(|(l, value)| *l * value).sum();
    let polynomials = [values.gates(key.lanes), values.copies(&domain, instance, beta, gamma)].concat();
    let sum = polynomials.into_iter().fold(Fr::ZERO, |sum, value| sum * y + value);
    let quotient = sum * domain.vanishing.inverse().ok_or(Malformed)?;

    let one = |point: &G1Affine| vec![(*point, Fr::one())];
    let (next, last) = (x * domain.root, x * domain.root.pow([domain.size - UNUSABLE_ROWS as u64]));
    let claim = |commitment, values| Claim { commitment, values };
    // Cells, the last product and the selector that the next row's is read of: at this row and at the next one.
    let (end, others) = products.split_last().ok_or(Malformed)?;
    let (end_values, other_values) = values.products.split_last().ok_or(Malformed)?;
    let of_cells = cells.iter().zip(values.own.iter().zip(&values.next));
    let mut two: Vec<Claim> = of_cells.map(|(point, (own, next))| claim(one(point), vec![*own, *next])).collect();
    two.push(claim(one(end), vec![end_values.own, end_values.next]));
    let (partial, others_fixed) = key.fixed.split_first().ok_or(Malformed)?;
    let (partial_value, fixed_values) = values.fixed.split_first().ok_or(Malformed)?;
    two.push(claim(one(partial), vec![*partial_value, values.next_partial]));
    // All other products: at the last usable row too.
    let of_others = others.iter().zip(other_values);
    let three: Vec<Claim> =
        of_others.map(|(point, v)| claim(one(point), vec![v.own, v.next, v.last.unwrap_or_default()])).collect();
    // All else: at this row.
    let of_key = others_fixed.iter().zip(fixed_values).chain(key.copies.iter().zip(&values.copies));
    let mut single: Vec<Claim> = of_key.map(|(point, value)| claim(one(point), vec![*value])).collect();
    let powers = std::iter::successors(Some(Fr::one()), |power| Some(*power * (domain.vanishing + Fr::one())));
    single.push(claim(pieces.iter().copied().zip(powers).collect(), vec![quotient]));
    single.push(claim(one(&random), vec![values.random]));
    let mut sets = vec![(vec![x, next], two)];
    if !three.is_empty() {
        sets.push((vec![x, next, last], three));
    }
    sets.push((vec![x], single));
    let equation = shplonk(&mut reader, &sets)?;
    Ok(Reduced { equation, transcript: reader.finish()? })
}

/// SHPLONK: sets of claims, each set at points of its own, the first one's points among those of all others or all of them.
fn shplonk(reader: &mut Reader, sets: &[(Vec<Fr>, Vec<Claim>)]) -> Result<Equation, Malformed> {
    let (y, v) = (reader.challenge(), reader.challenge());
    let quotient = reader.point()?;
    let u = reader.challenge();
    let witness = reader.point()?;

    let mut all: Vec<Fr> = Vec::new();
    for point in sets.iter().flat_map(|(points, _)| points) {
        if !all.contains(point) {
            all.push(*point);
        }
    }
    let vanishing = |points: &[Fr]| points.iter().map(|point| u - point).product::<Fr>();
    let outside = |own: &[Fr]| all.iter().filter(|point| !own.contains(point)).map(|point| u - point).product::<Fr>();
    let (first, _) = sets.first().ok_or(Malformed)?;
    let scale = outside(first).inverse().ok_or(Malformed)?;

    let mut terms = Vec::new();
    let mut constant = Fr::ZERO;
    let mut of_set = Fr::one();
    for (points, claims) in sets {
        let mut weight = of_set * outside(points) * scale;
        for Claim { commitment, values } in claims {
            terms.extend(commitment.iter().map(|(point, scalar)| (*point, *scalar * weight)));
            constant += weight * interpolate(points, values, u)?;
            weight *= y;
        }
        of_set *= v;
    }
    terms.push((G1Affine::generator(), -constant));
    terms.push((quotient, -vanishing(first)));
    terms.push((witness, u));
    Ok(Equation::new(terms, witness))
}

/// The value at `u` of the polynomial of least degree with these values.
fn interpolate(points: &[Fr], values: &[Fr], u: Fr) -> Result<Fr, Malformed> {
    let mut sum = Fr::ZERO;
    for (i, (point, value)) in points.iter().zip(values).enumerate() {
        let others = || points.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, other)| other);
        let numerator: Fr = others().map(|other| u - other).product();
        let denominator: Fr = others().map(|other| *point - other).product();
        sum += *value * numerator * denominator.inverse().ok_or(Malformed)?;
    }
    Ok(sum)
}
