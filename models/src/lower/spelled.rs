//! Normalizations that a model spells out: `(x − mean)/√(mean of its square + epsilon)` by seven operators, as exporters write it for operator sets
//! before LayerNormalization, or without the mean, as RMS normalization. Found before anything is lowered, so that squares are not rounded.
//!
//! It knows the graph alone; [`super::norm`] has what becomes of it.

use std::collections::BTreeSet;

use super::edges::Edges;
use crate::onnx::{Graph, GraphNode};

/// A normalization.
pub(crate) struct Spelled<'g> {
    pub x: &'g str,
    /// Whether the mean is subtracted.
    pub centred: bool,
    /// The axes that means are along.
    pub axes: Vec<bool>,
    pub epsilon: f64,
    /// The nodes that compute it, by place.
    pub nodes: BTreeSet<usize>,
    pub result: &'g str,
}

/// The normalizations of a graph; no node is in two of them.
pub(crate) fn find<'g>(graph: &'g Graph, edges: &Edges<'g>) -> Vec<Spelled<'g>> {
    let search = Search { graph, edges };
    let mut found: Vec<Spelled> = Vec::new();
    for last in 0..graph.nodes.len() {
        if let Some(spelled) = search.ending_with(last)
            && found.iter().all(|other| other.nodes.is_disjoint(&spelled.nodes))
        {
            found.push(spelled);
        }
    }
    found
}

struct Search<'g, 'e> {
    graph: &'g Graph,
    edges: &'e Edges<'g>,
}

impl<'g> Search<'g, '_> {
    fn maker(&self, tensor: &str, op: &str) -> Option<usize> {
        let index = *self.edges.makers.get(tensor)?;
        (self.graph.nodes[index].op == op).then_some(index)
    }

    fn node(&self, index: usize) -> &'g GraphNode {
        &self.graph.nodes[index]
    }

    fn ending_with(&self, last: usize) -> Option<Spelled<'g>> {
        let node = self.node(last);
        let [a, b] = &node.inputs[..] else { return None };
        let mut nodes = BTreeSet::from([last]);
        let (numerator, root) = match node.op.as_str() {
            "Div" => (a, b),
            "Mul" => {
                let (numerator, inverse, maker) = self.inverse(a, b).or_else(|| self.inverse(b, a))?;
                nodes.insert(maker);
                (numerator, inverse)
            }
            _ => return None,
        };
        let root = self.maker(root, "Sqrt")?;
        let sum = self.maker(&self.node(root).inputs[0], "Add")?;
        let [a, b] = &self.node(sum).inputs[..] else { return None };
        let (variance, epsilon) = match (self.graph.number(a), self.graph.number(b)) {
            (None, Some(epsilon)) => (a, epsilon),
            (Some(epsilon), None) => (b, epsilon),
            _ => return None,
        };
        let mean = self.maker(variance, "ReduceMean")?;
        let squared = &self.node(mean).inputs[0];
        let square = *self.edges.makers.get(squared.as_str())?;
        let [a, b] = &self.node(square).inputs[..] else { return None };
        let squares = match self.node(square).op.as_str() {
            "Mul" => a == numerator && b == numerator,
            "Pow" => a == numerator && self.graph.number(b) == Some(2.0),
            _ => false,
        };
        let axes = self.reduced(squared, variance)?;
        let same = self.graph.shape(&node.outputs[0]) == self.graph.shape(numerator);
        if !(squares && same && epsilon >= 0.0 && epsilon.is_finite()) {
            return None;
        }
        nodes.extend([root, sum, mean, square]);
        if !nodes.iter().all(|&index| index == last || self.is_read_in(index, &nodes)) {
            return None;
        }
        let result = node.outputs[0].as_str();
        let plain = Spelled { x: numerator, centred: false, axes, epsilon, nodes, result };
        Some(self.with_mean(&plain).unwrap_or(plain))
    }

    /// Of `numerator` and `1/root` the numerator, the root and what inverts it.
    fn inverse(&self, numerator: &'g String, inverse: &'g str) -> Option<(&'g String, &'g String, usize)> {
        let maker = *self.edges.makers.get(inverse)?;
        let node = self.node(maker);
        match (node.op.as_str(), &node.inputs[..]) {
            ("Reciprocal", [root]) => Some((numerator, root, maker)),
            ("Div", [one, root]) if self.graph.number(one) == Some(1.0) => Some((numerator, root, maker)),
            _ => None,
        }
    }

    /// Whether all that reads a node's result is among `nodes`.
    fn is_read_in(&self, index: usize, nodes: &BTreeSet<usize>) -> bool {
        let result = &self.node(index).outputs[0];
        let readers = self.edges.readers.get(result.as_str());
        !self.graph.outputs.contains(result)
            && readers.is_some_and(|readers| readers.iter().all(|index| nodes.contains(index)))
    }

    /// The axes of `x` that `mean` has one place along; none if its rank is another.
    fn reduced(&self, x: &str, mean: &str) -> Option<Vec<bool>> {
        let (x, mean) = (self.graph.shape(x)?, self.graph.shape(mean)?);
        let axes = || x.iter().zip(mean).map(|(x, mean)| x != mean).collect::<Vec<_>>();
        (x.len() == mean.len() && axes().contains(&true)).then(axes)
    }

    /// What `plain` normalizes, if it is itself less its mean along the same axes.
    fn with_mean(&self, plain: &Spelled<'g>) -> Option<Spelled<'g>> {
        let centred = self.maker(plain.x, "Sub")?;
        let [x, mean] = &self.node(centred).inputs[..] else { return None };
        let mean = self.maker(mean, "ReduceMean")?;
        let (of, result) = (&self.node(mean).inputs[0], &self.node(mean).outputs[0]);
        let mut nodes = plain.nodes.clone();
        nodes.extend([centred, mean]);
        let fits = of == x && self.reduced(x, result)? == plain.axes;
        let within = [centred, mean].iter().all(|&index| self.is_read_in(index, &nodes));
        (fits && within).then_some(Spelled { x, centred: true, axes: plain.axes.clone(), nodes, ..*plain })
    }
}
