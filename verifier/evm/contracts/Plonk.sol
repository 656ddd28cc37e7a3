// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {P, Words, allocate, Field} from "./Field.sol";
import {Curve, Terms} from "./Curve.sol";
import {Elements} from "./Elements.sol";
import {Gates, Lane, Selectors} from "./Gates.sol";
import {Key} from "./Key.sol";
import {Transcript, Transcripts} from "./Transcript.sol";

// Rows at the end that hold no cells.
uint256 constant UNUSABLE_ROWS = 6;

/// One proof: what it is checked with, its challenges and values, and what has been computed of them.
struct Run {
    Key key;
    Elements elements;
    /// The shell's public values.
    Words instances;
    uint256 instanceCount;
    /// The values that the proof claims.
    Words values;
    uint256 beta;
    uint256 gamma;
    uint256 y;
    uint256 x;
    /// The power `x^n`, and the points `ω·x` and `ω^(n-6)·x`.
    uint256 power;
    uint256 next;
    uint256 end;
    /// SHPLONK's challenges, and the power of `u` by which polynomials are evaluated that share a commitment.
    uint256 claimFactor;
    uint256 setFactor;
    uint256 u;
    uint256 sharedU;
    /// Lagrange polynomials of rows at `x`: the six last rows', from the one where products end, then the first rows'; at last `1/(x^n - 1)`.
    Words lagrange;
    /// The public values' column at `x`.
    uint256 instance;
    /// What is to be zero in every row, folded by `y`; divided by `x^n - 1`, the quotient's value.
    uint256 quotient;
    /// What interpolates claims (see `setInterpolation`).
    Words interpolation;
    /// The equation's left side, the generator's scalar apart, and the weight of the next claim.
    Terms left;
    uint256 one;
    uint256 weight;
}

/// The shell's proof: Halo2's PLONK with SHPLONK, with one column to a commitment or four, reduced to one equation over the groups
/// (docs/PROTOCOL.md, section 10A.3).
library Plonk {
    using Field for uint256;
    using Curve for Terms;
    using Transcripts for Transcript;

    // 7^((P - 1)/2^28), of order 2^28, and 7^(2^28), which tells the copies' columns apart.
    uint256 private constant ROOT = 0x03ddb9f5166d18b798865ea93dd31f743215cf6dd39329c8d34f1ed960c37c9c;
    uint256 private constant DELTA = 0x09226b6e22c6f0ca64ec26aad4c86e715b5f898e5e963f25870e56bbe533e9a2;

    /// Adds to the run's terms what the proof's equation has on its left side. False if a challenge is degenerate or there are too many public values. The right side is the
    /// proof's last point.
    function reduce(Run memory run, Transcript memory transcript) internal view returns (bool) {
        challenges(run, transcript);
        if (!setPolynomials(run)) return false;
        gates(run);
        copies(run);
        run.quotient = run.quotient.mul(run.lagrange.get(UNUSABLE_ROWS + run.instanceCount));
        openings(run);
        return true;
    }

    /// Reads the elements in order and draws all challenges.
    function challenges(Run memory run, Transcript memory transcript) private pure {
        Elements memory e = run.elements;
        for (uint256 i = 0; i < run.instanceCount; ++i) {
            transcript.absorb(run.instances.get(i));
        }
        transcript.absorbSent(e.advice, e.products - e.advice);
        // One that nothing uses.
        transcript.challenge();
        run.beta = transcript.challenge();
        run.gamma = transcript.challenge();
        transcript.absorbSent(e.products, e.pieces - e.products);
        run.y = transcript.challenge();
        transcript.absorbSent(e.pieces, e.values - e.pieces);
        run.x = transcript.challenge();
        transcript.absorbSent(e.values, e.quotient - e.values);
        run.claimFactor = transcript.challenge();
        run.setFactor = transcript.challenge();
        transcript.absorbSent(e.quotient, 64);
        run.u = transcript.challenge();
        run.sharedU = run.key.packing == 1 ? run.u : run.u.squareTimes(2);
        transcript.absorbSent(e.witness, 64);

        uint256 count = e.valueCount;
        Words values = allocate(count);
        uint256 offset = e.values;
        assembly ("memory-safe") {
            calldatacopy(values, offset, shl(5, count))
        }
        run.values = values;
        run.power = run.x.squareTimes(run.key.k);
    }

    /// The Lagrange polynomials of rows at `x` and of the claims' points at `u`, by one inversion, and the public values' column. False if a
    /// denominator is zero, or there are more public values than rows.
    function setPolynomials(Run memory run) private view returns (bool) {
        unchecked {
            uint256 count = UNUSABLE_ROWS + run.instanceCount;
            // Public values lie in rows of their own.
            if (count > 1 << run.key.k) return false;
            run.lagrange = allocate(count + 16);
            run.interpolation = run.lagrange.from(count + 1);
            uint256 root = ROOT.squareTimes(28 - run.key.k);
            uint256 first = root.power((1 << run.key.k) - UNUSABLE_ROWS);
            run.next = run.x.mul(root);
            run.end = run.x.mul(first);
            lagrangeDenominators(run, first, root, count);
            interpolationDenominators(run);
            if (!Field.invertAll(run.lagrange, count + 7)) return false;
            setLagrange(run, first, root, count);
            setInterpolation(run);
            return true;
        }
    }

    /// `n·(x - row)` for the last rows and the first, and `x^n - 1`.
    function lagrangeDenominators(Run memory run, uint256 row, uint256 root, uint256 count) private pure {
        unchecked {
            (Words lagrange, uint256 x, uint256 rows) = (run.lagrange, run.x, 1 << run.key.k);
            for (uint256 i = 0; i < count; ++i) {
                lagrange.set(i, x.sub(row).mul(rows));
                row = row.mul(root);
            }
            lagrange.set(count, run.power.sub(1));
        }
    }

    function setLagrange(Run memory run, uint256 row, uint256 root, uint256 count) private pure {
        unchecked {
            Words lagrange = run.lagrange;
            row = row.mul(run.power.sub(1));
            for (uint256 i = 0; i < count; ++i) {
                lagrange.set(i, lagrange.get(i).mul(row));
                row = row.mul(root);
            }
            uint256 instance = 0;
            for (uint256 i = UNUSABLE_ROWS; i < count; ++i) {
                instance = lagrange.get(i).mulAdd(run.instances.get(i - UNUSABLE_ROWS), instance);
            }
            run.instance = instance;
        }
    }

    function interpolationDenominators(Run memory run) private pure {
        Words l = run.interpolation;
        (uint256 x, uint256 u) = (run.x, run.u);
        uint256 toNext = x.sub(run.next);
        uint256 toEnd = x.sub(run.end);
        uint256 between = run.next.sub(run.end);
        uint256 atEnd = u.sub(run.end);
        l.set(11, x.sub(u));
        l.set(12, u.sub(run.next));
        l.set(13, x.sub(run.sharedU));
        l.set(14, run.sharedU.sub(run.next));
        l.set(10, atEnd);
        l.set(0, toNext);
        l.set(1, toEnd.mul(toNext));
        l.set(2, between.mul(toNext));
        l.set(3, toEnd.mul(between));
        l.set(4, atEnd);
        l.set(5, l.get(11).mul(l.get(12)));
    }

    /// With `v` for the power of `u` that is shared, in order: the inverse of `x - ω·x`; the Lagrange polynomials of `x, ω·x, ω^(n-6)·x` at `u`; the
    /// inverses of `u - ω^(n-6)·x` and `(x - u)·(u - ω·x)`; the Lagrange polynomials of `x, ω·x` at `v` and at `u`; then `u - ω^(n-6)·x`, `x - u`,
    /// `u - ω·x`, `x - v`, `v - ω·x`.
    function setInterpolation(Run memory run) private pure {
        Words l = run.interpolation;
        (uint256 inverse, uint256 atEnd, uint256 toU, uint256 atNext) = (l.get(0), l.get(10), l.get(11), l.get(12));
        l.set(1, l.get(1).mul(atNext).mul(atEnd));
        l.set(2, l.get(2).mul(toU).mul(atEnd));
        l.set(3, P - l.get(3).mul(toU).mul(atNext));
        l.set(6, inverse.mul(l.get(14)));
        l.set(7, inverse.mul(l.get(13)));
        l.set(8, inverse.mul(atNext));
        l.set(9, inverse.mul(toU));
    }

    /// The gates of all lanes. Values in order: own cells, the next row's, the selectors, each lane's fixed columns.
    function gates(Run memory run) private pure {
        unchecked {
            uint256 lanes = run.key.lanes;
            Words selectors = run.values.from(8 * lanes);
            Selectors memory kind = Selectors(selectors.get(0), selectors.get(1), selectors.get(2), selectors.get(3));
            for (uint256 i = 0; i < lanes; ++i) {
                Lane memory lane =
                    Lane(run.values.from(4 * i), run.values.from(4 * (lanes + i)), selectors.from(4 + 5 * i));
                run.quotient = Gates.fold(run.quotient, run.y, lane, kind);
            }
        }
    }

    /// The copy argument: where products begin, where they end, that each goes on where the one before ended, and their steps.
    function copies(Run memory run) private pure {
        unchecked {
            Words products = productValues(run);
            uint256 count = run.elements.productCount;
            (uint256 last, uint256 first) = (run.lagrange.get(0), run.lagrange.get(UNUSABLE_ROWS));
            uint256 usable = uint256(1).sub(last);
            for (uint256 i = 1; i < UNUSABLE_ROWS; ++i) {
                usable = usable.sub(run.lagrange.get(i));
            }
            fold(run, first.mul(uint256(1).sub(products.get(0))));
            uint256 end = products.get(3 * (count - 1));
            fold(run, last.mul(end.mul(end).sub(end)));
            for (uint256 i = 1; i < count; ++i) {
                fold(run, first.mul(products.get(3 * i).sub(products.get(3 * i - 1))));
            }
            uint256 coset = run.beta.mul(run.x);
            for (uint256 i = 0; i < count; ++i) {
                coset = product(run, i, coset, usable);
            }
        }
    }

    /// The step of one product, whose first column has the coset `coset`; returns the next column's.
    function product(Run memory run, uint256 i, uint256 coset, uint256 usable) private pure returns (uint256) {
        unchecked {
            uint256 count = 4 * run.key.lanes;
            // The permutation's values stand behind the fixed columns' and the random polynomial's, if there is one.
            Words permutation = run.values.from(13 * run.key.lanes + 4 + run.elements.randomCount);
            Words own = productValues(run).from(3 * i);
            (uint256 right, uint256 left) = (own.get(0), own.get(1));
            uint256 until = 5 * (i + 1);
            for (uint256 column = 5 * i; column < until && column <= count; ++column) {
                uint256 value = column < count ? run.values.get(column) : run.instance;
                value = addmod(value, run.gamma, P);
                left = left.mul(run.beta.mulAdd(permutation.get(column), value));
                right = right.mul(addmod(value, coset, P));
                coset = coset.mul(DELTA);
            }
            fold(run, left.sub(right).mul(usable));
            return coset;
        }
    }

    function fold(Run memory run, uint256 value) private pure {
        run.quotient = run.quotient.mulAdd(run.y, value);
    }

    /// SHPLONK: the commitments and values at one, two or three points as one equation. Those that share commitments are in sets of their own.
    function openings(Run memory run) private pure {
        Words l = run.interpolation;
        bool sharing = run.key.packing > 1;
        // What vanishes where cells are opened; and that by what vanishes where single columns are.
        uint256 minus = l.get(13).mul(l.get(14));
        uint256 ratio = minus.mul(l.get(5));
        uint256 ofSet = 1;
        run.weight = 1;
        cells(run);
        if (sharing) {
            ofSet = run.setFactor;
            run.weight = ofSet.mul(ratio);
        }
        atTwoPoints(run);
        ofSet = ofSet.mul(run.setFactor);
        if (run.elements.productCount > 1) {
            run.weight = ofSet.mul(ratio).mul(l.get(4));
            atThreePoints(run);
            ofSet = ofSet.mul(run.setFactor);
        }
        run.weight = ofSet.mul(l.get(14));
        columns(run);
        if (sharing) run.weight = ofSet.mul(run.setFactor).mul(ratio).mul(l.get(12));
        quotient(run);
        run.left.pushSent(run.elements.quotient, minus);
        run.left.pushSent(run.elements.witness, run.u);
    }

    /// Cells, at two points.
    function cells(Run memory run) private pure {
        unchecked {
            (Words values, uint256 packing) = (run.values, run.key.packing);
            uint256 count = 4 * run.key.lanes;
            uint256 offset = run.elements.advice;
            for (uint256 i = 0; i < count; i += packing) {
                uint256 own = shared(run, values.from(i), packing);
                sent(run, offset, interpolated(run, 6, own, shared(run, values.from(count + i), packing)));
                offset += 64;
            }
        }
    }

    /// The last product, and the selector of partial rounds.
    function atTwoPoints(Run memory run) private pure {
        unchecked {
            uint256 last = run.elements.productCount - 1;
            Words values = productValues(run).from(3 * last);
            sent(run, run.elements.products + 64 * last, interpolated(run, 8, values.get(0), values.get(1)));
            values = run.values.from(8 * run.key.lanes);
            kept(run, run.key.columns, interpolated(run, 8, values.get(0), values.get(1)));
        }
    }

    /// All products but the last.
    function atThreePoints(Run memory run) private pure {
        unchecked {
            Words own = productValues(run);
            uint256 third = run.interpolation.get(3);
            for (uint256 i = 0; i + 1 < run.elements.productCount; ++i) {
                uint256 value = interpolated(run, 1, own.get(0), own.get(1));
                sent(run, run.elements.products + 64 * i, own.get(2).mulAdd(third, value));
                own = own.from(3);
            }
        }
    }

    /// The other fixed columns and the permutation, at one point.
    function columns(Run memory run) private pure {
        unchecked {
            uint256 place = run.key.columns;
            uint256 packing = run.key.packing;
            uint256 constants = 5 * run.key.lanes + 2;
            uint256 count = constants + 4 * run.key.lanes + 1;
            Words values = run.values.from(8 * run.key.lanes + 2);
            for (uint256 i = 0; i < count; i += packing) {
                // The random polynomial's value is between them.
                if (i == constants && packing == 1) values = values.from(1);
                place += 64;
                kept(run, place, shared(run, values.from(i), count - i < packing ? count - i : packing));
            }
        }
    }

    /// The quotient, and the random polynomial if there is one.
    function quotient(Run memory run) private pure {
        unchecked {
            uint256 scalar = run.weight;
            uint256 power = run.key.packing == 1 ? run.power : run.power.squareTimes(2);
            for (uint256 i = 0; i < run.elements.pieceCount; ++i) {
                run.left.pushSent(run.elements.pieces + 64 * i, scalar);
                scalar = scalar.mul(power);
            }
            claim(run, run.quotient);
            if (run.elements.randomCount > 0) sent(run, run.elements.random, run.values.get(13 * run.key.lanes + 4));
        }
    }

    /// The value at `u` of what so many polynomials share, of their values at its power.
    function shared(Run memory run, Words values, uint256 count) private pure returns (uint256 value) {
        unchecked {
            uint256 u = run.u;
            while (count > 0) value = value.mulAdd(u, values.get(--count));
        }
    }

    /// The sum of two values, weighted by what interpolates from a place on.
    function interpolated(Run memory run, uint256 place, uint256 own, uint256 next) private pure returns (uint256) {
        Words l = run.interpolation.from(place);
        return own.mulAdd(l.get(0), next.mul(l.get(1)));
    }

    /// A claim of a commitment in calldata.
    function sent(Run memory run, uint256 offset, uint256 value) private pure {
        run.left.pushSent(offset, run.weight);
        claim(run, value);
    }

    /// A claim of the key's commitment at a place in memory.
    function kept(Run memory run, uint256 place, uint256 value) private pure {
        run.left.pushKept(place, run.weight);
        claim(run, value);
    }

    /// A claim's value, which its weight takes from the generator's scalar; and the next claim's weight.
    function claim(Run memory run, uint256 value) private pure {
        run.one = run.one.sub(run.weight.mul(value));
        run.weight = run.weight.mul(run.claimFactor);
    }

    /// The products' values, three for each but the last.
    function productValues(Run memory run) private pure returns (Words) {
        unchecked {
            return run.values.from(17 * run.key.lanes + 5 + run.elements.randomCount);
        }
    }
}
