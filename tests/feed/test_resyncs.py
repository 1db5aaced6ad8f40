"""One topic had anew, once for many cries."""

from typing import Any

from netfeed.book.state import BookState
from netfeed.feed.needs import FIRST_WAIT_NS
from netfeed.feed.resyncs import Resyncs
from netfeed.machine import NEVER
from tests.feed.toy_venue import ToyMarket


class Carrier:
    """Stands where a line does: it carries a topic on some connections."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = numbers
        self.had: list[int] = []

    def anew(self, topic: str, number: int | None, now: int) -> int | None:
        found = next((one for one in self.numbers if number in (None, one)), None)
        if found is not None:
            self.had.append(found)
        return found


def resyncs_of(state: BookState = BookState.SUSPECT) -> Resyncs:
    market = ToyMarket(["book.a"])
    market.book("book.a").state = state
    return Resyncs(market)


def act(resyncs: Resyncs, carrier: Any, now: int) -> None:
    resyncs.act(lambda topic: [carrier], now)


def test_many_cries_have_it_anew_once_on_the_line_that_was_wrong() -> None:
    resyncs, carrier = resyncs_of(), Carrier(0, 1)
    for _ in range(10_000):
        resyncs.cry("book.a", 1, 5)
        act(resyncs, carrier, 5)
    assert (carrier.had, resyncs.done, resyncs.repeated, resyncs.deadline) == ([1], 1, 9_999, NEVER)


def test_when_that_line_is_gone_another_will_do() -> None:
    resyncs, carrier = resyncs_of(), Carrier(4)
    resyncs.cry("book.a", 1, 5)
    act(resyncs, carrier, 5)
    assert carrier.had == [4]


def test_it_is_met_when_that_line_carries_it_again_and_the_next_cry_waits() -> None:
    resyncs, carrier = resyncs_of(), Carrier(0)
    resyncs.cry("book.a", 0, 0)
    act(resyncs, carrier, 0)
    resyncs.met("book.a", 7, 10)
    resyncs.cry("book.a", 0, 10)
    assert resyncs.repeated == 1
    resyncs.met("book.a", 0, 10)
    resyncs.cry("book.a", 0, 10)
    assert resyncs.deadline == 10 + FIRST_WAIT_NS


def test_a_book_that_is_right_by_then_and_one_that_nobody_carries_are_left_alone() -> None:
    carrier = Carrier(0)
    resyncs = resyncs_of(BookState.LIVE)
    resyncs.cry("book.a", 0, 0)
    act(resyncs, carrier, 0)
    nobody = resyncs_of()
    nobody.cry("book.a", 0, 0)
    act(nobody, Carrier(), 0)
    assert (carrier.had, resyncs.done, nobody.done, resyncs.deadline, nobody.deadline) == ([], 0, 0, NEVER, NEVER)


def test_who_is_forgotten_begins_anew() -> None:
    resyncs, carrier = resyncs_of(), Carrier(0)
    resyncs.cry("book.a", 0, 0)
    act(resyncs, carrier, 0)
    resyncs.forget("book.a")
    resyncs.cry("book.a", None, 1)
    act(resyncs, carrier, 1)
    assert carrier.had == [0, 0]
