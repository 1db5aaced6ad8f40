"""Numbers the messages of one stream, packs them, and sends each packet on its lines; says it is alive when idle.

Messages wait until `flush`; a packet is as long as its line allows. Lines may have different limits: then the same
messages travel in other packets on B than on A, which the specifications allow and receivers must bear.

All lines send, or one alone (`switch`): a client with bonded interfaces hears the active switch only, and after a
fail-over the other one, which goes on with the next number.

Invariant: numbers follow each other without a hole from 1 on. `history` holds what was numbered last.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from netfeed.machine import NEVER
from netfeed.sim.history import RETAIN, History
from netfeed.sim.outbox import Outbox
from netfeed.sim.venue_wire import PAYLOAD, Wire

Lines = Sequence[tuple[int, int]]
"""The ports of a stream, each with the longest payload of its packets in bytes."""
MAX_MESSAGES: Final = 255
"""No packet holds more; far above what fits one."""


class Publisher:
    """One stream of a venue. `heartbeat_ns`: after so long without a packet, one says which number comes next."""

    def __init__(self, wire: Wire, outbox: Outbox, lines: Lines, *, heartbeat_ns: int, retain: int = RETAIN) -> None:
        self.wire = wire
        self.history = History(retain)
        self.deadline = NEVER
        self.heartbeats = 0
        self._outbox = outbox
        self._lines = self._sending = tuple(lines)
        self._heartbeat_ns = heartbeat_ns
        self._waiting: list[bytes] = []
        self._ending = False

    @property
    def next(self) -> int:
        """Give the number of the next message."""
        return self.history.next

    def add(self, message: bytes) -> int:
        """Number a message; it is sent with the next `flush`."""
        self._waiting.append(message)
        return self.history.add(message)

    def flush(self, now: int, wall_ns: int) -> None:
        """Send what waits."""
        if not self._waiting:
            return
        first, waiting = self.next - len(self._waiting), self._waiting
        self._waiting = []
        by_payload: dict[int, list[bytes]] = {}
        for port, payload in self._sending:
            if payload not in by_payload:
                parts = packed(self.wire, waiting, payload)
                by_payload[payload] = [self.wire.packet(first + at, part, wall_ns) for at, part in parts]
            for packet in by_payload[payload]:
                self._outbox.put(port, packet)
        self.deadline = now + self._heartbeat_ns

    def beat(self, now: int, wall_ns: int) -> None:
        """Say which number comes next, or that none does."""
        ending = self.wire.ending(self.next) if self._ending else None
        packet = ending or self.wire.packet(self.next, [], wall_ns)
        for port, _ in self._sending:
            self._outbox.put(port, packet)
        self.heartbeats += 1
        self.deadline = now + self._heartbeat_ns

    def finish(self, now: int, wall_ns: int) -> None:
        """End the session: from now on heartbeats say so, where the wire has a word for it."""
        self.flush(now, wall_ns)
        self._ending = True
        self.beat(now, wall_ns)

    def switch(self, place: int | None) -> None:
        """Let the line in this place send alone from the next packet on; None: all of them."""
        self._sending = self._lines if place is None else self._lines[place : place + 1]

    def pause(self) -> None:
        """Fall silent."""
        self._waiting.clear()
        self.deadline = NEVER

    def restart(self, epoch: int) -> None:
        """Count from 1 again, in another session."""
        self.pause()
        self._ending = False
        self.history.restart()
        self.wire.renew(epoch)


def packed(wire: Wire, messages: Sequence[bytes], payload: int = PAYLOAD) -> Iterator[tuple[int, Sequence[bytes]]]:
    """Cut messages into packets of at most `payload` bytes; give each with the place of its first message.

    A message that is longer than a packet gets one of its own: it is for the network to cut it.
    """
    begin, size = 0, wire.header
    for place, message in enumerate(messages):
        size += len(message) + wire.extra
        if place > begin and (size > payload or place - begin >= MAX_MESSAGES):
            yield begin, messages[begin:place]
            begin, size = place, wire.header + len(message) + wire.extra
    if messages:
        yield begin, messages[begin:]
