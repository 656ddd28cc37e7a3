//! The check of a proof: what the key fixes, the core argument's scalars, and the group equation.

use std::fmt;

use ark_bn254::{Fr, G1Affine};
use serde::{Serialize, Serializer};
use thiserror::Error;
use vouch_circuits::argument::{self, Exports, chunk_weights};
use vouch_circuits::backend::Check;
use vouch_circuits::ir::Role;
use vouch_circuits::key::{CoreProof, InvalidKey, VerifyingKey, public_at, statement};
use vouch_circuits::layout::Layout;
use vouch_circuits::transcript::Reader;

use crate::pairing;
use crate::values::{TensorValues, printable};

/// A verifying key, checked, with what follows from it for every proof.
#[derive(Clone, Debug)]
pub struct PreparedKey {
    key: VerifyingKey,
    layout: Layout,
    digest: [u8; 32],
    model_id: [u8; 32],
}

impl PreparedKey {
    /// Checks the key and prepares it.
    ///
    /// # Errors
    /// A key that is not well formed.
    pub fn new(key: VerifyingKey) -> Result<Self, InvalidKey> {
        key.check()?;
        let (layout, digest, model_id) = (key.layout(), key.digest(), key.model_id());
        Ok(Self { key, layout, digest, model_id })
    }

    /// The key itself.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The id of the model that proofs for this key are about.
    pub fn model_id(&self) -> [u8; 32] {
        self.model_id
    }
}

/// Why a proof is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// Made for another key.
    #[error("the proof was made for another verifying key, perhaps another model")]
    OtherKey,
    /// Not as many public tensors as the model has inputs and outputs.
    #[error("the proof states {have} inputs and outputs, the model has {need}")]
    PublicCount {
        /// In the proof.
        have: usize,
        /// In the key.
        need: usize,
    },
    /// A public tensor of another size.
    #[error("the proof states {have} values for {name:?}, the model has {need}")]
    PublicLength {
        /// The input's or output's name.
        name: String,
        /// In the proof.
        have: usize,
        /// In the key.
        need: usize,
    },
    /// A public value that no honest run has; the constraints' meaning depends on the inputs' ranges.
    #[error("value {position} of {name:?} lies outside the range that the model declares")]
    PublicRange {
        /// The input's or output's name.
        name: String,
        /// Row-major.
        position: usize,
    },
    /// Not one commitment for each chunk.
    #[error("the proof has {have} commitments, the key needs {need}")]
    Commitments {
        /// In the proof.
        have: usize,
        /// By the key.
        need: usize,
    },
    /// Not as many fold commitments as a chunk has variables, less one.
    #[error("the proof's opening has {have} folds, the key needs {need}")]
    Folds {
        /// In the proof.
        have: usize,
        /// By the key.
        need: usize,
    },
    /// A check of the core argument.
    #[error(transparent)]
    Check(#[from] Check),
}

/// What an accepted proof shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verified {
    /// The model's name, as the key's maker gave it.
    pub model: String,
    /// The model's id.
    #[serde(serialize_with = "as_hex")]
    pub model_id: [u8; 32],
    /// Whether the key's reference string was made locally: then its maker could have forged the proof.
    pub development: bool,
    /// What the model was run on.
    pub inputs: Vec<TensorValues>,
    /// What it gave.
    pub outputs: Vec<TensorValues>,
}

fn as_hex<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(bytes))
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "model {:?}, id {}", printable(&self.model), hex::encode(self.model_id))?;
        self.inputs.iter().try_for_each(|input| write!(f, "\non the input {}", input.line()))?;
        self.outputs.iter().try_for_each(|output| write!(f, "\ngave the output {output}"))
    }
}

/// Checks `proof` against `key`.
///
/// # Errors
/// The first check that the proof fails.
pub fn verify(key: &PreparedKey, proof: &CoreProof) -> Result<Verified, Refused> {
    let PreparedKey { key, layout, digest, model_id } = key;
    if proof.key_digest != *digest {
        return Err(Refused::OtherKey);
    }
    check_publics(key, &proof.publics)?;
    // The transcript absorbs a group of points as one digest: that each has the size that the key fixes is checked here.
    let (have, need) = (proof.x_commitments.len(), layout.x_chunks() + 1);
    if have != need {
        return Err(Refused::Commitments { have, need });
    }
    let (have, need) = (proof.opening.folds.len(), layout.chunk_bits - 1);
    if have != need {
        return Err(Refused::Folds { have, need });
    }
    let exports = check_argument(key, layout, digest, proof)?;
    check_groups(key, layout, proof, &exports)?;

    let tensors = |role| {
        let publics = key.system.publics.iter().zip(&proof.publics).filter(move |(public, _)| public.role == role);
        publics.map(|(public, q)| TensorValues::new(&public.name, &public.shape, public.frac, q)).collect()
    };
    Ok(Verified {
        model: key.name.clone(),
        model_id: *model_id,
        development: key.development,
        inputs: tensors(Role::Input),
        outputs: tensors(Role::Output),
    })
}

fn check_publics(key: &VerifyingKey, values: &[Vec<i64>]) -> Result<(), Refused> {
    let publics = &key.system.publics;
    if values.len() != publics.len() {
        return Err(Refused::PublicCount { have: values.len(), need: publics.len() });
    }
    for (public, values) in publics.iter().zip(values) {
        let need = key.system.tensor(public.tensor).len();
        if values.len() != need {
            return Err(Refused::PublicLength { name: public.name.clone(), have: values.len(), need });
        }
        let (least, greatest) = public.range;
        if let Some(position) = values.iter().position(|value| !(least..=greatest).contains(value)) {
            return Err(Refused::PublicRange { name: public.name.clone(), position });
        }
    }
    Ok(())
}

/// The core argument over the proof's scalars.
fn check_argument(
    key: &VerifyingKey,
    layout: &Layout,
    digest: &[u8; 32],
    proof: &CoreProof,
) -> Result<Exports<Fr>, Check> {
    let [folds, quotient] = proof.opening.groups();
    let groups: [&[G1Affine]; 3] = [&proof.x_commitments, folds, quotient];
    let mut reader = Reader::new(&proof.scalars, &groups);
    let system = &key.system;
    let mut at = |_: &mut Reader, i: usize, point: &[Fr]| {
        public_at(&system.tensor(system.publics[i].tensor).shape, &proof.publics[i], point)
    };
    let exports = argument::verify(&mut reader, system, layout, &statement(digest, &proof.publics), &mut at)?;
    reader.finish()?;
    Ok(exports)
}

/// The opening of the combined commitment.
fn check_groups(key: &VerifyingKey, layout: &Layout, proof: &CoreProof, exports: &Exports<Fr>) -> Result<(), Check> {
    let chunks = |commitments: &[G1Affine], weights: &[Fr]| -> Result<Vec<(G1Affine, Fr)>, Check> {
        // A chunk without a weight would go unchecked.
        if commitments.len() != weights.len() {
            return Err(Check::Shape);
        }
        Ok(commitments.iter().copied().zip(weights.iter().copied()).collect())
    };
    let (w, x) = chunk_weights(layout, &exports.rho_high, &exports.delta);
    let mut left = chunks(&key.w_commitments, &w)?;
    left.extend(chunks(&proof.x_commitments, &x)?);
    left.extend(pairing::opening_terms(&proof.opening, &exports.opening, exports.blind));
    if pairing::check(&left, proof.opening.witness, key.tau_g2) { Ok(()) } else { Err(Check::Pairing) }
}
