"""One capture file while it is written: whole records and nothing else, however it ends.

A disk that is full takes a part of a write. The part is cut back to whole records, with room for the statistics, the
file is closed like any other, and `failed` says why it is not longer; what did not fit is counted (`unwritten`). A
packed file is cut at the end of what can be unpacked.
"""

import contextlib
from collections.abc import Sequence
from typing import Final

from netfeed.app.capture.format import Format, foot, foot_bytes, head, whole
from netfeed.app.capture.sidecar import Sidecar
from netfeed.transport.raw.source import Form
from netfeed.transport.sink import DirectSink, SinkError
from netfeed.wire.pcapng import Interface

PACK_BYTES: Final = 2**20
"""What is packed at once: less would pack badly."""


class CaptureFile:
    """A file. `size` counts its bytes before packing, `frames` what it holds of each interface."""

    def __init__(self, name: str, kind: Format, interfaces: Sequence[Interface]) -> None:
        """Open it, and write its head. Raises: SinkError."""
        self.name = name
        self.failed: SinkError | None = None
        self.frames = [0] * len(interfaces)
        self.unwritten = [0] * len(interfaces)
        self._kind, self._interfaces = kind, interfaces
        self._foot = foot_bytes(kind.form, len(interfaces))
        self._last_ns = 0
        self._pending = bytearray()
        self._pending_frames = [0] * len(interfaces)
        self._sink = DirectSink(name)
        self._sidecar: Sidecar | None = None
        start = head(kind.form, interfaces)
        self.size = len(start)
        try:
            self._sidecar = Sidecar(name) if kind.form is Form.PCAP else None
            self._sink.write(start if kind.pack is None else kind.pack(start))
        except SinkError:
            self.discard()
            raise

    def put(self, records: memoryview, frames: int, interface: int, last_ns: int) -> None:
        """Write whole records of one interface. Units: `last_ns` since 1970."""
        self._last_ns = max(self._last_ns, last_ns)
        if self.failed is not None:
            self.unwritten[interface] += frames
        elif self._kind.pack is None:
            self._write(records, frames, interface)
        else:
            self._pending += records
            self._pending_frames[interface] += frames
            if len(self._pending) >= PACK_BYTES:
                self.flush()

    def flush(self) -> None:
        """Pack and write what waits for more."""
        if not self._pending or self._kind.pack is None:
            return
        before, into = self._sink.written, self.frames
        try:
            self._sink.write(self._kind.pack(self._pending))
        except SinkError as error:
            self._fail(error, before)
            into = self.unwritten
        for at, count in enumerate(self._pending_frames):
            into[at] += count
        self._pending.clear()
        self._pending_frames = [0] * len(self.frames)

    def end(self, drops: Sequence[int]) -> None:
        """Write how many frames are missing, besides those that are `unwritten`, and give the file its name."""
        self.flush()
        lost = [one + other for one, other in zip(drops, self.unwritten, strict=True)]
        trailer = foot(self._kind.form, self._interfaces, self.frames, lost, self._last_ns)
        before = self._sink.written
        try:
            self._sink.write(trailer if self._kind.pack is None or not trailer else self._kind.pack(trailer))
        except SinkError as error:
            self._fail(error, before)
        try:
            self._sink.close()
            if self._sidecar is not None:
                self._sidecar.tell(self._missing(lost) if any(lost) else [])
        except SinkError as error:
            self.failed = self.failed or error
        finally:
            if self._sidecar is not None:
                self._sidecar.discard()

    def discard(self) -> None:
        """Leave no file."""
        self._sink.discard()
        if self._sidecar is not None:
            self._sidecar.discard()

    def _write(self, records: memoryview, frames: int, interface: int) -> None:
        before = self._sink.written
        try:
            self._sink.write(records)
        except SinkError as error:
            length, fit = whole(records, self._kind.form, self._sink.written - before - self._foot)
            self._fail(error, before + length)
            self.frames[interface] += fit
            self.unwritten[interface] += frames - fit
        else:
            self.frames[interface] += frames

    def _fail(self, error: SinkError, whole_bytes: int) -> None:
        self.failed = self.failed or error
        with contextlib.suppress(OSError):
            self._sink.cut(whole_bytes)

    def _missing(self, lost: Sequence[int]) -> list[dict[str, str | int]]:
        return [
            {"interface": interface.name, "received": frames + drops, "dropped": drops}
            for interface, frames, drops in zip(self._interfaces, self.frames, lost, strict=True)
        ]
