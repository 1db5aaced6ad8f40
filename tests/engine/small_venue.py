"""A venue of a few lines that is the truth: it takes requests in order; what it says may come late, twice, mixed up.

It knows nothing of `engine`: quantities by addition, a list of what rests, each execution once.
"""

from dataclasses import dataclass, field

from netfeed.book.execution import (
    Accepted,
    AllCanceled,
    Amend,
    Amended,
    Ask,
    Cancel,
    CancelAll,
    Canceled,
    Cause,
    Filled,
    Listed,
    MassQuote,
    New,
    OpenOrder,
    Position,
    Quoted,
    QuoteSide,
    QuoteState,
    Rejected,
    Report,
    Request,
)
from netfeed.book.level import Side

Name = tuple[int, int, Side]


@dataclass
class Resting:
    """An order at the venue."""

    name: Name
    price: int
    quantity: int
    group: int | None
    filled: int = 0


@dataclass
class SmallVenue:
    """Requests wait in `inbox`; what was said and not delivered yet lies in `outbox`."""

    inbox: list[Request] = field(default_factory=list)
    outbox: list[Report] = field(default_factory=list)
    resting: dict[Name, Resting] = field(default_factory=dict)
    ended: dict[Name, tuple[str, int]] = field(default_factory=dict)
    fills: list[Filled] = field(default_factory=list)

    def process(self, refuse: bool = False) -> None:
        """Take the oldest request."""
        request = self.inbox.pop(0)
        if isinstance(request, New):
            self._new(request, refuse)
        elif isinstance(request, MassQuote):
            self._quote(request, refuse)
        elif isinstance(request, Amend):
            self._amend(request, refuse)
        elif isinstance(request, Cancel):
            self._cancel(request)
        elif isinstance(request, CancelAll):
            self._cancel_all(request)

    def trade(self, name: Name, quantity: int) -> None:
        """Execute some of what rests."""
        order = self.resting[name]
        quantity = min(quantity, order.quantity - order.filled)
        order.filled += quantity
        client_id, instrument, side = name
        fill = Filled(
            client_id, instrument, client_id, len(self.fills), side, order.price, quantity, order.filled, True, None,
            quote=order.group is not None,
        )  # fmt: skip
        self.fills.append(fill)
        self.outbox.append(fill)
        if order.filled == order.quantity:
            self._end(name, "FILLED")

    def cancel(self, name: Name, cause: Cause = Cause.VENUE) -> None:
        """Take an order out."""
        order = self.resting[name]
        self.outbox.append(Canceled(name[0], name[1], _order_id(name), order.filled, cause, "", None))
        self._end(name, "CANCELED")

    def position(self, instrument: int) -> int:
        """Add up what was executed."""
        return sum(
            fill.quantity if fill.side is Side.BID else -fill.quantity
            for fill in self.fills
            if fill.instrument == instrument
        )

    def listed(self) -> Listed:
        """Say what rests and what is held."""
        orders = tuple(
            OpenOrder(
                name[0], name[1], _order_id(name), name[2], order.price, order.quantity, order.filled,
                order.group is not None,
            )
            for name, order in self.resting.items()
        )  # fmt: skip
        instruments = sorted({fill.instrument for fill in self.fills})
        return Listed(1, orders, tuple(Position(one, self.position(one), None) for one in instruments), None)

    def _new(self, request: New, refuse: bool) -> None:
        name = (request.client_id, request.instrument, request.side)
        if refuse:
            self.ended[name] = ("REJECTED", 0)
            self.outbox.append(Rejected(request.client_id, Ask.NEW, Cause.PRICE, "", None))
            return
        assert request.price is not None
        self.resting[name] = Resting(name, request.price, request.quantity, None)
        self.outbox.append(
            Accepted(
                request.client_id, request.instrument, _order_id(name), request.price, request.quantity, 0, True, None
            )
        )

    def _quote(self, request: MassQuote, refuse: bool) -> None:
        if refuse:
            for quote in request.quotes:
                for side, price in ((Side.BID, quote.bid), (Side.ASK, quote.ask)):
                    if price is not None:
                        self.ended[request.client_id, quote.instrument, side] = ("REJECTED", 0)
            self.outbox.append(Rejected(request.client_id, Ask.QUOTE, Cause.PRICE, "", None))
            return
        sides = []
        for quote in request.quotes:
            both = []
            for side, price, quantity in (
                (Side.BID, quote.bid, quote.bid_quantity),
                (Side.ASK, quote.ask, quote.ask_quantity),
            ):
                for name in [one for one, order in self.resting.items() if order.group == request.group]:
                    if name[1:] == (quote.instrument, side):
                        self._end(name, "CANCELED")
                name = (request.client_id, quote.instrument, side)
                if price is not None:
                    self.resting[name] = Resting(name, price, quantity, request.group)
                state = QuoteState.NONE if price is None else QuoteState.RESTS
                both.append(QuoteSide(state, _order_id(name), price, quantity, 0, Cause.OTHER, ""))
            sides.append((quote.instrument, both[0], both[1]))
        self.outbox.append(Quoted(request.client_id, request.group, tuple(sides), None))

    def _amend(self, request: Amend, refuse: bool) -> None:
        order = next((one for name, one in self.resting.items() if name[0] == request.client_id), None)
        if order is None or refuse or request.quantity <= order.filled:
            cause = Cause.NOT_FOUND if order is None else Cause.PRICE
            self.outbox.append(Rejected(request.client_id, Ask.AMEND, cause, "", None))
            return
        order.price, order.quantity = request.price, request.quantity
        self.outbox.append(
            Amended(
                request.client_id, request.instrument, _order_id(order.name), order.price, order.quantity, order.filled,
                True, None,
            )
        )  # fmt: skip

    def _cancel(self, request: Cancel) -> None:
        names = [name for name in self.resting if name[:2] == (request.client_id, request.instrument)]
        for name in names:
            self.cancel(name, Cause.REQUESTED)
        if not names:
            self.outbox.append(Rejected(request.client_id, Ask.CANCEL, Cause.NOT_FOUND, "", None))

    def _cancel_all(self, request: CancelAll) -> None:
        swept = [
            name for name in self.resting if request.instrument in (None, name[1]) and request.side in (None, name[2])
        ]
        for name in swept:
            if self.resting[name].group is None:
                self.cancel(name, Cause.REQUESTED)
            else:
                self._end(name, "CANCELED")
        self.outbox.append(AllCanceled(request.client_id, len(swept), None))

    def _end(self, name: Name, how: str) -> None:
        order = self.resting.pop(name)
        self.ended[name] = (how, order.filled)


def _order_id(name: Name) -> str:
    return f"{name[0]}/{name[1]}/{name[2].name}"
