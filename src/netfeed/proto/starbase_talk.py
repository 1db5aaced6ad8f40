"""What both sides of a Starbase order session share: frames, numbers, what is missing, signs of life.

Source: Deribit, SBE schema 2101 version 16, session messages. Each side counts what it says from 1. A number that is
too high shows that something is missing: it is asked for, and what came after it waits, so that messages mean something
in their order only; but for those of the session itself (a request to resend, a test), which are answered at once, or
two sides that both miss something would wait for each other. A number that was there before is a duplicate where the
frame says that it is sent again, and the end of the session where it does not: numbers that fall are another session.

Invariant: however a stream is cut up, the same is told. `next_in` moves past a number only when its message was
looked at, or when the peer said that there is none, and then no further than to what was asked for.

Bounds: less than one frame of what is incomplete; MAX_HELD messages and MAX_HELD_BYTES behind a gap of at most MAX_GAP
numbers; MAX_QUEUED bytes that nobody drained, and once more what a journal keeps, after which the session is over.
"""

from typing import Any, Final, Protocol

from netfeed.book.execution import Down, Up
from netfeed.errors import MisuseError, WireError
from netfeed.machine import NEVER, Buffer
from netfeed.proto.starbase_journal import Journal
from netfeed.proto.starbase_state import (
    DEAD_AFTER,
    MAX_GAP,
    MAX_HELD,
    MAX_HELD_BYTES,
    MAX_QUEUED,
    MAX_TEXT,
    SECOND,
    TALKS,
    TEST_AFTER,
    Malformed,
    Missing,
    Puzzling,
    State,
    Statistics,
    Timing,
)
from netfeed.wire import starbase_orders as wire
from netfeed.wire.starbase_codes import MessageType

AT_ONCE: Final = wire.ADMINISTRATIVE - {MessageType.GAP_FILL}
"""Messages that are answered when they come, whatever is missing before them."""
_LIVES: Final = TALKS | {State.LEAVING}
_WAITS: Final = frozenset({State.LOGGING_ON, State.LEAVING})

Told = list[Any]


class SideOfTalk(Protocol):
    """What a side does with what the talk does not know."""

    def told(self, header: Any, body: Any) -> Told:
        """Say what a message means."""

    def misread(self, header: Any, error: WireError) -> Told:
        """Act on a message that is none of the schema's, or that has no business here."""

    def not_resent(self, first: int, last: int) -> Told:
        """Say what it means that the peer misses these numbers of ours."""


class Talk:
    """One connection of a session: the bytes that wait, the state, the numbers, the clock, the queue."""

    def __init__(
        self, session: int, state: State, opening: int, accepts: frozenset[int], journal: Journal, timing: Timing,
        now: int, epoch_ns: int,
    ) -> None:  # fmt: skip
        self.session, self.state, self.journal, self.timing = session, state, journal, timing
        self.now = self.last_heard = self._last_sent = self._since = now
        self.interval_ns = timing.heartbeat_s * SECOND
        self.cancels = False
        self.counts = dict.fromkeys(("messages_in", "messages_out", "bytes_in", "bytes_out", "duplicates", "gaps",
                                     "resend_requests", "puzzling"), 0)  # fmt: skip
        self._opening, self._accepts, self.epoch_ns = opening, accepts, epoch_ns
        self._buffer, self._consumed = bytearray(), 0
        self._queue: list[bytes] = []
        self._queued = 0
        self._held: dict[int, bytes | None] = {}
        self._held_bytes = self._asked_to = self._tests = 0
        self._tested_at: int | None = None
        self._was_up = False
        self._doom = ""

    @property
    def is_closed(self) -> bool:
        """Say whether nothing will be told any more."""
        return self.state is State.CLOSED

    @property
    def is_logged_on(self) -> bool:
        """Say whether what is queued now would be read."""
        return self.state in _LIVES and not self._doom

    @property
    def wall_ns(self) -> int:
        """Give the time of the last input. Units: ns since 1970."""
        return self.now + self.epoch_ns

    @property
    def has_room(self) -> bool:
        """Say whether more may be queued."""
        return self._queued <= MAX_QUEUED

    @property
    def deadline(self) -> int:
        """Say when something is due. Units: monotonic ns."""
        if self._doom and not self.is_closed:
            return self.now
        times = [NEVER]
        if self.state in _WAITS or (self.state is State.START and self._opening == MessageType.LOGON):
            times.append(self._since + self.timing.logon_ns)
        if self.state is State.RECOVERING:
            times.append(self._since + self.timing.recovery_ns)
        if self.state in _LIVES:
            times += (self._last_sent + self.interval_ns, self._patience())
        return min(times)

    def _patience(self) -> int:
        """Say when the peer's silence is to be acted upon: a test first, the end after it."""
        if self._tested_at is None:
            return self.last_heard + TEST_AFTER * self.interval_ns
        return self._tested_at + DEAD_AFTER * self.interval_ns

    def tick(self, now: int) -> None:
        """Move the time on; it never falls."""
        self.now = max(self.now, now)

    # --- in

    def receive(self, data: Buffer, side: SideOfTalk) -> Told:
        """Take bytes, whole frames or not."""
        if self.is_closed or not len(data):
            return []
        self.last_heard, self._tested_at = self.now, None
        self.counts["bytes_in"] += len(data)
        self._buffer += data
        events: Told = []
        at = 0
        while not self.is_closed:
            try:
                size = wire.frame_size(self._buffer, at)
            except WireError as error:
                offset = self._consumed + error.offset
                malformed = Malformed(error.what, offset, error.found, error.wanted)
                return [*events, malformed, *self.close("malformed bytes")]
            if size is None or at + size > len(self._buffer):
                break
            events += self._frame(bytes(self._buffer[at : at + size]), side)
            at += size
        del self._buffer[:at]
        self._consumed += at
        return events

    def _frame(self, frame: bytes, side: SideOfTalk) -> Told:
        header = wire.HEADER.decode(frame)
        self.counts["messages_in"] += 1
        kind, number = header.messageTypeId, header.sequenceNumber
        if header.version != wire.VERSION:
            return self.fail(f"version {header.version} of the schema is not known here, which is {wire.VERSION}")
        if not self._in_place(kind):
            return self.fail(f"message {kind} has no place while {self.state.value}")
        stranger = kind == MessageType.LOGGED_OUT and number != self.journal.next_in
        if self.state is State.START or stranger:  # neither knows yet, or any more, which numbers are right
            return self._meant(header, frame, side)
        if number < self.journal.next_in:
            return self._old(header)
        if number > self.journal.next_in:
            return self._ahead(header, frame, side)
        told = self._take(header, frame, side)
        return told + self._release(side) if self._held or self.state is State.RECOVERING else told

    def _in_place(self, kind: int) -> bool:
        if self.state in _LIVES:
            return kind != self._opening
        first = State.START if self._opening == MessageType.LOGON else State.LOGGING_ON
        bye = self.state is not State.START and kind in (MessageType.LOGGED_OUT, MessageType.LOGOUT)
        return bye or (kind == self._opening and self.state is first)

    def _old(self, header: Any) -> Told:
        if not header.flags & wire.IS_RESEND:
            return self.fail(
                f"message number {header.sequenceNumber} where {self.journal.next_in} was due: numbers have fallen; "
                f"log on with a reset, and reconcile"
            )
        self.counts["duplicates"] += 1
        return []

    def _ahead(self, header: Any, frame: bytes, side: SideOfTalk) -> Told:
        number = header.sequenceNumber
        if number in self._held:
            self.counts["duplicates"] += 1
            return []
        if number - self.journal.next_in > MAX_GAP:
            return self.fail(f"message number {number} where {self.journal.next_in} was due")
        if len(self._held) >= MAX_HELD or self._held_bytes + len(frame) > MAX_HELD_BYTES:
            return self.fail("too much waits behind what is missing")
        at_once = header.messageTypeId in AT_ONCE
        self._held[number] = None if at_once else frame
        self._held_bytes += 0 if at_once else len(frame)
        return (self._meant(header, frame, side) if at_once else []) + self.ask()

    def _take(self, header: Any, frame: bytes, side: SideOfTalk) -> Told:
        """Look at the message that is due."""
        self.journal.next_in += 1
        return self._meant(header, frame, side)

    def _meant(self, header: Any, frame: bytes, side: SideOfTalk) -> Told:
        try:
            if header.messageTypeId not in self._accepts:
                raise WireError("message", offset=4, found=header.messageTypeId, wanted="one of the other side's")
            body = wire.decode_body(header, frame)
        except WireError as error:
            return side.misread(header, error)
        match header.messageTypeId:
            case MessageType.HEARTBEAT:
                return []
            case MessageType.TEST_REQUEST:
                return self.answer(MessageType.HEARTBEAT, correlationId=body.correlationId)
            case MessageType.RESEND_REQUEST:
                return self._resend(body.fromSequenceNumber, body.toSequenceNumber, side)
            case MessageType.GAP_FILL:
                return self._filled(header.sequenceNumber, body.newSequenceNumber)
        return side.told(header, body)

    # --- what is missing

    def hold(self, number: int) -> None:
        """Take note that the message of this number was looked at before its turn."""
        self._held[number] = None

    def begin(self, side: SideOfTalk) -> None:
        """Go on from the logon that is held: ask for what is missing before it, or be in order."""
        self._was_up = True  # whoever has accepted a client knows it
        self._release(side)

    def ask(self) -> Told:
        """Ask for what is missing before that which waits, where nobody has; say so."""
        if not self._held or self._asked_to or self.state not in TALKS:
            return []
        first, last = self.journal.next_in, min(self._held) - 1
        self._asked_to, self.state, self._since = last, State.RECOVERING, self.now
        self.counts["gaps"] += 1
        asked = self.answer(MessageType.RESEND_REQUEST, fromSequenceNumber=first, toSequenceNumber=last)
        return [Missing(first, last), *asked]

    def _filled(self, number: int, following: int) -> Told:
        """Go on behind numbers that hold nothing, no further than to what was asked for."""
        if following <= number or (not self._asked_to and following != number + 1):
            return self.fail(f"numbers {number} to {following - 1} were filled, and nobody had asked")
        self.journal.next_in = min(following, max(self._asked_to, number) + 1)
        return []

    def _release(self, side: SideOfTalk) -> Told:
        """Look at what has waited and is due now; ask for what else is missing; or be in order again."""
        events: Told = []
        while self.journal.next_in in self._held and not self.is_closed:
            frame = self._held.pop(self.journal.next_in)
            if frame is None:
                self.journal.next_in += 1
            else:
                self._held_bytes -= len(frame)
                events += self._take(wire.HEADER.decode(frame), frame, side)
        if self._asked_to and self.journal.next_in > self._asked_to:
            self._asked_to = 0
        return events + (self.ask() if self._held else self.settle())

    def settle(self) -> Told:
        """Be in order, where nothing is missing: the first time this is `Up`."""
        if self.state is not State.RECOVERING or self._asked_to or self._held:
            return []
        self.state = State.ACTIVE
        if self._was_up:
            return []
        self._was_up = True
        return [Up(self.session)]

    def _resend(self, first: int, last: int, side: SideOfTalk) -> Told:
        newest = self.journal.next_out - 1
        self.counts["resend_requests"] += 1
        if not 1 <= first <= newest or (last and last < first):
            return self.puzzled(f"messages {first} to {last} are wanted again; the last was {newest}")
        last = min(last or newest, newest)
        frames = self.journal.resend(first, last, self.wall_ns)
        if frames is None:
            return self.fail(
                f"reports up to number {self.journal.forgotten} are not kept any more: log on with a reset"
            )
        if not self.has_room:
            return self.fail("more is asked for than is read")
        for frame in frames:
            self._put(frame)
        return side.not_resent(first, last)

    # --- out

    def send(self, message: int, **fields: Any) -> None:
        """Queue a message under the next number. Raises: MisuseError when a value does not fit."""
        self._put(self.journal.write(message, self.wall_ns, **fields))

    def answer(self, message: int, **fields: Any) -> Told:
        """Queue what a peer has caused; a peer that causes more than it reads is given up."""
        if not self.has_room:
            return self.close("more is asked for than is read")
        self.send(message, **fields)
        return []

    def put(self, frame: bytes, messages: int = 1) -> None:
        """Queue a frame of the journal, or several; where the peer does not read, the next wake ends the session."""
        if self.has_room:
            self._put(frame, messages)
        else:
            self.doom("the peer does not read")

    @property
    def is_pending(self) -> bool:
        """Say whether something waits to be drained, or the end."""
        return bool(self._queue or self._doom)

    def went(self, size: int, messages: int, rest: bytes) -> None:
        """Take note of messages that somebody else has sent, but for the rest, which is queued."""
        self._last_sent = self.now
        self.counts["messages_out"] += messages
        self.counts["bytes_out"] += size
        if rest:
            self._queue.append(rest)
            self._queued += len(rest)

    def doom(self, reason: str) -> None:
        """End the session at the next wake, which is due at once."""
        self._doom = self._doom or reason

    def _put(self, frame: bytes, messages: int = 1) -> None:
        self._queue.append(frame)
        self._queued += len(frame)
        self._last_sent = self.now
        self.counts["messages_out"] += messages
        self.counts["bytes_out"] += len(frame)

    def transmit(self) -> list[bytes]:
        """Drain the queue."""
        queue, self._queue, self._queued = self._queue, [], 0
        return queue

    # --- time and the end

    def wake(self, now: int) -> Told:
        """Send the sign of life that is due, ask for the peer's, or give it up."""
        if now < self.deadline:
            return []
        self.tick(now)
        if self._doom:
            return self.close(self._doom)
        if self.state in _WAITS | {State.START} and self._since + self.timing.logon_ns <= now:
            return self.close("no logon" if self.state is State.START else f"no answer while {self.state.value}")
        if self.state is State.RECOVERING and self._since + self.timing.recovery_ns <= now:
            return self.fail(f"what is missing from number {self.journal.next_in} on did not come")
        if self._patience() <= now:
            if self._tested_at is not None:
                return self.close("the peer is silent")
            self._tested_at, self._last_sent, self._tests = now, now, self._tests + 1
            return self.answer(MessageType.TEST_REQUEST, correlationId=self._tests)
        if not self._queue:  # bytes that wait are as good as a heartbeat
            self.send(MessageType.HEARTBEAT, correlationId=0)
        self._last_sent = now
        return []

    def enter(self, state: State) -> None:
        """Take a step of our own; the peer's time to answer begins now."""
        self.state = state
        self._since = self.last_heard = self.now

    def end(self) -> Told:
        """Take note that the peer closed."""
        if self.is_closed:
            return []
        torn: Told = []
        if self._buffer:
            found = f"{len(self._buffer)} bytes of it"
            torn = [Malformed("the last Starbase frame is cut short", self._consumed, found, "a whole frame")]
        return torn + self.close("the peer closed")

    def fail(self, reason: str) -> Told:
        """Close because of what the peer did; a server says so to its client."""
        if self._opening == MessageType.LOGON and not self.is_closed and self.has_room:
            self.send(MessageType.LOGGED_OUT, reason=reason[:MAX_TEXT])
        return self.close(reason)

    def close(self, reason: str) -> Told:
        """Close, and say why."""
        if self.is_closed:
            return []
        self.state = State.CLOSED
        self._buffer.clear()
        self._held.clear()
        return [Down(self.session, reason, self.cancels)]

    def puzzled(self, what: str) -> Told:
        """Count a message that nothing can say, and say so."""
        self.counts["puzzling"] += 1
        return [Puzzling(what)]

    def command(self, allowed: frozenset[State], what: str, now: int) -> None:
        """Raise MisuseError when the state does not allow a command, or when nobody drains."""
        if self.state not in allowed:
            raise MisuseError(f"cannot {what} while {self.state.value}")
        if not self.has_room:
            raise MisuseError(f"{self._queued} bytes wait to be drained")
        self.tick(now)

    def statistics(self) -> Statistics:
        """Give the account as it is now."""
        return Statistics(
            self.state, self.journal.next_out, self.journal.next_in, **self.counts, last_heard=self.last_heard
        )
