"""Who answers: questions in datagrams, to a group or to this host, or over the connections of a listener.

An answer is as long as its question and goes back where that came from; what is no question is counted and not
answered, and so is what comes faster than the rate that is allowed.
"""

import secrets
import tempfile
import time
from collections.abc import Callable
from typing import Final
from weakref import WeakSet

from netfeed.app.latency.ping_target import Target
from netfeed.app.latency.pong_listener import PongListener
from netfeed.host.clocks import Epoch, kernel_number
from netfeed.proto.bucket import TokenBucket
from netfeed.proto.probe import Ponger
from netfeed.proto.probe_words import PongerStatistics
from netfeed.transport.direct_udp import DirectUdp
from netfeed.transport.udp import UdpSocket, open_multicast, open_unicast
from netfeed.wire.probe import MAX_SIZE, stamped_answer

RATE: Final = 200_000.0
"""Answers a second: more than this program can give on most hosts."""
BURST: Final = 4096


class Pong:
    """Answers at one place. `ready` is called once it listens, with what who asks needs to name."""

    def __init__(
        self, target: Target, *, interface: str | None = None, spin: bool = False, rate: float = RATE,
        directory: str | None = None, stop: Callable[[], bool] = lambda: False,
        ready: Callable[[str], None] = lambda text: None,
    ) -> None:  # fmt: skip
        """Prepare; `directory` is where the certificates of tls:// and wss:// are kept, None: for this run only."""
        self.target = target
        self.connections = self.unsent = 0
        self.notes: list[str] = []
        self.statistics = PongerStatistics(0, 0, 0)
        self._interface, self._spin, self._directory = interface, spin, directory
        self._stop, self._ready = stop, ready
        self._epoch, self._host, self._peer = Epoch(), kernel_number(), secrets.randbits(64)
        self._pongers: WeakSet[Ponger] = WeakSet()
        self._bucket = TokenBucket(rate=rate, burst=BURST)

    def run(self) -> None:
        """Answer until `stop`.

        Raises: NetworkError; ConfigurationError.
        """
        try:
            self._run()
        finally:
            if self._epoch.steps:
                moved = self._epoch.moved_ns / 1e9
                self.notes.append(f"this host's clock was set by {moved:+.6f} s meanwhile: askers' reports say when")

    def _run(self) -> None:
        if self.target.is_datagrams:
            with self._open() as one:
                self._answer(one)
        elif self.target.is_secure and self._directory is None:
            with tempfile.TemporaryDirectory(prefix="netfeed-pong-") as directory:
                self._listen(directory)
        else:
            self._listen(self._directory)

    def _ponger(self) -> Ponger:
        one = Ponger(self._peer, self._host, bucket=self._bucket, epoch_ns=self._epoch.ns)
        self._pongers.add(one)
        return one

    def _is_over(self) -> bool:
        """Say whether to stop; once a second, see that answers are stamped by the clock as it is now."""
        if self._epoch.glance(time.monotonic_ns()):
            for one in self._pongers:
                one.epoch_ns = self._epoch.ns
        return self._stop()

    def _open(self) -> UdpSocket:
        if self.target.is_group:
            return open_multicast(self.target.host, self.target.port, interface=self._interface)
        return open_unicast(self.target.host, self.target.port)

    def _answer(self, one: UdpSocket) -> None:
        ponger = self._ponger()
        driver = DirectUdp(
            ponger, one, size=MAX_SIZE, spin=self._spin, stop=self._is_over,
            last=lambda answer, now: stamped_answer(answer, now + self._epoch.ns),
        )  # fmt: skip
        self.notes += one.warnings
        self._ready(str(self.target))
        try:
            driver.run()
        finally:
            self.statistics, self.unsent = ponger.statistics(), driver.unsent

    def _listen(self, directory: str | None) -> None:
        listener = PongListener(self.target, self._ponger, directory, spin=self._spin)
        try:
            self._ready(str(self.target) + listener.hint)
            listener.run(self._is_over)
        finally:
            listener.close()
            self.statistics, self.connections = listener.statistics(), listener.connections
