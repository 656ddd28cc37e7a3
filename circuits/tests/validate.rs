//! The rules of constraint systems: what lowering makes keeps them; each broken rule is named; and a system that passes, however
//! strange, can be laid out and verified against without harm.

use ark_bn254::Fr;
use ark_ff::Field;
use proptest::prelude::*;
use vouch_circuits::argument;
use vouch_circuits::argument::key::public_at;
use vouch_circuits::backend::{Arithmetic, Channel, Check, Step};
use vouch_circuits::ir::*;
use vouch_circuits::layout::{Cuts, Layout, leaf_bits};
use vouch_circuits::lowering::lower;
use vouch_circuits::poseidon::WIDTH;
use vouch_circuits::sponge::{Block, Permute};
use vouch_circuits::validate::*;
use vouch_program::{AffineTerm, AxisIndex, Func, FunctionTable, Node, NodeId, Op, Port, Program, View};

const CUTS: Cuts = Cuts { chunk_bits: 6, layer: 0 };

/// A strided convolution, clamp, table, maximum, gather, sum with a fill, and argmax: every kind of constraint and source.
fn program() -> Program {
    let node = |op, shape: &[usize]| Node { op, shape: shape.to_vec(), frac: 0, source: "test".into() };
    let apply = |input, func, saturate| Op::Apply { input: NodeId(input), shift: 5, func, bits: 8, saturate };
    let window = AxisIndex { terms: vec![(1, 2), (2, 1)], offset: -1 };
    let convolution = Op::Contract {
        vars: vec![3, 5, 3],
        lhs: View::of_vars(NodeId(1), &[0, 2]),
        rhs: Some(View { node: NodeId(0), axes: vec![window] }),
    };
    let sum = Op::Affine {
        terms: vec![
            AffineTerm::Scaled { coef: 3, view: View::of_vars(NodeId(4), &[0, 1]) },
            AffineTerm::Fill { coef: -7, ranges: vec![(1, 1, 4)] },
        ],
    };
    let nodes = vec![
        node(Op::Input { bits: 8 }, &[9]),
        node(Op::Weight { data: (0..9).map(|i| (i * i) % 23 - 11).collect() }, &[3, 3]),
        node(convolution, &[3, 5]),
        node(apply(2, Func::Relu, true), &[3, 5]),
        node(apply(2, Func::Table(0), true), &[3, 5]),
        node(sum, &[3, 5]),
        node(Op::Max { lhs: NodeId(3), rhs: NodeId(5) }, &[3, 5]),
        node(Op::Gather { input: NodeId(6), index: (0..15).rev().collect() }, &[15]),
        node(Op::ArgMax { input: NodeId(7), axis: 0 }, &[1]),
    ];
    let port = |name: &str, node, shape: &[usize]| Port {
        name: name.into(),
        node: NodeId(node),
        shape: shape.to_vec(),
        integer: false,
        column_fracs: vec![],
    };
    Program {
        name: "all kinds".into(),
        nodes,
        tables: vec![FunctionTable { name: "halve".into(), bits: 8, values: (-128..128).map(|z| z / 2).collect() }],
        inputs: vec![port("x", 0, &[1, 9])],
        outputs: vec![port("y", 7, &[15]), port("largest", 8, &[])],
        batch: 1,
    }
}

fn system() -> ConstraintSystem {
    lower(&program()).unwrap().system
}

#[test]
fn systems_from_lowering_keep_the_rules() {
    assert_eq!(validate(&system(), CUTS), Ok(()));
    assert_eq!(validate(&ConstraintSystem::default(), CUTS), Ok(()));
}

#[test]
fn each_broken_rule_is_named() {
    let good = system();
    let strided = good.contractions.iter().position(|c| c.vars == [3, 5, 3]).unwrap();
    let relu = good.tables.iter().position(|t| t.name.starts_with("ReLU")).unwrap();
    let model = TensorId(good.tensors.iter().position(|t| t.origin == Origin::Model).unwrap() as u32);
    fn axes(operand: &mut Operand) -> &mut Vec<Index> {
        match &mut operand.access {
            Access::Indexed(axes) => axes,
            Access::Raw => panic!("read through indices"),
        }
    }
    let window = |s: &mut ConstraintSystem, change: &dyn Fn(&mut Index)| {
        change(&mut axes(s.contractions[strided].rhs.as_mut().unwrap())[0]);
    };
    let add = |s: &mut ConstraintSystem, source: Source, domain: &[usize]| {
        s.equals.push(Virtual::zero(domain).plus(1, source));
    };
    let hash = |s: &mut ConstraintSystem, range| {
        (s.publics[0].visibility, s.publics[0].range) = (Visibility::Hashed, range);
    };
    let hash_all = |s: &mut ConstraintSystem, bits: usize| {
        let tensor = TensorId(s.tensors.len() as u32);
        s.tensors.push(Tensor { origin: Origin::Witness, shape: vec![1 << bits], name: "large".into() });
        (s.publics[0].tensor, s.publics[0].shape) = (tensor, vec![1 << bits]);
        hash(s, (0, 1));
    };
    let mut most = good.clone();
    hash_all(&mut most, 20);
    assert_eq!(validate(&most, CUTS), Ok(()));
    type Change<'a> = &'a dyn Fn(&mut ConstraintSystem);
    let cases: &[(Change, Problem)] = &[
        (&|s| s.tensors[0].shape = vec![0], Problem::Shape),
        (&|s| s.tensors[0].shape = vec![usize::MAX], Problem::Shape),
        (&|s| s.tensors[0].shape = vec![1; MAX_AXES + 1], Problem::Shape),
        (&|s| s.tensors[0].shape = vec![1 << 31, 1 << 31], Problem::Size),
        (&|s| s.tensors[0].shape = vec![1 << 31, 1 << 9], Problem::Size),
        (&|s| s.contractions[strided].outputs = 4, Problem::Contraction),
        (&|s| s.contractions[strided].vars[2] = 0, Problem::Contraction),
        (&|s| s.contractions[strided].vars.extend([1 << 30, 1 << 30]), Problem::Contraction),
        (&|s| s.contractions[strided].vars[2] = usize::MAX, Problem::Contraction),
        (&|s| s.contractions[strided].lhs.tensor = TensorId(u32::MAX), Problem::Missing),
        (&|s| s.contractions[strided].lhs.access = Access::Raw, Problem::ReadShape),
        (&|s| s.contractions[strided].lhs.tensor = TensorId(0), Problem::ReadShape),
        (&|s| window(s, &|index| index.terms[0].1 = 0), Problem::Index),
        (&|s| window(s, &|index| index.terms[0].1 = i64::MIN), Problem::Index),
        (&|s| window(s, &|index| index.offset = i64::MAX), Problem::Index),
        (&|s| window(s, &|index| index.terms[0].0 = 3), Problem::Index),
        (&|s| window(s, &|index| index.terms = vec![(0, 1); 5]), Problem::Index),
        (&|s| window(s, &|index| index.terms[0].0 = 2), Problem::VariableTwice),
        (&|s| axes(&mut s.contractions[strided].lhs)[1] = Index::var(0), Problem::VariableTwice),
        (&|s| window(s, &|index| index.terms[0].1 = 1 << 31), Problem::Wiring),
        (&|s| s.lookups[0].columns.clear(), Problem::Columns),
        (&|s| s.lookups[0].columns[0].domain = vec![8], Problem::ReadShape),
        (&|s| s.lookups[0].columns.push(Virtual::zero(&[9])), Problem::Columns),
        (&|s| s.lookups[0].columns.push(Virtual::zero(&[10])), Problem::Columns),
        (&|s| s.lookups[0].columns = vec![Virtual::zero(&[2]); 4], Problem::Columns),
        (&|s| s.lookups[0].table = TableId(99), Problem::Missing),
        (&|s| s.tables[relu].columns.clear(), Problem::Columns),
        (&|s| s.tables[relu].columns.truncate(1), Problem::Columns),
        (&|s| s.tables[relu].columns.push(Virtual::zero(&[2])), Problem::Columns),
        (&|s| s.tables[relu].multiplicity = TensorId(99), Problem::Missing),
        (&|s| s.tables[relu].multiplicity = TensorId(0), Problem::Multiplicity),
        (&|s| s.tables.push(s.tables[relu].clone()), Problem::Multiplicity),
        (&|s| s.tensors[s.tables[relu].multiplicity.0 as usize].origin = Origin::Model, Problem::Multiplicity),
        (&|s| add(s, Source::Contraction(ContractionId(99)), &[3, 5]), Problem::Missing),
        (&|s| add(s, Source::Contraction(ContractionId(strided as u32)), &[5, 3]), Problem::ReadShape),
        (&|s| add(s, Source::Read(Operand::raw(TensorId(0))), &[9, 2]), Problem::ReadShape),
        (&|s| add(s, Source::Fill(vec![(1, 0, 1)]), &[4]), Problem::ClosedForm),
        (&|s| add(s, Source::Fill(vec![(0, 2, 1)]), &[4]), Problem::ClosedForm),
        (&|s| add(s, Source::Fill(vec![(0, 0, 5)]), &[4]), Problem::ClosedForm),
        (&|s| add(s, Source::Fill(vec![(0, 0, 2), (0, 1, 3)]), &[4]), Problem::VariableTwice),
        (&|s| add(s, Source::PositionRelu, &[3]), Problem::ClosedForm),
        (&|s| add(s, Source::PositionIsMiddle, &[1]), Problem::ClosedForm),
        (&|s| add(s, Source::PositionAboveMiddle, &[2, 2]), Problem::ClosedForm),
        (&|s| add(s, Source::Position, &[1 << 31, 1 << 31]), Problem::Size),
        (&|s| s.publics[0].tensor = TensorId(99), Problem::Missing),
        (&|s| s.publics[0].tensor = model, Problem::Public),
        (&|s| s.publics[0].shape = vec![3, 4], Problem::Public),
        (&|s| s.publics[0].shape = vec![1 << 31; 20], Problem::Size),
        (&|s| s.publics[0].range = (1, 0), Problem::Range),
        (&|s| s.publics[0].range.1 = 1 << 31, Problem::Range),
        (&|s| s.publics[0].frac = i32::MIN, Problem::Range),
        (&|s| s.publics[0].column_fracs = vec![1; s.publics[0].shape[0] + 1], Problem::Range),
        (&|s| s.publics[0].column_fracs = vec![i32::MAX; s.publics[0].shape[0]], Problem::Range),
        (&|s| hash(s, (-(1 << 15) - 1, 0)), Problem::HashedRange),
        (&|s| hash(s, (0, 1 << 15)), Problem::HashedRange),
        (&|s| hash_all(s, 21), Problem::HashedSize),
    ];
    for (i, (change, problem)) in cases.iter().enumerate() {
        let mut bad = good.clone();
        change(&mut bad);
        assert_eq!(validate(&bad, CUTS).map_err(|e| e.problem), Err(*problem), "case {i}");
    }
    for chunk_bits in [0, MIN_CHUNK_BITS - 1, MAX_CHUNK_BITS + 1, usize::MAX] {
        assert_eq!(validate(&good, Cuts { chunk_bits, layer: 0 }).unwrap_err().problem, Problem::ChunkBits);
    }
    let leaves = leaf_bits(&good);
    for (layer, is_one) in [(0, true), (1, true), (leaves, true), (leaves + 1, false), (usize::MAX, false)] {
        let outcome = validate(&good, Cuts { layer, ..CUTS }).map_err(|e| e.problem);
        assert_eq!(outcome, if is_one { Ok(()) } else { Err(Problem::Layer) });
    }
    let shaped = |shapes: [&[usize]; 3]| Product { terms: shapes.map(Virtual::zero) };
    let with = |product, layer: Option<usize>| {
        let mut system = good.clone();
        system.products.push(product);
        let layer = layer.unwrap_or_else(|| leaf_bits(&system));
        validate(&system, Cuts { layer, ..CUTS }).map_err(|e| e.problem)
    };
    let square: &[usize] = &[3, 3];
    assert_eq!(with(shaped([square; 3]), None), Ok(()));
    assert_eq!(with(shaped([square, square, &[9]]), None), Err(Problem::Columns));
    assert_eq!(with(shaped([&[1 << 31, 1 << 31]; 3]), None), Err(Problem::Size));
    for layer in [0, 1, leaves - 1] {
        assert_eq!(with(shaped([square; 3]), Some(layer)), Err(Problem::Products));
    }
    // Without rows there are no fractions.
    let mut rowless = good.clone();
    rowless.lookups.clear();
    rowless.tables.clear();
    assert_eq!(validate(&rowless, CUTS), Ok(()));
    assert_eq!(validate(&rowless, Cuts { layer: 1, ..CUTS }).unwrap_err().problem, Problem::Layer);
}

#[test]
fn many_large_parts_are_refused_together() {
    let mut many = ConstraintSystem::default();
    let huge = |origin| Tensor { origin, shape: vec![1 << 20, 1 << 20], name: "huge".into() };
    many.tensors.push(huge(Origin::Witness));
    many.tensors.push(huge(Origin::Model));
    assert_eq!(validate(&many, CUTS), Ok(()));
    many.tensors.push(huge(Origin::Model));
    assert_eq!(validate(&many, CUTS).unwrap_err().problem, Problem::Size);

    let mut wide = system();
    let lookup = Lookup { columns: vec![Virtual::zero(&[1 << 20, 1 << 19])], table: wide.lookups[0].table };
    wide.lookups.push(lookup.clone());
    assert_eq!(validate(&wide, CUTS), Ok(()));
    wide.lookups.push(lookup);
    assert_eq!(validate(&wide, CUTS).unwrap_err().problem, Problem::Size);
}

#[test]
fn messages_name_the_place_and_stay_on_one_line() {
    let mut bad = system();
    bad.tensors[0].name = "a\nb\u{1b}[31m".into();
    bad.tensors[0].shape = vec![0];
    let message = validate(&bad, CUTS).unwrap_err().to_string();
    assert!(message.starts_with("tensor 0 (\"a\\nb"), "{message}");
    assert!(message.chars().all(|c| !c.is_control()), "{message}");
}

/// A verifier's end that finds every check passed, so that all of the algorithm runs. Counts its multiplications.
struct Lenient {
    state: u64,
    multiplications: u64,
}

impl Lenient {
    fn next(&mut self) -> Fr {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Fr::from(self.state)
    }
}

impl Arithmetic for Lenient {
    type Scalar = Fr;

    fn constant(&mut self, value: Fr) -> Fr {
        value
    }
    fn add(&mut self, a: &Fr, b: &Fr) -> Fr {
        *a + b
    }
    fn sub(&mut self, a: &Fr, b: &Fr) -> Fr {
        *a - b
    }
    fn mul(&mut self, a: &Fr, b: &Fr) -> Fr {
        self.multiplications += 1;
        *a * b
    }
    fn scale(&mut self, a: &Fr, c: Fr) -> Fr {
        *a * c
    }
    fn invert(&mut self, a: &Fr, check: Check) -> Result<Fr, Check> {
        a.inverse().ok_or(check)
    }
    fn assert_equal(&mut self, _: &Fr, _: &Fr, _: Check) -> Result<(), Check> {
        Ok(())
    }
}

impl Permute for Lenient {
    fn permute(&mut self, _: &mut [Fr; WIDTH], _: Block<Fr>) {
        // About what one takes.
        self.multiplications += 300;
    }
}

impl Channel for Lenient {
    fn label(&mut self, _: Step) {}
    fn read(&mut self) -> Result<Fr, Check> {
        Ok(self.next())
    }
    fn read_points(&mut self) -> Result<(), Check> {
        Ok(())
    }
    fn stated_hash(&mut self) -> Result<Fr, Check> {
        Ok(self.next())
    }
    fn read_hashed(&mut self) -> Result<Fr, Check> {
        Ok(self.next())
    }
    fn challenge(&mut self) -> Fr {
        self.next()
    }
}

/// Lays out a system that keeps the rules and runs the verifier's whole algorithm on it; how many multiplications it took.
fn run(system: &ConstraintSystem) -> u64 {
    let layers = [0, if system.lookups.is_empty() && system.tables.is_empty() { 0 } else { leaf_bits(system) }];
    layers.map(|layer| run_at(system, layer)).into_iter().max().unwrap_or(0)
}

fn run_at(system: &ConstraintSystem, layer: usize) -> u64 {
    let layout = Layout::new(system, Cuts { layer, ..CUTS });
    // A verifier has as many commitments and public values at hand as there are, so it never meets more than fit a file.
    let public: usize = system.publics.iter().map(|p| system.tensor(p.tensor).len()).sum();
    if layout.x_chunks().max(layout.w_chunks()) > 1 << 16 || public > 1 << 20 {
        return 0;
    }
    let mut lenient = Lenient { state: 1, multiplications: 0 };
    let mut at = |_: &mut Lenient, i: usize, point: &[Fr]| {
        let tensor = system.tensor(system.publics[i].tensor);
        public_at(&tensor.shape, &vec![1; tensor.len()], point)
    };
    argument::verify(&mut lenient, system, &layout, &mut at).expect("every check passes");
    lenient.multiplications
}

#[test]
fn the_budget_of_wiring_steps_bounds_the_work() {
    let honest = run(&system());
    assert!(honest > 500, "{honest}");
    let mut slow = system();
    let strided = slow.contractions.iter_mut().find(|c| c.vars == [3, 5, 3]).unwrap();
    let Some(Operand { access: Access::Indexed(axes), .. }) = &mut strided.rhs else { panic!("a window") };
    axes[0].terms[0].1 = 1 << 19;
    assert_eq!(validate(&slow, CUTS), Ok(()));
    assert!(run(&slow) < honest + 4 * MAX_WIRING_STEPS);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Some bytes of an encoded system changed: decoding, the rules and the verifier take no harm and little time.
    #[test]
    fn strange_systems_do_no_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = postcard::to_stdvec(&system()).unwrap();
        for (position, byte) in changes {
            let position = position.index(bytes.len());
            bytes[position] = byte;
        }
        let Ok(changed) = postcard::from_bytes::<ConstraintSystem>(&bytes) else { return Ok(()) };
        if validate(&changed, CUTS).is_ok() {
            prop_assert!(run(&changed) < 8 * MAX_WIRING_STEPS);
        }
    }
}
