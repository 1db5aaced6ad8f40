"""A step of the engine: what went bad is pulled in the same call, whatever the strategy says and whoever brought it."""

from collections.abc import Collection
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.book.execution import Cancel, MassQuote, New, Quote, Request
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.engine.desk import Desk
from netfeed.engine.gate import Gate, GateSettings, Reason
from netfeed.engine.quoter import Quoter, QuoterSettings, Tier
from netfeed.engine.strategy import Phase, Strategy, Targets, View, Want
from netfeed.engine.targets import Abilities, Differ
from tests.engine.stage import CALL, FAIRS, FUTURE, LINEAR, PERPETUAL, Stage

OURS = (CALL, LINEAR)
SETTINGS = GateSettings(settle_ns=0, max_forward_age_ns=10**12, max_model_age_ns=10**12)


def desk(strategy: Strategy, *, mass_quotes: bool = False) -> Desk:
    differ = Differ(Abilities(mass_quotes=mass_quotes), count(1).__next__)
    return Desk(strategy, OURS, Gate(SETTINGS, dict.fromkeys(OURS, PERPETUAL)), differ, look_ns=1000)


def quoting(*, mass_quotes: bool = False) -> tuple[Stage, Desk]:
    stage = Stage()
    one = desk(Quoter(OURS, QuoterSettings((Tier(1.0, 10),), half_ticks=2)), mass_quotes=mass_quotes)
    stage.send(one.step(stage.board))
    stage.answer_all()
    assert len(stage.working) == 4
    return stage, one


def instruments(requests: list[Request]) -> list[int]:
    assert all(isinstance(request, Cancel) for request in requests)
    return sorted(request.instrument for request in requests if isinstance(request, Cancel))


@pytest.mark.parametrize("state", [BookState.SUSPECT, BookState.STALE, BookState.SYNCING, BookState.EMPTY])
def test_quotes_are_pulled_in_the_call_that_brings_a_book_that_is_not_live(state: BookState) -> None:
    stage, one = quoting()
    stage.books.to(CALL, state)
    assert instruments(one.step(stage.board, {CALL})) == [CALL, CALL]


def test_quotes_are_pulled_in_the_call_that_brings_a_bad_book_of_their_hedge() -> None:
    stage, one = quoting()
    stage.books.to(PERPETUAL, BookState.SUSPECT)
    assert instruments(one.step(stage.board, {PERPETUAL})) == [CALL, CALL, LINEAR, LINEAR]


def test_all_are_pulled_in_the_call_after_the_clock_turned_bad_whatever_was_touched() -> None:
    stage, one = quoting()
    stage.board.clock_off_ns = None
    assert instruments(one.step(stage.board, ())) == [CALL, CALL, LINEAR, LINEAR]


def test_mass_quotes_are_pulled_by_a_quote_without_prices() -> None:
    stage, one = quoting(mass_quotes=True)
    stage.books.to(CALL, BookState.SUSPECT)
    (request,) = one.step(stage.board, {CALL})
    assert isinstance(request, MassQuote)
    assert request.quotes == (Quote(CALL, None, 0, None, 0),)


def test_what_becomes_too_old_is_found_when_the_look_is_due() -> None:
    stage, one = quoting()
    stage.pass_time(2 * 10**12)
    assert one.deadline <= stage.board.now
    assert instruments(one.step(stage.board, ())) == [CALL, CALL, LINEAR, LINEAR]
    assert one.deadline == stage.board.now + 1000


def test_all_are_pulled_in_the_call_that_brings_a_holding_of_unknown_worth() -> None:
    stage, one = quoting()
    stage.board.set_position(FUTURE, 10)
    stage.board.set_fairs({FUTURE: None})
    assert instruments(one.step(stage.board, {FUTURE})) == [CALL, CALL, LINEAR, LINEAR]


def test_an_instrument_whose_orders_are_refused_rests_for_a_while() -> None:
    stage, one = quoting()
    one.refused(CALL, stage.board.now)
    stage.send(one.step(stage.board, {CALL}))
    stage.answer_all()
    assert {order.instrument for order in stage.working.values()} == {LINEAR}
    stage.pass_time(10**9)
    assert [type(request) for request in one.step(stage.board, {CALL})] == [New, New]


def test_a_group_that_the_venue_protects_waits_until_it_is_freed() -> None:
    stage, one = quoting()
    one.tripped(1)
    assert one.step(stage.board) == []
    one.tripped(0)
    assert instruments(one.step(stage.board)) == [CALL, CALL, LINEAR, LINEAR]
    one.freed(0)
    assert one.step(stage.board) == []


def test_a_step_after_which_nothing_changed_sends_nothing() -> None:
    stage, one = quoting()
    assert one.step(stage.board, OURS) == []


class Stubborn:
    """A strategy that always wants the same, asked or not, of its own instruments and of another's."""

    def decide(self, view: View, touched: Collection[int]) -> Targets:
        return {CALL: [Want(Side.BID, 285, 5)], FUTURE: [Want(Side.BID, 1_000_000, 10)]}


def test_a_strategy_cannot_quote_a_shut_instrument_nor_one_that_is_not_its_desks() -> None:
    stage, one = Stage(), desk(Stubborn())
    stage.books.to(CALL, BookState.SUSPECT)
    assert one.step(stage.board, ()) == []
    assert one.step(stage.board, {LINEAR}) == []
    stage.books.to(CALL, BookState.LIVE)
    assert [type(request) for request in one.step(stage.board, {LINEAR})] == [New]
    assert one.statistics().foreign == 3


class Failing(Stubborn):
    """One that fails when it is told to."""

    fails = False

    def decide(self, view: View, touched: Collection[int]) -> Targets:
        if self.fails:
            raise ZeroDivisionError("float division by zero")
        return super().decide(view, touched)


def test_a_strategy_that_raises_is_pulled_and_asked_no_more_until_a_person_re_arms_it() -> None:
    strategy, stage = Failing(), Stage()
    one = desk(strategy)
    stage.send(one.step(stage.board))
    stage.answer_all()
    strategy.fails = True
    stage.send(one.step(stage.board))
    assert isinstance(stage.sent[-1], Cancel)
    assert one.broken == "ZeroDivisionError: float division by zero"
    strategy.fails = False
    stage.answer_all()
    assert one.step(stage.board) == []
    assert one.statistics().gate.pulled == {Reason.BROKEN.name: 2}
    one.arm()
    assert [type(request) for request in one.step(stage.board)] == [New]


STATES = st.sampled_from([BookState.LIVE, BookState.LIVE, BookState.SUSPECT, BookState.STALE])


@settings(max_examples=60)
@given(data=st.data(), mass_quotes=st.booleans())
def test_after_every_step_nothing_stands_on_an_instrument_that_may_not_be_quoted(
    data: st.DataObject, mass_quotes: bool
) -> None:
    """Whatever turns bad and whatever is answered: after each call all that may rest there is leaving, or uncertain."""
    stage = Stage()
    gate = Gate(SETTINGS, dict.fromkeys(OURS, PERPETUAL))
    differ = Differ(Abilities(mass_quotes=mass_quotes), count(1).__next__)
    tiers = (Tier(1.0, 10), Tier(2.0, 20))
    one = Desk(Quoter(OURS, QuoterSettings(tiers, half_ticks=2, mass_quote=mass_quotes)), OURS, gate, differ)
    for _ in range(data.draw(st.integers(1, 12))):
        stage.board.take_touched()
        for book in data.draw(st.lists(st.sampled_from((CALL, LINEAR, PERPETUAL)), max_size=2)):
            stage.books.to(book, data.draw(STATES))
            stage.board.touch([book])
        for name in data.draw(st.lists(st.sampled_from(OURS), max_size=1)):
            stage.board.set_fairs({name: data.draw(st.sampled_from((None, FAIRS[name])))})
        quoted = [name for name, order in stage.working.items() if order.quote]
        for client_id in data.draw(st.lists(st.sampled_from(quoted), max_size=1)) if quoted else []:
            stage.lose(client_id)
        stage.board.clock_off_ns = data.draw(st.sampled_from((0, 0, 0, None)))
        for client_id in [name for name, order in stage.working.items() if not order.settled]:
            verdict = data.draw(st.sampled_from(("done", "done", "refused", "open", "lost")))
            if verdict == "lost":
                stage.lose(client_id)
            elif verdict != "open" and stage.working[client_id].phase is not Phase.UNCERTAIN:
                stage.answer(client_id, done=verdict == "done")
        stage.pass_time(10**6)
        stage.send(one.step(stage.board, stage.board.take_touched()))
        for name in OURS:
            bad = gate.why(stage.board, name) is not Reason.NONE
            standing = [order for order in stage.board.working(name) if order.phase in (Phase.RESTS, Phase.SENT)]
            assert not bad or not standing
