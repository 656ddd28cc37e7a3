//! Every rule that a constraint system must keep, checked once.
//!
//! A verifying key is a file from somewhere. A system that passes can be laid out and verified against with no index out of bounds, no
//! overflow, and no more time or memory than its own size and the proof's explain. The rules also make its constraints mean what
//! [`crate::ir`] says: the closed forms and wiring predicates of the argument are the multilinear extensions they are taken for.
//!
//! It knows nothing about values, and not whether the constraints are those of a sensible model: the key's digest stands for that.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::ir::*;
use crate::layout::{Cuts, leaf_bits};
use crate::tensor_hash::VALUES;

/// The least supported chunk size, as a binary logarithm: room for the mask.
pub const MIN_CHUNK_BITS: usize = 6;
/// The greatest supported chunk size, as a binary logarithm.
pub const MAX_CHUNK_BITS: usize = 24;
/// Most axes of a tensor or a domain, and most variables of a contraction.
pub const MAX_AXES: usize = 24;
/// Longest axis.
pub const MAX_AXIS: usize = 1 << 31;
/// Most positions, padding included, of all tensors of one origin, of all leaves, and of one domain, as a binary logarithm.
pub const MAX_SIZE_BITS: usize = 40;
/// Most bits of a contraction's variables together.
pub const MAX_CONTRACTION_BITS: usize = 64;
/// Most variables that one index combines.
pub const MAX_INDEX_TERMS: usize = 2;
/// Largest coefficient and offset of an index, by absolute value.
pub const MAX_INDEX_COEF: u64 = 1 << 31;
/// Most steps that all wiring predicates' automata take together; about a second's work.
pub const MAX_WIRING_STEPS: u64 = 1 << 24;
/// Most padded positions of all hashed inputs and outputs together: a shell has fewer rows than their hashes would take otherwise.
pub const MAX_HASHED: u64 = 1 << 20;
/// Largest `frac`, by absolute value: real values stay within what `f64` can hold.
pub const MAX_FRAC: i32 = 256;

/// Why a constraint system makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {problem}")]
pub struct InvalidSystem {
    /// Which part of it.
    pub place: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// A rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// The chunk size is outside the supported range.
    #[error("chunks have 2^{MIN_CHUNK_BITS} to 2^{MAX_CHUNK_BITS} entries")]
    ChunkBits,
    /// A layer beyond the leaves.
    #[error("the fraction tree has no such layer")]
    Layer,
    /// Products where the leaves' fractions are not committed to.
    #[error("products need the leaves' fractions to be committed to")]
    Products,
    /// Too many axes, or one of length 0 or beyond [`MAX_AXIS`].
    #[error("a shape has at most {MAX_AXES} axes of length 1 to {MAX_AXIS}")]
    Shape,
    /// Too much of something.
    #[error("there are at most 2^{MAX_SIZE_BITS} positions")]
    Size,
    /// A tensor, contraction or table that does not exist.
    #[error("it names a part that does not exist")]
    Missing,
    /// A tensor of another shape than the place where it is read.
    #[error("what it reads has another shape")]
    ReadShape,
    /// An index of too many variables, of unknown ones, or with numbers out of bounds.
    #[error("an index combines at most {MAX_INDEX_TERMS} known variables with coefficients up to {MAX_INDEX_COEF}")]
    Index,
    /// A variable that stands twice where it may stand once.
    #[error("a variable stands twice")]
    VariableTwice,
    /// The verifier would take too long over the wiring predicates.
    #[error("the wiring predicates take more than {MAX_WIRING_STEPS} steps")]
    Wiring,
    /// More outputs than variables, or too many variables.
    #[error("a contraction has at most {MAX_CONTRACTION_BITS} bits of variables, its outputs among them")]
    Contraction,
    /// A closed form outside the domain it is for.
    #[error("a closed form does not fit its domain")]
    ClosedForm,
    /// Not as many columns as there must be, or of different domains.
    #[error("the columns are not 1 to {MAX_COLUMNS} of one domain, as many as the table has")]
    Columns,
    /// A multiplicity tensor that is no witness of the table's shape, or another table's too.
    #[error("the multiplicities are not a witness tensor of the table's shape, for this table alone")]
    Multiplicity,
    /// A public tensor that is no witness, or has another number of elements.
    #[error("a public tensor is a witness with as many elements as its shape says")]
    Public,
    /// An output that no proof would show.
    #[error("an output is not private")]
    Visibility,
    /// More than any shell has room for.
    #[error("hashed inputs and outputs have at most 2^20 positions together; commit to large ones instead")]
    HashedSize,
    /// Values that an element of a hash has no room for.
    #[error("the values of a hashed input or output have 16 bits")]
    HashedRange,
    /// A tensor that two inputs or outputs commit to.
    #[error("a tensor is committed to by one input or output alone")]
    CommittedTwice,
    /// Chunks that do not belong to an input or output of this size and visibility.
    #[error("a committed tensor has as many chunks as its size takes, the mask's not among them; others have none")]
    Chunks,
    /// Inferences that do not have equal parts of a tensor, or an input that tells a class.
    #[error("a public tensor has equal parts for each inference, and only an output tells a class")]
    Inferences,
    /// A range that is empty or leaves 32 bits, or a `frac` out of bounds.
    #[error("a public tensor's range is not empty and fits 32 bits, its frac lies within ±{MAX_FRAC}")]
    Range,
}

/// Checks every rule. Safe on any system; takes time linear in its size.
///
/// # Errors
/// The first rule that is broken.
pub fn validate(system: &ConstraintSystem, Cuts { chunk_bits, layer }: Cuts) -> Result<(), InvalidSystem> {
    validate_system(system, chunk_bits)?;
    let place = || "layer of committed fractions".to_string();
    // Without rows there are no fractions.
    let rows = !(system.lookups.is_empty() && system.tables.is_empty());
    if layer > 0 && !(rows && layer <= leaf_bits(system)) {
        return Err(InvalidSystem { place: place(), problem: Problem::Layer });
    }
    if !system.products.is_empty() && layer != leaf_bits(system) {
        return Err(InvalidSystem { place: place(), problem: Problem::Products });
    }
    Ok(())
}

/// Checks every rule but those for the layer of committed fractions.
///
/// # Errors
/// The first rule that is broken.
pub fn validate_system(system: &ConstraintSystem, chunk_bits: usize) -> Result<(), InvalidSystem> {
    let at = |what: &'static str, index: usize, name: &str| {
        let place = if name.is_empty() { format!("{what} {index}") } else { format!("{what} {index} ({name:?})") };
        move |problem| InvalidSystem { place, problem }
    };
    let whole = |what: &str| {
        let place = what.to_string();
        move |problem| InvalidSystem { place, problem }
    };
    if !(MIN_CHUNK_BITS..=MAX_CHUNK_BITS).contains(&chunk_bits) {
        return Err(whole("chunk size")(Problem::ChunkBits));
    }
    let rules = Rules { system };
    for (i, tensor) in system.tensors.iter().enumerate() {
        check_shape(&tensor.shape).map_err(at("tensor", i, &tensor.name))?;
    }
    let committed = system.publics.iter().filter(|public| public.is_committed());
    let hashed = system.publics.iter().filter(|public| public.is_hashed());
    let hashed = hashed.map(|public| system.tensors.get(public.tensor.0 as usize).map_or(0, Tensor::bits));
    if hashed.fold(0u64, |sum, bits| sum.saturating_add(1 << bits)) > MAX_HASHED {
        return Err(whole("all hashed inputs and outputs together")(Problem::HashedSize));
    }
    // Each takes whole chunks.
    check_total(committed.map(|_| chunk_bits)).map_err(whole("all committed inputs and outputs together"))?;
    for origin in [Origin::Witness, Origin::Model, Origin::Fixed] {
        let tensors = system.tensors.iter().filter(|t| t.origin == origin);
        check_total(tensors.map(Tensor::bits)).map_err(whole("all tensors together"))?;
    }
    for (i, contraction) in system.contractions.iter().enumerate() {
        rules.contraction(contraction).map_err(at("contraction", i, ""))?;
    }
    let mut counters = BTreeSet::new();
    for (i, table) in system.tables.iter().enumerate() {
        let alone = counters.insert(table.multiplicity);
        rules.table(table, alone).map_err(at("table", i, &table.name))?;
    }
    for (i, lookup) in system.lookups.iter().enumerate() {
        rules.lookup(lookup).map_err(at("lookup", i, ""))?;
    }
    let domains = system.lookups.iter().map(|l| &l.columns).chain(system.tables.iter().map(|t| &t.columns));
    for (i, product) in system.products.iter().enumerate() {
        rules.columns(&product.terms).map_err(at("product", i, ""))?;
    }
    let rows = domains.map(|columns| columns[0].bits()).chain(system.products.iter().map(Product::bits));
    check_total(rows).map_err(whole("all lookups and products together"))?;
    for (i, equal) in system.equals.iter().enumerate() {
        rules.value(equal).map_err(at("equality", i, ""))?;
    }
    let mut committed = BTreeSet::new();
    for (i, public) in system.publics.iter().enumerate() {
        let alone = !public.is_committed() || committed.insert(public.tensor);
        rules.public(public, alone).map_err(at("public tensor", i, &public.name))?;
    }
    if rules.wiring_steps() > MAX_WIRING_STEPS {
        return Err(whole("all operands together")(Problem::Wiring));
    }
    Ok(())
}

/// A shape's bounds.
pub(crate) fn check_shape(shape: &[usize]) -> Result<(), Problem> {
    if shape.len() > MAX_AXES || shape.iter().any(|len| !(1..=MAX_AXIS).contains(len)) {
        return Err(Problem::Shape);
    }
    if shape_bits(shape) > MAX_SIZE_BITS { Err(Problem::Size) } else { Ok(()) }
}

/// Outputs are shown, and an element of a hash has room for few bits of a value.
pub(crate) fn check_visibility(
    role: Role,
    visibility: Visibility,
    (least, greatest): (i64, i64),
) -> Result<(), Problem> {
    match visibility {
        Visibility::Private if role == Role::Output => Err(Problem::Visibility),
        Visibility::Hashed if !(VALUES.contains(&least) && VALUES.contains(&greatest)) => Err(Problem::HashedRange),
        _ => Ok(()),
    }
}

/// The bounds of a public tensor's values.
pub(crate) fn check_public_range((least, greatest): (i64, i64)) -> Result<(), Problem> {
    let fits = least <= greatest && i32::try_from(least).is_ok() && i32::try_from(greatest).is_ok();
    if fits { Ok(()) } else { Err(Problem::Range) }
}

/// The scales of a public tensor's values.
pub(crate) fn check_fracs(shape: &[usize], frac: i32, columns: &[i32]) -> Result<(), Problem> {
    let fits = |frac: &i32| frac.unsigned_abs() <= MAX_FRAC.unsigned_abs();
    let each = columns.is_empty() || columns.len() == shape.last().copied().unwrap_or(1);
    if each && fits(&frac) && columns.iter().all(fits) { Ok(()) } else { Err(Problem::Range) }
}

/// The inferences that share a public tensor, and the classes that it tells.
pub(crate) fn check_inferences(
    role: Role,
    elements: usize,
    inferences: usize,
    classes: Classes,
) -> Result<(), Problem> {
    let fits = (1..=elements).contains(&inferences) && elements.is_multiple_of(inferences);
    if fits && (role == Role::Output || classes == Classes::None) { Ok(()) } else { Err(Problem::Inferences) }
}

/// The sum of `2^bits`, each at most [`MAX_SIZE_BITS`], is bounded.
fn check_total(mut bits: impl Iterator<Item = usize>) -> Result<(), Problem> {
    let total = bits.try_fold(0u64, |sum, bits| {
        let sum = sum + (1 << bits);
        (sum <= 1 << MAX_SIZE_BITS).then_some(sum)
    });
    total.map(|_| ()).ok_or(Problem::Size)
}

/// The rules for parts that name others. Each assumes that the tensors' own shapes have been checked.
struct Rules<'a> {
    system: &'a ConstraintSystem,
}

impl Rules<'_> {
    fn tensor(&self, id: TensorId) -> Result<&Tensor, Problem> {
        self.system.tensors.get(id.0 as usize).ok_or(Problem::Missing)
    }

    fn contraction(&self, contraction: &Contraction) -> Result<(), Problem> {
        let Contraction { vars, outputs, lhs, rhs } = contraction;
        let fits = vars.len() <= MAX_AXES && vars.iter().all(|len| (1..=MAX_AXIS).contains(len));
        if !fits || *outputs > vars.len() || shape_bits(vars) > MAX_CONTRACTION_BITS {
            return Err(Problem::Contraction);
        }
        self.operand(lhs, vars)?;
        rhs.iter().try_for_each(|rhs| self.operand(rhs, vars))
    }

    /// An operand over variables of these lengths. No variable may stand on two axes: the product of the axes' predicates is multilinear
    /// in it only then.
    fn operand(&self, operand: &Operand, vars: &[usize]) -> Result<(), Problem> {
        let shape = &self.tensor(operand.tensor)?.shape;
        let Access::Indexed(axes) = &operand.access else {
            return if vars.starts_with(shape) { Ok(()) } else { Err(Problem::ReadShape) };
        };
        if axes.len() != shape.len() {
            return Err(Problem::ReadShape);
        }
        let mut seen = [false; MAX_AXES];
        for index in axes {
            let bounded = index.terms.iter().all(|(_, coef)| (1..=MAX_INDEX_COEF).contains(&coef.unsigned_abs()));
            if index.terms.len() > MAX_INDEX_TERMS || !bounded || index.offset.unsigned_abs() > MAX_INDEX_COEF {
                return Err(Problem::Index);
            }
            for &(var, _) in &index.terms {
                // Domains and contractions have at most MAX_AXES variables.
                if var >= vars.len() {
                    return Err(Problem::Index);
                }
                if std::mem::replace(&mut seen[var], true) {
                    return Err(Problem::VariableTwice);
                }
            }
        }
        Ok(())
    }

    fn value(&self, value: &Virtual) -> Result<(), Problem> {
        check_shape(&value.domain)?;
        value.terms.iter().try_for_each(|(_, source)| self.source(source, &value.domain))
    }

    fn source(&self, source: &Source, domain: &[usize]) -> Result<(), Problem> {
        match source {
            Source::Read(operand) => {
                self.operand(operand, domain)?;
                // As it lies, a tensor is taken at the domain's own point.
                let raw = operand.access == Access::Raw;
                if raw && self.tensor(operand.tensor)?.shape != domain { Err(Problem::ReadShape) } else { Ok(()) }
            }
            Source::Contraction(id) => {
                let contraction = self.system.contractions.get(id.0 as usize).ok_or(Problem::Missing)?;
                let result = &contraction.vars[..contraction.outputs];
                if result == domain { Ok(()) } else { Err(Problem::ReadShape) }
            }
            Source::Fill(ranges) => {
                let mut seen = [false; MAX_AXES];
                for &(var, start, end) in ranges {
                    let fits = domain.get(var).is_some_and(|&len| start <= end && end <= len);
                    if !fits {
                        return Err(Problem::ClosedForm);
                    }
                    if std::mem::replace(&mut seen[var], true) {
                        return Err(Problem::VariableTwice);
                    }
                }
                Ok(())
            }
            Source::Position => Ok(()),
            Source::PositionRelu | Source::PositionIsMiddle | Source::PositionAboveMiddle => match domain {
                [len] if len.is_power_of_two() && *len > 1 => Ok(()),
                _ => Err(Problem::ClosedForm),
            },
        }
    }

    /// 1 to [`MAX_COLUMNS`] columns of one domain.
    fn columns(&self, columns: &[Virtual]) -> Result<(), Problem> {
        let same = columns.iter().all(|column| column.domain == columns[0].domain);
        if !(1..=MAX_COLUMNS).contains(&columns.len()) || !same {
            return Err(Problem::Columns);
        }
        columns.iter().try_for_each(|column| self.value(column))
    }

    fn table(&self, table: &Table, alone: bool) -> Result<(), Problem> {
        self.columns(&table.columns)?;
        let counter = self.tensor(table.multiplicity)?;
        let fits = counter.origin == Origin::Witness && counter.shape == table.columns[0].domain;
        if alone && fits { Ok(()) } else { Err(Problem::Multiplicity) }
    }

    fn lookup(&self, lookup: &Lookup) -> Result<(), Problem> {
        self.columns(&lookup.columns)?;
        let table = self.system.tables.get(lookup.table.0 as usize).ok_or(Problem::Missing)?;
        if table.columns.len() == lookup.columns.len() { Ok(()) } else { Err(Problem::Columns) }
    }

    fn public(&self, public: &Public, alone: bool) -> Result<(), Problem> {
        let tensor = self.tensor(public.tensor)?;
        check_shape(&public.shape)?;
        let len: usize = public.shape.iter().product();
        if tensor.origin != Origin::Witness || tensor.len() != len {
            return Err(Problem::Public);
        }
        check_visibility(public.role, public.visibility, public.range)?;
        if !alone {
            return Err(Problem::CommittedTwice);
        }
        check_public_range(public.range)?;
        check_inferences(public.role, len, public.inferences, public.classes)?;
        check_fracs(&public.shape, public.frac, &public.column_fracs)
    }

    /// Bounds the steps of all automata of [`crate::mle::wiring`]. Before each bit the carry is `floor` of a sum that ranges over an interval no
    /// longer than the coefficients together, so it has at most that many values and two.
    fn wiring_steps(&self) -> u64 {
        let system = self.system;
        let operands = (system.contractions.iter())
            .flat_map(|c| std::iter::once(&c.lhs).chain(&c.rhs).map(|operand| (operand, &c.vars[..])));
        let reads = system.virtuals().flat_map(|value| {
            value.terms.iter().filter_map(|(_, source)| match source {
                Source::Read(operand) => Some((operand, &value.domain[..])),
                _ => None,
            })
        });
        operands.chain(reads).fold(0u64, |sum, (operand, vars)| sum.saturating_add(self.operand_steps(operand, vars)))
    }

    fn operand_steps(&self, operand: &Operand, vars: &[usize]) -> u64 {
        let Access::Indexed(axes) = &operand.access else { return 0 };
        let shape = &self.system.tensor(operand.tensor).shape;
        let steps = axes.iter().zip(shape).map(|(index, &len)| {
            // A variable of one value adds nothing.
            let moving: Vec<_> = index.terms.iter().filter(|(var, _)| vars[*var] > 1).collect();
            let carries = moving.iter().map(|(_, coef)| coef.unsigned_abs()).sum::<u64>() + 2;
            let bits = moving.iter().map(|(var, _)| axis_bits(vars[*var])).max().unwrap_or(0).max(axis_bits(len));
            carries * bits as u64 * (1 << moving.len())
        });
        steps.sum()
    }
}
