"""How long a venue takes to answer: each request is waited for, and the first report that answers it ends the wait.

The smoothed time is that of TCP's round trips (RFC 6298): an eighth of each new one. Bounded: MAX_WAITING requests; the
oldest is forgotten, and counted.
"""

from typing import Any, Final

from netfeed.book.execution import (
    Accepted,
    AllCanceled,
    Amend,
    Amended,
    Ask,
    Cancel,
    CancelAll,
    Canceled,
    List,
    Listed,
    MassQuote,
    New,
    Quoted,
    Rejected,
    Report,
    Request,
)
from netfeed.latency import Histogram

MAX_WAITING: Final = 4096
_SMOOTH: Final = 8

ASKS: Final[dict[type[Request], Ask]] = {
    New: Ask.NEW, Amend: Ask.AMEND, Cancel: Ask.CANCEL, CancelAll: Ask.CANCEL_ALL, MassQuote: Ask.QUOTE, List: Ask.LIST,
}  # fmt: skip
_ANSWERS: Final[dict[type[Any], Ask]] = {
    Accepted: Ask.NEW, Amended: Ask.AMEND, Canceled: Ask.CANCEL, AllCanceled: Ask.CANCEL_ALL, Quoted: Ask.QUOTE,
}  # fmt: skip


class Answers:
    """Waits of one session. Units: ns; `smoothed_ns` None before the first answer."""

    def __init__(self) -> None:
        self.smoothed_ns: int | None = None
        self.histogram: Any = Histogram()
        self.unanswered = self.forgotten = 0
        self._waiting: dict[tuple[Ask, int], int] = {}

    @property
    def waiting(self) -> int:
        """Say how many requests wait for an answer."""
        return len(self._waiting)

    def asked(self, request: Request, at: int) -> None:
        """Take note that a request was handed to the socket."""
        self._waiting[ASKS[type(request)], request.client_id] = at
        if len(self._waiting) > MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]
            self.forgotten += 1

    def heard(self, report: Report, now: int) -> None:
        """Take a report: where it answers something, that took so long."""
        key = self._key(report)
        at = None if key is None else self._waiting.pop(key, None)
        if at is None:
            return
        took = max(0, now - at)
        self.histogram.record(took)
        known = self.smoothed_ns
        self.smoothed_ns = took if known is None else known + (took - known) // _SMOOTH

    def lost(self) -> None:
        """Take note that the connection is gone: nothing of it will be answered."""
        self.unanswered += len(self._waiting)
        self._waiting.clear()

    def _key(self, report: Report) -> tuple[Ask, int] | None:
        if isinstance(report, Rejected):
            return report.ask, report.client_id
        if isinstance(report, Listed):
            return next((key for key in self._waiting if key[0] is Ask.LIST), None)
        ask = _ANSWERS.get(type(report))
        return None if ask is None else (ask, report.client_id)  # type: ignore[union-attr]
