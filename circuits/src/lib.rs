//! The constraints that a fixed-point program lowers to, and the verifier's half of the core argument.

pub mod architecture;
pub mod argument;
pub mod backend;
pub mod blinds;
pub mod encoding;
pub mod files;
pub mod ir;
pub mod key;
pub mod layout;
pub mod lowering;
pub mod mle;
pub mod points;
pub mod poseidon;
pub mod shell;
pub mod sponge;
pub mod tensor_opening;
pub mod transcript;
pub mod validate;
