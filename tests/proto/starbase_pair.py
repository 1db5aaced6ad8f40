"""A client and a venue that talk about orders, joined by a wire that can be cut at any byte."""

from collections.abc import Callable, Sequence
from typing import Any

from netfeed.book.execution import (
    Accepted,
    AllCanceled,
    Amend,
    Cancel,
    CancelAll,
    Canceled,
    Cause,
    Filled,
    MassQuote,
    New,
    Quoted,
    QuoteSide,
    QuoteState,
    Report,
)
from netfeed.book.level import Side
from netfeed.proto.starbase_orders import Client
from netfeed.proto.starbase_orders_server import Server
from netfeed.proto.starbase_past import ClientPast, VenuePast
from netfeed.proto.starbase_state import LogonRequested
from netfeed.proto.starbase_terms import Instruments, Terms

LISTED = Instruments([Terms(0, 1000, -1, 0, 7), Terms(1, 1001, -4, -1, 7), Terms(2, 1002, -4, -1, 8)])
SECRET = "the-secret-of-the-session"
NONE = QuoteSide(QuoteState.NONE, None, None, 0, 0, Cause.OTHER, "INACTIVE")


class Desk:
    """A venue that takes what it is asked, fills half of each order at once, and remembers all that it said."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.said: list[Report] = []

    def hear(self, request: Any) -> list[Report]:
        """Answer a request."""
        self.heard.append(request)
        reports = list(self._answer(request))
        self.said += reports
        return reports

    def _answer(self, request: Any) -> list[Report]:
        match request:
            case New(client_id, instrument, side, price, quantity):
                half = quantity // 2
                return [
                    Accepted(client_id, instrument, client_id + 100, price, quantity, half, True, 5),
                    Filled(client_id, instrument, client_id + 100, 900, side, price or 0, half, half, False, 5),
                    Filled(client_id, instrument, client_id + 100, 901, side, price or 0, 1, half + 1, True, 6),
                ]
            case Cancel(client_id, instrument):
                return [Canceled(client_id, instrument, client_id + 100, 3, Cause.REQUESTED, "BY_REQUEST", 7)]
            case CancelAll(client_id):
                return [AllCanceled(client_id, 0, 8)]
            case MassQuote(client_id, group, quotes):
                sides = tuple((one.instrument, NONE, NONE) for one in quotes)
                return [Quoted(client_id, group, sides, 9)]
        raise AssertionError(request)


class Pair:
    """One connection of both, and what each of them was told. `cut` is called with what has gone each way."""

    def __init__(self, past: ClientPast, kept: VenuePast, desk: Desk, session: int = 1, **logon: Any) -> None:
        self.client, self.server = Client(session, LISTED, 0, past), Server(session, LISTED, 0)
        self.desk, self.kept = desk, kept
        self.told: list[Any] = []
        self.venue_told: list[Any] = []
        self.sent = [0, 0]
        self.client.logon("key", SECRET, 0, **logon)

    def talk(self, now: int = 0, left: Sequence[int] = (2**40, 2**40)) -> bool:
        """Carry bytes until nobody says anything; False when the wire was cut, after `left` bytes of each way."""
        while True:
            out, back = b"".join(self.client.transmit()), b"".join(self.server.transmit())
            if not out and not back:
                return True
            there = self._carry(0, out, self._to_venue, now, left)
            if not self._carry(1, back, self._to_client, now, left) or not there:
                return False

    def _carry(self, way: int, data: bytes, to: Callable[[bytes, int], None], now: int, left: Sequence[int]) -> bool:
        room = left[way] - self.sent[way]
        self.sent[way] += len(data)
        to(data[: max(room, 0)], now)
        return len(data) <= room

    def _to_client(self, data: bytes, now: int) -> None:
        self.told += self.client.receive(data, now)

    def _to_venue(self, data: bytes, now: int) -> None:
        for event in self.server.receive(data, now):
            self.venue_told.append(event)
            if isinstance(event, LogonRequested):
                self.server.accept(self.kept, now)
            elif isinstance(event, New | Amend | Cancel | CancelAll | MassQuote):
                self.server.report(self.desk.hear(event), now)

    def cut(self, now: int = 0) -> None:
        """Lose the connection."""
        self.told += self.client.end(now)
        self.venue_told += self.server.end(now)


def joined() -> Pair:
    """Give both, logged on."""
    pair = Pair(ClientPast(), VenuePast(), Desk())
    pair.talk()
    pair.told.clear()
    pair.venue_told.clear()
    return pair


def bid(client_id: int, quantity: int = 5) -> New:
    """Give a request."""
    return New(client_id, 0, Side.BID, 1000, quantity)
