"""The live view of an engine: chain, Greeks, inventory, money, risk, order sessions, lines, stages, and what happened.

It fits 80x24 and uses what more there is: rows of the chain first, then tables beside each other, then more of the log.
Where there is no terminal, it is a line a second. It only shows: nothing is decided here, and a picture that cannot be
had is left out, not waited for.
"""

import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.live import Live as Screen
from rich.text import Text

from netfeed.app.tables import console
from netfeed.app.trading.chain_screen import chain_lines, hedge_lines
from netfeed.app.trading.desk_screen import (
    count_text,
    greek_line,
    greek_lines,
    inventory_lines,
    limit_lines,
    money_text,
    route_line,
    state_text,
)
from netfeed.app.trading.feed_screen import FeedPicture, StagePicture, books_text, feed_line, stage_line, stage_lines
from netfeed.app.trading.screen_words import FAINT, amount_text, signed, total, words
from netfeed.engine.picture import EnginePicture

KEPT: Final = 200
WIDE, TALL = 110, 34
"""From here on tables stand beside each other under the chain."""
_LOGGED: Final = 2
EVERY_NS: Final = 200_000_000
"""Drawing takes the time of whoever trades: no oftener than people see."""
PLAIN_NS: Final = 1_000_000_000
_ALARMS: Final = ("LOST", "KILLED", "is down", "refused", "silent", "UNCERTAIN", "SUSPECT", "missing")


@dataclass(frozen=True, slots=True)
class Shown:
    """All that one frame shows. Units: ns."""

    title: str
    elapsed_ns: int
    engine: EnginePicture
    feed: FeedPicture
    stages: Sequence[StagePicture] = ()


class EngineView:
    """A screen, or lines where there is none. `look` gives what to show; `draw` it now and then, `log` lines."""

    def __init__(self, look: Callable[[], Shown], *, on: Console | None = None, plain: bool | None = None) -> None:
        self._look = look
        self._console = on or console()
        self.is_plain = not self._console.is_terminal if plain is None else plain
        self._log: deque[str] = deque(maxlen=KEPT)
        self._told_ns = -PLAIN_NS
        self._drawn = 0
        self._screen = Screen(console=self._console, auto_refresh=False, screen=True)

    def start(self) -> None:
        """Take the terminal."""
        if not self.is_plain:
            self._screen.start()

    def stop(self) -> None:
        """Give the terminal back."""
        if not self.is_plain:
            self._screen.stop()

    def log(self, line: str) -> None:
        """Show a line among the newest; without a screen, print it."""
        self._log.append(line)
        if self.is_plain:
            print(words(line).plain, file=sys.stderr, flush=True)

    def draw(self) -> None:
        """Draw what is now; a call too soon does nothing."""
        now = time.monotonic_ns()
        if now < self._drawn + EVERY_NS:
            return
        self._drawn, shown = now, self._look()
        if not self.is_plain:
            size = self._console.size
            self._screen.update(self.frame(shown, size.width, size.height), refresh=True)
        elif shown.elapsed_ns >= self._told_ns + PLAIN_NS:
            self._told_ns = shown.elapsed_ns
            print(plain_line(shown), file=sys.stderr, flush=True)

    def frame(self, shown: Shown, width: int, height: int) -> Text:
        """Lay out one frame of so many columns and rows."""
        lines = layout(shown, list(self._log), width, height)
        for line in lines:
            line.truncate(width, overflow="ellipsis")
        return Text("\n").join(lines[:height])


def layout(shown: Shown, log: Sequence[str], width: int, height: int) -> list[Text]:
    """Give the lines of a frame, `height` of them at most."""
    engine = shown.engine
    roomy = width >= WIDE and height >= TALL
    counted = [money_text(engine), count_text(engine)] if roomy else [_counted(engine)]
    head = [_head(shown), *counted, *hedge_lines(engine, width)[:3]]
    below = (
        _tables(shown, width, height // 3)
        if roomy
        else [greek_line(engine), *limit_lines(engine, width, 1 if height < TALL else 3)]
    )
    below += [route_line(engine.routes), feed_line(shown.feed)]
    below += [] if roomy else [stage_line(shown.stages)]
    room = height - len(head) - len(below) - _LOGGED
    lines = [*head, *chain_lines(engine, width, max(room, 3)), *below]
    return [*lines, *_logged(log, height - len(lines))]


def _head(shown: Shown) -> Text:
    line = Text.assemble((f"{shown.title}  ", "bold"), state_text(shown.engine))
    line.append(f"  {shown.elapsed_ns // 10**9 // 60}:{shown.elapsed_ns // 10**9 % 60:02}  ")
    return line.append_text(books_text(shown.feed))


def _counted(engine: EnginePicture) -> Text:
    return Text.assemble(money_text(engine, parts=False), "  ", count_text(engine))


def _tables(shown: Shown, width: int, room: int) -> list[Text]:
    """Put Greeks and latencies left, inventory and limits right of them."""
    engine, half = shown.engine, width // 2 - 1
    hedge = Text.assemble(("hedge ", FAINT), words(engine.hedge or "-"))
    left = [*greek_lines(engine), hedge, *stage_lines(shown.stages)]
    limits = limit_lines(engine, half, 4)
    right = [*limits, *inventory_lines(engine, max(2, min(room, len(left)) - len(limits)))]
    rows = max(len(left), len(right))
    pairs = zip(_padded(left, rows), _padded(right, rows), strict=True)
    return [_beside(one, other, half) for one, other in pairs]


def _padded(lines: list[Text], rows: int) -> list[Text]:
    return lines + [Text("")] * (rows - len(lines))


def _beside(one: Text, other: Text, half: int) -> Text:
    left = one.copy()
    left.truncate(half, pad=True)
    return Text.assemble(left, "  ", other)


def _logged(log: Sequence[str], room: int) -> list[Text]:
    """Give the newest lines; what went wrong in them is seen."""
    return [words(line, _style(line)) for line in log[-room:]] if room > 0 else []


def _style(line: str) -> str:
    if "on purpose" in line:
        return "bold magenta"
    return "bold red" if any(alarm in line for alarm in _ALARMS) else ""


def plain_line(shown: Shown) -> str:
    """Say in a line what a screen would show."""
    engine, feed = shown.engine, shown.feed
    books = ", ".join(f"{count} {state}" for state, count in feed.books.items() if count) or "none"
    money = " ".join(f"{amount_text(total(one), one.exponent)} {one.currency}" for one in engine.money) or "0"
    down = "".join(f"; {one.name} DOWN" for one in engine.routes if not one.is_up)
    silent = "".join(f"; line {one.name} SILENT" for one in feed.lines if one.is_silent)
    delta = signed(sum(one.delta for one in engine.expiries))
    return (
        f"{shown.elapsed_ns / 1e9:.0f} s {state_text(engine).plain.strip()}; books {books}; gaps {feed.gaps}, "
        f"lost {feed.lost}; orders {engine.orders}, fills {engine.fills}, hedges {engine.hedges}, uncertain "
        f"{engine.uncertain}; delta {delta}; P&L {money}{down}{silent}"
    )
