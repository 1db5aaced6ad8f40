"""What the connections of a venue share."""

from hypothesis import given
from hypothesis import strategies as st

from netfeed.feed.venue import MAX_LAST_WORDS, LastWords, Numbers, Ports, Venue
from tests.feed.plain_talk import plain
from tests.feed.toy_venue import KEY, ToyDialect, ToyMarket


def test_the_smallest_free_number_is_taken() -> None:
    numbers = Numbers()
    assert [numbers.take() for _ in range(3)] == [0, 1, 2]
    numbers.give(1)
    assert [numbers.take(), numbers.take()] == [1, 3]


@given(st.lists(st.integers(0, 5), max_size=30))
def test_numbers_stay_as_small_as_there_are_takers(steps: list[int]) -> None:
    numbers, taken = Numbers(), set()
    for step in steps:
        if step in taken:
            numbers.give(step)
            taken.discard(step)
        else:
            number = numbers.take()
            assert number not in taken
            assert number <= len(taken)
            taken.add(number)


def test_a_port_is_never_used_again() -> None:
    ports = Ports()
    assert [ports.take() for _ in range(3)] == [0, 1, 2]


def test_last_words_are_kept_until_they_are_drained_within_a_bound() -> None:
    words = LastWords()
    words.keep(1, [b"bye"])
    words.keep(2, [])
    assert (words.take(1), words.take(1), words.take(2)) == ([b"bye"], [], [])
    for port in range(MAX_LAST_WORDS + 5):
        words.keep(port, [b"bye"])
    assert words.undrained == 5
    assert words.take(4) == []


def test_a_venue_shows_neither_its_endpoints_nor_its_dialect() -> None:
    venue = Venue("v", (f"wss://host/{KEY}",), ToyDialect(), ToyMarket(()), plain)
    assert KEY not in repr(venue)
