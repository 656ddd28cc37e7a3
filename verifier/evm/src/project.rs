//! A Solidity project for one model: the contracts' sources, the model's key as contracts, and the code that creates them.

use vouch_circuits::key::{PublicTensor, VerifyingKey, srs_id};

use crate::{KeyTooLong, MAX_CODE, key_creation_code, verifier_creation_code};

/// A file of the project, by its path with slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it goes.
    pub path: String,
    /// Its content.
    pub text: String,
}

/// Bytes of code that a contract has beside the key that is in it, at most.
const VERIFIER_CODE: usize = 23_565;

macro_rules! sources {
    ($($name:literal),*) => { [$(($name, include_str!(concat!("../contracts/", $name)))),*] };
}

/// The contracts that are the same for all models.
const SOURCES: [(&str, &str); 12] = sources![
    "Curve.sol",
    "Elements.sol",
    "Field.sol",
    "Gates.sol",
    "IVouchVerifier.sol",
    "Key.sol",
    "Plonk.sol",
    "Statement.sol",
    "Transcript.sol",
    "Values.sol",
    "VouchProof.sol",
    "VouchVerifier.sol"
];

const FOUNDRY: &str = r#"[profile.default]
src = "src"
solc = "0.8.37"
via_ir = true
optimizer = true
optimizer_runs = 200
evm_version = "cancun"
bytecode_hash = "none"
cbor_metadata = false

[profile.default.optimizer_details]
yul = true
constantOptimizer = false
"#;

/// The files of a model's project.
///
/// # Errors
/// A key that is too long for a contract.
pub fn project(key: &VerifyingKey) -> Result<Vec<File>, KeyTooLong> {
    let file = |path: String, text: String| File { path, text };
    let name = contract_name(&key.name);
    let creation = key_creation_code(key)?;
    let fill = |template: &str| fill(template, key, &name);
    let mut files: Vec<File> = SOURCES.iter().map(|(name, text)| file(format!("src/{name}"), (*text).into())).collect();
    files.push(file(format!("src/{name}Key.sol"), fill(include_str!("../templates/ModelKey.sol"))));
    if fits_in_one(key) {
        files.push(file(format!("src/{name}Verifier.sol"), fill(include_str!("../templates/ModelVerifier.sol"))));
    }
    files.push(file("foundry.toml".into(), FOUNDRY.into()));
    files.push(file("README.md".into(), fill(include_str!("../templates/README.md"))));
    files.push(file("deploy/VouchVerifier.bin".into(), format!("{}\n", verifier_creation_code())));
    files.push(file(format!("deploy/{name}Key.bin"), format!("{creation}\n")));
    Ok(files)
}

/// Whether verifier and key fit into one contract.
pub fn fits_in_one(key: &VerifyingKey) -> bool {
    VERIFIER_CODE + key.body().len() <= MAX_CODE
}

/// A name for contracts: the model's letters and digits, words capitalized.
pub fn contract_name(model: &str) -> String {
    let words = model.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name: String = words
        .flat_map(|word| word[..1].to_ascii_uppercase().chars().chain(word[1..].chars()).collect::<Vec<_>>())
        .take(60)
        .collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("Model{name}") }
}

fn fill(template: &str, key: &VerifyingKey, name: &str) -> String {
    let development = if key.development { ", **for development: whoever made it can forge proofs**" } else { "" };
    let single = if fits_in_one(key) {
        ": cheaper to call by what reading the key costs, and more to deploy"
    } else {
        ": not for this model, whose key is too long"
    };
    template
        .replace("@NAME@", name)
        .replace("@MODEL@", &plain(&key.name))
        .replace("@MODEL_ID@", &hex::encode(key.model_id()))
        .replace("@SRS_ID@", &hex::encode(srs_id(&key.tau_g2)))
        .replace("@DEVELOPMENT@", development)
        .replace("@SINGLE@", single)
        .replace("@VALUES@", &values(&key.publics))
        .replace("@KEY@", &literal(&key.body()))
}

/// A model's name, which is its maker's choice, as a comment or a page can hold it.
fn plain(name: &str) -> String {
    let shown = |c: char| if c.is_ascii_alphanumeric() || " ._-".contains(c) { c } else { '?' };
    name.chars().map(shown).take(80).collect()
}

/// Which values a proof states.
fn values(publics: &[PublicTensor]) -> String {
    let hashed = publics.iter().filter(|public| public.is_hashed());
    let hashed = hashed.map(|public| format!("the hash of `{}` (32 bytes)", plain(&public.name)));
    let stated = publics.iter().filter(|public| public.is_stated());
    let stated = stated.map(|public| {
        let values = public.values();
        let unit = match (&public.column_fracs[..], public.frac) {
            ([], 0) => String::new(),
            ([], frac) => format!(", each the real value times 2^{frac}"),
            (fracs, _) => {
                let fracs: Vec<String> = fracs.iter().map(i32::to_string).collect();
                format!(", each the real value times 2 to the power of, by column, {}", fracs.join(" "))
            }
        };
        format!("{values} of `{}`{unit}", plain(&public.name))
    });
    let each: Vec<String> = hashed.chain(stated).collect();
    if each.is_empty() { "none".into() } else { each.join("; ") }
}

/// Bytes as Solidity has them over several lines.
fn literal(bytes: &[u8]) -> String {
    let line = |bytes: &[u8]| format!("            hex\"{}\"", hex::encode(bytes));
    bytes.chunks(50).map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contracts_have_names_that_solidity_takes() {
        assert_eq!(contract_name("digits8x8_mlp"), "Digits8x8Mlp");
        assert_eq!(contract_name("8x8"), "Model8x8");
        assert_eq!(contract_name("ein \"*/ Ärger"), "EinRger");
        assert_eq!(contract_name(""), "Model");
        assert_eq!(plain("a*/\n`b`"), "a????b?");
    }
}
