"""Fuzz targets of what reads TCP from captures: any frame, any segments in any order, any bytes in a stream."""

from collections.abc import Callable
from struct import unpack_from

from netfeed.errors import WireError
from netfeed.latency.tcp_messages import Messages
from netfeed.latency.tcp_reassembly import Reassembly
from netfeed.latency.tcp_table import Connections
from netfeed.wire.frame import LinkType
from netfeed.wire.headers import tcp_frame
from netfeed.wire.order_frames import ORDER_FRAMINGS, framing_of
from netfeed.wire.segment import ACK, PSH, SYN, Segment, read_segment
from tests.wire.order_samples import ouch_enter, starbase_order

LINKS = [*LinkType, 147]
_STEP = 14


def segment(data: bytes) -> None:
    """Read a frame of the link type that the first byte chooses, cut or not; its payload lies inside the frame."""
    if len(data) < 2:
        return
    try:
        found = read_segment(data[2:], LINKS[data[0] % len(LINKS)], len(data) - 2 + data[1])
    except WireError:
        return
    assert found is None or len(found.payload) <= min(found.length, len(data))


def connection(data: bytes) -> None:
    """Take segments whose numbers, flags and sizes the bytes say; every counter adds up."""
    table = Connections(most=3, keep=2)
    count = 0
    for at in range(0, len(data) - _STEP + 1, _STEP):
        sequence, acknowledgment, window, flags, size, ends, scale = unpack_from("<IIHBBBB", data, at)
        client, server = (bytes(16), 1 + (ends & 3)), (bytes(15) + b"\x01", 9)
        source, destination = (client, server) if ends & 4 else (server, client)
        table.take(
            Segment(
                source[0], source[1], destination[0], destination[1], sequence, acknowledgment, flags, window,
                scale % 15, size, memoryview(b""),
            ),
            at * (ends >> 3),
        )  # fmt: skip
        count += 1
    table.finish()
    assert sum(total.segments for total in table.total) == count
    for total in table.total:
        assert 0 <= total.spurious <= total.retransmitted <= total.segments
        assert total.zero_window_ns >= 0


def reassembly(data: bytes) -> None:
    """Put pieces in any order together: positions never fall, and memory keeps its bound."""
    stream, reached = Reassembly(0, limit=500), 0
    pieces = []
    for at in range(0, len(data) - 3, 4):
        place, size, captured, value = data[at : at + 4]
        pieces += stream.take(place * 4, bytes([value]) * min(captured, size), size)
        assert stream.waiting_bytes <= 500
        if value == 7:
            pieces += stream.acknowledge(size * 4)
    for piece in [*pieces, *stream.finish()]:
        assert piece.at == reached < piece.end
        assert piece.data is None or len(piece.data) == piece.end - piece.at
        reached = piece.end


def messages(data: bytes) -> None:
    """Look for messages in a stream of any bytes, in segments of any size."""
    framing_of(data)
    for framing in ORDER_FRAMINGS.values():
        reader, at = Messages(framing, 0), 0
        size = 1 + data[0] % 50 if data else 1
        while at < len(data):
            for message in reader.take(at, data[at : at + size], len(data[at : at + size]), at, at):
                framing.is_order(message.data)
            at += size
        reader.acknowledge(at // 2)
        reader.finish()


TARGETS: dict[str, Callable[[bytes], None]] = {
    "segment": segment, "connection": connection, "reassembly": reassembly, "messages": messages,
}  # fmt: skip

_ENDS = ("10.0.0.5", 40001), ("10.0.0.9", 8001)
_SIX = ("fe80::1", 40001), ("fe80::2", 8001)
_ORDER = starbase_order(100, 1, 2)
CORPUS: dict[str, list[bytes]] = {
    "segment": [
        bytes([LINKS.index(LinkType.ETHERNET), extra])
        + tcp_frame(data, *ends, sequence=7, flags=flags, options=options)
        for ends in (_ENDS, _SIX)
        for data, flags, options, extra in ((b"", SYN, b"\x01\x03\x03\x07", 0), (_ORDER, PSH | ACK, b"", 90))
    ],
    "connection": [bytes(range(256)) * 2, b"\xff\xff\xff\xff\x00\x00\x00\x00\x10\x00\x10\x01\x0c\x00" * 20],
    "reassembly": [bytes([0, 10, 10, 1, 5, 20, 20, 2, 2, 40, 30, 3]), bytes(range(200))],
    "messages": [_ORDER * 3, ouch_enter(1) + ouch_enter(2), b"\xdb\x00\x20\x00" + bytes(60)],
}
