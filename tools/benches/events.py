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

Array = "np.ndarray[Any, Any]"
Look = Callable[["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"], None]
_FIELDS = tuple(CHANGE.names or ())
_KIND, _BOOK, _SIDE, _PRICE, _QUANTITY = map(_FIELDS.index, ("kind", "book", "side", "price", "quantity"))


def rows(file: Path | None, quick: bool) -> list[Row]:
    changes = made(10_000 if quick else 500_000)
    expected = np.zeros((BOOKS, 2, 2), np.int64)
    one_by_one(changes, expected)
    looks: dict[str, Look] = {"netfeed": in_arrays, "netfeed_list": as_tuples, "netfeed_one": one_by_one}
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


def batches(changes: "np.ndarray[Any, Any]") -> "Iterator[np.ndarray[Any, Any]]":
    return (changes[i : i + BATCH] for i in range(0, len(changes), BATCH))


def in_arrays(batch: "np.ndarray[Any, Any]", last: "np.ndarray[Any, Any]") -> None:
    best = batch[batch["kind"] == Kind.BBO]
    book, side = best["book"], best["side"]
    last[book, side, 0] = best["price"]  # of several for one book the last stays
    last[book, side, 1] = best["quantity"]


def as_tuples(batch: "np.ndarray[Any, Any]", last: "np.ndarray[Any, Any]") -> None:
    for change in batch.tolist():
        if change[_KIND] == Kind.BBO:
            last[change[_BOOK], change[_SIDE]] = change[_PRICE], change[_QUANTITY]


def one_by_one(batch: "np.ndarray[Any, Any]", last: "np.ndarray[Any, Any]") -> None:
    for change in batch:
        if change["kind"] == Kind.BBO:
            last[change["book"], change["side"]] = change["price"], change["quantity"]
