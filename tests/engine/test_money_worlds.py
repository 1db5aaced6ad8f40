"""An engine against an exchange, a thousand times, with faults on everything between them: not a cent is lost.

Each world is one seed, and named by it when it fails: `python tests/engine/money_worlds.py --seed N --trace` tells it.
And the judge can fail: each kind of wrong is done to it once.
"""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from netfeed.book.execution import Amend, Filled, MassQuote, New, Report, Request
from netfeed.book.state import BookState
from netfeed.engine.limits import Limits
from tests.engine.money_feed import Awaited
from tests.engine.money_paths import Path
from tests.engine.money_script import OFTEN
from tests.engine.money_worlds import LIMITS, World

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
    missing = [what for what, *_ in OFTEN if not tally[what] and what not in ("forget", "dead_for_long")]
    assert missing == []
    assert min(tally[what] for what in ("Filled", "Canceled", "Rejected", "Quoted", "own fills", "feed faults")) > 50


def test_a_seed_is_one_history() -> None:
    told: list[list[str]] = [[], []]
    for said in told:
        World(5, said=said.append).run()
    assert told[0] == told[1] != []


# --- the judge can fail


class Loose(World):
    """An engine that was given other limits than the judge."""

    limits = replace(
        LIMITS, position={None: 40}, order_size={}, expiry=100.0, delta=100.0, gamma=100.0, vega=1e9, open_orders=100
    )
    size = 30


class Twice(World):
    """A way that sends an order twice."""

    def _make_paths(self, *given: Any) -> None:
        super()._make_paths(*given)
        for path in self.paths[:2]:
            path.send = _twice(path)


def _twice(path: Path) -> Any:
    send = path.send

    def both(request: Request) -> None:
        send(request)
        if isinstance(request, New):
            send(request)

    return both


class Deaf(World):
    """An engine that takes every book for LIVE."""

    def _book(self, instrument: int) -> Any:
        return _Trusting(self.books, instrument)  # type: ignore[arg-type]


class _Trusting(Awaited):
    @property
    def state(self) -> BookState:
        return BookState.LIVE


class Forgetful(World):
    """An account that is not told of each third execution."""

    def _hear(self, session: int, report: Report) -> None:
        if not isinstance(report, Filled) or report.match_id % 3:  # type: ignore[operator]
            super()._hear(session, report)


class Unasked(World):
    """An order that never passed risk."""

    def _make_paths(self, *given: Any) -> None:
        super()._make_paths(*given)
        for path in self.paths[:2]:
            path.send = _larger(path)


def _larger(path: Path) -> Any:
    send = path.send

    def other(request: Request) -> None:
        send(replace(request, client_id=request.client_id + 10**6) if isinstance(request, New) else request)

    return other


def complaints(kind: type[World], seeds: range = range(8)) -> str:
    return "\n".join(text for seed in seeds for text in kind(seed).run().judge.wrong)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Loose, ("position of", "is allowed", "orders are open")),
        (Twice, ("was sent twice",)),
        (Deaf, ("after a feed fault",)),
        (Forgetful, ("the venue says that we hold",)),
        (Unasked, ("did not pass risk",)),
    ],
)
def test_the_judge_says_what_is_wrong(kind: type[World], words: tuple[str, ...]) -> None:
    said = complaints(kind)
    for word in words:
        assert word in said


_Kinds = Amend | MassQuote | Limits
