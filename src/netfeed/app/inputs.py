"""Inputs of a run: captures are merged by time, files of ITCH messages are read one after the other.

Several captures may be the parts of one (rotated files) or lines of one channel that were recorded apart; both come
out right when the one whose next packet is the oldest goes on. Only the captures that are being read are open.

Every fault of a file is reported with its offset; then reading goes on where the next record can be found.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from netfeed.app.findings import Findings, Place
from netfeed.app.recognise import FileKind, file_kind
from netfeed.build import select
from netfeed.transport.file import EmptyError, Source, open_source
from netfeed.wire.capture import NO_TIME, PACKET, Status

BATCH: Final = 2048
"""Packets of one walk, when nobody watches."""
_UNKNOWN: Final = "a pcap, pcapng or ITCH file (gzip and zstd are looked into)"
_BROKEN_OFF: Final = "0 bytes: whoever wrote it was ended before anything of it was on disk, it can be deleted"

Packets = np.ndarray[Any, Any]


class Capture:
    """One capture: walks of at most `batch` packets. `packets[at:count]` are those that were not taken yet."""

    def __init__(self, name: str, source: Source, findings: Findings, batch: int = BATCH) -> None:
        self.name = name
        self.source = source
        self.walker = select("capture", "netfeed.wire.capture", "Walker")()
        self.packets: Packets = np.zeros(batch, PACKET)
        self.at = self.count = 0
        self.done = False
        self._offset = 0
        self._findings = findings

    def fill(self) -> bool:
        """Walk on when everything was taken; False at the end of the file."""
        while self.at == self.count and not self.done:
            self.source.release(self._offset)
            self.at = 0
            self.count, self._offset, status = self.walker.walk(
                self.source.buffer, self._offset, self.packets, self.source.base
            )
            if not self.count:
                self._go_on(Status(status))
        return self.at < self.count

    @property
    def next_ns(self) -> int:
        """Give the time of the next packet; one without a time comes at once."""
        return int(self.packets["ts_ns"][self.at])

    def take(self, until_ns: int | None) -> Packets:
        """Take packets up to the first one later than `until_ns`, at least one."""
        view = self.packets[self.at : self.count]
        if until_ns is not None:
            later = view["ts_ns"] > until_ns
            later[0] = False
            if later.any():
                view = view[: int(later.argmax())]
        self.at += len(view)
        return view

    def _go_on(self, status: Status) -> None:
        """Get more bytes, or report why there are none and look for the next record."""
        if status is Status.MORE:
            return
        if status is not Status.BAD and self._more():
            return
        if status is Status.END:
            self.done = True
            return
        base, error = self.source.base, self.walker.error
        next_offset = self._resync()
        torn = status is Status.PARTIAL and next_offset < 0
        _, found, wanted = error if error is not None else ("", "nothing", "a record")
        what = error[0] if error is not None else "record"
        place = Place(self.name, base + self._offset)
        self._findings.add(place, f"{what}: {found}", wanted, torn=torn)
        if next_offset < 0:
            self.done = True
        else:
            self._offset = next_offset

    def _resync(self) -> int:
        found: int = self.walker.resync(self.source.buffer, self._offset)
        if found < 0 and self._more():
            found = self.walker.resync(self.source.buffer, self._offset)
        return found

    def _more(self) -> bool:
        if self.source.more(self._offset):
            self._offset = 0
            return True
        if self.source.error is not None:
            error, self.source.error = self.source.error, None
            self._findings.add(Place(self.name, self.source.base + len(self.source.buffer)), error.found, error.wanted)
        return False


def _is_live(name: str, source: Source) -> bool:
    """Say whether an input can be opened only once."""
    return name == "-" or source.total is None


class Inputs:
    """The files of a run; entering opens each once, so that one that cannot be read is known before any is.

    Raises: SourceError on entering.
    """

    def __init__(self, names: Sequence[str], findings: Findings, batch: int = BATCH) -> None:
        self.names = list(names)
        self.kinds: dict[str, FileKind] = {}
        self.walkers: list[Any] = []
        self.current: Source | None = None
        self.total: int | None = 0
        self._past = 0
        self._open: list[Capture] = []
        self._findings = findings
        self._batch = batch
        self._first: dict[str, int] = {}
        self._sources: dict[str, Source] = {}

    def __enter__(self) -> "Inputs":
        try:
            for name in self.names:
                self._look(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for source in (*self._sources.values(), *(one.source for one in self._open)):
            source.close()

    @property
    def position(self) -> int:
        """Say how many bytes of all files were read. Units: bytes on disk."""
        return (
            self._past
            + sum(capture.source.position for capture in self._open)
            + (self.current.position if self.current is not None else 0)
        )

    def captures(self) -> Iterator[tuple[Capture, Packets]]:
        """Give the packets of all captures in order of time, in batches of one capture each."""
        waiting = sorted(self._first, key=lambda name: self._first[name])[::-1]
        while waiting or self._open:
            while waiting and (not self._open or self._first[waiting[-1]] <= min(one.next_ns for one in self._open)):
                self._start(waiting.pop())
            self._drop_done()
            if not self._open:
                continue
            capture = min(self._open, key=lambda one: one.next_ns)
            others = [one.next_ns for one in self._open if one is not capture]
            others += [self._first[waiting[-1]]] if waiting else []
            yield capture, capture.take(min(others) if others else None)
            if not capture.fill():
                self._drop_done()

    def itch_files(self) -> Iterator[tuple[str, FileKind, Source]]:
        """Give the files of ITCH messages in the order in which they were named."""
        for name in self.names:
            kind = self.kinds.get(name, FileKind.UNKNOWN)
            if kind in (FileKind.ITCH, FileKind.ITCH_ZERO):
                with self._source(name) as source:
                    self.current = source
                    yield name, kind, source
                self._past += source.position
                self.current = None

    def _look(self, name: str) -> None:
        """Find out what a file is, and when its first packet came; files that can be opened again are closed."""
        if name in self.kinds:
            return
        try:
            source = open_source(name)
        except EmptyError:
            self._findings.add(Place(name, 0), _BROKEN_OFF if name.endswith(".part") else "0 bytes", _UNKNOWN)
            return
        self.total = None if self.total is None or source.total is None else self.total + source.total
        kind = self.kinds[name] = file_kind(source.buffer)
        if kind is FileKind.UNKNOWN:
            head = bytes(source.buffer[:8]).hex()
            self._findings.add(Place(name, 0), f"a file that begins with {head}", _UNKNOWN)
            source.close()
            return
        if kind is FileKind.CAPTURE:
            peek = Capture(name, source, Findings(), batch=1)
            self._first[name] = NO_TIME if _is_live(name, source) else self._first_time(peek)
        if _is_live(name, source):
            self._sources[name] = source
        else:
            source.close()

    def _first_time(self, capture: Capture) -> int:
        return capture.next_ns if capture.fill() else NO_TIME

    def _source(self, name: str) -> Source:
        return self._sources.pop(name) if name in self._sources else open_source(name)

    def _start(self, name: str) -> None:
        capture = Capture(name, self._source(name), self._findings, self._batch)
        self.walkers.append(capture.walker)
        capture.fill()
        self._open.append(capture)

    def _drop_done(self) -> None:
        for capture in [one for one in self._open if one.at == one.count and one.done]:
            self._open.remove(capture)
            self._past += capture.source.position
            capture.packets = np.zeros(0, PACKET)
            capture.source.close()
