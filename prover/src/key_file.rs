//! The proving key as a file: the verifying key's file, the architecture and the weights, each after its length, the salt, the reference string.
//!
//! The file is the owner's own and secret. A checksum guards it; that its parts belong together is checked when it is read, that the
//! weights are the committed ones only by proving.

use serde::de::DeserializeOwned;
use thiserror::Error;
use vouch_circuits::architecture::Architecture;
use vouch_circuits::encoding::DecodeError;
use vouch_circuits::files::{self, FileError, Kind};
use vouch_circuits::key::VerifyingKey;

use crate::commit::{Srs, SrsError, Trust};
use crate::setup::{ProvingKey, SetupError};

/// Why bytes are no proving key.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// The container is not whole, or holds something else.
    #[error(transparent)]
    File(#[from] FileError),
    /// A part's length does not fit.
    #[error("its {0} is cut or not well formed")]
    Part(&'static str),
    /// The verifying key in it.
    #[error("the verifying key in it: {0}")]
    VerifyingKey(#[from] DecodeError),
    /// The reference string in it.
    #[error(transparent)]
    ReferenceString(#[from] SrsError),
    /// The parts do not belong together.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

impl ProvingKey {
    /// The key as a file. It holds the weights: to be stored where only its owner can read it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        // Writing to memory can only fail for values that have no length or no size, of which a program has none.
        let architecture = postcard::to_stdvec(&self.architecture).expect("an architecture can be written to memory");
        let weights: Vec<&[i32]> = vouch_program::weights(&self.core.program).collect();
        let weights = postcard::to_stdvec(&weights).expect("weights can be written to memory");
        for part in [self.verifying_key.to_bytes(), architecture, weights] {
            body.extend((part.len() as u64).to_be_bytes());
            body.extend(part);
        }
        body.extend(self.core.salt);
        // Memory takes whatever it is given.
        self.core.srs.write_to(&mut body).expect("a reference string can be written to memory");
        files::seal(Kind::ProvingKey, &body)
    }

    /// The key in a file.
    ///
    /// # Errors
    /// What is wrong with the file or with the key in it.
    pub fn from_bytes(file: &[u8]) -> Result<Self, KeyFileError> {
        let body = files::open(file, Kind::ProvingKey)?;
        let (verifying_key, body) = split_part(body).ok_or(KeyFileError::Part("verifying key"))?;
        let (architecture, body) = split_part(body).ok_or(KeyFileError::Part("architecture"))?;
        let (weights, body) = split_part(body).ok_or(KeyFileError::Part("weights"))?;
        let (salt, srs) = body.split_first_chunk::<32>().ok_or(KeyFileError::Part("salt"))?;
        let verifying_key = VerifyingKey::from_bytes(verifying_key)?;
        let architecture: Architecture = decode(architecture).ok_or(KeyFileError::Part("architecture"))?;
        let weights: Vec<Vec<i32>> = decode(weights).ok_or(KeyFileError::Part("weights"))?;
        let srs = Srs::read_from(srs, Trust::Own)?;
        Ok(Self::from_parts(verifying_key, architecture, weights, srs, *salt)?)
    }
}

/// What bytes are in postcard's format, all of them.
fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Some(value),
        _ => None,
    }
}

/// A part behind its length, and what follows.
fn split_part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u64::from_be_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Needs, SetupOptions, prove, setup};
    use vouch_program::{Node, NodeId, Op, Port, Program};

    fn key(shape: Vec<usize>, salt: u8) -> ProvingKey {
        let (op, source) = (Op::Input { bits: 8 }, "in (test)".into());
        let port = |name: &str| Port {
            name: name.into(),
            node: NodeId(0),
            shape: shape.clone(),
            integer: false,
            column_fracs: vec![],
        };
        let program = Program {
            name: "small".into(),
            tables: Vec::new(),
            inputs: vec![port("in")],
            outputs: vec![port("out")],
            batch: 1,
            nodes: vec![Node { op, shape: shape.clone(), frac: 0, source }],
        };
        let needs = Needs::of(&program, &SetupOptions::chunk_bits(6)).unwrap();
        let srs = Srs::development_with_lagrange(needs.powers(), &[needs.k], &mut rand::rng());
        setup(program, &SetupOptions::chunk_bits(6), srs, [salt; 32], &mut |_| {}).unwrap()
    }

    #[test]
    fn keys_return() {
        let key = key(vec![3], 1);
        let bytes = key.to_bytes();
        let read = ProvingKey::from_bytes(&bytes).unwrap();
        assert_eq!(read.verifying_key, key.verifying_key);
        assert_eq!((read.core.key_digest, read.core.salt), (key.core.key_digest, key.core.salt));
        assert!(read.core.program == key.core.program && read.core.srs == key.core.srs);
        assert_eq!(read.to_bytes(), bytes);
        prove(&read, &[vec![1, 2, 3]], None, &mut |_| {}).unwrap();
    }

    #[test]
    fn parts_of_two_keys_do_not_make_one() {
        let (one, other) = (key(vec![3], 1), key(vec![4], 2));
        let mix = |vk: &ProvingKey, architecture: &ProvingKey, srs: &ProvingKey| {
            let (architecture, srs) = (architecture.architecture.clone(), srs.core.srs.clone());
            ProvingKey::from_parts(vk.verifying_key.clone(), architecture, Vec::new(), srs, [0; 32]).err()
        };
        assert!(mix(&one, &one, &one).is_none());
        assert!(matches!(mix(&one, &other, &one), Some(SetupError::Inconsistent(_))));
        assert!(matches!(mix(&one, &one, &other), Some(SetupError::Inconsistent(_))));
        let (vk, architecture, srs) = (&one.verifying_key, &one.architecture, &one.core.srs);
        let extra = ProvingKey::from_parts(vk.clone(), architecture.clone(), vec![vec![1]], srs.clone(), [0; 32]);
        assert!(matches!(extra.err(), Some(SetupError::Weights(_))));
    }

    #[test]
    fn damaged_keys_are_refused() {
        let key = key(vec![3], 1);
        let bytes = key.to_bytes();
        let body = files::open(&bytes, Kind::ProvingKey).unwrap();
        // All but the reference string byte by byte.
        let head = body.len().min(8000);
        for length in (0..head).chain((head..body.len()).step_by(9973)) {
            // Whole as a file, cut inside.
            ProvingKey::from_bytes(&files::seal(Kind::ProvingKey, &body[..length])).err().unwrap();
        }
        let longer = [body, &[0]].concat();
        ProvingKey::from_bytes(&files::seal(Kind::ProvingKey, &longer)).err().unwrap();
        ProvingKey::from_bytes(&bytes[..100]).err().unwrap();
        ProvingKey::from_bytes(&key.verifying_key.to_bytes()).err().unwrap();
    }
}
