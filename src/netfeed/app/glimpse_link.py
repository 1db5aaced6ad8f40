"""Whole snapshots over TCP for one channel: the GLIMPSE machine, its connection on the loop, and the splice.

A snapshot is asked for when a book needs one and the stream can be joined; the machine waits between attempts. What
fails is told once for each reason in a row, and counted by reason.
"""

import select
import time
from collections import Counter
from typing import Any, Final

from netfeed.app.slots import Slot
from netfeed.errors import NetfeedError
from netfeed.feed.glimpse import Glimpse, Snapshot, SnapshotFailed
from netfeed.transport.network import NetworkError
from netfeed.transport.tcp import Stream, connect

LOOK_NS: Final = 50_000_000
"""How often the books are asked whether they need a snapshot."""
CONNECT_NS: Final = 5_000_000_000
"""How long a connection may take to stand; the kernel would wait for minutes for a host that does not answer."""


class GlimpseLink:
    """One channel's snapshots. `watch` and `forget` are the loop's, `give_way` takes the channel from the fast path."""

    def __init__(self, slot: Slot, machine: Glimpse, address: tuple[str, int], live: Any) -> None:
        self.reconnects: Counter[str] = Counter()
        self._slot, self._machine, self._address, self._live = slot, machine, address, live
        self._stream: Stream | None = None
        self._look = self._began = 0
        self._said = ""

    @property
    def deadline(self) -> int:
        """Say when to look after it. Units: monotonic ns."""
        return min(self._machine.deadline, self._look)

    def wake(self, now: int) -> None:
        """Look whether a snapshot is needed, and do what is due."""
        self._look = now + LOOK_NS
        if self._slot.lane.delivery.wants_snapshot:
            self._machine.want(now)
        self._hear(self._machine.wake(now), now)
        if self._machine.connect and self._stream is None:
            self._connect(now)
        if self._stream is not None and not self._stream.connected and now - self._began >= CONNECT_NS:
            self._failed(f"{self._stream.peer} did not accept a connection within {CONNECT_NS // 10**9} s", now)
        self._pump(now)

    def close(self) -> None:
        """Hang up."""
        if self._stream is not None:
            self._live.forget(self._stream.fileno())
            self._stream.close()
            self._stream = None

    def _connect(self, now: int) -> None:
        try:
            self._stream = connect(*self._address)
        except NetfeedError as error:
            self._failed(str(error), now)
            return
        self._began = now
        self._watch()

    def _ready(self) -> None:
        now, stream = time.monotonic_ns(), self._stream
        if stream is None:
            return
        try:
            if not stream.connected:
                stream.flush()
            if stream.connected and self._machine.connect:
                self._machine.opened(now)
            for data in stream.receive() if stream.connected else ():
                self._hear(self._machine.receive(data, now), now)
        except NetworkError as error:
            self._failed(str(error), now)
            return
        if stream.ended:
            self.close()
            self._hear(self._machine.end(now), now)
        self._pump(now)

    def _pump(self, now: int) -> None:
        """Send what must go out, and hang up when the machine has what it wanted."""
        stream = self._stream
        if stream is None:
            return
        try:
            out = self._machine.transmit()
            if out:
                stream.send(out)
        except NetworkError as error:
            self._failed(str(error), now)
            return
        if self._machine.finished:
            self.close()
            self._hear(self._machine.end(now), now)
        else:
            self._watch()

    def _watch(self) -> None:
        if self._stream is not None:
            writes = select.EPOLLOUT if self._stream.wants_write else 0
            self._live.watch(self._stream.fileno(), self._ready, select.EPOLLIN | writes)

    def _failed(self, reason: str, now: int) -> None:
        self.close()
        self._tell(reason, "connection")
        self._machine.end(now)

    def _hear(self, events: Any, now: int) -> None:
        for event in events:
            if isinstance(event, Snapshot):
                self._adopt(event, now)
            elif isinstance(event, SnapshotFailed):
                self._tell(event.reason, "snapshot")

    def _adopt(self, snapshot: Snapshot, now: int) -> None:
        taken = self._live.adopt(self._slot, snapshot, now)
        if taken:
            self._said = ""
            self._live.tell(
                f"{self._slot.name}: snapshot of {snapshot.messages} messages as of {snapshot.sequence - 1}"
            )
        else:
            self._tell(f"a snapshot as of {snapshot.sequence - 1} does not join the stream", "splice")

    def _tell(self, reason: str, kind: str) -> None:
        self.reconnects[kind] += 1
        if reason != self._said:
            self._said = reason
            self._live.tell(f"{self._slot.name}: GLIMPSE: {reason}; it is tried again")


def password_of(glimpse: Any, environment: Any) -> str:
    """Read the password from its file or its variable.

    Raises: NetfeedError when it is not there.
    """
    if glimpse.password_file is not None:
        try:
            with open(glimpse.password_file, encoding="ascii") as file:
                return file.read().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise NetfeedError(f"{glimpse.password_file}: {error}") from None
    if glimpse.password_env is not None:
        if glimpse.password_env not in environment:
            raise NetfeedError(f"the variable {glimpse.password_env} of the GLIMPSE password is not set")
        return str(environment[glimpse.password_env])
    return ""
