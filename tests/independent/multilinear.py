"""Multilinear building blocks: section 9 of docs/PROTOCOL.md."""

from field import P, log2ceil


def bits(shape):
    return sum(log2ceil(length) for length in shape)


def split(shape, point):
    """A point's part for each axis: the last axis has the lowest coordinates."""
    parts, at = [], 0
    for length in reversed(shape):
        parts.append(point[at : at + log2ceil(length)])
        at += log2ceil(length)
    return parts[::-1]


def eq(a, b):
    product = 1
    for x, y in zip(a, b, strict=True):
        product = product * (x * y + (1 - x) * (1 - y)) % P
    return product


def eq_index(point, index):
    return eq(point, [index >> k & 1 for k in range(len(point))])


def below(point, bound):
    """The extension of [i < bound]."""
    if bound >= 1 << len(point):
        return 1
    t = 0
    for k, z in enumerate(point):
        t = ((1 - z) + z * t if bound >> k & 1 else (1 - z) * t) % P
    return t


def in_range(point, start, end):
    return (below(point, end) - below(point, start)) % P


def wire(axis, terms, offset, length):
    """The wiring predicate; `terms` are pairs (coef, point)."""
    a = len(axis)
    whole = length == 1 << a
    states = {(offset, whole): 1}
    for t in range(max([a] + [len(point) for _, point in terms])):
        after = {}
        for (carry, is_below), weight in states.items():
            choices = [(carry, weight)]
            for coef, point in terms:
                if t < len(point):
                    v = point[t]
                    choices = [
                        choice
                        for total, w in choices
                        for choice in ((total, w * (1 - v) % P), (total + coef, w * v % P))
                    ]
            for total, w in choices:
                bit, carried = total % 2, total // 2
                if t >= a:
                    if bit:
                        continue
                else:
                    w = w * (axis[t] if bit else 1 - axis[t]) % P
                of_length = length >> t & 1
                state = (carried, True if whole else is_below if bit == of_length else bool(of_length))
                after[state] = (after.get(state, 0) + w) % P
        states = after
    return states.get((0, True), 0)


def closed_form(kind, argument, domain, point):
    """A source without a tensor."""
    n = len(point)
    position = sum(z << k for k, z in enumerate(point)) % P
    if kind == "Fill":
        parts, product = split(domain, point), 1
        for variable, start, end in argument:
            product = product * in_range(parts[variable], start, end) % P
        return product
    if kind == "Position":
        return position
    if n == 0:
        return 0
    middle = eq_index(point, 1 << (n - 1))
    if kind == "PositionRelu":
        return point[-1] * (position - (point[-1] << (n - 1))) % P
    return middle if kind == "PositionIsMiddle" else (point[-1] - middle) % P


def extension(shape, values, point):
    """Of integers, row-major on the true shape, zero-padded."""
    folded = [value % P for value in values]
    for length, part in reversed(list(zip(shape, split(shape, point)))):
        weights = [eq_index(part, i) for i in range(length)]
        rows = range(0, len(folded), length)
        folded = [sum(w * v for w, v in zip(weights, folded[row : row + length])) % P for row in rows]
    return folded[0]
