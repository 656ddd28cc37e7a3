//! The copy argument's polynomials, written once as the gates are ([`super::gates`]).
//!
//! Gabizon, Williamson, Ciobotaru: PLONK, ePrint 2019/953, section 5; over several products as in the Halo2 book, "Permutation argument".

use ark_bn254::Fr;

use super::domain::column_factor;
use super::gates::Algebra;
use super::shape::COPIES_TO_A_PRODUCT;

/// One of the argument's running products.
#[derive(Clone, Debug)]
pub struct Product<T> {
    /// In a row.
    pub own: T,
    /// In the next one.
    pub next: T,
    /// In the last usable row counted from this one, from which the next product goes on; the last product has none.
    pub last: Option<T>,
}

/// What the argument reads of a row.
#[derive(Clone, Debug)]
pub struct Copies<T> {
    /// The columns that may hold copies.
    pub columns: Vec<T>,
    /// The permutation, for each of them.
    pub permuted: Vec<T>,
    /// The running products, for [`COPIES_TO_A_PRODUCT`] columns each.
    pub products: Vec<Product<T>>,
    /// The row itself, as an element of the subgroup.
    pub row: T,
    /// 1 in the first row.
    pub first: T,
    /// 1 in the row where products end.
    pub end: T,
    /// 1 in the rows above that.
    pub usable: T,
}

impl<T: Algebra> Copies<T> {
    /// All polynomials, each zero in every row, in Halo2's order.
    pub fn constraints(&self, beta: &Fr, gamma: &Fr) -> Vec<T> {
        let Self { products, row, first, end, usable, .. } = self;
        let mut all = Vec::with_capacity(2 * products.len() + 1);
        let starts = products.first().map(|product| first.clone() * (T::number(&Fr::from(1u64)) - product.own.clone()));
        all.extend(starts);
        all.extend(products.last().map(|Product { own, .. }| end.clone() * (own.clone() * own.clone() - own.clone())));
        for (before, product) in products.iter().zip(products.iter().skip(1)) {
            let last = before.last.clone().unwrap_or_else(|| T::number(&Fr::from(0u64)));
            all.push(first.clone() * (product.own.clone() - last));
        }
        let gamma = T::number(gamma);
        let mut coset = row.clone().times(beta);
        let parts = self.columns.chunks(COPIES_TO_A_PRODUCT).zip(self.permuted.chunks(COPIES_TO_A_PRODUCT));
        for (product, (columns, permuted)) in products.iter().zip(parts) {
            let (mut left, mut right) = (product.next.clone(), product.own.clone());
            for (value, permuted) in columns.iter().zip(permuted) {
                let value = value.clone() + gamma.clone();
                left = left * (value.clone() + permuted.clone().times(beta));
                right = right * (value + coset.clone());
                coset = coset.times(&column_factor());
            }
            all.push((left - right) * usable.clone());
        }
        all
    }
}
