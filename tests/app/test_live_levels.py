"""Live channels of Deribit, CME and IEX on loopback: packets of captures sent again, the books of a replay of them."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from netfeed.app import receive_thread
from netfeed.app.account import account
from netfeed.app.config import parse
from netfeed.app.protocols import PROTOCOLS
from netfeed.app.report import book_json
from netfeed.app.run import Run
from netfeed.book.state import BookState
from netfeed.feed.ports import Port
from netfeed.transport.ring import Reader
from netfeed.wire import cme
from tests.app.level_captures import Capture, cme_definition, cme_entry, made
from tests.app.live_venue import SENT, books_of, free_port, opened, sender, settle
from tests.data import recording
from tests.wire.datagrams import datagrams

pytestmark = pytest.mark.net
GROUPS = ("233.252.0.81", "233.252.0.82", "233.252.0.83")
SNAPSHOTS = 2
FEEDS = ("deribit", "cme", "iex")
Packets = Sequence[tuple[int, bytes]]


@pytest.fixture(params=["loop", "thread"])
def how(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def running(
    protocol: str, port: int, how: str, more: str = "", tell: Callable[[str], None] = lambda text: None, tail: str = ""
) -> Run:
    names = [f'{{ group = "{group}:{port}" }}' for group in GROUPS]
    snapshots = f"snapshots = [{names[2]}]" if protocol != "iex" else ""
    text = f"""
schema_version = 1
[[channels]]
name = "levels"
protocol = "{protocol}"
interface = "lo"
lines = [{names[0]}, {names[1]}]
{snapshots}
{more}
[receive]
how = "{how}"
[endpoints]
listen = ""
{tail}
"""
    return opened(parse(text.encode(), "test.toml"), tell)


def send(run: Run, port: int, packets: Packets) -> None:
    with sender() as out:
        for count, (line, payload) in enumerate(packets):
            out.sendto(payload, (GROUPS[line], port))
            SENT[id(run.live)] += 1
            if count % 16 == 15:
                run.live.turn(time.monotonic_ns())


def on_lines(payloads: Sequence[bytes], lost: Callable[[int], bool] = lambda count: False) -> Packets:
    """Give packets for both lines, but those that are lost on both; each line loses some of its own."""
    return [
        (line, payload)
        for count, payload in enumerate(payloads)
        for line in (0, 1)
        if not lost(count) and count % 6 != 2 + line
    ]


def books_without_loss(protocol: str, packets: Sequence[tuple[int, bytes]]) -> list[dict[str, object]]:
    """Give the books that the feed makes of packets of (port, payload), without any network."""
    row = PROTOCOLS[protocol]
    feed = row.new_feed()
    for port, payload in packets:
        packet = row.framing.parse(payload, port)
        for count, message in enumerate(packet.messages):
            feed.apply(message, packet.sequence + (0 if row.framing.per_packet else count), 0, 0)
    books = zip(feed.books, feed.names, feed.exponents, strict=True)
    described = [book_json(_Named(book, name, exponents)) for book, name, exponents in books]  # type: ignore[arg-type]
    return sorted(described, key=lambda book: str(book["instrument"]))


class _Named:
    """A book as the catalogue has it."""

    def __init__(self, view: object, name: str, exponents: tuple[int, int]) -> None:
        self.view, self.name, self.exponents = view, name, exponents


def turned_until(run: Run, done: Callable[[dict[str, int]], bool]) -> dict[str, int]:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        run.live.turn(time.monotonic_ns() + 1_000_000)
        books: dict[str, int] = account(run.live)["books"]
        if done(books):
            return books
    raise AssertionError(books)


@pytest.mark.parametrize("protocol", FEEDS)
def test_what_one_line_loses_the_other_brings(protocol: str, how: str) -> None:
    one, port = made(protocol), free_port()
    run = running(protocol, port, how)
    send(run, port, on_lines(one.packets))
    settle(run.live)
    told = account(run.live)
    run._close()
    assert books_of(run.live) == books_without_loss(protocol, [(0, payload) for payload in one.packets])
    assert (told["books"]["LIVE"], told["messages_lost"], told["errors"]) == (2, 0, 0)


@pytest.mark.parametrize("protocol", FEEDS)
def test_a_silent_channel_has_stale_books_until_it_is_heard_again(protocol: str, how: str) -> None:
    one, port = made(protocol), free_port()
    said: list[str] = []
    run = running(protocol, port, how, 'heartbeat = "100ms"\nstale_after = 2', said.append)
    send(run, port, on_lines(one.packets[:-10]))
    silent = turned_until(run, lambda books: books["STALE"] == 2)
    send(run, port, on_lines(one.packets[-10:]))
    again = turned_until(run, lambda books: books["LIVE"] == 2)
    run._close()
    assert (silent["LIVE"], again["STALE"]) == (0, 0)
    assert any("all lines silent" in text for text in said)


@pytest.mark.parametrize("protocol", FEEDS)
def test_what_was_lost_in_a_silence_leaves_no_book_live_that_it_can_have_touched(protocol: str, how: str) -> None:
    one, port = made(protocol), free_port()
    run = running(protocol, port, how, 'heartbeat = "100ms"\nstale_after = 2\nrecovery = { window = "20ms" }')
    send(run, port, on_lines(one.packets[:40]))
    turned_until(run, lambda books: books["STALE"] == 2)
    send(run, port, on_lines(one.packets[44:50]))
    books = turned_until(run, lambda books: books["SUSPECT"] == 2)
    settle(run.live)
    run._close()
    assert books["LIVE"] == 0
    assert account(run.live)["messages_lost"] == 4


@pytest.mark.parametrize("protocol", ["deribit", "cme"])
def test_what_both_lines_lost_is_mended_by_the_next_snapshots(protocol: str, how: str) -> None:
    one, port = made(protocol), free_port()
    run = running(protocol, port, how, 'recovery = { window = "20ms" }')
    send(run, port, on_lines(one.packets, lambda count: count in (31, 32, 33)))
    settle(run.live)
    assert account(run.live)["books"]["SUSPECT"] == 2
    send(run, port, [(SNAPSHOTS, payload) for payload in one.snapshots])
    turned_until(run, lambda books: books["LIVE"] == 2)
    run.live.receiver.collect()
    books, told = books_of(run.live), account(run.live)
    run._close()
    assert books == books_without_loss(protocol, _all(one))
    assert told["messages_lost"] == 3


def test_natural_refresh_mends_a_book_without_a_snapshot(how: str) -> None:
    port = free_port()
    run = running("cme", port, how, 'recovery = { window = "20ms", natural_refresh = true }')
    entries = [(0, "0", 100), (0, "1", 101), (1, "0", 100), (5, "0", 99), (5, "1", 102)]
    messages = [cme_definition(7, depth=1)]
    messages += [cme_entry(action, kind, 1, price, n, 7, n) for n, (action, kind, price) in enumerate(entries, 1)]
    packets = [cme.encode_packet(n, [message]) for n, message in enumerate(messages, 1)]
    send(run, port, [(0, payload) for payload in packets[:3] + packets[4:]])
    settle(run.live)
    run.live.receiver.collect()
    books, told = books_of(run.live), account(run.live)
    run._close()
    assert told["messages_lost"] == 1
    assert (books[0]["state"], told["books"]["LIVE"]) == ("LIVE", 1)
    assert run.live.slots[0].feed.statistics().refreshed == 1


def _all(one: Capture) -> list[tuple[int, bytes]]:
    lines: list[tuple[int, bytes]] = [(Port.LINE_A, payload) for payload in one.packets]
    return lines + [(Port.SNAPSHOT_A, payload) for payload in one.snapshots]


# --- recordings


def _recorded(path: Path, groups: Sequence[tuple[str, int]], most: int) -> list[tuple[int, bytes]]:
    """Give the packets of a line and of its snapshots, in their order, as (port, payload)."""
    ports = dict(zip(groups, (Port.LINE_A, Port.SNAPSHOT_A), strict=False))
    found = [
        (ports[one.group, one.port], one.payload) for one in datagrams(path, most) if (one.group, one.port) in ports
    ]
    return [(int(port), payload) for port, payload in found]


@pytest.mark.parametrize(("protocol", "name", "groups", "most"), [
    ("deribit", "deribit_multicast/sample_capture_v1_6.pcapng",
     [("239.111.111.2", 6100), ("239.111.111.2", 6101)], 10_000),
    ("cme", "cme/Cme.Mdp3.Sbe.v6.1.pcap", [("224.0.31.64", 14340)], 6_000),
    ("iex", "iex/go-iex_DEEP10.pcap.gz", [("224.2.3.10", 16648)], 800),
])  # fmt: skip
def test_a_recording_sent_again_gives_the_books_of_its_replay(
    protocol: str, name: str, groups: list[tuple[str, int]], most: int, how: str
) -> None:
    recorded = _recorded(recording(name), groups, most)
    port = free_port()
    run = running(protocol, port, how, f"start = {PROTOCOLS[protocol].sequence_of(recorded[0][1])}")
    send(run, port, [(SNAPSHOTS if at == Port.SNAPSHOT_A else at, payload) for at, payload in recorded])
    settle(run.live)
    told = account(run.live)
    run._close()
    assert books_of(run.live) == books_without_loss(protocol, recorded)
    assert told["packets"] == len(recorded)
    assert told["messages_lost"] == 0
    assert sum(told["books"].values()) - told["books"][BookState.EMPTY.name] > 0


def test_what_plain_python_changed_is_in_the_ring_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads the ring need not wait until somebody else looks: no book of this protocol is the thread's."""
    for look in ("LOOK_NS", "IDLE_NS"):
        monkeypatch.setattr(receive_thread, look, 10**15)
    one, port = made("iex"), free_port()
    name = f"netfeed-test-{port}"
    run = running("iex", port, "thread", tail=f'[ring]\nname = "{name}"')
    with Reader(name) as reader:
        run.live.receiver.collect()  # the next look is far away
        send(run, port, on_lines(one.packets))
        end = time.monotonic_ns() + 60 * 10**9
        while not run.live.latencies.count and time.monotonic_ns() < end:
            run.live.turn(time.monotonic_ns() + 1_000_000)
        seen = len(reader.read())
    run._close()
    assert seen > 0
