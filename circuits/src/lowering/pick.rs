//! `Pick`: `(position, out)` among the rows `(position, rows)` of a gather's table, the position computed from the index.
//!
//! Of positions `row_size·index + j` with `0 <= j < row_size` each is one of an index and a place in its row. The table holds those from 0 on, padding
//! included, so the index is not negative; where it could be a row of the padding, a range says that it is not. Where several have rows of their
//! own, the place counts where those begin, and ranges say that the index is none of another's. What is known of the index's interval rests on
//! weights, which are whatever a key's maker committed to, fractions of the field among them; so no range is left out for what is known of weights.

use vouch_program::NodeId;

use super::{LowerError, Lowering, Recipe, padded_position, padded_positions};
use crate::ir::*;

/// `out[o] = rows[position[o]]` over padded positions.
#[derive(Clone, Debug)]
pub struct Pick {
    /// What is picked from.
    pub rows: TensorId,
    /// Which of its own rows each picks.
    pub index: Virtual,
    /// How many rows each has.
    pub count: i64,
    /// Padded positions of `rows`.
    pub position: Virtual,
    /// Where it goes.
    pub out: TensorId,
}

impl Lowering<'_> {
    pub(super) fn pick(&mut self, id: NodeId, rows: NodeId, by: NodeId, shared: usize) -> Result<TensorId, LowerError> {
        let node = self.program.node(id);
        let (shape, source) = (node.shape.clone(), node.source.clone());
        let (rows, index) = (self.tensor_of(rows), self.tensor_of(by));
        let rows_shape = self.system.tensor(rows).shape.clone();
        let index_shape = self.system.tensor(index).shape.clone();
        let (owners, count, row) = (&rows_shape[..shared], rows_shape[shared], &rows_shape[shared + 1..]);

        let read_index =
            |domain: &[usize]| Virtual::zero(domain).plus(1, Source::Read(Operand::identity(index, index_shape.len())));
        let picked = read_index(&shape);
        let mut position = Virtual::zero(&shape).plus_virtual(1 << shape_bits(row), &picked);
        let first: Vec<usize> = [owners, &[1], row].concat();
        if shape_bits(&first) > 0 {
            // Where each element of each owner's first row lies.
            let size: usize = row.iter().product();
            let places = || {
                let mut places = vec![0i32; 1 << shape_bits(&first)];
                for (at, place) in padded_positions(&first).into_iter().enumerate() {
                    // No tensor has 2^31 positions.
                    places[place] = padded_position(&rows_shape, at / size * count * size + at % size) as i32;
                }
                places
            };
            let fixed = self.commit_fixed(&[owners, row].concat(), format!("places {source}"), places)?;
            let axes = (0..shared).chain(index_shape.len()..shape.len()).map(Index::var).collect();
            position = position.plus(1, Source::Read(Operand { tensor: fixed, access: Access::Indexed(axes) }));
        }
        let out = self.commit(Origin::Witness, &shape, format!("pick {source}"))?;
        let table = self.rows_of(rows, &source)?;
        self.lookup(vec![position.clone(), Virtual::raw(out, &shape)], table)?;

        let index = read_index(&index_shape);
        let left = Virtual::zero(&index_shape).plus_constant(count as i64 - 1).plus_virtual(-1, &index);
        let (bits, exact) = (axis_bits(count) as u32, count.is_power_of_two());
        let several = shape_bits(owners) > 0;
        if several && !exact {
            self.range_about(index, bits, &source)?;
            self.range_about(left, bits, &source)?;
        } else if !exact {
            // The index is an integer below `count` by this, and not negative by the table.
            self.range_about(left, bits, &source)?;
        } else if several || !self.whole[by.index()] {
            self.range(index, bits, &source)?;
        }
        self.plan.push(Recipe::Pick(Pick { rows, index: picked, count: count as i64, position, out }));
        Ok(out)
    }
}
