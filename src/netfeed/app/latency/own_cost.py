"""What the probing program itself costs, measured where it runs: it is in every round trip, and no network's fault."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

from netfeed.proto.bucket import TokenBucket
from netfeed.proto.probe import Pinger, Ponger
from netfeed.proto.probe_words import Plan

ROUNDS: Final = 500


@dataclass(frozen=True, slots=True)
class OwnCost:
    """Medians. Units: ns. `ask_ns`, from the stamp until the question can be sent, lies within each round trip, and so
    does `answer_ns` of an answerer that is as fast as this host. `take_ns` comes after it.
    """

    clock_ns: int
    ask_ns: int
    answer_ns: int
    take_ns: int


def own_cost(plan: Plan) -> OwnCost:
    """Ask and answer without a socket, and take the time."""
    clock = time.perf_counter_ns
    alone = replace(
        plan, interval_ns=1, window=1, background_ns=None, count=None, duration_ns=None, warmup_ns=0, answers=1
    )
    pinger, ponger = Pinger(alone), Ponger(1, bucket=TokenBucket(rate=1e9, burst=2 * ROUNDS))
    pinger.start(0)
    times = [_round(pinger, ponger, now, clock) for now in range(ROUNDS)]
    reading = int(median(one[0] - other[3] for one, other in zip(times[1:], times, strict=False)))
    steps = [[one[at + 1] - one[at] for one in times] for at in range(3)]
    ask, answer_ns, take = (max(0, int(median(step)) - reading) for step in steps)
    return OwnCost(reading, ask, answer_ns, take)


def _round(pinger: Pinger, ponger: Ponger, now: int, clock: Callable[[], int]) -> tuple[int, int, int, int]:
    begun = clock()
    pinger.wake(now)
    (question,) = pinger.transmit()
    asked = clock()
    ponger.receive(question, now)
    (answer,) = ponger.transmit()
    answered = clock()
    pinger.receive(answer, now)
    return begun, asked, answered, clock()
