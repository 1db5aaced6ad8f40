"""Make broken bytes out of good ones, the same from the same seed.

The mutations are those that break decoders of length-prefixed binary formats: boundary values where a length or a
count may stand, truncation, repetition, removal, splices of two inputs. Not guided by coverage: for machines without
atheris, and for the short run inside the tests.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

MAX_BYTES = 4096

BOUNDARIES = (0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 32767, 32768, 65535, 65536)
EXTREMES = (2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1)
WIDTHS = (1, 2, 4, 8)

Mutation = Callable[[random.Random, bytearray], None]


def _flip_a_bit(rng: random.Random, data: bytearray) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _change_a_byte(rng: random.Random, data: bytearray) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)


def _write_a_boundary(rng: random.Random, data: bytearray) -> None:
    width = rng.choice(WIDTHS)
    if len(data) < width:
        return
    at = rng.randrange(len(data) - width + 1)
    value = rng.choice(BOUNDARIES + EXTREMES) % (1 << 8 * width)
    data[at : at + width] = value.to_bytes(width, rng.choice(("little", "big")))


def _nudge_a_number(rng: random.Random, data: bytearray) -> None:
    width = rng.choice(WIDTHS)
    if len(data) < width:
        return
    at = rng.randrange(len(data) - width + 1)
    order: Literal["little", "big"] = rng.choice(("little", "big"))
    value = int.from_bytes(data[at : at + width], order) + rng.randint(-4, 4)
    data[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, order)


def _truncate(rng: random.Random, data: bytearray) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _remove(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.choice(BOUNDARIES[:12])]


def _repeat(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    piece = data[at : at + rng.randrange(1, 65)]
    data[at:at] = piece * rng.randrange(1, 5)


def _insert_noise(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.randbytes(rng.randrange(1, 33))


MUTATIONS: tuple[Mutation, ...] = (
    _flip_a_bit,
    _change_a_byte,
    _write_a_boundary,
    _write_a_boundary,  # twice: lengths and counts are where decoders break
    _nudge_a_number,
    _nudge_a_number,
    _truncate,
    _remove,
    _repeat,
    _insert_noise,
)


def mutations(corpus: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """Give broken inputs without end, from this corpus and this seed; from noise where the corpus is empty."""
    rng = random.Random(seed)
    limit = max([MAX_BYTES, *(2 * len(data) for data in corpus)])
    while True:
        data = bytearray(rng.choice(corpus) if corpus and rng.random() < 0.95 else rng.randbytes(rng.randrange(257)))
        if corpus and rng.random() < 0.1:  # the beginning of one, the end of another
            other = rng.choice(corpus)
            data[rng.randrange(len(data) + 1) :] = other[rng.randrange(len(other) + 1) :]
        for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5, 8))):
            rng.choice(MUTATIONS)(rng, data)
        yield bytes(data[:limit])
