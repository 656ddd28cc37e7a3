//! The Fiat–Shamir transcript of the core: a Poseidon duplex sponge over `Fr`, with its two ends.
//!
//! Writing ([`Writer`]) and reading ([`Reader`]) share one [`Sponge`], so that both sides absorb and squeeze in the same order. Group
//! elements are absorbed by groups, each as the Keccak-256 digest of their uncompressed encodings, modulo the order: an outer verifier (native
//! or on-chain) recomputes that cheaply, and a shell has one public value for a group however large it is. The first group's digest is of the
//! statement too.

use ark_bn254::{Fr, G1Affine};
use ark_ff::PrimeField;
use sha3::{Digest, Keccak256};

use crate::backend::{Channel, Check, Plain, Step, plain_arithmetic};
use crate::points::encode_g1;
use crate::poseidon::{self, WIDTH};
use crate::sponge::{Block, Permute, Sponge};

impl Permute for Plain {
    fn permute(&mut self, state: &mut [Fr; WIDTH], block: Block<Fr>) {
        state[0] += block.capacity;
        for (cell, message) in state[1..].iter_mut().zip(block.messages) {
            *cell += message.unwrap_or_default();
        }
        poseidon::permute(state);
    }
}

/// The Keccak-256 digest over the points, encoded as in [`crate::points`], modulo the order.
pub fn points_digest(points: &[G1Affine]) -> Fr {
    digest_behind(&[], points)
}

/// The same of the first group, to which the statement belongs: of its digest ([`crate::argument::key::statement`]) and the points.
pub fn first_digest(statement: &[u8; 32], points: &[G1Affine]) -> Fr {
    digest_behind(statement, points)
}

fn digest_behind(bytes: &[u8], points: &[G1Affine]) -> Fr {
    let mut hash = Keccak256::new().chain_update(bytes);
    for point in points {
        hash.update(encode_g1(point));
    }
    Fr::from_be_bytes_mod_order(&hash.finalize())
}

/// The prover's end: records the messages it sends.
#[derive(Clone)]
pub struct Writer {
    sponge: Sponge<Fr>,
    scalars: Vec<Fr>,
}

impl Default for Writer {
    fn default() -> Self {
        Self { sponge: Sponge::new(&mut Plain), scalars: Vec::new() }
    }
}

impl Writer {
    /// Marks the beginning of a step.
    pub fn label(&mut self, step: Step) {
        self.sponge.label(step);
    }

    /// Sends scalars that a hash in the statement determines, without absorbing them.
    pub fn write_hashed(&mut self, values: &[Fr]) {
        self.scalars.extend(values);
    }

    /// Sends one scalar.
    pub fn write(&mut self, value: Fr) {
        self.sponge.absorb(&mut Plain, &value);
        self.scalars.push(value);
    }

    /// Absorbs the statement and the first group of the proof's points.
    pub fn write_first(&mut self, statement: &[u8; 32], points: &[G1Affine]) {
        self.sponge.absorb(&mut Plain, &first_digest(statement, points));
    }

    /// Absorbs a later group.
    pub fn write_points(&mut self, points: &[G1Affine]) {
        self.sponge.absorb(&mut Plain, &points_digest(points));
    }

    /// A challenge.
    pub fn challenge(&mut self) -> Fr {
        self.sponge.challenge(&mut Plain)
    }

    /// All scalars sent, in order.
    pub fn into_scalars(self) -> Vec<Fr> {
        self.scalars
    }
}

/// The verifier's end over plain field elements.
pub struct Reader<'a> {
    sponge: Sponge<Fr>,
    scalars: std::slice::Iter<'a, Fr>,
    digests: std::slice::Iter<'a, Fr>,
    hashes: std::slice::Iter<'a, Fr>,
}

plain_arithmetic!(Reader<'_>);

impl<'a> Reader<'a> {
    /// Reads the proof's `scalars` and the `digests` of its groups of points, each in the order they were sent.
    pub fn new(scalars: &'a [Fr], digests: &'a [Fr]) -> Self {
        let sponge = Sponge::new(&mut Plain);
        Self { sponge, scalars: scalars.iter(), digests: digests.iter(), hashes: [].iter() }
    }

    /// For a statement with these hashes.
    pub fn with_hashes(self, hashes: &'a [Fr]) -> Self {
        Self { hashes: hashes.iter(), ..self }
    }

    /// Refuses a proof with messages left over.
    pub fn finish(self) -> Result<(), Check> {
        let left = [self.scalars.len(), self.digests.len(), self.hashes.len()];
        if left == [0; 3] { Ok(()) } else { Err(Check::Shape) }
    }
}

impl Permute for Reader<'_> {
    fn permute(&mut self, state: &mut [Fr; WIDTH], block: Block<Fr>) {
        Plain.permute(state, block);
    }
}

impl Channel for Reader<'_> {
    fn label(&mut self, step: Step) {
        self.sponge.label(step);
    }

    fn read(&mut self) -> Result<Fr, Check> {
        let value = *self.scalars.next().ok_or(Check::Shape)?;
        self.sponge.absorb(&mut Plain, &value);
        Ok(value)
    }

    fn read_points(&mut self) -> Result<(), Check> {
        let digest = self.digests.next().ok_or(Check::Shape)?;
        self.sponge.absorb(&mut Plain, digest);
        Ok(())
    }

    fn stated_hash(&mut self) -> Result<Fr, Check> {
        self.hashes.next().copied().ok_or(Check::Shape)
    }

    fn read_hashed(&mut self) -> Result<Fr, Check> {
        self.scalars.next().copied().ok_or(Check::Shape)
    }

    fn challenge(&mut self) -> Fr {
        self.sponge.challenge(&mut Plain)
    }
}
