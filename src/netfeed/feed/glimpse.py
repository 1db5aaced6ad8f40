"""A snapshot over TCP: log in, collect every message up to the end of the snapshot, leave; again when it fails.

Source: Nasdaq GLIMPSE 5.0 over SoupBinTCP 3.00. The login asks for sequence 1. The messages are those of the real-time
stream, and one `G` ends them: it names the first real-time message that the snapshot does not hold.

    want()          a snapshot is wanted; more wants are the same one
    connect         the driver opens a connection and says `opened`, or `end` when that fails
    finished        the driver closes the connection (which is as good as a logout), and says `end`
    Snapshot        it is whole
    SnapshotFailed  it is not; the next attempt comes by itself, later each time

A snapshot is believed as a whole or not at all: nothing of one that ends early, or that is longer than `max_bytes`, is
told. Bytes that are no SoupBinTCP end the connection.

Invariant: there is one connection at a time, and never two attempts within `pause_ns`. The pause doubles with each
failure up to `max_pause_ns`, and up to a half of it is added by `jitter`.

Leaves out: what the messages mean; the seam with the stream (`delivery`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from netfeed.errors import MisuseError, WireError
from netfeed.machine import NEVER, Buffer
from netfeed.proto import soupbintcp
from netfeed.wire import glimpse

MAX_BYTES: Final = 1 << 30
"""Some ten million orders: several times the busiest day's."""
PAUSE_NS: Final = 1_000_000_000
MAX_PAUSE_NS: Final = 60_000_000_000
TIMEOUT_NS: Final = 120_000_000_000
"""A snapshot that takes longer than this would be older than what a splice remembers."""
PATIENCE_NS: Final = 30_000_000_000
"""So long nothing more of a snapshot may come: the login was lost, or the server is stuck. Heartbeats are nothing."""
FIRST: Final = 1
"""The sequence that the specification wants asked for."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A whole snapshot: `messages` of them as `records`, each behind its length of two bytes, big-endian.

    It holds everything below `sequence` of the real-time stream. Units: `begun_at` and `at` in monotonic ns.
    """

    session: str
    sequence: int
    messages: int
    records: bytes
    begun_at: int
    at: int


@dataclass(frozen=True, slots=True)
class SnapshotFailed:
    """An attempt came to nothing. Units: `retry_at` in monotonic ns."""

    reason: str
    retry_at: int


@dataclass(frozen=True, slots=True)
class GlimpseStatistics:
    """The account of a client: `taken` snapshots were whole, `failed` attempts were not."""

    attempts: int
    taken: int
    failed: int
    messages: int
    bytes: int


Event = Snapshot | SnapshotFailed


class Glimpse:
    """Fetch snapshots, one at a time, each over a connection of its own. `jitter` gives numbers from 0 up to 1."""

    def __init__(
        self,
        username: str = "",
        password: str = "",
        *,
        session: str = "",
        timing: soupbintcp.Timing | None = None,
        max_bytes: int = MAX_BYTES,
        pause_ns: int = PAUSE_NS,
        max_pause_ns: int = MAX_PAUSE_NS,
        timeout_ns: int = TIMEOUT_NS,
        patience_ns: int = PATIENCE_NS,
        jitter: Callable[[], float] = lambda: 0.5,
    ) -> None:
        if not 0 < pause_ns <= max_pause_ns or min(timeout_ns, patience_ns) <= 0 or max_bytes < 0:
            raise MisuseError("pauses and the timeouts of a snapshot are positive, and pauses do not fall")
        self.connect = False
        self.finished = False
        self._login = username, password, session
        self._timing = timing
        self._max_bytes = max_bytes
        self._pauses = pause_ns, max_pause_ns
        self._timeout_ns, self._patience_ns = timeout_ns, patience_ns
        self._jitter = jitter
        self._wanted = False
        self._due = -(2**63)
        self._begun = self._moved = 0
        self._now = 0
        self._failures = self._streak = 0
        self._taken_at = 0
        self._client: soupbintcp.Client | None = None
        self._records = bytearray()
        self._count = 0
        self._session = ""
        self._attempts = self._taken = self._failed = self._messages = self._bytes = 0

    @property
    def wanted(self) -> bool:
        """Say whether a snapshot is still to come."""
        return self._wanted

    @property
    def deadline(self) -> int:
        """Say when to connect, send a heartbeat, or give up. Units: monotonic ns."""
        if self._client is not None and not self.finished:
            return min(self._client.deadline, self._begun + self._timeout_ns, self._moved + self._patience_ns)
        waits = self._wanted and not self.connect and not self.finished
        return self._due if waits else NEVER

    def want(self, now: int) -> None:
        """Ask for a snapshot. While one is wanted already, this does nothing."""
        if not self._wanted:
            self._wanted = True
            self.connect = self._client is None and self._due <= now

    def opened(self, now: int) -> None:
        """Take note that the connection stands, and log in. Raises: MisuseError unless `connect`."""
        if not self.connect:
            raise MisuseError("no connection was asked for")
        self.connect = False
        self._client = soupbintcp.Client(self._timing)
        username, password, session = self._login
        self._client.login(username, password, now, session=session, sequence=FIRST)
        self._begun = self._moved = self._now = now
        self._attempts += 1

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take bytes of the stream."""
        if self._client is None or self.finished:
            return []
        self._now = max(self._now, now)
        return self._hear(self._client.receive(data, now))

    def wake(self, now: int) -> Sequence[Event]:
        """Connect, send a heartbeat or give up, whichever is due. A call before the deadline does nothing."""
        if now < self.deadline:
            return []
        self._now = max(self._now, now)
        if self._client is None:
            self.connect = True
            return []
        if self._begun + self._timeout_ns <= now:
            return self._fail("the snapshot took too long")
        if self._moved + self._patience_ns <= now:
            return self._fail("nothing more of the snapshot came")
        return self._hear(self._client.wake(now))

    def end(self, now: int) -> Sequence[Event]:
        """Take note that the connection is closed, or could not be opened."""
        self._now = max(self._now, now)
        events: list[Event] = []
        if self._client is not None and not self.finished:
            events = self._hear(self._client.end(now))
        elif self.connect:
            events = self._fail("no connection")
        self._client, self.finished = None, False
        self.connect = self._wanted and self._due <= now
        return events

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out."""
        return self._client.transmit() if self._client is not None else []

    def statistics(self) -> GlimpseStatistics:
        """Give the account as it is now."""
        return GlimpseStatistics(self._attempts, self._taken, self._failed, self._messages, self._bytes)

    # --- inside

    def _hear(self, told: Sequence[soupbintcp.Event]) -> list[Event]:
        for event in told:
            events = self._one(event)
            if events:
                return events
        return []

    def _one(self, event: soupbintcp.Event) -> list[Event]:
        match event:
            case soupbintcp.Sequenced(_, message):
                return self._message(message)
            case soupbintcp.LoggedIn(_, sequence, _) if sequence != FIRST:
                return self._fail(f"the server begins with message {sequence}")
            case soupbintcp.LoggedIn(session, _, _):
                self._session, self._moved = session, self._now
            case soupbintcp.LoginRejected(reason):
                return self._fail(f"the login was rejected: {reason}")
            case soupbintcp.SessionEnded():
                return self._fail("the session ended before the snapshot did")
            case soupbintcp.Closed(reason):
                return self._fail(reason)
        return []

    def _message(self, message: bytes) -> list[Event]:
        if message[:1] == b"G":
            try:
                return self._complete(glimpse.decode_end_of_snapshot(message))
            except WireError as error:
                return self._fail(str(error))
        if not message or len(self._records) + len(message) + 2 > self._max_bytes:
            return self._fail("an empty message" if not message else f"more than {self._max_bytes} bytes")
        self._moved = self._now
        self._records += len(message).to_bytes(2) + message
        self._count += 1
        return []

    def _complete(self, sequence: int) -> list[Event]:
        snapshot = Snapshot(self._session, sequence, self._count, bytes(self._records), self._begun, self._now)
        # Snapshots that are wanted again and again mend nothing: they are fetched less and less often.
        again = self._taken and self._now - self._taken_at <= 2 * self._pauses[1]
        self._streak = self._streak + 1 if again else 0
        self._taken, self._taken_at = self._taken + 1, self._now
        self._messages += self._count
        self._bytes += len(self._records)
        self._wanted, self._failures = False, 0
        self._close()
        return [snapshot]

    def _fail(self, reason: str) -> list[Event]:
        self._failed += 1
        self._failures += 1
        self._close()
        return [SnapshotFailed(reason, self._due)]

    def _close(self) -> None:
        """Leave the connection to the driver, and wait before the next one."""
        self.finished, self.connect = self._client is not None, False
        self._records, self._count, self._session = bytearray(), 0, ""
        doublings = max(self._failures - 1, 0) + self._streak
        pause = min(self._pauses[0] << min(doublings, 30), self._pauses[1])
        extra = int(pause * min(max(self._jitter(), 0.0), 1.0)) // 2 if self._failures else 0
        self._due = self._now + pause + extra
