"""What Deribit says of orders, in the words of `book.execution`, each thing once, whichever way it comes first.

An order is told of twice: in the answer to the request, and in a notification of user.changes, in any order. So what is
told is what changed of the order as it was known: it is new (Accepted), has another price or amount (Amended), is over
(Canceled). A trade is told once, by its id. What is older than what is known of an order (its last update) changes
nothing.

Bounds: the newest MAX_ORDERS orders and MAX_TRADES trades are remembered. What comes of an order that none of ours is,
by its label, is counted as puzzling.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeVar

from netfeed.book.execution import (
    Accepted,
    Amended,
    Canceled,
    Cause,
    Filled,
    OpenOrder,
    Position,
    Quote,
    Quoted,
    QuoteSide,
    QuoteState,
    Report,
)
from netfeed.book.level import Side
from netfeed.errors import WireError
from netfeed.venues import deribit_order_words as words
from netfeed.venues.deribit_order_words import Listing, OrderObject, Puzzling, Terms, TradeObject
from netfeed.venues.instrument import Number

MAX_ORDERS: Final = 20_000
MAX_TRADES: Final = 20_000

K = TypeVar("K")
V = TypeVar("V")
Said = Iterator[Report | Puzzling]


@dataclass(slots=True)
class Known:
    """An order as it is known. Units: the instrument's; `updated` in ms since 1970."""

    client_id: int
    terms: Terms
    side: Side
    order_id: str
    price: int | None
    quantity: int
    filled: int
    quote: bool
    updated: int = 0
    over: bool = False


class Orders:
    """All orders of a session, by their ids and by ours."""

    def __init__(self, listed: Listing) -> None:
        self._listed = listed
        self._orders: dict[str, Known] = {}
        self._ids: dict[int, str] = {}
        self._trades: dict[str, None] = {}

    def order_id(self, client_id: int) -> str | None:
        """Give the venue's id of an order, None while nobody knows it."""
        return self._ids.get(client_id)

    def changed(self, orders: Sequence[OrderObject], trades: Sequence[TradeObject]) -> Said:
        """Tell what is new in orders and trades that come together: orders before their trades, ends behind them."""
        for order in orders:
            yield from self._guarded(self._stands(order), order.order_id)
        for trade in trades:
            yield from self._guarded(self._traded(trade), trade.order_id)
        for order in orders:
            yield from self._guarded(self._ends(order), order.order_id)

    def _guarded(self, said: Said, order_id: str) -> Said:
        try:
            yield from said
        except WireError as error:
            yield Puzzling(f"order {order_id[:40]}: {error.what}: {error.found}")

    def _stands(self, order: OrderObject) -> Said:
        known = self._orders.get(order.order_id)
        if known is None:
            yield from self._appears(order)
            return
        updated = order.last_update_timestamp or 0
        if known.over or updated < known.updated:
            return
        price, quantity = self._price(order, known.terms), known.terms.quantity_in(order.amount or Decimal(0))
        client_id = _whose(order)
        if client_id is not None and client_id != known.client_id:  # a quote is of the newest request that names it
            known.client_id = client_id
        differs = (price, quantity) != (known.price, known.quantity) and order.amount is not None
        known.updated = updated
        if not differs:
            return
        known.price, known.quantity = price, quantity
        if not known.quote and price is not None:
            yield self.amended(known, order)

    def amended(self, known: Known, order: OrderObject) -> Amended:
        """Tell that an order has another price and amount."""
        filled, rests = known.terms.quantity_in(order.filled_amount), order.order_state == "open"
        return Amended(
            known.client_id, known.terms.instrument, known.order_id, known.price or 0, known.quantity, filled, rests,
            words.nanoseconds(order.last_update_timestamp),
        )  # fmt: skip

    def find(self, order_id: str) -> Known | None:
        """Give what is known of an order."""
        return self._orders.get(order_id)

    def _appears(self, order: OrderObject) -> Said:
        client_id = _whose(order)
        if client_id is None:
            yield Puzzling(f"order {order.order_id[:40]} is none of ours: {order.label[:40]!r}")
            return
        terms, side = self._listed.theirs(order.instrument_name), _side(order.direction)
        known = Known(
            client_id, terms, side, order.order_id, self._price(order, terms),
            terms.quantity_in(order.amount or Decimal(0)), 0, order.quote, order.last_update_timestamp or 0,
        )  # fmt: skip
        remember(self._orders, order.order_id, known, MAX_ORDERS)
        if order.quote:
            return
        remember(self._ids, client_id, order.order_id, MAX_ORDERS)
        yield Accepted(
            client_id, terms.instrument, order.order_id, known.price, known.quantity,
            terms.quantity_in(order.filled_amount), order.order_state == "open",
            words.nanoseconds(order.creation_timestamp),
        )  # fmt: skip

    def _price(self, order: OrderObject, terms: Terms) -> int | None:
        return None if order.limit is None else terms.price_in(order.limit)

    def _traded(self, trade: TradeObject) -> Said:
        if trade.trade_id in self._trades:
            return
        known = self._orders.get(trade.order_id)
        label = trade.label if trade.quote_id in (None, "") else str(trade.quote_id)
        client_id = words.client_id_of(label) if known is None else known.client_id
        if client_id is None:
            yield Puzzling(f"trade {trade.trade_id[:40]} is of no order of ours")
            return
        terms = self._listed.theirs(trade.instrument_name)
        quantity = terms.quantity_in(trade.amount)
        fee = None if trade.fee is None else Number.of(trade.fee)
        filled = Filled(
            client_id, terms.instrument, trade.order_id, trade.trade_id, _side(trade.direction),
            terms.price_in(trade.price), quantity, None if known is None else known.filled + quantity,
            words.MAKERS.get(trade.liquidity), words.nanoseconds(trade.timestamp),
            None if fee is None else fee.mantissa, 0 if fee is None else fee.exponent,
            known.quote if known is not None else trade.quote_id not in (None, ""),
        )  # fmt: skip
        remember(self._trades, trade.trade_id, None, MAX_TRADES)
        if known is not None:
            known.filled += quantity
        yield filled

    def _ends(self, order: OrderObject) -> Said:
        known = self._orders.get(order.order_id)
        if known is None or known.over or order.order_state in ("open", "untriggered"):
            return
        known.over = True
        if order.order_state == "filled":
            return
        cause = words.CAUSES.get(order.cancel_reason, Cause.OTHER)
        if not order.cancel_reason and order.time_in_force in ("immediate_or_cancel", "fill_or_kill"):
            cause = Cause.TIME_IN_FORCE
        yield Canceled(
            known.client_id, known.terms.instrument, order.order_id, known.terms.quantity_in(order.filled_amount),
            cause, order.cancel_reason[: words.MAX_TEXT] or order.order_state[: words.MAX_TEXT],
            words.nanoseconds(order.last_update_timestamp), known.quote,
        )  # fmt: skip

    # --- quotes and lists

    def quoted(self, client_id: int, group: int, asked: Sequence[Quote], done: words.QuotesDone) -> Quoted:
        """Tell what became of each side that was asked for. Raises: WireError."""
        orders = {(one.instrument_name, one.direction): one for one in done.orders}
        errors = {(one.instrument_name, one.side): one.error for one in done.errors}
        sides = []
        for quote in asked:
            terms = self._listed.ours(quote.instrument)
            pair = []
            for side, name, price in ((Side.BID, "bid", quote.bid), (Side.ASK, "ask", quote.ask)):
                error, order = errors.get((terms.name, name)), orders.get((terms.name, words.DIRECTIONS[side]))
                if error is not None and price is not None:
                    cause, reason = words.refusal(error.code, error.message)
                    pair.append(QuoteSide(QuoteState.REFUSED, None, None, 0, 0, cause, reason))
                else:
                    pair.append(_quote_side(order, terms))
            sides.append((quote.instrument, pair[0], pair[1]))
        return Quoted(client_id, group, tuple(sides), None)

    def resting(self, orders: Sequence[OrderObject]) -> tuple[tuple[OpenOrder, ...], list[str]]:
        """Give the orders of a list, and know them from now on; and the names of instruments that are not listed.

        Raises: WireError.
        """
        found, strange = [], []
        for order in orders:
            if not self._listed.knows(order.instrument_name):
                strange.append(order.instrument_name[: words.MAX_TEXT])
                continue
            known = self._listed_order(order)
            found.append(OpenOrder(
                _whose(order), known.terms.instrument, order.order_id, known.side, known.price, known.quantity,
                known.filled, order.quote,
            ))  # fmt: skip
            if _whose(order) is not None and order.order_id not in self._orders:
                remember(self._orders, order.order_id, known, MAX_ORDERS)
                if not order.quote:
                    remember(self._ids, known.client_id, order.order_id, MAX_ORDERS)
        return tuple(found), strange

    def _listed_order(self, order: OrderObject) -> Known:
        terms, client_id = self._listed.theirs(order.instrument_name), _whose(order)
        return Known(
            -1 if client_id is None else client_id, terms, _side(order.direction), order.order_id,
            self._price(order, terms), terms.quantity_in(order.amount or Decimal(0)),
            terms.quantity_in(order.filled_amount), order.quote, order.last_update_timestamp or 0,
        )  # fmt: skip

    def held(self, positions: Sequence[words.PositionObject]) -> tuple[tuple[Position, ...], list[str]]:
        """Give the positions of a list, but for those of nothing, and the names of instruments that are not listed.

        Raises: WireError.
        """
        found, strange = [], []
        for one in positions:
            if one.size and not self._listed.knows(one.instrument_name):
                strange.append(one.instrument_name[: words.MAX_TEXT])
            elif one.size:
                terms = self._listed.theirs(one.instrument_name)
                found.append(Position(terms.instrument, terms.quantity_in(one.size), None))
        return tuple(found), strange


def _whose(order: OrderObject) -> int | None:
    return words.client_id_of(str(order.quote_id) if order.quote else order.label)


def _side(direction: str) -> Side:
    side = words.SIDES.get(direction)
    if side is None:
        raise WireError("direction", offset=0, found=direction[: words.MAX_TEXT], wanted="buy or sell")
    return side


def _quote_side(order: OrderObject | None, terms: Terms) -> QuoteSide:
    states = {"open": QuoteState.RESTS, "filled": QuoteState.FILLED, "cancelled": QuoteState.CANCELED}
    if order is None or order.limit is None:
        return QuoteSide(QuoteState.NONE, None, None, 0, 0, Cause.OTHER, "")
    state = states.get(order.order_state, QuoteState.NONE)
    cause = words.CAUSES.get(order.cancel_reason, Cause.OTHER)
    return QuoteSide(
        state, order.order_id, terms.price_in(order.limit), terms.quantity_in(order.amount or Decimal(0)),
        terms.quantity_in(order.filled_amount), cause, order.order_state[: words.MAX_TEXT],
    )  # fmt: skip


def remember(known: dict[K, V], key: K, value: V, most: int) -> None:
    """Put a value into a dictionary that forgets its oldest."""
    known[key] = value
    if len(known) > most:
        del known[next(iter(known))]
