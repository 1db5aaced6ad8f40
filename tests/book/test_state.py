"""The states of a book: what the table must say for a book to be safe to quote on."""

import pytest

from netfeed.book.state import TRANSITIONS, BookState


def test_every_state_has_its_row() -> None:
    assert set(TRANSITIONS) == set(BookState)


@pytest.mark.parametrize("state", BookState)
def test_a_step_leads_to_another_state(state: BookState) -> None:
    assert state not in TRANSITIONS[state]


@pytest.mark.parametrize("state", set(BookState) - {BookState.SUSPECT})
def test_any_state_can_become_suspect_at_once(state: BookState) -> None:
    assert BookState.SUSPECT in TRANSITIONS[state]


@pytest.mark.parametrize("state", set(BookState) - {BookState.LIVE})
def test_any_state_can_become_live_when_a_snapshot_is_complete(state: BookState) -> None:
    assert BookState.LIVE in TRANSITIONS[state]


def test_a_book_of_which_nothing_is_known_cannot_be_stale() -> None:
    assert BookState.STALE not in TRANSITIONS[BookState.EMPTY]


def test_the_numbers_are_those_that_changes_carry() -> None:
    assert [(state.name, int(state)) for state in BookState] == [
        ("EMPTY", 0), ("SYNCING", 1), ("LIVE", 2), ("SUSPECT", 3), ("STALE", 4),
    ]  # fmt: skip
