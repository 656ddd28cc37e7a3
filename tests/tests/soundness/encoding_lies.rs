//! Lies in the bytes of a proof: second encodings, points off the curve, cuts, additions, every byte altered; with the file's checksum
//! as it was and made right again.

use std::sync::LazyLock;

use ark_bn254::{Fq, Fr, G1Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInt, BigInteger, PrimeField};
use vouch_circuits::backend::Check;
use vouch_circuits::encoding::DecodeError;
use vouch_circuits::files::{FileError, Kind, open, seal};
use vouch_circuits::key::Proof;
use vouch_circuits::points::{decode_g1, encode_g1, encode_scalar};
use vouch_verifier::Refused;

use crate::contract::verify;
use crate::wrapped::wrapped;

/// The body of an honest proof's file, and where its parts begin.
struct Body {
    proof: Proof,
    bytes: Vec<u8>,
    commitments: usize,
    fractions: usize,
    opening: usize,
    exports: usize,
    shell: usize,
}

/// One proof serves all: making it takes a second.
static BODY: LazyLock<Body> = LazyLock::new(|| {
    let proof = wrapped().prove(None);
    let bytes = open(&proof.to_bytes(), Kind::Proof).unwrap().to_vec();
    let publics: usize = proof.publics.iter().map(|values| 4 + 8 * values.len()).sum();
    let commitments = 32 + 1 + 4 + 4 + publics + 4;
    let fractions = commitments + 64 * proof.x_commitments.len() + 4;
    let opening = fractions + 64 * proof.y_commitments.len();
    let exports = opening + 3 * 64 + 4;
    let shell = exports + 32 * proof.exports.len() + 4;
    let body = Body { proof, bytes, commitments, fractions, opening, exports, shell };
    assert_eq!(body.bytes[commitments..][..64], encode_g1(&body.proof.x_commitments[0]));
    assert_eq!(body.bytes[exports..][..32], encode_scalar(&body.proof.exports[0]));
    assert_eq!(body.bytes[shell..], body.proof.shell);
    assert_eq!(decided(&body.bytes), Outcome::Accepted);
    body
});

fn body() -> &'static Body {
    &BODY
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Undecodable(DecodeError),
    Refused(Refused),
    Accepted,
}

/// What becomes of a file with this body and a right checksum.
fn decided(body: &[u8]) -> Outcome {
    match Proof::from_bytes(&seal(Kind::Proof, body)) {
        Err(error) => Outcome::Undecodable(error),
        Ok(proof) => match verify(&wrapped().prepared, &proof) {
            Err(refused) => Outcome::Refused(refused),
            Ok(_) => Outcome::Accepted,
        },
    }
}

impl Body {
    /// The outcome with other bytes at one place.
    fn with(&self, at: usize, bytes: &[u8]) -> Outcome {
        let mut changed = self.bytes.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        assert_ne!(changed, self.bytes);
        decided(&changed)
    }

    /// Where points stand, and in what; Halo2's own left out.
    fn points(&self) -> Vec<(usize, &'static str)> {
        let at = |start: usize, count: usize, what| (0..count).map(move |i| (start + 64 * i, what));
        at(self.commitments, self.proof.x_commitments.len(), "commitments")
            .chain(at(self.fractions, self.proof.y_commitments.len(), "commitments to fractions"))
            .chain(at(self.opening, 3, "opening"))
            .collect()
    }

    /// Where Halo2's points stand: the columns', the permutation's, the quotient's; what follows them are scalars, and at the end two more.
    fn shell_points(&self) -> Vec<usize> {
        let whole = |at: usize| decode_g1(&self.bytes[at..at + 64]).is_some();
        let first = (self.shell..).step_by(64).take_while(|at| whole(*at));
        first.chain([self.bytes.len() - 128, self.bytes.len() - 64]).collect()
    }
}

fn malformed(what: &'static str) -> Outcome {
    Outcome::Undecodable(DecodeError::Field(what))
}

/// The bytes of `value + modulus`.
fn second(value: BigInt<4>, modulus: BigInt<4>) -> Vec<u8> {
    let mut sum = value;
    assert!(!sum.add_with_carry(&modulus), "twice a modulus of 254 bits fits 256");
    sum.to_bytes_be()
}

/// `value + p` means the same number: each scalar has one encoding only.
#[test]
fn scalars_beyond_the_modulus_are_undecodable() {
    let body = body();
    for (i, scalar) in body.proof.exports.iter().enumerate() {
        let at = body.exports + 32 * i;
        assert_eq!(body.with(at, &second(scalar.into_bigint(), Fr::MODULUS)), malformed("exports"), "scalar {i}");
    }
    assert_eq!(body.with(body.exports, &Fr::MODULUS.to_bytes_be()), malformed("exports"));
    assert_eq!(body.with(body.exports, &[0xff; 32]), malformed("exports"));
    // Halo2's scalars lie between its points.
    let points = body.shell_points();
    for at in (points[points.len() - 3] + 64..body.bytes.len() - 128).step_by(32) {
        let scalar = Fr::from_be_bytes_mod_order(&body.bytes[at..at + 32]);
        let outcome = body.with(at, &second(scalar.into_bigint(), Fr::MODULUS));
        assert_eq!(outcome, Outcome::Refused(Refused::Shell), "at {at}");
    }
}

/// Coordinates are below the base field's modulus; the point they mean is the same.
#[test]
fn coordinates_beyond_the_modulus_are_undecodable() {
    let body = body();
    let coordinate = |at: usize| Fq::from_be_bytes_mod_order(&body.bytes[at..at + 32]);
    for at in body.shell_points().into_iter().flat_map(|at| [at, at + 32]) {
        let outcome = body.with(at, &second(coordinate(at).into_bigint(), Fq::MODULUS));
        assert_eq!(outcome, Outcome::Refused(Refused::Shell), "Halo2's at {at}");
    }
    for (at, what) in body.points() {
        for at in [at, at + 32] {
            assert_eq!(
                body.with(at, &second(coordinate(at).into_bigint(), Fq::MODULUS)),
                malformed(what),
                "{what} at {at}"
            );
        }
        // A flag in the top bits, as compressed encodings have it.
        for flag in [0x80, 0x40] {
            assert_eq!(body.with(at, &[body.bytes[at] | flag]), malformed(what));
        }
    }
}

#[test]
fn points_off_the_curve_are_undecodable() {
    let body = body();
    let generator = encode_g1(&G1Affine::generator());
    for (at, what) in body.points() {
        let y = body.bytes[at + 32..at + 64].to_vec();
        assert_eq!(body.with(at, &y), malformed(what), "(y, y)");
        // One coordinate of another point; (1, 1); zero beside a coordinate, which is not infinity.
        assert_eq!(body.with(at, &generator[..32]), malformed(what));
        assert_eq!(body.with(at, &[&generator[..32], &generator[..32]].concat()), malformed(what));
        assert_eq!(body.with(at, &[0; 32]), malformed(what));
        assert_eq!(body.with(at + 32, &[0; 32]), malformed(what));
    }
}

/// Infinity has one encoding, and is no better than any other wrong point.
#[test]
fn infinity_is_refused_wherever_it_stands() {
    let body = body();
    for (at, what) in body.points() {
        // The shell knows the digests of all but W, which only the group equation sees.
        let refused = if at == body.opening + 128 { Refused::Check(Check::Pairing) } else { Refused::Shell };
        assert_eq!(body.with(at, &[0; 64]), Outcome::Refused(refused), "{what} at {at}");
    }
    for at in body.shell_points() {
        assert_eq!(body.with(at, &[0; 64]), Outcome::Refused(Refused::Shell), "Halo2's at {at}");
    }
}

#[test]
fn cut_and_extended_files_are_named() {
    let body = body();
    let file = body.proof.to_bytes();
    for len in 0..file.len() {
        let error = Proof::from_bytes(&file[..len]).unwrap_err();
        match error {
            DecodeError::File(FileError::Empty) => assert_eq!(len, 0),
            DecodeError::File(FileError::Cut { have, .. }) => assert_eq!(have, len as u64),
            other => panic!("{len} bytes: {other}"),
        }
    }
    for extra in [&[0][..], &[7; 40]] {
        let error = Proof::from_bytes(&[&file[..], extra].concat()).unwrap_err();
        assert_eq!(error, DecodeError::File(FileError::Trailing(extra.len() as u64)));
    }
    // The same with the checksum and length made right.
    for len in 0..body.bytes.len() {
        let outcome = decided(&body.bytes[..len]);
        assert!(matches!(outcome, Outcome::Undecodable(DecodeError::Field(_))), "{len} bytes: {outcome:?}");
    }
    assert_eq!(decided(&[&body.bytes[..], &[0]].concat()), Outcome::Undecodable(DecodeError::Trailing));
    assert_eq!(decided(&[&body.bytes[..], &body.bytes[..]].concat()), Outcome::Undecodable(DecodeError::Trailing));
}

/// Every byte of the file altered: the checksum tells, or the head.
#[test]
fn every_altered_byte_of_a_file_is_noticed() {
    let file = body().proof.to_bytes();
    for at in 0..file.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut altered = file.clone();
            altered[at] ^= flip;
            let error = Proof::from_bytes(&altered).unwrap_err();
            let DecodeError::File(error) = error else { panic!("byte {at}: {error}") };
            match at {
                0..6 => assert_eq!(error, FileError::Foreign, "byte {at}"),
                6..8 => {
                    let kind = matches!(error, FileError::UnknownKind(_) | FileError::OtherKind { .. });
                    assert!(kind, "byte {at}: {error}");
                }
                8..10 => assert!(matches!(error, FileError::OtherVersion { .. }), "byte {at}: {error}"),
                10..18 => {
                    let length = matches!(error, FileError::Cut { .. } | FileError::Trailing(_));
                    assert!(length, "byte {at}: {error}");
                }
                _ => assert_eq!(error, FileError::Altered, "byte {at}"),
            }
        }
    }
}

/// Every byte of the body altered behind a right checksum: what is left are the checks of the proof itself.
#[test]
fn every_altered_byte_behind_a_right_checksum_is_refused() {
    let body = body();
    let flips: &[u8] = &[0x01, 0x04, 0x10, 0x40, 0x80];
    assert!(body.bytes.len() * flips.len() > 10_000);
    for (at, byte) in body.bytes.iter().enumerate() {
        for flip in flips {
            let outcome = body.with(at, &[byte ^ flip]);
            let refused_by_shell = outcome == Outcome::Refused(Refused::Shell);
            let undecodable = matches!(outcome, Outcome::Undecodable(_));
            let expected = match at {
                0..32 => outcome == Outcome::Refused(Refused::OtherKey),
                _ if at < body.commitments - 4 => match &outcome {
                    Outcome::Refused(refused) => *refused == Refused::Shell || is_of_publics(refused),
                    _ => undecodable,
                },
                // More commitments take the opening's points, fewer leave some over.
                _ if at < body.exports => undecodable,
                _ => refused_by_shell || undecodable,
            };
            assert!(expected, "byte {at}, {flip:#x}: {outcome:?}");
        }
    }
}

fn is_of_publics(refused: &Refused) -> bool {
    matches!(refused, Refused::PublicCount { .. } | Refused::PublicLength { .. } | Refused::PublicRange { .. })
}

#[test]
fn files_of_another_kind_or_version_are_named() {
    let body = body();
    for found in [Kind::FixedPointModel, Kind::ProvingKey, Kind::VerifyingKey, Kind::ReferenceString] {
        let error = Proof::from_bytes(&seal(found, &body.bytes)).unwrap_err();
        assert_eq!(error, DecodeError::File(FileError::OtherKind { wanted: Kind::Proof, found }));
    }
    let file = body.proof.to_bytes();
    for version in [0u16, 2, 0x0100, u16::MAX] {
        let mut other = file.clone();
        other[8..10].copy_from_slice(&version.to_be_bytes());
        let error = Proof::from_bytes(&other).unwrap_err();
        assert_eq!(error, DecodeError::File(FileError::OtherVersion { found: version }));
    }
    let mut unknown = file.clone();
    unknown[6..8].copy_from_slice(&99u16.to_be_bytes());
    assert_eq!(Proof::from_bytes(&unknown).unwrap_err(), DecodeError::File(FileError::UnknownKind(99)));
}

/// Counts that promise more than there is, or other groupings of the same bytes.
#[test]
fn false_counts_are_refused() {
    let body = body();
    let counts = [
        (body.commitments - 4, "commitments"),
        (body.fractions - 4, "commitments to fractions"),
        (body.exports - 4, "exports"),
        (body.shell - 4, "shell proof"),
    ];
    for (at, what) in counts {
        for count in [u32::MAX, 1 << 24] {
            assert_eq!(body.with(at, &count.to_be_bytes()), malformed(what));
        }
        let true_count = u32::from_be_bytes(body.bytes[at..at + 4].try_into().unwrap());
        for count in [0, true_count - 1, true_count + 1] {
            let outcome = body.with(at, &count.to_be_bytes());
            assert!(matches!(outcome, Outcome::Undecodable(_)), "{what}, {count}: {outcome:?}");
        }
    }
}
