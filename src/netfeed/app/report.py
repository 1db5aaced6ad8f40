"""The report of a replay and of a verification, as the objects that are written as JSON.

Decimal quantities are strings, exact, as the venue would write them; times and counts are integers; absent is None.
"""

from collections.abc import Iterable
from typing import Any, Final

import netfeed
from netfeed.app.changes import Book
from netfeed.app.findings import Finding
from netfeed.app.lane import Lane
from netfeed.app.replay import Replay
from netfeed.book.level import Level, Side
from netfeed.book.state import BookState
from netfeed.feed.sequencer import GapRecord
from netfeed.units import decimal_text

Json = dict[str, Any]
_SIDES: Final = ((Side.BID, "bid"), (Side.ASK, "ask"))


def replay_report(replay: Replay, *, depth: int | None = None) -> Json:
    """Give the whole report. With `depth` every book has its levels too, as `bids` and `asks`."""
    return {
        "netfeed": netfeed.__version__,
        "build": netfeed.BUILD,
        "files": list(replay.options.files),
        "packets": replay.tally.packets,
        "messages": messages(replay),
        "by_type": by_type(replay),
        "channels": channels(replay),
        "books": [book_json(book, depth) for book in shown_books(replay)],
        "errors": errors(replay.findings.listed()),
        "elapsed_ns": replay.elapsed_ns,
    }


def messages(replay: Replay) -> int:
    """Count the messages that were delivered, each once."""
    total = sum(file.sequence - 1 for file in replay.itch_files)
    for lane in replay.lanes:
        statistics = lane.statistics()
        total += statistics.messages + statistics.snapshot_messages
    return total


def by_type(replay: Replay) -> dict[str, int]:
    """Count messages by the wire's own type, over all feeds."""
    total: dict[str, int] = {}
    for feed in replay.feeds():
        for kind, count in feed.by_type.items():
            total[kind] = total.get(kind, 0) + int(count)
    return dict(sorted(total.items()))


def channels(replay: Replay) -> list[Json]:
    """Describe every channel: its sequence, lines and gaps."""
    return [_channel(lane) for lane in replay.lanes]


def _channel(lane: Lane) -> Json:
    statistics = lane.statistics()
    return {
        "channel": lane.name,
        "protocol": lane.protocol.label,
        "first_sequence": lane.first_sequence,
        "next_sequence": statistics.next_sequence,
        "lines": [
            {"line": name, "packets": line.packets, "first": line.first, "duplicates": line.duplicates}
            for name, line in sorted((lane.label(line.port), line) for line in statistics.lines)
        ],
        "gaps": gaps([lane]),
        "duplicates": statistics.duplicates,
    }


def gaps(lanes: Iterable[Lane]) -> list[Json]:
    """List the gaps of channels, by what each was closed, and where the first packet behind it stands."""
    return [_gap(lane, gap) for lane in lanes for gap in lane.statistics().gaps]


def _gap(lane: Lane, gap: GapRecord) -> Json:
    place = lane.hole(gap.first)
    return {
        "first": gap.first,
        "last": gap.last,
        "closed_by": gap.by,
        "lost": gap.lost,
        "open_ns": gap.closed_at - gap.opened_at,
        "file": place.file if place else None,
        "offset": place.offset if place else None,
        "ts_ns": place.ts_ns if place else None,
    }


def errors(entries: Iterable[Finding]) -> list[Json]:
    """List findings."""
    return [finding._asdict() for finding in entries]


def shown_books(replay: Replay) -> list[Book]:
    """List the books that are asked for, without those that an earlier session of the same feed left empty."""
    newest = {(id(book.feed), book.name): book for book in replay.catalogue.books}
    return [
        book
        for book in replay.catalogue.chosen()
        if newest[id(book.feed), book.name] is book or book.view.state != BookState.EMPTY
    ]


def book_json(book: Book, depth: int | None = None) -> Json:
    """Describe a book by its best levels, or by `depth` of them."""
    view, exponents = book.view, book.exponents
    found: Json = {
        "instrument": book.name,
        "state": BookState(view.state).name,
        "bid": _level(view.bid, exponents),
        "ask": _level(view.ask, exponents),
    }
    if depth is not None:
        for side, name in _SIDES:
            found[f"{name}s"] = [_level(level, exponents) for level in view.depth(side, depth)]
    return found


def _level(level: Level | None, exponents: tuple[int, int]) -> Json | None:
    if level is None:
        return None
    price, quantity = decimal_text(level.price, exponents[0]), decimal_text(level.quantity, exponents[1])
    return {"price": price, "quantity": quantity, "orders": level.orders or None}


def recognised_nothing(replay: Replay) -> bool:
    """Say whether there were packets, and not one of them spoke anything that is known."""
    return bool(replay.tally.records) and not replay.lanes and not replay.itch_files


def is_sound(replay: Replay) -> bool:
    """Say whether there was no gap, however it was closed, and nothing was wrong."""
    return not replay.findings.count and not any(lane.statistics().gaps_opened for lane in replay.lanes)
