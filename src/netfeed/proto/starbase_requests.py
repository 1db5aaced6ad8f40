"""What is asked of Starbase, both ways: our requests to messages, and messages to requests.

The correlation id of a message is its number in the session, so that an answer names its message, of which a request
may have several. A MassQuote goes out in messages of at most 15 quotes, each of which is taken or refused by itself; a
CancelAll without an instrument in one message for each currency pair, because Starbase has none for all of them.

What Starbase has no word for is refused before anything is sent, never dropped in silence: an order at the market, one
that only reduces, a list of what rests (Deribit's JSON-RPC has it).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from netfeed.book.execution import (
    NONE,
    Amend,
    Ask,
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
from netfeed.book.level import Side
from netfeed.errors import MisuseError, WireError
from netfeed.proto.starbase_terms import Instruments, Terms
from netfeed.wire.starbase_codes import MessageType, OrderFlags, OrderSide, OrderTime
from netfeed.wire.starbase_orders import MAX_QUOTES

NO_QUANTITY: Final = (0, 0)
ALL_PRODUCTS: Final = 0

_TIMES: Final[Mapping[TimeInForce, int]] = {
    TimeInForce.GTC: OrderTime.GTC, TimeInForce.IOC: OrderTime.IOC, TimeInForce.FOK: OrderTime.FOK,
    TimeInForce.DAY: OrderTime.DAY,
}  # fmt: skip
_TIMES_BACK: Final = {code: time for time, code in _TIMES.items()}
_FLAGS: Final[Mapping[Flag, OrderFlags]] = {
    Flag.POST_ONLY: OrderFlags.POST_ONLY, Flag.POST_ONLY_REJECT: OrderFlags.POST_ONLY_REJECT, Flag.MMP: OrderFlags.MMP,
}  # fmt: skip
_OF_AN_AMEND: Final = Flag.POST_ONLY | Flag.POST_ONLY_REJECT
SIDES: Final[Mapping[Side, int]] = {Side.BID: OrderSide.BUY, Side.ASK: OrderSide.SELL}
SIDES_BACK: Final = {code: side for side, code in SIDES.items()}


class Asked(NamedTuple):
    """One message that asks: its type, its fields but for the correlation id, and what it is a part of.

    `instruments` are those of a part of a MassQuote, none where it is whole.
    """

    message: MessageType
    fields: dict[str, Any]
    client_id: int
    ask: Ask
    instruments: tuple[int, ...] = ()


def side_in(code: int) -> Side:
    """Read the side of an order. Raises: WireError."""
    side = SIDES_BACK.get(code)
    if side is None:
        raise WireError("Starbase side", offset=0, found=code, wanted="1 or -1")
    return side


def asked(request: Request, listed: Instruments, self_match_id: int, quote_flags: Flag) -> list[Asked]:
    """Write a request as messages. Raises: MisuseError when Starbase has no word for it, or a value does not fit."""
    match request:
        case New():
            return [_new(request, listed.ours(request.instrument), self_match_id)]
        case Amend():
            return [_amend(request, listed.ours(request.instrument))]
        case Cancel(client_id, instrument):
            fields = _named(client_id, listed.ours(instrument))
            return [Asked(MessageType.CANCEL, fields, client_id, Ask.CANCEL)]
        case CancelAll():
            return list(_cancel_all(request, listed))
        case MassQuote():
            return list(_quotes(request, listed, self_match_id, quote_flags))
        case List():
            raise MisuseError("Starbase lists nothing over an order session: ask Deribit's JSON-RPC for what rests")


def _named(client_id: int, terms: Terms) -> dict[str, Any]:
    return {"clientOrderId": client_id, "instrumentId": terms.venue_id}


def _new(new: New, terms: Terms, self_match_id: int) -> Asked:
    if new.price is None:
        raise MisuseError("Starbase takes no order without a price: give one that is far enough, and IOC")
    fields = _named(new.client_id, terms) | {
        "price": terms.price_out(new.price), "quantity": terms.quantity_out(new.quantity),
        "selfMatchPreventionId": self_match_id, "side": SIDES[new.side], "timeInForce": _TIMES[new.time_in_force],
        "flags": _flags(new.flags, disconnect=True), "selfTradingMode": 0,
    }  # fmt: skip
    return Asked(MessageType.NEW_ORDER, fields, new.client_id, Ask.NEW)


def _amend(amend: Amend, terms: Terms) -> Asked:
    fields = _named(amend.client_id, terms) | {
        "price": terms.price_out(amend.price), "quantity": terms.quantity_out(amend.quantity),
        "flags": _flags(amend.flags & _OF_AN_AMEND, disconnect=False),
    }  # fmt: skip
    return Asked(MessageType.AMEND, fields, amend.client_id, Ask.AMEND)


def _flags(flags: Flag, *, disconnect: bool) -> int:
    if flags & Flag.REDUCE_ONLY:
        raise MisuseError("Starbase has no order that only reduces: ask for no more than is held")
    bits = sum(bit for flag, bit in _FLAGS.items() if flag in flags)
    return bits | (OrderFlags.CANCEL_ON_DISCONNECT if disconnect and Flag.KEEP not in flags else 0)


def _cancel_all(request: CancelAll, listed: Instruments) -> Iterator[Asked]:
    terms = None if request.instrument is None else listed.ours(request.instrument)
    side = OrderSide.BOTH if request.side is None else SIDES[request.side]
    for pair in listed.pairs if terms is None else (terms.pair,):
        fields = {
            "currencyPairId": pair,
            "instrumentId": None if terms is None else terms.venue_id, "productType": ALL_PRODUCTS, "side": side,
        }  # fmt: skip
        yield Asked(MessageType.MASS_CANCEL, fields, request.client_id, Ask.CANCEL_ALL)


def bits_of(quote_flags: Flag) -> int:
    """Give the flags of both sides of a quote as Starbase has them."""
    return _flags(quote_flags, disconnect=True)


def _quotes(request: MassQuote, listed: Instruments, self_match_id: int, flags: Flag) -> Iterator[Asked]:
    bits = bits_of(flags)
    for first in range(0, len(request.quotes), MAX_QUOTES):
        part = request.quotes[first : first + MAX_QUOTES]
        fields = {
            "quoteId": request.client_id, "mmpGroupId": request.group,
            "selfMatchPreventionId": self_match_id, "flags": int(request.reset and not first),
            "quotes": [_quote(one, listed.ours(one.instrument), bits) for one in part],
        }  # fmt: skip
        named = tuple(one.instrument for one in part) if len(request.quotes) > MAX_QUOTES else ()
        yield Asked(MessageType.MASS_QUOTE, fields, request.client_id, Ask.QUOTE, named)


def _quote(quote: Quote, terms: Terms, bits: int) -> dict[str, Any]:
    fields: dict[str, Any] = {"instrumentId": terms.venue_id, "bidFlags": bits, "askFlags": bits}
    for side, price, quantity in (("bid", quote.bid, quote.bid_quantity), ("ask", quote.ask, quote.ask_quantity)):
        fields[f"{side}Price"] = None if price is None else terms.price_out(price)
        fields[f"{side}Qty"] = NO_QUANTITY if price is None else terms.quantity_out(quantity)
    return fields


# --- and back


def read(message: int, body: Any, listed: Instruments) -> Request | None:
    """Read a message of a client as a request; None where our words have none for it.

    Raises: WireError when a value cannot be: an instrument that is not listed, a price finer than its steps, a side.
    """
    match message:
        case MessageType.NEW_ORDER:
            return _read_new(body, listed.theirs(body.instrumentId))
        case MessageType.AMEND:
            terms = listed.theirs(body.instrumentId)
            price, quantity = terms.price_in(body.price), terms.quantity_in(body.quantity)
            return Amend(body.clientOrderId, terms.instrument, price, quantity, _flags_in(body.flags & ~1))
        case MessageType.CANCEL:
            return Cancel(body.clientOrderId, listed.theirs(body.instrumentId).instrument)
        case MessageType.MASS_CANCEL:
            instrument = listed.theirs(body.instrumentId).instrument if body.instrumentId else None
            return CancelAll(body.correlationId, instrument, None if not body.side else side_in(body.side))
        case MessageType.MASS_QUOTE:
            quotes = tuple(_read_quote(one, listed.theirs(one.instrumentId)) for one in body.quotes)
            return MassQuote(body.quoteId, body.mmpGroupId, quotes, bool(body.flags & 1))
    return None


def _read_new(body: Any, terms: Terms) -> New:
    if body.flags & OrderFlags.MARKET_LIMIT:
        raise WireError("Starbase order", offset=0, found="a market order", wanted="a price")
    days = min(body.timeInForce, OrderTime.DAY)
    if days not in _TIMES_BACK:
        raise WireError("Starbase time in force", offset=0, found=body.timeInForce, wanted=sorted(_TIMES_BACK))
    keep = NONE if body.flags & OrderFlags.CANCEL_ON_DISCONNECT else Flag.KEEP
    return New(
        body.clientOrderId, terms.instrument, side_in(body.side), terms.price_in(body.price),
        terms.quantity_in(body.quantity), _TIMES_BACK[days], _flags_in(body.flags) | keep,
    )  # fmt: skip


def _flags_in(bits: int) -> Flag:
    flags = NONE
    for flag, bit in _FLAGS.items():
        if bits & bit:
            flags |= flag
    return flags


def _read_quote(entry: Any, terms: Terms) -> Quote:
    bid, ask = (None if price is None else terms.price_in(price) for price in (entry.bidPrice, entry.askPrice))
    sizes = (terms.quantity_in(quantity) for quantity in (entry.bidQty, entry.askQty))
    bid_quantity, ask_quantity = sizes
    return Quote(terms.instrument, bid, bid_quantity, ask, ask_quantity)
