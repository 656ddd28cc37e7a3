//! Polynomial commitments: the structured reference string, multi-scalar multiplication, and the prover's
//! half of the opening.
//!
//! A vector of small integers is cut into chunks of `2^c` entries; a chunk `v` with blind `b` is committed
//! as `Σ_i v_i·[τ^i] + b·B` (KZG; Kate, Zaverucha, Goldberg, Asiacrypt 2010), `B` being
//! [`vouch_circuits::blinds::blind_base`]. So the commitment of a chunk with a uniform blind is uniform.

pub mod ceremony;
pub mod lagrange;
pub mod msm;
pub mod opening;
pub mod repeated;
pub mod srs;

use ark_bn254::Fr;
use ark_ff::PrimeField;
use rand::CryptoRng;

pub use ceremony::{Ceremony, CeremonyError};
pub use msm::{commit_chunks, commit_small, commit_sparse, msm};
pub use opening::{OpeningPoints, open};
pub use repeated::commit_field_chunks;
pub use srs::{Srs, SrsError, Trust};

/// A scalar whose distance from uniform is below `2^-250`.
pub fn random_scalar(rng: &mut impl CryptoRng) -> Fr {
    let mut bytes = [0u8; 64];
    rng.fill_bytes(&mut bytes);
    Fr::from_le_bytes_mod_order(&bytes)
}
