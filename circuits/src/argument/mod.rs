//! The core argument: the verifier's half of each step, written once over [`crate::backend`].

pub mod opening;
