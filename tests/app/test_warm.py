"""Memory that is bounded is there from the start: what fills later adds no page. Each in a process of its own."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.book.order_books import needs_core

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists() or "ASAN_OPTIONS" in os.environ,
    reason="reads what Linux tells of a process, which a sanitizer makes another one",
)
ROOM = 1_500
"""What may come on top of it: interpreters and allocators have their own. Units: KiB."""


def grown(before: str, after: str) -> int:
    """Run two pieces of a program; give by how much the process grew in the second one. Units: KiB."""
    program = f"""
def anon():
    with open("/proc/self/status") as told:
        return int(next(line for line in told if line.startswith("RssAnon")).split()[1])
{textwrap.dedent(before)}
base = anon()
{textwrap.dedent(after)}
print(anon() - base)
"""
    env = os.environ | {"NETFEED_PURE": ""}
    told = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60, env=env
    )
    return int(told.stdout)


FILL = "filled = [(k, k + 10**6, k + 10**9) for k in range(40_000)]"


def test_small_objects_find_the_memory_that_was_reserved_for_them() -> None:
    ready = "from netfeed.app.warm import reserve\nkept = reserve(12 << 20)"
    assert grown("", FILL) > 4_000
    assert grown(ready, FILL) < ROOM


BOOKS = """
from netfeed._core.itch import ItchBooks
books = ItchBooks().books
book = books.add_book(2)
for k in range(1000):
    books.add(book, k, 0, 100, 1)
books.take()
"""
FILLED = """
for k in range(0, 262144, 64):
    books.add(book, 10**6 + k, 0, 100, 1)
books.take()
"""


@needs_core
@pytest.mark.parametrize("after", ["", "books.clear_all()"])
def test_the_table_of_orders_is_there_once_it_is_warm_and_stays_so_when_it_is_emptied(after: str) -> None:
    assert grown(BOOKS, FILLED) > 2 * ROOM
    assert grown(BOOKS + "books.warm()\n" + after, FILLED) < ROOM


@needs_core
def test_the_queue_of_the_receiving_thread_is_touched_when_the_thread_starts() -> None:
    made = """
from netfeed.feed import Path
from netfeed.transport import Receiver
one = Receiver(Path(), None, queue=1 << 25)
"""
    assert (1 << 15) <= grown(made, "one.start()\none.close()") < (1 << 15) + 2 * ROOM
