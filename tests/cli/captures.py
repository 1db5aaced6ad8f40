"""Small captures for tests: datagrams in, a file out."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from netfeed.wire import itch, moldudp64, pcap
from netfeed.wire.headers import udp_frame

SESSION: Final = b"S000000001"
BEGIN_NS: Final = 1_700_000_000_000_000_000
A: Final = ("233.252.0.1", 26400)
B: Final = ("233.252.0.2", 26400)
CLIENT: Final = ("10.0.0.5", 40001)
SERVER: Final = ("10.0.0.9", 26499)


class Datagram(NamedTuple):
    """A packet; `at` is in ns after BEGIN_NS."""

    at: int
    to: tuple[str, int]
    payload: bytes


def write(path: Path, datagrams: Iterable[Datagram]) -> Path:
    """Write a pcap file of Ethernet frames with nanoseconds."""
    parts = [pcap.file_header()]
    for at, to, payload in datagrams:
        parts.append(pcap.record(BEGIN_NS + at, udp_frame(payload, ("10.0.0.1", 5000), to)))
    path.write_bytes(b"".join(parts))
    return path


def add(order: int, price: int, shares: int = 100, *, side: str = "B", stock: str = "AAA", locate: int = 1) -> bytes:
    """Give an ITCH AddOrder; the time of message `order` is that many microseconds after midnight."""
    return itch.encode(
        "A", stock_locate=locate, tracking_number=0, timestamp=order * 1000, order_reference_number=order,
        buy_sell_indicator=side, shares=shares, stock=stock, price=price,
    )  # fmt: skip


def mold(sequence: int, *messages: bytes, session: bytes = SESSION) -> bytes:
    """Give a MoldUDP64 packet; without messages a heartbeat."""
    if not messages:
        return moldudp64.encode_heartbeat(session, sequence)
    return moldudp64.encode(session, sequence, messages)


def orders(first: int, count: int) -> bytes:
    """Give a packet of `count` bids, one tick above each other, numbered from `first`."""
    return mold(first, *(add(number, 10_000 + number) for number in range(first, first + count)))
