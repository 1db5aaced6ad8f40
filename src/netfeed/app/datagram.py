"""What a datagram says besides its messages: from where to where, how long, on which line; and its bytes in hex.

Lines are learned as in a replay (`flows`), but nothing is arbitrated. A letter is given once a second line of the
channel was seen, or when the channel was named: the first packets of a capture have none, rather than one that changes.
"""

from ipaddress import IPv6Address
from typing import Final, NamedTuple

from netfeed.app.findings import Place
from netfeed.app.flows import Flow, Flows, Route
from netfeed.feed.ports import LINES, port_name
from netfeed.machine import Buffer
from netfeed.transport.network import endpoint_text

_WIDTH: Final = 16
_DIGITS: Final = len("0000 " * (_WIDTH // 2)) - 1


class Datagram(NamedTuple):
    """One UDP packet. Units: `length` of the payload in bytes."""

    source: str
    to: str
    length: int
    line: str | None

    def text(self) -> str:
        """Write it as tcpdump does, with the line behind."""
        line = f" line {self.line}" if self.line is not None else ""
        return f"{self.source} > {self.to} length {self.length}{line}"


def source_text(address: bytes, port: int) -> str:
    """Write where a packet came from."""
    found = IPv6Address(address)
    return endpoint_text(str(found.ipv4_mapped or found), port)


def line_of(flows: Flows, flow: Flow, payload: Buffer, place: Place) -> str | None:
    """Name the line of a packet, or the port through which it came; None while that is not known."""
    if flow.protocol is None:
        return None
    route = flows.route(flow, payload)
    if route is None:
        flows.hold(flow, payload, place)
        return None
    for held in flows.release(flow) if flow.held else ():
        _remember(route, held.payload)
    _remember(route, payload)
    lane, port = route
    if port not in LINES:
        return port_name(port)
    return lane.label(port) if lane.declared or len(lane.lines) > 1 else None


def _remember(route: Route, payload: Buffer) -> None:
    lane, port = route
    if port in LINES:
        lane.remember(payload)


def dump(payload: Buffer) -> str:
    """Write bytes as `tcpdump -X` does: offset, hex, ASCII; 16 to a line."""
    data = bytes(payload)
    return "\n".join(_row(at, data[at : at + _WIDTH]) for at in range(0, len(data), _WIDTH))


def _row(at: int, data: bytes) -> str:
    letters = "".join(chr(one) if 32 <= one < 127 else "." for one in data)
    return f"\t0x{at:04x}:  {data.hex(' ', -2):<{_DIGITS}}  {letters}"
