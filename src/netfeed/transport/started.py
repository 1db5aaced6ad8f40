"""The beginning of a thread: pinned and made real-time by itself, and how that went told to who started it."""

import os
from threading import Event


class Started:
    """Lets who starts a thread know how its beginning went."""

    def __init__(self) -> None:
        self._event = Event()
        self._error: OSError | None = None

    def run(self, cpu: int | None, priority: int | None) -> None:
        """Pin the calling thread and make it SCHED_FIFO; a child that it forks is not."""
        try:
            if cpu is not None:
                os.sched_setaffinity(0, {cpu})
            if priority is not None:
                os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
        except OSError as error:
            self._error = error
        self._event.set()

    @property
    def failed(self) -> bool:
        """Say whether the thread must end."""
        return self._error is not None

    def wait(self) -> None:
        """Wait for the thread. Raises: OSError without CAP_SYS_NICE, or for a processor that is not there."""
        self._event.wait()
        if self._error is not None:
            raise self._error
