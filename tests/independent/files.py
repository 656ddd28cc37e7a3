"""Files, postcard, and what they hold: section 16 of docs/PROTOCOL.md."""

from types import SimpleNamespace as Struct

from field import keccak

VERSION = 16
KEY, ARCHITECTURE = 3, 7
WITNESS, MODEL, FIXED = 0, 1, 2
PUBLIC, COMMITTED, PRIVATE, HASHED = 0, 1, 2, 3
NAMED = 2


def open_container(data, kind):
    assert data[:6] == b"VOUCH\n" and int.from_bytes(data[6:8], "big") == kind
    assert int.from_bytes(data[8:10], "big") == VERSION
    length = int.from_bytes(data[10:18], "big")
    assert len(data) == 18 + length + 32 and keccak(data[:-32]) == data[-32:]
    return data[18:-32]


class Bytes:
    """A cursor; numbers are big-endian."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        assert self.at + count <= len(self.data), "cut"
        taken = self.data[self.at : self.at + count]
        self.at += count
        return taken

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def points(self, count):
        return [self.take(64) for _ in range(count)]


class Postcard(Bytes):
    def unsigned(self):
        value = shift = 0
        while True:
            (byte,) = self.take(1)
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def signed(self):
        value = self.unsigned()
        return value >> 1 if value & 1 == 0 else -(value >> 1) - 1

    def string(self):
        return self.take(self.unsigned()).decode()

    def list(self, element):
        return [element() for _ in range(self.unsigned())]

    def shape(self):
        return self.list(self.unsigned)

    def tensor(self):
        return Struct(origin=self.unsigned(), shape=self.shape(), name=self.string())

    def index(self):
        terms = self.list(lambda: (self.unsigned(), self.signed()))
        return Struct(terms=terms, offset=self.signed())

    def operand(self):
        tensor, raw = self.unsigned(), self.unsigned() == 0
        return Struct(tensor=tensor, indices=None if raw else self.list(self.index))

    def contraction(self):
        variables, outputs, lhs = self.shape(), self.unsigned(), self.operand()
        rhs = self.operand() if self.unsigned() == 1 else None
        return Struct(vars=variables, outputs=outputs, lhs=lhs, rhs=rhs)

    def source(self):
        kind = self.unsigned()
        if kind == 0:
            return ("Read", self.operand())
        if kind == 1:
            return ("Contraction", self.unsigned())
        if kind == 2:
            return ("Fill", self.list(lambda: (self.unsigned(), self.unsigned(), self.unsigned())))
        return (["Position", "PositionRelu", "PositionIsMiddle", "PositionAboveMiddle"][kind - 3], None)

    def virtual(self):
        domain = self.shape()
        return Struct(domain=domain, terms=self.list(lambda: (self.signed(), self.source())))

    def lookup(self):
        return Struct(columns=self.list(self.virtual), table=self.unsigned())

    def table(self):
        return Struct(name=self.string(), columns=self.list(self.virtual), multiplicity=self.unsigned())

    def public(self):
        public = Struct(tensor=self.unsigned(), role=self.unsigned(), visibility=self.unsigned(), name=self.string())
        public.shape, public.frac, public.column_fracs = self.shape(), self.signed(), self.list(self.signed)
        public.range = (self.signed(), self.signed())
        public.inferences, public.classes = self.unsigned(), self.unsigned()
        if public.classes == NAMED:
            self.take(32)
        return public

    def system(self):
        return Struct(
            tensors=self.list(self.tensor),
            contractions=self.list(self.contraction),
            lookups=self.list(self.lookup),
            tables=self.list(self.table),
            equals=self.list(self.virtual),
            products=self.list(lambda: (self.virtual(), self.virtual(), self.virtual())),
            publics=self.list(self.public),
        )


def read_architecture(file):
    """The architecture's bytes."""
    return open_container(file, ARCHITECTURE)


def read_system(data):
    body = Postcard(data)
    system = body.system()
    assert body.at == len(data)
    return system


def read_key(file):
    body = Bytes(open_container(file, KEY))
    # The names of classes, which no digest of the key is of.
    body.take(body.number(4))
    body = Bytes(body.data[body.at :])
    key = Struct(digest=None, name=body.take(body.number(4)).decode(), development=body.number(1))
    key.c, key.d, key.x_chunks, key.y_chunks = body.number(1), body.number(1), body.number(4), body.number(4)
    key.architecture, key.tau_g2 = body.take(32), body.take(128)
    key.w_commitments = body.points(body.number(4))
    return key, body.data
