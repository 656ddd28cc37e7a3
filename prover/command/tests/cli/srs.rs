//! Reference strings: made, imported from others' formats, kept, and used by id.

use std::fs;

use halo2_proofs::SerdeFormat;
use halo2_proofs::halo2curves::bn256::Bn256;
use halo2_proofs::poly::kzg::commitment::ParamsKZG;
use rand_core::OsRng;
use vouch_circuits::files::{Kind, open};
use vouch_prover::commit::{Srs, Trust};
use vouch_prover::shell::convert;

use crate::{UNUSABLE, fails, json, workplace};

/// A string as Halo2 writes it, by its own code.
fn as_halo2_has_it(srs: &mut Srs, k: u32) -> Vec<u8> {
    let points = |points: &[ark_bn254::G1Affine]| points.iter().map(convert::g1).collect::<Vec<_>>();
    let lagrange = points(srs.ensure_lagrange(k));
    let [g2, tau_g2] = [&srs.g2, &srs.tau_g2].map(convert::g2);
    let params =
        ParamsKZG::<Bn256>::setup(1, OsRng).from_parts(k, points(&srs.powers[..1 << k]), Some(lagrange), g2, tau_g2);
    let mut file = Vec::new();
    params.write_custom(&mut file, SerdeFormat::RawBytes).unwrap();
    file
}

#[test]
fn reference_strings_are_imported_and_used() {
    let workplace = workplace();
    let folder = workplace.path();
    let made = json(folder, &["srs", "new", "--bits", "15", "--out", "team.srs"]);
    let id = made["srs_id"].as_str().unwrap();
    assert_eq!((made["powers"].as_u64(), &made["development"]), (Some(1 << 15), &true.into()));
    assert_eq!(json(folder, &["inspect", "team.srs"])["srs_id"], id);
    json(folder, &["setup", "m", "--srs", "team.srs"]);
    let key = json(folder, &["inspect", "m/verifying.key"]);
    assert_eq!((&key["srs_id"], &key["development"]), (&id.into(), &true.into()));

    // The same powers in Halo2's format, as if a ceremony had made them: another setup, the same id.
    let bytes = fs::read(folder.join("team.srs")).unwrap();
    let mut srs = Srs::read_from(open(&bytes, Kind::ReferenceString).unwrap(), Trust::Own).unwrap();
    fs::write(folder.join("params"), as_halo2_has_it(&mut srs, 14)).unwrap();
    let imported = json(folder, &["srs", "import", "params", "--out", "imported.srs"]);
    assert_eq!((&imported["srs_id"], imported["powers"].as_u64()), (&id.into(), Some(1 << 14)));
    let key = json(folder, &["inspect", "imported.srs"]);
    assert_eq!((&key["srs_id"], &key["development"]), (&id.into(), &false.into()));
    for source in [id, "params", "imported.srs"] {
        json(folder, &["setup", "m", "--srs", source]);
        let key = json(folder, &["inspect", "m/verifying.key"]);
        assert_eq!((&key["srs_id"], &key["development"]), (&id.into(), &false.into()), "{source}");
    }
    json(folder, &["prove", "m", "--input", "x.json", "--out", "q"]);
    let verified = json(folder, &["verify", "--key", "m", "--proof", "q", "--srs-id", id]);
    assert_eq!(verified["development"], false);
    let recompute = ["verify-key", "--key", "m", "--architecture", "m/architecture.vouch", "--srs", id];
    json(folder, &recompute);
    // A string that says that it is for development is that, whatever else is kept of it.
    json(folder, &["setup", "m", "--srs", "team.srs"]);
    assert_eq!(json(folder, &["inspect", "m/verifying.key"])["development"], true);
    // Nor does its id hide that, once it was imported as such.
    json(folder, &["srs", "import", "team.srs"]);
    json(folder, &["setup", "m", "--srs", id]);
    assert_eq!(json(folder, &["inspect", "m/verifying.key"])["development"], true);
}

#[test]
fn strings_that_are_none_or_too_short_are_refused() {
    let workplace = workplace();
    let folder = workplace.path();
    let ptau = include_bytes!("../../../tests/fixtures/power4.ptau");
    fs::write(folder.join("short.ptau"), ptau).unwrap();
    let imported = json(folder, &["srs", "import", "short.ptau"]);
    assert_eq!(imported["powers"], 31);
    fails(folder, &["setup", "m", "--srs", "short.ptau"], UNUSABLE, &["has 31 powers", "use a longer one"]);
    fails(folder, &["srs", "import", "short.ptau", "--bits", "6"], UNUSABLE, &["has 31 powers"]);
    let mut damaged = ptau.to_vec();
    // A byte of a power's coordinate: the header takes 68 bytes, the section's head 12.
    damaged[80 + 5 * 64] ^= 1;
    fs::write(folder.join("damaged.ptau"), &damaged).unwrap();
    fails(folder, &["srs", "import", "damaged.ptau"], UNUSABLE, &["power 5", "no point of the curve"]);
    fs::write(folder.join("cut.ptau"), &ptau[..ptau.len() / 2]).unwrap();
    fails(folder, &["srs", "import", "cut.ptau"], UNUSABLE, &["cut"]);
    fails(folder, &["srs", "import", "x.json"], UNUSABLE, &["neither snarkjs' powers of tau"]);
    fails(folder, &["srs", "import", "nothing"], UNUSABLE, &["cannot read"]);
    let id = "ab".repeat(32);
    fails(folder, &["setup", "m", "--srs", &id], UNUSABLE, &["no reference string with the id", "vouch srs import"]);
}
