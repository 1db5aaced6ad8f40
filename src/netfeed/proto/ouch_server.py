"""A venue's side of an OUCH session over one connection of SoupBinTCP.

    server = Server(1, listed, now)                    LoginRequested("user", ...)
    server.accept(past, now)                           New(7, ...), Amend(7, ...), Cancel(7, ...)
    server.report([Accepted(7, ...), Filled(...)], now)
    ...                                                Down(1, "the peer closed", cancels=True)

Source: Nasdaq OUCH 5.0 (updated April 2023). Requests are told in the words of `book.execution`, and reports are given
in them: the venue's messages are kept in `past`, within bounds, and a client that logs in again is told them from where
it says. A request with a number that is not higher than the last is ignored in silence, as the specification has it,
and counted. The client id is that of ClOrdID where it is one of ours, else the UserRefNum.

Leaves out: a cancel of a part (refused), ModifyOrder, mass cancel and disabling of entry (Noted); the states of a
stock.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from netfeed.book.execution import (
    NONE,
    Accepted,
    Amend,
    Amended,
    Ask,
    Cancel,
    Canceled,
    Cause,
    Down,
    Filled,
    Flag,
    New,
    Rejected,
    Report,
    Request,
    TimeInForce,
)
from netfeed.errors import MisuseError, WireError
from netfeed.machine import NEVER, Buffer
from netfeed.proto import ouch_words as words
from netfeed.proto import soupbintcp
from netfeed.proto.ouch_past import MAX_ORDERS, remember
from netfeed.proto.ouch_words import Noted, Puzzling, Stocks, Terms
from netfeed.proto.soupbintcp_pieces import Pieces
from netfeed.wire import ouch
from netfeed.wire.ouch import Tag, Way

MAX_MESSAGES: Final = 20_000
DAY_NS: Final = 86_400_000_000_000

Event = Request | Down | Noted | Puzzling | soupbintcp.LoginRequested

_REPEATED: Final = (
    "side", "symbol", "time_in_force", "display", "capacity", "intermarket_sweep", "cross_type", "clordid",
)  # fmt: skip
"""What an answer repeats of the order as it was entered."""
_TIMES: Final = {"0": TimeInForce.DAY, "3": TimeInForce.IOC, "5": TimeInForce.DAY, "6": TimeInForce.DAY}


@dataclass(slots=True)
class _Order:
    """An order as it was entered: what its messages repeat. Units: shares."""

    client_id: int
    terms: Terms
    entered: dict[str, Any]
    urn: int
    open: int
    filled: int = 0
    pending: int = 0


class VenuePast:
    """What a venue knows of a session: its name, its messages, its orders, and the last UserRefNum."""

    def __init__(self, session: str = "OUCH000001", *, max_messages: int = MAX_MESSAGES) -> None:
        self.session = session
        self.last_urn = 0
        self.next_sequence = 1
        self.orders: dict[int, _Order] = {}
        self.urns: dict[int, int] = {}
        self._kept: deque[bytes] = deque(maxlen=max_messages)

    def keep(self, message: bytes) -> None:
        """Keep the message `next_sequence`, which moves on."""
        self._kept.append(message)
        self.next_sequence += 1

    def since(self, sequence: int) -> list[bytes] | None:
        """Give the messages from a number on; None where they are not kept, or never were."""
        first = self.next_sequence - len(self._kept)
        if not first <= sequence <= self.next_sequence:
            return None
        return list(self._kept)[sequence - first :]


class Server:
    """One connection of a session, which begins with it at `now`. Units: `epoch_ns` makes ns since 1970 of `now`."""

    def __init__(
        self, session: int, listed: Stocks, now: int, *, timing: soupbintcp.Timing | None = None, epoch_ns: int = 0,
        cancels: bool = True,
    ) -> None:  # fmt: skip
        self.past = VenuePast()
        self.ignored = self.puzzling = 0
        self._session, self._listed, self._cancels = session, listed, cancels
        self._epoch_ns, self._asked = epoch_ns, 0
        self._soup, self._pieces = soupbintcp.Server(now, timing), Pieces()
        self._now = now
        self._is_in = self._is_over = self._is_deaf = False

    def accept(self, past: VenuePast, now: int) -> None:
        """Let the client in and tell it what it asks for; 0 is what comes next. Where that is not kept it is sent away.

        Raises: MisuseError unless a login waits for an answer.
        """
        sequence = self._asked or past.next_sequence
        missed = past.since(sequence)
        if missed is None:
            self._soup.reject("S", now)
            self._is_over = True
            return
        self._soup.accept(past.session, sequence, now)
        self.past, self._is_in = past, True
        for message in missed:
            self._soup.send(message, now)

    @property
    def asks(self) -> bool:
        """Say whether a login waits for an answer; what came behind it may have ended the connection."""
        return not self._is_over and self._soup.state is soupbintcp.State.JUDGING

    def reject(self, reason: str, now: int) -> None:
        """Send the client away: A not authorised, S no such session. Nothing is told. Raises: MisuseError."""
        self._soup.reject(reason, now)
        self._is_over = True

    def report(self, reports: Iterable[Report], now: int) -> None:
        """Tell what came of requests. It is kept even where the client is gone.

        Raises: MisuseError for a report that OUCH has no message for, or of an order that is not known.
        """
        for report in reports:
            for message in self._written(report, now):
                self.past.keep(message)
                self._send(message, now)

    @property
    def is_closed(self) -> bool:
        """Say whether nothing will be told any more."""
        return self._is_over

    @property
    def deadline(self) -> int:
        """Say when something is due. Units: monotonic ns."""
        if self._is_over:
            return NEVER
        return self._now if self._is_deaf else self._soup.deadline

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take bytes of the stream and return what they mean."""
        told: list[Event] = []
        for piece in self._pieces.of(data):
            if self._is_over:
                break
            told += self._told(self._soup.receive(piece, now), now)
        return told

    def wake(self, now: int) -> Sequence[Event]:
        """Act on a deadline that has passed. A call before it does nothing."""
        if now < self.deadline or self._is_over:
            return []
        if self._is_deaf:
            self._is_over = True
            return [Down(self._session, "the peer does not read", self._cancels)]
        return self._told(self._soup.wake(now), now)

    def end(self, now: int) -> Sequence[Event]:
        """Take note that the peer closed."""
        return [] if self._is_over else self._told(self._soup.end(now), now)

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out."""
        return self._soup.transmit()

    def statistics(self) -> soupbintcp.Statistics:
        """Give the account of the conversation."""
        return self._soup.statistics()

    # --- in

    def _told(self, events: Sequence[soupbintcp.Event], now: int) -> list[Event]:
        return [one for event in events for one in self._event(event, now)]

    def _event(self, event: soupbintcp.Event, now: int) -> list[Event]:
        match event:
            case soupbintcp.LoginRequested():
                self._asked = event.sequence
                return [event]
            case soupbintcp.Unsequenced(message) if self._is_in:
                return self._message(message, now)
            case soupbintcp.Closed(reason):
                self._is_over = True
                return [Down(self._session, reason, self._cancels and self._is_in)]
            case soupbintcp.Malformed() | soupbintcp.Violation():
                return self._puzzled(str(event)[:200])
        return []

    def _puzzled(self, what: str) -> list[Event]:
        self.puzzling += 1
        return [Puzzling(what)]

    def _message(self, message: bytes, now: int) -> list[Event]:
        try:
            read = ouch.decode(Way.IN, message)
            match read.kind:
                case "O":
                    return self._entered(read, now)
                case "U":
                    return self._replaced(read, now)
                case "X":
                    return self._cancelled(read.fields, now)
                case "Q":
                    # where none is left the last one is told, and ignored as used when it comes
                    self._say("Q", now, next_user_ref_num=min(self.past.last_urn + 1, ouch.MAX_URN))
                    return []
        except WireError as error:
            return self._puzzled(f"{error.what}: {error.found}")
        return [Noted(type(read.fields).__name__)]

    def _say(self, kind: str, now: int, **fields: Any) -> None:
        message = ouch.encode(Way.OUT, kind, timestamp=self._stamp(None, now), **fields)
        self.past.keep(message)
        self._send(message, now)

    def _send(self, message: bytes, now: int) -> None:
        """Send a message that is kept; a client that does not read is given up by the next wake, due at once."""
        self._now = max(self._now, now)
        if self._is_over or self._is_deaf or self._soup.state is not soupbintcp.State.ACTIVE:
            return
        try:
            self._soup.send(message, now)
        except MisuseError:
            self._is_deaf = True

    def _fresh(self, urn: int) -> bool:
        """Say whether a number is new; an old one is a request that was sent again, and is ignored."""
        if urn <= self.past.last_urn:
            self.ignored += 1
            return False
        self.past.last_urn = urn
        return True

    def _entered(self, read: ouch.Message, now: int) -> list[Event]:
        fields = read.fields
        if not self._fresh(fields.user_ref_num):
            return []
        client_id = words.client_id_of(fields.clordid)
        client_id = fields.user_ref_num if client_id is None else client_id
        side, when = words.SIDES_BACK.get(fields.side), _TIMES.get(fields.time_in_force)
        try:
            terms = self._listed.theirs(fields.symbol)
            price = terms.price_in(fields.price)
        except WireError:
            side = None
        if side is None or when is None or not fields.quantity or client_id in self.past.orders:
            self._say("J", now, user_ref_num=fields.user_ref_num, reason=words.OTHER_REASON, clordid=fields.clordid)
            return self._puzzled(f"order {fields.user_ref_num} is none")
        order = _Order(client_id, terms, fields._asdict(), fields.user_ref_num, fields.quantity)
        remember(self.past.orders, client_id, order, MAX_ORDERS)
        remember(self.past.urns, fields.user_ref_num, client_id, 2 * MAX_ORDERS)
        flags = Flag.POST_ONLY if read.tag(Tag.POST_ONLY) == "P" else NONE
        if when is TimeInForce.IOC and read.tag(Tag.MIN_QTY) == fields.quantity:
            when = TimeInForce.FOK
        return [New(client_id, terms.instrument, side, price, fields.quantity, when, flags)]

    def _known(self, urn: int) -> _Order | None:
        """Find an order by the number that it has now; by an older one it is not found."""
        order = self.past.orders.get(self.past.urns.get(urn, -1))
        return order if order is not None and order.urn == urn and order.open else None

    def _replaced(self, read: ouch.Message, now: int) -> list[Event]:
        fields = read.fields
        if not self._fresh(fields.user_ref_num):
            return []
        order = self._known(fields.orig_user_ref_num)
        if order is None or order.pending:
            reason = words.REJECTED_BACK[Cause.NOT_FOUND]
            self._say("J", now, user_ref_num=fields.user_ref_num, reason=reason, clordid=fields.clordid)
            return []
        price = order.terms.price_in(fields.price)
        order.pending = fields.user_ref_num
        remember(self.past.urns, fields.user_ref_num, order.client_id, 2 * MAX_ORDERS)
        flags = Flag.POST_ONLY if read.tag(Tag.POST_ONLY) == "P" else NONE
        return [Amend(order.client_id, order.terms.instrument, price, fields.quantity, flags)]

    def _cancelled(self, fields: Any, now: int) -> list[Event]:
        order = self._known(fields.user_ref_num)
        if order is None:
            self.ignored += 1
            return []
        if fields.quantity:
            self._say("I", now, user_ref_num=fields.user_ref_num)
            return self._puzzled(f"a cancel of a part of order {fields.user_ref_num}")
        return [Cancel(order.client_id, order.terms.instrument)]

    # --- out

    def _stamp(self, ts_event_ns: int | None, now: int) -> int:
        return (now + self._epoch_ns if ts_event_ns is None else ts_event_ns) % DAY_NS

    def _written(self, report: Report, now: int) -> Iterator[bytes]:
        if not isinstance(report, Accepted | Amended | Filled | Canceled | Rejected):
            raise MisuseError(f"OUCH has no message for {type(report).__name__}")
        order = self.past.orders.get(report.client_id)
        if order is None:
            raise MisuseError(f"order {report.client_id} is not known in this session")
        kind, fields = self._fields(report, order)
        stamp = self._stamp(report.ts_event_ns, now)
        yield ouch.encode(Way.OUT, kind, timestamp=stamp, **fields)

    def _fields(self, report: Any, order: _Order) -> tuple[str, dict[str, Any]]:
        urn: dict[str, Any] = {"user_ref_num": order.urn}
        match report:
            case Accepted() | Amended():
                return self._standing(report, order)
            case Filled():
                order.open = max(0, order.open - report.quantity)
                order.filled += report.quantity
                flag = words.ADDED if report.maker else "R"
                price = order.terms.price_out(report.price)
                return "E", urn | {
                    "quantity": report.quantity, "price": price, "liquidity_flag": flag,
                    "match_number": report.match_id,
                }  # fmt: skip
            case Canceled():
                less, order.open = order.open, 0
                reason = words.CANCELED_BACK.get(report.cause, words.SYSTEM_CANCEL)
                return "C", urn | {"quantity": less, "reason": reason}
        if report.ask is Ask.CANCEL:
            return "I", urn
        if report.ask is Ask.AMEND:
            urn, order.pending = {"user_ref_num": order.pending or order.urn}, 0
        else:
            order.open = 0
        code = words.REJECTED_BACK.get(report.cause, words.OTHER_REASON)
        return "J", urn | {"reason": code, "clordid": order.entered["clordid"]}

    def _standing(self, report: Accepted | Amended, order: _Order) -> tuple[str, dict[str, Any]]:
        if report.price is None:
            raise MisuseError("OUCH tells no order without a price")
        fields: dict[str, Any] = {name: order.entered[name] for name in _REPEATED}
        fields |= {
            "price": order.terms.price_out(report.price), "order_reference_number": report.order_id, "order_state": "L",
        }  # fmt: skip
        if isinstance(report, Accepted):
            return "A", fields | {"user_ref_num": order.urn, "quantity": report.quantity}
        old, order.urn, order.pending = order.urn, order.pending or order.urn, 0
        order.open = max(0, report.quantity - order.filled)
        return "U", fields | {"orig_user_ref_num": old, "user_ref_num": order.urn, "quantity": order.open}
