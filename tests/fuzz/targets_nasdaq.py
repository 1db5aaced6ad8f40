"""Fuzz targets of the Nasdaq codecs: any bytes give a result or a WireError, and a result is consistent."""

from collections.abc import Callable
from contextlib import suppress

from netfeed.errors import WireError
from netfeed.wire import binaryfile, glimpse, itch, moldudp64, soupbintcp


def moldudp64_packet(data: bytes) -> None:
    """Decode a packet; what is decoded encodes to the same bytes."""
    with suppress(WireError):
        packet = moldudp64.decode(data)
        if packet.messages:
            assert moldudp64.encode(packet.session, packet.sequence, packet.messages) == data


def moldudp64_request(data: bytes) -> None:
    """Decode a request; what is decoded encodes to the same bytes."""
    with suppress(WireError):
        request = moldudp64.decode_request(data)
        assert moldudp64.encode_request(request.session, request.sequence, request.count) == data


def itch_message(data: bytes) -> None:
    """Decode a message; what is decoded encodes to the same bytes."""
    with suppress(WireError):
        fields = itch.decode(data)._asdict()
        assert itch.encode(fields.pop("message_type"), **fields) == data


def glimpse_end(data: bytes) -> None:
    """Decode the end of a snapshot."""
    with suppress(WireError):
        assert glimpse.decode_end_of_snapshot(data) >= 0


def binary_file(data: bytes) -> None:
    """Read a file in each framing; the records follow each other without a hole."""
    for framing in (None, *binaryfile.Framing):
        contents = binaryfile.read(data, framing)
        at = 0
        for offset, message in contents.records:
            assert offset == at
            at += binaryfile.PREFIX_SIZE + len(message)
        assert contents.error is not None or at + 2 * contents.ended == len(data)


def soupbintcp_stream(data: bytes) -> None:
    """Decode packets until the bytes end; each one moves on."""
    at = 0
    with suppress(WireError):
        while (step := soupbintcp.decode(data, at)) is not None:
            assert at + soupbintcp.HEADER_SIZE <= step[1] <= len(data)
            at = step[1]


TARGETS: dict[str, Callable[[bytes], None]] = {
    "moldudp64_packet": moldudp64_packet,
    "moldudp64_request": moldudp64_request,
    "itch_message": itch_message,
    "glimpse_end": glimpse_end,
    "binary_file": binary_file,
    "soupbintcp_stream": soupbintcp_stream,
}

_ITCH = [
    kind.encode() + bytes(range(1, size)) for kind, size in (("S", 12), ("A", 36), ("U", 35), ("P", 44), ("R", 39))
]
_LOGIN = soupbintcp.encode(soupbintcp.LoginRequest("user", "secret", "", 1, 5000))
_HEARTBEATS = soupbintcp.encode(soupbintcp.ServerHeartbeat()) + soupbintcp.encode(soupbintcp.SequencedData(b"abc"))

CORPUS: dict[str, list[bytes]] = {
    "moldudp64_packet": [moldudp64.encode(b"0123456789", 7, _ITCH), moldudp64.encode_end_of_session(b"0123456789", 9)],
    "moldudp64_request": [moldudp64.encode_request(b"0123456789", 7, 2)],
    "itch_message": _ITCH,
    "glimpse_end": [glimpse.encode_end_of_snapshot(90210)],
    "binary_file": [binaryfile.encode(_ITCH, end_marker=True), b"".join(b"\0\0" + message for message in _ITCH)],
    "soupbintcp_stream": [_LOGIN + _HEARTBEATS, soupbintcp.encode(soupbintcp.LoginAccepted("ABC", 42))],
}
