//! Verifying keys and proofs as bytes, and the digests that name them.
//!
//! Every encoding is canonical: one value, one string of bytes. Numbers are big-endian; points and scalars are as in
//! [`crate::points`]; public tensors and constraint systems are postcard's (its varints are accepted in their shortest form only). Decoding is safe
//! on any bytes, and what it returns is well formed ([`VerifyingKey::check`]).

use ark_bn254::{Fr, G1Affine, G2Affine};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha3::{Digest, Keccak256};
use thiserror::Error;

use crate::argument::opening::OpeningPoints;
use crate::files::{self, FileError, Kind};
use crate::ir::ConstraintSystem;
use crate::key::{InvalidKey, Labels, PROTOCOL_VERSION, Proof, VerifyingKey};
use crate::layout::Cuts;
use crate::points::{
    G1_BYTES, G2_BYTES, decode_g1, decode_g2_unchecked, decode_scalar, encode_g1, encode_g2, encode_scalar,
};
use crate::shell::{Columns, ShellKey};

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
        let mut out = Vec::new();
        put_bytes(&mut out, &encode(&self.labels));
        out.extend(self.body());
        files::seal(Kind::VerifyingKey, &out)
    }

    /// The key in a file.
    ///
    /// # Errors
    /// What is wrong with the file or the key in it.
    pub fn from_bytes(file: &[u8]) -> Result<Self, DecodeError> {
        let mut body = Fields(files::open(file, Kind::VerifyingKey)?);
        let labels: Vec<Labels> = decode_exactly(body.bytes("names of classes")?, "names of classes")?;
        let name = body.bytes("name")?;
        let name = String::from_utf8(name.to_vec()).map_err(|_| DecodeError::Field("name"))?;
        let development = body.flag("development flag")?;
        let chunk_bits = body.take(1, "chunk size")?[0].into();
        let layer = body.take(1, "layer of committed fractions")?[0].into();
        let cuts = Cuts { chunk_bits, layer };
        let [x_chunks, y_chunks] = [body.number("number of chunks")?, body.number("number of chunks")?];
        let architecture = body.digest("architecture's digest")?;
        let tau_g2 = body.g2("power in G2")?;
        let w_commitments = body.list("weight commitments", G1_BYTES, decode_g1)?;
        let k = body.take(1, "shell's size")?[0].into();
        let lanes = body.take(1, "shell's lanes")?[0].into();
        let packing = body.take(1, "shell's columns to a commitment")?[0].into();
        let columns = Columns { lanes, packing };
        if !columns.are_supported() {
            return Err(InvalidKey::Shell.into());
        }
        let commitments = body.points("shell's columns", columns.of_key())?;
        let shell = ShellKey { k, columns, commitments };
        let publics = decode_exactly(body.0, "public tensors")?;
        let key = Self {
            name,
            architecture,
            cuts,
            x_chunks,
            y_chunks,
            w_commitments,
            tau_g2,
            development,
            publics,
            shell,
            labels,
        };
        key.check()?;
        Ok(key)
    }

    /// Names the key, everything in it included; the transcript begins with it.
    pub fn digest(&self) -> [u8; 32] {
        let hash = Keccak256::new().chain_update(b"vouch verifying key").chain_update(PROTOCOL_VERSION.to_be_bytes());
        hash.chain_update(self.body()).finalize().into()
    }

    /// Names the model: its architecture, in fixed point, the commitments to its weights, the reference string that these rest on, and the
    /// circuit that checks it. Two setups of one model with the same salt, chunk size and reference string have the same, whatever name
    /// they give it.
    pub fn model_id(&self) -> [u8; 32] {
        let hash = Keccak256::new().chain_update(b"vouch model").chain_update(PROTOCOL_VERSION.to_be_bytes());
        hash.chain_update(self.nameless()).finalize().into()
    }

    /// What the key's digest is of, and its file holds behind the names of classes.
    pub fn body(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(&mut out, self.name.as_bytes());
        out.extend(self.nameless());
        out
    }

    /// All but the name.
    fn nameless(&self) -> Vec<u8> {
        // A chunk size that does not fit a byte is no valid one, nor is such a layer, or size of the shell.
        let byte = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
        let mut out = vec![u8::from(self.development), byte(self.cuts.chunk_bits), byte(self.cuts.layer)];
        put_count(&mut out, self.x_chunks);
        put_count(&mut out, self.y_chunks);
        out.extend(self.architecture);
        out.extend(encode_g2(&self.tau_g2));
        put_points(&mut out, &self.w_commitments);
        out.push(u8::try_from(self.shell.k).unwrap_or(u8::MAX));
        out.extend([byte(self.shell.columns.lanes), byte(self.shell.columns.packing)]);
        out.extend(self.shell.commitments.iter().flat_map(encode_g1));
        out.extend(encode(&self.publics));
        out
    }
}

impl Proof {
    /// The proof as a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.key_digest.to_vec();
        out.push(u8::from(self.context.is_some()));
        out.extend(self.context.iter().flatten());
        put_count(&mut out, self.hashes.len());
        out.extend(self.hashes.iter().flat_map(encode_scalar));
        put_count(&mut out, self.publics.len());
        for values in &self.publics {
            put_count(&mut out, values.len());
            out.extend(encode_values(values));
        }
        out.extend(self.elements());
        files::seal(Kind::Proof, &out)
    }

    /// The hashes, then the public values, of all inputs and outputs in order, as a proof's file has them but without their counts.
    pub fn public_values(&self) -> Vec<u8> {
        let mut out: Vec<u8> = self.hashes.iter().flat_map(encode_scalar).collect();
        out.extend(self.publics.iter().flat_map(|values| encode_values(values)));
        out
    }

    /// What a proof's file holds behind the public values.
    pub fn elements(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_points(&mut out, &self.x_commitments);
        put_points(&mut out, &self.y_commitments);
        out.extend(self.opening.all().iter().flat_map(encode_g1));
        put_count(&mut out, self.exports.len());
        self.exports.iter().for_each(|scalar| out.extend(encode_scalar(scalar)));
        put_bytes(&mut out, &self.shell);
        out
    }

    /// The proof in a file.
    ///
    /// # Errors
    /// What is wrong with the file; a point off the curve or a number above its modulus among it. (The elements of the shell's proof
    /// are looked at when it is verified.)
    pub fn from_bytes(file: &[u8]) -> Result<Self, DecodeError> {
        let mut body = Fields(files::open(file, Kind::Proof)?);
        let key_digest = body.digest("key digest")?;
        let context = if body.flag("context")? { Some(body.digest("context")?) } else { None };
        let hashes = body.list("hashes", 32, decode_scalar)?;
        // Each public tensor takes at least its own count's four bytes.
        let publics = (0..body.count("public values", 4)?)
            .map(|_| body.list("public values", 8, |b| b.try_into().ok().map(i64::from_be_bytes)))
            .collect::<Result<_, _>>()?;
        let x_commitments = body.list("commitments", G1_BYTES, decode_g1)?;
        let y_commitments = body.list("commitments to fractions", G1_BYTES, decode_g1)?;
        let [cross, quotient, witness] = [body.g1("opening")?, body.g1("opening")?, body.g1("opening")?];
        let opening = OpeningPoints { cross, quotient, witness };
        let exports = body.list("exports", 32, decode_scalar)?;
        let shell = body.bytes("shell proof")?.to_vec();
        if !body.0.is_empty() {
            return Err(DecodeError::Trailing);
        }
        Ok(Self { key_digest, context, hashes, publics, x_commitments, y_commitments, opening, exports, shell })
    }
}

/// Integers, eight bytes each.
fn encode_values(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

/// Adds a constraint system's bytes.
pub(crate) fn put_system(out: &mut Vec<u8>, system: &ConstraintSystem) {
    out.extend(encode(system));
}

/// A value from bytes in postcard's format, if they are the ones that encoding it gives.
pub(crate) fn decode_exactly<T: Serialize + DeserializeOwned>(
    bytes: &[u8],
    what: &'static str,
) -> Result<T, DecodeError> {
    let (value, rest) = postcard::take_from_bytes(bytes).map_err(|_| DecodeError::Field(what))?;
    if !rest.is_empty() {
        return Err(DecodeError::Trailing);
    }
    if encode(&value) == bytes { Ok(value) } else { Err(DecodeError::Field(what)) }
}

/// A value's bytes in postcard's format.
pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // Writing to memory can only fail for values that have no length or no size, of which keys have none.
    postcard::to_stdvec(value).expect("it can be written to memory")
}

pub(crate) fn put_count(out: &mut Vec<u8>, count: usize) {
    // No list of a key or a proof comes near 2^32 entries: it would not have been made.
    out.extend(u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.extend(bytes);
}

pub(crate) fn put_points(out: &mut Vec<u8>, points: &[G1Affine]) {
    put_count(out, points.len());
    points.iter().for_each(|point| out.extend(encode_g1(point)));
}

/// Bytes that are still to be read.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(DecodeError::Field(what))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn number(&mut self, what: &'static str) -> Result<usize, DecodeError> {
        Ok(self.take(4, what)?.iter().fold(0usize, |number, byte| number << 8 | usize::from(*byte)))
    }

    /// A byte that is 0 or 1.
    fn flag(&mut self, what: &'static str) -> Result<bool, DecodeError> {
        match self.take(1, what)? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(DecodeError::Field(what)),
        }
    }

    pub(crate) fn digest(&mut self, what: &'static str) -> Result<[u8; 32], DecodeError> {
        self.take(32, what)?.try_into().map_err(|_| DecodeError::Field(what))
    }

    /// So many points.
    fn points(&mut self, what: &'static str, count: usize) -> Result<Vec<G1Affine>, DecodeError> {
        (0..count).map(|_| self.g1(what)).collect()
    }

    /// A number of entries of at least `size` bytes each, which must still be there.
    fn count(&mut self, what: &'static str, size: usize) -> Result<usize, DecodeError> {
        let count = self.number(what)?;
        if count > self.0.len() / size { Err(DecodeError::Field(what)) } else { Ok(count) }
    }

    fn bytes(&mut self, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let count = self.count(what, 1)?;
        self.take(count, what)
    }

    pub(crate) fn list<T>(
        &mut self,
        what: &'static str,
        size: usize,
        decode: impl Fn(&'a [u8]) -> Option<T>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = self.count(what, size)?;
        let entries = self.take(count * size, what)?.chunks_exact(size);
        entries.map(|bytes| decode(bytes).ok_or(DecodeError::Field(what))).collect()
    }

    pub(crate) fn g1(&mut self, what: &'static str) -> Result<G1Affine, DecodeError> {
        decode_g1(self.take(G1_BYTES, what)?).ok_or(DecodeError::Field(what))
    }

    pub(crate) fn scalar(&mut self, what: &'static str) -> Result<Fr, DecodeError> {
        decode_scalar(self.take(32, what)?).ok_or(DecodeError::Field(what))
    }

    fn g2(&mut self, what: &'static str) -> Result<G2Affine, DecodeError> {
        decode_g2_unchecked(self.take(G2_BYTES, what)?).ok_or(DecodeError::Field(what))
    }
}
