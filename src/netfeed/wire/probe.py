"""Probes: netfeed's own questions and answers that measure a round trip, over datagrams, streams and WebSocket.

An answer is exactly as long as its question, so that nobody can be made to send more than he was sent. What follows
the header is padding; the answer brings it back.

    magic, version   "NFPP", 1
    kind             QUESTION or ANSWER
    size             of the whole probe, header and padding: what cuts a stream into probes
    host             of an answer: a number of the kernel that it ran on. Two of one number share their clocks
    run              of who asks: any number, the same in all probes of a run
    peer             of who answers: any number, 0 in a question
    sequence         of who asks; the highest bit marks background load
    sent_ns          t1: who asks, just before sending
    arrived_ns       t2: the kernel's receive stamp where the question came, NO_TIME where there is none
    taken_ns         t2, later: when the program had the question
    answered_ns      t3: just before the answer was sent

Units: ns of CLOCK_REALTIME of whoever wrote them. Source: this file defines it. Big-endian.
"""

from enum import IntEnum
from struct import Struct
from typing import Any, Final

from netfeed.errors import MisuseError, WireError
from netfeed.machine import Buffer
from netfeed.wire.capture import NO_TIME
from netfeed.wire.layout import Layout

MAGIC: Final = b"NFPP"
VERSION: Final = 1
MAX_SIZE: Final = 65_507
"""The largest payload of a UDP datagram over IPv4, whatever carries the probe. Units: bytes."""
BACKGROUND: Final = 1 << 63
"""The bit of a sequence that marks load which nobody measures."""

HEADER: Final = Layout("Probe", ">", [
    ("magic", "b4"),
    ("version", "u8"),
    ("kind", "u8"),       # Kind
    ("", "x2"),
    ("size", "u32"),
    ("host", "u32"),
    ("run", "u64"),
    ("peer", "u64"),
    ("sequence", "u64"),
    ("sent_ns", "i64"),
    ("arrived_ns", "i64"),
    ("taken_ns", "i64"),
    ("answered_ns", "i64"),
])  # fmt: skip
SIZE: Final = HEADER.size

_QUESTION: Final = Struct(">4sBB2xIIQQQqqqq")
_MIDDLE: Final = Struct(">qqq")
_STAMP: Final = Struct(">q")
_SIZED: Final = 12
"""What must be there of a probe to know its size. Units: bytes."""


class Kind(IntEnum):
    """What a probe is."""

    QUESTION = 1
    ANSWER = 2


def encode_question(run: int, sequence: int, sent_ns: int, size: int = SIZE) -> bytes:
    """Encode a question of `size` bytes.

    Raises: MisuseError for a size that no probe has.
    """
    if not SIZE <= size <= MAX_SIZE:
        raise MisuseError(f"a probe has {SIZE} to {MAX_SIZE} bytes, not {size}")
    head = _QUESTION.pack(
        MAGIC, VERSION, Kind.QUESTION, size, 0, run, 0, sequence, sent_ns, NO_TIME, NO_TIME, NO_TIME
    )  # fmt: skip
    return head if size == SIZE else head + bytes(size - SIZE)


def encode_answer(question: Buffer, host: int, peer: int, arrived_ns: int, taken_ns: int, answered_ns: int) -> bytes:
    """Encode the answer to a question that was decoded without an error; it has the question's length."""
    answer = bytearray(question)
    answer[5] = Kind.ANSWER
    answer[HEADER.offsets["host"] : HEADER.offsets["run"]] = host.to_bytes(4, "big")
    answer[HEADER.offsets["peer"] : HEADER.offsets["sequence"]] = peer.to_bytes(8, "big")
    _MIDDLE.pack_into(answer, HEADER.offsets["arrived_ns"], arrived_ns, taken_ns, answered_ns)
    return bytes(answer)


def stamped_answer(answer: bytes, answered_ns: int) -> bytes:
    """Give an answer with another `answered_ns`: whoever holds the socket knows the moment best."""
    at = HEADER.offsets["answered_ns"]
    return b"".join((answer[:at], _STAMP.pack(answered_ns), answer[at + 8 :]))


def decode(data: Buffer) -> Any:
    """Decode the header of one whole probe.

    Raises: WireError when it is none, is cut short, or is not as long as it says.
    """
    record = HEADER.decode(data)
    if record.magic != MAGIC or record.version != VERSION or record.kind not in (Kind.QUESTION, Kind.ANSWER):
        found = f"{record.magic!r} {record.version} kind {record.kind}"
        raise WireError("no probe", offset=0, found=found, wanted=f"{MAGIC!r} {VERSION}")
    if record.size != len(data) or record.size > MAX_SIZE:
        raise WireError("probe", offset=8, found=f"{len(data)} bytes", wanted=f"{record.size} bytes")
    return record


def next_size(data: Buffer, offset: int = 0) -> int | None:
    """Give how long the probe is that begins at `offset` of a stream; None when too little of it is there.

    Units: bytes. Raises: WireError when what begins there is no probe.
    """
    start = bytes(data[offset : offset + _SIZED])
    if len(start) < _SIZED:
        return None
    if start[:4] != MAGIC:
        raise WireError("no probe", offset=offset, found=repr(start[:4]), wanted=repr(MAGIC))
    size = int.from_bytes(start[8:], "big")
    if not SIZE <= size <= MAX_SIZE:
        raise WireError("probe", offset=offset + 8, found=f"{size} bytes", wanted=f"{SIZE} to {MAX_SIZE}")
    return size
