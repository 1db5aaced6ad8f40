"""Receive on a thread that never needs the interpreter's lock: what is expected goes straight to the books and from
there into a ring; what is not comes to the loop, which has the channel for itself until it is in order again.

    packets wait     they are taken, in the order of their stamps; their channels are called back, and handed them: by
                     the same path as long as they are as expected, so that a backlog does not outgrow the loop
    in order again   what plain Python changed is put into the ring, and the channel is offered to the thread
    books are read   `held` calls every channel back in between

All changes, the thread's and those of plain Python, come from the ring in their order, here as in other processes.
A channel whose protocol has no compiled books, or that admits more senders than a socket can name, is handled by plain
Python alone; the second is told.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from netfeed.app.armed import Armed
from netfeed.app.changes import Rows, renumbered, taken_from
from netfeed.app.inlet import Inlet, exact, line_of
from netfeed.app.protocols import COUNTS, END_OF_SESSION
from netfeed.app.slots import Slot
from netfeed.app.traces import Stamps, Traces
from netfeed.book.change import CHANGE, NO_BOOK
from netfeed.feed import Path
from netfeed.feed.path import MAX_LINES, Status
from netfeed.feed.ports import LINES
from netfeed.host.processor import attainable
from netfeed.machine import NEVER
from netfeed.transport import Receiver
from netfeed.transport.receiver import NO_CHANNEL
from netfeed.transport.receiver_account import MAX_SOURCES
from netfeed.transport.ring import Reader, Ring

LOOK_NS: Final = 5_000_000
"""How often the ring is read while somebody follows the changes."""
IDLE_NS: Final = 50_000_000
"""How often it is read when only counts are kept."""
MAX_ROUNDS: Final = 2
"""Of MOST packets each, in a turn: a second or two of plain Python, before signals and kill files have theirs."""
QUEUE_BYTES: Final = 16 * 2**20
"""What may wait for plain Python: half a second of a busy line."""


MOST: Final = 1 << 16
"""Packets that are sorted at once."""
PASSES: Final = 3
"""So many times MOST is all that the queue has room for."""
MOST_ASIDE: Final = 1024
"""Packets that are put aside for the other line to make them needless."""
TRIES: Final = 64
"""How often a channel is offered in a row."""
NEAR: Final = 10_000
"""A copy that is older than this is looked at closely: it may be the beginning of a new count."""


class ThreadReceiver:
    """Receive on a thread for `live`."""

    def __init__(self, live: Any) -> None:
        config = live.config
        path = Path()
        self.fast = Armed(path)
        self.lost = 0
        self._live = live
        self._look = 0
        self._inlets: dict[int, Inlet] = {}
        self._numbers: dict[int, int] = {}
        self._held = self._left = False
        self._foreign: dict[int, int] = {}  # what the thread has judged of an inlet
        self._crowded: set[int] = set()  # inlets that admit more senders than the thread can judge
        self._aside: list[tuple[int, Any]] = []
        for slot in live.slots:
            self.fast.add(slot)
        self.traces = Traces(config.trace, live.slots) if config.trace.ring is not None else None
        name = config.ring.name or f"netfeed.{os.getpid()}.{id(self):x}"
        self._ring = Ring(name, CHANGE, capacity=config.ring.changes, mode=0o644 if config.ring.name else 0o600)
        self._reader = Reader(self._ring.path)
        if config.ring.name is None:  # nobody else needs its name, and a run that is killed leaves nothing behind
            self._ring.path.unlink()
        self._receiver = Receiver(
            path, self._ring.writer, packets=config.receive.batch, size=config.receive.packet_size, queue=QUEUE_BYTES,
            journal=config.journal.queue if config.journal.path else 0, spin=config.receive.spin,
            cpu=config.receive.cpu, priority=attainable(config.receive.priority),
            hardware=config.receive.hardware_stamps, trace=self.traces.tracer if self.traces is not None else None,
        )  # fmt: skip
        self.fast.receiver = self._receiver

    def start(self) -> None:
        """Start the thread."""
        self._receiver.start()
        self._live.watch(self._receiver.fileno(), lambda: None)

    def attach(self, inlet: Inlet) -> None:
        """Receive from an inlet's socket."""
        line = line_of(inlet.port)
        number = self.fast.numbers.get(inlet.slot.index, NO_CHANNEL)
        if inlet.port not in LINES or line >= MAX_LINES:
            number = NO_CHANNEL
        books = inlet.slot.feed.feed.stream if number != NO_CHANNEL else None
        added = self._receiver.add(
            inlet.socket, channel=number, line=line if number != NO_CHANNEL else 0, books=books,
            sources=self._sources(inlet),
        )  # fmt: skip
        if number != NO_CHANNEL:
            self.fast.attached.add(number)
        self._inlets[added], self._numbers[inlet.number] = inlet, added

    def catch_up(self, slot: Slot) -> None:
        """Work off what came in before a channel admits others: it is judged by what held then, and may be unnamed."""
        self.fast.give_way(slot.lane)
        for _ in range(PASSES):  # and not until nothing waits: what comes from now on is named
            for packet in self._waiting():
                self._plain(packet)
        aside, self._aside = self._aside, []
        for _, packet in aside:
            self._plain(packet)
        self.fast.give_way(slot.lane)

    def admitted(self, inlet: Inlet) -> None:
        """Take note that an inlet admits other senders, after `catch_up`."""
        if inlet.socket is not None:
            self._receiver.allow(self._numbers[inlet.number], self._sources(inlet))

    def _sources(self, inlet: Inlet) -> Sequence[bytes]:
        """Give the senders that the thread is to admit; too many for it are for the inlet to judge, one by one."""
        sources = exact(inlet.sources)
        self._crowded.discard(inlet.number)
        if sources is not None:
            return sources
        if inlet.port in LINES and inlet.slot.index in self.fast.numbers:
            self._crowded.add(inlet.number)
            self._live.tell(
                f"{inlet.slot.name}/{inlet.line}: `sources` are more than {MAX_SOURCES} hosts: every packet goes "
                "through plain Python; name the hosts, or join by source"
            )
        return ()

    def _may_be_offered(self, slot: Slot) -> bool:
        """Say whether the thread can judge who sent the packets of a channel."""
        return not self._crowded or all(inlet.number not in self._crowded for inlet in slot.inlets)

    def detach(self, inlet: Inlet) -> None:
        """Receive no more from an inlet's socket."""
        if not self.fast.closed:
            self._receiver.remove(self._numbers[inlet.number])

    @property
    def busy(self) -> bool:
        """Say whether packets were left in the last turn: of others the thread says so by its descriptor."""
        return self._left

    @property
    def deadline(self) -> int:
        """Say when the ring has to be read, or what was put aside looked at."""
        return min(self._look, self._aside[0][0] if self._aside else NEVER)

    def gather(self) -> int:
        """Take what waits for plain Python; whoever reads the ring has it at once.

        Gives the time up to which all that came has been handled: real time, NEVER when nothing waits any more. Who
        floods a socket has so many rounds a turn: everybody else has theirs, too.
        """
        moved, until_ns = False, NEVER
        for _ in range(MAX_ROUNDS):
            packets = self._waiting()
            until_ns = packets[-1].ts_ns if packets else NEVER
            if not packets:
                break
            moved = True
            for packet in packets:
                if not self._put_aside(packet):
                    self._plain(packet)
        self._left = until_ns != NEVER
        if self._aside and self._aside[0][0] <= self._live.now:
            late, self._aside = self._aside, []
            moved = True
            for _, packet in late:
                self._plain(packet)
        if self._live.now >= self._look:
            self.collect()
        elif moved:
            self._publish_all()
        return until_ns

    def settle(self) -> None:
        """Offer the channels that are in order.

        An offer is refused while packets wait, and on a busy line one has always just come: so these are worked off at
        once and the offer is repeated, before anything else is done.
        """
        for slot in self._live.slots:
            for _ in range(TRIES):
                lane = slot.lane
                if self._held or slot.index not in self.fast.numbers or self.fast.is_out(lane):
                    break
                if not lane.delivery.in_order or not lane.identity or not self._may_be_offered(slot):
                    break
                self.fast.give_way(lane)
                self._publish(slot)
                if self.fast.offer(lane):
                    break
                self.fast.take_over(lane, 0, b"", 0)
                for packet in self._waiting():
                    self._plain(packet)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have every channel and its books in between."""
        before, self._held = self._held, True
        for slot in self._live.slots:
            self.fast.give_way(slot.lane)
        try:
            yield
        finally:
            self._held = before
            self.settle()

    def collect(self) -> None:
        """Put what plain Python changed into the ring, and hand on what has come out of it."""
        if self.fast.closed:
            return
        self._look = self._live.now + (LOOK_NS if self._live.changes.consumers else IDLE_NS)
        self._publish_all()
        for guest in self._live.venues.links:
            rows = guest.feed.take()
            if len(rows):
                self._receiver.publish(rows)
        self._read()
        self._account()

    def account(self) -> dict[str, Any]:
        """Give the account of the thread, and of what it has for plain Python."""
        told = self._receiver.statistics()
        overflow = sum(one.overflow for one in told.sockets)
        return {
            "how": "thread", "running": told.running, "turns": told.turns, "longest_turn_ns": told.longest_turn_ns,
            "changes": told.published, "changes_lost": self.lost, "taken": sum(one.taken for one in told.sockets),
            "diverted": sum(one.diverted for one in told.sockets), "queue_bytes": told.queue_bytes,
            "queue_most": told.queue_most, "queue_overflow": overflow, "put_aside": len(self._aside),
            "journal_overflow": told.journal_overflow,
            **(self.traces.account() if self.traces is not None else {}),
        }  # fmt: skip

    def heartbeats(self, slot: Slot) -> int:
        """Count the heartbeats that the thread took."""
        number = self.fast.numbers.get(slot.index)
        return 0 if number is None else self.fast.path.heartbeats(number)

    def add_latencies(self, histogram: Any) -> None:
        """Add those of the thread."""
        histogram.merge(self._receiver.latencies())

    def close(self) -> None:
        """End the thread, and hand on the rest."""
        self._held = True
        for slot in self._live.slots:
            self.fast.give_way(slot.lane)
        self._receiver.stop()
        self.gather()
        for _, packet in self._aside:
            self._plain(packet)
        self._aside.clear()
        self.collect()
        self.fast.closed = True
        self._live.forget(self._receiver.fileno())
        self._receiver.close()
        self._reader.close()
        self._ring.close()
        if self.traces is not None:
            self.traces.close()

    # --- packets for plain Python

    def _waiting(self) -> list[Any]:
        """Take all packets that wait, in the order of their stamps: the thread reads one socket after the other."""
        packets: list[Any] = []
        while len(packets) < MOST and (more := self._receiver.take()):
            packets += more
        packets.sort(key=lambda packet: packet.ts_ns)
        return packets

    def _plain(self, packet: Any) -> None:
        inlet = self._inlets[packet.socket]
        if not packet.whole:
            inlet.cut += 1
        elif not inlet.admits(packet.source):
            inlet.foreign += 1
        else:
            if not self._is_copy(inlet, packet):
                self._handle(inlet, packet)
            self._live.latencies.record(time.time_ns() - packet.ts_ns)

    def _handle(self, inlet: Inlet, packet: Any) -> None:
        following = self.fast.following(inlet.slot.lane) if self.traces is not None else None
        if not self._is_expected(inlet, packet):
            self._live.plain(inlet, memoryview(packet.payload), packet.ts_ns)
        if self.traces is not None:
            stamps = Stamps(packet.ts_ns, packet.kernel_ns, packet.user_ns, time.time_ns())
            self.traces.came(inlet, packet.payload, stamps, following)

    def _put_aside(self, packet: Any) -> bool:
        """Keep a packet that is ahead of the thread for as long as the other line may bring what lies between.

        The thread keeps the channel meanwhile: most often it has passed the packet by the time it is looked at again.
        """
        inlet = self._inlets[packet.socket]
        lane, protocol = inlet.slot.lane, inlet.slot.protocol
        if inlet.port not in LINES or not packet.whole or len(self._aside) >= MOST_ASIDE or not self.fast.is_out(lane):
            return False
        first = protocol.sequence_of(packet.payload)
        following = self._receiver.progress(self.fast.numbers[lane.number])[0]
        if first is None or not following < first <= following + NEAR or protocol.name not in COUNTS:
            return False
        window = inlet.slot.config.recovery.reorder_window
        self._aside.append((max(self._live.now, packet.ts_ns - self.fast.skew_ns + window), packet))
        return True

    def _is_copy(self, inlet: Inlet, packet: Any) -> bool:
        """Say whether a packet is of what the thread has taken in the meantime: then nothing need be called back."""
        lane, count = inlet.slot.lane, COUNTS.get(inlet.slot.protocol.name)
        if count is None or inlet.port not in LINES or not self.fast.is_out(lane):
            return False
        first, messages = lane.protocol.sequence_of(packet.payload), int.from_bytes(packet.payload[count[0]], count[1])
        if (
            first is None
            or not 0 < messages < END_OF_SESSION
            or lane.protocol.identity(packet.payload) != lane.identity
        ):
            return False
        following = self._receiver.progress(self.fast.numbers[lane.number])[0]
        if not following - NEAR <= first <= following - messages:
            return False
        heard = packet.ts_ns - self.fast.skew_ns
        lane.channel.merge_line(inlet.port, 1, 0, 1, len(packet.payload), heard)
        self.fast.packets += 1
        return True

    def _is_expected(self, inlet: Inlet, packet: Any) -> bool:
        """Say whether the path took a packet that the thread had left for us."""
        if inlet.port not in LINES:
            return False
        lane, line = inlet.slot.lane, line_of(inlet.port)
        status = self.fast.accept(lane, line, packet.payload, packet.ts_ns)
        if status == Status.FULL:
            self.fast.give_way(lane)
            self.collect()
            return False
        return status == Status.END

    def _publish_all(self) -> None:
        """Publish what changed in the channels that plain Python has."""
        for slot in self._live.slots:
            if not self.fast.is_out(slot.lane):
                self.fast.give_way(slot.lane)
                self._publish(slot)

    def _publish(self, slot: Slot) -> None:
        rows = taken_from(slot.feed)
        if len(rows):
            self._receiver.publish(rows.copy())
        if self.traces is not None:
            self.traces.published(slot, slot.lane.channel.next_sequence)
        slot.lane.placed.clear()
        slot.lane.heal(self._live.now)

    # --- changes

    def _read(self) -> None:
        rows = self._reader.read()
        lost = self._reader.lost - self.lost
        if lost:
            self.lost += lost
            self._live.tell(
                f"{lost} changes were overwritten before they were handed on: the loop is too slow for them"
            )
        if len(rows):
            self._live.changes.deliver(self._renumber(rows), self._live.refused)

    def _renumber(self, rows: Rows) -> Rows:
        parts = []
        for channel in np.unique(rows["channel"]).tolist():
            mine = rows[rows["channel"] == channel]
            slot = self._live.sources[channel]
            numbers = self._live.catalogue.numbers(channel, slot.feed)
            self._name(slot, mine["book"])
            parts.append(renumbered(mine, numbers, channel, lambda feed, one: one))
        if len(parts) == 1:
            return parts[0]
        every = np.concatenate(parts)
        return every[np.argsort(every["ts_recv_ns"], kind="stable")]

    def _name(self, slot: Slot, books: Any) -> None:
        for book in np.unique(books[books != NO_BOOK]).tolist():
            self._ring.name(slot.index, book, slot.feed.names[book][:55], *slot.feed.exponents[book])

    def _account(self) -> None:
        """Write what the thread counted into the inlets."""
        told = self._receiver.statistics()
        sums: dict[int, list[int]] = {}  # an inlet may have had several sockets
        for one in told.sockets:
            inlet = self._inlets[one.socket]
            counts = sums.setdefault(inlet.number, [0] * 5)
            for k, count in enumerate((one.packets, one.drops, one.overflow, one.truncated, one.foreign)):
                counts[k] += count
            inlet.received, inlet.kernel_drops, inlet.queue_drops, cut, foreign = counts
            inlet.cut = max(inlet.cut, cut)
            inlet.foreign += foreign - self._foreign.get(inlet.number, 0)  # beside those that the inlet judged itself
            self._foreign[inlet.number] = foreign
            if one.error is not None:
                self._live.failed(inlet, one.error)
        if told.error is not None:
            self._live.tell(f"the receiving thread has ended: {told.error}")
        journal = self._live.journal
        if journal is not None:
            journal.note_drops(told.journal_overflow)
        while journal is not None and (blocks := self._receiver.journal()):
            journal.take_blocks(blocks)
