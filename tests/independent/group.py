"""The group equation: sections 2.2, 2.3 and 10.8 of docs/PROTOCOL.md."""

from py_ecc.fields import optimized_bn128_FQ as FQ
from py_ecc.fields import optimized_bn128_FQ2 as FQ2
from py_ecc.optimized_bn128 import G1, G2, Z1, add, b, field_modulus, is_on_curve, multiply, neg, pairing

from field import P, Refused, keccak


def decode(data):
    """A point of G1 from its 64 bytes."""
    if data == bytes(64):
        return Z1
    x, y = int.from_bytes(data[:32], "big"), int.from_bytes(data[32:], "big")
    if x >= field_modulus or y >= field_modulus or not is_on_curve((FQ(x), FQ(y), FQ(1)), b):
        raise Refused("Point")
    return (FQ(x), FQ(y), FQ(1))


def decode_g2(data):
    x1, x0, y1, y0 = [int.from_bytes(data[i : i + 32], "big") for i in range(0, 128, 32)]
    return (FQ2([x0, x1]), FQ2([y0, y1]), FQ2.one())


def base_of_blinds():
    """B."""
    q = field_modulus
    for n in range(1 << 32):
        x = int.from_bytes(keccak(b"vouch base of blinds" + n.to_bytes(4, "big")), "big") % q
        y = pow(x**3 + 3, (q + 1) // 4, q)
        if (y * y - x**3 - 3) % q == 0:
            return (FQ(x), FQ(min(y, q - y)), FQ(1))


def check(key, proof, left):
    """The equation, given the scalars that the argument comes to."""
    s, h, w = [decode(point) for point in proof.opening]
    terms = list(zip(map(decode, key.w_commitments), left.w, strict=True))
    terms += zip(map(decode, proof.x), left.x, strict=True)
    terms += zip(map(decode, proof.y), left.y, strict=True)
    o = left.opening
    terms += [(base_of_blinds(), -left.blind), (s, -o.s), (h, -o.h), (G1, -o.o), (w, o.z)]
    total = Z1
    for point, scalar in terms:
        total = add(total, multiply(point, scalar % P))
    if pairing(G2, total) != pairing(decode_g2(key.tau_g2), w):
        raise Refused("Pairing")
