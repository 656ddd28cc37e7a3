//! The check of a proof: all that no circuit checks, in the order of docs/PROTOCOL.md, section 11.

use std::fmt;

use ark_bn254::{Fr, G1Affine};
use serde::{Serialize, Serializer};
use thiserror::Error;
use vouch_circuits::argument::key::{public_at, statement};
use vouch_circuits::argument::opening::point_digests;
use vouch_circuits::backend::Check;
use vouch_circuits::ir::shape_bits;
use vouch_circuits::key::{InvalidKey, Proof, PublicTensor, VerifyingKey, srs_id};
use vouch_circuits::layout::Chunks;
use vouch_circuits::points::encode_g1;
use vouch_circuits::shell::Instances;
use vouch_circuits::shell::instances::{export_count, exports_of};

use crate::pairing::{CoreOpening, OffCurve};
use crate::plonk;
use crate::values::{Shown, as_hex, printable};

/// A verifying key, checked, with what follows from it for every proof.
#[derive(Clone, Debug)]
pub struct PreparedKey {
    key: VerifyingKey,
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
        let (digest, model_id) = (key.digest(), key.model_id());
        Ok(Self { key, digest, model_id })
    }

    /// The key itself.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The key's digest, by which proofs name it.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
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
    /// Not one hash for each hashed input and output.
    #[error("the proof states {have} hashes, the model has {need} hashed inputs and outputs")]
    Hashes {
        /// In the proof.
        have: usize,
        /// By the key.
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
    /// Not as many scalars as the key's shell exports.
    #[error("the proof has {have} scalars beside its shell, the key needs {need}")]
    Exports {
        /// In the proof.
        have: usize,
        /// By the key.
        need: usize,
    },
    /// A point that is not on the curve.
    #[error("a point of the proof is not on the curve")]
    Point,
    /// The shell's equation does not hold, or its proof cannot be read: no run of the core's verifier accepts with the public values that follow from this proof.
    #[error("the shell's proof does not fit the statement, the commitments and the model")]
    Shell,
    /// A check of the core argument; of a whole proof only the group equation is left to the outer verifier.
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
    /// The id of the reference string that the key rests on.
    #[serde(serialize_with = "as_hex")]
    pub srs_id: [u8; 32],
    /// What the proof is bound to, if to anything.
    #[serde(serialize_with = "as_hex_if_any")]
    pub context: Option<[u8; 32]>,
    /// Whether the key's reference string was made locally: then its maker could have forged the proof.
    pub development: bool,
    /// How many inferences the proof is of.
    pub inferences: usize,
    /// What the model was run on and what it gave, as far as the proof shows it.
    #[serde(flatten)]
    pub shown: Shown,
}

fn as_hex_if_any<S: Serializer>(bytes: &Option<[u8; 32]>, serializer: S) -> Result<S::Ok, S::Error> {
    bytes.map(hex::encode).serialize(serializer)
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nmodel {:?}, id {}", self.sentence(), printable(&self.model), hex::encode(self.model_id))?;
        if let Some(context) = self.context {
            write!(f, "\nin the context {}", hex::encode(context))?;
        }
        write!(f, "\n{}", self.shown)
    }
}

impl Verified {
    /// What was proven, in one sentence.
    pub fn sentence(&self) -> String {
        // As many digits as nobody finds another key's id to share.
        let id: String = hex::encode(self.model_id).chars().take(16).collect();
        format!("model {id}… {}", self.shown.sentence())
    }
}

/// Checks `proof` against `key`. Any values that can be put into a [`Proof`] are safe.
///
/// # Errors
/// The first check that the proof fails.
pub fn verify(key: &PreparedKey, proof: &Proof) -> Result<Verified, Refused> {
    let PreparedKey { key, digest, model_id } = key;
    if proof.key_digest != *digest {
        return Err(Refused::OtherKey);
    }
    check_publics(&key.publics, &proof.hashes, &proof.publics)?;
    // The shell knows a group of points by one digest: that each has the size that the key fixes is checked here.
    let chunks = key.chunks();
    check_counts(&chunks, [&proof.x_commitments, &proof.y_commitments])?;
    let leaf = key.exported_leaf();
    let counts = || Refused::Exports { have: proof.exports.len(), need: export_count(leaf, &chunks) };
    let exports = exports_of(leaf, &chunks, &proof.exports).ok_or_else(counts)?;

    let stated = key.publics.iter().zip(&proof.publics).filter(|(public, _)| public.is_stated());
    #[expect(clippy::indexing_slicing, reason = "the leaf point has as many coordinates as the widest of them")]
    let extensions = stated.map(|(public, values)| {
        let point = &exports.leaf[..shape_bits(&public.tensor_shape)];
        public_at(&public.tensor_shape, values, point)
    });
    let statement = statement(digest, proof.context.as_ref(), &proof.hashes, &proof.publics);
    let instances = Instances {
        digests: point_digests(&statement, &proof.x_commitments, &proof.y_commitments, &proof.opening),
        hashes: proof.hashes.clone(),
        publics: extensions.collect(),
        exports,
    };
    let shell = plonk::reduce(&key.shell, &instances.list(), &proof.shell).map_err(|_| Refused::Shell)?;
    let core = CoreOpening {
        chunks,
        w_commitments: &key.w_commitments,
        x_commitments: &proof.x_commitments,
        y_commitments: &proof.y_commitments,
        opening: &proof.opening,
        exports: &instances.exports,
    };
    let core = core.equation()?;
    // Both equations at once. The shell's transcript has absorbed all that they are made of but the core's last point.
    let mut transcript = shell.transcript;
    transcript.absorb(&encode_g1(&proof.opening.witness));
    if !shell.equation.and(&core, transcript.challenge()).holds(key.tau_g2) {
        let of_shell = !shell.equation.holds(key.tau_g2);
        return Err(if of_shell { Refused::Shell } else { Check::Pairing.into() });
    }

    Ok(Verified {
        model: key.name.clone(),
        model_id: *model_id,
        srs_id: srs_id(&key.tau_g2),
        context: proof.context,
        development: key.development,
        inferences: key.inferences(),
        shown: Shown::new(key, &proof.hashes, &proof.publics, &proof.x_commitments),
    })
}

/// As many hashes and public values as the model has, each value in the range that it declares.
pub(crate) fn check_publics(publics: &[PublicTensor], hashes: &[Fr], values: &[Vec<i64>]) -> Result<(), Refused> {
    let need = publics.iter().filter(|public| public.is_hashed()).count();
    if hashes.len() != need {
        return Err(Refused::Hashes { have: hashes.len(), need });
    }
    if values.len() != publics.len() {
        return Err(Refused::PublicCount { have: values.len(), need: publics.len() });
    }
    for (public, values) in publics.iter().zip(values) {
        let need = public.values();
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

/// As many commitments as the key has chunks.
pub(crate) fn check_counts(chunks: &Chunks, [x, y]: [&[G1Affine]; 2]) -> Result<(), Refused> {
    for (have, need) in [(x.len(), chunks.x), (y.len(), chunks.y)] {
        if have != need {
            return Err(Refused::Commitments { have, need });
        }
    }
    Ok(())
}

impl From<OffCurve> for Refused {
    fn from(OffCurve: OffCurve) -> Self {
        Self::Point
    }
}
