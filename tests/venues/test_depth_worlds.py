"""Random worlds for every venue's books: connections skip, repeat, swap and break off. A LIVE book is the truth."""

from collections import deque
from itertools import count
from random import Random
from typing import Any

import pytest

from netfeed.book import LevelBook
from netfeed.book.level import Level
from netfeed.book.state import BookState
from netfeed.feed.dialect import Resync
from netfeed.venues.depth_rules import digits_checksum
from tests.venues.depth_messages import MESSAGES, NAMES, RULES, market, snapshot_body, written

VENUES = sorted(set(MESSAGES) - {"okx_old"})
STEPS = 400
MID = 1_000
Sides = tuple[dict[int, int], dict[int, int]]


def rows(side: dict[int, int]) -> list[tuple[str, str]]:
    return [(f"{price / 100:.2f}", f"{quantity / 1000:.3f}") for price, quantity in side.items()]


def best(sides: Sides, most: int) -> Sides:
    """Give the best levels of both sides, all where `most` is 0."""
    bids, asks = (sorted(side) for side in sides)
    kept = (bids[-most:], asks[:most]) if most else (bids, asks)
    return tuple({price: side[price] for price in prices} for side, prices in zip(sides, kept, strict=True))  # type: ignore[return-value]


class Truth:
    """One instrument at its venue: each step changes some levels, and `past` has the book by its number."""

    def __init__(self, venue: str, random: Random) -> None:
        self.venue, self.random, self.depth = venue, random, RULES[venue].depth
        self.sides: Sides = ({}, {})
        self.number = 1_000
        self.past: dict[int, list[Sides]] = {}
        self.step()

    @property
    def shown(self) -> Sides:
        return best(self.sides, self.depth)

    def step(self) -> tuple[int, int, Sides]:
        """Change some levels; give the numbers before and after, and what a venue says of it."""
        random, before, shown = self.random, self.number, self.shown
        mid = MID + random.randrange(-8, 9)
        for side, sign in zip(self.sides, (-1, 1), strict=True):
            for price in [price for price in side if (price - mid) * sign <= 0]:
                del side[price]
            for _ in range(random.randrange(1, 4)):
                price = mid + sign * random.randrange(1, 20)
                side[price] = random.randrange(1, 10_000)
            for price in random.sample(sorted(side), min(len(side) - 1, random.randrange(3))):
                del side[price]
        self.number += 1 if self.venue == "bybit" else random.randrange(1, 5)
        now = self.shown
        told = tuple(
            {p: q for p, q in new.items() if old.get(p) != q} | {p: 0 for p in old if p not in all_of}
            for old, new, all_of in zip(shown, now, self.sides, strict=True)
        )
        self.past.setdefault(self.number, []).append(now)
        return before, self.number, told  # type: ignore[return-value]

    def checksum(self) -> int:
        book = LevelBook()
        book.replace(*([Level(price, quantity, 0) for price, quantity in side.items()] for side in self.shown))
        return digits_checksum(book)


class Wire:
    """One connection: what is on its way to us, and the faults that befall it."""

    def __init__(self, line: int) -> None:
        self.line, self.up = line, False
        self.counted, self.queue = count(), deque[Any]()


class Life:
    """A venue, its connections, and a market that is told what a session would tell it."""

    def __init__(self, venue: str, seed: int, lines: int, *, plain: bool) -> None:
        self.venue, self.random = venue, Random(f"{venue} {seed} {lines}")
        self.truth = Truth(venue, self.random)
        self.market = market(venue, ["X-1"], plain=plain)
        self.topic = NAMES[venue].format("X-1")
        self.fetches: deque[Any] = deque()
        self.wires = [Wire(line) for line in range(lines)]
        self.live = 0
        self.faults = self.random.choice([0.0, 0.02, 0.1])

    # --- the venue

    def message(self, wire: Wire, kind: str, before: int, after: int, told: Sides) -> bytes:
        shape = {"line": next(wire.counted), "checksum": self.truth.checksum()}
        return written(MESSAGES[self.venue]("X-1", kind, before, after, rows(told[0]), rows(told[1]), **shape))

    def snapshot(self, wire: Wire) -> None:
        if RULES[self.venue].fetch is None:
            number = self.truth.number
            wire.queue.append(self.message(wire, "snapshot", number - 1, number, self.truth.shown))

    def step(self) -> None:
        before, after, told = self.truth.step()
        for wire in self.wires:
            if wire.up:
                self.faulty(wire, self.message(wire, "update", before, after, told), before, after, told)

    def faulty(self, wire: Wire, message: bytes, before: int, after: int, told: Sides) -> None:
        random, queue = self.random, wire.queue
        fault = random.choice(["skip", "copy", "late", "swap", "lie", "torn"]) if random.random() < self.faults else ""
        if fault == "lie":  # a cross that is not true
            message = self.message(wire, "update", before, after, ({MID + 90: 1}, {MID - 90: 1}))
        if fault == "torn":
            message = message[: random.randrange(1, len(message))]
        queue.extend([message] * {"skip": 0, "copy": 2}.get(fault, 1))
        if fault == "swap" and len(queue) > 1 and queue[-2] is not None:
            queue[-1], queue[-2] = queue[-2], queue[-1]
        if fault == "late":
            queue.insert(random.randrange(len(queue)), queue[-1])

    # --- what a session does

    def connect(self, wire: Wire) -> None:
        wire.up, wire.counted = True, count()
        self.market.joined(wire.line, self.topic)
        self.snapshot(wire)

    def lose(self, wire: Wire) -> None:
        wire.up = False
        wire.queue.clear()
        self.market.left(wire.line, [self.topic])

    def deliver(self, wire: Wire, most: int) -> None:
        batch: list[bytes] = []
        while wire.queue and len(batch) < most and wire.queue[0] is not None:
            batch.append(wire.queue.popleft())
        if batch:
            self.market.apply(batch, 1, wire.line)
        elif wire.queue:  # the answer to `unsubscribe`, and then to `subscribe`
            wire.queue.popleft()
            self.market.left(wire.line, [self.topic])
            self.market.joined(wire.line, self.topic)
            self.snapshot(wire)
            wire.queue.rotate(1 if RULES[self.venue].fetch is None and self.venue != "coinbase" else 0)

    def serve(self) -> None:
        for want in self.market.wants():
            if not isinstance(want, Resync):
                state = best(self.truth.sides, 0)
                self.fetches.append(snapshot_body(self.truth.number, rows(state[0]), rows(state[1])))
            elif self.wires[want.line].up:
                self.wires[want.line].queue.append(None)
        if self.fetches and self.random.random() < 0.3:
            body = self.fetches.popleft()
            if self.random.random() < self.faults:
                self.market.failed(self.topic)
            else:
                self.market.fetched(self.topic, body, 1)

    # --- the world

    def turn(self) -> None:
        random = self.random
        if random.random() < 0.5:
            self.step()
        wire = random.choice(self.wires)
        if not wire.up:
            if random.random() < 0.3:
                self.connect(wire)
        elif random.random() < self.faults / 4:
            self.lose(wire)
        else:
            self.deliver(wire, random.randrange(1, 4))
        self.check()
        self.serve()
        self.check()

    def settle(self) -> None:
        """Let everything arrive: no faults any more."""
        self.faults = 0.0
        for _ in range(3 * STEPS):
            if all(wire.up for wire in self.wires) and self.book.state is BookState.LIVE and not self.pending:
                return
            self.turn()

    @property
    def pending(self) -> bool:
        return bool(self.fetches) or any(None in wire.queue for wire in self.wires)

    @property
    def book(self) -> Any:
        return self.market.books[0]

    def check(self) -> None:
        if self.book.state is not BookState.LIVE:
            return
        self.live += 1
        held = tuple({level.price: level.quantity for level in self.book.depth(side, 1000)} for side in (0, 1))
        standing = self.market.standing(self.topic)
        assert standing is not None
        if standing.sequence is not None:
            assert held in self.truth.past[standing.sequence]
        else:
            assert any(held in states for states in self.truth.past.values())


@pytest.mark.parametrize("lines", [1, 2])
@pytest.mark.parametrize("venue", VENUES)
def test_a_book_that_is_live_is_what_the_venue_had(venue: str, lines: int) -> None:
    for seed in range(4):
        life = Life(venue, seed, lines, plain=seed % 2 == 1)
        for _ in range(STEPS):
            life.turn()
        life.settle()
        assert life.book.state is BookState.LIVE
        assert life.live > STEPS // 20


@pytest.mark.parametrize("venue", VENUES)
def test_a_venue_that_counts_anew_while_nobody_listens_is_followed(venue: str) -> None:
    life = Life(venue, 1, 1, plain=False)
    life.faults = 0.0
    for _ in range(STEPS // 2):
        life.turn()
    if life.wires[0].up:
        life.lose(life.wires[0])
    life.fetches.clear()
    life.market.failed(life.topic)
    life.truth.number -= 100_000
    life.settle()
    assert life.book.state is BookState.LIVE
