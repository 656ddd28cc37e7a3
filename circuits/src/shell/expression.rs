//! Sums that are not worked out until they must be: what one arithmetic row can hold.
//!
//! An [`Expression`] is `coefficient·x·y + Σ coefficient·v + constant` over variables, as far as the one gate of the shell takes it: a
//! product and one more variable, or three variables. Scaling, adding constants and most additions then cost no row at all; a row is
//! spent when a sum becomes too long, or when a product or a message needs it as a variable
//! ([`super::arithmetic::Arithmetizer`]).

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field, One};

/// A value that has cells of the circuit; all of them are copies of one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Variable(pub usize);

/// Variables that a row has room for beside its output.
pub const INPUTS: usize = 3;

/// A polynomial that fits one row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Expression {
    /// Coefficient and factors of the product, if there is one; the factors in order.
    pub product: Option<(Fr, Variable, Variable)>,
    /// By variable, without zeros.
    pub linear: Vec<(Variable, Fr)>,
    /// The rest.
    pub constant: Fr,
}

/// `slope · variable + constant`.
#[derive(Clone, Copy, Debug)]
pub struct Affine {
    /// Coefficient of the variable.
    pub slope: Fr,
    /// The variable.
    pub variable: Variable,
    /// The rest.
    pub constant: Fr,
}

impl Affine {
    /// As an expression.
    pub fn expression(&self) -> Expression {
        Expression::default().plus(&Expression::from(self.variable).scaled(&self.slope)).plus_constant(&self.constant)
    }
}

impl From<Variable> for Expression {
    fn from(variable: Variable) -> Self {
        Self { linear: vec![(variable, Fr::one())], ..Self::default() }
    }
}

impl Expression {
    /// A number.
    pub fn constant(constant: Fr) -> Self {
        Self { constant, ..Self::default() }
    }

    /// Whether it is a number.
    pub fn is_constant(&self) -> bool {
        self.product.is_none() && self.linear.is_empty()
    }

    /// With at most one variable and no product.
    pub fn as_affine(&self) -> Option<Affine> {
        match (&self.product, &self.linear[..]) {
            (None, [(variable, slope)]) => Some(Affine { slope: *slope, variable: *variable, constant: self.constant }),
            _ => None,
        }
    }

    /// `a·b`.
    pub fn product_of(a: &Affine, b: &Affine) -> Self {
        let (x, y) = (a.variable.min(b.variable), a.variable.max(b.variable));
        let product = Self { product: Some((a.slope * b.slope, x, y)), ..Self::default() };
        let first = Self::from(a.variable).scaled(&(a.slope * b.constant));
        let second = Self::from(b.variable).scaled(&(b.slope * a.constant));
        product.plus(&first).plus(&second).plus_constant(&(a.constant * b.constant))
    }

    /// Times a number.
    pub fn scaled(&self, by: &Fr) -> Self {
        if *by == Fr::ZERO {
            return Self::default();
        }
        Self {
            product: self.product.map(|(c, x, y)| (c * by, x, y)),
            linear: self.linear.iter().map(|(v, c)| (*v, *c * by)).collect(),
            constant: self.constant * by,
        }
    }

    /// Plus a number.
    pub fn plus_constant(mut self, constant: &Fr) -> Self {
        self.constant += constant;
        self
    }

    /// The sum, where it still fits one row.
    pub fn checked_add(&self, other: &Self) -> Option<Self> {
        let product = match (self.product, other.product) {
            (Some((a, x, y)), Some((b, u, v))) if (x, y) == (u, v) => Some((a + b, x, y)),
            (Some(_), Some(_)) => return None,
            (one, other) => one.or(other),
        };
        let sum = Self {
            product: product.filter(|(coefficient, ..)| *coefficient != Fr::ZERO),
            linear: merge(&self.linear, &other.linear),
            constant: self.constant + other.constant,
        };
        let beside = |(x, y): (Variable, Variable)| sum.linear.iter().filter(|(v, _)| *v != x && *v != y).count();
        let fits = match sum.product {
            Some((_, x, y)) => beside((x, y)) < INPUTS - 1,
            None => sum.linear.len() <= INPUTS,
        };
        fits.then_some(sum)
    }

    /// How much of a row it fills.
    pub fn weight(&self) -> usize {
        2 * usize::from(self.product.is_some()) + self.linear.len()
    }

    /// Split as `lead·monic + constant`, `monic` having leading coefficient 1 and no constant, so that multiples of one sum are
    /// known as such. Not for a number.
    pub fn monic(&self) -> (Fr, Self) {
        let lead = self.product.map(|(c, ..)| c).or_else(|| self.linear.first().map(|(_, c)| *c)).unwrap_or(Fr::ONE);
        let rest = Self { constant: Fr::ZERO, ..self.clone() };
        if lead.is_one() {
            return (lead, rest);
        }
        match inverse(lead) {
            Some(inverse) => (lead, rest.scaled(&inverse)),
            // No coefficient is kept that is zero.
            None => (Fr::ONE, rest),
        }
    }

    /// The sum of parts of one product, which always fits.
    fn plus(&self, other: &Self) -> Self {
        let linear = merge(&self.linear, &other.linear);
        Self { product: self.product.or(other.product), linear, constant: self.constant + other.constant }
    }
}

/// The inverse of a coefficient, most of which are 1 or -1.
pub(super) fn inverse(coefficient: Fr) -> Option<Fr> {
    let own = coefficient.is_one() || (-coefficient).is_one();
    if own { Some(coefficient) } else { coefficient.inverse() }
}

/// The sum of two lists by variable.
fn merge(a: &[(Variable, Fr)], b: &[(Variable, Fr)]) -> Vec<(Variable, Fr)> {
    let mut sum = a.to_vec();
    for (variable, coefficient) in b {
        match sum.binary_search_by_key(variable, |(v, _)| *v) {
            Ok(at) => sum[at].1 += coefficient,
            Err(at) => sum.insert(at, (*variable, *coefficient)),
        }
    }
    sum.retain(|(_, coefficient)| *coefficient != Fr::ZERO);
    sum
}
