"""A day of ITCH on real sockets over loopback, sent packet by packet from the test's own thread."""

import socket
import time
from collections.abc import Callable, Iterable, Sequence

from netfeed.app.config import parse
from netfeed.app.configuration import Configuration
from netfeed.app.live import Live
from netfeed.app.report import book_json
from netfeed.app.run import Options, Run
from netfeed.machine import NEVER
from netfeed.sim.capture_itch import Session, session
from netfeed.sim.itch_day import Settings

GROUPS = ("233.252.0.61", "233.252.0.62")


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def day(messages: int = 3_000, seed: int = 7) -> Session:
    return session(Settings(messages, 8, 300, seed), 1_000_000, {})


def sender() -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
    one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
    one.bind(("127.0.0.1", 0))
    return one


def toml(port: int, more: str = "", channel: str = "", how: str = "loop") -> str:
    lines = ", ".join(f'{{ group = "{group}:{port}" }}' for group in GROUPS)
    return f"""
schema_version = 1
[[channels]]
name = "equities"
protocol = "itch50"
interface = "lo"
lines = [{lines}]
{"" if "heartbeat" in channel else 'heartbeat = "60s"'}
{channel}
[receive]
how = "{how}"
buffer = "1MiB"
[endpoints]
listen = ""
{more}
"""


def configured(port: int, more: str = "", channel: str = "", how: str = "loop") -> Configuration:
    return parse(toml(port, more, channel, how).encode(), "test.toml")


def opened(config: Configuration, tell: Callable[[str], None] = lambda text: None, **options: object) -> Run:
    one = Run(config, Options("test.toml", {}, quiet=True, **options), lambda: False)  # type: ignore[arg-type]
    one.live.tell = tell
    SENT[id(one.live)] = 0
    one._open()
    return one


SENT: dict[int, int] = {}


def settle(live: Live, seconds: float = 60.0) -> None:
    """Turn the loop until all that was sent has come, and no lane waits for anything."""
    end = time.monotonic_ns() + int(seconds * 1e9)
    while time.monotonic_ns() < end:
        live.turn(time.monotonic_ns() + 1_000_000)
        live.receiver.collect()
        come = sum(inlet.received for inlet, _, _ in live.inlets)
        if come == SENT[id(live)] and _rests(live):
            live.turn(time.monotonic_ns())  # a packet may have been counted, and not yet been in the queue
            live.receiver.collect()
            if _rests(live):
                return
    raise AssertionError(f"the loop did not come to rest: {come} of {SENT[id(live)]} packets have come")


def _rests(live: Live) -> bool:
    """Say whether nothing waits: no lane for what is missing, no packet for what the other line may bring."""
    return not live.receiver.account().get("put_aside") and all(slot.lane.deadline == NEVER for slot in live.slots)


def send(live: Live, out: socket.socket, port: int, packets: Iterable[tuple[int, bytes]]) -> None:
    """Send (line, payload), and let the loop turn now and then."""
    for count, (line, payload) in enumerate(packets):
        out.sendto(payload, (GROUPS[line], port))
        SENT[id(live)] = SENT.get(id(live), 0) + 1
        if count % 16 == 15:
            live.turn(time.monotonic_ns())


def both(made: Session, lost: Sequence[Callable[[int], bool]]) -> Iterable[tuple[int, bytes]]:
    """Give every packet for both lines, but those that a line loses."""
    for index, one in enumerate(made.sent):
        for line in (0, 1):
            if not lost[line](index):
                yield line, one.payload


def books_of(live: Live) -> list[dict[str, object]]:
    described = [book_json(book) for book in live.catalogue.books]
    return sorted(described, key=lambda book: str(book["instrument"]))


def truth_of(made: Session) -> list[dict[str, object]]:
    from netfeed.sim.capture_itch import books

    wanted = ("instrument", "state", "bid", "ask")
    return [{key: book[key] for key in wanted} for book in books(made.stream)]
