//! Reading and writing of vouch's files, with messages that say which file and what to do.
//!
//! Everything read may be foreign. Everything written is whole or not there.

use std::error::Error;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use vouch_circuits::architecture::Architecture;
use vouch_circuits::files::{self, Kind};
use vouch_circuits::key::{Proof, VerifyingKey};
use vouch_program::{Program, batched};
use vouch_prover::ProvingKey;
use vouch_verifier::Opening;

use crate::failure::Failure;
use crate::interrupt;

/// The fixed-point model in a folder.
pub const MODEL: &str = "model.vouch";
/// The accuracy report in a folder.
pub const REPORT: &str = "report.json";
/// The proving key in a folder.
pub const PROVING_KEY: &str = "proving.key";
/// The verifying key in a folder.
pub const VERIFYING_KEY: &str = "verifying.key";
/// The model without its weights in a folder.
pub const ARCHITECTURE: &str = "architecture.vouch";

/// A file's content. `what` names its part in the command.
pub fn read(path: &Path, what: &str) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| {
        let failure = Failure::unusable(format!("cannot read {what}, {}", path.display())).because(&error);
        match error.kind() {
            ErrorKind::NotFound => failure.advice(advice_for_missing(path)),
            ErrorKind::IsADirectory => failure.advice("give a file in that folder"),
            _ => failure,
        }
    })
}

fn advice_for_missing(path: &Path) -> String {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let dir = parent.display();
    if !parent.is_dir() {
        return format!("there is no folder {dir}: check the path");
    }
    match path.file_name().and_then(|name| name.to_str()) {
        Some(MODEL) => format!("make it with `vouch compile MODEL.onnx --calibration DATA --out {dir}`"),
        Some(PROVING_KEY | VERIFYING_KEY | ARCHITECTURE) if !parent.join(MODEL).exists() => {
            format!("compile a model into {dir} first: `vouch compile --help`; then run `vouch setup {dir}`")
        }
        Some(PROVING_KEY | VERIFYING_KEY | ARCHITECTURE) => format!("make it with `vouch setup {dir}`"),
        _ => "check the path".into(),
    }
}

/// A failure for a file that was read but is no use.
pub fn unusable(path: &Path, what: &str, error: &dyn Error) -> Failure {
    Failure::unusable(format!("{} is no usable {what}", path.display()))
        .because(error)
        .advice("check that it is the right file, and copy or make it again if it is damaged")
}

/// The fixed-point model of a folder.
pub fn read_model(dir: &Path) -> Result<Program, Failure> {
    let path = dir.join(MODEL);
    let bytes = read(&path, "the fixed-point model")?;
    decode_model(&bytes).map_err(|error| unusable(&path, "fixed-point model", &*error))
}

/// A fixed-point model from a file's content, checked.
pub fn decode_model(bytes: &[u8]) -> Result<Program, Box<dyn Error>> {
    let body = files::open(bytes, Kind::FixedPointModel)?;
    let (program, rest): (Program, _) = postcard::take_from_bytes(body)?;
    if !rest.is_empty() {
        return Err("it goes on after its end".into());
    }
    vouch_program::intervals(&program)?;
    Ok(program)
}

/// A file's content for a fixed-point model.
pub fn encode_model(program: &Program) -> Result<Vec<u8>, Failure> {
    let body = postcard::to_stdvec(program)
        .map_err(|error| Failure::fault("the fixed-point model cannot be written").because(&error))?;
    Ok(files::seal(Kind::FixedPointModel, &body))
}

/// The proving key of a folder. It must be of the folder's model, if that is there.
pub fn read_proving_key(dir: &Path) -> Result<ProvingKey, Failure> {
    let path = dir.join(PROVING_KEY);
    let bytes = read(&path, "the proving key")?;
    let key = ProvingKey::from_bytes(&bytes).map_err(|error| unusable(&path, "proving key", &error))?;
    let of_model = |model: Program| batched(&model, key.program().batch).is_ok_and(|program| program == *key.program());
    if dir.join(MODEL).exists() && !of_model(read_model(dir)?) {
        return Err(Failure::unusable(format!(
            "{} is the key of another model than {MODEL} beside it",
            path.display()
        ))
        .advice(format!("the model was compiled again: make new keys with `vouch setup {}`", dir.display())));
    }
    Ok(key)
}

/// A verifying key, from its file or the folder it lies in.
pub fn read_verifying_key(path: &Path) -> Result<VerifyingKey, Failure> {
    let path = if path.is_dir() { path.join(VERIFYING_KEY) } else { path.to_path_buf() };
    let bytes = read(&path, "the verifying key")?;
    VerifyingKey::from_bytes(&bytes).map_err(|error| unusable(&path, "verifying key", &error))
}

/// A model without its weights.
pub fn read_architecture(path: &Path) -> Result<Architecture, Failure> {
    let bytes = read(path, "the architecture")?;
    Architecture::from_bytes(&bytes).map_err(|error| unusable(path, "architecture", &error))
}

/// A proof.
pub fn read_proof(path: &Path) -> Result<Proof, Failure> {
    let bytes = read(path, "the proof")?;
    Proof::from_bytes(&bytes).map_err(|error| unusable(path, "proof", &error))
}

/// The opening of a committed or hashed input or output.
pub fn read_opening(path: &Path) -> Result<Opening, Failure> {
    let bytes = read(path, "the opening")?;
    Opening::from_bytes(&bytes).map_err(|error| unusable(path, "opening", &error))
}

/// Writes one file, whole or not at all. A private one is readable by its owner only.
pub fn write_file(path: &Path, bytes: &[u8], private: bool) -> Result<(), Failure> {
    let _whole = interrupt::lock();
    files::write_atomically(path, bytes, private).map_err(|error| cannot_write(path, &error))
}

/// A file for [`write_folder`].
pub struct NewFile<'a> {
    /// Its name.
    pub name: &'a Path,
    /// Its content.
    pub bytes: &'a [u8],
    /// Whether only its owner may read it.
    pub private: bool,
}

/// Writes several files to a folder, which is made if missing: all of them whole, or none.
pub fn write_folder(dir: &Path, new: &[NewFile]) -> Result<(), Failure> {
    let _whole = interrupt::lock();
    let made = first_missing(dir);
    let result = write_staged(dir, new);
    if let (Err(_), Some(made)) = (&result, made) {
        // Only what was made here, and only while it is empty.
        let _ = fs::remove_dir(dir);
        let _ = fs::remove_dir(made);
    }
    result
}

fn write_staged(dir: &Path, new: &[NewFile]) -> Result<(), Failure> {
    fs::create_dir_all(dir).map_err(|error| cannot_write(dir, &error))?;
    let stage =
        tempfile::Builder::new().prefix(".vouch-").tempdir_in(dir).map_err(|error| cannot_write(dir, &error))?;
    for file in new {
        let path = dir.join(file.name);
        files::write_atomically(&stage.path().join(file.name), file.bytes, file.private)
            .map_err(|error| cannot_write(&path, &error))?;
    }
    for file in new {
        let path = dir.join(file.name);
        fs::rename(stage.path().join(file.name), &path).map_err(|error| cannot_write(&path, &error))?;
    }
    Ok(())
}

/// The outermost folder that making `dir` makes.
fn first_missing(dir: &Path) -> Option<PathBuf> {
    let missing = dir.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists());
    missing.last().map(Path::to_path_buf)
}

/// Refuses a target that could not be written, before any work is done for it.
pub fn expect_writable(path: &Path) -> Result<(), Failure> {
    if path.is_dir() {
        return Err(Failure::unusable(format!("{} is a folder", path.display())).advice("give a file to write to"));
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() && !parent.is_dir() => {
            Err(Failure::unusable(format!("there is no folder {}", parent.display())).advice("make it first"))
        }
        _ => Ok(()),
    }
}

fn cannot_write(path: &Path, error: &dyn Error) -> Failure {
    Failure::unusable(format!("cannot write {}", path.display()))
        .because(error)
        .advice("check the path, its permissions and the space on the disk")
}
