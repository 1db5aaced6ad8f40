"""What both sides of a SoupBinTCP conversation share: the bytes that wait, the state, the clock and the queue.

Source: Nasdaq SoupBinTCP 3.00 (revision of 22 February 2017). The tables of `soupbintcp_state` say where a packet
leads, the sides (`soupbintcp`) what it means.

Invariant: however a stream is cut up, the same packets are told. An error is placed by its offset in the stream, not in
the buffer. What is kept is less than one packet.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from netfeed.errors import MisuseError, WireError
from netfeed.machine import NEVER, Buffer
from netfeed.proto.soupbintcp_state import (
    BEATS,
    CLIENT,
    LISTENS,
    Closed,
    Event,
    Malformed,
    Silent,
    State,
    Table,
    Violation,
)
from netfeed.wire import soupbintcp as wire

HEARTBEAT_NS: Final = 1_000_000_000
SILENT_NS: Final = 15_000_000_000
LOGIN_NS: Final = 30_000_000_000
"""How long a server waits for a login, and a client for the answer."""
MAX_QUEUED: Final = 4 * 2**20
"""More undrained output than this means that nobody drains. Units: bytes."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """The account of a conversation. Units: bytes as they came in and were queued; `last_heard` monotonic ns."""

    state: State
    next_sequence: int
    packets: int
    bytes_in: int
    bytes_out: int
    debug: int
    last_heard: int


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of a conversation. Units: ns."""

    heartbeat_ns: int = HEARTBEAT_NS
    silent_ns: int = SILENT_NS
    login_ns: int = LOGIN_NS

    def __post_init__(self) -> None:
        if min(self.heartbeat_ns, self.silent_ns, self.login_ns) <= 0:
            raise MisuseError("the times of a SoupBinTCP conversation are positive")


class Conversation:
    """What both sides share: the bytes that wait, the state, the clock, the queue."""

    def __init__(self, table: Table, beat: wire.Packet, state: State, timing: Timing, now: int) -> None:
        self.state = state
        self.sequence = 0
        self.packets = self.bytes_in = self.bytes_out = self.debug = 0
        self.last_heard = self.now = self._last_sent = now
        self._since = now
        self._table = table
        self._beat = wire.encode(beat)
        self._timing = timing
        self._buffer = bytearray()
        self._consumed = 0
        self._queue: list[bytes] = []
        self._queued = 0

    @property
    def is_closed(self) -> bool:
        """Say whether nothing will be told any more."""
        return self.state is State.CLOSED

    @property
    def deadline(self) -> int:
        """Say when a heartbeat or a verdict on the peer is due. Units: monotonic ns."""
        times = [NEVER]
        if self.state is State.LOGGING_IN:
            times.append(self._since + self._timing.login_ns)
        if self.state in BEATS:
            times.append(self._last_sent + self._timing.heartbeat_ns)
        if self.state in LISTENS:
            times.append(self.last_heard + self._timing.silent_ns)
        return min(times)

    def tick(self, now: int) -> None:
        """Move the time on; it never falls."""
        self.now = max(self.now, now)

    def receive(self, data: Buffer, told: Callable[[wire.Packet], list[Event]]) -> list[Event]:
        """Take bytes, whole packets or not; `told` says what a packet means in the state that it leads to."""
        if self.is_closed or not len(data):
            return []
        self.last_heard = self.now
        self.bytes_in += len(data)
        self._buffer += data
        events: list[Event] = []
        at = 0
        while not self.is_closed:
            try:
                step = wire.decode(self._buffer, at)
            except WireError as error:
                offset = self._consumed + error.offset
                malformed = Malformed(error.what, offset, error.found, error.wanted)
                return [*events, malformed, *self.close("malformed bytes")]
            if step is None:
                break
            events += self._packet(step[0], told)
            at = step[1]
        del self._buffer[:at]
        self._consumed += at
        return events

    def _packet(self, packet: wire.Packet, told: Callable[[wire.Packet], list[Event]]) -> list[Event]:
        self.packets += 1
        following = self._table.get(self.state, {}).get(type(packet))
        if following is None:
            violation = Violation(type(packet).__name__, self.state.value)
            return [violation, *self.close("a packet out of place")]
        if isinstance(packet, wire.Debug):
            self.debug += 1
        if following is not State.CLOSED:
            self.state = following
        return told(packet)

    def wake(self, now: int) -> list[Event]:
        """Queue the heartbeat that is due, or give the peer up."""
        if now < self.deadline:
            return []
        self.tick(now)
        if self.state in LISTENS and self.last_heard + self._timing.silent_ns <= now:
            return [Silent(self.last_heard), *self.close("the peer is silent")]
        if self.state is State.LOGGING_IN and self._since + self._timing.login_ns <= now:
            return self.close("no answer to the login" if self._table is CLIENT else "no login")
        if not self._queue:  # bytes that wait are as good as a heartbeat
            self._put(self._beat)
        self._last_sent = self.now
        return []

    def end(self) -> list[Event]:
        """Take note that the peer closed."""
        if self.is_closed:
            return []
        torn: list[Event] = []
        if self._buffer:
            found, at = f"{len(self._buffer)} bytes of it", self._consumed
            torn = [Malformed("the last SoupBinTCP packet is cut short", at, found, "a whole packet")]
        ended = self.state in (State.ENDED, State.LEAVING)
        return torn + self.close("the session ended" if ended else "the peer closed")

    def close(self, reason: str) -> list[Event]:
        """Close, and say why."""
        self.state = State.CLOSED
        self._buffer.clear()
        return [Closed(reason)]

    def command(self, allowed: frozenset[State], what: str, now: int) -> None:
        """Raise MisuseError when the state does not allow a command, or when nobody drains."""
        if self.state not in allowed:
            raise MisuseError(f"cannot {what} while {self.state.value}")
        if self._queued > MAX_QUEUED:
            raise MisuseError(f"{self._queued} bytes wait to be drained")
        self.tick(now)

    def send(self, packet: wire.Packet) -> None:
        """Queue a packet. Raises: MisuseError when it cannot be encoded; nothing has changed then."""
        self._put(wire.encode(packet))
        self._last_sent = self.now

    def transmit(self) -> list[bytes]:
        """Drain the queue."""
        queue, self._queue, self._queued = self._queue, [], 0
        return queue

    def enter(self, state: State) -> None:
        """Take a step of our own; the peer's time to answer begins now."""
        self.state = state
        self._since = self.last_heard = self.now

    def statistics(self) -> Statistics:
        """Give the account as it is now."""
        return Statistics(
            self.state, self.sequence, self.packets, self.bytes_in, self.bytes_out, self.debug, self.last_heard
        )

    def _put(self, data: bytes) -> None:
        self._queue.append(data)
        self._queued += len(data)
        self.bytes_out += len(data)
