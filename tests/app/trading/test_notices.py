"""What an operator is told of an engine: each change once, in words."""

from dataclasses import replace

import pytest

from netfeed.app.trading.feed_screen import LinePicture
from netfeed.app.trading.notices import HEDGES_NS, Notices
from netfeed.book.state import BookState
from netfeed.engine.picture import EnginePicture
from tests.app.trading.pictures import EXPIRIES, chain, engine, feed, option, shown


def quiet() -> EnginePicture:
    bare = tuple(replace(one, our_bid=None, our_ask=None) for one in chain())
    return engine(instruments=bare, hedges=0)


def test_nothing_is_said_twice() -> None:
    notices = Notices()
    assert notices.look(shown(quiet())) == []
    assert notices.look(shown(engine(hedges=0))) == ["quotes rest on 20 instruments"]
    assert notices.look(shown(engine(hedges=0))) == []
    assert notices.look(shown(quiet())) == ["no quote rests"]


@pytest.mark.parametrize(
    ("changes", "words", "over"),
    [
        ({"uncertain": 2}, "2 orders are UNCERTAIN: the venue is asked", "every order is certain again"),
        ({"killed": "file /run/kill"}, "KILLED: file /run/kill", "armed again"),
        ({"ready": "no list has agreed"}, "no quotes: no list has agreed", "it may quote"),
    ],
)
def test_a_state_is_said_when_it_begins_and_when_it_is_over(changes: dict[str, object], words: str, over: str) -> None:
    notices = Notices()
    assert notices.look(shown(quiet())) == []
    assert notices.look(shown(replace(quiet(), **changes))) == [words]
    assert notices.look(shown(quiet())) == [over]


def test_books_in_doubt_are_counted() -> None:
    notices, bad = Notices(), option(EXPIRIES[0], 90_000.0, True, state=BookState.SUSPECT, our_bid=None, our_ask=None)
    assert notices.look(shown(engine(instruments=(bad,), hedges=0))) == [
        "1 books are SUSPECT: what rests there is pulled"
    ]
    assert notices.look(shown(quiet())) == ["all books are LIVE again"]


def test_a_line_that_falls_silent_and_comes_back_is_said() -> None:
    notices, lines = Notices(), (LinePicture("A", 0, 1, 2 * 10**9, is_silent=True), LinePicture("B", 990, 1, 10**6))
    assert notices.look(shown(quiet(), feed(lines=lines))) == ["line A is silent"]
    assert notices.look(shown(quiet())) == ["all lines are heard"]


def test_a_hedge_is_said_with_what_the_hedger_decided() -> None:
    notices = Notices()
    notices.look(shown(quiet()))
    now = shown(replace(quiet(), hedges=1))
    assert notices.look(now) == ["hedge 1: INSIDE, 0.11 stay"]
    more = replace(now, engine=replace(now.engine, hedges=4))
    assert notices.look(replace(more, elapsed_ns=now.elapsed_ns + HEDGES_NS - 1)) == []
    assert notices.look(replace(more, elapsed_ns=now.elapsed_ns + HEDGES_NS)) == ["hedge 4: INSIDE, 0.11 stay"]
