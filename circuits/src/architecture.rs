//! What a setup publishes of a model beside the verifying key: all that the key's constraints follow from, and no weights.
//!
//! The key names its architecture by a digest ([`Architecture::digest`]). Whoever has the architecture can read what is proven, lower it
//! ([`crate::lowering`]), and so recompute all of the key but the commitments to the weights and the name.

use serde::{Deserialize, Serialize};
use sha3::{Digest, Keccak256};
use vouch_program::{Interval, Op, Outline, Program, intervals};

use crate::encoding::{DecodeError, decode_exactly, encode};
use crate::files::{self, Kind};
use crate::ir::{Classes, Role, Visibility};
use crate::key::PROTOCOL_VERSION;
use crate::lowering::bounds::NodeBounds;
use crate::lowering::limits::Limits;
use crate::lowering::{LowerError, Lowered, Style, Visible, lower_architecture};

/// A model without its weights, and how it is proven.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Architecture {
    /// How it is lowered, where there is a choice.
    pub style: Style,
    /// The program without its weights.
    pub outline: Outline,
    /// What lowering takes from the interval analysis, for each node.
    pub bounds: Vec<NodeBounds>,
    /// What proofs show of each input.
    pub inputs: Vec<Visibility>,
    /// What they show of each output.
    pub outputs: Vec<OutputRecord>,
}

/// What is said of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputRecord {
    /// What proofs show of it.
    pub visibility: Visibility,
    /// Least and greatest value that an honest run can have, rounded outward to powers of two.
    pub range: (i64, i64),
    /// Whether its places stand for classes.
    pub classes: Classes,
}

impl Architecture {
    /// A program's, each input and output as visible as `visibility` says, in the style of [`Style::TABLES`] and without classes. Safe on
    /// untrusted programs.
    ///
    /// # Errors
    /// The first rule that the program breaks, or its first value with more bits than constraints are made for.
    pub fn of(program: &Program, visibility: &Visible) -> Result<Self, LowerError> {
        let intervals = intervals(program)?;
        let bounds = NodeBounds::all_of(program, &intervals)?;
        let inputs = program.inputs.iter().map(|port| visibility(Role::Input, &port.name)).collect();
        let output = |port: &vouch_program::Port| {
            // Exact bounds of an output would follow from the weights.
            let Interval { lo, hi } = intervals[port.node.index()].outward();
            let visibility = visibility(Role::Output, &port.name);
            OutputRecord { visibility, range: (lo, hi), classes: Classes::None }
        };
        let outputs = program.outputs.iter().map(output).collect();
        Ok(Self { style: Style::TABLES, outline: Outline::of(program), bounds, inputs, outputs })
    }

    /// The constraints.
    ///
    /// # Errors
    /// As of [`lower_architecture`].
    pub fn lower(&self, limits: Limits) -> Result<Lowered, LowerError> {
        lower_architecture(self, self.style, limits)
    }

    /// Names it. The verifying key has this digest.
    pub fn digest(&self) -> [u8; 32] {
        let hash = Keccak256::new().chain_update(b"vouch architecture").chain_update(PROTOCOL_VERSION.to_be_bytes());
        hash.chain_update(encode(self)).finalize().into()
    }

    /// Whether it is one: whether the program keeps its rules and everything that is said of it fits.
    pub(crate) fn check(&self) -> Result<(), LowerError> {
        self.outline.check()?;
        let program = self.outline.program();
        let misfit = |source: &str| LowerError::Bounds { origin: source.to_string() };
        if self.bounds.len() != program.nodes.len() {
            return Err(misfit("the program"));
        }
        if let Some((node, _)) = program.nodes.iter().zip(&self.bounds).find(|(node, bounds)| !bounds.fit(node)) {
            return Err(misfit(&node.source));
        }
        if self.inputs.len() != program.inputs.len() || self.outputs.len() != program.outputs.len() {
            return Err(LowerError::Ports("it does not speak of each of them"));
        }
        for (port, record) in program.outputs.iter().zip(&self.outputs) {
            if let Op::Weight { .. } = program.node(port.node).op {
                return Err(LowerError::PublishesWeights(port.name.clone()));
            }
            if record.visibility == Visibility::Private {
                return Err(LowerError::Ports("an output is not private"));
            }
        }
        Ok(())
    }

    /// As a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        files::seal(Kind::Architecture, &encode(self))
    }

    /// From a file. It still has to be [lowered](Self::lower), which checks it.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn from_bytes(file: &[u8]) -> Result<Self, DecodeError> {
        decode_exactly(files::open(file, Kind::Architecture)?, "architecture")
    }
}
