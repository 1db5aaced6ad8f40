"""Which of several addresses to speak with: the one that answers first, with a head start for those before it.

Source: RFC 8305 (happy eyeballs), section 4 (the families take turns) and 5 (staggered attempts). A pure machine: it
says which attempts to begin and to give up, and is told what became of them; `dial` does it with sockets.

    race = Race(addresses, now)
    race.transmit()                          [START of the first address]
    race.receive(outcome(1, OPENED), now)    [Won(1)]          a packet is one outcome; the others are given up
    race.wake(now)                           the next attempt begins, or all take too long: [Lost(...)]

Invariant: at most one `Won` or `Lost`, and nothing after it.
Leaves out: resolving names (an application gives the addresses, in the order in which it prefers them: RFC 6724).
"""

import errno
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from netfeed.errors import MisuseError
from netfeed.machine import NEVER, Buffer

Address = tuple[str, int]
"""A literal address and a port."""

STAGGER_NS: Final = 250_000_000
"""The head start of an attempt before the next one begins: the RFC's "Connection Attempt Delay"."""
TIMEOUT_NS: Final = 10_000_000_000
MAX_ADDRESSES: Final = 32

OPENED: Final = 0
START, STOP = b"+", b"-"
_OUTCOME: Final = struct.Struct("=BI")


@dataclass(frozen=True, slots=True)
class Won:
    """This address answered first."""

    index: int


@dataclass(frozen=True, slots=True)
class Lost:
    """None did; each with its error number (ETIMEDOUT: it had not answered when time was up)."""

    errors: tuple[tuple[Address, int], ...]

    def __str__(self) -> str:
        return "; ".join(f"{host} port {port}: {os.strerror(number)}" for (host, port), number in self.errors)


def outcome(index: int, number: int = OPENED) -> bytes:
    """Write what became of an attempt: OPENED, or the error's number."""
    return _OUTCOME.pack(index, number)


def turns(addresses: Sequence[Address]) -> list[Address]:
    """Let the families take turns, each in its own order, beginning with the first one's; none twice."""
    several = list(dict.fromkeys(addresses))
    first = ":" in several[0][0] if several else False
    one = [address for address in several if (":" in address[0]) is first]
    other = [address for address in several if (":" in address[0]) is not first]
    return [address for pair in zip_longest(one, other) for address in pair if address is not None]


class Race:
    """Attempts at several addresses. `addresses` are in the order in which they are tried."""

    def __init__(
        self, addresses: Sequence[Address], now: int, *, stagger_ns: int = STAGGER_NS, timeout_ns: int = TIMEOUT_NS
    ) -> None:
        if not addresses:
            raise MisuseError("no address to connect to")
        if min(stagger_ns, timeout_ns) <= 0:
            raise MisuseError("the times of a race are positive")
        self.addresses = turns(addresses)[:MAX_ADDRESSES]
        self._stagger_ns, self._due = stagger_ns, NEVER
        self._end = min(NEVER, now + timeout_ns)
        self._errors: dict[int, int] = {}
        self._begun = 0
        self._out: list[bytes] = []
        self.is_over = False
        self._begin(now)

    @property
    def deadline(self) -> int:
        """Say when the next attempt begins, or all are given up. Units: monotonic ns."""
        return NEVER if self.is_over else min(self._due, self._end)

    def receive(self, data: Buffer, now: int, port: int = 0) -> list[Won | Lost]:
        """Take the outcome of an attempt; what is none is passed over."""
        if self.is_over or len(data) != _OUTCOME.size:
            return []
        index, number = _OUTCOME.unpack(data)
        if index >= self._begun or index in self._errors:
            return []
        if number == OPENED:
            self._over(but=index)
            return [Won(index)]
        self._errors[index] = number
        return self._failed(now)

    def wake(self, now: int) -> list[Won | Lost]:
        """Begin the next attempt, or give all up. A call before the deadline does nothing."""
        if now < self.deadline:
            return []
        if now >= self._end:
            return self._lose()
        self._begin(now)
        return []

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what is to be done: START or STOP, and the index of the address as one byte."""
        out, self._out = self._out, []
        return out

    def _begin(self, now: int) -> None:
        self._out.append(START + bytes([self._begun]))
        self._begun += 1
        more = self._begun < len(self.addresses)
        self._due = min(NEVER, now + self._stagger_ns) if more else NEVER

    def _failed(self, now: int) -> list[Won | Lost]:
        """An attempt failed: the next one need not wait for its turn."""
        if self._begun < len(self.addresses):
            self._begin(now)
            return []
        return self._lose() if len(self._errors) == self._begun else []

    def _lose(self) -> list[Won | Lost]:
        self._over()
        numbers = [self._errors.get(index, errno.ETIMEDOUT) for index in range(self._begun)]
        return [Lost(tuple(zip(self.addresses, numbers, strict=False)))]

    def _over(self, but: int = -1) -> None:
        self.is_over = True
        trying = [index for index in range(self._begun) if index != but and index not in self._errors]
        self._out += [STOP + bytes([index]) for index in trying]
