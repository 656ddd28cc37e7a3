//! The command line: verbs, flags and the help that teaches them. Nothing is decided here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use vouch_circuits::ir::Visibility;
use vouch_evm::Address;
use vouch_prover::Prefer;

const ABOUT: &str = "Proves that a specific machine-learning model gave a specific output.";

const LONG_ABOUT: &str = "Proves that a specific machine-learning model gave a specific output.

vouch turns a trained ONNX model into exact integer arithmetic and proves runs of it. A small standalone program
(vouch-verify) checks the proof without the model.

Weights and inner values stay hidden. Of each input and output a proof shows the values, a commitment, a salted hash, or (of
inputs) nothing, as setup is told; the values if it is told nothing.";

const AFTER: &str = "The whole way, on a bundled model and a real image:
  vouch demo

With a model of your own:
  vouch compile model.onnx --calibration samples.npy --out model
  vouch setup   model
  vouch prove   model --input x.npy --out x.proof
  vouch verify  --key model/verifying.key --proof x.proof

Exit codes: 0 fine; 1 a proof or a constraint was refused; 2 the input or the command line is unusable; 3 a fault of vouch.";

/// `vouch`.
#[derive(Debug, Parser)]
#[command(name = "vouch", version, about = ABOUT, long_about = LONG_ABOUT, after_help = AFTER)]
#[command(arg_required_else_help = true, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
    /// How to speak.
    #[command(flatten)]
    pub speech: Speech,
}

/// Flags that every verb takes.
#[derive(Args, Clone, Copy, Debug)]
pub struct Speech {
    /// Print one JSON object on stdout; everything for people goes to stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing but errors, warnings and the JSON object
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Turn a trained ONNX model into a fixed-point model, and report how close it is to the original
    Compile(Compile),
    /// Make the proving key and the verifying key of a compiled model
    Setup(Setup),
    /// Run the model on an input and prove the output
    Prove(Prove),
    /// Check a proof against a verifying key; the same check as vouch-verify
    Verify(Verify),
    /// Hash an input with a fresh salt, for whoever is to hold the hash before there is a proof
    Hash(Hash),
    /// Check what a committed or hashed input or output of a proof holds, given its opening
    Open(Open),
    /// Recompute a verifying key from the published architecture
    VerifyKey(VerifyKey),
    /// Recompute a model id from the model itself, where its owner published the weights
    ModelId(ModelId),
    /// Make or import a structured reference string
    Srs(Srs),
    /// Run the model and check every constraint, without a proof
    Check(Check),
    /// Say what a vouch file is and what is in it; never shows secrets
    Inspect(Inspect),
    /// Write a Solidity project whose contracts check proofs of the model on Ethereum
    Evm(Evm),
    /// Print what a contract is called with to check a proof
    Calldata(Calldata),
    /// The whole way on a bundled trained model and a real image of a digit
    Demo(Demo),
}

/// `vouch compile`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  vouch compile lenet.onnx --calibration images.npy --out lenet
  vouch compile classifier.onnx --calibration images.npy --out classifier --dim height=48 --dim x.3=192
  vouch compile silero_vad.onnx --calibration speech.npz --out vad --dim input.1=576 --dim state.1=1 --fix sr=16000

Writes lenet/model.vouch (it holds the weights: keep it as private as the ONNX file) and lenet/report.json.

Calibration data is a few dozen typical inputs, scaled as in training: a .npy array with samples along the leading
axis, a .npz file with one entry for each input of the model, or JSON ({\"input_data\": [[..], ..]} or one list for each
input by name).")]
pub struct Compile {
    /// The trained model
    #[arg(value_name = "MODEL.onnx")]
    pub model: PathBuf,
    /// Typical inputs: .npy, .npz or .json
    #[arg(long, short, value_name = "DATA")]
    pub calibration: PathBuf,
    /// The folder to write to; made if missing
    #[arg(long, short, value_name = "DIR")]
    pub out: PathBuf,
    /// The length of an axis that the model leaves open, by the model's name for it or as INPUT.AXIS (axes count from 0); may be given several times
    #[arg(long, value_name = "NAME=LENGTH", value_parser = dimension)]
    pub dim: Vec<(String, usize)>,
    /// An input that always holds this number, such as a sampling rate: it becomes a constant of the model; may be given several times
    #[arg(long, value_name = "INPUT=NUMBER", value_parser = constant)]
    pub fix: Vec<(String, f64)>,
    /// Bits that a rescale drops, where that can be chosen (1 to 24; the default is meant to be right)
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u32).range(1..=24))]
    pub shift: Option<u32>,
}

/// `vouch setup`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  vouch setup lenet
  vouch setup lenet --srs powersOfTau28_hez_final_16.ptau
  vouch setup lenet --input committed
  vouch setup lenet --input image=private --output scores=committed
  vouch setup lenet --prefer prover
  vouch setup lenet --labels digits.txt

--input and --output say what proofs show: `public` the values (the default), `committed` a hiding commitment, `hashed` a salted
hash, for contracts that hold one (`vouch prove` writes what opens commitment or hash beside the proof), `private` (inputs only)
nothing at all. Without a name they speak of all inputs, or all outputs. A hash takes values of 16 bits: inputs always have so few.

--classes says that an output tells a class, and --labels FILE what the classes are called: then whoever verifies a proof reads \"class 7\",
and its name. The key holds both; they are its maker's word.

How wide lookups are, how many values a commitment holds and how many columns the shell has is picked by what proofs then cost: with few of
them proofs are short and cheap to check, with more they are made faster. The choice and its estimated price are printed.

Writes lenet/proving.key (secret: it holds the weights and their blinds), lenet/verifying.key and lenet/architecture.vouch
(public: the key, and the model without its weights, from which anyone can recompute the key: `vouch verify-key`).

Without --srs a development reference string is made on this machine and cached. Whoever made it could forge proofs:
use it to try things out, not to convince others.")]
pub struct Setup {
    /// The folder that `vouch compile` wrote
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// What the keys are made with
    #[command(flatten)]
    pub options: KeyOptions,
    /// 32 bytes that, with the model, determine the keys and the model id; drawn at random if not given
    #[arg(long, value_name = "HEX", value_parser = bytes32)]
    pub salt: Option<[u8; 32]>,
    /// The weights are public: use a salt of zeros, so that whoever has the model can recompute its id with `vouch model-id`
    #[arg(long, conflicts_with = "salt")]
    pub published_weights: bool,
}

/// What keys are made with, beside the model and the salt.
#[derive(Args, Debug)]
pub struct KeyOptions {
    /// A structured reference string from a ceremony that you trust: a file (.ptau, Halo2's raw parameters, or vouch's own), which is
    /// checked when read, or the id of one that `vouch srs import` checked
    #[arg(long, value_name = "FILE|ID")]
    pub srs: Option<PathBuf>,
    /// What proofs should be cheap in: `proof` for their size and the work of checking them, `prover` for the time that making them takes
    #[arg(long, value_name = "proof|prover", value_parser = preference, default_value = "proof")]
    pub prefer: Prefer,
    /// Entries of a commitment, as a power of two; picked by what proofs then cost if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=26))]
    pub chunk_bits: Option<u8>,
    /// How many inferences one proof is of, each on an input of its own: they share what the weights cost
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536), default_value = "1")]
    pub batch: u32,
    /// What proofs show of the inputs, or of one by its name; may be given several times
    #[arg(long, value_name = "[NAME=]public|committed|hashed|private", value_parser = visibility)]
    pub input: Vec<Shows>,
    /// What proofs show of the outputs, or of one by its name
    #[arg(long, value_name = "[NAME=]public|committed|hashed", value_parser = visibility)]
    pub output: Vec<Shows>,
    /// The output tells a class: its places along the last axis are scores of classes, or its one value is a class's number. Without a name,
    /// the model's only output
    #[arg(long, value_name = "OUTPUT", num_args = 0..=1, default_missing_value = "")]
    pub classes: Vec<String>,
    /// The names of an output's classes, one on each line of a text file; implies --classes
    #[arg(long, value_name = "[OUTPUT=]FILE")]
    pub labels: Vec<String>,
}

/// What proofs show of one input or output, or of all.
#[derive(Clone, Debug)]
pub struct Shows {
    /// Of which; of all, if it has no name.
    pub name: Option<String>,
    /// What they show.
    pub visibility: Visibility,
}

fn dimension(text: &str) -> Result<(String, usize), String> {
    let (name, length) = text.rsplit_once('=').ok_or("not of the form NAME=LENGTH")?;
    match length.parse() {
        Ok(length) if length > 0 => Ok((name.to_string(), length)),
        _ => Err(format!("{length:?} is no length: a positive number is needed")),
    }
}

fn constant(text: &str) -> Result<(String, f64), String> {
    let (name, number) = text.rsplit_once('=').ok_or("not of the form INPUT=NUMBER")?;
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok((name.to_string(), value)),
        _ => Err(format!("{number:?} is no number")),
    }
}

fn address(text: &str) -> Result<Address, String> {
    text.parse().map_err(|_| "an address is 0x and 40 hexadecimal digits".to_string())
}

fn preference(text: &str) -> Result<Prefer, String> {
    match text {
        "proof" => Ok(Prefer::Proof),
        "prover" => Ok(Prefer::Prover),
        _ => Err(format!("{text:?} is neither proof nor prover")),
    }
}

fn visibility(text: &str) -> Result<Shows, String> {
    // Names may have an equals sign in them.
    let (name, word) = text.rsplit_once('=').map_or((None, text), |(name, word)| (Some(name.to_string()), word));
    let visibility = match word {
        "public" => Visibility::Public,
        "committed" => Visibility::Committed,
        "private" => Visibility::Private,
        "hashed" => Visibility::Hashed,
        _ => return Err(format!("{word:?} is none of public, committed, hashed and private")),
    };
    Ok(Shows { name, visibility })
}

/// `vouch prove`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  vouch prove lenet --input images.npy --index 3 --out three.proof

The input has the form of calibration data, and the scaling of training; of a batch (`vouch setup --batch`), so many samples along the first axis.
The proof is verified before it is written. It
shows the outputs and inputs as far as setup was told to show them, and nothing else of what was computed.

What opens a committed or hashed input or output is written beside the proof, as PROOF.NAME.opening: keep it as secret as the values.
With --opening an earlier proof's commitment or hash, or one that `vouch hash` made, is used again, so that others see that two
proofs are about the same input.

--context binds the proof to 32 bytes of your choice, a request's id or a contract's address, so that it cannot be used elsewhere.")]
pub struct Prove {
    /// The folder that `vouch setup` wrote the keys to
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The input: .npy, .npz or .json
    #[command(flatten)]
    pub input: Input,
    /// The file to write the proof to
    #[arg(long, short, value_name = "PROOF")]
    pub out: PathBuf,
    /// 32 bytes that the proof is bound to
    #[arg(long, value_name = "HEX", value_parser = bytes32)]
    pub context: Option<[u8; 32]>,
    /// The opening of a commitment or hash that this proof is to have too; refused if the values are others
    #[arg(long, value_name = "OPENING")]
    pub opening: Vec<PathBuf>,
}

/// A file of samples, and which one.
#[derive(Args, Debug)]
pub struct Input {
    /// The input: .npy, .npz or .json
    #[arg(long, short, value_name = "FILE")]
    pub input: PathBuf,
    /// Which sample of a file with several, from 0
    #[arg(long, value_name = "K")]
    pub index: Option<usize>,
}

/// `vouch verify`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  vouch verify --key lenet/verifying.key --proof three.proof
  vouch verify --key lenet/verifying.key --proof three.proof --model-id 5c0f…
  vouch verify --key lenet --proof three.proof --rpc http://127.0.0.1:8545 --contract 0x5Fb… --key-contract 0xe7f…

With --rpc the contract at --contract is asked too, through that Ethereum node; both must accept. Without --key-contract it is the one that is for
this model alone (`vouch evm`).

Exits with 0 if the proof is right, with 1 if it is refused, with 2 if a file is unusable.")]
pub struct Verify {
    /// The verifying key, or the folder that holds it
    #[arg(long, short, value_name = "VK")]
    pub key: PathBuf,
    /// The proof
    #[arg(long, short, value_name = "PROOF")]
    pub proof: PathBuf,
    /// Refuse unless the key is of the model with this id
    #[arg(long, value_name = "HEX", value_parser = bytes32)]
    pub model_id: Option<[u8; 32]>,
    /// Refuse unless the proof is bound to this context
    #[arg(long, value_name = "HEX", value_parser = bytes32)]
    pub context: Option<[u8; 32]>,
    /// Refuse unless the key rests on the reference string with this id, that of a ceremony that you trust
    #[arg(long, value_name = "HEX", value_parser = bytes32)]
    pub srs_id: Option<[u8; 32]>,
    /// Ask a contract too, through this Ethereum node
    #[arg(long, value_name = "URL", requires = "contract")]
    pub rpc: Option<String>,
    /// The verifier's address
    #[arg(long, value_name = "ADDRESS", value_parser = address, requires = "rpc")]
    pub contract: Option<Address>,
    /// The address of the contract that holds the model's key
    #[arg(long, value_name = "ADDRESS", value_parser = address, requires = "contract")]
    pub key_contract: Option<Address>,
}

/// `vouch evm`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  vouch evm lenet --out contracts

Writes the contracts' sources, code that is ready to be deployed, and a README with the commands for it. One contract, the verifier,
serves all models, and a small one holds this model's key; where both fit into one contract there is that one too.

Nothing in the folder is secret.")]
pub struct Evm {
    /// The verifying key, or the folder that holds it
    #[arg(value_name = "DIR")]
    pub key: PathBuf,
    /// The folder to write to; made if missing
    #[arg(long, short, value_name = "CONTRACTS")]
    pub out: PathBuf,
}

/// `vouch calldata`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  vouch calldata three.proof --key lenet --key-contract 0x5FbDB2315678afecb367f032d93F642f64180aa3
  cast call VERIFIER $(vouch calldata three.proof --key lenet --key-contract MODEL_KEY)
  vouch calldata three.proof --key lenet --json

Prints the call as hex. With --json also the function's signature and its arguments, as cast and ethers take them. Without --key-contract it is the call of
the contract that is for this model alone.

The proof is checked against the key first: calldata of a proof that no contract accepts is not printed.")]
pub struct Calldata {
    /// The proof
    #[arg(value_name = "PROOF")]
    pub proof: PathBuf,
    /// The verifying key, or the folder that holds it
    #[arg(long, short, value_name = "VK")]
    pub key: PathBuf,
    /// The address of the contract that holds the model's key
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub key_contract: Option<Address>,
    /// Call the function that reverts with what is wrong, in place of the one that answers true or false
    #[arg(long)]
    pub require_valid: bool,
}

/// `vouch hash`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  vouch hash lenet --input images.npy --index 3 --out three.opening
  vouch setup lenet --input hashed
  vouch prove lenet --input images.npy --index 3 --opening three.opening --out three.proof

Prints the hash, and writes what it is of, with its salt: as secret as the input. Whoever has the hash, a contract for example, learns
nothing of the input, and can tell that a proof is about it. The hash depends on the input as the model takes it (integers) and the
salt alone: other models that take the same integers can show the same hash.")]
pub struct Hash {
    /// The folder that `vouch compile` wrote
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The input: .npy, .npz or .json
    #[command(flatten)]
    pub input: Input,
    /// Which input, of a model that has several
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The file to write what opens the hash to
    #[arg(long, short, value_name = "OPENING")]
    pub out: PathBuf,
}

/// `vouch open`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  vouch open --key lenet/verifying.key --opening three.proof.image.opening --proof three.proof

An opening shows what a proof's committed input or output holds, or what a hash is of. With --proof, the proof is verified too, and must
have this very commitment or hash; without it, compare the one that is printed with the one that you know.

Exits with 0 if the values are what the commitment holds or the hash is of, with 1 if not, with 2 if a file is unusable.")]
pub struct Open {
    /// The verifying key, or the folder that holds it
    #[arg(long, short, value_name = "VK")]
    pub key: PathBuf,
    /// The opening that `vouch prove` or `vouch hash` wrote
    #[arg(long, short, value_name = "OPENING")]
    pub opening: PathBuf,
    /// The proof that it is of
    #[arg(long, short, value_name = "PROOF")]
    pub proof: Option<PathBuf>,
}

/// `vouch model-id`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  vouch model-id lenet --key verifying.key --srs powers.ptau
  vouch model-id lenet --srs powers.ptau --input committed --salt 5c0f…

For models whose owner published the compiled model (model.vouch), the weights in it: makes the keys again, from the model, the salt,
the reference string and setup's options, and prints their id. With --key, the choices and visibilities are the key's, and the ids are
compared: after this nothing of the key is its maker's word but the names of model and classes. The salt is zeros (`vouch setup
--published-weights`) unless one is given. No reference string is made or kept: without --srs it is the one on this machine that the key rests on.

Exits with 0 if all is well, with 1 if the key is another model's, with 2 if a file is unusable.")]
pub struct ModelId {
    /// The folder with the compiled model
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// A verifying key to compare with, or the folder that holds it
    #[arg(long, short, value_name = "VK", conflicts_with_all = ["prefer", "chunk_bits", "input", "output", "classes", "labels"])]
    pub key: Option<PathBuf>,
    /// What the keys were made with
    #[command(flatten)]
    pub options: KeyOptions,
    /// The salt that the owner published
    #[arg(long, value_name = "HEX", value_parser = bytes32)]
    pub salt: Option<[u8; 32]>,
    /// Refuse unless the key rests on the reference string with this id, that of a ceremony that you trust
    #[arg(long, value_name = "HEX", value_parser = bytes32)]
    pub srs_id: Option<[u8; 32]>,
}

/// `vouch srs`.
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub struct Srs {
    /// What to do.
    #[command(subcommand)]
    pub verb: SrsVerb,
}

/// What `vouch srs` does.
#[derive(Debug, Subcommand)]
pub enum SrsVerb {
    /// Make a reference string for development, on this machine
    New(SrsNew),
    /// Check the outcome of a ceremony and keep it for setups
    Import(SrsImport),
}

/// `vouch srs new`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  vouch srs new --bits 16 --out development.srs

Whoever makes a reference string can keep its secret and forge proofs with it. This one says that it is for development, and so do all
keys and proofs that rest on it. It is for teams that try things out with one string on several machines.")]
pub struct SrsNew {
    /// Number of powers, as a power of two
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u8).range(6..=24))]
    pub bits: u8,
    /// The file to write
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
}

/// `vouch srs import`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  vouch srs import powersOfTau28_hez_final_16.ptau
  vouch setup lenet --srs ID

Knows snarkjs' powers of tau (.ptau), Halo2's raw parameter files, and vouch's own reference strings. Every point is checked to be in
its group, and by pairings that the powers are those of one secret. Of the ceremony itself (that somebody forgot their part) no check can
speak: compare the id with that of others, and check the contributions with the ceremony's own tools.

The id is Keccak-256 of the point [tau] in G2, whatever the format and the number of powers; `vouch verify --srs-id ID` demands it.
What was imported is kept in the user's cache folder; --out writes it to a file of vouch's own format too.")]
pub struct SrsImport {
    /// The file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Number of powers to keep, as a power of two; all, but at most 2^16, if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(6..=26))]
    pub bits: Option<u8>,
    /// Write it to this file too
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `vouch verify-key`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  vouch verify-key --key lenet/verifying.key --architecture lenet/architecture.vouch --srs powers.srs

A verifying key names the architecture of its model by a digest, and holds the key of the circuit that checks its constraints. The
architecture, which `vouch setup` writes beside the key, is the model without its weights. This command lowers it to constraints and
computes the key again: after this, only the weights behind the key's commitments and the names of model and classes are its maker's word.

It does not judge the model: `vouch inspect ARCHITECTURE` shows which layers it has, and what becomes of each input and output.

No reference string is made or kept. Without --srs it is the one on this machine that the key rests on.

Exits with 0 if everything fits, with 1 if the key is another's, with 2 if a file is unusable.")]
pub struct VerifyKey {
    /// The verifying key, or the folder that holds it
    #[arg(long, short, value_name = "VK")]
    pub key: PathBuf,
    /// The architecture that was published with it
    #[arg(long, short, value_name = "FILE")]
    pub architecture: PathBuf,
    /// The structured reference string that the key rests on; without it, the one with that id which this machine has
    #[arg(long, value_name = "FILE|ID")]
    pub srs: Option<PathBuf>,
    /// Refuse unless the key rests on the reference string with this id, that of a ceremony that you trust
    #[arg(long, value_name = "HEX", value_parser = bytes32)]
    pub srs_id: Option<[u8; 32]>,
}

/// `vouch check`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  vouch check lenet --input images.npy --all

Needs no keys. Every lookup, product and equality that a proof would show is computed and checked.")]
pub struct Check {
    /// The folder that `vouch compile` wrote
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The input: .npy, .npz or .json
    #[command(flatten)]
    pub input: Input,
    /// All samples in the file
    #[arg(long, conflicts_with = "index")]
    pub all: bool,
}

/// `vouch inspect`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  vouch inspect lenet
  vouch inspect three.proof --json

Knows fixed-point models, architectures, proving and verifying keys, proofs, openings, reference strings and accuracy reports; of a
folder, all that it holds. Weights, salt and blinds are never shown.

Of an architecture it prints the model as people read one: its layers in order, what each computes, reads and learned, and what becomes
of inputs and outputs. What a layer computes is derived from its operators; names in quotes are the model's maker's words.")]
pub struct Inspect {
    /// A file, or a folder of them
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// `vouch demo`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  vouch demo
  vouch demo --model mnist_mlp --index 7 --keep demo

Models: digits8x8_mlp, mnist_mlp, mnist_cnn_tiny, mnist_lenet5. With --keep the files can be looked at and verified with
`vouch inspect` and `vouch-verify`, and the way be walked step by step, from the ONNX file and images.npy on.")]
pub struct Demo {
    /// Which bundled model
    #[arg(long, value_name = "NAME", default_value = "mnist_lenet5")]
    pub model: String,
    /// Which of its 64 images, from 0
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub index: usize,
    /// Keep the ONNX file, the images, the model, the keys and the proof in this folder
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

fn bytes32(text: &str) -> Result<[u8; 32], String> {
    let text = text.strip_prefix("0x").unwrap_or(text);
    let bytes = hex::decode(text).map_err(|_| "not a hexadecimal number".to_string())?;
    let length = bytes.len();
    bytes.try_into().map_err(|_| format!("{length} bytes where 32 are needed (64 hexadecimal digits)"))
}
