// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Words, allocate} from "./Field.sol";

/// An input or output of the model (docs/PROTOCOL.md, section 16.2).
struct PublicTensor {
    /// Whether its values are stated.
    bool stated;
    /// Lengths of the padded shape's axes, row-major.
    Words shape;
    uint256 axes;
    /// Elements.
    uint256 count;
    /// Binary logarithm of the elements that its extension is over, each axis filled up to a power of two.
    uint256 bits;
    /// Least and greatest value.
    int256 least;
    int256 greatest;
}

/// A verifying key.
struct Key {
    bytes32 digest;
    bytes32 modelId;
    bytes name;
    /// Whether the reference string was made locally: then its maker can forge proofs.
    bool development;
    /// Names the reference string.
    bytes32 srsId;
    /// Chunks of the three vectors.
    uint256 xChunks;
    uint256 yChunks;
    uint256 wChunks;
    /// Place in memory of `[tau]_2`, and of the commitments to the chunks of `w`.
    uint256 tau;
    uint256 w;
    /// The shell's size: `2^k` rows, so many lanes, and so many columns to a commitment (1 or 4).
    uint256 k;
    uint256 lanes;
    uint256 packing;
    /// Place of the commitments to the shell's fixed columns and its copies' permutation, of which the first stands alone.
    uint256 columns;
    /// Inputs and outputs.
    PublicTensor[] publics;
    /// How many of them are hashed.
    uint256 hashes;
    /// Coordinates of the leaf point that proofs export: the bits of the widest tensor that is stated.
    uint256 leaf;
}

/// Reads a verifying key: what a key file holds between its head and its checksum.
library Keys {
    error NotAKey();

    /// Version of the protocol, four bytes.
    bytes4 private constant VERSION = 0x00000016;

    /// A key as far as it has been read.
    struct Reader {
        uint256 place;
        uint256 end;
    }

    /// Parses the key. Its points are not checked, nor is anything that only a key's maker could get wrong: whoever trusts a model's id
    /// has checked the key that it names.
    function parse(bytes memory body) internal pure returns (Key memory key) {
        Reader memory reader;
        assembly ("memory-safe") {
            mstore(reader, add(body, 0x20))
            mstore(add(reader, 0x20), add(mload(reader), mload(body)))
        }
        uint256 start = reader.place;
        uint256 nameLength = number(reader, 4);
        key.name = slice(skip(reader, nameLength), nameLength);
        uint256 nameless = reader.place;
        key.digest = digest("vouch verifying key", start, reader.end);
        key.modelId = digest("vouch model", nameless, reader.end);

        key.development = number(reader, 1) != 0;
        // Chunk size and layer, which the shell's key follows from.
        number(reader, 2);
        key.xChunks = number(reader, 4);
        key.yChunks = number(reader, 4);
        skip(reader, 32);
        key.tau = skip(reader, 128);
        key.srsId = hash(key.tau, 128);
        key.wChunks = number(reader, 4);
        key.w = skip(reader, 64 * key.wChunks);
        key.k = number(reader, 1);
        key.lanes = number(reader, 1);
        key.packing = number(reader, 1);
        if (key.k > 28 || key.lanes == 0 || key.lanes > 4) revert NotAKey();
        if (key.packing != 1 && key.packing != 4) revert NotAKey();
        key.columns = skip(reader, 64 * (1 + (9 * key.lanes + 3 + key.packing - 1) / key.packing));
        key.publics = new PublicTensor[](varint(reader));
        for (uint256 i = 0; i < key.publics.length; ++i) {
            (PublicTensor memory tensor, bool hashed) = publicTensor(reader);
            key.publics[i] = tensor;
            if (hashed) ++key.hashes;
            if (tensor.stated && tensor.bits > key.leaf) key.leaf = tensor.bits;
        }
        if (reader.place != reader.end) revert NotAKey();
    }

    /// Fields in order: role, visibility, name, padded shape, shape for display, fractional bits, those of columns, range, inferences, classes (of
    /// which the kind 2 has a digest), chunks.
    function publicTensor(Reader memory reader) private pure returns (PublicTensor memory tensor, bool hashed) {
        varint(reader);
        uint256 visibility = varint(reader);
        (tensor.stated, hashed) = (visibility == 0, visibility == 3);
        skip(reader, varint(reader));
        tensor.axes = varint(reader);
        if (tensor.axes > 24) revert NotAKey();
        tensor.shape = allocate(tensor.axes);
        tensor.count = 1;
        for (uint256 axis = 0; axis < tensor.axes; ++axis) {
            uint256 length = varint(reader);
            tensor.shape.set(axis, length);
            tensor.count *= length;
            tensor.bits += bitsOf(length);
        }
        for (uint256 shown = varint(reader); shown > 0; --shown) varint(reader);
        varint(reader);
        for (uint256 columns = varint(reader); columns > 0; --columns) varint(reader);
        tensor.least = zigzag(varint(reader));
        tensor.greatest = zigzag(varint(reader));
        varint(reader);
        if (varint(reader) == 2) skip(reader, 32);
        varint(reader);
        varint(reader);
    }

    /// The least number of bits that tell so many things apart.
    function bitsOf(uint256 count) internal pure returns (uint256 bits) {
        while (count > 1 << bits) ++bits;
    }

    /// A big-endian number of so many bytes.
    function number(Reader memory reader, uint256 bytes_) private pure returns (uint256 value) {
        uint256 place = skip(reader, bytes_);
        assembly ("memory-safe") {
            value := shr(sub(256, shl(3, bytes_)), mload(place))
        }
    }

    /// A LEB128 number of 64 bits.
    function varint(Reader memory reader) private pure returns (uint256 value) {
        unchecked {
            for (uint256 shift = 0; shift < 70; shift += 7) {
                uint256 byte_ = number(reader, 1);
                value |= (byte_ & 0x7f) << shift;
                if (byte_ < 0x80) return value;
            }
        }
        revert NotAKey();
    }

    function zigzag(uint256 value) private pure returns (int256) {
        unchecked {
            return int256(value >> 1) ^ -int256(value & 1);
        }
    }

    /// Passes over so many bytes and tells where they begin.
    function skip(Reader memory reader, uint256 count) private pure returns (uint256 place) {
        place = reader.place;
        // Counts have 64 bits at most, so that nothing overflows.
        unchecked {
            if (place + count > reader.end) revert NotAKey();
            reader.place = place + count;
        }
    }

    function slice(uint256 place, uint256 count) private pure returns (bytes memory copy) {
        copy = new bytes(count);
        assembly ("memory-safe") {
            mcopy(add(copy, 0x20), place, count)
        }
    }

    function digest(string memory tag, uint256 start, uint256 end) private pure returns (bytes32) {
        bytes memory tagged = abi.encodePacked(tag, VERSION, slice(start, end - start));
        return keccak256(tagged);
    }

    function hash(uint256 place, uint256 count) private pure returns (bytes32 result) {
        assembly ("memory-safe") {
            result := keccak256(place, count)
        }
    }
}
