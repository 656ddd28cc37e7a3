//! The tables of a system, each made when first needed and shared by all lookups that can use it.

use std::collections::BTreeMap;

use crate::ir::*;

/// The widest ReLU table: differences of two 16-bit values need 17 bits, with masks 18.
pub(super) const MAX_RELU_BITS: u32 = 18;
/// The widest table of clamp flags.
pub(super) const MAX_CLAMP_BITS: u32 = 16;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// `[0, 2^bits)`.
    Range(u32),
    /// `(z, max(z, 0))`; one for all widths.
    Relu,
    /// `(high, high = 0, base)`: `base` is `below`, plus `jump` where `high > 0`, and 0 where `high = 0` if `hollow`.
    Clamp(ClampShape),
    /// `(high, high = 0, high > 0)`; one for all widths.
    Flags,
    /// `(z, function(z))`.
    Function(u32),
    /// `(position, element)` of a tensor.
    Rows(u32),
}

/// What a clamp's third column holds beside the flags.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClampShape {
    /// The column's value where `high <= 0`.
    pub below: i64,
    /// The column's value where `high > 0`.
    pub above: i64,
}

#[derive(Default)]
pub(super) struct Tables {
    known: BTreeMap<Key, TableId>,
    /// Widths of the tables whose rows are written at the end, when the widest use is known.
    widths: BTreeMap<Key, u32>,
}

impl Tables {
    fn new_table(system: &mut ConstraintSystem, name: String, columns: Vec<Virtual>) -> TableId {
        let id = TableId(system.tables.len() as u32);
        let multiplicity = TensorId(system.tensors.len() as u32);
        let shape = columns.first().map(|c| c.domain.clone()).unwrap_or_default();
        system.tensors.push(Tensor { origin: Origin::Witness, shape, name: format!("multiplicities of {name}") });
        system.tables.push(Table { name, columns, multiplicity });
        id
    }

    fn fixed_width(&mut self, system: &mut ConstraintSystem, key: Key, name: String, columns: Vec<Virtual>) -> TableId {
        *self.known.entry(key).or_insert_with(|| Self::new_table(system, name, columns))
    }

    fn growing(&mut self, system: &mut ConstraintSystem, key: Key, bits: u32) -> TableId {
        let width = self.widths.entry(key).or_insert(bits);
        *width = bits.max(*width);
        *self.known.entry(key).or_insert_with(|| Self::new_table(system, String::new(), Vec::new()))
    }

    pub fn range(&mut self, system: &mut ConstraintSystem, bits: u32) -> TableId {
        let column = Virtual::zero(&[1 << bits]).plus(1, Source::Position);
        self.fixed_width(system, Key::Range(bits), format!("range of {bits} bits"), vec![column])
    }

    pub fn relu(&mut self, system: &mut ConstraintSystem, bits: u32) -> TableId {
        self.growing(system, Key::Relu, bits)
    }

    pub fn clamp(&mut self, system: &mut ConstraintSystem, shape: ClampShape, bits: u32) -> TableId {
        self.growing(system, Key::Clamp(shape), bits)
    }

    pub fn flags(&mut self, system: &mut ConstraintSystem, bits: u32) -> TableId {
        self.growing(system, Key::Flags, bits)
    }

    pub fn function(
        &mut self,
        system: &mut ConstraintSystem,
        number: u32,
        name: &str,
        bits: u32,
        values: TensorId,
    ) -> TableId {
        let columns = vec![signed_position(bits), Virtual::raw(values, &[1 << bits])];
        self.fixed_width(system, Key::Function(number), name.to_string(), columns)
    }

    pub fn rows(
        &mut self,
        system: &mut ConstraintSystem,
        tensor: TensorId,
        name: String,
        columns: Vec<Virtual>,
    ) -> TableId {
        self.fixed_width(system, Key::Rows(tensor.0), name, columns)
    }

    /// Writes the rows of the tables that grew.
    pub fn finish(self, system: &mut ConstraintSystem) {
        for (key, bits) in self.widths {
            let table = &mut system.tables[self.known[&key].0 as usize];
            let domain = [1usize << bits];
            let position = signed_position(bits);
            match key {
                Key::Relu => {
                    table.name = format!("ReLU on {bits} bits");
                    table.columns = vec![position, Virtual::zero(&domain).plus(1, Source::PositionRelu)];
                }
                Key::Clamp(ClampShape { below, above }) => {
                    table.name = format!("clamp to [{below}, {above}] on {bits} bits");
                    table.columns = vec![
                        position,
                        Virtual::zero(&domain).plus(1, Source::PositionIsMiddle),
                        Virtual::zero(&domain).plus_constant(below).plus(above - below, Source::PositionAboveMiddle),
                    ];
                }
                Key::Flags => {
                    table.name = format!("clamp flags on {bits} bits");
                    table.columns = vec![
                        position,
                        Virtual::zero(&domain).plus(1, Source::PositionIsMiddle),
                        Virtual::zero(&domain).plus(1, Source::PositionAboveMiddle),
                    ];
                }
                Key::Range(_) | Key::Function(_) | Key::Rows(_) => {}
            }
            let multiplicity = table.multiplicity;
            let tensor = &mut system.tensors[multiplicity.0 as usize];
            tensor.name = format!("multiplicities of {}", table.name);
            tensor.shape = domain.to_vec();
        }
    }
}

/// The column `-2^(bits-1), …, 2^(bits-1) - 1`.
fn signed_position(bits: u32) -> Virtual {
    Virtual::zero(&[1 << bits]).plus(1, Source::Position).plus_constant(-(1 << (bits - 1)))
}
