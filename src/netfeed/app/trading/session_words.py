"""What a session's machine tells beside reports, counted and put into words; and the account of a session.

Each kind of note is told MAX_TOLD times for a connection, and counted ever after: a venue that says nonsense must not
fill a log.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from netfeed.feed.websocket_talk import WHY
from netfeed.proto import ouch_words, starbase_state
from netfeed.venues import deribit_order_words

MAX_TOLD: Final = 5

_WORDS: Final[Mapping[type[Any], tuple[str, Callable[[Any], str]]]] = {
    starbase_state.Missing: (
        "missing", lambda note: f"messages {note.first} to {note.last} did not come, and are asked for",
    ),
    starbase_state.NotResent: (
        "not_resent", lambda note: f"the venue missed messages {note.first} to {note.last} of ours: not sent again",
    ),
    starbase_state.Puzzling: ("puzzling", lambda note: f"puzzling: {note.what}"),
    starbase_state.Malformed: ("malformed", lambda note: f"malformed: {note.what}: {note.found}"),
    ouch_words.Puzzling: ("puzzling", lambda note: f"puzzling: {note.what}"),
    ouch_words.Noted: ("noted", lambda note: f"noted: {note.what}"),
    deribit_order_words.Puzzling: ("puzzling", lambda note: f"puzzling: {note.what}"),
}  # fmt: skip


_PUZZLING: Final = (starbase_state.Puzzling, ouch_words.Puzzling, deribit_order_words.Puzzling)


def is_puzzling(event: Any) -> bool:
    """Say whether it is a message that no report can say, and may have been about an order of ours."""
    return isinstance(event, _PUZZLING)


class Notes:
    """The notes of a session. `total` counts them by kind, over all connections."""

    def __init__(self) -> None:
        self.total: Counter[str] = Counter()
        self._told: Counter[str] = Counter()
        self._why = ""

    def begin(self) -> None:
        """Take note that another connection begins."""
        self._told.clear()
        self._why = ""

    def failed(self, why: str) -> None:
        """Take note of what the socket met: the first such reason explains the end."""
        self._why = self._why or why

    def take(self, event: Any) -> str | None:
        """Count an event that is no report; give the words of one that an operator should read."""
        explains = WHY.get(type(event))
        if explains is not None:
            self.failed(explains(event))
            return None
        if type(event) not in _WORDS:
            return None
        kind, words = _WORDS[type(event)]
        self.total[kind] += 1
        self._told[kind] += 1
        return words(event) if self._told[kind] <= MAX_TOLD else None

    def because(self, reason: str) -> str:
        """Give why a connection ended: what lies deepest."""
        return self._why or reason


@dataclass(frozen=True, slots=True)
class SessionStatistics:
    """The account of a session. Units: ns and bytes.

    `sent` requests were handed to the kernel in `writes` writes; `refused` were not, by why: down, full, pace, unfit.
    `waiting` are not answered yet, `unanswered` never were: their connection was lost. `notes`: what was told beside
    reports, by kind; `reconnects`: connections that were lost, or never stood, by reason.
    """

    number: int
    name: str
    venue: str
    is_up: bool
    ups: int
    downs: int
    sent: int
    writes: int
    refused: Mapping[str, int]
    reports: int
    notes: Mapping[str, int]
    waiting: int
    unanswered: int
    latency_ns: int | None
    queued_bytes: int
    reconnects: Mapping[str, int]
