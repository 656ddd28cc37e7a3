//! The copy argument's running products.

use ark_bn254::Fr;
use ark_ff::{One, batch_inversion};
use rand::CryptoRng;
use rayon::prelude::*;
use vouch_circuits::shell::domain::column_factor;
use vouch_circuits::shell::shape::{COPIES_TO_A_PRODUCT, UNUSABLE_ROWS};

use super::{Column, ProvingKey};

/// A product for each few columns, each going on where the one before ends: of `(cell + β·own place + γ) / (cell + β·next place + γ)` over the
/// rows above, which is one in the end if the next place always holds the same.
pub fn products(
    key: &ProvingKey,
    advice: &[Column],
    instance: &Column,
    beta: &Fr,
    gamma: &Fr,
    rng: &mut impl CryptoRng,
) -> Vec<Column> {
    let columns: Vec<&Column> = advice.iter().chain([instance]).collect();
    let (end, factor) = (key.rows.end(), column_factor());
    let mut place = *beta;
    let mut start = Fr::one();
    let parts = columns.chunks(COPIES_TO_A_PRODUCT).zip(key.permuted.chunks(COPIES_TO_A_PRODUCT));
    let product = |(columns, permuted): (&[&Column], &[Column])| {
        let mut factors = Vec::with_capacity(columns.len());
        for column in columns {
            factors.push((&column.values, place));
            place *= factor;
        }
        let rows = key.rows.elements(Fr::one());
        let mut below: Vec<Fr> = (0..end)
            .into_par_iter()
            .map(|row| {
                let each = columns.iter().zip(permuted);
                each.map(|(column, next)| column.values[row] + *beta * next.values[row] + gamma).product()
            })
            .collect();
        batch_inversion(&mut below);
        let ratios: Vec<Fr> = (0..end)
            .into_par_iter()
            .map(|row| {
                let above = factors.iter().map(|(values, place)| values[row] + rows[row] * place + gamma);
                above.product::<Fr>() * below[row]
            })
            .collect();
        let mut values = Vec::with_capacity(key.rows.size);
        values.push(start);
        for ratio in ratios {
            start *= ratio;
            values.push(start);
        }
        values.resize(key.rows.size, start);
        values
    };
    let mut products: Vec<Vec<Fr>> = parts.map(product).collect();
    products.iter_mut().for_each(|values| key.rows.blind(values, UNUSABLE_ROWS - 1, rng));
    products.into_par_iter().map(|values| key.rows.column(values)).collect()
}
