//! Running the core's verifier over values that are recorded.

use ark_bn254::Fr;
use ark_ff::AdditiveGroup;

use super::arithmetic::{Arithmetizer, Permutation, Row, Traced};
use super::expression::Variable;
use super::instances::{Instances, export_list, exported_leaf};
use super::trace::{Messages, Trace};
use crate::argument::opening::OpeningScalars;
use crate::argument::{self, Exports};
use crate::backend::Check;
use crate::ir::ConstraintSystem;
use crate::layout::Layout;

/// One run of the verifier, written down.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Each variable's value.
    pub values: Vec<Fr>,
    /// The arithmetic rows.
    pub rows: Vec<Row>,
    /// The permutations: those of each hashed tensor's hash, then the transcript's. Where one does not begin with what the one before ended
    /// in, another sponge begins ([`Recording::sponges`]).
    pub permutations: Vec<Permutation>,
    /// The variables that are public.
    pub instances: Vec<Variable>,
    /// Those of their values that a proof sends ([`export_list`]).
    pub exports: Vec<Fr>,
    /// The first check that the run failed: no proof of it can be accepted.
    pub failure: Option<Check>,
}

impl Recording {
    /// The permutations of each sponge.
    pub fn sponges(&self) -> impl Iterator<Item = &[Permutation]> {
        self.permutations.chunk_by(|one, next| one.after == next.before)
    }

    /// The public values.
    pub fn instance_values(&self) -> Vec<Fr> {
        self.instances.iter().map(|variable| self.values[variable.0]).collect()
    }
}

/// Records the verifier on a transcript. `public_at` gives the extension of public tensor `i` at a point.
pub fn record(
    system: &ConstraintSystem,
    layout: &Layout,
    messages: Messages,
    public_at: &dyn Fn(usize, &[Fr]) -> Fr,
) -> Recording {
    // No recording is that long.
    record_within(system, layout, messages, public_at, usize::MAX).expect("a recording without a limit ends")
}

/// The same for at most so many cells' rows, which a permutation takes [`ROWS`] of; none if it takes more. The time and the memory that it takes are
/// bounded by that and the verifier's native time.
fn record_within(
    system: &ConstraintSystem,
    layout: &Layout,
    messages: Messages,
    public_at: &dyn Fn(usize, &[Fr]) -> Fr,
    limit: usize,
) -> Option<Recording> {
    let (mut trace, instances) = run(system, layout, messages, public_at, limit);
    let exports = export_list(&instances.exports).iter().map(|value| value.value).collect();
    let instances = instances.list().iter().map(|value| trace.arithmetizer.as_variable(value)).collect();
    let arithmetizer = trace.finish();
    if arithmetizer.is_full() {
        return None;
    }
    let Arithmetizer { values, rows, permutations, failure, .. } = arithmetizer;
    Some(Recording { values, rows, permutations, instances, exports, failure })
}

/// A recording of zeros: the shape that all of the system's have.
pub fn record_shape(system: &ConstraintSystem, layout: &Layout) -> Recording {
    record(system, layout, Messages::default(), &|_, _| Fr::ZERO)
}

/// The same for a system that may be hostile: none if its recording takes more than so many rows, of all lanes together.
pub fn record_shape_within(system: &ConstraintSystem, layout: &Layout, rows: usize) -> Option<Recording> {
    record_within(system, layout, Messages::default(), &|_, _| Fr::ZERO, rows)
}

fn run<'a>(
    system: &ConstraintSystem,
    layout: &Layout,
    messages: Messages<'a>,
    public_at: &dyn Fn(usize, &[Fr]) -> Fr,
    limit: usize,
) -> (Trace<'a>, Instances<Traced>) {
    let mut trace = Trace::within(messages, limit);
    let mut publics = Vec::with_capacity(system.publics.len());
    let mut at = |trace: &mut Trace, i: usize, point: &[Traced]| {
        let point: Vec<Fr> = point.iter().map(|coordinate| coordinate.value).collect();
        let value = trace.witness(public_at(i, &point));
        publics.push(value.clone());
        value
    };
    let exports = argument::verify(&mut trace, system, layout, &mut at).unwrap_or_else(|check| {
        // Only where the verifier gives up before any message: an opening without variables, which no layout has.
        trace.arithmetizer.fail(check);
        no_exports()
    });
    let leaf = exports.leaf.iter().take(exported_leaf(system)).cloned().collect();
    let exports = Exports { leaf, ..exports };
    let (digests, hashes) = (trace.digests.clone(), trace.hashes.clone());
    (trace, Instances { digests, hashes, publics, exports })
}

fn no_exports() -> Exports<Traced> {
    let zero = || Traced::constant(Fr::ZERO);
    let opening = OpeningScalars { cross: zero(), quotient: zero(), one: zero(), witness: zero() };
    Exports { leaf: Vec::new(), rho_high: Vec::new(), delta: zero(), blind: zero(), opening }
}
