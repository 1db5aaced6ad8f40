"""What the JSON-RPC side of a simulated exchange does to order requests that it should not: the faults of a gateway.

    lost        the answer never comes; what it says has happened, and channels tell it
    duplicate   the answer comes twice
    delay       the answer comes late; channels do not wait for it
    refuse      the exchange never hears of it: 10047
    kill        all connections end without a word (1006), and nobody is let in until it is revived

Those of connections (`stream_faults`) hold for everything that is said on them.
"""

from heapq import heappop, heappush
from typing import Final

from netfeed.errors import MisuseError
from netfeed.machine import NEVER
from netfeed.sim.order_faults import NONE, Judge, OrderFaults, Storm

MAX_WAITING: Final = 10_000
"""Answers that are delayed at a time; one more leaves at once."""


class JsonRpcGateway:
    """The faults. `counts` as those of `SessionGateway`; `faults` hold, or those of a `storm` while there is one."""

    def __init__(self, seed: int) -> None:
        self.faults = NONE
        self.storm: Storm | None = None
        self.dead = False
        self.counts = dict.fromkeys(("lost", "duplicated", "refused", "missed", "turned_away"), 0)
        self._judge = Judge(seed)
        self._lives: int | None = None
        self._waiting: list[tuple[int, int, int, bytes]] = []
        self._number = 0

    @property
    def deadline(self) -> int:
        """Say when an answer that was delayed leaves. Units: monotonic ns."""
        return self._waiting[0][0] if self._waiting else NEVER

    def refuses(self, now: int) -> bool:
        """Say whether a request is refused before the exchange hears of it."""
        refused = self._judge.judge(self._holds(now)).refused
        self.counts["refused"] += refused
        return refused

    def dies(self) -> bool:
        """Take note that a request was done; say whether the gateway died of it, before the answer left."""
        if self._lives is None:
            return False
        self._lives -= 1
        if self._lives:
            return False
        self.dead, self._lives = True, None
        self.counts["missed"] += 1
        return True

    def answers(self, port: int, message: bytes, now: int) -> list[bytes]:
        """Give what of an answer leaves now; what is delayed is kept."""
        copies, delay_ns, _ = self._judge.judge(self._holds(now))
        self.counts["lost"] += copies == 0
        self.counts["duplicated"] += copies == 2
        if not delay_ns or len(self._waiting) >= MAX_WAITING:
            return [message] * copies
        for _ in range(copies):
            self._number += 1
            heappush(self._waiting, (now + delay_ns, self._number, port, message))
        return []

    def due(self, now: int) -> list[tuple[int, bytes]]:
        """Give the answers that leave now, with their ports."""
        found = []
        while self.deadline <= now:
            _, _, port, message = heappop(self._waiting)
            found.append((port, message))
        return found

    def forget(self, port: int) -> None:
        """Drop what waits for a connection that is over."""
        self._waiting = sorted(one for one in self._waiting if one[2] != port)

    def kill(self, now: int, *, forget: bool = False) -> None:
        """Let it die; it has no journal that it could forget."""
        self.dead, self._lives = True, None

    def kill_after(self, requests: int) -> None:
        """Let it die when so many more requests are done, before the answer to the last of them has left."""
        if requests < 1:
            raise MisuseError("a gateway dies after one request or more")
        self._lives = requests

    def revive(self) -> None:
        """Let it be there again."""
        self.dead = False

    def _holds(self, now: int) -> OrderFaults:
        return self.storm.faults if self.storm is not None and now < self.storm.until_ns else self.faults
