"""A second verifier of the core argument, written from docs/PROTOCOL.md alone.

    python verify.py VERIFYING_KEY ARCHITECTURE SYSTEM PROOFS

SYSTEM is the constraint system that the architecture is lowered to, in postcard's format. PROOFS is JSON: a list of core proofs, each with the hex strings `key_digest`, `context` (or null), `x`, `y`, `opening` (lists of points of 64
bytes), `scalars` and `hashes` (lists) and `publics` (lists of integers). For each a line is printed: `accepted`, or the name of the check that refuses.

It is slow, checks no shell, and shares no code with the project; it is there to show that the page says what the code does.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace as Struct

import argument
import group
from field import P, Refused, keccak
from files import HASHED, PUBLIC, read_architecture, read_key, read_system
from layout import lay_out

PROTOCOL = (22).to_bytes(4, "big")


def parse(proof):
    points = lambda name: [bytes.fromhex(point) for point in proof[name]]
    scalars, hashes = ([int(scalar, 16) for scalar in proof[name]] for name in ("scalars", "hashes"))
    if any(scalar >= P for scalar in scalars + hashes):
        raise Refused("DecodeError")
    return Struct(
        key_digest=bytes.fromhex(proof["key_digest"]),
        context=proof["context"] and bytes.fromhex(proof["context"]),
        publics=proof["publics"],
        scalars=scalars,
        hashes=hashes,
        x=points("x"),
        y=points("y"),
        opening=points("opening"),
    )


def stated(key_digest, proof):
    """The statement (section 8)."""
    data = key_digest + (b"\x01" + proof.context if proof.context else b"\x00")
    data += b"".join(value.to_bytes(32, "big") for value in proof.hashes)
    for values in proof.publics:
        data += len(values).to_bytes(8, "big")
        data += b"".join(value.to_bytes(8, "big", signed=True) for value in values)
    return keccak(data)


def check_publics(system, proof):
    if len(proof.hashes) != sum(public.visibility == HASHED for public in system.publics):
        raise Refused("Hashes")
    if len(proof.publics) != len(system.publics):
        raise Refused("PublicCount")
    for public, values in zip(system.publics, proof.publics):
        need = 1
        for length in system.tensors[public.tensor].shape:
            need *= length
        if len(values) != (need if public.visibility == PUBLIC else 0):
            raise Refused("PublicLength")
        if any(not public.range[0] <= value <= public.range[1] for value in values):
            raise Refused("PublicRange")


def verify(key, key_digest, system, proof):
    lay = lay_out(system, key.c, key.d)
    if proof.key_digest != key_digest:
        raise Refused("OtherKey")
    check_publics(system, proof)
    if (len(proof.x), len(proof.y)) != (lay.x_chunks, lay.y_chunks):
        raise Refused("Commitments")
    left = argument.verify(system, lay, key.c, key.d, stated(key_digest, proof), proof)
    group.check(key, proof, left)


def main():
    key_file, architecture_file, system_file, proofs = map(Path, sys.argv[1:])
    key, body = read_key(key_file.read_bytes())
    architecture = read_architecture(architecture_file.read_bytes())
    assert keccak(b"vouch architecture" + PROTOCOL + architecture) == key.architecture, "another model's"
    system = read_system(system_file.read_bytes())
    lay = lay_out(system, key.c, key.d)
    assert (lay.x_chunks, lay.y_chunks, lay.w_chunks) == (key.x_chunks, key.y_chunks, len(key.w_commitments))
    key_digest = keccak(b"vouch verifying key" + PROTOCOL + body)
    for proof in json.loads(proofs.read_text()):
        try:
            verify(key, key_digest, system, parse(proof))
            print("accepted", flush=True)
        except Refused as refused:
            print(refused, flush=True)


main()
