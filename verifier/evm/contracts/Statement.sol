// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {P, Words, allocate, Field} from "./Field.sol";
import {Key, PublicTensor} from "./Key.sol";

/// What a proof states: the hashes of all inputs and outputs that are hashed, 32 bytes each, then the values of those that are public, eight bytes
/// each (two's complement), one behind the other; and a context.
library Statement {
    /// Bytes of the hashes and values that the key's inputs and outputs have.
    function lengthOf(Key memory key) internal pure returns (uint256 length) {
        length = 32 * key.hashes;
        for (uint256 i = 0; i < key.publics.length; ++i) {
            if (key.publics[i].stated) length += 8 * key.publics[i].count;
        }
    }

    /// The hashes, and whether every one is below the field's order.
    function hashes(Key memory key, bytes calldata values) internal pure returns (Words all, bool canonical) {
        all = allocate(key.hashes);
        canonical = true;
        for (uint256 i = 0; i < key.hashes; ++i) {
            uint256 hash = uint256(bytes32(values[32 * i:]));
            canonical = canonical && hash < P;
            all.set(i, hash);
        }
    }

    /// The values behind the hashes, each plus the field's order, and whether every one is in the range that the key declares for it.
    function read(Key memory key, bytes calldata values) internal pure returns (Words all, bool inRange) {
        all = allocate(values.length / 8);
        (Words into, uint256 offset) = (all, 0);
        assembly ("memory-safe") {
            offset := values.offset
        }
        inRange = true;
        for (uint256 i = 0; i < key.publics.length; ++i) {
            PublicTensor memory tensor = key.publics[i];
            if (!tensor.stated) continue;
            inRange = readTensor(tensor, offset, into) && inRange;
            offset += 8 * tensor.count;
            into = into.from(tensor.count);
        }
    }

    /// The values of one tensor, four to a word of the calldata.
    function readTensor(PublicTensor memory tensor, uint256 offset, Words into) private pure returns (bool) {
        (uint256 count, int256 least, int256 greatest) = (tensor.count, tensor.least, tensor.greatest);
        bool outside;
        assembly ("memory-safe") {
            let end := add(offset, shl(3, count))
            for { let fours := add(offset, shl(5, shr(2, count))) } lt(offset, fours) { offset := add(offset, 0x20) } {
                let word := calldataload(offset)
                let value := sar(192, word)
                outside := or(outside, or(slt(value, least), sgt(value, greatest)))
                mstore(into, add(value, P))
                value := sar(192, shl(64, word))
                outside := or(outside, or(slt(value, least), sgt(value, greatest)))
                mstore(add(into, 0x20), add(value, P))
                value := sar(192, shl(128, word))
                outside := or(outside, or(slt(value, least), sgt(value, greatest)))
                mstore(add(into, 0x40), add(value, P))
                value := sar(192, shl(192, word))
                outside := or(outside, or(slt(value, least), sgt(value, greatest)))
                mstore(add(into, 0x60), add(value, P))
                into := add(into, 0x80)
            }
            for {} lt(offset, end) { offset := add(offset, 8) } {
                let value := sar(192, calldataload(offset))
                outside := or(outside, or(slt(value, least), sgt(value, greatest)))
                mstore(into, add(value, P))
                into := add(into, 0x20)
            }
        }
        return !outside;
    }

    /// Section 8: the digest of the key's digest, the context, the hashes and the values. No context is a zero.
    function digest(Key memory key, bytes32 context, bytes calldata values) internal pure returns (bytes32) {
        bytes memory stated = context == 0 ? abi.encodePacked(key.digest, uint8(0)) : abi.encodePacked(key.digest, uint8(1), context);
        uint256 offset = 32 * key.hashes;
        stated = bytes.concat(stated, values[:offset]);
        for (uint256 i = 0; i < key.publics.length; ++i) {
            PublicTensor memory tensor = key.publics[i];
            uint256 count = tensor.stated ? tensor.count : 0;
            stated = bytes.concat(stated, bytes8(uint64(count)), values[offset:offset + 8 * count]);
            offset += 8 * count;
        }
        return keccak256(stated);
    }

    /// The multilinear extensions of the stated tensors at the leaf point's first coordinates. Their values, which have been read, are
    /// overwritten.
    function extensions(Key memory key, Words values, Words leaf) internal pure returns (Words all, uint256 count) {
        all = allocate(key.publics.length);
        for (uint256 i = 0; i < key.publics.length; ++i) {
            PublicTensor memory tensor = key.publics[i];
            if (!tensor.stated) continue;
            all.set(count++, extension(tensor, values, leaf));
            values = values.from(tensor.count);
        }
    }

    /// One of them: the axes are folded one after the other, the last one first, which the first coordinates belong to.
    function extension(PublicTensor memory tensor, Words folded, Words leaf) private pure returns (uint256) {
        uint256 count = tensor.count;
        for (uint256 axis = tensor.axes; axis > 0; --axis) {
            uint256 length = tensor.shape.get(axis - 1);
            count /= length;
            while (length > 1) {
                fold(folded, count, length, leaf.get(0));
                length = (length + 1) / 2;
                leaf = leaf.from(1);
            }
        }
        return folded.get(0) % P;
    }

    /// Binds the lowest bit of each row's positions to a coordinate: pairs become one, a last one without another is paired with zero.
    function fold(Words rows, uint256 count, uint256 length, uint256 coordinate) private pure {
        assembly ("memory-safe") {
            let into := rows
            let at := rows
            let less := addmod(1, sub(P, coordinate), P)
            let twice := add(P, P)
            for { let row := 0 } lt(row, count) { row := add(row, 1) } {
                for { let end := add(at, shl(6, shr(1, length))) } lt(at, end) { at := add(at, 0x40) } {
                    let low := mload(at)
                    // What has been read is below 2·P, and the difference below 4·P.
                    let difference := add(mload(add(at, 0x20)), sub(twice, low))
                    mstore(into, addmod(low, mulmod(coordinate, difference, P), P))
                    into := add(into, 0x20)
                }
                if and(length, 1) {
                    mstore(into, mulmod(mload(at), less, P))
                    into := add(into, 0x20)
                    at := add(at, 0x20)
                }
            }
        }
    }

    /// `scale·eq(point, i)` for the first `count` indices, whose lowest bit belongs to the first coordinate, and how many coordinates that takes.
    function equalities(Words point, uint256 count, uint256 scale) internal pure returns (Words weights, uint256 bits) {
        unchecked {
            while (count > 1 << bits) ++bits;
            weights = allocate(1 << bits);
            weights.set(0, scale);
            for (uint256 bit = 0; bit < bits; ++bit) {
                uint256 coordinate = point.get(bit);
                for (uint256 i = 0; i < 1 << bit; ++i) {
                    uint256 low = weights.get(i);
                    uint256 high = mulmod(low, coordinate, P);
                    weights.set(i, Field.sub(low, high));
                    weights.set(i + (1 << bit), high);
                }
            }
        }
    }
}
