// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

// Order of BN254's groups: the field of scalars.
uint256 constant P = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

error PrecompileFailed();

/// A place in memory from which on words lie. No bounds are checked: whoever allocates knows how many there are.
type Words is uint256;

using {get, set, from} for Words global;

function get(Words words, uint256 i) pure returns (uint256 word) {
    assembly ("memory-safe") {
        word := mload(add(words, shl(5, i)))
    }
}

function set(Words words, uint256 i, uint256 word) pure {
    assembly ("memory-safe") {
        mstore(add(words, shl(5, i)), word)
    }
}

/// The same words without the first `i`.
function from(Words words, uint256 i) pure returns (Words) {
    unchecked {
        return Words.wrap(Words.unwrap(words) + 32 * i);
    }
}

/// So many words of fresh memory.
function allocate(uint256 count) pure returns (Words words) {
    assembly ("memory-safe") {
        words := mload(0x40)
        mstore(0x40, add(words, shl(5, count)))
    }
}

/// Arithmetic of scalars. All arguments are below `P`.
library Field {
    function sub(uint256 a, uint256 b) internal pure returns (uint256) {
        unchecked {
            return addmod(a, P - b, P);
        }
    }

    function mul(uint256 a, uint256 b) internal pure returns (uint256) {
        return mulmod(a, b, P);
    }

    /// `a·b + c`.
    function mulAdd(uint256 a, uint256 b, uint256 c) internal pure returns (uint256) {
        return addmod(mulmod(a, b, P), c, P);
    }

    function power(uint256 base, uint256 exponent) internal view returns (uint256 result) {
        bool success;
        assembly ("memory-safe") {
            let input := mload(0x40)
            mstore(input, 32)
            mstore(add(input, 0x20), 32)
            mstore(add(input, 0x40), 32)
            mstore(add(input, 0x60), base)
            mstore(add(input, 0x80), exponent)
            mstore(add(input, 0xa0), P)
            success := staticcall(gas(), 5, input, 0xc0, 0, 0x20)
            result := mload(0)
        }
        if (!success) revert PrecompileFailed();
    }

    /// `base^(2^times)`.
    function squareTimes(uint256 base, uint256 times) internal pure returns (uint256) {
        unchecked {
            for (uint256 i = 0; i < times; ++i) {
                base = mulmod(base, base, P);
            }
        }
        return base;
    }

    /// Replaces each of the words by its inverse, with one exponentiation (Montgomery's trick). False if one of them is zero.
    function invertAll(Words words, uint256 count) internal view returns (bool) {
        Words products = allocate(count);
        uint256 product = 1;
        unchecked {
            for (uint256 i = 0; i < count; ++i) {
                products.set(i, product);
                product = mulmod(product, words.get(i), P);
            }
            if (product == 0) return false;
            uint256 inverse = power(product, P - 2);
            for (uint256 i = count; i > 0;) {
                --i;
                uint256 word = words.get(i);
                words.set(i, mulmod(inverse, products.get(i), P));
                inverse = mulmod(inverse, word, P);
            }
        }
        return true;
    }
}
