//! Which nodes of the graph make a tensor and which read it.

use std::collections::HashMap;

use crate::onnx::Graph;

/// Nodes by their tensors' names.
pub(crate) struct Edges<'g> {
    /// The place of the node that makes a tensor.
    pub makers: HashMap<&'g str, usize>,
    /// The places of the nodes that read it, one for each time.
    pub readers: HashMap<&'g str, Vec<usize>>,
}

impl<'g> Edges<'g> {
    /// Those of a graph.
    pub fn of(graph: &'g Graph) -> Self {
        let mut makers = HashMap::new();
        let mut readers: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, node) in graph.nodes.iter().enumerate() {
            makers.extend(node.outputs.iter().map(|output| (output.as_str(), index)));
            for input in &node.inputs {
                readers.entry(input).or_default().push(index);
            }
        }
        Self { makers, readers }
    }
}
