"""The kill switch of a running engine: who throws it from outside, and what outlives the process.

    the kill file is there       killed within `every_ns`, and again whenever somebody arms while it is there
    the latch says killed        killed: `netfeed order kill`, a run before this one
    the latch says armed         armed, where it answers the very kill that holds
    kill(way, ...), arm(way)     a signal, a request, the journal: at once
    the engine killed itself     (a limit of loss) written into the latch in the same turn of the loop

    ARMED  --any of them-->  KILLED  --a person arms, and the kill file is gone-->  ARMED

Order of things: the engine's own `kill` first, which takes the quotes out; what is written comes after. A latch that
cannot be written is told and counted, tried again with each look, and arms nothing. Whether the disk has a latch for
good is not waited for here (`kill` and `arm` of a person do).

It is a machine without bytes: `deadline` and `wake`. Two looks at files, a few microseconds, each `every_ns`.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from netfeed.app.trading.kill import KillError, Latch, exists, read_latch, write_latch
from netfeed.engine.kill_switch import KillSwitch
from netfeed.errors import MisuseError

EVERY_NS: Final = 50_000_000
WAYS: Final = ("file", "signal", "command", "request", "journal", "latch")
"""Who kills from outside, as labels."""
LIMIT: Final = "limit"
"""What the engine finds for itself."""
UNTIL: Final = "only cancels pass until a person arms again"


class Killable(Protocol):
    """What can be killed: the engine."""

    def kill(self, by: str, why: str, now: int, /) -> object:
        """Take everything out, and let nothing but cancels pass."""

    def arm(self, by: str, now: int, /) -> object:
        """Let requests pass again."""


@dataclass(frozen=True, slots=True)
class KillStatistics:
    """`by`: the way of the kill that holds, "" while armed. `kills` by way; `unwritten`: latches that were not."""

    by: str
    who: str
    why: str
    kills: dict[str, int]
    arms: int
    unwritten: int


class KillWatch:
    """Watch one kill file on behalf of an engine whose switch this is. `wall` gives ns since 1970."""

    def __init__(
        self, path: str, engine: Killable, switch: KillSwitch, *, wall: Callable[[], int],
        tell: Callable[[str], None] = lambda text: None, every_ns: int = EVERY_NS,
    ) -> None:  # fmt: skip
        self.path = path
        self._engine, self._switch, self._wall, self._tell, self._every_ns = engine, switch, wall, tell, every_ns
        self._latch = Latch()
        """What we know to stand in the file."""
        self._next = 0
        self._way = self._told = ""
        self._kills: Counter[str] = Counter()
        self._looks = self._arms = self._unwritten = 0

    @property
    def deadline(self) -> int:
        """Say when to look again: at once where the engine has killed itself. Units: monotonic ns."""
        at_once = self._switch.is_killed and not self._latch.killed and not self._unwritten
        return 0 if at_once else self._next

    def wake(self, now: int) -> list[object]:
        """Look at the file and the latch; bring engine and latch to the same. Before the deadline it does nothing."""
        if now < self.deadline:
            return []
        self._next = now + self._every_ns
        if not self._switch.is_killed and exists(self.path):
            self._throw("file", "file", f"{self.path} is there", now)
        held = read_latch(self.path)
        self._heed(held, now)
        self._write(held)
        self._looks += 1
        return []

    def kill(self, way: str, by: str, why: str, now: int) -> None:
        """Kill, by one of WAYS. One that is killed already is killed again: its cancels go out once more."""
        self._throw(way, by, why, now)
        self._write(read_latch(self.path))

    def arm(self, by: str, now: int) -> None:
        """Arm again: the switch, or what else of the engine has failed.

        Raises: KillError when nobody is named, there is nothing to arm, or the kill file is there.
        """
        if not by.strip():
            raise KillError("say who arms the kill switch again")
        if not self._switch.is_killed:
            self._arm_engine(by, now)
            return
        if exists(self.path):
            raise KillError(f"{self.path} is there, and kills as long as it is: remove it, then arm again")
        number = max(self._latch.number, read_latch(self.path).number) + 1
        self._latch = write_latch(self.path, Latch(number, False, by, "armed", self._wall()), durable=False)
        self._armed(by, now)

    def statistics(self) -> KillStatistics:
        """Give the account as it is now."""
        thrown = self._switch.thrown
        who, why = ("", "") if thrown is None else (thrown.by, thrown.why)
        way = (self._way or LIMIT) if thrown is not None else ""
        return KillStatistics(way, who, why, dict(self._kills), self._arms, self._unwritten)

    # --- inside

    def _throw(self, way: str, by: str, why: str, now: int) -> None:
        if not self._switch.is_killed:
            self._way = way
        self._kills[way] += 1
        self._engine.kill(by, why, now)
        self._say(f"KILLED by {by}: {why}; {UNTIL}")

    def _armed(self, by: str, now: int) -> None:
        self._engine.arm(by, now)
        self._way = ""
        self._arms += 1
        self._say(f"armed again by {by}")

    def _arm_engine(self, by: str, now: int) -> None:
        try:
            self._engine.arm(by, now)
        except MisuseError as error:
            raise KillError(str(error)) from None
        self._say(f"armed again by {by}")

    def _heed(self, held: Latch, now: int) -> None:
        """Do what the latch says, where it is news."""
        if held.killed:
            if not self._switch.is_killed:
                self._throw("command" if self._looks and held.number else "latch", held.by, held.why, now)
            self._latch = held if held.number else self._latch
        elif not self._switch.is_killed:
            self._latch = held if held.number > self._latch.number else self._latch
        elif self._latch.killed and held.number == self._latch.number + 1 and not exists(self.path):
            self._latch = held
            self._armed(held.by, now)

    def _write(self, held: Latch) -> None:
        """Have the latch say that the switch is thrown, where it does not."""
        thrown = self._switch.thrown
        if thrown is None or (held.killed and held.number):
            return
        if not self._way:
            self._way = LIMIT
            self._kills[LIMIT] += 1
            self._say(f"KILLED by {thrown.by}: {thrown.why}; {UNTIL}")
        number = max(self._latch.number, held.number) + 1
        try:
            latch = Latch(number, True, thrown.by, thrown.why, self._wall())
            self._latch = write_latch(self.path, latch, durable=False)
            self._unwritten = 0
        except KillError as error:
            self._unwritten += 1
            self._say(f"{error}; a restart would begin armed")

    def _say(self, text: str) -> None:
        """Tell it once, not with each look."""
        if text != self._told:
            self._told = text
            self._tell(text)
