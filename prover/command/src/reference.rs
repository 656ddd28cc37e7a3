//! Which structured reference string a setup uses: the user's, or one made on this machine; and what is kept of both.
//!
//! The cache folder holds, by its id, each string that was made here, and of each string of the user's that was checked the powers that were
//! asked for so far, with the Lagrange forms that took seconds to compute. A file beside them names the development string that setups use: it
//! is the newest, and the older ones stay, because keys rest on them.
//!
//! Setups and `vouch srs` alone make and keep strings. Whoever recomputes a key ([`of_key`], [`known`]) only reads.

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
            kept.ok_or_else(|| not_imported(&id))?
        }
        None => from_file(file_or_id, needs.powers(), Cache::READ_AND_KEPT, progress)?,
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

fn not_imported(id: &[u8; 32]) -> Failure {
    Failure::unusable(format!("this machine has no reference string with the id {}", hex::encode(id)))
        .advice("give the string's file with --srs FILE, or import it first: vouch srs import FILE")
}

/// The string that a key rests on, with this id: from a file or by an id, if one is given, and else from the cache. Nothing is made or kept.
pub fn of_key(
    id: &[u8; 32],
    file_or_id: Option<&Path>,
    powers: usize,
    progress: &mut Progress,
) -> Result<Srs, Failure> {
    progress.begin("reading the reference string");
    let from_cache = |id: &[u8; 32]| {
        let kept = kept_path(id).and_then(|path| kept(&path)).filter(|srs| srs_id(&srs.tau_g2) == *id);
        kept.ok_or_else(|| not_imported(id))
    };
    let srs = match file_or_id {
        None => from_cache(id)?,
        Some(path) => match id_of(path) {
            Some(given) => from_cache(&given)?,
            None => from_file(path, powers, Cache::READ, progress)?,
        },
    };
    let found = srs_id(&srs.tau_g2);
    if found != *id {
        let (rests, found) = (hex::encode(id), hex::encode(found));
        return Err(Failure::refused("the key rests on another reference string")
            .because(&std::io::Error::other(format!("its id is {rests}, that of the string given is {found}")))
            .advice("give the key's reference string with --srs"));
    }
    Ok(srs)
}

/// A string for keys that are made to be looked at: from a file or by an id, if one is given, and else the development string, if there is one. Nothing is
/// made or kept.
pub fn known(file_or_id: Option<&Path>, powers: usize, out: &Output, progress: &mut Progress) -> Result<Srs, Failure> {
    progress.begin("reading the reference string");
    match file_or_id {
        Some(path) => match id_of(path) {
            Some(id) => of_key(&id, None, powers, progress),
            None => from_file(path, powers, Cache::READ, progress),
        },
        None => {
            let srs = current_development().and_then(|id| kept(&kept_path(&id)?));
            let srs = srs.filter(|srs| srs.powers.len() >= powers);
            out.warn(WARNING);
            srs.ok_or_else(|| {
                Failure::unusable("this machine has no development reference string that is long enough")
                    .advice("give the reference string of the keys with --srs FILE, or by its id")
            })
        }
    }
}

/// Refuses a reference string with another id than the one that is expected.
pub fn expect_id(id: &[u8; 32], expected: Option<[u8; 32]>) -> Result<(), Failure> {
    if expected.is_none_or(|expected| expected == *id) {
        return Ok(());
    }
    Err(Failure::refused("the key rests on another reference string than --srs-id says")
        .because(&std::io::Error::other(format!("its id is {}", hex::encode(id))))
        .advice("whoever knows a reference string's secret can forge proofs: ask for a key that rests on yours"))
}

/// What reading a file does with the cache.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cache {
    /// Takes the powers from there, where they were checked before.
    read: bool,
    /// Keeps there what was read and checked.
    keep: bool,
}

impl Cache {
    /// Takes from it and keeps in it.
    pub const READ_AND_KEPT: Self = Self { read: true, keep: true };
    /// Keeps in it, but checks the whole file.
    pub const KEPT: Self = Self { read: false, keep: true };
    /// Takes from it only.
    pub const READ: Self = Self { read: true, keep: false };
}

/// The powers of a file, at least `count` of them if it has them, checked.
pub fn from_file(path: &Path, count: usize, cache: Cache, progress: &mut Progress) -> Result<Srs, Failure> {
    let kept_of = |tau_g2: &G2Affine, count| if cache.read { kept_of(tau_g2, count) } else { None };
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
    if cache.keep {
        keep(&srs);
    }
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
    progress.begin("the reference string");
    // Nobody may make another one at the same time: the two would be used for keys that are to be compared.
    let _lock = development_name().as_deref().and_then(lock);
    if let Some(mut srs) = current_development().and_then(|id| kept(&kept_path(&id)?))
        && srs.development
        && srs.powers.len() >= needs.powers()
    {
        if let Some(k) = needs.lagrange().filter(|k| srs.lagrange(*k).is_none()) {
            srs.ensure_lagrange(k);
            keep(&srs);
        }
        return srs;
    }
    progress.begin("making a development reference string");
    // One that serves most models, so that they share it.
    let sizes: Vec<u32> = (LAGRANGE.0.min(needs.k)..=LAGRANGE.1.max(needs.k)).collect();
    let srs = Srs::development_with_lagrange(needs.powers().max(1 << LAGRANGE.1), &sizes, &mut rand::rng());
    // The older one stays where it is: keys rest on it.
    if let (Some(_), Some(path)) = (keep(&srs), development_name()) {
        // A cache that cannot be written costs time only.
        let _ = write_file(&path, hex::encode(srs_id(&srs.tau_g2)).as_bytes(), true);
    }
    srs
}

/// The file that names the development string in use.
fn development_name() -> Option<PathBuf> {
    cache_folder().map(|folder| folder.join("development"))
}

/// The id of the development string in use, if there is one.
fn current_development() -> Option<[u8; 32]> {
    let text = std::fs::read_to_string(development_name()?).ok()?;
    hex::decode(text.trim()).ok()?.try_into().ok()
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
