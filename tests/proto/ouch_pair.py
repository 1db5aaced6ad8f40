"""A client and a venue that talk OUCH, joined by a wire that can be cut at any byte."""

from collections.abc import Sequence
from typing import Any

from netfeed.book.execution import Accepted, Amend, Amended, Cancel, Canceled, Cause, Filled, New, Report, TimeInForce
from netfeed.book.level import Side
from netfeed.proto import soupbintcp
from netfeed.proto.ouch_orders import Client
from netfeed.proto.ouch_past import Past
from netfeed.proto.ouch_server import Server, VenuePast
from netfeed.proto.ouch_words import Stocks, Terms

LISTED = Stocks([Terms(0, "AAPL"), Terms(1, "MSFT", -2)])
ASKED = (New, Amend, Cancel)


class Desk:
    """A venue that takes what it is asked, fills one share of each order, and remembers what it heard and said."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.said: list[Report] = []
        self.sides: dict[int, Side] = {}

    def hear(self, request: Any) -> list[Report]:
        """Answer a request."""
        self.heard.append(request)
        reports = self._answer(request)
        self.said += reports
        return reports

    def _answer(self, request: Any) -> list[Report]:
        match request:
            case New(client_id, instrument, side, price, quantity):
                self.sides[client_id] = side
                return [
                    Accepted(client_id, instrument, client_id + 100, price, quantity, 0, True, 5),
                    Filled(client_id, instrument, client_id + 100, 900, side, price or 0, 1, 1, True, 6),
                ]
            case Amend(client_id, instrument, price, quantity):
                return [Amended(client_id, instrument, client_id + 200, price, quantity, 1, True, 7)]
            case Cancel(client_id, instrument):
                return [Canceled(client_id, instrument, client_id + 200, 1, Cause.REQUESTED, "U", 8)]
        raise AssertionError(request)


class Pair:
    """One connection of both, and what each of them was told."""

    def __init__(self, past: Past, kept: VenuePast, desk: Desk, session: int = 1) -> None:
        self.client, self.server = Client(session, LISTED, past, midnight_ns=0), Server(session, LISTED, 0)
        self.desk, self.kept = desk, kept
        self.told: list[Any] = []
        self.venue_told: list[Any] = []
        self.sent = [0, 0]
        self.client.login("user", "password", 0)

    def talk(self, now: int = 0, left: Sequence[int] = (2**40, 2**40)) -> bool:
        """Carry bytes until nobody says anything; False when the wire was cut, after `left` bytes of each way."""
        whole = True
        while whole:
            out, back = b"".join(self.client.transmit()), b"".join(self.server.transmit())
            if not out and not back:
                break
            there, here = self._within(0, out, left), self._within(1, back, left)
            self._to_venue(there, now)
            self.told += self.client.receive(here, now)
            whole = (there, here) == (out, back)
        return whole

    def _within(self, way: int, data: bytes, left: Sequence[int]) -> bytes:
        room = max(0, left[way] - self.sent[way])
        self.sent[way] += len(data)
        return data[:room]

    def _to_venue(self, data: bytes, now: int) -> None:
        for event in self.server.receive(data, now):
            self.venue_told.append(event)
            if isinstance(event, soupbintcp.LoginRequested):
                self.server.accept(self.kept, now)
            elif isinstance(event, ASKED):
                self.server.report(self.desk.hear(event), now)

    def cut(self, now: int = 0) -> None:
        """Lose the connection."""
        self.told += self.client.end(now)
        self.venue_told += self.server.end(now)


def joined() -> Pair:
    """Give both, logged in."""
    pair = Pair(Past(), VenuePast(), Desk())
    pair.talk()
    pair.told.clear()
    pair.venue_told.clear()
    return pair


def bid(client_id: int, quantity: int = 5) -> New:
    """Give a request."""
    return New(client_id, 0, Side.BID, 1_500_000, quantity, TimeInForce.DAY)
