//! How the values of each committed tensor follow from earlier ones: data for the prover's witness generation.
//!
//! A plan says nothing that a verifier needs; it is not part of the verifying key.

use vouch_program::NodeId;

use crate::ir::{ConstraintSystem, TensorId, Virtual};

/// One step of witness generation. All values are taken on padded domains.
#[derive(Clone, Debug)]
pub enum Recipe {
    /// Input port `port`, zero in the padding.
    Input {
        /// Position among the program's inputs.
        port: usize,
        /// Where it goes.
        out: TensorId,
    },
    /// A rescale, a clamp and a function.
    Rescale(Rescale),
    /// `max(lhs, rhs)`.
    Max {
        /// First operand.
        lhs: Virtual,
        /// Second operand.
        rhs: Virtual,
        /// Where it goes.
        out: TensorId,
    },
    /// A virtual tensor's own values.
    Store {
        /// What is stored.
        value: Virtual,
        /// Where it goes.
        out: TensorId,
    },
    /// `out[o] = input[index[o]]` over padded positions.
    Gather {
        /// What is read.
        input: TensorId,
        /// A fixed tensor of padded positions.
        index: TensorId,
        /// Where it goes.
        out: TensorId,
    },
    /// The flags `before[k] = 1` where position `k` is before the first largest element of `input` along `axis`.
    ArgMaxFlags {
        /// What is searched.
        input: TensorId,
        /// Along which axis.
        axis: usize,
        /// Where the flags go; that axis is one shorter.
        before: TensorId,
    },
}

/// `q = floor((value + half) / 2^shift)`, `z = clamp(q)`, `y = func(z)`, and the cells that prove it; a cell that the case at hand does
/// not need is absent.
#[derive(Clone, Debug)]
pub struct Rescale {
    /// What is rescaled.
    pub value: Virtual,
    /// Bits dropped.
    pub shift: u32,
    /// Width of the function's domain.
    pub bits: u32,
    /// The function.
    pub func: RescaleFunc,
    /// The result.
    pub out: TensorId,
    /// The bits dropped: the low 16 and the rest, if `shift` is above 16; else all and none.
    pub remainder: [Option<TensorId>; 2],
    /// The cells of the clamp.
    pub clamp: Option<Clamp>,
}

/// Cells that prove `z = clamp(q)`: `q = window_low + high · 2^low_bits + low`.
#[derive(Clone, Debug)]
pub struct Clamp {
    /// `low`, in `[0, 2^low_bits)`.
    pub low: TensorId,
    /// Width of `low`.
    pub low_bits: u32,
    /// The least value of the window in which `z = q`.
    pub window_low: i64,
    /// `high`: 0 inside the window.
    pub high: TensorId,
    /// 1 where `high` is 0.
    pub inside: TensorId,
    /// `z`, where it is not the result itself.
    pub clamped: Option<TensorId>,
}

/// The function of a [`Rescale`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RescaleFunc {
    /// `z`.
    Identity,
    /// `max(z, 0)`.
    Relu,
    /// A fixed tensor's element at `z + 2^(bits-1)`.
    Table(TensorId),
}

/// A program as constraints, with all that proving needs beside them.
#[derive(Clone)]
pub struct Lowered {
    /// The constraints.
    pub system: ConstraintSystem,
    /// How witness tensors come to be, in order; multiplicities follow from the lookups.
    pub plan: Vec<Recipe>,
    /// The weight nodes behind the model tensors.
    pub model: Vec<(TensorId, NodeId)>,
    /// The fixed tensors' values on their padded domains.
    pub fixed: Vec<(TensorId, Vec<i32>)>,
}
