"""The gate: shut at once for every reason there is, opened only after all was good for a while; and the whole table."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest

from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.engine.gate import TRANSITIONS, Gate, GateSettings, Passage, Reason, Sight
from netfeed.engine.strategy import Phase, Working
from tests.engine.stage import CALL, CONTRACTS, FAIRS, LINEAR, PERPETUAL, Stage

SETTINGS = GateSettings(settle_ns=1000)


def opened() -> tuple[Stage, Gate]:
    stage, gate = Stage(), Gate(SETTINGS, {CALL: PERPETUAL})
    stage.board.set_fairs(
        {name: replace(fair, forward_at_ns=10**9, model_at_ns=10**9) for name, fair in FAIRS.items()}
    )  # fmt: skip
    gate.look(stage.board, CALL)
    stage.pass_time(1000)
    assert gate.look(stage.board, CALL) is Reason.NONE
    return stage, gate


def clock_off(stage: Stage) -> None:
    stage.board.clock_off_ns = -5_000_001


def clock_unknown(stage: Stage) -> None:
    stage.board.clock_off_ns = None


def crossed(instrument: int) -> Callable[[Stage], None]:
    """Cross a book that is not judged for it: during a halt or an auction that is no error of the feed."""

    def spoil(stage: Stage) -> None:
        stage.books.judge(instrument, False)
        stage.show(instrument, ((400, 10),), ((400, 10),))

    return spoil


def without_worth(stage: Stage) -> None:
    stage.board.set_fairs({CALL: None})


def no_number(stage: Stage) -> None:
    stage.board.set_fairs({CALL: replace(FAIRS[CALL], vega=float("nan"))})


def held_unknown(stage: Stage) -> None:
    stage.board.set_position(LINEAR, 10)
    stage.board.set_fairs({LINEAR: None})


def forward_old(stage: Stage) -> None:
    stage.board.set_fairs({CALL: replace(FAIRS[CALL], forward_at_ns=0, model_at_ns=10**9)})
    stage.pass_time(1)


def model_old(stage: Stage) -> None:
    stage.pass_time(61 * 10**9)
    stage.board.set_fairs({CALL: replace(FAIRS[CALL], forward_at_ns=stage.board.now)})


def expires(stage: Stage) -> None:
    expiry = CONTRACTS[CALL].expiry_ns
    assert expiry is not None
    stage.board.wall_ns = expiry - 1


def uncertain(stage: Stage) -> None:
    stage.rest(Working(1, CALL, Side.BID, 290, 5, Phase.UNCERTAIN))


BAD = [
    (clock_off, Reason.CLOCK), (clock_unknown, Reason.CLOCK), (crossed(CALL), Reason.CROSSED),
    (crossed(PERPETUAL), Reason.HEDGE), (lambda stage: stage.show(PERPETUAL, ((5, 10),), ()), Reason.HEDGE),
    (lambda stage: stage.books.to(PERPETUAL, BookState.STALE), Reason.HEDGE), (without_worth, Reason.WORTH),
    (no_number, Reason.WORTH),
    (held_unknown, Reason.HELD), (forward_old, Reason.FORWARD), (model_old, Reason.MODEL),
    (expires, Reason.EXPIRY), (uncertain, Reason.UNCERTAIN),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "reason"), BAD, ids=[f"{at}-{reason.name}" for at, (_, reason) in enumerate(BAD)])
def test_it_shuts_at_once_and_says_why(spoil: Callable[[Stage], None], reason: Reason) -> None:
    stage, gate = opened()
    spoil(stage)
    assert gate.look(stage.board, CALL) is reason
    assert gate.state(CALL) == (Passage.SHUT, reason)
    assert gate.statistics().pulled == {reason.name: 1}
    gate.look(stage.board, CALL)
    assert gate.statistics().pulled == {reason.name: 1}, "only an open gate is counted"


@pytest.mark.parametrize("state", [state for state in BookState if state is not BookState.LIVE])
def test_only_a_live_book_is_quoted(state: BookState) -> None:
    stage, gate = opened()
    stage.books.to(CALL, state)
    assert gate.look(stage.board, CALL) is Reason.BOOK


def test_it_opens_again_only_after_all_was_good_for_a_while() -> None:
    stage, gate = opened()
    stage.books.to(CALL, BookState.SUSPECT)
    gate.look(stage.board, CALL)
    stage.books.to(CALL, BookState.LIVE)
    assert gate.look(stage.board, CALL) is Reason.SETTLING
    stage.pass_time(999)
    assert gate.look(stage.board, CALL) is Reason.SETTLING
    stage.books.to(PERPETUAL, BookState.SUSPECT)
    assert gate.look(stage.board, CALL) is Reason.HEDGE
    stage.books.to(PERPETUAL, BookState.LIVE)
    assert gate.look(stage.board, CALL) is Reason.SETTLING
    stage.pass_time(1000)
    assert gate.look(stage.board, CALL) is Reason.NONE


def test_others_hold_it_shut_until_a_time_or_until_they_free_it() -> None:
    stage, gate = opened()
    gate.hold(CALL, Reason.PROTECTION, stage.board.now + 5)
    gate.hold(CALL, Reason.HALTED)
    assert gate.look(stage.board, CALL) is Reason.PROTECTION
    stage.pass_time(5)
    assert gate.look(stage.board, CALL) is Reason.HALTED
    gate.free(CALL, Reason.HALTED)
    gate.free(CALL, Reason.BROKEN)
    assert gate.why(stage.board, CALL) is Reason.NONE
    assert gate.look(stage.board, CALL) is Reason.SETTLING


def test_a_hedge_needs_no_worth() -> None:
    stage = Stage()
    gate = Gate(replace(SETTINGS, needs_worth=False))
    stage.board.set_fairs({PERPETUAL: None})
    assert gate.why(stage.board, PERPETUAL) is Reason.NONE


def test_the_table_has_every_step_and_bad_sights_lead_nowhere_but_shut() -> None:
    assert set(TRANSITIONS) == set(product(Passage, Sight))
    assert {TRANSITIONS[passage, Sight.BAD] for passage in Passage} == {Passage.SHUT}
    assert TRANSITIONS[Passage.SHUT, Sight.GOOD] is not Passage.OPEN
