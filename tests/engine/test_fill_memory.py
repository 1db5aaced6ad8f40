"""Executions that were counted: each once, both sides of one match, and only so many are remembered."""

from dataclasses import replace

from netfeed.book.execution import Filled
from netfeed.book.level import Side
from netfeed.engine.fill_memory import FillMemory, Seen

FILL = Filled(1, 5, "v1", "m1", Side.BID, 100, 4, 4, True, None)


def test_an_execution_is_new_once_wherever_it_comes_from() -> None:
    memory = FillMemory()
    said = [memory.see(one) for one in (FILL, replace(FILL, order_id="v2", filled=None, fee=3), FILL)]
    assert said == [Seen.NEW, Seen.REPEATED, Seen.REPEATED]


def test_what_is_told_otherwise_is_changed_and_the_first_word_stays() -> None:
    memory = FillMemory()
    said = [memory.see(one) for one in (FILL, replace(FILL, price=101), replace(FILL, quantity=5), FILL)]
    assert said == [Seen.NEW, Seen.CHANGED, Seen.CHANGED, Seen.REPEATED]


def test_a_match_that_one_session_counts_is_the_same_as_anothers_text() -> None:
    memory = FillMemory()
    assert memory.see(replace(FILL, match_id=123_456)) is Seen.NEW
    assert memory.see(replace(FILL, match_id="123456")) is Seen.REPEATED


def test_both_sides_of_a_match_with_ourselves_count() -> None:
    memory = FillMemory()
    assert memory.see(FILL) is memory.see(replace(FILL, side=Side.ASK, client_id=2)) is Seen.NEW


def test_only_so_many_are_remembered_the_oldest_goes_first() -> None:
    memory = FillMemory(kept=3)
    for match in range(5):
        memory.see(replace(FILL, match_id=match))
    assert len(memory) == 3
    assert memory.see(replace(FILL, match_id=2)) is Seen.REPEATED
    assert memory.see(replace(FILL, match_id=1)) is Seen.NEW


def test_a_match_that_one_way_numbers_and_another_writes_as_text_is_one() -> None:
    memory = FillMemory()
    assert memory.see(replace(FILL, match_id=400_001)) is Seen.NEW
    assert memory.see(replace(FILL, match_id="400001", order_id="7")) is Seen.REPEATED
