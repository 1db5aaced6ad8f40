"""Orders: contradictions by name, executions once, quotes out before the report, nothing sent twice, memory bounded."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.book.execution import (
    NONE,
    Accepted,
    AllCanceled,
    Amend,
    Amended,
    Ask,
    Cancel,
    CancelAll,
    Canceled,
    Cause,
    Down,
    Filled,
    Flag,
    MassQuote,
    New,
    OpenOrder,
    Quote,
    Quoted,
    QuoteSide,
    QuoteState,
    Rejected,
    Report,
    Tripped,
)
from netfeed.book.level import Side
from netfeed.engine.client_ids import MAX_COUNTER, ClientIds, run_of
from netfeed.engine.exposure import Exposure
from netfeed.engine.order import HARMLESS, Anomaly, State
from netfeed.engine.order_events import Event, Executed, Odd, Pull
from netfeed.engine.orders import ANSWER_NS, Orders
from netfeed.errors import MisuseError
from netfeed.machine import NEVER

ACK = Accepted(1, 5, "v1", 100, 10, 0, True, None)
GONE = replace(ACK, rests=False)
REFUSED = Rejected(1, Ask.NEW, Cause.PRICE, "", None)
FILL = Filled(1, 5, "v1", "m1", Side.BID, 100, 4, 4, True, None)
WHOLE = replace(FILL, match_id="m2", quantity=10, filled=10)
LEFT = Canceled(1, 5, "v1", 0, Cause.REQUESTED, "", None)
NO_CANCEL = Rejected(1, Ask.CANCEL, Cause.STATE, "", None)
AMENDED = Amended(1, 5, "v1", 101, 12, 0, True, None)


def orders(quantity: int = 10, *, kept: int = 100, flags: Flag = NONE) -> Orders:
    made = Orders(Exposure({}), kept=kept)
    request = New(1, 5, Side.BID, 100, quantity, flags=flags)
    made.decide(request, 0)
    made.sent(request, 1, 0)
    return made


def state(made: Orders) -> State:
    order = made.get(1)
    assert order is not None
    return order.state


def odd(events: list[Event]) -> list[Anomaly]:
    return [event.anomaly for event in events if isinstance(event, Odd)]


def side(state: QuoteState, filled: int = 0, quantity: int = 5) -> QuoteSide:
    return QuoteSide(state, None, 100, quantity, filled, Cause.OTHER, "")


@pytest.mark.parametrize(
    ("reports", "ends", "names"),
    [
        ([ACK, WHOLE, ACK], State.FILLED, [Anomaly.REPEATED]),
        ([WHOLE, ACK], State.FILLED, [Anomaly.LATE]),
        ([ACK, LEFT, FILL], State.CANCELED, [Anomaly.FILL_AFTER_END]),
        ([ACK, replace(LEFT, filled=4), FILL], State.CANCELED, [Anomaly.LATE_FILL]),
        ([ACK, LEFT, NO_CANCEL], State.CANCELED, [Anomaly.CANCEL_AND_REFUSAL]),
        ([ACK, NO_CANCEL, LEFT], State.CANCELED, [Anomaly.LATE]),
        ([ACK, REFUSED], State.UNCERTAIN, [Anomaly.REJECT_AFTER_ACCEPT]),
        ([REFUSED, ACK], State.UNCERTAIN, [Anomaly.ACCEPT_AFTER_REJECT]),
        ([REFUSED, FILL], State.UNCERTAIN, [Anomaly.FILL_AFTER_REJECT]),
        ([REFUSED, WHOLE], State.FILLED, [Anomaly.FILL_AFTER_REJECT]),
        ([REFUSED, LEFT], State.REJECTED, [Anomaly.CANCEL_AFTER_REJECT]),
        ([ACK, AMENDED], State.UNCERTAIN, [Anomaly.WRONG_AMEND]),
        ([ACK, WHOLE, replace(FILL, filled=None)], State.FILLED, [Anomaly.OVERFILLED]),
        ([ACK, replace(FILL, quantity=11, filled=None)], State.FILLED, [Anomaly.OVERFILLED]),
        ([ACK, replace(FILL, quantity=-4)], State.UNCERTAIN, [Anomaly.BAD_QUANTITY]),
        ([ACK, replace(FILL, quantity=0)], State.UNCERTAIN, [Anomaly.BAD_QUANTITY]),
        ([ACK, replace(FILL, quantity=10**30)], State.UNCERTAIN, [Anomaly.BAD_QUANTITY]),
        ([ACK, replace(FILL, filled=3)], State.UNCERTAIN, [Anomaly.BAD_TOTAL]),
        ([ACK, replace(FILL, filled=11)], State.UNCERTAIN, [Anomaly.BAD_TOTAL]),
        ([ACK, replace(FILL, side=Side.ASK)], State.UNCERTAIN, [Anomaly.WRONG_SIDE]),
        ([ACK, replace(FILL, price=101)], State.UNCERTAIN, [Anomaly.WRONG_PRICE]),
        ([ACK, FILL, replace(FILL, quantity=3)], State.UNCERTAIN, [Anomaly.CHANGED_FILL]),
        ([ACK, FILL, FILL], State.PARTIAL, [Anomaly.REPEATED_FILL]),
        ([ACK, FILL, replace(LEFT, filled=2)], State.CANCELED, [Anomaly.BAD_TOTAL]),
        ([ACK, replace(LEFT, filled=-1)], State.CANCELED, [Anomaly.BAD_TOTAL]),
        ([replace(ACK, quantity=11)], State.UNCERTAIN, [Anomaly.BAD_QUANTITY]),
        ([replace(ACK, price=101)], State.UNCERTAIN, [Anomaly.WRONG_PRICE]),
        ([replace(ACK, instrument=6)], State.UNCERTAIN, [Anomaly.WRONG_INSTRUMENT]),
        ([GONE, replace(LEFT, cause=Cause.TIME_IN_FORCE)], State.CANCELED, []),
        ([GONE, FILL, replace(LEFT, filled=4)], State.CANCELED, []),
        ([FILL, ACK], State.PARTIAL, []),
        ([LEFT, LEFT], State.CANCELED, [Anomaly.REPEATED]),
        ([LEFT, REFUSED], State.CANCELED, [Anomaly.REJECT_AFTER_ACCEPT]),
        ([REFUSED, REFUSED], State.REJECTED, [Anomaly.REPEATED]),
    ],
)
def test_a_contradiction_has_a_name_and_leaves_no_order_behind(
    reports: list[Report], ends: State, names: list[Anomaly]
) -> None:
    made = orders()
    said = [name for report in reports for name in odd(made.apply(report, 1))]
    assert (state(made), said) == (ends, names)
    assert made.in_doubt(5) == any(name not in HARMLESS for name in names)


@pytest.mark.parametrize("report", [replace(FILL, quantity=-1), replace(ACK, client_id=9), replace(FILL, client_id=9)])
def test_quotes_go_out_first_then_comes_the_report(report: Report) -> None:
    told = orders().apply(report, 1)
    assert isinstance(told[0], Pull)
    assert told[0].instrument == 5
    assert sum(isinstance(event, Pull) for event in told) == 1
    assert any(isinstance(event, Odd) for event in told)


def test_an_execution_of_an_unknown_order_is_executed_all_the_same_and_only_once() -> None:
    made = orders()
    stray = replace(FILL, client_id=99)
    assert [event.order for event in made.apply(stray, 1) if isinstance(event, Executed)] == [None]
    assert not [event for event in made.apply(stray, 2) if isinstance(event, Executed)]
    assert made.suspects == {5: Anomaly.UNKNOWN_ORDER}
    made.absolve(5)
    assert not made.in_doubt(5)


def test_an_order_that_is_not_answered_is_uncertain_and_quotes_go() -> None:
    made = orders()
    assert made.deadline == ANSWER_NS
    assert made.wake(ANSWER_NS - 1) == []
    told = made.wake(ANSWER_NS)
    assert isinstance(told[0], Pull)
    assert (state(made), made.uncertain, made.in_doubt(5), made.deadline) == (State.UNCERTAIN, 1, True, NEVER)
    made.apply(LEFT, ANSWER_NS + 1)
    assert (state(made), made.uncertain, made.in_doubt(5)) == (State.CANCELED, 0, False)


def test_a_session_that_goes_down_makes_its_own_orders_uncertain_and_no_others() -> None:
    made = orders()
    made.apply(Down(2, "", True), 1)
    assert state(made) is State.PENDING
    made.apply(Down(1, "", True), 1)
    assert state(made) is State.UNCERTAIN
    made.apply(ACK, 2)
    assert state(made) is State.UNCERTAIN
    made.listed(OpenOrder(1, 5, "v1", Side.BID, 100, 10, 0, False), 3)
    assert state(made) is State.LIVE


def test_an_amend_holds_once_the_venue_says_so_and_its_repetition_is_known() -> None:
    made = orders()
    made.apply(ACK, 1)
    made.decide(Amend(1, 5, 101, 12), 2)
    assert state(made) is State.AMENDING
    assert made.apply(AMENDED, 3) != []
    made.decide(Amend(1, 5, 102, 8), 4)
    assert odd(made.apply(AMENDED, 5)) == [Anomaly.REPEATED]
    made.apply(replace(AMENDED, price=102, quantity=8), 6)
    order = made.get(1)
    assert order is not None
    assert (order.price, order.quantity, order.state) == (102, 8, State.LIVE)
    assert odd(made.apply(AMENDED, 7)) == [Anomaly.REPEATED]


def test_who_is_post_only_may_be_moved_by_the_venue_but_not_into_the_market() -> None:
    made = orders(flags=Flag.POST_ONLY)
    assert odd(made.apply(replace(ACK, price=98), 1)) == []
    order = made.get(1)
    assert order is not None
    assert order.price == 98
    worse = orders(flags=Flag.POST_ONLY)
    assert odd(worse.apply(replace(ACK, price=102), 1)) == [Anomaly.WRONG_PRICE]


def test_what_was_executed_before_an_amend_was_refused_fills_the_order() -> None:
    made = orders()
    made.apply(ACK, 1)
    made.decide(Amend(1, 5, 101, 12), 2)
    made.apply(WHOLE, 3)
    assert state(made) is State.AMENDING
    made.apply(Rejected(1, Ask.AMEND, Cause.NOT_FOUND, "", None), 4)
    assert state(made) is State.FILLED


def test_nothing_is_ever_sent_or_decided_twice() -> None:
    made = orders()
    request = New(1, 5, Side.BID, 100, 10)
    with pytest.raises(MisuseError, match="each is used once"):
        made.decide(request, 1)
    with pytest.raises(MisuseError, match="nothing is ever sent twice"):
        made.sent(request, 1, 1)
    with pytest.raises(MisuseError, match="may have been sent"):
        made.unsent(request, 1)
    with pytest.raises(MisuseError, match="PENDING cannot be amended"):
        made.decide(Amend(1, 5, 101, 10), 1)
    with pytest.raises(MisuseError, match="no order 3"):
        made.decide(Amend(3, 5, 101, 10), 1)
    with pytest.raises(MisuseError, match="no quantity"):
        made.decide(New(2, 5, Side.BID, 100, 0), 1)
    assert state(made) is State.PENDING


def test_what_no_session_takes_is_rejected_and_what_is_withdrawn_is_never_sent() -> None:
    made = orders()
    second, third = New(2, 5, Side.BID, 100, 10), New(3, 5, Side.BID, 100, 10)
    made.decide(second, 0)
    made.unsent(second, 0)
    made.decide(third, 0)
    made.decide(Cancel(3, 5), 0)
    with pytest.raises(MisuseError):
        made.sent(third, 1, 0)
    ends = [one.state for one in map(made.get, (2, 3)) if one is not None]
    assert ends == [State.REJECTED, State.CANCELED]


def test_an_amend_or_cancel_that_no_session_takes_leaves_all_as_it_was() -> None:
    made = orders()
    made.apply(ACK, 1)
    for request in (Amend(1, 5, 99, 20), Cancel(1, 5), CancelAll(2)):
        made.decide(request, 2)
        made.unsent(request, 2)
        order = made.get(1)
        assert order is not None
        assert (order.state, order.price, order.open) == (State.LIVE, 100, 10)


# --- quotes


def quoted(made: Orders, client_id: int, bid: int | None, ask: int | None, group: int = 1) -> MassQuote:
    request = MassQuote(client_id, group, (Quote(5, bid, 5, ask, 5),))
    made.decide(request, 0)
    made.sent(request, 1, 0)
    return request


def states(made: Orders, client_id: int) -> list[State]:
    found = [made.get(client_id, 5, one) for one in Side]
    return [one.state for one in found if one is not None and one.group is not None]


def both(state: QuoteState) -> tuple[tuple[int, QuoteSide, QuoteSide], ...]:
    return ((5, side(state), side(state)),)


def test_a_quote_that_rests_takes_the_place_of_the_one_before() -> None:
    made = Orders(Exposure({}))
    quoted(made, 1, 100, 100)
    made.apply(Quoted(1, 1, both(QuoteState.RESTS), None), 1)
    quoted(made, 2, 100, 100)
    assert (states(made, 1), states(made, 2), made.open_count) == ([State.LIVE] * 2, [State.PENDING] * 2, 4)
    made.apply(Quoted(2, 1, both(QuoteState.RESTS), None), 2)
    assert (states(made, 1), states(made, 2), made.open_count) == ([State.CANCELED] * 2, [State.LIVE] * 2, 2)


def test_quotes_of_another_group_stay() -> None:
    made = Orders(Exposure({}))
    quoted(made, 1, 100, 100, group=1)
    made.apply(Quoted(1, 1, both(QuoteState.RESTS), None), 1)
    quoted(made, 2, 100, 100, group=2)
    made.apply(Quoted(2, 2, both(QuoteState.RESTS), None), 2)
    assert made.open_count == 4
    made.apply(Tripped(1, "delta", None, None), 3)
    assert (states(made, 1), states(made, 2)) == ([State.CANCELED] * 2, [State.LIVE] * 2)


def test_a_refused_side_leaves_its_predecessor_in_doubt_and_a_refused_request_leaves_it_alone() -> None:
    made = Orders(Exposure({}))
    quoted(made, 1, 100, 100)
    made.apply(Quoted(1, 1, both(QuoteState.RESTS), None), 1)
    quoted(made, 2, 100, None)
    made.apply(Rejected(2, Ask.QUOTE, Cause.RATE, "", None), 2)
    assert (states(made, 1), states(made, 2)) == ([State.LIVE] * 2, [State.REJECTED])
    quoted(made, 3, 100, 100)
    told = made.apply(Quoted(3, 1, ((5, side(QuoteState.RESTS), side(QuoteState.REFUSED)),), None), 3)
    assert (states(made, 1), states(made, 3)) == ([State.CANCELED, State.UNCERTAIN], [State.LIVE, State.REJECTED])
    assert isinstance(told[0], Pull)


def test_a_pulled_side_leaves_when_the_venue_says_so_and_is_uncertain_when_it_says_nothing() -> None:
    made = Orders(Exposure({}))
    quoted(made, 1, 100, 100)
    made.apply(Quoted(1, 1, both(QuoteState.RESTS), None), 1)
    quoted(made, 2, None, None)
    assert states(made, 1) == [State.CANCELING] * 2
    made.apply(Quoted(2, 1, ((5, side(QuoteState.NONE), side(QuoteState.NONE)),), None), 2)
    assert states(made, 1) == [State.CANCELED] * 2
    quoted(made, 3, 100, 100)
    made.apply(Quoted(3, 1, both(QuoteState.RESTS), None), 3)
    quoted(made, 4, 101, 102)
    made.wake(ANSWER_NS)
    assert (states(made, 3), states(made, 4)) == ([State.UNCERTAIN] * 2, [State.UNCERTAIN] * 2)


def test_an_execution_of_a_quote_finds_its_side() -> None:
    made = Orders(Exposure({}))
    quoted(made, 1, 100, 101)
    made.apply(Quoted(1, 1, both(QuoteState.RESTS), None), 1)
    made.apply(Filled(1, 5, "v", "m", Side.ASK, 101, 5, 5, True, None, quote=True), 2)
    assert states(made, 1) == [State.LIVE, State.FILLED]
    made.apply(Canceled(1, 5, "other", 0, Cause.PROTECTION, "", None), 3)
    assert states(made, 1) == [State.CANCELED, State.FILLED]


def test_a_cancel_of_all_ends_quotes_and_waits_for_each_order() -> None:
    made = orders()
    made.apply(ACK, 1)
    quoted(made, 2, 100, 101)
    made.apply(Quoted(2, 1, ((5, side(QuoteState.RESTS), replace(side(QuoteState.RESTS), price=101)),), None), 1)
    made.decide(CancelAll(3), 2)
    assert (state(made), states(made, 2)) == (State.CANCELING, [State.CANCELING] * 2)
    made.apply(AllCanceled(3, 3, None), 3)
    assert (state(made), states(made, 2)) == (State.CANCELING, [State.CANCELED] * 2)
    made.apply(LEFT, 4)
    assert made.open_count == 0


@pytest.mark.parametrize(
    "quotes",
    [
        (Quote(5, 100, 0, None, 0),),
        (Quote(5, 100, 1, None, 0), Quote(5, 99, 1, None, 0)),
        tuple(Quote(one, 100, 1, None, 0) for one in range(257)),
    ],
)
def test_a_mass_quote_that_cannot_be_changes_nothing(quotes: tuple[Quote, ...]) -> None:
    made = Orders(Exposure({}))
    with pytest.raises(MisuseError):
        made.decide(MassQuote(1, 1, quotes), 0)
    assert (made.open_count, made.last_id) == (0, -1)


# --- bounds


def test_what_is_over_is_forgotten_after_so_many_others_and_late_reports_are_then_unknown() -> None:
    made = Orders(Exposure({}), kept=10, fills=10)
    for number in range(1, 101):
        request = New(number, 5, Side.BID, 100, 10)
        made.decide(request, number)
        made.sent(request, 1, number)
        made.apply(replace(WHOLE, client_id=number, match_id=number), number)
    assert len(made.snapshot()) == 10
    assert made.get(90) is None
    assert odd(made.apply(replace(ACK, client_id=90), 200)) == [Anomaly.UNKNOWN_ORDER]
    assert odd(made.apply(replace(ACK, client_id=100), 200)) == [Anomaly.LATE]


def test_who_forgets_an_order_that_the_venue_owes_executions_of_doubts_the_instrument() -> None:
    made = Orders(Exposure({}), kept=1)
    for number in (1, 2):
        request = New(number, number, Side.BID, 100, 10)
        made.decide(request, 0)
        made.sent(request, 1, 0)
    made.apply(replace(LEFT, client_id=1, instrument=1, filled=4), 1)
    assert not made.in_doubt(1)
    told = made.apply(replace(LEFT, client_id=2, instrument=2), 2)
    assert made.in_doubt(1)
    assert [event.instrument for event in told if isinstance(event, Pull)] == [1]


def test_mass_quotes_are_forgotten_with_their_orders() -> None:
    made = Orders(Exposure({}), kept=10)
    for number in range(1, 200):
        quoted(made, number, 100, 101)
        made.apply(
            Quoted(number, 1, ((5, side(QuoteState.RESTS), replace(side(QuoteState.RESTS), price=101)),), None), 1
        )
    assert len(made.snapshot()) == 12
    assert made.open_count == 2
    assert odd(made.apply(Quoted(5, 1, both(QuoteState.RESTS), None), 2)) == [Anomaly.UNKNOWN_ORDER] * 2


def test_client_ids_are_the_same_for_the_same_run_and_never_those_of_another() -> None:
    first, again, later = ClientIds(3), ClientIds(3), ClientIds(4)
    taken = [first.take() for _ in range(5)]
    assert taken == [again.take() for _ in range(5)] == sorted(set(taken))
    assert max(taken) < later.take()
    assert {run_of(one) for one in taken} == {3}
    with pytest.raises(MisuseError, match="begin another run"):
        ClientIds(3, MAX_COUNTER).take()
    with pytest.raises(MisuseError):
        ClientIds(-1)


# --- anything

NUMBERS = st.one_of(st.integers(-2, 12), st.sampled_from([-(2**63), 2**63, 10**40]))
IDS = st.integers(0, 4)
SIDES = st.sampled_from(Side)
QUOTE_SIDES = st.builds(
    QuoteSide, st.sampled_from(QuoteState), st.none() | IDS, st.none() | NUMBERS, NUMBERS, NUMBERS,
    st.sampled_from(Cause), st.just(""),
)  # fmt: skip
ANYTHING = st.one_of(
    st.builds(Accepted, IDS, IDS, IDS, st.none() | NUMBERS, NUMBERS, NUMBERS, st.booleans(), st.none()),
    st.builds(Amended, IDS, IDS, IDS, NUMBERS, NUMBERS, NUMBERS, st.booleans(), st.none()),
    st.builds(Rejected, IDS, st.sampled_from(Ask), st.sampled_from(Cause), st.just(""), st.none()),
    st.builds(Filled, IDS, IDS, IDS, IDS, SIDES, NUMBERS, NUMBERS, st.none() | NUMBERS, st.booleans(), st.none()),
    st.builds(Canceled, IDS, IDS, IDS, st.none() | NUMBERS, st.sampled_from(Cause), st.just(""), st.none()),
    st.builds(AllCanceled, IDS, st.none(), st.none()),
    st.builds(Quoted, IDS, IDS, st.lists(st.tuples(IDS, QUOTE_SIDES, QUOTE_SIDES), max_size=2).map(tuple), st.none()),
    st.builds(Tripped, IDS, st.just(""), st.none(), st.none()),
    st.builds(Down, st.integers(0, 2), st.just(""), st.booleans()),
)


@given(st.lists(ANYTHING, max_size=30))
def test_no_report_raises_whatever_it_says_and_all_counts_stay_right(reports: list[Report]) -> None:
    exposure = Exposure({})
    made = Orders(exposure)
    for request in (New(1, 1, Side.BID, 5, 9), New(2, 1, Side.ASK, 7, 9), MassQuote(3, 1, (Quote(2, 5, 9, 7, 9),))):
        made.decide(request, 0)
        made.sent(request, 1, 0)
    made.decide(CancelAll(4, 2), 0)
    for now, report in enumerate(reports):
        told = made.apply(report, now)
        assert [type(event) for event in told] == sorted((type(event) for event in told), key=lambda one: one != Pull)
    left = list(made.open())
    assert made.open_count == len(left)
    assert made.uncertain == sum(order.state is State.UNCERTAIN for order in left)
    for instrument in (1, 2):
        for one in Side:
            known = [made.get(client_id, instrument, one) for client_id in (1, 2, 3)]
            distinct = {id(order): order for order in known if order is not None}.values()
            open_there = sum(o.open for o in distinct if (o.instrument, o.side) == (instrument, one))
            assert exposure.open(instrument, one) == open_there >= 0


def test_the_orders_of_one_instrument_are_found_without_a_look_at_all_others() -> None:
    """Whoever pulls a chain asks for each of its instruments."""

    class Walked(dict[object, object]):
        def items(self) -> object:  # type: ignore[override]
            raise AssertionError("all orders were looked through")

    made = orders()
    made._register._open = Walked(made._register._open)  # type: ignore[assignment]
    assert [order.client_id for order in made.open(5)] == [1]
    assert [order.client_id for order in made.open(5, Side.BID)] == [1]
    assert list(made.open(5, Side.ASK)) == list(made.open(6)) == []
