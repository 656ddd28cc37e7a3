//! The prover: commitments, the prover's half of each step, witness generation, setup and proving.

pub mod commit;
