//! What a setup chooses if it is not told: how wide lookups are, how long chunks are, whose fractions are committed to, how many lanes
//! the shell's circuit has, and how many of its columns share a commitment; by what proofs are estimated to cost.
//!
//! The estimate's constants were measured on one machine of two cores. What they decide is safe whatever they are.

use vouch_circuits::architecture::Architecture;
use vouch_circuits::ir::{ConstraintSystem, TableId, Visibility};
use vouch_circuits::layout::{Cuts, Layout, leaf_bits};
use vouch_circuits::lowering::limits::Limits;
use vouch_circuits::lowering::{LowerError, Lowered, MAX_LIMB_BITS, Style, lower_architecture};
use vouch_circuits::shell::instances::{export_count, exported_leaf};
use vouch_circuits::shell::poseidon::CELLS;
use vouch_circuits::shell::shape::{PACKED, copy_columns, fixed_columns, product_columns};
use vouch_circuits::shell::{Columns, Shape, record_shape};
use vouch_circuits::validate::validate;
use vouch_program::Program;

use crate::setup::SetupOptions;

/// Widths of lookups that are considered, besides the widest.
const NARROW: [u32; 3] = [6, 8, 11];
/// Narrow lookups multiply rows: with more than `2^NARROW_BITS` of the widest ones they never pay.
const NARROW_BITS: usize = 15;
/// Binary logarithm of the most fractions that are committed to: each takes a scalar multiplication of full size, about as much work as a
/// hundred field multiplications in the layers above, whose messages it saves.
const FRACTION_BITS: usize = 17;
/// Chunk sizes that are considered, as binary logarithms.
const CHUNK_BITS: std::ops::RangeInclusive<usize> = 10..=20;
/// Lanes of the shell that are considered.
const LANES: [usize; 3] = [1, 2, 4];
/// Columns to a commitment that are considered.
const PACKING: [usize; 2] = [1, PACKED];
/// Bytes of a proof whatever the model, beside Halo2's part: the opening's points, counts, digests and the container.
const FIXED_BYTES: usize = 3 * COMMITMENT + 150;
/// Bytes of a commitment.
const COMMITMENT: usize = 64;

/// What proofs should be cheap in, where there is a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefer {
    /// Bytes, and the work of whoever checks them.
    #[default]
    Proof,
    /// Time to make them.
    Prover,
}

impl Prefer {
    /// Seconds of proving that a commitment less is worth.
    fn commitment(self) -> f64 {
        match self {
            Self::Proof => 0.022,
            Self::Prover => 0.0005,
        }
    }
}

/// What a proof is estimated to cost, as far as the choices matter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price {
    /// Bytes beside the public values.
    pub bytes: usize,
    /// Commitments to vectors' chunks in the proof and in the key, all of which a verifier multiplies by scalars.
    pub commitments: usize,
    /// Commitments to columns of the shell's circuit, in its proof and in its key, with which a verifier does the same.
    pub columns: usize,
    /// Scalars of the shell's proof.
    pub values: usize,
    /// Seconds of proving on two cores.
    pub seconds: f64,
}

/// A program's constraints, where they are cut, and what that costs.
pub(crate) struct Choice {
    pub lowered: Lowered,
    pub cuts: Cuts,
    pub columns: Columns,
    pub price: Price,
}

/// A program's constraints, if its inputs and outputs are all public, and where they are cut.
///
/// # Errors
/// A program that cannot be lowered.
pub fn constraints_of(program: &Program) -> Result<(Lowered, Cuts), LowerError> {
    let architecture = Architecture::of(program, &|_, _| Visibility::Public)?;
    let Choice { lowered, cuts, .. } = choose(&architecture, &SetupOptions::default())?;
    Ok((lowered, cuts))
}

/// The cheapest way to prove an architecture, within what the options give. Its style is of no account.
pub(crate) fn choose(architecture: &Architecture, given: &SetupOptions) -> Result<Choice, LowerError> {
    if let Some(style) = given.style {
        let lowered = lower_architecture(architecture, style, Limits::OWNER)?;
        let layer = given.layer.unwrap_or_else(|| fitting_layer(&lowered.system));
        return Ok(cheapest((lowered, layer), given));
    }
    let lower = |limb_bits| lower_for(architecture, given, limb_bits);
    let wide = lower(given.limb_bits.unwrap_or(MAX_LIMB_BITS))?;
    let narrow_pays = given.limb_bits.is_none() && rows_in(&wide.0.system, None) <= 1 << NARROW_BITS;
    let mut best = cheapest(wide, given);
    for limb_bits in NARROW.into_iter().filter(|_| narrow_pays) {
        // Without products narrow lookups are of little use; and what cannot be lowered so is not chosen.
        if let Some(narrow) = lower(limb_bits).ok().filter(|(lowered, _)| lowered.style.products) {
            let choice = cheapest(narrow, given);
            if cost(&choice.price, given) < cost(&best.price, given) {
                best = choice;
            }
        }
    }
    Ok(best)
}

fn cost(price: &Price, given: &SetupOptions) -> f64 {
    // A scalar is half a commitment's bytes, and little work.
    let elements = (price.commitments + price.columns) as f64 + price.values as f64 / 8.0;
    price.seconds + given.prefer.commitment() * elements
}

/// The constraints with lookups of this width, and the layer of fractions. The constraints are a function of the layer: products are constraints of
/// their own where the leaves' fractions are committed to, and else contractions.
fn lower_for(
    architecture: &Architecture,
    given: &SetupOptions,
    limb_bits: u32,
) -> Result<(Lowered, usize), LowerError> {
    // Whoever asks for no or too wide limbs gets the nearest that there are.
    let limb_bits = limb_bits.clamp(1, MAX_LIMB_BITS);
    let lower = |products| -> Result<(Lowered, usize), LowerError> {
        let lowered = lower_architecture(architecture, Style { products, limb_bits }, Limits::OWNER)?;
        let layer = given.layer.unwrap_or_else(|| fitting_layer(&lowered.system));
        Ok((lowered, layer))
    };
    let (lowered, layer) = lower(true)?;
    if layer == leaf_bits(&lowered.system) { Ok((lowered, layer)) } else { lower(false) }
}

/// The chunk size and the shell's columns with the least cost.
fn cheapest((lowered, layer): (Lowered, usize), given: &SetupOptions) -> Choice {
    let system = &lowered.system;
    let at = |chunk_bits| Cuts { chunk_bits, layer };
    let sizes = given.chunk_bits.map_or(CHUNK_BITS, |bits| bits..=bits);
    let all_lanes = given.lanes.map_or(LANES.to_vec(), |lanes| vec![lanes]);
    let all_packing = given.packing.map_or(PACKING.to_vec(), |packing| vec![packing]);
    let of_lanes = |lanes: usize| all_packing.iter().map(move |packing| Columns { lanes, packing: *packing });
    let all_columns: Vec<Columns> = all_lanes.into_iter().flat_map(of_lanes).collect();
    let mut sizes = sizes.map(at).filter(|cuts| validate(system, *cuts).is_ok()).peekable();
    let Some(first) = sizes.peek().copied() else {
        // Whoever makes keys from these finds out what is wrong with them.
        let (cuts, columns) = (at(given.chunk_bits.unwrap_or(*CHUNK_BITS.end())), all_columns[0]);
        return Choice { price: price(system, cuts, columns), lowered, cuts, columns };
    };
    let recording = record_shape(system, &Layout::new(system, first));
    let shape = Shape::of(&recording, 1);
    let sponges: Vec<usize> = recording.sponges().map(<[_]>::len).collect();
    // The shell of all others follows from the first one's, near enough: a round of the batching step is a permutation and a few rows, and
    // the opening has a few rows for each coordinate.
    let rho = |cuts| Layout::new(system, cuts).chunks().rho();
    let like_first = |cuts: Cuts, lanes| {
        let (more, less) = (rho(cuts), rho(first));
        let mut sponges = sponges.clone();
        // The transcript's.
        sponges.iter_mut().last().into_iter().for_each(|last| *last = (*last + more).saturating_sub(less));
        let arithmetic = shape.arithmetic + 7 * more + 8 * cuts.chunk_bits;
        Shape::new(&sponges, arithmetic.saturating_sub(7 * less + 8 * first.chunk_bits), shape.instances, lanes)
    };
    let candidates = sizes.flat_map(|cuts| all_columns.iter().map(move |columns| (cuts, *columns)));
    let priced = candidates.map(|(cuts, columns)| {
        let shell = like_first(cuts, columns.lanes);
        (cuts, columns, price_with(system, cuts, &shell, columns))
    });
    let best = priced.min_by(|(.., a), (.., b)| cost(a, given).total_cmp(&cost(b, given)));
    // There is the first one.
    let (cuts, columns, price) = best.unwrap_or((first, all_columns[0], price(system, first, all_columns[0])));
    Choice { lowered, cuts, columns, price }
}

/// What a proof costs; beyond all bounds if no verifier takes the constraints.
pub fn price(system: &ConstraintSystem, cuts: Cuts, columns: Columns) -> Price {
    if validate(system, cuts).is_err() {
        return Price { bytes: usize::MAX, commitments: usize::MAX, columns: 0, values: 0, seconds: f64::INFINITY };
    }
    price_with(system, cuts, &shell_of(system, cuts, columns.lanes), columns)
}

fn shell_of(system: &ConstraintSystem, cuts: Cuts, lanes: usize) -> Shape {
    Shape::of(&record_shape(system, &Layout::new(system, cuts)), lanes)
}

/// The price with a shell of this shape, in such columns.
fn price_with(system: &ConstraintSystem, cuts: Cuts, shell: &Shape, columns: Columns) -> Price {
    let layout = Layout::new(system, cuts);
    let chunks = layout.chunks();
    let exports = export_count(exported_leaf(system), &chunks);
    let cells = layout.x_len + layout.y_len();
    let fractions = counted(system).min(layout.y_len());
    let microseconds = shell_microseconds(shell, columns)
        + 10.5 * 2f64.powi(cuts.chunk_bits as i32)
        + 0.3 * 2f64.powi(layout.leaf_bits as i32)
        + 2.0 * fractions as f64
        + 0.1 * cells as f64;
    let (points, scalars) = shell_elements(columns);
    Price {
        bytes: FIXED_BYTES + COMMITMENT * (chunks.x + chunks.y + points) + 32 * (exports + scalars),
        commitments: chunks.x + chunks.y + chunks.w,
        columns: points + columns.of_key(),
        values: scalars,
        seconds: microseconds / 1e6,
    }
}

/// The time that a shell takes.
fn shell_microseconds(shell: &Shape, columns: Columns) -> f64 {
    // Openings are as long as commitments.
    let openings = 23_000.0 * (columns.packing - 1) as f64;
    10_000.0 + 2f64.powi(shell.k as i32 - 12) * (180_000.0 + 210_000.0 * shell.lanes as f64 + openings)
}

/// Points and scalars of a shell's proof.
fn shell_elements(columns: Columns) -> (usize, usize) {
    let lanes = columns.lanes;
    let (cells, products, random) = (CELLS * lanes, product_columns(lanes), usize::from(columns.have_random()));
    // SHPLONK has two.
    let points = columns.of_advice() + products + random + columns.of_quotient() + 2;
    // Cells and one fixed column at two rows, products at two or three, all else at one.
    let scalars = 2 * cells + fixed_columns(lanes) + 1 + copy_columns(lanes) + (3 * products - 1) + random;
    (points, scalars)
}

/// The leaves, unless more than `2^FRACTION_BITS` of them are counted; then the layer of so many nodes.
fn fitting_layer(system: &ConstraintSystem) -> usize {
    if system.lookups.is_empty() && system.tables.is_empty() {
        return 0;
    }
    let leaves = leaf_bits(system);
    if counted(system) <= 1 << FRACTION_BITS { leaves } else { leaves.min(FRACTION_BITS) }
}

/// Rows that are looked up, in one table or in all.
fn rows_in(system: &ConstraintSystem, table: Option<TableId>) -> usize {
    let lookups = system.lookups.iter().filter(|lookup| table.is_none_or(|table| lookup.table == table));
    lookups.map(|lookup| 1usize << lookup.columns[0].bits()).sum()
}

/// The most fractions that are not zero: a table's rows that nothing is looked up in have the fraction zero.
fn counted(system: &ConstraintSystem) -> usize {
    let hit = (0..system.tables.len()).map(|i| {
        let table = TableId(i as u32);
        rows_in(system, Some(table)).min(1 << system.table(table).columns[0].bits())
    });
    rows_in(system, None) + hit.sum::<usize>()
}
