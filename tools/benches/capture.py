"""Capture into a file: what a packet costs, over a veth pair between two network namespaces.

    netfeed             `netfeed capture` into pcap with nanoseconds, 200,000 packets a second
    netfeed:flat_out    the same while the sender sends as fast as it can
    netfeed:pcapng      into pcapng, 200,000 a second
    pure                the plain twin of the ring's reader, on few packets
    peer:tcpdump        `tcpdump --nano`, and `:flat_out`
    peer:dumpcap        `dumpcap -P`, and `:flat_out`

All have the same filter, a ring of 32 MiB, the last processor for themselves, and a file in memory; the sender is on
the first one, and all are SCHED_FIFO where that is allowed. What is counted is the processor time of all threads, from
before the first packet until nothing is left to do: starting and ending are not in it, and neither is what the kernel
does for each packet before it is in the ring, which on a veth is the sender's time. Packets of 100 bytes, 142 on the
wire, sent in bursts that the kernel cuts.

Whoever loses packets has an easier time: what was lost is told on stderr. `capture_rate` is about that.
Needs CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW and two processors.
"""

import sys
from pathlib import Path as File

from benches import Row
from benches._capture_wire import Program, Wire, programs, told

NAME = "capture"
UNIT = "CPU ns/packet"

RATE, SLOW = 200_000, 5_000
PACKETS, QUICK, FEW = 400_000, 20_000, 5_000


def rows(file: File | None, quick: bool) -> list[Row]:
    wire = Wire.laid()
    if wire is None:
        return []
    count = QUICK if quick else PACKETS
    found: list[Row] = []
    for name, program in programs(quick).items():
        found.append((name, lambda one=program: spent(wire, one, count, RATE)))  # type: ignore[misc]
        if program.flat_out:
            found.append((f"{name}:flat_out", lambda one=program: spent(wire, one, count, None)))  # type: ignore[misc]
    found.append(("pure", lambda: spent(wire, Program.netfeed(pure=True), FEW, SLOW)))
    return found


def spent(wire: Wire, program: Program, count: int, rate: int | None) -> float:
    """Capture so many packets; give the processor time of each."""
    trial = wire.trial(program, count, rate)
    if trial.lost:
        print(f"{program.name}: {told(trial, count)}", file=sys.stderr)
    if trial.lost == count:
        raise ValueError(f"{program.name} captured nothing")
    return trial.cpu_ns / (count - trial.lost)
