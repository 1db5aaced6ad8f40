"""The hot path, live: many sockets -> batches -> the path of the expected packet -> books -> changes in the ring.

This twin defines `netfeed.transport.thread`, where a thread does it that never needs the interpreter's lock. Whatever
is not expected is copied with its stamp to a bounded queue for plain Python.

Who may touch a channel and its books
    PLAIN      plain Python. Every packet goes to the queue.
    OFFERED    nobody: plain Python has offered the channel, the receiver looks at it before its next packet
    ARMED      the receiver. What it cannot take goes to the queue, and it keeps the channel: often the other line
               brings a moment later what is missing, and nobody had to wait.
    RECALLED   nobody: plain Python wants it back, the receiver gives it up between two packets

    offer      is refused, the channel stays PLAIN, while a packet of it lies in the queue that was not taken
    recall     returns when the channel is PLAIN: all that the receiver took is in the books, its changes are in the
               ring, and all that it did not take lies in the queue

So each packet goes one way, once, and plain Python sees those that it gets in the order of arrival. The law for plain
Python is: take; recall the channel of what was taken; handle it all; take again; when nothing is left and the channel
is in order, publish the changes and offer it anew. To read books: recall, read, offer.

Besides what `Path.take` takes the receiver takes heartbeats that agree with what it has, and repetitions. A packet
from a source that the socket does not allow is counted and goes nowhere.

Overload: a queue that is full drops the newest packet and counts it; to plain Python it is as one that the network
lost. The ring and the journal never make the receiver wait.
"""

import os
import select
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from threading import RLock, Thread
from time import monotonic_ns, sleep, time_ns
from typing import Any, Final

from netfeed.errors import MisuseError
from netfeed.latency.histogram import Histogram
from netfeed.transport.batch import Batch
from netfeed.transport.journal import block
from netfeed.transport.receiver_account import Diverted, Owner, ReceiverStatistics, SocketStatistics, checked
from netfeed.transport.started import Started
from netfeed.wire.capture import NO_TIME, Kind

MAX_SOCKETS: Final = 256
CHANGE_BYTES: Final = 64
MAX_CHANNELS: Final = 1024
"""The bound of `feed.path`."""
NO_CHANNEL: Final = -1
ROUNDS: Final = 8
"""Batches that one socket may have before the others get their turn."""
_ENTRY: Final = 96
"""What a packet takes in a queue beside its bytes, rounded up to 8."""
_END, _FULL = 1, 6
_TURN_NS: Final = 10_000_000


@dataclass(slots=True)
class _Socket:
    fd: int
    channel: int
    line: int
    sources: frozenset[bytes]
    held: Any
    live: bool = True
    last_drops: int = 0
    packets: int = 0
    bytes: int = 0
    taken: int = 0
    diverted: int = 0
    overflow: int = 0
    foreign: int = 0
    truncated: int = 0
    drops: int = 0
    errors: int = 0
    error: str | None = None
    last_ts_ns: int | None = None


@dataclass(slots=True)
class _Hold:
    state: Owner = Owner.PLAIN
    diverted: int = 0
    consumed: int = 0


class Receiver:
    """Receives for all sockets of one path. `ring` is the writer that changes go to, None to throw them away.

    `queue` and `journal` are the bounds of what waits for plain Python, `journal` 0 keeps none; `cpu` pins the thread,
    `priority` makes it SCHED_FIFO; `trace` is a `Tracer`. Without `spin` it sleeps in epoll. Either `start` a thread,
    or call `turn`.

    Units: `queue` and `journal` in bytes.
    Raises: ValueError for bounds that are none.
    """

    def __init__(
        self, path: Any, ring: Any = None, *, packets: int = 32, size: int = 2048, queue: int = 1 << 24,
        journal: int = 0, spin: bool = False, cpu: int | None = None, priority: int | None = None,
        hardware: bool = False, trace: Any = None,
    ) -> None:  # fmt: skip
        if ring is not None and ring.record != CHANGE_BYTES:
            raise ValueError(f"a change has {CHANGE_BYTES} bytes, and the ring's records {ring.record}")
        if not 1 << 12 <= queue <= 1 << 32 or not 0 <= journal <= 1 << 34:
            raise ValueError("a queue has 4 KiB to 4 GiB, a journal at most 16 GiB")
        self.path, self.spin, self.latency = path, spin, Histogram()
        self._ring, self._cpu, self._priority, self._trace = ring, cpu, priority, trace
        self._batch = Batch(packets, size, hardware=hardware)
        self._sockets: list[_Socket] = []
        self._holds: dict[int, _Hold] = {}
        self._books: dict[int, Any] = {}
        self._queue: deque[tuple[int, Diverted]] = deque()
        self._queue_room, self._queued, self._queue_most = queue, 0, 0
        self._journal: deque[bytes] = deque()
        self._journal_room, self._journaled, self._journal_overflow = journal, 0, 0
        self._turns = self._longest = self._published = 0
        self._stop, self._error = False, None
        self._thread: Thread | None = None
        self._lock = RLock()
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.epoll()

    # --- what it knows

    def add(
        self, sock: Any, *, channel: int = NO_CHANNEL, line: int = 0, books: Any = None, sources: Iterable[bytes] = ()
    ) -> int:
        """Receive from a socket, non-blocking or not, and give its number; numbers are not used again.

        Its packets are those of a line of a channel that the path has, whose stream is `books`; or, without a channel,
        all for plain Python. `sources` are the only ones that are listened to; none allows all.
        Raises: ValueError when the channel, line or sources are none, or another channel feeds the same books.
        """
        fd = sock if isinstance(sock, int) else sock.fileno()
        with self._lock:
            if len(self._sockets) == MAX_SOCKETS:
                raise ValueError(f"more than {MAX_SOCKETS} sockets")
            allowed = checked(sources)
            if channel != NO_CHANNEL:
                self.path.position(channel)  # raises when there is no such channel
                if not 0 <= line < 16 or books is None:
                    raise ValueError("a channel's socket has a line below 16, and books")
                if any(other is books for number, other in self._books.items() if number != channel):
                    raise ValueError("another channel feeds the same books: they can have one owner only")
                self._books[channel] = books
                self._holds.setdefault(channel, _Hold())
            self._poll.register(fd, select.EPOLLIN)
            self._sockets.append(_Socket(fd, channel, line, allowed, sock))
            return len(self._sockets) - 1

    def allow(self, number: int, sources: Iterable[bytes]) -> None:
        """Listen to other sources on a socket; what was received before this returns may be of those before.

        Raises: ValueError for no sources, or a socket that there is not.
        """
        with self._lock:
            self._socket(number).sources = checked(sources)

    def remove(self, number: int) -> None:
        """Receive no more from a socket; when this returns it can be closed."""
        with self._lock:
            one = self._socket(number)
            if one.live:
                one.live, one.held = False, None
                self._poll.unregister(one.fd)

    def fileno(self) -> int:
        """Give what becomes readable when packets wait to be taken."""
        return self._event

    # --- the thread

    def start(self) -> None:
        """Start the thread. Raises: MisuseError when it runs."""
        if self._thread is not None:
            raise MisuseError("the receiver runs")
        self._stop, started = False, Started()
        self._thread = Thread(target=self._run, args=(started,), name="netfeed-receiver", daemon=True)
        self._thread.start()
        try:
            started.wait()
        except BaseException:
            self._thread.join()
            self._thread = None
            raise

    def stop(self) -> None:
        """End the thread; every channel is plain Python's then."""
        if self._thread is not None:
            self._stop = True
            self._thread.join()
            self._thread = None
        for channel in list(self._holds):
            self.recall(channel)

    @property
    def running(self) -> bool:
        """Say whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def close(self) -> None:
        """End the thread and let go of what the kernel gave; the sockets stay the caller's."""
        self.stop()
        self._poll.close()
        if self._event >= 0:
            os.close(self._event)
            self._event = -1

    def turn(self, timeout_ns: int = 0) -> None:
        """Receive what waits, after waiting for it so long at most: the work of the thread, done by the caller.

        Raises: MisuseError when the thread runs.
        """
        if self._thread is not None:
            raise MisuseError("the receiver's thread does this")
        self._once(timeout_ns)

    # --- who owns a channel

    def owner(self, channel: int) -> int:
        """Say who may touch a channel: an `Owner`."""
        return self._hold(channel).state

    def offer(self, channel: int, session: bytes, next_sequence: int) -> bool:
        """Offer a channel to the receiver, which takes it before the next packet; False while packets of it wait.

        Raises: MisuseError when it is not plain Python's.
        """
        with self._lock:
            hold = self._hold(channel)
            if hold.state is not Owner.PLAIN:
                raise MisuseError(f"channel {channel} is not plain Python's to offer")
            if hold.diverted != hold.consumed:
                return False
            self.path.arm(channel, session, next_sequence)
            hold.state = Owner.ARMED
            return True

    def recall(self, channel: int) -> None:
        """Take a channel back, wherever it is; when this returns it is plain Python's."""
        with self._lock:
            self._hold(channel).state = Owner.PLAIN
            self.path.disarm(channel)

    def progress(self, channel: int) -> tuple[int, int, int]:
        """Tell (next sequence, stamp of the last packet, how many books there are) without touching the channel."""
        with self._lock:
            self._hold(channel)
            following, last_ts, _ = self.path.position(channel)
            return following, last_ts, len(self._books[channel].books)

    # --- what comes out

    def take(self, limit: int = 1024) -> list[Diverted]:
        """Take packets for plain Python, in the order of their arrival."""
        found = list[Diverted]()
        with self._lock:
            self._drain_event()
            while self._queue and len(found) < limit:
                channel, packet = self._queue.popleft()
                self._queued -= _ENTRY + len(packet.payload)
                if channel != NO_CHANNEL:
                    self._holds[channel].consumed += 1
                found.append(packet)
            if self._queue:
                os.eventfd_write(self._event, 1)
        return found

    def publish(self, rows: Any) -> None:
        """Put changes that plain Python made into the ring, before any that the receiver makes afterwards."""
        with self._lock:
            self._published += len(rows)
            if self._ring is not None:
                self._ring.write(rows)

    def journal(self, limit: int = 1 << 20) -> bytes:
        """Take packets for a file, all that were received, as enhanced packet blocks of pcapng, link type RAW.

        The interface of a block is the number of the socket. Headers of IP and UDP are made up: the socket has none.
        Units: `limit` in bytes, 128 KiB at least.
        """
        found, size = list[bytes](), 0
        with self._lock:
            while self._journal and size + len(self._journal[0]) <= max(limit, 1 << 17):
                found.append(self._journal.popleft())
                size += len(found[-1])
            self._journaled -= size
        return b"".join(found)

    def latencies(self) -> Any:
        """Give a copy of the histogram from the kernel's stamp to the changed book, as it is now."""
        copy = Histogram()
        copy.merge(self.latency)
        return copy

    def statistics(self) -> ReceiverStatistics:
        """Give the account as it is now."""
        with self._lock:
            sockets = tuple(
                SocketStatistics(
                    k, one.packets, one.bytes, one.taken, one.diverted, one.overflow, one.foreign, one.truncated,
                    one.drops, one.errors, one.error, one.last_ts_ns,
                )
                for k, one in enumerate(self._sockets)
            )  # fmt: skip
            return ReceiverStatistics(
                self.running, self._turns, self._longest, self._published, self._queued, self._queue_most,
                self._journaled, self._journal_overflow, self._error, sockets,
            )  # fmt: skip

    # --- inside

    def _run(self, started: Started) -> None:
        started.run(self._cpu, self._priority)
        while not started.failed and not self._stop:
            self._once(_TURN_NS)
            sleep(0)

    def _once(self, timeout_ns: int) -> None:
        ready = self._poll.poll(0 if self.spin else timeout_ns / 1e9)
        with self._lock:
            start, before = monotonic_ns(), sum(one.packets for one in self._sockets)
            fds = {fd for fd, _ in ready}
            for number, one in enumerate(self._sockets):
                if one.live and one.fd in fds:
                    self._drain(number, one)
            if sum(one.packets for one in self._sockets) > before:
                self._turns += 1
                self._longest = max(self._longest, monotonic_ns() - start)

    def _drain(self, number: int, one: _Socket) -> None:
        for _ in range(ROUNDS):
            try:
                count = self._batch.receive(one.fd)
            except OSError as error:
                one.errors += 1
                one.error = os.strerror(error.errno or 0)
                return
            if count and self._trace is not None:
                self._trace.received(count)
            taken = [self._one(number, one, k) for k in range(count)]
            if any(taken):
                self._tell(one.channel)
            now = time_ns()
            for row, was in zip(self._batch.packets, taken, strict=False):
                if was:
                    self.latency.record(now - int(row["ts_ns"]))
            if count and self._batch.drops:
                one.drops += (self._batch.drops - one.last_drops) % 2**32
                one.last_drops = self._batch.drops
            if count < self._batch.capacity:
                return

    def _one(self, number: int, one: _Socket, at: int) -> bool:
        """Deal with a packet of the batch; say whether the path took it."""
        row, kernel_ns = self._batch.packets[at], int(self._batch.kernel_ns[at])
        start, length, ts_ns = int(row["payload_offset"]), int(row["payload_length"]), int(row["ts_ns"])
        payload = self._batch.data[start : start + length]
        one.packets += 1
        one.bytes += length
        one.last_ts_ns = ts_ns
        whole = row["kind"] == Kind.UDP
        one.truncated += not whole
        self._record(number, row, payload)
        if one.sources and row["source"].tobytes() not in one.sources:
            one.foreign += 1
            return False
        if whole and self._accepts(one, payload, ts_ns, kernel_ns):
            one.taken += 1
            return True
        source, port = row["source"].tobytes(), int(row["source_port"])
        if not one.sources and not self._journal_room and self._is_armed(one):
            source, port = bytes(16), 0
        user_ns = NO_TIME if self._trace is None else self._trace.user_ns
        self._divert(one, Diverted(number, ts_ns, bytes(payload), source, port, bool(whole), user_ns, kernel_ns))
        return False

    def _is_armed(self, one: _Socket) -> bool:
        return one.channel != NO_CHANNEL and self._holds[one.channel].state is Owner.ARMED

    def _accepts(self, one: _Socket, payload: memoryview, ts_ns: int, kernel_ns: int) -> bool:
        if not self._is_armed(one):
            return False
        before = self.path.position(one.channel)[0]
        taken = bool(self.path.accept(one.channel, one.line, payload, ts_ns) == _END)
        messages = self.path.position(one.channel)[0] - before
        if messages and self._trace is not None:  # a copy changes no book
            number = self.path.number(one.channel)
            self._trace.decoded(number, one.line, ts_ns, kernel_ns, before, messages)
        return taken

    def _divert(self, one: _Socket, packet: Diverted) -> None:
        size = _ENTRY + len(packet.payload)
        if self._queued + size > self._queue_room:
            one.overflow += 1
            return
        one.diverted += 1
        if one.channel != NO_CHANNEL:
            self._holds[one.channel].diverted += 1
        if not self._queue:
            os.eventfd_write(self._event, 1)
        self._queue.append((one.channel, packet))
        self._queued += size
        self._queue_most = max(self._queue_most, self._queued)

    def _record(self, number: int, row: Any, payload: memoryview) -> None:
        if self._journal_room:
            made = block(number, row, payload)
            if self._journaled + len(made) > self._journal_room:
                self._journal_overflow += 1
                return
            self._journal.append(made)
            self._journaled += len(made)

    def _tell(self, channel: int) -> None:
        changes = self._books[channel].books.take()
        self._published += len(changes)
        if self._ring is not None and len(changes):
            self._ring.write(changes)
        if self._trace is not None:
            self._trace.told()

    def _drain_event(self) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self._event)

    def _socket(self, number: int) -> _Socket:
        if not 0 <= number < len(self._sockets):
            raise ValueError(f"there is no socket {number}")
        return self._sockets[number]

    def _hold(self, channel: int) -> _Hold:
        if channel not in self._holds:
            raise ValueError(f"the receiver has no channel {channel}")
        return self._holds[channel]
