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
//! This module knows operators and constraints; it knows neither witness values nor the argument.

mod affine;
mod argmax;
mod contract;
mod divide;
mod gather;
mod input;
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

use thiserror::Error;
use vouch_program::{Interval, NodeId, Op, Program, ProgramError, View, intervals};

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

/// How a program is lowered, where there is a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    let style = Style { limb_bits: style.limb_bits.clamp(1, MAX_LIMB_BITS), ..style };
    let intervals = intervals(program)?;
    let mut lowering = Lowering {
        program,
        style,
        intervals,
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
        lowering.values.push(value);
    }
    lowering.bind_ports(visibility)?;
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

/// What a node became.
#[derive(Clone)]
enum Value {
    Stored(TensorId),
    Virtual(Virtual),
}

struct Lowering<'p> {
    program: &'p Program,
    style: Style,
    intervals: Vec<Interval>,
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
            Op::Input { bits } => Value::Stored(self.input(id, *bits)),
            Op::Weight { .. } => Value::Stored(self.weight(id)),
            Op::Contract { vars, lhs, rhs } => Value::Virtual(self.contraction(id, vars, lhs, rhs.as_ref())),
            Op::Affine { terms } => Value::Virtual(self.affine(id, terms)?),
            Op::Apply { input, shift, func, bits, saturate } => {
                Value::Stored(self.apply(id, *input, *shift, *func, *bits, *saturate)?)
            }
            Op::Max { lhs, rhs } => Value::Stored(self.max(id, *lhs, *rhs)?),
            Op::Store { input } => Value::Stored(self.store(id, *input)?),
            Op::Gather { input, index } => Value::Stored(self.gather(id, *input, index)),
            Op::Pick { rows, index, shared } => Value::Stored(self.pick(id, *rows, *index, *shared)),
            Op::Divide { num, den, shift } => Value::Stored(self.divide(id, *num, den, *shift)?),
            Op::ArgMax { input, axis } => Value::Stored(self.argmax(id, *input, *axis)?),
        })
    }

    fn commit(&mut self, origin: Origin, shape: &[usize], name: String) -> TensorId {
        let id = TensorId(self.system.tensors.len() as u32);
        self.system.tensors.push(Tensor { origin, shape: shape.to_vec(), name });
        id
    }

    fn lookup(&mut self, columns: Vec<Virtual>, table: TableId) {
        self.system.lookups.push(Lookup { columns, table });
    }

    /// The tensor's padding is zero.
    fn zero_padding(&mut self, tensor: TensorId) {
        let shape = self.system.tensor(tensor).shape.clone();
        if has_padding(&shape) {
            let masked = Source::Read(Operand::identity(tensor, shape.len()));
            self.system.equals.push(Virtual::raw(tensor, &shape).plus(-1, masked));
        }
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
        if bits <= limit {
            return Ok(());
        }
        Err(LowerError::TooWide { origin: self.program.node(id).source.clone(), bits, limit })
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
