"""An account of a simulated exchange in Deribit's objects: what reports say of orders and trades, step by step.

    told = Accounts(exchange, ["mm"]).follow(outcome)    {"mm": Step(orders, trades, tripped)}

Each step says what has changed, and nothing later: an object is made of the reports alone, so that what a client is
told is in the order of the exchange, whenever it is told. `last_update_timestamp` never falls.

Bounded: an order is known while it lives; of those that are over nothing is kept but labels that are no client ids.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from netfeed.book.execution import (
    Accepted,
    Amended,
    Canceled,
    Cause,
    Filled,
    Flag,
    Quoted,
    QuoteSide,
    QuoteState,
    Report,
    TimeInForce,
    Tripped,
)
from netfeed.sim.exchange import Exchange
from netfeed.sim.exchange_orders import Live
from netfeed.sim.exchange_trading import Outcome
from netfeed.sim.jsonrpc_text import number
from netfeed.sim.jsonrpc_words import CANCEL_REASONS, DIRECTIONS, TIMES
from netfeed.sim.terms import FEE_EXPONENT

_MS: Final = 1_000_000


@dataclass(slots=True)
class Known:
    """An order as it has been told. Units: the instrument's; times in ms since 1970."""

    id: int
    client_id: int
    label: str
    instrument: int
    side: int
    price: int
    quantity: int
    filled: int
    flags: Flag
    time_in_force: TimeInForce
    group: int | None
    created: int
    updated: int
    state: str = "open"
    reason: str = ""
    market: bool = False


@dataclass(slots=True)
class Step:
    """What a step did to an account: orders that changed and trades, by instrument; groups that have tripped."""

    orders: dict[int, dict[int, dict[str, Any]]] = field(default_factory=dict)
    trades: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    tripped: list[Tripped] = field(default_factory=list)

    @property
    def instruments(self) -> list[int]:
        """List the instruments that it touched."""
        return list(dict.fromkeys([*self.orders, *self.trades]))

    def order(self, order_id: int) -> dict[str, Any] | None:
        """Give an order that it changed."""
        return next((orders[order_id] for orders in self.orders.values() if order_id in orders), None)

    def trades_of(self, order_id: int) -> list[dict[str, Any]]:
        """List the trades of an order."""
        name = str(order_id)
        return [one for trades in self.trades.values() for one in trades if one["order_id"] == name]


class Accounts:
    """The accounts of these names.

    `labels` by client id, and whether it is `at_market`: what is said of an order before it is entered.
    """

    def __init__(self, exchange: Exchange, names: Iterable[str]) -> None:
        self.labels: dict[int, str] = {}
        self.at_market = False
        self._exchange = exchange
        self._orders: dict[str, dict[int, Known]] = {name: {} for name in names}
        self._quotes: dict[tuple[str, int, int, int], int] = {}
        self._now = 0

    def follow(self, outcome: Outcome) -> dict[str, Step]:
        """Take a step of the exchange; say what it did to each account."""
        self._now = max(self._now, outcome.at_ns // _MS)
        steps: dict[str, Step] = {}
        for account, _, report in outcome.deliveries:
            if account in self._orders:
                self._take(account, report, steps.setdefault(account, Step()))
        return steps

    def listed(self, account: str, live: Live) -> dict[str, Any]:
        """Give the object of an order as it is in the exchange."""
        one = replace(self._known(account, live), client_id=live.client_id, price=live.price, group=live.group)
        one.quantity, one.filled, one.flags = live.quantity, live.filled, live.flags
        return self.tell(one)

    def label(self, account: str, live: Live) -> str:
        """Give the label of an order."""
        return self._known(account, live).label

    def _known(self, account: str, live: Live) -> Known:
        return self._orders[account].get(live.id) or self._begin(live, live.client_id)

    def tell(self, one: Known) -> dict[str, Any]:
        """Give the object of an order."""
        of, quote = self._exchange.trading.markets[one.instrument].instrument, one.group is not None
        price, exponent = of.exponents
        told: dict[str, Any] = {
            "order_id": str(one.id), "instrument_name": of.name, "direction": DIRECTIONS[one.side],
            "order_state": one.state, "order_type": "market" if one.market else "limit",
            "amount": number(one.quantity, exponent), "filled_amount": number(one.filled, exponent),
            "price": "market_price" if one.market else number(one.price, price), "api": True, "label": one.label,
            "time_in_force": TIMES[one.time_in_force], "post_only": bool(one.flags & _PASSIVE),
            "reject_post_only": bool(one.flags & Flag.POST_ONLY_REJECT), "web": False,
            "reduce_only": bool(one.flags & Flag.REDUCE_ONLY), "mmp": quote or bool(one.flags & Flag.MMP),
            "creation_timestamp": one.created, "last_update_timestamp": one.updated,
            "is_liquidation": not one.client_id,
        }  # fmt: skip
        if quote:
            told |= {"quote": True, "quote_id": str(one.client_id), "quote_set_id": of.name, "label": ""}
        return told | {"cancel_reason": one.reason} if one.reason else told

    # -- inside

    def _take(self, account: str, report: Report, step: Step) -> None:
        match report:
            case Accepted():
                self._accepted(account, report, step)
            case Amended():
                one = self._find(account, int(report.order_id), report.client_id)
                one.price, one.quantity, one.filled = report.price, report.quantity, report.filled
                self._touch(account, one, step)
            case Filled():
                self._filled(account, report, step)
            case Canceled():
                one = self._find(account, int(report.order_id), report.client_id)
                one.filled = one.filled if report.filled is None else report.filled
                self._over(account, one, report.cause, step)
            case Quoted():
                for instrument, *sides in report.sides:
                    for side, quoted in enumerate(sides):
                        self._quoted(account, report, instrument, side, quoted, step)
            case Tripped():
                step.tripped.append(report)

    def _accepted(self, account: str, report: Accepted, step: Step) -> None:
        one = self._find(account, int(report.order_id), report.client_id)
        one.price, one.quantity, one.filled = report.price or one.price, report.quantity, 0
        one.market, self.at_market = self.at_market, False
        self._touch(account, one, step)

    def _filled(self, account: str, report: Filled, step: Step) -> None:
        one = self._find(account, int(report.order_id), report.client_id)
        one.filled = one.filled + report.quantity if report.filled is None else report.filled
        if one.filled >= one.quantity:
            one.state = "filled"
        step.trades.setdefault(report.instrument, []).append(self._trade(one, report))
        self._touch(account, one, step)

    def _quoted(
        self, account: str, report: Quoted, instrument: int, side: int, quoted: QuoteSide, step: Step
    ) -> None:  # fmt: skip
        """Take one side of a quote: what was there before is over, unless it is the same order."""
        place = (account, report.group, instrument, side)
        before = self._orders[account].get(self._quotes.get(place, 0))
        if before is not None and before.id != quoted.order_id:
            self._over(account, before, Cause.REQUESTED, step)
        if quoted.order_id is None or quoted.price is None:
            if before is not None and before.id == quoted.order_id:
                self._over(account, before, Cause.REQUESTED, step)
            return
        one = self._find(account, int(quoted.order_id), report.client_id)
        self._quotes[place] = one.id
        one.client_id, one.group, one.price = report.client_id, report.group, quoted.price
        one.quantity, one.filled = quoted.quantity + quoted.filled, 0
        if quoted.state is QuoteState.CANCELED:
            one.filled = quoted.filled
            self._over(account, one, quoted.cause, step)
        else:
            self._touch(account, one, step)

    def _find(self, account: str, order_id: int, client_id: int) -> Known:
        """Give an order, which is known from its first report on."""
        one = self._orders[account].get(order_id)
        if one is None:
            live = self._exchange.trading.orders.ever(order_id)
            assert live is not None, f"order {order_id} was never there"
            one = self._begin(live, client_id)
            self._orders[account][order_id] = one
        return one

    def _begin(self, live: Live, client_id: int) -> Known:
        label = "" if live.group is not None or not client_id else self.labels.pop(client_id, str(client_id))
        return Known(
            live.id, client_id, label, live.instrument, live.side, live.price, live.quantity, 0, live.flags,
            live.time_in_force, live.group, self._now, self._now,
        )  # fmt: skip

    def _over(self, account: str, one: Known, cause: Cause, step: Step) -> None:
        one.state, one.reason = "cancelled", CANCEL_REASONS.get(cause, "other")
        self._touch(account, one, step)

    def _touch(self, account: str, one: Known, step: Step) -> None:
        """Say how an order is now; the last that a step says of it holds."""
        one.updated = self._now
        step.orders.setdefault(one.instrument, {})[one.id] = self.tell(one)
        if one.state != "open":
            self._orders[account].pop(one.id, None)

    def _trade(self, one: Known, report: Filled) -> dict[str, Any]:
        market = self._exchange.trading.markets[report.instrument]
        price, exponent = market.instrument.exponents
        marks: Mapping[int, int] = self._exchange.trading.marks
        told: dict[str, Any] = {
            "trade_id": str(report.match_id), "order_id": str(one.id), "instrument_name": market.instrument.name,
            "direction": DIRECTIONS[report.side], "price": number(report.price, price),
            "amount": number(report.quantity, exponent), "timestamp": self._now, "label": one.label,
            "fee": number(report.fee or 0, report.fee_exponent or FEE_EXPONENT), "api": True, "state": one.state,
            "fee_currency": self._exchange.trading.ledger.terms[report.instrument].currency,
            "liquidity": "M" if report.maker else "T", "order_type": "market" if one.market else "limit",
            "mark_price": number(marks[report.instrument], price), "self_trade": False,
            "index_price": number(self._exchange.trading.index, -9), "mmp": one.group is not None,
        }  # fmt: skip
        return told | {"quote_id": str(one.client_id), "quote_set_id": market.instrument.name} if report.quote else told


_PASSIVE: Final = Flag.POST_ONLY | Flag.POST_ONLY_REJECT
