//! The program crate through its public face, against the definitions in `program.rs` read literally.

mod batch;
mod build;
mod execute;
mod interval;
mod kernel;
mod layers;
mod random;
mod reference;
mod validate;
