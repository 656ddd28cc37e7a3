//! Short ways to write programs.

use vouch_program::*;

/// A program that is built node by node.
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
        if let Op::Input { .. } = op {
            self.program.inputs.push(port("in", id, shape));
        }
        let source = format!("source {}", id.0);
        self.program.nodes.push(Node { op, shape: shape.to_vec(), frac: 0, source });
        id
    }

    pub fn input(&mut self, bits: u32, shape: &[usize]) -> NodeId {
        self.push(Op::Input { bits }, shape)
    }

    pub fn weight(&mut self, data: Vec<i32>, shape: &[usize]) -> NodeId {
        self.push(Op::Weight { data }, shape)
    }

    pub fn table(&mut self, bits: u32, values: Vec<i32>) -> Func {
        let number = self.program.tables.len();
        self.program.tables.push(FunctionTable { name: format!("table {number}"), bits, values });
        Func::Table(number as u32)
    }

    /// The first `outputs` of `vars` are the node's axes.
    pub fn contract(&mut self, vars: &[usize], outputs: usize, lhs: View, rhs: Option<View>) -> NodeId {
        self.push(Op::Contract { vars: vars.to_vec(), lhs, rhs }, &vars[..outputs])
    }

    pub fn affine(&mut self, shape: &[usize], terms: Vec<AffineTerm>) -> NodeId {
        self.push(Op::Affine { terms }, shape)
    }

    pub fn store(&mut self, input: NodeId) -> NodeId {
        let shape = self.shape(input);
        self.push(Op::Store { input }, &shape)
    }

    pub fn apply(&mut self, input: NodeId, shift: u32, func: Func, bits: u32, saturate: bool) -> NodeId {
        let shape = self.shape(input);
        self.push(Op::Apply { input, shift, func, bits, saturate }, &shape)
    }

    pub fn max(&mut self, lhs: NodeId, rhs: NodeId) -> NodeId {
        let shape = self.shape(lhs);
        self.push(Op::Max { lhs, rhs }, &shape)
    }

    /// By `den`, each of whose axes is one of the result's or of length 1.
    pub fn divide(&mut self, num: NodeId, den: NodeId, shift: u32) -> NodeId {
        let shape = self.shape(num);
        let den = divisor(den, &self.shape(den));
        self.push(Op::Divide { num, den, shift }, &shape)
    }

    pub fn gather(&mut self, input: NodeId, index: &[u32], shape: &[usize]) -> NodeId {
        self.push(Op::Gather { input, index: index.to_vec() }, shape)
    }

    pub fn argmax(&mut self, input: NodeId, axis: usize) -> NodeId {
        let mut shape = self.shape(input);
        shape[axis] = 1;
        self.push(Op::ArgMax { input, axis }, &shape)
    }

    pub fn shape(&self, node: NodeId) -> Vec<usize> {
        self.program.node(node).shape.clone()
    }

    pub fn output(&mut self, node: NodeId) {
        let shape = self.shape(node);
        self.program.outputs.push(port("out", node, &shape));
    }

    /// With these outputs.
    pub fn finish(mut self, outputs: &[NodeId]) -> Program {
        outputs.iter().for_each(|&node| self.output(node));
        self.program
    }
}

fn port(what: &str, node: NodeId, shape: &[usize]) -> Port {
    Port { name: format!("{what}{}", node.0), node, shape: shape.to_vec(), integer: false, column_fracs: vec![] }
}

pub fn view(node: NodeId, axes: Vec<AxisIndex>) -> View {
    View { node, axes }
}

/// Broadcast along its axes of length 1.
pub fn divisor(den: NodeId, shape: &[usize]) -> View {
    let axis = |(axis, len): (usize, &usize)| if *len == 1 { AxisIndex::fixed(0) } else { AxisIndex::var(axis) };
    view(den, shape.iter().enumerate().map(axis).collect())
}

pub fn scaled(coef: i64, view: View) -> AffineTerm {
    AffineTerm::Scaled { coef, view }
}

/// `coef` times the whole node, which has this rank.
pub fn whole(coef: i64, node: NodeId, rank: usize) -> AffineTerm {
    scaled(coef, View::identity(node, rank))
}

pub fn fill(coef: i64, ranges: &[(usize, usize, usize)]) -> AffineTerm {
    AffineTerm::Fill { coef, ranges: ranges.to_vec() }
}

/// All elements the least, all the largest, and alternating ones, of every input; the corners of the declared range.
pub fn corners(program: &Program) -> Vec<Vec<Vec<i64>>> {
    let corner = |pick: &dyn Fn(usize, Interval) -> i64| -> Vec<Vec<i64>> {
        let of = |port: &Port| {
            let node = program.node(port.node);
            let Op::Input { bits } = node.op else { panic!("an input port names an input") };
            (0..node.len()).map(|i| pick(i, Interval::signed(bits))).collect()
        };
        program.inputs.iter().map(of).collect()
    };
    vec![
        corner(&|_, range| range.lo),
        corner(&|_, range| range.hi),
        corner(&|i, range| if i % 2 == 0 { range.lo } else { range.hi }),
        corner(&|i, range| if i % 3 == 0 { range.hi } else { range.lo }),
        corner(&|_, _| 0),
    ]
}
