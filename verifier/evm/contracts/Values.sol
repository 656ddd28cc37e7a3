// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// Public values: integers of eight bytes, inputs before outputs; hashes, of 32 bytes, come before all of them (`values[32:]` is what follows
/// one hash). The real value is the integer over a power of two, which the project's README has.
library Values {
    /// How many there are.
    function count(bytes calldata values) internal pure returns (uint256) {
        return values.length / 8;
    }

    /// The value at a position.
    function get(bytes calldata values, uint256 position) internal pure returns (int64) {
        return int64(uint64(bytes8(values[8 * position:8 * position + 8])));
    }

    /// Where the largest of the values from `first` on is, counted from there: the class, if they are scores. Of equal ones it is the first.
    function largest(bytes calldata values, uint256 first) internal pure returns (uint256 position) {
        uint256 end = count(values);
        int64 most = get(values, first);
        for (uint256 i = first + 1; i < end; ++i) {
            int64 value = get(values, i);
            if (value > most) (most, position) = (value, i - first);
        }
    }
}
