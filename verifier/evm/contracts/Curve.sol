// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {P, PrecompileFailed, Words, allocate} from "./Field.sol";

/// A sum of points with scalars, in memory: three words each.
struct Terms {
    Words words;
    uint256 count;
}

/// BN254's groups by the precompiled contracts of EIP-196 and EIP-197.
library Curve {
    /// Order of the field of coordinates.
    uint256 internal constant Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583;

    // The generator of the second group.
    uint256 private constant G2_X1 = 0x198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2;
    uint256 private constant G2_X0 = 0x1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed;
    uint256 private constant G2_Y1 = 0x090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b;
    uint256 private constant G2_Y0 = 0x12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa;

    /// Whether these coordinates in calldata are those of a point of the first group, infinity being two zeros.
    function isPoint(uint256 offset) internal pure returns (bool) {
        uint256 x;
        uint256 y;
        assembly ("memory-safe") {
            x := calldataload(offset)
            y := calldataload(add(offset, 0x20))
        }
        if (x >= Q || y >= Q) return false;
        return mulmod(y, y, Q) == addmod(mulmod(mulmod(x, x, Q), x, Q), 3, Q) || (x | y) == 0;
    }

    function terms(uint256 most) internal pure returns (Terms memory) {
        return Terms(allocate(3 * most), 0);
    }

    function push(Terms memory self, uint256 x, uint256 y, uint256 scalar) internal pure {
        unchecked {
            Words last = self.words.from(3 * self.count++);
            last.set(0, x);
            last.set(1, y);
            last.set(2, scalar);
        }
    }

    /// Adds a point that lies in calldata.
    function pushSent(Terms memory self, uint256 offset, uint256 scalar) internal pure {
        uint256 x;
        uint256 y;
        assembly ("memory-safe") {
            x := calldataload(offset)
            y := calldataload(add(offset, 0x20))
        }
        push(self, x, y, scalar);
    }

    /// Adds a point that lies in memory.
    function pushKept(Terms memory self, uint256 place, uint256 scalar) internal pure {
        Words point = Words.wrap(place);
        push(self, point.get(0), point.get(1), scalar);
    }

    /// The sum. All points have been checked, so that precompiled contracts fail for want of gas only.
    function sum(Terms memory self) internal view returns (uint256 x, uint256 y) {
        bool success = true;
        assembly ("memory-safe") {
            // The sum so far, and behind it the next product.
            let total := mload(0x40)
            let product := add(total, 0x40)
            mstore(total, 0)
            mstore(add(total, 0x20), 0)
            let term := mload(self)
            let end := add(term, mul(0x60, mload(add(self, 0x20))))
            for {} lt(term, end) { term := add(term, 0x60) } {
                success := and(success, staticcall(gas(), 7, term, 0x60, product, 0x40))
                success := and(success, staticcall(gas(), 6, total, 0x80, total, 0x40))
            }
            x := mload(total)
            y := mload(add(total, 0x20))
        }
        if (!success) revert PrecompileFailed();
    }

    /// Whether `e(left, [1]) = e(right, tau)`, `tau` being the place of four words in memory.
    function pairingHolds(Terms memory left, Terms memory right, uint256 tau) internal view returns (bool holds) {
        (uint256 leftX, uint256 leftY) = sum(left);
        (uint256 rightX, uint256 rightY) = sum(right);
        Words input = allocate(12);
        input.set(0, leftX);
        input.set(1, leftY);
        input.set(2, G2_X1);
        input.set(3, G2_X0);
        input.set(4, G2_Y1);
        input.set(5, G2_Y0);
        input.set(6, rightX);
        input.set(7, rightY == 0 ? 0 : Q - rightY);
        bool success;
        assembly ("memory-safe") {
            mcopy(add(input, 0x100), tau, 0x80)
            success := staticcall(gas(), 8, input, 0x180, 0, 0x20)
            holds := eq(mload(0), 1)
        }
        if (!success) revert PrecompileFailed();
    }
}
