"""The receiver: each packet goes one way, once; the books are those of a plain replay, whoever had them when.

The sockets are real, on loopback. `Plain` is what an application does around a receiver: the channel of `feed.channel`,
the law of `netfeed.transport.receiver`, and the changes published.
"""

import random
import socket
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path as File
from typing import Any

import numpy as np
import pytest

import netfeed.book  # noqa: F401  (hands the core its words)
from netfeed.book.change import CHANGE
from netfeed.build import PURE
from netfeed.errors import MisuseError
from netfeed.feed import path as plain_path
from netfeed.feed.channel import Channel
from netfeed.feed.events import Messages
from netfeed.feed.framing import framing
from netfeed.transport import receiver as plain
from netfeed.transport.receiver_account import Owner
from netfeed.transport.ring import Reader, Ring
from netfeed.venues.itch import ItchBooks as PlainItch
from netfeed.wire import itch, moldudp64, pcapng
from netfeed.wire.frame import LinkType, locate

SESSION = b"SESSION001"
SO_TIMESTAMPNS, SO_RXQ_OVFL = 35, 40
LOOPBACK = bytes(10) + b"\xff\xff" + bytes([127, 0, 0, 1])

Kit = tuple[Any, Any, Any]
KITS: list[Kit] = [(plain.Receiver, plain_path.Path, PlainItch)]
if not PURE:
    from netfeed._core.itch import ItchBooks as CoreItch
    from netfeed._core.path import Path as CorePath
    from netfeed.transport.thread import Receiver as CoreReceiver

    KITS.append((CoreReceiver, CorePath, CoreItch))

pytestmark = pytest.mark.net


def messages(number: int) -> list[bytes]:
    """Give a stream that adds, executes, reduces and deletes orders in a few books."""
    draws, live, found = random.Random(7), list[int](), list[bytes]()
    for reference in range(1, number + 1):
        head = {"stock_locate": reference % 5, "tracking_number": 0, "timestamp": reference}
        if len(live) > 20:
            gone = live.pop(draws.randrange(len(live)))
            found.append(itch.encode("D", **head | {"stock_locate": gone % 5}, order_reference_number=gone))
            continue
        live.append(reference)
        found.append(
            itch.encode(
                "A", **head, order_reference_number=reference, buy_sell_indicator="BS"[reference % 2],
                shares=draws.randrange(1, 500), stock=f"S{reference % 5}",
                price=10_000 + draws.randrange(50) * (-1) ** reference,
            )
        )  # fmt: skip
    return found


def packed(stream: list[bytes], seed: int) -> list[bytes]:
    """Pack a stream into packets of 1 to 6 messages."""
    draws, found, at = random.Random(seed), list[bytes](), 0
    while at < len(stream):
        end = at + draws.randrange(1, 7)
        found.append(moldudp64.encode(SESSION, at + 1, stream[at:end]))
        at = end
    return found


class World:
    """A receiver with a line A and a line B, and the plain Python around it."""

    def __init__(self, kit: Kit, folder: File, **options: Any) -> None:
        receiver, path, books = kit
        self.ring = Ring(folder / "ring", CHANGE, capacity=1 << 14, names=4)
        self.reader = Reader(self.ring.path)
        self.books, self.path = books(), path()
        self.receiver = receiver(self.path, self.ring.writer, **options)
        self.number = self.path.add_channel(self.books, 3)
        self.sockets, self.senders = [], []
        for line in (0, 1):
            inner = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            inner.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            inner.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
            inner.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
            inner.bind(("127.0.0.1", 0))
            outer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            outer.bind(("127.0.0.1", 0))
            outer.connect(inner.getsockname())
            self.receiver.add(inner, channel=self.number, line=line, books=self.books)
            self.sockets.append(inner)
            self.senders.append(outer)
        self.channel = Channel(
            framing("moldudp64"), name="test", start=1, reorder_window_ns=10**15, recovery_window_ns=10**15
        )
        self.now, self.mine, self.handled, self.sent = count(1), True, 0, 0

    def send(self, line: int, payload: bytes) -> None:
        self.senders[line].send(payload)
        self.sent += 1

    def receive_all(self) -> None:
        """Wait until the receiver has had every packet that was sent."""
        while sum(one.packets for one in self.receiver.statistics().sockets) < self.sent:
            if not self.receiver.running:
                self.receiver.turn()

    def pump(self) -> None:
        """Do what plain Python has to do."""
        while taken := self.receiver.take(random.Random(self.handled).randrange(1, 9)):
            self.receiver.recall(self.number)
            self.give_way()
            for packet in taken:
                self.handled += 1
                for event in self.channel.receive(packet.payload, next(self.now), packet.socket):
                    if isinstance(event, Messages):
                        for k, message in enumerate(event.messages):
                            self.books.apply(message, event.first_sequence + k, packet.ts_ns, 3)
        if self.mine:
            self.receiver.publish(self.books.books.take())
            if self.channel.in_order:
                self.mine = not self.receiver.offer(self.number, SESSION, self.channel.next_sequence)

    def give_way(self) -> None:
        if not self.mine:
            following, _, _ = self.path.position(self.number)
            self.channel.advance(following, next(self.now))
            for line, packets, first, duplicates, size, last, behind in self.path.drain_lines(self.number):
                self.channel.merge_line(line, packets, first, duplicates, size, last, behind)
        self.mine = True

    def finish(self) -> None:
        self.receive_all()
        while self.receiver.statistics().queue_bytes or self.receiver.fileno() < 0:
            self.pump()
        self.receiver.recall(self.number)
        self.give_way()
        self.pump()
        self.receiver.recall(self.number)

    def close(self) -> None:
        self.receiver.close()
        self.reader.close()
        self.ring.close()
        for one in [*self.sockets, *self.senders]:
            one.close()


@pytest.fixture(params=KITS, ids=lambda kit: kit[0].__module__.rpartition(".")[2])
def make(request: pytest.FixtureRequest, tmp_path: File) -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def one(**options: Any) -> World:
        made.append(World(request.param, tmp_path, **options))
        return made[-1]

    yield one
    for world in made:
        world.close()


def replayed(stream: list[bytes]) -> tuple[list[Any], Any, Any]:
    """Give changes, books and counts of a plain replay."""
    books = PlainItch()
    for k, message in enumerate(stream):
        books.apply(message, k + 1, 0, 3)
    return without_time(books.books.take()), shape(books), books.by_type


def without_time(rows: Any) -> list[Any]:
    rows = rows.copy()
    rows["ts_recv_ns"] = 0
    return list(rows.tolist())


def shape(books: Any) -> Any:
    held = books.books
    return [(held.state(k), held.depth(k, 0, 99), held.depth(k, 1, 99)) for k in range(len(held))], held.statistics()


def check(world: World, stream: list[bytes]) -> None:
    changes, books, counts = replayed(stream)
    assert world.channel.next_sequence == len(stream) + 1
    assert world.books.by_type == counts
    assert shape(world.books) == books
    assert world.reader.lost == 0
    assert without_time(world.reader.read()) == changes
    statistics = world.receiver.statistics()
    assert statistics.published == len(changes)
    assert sum(one.taken + one.diverted for one in statistics.sockets) == world.sent
    assert world.handled == sum(one.diverted for one in statistics.sockets)
    assert all(one.drops == one.overflow == one.errors == 0 for one in statistics.sockets)


def storm(stream: list[bytes], seed: int) -> list[tuple[int, bytes]]:
    """Send each packet over A, B or both, late, twice, and with heartbeats and rubbish in between."""
    draws, timed = random.Random(seed), list[tuple[float, int, bytes]]()
    for at, payload in enumerate(packed(stream, seed)):
        for line in draws.choice([(0,), (1,), (0, 1), (0, 1), (0, 1), (0, 0, 1)]):
            timed.append((at + draws.choice([0, 0, 0, 0.5, 3, 10]) + line * 0.3, line, payload))
        if draws.random() < 0.1:
            first = int.from_bytes(payload[10:18])
            timed.append((at, draws.randrange(2), moldudp64.encode_heartbeat(SESSION, first)))
        if draws.random() < 0.05:
            timed.append((at, draws.randrange(2), draws.randbytes(draws.randrange(60))))
    return [(line, payload) for _, line, payload in sorted(timed, key=lambda one: one[0])]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("spin", [False, True])
def test_nothing_is_lost_and_nothing_comes_twice_turn_by_turn(make: Any, seed: int, spin: bool) -> None:
    world, stream, draws = make(spin=spin, packets=7), messages(600), random.Random(seed)
    world.receiver.offer(world.number, SESSION, 1)
    world.mine = False
    world.channel.receive(moldudp64.encode_heartbeat(SESSION, 1), 1)
    for line, payload in storm(stream, seed):
        world.send(line, payload)
        if draws.random() < 0.3:
            world.receiver.turn()
        if draws.random() < 0.1:
            world.pump()
        if draws.random() < 0.03:
            world.receiver.recall(world.number)
            world.give_way()
    world.finish()
    check(world, stream)
    assert sum(one.taken for one in world.receiver.statistics().sockets) > 0


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("spin", [False, True])
def test_nothing_is_lost_and_nothing_comes_twice_with_a_thread(make: Any, seed: int, spin: bool) -> None:
    world, stream, draws = make(spin=spin, packets=5), messages(600), random.Random(seed)
    world.receiver.start()
    assert world.receiver.running
    for line, payload in storm(stream, seed):
        world.send(line, payload)
        if draws.random() < 0.15:
            world.pump()
        if draws.random() < 0.05:
            world.receiver.recall(world.number)
            world.give_way()
        if draws.random() < 0.02:
            world.receive_all()
    world.finish()
    world.receiver.stop()
    assert not world.receiver.running
    check(world, stream)


def test_a_channel_is_plain_pythons_until_it_is_offered(make: Any) -> None:
    world, stream = make(), messages(10)
    assert world.receiver.owner(world.number) == Owner.PLAIN
    world.send(0, moldudp64.encode(SESSION, 1, stream[:2]))
    world.receive_all()
    assert world.receiver.offer(world.number, SESSION, 1) is False
    (packet,) = world.receiver.take()
    assert (packet.socket, packet.payload, packet.source, packet.whole) == (
        0, moldudp64.encode(SESSION, 1, stream[:2]), LOOPBACK, True,
    )  # fmt: skip
    assert packet.source_port == world.senders[0].getsockname()[1]
    assert world.receiver.offer(world.number, SESSION, 1) is True
    with pytest.raises(MisuseError, match="not plain Python's"):
        world.receiver.offer(world.number, SESSION, 1)
    world.send(0, moldudp64.encode(SESSION, 1, stream[:2]))
    world.receive_all()
    assert world.receiver.owner(world.number) == Owner.ARMED
    assert world.receiver.take() == []
    assert world.receiver.progress(world.number)[0::2] == (3, 2)
    world.receiver.recall(world.number)
    assert world.receiver.owner(world.number) == Owner.PLAIN


def test_an_offer_is_refused_when_a_packet_was_first(make: Any) -> None:
    """The packet came before the receiver looked at the offer: to take the channel would pass it by."""
    world, stream = make(), messages(10)
    if isinstance(world.receiver, plain.Receiver):
        pytest.skip("the twin looks at an offer at once")
    world.send(0, b"rubbish")
    world.receive_all()
    assert len(world.receiver.take()) == 1
    world.send(0, moldudp64.encode(SESSION, 1, stream[:2]))
    assert world.receiver.offer(world.number, SESSION, 1) is True
    world.receiver.recall(world.number)
    assert world.receiver.owner(world.number) == Owner.PLAIN


def test_the_other_line_heals_without_plain_python(make: Any) -> None:
    world, stream = make(), messages(9)
    world.receiver.offer(world.number, SESSION, 1)
    world.mine = False
    one, two, three = (moldudp64.encode(SESSION, k, stream[k - 1 : k + 2]) for k in (1, 4, 7))
    for line, payload in ((0, one), (0, three), (1, one), (1, two), (1, three)):
        world.send(line, payload)
        world.receive_all()
    assert world.receiver.owner(world.number) == Owner.ARMED
    assert world.receiver.progress(world.number)[0] == 10
    assert [packet.payload for packet in world.receiver.take()] == [three]


def test_heartbeats_and_repetitions_do_not_reach_plain_python(make: Any) -> None:
    world, stream = make(), messages(4)
    world.receiver.offer(world.number, SESSION, 1)
    payload = moldudp64.encode(SESSION, 1, stream)
    for one in (moldudp64.encode_heartbeat(SESSION, 1), payload, payload, moldudp64.encode_heartbeat(SESSION, 5)):
        world.send(0, one)
        world.receive_all()
    assert world.receiver.take() == []
    world.receiver.recall(world.number)
    assert world.path.heartbeats(world.number) == 2
    ((line, packets, first, duplicates, *_),) = world.path.drain_lines(world.number)
    assert (line, packets, first, duplicates) == (0, 4, 1, 1)
    for one in (moldudp64.encode_heartbeat(SESSION, 6), moldudp64.encode_end_of_session(SESSION, 5)):
        world.send(0, one)
    world.receive_all()
    assert len(world.receiver.take()) == 2


@pytest.mark.parametrize("journal", [0, 1 << 20])
def test_who_sent_a_packet_of_an_armed_channel_is_asked_only_for_the_journal(make: Any, journal: int) -> None:
    world = make(journal=journal)
    port = world.senders[0].getsockname()[1]
    told = []
    for payload in (b"plain", b"armed", b"plain again"):
        if payload == b"armed":
            assert world.receiver.offer(world.number, SESSION, 1)
        world.send(0, payload)
        world.receive_all()
        (packet,) = world.receiver.take()
        told.append((packet.payload, packet.source, packet.source_port))
        world.receiver.recall(world.number)
    named = LOOPBACK, port
    asked = named if journal else (bytes(16), 0)
    assert told == [(b"plain", *named), (b"armed", *asked), (b"plain again", *named)]


def test_a_source_that_is_not_allowed_is_counted_and_goes_nowhere(make: Any) -> None:
    world = make()
    inner = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    inner.bind(("127.0.0.1", 0))
    number = world.receiver.add(inner, sources=[bytes(16), LOOPBACK[:15] + b"\x09"])
    world.senders[0].connect(inner.getsockname())
    world.sockets.append(inner)
    world.send(0, b"forged")
    world.receive_all()
    assert world.receiver.take() == []
    assert world.receiver.statistics().sockets[number].foreign == 1


def test_the_sources_of_a_socket_change_while_it_is_received_from(make: Any) -> None:
    world = make()
    world.receiver.start()
    admitted = []
    for k in range(300):
        sources = [] if k % 3 == 0 else [LOOPBACK] if k % 3 == 1 else [LOOPBACK[:15] + b"\x09"]
        world.receiver.allow(0, sources)
        world.send(0, bytes([k % 256]))
        world.receive_all()
        admitted += [packet.payload[0] for packet in world.receiver.take()]
    one, _ = world.receiver.statistics().sockets  # the same two
    world.receiver.stop()
    assert admitted == [k % 256 for k in range(300) if k % 3 != 2]
    assert (one.packets, one.foreign) == (300, 100)
    with pytest.raises(ValueError, match="sources"):
        world.receiver.allow(0, [b"1"])
    with pytest.raises(ValueError, match="no socket 7"):
        world.receiver.allow(7, [])


def test_a_queue_that_is_full_drops_the_newest_with_evidence(make: Any) -> None:
    world = make(queue=1 << 12)
    for k in range(40):
        world.send(0, bytes([k]) * 200)
    world.receive_all()
    taken = world.receiver.take()
    (one, _) = world.receiver.statistics().sockets
    assert len(taken) == one.diverted
    assert 8 < len(taken) < 20
    assert one.overflow == 40 - len(taken)
    assert [packet.payload[0] for packet in taken] == list(range(len(taken)))
    for k in range(100):  # around the end of the memory, many times
        world.send(0, bytes([k]) * (k * 13 % 700))
        world.receive_all()
        assert [packet.payload for packet in world.receiver.take()] == [bytes([k]) * (k * 13 % 700)]
    assert world.receiver.offer(world.number, SESSION, 1)  # what was dropped is not waited for


def test_what_waits_makes_the_descriptor_readable(make: Any) -> None:
    from select import select

    world = make()
    assert select([world.receiver], [], [], 0)[0] == []
    for k in range(3):
        world.send(0, bytes([k]))
    world.receive_all()
    assert select([world.receiver], [], [], 0)[0] == [world.receiver]
    assert len(world.receiver.take(2)) == 2
    assert select([world.receiver], [], [], 0)[0] == [world.receiver]
    assert len(world.receiver.take(2)) == 1
    assert select([world.receiver], [], [], 0)[0] == []


def test_a_datagram_that_was_cut_is_not_taken(make: Any) -> None:
    world, stream = make(size=64), messages(4)
    world.receiver.offer(world.number, SESSION, 1)
    world.send(0, moldudp64.encode(SESSION, 1, stream))
    world.receive_all()
    (packet,) = world.receiver.take()
    assert (packet.whole, len(packet.payload)) == (False, 64)
    assert world.receiver.statistics().sockets[0].truncated == 1


def test_a_packet_with_more_changes_than_room_is_taken_or_left_to_plain_python(make: Any) -> None:
    world, stream = make(size=65536), messages(1500)
    world.receiver.offer(world.number, SESSION, 1)
    world.mine = False
    world.channel.receive(moldudp64.encode_heartbeat(SESSION, 1), 1)
    for at in range(0, 1500, 1500 // 3):
        world.send(0, moldudp64.encode(SESSION, at + 1, stream[at : at + 500]))
    world.finish()
    changes, books, _ = replayed(stream)
    assert without_time(world.reader.read()) == changes
    assert shape(world.books) == books


@pytest.mark.parametrize("version", [4, 6])
def test_the_journal_is_pcapng_of_all_that_came(make: Any, version: int) -> None:
    world = make(journal=1 << 18)
    host, family = ("127.0.0.1", socket.AF_INET) if version == 4 else ("::1", socket.AF_INET6)
    inner, outer = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_DGRAM)
    world.sockets += [inner, outer]
    try:
        inner.bind((host, 0))
    except OSError as error:
        pytest.skip(f"no {host} here: {error}")
    inner.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    number = world.receiver.add(inner)
    for payload in (b"", b"a", b"bcd" * 77):
        outer.sendto(payload, inner.getsockname()[:2])
        world.sent += 1
    world.receive_all()
    writer = pcapng.Writer([pcapng.Interface(LinkType.RAW, 65535, f"socket {k}") for k in range(number + 1)])
    data = writer.start() + world.receiver.journal()
    found = list(pcapng.records(data))
    for record, payload in zip(found, (b"", b"a", b"bcd" * 77), strict=True):
        packet = locate(record.data, LinkType.RAW, record.original_length)
        assert bytes(record.data[packet.payload_offset :][: packet.payload_length]) == payload
        assert (packet.destination_port, packet.source_port) == (inner.getsockname()[1], outer.getsockname()[1])
        assert (record.interface, packet.ip_version) == (number, version)
        assert record.ts_ns > 10**18
    assert world.receiver.journal() == b""
    dpkt = pytest.importorskip("dpkt")
    for record in found:
        raw = bytes(record.data)
        again = dpkt.ip.IP(raw) if version == 4 else dpkt.ip6.IP6(raw)
        if version == 4:
            again.sum = 0  # dpkt computes it anew
        else:
            again.data.sum = 0
        assert bytes(again) == raw[: len(bytes(again))] or version == 4


def test_a_journal_that_is_full_says_so(make: Any) -> None:
    world = make(journal=1 << 18)
    for k in range(300):
        world.send(0, bytes(1400))
        if k % 50 == 0:
            world.receive_all()
    world.receive_all()
    size = 0
    while made := world.receiver.journal(1):
        size += len(made)
    lost = world.receiver.statistics().journal_overflow
    assert 0 < lost < 300
    assert size == (300 - lost) * (32 + 28 + 1400)


def test_latency_is_counted_for_what_reached_the_books(make: Any) -> None:
    world, stream = make(), messages(10)
    world.receiver.offer(world.number, SESSION, 1)
    for k in range(5):
        world.send(0, moldudp64.encode(SESSION, 2 * k + 1, stream[2 * k : 2 * k + 2]))
    world.send(0, b"rubbish")
    world.receive_all()
    latency = world.receiver.latencies()
    assert latency.count == 5
    assert latency.percentile(50) > 0
    assert latency.negative == 0
    statistics = world.receiver.statistics()
    assert statistics.turns >= 1
    assert statistics.longest_turn_ns > 0


def test_a_socket_can_be_removed_and_another_added_while_it_runs(make: Any) -> None:
    world = make()
    world.receiver.start()
    world.send(0, b"one")
    world.receive_all()
    world.receiver.remove(0)
    world.receiver.remove(0)
    world.senders[0].send(b"unheard")
    inner = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    inner.bind(("127.0.0.1", 0))
    world.sockets.append(inner)
    assert world.receiver.add(inner) == 2
    world.senders[1].connect(inner.getsockname())
    world.send(1, b"two")
    world.receive_all()
    assert [(packet.socket, packet.payload) for packet in world.receiver.take()] == [(0, b"one"), (2, b"two")]


def test_starting_twice_and_turning_a_running_one_is_misuse(make: Any) -> None:
    world = make()
    world.receiver.start()
    with pytest.raises(MisuseError, match="runs"):
        world.receiver.start()
    with pytest.raises(MisuseError, match="thread does this"):
        world.receiver.turn()
    world.receiver.stop()
    world.receiver.stop()
    world.receiver.turn()
    world.receiver.start()


def test_a_processor_that_is_not_there_is_an_error_at_the_start(make: Any) -> None:
    world = make(cpu=1023)
    with pytest.raises(OSError):
        world.receiver.start()
    assert not world.receiver.running
    world.receiver.turn()


def test_what_cannot_be_is_refused(make: Any) -> None:
    world = make()
    with pytest.raises(ValueError, match="books"):
        world.receiver.add(world.sockets[0], channel=world.number, line=0)
    with pytest.raises(ValueError, match="16"):
        world.receiver.add(world.sockets[0], channel=world.number, line=16, books=world.books)
    with pytest.raises(ValueError, match="channel"):
        world.receiver.add(world.sockets[0], channel=7, books=world.books)
    with pytest.raises(ValueError, match="sources"):
        world.receiver.add(world.sockets[0], sources=[b"1"])
    another = world.path.add_channel(world.books)
    with pytest.raises(ValueError, match="one owner"):
        world.receiver.add(world.sockets[0], channel=another, books=world.books)
    for call in (world.receiver.owner, world.receiver.recall, world.receiver.progress):
        with pytest.raises(ValueError, match="no channel 9"):
            call(9)
    with pytest.raises(ValueError, match="no socket 9"):
        world.receiver.remove(9)


def test_changes_of_plain_python_come_before_later_ones_of_the_receiver(make: Any) -> None:
    world, stream = make(), messages(4)
    world.receiver.start()
    rows = np.zeros(3000, CHANGE)
    rows["sequence"] = np.arange(3000)
    world.receiver.publish(rows)
    world.receiver.offer(world.number, SESSION, 1)
    world.send(0, moldudp64.encode(SESSION, 1, stream))
    world.receive_all()
    world.receiver.stop()
    found = world.reader.read()
    assert found[:3000].tolist() == rows.tolist()
    assert set(found["channel"][3000:].tolist()) == {3}
    assert len(found) > 3000
