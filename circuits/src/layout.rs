//! Where everything lies: tensors in the flat vectors `x` and `w`, lookups and tables among the leaves of the fraction tree, the fractions
//! of one of its layers in the flat vector `y`.
//!
//! Blocks have power-of-two sizes and are laid out by falling size, so each begins at a multiple of its size: a claim about a block is
//! a claim about the flat vector at a point whose high coordinates are the bits of the block's number. A tensor that is committed to by
//! itself ([`crate::ir::Visibility::Committed`]) shares its chunks with no other; one that is smaller than a chunk goes between the
//! blocks of whole chunks and the smaller ones, so that nothing is wasted but the rest of its chunk. Behind the tensors of `x` lies its
//! mask. The layout is a function of the constraint system and the [`Cuts`] alone, so prover and verifier derive the same one.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::ir::{ConstraintSystem, Origin, TableId, TensorId};

/// Positions of the mask, fresh random values that no claim reads: at least one for each scalar and each point that an opening makes public
/// beside `W`, and one for the combined blind. A power of two, at most the smallest chunk's size.
pub const MASK_LEN: usize = 8;

/// A power-of-two-sized, aligned range of a flat vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// First position; a multiple of `2^bits`.
    pub offset: usize,
    /// Binary logarithm of the size.
    pub bits: usize,
}

impl Block {
    /// Number of positions.
    pub fn size(&self) -> usize {
        1 << self.bits
    }

    /// The positions.
    pub fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.size()
    }
}

/// Which committed vector a tensor lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vector {
    /// Committed by the prover for each proof.
    X,
    /// Committed at setup.
    W,
}

/// What a block of the fraction tree's leaves stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// The rows of lookup `i`: fractions `1 / (α - key)`.
    Lookup(usize),
    /// The rows of a table: fractions `-multiplicity / (α - key)`.
    Table(TableId),
    /// The rows of product `i`, behind all fractions: `a·b = c` in the place of `y·Q = P`.
    Product(usize),
}

/// Where the vectors and the fraction tree are cut: what a setup picks for a constraint system, and a key fixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cuts {
    /// Binary logarithm of the chunk size.
    pub chunk_bits: usize,
    /// The layer of the fraction tree whose fractions are committed to, 0 if none is: the root's. Layer `d` has `2^d` nodes.
    pub layer: usize,
}

/// How the committed vectors are cut; all that the group equation needs of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunks {
    /// Binary logarithm of the chunk size.
    pub bits: usize,
    /// Chunks of `x`; the last holds the mask.
    pub x: usize,
    /// Chunks of `y`; 0 if no fractions are committed to.
    pub y: usize,
    /// Chunks of `w`.
    pub w: usize,
}

impl Chunks {
    /// Variables of `x`'s multilinear extension.
    pub fn x_bits(&self) -> usize {
        self.bits + log2_ceil(self.x)
    }

    /// Variables of `y`'s multilinear extension.
    pub fn y_bits(&self) -> usize {
        self.bits + log2_ceil(self.y.max(1))
    }

    /// Variables of `w`'s multilinear extension.
    pub fn w_bits(&self) -> usize {
        self.bits + log2_ceil(self.w.max(1))
    }

    /// Coordinates of the batching step's point: as many as the longest vector has.
    pub fn rho(&self) -> usize {
        self.x_bits().max(self.y_bits()).max(self.w_bits())
    }

    /// Those of them that weigh chunks.
    pub fn rho_high(&self) -> usize {
        self.rho() - self.bits
    }
}

/// The layout of one constraint system.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Binary logarithm of the chunk size.
    pub chunk_bits: usize,
    /// The layer of the fraction tree whose fractions `y` holds; 0 if there is no `y`.
    pub layer: usize,
    /// Each tensor's vector and block, by tensor id.
    pub blocks: Vec<(Vector, Block)>,
    /// Positions of `x` that hold tensors.
    pub x_len: usize,
    /// Positions of `w` that are used.
    pub w_len: usize,
    /// First position of `w`'s fixed region, a multiple of the chunk size.
    pub w_fixed: usize,
    /// Leaves of the fraction tree, by falling size; then the products' rows, likewise.
    pub leaves: Vec<(Leaf, Block)>,
    /// Number of used leaves, the products' rows left out.
    pub leaf_len: usize,
    /// Number of used leaves, the products' rows among them.
    pub row_len: usize,
    /// Depth of the fraction tree: it has at least as many leaves as the largest domain of any constraint has rows, so that the
    /// leaves' point serves all of them.
    pub leaf_bits: usize,
}

impl Layout {
    /// Lays out `system`, cut like this.
    pub fn new(system: &ConstraintSystem, Cuts { chunk_bits, layer }: Cuts) -> Self {
        let mut blocks = vec![(Vector::X, Block { offset: 0, bits: 0 }); system.tensors.len()];
        let alone: BTreeSet<usize> =
            system.publics.iter().filter(|p| p.is_committed()).map(|p| p.tensor.0 as usize).collect();
        let mut place = |vector, origin, start: usize| -> usize {
            let mut ids: Vec<usize> =
                (0..system.tensors.len()).filter(|&i| system.tensors[i].origin == origin).collect();
            // The room that each takes.
            let room = |i: usize| {
                let bits = system.tensors[i].bits();
                if alone.contains(&i) { bits.max(chunk_bits) } else { bits }
            };
            ids.sort_by_key(|&i| std::cmp::Reverse(room(i)));
            let alignment = ids.first().map_or(1, |&i| 1usize << room(i));
            let mut offset = start.next_multiple_of(alignment);
            for i in ids {
                blocks[i] = (vector, Block { offset, bits: system.tensors[i].bits() });
                offset += 1 << room(i);
            }
            offset
        };
        let x_len = place(Vector::X, Origin::Witness, 0);
        let model_len = place(Vector::W, Origin::Model, 0);
        let any_fixed = system.tensors.iter().any(|t| t.origin == Origin::Fixed);
        let w_fixed = model_len.next_multiple_of(1 << chunk_bits);
        let w_len = if any_fixed { place(Vector::W, Origin::Fixed, w_fixed) } else { model_len };
        let Leaves { leaves, leaf_len, row_len } = lay_leaves(system);
        let leaf_bits = depth(system, row_len);
        Self { chunk_bits, layer, row_len, blocks, x_len, w_len, w_fixed, leaves, leaf_len, leaf_bits }
    }

    /// Vector and block of a tensor.
    pub fn block(&self, id: TensorId) -> (Vector, Block) {
        self.blocks[id.0 as usize]
    }

    /// The chunks of `x` that a tensor lies in.
    pub fn chunks_of(&self, id: TensorId) -> Range<usize> {
        let (_, block) = self.block(id);
        let size = 1 << self.chunk_bits;
        block.offset / size..block.range().end.div_ceil(size)
    }

    /// The mask's positions, behind all tensors: in their last chunk if there is room, or else in one more. A committed tensor takes whole
    /// chunks, so the mask is never in one of these.
    pub fn mask(&self) -> Range<usize> {
        let start = self.x_len.next_multiple_of(MASK_LEN);
        start..start + MASK_LEN
    }

    /// Chunks of `x`, the mask's, which is the last, among them.
    pub fn x_chunks(&self) -> usize {
        self.mask().end.div_ceil(1 << self.chunk_bits)
    }

    /// Chunks of `w`.
    pub fn w_chunks(&self) -> usize {
        self.w_len.div_ceil(1 << self.chunk_bits)
    }

    /// Positions of `y`: the layer's nodes that have used leaves below them.
    pub fn y_len(&self) -> usize {
        if self.layer == 0 { 0 } else { self.leaf_len.div_ceil(1 << (self.leaf_bits - self.layer)) }
    }

    /// The nodes of the layer that both claims on fractions read: `[0, len)`; all of them, or those before the products' rows.
    pub fn fraction_len(&self) -> usize {
        if self.row_len == self.leaf_len { 1 << self.layer } else { fraction_room(self.leaf_len) }
    }

    /// How everything is cut.
    pub fn cuts(&self) -> Cuts {
        Cuts { chunk_bits: self.chunk_bits, layer: self.layer }
    }

    /// How the vectors are cut.
    pub fn chunks(&self) -> Chunks {
        let y = self.y_len().div_ceil(1 << self.chunk_bits);
        Chunks { bits: self.chunk_bits, x: self.x_chunks(), y, w: self.w_chunks() }
    }

    /// Variables of `x`'s multilinear extension.
    pub fn x_bits(&self) -> usize {
        self.chunks().x_bits()
    }

    /// Variables of `y`'s multilinear extension.
    pub fn y_bits(&self) -> usize {
        self.chunks().y_bits()
    }

    /// Variables of `w`'s multilinear extension.
    pub fn w_bits(&self) -> usize {
        self.chunks().w_bits()
    }
}

/// Depth of a system's fraction tree: [`Layout::leaf_bits`].
pub fn leaf_bits(system: &ConstraintSystem) -> usize {
    depth(system, lay_leaves(system).row_len)
}

fn depth(system: &ConstraintSystem, row_len: usize) -> usize {
    let equals = system.equals.iter().map(|e| e.bits());
    let compared = system.publics.iter().filter(|public| public.is_stated() || public.is_hashed());
    let publics = compared.map(|public| system.tensor(public.tensor).bits());
    equals.chain(publics).max().unwrap_or(0).max(log2_ceil(row_len)).max(1)
}

struct Leaves {
    leaves: Vec<(Leaf, Block)>,
    leaf_len: usize,
    row_len: usize,
}

fn lay_leaves(system: &ConstraintSystem) -> Leaves {
    let lookups = system.lookups.iter().enumerate().map(|(i, l)| (Leaf::Lookup(i), l.columns[0].bits()));
    let tables = (system.tables.iter().enumerate()).map(|(i, t)| (Leaf::Table(TableId(i as u32)), t.columns[0].bits()));
    let products = system.products.iter().enumerate().map(|(i, p)| (Leaf::Product(i), p.bits()));
    let mut leaves = Vec::new();
    let leaf_len = place_leaves(&mut leaves, lookups.chain(tables).collect(), 0);
    let room = if system.products.is_empty() { leaf_len } else { fraction_room(leaf_len) };
    let row_len = place_leaves(&mut leaves, products.collect(), room);
    Leaves { leaves, leaf_len, row_len }
}

/// Places blocks of these bits by falling size, from `start` on; gives the end.
fn place_leaves(placed: &mut Vec<(Leaf, Block)>, mut blocks: Vec<(Leaf, usize)>, start: usize) -> usize {
    blocks.sort_by_key(|&(_, bits)| std::cmp::Reverse(bits));
    let mut offset = blocks.first().map_or(start, |&(_, bits)| start.next_multiple_of(1 << bits));
    for (leaf, bits) in blocks {
        placed.push((leaf, Block { offset, bits }));
        offset += 1 << bits;
    }
    offset
}

/// Room for fractions before other rows: a bit more than they take, so that few aligned blocks make it up ([`blocks_of`]).
fn fraction_room(leaf_len: usize) -> usize {
    leaf_len.next_multiple_of(1 << log2_ceil(leaf_len).saturating_sub(4))
}

/// The aligned blocks, by falling size, that make up `[0, len)`.
pub fn blocks_of(len: usize) -> Vec<Block> {
    let set = (0..usize::BITS as usize).rev().filter(|bits| len >> bits & 1 == 1);
    set.map(|bits| Block { offset: len >> bits >> 1 << bits << 1, bits }).collect()
}

/// `ceil(log2(n))`, 0 for 0.
pub fn log2_ceil(n: usize) -> usize {
    n.next_power_of_two().trailing_zeros() as usize
}
