"""A small market for tests of decisions: contracts, real books of orders, a board, a venue that answers when told."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from netfeed.book import OrderBooks
from netfeed.book.execution import Amend, Cancel, MassQuote, New, Request, TimeInForce
from netfeed.book.handle import OrderBook
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.engine.board import Board
from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.strategy import Fair, Phase, Working

PERPETUAL, CALL, FUTURE, LINEAR = range(4)
DAY_NS = 86_400 * 10**9
WALL_NS = 1_800_000_000 * 10**9

CONTRACTS = (
    Contract(PERPETUAL, "BTC-PERPETUAL", Payoff.PERPETUAL, "BTC", True, -1, 0, 5, 10, 1.0, taker_fee=0.0005),
    Contract(
        CALL, "BTC-C", Payoff.CALL, "BTC", True, -4, -1, 1, 1, 1.0, 100_000.0, WALL_NS + 30 * DAY_NS, ((50, 5),),
        maker_fee=0.0003,
    ),
    Contract(
        FUTURE, "BTC-F", Payoff.FUTURE, "BTC", False, -1, -3, 5, 10, 1.0, None, WALL_NS + 30 * DAY_NS, taker_fee=0.0002
    ),
    Contract(
        LINEAR, "BTC-P", Payoff.PUT, "BTC", False, -1, -2, 50, 10, 1.0, 90_000.0, WALL_NS + 30 * DAY_NS,
        maker_fee=0.0001,
    ),
)  # fmt: skip
FAIRS = {
    PERPETUAL: Fair(100_000.0, 100_000.0, 1.0, 0, 0),
    CALL: Fair(0.0301, 100_000.0, 0.45, 0, 0, gamma=2e-5, vega=11_000.0, volatility=0.6),
    FUTURE: Fair(100_050.0, 100_050.0, 1.0, 0, 0),
    LINEAR: Fair(2_310.0, 100_050.0, -0.25, 0, 0, gamma=1e-5, vega=9_000.0, volatility=0.62),
}

Levels = Sequence[tuple[int, int]]
"""(price, quantity)."""
TOPS: dict[int, tuple[Levels, Levels]] = {
    PERPETUAL: (((999_995, 5_000),), ((1_000_000, 4_000), (1_000_005, 9_000))),
    CALL: (((290, 40),), ((315, 30),)),
    FUTURE: (((1_000_400, 900),), ((1_000_500, 800),)),
    LINEAR: (((22_950, 100),), ((23_250, 100),)),
}


class Stage:
    """A board with real books, all LIVE, a good clock, and a venue's answers."""

    def __init__(self) -> None:
        self.books = OrderBooks()
        self.board = Board(CONTRACTS)
        self.board.at(10**9, WALL_NS, 0)
        self._ids = count(1_000_000)
        for contract in CONTRACTS:
            index = self.books.add_book(BookState.LIVE)
            self.board.set_book(index, OrderBook(self.books, index))
            self.show(contract.index, *TOPS[contract.index])
        self.board.set_fairs(FAIRS)
        self.working: dict[int, Working] = {}
        self.sent: list[Request] = []

    def show(self, instrument: int, bids: Levels, asks: Levels) -> None:
        """Let a book hold these levels, an order each."""
        self.books.clear(instrument)
        for side, levels in ((Side.BID, bids), (Side.ASK, asks)):
            for price, quantity in levels:
                assert self.books.add(instrument, next(self._ids), side, price, quantity) == 0
        self.books.end()
        self.board.touch([instrument])

    def pass_time(self, ns: int) -> None:
        """Move both clocks on."""
        self.board.at(self.board.now + ns, self.board.wall_ns + ns, self.board.clock_off_ns)

    def rest(self, *orders: Working) -> None:
        """Let these be all our orders."""
        self.working = {order.client_id: order for order in orders}
        self._tell()

    def send(self, requests: Sequence[Request]) -> None:
        """Show requests as sent, as whoever sends them must; quotes are answered at once."""
        for request in requests:
            self.sent.append(request)
            match request:
                case New(client_id, instrument, side, price, quantity, time_in_force):
                    assert client_id not in self.working
                    self.working[client_id] = Working(
                        client_id, instrument, side, price, quantity, Phase.SENT, placed_ns=self.board.now
                    )
                    assert price is not None or time_in_force is not TimeInForce.GTC
                case Amend(client_id, _, price, quantity):
                    order = self.working[client_id]
                    assert order.settled, "one request an order is under way"
                    self.working[client_id] = replace(order, phase=Phase.SENT, asked_price=price)
                case Cancel(client_id):
                    assert self.working[client_id].phase in (Phase.RESTS, Phase.SENT)
                    self.working[client_id] = replace(self.working[client_id], phase=Phase.LEAVING)
                case MassQuote(client_id, _, quotes):
                    for number, quote in enumerate(quotes):
                        self._quote(client_id, 2 * number, quote.instrument, quote.bid, quote.bid_quantity, Side.BID)
                        self._quote(
                            client_id, 2 * number + 1, quote.instrument, quote.ask, quote.ask_quantity, Side.ASK
                        )
        self._tell()

    def answer(self, client_id: int, *, done: bool = True) -> None:
        """Let the venue do what was asked of an order, or refuse it."""
        order = self.working[client_id]
        asked = [r for r in self.sent if isinstance(r, New | Amend | Cancel) and r.client_id == client_id][-1]
        match asked:
            case New() if done:
                self.working[client_id] = replace(order, phase=Phase.RESTS)
            case Amend(_, _, price, quantity) if done:
                self.working[client_id] = replace(
                    order, phase=Phase.RESTS, price=price, quantity=quantity - order.filled, asked_price=None,
                    placed_ns=self.board.now,
                )  # fmt: skip
            case Amend() | Cancel() if not done:
                self.working[client_id] = replace(order, phase=Phase.RESTS, asked_price=None)
            case _:
                del self.working[client_id]
        self._tell()

    def lose(self, client_id: int) -> None:
        """Let nobody know what became of an order."""
        self.working[client_id] = replace(self.working[client_id], phase=Phase.UNCERTAIN)
        self._tell()

    def answer_all(self) -> None:
        """Let the venue do everything that was asked."""
        for client_id in [one for one, order in self.working.items() if not order.settled]:
            self.answer(client_id)

    def _quote(self, request: int, number: int, instrument: int, price: int | None, quantity: int, side: Side) -> None:
        for client_id, order in list(self.working.items()):
            if order.quote and order.instrument == instrument and order.side is side:
                del self.working[client_id]
        if price is not None:
            name = -(request * 1000 + number + 1)
            self.working[name] = Working(
                name, instrument, side, price, quantity, placed_ns=self.board.now, quote=True
            )  # fmt: skip

    def _tell(self) -> None:
        for contract in CONTRACTS:
            mine = [order for order in self.working.values() if order.instrument == contract.index]
            self.board.set_working(contract.index, mine)
