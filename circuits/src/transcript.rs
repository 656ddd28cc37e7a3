//! The Fiat–Shamir transcript of the core: a Poseidon duplex sponge over `Fr`, with its two ends.
//!
//! Writing ([`Writer`]) and reading ([`Reader`]) share one [`Sponge`], so that both sides absorb and squeeze in the same order. Group
//! elements are absorbed as the two 128-bit halves of the Keccak-256 digest of their uncompressed encodings: an outer verifier (native or
//! on-chain) recomputes that cheaply, and the number of public values of a shell does not depend on how many commitments there are.

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

fn absorb_points(sponge: &mut Sponge<Fr>, points: &[G1Affine]) {
    points_digest(points).iter().for_each(|limb| sponge.absorb(&mut Plain, limb));
}

/// Both 128-bit halves (high, low) of the Keccak-256 digest over the points, encoded as in [`crate::points`].
pub fn points_digest(points: &[G1Affine]) -> [Fr; 2] {
    let mut hash = Keccak256::new();
    for point in points {
        hash.update(encode_g1(point));
    }
    digest_limbs(&hash.finalize())
}

/// The two 128-bit halves (high, low) of a 32-byte digest as field elements.
pub fn digest_limbs(digest: &[u8]) -> [Fr; 2] {
    [Fr::from_be_bytes_mod_order(&digest[..16]), Fr::from_be_bytes_mod_order(&digest[16..32])]
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

    /// Absorbs a value that the verifier knows by itself.
    pub fn absorb(&mut self, value: &Fr) {
        self.sponge.absorb(&mut Plain, value);
    }

    /// Sends one scalar.
    pub fn write(&mut self, value: Fr) {
        self.sponge.absorb(&mut Plain, &value);
        self.scalars.push(value);
    }

    /// Absorbs group elements that the proof carries.
    pub fn write_points(&mut self, points: &[G1Affine]) {
        absorb_points(&mut self.sponge, points);
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
    points: std::slice::Iter<'a, &'a [G1Affine]>,
}

plain_arithmetic!(Reader<'_>);

impl<'a> Reader<'a> {
    /// Reads the proof's `scalars` and its groups of `points`, each in the order they were sent.
    pub fn new(scalars: &'a [Fr], points: &'a [&'a [G1Affine]]) -> Self {
        Self { sponge: Sponge::new(&mut Plain), scalars: scalars.iter(), points: points.iter() }
    }

    /// Refuses a proof with messages left over.
    pub fn finish(self) -> Result<(), Check> {
        if self.scalars.len() == 0 && self.points.len() == 0 { Ok(()) } else { Err(Check::Shape) }
    }
}

impl Channel for Reader<'_> {
    fn label(&mut self, step: Step) {
        self.sponge.label(step);
    }

    fn absorb(&mut self, value: &Fr) {
        self.sponge.absorb(&mut Plain, value);
    }

    fn read(&mut self) -> Result<Fr, Check> {
        let value = *self.scalars.next().ok_or(Check::Shape)?;
        self.sponge.absorb(&mut Plain, &value);
        Ok(value)
    }

    fn read_points(&mut self) -> Result<(), Check> {
        let points = self.points.next().ok_or(Check::Shape)?;
        absorb_points(&mut self.sponge, points);
        Ok(())
    }

    fn challenge(&mut self) -> Fr {
        self.sponge.challenge(&mut Plain)
    }
}
