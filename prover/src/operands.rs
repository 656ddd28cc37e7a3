//! Tensors summed against separable weights: what the contraction and batching steps need of each operand.

use ark_bn254::Fr;
use ark_ff::{One, Zero};
use rayon::prelude::*;
use vouch_circuits::argument::claims::{Points, TensorClaim};
use vouch_circuits::argument::contractions::Roles;
use vouch_circuits::ir::*;
use vouch_circuits::mle::{Wire, eq_table};

use crate::small::combine_rows;

/// An operand's extension with every unbound variable at its point, for all values of the bound ones: `2^bits` elements, in the order of the
/// contraction's sumcheck. `points` holds the unbound variables' points.
pub fn operand_table(
    system: &ConstraintSystem,
    contraction: &Contraction,
    roles: &Roles,
    operand: &Operand,
    values: &[i32],
    points: &[Vec<Fr>],
) -> Vec<Fr> {
    let shape = &system.tensor(operand.tensor).shape;
    let indexed: Vec<Index> = match &operand.access {
        Access::Raw => (0..shape.len()).map(Index::var).collect(),
        Access::Indexed(axes) => axes.clone(),
    };
    let raw = operand.access == Access::Raw;
    // Per axis: which bound variables it has, and for each of their values the weights of the axis' indices.
    let axes: Vec<AxisMap> = (indexed.iter().zip(shape))
        .map(|(index, &len)| {
            let len = if raw { len.next_power_of_two() } else { len };
            axis_map(contraction, roles, index, len, points)
        })
        .collect();
    let reduced = apply_maps(shape, &axes, values);
    spread(contraction, roles, &axes, &reduced)
}

/// A linear map from an axis to the values of its bound variables.
struct AxisMap {
    /// The bound variables, the first one slowest.
    bound: Vec<usize>,
    /// For each value of them, `(index, weight)`.
    rows: Vec<Vec<(usize, Fr)>>,
}

impl AxisMap {
    /// Whether row `i` is just index `i`, for as many as there are.
    fn is_identity(&self, len: usize) -> bool {
        self.rows.iter().enumerate().all(|(i, row)| match row[..] {
            [] => i >= len,
            [(index, weight)] => index == i && weight.is_one(),
            _ => false,
        })
    }
}

fn axis_map(contraction: &Contraction, roles: &Roles, index: &Index, len: usize, points: &[Vec<Fr>]) -> AxisMap {
    // All values of the axis' variables with their weights, unbound ones summed into rows of bound ones.
    let mut entries = vec![(0usize, index.offset, Fr::one())];
    let mut bound = Vec::new();
    let mut rows = 1;
    for &(var, coef) in &index.terms {
        let size = contraction.vars[var].next_power_of_two();
        if roles.bound.contains(&var) {
            bound.push(var);
            rows *= size;
            entries = (entries.iter())
                .flat_map(|&(row, at, w)| (0..size).map(move |v| (row * size + v, at + coef * v as i64, w)))
                .collect();
        } else {
            let weights = eq_table(&points[var]);
            entries = (entries.iter())
                .flat_map(|&(row, at, w)| {
                    weights.iter().enumerate().map(move |(v, e)| (row, at + coef * v as i64, w * e))
                })
                .collect();
        }
    }
    let mut map = AxisMap { bound, rows: vec![Vec::new(); rows] };
    for (row, at, weight) in entries {
        if (0..len as i64).contains(&at) {
            map.rows[row].push((at as usize, weight));
        }
    }
    map
}

/// Applies each axis' map; the result is row-major over the axes' row counts.
fn apply_maps(shape: &[usize], axes: &[AxisMap], values: &[i32]) -> Vec<Fr> {
    let mut sizes: Vec<usize> = shape.iter().map(|l| l.next_power_of_two()).collect();
    // The axis that shrinks the tensor most goes first, on the small integers.
    let shrink = |a: &usize| sizes[*a] / axes[*a].rows.len().max(1);
    let first = (0..axes.len()).max_by_key(shrink).filter(|a| axes[*a].rows.len() < sizes[*a]);
    let mut current: Vec<Fr> = match first {
        Some(a) => {
            let inner: usize = sizes[a + 1..].iter().product();
            let slab = sizes[a] * inner;
            let mut out = Vec::with_capacity(values.len() / sizes[a] * axes[a].rows.len());
            for slab in values.chunks(slab) {
                for row in &axes[a].rows {
                    let mut weights = vec![Fr::zero(); sizes[a]];
                    row.iter().for_each(|(index, weight)| weights[*index] += weight);
                    out.extend(combine_rows(&weights, slab, inner));
                }
            }
            sizes[a] = axes[a].rows.len();
            out
        }
        None => values.par_iter().with_min_len(1 << 12).map(|v| Fr::from(*v)).collect(),
    };
    for a in (0..axes.len()).filter(|a| Some(*a) != first) {
        if axes[a].rows.len() == sizes[a] && axes[a].is_identity(shape[a]) && shape[a] == sizes[a] {
            continue;
        }
        let inner: usize = sizes[a + 1..].iter().product();
        let rows = &axes[a].rows;
        let size = sizes[a];
        let outer = current.len() / (size * inner);
        let mut out = vec![Fr::zero(); outer * rows.len() * inner];
        out.par_chunks_mut(inner).enumerate().with_min_len((1 << 10) / inner.max(1) + 1).for_each(|(line, out)| {
            let (o, row) = (line / rows.len(), line % rows.len());
            for (index, weight) in &rows[row] {
                let from = &current[(o * size + index) * inner..][..inner];
                for (sum, value) in out.iter_mut().zip(from) {
                    *sum += if weight.is_one() { *value } else { *value * weight };
                }
            }
        });
        sizes[a] = rows.len();
        current = out;
    }
    current
}

/// From the axes' bound variables to the order of the sumcheck, constant in variables that the operand does not read.
fn spread(contraction: &Contraction, roles: &Roles, axes: &[AxisMap], reduced: &[Fr]) -> Vec<Fr> {
    let bits = |var: &usize| axis_bits(contraction.vars[*var]);
    let lens: Vec<usize> = roles.bound.iter().map(|v| contraction.vars[*v]).collect();
    let ranges = axis_ranges(&lens);
    let order: Vec<usize> = axes.iter().flat_map(|a| a.bound.iter().copied()).collect();
    // The lowest bit of each variable in `reduced`, and its range in the result.
    let mut low = 0;
    let mut fields = Vec::with_capacity(order.len());
    for var in order.iter().rev() {
        let target = roles.bound.iter().position(|b| b == var).map(|k| ranges[k].clone()).unwrap_or(0..0);
        fields.push((low, target));
        low += bits(var);
    }
    let in_order = fields.iter().all(|(low, target)| *low == target.start) && low == roles.bits;
    if in_order {
        return reduced.to_vec();
    }
    (0..1usize << roles.bits)
        .map(|position| {
            let from = fields
                .iter()
                .fold(0, |from, (low, target)| from | (position >> target.start & ((1 << target.len()) - 1)) << low);
            reduced[from]
        })
        .collect()
}

/// The weights of an axis' indices under a wire, up to the axis' true length.
fn wire_vector(wire: &Wire<Fr>) -> Vec<Fr> {
    let mut weights = vec![Fr::zero(); wire.len];
    let tables: Vec<(i64, Vec<Fr>)> = wire.terms.iter().map(|(c, p)| (*c, eq_table(p))).collect();
    let mut add = |at: i64, weight: Fr| {
        if let Some(sum) = usize::try_from(at).ok().and_then(|at| weights.get_mut(at)) {
            *sum += weight;
        }
    };
    match &tables[..] {
        [] => add(wire.offset, Fr::one()),
        [(a, first)] => first.iter().enumerate().for_each(|(u, w)| add(wire.offset + a * u as i64, *w)),
        [(a, first), (b, second), ..] => {
            for (u, x) in first.iter().enumerate() {
                for (v, y) in second.iter().enumerate() {
                    let at = wire.offset + a * u as i64 + b * v as i64;
                    if (0..wire.len as i64).contains(&at) {
                        add(at, *x * y);
                    }
                }
            }
        }
    }
    weights
}

/// Adds a claim's weights to its tensor's block of `Q`.
pub fn add_claim(shape: &[usize], claim: &TensorClaim<Fr>, points: &Points<Fr>, block: &mut [Fr]) {
    let vectors: Vec<Vec<Fr>> = claim.wires.iter().map(|wire| wire_vector(&wire.at(points))).collect();
    let padded: Vec<usize> = shape.iter().map(|l| l.next_power_of_two()).collect();
    add_product(&padded, &vectors, claim.coef, block);
}

/// `block[i] += coef · Π_a vectors[a][i_a]`.
fn add_product(padded: &[usize], vectors: &[Vec<Fr>], coef: Fr, block: &mut [Fr]) {
    let Some((vector, rest)) = vectors.split_first() else {
        block[0] += coef;
        return;
    };
    if rest.is_empty() {
        if coef.is_one() {
            block.iter_mut().zip(vector).for_each(|(b, v)| *b += v);
        } else {
            block.par_iter_mut().with_min_len(1 << 11).zip(vector).for_each(|(b, v)| *b += coef * v);
        }
        return;
    }
    let size = block.len() / padded[0];
    let each = |(part, weight): (&mut [Fr], &Fr)| {
        if !weight.is_zero() {
            add_product(&padded[1..], rest, coef * weight, part);
        }
    };
    if block.len() >= 1 << 12 {
        block.par_chunks_mut(size).zip(vector).for_each(each);
    } else {
        block.chunks_mut(size).zip(vector).for_each(each);
    }
}
