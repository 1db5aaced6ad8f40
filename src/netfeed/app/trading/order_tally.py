"""What became of requests, counted where everything passes: on the way into the journal.

    record = OrderTally(journal.record)     the sink of an engine
    tally.results["rejected"]

RESULTS are the labels of `netfeed_orders_total`. A mass quote counts as one request; executions are counted as they
are told, repeated ones too (those that count stand in the engine's `fills`).
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from netfeed.book.execution import (
    Accepted,
    AllCanceled,
    Amended,
    Canceled,
    Down,
    Filled,
    Quoted,
    Rejected,
    Report,
    Tripped,
)
from netfeed.engine.journal import Heard, Record, Sent, Unsent

_HEARD: Final[dict[type[Report], str]] = {
    Accepted: "accepted",
    Amended: "amended",
    Rejected: "rejected",
    Canceled: "canceled",
    AllCanceled: "all_canceled",
    Quoted: "quoted",
    Filled: "executed",
    Tripped: "tripped",
    Down: "session_lost",
}
RESULTS: Final = ("sent", "unsent", *_HEARD.values())


class OrderTally:
    """Count records and hand them on; what cannot be written down is not counted."""

    __slots__ = ("_record", "causes", "results")

    def __init__(self, record: Callable[[Record], None]) -> None:
        self._record = record
        self.results: Counter[str] = Counter()
        self.causes: Counter[str] = Counter()
        """Why venues refused, in the words that all share."""

    def __call__(self, record: Record) -> None:
        """Take a record. Raises: what the journal raises."""
        self._record(record)
        kind = type(record)
        if kind is Sent:
            self.results["sent"] += 1
        elif kind is Unsent:
            self.results["unsent"] += 1
        elif isinstance(record, Heard):
            self._heard(record.report)

    def _heard(self, report: Report) -> None:
        result = _HEARD.get(type(report))
        if result is not None:
            self.results[result] += 1
        if isinstance(report, Rejected):
            self.causes[report.cause.name.lower()] += 1
