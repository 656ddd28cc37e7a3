//! Products that share the fractions' sumcheck: false ones, in true rows and in padding, and what a prover might cancel them with.

use std::sync::LazyLock;

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field};
use vouch_circuits::backend::Check;
use vouch_circuits::ir::*;

use crate::cheat::{BENDS, Bend, Cheat};
use crate::fraction_lies::balanced_at;
use crate::scene::{CHUNK_BITS, Scene, randoms};
use crate::values::{Values, count};

const A: TensorId = TensorId(0);
const B: TensorId = TensorId(1);
const C: TensorId = TensorId(2);
const D: TensorId = TensorId(3);

/// `a(i, j)·b(j) = c(i, j)` and `2(a + 1)·c = d + 2`, `a` and `b` of three bits each, `d` the output.
fn system() -> ConstraintSystem {
    let tensor =
        |shape: &[usize], name: &str| Tensor { origin: Origin::Witness, shape: shape.to_vec(), name: name.into() };
    let counts = TensorId(4);
    let tensors = vec![
        tensor(&[3, 5], "a"),
        tensor(&[5], "b"),
        tensor(&[3, 5], "c"),
        tensor(&[3, 5], "d"),
        tensor(&[8], "multiplicities"),
    ];
    let range = TableId(0);
    let lookup = |tensor, shape: &[usize]| Lookup { columns: vec![Virtual::raw(tensor, shape)], table: range };
    let broadcast = Operand { tensor: B, access: Access::Indexed(vec![Index { terms: vec![(1, 1)], offset: 0 }]) };
    let raw = |tensor| Virtual::raw(tensor, &[3, 5]);
    let products = [
        [raw(A), Virtual::zero(&[3, 5]).plus(1, Source::Read(broadcast)), raw(C)],
        [Virtual::zero(&[3, 5]).plus_raw(2, A).plus_constant(2), raw(C), raw(D).plus_constant(2)],
    ];
    let output = Public {
        tensor: D,
        role: Role::Output,
        visibility: Visibility::Public,
        name: "d".into(),
        shape: vec![3, 5],
        frac: 0,
        column_fracs: vec![],
        range: (-1000, 1000),
        inferences: 1,
        classes: Classes::None,
    };
    ConstraintSystem {
        tensors,
        lookups: vec![lookup(A, &[3, 5]), lookup(B, &[5])],
        tables: vec![Table {
            name: "range of 3 bits".into(),
            columns: vec![Virtual::zero(&[8]).plus(1, Source::Position)],
            multiplicity: counts,
        }],
        products: products.map(|terms| Product { terms }).to_vec(),
        publics: vec![output],
        ..ConstraintSystem::default()
    }
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| Scene::of_system(system(), vec![Vec::new(); 5]));

/// Values that satisfy everything, given `a` and `b` on their padded domains.
fn values(a: &[u64], b: &[u64]) -> Values {
    let [a, b] = [a, b].map(|v| v.iter().map(|v| Fr::from(*v)).collect::<Vec<_>>());
    // Beyond its length an index reads zero.
    let c: Vec<Fr> = a.iter().enumerate().map(|(i, a)| if i % 8 < 5 { *a * b[i % 8] } else { Fr::ZERO }).collect();
    let d = a.iter().zip(&c).map(|(a, c)| (*a + Fr::ONE) * c * Fr::from(2) - Fr::from(2)).collect();
    let mut values = vec![a, b, c, d, Vec::new()];
    count(SCENE.system(), &mut values);
    values
}

fn honest() -> Values {
    let a: Vec<u64> = (0..32).map(|i| (i * i + 3) % 8).collect();
    values(&a, &[1, 7, 0, 3, 2, 0, 0, 0])
}

#[test]
fn products_are_proven() {
    assert!(SCENE.layout.row_len > SCENE.layout.leaf_len);
    SCENE.assert_accepts(&honest());
    SCENE.assert_accepts(&values(&[0; 32], &[0; 8]));
    SCENE.assert_accepts(&values(&[7; 32], &[7; 8]));
}

/// Each cell of the results off by one, in true rows and in the padding, alone and with what follows from it.
#[test]
fn false_products_are_refused() {
    let honest = honest();
    for position in 0..32 {
        for by in [Fr::ONE, -Fr::ONE, randoms(1)[0]] {
            let mut c = honest.clone();
            c[C.0 as usize][position] += by;
            assert_eq!(SCENE.refusal(&c), Some(Check::Batch), "c at {position}");
            // `d` as it follows: the first product alone is false.
            let follows = (c[A.0 as usize][position] + Fr::ONE) * by.double();
            c[D.0 as usize][position] += follows;
            assert_eq!(SCENE.refusal(&c), Some(Check::Batch), "c and d at {position}");
            let mut d = honest.clone();
            d[D.0 as usize][position] += by;
            assert_eq!(SCENE.refusal(&d), Some(Check::Batch), "d at {position}");
        }
    }
}

/// A lie that is carried on as far as it goes.
#[test]
fn a_false_product_can_be_carried_as_far_as_the_commitments() {
    let mut values = honest();
    values[C.0 as usize][1] += Fr::ONE;
    let checks = BENDS.map(|bend| SCENE.refusal_of(&Cheat { bend, ..Cheat::new(&SCENE, &values) }));
    use Check::*;
    assert_eq!(checks, [Batch, Batch, Batch, Batch, Pairing].map(Some));
}

/// Where there are products, what a chunk holds behind the fractions' room is no free summand either: beside the products' rows, in their
/// place, and behind them.
#[test]
fn positions_behind_the_fractions_are_no_free_summands() {
    let layout = &SCENE.layout;
    let room = layout.chunks().y << CHUNK_BITS;
    assert!(layout.leaf_len <= layout.fraction_len() && layout.fraction_len() < room);
    let mut values = honest();
    values[4][2] += Fr::ONE;
    assert_eq!(SCENE.refusal(&values), Some(Check::Batch), "a false multiplicity");
    for position in layout.fraction_len()..room {
        for (bend, check) in [(Bend::Nothing, Check::Batch), (Bend::Batch, Check::Pairing)] {
            let mut cheat = Cheat { bend, ..Cheat::new(&SCENE, &values) };
            cheat.tamper_fractions = balanced_at(position);
            assert_eq!(SCENE.refusal_of(&cheat), Some(check), "position {position}, {bend:?}");
        }
    }
}

/// What might cancel a false product: `a` another one in the sumcheck than in the claims, with a fraction's commitment at its place or
/// without; a fraction elsewhere that is off by as much.
#[test]
fn nothing_cancels_a_false_product() {
    let layout = &SCENE.layout;
    let mut values = honest();
    let row = 3;
    values[C.0 as usize][row] += Fr::ONE;
    let first = layout.leaves.iter().find(|(leaf, _)| *leaf == vouch_circuits::layout::Leaf::Product(0)).unwrap().1;
    let second = layout.leaves.iter().find(|(leaf, _)| *leaf == vouch_circuits::layout::Leaf::Product(1)).unwrap().1;
    assert!(first.offset >= layout.fraction_len(), "products lie behind the fractions");
    // With b = 3 and c one too large, a third more makes the first product right, and the second one is made right by a factor.
    let (a, b, c) = (values[A.0 as usize][row], values[B.0 as usize][row], values[C.0 as usize][row]);
    let d = (values[D.0 as usize][row] + Fr::from(2)) / Fr::from(2);
    let (more, factor) = (b.inverse().unwrap(), d / c);
    assert_eq!((a + more) * b, c);
    let room = layout.chunks().y << CHUNK_BITS;
    for committed in [false, true] {
        for (bend, check) in [(Bend::Nothing, Check::Batch), (Bend::Batch, Check::Pairing)] {
            let mut cheat = Cheat { bend, ..Cheat::new(&SCENE, &values) };
            cheat.tamper_factors = Box::new(move |y| {
                y[first.offset + row] += more;
                y[second.offset + row] = factor;
            });
            cheat.tamper_fractions = Box::new(move |y| {
                if committed && first.offset + row < room {
                    y[first.offset + row] = more;
                }
            });
            assert_eq!(SCENE.refusal_of(&cheat), Some(check), "{committed}, {bend:?}");
        }
    }
    for position in 0..layout.y_len() {
        let mut cheat = Cheat::new(&SCENE, &values);
        cheat.tamper_fractions = Box::new(move |y| y[position] += Fr::ONE);
        assert_eq!(SCENE.refusal_of(&cheat), Some(Check::Batch), "fraction {position}");
    }
}
