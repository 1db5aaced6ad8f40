"""One file of the order journal, of a size that is reserved on the disk before it is used, and mapped into memory.

    append    one copy into the mapped file: no system call, no lock, no other thread
    sync      the kernel writes to the disk what was appended so far, and waits for it: for another thread

What was appended belongs to the kernel from then on: a process that is killed loses none of it, a machine that loses
its power loses what was not synced. The room is reserved when the file is made, so that a full disk shows there and
not under an order. A segment that is not full ends with zeros; `close` cuts them off.
"""

import mmap
import os
from typing import Final

SUFFIX: Final = ".orders"


class Segment:
    """A file that is appended to. `at`: where the next record goes; `synced`: how far the disk has it. Units: bytes."""

    __slots__ = ("_fd", "_map", "at", "path", "size", "synced")

    def __init__(self, path: str, size: int) -> None:
        """Make the file, and reserve its room. Raises: OSError, a full disk among others."""
        self.path, self.size, self.at, self.synced = path, size, 0, 0
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(self._fd, 0, size)
            os.fsync(self._fd)
            self._map = mmap.mmap(self._fd, size, mmap.MAP_SHARED)
        except BaseException:
            os.close(self._fd)
            os.unlink(path)
            raise

    def append(self, line: bytes) -> bool:
        """Take a line; False when there is no room, and nothing was done."""
        end = self.at + len(line)
        if end > self.size:
            return False
        self._map[self.at : end] = line
        self.at = end
        return True

    def sync(self) -> int:
        """Have the disk hold what was appended before the call; give how many bytes it had not. Raises: OSError."""
        at = self.at
        waiting = at - self.synced
        if waiting:
            os.fdatasync(self._fd)
            self.synced = at
        return waiting

    def close(self) -> None:
        """Cut off what was not used, and close; one that is empty goes. Raises: OSError."""
        self._map.close()
        try:
            os.ftruncate(self._fd, self.at)
            os.fsync(self._fd)
        finally:
            os.close(self._fd)
        if not self.at:
            os.unlink(self.path)
