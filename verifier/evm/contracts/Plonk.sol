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
    /// SHPLONK's challenges.
    uint256 claimFactor;
    uint256 setFactor;
    uint256 u;
    /// Lagrange polynomials of rows at `x`: the six last rows', from the one where products end, then the first rows'; at last `1/(x^n - 1)`.
    Words lagrange;
    /// The public values' column at `x`.
    uint256 instance;
    /// What is to be zero in every row, folded by `y`; divided by `x^n - 1`, the quotient's value.
    uint256 quotient;
    /// Lagrange polynomials at `u`, of the points that claims are at.
    Words interpolation;
    /// The equation's left side, the generator's scalar apart, and the weight of the next claim.
    Terms left;
    uint256 one;
    uint256 weight;
}

/// The shell's proof: Halo2's PLONK with SHPLONK, reduced to one equation over the groups (docs/PROTOCOL.md, section 10A.3).
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
            run.lagrange = allocate(count + 7);
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
        (uint256 x, uint256 next, uint256 end) = (run.x, run.next, run.end);
        Words l = run.interpolation;
        l.set(0, x.sub(next));
        l.set(1, next.sub(x));
        l.set(2, x.sub(end).mul(l.get(0)));
        l.set(3, next.sub(end).mul(l.get(1)));
        l.set(4, end.sub(x).mul(end.sub(next)));
        l.set(5, run.u.sub(end));
    }

    /// The Lagrange polynomials of the points `x, ω·x`, then of `x, ω·x, ω^(n-6)·x`, at `u`, and the inverse of `u - ω^(n-6)·x`.
    function setInterpolation(Run memory run) private pure {
        Words l = run.interpolation;
        (uint256 atX, uint256 atNext, uint256 atEnd) = (run.u.sub(run.x), run.u.sub(run.next), run.u.sub(run.end));
        l.set(0, l.get(0).mul(atNext));
        l.set(1, l.get(1).mul(atX));
        l.set(2, l.get(2).mul(atNext).mul(atEnd));
        l.set(3, l.get(3).mul(atX).mul(atEnd));
        l.set(4, l.get(4).mul(atX).mul(atNext));
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
            uint256 cells = 4 * run.key.lanes;
            // The permutation's values stand behind the fixed columns' and the random polynomial's.
            Words permutation = run.values.from(13 * run.key.lanes + 5);
            Words own = productValues(run).from(3 * i);
            (uint256 right, uint256 left) = (own.get(0), own.get(1));
            uint256 until = 5 * (i + 1);
            for (uint256 column = 5 * i; column < until && column <= cells; ++column) {
                uint256 value = column < cells ? run.values.get(column) : run.instance;
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

    /// SHPLONK: the commitments and values at one, two or three points as one equation.
    function openings(Run memory run) private pure {
        run.weight = 1;
        atTwoPoints(run);
        uint256 ofSet = run.setFactor;
        if (run.elements.productCount > 1) {
            run.weight = ofSet.mul(run.interpolation.get(5));
            atThreePoints(run);
            ofSet = ofSet.mul(run.setFactor);
        }
        uint256 atNext = run.u.sub(run.next);
        run.weight = ofSet.mul(atNext);
        atOnePoint(run);
        run.left.pushSent(run.elements.quotient, uint256(0).sub(run.u.sub(run.x).mul(atNext)));
        run.left.pushSent(run.elements.witness, run.u);
    }

    /// Cells, the last product, and the selector of partial rounds.
    function atTwoPoints(Run memory run) private pure {
        unchecked {
            Words values = run.values;
            uint256 cells = 4 * run.key.lanes;
            for (uint256 i = 0; i < cells; ++i) {
                run.left.pushSent(run.elements.advice + 64 * i, run.weight);
                claim(run, interpolated(run, values.get(i), values.get(cells + i)));
            }
            uint256 last = run.elements.productCount - 1;
            run.left.pushSent(run.elements.products + 64 * last, run.weight);
            Words own = productValues(run).from(3 * last);
            claim(run, interpolated(run, own.get(0), own.get(1)));
            run.left.pushKept(run.key.fixedColumns, run.weight);
            claim(run, interpolated(run, values.get(2 * cells), values.get(2 * cells + 1)));
        }
    }

    /// All products but the last.
    function atThreePoints(Run memory run) private pure {
        unchecked {
            Words own = productValues(run);
            Words l = run.interpolation;
            for (uint256 i = 0; i + 1 < run.elements.productCount; ++i) {
                run.left.pushSent(run.elements.products + 64 * i, run.weight);
                uint256 value = own.get(0).mul(l.get(2));
                value = own.get(1).mulAdd(l.get(3), value);
                claim(run, own.get(2).mulAdd(l.get(4), value));
                own = own.from(3);
            }
        }
    }

    /// The other fixed columns, the permutation, the quotient, the random polynomial.
    function atOnePoint(Run memory run) private pure {
        unchecked {
            Words values = run.values.from(8 * run.key.lanes + 2);
            uint256 count = 5 * run.key.lanes + 2;
            kept(run, run.key.fixedColumns + 64, values, count);
            uint256 random = values.get(count);
            kept(run, run.key.copies, values.from(count + 1), 4 * run.key.lanes + 1);
            uint256 power = run.weight;
            for (uint256 i = 0; i < 6; ++i) {
                run.left.pushSent(run.elements.pieces + 64 * i, power);
                power = power.mul(run.power);
            }
            claim(run, run.quotient);
            run.left.pushSent(run.elements.random, run.weight);
            claim(run, random);
        }
    }

    /// Commitments of the key's.
    function kept(Run memory run, uint256 place, Words values, uint256 count) private pure {
        unchecked {
            for (uint256 i = 0; i < count; ++i) {
                run.left.pushKept(place + 64 * i, run.weight);
                claim(run, values.get(i));
            }
        }
    }

    /// A claim's value, which its weight takes from the generator's scalar; and the next claim's weight.
    function claim(Run memory run, uint256 value) private pure {
        run.one = run.one.sub(run.weight.mul(value));
        run.weight = run.weight.mul(run.claimFactor);
    }

    /// The products' values, three for each but the last.
    function productValues(Run memory run) private pure returns (Words) {
        unchecked {
            return run.values.from(17 * run.key.lanes + 6);
        }
    }

    /// The polynomial with these values at `x` and `ω·x`, at `u`.
    function interpolated(Run memory run, uint256 own, uint256 next) private pure returns (uint256) {
        return own.mulAdd(run.interpolation.get(0), next.mul(run.interpolation.get(1)));
    }
}
