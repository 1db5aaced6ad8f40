"""What must hold when all else fails, in one place: journal, kill switch, and what says so, around an engine that runs.

    begun = restart(folder, empty, now, wall_ns)                  before the engine is made: its account and ids
    tally = OrderTally(begun.journal.record)                      its sink
    safety = Safety(engine, switch, begun, tally, kill_file, ...)  after it was made, before its sessions are opened
    safety.attach(endpoints, metrics)
    safety.turn(now)                                              once a turn of the loop, and at `deadline`
    safety.kill("signal", "SIGUSR2", "a signal", now)
    safety.close()                                                after its sessions are closed

In a turn: the kill file and the latch are looked at when that is due, and a journal that the disk does not keep up with
kills. All of it takes microseconds; nothing here waits for a disk.
"""

import time
from collections.abc import Callable
from typing import Any, Final

from netfeed.app.endpoints import Endpoints
from netfeed.app.metrics import Metrics
from netfeed.app.trading.control import Control
from netfeed.app.trading.kill_watch import KillStatistics, KillWatch
from netfeed.app.trading.metrics import TradingMetrics
from netfeed.app.trading.order_journal import JournalStatistics
from netfeed.app.trading.order_tally import OrderTally
from netfeed.app.trading.restart import Begun
from netfeed.app.trading.watchdog import Watchdog
from netfeed.engine.kill_switch import KillSwitch

JOURNAL: Final = "journal"


class Safety:
    """The journal and the kill switch of one engine; `engine` has `kill`, `arm`, `picture` and `ready`."""

    def __init__(
        self, engine: Any, switch: KillSwitch, begun: Begun, tally: OrderTally, kill_file: str, *,
        tell: Callable[[str], None], clock: Callable[[], int] = time.monotonic_ns,
        wall: Callable[[], int] = time.time_ns, tick_to_order: Callable[[], Any] | None = None,
        stall_s: float | None = None,
    ) -> None:  # fmt: skip
        """Look at the kill file and the latch: an engine that is killed is so before it can send anything.

        `stall_s`: a loop that does not turn for so long ends the process (`watchdog`); None: it may.
        Raises: KillError when there is no folder for the kill file.
        """
        self._engine, self._switch, self._begun, self._clock = engine, switch, begun, clock
        self.watch = KillWatch(kill_file, engine, switch, wall=wall, tell=tell)
        self.control = Control(self.watch, clock)
        self.metrics = TradingMetrics(engine, tally, self.journal, self.watch.statistics, tick_to_order)
        for note in begun.notes:
            tell(note)
        self._watchdog = None if stall_s is None else Watchdog(kill_file, stall_s)
        self.turn(clock())

    @property
    def deadline(self) -> int:
        """Say when a turn is due. Units: monotonic ns."""
        return self.watch.deadline

    def turn(self, now: int) -> None:
        """Look at all that may kill from outside."""
        if self._watchdog is not None:
            self._watchdog.turned()
        trouble = self._begun.journal.trouble(now)
        if trouble and not self._switch.is_killed:  # however often a person arms: the disk has failed for good
            self.watch.kill(JOURNAL, JOURNAL, trouble, now)
        self.watch.wake(now)

    wake = turn

    def kill(self, way: str, by: str, why: str, now: int) -> None:
        """Kill, by one of `WAYS`."""
        self.watch.kill(way, by, why, now)

    def attach(self, endpoints: Endpoints | None, metrics: Metrics) -> None:
        """Be told and asked over HTTP."""
        metrics.more.append(self.metrics.collect)
        if endpoints is not None:
            endpoints.control = self.control.answer
            endpoints.reasons.append(self.why_not_ready)

    def why_not_ready(self) -> str:
        """Say why orders are not ready, for /readyz; empty when they are."""
        why: str = self._engine.ready
        return f"orders: {why}" if why else ""

    def journal(self) -> JournalStatistics:
        """Give the journal's account."""
        return self._begun.journal.statistics(self._clock())

    def statistics(self) -> KillStatistics:
        """Give the kill switch's account."""
        return self.watch.statistics()

    def close(self) -> bool:
        """End; say whether the disk has the whole journal. What is killed stays so."""
        if self._watchdog is not None:
            self._watchdog.close()
        self.control.close()
        return self._begun.close()
