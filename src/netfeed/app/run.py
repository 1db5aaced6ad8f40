"""`netfeed run`: open what a configuration names, turn the loop until it is told to stop, and leave everything behind
in order: groups left, files complete, the account told.
"""

import json
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from netfeed.app import configuration as conf
from netfeed.app.account import account, final_books, summary
from netfeed.app.config import load, split_endpoint
from netfeed.app.endpoints import Endpoints
from netfeed.app.final import write_report
from netfeed.app.gap_log import GapLog, Told
from netfeed.app.gap_records import closed_line, full_account
from netfeed.app.glimpse_link import GlimpseLink, password_of
from netfeed.app.inlet import Inlet
from netfeed.app.journal import JournalWriter
from netfeed.app.live import Live
from netfeed.app.metrics import Metrics
from netfeed.app.receive_loop import LoopReceiver
from netfeed.app.recorder import Recorder
from netfeed.app.settle import settled
from netfeed.app.signals import Signals
from netfeed.app.slots import Slot
from netfeed.app.snapshot_join import SnapshotJoin
from netfeed.app.stream import JsonStream
from netfeed.app.warm import MOST, RESERVE, reserve
from netfeed.errors import ConfigurationError, ConfigurationFileError, NetfeedError
from netfeed.feed.events import Event, GapClosed
from netfeed.feed.glimpse import Glimpse
from netfeed.feed.ports import SERVERS, SNAPSHOTS
from netfeed.host.processor import affinity_refusal, fifo, priority_refusal, throttling
from netfeed.machine import NEVER
from netfeed.transport.udp import UdpSocket, open_multicast, open_unicast

OK, DATA, UNAVAILABLE = 0, 3, 69
FRAME_NS: Final = 100_000_000
VENUES_STAY: Final = "venues are not asked for their instruments again: what they list since is taken up by a restart"


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says beside the configuration. Units: ns."""

    path: str
    flags: dict[str, str]
    json: bool = False
    duration: int | None = None
    view: bool = False
    quiet: bool = False


class Run:
    """One run of the live handler."""

    def __init__(self, config: conf.Configuration, options: Options, stop: Callable[[], bool]) -> None:
        self.config = config
        self.options = options
        self.view: Any = None
        self.live = Live(config, self.tell)
        self.metrics = Metrics(self.live)
        self.gaps = GapLog(self.tell)
        self.said = Told(self.tell)
        self.live.say = lambda text: self.said.say(text, self.live.now)
        for slot in self.live.slots:
            slot.listeners.append(self._hear)
        self._stop = stop
        self._closing: list[Callable[[], Any]] = []
        self._stream: JsonStream | None = None
        self.recorder: Recorder | None = None
        self.endpoints: Endpoints | None = None
        self._reserved: list[bytes] = []
        self.desk: Any = None
        self._closed: list[tuple[Slot, GapClosed]] = []  # in this turn: their messages are still on their way

    def run(self) -> None:
        """Run until `stop`, or for as long as asked for.

        Raises: NetworkError and its like when something cannot be opened.
        """
        with Signals() as signals:
            try:
                self._open()
                self.live.watch(signals.fileno(), signals.drain)
                try:
                    self._loop(signals)
                    self._leave()
                except Exception as error:
                    self._escape(error)
                    raise
                self.live.forget(signals.fileno())
            finally:
                self._close()

    def tell(self, text: str) -> None:
        """Tell the operator one line, with the time."""
        now = time.time_ns()
        stamp = time.strftime("%H:%M:%S", time.gmtime(now // 10**9))
        line = f"{stamp}.{now % 10**9 // 1000:06} {text}"
        if self.view is not None:
            self.view.log(line)
        elif not self.options.quiet:
            print(line, file=sys.stderr, flush=True)

    def tell_closed(self) -> None:
        """Write the gaps that were closed in the last turn into the stream."""
        closed, self._closed = self._closed, []
        if closed and self._stream is not None:
            with self.live.held():
                self._stream.tell([closed_line(slot, event, self.live.drive.skew_ns) for slot, event in closed])

    def exit_code(self) -> int:
        """Choose the code of a run that came to its end: nothing heard, something lost or wrong, or fine."""
        told = account(self.live)
        if not told["packets"] and not told["messages"]:
            return UNAVAILABLE
        missed = told["messages_lost"] or any(venue["open_gaps"] for venue in told["venues"])
        return DATA if missed or told["errors"] else OK

    def _hear(self, slot: Slot, event: Event) -> None:
        self.gaps.hear(slot, event, self.live.now)
        if isinstance(event, GapClosed) and self._stream is not None:
            self._closed.append((slot, event))

    # --- the loop

    def _loop(self, signals: Signals) -> None:
        end = NEVER if self.options.duration is None else time.monotonic_ns() + self.options.duration
        frame = self.live.now
        while not self._stop() and self.live.now < end and not self._failed():
            self.live.turn(min(end, frame) if self.view is not None else end)
            self.tell_closed()
            if self.view is not None and self.live.now >= frame:
                frame = self.live.now + FRAME_NS
                self.view.draw()
            if signals.dump():
                print(json.dumps(full_account(self.live)), file=sys.stderr, flush=True)
            if signals.reload():
                self._reload()
            if signals.kill():
                self.kill("SIGUSR2", "a signal")
            if self.desk is not None:
                self.desk.guard(self.live.now)

    def kill(self, by: str, why: str) -> None:
        """Throw the kill switch of whoever trades here."""
        if self.desk is not None:
            self.desk.kill(by, why)
        else:
            self.tell(f"{by}, {why}: nothing trades here, nothing to kill")

    def _failed(self) -> bool:
        """Say whether an engine could not be made of what is listed: a run without it is not what was asked for."""
        return self.desk is not None and self.desk.ended is not None

    def _leave(self) -> None:
        """Leave the market before anything is closed, for a bounded time. Raises: what kept the engine from trading."""
        if self.desk is None:
            return
        if self.desk.ended is not None:
            raise self.desk.ended
        assert self.config.engine is not None
        self.desk.leave("the run ends")
        end = time.monotonic_ns() + self.config.engine.closing
        while not self.desk.is_out and time.monotonic_ns() < end:
            self.live.turn(min(end, time.monotonic_ns() + FRAME_NS))
            self.desk.guard(self.live.now)

    def _escape(self, error: Exception) -> None:
        """Whatever has broken the loop: orders leave first, then it is reported."""
        if self.desk is not None and self.config.engine is not None:
            self.desk.escape(f"{type(error).__name__}: {error}", time.monotonic_ns() + self.config.engine.closing)

    def _reload(self) -> None:
        """Take what may change from the file; what may not is told, and stays."""
        try:
            config = load(self.options.path, os.environ, self.options.flags)
        except ConfigurationFileError as error:
            self.tell(f"the configuration is kept as it was: {error}")
            return
        kept = differences(self.config, config)
        if kept:
            self.tell(f"these need a restart and are kept as they were: {', '.join(kept)}")
            config = merged(self.config, config)
        self.config = config
        self.live.reload(config)
        self.tell("the configuration was read again")
        if config.venues:
            self.tell(VENUES_STAY)

    # --- what is opened, and closed in the opposite order

    def _open(self) -> None:
        config, live = self.config, self.live
        self._reserved = reserve(min(RESERVE * len(live.slots), MOST))
        self._settle(config.process)
        self._place(config.receive)
        if config.journal.path is not None:
            journal = JournalWriter(
                config.journal,
                config.journal.path,
                [one for one, _, _ in live.inlets],
                raw=config.receive.how == "thread",
            )
            live.journal = journal
            live.queues.append(journal.queue)
            self._closing.append(lambda: self._finished(journal.close(), "the journal"))
        if config.recording.path is not None:
            recorder = self.recorder = Recorder(
                config.recording, config.recording.path, config.venues, skew_ns=lambda: live.drive.skew_ns
            )
            live.venues.wrap, live.venues.listed, live.venues.fetched = recorder.talk, recorder.listed, recorder.fetched
            live.queues.append(recorder.queue)
            self._closing.append(self._end_recording)
        path = "-" if self.options.json else config.stream.path
        if path is not None:
            self._stream = stream = JsonStream(config.stream, live.catalogue, lambda: live.drive.named, live.held, path)
            live.changes.consumers.append(stream)
            live.venues.stream = stream.tell
            live.queues.append(stream.queue)
            self._closing.append(self._end_stream)
        if config.ring.name is not None and isinstance(live.receiver, LoopReceiver):
            self._open_ring(config.ring)
        if config.endpoints.listen:
            endpoints = Endpoints(live, self.metrics, *split_endpoint(config.endpoints.listen))
            self._closing.append(endpoints.close)
            self.endpoints = endpoints
        if config.engine is not None:
            self._open_desk(config)
        if self.options.view:
            self.view = self._make_view()
            self.view.start()
            self._closing.append(self.view.stop)
        live.open(self._open_line)
        for slot in live.slots:
            self._open_servers(slot)

    def _make_view(self) -> Any:
        """Make the screen: that of channels and books, or of who trades on them."""
        if self.desk is None:
            from netfeed.app.live_view import LiveView

            return LiveView(self.live)
        from netfeed.app.trading.desk_view import DeskView

        return DeskView(self.live, self.desk, self.tell)

    def _open_desk(self, config: conf.Configuration) -> None:
        from netfeed.app.trading.desk import TradingDesk

        folder = os.path.dirname(self.options.path) or "."
        desk = TradingDesk(self.live, config, metrics=self.metrics, tell=self.tell, folder=folder)
        desk.endpoints, self.desk = self.endpoints, desk
        self.live.trades = desk.account
        if self.endpoints is not None:
            self.endpoints.reasons.append(desk.why_not_ready)
        self.live.changes.consumers.append(desk.drive)
        self.live.machines += [desk, desk.drive]
        self._closing.append(desk.close)

    def _settle(self, process: conf.Process) -> None:
        """Give the process what it shall have before anything is opened."""
        for refusal in settled(process):
            self._refused(refusal)

    def _refused(self, what: str) -> None:
        """Tell what the host does not grant, and keep it for the account."""
        self.live.refusals.append(what)
        self.live.tell(what)

    def _place(self, receive: conf.Receive) -> None:
        """Have who receives where it is wanted; what cannot be had is told, with the remedy."""
        cpu, priority, loop = receive.cpu, receive.priority, receive.how == "loop"
        if cpu is not None:
            refusal = affinity_refusal(cpu)
            if refusal is not None:
                raise ConfigurationError(f"receive.cpu: {refusal}")
            if loop:
                os.sched_setaffinity(0, {cpu})
        if priority is None:
            return
        refusal = priority_refusal(priority)
        if refusal is not None:
            self._refused(f"receive.priority: {refusal}")
            return
        if loop:
            fifo(priority)
        stopped = throttling() if receive.spin else None
        if stopped is not None:
            self._refused(f"receive.spin: {stopped}")

    def _open_servers(self, slot: Slot) -> None:
        """Open what a channel recovers by: servers to ask, GLIMPSE, snapshot groups that come and go."""
        live, config = self.live, slot.config
        for port, server in zip(SERVERS, config.retransmit, strict=False):
            host, local = split_endpoint(server.bind) if server.bind else ("0.0.0.0", 0)
            one = open_unicast(host, local, peer=split_endpoint(server.address))
            self._warn(one, f"{slot.name}/{server.address}")
            live.serve(slot, port, one)
        if config.glimpse is not None:
            password = password_of(config.glimpse, os.environ)
            machine = Glimpse(
                config.glimpse.username, password, patience_ns=config.glimpse.timeout, jitter=random.random
            )
            link = GlimpseLink(slot, machine, split_endpoint(config.glimpse.address), live)
            self.metrics.links[f"{slot.name}/glimpse"] = link.reconnects
            live.machines.append(link)
            self._closing.append(link.close)
        if config.snapshot_join == "needed" and config.snapshots:
            mine = {
                inlet.number: line for inlet, line, _ in live.inlets if inlet.slot is slot and inlet.port in SNAPSHOTS
            }
            inlets = [inlet for inlet, _, _ in live.inlets if inlet.number in mine]
            live.machines.append(
                SnapshotJoin(
                    slot, inlets,
                    lambda inlet: live.attach(inlet, self._open_line(inlet, mine[inlet.number], config)), live.detach,
                )
            )  # fmt: skip

    def _open_line(self, inlet: Inlet, line: conf.Line, channel: conf.Channel) -> UdpSocket:
        receive = self.config.receive
        host, port = split_endpoint(line.group)
        stamps = "hardware" if receive.hardware_stamps else "software"
        interface = line.interface or channel.interface
        if interface is None:
            one = UdpSocket(
                host, port, buffer_bytes=receive.buffer, stamps=stamps, busy_poll_us=receive.busy_poll // 1000
            )
        else:
            one = open_multicast(
                host, port, interface=interface, source=line.source, buffer_bytes=receive.buffer, stamps=stamps,
                busy_poll_us=receive.busy_poll // 1000,
            )  # fmt: skip
        self._warn(one, f"{channel.name}/{inlet.line}")
        return one

    def _warn(self, one: UdpSocket, name: str) -> None:
        for warning in one.warnings:
            self.live.tell(f"{name}: {warning}")

    def _open_ring(self, config: conf.Ring) -> None:
        from netfeed.app.ring import RingOutput

        ring = RingOutput(config, self.live.catalogue)
        self.live.changes.consumers.append(ring)
        self._closing.append(ring.close)

    def _close(self) -> None:
        self.live.stop()
        for close in reversed(self._closing):
            try:
                close()
            except NetfeedError as error:  # the others must still be closed
                self.tell(str(error))
        self._closing.clear()
        self.live.close()

    def _end_recording(self) -> None:
        assert self.recorder is not None
        self.live.venues.hang_up()
        self._finished(self.recorder.close(), "the recording")

    def _end_stream(self) -> None:
        assert self._stream is not None
        self.tell_closed()
        self._stream.end([*final_books(self.live), {"kind": "SUMMARY", **full_account(self.live)}])
        self._finished(self._stream.close(), "the stream")

    def _finished(self, done: bool, what: str) -> None:
        if not done:
            self.tell(f"{what} could not be written to its end: whoever reads it stands still")

    def report(self, path: str) -> None:
        """Leave the account, every gap and every final book in a file.

        Raises: OSError when it cannot be written.
        """
        write_report(self.live, path)

    def summary(self) -> str:
        """Say what happened."""
        traded = self.desk.summary() if self.desk is not None else ""
        return "\n".join([summary(account(self.live)), *([traded] if traded else [])])


def differences(old: conf.Configuration, new: conf.Configuration) -> list[str]:
    """Name the keys that differ and cannot be changed while the handler runs."""
    if [one.name for one in old.channels] != [one.name for one in new.channels]:
        return ["channels"]
    found = [f"channels.{key}" for a, b in zip(old.channels, new.channels, strict=True) for key in _fields(a, b)]
    for field in msgspec.structs.fields(conf.Configuration):
        a, b = getattr(old, field.name), getattr(new, field.name)
        if field.name != "channels" and a != b:
            found += (
                [f"{field.name}.{key}" for key in _fields(a, b)]
                if hasattr(a, "__struct_fields__") and b is not None
                else [field.name]
            )
    return sorted({key for key in found if key not in conf.RELOADED})


def merged(old: conf.Configuration, new: conf.Configuration) -> conf.Configuration:
    """Give the old configuration with what may change from the new one."""
    if [one.name for one in old.channels] != [one.name for one in new.channels]:
        return old
    replace = msgspec.structs.replace
    channels = [
        replace(a, sources=b.sources, heartbeat=b.heartbeat, stale_after=b.stale_after)
        for a, b in zip(old.channels, new.channels, strict=True)
    ]
    return replace(old, channels=channels, books=new.books)


def _fields(a: Any, b: Any) -> list[str]:
    return [name for name in a.__struct_fields__ if getattr(a, name) != getattr(b, name)]
