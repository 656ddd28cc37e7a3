//! The public values of the shell's circuit, in the order in which it has them.
//!
//! None of them is part of a proof as it is: the outer verifier recomputes the digests from key, statement and points, and the public
//! tensors' extensions from the public values; only the scalars that it has no other way to know are sent.

use ark_bn254::Fr;

use crate::argument::Exports;
use crate::argument::opening::OpeningScalars;
use crate::ir::ConstraintSystem;
use crate::layout::Chunks;

/// The public values, as cells of the circuit or as numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instances<S> {
    /// Each point group's digest, the first one the statement's too ([`crate::argument::opening::point_digests`]).
    pub digests: Vec<S>,
    /// The hash of each tensor that is hashed.
    pub hashes: Vec<S>,
    /// The extension of each tensor that is stated at its first coordinates of the leaf point.
    pub publics: Vec<S>,
    /// What the argument leaves to the outer verifier; of the leaf point as many coordinates as the widest public tensor has.
    pub exports: Exports<S>,
}

impl<S: Clone> Instances<S> {
    /// All of them, in the circuit's order.
    pub fn list(&self) -> Vec<S> {
        let mut list = self.digests.clone();
        list.extend(self.hashes.iter().chain(&self.publics).cloned());
        list.extend(export_list(&self.exports));
        list
    }
}

/// The exports that a proof sends, in the circuit's order: leaf point, `ρ_hi`, `δ`, blind, and the opening's scalars for
/// `S`, `H`, `[1]` and `W`.
pub fn export_list<S: Clone>(exports: &Exports<S>) -> Vec<S> {
    let Exports { leaf, rho_high, delta, blind, opening } = exports;
    let OpeningScalars { cross, quotient, one, witness } = opening;
    let last = [delta, blind, cross, quotient, one, witness];
    leaf.iter().chain(rho_high).chain(last).cloned().collect()
}

/// How many scalars that list has.
pub fn export_count(leaf: usize, chunks: &Chunks) -> usize {
    leaf + chunks.rho_high() + 6
}

/// The exports that a list is of, if it has the right length: `leaf` coordinates of the leaf point, `ρ_hi` for these chunks.
pub fn exports_of(leaf: usize, chunks: &Chunks, list: &[Fr]) -> Option<Exports<Fr>> {
    let (leaf, rest) = list.split_at_checked(leaf)?;
    let (rho_high, rest) = rest.split_at_checked(chunks.rho_high())?;
    let [delta, blind, cross, quotient, one, witness] = <[Fr; 6]>::try_from(rest).ok()?;
    let opening = OpeningScalars { cross, quotient, one, witness };
    Some(Exports { leaf: leaf.to_vec(), rho_high: rho_high.to_vec(), delta, blind, opening })
}

/// How many coordinates of the leaf point are public: as many as the widest public tensor has.
pub fn exported_leaf(system: &ConstraintSystem) -> usize {
    let stated = system.publics.iter().filter(|public| public.is_stated());
    stated.map(|public| system.tensor(public.tensor).bits()).max().unwrap_or(0)
}
