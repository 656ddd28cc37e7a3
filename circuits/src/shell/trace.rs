//! The verifier's end of the transcript as a circuit has it: messages are the prover's choice, challenges are Poseidon's output.

use ark_bn254::Fr;
use ark_ff::AdditiveGroup;

use super::arithmetic::{Arithmetizer, Traced};
use crate::backend::{Arithmetic, Channel, Check, Step};
use crate::poseidon::WIDTH;
use crate::sponge::{Block, Permute, Sponge};

/// The messages of a core transcript.
#[derive(Clone, Copy, Debug, Default)]
pub struct Messages<'a> {
    /// The scalars sent.
    pub scalars: &'a [Fr],
    /// The point groups' digests.
    pub digests: &'a [Fr],
    /// The statement's hashes.
    pub hashes: &'a [Fr],
}

/// A channel that records. Messages that are missing are zero, and remembered as a failure.
pub struct Trace<'a> {
    /// The rows so far.
    pub arithmetizer: Arithmetizer,
    /// The digests absorbed.
    pub digests: Vec<Traced>,
    /// The statement's hashes.
    pub hashes: Vec<Traced>,
    sponge: Sponge<Traced>,
    messages: Messages<'a>,
}

impl<'a> Trace<'a> {
    /// At the transcript's beginning.
    pub fn new(messages: Messages<'a>) -> Self {
        Self::within(messages, usize::MAX)
    }

    /// The same, for at most so many rows.
    pub fn within(messages: Messages<'a>, limit: usize) -> Self {
        let mut arithmetizer = Arithmetizer::within(limit);
        let sponge = Sponge::new(&mut arithmetizer);
        Self { arithmetizer, digests: Vec::new(), hashes: Vec::new(), sponge, messages }
    }

    /// A value that the outer verifier knows.
    pub fn witness(&mut self, value: Fr) -> Traced {
        self.arithmetizer.witness(value)
    }

    /// Remembers messages that are left over as a failure, and gives the rows.
    pub fn finish(mut self) -> Arithmetizer {
        let Messages { scalars, digests, hashes } = self.messages;
        if !(scalars.is_empty() && digests.is_empty() && hashes.is_empty()) {
            self.arithmetizer.fail(Check::Shape);
        }
        self.arithmetizer
    }

    fn take(ar: &mut Arithmetizer, messages: &mut &[Fr]) -> Fr {
        match messages.split_first() {
            Some((first, rest)) => {
                *messages = rest;
                *first
            }
            None => {
                ar.fail(Check::Shape);
                Fr::ZERO
            }
        }
    }

    fn absorb(&mut self, message: Fr) -> Traced {
        let message = self.witness(message);
        self.sponge.absorb(&mut self.arithmetizer, &message);
        message
    }
}

impl Channel for Trace<'_> {
    fn label(&mut self, step: Step) {
        self.sponge.label(step);
    }

    fn read(&mut self) -> Result<Traced, Check> {
        let value = Self::take(&mut self.arithmetizer, &mut self.messages.scalars);
        Ok(self.absorb(value))
    }

    fn read_points(&mut self) -> Result<(), Check> {
        let digest = Self::take(&mut self.arithmetizer, &mut self.messages.digests);
        let digest = self.absorb(digest);
        self.digests.push(digest);
        Ok(())
    }

    fn stated_hash(&mut self) -> Result<Traced, Check> {
        let hash = Self::take(&mut self.arithmetizer, &mut self.messages.hashes);
        let hash = self.witness(hash);
        self.hashes.push(hash.clone());
        Ok(hash)
    }

    fn read_hashed(&mut self) -> Result<Traced, Check> {
        let value = Self::take(&mut self.arithmetizer, &mut self.messages.scalars);
        Ok(self.witness(value))
    }

    fn challenge(&mut self) -> Traced {
        self.sponge.challenge(&mut self.arithmetizer)
    }
}

impl Permute for Trace<'_> {
    fn permute(&mut self, state: &mut [Traced; WIDTH], block: Block<Traced>) {
        self.arithmetizer.permute(state, block);
    }
}

impl Arithmetic for Trace<'_> {
    type Scalar = Traced;

    fn constant(&mut self, value: Fr) -> Traced {
        self.arithmetizer.constant(value)
    }
    fn add(&mut self, a: &Traced, b: &Traced) -> Traced {
        self.arithmetizer.add(a, b)
    }
    fn sub(&mut self, a: &Traced, b: &Traced) -> Traced {
        self.arithmetizer.sub(a, b)
    }
    fn mul(&mut self, a: &Traced, b: &Traced) -> Traced {
        self.arithmetizer.mul(a, b)
    }
    fn scale(&mut self, a: &Traced, c: Fr) -> Traced {
        self.arithmetizer.scale(a, c)
    }
    fn invert(&mut self, a: &Traced, check: Check) -> Result<Traced, Check> {
        self.arithmetizer.invert(a, check)
    }
    fn assert_equal(&mut self, a: &Traced, b: &Traced, check: Check) -> Result<(), Check> {
        self.arithmetizer.assert_equal(a, b, check)
    }
}
