"""A client's side of an OUCH session over one connection of SoupBinTCP.

    client = Client(1, listed, past)                          `past` is what the connection before has left
    client.login("user", "password", now)                     Up(1), when the venue has said which number is next
    client.send(New(7, 0, Side.BID, 100_0000, 5, DAY), now)   Accepted(7, ...), Filled(7, ...)

Source: Nasdaq OUCH 5.0 (updated April 2023) over SoupBinTCP 3.00. On login the venue is asked for the next UserRefNum
(AccountQuery), and `Up` waits for the answer: an order with a number that is too low is ignored in silence, and that is
the one thing that must not happen. A login with a `past` asks for the messages from where that ended, so that what was
said meanwhile is told; without one it begins with the newest message. One that begins with message 1 reads the whole
day, and its `told` says how many of these are not answers to this login.

Replace gives another total, with what was executed; Cancel gives the new total, which is 0 here. While a replacement is
not answered nobody knows which number an order has: a cancel goes out under both, of which the venue ignores one. OUCH
can cancel benignly twice, so that this is no order sent twice.

A CancelAll is a cancel of each order that is known here: the mass cancel of 2025 was never seen at work.

Nothing is ever sent twice. A message that cannot be read could be a fill, and ends the session.

Leaves out: quotes and lists (OUCH has none); orders at the market, GTC, and what only reduces; crosses, routing, pegs.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from netfeed.book.execution import (
    AllCanceled,
    Amend,
    Ask,
    Cancel,
    CancelAll,
    Down,
    Flag,
    New,
    Report,
    Request,
    TimeInForce,
    Up,
)
from netfeed.errors import MisuseError, WireError
from netfeed.machine import NEVER, Buffer
from netfeed.proto import soupbintcp
from netfeed.proto.ouch_past import MAX_CANCEL_ALLS, All, Order, Past, remember
from netfeed.proto.ouch_reports import Reports
from netfeed.proto.ouch_words import MAX_SHARES, SIDES, Noted, Puzzling, Stocks, clordid
from netfeed.proto.soupbintcp_pieces import Pieces
from netfeed.wire import ouch
from netfeed.wire.ouch import Tag, Way

Event = Report | Noted | Puzzling

_TIMES: Final = {TimeInForce.DAY: "0", TimeInForce.IOC: "3", TimeInForce.FOK: "3"}
_FLAGS: Final = Flag.POST_ONLY | Flag.KEEP


class Client:
    """One connection of a session. `login` begins it.

    `session` is the caller's number of it, in `Up` and `Down`; `cancels` is whether the venue was told to cancel what
    rests when the connection is lost: a property of the port. Units: `midnight_ns` is the exchange's midnight in ns
    since 1970, None where it is not known.
    """

    def __init__(
        self, session: int, listed: Stocks, past: Past | None = None, *, timing: soupbintcp.Timing | None = None,
        midnight_ns: int | None = None, cancels: bool = True, capacity: str = "P", firm: str = "",
    ) -> None:  # fmt: skip
        self.past = past or Past()
        self.puzzling = 0
        self._session, self._listed, self._cancels = session, listed, cancels
        self._capacity, self._firm = capacity, firm
        self._soup, self._pieces = soupbintcp.Client(timing), Pieces()
        self._reports = Reports(listed, self.past, midnight_ns)
        self._due: list[Event] = []
        self._now = 0
        self._is_up = self._is_over = False

    def login(self, username: str, password: str, now: int) -> None:
        """Log in. Raises: MisuseError when it was said before, or a word does not fit."""
        self._soup.login(username, password, now, session=self.past.session, sequence=self.past.next_sequence)
        self._now = now

    def logout(self, now: int) -> None:
        """Ask the venue to close. Raises: MisuseError unless logged in."""
        self._soup.logout(now)
        self._is_up = False

    def send(self, request: Request, now: int) -> None:
        """Ask for something: all of it goes out, or nothing.

        Raises: MisuseError unless `Up`, when OUCH has no word for it, or when a value does not fit.
        """
        if not self._is_up:
            raise MisuseError("cannot send an order before the session is up")
        self._now = max(self._now, now)
        match request:
            case New():
                self._new(request, now)
            case Amend():
                self._amend(request, now)
            case Cancel(client_id):
                self._say(self._cancel(self._alive(client_id)), now)
            case CancelAll():
                self._cancel_all(request, now)
            case _:
                raise MisuseError(f"OUCH has no {type(request).__name__}: send orders one by one")

    @property
    def is_closed(self) -> bool:
        """Say whether nothing will be told any more."""
        return self._is_over

    @property
    def deadline(self) -> int:
        """Say when something is due. Units: monotonic ns."""
        if self._is_over:
            return NEVER
        return self._now if self._due else self._soup.deadline

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
        return [] if now < self.deadline else self._told(self._soup.wake(now), now)

    def end(self, now: int) -> Sequence[Event]:
        """Take note that the peer closed."""
        return [] if self._is_over else self._told(self._soup.end(now), now)

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out."""
        return self._soup.transmit()

    def statistics(self) -> soupbintcp.Statistics:
        """Give the account of the conversation."""
        return self._soup.statistics()

    # --- out

    def _say(self, messages: Iterable[bytes], now: int) -> None:
        for message in messages:
            self._soup.send(message, now)

    def _new(self, new: New, now: int) -> None:
        terms = self._listed.ours(new.instrument)
        if new.price is None:
            raise MisuseError("an order at the market is for a cross: give a price that is far enough, and IOC")
        if new.time_in_force not in _TIMES:
            raise MisuseError("an OUCH order rests for a day at most: say DAY, not GTC")
        if new.flags & ~_FLAGS:
            raise MisuseError(f"OUCH has no order that is {new.flags & ~_FLAGS!r}")
        if new.client_id in self.past.orders:
            raise MisuseError(f"client id {new.client_id} was used before")
        tags: list[tuple[int, Any]] = [(Tag.FIRM, self._firm)] if self._firm else []
        if new.flags & Flag.POST_ONLY:
            tags.append((Tag.POST_ONLY, "P"))
        if new.time_in_force is TimeInForce.FOK:
            tags.append((Tag.MIN_QTY, new.quantity))
        urn, price = self.past.next_urn, terms.price_out(new.price)
        message = ouch.encode(
            Way.IN, "O", tags, user_ref_num=urn, side=SIDES[new.side], quantity=_shares(new.quantity),
            symbol=terms.symbol, price=price, time_in_force=_TIMES[new.time_in_force], display="Y",
            capacity=self._capacity, intermarket_sweep="N", cross_type="N", clordid=clordid(new.client_id),
        )  # fmt: skip
        self._soup.send(message, now)
        self.past.take_urn(new.client_id, Ask.NEW)
        self.past.open(Order(new.client_id, terms, new.side, new.price, new.quantity, urn, new.quantity))

    def _amend(self, amend: Amend, now: int) -> None:
        order = self._alive(amend.client_id)
        if order.pending:
            raise MisuseError(f"order {amend.client_id} is being replaced already")
        urn = self.past.next_urn
        tags = [(Tag.POST_ONLY, "P")] if amend.flags & Flag.POST_ONLY else []
        message = ouch.encode(
            Way.IN, "U", tags, orig_user_ref_num=order.urn, user_ref_num=urn, quantity=_shares(amend.quantity),
            price=order.terms.price_out(amend.price), time_in_force="0", display="Y", intermarket_sweep="N",
            clordid=clordid(amend.client_id),
        )  # fmt: skip
        self._soup.send(message, now)
        order.pending = self.past.take_urn(amend.client_id, Ask.AMEND)

    def _alive(self, client_id: int) -> Order:
        order = self.past.orders.get(client_id)
        if order is None or order.over:
            raise MisuseError(f"order {client_id} is not known, or over")
        return order

    def _cancel(self, order: Order) -> list[bytes]:
        numbers = [order.urn, order.pending] if order.pending else [order.urn]
        return [ouch.encode(Way.IN, "X", user_ref_num=urn, quantity=0) for urn in numbers]

    def _cancel_all(self, request: CancelAll, now: int) -> None:
        if request.instrument is not None:
            self._listed.ours(request.instrument)
        orders = [
            one for one in self.past.alive()
            if request.instrument in (None, one.terms.instrument) and request.side in (None, one.side)
        ]  # fmt: skip
        if not orders:
            self._due.append(AllCanceled(request.client_id, 0, None))
            return
        self._say([message for one in orders for message in self._cancel(one)], now)
        waits = All({one.client_id for one in orders}, len(orders))
        remember(self.past.cancels, request.client_id, waits, MAX_CANCEL_ALLS)

    # --- in

    def _told(self, events: Sequence[soupbintcp.Event], now: int) -> list[Event]:
        self._now = max(self._now, now)
        told, self._due = self._due, []
        for event in events:
            if self._is_over:
                break
            told += self._event(event, now)
        return told

    def _event(self, event: soupbintcp.Event, now: int) -> list[Event]:
        match event:
            case soupbintcp.LoggedIn(session, sequence):
                self.past.session, self.past.next_sequence = session, sequence
                self._soup.send(ouch.encode(Way.IN, "Q"), now)
            case soupbintcp.Sequenced(sequence, message):
                self.past.next_sequence = sequence + 1
                return self._message(message)
            case soupbintcp.SessionEnded():
                self.past.session, self.past.next_sequence = "", 0
                self._is_up = False
            case soupbintcp.LoginRejected(reason):
                return self._down(f"the login was rejected: {reason}")
            case soupbintcp.Closed(reason):
                return self._down(reason)
            case soupbintcp.Malformed() | soupbintcp.Violation() | soupbintcp.Unsequenced():
                return [self._puzzled(str(event)[:200])]
        return []

    def _message(self, message: bytes) -> list[Event]:
        try:
            read = ouch.decode(Way.OUT, message)
        except WireError as error:
            return self._down(f"a message cannot be read: {error.what}: {error.found}")
        if read.kind == "Q":
            return self._queried(read.fields.next_user_ref_num)
        told: list[Event] = []
        try:
            told += self._reports.read(read)
        except WireError as error:
            told.append(Puzzling(f"{error.what}: {error.found}"))
        self.puzzling += sum(isinstance(one, Puzzling) for one in told)
        return told

    def _queried(self, next_urn: int) -> list[Event]:
        """Go on from the number that the venue wants next, or from ours where that is higher."""
        self.past.next_urn = max(self.past.next_urn, next_urn)
        was_to_others = self.past.next_sequence <= self.past.told + 1
        if was_to_others or self._is_up or self._soup.state is not soupbintcp.State.ACTIVE:
            return []
        self._is_up = True
        return [Up(self._session)]

    def _puzzled(self, what: str) -> Puzzling:
        self.puzzling += 1
        return Puzzling(what)

    def _down(self, reason: str) -> list[Event]:
        self._is_over, self._is_up = True, False
        return [Down(self._session, reason, self._cancels)]


def _shares(quantity: int) -> int:
    if not 0 < quantity <= MAX_SHARES:
        raise MisuseError(f"an OUCH order has 1 to {MAX_SHARES} shares, not {quantity}")
    return quantity
