//! Provers that cheat: each test builds a lie as consistent as a clever prover could make it, and names the check that refuses it.
//!
//! The cheating prover ([`cheat`]) follows docs/PROTOCOL.md on its own, over field elements, so that it can commit to what an honest
//! witness cannot hold, deviate in any message, and bend what follows so that the verifier's next checks still pass. Every lie is
//! told along a way on which the truth is accepted.

#[path = "../operators/build.rs"]
#[allow(dead_code)]
mod build;
#[path = "../evm/chain.rs"]
mod chain;
mod cheat;
mod committed_lies;
mod contract;
mod contractions;
mod encoding_lies;
mod fraction_lies;
mod hash_lies;
mod key_lies;
mod lookup_lies;
mod lookups;
mod needed;
mod opening;
mod padding_lies;
mod perturbed;
mod product_lies;
mod programs;
mod protocol_lies;
mod replay_lies;
mod scene;
mod shell_lies;
mod solve;
mod statement_lies;
mod sumcheck;
mod unique;
mod values;
mod visibility_lies;
mod witness_lies;
mod wrapped;
mod wrapped_lies;
