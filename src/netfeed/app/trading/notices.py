"""What an operator is told of an engine as it happens: states that change, in the words of the screen.

Nothing is said twice: each look is compared with the one before. Sessions and gaps tell of themselves elsewhere.
"""

from collections.abc import Callable, Iterator
from typing import Final

from netfeed.app.trading.engine_view import Shown
from netfeed.book.state import BookState

HEDGES_NS: Final = 3_000_000_000
"""Hedges are told this often: they would drown what is rarer."""


def _silent(shown: Shown) -> str:
    return ", ".join(line.name for line in shown.feed.lines if line.is_silent)


def _doubted(shown: Shown) -> int:
    bad = (BookState.SUSPECT, BookState.STALE)
    return sum(one.state in bad for one in shown.engine.instruments)


def _quoted(shown: Shown) -> int:
    return sum(one.our_bid is not None or one.our_ask is not None for one in shown.engine.instruments)


_LOOKED_AT: Final[tuple[tuple[str, Callable[[Shown], object], Callable[[Shown], str], str], ...]] = (
    # what, what of a look is compared, what is said when there is some of it, and when there is none any more
    ("lines", _silent, lambda shown: f"line {_silent(shown)} is silent", "all lines are heard"),
    ("books", _doubted, lambda shown: f"{_doubted(shown)} books are SUSPECT: what rests there is pulled",
     "all books are LIVE again"),
    ("uncertain", lambda shown: shown.engine.uncertain,
     lambda shown: f"{shown.engine.uncertain} orders are UNCERTAIN: the venue is asked",
     "every order is certain again"),
    ("killed", lambda shown: shown.engine.killed, lambda shown: f"KILLED: {shown.engine.killed}", "armed again"),
    ("ready", lambda shown: shown.engine.ready, lambda shown: f"no quotes: {shown.engine.ready}", "it may quote"),
)  # fmt: skip


class Notices:
    """Compares looks."""

    def __init__(self) -> None:
        self._before: dict[str, object] = {}
        self._hedges = self._quoted = self._hedged_ns = 0

    def look(self, shown: Shown) -> list[str]:
        """Say what has changed since the last look."""
        return list(self._said(shown))

    def _said(self, shown: Shown) -> Iterator[str]:
        for name, of, words, over in _LOOKED_AT:
            now, before = of(shown), self._before.get(name)
            if now != before:
                self._before[name] = now
                if now:
                    yield words(shown)
                elif before:
                    yield over
        quoted = _quoted(shown)
        if bool(quoted) != bool(self._quoted):
            yield f"quotes rest on {quoted} instruments" if quoted else "no quote rests"
        self._quoted = quoted
        if shown.engine.hedges > self._hedges and shown.elapsed_ns >= self._hedged_ns:
            yield f"hedge {shown.engine.hedges}: {shown.engine.hedge}"
            self._hedges, self._hedged_ns = shown.engine.hedges, shown.elapsed_ns + HEDGES_NS
