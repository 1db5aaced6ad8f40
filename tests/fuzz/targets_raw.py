"""Fuzz targets of raw sockets: blocks of a ring, programs of filters, expressions; any bytes give an end."""

from collections.abc import Callable
from contextlib import suppress

from netfeed.build import select
from netfeed.errors import ConfigurationError
from netfeed.transport.raw import blocks
from netfeed.transport.raw.bpf import Instruction, check, matches, text
from netfeed.transport.raw.expression import program_of
from netfeed.transport.raw.grammar import parse
from netfeed.transport.raw.source import Form
from tests.transport.raw import block_samples as sample

BlockReader = select("transport.raw.ring", "netfeed.transport.raw.blocks", "BlockReader")
_INSTRUCTION = 8


def ring(data: bytes) -> None:
    """Walk a ring in both builds' way; they see the same."""
    if data:
        assert _journey(BlockReader, data) == _journey(blocks.BlockReader, data)


def _journey(kind: type[blocks.BlockReader], data: bytes) -> list[object]:
    image = bytearray(data[1:].ljust(-(-len(data) // sample.BLOCK) * sample.BLOCK, b"\0"))
    reader = kind(image, sample.BLOCK, snap=1 + data[0] * 4, cooked=bool(data[0] & 1), loopback=data[0] & 2)
    out = bytearray(500)
    log: list[object] = [reader.take(2), reader.write_into(out, Form(data[0] >> 2 & 1), 1, 3), bytes(out)]
    return [*log, reader.take(10_000), sample.state(reader), bytes(image)]


def program(data: bytes) -> None:
    """Read a program and run it over the rest of the bytes: it ends, and keeps a number of bytes."""
    made = []
    for at in range(1, min(data[0] if data else 0, (len(data) - 1) // _INSTRUCTION) * _INSTRUCTION, _INSTRUCTION):
        code, k = int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[at + 4 : at + 8], "little")
        made.append(Instruction(code, data[at + 2], data[at + 3], k))
    with suppress(ConfigurationError):
        check(tuple(made))
        assert 0 <= matches(tuple(made), data) < 2**32
        assert text(tuple(made)).count("\n") == len(made) - 1


def expression(data: bytes) -> None:
    """Read an expression; the kernel would take what comes of it."""
    with suppress(ConfigurationError):
        made = program_of(parse(data.decode("utf-8", "replace")))
        check(made)
        matches(made, data)


TARGETS: dict[str, Callable[[bytes], None]] = {"ring": ring, "program": program, "expression": expression}

_UDP = program_of(parse("udp dst port 5 or vlan 5"))
_CODED = b"".join(
    one.code.to_bytes(2, "little") + bytes([one.if_true, one.if_false]) + one.k.to_bytes(4, "little") for one in _UDP
)
CORPUS: dict[str, list[bytes]] = {
    "ring": [
        bytes([first])
        + sample.block(sample.Sample(), sample.Sample(bytes(20), tci=5, kind=4, interface=2))
        + sample.block(sample.Sample(status=sample.HARDWARE), status=1)
        for first in (3, 60, 255)
    ],
    "program": [bytes([len(_UDP)]) + _CODED],
    "expression": [
        b"udp dst port 5 or (src host 10.0.0.1 and not vlan 7)",
        b"net fd00::/33 && tcp port 5 or 6",
        b"ip6 host ::1",
    ],
}
