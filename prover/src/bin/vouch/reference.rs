//! Which structured reference string a setup uses: the user's, or one made on this machine.

use std::path::{Path, PathBuf};

use vouch_circuits::files::{self, Kind};
use vouch_prover::Needs;
use vouch_prover::commit::{Srs, Trust};

use crate::artifacts::{read, write_file};
use crate::failure::Failure;
use crate::output::Output;
use crate::progress::Progress;

const WARNING: &str = "this uses a development reference string, made on this machine. Whoever made it could forge proofs, so they convince \
     nobody else. For proofs that count, use `vouch setup --srs FILE` with the outcome of a ceremony that you trust";

/// The shells that a development string is made for, at least.
const LAGRANGE: (u32, u32) = (12, 15);

/// A string of the user's: long enough, every point checked.
pub fn foreign(path: &Path, needs: Needs, progress: &mut Progress) -> Result<Srs, Failure> {
    progress.begin("reading the reference string");
    let bytes = read(path, "the reference string")?;
    let fail = |error: &dyn std::error::Error| {
        Failure::unusable(format!("{} is no usable reference string", path.display()))
            .because(error)
            .advice("give a reference string in vouch's own format")
    };
    let body = files::open(&bytes, Kind::ReferenceString).map_err(|e| fail(&e))?;
    let mut srs = Srs::read_from(body, Trust::Foreign).map_err(|e| fail(&e))?;
    progress.begin("checking the reference string");
    srs.check(&mut rand::rng()).map_err(|e| fail(&e))?;
    srs.truncate(needs.powers()).map_err(|e| fail(&e).advice("use a longer one, or a smaller --chunk-bits"))?;
    progress.begin("the reference string's Lagrange form");
    srs.ensure_lagrange(needs.k);
    Ok(srs)
}

/// A development string, from the cache where one is there.
pub fn development(needs: Needs, out: &Output, progress: &mut Progress) -> Srs {
    out.warn(WARNING);
    let path = cache_folder().map(|folder| folder.join("development.srs"));
    progress.begin("the reference string");
    if let Some(srs) = path.as_deref().and_then(cached)
        && srs.powers.len() >= needs.powers()
        && srs.lagrange(needs.k).is_some()
    {
        return srs;
    }
    progress.begin("making a development reference string");
    // One that serves most models, so that they share it.
    let sizes: Vec<u32> = (LAGRANGE.0.min(needs.k)..=LAGRANGE.1.max(needs.k)).collect();
    let srs = Srs::development_with_lagrange(needs.powers().max(1 << LAGRANGE.1), &sizes, &mut rand::rng());
    if let Some(path) = path {
        let mut body = Vec::new();
        // A cache that cannot be written costs time only.
        if srs.write_to(&mut body).is_ok()
            && path.parent().is_some_and(|folder| std::fs::create_dir_all(folder).is_ok())
        {
            let _ = write_file(&path, &files::seal(Kind::ReferenceString, &body), true);
        }
    }
    srs
}

/// What the cache holds, if that is a whole development string.
fn cached(path: &Path) -> Option<Srs> {
    let bytes = std::fs::read(path).ok()?;
    let srs = Srs::read_from(files::open(&bytes, Kind::ReferenceString).ok()?, Trust::Own).ok()?;
    srs.development.then_some(srs)
}

/// `$XDG_CACHE_HOME/vouch`, else `~/.cache/vouch`.
fn cache_folder() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    caches.map(|caches| caches.join("vouch"))
}
