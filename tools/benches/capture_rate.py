"""Capture into a file: the highest rate at which nothing is lost, over a veth pair between two network namespaces.

    netfeed             `netfeed capture` into pcap with nanoseconds
    peer:tcpdump        `tcpdump --nano`
    peer:dumpcap        `dumpcap -P`

The rate goes up by two fifths a step until packets are lost, or the sender cannot send faster: then that is the value,
and stderr says so. Each step is a new capture. Rings, files and processors as in `capture`.
"""

import sys
from pathlib import Path as File

from benches import Row
from benches._capture_wire import Program, Wire, programs, told

NAME = "capture_rate"
UNIT = "packets/s"

START, STEP = 200_000, 1.4
SECONDS, QUICK_S = 0.8, 0.05
"""Shorter than a second, in which the kernel stops what is SCHED_FIFO and never rests for 50 ms."""


def rows(file: File | None, quick: bool) -> list[Row]:
    wire = Wire.laid()
    if wire is None:
        return []
    seconds = QUICK_S if quick else SECONDS
    chosen = {name: program for name, program in programs(quick).items() if program.flat_out}
    return [(name, lambda one=program: highest(wire, one, seconds)) for name, program in chosen.items()]  # type: ignore[misc]


def highest(wire: Wire, program: Program, seconds: float) -> float:
    """Give the highest rate without loss; 0 when there is loss at the lowest."""
    asked, reached = float(START), 0.0
    while True:
        trial = wire.trial(program, int(asked * seconds), int(asked))
        if trial.lost:
            print(f"{program.name}: {told(trial, int(asked * seconds))}", file=sys.stderr)
            return reached
        reached = max(reached, trial.rate)
        if trial.rate < 0.9 * asked:
            print(f"{program.name}: the sender is the limit: {trial.rate:,.0f} packets/s, none lost", file=sys.stderr)
            return reached
        asked *= STEP
