"""Capture: from sources of frames to files, and an account of everything that did not come through.

One thread reads all sources in turn: wait until one has frames, let it write whole records into one buffer, hand that
to the files. No frame is an object here. Files end, and a run ends, between two frames: at a count, or at a time by the
frames' own stamps, so that what came before a signal is in the file and what came after is not. (Stamps of a card may
be of another clock: then the host's clock decides, as exactly as it looks.)

Several sources write into one file in turn: each in its order, but one may be up to the ring's timeout behind another.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from select import POLLIN, poll
from typing import Final, Protocol

from netfeed.app.capture.account import UNREAD, Json, account, interval
from netfeed.app.capture.files import Files, Plan
from netfeed.app.capture.tap import Tap
from netfeed.machine import NEVER
from netfeed.transport.network import interface_flags
from netfeed.transport.raw.source import ALL, FrameSource
from netfeed.transport.sink import SinkError

ROOM_BYTES: Final = 4 * 2**20
GRACE_NS: Final = 250_000_000
ASK_NS: Final = 200_000_000
"""How often clocks, counters and interfaces are looked at, at least; a signal wakes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When it ends, and how often it tells. Units: ns.

    `rest_ns`: how long is waited after frames came, so that more of them wait: far less than the ring takes to fill.
    `grace_ns`: how long the ring may keep a frame back that came before a file, or the run, should have ended.
    """

    count: int | None = None
    duration_ns: int | None = None
    interval_ns: int = 1_000_000_000
    rest_ns: int = 0
    grace_ns: int = GRACE_NS


class Asked(Protocol):
    """What is asked of whoever started the capture: `stop`, and `dump` of the account so far."""

    def stop(self) -> bool: ...
    def dump(self) -> bool: ...
    def fileno(self) -> int: ...
    def drain(self) -> None: ...


class Capture:
    """A run. `tell` takes the report of every interval, `note` what a person should know, `dump` an account so far.

    `asked` is looked at several times a second; its descriptor is readable after a signal.
    """

    def __init__(
        self, sources: Sequence[FrameSource], plan: Plan, limits: Limits, *, asked: Asked | None = None,
        tell: Callable[[Json], None] = lambda report: None, note: Callable[[str], None] = lambda text: None,
        dump: Callable[[Json], None] = lambda report: None, flags: Callable[[str], int] = interface_flags,
    ) -> None:  # fmt: skip
        self.taps = [Tap(source, number, plan.kind.form, flags) for number, source in enumerate(sources)]
        self.reason = ""
        self._plan, self._limits, self._asked = plan, limits, asked
        self._tell, self._note, self._dump = tell, note, dump
        self._room = bytearray(ROOM_BYTES)
        self._poll, self._pause = poll(), poll()
        self._watched: set[int] = set()
        self._reading: list[Tap] = []
        self._asks = 0
        self._end_ns = self._deadline = NEVER
        self._taken = 0

    def run(self) -> Json:
        """Capture until the count, the duration, a signal, or an end that nobody wanted; give the account.

        Raises: SinkError when not even the first file can be begun.
        """
        self._begun = self._reported = time.monotonic_ns()
        start_ns = time.time_ns()
        self._files = Files(self._plan, lambda: [tap.drops() for tap in self.taps], start_ns)
        if self._limits.duration_ns is not None:
            self._end(start_ns + self._limits.duration_ns, self._begun + self._limits.duration_ns)
        if self._asked is not None:
            self._poll.register(self._asked.fileno(), POLLIN)
            self._pause.register(self._asked.fileno(), POLLIN)
        self._watch()
        self._before = interval(self.taps, self._files, 0)
        try:
            while not self.reason:
                self._turn()
        except SinkError as error:
            self._cannot_write(error)
        finally:
            finished = self._files.close()
        if not finished:
            self._fail("the thread that writes is stuck: the last file is not complete")
        if self._files.failed is not None and not self.reason.startswith("failed"):
            self._cannot_write(self._files.failed)
        return self.account()

    def account(self) -> Json:
        """Give the account so far."""
        return account(self.taps, self._files, time.monotonic_ns() - self._begun, self.reason)

    def _turn(self) -> None:
        """Wait, read, and now and then look up; then rest a little, so that a turn is worth its cost."""
        ready = self._poll.poll(0 if any(tap.more for tap in self._reading) else self._wait_ns() / 1e6)
        taken = self._read()
        now = time.monotonic_ns()
        due = now >= min(self._asks, self._deadline)
        if due or len(self._reading) < len(self._watched) or self._is_woken(ready):
            self._asks = now + ASK_NS
            self._look_up(now)
        elif taken and self._limits.rest_ns:
            self._pause.poll(self._limits.rest_ns / 1e6)

    def _wait_ns(self) -> int:
        """Say how long may be waited: an end by the clock, or of a file, comes when it comes."""
        if len(self._reading) < len(self._watched) or any(tap.ahead for tap in self.taps):
            return self._limits.grace_ns // 10
        return max(0, min(ASK_NS, self._deadline - time.monotonic_ns()))

    def _read(self) -> int:
        """Take what waits; give how many frames that was."""
        before = self._taken
        for tap in self._reading:
            left = ALL if self._limits.count is None else self._limits.count - self._taken
            self._taken += tap.read(self._room, self._files, left=left, until_ns=self._until_ns)
            if self._limits.count is not None and self._taken >= self._limits.count:
                self.reason = "count"
                break
        self._reading = [tap for tap in self._reading if not tap.ahead and tap.source.gone is None]
        return self._taken - before

    @property
    def _until_ns(self) -> int:
        return min(self._files.until_ns, self._end_ns)

    def _is_woken(self, ready: list[tuple[int, int]]) -> bool:
        return self._asked is not None and any(fd == self._asked.fileno() for fd, _ in ready)

    def _look_up(self, now: int) -> None:
        """See to clocks, signals, interfaces and files."""
        if self.reason:
            return
        self._files.flush(now)
        self._turn_over()
        self._ask(now)
        if self._files.failed is not None:
            self._cannot_write(self._files.failed)
        self._watch()

    def _watch(self) -> None:
        """Wait for those sources only whose frames can be taken now."""
        self._reading = [tap for tap in self.taps if not (tap.ahead or tap.is_over)]
        wanted = {tap.source.fileno() for tap in self._reading}
        for fd in self._watched - wanted:
            self._poll.unregister(fd)
        for fd in wanted - self._watched:
            self._poll.register(fd, POLLIN)
        self._watched = wanted

    def _turn_over(self) -> None:
        """Begin the next file when every source has come to its time, or the clock has."""
        files, now_ns = self._files, time.time_ns()
        living = [tap for tap in self.taps if not tap.is_over]
        grace = self._limits.grace_ns if all(tap.obeys for tap in living) else 0
        everybody = bool(living) and all(tap.ahead for tap in living)
        late = now_ns >= files.until_ns + grace and not self._is_behind()
        if files.until_ns <= self._end_ns and (everybody or late):
            files.turn_over(now_ns)
            for tap in self.taps:
                tap.ahead = False
        elif everybody and self._end_ns < files.until_ns:
            self._deadline = 0

    def _ask(self, now: int) -> None:
        if now >= self._deadline and not self._is_behind():
            self.reason = "duration" if self._asked is None or not self._asked.stop() else "stopped"
            return
        self._look()
        if now - self._reported >= self._limits.interval_ns:
            after = interval(self.taps, self._files, now - self._begun)
            self._tell(after.since(self._before))
            self._before, self._reported = after, now
        if self._asked is None:
            return
        self._asked.drain()
        if self._asked.stop() and self._end_ns > time.time_ns():
            self._end(time.time_ns(), now)
        if self._asked.dump():
            self._dump(self.account())

    def _is_behind(self) -> bool:
        """Say whether frames wait in a ring that came before any time that is to be kept."""
        return any(tap.more and tap.obeys for tap in self._reading)

    def _end(self, at_ns: int, at: int) -> None:
        """Let the run end with the frames of a time. Units: `at_ns` since 1970, `at` monotonic ns."""
        self._end_ns, self._deadline = at_ns, at + self._limits.grace_ns

    def _look(self) -> None:
        for tap in self.taps:
            for text in tap.changes():
                self._note(text)
        if all(tap.is_over for tap in self.taps):
            self._fail("; ".join(f"{tap.source.interface}: {tap.source.gone}" for tap in self.taps))

    def _cannot_write(self, error: SinkError) -> None:
        if isinstance(error.__context__, BrokenPipeError):
            self.reason = UNREAD
        else:
            self._fail(str(error))

    def _fail(self, why: str) -> None:
        self.reason = f"failed: {why}"
