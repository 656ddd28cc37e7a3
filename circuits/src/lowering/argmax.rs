//! `ArgMax`: flags and range checks.
//!
//! `before[k]` is 1 where position `k` comes before the result, for `k < K - 1`; with `before[-1] = 1` and `before[K-1] = 0`
//! the steps `at[k] = before[k-1] - before[k]` telescope to 1, and each is looked up to be a bit, so exactly one is 1 and the flags
//! fall once. Then `m = Σ at[k]·x[k]` is an element, and `m - x[k] - before[k] >= 0` for all `k` says that none is larger and
//! none before it is as large: the first largest element. The result is `Σ before[k]`.

use vouch_program::NodeId;

use super::bounds::NodeBounds;
use super::tables::MAX_RELU_BITS;
use super::{LowerError, Lowering, Recipe, Store};
use crate::ir::*;

/// The flags `before[k] = 1` where position `k` is before the first largest element of `input` along `axis`.
#[derive(Clone, Debug)]
pub struct ArgMaxFlags {
    /// What is searched.
    pub input: TensorId,
    /// Along which axis.
    pub axis: usize,
    /// Where the flags go; that axis is one shorter.
    pub before: TensorId,
}

impl Lowering<'_> {
    pub(super) fn argmax(&mut self, id: NodeId, input: NodeId, axis: usize) -> Result<TensorId, LowerError> {
        let node = self.program.node(id);
        let source = node.source.clone();
        let out_shape = node.shape.clone();
        let NodeBounds::ArgMax { least, greatest } = self.bounds(id) else { return Err(self.misfit(id)) };
        let input = self.tensor_of(input);
        let shape = self.system.tensor(input).shape.clone();
        let rank = shape.len();
        let out = self.commit(Origin::Witness, &out_shape, format!("argmax {source}"))?;
        if shape[axis] == 1 {
            let value = Virtual::zero(&out_shape);
            self.equal(value.clone().plus_raw(1, out))?;
            self.plan.push(Recipe::Store(Store { value, out }));
            return Ok(out);
        }
        let spread_bits = 64 - (greatest - least).leading_zeros();
        self.check_bits(id, spread_bits, MAX_RELU_BITS)?;

        let mut flags_shape = shape.clone();
        flags_shape[axis] -= 1;
        let before = self.commit(Origin::Witness, &flags_shape, format!("argmax flags {source}"))?;
        self.plan.push(Recipe::ArgMaxFlags(ArgMaxFlags { input, axis, before }));
        self.zero_padding(before)?;

        // Variables: the input's axes, then one that runs over the flags.
        let read = |tensor: TensorId, along: Index| {
            let axes = (0..rank).map(|a| if a == axis { along.clone() } else { Index::var(a) }).collect();
            Operand { tensor, access: Access::Indexed(axes) }
        };
        let first = Source::Fill(vec![(axis, 0, 1)]);
        let step = Virtual::zero(&shape)
            .plus(1, Source::Read(read(before, Index::shifted(axis, -1))))
            .plus(1, first)
            .plus(-1, Source::Read(read(before, Index::var(axis))));
        self.range(step, 1, &source)?;

        let mut vars = shape.clone();
        vars.push(flags_shape[axis]);
        let picked = |offset: i64| Contraction {
            vars: vars.clone(),
            outputs: rank,
            lhs: read(before, Index::var(rank)),
            rhs: Some(read(input, Index::shifted(rank, offset))),
        };
        let after = self.contract(picked(1))?;
        let at = self.contract(picked(0))?;
        // Everything is taken relative to the least value: in the axis' padding the difference is then the
        // maximum itself, not negative.
        let difference = Virtual::zero(&shape)
            .plus_virtual(1, &after)
            .plus_virtual(-1, &at)
            .plus(1, Source::Read(read(input, Index::fixed(0))))
            .plus_constant(-least)
            .plus(-1, Source::Read(read(input, Index::var(axis))))
            .plus(least, Source::Fill(vec![(axis, 0, shape[axis])]))
            .plus(-1, Source::Read(read(before, Index::var(axis))));
        self.range_about(difference, spread_bits.max(1), &source)?;

        let mut count_vars = out_shape.clone();
        count_vars.push(flags_shape[axis]);
        let count = self.contract(Contraction {
            vars: count_vars,
            outputs: rank,
            lhs: read(before, Index::var(rank)),
            rhs: None,
        })?;
        self.equal(count.clone().plus_raw(-1, out))?;
        self.plan.push(Recipe::Store(Store { value: count, out }));
        Ok(out)
    }
}
