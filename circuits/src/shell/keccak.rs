//! The shell's own transcript, as a contract has it: Keccak-256 over uncompressed big-endian points and scalars.
//!
//! The state is one 32-byte digest, at first that of the protocol's name. Points (`x ‖ y`) and scalars are collected; a challenge is
//! `state ← Keccak(state ‖ collected)`, taken modulo the field's order. (Modulo leaves some values at 6/5 of others' probability, which
//! costs a third of a bit.)

use ark_bn254::Fr;
use ark_ff::PrimeField;
use sha3::{Digest, Keccak256};

/// What the first state is the digest of.
const DOMAIN: &[u8] = b"vouch shell v2";

/// State and what has been absorbed since the last challenge: all of the transcript but for who reads or writes its elements.
#[derive(Clone, Debug)]
pub struct Keccak {
    state: [u8; 32],
    collected: Vec<u8>,
}

impl Default for Keccak {
    fn default() -> Self {
        Self { state: Keccak256::digest(DOMAIN).into(), collected: Vec::new() }
    }
}

impl Keccak {
    /// Collects an encoded point or scalar.
    pub fn absorb(&mut self, bytes: &[u8]) {
        self.collected.extend(bytes);
    }

    /// A challenge: the next state, a big-endian number modulo the field's order.
    pub fn challenge(&mut self) -> Fr {
        self.state = Keccak256::new().chain_update(self.state).chain_update(&self.collected).finalize().into();
        self.collected.clear();
        Fr::from_be_bytes_mod_order(&self.state)
    }
}
