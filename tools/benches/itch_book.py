"""Build every book of a day of TotalView-ITCH 5.0: nanoseconds for each message, from a mapped file.

    netfeed         the compiled books over the whole file, the changes taken a batch at a time
    netfeed:8000    the same over a day of 8,000 symbols, where most of what a message touches is not in the caches
    pure            the plain twin, on the beginning of the day (mostly orders that are added)
    floor:walk      the least that a C loop can do: the length and the type of each message
    floor:decode    ... and all fields of the messages that a book needs, added up
    floor:sketch    the least that books cost: order numbers as indices, one rung for each cent, both fetched ahead, the
                    best levels looked at after each message; in C, for this input only, without netfeed's checks and
                    records of changes; also over the day of 8,000 symbols
    peer:libstdcxx  the builder that everybody writes first, in C++: a hash map of orders and two sorted maps of levels
                    for each symbol, the best prices looked at after each message; with its compiler's version
    peer:flat       the same with an open-addressed table and sorted vectors instead
    peer:meatpy     its message reader and one of its processors for each symbol, given that symbol's messages only; on
                    the beginning of the day

Input: 8 million messages of our own generator (`tools/mkitch.py`), made once per machine, which takes a minute or two
a day. With `--file`: that file. A run is checked against the truth that stands in a .json beside the file; the builder
in C++ must end with as many live orders and levels. The C and C++ programs, `itch_book*`, stand
beside this file and are compiled when the bench runs.
"""

import atexit
import ctypes
import datetime
import json
import mmap
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import mkitch
import numpy as np

from benches import Row, cached, peer, timed
from netfeed.venues.itch import END, FULL
from netfeed.venues.itch import ItchBooks as Twin

NAME = "itch_book"
UNIT = "ns/message"

MESSAGES, QUICK_MESSAGES = 8_000_000, 200_000
SYMBOLS = (200, 8000)
SLICE = 50_000  # messages for the rows that are Python for every message
GENERATOR = 1  # raise it when the generator writes other bytes

HERE = Path(__file__).parent


def rows(file: Path | None, quick: bool) -> list[Row]:
    folder = Path(tempfile.mkdtemp(prefix="netfeed-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    days = [(file, beside(file))] if file else [made(QUICK_MESSAGES if quick else MESSAGES, n) for n in SYMBOLS]
    tails = [f":{n}" if k else "" for k, n in enumerate(SYMBOLS)]
    path = days[0][0]
    small = folder / "slice.itch"
    small.write_bytes(beginning(path, SLICE))
    return [
        *((f"netfeed{tail}", compiled(*day)) for day, tail in zip(days, tails, strict=False)),
        ("pure", plain(small)),
        *floors(folder, days, tails),
        *builders("libstdcxx", "itch_book.cpp", folder, days, tails),
        *builders("flat", "itch_book_flat.cpp", folder, days, tails),
        *meatpy(small),
    ]


# --- input


Truth = dict[str, Any]


def made(messages: int, symbols: int) -> tuple[Path, Truth]:
    """Give a day of our own generator and its truth; both are kept."""
    parameters: dict[str, object] = {"messages": messages, "symbols": symbols, "version": GENERATOR}

    def write(path: Path) -> None:
        if mkitch.main([str(path), "-n", str(messages), "-s", str(symbols)]):
            raise OSError(f"the generator could not write {path}")
        truth = path.with_name(f"{path.name}.json")
        cached("itch_truth.json", parameters, lambda to: os.replace(truth, to))

    def missing(path: Path) -> None:
        raise FileNotFoundError(f"the truth of {day} is gone: delete that file too")

    day = cached("itch_day.itch", parameters, write)
    return day, json.loads(cached("itch_truth.json", parameters, missing).read_text())


def beside(path: Path) -> Truth:
    """Read the truth beside a file, where it stands."""
    found = path.with_name(f"{path.name}.json")
    return dict(json.loads(found.read_text())) if found.exists() else {}


def levels_of(truth: Truth) -> int | None:
    """Count the levels of a truth; ours lists them, the independent generator's counts them."""
    books = truth.get("books")
    if books is None:
        return truth.get("levels")
    return sum(len(book[side]) for book in books.values() for side in ("bids", "asks"))


def beginning(path: Path, messages: int) -> bytes:
    with path.open("rb") as file:
        data = file.read(64 * messages)
    at = 0
    for _ in range(messages):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if end > len(data):
            break
        at = end
    return data[:at]


def mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


# --- ours


def compiled(path: Path, truth: Truth) -> Callable[[], float]:
    import netfeed.book  # noqa: F401  (hands the core its words)
    from netfeed._core.itch import ItchBooks

    def run() -> float:
        feed = ItchBooks()
        taken = timed(lambda: build(feed, mapped(path)))
        check(feed, truth)
        return taken / sum(feed.by_type.values())

    return run


def plain(path: Path) -> Callable[[], float]:
    def run() -> float:
        feed = Twin()
        return timed(lambda: build(feed, mapped(path))) / sum(feed.by_type.values())

    return run


def build(feed: Any, data: mmap.mmap) -> None:
    offset, sequence, how = 0, 1, FULL
    while how == FULL:
        offset, sequence, how = feed.run(data, offset, sequence)
        feed.books.take()
    if (offset, how) != (len(data), END):
        raise ValueError(f"the file stops at byte {offset} of {len(data)}")


def check(feed: Any, truth: Truth) -> None:
    found = feed.books.statistics().orders, sum(feed.books.levels(b, s) for b in range(len(feed.books)) for s in (0, 1))
    wanted = truth.get("live_orders", found[0]), levels_of(truth) or found[1]
    if found != wanted or feed.books.statistics().refused:
        raise ValueError(f"wanted {wanted} live orders and levels, found {found}: {feed.books.statistics()}")


# --- the others


def library(source: str, compiler: str, folder: Path) -> ctypes.CDLL | None:
    """Compile a program that stands beside this file."""
    out = folder / f"{source}.so"
    command = [compiler, "-O3", "-march=native", "-shared", "-fPIC", str(HERE / source), "-o", str(out)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        why = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[0]
        print(f"left out: {source}: {why}", file=sys.stderr)
        return None
    return ctypes.CDLL(str(out))


def called(function: Any, path: Path, check: Callable[[Any], None]) -> Callable[[], float]:
    """Time `uint64 function(data, size, uint64 answers[2])`, which gives the number of messages."""
    function.restype = ctypes.c_uint64
    function.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.POINTER(ctypes.c_uint64)]

    def run() -> float:
        answers, messages = (ctypes.c_uint64 * 2)(), 0

        def work() -> None:
            nonlocal messages
            data = np.frombuffer(mapped(path), "u1")
            messages = function(data.ctypes.data, len(data), answers)

        taken = timed(work)
        check(answers)
        if not messages:
            raise ValueError(f"the builder stopped in {path}")
        return taken / messages

    return run


def checked(truth: Truth) -> Callable[[Any], None]:
    """Make the check of a builder's answers: live orders and levels."""

    def check(answers: Any) -> None:
        wanted = truth.get("live_orders", answers[0]), levels_of(truth) or answers[1]
        if tuple(answers) != wanted:
            raise ValueError(f"wanted {wanted} live orders and levels, found {tuple(answers)}")

    return check


def floors(folder: Path, days: list[tuple[Path, Truth]], tails: list[str]) -> list[Row]:
    found = library("itch_book.c", "gcc", folder)
    if found is None:
        return []
    return [
        *((f"floor:{name}", called(getattr(found, name), days[0][0], lambda _: None)) for name in ("walk", "decode")),
        *(
            (f"floor:sketch{tail}", called(found.sketch, path, checked(truth)))
            for (path, truth), tail in zip(days, tails, strict=False)
        ),
    ]


def builders(name: str, source: str, folder: Path, days: list[tuple[Path, Truth]], tails: list[str]) -> list[Row]:
    found = library(source, "g++", folder)
    if found is None:
        return []
    version = subprocess.run(["g++", "-dumpfullversion"], capture_output=True, text=True, check=True).stdout.strip()

    return [
        (f"peer:{name}-{version}{tail}", called(found.build, path, checked(truth)))
        for (path, truth), tail in zip(days, tails, strict=False)
    ]


def meatpy(path: Path) -> list[Row]:
    row = peer("meatpy")
    if row is None:
        return []
    itch50 = import_module("meatpy.itch50")

    def run() -> float:
        processors: dict[int, Any] = {}
        count = 0

        def work() -> None:
            nonlocal count
            day = datetime.datetime(2026, 1, 5)
            for message in itch50.ITCH50MessageReader().read_file(path):
                count += 1
                locate = message.stock_locate
                if locate:
                    if locate not in processors:
                        processors[locate] = itch50.ITCH50MarketProcessor(message.stock, day)
                    processors[locate].process_message(message)

        return timed(work) / count

    return [(row, run)]
