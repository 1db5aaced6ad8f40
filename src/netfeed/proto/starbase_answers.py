"""The other way of `starbase_reports`: what a venue reports, as Starbase's messages.

Reports that come of one step are given together, in their order, so that the fills of an order that takes, and its end,
stand in the answer to it:

    Accepted | Amended, [Filled of it as a taker...], [Canceled of it]     200, 210
    Quoted, [Filled of it as a taker...]                                   230
    Canceled where a Cancel of it waits                                    220
    any other Canceled, as many as follow each other                       310
    any other Filled                                                       300

Leaves out: legs of combinations, the speed bump, the levels of a protection that has tripped (NaN).
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from netfeed.book.execution import (
    Accepted,
    AllCanceled,
    Amended,
    Ask,
    Canceled,
    Cause,
    Filled,
    Freed,
    Quoted,
    QuoteSide,
    QuoteState,
    Rejected,
    Report,
    Tripped,
)
from netfeed.book.level import Side
from netfeed.errors import MisuseError
from netfeed.proto import starbase_causes as causes
from netfeed.proto.starbase_past import Open, VenuePast
from netfeed.proto.starbase_requests import NO_QUANTITY, SIDES
from netfeed.proto.starbase_terms import Instruments, Terms
from netfeed.wire.starbase_codes import (
    NO_CODE,
    CancelReason,
    FillFlags,
    MessageType,
    OrderRejectReason,
    OrderStatus,
    Trigger,
)
from netfeed.wire.starbase_codes import QuoteStatus as Status
from netfeed.wire.starbase_orders import MAX_TEXT

MAX_CANCELED: Final = 500
"""Orders of one OrdersCanceled: 500 of them are a frame of 17 KiB."""
_NAN: Final = float("nan")

Message = tuple[MessageType, dict[str, Any]]

_REFUSALS: Final[dict[Ask, tuple[MessageType, Any]]] = {
    Ask.NEW: (MessageType.NEW_ORDER_REJECT, causes.REFUSED_BACK),
    Ask.AMEND: (MessageType.AMEND_REJECT, causes.REFUSED_BACK),
    Ask.CANCEL: (MessageType.CANCEL_REJECT, causes.NOT_CANCELED_BACK),
    Ask.QUOTE: (MessageType.MASS_QUOTE_REJECT, causes.NOT_QUOTED_BACK),
    Ask.CANCEL_ALL: (MessageType.MASS_CANCEL_REJECT, causes.NOT_ALL_CANCELED_BACK),
}
_QUOTES: Final = {
    QuoteState.NONE: Status.INACTIVE, QuoteState.RESTS: Status.UPDATED, QuoteState.FILLED: Status.FILLED,
    QuoteState.CANCELED: Status.CANCELED_BY_REQUEST, QuoteState.REFUSED: Status.INACTIVE,
}  # fmt: skip
_QUOTES_CANCELED: Final = {
    Cause.PROTECTION: Status.CANCELED_BY_MMP, Cause.SELF_MATCH: Status.CANCELED_BY_SELF_MATCH,
}  # fmt: skip


class Answers:
    """Reports of one step as messages."""

    def __init__(self, listed: Instruments, past: VenuePast, wall_ns: int) -> None:
        self._listed, self._past, self._wall_ns = listed, past, wall_ns

    def write(self, reports: Sequence[Report]) -> Iterator[Message]:
        """Give the messages that say so.

        Raises: MisuseError for a report that Starbase has no message for, or of an instrument that is not listed.
        """
        at = 0
        while at < len(reports):
            size, message = self._first(reports[at:])
            yield message
            at += size

    def _first(self, reports: Sequence[Report]) -> tuple[int, Message]:
        """Give how many reports the next message says, and the message."""
        report = reports[0]
        match report:
            case Accepted() | Amended():
                return self._order(report, reports[1:])
            case Quoted():
                return self._quoted(report, reports[1:])
            case Canceled():
                waits = None if report.quote else self._past.answered(Ask.CANCEL, report.client_id)
                return self._canceled(reports) if waits is None else (1, self._cancel(report, waits))
            case Filled():
                return 1, self._filled(report)
            case Rejected():
                return 1, self._rejected(report)
            case AllCanceled():
                return 1, self._all_canceled(report)
            case Tripped() | Freed():
                return 1, self._protection(report)
        raise MisuseError(f"Starbase has no message for {type(report).__name__}")

    def _event(self, ts_event_ns: int | None) -> dict[str, Any]:
        when = self._wall_ns if ts_event_ns is None else ts_event_ns
        return {"timestamp": when, "execId": self._past.journal.next_out}

    def _order(self, report: Accepted | Amended, rest: Sequence[Report]) -> tuple[int, Message]:
        new = isinstance(report, Accepted)
        terms = self._listed.ours(report.instrument)
        fills = _own_fills(report.client_id, rest, quote=False)
        end = rest[len(fills)] if len(fills) < len(rest) else None
        ended = end if isinstance(end, Canceled) and end.client_id == report.client_id else None
        if report.price is None:
            raise MisuseError("Starbase tells no order without a price")
        total = max([report.filled, *(fill.filled or 0 for fill in fills)])
        waits = self._past.answered(Ask.NEW if new else Ask.AMEND, report.client_id) or Open(0)
        status = _status(ended, total, report)
        fields = self._event(report.ts_event_ns) | _ids(report.client_id, waits, report.order_id, terms) | {
            "price": terms.price_out(report.price), "quantity": terms.quantity_out(report.quantity),
            "totalFilled": terms.quantity_out(total), "visibleQty": terms.quantity_out(
                report.quantity - total if status == OrderStatus.ACTIVE else 0),
            "receiveTime": self._wall_ns, "status": status, "cancelReason": _reason(ended),
            "fills": [{"matchId": fill.match_id, "fillPrice": terms.price_out(fill.price),
                       "fillQty": terms.quantity_out(fill.quantity)} for fill in fills],
        }  # fmt: skip
        if new:
            fields["side"] = SIDES[self._side(report.client_id)]
        kind = MessageType.NEW_ORDER_RESPONSE if new else MessageType.AMEND_RESPONSE
        return 1 + len(fills) + (ended is not None), (kind, fields)

    def _side(self, client_id: int) -> Side:
        side = self._past.sides.get(client_id)
        if side is None:
            raise MisuseError(f"order {client_id} was never asked for in this session")
        return side

    def _cancel(self, report: Canceled, waits: Open) -> Message:
        terms = self._listed.ours(report.instrument)
        total = terms.quantity_out(report.filled or 0)
        return MessageType.CANCEL_RESPONSE, self._event(report.ts_event_ns) | _ids(
            report.client_id, waits, report.order_id, terms
        ) | {"receiveTime": self._wall_ns, "quantity": total, "totalFilled": total}

    def _canceled(self, reports: Sequence[Report]) -> tuple[int, Message]:
        orders: list[Canceled] = []
        for report in reports[:MAX_CANCELED]:
            if not isinstance(report, Canceled) or (
                orders and not report.quote and self._past.waits(Ask.CANCEL, report.client_id)
            ):
                break
            orders.append(report)
        last = len(orders) == len(reports) or not isinstance(reports[len(orders)], Canceled)
        fields = self._event(orders[0].ts_event_ns) | {
            "flags": int(last),
            "orders": [self._ended(one) for one in orders],
        }
        return len(orders), (MessageType.ORDERS_CANCELED, fields)

    def _ended(self, report: Canceled) -> dict[str, Any]:
        terms = self._listed.ours(report.instrument)
        return {
            "clientOrderId": report.client_id, "orderId": report.order_id, "instrumentId": terms.venue_id,
            "totalFilled": terms.quantity_out(report.filled or 0), "cancelReason": _reason(report),
            "flags": int(report.quote),
        }  # fmt: skip

    def _filled(self, report: Filled) -> Message:
        terms = self._listed.ours(report.instrument)
        fill = {
            "clientOrderId": report.client_id, "orderId": report.order_id, "instrumentId": terms.venue_id,
            "matchId": report.match_id, "price": terms.price_out(report.price),
            "fillQty": terms.quantity_out(report.quantity),
            "totalFilled": terms.quantity_out(report.quantity if report.filled is None else report.filled),
            "side": SIDES[report.side], "flags": FillFlags.IS_QUOTE * report.quote,
        }  # fmt: skip
        return MessageType.ORDER_FILLED, self._event(report.ts_event_ns) | {"fills": [fill]}

    def _rejected(self, report: Rejected) -> Message:
        if report.ask not in _REFUSALS:
            raise MisuseError(f"Starbase has no message that refuses {report.ask.name}")
        kind, reasons = _REFUSALS[report.ask]
        waits = self._past.answered(report.ask, report.client_id) or Open(0)
        fields = self._event(report.ts_event_ns) | {
            "correlationId": waits.correlation, "reason": reasons.get(report.cause, 0),
            "details": report.venue_reason[:MAX_TEXT],
        }  # fmt: skip
        if report.ask is Ask.QUOTE:
            fields |= {"quoteId": report.client_id, "mmpGroupId": waits.venue_id}
        elif report.ask is not Ask.CANCEL_ALL:
            order_id = None if report.ask is Ask.CANCEL else 0
            fields |= {"clientOrderId": report.client_id, "orderId": order_id, "instrumentId": waits.venue_id}
        return kind, fields

    def _all_canceled(self, report: AllCanceled) -> Message:
        if report.count is None:
            raise MisuseError("Starbase tells how many orders were cancelled")
        waits = self._past.answered(Ask.CANCEL_ALL, report.client_id) or Open(0)
        return MessageType.MASS_CANCEL_RESPONSE, self._event(report.ts_event_ns) | {
            "correlationId": waits.correlation, "receiveTime": self._wall_ns, "totalOrderCount": report.count,
        }  # fmt: skip

    def _protection(self, report: Tripped | Freed) -> Message:
        fields = self._event(report.ts_event_ns) | {"currencyPairId" if report.orders else "mmpGroupId": report.group}
        if isinstance(report, Freed):
            kind = MessageType.ORDERS_MMP_UNFROZEN if report.orders else MessageType.MASS_QUOTE_MMP_UNFROZEN
            return kind, fields
        kind = MessageType.ORDERS_MMP_TRIGGERED if report.orders else MessageType.MASS_QUOTE_MMP_TRIGGERED
        why = report.why.upper()
        return kind, fields | {
            "frozenUntil": report.until_ns or 0, "quantityLevel": _NAN, "vegaLevel": _NAN, "deltaLevel": _NAN,
            "trigger": Trigger[why] if why in Trigger.__members__ else Trigger.QUANTITY,
        }  # fmt: skip

    def _quoted(self, report: Quoted, rest: Sequence[Report]) -> tuple[int, Message]:
        fills = _own_fills(report.client_id, rest, quote=True)
        waits = self._past.answered(Ask.QUOTE, report.client_id) or Open(0)
        fields = self._event(report.ts_event_ns) | {
            "quoteId": report.client_id, "correlationId": waits.correlation, "mmpGroupId": report.group,
            "receiveTime": self._wall_ns,
            "quotes": [self._quote(*sides) for sides in report.sides],
            "bidFills": [self._quote_fill(fill) for fill in fills if fill.side is Side.BID],
            "askFills": [self._quote_fill(fill) for fill in fills if fill.side is Side.ASK],
        }  # fmt: skip
        return 1 + len(fills), (MessageType.MASS_QUOTE_RESPONSE, fields)

    def _quote(self, instrument: int, bid: QuoteSide, ask: QuoteSide) -> dict[str, Any]:
        terms = self._listed.ours(instrument)
        fields: dict[str, Any] = {"instrumentId": terms.venue_id}
        for name, side in (("bid", bid), ("ask", ask)):
            refused = side.state is QuoteState.REFUSED
            canceled = side.state is QuoteState.CANCELED
            status = _QUOTES_CANCELED.get(side.cause) if canceled else None
            reason = causes.REFUSED_BACK.get(side.cause, OrderRejectReason.INVALID_FIELD) if refused else NO_CODE
            fields |= {
                f"{name}OrderId": side.order_id or 0,
                f"{name}Price": 0 if side.price is None else terms.price_out(side.price),
                f"{name}Qty": terms.quantity_out(side.quantity) if side.quantity else NO_QUANTITY,
                f"{name}FilledQty": terms.quantity_out(side.filled) if side.filled else NO_QUANTITY,
                f"{name}Status": status or _QUOTES[side.state], f"{name}RejectReason": reason,
            }  # fmt: skip
        return fields

    def _quote_fill(self, fill: Filled) -> dict[str, Any]:
        terms = self._listed.ours(fill.instrument)
        return {
            "matchId": fill.match_id, "instrumentId": terms.venue_id, "fillPrice": terms.price_out(fill.price),
            "fillQty": terms.quantity_out(fill.quantity),
        }  # fmt: skip


def _own_fills(client_id: int, rest: Sequence[Report], *, quote: bool) -> list[Filled]:
    """Give the fills as a taker that follow an answer and are of the same request."""
    fills: list[Filled] = []
    for report in rest:
        if not isinstance(report, Filled) or report.client_id != client_id or report.maker or report.quote != quote:
            break
        fills.append(report)
    return fills


def _ids(client_id: int, waits: Open, order_id: Any, terms: Terms) -> dict[str, Any]:
    return {
        "clientOrderId": client_id, "correlationId": waits.correlation, "orderId": order_id,
        "instrumentId": terms.venue_id,
    }  # fmt: skip


def _status(ended: Canceled | None, total: int, report: Accepted | Amended) -> OrderStatus:
    if ended is not None:
        return OrderStatus.CANCELED
    if total >= report.quantity:
        return OrderStatus.FILLED
    return OrderStatus.ACTIVE if report.rests else OrderStatus.CANCELED


def _reason(ended: Canceled | None) -> int:
    return NO_CODE if ended is None else causes.CANCELED_BACK.get(ended.cause, CancelReason.UNKNOWN)
