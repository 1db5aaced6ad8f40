"""An account as it was before a segment of the journal, so that a restart reads what came since and no more.

    netfeed checkpoint VERSION LAYOUT NUMBER CRC\\n     then the account and what was decided and not sent, pickled

NUMBER is that of the last record in it. VERSION and LAYOUT (of the code that the objects are of) must be those of who
reads: objects of other code are not believed, the records before are read instead. Only classes of an account come out
of the pickle, whatever the file says: it can make orders, and run nothing.
"""

import io
import os
import pickle
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import netfeed
from netfeed.app.trading.kill import sync_folder
from netfeed.engine.account import Account
from netfeed.engine.journal import Waiting

SUFFIX: Final = ".checkpoint"
_ROOMS: Final = ("netfeed.engine.", "netfeed.book.")
_OTHERS: Final = frozenset({("collections", "Counter"), ("collections", "deque"), ("fractions", "Fraction")})


@dataclass(slots=True)
class Checkpoint:
    """An account after the record `number`. `run`: that of the last run in it, -1 before the first."""

    number: int
    run: int
    account: Account
    waiting: Waiting


class _Reader(pickle.Unpickler):
    """Makes nothing but what an account consists of."""

    def find_class(self, module: str, name: str) -> Any:
        if "." not in name and (module.startswith(_ROOMS) or (module, name) in _OTHERS):
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module:
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is no part of an account")


def write(path: str, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all. Raises: OSError."""
    body = pickle.dumps((checkpoint.run, checkpoint.account, checkpoint.waiting), 5)
    head = f"netfeed checkpoint {netfeed.__version__} {layout():08x} {checkpoint.number} {zlib.crc32(body):08x}\n"
    made = f"{path}.{os.getpid()}"
    fd = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "wb") as file:
            file.write(head.encode() + body)
            file.flush()
            os.fsync(fd)
        os.rename(made, path)
    except BaseException:
        os.unlink(made)
        raise
    sync_folder(path)


def read(path: str) -> Checkpoint:
    """Read a checkpoint. Raises: OSError; ValueError which says why it is not believed."""
    data = Path(path).read_bytes()
    head, _, body = data.partition(b"\n")
    words = head.decode("ascii", "replace").split(" ")
    if len(words) != 6 or words[:2] != ["netfeed", "checkpoint"]:
        raise ValueError("it is no checkpoint")
    if words[2:4] != [netfeed.__version__, f"{layout():08x}"]:
        raise ValueError(f"it was made by netfeed {words[2]} of other code")
    if words[5] != f"{zlib.crc32(body):08x}":
        raise ValueError("its checksum is wrong")
    try:
        run, account, waiting = _Reader(io.BytesIO(body)).load()
        return Checkpoint(int(words[4]), run, account, waiting)
    except Exception as error:  # a pickle may fail in any way
        raise ValueError(f"it cannot be read: {error}") from None


@cache
def layout() -> int:
    """Give a checksum of the code whose objects a checkpoint holds."""
    return _checksum(Path(netfeed.__file__).parent, Path.read_bytes)


def _checksum(house: Path, text: Callable[[Path], bytes]) -> int:
    files = sorted(path for room in ("engine", "book") for path in (house / room).glob("*.py"))
    total = 0
    for path in files:
        total = zlib.crc32(text(path), total)
    return total
