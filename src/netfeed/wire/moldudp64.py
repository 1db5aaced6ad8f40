"""MoldUDP64: numbered messages in UDP packets, and the request to send some of them again.

Source: Nasdaq, MoldUDP64 Protocol Specification, version 1.00. Integers are big-endian. A packet is a header of 20
bytes (session, sequence of its *first* message, count) and `count` blocks, each a u16 length and that many bytes. Two
counts are not counts: 0 is a heartbeat, 0xFFFF the end of the session; in both the sequence is the next one that
will be sent. A request has the header's layout and no blocks.

Invariant: every byte of a packet is accounted for. A block that reaches beyond the packet and bytes after the last
block are both errors. Messages are views into the buffer that was decoded, they live as long as it does.

Leaves out: what the messages mean, and everything about order and loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Final

from netfeed.errors import MisuseError, WireError
from netfeed.machine import Buffer
from netfeed.wire.layout import Layout

HEARTBEAT: Final = 0
"""The message count of a heartbeat."""
END_OF_SESSION: Final = 0xFFFF
"""The message count that says the session is over."""
SESSION_SIZE: Final = 10
HEADER_SIZE: Final = 20
MAX_COUNT: Final = END_OF_SESSION - 1
MAX_MESSAGE: Final = 0xFFFF

HEADER: Final = Layout("MoldUDP64Header", ">", [
    ("session", "b10"),
    ("sequence", "u64"),
    ("count", "u16"),
])  # fmt: skip

_LENGTH: Final = Struct(">H")


@dataclass(frozen=True, slots=True)
class Packet:
    """A downstream packet. `sequence` numbers its first message; the others follow by one.

    `count` is the wire's own number: len(messages), HEARTBEAT or END_OF_SESSION.
    """

    session: bytes
    sequence: int
    count: int
    messages: tuple[memoryview, ...]

    @property
    def heartbeat(self) -> bool:
        """Say whether the sender only tells that it is alive and which sequence comes next."""
        return self.count == HEARTBEAT

    @property
    def end_of_session(self) -> bool:
        """Say whether the session is over."""
        return self.count == END_OF_SESSION

    @property
    def next_sequence(self) -> int:
        """Give the sequence that follows this packet."""
        return self.sequence + len(self.messages)


@dataclass(frozen=True, slots=True)
class Request:
    """A client's request for `count` messages from `sequence` on."""

    session: bytes
    sequence: int
    count: int


def decode(data: Buffer) -> Packet:
    """Decode one downstream packet, without copying its messages.

    Raises: WireError when the header or a block is cut short, or when bytes follow the last block.
    """
    session, sequence, count = HEADER.decode(data)
    blocks = 0 if count == END_OF_SESSION else count
    return Packet(session, sequence, count, _messages(memoryview(data), blocks))


def _messages(view: memoryview, count: int) -> tuple[memoryview, ...]:
    messages = []
    at, end = HEADER_SIZE, len(view)
    for index in range(count):
        start = at + 2
        if start > end:
            raise WireError(
                "MoldUDP64 packet lacks a block", offset=at, found=f"{index} blocks", wanted=f"{count} blocks"
            )
        at = start + _LENGTH.unpack_from(view, at)[0]
        if at > end:
            raise WireError(
                f"MoldUDP64 block {index} is cut short",
                offset=start,
                found=f"{end - start} bytes",
                wanted=f"{at - start} bytes",
            )
        messages.append(view[start:at])
    if at != end:
        raise WireError("bytes after the last MoldUDP64 block", offset=at, found=f"{end - at} bytes", wanted="none")
    return tuple(messages)


def encode(session: bytes, sequence: int, messages: Sequence[Buffer]) -> bytes:
    """Encode one packet of messages.

    Raises: MisuseError when there is none (that is a heartbeat), when there are too many, or when one is too long.
    """
    if not 0 < len(messages) <= MAX_COUNT:
        raise MisuseError(f"a MoldUDP64 packet carries 1 to {MAX_COUNT} messages, not {len(messages)}")
    parts: list[Buffer] = [HEADER.encode(session, sequence, len(messages))]
    for message in messages:
        if len(message) > MAX_MESSAGE:
            raise MisuseError(f"a MoldUDP64 message has at most {MAX_MESSAGE} bytes, not {len(message)}")
        parts += (_LENGTH.pack(len(message)), message)
    return b"".join(parts)


def encode_heartbeat(session: bytes, sequence: int) -> bytes:
    """Encode a heartbeat; `sequence` is the next one that will be sent."""
    return HEADER.encode(session, sequence, HEARTBEAT)


def encode_end_of_session(session: bytes, sequence: int) -> bytes:
    """Encode the end of the session; `sequence` is the one that would have come next."""
    return HEADER.encode(session, sequence, END_OF_SESSION)


def decode_request(data: Buffer) -> Request:
    """Decode a request for messages; whether it can be honoured is the server's to judge.

    Raises: WireError when it does not have exactly the size of a header.
    """
    session, sequence, count = HEADER.decode(data)
    if len(data) != HEADER_SIZE:
        raise WireError(
            "bytes after a MoldUDP64 request",
            offset=HEADER_SIZE,
            found=f"{len(data)} bytes",
            wanted=f"{HEADER_SIZE} bytes",
        )
    return Request(session, sequence, count)


def encode_request(session: bytes, sequence: int, count: int) -> bytes:
    """Encode a request for `count` messages from `sequence` on.

    Raises: MisuseError when a value does not fit its field.
    """
    return HEADER.encode(session, sequence, count)
