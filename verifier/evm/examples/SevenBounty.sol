// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IVouchVerifier} from "../contracts/IVouchVerifier.sol";
import {Values} from "../contracts/Values.sol";

/// Pays whoever proves that a trusted model takes an image that they have for a seven. The image stays hidden: only the ten scores are public.
contract SevenBounty {
    using Values for bytes;

    IVouchVerifier public immutable verifier;
    address public immutable owner;

    /// The models that are believed, by their ids.
    mapping(bytes32 modelId => bool) public trusted;
    /// What is paid for each bounty; nothing once it is taken.
    mapping(uint256 bounty => uint256) public amounts;
    uint256 public bounties;

    event Offered(uint256 indexed bounty, uint256 amount);
    event Paid(uint256 indexed bounty, address indexed to, uint256 amount);

    error OnlyOwner();
    error UntrustedModel();
    error NothingOffered();
    error NotASeven(uint256 class);
    error PaymentFailed();

    constructor(IVouchVerifier verifier_) {
        (verifier, owner) = (verifier_, msg.sender);
    }

    /// Only models whose public values are the ten scores and nothing else, so that the largest of all values is the class.
    function trust(bytes32 modelId, bool whether) external {
        if (msg.sender != owner) revert OnlyOwner();
        trusted[modelId] = whether;
    }

    function offer() external payable returns (uint256 bounty) {
        bounty = bounties++;
        amounts[bounty] = msg.value;
        emit Offered(bounty, msg.value);
    }

    /// What a proof must be bound to (`vouch prove --context`): this contract on this chain, the bounty, and who claims it, so that a proof that somebody
    /// sees in a transaction is of no use to them, nor for another bounty.
    function contextOf(uint256 bounty, address claimant) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), bounty, claimant));
    }

    /// `key` is where the model's verifying key lies; whose contract that is does not matter.
    function claim(uint256 bounty, address key, bytes32 modelId, bytes calldata proof, bytes calldata scores) external {
        if (!trusted[modelId]) revert UntrustedModel();
        uint256 amount = amounts[bounty];
        if (amount == 0) revert NothingOffered();
        verifier.requireValid(key, modelId, proof, contextOf(bounty, msg.sender), scores);
        uint256 class = scores.largest(0);
        if (class != 7) revert NotASeven(class);

        amounts[bounty] = 0;
        emit Paid(bounty, msg.sender, amount);
        (bool paid,) = msg.sender.call{value: amount}("");
        if (!paid) revert PaymentFailed();
    }
}
