"""A client's side of a Starbase order session over one connection.

    client = Client(1, listed, now, past)              `past` is what the connection before has left
    client.logon("key", secret, now)                   Up(1), once nothing is missing
    client.send(New(7, 0, Side.BID, 100, 5), now)      Accepted(7, ...), Filled(7, ...), Canceled(7, ...)
    client.logout(now)                                 Down(1, "...", cancels=True)

Source: Deribit, SBE schema 2101 version 16, and docs.deribit.com/starbase (session messages, cancel on disconnect, mass
quotes, mass cancel). The talk itself is in `starbase_talk`: what is missing is asked for, and `Up` comes only when
nothing is.

**Nothing is ever sent twice.** When the venue asks for messages of ours again, all that it gets is a GapFill: an order
whose fate is unknown may have been executed, and sent again it would be a second one. Besides, a price of a moment ago
is not one that anybody wants now. `NotResent` says which requests they were. A lost connection is
`Down`, and every request without an answer uncertain; the next connection with the same `past` asks the venue for what
it said meanwhile, so that most of it is told after all, once.

What is not known fails closed: a message of another version of the schema, one that its template does not fit, or one
of a type that the schema does not have could be a fill. A message that is whole but speaks of an instrument that is not
listed, or in finer steps than its own, is `Puzzling` and counted.

Leaves out: connecting again and the choice between the venue's gateways (an order goes to one of them, once), what
rests and what is held (Starbase does not tell it over this session), combinations, the status of protections.
"""

from collections.abc import Sequence
from typing import Any, Final

from netfeed.book.execution import NONE, AllCanceled, Ask, Cancel, CancelAll, Cause, Flag, Rejected, Report, Request
from netfeed.errors import MisuseError, WireError
from netfeed.machine import Buffer
from netfeed.proto import starbase_causes as causes
from netfeed.proto.starbase_past import ClientPast
from netfeed.proto.starbase_reports import SAID
from netfeed.proto.starbase_requests import asked
from netfeed.proto.starbase_rows import Array, QuoteRows
from netfeed.proto.starbase_state import (
    MAX_HEARTBEAT_S,
    MIN_HEARTBEAT_S,
    SECOND,
    Note,
    NotResent,
    State,
    Statistics,
    Timing,
    plain,
)
from netfeed.proto.starbase_talk import Talk
from netfeed.proto.starbase_terms import Instruments
from netfeed.wire import starbase_codes as codes
from netfeed.wire import starbase_orders as wire
from netfeed.wire.starbase_codes import MessageType

ACCEPTS: Final = frozenset(wire.SCHEMA.templates) - {1, 4} - set(range(100, 200))
"""What a venue says: all but a Logon, a Logout and requests."""
_MMP_STATUS: Final = frozenset(range(280, 284))
_ACTIVE: Final = frozenset({State.ACTIVE})

Event = Report | Note


class Client:
    """One connection of a session. `logon` begins it.

    `session` is the caller's number of it, in `Up` and `Down`. `self_match_id` is the group within which our own orders
    do not match; `quote_flags` are given to both sides of every quote. Units: `epoch_ns` is what makes ns since 1970 of
    `now`.
    """

    def __init__(
        self, session: int, listed: Instruments, now: int, past: ClientPast | None = None, *,
        timing: Timing | None = None, epoch_ns: int = 0, self_match_id: int = 0, quote_flags: Flag = NONE,
    ) -> None:  # fmt: skip
        self.past = past or ClientPast()
        self._listed, self._self_match_id, self._quote_flags = listed, self_match_id, quote_flags
        self._secret = ""
        self._talk = Talk(
            session, State.START, MessageType.LOGON_CONF, ACCEPTS, self.past.journal, timing or Timing(), now, epoch_ns
        )

    def logon(
        self, client_id: str, secret: str, now: int, *, reset: bool = False, cancel_on_disconnect: bool = True
    ) -> None:
        """Log on. `reset`: both sides count from 1 again, and what the venue said meanwhile is lost.

        Raises: MisuseError when it was said before, or a word does not fit.
        """
        self._talk.command(frozenset({State.START}), "log on", now)
        if len(secret) > 48 or len(client_id) > 16 or not (secret + client_id).isascii():
            raise MisuseError("a Starbase logon has 16 ASCII characters of client id and 48 of secret")
        if reset:
            self.past.reset()
        self._secret = secret
        self._talk.cancels = cancel_on_disconnect
        self._talk.send(
            MessageType.LOGON, clientId=client_id, secret=secret, resetSeqNum=int(reset), schemaVersion=wire.VERSION,
            cancelOnDisconnect=int(cancel_on_disconnect),
        )  # fmt: skip
        self._talk.enter(State.LOGGING_ON)

    def send(self, request: Request, now: int) -> None:
        """Ask for something: all of it goes out, or nothing. While something is missing, orders can only be cancelled.

        Raises: MisuseError unless `Up`, when Starbase has no word for it, or when a value does not fit.
        """
        allowed = {State.ACTIVE, State.RECOVERING} if isinstance(request, Cancel | CancelAll) else {State.ACTIVE}
        self._talk.command(frozenset(allowed), "send an order", now)
        messages = asked(request, self._listed, self._self_match_id, self._quote_flags)
        journal, frames = self.past.journal, []
        first = journal.next_out
        try:
            for message in messages:
                fields = message.fields | {"correlationId": journal.next_out}
                frames.append(journal.write(message.message, self._talk.wall_ns, **fields))
        except MisuseError:
            journal.next_out = first
            raise
        self.past.note(request, messages, first)
        for frame in frames:
            self._talk.put(frame)

    def send_rows(self, quotes: QuoteRows, rows: Array, count: int, client_id: int, group: int, now: int) -> None:
        """Ask for a mass quote of the first rows of an array (`starbase_rows`): all of it goes out, or nothing.

        Raises: MisuseError unless `Up`, or when a value does not fit.
        """
        self._talk.command(_ACTIVE, "send a quote", now)
        journal = self.past.journal
        first = journal.next_out
        try:
            data = quotes.frames.write(rows, count, client_id, group, first, journal.next_in - 1, self._talk.wall_ns)
        except ValueError as error:
            raise MisuseError(str(error)) from error
        asked = quotes.asked(rows, count, client_id)
        journal.next_out = first + len(asked)
        self.past.note_all(asked, first)
        self._talk.put(data, len(asked))

    def next_rows(self, now: int) -> tuple[int, int, int] | None:
        """Say what a mass quote that somebody else writes and sends at once must bear, None where none may go.

        The number of its first message, the last of the venue's that was looked at, and what makes ns since 1970 of
        `now`. It holds until the next call of anything.
        """
        if self._talk.state is not State.ACTIVE or self._talk.is_pending:
            return None
        self._talk.tick(now)
        return self.past.journal.next_out, self.past.journal.next_in - 1, self._talk.epoch_ns

    def rows_went(self, quotes: QuoteRows, rows: Array, count: int, client_id: int, size: int, rest: bytes) -> None:
        """Take note that somebody has sent a mass quote as `next_rows` said; `rest` is what must still go out."""
        asked, journal = quotes.asked(rows, count, client_id), self.past.journal
        first = journal.next_out
        journal.next_out = first + len(asked)
        self.past.note_all(asked, first)
        self._talk.went(size, len(asked), rest)

    def logout(self, now: int, reason: str = "") -> None:
        """Ask the venue to end the session; what is on its way is still told. Raises: MisuseError unless logged on."""
        self._talk.command(frozenset({State.ACTIVE, State.RECOVERING}), "log out", now)
        self._talk.send(MessageType.LOGOUT, reason=reason)
        self._talk.enter(State.LEAVING)

    @property
    def state(self) -> State:
        """Say where the session is."""
        return self._talk.state

    @property
    def is_closed(self) -> bool:
        """Say whether nothing will be told any more."""
        return self._talk.is_closed

    @property
    def deadline(self) -> int:
        """Say when a sign of life, or a verdict on the peer, is due. Units: monotonic ns."""
        return self._talk.deadline

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take bytes of the stream and return what they mean."""
        self._talk.tick(now)
        return self._talk.receive(data, self)

    def wake(self, now: int) -> Sequence[Event]:
        """Act on a deadline that has passed. A call before it does nothing."""
        return self._talk.wake(now)

    def end(self, now: int) -> Sequence[Event]:
        """Take note that the peer closed."""
        self._talk.tick(now)
        return self._talk.end()

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out."""
        return self._talk.transmit()

    def statistics(self) -> Statistics:
        """Give the account as it is now."""
        return self._talk.statistics()

    # --- what the talk asks of its side

    def told(self, header: Any, body: Any) -> list[Any]:
        """Say what a message of the venue means."""
        match header.messageTypeId:
            case MessageType.LOGON_CONF:
                return self._confirmed(body)
            case MessageType.LOGGED_OUT:
                return self._talk.close(f"logged out: {plain(body.reason, self._secret) or 'no reason given'}")
            case MessageType.REJECT:
                return self._unread(body)
            case MessageType.MASS_CANCEL_RESPONSE | MessageType.MASS_CANCEL_REJECT:
                return self._mass_canceled(header.messageTypeId, body)
            case MessageType.MASS_QUOTE_REJECT:
                return [self._quote_refused(body)]
        said = SAID.get(header.messageTypeId)
        if said is None:
            return self._talk.puzzled(f"message {header.messageTypeId}, which was not asked for")
        return self._reported(said(body, self._listed, self.past.sides))

    def misread(self, header: Any, error: WireError) -> list[Any]:
        """End the session: what cannot be read could be a fill."""
        return self._talk.fail(f"message {header.messageTypeId} cannot be read: {error.what}: {error.found}")

    def not_resent(self, first: int, last: int) -> list[Any]:
        """Say which requests the venue never heard of."""
        known = [(one.ask, one.client_id) for number, one in self.past.asked.items() if first <= number <= last]
        return [NotResent(first, last, tuple(dict.fromkeys(known)))]

    def _confirmed(self, body: Any) -> list[Any]:
        if body.schemaVersion != wire.VERSION:
            return self._talk.fail(f"the venue speaks version {body.schemaVersion} of the schema, not {wire.VERSION}")
        if not MIN_HEARTBEAT_S <= body.heartbeatIntervalSeconds <= MAX_HEARTBEAT_S:
            return self._talk.fail(f"a heartbeat every {body.heartbeatIntervalSeconds} s is none")
        self._talk.interval_ns = body.heartbeatIntervalSeconds * SECOND
        self._talk.enter(State.RECOVERING)
        return self._talk.settle()

    def _reported(self, said: Any) -> list[Any]:
        """Collect the reports of one message; where one of them cannot be said, say so in its place."""
        events: list[Any] = []
        try:
            events += said
        except WireError as error:
            events += self._talk.puzzled(f"{error.what}: {error.found}")
        return events

    def _unread(self, body: Any) -> list[Any]:
        message = self.past.asked.get(body.refSequenceNumber)
        word = causes.named(codes.SessionRejectReason, body.reason, plain(body.details, self._secret))
        if message is None:
            return self._talk.puzzled(f"message {body.refSequenceNumber} was refused: {word}")
        if message.ask is Ask.CANCEL_ALL:
            return self._part(message.client_id, 0, (Cause.OTHER, word), None)
        return [Rejected(message.client_id, message.ask, Cause.OTHER, word, None, message.instruments)]

    def _quote_refused(self, body: Any) -> Rejected:
        message = self.past.asked.get(body.correlationId)
        cause = causes.NOT_QUOTED.get(body.reason, Cause.OTHER)
        word = causes.named(codes.MassQuoteRejectReason, body.reason, plain(body.details))
        instruments = () if message is None else message.instruments
        return Rejected(body.quoteId, Ask.QUOTE, cause, word, body.timestamp, instruments)

    def _mass_canceled(self, kind: int, body: Any) -> list[Any]:
        message = self.past.asked.get(body.correlationId)
        if message is None:
            return self._talk.puzzled(f"an answer to a mass cancel {body.correlationId} that nobody remembers")
        if kind == MessageType.MASS_CANCEL_RESPONSE:
            return self._part(message.client_id, body.totalOrderCount, None, body.timestamp)
        word = causes.named(codes.MassCancelRejectReason, body.reason, plain(body.details))
        refused = (causes.NOT_ALL_CANCELED.get(body.reason, Cause.OTHER), word)
        return self._part(message.client_id, 0, refused, body.timestamp)

    def _part(self, client_id: int, count: int, refused: tuple[Cause, str] | None, ts: int | None) -> list[Any]:
        """Take one of the answers to a CancelAll; the last one tells all of it. One that was refused refuses it all."""
        parts = self.past.cancels.get(client_id)
        if parts is None:
            return self._talk.puzzled(f"an answer to mass cancel {client_id} that was answered")
        parts.left, parts.count, parts.refused = parts.left - 1, parts.count + count, parts.refused or refused
        if parts.left:
            return []
        del self.past.cancels[client_id]
        if parts.refused is not None:
            return [Rejected(client_id, Ask.CANCEL_ALL, *parts.refused, ts)]
        return [AllCanceled(client_id, parts.count, ts)]
