"""SIGINT and SIGTERM: the first one asks for an orderly end, a second one is immediate."""

import contextlib
import os
import signal
import threading
from types import FrameType
from typing import Any


class Stopped(BaseException):
    """The command was asked to stop while it waited for input that may never come."""


class Stop:
    """Whether, and by which signal, the command was asked to stop. Call it to ask."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def __call__(self) -> bool:
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """Give the exit code of a command that was stopped: 130 or 143."""
        return 128 + (self.signal or 0)

    def __enter__(self) -> "Stop":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *error: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            self._end(number)
        self.signal = number
        if _waits(frame):
            raise Stopped

    def _end(self, number: int) -> None:
        signal.signal(number, signal.SIG_DFL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(os.getpid(), number)


def _waits(frame: FrameType | None) -> bool:
    """Say whether the signal came while a live input was read: then nobody would ask before more of it comes."""
    while frame is not None:
        source = frame.f_locals.get("self") if frame.f_code.co_name == "_fresh" else None
        if source is not None and getattr(source, "total", 0) is None:
            return True
        frame = frame.f_back
    return False
