"""What stands in the folder of an order journal, read again after whatever ended the run before.

    00000001.orders        segments, one after the other; numbers of records go on from one to the next
    00000003.checkpoint    the account before the first record of segment 3
    00000004.orders.cut    what a crash has torn off the end of a segment

The newest checkpoint that can be believed is taken, and all segments from its own on. A crash may tear the end of the
last segment: a line that is not whole, or, after a power cut, pages that the disk never got, with zeros where they
should be. That is cut off, kept beside, and said. Anything else that is wrong was no crash: `JournalError` says where,
and a person decides.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from netfeed.app.trading import checkpoint as checkpoints
from netfeed.app.trading.checkpoint import Checkpoint
from netfeed.app.trading.journal_segment import SUFFIX
from netfeed.engine.account import Account
from netfeed.engine.journal import Record, Tail, Waiting, last_run, read, replay
from netfeed.errors import MisuseError, NetfeedError

DIGITS: Final = 8
CUT: Final = ".cut"
_OTHERS: Final = 0o077


class JournalError(NetfeedError):
    """The order journal cannot be gone on with; the message says what a person can do."""


@dataclass(slots=True)
class Recovered:
    """An account made again. `number`, `ordinal`: of the last record and segment; `read`: records since the checkpoint.

    `waiting`: what was decided and not sent; `notes`: what an operator should know, a line each.
    """

    account: Account
    waiting: Waiting
    run: int
    number: int
    ordinal: int
    read: int
    notes: list[str]


def recover(folder: str, empty: Callable[[], Account], *, upto: int | None = None) -> Recovered:
    """Make the account of a journal again; `empty` makes one for a journal that begins at its beginning.

    `upto`: the last segment to read, of a journal that is being written; nothing is cut then.
    Raises: JournalError.
    """
    ordinals = [one for one in ordinals_of(folder, SUFFIX) if upto is None or one <= upto]
    notes: list[str] = []
    first, from_ = _checkpoint(folder, empty, ordinals, notes)
    wanted = [one for one in ordinals if one >= first]
    if wanted != list(range(first, first + len(wanted))):
        raise JournalError(f"{folder}: a segment is missing between {wanted[0]} and {wanted[-1]}; put it back")
    records, torn = 0, _last_used(folder, wanted) if upto is None else -1
    for ordinal in wanted:
        path = segment(folder, ordinal)
        found = _read(path, from_.number, last=ordinal == torn, notes=notes)
        try:
            replay(found, from_.account, from_.waiting)
        except MisuseError as error:
            raise JournalError(f"{path}: of no account that was: {error}; {ASK}") from None
        from_.number += len(found)
        from_.run = max(from_.run, last_run(found))
        records += len(found)
        if upto is None:
            _shorten(path)
    last = max([*ordinals, first - 1])
    return Recovered(from_.account, from_.waiting, from_.run, from_.number, last, records, notes)


ASK: Final = (
    "no crash does that. Put back what is missing from a copy; or move the folder away, begin a new journal, and look "
    "at what rests and what is held with `netfeed order list`"
)


def segment(folder: str, ordinal: int) -> str:
    """Name a segment."""
    return os.path.join(folder, f"{ordinal:0{DIGITS}}{SUFFIX}")


def checkpoint(folder: str, ordinal: int) -> str:
    """Name the checkpoint before a segment."""
    return os.path.join(folder, f"{ordinal:0{DIGITS}}{checkpoints.SUFFIX}")


def ordinals_of(folder: str, suffix: str) -> list[int]:
    """List the numbers of the files of a kind."""
    names = [Path(one) for one in os.listdir(folder)]
    return sorted(int(one.stem) for one in names if one.suffix == suffix and one.stem.isdecimal())


def _checkpoint(
    folder: str, empty: Callable[[], Account], ordinals: list[int], notes: list[str]
) -> tuple[int, Checkpoint]:
    """Choose where to begin: the newest checkpoint, or the first segment of all."""
    last = max(ordinals, default=0)
    for ordinal in reversed(ordinals_of(folder, checkpoints.SUFFIX)):
        path = checkpoint(folder, ordinal)
        if ordinal > last + 1:
            continue  # of a journal that is being written, beyond what is asked for
        try:
            trusted(path)
            return ordinal, checkpoints.read(path)
        except (ValueError, OSError) as error:
            notes.append(f"{path} is not used: {error}")
    if ordinals and ordinals[0] != 1:
        raise JournalError(f"{folder}: segments before {ordinals[0]} are gone, and no checkpoint can be used; {ASK}")
    return 1, Checkpoint(0, -1, empty(), {})


def _last_used(folder: str, ordinals: list[int]) -> int:
    """Give the last segment that has anything: one that was made ready and not used is empty, or gone."""
    used = [one for one in ordinals if any(_pieces(segment(folder, one)))]
    return used[-1] if used else -1


def _pieces(path: str) -> Iterator[bool]:
    with open(path, "rb") as file:
        while piece := file.read(2**16):
            yield bool(piece.strip(b"\0"))


def _read(path: str, after: int, *, last: bool, notes: list[str]) -> list[Record]:
    trusted(path)
    data = Path(path).read_bytes().rstrip(b"\0")
    records, tail = read(data, after)
    if not tail.why:
        return records
    if not last or not (tail.is_torn or _is_hole(data, tail)):
        raise JournalError(
            f"{path}: wrong at byte {tail.offset}, behind record {after + tail.records}: {tail.why}; {ASK}"
        )
    _cut(path, data, tail)
    notes.append(
        f"{path}: a crash has torn off the end: {len(data) - tail.offset} bytes behind record {after + tail.records} "
        f"are kept in {path}{CUT}"
    )
    return records


def _shorten(path: str) -> None:
    """Give back the room that was reserved and not used."""
    end = len(Path(path).read_bytes().rstrip(b"\0"))
    if end < os.path.getsize(path):
        os.truncate(path, end)


def _is_hole(data: bytes, tail: Tail) -> bool:
    """Say whether a page that the disk never got is what is wrong."""
    end = data.find(b"\n", tail.offset)
    return b"\0" in data[tail.offset : end if end >= 0 else len(data)]


def _cut(path: str, data: bytes, tail: Tail) -> None:
    Path(path + CUT).write_bytes(data[tail.offset :])
    os.chmod(path + CUT, 0o600)
    os.truncate(path, tail.offset)


def trusted(path: str) -> None:
    """Believe only what nobody else could have written or read. Raises: JournalError."""
    seen = os.stat(path)
    if seen.st_mode & _OTHERS or seen.st_uid not in (0, os.geteuid()):
        raise JournalError(f"{path}: others may read or write it: chmod 600, chown to who runs this")
