"""Drive live channels: sockets in, books and changes out, in one thread and one loop.

    socket ready   -> a batch -> inlet (who sent it) -> journal -> fast path, or lane -> changes -> consumers
    deadline       -> lanes are woken; silence is judged; requests go out
    anything else  -> whoever registered the descriptor (endpoints, servers, signals)

The driver's law holds for every lane: one input, its events, every port drained, the deadline read. `now` is monotonic;
a packet's time is its kernel stamp less `skew_ns`: deadlines count from when it came, not from when it was read.

Packets of several sockets are handed on in the order of their stamps, and no deadline passes while packets wait that
came before it: a handler that lags takes the other line's copy for what it is, and loses nothing by being late. Sockets
that never run dry are left after MAX_ROUNDS batches each, so that they starve nobody.
"""

import select
import time
from collections.abc import Callable
from typing import Any, Final

from netfeed.app.changes import NO_LANE, Catalogue, Changes, Rows, Selection
from netfeed.app.configuration import Configuration
from netfeed.app.findings import Findings, Place
from netfeed.app.inlet import Inlet, joined
from netfeed.app.lanes import Lanes
from netfeed.app.silence import Silence, last_heard
from netfeed.app.slots import Slot, make_inlets
from netfeed.book.change import Refusal
from netfeed.feed.path import Status
from netfeed.machine import NEVER
from netfeed.transport import Batch
from netfeed.wire.capture import NO_TIME, Kind

MAX_ROUNDS: Final = 8
STEP_NS: Final = 1_000_000
"""A real time that has moved this far against the monotonic one was set, not slewed."""
_TS, _AT, _LENGTH, _KIND, _NUMBER = 1, 2, 3, 7, 11

Ready = Callable[[], None]


class Live:
    """The live channels of a configuration. `tell` is told what an operator should know, one line at a time."""

    def __init__(self, config: Configuration, tell: Callable[[str], None] = lambda text: None) -> None:
        self.config = config
        self.findings = Findings()
        self.catalogue = Catalogue(Selection(config.books.instruments))
        self.changes = Changes(self.catalogue)
        self.slots = [Slot(channel, index, self.findings) for index, channel in enumerate(config.channels)]
        self.inlets = make_inlets(self.slots)
        self.drive = Lanes(
            [slot.lane for slot in self.slots], lambda: [slot.feed for slot in self.slots], self.changes, self._refused
        )
        self.tell = tell
        self.journals: list[Callable[[Inlet, Any, Rows], None]] = []
        self.stamped: list[Callable[[Rows, int], None]] = []
        self.queues: list[Any] = []
        self.machines: list[Any] = []
        self.turns = self.longest_turn_ns = self.clock_steps = self.unreadable = 0
        self.began = self.now = time.monotonic_ns()
        self._numbered: dict[int, Inlet] = {}
        self._active: list[Inlet] = []
        self._poll = select.epoll()
        self._ready: dict[int, Ready] = {}
        self._silences = [Silence(self._patience(slot), self.began) for slot in self.slots]
        self._skew()

    # --- descriptors

    def watch(self, fd: int, ready: Ready, events: int = select.EPOLLIN) -> None:
        """Call `ready` whenever a descriptor is, from now on."""
        known = fd in self._ready
        self._ready[fd] = ready
        (self._poll.modify if known else self._poll.register)(fd, events)

    def forget(self, fd: int) -> None:
        """Watch a descriptor no longer; call it before the descriptor is closed."""
        if self._ready.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def open(self, opened: Callable[[Inlet, Any, Any], Any]) -> None:
        """Open the sockets of all inlets; `opened` makes one from an inlet, its line and its channel."""
        for inlet, line, channel in self.inlets:
            if channel.snapshot_join == "needed" and inlet.port in (2, 3):
                continue
            self.attach(inlet, opened(inlet, line, channel))

    def attach(self, inlet: Inlet, socket: Any) -> None:
        """Receive from a socket on an inlet's behalf."""
        receive = self.config.receive
        inlet.socket = socket
        inlet.batch = Batch(receive.batch, receive.packet_size, hardware=receive.hardware_stamps)
        self._numbered[inlet.number] = inlet
        self.watch(socket.fileno(), lambda: self._activate(inlet))

    def _activate(self, inlet: Inlet) -> None:
        inlet.dry = False
        if inlet not in self._active:
            self._active.append(inlet)

    def detach(self, inlet: Inlet) -> None:
        """Close an inlet's socket: the kernel leaves its groups."""
        if inlet.socket is not None:
            self.forget(inlet.socket.fileno())
            inlet.socket.close()
            inlet.socket = None

    def serve(self, slot: Slot, port: int, socket: Any) -> None:
        """Ask the server behind a port through a connected socket, and take its answers."""
        inlet = Inlet(len(self.inlets) + sum(len(one.servers) for one in self.slots), slot, port, slot.name, "", ())
        slot.servers[port] = inlet
        self.attach(inlet, socket)

    def close(self) -> None:
        """Leave all groups and close all sockets."""
        for inlet, _, _ in self.inlets:
            self.detach(inlet)
        for slot in self.slots:
            for inlet in slot.servers.values():
                self.detach(inlet)
        self._poll.close()

    # --- one turn

    def turn(self, until: int = NEVER) -> None:
        """Wait for the next input or deadline, no longer than `until`, and do what it asks for.

        Units: `until` in monotonic ns.
        """
        wait_ns = min(until, self.deadline) - time.monotonic_ns()
        spin = self.config.receive.spin
        timeout = 0.0 if spin or self._active else max(0.0, min(wait_ns / 1e9, 1.0))
        ready = self._poll.poll(timeout)
        began = self.now = time.monotonic_ns()
        for fd, _ in ready:
            call = self._ready.get(fd)
            if call is not None:
                call()
        until_ns = self._gather() if self._active else NEVER
        self._wake(until_ns)
        self.turns += 1
        self.longest_turn_ns = max(self.longest_turn_ns, time.monotonic_ns() - began)

    @property
    def deadline(self) -> int:
        """Say when the loop must turn, though nothing came. Units: monotonic ns."""
        lanes = min((slot.lane.deadline for slot in self.slots), default=NEVER)
        machines = min((machine.deadline for machine in self.machines), default=NEVER)
        return min(lanes, machines, *(silence.deadline for silence in self._silences))

    def is_silent(self, slot: Slot) -> bool:
        """Say whether all lines of a channel have been silent for too long."""
        return self._silences[slot.index].since is not None

    def silences(self, slot: Slot) -> int:
        """Count how often a channel fell silent."""
        return self._silences[slot.index].times

    def reload(self, config: Configuration) -> None:
        """Take what may change while the handler runs."""
        self.config = config
        self.catalogue.selection = Selection(config.books.instruments)
        for slot, channel in zip(self.slots, config.channels, strict=True):
            slot.reload(channel)
            self._silences[slot.index].limit_ns = self._patience(slot)

    def _patience(self, slot: Slot) -> int:
        return slot.heartbeat_ns * slot.config.stale_after

    # --- packets

    def _gather(self) -> int:
        """Read the sockets that are ready and hand their packets on in the order in which they came.

        Gives the time up to which all that came has been handled: real time, NEVER when the sockets ran dry.
        """
        now_ns = time.time_ns()
        for _ in range(MAX_ROUNDS):
            for inlet in self._active:
                if inlet.waiting is None and not inlet.dry:
                    self._read(inlet, now_ns)
            until_ns = min((inlet.newest_ns for inlet in self._active if not inlet.dry), default=NEVER)
            parts = [part for inlet in self._active if (part := inlet.up_to(until_ns)) is not None]
            if parts:
                self._take(*joined(parts))
            if until_ns == NEVER:
                self._active.clear()
                return NEVER
        return until_ns

    def _read(self, inlet: Inlet, now_ns: int) -> None:
        inlet.dry = True
        if inlet.socket is None:
            return
        batch = inlet.batch
        try:
            count = batch.receive(inlet.socket.fileno())
        except OSError as error:
            self._failed(inlet, error)
            return
        if not count:
            return
        inlet.dry = count < batch.capacity
        inlet.kernel_drops = max(inlet.kernel_drops, batch.drops)
        packets = inlet.take(batch.packets[:count], now_ns)
        for journal in self.journals:
            journal(inlet, batch.data, packets)
        inlet.wait(packets)

    def _failed(self, inlet: Inlet, error: OSError) -> None:
        """A socket may report what its last request met (nobody listens): that is told once, and no end."""
        inlet.failures += 1
        if inlet.failures == 1:
            self.tell(f"{inlet.slot.name}: {inlet.name}: {error.strerror or error}")

    def _take(self, data: Any, packets: Rows) -> None:
        """Hand packets on, the path what is expected, the lane the rest, and collect what changed."""
        at, count = 0, len(packets)
        rows: list[tuple[Any, ...]] = []
        while at < count:
            if not self.drive.fast.idle:
                at, status = self.drive.expected(data, packets, at, NO_TIME)
                if status == Status.FULL:
                    self._collect()
                    continue
                if at == count:
                    break
                if status == Status.LATE:
                    self._wake_lanes(int(packets["ts_ns"][at]) - self.drive.skew_ns)
            rows = rows or packets.tolist()
            self._plain(self._numbered[rows[at][_NUMBER]], data, rows[at])
            at += 1
        self._collect()
        for stamped in self.stamped:
            stamped(packets["ts_ns"], time.time_ns())

    def _plain(self, inlet: Inlet, data: Any, row: tuple[Any, ...]) -> None:
        if row[_KIND] != Kind.UDP:
            self.unreadable += 1
            return
        slot = inlet.slot
        payload = data[row[_AT] : row[_AT] + row[_LENGTH]]
        if slot.begins(payload, inlet.port):
            self.drive.lanes[slot.index] = slot.lane
        lane = slot.lane
        now = min(row[_TS] - self.drive.skew_ns, self.now)
        if now > lane.deadline:
            self._wake_lanes(now)
        self.drive.deliver(lane, payload, now, inlet.port, Place(inlet.name, 0, row[_TS]))
        slot.identify()
        self.drive.fast.take_over(lane, inlet.port, *inlet.key)
        self._transmit(slot)

    def _transmit(self, slot: Slot) -> None:
        """Drain every port: requests go to whoever stands behind it."""
        for port, inlet in slot.servers.items():
            for request in slot.lane.channel.transmit(port):
                inlet.socket.send(request)

    # --- deadlines

    def _wake(self, until_ns: int) -> None:
        """Let deadlines pass, up to the time that all packets have been handled to."""
        self.now = now = time.monotonic_ns()
        self._skew()
        self._wake_lanes(now + 1 if until_ns == NEVER else until_ns - self.drive.skew_ns)
        if until_ns != NEVER:
            return
        for machine in self.machines:
            if machine.deadline <= now:
                machine.wake(now)
        moved = False
        for slot, silence in zip(self.slots, self._silences, strict=True):
            told = self._judge(slot, silence, now)
            moved |= told is not None
        if moved or any(slot.lane.deadline != NEVER for slot in self.slots):
            self._collect()

    def _judge(self, slot: Slot, silence: Silence, now: int) -> bool | None:
        if now < silence.deadline:
            return None
        self.drive.fast.give_way(slot.lane)
        told = silence.judge(slot.lane, now)
        if told:
            heard = last_heard(slot.lane)
            since = "since the start" if heard is None else f"for {(now - heard) / 1e9:.3g} s"
            self.tell(f"{slot.name}: all lines silent {since}: its books are STALE")
        elif told is False:
            self.tell(f"{slot.name}: heard again")
        return told

    def _wake_lanes(self, before: int) -> None:
        woken: list[Any] = []
        self.drive.wake(before, Place("", 0), woken.append)
        for slot in self.slots:
            if slot.lane in woken:
                self._transmit(slot)

    def _skew(self) -> None:
        """Measure what real time is ahead of monotonic time; small changes are slewing, and left alone."""
        skew = time.time_ns() - time.monotonic_ns()
        if abs(skew - self.drive.skew_ns) > STEP_NS:
            if self.drive.skew_ns:
                self.clock_steps += 1
                self.tell(f"the clock was set by {(skew - self.drive.skew_ns) / 1e9:+.6f} s")
            self.drive.skew_ns = skew
            for slot in self.slots:
                slot.feed.skew_ns = skew

    def _collect(self) -> None:
        self.drive.collect(self.now)

    def _refused(self, index: int, sequence: int, reason: Refusal, order_id: int) -> None:
        name = self.slots[index].name if index != NO_LANE else "a channel"
        found = f"sequence {sequence}: {reason.name} (order {order_id})"
        self.findings.add(Place(name, sequence), found, "a sound message")
