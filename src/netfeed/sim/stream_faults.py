"""What a simulated venue does to its JSON-RPC connections that it should not.

Standing faults hold until they are changed, or for a time; where a time says something else than the venue usually
does, that holds. What is done *once* happens to the connections that are open then.

    standing                                               once
    skip RATE       book changes that are left out         skip        the next book change is left out
    duplicate RATE  book changes that are said twice       duplicate   ... is said twice
    torn RATE       frames at whose middle it ends         torn        the next frame ends in its middle
    skew TIME       the venue's clock is ahead, or -TIME   oversized   a frame longer than anybody takes
    silent          nothing is said, nothing is heard      alert       a fatal alert of TLS
    deaf            nothing is heard                       throttle    the next request finds no credits
    slow N          N bytes a second leave                 close CODE  the end, with this WebSocket code
    throttle        no request finds credits
    refuse [STATUS] no handshake succeeds

What is said while a venue is silent is lost, as with a process that hangs: afterwards clients miss changes.

Units: rates out of `faults.RATE`, `skew_ns` in ns, `slow` in bytes a second, 0 for as fast as it can.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Final, NamedTuple

from netfeed.errors import MisuseError
from netfeed.sim.faults import MAX_WINDOWS, RATE

ONCE: Final = ("skip", "duplicate", "torn", "oversized", "alert", "throttle")
UNAVAILABLE: Final = 503


@dataclass(frozen=True, slots=True)
class StreamFaults:
    """What holds for all connections. Raises: MisuseError when a number is out of range."""

    skip: int = 0
    duplicate: int = 0
    torn: int = 0
    skew_ns: int = 0
    silent: bool = False
    deaf: bool = False
    slow: int = 0
    throttle: bool = False
    refuse: int = 0

    def __post_init__(self) -> None:
        if not all(0 <= rate <= RATE for rate in (self.skip, self.duplicate, self.torn)):
            raise MisuseError(f"a rate of faults is from 0 to {RATE}: {self}")
        if self.slow < 0 or not (self.refuse == 0 or 400 <= self.refuse <= 599):
            raise MisuseError(f"bytes a second are not negative, and a refusal has a status of 400 to 599: {self}")

    def with_(self, name: str, value: Any) -> "StreamFaults":
        """Give the same with one fault more."""
        return replace(self, **{name: value})

    def named(self) -> dict[str, Any]:
        """Give what is not as it should be."""
        told = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in told.items() if value}


NONE: Final = StreamFaults()
"""A venue that does what it should."""


class _Window(NamedTuple):
    begin_ns: int
    end_ns: int
    faults: StreamFaults


class StreamWindows:
    """The faults that hold at a moment."""

    def __init__(self, usual: StreamFaults = NONE) -> None:
        self.usual = usual
        self._windows: list[_Window] = []

    def change(self, faults: StreamFaults) -> None:
        """Let these faults hold from now on, and no others."""
        self.usual, self._windows = faults, []

    def during(self, begin_ns: int, end_ns: int, faults: StreamFaults) -> None:
        """Let these faults hold for a time, beside the usual ones.

        Raises: MisuseError when there are too many such times.
        """
        self._windows = [one for one in self._windows if one.end_ns > begin_ns]
        if len(self._windows) >= MAX_WINDOWS:
            raise MisuseError(f"at most {MAX_WINDOWS} times of faults")
        self._windows.append(_Window(begin_ns, end_ns, faults))

    def at(self, now: int) -> StreamFaults:
        """Give what holds at a moment."""
        found = self.usual
        for begin_ns, end_ns, faults in self._windows:
            if begin_ns <= now < end_ns:
                found = replace(found, **faults.named())
        return found

    def next_change(self, now: int) -> int | None:
        """Give the next moment at which something else holds; None when there is none."""
        return min((moment for one in self._windows for moment in one[:2] if moment > now), default=None)


class WallClock:
    """What the venue's clock shows its clients. Units: `wall_ns` in ns since 1970 when `now` is 0."""

    def __init__(self, wall_ns: int, faults: StreamWindows) -> None:
        self._wall_ns, self._faults = wall_ns, faults

    def at(self, now: int) -> int:
        """Give what it shows. Units: ns since 1970."""
        return self._wall_ns + now + self._faults.at(now).skew_ns
