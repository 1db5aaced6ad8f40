"""The journal: what it keeps, what it survives, and what it refuses to believe."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from netfeed.host.tune.form import Form
from netfeed.host.tune.journal import Journal, JournalError
from netfeed.host.tune.where import Place

MEMORY = Place("file", "proc/sys/net/core/rmem_max")
PAGES = Place("file", "sys/kernel/mm/transparent_hugepage/enabled")
HEAD = '{"netfeed_tune": 1, "root": "/"}\n'
END = '{"end": "apply"}\n'
SET = '{"set": "file:proc/sys/a", "form": "number", "old": "1", "new": "2", "boot": "b"}\n'


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o600)
    return path


def loaded(path: Path) -> Journal:
    journal = Journal(path)
    journal.load()
    return journal


def test_the_first_old_value_is_the_original(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.json")
    with journal.held():
        journal.set(MEMORY, Form.NUMBER, "1", "2", "boot")
        journal.set(MEMORY, Form.NUMBER, "2", "3", "boot")
        journal.kept(MEMORY, "4")
    (entry,) = loaded(tmp_path / "j.json").entries.values()
    assert (entry.old, entry.ours) == ("1", ["2", "3", "4"])
    assert [json.loads(line).get("old") for line in (tmp_path / "j.json").read_text().splitlines()] == [
        None,
        "1",
        "1",
        None,
    ]
    assert entry.is_ours("0x3")
    assert not entry.is_ours("1")


def test_another_boot_has_another_original(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.json")
    with journal.held():
        journal.set(MEMORY, Form.NUMBER, "1", "2", "old boot")
        journal.set(MEMORY, Form.NUMBER, "7", "8", "new boot")
    (entry,) = loaded(tmp_path / "j.json").entries.values()
    assert (entry.old, entry.ours, entry.boot) == ("7", ["8"], "new boot")


def test_it_is_on_the_disk_before_set_returns_and_gone_with_its_last_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{fd}"))
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    path = tmp_path / "deep" / "j.json"
    journal = Journal(path)
    with journal.held():
        journal.set(MEMORY, Form.NUMBER, "1", "2", "")
        assert synced == [str(path), str(path.parent), str(path)]
        assert path.stat().st_mode & 0o777 == 0o600
        journal.done(MEMORY)
        journal.close_empty()
        assert not path.exists()
        journal.set(PAGES, Form.CHOICE, "madvise", "never", "")
    assert list(loaded(path).entries) == [PAGES.key]


@pytest.mark.parametrize("torn", ['{"set": "file:proc/sys/b", "fo', "{", '{"done": "file:proc/sys/a"}', "\0\0\0\0"])
def test_half_a_line_is_a_change_that_was_never_made(tmp_path: Path, torn: str) -> None:
    path = written(tmp_path / "j.json", HEAD + SET + END + torn)
    assert list(loaded(path).entries) == ["file:proc/sys/a"]
    journal = Journal(path)
    with journal.held():
        journal.set(MEMORY, Form.NUMBER, "1", "2", "")
    assert path.read_text().startswith(HEAD + SET + END + '{"set": "file:proc/sys/net')
    assert len(loaded(path).entries) == 2


def test_the_last_change_of_an_apply_that_did_not_end_is_ours_whatever_it_became(tmp_path: Path) -> None:
    path = written(tmp_path / "j.json", HEAD + SET.replace("sys/a", "sys/b") + SET)
    first, last = loaded(path).entries.values()
    assert (first.is_ours("99"), last.is_ours("99")) == (False, True)
    journal = Journal(path)
    with journal.held():  # another apply goes on, and ends
        journal.set(MEMORY, Form.NUMBER, "1", "2", "")
        journal.end()
    first, unsure, memory = loaded(path).entries.values()
    assert [one.is_ours("99") for one in (first, unsure, memory)] == [False, True, False]
    with journal.held():  # and one that sets it again knows
        journal.set(unsure.place, Form.NUMBER, "1", "3", "b")
        journal.end()
    assert [one.is_ours("99") for one in loaded(path).entries.values()] == [False, False, False]


def test_a_journal_is_of_one_network_namespace(tmp_path: Path) -> None:
    path = tmp_path / "j.json"
    with (journal := Journal(path, boot="b", net="net:[1]")).held():
        journal.set(MEMORY, Form.NUMBER, "1", "2", "b")
    before = path.read_bytes()
    with pytest.raises(JournalError, match=r"of the network namespace net:\[1\], and this is net:\[2\]: run it there"):
        Journal(path, boot="b", net="net:[2]").load()
    assert path.read_bytes() == before
    with (journal := Journal(path, boot="b", net="net:[1]")).held():
        assert list(journal.entries) == [MEMORY.key]


def test_after_a_boot_it_begins_anew_whatever_namespace_that_is(tmp_path: Path) -> None:
    path = tmp_path / "j.json"
    for boot, net in (("b", "net:[1]"), ("c", "net:[2]")):
        with (journal := Journal(path, boot=boot, net=net)).held():
            assert len(journal.entries) == (boot == "c")  # a revert can still say that they are gone
            journal.set(PAGES if boot == "c" else MEMORY, Form.NUMBER, "1", "2", boot)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0] == {"netfeed_tune": 1, "root": "/", "boot": "c", "net": "net:[2]"}
    assert [line["set"] for line in lines[1:]] == [PAGES.key]
    with pytest.raises(JournalError, match="of the network namespace"):
        Journal(path, boot="c", net="net:[1]").load()


def test_a_journal_that_names_no_namespace_is_believed(tmp_path: Path) -> None:
    journal = Journal(written(tmp_path / "j.json", HEAD + SET), boot="b", net="net:[1]")
    with journal.held():
        journal.set(MEMORY, Form.NUMBER, "1", "2", "b")
    assert len(loaded(journal.path).entries) == 2


@pytest.mark.parametrize("torn", ["", '{"netfeed_tu'])
def test_an_empty_file_and_half_a_head_are_an_empty_journal(tmp_path: Path, torn: str) -> None:
    path = written(tmp_path / "j.json", torn)
    journal = Journal(path)
    with journal.held():
        assert journal.entries == {}
        journal.set(MEMORY, Form.NUMBER, "1", "2", "")
    assert json.loads(path.read_text().splitlines()[0]) == {"netfeed_tune": 1, "root": "/"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"netfeed_tune": 2, "root": "/"}\n', "version 2"),
        ('{"netfeed_tune": 1, "root": "/copy"}\n', "of the tree '/copy'"),
        (SET, "version None"),
        ("[]\n", "not a line of a journal"),
        ("1\n", "not a line of a journal"),
        (HEAD + '{"end": "revert"}\n', "'end' is no word of a journal"),
        (HEAD + '{"unsure": "file:proc/sys/a"}\n', "not under way"),
        (HEAD + "{}\n", "'nothing' is no word"),
        ("no json\n", "not a line of a journal"),
        (HEAD + "{\n" + SET, "line 2"),
        (HEAD + '{"set": "file:proc/sys/a"}\n', "missing"),
        (HEAD + SET.replace("number", "prose"), "prose"),
        (HEAD + SET.replace("proc/sys/a", "etc/passwd"), "not a setting"),
        (HEAD + SET.replace('"1"', "1"), "no text"),
        (HEAD + '{"done": "file:proc/sys/a"}\n', "not under way"),
        (HEAD + '{"kept": "file:proc/sys/a", "value": "1"}\n', "not under way"),
        (HEAD + "[" * 100_000 + "\n", "not a line of a journal"),
        (b"\xff\xfe\n", "line 1"),
    ],
)  # fmt: skip
def test_a_journal_of_another_version_or_a_damaged_one_is_refused(tmp_path: Path, text: str | bytes, said: str) -> None:
    path = written(tmp_path / "j.json", text)
    before = path.read_bytes()
    with pytest.raises(JournalError, match=said) as raised, Journal(path).held():
        pass
    assert "move the file away" in str(raised.value)
    assert path.read_bytes() == before


def test_a_journal_that_others_can_write_is_not_believed(tmp_path: Path) -> None:
    path = written(tmp_path / "j.json", HEAD + SET)
    path.chmod(0o622)
    with pytest.raises(JournalError, match="others can write it"):
        loaded(path)


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "j.json").symlink_to(written(tmp_path / "other", HEAD + SET))
    with pytest.raises(JournalError, match=os.strerror(errno.ELOOP)):
        loaded(tmp_path / "j.json")


def test_a_full_disk_changes_nothing_and_leaves_no_half_a_line(tmp_path: Path) -> None:
    path = written(tmp_path / "j.json", HEAD + SET)

    def full(fd: int, data: bytes) -> int:
        os.write(fd, data[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    journal = Journal(path, write=full)
    with journal.held():
        with pytest.raises(JournalError, match="without a journal nothing more is changed"):
            journal.set(MEMORY, Form.NUMBER, "1", "2", "")
        assert list(journal.entries) == ["file:proc/sys/a"]
    assert path.read_text() == HEAD + SET


def test_on_a_full_disk_what_is_done_is_forgotten_and_the_file_still_goes(tmp_path: Path) -> None:
    path = written(tmp_path / "j.json", HEAD + SET + SET.replace("sys/a", "sys/b"))

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    journal = Journal(path, write=full)
    with journal.held():
        first, second = journal.entries.values()
        journal.kept(second.place, "9")
        journal.end()
        journal.done(second.place)
        assert list(loaded(path).entries) == [first.place.key, second.place.key]
        assert loaded(path).entries[second.place.key].is_ours("9")
        journal.done(first.place)
        journal.close_empty()
    assert not path.exists()


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_is_no_journal(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "j.json")
    with pytest.raises(JournalError, match=r"j\.json: no file: name another"), Journal(tmp_path / "j.json").held():
        pass


def test_a_write_of_a_part_is_gone_on_with(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.json", write=lambda fd, data: os.write(fd, data[:3]))
    with journal.held():
        journal.set(MEMORY, Form.NUMBER, "1", "2", "")
    assert list(loaded(tmp_path / "j.json").entries) == [MEMORY.key]


HOLD = """
import sys, pathlib
from netfeed.host.tune.journal import Journal
with Journal(pathlib.Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_at_a_time_and_the_other_is_named(tmp_path: Path) -> None:
    path = tmp_path / "j.json"
    program = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(JournalError, match=rf"pid {holder.pid}\) is at work"), Journal(path).held():
            pass
        holder.kill()
    with Journal(path).held():
        pass


def test_a_place_where_no_journal_can_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="name another with --journal"), Journal(tmp_path / "file" / "j.json").held():
        pass
