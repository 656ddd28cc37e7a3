//! Random programs of all operators, drawn from a list of numbers so that failing ones shrink.
//!
//! Each operator is drawn in the forms that models have (matrix products, windows, concatenations) and in freer ones.
//! Almost every node that cannot be lowered is dropped again; now and then one is kept, to see that it is refused
//! with an error of its own.

use proptest::prelude::*;
use vouch_circuits::lowering::lower;
use vouch_program::*;

use crate::build::{Builder, divisor, fill, scaled, view, whole};

/// How large programs get.
#[derive(Clone, Copy)]
pub struct Scale {
    /// Drawn operators; some bring a weight or a rescaling with them.
    pub operators: usize,
    /// Elements of a node.
    pub elements: usize,
    /// Widths of inputs and of functions' domains.
    pub bits: &'static [u32],
    /// Whether a node that cannot be lowered may stay.
    pub refusals: bool,
}

pub const SMALL: Scale = Scale { operators: 5, elements: 24, bits: &[2, 3, 5, 8], refusals: false };
pub const LARGE: Scale = Scale { operators: 10, elements: 96, bits: &[2, 4, 8, 12, 16], refusals: true };

const LENGTHS: [usize; 9] = [1, 2, 3, 5, 4, 8, 6, 7, 9];
const SHIFTS: [u32; 16] = [0, 1, 2, 3, 4, 6, 8, 11, 15, 16, 17, 20, 24, 30, 31, 32];

/// A program with inputs for it.
pub struct Case {
    pub program: Program,
    pub inputs: Vec<Vec<i64>>,
}

/// Numbers for [`case`] to draw from.
pub fn stream() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(any::<u32>(), 20..700)
}

/// What the numbers of `stream` say.
pub fn case(stream: Vec<u32>, scale: Scale) -> Case {
    let mut choices = Choices { stream, at: 0 };
    let program = Generator { scale, builder: Builder::new(), known: Vec::new() }.program(&mut choices);
    let inputs = (program.inputs.iter())
        .map(|port| {
            let Interval { lo, hi } = Interval::signed(input_bits(&program, port));
            (0..program.node(port.node).len()).map(|_| choices.value(lo, hi)).collect()
        })
        .collect();
    Case { program, inputs }
}

fn input_bits(program: &Program, port: &Port) -> u32 {
    match program.node(port.node).op {
        Op::Input { bits } => bits,
        _ => panic!("an input port names an input"),
    }
}

/// A source of choices; zeros once it has run dry.
struct Choices {
    stream: Vec<u32>,
    at: usize,
}

impl Choices {
    fn below(&mut self, end: usize) -> usize {
        let next = self.stream.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        next as usize % end
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    fn exhausted(&self) -> bool {
        self.at >= self.stream.len()
    }

    /// From `lo` to `hi`, often at an end.
    fn value(&mut self, lo: i64, hi: i64) -> i64 {
        match self.below(6) {
            0 => lo,
            1 => hi,
            2 => 0,
            _ => lo + self.below((hi - lo) as usize + 1) as i64,
        }
    }

    fn coefficients(&mut self, count: usize, bits: u32) -> Vec<i32> {
        let Interval { lo, hi } = Interval::signed(bits);
        (0..count).map(|_| self.value(lo, hi) as i32).collect()
    }

    fn shape(&mut self, axes: usize, elements: usize) -> Vec<usize> {
        let mut rest = elements;
        (0..self.below(axes + 1))
            .map(|_| {
                let length = self.pick(&LENGTHS).min(rest);
                rest /= length;
                length
            })
            .collect()
    }

    /// A view over variables of lengths `vars`: windows, strides, mirrored, shifted and fixed axes. Takes variables
    /// from the end with preference, so that summed ones get used.
    fn view(&mut self, node: NodeId, shape: &[usize], vars: &[usize]) -> View {
        let mut free: Vec<usize> = (0..vars.len()).collect();
        let axes = shape.iter().map(|&len| {
            let count = self.pick(&[1, 1, 1, 2, 2, 0]).min(free.len());
            let mut terms = Vec::new();
            for _ in 0..count {
                let at = free.len() - 1 - self.below(free.len());
                terms.push((free.remove(at), self.pick(&[1, 1, 1, 2, 3, -1, -2])));
            }
            let mut offset = self.pick(&[0, 0, 0, -1, 1]);
            for &(var, coef) in &terms {
                // A mirrored axis begins at its end.
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
}

struct Generator {
    scale: Scale,
    builder: Builder,
    known: Vec<Interval>,
}

impl Generator {
    fn program(mut self, choices: &mut Choices) -> Program {
        for _ in 0..1 + choices.below(3) {
            let bits = choices.pick(self.scale.bits);
            let shape = choices.shape(3, self.scale.elements);
            self.builder.input(bits, &shape);
            self.known.push(Interval::signed(bits));
        }
        for bits in [choices.pick(&[2, 3]), choices.pick(self.scale.bits)] {
            let width = choices.pick(&[4, 9, 16]);
            let values = choices.coefficients(4, width);
            // Few draws for many values: the rest repeats them in another order.
            self.builder.table(bits, (0..1usize << bits).map(|i| values[i * i % 7 % 4]).collect());
        }
        for _ in 0..self.scale.operators {
            if choices.exhausted() {
                break;
            }
            self.operator(choices);
        }
        self.outputs(choices);
        if choices.one_in(3) {
            self.builder.program.inputs.rotate_left(1);
        }
        self.builder.program
    }

    /// Most stored nodes, and now and then an input, or a node again.
    fn outputs(&mut self, choices: &mut Choices) {
        for index in 0..self.builder.program.nodes.len() {
            let id = NodeId(index as u32);
            let op = &self.builder.program.nodes[index].op;
            let wanted = match op {
                Op::Input { .. } => choices.one_in(6),
                Op::Weight { .. } => false,
                op => op.is_stored() && !choices.one_in(6),
            };
            if wanted {
                self.builder.output(id);
                if choices.one_in(8) {
                    self.builder.output(id);
                }
            }
        }
        if self.builder.program.outputs.is_empty() {
            self.builder.output(NodeId(0));
        }
    }

    /// Adds a node if the interval analysis takes it and it can be lowered.
    fn add(&mut self, choices: &mut Choices, op: Op, shape: &[usize]) -> Option<NodeId> {
        if shape.iter().product::<usize>() > self.scale.elements {
            return None;
        }
        let node = Node { op, shape: shape.to_vec(), frac: choices.below(9) as i32 - 2, source: "random".into() };
        let node = if let Op::ArgMax { .. } = node.op { Node { frac: 0, ..node } } else { node };
        let interval = node_interval(&self.builder.program, &self.known, &node).ok()?;
        let frac = node.frac;
        let id = self.builder.push(node.op, shape);
        self.builder.program.nodes[id.index()].frac = frac;
        let mut whole = self.builder.program.clone();
        whole.outputs = whole.inputs.clone();
        let keep_anyway = self.scale.refusals && choices.one_in(10);
        if lower(&whole).is_err() && !keep_anyway {
            self.builder.program.nodes.pop();
            return None;
        }
        self.known.push(interval);
        Some(id)
    }

    fn any(&self, choices: &mut Choices) -> NodeId {
        let count = self.builder.program.nodes.len();
        // Late nodes with preference, so that programs get deep.
        let at = if choices.one_in(2) { count - 1 - choices.below(count.min(3)) } else { choices.below(count) };
        NodeId(at as u32)
    }

    fn stored(&self, choices: &mut Choices) -> NodeId {
        let nodes = &self.builder.program.nodes;
        let stored: Vec<u32> = (0..nodes.len() as u32).filter(|&i| nodes[i as usize].op.is_stored()).collect();
        let late = &stored[stored.len().saturating_sub(3)..];
        NodeId(if choices.one_in(2) { choices.pick(late) } else { choices.pick(&stored) })
    }

    fn operator(&mut self, choices: &mut Choices) {
        let added = match choices.below(14) {
            0 => self.product(choices),
            1 => self.window(choices),
            2 => self.free_contraction(choices),
            3 => self.affine(choices),
            4 => self.concat(choices),
            5 | 6 => {
                let input = self.any(choices);
                self.apply(choices, input)
            }
            7 => self.max(choices),
            8 => {
                let input = self.any(choices);
                let shape = self.builder.shape(input);
                self.add(choices, Op::Store { input }, &shape)
            }
            9 => self.gather(choices),
            10 => self.argmax(choices),
            11 => self.divide(choices),
            12 => self.pick(choices),
            _ => {
                let shape = choices.shape(3, self.scale.elements);
                self.weight(choices, &shape)
            }
        };
        // Wide sums are of little use to later nodes: most are brought back into range.
        if let Some(id) = added
            && !self.builder.program.node(id).op.is_stored()
            && !choices.one_in(4)
        {
            self.apply(choices, id);
        }
    }

    fn weight(&mut self, choices: &mut Choices, shape: &[usize]) -> Option<NodeId> {
        let bits = choices.pick(&[2, 4, 8, 8, 16]);
        let data = choices.coefficients(shape.iter().product(), bits);
        self.add(choices, Op::Weight { data }, shape)
    }

    fn contract(
        &mut self,
        choices: &mut Choices,
        vars: &[usize],
        outputs: usize,
        lhs: View,
        rhs: Option<View>,
    ) -> Option<NodeId> {
        let products: usize = vars.iter().product();
        if products > 64 * self.scale.elements {
            return None;
        }
        let (lhs, rhs) = match rhs {
            Some(rhs) if choices.one_in(2) => (rhs, Some(lhs)),
            rhs => (lhs, rhs),
        };
        self.add(choices, Op::Contract { vars: vars.to_vec(), lhs, rhs }, &vars[..outputs])
    }

    /// `x · w`, or `x · x` transposed, over the last axis.
    fn product(&mut self, choices: &mut Choices) -> Option<NodeId> {
        let x = self.stored(choices);
        let mut vars = self.builder.shape(x);
        let summed = vars.pop()?;
        let rows = vars.len();
        let columns = choices.pick(&LENGTHS);
        let committed = choices.one_in(3);
        vars.push(if committed { self.builder.shape(x)[0] } else { columns });
        vars.push(summed);
        let last = vars.len() - 1;
        let lhs = View::of_vars(x, &(0..rows).chain([last]).collect::<Vec<_>>());
        let rhs = if committed {
            // The leading axis runs over all rows of the result's last axis, the others, if any, stay.
            let mut axes: Vec<AxisIndex> = (0..rows).map(AxisIndex::var).collect();
            match axes.first_mut() {
                Some(first) => *first = AxisIndex::var(last - 1),
                None => vars[last - 1] = columns,
            }
            axes.push(AxisIndex::var(last));
            view(x, axes)
        } else {
            View::of_vars(self.weight(choices, &[columns, summed])?, &[last - 1, last])
        };
        self.contract(choices, &vars, last, lhs, Some(rhs))
    }

    /// A convolution or a pooling sum along the last axis.
    fn window(&mut self, choices: &mut Choices) -> Option<NodeId> {
        let x = self.stored(choices);
        let mut vars = self.builder.shape(x);
        let length = vars.pop()?;
        let batch = vars.len();
        let (kernel, stride) = (choices.pick(&[1, 2, 3, 5]), choices.pick(&[1, 1, 2, 3]));
        let (dilation, pad) = (choices.pick(&[1, 1, 2]), choices.pick(&[0, 1, 2]));
        let results = (length + 2 * pad).checked_sub(dilation * (kernel - 1) + 1)? / stride + 1;
        let channels = choices.pick(&[0, 1, 2, 3]);
        if channels > 0 {
            vars.push(channels);
        }
        vars.extend([results, kernel]);
        let tap = vars.len() - 1;
        let mut axes: Vec<_> = (0..batch).map(AxisIndex::var).collect();
        axes.push(AxisIndex::window(tap - 1, stride, tap, dilation, pad));
        let rhs = match channels {
            0 => None,
            _ => Some(View::of_vars(self.weight(choices, &[channels, kernel])?, &[batch, tap])),
        };
        self.contract(choices, &vars, tap, view(x, axes), rhs)
    }

    fn free_contraction(&mut self, choices: &mut Choices) -> Option<NodeId> {
        let (lhs, rhs) = (self.stored(choices), self.stored(choices));
        let mut vars = choices.shape(3, self.scale.elements);
        let outputs = vars.len();
        vars.extend(choices.shape(2, 12));
        let lhs = choices.view(lhs, &self.builder.shape(lhs), &vars);
        let rhs = match choices.below(5) {
            0 => None,
            1 => Some(lhs.clone()),
            _ => Some(choices.view(rhs, &self.builder.shape(rhs), &vars)),
        };
        self.contract(choices, &vars, outputs, lhs, rhs)
    }

    fn affine(&mut self, choices: &mut Choices) -> Option<NodeId> {
        let base = self.any(choices);
        let shape = if choices.one_in(3) { choices.shape(3, self.scale.elements) } else { self.builder.shape(base) };
        let mut terms = Vec::new();
        for _ in 0..choices.below(5) {
            let bits = choices.pick(&[2, 4, 8, 20]);
            let Interval { lo, hi } = Interval::signed(bits);
            let coef = choices.value(lo, hi);
            let other = self.any(choices);
            let stored = self.stored(choices);
            terms.push(match choices.below(5) {
                0 | 1 if shape == self.builder.shape(other) => whole(coef, other, shape.len()),
                0 | 1 if shape == self.builder.shape(base) => whole(coef, base, shape.len()),
                0 => fill(coef, &[]),
                1 => {
                    let mut ranges = Vec::new();
                    for (var, &len) in shape.iter().enumerate() {
                        if choices.one_in(2) {
                            let start = choices.below(len + 1);
                            ranges.push((var, start, start + choices.below(len - start + 1)));
                        }
                    }
                    fill(coef, &ranges)
                }
                _ => scaled(coef, choices.view(stored, &self.builder.shape(stored), &shape)),
            });
        }
        self.add(choices, Op::Affine { terms }, &shape)
    }

    /// A node beside itself, or beside another of its shape.
    fn concat(&mut self, choices: &mut Choices) -> Option<NodeId> {
        let first = self.stored(choices);
        let shape = self.builder.shape(first);
        let nodes = &self.builder.program.nodes;
        let alike: Vec<u32> = (0..nodes.len() as u32)
            .filter(|&i| nodes[i as usize].shape == shape && nodes[i as usize].op.is_stored())
            .collect();
        let second = NodeId(choices.pick(&alike));
        if shape.is_empty() {
            return None;
        }
        let axis = choices.below(shape.len());
        let mut shifted = View::identity(second, shape.len());
        shifted.axes[axis].offset = -(shape[axis] as i64);
        let mut longer = shape.clone();
        longer[axis] *= 2;
        let terms = vec![whole(1, first, shape.len()), scaled(1, shifted)];
        self.add(choices, Op::Affine { terms }, &longer)
    }

    fn apply(&mut self, choices: &mut Choices, input: NodeId) -> Option<NodeId> {
        let func = choices.pick(&[Func::Identity, Func::Relu, Func::Relu, Func::Table(0), Func::Table(1)]);
        let bits = match func {
            Func::Table(table) => self.builder.program.tables[table as usize].bits,
            _ => choices.pick(self.scale.bits),
        };
        let saturate = choices.one_in(2);
        let shift = if choices.one_in(2) {
            choices.pick(&SHIFTS)
        } else {
            // The least that fits.
            self.known[input.index()].bits().saturating_sub(bits)
        };
        let shape = self.builder.shape(input);
        self.add(choices, Op::Apply { input, shift, func, bits, saturate }, &shape)
    }

    fn max(&mut self, choices: &mut Choices) -> Option<NodeId> {
        let lhs = self.any(choices);
        let shape = self.builder.shape(lhs);
        let nodes = &self.builder.program.nodes;
        let alike: Vec<u32> = (0..nodes.len() as u32).filter(|&i| nodes[i as usize].shape == shape).collect();
        let rhs = NodeId(choices.pick(&alike));
        self.add(choices, Op::Max { lhs, rhs }, &shape)
    }

    /// A stored node, by another of its shape or with one place on some axes, made positive.
    fn divide(&mut self, choices: &mut Choices) -> Option<NodeId> {
        let num = self.stored(choices);
        let shape = self.builder.shape(num);
        let mut below: Vec<usize> = shape.iter().map(|&len| if choices.one_in(2) { 1 } else { len }).collect();
        let nodes = &self.builder.program.nodes;
        let alike: Vec<u32> = (0..nodes.len() as u32).filter(|&i| nodes[i as usize].shape == below).collect();
        if alike.is_empty() {
            below.clone_from(&shape);
        }
        let any = if alike.is_empty() { num } else { NodeId(choices.pick(&alike)) };
        let least = choices.pick(&[1, 2, 7, 100]);
        let floor = self.add(choices, Op::Affine { terms: vec![fill(least, &[])] }, &below)?;
        let den = self.add(choices, Op::Max { lhs: any, rhs: floor }, &below)?;
        let shift = choices.pick(&[0, 1, 4, 9]);
        self.add(choices, Op::Divide { num, den: divisor(den, &below), shift }, &shape)
    }

    fn gather(&mut self, choices: &mut Choices) -> Option<NodeId> {
        let input = self.stored(choices);
        let len = self.builder.program.node(input).len();
        let shape = choices.shape(3, self.scale.elements);
        let index = (0..shape.iter().product()).map(|_| choices.below(len) as u32).collect();
        self.add(choices, Op::Gather { input, index }, &shape)
    }

    /// Rows of a node by a position that another one found, or by weights.
    fn pick(&mut self, choices: &mut Choices) -> Option<NodeId> {
        let rows = self.stored(choices);
        let shape = self.builder.shape(rows);
        // More often from all rows than from some that are its own.
        let shared = choices.below(2 * shape.len() + 1).saturating_sub(shape.len());
        let (owners, own) = shape.split_at_checked(shared)?;
        let (&count, row) = own.split_first()?;
        let program = &self.builder.program;
        let names_a_row = |&i: &u32| {
            let (node, known) = (&program.nodes[i as usize], self.known[i as usize]);
            let fits = node.shape.starts_with(owners) && known.lo >= 0 && known.hi < count as i64;
            node.op.is_stored() && node.frac == 0 && fits
        };
        let able: Vec<u32> = (0..program.nodes.len() as u32).filter(names_a_row).collect();
        let index = if able.is_empty() || choices.one_in(3) {
            let indices = [owners, &choices.shape(1, self.scale.elements)].concat();
            let data = (0..indices.iter().product()).map(|_| choices.below(count) as i32).collect();
            let index = self.add(choices, Op::Weight { data }, &indices)?;
            self.builder.program.nodes[index.index()].frac = 0;
            index
        } else {
            NodeId(choices.pick(&able))
        };
        let shape = [&self.builder.shape(index)[..], row].concat();
        self.add(choices, Op::Pick { rows, index, shared }, &shape)
    }

    fn argmax(&mut self, choices: &mut Choices) -> Option<NodeId> {
        let input = self.stored(choices);
        let mut shape = self.builder.shape(input);
        if shape.is_empty() {
            return None;
        }
        let axis = choices.below(shape.len());
        shape[axis] = 1;
        self.add(choices, Op::ArgMax { input, axis }, &shape)
    }
}
