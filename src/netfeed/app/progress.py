"""A progress bar on standard error, for files that take long, where a person looks at it."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

from netfeed.app.inputs import Inputs
from netfeed.app.pace import Pace
from netfeed.app.replay import Replay

PATIENCE_S: Final = 0.7
"""What is done sooner needs no bar."""
PACED_PACKETS: Final = 16
PACED_BYTES: Final = 2048
"""Batches of a replay that is held to a pace: small, for all of a batch comes at once."""


class Progress:
    """Show how far a replay is; with a `speed`, hold it to that pace."""

    def __init__(
        self, replay: Replay, *, shown: bool, speed: float | None = None, stop: Callable[[], bool] = lambda: False
    ) -> None:
        self._replay = replay
        self._shown = shown and sys.stderr.isatty()
        self._pace = Pace(speed, stop) if speed else None
        self._began = time.monotonic()
        self._bar: Any = None
        self._task: Any = None
        if self._pace is not None:
            replay.batch_packets, replay.batch_bytes, replay.paced = PACED_PACKETS, PACED_BYTES, True
        if self._shown or self._pace is not None:
            replay.after.append(self._step)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _step(self, inputs: Inputs) -> None:
        if self._pace is not None:
            self._pace.wait(self._replay.now_ns)
        if not self._shown or time.monotonic() - self._began < PATIENCE_S:
            return
        if self._bar is None:
            self._open(inputs)
        self._bar.update(self._task, completed=inputs.position, total=inputs.total)

    def _open(self, inputs: Inputs) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("replay"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("", total=inputs.total)
        self._bar.start()
