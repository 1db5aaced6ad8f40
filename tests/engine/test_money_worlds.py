"""An engine against an exchange, a thousand times, with faults on everything between them: not a cent is lost.

Each world is one seed, and named by it when it fails: `python tests/engine/money_worlds.py --seed N --trace` tells it.
And the judge can fail: each kind of wrong is done to it once.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from netfeed.book.execution import Cancel, CancelAll, Filled, New, Report, Request
from netfeed.book.level import Side
from netfeed.book.state import BookState
from tests.engine.money_feed import Awaited
from tests.engine.money_script import OFTEN, Happening
from tests.engine.money_trader import LIMITS
from tests.engine.money_worlds import World

FEW = range(30)
MANY = [range(first, first + 50) for first in range(30, 1_030, 50)]


def wrongs(seeds: range) -> tuple[dict[int, list[str]], Counter[str]]:
    """Play worlds; give what was wrong in which, and what happened in all of them."""
    wrong, tally = {}, Counter[str]()
    for seed in seeds:
        world = World(seed).run()
        tally += world.tally
        tally["own fills"] += world.judge.counts.fills
        tally["feed faults"] += world.judge.counts.faults
        if world.judge.wrong:
            wrong[seed] = world.judge.wrong
    return wrong, tally


@pytest.mark.parametrize("seed", FEW)
def test_a_world_of_money_comes_out_to_the_last_unit(seed: int) -> None:
    assert World(seed).run().judge.wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("seeds", MANY, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_a_thousand_worlds_of_money_come_out_to_the_last_unit(seeds: range) -> None:
    wrong, tally = wrongs(seeds)
    assert wrong == {}
    assert [what for what, _, often, *_ in OFTEN if often >= 2 and not tally[what]] == []
    assert min(tally[what] for what in ("Filled", "Canceled", "Rejected", "Quoted", "own fills", "feed faults")) > 20


def test_a_seed_is_one_history() -> None:
    told: list[list[str]] = [[], []]
    for said in told:
        World(5, said=said.append).run()
    assert told[0] == told[1] != []


# --- the judge can fail


class Wrong(World):
    """A world with something wrong in it, which nobody waits for to settle."""

    calm_ns = 100_000_000


class Twice(Wrong):
    """A way that sends an order twice."""

    def _make_paths(self, run: int, sides: dict[int, Side]) -> None:
        super()._make_paths(run, sides)
        for path in self.paths[:2]:
            path.send = self._through(path.send)

    def _through(self, send: Callable[[Request], None]) -> Callable[[Request], None]:
        def both(request: Request) -> None:
            send(request)
            if isinstance(request, New):
                send(request)

        return both


class Unasked(Twice):
    """A way that sends an order which nobody has judged."""

    def _through(self, send: Callable[[Request], None]) -> Callable[[Request], None]:
        def another(request: Request) -> None:
            send(replace(request, client_id=request.client_id + 10**6) if isinstance(request, New) else request)

        return another


class Stubborn(Twice):
    """A way that takes no cancels."""

    def _through(self, send: Callable[[Request], None]) -> Callable[[Request], None]:
        def stays(request: Request) -> None:
            if not isinstance(request, Cancel | CancelAll):
                send(request)

        return stays


class Deaf(Wrong):
    """An engine that takes every book for LIVE."""

    def _book(self, instrument: int) -> Awaited:
        assert self.books is not None
        return _Trusting(self.books, instrument)


class _Trusting(Awaited):
    @property
    def state(self) -> BookState:
        return BookState.LIVE


class Forgetful(Wrong):
    """An account that is not told of every third execution."""

    def _hear(self, session: int, report: Report) -> None:
        if not isinstance(report, Filled) or int(report.match_id) % 3:
            super()._hear(session, report)


class Unkillable(Wrong):
    """An engine that is told of no kill."""

    def _kill(self, one: Happening) -> None:
        self.judge.killed(self.now)


def complaints(kind: type[World], seeds: Iterable[int]) -> str:
    return "\n".join(text for seed in seeds for text in kind(seed).run().judge.wrong)


@pytest.mark.parametrize(
    ("kind", "seeds", "words"),
    [
        (Twice, (1,), "was sent twice"),
        (Unasked, (1,), "did not pass risk"),
        (Stubborn, (0, 3), "ns after a feed fault"),
        (Deaf, (7, 16), "ns after a feed fault"),
        (Deaf, (1, 16), "while its book was not LIVE"),
        (Forgetful, (1, 2), "the venue says that we hold"),
        (Unkillable, (9, 12), "ns after the kill"),
    ],
)
def test_the_judge_says_what_is_wrong(kind: type[World], seeds: Iterable[int], words: str) -> None:
    assert words in complaints(kind, seeds)


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ({"position": {None: 3}}, "position of 1022 may come to"),
        ({"order_size": {None: 3}}, "an order of 4 on 1022, 3 are allowed"),
        ({"expiry": 0.5}, "expiry may come to"),
        ({"delta": 0.2}, "delta may come to"),
        ({"gamma": 0.00001}, "gamma may come to"),
        ({"vega": 2_000.0}, "vega may come to"),
        ({"open_orders": 2}, "orders are open"),
        ({"rate": 10, "burst": 1}, "is beyond the pace"),
    ],
)
def test_the_judge_holds_the_account_to_each_limit(limit: dict[str, Any], words: str) -> None:
    """Whoever was given wider limits than the judge has is found out, limit by limit."""

    class Wider(Wrong):
        judged = replace(LIMITS, **limit)

    assert words in complaints(Wider, (9,))
