"""ITCH books against the truth of a day that another program made, with its own idea of a book.

The generator lies beside a checkout (../shared/tools/gen_itch.py, or where NETFEED_GEN_ITCH says) and writes the file
and its truth: counts, live orders, and a digest over all levels that does not depend on their order.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from netfeed.book.level import Side
from netfeed.venues.itch import END, FULL, ItchBooks
from tests.book.order_books import needs_core

try:
    from netfeed._core.itch import ItchBooks as Core
except ImportError:
    Core = None  # type: ignore[assignment,misc]

GENERATOR = Path(
    os.environ.get("NETFEED_GEN_ITCH", Path(__file__).resolve().parents[3] / "shared" / "tools" / "gen_itch.py")
)
MASK = 2**64 - 1

Day = tuple[bytes, dict[str, Any]]


DAYS = {"small": (30_000, 50), "200 symbols": (200_000, 200), "3000 symbols": (200_000, 3000)}
CASES = [
    pytest.param("small", ItchBooks, id="small-twin"),
    pytest.param("200 symbols", ItchBooks, id="200 symbols-twin", marks=pytest.mark.slow),
    *(pytest.param(name, Core, id=f"{name}-core", marks=needs_core) for name in DAYS),
]


@pytest.fixture
def day(request: pytest.FixtureRequest, tmp_path: Path) -> Day:
    if not GENERATOR.exists():
        pytest.skip(f"the independent generator is not at {GENERATOR} (set NETFEED_GEN_ITCH)")
    if not shutil.which(os.environ.get("CC", "cc")):
        pytest.skip("the independent generator needs a C compiler")
    messages, symbols = DAYS[request.param]
    path = tmp_path / "day.itch"
    options = ["-n", str(messages), "-s", str(symbols), "-l", str(messages // 10), "--seed", "1"]
    subprocess.run([sys.executable, str(GENERATOR), str(path), *options], check=True, capture_output=True)
    return path.read_bytes(), json.loads(path.with_name("day.itch.json").read_text())


@pytest.mark.parametrize(("day", "kind"), CASES, indirect=["day"])
def test_the_books_are_those_of_an_independent_generator(day: Day, kind: type[ItchBooks]) -> None:
    data, truth = day
    feed = kind()
    assert run(feed, data) == truth["messages"] == sum(feed.by_type.values())
    assert feed.by_type == truth["counts"]
    assert len(feed.books) == truth["symbols"]
    statistics = feed.books.statistics()
    assert (statistics.orders, statistics.max_orders) == (truth["live_orders"], truth["max_live_orders"])
    assert statistics.refused == {}
    levels, shares, digest, best = content(feed)
    assert (levels, shares) == (truth["levels"], truth["shares"])
    assert best == [truth["sum_best_bid"], truth["sum_best_ask"]]
    assert f"{digest:016x}" == truth["l2_digest"]


def run(feed: ItchBooks, data: bytes) -> int:
    """Run to the end and give the number of messages."""
    offset, sequence, how = 0, 0, FULL
    while how == FULL:
        offset, sequence, how = feed.run(data, offset, sequence)
        feed.books.take()
    assert (offset, how) == (len(data), END)
    return sequence


def content(feed: ItchBooks) -> tuple[int, int, int, list[int]]:
    """Count the levels, add up the shares, digest both, and add up the best prices of each side."""
    levels = shares = digest = 0
    best = [0, 0]
    for book in range(len(feed.books)):
        locate = book + 1  # the generator deals them from 1 and names them in that order
        for side in Side:
            rows = feed.books.depth(book, side, 10**6)
            best[side] += rows[0].price if rows else 0
            levels += len(rows)
            shares += sum(row.quantity for row in rows)
            digest += sum(digest_of(locate, row.price, side, row.quantity) for row in rows)
    return levels, shares, digest & MASK, best


def digest_of(locate: int, price: int, side: int, quantity: int) -> int:
    """Mix one level to 64 bits, in the manner of the generator."""
    mixed = locate << 40 ^ price << 1 ^ side
    mixed = (mixed ^ mixed >> 31) * 0x9E3779B97F4A7C15 & MASK
    mixed ^= quantity * 0xD6E8FEB86659FD93 & MASK
    mixed = (mixed ^ mixed >> 29) * 0xBF58476D1CE4E5B9 & MASK
    return mixed ^ mixed >> 32
