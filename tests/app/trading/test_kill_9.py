"""kill -9 at any moment: after the restart no order is lost, none is doubled, and positions are those of the ledger."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netfeed.app.trading.journal_files import ordinals_of, segment
from netfeed.book.execution import Filled, New, TimeInForce
from netfeed.book.level import Side
from netfeed.engine.client_ids import run_of
from netfeed.engine.journal import Decided, read
from netfeed.sim.exchange_check import check
from netfeed.sim.exchange_log import audit
from tests.app.trading.order_child import PATIENCE_S
from tests.app.trading.order_sockets import WS, Exchange
from tests.sim.exchange_room import PERPETUAL

pytestmark = pytest.mark.net
ROOT = Path(__file__).resolve().parents[3]
ROUNDS, MOST_ROUNDS, FILLS = 3, 20, 5
"""Rounds of a day, more where the moments of the kills left few fills."""


class Day:
    """A venue, bob who trades there, and one process after the other that trades against him and is killed."""

    def __init__(self, folder: Path, seed: int, who: str) -> None:
        print("seed", seed)
        self.who = who
        self.draw, self.seed, self.folder = random.Random(seed), seed, str(folder)
        self.venue = Exchange()
        self.mid = self.venue.room.mark // 10**8 // 5 * 5
        self.bobs = 0

    def child(self, what: str) -> "subprocess.Popen[str]":
        ports = [str(self.venue.listeners[place].port) for place in (0, 2)]
        keeps = "yes" if self.draw.random() < 0.7 else "no"
        arguments = [self.folder, str(self.draw.randrange(10**6)), *ports, str(self.mid), keeps, what, self.who]
        paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        return subprocess.Popen(
            [sys.executable, "-m", "tests.app.trading.order_child", *arguments], cwd=ROOT, stdout=subprocess.PIPE,
            text=True, env={**os.environ, "PYTHONPATH": paths},
        )  # fmt: skip

    def bob(self) -> None:
        """Have bob take something, most of the time; his orders never rest."""
        self.bobs += 1
        side = self.draw.choice(list(Side))
        price = (self.mid + 5 * self.draw.randint(-8, 8)) * 10**8
        new = New(self.bobs, PERPETUAL, side, price, self.draw.randint(1, 20), TimeInForce.IOC)
        now = self.venue.loop.clock()
        self.venue.board.route(self.venue.room.exchange.request("bob", new, self.venue.board.wall_ns + now, WS), now)

    def until(self, holds: Any, *, bob: float) -> None:
        end = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end, "it did not come to that"
            self.venue.turn()
            if self.draw.random() < bob:
                self.bob()

    def killed_round(self) -> None:
        """Let a process trade until the venue has had some of its requests, then kill it in the middle of something."""
        wanted = len(self.mine()) + self.draw.randint(3, 60)
        child = self.child("trade")
        try:
            self.until(lambda: len(self.mine()) >= wanted or child.poll() is not None, bob=0.2)
            assert child.poll() is None, child.stdout.read() if child.stdout else ""
            time.sleep(self.draw.random() * 0.004)  # the venue stands still: the process is somewhere in between
        finally:
            child.send_signal(signal.SIGKILL)
            child.communicate()
        turns = iter(range(self.draw.randint(0, 30)))
        self.until(lambda: next(turns, None) is None, bob=0.5)  # what nobody of ours hears

    def settled(self) -> dict[str, Any]:
        child = self.child("settle")
        try:
            self.until(lambda: child.poll() is not None, bob=0.0)
        finally:
            child.kill()
            out = child.communicate()[0]
        told: dict[str, Any] = json.loads(out)
        return told

    def mine(self) -> list[int]:
        """List the client ids of all new orders that the venue has had of us, each as often as it had it."""
        return [one.what.client_id for one in self.venue.room.exchange.log.steps if _is_new(one)]

    def decided(self) -> list[int]:
        """List the client ids of all new orders that the journal has."""
        found, number = [], 0
        for ordinal in ordinals_of(self.folder, ".orders"):
            records, _ = read(Path(segment(self.folder, ordinal)).read_bytes().rstrip(b"\0"), number)
            number += len(records)
            found += [
                one.request.client_id for one in records if isinstance(one, Decided) and isinstance(one.request, New)
            ]
        return found


def fills_of(exchange: Any) -> list[Any]:
    return [one for one in exchange.log.reports("mm") if isinstance(one.report, Filled)]


def _is_new(step: Any) -> bool:
    return step.account == "mm" and isinstance(step.what, New)


SLOW = [(2, "engine")]


@pytest.fixture(params=[
    (1, "plain"), (1, "engine"), *(pytest.param(one, marks=pytest.mark.slow) for one in SLOW),
], ids=lambda one: f"{one[1]}-{one[0]}")  # fmt: skip
def day(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Day]:
    made = Day(tmp_path / "orders", *request.param)
    yield made
    made.venue.close()


def test_nothing_is_lost_or_doubled_and_positions_are_the_ledgers(day: Day) -> None:
    exchange, rounds = day.venue.room.exchange, 0
    while rounds < ROUNDS or (len(fills_of(exchange)) <= FILLS and rounds < MOST_ROUNDS):
        day.killed_round()
        rounds += 1
    told = day.settled()
    theirs = exchange.listed("mm").orders
    assert told["found"] == []
    assert told["position"] == exchange.trading.position("mm", PERPETUAL)
    assert told["orders"] == sorted([one.client_id, one.filled, one.quantity] for one in theirs)
    assert set(Counter(day.mine()).values()) == {1}
    decided = Counter(day.decided())
    assert set(decided.values()) == {1}
    assert set(day.mine()) <= set(decided)
    assert len({run_of(one) for one in decided}) == rounds
    print(len(day.mine()), "orders", len(fills_of(exchange)), "fills", told)
    assert len(fills_of(exchange)) > FILLS
    assert audit(exchange.log.steps) == []
    assert check(exchange.trading) == []
