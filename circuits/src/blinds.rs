//! The base that blinds multiply: a point of which nobody knows how it relates to the powers of `τ`.
//!
//! Whoever knew it as a combination of the powers could move a commitment's polynomial by revealing another blind, after all
//! challenges, and prove anything; so it comes out of a hash, the same for all keys and reference strings, and no key names it.

use std::sync::LazyLock;

use ark_bn254::{Fq, G1Affine};
use ark_ff::PrimeField;
use sha3::{Digest, Keccak256};

/// What is hashed, before a counter.
const SEED: &[u8] = b"vouch base of blinds";

/// `B`: for the counter 0, 1, … (4 bytes big-endian), the Keccak-256 digest of seed and counter is taken as a big-endian number modulo the
/// base field's; the first that is the `x` of a point gives `B`, with the smaller of both `y`.
pub fn blind_base() -> G1Affine {
    static BASE: LazyLock<G1Affine> = LazyLock::new(|| {
        let candidate = |counter: u32| {
            let digest = Keccak256::new().chain_update(SEED).chain_update(counter.to_be_bytes()).finalize();
            G1Affine::get_point_from_x_unchecked(Fq::from_be_bytes_mod_order(&digest), false)
        };
        // Every second candidate is one, and these are fixed: a run that finds none would show in every test.
        (0..=u32::MAX).find_map(candidate).expect("one of the first few candidates is on the curve")
    });
    *BASE
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ec::AffineRepr;
    use ark_ff::{BigInteger, Field};

    #[test]
    fn the_base_is_the_one_on_the_protocol_page() {
        let base = blind_base();
        assert!(base.is_on_curve() && !base.is_zero());
        let (x, y) = base.xy().unwrap();
        assert_eq!(y * y, x * x * x + Fq::from(3u64));
        assert!(y.into_bigint() < (-y).into_bigint() && y != Fq::ONE);
        assert!(include_str!("../../docs/PROTOCOL.md").contains(&hex(&x.into_bigint().to_bytes_be())));
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
