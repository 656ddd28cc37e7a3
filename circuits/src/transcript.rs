//! The Fiat–Shamir transcript of the core: a Poseidon duplex sponge over `Fr`.
//!
//! Writing ([`Writer`]) and reading ([`Reader`]) share one [`Sponge`], so that both sides absorb and squeeze in the same order.
//! Absorbing adds into the two rate cells; a challenge first adds the number of elements absorbed since the last one to the capacity
//! cell, permutes, and takes the first rate cell. Step labels are added to the capacity too, so they cost no
//! permutation. Group elements are absorbed as the two 128-bit halves of the Keccak-256 digest of their
//! uncompressed encodings: an outer verifier (native or on-chain) recomputes that cheaply, and the number of public values of
//! a shell does not depend on how many commitments there are.

use ark_bn254::{Fr, G1Affine};
use ark_ff::{PrimeField, Zero};
use sha3::{Digest, Keccak256};

use crate::backend::{Channel, Check, Step, plain_arithmetic};
use crate::points::encode_g1;
use crate::poseidon::{self, WIDTH};

/// Domain tag of this protocol and its version, the sponge's initial capacity.
const DOMAIN: &[u8] = b"vouch core argument v1";
const RATE: usize = WIDTH - 1;

/// A duplex sponge; cell 0 is the capacity.
#[derive(Clone)]
pub struct Sponge {
    state: [Fr; WIDTH],
    absorbed: u64,
    position: usize,
}

impl Default for Sponge {
    fn default() -> Self {
        let mut state = [Fr::zero(); WIDTH];
        state[0] = Fr::from_be_bytes_mod_order(DOMAIN);
        Self { state, absorbed: 0, position: 0 }
    }
}

impl Sponge {
    /// Marks the beginning of a step.
    pub fn label(&mut self, step: Step) {
        // Above any count of absorbed elements, so that labels and counts cannot be traded for each other.
        self.state[0] += Fr::from(step as u64) * Fr::from(1u128 << 64);
    }

    /// Absorbs one element.
    pub fn absorb(&mut self, value: &Fr) {
        if self.position == RATE {
            poseidon::permute(&mut self.state);
            self.position = 0;
        }
        self.state[1 + self.position] += value;
        self.position += 1;
        self.absorbed += 1;
    }

    /// A challenge that depends on everything absorbed so far.
    pub fn challenge(&mut self) -> Fr {
        self.state[0] += Fr::from(self.absorbed);
        self.absorbed = 0;
        self.position = 0;
        poseidon::permute(&mut self.state);
        self.state[1]
    }

    fn absorb_points(&mut self, points: &[G1Affine]) {
        for limb in points_digest(points) {
            self.absorb(&limb);
        }
    }
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
#[derive(Clone, Default)]
pub struct Writer {
    sponge: Sponge,
    scalars: Vec<Fr>,
}

impl Writer {
    /// Marks the beginning of a step.
    pub fn label(&mut self, step: Step) {
        self.sponge.label(step);
    }

    /// Absorbs a value that the verifier knows by itself.
    pub fn absorb(&mut self, value: &Fr) {
        self.sponge.absorb(value);
    }

    /// Sends one scalar.
    pub fn write(&mut self, value: Fr) {
        self.sponge.absorb(&value);
        self.scalars.push(value);
    }

    /// Absorbs group elements that the proof carries.
    pub fn write_points(&mut self, points: &[G1Affine]) {
        self.sponge.absorb_points(points);
    }

    /// A challenge.
    pub fn challenge(&mut self) -> Fr {
        self.sponge.challenge()
    }

    /// All scalars sent, in order.
    pub fn into_scalars(self) -> Vec<Fr> {
        self.scalars
    }
}

/// The verifier's end over plain field elements.
pub struct Reader<'a> {
    sponge: Sponge,
    scalars: std::slice::Iter<'a, Fr>,
    points: std::slice::Iter<'a, &'a [G1Affine]>,
}

plain_arithmetic!(Reader<'_>);

impl<'a> Reader<'a> {
    /// Reads the proof's `scalars` and its groups of `points`, each in the order they were sent.
    pub fn new(scalars: &'a [Fr], points: &'a [&'a [G1Affine]]) -> Self {
        Self { sponge: Sponge::default(), scalars: scalars.iter(), points: points.iter() }
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
        self.sponge.absorb(value);
    }

    fn read(&mut self) -> Result<Fr, Check> {
        let value = *self.scalars.next().ok_or(Check::Shape)?;
        self.sponge.absorb(&value);
        Ok(value)
    }

    fn read_points(&mut self) -> Result<(), Check> {
        let points = self.points.next().ok_or(Check::Shape)?;
        self.sponge.absorb_points(points);
        Ok(())
    }

    fn challenge(&mut self) -> Fr {
        self.sponge.challenge()
    }
}
