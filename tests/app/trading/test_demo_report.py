"""What a demo says at its end: the object that is promised, and a difference to the last digit."""

import json
from dataclasses import replace

from netfeed.app.trading.demo_report import Outcome, Verdict, compared, pnl, quantity_text
from netfeed.engine.picture import MoneyPicture
from netfeed.latency import Histogram
from tests.app.trading.pictures import S, engine


def outcome(verdict: Verdict | None = None, why: tuple[str, ...] = ()) -> Outcome:
    ticks = Histogram()
    for time_ns in (100_000, 200_000, 300_000):
        ticks.record(time_ns)
    return Outcome(20 * S + 5, 1_000, 2, 0, {"LIVE": 31, "STALE": 0}, engine(), verdict or Verdict(), ticks, why)


def test_the_object_has_the_keys_that_are_promised_and_is_json() -> None:
    told = json.loads(json.dumps(outcome().as_json()))
    assert list(told) == [
        "ok", "seconds", "messages", "gaps", "books", "orders", "fills", "hedges", "uncertain", "risk_rejections",
        "positions_equal_venue", "open_orders_equal_venue", "pnl", "tick_to_order_ns",
        "hot_tick_to_order_ns", "hot_moves", "hot_shots", "hot_quotes",
    ]  # fmt: skip
    assert told["ok"] is True
    assert (told["seconds"], told["books"], told["risk_rejections"]) == (20, {"LIVE": 31}, {"collar": 2})
    assert told["pnl"] == "0.012095"
    assert list(told["tick_to_order_ns"]) == ["p50", "p99", "max"]
    assert told["tick_to_order_ns"]["max"] >= 300_000


def test_without_an_order_there_are_no_times() -> None:
    told = replace(outcome(), ticks=Histogram())
    assert told.as_json()["tick_to_order_ns"] == {"p50": None, "p99": None, "max": None}
    assert "packet to order: none" in told.words()


def test_what_is_equal_is_equal_and_nothing_else_is() -> None:
    held = {"BTC-PERPETUAL": "-120", "BTC-C": "0.5"}
    assert compared(held, dict(held), ["1"], ["1"]) == Verdict()
    assert compared({**held, "BTC-P": "0"}, held, [], []).agrees
    off = compared(held, {"BTC-PERPETUAL": "-120", "BTC-C": "0.6"}, ["1", "2"], ["2", "3"])
    assert (off.positions, off.orders, off.agrees) == (False, False, False)
    assert off.differences == (
        "BTC-C: we hold 0.5, the venue says 0.6", "order 1: rests with us alone", "order 3: rests at the venue alone",
    )  # fmt: skip


def test_a_difference_fails_the_demo_and_is_said() -> None:
    off = outcome(compared({"A": "1"}, {}, [], []))
    assert off.as_json()["ok"] is False
    assert off.as_json()["positions_equal_venue"] is False
    assert "NOT AS THE VENUE HAS THEM" in off.words()
    assert "A: we hold 1, the venue says 0" in off.words()
    assert not outcome(why=("nothing was quoted",)).ok


def test_money_is_exact_and_named_where_there_are_several() -> None:
    assert pnl(engine(money=())) == "0"
    coins = MoneyPicture("BTC", -18, 10**18 + 1, None, 0)
    assert pnl(engine(money=(coins, MoneyPicture("USD", -2, -1_250, 0, 0)))) == "1.000000000000000001 BTC -12.5 USD"


def test_quantities_are_written_as_ledgers_do() -> None:
    assert [quantity_text(*one) for one in ((5, -1), (50, -1), (-120, 0), (0, -1))] == ["0.5", "5", "-120", "0"]
