//! Verifying keys and core proofs as bytes, and the digests that name them.
//!
//! Every encoding is canonical: one value, one string of bytes. Numbers are big-endian; points and scalars are as in
//! [`crate::points`]; the constraint system is postcard's (its varints are accepted in their shortest form only). Decoding is safe
//! on any bytes, and what it returns is well formed ([`VerifyingKey::check`]).

use ark_bn254::{Fr, G1Affine, G2Affine};
use sha3::{Digest, Keccak256};
use thiserror::Error;

use crate::argument::opening::OpeningPoints;
use crate::files::{self, FileError, Kind};
use crate::ir::ConstraintSystem;
use crate::key::{CoreProof, InvalidKey, PROTOCOL_VERSION, VerifyingKey};
use crate::points::{
    G1_BYTES, G2_BYTES, decode_g1, decode_g2_unchecked, decode_scalar, encode_g1, encode_g2, encode_scalar,
};

/// Why bytes are no key or proof.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The container is not whole, or holds something else.
    #[error(transparent)]
    File(#[from] FileError),
    /// A field is not well formed.
    #[error("its {0} is not well formed")]
    Field(&'static str),
    /// Bytes are left after the last field.
    #[error("it goes on after its end")]
    Trailing,
    /// The fields do not make a key.
    #[error(transparent)]
    Key(#[from] InvalidKey),
}

impl VerifyingKey {
    /// The key as a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        files::seal(Kind::VerifyingKey, &self.body())
    }

    /// The key in a file.
    ///
    /// # Errors
    /// What is wrong with the file or the key in it.
    pub fn from_bytes(file: &[u8]) -> Result<Self, DecodeError> {
        let mut body = Fields(files::open(file, Kind::VerifyingKey)?);
        let name = body.bytes("name")?;
        let name = String::from_utf8(name.to_vec()).map_err(|_| DecodeError::Field("name"))?;
        let development = match body.take(1, "development flag")? {
            [0] => false,
            [1] => true,
            _ => return Err(DecodeError::Field("development flag")),
        };
        let chunk_bits = body.take(1, "chunk size")?[0].into();
        let tau_g2 = body.g2("power in G2")?;
        let w_commitments = body.list("weight commitments", G1_BYTES, decode_g1)?;
        let (system, rest): (ConstraintSystem, _) =
            postcard::take_from_bytes(body.0).map_err(|_| DecodeError::Field("constraint system"))?;
        if !rest.is_empty() {
            return Err(DecodeError::Trailing);
        }
        if encode_system(&system) != body.0 {
            return Err(DecodeError::Field("constraint system"));
        }
        let key = Self { name, system, chunk_bits, w_commitments, tau_g2, development };
        key.check()?;
        Ok(key)
    }

    /// Names the key, everything in it included; the transcript begins with it.
    pub fn digest(&self) -> [u8; 32] {
        let hash = Keccak256::new().chain_update(b"vouch verifying key").chain_update(PROTOCOL_VERSION.to_be_bytes());
        hash.chain_update(self.body()).finalize().into()
    }

    /// Names the model: its architecture, in fixed point, the commitments to its weights, and the reference string that these rest on. Two
    /// setups of one model with the same salt, chunk size and reference string have the same, whatever name they give it.
    pub fn model_id(&self) -> [u8; 32] {
        let hash = Keccak256::new().chain_update(b"vouch model").chain_update(PROTOCOL_VERSION.to_be_bytes());
        hash.chain_update(self.nameless()).finalize().into()
    }

    fn body(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(&mut out, self.name.as_bytes());
        out.extend(self.nameless());
        out
    }

    /// All but the name.
    fn nameless(&self) -> Vec<u8> {
        // A chunk size that does not fit a byte is no valid one.
        let mut out = vec![u8::from(self.development), u8::try_from(self.chunk_bits).unwrap_or(u8::MAX)];
        out.extend(encode_g2(&self.tau_g2));
        put_points(&mut out, &self.w_commitments);
        out.extend(encode_system(&self.system));
        out
    }
}

impl CoreProof {
    /// The proof as a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.key_digest.to_vec();
        put_count(&mut out, self.publics.len());
        for values in &self.publics {
            put_count(&mut out, values.len());
            values.iter().for_each(|value| out.extend(value.to_be_bytes()));
        }
        put_points(&mut out, &self.x_commitments);
        put_count(&mut out, self.scalars.len());
        self.scalars.iter().for_each(|scalar| out.extend(encode_scalar(scalar)));
        put_points(&mut out, &self.opening.folds);
        out.extend([self.opening.quotient, self.opening.witness].iter().flat_map(encode_g1));
        files::seal(Kind::CoreProof, &out)
    }

    /// The proof in a file.
    ///
    /// # Errors
    /// What is wrong with the file; a point off the curve or a number above its modulus among it.
    pub fn from_bytes(file: &[u8]) -> Result<Self, DecodeError> {
        let mut body = Fields(files::open(file, Kind::CoreProof)?);
        let mut key_digest = [0; 32];
        key_digest.copy_from_slice(body.take(32, "key digest")?);
        // Each public tensor takes at least its own count's four bytes.
        let publics = (0..body.count("public values", 4)?)
            .map(|_| body.list("public values", 8, |b| b.try_into().ok().map(i64::from_be_bytes)))
            .collect::<Result<_, _>>()?;
        let x_commitments = body.list("commitments", G1_BYTES, decode_g1)?;
        let scalars: Vec<Fr> = body.list("scalars", 32, decode_scalar)?;
        let folds = body.list("fold commitments", G1_BYTES, decode_g1)?;
        let [quotient, witness] = [body.g1("opening")?, body.g1("opening")?];
        if !body.0.is_empty() {
            return Err(DecodeError::Trailing);
        }
        Ok(Self { key_digest, publics, x_commitments, scalars, opening: OpeningPoints { folds, quotient, witness } })
    }
}

/// The constraint system's bytes; part of the model id.
fn encode_system(system: &ConstraintSystem) -> Vec<u8> {
    // Writing to memory can only fail for values that have no length or no size, of which a system has none.
    postcard::to_stdvec(system).expect("a constraint system can be written to memory")
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    // No list of a key or a proof comes near 2^32 entries: it would not have been made.
    out.extend(u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.extend(bytes);
}

fn put_points(out: &mut Vec<u8>, points: &[G1Affine]) {
    put_count(out, points.len());
    points.iter().for_each(|point| out.extend(encode_g1(point)));
}

/// Bytes that are still to be read.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(DecodeError::Field(what))?;
        self.0 = rest;
        Ok(taken)
    }

    /// A number of entries of at least `size` bytes each, which must still be there.
    fn count(&mut self, what: &'static str, size: usize) -> Result<usize, DecodeError> {
        let count = self.take(4, what)?.iter().fold(0usize, |count, byte| count << 8 | usize::from(*byte));
        if count > self.0.len() / size { Err(DecodeError::Field(what)) } else { Ok(count) }
    }

    fn bytes(&mut self, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let count = self.count(what, 1)?;
        self.take(count, what)
    }

    fn list<T>(
        &mut self,
        what: &'static str,
        size: usize,
        decode: impl Fn(&'a [u8]) -> Option<T>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = self.count(what, size)?;
        let entries = self.take(count * size, what)?.chunks_exact(size);
        entries.map(|bytes| decode(bytes).ok_or(DecodeError::Field(what))).collect()
    }

    fn g1(&mut self, what: &'static str) -> Result<G1Affine, DecodeError> {
        decode_g1(self.take(G1_BYTES, what)?).ok_or(DecodeError::Field(what))
    }

    fn g2(&mut self, what: &'static str) -> Result<G2Affine, DecodeError> {
        decode_g2_unchecked(self.take(G2_BYTES, what)?).ok_or(DecodeError::Field(what))
    }
}
