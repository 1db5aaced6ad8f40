"""What outlives a connection of a Starbase order session, for its client and for its venue: numbers, and what is open.

    past = ClientPast()
    first = starbase_orders.Client(1, listed, now, past)     lost in the middle of something
    second = starbase_orders.Client(2, listed, now, past)    goes on: what the venue said meanwhile is asked for

Bounds: everything is kept for the newest MAX_ASKED messages and MAX_ORDERS orders; what is older is forgotten, and an
answer to it is puzzling.
"""

from dataclasses import dataclass
from typing import Final, TypeVar

from netfeed.book.execution import (
    Amend,
    Ask,
    Cancel,
    CancelAll,
    Cause,
    MassQuote,
    New,
    Request,
)
from netfeed.book.level import Side
from netfeed.proto.starbase_journal import MAX_BYTES, MAX_MESSAGES, Journal
from netfeed.proto.starbase_requests import Asked
from netfeed.proto.starbase_state import Sequences
from netfeed.proto.starbase_terms import Instruments

MAX_ASKED: Final = 4096
MAX_ORDERS: Final = 20_000

K = TypeVar("K")
V = TypeVar("V")


def remember(known: dict[K, V], key: K, value: V, most: int) -> None:
    """Put a value into a dictionary that forgets its oldest."""
    known[key] = value
    if len(known) > most:
        del known[next(iter(known))]


@dataclass(slots=True)
class Parts:
    """A CancelAll in several messages: how many wait for an answer, what was cancelled, why one was refused."""

    left: int
    count: int = 0
    refused: tuple[Cause, str] | None = None


class ClientPast:
    """What a client knows of its session."""

    def __init__(self, sequences: Sequences | None = None) -> None:
        self.journal = Journal(sequences, max_messages=0)
        self.asked: dict[int, Asked] = {}
        self.sides: dict[int, Side] = {}
        self.cancels: dict[int, Parts] = {}

    def reset(self) -> None:
        """Begin anew: numbers count from 1, and no answer to what was asked under the old ones will come."""
        self.journal.reset()
        self.asked.clear()
        self.cancels.clear()

    def note(self, request: Request, messages: list[Asked], first: int) -> None:
        """Take note of messages that go out under the numbers from `first` on."""
        self.note_all([message._replace(fields={}) for message in messages], first)
        if isinstance(request, New):
            remember(self.sides, request.client_id, request.side, MAX_ORDERS)
        if isinstance(request, CancelAll):
            remember(self.cancels, request.client_id, Parts(len(messages)), MAX_ASKED)

    def note_all(self, messages: list[Asked], first: int) -> None:
        """Remember what messages ask, without their fields."""
        for number, message in enumerate(messages, first):
            remember(self.asked, number, message, MAX_ASKED)


@dataclass(frozen=True, slots=True)
class Open:
    """A request that the venue has not answered: its correlation id, and the venue's number of its instrument."""

    correlation: int
    venue_id: int = 0


class VenuePast:
    """What a venue knows of a client's session. Requests are answered in the order in which they came."""

    def __init__(self, *, max_messages: int = MAX_MESSAGES, max_bytes: int = MAX_BYTES) -> None:
        self.journal = Journal(max_messages=max_messages, max_bytes=max_bytes)
        self.sides: dict[int, Side] = {}
        self._open: dict[tuple[Ask, int], list[Open]] = {}

    def reset(self) -> None:
        """Begin anew: numbers count from 1. Orders stay what they are."""
        self.journal.reset()
        self._open.clear()

    def note(self, request: Request, correlation: int, listed: Instruments) -> None:
        """Take note of a request that waits for an answer."""
        match request:
            case New(client_id, instrument, side):
                remember(self.sides, client_id, side, MAX_ORDERS)
                key, venue_id = (Ask.NEW, client_id), listed.ours(instrument).venue_id
            case Amend(client_id, instrument):
                key, venue_id = (Ask.AMEND, client_id), listed.ours(instrument).venue_id
            case Cancel(client_id, instrument):
                key, venue_id = (Ask.CANCEL, client_id), listed.ours(instrument).venue_id
            case MassQuote(client_id, group):
                key, venue_id = (Ask.QUOTE, client_id), group
            case _:
                key, venue_id = (Ask.CANCEL_ALL, request.client_id), 0
        waiting = self._open.get(key, [])[-MAX_ASKED:]
        remember(self._open, key, [*waiting, Open(correlation, venue_id)], MAX_ASKED)

    def answered(self, ask: Ask, client_id: int) -> Open | None:
        """Give the oldest request of a kind that waits, which it does no longer; None where none does."""
        waiting = self._open.get((ask, client_id))
        if not waiting:
            return None
        first = waiting.pop(0)
        if not waiting:
            del self._open[ask, client_id]
        return first

    def waits(self, ask: Ask, client_id: int) -> bool:
        """Say whether a request of a kind waits for its answer."""
        return (ask, client_id) in self._open
