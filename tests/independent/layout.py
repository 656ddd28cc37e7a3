"""Where everything lies: section 6 of docs/PROTOCOL.md."""

from types import SimpleNamespace as Struct

from field import log2ceil
from files import COMMITTED, FIXED, HASHED, MODEL, PUBLIC, WITNESS
from multilinear import bits


def round_up(value, unit):
    return -(-value // unit) * unit


def place(sizes, start=0):
    """Blocks by falling size, one after another: the offset of each, and the end."""
    offsets = {}
    for i in sorted(sizes, key=lambda i: -sizes[i]):
        offsets[i] = start
        start += sizes[i]
    return offsets, start


def lay_out(system, c, d):
    size = {i: 1 << bits(tensor.shape) for i, tensor in enumerate(system.tensors)}
    committed = {public.tensor for public in system.publics if public.visibility == COMMITTED}
    of = lambda origin: {i: size[i] for i, tensor in enumerate(system.tensors) if tensor.origin == origin}
    chunk = 1 << c

    witness = {i: max(n, chunk) if i in committed else n for i, n in of(WITNESS).items()}
    x_offsets, x_len = place(witness)
    w_offsets, w_len = place(of(MODEL))
    fixed = of(FIXED)
    if fixed:
        start = round_up(round_up(w_len, chunk), max(fixed.values()))
        fixed_offsets, w_len = place(fixed, start)
        w_offsets |= fixed_offsets
    x_chunks, w_chunks = -(-(round_up(x_len, 8) + 8) // chunk), -(-w_len // chunk)

    rows = [lookup.columns[0].domain for lookup in system.lookups] + [t.columns[0].domain for t in system.tables]
    leaves, leaf_len = place({i: 1 << bits(domain) for i, domain in enumerate(rows)})
    room, row_len, products = 1 << d, leaf_len, {}
    if system.products:
        room = round_up(leaf_len, 1 << max(0, log2ceil(leaf_len) - 4))
        sizes = {i: 1 << bits(a.domain) for i, (a, _, _) in enumerate(system.products)}
        products, row_len = place(sizes, round_up(room, max(sizes.values())))
    stated = [bits(system.tensors[p.tensor].shape) for p in system.publics if p.visibility in (PUBLIC, HASHED)]
    leaf_bits = max([1, log2ceil(row_len)] + [bits(equal.domain) for equal in system.equals] + stated)
    y_len = -(-leaf_len // (1 << (leaf_bits - d))) if d > 0 else 0
    y_chunks = -(-y_len // chunk)
    vector = lambda chunks: c + log2ceil(max(chunks, 1))
    return Struct(
        x_offsets=x_offsets, w_offsets=w_offsets, x_chunks=x_chunks, w_chunks=w_chunks, y_chunks=y_chunks,
        x_bits=vector(x_chunks), w_bits=vector(w_chunks), y_bits=vector(y_chunks),
        leaves=leaves, products=products, room=room, leaf_bits=leaf_bits,
    )  # fmt: skip
