"""Worlds for tests: sessions to play, the truth about them, and handlers to hold against both."""

from collections import Counter
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple

from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.feed.channel import Channel
from netfeed.feed.delivery import Delivery
from netfeed.feed.framing import FRAMINGS
from netfeed.feed.glimpse import Glimpse
from netfeed.feed.ports import Port
from netfeed.feed.recovery import Pace, Recovery
from netfeed.feed.requests import REQUESTS
from netfeed.feed.splice import Splice
from netfeed.proto import soupbintcp
from netfeed.sim import itch_day, mold_packets, starbase_session
from netfeed.sim.draws import Draws
from netfeed.sim.faults import RATE, Faults
from netfeed.sim.playback import Limits, Playback, Script, mold_script, starbase_script
from netfeed.sim.tap import Sent
from netfeed.sim.world import World
from netfeed.venues.itch import ItchBooks, ItchFeed
from netfeed.venues.starbase import StarbaseFeed
from netfeed.wire import glimpse as glimpse_wire
from netfeed.wire import itch

MS = 1_000_000
S = 1_000_000_000
SESSION = b"S000000001"

Best = tuple[Any, Any]


class Story(NamedTuple):
    """A session to play and what is true in it: the best levels of the book of a name after each message."""

    script: Script
    truth: list[dict[str, Best]]


def bests(feed: Any) -> dict[str, Best]:
    """Give the best levels of every book by its name."""
    return {name: (book.bid, book.ask) for name, book in zip(feed.names, feed.books, strict=True)}


def told(feed: Any, stream: Any) -> list[dict[str, Best]]:
    """Apply a stream without loss, and say what is true after each message; index 0 is before the first."""
    feed.begin(True)
    truth: list[dict[str, Best]] = [{}]
    for sequence, message in enumerate(stream, 1):
        feed.apply(message, sequence, 0, 0)
        feed.take()
        truth.append(bests(feed))
    return truth


@lru_cache
def starbase_story(seed: int, steps: int = 60) -> Story:
    settings = starbase_session.Settings(steps=steps, seed=seed, cycle_ns=400 * MS, mean_gap_ns=4 * MS)
    session = starbase_session.simulate(settings)
    script = starbase_script(
        session.sent, session.stream, session.snapshots, channel=settings.channel_id, cycle_ns=settings.cycle_ns
    )
    return Story(script, told(StarbaseFeed(), session.stream))


@lru_cache
def itch_story(seed: int, messages: int = 400) -> Story:
    day = itch_day.Day(itch_day.Settings(messages=messages, symbols=5, live_orders=80, seed=seed))
    stream = mold_packets.messages(day)
    sent: list[Sent] = mold_packets.packets(
        stream, Draws(seed), session=SESSION, midnight_ns=0, begin_ns=S, mean_gap_ns=2 * MS, pauses={}
    )
    script = mold_script(sent, SESSION)
    return Story(script, told(ItchFeed(), script.stream))


class GlimpseServer:
    """The venue's side of one GLIMPSE connection: a login is answered with the books as they are then."""

    def __init__(self, script: Script, venue: Playback, now: int) -> None:
        self._soup = soupbintcp.Server(now)
        self._script, self._venue = script, venue

    @property
    def deadline(self) -> int:
        return self._soup.deadline

    def receive(self, data: bytes, now: int, port: int = 0) -> list[Any]:
        for event in self._soup.receive(data, now):
            if isinstance(event, soupbintcp.LoginRequested):
                self._soup.accept("GLIMPSE", 1, now)
                following = self._venue.next_sequence
                for message in snapshot(self._script.stream[: following - 1]):
                    self._soup.send(message, now)
                self._soup.send(glimpse_wire.encode_end_of_snapshot(following), now)
        return []

    def wake(self, now: int) -> list[Any]:
        self._soup.wake(now)
        return []

    def end(self, now: int) -> list[Any]:
        return []

    def transmit(self, port: int = 0) -> list[bytes]:
        return self._soup.transmit()


def snapshot(stream: Any) -> list[bytes]:
    """Give messages that build the books of a stream: directory and states, then every order in its queue."""
    books, locates = ItchBooks(), []
    messages = []
    for sequence, message in enumerate(stream, 1):
        books.apply(message, sequence)
        if message[:1] in (b"R", b"H"):
            messages.append(bytes(message))
        if message[:1] == b"R":
            locates.append(int.from_bytes(message[1:3]))
    for book, (locate, name) in enumerate(zip(locates, books.names, strict=True)):
        for side in Side:
            for level in books.books.depth(book, side, 10**6):
                for order in books.books.queue(book, side, level.price):
                    messages.append(
                        itch.encode(
                            "A", stock_locate=locate, tracking_number=0, timestamp=1, stock=name, price=level.price,
                            order_reference_number=order.order_id, shares=order.quantity,
                            buy_sell_indicator="BS"[side],
                        )
                    )  # fmt: skip
    return messages


class Verdict(NamedTuple):
    world: World
    outcome: Any
    wrong: list[str]


def play(
    protocol: str, seed: int, *, loss: float = 0.0, late: bool = False, servers: int = 2, limits: Limits | None = None,
    pace: Pace | None = None, story: Story | None = None, cuts: int = 20, faults: Faults | None = None,
    by_port: dict[int, Faults] | None = None, dark: tuple[int, int] | None = None, **more: Any,
) -> Verdict:  # fmt: skip
    """Play one world. `loss` of packets each way; duplicates, reordering and damage come with it.

    `dark`: for this time both lines are silent.
    """
    random = Random(seed)
    make = {"starbase": starbase_story, "itch": itch_story}[protocol]
    story = story or make(seed % 4)
    ports = [Port.RETRANSMIT, Port.RETRANSMIT_B][:servers]
    venue = Playback(story.script, limits=limits)
    if late:
        venue.wake(story.script.lines[len(story.script.lines) // 3].at)
        for port in venue.ports:
            venue.transmit(port)
    framing = {"starbase": "starbase", "itch": "moldudp64"}[protocol]
    recovery = Recovery(REQUESTS[framing], servers=ports, pace=pace, jitter=random.random) if servers else None
    channel = Channel(
        FRAMINGS[framing], name=protocol, start=None if late else 1, splice=Splice(), recovery=recovery, **more
    )
    feed: Any = StarbaseFeed() if protocol == "starbase" else ItchFeed()
    feed.begin(not late)
    handler = Delivery(channel, feed, heals=protocol == "starbase")
    if faults is None:
        rate = int(loss * RATE)
        faults = Faults(
            loss=rate, duplicate=rate // 3, reorder=rate // 3, reorder_ns=3 * MS, delay_ns=200_000, jitter_ns=300_000,
            corrupt=rate // 10,
        )  # fmt: skip
    wrong: list[str] = []
    done = [0]

    def watch(now: int) -> None:
        feed.take()
        at = max(handler.as_of, 0)
        if channel.in_doubt and any(book.state == BookState.LIVE for book in feed.books):
            wrong.append(f"a book is LIVE while a gap is open, at {now}")
        if at == done[0]:
            return
        done[0] = at
        truth = story.truth[at]
        for name, book in zip(feed.names, feed.books, strict=True):
            if book.state == BookState.LIVE and (book.bid, book.ask) != truth.get(name, (None, None)):
                wrong.append(f"{name} is LIVE and wrong after message {at}")

    glimpse = server = None
    if protocol == "itch":
        glimpse = Glimpse("user", "word", pause_ns=100 * MS, jitter=random.random)

        def server(now: int) -> GlimpseServer:
            return GlimpseServer(story.script, venue, now)

    lines = by_port or dict.fromkeys([0, 1, *([2, 3] if protocol == "starbase" else []), *ports], faults)
    world = World(
        venue, handler, faults=lines, requests=faults, seed=seed, glimpse=glimpse, server=server, cuts=cuts,
        watch=watch,
    )  # fmt: skip
    if dark is not None:
        world.silence((0, 1), *dark)
    outcome = world.run()
    last = story.truth[-1]
    if bests(feed) != last:
        wrong.append("the books are not the venue's")
    return Verdict(world, outcome, wrong)


def by(verdict: Verdict) -> Counter[Any]:
    """Count the gaps of a world by what closed them."""
    return Counter(record.by for record in verdict.world.handler.channel.statistics().gaps)
