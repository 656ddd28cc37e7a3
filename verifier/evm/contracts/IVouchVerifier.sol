// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// What other contracts ask of the verifier.
interface IVouchVerifier {
    /// Whether the proof shows that the model `modelId`, whose verifying key lies in the code of `key`, turns the public values into one
    /// another, in this context (zero for none). `values` are the hashes of hashed inputs and outputs, 32 bytes each, then all public values,
    /// eight bytes each (two's complement).
    function verify(address key, bytes32 modelId, bytes calldata proof, bytes32 context, bytes calldata values)
        external
        view
        returns (bool);

    /// Reverts unless it does.
    function requireValid(address key, bytes32 modelId, bytes calldata proof, bytes32 context, bytes calldata values)
        external
        view;
}
