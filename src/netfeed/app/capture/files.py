"""The files of a capture: which one is written, when the next one begins, and what each of them lacks.

    plain files     written where the frames are read: the page cache takes them as fast as memory does
    packed files    handed to a thread through a bounded queue; what the queue has no room for is dropped and counted
    ends of files   always in the thread: a file gets its name when it is safe on the disk, and nobody waits for that

A file is never longer than `size` (before packing), unless a single record is. Each file says what was dropped while
it was written; a file without any frame is left out when the next one begins by time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from netfeed.app.capture.file import CaptureFile
from netfeed.app.capture.format import Format, foot_bytes, record_bytes, whole
from netfeed.app.capture.sidecar import DROPS
from netfeed.app.queue import Queue
from netfeed.app.rotation import Rotation
from netfeed.machine import NEVER
from netfeed.transport.sink import SinkError
from netfeed.wire.pcapng import Interface

QUEUE_BYTES: Final = 64 * 2**20
FLUSH_NS: Final = 1_000_000_000
"""How old what waits to be packed may become."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is written where. Units: bytes, ns."""

    path: str
    kind: Format
    interfaces: Sequence[Interface]
    size: int | None = None
    every_ns: int | None = None
    keep: int | None = None
    queue_bytes: int = QUEUE_BYTES


class Files:
    """All files of one capture. `drops` gives what the kernel dropped of each interface so far."""

    def __init__(self, plan: Plan, drops: Callable[[], list[int]], now_ns: int) -> None:
        """Begin the first file. Units: `now_ns` since 1970. Raises: SinkError."""
        self.until_ns = NEVER
        self.queue_drops = [0] * len(plan.interfaces)
        self.unwritten = 0
        self._plan = plan
        self._rotation = Rotation(plan.path, size=plan.size, every_ns=plan.every_ns, files=plan.keep, beside=DROPS)
        self._drops = drops
        self._told = [0] * len(plan.interfaces)
        self._error: SinkError | None = None
        self._flushed = 0
        self._count = 0
        self._file = self._begin(now_ns)
        self._queue = Queue("capture", plan.queue_bytes, "drop", lambda job, lost: job())

    @property
    def name(self) -> str:
        """Name the file that is written."""
        return self._file.name

    @property
    def complete(self) -> list[str]:
        """List the complete files that are kept."""
        return self._rotation.files

    @property
    def count(self) -> int:
        """Count the files that were begun and not left out."""
        return self._count

    @property
    def failed(self) -> SinkError | None:
        """Say why no more can be written; None while it can."""
        return self._error or self._file.failed

    def put(self, records: memoryview, frames: int, interface: int, last_ns: int) -> None:
        """Write whole records of one interface, over as many files as they need. Raises: SinkError."""
        while frames:
            length, count = self._fitting(records, frames)
            if count:
                self._give(records[:length], count, interface, last_ns)
            records, frames = records[length:], frames - count
            if frames:
                try:
                    self._turn(last_ns)
                except SinkError:
                    self.unwritten += frames
                    raise

    def turn_over(self, now_ns: int) -> None:
        """Begin the file of the next period, or of the later one in which `now_ns` lies. Raises: SinkError."""
        every_ns = self._plan.every_ns or 1
        begins_ns = self.until_ns + max(0, now_ns - self.until_ns) // every_ns * every_ns
        self._turn(begins_ns)
        self.until_ns = begins_ns + every_ns

    def flush(self, now: int) -> None:
        """Let nothing wait too long. Units: `now` monotonic ns."""
        if self._plan.kind.pack is not None and now - self._flushed >= FLUSH_NS:
            self._flushed = now
            self._queue.put(self._file.flush, 0, last=True)

    def close(self) -> bool:
        """End the last file, and wait for the thread; say whether it could finish."""
        self._end()
        left = -1
        while not (done := self._queue.close()) and left != (left := self._queue.account()["depth"]):
            pass
        return done

    def _begin(self, begins_ns: int) -> CaptureFile:
        file = CaptureFile(self._rotation.next(begins_ns / 1e9), self._plan.kind, self._plan.interfaces)
        self._count += 1
        self._ended = False
        self._frames, self._size = 0, file.size
        self._lost = [0] * len(self._plan.interfaces)
        if self.until_ns == NEVER and self._plan.every_ns is not None:
            self.until_ns = begins_ns + self._plan.every_ns
        return file

    def _turn(self, begins_ns: int) -> None:
        if self._frames or any(self._lost) or self._drops() != self._told:
            self._end()
        else:
            self._count -= 1
            self._file.discard()
        self._file = self._begin(begins_ns)

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        now = self._drops()
        lost = [new - old + queue for new, old, queue in zip(now, self._told, self._lost, strict=True)]
        self._told = now
        self._queue.put(partial(self._finish, self._file, lost), 0, last=True)

    def _finish(self, file: CaptureFile, lost: list[int]) -> None:
        """End a file, in the thread."""
        file.end(lost)
        self.unwritten += sum(file.unwritten)
        self._error = self._error or file.failed
        try:
            self._rotation.completed(file.name)
        except OSError as error:
            self._error = self._error or SinkError(f"{error.filename} cannot be removed: {error.strerror}")

    def _fitting(self, records: memoryview, frames: int) -> tuple[int, int]:
        """Say how much of the records the file takes; an empty one takes at least a record."""
        plan = self._plan
        if plan.size is None:
            return len(records), frames
        room = plan.size - self._size - foot_bytes(plan.kind.form, len(plan.interfaces))
        if len(records) <= room:
            return len(records), frames
        length, count = whole(records, plan.kind.form, room)
        if not count and not self._frames:
            length, count = record_bytes(records, plan.kind.form), 1
        return length, count

    def _give(self, records: memoryview, frames: int, interface: int, last_ns: int) -> None:
        self._frames += frames
        self._size += len(records)
        if self._plan.kind.pack is None:
            self._file.put(records, frames, interface, last_ns)
            return
        job = partial(self._file.put, memoryview(bytes(records)), frames, interface, last_ns)
        if not self._queue.put(job, len(records)):
            self.queue_drops[interface] += frames
            self._lost[interface] += frames
