//! The program's inputs and outputs, bound to tensors.
//!
//! An output that is to be committed to by itself, or hashed, is copied first where its padding may hold anything: what is committed to or hashed is zero there, so
//! that the values alone determine it.

use vouch_program::Op;

use super::{LowerError, Lowering};
use crate::ir::*;
use crate::tensor_hash::{VALUE_BITS, VALUES};

impl Lowering<'_> {
    pub(super) fn bind_ports(&mut self, visibility: &dyn Fn(Role, &str) -> Visibility) -> Result<(), LowerError> {
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
            match visibility {
                Visibility::Committed => tensor = self.for_commitment(role, tensor, &port.name),
                Visibility::Hashed => {
                    if !(VALUES.contains(&range.lo) && VALUES.contains(&range.hi)) {
                        return Err(LowerError::HashedTooWide(port.name.clone()));
                    }
                    tensor = self.for_hash(role, tensor, &port.name);
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
                range: (range.lo, range.hi),
            });
        }
        Ok(())
    }

    /// A tensor of the same values whose padding is zero and that nothing else commits to.
    fn for_commitment(&mut self, role: Role, tensor: TensorId, name: &str) -> TensorId {
        let taken = self.system.publics.iter().any(|public| public.is_committed() && public.tensor == tensor);
        if !taken && self.is_zero_in_padding(role, tensor) {
            return tensor;
        }
        self.copy_without_padding(tensor, &format!("committed {name}"))
    }

    /// A tensor of the same values whose padding is zero, each value in the range that an element of the hash has room for: an input's is
    /// no wider.
    fn for_hash(&mut self, role: Role, mut tensor: TensorId, name: &str) -> TensorId {
        let name = format!("hashed {name}");
        if !self.is_zero_in_padding(role, tensor) {
            tensor = self.copy_without_padding(tensor, &name);
        }
        if role == Role::Output {
            let value = Virtual::raw(tensor, &self.system.tensor(tensor).shape).plus_constant(-VALUES.start());
            self.range(value, VALUE_BITS as u32, &name);
        }
        tensor
    }

    /// Inputs are.
    fn is_zero_in_padding(&self, role: Role, tensor: TensorId) -> bool {
        role == Role::Input || !has_padding(&self.system.tensor(tensor).shape)
    }

    fn copy_without_padding(&mut self, tensor: TensorId, name: &str) -> TensorId {
        let shape = self.system.tensor(tensor).shape.clone();
        let value = Virtual::zero(&shape).plus(1, Source::Read(Operand::identity(tensor, shape.len())));
        self.copy(value, name)
    }
}
