//! Junk in padding. The lowerings leave no cell of it free, so these constraints are written by hand: two committed tensors whose
//! padding nothing binds are contracted with each other, over every kind of read. The statement's output stays what it is.

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field};
use vouch_circuits::backend::Check;
use vouch_circuits::ir::*;
use vouch_circuits::lowering::padded_positions;

use crate::cheat::{Bend, Cheat};
use crate::scene::{Scene, randoms};
use crate::values::{Values, contract, publics};

/// `out = contraction(a, b)`, all three public, and nothing else said.
fn product(vars: &[usize], outputs: usize, a: (&[usize], Access), b: Option<(&[usize], Access)>) -> Scene {
    let mut system = ConstraintSystem::default();
    let mut tensor = |name: &str, shape: &[usize]| {
        let id = TensorId(system.tensors.len() as u32);
        system.tensors.push(Tensor { origin: Origin::Witness, shape: shape.to_vec(), name: name.into() });
        let role = if name == "out" { Role::Output } else { Role::Input };
        let (name, shape, range) = (name.to_string(), shape.to_vec(), (-(1 << 20), 1 << 20));
        system.publics.push(Public {
            tensor: id,
            role,
            visibility: Visibility::Public,
            name,
            shape,
            frac: 0,
            column_fracs: vec![],
            range,
            inferences: 1,
            classes: Classes::None,
        });
        id
    };
    let lhs = Operand { tensor: tensor("a", a.0), access: a.1 };
    let rhs = b.map(|(shape, access)| Operand { tensor: tensor("b", shape), access });
    let out = tensor("out", &vars[..outputs]);
    system.contractions.push(Contraction { vars: vars.to_vec(), outputs, lhs, rhs });
    let result = Virtual::zero(&vars[..outputs]).plus(1, Source::Contraction(ContractionId(0)));
    system.equals.push(result.plus_raw(-1, out));
    let model = vec![Vec::new(); system.tensors.len()];
    Scene::of_system(system, model)
}

/// All kinds of reads where padding lies beside true entries.
fn scenes() -> Vec<(&'static str, Scene)> {
    let vars = |vars: &[usize]| Access::Indexed(vars.iter().map(|v| Index::var(*v)).collect());
    let window =
        |out: usize, stride: i64, tap: usize, pad: i64| Index { terms: vec![(out, stride), (tap, 1)], offset: -pad };
    vec![
        ("summed", product(&[5], 0, (&[5], vars(&[0])), Some((&[5], vars(&[0]))))),
        ("matrix", product(&[3, 5, 6], 2, (&[3, 6], vars(&[0, 2])), Some((&[6, 5], vars(&[2, 1]))))),
        ("batch", product(&[3, 2, 5], 2, (&[3, 5], vars(&[0, 2])), Some((&[3, 5, 2], vars(&[0, 2, 1]))))),
        ("elements", product(&[3, 5], 2, (&[3, 5], vars(&[0, 1])), Some((&[3, 5], vars(&[0, 1]))))),
        ("transposed", product(&[3, 5], 1, (&[5, 3], vars(&[1, 0])), Some((&[3, 5], vars(&[0, 1]))))),
        (
            "windows",
            product(
                &[3, 3],
                1,
                (&[6], Access::Indexed(vec![window(0, 2, 1, 1)])),
                Some((&[7], Access::Indexed(vec![window(0, 2, 1, 0)]))),
            ),
        ),
        ("sum of windows", product(&[2, 3], 1, (&[5], Access::Indexed(vec![window(0, 2, 1, 0)])), None)),
        ("sum of a longer tensor", product(&[3], 0, (&[6], vars(&[0])), None)),
        ("broadcast", product(&[3, 5], 1, (&[5], vars(&[1])), Some((&[3], vars(&[0]))))),
    ]
}

/// Small values in the true entries, those of `junk` in the padding; the result computed, or with `truth` that of zero padding.
fn filled(scene: &Scene, junk: &mut dyn FnMut() -> Fr) -> Values {
    let system = scene.system();
    let mut values = vec![Vec::new(); system.tensors.len()];
    let out = system.tensors.len() - 1;
    for (i, tensor) in system.tensors[..out].iter().enumerate() {
        values[i] = (0..1 << tensor.bits()).map(|_| junk()).collect();
        for (k, position) in padded_positions(&tensor.shape).into_iter().enumerate() {
            values[i][position] = Fr::from((k * k) as i64 % 11 - 4 + i as i64);
        }
    }
    values[out] = contract(system, system.contraction(ContractionId(0)), &values);
    values
}

#[test]
fn junk_in_padding_leaves_the_statement_as_it_is() {
    for (name, scene) in scenes() {
        let clean = filled(&scene, &mut || Fr::ZERO);
        scene.assert_accepts(&clean);
        let truth = publics(scene.system(), &clean);
        let mut state = 1000u64;
        let mut small = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Fr::from(state >> 48) - Fr::from(1u64 << 15)
        };
        for field in [false, true] {
            let junk = filled(&scene, &mut || if field { randoms(1)[0] } else { small() });
            assert_eq!(publics(scene.system(), &junk), truth, "{name}");
            // Harmless: the read ends at the true length.
            assert_eq!(scene.refusal(&junk), None, "{name}");

            // What the result would be, were the padding read: refused, bent or not.
            for wrong in [with_junk_read(&scene, &junk), raised(&junk)] {
                if publics(scene.system(), &wrong) == truth {
                    continue;
                }
                let refusals = [Bend::Nothing, Bend::Batch]
                    .map(|bend| scene.refusal_of(&Cheat { bend, ..Cheat::new(&scene, &wrong) }));
                assert_eq!(refusals, [Check::Batch, Check::Pairing].map(Some), "{name}");
            }
        }
    }
}

/// The result changed by one in its first entry.
fn raised(values: &Values) -> Values {
    let mut raised = values.clone();
    raised.last_mut().unwrap()[0] += Fr::ONE;
    raised
}

/// The result with all axes and sums as long as their padding, small so that it can be stated.
fn with_junk_read(scene: &Scene, values: &Values) -> Values {
    let mut system = scene.system().clone();
    system.contractions[0].vars.iter_mut().for_each(|len| *len = len.next_power_of_two());
    system.tensors.iter_mut().for_each(|t| t.shape.iter_mut().for_each(|len| *len = len.next_power_of_two()));
    let mut wrong = values.clone();
    *wrong.last_mut().unwrap() = contract(&system, &system.contractions[0], values);
    wrong
}

/// A prover whose own idea of the constraints is that the padding is read: nothing is false in its totals, rounds and operands but
/// what they are about. The batch takes the operands' claims for what the key says.
#[test]
fn a_prover_who_reads_the_padding_is_refused() {
    let both = |vars: &[usize]| Access::Indexed(vars.iter().map(|v| Index::var(*v)).collect());
    let summed = product(&[5], 0, (&[5], both(&[0])), Some((&[5], both(&[0]))));
    let batch = product(&[3, 5], 1, (&[3, 5], both(&[0, 1])), Some((&[3, 5], both(&[0, 1]))));
    for scene in [summed, batch] {
        let mut next = 100;
        let mut values = filled(&scene, &mut || {
            next += 1;
            Fr::from(next)
        });
        let truth = publics(scene.system(), &values);
        let mut idea = scene.system().clone();
        let contraction = &mut idea.contractions[0];
        contraction.lhs.access = Access::Raw;
        contraction.rhs.as_mut().unwrap().access = Access::Raw;
        contraction.vars[contraction.outputs..].fill(8);
        *values.last_mut().unwrap() = contract(&idea, &idea.contractions[0], &values);
        assert_ne!(publics(scene.system(), &values), truth);
        let cheat = Cheat { system: &idea, ..Cheat::new(&scene, &values) };
        assert_eq!(scene.refusal_of(&cheat), Some(Check::Batch));
    }
}
