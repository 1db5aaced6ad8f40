"""An order session with Deribit over JSON-RPC: a machine over whole messages, on whatever carries them.

    session = Session(1, listed, now, groups={3: ("mm", "btc_usd")})
    session.logon("id", sign, nonce, now)              Up(1), once heartbeats, cancelling and notifications stand
    session.send(New(7, 0, Side.BID, 100, 5), now)     Accepted(7, ...), Filled(7, ...)
    session.send(List(8), now)                         Listed(1, ...)
    session.lost(now)                                  Down(1, ..., cancels=True)

Source: docs.deribit.com (API 2.1.1: authentication, private/buy, edit, cancel, mass_quote, cancel_quotes,
enable_cancel_on_disconnect, user.changes, user.portfolio, user.mmp_trigger, rate limits). The login is signed
(client_signature): `sign` is given what is to be signed and gives the signature, so that no secret comes here.

**Nothing is ever sent twice.** A request that is not answered in time ends the session: whoever waits for an answer can
know no more of it than after a lost connection, and asks for a List on the next one.

The budget is kept to (`feed.throttle`): orders, amendments and quotes by the matching engine's, all else by credits.
Where it is used up a request is refused at once and not sent (Rejected, RATE, "our own budget"); cancels always go out,
and are paid for by what comes after them. "Too many requests" of the venue holds everything but cancels.

Leaves out: fresh tokens (a session lasts as long as its connection), trigger orders, orders by implied volatility.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from netfeed.book.execution import (
    NONE,
    AllCanceled,
    Amend,
    Amended,
    Ask,
    Cancel,
    CancelAll,
    Cause,
    Down,
    Flag,
    Freed,
    List,
    Listed,
    MassQuote,
    New,
    Quote,
    Rejected,
    Report,
    Request,
    Tripped,
    Up,
)
from netfeed.errors import MisuseError, WireError
from netfeed.machine import NEVER, Buffer
from netfeed.proto import jsonrpc
from netfeed.venues import answers
from netfeed.venues import deribit_order_words as words
from netfeed.venues.deribit_budget import ORDERS_BURST, ORDERS_RATE, Budget
from netfeed.venues.deribit_order_reports import Orders
from netfeed.venues.deribit_order_requests import Calls
from netfeed.venues.deribit_order_words import ASKS, Listing, Portfolio, Puzzling

SECOND: Final = 1_000_000_000
HEARTBEAT_S: Final = 10
SILENT_NS: Final = 3 * HEARTBEAT_S * SECOND
MAX_BYTES: Final = 2**22
"""The longest message that is looked at: a list of some thousand orders."""

Event = Report | Puzzling | Portfolio

_DONE: Final = msgspec.json.Decoder(words.Done)
_ORDER: Final = msgspec.json.Decoder(words.OrderObject)
_QUOTES: Final = msgspec.json.Decoder(words.QuotesDone)
_COUNT: Final = msgspec.json.Decoder(int)
_ORDERS: Final = msgspec.json.Decoder(list[words.OrderObject])
_TRADES: Final = msgspec.json.Decoder(list[words.TradeObject])
_POSITIONS: Final = msgspec.json.Decoder(list[words.PositionObject])
_CHANNELS: Final = msgspec.json.Decoder(list[str])
_NOTIFIED: Final = msgspec.json.Decoder(words.Notification)
_CHANGES: Final = msgspec.json.Decoder(words.Changes)
_TRIGGER: Final = msgspec.json.Decoder(words.Trigger)
_SUMMARY: Final = "private/get_account_summary"
_PORTFOLIO: Final = msgspec.json.Decoder(words.PortfolioObject)


@dataclass(slots=True)
class _Asked:
    """A call that waits for its answer: of which request, and whether its outcome was told already.

    `ask` None: it only prepares what comes after it.
    """

    request: Request
    ask: Ask | None
    quotes: tuple[Quote, ...] = ()
    cut: bool = False
    told: bool = False


@dataclass(slots=True)
class _Whole:
    """A request in several calls: how many wait, and what came of the others."""

    left: int
    count: int = 0
    refused: tuple[Cause, str] | None = None
    parts: dict[str, tuple[Any, ...]] = field(default_factory=dict)


class Session:
    """One connection. `logon` begins it.

    `session` is the caller's number of it, in `Up` and `Down`. `groups`: the venue's name and index of each protection
    group, by our number; `portfolios`: currencies whose portfolio is told. Units: `epoch_ns` makes ns since 1970 of
    `now`; `orders` is the matching engine's budget, requests a second and at once.
    """

    def __init__(
        self, session: int, listed: Listing, now: int, *, groups: Mapping[int, tuple[str, str]] | None = None,
        portfolios: Iterable[str] = (), quote_flags: Flag = NONE, epoch_ns: int = 0,
        orders: tuple[float, int] = (ORDERS_RATE, ORDERS_BURST), timeout_ns: int = 10 * SECOND,
    ) -> None:  # fmt: skip
        self._session, self._groups = session, dict(groups or {})
        self._calls = Calls(listed, self._groups, quote_flags)
        self._orders = Orders(listed)
        self._peer = jsonrpc.Peer(max_bytes=MAX_BYTES)
        self._budget = Budget(*orders)
        self._asked: dict[int, _Asked] = {}
        self._whole: dict[int, _Whole] = {}
        self._due: list[Event] = []
        self._opening: set[str] = set()
        self._portfolios = [currency.upper() for currency in portfolios]
        self._channels = [
            "user.changes.any.any.raw", *(f"user.portfolio.{currency.lower()}" for currency in self._portfolios),
            *(f"user.mmp_trigger.{index}" for index in sorted({index for _, index in self._groups.values()})),
        ]  # fmt: skip
        self._epoch_ns, self._timeout_ns = epoch_ns, timeout_ns
        self._now = self._heard = now
        self._cancels = self._quoted = self._is_up = self._is_over = self._began = self._tested = False
        self.puzzling = self.refused = 0

    def logon(
        self, client_id: str, sign: Callable[[bytes], str], nonce: str, now: int, *, cancel_on_disconnect: bool = True
    ) -> None:
        """Log on. `sign` gives the HMAC-SHA256 of its argument by the client's secret, in hexadecimal digits.

        Raises: MisuseError when it was said before.
        """
        if self._began:
            raise MisuseError("a session logs on once")
        stamp = (now + self._epoch_ns) // words.MS
        self._began, self._cancels, self._now, self._heard = True, cancel_on_disconnect, now, now
        self._open("public/auth", {
            "grant_type": "client_signature", "client_id": client_id, "timestamp": stamp, "nonce": nonce, "data": "",
            "signature": sign(f"{stamp}\n{nonce}\n".encode()),
        })  # fmt: skip

    def send(self, request: Request, now: int) -> None:
        """Ask for something: all of it goes out, or nothing.

        Raises: MisuseError unless `Up`, when Deribit has no word for it, or when a value does not fit.
        """
        if not self._is_up or self._is_over:
            raise MisuseError("cannot send an order before the session is up")
        if isinstance(request, MassQuote) and not self._cancels:
            raise MisuseError("Deribit takes quotes only where they are cancelled on disconnect: log on with it")
        order_id = self._orders.order_id(request.client_id)
        calls = self._calls.of(request, order_id, quoted=self._quoted)
        if self._peer.statistics().waiting + len(calls) > jsonrpc.MAX_WAITING:
            raise MisuseError(f"{self._peer.statistics().waiting} requests wait already")
        self._now = max(self._now, now)
        if not self._budget.pays(_ASK_OF[type(request)], len(calls), now):
            self._refuse(request)
            return
        self._quoted = self._quoted or isinstance(request, MassQuote)
        asks = [ASKS.get(call.method) for call in calls]
        if len(calls) > 1 and not isinstance(request, MassQuote):
            self._whole[request.client_id] = _Whole(len(calls))
        cut = sum(ask is Ask.QUOTE for ask in asks) > 1
        for call, ask in zip(calls, asks, strict=True):
            self._asked[self._peer.next_id] = _Asked(request, ask, call.quotes, cut)
            self._peer.request(call.method, call.params, now, timeout_ns=self._timeout_ns)

    @property
    def is_closed(self) -> bool:
        """Say whether nothing will be told any more."""
        return self._is_over

    @property
    def deadline(self) -> int:
        """Say when something is due. Units: monotonic ns."""
        if self._is_over or not self._began:
            return NEVER
        if self._due:
            return self._now
        return min(self._peer.deadline, self._heard + SILENT_NS)

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take one whole message and return what it means."""
        if self._is_over:
            return []
        self._now = max(self._now, now)
        self._heard = self._now
        told = self._drained()
        for event in self._peer.receive(data, self._now):
            told += self._event(event)
        return told

    def wake(self, now: int) -> Sequence[Event]:
        """Act on a deadline that has passed. A call before it does nothing."""
        if now < self.deadline or self._is_over:
            return []
        self._now = max(self._now, now)
        told = self._drained()
        for event in self._peer.wake(self._now):
            if isinstance(event, jsonrpc.TimedOut) and not self._is_over:
                told += self._down(f"{event.method} was not answered")
        if not self._is_over and self._heard + SILENT_NS <= self._now:
            told += self._down("the venue is silent")
        return told

    def lost(self, now: int) -> Sequence[Event]:
        """Take note that the connection below is over."""
        return [] if self._is_over else [*self._drained(), *self._down("the connection was lost")]

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain the messages that must go out."""
        return self._peer.transmit()

    def statistics(self) -> jsonrpc.Statistics:
        """Give the account of the conversation."""
        return self._peer.statistics()

    def _refuse(self, request: Request) -> None:
        self.refused += 1
        ask = _ASK_OF[type(request)]
        self._due.append(Rejected(request.client_id, ask, Cause.RATE, "our own budget", None))

    def _drained(self) -> list[Event]:
        due, self._due = self._due, []
        return due

    # --- opening

    def _open(self, method: str, params: dict[str, Any]) -> None:
        self._opening.add(method)
        self._budget.spend(self._now)
        self._peer.request(method, params, self._now, timeout_ns=self._timeout_ns)

    def _opened(self, event: jsonrpc.Answered) -> list[Event]:
        """Go on with what is said before anything is asked; the last answer is `Up`."""
        self._opening.discard(event.method)
        if event.method == "public/auth":
            self._open("public/set_heartbeat", {"interval": HEARTBEAT_S})
            if self._cancels:
                self._open("private/enable_cancel_on_disconnect", {"scope": "connection"})
            self._open("private/subscribe", {"channels": self._channels})
        if event.method == "private/subscribe":
            carried = answers.decoded(_CHANNELS, event.result, event.method)
            missing = sorted(set(self._channels) - set(carried))
            if missing:
                return self._down(f"the venue does not tell {missing[0]}")
        if self._opening:
            return []
        self._is_up = True
        for currency in self._portfolios:  # a notification comes with the next change, and that may be none
            self._budget.spend(self._now)
            self._peer.request(_SUMMARY, {"currency": currency}, self._now, timeout_ns=self._timeout_ns)
        return [Up(self._session)]

    # --- what the venue says

    def _event(self, event: jsonrpc.Event) -> list[Event]:
        try:
            match event:
                case jsonrpc.Answered(id, method, result) if method in self._opening:
                    return self._opened(event)
                case jsonrpc.Answered(id, method, result):
                    return self._answered(self._asked.pop(id, None), method, result)
                case jsonrpc.Failed():
                    return self._failed(event)
                case jsonrpc.Notified("heartbeat", params):
                    return self._beat(params)
                case jsonrpc.Notified("subscription", params):
                    return self._notified(answers.decoded(_NOTIFIED, params, "notification"))
                case jsonrpc.Malformed(what):
                    return self._down(f"a message cannot be read: {what}")
        except WireError as error:  # it could have been a fill
            return self._down(f"a message cannot be read: {error.what}: {error.found[: words.MAX_TEXT]}")
        return self._puzzled(f"{type(event).__name__} of the venue's")

    def _beat(self, params: bytes) -> list[Event]:
        """Answer a test, at once; one that comes before the answer to the last is answered with it."""
        if answers.part(answers.said(params), "type") == "test_request" and not self._tested:
            self._tested = True
            self._budget.spend(self._now)
            self._peer.request("public/test", {}, self._now, timeout_ns=self._timeout_ns)
        return []

    def _notified(self, note: words.Notification) -> list[Event]:
        kind = ".".join(note.channel.split(".")[:2])
        match kind:
            case "user.changes":
                changes = answers.decoded(_CHANGES, note.data, kind)
                return self._changed(changes.orders, changes.trades)
            case "user.orders":
                return self._changed(_orders(note.data), [])
            case "user.trades":
                trades = answers.decoded(_TRADES, note.data, kind)
                return self._changed([], trades)
            case "user.portfolio":
                return [_portfolio(answers.decoded(_PORTFOLIO, note.data, kind))]
            case "user.mmp_trigger":
                return self._tripped(answers.decoded(_TRIGGER, note.data, kind))
        return self._puzzled(f"notification of {note.channel[:40]}")

    def _tripped(self, trigger: words.Trigger) -> list[Event]:
        ours = [number for number, group in self._groups.items() if group == (trigger.mmp_group, trigger.index_name)]
        if not ours:
            return self._puzzled(f"protection of {trigger.index_name[:40]} has tripped, which is none of ours")
        until = words.nanoseconds(trigger.frozen_until)
        return [Tripped(ours[0], trigger.index_name[: words.MAX_TEXT], until, None)]

    def _changed(self, orders: Sequence[words.OrderObject], trades: Sequence[words.TradeObject]) -> list[Event]:
        told: list[Event] = []
        for one in self._orders.changed(orders, trades):
            told.append(one)
            if isinstance(one, Puzzling):
                self.puzzling += 1
            if isinstance(one, Amended):
                self._settled(one.client_id)
        return told

    def _settled(self, client_id: int) -> None:
        """Take note that an amendment was told by a notification: its answer has nothing to add."""
        for asked in self._asked.values():
            if asked.ask is Ask.AMEND and asked.request.client_id == client_id:
                asked.told = True

    def _answered(self, asked: _Asked | None, method: str, result: bytes) -> list[Event]:
        if method == "public/test":
            self._tested = False
            return []
        if method == _SUMMARY:
            return [_portfolio(answers.decoded(_PORTFOLIO, result, method))]
        if asked is None:
            return self._puzzled(f"an answer to {method}")
        client_id = asked.request.client_id
        match method:
            case "private/reset_mmp" if isinstance(asked.request, MassQuote):
                return [Freed(asked.request.group, None)]
            case "private/mass_quote" if isinstance(asked.request, MassQuote):
                done = answers.decoded(_QUOTES, result, method)
                quoted = self._orders.quoted(client_id, asked.request.group, asked.quotes, done)
                return [quoted, *self._changed(done.orders, done.trades)]
            case "private/cancel":
                return self._changed([answers.decoded(_ORDER, result, method)], [])
            case "private/cancel_by_label":
                none = not answers.decoded(_COUNT, result, method)
                return [Rejected(client_id, Ask.CANCEL, Cause.NOT_FOUND, "0 orders", None)] if none else []
            case "private/get_open_orders":
                listed = answers.decoded(_ORDERS, result, method)
                orders, strange = self._orders.resting(listed)
                return [*self._strangers(strange), *self._part(asked, {"orders": orders}, 0, None)]
            case "private/get_positions":
                positions = answers.decoded(_POSITIONS, result, method)
                held, strange = self._orders.held(positions)
                return [*self._strangers(strange), *self._part(asked, {"positions": held}, 0, None)]
        if asked.ask is Ask.CANCEL_ALL:
            return self._part(asked, {}, answers.decoded(_COUNT, result, method), None)
        return self._done(asked, answers.decoded(_DONE, result, method))

    def _done(self, asked: _Asked, done: words.Done) -> list[Event]:
        told = self._changed([done.order], done.trades)
        known = self._orders.find(done.order.order_id)
        amended = asked.told or any(isinstance(one, Amended) for one in told)
        if asked.ask is Ask.AMEND and not amended and known is not None:
            told.insert(0, self._orders.amended(known, done.order))
        return told

    def _failed(self, event: jsonrpc.Failed) -> list[Event]:
        cause, reason = words.refusal(event.code, event.message)
        if event.code in words.THROTTLED:
            self._budget.hold(self._now)
        asked = self._asked.pop(event.id, None)
        if event.method in self._opening:
            return self._down(f"{event.method} was refused: {reason}")
        if asked is None or asked.ask is None:
            self._tested = self._tested and event.method != "public/test"
            return self._puzzled(f"{event.method} was refused: {reason}")
        if asked.request.client_id in self._whole:
            return self._part(asked, {}, 0, (cause, reason))
        instruments = tuple(quote.instrument for quote in asked.quotes) if asked.cut else ()
        return [Rejected(asked.request.client_id, asked.ask, cause, reason, None, instruments)]

    def _part(
        self, asked: _Asked, part: dict[str, tuple[Any, ...]], count: int, refused: tuple[Cause, str] | None
    ) -> list[Event]:
        """Take one answer of several; the last one tells all of it. One that was refused refuses it all."""
        client_id = asked.request.client_id
        whole = self._whole.get(client_id) or _Whole(1)
        whole.left, whole.count, whole.refused = whole.left - 1, whole.count + count, whole.refused or refused
        whole.parts |= part
        if whole.left:
            return []
        self._whole.pop(client_id, None)
        if whole.refused is not None:
            return [Rejected(client_id, asked.ask or Ask.LIST, *whole.refused, None)]
        if asked.ask is Ask.LIST:
            return [Listed(self._session, whole.parts["orders"], whole.parts["positions"], None)]
        return [AllCanceled(client_id, whole.count, None)]

    def _strangers(self, names: Sequence[str]) -> list[Event]:
        """Say what of a list is of instruments that this session does not know: it is in no list of ours."""
        return [told for name in names for told in self._puzzled(f"the account has something of {name}")]

    def _puzzled(self, what: str) -> list[Event]:
        self.puzzling += 1
        return [Puzzling(what)]

    def _down(self, reason: str) -> list[Event]:
        self._is_over, self._is_up = True, False
        self._asked.clear()
        return [Down(self._session, reason, self._cancels)]


def _portfolio(one: words.PortfolioObject) -> Portfolio:
    return Portfolio(
        one.currency, one.equity, one.balance, one.available_funds, one.initial_margin, one.maintenance_margin
    )


def _orders(data: Buffer) -> list[words.OrderObject]:
    """Decode an order, or a list of such: raw notifications are the one, bundled ones the other."""
    if bytes(data)[:1] == b"[":
        return answers.decoded(_ORDERS, data, "user.orders")
    return [answers.decoded(_ORDER, data, "user.orders")]


_ASK_OF: Final[Mapping[type[Any], Ask]] = {
    New: Ask.NEW, Amend: Ask.AMEND, Cancel: Ask.CANCEL, CancelAll: Ask.CANCEL_ALL, MassQuote: Ask.QUOTE,
    List: Ask.LIST,
}  # fmt: skip
