"""A jump of the count: what speaks for the old place, what for the new one, and what for neither."""

import pytest

from netfeed.feed.jump import FAR, LIVELY_NS, NEAR, Jump

QUIET = LIVELY_NS


def near(end: int = 100, far: int = 5_000) -> Jump:
    return Jump(end, far, 0, reach=10_000, agreed=False)


def test_a_small_jump_is_refuted_by_sixteen_packets_that_go_on_below_it_while_its_far_side_is_quiet() -> None:
    jump = near()
    told = [jump.is_refuted(100 + k, 1, QUIET, missing=True) for k in range(NEAR)]
    assert told == [False] * (NEAR - 1) + [True]
    assert jump.end == 100 + NEAR - 1


def test_sixteen_packets_are_not_enough_while_somebody_was_just_heard_on_the_far_side() -> None:
    jump = near()
    assert not any(jump.is_refuted(100 + k, 1, QUIET - 1, missing=True) for k in range(100))
    assert jump.is_refuted(200, 1, QUIET, missing=True)


def test_packets_on_the_far_side_speak_for_it_and_a_margin_of_them_makes_it_stand() -> None:
    jump = near()
    for k in range(NEAR):
        assert not jump.stands
        jump.is_refuted(5_000 + k, 1, 0, missing=True)
    assert jump.stands
    assert not jump.is_doubtful


def test_what_has_been_delivered_moves_the_old_place_and_proves_nothing() -> None:
    jump = near()
    assert not any(jump.is_refuted(100 + k, 1, QUIET, missing=False) for k in range(50))
    assert jump.end == 150


def test_heartbeats_at_the_old_place_count() -> None:
    jump = near()
    assert [jump.is_refuted(100, 0, k * QUIET, missing=True) for k in range(1, NEAR + 1)][-1]
    assert jump.end == 100


def test_copies_and_old_numbers_neither_prove_nor_disturb() -> None:
    jump = near()
    for k in range(NEAR - 1):
        assert not jump.is_refuted(100 + k, 1, QUIET, missing=True)
        assert not jump.is_refuted(100 + k, 1, QUIET, missing=False)
        assert not jump.is_refuted(3, 1, QUIET, missing=True)
    assert jump.is_refuted(100 + NEAR - 1, 1, QUIET, missing=True)


def test_single_packets_between_the_places_do_not_move_the_old_one() -> None:
    jump = near()
    for k in range(NEAR - 1):
        jump.is_refuted(100 + k, 1, QUIET, missing=True)
        jump.is_refuted(2_000 + 7 * k, 1, QUIET, missing=True)
    assert jump.is_refuted(100 + NEAR - 1, 1, QUIET, missing=True)


def test_a_loss_below_the_jump_moves_the_old_place_once_two_packets_go_on_behind_it() -> None:
    jump = near()
    for number in (103, 104, *range(105, 105 + NEAR - 1)):
        assert not jump.is_refuted(number, 1, QUIET, missing=True)
    assert jump.is_refuted(105 + NEAR - 1, 1, QUIET, missing=True)


def test_two_packets_that_agree_move_it_no_further_than_they_may() -> None:
    jump = Jump(100, 10**6, 0, reach=10_000, agreed=False)
    for number in (10_101, 10_102):
        jump.is_refuted(number, 1, QUIET, missing=True)
    assert jump.end == 100


def test_another_small_jump_has_to_be_confirmed_by_itself() -> None:
    jump = near()
    for k in range(NEAR - 1):
        jump.is_refuted(5_000 + k, 1, 0, missing=True)
    jump.move(9_000, 1)
    assert jump.is_doubtful
    assert [jump.is_refuted(100 + k, 1, 1 + QUIET, missing=True) for k in range(NEAR)][-1]


@pytest.mark.parametrize("more", [0, 3])
def test_a_jump_that_two_agreed_on_is_refuted_by_a_margin_at_once(more: int) -> None:
    jump = Jump(100, 10**6, 0, reach=10_000, agreed=True)
    for _ in range(more):
        jump.confirm(0)
    held = min(more, FAR) + FAR
    assert [jump.is_refuted(100 + k, 1, 0, missing=True) for k in range(held)] == [False] * (held - 1) + [True]
