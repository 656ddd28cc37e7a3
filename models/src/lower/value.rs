//! A tensor of the graph as the program sees it: a stored node, looked at through a view and a reshape.
//!
//! Transpositions, slices, zero padding and reshapes are kept pending here, and cost nothing if the
//! operator that reads the tensor can address the stored node itself.

use vouch_program::{AxisIndex, NodeId, Program, View};

/// A tensor with pending re-addressing.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    /// Its shape in the ONNX graph.
    pub shape: Vec<usize>,
    /// Lengths of the view's variables: another shape of the same elements in the same row-major order.
    pub inner: Vec<usize>,
    /// Where each element stands, over `inner`.
    pub view: View,
    /// The real value of an integer `q` is `q · 2^-frac`.
    pub frac: i32,
}

impl Value {
    /// All of a stored node, as it is.
    pub fn stored(node: NodeId, shape: &[usize], frac: i32) -> Self {
        Self { shape: shape.to_vec(), inner: shape.to_vec(), view: View::identity(node, shape.len()), frac }
    }

    /// The node behind it, if its elements are exactly the node's, in the same order.
    pub fn whole_node(&self, program: &Program) -> Option<NodeId> {
        let node = program.node(self.view.node);
        (self.view.is_identity() && node.shape == self.inner).then_some(self.view.node)
    }

    /// The view with each variable `i` of `inner` replaced by `index[i]`, over other variables.
    /// `None` where that is no longer a legal view.
    pub fn at(&self, index: &[AxisIndex]) -> Option<View> {
        substitute(&self.view, index)
    }

    /// Whether reading just outside `inner` along `var` gives zero, as reading outside the node does.
    pub fn zero_outside(&self, program: &Program, var: usize) -> bool {
        let shape = &program.node(self.view.node).shape;
        self.view.axes.iter().zip(shape).any(|(axis, &len)| match axis.terms[..] {
            [(v, coef)] if v == var => {
                let outside = |at: i64| !(0..len as i64).contains(&(coef * at + axis.offset));
                outside(-1) && outside(self.inner[var] as i64)
            }
            _ => false,
        })
    }

    /// The same elements as a tensor of another shape: still pending.
    pub fn reshaped(&self, shape: &[usize]) -> Self {
        let reshaped = Self { shape: shape.to_vec(), ..self.clone() };
        reshaped.addressed().unwrap_or(reshaped)
    }

    /// The same tensor with `inner` equal to `shape`, if a view can say it.
    pub fn addressed(&self) -> Option<Self> {
        if self.inner == self.shape {
            return Some(self.clone());
        }
        // Each axis of `inner` becomes a run of axes of `shape`.
        let groups = axis_groups(&self.inner, &self.shape)?;
        let index: Vec<AxisIndex> = groups
            .iter()
            .zip(&self.inner)
            .map(|(group, &len)| {
                let mut step = len as i64;
                let axes = group.iter().filter(|&&axis| self.shape[axis] > 1 || group.len() == 1);
                let terms = axes.map(|&axis| {
                    step /= self.shape[axis] as i64;
                    (axis, step)
                });
                AxisIndex { terms: terms.collect(), offset: 0 }
            })
            .collect();
        let view = self.at(&index)?;
        Some(Self { shape: self.shape.clone(), inner: self.shape.clone(), view, frac: self.frac })
    }
}

fn substitute(view: &View, index: &[AxisIndex]) -> Option<View> {
    let axes = view.axes.iter().map(|axis| {
        let mut terms = Vec::new();
        let mut offset = axis.offset;
        for &(var, coef) in &axis.terms {
            offset += coef * index[var].offset;
            terms.extend(index[var].terms.iter().map(|&(v, c)| (v, coef * c)));
        }
        (terms.len() <= 2).then_some(AxisIndex { terms, offset })
    });
    Some(View { node: view.node, axes: axes.collect::<Option<_>>()? })
}

/// For each axis of `coarse`, the run of axes of `fine` whose product it is; `None` if `fine` does not
/// refine `coarse`. Axes of length 1 that nothing claims go to the run before them.
pub(crate) fn axis_groups(coarse: &[usize], fine: &[usize]) -> Option<Vec<Vec<usize>>> {
    let mut groups = Vec::with_capacity(coarse.len());
    let mut next = 0;
    for &len in coarse {
        let mut group = Vec::new();
        let mut product = 1;
        if len == 1 {
            if fine.get(next) == Some(&1) {
                group.push(next);
                next += 1;
            }
        } else {
            while product < len {
                let factor = *fine.get(next)?;
                product *= factor;
                group.push(next);
                next += 1;
            }
            if product != len {
                return None;
            }
        }
        groups.push(group);
    }
    while next < fine.len() {
        if fine[next] != 1 {
            return None;
        }
        if let Some(last) = groups.last_mut() {
            last.push(next);
        }
        next += 1;
    }
    Some(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_follow_products() {
        assert_eq!(axis_groups(&[1, 400], &[1, 16, 5, 5]), Some(vec![vec![0], vec![1, 2, 3]]));
        assert_eq!(axis_groups(&[6], &[2, 3, 1]), Some(vec![vec![0, 1, 2]]));
        assert_eq!(axis_groups(&[4, 3], &[2, 6]), None);
        assert_eq!(axis_groups(&[5], &[1, 5]), Some(vec![vec![0, 1]]));
    }

    #[test]
    fn a_split_axis_has_two_terms() {
        let value = Value::stored(NodeId(0), &[1, 12], 0).reshaped(&[3, 4]);
        assert_eq!(value.inner, vec![3, 4]);
        assert_eq!(value.view.axes[1].terms, vec![(0, 4), (1, 1)]);
        // Merging axes is no view.
        let merged = Value::stored(NodeId(0), &[3, 4], 0).reshaped(&[12]);
        assert_eq!(merged.inner, vec![3, 4]);
    }
}
