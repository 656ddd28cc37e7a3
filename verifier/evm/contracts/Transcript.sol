// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {P, Words, allocate} from "./Field.sol";

/// The shell's transcript (docs/PROTOCOL.md, section 10A.3): a state of 32 bytes, and behind it in memory what has been absorbed since the last
/// challenge.
struct Transcript {
    uint256 start;
    uint256 end;
}

library Transcripts {
    /// A transcript that absorbs at most so many words between two challenges.
    function begin(uint256 most) internal pure returns (Transcript memory) {
        Words buffer = allocate(most + 1);
        buffer.set(0, uint256(keccak256("vouch shell v2")));
        uint256 start = Words.unwrap(buffer);
        return Transcript(start, start + 32);
    }

    function absorb(Transcript memory self, uint256 word) internal pure {
        Words.wrap(self.end).set(0, word);
        self.end += 32;
    }

    /// Absorbs bytes of the calldata.
    function absorbSent(Transcript memory self, uint256 offset, uint256 length) internal pure {
        uint256 end = self.end;
        assembly ("memory-safe") {
            calldatacopy(end, offset, length)
        }
        self.end = end + length;
    }

    function challenge(Transcript memory self) internal pure returns (uint256) {
        (uint256 start, uint256 length) = (self.start, self.end - self.start);
        uint256 state;
        assembly ("memory-safe") {
            state := keccak256(start, length)
            mstore(start, state)
        }
        self.end = start + 32;
        return state % P;
    }
}
