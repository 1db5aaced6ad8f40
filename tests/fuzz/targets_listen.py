"""Fuzz targets of `netfeed listen`: any packets of any protocol, and the account of the lines stays sound."""

from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from netfeed.app.listen_line import Line, Lines
from netfeed.app.listen_words import NAMES
from netfeed.errors import WireError
from netfeed.wire import numbered

SOURCE = (bytes(16), 1)


def numbered_packet(data: bytes) -> None:
    """Decode a numbered packet; what is one is decoded."""
    with suppress(WireError):
        numbered.decode(data)
        assert numbered.is_numbered(data)


def listened_lines(data: bytes) -> None:
    """Cut the bytes into packets for two lines, one of which is told its protocol."""
    sockets: list[Any] = [SimpleNamespace(host=f"233.252.0.{at}", port=1) for at in (1, 2)]
    protocol = NAMES[data[0] % len(NAMES)] if data else None
    shared = Lines([Line(0, sockets[0], protocol), Line(1, sockets[1])])
    size = max(20, data[1] if len(data) > 1 else 0)
    for at in range(2, len(data), size):
        payload = memoryview(data)[at : at + size]
        for line in shared.lines:
            line.words.check(payload)
            shared.hear(line, payload, at, SOURCE)
    assert all(line.total("lost") >= 0 for line in shared.lines)
    assert shared.missed_by_all() >= 0


TARGETS: dict[str, Callable[[bytes], None]] = {
    "numbered_packet": numbered_packet,
    "listened_lines": listened_lines,
}

_PACKETS = [numbered.encode(7, sequence, sequence, size=40) for sequence in (1, 2, 4)]

CORPUS: dict[str, list[bytes]] = {
    "numbered_packet": _PACKETS,
    "listened_lines": [bytes([NAMES.index(name), 40]) + b"".join(_PACKETS) for name in ("numbered", "itch50", "iex")],
}
