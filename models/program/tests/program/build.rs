//! Short ways to write programs in tests.

use vouch_program::*;

/// A program that is built node by node; every stored node becomes an output.
pub struct Builder {
    pub program: Program,
}

impl Builder {
    pub fn new() -> Self {
        let (nodes, tables) = (Vec::new(), Vec::new());
        Self {
            program: Program { name: "test".into(), nodes, tables, inputs: Vec::new(), outputs: Vec::new(), batch: 1 },
        }
    }

    pub fn push(&mut self, op: Op, shape: &[usize]) -> NodeId {
        let id = NodeId(self.program.nodes.len() as u32);
        let port =
            Port { name: format!("t{}", id.0), node: id, shape: shape.to_vec(), integer: false, column_fracs: vec![] };
        if let Op::Input { .. } = op {
            self.program.inputs.push(port.clone());
        }
        if op.is_stored() {
            self.program.outputs.push(port);
        }
        let source = format!("source {}", id.0);
        self.program.nodes.push(Node { op, shape: shape.to_vec(), frac: 0, source });
        id
    }

    pub fn input(&mut self, bits: u32, shape: &[usize]) -> NodeId {
        self.push(Op::Input { bits }, shape)
    }

    pub fn weight(&mut self, data: &[i32], shape: &[usize]) -> NodeId {
        self.push(Op::Weight { data: data.to_vec() }, shape)
    }

    /// Contracts and stores, so that the result can be read.
    pub fn contract(&mut self, vars: &[usize], outputs: usize, lhs: View, rhs: Option<View>) -> NodeId {
        let sum = self.push(Op::Contract { vars: vars.to_vec(), lhs, rhs }, &vars[..outputs]);
        self.push(Op::Store { input: sum }, &vars[..outputs])
    }

    pub fn affine(&mut self, shape: &[usize], terms: Vec<AffineTerm>) -> NodeId {
        let sum = self.push(Op::Affine { terms }, shape);
        self.push(Op::Store { input: sum }, shape)
    }

    pub fn apply(&mut self, input: NodeId, shift: u32, func: Func, bits: u32, saturate: bool) -> NodeId {
        let shape = self.program.node(input).shape.clone();
        self.push(Op::Apply { input, shift, func, bits, saturate }, &shape)
    }

    /// The program with these outputs.
    pub fn finish(mut self, outputs: &[NodeId]) -> Program {
        let port = |node: &NodeId| Port {
            name: format!("out {}", node.0),
            node: *node,
            shape: self.program.node(*node).shape.clone(),
            integer: false,
            column_fracs: vec![],
        };
        self.program.outputs = outputs.iter().map(port).collect();
        self.program
    }

    pub fn run(&self, inputs: &[Vec<i64>], node: NodeId) -> Vec<i64> {
        execute(&self.program, inputs).unwrap().value(node).to_vec()
    }
}

pub fn view(node: NodeId, axes: Vec<AxisIndex>) -> View {
    View { node, axes }
}

pub fn scaled(coef: i64, view: View) -> AffineTerm {
    AffineTerm::Scaled { coef, view }
}

pub fn fill(coef: i64, ranges: &[(usize, usize, usize)]) -> AffineTerm {
    AffineTerm::Fill { coef, ranges: ranges.to_vec() }
}
