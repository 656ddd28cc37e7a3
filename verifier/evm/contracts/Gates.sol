// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {P, Words} from "./Field.sol";

/// A lane's values at the challenge `x` and of the next row: places of the cells, and of the lane's five fixed columns.
struct Lane {
    Words own;
    Words next;
    Words constants;
}

/// The columns of zeros and ones, which all lanes share.
struct Selectors {
    uint256 partialRounds;
    uint256 nextPartialRounds;
    uint256 full;
    uint256 arithmetic;
}

/// The gates of the shell's circuit (docs/PROTOCOL.md, section 10A.2).
library Gates {
    // The inverse of Poseidon's matrix.
    uint256 private constant INVERSE_00 = 0x203d1d351372bf15b6465d69d3e12806879a5f36b4ba6dd17dfea07d03f82f26;
    uint256 private constant INVERSE_01 = 0x29b6537218615bcb4b6ad7fe4620063d48e42ce2096b3a1d6e320628bb032c22;
    uint256 private constant INVERSE_02 = 0x11551257de3d4b5ab51bd377d7bb55c054f51f711623515b1e2a35a958b93a6a;
    uint256 private constant INVERSE_10 = 0x29dedb1bbf80c8863d569912c20f1f82bf0dc3bc4fb62798dd1319814f833b54;
    uint256 private constant INVERSE_11 = 0x130b59143f4e340cd66c7251dc8f56fbbe0367fec1575cb124ca8a66304e3849;
    uint256 private constant INVERSE_12 = 0x0c2808c9533e2c526087842fb62521a3248c8d6d3b16d4b4108476d2eeda95f9;
    uint256 private constant INVERSE_20 = 0x0173249a1c9eac2591706fe09af22cfd29e1387e706cf0ded2889dc145c61609;
    uint256 private constant INVERSE_21 = 0x0abc7f158780841ec82e03ec3cee0cf1d16270b0238f3063d2e5fb5138e59350;
    uint256 private constant INVERSE_22 = 0x1738a318c8631b6e8305505aaf3b497fe9f2478c2f28ee945413af26963b4700;
    // What the partial rounds' cells follow from: L_1, L_2, N and L_3.
    uint256 private constant FIRST_0 = 0x109b7f411ba0e4c9b2b70caf5c36a7b194be7c11ad24378bfedb68592ba8118b;
    uint256 private constant FIRST_1 = 0x16ed41e13bb9c0c66ae119424fddbcbc9314dc9fdbdeea55d6c64543dc4903e0;
    uint256 private constant FIRST_2 = 0x2b90bba00fca0589f617e7dcbfe82e0df706ab640ceb247b791a93b74e36736d;
    uint256 private constant SECOND_0 = 0x01e507fb65a14b9c13e94ca2118bbc2b74ff0351d0404d3627a6d4e77316d345;
    uint256 private constant SECOND_1 = 0x109b7f411ba0e4c9b2b70caf5c36a7b194be7c11ad24378bfedb68592ba8118b;
    uint256 private constant SECOND_2 = 0x07d4ea96a5398ba96ea0ec5d4d239311c18dfaec2b96e45ead603cef8554e335;
    uint256 private constant SECOND_3 = 0x1d5309f362807f11b24f80db88f2fcd395e771a07dc7df2d217f402a86e97920;
    uint256 private constant NEXT_0 = 0x0d5befe0d730640fcfd1bb7df80262f223d203a893c4cfacc3e8e571053098be;
    uint256 private constant NEXT_1 = 0x1763c79161417803ac02abffe9173ea436add2f719c6652658f7d859b4d7d402;
    uint256 private constant NEXT_2 = 0x222384b1af875b9cc33701aeaf21a587f612e66f59d3603b4067e912f65e0e98;
    uint256 private constant NEXT_3 = 0x2f063609b91aaa68a71aca9b9953164c65be0a81c827c233fe5f2f1bf09a29e2;
    uint256 private constant NEXT_4 = 0x109b7f411ba0e4c9b2b70caf5c36a7b194be7c11ad24378bfedb68592ba8118b;
    uint256 private constant LEAVE_00 = 0x188fd68a5bef42d728a24856d091ff6b73538bde48715cf41b3049fea7d35c62;
    uint256 private constant LEAVE_01 = 0x21a146d1bcf9c3ff13ab9b9181eebda9af7765bc98c9036d2bb34a3d0025e570;
    uint256 private constant LEAVE_02 = 0x130dccdd71b916d8e1c09297396b83016f0745003533a346086b7b643af3f58d;
    uint256 private constant LEAVE_03 = 0x004a7bc12d8261e48cba4b33c303487351e67a6e218d8f84ea9799755d67ae00;
    uint256 private constant LEAVE_10 = 0x1d00f18e664722a658f514017fc0d6cb8999e005d5d908d2c4f6e0ada58cbe1e;
    uint256 private constant LEAVE_11 = 0x05e3f11232952e0d546bcaa8c1a2ca34f3ab52b292623ec8c8a4b576b1e00582;
    uint256 private constant LEAVE_12 = 0x2f45d8c2c3f58e32d0ea2c121de1009f054d9efa2c88ab9e62eec9a121209634;
    uint256 private constant LEAVE_13 = 0x18dcbddaf5a4e9902cce3b5933e3f0906924f234ddbf95d5f36a3eab324d4a1f;

    /// `sum·y + constraint` for each of a lane's constraints in turn.
    function fold(uint256 sum, uint256 y, Lane memory lane, Selectors memory kind) internal pure returns (uint256) {
        sum = fullRounds(sum, y, lane, kind);
        sum = partialRounds(sum, y, lane, kind);
        return arithmetic(sum, y, lane, kind);
    }

    /// A round that absorbs, and a full one without messages.
    function fullRounds(uint256 sum, uint256 y, Lane memory lane, Selectors memory kind) private pure returns (uint256) {
        unchecked {
            (uint256 k0, uint256 k1, uint256 k2) = (lane.constants.get(0), lane.constants.get(1), lane.constants.get(2));
            uint256 s1 = addmod(lane.own.get(1), k1, P);
            uint256 s2 = addmod(lane.own.get(2), k2, P);
            uint256 power0 = fifth(addmod(lane.own.get(0), k0, P));
            // What the powers are to be.
            uint256 n0 = addmod(lane.next.get(0), P - lane.constants.get(4), P);
            (uint256 n1, uint256 n2) = (lane.next.get(1), lane.next.get(2));
            uint256 m0 = P - form3(n0, n1, n2, INVERSE_00, INVERSE_01, INVERSE_02);
            uint256 m1 = P - form3(n0, n1, n2, INVERSE_10, INVERSE_11, INVERSE_12);
            uint256 m2 = P - form3(n0, n1, n2, INVERSE_20, INVERSE_21, INVERSE_22);

            uint256 selector = mulmod(kind.full, kind.arithmetic, P);
            sum = step(sum, y, selector, power0 + m0);
            sum = step(sum, y, selector, fifth(addmod(s1, lane.own.get(3), P)) + m1);
            sum = step(sum, y, selector, fifth(addmod(s2, lane.next.get(3), P)) + m2);

            selector = mulmod(kind.full, P + 1 - kind.arithmetic, P);
            sum = step(sum, y, selector, power0 + m0);
            sum = step(sum, y, selector, fifth(s1) + m1);
            return step(sum, y, selector, fifth(s2) + m2);
        }
    }

    /// Rows that enter the partial rounds, hold them, and leave them.
    function partialRounds(uint256 sum, uint256 y, Lane memory lane, Selectors memory kind) private pure returns (uint256) {
        unchecked {
            uint256 n0 = lane.next.get(0);
            uint256 power3 = fifth(lane.own.get(3));
            uint256 nextPower0 = fifth(n0);
            uint256 selector = mulmod(P + 1 - kind.partialRounds, kind.nextPartialRounds, P);
            sum = entering(sum, y, selector, lane, power3);
            sum = last(sum, y, selector, lane, power3, nextPower0);

            selector = mulmod(kind.partialRounds, kind.nextPartialRounds, P);
            uint256 power1 = fifth(lane.own.get(1));
            uint256 power2 = fifth(lane.own.get(2));
            uint256 value = next(lane.own.get(2), lane.own.get(3), power1, power2, power3) + lane.constants.get(0);
            sum = step(sum, y, selector, value + P - n0);
            // The other three of its cells follow as a row's do that enters, but for the first two.
            (uint256 x3, uint256 n1) = (lane.own.get(3), lane.next.get(1));
            value = next(x3, n0, power2, power3, nextPower0) + lane.constants.get(1);
            sum = step(sum, y, selector, value + P - n1);
            value = next(n0, n1, power3, nextPower0, fifth(n1)) + lane.constants.get(2);
            sum = step(sum, y, selector, value + P - lane.next.get(2));
            value = next(n1, lane.next.get(2), nextPower0, fifth(n1), fifth(lane.next.get(2))) + lane.constants.get(4);
            sum = step(sum, y, selector, value + P - lane.next.get(3));

            return leaving(sum, y, mulmod(kind.partialRounds, P + 1 - kind.nextPartialRounds, P), lane, power1, power2);
        }
    }

    function entering(uint256 sum, uint256 y, uint256 selector, Lane memory lane, uint256 power3) private pure returns (uint256) {
        unchecked {
            uint256 power0 = fifth(lane.own.get(0));
            (uint256 s1, uint256 s2) = (lane.own.get(1), lane.own.get(2));
            uint256 first = form3(power0, s1, s2, FIRST_0, FIRST_1, FIRST_2) + lane.constants.get(3);
            sum = step(sum, y, selector, first + P - lane.own.get(3));
            uint256 second = form3(power0, power3, s1, SECOND_0, SECOND_1, SECOND_2) + mulmod(s2, SECOND_3, P);
            return step(sum, y, selector, second + lane.constants.get(0) + P - lane.next.get(0));
        }
    }

    /// The next row's last three cells, of a row that enters.
    function last(uint256 sum, uint256 y, uint256 selector, Lane memory lane, uint256 power3, uint256 nextPower0)
        private
        pure
        returns (uint256)
    {
        unchecked {
            (uint256 n0, uint256 n1, uint256 n2) = (lane.next.get(0), lane.next.get(1), lane.next.get(2));
            uint256 nextPower1 = fifth(n1);
            uint256 value = next(lane.own.get(3), n0, fifth(lane.own.get(0)), power3, nextPower0) + lane.constants.get(1);
            sum = step(sum, y, selector, value + P - n1);
            value = next(n0, n1, power3, nextPower0, nextPower1) + lane.constants.get(2);
            sum = step(sum, y, selector, value + P - n2);
            value = next(n1, n2, nextPower0, nextPower1, fifth(n2)) + lane.constants.get(4);
            return step(sum, y, selector, value + P - lane.next.get(3));
        }
    }

    function leaving(uint256 sum, uint256 y, uint256 selector, Lane memory lane, uint256 power1, uint256 power2)
        private
        pure
        returns (uint256)
    {
        unchecked {
            (uint256 x2, uint256 x3) = (lane.own.get(2), lane.own.get(3));
            sum = step(sum, y, selector, x3 + P - lane.next.get(0));
            uint256 value = form3(x2, x3, power1, LEAVE_00, LEAVE_01, LEAVE_02) + mulmod(power2, LEAVE_03, P);
            sum = step(sum, y, selector, value + lane.constants.get(1) + P - lane.next.get(1));
            value = form3(x2, x3, power1, LEAVE_10, LEAVE_11, LEAVE_12) + mulmod(power2, LEAVE_13, P);
            return step(sum, y, selector, value + lane.constants.get(2) + P - lane.next.get(2));
        }
    }

    function arithmetic(uint256 sum, uint256 y, Lane memory lane, Selectors memory kind) private pure returns (uint256) {
        unchecked {
            (uint256 a, uint256 b, uint256 c) = (lane.own.get(0), lane.own.get(1), lane.own.get(2));
            uint256 value = form3(a, b, c, lane.constants.get(0), lane.constants.get(1), lane.constants.get(2));
            value += mulmod(mulmod(a, b, P), lane.constants.get(3), P) + lane.constants.get(4);
            return step(sum, y, mulmod(kind.arithmetic, P + 1 - kind.full, P), value + P - lane.own.get(3));
        }
    }

    /// What follows the three cells of which `x1` and `x2` are the last two, less its constant; not reduced, below `3·P`.
    function next(uint256 x1, uint256 x2, uint256 power0, uint256 power1, uint256 power2) private pure returns (uint256) {
        unchecked {
            return form3(x1, x2, power0, NEXT_0, NEXT_1, NEXT_2) + mulmod(power1, NEXT_3, P) + mulmod(power2, NEXT_4, P);
        }
    }

    /// `sum·y + selector·constraint`; the constraint need not be reduced.
    function step(uint256 sum, uint256 y, uint256 selector, uint256 constraint) private pure returns (uint256) {
        return addmod(mulmod(sum, y, P), mulmod(selector, constraint, P), P);
    }

    function form3(uint256 a, uint256 b, uint256 c, uint256 ka, uint256 kb, uint256 kc) private pure returns (uint256) {
        return addmod(addmod(mulmod(a, ka, P), mulmod(b, kb, P), P), mulmod(c, kc, P), P);
    }

    function fifth(uint256 x) private pure returns (uint256) {
        uint256 square = mulmod(x, x, P);
        return mulmod(mulmod(square, square, P), x, P);
    }
}
