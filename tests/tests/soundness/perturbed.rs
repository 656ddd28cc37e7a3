//! Every committed cell, true or padding, changed by one: alone, and with all that an honest prover would compute from it. Refused,
//! or without effect on the statement. The cheating prover and the product's own agree on the refusing check.

use ark_bn254::Fr;
use vouch_circuits::backend::Check;
use vouch_circuits::ir::*;
use vouch_circuits::lowering::padded_positions;
use vouch_prover::prove::prove_witness;
use vouch_prover::witness::Witness;
use vouch_prover::{CoreProvingKey, SetupOptions, setup_core};
use vouch_verifier::{PreparedCore, Refused, verify_core};

use crate::programs::*;
use crate::scene::{SRS, Scene};
use crate::values::*;

/// First, second and last true cell, and the first and last one of the padding.
fn positions(tensor: &Tensor) -> Vec<usize> {
    let inside = padded_positions(&tensor.shape);
    let outside: Vec<usize> = (0..1 << tensor.bits()).filter(|p| !inside.contains(p)).collect();
    let mut positions: Vec<usize> = [inside.first(), inside.get(1), inside.last(), outside.first(), outside.last()]
        .into_iter()
        .flatten()
        .copied()
        .collect();
    positions.dedup();
    positions
}

#[test]
fn no_cell_can_be_another() {
    let mut refused = 0;
    for (case, scene) in lowered_in_every_style() {
        let system = scene.system();
        let honest = scene.honest(&case.inputs);
        for (i, tensor) in system.tensors.iter().enumerate().filter(|(_, t)| t.origin == Origin::Witness) {
            let is_multiplicity = system.tables.iter().any(|t| t.multiplicity.0 as usize == i);
            for position in positions(tensor) {
                for delta in [1, -1] {
                    let mut alone = honest.clone();
                    alone[i][position] += Fr::from(delta);
                    let mut lies = vec![alone];
                    if !is_multiplicity {
                        count(system, &mut lies[0]);
                        lies.push(followed(case, scene, i, position, delta));
                    }
                    for values in lies.into_iter().filter(|values| *values != honest) {
                        let what = || format!("{}: {} at {position}, {delta}", case.program.name, tensor.name);
                        match scene.refusal(&values) {
                            Some(Check::LookupSum | Check::Batch) => refused += 1,
                            Some(other) => panic!("{}: refused by {other:?}", what()),
                            None => {
                                // The honest run of the input that is stated: the only proof that there is.
                                let stated = publics(system, &values);
                                let inputs = &stated[..case.inputs.len()];
                                assert!(inputs.iter().flatten().all(|v| (-8..8).contains(v)), "{}", what());
                                assert_eq!(values, scene.honest(inputs), "{}", what());
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(refused > 500, "{refused} lies were refused");
}

/// The lie with all later steps computed from it. What no step of its own writes is changed right after the first step, and stays
/// if no later one writes it again.
fn followed(case: &Case, scene: &Scene, tensor: usize, position: usize, delta: i64) -> Values {
    let mut told = false;
    run(&scene.lowered, &scene.model, &case.inputs, &mut |_, values| {
        if !told && !values[tensor].is_empty() {
            values[tensor][position] += Fr::from(delta);
            told = true;
        }
    })
}

fn product_key(case: &Case, scene: &Scene) -> (CoreProvingKey, PreparedCore) {
    let limb_bits = Some(scene.lowered.style.limb_bits);
    let options = SetupOptions { limb_bits, ..SetupOptions::cut_at(scene.layout.cuts()) };
    let key = setup_core(case.program.clone(), &options, SRS.clone(), [7; 32], &mut |_| {}).unwrap();
    let prepared = PreparedCore::new(key.key.clone(), key.key_digest).unwrap();
    (key, prepared)
}

/// The values as the product's prover takes them; none if some are no small integers.
fn product_witness(system: &ConstraintSystem, values: &Values) -> Option<Witness> {
    let narrow = |v: &Fr| small(*v).and_then(|v| i32::try_from(v).ok());
    let column = |column: &Virtual| rows(system, column, values).into_iter().map(small).collect::<Option<Vec<i64>>>();
    Some(Witness {
        values: values.iter().map(|t| t.iter().map(narrow).collect()).collect::<Option<_>>()?,
        lookups: (system.lookups.iter())
            .map(|lookup| lookup.columns.iter().map(column).collect())
            .collect::<Option<_>>()?,
        products: (system.products.iter())
            .map(|product| {
                let [a, b, c] = &product.terms;
                Some([column(a)?, column(b)?, column(c)?])
            })
            .collect::<Option<_>>()?,
    })
}

/// The product's own prover, given a lie: the same check refuses it.
#[test]
fn the_products_own_prover_cannot_prove_lies_either() {
    let mut agreed = 0;
    for (case, scene) in lowered_in_every_style() {
        let (key, prepared) = product_key(case, scene);
        let system = scene.system();
        let honest = scene.honest(&case.inputs);
        let prove = |values: &Values| {
            let witness = product_witness(system, values)?;
            let proof = prove_witness(&key, &witness, None, &mut |_| {}).unwrap();
            Some(verify_core(&prepared, &proof).map(|_| ()))
        };
        assert_eq!(prove(&honest), Some(Ok(())), "{}", case.program.name);
        for (i, tensor) in system.tensors.iter().enumerate().filter(|(_, t)| t.origin == Origin::Witness) {
            let mut values = honest.clone();
            values[i][0] += Fr::from(1);
            let expected = scene.refusal(&values).expect("a changed cell is refused");
            match prove(&values) {
                Some(Err(Refused::PublicRange { .. })) | None => {}
                Some(refusal) => {
                    assert_eq!(refusal, Err(Refused::Check(expected)), "{}: {}", case.program.name, tensor.name);
                    agreed += 1;
                }
            }
        }
    }
    assert!(agreed > 40, "{agreed} lies were told to both");
}
