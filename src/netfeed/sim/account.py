"""What a reader of a capture must find: packets by line, gaps and how they close, messages by type, books at the end.

It is worked out from what the tap saw and what the sender knows, number by number and in the plainest way; nothing of
`feed`, `book` or `venues` takes part, so that it can be held against them. The forms are those of `netfeed replay
--json`, and of a few more facts.

A gap is a hole that is still there REORDER_NS after a later packet showed it. No hole may close near that time, nor
near RECOVERY_NS: a capture whose facts depend on a little more patience is refused.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from netfeed.errors import MisuseError
from netfeed.sim.tap import Seen
from netfeed.units import decimal_text

REORDER_NS: Final = 1_000_000
"""How long a hole may be there before it is a gap."""
RECOVERY_NS: Final = 1_000_000_000
"""How long a gap may be there before it is lost to lines and retransmits."""
RETRANSMIT: Final = "RETRANSMIT"
"""The name of the route on which answers come."""

Row = tuple[int, int, int]
"""A level: price, quantity, orders."""
Facts = dict[str, Any]


class Account:
    """The stream of a channel at the tap: `seen` in order of time, the first number `start`.

    `covered`: a number up to which snapshots have made good what was lost.
    """

    def __init__(self, seen: Sequence[Seen], *, start: int = 1, covered: int = 0) -> None:
        self.arrived: dict[int, tuple[int, str]] = {}
        self.next = start
        self._revealed: dict[int, int] = {}
        self._lines: dict[str, Counter[str]] = {}
        self._covered = covered
        for one in seen:
            self._hear(one)

    def lines(self) -> list[Facts]:
        """Say of each route how many packets it brought: new, for the second time, or without a number of their own.

        The last are heartbeats, ends of session, and rejects of requests.
        """
        return [
            {"line": name, **{what: counts[what] for what in ("packets", "unnumbered", "first", "duplicates")}}
            for name, counts in sorted(self._lines.items())
        ]

    def gaps(self) -> list[Facts]:
        """List the gaps in order, each with what closed it; None where nothing did."""
        runs: list[list[int]] = []
        for number in sorted(number for number in self._revealed if self._is_gap(number)):
            if runs and number == runs[-1][-1] + 1 and self._revealed[number] == self._revealed[runs[-1][0]]:
                runs[-1].append(number)
            else:
                runs.append([number])
        return [{"first": run[0], "last": run[-1], "closed_by": self._closed_by(run)} for run in runs]

    @property
    def lost(self) -> int:
        """Count the numbers that never came."""
        return sum(number not in self.arrived for number in self._revealed)

    def by_type(self, type_of: Callable[[int], str]) -> dict[str, int]:
        """Count the numbers that came, each once, by the type that `type_of` gives."""
        return dict(sorted(Counter(map(type_of, self.arrived)).items()))

    def _hear(self, one: Seen) -> None:
        first, end, name = one.sent.first, one.sent.end, one.route.name
        counts = self._lines.setdefault(name, Counter())
        counts["packets"] += 1
        if name != RETRANSMIT and end >= self.next:
            self._revealed.update(dict.fromkeys(range(self.next, first), one.at))
            self.next = end
        fresh = [number for number in range(first, end) if number not in self.arrived]
        counts["first" if fresh else "duplicates" if end > first else "unnumbered"] += 1
        self.arrived.update(dict.fromkeys(fresh, (one.at, name)))

    def _is_gap(self, number: int) -> bool:
        if number not in self.arrived:
            return True
        open_ns = self.arrived[number][0] - self._revealed[number]
        if REORDER_NS * 8 // 10 < open_ns < REORDER_NS * 2 or open_ns > RECOVERY_NS // 2:
            raise MisuseError(f"number {number} came after {open_ns} ns: whether that is a gap is a matter of patience")
        return open_ns > REORDER_NS

    def _closed_by(self, run: Sequence[int]) -> str | None:
        came = [self.arrived[number] for number in run if number in self.arrived]
        if not came:
            return "snapshot" if run[-1] <= self._covered else None
        if len(came) < len(run):
            raise MisuseError(f"the gap {run[0]} to {run[-1]} is lost in part")
        return "retransmit" if max(came)[1] == RETRANSMIT else "line"


def book(
    instrument: str, bids: Sequence[Row], asks: Sequence[Row], exponents: tuple[int, int], state: str = "LIVE"
) -> Facts:
    """Describe a book: the best level of each side, and the whole of each side in three numbers."""
    sides = {"bid": bids, "ask": asks}
    return {
        "instrument": instrument,
        "state": state,
        **{side: _level(rows[0], exponents) if rows else None for side, rows in sides.items()},
        "totals": {side: _total(rows, exponents[1]) for side, rows in sides.items()},
    }


def _level(row: Row, exponents: tuple[int, int]) -> Facts:
    price, quantity = (decimal_text(value, exponent) for value, exponent in zip(row, exponents, strict=False))
    return {"price": price, "quantity": quantity, "orders": row[2]}


def _total(rows: Iterable[Row], exponent: int) -> Facts:
    rows = list(rows)
    quantity = decimal_text(sum(row[1] for row in rows), exponent)
    return {"levels": len(rows), "quantity": quantity, "orders": sum(row[2] for row in rows)}
