"""Drive live channels: sockets in, books and changes out, in one thread and one loop.

    socket ready   -> a batch -> inlet (who sent it) -> journal -> fast path, or lane -> changes -> consumers
    deadline       -> lanes are woken; silence is judged; requests go out
    anything else  -> whoever registered the descriptor (endpoints, servers, signals)

The driver's law holds for every lane: one input, its events, every port drained, the deadline read. `now` is monotonic;
a packet's time is its kernel stamp less `skew_ns`: deadlines count from when it came, not from when it was read.

How packets come in is a receiver's business: `receive_loop` reads sockets here, `receive_thread` has a thread that
takes what is expected and leaves the rest.
"""

import select
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

from netfeed.app.changes import NO_LANE, Catalogue, Changes, Selection
from netfeed.app.configuration import Configuration
from netfeed.app.findings import Findings, Place
from netfeed.app.inlet import Inlet
from netfeed.app.lanes import Lanes
from netfeed.app.loss import HostLoss
from netfeed.app.receive_loop import LoopReceiver
from netfeed.app.receive_thread import ThreadReceiver
from netfeed.app.silence import Silence, last_heard
from netfeed.app.slots import Slot, make_inlets
from netfeed.app.venue_driver import VenueDriver
from netfeed.book.change import Refusal
from netfeed.latency import Histogram
from netfeed.machine import NEVER

STARVED_NS: Final = 10_000_000
"""Machines wait while packets do, but no longer: whoever floods a socket does not keep an engine from its cancels."""
STEP_NS: Final = 1_000_000
"""A real time that has moved this far against the monotonic one was set, not slewed."""

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
            [slot.lane for slot in self.slots], lambda: [one.feed for one in self.sources], self.changes, self.refused
        )
        self.tell = self.say = tell  # `say` may be less than `tell`: so many lines a second
        self.venues = VenueDriver(
            config.venues, len(self.slots), tell=lambda text: self.say(text), collect=lambda: self.receiver.collect()
        )  # fmt: skip
        self.drive.guests = self.venues.links
        self.journal: Any = None
        self.trades: Callable[[], dict[str, Any] | None] | None = None  # what whoever trades adds to the account
        self.latencies: Any = Histogram()  # from the stamp to changed books, of what the loop itself handled
        self.host_loss = HostLoss(config)
        self.refusals: list[str] = []
        self.queues: list[Any] = []
        self.machines: list[Any] = [self.venues] if config.venues else []
        self.turns = self.longest_turn_ns = self.clock_steps = 0
        self.began = self.now = self._woken_ns = time.monotonic_ns()
        self._poll = select.epoll()
        self._ready: dict[int, Ready] = {}
        self._silences = [Silence(self._patience(slot), self.began) for slot in self.slots]
        threaded = config.receive.how == "thread" and bool(config.channels)
        self.receiver: Any = ThreadReceiver(self) if threaded else LoopReceiver(self)
        self.drive.fast = self.receiver.fast
        self._skew()

    @property
    def sources(self) -> list[Any]:
        """List what has books, by the numbers that changes bear: channels, then venues."""
        return [*self.slots, *self.venues.links]

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
        self.receiver.start()
        if self.venues.links:
            self.watch(self.venues.fileno(), self.venues.ready)
            self.venues.open()

    def attach(self, inlet: Inlet, socket: Any) -> None:
        """Receive from a socket on an inlet's behalf."""
        inlet.socket = socket
        self.receiver.attach(inlet)

    def detach(self, inlet: Inlet) -> None:
        """Close an inlet's socket: the kernel leaves its groups."""
        if inlet.socket is not None:
            self.receiver.detach(inlet)
            inlet.socket.close()
            inlet.socket = None

    def serve(self, slot: Slot, port: int, socket: Any) -> None:
        """Ask the server behind a port through a connected socket, and take its answers."""
        inlet = Inlet(len(self.inlets) + sum(len(one.servers) for one in self.slots), slot, port, slot.name, "", ())
        slot.servers[port] = inlet
        self.attach(inlet, socket)

    def held(self) -> AbstractContextManager[None]:
        """Have all books to oneself in between: nobody moves them. Read books in here, and nowhere else."""
        held: AbstractContextManager[None] = self.receiver.held()
        return held

    def latency(self) -> Any:
        """Give a histogram of all packets' times from the stamp to changed books."""
        every = Histogram()
        every.merge(self.latencies)
        self.receiver.add_latencies(every)
        return every

    def stop(self) -> None:
        """Take no more packets, and hand on what has come."""
        self.receiver.close()

    def close(self) -> None:
        """Leave all groups and close all sockets."""
        for inlet, _, _ in self.inlets:
            self.detach(inlet)
        for slot in self.slots:
            for inlet in slot.servers.values():
                self.detach(inlet)
        if self.venues.links:
            self.forget(self.venues.fileno())
        self.venues.close()
        self._poll.close()

    # --- one turn

    def turn(self, until: int = NEVER) -> None:
        """Wait for the next input or deadline, no longer than `until`, and do what it asks for.

        Units: `until` in monotonic ns.
        """
        wait_ns = min(until, self.deadline) - time.monotonic_ns()
        spin = self.config.receive.spin and self.config.receive.how == "loop"
        timeout = 0.0 if spin or self.receiver.busy else max(0.0, min(wait_ns / 1e9, 1.0))
        ready = self._poll.poll(timeout)
        began = self.now = time.monotonic_ns()
        for fd, _ in ready:
            call = self._ready.get(fd)
            if call is not None:
                call()
        self._wake(self.receiver.gather())
        self.receiver.settle()
        self.turns += 1
        self.longest_turn_ns = max(self.longest_turn_ns, time.monotonic_ns() - began)

    @property
    def deadline(self) -> int:
        """Say when the loop must turn, though nothing came. Units: monotonic ns."""
        lanes = min((slot.lane.deadline for slot in self.slots), default=NEVER)
        machines = min((machine.deadline for machine in self.machines), default=NEVER)
        receiver: int = self.receiver.deadline
        return min(lanes, machines, receiver, *(silence.deadline for silence in self._silences))

    def adopt(self, slot: Slot, snapshot: Any, now: int) -> bool:
        """Put a whole snapshot in the place of a channel's books; say whether it was taken."""
        self.drive.fast.give_way(slot.lane)
        taken, _ = slot.lane.delivery.adopt(snapshot, now)
        self._transmit(slot)
        self.receiver.collect()
        return bool(taken)

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
            changed = slot.config.sources != channel.sources
            if changed:
                self.receiver.catch_up(slot)
            slot.reload(channel)
            for inlet in slot.inlets if changed else ():
                self.receiver.admitted(inlet)
            self._silences[slot.index].limit_ns = self._patience(slot)

    def _patience(self, slot: Slot) -> int:
        return slot.heartbeat_ns * slot.config.stale_after

    # --- packets

    def failed(self, inlet: Inlet, what: str) -> None:
        """A socket may report what its last request met (nobody listens): that is told once, and no end."""
        inlet.failures += 1
        if inlet.failures == 1:
            self.tell(f"{inlet.slot.name}: {inlet.name}: {what}")

    def plain(self, inlet: Inlet, payload: Any, ts_ns: int) -> None:
        """Hand one packet to its lane. Units: `ts_ns` is its stamp, since 1970."""
        slot = inlet.slot
        if slot.begins(payload, inlet.port):
            self.drive.lanes[slot.index] = slot.lane
        lane = slot.lane
        now = min(ts_ns - self.drive.skew_ns, self.now)
        if now > lane.deadline:
            self.wake_lanes(now)
        self.drive.deliver(lane, payload, now, inlet.port, Place(inlet.name, 0, ts_ns))
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
        self.wake_lanes(now + 1 if until_ns == NEVER else until_ns - self.drive.skew_ns)
        if until_ns == NEVER or now - self._woken_ns >= STARVED_NS:
            self._woken_ns = now
            for machine in self.machines:
                if machine.deadline <= now:
                    machine.wake(now)
        if until_ns != NEVER:
            return
        moved = False
        for slot, silence in zip(self.slots, self._silences, strict=True):
            told = self._judge(slot, silence, now)
            moved |= told is not None
        if moved or any(slot.lane.deadline != NEVER for slot in self.slots):
            self.receiver.collect()

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

    def wake_lanes(self, before: int) -> None:
        """Let deadlines of lanes pass that lie before a time, and send what that asks for."""
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

    def refused(self, index: int, sequence: int, reason: Refusal, order_id: int) -> None:
        """Note a message that made no sense."""
        name = self.sources[index].name if index != NO_LANE else "a channel"
        found = f"sequence {sequence}: {reason.name} (order {order_id})"
        self.findings.add(Place(name, sequence), found, "a sound message")
