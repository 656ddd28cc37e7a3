// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {P, Words, allocate, Field} from "./Field.sol";
import {Curve, Terms} from "./Curve.sol";
import {Elements, ElementsOf} from "./Elements.sol";
import {Key, Keys} from "./Key.sol";
import {Plonk, Run} from "./Plonk.sol";
import {Statement} from "./Statement.sol";
import {Transcript, Transcripts} from "./Transcript.sol";

/// What a proof fails first.
enum Refusal {
    None,
    /// The key is of another model.
    OtherModel,
    /// Not as many hashes and public values as the model has.
    PublicLength,
    /// A public value outside the range that the model declares, or a hash that is not below the field's order.
    PublicRange,
    /// Not as many bytes or elements as the key says.
    ProofLength,
    /// A scalar that is not below the field's order.
    Scalar,
    /// A point that is not on the curve.
    Point,
    /// The proof does not fit the statement, the commitments and the model.
    Proof
}

/// Checks vouch proofs: that whoever made one knows weights behind the key's commitments with which the model turns the stated input
/// into the stated output, in this context. docs/PROTOCOL.md, section 11, is its text.
abstract contract VouchProof {
    using Curve for Terms;
    using Transcripts for Transcript;
    using Field for uint256;

    /// The key is of another model.
    error OtherModel();
    /// Not as many hashes and public values as the model has.
    error WrongPublicLength();
    /// A public value lies outside the range that the model declares, or a hash is not below the field's order.
    error PublicValueOutOfRange();
    /// Not as many bytes or elements as the key says.
    error WrongProofLength();
    /// A scalar is not below the field's order.
    error ScalarOutOfRange();
    /// A point is not on the curve.
    error PointNotOnCurve();
    /// The proof does not fit the statement, the commitments and the model.
    error WrongProof();

    // The base that blinds multiply.
    uint256 private constant BLIND_X = 0x0a38a7d92c42ded3c686d85abf14f27b2fda140c244eb973379402a785547bcd;
    uint256 private constant BLIND_Y = 0x1753ee14a40495bf79f7d1327ad745d9cf6654a03a8240d421d8f2d137667997;

    /// Section 11: the first check that fails.
    function check(Key memory key, bytes32 modelId, bytes calldata proof, bytes32 context, bytes calldata values)
        internal
        view
        returns (Refusal)
    {
        if (key.modelId != modelId) return Refusal.OtherModel;
        if (values.length != Statement.lengthOf(key)) return Refusal.PublicLength;
        (Words hashes, bool canonical) = Statement.hashes(key, values);
        (Words read, bool inRange) = Statement.read(key, values[32 * key.hashes:]);
        if (!canonical || !inRange) return Refusal.PublicRange;
        (Elements memory e, bool fits) = ElementsOf.place(key, proof);
        if (!fits) return Refusal.ProofLength;
        if (!ElementsOf.scalarsAreCanonical(e)) return Refusal.Scalar;
        if (!ElementsOf.pointsAreOnCurve(key, e)) return Refusal.Point;

        Run memory run;
        (run.key, run.elements) = (key, e);
        (run.instances, run.instanceCount) =
            publicValues(key, e, Statement.digest(key, context, values), hashes, read);
        Transcript memory transcript = Transcripts.begin(run.instanceCount + 8 * key.lanes + e.valueCount + 12);
        run.left = Curve.terms(64 + 24 * key.lanes + key.xChunks + key.yChunks + key.wChunks);
        if (!Plonk.reduce(run, transcript)) return Refusal.Proof;

        // Both equations at once, by a factor that depends on all points of both.
        transcript.absorbSent(e.opening + 128, 64);
        uint256 factor = transcript.challenge();
        groupEquation(run, factor);
        Terms memory right = Curve.terms(2);
        right.pushSent(e.witness, 1);
        right.pushSent(e.opening + 128, factor);
        return Curve.pairingHolds(run.left, right, key.tau) ? Refusal.None : Refusal.Proof;
    }

    function require_(Refusal refusal) internal pure {
        if (refusal == Refusal.None) return;
        if (refusal == Refusal.OtherModel) revert OtherModel();
        if (refusal == Refusal.PublicLength) revert WrongPublicLength();
        if (refusal == Refusal.PublicRange) revert PublicValueOutOfRange();
        if (refusal == Refusal.ProofLength) revert WrongProofLength();
        if (refusal == Refusal.Scalar) revert ScalarOutOfRange();
        if (refusal == Refusal.Point) revert PointNotOnCurve();
        revert WrongProof();
    }

    /// Section 10A.1: digests of the statement and the points, hashes, extensions of public tensors, exports.
    function publicValues(Key memory key, Elements memory e, bytes32 statement, Words hashes, Words values)
        private
        pure
        returns (Words instances, uint256 count)
    {
        instances = allocate(4 + key.publics.length + e.exportCount);
        instances.set(count++, pointsDigest(statement, 32, e.x, key.xChunks));
        if (key.yChunks > 0) instances.set(count++, pointsDigest(0, 0, e.y, key.yChunks));
        instances.set(count++, pointsDigest(0, 0, e.opening, 1));
        instances.set(count++, pointsDigest(0, 0, e.opening + 64, 1));

        for (uint256 i = 0; i < key.hashes; ++i) {
            instances.set(count++, hashes.get(i));
        }
        Words exports = sent(e.exports, e.exportCount);
        (Words extensions, uint256 extended) = Statement.extensions(key, values, exports);
        for (uint256 i = 0; i < extended; ++i) {
            instances.set(count++, extensions.get(i));
        }
        for (uint256 i = 0; i < e.exportCount; ++i) {
            instances.set(count++, exports.get(i));
        }
    }

    /// Keccak over a prefix and points, as a scalar.
    function pointsDigest(bytes32 prefix, uint256 prefixLength, uint256 offset, uint256 count) private pure returns (uint256 digest) {
        assembly ("memory-safe") {
            let start := mload(0x40)
            mstore(start, prefix)
            calldatacopy(add(start, prefixLength), offset, shl(6, count))
            digest := mod(keccak256(start, add(prefixLength, shl(6, count))), P)
        }
    }

    /// Words of the calldata.
    function sent(uint256 offset, uint256 count) private pure returns (Words words) {
        words = allocate(count);
        assembly ("memory-safe") {
            calldatacopy(words, offset, shl(5, count))
        }
    }

    /// Section 10.8: adds the left side of the group equation, times a factor.
    function groupEquation(Run memory run, uint256 factor) private pure {
        unchecked {
            (Key memory key, Elements memory e, Terms memory left) = (run.key, run.elements, run.left);
            // Exports: the leaf point, the coordinates that weigh chunks, δ, blind, s, h, o, z.
            Words rho = sent(e.exports, e.exportCount).from(key.leaf);
            Words last = rho.from(e.rhoHigh);
            uint256 delta = last.get(0);
            (Words weights,) = Statement.equalities(rho, key.wChunks, factor);
            for (uint256 i = 0; i < key.wChunks; ++i) {
                left.pushKept(key.w + 64 * i, weights.get(i));
            }
            chunks(left, e.x, key.xChunks, rho, factor.mul(delta));
            chunks(left, e.y, key.yChunks, rho, factor.mul(delta).mul(delta));
            uint256 minus = uint256(0).sub(factor);
            left.push(BLIND_X, BLIND_Y, minus.mul(last.get(1)));
            left.pushSent(e.opening, minus.mul(last.get(2)));
            left.pushSent(e.opening + 64, minus.mul(last.get(3)));
            left.push(1, 2, minus.mulAdd(last.get(4), run.one));
            left.pushSent(e.opening + 128, factor.mul(last.get(5)));
        }
    }

    /// A vector's chunks that the proof commits to, weighted.
    function chunks(Terms memory left, uint256 offset, uint256 count, Words rho, uint256 scale) private pure {
        unchecked {
            (Words weights,) = Statement.equalities(rho, count, scale);
            for (uint256 i = 0; i < count; ++i) {
                left.pushSent(offset + 64 * i, weights.get(i));
            }
        }
    }
}
