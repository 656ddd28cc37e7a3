//! The program's inputs and outputs, bound to tensors.
//!
//! An output that is to be committed to by itself, or hashed, is copied first where its padding may hold anything: what is committed to or hashed is zero there, so
//! that the values alone determine it.

use vouch_program::{Interval, Op, Port, varying};

use super::{LowerError, Lowering};
use crate::architecture::OutputRecord;
use crate::ir::*;
use crate::tensor_hash::{VALUE_BITS, VALUES};

impl Lowering<'_> {
    pub(super) fn bind_ports(&mut self) -> Result<(), LowerError> {
        let (program, architecture) = (self.program, self.architecture);
        let input = |(port, visibility): (&'_ Port, &Visibility)| {
            let range = match program.node(port.node).op {
                Op::Input { bits } => Interval::signed(bits),
                // A valid program's inputs are such nodes.
                _ => Interval::ZERO,
            };
            OutputRecord { visibility: *visibility, range: (range.lo, range.hi), classes: Classes::None }
        };
        let inputs = program.inputs.iter().zip(&architecture.inputs);
        let inputs = inputs.map(|(port, visibility)| (Role::Input, port, input((port, visibility))));
        let outputs = program.outputs.iter().zip(&architecture.outputs);
        let outputs = outputs.map(|(port, record)| (Role::Output, port, *record));
        let varies = varying(program);
        for (role, port, record) in inputs.chain(outputs) {
            let node = program.node(port.node);
            let OutputRecord { visibility, range: (least, greatest), classes } = record;
            let mut tensor = self.tensor_of(port.node);
            match visibility {
                Visibility::Committed => tensor = self.for_commitment(role, tensor, &port.name)?,
                Visibility::Hashed => {
                    if !(VALUES.contains(&least) && VALUES.contains(&greatest)) {
                        return Err(LowerError::HashedTooWide(port.name.clone()));
                    }
                    tensor = self.for_hash(role, tensor, &port.name)?;
                }
                Visibility::Public | Visibility::Private => {}
            }
            self.system.publics.push(Public {
                tensor,
                role,
                visibility,
                name: port.name.clone(),
                shape: port.shape.clone(),
                frac: node.frac,
                column_fracs: port.column_fracs.clone(),
                range: (least, greatest),
                inferences: if varies[port.node.index()] { program.batch } else { 1 },
                classes,
            });
        }
        Ok(())
    }

    /// A tensor of the same values whose padding is zero and that nothing else commits to.
    fn for_commitment(&mut self, role: Role, tensor: TensorId, name: &str) -> Result<TensorId, LowerError> {
        let taken = self.system.publics.iter().any(|public| public.is_committed() && public.tensor == tensor);
        if !taken && self.is_zero_in_padding(role, tensor) {
            return Ok(tensor);
        }
        self.copy_without_padding(tensor, &format!("committed {name}"))
    }

    /// A tensor of the same values whose padding is zero, each value in the range that an element of the hash has room for: an input's is
    /// no wider.
    fn for_hash(&mut self, role: Role, mut tensor: TensorId, name: &str) -> Result<TensorId, LowerError> {
        let name = format!("hashed {name}");
        if !self.is_zero_in_padding(role, tensor) {
            tensor = self.copy_without_padding(tensor, &name)?;
        }
        if role == Role::Output {
            let value = Virtual::raw(tensor, &self.system.tensor(tensor).shape).plus_constant(-VALUES.start());
            self.range(value, VALUE_BITS as u32, &name)?;
        }
        Ok(tensor)
    }

    /// Inputs are.
    fn is_zero_in_padding(&self, role: Role, tensor: TensorId) -> bool {
        role == Role::Input || !has_padding(&self.system.tensor(tensor).shape)
    }

    fn copy_without_padding(&mut self, tensor: TensorId, name: &str) -> Result<TensorId, LowerError> {
        let shape = self.system.tensor(tensor).shape.clone();
        let value = Virtual::zero(&shape).plus(1, Source::Read(Operand::identity(tensor, shape.len())));
        self.copy(value, name)
    }
}
