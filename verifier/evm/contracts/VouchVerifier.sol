// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IVouchVerifier} from "./IVouchVerifier.sol";
import {Key, Keys} from "./Key.sol";
import {Refusal, VouchProof} from "./VouchProof.sol";

/// Checks proofs of any model whose key lies in a contract's code: the byte of an invalid operation, and behind it the verifying key. Who put it there does not matter,
/// since the model's id is computed from it.
contract VouchVerifier is IVouchVerifier, VouchProof {
    /// @inheritdoc IVouchVerifier
    /// @dev False for whatever is wrong with the proof or the values; reverts if `key` holds no key, or for want of gas.
    function verify(address key, bytes32 modelId, bytes calldata proof, bytes32 context, bytes calldata values)
        external
        view
        override
        returns (bool)
    {
        return check(load(key), modelId, proof, context, values) == Refusal.None;
    }

    /// @inheritdoc IVouchVerifier
    function requireValid(address key, bytes32 modelId, bytes calldata proof, bytes32 context, bytes calldata values)
        external
        view
        override
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
