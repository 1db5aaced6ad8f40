"""Fuzz targets of framings, channels and SoupBinTCP: no bytes raise, and what is told keeps its promises.

A channel is fed a list of datagrams: each is a port, a pause, a length of two bytes, and that many bytes.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from netfeed.errors import WireError
from netfeed.feed.channel import Channel
from netfeed.feed.events import GapLost, Messages, SequenceReset, SessionChanged
from netfeed.feed.framing import FRAMINGS
from netfeed.feed.ports import Port
from netfeed.machine import NEVER
from netfeed.proto import soupbintcp
from netfeed.wire import soupbintcp as wire
from tests.feed.packets import BUILD

PORTS = (Port.LINE_A, Port.LINE_B, Port.RETRANSMIT, Port.SNAPSHOT_A, Port.SNAPSHOT_B, 8)
PAUSES = (0, 1, 10_000, 2_000_000, 2_000_000_000, 100_000_000_000)


def datagrams(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Cut bytes into ports, pauses and datagrams."""
    at = 0
    while at + 4 <= len(data):
        length = data[at + 2] << 8 | data[at + 3]
        yield PORTS[data[at] % len(PORTS)], PAUSES[data[at + 1] % len(PAUSES)], data[at + 4 : at + 4 + length]
        at += 4 + length


def joined(*packets: bytes) -> bytes:
    """Make the input of a channel's target: each packet on line A and then on line B."""
    return b"".join(
        bytes([port, port]) + len(packet).to_bytes(2, "big") + packet for packet in packets for port in (0, 1)
    )


def framing_target(name: str) -> Callable[[bytes], None]:
    """Read any bytes; a packet's count is what it carries."""

    def run(data: bytes) -> None:
        for port in PORTS:
            with suppress(WireError):
                packet = FRAMINGS[name].parse(data, port)
                assert packet.sequence >= 0
                assert packet.count == (1 if FRAMINGS[name].per_packet else len(packet.messages))

    return run


def channel_target(name: str) -> Callable[[bytes], None]:
    """Feed any datagrams; within one count every number is delivered or lost, once, and no time stands still."""

    def run(data: bytes) -> None:
        channel = Channel(FRAMINGS[name], name=name, max_held_bytes=20_000)
        now, at = 0, None
        for port, pause, packet in datagrams(data):
            now += pause
            events = list(channel.receive(packet, now, port))
            if channel.deadline < NEVER:
                assert channel.deadline > now
                now = channel.deadline
                events += channel.wake(now)
            at = followed(events, at, FRAMINGS[name].per_packet)
            assert channel.held_bytes <= 20_000
            assert channel.transmit(port) == []

    return run


def followed(events: list[Any], at: int | None, per_packet: bool) -> int | None:
    """Check that every number after `at` is told once, in order, and give the next; None is where a count begins."""
    for event in events:
        if isinstance(event, SessionChanged):
            at = None
        elif isinstance(event, SequenceReset):
            assert at is None or event.old_next == at
            at = event.new
        elif isinstance(event, GapLost):
            assert at is None or at == event.first
            at = event.last + 1
            assert event.first < at
        elif isinstance(event, Messages):
            assert at is None or at == event.first_sequence
            at = event.first_sequence + (1 if per_packet else len(event.messages))
    return at


def soup_target(server: bool) -> Callable[[bytes], None]:
    """Feed any stream, whole and byte by byte: the same is told."""

    def machine() -> soupbintcp.Client | soupbintcp.Server:
        if server:
            return soupbintcp.Server(0)
        client = soupbintcp.Client()
        client.login("user", "password", 0)
        return client

    def run(data: bytes) -> None:
        whole, parts = machine(), machine()
        told = [*whole.receive(data, 1), *whole.end(2)]
        piecemeal = [event for at in range(len(data)) for event in parts.receive(data[at : at + 1], 1)]
        assert [*piecemeal, *parts.end(2)] == told
        assert whole.deadline == parts.deadline == NEVER

    return run


TARGETS: dict[str, Callable[[bytes], None]] = {
    **{f"framing_{name}": framing_target(name) for name in FRAMINGS},
    **{f"channel_{name}": channel_target(name) for name in FRAMINGS},
    "soupbintcp_client": soup_target(server=False),
    "soupbintcp_server": soup_target(server=True),
}

_PAYLOADS = [b"12345678", b"87654321"]
CORPUS: dict[str, list[bytes]] = {
    **{f"framing_{name}": [BUILD[name](7, _PAYLOADS), BUILD[name](9)] for name in FRAMINGS},
    **{
        f"channel_{name}": [joined(*(BUILD[name](number, _PAYLOADS[:1]) for number in (1, 2, 4, 3, 9, 5)))]
        for name in FRAMINGS
    },
    "soupbintcp_client": [
        b"".join(
            wire.encode(packet)
            for packet in (wire.LoginAccepted("S", 1), wire.SequencedData(b"abc"), wire.ServerHeartbeat(),
                           wire.EndOfSession())
        )
    ],
    "soupbintcp_server": [
        wire.encode(wire.LoginRequest("user", "password", "", 1)) + wire.encode(wire.LogoutRequest())
    ],
}  # fmt: skip
