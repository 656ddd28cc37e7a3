// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Key, Keys} from "./Key.sol";
import {Refusal, VouchProof} from "./VouchProof.sol";

/// Checks proofs of @MODEL@ alone, whose verifying key is part of this contract.
contract @NAME@Verifier is VouchProof {
    /// The model's id.
    bytes32 public constant MODEL_ID = 0x@MODEL_ID@;

    /// Whether the proof shows that the model turns the public values into one another, in this context (zero for none). False for
    /// whatever is wrong with the proof or the values; reverts for want of gas.
    function verify(bytes calldata proof, bytes32 context, bytes calldata values) external view returns (bool) {
        return check(Keys.parse(body()), MODEL_ID, proof, context, values) == Refusal.None;
    }

    /// Reverts with what is wrong, if anything is.
    function requireValid(bytes calldata proof, bytes32 context, bytes calldata values) external view {
        require_(check(Keys.parse(body()), MODEL_ID, proof, context, values));
    }

    /// The verifying key.
    function body() private pure returns (bytes memory) {
        return
@KEY@;
    }
}
