"""The journal of what was changed: each old value is on the disk before the new one is written.

One JSON object a line, and nothing is ever rewritten, so that whatever stops us - a kill between any two steps, a line
of which half was written - leaves a file that says what may have been changed. A last line without its end is a write
that was never made: the value was not changed yet, and the line is cut off before the next one.

    {"netfeed_tune": 1, "root": "/", "boot": "...", "net": "net:[4026531840]"}
    {"set": "file:proc/sys/net/core/rmem_max", "form": "number", "old": "212992", "new": "67108864", "boot": "..."}
    {"kept": "file:...", "value": "..."}     the kernel kept another value than it was given
    {"done": "file:..."}                     it has its old value again, or was never changed
    {"end": "apply"}                         all of it was done
    {"unsure": "file:..."}                   the last of an apply that did not come to its end

What the kernel made of the last write of an apply that was killed is not known: whatever stands there counts as ours.
Only `set` must be on the disk. The other lines spare a revert some work: on a full disk they are done without.

The first `old` of a place is the original, whatever is applied after it. Settings do not outlive a boot: entries of
another boot are done, and the first of a new one begins the file anew. The file is removed with its last entry.

Much of /proc/sys/net is of a network namespace: a journal belongs to one, and is refused in another.

Leaves out: what several journals say about one setting. Use one journal a host.
"""

import contextlib
import fcntl
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from netfeed.errors import NetfeedError
from netfeed.host.tune.form import Form, same
from netfeed.host.tune.where import Place

VERSION: Final = 1
DEFAULT: Final = Path("/var/lib/netfeed/tune.json")
_MOST: Final = 64 << 20


class JournalError(NetfeedError):
    """The journal cannot be used; nothing is changed from here on. The message says what to do."""

    def __init__(self, what: str, *, denied: bool = False) -> None:
        super().__init__(what)
        self.denied = denied


@dataclass(slots=True)
class Entry:
    """A place that was changed: the original, and all that was written since."""

    place: Place
    form: Form
    old: str
    boot: str
    ours: list[str] = field(default_factory=list)
    unsure: bool = False

    def is_ours(self, text: str) -> bool:
        """Say whether a value is one that an apply has left, or may have."""
        return self.unsure or any(same(self.form, text, one) for one in self.ours)


@dataclass(slots=True)
class Journal:
    """The journal of a host. `write` writes bytes to a descriptor: tests stop it there.

    `boot` and `net` name this boot and this network namespace; "" where they do not matter: in a copied tree.
    """

    path: Path
    root: str = "/"
    boot: str = ""
    net: str = ""
    write: Callable[[int, bytes], int] = os.write
    entries: dict[str, Entry] = field(default_factory=dict)
    _fd: int = -1
    _sound: int = 0
    _last: str | None = None
    """What was set, and not yet followed by anything."""
    _begun: str = ""
    """The boot in which the file was begun."""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep everybody else out, read what is there, and close at the end; remove the file when all is done.

        Raises: JournalError.
        """
        lock = _locked(self.path)
        try:
            self.load()
            yield
        finally:
            self._close()
            os.close(lock)

    def load(self) -> None:
        """Read the file; none is an empty journal.

        Raises: JournalError.
        """
        self.entries, self._last = {}, None
        data = _read(self.path)
        self._sound = data.rfind(b"\n") + 1
        lines = data[: self._sound].split(b"\n")[:-1]
        for number, line in enumerate(lines, 1):
            try:
                self._take(json.loads(line), first=number == 1)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                raise JournalError(
                    f"{self.path}, line {number}: {_what(error)}; look at the old values in it, restore by hand what "
                    "is still to be restored, and move the file away"
                ) from None
        if self._last:
            self.entries[self._last].unsure = True

    def set(self, place: Place, form: Form, old: str, new: str, boot: str) -> None:
        """Note that a place is about to be written. Raises: JournalError."""
        if self._sound and self._begun != self.boot and all(one.boot != self.boot for one in self.entries.values()):
            self._forget()
        one = self.entries.get(place.key)
        original = one.old if one and one.boot == boot else old
        self._append({"set": place.key, "form": form, "old": original, "new": new, "boot": boot})

    def kept(self, place: Place, value: str) -> None:
        """Note that the kernel kept another value. Where that cannot be written, whatever stands there is ours."""
        with contextlib.suppress(JournalError):
            self._append({"kept": place.key, "value": value})

    def done(self, place: Place) -> None:
        """Note that a place has its old value. Where that cannot be written, the next revert finds it out."""
        try:
            self._append({"done": place.key})
        except JournalError:
            del self.entries[place.key]

    def end(self) -> None:
        """Note that an apply came to its end. Where that cannot be written, its last value counts as ours."""
        if self._last:
            with contextlib.suppress(JournalError):
                self._append({"end": "apply"})

    def close_empty(self) -> None:
        """Remove the file when no entry is left. Raises: JournalError."""
        if not self.entries and self.path.exists():
            self._close()
            try:
                self.path.unlink()
                _sync_folder(self.path)
            except OSError as error:
                said = f"{self.path}: {error.strerror}: all has its old value, and the file can be removed"
                raise JournalError(said, denied=isinstance(error, PermissionError)) from None
            self._sound = 0

    def _forget(self) -> None:
        """Begin the file anew: nothing of what it says has outlived the boot."""
        self._close()
        self.entries, self._last, self._sound = {}, None, 0

    def _head(self, line: dict[str, Any]) -> None:
        if line.get("netfeed_tune") != VERSION:
            raise ValueError(f"a journal of version {line.get('netfeed_tune')!r}, and this netfeed reads {VERSION}")
        if line.get("root") != self.root:
            raise ValueError(f"a journal of the tree {line.get('root')!r}, and not of {self.root}")
        self._begun, net = _text(line.get("boot", "")), _text(line.get("net", ""))
        if self.net and net not in ("", self.net) and self._begun == self.boot:
            raise JournalError(
                f"{self.path}: of the network namespace {net}, and this is {self.net}: run it there, or name another "
                "with --journal"
            )

    def _take(self, line: dict[str, Any], *, first: bool = False) -> None:
        if first:
            self._head(line)
        elif "set" in line:
            key, old, new, boot = (_text(line[name]) for name in ("set", "old", "new", "boot"))
            one = self.entries.get(key)
            if one is None or one.boot != boot:
                self.entries.pop(key, None)
                one = self.entries[key] = Entry(Place.parse(key), Form(line["form"]), old, boot)
            one.ours.append(new)
            one.unsure, self._last = False, key
        elif "unsure" in line:
            self.entries[_text(line["unsure"])].unsure = True
        else:
            self._last = None
            self._closed(line)

    def _closed(self, line: dict[str, Any]) -> None:
        if "kept" in line:
            self.entries[_text(line["kept"])].ours.append(_text(line["value"]))
        elif "done" in line:
            del self.entries[_text(line["done"])]
        elif line.get("end") != "apply":
            raise ValueError(f"{next(iter(line), 'nothing')!r} is no word of a journal")

    def _append(self, line: dict[str, str]) -> None:
        try:
            if self._fd < 0:
                self._open()
            self._put(line)
        except OSError as error:
            self._cut()
            raise JournalError(f"{self.path}: {error.strerror}; without a journal nothing more is changed") from None
        self._take(line)

    def _open(self) -> None:
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        os.ftruncate(self._fd, self._sound)
        os.lseek(self._fd, 0, os.SEEK_END)
        if not self._sound:
            place = {"boot": self.boot, "net": self.net} if self.net else {}
            self._put({"netfeed_tune": VERSION, "root": self.root, **place})
            self._begun = self.boot
            _sync_folder(self.path)
        if self._last:
            self._put({"unsure": self._last})

    def _put(self, line: dict[str, Any]) -> None:
        data = json.dumps(line).encode() + b"\n"
        while data:
            data = data[self.write(self._fd, data) :]
        os.fsync(self._fd)
        self._sound = os.lseek(self._fd, 0, os.SEEK_CUR)

    def _cut(self) -> None:
        """Take half a line off again; a full disk lets that through."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, self._sound)
        self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _read(path: Path) -> bytes:
    """Read the file, if it is one that nobody else could have written."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}", denied=isinstance(error, PermissionError)) from None
    about = os.fstat(fd)
    if not stat.S_ISREG(about.st_mode):
        os.close(fd)
        raise JournalError(f"{path}: no file: name another with --journal")
    with open(fd, "rb") as file:
        if about.st_uid not in (0, os.geteuid()) or about.st_mode & 0o022:
            raise JournalError(
                f"{path}: others can write it: what it says is not restored; chown root, chmod 600, look"
            )
        data = file.read(_MOST + 1)
    if len(data) > _MOST:
        raise JournalError(f"{path}: larger than a journal can be: look at it, and move it away")
    return data


def _locked(path: Path) -> int:
    """Hold the lock beside the journal. It stays there: a lock file that is removed locks nobody."""
    beside = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        fd = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        denied = isinstance(error, PermissionError)
        raise JournalError(f"{beside}: {error.strerror}: name another with --journal", denied=denied) from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        said = os.pread(fd, 32, 0).decode("ascii", errors="replace").strip()
        holder = said if said.isdecimal() else "unknown"
        os.close(fd)
        raise JournalError(f"another netfeed tune (pid {holder}) is at work with {path}: wait for it") from None
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd


def _sync_folder(path: Path) -> None:
    """Make sure that a new name, or one that was removed, is on the disk."""
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _what(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError | RecursionError | AttributeError):
        return "not a line of a journal"
    return f"{error} is missing, or not under way" if isinstance(error, KeyError) else str(error)
