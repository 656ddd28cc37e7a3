//! Lies of a key's maker: keys that are not of the architecture that was published with them, and architectures that are none. Each field but
//! the names and the weights' commitments is recomputed.

use ark_ec::CurveGroup;
use vouch_circuits::architecture::Architecture;
use vouch_circuits::files::{Kind, open, seal};
use vouch_circuits::ir::{Classes, Visibility};
use vouch_circuits::key::{Labels, VerifyingKey};
use vouch_circuits::lowering::LowerError;
use vouch_circuits::lowering::bounds::NodeBounds;
use vouch_circuits::lowering::limits::Limits;
use vouch_program::{NodeId, Outline, Program};
use vouch_prover::commit::Srs;
use vouch_prover::{KeyMismatch, Needs, ProvingKey, SetupOptions, setup, verify_key};

use crate::programs::*;
use crate::scene::CHUNK_BITS;

struct Published {
    key: ProvingKey,
    srs: Srs,
}

fn published(case: &Case) -> Published {
    published_with(case, &SetupOptions::chunk_bits(CHUNK_BITS))
}

fn published_with(case: &Case, options: &SetupOptions) -> Published {
    let needs = Needs::of(&case.program, options).unwrap();
    let srs = Srs::development_with_lagrange(needs.powers(), &[needs.k], &mut rand::rng());
    let key = setup(case.program.clone(), options, srs.clone(), [1; 32], &mut |_| {}).unwrap();
    let bytes = key.architecture.to_bytes();
    assert!(Architecture::from_bytes(&bytes).unwrap() == key.architecture);
    Published { key, srs }
}

impl Published {
    fn outcome(&self, key: &VerifyingKey, architecture: &Architecture) -> Result<(), KeyMismatch> {
        verify_key(key, architecture, &self.srs).map(|_| ())
    }

    /// With a change of the key.
    fn of_key(&self, change: impl FnOnce(&mut VerifyingKey)) -> Result<(), KeyMismatch> {
        let mut key = self.key.verifying_key.clone();
        change(&mut key);
        self.outcome(&key, &self.key.architecture)
    }

    /// With a change of the architecture, which the key names.
    fn of_architecture(&self, change: impl FnOnce(&mut Architecture)) -> Result<(), KeyMismatch> {
        let (mut architecture, mut key) = (self.key.architecture.clone(), self.key.verifying_key.clone());
        change(&mut architecture);
        assert!(
            matches!(self.outcome(&key, &architecture), Err(KeyMismatch::Architecture)),
            "the key names the old one"
        );
        key.architecture = architecture.digest();
        self.outcome(&key, &architecture)
    }

    /// With a change of the program.
    fn of_program(&self, change: impl FnOnce(&mut Program)) -> Result<(), KeyMismatch> {
        self.of_architecture(|architecture| {
            let mut program = architecture.outline.program().clone();
            change(&mut program);
            architecture.outline = Outline::of(&program);
        })
    }
}

#[test]
fn every_field_is_recomputed() {
    let tables = published(&TABLES);
    let power = tables.srs.powers[3];
    tables.of_key(|_| ()).unwrap();
    // What cannot be recomputed.
    tables.of_key(|k| k.name.push('!')).unwrap();
    tables.of_key(|k| k.w_commitments[0] = -k.w_commitments[0]).unwrap();
    let field = |outcome| matches!(outcome, Err(KeyMismatch::Field(_)));
    assert!(matches!(tables.of_key(|k| k.architecture[7] ^= 1), Err(KeyMismatch::Architecture)));
    assert!(field(tables.of_key(|k| k.x_chunks += 1)));
    assert!(field(tables.of_key(|k| k.w_commitments.push(power))));
    assert!(field(tables.of_key(|k| k.w_commitments.truncate(k.w_commitments.len() - 1))));
    assert!(field(tables.of_key(|k| k.cuts.chunk_bits += 1)));
    assert!(field(tables.of_key(|k| k.y_chunks += 1)));
    assert!(matches!(tables.of_key(|k| k.cuts.layer += 1), Err(KeyMismatch::System(_))));
    assert!(field(tables.of_key(|k| k.publics[0].range.1 += 1)));
    assert!(field(tables.of_key(|k| k.publics[0].frac += 1)));
    assert!(field(tables.of_key(|k| k.publics[0].name.push('!'))));
    assert!(field(tables.of_key(|k| k.publics[0].inferences += 2)));
    assert!(field(tables.of_key(|k| k.publics[1].classes = Classes::Numbered)));
    assert!(field(tables.of_key(|k| drop(k.publics.pop()))));
    let reference = |outcome| matches!(outcome, Err(KeyMismatch::ReferenceString));
    assert!(reference(tables.of_key(|k| k.development = false)));
    assert!(reference(tables.of_key(|k| k.tau_g2 = -k.tau_g2)));
    let shell = |outcome| matches!(outcome, Err(KeyMismatch::Shell));
    assert!(shell(tables.of_key(|k| k.shell.k -= 1)));
    for i in 0..tables.key.verifying_key.shell.commitments.len() {
        let moved = |k: &mut VerifyingKey| k.shell.commitments[i] = (k.shell.commitments[i] + power).into_affine();
        assert!(shell(tables.of_key(moved)), "commitment {i}");
    }
    // Two errors that cancel in the sum of the commitments.
    assert!(shell(tables.of_key(|k| {
        k.shell.commitments[0] = (k.shell.commitments[0] + power).into_affine();
        k.shell.commitments[1] = (k.shell.commitments[1] - power).into_affine();
    })));
    let short = Srs { powers: tables.srs.powers[..64].to_vec(), ..tables.srs.clone() };
    let outcome = verify_key(&tables.key.verifying_key, &tables.key.architecture, &short);
    assert!(matches!(outcome, Err(KeyMismatch::SrsTooShort { .. })));
}

/// A function table or a gather's indices exchanged: the key commits to others than those published.
#[test]
fn exchanged_tables_and_indices_are_seen() {
    let published = published(&TABLES);
    for at in [0, 31] {
        let outcome = published.of_program(|p| p.tables[1].values[at] += 1);
        assert!(matches!(outcome, Err(KeyMismatch::Fixed)));
    }
    let outcome = self::published(&GATHER).of_program(|program| {
        program.nodes.iter_mut().for_each(|node| {
            if let vouch_program::Op::Gather { index, .. } = &mut node.op {
                index.swap(0, 1);
            }
        });
    });
    assert!(matches!(outcome, Err(KeyMismatch::Fixed)));
    for case in [&*TABLES, &*GATHER, &*PICK, &*OWN] {
        let published = self::published(case);
        let last = published.key.verifying_key.w_commitments.len() - 1;
        let outcome = published.of_key(|k| k.w_commitments[last] = -k.w_commitments[last]);
        assert!(matches!(outcome, Err(KeyMismatch::Fixed)));
    }
}

/// Anything else that an architecture says: the key's circuit is another's, or it has another list of inputs and outputs.
#[test]
fn other_architectures_have_other_keys() {
    let dense = published(&DENSE);
    let differs = |outcome| matches!(outcome, Err(KeyMismatch::Shell | KeyMismatch::Field(_) | KeyMismatch::System(_)));
    assert!(differs(dense.of_program(|p| {
        p.nodes.iter_mut().for_each(|node| {
            if let vouch_program::Op::Apply { shift, .. } = &mut node.op {
                *shift += 1;
            }
        });
    })));
    let output = dense.key.architecture.outline.program().inputs[0].node;
    // An output that is a copy of the input: a valid program, but not the one of the key.
    assert!(differs(dense.of_program(|p| {
        p.outputs[0].node = output;
        p.outputs[0].shape = p.inputs[0].shape.clone();
    })));
    assert!(differs(dense.of_architecture(|a| a.outputs[0].visibility = Visibility::Committed)));
    assert!(differs(dense.of_architecture(|a| a.outputs[0].range.1 = 2 * a.outputs[0].range.1 + 1)));
    assert!(differs(dense.of_architecture(|a| a.outputs[0].classes = Classes::Numbered)));
    assert!(differs(dense.of_architecture(|a| a.style.limb_bits = if a.style.limb_bits == 3 { 4 } else { 3 })));
    let clamps = published(&CLAMPS);
    assert!(differs(clamps.of_architecture(|a| a.style.products = !a.style.products)));
    // A width that lowering reads.
    let widened = |a: &mut Architecture, by: i32| {
        let clamp = a.bounds.iter_mut().find_map(|bounds| match bounds {
            NodeBounds::Clamp { high_bits } => Some(high_bits),
            _ => None,
        });
        let high_bits = clamp.unwrap();
        *high_bits = high_bits.saturating_add_signed(by);
    };
    assert!(differs(clamps.of_architecture(|a| widened(a, 2))));
}

/// Architectures that are none: bounds of other operators, too few of them, styles beyond all lookups, weights as outputs, weights at all.
#[test]
fn false_architectures_are_refused() {
    let clamps = published(&CLAMPS);
    let lower = |outcome| match outcome {
        Err(KeyMismatch::Lower(error)) => error,
        other => panic!("{other:?}"),
    };
    let misfit = |error| matches!(error, LowerError::Bounds { .. });
    for bounds in [
        NodeBounds::Clamp { high_bits: 1 },
        NodeBounds::Clamp { high_bits: 17 },
        NodeBounds::Clamp { high_bits: u32::MAX },
        NodeBounds::Max { difference_bits: 3 },
        NodeBounds::Product { fits: true },
        NodeBounds::Divide { quotient_bits: 3, remainder_bits: 3 },
        NodeBounds::ArgMax { least: 0, greatest: 7 },
    ] {
        for node in 0..clamps.key.architecture.bounds.len() {
            let own = clamps.key.architecture.bounds[node];
            if !(matches!(own, NodeBounds::Clamp { .. }) && matches!(bounds, NodeBounds::Clamp { high_bits: 2..=16 })) {
                assert!(misfit(lower(clamps.of_architecture(|a| a.bounds[node] = bounds))), "{node}: {bounds:?}");
            }
        }
    }
    // Whether an Apply clamps is the program's, not a bound's.
    let is_clamp = |bounds: &NodeBounds| matches!(bounds, NodeBounds::Clamp { .. });
    let unclamped = |a: &mut Architecture| *a.bounds.iter_mut().find(|b| is_clamp(b)).unwrap() = NodeBounds::Nothing;
    assert!(misfit(lower(clamps.of_architecture(unclamped))));
    assert!(misfit(lower(clamps.of_architecture(|a| a.bounds.truncate(1)))));
    assert!(misfit(lower(clamps.of_architecture(|a| a.bounds.push(NodeBounds::Nothing)))));
    for limb_bits in [0, 17, u32::MAX] {
        let error = lower(clamps.of_architecture(|a| a.style.limb_bits = limb_bits));
        assert!(matches!(error, LowerError::Style), "{limb_bits}");
    }
    assert!(matches!(lower(clamps.of_architecture(|a| a.inputs.clear())), LowerError::Ports(_)));
    assert!(matches!(lower(clamps.of_architecture(|a| a.outputs.clear())), LowerError::Ports(_)));
    let private = lower(clamps.of_architecture(|a| a.outputs[0].visibility = Visibility::Private));
    assert!(matches!(private, LowerError::Ports(_)));
    let weights = lower(clamps.of_program(|p| {
        let weight = p.nodes.iter().position(|node| matches!(node.op, vouch_program::Op::Weight { .. })).unwrap();
        p.outputs[0].node = NodeId(weight as u32);
        p.outputs[0].shape = p.nodes[weight].shape.clone();
    }));
    assert!(matches!(weights, LowerError::PublishesWeights(_)));
    assert!(matches!(lower(clamps.of_program(|p| p.nodes.swap(0, 2))), LowerError::Program(_)));
}

/// Few bytes that ask for much: refused before it is made.
#[test]
fn architectures_that_ask_for_too_much_are_refused() {
    use vouch_program::{AffineTerm, AxisIndex, Node, Op, View};
    let small = published(&GATHER);
    let lower = |change: &dyn Fn(&mut Program)| {
        let mut architecture = small.key.architecture.clone();
        let mut program = architecture.outline.program().clone();
        change(&mut program);
        architecture.bounds.resize(program.nodes.len(), NodeBounds::Nothing);
        architecture.outline = Outline::of(&program);
        architecture.lower(Limits::STRANGER).map(|_| ()).unwrap_err()
    };
    let push = |p: &mut Program, op, shape: &[usize]| {
        p.nodes.push(Node { op, shape: shape.to_vec(), frac: 0, source: "more".into() });
        NodeId(p.nodes.len() as u32 - 1)
    };
    // Tensors of 2^31 elements, and of fewer whose padding makes them as large.
    for shape in [&[9usize; 8][..], &[1 << 31], &[1 << 15, (1 << 15) + 1]] {
        let error = lower(&|p| {
            push(p, Op::Weight { data: vec![] }, shape);
        });
        assert!(matches!(error, LowerError::TooLarge { .. }), "{error}");
    }
    // Index tables of what a computed index picks from.
    let error = lower(&|p| {
        let rows = push(p, Op::Weight { data: vec![] }, &[1 << 13, 2, 1 << 13]);
        let index = push(p, Op::Weight { data: vec![] }, &[1 << 13, 1]);
        push(p, Op::Pick { rows, index, shared: 1 }, &[1 << 13, 1, 1 << 13]);
        let rows = push(p, Op::Weight { data: vec![] }, &[1 << 13, 2, 1 << 12]);
        push(p, Op::Pick { rows, index, shared: 1 }, &[1 << 13, 1, 1 << 12]);
    });
    assert!(matches!(error, LowerError::TooMuch { what: "positions of index tables", .. }), "{error}");
    // Sums of sums of sums.
    let error = lower(&|p| {
        let x = p.inputs[0].node;
        let twice = |node| vec![AffineTerm::Scaled { coef: 1, view: View { node, axes: vec![AxisIndex::var(0)] } }; 2];
        let mut sum = push(p, Op::Affine { terms: twice(x) }, &[3]);
        for _ in 0..10_000 {
            let of_many = vec![AffineTerm::Scaled { coef: 1, view: View::identity(sum, 1) }];
            let many = [of_many, twice(x)].concat();
            sum = push(p, Op::Affine { terms: many }, &[3]);
        }
    });
    assert!(matches!(error, LowerError::TooMuch { .. } | LowerError::TooManyTerms(_)), "{error}");
}

/// Bytes of an architecture's file changed behind a right checksum: it does not parse, is none, or is another.
#[test]
fn altered_architectures_are_refused() {
    let published = published(&TABLES);
    let file = published.key.architecture.to_bytes();
    let body = open(&file, Kind::Architecture).unwrap();
    for at in 0..body.len() {
        for flip in [1u8, 0x80] {
            let mut altered = body.to_vec();
            altered[at] ^= flip;
            if let Ok(architecture) = Architecture::from_bytes(&seal(Kind::Architecture, &altered)) {
                let mut key = published.key.verifying_key.clone();
                published.outcome(&key, &architecture).unwrap_err();
                // The same with a key that names it: names alone may be others.
                key.architecture = architecture.digest();
                if published.outcome(&key, &architecture).is_ok() {
                    assert!(lowered_alike(&architecture, &published.key.architecture), "byte {at}");
                }
            }
        }
    }
    for len in 0..body.len() {
        Architecture::from_bytes(&seal(Kind::Architecture, &body[..len])).err().unwrap();
    }
}

/// Whether two architectures have the same constraints but for their tensors' and tables' names.
fn lowered_alike(one: &Architecture, other: &Architecture) -> bool {
    let nameless = |architecture: &Architecture| {
        let lowered = architecture.lower(Limits::STRANGER).unwrap();
        let mut system = lowered.system;
        system.tensors.iter_mut().for_each(|tensor| tensor.name.clear());
        system.tables.iter_mut().for_each(|table| table.name.clear());
        (system, lowered.fixed)
    };
    nameless(one) == nameless(other)
}

/// Names of classes: as many as the output has places, bound by the key's digest, and told by proofs.
#[test]
fn labels_are_the_keys() {
    let named = |names: &[&str]| {
        let labels = Labels(names.iter().map(|name| name.to_string()).collect());
        SetupOptions { classes: [("y".to_string(), Some(labels))].into(), ..SetupOptions::chunk_bits(CHUNK_BITS) }
    };
    let published = published_with(&DENSE, &named(&["ant", "bee", "cat"]));
    published.of_key(|_| ()).unwrap();
    let key = &published.key.verifying_key;
    let read = VerifyingKey::from_bytes(&key.to_bytes()).unwrap();
    assert_eq!((&read, read.labels_of(1).unwrap().name(2)), (key, Some("cat")));
    let changed = |change: &dyn Fn(&mut VerifyingKey)| {
        let mut key = key.clone();
        change(&mut key);
        assert!(key.check().is_err());
        VerifyingKey::from_bytes(&key.to_bytes()).unwrap_err();
    };
    changed(&|k| k.labels[0].0[2] = "dog".into());
    changed(&|k| drop(k.labels[0].0.pop()));
    changed(&|k| drop(k.labels.pop()));
    changed(&|k| k.labels.push(k.labels[0].clone()));
    changed(&|k| k.publics[1].classes = Classes::Numbered);
    changed(&|k| k.publics[0].classes = Classes::Numbered);
    // Not as many as there are places; too long a name.
    for names in [&["ant", "bee"][..], &["ant", "bee", &"c".repeat(257)]] {
        let error = Needs::of(&DENSE.program, &named(names)).unwrap_err();
        assert!(matches!(error, vouch_prover::SetupError::Labels { .. }), "{error}");
    }
    let options = SetupOptions { classes: [("z".to_string(), None)].into(), ..SetupOptions::default() };
    assert!(matches!(Needs::of(&DENSE.program, &options), Err(vouch_prover::SetupError::NoSuchOutput(_))));
}
