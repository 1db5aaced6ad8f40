"""What a demo breaks on purpose, and when: a line, then what the other one says, and an order gateway, once.

A demo with a duration does each thing once, in its middle; one without does the lines again in every round. The venue
gets the commands before it starts (`netfeed sim`'s schedule), so that its day is named by the seed and this table.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from netfeed.units import duration_text

ROUND_NS: Final = 30_000_000_000
ROUNDS: Final = 960
"""Rounds of a demo without end: eight hours, and then all is well for ever."""
LEAD_NS: Final = 500_000_000
"""So long a venue speaks before an engine trades on it."""
_S: Final = 1_000_000_000
_LOSS: Final = "10%"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is broken, or mended. `command` is `netfeed sim`'s. Units: ns after the venue's start."""

    at_ns: int
    command: str
    words: str


def plan(duration_ns: int | None) -> list[Step]:
    """Say what will happen, in order of time."""
    if duration_ns is not None:
        return sorted([*_lines(LEAD_NS, duration_ns), *_gateway(LEAD_NS, duration_ns)], key=lambda step: step.at_ns)
    rounds = (step for number in range(ROUNDS) for step in _lines(LEAD_NS + number * ROUND_NS, ROUND_NS))
    return sorted([*rounds, *_gateway(LEAD_NS, ROUND_NS)], key=lambda step: step.at_ns)


def _lines(begin_ns: int, span_ns: int) -> Iterator[Step]:
    """Line A fails for a while; in the middle of it line B loses packets, too, and only a request mends that."""
    at, silent, lossy = begin_ns + span_ns * 30 // 100, _at_most(span_ns * 15, 3 * _S), _at_most(span_ns * 5, _S // 2)
    yield Step(at, f"line A silent {_exact(silent)}", f"line A fails for {duration_text(silent)}")
    worse = at + silent // 4
    yield Step(
        worse, f"line B loss {_LOSS} for {_exact(lossy)}",
        f"line B loses {_LOSS} for {duration_text(lossy)}, too: only the retransmit server has what is missing",
    )  # fmt: skip


def _gateway(begin_ns: int, span_ns: int) -> Iterator[Step]:
    at = begin_ns + span_ns * 58 // 100
    back = at + _at_most(span_ns * 10, 2 * _S)
    yield Step(at, "orders A kill", "order gateway A is killed: what was under way is in doubt, until the venue says")
    yield Step(back, "orders A revive", "order gateway A is there again")


def _at_most(hundredths: int, most_ns: int) -> int:
    """Give a share of a time, in hundredths of ns, but no more than so long."""
    return min(hundredths // 100, most_ns)


def _exact(span_ns: int) -> str:
    return f"{span_ns // 1_000_000}ms"
