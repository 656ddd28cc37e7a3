//! The container of every file that vouch writes, and writing files whole or not at all.
//!
//! A file is the magic, a kind, a version, the body's length, the body, and the Keccak-256 digest of all before it. So a reader can
//! tell a foreign file from one of another kind, of another version, cut, or altered, and say which. What a body holds is its
//! kind's own affair: [`crate::encoding`] for keys and proofs.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use sha3::{Digest, Keccak256};
use thiserror::Error;

/// First bytes of every file.
const MAGIC: &[u8; 6] = b"VOUCH\n";
/// Version of the container and of all bodies.
pub const VERSION: u16 = 16;
const LENGTH_AT: usize = MAGIC.len() + 2 + 2;
const HEAD: usize = LENGTH_AT + 8;
const DIGEST: usize = 32;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Kind {
    /// A fixed-point program, weights included.
    FixedPointModel = 1,
    /// A proving key.
    ProvingKey = 2,
    /// A verifying key.
    VerifyingKey = 3,
    /// A structured reference string.
    ReferenceString = 5,
    /// A proof.
    Proof = 6,
    /// A model without its weights.
    Architecture = 7,
    /// What opens a committed input or output.
    TensorOpening = 8,
    /// What a hashed input's or output's hash is of.
    HashOpening = 9,
}

impl Kind {
    const ALL: [Kind; 8] = [
        Kind::FixedPointModel,
        Kind::ProvingKey,
        Kind::VerifyingKey,
        Kind::ReferenceString,
        Kind::Proof,
        Kind::Architecture,
        Kind::TensorOpening,
        Kind::HashOpening,
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::FixedPointModel => "fixed-point model",
            Kind::ProvingKey => "proving key",
            Kind::VerifyingKey => "verifying key",
            Kind::Proof => "proof",
            Kind::ReferenceString => "reference string",
            Kind::Architecture => "model architecture",
            Kind::TensorOpening => "opening of a committed tensor",
            Kind::HashOpening => "opening of a hash",
        })
    }
}

/// Why bytes are no file of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FileError {
    /// Nothing at all.
    #[error("the file is empty")]
    Empty,
    /// The magic is missing.
    #[error("this is no file of vouch's")]
    Foreign,
    /// A kind that this version does not know.
    #[error("this version of vouch does not know such a file (kind {0})")]
    UnknownKind(u16),
    /// Another kind.
    #[error("this is a {found}, not a {wanted}")]
    OtherKind {
        /// What the reader asked for.
        wanted: Kind,
        /// What the file says it is.
        found: Kind,
    },
    /// Another version.
    #[error("the file has format version {found}, this version of vouch reads version {VERSION}; make the file again")]
    OtherVersion {
        /// The file's.
        found: u16,
    },
    /// It ends before its end.
    #[error("the file is cut: {have} bytes of {need}")]
    Cut {
        /// Bytes present.
        have: u64,
        /// Bytes that its head promises, or the length of a head.
        need: u64,
    },
    /// It goes on after its end.
    #[error("the file goes on for {0} bytes after its end")]
    Trailing(u64),
    /// The digest does not match.
    #[error("the file was altered: its checksum does not match")]
    Altered,
}

/// The file that holds `body`.
pub fn seal(kind: Kind, body: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEAD + body.len() + DIGEST);
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&(kind as u16).to_be_bytes());
    file.extend_from_slice(&VERSION.to_be_bytes());
    file.extend_from_slice(&(body.len() as u64).to_be_bytes());
    file.extend_from_slice(body);
    let digest = Keccak256::digest(&file);
    file.extend_from_slice(&digest);
    file
}

/// The body of a file of this kind.
///
/// # Errors
/// What is wrong with the file, in the order of the fields.
pub fn open(file: &[u8], wanted: Kind) -> Result<&[u8], FileError> {
    let found = kind_of(file)?;
    if found != wanted {
        return Err(FileError::OtherKind { wanted, found });
    }
    let head: &[u8; HEAD] = file.first_chunk().ok_or(FileError::Cut { have: file.len() as u64, need: HEAD as u64 })?;
    let version = u16::from_be_bytes([head[LENGTH_AT - 2], head[LENGTH_AT - 1]]);
    if version != VERSION {
        return Err(FileError::OtherVersion { found: version });
    }
    let length = head[LENGTH_AT..].iter().fold(0u64, |length, byte| length << 8 | u64::from(*byte));
    let (have, need) = (file.len() as u64, length.saturating_add((HEAD + DIGEST) as u64));
    if have < need {
        return Err(FileError::Cut { have, need });
    }
    if have > need {
        return Err(FileError::Trailing(have - need));
    }
    let (content, digest) = file.split_at(file.len() - DIGEST);
    if Keccak256::digest(content)[..] != *digest {
        return Err(FileError::Altered);
    }
    Ok(&content[HEAD..])
}

/// What a file says it is; only its first bytes are looked at.
///
/// # Errors
/// A file that is empty, foreign, or of a kind unknown to this version.
pub fn kind_of(file: &[u8]) -> Result<Kind, FileError> {
    if file.is_empty() {
        return Err(FileError::Empty);
    }
    let cut = FileError::Cut { have: file.len() as u64, need: HEAD as u64 };
    let Some((magic, rest)) = file.split_first_chunk::<{ MAGIC.len() }>() else {
        return Err(if MAGIC.starts_with(file) { cut } else { FileError::Foreign });
    };
    if magic != MAGIC {
        return Err(FileError::Foreign);
    }
    let number = u16::from_be_bytes(*rest.first_chunk().ok_or(cut)?);
    Kind::ALL.into_iter().find(|kind| *kind as u16 == number).ok_or(FileError::UnknownKind(number))
}

/// Writes `bytes` to `path`: whole, or not at all. A private file can be read by its owner only.
///
/// The bytes go to a new file beside `path`, to the disk, and take its name then.
///
/// # Errors
/// Those of the file system; `path` is as it was.
pub fn write_atomically(path: &Path, bytes: &[u8], private: bool) -> io::Result<()> {
    let (mut file, temporary) = create_beside(path, private)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    drop(file);
    let renamed = written.and_then(|()| fs::rename(&temporary, path));
    if renamed.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    renamed
}

fn create_beside(path: &Path, private: bool) -> io::Result<(File, PathBuf)> {
    let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if private { 0o600 } else { 0o666 });
    #[cfg(not(unix))]
    let _ = private;
    for attempt in 0..100 {
        let mut temporary = std::ffi::OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}-{attempt}.tmp", std::process::id()));
        let temporary = path.with_file_name(temporary);
        match options.open(&temporary) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            result => return result.map(|file| (file, temporary)),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(have: u64, need: u64) -> FileError {
        FileError::Cut { have, need }
    }

    #[test]
    fn bodies_return() {
        for kind in Kind::ALL {
            for body in [&b""[..], b"x", &[7; 1000]] {
                let file = seal(kind, body);
                assert_eq!(open(&file, kind), Ok(body));
                assert_eq!(kind_of(&file), Ok(kind));
            }
        }
    }

    #[test]
    fn each_defect_is_named() {
        let kind = Kind::VerifyingKey;
        let good = seal(kind, b"body");
        let with = |position: usize, byte: u8| {
            let mut bad = good.clone();
            bad[position] = byte;
            open(&bad, kind).unwrap_err()
        };
        assert_eq!(open(&[], kind), Err(FileError::Empty));
        for foreign in [&b"{}"[..], b"\x08\x09ONNX, perhaps", b"VOUCH?"] {
            assert_eq!(open(foreign, kind), Err(FileError::Foreign));
        }
        let wanted = Kind::Proof;
        assert_eq!(open(&good, wanted), Err(FileError::OtherKind { wanted, found: kind }));
        assert_eq!(with(7, 99), FileError::UnknownKind(99));
        assert_eq!(with(9, 2), FileError::OtherVersion { found: 2 });
        for len in 1..good.len() {
            let need = if len < HEAD { HEAD } else { good.len() };
            assert_eq!(open(&good[..len], kind), Err(cut(len as u64, need as u64)));
        }
        assert_eq!(open(&[&good[..], b"ab"].concat(), kind), Err(FileError::Trailing(2)));
        assert_eq!(with(LENGTH_AT, 0xff), cut(good.len() as u64, 0xff << 56 | (good.len() as u64)));
        for (position, byte) in good.iter().enumerate().skip(HEAD) {
            assert_eq!(with(position, !byte), FileError::Altered);
        }
    }

    #[test]
    fn a_length_that_overflows_is_cut() {
        let mut bad = seal(Kind::Proof, b"body");
        bad[LENGTH_AT..HEAD].fill(0xff);
        assert_eq!(open(&bad, Kind::Proof), Err(cut(bad.len() as u64, u64::MAX)));
    }

    #[test]
    fn files_are_replaced_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proof");
        write_atomically(&path, b"one", false).unwrap();
        write_atomically(&path, b"two", true).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        // A folder of that name cannot be replaced; nothing is left behind.
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        fs::write(taken.join("inside"), b"").unwrap();
        write_atomically(&taken, b"three", false).unwrap_err();
        write_atomically(&folder.path().join("missing/proof"), b"four", false).unwrap_err();
        let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["proof", "taken"]);
    }

    #[cfg(unix)]
    #[test]
    fn private_files_are_their_owners() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_atomically(&path, b"secret", true).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
