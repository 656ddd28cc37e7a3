// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {P, Words} from "./Field.sol";
import {Curve} from "./Curve.sol";
import {Key, Keys} from "./Key.sol";

/// Where a proof's elements lie in calldata, and how many there are: what a proof file holds behind its public values
/// (docs/PROTOCOL.md, section 16.3).
struct Elements {
    /// Commitments to the chunks of `x`, then of `y`.
    uint256 x;
    uint256 y;
    /// The opening's points S, H, W.
    uint256 opening;
    uint256 exports;
    uint256 exportCount;
    /// Coordinates that weigh chunks, among the exports.
    uint256 rhoHigh;
    /// The shell's: commitments to advice columns, to the copies' products, to R, if columns share no commitments, and to the quotient's pieces.
    uint256 advice;
    uint256 products;
    uint256 productCount;
    uint256 random;
    uint256 randomCount;
    uint256 pieces;
    uint256 pieceCount;
    /// Values at the challenge `x`.
    uint256 values;
    uint256 valueCount;
    /// SHPLONK's points.
    uint256 quotient;
    uint256 witness;
    uint256 end;
}

library ElementsOf {
    /// Where a proof's elements are by the key, and whether the proof has the length and the counts for it.
    function place(Key memory key, bytes calldata proof) internal pure returns (Elements memory e, bool fits) {
        uint256 start;
        assembly ("memory-safe") {
            start := proof.offset
        }
        uint256 lanes = key.lanes;
        uint256 most = Keys.bitsOf(key.xChunks);
        uint256 bits = Keys.bitsOf(key.yChunks);
        if (bits > most) most = bits;
        bits = Keys.bitsOf(key.wChunks);
        e.rhoHigh = bits > most ? bits : most;
        e.exportCount = key.leaf + e.rhoHigh + 6;
        e.productCount = (4 * lanes + 1 + 4) / 5;
        (e.randomCount, e.pieceCount) = key.packing == 1 ? (1, 6) : (0, 2);
        e.valueCount = 17 * lanes + 4 + e.randomCount + 3 * e.productCount;

        e.x = start + 4;
        e.y = e.x + 64 * key.xChunks + 4;
        e.opening = e.y + 64 * key.yChunks;
        e.exports = e.opening + 3 * 64 + 4;
        e.advice = e.exports + 32 * e.exportCount + 4;
        e.products = e.advice + 64 * (4 * lanes / key.packing);
        e.random = e.products + 64 * e.productCount;
        e.pieces = e.random + 64 * e.randomCount;
        e.values = e.pieces + 64 * e.pieceCount;
        e.quotient = e.values + 32 * e.valueCount;
        e.witness = e.quotient + 64;
        e.end = e.witness + 64;
        fits = proof.length == e.end - start && count(e.x) == key.xChunks && count(e.y) == key.yChunks
            && count(e.exports) == e.exportCount && count(e.advice) == e.end - e.advice;
    }

    /// The four bytes before a list.
    function count(uint256 offset) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := shr(224, calldataload(sub(offset, 4)))
        }
    }

    /// Whether all scalars are below the field's order.
    function scalarsAreCanonical(Elements memory e) internal pure returns (bool) {
        return canonical(e.exports, e.exportCount) && canonical(e.values, e.valueCount);
    }

    function canonical(uint256 offset, uint256 length) private pure returns (bool) {
        bool all = true;
        assembly ("memory-safe") {
            for { let end := add(offset, shl(5, length)) } lt(offset, end) { offset := add(offset, 0x20) } {
                all := and(all, lt(calldataload(offset), P))
            }
        }
        return all;
    }

    /// Whether all points are on the curve.
    function pointsAreOnCurve(Key memory key, Elements memory e) internal pure returns (bool) {
        return onCurve(e.x, key.xChunks) && onCurve(e.y, key.yChunks) && onCurve(e.opening, 3)
            && onCurve(e.advice, (e.values - e.advice) / 64) && onCurve(e.quotient, 2);
    }

    function onCurve(uint256 offset, uint256 length) private pure returns (bool all) {
        all = true;
        unchecked {
            for (uint256 i = 0; i < length; ++i) {
                all = Curve.isPoint(offset + 64 * i) && all;
            }
        }
    }
}
