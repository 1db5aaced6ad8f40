"""One run of questions over datagrams or a connection, until all are answered, it is stopped, or nobody answers."""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from netfeed.app.latency.own_cost import OwnCost, own_cost
from netfeed.app.latency.ping_stream import SYSTEM, StreamPing, Trusting
from netfeed.app.latency.ping_target import Target
from netfeed.app.latency.ping_watch import Watch
from netfeed.errors import NetfeedError
from netfeed.host.clocks import Epoch
from netfeed.host.placed import placed
from netfeed.proto.probe import Pinger
from netfeed.proto.probe_words import Plan
from netfeed.transport.direct_udp import DirectUdp
from netfeed.transport.endpoint import To
from netfeed.transport.network import address, find_interface
from netfeed.transport.send import multicast_from
from netfeed.transport.udp import UdpSocket, open_unicast

PATIENCE_NS: Final = 2_000_000_000
"""How long nobody may answer before it is given up."""
REFUSED_NS: Final = 200_000_000
"""The same, where the host says that nobody listens."""


SPLIT_WRONGLY: Final = "round trips are right, and those of that second not split by their stamps"
"""What a clock that was set has done to a report."""


class UnansweredError(NetfeedError):
    """Nobody answers. The command line exits with 5."""


@dataclass(frozen=True, slots=True)
class Way:
    """How the questions travel, and where this program runs meanwhile."""

    interface: str | None = None
    ttl: int = 1
    spin: bool = False
    cpu: int | None = None
    priority: int | None = None
    trusting: Trusting = SYSTEM


class Ping:
    """A run: `run` it, then read `watch`, `pinger`, `notes`."""

    def __init__(
        self, target: Target, plan: Plan, way: Way, *, stop: Callable[[], bool] = lambda: False,
        tell: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        self.target, self.plan, self.way = target, plan, way
        self._epoch = Epoch()
        self.pinger = Pinger(plan, epoch_ns=self._epoch.ns)
        self.watch = Watch(self.pinger, tell=tell)
        self.notes: list[str] = []
        self.unsent = self.elapsed_ns = self.kernel_drops = 0
        self.cost: OwnCost = own_cost(plan)
        self._stop = stop
        self._begun = 0

    def run(self) -> None:
        """Ask until all is answered or missed, or `stop`.

        Raises: UnansweredError when nobody answers; NetworkError; ConfigurationError.
        """
        way = self.way
        with placed(way.cpu, way.priority, spins=way.spin) as notes:
            self.notes += notes
            gc.collect()
            gc.disable()  # a collection would be a stall of ours
            try:
                self._begun = time.monotonic_ns()
                self._over_datagrams() if self.target.is_datagrams else self._over_stream()
            finally:
                gc.enable()
        self.elapsed_ns = time.monotonic_ns() - self._begun
        if not self.pinger.peers:
            raise UnansweredError(self._unanswered())
        if self._epoch.check() or self._epoch.steps:
            moved = self._epoch.moved_ns / 1e9
            self.notes.append(f"this host's clock was set by {moved:+.6f} s meanwhile: {SPLIT_WRONGLY}")

    def _over_datagrams(self) -> None:
        with self._open() as one:
            to = (self.target.host, self.target.port) if self.target.is_group else To.PEER
            driver = DirectUdp(
                self.pinger, one, size=self.plan.size, to=to, spin=self.way.spin,
                events=self._take, stop=lambda: self._is_over(driver.refused),
            )  # fmt: skip
            self.pinger.start(time.monotonic_ns())
            driver.run()
            self.unsent, self.kernel_drops = driver.unsent, one.drops()
            self.notes += one.warnings

    def _take(self, events: Sequence[Any], now: int) -> None:
        self.watch.take(events)

    def _over_stream(self) -> None:
        stream = StreamPing(self.target, self.pinger, self.watch, self.way.trusting, spin=self.way.spin)
        try:
            stream.run(lambda: self._is_over(0))
        finally:
            stream.close()
        self.notes += stream.notes

    def _open(self) -> UdpSocket:
        if not self.target.is_group:
            return open_unicast(peer=(self.target.host, self.target.port))
        interface = find_interface(self.way.interface)
        any_host = "0.0.0.0" if address(self.target.host).version == 4 else "::"
        one = open_unicast(interface.ipv4 or any_host if any_host == "0.0.0.0" else any_host)
        multicast_from(one.socket, interface, self.way.ttl)
        return one

    def _is_over(self, refused: int) -> bool:
        now = time.monotonic_ns()
        elapsed = now - self._begun
        self.watch.glance(elapsed)
        if self._epoch.glance(now):
            self.watch.trips.clock_set(self._epoch.ns - self.pinger.epoch_ns)
            self.pinger.epoch_ns = self._epoch.ns
        if self.watch.is_done or self._stop():
            return True
        patience = REFUSED_NS if refused else max(PATIENCE_NS, self.plan.timeout_ns)
        return elapsed > patience and not self.pinger.peers

    def _unanswered(self) -> str:
        where = f"netfeed latency pong {self.target}"
        if self.target.is_group:
            return f"nobody in {self.target} answers: start `{where} -i INTERFACE` on the hosts that should"
        return f"nobody answers at {self.target}: start `{where}` there, and let its port through"
