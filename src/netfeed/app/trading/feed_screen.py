"""What an engine hears and how fast it answers: multicast lines side by side, gaps, the stages from tick to trade."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from rich.text import Text

from netfeed.app.account import RECOVERIES, account
from netfeed.app.live import Live
from netfeed.app.trading.screen_words import BAD, FAINT, STATE_STYLES, brief
from netfeed.book.state import BookState

_BEHIND_NS: Final = 300_000_000
"""A line that says nothing for so much longer than another one is silent; what lags on this host lags on all."""
_SILENT_NS: Final = 2_000_000_000
"""All of them are, when nobody has said anything for so long."""


@dataclass(frozen=True, slots=True)
class LinePicture:
    """A line of a channel: packets a second, those it brought first; how long it says nothing. Units: ns.

    `is_silent`: it is beyond the others, or all are beyond what a busy host explains.
    """

    name: str
    rate: int
    first: int
    silent_ns: int | None
    is_silent: bool = False


@dataclass(frozen=True, slots=True)
class FeedPicture:
    """What has come in: lines (not those of snapshots), books by state, gaps and by what they were healed."""

    lines: tuple[LinePicture, ...]
    books: Mapping[str, int]
    messages: int
    gaps: int
    recovered: Mapping[str, int]
    lost: int


@dataclass(frozen=True, slots=True)
class StagePicture:
    """How long a stage takes. Units: ns."""

    name: str
    count: int
    p50_ns: int
    p99_ns: int
    max_ns: int


class FeedWatch:
    """Looks at live channels now and then, and knows what each line brought since the last look."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._looked = live.now
        self._counts: dict[str, int] = {}

    def look(self) -> FeedPicture:
        """Give what has come in."""
        told = account(self._live)
        span_ns = max(self._live.now - self._looked, 1)
        self._looked = self._live.now
        lines = tuple(
            self._line(channel, line, span_ns)
            for channel in told["channels"] for line in channel["lines"] if not line["line"].startswith("SNAPSHOT")
        )  # fmt: skip
        lines = silences(lines)
        recovered = {by: told["recovered"][by] for by in RECOVERIES}
        return FeedPicture(lines, told["books"], told["messages"], told["gaps"], recovered, told["messages_lost"])

    def _line(self, channel: Mapping[str, Any], line: Mapping[str, Any], span_ns: int) -> LinePicture:
        key = f"{channel['channel']}/{line['line']}"
        rate = (line["packets"] - self._counts.get(key, 0)) * 10**9 // span_ns
        self._counts[key] = line["packets"]
        return LinePicture(line["line"], rate, line["first"], line["silent_ns"])


def silences(lines: Sequence[LinePicture]) -> tuple[LinePicture, ...]:
    """Judge which lines are silent, by each other."""
    least = min((one.silent_ns for one in lines if one.silent_ns is not None), default=0)
    return tuple(
        replace(one, is_silent=one.silent_ns is None or one.silent_ns - least > _BEHIND_NS or least > _SILENT_NS)
        for one in lines
    )


def books_text(feed: FeedPicture) -> Text:
    """Count books by state; a book that cannot be believed stands out."""
    parts = [
        Text(f" {count} {state.name} ", STATE_STYLES[state])
        for state in BookState
        if (count := feed.books.get(state.name, 0))
    ]
    return Text("").join(parts)


def feed_line(feed: FeedPicture) -> Text:
    """Draw the lines side by side, and what was missing."""
    line = Text.assemble(("lines", FAINT))
    for one in feed.lines:
        line.append("  ").append(f" {one.name} ", BAD if one.is_silent else "black on green")
        silent = "never heard" if one.silent_ns is None else f"SILENT {brief(one.silent_ns)}"
        line.append(f" {silent}" if one.is_silent else f" {one.rate:,}/s, {one.first:,} first")
    healed = ", ".join(f"{count} by {by}" for by, count in feed.recovered.items() if count)
    line.append(f"  gaps {feed.gaps:,}" + (f": {healed}" if healed else ""), "yellow" if feed.gaps else "")
    return line.append(f"  LOST {feed.lost:,}", BAD) if feed.lost else line


def stage_line(stages: Sequence[StagePicture]) -> Text:
    """Draw how long each stage takes, in a line: median and 99 of 100."""
    line = Text.assemble(("p50/p99", FAINT))
    for one in stages:
        line.append(f" {one.name.rpartition('>')[2]} ", FAINT)
        line.append(f"{brief(one.p50_ns)}/{brief(one.p99_ns)}" if one.count else "-", "bold")
    return line


def stage_lines(stages: Sequence[StagePicture]) -> list[Text]:
    """Draw how long each stage takes, as a table."""
    lines = [Text(f"{'Latency':<18}{'p50':>9}{'p99':>9}{'max':>9}{'count':>9}", style="underline")]
    for one in stages:
        times = [brief(time) if one.count else "-" for time in (one.p50_ns, one.p99_ns, one.max_ns)]
        lines.append(Text(f"{one.name:<18.18}" + "".join(f"{time:>9}" for time in times) + f"{one.count:>9,}"))
    return lines
