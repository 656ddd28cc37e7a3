//! Lowering: each operator of a fixed-point program as constraints.
//!
//! Each operator has a file, with its constraints and the recipe for its cells; here is what they share.
//!
//! | operator | lowering |
//! |---|---|
//! | [`input`] | committed; range lookup; bound to the public values |
//! | [`weight`] | committed at setup |
//! | [`contract`] | a contraction, never committed; element by element, a committed product, where products may be |
//! | [`affine`] | a virtual tensor, never committed |
//! | [`rescale`] (Apply) | lookups of remainder and function, clamp cells where it may saturate |
//! | [`max`] | `(a - b, y - b)` in the ReLU table, or `(y - a)·(y - b) = 0` and both in a range |
//! | [`store`] | committed, equal to the virtual tensor |
//! | [`gather`] | `(index, y)` among the rows `(position, x)` |
//! | [`pick`] | the same, the index computed |
//! | [`argmax`] | monotone flags and range checks of differences |
//!
//! Inputs and outputs are bound by [`ports`], lookups share [`tables`], wide ones are cut into limbs by [`range`].
//!
//! The constraints are a function of the [`Architecture`] alone: the program without its weights, and what the interval analysis, which
//! reads the weights, said of each use ([`bounds`]). So whoever holds an architecture can lower it, and [`limits`] bound what that takes.
//!
//! This module knows operators and constraints; it knows neither witness values nor the argument.

mod affine;
mod argmax;
pub mod bounds;
mod contract;
mod divide;
mod gather;
mod input;
pub mod limits;
mod max;
mod pick;
mod plan;
mod ports;
mod range;
mod rescale;
mod store;
mod tables;
mod weight;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use vouch_program::{Func, NodeId, Op, Program, ProgramError, View};

use self::bounds::NodeBounds;
use self::limits::{Budget, Limits};
use crate::architecture::Architecture;
use crate::ir::*;
use crate::tensor_hash::VALUE_BITS;
pub use argmax::ArgMaxFlags;
pub use contract::Multiply;
pub use divide::Divide;
pub use gather::Gather;
pub use input::Input;
pub use max::Max;
pub use pick::Pick;
pub use plan::{Lowered, Recipe};
pub use range::Limbs;
pub use rescale::{Clamp, Rescale, RescaleFunc};
pub use store::Store;
use tables::Tables;

/// Why a program cannot be lowered.
#[derive(Debug, Error)]
pub enum LowerError {
    /// The program breaks a structural or range rule.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A value's worst-case range is too wide for any table.
    #[error("{origin}: values may need {bits} bits, more than the {limit} that lookups are made for; rescale earlier")]
    TooWide {
        /// The node's source.
        origin: String,
        /// Bits needed.
        bits: u32,
        /// Bits possible.
        limit: u32,
    },
    /// An architecture whose bounds are not those of its operators.
    #[error("{origin}: the bounds that the architecture gives for it do not fit its operator")]
    Bounds {
        /// The node's source.
        origin: String,
    },
    /// An architecture whose style is none.
    #[error("the architecture's lookups are not of 1 to {MAX_LIMB_BITS} bits")]
    Style,
    /// An architecture that does not say what proofs show of each input and output, or what cannot be said.
    #[error("the architecture does not fit the program's inputs and outputs: {0}")]
    Ports(&'static str),
    /// A tensor that no witness has room for.
    #[error("a tensor has 2^{bits} positions, padding included; fewer than 2^31 are supported")]
    TooLarge {
        /// Binary logarithm of the positions.
        bits: usize,
    },
    /// More than may be made of a program.
    #[error("the program has more {what} than are supported here ({limit})")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// The most that there may be.
        limit: u64,
    },
    /// An output would publish trained parameters.
    #[error("output `{0}` is a trained parameter; a proof would publish it")]
    PublishesWeights(String),
    /// An output whose values have more bits than a hash takes.
    #[error(
        "output `{0}` cannot be hashed: its values may have more than {VALUE_BITS} bits; leave it public or commit to it"
    )]
    HashedTooWide(String),
    /// Affine nodes over affine nodes multiply to a coefficient beyond bounds.
    #[error("a sum of sums has a coefficient beyond 2^62 once expanded; store or rescale one of the sums")]
    Coefficient,
    /// Affine nodes over affine nodes expand beyond bounds.
    #[error("{0}: the sum has more than {MAX_TERMS} summands once expanded")]
    TooManyTerms(String),
}

/// The most summands of one virtual tensor.
pub const MAX_TERMS: usize = 4096;

/// What says how visible an input or output is, given its name.
pub type Visible<'a> = dyn Fn(Role, &str) -> Visibility + 'a;

/// How a program is lowered, where there is a choice. Part of the architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Style {
    /// Whether element-by-element products are constraints of their own ([`Product`]), which need the leaves' fractions to be committed
    /// to, and else contractions.
    pub products: bool,
    /// The widest range that is one lookup, at least 1; the limbs of wider ones are looked up. Below [`MAX_LIMB_BITS`], ReLUs and maxima are products and
    /// ranges, if there may be products, and rows of a table otherwise.
    pub limb_bits: u32,
}

/// The widest limbs: with them values of 16 bits are looked up as they are.
pub const MAX_LIMB_BITS: u32 = 16;

impl Style {
    /// The widest lookups, and no products.
    pub const TABLES: Self = Self { products: false, limb_bits: MAX_LIMB_BITS };

    fn is_narrow(&self) -> bool {
        self.products && self.limb_bits < MAX_LIMB_BITS
    }
}

/// Lowers a program whose inputs and outputs are all public, without products. Safe on untrusted programs.
pub fn lower(program: &Program) -> Result<Lowered, LowerError> {
    lower_with(program, &|_, _| Visibility::Public, Style::TABLES)
}

/// Lowers a program, each input and output as visible as `visibility` says. Safe on untrusted programs.
pub fn lower_with(program: &Program, visibility: &Visible, style: Style) -> Result<Lowered, LowerError> {
    let architecture = Architecture::of(program, visibility)?;
    lower_architecture(&architecture, style, Limits::OWNER)
}

/// Lowers an architecture in a style, which need not be its own. Safe on untrusted architectures: takes time and memory within the limits.
///
/// # Errors
/// The first rule that the architecture breaks, or the first limit that it exceeds.
pub fn lower_architecture(architecture: &Architecture, style: Style, limits: Limits) -> Result<Lowered, LowerError> {
    architecture.check()?;
    if !(1..=MAX_LIMB_BITS).contains(&style.limb_bits) {
        return Err(LowerError::Style);
    }
    let program = architecture.outline.program();
    let mut lowering = Lowering {
        program,
        architecture,
        whole: whole_numbers(program),
        style,
        budget: Budget::new(limits),
        system: ConstraintSystem::default(),
        tables: Tables::default(),
        plan: Vec::new(),
        limbs: Vec::new(),
        model: Vec::new(),
        fixed: Vec::new(),
        functions: BTreeMap::new(),
        values: Vec::with_capacity(program.nodes.len()),
    };
    for index in 0..program.nodes.len() {
        let value = lowering.node(NodeId(index as u32))?;
        if let Value::Virtual(sum) = &value {
            lowering.budget.sum(sum)?;
        }
        lowering.values.push(value);
    }
    lowering.bind_ports()?;
    lowering.tables.finish(&mut lowering.system);
    let Lowering { system, mut plan, limbs, model, fixed, .. } = lowering;
    plan.extend(limbs);
    check_coefficients(&system)?;
    Ok(Lowered { system, style, plan, model, fixed })
}

/// A coefficient that is too wide would not be the one that the program means.
fn check_coefficients(system: &ConstraintSystem) -> Result<(), LowerError> {
    for value in system.virtuals() {
        if value.terms.iter().any(|(coef, _)| coef.unsigned_abs() > MAX_COEF) {
            return Err(LowerError::Coefficient);
        }
    }
    Ok(())
}

/// For each node whether its values are integers whatever the weights are, which a key's maker may commit to as fractions of the field: what is looked
/// up is, and what is made of such values alone.
fn whole_numbers(program: &Program) -> Vec<bool> {
    let mut whole = Vec::with_capacity(program.nodes.len());
    for node in &program.nodes {
        whole.push(match &node.op {
            Op::Weight { .. } => false,
            // No bits are dropped and nothing is looked up: the result is the input, whatever that is.
            Op::Apply { input, shift: 0, func: Func::Identity, saturate: false, .. } => whole[input.index()],
            Op::Input { .. } | Op::Apply { .. } | Op::Divide { .. } | Op::ArgMax { .. } => true,
            op => op.reads().iter().all(|read| whole[read.index()]),
        });
    }
    whole
}

/// What a node became.
#[derive(Clone)]
enum Value {
    Stored(TensorId),
    Virtual(Virtual),
}

struct Lowering<'p> {
    program: &'p Program,
    architecture: &'p Architecture,
    /// Which nodes' values are integers whatever the weights are.
    whole: Vec<bool>,
    style: Style,
    budget: Budget,
    system: ConstraintSystem,
    tables: Tables,
    plan: Vec<Recipe>,
    /// What follows when all other values are known.
    limbs: Vec<Recipe>,
    model: Vec<(TensorId, NodeId)>,
    fixed: Vec<(TensorId, Vec<i32>)>,
    functions: BTreeMap<u32, TensorId>,
    values: Vec<Value>,
}

impl Lowering<'_> {
    fn node(&mut self, id: NodeId) -> Result<Value, LowerError> {
        let node = self.program.node(id);
        Ok(match &node.op {
            Op::Input { bits } => Value::Stored(self.input(id, *bits)?),
            Op::Weight { .. } => Value::Stored(self.weight(id)?),
            Op::Contract { vars, lhs, rhs } => Value::Virtual(self.contraction(id, vars, lhs, rhs.as_ref())?),
            Op::Affine { terms } => Value::Virtual(self.affine(id, terms)?),
            Op::Apply { input, shift, func, bits, saturate: _ } => {
                Value::Stored(self.apply(id, *input, *shift, *func, *bits)?)
            }
            Op::Max { lhs, rhs } => Value::Stored(self.max(id, *lhs, *rhs)?),
            Op::Store { input } => Value::Stored(self.store(id, *input)?),
            Op::Gather { input, index } => Value::Stored(self.gather(id, *input, index)?),
            Op::Pick { rows, index, shared } => Value::Stored(self.pick(id, *rows, *index, *shared)?),
            Op::Divide { num, den, shift } => Value::Stored(self.divide(id, *num, den, *shift)?),
            Op::ArgMax { input, axis } => Value::Stored(self.argmax(id, *input, *axis)?),
        })
    }

    /// What the architecture says of a node.
    fn bounds(&self, id: NodeId) -> NodeBounds {
        self.architecture.bounds[id.index()]
    }

    /// The error for a node whose bounds are another operator's.
    fn misfit(&self, id: NodeId) -> LowerError {
        LowerError::Bounds { origin: self.program.node(id).source.clone() }
    }

    fn commit(&mut self, origin: Origin, shape: &[usize], name: String) -> Result<TensorId, LowerError> {
        self.budget.tensor(shape, name.len())?;
        let id = TensorId(self.system.tensors.len() as u32);
        self.system.tensors.push(Tensor { origin, shape: shape.to_vec(), name });
        Ok(id)
    }

    /// A fixed tensor; its values on the padded positions are made once it is known that there is room for them.
    fn commit_fixed(
        &mut self,
        shape: &[usize],
        name: String,
        values: impl FnOnce() -> Vec<i32>,
    ) -> Result<TensorId, LowerError> {
        let id = self.commit(Origin::Fixed, shape, name)?;
        self.budget.fixed(shape)?;
        self.fixed.push((id, values()));
        Ok(id)
    }

    fn lookup(&mut self, columns: Vec<Virtual>, table: TableId) -> Result<(), LowerError> {
        columns.iter().try_for_each(|column| self.budget.sum(column))?;
        self.system.lookups.push(Lookup { columns, table });
        Ok(())
    }

    /// The value is zero.
    fn equal(&mut self, value: Virtual) -> Result<(), LowerError> {
        self.budget.sum(&value)?;
        self.system.equals.push(value);
        Ok(())
    }

    /// The product of the first two is the third.
    fn product(&mut self, terms: [Virtual; 3]) -> Result<(), LowerError> {
        terms.iter().try_for_each(|term| self.budget.sum(term))?;
        self.system.products.push(Product { terms });
        Ok(())
    }

    /// The tensor's padding is zero.
    fn zero_padding(&mut self, tensor: TensorId) -> Result<(), LowerError> {
        let shape = self.system.tensor(tensor).shape.clone();
        if has_padding(&shape) {
            let masked = Source::Read(Operand::identity(tensor, shape.len()));
            self.equal(Virtual::raw(tensor, &shape).plus(-1, masked))?;
        }
        Ok(())
    }

    /// A stored node's tensor; the program is valid, so views and gathers meet only such nodes.
    fn tensor_of(&self, id: NodeId) -> TensorId {
        match &self.values[id.index()] {
            Value::Stored(tensor) => *tensor,
            Value::Virtual(_) => unreachable!("a valid program addresses stored nodes only"),
        }
    }

    fn virtual_of(&self, id: NodeId) -> Virtual {
        match &self.values[id.index()] {
            Value::Stored(tensor) => Virtual::raw(*tensor, &self.program.node(id).shape),
            Value::Virtual(value) => value.clone(),
        }
    }

    fn operand(&self, view: &View) -> Operand {
        Operand {
            tensor: self.tensor_of(view.node),
            access: Access::Indexed(view.axes.iter().map(Index::from).collect()),
        }
    }

    fn check_bits(&self, id: NodeId, bits: u32, limit: u32) -> Result<(), LowerError> {
        bounds::check_bits(self.program.node(id), bits, limit)
    }
}

/// For each true position of a tensor, in row-major order, its position in the padded tensor.
pub fn padded_positions(shape: &[usize]) -> Vec<usize> {
    let mut positions = vec![0usize];
    for &len in shape {
        let padded = len.next_power_of_two();
        positions = positions.iter().flat_map(|p| (0..len).map(move |i| p * padded + i)).collect();
    }
    positions
}

/// The position in the padded tensor of one true position, both row-major.
pub fn padded_position(shape: &[usize], mut position: usize) -> usize {
    let (mut padded, mut size) = (0, 1);
    for &len in shape.iter().rev() {
        padded += position % len * size;
        position /= len;
        size *= len.next_power_of_two();
    }
    padded
}
