//! Lowering: each operator of a fixed-point program as constraints.
//!
//! | operator | lowering |
//! |---|---|
//! | `Input` | committed; range lookup; bound to the public values |
//! | `Weight` | committed at setup |
//! | `Contract` | a contraction, never committed |
//! | `Affine` | a virtual tensor, never committed |
//! | `Apply` | [`rescale`]: lookups of remainder and function, clamp cells where it may saturate |
//! | `Max` | `(a - b, y - b)` in the ReLU table |
//! | `Store` | committed, equal to the virtual tensor |
//! | `Gather` | `(index, y)` among the rows `(position, x)` |
//! | `ArgMax` | [`argmax`]: monotone flags and range checks of differences |
//!
//! An output that is to be committed to by itself is copied first where its padding may hold anything: what is committed to is zero there, so
//! that the values alone determine it.
//!
//! This module knows operators and constraints; it knows neither witness values nor the argument.

mod argmax;
mod plan;
mod rescale;
mod tables;

use std::collections::BTreeMap;

use thiserror::Error;
use vouch_program::{AffineTerm, Interval, NodeId, Op, Program, ProgramError, View, intervals};

use crate::ir::*;
pub use plan::{Clamp, Lowered, Recipe, Rescale, RescaleFunc};
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
    /// Affine nodes over affine nodes multiply to a coefficient beyond bounds.
    #[error("a sum of sums has a coefficient beyond 2^62 once expanded; store or rescale one of the sums")]
    Coefficient,
    /// Affine nodes over affine nodes expand beyond bounds.
    #[error("{0}: the sum has more than {MAX_TERMS} summands once expanded")]
    TooManyTerms(String),
}

/// The most summands of one virtual tensor.
pub const MAX_TERMS: usize = 4096;

/// Lowers a program whose inputs and outputs are all public. Safe on untrusted programs.
pub fn lower(program: &Program) -> Result<Lowered, LowerError> {
    lower_with(program, &|_, _| Visibility::Public)
}

/// Lowers a program, each input and output as visible as `visibility` says of its name. Safe on untrusted programs.
pub fn lower_with(program: &Program, visibility: &dyn Fn(Role, &str) -> Visibility) -> Result<Lowered, LowerError> {
    let intervals = intervals(program)?;
    let mut lowering = Lowering {
        program,
        intervals,
        system: ConstraintSystem::default(),
        tables: Tables::default(),
        plan: Vec::new(),
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
    let Lowering { system, plan, model, fixed, .. } = lowering;
    check_coefficients(&system)?;
    Ok(Lowered { system, plan, model, fixed })
}

/// A coefficient that is too wide would not be the one that the program means.
fn check_coefficients(system: &ConstraintSystem) -> Result<(), LowerError> {
    let columns = system.lookups.iter().map(|l| &l.columns).chain(system.tables.iter().map(|t| &t.columns));
    for value in columns.flatten().chain(&system.equals) {
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
    intervals: Vec<Interval>,
    system: ConstraintSystem,
    tables: Tables,
    plan: Vec<Recipe>,
    model: Vec<(TensorId, NodeId)>,
    fixed: Vec<(TensorId, Vec<i32>)>,
    functions: BTreeMap<u32, TensorId>,
    values: Vec<Value>,
}

impl Lowering<'_> {
    fn node(&mut self, id: NodeId) -> Result<Value, LowerError> {
        let program = self.program;
        let node = program.node(id);
        let shape = &node.shape;
        Ok(match &node.op {
            Op::Input { bits } => {
                let out = self.commit(Origin::Witness, shape, format!("input {}", node.source));
                let port = program.inputs.iter().position(|p| p.node == id).unwrap_or(0);
                self.plan.push(Recipe::Input { port, out });
                self.range(Virtual::raw(out, shape).plus_constant(1 << (bits - 1)), *bits);
                self.zero_padding(out);
                Value::Stored(out)
            }
            Op::Weight { .. } => {
                let out = self.commit(Origin::Model, shape, format!("weights {}", node.source));
                self.model.push((out, id));
                Value::Stored(out)
            }
            Op::Contract { vars, lhs, rhs } => {
                let lhs = self.operand(lhs);
                let rhs = rhs.as_ref().map(|view| self.operand(view));
                let contraction = Contraction { vars: vars.clone(), outputs: shape.len(), lhs, rhs };
                Value::Virtual(self.contract(contraction))
            }
            Op::Affine { terms } => Value::Virtual(self.affine(id, terms)?),
            Op::Apply { input, shift, func, bits, saturate } => {
                Value::Stored(self.apply(id, *input, *shift, *func, *bits, *saturate)?)
            }
            Op::Max { lhs, rhs } => {
                let (a, b) = (self.intervals[lhs.index()], self.intervals[rhs.index()]);
                // Saturated bounds are far too wide for any table.
                let difference = Interval::new(a.lo.saturating_sub(b.hi), a.hi.saturating_sub(b.lo));
                self.check_bits(id, self.intervals[id.index()].bits(), 32)?;
                let (lhs, rhs) = (self.virtual_of(*lhs), self.virtual_of(*rhs));
                let out = self.commit(Origin::Witness, shape, format!("max {}", node.source));
                let above = Virtual::raw(out, shape).plus_virtual(-1, &rhs);
                let difference_bits = difference.bits().max(2);
                self.check_bits(id, difference_bits, tables::MAX_RELU_BITS)?;
                let table = self.tables.relu(&mut self.system, difference_bits);
                self.lookup(vec![lhs.clone().plus_virtual(-1, &rhs), above], table);
                self.plan.push(Recipe::Max { lhs, rhs, out });
                Value::Stored(out)
            }
            Op::Store { input } => {
                self.check_bits(id, self.intervals[input.index()].bits(), 32)?;
                let value = self.virtual_of(*input);
                let out = self.commit(Origin::Witness, shape, format!("copy {}", node.source));
                self.system.equals.push(value.clone().plus_raw(-1, out));
                self.plan.push(Recipe::Store { value, out });
                Value::Stored(out)
            }
            Op::Gather { input, index } => Value::Stored(self.gather(id, *input, index)),
            Op::ArgMax { input, axis } => Value::Stored(self.argmax(id, *input, *axis)?),
        })
    }

    fn commit(&mut self, origin: Origin, shape: &[usize], name: String) -> TensorId {
        let id = TensorId(self.system.tensors.len() as u32);
        self.system.tensors.push(Tensor { origin, shape: shape.to_vec(), name });
        id
    }

    fn contract(&mut self, contraction: Contraction) -> Virtual {
        let id = ContractionId(self.system.contractions.len() as u32);
        let domain = contraction.vars[..contraction.outputs].to_vec();
        self.system.contractions.push(contraction);
        Virtual::zero(&domain).plus(1, Source::Contraction(id))
    }

    fn lookup(&mut self, columns: Vec<Virtual>, table: TableId) {
        self.system.lookups.push(Lookup { columns, table });
    }

    /// `0 <= value < 2^bits`.
    fn range(&mut self, value: Virtual, bits: u32) {
        let table = self.tables.range(&mut self.system, bits);
        self.lookup(vec![value], table);
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

    fn affine(&self, id: NodeId, terms: &[AffineTerm]) -> Result<Virtual, LowerError> {
        let node = self.program.node(id);
        let mut sum = Virtual::zero(&node.shape);
        for term in terms {
            sum = match term {
                AffineTerm::Scaled { coef, view } => match &self.values[view.node.index()] {
                    Value::Stored(_) => sum.plus(*coef, Source::Read(self.operand(view))),
                    Value::Virtual(value) => sum.plus_virtual(*coef, value),
                },
                AffineTerm::Fill { coef, ranges } => sum.plus(*coef, Source::Fill(ranges.clone())),
            };
            if sum.terms.len() > MAX_TERMS {
                return Err(LowerError::TooManyTerms(node.source.clone()));
            }
        }
        Ok(sum)
    }

    /// `(index[o], out[o])` is one of the rows `(position, input[position])`.
    fn gather(&mut self, id: NodeId, input: NodeId, index: &[u32]) -> TensorId {
        let node = self.program.node(id);
        let input = self.tensor_of(input);
        let input_shape = self.system.tensor(input).shape.clone();
        let positions = padded_positions(&input_shape);
        let mut padded = vec![0i32; 1 << shape_bits(&node.shape)];
        for (&to, &from) in padded_positions(&node.shape).iter().zip(index) {
            padded[to] = positions[from as usize] as i32;
        }
        let index = self.commit(Origin::Fixed, &node.shape, format!("index {}", node.source));
        self.fixed.push((index, padded));
        let out = self.commit(Origin::Witness, &node.shape, format!("gather {}", node.source));
        let rows = vec![Virtual::zero(&input_shape).plus(1, Source::Position), Virtual::raw(input, &input_shape)];
        let table = self.tables.rows(&mut self.system, format!("rows for {}", node.source), rows);
        self.lookup(vec![Virtual::raw(index, &node.shape), Virtual::raw(out, &node.shape)], table);
        self.plan.push(Recipe::Gather { input, index, out });
        out
    }

    fn bind_ports(&mut self, visibility: &dyn Fn(Role, &str) -> Visibility) -> Result<(), LowerError> {
        let program = self.program;
        let inputs = program.inputs.iter().map(|port| (Role::Input, port));
        let outputs = program.outputs.iter().map(|port| (Role::Output, port));
        for (role, port) in inputs.chain(outputs) {
            let node = program.node(port.node);
            if let Op::Weight { .. } = node.op {
                return Err(LowerError::PublishesWeights(port.name.clone()));
            }
            // Exact bounds of an output would follow from the weights.
            let range = self.intervals[port.node.index()].outward();
            let visibility = visibility(role, &port.name);
            let mut tensor = self.tensor_of(port.node);
            if visibility == Visibility::Committed {
                tensor = self.for_commitment(role, tensor, &port.name);
            }
            self.system.publics.push(Public {
                tensor,
                role,
                visibility,
                name: port.name.clone(),
                shape: port.shape.clone(),
                frac: node.frac,
                range: (range.lo, range.hi),
            });
        }
        Ok(())
    }

    /// A tensor of the same values whose padding is zero and that nothing else commits to.
    fn for_commitment(&mut self, role: Role, tensor: TensorId, name: &str) -> TensorId {
        let shape = self.system.tensor(tensor).shape.clone();
        let taken = self.system.publics.iter().any(|public| public.is_committed() && public.tensor == tensor);
        // Inputs are zero in their padding as it is.
        if !taken && (role == Role::Input || !has_padding(&shape)) {
            return tensor;
        }
        let value = Virtual::zero(&shape).plus(1, Source::Read(Operand::identity(tensor, shape.len())));
        let out = self.commit(Origin::Witness, &shape, format!("committed {name}"));
        self.system.equals.push(value.clone().plus_raw(-1, out));
        self.plan.push(Recipe::Store { value, out });
        out
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
