"""SIGHUP, SIGUSR1 and SIGUSR2 as flags that the loop asks for, and a descriptor that wakes it at any signal."""

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Final, Self

OURS: Final = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


@contextmanager
def held_back() -> Iterator[None]:
    """Let our signals wait until `Signals` can take them: before, they would end the process."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, OURS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Signals:
    """What was signalled since it was asked for last. SIGINT and SIGTERM are the command line's; they wake us too."""

    def __init__(self) -> None:
        self._reload = self._dump = self._kill = False
        self._before: dict[int, Any] = {}
        self._reader, self._writer = socket.socketpair()
        self._fd_before = -1
        for one in (self._reader, self._writer):
            one.setblocking(False)

    def fileno(self) -> int:
        """Give the descriptor that is readable after a signal."""
        return self._reader.fileno()

    def drain(self) -> None:
        """Take what woke the loop."""
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(4096)

    def reload(self) -> bool:
        """Say whether SIGHUP came."""
        came, self._reload = self._reload, False
        return came

    def dump(self) -> bool:
        """Say whether SIGUSR1 came."""
        came, self._dump = self._dump, False
        return came

    def kill(self) -> bool:
        """Say whether SIGUSR2 came: the kill switch."""
        came, self._kill = self._kill, False
        return came

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._fd_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
            for number in OURS:
                self._before[number] = signal.signal(number, self._take)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, OURS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        if self._before:
            signal.set_wakeup_fd(self._fd_before)
        self._reader.close()
        self._writer.close()

    def _take(self, number: int, frame: FrameType | None) -> None:
        self._reload |= number == signal.SIGHUP
        self._dump |= number == signal.SIGUSR1
        self._kill |= number == signal.SIGUSR2
