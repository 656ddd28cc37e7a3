//! Which structured reference string a setup uses: the user's, or one made on this machine; and what is kept of both.
//!
//! The cache folder holds a development string, and for each string of the user's that was checked the powers that were asked for so far, by
//! the string's id, with the Lagrange forms that took seconds to compute.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use ark_bn254::G2Affine;
use vouch_circuits::files::{self, Kind};
use vouch_circuits::key::srs_id;
use vouch_prover::Needs;
use vouch_prover::commit::{Ceremony, Srs, SrsError, Trust};

use crate::artifacts::{read, write_file};
use crate::failure::Failure;
use crate::output::Output;
use crate::progress::Progress;

const WARNING: &str = "this uses a development reference string, made on this machine. Whoever made it could forge proofs, so they convince \
     nobody else. For proofs that count, use `vouch setup --srs FILE` with the outcome of a ceremony that you trust";

/// The shells that a development string is made for, at least.
const LAGRANGE: (u32, u32) = (8, 15);

/// A string of the user's with what a setup needs, from its file or by its id: checked when it was read first, and kept.
pub fn foreign(file_or_id: &Path, needs: Needs, progress: &mut Progress) -> Result<Srs, Failure> {
    let mut srs = match id_of(file_or_id) {
        Some(id) => {
            progress.begin("reading the reference string");
            let kept = kept_path(&id).and_then(|path| kept(&path)).filter(|srs| srs_id(&srs.tau_g2) == id);
            kept.ok_or_else(|| {
                Failure::unusable(format!("no reference string with the id {} was imported", hex::encode(id)))
                    .advice("import it first: vouch srs import FILE")
            })?
        }
        None => from_file(file_or_id, needs.powers(), true, progress)?,
    };
    let (have, need) = (srs.powers.len(), needs.powers());
    if have < need {
        return Err(unusable(file_or_id, &SrsError::TooShort { have, need }).advice(
            "use a longer one (`vouch srs import FILE --bits N` keeps more of a file), or smaller chunks: --chunk-bits, or --prefer prover",
        ));
    }
    if let Some(k) = needs.lagrange().filter(|k| srs.lagrange(*k).is_none()) {
        progress.begin("the reference string's Lagrange form");
        srs.ensure_lagrange(k);
        keep(&srs);
    }
    Ok(srs)
}

/// The powers of a file, at least `count` of them if it has them, checked; if `kept_will_do`, from the cache, where they were checked
/// before.
pub fn from_file(path: &Path, count: usize, kept_will_do: bool, progress: &mut Progress) -> Result<Srs, Failure> {
    let kept_of = |tau_g2: &G2Affine, count| if kept_will_do { kept_of(tau_g2, count) } else { None };
    let fail = |error: &dyn std::error::Error| unusable(path, error);
    progress.begin("reading the reference string");
    if is_own(path)? {
        let bytes = read(path, "the reference string")?;
        let body = files::open(&bytes, Kind::ReferenceString).map_err(|e| fail(&e))?;
        let srs = Srs::read_from(body, Trust::Foreign).map_err(|e| fail(&e))?;
        if let Some(kept) = kept_of(&srs.tau_g2, count.min(srs.powers.len())) {
            // What a string says of itself counts.
            return Ok(Srs { development: srs.development, ..kept });
        }
        progress.begin("checking the reference string");
        srs.check(&mut rand::rng()).map_err(|e| fail(&e))?;
        return Ok(srs);
    }
    let file = File::open(path)
        .map_err(|error| Failure::unusable(format!("cannot read {}", path.display())).because(&error))?;
    let mut ceremony = Ceremony::open(BufReader::new(file)).map_err(|e| fail(&e))?;
    let tau_g2 = ceremony.tau_g2().map_err(|e| fail(&e))?;
    let count = count.min(ceremony.powers());
    if let Some(kept) = kept_of(&tau_g2, count) {
        return Ok(kept);
    }
    progress.begin("checking the reference string");
    let srs = ceremony.read(count, &mut rand::rng()).map_err(|e| fail(&e))?;
    keep(&srs);
    Ok(srs)
}

fn unusable(path: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::unusable(format!("{} is no usable reference string", path.display())).because(error).advice(
        "give snarkjs' powers of tau (.ptau), a raw parameter file of Halo2's, or a string that `vouch srs` wrote",
    )
}

/// An id, where no file has that name.
fn id_of(text: &Path) -> Option<[u8; 32]> {
    if text.exists() {
        return None;
    }
    let text = text.to_str()?;
    hex::decode(text.strip_prefix("0x").unwrap_or(text)).ok()?.try_into().ok()
}

/// Whether a file is one of vouch's.
fn is_own(path: &Path) -> Result<bool, Failure> {
    let mut head = [0u8; 6];
    let own = File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == *b"VOUCH\n";
    // What cannot be opened is explained by the reader of vouch's files.
    if path.is_file() { Ok(own) } else { read(path, "the reference string").map(|_| own) }
}

/// A development string, from the cache where one is there.
pub fn development(needs: Needs, out: &Output, progress: &mut Progress) -> Srs {
    out.warn(WARNING);
    let path = cache_folder().map(|folder| folder.join("development.srs"));
    progress.begin("the reference string");
    // Keys rest on the one that is kept, so that nobody may make another one at the same time, or replace it as long as it is of use.
    let _lock = path.as_deref().and_then(lock);
    if let Some(mut srs) = path.as_deref().and_then(kept)
        && srs.development
        && srs.powers.len() >= needs.powers()
    {
        if let Some(k) = needs.lagrange().filter(|k| srs.lagrange(*k).is_none()) {
            srs.ensure_lagrange(k);
            path.map(|path| store(&srs, &path));
        }
        return srs;
    }
    progress.begin("making a development reference string");
    // One that serves most models, so that they share it.
    let sizes: Vec<u32> = (LAGRANGE.0.min(needs.k)..=LAGRANGE.1.max(needs.k)).collect();
    let srs = Srs::development_with_lagrange(needs.powers().max(1 << LAGRANGE.1), &sizes, &mut rand::rng());
    if let Some(path) = path {
        store(&srs, &path);
    }
    srs
}

/// Keeps other processes from a file of the cache until it is dropped. One that cannot be locked costs no more than a string too many.
fn lock(path: &Path) -> Option<File> {
    std::fs::create_dir_all(path.parent()?).ok()?;
    let file = File::create(path.with_extension("lock")).ok()?;
    file.lock().ok()?;
    Some(file)
}

/// A development string for others' use.
pub fn new_development(bits: u32) -> Srs {
    let sizes: Vec<u32> = (LAGRANGE.0.min(bits)..=LAGRANGE.1.min(bits)).collect();
    Srs::development_with_lagrange(1 << bits, &sizes, &mut rand::rng())
}

/// Keeps a checked string with what is kept of it already; says where.
pub fn keep(srs: &Srs) -> Option<PathBuf> {
    let path = kept_path(&srs_id(&srs.tau_g2))?;
    let Some(mut all) = kept(&path).filter(|kept| kept.tau_g2 == srs.tau_g2) else {
        return store(srs, &path).then_some(path);
    };
    let before = (all.development, all.powers.len(), all.lagrange.len());
    // Once it is known to be for development it stays that.
    all.development |= srs.development;
    if all.powers.len() < srs.powers.len() {
        all.powers.clone_from(&srs.powers);
    }
    for points in &srs.lagrange {
        if all.lagrange(points.len().trailing_zeros()).is_none() {
            all.lagrange.push(points.clone());
        }
    }
    all.lagrange.sort_by_key(Vec::len);
    let same = before == (all.development, all.powers.len(), all.lagrange.len());
    (same || store(&all, &path)).then_some(path)
}

/// A string's file in the cache.
fn kept_path(id: &[u8; 32]) -> Option<PathBuf> {
    cache_folder().map(|folder| folder.join(format!("{}.srs", hex::encode(id))))
}

/// What is kept of the string of this `[τ]_2`, if that is enough.
fn kept_of(tau_g2: &G2Affine, count: usize) -> Option<Srs> {
    let srs = kept(&kept_path(&srs_id(tau_g2))?)?;
    (srs.tau_g2 == *tau_g2 && srs.powers.len() >= count).then_some(srs)
}

/// What a file of the cache holds, if that is a whole string.
fn kept(path: &Path) -> Option<Srs> {
    let bytes = std::fs::read(path).ok()?;
    Srs::read_from(files::open(&bytes, Kind::ReferenceString).ok()?, Trust::Own).ok()
}

/// Whether it could be written; a cache that cannot costs time only.
fn store(srs: &Srs, path: &Path) -> bool {
    let folder = path.parent().is_some_and(|folder| std::fs::create_dir_all(folder).is_ok());
    folder && encode(srs).is_ok_and(|file| write_file(path, &file, true).is_ok())
}

/// A string as a file.
pub fn encode(srs: &Srs) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    srs.write_to(&mut body)
        .map_err(|error| Failure::fault("the reference string cannot be written").because(&error))?;
    Ok(files::seal(Kind::ReferenceString, &body))
}

/// `$XDG_CACHE_HOME/vouch`, else `~/.cache/vouch`.
fn cache_folder() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    caches.map(|caches| caches.join("vouch"))
}
