"""Trading over JSON-RPC: the client that trades with Deribit against the simulated venue, and the ledger at the end."""

from random import Random
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
    Quote,
    Quoted,
    QuoteState,
    Rejected,
    TimeInForce,
    Tripped,
    Up,
)  # fmt: skip
from netfeed.errors import ConfigurationError
from netfeed.sim.commands import command
from netfeed.sim.venue_ports import STREAM
from netfeed.sim.wired_venue import WiredVenue
from netfeed.venues.deribit_order_words import Portfolio
from tests.sim.exchange_room import BUY, PERPETUAL, SELL
from tests.sim.jsonrpc_sessions import MS, S, Trading

USD = 10**9
FUTURE = 1008
IOC = TimeInForce.IOC


def kinds(told: list[Any]) -> list[str]:
    return [type(one).__name__ for one in told]


def far(client_id: int, quantity: int = 10, **more: Any) -> New:
    return New(client_id, PERPETUAL, BUY, 85_000 * USD, quantity, **more)


def listed(world: Trading, port: int, client_id: int = 999_999) -> Listed:
    (told,) = world.send(port, List(client_id))
    assert isinstance(told, Listed)
    return told


def touch(world: Trading, side: int) -> int:
    best = world.exchange.trading.markets[PERPETUAL].best(side)
    assert best is not None
    return best


def test_an_order_lives_from_its_first_word_to_its_last() -> None:
    world = Trading()
    port = world.log_on()
    assert world.told[port] == [Up(port)]
    (accepted,) = world.send(port, far(7, 20))
    assert isinstance(accepted, Accepted)
    assert (accepted.client_id, accepted.price, accepted.quantity, accepted.rests) == (7, 85_000 * USD, 20, True)
    (amended,) = world.send(port, Amend(7, PERPETUAL, 85_100 * USD, 30))
    assert isinstance(amended, Amended)
    assert world.resting()[0][4:6] == (85_100 * USD, 30)
    world.agrees(port, listed(world, port))
    (canceled,) = world.send(port, Cancel(7, PERPETUAL))
    assert isinstance(canceled, Canceled)
    assert (canceled.cause, world.resting()) == (Cause.REQUESTED, [])


def test_a_fill_is_told_once_with_its_fee_and_its_match() -> None:
    world = Trading()
    port = world.log_on()
    told = world.send(port, New(1, PERPETUAL, BUY, touch(world, SELL), 10, IOC))
    assert kinds(told) == ["Accepted", "Filled"]
    fill = told[1]
    report = next(one for one in world.exchange.log.reports("mm") if isinstance(one.report, Filled)).report
    assert isinstance(report, Filled)
    assert (fill.match_id, fill.price, fill.quantity, fill.maker) == (str(report.match_id), report.price, 10, False)
    assert fill.fee * 10 ** (12 + fill.fee_exponent) == report.fee
    world.agrees(port, listed(world, port))


def test_an_order_that_may_not_rest_says_why_it_left() -> None:
    world = Trading()
    port = world.log_on()
    for number, force in ((1, IOC), (2, TimeInForce.FOK)):
        told = world.send(port, far(number, time_in_force=force))
        assert kinds(told) == ["Accepted", "Canceled"]
        assert told[1].cause is Cause.TIME_IN_FORCE


@pytest.mark.parametrize(
    ("request_", "cause"),
    [
        (far(1, 15), Cause.QUANTITY),
        (New(1, PERPETUAL, BUY, 200_000 * USD, 10), Cause.PRICE),
        (New(1, PERPETUAL, SELL, 20_000 * USD, 10), Cause.PRICE),
        (New(1, PERPETUAL, BUY, 85_000 * USD + 1, 10), Cause.PRICE),
        (far(1, 10_000_010), Cause.QUANTITY),
        (New(1, PERPETUAL, SELL, 89_000 * USD, 10, flags=Flag.POST_ONLY_REJECT), Cause.POST_ONLY),
        (Cancel(5, PERPETUAL), Cause.NOT_FOUND),
        (Amend(5, PERPETUAL, 85_000 * USD, 10), Cause.NOT_FOUND),
    ],
)
def test_a_refusal_has_deribits_code_and_our_cause(request_: Any, cause: Cause) -> None:
    world = Trading()
    port = world.log_on()
    (rejected,) = world.send(port, request_)
    assert isinstance(rejected, Rejected)
    assert rejected.cause is cause
    assert world.resting() == []


def test_margin_that_is_not_there_is_10009() -> None:
    world = Trading(coins=1)
    port = world.log_on()
    (rejected,) = world.send(port, New(1, PERPETUAL, BUY, 90_000 * USD, 9_999_990))
    assert isinstance(rejected, Rejected)
    assert (rejected.cause, rejected.venue_reason) == (Cause.MARGIN, "10009 not_enough_funds")


def test_quotes_are_placed_replaced_and_pulled() -> None:
    world = Trading()
    port = world.log_on()
    quotes = (
        Quote(PERPETUAL, 85_000 * USD, 10, 95_000 * USD, 20), Quote(FUTURE, 85_000 * USD, 30, None, 0),
    )  # fmt: skip
    told = world.send(port, MassQuote(4, 1, quotes))
    assert kinds(told) == ["Quoted"]
    quoted = told[0]
    assert isinstance(quoted, Quoted)
    states = [[side.state for side in sides] for _, *sides in quoted.sides]
    assert states == [[QuoteState.RESTS] * 2, [QuoteState.RESTS, QuoteState.NONE]]
    world.agrees(port, listed(world, port))
    world.send(port, MassQuote(5, 1, (Quote(PERPETUAL, 85_100 * USD, 10, None, 0),)))
    assert [(one[0], one[1], one[3], one[4]) for one in world.resting()] == [
        (4, FUTURE, BUY, 85_000 * USD), (5, PERPETUAL, BUY, 85_100 * USD),
    ]  # fmt: skip
    world.agrees(port, listed(world, port))
    (done,) = [one for one in world.send(port, CancelAll(6)) if isinstance(one, AllCanceled)]
    assert (done.count, world.resting()) == (2, [])


def test_one_side_of_a_quote_is_refused_and_the_other_one_rests() -> None:
    world = Trading()
    port = world.log_on()
    (quoted,) = world.send(port, MassQuote(4, 1, (Quote(PERPETUAL, 85_000 * USD, 10, 20_000 * USD, 20),)))
    assert isinstance(quoted, Quoted)
    ((_, bid, ask),) = quoted.sides
    assert {bid.state, ask.state} <= {QuoteState.RESTS, QuoteState.REFUSED}
    (quoted,) = world.send(port, MassQuote(5, 1, (Quote(PERPETUAL, 85_000 * USD, 10, 95_000 * USD, 15),)))
    ((_, bid, ask),) = quoted.sides
    assert (bid.state, ask.state, ask.cause) == (QuoteState.RESTS, QuoteState.REFUSED, Cause.QUANTITY)
    world.agrees(port, listed(world, port))


def test_protection_trips_freezes_and_is_reset() -> None:
    world = Trading(limit=1)
    port, other = world.log_on(), world.log_on(STREAM + 1, "bob")
    bid = touch(world, BUY) + USD // 2
    world.send(port, MassQuote(1, 1, (Quote(PERPETUAL, bid, 20, 95_000 * USD, 20),)))
    before = len(world.told[port])
    world.send(other, New(1, PERPETUAL, SELL, bid, 10, IOC))
    told = world.told[port][before:]
    assert sorted(set(kinds(told))) == ["Canceled", "Filled", "Tripped"]
    assert [one.until_ns for one in told if isinstance(one, Tripped)] == [None]
    assert {one.cause for one in told if isinstance(one, Canceled)} == {Cause.PROTECTION}
    (rejected,) = world.send(port, MassQuote(2, 1, (Quote(PERPETUAL, bid, 10, None, 0),)))
    assert isinstance(rejected, Rejected)
    assert rejected.ask is Ask.QUOTE
    told = world.send(port, MassQuote(3, 1, (Quote(PERPETUAL, 85_000 * USD, 10, None, 0),), reset=True))
    assert [type(one) for one in told] == [Freed, Quoted]
    world.agrees(port, listed(world, port))


def test_orders_and_quotes_leave_with_their_connection_and_others_stay() -> None:
    world = Trading()
    one, two = world.log_on(), world.log_on(STREAM + 1)
    stays = world.log_on(STREAM + 2, cancels=False)
    world.send(one, far(1))
    world.send(one, MassQuote(2, 1, (Quote(FUTURE, 85_000 * USD, 30, None, 0),)))
    world.send(two, far(3))
    world.send(stays, far(4))
    world.leave(one)
    assert [order[0] for order in world.resting()] == [3, 4]
    gone = [report for report in world.told[two] if isinstance(report, Canceled)]
    assert {report.cause for report in gone} == {Cause.DISCONNECTED}
    world.leave(stays)
    assert [order[0] for order in world.resting()] == [3, 4]


def test_every_connection_of_an_account_is_told_of_all_its_orders_and_nobody_of_others() -> None:
    world = Trading()
    one, two, bob = world.log_on(), world.log_on(STREAM + 1), world.log_on(STREAM + 2, "bob")
    world.send(one, far(1))
    assert kinds(world.told[two]) == ["Up", "Accepted"]
    assert kinds(world.told[bob]) == ["Up"]


def test_an_edit_that_waits_in_the_speed_bump_is_answered_when_it_is_done() -> None:
    world = Trading(bump_ns=5 * MS)
    port = world.log_on()
    world.send(port, far(1, 10))
    assert world.send(port, Amend(1, PERPETUAL, touch(world, SELL), 10)) == []
    world.run(6 * MS)
    assert "Filled" in kinds(world.told[port])
    assert kinds(world.told[port]).count("Amended") == 1
    world.agrees(port, listed(world, port))
    assert world.sessions[port].statistics().waiting == 0


def test_too_many_requests_end_the_connection() -> None:
    world = Trading()
    port = world.log_on()
    world.exchange.trading.permits["mm"] = type(world.exchange.trading.permits["mm"])(rate=1.0, burst=3)
    for number in range(1, 9):
        if port not in world.sessions:
            break
        world.send(port, far(number))
    assert [one.port for one in world.hung_up] == [port]
    assert isinstance(world.told[port][-1], Down)
    assert world.resting() == []


def test_the_portfolio_is_told_with_what_changed_it() -> None:
    world = Trading()
    port = world.log_on(portfolios=("btc",))
    told = world.send(port, New(1, PERPETUAL, BUY, touch(world, SELL), 10, IOC))
    last = [one for one in told if isinstance(one, Portfolio)][-1]
    account = world.exchange.trading.ledger.accounts["mm"]
    assert (last.currency, int(last.balance * 10**24)) == ("BTC", account.cash["BTC"])
    assert last.initial_margin > last.maintenance_margin > 0


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_asked_the_session_and_the_ledger_agree_in_the_end(seed: int) -> None:
    random = Random(seed)
    world = Trading(rate=400, bump_ns=random.choice([0, MS]))
    port = world.log_on()
    alive: list[int] = []
    for number in range(1, 120):
        market = world.exchange.trading.markets[random.choice([PERPETUAL, FUTURE])]
        instrument, side = market.instrument.id, random.choice([BUY, SELL])
        best = market.best(side)
        assert best is not None
        step = market.instrument.step(best)
        price = best + random.randrange(-3, 4) * step
        match random.choice(["new"] * 4 + ["amend", "cancel", "quote", "all"]):
            case "new":
                flags = random.choice([Flag(0), Flag.POST_ONLY, Flag.POST_ONLY_REJECT, Flag.REDUCE_ONLY])
                force = TimeInForce.GTC if flags else random.choice(list(TimeInForce))
                world.send(port, New(number, instrument, side, price, 10 * random.randrange(1, 40), force, flags))
                alive.append(number)
            case "amend" if alive:
                world.send(port, Amend(random.choice(alive), PERPETUAL, price - price % (USD // 2), 200))
            case "cancel" if alive:
                world.send(port, Cancel(alive.pop(random.randrange(len(alive))), PERPETUAL))
            case "quote":
                bid = None if random.random() < 0.2 else best - step * random.randrange(4)
                quote = Quote(instrument, bid, 10 * random.randrange(1, 9), best + 5 * step, 20)
                world.send(port, MassQuote(number, 1, (quote,)))
            case "all":
                world.send(port, CancelAll(number, random.choice([None, instrument])))
        world.run(random.randrange(4) * MS)
    world.run(20 * MS)
    world.agrees(port, listed(world, port))
    ids = [one.match_id for one in world.told[port] if isinstance(one, Filled)]
    assert ids
    assert len(ids) == len(set(ids))


# --- said by hand


def test_a_label_that_is_any_text_is_kept_and_found() -> None:
    world = Trading()
    port = world.plain()
    bought = world.ask(port, "private/buy", instrument_name="BTC-PERPETUAL", amount=10, price=85_000.5, label="wing 1")
    assert (bought["order"]["label"], bought["order"]["order_state"], bought["trades"]) == ("wing 1", "open", [])
    again = world.ask(port, "private/buy", instrument_name="BTC-PERPETUAL", amount=10, price=85_001, label="wing 1")
    assert again["order"]["order_id"] != bought["order"]["order_id"]
    (first, second) = world.ask(port, "private/get_open_orders")
    assert (first["label"], second["label"], first["price"]) == ("wing 1", "wing 1", 85_000.5)
    assert world.ask(port, "private/edit_by_label", label="wing 1", amount=20, price=85_000)["code"] == 10004
    edited = world.ask(port, "private/edit", order_id=first["order_id"], amount=20, price=85_000)
    assert (edited["order"]["amount"], edited["order"]["label"]) == (20, "wing 1")
    assert world.ask(port, "private/cancel_by_label", label="wing 1") == 2
    assert world.ask(port, "private/get_open_orders") == []


def test_a_number_that_was_used_before_is_an_order_of_its_own_as_on_deribit() -> None:
    world = Trading()
    port = world.plain()
    for _ in range(2):
        done = world.ask(port, "private/buy", instrument_name="BTC-PERPETUAL", amount=10, price=85_000, label="7")
        assert done["order"]["label"] == "7"
    assert len(world.exchange.listed("mm").orders) == 2


def test_a_market_order_has_no_price() -> None:
    world = Trading()
    port = world.plain()
    done = world.ask(port, "private/sell", instrument_name="BTC-PERPETUAL", amount=10, type="market", label="1")
    assert (done["order"]["order_type"], done["order"]["price"]) == ("market", "market_price")
    assert done["order"]["order_state"] == "filled"
    assert [one["amount"] for one in done["trades"]] == [10]


def test_channels_of_orders_and_trades_tell_each_step_in_order() -> None:
    world = Trading(rate=400)
    port, session = world.plain(), world.log_on()
    channels = [
        "user.orders.any.any.raw", "user.trades.BTC-PERPETUAL.raw", "user.changes.option.BTC.raw", "user.orders.X.raw",
    ]  # fmt: skip
    assert world.ask(port, "private/subscribe", channels=channels) == channels[:3]
    for number in range(1, 30):
        world.send(session, New(number, PERPETUAL, BUY, touch(world, SELL), 50))
        world.run(5 * MS)
    heard = [one["params"] for one in world.heard[port]]
    orders = [one["data"] for one in heard if one["channel"] == channels[0]]
    trades = [one for note in heard if note["channel"] == channels[1] for one in note["data"]]
    assert not [one for one in heard if one["channel"] == channels[2]]
    assert sum(one["amount"] for one in trades) == world.exchange.trading.position("mm", PERPETUAL)
    last: dict[str, Any] = {}
    for one in orders:
        before = last.get(one["order_id"], {"filled_amount": 0, "last_update_timestamp": 0, "order_state": "open"})
        assert before["order_state"] == "open"
        assert before["filled_amount"] <= one["filled_amount"] <= one["amount"]
        assert before["last_update_timestamp"] <= one["last_update_timestamp"]
        last[one["order_id"]] = one
    sums: dict[str, Any] = {}
    for one in trades:
        sums[one["order_id"]] = sums.get(one["order_id"], 0) + one["amount"]
    assert {name: one["filled_amount"] for name, one in last.items() if one["filled_amount"]} == sums
    assert max(sum(one["order_id"] == name for one in trades) for name in sums) > 1
    assert world.ask(port, "private/unsubscribe_all") == "ok"


def test_a_quote_that_is_pulled_because_the_next_one_is_refused_is_told_to_be_over() -> None:
    world = Trading()
    port, session = world.plain(), world.log_on()
    assert world.ask(port, "private/subscribe", channels=["user.orders.any.any.raw"])
    world.send(session, MassQuote(1, 1, (Quote(PERPETUAL, 85_000 * USD, 10, 95_000 * USD, 10),)))
    world.send(session, MassQuote(2, 1, (Quote(PERPETUAL, 85_000 * USD, 15, 95_000 * USD, 20),)))
    told = [one["params"]["data"] for one in world.heard[port]]
    said = [(one["quote_id"], one["direction"], one["order_state"], one["amount"]) for one in told]
    assert sorted(said) == [
        ("1", "buy", "cancelled", 10), ("1", "buy", "open", 10), ("1", "sell", "open", 10), ("2", "sell", "open", 20),
    ]  # fmt: skip


def test_what_an_account_has_is_told_on_request() -> None:
    world = Trading()
    port = world.plain()
    world.ask(port, "private/buy", instrument_name="BTC-PERPETUAL", amount=30, type="market")
    summary = world.ask(port, "private/get_account_summary", currency="BTC")
    assert int(summary["balance"] * 10**24) == world.exchange.trading.ledger.accounts["mm"].cash["BTC"]
    position = world.ask(port, "private/get_position", instrument_name="BTC-PERPETUAL")
    assert (position["size"], position["direction"]) == (30, "buy")
    assert world.ask(port, "private/get_positions", currency="ETH") == []
    (config,) = world.ask(port, "private/get_mmp_config", index_name="btc_usd")
    assert (config["mmp_group"], config["interval"]) == ("mm", 1)
    assert world.ask(port, "private/reset_mmp", index_name="btc_usd", mmp_group="mm") == "ok"
    assert world.ask(port, "private/get_cancel_on_disconnect")["enabled"] is False


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("buy", {"instrument_name": "X", "amount": 10, "price": 1}, 10020),
        ("buy", {"amount": 10, "price": 1}, -32000),
        ("buy", {"instrument_name": "BTC-PERPETUAL", "price": 85_000}, -32000),
        ("buy", {"instrument_name": "BTC-PERPETUAL", "amount": "10", "price": 85_000}, -32602),
        ("buy", {"instrument_name": "BTC-PERPETUAL", "amount": 10.5, "price": 85_000}, 10021),
        ("buy", {"instrument_name": "BTC-PERPETUAL", "amount": 10, "price": 1e-12}, 10026),
        ("buy", {"instrument_name": "BTC-PERPETUAL", "amount": 10, "price": 1e300}, -32602),
        ("buy", {"instrument_name": "BTC-PERPETUAL", "amount": -10, "price": 85_000}, 10021),
        ("buy", {"instrument_name": "BTC-PERPETUAL", "amount": 10, "price": 85_000, "type": "stop_limit"}, -32602),
        ("buy", {"instrument_name": "BTC-PERPETUAL", "amount": 10, "price": 1, "trigger": "mark_price"}, -32602),
        ("buy", {"instrument_name": "BTC-PERPETUAL", "amount": 10, "price": 1, "label": "x" * 65}, -32602),
        ("buy", {"instrument_name": "BTC-PERPETUAL", "amount": 10, "price": 1, "time_in_force": "ever"}, -32602),
        ("buy", {"instrument_name": "BTC-PERPETUAL", "amount": 10, "price": 1, "post_only": "yes"}, -32602),
        ("edit", {"order_id": "ETH-1", "amount": 10, "price": 1}, 10004),
        ("cancel", {"order_id": "-1"}, 10004),
        ("cancel", {}, -32000),
        ("mass_quote", {"mmp_group": "mm", "quotes": []}, 11030),
        ("cancel_quotes", {"cancel_type": "delta"}, -32602),
        ("enable_cancel_on_disconnect", {"scope": "account"}, -32602),
        ("get_account_summary", {"currency": "DOGE"}, -32602),
        ("reset_mmp", {"mmp_group": "wings"}, -32602),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_code(method: str, params: dict[str, Any], code: int) -> None:
    world = Trading()
    port = world.plain()
    assert world.ask(port, f"private/{method}", **params)["code"] == code
    assert world.resting() == []


def test_another_ones_order_is_not_found() -> None:
    world = Trading()
    mine, bobs = world.plain(), world.plain(STREAM + 8, "bob")
    order = world.ask(mine, "private/buy", instrument_name="BTC-PERPETUAL", amount=10, price=85_000)["order"]
    for method in ("cancel", "get_order_state"):
        assert world.ask(bobs, f"private/{method}", order_id=order["order_id"])["code"] == 10004
    assert len(world.resting()) == 1


# --- faults of the gateway


def tell(world: Trading, text: str) -> None:
    assert isinstance(world.venue.inner, WiredVenue)
    command(world.venue.inner, text, world.now)
    world.venue.flush(world.now)
    world.pump()


def test_an_answer_that_is_lost_is_told_by_its_channel_and_one_that_comes_twice_counts_once() -> None:
    world = Trading()
    port = world.log_on()
    tell(world, "orders JSON lost 100%")
    assert kinds(world.send(port, far(1))) == ["Accepted"]
    tell(world, "orders JSON duplicate 100%")
    assert [one for one in kinds(world.send(port, far(2))) if one != "Puzzling"] == ["Accepted"]
    assert len(world.resting()) == 2
    assert (world.inner.json.counts["lost"], world.inner.json.counts["duplicated"]) == (1, 1)  # type: ignore[union-attr]


def test_an_answer_that_is_lost_ends_the_session_which_cannot_know_more() -> None:
    world = Trading()
    port = world.log_on()
    tell(world, "orders JSON lost 100%")
    world.send(port, far(1))
    world.run(11 * S)
    assert isinstance(world.told[port][-1], Down)


def test_an_answer_is_late_and_forgotten_with_its_connection() -> None:
    world = Trading()
    port = world.plain()
    tell(world, "orders JSON delay 5ms")
    ask: dict[str, Any] = {"instrument_name": "BTC-PERPETUAL", "amount": 10, "price": 85_000}
    assert world.ask(port, "private/buy", **ask) is None
    assert len(world.resting()) == 1
    world.run(6 * MS)
    assert world.heard[port][-1]["result"]["order"]["amount"] == 10
    assert world.ask(port, "private/buy", **ask) is None
    world.venue.end(world.now, port)
    assert world.inner.json is not None
    assert world.inner.json.deadline > world.now + S


def test_a_storm_of_rejects_refuses_orders_and_nothing_else() -> None:
    world = Trading()
    port = world.plain()
    tell(world, "orders JSON refuse 100% for 5ms")
    assert world.ask(port, "private/buy", instrument_name="BTC-PERPETUAL", amount=10, price=85_000)["code"] == 10047
    assert world.ask(port, "private/get_open_orders") == []
    world.run(6 * MS)
    assert "order" in world.ask(port, "private/buy", instrument_name="BTC-PERPETUAL", amount=10, price=85_000)


def test_it_dies_between_an_order_and_its_answer_and_comes_back() -> None:
    world = Trading()
    port = world.log_on(cancels=False)
    tell(world, "orders JSON kill after 1")
    assert kinds(world.send(port, far(1))) == ["Down"]
    assert [one.code for one in world.hung_up] == [1006]
    assert [one[0] for one in world.resting()] == [1]
    assert not world.venue.open(STREAM + 1, world.now, peer="192.0.2.1")
    tell(world, "orders JSON ok")
    again = world.log_on(STREAM + 1)
    assert [one.client_id for one in listed(world, again).orders] == [1]
    tell(world, "orders JSON kill")
    assert [one.code for one in world.hung_up] == [1006, 1006]


def test_its_wires_are_those_of_streams() -> None:
    world = Trading()
    with pytest.raises(ConfigurationError, match="stream"):
        tell(world, "orders JSON slow 5ms")
