//! The arithmetic that the core's verifier is written over, and the channel it reads the proof from.
//!
//! The verifier algorithm ([`crate::argument`]) is written once, generic over these two traits. Read natively
//! ([`crate::transcript::Reader`]) it runs on field elements; read as a circuit it runs on assigned
//! cells. So it may only add, multiply, invert, assert, and talk to the transcript: no branch may depend on a value.

use ark_bn254::Fr;
use thiserror::Error;

/// The check of the verifier that refused a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Check {
    /// A message of the proof is missing, superfluous or no canonical field element.
    #[error("the proof's shape does not fit the verifying key")]
    Shape,
    /// The lookups' fractions do not sum to zero.
    #[error("a looked-up row is in no table (the LogUp sum is not zero)")]
    LookupSum,
    /// A round of the lookup argument's sumchecks does not add up to the claim before it.
    #[error("the lookup argument's sumcheck does not reach the claimed values")]
    LookupSumcheck,
    /// The contraction sumcheck does not end in the claimed operands.
    #[error("a matrix product, convolution or product does not fit its operands")]
    Contraction,
    /// The committed values do not satisfy the combined linear claims.
    #[error("the committed tensors do not satisfy the claims about them")]
    Batch,
    /// A hashed input or output has not the hash that the statement has for it.
    #[error("a hashed input or output has another hash")]
    Hash,
    /// The pairing equation of the opening does not hold.
    #[error("the opening of the commitments fails the pairing check")]
    Pairing,
    /// A challenge fell on one of the few values that the argument must avoid.
    #[error("a challenge is degenerate")]
    Degenerate,
}

/// Field arithmetic over plain or assigned values.
pub trait Arithmetic {
    /// A field element, or a cell that holds one.
    type Scalar: Clone;

    /// A constant that is part of the verifier's description.
    fn constant(&mut self, value: Fr) -> Self::Scalar;
    /// `a + b`.
    fn add(&mut self, a: &Self::Scalar, b: &Self::Scalar) -> Self::Scalar;
    /// `a - b`.
    fn sub(&mut self, a: &Self::Scalar, b: &Self::Scalar) -> Self::Scalar;
    /// `a · b`.
    fn mul(&mut self, a: &Self::Scalar, b: &Self::Scalar) -> Self::Scalar;
    /// `a · c` for a constant of the verifier's description.
    fn scale(&mut self, a: &Self::Scalar, c: Fr) -> Self::Scalar;
    /// `1 / a`; refuses `a = 0` with `check`.
    fn invert(&mut self, a: &Self::Scalar, check: Check) -> Result<Self::Scalar, Check>;
    /// Refuses `a != b` with `check`.
    fn assert_equal(&mut self, a: &Self::Scalar, b: &Self::Scalar, check: Check) -> Result<(), Check>;

    /// `a + b · c`.
    fn mul_add(&mut self, a: &Self::Scalar, b: &Self::Scalar, c: &Self::Scalar) -> Self::Scalar {
        let product = self.mul(b, c);
        self.add(a, &product)
    }

    /// `1 - a`.
    fn complement(&mut self, a: &Self::Scalar) -> Self::Scalar {
        let one = self.constant(Fr::from(1u64));
        self.sub(&one, a)
    }
}

/// The verifier's end of the transcript.
pub trait Channel: Arithmetic {
    /// Names the step that begins, so that no message of one step can stand for another's.
    fn label(&mut self, step: Step);
    /// The prover's next message, absorbed.
    fn read(&mut self) -> Result<Self::Scalar, Check>;
    /// The next message that stands for group elements (their digest, the first one the statement's too), absorbed.
    fn read_points(&mut self) -> Result<(), Check>;
    /// The next hash that the statement has. Not absorbed: the statement is.
    fn stated_hash(&mut self) -> Result<Self::Scalar, Check>;
    /// The prover's next message, not absorbed: one that a hash in the statement determines.
    fn read_hashed(&mut self) -> Result<Self::Scalar, Check>;
    /// A challenge that depends on everything so far.
    fn challenge(&mut self) -> Self::Scalar;
}

/// The steps of the argument, for domain separation in the transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Step {
    /// Statement and chunk commitments.
    Commitments = 1,
    /// LogUp-GKR.
    Lookups = 2,
    /// The contraction sumcheck.
    Contractions = 3,
    /// The batching sumcheck to one point.
    Batch = 4,
    /// The opening of the committed vectors.
    Opening = 5,
}

/// Plain field arithmetic, without a transcript: what the prover uses to follow the verifier's computations.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

macro_rules! plain_arithmetic {
    ($type:ty) => {
        impl $crate::backend::Arithmetic for $type {
            type Scalar = ark_bn254::Fr;

            fn constant(&mut self, value: ark_bn254::Fr) -> ark_bn254::Fr {
                value
            }
            fn add(&mut self, a: &ark_bn254::Fr, b: &ark_bn254::Fr) -> ark_bn254::Fr {
                *a + b
            }
            fn sub(&mut self, a: &ark_bn254::Fr, b: &ark_bn254::Fr) -> ark_bn254::Fr {
                *a - b
            }
            fn mul(&mut self, a: &ark_bn254::Fr, b: &ark_bn254::Fr) -> ark_bn254::Fr {
                *a * b
            }
            fn scale(&mut self, a: &ark_bn254::Fr, c: ark_bn254::Fr) -> ark_bn254::Fr {
                *a * c
            }
            fn invert(
                &mut self,
                a: &ark_bn254::Fr,
                check: $crate::backend::Check,
            ) -> Result<ark_bn254::Fr, $crate::backend::Check> {
                ark_ff::Field::inverse(a).ok_or(check)
            }
            fn assert_equal(
                &mut self,
                a: &ark_bn254::Fr,
                b: &ark_bn254::Fr,
                check: $crate::backend::Check,
            ) -> Result<(), $crate::backend::Check> {
                if a == b { Ok(()) } else { Err(check) }
            }
        }
    };
}
pub(crate) use plain_arithmetic;

plain_arithmetic!(Plain);
