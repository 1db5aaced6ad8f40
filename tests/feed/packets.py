"""Packets of every framing in the same words, for tests: a sender that numbers what it sends."""

from collections.abc import Callable, Sequence
from typing import Final

from netfeed.wire import cme, deribit, iex, moldudp64, starbase

Messages = Sequence[bytes]


def mold(sequence: int, messages: Messages = (), *, session: bytes = b"S000000001", ts: int = 0) -> bytes:
    """Give a MoldUDP64 packet; without messages a heartbeat."""
    if not messages:
        return moldudp64.encode_heartbeat(session, sequence)
    return moldudp64.encode(session, sequence, messages)


def mold_end(sequence: int, session: bytes = b"S000000001") -> bytes:
    """Give the end of a session."""
    return moldudp64.encode_end_of_session(session, sequence)


def star(
    sequence: int, messages: Messages = (), *, session: bytes = b"", ts: int = 1, type: int = 1, channel: int = 7
) -> bytes:
    """Give a Starbase packet; each message gets its header."""
    bodies = [starbase.MESSAGE_HEADER.encode(16 + len(body), 0, 1, 3, 0) + body for body in messages]
    return starbase.encode_packet(sequence, bodies, channel_id=channel, type=type, sending_time=ts)


def segment(sequence: int, messages: Messages = (), *, session: bytes = b"", ts: int = 0) -> bytes:
    """Give an IEX segment; without messages a heartbeat."""
    number = int.from_bytes(session, "big")
    return iex.encode_segment(sequence, messages, session_id=number, send_time=ts, channel_id=1)


def classic(sequence: int, messages: Messages = (), *, session: bytes = b"", ts: int = 0, channel: int = 3) -> bytes:
    """Give a packet of Deribit's legacy multicast: one empty snapshot_start for each message."""
    bodies = [deribit.encode(1005, snapshotDelay=len(body)) for body in messages] or [deribit.encode(1006)]
    return deribit.encode_packet(sequence % 2**32, bodies, channel_id=channel)


def globex(sequence: int, messages: Messages = (), *, session: bytes = b"", ts: int = 0) -> bytes:
    """Give a CME packet; without messages one with a heartbeat, which takes a number."""
    bodies = [cme.MESSAGE_HEADER.encode(len(body), 0, 1, 6) + body for body in messages]
    return cme.encode_packet(sequence, bodies or [cme.encode(12)], sending_time=ts)


BUILD: Final[dict[str, Callable[..., bytes]]] = {
    "moldudp64": mold,
    "starbase": star,
    "iex": segment,
    "cme": globex,
    "deribit": classic,
}
"""By framing: (sequence, messages, session=, ts=) -> bytes."""
