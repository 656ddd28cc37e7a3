"""The core argument: section 10 of docs/PROTOCOL.md, up to the group equation."""

from types import SimpleNamespace as Struct

from field import P, Refused, Sponge, Transcript, inverse, log2ceil
from files import FIXED, HASHED, MODEL, PUBLIC
from multilinear import below, bits, closed_form, eq, eq_index, extension, in_range, split, wire


def wires(system, operand, points):
    """The wires of an operand, given a point for each variable: (terms, offset, length) for each axis."""
    shape = system.tensors[operand.tensor].shape
    if operand.indices is None:
        return [([(1, points[i])], 0, 1 << log2ceil(length)) for i, length in enumerate(shape)]
    return [
        ([(coef, points[variable]) for variable, coef in index.terms], index.offset, length)
        for index, length in zip(operand.indices, shape, strict=True)
    ]


class Claims:
    """Functionals at the leaves' point, expanded into their sources (10.4)."""

    def __init__(self, system, p):
        self.system, self.p = system, p
        self.raw, self.packed, self.indexed, self.contractions, self.known = {}, [], [], {}, 0

    def add(self, virtual, weight):
        point = self.p[: bits(virtual.domain)]
        for coef, (kind, argument) in virtual.terms:
            c = weight * coef % P
            if kind == "Contraction":
                self.contractions[argument] = (self.contractions.get(argument, 0) + c) % P
            elif kind != "Read":
                self.known = (self.known + c * closed_form(kind, argument, virtual.domain, point)) % P
            elif argument.indices is None:
                self.raw[argument.tensor] = (self.raw.get(argument.tensor, 0) + c) % P
            else:
                at = wires(self.system, argument, split(virtual.domain, point))
                self.indexed.append((argument.tensor, c, at))


def quadratic_or_cubic(t, S, degree):
    """A plain round: (g(r), r)."""
    g0 = t.read()
    higher = [t.read() for _ in range(2, degree + 1)]
    r = t.challenge()
    g1 = S - 2 * g0 - sum(higher)
    value = 0
    for coefficient in reversed([g0, g1] + higher):
        value = (value * r + coefficient) % P
    return value, r


def lookups(t, n, d):
    """10.3: the claim (p, P, Q) about the leaves, and with committed fractions (r, ŷ)."""
    fractions = None
    if d == 0:
        p0, p1, q0, q1 = [t.read() for _ in range(4)]
        if (p0 * q1 + p1 * q0) % P != 0 or q0 * q1 % P == 0:
            raise Refused("LookupSum")
        z = t.challenge()
        point, num, den = [z], (p0 + z * (p1 - p0)) % P, (q0 + z * (q1 - q0)) % P
        first = 1
    else:
        psi, S, point = t.challenge(), 0, []
        for _ in range(d):
            h1, e = t.read(), t.read()
            h0 = (S - psi * h1) % P
            r = t.challenge()
            S = (h0 + r * (h1 - h0 - e * (1 - r))) % P
            psi = psi * psi % P
            point.append(r)
        y, den = t.read(), t.read()
        num = (y * den - S) % P
        fractions, first = (point, y), d
    for _ in range(first, n):
        lam = t.challenge()
        S, r = (num + lam * den) % P, []
        for z in point:
            b, c = t.read(), t.read()
            a = S - z * (b + c)
            r.append(t.challenge())
            S = (a + r[-1] * (b + r[-1] * c)) % P
        p0, p1, q0, q1 = [t.read() for _ in range(4)]
        if (S - p0 * q1 - p1 * q0 - lam * q0 * q1) % P != 0:
            raise Refused("LookupSumcheck")
        z = t.challenge()
        point, num, den = [z] + r, (p0 + z * (p1 - p0)) % P, (q0 + z * (q1 - q0)) % P
    return point, num, den, fractions


def hashed_elements(t, system, hashes):
    """10.1: the elements of each hashed tensor, which the transcript does not absorb."""
    everyone = []
    for public, stated in zip((p for p in system.publics if p.visibility == HASHED), hashes, strict=True):
        n = bits(system.tensors[public.tensor].shape)
        salt, *elements = [t.read_aside() for _ in range(1 + (1 << max(0, n - 3)))]
        sponge = Sponge(b"vouch hashed tensor v1")
        for value in [1 << n, salt, *elements]:
            sponge.absorb(value)
        if sponge.challenge() != stated:
            raise Refused("Hash")
        everyone.append((public.tensor, n, elements))
    return everyone


def linear_claim(t, system, lay, d, keys, claim, publics, hashed):
    """10.4: the claims, the target, and the weights of y's two functionals."""
    (alpha, beta), (p, num, den, fractions) = keys, claim
    gamma = t.challenge()
    claims = Claims(system, p)
    blocks = system.lookups + system.tables
    fraction_weight = lookup_weight = every = 0
    squared = gamma * gamma % P
    for i, block in enumerate(blocks):
        n = bits(block.columns[0].domain)
        s = eq_index(p[n:], lay.leaves[i] >> n)
        is_lookup = i < len(system.lookups)
        table = block.table if is_lookup else i - len(system.lookups)
        for k, column in enumerate(block.columns):
            claims.add(column, s * pow(beta, k, P) % P)
        claims.known = (claims.known + s * pow(beta, 3, P) * (table + 1)) % P
        fraction_weight += s
        every += s
        if is_lookup:
            lookup_weight += s
        else:
            multiplicity = block.multiplicity
            claims.raw[multiplicity] = (claims.raw.get(multiplicity, 0) + gamma * s) % P
    for i, (a, b, c) in enumerate(system.products):
        n = bits(a.domain)
        s = eq_index(p[n:], lay.products[i] >> n)
        every += s
        claims.add(b, -s % P)
        claims.add(c, -s * gamma % P)
        claims.add(a, s * squared % P)
    target = alpha * fraction_weight + 1 - every - den + gamma * (lookup_weight - num)
    weight = gamma
    if d > 0:
        target += squared * fractions[1]
        weight = squared * gamma % P
    for equal in system.equals:
        weight = weight * gamma % P
        claims.add(equal, weight)
    for public, values in zip(system.publics, publics, strict=True):
        if public.visibility != PUBLIC:
            continue
        weight = weight * gamma % P
        shape = system.tensors[public.tensor].shape
        point = p[: bits(shape)]
        claims.indexed.append(
            (public.tensor, weight, [([(1, part)], 0, length) for part, length in zip(split(shape, point), shape)])
        )
        target += weight * extension(shape, values, point)
    for tensor, n, elements in hashed:
        weight = weight * gamma % P
        claims.packed.append((tensor, weight))
        value = sum(eq_index(p[3:n], i) * element for i, element in enumerate(elements))
        offsets = sum(1 << 16 * j for j in range(min(8, 1 << n))) << 15
        target += weight * (value - offsets)
    return claims, (target - claims.known) % P, gamma


def read_variables(system, operand):
    if operand.indices is None:
        return set(range(len(system.tensors[operand.tensor].shape)))
    return {variable for index in operand.indices for variable, _ in index.terms}


def parts(system, contraction):
    """The variables' parts in a contraction (10.5): batch, bound, masked."""
    operands = [operand for operand in (contraction.lhs, contraction.rhs) if operand is not None]
    batch = []
    if contraction.rhs is not None:
        both = read_variables(system, contraction.lhs) & read_variables(system, contraction.rhs)
        batch = [v for v in range(contraction.outputs) if v in both]
    summed = list(range(contraction.outputs, len(contraction.vars)))

    def cut_off(variable, length):
        return any(
            index.terms == [(variable, 1)] and index.offset == 0 and system.tensors[operand.tensor].shape[axis] == length
            for operand in operands
            if operand.indices is not None
            for axis, index in enumerate(operand.indices)
        )

    lengths = contraction.vars
    masked = [v for v in summed if lengths[v] & (lengths[v] - 1) and not cut_off(v, lengths[v])]
    return batch, batch + summed, masked


def contractions(t, system, p, weights):
    """10.5: the total, and the claims on both sides, each (functionals, value)."""
    columns = [v for block in system.lookups + system.tables for v in block.columns]
    virtuals = columns + system.equals + [v for product in system.products for v in product]
    taken = sorted({arg for v in virtuals for _, (kind, arg) in v.terms if kind == "Contraction"})
    if not taken:
        return 0, []
    shaped = [parts(system, c) for c in system.contractions]
    cubic = any(c.rhs is not None and (batch or masked) for c, (batch, _, masked) in zip(system.contractions, shaped))
    coordinates = lambda i: sum(log2ceil(system.contractions[i].vars[v]) for v in shaped[i][1])
    R = max(coordinates(i) for i in taken)
    total = t.read()
    S, r = total, []
    for _ in range(R):
        S, challenge = quadratic_or_cubic(t, S, 3 if cubic else 2)
        r.append(challenge)
    zeta = []
    for _ in range(log2ceil(len(taken))):
        S, challenge = quadratic_or_cubic(t, S, 2)
        zeta.append(challenge)
    v1, v2 = t.read(), t.read()
    sides, absent = ([], []), 0
    for number, i in enumerate(taken):
        contraction, (batch, bound, masked) = system.contractions[i], shaped[i]
        lengths, N = contraction.vars, coordinates(i)
        of_output = split(lengths[: contraction.outputs], p[: bits(lengths[: contraction.outputs])])
        of_bound = dict(zip(bound, split([lengths[v] for v in bound], r[:N])))
        at = {v: of_bound.get(v) if v in of_bound else of_output[v] for v in range(len(lengths))}
        c = weights.get(i, 0)
        for coordinate in r[N:]:
            c = c * (1 - coordinate) % P
        for v in batch:
            c = c * eq(of_output[v], of_bound[v]) % P
        for v in masked:
            c = c * below(of_bound[v], lengths[v]) % P
        selected = eq_index(zeta, number)
        sides[0].append((contraction.lhs.tensor, selected * c % P, wires(system, contraction.lhs, at)))
        if contraction.rhs is None:
            absent = (absent + selected) % P
        else:
            sides[1].append((contraction.rhs.tensor, selected, wires(system, contraction.rhs, at)))
    if (S - v1 * v2) % P != 0:
        raise Refused("Contraction")
    return total, [(sides[0], v1), (sides[1], (v2 - absent) % P)]


def batch(t, system, lay, d, claims, sides, S, gamma, fractions):
    """10.6: the point ρ and the three vectors' values there."""
    t.label(Transcript.BATCH)
    used = [lay.x_bits, lay.w_bits] + ([lay.y_bits] if d > 0 else [])
    rho = []
    for _ in range(max(used)):
        S, r = quadratic_or_cubic(t, S, 2)
        rho.append(r)
    x, w = t.read(), t.read()
    y = t.read() if d > 0 else 0
    Q = {"x": 0, "w": 0}

    def add(tensor, value):
        shape, origin = system.tensors[tensor].shape, system.tensors[tensor].origin
        n = bits(shape)
        in_w = origin in (MODEL, FIXED)
        offset, V = (lay.w_offsets[tensor], lay.w_bits) if in_w else (lay.x_offsets[tensor], lay.x_bits)
        place = eq_index(rho[n:V], offset >> n)
        vector = "w" if in_w else "x"
        Q[vector] = (Q[vector] + place * value(shape, rho[:n])) % P

    for tensor, coefficient in claims.raw.items():
        add(tensor, lambda shape, at: coefficient * eq(claims.p[: len(at)], at))
    for tensor, coefficient in claims.packed:

        def digits(shape, at):
            value = coefficient * eq(claims.p[3 : len(at)], at[3:]) % P
            for k, coordinate in enumerate(at[:3]):
                value = value * (1 + coordinate * ((1 << 16 * 2**k) - 1)) % P
            return value

        add(tensor, digits)
    for tensor, coefficient, at_wires in claims.indexed + sides:

        def product(shape, at):
            value = coefficient
            for axis, (terms, offset, length) in zip(split(shape, at), at_wires, strict=True):
                value = value * wire(axis, terms, offset, length) % P
            return value

        add(tensor, product)

    def late(n):
        value = 1
        for coordinate in rho[n:]:
            value = value * (1 - coordinate) % P
        return value

    expected = x * Q["x"] * late(lay.x_bits) + w * Q["w"] * late(lay.w_bits)
    if d > 0:
        r, Qy, offset = fractions[0], 0, 0
        for k in reversed(range(lay.room.bit_length())):
            if not lay.room >> k & 1:
                continue
            m = min(k, lay.y_bits)
            value = gamma**2 * eq(r[:m], rho[:m]) * eq_index(r[k:], offset >> k) % P
            for coordinate in r[m:k]:
                value = value * (1 - coordinate) % P
            Qy += (value + gamma**3) * eq_index(rho[k : lay.y_bits], offset >> k)
            offset += 1 << k
        expected += y * Qy * late(lay.y_bits)
    if (S - expected) % P != 0:
        raise Refused("Batch")
    return rho, x, w, y


def opening(t, rho, v, digest_s, digest_h):
    """10.8: the scalars s, h, o, z of the group equation."""
    t.label(Transcript.OPENING)
    t.absorb_bytes(digest_s)
    zeta = t.challenge()
    y = t.read()
    t.absorb_bytes(digest_h)
    z = t.challenge()

    def E(x):
        product, power = 1, x
        for coordinate in rho:
            product = product * (1 - coordinate + coordinate * power) % P
            power = power * power % P
        return product

    if zeta == 0:
        raise Refused("Degenerate")
    back = inverse(zeta)
    f = ((z - back) * E(back) + (z - zeta) * E(zeta)) % P
    if f == 0:
        raise Refused("Degenerate")
    scale = inverse(f)
    return Struct(
        s=((z - back) * zeta + (z - zeta) * back) * scale % P,
        h=(z - zeta) * (z - back) * scale % P,
        o=((z - back) * y + (z - zeta) * (2 * v - y)) * scale % P,
        z=z,
    )


def verify(system, lay, c, d, statement, proof):
    """All of section 10 but the group equation: what it needs."""
    t = Transcript(proof.scalars)
    hashed = hashed_elements(t, system, proof.hashes)
    t.label(Transcript.COMMITMENTS)
    t.absorb_bytes(statement + b"".join(proof.x))
    t.read()
    t.label(Transcript.LOOKUPS)
    beta, alpha = t.challenge(), t.challenge()
    if d > 0:
        t.absorb_bytes(b"".join(proof.y))
    claim = lookups(t, lay.leaf_bits, d)
    t.label(Transcript.CONTRACTIONS)
    claims, target, gamma = linear_claim(t, system, lay, d, (alpha, beta), claim, proof.publics, hashed)
    total, sides = contractions(t, system, claims.p, claims.contractions)
    eta = t.challenge()
    S, weight, functionals = target - total, 1, []
    for side, value in sides:
        weight = weight * eta % P
        S += weight * value
        functionals += [(tensor, coefficient * weight % P, at) for tensor, coefficient, at in side]
    rho, x, w, y = batch(t, system, lay, d, claims, functionals, S % P, gamma, claim[3])
    delta = t.challenge()
    v = (w + delta * x + delta * delta * y) % P
    blind = t.read()
    scalars = opening(t, rho[:c], v, proof.opening[0], proof.opening[1])
    t.finish()
    weights = lambda count, n, scale: [scale * eq_index(rho[c:n], j) % P for j in range(count)]
    return Struct(
        w=weights(lay.w_chunks, lay.w_bits, 1),
        x=weights(lay.x_chunks, lay.x_bits, delta),
        y=weights(lay.y_chunks, lay.y_bits, delta * delta % P),
        blind=blind,
        opening=scalars,
    )
