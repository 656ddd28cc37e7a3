//! Where a setup cuts the vectors and the fraction tree, if it is not told, and the constraints that go with the cuts.

use vouch_circuits::ir::{ConstraintSystem, TableId, Visibility};
use vouch_circuits::layout::{Cuts, Layout, leaf_bits};
use vouch_circuits::lowering::{LowerError, Lowered, Visible, lower_with};
use vouch_circuits::shell::instances::{export_count, exported_leaf};
use vouch_program::Program;

/// Bytes of a proof, its public values left out, that a chunk size is picked to stay within.
const PROOF_BYTES: usize = 6000;
/// Bytes of a proof whatever the model: Halo2's part, the opening's points, counts, digests and the container.
const FIXED_BYTES: usize = 1824 + 3 * 64 + 150;
/// Binary logarithm of the most fractions that are committed to: each takes a scalar multiplication of full size, about as much work as a
/// hundred field multiplications in the layers above, whose messages it saves.
const FRACTION_BITS: usize = 17;

/// A program's constraints, if its inputs and outputs are all public, and where they are cut.
///
/// # Errors
/// A program that cannot be lowered.
pub fn constraints_of(program: &Program) -> Result<(Lowered, Cuts), LowerError> {
    lower_and_cut(program, &|_, _| Visibility::Public, None, None)
}

/// A program's constraints and where they are cut; what is given is taken as it is. The constraints are a function of the layer that comes
/// out: products are constraints of their own where the leaves' fractions are committed to, and else contractions.
pub(crate) fn lower_and_cut(
    program: &Program,
    visibility: &Visible,
    chunk_bits: Option<usize>,
    layer: Option<usize>,
) -> Result<(Lowered, Cuts), LowerError> {
    let mut lowered = lower_with(program, visibility, true)?;
    let mut picked = layer.unwrap_or_else(|| fitting_layer(&lowered.system));
    if picked != leaf_bits(&lowered.system) && !lowered.system.products.is_empty() {
        lowered = lower_with(program, visibility, false)?;
        picked = layer.unwrap_or_else(|| fitting_layer(&lowered.system));
    }
    let chunk_bits = chunk_bits.unwrap_or_else(|| fitting_chunk_bits(&lowered.system, picked));
    Ok((lowered, Cuts { chunk_bits, layer: picked }))
}

/// The leaves, unless more than `2^FRACTION_BITS` of them are counted; then the layer of so many nodes.
fn fitting_layer(system: &ConstraintSystem) -> usize {
    if system.lookups.is_empty() && system.tables.is_empty() {
        return 0;
    }
    let rows_in = |table: Option<TableId>| -> usize {
        let lookups = system.lookups.iter().filter(|lookup| table.is_none_or(|table| lookup.table == table));
        lookups.map(|lookup| 1usize << lookup.columns[0].bits()).sum()
    };
    // A table's rows that nothing is looked up in have the fraction zero.
    let hit = (0..system.tables.len()).map(|i| {
        let table = TableId(i as u32);
        rows_in(Some(table)).min(1 << system.table(table).columns[0].bits())
    });
    let leaves = leaf_bits(system);
    if rows_in(None) + hit.sum::<usize>() <= 1 << FRACTION_BITS { leaves } else { leaves.min(FRACTION_BITS) }
}

/// The smallest chunk size (so the fastest to prove with) that keeps a proof within [`PROOF_BYTES`], or else 16.
fn fitting_chunk_bits(system: &ConstraintSystem, layer: usize) -> usize {
    let fits = |bits: &usize| {
        let chunks = Layout::new(system, Cuts { chunk_bits: *bits, layer }).chunks();
        let exports = export_count(exported_leaf(system), &chunks);
        FIXED_BYTES + 64 * (chunks.x + chunks.y) + 32 * exports <= PROOF_BYTES
    };
    (10..16).find(fits).unwrap_or(16)
}
