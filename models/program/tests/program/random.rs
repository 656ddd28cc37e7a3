//! Random programs, drawn from a list of numbers so that failing ones shrink.

use proptest::prelude::*;
use vouch_program::*;

use crate::build::Builder;

/// A source of choices; zeros once it has run dry.
pub struct Choices {
    stream: Vec<u32>,
    at: usize,
}

impl Choices {
    pub fn strategy(len: usize) -> impl Strategy<Value = Vec<u32>> {
        prop::collection::vec(any::<u32>(), 0..len)
    }

    pub fn new(stream: Vec<u32>) -> Self {
        Self { stream, at: 0 }
    }

    pub fn below(&mut self, end: usize) -> usize {
        let next = self.stream.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        next as usize % end
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn exhausted(&self) -> bool {
        self.at >= self.stream.len()
    }

    /// Within `bits`, often at an end.
    pub fn value(&mut self, bits: u32) -> i64 {
        let Interval { lo, hi } = Interval::signed(bits);
        match self.below(6) {
            0 => lo,
            1 => hi,
            2 => 0,
            _ => lo + self.below(1 << bits) as i64,
        }
    }

    pub fn shape(&mut self, most: usize) -> Vec<usize> {
        (0..self.below(most + 1)).map(|_| self.pick(&[1, 2, 3, 5, 7])).collect()
    }

    /// A view of `node` over variables of lengths `vars`; windows, strides, mirrored and shifted axes.
    /// Takes variables from the end with preference, so that summed ones get used.
    pub fn view(&mut self, node: NodeId, shape: &[usize], vars: &[usize]) -> View {
        let mut free: Vec<usize> = (0..vars.len()).collect();
        let mut term = |choices: &mut Self| -> Option<(usize, i64)> {
            if free.is_empty() {
                return None;
            }
            let at = free.len() - 1 - choices.below(free.len());
            Some((free.remove(at), choices.pick(&[1, 1, 1, 2, 3, -1, -2])))
        };
        let axes = shape.iter().map(|&len| {
            let count = self.pick(&[1, 1, 1, 2, 2, 0]);
            let terms: Vec<_> = (0..count).filter_map(|_| term(self)).collect();
            let mut offset = self.pick(&[0, 0, 0, -1, 1]);
            // A mirrored axis begins at its end.
            for &(var, coef) in &terms {
                offset += if coef < 0 { (vars[var] as i64 - 1) * -coef } else { 0 };
            }
            if terms.is_empty() {
                offset = self.below(len + 1) as i64;
            }
            AxisIndex { terms, offset }
        });
        let axes = axes.collect();
        View { node, axes }
    }

    fn stored(&mut self, program: &Program) -> NodeId {
        let stored: Vec<u32> =
            (0..program.nodes.len() as u32).filter(|&i| program.nodes[i as usize].op.is_stored()).collect();
        NodeId(self.pick(&stored))
    }

    fn op(&mut self, program: &Program) -> (Op, Vec<usize>) {
        let shape_of = |id: NodeId| program.node(id).shape.clone();
        let any = NodeId(self.below(program.nodes.len()) as u32);
        let stored = self.stored(program);
        match self.below(9) {
            0 | 1 => {
                let shape = self.shape(3);
                let mut vars = shape.clone();
                vars.extend(self.shape(2));
                let lhs = self.view(stored, &shape_of(stored), &vars);
                let other = self.stored(program);
                let rhs = match self.below(5) {
                    0 => None,
                    1 => Some(lhs.clone()),
                    _ => Some(self.view(other, &shape_of(other), &vars)),
                };
                (Op::Contract { vars, lhs, rhs }, shape)
            }
            2 => {
                let shape = if self.below(2) == 0 { shape_of(any) } else { self.shape(3) };
                let mut terms = Vec::new();
                for _ in 0..self.below(4) {
                    let coef = self.value(8);
                    let stored = self.stored(program);
                    terms.push(match self.below(4) {
                        0 if shape == shape_of(any) => {
                            AffineTerm::Scaled { coef, view: View::identity(any, shape.len()) }
                        }
                        0 => AffineTerm::Fill { coef, ranges: Vec::new() },
                        1 => {
                            let mut ranges = Vec::new();
                            for (var, &len) in shape.iter().enumerate() {
                                if self.below(2) == 0 {
                                    let start = self.below(len + 1);
                                    ranges.push((var, start, start + self.below(len - start + 1)));
                                }
                            }
                            AffineTerm::Fill { coef, ranges }
                        }
                        _ => {
                            let view = self.view(stored, &shape_of(stored), &shape);
                            AffineTerm::Scaled { coef, view }
                        }
                    });
                }
                (Op::Affine { terms }, shape)
            }
            3 | 4 => {
                let func = self.pick(&[Func::Identity, Func::Relu, Func::Table(0), Func::Table(1)]);
                let bits = match func {
                    Func::Table(table) => program.tables[table as usize].bits,
                    _ => self.pick(&[2, 5, 8, 16]),
                };
                let shift = self.pick(&[0, 1, 3, 8, 20]);
                let saturate = self.below(3) > 0;
                (Op::Apply { input: any, shift, func, bits, saturate }, shape_of(any))
            }
            5 => {
                let same: Vec<u32> = (0..program.nodes.len() as u32)
                    .filter(|&i| program.nodes[i as usize].shape == shape_of(any))
                    .collect();
                (Op::Max { lhs: any, rhs: NodeId(self.pick(&same)) }, shape_of(any))
            }
            6 => (Op::Store { input: any }, shape_of(any)),
            7 => {
                let shape = self.shape(2);
                let len = program.node(stored).len();
                let count = shape.iter().product();
                let index = (0..count).map(|_| self.below(len) as u32).collect();
                (Op::Gather { input: stored, index }, shape)
            }
            _ => {
                let mut shape = shape_of(stored);
                if shape.is_empty() {
                    return (Op::Store { input: stored }, shape);
                }
                let axis = self.below(shape.len());
                shape[axis] = 1;
                (Op::ArgMax { input: stored, axis }, shape)
            }
        }
    }
}

/// A program that the interval analysis accepts, its intervals, and inputs for it.
pub fn program(stream: Vec<u32>) -> (Program, Vec<Interval>, Vec<Vec<i64>>) {
    let mut choices = Choices::new(stream);
    let mut builder = Builder::new();
    for bits in [3, 6] {
        let values = (0..1 << bits).map(|_| choices.value(9) as i32).collect();
        builder.program.tables.push(FunctionTable { name: "table".into(), bits, values });
    }
    let mut inputs = Vec::new();
    let mut known = Vec::new();
    for _ in 0..1 + choices.below(2) {
        let (bits, shape) = (choices.pick(&[2, 8, 16]), choices.shape(3));
        inputs.push((0..shape.iter().product()).map(|_| choices.value(bits)).collect());
        builder.input(bits, &shape);
    }
    for _ in 0..choices.below(3) {
        let shape = choices.shape(3);
        let bits = choices.pick(&[3, 16]);
        let data: Vec<i32> = (0..shape.iter().product()).map(|_| choices.value(bits) as i32).collect();
        builder.weight(&data, &shape);
    }
    for index in 0..builder.program.nodes.len() {
        known.push(node_interval(&builder.program, &known, &builder.program.nodes[index]).unwrap());
    }
    for _ in 0..12 {
        if choices.exhausted() {
            break;
        }
        let (op, shape) = choices.op(&builder.program);
        let node = Node { op, shape, frac: 0, source: "random".into() };
        if let Ok(interval) = node_interval(&builder.program, &known, &node) {
            builder.push(node.op, &node.shape);
            known.push(interval);
        }
    }
    (builder.program, known, inputs)
}
