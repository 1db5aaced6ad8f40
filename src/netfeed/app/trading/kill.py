"""The kill switch outside of the process: a file that kills while it exists, and a latch that outlives crashes.

    KILL          whoever makes it kills: `touch KILL` is enough, nobody needs to read or write anything
    KILL.latch    what holds: killed or armed, by whom, why, since when; JSON, replaced whole, mode 0600

    kill("KILL", "anna", "the feed looks wrong")     the running engine sees it within 50 ms; else the next one
    arm("KILL", "anna")                              KillError while KILL exists, or nothing is killed

Who killed last counts one more in `number`; arming names the kill that it answers. So a kill that comes while a person
arms is never armed away by accident. A latch that cannot be read, or that others may write, is a kill: in doubt
nothing is quoted. That there is no latch says that nothing was ever killed here.
"""

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from netfeed.errors import NetfeedError

LATCH: Final = ".latch"
MAX_LATCH: Final = 4096
MAX_WORDS: Final = 200
"""Characters of who and why: they are shown on one line."""
_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


class KillError(NetfeedError):
    """The kill switch cannot be moved; the message says what to do."""


class Latch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What holds. `number` counts what happened to it, 0: nothing yet. Units: `at_ns` since 1970."""

    number: int = 0
    killed: bool = False
    by: str = ""
    why: str = ""
    at_ns: int = 0


def read_latch(path: str) -> Latch:
    """Say what holds. A latch that cannot be believed is killed, and says why; its number is 0."""
    try:
        with open(path + LATCH, "rb") as file:
            seen = os.fstat(file.fileno())
            text = file.read(MAX_LATCH + 1)
    except FileNotFoundError:
        return Latch()
    except OSError as error:
        return _doubtful(path, f"cannot be read: {error.strerror}")
    if seen.st_mode & _OTHERS or seen.st_uid not in (0, os.geteuid()):
        return _doubtful(path, "may be written by others: chmod 600, chown to who runs this")
    try:
        return msgspec.json.decode(text, type=Latch)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _doubtful(path, f"is no latch: {error}")


def exists(path: str) -> bool:
    """Say whether the kill file is there. What cannot be looked at counts as there."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def kill(path: str, by: str, why: str) -> Latch:
    """Throw the kill switch, whether an engine runs or not; give what holds now. The first who did is the one named.

    Raises: KillError when that cannot be written down; `touch` of the kill file is the other way then.
    """
    with _locked(path):
        held = read_latch(path)
        if held.killed and held.number:
            return held
        return write_latch(path, Latch(held.number + 1, True, _words(by), _words(why), time.time_ns()), durable=True)


def arm(path: str, by: str, *, number: int | None = None) -> Latch:
    """Arm the kill switch again, by a person. `number`: of the kill that they have looked at, None: whichever.

    Raises: KillError when nobody is named, nothing is killed, it is another kill by now, or the kill file is there.
    """
    if not by.strip():
        raise KillError("say who arms the kill switch again")
    with _locked(path):
        held = read_latch(path)
        if exists(path):
            raise KillError(f"{path} is there, and kills as long as it is: remove it, then arm again")
        if not held.killed:
            raise KillError("nothing is killed here; an engine that was killed just now says so within a moment")
        if number is not None and number != held.number:
            raise KillError(f"it was killed again meanwhile, by {held.by}: {held.why}. Look, then arm again")
        return write_latch(path, Latch(held.number + 1, False, _words(by), "armed", time.time_ns()), durable=True)


def write_latch(path: str, latch: Latch, *, durable: bool) -> Latch:
    """Put a latch in the place of the one that is there. `durable`: past a power cut, which takes a disk's time.

    Raises: KillError.
    """
    made = f"{path}{LATCH}.{os.getpid()}"
    try:
        fd = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, msgspec.json.encode(latch) + b"\n")
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(made, path + LATCH)
        if durable:
            sync_folder(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(made)
        raise KillError(f"{path}{LATCH} cannot be written: {error.strerror}; touch {path} kills, too") from None
    return latch


def sync_folder(path: str) -> None:
    """Have what was made and renamed beside a file outlive a power cut. Raises: OSError."""
    folder = os.open(Path(path).resolve().parent, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    """Let one at a time change the latch; the file beside it is ours alone, so that no stranger can hold it."""
    try:
        fd = os.open(f"{path}{LATCH}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise KillError(f"{path}{LATCH}.lock cannot be opened: {error.strerror}; touch {path} kills, too") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _words(text: str) -> str:
    """Keep what fits on a line, without what would move a cursor."""
    return "".join(one if one.isprintable() else " " for one in text)[:MAX_WORDS].strip()


def _doubtful(path: str, what: str) -> Latch:
    return Latch(0, True, "latch", f"{path}{LATCH} {what}")
