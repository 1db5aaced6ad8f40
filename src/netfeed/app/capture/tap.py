"""One source of a capture: what it brought, whether it is ahead of the others, and what became of its interface."""

import contextlib
import socket
from collections.abc import Callable
from typing import Final

from netfeed.app.capture.files import Files
from netfeed.machine import NEVER
from netfeed.transport.network import ANY, IFF_UP, present_name
from netfeed.transport.raw.source import ALL, Form, FrameSource, Why

TURNS: Final = 8
"""Buffers that are taken from one source before the others get their turn."""


class Tap:
    """A source and its account.

    `ahead`: its next frame belongs into the next file, or behind the end of the run. `more`: it was left for others.
    """

    def __init__(self, source: FrameSource, number: int, form: Form, flags: Callable[[str], int]) -> None:
        self.source = source
        self.frames = self.bytes = 0
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self.ahead = self.more = False
        self._number, self._form = number, form
        self._gone = False
        self._flags = flags
        self._name, self._index = source.interface, _index(source.interface)
        self._down = not self._is_up()

    @property
    def obeys(self) -> bool:
        """Say whether its stamps are of the host's clock, so that its frames can be told apart by time."""
        return self.source.stamps != "hardware"

    @property
    def is_over(self) -> bool:
        """Say that no more can come."""
        return self._gone

    def read(self, room: bytearray, files: Files, *, left: int = ALL, until_ns: int = NEVER) -> int:
        """Take what waits, up to `left` frames, and before a time; give how many. Raises: SinkError."""
        taken = 0
        self.more = False
        for _ in range(TURNS):
            got = self.source.write_into(
                room, self._form, self._number, frames=left - taken, until_ns=until_ns if self.obeys else NEVER
            )
            if got.frames:
                self._count(got.frames, got.bytes, got.first_ns, got.last_ns)
                taken += got.frames
                files.put(memoryview(room)[: got.bytes], got.frames, self._number, got.last_ns or 0)
            if got.why is not Why.ROOM:
                self.ahead = got.why is Why.TIME
                return taken
        self.more = True
        return taken

    def drops(self) -> int:
        """Ask what the kernel dropped so far."""
        return self.source.statistics().drops

    def changes(self) -> list[str]:
        """Tell what became of the interface since this was asked last."""
        source, told = self.source, list[str]()
        if source.gone is not None and not self._gone:
            self._gone = True
            return [f"{source.interface}: {source.gone}"]
        before, self._name = self._name, present_name(self._index, self._name)
        if before != self._name:
            told.append(f"{before} is called {self._name} now, and captured as before")
        down = not self._gone and not self._is_up()
        if down != self._down:
            self._down = down
            told.append(f"{self._name} is down: nothing comes until it is up" if down else f"{self._name} is up")
        return told

    def _is_up(self) -> bool:
        return self._name == ANY.name or bool(self._flags(self._name) & IFF_UP)

    def _count(self, frames: int, size: int, first_ns: int | None, last_ns: int | None) -> None:
        self.frames += frames
        self.bytes += size
        self.first_ns = first_ns if self.first_ns is None else self.first_ns
        self.last_ns = last_ns


def _index(name: str) -> int:
    with contextlib.suppress(OSError):
        return socket.if_nametoindex(name)
    return 0
