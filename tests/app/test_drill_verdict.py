"""The verdict of a drill: what is compared with what, and what is not."""

import numpy as np

from netfeed.app.drill_verdict import MAX_EXAMPLES, Moment, Verdict, compare, moments, replayed
from netfeed.book.change import NO_BOOK, NO_PRICE, ChangeLog, Kind
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.transport.ring import BookName

NAMES = {(0, 0): BookName("ONE", -2, 0), (0, 1): BookName("TWO", -2, 0)}
LIVE, SUSPECT, SYNCING, EMPTY = BookState.LIVE, BookState.SUSPECT, BookState.SYNCING, BookState.EMPTY


class Handler:
    """What a handler publishes, a line each."""

    def __init__(self) -> None:
        self.log = ChangeLog()
        self.states = {0: EMPTY, 1: EMPTY}

    def state(self, sequence: int, state: BookState, book: int = 0) -> "Handler":
        self.states[book] = state
        self.log.append(Kind.STATE, book, sequence=sequence, state=state)
        return self

    def bid(self, sequence: int, price: int | None, book: int = 0) -> "Handler":
        value = NO_PRICE if price is None else price
        self.log.append(
            Kind.BBO, book, sequence=sequence, side=Side.BID, price=value, quantity=1, orders=1, state=self.states[book]
        )
        return self

    def known(self):
        return replayed(np.array(self.log.take()), NAMES)


def truth(*rows: tuple[int, int], name: str = "ONE", epoch: int = 1):
    return {(epoch, name): [Moment(sequence, sequence, (price, 1, 1), None, 0) for sequence, price in rows]}


def judged(handler: Handler, wanted, lost=()) -> Verdict:
    return compare(wanted, handler.known(), lost, 1)


def test_a_live_book_is_compared_at_every_sequence_that_the_venue_speaks_of():
    handler = Handler().state(1, LIVE).bid(1, 100).bid(5, 101)
    verdict = judged(handler, truth((1, 100), (3, 100), (5, 101), (7, 101)))
    assert (verdict.compared, verdict.different, verdict.incomparable) == (4, 0, 0)


def test_a_change_that_the_handler_missed_is_a_difference():
    handler = Handler().state(1, LIVE).bid(1, 100).bid(5, 101)
    verdict = judged(handler, truth((1, 100), (3, 102), (5, 101)))
    assert (verdict.compared, verdict.different) == (3, 1)
    assert verdict.disturbed == {"ONE"}
    assert "ONE at 3" in verdict.examples[0]


def test_nothing_is_promised_while_a_book_is_suspect():
    handler = Handler().state(1, LIVE).bid(1, 100).state(3, SUSPECT).bid(7, 107).state(7, LIVE)
    verdict = judged(handler, truth((1, 100), (3, 103), (5, 105), (7, 107)), lost=[(1, 3, 6)])
    assert (verdict.compared, verdict.different, verdict.incomparable) == (2, 0, 2)
    assert not verdict.disturbed


def test_who_lost_nothing_must_have_had_everything_whatever_its_state_says():
    handler = Handler().state(1, LIVE).bid(1, 100).state(3, SUSPECT).bid(7, 107).state(7, LIVE)
    verdict = judged(handler, truth((1, 100), (5, 105), (7, 107)), lost=[(1, 3, 4)])
    assert verdict.different == 0
    assert verdict.disturbed == {"ONE"}


def test_a_snapshot_replaces_what_was_announced_behind_its_number():
    handler = Handler().state(1, LIVE).bid(1, 100).state(8, SUSPECT)
    handler.bid(4, None).state(4, SYNCING).bid(4, 104).bid(6, 106).state(6, LIVE).bid(9, 109)
    verdict = judged(handler, truth((4, 104), (6, 106), (9, 109)))
    assert (verdict.compared, verdict.different, verdict.incomparable) == (2, 0, 1)


def test_a_new_count_is_another_epoch():
    handler = Handler().state(1, LIVE).bid(1, 100).bid(9, 109)
    handler.state(9, EMPTY).bid(9, None).state(1, LIVE).bid(1, 200)
    wanted = truth((1, 100), (9, 109)) | truth((1, 200), (5, 200), epoch=2)
    verdict = judged(handler, wanted)
    assert verdict.different == 0
    assert verdict.compared == 4


def test_an_instrument_that_the_handler_does_not_know_is_compared_with_nothing():
    record = {"epoch": 1, "first": 1, "sequence": 2, "instrument": "THREE", "bid": None, "ask": None, "digest": 0}
    assert moments([record], {}) == {}


def test_prices_are_read_in_the_integers_of_the_handlers_books():
    level = {"price": "1.05", "quantity": "7", "orders": 2}
    record = {"epoch": 1, "first": 1, "sequence": 2, "instrument": "ONE", "bid": level, "ask": None, "digest": 9}
    assert moments([record], {"ONE": NAMES[0, 0]}) == {(1, "ONE"): [Moment(1, 2, (105, 7, 2), None, 9)]}


def test_changes_of_the_whole_channel_say_nothing_of_a_book():
    handler = Handler()
    handler.log.append(Kind.GAP, NO_BOOK, sequence=3)
    assert replayed(np.array(handler.log.take()), NAMES) == [{}]


def test_all_differences_are_counted_and_some_are_told():
    verdict = Verdict()
    for number in range(20):
        verdict.differ(str(number))
    assert verdict.different == 20
    assert len(verdict.examples) == MAX_EXAMPLES
