"""Begin a run of an account where the last one ended, however it did: the journal's lock, its account, a new run.

    begun = restart("orders", lambda: Account(contracts, protections=...), now)
    begun.account          all that was open is UNCERTAIN, and nothing but cancels passes until a list has agreed
    begun.ids              client ids of a run of its own: none is ever given twice
    begun.journal.record   the sink of the engine

A journal is written by one process at a time (`lock`). The first run of a journal is numbered by the time, not from 0:
a journal that was moved away must not give the client ids of the runs before it again. Each run begins a segment, with
a checkpoint before it, so that what was read once is not read again.
"""

import fcntl
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from netfeed.app.trading import checkpoint as checkpoints
from netfeed.app.trading.checkpoint import Checkpoint
from netfeed.app.trading.compaction import Compactor
from netfeed.app.trading.journal_contracts import check, read_contracts, write_contracts
from netfeed.app.trading.journal_files import JournalError, Recovered, checkpoint, recover
from netfeed.app.trading.order_journal import OrderJournal
from netfeed.engine.account import Account
from netfeed.engine.client_ids import ClientIds
from netfeed.engine.contract import Contract
from netfeed.engine.journal import Began, replay

LOCK: Final = "lock"
EPOCH_S: Final = 1_577_836_800
"""2020-01-01: seconds since then fit the number of a run until 2088."""


class Lock:
    """The right to write a journal; the kernel takes it back whatever ends the process."""

    def __init__(self, folder: str) -> None:
        """Take it, and make the folder if there is none. Raises: JournalError when another process has it."""
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            self._fd = os.open(os.path.join(folder, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(f"{folder}: {error.strerror}; name a folder that this user may write") from None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip() or "?"
            os.close(self._fd)
            raise JournalError(
                f"{folder}: process {owner} writes this journal; two engines never share one: stop it, or name another"
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, b"%d\n" % os.getpid(), 0)

    def release(self) -> None:
        """Give it back."""
        os.close(self._fd)


@dataclass(slots=True)
class Begun:
    """A run that has begun. `read`: records since the checkpoint; `notes`: what an operator should know."""

    account: Account
    ids: ClientIds
    journal: OrderJournal
    lock: Lock
    compactor: Compactor | None
    read: int
    notes: list[str]

    def close(self) -> bool:
        """End the run; say whether the disk has all of it."""
        done = self.journal.close()
        if self.compactor is not None:
            self.compactor.close()
        self.lock.release()
        return done


def restart(
    folder: str, empty: Callable[[], Account], now: int, wall_ns: int, *, sessions: Mapping[int, str] | None = None,
    compacts: bool = True, **settings: Any,
) -> Begun:  # fmt: skip
    """Take the journal's lock, make its account again, and begin another run of it.

    `empty` makes an account with the contracts and protections of today; `sessions`: the venue of each session by its
    number, so that whose a list was is known when it is read again; `compacts`: another process makes checkpoints while
    the run goes on; `settings` are those of `OrderJournal`. Units: `now` monotonic ns, `wall_ns` since 1970.
    Raises: JournalError.
    """
    lock = Lock(folder)
    try:
        known, fresh = read_contracts(folder), empty()
        check(known, fresh.contracts)
        found = recover(folder, lambda: _knowing(empty(), known))
        found.account.resume(fresh, now)
        write_contracts(folder, {**known, **fresh.contracts})
        run = found.run + 1 if found.run >= 0 else max(0, wall_ns // 10**9 - EPOCH_S)
        began = Began(now, run, dict(sessions or {}))
        return _begin(folder, found, began, lock, Compactor(folder) if compacts else None, settings)
    except OSError as error:
        lock.release()
        raise JournalError(f"{folder}: {error.strerror}; it takes room and a disk that works") from None
    except BaseException:
        lock.release()
        raise


def _begin(
    folder: str, found: Recovered, began: Began, lock: Lock, compactor: Compactor | None, settings: dict[str, Any]
) -> Begun:
    """Write the checkpoint, and the first record of the run to the disk before anything else can happen."""
    ordinal = found.ordinal + 1
    checkpoints.write(checkpoint(folder, ordinal), Checkpoint(found.number, found.run, found.account, {}))
    full = (lambda segment: None) if compactor is None else compactor.full
    try:
        journal = OrderJournal(folder, first=ordinal, number=found.number, full=full, **settings)
    except BaseException:
        if compactor is not None:
            compactor.close()
        raise
    journal.record(began)
    replay([began], found.account)
    begun = Begun(found.account, ClientIds(began.run), journal, lock, compactor, found.read, found.notes)
    if not journal.flush():
        begun.close()
        raise JournalError(f"{folder}: {journal.trouble(began.at) or 'the disk hangs'}")
    return begun


def _knowing(account: Account, known: Mapping[int, Contract]) -> Account:
    account.know({**known, **account.contracts})
    return account
