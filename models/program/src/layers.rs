//! A program as people read a model: its layers in order, each with what it computes, what it reads, its shape and its parameters.
//!
//! All of it is derived from operators and shapes, nothing from the names in the program, which are its maker's words. A layer is a stored node with the virtual nodes
//! that it reads; maxima of parts of one tensor are one layer. A sequence of layers that returns is told once ([`Entry::Repeated`]).
//!
//! Weights need not be there: it knows [outlines](crate::Outline). The program may be a stranger's: what takes too long, or is nested too deep, to be told is
//! left out, and [`Layers::complete`] says so.

use std::cell::Cell;
use std::collections::BTreeSet;

use serde::Serialize;

use crate::program::*;

/// The most layers of a sequence that is looked for again.
const LONGEST: usize = 256;
/// The most comparisons that the search for such sequences takes, as far as the number of layers tells.
const COMPARISONS: usize = 1 << 27;
/// The most summands that are visited for all layers together.
const WORK: usize = 1 << 21;
/// The deepest nesting of sums and maxima that is told.
const DEEPEST: usize = 48;
/// The most operands of a maximum that are named.
const MANY: usize = 16;
/// The most bytes of a layer's words, before the function is named.
const WORDS: usize = 240;

/// One layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Layer {
    /// Its number, from 1; inputs come first.
    pub number: usize,
    /// What it computes, in words; layers that it reads are there as `#` and their number.
    pub what: String,
    /// The numbers of the layers that it reads, in rising order.
    pub reads: Vec<usize>,
    /// Lengths of the result's axes.
    pub shape: Vec<usize>,
    /// The real value of an integer `q` of the result is `q · 2^-frac`.
    pub frac: i32,
    /// Trained numbers that it is the first to read.
    pub parameters: usize,
    /// Trained numbers that it shares with layers before it.
    pub shared: usize,
}

/// A layer, or several that follow each other again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Entry {
    /// One layer.
    One(Layer),
    /// A sequence of layers, of which each run reads what the run before gave in the same way.
    Repeated {
        /// How often it is run.
        times: usize,
        /// The first run's layers.
        layers: Vec<Layer>,
        /// Trained numbers of all runs together.
        parameters: usize,
    },
}

/// All layers of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layers {
    /// In order; layer `i` has the number `i + 1`.
    pub layers: Vec<Layer>,
    /// The number of each input's layer.
    pub inputs: Vec<usize>,
    /// The number of the layer that each output is the result of.
    pub outputs: Vec<usize>,
    /// Whether everything is told.
    pub complete: bool,
}

/// The layers of a program. It must be valid, but for its weights ([`crate::Outline::check`]).
pub fn layers(program: &Program) -> Layers {
    let mut reader = Reader::new(program);
    let mut layers: Vec<Layer> = Vec::new();
    for index in 0..program.nodes.len() {
        if let Some(layer) = reader.layer(NodeId(index as u32), layers.len() + 1) {
            reader.numbers[index] = layer.number;
            layers.push(layer);
        }
    }
    let numbers = |ports: &[Port]| ports.iter().map(|port| reader.numbers[port.node.index()]).collect();
    let (inputs, outputs) = (numbers(&program.inputs), numbers(&program.outputs));
    Layers { layers, inputs, outputs, complete: reader.complete.get() }
}

/// The same layers with sequences that return told once.
pub fn entries(layers: &[Layer]) -> Vec<Entry> {
    let texts: Vec<Vec<Piece>> = layers.iter().map(pieces).collect();
    let alike = |a: usize, b: usize| {
        // What a run reads of the one before lies as far back; what all of them read lies where it lies; the first run may read from elsewhere.
        let same = |pair: (&Piece, &Piece)| match pair {
            (Piece::Read { back: r, number: m }, Piece::Read { back: s, number: n }) => r == s || m == n || *r > b - a,
            (one, other) => one == other,
        };
        let (one, other) = (&texts[a], &texts[b]);
        layers[a].shape == layers[b].shape && one.len() == other.len() && one.iter().zip(other).all(same)
    };
    let longest = LONGEST.min((2 * COMPARISONS / layers.len().max(1)).isqrt());
    let mut entries = Vec::new();
    let mut at = 0;
    while at < layers.len() {
        let mut best = (1, 1);
        for period in 1..=longest.min((layers.len() - at) / 2) {
            if period <= best.0 && best.1 > 1 {
                continue;
            }
            let runs = (at + period..layers.len()).take_while(|next| alike(next - period, *next)).count() / period + 1;
            if runs > 1 && runs * period > best.0 * best.1 {
                best = (period, runs);
            }
        }
        let (period, times) = best;
        let run = &layers[at..at + period * times];
        if times == 1 || period * times < 4 {
            entries.push(Entry::One(layers[at].clone()));
            at += 1;
        } else {
            let parameters = run.iter().map(|layer| layer.parameters).sum();
            entries.push(Entry::Repeated { times, layers: run[..period].to_vec(), parameters });
            at += run.len();
        }
    }
    entries
}

/// A part of a layer's words.
#[derive(PartialEq)]
enum Piece<'l> {
    Words(&'l str),
    /// A layer that is read: how far back it is, and its number.
    Read {
        back: usize,
        number: usize,
    },
}

/// The words of a layer, and all that it reads.
fn pieces(layer: &Layer) -> Vec<Piece<'_>> {
    let read = |number: usize| Piece::Read { back: layer.number - number.min(layer.number), number };
    let mut pieces = Vec::new();
    for (i, part) in layer.what.split('#').enumerate() {
        let digits = if i == 0 { 0 } else { part.bytes().take_while(u8::is_ascii_digit).count() };
        let (number, words) = part.split_at(digits);
        pieces.extend(number.parse().ok().map(read));
        pieces.push(Piece::Words(words));
    }
    pieces.extend(layer.reads.iter().copied().map(read));
    pieces
}

struct Reader<'p> {
    program: &'p Program,
    /// The layer of each node, 0 if it has none.
    numbers: Vec<usize>,
    /// Weights that some layer has read.
    seen: BTreeSet<NodeId>,
    /// Maxima that are parts of another one.
    inner: BTreeSet<NodeId>,
    work: Cell<usize>,
    complete: Cell<bool>,
}

/// What a layer reads beside other layers.
#[derive(Default)]
struct Found {
    reads: BTreeSet<usize>,
    weights: BTreeSet<NodeId>,
    depth: usize,
}

impl<'p> Reader<'p> {
    fn new(program: &'p Program) -> Self {
        let mut reader = Self {
            program,
            numbers: vec![0; program.nodes.len()],
            seen: BTreeSet::new(),
            inner: BTreeSet::new(),
            work: Cell::new(0),
            complete: Cell::new(true),
        };
        reader.inner = reader.inner_maxima();
        reader
    }

    /// Maxima that only other maxima read, directly or part by part.
    fn inner_maxima(&self) -> BTreeSet<NodeId> {
        let nodes = &self.program.nodes;
        let is_max = |node: usize| matches!(nodes[node].op, Op::Max { .. });
        let mut readers = vec![Vec::new(); nodes.len()];
        for (index, node) in nodes.iter().enumerate() {
            node.op.reads().iter().for_each(|read| readers[read.index()].push(index));
        }
        let outputs: BTreeSet<usize> = self.program.outputs.iter().map(|port| port.node.index()).collect();
        let part = |node: usize| {
            let alone = matches!(&nodes[node].op, Op::Affine { terms } if matches!(terms[..], [AffineTerm::Scaled { coef: 1, .. }]));
            alone && readers[node].iter().all(|reader| is_max(*reader))
        };
        let inner = |node: usize| {
            is_max(node)
                && !outputs.contains(&node)
                && !readers[node].is_empty()
                && readers[node].iter().all(|reader| is_max(*reader) || part(*reader))
        };
        (0..nodes.len()).filter(|node| inner(*node)).map(|node| NodeId(node as u32)).collect()
    }

    fn layer(&mut self, id: NodeId, number: usize) -> Option<Layer> {
        let node = self.program.node(id);
        let mut found = Found::default();
        let what = match &node.op {
            Op::Weight { .. } | Op::Contract { .. } | Op::Affine { .. } => return None,
            Op::Max { .. } if self.inner.contains(&id) => return None,
            Op::Input { bits } => format!("input of {bits} bits"),
            Op::Apply { input, func, saturate, .. } => {
                let value = self.value(*input, &mut found);
                let clamp = if *saturate && *func != Func::Relu { "clamped".to_string() } else { String::new() };
                let function = match func {
                    Func::Identity => String::new(),
                    Func::Relu => "ReLU".to_string(),
                    Func::Table(table) => format!("function table {}", table + 1),
                };
                let parts: Vec<String> = [value, clamp, function].into_iter().filter(|part| !part.is_empty()).collect();
                if parts.is_empty() { "rounding".to_string() } else { parts.join(", ") }
            }
            Op::Store { input } => {
                let value = self.value(*input, &mut found);
                if value.is_empty() { "copy".to_string() } else { value }
            }
            Op::Max { .. } => self.maximum(id, &mut found),
            Op::Gather { input, .. } => {
                self.read(*input, &mut found);
                format!("{} fixed places of {}", node.len(), self.program.node(*input).len())
            }
            Op::Pick { rows, index, .. } => {
                self.read(*rows, &mut found);
                self.read(*index, &mut found);
                let (shape, by) = (&self.program.node(*rows).shape, self.name(*index));
                format!("rows of {} {shape:?} that {by} names", self.name(*rows))
            }
            Op::Divide { num, den, .. } => {
                self.read(*num, &mut found);
                self.read(den.node, &mut found);
                format!("quotient of {} by {}", self.name(*num), self.name(den.node))
            }
            Op::ArgMax { input, axis } => {
                self.read(*input, &mut found);
                format!("position of the largest of {}", self.program.node(*input).shape[*axis])
            }
        };
        let size = |weights: &BTreeSet<NodeId>| weights.iter().map(|weight| self.program.node(*weight).len()).sum();
        let (shared, new): (BTreeSet<NodeId>, _) = found.weights.into_iter().partition(|w| self.seen.contains(w));
        let (parameters, shared) = (size(&new), size(&shared));
        self.seen.extend(new);
        let reads = found.reads.into_iter().collect();
        Some(Layer { number, what, reads, shape: node.shape.clone(), frac: node.frac, parameters, shared })
    }

    /// A node that is read, by the number of its layer, or as parameters.
    fn name(&self, id: NodeId) -> String {
        match (&self.program.node(id).op, self.numbers[id.index()]) {
            (Op::Weight { .. }, _) => "parameters".to_string(),
            (_, number) => format!("#{number}"),
        }
    }

    /// Notes a stored node.
    fn read(&self, id: NodeId, found: &mut Found) {
        match self.program.node(id).op {
            Op::Weight { .. } => {
                found.weights.insert(id);
            }
            _ => {
                found.reads.insert(self.numbers[id.index()]);
            }
        }
    }

    /// Goes one level deeper, if there is room for so much work there.
    fn deeper<T>(&self, work: usize, found: &mut Found, what: impl FnOnce(&Self, &mut Found) -> T) -> Option<T> {
        self.work.set(self.work.get().saturating_add(work + 1));
        if self.work.get() > WORK || found.depth == DEEPEST {
            self.complete.set(false);
            return None;
        }
        found.depth += 1;
        let told = what(self, found);
        found.depth -= 1;
        Some(told)
    }

    /// What a value is, in words; nothing if it is a stored node's own.
    fn value(&self, id: NodeId, found: &mut Found) -> String {
        let words = match &self.program.node(id).op {
            Op::Contract { vars, lhs, rhs } => {
                self.deeper(0, found, |it, found| it.contraction(id, vars, lhs, rhs.as_ref(), found))
            }
            Op::Affine { terms } => self.deeper(terms.len(), found, |it, found| it.affine(id, terms, found)),
            _ => {
                self.read(id, found);
                Some(String::new())
            }
        };
        let mut words = words.unwrap_or_else(|| "a sum that is not told".to_string());
        if words.len() > WORDS {
            self.complete.set(false);
            // Words are ASCII.
            words.truncate(WORDS);
            words.push_str("...");
        }
        words
    }

    fn affine(&self, id: NodeId, terms: &[AffineTerm], found: &mut Found) -> String {
        let shape = &self.program.node(id).shape;
        // Sums, tensors with the sign and the way in which they are read, parameters, constants.
        let (mut sums, mut tensors, mut parameters, mut constants) = (Vec::new(), Vec::new(), false, 0);
        for term in terms {
            let AffineTerm::Scaled { coef, view } = term else {
                constants += 1;
                continue;
            };
            match &self.program.node(view.node).op {
                Op::Weight { .. } => {
                    self.read(view.node, found);
                    parameters = true;
                }
                Op::Contract { .. } | Op::Affine { .. } => {
                    let value = self.value(view.node, found);
                    let value = if value.is_empty() { "a sum".to_string() } else { value };
                    sums.push(if *coef < 0 { format!("less {value}") } else { value });
                }
                _ => {
                    self.read(view.node, found);
                    tensors.push((*coef, view));
                }
            }
        }
        let mut parts = sums;
        let aside = tensors.len() > 1 && tensors.iter().all(|(_, view)| self.is_part_of(view, shape));
        match &tensors[..] {
            [] => {}
            [(_, view)] if parts.is_empty() && !parameters => {
                let own = &self.program.node(view.node).shape;
                let moved = !view.is_identity() || own != shape;
                parts.push(if moved { self.rearranged(view, shape) } else { String::new() });
            }
            _ if aside => {
                let names: Vec<String> = tensors.iter().map(|(_, view)| self.name(view.node)).collect();
                parts.push(format!("{} side by side", names.join(", ")));
            }
            [(first, one), (second, other)] if (*first > 0) != (*second > 0) => {
                let (plus, minus) = if *first > 0 { (one, other) } else { (other, one) };
                parts.push(format!("{} less {}", self.name(plus.node), self.name(minus.node)));
            }
            _ => {
                let names: Vec<String> = tensors.iter().map(|(_, view)| self.name(view.node)).collect();
                parts.push(names.join(" plus "));
            }
        }
        if parameters {
            parts.push("parameters added".to_string());
        }
        if constants > 0 {
            parts.push(if parts.is_empty() { "constants" } else { "constants added" }.to_string());
        }
        parts.retain(|part| !part.is_empty());
        parts.join(", ")
    }

    /// Whether a view has its tensor in a part of the places and is zero elsewhere.
    fn is_part_of(&self, view: &View, shape: &[usize]) -> bool {
        let lens = &self.program.node(view.node).shape;
        view.axes.iter().zip(lens).any(|(axis, len)| match axis.terms[..] {
            [(var, 1)] => *len < shape[var] && axis.offset <= 0,
            _ => false,
        })
    }

    /// A tensor read in another way than it lies.
    fn rearranged(&self, view: &View, shape: &[usize]) -> String {
        let (read, len) = (self.program.node(view.node).len(), shape.iter().product::<usize>());
        match len.cmp(&read) {
            std::cmp::Ordering::Less => format!("a part of {}", self.name(view.node)),
            std::cmp::Ordering::Equal => format!("{} rearranged", self.name(view.node)),
            std::cmp::Ordering::Greater => format!("{} repeated or padded", self.name(view.node)),
        }
    }

    fn contraction(&self, id: NodeId, vars: &[usize], lhs: &View, rhs: Option<&View>, found: &mut Found) -> String {
        let outputs = self.program.node(id).shape.len();
        self.read(lhs.node, found);
        rhs.iter().for_each(|rhs| self.read(rhs.node, found));
        let is_weight = |view: &View| matches!(self.program.node(view.node).op, Op::Weight { .. });
        let size = |vars_of: &dyn Fn(usize) -> bool, range: std::ops::Range<usize>| -> usize {
            range.filter(|var| vars_of(*var)).map(|var| vars[var]).product()
        };
        let reads = |view: &View, var: usize| view.vars().any(|read| read == var);
        let summed = size(&|_| true, outputs..vars.len());
        let (weight, data) = match rhs {
            None => return self.sum(vars, outputs, lhs, summed),
            Some(rhs) if is_weight(rhs) => (rhs, lhs),
            Some(rhs) if is_weight(lhs) => (lhs, rhs),
            Some(rhs) => {
                let (a, b) = (self.name(lhs.node), self.name(rhs.node));
                return match (outputs == vars.len(), lhs == rhs) {
                    (true, true) => format!("squares of {a}"),
                    (true, false) => format!("{a} times {b}, element by element"),
                    (false, true) => format!("sums of {summed} squares of {a}"),
                    (false, false) => format!("matrix product of {a} and {b}, sums of {summed}"),
                };
            }
        };
        let windows = taps(vars, outputs, data);
        let windows: Vec<&(usize, usize)> = windows.iter().filter(|(_, tap)| reads(weight, *tap)).collect();
        let tap_vars: Vec<usize> = windows.iter().map(|(_, tap)| *tap).collect();
        let channels_in = size(&|var| !tap_vars.contains(&var), outputs..vars.len());
        let made = size(&|var| reads(weight, var) && !reads(data, var), 0..outputs);
        let both = size(&|var| reads(weight, var) && reads(data, var), 0..outputs);
        let places = size(&|var| !reads(weight, var), 0..outputs);
        let groups = if both > 1 { format!(" in {both} groups") } else { String::new() };
        if !windows.is_empty() {
            let kernel: Vec<String> = tap_vars.iter().map(|tap| vars[*tap].to_string()).collect();
            let kernel = kernel.join("x");
            return match (both > 1, channels_in, made) {
                (true, 1, 1) => format!("convolution {kernel} of each of {both} channels"),
                _ => format!("convolution {kernel}, {} to {} channels{groups}", channels_in * both, made * both),
            };
        }
        if outputs == vars.len() {
            return "times parameters, element by element".to_string();
        }
        let at = if places > 1 { format!(", at {places} places") } else { String::new() };
        format!("linear, {channels_in} to {made}{groups}{at}")
    }

    fn sum(&self, vars: &[usize], outputs: usize, view: &View, summed: usize) -> String {
        let windows = taps(vars, outputs, view);
        let name = self.name(view.node);
        if windows.is_empty() {
            return if summed == 1 { name } else { format!("sums of {summed} of {name}") };
        }
        let window: Vec<String> = windows.iter().map(|(_, tap)| vars[*tap].to_string()).collect();
        format!("sums of windows {} of {name}", window.join("x"))
    }

    /// A maximum with all maxima that are parts of it.
    fn maximum(&self, id: NodeId, found: &mut Found) -> String {
        let mut parts = Vec::new();
        self.leaves(id, found, &mut parts);
        let mut names: Vec<&str> = Vec::new();
        for part in &parts {
            if names.len() < MANY && !names.contains(&part.as_str()) {
                names.push(part);
            }
        }
        match names[..] {
            [one] => format!("largest of {} places of {one}", parts.len()),
            _ => format!("largest of {}", names.join(" and ")),
        }
    }

    fn leaves(&self, id: NodeId, found: &mut Found, parts: &mut Vec<String>) {
        if let Op::Max { lhs, rhs } = self.program.node(id).op {
            self.deeper(2, found, |it, found| {
                it.leaves_of(lhs, found, parts);
                it.leaves_of(rhs, found, parts);
            });
        }
    }

    fn leaves_of(&self, id: NodeId, found: &mut Found, parts: &mut Vec<String>) {
        match &self.program.node(id).op {
            Op::Max { .. } if self.inner.contains(&id) => self.leaves(id, found, parts),
            Op::Affine { terms } => match &terms[..] {
                [AffineTerm::Scaled { coef: 1, view }] => match &self.program.node(view.node).op {
                    Op::Max { .. } if self.inner.contains(&view.node) => self.leaves(view.node, found, parts),
                    Op::Contract { .. } | Op::Affine { .. } => parts.push(self.value(view.node, found)),
                    _ => {
                        self.read(view.node, found);
                        parts.push(self.name(view.node));
                    }
                },
                _ => parts.push(self.value(id, found)),
            },
            Op::Contract { .. } => parts.push(self.value(id, found)),
            _ => {
                self.read(id, found);
                parts.push(self.name(id));
            }
        }
    }
}

/// The pairs of variables that a view reads an axis by together, of which the first is an output and the second is summed: sliding windows.
fn taps(vars: &[usize], outputs: usize, view: &View) -> Vec<(usize, usize)> {
    let pairs = view.axes.iter().filter_map(|axis| match axis.terms[..] {
        [(a, _), (b, _)] if (a < outputs) != (b < outputs) => Some((a.min(b), a.max(b))),
        _ => None,
    });
    pairs.filter(|(_, tap)| vars[*tap] > 1).collect()
}
