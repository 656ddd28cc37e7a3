//! The definitions in `program.rs`, executed one element at a time and without any cleverness.
//!
//! On the padded domain, each axis is extended to a power of two, as in the proof: operators are
//! evaluated there, too, with zeros for what has no formula (inputs, weights, gathers).

use vouch_program::*;

pub struct Tensor {
    /// The evaluated lengths, padded or not.
    pub shape: Vec<usize>,
    pub values: Vec<i64>,
}

/// Every index of `shape`, row-major.
pub fn indices(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    let shape = shape.to_vec();
    (0..shape.iter().product()).map(move |mut flat: usize| {
        let mut index = vec![0; shape.len()];
        for (at, len) in index.iter_mut().zip(&shape).rev() {
            *at = flat % len;
            flat /= len;
        }
        index
    })
}

fn flat(shape: &[usize], index: &[usize]) -> usize {
    shape.iter().zip(index).fold(0, |flat, (len, at)| flat * len + at)
}

fn inside(shape: &[usize], index: &[usize]) -> bool {
    shape.iter().zip(index).all(|(len, at)| at < len)
}

pub struct Reference<'p> {
    program: &'p Program,
    padded: bool,
    pub tensors: Vec<Tensor>,
}

/// Every node's values; the program must be valid, and the inputs, too.
pub fn evaluate<'p>(program: &'p Program, inputs: &[Vec<i64>], padded: bool) -> Reference<'p> {
    let mut reference = Reference { program, padded, tensors: Vec::new() };
    for (id, node) in program.nodes.iter().enumerate() {
        let pad = |len: &usize| {
            if padded { len.next_power_of_two() } else { *len }
        };
        let shape: Vec<usize> = node.shape.iter().map(pad).collect();
        let values = indices(&shape).map(|o| reference.element(id, node, &o, inputs)).collect();
        reference.tensors.push(Tensor { shape, values });
    }
    reference
}

impl Reference<'_> {
    /// The element of an earlier node at a position of its (padded) domain.
    fn direct(&self, node: NodeId, o: &[usize]) -> i64 {
        let tensor = &self.tensors[node.index()];
        tensor.values[flat(&tensor.shape, o)]
    }

    fn read(&self, view: &View, vars: &[usize]) -> i128 {
        let shape = &self.program.node(view.node).shape;
        let index: Vec<i64> = view.axes.iter().map(|axis| axis.at(vars)).collect();
        if index.iter().zip(shape).any(|(&i, &len)| i < 0 || i >= len as i64) {
            return 0;
        }
        let index: Vec<usize> = index.iter().map(|&i| i as usize).collect();
        self.direct(view.node, &index).into()
    }

    fn term(&self, term: &AffineTerm, o: &[usize]) -> i128 {
        match term {
            // Virtual nodes are read where they stand, padding included.
            AffineTerm::Scaled { coef, view } if !self.program.node(view.node).op.is_stored() => {
                i128::from(*coef) * i128::from(self.direct(view.node, o))
            }
            AffineTerm::Scaled { coef, view } => i128::from(*coef) * self.read(view, o),
            AffineTerm::Fill { coef, ranges } => {
                if ranges.iter().all(|&(var, start, end)| (start..end).contains(&o[var])) { (*coef).into() } else { 0 }
            }
        }
    }

    fn element(&self, id: usize, node: &Node, o: &[usize], inputs: &[Vec<i64>]) -> i64 {
        let real = inside(&node.shape, o);
        let narrow = |wide: i128| i64::try_from(wide).unwrap();
        match &node.op {
            Op::Input { .. } => {
                let port = self.program.inputs.iter().position(|p| p.node.index() == id).unwrap();
                if real { inputs[port][flat(&node.shape, o)] } else { 0 }
            }
            Op::Weight { data } if real => data[flat(&node.shape, o)].into(),
            Op::Gather { input, index } if real => {
                let shape = &self.program.node(*input).shape;
                let from = indices(shape).nth(index[flat(&node.shape, o)] as usize).unwrap();
                self.direct(*input, &from)
            }
            Op::Pick { rows, index, shared } if real => {
                let (at, row) = o.split_at(self.program.node(*index).shape.len());
                let own = usize::try_from(self.direct(*index, at)).unwrap();
                self.direct(*rows, &[&at[..*shared], &[own], row].concat())
            }
            Op::ArgMax { input, axis } if real => {
                let lane: Vec<i64> = (0..self.program.node(*input).shape[*axis])
                    .map(|i| {
                        let mut at = o.to_vec();
                        at[*axis] = i;
                        self.direct(*input, &at)
                    })
                    .collect();
                let largest = lane.iter().max().unwrap();
                lane.iter().position(|value| value == largest).unwrap() as i64
            }
            Op::Weight { .. } | Op::Gather { .. } | Op::Pick { .. } | Op::ArgMax { .. } => {
                assert!(self.padded);
                0
            }
            Op::Contract { vars, lhs, rhs } => {
                let sum = indices(&vars[node.shape.len()..]).map(|s| {
                    let all = [o, &s].concat();
                    self.read(lhs, &all) * rhs.as_ref().map_or(1, |rhs| self.read(rhs, &all))
                });
                narrow(sum.sum())
            }
            Op::Affine { terms } => narrow(terms.iter().map(|term| self.term(term, o)).sum()),
            Op::Apply { input, shift, func, bits, saturate } => {
                let sum = i128::from(self.direct(*input, o)) + i128::from(half(*shift));
                let q = sum.div_euclid(1 << shift);
                let end = 1i128 << (bits - 1);
                assert!(*saturate || (-end..end).contains(&q), "an operator's domain is left");
                let z = q.clamp(-end, end - 1);
                match func {
                    Func::Identity => narrow(z),
                    Func::Relu => narrow(z.max(0)),
                    Func::Table(table) => self.program.tables[*table as usize].values[(z + end) as usize].into(),
                }
            }
            Op::Divide { num, den, shift } => {
                let (n, d) = (if real { self.direct(*num, o).into() } else { 0 }, self.read(den, o));
                if d == 0 {
                    assert!(self.padded);
                    return 0;
                }
                narrow(((n << (shift + 1)) + d).div_euclid(2 * d))
            }
            Op::Max { lhs, rhs } => self.direct(*lhs, o).max(self.direct(*rhs, o)),
            Op::Store { input } => self.direct(*input, o),
        }
    }
}
