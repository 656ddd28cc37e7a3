//! What a setup publishes of a model beside the verifying key: the constraints, and the values of the tensors that they fix.
//!
//! The key names the constraints by a digest and commits to the fixed tensors (function tables, gather indices) without a blind. Whoever
//! has the architecture can read what is proven, and recompute all of the key but the commitments to the weights and the name. It holds
//! no weights.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::encoding::{DecodeError, decode_exactly, encode};
use crate::files::{self, Kind};
use crate::ir::{ConstraintSystem, Origin, TensorId};
use crate::layout::Cuts;
use crate::lowering::Lowered;
use crate::validate::{InvalidSystem, MIN_CHUNK_BITS, validate, validate_system};

/// A model without its weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Architecture {
    /// Every constraint.
    pub system: ConstraintSystem,
    /// The fixed tensors' values on their padded positions, in the order of their ids.
    pub fixed: Vec<(TensorId, Vec<i32>)>,
}

/// Why there is no such architecture.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidArchitecture {
    /// The constraints make no sense.
    #[error("its constraints are not well formed: {0}")]
    System(#[from] InvalidSystem),
    /// The values are not those of the fixed tensors, each once, in order, and whole.
    #[error("its values are not those of the tensors that its constraints fix")]
    Fixed,
}

impl Architecture {
    /// A lowered program's.
    pub fn of(lowered: &Lowered) -> Self {
        let mut fixed = lowered.fixed.clone();
        fixed.sort_by_key(|(tensor, _)| *tensor);
        Self { system: lowered.system.clone(), fixed }
    }

    /// Whether it is one that can be cut like this.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, cuts: Cuts) -> Result<(), InvalidArchitecture> {
        validate(&self.system, cuts)?;
        self.check_fixed()
    }

    /// The same for whoever does not know the key's cuts.
    ///
    /// # Errors
    /// What is wrong with it, however it is cut.
    pub fn check_uncut(&self) -> Result<(), InvalidArchitecture> {
        validate_system(&self.system, MIN_CHUNK_BITS)?;
        self.check_fixed()
    }

    fn check_fixed(&self) -> Result<(), InvalidArchitecture> {
        let tensors = self.system.tensors.iter().enumerate().filter(|(_, tensor)| tensor.origin == Origin::Fixed);
        let need = tensors.map(|(id, tensor)| (TensorId(id as u32), 1usize << tensor.bits()));
        if need.eq(self.fixed.iter().map(|(id, values)| (*id, values.len()))) {
            Ok(())
        } else {
            Err(InvalidArchitecture::Fixed)
        }
    }

    /// As a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        files::seal(Kind::Architecture, &encode(self))
    }

    /// From a file. It still has to be [checked](Self::check).
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn from_bytes(file: &[u8]) -> Result<Self, DecodeError> {
        decode_exactly(files::open(file, Kind::Architecture)?, "architecture")
    }
}
