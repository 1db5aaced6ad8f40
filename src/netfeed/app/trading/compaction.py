"""Checkpoints of a journal that is being written, made by another process from what stands in its files.

    python -m netfeed.app.trading.compaction FOLDER < ORDINALS      for each line, the account before that segment

The engine's process starts it once, before it trades (to start one takes a millisecond that nobody has later), and
tells it of each segment that is complete: so a restart reads two segments or so, however long the run, and the account
that it finds was made from the journal alone. It runs on any processor, when nobody else wants one, and ends with who
started it. It changes nothing but checkpoints; what it cannot read is said, and read by the restart.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, NoReturn

from netfeed.app.trading import checkpoint as checkpoints
from netfeed.app.trading.checkpoint import Checkpoint
from netfeed.app.trading.journal_files import JournalError, checkpoint, ordinals_of, recover
from netfeed.engine.account import Account

KEPT: Final = 2
"""Checkpoints that stay: the newest, and one more in case that it cannot be read."""


class Compactor:
    """The other process. `told`: segments that it was told of; `untold`: those that it was not."""

    def __init__(self, folder: str) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "netfeed.app.trading.compaction", folder],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True, bufsize=0,
        )  # fmt: skip
        assert self._child.stdin is not None
        self._pipe = self._child.stdin
        os.set_blocking(self._pipe.fileno(), False)
        self.told = self.untold = 0

    def full(self, segment: int) -> None:
        """Take note that a segment is complete."""
        try:
            os.write(self._pipe.fileno(), b"%d\n" % (segment + 1))
            self.told += 1
        except OSError:
            self.untold += 1

    def close(self, seconds: float = 0.0) -> None:
        """End it, after so long at most; a checkpoint that is half made leaves nothing behind that counts."""
        self._pipe.close()
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def compact(folder: str, ordinal: int) -> int:
    """Make the checkpoint before a segment; give how many records were read. Raises: JournalError; OSError."""
    found = recover(folder, _unknown, upto=ordinal - 1)
    path = checkpoint(folder, ordinal)
    checkpoints.write(path, Checkpoint(found.number, found.run, found.account, found.waiting))
    for old in ordinals_of(folder, checkpoints.SUFFIX)[:-KEPT]:
        os.unlink(checkpoint(folder, old))
    return found.read


def _unknown() -> Account:
    raise JournalError("a journal without a checkpoint that can be read is made again by whoever knows the contracts")


def _stand_back() -> None:
    """Leave the processors to those who trade: an engine's child inherits its place and its priority."""
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with suppress(OSError):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))


def main(folder: str, ordinals: Iterable[str]) -> int:
    """Make a checkpoint for each line; give how many could not be made."""
    failed = 0
    for line in ordinals:
        try:
            compact(folder, int(line))
        except (JournalError, OSError, ValueError) as error:
            print(f"netfeed: no checkpoint before segment {line.strip()}: {error}", file=sys.stderr, flush=True)
            failed += 1
    return failed


def entry() -> NoReturn:
    """Run as a program."""
    _stand_back()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's ^C is for who started it
    sys.exit(min(1, main(sys.argv[1], sys.stdin)))


if __name__ == "__main__":
    entry()
