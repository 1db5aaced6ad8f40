"""Changes handed to Python: how many a quoting program can look at in a second.

    netfeed        an array of CHANGE a batch (256 of them, a view), looked at as arrays
    netfeed_list   the same batches, each change made a plain tuple and looked at in a loop
    netfeed_one    the same batches, each record looked at in a loop
    pure           changes that plain Python appends one at a time (`ChangeLog`) and takes as a batch; not looked at
    floor:views    the batches handed over, and not looked at

To look is to keep the last best price and quantity of each book and side, which is what a quote is made from. Each row
that looks must end with the same prices. The changes are ready in memory: what makes them is measured by the benches of
the books. More is better: a multiple of netfeed below 1 is slower. There is no input file.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benches import Row, timed
from netfeed.book.change import CHANGE, ChangeLog, Kind

NAME = "events"
UNIT = "million changes/s"

BOOKS, BATCH, SEED = 100, 256, 7

Array = np.ndarray[Any, Any]
_FIELDS = tuple(CHANGE.names or ())
_KIND, _BOOK, _SIDE, _PRICE, _QUANTITY = map(_FIELDS.index, ("kind", "book", "side", "price", "quantity"))


def rows(file: Path | None, quick: bool) -> list[Row]:
    changes = made(10_000 if quick else 500_000)
    expected = in_arrays(changes)
    looks = {"netfeed": in_arrays, "netfeed_list": as_tuples, "netfeed_one": one_by_one}
    found: list[Row] = [(row, looked(look, changes, expected)) for row, look in looks.items()]
    return [*found, ("pure", appended(min(len(changes), 50_000))), ("floor:views", handed_over(changes))]


def made(count: int) -> "np.ndarray[Any, Any]":
    """Make changes of which nine in ten are of a best level."""
    random = np.random.default_rng(SEED)
    changes = np.zeros(count, CHANGE)
    changes["kind"] = np.where(random.random(count) < 0.9, Kind.BBO, Kind.TRADE)
    for name, low, high in (("book", 0, BOOKS), ("side", 0, 2), ("price", 1, 10**6), ("quantity", 1, 10**4)):
        changes[name] = random.integers(low, high, count)
    return changes


def batches(changes: Array) -> Iterator[Array]:
    return (changes[i : i + BATCH] for i in range(0, len(changes), BATCH))


# --- ways to look; each gives price and quantity by book and side


def in_arrays(changes: Array) -> Array:
    last = np.zeros((BOOKS, 2, 2), np.int64)
    for batch in batches(changes):
        best = batch[batch["kind"] == Kind.BBO]
        book, side = best["book"], best["side"]
        last[book, side, 0] = best["price"]  # of several for one book the last stays
        last[book, side, 1] = best["quantity"]
    return last


def as_tuples(changes: Array) -> Array:
    last, kind = {}, int(Kind.BBO)
    for batch in batches(changes):
        for change in batch.tolist():
            if change[_KIND] == kind:
                last[change[_BOOK], change[_SIDE]] = change[_PRICE], change[_QUANTITY]
    return as_array(last)


def one_by_one(changes: Array) -> Array:
    last, kind = {}, int(Kind.BBO)
    for batch in batches(changes):
        for change in batch:
            if change["kind"] == kind:
                last[int(change["book"]), int(change["side"])] = int(change["price"]), int(change["quantity"])
    return as_array(last)


def as_array(last: dict[tuple[int, int], tuple[int, int]]) -> Array:
    return np.array([[last.get((book, side), (0, 0)) for side in (0, 1)] for book in range(BOOKS)], np.int64)


# --- rows


def looked(look: Callable[[Array], Array], changes: Array, expected: Array) -> Callable[[], float]:
    def run() -> float:
        found = []
        duration = timed(lambda: found.append(look(changes)))
        if not np.array_equal(found[0], expected):
            raise AssertionError(f"{look.__name__} saw other prices")
        return rate(len(changes), duration)

    return run


def appended(count: int) -> Callable[[], float]:
    log = ChangeLog(BATCH)

    def work() -> None:
        for i in range(count):
            log.append(Kind.BBO, i % BOOKS, sequence=i, price=i, quantity=1, side=0)
            if len(log) == BATCH:
                log.take()

    return lambda: rate(count, timed(work))


def handed_over(changes: Array) -> Callable[[], float]:
    return lambda: rate(len(changes), timed(lambda: sum(1 for _ in batches(changes))))


def rate(count: int, duration_ns: int) -> float:
    return count / duration_ns * 1_000
