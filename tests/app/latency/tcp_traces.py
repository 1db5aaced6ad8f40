"""TCP conversations as capture files, made frame by frame: what goes wrong is known, and tshark reads them too."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

from netfeed.sim.tcp_talk import Framed, Talk
from netfeed.wire import pcap
from netfeed.wire.headers import tcp_frame
from netfeed.wire.segment import ACK, PSH

BEGIN_NS = 1_700_000_000_000_000_000
MS, US = 1_000_000, 1_000
CLIENT, SERVER = ("10.0.0.5", 40001), ("10.0.0.9", 8001)


def write(path: Path, frames: Sequence[Framed], *, snaplen: int | None = None, nanoseconds: bool = True) -> Path:
    """Write frames in order of time, cut to `snaplen`."""
    records = [
        pcap.record(one.at, one.data[:snaplen], len(one.data), nanoseconds=nanoseconds)
        for one in sorted(frames, key=lambda one: one.at)
    ]  # fmt: skip
    path.write_bytes(pcap.file_header(nanoseconds=nanoseconds) + b"".join(records))
    return path


def troubled(seed: int, *, segments: int = 120) -> list[Framed]:
    """Give a conversation in which segments are lost before or behind the tap and sent again, and windows shut.

    Sizes, ways and faults are drawn; an ACK follows each segment that arrives in order, a duplicate ACK the others.
    """
    draw = Random(seed)
    talk = Talk(CLIENT, SERVER, first=(2**32 - 2_000, 2**32 - 300), scale=3)
    at = talk.open(BEGIN_NS, 2 * MS, 1 * MS)
    for _ in range(segments):
        at += draw.randrange(20 * MS, 60 * MS)
        data = bytes(draw.randrange(1, 400))
        talk.send(at, 0, data)
        fault = draw.random()
        if fault < 0.1:  # lost behind the tap: sent again after a while
            at += 250 * MS
            talk.repeat(at, 0, data)
        at += draw.randrange(500 * US, 3 * MS)
        if 0.1 <= fault < 0.15:
            talk.window[1] = 0
            talk.acknowledge(at, 1)
            talk.window[1] = 65_535
            at += draw.randrange(5 * MS, 15 * MS)
        talk.acknowledge(at, 1)
        if 0.15 <= fault < 0.2:  # the ACK was lost: sent again though it was acknowledged
            at += 250 * MS
            talk.repeat(at, 0, data)
            at += 1 * MS
            talk.acknowledge(at, 1)
    talk.finish(at + 10 * MS, 0)
    talk.finish(at + 12 * MS, 1)
    talk.acknowledge(at + 13 * MS, 0)
    return talk.frames


def holed() -> list[Framed]:
    """Give data that leaves a hole, duplicate ACKs, a fast retransmission 30 ms later, and one hole filled at once."""
    talk = Talk(CLIENT, SERVER, first=(1000, 2000), scale=3)
    at = talk.open(BEGIN_NS, 20 * MS, 1 * MS) + 10 * MS

    def data(when: int, offset: int, size: int = 100) -> None:
        frame = tcp_frame(
            bytes(size), CLIENT, SERVER, sequence=1001 + offset, acknowledgment=2001, flags=PSH | ACK, window=500
        )
        talk.frames.append(Framed(when, frame))

    def ack(when: int, upto: int) -> None:
        frame = tcp_frame(b"", SERVER, CLIENT, sequence=2001, acknowledgment=1001 + upto, flags=ACK, window=500)
        talk.frames.append(Framed(when, frame))

    data(at, 0)
    ack(at + 1 * MS, 100)
    for k in (2, 3, 4):  # 1 is missing
        data(at + k * MS, 100 * k)
        ack(at + k * MS + 500 * US, 100)
    data(at + 50 * MS, 100)
    ack(at + 51 * MS, 500)
    data(at + 60 * MS, 600)
    data(at + 60 * MS + 200 * US, 500)
    ack(at + 62 * MS, 700)
    return talk.frames
