"""Compare what a handler published with what the venue knows: at every sequence that both speak of.

A *moment* is a book of the venue after one of its transactions: two best levels at a sequence. The handler's side is
replayed from its changes: after each sequence, the same two levels and the state. A moment is *comparable* when the
handler's book was LIVE at that sequence; then the levels must be equal. While a book is SUSPECT nothing is promised.

Two more questions are asked. An instrument that no lost message touched must have had every moment, whatever its state
says: what others lost is none of its business. And at the end whole books are compared, level by level, by digest.

Sequences begin anew when a session does: an *epoch* is one counting. The handler empties its books at such a moment,
which is where its changes are cut.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from netfeed.book.change import NO_BOOK, NO_PRICE, Kind
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.transport.ring import BookName
from netfeed.units import parse_decimal

Best = tuple[int, int, int]
"""Price, quantity, orders; integers of the book's exponents."""
Key = tuple[int, str]
"""Epoch and instrument."""
MAX_EXAMPLES: Final = 8
"""Differences that are told in full; all are counted."""


class Moment(NamedTuple):
    """A book of the venue after the transaction whose messages were numbered `first` to `sequence`."""

    first: int
    sequence: int
    bid: Best | None
    ask: Best | None
    digest: int


class Known(NamedTuple):
    """A book as the handler had it from `sequence` on."""

    sequence: int
    bid: Best | None
    ask: Best | None
    state: int


@dataclass(slots=True)
class Verdict:
    """What the comparison found. `examples` tells some of the differences in words."""

    compared: int = 0
    different: int = 0
    incomparable: int = 0
    disturbed: set[str] = field(default_factory=set)
    examples: list[str] = field(default_factory=list)

    def differ(self, text: str) -> None:
        """Count a difference."""
        self.different += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(text)


def moments(records: Iterable[Mapping[str, Any]], exponents: Mapping[str, BookName]) -> dict[Key, list[Moment]]:
    """Read the records of a truth file into moments, in the integers of the handler's books.

    Instruments that the handler does not know are left out: their books are counted as missing elsewhere.
    """
    found: dict[Key, list[Moment]] = defaultdict(list)
    for record in records:
        named = exponents.get(record["instrument"])
        if named is None:
            continue
        bid, ask = (_best(record[side], named) for side in ("bid", "ask"))
        found[record["epoch"], named.text].append(
            Moment(record["first"], record["sequence"], bid, ask, record["digest"])
        )
    return found


def replayed(changes: Iterable[Any], names: Mapping[tuple[int, int], BookName]) -> list[dict[str, list[Known]]]:
    """Replay changes (rows of CHANGE as tuples of a mapping) into what was known of each book; one table an epoch."""
    epochs: list[dict[str, list[Known]]] = [defaultdict(list)]
    now: dict[tuple[int, int], Known] = {}
    emptied = True
    for row in changes:
        kind, book = int(row["kind"]), (int(row["channel"]), int(row["book"]))
        named = names.get(book)
        if book[1] == NO_BOOK or named is None or kind not in (Kind.BBO, Kind.STATE):
            continue
        reset = kind == Kind.STATE and row["state"] == BookState.EMPTY
        if reset and not emptied:
            epochs.append(defaultdict(list))
            now.clear()
        emptied = reset or (emptied and kind == Kind.BBO and row["price"] == NO_PRICE)
        known = _after(now.get(book, Known(0, None, None, BookState.EMPTY)), row, kind)
        now[book] = known
        line = epochs[-1][named.text]
        while line and line[-1].sequence >= known.sequence:
            line.pop()  # announced at a later number than what now turned out to have happened
        line.append(known)
    return epochs


def compare(
    truth: Mapping[Key, list[Moment]],
    known: list[dict[str, list[Known]]],
    lost: Iterable[tuple[int, int, int]],
    first_epoch: int,
) -> Verdict:
    """Compare every moment. `lost` lists (epoch, first, last) of what the handler had to do without for a time."""
    verdict, holes = Verdict(), list(lost)
    for (epoch, name), line in truth.items():
        index = epoch - first_epoch
        mine = known[index].get(name, []) if 0 <= index < len(known) else []
        touched = any(one == epoch and _touches(line, first, last) for one, first, last in holes)
        _compare_line(verdict, name, line, mine, touched=touched)
    return verdict


def _compare_line(verdict: Verdict, name: str, line: list[Moment], mine: list[Known], *, touched: bool) -> None:
    sequences = [known.sequence for known in mine]
    joined = next((known.sequence for known in mine if known.state == BookState.LIVE), None)
    for moment in line:
        at = bisect_right(sequences, moment.sequence) - 1
        known = mine[at] if at >= 0 else None
        equal = known is not None and (known.bid, known.ask) == (moment.bid, moment.ask)
        if not equal and not touched and joined is not None and moment.sequence >= joined:
            verdict.disturbed.add(name)
        if known is None or known.state != BookState.LIVE:
            verdict.incomparable += 1
            continue
        verdict.compared += 1
        if not equal:
            verdict.differ(
                f"{name} at {moment.sequence}: the venue had {moment.bid} / {moment.ask}, "
                f"the handler {known.bid} / {known.ask}"
            )


def _touches(line: list[Moment], first: int, last: int) -> bool:
    at = bisect_right(line, last, key=lambda moment: moment.first)
    return at > 0 and any(moment.sequence >= first for moment in line[max(0, at - 2) : at])


def _after(before: Known, row: Any, kind: int) -> Known:
    sequence, state = int(row["sequence"]), int(row["state"])
    if kind == Kind.STATE:
        return before._replace(sequence=sequence, state=state)
    price = int(row["price"])
    best = None if price == NO_PRICE else (price, int(row["quantity"]), int(row["orders"]))
    if row["side"] == Side.BID:
        return before._replace(sequence=sequence, bid=best, state=state)
    return before._replace(sequence=sequence, ask=best, state=state)


def _best(level: Mapping[str, Any] | None, named: BookName) -> Best | None:
    if level is None:
        return None
    price = parse_decimal(level["price"], named.price_exponent)
    return price, parse_decimal(level["quantity"], named.quantity_exponent), int(level["orders"])
