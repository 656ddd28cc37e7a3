//! Reference strings in the formats of others: snarkjs' powers of tau (`.ptau`) and Halo2's raw parameter files.
//!
//! A ceremony's file can have gigabytes; only the powers that are asked for are read. Both formats have coordinates as 32 bytes, little-endian,
//! in Montgomery form. Every point is checked to lie on its curve, and by pairings that the powers are those of one secret;
//! that a ceremony took place, and that one of its participants forgot their part, no file can show.
//!
//! Sources: iden3's binary file format and `powersoftau_new.js` of snarkjs 0.7 (sections 1: `n8`, the prime, two exponents; 2: `2^(power+1) −
//! 1` points `[τ^i]_1`; 3: `2^power` points `[τ^i]_2`); `ParamsKZG::write_custom` of halo2_proofs with `RawBytes` (`k`, `2^k`
//! powers, as many in Lagrange form, `[1]_2`, `[τ]_2`).

use std::io::{self, Read, Seek, SeekFrom};

use ark_bn254::{Fq, Fq2, G1Affine, G2Affine};
use ark_ff::{BigInt, PrimeField};
use rand::CryptoRng;
use rayon::prelude::*;
use thiserror::Error;

use super::srs::{Srs, SrsError};

/// Why a file gives no reference string.
#[derive(Debug, Error)]
pub enum CeremonyError {
    /// It cannot be read.
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    /// Neither of the formats.
    #[error("it is neither snarkjs' powers of tau (.ptau) nor a raw parameter file of Halo2's")]
    Foreign,
    /// A parameter file whose points are compressed.
    #[error("it is a parameter file of Halo2's with compressed points; write it again with SerdeFormat::RawBytes")]
    Compressed,
    /// For another curve.
    #[error("it is for another curve than BN254")]
    Curve,
    /// A part is missing, or of another size than its head says.
    #[error("its {0} is cut or not well formed")]
    Part(&'static str),
    /// Its points are none of a reference string.
    #[error(transparent)]
    Points(#[from] SrsError),
}

/// Whose format a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// snarkjs' powers of tau.
    Snarkjs,
    /// Halo2's raw parameters.
    Halo2,
}

/// A file in one of the formats, its powers not yet read.
pub struct Ceremony<R> {
    reader: R,
    format: Format,
    /// Where the powers begin, and how many there are.
    powers: (u64, usize),
    /// Where `[1]_2` and `[τ]_2` are.
    g2: u64,
    /// Where the powers in Lagrange form begin, if the format has them in Halo2's order: as many as there are powers.
    lagrange: Option<u64>,
}

const SNARKJS_MAGIC: &[u8; 4] = b"ptau";
const COORDINATE: usize = 32;
const G1: usize = 2 * COORDINATE;
const G2: usize = 4 * COORDINATE;
/// The largest exponent of a number of powers that is believed: BN254's scalar field has no larger domain.
const MAX_POWER: u32 = 28;
/// Points that are read at once.
const PIECE: usize = 1 << 14;

impl<R: Read + Seek> Ceremony<R> {
    /// Reads the head.
    ///
    /// # Errors
    /// A file in another format, for another curve, or cut.
    pub fn open(mut reader: R) -> Result<Self, CeremonyError> {
        let length = reader.seek(SeekFrom::End(0))?;
        reader.rewind()?;
        if length < 4 {
            return Err(CeremonyError::Foreign);
        }
        let head: [u8; 4] = bytes(&mut reader)?;
        if head == *SNARKJS_MAGIC { Self::snarkjs(reader, length) } else { Self::halo2(reader, length, head) }
    }

    fn snarkjs(mut reader: R, length: u64) -> Result<Self, CeremonyError> {
        let cut = |what| move |_| CeremonyError::Part(what);
        let version = u32::from_le_bytes(bytes(&mut reader).map_err(cut("head"))?);
        let sections = u32::from_le_bytes(bytes(&mut reader).map_err(cut("head"))?);
        if version != 1 || sections > 1000 {
            return Err(CeremonyError::Part("head"));
        }
        // Of each number the first section counts.
        let mut found: [Option<(u64, u64)>; 4] = [None; 4];
        for _ in 0..sections {
            let number = u32::from_le_bytes(bytes(&mut reader).map_err(cut("list of sections"))?);
            let size = u64::from_le_bytes(bytes(&mut reader).map_err(cut("list of sections"))?);
            let start = reader.stream_position()?;
            let end = start.checked_add(size).filter(|end| *end <= length);
            let end = end.ok_or(CeremonyError::Part("list of sections"))?;
            if let Some(found @ None) = found.get_mut(number as usize) {
                *found = Some((start, size));
            }
            reader.seek(SeekFrom::Start(end))?;
        }
        let section = |number: usize, what| found[number].ok_or(CeremonyError::Part(what));
        let (start, size) = section(1, "header")?;
        if size != (4 + COORDINATE + 8) as u64 {
            return Err(if size < 12 { CeremonyError::Part("header") } else { CeremonyError::Curve });
        }
        reader.seek(SeekFrom::Start(start))?;
        let width = u32::from_le_bytes(bytes(&mut reader)?);
        let prime: [u8; COORDINATE] = bytes(&mut reader)?;
        if width as usize != COORDINATE || limbs(&prime) != Fq::MODULUS.0 {
            return Err(CeremonyError::Curve);
        }
        let power = u32::from_le_bytes(bytes(&mut reader)?);
        if !(1..=MAX_POWER).contains(&power) {
            return Err(CeremonyError::Part("header"));
        }
        let (powers, (g1, g1_size)) = ((2usize << power) - 1, section(2, "list of powers")?);
        let (g2, g2_size) = section(3, "list of powers in G2")?;
        if g1_size != (powers * G1) as u64 {
            return Err(CeremonyError::Part("list of powers"));
        }
        if g2_size != ((1usize << power) * G2) as u64 {
            return Err(CeremonyError::Part("list of powers in G2"));
        }
        Ok(Self { reader, format: Format::Snarkjs, powers: (g1, powers), g2, lagrange: None })
    }

    fn halo2(reader: R, length: u64, head: [u8; 4]) -> Result<Self, CeremonyError> {
        let k = u32::from_le_bytes(head);
        if !(1..=MAX_POWER).contains(&k) {
            return Err(CeremonyError::Foreign);
        }
        let powers = 1usize << k;
        let points = |g1: usize, g2: usize| (4 + 2 * powers * g1 + 2 * g2) as u64;
        if length == points(G1 / 2, G2 / 2) {
            return Err(CeremonyError::Compressed);
        }
        if length != points(G1, G2) {
            return Err(CeremonyError::Foreign);
        }
        let [first, lagrange, g2] = [0, 1, 2].map(|list| (4 + list * powers * G1) as u64);
        Ok(Self { reader, format: Format::Halo2, powers: (first, powers), g2, lagrange: Some(lagrange) })
    }

    /// Whose format it is.
    pub fn format(&self) -> Format {
        self.format
    }

    /// How many powers there are.
    pub fn powers(&self) -> usize {
        self.powers.1
    }

    /// `[τ]_2`, which names the string, as far as it is on its curve and in its group.
    ///
    /// # Errors
    /// A point that is none, or is cut.
    pub fn tau_g2(&mut self) -> Result<G2Affine, CeremonyError> {
        self.reader.seek(SeekFrom::Start(self.g2 + G2 as u64))?;
        let tau_g2 = decode_g2(&bytes::<G2>(&mut self.reader)?).ok_or(SrsError::G2)?;
        super::srs::check_g2(&tau_g2)?;
        Ok(tau_g2)
    }

    /// The first `count` powers, checked; with them the Lagrange form, if the file has it for just as many.
    ///
    /// # Errors
    /// Fewer powers, or points that are not the powers of one secret.
    pub fn read(&mut self, count: usize, rng: &mut impl CryptoRng) -> Result<Srs, CeremonyError> {
        let (start, have) = self.powers;
        if have < count {
            return Err(SrsError::TooShort { have, need: count }.into());
        }
        let tau_g2 = self.tau_g2()?;
        self.reader.seek(SeekFrom::Start(self.g2))?;
        let g2 = decode_g2(&bytes::<G2>(&mut self.reader)?).ok_or(SrsError::G2)?;
        let powers = self.points(start, count)?;
        let lagrange = match self.lagrange {
            Some(start) if count == have => vec![self.points(start, count)?],
            _ => Vec::new(),
        };
        let srs = Srs { powers, g2, tau_g2, development: false, lagrange };
        srs.check(rng)?;
        Ok(srs)
    }

    fn points(&mut self, start: u64, count: usize) -> Result<Vec<G1Affine>, CeremonyError> {
        self.reader.seek(SeekFrom::Start(start))?;
        let mut points = Vec::with_capacity(count);
        let mut piece = vec![0; PIECE.min(count) * G1];
        while points.len() < count {
            let (done, size) = (points.len(), PIECE.min(count - points.len()));
            let piece = &mut piece[..size * G1];
            self.reader.read_exact(piece)?;
            let decoded = piece.par_chunks_exact(G1).enumerate();
            let decoded = decoded.map(|(i, bytes)| decode_g1(bytes).ok_or(SrsError::Power(done + i)));
            points.par_extend(decoded.collect::<Result<Vec<_>, _>>()?);
        }
        Ok(points)
    }
}

fn bytes<const N: usize>(reader: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn limbs(bytes: &[u8]) -> [u64; 4] {
    let mut limbs = [0u64; 4];
    for (limb, bytes) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
        *limb = bytes.iter().rev().fold(0, |limb, byte| limb << 8 | u64::from(*byte));
    }
    limbs
}

/// A coordinate in Montgomery form, if it is below the modulus.
fn decode_coordinate(bytes: &[u8]) -> Option<Fq> {
    let value = BigInt::new(limbs(bytes));
    (value < Fq::MODULUS).then(|| Fq::new_unchecked(value))
}

fn decode_g1(bytes: &[u8]) -> Option<G1Affine> {
    let (x, y) = bytes.split_at_checked(COORDINATE)?;
    Some(G1Affine::new_unchecked(decode_coordinate(x)?, decode_coordinate(y)?)).filter(|point| point.is_on_curve())
}

/// Whether the point is in its group is for the caller to check.
fn decode_g2(bytes: &[u8]) -> Option<G2Affine> {
    let mut coordinates = bytes.chunks_exact(COORDINATE).map(decode_coordinate);
    let mut next = || coordinates.next().flatten();
    let [x0, x1, y0, y1] = [next()?, next()?, next()?, next()?];
    Some(G2Affine::new_unchecked(Fq2::new(x0, x1), Fq2::new(y0, y1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::random_scalar;
    use halo2_proofs::SerdeFormat;
    use halo2_proofs::halo2curves::bn256::Bn256;
    use halo2_proofs::poly::kzg::commitment::ParamsKZG;
    use rand_core::OsRng;
    use std::io::Cursor;

    /// Made by snarkjs 0.7.6, which nobody here wrote: `powersoftau new bn128 4` and one `contribute`.
    const PTAU: &[u8] = include_bytes!("../../tests/fixtures/power4.ptau");

    fn open(file: &[u8]) -> Result<Ceremony<Cursor<Vec<u8>>>, CeremonyError> {
        Ceremony::open(Cursor::new(file.to_vec()))
    }

    fn read(file: &[u8], count: usize) -> Result<Srs, CeremonyError> {
        open(file)?.read(count, &mut rand::rng())
    }

    fn halo2(format: SerdeFormat) -> Vec<u8> {
        let mut file = Vec::new();
        ParamsKZG::<Bn256>::setup(5, OsRng).write_custom(&mut file, format).unwrap();
        file
    }

    #[test]
    fn snarkjs_files_are_read() {
        let mut ceremony = open(PTAU).unwrap();
        assert_eq!((ceremony.format(), ceremony.powers()), (Format::Snarkjs, 31));
        for count in [2, 16, 31] {
            let srs = ceremony.read(count, &mut rand::rng()).unwrap();
            assert_eq!((srs.powers.len(), srs.tau_g2), (count, ceremony.tau_g2().unwrap()));
            assert!(!srs.development && srs.lagrange.is_empty());
        }
        let short = read(PTAU, 32);
        assert!(matches!(short, Err(CeremonyError::Points(SrsError::TooShort { have: 31, need: 32 }))));
        // It can be worked with.
        let mut srs = read(PTAU, 31).unwrap();
        srs.ensure_lagrange(4);
        srs.check(&mut rand::rng()).unwrap();
    }

    #[test]
    fn raw_parameters_of_halo2_are_read() {
        let file = halo2(SerdeFormat::RawBytes);
        let mut ceremony = open(&file).unwrap();
        assert_eq!((ceremony.format(), ceremony.powers()), (Format::Halo2, 32));
        let whole = ceremony.read(32, &mut rand::rng()).unwrap();
        let mut cut = ceremony.read(31, &mut rand::rng()).unwrap();
        assert_eq!((whole.lagrange.len(), cut.lagrange.len()), (1, 0));
        cut.ensure_lagrange(4);
        let mut computed = Srs { lagrange: Vec::new(), ..whole.clone() };
        assert_eq!(computed.ensure_lagrange(5), whole.lagrange(5).unwrap());
        assert!(matches!(open(&halo2(SerdeFormat::Processed)), Err(CeremonyError::Compressed)));
    }

    #[test]
    fn damaged_files_are_refused() {
        for file in [PTAU.to_vec(), halo2(SerdeFormat::RawBytes)] {
            let srs = read(&file, 16).unwrap();
            for length in (0..file.len()).step_by(97).chain(0..200) {
                assert!(read(&file[..length], 16).is_err(), "cut at {length}");
            }
            // Whatever byte is altered, the string that is read is the same one, or refused.
            for position in (0..file.len()).step_by(41).chain(0..200) {
                let mut altered = file.clone();
                altered[position] ^= 1 << (position % 8);
                if let Ok(read) = read(&altered, 16) {
                    assert_eq!(read, srs, "byte {position}");
                }
            }
        }
        assert!(matches!(open(b"ptau"), Err(CeremonyError::Part("head"))));
        for foreign in [&b""[..], b"abc", b"VOUCH\n of all files", &[5, 0, 0, 0, 1, 2, 3]] {
            assert!(matches!(open(foreign), Err(CeremonyError::Foreign)));
        }
    }

    #[test]
    fn other_curves_and_forged_points_are_refused() {
        // The header's section is the first: its prime is behind the file's and the section's heads and n8.
        let mut other = PTAU.to_vec();
        let prime = 4 + 4 + 4 + 12 + 4;
        other[prime] ^= 2;
        assert!(matches!(open(&other), Err(CeremonyError::Curve)));

        let mut raw = halo2(SerdeFormat::RawBytes);
        let at = |list: usize, i: usize| 4 + list * 32 * G1 + i * G1;
        // Two powers exchanged.
        for byte in 0..G1 {
            raw.swap(at(0, 7) + byte, at(0, 8) + byte);
        }
        assert!(matches!(read(&raw, 16), Err(CeremonyError::Points(SrsError::Inconsistent))));
        read(&raw, 7).unwrap();
        // A Lagrange point that is another.
        let mut raw = halo2(SerdeFormat::RawBytes);
        for byte in 0..G1 {
            raw.swap(at(1, 7) + byte, at(1, 8) + byte);
        }
        assert!(matches!(read(&raw, 32), Err(CeremonyError::Points(SrsError::Inconsistent))));
        // A coordinate above the modulus, and a point of G2 outside its group.
        raw[at(0, 3)..][..32].fill(0xff);
        assert!(matches!(read(&raw, 16), Err(CeremonyError::Points(SrsError::Power(3)))));
        let mut raw = halo2(SerdeFormat::RawBytes);
        let start = at(2, 0) + G2;
        let mut x = Fq2::new(random_scalar_coordinate(), Fq::from(1));
        let point = loop {
            if let Some(point) = G2Affine::get_point_from_x_unchecked(x, false) {
                break point;
            }
            x.c0 += Fq::from(1);
        };
        let coordinates = [point.x.c0, point.x.c1, point.y.c0, point.y.c1];
        for (bytes, coordinate) in
            raw[start..start + G2].chunks_exact_mut(8).zip(coordinates.iter().flat_map(|c| c.0.0))
        {
            bytes.copy_from_slice(&coordinate.to_le_bytes());
        }
        assert!(matches!(read(&raw, 16), Err(CeremonyError::Points(SrsError::G2))));
    }

    fn random_scalar_coordinate() -> Fq {
        Fq::from_bigint(random_scalar(&mut rand::rng()).into_bigint()).unwrap_or_default()
    }
}
