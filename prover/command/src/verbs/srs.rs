//! `vouch srs`: reference strings made for development, and those of ceremonies checked and kept.

use serde_json::{Value, json};
use vouch_circuits::key::srs_id;

use crate::args::{Srs, SrsImport, SrsNew, SrsVerb};
use crate::artifacts::{expect_writable, write_file};
use crate::failure::Failure;
use crate::output::{Output, count, size};
use crate::progress::Progress;
use crate::reference;

/// Powers that are kept if nobody says how many, as a power of two.
const DEFAULT_BITS: u8 = 16;

pub fn run(args: &Srs, out: &Output) -> Result<Value, Failure> {
    match &args.verb {
        SrsVerb::New(args) => new(args, out),
        SrsVerb::Import(args) => import(args, out),
    }
}

fn new(args: &SrsNew, out: &Output) -> Result<Value, Failure> {
    expect_writable(&args.out)?;
    let mut progress = Progress::new(out);
    progress.begin("making a development reference string");
    let srs = reference::new_development(args.bits.into());
    let bytes = reference::encode(&srs)?;
    write_file(&args.out, &bytes, false)?;
    let table = progress.finish();
    let id = hex::encode(srs_id(&srs.tau_g2));
    out.warn(
        "this string is for development: it was made by one machine, which could forge proofs with what it forgot",
    );
    out.say(format!("id     {id}"));
    out.say(format!(
        "wrote  {} ({}; {} powers)",
        args.out.display(),
        size(bytes.len() as u64),
        count(srs.powers.len())
    ));
    out.say(&table);
    Ok(json!({
        "command": "srs new",
        "srs_id": id,
        "powers": srs.powers.len(),
        "development": true,
        "file": args.out,
        "bytes": bytes.len(),
        "stages": table,
    }))
}

fn import(args: &SrsImport, out: &Output) -> Result<Value, Failure> {
    if let Some(path) = &args.out {
        expect_writable(path)?;
    }
    let mut progress = Progress::new(out);
    let wanted = 1usize << args.bits.unwrap_or(DEFAULT_BITS);
    let mut srs = reference::from_file(&args.file, wanted, reference::Cache::KEPT, &mut progress)?;
    let have = srs.powers.len();
    if args.bits.is_some() && have < wanted {
        return Err(Failure::unusable(format!("{} has {} powers", args.file.display(), count(have)))
            .advice("ask for no more than that with --bits"));
    }
    progress.begin("keeping the reference string");
    let kept = reference::keep(&srs);
    srs.powers.truncate(wanted);
    srs.lagrange.retain(|points| points.len() <= wanted);
    if let Some(path) = &args.out {
        write_file(path, &reference::encode(&srs)?, false)?;
    }
    let table = progress.finish();

    let id = hex::encode(srs_id(&srs.tau_g2));
    if srs.development {
        out.warn("this string says of itself that it is for development: whoever made it could forge proofs");
    }
    out.say(format!("id      {id}"));
    out.say(format!("powers  {}, checked to be those of one secret", count(srs.powers.len())));
    match &kept {
        Some(path) => out.say(format!("kept    {}", path.display())),
        None => out.warn("it could not be kept: there is no cache folder, or no room in it"),
    }
    if let Some(path) = &args.out {
        out.say(format!("wrote   {}", path.display()));
    }
    out.say(&table);
    let source = if kept.is_some() { id.clone() } else { args.file.display().to_string() };
    out.say(format!("next: compare the id with the ceremony's, then vouch setup DIR --srs {source}"));
    Ok(json!({
        "command": "srs import",
        "srs_id": id,
        "powers": srs.powers.len(),
        "development": srs.development,
        "kept": kept,
        "file": args.out,
        "stages": table,
    }))
}
