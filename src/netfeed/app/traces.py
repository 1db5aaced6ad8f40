"""The traces of a run: a ring that the receiving thread writes, and one beside it for what goes through the loop.

A packet that is not as expected is the tail of every latency: it waits for the loop, or for a packet that is missing.
Its trace ends when its books' changes are handed to the thread for publication: so one that was held over a gap bears
the whole of its wait.

Invariant: one writer a ring; a packet leaves one trace at most, and a copy none. Of packets that plain Python cannot
count messages in, a trace has one.
"""

from typing import Any, Final, NamedTuple

import numpy as np

from netfeed.app import configuration as conf
from netfeed.app.inlet import Inlet, line_of
from netfeed.app.protocols import COUNTS, END_OF_SESSION, Protocol
from netfeed.app.slots import Slot
from netfeed.book.change import NO_BOOK
from netfeed.feed.ports import LINES
from netfeed.latency.stage import ABSENT, TRACE, Flag
from netfeed.machine import Buffer
from netfeed.transport import Tracer
from netfeed.transport.clock import Ticker, chosen
from netfeed.transport.ring import Ring

PLAIN: Final = "plain"
"""The loop's ring bears the thread's name, a dot, and this; deciders take names of their own."""
HELD: Final = 4096
"""Packets of a channel whose books may wait; of more the oldest is given up."""
NAMES: Final = 2048


class Stamps(NamedTuple):
    """When a packet passed the stages before the book. Units: ns since 1970, ABSENT where nobody looked."""

    ts_ns: int
    kernel_ns: int
    user_ns: int
    decoded_ns: int


class Traces:
    """The rings of a run. `tracer` is the thread's; `given_up` counts packets that waited too long for their books.

    Raises: OSError when a ring cannot be made; ConfigurationError when the counter is wanted and is no clock.
    """

    def __init__(self, config: conf.Trace, slots: list[Slot]) -> None:
        assert config.ring is not None
        tsc = chosen(config.clock)
        self._every = self._left = config.every
        self.rings = [
            Ring(name, TRACE, capacity=config.records, names=NAMES) for name in (config.ring, f"{config.ring}.{PLAIN}")
        ]
        self.tracer = Tracer(self.rings[0], every=config.every, tsc=tsc)
        self.given_up = 0
        self._clock = Ticker(tsc)
        self._waiting: dict[int, dict[int, Any]] = {slot.index: {} for slot in slots}
        for slot in slots:
            self._name(slot)

    def came(self, inlet: Inlet, payload: Buffer, stamps: Stamps, following: int | None) -> int | None:
        """Note a packet that the loop has handled; `following` was the next sequence before. Give what it is now."""
        protocol = inlet.slot.protocol
        sequence, messages = protocol.sequence_of(payload), messages_in(protocol, payload)
        if inlet.port not in LINES or sequence is None or messages == 0:
            return following
        if following is not None and sequence + messages <= following:
            return following  # a copy changes no book
        self._note(inlet, sequence, messages, stamps)
        return sequence + messages if following in (None, sequence) else following

    def published(self, slot: Slot, following: int | None) -> None:
        """Note that a channel's changes before `following` were handed on: those that waited for them are whole."""
        waiting = self._waiting[slot.index]
        done = [sequence for sequence in waiting if following is not None and sequence < following]
        if done:
            at_ns = self._clock.now()
            rows = np.array([(*waiting.pop(one), at_ns) for one in done], _WAITING)
            self.rings[1].write(whole(rows))

    def account(self) -> dict[str, int]:
        """Give how many packets were traced, and how many waited too long for their books."""
        plain = self.rings[1].published
        return {"traced": self.tracer.traced + plain, "traced_plain": plain, "traces_given_up": self.given_up}

    def close(self) -> None:
        """Say that nothing will come any more, and remove the rings."""
        for ring in self.rings:
            ring.close()

    def _note(self, inlet: Inlet, sequence: int, messages: int, stamps: Stamps) -> None:
        waiting = self._waiting[inlet.slot.index]
        if sequence in waiting:
            return  # the other line's copy of one that waits
        self._left -= 1
        if self._left:
            return
        self._left = self._every
        if len(waiting) >= HELD:
            self.given_up += 1
            waiting.pop(next(iter(waiting)))
        waiting[sequence] = self._row(inlet, sequence, messages, stamps)

    def _row(self, inlet: Inlet, sequence: int, messages: int, stamps: Stamps) -> tuple[int, ...]:
        hardware_ns = ABSENT if stamps.ts_ns == stamps.kernel_ns else stamps.ts_ns
        return (
            sequence, messages, self._every, inlet.slot.index, line_of(inlet.port),
            hardware_ns, stamps.kernel_ns, stamps.user_ns, stamps.decoded_ns,
        )  # fmt: skip

    def _name(self, slot: Slot) -> None:
        for ring in self.rings:
            ring.name(slot.index, NO_BOOK, slot.name[:55])
            for inlet in slot.inlets:
                if inlet.port in LINES:
                    ring.name(slot.index, line_of(inlet.port), f"{slot.name[:50]}/{inlet.line}")


_HEAD: Final = ("sequence", "messages", "every", "channel", "line")
_STAMPS: Final = ("hardware", "kernel", "user", "decoded", "book")
_WAITING: Final = np.dtype([(name, "<i8") for name in (*_HEAD, *_STAMPS)])


def whole(rows: Any) -> Any:
    """Give records of what waited."""
    found = np.zeros(len(rows), TRACE)
    found["at_ns"] = ABSENT
    found["flags"] = Flag.PLAIN
    for name in _HEAD:
        found[name] = rows[name]
    for stage, name in enumerate(_STAMPS):
        found["at_ns"][:, stage] = rows[name]
    return found


def messages_in(protocol: Protocol, payload: Buffer) -> int:
    """Count the messages of a packet, none in a heartbeat or at the end of a session."""
    if protocol.name not in COUNTS:
        return 1
    place, order = COUNTS[protocol.name]
    count = int.from_bytes(bytes(payload[place]), order)
    return 0 if count == END_OF_SESSION else count
