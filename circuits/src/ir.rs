//! The constraint system: the narrow waist between operators and the argument that proves them.
//!
//! Every operator lowers to contractions, lookups, equalities and gathers (a gather is a lookup whose table is a
//! tensor) over *tensors*, which are committed, and *virtual* tensors, which are affine in them. The set of constraints is
//! part of the verifying key; the prover has no say in it.
//!
//! Every axis is padded to a power of two. A tensor of padded size `2^n` has a multilinear extension in `n` variables: bit
//! `k` of the row-major position in the padded tensor is variable `k`, so the last axis has the lowest variables.
//! Constraints hold on the whole padded domain.
//!
//! This module knows neither operators nor how values come to be.

use serde::{Deserialize, Serialize};
use vouch_program::AxisIndex;

/// Index into [`ConstraintSystem::tensors`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TensorId(pub u32);

/// Index into [`ConstraintSystem::contractions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ContractionId(pub u32);

/// Index into [`ConstraintSystem::tables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TableId(pub u32);

/// Who commits a tensor, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// The prover, for each proof, in the vector `x`.
    Witness,
    /// The model's owner, at setup, hidden, in the vector `w`; zero in the padding.
    Model,
    /// Known from the architecture (function tables, index maps): in `w`, at setup, without a blind.
    Fixed,
}

/// A committed tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tensor {
    /// Who commits it.
    pub origin: Origin,
    /// True lengths of the axes.
    pub shape: Vec<usize>,
    /// What it is, for messages.
    pub name: String,
}

/// How an expression over some variables reads a tensor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Access {
    /// Axis `i` is variable `i`, padding included.
    Raw,
    /// Axis `i` is read at index `axes[i]`, and the value is zero where an index leaves the true length.
    Indexed(Vec<Index>),
}

/// The index on one axis: `Σ coef · variable + offset`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Index {
    /// `(variable, coef)`.
    pub terms: Vec<(usize, i64)>,
    /// Added to the sum.
    pub offset: i64,
}

impl From<&AxisIndex> for Index {
    fn from(axis: &AxisIndex) -> Self {
        Self { terms: axis.terms.clone(), offset: axis.offset }
    }
}

impl Index {
    /// The variable itself.
    pub fn var(var: usize) -> Self {
        Self { terms: vec![(var, 1)], offset: 0 }
    }

    /// `variable + offset`.
    pub fn shifted(var: usize, offset: i64) -> Self {
        Self { terms: vec![(var, 1)], offset }
    }

    /// A fixed index.
    pub fn fixed(offset: i64) -> Self {
        Self { terms: Vec::new(), offset }
    }

    /// Whether this is variable `var`, unchanged.
    pub fn is_var(&self, var: usize) -> bool {
        self.offset == 0 && self.terms == [(var, 1)]
    }
}

/// A tensor with the way it is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Operand {
    /// What is read.
    pub tensor: TensorId,
    /// In which way its elements are read.
    pub access: Access,
}

impl Operand {
    /// The tensor as it lies, padding included.
    pub fn raw(tensor: TensorId) -> Self {
        Self { tensor, access: Access::Raw }
    }

    /// The tensor with its padding read as zero.
    pub fn identity(tensor: TensorId, rank: usize) -> Self {
        Self { tensor, access: Access::Indexed((0..rank).map(Index::var).collect()) }
    }

    /// Whether variable `var` plays a part (`rank` is the tensor's).
    pub fn reads(&self, var: usize, rank: usize) -> bool {
        match &self.access {
            Access::Raw => var < rank,
            Access::Indexed(axes) => axes.iter().any(|a| a.terms.iter().any(|&(v, _)| v == var)),
        }
    }
}

/// `out[o] = Σ_s lhs[o, s] · rhs[o, s]` on the padded domain of the outputs, summed variables running to their true lengths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contraction {
    /// True length of each variable; the outputs first.
    pub vars: Vec<usize>,
    /// How many variables are outputs.
    pub outputs: usize,
    /// First factor.
    pub lhs: Operand,
    /// Second factor; none is 1.
    pub rhs: Option<Operand>,
}

/// What a virtual tensor is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A committed tensor.
    Read(Operand),
    /// The result of a contraction whose outputs are exactly the domain.
    Contraction(ContractionId),
    /// 1 where every listed `(variable, start, end)` has `start <= variable < end`, else 0.
    Fill(Vec<(usize, usize, usize)>),
    /// The row's position in the padded domain.
    Position,
    /// `max(position - 2^(bits-1), 0)`, over a domain of `2^bits` rows.
    PositionRelu,
    /// 1 in row `2^(bits-1)` of `2^bits`, else 0.
    PositionIsMiddle,
    /// 1 in the rows above `2^(bits-1)`, else 0.
    PositionAboveMiddle,
}

/// The largest coefficient of a virtual tensor, by absolute value: those that [`Virtual::plus_virtual`] could not multiply are larger.
pub const MAX_COEF: u64 = 1 << 62;

/// `Σ coef · source` on a padded domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Virtual {
    /// True lengths of the domain's variables.
    pub domain: Vec<usize>,
    /// The summands.
    pub terms: Vec<(i64, Source)>,
}

impl Virtual {
    /// Zero on a domain.
    pub fn zero(domain: &[usize]) -> Self {
        Self { domain: domain.to_vec(), terms: Vec::new() }
    }

    /// A tensor as it lies.
    pub fn raw(tensor: TensorId, domain: &[usize]) -> Self {
        Self::zero(domain).plus(1, Source::Read(Operand::raw(tensor)))
    }

    /// With one more summand.
    pub fn plus(mut self, coef: i64, source: Source) -> Self {
        if coef != 0 {
            self.terms.push((coef, source));
        }
        self
    }

    /// With a tensor, as it lies, added.
    pub fn plus_raw(self, coef: i64, tensor: TensorId) -> Self {
        self.plus(coef, Source::Read(Operand::raw(tensor)))
    }

    /// With a constant added.
    pub fn plus_constant(self, value: i64) -> Self {
        self.plus(value, Source::Fill(Vec::new()))
    }

    /// With another virtual tensor of the same domain added `coef` times.
    pub fn plus_virtual(mut self, coef: i64, other: &Virtual) -> Self {
        debug_assert!(other.domain == self.domain);
        // A product that leaves 64 bits stays beyond [`MAX_COEF`], which lowering refuses.
        self.terms.extend(other.terms.iter().map(|(c, s)| (coef.saturating_mul(*c), s.clone())));
        self
    }

    /// Number of variables of the multilinear extension.
    pub fn bits(&self) -> usize {
        shape_bits(&self.domain)
    }
}

/// Every row of `columns` is a row of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookup {
    /// As many as the table has, of one domain.
    pub columns: Vec<Virtual>,
    /// The table that they are looked up in.
    pub table: TableId,
}

/// `a(i)·b(i) = c(i)` in every row of a padded domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// `a`, `b` and `c`, of one domain.
    pub terms: [Virtual; 3],
}

impl Product {
    /// Number of variables of the domain.
    pub fn bits(&self) -> usize {
        self.terms[0].bits()
    }
}

/// The rows that lookups may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// For messages.
    pub name: String,
    /// At most [`MAX_COLUMNS`], of one domain.
    pub columns: Vec<Virtual>,
    /// How often each row is looked up: a witness tensor of the same padded size.
    pub multiplicity: TensorId,
}

/// The widest table.
pub const MAX_COLUMNS: usize = 3;

/// Whether a public tensor is read or written by the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// An input of the model.
    Input,
    /// An output of the model.
    Output,
}

/// What a proof shows of an input or output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Visibility {
    /// Its values, which are part of the statement.
    Public,
    /// A hiding commitment to its values, which whoever has their opening can show to others.
    Committed,
    /// Nothing but that some values were used, in the declared range. For inputs only: an output that nobody sees says nothing.
    Private,
    /// A salted hash of its values ([`crate::tensor_hash`]), which is part of the statement.
    Hashed,
}

/// Whether the places along an output's last axis stand for classes; if that axis has one place, whether its value does, as a class's number. Its maker's word:
/// no constraint depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Classes {
    /// They do not, as far as anybody said.
    #[default]
    None,
    /// They do.
    Numbered,
    /// They do, and the classes have names, of which this is the digest ([`crate::key::Labels`]).
    Named([u8; 32]),
}

/// An input or output. If it is [`Visibility::Public`], the tensor's true entries are public values of the statement; if it is
/// [`Visibility::Committed`], the tensor lies alone in its chunks of `x`, and is zero in its padding; if it is [`Visibility::Hashed`], it is
/// zero in its padding too, and all its values have 16 bits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Public {
    /// The tensor that is bound.
    pub tensor: TensorId,
    /// Input or output.
    pub role: Role,
    /// What a proof shows of it.
    pub visibility: Visibility,
    /// The ONNX file's name for it.
    pub name: String,
    /// The ONNX file's shape for it; as many elements as the tensor.
    pub shape: Vec<usize>,
    /// The real value of an integer `q` is `q · 2^-frac`.
    pub frac: i32,
    /// Where columns have scales of their own: one `frac` for each place along the last axis of `shape`. Else empty.
    pub column_fracs: Vec<i32>,
    /// Least and greatest value that an honest run can have.
    pub range: (i64, i64),
    /// Of how many inferences it has the places, side by side.
    pub inferences: usize,
    /// Whether it tells a class.
    pub classes: Classes,
}

/// All constraints of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConstraintSystem {
    /// Everything committed.
    pub tensors: Vec<Tensor>,
    /// Sums of products.
    pub contractions: Vec<Contraction>,
    /// Row memberships; gathers among them.
    pub lookups: Vec<Lookup>,
    /// What is looked up in.
    pub tables: Vec<Table>,
    /// Virtual tensors that are zero everywhere on their padded domains.
    pub equals: Vec<Virtual>,
    /// Products that hold in every row. Only where the leaves' fractions are committed to ([`crate::layout::Cuts::layer`]).
    pub products: Vec<Product>,
    /// Inputs and outputs, in the program's order, inputs first.
    pub publics: Vec<Public>,
}

impl Public {
    /// Whether its values are part of the statement.
    pub fn is_stated(&self) -> bool {
        self.visibility == Visibility::Public
    }

    /// Whether it has commitments of its own.
    pub fn is_committed(&self) -> bool {
        self.visibility == Visibility::Committed
    }

    /// Whether a hash of it is part of the statement.
    pub fn is_hashed(&self) -> bool {
        self.visibility == Visibility::Hashed
    }
}

impl ConstraintSystem {
    /// All virtual tensors that a constraint reads.
    pub fn virtuals(&self) -> impl Iterator<Item = &Virtual> {
        let columns = self.lookups.iter().map(|l| &l.columns).chain(self.tables.iter().map(|t| &t.columns));
        columns.flatten().chain(&self.equals).chain(self.products.iter().flat_map(|product| &product.terms))
    }

    /// The tensor with this id.
    pub fn tensor(&self, id: TensorId) -> &Tensor {
        &self.tensors[id.0 as usize]
    }

    /// The contraction with this id.
    pub fn contraction(&self, id: ContractionId) -> &Contraction {
        &self.contractions[id.0 as usize]
    }

    /// The table with this id.
    pub fn table(&self, id: TableId) -> &Table {
        &self.tables[id.0 as usize]
    }
}

impl Tensor {
    /// Number of variables of the multilinear extension.
    pub fn bits(&self) -> usize {
        shape_bits(&self.shape)
    }

    /// True number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Never true: no axis has length 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Bits that index an axis of this length: `ceil(log2(len))`.
pub fn axis_bits(len: usize) -> usize {
    len.next_power_of_two().trailing_zeros() as usize
}

/// Bits that index the padded tensor of this shape.
pub fn shape_bits(shape: &[usize]) -> usize {
    shape.iter().map(|&len| axis_bits(len)).sum()
}

/// Whether some axis is longer padded than in truth.
pub fn has_padding(shape: &[usize]) -> bool {
    shape.iter().any(|len| !len.is_power_of_two())
}

/// For each axis, the range of variables (bits of the padded row-major position) that index it.
pub fn axis_ranges(shape: &[usize]) -> Vec<std::ops::Range<usize>> {
    let mut ranges = Vec::with_capacity(shape.len());
    let mut low = 0;
    for &len in shape.iter().rev() {
        let high = low + axis_bits(len);
        ranges.push(low..high);
        low = high;
    }
    ranges.reverse();
    ranges
}
