"""What OUCH says of orders, in the words of `book.execution`.

    A Accepted          Accepted; of a dead order Canceled as well
    U Replaced          Amended: its quantity is what is outstanding, ours is the total
    E Executed          Filled
    C, D Canceled       so many shares less: Canceled when none is left, else Amended
    T PriorityUpdate    Amended, at another price
    J Rejected          Rejected, of the order or of its replacement
    I CancelReject      Rejected, of the cancel

What has no word among reports (a broken trade, which takes a fill back; a restatement; events of the day) is Noted.
Times are ns since the exchange's midnight on the wire; `midnight_ns` makes them ns since 1970.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from netfeed.book.execution import (
    Accepted,
    AllCanceled,
    Amended,
    Ask,
    Canceled,
    Cause,
    Filled,
    Rejected,
    Report,
)
from netfeed.proto import ouch_words as words
from netfeed.proto.ouch_past import Order, Past
from netfeed.proto.ouch_words import Noted, Puzzling, Stocks
from netfeed.wire import ouch

Said = Iterator[Report | Noted | Puzzling]


class Reports:
    """Messages of the venue as reports."""

    def __init__(self, listed: Stocks, past: Past, midnight_ns: int | None) -> None:
        self._listed, self._past, self._midnight_ns = listed, past, midnight_ns

    def read(self, message: ouch.Message) -> Said:
        """Say what a message means. Raises: WireError for one of an instrument that is not listed."""
        said = _SAID.get(message.kind)
        if said is not None:
            return said(self, message.fields)
        return iter((Noted(type(message.fields).__name__),))

    def _when(self, fields: Any) -> int | None:
        return None if self._midnight_ns is None else self._midnight_ns + int(fields.timestamp)

    def _accepted(self, fields: Any) -> Said:
        order, _ = self._past.whose(fields.user_ref_num)
        if order is None:
            order = self._again(fields)
            if order is None:
                yield Puzzling(f"order {fields.user_ref_num} is none of ours: {fields.clordid!r}")
                return
        order.order_id, order.price = fields.order_reference_number, order.terms.price_in(fields.price)
        order.open = order.quantity = fields.quantity
        yield Accepted(
            order.client_id, order.terms.instrument, order.order_id, order.price, order.quantity, 0,
            fields.order_state == "L", self._when(fields),
        )  # fmt: skip
        if fields.order_state != "L":
            yield from self._over(order, Cause.VENUE, "dead", fields)

    def _again(self, fields: Any) -> Order | None:
        """Know an order again whose sending nobody remembers: its client id is in its ClOrdID."""
        client_id, side = words.client_id_of(fields.clordid), words.SIDES_BACK.get(fields.side)
        if client_id is None or side is None:
            return None
        terms = self._listed.theirs(fields.symbol)
        order = Order(
            client_id, terms, side, terms.price_in(fields.price), fields.quantity, fields.user_ref_num, fields.quantity
        )
        self._past.open(order)
        self._past.know(fields.user_ref_num, client_id, Ask.NEW)
        return order

    def _replaced(self, fields: Any) -> Said:
        order, _ = self._past.whose(fields.orig_user_ref_num)
        if order is None:
            yield Puzzling(f"order {fields.orig_user_ref_num}, which is not known, was replaced")
            return
        self._past.know(fields.user_ref_num, order.client_id, Ask.AMEND)
        order.urn = fields.user_ref_num
        order.pending = 0 if order.pending == fields.user_ref_num else order.pending
        order.order_id, order.price = fields.order_reference_number, order.terms.price_in(fields.price)
        order.open = fields.quantity
        order.quantity = order.filled + order.open
        yield self._amended(order, fields, rests=fields.order_state == "L")
        if fields.order_state != "L":
            yield from self._over(order, Cause.VENUE, "dead", fields)

    def _amended(self, order: Order, fields: Any, *, rests: bool = True) -> Amended:
        return Amended(
            order.client_id, order.terms.instrument, order.order_id, order.price, order.quantity, order.filled, rests,
            self._when(fields),
        )  # fmt: skip

    def _known(self, fields: Any) -> Order | None:
        return self._past.whose(fields.user_ref_num)[0]

    def _executed(self, fields: Any) -> Said:
        order = self._known(fields)
        if order is None:
            yield Puzzling(f"order {fields.user_ref_num}, which is not known, was executed: {fields.quantity} shares")
            return
        order.filled += fields.quantity
        order.open = max(0, order.open - fields.quantity)
        yield Filled(
            order.client_id, order.terms.instrument, order.order_id, fields.match_number, order.side,
            order.terms.price_in(fields.price), fields.quantity, order.filled, words.MAKERS.get(fields.liquidity_flag),
            self._when(fields),
        )  # fmt: skip
        if not order.open:
            yield from self._done(order, fields)

    def _canceled(self, fields: Any) -> Said:
        order = self._known(fields)
        if order is None:
            yield Puzzling(f"order {fields.user_ref_num}, which is not known, was cancelled")
            return
        less = fields.decrement_shares if hasattr(fields, "decrement_shares") else fields.quantity
        order.open = max(0, order.open - less)
        if order.open:
            order.quantity = order.filled + order.open
            yield self._amended(order, fields)
            return
        yield from self._over(order, words.CANCELED.get(fields.reason, Cause.OTHER), fields.reason, fields)

    def _over(self, order: Order, cause: Cause, reason: str, fields: Any) -> Said:
        yield Canceled(
            order.client_id, order.terms.instrument, order.order_id, order.filled, cause, reason, self._when(fields)
        )
        yield from self._done(order, fields)

    def _done(self, order: Order, fields: Any, *, refused: bool = False) -> Said:
        """Take note that an order is over, or would not go, and tell the CancelAll that waited for it alone."""
        order.over = order.over or not refused
        for client_id, waited in self._past.ended(order, refused=refused):
            if waited.refused:
                yield Rejected(client_id, Ask.CANCEL_ALL, Cause.STATE, "a cancel was rejected", self._when(fields))
            else:
                yield AllCanceled(client_id, waited.count, self._when(fields))

    def _rejected(self, fields: Any) -> Said:
        order, ask = self._past.whose(fields.user_ref_num)
        if order is None:
            yield Puzzling(f"request {fields.user_ref_num}, which is not known, was rejected: 0x{fields.reason:04x}")
            return
        cause = words.REJECTED.get(fields.reason, Cause.OTHER)
        yield Rejected(order.client_id, ask, cause, f"0x{fields.reason:04x}", self._when(fields))
        if ask is Ask.NEW:
            yield from self._done(order, fields)
        elif order.pending == fields.user_ref_num:
            order.pending = 0

    def _cancel_rejected(self, fields: Any) -> Said:
        order = self._known(fields)
        if order is None or order.over or fields.user_ref_num != order.urn:
            yield Noted("CancelReject")
            return
        yield Rejected(order.client_id, Ask.CANCEL, Cause.STATE, "cancel rejected", self._when(fields))
        yield from self._done(order, fields, refused=True)

    def _moved(self, fields: Any) -> Said:
        order = self._known(fields)
        if order is None:
            yield Puzzling(f"order {fields.user_ref_num}, which is not known, was moved")
            return
        order.order_id, order.price = fields.order_reference_number, order.terms.price_in(fields.price)
        yield self._amended(order, fields)

    def _broken(self, fields: Any) -> Said:
        yield Noted(f"trade {fields.match_number} of order {fields.user_ref_num} was broken: {fields.reason}")


_SAID: Final[Mapping[str, Callable[[Reports, Any], Said]]] = {
    "A": Reports._accepted, "U": Reports._replaced, "E": Reports._executed, "C": Reports._canceled,
    "D": Reports._canceled, "J": Reports._rejected, "I": Reports._cancel_rejected, "T": Reports._moved,
    "B": Reports._broken,
}  # fmt: skip
