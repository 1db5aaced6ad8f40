"""Numbers of a session that outlive the process: in never behind what was handed on, out never used twice."""

from pathlib import Path

import pytest

from netfeed.app.trading.journal_files import JournalError
from netfeed.app.trading.session_numbers import AHEAD, SessionNumbers
from netfeed.proto.starbase_state import MAX_GAP, Sequences


def test_there_are_none_before_the_first(tmp_path: Path) -> None:
    assert SessionNumbers(str(tmp_path / "a")).known is None
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_what_is_stored_is_there_without_a_word_of_goodbye(tmp_path: Path) -> None:
    one = SessionNumbers(str(tmp_path / "a"))
    one.store(7, 9)
    assert SessionNumbers(str(tmp_path / "a")).known == Sequences(7 + AHEAD, 9)


def test_what_goes_out_is_always_stored_ahead(tmp_path: Path) -> None:
    one = SessionNumbers(str(tmp_path / "a"))
    for out in range(1, 3 * AHEAD, 7):
        one.store(out, 1)
        known = SessionNumbers(str(tmp_path / "a")).known
        assert known is not None
        assert out + AHEAD // 2 <= known.next_out <= out + AHEAD < out + MAX_GAP


def test_what_is_sent_while_reports_are_handed_on_leaves_the_number_of_what_came(tmp_path: Path) -> None:
    one = SessionNumbers(str(tmp_path / "a"))
    one.store(7, 9)
    one.reserve(7 + AHEAD)
    assert SessionNumbers(str(tmp_path / "a")).known == Sequences(7 + 2 * AHEAD, 9)


def test_numbers_that_begin_anew_are_stored_too(tmp_path: Path) -> None:
    one = SessionNumbers(str(tmp_path / "a"))
    one.store(5000, 90)
    one.store(1, 1)
    assert SessionNumbers(str(tmp_path / "a")).known == Sequences(1 + AHEAD, 1)


@pytest.mark.parametrize("at", range(0, 64, 3))
def test_a_store_that_is_torn_leaves_the_one_before_it(tmp_path: Path, at: int) -> None:
    one = SessionNumbers(str(tmp_path / "a"))
    one.store(10, 20)
    one.store(10, 21)
    data = bytearray((tmp_path / "a").read_bytes())
    data[at] ^= 0x5A
    (tmp_path / "a").write_bytes(data)
    known = SessionNumbers(str(tmp_path / "a")).known
    assert known in (Sequences(10 + AHEAD, 20), Sequences(10 + AHEAD, 21))


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="beside the order journal"):
        SessionNumbers(str(tmp_path / "gone" / "a"))
