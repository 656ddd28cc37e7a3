//! The hashes of inputs and outputs: the prover sends what was hashed, which the transcript does not absorb, since the statement, its first
//! message, has the hash. So the elements are fixed before the leaf point, at which they are compared with the committed tensor
//! ([`super::linear_claim`]); what they are packed from is [`crate::tensor_hash`]'s.

use crate::backend::{Channel, Check};
use crate::ir::ConstraintSystem;
use crate::sponge::Permute;
use crate::tensor_hash::{element_count, hash};

/// Reads the salt and the elements of each hashed tensor, in order, and gives the elements.
///
/// # Errors
/// A hash that is not the statement's, or a message that is missing.
pub fn verify<C: Channel + Permute>(ch: &mut C, system: &ConstraintSystem) -> Result<Vec<Vec<C::Scalar>>, Check> {
    let hashed = system.publics.iter().filter(|public| public.is_hashed());
    let read = |public: &crate::ir::Public| {
        let bits = system.tensor(public.tensor).bits();
        let salt = ch.read_hashed()?;
        let elements = (0..element_count(bits)).map(|_| ch.read_hashed()).collect::<Result<Vec<_>, _>>()?;
        let computed = hash(ch, bits, &salt, &elements);
        let stated = ch.stated_hash()?;
        ch.assert_equal(&computed, &stated, Check::Hash)?;
        Ok(elements)
    };
    hashed.map(read).collect()
}
