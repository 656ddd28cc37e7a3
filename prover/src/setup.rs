//! Setup: the proving and the verifying key of a program.

use std::collections::BTreeMap;

use ark_bn254::G1Affine;
use thiserror::Error;
use vouch_circuits::architecture::Architecture;
use vouch_circuits::argument::key::CoreKey;
use vouch_circuits::ir::{Classes, Role, Visibility};
use vouch_circuits::key::{Labels, PublicTensor, VerifyingKey};
use vouch_circuits::layout::{Cuts, Layout};
use vouch_circuits::lowering::limits::Limits;
use vouch_circuits::lowering::{LowerError, Lowered, MAX_LIMB_BITS, Style};
use vouch_circuits::shell::shape::{MAX_LANES, PACKED};
use vouch_circuits::shell::{Columns, Shape, record_shape};
use vouch_circuits::validate::{InvalidSystem, validate};
pub use vouch_circuits::validate::{MAX_CHUNK_BITS, MIN_CHUNK_BITS};
use vouch_program::{Port, Program, ProgramError};

use crate::choice::{Choice, Prefer, choose};
use crate::commit::Srs;
use crate::core_key::{CoreProvingKey, commit_weights, weight_blinds, weight_vector};
use crate::shell::{ShellError, ShellProvingKey, check_size};
use crate::witness::model_values;

/// Why a setup fails.
#[derive(Debug, Error)]
pub enum SetupError {
    /// The program cannot be lowered.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// The model's constraints are beyond what a verifier accepts.
    #[error("the model is too large to be verified: {0}")]
    System(#[from] InvalidSystem),
    /// The structured reference string is too short.
    #[error(
        "the structured reference string has {have} powers, {need} are needed; use a longer one or a smaller chunk size"
    )]
    SrsTooShort {
        /// Powers present.
        have: usize,
        /// Powers needed.
        need: usize,
    },
    /// The chunk size is outside the supported range.
    #[error("chunks of 2^{0} entries are not supported; choose between 2^{MIN_CHUNK_BITS} and 2^{MAX_CHUNK_BITS}")]
    ChunkBits(usize),
    /// A number of lanes that no verifier takes.
    #[error("a shell of {0} lanes is not supported; choose between 1 and {MAX_LANES}")]
    Lanes(usize),
    /// A number of columns to a commitment that no verifier takes.
    #[error("{0} columns to a commitment are not supported; choose 1 or {PACKED}")]
    Packing(usize),
    /// An input that was to be less than public.
    #[error("the model has no input `{0}`")]
    NoSuchInput(String),
    /// An output that was to be committed.
    #[error("the model has no output `{0}`")]
    NoSuchOutput(String),
    /// Names of classes that are too many, too long, or not as many as the output has places.
    #[error("the names of classes do not fit the output `{output}`: {problem}")]
    Labels {
        /// The output's name.
        output: String,
        /// What is wrong.
        problem: String,
    },
    /// An output that no proof would show.
    #[error("the output `{0}` cannot be private: a proof that shows nothing of it says nothing about it")]
    PrivateOutput(String),
    /// The shell has no keys.
    #[error(transparent)]
    Shell(#[from] ShellError),
    /// Weights that do not fit the architecture beside them.
    #[error("the proving key's weights do not fit its architecture: {0}")]
    Weights(ProgramError),
    /// The key does not belong to the program beside it.
    #[error("the proving key's parts do not belong together: {0}")]
    Inconsistent(&'static str),
}

/// All that proving needs. Secret but for its verifying key.
pub struct ProvingKey {
    /// The public part.
    pub verifying_key: VerifyingKey,
    /// What the verifying key is of, without the weights; public, too.
    pub architecture: Architecture,
    /// What the core is proven with; it names the verifying key.
    pub core: CoreProvingKey,
    /// What the shell is proven with.
    pub shell: ShellProvingKey,
}

/// What a setup is told beside the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetupOptions {
    /// Binary logarithm of the chunk size; picked from the program if not given ([`crate::constraints_of`]).
    pub chunk_bits: Option<usize>,
    /// The layer of the fraction tree whose fractions are committed to, 0 for none; picked likewise.
    pub layer: Option<usize>,
    /// The widest range that is looked up at once; picked likewise.
    pub limb_bits: Option<u32>,
    /// Lanes of the shell's circuit, at most [`MAX_LANES`]; picked likewise.
    pub lanes: Option<usize>,
    /// Its columns to a commitment, 1 or [`PACKED`]; picked likewise.
    pub packing: Option<usize>,
    /// How the program is lowered, products included; picked likewise. Where it is given, `limb_bits` is of no account.
    pub style: Option<Style>,
    /// What proofs should be cheap in, where something is picked.
    pub prefer: Prefer,
    /// What proofs show of inputs, by name; of all others, their values.
    pub inputs: BTreeMap<String, Visibility>,
    /// What they show of outputs.
    pub outputs: BTreeMap<String, Visibility>,
    /// The outputs whose places stand for classes, and the classes' names, if they have any.
    pub classes: BTreeMap<String, Option<Labels>>,
}

impl SetupOptions {
    /// This chunk size, and everything public.
    pub fn chunk_bits(bits: usize) -> Self {
        Self { chunk_bits: Some(bits), ..Self::default() }
    }

    /// These cuts, and everything public.
    pub fn cut_at(Cuts { chunk_bits, layer }: Cuts) -> Self {
        Self { layer: Some(layer), ..Self::chunk_bits(chunk_bits) }
    }

    /// The same with everything chosen for a program, and what that needs.
    ///
    /// # Errors
    /// As [`Needs::of`].
    pub fn settle(&self, program: &Program) -> Result<(Self, Needs), SetupError> {
        let (_, choice) = self.choose(program)?;
        let Cuts { chunk_bits, layer } = choice.cuts;
        let style = Some(choice.lowered.style);
        let (lanes, packing) = (Some(choice.columns.lanes), Some(choice.columns.packing));
        let (chunk_bits, layer) = (Some(chunk_bits), Some(layer));
        let settled = Self { chunk_bits, layer, style, lanes, packing, ..self.clone() };
        Ok((settled, Needs::of_choice(&choice)?))
    }

    /// The choices, visibilities and classes of a key that is `program`'s. The style is the one whose architecture the key names; if there is
    /// none, the key is another program's, and a style is picked.
    ///
    /// # Errors
    /// A program that has no architecture.
    pub fn of(key: &VerifyingKey, program: &Program) -> Result<Self, SetupError> {
        let of_role = |role| {
            let publics = key.publics.iter().filter(|public| public.role == role);
            publics.map(|public| (public.name.clone(), public.visibility)).collect()
        };
        let classes = key.publics.iter().enumerate().filter_map(|(i, public)| match public.classes {
            Classes::None => None,
            Classes::Numbered | Classes::Named(_) => Some((public.name.clone(), key.labels_of(i).cloned())),
        });
        let Cuts { chunk_bits, layer } = key.cuts;
        let (chunk_bits, layer) = (Some(chunk_bits), Some(layer));
        let (lanes, packing) = (Some(key.shell.columns.lanes), Some(key.shell.columns.packing));
        let (inputs, outputs, classes) = (of_role(Role::Input), of_role(Role::Output), classes.collect());
        let of_key = Self { chunk_bits, layer, lanes, packing, inputs, outputs, classes, ..Self::default() };
        let mut architecture = of_key.architecture(program)?;
        let styles =
            (1..=MAX_LIMB_BITS).flat_map(|limb_bits| [true, false].map(|products| Style { products, limb_bits }));
        let style = styles.into_iter().find(|style| {
            architecture.style = *style;
            architecture.digest() == key.architecture
        });
        Ok(Self { style, ..of_key })
    }

    /// What is published of the program, as visible as these say, whatever its style.
    fn architecture(&self, program: &Program) -> Result<Architecture, SetupError> {
        let visibility = |role, name: &str| {
            let named = if role == Role::Input { &self.inputs } else { &self.outputs };
            named.get(name).copied().unwrap_or(Visibility::Public)
        };
        let mut architecture = Architecture::of(program, &visibility)?;
        for (port, record) in program.outputs.iter().zip(&mut architecture.outputs) {
            record.classes = match self.classes.get(&port.name) {
                None => Classes::None,
                Some(None) => Classes::Numbered,
                Some(Some(labels)) => Classes::Named(checked_labels(labels, port)?),
            };
        }
        Ok(architecture)
    }

    /// The program's architecture and constraints, as visible as these say, and where they are cut.
    pub(crate) fn choose(&self, program: &Program) -> Result<(Architecture, Choice), SetupError> {
        if let Some(bits) = self.chunk_bits.filter(|bits| !(MIN_CHUNK_BITS..=MAX_CHUNK_BITS).contains(bits)) {
            return Err(SetupError::ChunkBits(bits));
        }
        if let Some(lanes) = self.lanes.filter(|lanes| !(1..=MAX_LANES).contains(lanes)) {
            return Err(SetupError::Lanes(lanes));
        }
        if let Some(packing) = self.packing.filter(|packing| ![1, PACKED].contains(packing)) {
            return Err(SetupError::Packing(packing));
        }
        let missing = |names: &BTreeMap<String, Visibility>, ports: &[Port]| {
            names.keys().find(|name| ports.iter().all(|port| port.name != **name)).cloned()
        };
        if let Some(name) = missing(&self.inputs, &program.inputs) {
            return Err(SetupError::NoSuchInput(name));
        }
        let classes = self.classes.keys().map(|name| (name.clone(), Visibility::Public)).collect();
        if let Some(name) = missing(&self.outputs, &program.outputs).or(missing(&classes, &program.outputs)) {
            return Err(SetupError::NoSuchOutput(name));
        }
        if let Some((name, _)) = self.outputs.iter().find(|(_, visibility)| **visibility == Visibility::Private) {
            return Err(SetupError::PrivateOutput(name.clone()));
        }
        let mut architecture = self.architecture(program)?;
        let choice = choose(&architecture, self)?;
        architecture.style = choice.lowered.style;
        Ok((architecture, choice))
    }
}

/// The digest of names of classes that fit an output.
fn checked_labels(labels: &Labels, output: &Port) -> Result<[u8; 32], SetupError> {
    let fail = |problem: String| SetupError::Labels { output: output.name.clone(), problem };
    if !labels.are_bounded() {
        let (count, bytes) = (Labels::MAX_COUNT, Labels::MAX_BYTES);
        return Err(fail(format!("at most {count} names of at most {bytes} bytes each are supported")));
    }
    let (places, names) = (output.shape.last().copied().unwrap_or(1), labels.0.len());
    if places != 1 && places != names {
        return Err(fail(format!("it has {places} places, there are {names} names")));
    }
    Ok(labels.digest())
}

/// What a setup takes of a reference string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Where vectors and the fraction tree are cut.
    pub cuts: Cuts,
    /// Binary logarithm of the rows of the shell's circuit.
    pub k: u32,
    /// How its cells lie in columns, and those in commitments.
    pub columns: Columns,
}

impl Needs {
    /// Of a program.
    ///
    /// # Errors
    /// A program that cannot be lowered, a chunk size out of range, or an input that does not exist.
    pub fn of(program: &Program, options: &SetupOptions) -> Result<Self, SetupError> {
        Self::of_choice(&options.choose(program)?.1)
    }

    fn of_choice(Choice { lowered, cuts, columns, .. }: &Choice) -> Result<Self, SetupError> {
        validate(&lowered.system, *cuts)?;
        let shape = Shape::of(&record_shape(&lowered.system, &Layout::new(&lowered.system, *cuts)), columns.lanes);
        check_size(&shape)?;
        Ok(Self { cuts: *cuts, k: shape.k, columns: *columns })
    }

    /// Powers: of a chunk, and of the shell's commitments.
    pub fn powers(&self) -> usize {
        (1 << self.cuts.chunk_bits).max(self.columns.powers(self.k))
    }

    /// Binary logarithm of the powers that are needed in Lagrange form too, if any are.
    pub fn lagrange(&self) -> Option<u32> {
        (self.columns.packing == 1).then_some(self.k)
    }
}

/// Commits to the program's weights and makes the shell's keys. Seconds, nearly all for the shell.
///
/// # Errors
/// A program that cannot be lowered, an input that does not exist, or `srs` with fewer powers than [`Needs`] says.
pub fn setup(
    program: Program,
    options: &SetupOptions,
    mut srs: Srs,
    salt: [u8; 32],
    progress: &mut dyn FnMut(&'static str),
) -> Result<ProvingKey, SetupError> {
    progress("lowering");
    let (architecture, choice) = options.choose(&program)?;
    let needs = Needs::of_choice(&choice)?;
    let (have, need) = (srs.powers.len(), needs.powers());
    if have < need {
        return Err(SetupError::SrsTooShort { have, need });
    }
    srs.cut(need, needs.lagrange().as_slice());
    let mut core = commit_weights(program, choice.lowered, needs.cuts, srs, salt, progress)?;
    progress("the shell's keys");
    let shell = ShellProvingKey::new(&core.key.system, &core.layout, needs.columns, &mut core.srs)?;
    let verifying_key = VerifyingKey {
        name: core.program.name.clone(),
        architecture: architecture.digest(),
        cuts: needs.cuts,
        x_chunks: core.layout.chunks().x,
        y_chunks: core.layout.chunks().y,
        w_commitments: core.key.w_commitments.clone(),
        tau_g2: core.srs.tau_g2,
        development: core.srs.development,
        publics: PublicTensor::all_of(&core.key.system, &core.layout),
        shell: shell.verifying_key.clone(),
        labels: core.program.outputs.iter().filter_map(|port| options.classes.get(&port.name)?.clone()).collect(),
    };
    core.key_digest = verifying_key.digest();
    Ok(ProvingKey { verifying_key, architecture, core, shell })
}

impl ProvingKey {
    /// Puts a key together from its stored parts; `weights` are the data of the program's weight nodes, in order.
    ///
    /// # Errors
    /// Parts that do not belong together.
    pub fn from_parts(
        verifying_key: VerifyingKey,
        architecture: Architecture,
        weights: Vec<Vec<i32>>,
        mut srs: Srs,
        salt: [u8; 32],
    ) -> Result<Self, SetupError> {
        let cuts = verifying_key.cuts;
        let lowered: Lowered = architecture.lower(Limits::OWNER)?;
        let program = architecture.outline.with_weights(weights).map_err(SetupError::Weights)?;
        validate(&lowered.system, cuts)?;
        let layout = Layout::new(&lowered.system, cuts);
        let same = architecture.digest() == verifying_key.architecture
            && layout.chunks() == verifying_key.chunks()
            && PublicTensor::all_of(&lowered.system, &layout) == verifying_key.publics;
        if !same {
            return Err(SetupError::Inconsistent("the verifying key is another program's"));
        }
        if srs.powers.len() < 1 << layout.chunk_bits || srs.tau_g2 != verifying_key.tau_g2 {
            return Err(SetupError::Inconsistent(
                "the verifying key was made with another structured reference string",
            ));
        }
        let w_commitments: Vec<G1Affine> = verifying_key.w_commitments.clone();
        let (system, tau_g2) = (lowered.system.clone(), srs.tau_g2);
        let key = CoreKey { system, cuts, w_commitments, tau_g2 };
        let shell = ShellProvingKey::restore(&key.system, &layout, &mut srs, &verifying_key.shell)?;
        let key_digest = verifying_key.digest();
        let w = weight_vector(&lowered, &layout, &model_values(&program, &lowered));
        let w_blinds = weight_blinds(&layout, &salt, &srs.tau_g2, &w);
        let core = CoreProvingKey { key, key_digest, program, srs, salt, w_blinds, lowered, layout };
        Ok(Self { verifying_key, architecture, core, shell })
    }

    /// The program, weights included.
    pub fn program(&self) -> &Program {
        &self.core.program
    }
}
