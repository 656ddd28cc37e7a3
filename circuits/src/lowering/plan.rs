//! How the values of each committed tensor follow from earlier ones: data for the prover's witness generation.
//!
//! A plan says nothing that a verifier needs; it is not part of the verifying key.

use vouch_program::NodeId;

use super::{ArgMaxFlags, Divide, Gather, Input, Limbs, Max, Multiply, Pick, Rescale, Store, Style};
use crate::ir::{ConstraintSystem, TensorId};

/// One step of witness generation; each operator's file says what its own does. All values are taken on padded domains.
#[derive(Clone, Debug)]
pub enum Recipe {
    /// An input's values.
    Input(Input),
    /// A rescale, a clamp and a function.
    Rescale(Rescale),
    /// The larger of two.
    Max(Max),
    /// A virtual tensor's own values.
    Store(Store),
    /// A product, row by row.
    Multiply(Multiply),
    /// A quotient, row by row.
    Divide(Divide),
    /// Elements picked by a fixed index.
    Gather(Gather),
    /// Elements picked by a computed index.
    Pick(Pick),
    /// The flags of a largest element.
    ArgMaxFlags(ArgMaxFlags),
    /// The digits of a value that is looked up in limbs.
    Limbs(Limbs),
}

/// A program as constraints, with all that proving needs beside them.
#[derive(Clone)]
pub struct Lowered {
    /// The constraints.
    pub system: ConstraintSystem,
    /// How they were chosen.
    pub style: Style,
    /// How witness tensors come to be, in order; multiplicities follow from the lookups.
    pub plan: Vec<Recipe>,
    /// The weight nodes behind the model tensors.
    pub model: Vec<(TensorId, NodeId)>,
    /// The fixed tensors' values on their padded domains.
    pub fixed: Vec<(TensorId, Vec<i32>)>,
}
