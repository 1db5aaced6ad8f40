"""What becomes of our orders on a recorded market: what they take, when they are filled, in which turn.

An order is filled

    as a taker, when it arrives     by what rests up to its limit, less what we took before, at the record's prices
    as a maker, by trades           by what was traded at its price or beyond it since it came, less what was filled
                                    before it, once nothing is before it any more
    as a maker, by the market       by what came to rest at its price or beyond it on the other side, at its own price

and never while its book is not LIVE, or the record's own sides meet. What one of our orders was filled with is not
there for another. Where a record cannot tell, nothing is filled, and a counter says so.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from netfeed.book.execution import Canceled, Cause, Filled, Flag, Report
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.engine.contract import Contract
from netfeed.engine.placing import behind
from netfeed.engine.strategy import Book
from netfeed.sim.fill_depth import Depth, NoBook
from netfeed.sim.fill_fee import FEE_EXPONENT, fee
from netfeed.sim.fill_orders import Own, OwnOrders
from netfeed.sim.fill_queue import Place
from netfeed.sim.fill_tape import Tape, Traded


class FillTrading:
    """Our orders on the books of a record. `books` and `contracts` by instrument."""

    def __init__(self, contracts: Mapping[int, Contract], books: Mapping[int, Book]) -> None:
        self.contracts = contracts
        self.orders = OwnOrders()
        self.count: Counter[str] = Counter()
        self._books = books
        self._depths: dict[int, Depth] = {}
        self._matches = 0
        self._turns = 0

    # --- reading

    def depth(self, instrument: int) -> Depth:
        """Give what can be taken of an instrument: nothing, where it has no book."""
        if instrument not in self._books:
            return Depth(NoBook())
        if instrument not in self._depths:
            self._depths[instrument] = Depth(self._books[instrument])
        return self._depths[instrument]

    def is_live(self, instrument: int) -> bool:
        """Say whether anything can be filled: the book is right, and its sides do not meet."""
        depth = self.depth(instrument)
        return depth.book.state is BookState.LIVE and not depth.crossed

    def offered(self, own: Own) -> list[tuple[int, int]]:
        """List what an order could take now."""
        return self.depth(own.instrument).offered(own.side, own.price) if self.is_live(own.instrument) else []

    # --- our doing

    def next_turn(self) -> int:
        """Give a turn behind all others."""
        self._turns += 1
        return self._turns

    def take(self, own: Own, at_ns: int) -> list[Report]:
        """Let an order take what it can, up to its limit."""
        reports: list[Report] = []
        for price, quantity in self.offered(own):
            size = min(quantity, own.left)
            if not size:
                break
            self.depth(own.instrument).take(own.side, price, size)
            reports.append(self._fill(own, price, size, at_ns, maker=False))
            self.count["fills_taker"] += 1
        return reports

    def rest(self, own: Own) -> None:
        """Let an order stand at the end of its queue."""
        self.orders.add(own)
        self.settle(own)

    def settle(self, own: Own) -> None:
        """Find its place at the end of the queue; there is none where the book is not right."""
        live = self.is_live(own.instrument)
        own.place = Place(self.depth(own.instrument), own.side, own.price) if live else None

    def change(self, own: Own, price: int, quantity: int, at_ns: int) -> list[Report]:
        """Give an order that rests another price and quantity; give what it took.

        Less at the same price keeps the place in the queue; anything else goes to its end.
        """
        keeps = price == own.price and quantity <= own.quantity
        own.price, own.quantity = price, quantity
        if keeps:
            return []
        own.turn = self.next_turn()
        reports = self.take(own, at_ns)
        if own.left:
            self.settle(own)
        else:
            self.orders.remove(own)
        return reports

    # --- the market's doing

    def market(self, tape: Tape, touched: Collection[int] | None, at_ns: int) -> list[Report]:
        """Look at the books after a packet; `touched` None: any of them may have moved."""
        self.count["trades_left_out"] += tape.left_out
        reports: list[Report] = []
        for instrument, depth in self._depths.items():
            if touched is None or instrument in touched:
                depth.look()
        resting = self.orders.instruments()
        for instrument in sorted(resting if touched is None else resting.intersection(touched)):
            reports += self._instrument(instrument, tape, at_ns)
        return reports

    def _instrument(self, instrument: int, tape: Tape, at_ns: int) -> list[Report]:
        trades = tape.trades.get(instrument, [])
        if instrument in tape.blind or not self.is_live(instrument):
            self.count["trades_blind"] += len(trades)
            for own in self.orders.of(instrument):
                self.count["places_lost"] += own.place is not None
                own.place = None
            if not self.is_live(instrument):
                return []
            trades = []
        reports: list[Report] = []
        for side in Side:
            here = [one for one in trades if one.side is side]
            reports += self._by_trades(instrument, side, here, at_ns)
            reports += self._by_market(instrument, side, at_ns)
        return reports + self._trim(instrument, at_ns)

    def _by_trades(self, instrument: int, side: Side, trades: Sequence[Traded], at_ns: int) -> list[Report]:
        reports: list[Report] = []
        used, depth = 0, self.depth(instrument)
        for own in self.orders.in_turn(instrument, side):
            if own.place is None:
                self.settle(own)
                continue
            gone = own.place.moved(depth, trades)
            reached = sum(one.quantity for one in trades if not behind(side, own.price, one.price))
            size = self._share(own, reached - used, gone)
            if size:
                used += size
                reports.append(self._maker(own, size, at_ns, "fills_by_trades"))
        return reports

    def _share(self, own: Own, reached: int, gone: int | None) -> int:
        """Give how much of what was traded is an order's; count what it might have been."""
        assert own.place is not None
        before = own.place.before
        if reached <= 0:
            return 0
        if gone is None or before is None:
            self.count["trades_too_deep"] += 1
        elif before:
            self.count["trades_out_of_turn"] += reached > gone
        else:
            self.count["trades_for_others"] += gone > 0
            return min(own.left, max(0, reached - gone))
        return 0

    def _by_market(self, instrument: int, side: Side, at_ns: int) -> list[Report]:
        reports: list[Report] = []
        opposite = self.depth(instrument).best(Side.ASK if side is Side.BID else Side.BID)
        for own in self.orders.in_turn(instrument, side):
            if opposite is None or behind(side, own.price, opposite.price):
                break
            offered = self.offered(own)
            if not offered:
                break  # no order behind it reaches further
            for price, quantity in offered:
                size = min(quantity, own.left)
                if size:
                    self.depth(instrument).take(side, price, size)
                    reports.append(self._maker(own, size, at_ns, "fills_by_market"))
        return reports

    def _maker(self, own: Own, size: int, at_ns: int, how: str) -> Filled:
        self.count[how] += 1
        told = self._fill(own, own.price, size, at_ns, maker=True)
        if not own.left:
            self.orders.remove(own)
        return told

    def _fill(self, own: Own, price: int, size: int, at_ns: int, *, maker: bool) -> Filled:
        own.filled += size
        self._matches += 1
        self.orders.positions[own.instrument] += size if own.side is Side.BID else -size
        paid = fee(self.contracts[own.instrument], price, size, maker=maker)
        if paid is None:
            self.count["fees_unknown"] += 1
        return Filled(
            own.client_id, own.instrument, own.order_id, self._matches, own.side, price, size, own.filled, maker,
            at_ns, paid, FEE_EXPONENT, quote=own.group is not None,
        )  # fmt: skip

    def _trim(self, instrument: int, at_ns: int) -> list[Report]:
        """Let reduce-only orders go that have nothing to reduce any more."""
        gone: list[Report] = []
        for own in self.orders.of(instrument):
            if own.flags & Flag.REDUCE_ONLY and own.left > self.orders.reducible(instrument, own.side, own):
                gone.append(self.leave(own, Cause.QUANTITY, "reduce_only", at_ns))
        return gone

    def leave(self, own: Own, cause: Cause, why: str, at_ns: int) -> Canceled:
        """Let an order leave."""
        if self.orders.rests(own):
            self.orders.remove(own)
        return own.canceled(cause, why, at_ns)
