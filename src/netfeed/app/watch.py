"""Books while they change: a table on a terminal, lines elsewhere.

On a terminal a short capture would be over before anybody saw it, so that without `speed` a file is spread over
SHOW_S seconds by its bytes. Elsewhere nothing waits, and what is printed is bounded: at most MOST_A_BUCKET books for
each BUCKET_NS of capture time, and MAX_LINES in all.
"""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

from rich.live import Live
from rich.table import Table
from rich.text import Text

from netfeed.app.changes import Book, Rows
from netfeed.app.clock import time_text
from netfeed.app.inputs import Inputs
from netfeed.app.pace import Pace, sleep_until
from netfeed.app.replay import Replay
from netfeed.app.report import book_json
from netfeed.app.tables import console, printable, state_text
from netfeed.book.change import NO_PRICE, NO_TIME, Kind
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.units import decimal_text

SHOW_S: Final = 12.0
FRAME_S: Final = 0.1
ROWS: Final = 16
FADE: Final = 0.9
"""What a book's activity keeps from frame to frame."""
BUCKET_NS: Final = 100_000_000
MOST_A_BUCKET: Final = 4
MAX_LINES: Final = 200
_BATCH_PACKETS: Final = 32
_BATCH_BYTES: Final = 4096

_Best = list[tuple[int, int]]


class LiveView:
    """A table of the busiest books, drawn anew ten times a second."""

    def __init__(self, replay: Replay, pace: Pace | None, spread: bool, stop: Callable[[], bool]) -> None:
        self._replay = replay
        self._pace = pace
        self._spread = spread
        self._stop = stop
        self._began = self._drawn = time.monotonic()
        self._activity: dict[int, float] = {}
        self._trades: dict[int, str] = {}
        self._live = Live(console=console(), auto_refresh=False, transient=True)
        replay.changes.consumers.append(self)
        replay.after.append(self._step)
        if pace is not None or spread:
            replay.batch_packets, replay.batch_bytes, replay.paced = _BATCH_PACKETS, _BATCH_BYTES, True

    def __enter__(self) -> "LiveView":
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def take(self, rows: Rows) -> None:
        """Note which books changed, and what was traded."""
        books = self._replay.catalogue.books
        for row in rows[(rows["kind"] == Kind.BBO) | (rows["kind"] == Kind.TRADE)].tolist():
            number, kind = row[6], row[8]
            self._activity[number] = self._activity.get(number, 0.0) + 1.0
            if kind == Kind.TRADE:
                price, quantity = books[number].exponents
                self._trades[number] = f"{decimal_text(row[4], quantity)} @ {decimal_text(row[3], price)}"

    def table(self) -> Table:
        """Lay out what is busiest now."""
        replay = self._replay
        states = [BookState(book.view.state).name for book in replay.catalogue.chosen()]
        counts = "  ".join(f"{state} {states.count(state)}" for state in dict.fromkeys(states))
        lost = sum(lane.statistics().lost_messages for lane in replay.lanes)
        title = f"{time_text(replay.now_ns)}  {replay.tally.packets:,} packets  lost {lost:,}  {counts}"
        table = Table(title=title, title_justify="left", expand=False)
        for name in ("instrument", "state", "quantity", "bid", "ask", "quantity", "last trade"):
            table.add_column(name, justify="right" if name in ("quantity", "bid") else "left", min_width=9)
        busiest = sorted(self._activity, key=lambda number: -self._activity[number])[:ROWS]
        for number in sorted(busiest, key=lambda number: replay.catalogue.books[number].name):
            table.add_row(*self._row(replay.catalogue.books[number], self._trades.get(number, "")))
        return table

    def _row(self, book: Book, trade: str) -> list[str | Text]:
        described = book_json(book)
        bid, ask = (described[side] or {"price": "", "quantity": ""} for side in ("bid", "ask"))
        return [
            Text(printable(described["instrument"])), state_text(described["state"]), bid["quantity"],
            Text(bid["price"], style="green"), Text(ask["price"], style="red"), ask["quantity"], trade,
        ]  # fmt: skip

    def _step(self, inputs: Inputs) -> None:
        if self._pace is not None:
            self._pace.wait(self._replay.now_ns)
        elif self._spread and inputs.total:
            sleep_until(self._began + SHOW_S * min(1.0, inputs.position / inputs.total), self._stop)
        now = time.monotonic()
        if now - self._drawn >= FRAME_S:
            self._drawn = now
            self._live.update(self.table(), refresh=True)
            self._activity = {number: score * FADE for number, score in self._activity.items() if score > 1e-3}


class Lines:
    """A line for each book that changed, the busiest of every bucket of time; for what is not a terminal."""

    def __init__(self, replay: Replay, pace: Pace | None) -> None:
        self._replay = replay
        self._pace = pace
        self._best: dict[int, _Best] = {}
        self._changed: dict[int, int] = {}
        self._bucket: int | None = None
        self._printed = 0
        replay.changes.consumers.append(self)
        if pace is not None:
            replay.batch_packets, replay.batch_bytes, replay.paced = _BATCH_PACKETS, _BATCH_BYTES, True
            replay.after.append(lambda inputs: pace.wait(replay.now_ns))

    def __enter__(self) -> "Lines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()

    def take(self, rows: Rows) -> None:
        """Follow the best levels, and print those of a bucket when the next one begins."""
        if self._printed >= MAX_LINES:
            return
        for row in rows[rows["kind"] == Kind.BBO].tolist():
            ts_ns = row[1] if row[2] == NO_TIME else row[2]
            bucket = ts_ns // BUCKET_NS
            if bucket != self._bucket:
                self._flush()
                self._bucket = bucket
            number, side = row[6], row[9]
            if number not in self._best:
                self._best[number] = self._known(number)
            self._best[number][side] = row[3], row[4]
            self._changed[number] = self._changed.get(number, 0) + 1

    def _known(self, number: int) -> _Best:
        """Give what a book held when it was first heard of here: a snapshot may have filled it silently."""
        view = self._replay.catalogue.books[number].view
        return [(NO_PRICE, 0) if level is None else (level.price, level.quantity) for level in (view.bid, view.ask)]

    def _flush(self) -> None:
        busiest = sorted(self._changed, key=lambda number: -self._changed[number])[:MOST_A_BUCKET]
        for number in busiest:
            if self._printed < MAX_LINES:
                print(self._line(number))
            elif self._printed == MAX_LINES:
                print(f"(more changes than {MAX_LINES} lines; --events writes them all)")
            self._printed += 1
        self._changed.clear()

    def _line(self, number: int) -> str:
        book = self._replay.catalogue.books[number]
        when = time_text((self._bucket or 0) * BUCKET_NS, date=False)[:-8]
        bid, ask = (self._side(book, level) for level in (self._best[number][Side.BID], self._best[number][Side.ASK]))
        state = BookState(book.view.state).name
        return f"{when}  {printable(book.name):<26} {state:<8} {bid:>24} | {ask:<24} {self._changed[number]:,} changes"

    def _side(self, book: Book, level: tuple[int, int]) -> str:
        price, quantity = level
        if price == NO_PRICE:
            return "-"
        return f"{decimal_text(quantity, book.exponents[1])} @ {decimal_text(price, book.exponents[0])}"


def watch(replay: Replay, *, speed: float | None, topspeed: bool, stop: Callable[[], bool]) -> Any:
    """Open the view that suits standard output; it is a context manager that the run stands in."""
    pace = Pace(speed, stop) if speed else None
    if sys.stdout.isatty():
        return LiveView(replay, pace, spread=not (speed or topspeed), stop=stop)
    return Lines(replay, pace)
