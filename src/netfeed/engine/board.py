"""The view that strategies are given: what is known now, put together from books, orders, positions and worths.

Whoever drives the engine (live, a replay, a simulation) writes here what has changed and says when; a strategy reads
the same object as its `View`. Books are not copied: they are always up to date. What was written since the last
`take_touched` is what the next decision is asked about.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence, Set

from netfeed.book.level import Order, Side
from netfeed.engine.contract import Contract
from netfeed.engine.greeks import of_positions
from netfeed.engine.strategy import Book, Fair, Greeks, Working
from netfeed.errors import MisuseError


class Board:
    """What is known of each instrument, as of `now`."""

    def __init__(self, contracts: Iterable[Contract]) -> None:
        self._contracts = {contract.index: contract for contract in contracts}
        self._books: dict[int, Book] = {}
        self._working: dict[int, tuple[Working, ...]] = {}
        self._positions: dict[int, int] = {}
        self._fairs: dict[int, Fair] = {}
        self._filled: dict[int, int] = {}
        self._greeks: dict[str, Greeks] = {}
        self._touched: set[int] = set()
        self.now = 0
        self.wall_ns = 0
        self.clock_off_ns: int | None = None

    # --- what a strategy reads

    @property
    def contracts(self) -> Mapping[int, Contract]:
        """Give the instruments by their index."""
        return self._contracts

    def book(self, instrument: int) -> Book:
        """Give a book. Raises: MisuseError when nobody has given it one."""
        if instrument not in self._books:
            raise MisuseError(f"there is no book of instrument {instrument}; call set_book first")
        return self._books[instrument]

    def working(self, instrument: int) -> Sequence[Working]:
        """List our own orders and quotes."""
        return self._working.get(instrument, ())

    def position(self, instrument: int) -> int:
        """Give what we hold, signed."""
        return self._positions.get(instrument, 0)

    def fair(self, instrument: int) -> Fair | None:
        """Give what it is worth, None where that is not known."""
        return self._fairs.get(instrument)

    def greeks(self, underlying: str) -> Greeks:
        """Give what all positions in an underlying come to."""
        if underlying not in self._greeks:
            self._greeks[underlying] = of_positions(self._contracts, self._positions, self._fairs, underlying)
        return self._greeks[underlying]

    def filled_ns(self, instrument: int) -> int | None:
        """Say when we were last filled there, None when never."""
        return self._filled.get(instrument)

    # --- what its driver writes

    def at(self, now: int, wall_ns: int, clock_off_ns: int | None) -> None:
        """Move the time on. Units: monotonic ns; ns since 1970; how far that may be off, None when nobody knows."""
        self.now, self.wall_ns, self.clock_off_ns = now, wall_ns, clock_off_ns

    def touch(self, instruments: Collection[int]) -> None:
        """Note that the books of these have changed."""
        self._touched.update(instruments)

    @property
    def is_touched(self) -> bool:
        """Say whether anything has changed since the last `take_touched`."""
        return bool(self._touched)

    @property
    def touched(self) -> Set[int]:
        """Give what has changed since the last `take_touched`; it stays so."""
        return self._touched

    def take_touched(self) -> frozenset[int]:
        """Give what has changed since the last call."""
        touched = frozenset(self._touched)
        self._touched.clear()
        return touched

    def set_book(self, instrument: int, book: Book) -> None:
        """Give an instrument its book, for good."""
        self._books[self._known(instrument)] = book

    def set_working(self, instrument: int, orders: Sequence[Working]) -> None:
        """Say which orders of ours there are."""
        self._working[self._known(instrument)] = tuple(orders)

    def set_position(self, instrument: int, quantity: int, filled_ns: int | None = None) -> None:
        """Say what we hold, and when that was filled; None when it was no fill (a reconciliation)."""
        self._positions[self._known(instrument)] = quantity
        if filled_ns is not None:
            self._filled[instrument] = filled_ns
        self._greeks.clear()

    def set_fairs(self, fairs: Mapping[int, Fair | None]) -> None:
        """Say what instruments are worth; None: it is no longer known."""
        for instrument, fair in fairs.items():
            self._known(instrument)
            if fair is None:
                self._fairs.pop(instrument, None)
            else:
                self._fairs[instrument] = fair
        self._greeks.clear()

    def _known(self, instrument: int) -> int:
        if instrument not in self._contracts:
            raise MisuseError(f"there is no contract {instrument}")
        self._touched.add(instrument)
        return instrument


def ahead(queue: Sequence[Order], order_id: int | str) -> int | None:
    """Give how much would be filled before an order of the queue at its price; None when it is not there.

    `queue` is what `OrderBook.queue(side, price)` gives.
    """
    quantity = 0
    for order in queue:
        if order.order_id == order_id:
            return quantity
        quantity += order.quantity
    return None


def best(book: Book, side: Side) -> int | None:
    """Give the best price of a side, None when it is empty."""
    level = book.bid if side is Side.BID else book.ask
    return level.price if level else None
