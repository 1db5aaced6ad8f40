"""The simulated venue as a client of Deribit's JSON-RPC sees it, held against the books of the floor."""

import hashlib
import hmac
import json
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from netfeed.errors import ConfigurationError, MisuseError
from netfeed.sim.commands import command
from netfeed.sim.jsonrpc_venue import MAX_CONNECTIONS, PUBLISHED, JsonRpcVenue, StreamSettings
from netfeed.sim.venue import Settings, itch_venue
from netfeed.sim.venue_events import Malformed
from netfeed.sim.venue_ports import STREAM, STREAMS
from netfeed.sim.wired_venue import WiredVenue
from tests.sim.jsonrpc_driver import FREE, MS, Reader, Run, S, some_bytes

PERPETUAL, CALL = "BTC-PERPETUAL", "BTC-27MAR26-80000-C"
INTERVALS = ["raw", "100ms", "agg2"]


def tell(run: Run, text: str) -> None:
    command(run.venue.inner, text, run.now, run.venue)  # type: ignore[arg-type]
    run.run(0)


def listening(*channels: str, **more: Any) -> Run:
    run = Run(**more)
    run.enter()
    assert run.ask("public/subscribe", channels=list(channels)) == list(channels)
    return run


# -- books


@pytest.mark.parametrize("interval", INTERVALS)
def test_a_book_that_is_read_is_the_truth_after_every_message(interval: str) -> None:
    channels = [f"book.{name}.{interval}" for name in (PERPETUAL, CALL)]
    run = listening(*channels, seed=3).run(5 * S)
    compared = 0
    for channel in channels:
        reader = Reader()
        for data in run.told(channel):
            truth = run.truths.get(reader.read(data).change_id or 0)
            assert data["type"] == "snapshot" or truth is not None
            if truth is not None:
                assert (truth.instrument, truth.digest) == (data["instrument_name"], reader.digest())
                compared += 1
        assert reader.breaks == 0
    assert compared > (5 if interval == "agg2" else 50)


def test_the_truth_of_the_stream_is_that_of_the_multicast_floor() -> None:
    run = listening(f"book.{PERPETUAL}.raw", truth=True).run(2 * S)
    reader = Reader()
    for data in run.told(f"book.{PERPETUAL}.raw"):
        reader.read(data)
    book = run.venue.venue.floor.facts(1001)
    assert [(int(price * S), int(amount)) for price, amount in sorted(reader.sides[0].items(), reverse=True)] == [
        (price, amount) for price, amount, _ in book.bids
    ]
    last = run.venue.venue.truth(1001)
    assert last.bid is not None
    assert max(reader.sides[0]) == Decimal(last.bid[0]) / S


def test_change_ids_rise_with_holes_and_hang_on_each_other() -> None:
    told = listening(f"book.{PERPETUAL}.raw").run(3 * S).told(f"book.{PERPETUAL}.raw")
    steps = [two["change_id"] - one["change_id"] for one, two in pairwise(told)]
    assert all(two["prev_change_id"] == one["change_id"] for one, two in pairwise(told))
    assert min(steps) >= 1
    assert max(steps) > 1


def test_who_joins_between_two_aggregated_changes_hangs_on_the_same_chain() -> None:
    channel = f"book.{PERPETUAL}.100ms"
    run = listening(channel, clients=2).run(150 * MS)
    assert run.asking("public/subscribe", STREAM + 1, channels=[channel])[1]["params"]["data"]["type"] == "snapshot"
    run.run(S)
    readers = [Reader(), Reader()]
    for place, reader in enumerate(readers):
        for data in run.told(channel, STREAM + place):
            reader.read(data)
    assert [one.breaks for one in readers] == [0, 0]
    assert readers[0].digest() == readers[1].digest()


def test_a_snapshot_comes_behind_the_answer_and_again_only_to_who_left() -> None:
    channel, run = f"book.{PERPETUAL}.100ms", Run()
    answer, snapshot = run.asking("public/subscribe", channels=[channel])
    assert answer["result"] == [channel]
    assert snapshot["params"]["data"]["type"] == "snapshot"
    assert len(run.asking("public/subscribe", channels=[channel, channel])) == 1
    assert run.ask("public/unsubscribe", channels=[channel, "book.X.100ms"]) == [channel]
    before = len(run.heard[STREAM])
    run.run(S)
    assert len(run.heard[STREAM]) == before
    assert len(run.asking("public/subscribe", channels=[channel])) == 2
    assert run.ask("public/unsubscribe_all") == "ok"


def test_prices_are_the_shortest_exact_decimals() -> None:
    run = Run()
    run.asked += 1
    run.venue.receive(b'{"id":1,"method":"public/get_order_book","params":{"instrument_name":"%s"}}' % CALL.encode(),
                      run.now, STREAM)  # fmt: skip
    text = run.venue.transmit(STREAM)[0].decode()
    book = json.loads(text, parse_float=str)["result"]
    assert len(book["bids"]) == len({price for price, _ in book["bids"]}) > 0
    for price, amount in book["bids"] + book["asks"]:
        assert Decimal(price) % Decimal("0.0005") == 0
        assert not price.endswith("00")
        assert Decimal(amount) % Decimal("0.1") == 0


# -- trades and tickers


def test_trades_are_those_of_the_matching_book() -> None:
    run = listening(f"trades.{PERPETUAL}.raw", f"trades.{PERPETUAL}.agg2").run(10 * S)
    raw = [one for data in run.told(f"trades.{PERPETUAL}.raw") for one in data]
    gathered = [one for data in run.told(f"trades.{PERPETUAL}.agg2") for one in data]
    assert len(raw) > 20
    assert gathered == raw[: len(gathered)]
    assert [one["trade_seq"] for one in raw] == list(range(raw[0]["trade_seq"], raw[0]["trade_seq"] + len(raw)))
    assert len({one["trade_id"] for one in raw}) == len(raw)
    assert {one["direction"] for one in raw} == {"buy", "sell"}
    assert {one["tick_direction"] for one in raw} <= {0, 1, 2, 3}
    assert all(one["contracts"] * 10 == one["amount"] for one in raw)
    last = run.ask("public/get_last_trades_by_instrument", instrument_name=PERPETUAL, count=5)
    assert last["has_more"] is True
    assert [one["trade_seq"] for one in last["trades"]] == [one["trade_seq"] for one in reversed(raw[-5:])]
    some = run.ask(
        "public/get_last_trades_by_instrument", instrument_name=PERPETUAL, start_seq=2, end_seq=4, sorting="asc"
    )
    assert [one["trade_seq"] for one in some["trades"]] == [2, 3, 4]
    assert some["has_more"] is False


def test_a_ticker_tells_the_best_levels_and_greeks_of_options_that_make_sense() -> None:
    run = listening(f"ticker.{CALL}.100ms", f"ticker.{PERPETUAL}.raw", f"book.{CALL}.100ms").run(2 * S)
    told = run.told(f"ticker.{CALL}.100ms")
    assert len(told) > 5
    reader = Reader()
    for data in run.told(f"book.{CALL}.100ms"):
        reader.read(data)
    assert told[-1]["best_bid_price"] == max(reader.sides[0])
    assert told[-1]["best_ask_amount"] == reader.sides[1][min(reader.sides[1])]
    for one in told:
        assert 0 < one["greeks"]["delta"] < 1
        assert one["greeks"]["gamma"] > 0 > one["greeks"]["theta"]
        assert one["ask_iv"] == 0 or one["bid_iv"] < one["ask_iv"], "0 is worth no more than at once"
        assert one["mark_iv"] > 0
    perpetual = run.told(f"ticker.{PERPETUAL}.raw")[-1]
    assert "greeks" not in perpetual
    assert perpetual["state"] in ("open", "halted")
    assert run.ask("public/ticker", instrument_name=PERPETUAL)["instrument_name"] == PERPETUAL


# -- what else can be asked


def test_instruments_are_described() -> None:
    run = Run(instruments=22)
    futures = run.ask("public/get_instruments", currency="BTC", kind="future")
    options = run.ask("public/get_instruments", currency="any", kind="option")
    assert [one["instrument_name"] for one in futures] == [PERPETUAL, "BTC-27MAR26"]
    assert len(options) == 20
    assert (futures[0]["tick_size"], futures[0]["min_trade_amount"], futures[0]["settlement_period"]) == (
        Decimal("0.5"), Decimal(10), "perpetual",
    )  # fmt: skip
    assert {one["option_type"] for one in options} == {"call", "put"}
    assert options[0]["tick_size_steps"] == [{"above_price": Decimal("0.005"), "tick_size": Decimal("0.0005")}]
    assert run.ask("public/get_instruments", currency="ETH") == []
    assert run.ask("public/get_instruments", currency="BTC", expired=True) == []
    assert run.ask("public/get_instrument", instrument_name=CALL) == options[0]
    assert [one["currency"] for one in run.ask("public/get_currencies")] == ["BTC", "ETH"]
    assert run.ask("public/get_index_price", index_name="btc_usd")["index_price"] > 0


def test_the_venue_says_its_time_and_version() -> None:
    run = Run(wall_ns=1_700_000_000 * S).run(3 * S)
    assert run.ask("public/get_time") == 1_700_000_003_000
    assert run.ask("public/hello", client_name="a", client_version="1") == run.ask("public/test")
    assert run.ask("public/status")["locked"] == "false"


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("public/no_such", {}, -32601),
        ("private/buy", {}, -32601),
        ("private/subscribe", {"channels": []}, 13009),
        ("public/hello", {}, -32000),
        ("public/test", {"expected_result": "exception"}, 10001),
        ("public/ticker", {"instrument_name": "BTC-X"}, 13020),
        ("public/ticker", {"instrument_name": 5}, -32602),
        ("public/get_order_book", {"instrument_name": PERPETUAL, "depth": 0}, -32602),
        ("public/get_order_book", {"instrument_name": PERPETUAL, "depth": True}, -32602),
        ("public/get_instruments", {"currency": "XYZ"}, -32602),
        ("public/get_instruments", {"currency": "BTC", "kind": "house"}, -32602),
        ("public/get_index_price", {"index_name": "sol_usd"}, -32602),
        ("public/set_heartbeat", {"interval": 9}, -32602),
        ("public/set_heartbeat", {}, -32000),
        ("public/subscribe", {}, -32000),
        ("public/subscribe", {"channels": [1]}, -32602),
        ("public/subscribe", {"channels": [f"book.{PERPETUAL}.100ms", f"book.{PERPETUAL}.raw"]}, 13778),
        ("public/auth", {"grant_type": "password"}, -32602),
        ("public/auth", {"grant_type": "refresh_token", "refresh_token": "x"}, 13004),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_code_of_the_venue(
    method: str, params: dict[str, Any], code: int
) -> None:
    run = Run()
    assert run.ask(method, **params)["code"] == code
    assert not run.venue.clients[STREAM].topics


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"{", -32700), (b"\xff", -32700), (b'{"a":' * 5_000, -32700), (b"5", 11050),
        (b'{"method":"public/test"}', 11050),
        (b'{"id":1}', 11050), (b'[{"id":1,"method":"public/test"}]', 11050), (b'{"id":1.5,"method":"x"}', 11050),
        (b'{"id":1,"method":"public/test","params":[1]}', 11050), (b" " * 40_000, -32600),
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused_and_the_connection_goes_on(data: bytes, code: int) -> None:
    run = Run()
    assert run.send(data)[0]["error"]["code"] == code
    assert run.ask("public/test")["version"]


def test_unknown_channels_are_left_out_without_a_word() -> None:
    good = f"book.{PERPETUAL}.100ms"
    wrong = ["", "book", "book.X.100ms", f"book.{PERPETUAL}.50ms", f"house.{PERPETUAL}.100ms", f"book.{PERPETUAL}"]
    assert Run().ask("public/subscribe", channels=[*wrong, good]) == [good]


# -- who may hear what


def test_raw_channels_are_for_those_who_have_authenticated() -> None:
    run = Run(StreamSettings(credentials=("id", "secret")))
    wrong = run.ask("public/auth", grant_type="client_credentials", client_id="id", client_secret="guess")
    assert wrong["code"] == 13004
    run.enter()
    assert run.ask("private/subscribe", channels=[f"book.{PERPETUAL}.raw"]) == [f"book.{PERPETUAL}.raw"]


def test_a_signature_and_a_refresh_token_are_judged() -> None:
    run = Run(StreamSettings(credentials=("id", "secret")))
    signature = hmac.new(b"secret", b"1700000000000\nabc\n", hashlib.sha256).hexdigest()
    params = {"grant_type": "client_signature", "client_id": "id", "timestamp": 1_700_000_000_000, "nonce": "abc"}
    assert run.ask("public/auth", **params, signature=signature[::-1], data="")["code"] == 13004
    token = run.ask("public/auth", **params, signature=signature, data="")["refresh_token"]
    assert run.ask("public/auth", grant_type="refresh_token", refresh_token=token)["access_token"]


# -- whether a client is alive


def test_a_client_that_speaks_hears_heartbeats_and_a_quiet_one_is_tested() -> None:
    run = Run(rate=10)
    run.ask("public/set_heartbeat", interval=10)
    run.run(5 * S)
    run.ask("public/test")
    run.run(5 * S)
    kinds = [one["params"]["type"] for one in run.heard[STREAM] if one.get("method") == "heartbeat"]
    assert kinds == ["heartbeat"]
    run.run(10 * S)
    kinds = [one["params"]["type"] for one in run.heard[STREAM] if one.get("method") == "heartbeat"]
    assert kinds == ["heartbeat", "heartbeat", "test_request"]
    run.ask("public/test")
    assert run.run(5 * S).hung_up == []


def test_a_client_that_does_not_answer_a_test_is_hung_up() -> None:
    run = Run(rate=10)
    run.ask("public/set_heartbeat", interval=10)
    run.run(10 * S)
    run.ask("public/get_time")  # says something, but not what was asked
    run.run(10 * S)
    assert [(one.port, one.code) for one in run.hung_up] == [(STREAM, 1008)]
    assert run.venue.receive(b"{}", run.now, STREAM) == [Malformed(STREAM, "nobody is connected there")]


def test_heartbeats_can_be_switched_off() -> None:
    run = Run(rate=10)
    run.ask("public/set_heartbeat", interval=10)
    run.ask("public/disable_heartbeat")
    assert run.run(60 * S).hung_up == []


# -- credits


def test_requests_beyond_the_published_credits_are_refused_and_the_connection_ends() -> None:
    run = Run(PUBLISHED)
    answers = [run.ask("public/test") for _ in range(101)]
    assert "version" in answers[99]
    assert answers[100] == {"code": 10028, "message": "too_many_requests"}
    assert [one.code for one in run.hung_up] == [1008]


def test_credits_belong_to_an_address_and_come_back_with_time() -> None:
    run = Run(PUBLISHED, clients=2)
    channels = [f"ticker.{PERPETUAL}.100ms"]
    for _ in range(10):
        run.ask("public/subscribe", channels=channels)
    assert run.ask("public/subscribe", STREAM + 1, channels=channels)["code"] == 10028
    assert run.ask("public/test")["version"], "other requests have credits of their own"
    run.run(400 * MS)
    assert run.ask("public/subscribe", channels=channels) == channels


def test_an_address_may_have_so_many_connections() -> None:
    run = Run(clients=MAX_CONNECTIONS)
    assert not run.venue.open(STREAMS[-1], run.now, peer="127.0.0.1")
    assert run.venue.open(STREAMS[-1], run.now, peer="127.0.0.2")
    run.venue.end(run.now, STREAM)
    assert run.venue.open(STREAM, run.now, peer="127.0.0.1")


# -- faults


def broken(run: Run, channel: str) -> int:
    reader = Reader()
    for data in run.told(channel):
        reader.read(data) if data["type"] == "snapshot" else None
        reader.breaks += data.get("prev_change_id", reader.change_id) != reader.change_id
        reader.change_id = data["change_id"]
    return reader.breaks


@pytest.mark.parametrize("fault", ["skip", "duplicate"])
def test_a_change_can_be_left_out_or_said_twice_once(fault: str) -> None:
    channel = f"book.{PERPETUAL}.raw"
    run = listening(channel).run(S)
    assert broken(run, channel) == 0
    tell(run, f"stream once {fault}")
    run.run(S)
    assert broken(run, channel) == 1
    assert (run.venue.counts.skipped, run.venue.counts.duplicated) == ((1, 0) if fault == "skip" else (0, 1))


def test_changes_are_left_out_by_chance_of_one_connection_not_of_the_other() -> None:
    channel = f"book.{PERPETUAL}.raw"
    run = listening(channel, clients=2)
    run.enter(STREAM + 1)
    run.ask("public/subscribe", STREAM + 1, channels=[channel])
    tell(run, "stream skip 10%")
    run.run(3 * S)
    lost = [len(run.told(channel, port)) for port in (STREAM, STREAM + 1)]
    assert lost[0] != lost[1]
    assert run.venue.counts.skipped > 10
    tell(run, "stream ok")
    tell(run, "stream 2 once skip")
    before = run.venue.counts.skipped
    run.run(S)
    assert run.venue.counts.skipped == before + 1


def test_a_silent_venue_says_and_hears_nothing_and_has_lost_it_afterwards() -> None:
    channel = f"book.{PERPETUAL}.100ms"
    run = listening(channel).run(S)
    tell(run, "stream silent 2s")
    before = len(run.heard[STREAM])
    run.run(S)
    assert run.asking("public/test") == []
    run.run(S - 1)
    assert len(run.heard[STREAM]) == before
    run.run(S)
    assert broken(run, channel) == 1
    assert run.hung_up == []


def test_a_throttled_venue_finds_no_credits() -> None:
    run = Run(clients=2)
    tell(run, "stream 1 once throttle")
    assert run.ask("public/test", STREAM + 1)["version"]
    assert run.ask("public/test")["code"] == 10028
    tell(run, "stream throttle for 1s")
    assert run.ask("public/test", STREAM + 1)["code"] == 10028
    assert [one.port for one in run.hung_up] == [STREAM, STREAM + 1]


def test_the_clock_can_be_wrong() -> None:
    run = Run(wall_ns=1_700_000_000 * S)
    tell(run, "stream skew -1500ms")
    assert run.ask("public/get_time") == 1_699_999_998_500


def test_connections_end_with_a_code_and_when_the_venue_goes_down() -> None:
    run = listening(f"book.{PERPETUAL}.raw", clients=2)
    tell(run, "stream 2 close 1006")
    assert [(one.port, one.code) for one in run.hung_up] == [(STREAM + 1, 1006)]
    tell(run, "session restart 5s")
    assert [(one.port, one.code) for one in run.hung_up[1:]] == [(STREAM, 1012)]
    assert not run.venue.open(STREAM, run.now)
    run.run(6 * S)
    assert run.venue.open(STREAM, run.now)


@pytest.mark.parametrize(
    "text",
    [
        "stream", "stream nonsense", "stream skip", "stream skip 5", "stream skip 101%", "stream once", "stream once x",
        "stream close", "stream close abc", "stream close 99999", "stream 9 once skip", "stream 1 silent",
        "stream refuse 200", "stream slow x", "stream once torn", "stream silent for x", "stream slow -1",
    ],
)  # fmt: skip
def test_a_command_that_makes_no_sense_changes_nothing(text: str) -> None:
    run = Run()
    with pytest.raises(ConfigurationError):
        tell(run, text)
    assert run.hung_up == []
    assert run.ask("public/test")["version"]


def test_a_venue_without_streams_says_so() -> None:
    with pytest.raises(ConfigurationError, match="no JSON-RPC"):
        command(WiredVenue(itch_venue(Settings(instruments=2, live_orders=10))), "stream ok", 0)


def test_only_a_starbase_floor_is_told() -> None:
    with pytest.raises(MisuseError, match="Starbase"):
        JsonRpcVenue(itch_venue(Settings(instruments=2, live_orders=10)), FREE, random_bytes=some_bytes)


def test_a_client_that_nobody_drains_is_hung_up() -> None:
    run = listening(f"ticker.{PERPETUAL}.raw", settings=StreamSettings(max_queued=20_000))
    run.heard.clear()
    run.run(S)
    assert [one.code for one in run.hung_up] == [1013]
