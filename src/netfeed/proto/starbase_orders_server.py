"""A venue's side of a Starbase order session over one connection.

    server = Server(1, listed, now)                    LogonRequested("key", cancel_on_disconnect=True)
    server.accept(past, now)                           New(7, ...), CancelAll(9, ...): the client's requests
    server.report([Accepted(7, ...), Filled(...)], now)
    ...                                                Down(1, "the peer closed", cancels=True)

Source: Deribit, SBE schema 2101 version 16. Requests are told in the words of `book.execution`, and reports are given
in them. What is reported is kept in `past`, and the client can ask for it again; `report_to` writes it where no
connection is. `Down` says whether the client wants its orders cancelled when that happens: those that have no
Flag.KEEP. To do so is the caller's.

A message that cannot be read is refused (Reject), and the session goes on: frames are whole. So are those for which
there are no words: CancelById, MassQuoteCancel, the status of a protection.

A mass cancel has no client id on the wire: that of its CancelAll is its correlation id.

Leaves out: who may log on; whether an order is new; a mass cancel of one currency pair or kind of product, which is
told as one of everything.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from netfeed.book.execution import Down, Report, Request
from netfeed.errors import WireError
from netfeed.machine import Buffer
from netfeed.proto import starbase_requests as requests
from netfeed.proto.starbase_answers import Answers
from netfeed.proto.starbase_past import VenuePast
from netfeed.proto.starbase_state import (
    MAX_GAP,
    MAX_TEXT,
    LogonRequested,
    Note,
    State,
    Statistics,
    Timing,
    plain,
)
from netfeed.proto.starbase_talk import Talk
from netfeed.proto.starbase_terms import Instruments
from netfeed.wire import starbase_orders as wire
from netfeed.wire.sbe import UnknownTemplate
from netfeed.wire.starbase_codes import MessageType, SessionRejectReason

ACCEPTS: Final = frozenset({1, 4, 10, 11, 20, 21, *range(100, 200)}) & frozenset(wire.SCHEMA.templates)
"""What a client says."""

Event = Request | Down | Note


def report_to(past: VenuePast, listed: Instruments, reports: Iterable[Report], wall_ns: int) -> list[bytes]:
    """Write what a venue reports into the session's journal, and give the frames for whoever is connected.

    Units: `wall_ns` ns since 1970.
    Raises: MisuseError for a report that Starbase has no message for; those before it are written.
    """
    answers = Answers(listed, past, wall_ns)
    return [past.journal.write(kind, wall_ns, **fields) for kind, fields in answers.write(list(reports))]


class Server:
    """One connection of a session, which begins with it at `now`. Units: `epoch_ns` makes ns since 1970 of `now`."""

    def __init__(
        self, session: int, listed: Instruments, now: int, *, timing: Timing | None = None, epoch_ns: int = 0
    ) -> None:
        self._listed = listed
        self.past = VenuePast()
        self._logon = (0, False, False)  # its number, whether all begins anew, whether orders are cancelled
        self._talk = Talk(
            session, State.START, MessageType.LOGON, ACCEPTS, self.past.journal, timing or Timing(), now, epoch_ns
        )

    def accept(self, past: VenuePast, now: int) -> None:
        """Let the client in; its session goes on where `past` ends.

        A client whose numbers have fallen is sent away, which the next wake, due at once, tells.

        Raises: MisuseError unless a logon waits for an answer.
        """
        self._talk.command(frozenset({State.JUDGING}), "accept", now)
        number, reset, cancels = self._logon
        if reset:
            past.reset()
        journal = past.journal
        if not 0 <= number - journal.next_in <= MAX_GAP:
            reason = f"number {number} where {journal.next_in} was due: log on with a reset, and reconcile"
            self._talk.send(MessageType.LOGGED_OUT, reason=reason)
            self._talk.doom(reason)
            return
        self.past, self._talk.journal = past, journal
        self._talk.cancels = cancels
        self._talk.hold(number)
        self._talk.send(
            MessageType.LOGON_CONF, heartbeatIntervalSeconds=self._talk.timing.heartbeat_s, schemaVersion=wire.VERSION
        )
        self._talk.enter(State.RECOVERING)
        self._talk.begin(self)

    def refuse(self, reason: str, now: int) -> None:
        """Send the client away; the driver drains and closes, and nothing is told. Raises: MisuseError."""
        self._talk.command(frozenset({State.JUDGING}), "refuse", now)
        self._talk.fail(reason)

    def report(self, reports: Iterable[Report], now: int) -> None:
        """Tell what came of requests, all of one step together. It is kept even where the client is gone.

        Raises: MisuseError for a report that Starbase has no message for.
        """
        self._talk.tick(now)
        for frame in report_to(self.past, self._listed, reports, self._talk.wall_ns):
            if self._talk.is_logged_on:
                self._talk.put(frame)

    def logout(self, reason: str, now: int) -> None:
        """End the session; the next wake, due at once, tells it. Raises: MisuseError unless the client is in."""
        self._talk.command(frozenset({State.ACTIVE, State.RECOVERING}), "log out", now)
        self._talk.send(MessageType.LOGGED_OUT, reason=reason[:MAX_TEXT])
        self._talk.doom(reason)

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
        """Say what a message of the client means."""
        kind = header.messageTypeId
        if kind == MessageType.LOGON:
            return self._asked_in(header, body)
        if kind == MessageType.LOGOUT:
            return self._talk.fail(f"the client logged out: {plain(body.reason)}".removesuffix(": "))
        try:
            request = requests.read(kind, body, self._listed)
        except WireError as error:
            return self.misread(header, error)
        if request is None:
            return self._reject(header, SessionRejectReason.MESSAGE_DISABLED, f"message {kind} is not taken here")
        self.past.note(request, body.correlationId, self._listed)
        return [request]

    def misread(self, header: Any, error: WireError) -> list[Any]:
        """Refuse a message that cannot be read; a logon that cannot be is the end."""
        reason = SessionRejectReason.INVALID_FIELD_VALUE
        if isinstance(error, UnknownTemplate) or header.messageTypeId not in ACCEPTS:
            reason = SessionRejectReason.INVALID_TEMPLATE_ID
        if self._talk.state is State.START:
            return self._talk.fail(f"the logon cannot be read: {error.what}")
        return self._reject(header, reason, f"{error.what}: {error.found}")

    def not_resent(self, first: int, last: int) -> list[Any]:
        """Say nothing: reports are resent, and only they matter to anybody."""
        return []

    def _asked_in(self, header: Any, body: Any) -> list[Any]:
        if body.schemaVersion != wire.VERSION:
            return self._talk.fail(f"version {body.schemaVersion} of the schema is not known here, {wire.VERSION} is")
        reset, cancels = bool(body.resetSeqNum), bool(body.cancelOnDisconnect)
        self._logon = (header.sequenceNumber, reset, cancels)
        self._talk.enter(State.JUDGING)
        return [LogonRequested(body.clientId, body.secret, reset, cancels)]

    def _reject(self, header: Any, reason: int, details: str) -> list[Any]:
        told = self._talk.puzzled(details)
        fields = {"refSequenceNumber": header.sequenceNumber, "reason": reason, "details": plain(details)}
        return told + self._talk.answer(MessageType.REJECT, **fields)
