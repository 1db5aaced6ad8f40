"""What is drilled, one row a scenario: what happens when, and what the handler must have done about it.

An act is a time in milliseconds since the handler was right, and a line of words:

    A loss 10%            faults of a wire, A, B or A,B; the words of `netfeed sim` (`sim.commands`)
    cut A | plug A        a cable is pulled, and put back
    deafen A | hear A     the switch hears the handler's memberships no more, and again
    pause | resume        the handler stands still, and goes on
    halve 5000            for so many ms the handler gets every second 150 ms only: the sender is twice as fast as it
    anything else         a command to the venue: gateway dead, session restart, rate 5000 ...

`must` names who had to recover something (line, retransmit, snapshot), or `drops`: packets that the kernel dropped,
`alone`: packets that one line alone brought, `reset`: a new count. Every scenario must end with all books LIVE and
equal to the venue's.
"""

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row. `flow_ms`: how long orders flow. `late_ms`: how long before the handler starts."""

    name: str
    what: str
    acts: tuple[tuple[int, str], ...] = ()
    must: frozenset[str] = frozenset()
    flow_ms: int = 3_000
    late_ms: int = 0
    rate: int = 1_000
    retain: int | None = None
    handler: dict[str, str] = field(default_factory=dict)
    protocols: tuple[str, ...] = ("starbase", "itch50")


def _loss(rate: str, *lines: str) -> tuple[tuple[int, str], ...]:
    return tuple((0, f"{line} loss {rate}") for line in lines)


_HOLES: Final = tuple((300 + 250 * index, "A,B silent for 15ms") for index in range(8))
_SMALL: Final = {"receive.buffer": "'32KiB'"}

SCENARIOS: Final = {row.name: row for row in (
    Scenario("clean", "nothing goes wrong"),
    Scenario("loss-a-0.1", "line A loses 0.1 % of its packets", _loss("0.1%", "A")),
    Scenario("loss-a-1", "line A loses 1 %", _loss("1%", "A")),
    Scenario("loss-a-10", "line A loses 10 %", _loss("10%", "A")),
    Scenario("loss-both-0.1", "both lines lose 0.1 %, each its own", _loss("0.1%", "A", "B")),
    Scenario("loss-both-1", "both lines lose 1 %, each its own", _loss("1%", "A", "B")),
    Scenario("loss-both-10", "both lines lose 10 %, each its own: a hundredth is lost on both",
             _loss("10%", "A", "B"), frozenset({"retransmit"})),
    Scenario("loss-identical", "both lines lose the same packets: only the retransmit server has them",
             _HOLES, frozenset({"retransmit"})),
    Scenario("burst", "both lines lose more than the retransmit server keeps: only a snapshot helps",
             ((500, "A,B silent for 1200ms"),), frozenset({"snapshot"}), retain=300),
    Scenario("line-dead", "line A is silent for two seconds, and comes back",
             ((500, "A silent for 2s"),), frozenset({"alone"})),
    Scenario("bonded", "only the active switch sends, and another one takes over: B, A, and B again",
             ((0, "switch A"), (1_000, "switch B"), (2_000, "switch A"), (2_500, "switch B")), frozenset({"alone"})),
    Scenario("both-dead", "both lines are silent for two seconds",
             ((500, "A,B silent for 2s"),), frozenset({"retransmit"}), flow_ms=4_000),
    Scenario("reorder", "packets overtake each other and come twice",
             tuple((0, f"{line} reorder 3% 500us duplicate 3% jitter 200us") for line in "AB")),
    Scenario("gateway-dead", "packets are lost on both lines and the retransmit server is dead",
             ((0, "gateway dead"), *_HOLES[:3]), frozenset({"snapshot"})),
    Scenario("gateway-slow", "the retransmit server takes 200 ms", ((0, "gateway slow 200ms"), *_HOLES[:4])),
    Scenario("gateway-refusing", "the retransmit server refuses what it is asked",
             ((0, "gateway refusing"), *_HOLES[:3]), frozenset({"snapshot"})),
    Scenario("requests-lost", "packets are lost on both lines, and half of the requests for them, too",
             ((0, "requests loss 50%"), *_HOLES), frozenset({"retransmit"})),
    Scenario("logins-lost", "the retransmit server is dead, and half of the logins to the snapshot server get lost",
             ((0, "gateway dead"), (0, "logins loss 50%"), *_HOLES[:3], (7_900, "logins ok")),
             frozenset({"snapshot"}), flow_ms=8_000, protocols=("itch50",)),
    Scenario("late-join", "the handler starts in the middle of the session", late_ms=2_000),
    Scenario("reset", "the venue restarts and counts anew", ((1_000, "session restart"),), frozenset({"reset"}),
             flow_ms=17_000, rate=300),
    Scenario("corrupt", "packets are damaged on both lines",
             tuple((0, f"{line} corrupt 2%") for line in "AB")),
    Scenario("cable", "the cable of line A is pulled for a second, then that of line B",
             ((500, "cut A"), (1_500, "plug A"), (2_000, "cut B"), (3_000, "plug B")),
             frozenset({"alone"}), flow_ms=4_000),
    Scenario("membership", "the switch forgets that the handler wants line A",
             ((200, "deafen A"), (4_500, "hear A")), frozenset({"alone"}), flow_ms=6_500, rate=500),
    Scenario("paused", "the handler stands still until the kernel drops packets",
             ((500, "pause"), (2_000, "resume")), frozenset({"drops"}), flow_ms=4_000, handler=_SMALL),
    Scenario("overrun", "the sender is twice as fast as the handler for five seconds",
             ((500, "halve 5000"),), frozenset({"drops"}), flow_ms=7_000, rate=4_000, handler=_SMALL),
)}  # fmt: skip
"""The scenarios by name, in the order in which `all` plays them."""


def playable(protocol: str) -> list[str]:
    """Name the scenarios that a venue of a protocol can play, in order."""
    return [row.name for row in SCENARIOS.values() if protocol in row.protocols]
