//! Small programs, each with operators of one kind, and inputs for them.

use std::sync::LazyLock;

use vouch_circuits::lowering::MAX_LIMB_BITS;
use vouch_program::*;

use crate::scene::Scene;

/// A program, inputs for it, and its scene.
pub struct Case {
    pub program: Program,
    pub inputs: Vec<Vec<i64>>,
    /// With the whole tree of fractions.
    pub scene: Scene,
    /// With the leaves' fractions committed to, and products as constraints.
    pub joined: Scene,
    /// The same with limbs of two bits, so that nearly every range is cut, and ReLUs and maxima are products.
    pub narrow: Scene,
}

/// All programs in each way in which they can be lowered.
pub fn lowered_in_every_style() -> impl Iterator<Item = (&'static Case, &'static Scene)> {
    all().into_iter().flat_map(|case| [&case.scene, &case.joined, &case.narrow].map(|scene| (case, scene)))
}

struct Builder(Program);

impl Builder {
    fn new(name: &str) -> Self {
        let (nodes, tables, inputs, outputs) = Default::default();
        Self(Program { name: name.into(), nodes, tables, inputs, outputs, batch: 1 })
    }

    fn push(&mut self, source: &str, op: Op, shape: &[usize]) -> NodeId {
        self.0.nodes.push(Node { op, shape: shape.to_vec(), frac: 0, source: source.into() });
        NodeId(self.0.nodes.len() as u32 - 1)
    }

    fn port(&self, node: NodeId) -> Port {
        let it = self.0.node(node);
        Port { name: it.source.clone(), node, shape: it.shape.clone(), integer: false, column_fracs: vec![] }
    }

    fn input(&mut self, name: &str, bits: u32, shape: &[usize]) -> NodeId {
        let node = self.push(name, Op::Input { bits }, shape);
        let port = self.port(node);
        self.0.inputs.push(port);
        node
    }

    /// Weights of absolute value 3 at most, or those times `scale`.
    fn weight(&mut self, name: &str, shape: &[usize], scale: i32) -> NodeId {
        let data = (0..shape.iter().product::<usize>() as i32).map(|i| scale * ((i * i + i) % 7 - 3)).collect();
        self.push(name, Op::Weight { data }, shape)
    }

    /// `matrix · vector`.
    fn dense(&mut self, matrix: NodeId, vector: NodeId) -> NodeId {
        let vars = self.0.node(matrix).shape.clone();
        let (lhs, rhs) = (View::of_vars(matrix, &[0, 1]), Some(View::of_vars(vector, &[1])));
        self.push("product", Op::Contract { lhs, rhs, vars: vars.clone() }, &vars[..1])
    }

    fn apply(&mut self, name: &str, input: NodeId, (shift, bits): (u32, u32), func: Func, saturate: bool) -> NodeId {
        let shape = self.0.node(input).shape.clone();
        self.push(name, Op::Apply { input, shift, func, bits, saturate }, &shape)
    }

    fn table(&mut self, name: &str, bits: u32, f: impl Fn(i32) -> i32) -> Func {
        let values = (0..1 << bits).map(|i| f(i - (1 << (bits - 1)))).collect();
        self.0.tables.push(FunctionTable { name: name.into(), bits, values });
        Func::Table(self.0.tables.len() as u32 - 1)
    }

    fn finish(mut self, outputs: &[NodeId], inputs: &[&[i64]]) -> Case {
        self.0.outputs = outputs.iter().map(|node| self.port(*node)).collect();
        let (scene, joined) = (Scene::new(&self.0), Scene::joined(&self.0, MAX_LIMB_BITS));
        let narrow = Scene::joined(&self.0, 2);
        Case { program: self.0, inputs: inputs.iter().map(|i| i.to_vec()).collect(), scene, joined, narrow }
    }
}

/// `y = (V·relu(W·x / 8)) / 4`: a ReLU, whose argument is committed, an identity, and `h`, the hidden layer.
pub static DENSE: LazyLock<Case> = LazyLock::new(|| {
    let mut b = Builder::new("dense");
    let x = b.input("x", 4, &[3]);
    let (w, v) = (b.weight("w", &[5, 3], 1), b.weight("v", &[3, 5], 1));
    let product = b.dense(w, x);
    let h = b.apply("h", product, (3, 5), Func::Relu, false);
    let product = b.dense(v, h);
    let y = b.apply("y", product, (2, 7), Func::Identity, false);
    b.finish(&[y], &[&[7, -5, 6]])
});

/// An identity whose result is multiplied by 16 and divided again, so that fractions of it can become whole.
pub static FRACTIONS: LazyLock<Case> = LazyLock::new(|| {
    let mut b = Builder::new("fractions");
    let x = b.input("x", 4, &[3]);
    let (w, v) = (b.weight("w", &[5, 3], 1), b.weight("v", &[3, 5], 16));
    let product = b.dense(w, x);
    let h = b.apply("h", product, (4, 5), Func::Identity, false);
    let product = b.dense(v, h);
    let y = b.apply("y", product, (4, 7), Func::Identity, false);
    b.finish(&[y], &[&[7, -5, 6]])
});

/// Shifts above 16: remainders of two limbs.
pub static LIMBS: LazyLock<Case> = LazyLock::new(|| {
    let mut b = Builder::new("limbs");
    let x = b.input("x", 4, &[3]);
    let w = b.weight("w", &[2, 3], 1 << 14);
    let product = b.dense(w, x);
    let y = b.apply("y", product, (18, 5), Func::Identity, false);
    let z = b.apply("z", product, (18, 5), Func::Relu, false);
    b.finish(&[y, z], &[&[7, -5, 6]])
});

/// Saturation of an identity, a ReLU and a table.
pub static CLAMPS: LazyLock<Case> = LazyLock::new(|| {
    let mut b = Builder::new("clamps");
    let x = b.input("x", 4, &[3]);
    let w = b.weight("w", &[5, 3], 1);
    let f = b.table("f", 4, |z| z * z - 10);
    let product = b.dense(w, x);
    let i = b.apply("i", product, (2, 4), Func::Identity, true);
    let r = b.apply("r", product, (2, 4), Func::Relu, true);
    let t = b.apply("t", product, (2, 4), f, true);
    b.finish(&[i, r, t], &[&[7, 7, 7]])
});

/// Two tables of functions on one argument; neither is zero at zero.
pub static TABLES: LazyLock<Case> = LazyLock::new(|| {
    let mut b = Builder::new("tables");
    let x = b.input("x", 4, &[3]);
    let w = b.weight("w", &[5, 3], 1);
    let f = b.table("f", 5, |z| 16 + z / 2);
    let g = b.table("g", 5, |z| 20 - z);
    let product = b.dense(w, x);
    let y = b.apply("y", product, (3, 5), f, false);
    let z = b.apply("z", product, (3, 5), g, false);
    b.finish(&[y, z], &[&[7, -5, 6]])
});

/// The maximum of each row of three by four.
pub static POOL: LazyLock<Case> = LazyLock::new(|| {
    let mut b = Builder::new("pool");
    let x = b.input("x", 4, &[3, 4]);
    let part = |b: &mut Builder, node, shape: &[usize], stride, offset| {
        let view = View { node, axes: vec![AxisIndex::var(0), AxisIndex::strided(1, stride, offset)] };
        b.push("part", Op::Affine { terms: vec![AffineTerm::Scaled { coef: 1, view }] }, shape)
    };
    let (lhs, rhs) = (part(&mut b, x, &[3, 2], 2, 0), part(&mut b, x, &[3, 2], 2, 1));
    let pairs = b.push("pairs", Op::Max { lhs, rhs }, &[3, 2]);
    let (lhs, rhs) = (part(&mut b, pairs, &[3, 1], 1, 0), part(&mut b, pairs, &[3, 1], 1, 1));
    let most = b.push("most", Op::Max { lhs, rhs }, &[3, 1]);
    b.finish(&[most], &[&[5, 2, 1, -3, -8, -7, -6, -5, 4, 4, 4, 4]])
});

/// The largest of two whose difference is beyond every table of ReLUs.
pub static TALL: LazyLock<Case> = LazyLock::new(|| {
    let mut b = Builder::new("tall");
    let (x, z) = (b.input("x", 4, &[3]), b.input("z", 4, &[3]));
    let terms = vec![AffineTerm::Scaled { coef: 1 << 16, view: View::identity(x, 1) }];
    let lhs = b.push("large", Op::Affine { terms }, &[3]);
    let y = b.push("y", Op::Max { lhs, rhs: z }, &[3]);
    b.finish(&[y], &[&[7, -5, 0], &[3, -2, 1]])
});

/// Each of five by their squares' sum, and by those of the first row but no less than 3: quotients with three bits behind the point.
pub static QUOTIENTS: LazyLock<Case> = LazyLock::new(|| {
    let mut b = Builder::new("quotients");
    let x = b.input("x", 4, &[3, 5]);
    let five = View::of_vars(x, &[0, 2]);
    let op = Op::Contract { vars: vec![3, 1, 5], lhs: five.clone(), rhs: Some(five) };
    let squares = b.push("squares", op, &[3, 1]);
    let terms = vec![
        AffineTerm::Scaled { coef: 1, view: View::identity(squares, 2) },
        AffineTerm::Fill { coef: 5, ranges: vec![] },
    ];
    let input = b.push("sum", Op::Affine { terms }, &[3, 1]);
    let sum = b.push("divisor", Op::Store { input }, &[3, 1]);
    let den = View { node: sum, axes: vec![AxisIndex::var(0), AxisIndex::fixed(0)] };
    let y = b.push("y", Op::Divide { num: x, den, shift: 3 }, &[3, 5]);
    let first = View { node: x, axes: vec![AxisIndex::fixed(0), AxisIndex::var(1)] };
    let lhs = b.push("first", Op::Affine { terms: vec![AffineTerm::Scaled { coef: 1, view: first }] }, &[1, 5]);
    let rhs = b.push("three", Op::Affine { terms: vec![AffineTerm::Fill { coef: 3, ranges: vec![] }] }, &[1, 5]);
    let most = b.push("most", Op::Max { lhs, rhs }, &[1, 5]);
    let den = View { node: most, axes: vec![AxisIndex::fixed(0), AxisIndex::var(1)] };
    let z = b.push("z", Op::Divide { num: x, den, shift: 3 }, &[3, 5]);
    // Multiples of what is divided by: fractions of a quotient can become whole.
    let multiple = |b: &mut Builder, name: &str, node, coef| {
        let terms = vec![AffineTerm::Scaled { coef, view: View::identity(node, 2) }];
        let input = b.push(name, Op::Affine { terms }, &[3, 5]);
        b.push(name, Op::Store { input }, &[3, 5])
    };
    let (u, v) = (multiple(&mut b, "u", y, 110), multiple(&mut b, "v", z, 60));
    b.finish(&[u, v], &[&[1, -3, 5, 2, -8, -7, -6, -5, 4, 4, 0, 0, 0, 7, 1]])
});

/// The position of the largest of five, on lines with and without ties.
pub static ARGMAX: LazyLock<Case> = LazyLock::new(|| {
    let mut b = Builder::new("argmax");
    let x = b.input("x", 4, &[3, 5]);
    let y = b.push("y", Op::ArgMax { input: x, axis: 1 }, &[3, 1]);
    b.finish(&[y], &[&[5, 5, 5, 5, 5, -2, 7, 1, 7, 0, 0, 1, 2, 3, 4]])
});

/// Elements picked by a fixed index, doubled and stored.
pub static GATHER: LazyLock<Case> = LazyLock::new(|| {
    let mut b = Builder::new("gather");
    let input = b.input("x", 4, &[3]);
    let picked = b.push("picked", Op::Gather { input, index: vec![2, 0, 2, 1, 1] }, &[5]);
    let scaled = AffineTerm::Scaled { coef: 2, view: View::identity(picked, 1) };
    let terms = vec![scaled, AffineTerm::Fill { coef: 3, ranges: vec![(0, 1, 4)] }];
    let input = b.push("sum", Op::Affine { terms }, &[5]);
    let copy = b.push("y", Op::Store { input }, &[5]);
    b.finish(&[copy], &[&[7, -5, 6]])
});

/// Rows that an input names, of another input and of weights.
pub static PICK: LazyLock<Case> = LazyLock::new(|| {
    let mut b = Builder::new("pick");
    let (x, i, j) = (b.input("x", 4, &[3, 3]), b.input("i", 4, &[2]), b.input("j", 4, &[3]));
    // What an input's range alone excludes names a row too.
    let f = b.table("f", 5, |z| if (-8..8).contains(&z) { z } else { 0 });
    let index = b.apply("at", i, (0, 5), f, false);
    let picked = b.push("rows", Op::Pick { rows: x, index, shared: 0 }, &[2, 3]);
    let scaled = AffineTerm::Scaled { coef: 2, view: View::identity(picked, 2) };
    let terms = vec![scaled, AffineTerm::Fill { coef: 3, ranges: vec![(1, 1, 3)] }];
    let input = b.push("sum", Op::Affine { terms }, &[2, 3]);
    let y = b.push("y", Op::Store { input }, &[2, 3]);
    let weight = b.weight("w", &[3], 1);
    let index = b.apply("of weights at", j, (0, 5), f, false);
    let z = b.push("z", Op::Pick { rows: weight, index, shared: 0 }, &[3]);
    b.finish(&[y, z], &[&[5, 5, 5, -2, 7, 1, 0, 1, 4], &[2, 0], &[0, 2, 1]])
});

/// Rows that inputs name of each line's own, of another input and of weights.
pub static OWN: LazyLock<Case> = LazyLock::new(|| {
    let mut b = Builder::new("own");
    let (x, i, j) = (b.input("x", 4, &[3, 3, 2]), b.input("i", 4, &[3, 2]), b.input("j", 4, &[3, 2]));
    // What an input's range alone excludes names a row too.
    let f = b.table("f", 5, |z| if (-8..8).contains(&z) { z } else { 0 });
    let index = b.apply("at", i, (0, 5), f, false);
    let input = b.push("rows", Op::Pick { rows: x, index, shared: 1 }, &[3, 2, 2]);
    let y = b.push("y", Op::Store { input }, &[3, 2, 2]);
    let weight = b.weight("w", &[3, 4], 1);
    let index = b.apply("of weights at", j, (0, 5), f, false);
    let z = b.push("z", Op::Pick { rows: weight, index, shared: 1 }, &[3, 2]);
    let rows = [5, 4, 3, -2, 7, 1, 0, 1, 4, -6, 2, -8, 3, 6, -5, -1, -3, 7];
    b.finish(&[y, z], &[&rows, &[2, 0, 1, 1, 0, 2], &[0, 3, 1, 2, 0, 0]])
});

/// Elements of an input, and of each line's own, that weights name which are known to name one.
pub static BY_WEIGHTS: LazyLock<Case> = LazyLock::new(|| {
    let mut b = Builder::new("by weights");
    let (x, lines) = (b.input("x", 4, &[3]), b.input("lines", 4, &[2, 2]));
    let index = b.push("index", Op::Weight { data: vec![2, 0] }, &[2, 1]);
    let y = b.push("y", Op::Pick { rows: x, index, shared: 0 }, &[2, 1]);
    let index = b.push("index in lines", Op::Weight { data: vec![1, 0] }, &[2, 1]);
    let z = b.push("z", Op::Pick { rows: lines, index, shared: 1 }, &[2, 1]);
    b.finish(&[y, z], &[&[5, -3, 6], &[1, 2, 3, 4]])
});

/// A tensor `h` with three readers: two products, and a sum with its own shift.
pub static FAN_OUT: LazyLock<Case> = LazyLock::new(|| {
    let mut b = Builder::new("fan-out");
    let x = b.input("x", 4, &[3]);
    let (w, u, v) = (b.weight("w", &[5, 3], 1), b.weight("u", &[3, 5], 1), b.weight("v", &[3, 5], 1));
    let product = b.dense(w, x);
    let h = b.apply("h", product, (3, 5), Func::Identity, false);
    let product = b.dense(u, h);
    let first = b.apply("first", product, (2, 7), Func::Identity, false);
    let product = b.dense(v, h);
    let second = b.apply("second", product, (2, 7), Func::Identity, false);
    let shifted = View { node: h, axes: vec![AxisIndex::strided(0, 1, 1)] };
    let terms = [View::identity(h, 1), shifted].map(|view| AffineTerm::Scaled { coef: 1, view }).to_vec();
    let input = b.push("sum", Op::Affine { terms }, &[5]);
    let third = b.push("third", Op::Store { input }, &[5]);
    b.finish(&[first, second, third], &[&[7, -5, 6]])
});

/// Two committed tensors, not zero in their padding, multiplied line by line; and means of windows.
pub static PRODUCTS: LazyLock<Case> = LazyLock::new(|| {
    let mut b = Builder::new("products");
    let (x, z) = (b.input("x", 4, &[3, 5]), b.input("z", 4, &[3, 5]));
    let f = b.table("f", 5, |z| 3 + z / 4);
    let (lhs, rhs) = (b.apply("fx", x, (0, 5), f, false), b.apply("fz", z, (0, 5), f, false));
    let (lhs, rhs) = (View::identity(lhs, 2), Some(View::identity(rhs, 2)));
    let product = b.push("product", Op::Contract { vars: vec![3, 5], lhs, rhs }, &[3]);
    let y = b.apply("y", product, (2, 8), Func::Identity, false);
    let windows = View { node: x, axes: vec![AxisIndex::var(0), AxisIndex::window(1, 2, 2, 1, 0)] };
    let sums = b.push("sums", Op::Contract { vars: vec![3, 2, 3], lhs: windows, rhs: None }, &[3, 2]);
    let means = b.apply("means", sums, (2, 4), Func::Identity, false);
    b.finish(
        &[y, means],
        &[&[1, -3, 5, 2, -8, -7, -6, -5, 4, 4, 4, 4, 0, 7, 1], &[3, 1, 4, 1, 5, -2, 6, 5, 3, 5, -8, 7, 7, 2, 0]],
    )
});

/// Two tensors of more than one chunk each: a table of the one, not zero at zero, and their products summed line by line.
pub static WIDE: LazyLock<Case> = LazyLock::new(|| {
    let mut b = Builder::new("wide");
    let (x, z) = (b.input("x", 4, &[3, 50]), b.input("z", 4, &[3, 50]));
    let f = b.table("f", 4, |v| 3 - v);
    let y = b.apply("y", x, (0, 4), f, false);
    let (lhs, rhs) = (View::identity(x, 2), Some(View::identity(z, 2)));
    let product = b.push("product", Op::Contract { vars: vec![3, 50], lhs, rhs }, &[3]);
    let sums = b.apply("sums", product, (6, 8), Func::Identity, false);
    let values = |k: i64| (0..150).map(|i| (i * i + k * i) % 15 - 7).collect::<Vec<i64>>();
    b.finish(&[sums, y], &[&values(3), &values(5)])
});

/// All but [`LIMBS`], whose tables are large, [`WIDE`], and [`BY_WEIGHTS`], whose ranges are against the key's maker.
pub fn all() -> Vec<&'static Case> {
    vec![
        &*DENSE,
        &*FRACTIONS,
        &*CLAMPS,
        &*TABLES,
        &*POOL,
        &*TALL,
        &*QUOTIENTS,
        &*ARGMAX,
        &*GATHER,
        &*PICK,
        &*OWN,
        &*FAN_OUT,
        &*PRODUCTS,
    ]
}
