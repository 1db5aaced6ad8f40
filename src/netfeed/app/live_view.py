"""The live view: channels with their lines side by side, the busiest books, the newest gaps; ten frames a second."""

from collections import deque
from typing import Final

from rich.console import Group
from rich.live import Live as Screen
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from netfeed.app.account import account
from netfeed.app.changes import Rows
from netfeed.app.live import Live
from netfeed.app.report import book_json
from netfeed.app.tables import console, printable, state_text
from netfeed.book.change import Kind
from netfeed.units import duration_text

ROWS: Final = 12
LOGGED: Final = 8
FADE: Final = 0.9
_NOBODY: Final = {
    "port": -1, "endpoint": "no connection", "line": "", "messages": 0, "topics": {}, "silent": False, "ready": False,
}  # fmt: skip


class LiveView:
    """A screen; `draw` it now and then, `log` lines into it."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._log: deque[str] = deque(maxlen=LOGGED)
        self._activity: dict[int, float] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self._drawn = live.now
        self._screen = Screen(console=console(), auto_refresh=False, transient=True)
        live.changes.consumers.append(self)

    def start(self) -> None:
        """Take the terminal."""
        self._screen.start()

    def stop(self) -> None:
        """Give the terminal back."""
        self._screen.stop()

    def log(self, line: str) -> None:
        """Show a line among the newest."""
        self._log.append(line)

    def take(self, rows: Rows) -> None:
        """Note which books changed."""
        for number in rows["book"][rows["kind"] == Kind.BBO].tolist():
            self._activity[number] = self._activity.get(number, 0.0) + 1.0

    def draw(self) -> None:
        """Draw what is now."""
        with self._live.held():
            layout = self.layout()
        self._screen.update(layout, refresh=True)
        self._activity = {number: score * FADE for number, score in self._activity.items() if score > 0.01}

    def layout(self) -> Group:
        """Lay out the screen."""
        told = account(self._live)
        span_ns = max(self._live.now - self._drawn, 1)
        self._drawn = self._live.now
        log = Text("\n".join(printable(line) for line in self._log))
        states = "  ".join(f"{state} {count}" for state, count in told["books"].items() if count)
        head = Text(f"{told['name']}  {duration_text(told['elapsed_ns'])}  {states}  lost {told['messages_lost']:,}")
        parts = [self._channels(told, span_ns)] if told["channels"] else []
        parts += [self._venues(told, span_ns)] if told["venues"] else []
        return Group(head, *parts, self._books(), Panel(log, title="log", title_align="left"))

    def _channels(self, told: dict[str, object], span_ns: int) -> Table:
        table = Table(title="Channels", title_justify="left")
        for name in ("channel", "next", "line"):
            table.add_column(name)
        for name in ("packets/s", "packets", "first", "dup", "behind", "silent", "drops", "gaps", "lost"):
            table.add_column(name, justify="right")
        for channel in told["channels"]:  # type: ignore[attr-defined]
            head: list[str | Text] = [
                Text(printable(channel["channel"]), style="red" if channel["silent"] else ""),
                str(channel["next_sequence"]),
            ]
            tail = [f"{channel['gaps']:,}", f"{channel['messages_lost']:,}"]
            for line in channel["lines"]:
                key = channel["channel"], line["line"]
                rate = (line["packets"] - self._counts.get(key, 0)) * 10**9 // span_ns
                self._counts[key] = line["packets"]
                behind = line["behind_ns"]
                late = duration_text(behind["sum"] // behind["count"]) if behind and behind["count"] else ""
                silent = "" if line["silent_ns"] is None else duration_text(line["silent_ns"])
                table.add_row(
                    *head, line["line"], f"{rate:,}", f"{line['packets']:,}", f"{line['first']:,}",
                    f"{line['duplicates']:,}", late, silent, f"{line['kernel_drops']:,}", *tail,
                )  # fmt: skip
                head, tail = [Text(), ""], ["", ""]
        return table

    def _venues(self, told: dict[str, object], span_ns: int) -> Table:
        table = Table(title="Venues", title_justify="left")
        for name in ("venue", "connection", "line"):
            table.add_column(name)
        for name in ("messages/s", "messages", "topics", "lost", "resyncs", "gaps", "open", "clock"):
            table.add_column(name, justify="right")
        for venue in told["venues"]:  # type: ignore[attr-defined]
            offset = "" if venue["offset_ns"] is None else duration_text(venue["offset_ns"])
            head = Text(printable(venue["venue"]), style="" if venue["connections"] else "red")
            tail = [f"{venue[key]:,}" for key in ("disconnected", "resyncs", "gaps_opened", "open_gaps")] + [offset]
            for one in venue["connections"] or [_NOBODY]:
                key = venue["venue"], str(one["port"])
                rate = max(one["messages"] - self._counts.get(key, 0), 0) * 10**9 // span_ns
                self._counts[key] = one["messages"]
                style = "red" if one["silent"] or not one["ready"] else ""
                table.add_row(
                    head, Text(printable(one["endpoint"]), style=style), str(one["line"]), f"{rate:,}",
                    f"{one['messages']:,}", str(one["topics"].get("on", 0)), *tail,
                )  # fmt: skip
                head, tail = Text(), [""] * len(tail)
        return table

    def _books(self) -> Table:
        table = Table(title="Busiest books", title_justify="left")
        for name in ("instrument", "state", "quantity", "bid", "ask", "quantity"):
            table.add_column(name, justify="right" if name in ("quantity", "bid") else "left", min_width=9)
        books = self._live.catalogue.books
        busiest = sorted(self._activity, key=lambda number: -self._activity[number])[:ROWS]
        for number in sorted((one for one in busiest if one < len(books)), key=lambda one: books[one].name):
            told = book_json(books[number])
            bid, ask = (told[side] or {"price": "", "quantity": ""} for side in ("bid", "ask"))
            table.add_row(
                Text(printable(told["instrument"])), state_text(told["state"]), bid["quantity"],
                Text(bid["price"], style="green"), Text(ask["price"], style="red"), ask["quantity"],
            )  # fmt: skip
        return table
