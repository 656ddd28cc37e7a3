//! Halo2's transcript over the shell's own ([`Keccak`]).
//!
//! The crate begins with a digest of its verifying key. It is left out: public values are absorbed next, and the first of them is bound to the
//! whole key by the statement's digest.

use std::io::{self, ErrorKind, Read, Write};

use halo2_proofs::halo2curves::bn256::{Fr, G1Affine};
use halo2_proofs::transcript::{
    EncodedChallenge, Transcript, TranscriptRead, TranscriptReadBuffer, TranscriptWrite, TranscriptWriterBuffer,
};
use vouch_circuits::points::{G1_BYTES, decode_g1, decode_scalar, encode_g1, encode_scalar};
use vouch_circuits::shell::keccak::Keccak;

use super::convert;

/// A challenge.
#[derive(Clone, Copy, Debug)]
pub struct Challenge(Fr);

impl EncodedChallenge<G1Affine> for Challenge {
    type Input = ark_bn254::Fr;

    fn new(challenge: &ark_bn254::Fr) -> Self {
        Self(convert::scalar(challenge))
    }

    fn get_scalar(&self) -> Fr {
        self.0
    }
}

/// One end of the transcript over a reader or a writer of the proof's bytes.
#[derive(Clone, Debug)]
pub struct End<T> {
    keccak: Keccak,
    bytes: T,
    /// Whether the crate has handed in its key's digest.
    begun: bool,
}

impl<T> End<T> {
    fn new(bytes: T) -> Self {
        Self { keccak: Keccak::default(), bytes, begun: false }
    }
}

impl<T> Transcript<G1Affine, Challenge> for End<T> {
    fn squeeze_challenge(&mut self) -> Challenge {
        Challenge::new(&self.keccak.challenge())
    }

    fn common_point(&mut self, point: G1Affine) -> io::Result<()> {
        self.keccak.absorb(&encode_g1(&convert::g1_back(&point)));
        Ok(())
    }

    fn common_scalar(&mut self, scalar: Fr) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            self.keccak.absorb(&encode_scalar(&convert::scalar_back(&scalar)));
        }
        Ok(())
    }
}

impl<T: Write> TranscriptWrite<G1Affine, Challenge> for End<T> {
    fn write_point(&mut self, point: G1Affine) -> io::Result<()> {
        self.common_point(point)?;
        self.bytes.write_all(&encode_g1(&convert::g1_back(&point)))
    }

    fn write_scalar(&mut self, scalar: Fr) -> io::Result<()> {
        self.common_scalar(scalar)?;
        self.bytes.write_all(&encode_scalar(&convert::scalar_back(&scalar)))
    }
}

impl<T: Write> TranscriptWriterBuffer<T, G1Affine, Challenge> for End<T> {
    fn init(bytes: T) -> Self {
        Self::new(bytes)
    }

    fn finalize(self) -> T {
        self.bytes
    }
}

impl<T: Read> TranscriptReadBuffer<T, G1Affine, Challenge> for End<T> {
    fn init(bytes: T) -> Self {
        Self::new(bytes)
    }
}

impl<T: Read> TranscriptRead<G1Affine, Challenge> for End<T> {
    fn read_point(&mut self) -> io::Result<G1Affine> {
        let mut bytes = [0; G1_BYTES];
        self.bytes.read_exact(&mut bytes)?;
        let point = decode_g1(&bytes).ok_or_else(|| invalid("a point is not on the curve"))?;
        self.keccak.absorb(&bytes);
        Ok(convert::g1(&point))
    }

    fn read_scalar(&mut self) -> io::Result<Fr> {
        let mut bytes = [0; 32];
        self.bytes.read_exact(&mut bytes)?;
        let scalar = decode_scalar(&bytes).ok_or_else(|| invalid("a scalar is not below the field's order"))?;
        self.keccak.absorb(&bytes);
        Ok(convert::scalar(&scalar))
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_agree_and_every_byte_but_the_keys_counts() {
        let mut writer = End::<Vec<u8>>::init(Vec::new());
        writer.common_scalar(Fr::from(1)).unwrap();
        writer.common_scalar(Fr::from(3)).unwrap();
        writer.write_point(G1Affine::generator()).unwrap();
        let first = writer.squeeze_challenge().get_scalar();
        writer.write_scalar(-Fr::from(5)).unwrap();
        let (second, third) = (writer.squeeze_challenge().get_scalar(), writer.squeeze_challenge().get_scalar());
        assert!(first != second && second != third);
        let bytes = writer.finalize();
        assert_eq!(bytes.len(), G1_BYTES + 32);

        let mut reader = End::<&[u8]>::init(&bytes);
        reader.common_scalar(Fr::from(2)).unwrap();
        reader.common_scalar(Fr::from(3)).unwrap();
        assert_eq!(reader.read_point().unwrap(), G1Affine::generator());
        assert_eq!(reader.squeeze_challenge().get_scalar(), first);
        assert_eq!(reader.read_scalar().unwrap(), -Fr::from(5));
        assert_eq!(reader.squeeze_challenge().get_scalar(), second);
        assert_eq!(reader.squeeze_challenge().get_scalar(), third);
        assert!(reader.read_scalar().is_err());

        let mut other = End::<&[u8]>::init(&bytes);
        other.common_scalar(Fr::from(1)).unwrap();
        other.common_scalar(Fr::from(4)).unwrap();
        other.read_point().unwrap();
        assert_ne!(other.squeeze_challenge().get_scalar(), first);
    }

    #[test]
    fn bytes_that_are_no_elements_are_refused() {
        assert!(End::<&[u8]>::init(&[0xff; 64]).read_scalar().is_err());
        assert!(End::<&[u8]>::init(&[1; 64]).read_point().is_err());
        assert!(End::<&[u8]>::init(&[0; 63]).read_point().is_err());
    }
}
