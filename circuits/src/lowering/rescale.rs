//! `Apply`: `y = func(clamp(floor((acc + half) / 2^s)))`.
//!
//! - The dropped bits `r = acc + half - q·2^s` lie in `[0, 2^s)`, so over the integers `q` is the floor. `acc` is
//!   bounded by the interval analysis far below the field, and `q` by lookups, so nothing wraps. `r` is virtual; what `q` is made of is
//!   committed.
//! - Identity: `y = q`.
//! - ReLU: `y - below = q` with `y` and `below` in a range and `y·below = 0`, where lookups are narrow and products may be; else as a
//!   table.
//! - Tables: `q` is committed as the function's argument, and `(q, y)` looked up.
//! - Clamp, only where `q` may leave the domain `[-2^(b-1), 2^(b-1))`: `q = window + high·2^l + low` with
//!   `low` in `[0, 2^l)`; the table row `(high, inside, base)` says whether `high = 0` and what the clamp gives if not,
//!   and `z = base + inside·(window + low)`. For the ReLU the window is `[0, 2^(b-1))` and `z` is the result at once.
//!   The rows with `high = 0` have `base = below`, which is `window` in the signed case and 0 for the ReLU (whose window begins at 0);
//!   so the looked-up third column is `z - inside·low`. Where products are constraints of their own, the table row is
//!   `(high, inside, above)` with a flag for `high > 0`, and `inside·low = z - below - (2^l - 1)·above` a product: one table serves all windows.

use vouch_program::{Func, NodeId, half};

use super::bounds::{NodeBounds, window};
use super::tables::ClampShape;
use super::{LowerError, Lowering, Recipe};
use crate::ir::*;

/// The most bits that can be dropped.
const MAX_SHIFT: u32 = 32;

/// `q = floor((value + half) / 2^shift)`, `z = clamp(q)`, `y = func(z)`, and the cells that prove it; a cell that the case at hand does
/// not need is absent.
#[derive(Clone, Debug)]
pub struct Rescale {
    /// What is rescaled.
    pub value: Virtual,
    /// Bits dropped.
    pub shift: u32,
    /// Width of the function's domain.
    pub bits: u32,
    /// The function.
    pub func: RescaleFunc,
    /// The result.
    pub out: TensorId,
    /// `z`, where it is not the result itself and is looked up.
    pub argument: Option<TensorId>,
    /// `y - z` of a ReLU that is a product.
    pub below: Option<TensorId>,
    /// The cells of the clamp.
    pub clamp: Option<Clamp>,
}

/// Cells that prove `z = clamp(q)`: `q = window_low + high · 2^low_bits + low`.
#[derive(Clone, Debug)]
pub struct Clamp {
    /// `low`, in `[0, 2^low_bits)`.
    pub low: TensorId,
    /// Width of `low`.
    pub low_bits: u32,
    /// The least value of the window in which `z = q`.
    pub window_low: i64,
    /// `high`: 0 inside the window.
    pub high: TensorId,
    /// 1 where `high` is 0.
    pub inside: TensorId,
    /// 1 where `high` is positive, where `inside · low` is a product.
    pub above: Option<TensorId>,
}

/// The function of a [`Rescale`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RescaleFunc {
    /// `z`.
    Identity,
    /// `max(z, 0)`.
    Relu,
    /// A fixed tensor's element at `z + 2^(bits-1)`.
    Table(TensorId),
}

impl Lowering<'_> {
    pub(super) fn apply(
        &mut self,
        id: NodeId,
        input: NodeId,
        shift: u32,
        func: Func,
        bits: u32,
    ) -> Result<TensorId, LowerError> {
        let node = self.program.node(id);
        let source = node.source.clone();
        let shape = node.shape.clone();
        self.check_bits(id, shift, MAX_SHIFT)?;
        let value = self.virtual_of(input);
        let (low_bits, window_low) = window(func, bits);
        let func = self.function(func, bits)?;
        let out = self.commit(Origin::Witness, &shape, format!("result {source}"))?;
        let biased = value.clone().plus_constant(half(shift));
        let raw = |tensor| Virtual::raw(tensor, &shape);

        let mut cells = Rescale { value, shift, bits, func, out, argument: None, below: None, clamp: None };
        let q = if let NodeBounds::Clamp { high_bits } = self.bounds(id) {
            if matches!(func, RescaleFunc::Table(_)) {
                cells.argument = Some(self.argument(&shape, &source, func, bits, out)?);
            }
            let z = raw(cells.argument.unwrap_or(out));
            let clamp = self.clamp(z, &source, (low_bits, window_low, high_bits))?;
            let q = raw(clamp.low).plus_raw(1 << low_bits, clamp.high).plus_constant(window_low);
            cells.clamp = Some(clamp);
            Some(q)
        } else if func == RescaleFunc::Identity {
            if shift > 0 {
                self.range_about(raw(out).plus_constant(1 << (bits - 1)), bits, &source)?;
            }
            Some(raw(out))
        } else if func == RescaleFunc::Relu && self.style.is_narrow() {
            let below = self.commit(Origin::Witness, &shape, format!("below zero {source}"))?;
            self.range_about(raw(out), bits, &source)?;
            self.range_about(raw(below), bits, &source)?;
            self.product([raw(out), raw(below), Virtual::zero(&shape)])?;
            cells.below = Some(below);
            Some(raw(out).plus_raw(-1, below))
        } else if shift == 0 {
            // The argument is what is looked up, and nothing is dropped.
            self.function_lookup(biased.clone(), func, bits, out)?;
            None
        } else {
            let argument = self.argument(&shape, &source, func, bits, out)?;
            cells.argument = Some(argument);
            Some(raw(argument))
        };
        if let Some(q) = q {
            self.floor(biased, q, shift, &source)?;
        }
        self.plan.push(Recipe::Rescale(cells));
        Ok(out)
    }

    /// A function's argument, looked up together with its result.
    fn argument(
        &mut self,
        shape: &[usize],
        source: &str,
        func: RescaleFunc,
        bits: u32,
        out: TensorId,
    ) -> Result<TensorId, LowerError> {
        let argument = self.commit(Origin::Witness, shape, format!("argument {source}"))?;
        self.function_lookup(Virtual::raw(argument, shape), func, bits, out)?;
        Ok(argument)
    }

    /// `0 <= biased - q·2^shift < 2^shift`; `q` is known to be a small integer.
    fn floor(&mut self, biased: Virtual, q: Virtual, shift: u32, source: &str) -> Result<(), LowerError> {
        let remainder = biased.plus_virtual(-(1 << shift), &q);
        if shift == 0 { self.equal(remainder) } else { self.range(remainder, shift, source) }
    }

    /// The clamp's cells; proves `z` from them.
    fn clamp(
        &mut self,
        z: Virtual,
        source: &str,
        (low_bits, window_low, high_bits): (u32, i64, u32),
    ) -> Result<Clamp, LowerError> {
        let shape = &z.domain.clone();
        let mut cell = |what: &str| self.commit(Origin::Witness, shape, format!("{what} {source}"));
        let low = cell("clamp low")?;
        let high = cell("clamp high")?;
        let inside = cell("clamp flag")?;
        let raw = |tensor| Virtual::raw(tensor, shape);
        if self.style.products {
            let above = self.commit(Origin::Witness, shape, format!("clamp end {source}"))?;
            self.range(raw(low), low_bits, source)?;
            let table = self.tables.flags(&mut self.system, high_bits);
            self.lookup(vec![raw(high), raw(inside), raw(above)], table)?;
            let kept = z.plus_constant(-window_low).plus_raw(1 - (1 << low_bits), above);
            self.product([raw(inside), raw(low), kept])?;
            return Ok(Clamp { low, low_bits, window_low, high, inside, above: Some(above) });
        }
        self.range(raw(low), low_bits, source)?;
        let kept = self.contract(Contraction {
            vars: shape.to_vec(),
            outputs: shape.len(),
            lhs: Operand::raw(inside),
            rhs: Some(Operand::raw(low)),
        })?;
        let limits = ClampShape { below: window_low, above: window_low + (1 << low_bits) - 1 };
        let table = self.tables.clamp(&mut self.system, limits, high_bits);
        self.lookup(vec![raw(high), raw(inside), z.plus_virtual(-1, &kept)], table)?;
        Ok(Clamp { low, low_bits, window_low, high, inside, above: None })
    }

    fn function(&mut self, func: Func, bits: u32) -> Result<RescaleFunc, LowerError> {
        let number = match func {
            Func::Identity => return Ok(RescaleFunc::Identity),
            Func::Relu => return Ok(RescaleFunc::Relu),
            Func::Table(number) => number,
        };
        if let Some(&tensor) = self.functions.get(&number) {
            return Ok(RescaleFunc::Table(tensor));
        }
        let table = &self.program.tables[number as usize];
        let tensor = self.commit_fixed(&[1 << bits], format!("function {}", table.name), || table.values.clone())?;
        self.functions.insert(number, tensor);
        Ok(RescaleFunc::Table(tensor))
    }

    /// `(argument, out)` is a row of the function's table.
    fn function_lookup(
        &mut self,
        argument: Virtual,
        func: RescaleFunc,
        bits: u32,
        out: TensorId,
    ) -> Result<(), LowerError> {
        let result = Virtual::raw(out, &argument.domain);
        let table = match func {
            RescaleFunc::Table(tensor) => {
                let number = self.functions.iter().find(|(_, t)| **t == tensor).map_or(0, |(n, _)| *n);
                let name = self.program.tables[number as usize].name.clone();
                self.tables.function(&mut self.system, number, &name, bits, tensor)
            }
            RescaleFunc::Relu | RescaleFunc::Identity => self.tables.relu(&mut self.system, bits),
        };
        self.lookup(vec![argument, result], table)
    }
}
