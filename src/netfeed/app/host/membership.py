"""Watch who asks and who answers, on an interface or in captures, until it is enough."""

import json
import select
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from netfeed.app.findings import Findings
from netfeed.app.host.membership_capture import messages
from netfeed.app.host.membership_report import Json, summary
from netfeed.app.inputs import Inputs, Packets
from netfeed.app.recognise import FileKind
from netfeed.host.membership import PATIENCE_NS, Memberships, Wanted
from netfeed.host.membership_events import Event
from netfeed.host.membership_listener import MembershipListener
from netfeed.machine import NEVER
from netfeed.transport.network import NetworkError
from netfeed.wire.capture import NO_TIME
from netfeed.wire.membership import Heard

TURN_NS: Final = 50_000_000
"""How often `stop` is asked."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is watched, and for how long. Units: ns."""

    interface: str | None = None
    files: Sequence[str] = ()
    wanted: Sequence[Wanted] = ()
    count: int | None = None
    duration_ns: int | None = None
    patience_ns: int = PATIENCE_NS


@dataclass(slots=True)
class Watch:
    """A run. `tell` takes every event, `message` every message, `note` what a person should know.

    `stop` and `dump` are asked several times a second; a dump is the summary so far, as a note in JSON.
    """

    options: Options
    tell: Callable[[Event], None] = lambda event: None
    message: Callable[[int, Heard], None] = lambda ts_ns, heard: None
    note: Callable[[str], None] = lambda text: None
    stop: Callable[[], bool] = lambda: False
    dump: Callable[[], bool] = lambda: False
    memberships: Memberships = field(default_factory=Memberships)
    faults: Findings = field(default_factory=Findings)
    drops: int = 0

    def run(self) -> Json:
        """Watch until the count, the duration, the end of the files or `stop`; give the summary.

        Raises: NetworkError, ConfigurationError, SourceError.
        """
        options = self.options
        self.memberships = Memberships(
            options.wanted, patience_ns=options.patience_ns, complete=not options.files
        )  # fmt: skip
        if self.options.files:
            self._read()
        else:
            self._listen(self.options.interface or "")
        return summary(self.memberships, self.faults, self.drops)

    def _listen(self, interface: str) -> None:
        with MembershipListener(interface) as listener:
            for warning in listener.warnings:
                self.note(warning)
            self.memberships.begin(time.time_ns())
            end = self.memberships.now_ns + self.options.duration_ns if self.options.duration_ns else NEVER
            poll = select.poll()
            poll.register(listener, select.POLLIN)
            while not self._enough() and listener.gone is None and (now := time.time_ns()) < end:
                wait = min(TURN_NS, end - now, max(0, self.memberships.deadline - now))
                poll.poll(wait // 1_000_000 + 1)
                self._turn(listener)
            self.drops = listener.drops
            if listener.gone is not None:
                raise NetworkError(listener.gone)

    def _turn(self, listener: MembershipListener) -> None:
        for ts_ns, heard in listener.read():
            if not self._enough():
                self._take(heard, ts_ns)
        self._told(self.memberships.wake(time.time_ns()))
        if self.dump():
            self.note(json.dumps(summary(self.memberships, self.faults, listener.drops)))

    def _read(self) -> None:
        with Inputs(self.options.files, self.faults) as inputs:
            for name in (name for name, kind in inputs.kinds.items() if kind is not FileKind.CAPTURE):
                self.note(f"{name} is no capture: it tells nothing of memberships")
            for capture, packets in inputs.captures():
                within = self._within(packets)
                for ts_ns, heard in messages(capture, within):
                    self._take(heard, self.memberships.now_ns if ts_ns == NO_TIME else ts_ns)
                    if self._enough():
                        return
                if len(within):
                    self._told(self.memberships.wake(int(within["ts_ns"].max())))
                if len(within) < len(packets) or self.stop():
                    return

    def _within(self, packets: Packets) -> Packets:
        """Give those packets of a capture that lie within the duration; the first one begins it."""
        if self.memberships.begun_ns is None:
            self.memberships.begin(max(0, int(packets["ts_ns"][0])))
        begun, duration = self.memberships.begun_ns or 0, self.options.duration_ns
        return packets if duration is None else packets[packets["ts_ns"] <= begun + duration]

    def _enough(self) -> bool:
        return self.stop() or (self.options.count is not None and self.memberships.messages >= self.options.count)

    def _take(self, heard: Heard | None, ts_ns: int) -> None:
        if heard is None:
            self.memberships.damaged += 1
            return
        self.message(ts_ns, heard)
        self._told(self.memberships.hear(heard, ts_ns))

    def _told(self, events: list[Event]) -> None:
        for event in events:
            self.tell(event)
