//! Checks one vouch proof against one verifying key.

pub mod pairing;
