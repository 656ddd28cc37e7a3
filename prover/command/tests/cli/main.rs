//! The `vouch` command as its users meet it: the whole way, and every kind of bad input. Bad input ends in an exit code, words
//! that say what to do, and no file that was not there before.

mod evm;
mod node;
mod srs;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;
use vouch_circuits::architecture::Architecture;
use vouch_circuits::key::VerifyingKey;
use vouch_program::{NodeId, Outline, Program};

const REFUSED: i32 = 1;
const UNUSABLE: i32 = 2;

fn zoo(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/zoo").join(name)
}

/// Runs `vouch` in a folder, its cache in a folder of the tests' own.
fn vouch(folder: &Path, arguments: &[&str]) -> Output {
    static CACHE: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().unwrap());
    vouch_with(CACHE.path(), folder, arguments)
}

/// The same with a cache of its own.
fn vouch_with(cache: &Path, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vouch"));
    command.current_dir(folder).env("XDG_CACHE_HOME", cache).args(arguments).output().unwrap()
}

/// Runs a command that must succeed, and returns its JSON object.
fn json(folder: &Path, arguments: &[&str]) -> Value {
    let output = vouch(folder, &[arguments, &["--json", "--quiet"]].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["ok"], true);
    object
}

/// Everything in a folder.
fn content(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(content(&path));
            found.insert(path, None);
        } else {
            let bytes = fs::read(&path).unwrap();
            found.insert(path, Some(bytes));
        }
    }
    found
}

/// Runs a command that must fail with this code and these words, and leave everything as it was.
fn fails(folder: &Path, arguments: &[&str], code: i32, words: &[&str]) {
    let before = content(folder);
    let output = vouch(folder, &[arguments, &["--json"]].concat());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
    for word in words {
        assert!(errors.contains(word), "{arguments:?} does not say {word:?}: {errors}");
    }
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["ok"], false);
    assert!(content(folder) == before, "{arguments:?} changed files");
}

fn pixels(value: &str) -> String {
    format!("{{\"input_data\": [[{}]]}}", vec![value; 64].join(","))
}

/// A folder with a compiled model `m`, its keys, an input `x.json` and a proof `p`.
fn workplace() -> TempDir {
    let folder = TempDir::new().unwrap();
    let model = zoo("digits8x8_mlp.onnx");
    let mut samples = Vec::new();
    for k in 0..8 {
        samples
            .push(format!("[{}]", (0..64).map(|i| ((i * 7 + k * 3) % 17).to_string()).collect::<Vec<_>>().join(",")));
    }
    fs::write(folder.path().join("data.json"), format!("{{\"input\": [{}]}}", samples.join(","))).unwrap();
    fs::write(folder.path().join("x.json"), pixels("3")).unwrap();
    json(folder.path(), &["compile", model.to_str().unwrap(), "--calibration", "data.json", "--out", "m"]);
    json(folder.path(), &["setup", "m", "--salt", &"5a".repeat(32)]);
    json(folder.path(), &["prove", "m", "--input", "x.json", "--out", "p"]);
    folder
}

#[test]
fn the_whole_way() {
    let folder = workplace();
    let folder = folder.path();
    let verified = json(folder, &["verify", "--key", "m/verifying.key", "--proof", "p"]);
    assert_eq!(verified["accepted"], true);
    assert_eq!(verified["development"], true);
    assert_eq!(verified["verified"]["outputs"][0]["values"].as_array().unwrap().len(), 10);
    let id = verified["model_id"].as_str().unwrap();
    json(folder, &["verify", "--key", "m", "--proof", "p", "--model-id", id]);
    let checked = json(folder, &["check", "m", "--input", "data.json", "--all"]);
    assert_eq!(checked["samples"], 8);
    let inspected = json(folder, &["inspect", "m"]);
    assert_eq!(inspected["files"].as_array().unwrap().len(), 5);
    assert_eq!(json(folder, &["inspect", "p"])["kind"], "proof");
    // The reference string has an id, and another one is refused.
    let srs = verified["verified"]["srs_id"].as_str().unwrap();
    json(folder, &["verify", "--key", "m", "--proof", "p", "--srs-id", srs]);
    let zeros = "00".repeat(32);
    fails(folder, &["verify", "--key", "m", "--proof", "p", "--srs-id", &zeros], REFUSED, &["reference string", srs]);
    assert_eq!(json(folder, &["inspect", "m/verifying.key"])["srs_id"], srs);
    // A setup that keeps the input to the prover.
    let name = verified["verified"]["inputs"][0]["name"].as_str().unwrap();
    json(
        folder,
        &["compile", zoo("digits8x8_mlp.onnx").to_str().unwrap(), "--calibration", "data.json", "--out", "hidden"],
    );
    let private = |name: &str| format!("{name}=private");
    fails(folder, &["setup", "hidden", "--input", &private("nothing")], UNUSABLE, &["no input `nothing`", name]);
    fails(folder, &["setup", "hidden", "--output", "private"], UNUSABLE, &["cannot be private", "committed"]);
    json(folder, &["setup", "hidden", "--input", &private(name)]);
    json(folder, &["prove", "hidden", "--input", "x.json", "--out", "hidden.proof"]);
    let hidden = json(folder, &["verify", "--key", "hidden", "--proof", "hidden.proof"]);
    assert_eq!(hidden["verified"]["private_inputs"][0], name);
    assert!(hidden["verified"]["inputs"].as_array().unwrap().is_empty());
    assert_eq!(hidden["verified"]["outputs"][0]["integers"], verified["verified"]["outputs"][0]["integers"]);
    // What proofs should be cheap in.
    let [short, fast] = ["proof", "prover"].map(|prefer| {
        let set_up = json(folder, &["setup", "hidden", "--prefer", prefer]);
        json(folder, &["prove", "hidden", "--input", "x.json", "--out", "preferred.proof"]);
        json(folder, &["verify", "--key", "hidden", "--proof", "preferred.proof"]);
        let number = |name: &str| set_up["estimate"][name].as_f64().unwrap();
        (number("commitments"), number("seconds"))
    });
    assert!(short.0 < fast.0 && fast.1 < short.1, "{short:?} and {fast:?}");
    // One that commits to the input, and publishes the weights.
    let set_up = json(folder, &["setup", "hidden", "--input", "committed", "--published-weights"]);
    assert_eq!(set_up["committed"][0], name);
    let recomputed = json(folder, &["model-id", "hidden", "--key", "hidden"]);
    assert_eq!(recomputed["model_id"], set_up["model_id"]);
    assert_eq!(json(folder, &["model-id", "hidden", "--input", "committed"])["model_id"], set_up["model_id"]);
    assert_ne!(json(folder, &["model-id", "hidden"])["model_id"], set_up["model_id"]);
    let salt = "01".repeat(32);
    fails(
        folder,
        &["model-id", "hidden", "--key", "hidden", "--salt", &salt],
        REFUSED,
        &["weights differ, or the salt"],
    );
    let proven = json(folder, &["prove", "hidden", "--input", "x.json", "--out", "hidden.proof"]);
    let opening = proven["openings"][0]["file"].as_str().unwrap();
    assert!(opening.starts_with("hidden.proof.") && opening.ends_with(".opening"), "{opening}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(folder.join(opening)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "an opening is its owner's");
    }
    let open = ["open", "--key", "hidden", "--opening", opening, "--proof", "hidden.proof"];
    let opened = json(folder, &open);
    assert_eq!(opened["opened"]["integers"], verified["verified"]["inputs"][0]["integers"]);
    let committed = json(folder, &["verify", "--key", "hidden", "--proof", "hidden.proof"]);
    assert_eq!(committed["verified"]["committed_inputs"][0]["id"], opened["commitment"]);
    assert!(
        committed["sentence"].as_str().unwrap().contains("maps a committed input to an output with the largest of 10")
    );
    assert_eq!(json(folder, &["inspect", opening])["kind"], "opening of a committed tensor (secret)");
    // The same commitment again, for the same input only.
    let again = ["prove", "hidden", "--input", "x.json", "--out", "again.proof", "--opening", opening];
    json(folder, &again);
    let second = json(folder, &["verify", "--key", "hidden", "--proof", "again.proof"]);
    assert_eq!(second["verified"]["committed_inputs"], committed["verified"]["committed_inputs"]);
    json(folder, &["open", "--key", "hidden", "--opening", opening, "--proof", "again.proof"]);
    let other = ["prove", "hidden", "--input", "data.json", "--index", "1", "--out", "other.proof"];
    fails(folder, &[&other[..], &["--opening", opening]].concat(), UNUSABLE, &["other values", "leave --opening out"]);
    assert!(!folder.join("other.proof").exists());
    json(folder, &other);
    let others = ["open", "--key", "hidden", "--opening", opening, "--proof", "other.proof"];
    fails(folder, &others, REFUSED, &["commits to another"]);
    // A hash that others had before the proof.
    let set_up = json(folder, &["setup", "hidden", "--input", "hashed"]);
    assert_eq!(set_up["hashed"][0], name);
    let hash = ["hash", "hidden", "--input", "x.json", "--out", "x.opening"];
    let hashed = json(folder, &hash);
    assert_ne!(json(folder, &[&hash[..5], &["y.opening"]].concat())["hash"], hashed["hash"], "salted");
    fails(folder, &[&hash[..5], &["z.opening", "--name", "nothing"]].concat(), UNUSABLE, &["no input", name]);
    assert_eq!(json(folder, &["inspect", "x.opening"])["hash"], hashed["hash"]);
    let prove = ["prove", "hidden", "--input", "x.json", "--out", "hashed.proof", "--opening", "x.opening"];
    let own = json(folder, &prove)["openings"][0]["file"].as_str().unwrap().to_string();
    assert_eq!(fs::read(folder.join(&own)).unwrap(), fs::read(folder.join("x.opening")).unwrap());
    let shown = json(folder, &["verify", "--key", "hidden", "--proof", "hashed.proof"]);
    assert_eq!(shown["verified"]["hashed_inputs"][0]["hash"], hashed["hash"]);
    assert!(shown["sentence"].as_str().unwrap().contains("maps a hashed input to an output with the largest of 10"));
    let open = ["open", "--key", "hidden", "--proof", "hashed.proof", "--opening"];
    let opened = json(folder, &[&open[..], &["x.opening"]].concat());
    assert_eq!(
        (&opened["hash"], &opened["opened"]["integers"]),
        (&hashed["hash"], &verified["verified"]["inputs"][0]["integers"])
    );
    fails(folder, &[&open[..], &["y.opening"]].concat(), REFUSED, &["states another hash"]);
    let other =
        ["prove", "hidden", "--input", "data.json", "--index", "1", "--out", "h.proof", "--opening", "x.opening"];
    fails(folder, &other, UNUSABLE, &["has the values that the hash is of", "leave --opening out"]);
    json(folder, &["setup", "hidden", "--output", "hashed"]);
    let proven = json(folder, &["prove", "hidden", "--input", "x.json", "--out", "hashed.proof"]);
    let opening = proven["openings"][0]["file"].as_str().unwrap();
    let opened = json(folder, &[&open[..], &[opening]].concat());
    assert_eq!(
        (&opened["role"], &opened["opened"]["integers"]),
        (&"output".into(), &verified["verified"]["outputs"][0]["integers"])
    );
    assert!(opened["sentence"].as_str().unwrap().ends_with("to a hashed output"));
    // The key is recomputed from what was published beside it.
    let recompute = ["verify-key", "--key", "m/verifying.key", "--architecture", "m/architecture.vouch"];
    assert_eq!(json(folder, &recompute)["model_id"], id);
    fails(
        folder,
        &["verify-key", "--key", "m", "--architecture", "p"],
        UNUSABLE,
        &["is a proof, not a model architecture"],
    );
    // A published architecture is a file from somewhere: whatever it says is checked before it is looked at.
    let architecture = Architecture::from_bytes(&fs::read(folder.join("m/architecture.vouch")).unwrap()).unwrap();
    let described = json(folder, &["inspect", "m/architecture.vouch"]);
    assert_eq!(described["program"]["parameters"], 2410);
    let layers = described["program"]["layers"].as_array().unwrap();
    let what: Vec<&str> = layers.iter().map(|layer| layer["what"].as_str().unwrap()).collect();
    let expected =
        ["input of 16 bits", "linear, 64 to 32, parameters added, ReLU", "linear, 32 to 10, parameters added"];
    assert_eq!(what, expected);
    let said = String::from_utf8(vouch(folder, &["inspect", "m/architecture.vouch"]).stdout).unwrap();
    for words in ["2,410 parameters in 3 layers", "is #3; proofs show its values", expected[1]] {
        assert!(said.contains(words), "{said}");
    }
    let program = architecture.outline.program();
    let with = |change: &dyn Fn(&mut Program)| {
        let mut changed = program.clone();
        change(&mut changed);
        Architecture { outline: Outline::of(&changed), ..architecture.clone() }
    };
    let key = VerifyingKey::from_bytes(&fs::read(folder.join("m/verifying.key")).unwrap()).unwrap();
    for hostile in [
        with(&|p| p.outputs.clear()),
        with(&|p| p.outputs[0].node = NodeId(9999)),
        with(&|p| p.nodes[0].shape = vec![usize::MAX; 30]),
        with(&|p| p.nodes[0].shape = vec![1 << 31]),
        Architecture { bounds: Vec::new(), ..architecture.clone() },
    ] {
        fs::write(folder.join("hostile.vouch"), hostile.to_bytes()).unwrap();
        fails(folder, &["inspect", "hostile.vouch"], UNUSABLE, &["hostile.vouch"]);
        let recompute = ["verify-key", "--key", "m", "--architecture", "hostile.vouch"];
        fails(folder, &recompute, REFUSED, &["the key is of another architecture", "ask the model's owner"]);
        let named = VerifyingKey { architecture: hostile.digest(), ..key.clone() };
        fs::write(folder.join("hostile.key"), named.to_bytes()).unwrap();
        let recompute = ["verify-key", "--key", "hostile.key", "--architecture", "hostile.vouch"];
        fails(folder, &recompute, REFUSED, &["no honest setup publishes"]);
    }
    // Recomputing keys neither makes nor keeps a reference string, and takes the one that is meant.
    let id_of_srs = json(folder, &recompute)["srs_id"].as_str().unwrap().to_string();
    assert_eq!(id_of_srs, srs);
    json(folder, &[&recompute[..], &["--srs-id", srs]].concat());
    fails(folder, &[&recompute[..], &["--srs-id", &zeros]].concat(), REFUSED, &["another reference string", srs]);
    json(folder, &["srs", "new", "--bits", "12", "--out", "other.srs"]);
    fails(folder, &[&recompute[..], &["--srs", "other.srs"]].concat(), REFUSED, &["another reference string", srs]);
    let unknown = VerifyingKey { tau_g2: -key.tau_g2, ..key };
    fs::write(folder.join("unknown.key"), unknown.to_bytes()).unwrap();
    let foreign = ["verify-key", "--key", "unknown.key", "--architecture", "m/architecture.vouch"];
    fails(folder, &foreign, UNUSABLE, &["no reference string with the id", "--srs FILE"]);
    // Classes, numbered and with names.
    let classes = json(folder, &["setup", "hidden", "--classes"]);
    assert_ne!(classes["model_id"], id);
    json(folder, &["prove", "hidden", "--input", "x.json", "--out", "class.proof"]);
    let told = json(folder, &["verify", "--key", "hidden", "--proof", "class.proof"]);
    assert!(told["sentence"].as_str().unwrap().contains("maps a public input to class "), "{told}");
    let names: String = (0..10).map(|digit| format!("digit {digit}\n")).collect();
    fs::write(folder.join("names.txt"), &names).unwrap();
    json(folder, &["setup", "hidden", "--labels", "names.txt"]);
    json(folder, &["prove", "hidden", "--input", "x.json", "--out", "class.proof"]);
    let told = json(folder, &["verify", "--key", "hidden", "--proof", "class.proof"]);
    let class = &told["verified"]["outputs"][0]["classes"][0];
    assert_eq!(class["label"], format!("digit {}", class["number"]));
    fs::write(folder.join("few.txt"), "one\ntwo\n").unwrap();
    fails(folder, &["setup", "hidden", "--labels", "few.txt"], UNUSABLE, &["10 places", "2 names"]);
    fails(folder, &["setup", "hidden", "--labels", "nothing.txt"], UNUSABLE, &["nothing.txt"]);
    fails(folder, &["setup", "hidden", "--classes", "nothing"], UNUSABLE, &["no output `nothing`"]);
    // A proof that is bound to a context is for that one.
    let context = "c0".repeat(32);
    json(folder, &["prove", "m", "--input", "x.json", "--out", "q", "--context", &context]);
    let bound = json(folder, &["verify", "--key", "m", "--proof", "q", "--context", &context]);
    assert_eq!(bound["verified"]["context"], context);
    fails(folder, &["verify", "--key", "m", "--proof", "p", "--context", &context], REFUSED, &["another context"]);
    let other = "c1".repeat(32);
    fails(
        folder,
        &["verify", "--key", "m", "--proof", "q", "--context", &other],
        REFUSED,
        &["another context", &context],
    );
    // The same salt and reference string give the same keys.
    let key = fs::read(folder.join("m/verifying.key")).unwrap();
    json(folder, &["setup", "m", "--salt", &"5a".repeat(32)]);
    assert!(fs::read(folder.join("m/verifying.key")).unwrap() == key);
    json(folder, &["setup", "m", "--salt", &"5b".repeat(32)]);
    assert!(fs::read(folder.join("m/verifying.key")).unwrap() != key);
    fails(folder, &["verify", "--key", "m", "--proof", "p"], REFUSED, &["made for another verifying key"]);
}

/// Four inferences in one proof say what one in one says, and tokens go the same way as pixels.
#[test]
fn batches_are_proven() {
    let folder = workplace();
    let folder = folder.path();
    let alone = |index: &str| {
        let proven = json(folder, &["prove", "m", "--input", "data.json", "--index", index, "--out", "one"]);
        assert_eq!(proven["batch"], 1);
        proven["outputs"][0]["integers"].as_array().unwrap().clone()
    };
    let wanted = ["4", "5", "6", "7"].map(alone).concat();
    let id = json(folder, &["setup", "m", "--batch", "4", "--salt", &"5a".repeat(32)])["model_id"].clone();
    assert_eq!(json(folder, &["model-id", "m", "--batch", "4", "--salt", &"5a".repeat(32)])["model_id"], id);
    let proven = json(folder, &["prove", "m", "--input", "data.json", "--index", "1", "--out", "four"]);
    assert_eq!(proven["batch"], 4);
    assert!(proven["seconds_each"].as_f64().unwrap() > 0.0);
    let verified = json(folder, &["verify", "--key", "m", "--proof", "four", "--model-id", id.as_str().unwrap()]);
    let output = &verified["verified"]["outputs"][0];
    assert_eq!(output["shape"], serde_json::json!([4, 10]));
    assert_eq!(output["integers"], Value::Array(wanted));
    assert_eq!((&output["inferences"], output["largest"].as_array().unwrap().len()), (&4.into(), 4));
    let sentence = verified["sentence"].as_str().unwrap();
    assert!(sentence.contains("maps 4 public inputs to 4 outputs (an output with the largest of 10"), "{sentence}");
    assert_eq!(verified["verified"]["inferences"], 4);
    assert_eq!(json(folder, &["inspect", "m/proving.key"])["batch"], 4);
    fails(folder, &["prove", "m", "--input", "x.json", "--out", "few"], UNUSABLE, &["[4, 64]", "does not fit"]);
}

#[test]
fn secrets_are_their_owners() {
    let folder = workplace();
    #[cfg(unix)]
    for (name, mode) in [("model.vouch", 0o600), ("proving.key", 0o600)] {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(folder.path().join("m").join(name)).unwrap().permissions().mode() & 0o777, mode);
    }
    let salt = "5a".repeat(32);
    for arguments in [&["inspect", "m"][..], &["setup", "m", "--salt", &salt], &["inspect", "m", "--json"]] {
        let output = vouch(folder.path(), arguments);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!said.contains(&salt[..16]), "{said}");
    }
}

#[test]
fn the_demonstration() {
    let folder = TempDir::new().unwrap();
    let said = vouch(folder.path(), &["demo", "--model", "digits8x8_mlp", "--index", "5"]);
    assert!(said.status.success());
    let text = String::from_utf8(said.stdout).unwrap();
    for word in ["accepted", "refused", "a zero-knowledge proof", "as its label says"] {
        assert!(text.contains(word), "{text}");
    }
    assert!(content(folder.path()).is_empty());
    json(folder.path(), &["demo", "--model", "digits8x8_mlp", "--keep", "kept"]);
    json(folder.path(), &["verify", "--key", "kept", "--proof", "kept/demo.proof"]);
    fails(folder.path(), &["demo", "--index", "64"], UNUSABLE, &["no image 64", "from 0 to 63"]);
    fails(folder.path(), &["demo", "--model", "gpt"], UNUSABLE, &["mnist_lenet5"]);
}

#[test]
fn bad_models_and_data_are_refused() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let whole = fs::read(zoo("digits8x8_mlp.onnx")).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
    write("good.onnx", &whole);
    write("empty.onnx", b"");
    write("foreign.onnx", b"This is no ONNX file.\n");
    write("cut.onnx", &whole[..whole.len() / 2]);
    // Eight bytes hold a whole 32-bit float, wherever they begin: a NaN.
    let mut nan = whole.clone();
    nan[5000..5008].fill(0xff);
    write("nan.onnx", &nan);
    // Fields of a protobuf message that come again are merged: here one more initializer, of 2^40 × 2^40 floats.
    let dimension = [8, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20];
    let tensor = [&dimension[..], &dimension, &[0x10, 1, 0x42, 1, b'h']].concat();
    let graph = [&[0x2a, tensor.len() as u8], &tensor[..]].concat();
    write("huge.onnx", &[&whole[..], &[0x3a, graph.len() as u8], &graph].concat());
    write("data.json", pixels("7").as_bytes());
    write("short.json", b"{\"input_data\": [[1, 2, 3]]}");
    write("text.json", pixels("\"seven\"").as_bytes());
    write("infinite.json", pixels("1e999").as_bytes());
    write("cut.json", &pixels("7").as_bytes()[..50]);

    let compile = |model: &str, data: &str, words: &[&str]| {
        fails(folder, &["compile", model, "--calibration", data, "--out", "m"], UNUSABLE, words);
    };
    compile("missing.onnx", "data.json", &["missing.onnx", "check the path"]);
    compile("empty.onnx", "data.json", &["empty"]);
    compile("foreign.onnx", "data.json", &["not a usable ONNX file"]);
    compile("cut.onnx", "data.json", &["cut.onnx"]);
    compile("nan.onnx", "data.json", &["nan.onnx", "finite"]);
    compile("huge.onnx", "data.json", &["huge.onnx"]);
    compile("good.onnx", "missing.npy", &["missing.npy", "check the path"]);
    compile("good.onnx", "short.json", &["short.json"]);
    compile("good.onnx", "text.json", &["text.json"]);
    compile("good.onnx", "infinite.json", &["infinite.json"]);
    compile("good.onnx", "cut.json", &["cut.json"]);
    compile("good.onnx", "good.onnx", &["good.onnx"]);
    fails(
        folder,
        &["compile", "good.onnx", "--calibration", "data.json", "--out", "data.json"],
        UNUSABLE,
        &["not a folder"],
    );
}

#[test]
fn bad_folders_and_inputs_are_refused() {
    let work = workplace();
    let folder = work.path();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
    write("wide.json", b"{\"input_data\": [[1, 2, 3]]}");
    write("far.json", pixels("1000000").as_bytes());
    write("text.json", pixels("\"seven\"").as_bytes());
    write("void.json", pixels("1e999").as_bytes());
    write("foreign.srs", b"no reference string");
    fs::create_dir(folder.join("empty")).unwrap();
    let prove = |input: &str, words: &[&str]| {
        fails(folder, &["prove", "m", "--input", input, "--out", "q"], UNUSABLE, words);
        fails(folder, &["check", "m", "--input", input], UNUSABLE, words);
    };
    prove("missing.json", &["missing.json", "check the path"]);
    prove("wide.json", &["wide.json"]);
    prove("far.json", &["range"]);
    prove("text.json", &["text.json"]);
    prove("void.json", &["void.json"]);
    prove("data.json", &["holds 8 samples", "--index"]);
    fails(
        folder,
        &["prove", "m", "--input", "data.json", "--index", "8", "--out", "q"],
        UNUSABLE,
        &["no sample 8", "0 to 7"],
    );
    fails(folder, &["prove", "m", "--input", "x.json", "--out", "nowhere/q"], UNUSABLE, &["no folder nowhere"]);
    fails(folder, &["prove", "m", "--input", "x.json", "--out", "m"], UNUSABLE, &["is a folder"]);
    fails(folder, &["setup", "empty"], UNUSABLE, &["vouch compile"]);
    fails(folder, &["prove", "empty", "--input", "x.json", "--out", "q"], UNUSABLE, &["vouch compile"]);
    fails(
        folder,
        &["setup", "m", "--srs", "foreign.srs"],
        UNUSABLE,
        &["foreign.srs", "neither snarkjs' powers of tau"],
    );
    fails(folder, &["setup", "m", "--srs", "m/verifying.key"], UNUSABLE, &["is a verifying key"]);
    fails(folder, &["setup", "m", "--chunk-bits", "3"], UNUSABLE, &["chunks of 2^3"]);

    // A cut key, and the key of another model.
    let whole = fs::read(folder.join("m/proving.key")).unwrap();
    write("m/proving.key", &whole[..whole.len() - 1]);
    fails(folder, &["prove", "m", "--input", "x.json", "--out", "q"], UNUSABLE, &["proving key", "cut"]);
    write("m/proving.key", &whole);
    let model = zoo("digits8x8_mlp.onnx");
    let again = ["compile", model.to_str().unwrap(), "--calibration", "x.json", "--out", "m"];
    assert_eq!(json(folder, &again)["keys_outdated"], true);
    fails(folder, &["prove", "m", "--input", "x.json", "--out", "q"], UNUSABLE, &["another model", "vouch setup m"]);
    let model = fs::read(folder.join("m/model.vouch")).unwrap();
    write("m/model.vouch", &model[..40]);
    fails(folder, &["setup", "m"], UNUSABLE, &["model.vouch", "cut"]);
}

#[test]
fn bad_proofs_and_keys_are_refused() {
    let work = workplace();
    let folder = work.path();
    let whole = fs::read(folder.join("p")).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
    let verify = |proof: &str, code, words: &[&str]| {
        fails(folder, &["verify", "--key", "m", "--proof", proof], code, words);
    };
    write("cut", &whole[..whole.len() / 2]);
    write("longer", &[&whole[..], b"x"].concat());
    let mut altered = whole.clone();
    altered[200] ^= 1;
    write("altered", &altered);
    write("empty", b"");
    verify("missing", UNUSABLE, &["missing"]);
    verify("cut", UNUSABLE, &["cut"]);
    verify("longer", UNUSABLE, &["goes on for 1 bytes"]);
    verify("altered", UNUSABLE, &["altered", "checksum"]);
    verify("empty", UNUSABLE, &["empty"]);
    verify("x.json", UNUSABLE, &["no file of vouch's"]);
    verify("m/verifying.key", UNUSABLE, &["is a verifying key, not a proof"]);
    fails(folder, &["verify", "--key", "p", "--proof", "p"], UNUSABLE, &["is a proof, not a verifying key"]);
    fails(folder, &["inspect", "x.json"], UNUSABLE, &["no vouch file"]);
    fails(folder, &["inspect", "cut"], UNUSABLE, &["cut"]);
    let other = "00".repeat(32);
    fails(folder, &["verify", "--key", "m", "--proof", "p", "--model-id", &other], REFUSED, &["another model"]);
    let short = vouch(folder, &["verify", "--key", "m", "--proof", "p", "--model-id", "00ff"]);
    assert_eq!(short.status.code(), Some(UNUSABLE));
}

#[test]
fn help_teaches() {
    let folder = TempDir::new().unwrap();
    for verb in ["compile", "setup", "prove", "verify", "verify-key", "check", "inspect", "demo"] {
        let output = vouch(folder.path(), &[verb, "--help"]);
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout).unwrap().contains("Example:"));
    }
    let nothing = vouch(folder.path(), &[]);
    assert_eq!(nothing.status.code(), Some(UNUSABLE));
}

/// Recomputing keys neither makes nor keeps a reference string. A setup that needs a longer one makes it, and the keys that rest on the shorter one
/// are recomputed all the same.
#[test]
fn reference_strings_are_kept_by_id() {
    let folder = workplace();
    let folder = folder.path();
    let cache = TempDir::new().unwrap();
    let runs = |arguments: &[&str]| {
        let output = vouch_with(cache.path(), folder, &[arguments, &["--json", "--quiet"]].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice::<Value>(&output.stdout).map_err(|_| errors.to_string()).unwrap()
    };
    let recompute = ["verify-key", "--key", "m", "--architecture", "m/architecture.vouch"];
    let unknown = runs(&recompute);
    assert!(unknown["error"].as_str().unwrap().contains("no reference string with the id"), "{unknown}");
    let unknown = runs(&["model-id", "m", "--salt", &"5a".repeat(32)]);
    assert!(unknown["error"].as_str().unwrap().contains("no development reference string"), "{unknown}");
    assert!(content(cache.path()).is_empty());
    runs(&["setup", "m", "--published-weights"]);
    let first = runs(&recompute)["srs_id"].clone();
    let kept = content(cache.path());
    runs(&["model-id", "m", "--key", "m"]);
    assert!(content(cache.path()) == kept);
    // A longer one.
    json(folder, &["compile", zoo("digits8x8_mlp.onnx").to_str().unwrap(), "--calibration", "data.json", "--out", "n"]);
    runs(&["setup", "n", "--chunk-bits", "17"]);
    assert_ne!(runs(&["verify-key", "--key", "n", "--architecture", "n/architecture.vouch"])["srs_id"], first);
    assert_eq!(runs(&recompute)["srs_id"], first);
    assert_eq!(runs(&["model-id", "m", "--key", "m"])["srs_id"], first);
}
