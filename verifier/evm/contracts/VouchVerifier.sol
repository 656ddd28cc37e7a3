// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Key, Keys} from "./Key.sol";
import {Refusal, VouchProof} from "./VouchProof.sol";

/// Checks proofs of any model whose key lies in a contract's code: a zero byte, and behind it the verifying key. Who put it there does not matter,
/// since the model's id is computed from it.
contract VouchVerifier is VouchProof {
    /// Whether the proof shows that the model `modelId`, whose verifying key lies at `key`, turns the public values into one another, in this
    /// context (zero for none). False for whatever is wrong with the proof or the values; reverts if `key` holds no key, or for want of gas.
    function verify(address key, bytes32 modelId, bytes calldata proof, bytes32 context, bytes calldata values)
        external
        view
        returns (bool)
    {
        return check(load(key), modelId, proof, context, values) == Refusal.None;
    }

    /// Reverts with what is wrong, if anything is.
    function requireValid(address key, bytes32 modelId, bytes calldata proof, bytes32 context, bytes calldata values)
        external
        view
    {
        require_(check(load(key), modelId, proof, context, values));
    }

    /// What the key at this address is of.
    function describe(address key)
        external
        view
        returns (bytes32 modelId, bytes32 srsId, bool development, string memory name)
    {
        Key memory parsed = load(key);
        return (parsed.modelId, parsed.srsId, parsed.development, string(parsed.name));
    }

    function load(address key) private view returns (Key memory) {
        uint256 size = key.code.length;
        if (size == 0) revert Keys.NotAKey();
        bytes memory body = new bytes(size - 1);
        assembly ("memory-safe") {
            extcodecopy(key, add(body, 0x20), 1, sub(size, 1))
        }
        return Keys.parse(body);
    }
}
