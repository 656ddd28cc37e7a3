//! The verbs, one module each. Each gives the object that `--json` prints.

pub mod calldata;
pub mod check;
pub mod compile;
pub mod demo;
pub mod evm;
pub mod hash;
pub mod inspect;
pub mod model_id;
pub mod open;
pub mod prove;
pub mod setup;
pub mod srs;
pub mod verify;
pub mod verify_key;
