//! `vouch evm`: a Solidity project that checks proofs of the model.

use std::path::Path;

use serde_json::{Value, json};
use vouch_evm::project::{fits_in_one, project};

use crate::args::Evm;
use crate::artifacts::{NewFile, read_verifying_key, write_folder};
use crate::failure::Failure;
use crate::output::Output;

pub fn run(args: &Evm, out: &Output) -> Result<Value, Failure> {
    let key = read_verifying_key(&args.key)?;
    let files = project(&key).map_err(|error| Failure::unusable("the key does not fit on a chain").because(&error))?;
    for folder in ["", "src", "deploy"] {
        let split = files.iter().map(|file| (file.path.rsplit_once('/').unwrap_or(("", &file.path)), &file.text));
        let own = split.filter(|((of, _), _)| *of == folder);
        let new: Vec<NewFile> = own
            .map(|((_, name), text)| NewFile { name: Path::new(name), bytes: text.as_bytes(), private: false })
            .collect();
        write_folder(&args.out.join(folder), &new)?;
    }
    if key.development {
        out.warn(
            "the key rests on a development reference string: whoever made it could forge proofs that contracts accept",
        );
    }
    let model_id = hex::encode(key.model_id());
    let folder = args.out.display();
    out.say(format!("model id  {model_id}"));
    out.say(format!("wrote {} files to {folder}", files.len()));
    if !fits_in_one(&key) {
        out.say("the key is too long for a contract that holds the verifier too: there are two contracts");
    }
    out.say(format!("next: {folder}/README.md says how to deploy and to call them"));
    Ok(json!({
        "command": "evm",
        "model_id": model_id,
        "development": key.development,
        "files": files.iter().map(|file| args.out.join(&file.path)).collect::<Vec<_>>(),
    }))
}
