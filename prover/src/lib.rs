//! Proves runs of fixed-point programs.

pub mod commit;
