"""The scalar field, hashes and the transcript: sections 1, 2.1 and 8 of docs/PROTOCOL.md."""

from Crypto.Hash import keccak as _keccak

P = 21888242871839275222246405745257275088548364400416034343698204186575808495617
FULL, PARTIAL, WIDTH = 8, 57, 3


def keccak(data):
    return _keccak.new(digest_bits=256, data=data).digest()


def inverse(x):
    return pow(x, P - 2, P)


def log2ceil(m):
    return (m - 1).bit_length() if m > 0 else 0


class Grain:
    """The LFSR that Poseidon's constants come from."""

    def __init__(self):
        fields = [(1, 2), (0, 4), (254, 12), (WIDTH, 12), (FULL, 10), (PARTIAL, 10), (2**30 - 1, 30)]
        self.state = [int(b) for value, bits in fields for b in format(value, f"0{bits}b")]
        for _ in range(160):
            self.clock()

    def clock(self):
        new = 0
        for tap in (62, 51, 38, 23, 13, 0):
            new ^= self.state[tap]
        self.state = self.state[1:] + [new]
        return new

    def bit(self):
        while True:
            first, second = self.clock(), self.clock()
            if first:
                return second

    def integer(self):
        value = 0
        for _ in range(254):
            value = value << 1 | self.bit()
        return value

    def below(self):
        while True:
            value = self.integer()
            if value < P:
                return value


def _parameters():
    grain = Grain()
    constants = [[grain.below() for _ in range(WIDTH)] for _ in range(FULL + PARTIAL)]
    xs = [grain.integer() % P for _ in range(WIDTH)]
    ys = [grain.integer() % P for _ in range(WIDTH)]
    return constants, [[inverse(x + y) for y in ys] for x in xs]


CONSTANTS, MATRIX = _parameters()


def permute(state):
    for j, constants in enumerate(CONSTANTS):
        state = [(s + c) % P for s, c in zip(state, constants)]
        full = j < FULL // 2 or j >= FULL // 2 + PARTIAL
        state = [pow(s, 5, P) if full or i == 0 else s for i, s in enumerate(state)]
        state = [sum(m * s for m, s in zip(row, state)) % P for row in MATRIX]
    return state


class Refused(Exception):
    """A check that failed, by its name in the page."""


class Sponge:
    """The duplex sponge of section 8."""

    def __init__(self, tag):
        self.state = [int.from_bytes(tag, "big") % P, 0, 0]
        self.position = self.absorbed = 0
        self.second = False

    def label(self, step):
        self.state[0] = (self.state[0] + (step << 64)) % P
        self.second = False

    def absorb(self, value):
        if self.position == 2:
            self.state = permute(self.state)
            self.position = 0
        self.state[1 + self.position] = (self.state[1 + self.position] + value) % P
        self.position += 1
        self.absorbed += 1
        self.second = False

    def challenge(self):
        if self.second:
            self.second = False
            return self.state[2]
        self.state[0] = (self.state[0] + self.absorbed) % P
        self.absorbed = self.position = 0
        self.state = permute(self.state)
        self.second = True
        return self.state[1]


class Transcript(Sponge):
    """The transcript's sponge, and the proof's scalars, which are absorbed as they are read."""

    COMMITMENTS, LOOKUPS, CONTRACTIONS, BATCH, OPENING = 1, 2, 3, 4, 5

    def __init__(self, scalars):
        super().__init__(b"vouch core argument v22")
        self.scalars = list(scalars)
        self.next = 0

    def absorb_bytes(self, data):
        self.absorb(int.from_bytes(keccak(data), "big") % P)

    def read(self):
        value = self.read_aside()
        self.absorb(value)
        return value

    def read_aside(self):
        if self.next == len(self.scalars):
            raise Refused("Shape")
        value = self.scalars[self.next]
        self.next += 1
        return value

    def finish(self):
        if self.next != len(self.scalars):
            raise Refused("Shape")
