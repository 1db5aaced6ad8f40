"""Where the calling thread runs while something is measured: its processor, its priority, how exactly it sleeps.

    with placed(cpu=3, priority=1) as notes: ...        afterwards all is as it was

A processor that cannot be had is an error, for then something else would be measured; a priority that cannot be had is
a note, and the thread goes without. The slack of timers (50 us by default) is set to 1 ns: it is the thread's own.

Source: sched_setaffinity(2), sched(7), prctl(2) PR_SET_TIMERSLACK.
"""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from typing import Final

from netfeed.errors import ConfigurationError
from netfeed.host.processor import affinity_refusal, fifo, priority_refusal, throttling

_PR_SET_TIMERSLACK, _PR_GET_TIMERSLACK = 29, 30
_SLACK_NS: Final = 1


@contextlib.contextmanager
def placed(cpu: int | None = None, priority: int | None = None, *, spins: bool = False) -> Iterator[list[str]]:
    """Put the calling thread there for a while; gives what was not granted, each with its remedy.

    Raises: ConfigurationError when the processor cannot be had.
    """
    refusal = affinity_refusal(cpu) if cpu is not None else None
    if refusal is not None:
        raise ConfigurationError(refusal)
    notes = [note for note in (priority_refusal(priority),) if note] if priority is not None else []
    before = os.sched_getaffinity(0), os.sched_getscheduler(0), os.sched_getparam(0), _slack(_PR_GET_TIMERSLACK, 0)
    try:
        _slack(_PR_SET_TIMERSLACK, _SLACK_NS)
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})
        if priority is not None and not notes:
            fifo(priority)
            notes += [note for note in (throttling(),) if note and spins]
        yield notes
    finally:
        os.sched_setaffinity(0, before[0])
        if priority is not None:
            os.sched_setscheduler(0, before[1], before[2])
        _slack(_PR_SET_TIMERSLACK, before[3])


def _slack(option: int, value: int) -> int:
    return int(ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0))
