"""The cases of the Autobahn test suite as one table: what a peer sends, and what an echoing endpoint must do.

Numbers and meaning are the published suite's (sections 1 to 7, 9 and 10; https://github.com/crossbario/autobahn-testsuite,
whose tooling is Python 2); the table is our own. `9` is scaled by SCALE and once, slow, as large as there.
Left out are what is not run there either: 8, 9.9 and the peer's own closes (7.2, 7.4, ...).
"""

from dataclasses import dataclass
from typing import NamedTuple

from netfeed.wire.websocket import BINARY, CLOSE, FINAL, PING, PONG, TEXT, is_utf8

SCALE = 64
KIB, MIB = 1024, 1024 * 1024


class Frame(NamedTuple):
    """One frame: its first byte and its payload, not yet masked."""

    first: int
    payload: bytes = b""


class Got(NamedTuple):
    """What the peer gets back: an echo, or a pong."""

    kind: str
    payload: bytes


@dataclass(frozen=True)
class Case:
    """One case. `code` is the close that the endpoint answers with; None where it stays open.

    What is sent goes frame by frame, or in pieces of `chop` bytes. `by_peer` where the close is the peer's own.
    """

    number: str
    sent: tuple[Frame, ...]
    got: tuple[Got, ...] = ()
    code: int | None = None
    chop: int = 0
    by_peer: bool = False


def text(payload: bytes | str) -> Frame:
    return Frame(FINAL | TEXT, payload.encode() if isinstance(payload, str) else payload)


def binary(payload: bytes) -> Frame:
    return Frame(FINAL | BINARY, payload)


def ping(payload: bytes = b"") -> Frame:
    return Frame(FINAL | PING, payload)


def pong(payload: bytes = b"") -> Frame:
    return Frame(FINAL | PONG, payload)


def close(code: int | None = None, reason: bytes = b"") -> Frame:
    return Frame(FINAL | CLOSE, b"" if code is None else code.to_bytes(2) + reason)


def fragments(payload: bytes, size: int, opcode: int = TEXT) -> tuple[Frame, ...]:
    parts = [payload[at : at + size] for at in range(0, len(payload), size)] or [b""]
    frames = [Frame(0 if at else opcode, part) for at, part in enumerate(parts)]
    return (*frames[:-1], Frame(frames[-1].first | FINAL, frames[-1].payload))


def echo(payload: bytes, opcode: int = TEXT) -> Got:
    return Got("text" if opcode == TEXT else "binary", payload)


def back(payload: bytes = b"") -> Got:
    return Got("pong", payload)


HELLO = "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!".encode()
WORLD = b"Hello, world!"
SIZES = (0, 125, 126, 127, 128, 65535, 65536, 65536)

FRAMING = [
    Case(f"1.{kind}.{at}", (Frame(FINAL | kind, b"*" * size),), (echo(b"*" * size, kind),), chop=997 if at == 8 else 0)
    for kind in (TEXT, BINARY)
    for at, size in enumerate(SIZES, 1)
]

PINGS = [
    Case("2.1", (ping(),), (back(),)),
    Case("2.2", (ping(WORLD),), (back(WORLD),)),
    Case("2.3", (ping(b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"),), (back(b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"),)),
    Case("2.4", (ping(b"\xfe" * 125),), (back(b"\xfe" * 125),)),
    Case("2.5", (ping(b"\xfe" * 126),), code=1002),
    Case("2.6", (ping(b"\xfe" * 125),), (back(b"\xfe" * 125),), chop=1),
    Case("2.7", (pong(),)),
    Case("2.8", (pong(b"unsolicited"),)),
    Case("2.9", (pong(b"unsolicited"), ping(b"ping")), (back(b"ping"),)),
    Case("2.10", tuple(ping(b"%d" % at) for at in range(10)), tuple(back(b"%d" % at) for at in range(10))),
    Case("2.11", tuple(ping(b"%d" % at) for at in range(10)), tuple(back(b"%d" % at) for at in range(10)), chop=1),
]

BITS = [
    Case("3.1", (Frame(FINAL | 0x10 | TEXT, WORLD),), code=1002),
    Case("3.2", (text(WORLD), Frame(FINAL | 0x20 | TEXT, WORLD), ping()), (echo(WORLD),), 1002),
    Case("3.3", (text(WORLD), Frame(FINAL | 0x30 | TEXT, WORLD), ping()), (echo(WORLD),), 1002),
    Case("3.4", (text(WORLD), Frame(FINAL | 0x40 | TEXT, WORLD), ping()), (echo(WORLD),), 1002, chop=1),
    Case("3.5", (Frame(FINAL | 0x50 | BINARY, b"\xff" * 9),), code=1002),
    Case("3.6", (Frame(FINAL | 0x60 | PING, WORLD),), code=1002),
    Case("3.7", (Frame(FINAL | 0x70 | CLOSE),), code=1002),
]


def opcodes(section: int, first: int) -> list[Case]:
    """Reserved opcodes: alone, with a payload, and behind a message that is echoed before the failure."""
    cases = []
    for at in range(5):
        wrong = Frame(FINAL | (first + at), b"" if at in (0, 2) else b"reserved")
        sent = (wrong,) if at < 2 else (text(WORLD), wrong, ping())
        got = () if at < 2 else (echo(WORLD),)
        cases.append(Case(f"4.{section}.{at + 1}", sent, got, 1002, chop=1 if at == 4 else 0))
    return cases


OPCODES = [*opcodes(1, 3), *opcodes(2, 11)]

ONE, TWO = Frame(TEXT, b"fragment1"), Frame(FINAL, b"fragment2")
BOTH = echo(b"fragment1fragment2")
LOST, LOST_OPEN = Frame(FINAL, b"nothing to continue"), Frame(0, b"nothing to continue")
FIVE = [Frame(TEXT, b"1"), Frame(0, b"2"), ping(b"p1"), Frame(0, b"3"), Frame(0, b"4"), ping(b"p2"), Frame(FINAL, b"5")]
FIVE_BACK = (back(b"p1"), back(b"p2"), echo(b"12345"))

FRAGMENTATION = [
    Case("5.1", (Frame(PING, b"fragment1"), TWO), code=1002),
    Case("5.2", (Frame(PONG, b"fragment1"), TWO), code=1002),
    Case("5.3", (ONE, TWO), (BOTH,)),
    Case("5.4", (ONE, TWO), (BOTH,)),
    Case("5.5", (ONE, TWO), (BOTH,), chop=1),
    Case("5.6", (ONE, ping(b"amid"), TWO), (back(b"amid"), BOTH)),
    Case("5.7", (ONE, ping(b"amid"), TWO), (back(b"amid"), BOTH)),
    Case("5.8", (ONE, ping(b"amid"), TWO), (back(b"amid"), BOTH), chop=1),
    Case("5.9", (LOST, text(WORLD)), code=1002),
    Case("5.10", (LOST, text(WORLD)), code=1002),
    Case("5.11", (LOST, text(WORLD)), code=1002, chop=1),
    Case("5.12", (LOST_OPEN, text(WORLD)), code=1002),
    Case("5.13", (LOST_OPEN, text(WORLD)), code=1002),
    Case("5.14", (LOST_OPEN, text(WORLD)), code=1002, chop=1),
    Case("5.15", (ONE, TWO, LOST_OPEN, text(WORLD)), (BOTH,), 1002),
    Case("5.16", (LOST_OPEN, ONE, TWO) * 2, code=1002),
    Case("5.17", (LOST, ONE, TWO) * 2, code=1002),
    Case("5.18", (ONE, Frame(FINAL | TEXT, b"fragment2")), code=1002),
    Case("5.19", tuple(FIVE), FIVE_BACK),
    Case("5.20", tuple(FIVE), FIVE_BACK, chop=1),
]

# --- 6: UTF-8

KOSME = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
SURROGATE = KOSME + b"\xed\xa0\x80edited"
BEYOND = KOSME + b"\xf4\x90\x80\x80edited"

UNICODE = [
    Case("6.1.1", (text(b""),), (echo(b""),)),
    Case("6.1.2", (Frame(TEXT), Frame(0), Frame(FINAL)), (echo(b""),)),
    Case("6.1.3", (Frame(TEXT), Frame(0, b"middle"), Frame(FINAL)), (echo(b"middle"),)),
    Case("6.2.1", (text(HELLO),), (echo(HELLO),)),
    Case("6.2.2", (Frame(TEXT, HELLO[:12]), Frame(FINAL, HELLO[12:])), (echo(HELLO),)),
    Case("6.2.3", fragments(HELLO, 1), (echo(HELLO),)),
    Case("6.2.4", fragments(KOSME, 1), (echo(KOSME),)),
    Case("6.3.1", (text(SURROGATE),), code=1007),
    Case("6.3.2", fragments(SURROGATE, 1), code=1007),
]

FAIL_FAST = [
    ("6.4.1", (Frame(TEXT, KOSME), Frame(0, b"\xf4\x90\x80\x80"), Frame(FINAL, b"edited")), 1),
    ("6.4.2", (Frame(TEXT, KOSME + b"\xf4"), Frame(0, b"\x90"), Frame(FINAL, b"\x80\x80edited")), 1),
]
"""In fragments, and the index of the one that must fail."""
FAIL_FAST_IN_A_FRAME = [
    ("6.4.3", BEYOND, (len(KOSME), len(KOSME) + 4), 1),
    ("6.4.4", BEYOND, (len(KOSME) + 1, len(KOSME) + 2), 1),
]
"""One frame, where it is cut, and the index of the piece that must fail."""

TORN = [
    b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xfc\x80\x80\x80\x80", b"\xdf", b"\xef\xbf",
    b"\xf7\xbf\xbf", b"\xfb\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf",
]  # fmt: skip
SINGLE = [b"\xa0\x80", b"\xad\xbf", b"\xae\x80", b"\xaf\xbf", b"\xb0\x80", b"\xbe\x80", b"\xbf\xbf"]
PLANES = [chr(plane << 16 | 0xFFFE | low).encode() for plane in range(17) for low in (0, 1)]
SEQUENCES: list[list[bytes]] = [
    [b"hello$world", "hello\u00a2world".encode(), "hello\u20acworld".encode(), "hello\U00024b62world".encode(), KOSME],
    [KOSME[:size] for size in range(1, len(KOSME) + 1)],
    [b"\x00", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"],
    [b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"],
    [b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"],
    [b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"],
    [b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80"],
    [b"\x80", b"\xbf", *[(b"\x80\xbf" * 3)[:size] for size in range(2, 7)], bytes(range(0x80, 0xBF))],
    [
        b"".join(bytes((lead, 0x20)) for lead in range(first, last))
        for first, last in ((0xC0, 0xDF), (0xE0, 0xEF), (0xF0, 0xF7), (0xF8, 0xFB), (0xFC, 0xFD))
    ],
    TORN,
    [b"".join(TORN)],
    [b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"],
    [b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf", b"\xfc\x80\x80\x80\x80\xaf"],
    [b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf", b"\xfc\x83\xbf\xbf\xbf\xbf"],
    [b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80", b"\xfc\x80\x80\x80\x80\x80"],
    [b"\xed" + tail for tail in SINGLE],
    [
        b"\xed" + high + b"\xed" + low
        for high in (b"\xa0\x80", b"\xad\xbf", b"\xae\x80", b"\xaf\xbf")
        for low in (b"\xb0\x80", b"\xbf\xbf")
    ],
    PLANES,
    [b"\xef\xbf" + bytes((last,)) for last in range(0xB9, 0xC0)],
]  # fmt: skip
"""6.5 to 6.23, after Markus Kuhn's stress test for UTF-8 decoders."""


def judged(number: str, payload: bytes) -> Case:
    """A text is echoed where it is UTF-8, and fails where it is none."""
    if is_utf8(payload):
        return Case(number, (text(payload),), (echo(payload),))
    return Case(number, (text(payload),), code=1007)


UNICODE += [
    judged(f"6.{section}.{at}", payload)
    for section, payloads in enumerate(SEQUENCES, 5)
    for at, payload in enumerate(payloads, 1)
]

# --- 7: closes

VALID = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
INVALID = (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999)


def closed(number: str, *sent: Frame, got: tuple[Got, ...] = (), code: int = 1000) -> Case:
    return Case(number, sent, got, code, by_peer=True)


CLOSES = [
    closed("7.1.1", text(WORLD), close(1000), got=(echo(WORLD),)),
    closed("7.1.2", close(1000), close(1000)),
    closed("7.1.3", close(1000), ping()),
    closed("7.1.4", close(1000), text(WORLD)),
    closed("7.1.5", ONE, close(1000), TWO),
    closed("7.1.6", text(b"B" * 256 * KIB), close(1000), ping(), got=(echo(b"B" * 256 * KIB),)),
    closed("7.3.1", close(), code=1005),
    Case("7.3.2", (Frame(FINAL | CLOSE, b"a"),), code=1002),
    closed("7.3.3", close(1000)),
    closed("7.3.4", close(1000, WORLD)),
    closed("7.3.5", close(1000, b"*" * 123)),
    Case("7.3.6", (close(1000, b"*" * 124),), code=1002),
    Case("7.5.1", (close(1000, SURROGATE),), code=1007),
    *[closed(f"7.7.{at}", close(code), code=code) for at, code in enumerate(VALID, 1)],
    *[Case(f"7.9.{at}", (close(code),), code=1002) for at, code in enumerate(INVALID, 1)],
    Case("7.13.1", (close(5000),), code=1002),
    Case("7.13.2", (close(65535),), code=1002),
]

# --- 9 and 10: limits


def limits(scale: int) -> list[Case]:
    """Give the cases of section 9, sizes divided by `scale`."""
    cases = []
    for section, opcode in ((1, TEXT), (2, BINARY)):
        for at, size in enumerate((64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB), 1):
            payload = b"*" * (size // scale)
            cases.append(Case(f"9.{section}.{at}", (Frame(FINAL | opcode, payload),), (echo(payload, opcode),)))
        payload = b"*" * (4 * MIB // scale)
        for at in range(9):
            size = max(1, 64 * 4**at // (scale if at > 2 else 1))
            sent = fragments(payload, size, opcode)
            cases.append(Case(f"9.{section + 2}.{at + 1}", sent, (echo(payload, opcode),)))
        payload = b"*" * (MIB // scale)
        for at in range(6):
            frames = (Frame(FINAL | opcode, payload),)
            cases.append(Case(f"9.{section + 4}.{at + 1}", frames, (echo(payload, opcode),), chop=64 << at))
        for at, size in enumerate((0, 16, 64, 256, 1024, 4096), 1):
            count = 1000 // scale
            frames = (Frame(FINAL | opcode, b"*" * size),) * count
            cases.append(Case(f"9.{section + 6}.{at}", frames, (echo(b"*" * size, opcode),) * count))
    return cases


FRAGMENTED = [Case("10.1.1", fragments(b"*" * 65536, 1300), (echo(b"*" * 65536),))]

CASES = [*FRAMING, *PINGS, *BITS, *OPCODES, *FRAGMENTATION, *UNICODE, *CLOSES, *limits(SCALE), *FRAGMENTED]
