"""From the kernel's stamp of a packet to the return of `send` of the quotes that it moves: nanoseconds, by stage.

    netfeed, :p99, :max            the hot step in one turn without the interpreter: receive, path, books, a move by
                                   delta and gamma within mandates, bytes, send
    netfeed:feed, :decision, :send its stages, each with :p99 and :max: to the published change of the book, to the
                                   bytes of the order, to the return of `send`
    netfeed:calls...               the same in calls: receive, path, books, the door's own move, the session
    netfeed:plain...               the plain path: worths, gates, quoter, differ, risk, door, session; stages as above
    pure...                        the plain twins of the turn and all that is in it
    floor:echo, :p99, :max         a bare loop in C: recvmmsg, then send of as many bytes; no work at all
    floor:echo:receive, :send      its stages

A Starbase packet on a multicast group of the loopback interface moves a perpetual; forty options on it are quoted. With
each packet 39 of the quotes change (`_quoted_chain`) and leave as mass quotes, 2 kB, over TCP to the session of a venue
in another process (`_order_sink`), which answers each; the next packet comes 0.3 ms after all that is done. Every row
spins, as SCHED_FIFO where that is allowed. Sender and sink share what processors are left, so on a shared machine a p99
tells about its neighbours. The figure is the median of rounds that are interleaved: compare rows of one run.
"""

import atexit
import ctypes
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as File
from time import monotonic, monotonic_ns, time_ns
from typing import Any

import numpy as np

from benches import Row
from benches._quoted_chain import CHANNEL, CONTRACTS, FORWARD, OPTIONS, packets
from benches._quoting_desk import CALLS, PLAIN, PURE, TURN, QuotingDesk
from benches.itch_book import library
from benches.udp_drain import SO_TIMESTAMPNS
from benches.wire_to_book import priority
from netfeed.feed import path as plain_path
from netfeed.transport import batch as plain_batch
from netfeed.transport import quoting
from netfeed.venues.starbase import StarbaseBooks as PlainBooks

NAME = "tick_to_order"
UNIT = "ns"

PACKETS, QUICK_PACKETS, WARM = 200, 40, 20
GAP_NS, SPIN_NS = 300_000, 100_000
PATIENCE_S = 120.0
GROUP_ADDRESS = "239.192.77.1"
STAGES = ("feed", "decision", "send")
Times = np.ndarray[Any, np.dtype[np.int64]]
"""A row a packet: the kernel's stamp, the ends of the stages."""


def rows(file: File | None, quick: bool) -> list[Row]:
    if file is not None:
        print("left out: --file, for the market moves in a way that every quote is known", file=sys.stderr)
    folder = File(tempfile.mkdtemp(prefix="netfeed-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    bare = library("tick_to_order.c", "gcc", folder)
    if bare is None:
        print("left out: everything, for there is no sender", file=sys.stderr)
        return []
    sink, number = Sink(), QUICK_PACKETS if quick else PACKETS
    hot = Run(bare, sink, number, TURN)
    found = told("netfeed", hot, STAGES)
    for name, way in (("netfeed:calls", CALLS), ("netfeed:plain", PLAIN), ("pure", PURE)):
        found += told(name, Run(bare, sink, number, way), STAGES)
    return found + told("floor:echo", Echo(bare, sink, number, hot), ("receive", "send"))


def told(name: str, run: "Run", stages: tuple[str, ...]) -> list[Row]:
    """Give the rows of one run: the first does it, the others tell more of it."""
    found: list[Row] = [(name, run.median)]
    for at, stage in enumerate(("", *stages)):
        title = f"{name}:{stage}" if stage else name
        for which, percent in (("", 50.0), (":p99", 99.0), (":max", 100.0)):
            if stage or which:
                found.append((title + which, lambda at=at, percent=percent: run.told(at, percent)))  # type: ignore[misc]
    return found


class Sink:
    """The process at the other end."""

    def __init__(self) -> None:
        paths = [
            str(File(__file__).parents[1]),
            str(File(__file__).parents[2] / "src"),
            os.environ.get("PYTHONPATH", ""),
        ]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
        self._process = subprocess.Popen(
            [sys.executable, str(File(__file__).with_name("_order_sink.py"))], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        atexit.register(self._end)
        self._port = int(self._line())

    @contextmanager
    def connected(self) -> Iterator[socket.socket]:
        """Connect."""
        with socket.create_connection(("127.0.0.1", self._port)) as one:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield one

    def account(self) -> tuple[int, int]:
        """Give how many bytes and quotes the last connection brought."""
        size, quotes = self._line().split()
        return int(size), int(quotes)

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ValueError("the sink has ended")
        return line

    def _end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Run:
    """One way to answer packets with quotes, run from the start each time."""

    def __init__(self, bare: ctypes.CDLL, sink: Sink, number: int, way: str) -> None:
        self._send = bare.send_asked
        self._send.restype = ctypes.c_uint64
        self._send.argtypes = [
            ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64,
        ]  # fmt: skip
        self._sink, self._number, self._way = sink, number, way
        self._packets = list(packets(number + WARM))
        self._times: Times = np.zeros((0, 4), np.int64)
        self.bytes = 0
        """Of an order, on average."""

    def median(self) -> float:
        self._times = self._run()[WARM:]
        return self.told(0, 50.0)

    def told(self, stage: int, percent: float) -> float:
        """Give a percentile of one stage, 0 for all of them."""
        spans = (
            self._times[:, -1] - self._times[:, 0] if not stage else self._times[:, stage] - self._times[:, stage - 1]
        )
        return float(np.percentile(spans, percent))

    @contextmanager
    def _sockets(self) -> Iterator[tuple[socket.socket, socket.socket]]:
        """Give a socket that is a member of the group, and one that sends to it."""
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inner,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outer,
        ):
            inner.bind((GROUP_ADDRESS, 0))
            here = socket.inet_aton("127.0.0.1")
            inner.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP_ADDRESS) + here)
            inner.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            outer.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here)
            outer.connect(inner.getsockname())
            yield inner, outer

    @contextmanager
    def _sent(self, outer: socket.socket, moves: list[bytes]) -> Iterator[int]:
        """Have packets sent, each when it is asked for by the eventfd that is given."""
        sizes, data = np.array([len(move) for move in moves], np.uint32), b"".join(moves)
        ask = os.eventfd(0)

        def work() -> None:
            self._send(outer.fileno(), ask, data, sizes.ctypes.data, len(moves), GAP_NS)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            with first_in_line():
                yield ask
        finally:
            os.eventfd_write(ask, 2)  # an end, where it still waits
            thread.join()
            os.close(ask)

    def _run(self) -> Times:
        with self._sockets() as (inner, outer), self._sink.connected() as sink:
            followed = Followed(inner, outer, sink, self._way)
            first = len(self._packets) - self._number - WARM
            followed.begin(self._packets[:first])
            with self._sent(outer, self._packets[first:]) as ask:
                times = followed.follow(self._number + WARM, ask)
        size, quotes = self._sink.account()
        if followed.left or quotes < len(OPTIONS) + len(times):
            raise ValueError(f"{followed.left} quotes were left, {quotes} sent")
        self.bytes = size // (len(times) + 1)
        return times


def core() -> tuple[Any, Any, Any, Any]:
    """Give a batch, a path, books, and the turn over such."""
    import netfeed.book  # noqa: F401  (hands the core its words)
    from netfeed._core.path import Path
    from netfeed._core.starbase import StarbaseBooks
    from netfeed.transport.mmsg import Batch
    from netfeed.transport.turn import QuoteTurn

    return Batch(32), Path(), StarbaseBooks(), QuoteTurn


def twins() -> tuple[Any, Any, Any, Any]:
    """Give the same in plain Python."""
    return plain_batch.Batch(32), plain_path.Path(), PlainBooks(), quoting.QuoteTurn


class Followed:
    """A feed, its books, and a desk behind them."""

    def __init__(self, inner: socket.socket, outer: socket.socket, sink: socket.socket, way: str) -> None:
        self._inner, self._outer, self._way = inner, outer, way
        self._batch, self._path, self._books, turn = twins() if way == PURE else core()
        numbers = {one.index: self._books.define(1_000 + one.index) for one in CONTRACTS}
        lane = self._path.add_channel(self._books)
        address, port = inner.getsockname()
        self._path.add_flow(bytes(10) + b"\xff\xff" + socket.inet_aton(address), port, lane)
        self._path.arm(lane, CHANNEL.to_bytes(4, "little"), 1)
        self._desk = QuotingDesk(self._books.books, numbers, sink, way)
        self._turn = self._desk.shots(turn, self._batch, self._path, self._books, numbers)

    @property
    def left(self) -> int:
        """Say how many quotes the hot step did not move."""
        return self._desk.left

    def begin(self, opening: list[bytes]) -> None:
        """Have books and resting quotes."""
        for packet in opening:
            self._outer.send(packet)
            while not self._take():
                pass
        self._desk.full(FORWARD)
        self._desk.answered()

    def follow(self, number: int, ask: int) -> Times:
        """Ask for so many packets, one after the other, and answer each."""
        times, desk, end = np.zeros((number, 4), np.int64), self._desk, monotonic() + PATIENCE_S
        shoots = self._way in (TURN, PURE)
        for at in range(number):
            if shoots:
                desk.aim()
            os.eventfd_write(ask, 1)
            while not (self._shoot() if shoots else self._take()):
                if monotonic() > end:
                    raise ValueError(f"{at} packets of {number} came")
            published = self._turn.published_ns if shoots else time_ns()
            if not (desk.fired() if shoots else desk.react()):
                raise ValueError(f"nothing was quoted after packet {at}")
            times[at] = self._batch.packets["ts_ns"][0], published, desk.decided_ns, desk.sent_ns
            desk.answered()
        return times

    def _shoot(self) -> int:
        count = self._turn.receive(self._inner.fileno(), monotonic_ns() + SPIN_NS)
        return self._checked(count, self._turn.taken, len(self._turn.changes)) if count else 0

    def _take(self) -> int:
        """Receive what waits, and let the books have it."""
        count = self._batch.receive(self._inner.fileno())
        if not count:
            return 0
        at, _ = self._path.take(self._batch.data, self._batch.packets[:count], 0)
        return self._checked(count, at, len(self._books.books.take()))

    def _checked(self, count: int, taken: int, changes: int) -> int:
        if (count, taken) != (1, 1) or not changes:
            raise ValueError(f"{count} packets waited, {taken} were taken, {changes} changes came of it")
        return count


class Echo(Run):
    """A bare loop that answers the same packets with as many bytes."""

    def __init__(self, bare: ctypes.CDLL, sink: Sink, number: int, like: Run) -> None:
        super().__init__(bare, sink, number, "echo")
        self._like, self._echo = like, bare.echo
        self._echo.restype = ctypes.c_uint64
        self._echo.argtypes = [
            ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint64, ctypes.c_void_p,
            ctypes.c_uint64, ctypes.c_int64,
        ]  # fmt: skip

    def _run(self) -> Times:
        number, size = self._number + WARM, self._like.bytes
        times = np.zeros((number, 3), np.int64)
        with (
            self._sockets() as (inner, outer),
            self._sink.connected() as sink,
            self._sent(outer, self._packets[-number:]) as ask,
        ):
            done = self._echo(
                inner.fileno(), sink.fileno(), ask, bytes(size), size, times.ctypes.data, number, int(PATIENCE_S * 1e9)
            )
        if (done, self._sink.account()) != (number, (number * size, 0)):
            raise ValueError(f"{done} packets of {number} were answered")
        return times


@contextmanager
def first_in_line() -> Iterator[None]:
    """Have a real-time priority, where that may be."""
    before, wanted = (os.sched_getscheduler(0), os.sched_getparam(0)), priority()
    if wanted is not None:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(wanted))
    try:
        yield
    finally:
        if wanted is not None:
            os.sched_setscheduler(0, *before)
