//! Stand-ins until the real ones land.
#![allow(dead_code)]
pub mod files {
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub enum Kind { FixedPointModel, ProvingKey, VerifyingKey, CoreProof, ReferenceString }
    #[derive(Debug, thiserror::Error)]
    #[error("pending")]
    pub struct FileError;
    pub fn seal(kind: Kind, b: &[u8]) -> Vec<u8> { let mut v = vec![kind as u8, 86]; v.extend_from_slice(b); v }
    pub fn kind_of(b: &[u8]) -> Result<Kind, FileError> { use Kind::*; if b.get(1) != Some(&86) { return Err(FileError) } [FixedPointModel, ProvingKey, VerifyingKey, CoreProof, ReferenceString].get(b[0] as usize).copied().ok_or(FileError) }
    pub fn open(b: &[u8], kind: Kind) -> Result<&[u8], FileError> { if kind_of(b)? == kind { Ok(&b[2..]) } else { Err(FileError) } }
    pub fn write_atomically(p: &std::path::Path, b: &[u8], _private: bool) -> std::io::Result<()> { std::fs::write(p, b) }
}
use vouch_circuits::key::{CoreProof, VerifyingKey};
use vouch_prover::ProvingKey;
pub trait Bytes: Sized { fn to_bytes(&self) -> Vec<u8> { vec![1] } fn from_bytes(_: &[u8]) -> Result<Self, files::FileError> { Err(files::FileError) } }
impl Bytes for CoreProof {}
impl Bytes for VerifyingKey {}
impl Bytes for ProvingKey {}
pub trait Ids { fn model_id(&self) -> [u8; 32] { [1; 32] } fn digest(&self) -> [u8; 32] { [2; 32] } }
impl Ids for VerifyingKey {}
#[derive(Debug, thiserror::Error)]
#[error("pending")]
pub struct Refused;
#[derive(serde::Serialize)]
pub struct Verified;
impl std::fmt::Display for Verified { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { write!(f, "pending") } }
pub struct PreparedKey;
impl PreparedKey { pub fn new(_: VerifyingKey) -> Result<Self, Refused> { Ok(Self) } }
pub fn verify(_: &PreparedKey, _: &CoreProof) -> Result<Verified, Refused> { Err(Refused) }
