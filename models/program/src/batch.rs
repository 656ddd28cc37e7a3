//! Several inferences in one program: everything that depends on an input gets one more axis, the first; weights stay as they are.
//!
//! A proof of such a program commits to the weights once and shares whatever is done with them.

use crate::error::{Place, Problem, ProgramError};
use crate::program::{AffineTerm, AxisIndex, Node, NodeId, Op, Port, Program, View};
use crate::validate::{node_place, validate};

/// The program on `count` inputs at once. Inputs and outputs have their places side by side: along their first axis if it has length 1, else
/// along a new one before it. The program itself for a `count` of 1.
///
/// # Errors
///
/// If the program breaks a rule, or there is no such batch of it: its tensors would have too many axes or elements, or it is one of several
/// inferences already.
pub fn batched(program: &Program, count: usize) -> Result<Program, ProgramError> {
    validate(program)?;
    if count == 1 {
        return Ok(program.clone());
    }
    if count == 0 || program.batch != 1 {
        return Err(Place::Program.error(Problem::Batch { batch: program.batch, count }));
    }
    let mut batch = Batch { program, count, nodes: Vec::new(), moved: Vec::new(), varies: Vec::new() };
    for (index, node) in program.nodes.iter().enumerate() {
        batch.node(node).map_err(|problem| node_place(index, node).error(problem))?;
    }
    let Batch { nodes, moved, varies, .. } = batch;
    let port = |port: &Port| {
        let mut shape = port.shape.clone();
        match (varies[port.node.index()], shape.first_mut()) {
            (false, _) => {}
            (true, Some(first)) if *first == 1 => *first = count,
            (true, _) => shape.insert(0, count),
        }
        Port { node: moved[port.node.index()], shape, ..port.clone() }
    };
    let whole = Program {
        name: program.name.clone(),
        nodes,
        tables: program.tables.clone(),
        inputs: program.inputs.iter().map(port).collect(),
        outputs: program.outputs.iter().map(port).collect(),
        batch: count,
    };
    validate(&whole)?;
    Ok(whole)
}

/// Which nodes depend on an input, so that a batch has them once for each inference. A virtual node counts as if it did.
pub fn varying(program: &Program) -> Vec<bool> {
    let mut varies = Vec::with_capacity(program.nodes.len());
    program.nodes.iter().for_each(|node| varies.push(varies_on(&varies, node)));
    varies
}

/// Whether a node does, given the ones before it.
fn varies_on(varies: &[bool], node: &Node) -> bool {
    // What is virtual is read where it stands, by nodes of its own shape: it has the batch's axis in any case.
    matches!(node.op, Op::Input { .. })
        || !node.op.is_stored()
        || node.op.reads().iter().any(|read| varies[read.index()])
}

struct Batch<'p> {
    program: &'p Program,
    count: usize,
    nodes: Vec<Node>,
    /// Where each node of the program went.
    moved: Vec<NodeId>,
    /// Which of them have the new axis.
    varies: Vec<bool>,
}

impl Batch<'_> {
    fn node(&mut self, node: &Node) -> Result<(), Problem> {
        let varies = varies_on(&self.varies, node);
        let moved = if varies { self.varying(node)? } else { self.same(node) };
        self.moved.push(moved);
        self.varies.push(varies);
        Ok(())
    }

    fn push(&mut self, op: Op, shape: Vec<usize>, like: &Node) -> NodeId {
        self.nodes.push(Node { op, shape, ..like.clone() });
        NodeId(self.nodes.len() as u32 - 1)
    }

    fn shape(&self, shape: &[usize]) -> Vec<usize> {
        [&[self.count], shape].concat()
    }

    /// The node as it is, on what it reads.
    fn same(&mut self, node: &Node) -> NodeId {
        let at = |id: &NodeId| self.moved[id.index()];
        let op = match &node.op {
            Op::Apply { input, shift, func, bits, saturate } => {
                Op::Apply { input: at(input), shift: *shift, func: *func, bits: *bits, saturate: *saturate }
            }
            Op::Max { lhs, rhs } => Op::Max { lhs: at(lhs), rhs: at(rhs) },
            Op::Store { input } => Op::Store { input: at(input) },
            Op::Gather { input, index } => Op::Gather { input: at(input), index: index.clone() },
            Op::Pick { rows, index, shared } => Op::Pick { rows: at(rows), index: at(index), shared: *shared },
            Op::Divide { num, den, shift } => {
                let den = View { node: at(&den.node), axes: den.axes.clone() };
                Op::Divide { num: at(num), den, shift: *shift }
            }
            Op::ArgMax { input, axis } => Op::ArgMax { input: at(input), axis: *axis },
            Op::Weight { .. } | Op::Input { .. } | Op::Contract { .. } | Op::Affine { .. } => node.op.clone(),
        };
        self.push(op, node.shape.clone(), node)
    }

    /// The node with one more axis.
    fn varying(&mut self, node: &Node) -> Result<NodeId, Problem> {
        let op = match &node.op {
            Op::Input { .. } | Op::Weight { .. } => node.op.clone(),
            Op::Contract { vars, lhs, rhs } => Op::Contract {
                vars: self.shape(vars),
                lhs: self.view(lhs),
                rhs: rhs.as_ref().map(|rhs| self.view(rhs)),
            },
            Op::Affine { terms } => Op::Affine { terms: terms.iter().map(|term| self.term(term)).collect() },
            Op::Apply { input, shift, func, bits, saturate } => {
                Op::Apply { input: self.repeated(*input), shift: *shift, func: *func, bits: *bits, saturate: *saturate }
            }
            Op::Max { lhs, rhs } => Op::Max { lhs: self.repeated(*lhs), rhs: self.repeated(*rhs) },
            Op::Store { input } => Op::Store { input: self.repeated(*input) },
            Op::Gather { input, index } => {
                let len = self.program.node(*input).len();
                let all = (0..self.count).flat_map(|at| index.iter().map(move |i| at * len + *i as usize));
                // A tensor of more elements is refused for that.
                let index = all.map(|i| u32::try_from(i).unwrap_or(u32::MAX)).collect();
                Op::Gather { input: self.moved[input.index()], index }
            }
            // All pick from rows that are the same for all.
            Op::Pick { rows, index, shared: 0 } if !self.varies[rows.index()] => {
                Op::Pick { rows: self.moved[rows.index()], index: self.moved[index.index()], shared: 0 }
            }
            Op::Pick { rows, index, shared } => {
                let [rows, index] = [rows, index].map(|&id| self.repeated_and_stored(id));
                Op::Pick { rows, index, shared: shared + 1 }
            }
            Op::Divide { num, den, shift } => {
                Op::Divide { num: self.repeated_and_stored(*num), den: self.view(den), shift: *shift }
            }
            Op::ArgMax { input, axis } => Op::ArgMax { input: self.moved[input.index()], axis: axis + 1 },
        };
        Ok(self.push(op, self.shape(&node.shape), node))
    }

    /// The view over variables of which the first is new.
    fn view(&self, view: &View) -> View {
        let shifted = view.axes.iter().map(|AxisIndex { terms, offset }| AxisIndex {
            terms: terms.iter().map(|&(var, coef)| (var + 1, coef)).collect(),
            offset: *offset,
        });
        let own = self.varies[view.node.index()].then(|| AxisIndex::var(0));
        View { node: self.moved[view.node.index()], axes: own.into_iter().chain(shifted).collect() }
    }

    fn term(&self, term: &AffineTerm) -> AffineTerm {
        match term {
            AffineTerm::Scaled { coef, view } => AffineTerm::Scaled { coef: *coef, view: self.view(view) },
            AffineTerm::Fill { coef, ranges } => {
                let ranges = ranges.iter().map(|&(var, start, end)| (var + 1, start, end)).collect();
                AffineTerm::Fill { coef: *coef, ranges }
            }
        }
    }

    /// A node with the new axis: what lacks it is the same all along it.
    fn repeated(&mut self, id: NodeId) -> NodeId {
        if self.varies[id.index()] {
            return self.moved[id.index()];
        }
        let node = self.program.node(id).clone();
        let view = self.view(&View::identity(id, node.shape.len()));
        let terms = vec![AffineTerm::Scaled { coef: 1, view }];
        self.push(Op::Affine { terms }, self.shape(&node.shape), &node)
    }

    fn repeated_and_stored(&mut self, id: NodeId) -> NodeId {
        let repeated = self.repeated(id);
        let node = &self.nodes[repeated.index()];
        if node.op.is_stored() {
            return repeated;
        }
        let (like, shape) = (node.clone(), node.shape.clone());
        self.push(Op::Store { input: repeated }, shape, &like)
    }
}
