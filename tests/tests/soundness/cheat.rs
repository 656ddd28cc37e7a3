//! The cheating prover: the protocol of docs/PROTOCOL.md, section 10, over whatever values it is given, every message open to change.

use std::collections::BTreeMap;

use ark_bn254::{Fr, G1Affine};
use ark_ff::{AdditiveGroup, Field};
use vouch_circuits::argument::claims::{BatchClaims, Points as ClaimPoints, TensorClaim};
use vouch_circuits::argument::key::{CoreProof, public_at, statement};
use vouch_circuits::argument::lookups::beta_powers;
use vouch_circuits::argument::{Challenges, Stated, batch_claims, chunk_weights, linear_claim};
use vouch_circuits::backend::{Plain, Step};
use vouch_circuits::ir::*;
use vouch_circuits::layout::{Leaf, Vector};
use vouch_circuits::mle::{Wire, eq_table};
use vouch_circuits::tensor_hash::{self, PACKED_BITS};
use vouch_circuits::transcript::Writer;

use crate::opening::open;
use crate::scene::{CHUNK_BITS, Scene, commit, flat, randoms};
use crate::sumcheck::{Product, next_claim};
use crate::values::{Values, columns, columns_with, contract, digits, for_all, publics};
use crate::{contractions, lookups};

/// A message of scalars, or a place within one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// What makes the challenges unlike any other proof's.
    Salt,
    /// `p0, p1, q0, q1` below the root.
    Root,
    /// `h(1)` and the leading coefficient.
    FractionRound(usize),
    /// `y(r), Q(r)`.
    FractionEnd,
    /// Two coefficients.
    LookupRound { depth: usize, round: usize },
    /// `p0, p1, q0, q1` at the end of a layer.
    Children { depth: usize },
    /// The contractions' value.
    Total,
    /// Two or three coefficients.
    ContractionRound(usize),
    /// Three coefficients.
    NumberRound(usize),
    /// Both sides' values.
    Operands,
    /// Two coefficients.
    BatchRound(usize),
    /// `x(ρ), w(ρ)`, and `y(ρ)` if there is a `y`.
    Vectors,
    /// The combined blind.
    Blind,
    /// The opening's only scalar.
    Opening,
}

/// A group of points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Points {
    Commitments,
    Fractions,
    Cross,
    Quotient,
    Witness,
}

/// How far the prover bends its messages so that the verifier's checks pass in spite of a lie: up to and with this step's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bend {
    Nothing,
    Root,
    Lookups,
    Contractions,
    Batch,
}

pub const BENDS: [Bend; 5] = [Bend::Nothing, Bend::Root, Bend::Lookups, Bend::Contractions, Bend::Batch];

type Tamper<'a, K, V> = Box<dyn Fn(K, &mut [V]) + 'a>;
/// Given numerators and denominators.
type TamperLeaves<'a> = Box<dyn Fn(&mut [Fr], &mut [Fr]) + 'a>;

/// Changes the elements of all hashed tensors.
pub type TamperElements<'a> = Box<dyn Fn(&mut [Vec<Fr>]) + 'a>;

type TamperFractions<'a> = Box<dyn Fn(&mut [Fr]) + 'a>;

/// One lie.
pub struct Cheat<'a> {
    pub scene: &'a Scene,
    /// What is committed to.
    pub values: &'a Values,
    /// What is used once the commitments are sent, if it is something else.
    pub later: Option<&'a Values>,
    /// What the rows of lookups and tables are taken from, if it is something else.
    pub leaves_from: Option<&'a Values>,
    /// Whether `later` is opened too, instead of what was committed to.
    pub open_later: bool,
    /// What is stated, if not what was committed to.
    pub publics: Option<Vec<Vec<i64>>>,
    /// The statement's first part, if not the key's digest.
    pub digest: [u8; 32],
    /// What the proof is bound to.
    pub context: Option<[u8; 32]>,
    /// The constraints, if the prover has an idea of its own.
    pub system: &'a ConstraintSystem,
    pub bend: Bend,
    /// Changes a message before it is bent and sent.
    pub tamper: Tamper<'a, Message, Fr>,
    /// The same for points.
    pub tamper_points: Tamper<'a, Points, G1Affine>,
    /// Changes what is hashed.
    pub tamper_elements: TamperElements<'a>,
    /// Changes what is sent and stated of hashed tensors, once their hashes are known.
    pub tamper_hashed: Box<dyn Fn(&mut Hashed) + 'a>,
    /// Changes the leaves' numerators and denominators.
    pub tamper_leaves: TamperLeaves<'a>,
    /// Changes the fractions that are committed to, as whole chunks: positions beyond the layer's nodes among them.
    pub tamper_fractions: TamperFractions<'a>,
    /// Changes what stands in the place of `y` in the sumcheck, fractions and products' factors.
    pub tamper_factors: TamperFractions<'a>,
    /// A coefficient of the opening's cross terms that is another.
    pub alter_cross: Option<usize>,
    /// Contractions that are computed over other values than the rest.
    pub lied_to: BTreeMap<ContractionId, Values>,
    /// Added to `x`'s positions beyond all tensors, the mask's among them.
    pub junk: Fr,
}

/// The transcript, with the changes on the way to it.
pub struct Sender<'a> {
    pub writer: Writer,
    cheat: &'a Cheat<'a>,
}

impl Sender<'_> {
    /// Sends a message: changed, then bent by `bend` if the prover goes that far.
    pub fn scalars(&mut self, message: Message, values: &mut [Fr], bend: impl FnOnce(&mut [Fr])) {
        (self.cheat.tamper)(message, values);
        let reach = self.cheat.bend;
        let bent = match message {
            Message::Root => reach >= Bend::Root,
            Message::Children { .. } => reach >= Bend::Lookups,
            Message::Operands => reach >= Bend::Contractions,
            Message::Vectors => reach >= Bend::Batch,
            _ => false,
        };
        if bent {
            bend(values);
        }
        values.iter().for_each(|v| self.writer.write(*v));
    }

    /// Sends a message that is never bent.
    pub fn plain(&mut self, message: Message, values: &mut [Fr]) {
        self.scalars(message, values, |_| ());
    }

    /// Sends points, changed.
    pub fn points(&mut self, points: Points, values: &mut [G1Affine]) {
        (self.cheat.tamper_points)(points, values);
        // Nothing depends on the last one.
        if points != Points::Witness {
            self.writer.write_points(values);
        }
    }
}

impl<'a> Sender<'a> {
    /// Contractions that are computed over other values than the rest.
    pub fn lied_to(&self) -> &'a BTreeMap<ContractionId, Values> {
        &self.cheat.lied_to
    }
}

impl<'a> Cheat<'a> {
    /// No lie but what the values hold.
    pub fn new(scene: &'a Scene, values: &'a Values) -> Self {
        Self {
            scene,
            values,
            later: None,
            leaves_from: None,
            open_later: false,
            publics: None,
            digest: scene.digest,
            context: None,
            system: scene.system(),
            bend: Bend::Nothing,
            tamper: Box::new(|_, _| ()),
            tamper_points: Box::new(|_, _| ()),
            tamper_elements: Box::new(|_| ()),
            tamper_hashed: Box::new(|_| ()),
            tamper_leaves: Box::new(|_, _| ()),
            tamper_fractions: Box::new(|_| ()),
            tamper_factors: Box::new(|_| ()),
            alter_cross: None,
            lied_to: BTreeMap::new(),
            junk: Fr::ZERO,
        }
    }

    /// The proof.
    pub fn prove(&self) -> CoreProof {
        let scene = self.scene;
        let (system, layout) = (self.system, &scene.layout);
        let size = 1 << CHUNK_BITS;
        let publics = self.publics.clone().unwrap_or_else(|| publics(system, self.values));
        let used = self.later.unwrap_or(self.values);
        // The mask's positions and all that are unused.
        let mask = randoms(layout.x_chunks() * size - layout.x_len);
        let vector_x = |values: &Values| {
            let mut x = flat(layout, Vector::X, values, layout.x_len);
            x.extend(mask.iter().map(|v| *v + self.junk));
            x.resize(1 << layout.x_bits(), Fr::ZERO);
            x
        };
        let committed = vector_x(self.values);
        let x = vector_x(used);
        let blinds = randoms(layout.x_chunks());
        let mut x_commitments: Vec<G1Affine> =
            committed.chunks(size).zip(&blinds).map(|(chunk, blind)| commit(chunk, blind)).collect();

        let hashed = self.hashed(used);
        let hashes = hashed.hashes.clone();

        let mut sender = Sender { writer: Writer::default(), cheat: self };
        for (salt, elements) in hashed.salts.iter().zip(&hashed.elements) {
            sender.writer.write_hashed(&[*salt]);
            sender.writer.write_hashed(elements);
        }
        sender.writer.label(Step::Commitments);
        (self.tamper_points)(Points::Commitments, &mut x_commitments);
        sender.writer.write_first(&statement(&self.digest, self.context.as_ref(), &hashes, &publics), &x_commitments);
        sender.plain(Message::Salt, &mut randoms(1));

        sender.writer.label(Step::Lookups);
        let beta = sender.writer.challenge();
        let alpha = sender.writer.challenge();
        let challenges = Challenges { alpha, beta };
        let layers = lookups::tree(self.leaves(self.leaves_from.unwrap_or(used), &challenges), layout.layer);
        let y = self.fractions(&layers);
        let y_blinds = randoms(layout.chunks().y);
        let mut y_commitments: Vec<G1Affine> =
            y.chunks(size).zip(&y_blinds).map(|(chunk, blind)| commit(chunk, blind)).collect();
        if layout.layer > 0 {
            sender.points(Points::Fractions, &mut y_commitments);
        }
        let left = self.factors(self.leaves_from.unwrap_or(used), &y);
        let rows = lookups::prove(&mut sender, layers, layout.layer, left);

        sender.writer.label(Step::Contractions);
        let gamma = sender.writer.challenge();
        let mut at = |_: &mut Plain, i: usize, point: &[Fr]| {
            public_at(&system.tensor(system.publics[i].tensor).shape, &publics[i], point)
        };
        let stated = Stated { elements: &hashed.elements, public_at: &mut at };
        let (reduction, target) = linear_claim(&mut Plain, system, layout, &challenges, &rows, &gamma, stated);
        let operands = contractions::prove(&mut sender, system, used, &reduction.contractions, &rows.leaves.point);

        let eta = sender.writer.challenge();
        let rest = target - operands.total;
        let (claims, target) = batch_claims(&mut Plain, reduction, rows.leaves.point, operands, &rest, &eta);
        let mut w = flat(layout, Vector::W, used, layout.w_len);
        w.resize(1 << layout.w_bits(), Fr::ZERO);
        let mut long_y = y.clone();
        long_y.resize(1 << layout.y_bits(), Fr::ZERO);
        let (rho, vectors) = self.prove_batch(&mut sender, &claims, target, [&x, &w, &long_y]);

        let delta = sender.writer.challenge();
        let weights = chunk_weights(&layout.chunks(), &rho[CHUNK_BITS..], &delta);
        let weighted = |weights: &[Fr], values: &[Fr]| -> Fr { weights.iter().zip(values).map(|(a, b)| *a * b).sum() };
        let blind =
            weighted(&weights.w, &scene.w_blinds) + weighted(&weights.x, &blinds) + weighted(&weights.y, &y_blinds);
        sender.plain(Message::Blind, &mut [blind]);
        let (open_w, open_x) = if self.open_later { (&w, &x) } else { (&scene.w, &committed) };
        let mut g = vec![Fr::ZERO; size];
        for (weights, vector) in [(&weights.w, open_w), (&weights.x, open_x), (&weights.y, &y)] {
            for (weight, chunk) in weights.iter().zip(vector.chunks(size)) {
                g.iter_mut().zip(chunk).for_each(|(sum, value)| *sum += *weight * value);
            }
        }
        let claim = vectors[1] + delta * vectors[0] + delta.square() * vectors.get(2).copied().unwrap_or_default();
        let opening = open(&mut sender, &g, &rho[..CHUNK_BITS], claim, self.alter_cross);
        let scalars = sender.writer.into_scalars();
        let key_digest = self.digest;
        CoreProof { key_digest, context: self.context, hashes, publics, x_commitments, y_commitments, scalars, opening }
    }

    /// What is hashed, and sent of it.
    fn hashed(&self, values: &Values) -> Hashed {
        let system = self.system;
        let publics = system.publics.iter().filter(|public| public.is_hashed());
        let elements = publics.clone().map(|public| elements(&values[public.tensor.0 as usize])).collect();
        let mut hashed = Hashed { salts: randoms(publics.clone().count()), elements, hashes: Vec::new() };
        (self.tamper_elements)(&mut hashed.elements);
        let each = publics.zip(&hashed.salts).zip(&hashed.elements);
        let hash = each.map(|((public, salt), elements)| {
            tensor_hash::hash(&mut Plain, system.tensor(public.tensor).bits(), salt, elements)
        });
        hashed.hashes = hash.collect();
        (self.tamper_hashed)(&mut hashed);
        hashed
    }

    /// The rows of a product's `a`, `b` and `c`.
    fn product(&self, product: usize, values: &Values) -> [Vec<Fr>; 3] {
        let terms = columns(self.system, &self.system.products[product].terms, values);
        [0, 1, 2].map(|k| terms.iter().map(|row| row[k]).collect())
    }

    /// What stands in the place of `y` in the sumcheck: at the nodes before the products the committed fractions, whatever else their chunks
    /// hold, and the products' `a`.
    fn factors(&self, values: &Values, y: &[Fr]) -> Vec<Fr> {
        let layout = &self.scene.layout;
        let mut all = vec![Fr::ZERO; 1 << layout.layer];
        let fractions = layout.fraction_len().min(y.len());
        all[..fractions].copy_from_slice(&y[..fractions]);
        for (leaf, block) in &layout.leaves {
            if let Leaf::Product(i) = leaf {
                all[block.range()].copy_from_slice(&self.product(*i, values)[0]);
            }
        }
        (self.tamper_factors)(&mut all);
        all
    }

    /// What is committed to of the top layer, in whole chunks.
    fn fractions(&self, layers: &[[Vec<Fr>; 2]]) -> Vec<Fr> {
        let layout = &self.scene.layout;
        if layout.layer == 0 {
            return Vec::new();
        }
        let [p, q] = &layers[layers.len() - 1];
        let fractions = p.iter().zip(q).take(layout.fraction_len());
        let mut y: Vec<Fr> = fractions.map(|(p, q)| *p * q.inverse().unwrap_or_default()).collect();
        y.resize(layout.chunks().y << CHUNK_BITS, Fr::ZERO);
        if self.bend >= Bend::Root {
            let sum: Fr = y.iter().sum();
            y[0] -= sum;
        }
        (self.tamper_fractions)(&mut y);
        y
    }

    /// Numerators and denominators of all leaves.
    fn leaves(&self, values: &Values, challenges: &Challenges<Fr>) -> [Vec<Fr>; 2] {
        let (system, layout) = (self.system, &self.scene.layout);
        let powers = beta_powers(&mut Plain, &challenges.beta);
        let seen = |(id, values): (&ContractionId, &Values)| (*id, contract(system, system.contraction(*id), values));
        let results = self.lied_to.iter().map(seen).collect();
        let size = 1usize << layout.leaf_bits;
        let [mut numerators, mut denominators] = [vec![Fr::ZERO; size], vec![Fr::ONE; size]];
        for (leaf, block) in &layout.leaves {
            let (rows, table, counts) = match leaf {
                Leaf::Product(i) => {
                    let [_, b, c] = self.product(*i, values);
                    denominators[block.range()].copy_from_slice(&b);
                    numerators[block.range()].copy_from_slice(&c);
                    continue;
                }
                Leaf::Lookup(i) => {
                    let lookup = &system.lookups[*i];
                    (columns_with(system, &lookup.columns, values, &results), lookup.table, None)
                }
                Leaf::Table(id) => {
                    let table = system.table(*id);
                    (columns(system, &table.columns, values), *id, Some(&values[table.multiplicity.0 as usize]))
                }
            };
            let number = powers[MAX_COLUMNS] * Fr::from(table.0 + 1);
            for (row, columns) in rows.iter().enumerate() {
                let key: Fr = columns.iter().zip(&powers).map(|(c, p)| *c * p).sum();
                denominators[block.offset + row] = challenges.alpha - key - number;
                numerators[block.offset + row] = counts.map_or(Fr::ONE, |counts| -counts[row]);
            }
        }
        (self.tamper_leaves)(&mut numerators, &mut denominators);
        [numerators, denominators]
    }

    /// The point and the claimed values of the vectors there.
    fn prove_batch(
        &self,
        sender: &mut Sender,
        claims: &BatchClaims<Fr>,
        target: Fr,
        [x, w, y]: [&[Fr]; 3],
    ) -> (Vec<Fr>, Vec<Fr>) {
        let (system, layout) = (self.system, &self.scene.layout);
        sender.writer.label(Step::Batch);
        let mut weights = [vec![Fr::ZERO; x.len()], vec![Fr::ZERO; w.len()]];
        let mut add = |tensor: TensorId, values: Vec<Fr>| {
            let (vector, block) = layout.block(tensor);
            let part = &mut weights[usize::from(vector == Vector::W)][block.range()];
            part.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        };
        for (tensor, coef) in &claims.raw {
            let bits = system.tensor(*tensor).bits();
            add(*tensor, eq_table(&claims.points.leaves[..bits]).into_iter().map(|e| e * coef).collect());
        }
        for (tensor, coef) in &claims.packed {
            let bits = system.tensor(*tensor).bits();
            let (low, high) = claims.points.leaves[..bits].split_at(bits.min(PACKED_BITS));
            let elements = eq_table(high);
            let weight = |b: usize| elements[b >> low.len()] * Fr::from(2u64).pow([16 * (b % (1 << low.len())) as u64]);
            add(*tensor, (0..1 << bits).map(|b| weight(b) * coef).collect());
        }
        for claim in &claims.indexed {
            add(claim.tensor, claim_weights(system, claim, &claims.points));
        }
        let [x_weights, w_weights] = weights;
        let mut parts = vec![Product::new(vec![x.to_vec(), x_weights]), Product::new(vec![w.to_vec(), w_weights])];
        parts.extend(claims.fractions.as_ref().map(|claim| {
            let nodes = eq_table(&claim.point).into_iter().map(|e| claim.at_point * e + claim.sum);
            let weights = nodes.take(layout.fraction_len()).chain(std::iter::repeat(Fr::ZERO)).take(y.len()).collect();
            Product::new(vec![y.to_vec(), weights])
        }));
        let mut sum = target;
        let mut rho = Vec::new();
        for round in 0..layout.chunks().rho() {
            let mut message = [Fr::ZERO; 2];
            for part in &parts {
                let coefficients = part.round();
                message[0] += coefficients[0];
                message[1] += coefficients[2];
            }
            sender.plain(Message::BatchRound(round), &mut message);
            let r = sender.writer.challenge();
            sum = next_claim(sum, &message, r);
            parts.iter_mut().for_each(|part| part.fold(r));
            rho.push(r);
        }
        let mut vectors: Vec<Fr> = parts.iter().map(|part| part.factors[0][0]).collect();
        let factors: Vec<Fr> = parts.iter().map(|part| part.factors[1][0] * part.late).collect();
        sender.scalars(Message::Vectors, &mut vectors, |v| {
            let others: Fr = v.iter().zip(&factors).skip(1).map(|(value, factor)| *value * factor).sum();
            v[0] = (sum - others) / factors[0];
        });
        (rho, vectors)
    }
}

/// What a prover says of hashed tensors, in the key's order.
pub struct Hashed {
    pub salts: Vec<Fr>,
    pub elements: Vec<Vec<Fr>>,
    pub hashes: Vec<Fr>,
}

/// A tensor's elements, whatever field elements its values are.
fn elements(values: &[Fr]) -> Vec<Fr> {
    let digit = |(j, value): (usize, &Fr)| (*value + Fr::from(1u64 << 15)) * Fr::from(2u64).pow([16 * j as u64]);
    values.chunks(1 << PACKED_BITS).map(|values| values.iter().enumerate().map(digit).sum()).collect()
}

/// A claim's weights over its tensor's padded positions.
fn claim_weights(system: &ConstraintSystem, claim: &TensorClaim<Fr>, points: &ClaimPoints<Fr>) -> Vec<Fr> {
    let axes = axis_ranges(&system.tensor(claim.tensor).shape);
    let tables: Vec<Vec<Fr>> =
        claim.wires.iter().zip(&axes).map(|(wire, axis)| wire_weights(&wire.at(points), 1 << axis.len())).collect();
    let at = |position| digits(position, &axes).iter().zip(&tables).map(|(i, table)| table[*i]).product::<Fr>();
    (0..1 << system.tensor(claim.tensor).bits()).map(|position| claim.coef * at(position)).collect()
}

fn wire_weights(wire: &Wire<Fr>, size: usize) -> Vec<Fr> {
    let tables: Vec<Vec<Fr>> = wire.terms.iter().map(|(_, point)| eq_table(point)).collect();
    let lens: Vec<usize> = tables.iter().map(Vec::len).collect();
    let mut weights = vec![Fr::ZERO; size];
    for_all(&lens, &mut |at| {
        let index = wire.offset + wire.terms.iter().zip(at).map(|((coef, _), k)| coef * *k as i64).sum::<i64>();
        if (0..wire.len as i64).contains(&index) {
            weights[index as usize] += tables.iter().zip(at).map(|(table, k)| table[*k]).product::<Fr>();
        }
    });
    weights
}
