"""What is asked of Deribit: requests as calls of its JSON-RPC, numbers written digit by digit.

    New         private/buy, private/sell              label is the client id
    Amend       private/edit, or edit_by_label         where the order's own id is not known yet
    Cancel      private/cancel, or cancel_by_label
    CancelAll   private/cancel_all, or cancel_all_by_instrument, and cancel_quotes where there were any
    MassQuote   private/mass_quote, all answers awaited; a side without a price has the amount 0, which pulls it
    List        private/get_open_orders and private/get_positions

Source: docs.deribit.com (API 2.1.1). That an amount of 0 pulls a quote is said of Starbase's quotes; of these it is
taken to be the same.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from netfeed.book.execution import (
    Amend,
    Cancel,
    CancelAll,
    Flag,
    List,
    MassQuote,
    New,
    Quote,
    Request,
    TimeInForce,
)
from netfeed.errors import MisuseError
from netfeed.venues.deribit_order_words import DIRECTIONS, Listing, Terms

MAX_QUOTES: Final = 50
"""Quotes of one mass_quote; more are several calls. The venue's own limit is not documented."""

_TIMES: Final[Mapping[TimeInForce, str]] = {
    TimeInForce.GTC: "good_til_cancelled", TimeInForce.IOC: "immediate_or_cancel", TimeInForce.FOK: "fill_or_kill",
    TimeInForce.DAY: "good_til_day",
}  # fmt: skip


class Call(NamedTuple):
    """One call: its method and params, and for a part of a MassQuote its quotes."""

    method: str
    params: dict[str, Any]
    quotes: tuple[Quote, ...] = ()


class Calls:
    """Requests as calls. `groups`: the venue's name and index of each protection group, by our number."""

    def __init__(self, listed: Listing, groups: Mapping[int, tuple[str, str]], quote_flags: Flag) -> None:
        self._listed, self._groups, self._quote_flags = listed, dict(groups), quote_flags

    def of(self, request: Request, order_id: str | None, *, quoted: bool) -> list[Call]:
        """Give the calls of a request. `order_id` is that of its order, None while nobody knows it.

        Raises: MisuseError when Deribit has no word for it, or a value does not fit.
        """
        match request:
            case New():
                return [self._new(request)]
            case Amend():
                return [self._amend(request, order_id)]
            case Cancel(client_id, instrument):
                self._listed.ours(instrument)
                if order_id is None:
                    return [Call("private/cancel_by_label", {"label": str(client_id)})]
                return [Call("private/cancel", {"order_id": order_id})]
            case CancelAll():
                return self._cancel_all(request, quoted)
            case MassQuote():
                return self._quotes(request)
            case List():
                positions = Call("private/get_positions", {"currency": "any"})
                return [Call("private/get_open_orders", {}), positions]

    def _new(self, new: New) -> Call:
        terms = self._listed.ours(new.instrument)
        params: dict[str, Any] = {
            "instrument_name": terms.name, "amount": terms.quantity_out(new.quantity), "label": str(new.client_id),
            "type": "market" if new.price is None else "limit", "time_in_force": _TIMES[new.time_in_force],
        }  # fmt: skip
        if new.price is not None:
            params["price"] = terms.price_out(new.price)
        return Call(f"private/{DIRECTIONS[new.side]}", params | _flags(new.flags))

    def _amend(self, amend: Amend, order_id: str | None) -> Call:
        terms = self._listed.ours(amend.instrument)
        params: dict[str, Any] = {
            "amount": terms.quantity_out(amend.quantity), "price": terms.price_out(amend.price),
        }  # fmt: skip
        params |= _flags(amend.flags & (Flag.POST_ONLY | Flag.POST_ONLY_REJECT | Flag.REDUCE_ONLY | Flag.MMP))
        if order_id is None:
            name = {"label": str(amend.client_id), "instrument_name": terms.name}
            return Call("private/edit_by_label", name | params)
        return Call("private/edit", {"order_id": order_id} | params)

    def _cancel_all(self, request: CancelAll, quoted: bool) -> list[Call]:
        if request.side is not None:
            raise MisuseError("Deribit cancels both sides at once: cancel orders one by one")
        if request.instrument is None:
            calls = [Call("private/cancel_all", {}), Call("private/cancel_quotes", {"cancel_type": "all"})]
        else:
            name = {"instrument_name": self._listed.ours(request.instrument).name}
            quotes = Call("private/cancel_quotes", {"cancel_type": "instrument"} | name)
            calls = [Call("private/cancel_all_by_instrument", {"type": "all"} | name), quotes]
        return calls if quoted else calls[:1]

    def _quotes(self, request: MassQuote) -> list[Call]:
        group = self._groups.get(request.group)
        if group is None:
            raise MisuseError(f"protection group {request.group} is not one of this session's {len(self._groups)}")
        calls = []
        if request.reset:
            calls.append(Call("private/reset_mmp", {"index_name": group[1], "mmp_group": group[0]}))
        for first in range(0, len(request.quotes), MAX_QUOTES):
            part = request.quotes[first : first + MAX_QUOTES]
            params = {
                "quote_id": str(request.client_id), "mmp_group": group[0], "wait_for_response": True, "detailed": True,
                "quotes": [self._quote(quote, self._listed.ours(quote.instrument)) for quote in part],
            }  # fmt: skip
            calls.append(Call("private/mass_quote", params, part))
        return calls

    def _quote(self, quote: Quote, terms: Terms) -> dict[str, Any]:
        side: dict[str, Any] = {"instrument_name": terms.name, "quote_set_id": terms.name}
        for name, price, quantity in (("bid", quote.bid, quote.bid_quantity), ("ask", quote.ask, quote.ask_quantity)):
            if price is None:
                side[name] = {"amount": 0}
            else:
                placed = {"price": terms.price_out(price), "amount": terms.quantity_out(quantity)}
                side[name] = placed | _flags(self._quote_flags & (Flag.POST_ONLY | Flag.POST_ONLY_REJECT))
        return side


def _flags(flags: Flag) -> dict[str, bool]:
    """Give the options of an order; one that is not asked for is left to the venue's default, which is off."""
    params: dict[str, bool] = {}
    if flags & (Flag.POST_ONLY | Flag.POST_ONLY_REJECT):
        params |= {"post_only": True, "reject_post_only": bool(flags & Flag.POST_ONLY_REJECT)}
    if flags & Flag.REDUCE_ONLY:
        params["reduce_only"] = True
    if flags & Flag.MMP:
        params["mmp"] = True
    return params
