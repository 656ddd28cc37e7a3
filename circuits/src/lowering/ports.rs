//! The program's inputs and outputs, bound to tensors.
//!
//! An output that is to be committed to by itself is copied first where its padding may hold anything: what is committed to is zero there, so
//! that the values alone determine it.

use vouch_program::Op;

use super::{LowerError, Lowering};
use crate::ir::*;

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
        self.copy(value, &format!("committed {name}"))
    }
}
