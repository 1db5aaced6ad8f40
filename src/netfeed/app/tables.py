"""The report of a replay for people: what was read, channels and lines, what was wrong, and the books."""

import sys
from typing import Final, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

import netfeed
from netfeed.app.changes import Book, Changes
from netfeed.app.clock import time_text
from netfeed.app.replay import Replay
from netfeed.app.report import Json, book_json, by_type, channels, gaps, messages, shown_books
from netfeed.feed.arbiter import Behind
from netfeed.units import count_text, duration_text

MAX_BOOKS: Final = 30
MAX_CHANNELS: Final = 40
MAX_ERRORS: Final = 20
WIDTH: Final = 140
"""Columns of a table that goes to a file or a pipe."""
_STATES: Final = {"LIVE": "green", "SUSPECT": "red", "STALE": "red", "SYNCING": "yellow", "EMPTY": "dim"}


def console(file: TextIO | None = None) -> Console:
    """Open a console that has no colours where there is no terminal or NO_COLOR is set."""
    out = file or sys.stdout
    return Console(file=out, width=None if out.isatty() else WIDTH, highlight=False, soft_wrap=False)


def say(out: Console, text: str, style: str = "") -> None:
    """Print one line, as long as it is; what a capture put into it cannot steer a terminal."""
    out.print(Text(printable(text), style=style), soft_wrap=True)


def printable(text: str) -> str:
    """Replace what is not printable by escapes."""
    return text if text.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def print_report(replay: Replay, out: Console, *, depth: int | None, verbose: int = 0) -> None:
    """Print the report."""
    say(out, _headline(replay))
    _print_types(replay, out)
    if replay.lanes:
        out.print(channel_table(channels(replay), replay))
    print_findings(replay, out, everything=verbose > 0)
    _print_books(replay, out, depth, everything=bool(replay.options.instruments) or verbose > 0)


def _headline(replay: Replay) -> str:
    tally, build = replay.tally, "compiled core" if netfeed.BUILD == "compiled" else "pure Python twins"
    count = messages(replay)
    rate = f", {replay.elapsed_ns / count:,.0f} ns a message" if count and not replay.paced else ""
    took = f"in {duration_text(replay.elapsed_ns)}{rate} ({build})"
    span = f"from {time_text(tally.first_ns)} to {time_text(tally.last_ns)}, " if tally.first_ns is not None else ""
    packets = f"{tally.packets:,} packets, " if tally.records else ""
    return f"{packets}{count:,} messages, {_changes(replay.changes)} {span}{took}"


def _changes(changes: Changes) -> str:
    """Count the changes that were asked for, and of how many."""
    return f"{changes.selected:,} of {changes.count:,} changes" if changes.selects else f"{changes.count:,} changes"


def _print_types(replay: Replay, out: Console) -> None:
    counted = by_type(replay)
    if counted:
        say(out, "messages by type: " + ", ".join(f"{kind} {count:,}" for kind, count in counted.items()))
    if replay.changes.refused:
        refused = ", ".join(f"{reason} {count:,}" for reason, count in replay.changes.refused.items())
        say(out, f"messages that made no sense to a book: {refused}")
    tally = replay.tally
    others = [("fragments", tally.fragments), ("not UDP", tally.not_udp), ("cut by the snap length", tally.cut)]
    if any(count for _, count in others):
        say(out, "other records: " + ", ".join(f"{count:,} {name}" for name, count in others if count))
    for file, falls in tally.falls.items():
        say(out, f"{file}: the time of capture fell {falls.count:,} times, by {duration_text(falls.most_ns)} at most")


def channel_table(rows: list[Json], replay: Replay) -> Table:
    """Lay out channels: one row for each line. `behind` is how long after another line's copy its own came: the mean,
    and the most. What one line is behind is what the other one leads by."""
    table = Table(title="Channels", title_justify="left")
    for name in ("channel", "protocol", "sequences", "line"):
        table.add_column(name)
    for name in ("packets", "first", "duplicates", "behind", "gaps", "lost"):
        table.add_column(name, justify="right")
    for row, lane in zip(rows[:MAX_CHANNELS], replay.lanes, strict=False):
        behind = {lane.label(line.port): line.behind for line in lane.statistics().lines}
        lost = sum(gap["last"] - gap["first"] + 1 for gap in row["gaps"] if gap["closed_by"] is None)
        first, after = row["first_sequence"], row["next_sequence"]
        sequences = "none" if first is None else f"{first} to {after - 1}"
        head: list[str | Text] = [Text(printable(row["channel"])), row["protocol"], sequences]
        tail: list[str | Text] = [f"{len(row['gaps']):,}", Text(f"{lost:,}", style="bold red" if lost else "")]
        for line in row["lines"] or [None]:
            table.add_row(*head, *(_line(line, behind[line["line"]]) if line else [""] * 5), *tail)
            head, tail = ["", "", ""], ["", ""]
    if len(rows) > MAX_CHANNELS:
        table.caption = f"and {len(rows) - MAX_CHANNELS:,} more channels (--json lists all)"
    return table


def _line(line: Json, behind: Behind) -> list[str]:
    counts = [f"{line[key]:,}" for key in ("packets", "first", "duplicates")]
    mean, most = duration_text(behind.sum_ns // max(behind.count, 1)), duration_text(behind.max_ns)
    return [line["line"], *counts, f"{mean}, to {most}" if behind.count else ""]


def print_findings(replay: Replay, out: Console, *, everything: bool = False) -> None:
    """Print what was wrong, and where."""
    _print_gaps(replay, out, everything=everything)
    findings = replay.findings
    if not findings.count:
        return
    say(out, count_text(findings.count, "error"), "bold red")
    shown = findings.listed()[: None if everything else MAX_ERRORS]
    for finding in shown:
        at = f" at byte {finding.offset}" if finding.offset is not None else ""
        where = f"{finding.file}{at}: " if finding.file else ""
        say(out, f"  {where}found {finding.found}, wanted {finding.wanted}")
    if findings.count > len(shown):
        say(out, f"  and {findings.count - len(shown):,} more" + ("" if everything else " (-v shows them)"))


def _print_gaps(replay: Replay, out: Console, *, everything: bool) -> None:
    rows = [(lane.name, gap) for lane in replay.lanes for gap in gaps([lane])]
    if rows:
        say(out, count_text(len(rows), "gap"), "bold red")
    shown = rows if everything else rows[:MAX_ERRORS]
    for name, gap in shown:
        how = f"closed by {gap['closed_by']} after" if gap["closed_by"] else "never closed, given up after"
        what = f"sequence {gap['first']} to {gap['last']}, {how} {duration_text(gap['open_ns'])}"
        place = f"{gap['file']} at byte {gap['offset']}, {time_text(gap['ts_ns'])}"
        say(out, f"  {name} {what}: seen in {place}")
    if len(rows) > len(shown):
        say(out, f"  and {len(rows) - len(shown):,} more (-v shows them)")


def _print_books(replay: Replay, out: Console, depth: int | None, *, everything: bool) -> None:
    books = shown_books(replay)
    if not books:
        return
    limit = len(books) if everything else MAX_BOOKS
    chosen = busiest(replay, books)[:limit]
    chosen.sort(key=lambda book: book.name)
    out.print(depth_table(chosen, depth) if depth and depth > 1 else book_table(chosen))
    if len(books) > len(chosen):
        say(out, f"the {len(chosen)} busiest of {len(books):,} books; --instrument names others, --json gives all")


def busiest(replay: Replay, books: list[Book]) -> list[Book]:
    """Sort books by how often they changed, the busiest first."""
    activity = replay.changes.activity
    rank = {
        (id(book.feed), book.number): int(activity[number]) if number < len(activity) else 0
        for number, book in enumerate(replay.catalogue.books)
    }
    return sorted(books, key=lambda book: -rank[id(book.feed), book.number])


def book_table(books: list[Book]) -> Table:
    """Lay out the best levels of books."""
    table = Table(title="Books", title_justify="left")
    table.add_column("instrument")
    table.add_column("state")
    for name in ("orders", "quantity", "bid", "ask", "quantity", "orders"):
        table.add_column(name, justify="left" if name == "ask" else "right")
    for book in books:
        described = book_json(book)
        table.add_row(
            Text(printable(described["instrument"])),
            state_text(described["state"]),
            *_sides(described["bid"], described["ask"]),
        )
    return table


def depth_table(books: list[Book], depth: int) -> Table:
    """Lay out `depth` levels of books."""
    table = Table(title=f"Books, {depth} levels", title_justify="left")
    table.add_column("instrument")
    table.add_column("state")
    for name in ("orders", "quantity", "bid", "ask", "quantity", "orders"):
        table.add_column(name, justify="left" if name == "ask" else "right")
    for book in books:
        described = book_json(book, depth)
        bids, asks = described["bids"], described["asks"]
        head: list[str | Text] = [Text(printable(described["instrument"])), state_text(described["state"])]
        for level in range(max(len(bids), len(asks), 1)):
            bid, ask = (side[level] if level < len(side) else None for side in (bids, asks))
            table.add_row(*head, *_sides(bid, ask))
            head = ["", Text()]
        table.add_section()
    return table


def state_text(state: str) -> Text:
    """Colour a state."""
    return Text(state, style=_STATES.get(state, ""))


def _sides(bid: Json | None, ask: Json | None) -> list[str]:
    left = ["", "", ""] if bid is None else [_orders(bid), bid["quantity"], bid["price"]]
    right = ["", "", ""] if ask is None else [ask["price"], ask["quantity"], _orders(ask)]
    return [*left, *right]


def _orders(level: Json) -> str:
    return "" if level["orders"] is None else str(level["orders"])
