"""What is spoken in an order session, connection after connection: one for each protocol, made by `speech_of`.

    begin(endpoint, now)    the machine of a new connection, which logs on by itself
    send(request, now)      a request in the venue's words, into that machine
    leave(now)              say goodbye
    ended(reason)           the connection is over: what the next one has to know of it

What outlives a connection stays here: the numbers of both directions, the orders by the venue's names. TLS stands below
where the endpoint says so (`tls://`, `wss://`).

A first logon to Starbase begins the numbers anew unless they were kept (`session_numbers`), as does one after numbers
that fell: what the venue said under the old ones is lost, and a list tells what is true.
"""

import os
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from netfeed.app.configuration import Session as Config
from netfeed.app.trading.ouch_speech import OuchSpeech
from netfeed.app.trading.over_tls import over_tls
from netfeed.app.trading.secrets import Secret
from netfeed.app.trading.session_numbers import SessionNumbers
from netfeed.app.trading.traded import Traded, deribit_listing, starbase_listing
from netfeed.book.execution import CancelAll, Flag, List, MassQuote, New, Report, Request
from netfeed.book.level import Side
from netfeed.feed.websocket_talk import WebSockets
from netfeed.machine import StreamMachine
from netfeed.proto import starbase_orders, starbase_past, websocket
from netfeed.proto.starbase_rows import Array, QuoteRows
from netfeed.venues.deribit_budget import ORDERS_BURST, ORDERS_RATE
from netfeed.venues.deribit_order_stream import OrderStream
from netfeed.venues.deribit_orders import MAX_BYTES, Session

NONCE_BYTES: Final = 8
_FALLEN: Final = ("reset", "sequence")
"""Words of a reason that say that the numbers of a session do not fit any more."""


class Speech(Protocol):
    """One session. `begin` comes before everything else."""

    def begin(self, endpoint: str, now: int) -> StreamMachine:
        """Give the machine of a new connection. Raises: MisuseError for words that do not fit."""

    def takes(self, request: Request) -> bool:
        """Say whether the venue has a message for it."""

    def send(self, request: Request, now: int) -> Sequence[Report | Any]:
        """Ask; what is answered without the venue is given, and was not sent. Raises: MisuseError: nothing was done."""

    def leave(self, now: int) -> None:
        """Say goodbye. Raises: MisuseError where there is nobody to hear it."""

    def ended(self, reason: str, *, was_up: bool) -> bool:
        """Take note of how the connection ended; say whether it has done what it was for: the next begins at once."""


class StarbaseSpeech:
    """Starbase order entry: SBE over TCP."""

    def __init__(
        self, number: int, config: Config, traded: Sequence[Traded], secret: Secret, context: ssl.SSLContext | None,
        quote_flags: Flag,
    ) -> None:  # fmt: skip
        self._number, self._config, self._secret, self._context = number, config, secret, context
        self._listed, self._quote_flags = starbase_listing(traded), quote_flags
        self._past = starbase_past.ClientPast()
        self._reset = True
        self._numbers: SessionNumbers | None = None
        self._client: starbase_orders.Client | None = None

    def keep(self, numbers: SessionNumbers, sides: Mapping[int, Side]) -> None:
        """Go on under the numbers of a run before, and have these outlive us. `sides`: of the orders known from it."""
        self._numbers = numbers
        if numbers.known is not None:
            self._past, self._reset = starbase_past.ClientPast(numbers.known), False
            self._past.sides.update(sides)

    def settled(self) -> None:
        """Take note that all that came was handed on."""
        if self._numbers is not None:
            self._numbers.store(self._past.journal.next_out, self._past.journal.next_in)

    def begin(self, endpoint: str, now: int) -> StreamMachine:
        """Log on."""
        self._client = client = starbase_orders.Client(
            self._number, self._listed, now, self._past, epoch_ns=epoch_ns(), self_match_id=self._config.self_match_id,
            quote_flags=self._quote_flags,
        )  # fmt: skip
        client.logon(
            self._config.key, self._secret.reveal(), now, reset=self._reset,
            cancel_on_disconnect=self._config.cancel_on_disconnect,
        )  # fmt: skip
        return over_tls(endpoint, client, self._context, now)

    def takes(self, request: Request) -> bool:
        """Say whether Starbase has a message for it: for all but lists, and orders at the market."""
        return not isinstance(request, List) and not (isinstance(request, New) and request.price is None)

    def send(self, request: Request, now: int) -> Sequence[Report | Any]:
        """Ask."""
        assert self._client is not None
        self._client.send(request, now)
        self._reserve()
        return ()

    def rows(self, instruments: Sequence[int]) -> QuoteRows:
        """Give what writes the quotes of these in rows. Raises: MisuseError for one that is not listed."""
        return QuoteRows(
            self._listed, instruments, self_match_id=self._config.self_match_id, quote_flags=self._quote_flags
        )

    def send_rows(self, quotes: QuoteRows, rows: Array, count: int, client_id: int, group: int, now: int) -> None:
        """Ask for a mass quote of the first rows. Raises: MisuseError: nothing was done."""
        assert self._client is not None
        self._client.send_rows(quotes, rows, count, client_id, group, now)
        self._reserve()

    def _reserve(self) -> None:
        if self._numbers is not None:  # perhaps in the middle of what came: a report may still wait to be handed on
            self._numbers.reserve(self._past.journal.next_out)

    def leave(self, now: int) -> None:
        """Log out."""
        assert self._client is not None
        self._client.logout(now)

    def ended(self, reason: str, *, was_up: bool) -> bool:
        """Begin the numbers anew where they fell; one that was up goes on where it was."""
        self._reset = any(word in reason.lower() for word in _FALLEN) or (self._reset and not was_up)
        return False


class DeribitSpeech:
    """Deribit's JSON-RPC over WebSocket."""

    def __init__(
        self, number: int, config: Config, traded: Sequence[Traded], secret: Secret, context: ssl.SSLContext | None,
        quote_flags: Flag,
    ) -> None:  # fmt: skip
        self._number, self._config, self._secret = number, config, secret
        self._listed, self._quote_flags = deribit_listing(traded), quote_flags
        self._groups = {one.number: (one.name, one.index) for one in config.groups}
        limits = websocket.Limits(frame_bytes=MAX_BYTES, message_bytes=MAX_BYTES)
        self._talks = WebSockets(os.urandom, context=context, limits=limits, compression=False)
        self._session: Session | None = None
        self._stream: OrderStream | None = None

    def begin(self, endpoint: str, now: int) -> StreamMachine:
        """Shake hands; the session logs on when that is done."""
        rate = float(self._config.rate or ORDERS_RATE)
        burst = ORDERS_BURST if self._config.rate is None else self._config.burst
        self._session = session = Session(
            self._number, self._listed, now, groups=self._groups, portfolios=self._config.portfolios,
            quote_flags=self._quote_flags, epoch_ns=epoch_ns(), orders=(rate, burst),
        )  # fmt: skip

        def logon(at: int) -> None:
            nonce = os.urandom(NONCE_BYTES).hex()
            cancels = self._config.cancel_on_disconnect
            session.logon(self._config.key, self._secret.sign, nonce, at, cancel_on_disconnect=cancels)

        self._stream = OrderStream(self._talks(endpoint, now), session, logon)
        return self._stream

    def takes(self, request: Request) -> bool:
        """Say whether Deribit has a message for it: for all but a CancelAll of one side; quotes want their group."""
        if isinstance(request, MassQuote):
            return request.group in self._groups
        return not (isinstance(request, CancelAll) and request.side is not None)

    def send(self, request: Request, now: int) -> Sequence[Report | Any]:
        """Ask; what our own budget refuses is told at once, and not sent."""
        assert self._session is not None
        refused = self._session.refused
        self._session.send(request, now)
        return self._session.wake(now) if self._session.refused > refused else ()

    def leave(self, now: int) -> None:
        """Close the WebSocket."""
        assert self._stream is not None
        self._stream.leave("goodbye", now)

    def ended(self, reason: str, *, was_up: bool) -> bool:
        """Remember nothing: a session of Deribit's ends with its connection."""
        return False


def speech_of(
    number: int, config: Config, traded: Sequence[Traded], secret: Secret, context: ssl.SSLContext | None, *,
    quote_flags: Flag,
) -> Speech:  # fmt: skip
    """Make what a session speaks. Raises: MisuseError for instruments that its protocol cannot name."""
    if config.protocol == "ouch":
        return OuchSpeech(number, config, traded, secret, context)
    return _QUOTING[config.protocol](number, config, traded, secret, context, quote_flags)


_QUOTING: Final[Mapping[str, Callable[..., Speech]]] = {"starbase": StarbaseSpeech, "deribit": DeribitSpeech}


def epoch_ns() -> int:
    """Give what makes ns since 1970 of monotonic time, as the clock is now."""
    return time.time_ns() - time.monotonic_ns()
