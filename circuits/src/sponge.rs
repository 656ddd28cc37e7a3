//! The duplex sponge of the transcript, generic over the arithmetic, so that both ends of the native transcript and a circuit's run
//! the same one.
//!
//! Cell 0 of the state is the capacity, the others are the rate. Absorbing adds into the rate cells; a challenge first adds the number of
//! elements absorbed since the last one to the capacity, permutes, and takes the first rate cell. A second challenge with nothing in
//! between takes the second one, without another permutation. Step labels are added to the capacity too, above all counts.

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, PrimeField};

use crate::backend::{Arithmetic, Step};
use crate::poseidon::WIDTH;

/// Domain tag of this protocol and its version, the sponge's initial capacity.
const DOMAIN: &[u8] = b"vouch core argument v22";
/// Elements that one permutation absorbs.
pub const RATE: usize = WIDTH - 1;

/// What is added to a sponge's state before a permutation.
#[derive(Clone, Debug)]
pub struct Block<S> {
    /// To the capacity; known from the protocol alone.
    pub capacity: Fr,
    /// To the rate cells, as many as there are.
    pub messages: [Option<S>; RATE],
}

impl<S> Default for Block<S> {
    fn default() -> Self {
        Self { capacity: Fr::ZERO, messages: [None, None] }
    }
}

/// Arithmetic that can permute.
pub trait Permute: Arithmetic {
    /// Adds the block to the state and applies Poseidon's permutation ([`crate::poseidon`]).
    fn permute(&mut self, state: &mut [Self::Scalar; WIDTH], block: Block<Self::Scalar>);
}

/// The sponge.
#[derive(Clone, Debug)]
pub struct Sponge<S> {
    state: [S; WIDTH],
    block: Block<S>,
    /// Messages in `block`.
    position: usize,
    /// Elements absorbed since the last challenge.
    absorbed: u64,
    /// Whether the second rate cell is a challenge that nobody has taken yet.
    second: bool,
}

impl<S: Clone> Sponge<S> {
    /// At the transcript's beginning.
    pub fn new<A: Arithmetic<Scalar = S>>(ar: &mut A) -> Self {
        Self::of_domain(ar, DOMAIN)
    }

    /// With another domain tag, for what is no transcript.
    pub fn of_domain<A: Arithmetic<Scalar = S>>(ar: &mut A, domain: &[u8]) -> Self {
        let capacity = ar.constant(Fr::from_be_bytes_mod_order(domain));
        let zero = ar.constant(Fr::ZERO);
        let state = [capacity, zero.clone(), zero];
        Self { state, block: Block::default(), position: 0, absorbed: 0, second: false }
    }

    /// Marks the beginning of a step.
    pub fn label(&mut self, step: Step) {
        // Above any count of absorbed elements, so that labels and counts cannot be traded for each other.
        self.block.capacity += Fr::from(step as u64) * Fr::from(1u128 << 64);
        self.second = false;
    }

    /// Absorbs one element.
    pub fn absorb<P: Permute<Scalar = S>>(&mut self, p: &mut P, value: &S) {
        if self.position == RATE {
            self.permute(p);
        }
        self.block.messages[self.position] = Some(value.clone());
        self.position += 1;
        self.absorbed += 1;
        self.second = false;
    }

    /// A challenge that depends on everything absorbed so far.
    pub fn challenge<P: Permute<Scalar = S>>(&mut self, p: &mut P) -> S {
        if std::mem::take(&mut self.second) {
            return self.state[2].clone();
        }
        self.block.capacity += Fr::from(std::mem::take(&mut self.absorbed));
        self.permute(p);
        self.second = true;
        self.state[1].clone()
    }

    fn permute<P: Permute<Scalar = S>>(&mut self, p: &mut P) {
        p.permute(&mut self.state, std::mem::take(&mut self.block));
        self.position = 0;
    }
}
