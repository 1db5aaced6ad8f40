"""Order sessions with Deribit: the words of its documents both ways, each thing told once, and the budget kept."""

import hashlib
import hmac
import json
from decimal import Decimal
from typing import Any

import pytest

from netfeed.book.execution import (
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
    Freed,
    List,
    Listed,
    MassQuote,
    New,
    OpenOrder,
    Position,
    Quote,
    Quoted,
    QuoteSide,
    QuoteState,
    Rejected,
    TimeInForce,
    Tripped,
    Up,
)
from netfeed.book.level import Side
from netfeed.errors import MisuseError, WireError
from netfeed.machine import NEVER
from netfeed.venues.deribit_budget import Budget
from netfeed.venues.deribit_order_words import Listing, Portfolio, Puzzling, Terms, client_id_of
from netfeed.venues.deribit_orders import Session

S = 1_000_000_000
LISTED = Listing([Terms(0, "BTC-PERPETUAL", -1, 0), Terms(1, "BTC-22DEC23-41600-C", -4, -1)])
GROUPS = {3: ("mm", "btc_usd")}


def sign(data: bytes) -> str:
    return hmac.new(b"secret", data, hashlib.sha256).hexdigest()


def sent(session: Session) -> list[dict[str, Any]]:
    return [json.loads(message, parse_float=str, parse_int=str) for message in session.transmit()]


def answer(session: Session, call: dict[str, Any], result: Any, now: int = 0) -> list[Any]:
    return list(session.receive(json.dumps({"jsonrpc": "2.0", "id": int(call["id"]), "result": result}).encode(), now))


def refuse(session: Session, call: dict[str, Any], code: int, message: str = "no", now: int = 0) -> list[Any]:
    error = {"code": code, "message": message}
    return list(session.receive(json.dumps({"jsonrpc": "2.0", "id": int(call["id"]), "error": error}).encode(), now))


def notify(session: Session, channel: str, data: Any, now: int = 0) -> list[Any]:
    params = {"channel": channel, "data": data}
    note = {"jsonrpc": "2.0", "method": "subscription", "params": params}
    return list(session.receive(json.dumps(note).encode(), now))


def changes(session: Session, orders: list[Any], trades: list[Any]) -> list[Any]:
    data = {"instrument_name": "BTC-PERPETUAL", "orders": orders, "trades": trades, "positions": []}
    return notify(session, "user.changes.any.any.raw", data)


def up(**options: Any) -> Session:
    """Give a session that is up."""
    session = Session(1, LISTED, 0, groups=GROUPS, **options)
    session.logon("id", sign, "nonce", 0)
    (auth,) = sent(session)
    assert answer(session, auth, {"access_token": "t"}) == []
    told: list[Any] = []
    for call in sent(session):
        told += answer(session, call, call["params"].get("channels", "ok"))
    assert told == [Up(1)]
    return session


def order(**fields: Any) -> dict[str, Any]:
    """Give an order as the documents have it."""
    return {
        "order_id": "ETH-1", "instrument_name": "BTC-PERPETUAL", "direction": "buy", "order_state": "open",
        "amount": 50, "filled_amount": 0, "price": 43700.5, "label": "7", "creation_timestamp": 1_000,
        "last_update_timestamp": 1_000, "average_price": 0, "order_type": "limit", "is_liquidation": False,
    } | fields  # fmt: skip


def trade(**fields: Any) -> dict[str, Any]:
    return {
        "trade_id": "T1", "order_id": "ETH-1", "instrument_name": "BTC-PERPETUAL", "direction": "buy", "price": 43700.5,
        "amount": 10, "timestamp": 1_001, "label": "7", "fee": -0.0000025, "fee_currency": "BTC", "liquidity": "M",
        "state": "open", "trade_seq": 9,
    } | fields  # fmt: skip


ACCEPTED = Accepted(7, 0, "ETH-1", 437_005, 50, 0, True, 1_000_000_000)
FILLED = Filled(7, 0, "ETH-1", "T1", Side.BID, 437_005, 10, 10, True, 1_001_000_000, -25, -7)
BID = New(7, 0, Side.BID, 437_005, 50)


def asked(session: Session, request: Any = BID, now: int = 0) -> list[dict[str, Any]]:
    session.send(request, now)
    return sent(session)


# --- opening


def test_a_session_signs_and_opens_and_is_up() -> None:
    session = Session(1, LISTED, 0, groups=GROUPS, epoch_ns=1_700_000_000_000_000_000, portfolios=("btc",))
    session.logon("id", sign, "nonce", 0)
    (auth,) = sent(session)
    assert auth["method"] == "public/auth"
    assert auth["params"] == {
        "grant_type": "client_signature", "client_id": "id", "timestamp": "1700000000000", "nonce": "nonce", "data": "",
        "signature": sign(b"1700000000000\nnonce\n"),
    }  # fmt: skip
    answer(session, auth, {})
    beat, cod, subscribe = sent(session)
    assert beat["params"] == {"interval": "10"}
    assert (cod["method"], cod["params"]) == ("private/enable_cancel_on_disconnect", {"scope": "connection"})
    channels = ["user.changes.any.any.raw", "user.portfolio.btc", "user.mmp_trigger.btc_usd"]
    assert subscribe["params"]["channels"] == channels
    assert answer(session, subscribe, channels) == []
    assert answer(session, cod, "ok") == []
    assert answer(session, beat, "ok") == [Up(1)]


def test_a_login_that_is_refused_is_down() -> None:
    session = Session(1, LISTED, 0)
    session.logon("id", sign, "nonce", 0, cancel_on_disconnect=False)
    (auth,) = sent(session)
    assert refuse(session, auth, 13004, "invalid_credentials") == [
        Down(1, "public/auth was refused: 13004 invalid_credentials", False)
    ]
    assert (session.is_closed, session.deadline) == (True, NEVER)


def test_a_channel_that_is_not_carried_is_the_end() -> None:
    session = Session(1, LISTED, 0)
    session.logon("id", sign, "nonce", 0)
    answer(session, sent(session)[0], {})
    assert answer(session, sent(session)[2], []) == [Down(1, "the venue does not tell user.changes.any.any.raw", True)]


def test_nothing_is_sent_before_the_session_is_up() -> None:
    session = Session(1, LISTED, 0)
    with pytest.raises(MisuseError, match="up"):
        session.send(BID, 0)
    session.logon("id", sign, "nonce", 0)
    with pytest.raises(MisuseError, match="once"):
        session.logon("id", sign, "nonce", 0)


def test_a_test_is_answered_at_once_and_once() -> None:
    session = up()
    beat = b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}'
    assert [*session.receive(beat, 1), *session.receive(beat, 1)] == []
    (test,) = sent(session)
    assert test["method"] == "public/test"
    assert answer(session, test, {"version": "1"}) == []
    session.receive(beat, 1)
    assert len(sent(session)) == 1
    assert session.receive(b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}', 1) == []


def test_a_silent_venue_is_given_up() -> None:
    session = up()
    assert session.deadline == 30 * S
    assert session.wake(30 * S) == [Down(1, "the venue is silent", True)]


def test_what_is_not_answered_is_the_end() -> None:
    session = up()
    asked(session)
    assert session.wake(10 * S) == [Down(1, "private/buy was not answered", True)]


# --- requests


CALLS = [
    (New(7, 0, Side.BID, 437_005, 50), "private/buy",
     {"instrument_name": "BTC-PERPETUAL", "amount": "50", "price": "43700.5", "label": "7", "type": "limit",
      "time_in_force": "good_til_cancelled"}),
    (New(7, 1, Side.ASK, None, 15, TimeInForce.IOC, Flag.REDUCE_ONLY | Flag.MMP), "private/sell",
     {"instrument_name": "BTC-22DEC23-41600-C", "amount": "1.5", "label": "7", "type": "market",
      "time_in_force": "immediate_or_cancel", "reduce_only": True, "mmp": True}),
    (New(7, 1, Side.ASK, 425, 15, TimeInForce.FOK, Flag.POST_ONLY_REJECT), "private/sell",
     {"instrument_name": "BTC-22DEC23-41600-C", "amount": "1.5", "price": "0.0425", "label": "7", "type": "limit",
      "time_in_force": "fill_or_kill", "post_only": True, "reject_post_only": True}),
    (Amend(7, 0, 437_000, 60, Flag.POST_ONLY), "private/edit_by_label",
     {"label": "7", "instrument_name": "BTC-PERPETUAL", "amount": "60", "price": "43700.0", "post_only": True,
      "reject_post_only": False}),
    (Cancel(7, 0), "private/cancel_by_label", {"label": "7"}),
    (CancelAll(9), "private/cancel_all", {}),
    (CancelAll(9, 0), "private/cancel_all_by_instrument", {"type": "all", "instrument_name": "BTC-PERPETUAL"}),
    (MassQuote(8, 3, (Quote(1, 400, 10, None, 0),)), "private/mass_quote",
     {"quote_id": "8", "mmp_group": "mm", "wait_for_response": True, "detailed": True, "quotes": [
         {"instrument_name": "BTC-22DEC23-41600-C", "quote_set_id": "BTC-22DEC23-41600-C",
          "bid": {"price": "0.0400", "amount": "1.0"}, "ask": {"amount": "0"}}]}),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "method", "params"), CALLS, ids=[str(one) for one in range(len(CALLS))])
def test_a_request_is_a_call_in_the_words_of_the_documents(request_: Any, method: str, params: Any) -> None:
    (call,) = asked(up(), request_)
    assert (call["method"], call["params"]) == (method, params)


def test_an_order_whose_id_is_known_is_named_by_it() -> None:
    session = up()
    (buy,) = asked(session)
    answer(session, buy, {"order": order(), "trades": []})
    (edit,) = asked(session, Amend(7, 0, 437_000, 60))
    (cancel,) = asked(session, Cancel(7, 0))
    assert (edit["method"], edit["params"]["order_id"]) == ("private/edit", "ETH-1")
    assert (cancel["method"], cancel["params"]) == ("private/cancel", {"order_id": "ETH-1"})


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (New(7, 5, Side.BID, 1, 1), "instrument 5"),
        (New(7, 0, Side.BID, 1, -1), "amount"),
        (CancelAll(7, None, Side.BID), "one by one"),
        (MassQuote(7, 9, ()), "group 9"),
    ],
)
def test_what_the_venue_has_no_word_for_is_refused_whole(request_: Any, why: str) -> None:
    session = up()
    with pytest.raises(MisuseError, match=why):
        session.send(request_, 0)
    assert session.transmit() == []


def test_quotes_need_cancelling_on_disconnect() -> None:
    session = Session(1, LISTED, 0, groups=GROUPS)
    session.logon("id", sign, "nonce", 0, cancel_on_disconnect=False)
    answer(session, sent(session)[0], {})
    for call in sent(session):
        answer(session, call, call["params"].get("channels", "ok"))
    with pytest.raises(MisuseError, match="cancelled on disconnect"):
        session.send(MassQuote(8, 3, ()), 0)


# --- each thing once, whichever way it comes first


def test_an_order_is_told_by_its_answer() -> None:
    session = up()
    (buy,) = asked(session)
    told = answer(session, buy, {"order": order(filled_amount=10), "trades": [trade()]})
    assert told == [Accepted(7, 0, "ETH-1", 437_005, 50, 10, True, 1_000_000_000), FILLED]
    assert changes(session, [order(filled_amount=10)], [trade()]) == []


def test_an_order_is_told_by_its_notification() -> None:
    session = up()
    (buy,) = asked(session)
    assert changes(session, [order()], [trade()]) == [ACCEPTED, FILLED]
    assert answer(session, buy, {"order": order(), "trades": [trade()]}) == []


def test_an_order_that_is_over_is_told_behind_its_trades() -> None:
    session = up()
    asked(session)
    ended = order(order_state="cancelled", filled_amount=10, cancel_reason="user_request", last_update_timestamp=2_000)
    told = changes(session, [ended], [trade()])
    assert [type(one) for one in told] == [Accepted, Filled, Canceled]
    assert told[2] == Canceled(7, 0, "ETH-1", 10, Cause.REQUESTED, "user_request", 2_000_000_000)
    assert changes(session, [ended], []) == []


def test_an_order_that_may_not_rest_ends_by_its_time_in_force() -> None:
    session = up()
    asked(session)
    ended = order(order_state="cancelled", time_in_force="immediate_or_cancel")
    assert changes(session, [ended], [])[-1].cause is Cause.TIME_IN_FORCE


@pytest.mark.parametrize("first", ["answer", "notification"])
def test_an_amendment_is_told_once(first: str) -> None:
    session = up()
    (buy,) = asked(session)
    answer(session, buy, {"order": order(), "trades": []})
    (edit,) = asked(session, Amend(7, 0, 437_000, 60))
    now = order(price=43700.0, amount=60, last_update_timestamp=1_500)
    amended = Amended(7, 0, "ETH-1", 437_000, 60, 0, True, 1_500_000_000)
    by_answer, by_note = [amended], []
    if first == "answer":
        assert answer(session, edit, {"order": now, "trades": []}) == by_answer
        assert changes(session, [now], []) == by_note
    else:
        assert changes(session, [now], []) == by_answer
        assert answer(session, edit, {"order": now, "trades": []}) == by_note


def test_an_amendment_that_changes_nothing_is_answered_all_the_same() -> None:
    session = up()
    (buy,) = asked(session)
    answer(session, buy, {"order": order(), "trades": []})
    (edit,) = asked(session, Amend(7, 0, 437_005, 50))
    assert [type(one) for one in answer(session, edit, {"order": order(), "trades": []})] == [Amended]


def test_what_is_older_than_what_is_known_changes_nothing() -> None:
    session = up()
    (buy,) = asked(session)
    answer(session, buy, {"order": order(last_update_timestamp=2_000), "trades": []})
    assert changes(session, [order(price=1.0, last_update_timestamp=1_999)], []) == []


def test_a_cancel_is_told_by_its_answer_or_by_its_notification() -> None:
    session = up()
    (buy,) = asked(session)
    answer(session, buy, {"order": order(), "trades": []})
    (cancel,) = asked(session, Cancel(7, 0))
    ended = order(order_state="cancelled", cancel_reason="user_request")
    assert [type(one) for one in answer(session, cancel, ended)] == [Canceled]
    (unknown,) = asked(session, Cancel(99, 0))
    assert answer(session, unknown, 0) == [Rejected(99, Ask.CANCEL, Cause.NOT_FOUND, "0 orders", None)]
    (known,) = asked(session, Cancel(98, 0))
    assert answer(session, known, 1) == []


def test_orders_and_trades_come_on_channels_of_their_own_as_well() -> None:
    session = up()
    asked(session)
    assert notify(session, "user.orders.any.any.raw", order()) == [ACCEPTED]
    assert notify(session, "user.trades.any.any.raw", [trade()]) == [FILLED]
    assert notify(session, "user.orders.any.any.100ms", [order()]) == []


def test_what_is_of_nobody_is_puzzling() -> None:
    session = up()
    told = changes(
        session, [order(label="web"), order(order_id="2", instrument_name="X"), order(order_id="3", direction="up")],
        [trade(order_id="9", label="")],
    )  # fmt: skip
    assert [type(one) for one in told] == [Puzzling] * 4
    assert session.puzzling == 4
    assert [type(one) for one in notify(session, "book.X.raw", {})] == [Puzzling]


def test_a_number_that_is_finer_than_its_instrument_is_puzzling() -> None:
    assert [type(one) for one in changes(up(), [order(price=43700.55)], [])] == [Puzzling]


@pytest.mark.parametrize(("code", "cause"), [
    (10009, Cause.MARGIN), (10028, Cause.RATE), (11044, Cause.NOT_FOUND), (11054, Cause.POST_ONLY), (-1, Cause.OTHER),
])  # fmt: skip
def test_a_refusal_has_the_venues_word_and_ours(code: int, cause: Cause) -> None:
    session = up()
    (buy,) = asked(session)
    assert refuse(session, buy, code, "no\n") == [Rejected(7, Ask.NEW, cause, f"{code} no?", None)]


def test_what_could_be_a_fill_and_cannot_be_read_is_the_end() -> None:
    for message in (b"{", b'{"method":"subscription","params":{"channel":"user.changes.x","data":{"trades":[1]}}}'):
        session = up()
        (down,) = session.receive(message, 0)
        assert isinstance(down, Down)
        assert "cannot be read" in down.reason


# --- quotes, protections, lists


def test_quotes_are_told_side_by_side() -> None:
    session = up()
    (call,) = asked(session, MassQuote(8, 3, (Quote(0, 437_000, 10, 438_000, 10), Quote(1, 400, 10, None, 0))))
    done = {
        "errors": [
            {"instrument_name": "BTC-PERPETUAL", "side": "bid",
             "error": {"message": "price_too_high 43666.4288", "code": 10007}},
            {"instrument_name": "BTC-22DEC23-41600-C", "side": "ask", "error": {"message": "none", "code": 10004}},
        ],
        "orders": [
            order(order_id="8", direction="sell", price=43800, amount=10, quote=True, quote_id="8", label=""),
            order(order_id="9", instrument_name="BTC-22DEC23-41600-C", price=0.04, amount=1, filled_amount=0.1,
                  quote=True, quote_id="8", label=""),
        ],
        "trades": [trade(order_id="9", instrument_name="BTC-22DEC23-41600-C", price=0.04, amount=0.1, label="",
                         quote_id="8", liquidity="T")],
    }  # fmt: skip
    quoted, filled = answer(session, call, done)
    none = QuoteSide(QuoteState.NONE, None, None, 0, 0, Cause.OTHER, "")
    assert quoted == Quoted(8, 3, (
        (0, QuoteSide(QuoteState.REFUSED, None, None, 0, 0, Cause.PRICE, "10007 price_too_high 43666.4288"),
         QuoteSide(QuoteState.RESTS, "8", 438_000, 10, 0, Cause.OTHER, "open")),
        (1, QuoteSide(QuoteState.RESTS, "9", 400, 10, 1, Cause.OTHER, "open"), none),
    ), None)  # fmt: skip
    assert (filled.client_id, filled.quote, filled.maker, filled.quantity) == (8, True, False, 1)
    ended = done["orders"][0] | {"order_state": "cancelled", "cancel_reason": "mmp_trigger"}  # type: ignore[operator]
    (canceled,) = changes(session, [ended], [])
    assert (canceled.client_id, canceled.quote, canceled.cause) == (8, True, Cause.PROTECTION)


def test_many_quotes_are_several_calls_and_each_is_answered() -> None:
    session = up()
    one, two = asked(session, MassQuote(8, 3, (Quote(1, 400, 10, None, 0),) * 51))
    assert (len(one["params"]["quotes"]), len(two["params"]["quotes"])) == (50, 1)
    assert refuse(session, two, 10028) == [Rejected(8, Ask.QUOTE, Cause.RATE, "10028 no", None, (1,))]


def test_a_protection_trips_and_is_reset() -> None:
    session = up()
    data = {"frozen_until": 1_700_000_000_000, "index_name": "btc_usd", "mmp_group": "mm"}
    assert notify(session, "user.mmp_trigger.btc_usd", data) == [Tripped(3, "btc_usd", 1_700_000_000_000_000_000, None)]
    assert notify(session, "user.mmp_trigger.btc_usd", data | {"frozen_until": 0})[0].until_ns is None
    assert [type(one) for one in notify(session, "user.mmp_trigger.x", data | {"mmp_group": "x"})] == [Puzzling]
    reset, quote = asked(session, MassQuote(8, 3, (Quote(1, 400, 10, None, 0),), reset=True))
    assert (reset["method"], reset["params"]) == ("private/reset_mmp", {"index_name": "btc_usd", "mmp_group": "mm"})
    assert answer(session, reset, "ok") == [Freed(3, None)]
    assert [type(one) for one in answer(session, quote, {"orders": [], "trades": [], "errors": []})] == [Quoted]


def test_all_is_cancelled_with_the_quotes_and_told_once() -> None:
    session = up()
    asked(session, MassQuote(8, 3, (Quote(1, 400, 10, None, 0),)))
    orders, quotes = asked(session, CancelAll(9, 1))
    assert quotes["params"] == {"cancel_type": "instrument", "instrument_name": "BTC-22DEC23-41600-C"}
    assert answer(session, orders, 3) == []
    assert answer(session, quotes, 2) == [AllCanceled(9, 5, None)]
    orders, quotes = asked(session, CancelAll(10))
    assert refuse(session, orders, 10041, "settlement") == []
    assert answer(session, quotes, 2) == [Rejected(10, Ask.CANCEL_ALL, Cause.STATE, "10041 settlement", None)]


def test_a_list_is_what_rests_and_what_is_held() -> None:
    session = up()
    orders, positions = asked(session, List(5))
    assert (orders["method"], positions["params"]) == ("private/get_open_orders", {"currency": "any"})
    option = {"instrument_name": "BTC-22DEC23-41600-C", "direction": "sell", "price": 0.05, "amount": 1.5}
    other = order(order_id="2", label="by hand", **option)
    rest = [order(filled_amount=10), other, order(instrument_name="ETH-PERPETUAL")]
    assert [type(one) for one in answer(session, orders, rest)] == [Puzzling]
    held = [{"instrument_name": "BTC-PERPETUAL", "size": -50.0, "average_price": 43123.123},
            {"instrument_name": "BTC-22DEC23-41600-C", "size": 0.0},
            {"instrument_name": "ETH-PERPETUAL", "size": 1}]  # fmt: skip
    puzzled, listed = answer(session, positions, held)
    assert isinstance(puzzled, Puzzling)
    assert listed == Listed(1, (
        OpenOrder(7, 0, "ETH-1", Side.BID, 437_005, 50, 10, False),
        OpenOrder(None, 1, "2", Side.ASK, 500, 15, 0, False),
    ), (Position(0, -50, None),), None)  # fmt: skip
    (cancel,) = asked(session, Cancel(7, 0))
    assert cancel["params"] == {"order_id": "ETH-1"}
    assert changes(session, [], [trade()])[0].filled == 20
    orders, positions = asked(session, List(6))
    answer(session, orders, [])
    assert refuse(session, positions, 13009) == [Rejected(6, Ask.LIST, Cause.OTHER, "13009 no", None)]


def test_a_portfolio_is_told() -> None:
    data = {"currency": "BTC", "equity": 1.5, "balance": 1.25, "available_funds": 1, "initial_margin": 0.5,
            "maintenance_margin": 0.4, "delta_total": 3}  # fmt: skip
    assert notify(up(), "user.portfolio.btc", data) == [
        Portfolio("BTC", Decimal("1.5"), Decimal("1.25"), Decimal(1), Decimal("0.5"), Decimal("0.4"))
    ]


def test_a_portfolio_is_asked_for_once_the_session_is_up() -> None:
    session = up(portfolios=("btc", "USD"))
    calls = sent(session)
    assert [(one["method"], one["params"]) for one in calls] == [
        ("private/get_account_summary", {"currency": "BTC"}), ("private/get_account_summary", {"currency": "USD"}),
    ]  # fmt: skip
    data = {"currency": "BTC", "equity": 2, "balance": 2, "available_funds": 1, "initial_margin": 0.5,
            "maintenance_margin": 0.4, "username": "mm"}  # fmt: skip
    assert answer(session, calls[0], data) == [
        Portfolio("BTC", Decimal(2), Decimal(2), Decimal(1), Decimal("0.5"), Decimal("0.4"))
    ]
    assert [type(one).__name__ for one in refuse(session, calls[1], 13009)] == ["Puzzling"]
    assert not session.is_closed


# --- the budget


def test_what_the_budget_does_not_pay_for_is_refused_and_not_sent() -> None:
    session = up(orders=(5.0, 2))
    assert len(asked(session)) == 1
    assert len(asked(session, New(8, 0, Side.BID, 437_005, 50))) == 1
    assert asked(session, New(9, 0, Side.BID, 437_005, 50)) == []
    assert session.deadline == 0
    assert session.wake(0) == [Rejected(9, Ask.NEW, Cause.RATE, "our own budget", None)]
    assert session.refused == 1
    assert len(asked(session, Cancel(7, 0))) == 1  # always, and paid for by what comes after it
    assert asked(session, New(10, 0, Side.BID, 437_005, 50), S // 5) == []
    assert len(asked(session, New(11, 0, Side.BID, 437_005, 50), S)) == 1


def test_too_many_requests_hold_all_but_cancels() -> None:
    session = up()
    (buy,) = asked(session)
    refuse(session, buy, 10028)
    assert asked(session, New(8, 0, Side.BID, 437_005, 50)) == []
    assert asked(session, List(9)) == []
    assert len(asked(session, CancelAll(10))) == 1


def test_more_than_the_budget_ever_holds_is_a_misuse() -> None:
    with pytest.raises(MisuseError, match="ever holds"):
        Budget(5, 2).pays(Ask.QUOTE, 3, 0)


# --- words


@pytest.mark.parametrize("label", ["", "x", "07", "-7", "9" * 19, "\u0667"])
def test_a_label_that_is_none_of_ours_names_nobody(label: str) -> None:
    assert client_id_of(label) is None


def test_a_label_carries_the_client_id() -> None:
    assert client_id_of(str(2**63 - 1)) == 2**63 - 1
    with pytest.raises(MisuseError, match="twice"):
        Listing([Terms(0, "A", 0, 0), Terms(0, "B", 0, 0)])
    with pytest.raises(WireError):
        LISTED.theirs("X")


def test_a_connection_that_is_lost_is_down_once() -> None:
    session = up()
    assert session.lost(5) == [Down(1, "the connection was lost", True)]
    assert [*session.lost(6), *session.receive(b"{}", 7), *session.wake(NEVER)] == []
