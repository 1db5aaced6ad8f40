"""Two namespaces with a wire between: one sends, in the other somebody captures. For `capture` and `capture_rate`."""

import atexit
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path as File
from time import monotonic, sleep
from typing import Self

from benches.itch_book import library
from benches.live_rate import BURST, place, processors
from benches.wire_to_book import priority
from netfeed.host.namespace import Namespace, permitted

GROUP, PORT = "233.252.0.86", 26486
SIZE = 100
RECORD = 16 + 14 + 20 + 8 + SIZE
PCAPNG_AROUND = 190
"""What a pcapng file has before and behind its records, about: less than half a record more or less."""
FILTER = f"udp dst port {PORT}"
READY = re.compile(r"capturing on|listening on|Capturing on|File:", re.IGNORECASE)
START_S, QUIET_S, PEERS_QUIET_S = 30.0, 0.3, 1.2
"""libpcap's rings keep what is in them back for up to a second."""
QUIET_NS = 10_000_000
"""Who works less than this while it is quiet is done."""


@dataclass(frozen=True)
class Program:
    """Somebody who captures: `argv` gives a command that writes to a file."""

    name: str
    argv: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    flat_out: bool = True
    ending: str = "pcap"
    quiet_s: float = PEERS_QUIET_S

    @classmethod
    def netfeed(cls, *, pure: bool = False, ending: str = "pcap") -> Self:
        argv = (sys.executable, "-m", "netfeed", "capture", "-i", "nfb", "-B", "32MiB", "-w", "FILE", FILTER)
        name = "pure" if pure else "netfeed" if ending == "pcap" else f"netfeed:{ending}"
        return cls(name, argv, {"NETFEED_PURE": "1"} if pure else {}, ending == "pcap", ending, QUIET_S)


def programs(quick: bool) -> dict[str, Program]:
    """Give those that are on this machine, by the names of their rows; `quick`: ours alone."""
    found = [Program.netfeed(), Program.netfeed(ending="pcapng")]
    peers = {
        "tcpdump": ("-i", "nfb", "-B", "32768", "--nano", "-Z", "root", "-w", "FILE", FILTER),
        "dumpcap": ("-i", "nfb", "-B", "32", "-P", "-w", "FILE", "-f", FILTER),
    }
    for name, argv in () if quick else peers.items():
        if shutil.which(name) is None:
            print(f"left out: {name} is not installed", file=sys.stderr)
            continue
        found.append(Program(f"peer:{name}-{version(name)}", (name, *argv)))
    return {one.name: one for one in found}


def version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    return match[0] if match else "unknown"


@dataclass(frozen=True)
class Trial:
    """What came of one capture. Units: packets a second that were sent; ns of processor time, and of waiting for it."""

    rate: float
    lost: int
    cpu_ns: int
    waited_ns: int


def told(trial: Trial, count: int) -> str:
    """Tell of a loss; whoever waited long for a processor that others had has lost for that."""
    return (
        f"{trial.lost:,} of {count:,} lost at {trial.rate:,.0f} packets/s; "
        f"waited {trial.waited_ns / 1e6:,.0f} ms for the processor"
    )


class Wire:
    """The wire, and the sender at one end of it."""

    def __init__(self, sender: ctypes.CDLL, folder: File) -> None:
        self._folder, self._c = folder, sender
        u32, u64 = ctypes.c_uint32, ctypes.c_uint64
        self._c.blast.restype = ctypes.c_int64
        self._c.blast.argtypes = [
            ctypes.c_int, ctypes.c_char_p, u32, u64, u64, u64, u64, u32, ctypes.c_double, ctypes.c_int, ctypes.c_void_p,
        ]  # fmt: skip
        self._data = bytes(SIZE)
        self._fifo = priority()
        self._stack = ExitStack()
        atexit.register(self._stack.close)
        here, self._there = (self._stack.enter_context(Namespace(name)) for name in ("venue", "host"))
        here.connect("nfa", self._there, "nfb")
        here.address("nfa", "10.86.0.1/24")
        here.route("233.252.0.0/24", "nfa")
        with here.entered():
            self._out = self._stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            self._out.connect((GROUP, PORT))

    @classmethod
    def laid(cls) -> Self | None:
        """Lay a wire; None, told on stderr, where that cannot be."""
        memory = File("/dev/shm")
        folder = File(tempfile.mkdtemp(prefix="netfeed-bench-", dir=memory if memory.is_dir() else None))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        sender = library("live_rate.c", "gcc", folder)
        if sender is None or not permitted() or len(processors()) < 2:
            print("left out: everything, for it needs a compiler, CAP_SYS_ADMIN and two processors", file=sys.stderr)
            return None
        return cls(sender, folder)

    def trial(self, program: Program, count: int, rate: int | None) -> Trial:
        """Send to a program that captures; wait until it has done all its work."""
        count = max(count // BURST, 1) * BURST
        path = self._folder / f"capture.{program.ending}"
        with self._running(program, path) as process:
            before = processor_time(process.pid), processor_time(process.pid, 1)
            reached = self._send(count, rate)
            cpu_ns = settled(process.pid, program.quiet_s) - before[0]
            waited_ns = processor_time(process.pid, 1) - before[1]
        size = path.stat().st_size
        path.unlink()
        record, around = (RECORD, 24) if program.ending == "pcap" else ((RECORD - 16 + 32 + 3) // 4 * 4, PCAPNG_AROUND)
        return Trial(reached, count - round((size - around) / record), cpu_ns, waited_ns)

    @contextmanager
    def _running(self, program: Program, path: File) -> Iterator["subprocess.Popen[str]"]:
        argv = [str(path) if word == "FILE" else word for word in program.argv]
        with self._there.entered():
            process = subprocess.Popen(
                argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=os.environ | program.environment
            )
        os.sched_setaffinity(process.pid, {processors()[-1]})
        if self._fifo is not None:
            os.sched_setscheduler(process.pid, os.SCHED_FIFO, os.sched_param(self._fifo))
        said: list[str] = []
        try:
            assert process.stderr is not None
            for line in process.stderr:
                said.append(line)
                if READY.search(line):
                    break
            else:
                raise ValueError(f"{program.name} does not start: {' '.join(said)}")
            settled(process.pid, program.quiet_s)
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=START_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()

    def _send(self, count: int, rate: int | None) -> float:
        sent, took = ctypes.c_uint64(0), list[int]()

        def work() -> None:
            place(0, self._fifo)
            took.append(self._c.blast(self._out.fileno(), self._data, SIZE, 1, 0, 1, count, BURST,
                                      1e9 / rate if rate else 0.0, 1, ctypes.byref(sent)))  # fmt: skip

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if sent.value != count:
            raise ValueError(f"{sent.value} packets of {count} were sent")
        return count * 1e9 / took[0]


def processor_time(pid: int, which: int = 0) -> int:
    """Give the processor time of all threads of a process to the nanosecond, or (1) how long they waited for it."""
    total = 0
    for task in File(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):
            total += int((task / "schedstat").read_text().split()[which])
    return total


def settled(pid: int, quiet_s: float) -> int:
    """Wait until a process has nothing left to do; give its processor time."""
    end = monotonic() + START_S
    before = processor_time(pid)
    while monotonic() < end:
        sleep(quiet_s)
        now = processor_time(pid)
        if now - before < QUIET_NS:
            return now
        before = now
    return before
