"""The tape of a replay as a fill model reads it: what one packet said was traded, and where its books were not right.

Only what is certain counts as traded: an ordinary execution against a displayed order whose side is told. What was
hidden, negotiated, an auction, not printed, or at another price than its order's may not have reached an order of ours,
and is counted as left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from netfeed.book.change import Kind
from netfeed.book.level import Side
from netfeed.book.state import BookState


class Traded(NamedTuple):
    """An execution. `side` is that of the resting order."""

    side: Side
    price: int
    quantity: int


@dataclass(slots=True)
class Tape:
    """What one packet said. `blind`: instruments whose book was not LIVE at some time of it; `left_out`: executions."""

    trades: dict[int, list[Traded]] = field(default_factory=dict)
    blind: set[int] = field(default_factory=set)
    left_out: int = 0
    sequence: int = 0


def read(rows: Any, instruments: Mapping[int, int]) -> Tape:
    """Read the changes of a packet. Shape: `rows` of CHANGE; `instruments` by the book that a row names."""
    tape = Tape(sequence=int(rows["sequence"][-1]) if len(rows) else 0)
    wanted = rows[(rows["kind"] == Kind.TRADE) | (rows["kind"] == Kind.STATE)]
    for row in wanted:
        instrument = instruments.get(int(row["book"]))
        if instrument is None:
            continue
        if row["kind"] == Kind.STATE:
            if row["state"] != BookState.LIVE:
                tape.blind.add(instrument)
        elif row["flags"] or row["side"] not in (Side.BID, Side.ASK) or row["quantity"] <= 0:
            tape.left_out += 1
        else:
            traded = Traded(Side(int(row["side"])), int(row["price"]), int(row["quantity"]))
            tape.trades.setdefault(instrument, []).append(traded)
    return tape
