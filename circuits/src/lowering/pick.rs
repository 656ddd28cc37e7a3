//! `Pick`: `(position, out)` among the rows `(position, rows)` of a gather's table, the position computed from the index.
//!
//! Of positions `row_size·index + j` with `0 <= j < row_size` each is one of an index and a place in its row. The table holds those from 0 on, padding
//! included, so the index is not negative; where it could be a row of the padding, a range says that it is not.

use vouch_program::NodeId;

use super::{Lowering, Recipe, padded_positions};
use crate::ir::*;

/// `out[o] = rows[position[o]]` over padded positions.
#[derive(Clone, Debug)]
pub struct Pick {
    /// What is picked from.
    pub rows: TensorId,
    /// Padded positions of `rows`.
    pub position: Virtual,
    /// One more than the last position in a row that is not padding.
    pub end: i64,
    /// Where it goes.
    pub out: TensorId,
}

impl Lowering<'_> {
    pub(super) fn pick(&mut self, id: NodeId, rows: NodeId, by: NodeId) -> TensorId {
        let node = self.program.node(id);
        let (shape, source) = (node.shape.clone(), node.source.clone());
        let (rows, index) = (self.tensor_of(rows), self.tensor_of(by));
        let rows_shape = self.system.tensor(rows).shape.clone();
        let index_shape = self.system.tensor(index).shape.clone();
        let (count, row) = (rows_shape[0], &rows_shape[1..]);

        let read_index =
            |domain: &[usize]| Virtual::zero(domain).plus(1, Source::Read(Operand::identity(index, index_shape.len())));
        let mut position = Virtual::zero(&shape).plus_virtual(1 << shape_bits(row), &read_index(&shape));
        if shape_bits(row) > 0 {
            let mut places = vec![0i32; 1 << shape_bits(row)];
            // A row lies in memory: its positions are far below 2^31.
            padded_positions(row).into_iter().for_each(|at| places[at] = at as i32);
            let fixed = self.commit(Origin::Fixed, row, format!("places {source}"));
            self.fixed.push((fixed, places));
            let axes = (index_shape.len()..shape.len()).map(Index::var).collect();
            position = position.plus(1, Source::Read(Operand { tensor: fixed, access: Access::Indexed(axes) }));
        }
        let out = self.commit(Origin::Witness, &shape, format!("pick {source}"));
        let table = self.rows_of(rows, &source);
        self.lookup(vec![position.clone(), Virtual::raw(out, &shape)], table);
        let known = self.intervals[by.index()].hi < count as i64;
        if !count.is_power_of_two() && !known {
            let left =
                Virtual::zero(&index_shape).plus_constant(count as i64 - 1).plus_virtual(-1, &read_index(&index_shape));
            self.range_about(left, axis_bits(count) as u32, &source);
        }
        let end = (count as i64) << shape_bits(row);
        self.plan.push(Recipe::Pick(Pick { rows, position, end, out }));
        out
    }
}
