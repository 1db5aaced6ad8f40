"""The order journal: what is recorded outlives the process, restarts go on where it ended, what is wrong is said."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from netfeed.app.trading import checkpoint, journal_files
from netfeed.app.trading.checkpoint import Checkpoint
from netfeed.app.trading.compaction import compact
from netfeed.app.trading.journal_contracts import indexes, read_contracts
from netfeed.app.trading.journal_files import JournalError, recover, segment
from netfeed.app.trading.journal_segment import Segment
from netfeed.app.trading.order_journal import OrderJournal
from netfeed.app.trading.restart import EPOCH_S, Begun, restart
from netfeed.book.execution import Accepted, Ask, Filled, List, New
from netfeed.book.level import Side
from netfeed.engine.account import Account
from netfeed.engine.client_ids import run_of
from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.journal import Decided, Heard, Record, Sent, Unsent, Woke
from netfeed.engine.mmp import Protection
from netfeed.engine.order import State
from netfeed.machine import NEVER
from tests.transport.waiting import until

WALL = (EPOCH_S + 1000) * 10**9
SMALL = 4096
PERPETUAL = Contract(1, "BTC-PERPETUAL", Payoff.PERPETUAL, "BTC", True, -1, 0, 5, 1, multiplier=10.0)
FUTURE = Contract(2, "BTC-FUTURE", Payoff.FUTURE, "BTC", True, -1, 0, 5, 1, multiplier=10.0)


def empty() -> Account:
    return Account({1: PERPETUAL})


def begin(folder: Path, now: int = 0, *, compacts: bool = False, **settings: int) -> Begun:
    return restart(str(folder), empty, now, WALL, compacts=compacts, **settings)


def trade(one: Begun, count: int, now: int = 1) -> None:
    """Have so many orders accepted and filled, each a lot of 1, recorded as they are done."""
    for _ in range(count):
        order = New(one.ids.take(), 1, Side.BID, 600_000, 2)
        said = Accepted(order.client_id, 1, order.client_id, 600_000, 2, 0, True, None)
        fill = Filled(order.client_id, 1, order.client_id, order.client_id, Side.BID, 600_000, 1, 1, True, None)
        records: list[Record] = [
            Decided(now, 7, order), Sent(now, 1, Ask.NEW, order.client_id), Heard(now, said), Heard(now, fill)
        ]  # fmt: skip
        for record in records:
            one.journal.record(record)
        one.account.decide(order, now)
        one.account.sent(order, 1, now)
        one.account.apply(said, now)
        one.account.apply(fill, now)


def test_a_run_goes_on_where_the_one_before_it_ended_and_doubts_what_was_open(tmp_path: Path) -> None:
    one = begin(tmp_path)
    assert (one.ids.run, one.read, one.notes) == (1000, 0, [])  # seconds of the wall: a new journal repeats no ids
    trade(one, 3)
    assert one.close()
    before = one.account
    again = begin(tmp_path, now=5)
    assert (again.ids.run, again.read) == (1001, 1 + 3 * 4)
    assert again.account.positions.snapshot() == before.positions.snapshot()
    assert [order.state for order in again.account.orders.open()] == [State.UNCERTAIN] * 3
    assert not again.account.agrees
    trade(again, 2)
    again.close()
    third = begin(tmp_path)
    assert (third.read, third.account.positions[1].quantity) == (1 + 2 * 4, 5)  # only what came since the checkpoint
    ids = [order.client_id for order in third.account.orders.open()]
    assert len(set(ids)) == 5
    assert {run_of(one) for one in ids} == {1000, 1001}
    third.close()


def test_many_segments_are_one_journal_with_or_without_checkpoints(tmp_path: Path) -> None:
    one = begin(tmp_path, size=SMALL)
    for _ in range(40):
        trade(one, 1)
        one.journal.flush()  # a test's records come faster than any disk makes segments
    one.close()
    assert len(journal_files.ordinals_of(str(tmp_path), ".orders")) > 4
    assert compact(str(tmp_path), 4) > 50
    with_checkpoint = recover(str(tmp_path), empty)
    for path in tmp_path.glob("*.checkpoint"):
        path.unlink()
    whole = recover(str(tmp_path), empty)
    assert (whole.read, whole.number) == (1 + 160, 1 + 160)
    assert with_checkpoint.read < whole.read
    assert with_checkpoint.account.snapshot() == whole.account.snapshot() == one.account.snapshot()


def test_another_process_makes_checkpoints_of_a_run_that_goes_on(tmp_path: Path) -> None:
    one = begin(tmp_path, size=SMALL, compacts=True)
    assert one.compactor is not None
    for _ in range(30):
        trade(one, 1)
        one.journal.flush()
    one.journal.close()
    one.compactor.close(30)
    assert one.compactor.told >= 3
    newest = journal_files.ordinals_of(str(tmp_path), ".checkpoint")
    assert len(newest) == 2
    assert newest[-1] == one.compactor.told + 1
    assert recover(str(tmp_path), empty).account.snapshot() == one.account.snapshot()
    one.lock.release()


def test_a_checkpoint_between_decided_and_sent_keeps_what_waits(tmp_path: Path) -> None:
    one = begin(tmp_path, size=SMALL)
    order = New(one.ids.take(), 1, Side.BID, 600_000, 2)
    one.account.decide(order, 1)
    one.journal.record(Decided(1, 7, order))
    compact_at = len(journal_files.ordinals_of(str(tmp_path), ".orders"))
    assert compact(str(tmp_path), compact_at) == 2
    one.account.unsent(order, 1)
    one.journal.record(Unsent(1, Ask.NEW, order.client_id))
    one.close()
    held = checkpoint.read(journal_files.checkpoint(str(tmp_path), compact_at))
    assert list(held.waiting.values()) == [order]


def test_a_torn_tail_is_cut_kept_and_said(tmp_path: Path) -> None:
    one = begin(tmp_path)
    trade(one, 2)
    one.close()
    path = Path(segment(str(tmp_path), 1))
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    for cut in range(len(data) - len(lines[-1]) + 1, len(data), 7):
        path.write_bytes(data[:cut] + b"\0" * 100)
        found = recover(str(tmp_path), empty)
        assert found.number == len(lines) - 1
        assert "torn off the end" in found.notes[0]
        assert path.read_bytes() == b"".join(lines[:-1])
        assert Path(f"{path}.cut").read_bytes() == data[: cut].removeprefix(b"".join(lines[:-1]))  # fmt: skip
        assert Path(f"{path}.cut").stat().st_mode & 0o077 == 0


def test_pages_that_the_disk_never_got_are_a_torn_tail(tmp_path: Path) -> None:
    one = begin(tmp_path)
    trade(one, 20)
    one.close()
    path = Path(segment(str(tmp_path), 1))
    data = bytearray(path.read_bytes())
    data[2000:3000] = bytes(1000)
    path.write_bytes(data)
    found = recover(str(tmp_path), empty)
    assert "torn off the end" in found.notes[0]
    assert found.read == data[:2000].count(b"\n")


def test_what_no_crash_does_asks_a_person(tmp_path: Path) -> None:
    one = begin(tmp_path)
    trade(one, 3)
    one.close()
    path = Path(segment(str(tmp_path), 1))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"600000", b"600005", 1))
    with pytest.raises(JournalError, match=r"wrong at byte \d+, .*checksum is wrong; no crash"):
        begin(tmp_path)
    path.write_bytes(data)
    begin(tmp_path).close()
    begin(tmp_path).close()
    Path(segment(str(tmp_path), 2)).unlink()
    for made in tmp_path.glob("*.checkpoint"):
        made.unlink()
    with pytest.raises(JournalError, match="a segment is missing between 1 and 3"):
        begin(tmp_path)


def test_a_segment_that_ends_early_with_others_behind_it_is_no_crash(tmp_path: Path) -> None:
    one = begin(tmp_path)
    trade(one, 2)
    one.close()
    begin(tmp_path).close()
    for made in tmp_path.glob("*.checkpoint"):
        made.unlink()
    path = Path(segment(str(tmp_path), 1))
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))  # a whole line less
    with pytest.raises(JournalError, match="record 10 follows 8"):
        recover(str(tmp_path), empty)


def test_a_checkpoint_that_is_damaged_or_of_other_code_is_said_and_not_used(tmp_path: Path) -> None:
    one = begin(tmp_path)
    trade(one, 2)
    one.close()
    begin(tmp_path).close()
    newest = Path(journal_files.checkpoint(str(tmp_path), 2))
    data = newest.read_bytes()
    for damaged, why in (
        (data[:-1], "checksum"), (data.replace(b"checkpoint 0", b"checkpoint 9", 1), "other code"), (b"x", "no checkp")
    ):  # fmt: skip
        newest.write_bytes(damaged)
        found = recover(str(tmp_path), empty)
        assert why in found.notes[0]
        assert found.account.positions[1].quantity == 2


def test_a_checkpoint_makes_an_account_and_runs_nothing(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return os.system, (f"touch {tmp_path}/evil",)

    for evil in (Evil(), subprocess.Popen, json_loads_by_a_dot()):
        path = str(tmp_path / "00000001.checkpoint")
        checkpoint.write(path, Checkpoint(0, 0, evil, {}))  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="is no part of an account"):
            checkpoint.read(path)
    assert not (tmp_path / "evil").exists()


def json_loads_by_a_dot() -> object:
    """Give what pickles as a function of a module of ours."""
    return journal_files.replay


def test_two_engines_never_share_a_journal(tmp_path: Path) -> None:
    one = begin(tmp_path)
    with pytest.raises(JournalError, match=f"process {os.getpid()} writes this journal"):
        begin(tmp_path)
    one.close()
    begin(tmp_path).close()


def test_everything_is_ours_alone_and_what_others_could_write_is_not_believed(tmp_path: Path) -> None:
    folder = tmp_path / "orders"
    begin(folder).close()
    assert folder.stat().st_mode & 0o077 == 0
    assert [one.name for one in folder.iterdir() if one.stat().st_mode & 0o077] == []
    Path(segment(str(folder), 1)).chmod(0o620)
    Path(journal_files.checkpoint(str(folder), 1)).unlink()
    with pytest.raises(JournalError, match="chmod 600"):
        begin(folder)


def test_an_index_is_for_ever(tmp_path: Path) -> None:
    begin(tmp_path).close()
    assert read_contracts(str(tmp_path)) == {1: PERPETUAL}
    assert indexes(str(tmp_path), ["BTC-FUTURE", "BTC-PERPETUAL"]) == {"BTC-FUTURE": 2, "BTC-PERPETUAL": 1}
    moved = Contract(2, "BTC-PERPETUAL", Payoff.PERPETUAL, "BTC", True, -1, 0, 5, 1)
    with pytest.raises(JournalError, match="BTC-PERPETUAL has index 2, and it had 1"):
        restart(str(tmp_path), lambda: Account({2: moved}), 0, WALL, compacts=False)
    one = restart(str(tmp_path), lambda: Account({2: FUTURE}), 0, WALL, compacts=False)
    assert one.account.contracts == {1: PERPETUAL, 2: FUTURE}  # what is not listed any more stays known
    one.close()
    with pytest.raises(JournalError, match="has index 1, and 1 was BTC-PERPETUAL"):
        restart(
            str(tmp_path),
            lambda: Account({1: Contract(1, "X", Payoff.SPOT, "X", False, 0, 0, 1, 1)}),
            0,
            WALL,
            compacts=False,
        )


def test_what_is_held_at_one_venue_is_not_taken_over_by_another(tmp_path: Path) -> None:
    restart(str(tmp_path), lambda: Account({1: replace(PERPETUAL, venue="a")}), 0, WALL, compacts=False).close()
    with pytest.raises(JournalError, match=r"BTC-PERPETUAL is at b, and was at a in the journal"):
        restart(str(tmp_path), lambda: Account({1: replace(PERPETUAL, venue="b")}), 0, WALL, compacts=False)


def test_settings_of_today_hold_and_a_freeze_of_another_start_of_the_machine_ends(tmp_path: Path) -> None:
    def with_group(frozen_ns: int, number: int = 3) -> Account:
        return Account({1: PERPETUAL}, protections={number: Protection(10, frozen_ns)}, answer_ns=frozen_ns)

    one = restart(str(tmp_path), lambda: with_group(50), 10**15, WALL, compacts=False)
    one.account.groups[3].trip("delta", 10**15 + 50)
    one.close()
    found = recover(str(tmp_path), empty)
    found.account.groups[3].trip("delta", 10**15 + 50)
    found.account.resume(with_group(70), 5)  # the machine was started again: its clock begins anew
    assert (found.account.groups[3].until, found.account.groups[3].protection.frozen_ns) == (75, 70)
    found.account.groups[3].trip("vega", NEVER)
    found.account.resume(with_group(70), 5)
    assert found.account.groups[3].until == NEVER
    found.account.orders.decide(New(9 << 32, 1, Side.BID, 600_000, 1), 100)
    assert found.account.deadline == 170


# --- the disk


def fill_up(monkeypatch: pytest.MonkeyPatch, code: int, name: str) -> None:
    """Have the kernel's word for a disk that does not work come out of one of its calls."""

    def fails(*given: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, name, fails)


def until_trouble(journal: OrderJournal) -> str:
    until(lambda: journal.trouble(time.monotonic_ns()) != "")
    return journal.trouble(time.monotonic_ns())


def test_a_full_disk_is_said_a_segment_early_and_what_was_recorded_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = begin(tmp_path, size=SMALL)
    with monkeypatch.context() as full:
        fill_up(full, errno.ENOSPC, "posix_fallocate")
        while one.journal.statistics(0).segments == 1:
            trade(one, 1)
        assert "No space left on device; nothing is quoted until" in until_trouble(one.journal)
        assert one.journal.statistics(0).lost == 0
        one.journal.record(Decided(2, 0, List(one.ids.take())))  # there is room for what takes the orders out
        assert one.journal.flush()
    assert not one.close()
    found = recover(str(tmp_path), empty)
    assert found.account.positions.snapshot() == one.account.positions.snapshot()


def test_a_disk_that_fails_is_trouble_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = begin(tmp_path)
    with monkeypatch.context() as broken:
        fill_up(broken, errno.EIO, "fdatasync")
        trade(one, 1)
        assert "Input/output error" in until_trouble(one.journal)
    assert one.journal.flush()  # the kernel tells an error once: what it says afterwards is not believed
    assert one.journal.trouble(time.monotonic_ns())
    assert not one.close()


def test_a_disk_that_hangs_is_trouble_and_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = begin(tmp_path, max_lag_ns=20_000_000)
    works, waited_out = threading.Event(), list[int]()
    with monkeypatch.context() as hanging:
        hanging.setattr(os, "fdatasync", lambda fd: works.wait(60) or waited_out.append(fd))
        trade(one, 1)
        assert "behind; is it slow, or does it hang?" in until_trouble(one.journal)
        trade(one, 5)
        works.set()
    assert not waited_out, "the loop waited for the disk"
    assert one.account.positions[1].quantity == 6
    one.close()
    assert recover(str(tmp_path), empty).account.positions[1].quantity == 6


def test_what_there_is_no_room_for_is_refused_and_so_is_all_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = begin(tmp_path, size=SMALL)
    with monkeypatch.context() as full:
        fill_up(full, errno.ENOSPC, "posix_fallocate")
        with pytest.raises(JournalError, match="no room for 1 records"):
            trade(one, 30)
        with pytest.raises(JournalError, match="no room for 2 records"):
            one.journal.record(Woke(1))  # it would fit: but nothing is taken behind a hole
        assert one.journal.statistics(0).lost == 2
        assert one.journal.trouble(0)
    one.close()
    assert recover(str(tmp_path), empty).notes == []  # the numbers go on: nothing is torn


def test_a_start_on_a_full_disk_is_refused_and_leaves_the_journal_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        fill_up(full, errno.ENOSPC, "posix_fallocate")
        with pytest.raises(JournalError, match="No space left on device; it takes room"):
            begin(tmp_path, compacts=True)
    begin(tmp_path).close()


def test_a_folder_that_cannot_be_written_says_what_it_takes(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="name a folder that this user may write"):
        begin(tmp_path / "file" / "orders")


def test_a_segment_says_when_it_is_full_and_takes_nothing_of_what_does_not_fit(tmp_path: Path) -> None:
    one = Segment(str(tmp_path / "1.orders"), 8)
    assert one.append(b"12345")
    assert not one.append(b"6789")
    assert one.append(b"678")
    assert (one.sync(), one.sync()) == (8, 0)
    one.close()
    assert (tmp_path / "1.orders").read_bytes() == b"12345678"


WRITER = """
import os, signal, sys
from netfeed.app.trading.order_journal import OrderJournal
from netfeed.engine.journal import Woke
one = OrderJournal(sys.argv[1], commit_ns=10**12)
for number in range(int(sys.argv[2])):
    one.record(Woke(number))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("count", [1, 100, 3333])
def test_a_kill_9_loses_nothing_that_was_recorded_though_nothing_was_synced(tmp_path: Path, count: int) -> None:
    done = subprocess.run([sys.executable, "-c", WRITER, str(tmp_path), str(count)], check=False)
    assert done.returncode == -signal.SIGKILL
    found = recover(str(tmp_path), empty)
    assert (found.number, found.notes) == (count, [])
