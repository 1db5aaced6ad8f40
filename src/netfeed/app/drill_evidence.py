"""Evidence of a drill: what was on the wires at both ends, captured while it was played.

    venue.pcapng      what left the venue, before any fault
    handler.pcapng    what came to the handler, and what it asked, one interface a wire

A thread an end reads rings that the stage opened where its wires are. When the verdict is good nobody needs the files,
and they go; when it is not, they stay and the report names them.
"""

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from netfeed.app.capture.capture import Capture, Limits
from netfeed.app.capture.files import Plan
from netfeed.app.capture.format import format_of
from netfeed.transport.network import IFF_UP
from netfeed.transport.raw.source import FrameSource
from netfeed.transport.sink import SinkError
from netfeed.wire.pcapng import Interface

BLOCK_BYTES: Final = 128 * 1024
BLOCKS: Final = 32
"""A ring of 4 MiB holds some seconds of a drill."""
_SNAP: Final = 65_535
_GRACE_NS: Final = 40_000_000


class Evidence:
    """Captures that run until `close`."""

    def __init__(self, ends: Mapping[str, Sequence[FrameSource]], folder: Path) -> None:
        self._end = _End()
        self._sources = [source for sources in ends.values() for source in sources]
        self._paths = [folder / f"{name}.pcapng" for name in ends]
        self.failures: list[str] = []
        """Why a file is not whole, or not all that came: a disk that was full, frames that the kernel dropped."""
        self._threads = [
            threading.Thread(target=self._run, args=(sources, path), name=f"evidence of the {name}")
            for (name, sources), path in zip(ends.items(), self._paths, strict=True)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> list[Path]:
        """End the captures; give the files. A second call gives them again."""
        if not self._end.stop():
            self._end.come()
            for thread in self._threads:
                thread.join()
            for source in self._sources:
                source.close()
            self._end.close()
        return [path for path in self._paths if path.exists()]

    def _run(self, sources: Sequence[FrameSource], path: Path) -> None:
        interfaces = [Interface(getattr(one, "linktype", 1), _SNAP, name=one.interface) for one in sources]
        plan = Plan(str(path), format_of(str(path)), interfaces)
        limits = Limits(rest_ns=10_000_000, grace_ns=_GRACE_NS)
        try:
            summary = Capture(sources, plan, limits, asked=self._end, flags=lambda name: IFF_UP).run()
        except SinkError as error:
            self.failures.append(str(error))
            return
        if summary["ended"].startswith("failed"):
            self.failures.append(f"{path.name} {summary['ended']}")
        if summary["received"] != summary["captured"]:
            self.failures.append(f"{path.name} lacks {summary['received'] - summary['captured']} frames")


class _End:
    """Tells all captures at once that it is over."""

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK)
        self._came = False

    def come(self) -> None:
        self._came = True
        os.eventfd_write(self._fd, 1)

    def stop(self) -> bool:
        return self._came

    def dump(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._fd

    def drain(self) -> None:
        """Leave it readable: the others have to see it, too."""

    def close(self) -> None:
        os.close(self._fd)
