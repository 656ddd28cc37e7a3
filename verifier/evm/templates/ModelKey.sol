// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// The verifying key of @MODEL@, for VouchVerifier: a contract whose code is the key behind an invalid operation, so that every call to it fails.
/// Model id @MODEL_ID@
contract @NAME@Key {
    constructor() {
        bytes memory code =
            hex"fe"
@KEY@;
        assembly ("memory-safe") {
            return(add(code, 0x20), mload(code))
        }
    }
}
