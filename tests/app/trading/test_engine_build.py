"""What `[engine]` of a file comes to: strategies, hedges, limits, contracts; and what does not fit is named."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from netfeed.app.changes import Book
from netfeed.app.config import parse
from netfeed.app.engine_configuration import Engine, Fees, Shares
from netfeed.app.sim_config import load as load_sim
from netfeed.app.sim_config import run_config
from netfeed.app.sim_sessions import configured
from netfeed.app.trading.contracts import Known, known, of_instrument, once
from netfeed.app.trading.engine_build import build, empty_account, plan
from netfeed.app.trading.replay_plan import builder
from netfeed.app.trading.session_driver import terms
from netfeed.app.trading.traded import Traded
from netfeed.book import OrderBooks
from netfeed.book.handle import OrderBook
from netfeed.book.state import BookState
from netfeed.engine.avellaneda import AvellanedaStoikov
from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.hedge import Hedger
from netfeed.engine.hedge_band import Fixed, WhalleyWilmott
from netfeed.engine.limits import Limits
from netfeed.engine.position import Positions
from netfeed.engine.quoter import Quoter
from netfeed.engine.router import SessionTerms
from netfeed.engine.targets import Amends
from netfeed.errors import ConfigurationError, ConfigurationFileError
from netfeed.sim.fill_route import FillRoute
from netfeed.venues import deribit_json
from netfeed.venues.instrument import Instrument, Kind, Number, Right, Step

DAY_NS = 86_400 * 10**9
SESSION = """
[[sessions]]
name = "a"
venue = "{venue}"
protocol = "deribit"
endpoints = ["ws://192.0.2.1:80/"]
key = "k"
secret_env = "S"
"""
CHANNEL = """
[[channels]]
name = "feed"
protocol = "starbase"
interface = "lo"
lines = [{ group = "233.252.0.1:26400" }]
"""
ENGINE = """
[engine]
strategy = "quoter"
instruments = ["BTC-*"]
journal = "orders"

[engine.limits]
order_size = { "*" = "10" }
position = { "BTC-PERP" = "100", "*" = "50" }
"""
CONTRACTS = [
    Contract(3, "BTC-PERP", Payoff.PERPETUAL, "BTC", True, -1, 0, 5, 10, venue="deribit"),
    Contract(4, "BTC-F", Payoff.FUTURE, "BTC", True, -1, 0, 5, 10, expiry_ns=30 * DAY_NS, venue="deribit"),
    Contract(
        5, "BTC-C", Payoff.CALL, "BTC", True, -4, -1, 5, 1, strike=1.0, expiry_ns=30 * DAY_NS, venue="deribit"
    ),
    Contract(
        6, "BTC-P", Payoff.PUT, "BTC", True, -4, -1, 5, 1, strike=1.0, expiry_ns=60 * DAY_NS, venue="deribit"
    ),
]  # fmt: skip


OWN = """
class Mine:
    def __init__(self, contracts, edge):
        self.names, self.edge = [contract.name for contract in contracts], edge

    def decide(self, view, touched):
        return {}


class Nothing:
    def __init__(self, contracts):
        pass
"""


def read(text: str = ENGINE, *, sessions: str = SESSION.format(venue="deribit")) -> Engine:
    config = parse(f"schema_version = 1\n{CHANNEL}{sessions}{text}".encode(), "engine.toml")
    assert config.engine is not None
    return config.engine


def mistakes(text: str, **more: str) -> list[str]:
    with pytest.raises(ConfigurationFileError) as caught:
        read(text, **more)
    return str(caught.value).split("\n")


HEDGE = '\n[engine.hedge]\ninstruments = ["BTC-PERP", "BTC-F"]\nclip = "100"\nmax_position = "1000"\n'


def test_a_quoter_is_made_for_instruments_that_count_alike_and_what_hedges_is_not_quoted() -> None:
    made = plan(read(ENGINE + HEDGE + "band = 0.5\n"), CONTRACTS)
    assert [(type(strategy), instruments) for strategy, instruments in made.made] == [(Quoter, [5, 6])]
    ((hedger, instruments),) = made.hedging
    assert (type(hedger), instruments) == (Hedger, [3, 4])
    assert hedger._band == Fixed(0.5)
    assert made.limits.position == {None: 0, 5: 500, 6: 500, 3: 100, 4: 50}
    assert made.limits.order_size[5] == 100


def test_an_option_is_gated_by_what_expires_with_it_else_by_the_first_hedge() -> None:
    parts = plan(read(ENGINE + HEDGE + "aversion = 1e-5\nmost = 2.0\n"), CONTRACTS)
    assert parts.hedging[0][0]._band == WhalleyWilmott(1e-5, 0.0, 2.0)
    books = OrderBooks()
    views: dict[int, Any] = {one.index: OrderBook(books, books.add_book(BookState.LIVE)) for one in CONTRACTS}
    engine = build(parts, views, [FillRoute(venue="deribit")], lambda record: None)
    (desk,) = engine.desks
    assert desk.gate.dependents(4) == {5}
    assert desk.gate.dependents(3) == {6}
    assert [sorted(one.instruments) for one in engine.hedging] == [[3, 4]]
    assert desk._differ._abilities.amends is Amends.ALWAYS


def test_without_hedges_everything_that_is_named_is_quoted() -> None:
    made = plan(read(ENGINE.replace('"BTC-*"', '"BTC-F", "BTC-[CP]"')), CONTRACTS)
    assert sorted(instruments for _, instruments in made.made) == [[4], [5, 6]]
    assert made.hedging == ()


def test_avellaneda_is_one_strategy_an_instrument() -> None:
    text = ENGINE.replace('"quoter"', '"avellaneda"').replace('"BTC-*"', '"BTC-PERP", "BTC-F"')
    numbers = '\n[engine.avellaneda]\ngamma = 0.1\nkappa = 1.5\nsigma = 2.0\nunit = "10"\nsize = "20"\n'
    made = plan(read(text + numbers), CONTRACTS)
    assert [(type(strategy), instruments) for strategy, instruments in made.made] == [
        (AvellanedaStoikov, [3]), (AvellanedaStoikov, [4])
    ]  # fmt: skip
    assert mistakes(text) == [
        "engine.toml: engine.avellaneda: the strategy has no numbers of its own: give gamma, kappa and sigma"
    ]


def test_a_strategy_of_ones_own_is_found_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "own_strategy_a.py").write_text(OWN)
    text = ENGINE.replace('"quoter"', '"own_strategy_a.py:Mine"') + "\n[engine.settings]\nedge = 0.25\n"
    ((strategy, instruments),) = plan(read(text), CONTRACTS, str(tmp_path)).made
    assert (strategy.names, strategy.edge, instruments) == (  # type: ignore[attr-defined]
        ["BTC-PERP", "BTC-F", "BTC-C", "BTC-P"], 0.25, [3, 4, 5, 6]
    )  # fmt: skip
    for wrong, why in (
        ("absent.py:Mine", "FileNotFoundError"), ("own_strategy_a.py:Absent", "AttributeError"),
        ("own_strategy_a.py:Mine", "missing 1 required"), ("own_strategy_a.py:Nothing", "has no `decide"),
        ("no_such_module:Mine", "ModuleNotFoundError"),
    ):  # fmt: skip
        with pytest.raises(ConfigurationError, match=why):
            plan(read(ENGINE.replace('"quoter"', f'"{wrong}"')), CONTRACTS, str(tmp_path))


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ('"BTC-*"', '"ETH-*"', r"engine.instruments: ETH-\* names none of 4 that are listed"),
        ('{ "*" = "10" }', '{ "BTC-C" = "10" }', 'engine.limits.order_size: nothing fits BTC-PERP; "\\*" fits all'),
        ('{ "*" = "10" }', '{ "*" = "15" }', "engine.limits.order_size: 15 of BTC-PERP is not in its lots of 10e0"),
        ('{ "*" = "10" }', '{ "*" = "10.25" }', "engine.limits.order_size: 10.25 of BTC-PERP is not in its lots"),
        (
            '{ "*" = "10" }',
            '{ "*" = "10" }\nloss = { btc = 0.5 }',
            "engine.limits.loss: nothing that is traded pays in btc; there is BTC",
        ),
    ],
)
def test_what_does_not_fit_what_is_listed_is_named(before: str, after: str, why: str) -> None:
    assert before in ENGINE
    with pytest.raises(ConfigurationError, match=why):
        plan(read(ENGINE.replace(before, after, 1)), CONTRACTS)


@pytest.mark.parametrize(
    ("engine", "why"),
    [
        (ENGINE, "it writes Starbase's mass quotes: it takes one of [[sessions]] with that protocol"),
        (ENGINE.replace('"quoter"', '"mine:Mine"'), 'it moves the quotes of strategy = "quoter", not of mine:Mine'),
        (ENGINE.replace('"quoter"', '"quoter"\nmass_quotes = false'), "it moves mass quotes: say mass_quotes = true"),
        (
            ENGINE + '\n[engine.quoter]\ntiers = [{ size = "1" }, { size = "2", spread = 2.0 }]\n',
            "it moves one tier: the further ones of engine.quoter.tiers are orders",
        ),
        (ENGINE, 'say receive.how = "loop"'),
    ],
)
def test_why_the_hot_step_cannot_be_used_is_named(engine: str, why: str) -> None:
    said = mistakes(engine + "\n[engine.hot]\n")
    assert any(one.startswith("engine.toml: engine.hot: ") and why in one for one in said)


def test_the_hot_step_names_the_sessions_that_it_could_use() -> None:
    starbase = (
        SESSION.format(venue="deribit").replace('protocol = "deribit"', 'protocol = "starbase"').replace("ws:", "tcp:")
    )
    said = mistakes(ENGINE + '\n[engine.hot]\nsession = "b"\n', sessions=starbase)
    assert "engine.toml: engine.hot: session: 'b' is none of the Starbase sessions (a)" in said


def test_what_the_file_says_wrong_is_named_with_its_place() -> None:
    assert mistakes(ENGINE + "sizes = 1\n")[0].startswith("engine.toml: engine.limits.sizes: no such key")
    assert "did you mean 'quoter'" in mistakes(ENGINE + "\n[engine.quoters]\nhalf_ticks = 1\n")[0]
    assert mistakes(ENGINE.replace('journal = "orders"\n', "")) == [
        "engine.toml: engine.journal: name the folder that keeps what was decided, sent and heard"
    ]
    assert mistakes(ENGINE + HEDGE) == [
        "engine.toml: engine.hedge: give a `band`, or an `aversion` from which one is made"
    ]
    assert mistakes(f'{ENGINE}\n[engine.hedge]\ninstruments = ["BTC-PERPETUAL"]\n') == [
        "engine.toml: engine.hedge: clip is missing; it takes instruments, clip, max_position at least"
    ]
    assert mistakes(ENGINE, sessions="") == ["engine.toml: engine: it takes [[sessions]] to send orders by"]
    two = SESSION.format(venue="deribit") + SESSION.format(venue="other").replace('"a"', '"b"')
    assert mistakes(ENGINE, sessions=two) == [
        "engine.toml: engine.accounts: sessions go to deribit, other: say by feed whose account is traded"
    ]
    named = ENGINE.replace("[engine.limits]", '[engine.accounts]\nfed = "deribit"\nfeed = "no"\n\n[engine.limits]')
    assert mistakes(named, sessions=two) == [
        "engine.toml: engine.accounts: there is no channel or venue 'fed'",
        "engine.toml: engine.accounts: no session goes to 'no'",
    ]
    telling = SESSION.format(venue="deribit") + 'portfolios = ["btc"]\n'
    assert "engine.limits.delta" in mistakes(ENGINE + "delta = inf\n")[0]
    assert "no session tells how much is used" in mistakes(ENGINE + "margin_percent = 50\n")[0]
    assert read(ENGINE + "margin_percent = 50\n", sessions=telling).limits.margin_percent == 50
    assert "0.1x" in mistakes(ENGINE.replace('"10"', '"0.1x"'))[0] or mistakes(ENGINE.replace('"10"', '"0.1x"'))


def test_the_engine_that_ships_fits_the_venue_that_ships() -> None:
    examples = Path(__file__).resolve().parents[3] / "examples"
    venue = load_sim(str(examples / "venue.toml"), {})
    engine = (examples / "quoter.toml").read_text()
    config = parse(f"{run_config(venue)}\n{configured(venue)}\n{engine}".encode(), "desk.toml")
    assert config.engine is not None
    assert config.engine.group in [group.number for group in venue.accounts[0].groups]
    assert config.sessions[-1].protocol == "deribit"  # the one that lists


def test_protections_and_limits_reach_the_account_and_risk() -> None:
    protection = '[[engine.protections]]\ngroup = 1\nwindow = "1s"\nquantity = 1.5\n'
    text = f"{ENGINE}delta = 2.5\nrate = 100\nburst = 20\nloss = {{ BTC = 0.5 }}\n\n{protection}"
    parts = plan(read(text), CONTRACTS)
    account = empty_account(parts, {1: "deribit"})
    assert (account.venues.of_session(1), account.venues.of(5)) == ("deribit", "deribit")
    assert account.groups[1].protection.quantity == 15 * 10**17
    assert parts.limits == Limits(
        order_size={None: 0, 3: 10, 4: 10, 5: 100, 6: 100}, position={None: 0, 3: 100, 4: 50, 5: 500, 6: 500},
        delta=2.5, collar_ppm=50_000, collar_ticks=10, open_orders=1_000, loss={"BTC": 0.5}, rate=100, burst=20,
        stale_ns=5 * 10**9, clock_offset_ns=50_000_000,
    )  # fmt: skip


def test_contracts_are_made_of_what_a_venue_lists_as_json() -> None:
    option = Instrument(
        "deribit", "BTC-1JAN27-90000-P", Kind.OPTION, "BTC", "USD", "BTC", -4, -1, 1, 1, 1, True, Number(1, 0),
        Number(9, 4), Right.PUT, 7, (Step(50, 5),),
    )  # fmt: skip
    assert of_instrument(9, option) == Contract(
        9, "BTC-1JAN27-90000-P", Payoff.PUT, "BTC", True, -4, -1, 1, 1, 1.0, 90_000.0, 7, ((50, 5),)
    )
    perpetual = Instrument(
        "deribit", "ETH-PERPETUAL", Kind.PERPETUAL, "ETH", "USD", "ETH", -2, 0, 5, 1, 1, True, Number(1, 0)
    )
    tiny = replace(perpetual, contract=Number(3, -4))
    assert getattr(of_instrument(1, tiny), "multiplier", None) == 0.0003
    assert of_instrument(1, perpetual) == Contract(1, "ETH-PERPETUAL", Payoff.PERPETUAL, "ETH", True, -2, 0, 5, 1)
    combo = Instrument("deribit", "BTC-FS", Kind.COMBO, "BTC", "USD", "BTC", -1, 0, 5, 1, 1)
    assert of_instrument(1, combo) is None


def test_what_is_said_of_sessions_reaches_the_router() -> None:
    paced = SESSION.format(venue="deribit").replace('key = "k"', 'key = "k"\nrate = 1\nburst = 2\nfee = 0.25')
    text = SESSION.format(venue="deribit").replace('"a"', '"b"')
    config = parse(f"schema_version = 1\n{paced}{text}".encode(), "engine.toml")
    assert terms(config.sessions) == {1: SessionTerms(1, 2, 0.25), 2: SessionTerms(5, 20)}  # what Deribit takes
    books = OrderBooks()
    views = {one.index: OrderBook(books, books.add_book(BookState.LIVE)) for one in CONTRACTS}
    routes = [FillRoute(venue="deribit"), FillRoute(2, venue="deribit")]
    for route in routes:
        route.is_up = True
    engine = build(plan(read(), CONTRACTS), views, routes, lambda record: None, terms=terms(config.sessions))
    assert (engine.router.room(1, 0), engine.router.room(2, 0)) == (2, 20)


def test_a_replay_has_no_margin_to_limit() -> None:
    telling = SESSION.format(venue="deribit") + 'portfolios = ["btc"]\n'
    found = read(ENGINE + "margin_percent = 50\n", sessions=telling)
    books = OrderBooks()
    views: dict[int, Any] = {one.index: OrderBook(books, books.add_book(BookState.LIVE)) for one in CONTRACTS}
    made = builder(found, "engine.toml")(
        {one.index: one for one in CONTRACTS}, views, FillRoute(venue="deribit"), lambda record: None
    )
    assert made.engine.risk.limits.margin_percent is None  # nobody would ever tell, and everything were refused


def test_an_amount_of_deribits_futures_is_dollars_whatever_a_contract_is() -> None:
    listed = {
        "kind": "future", "instrument_type": "reversed", "base_currency": "BTC", "quote_currency": "USD",
        "tick_size": 0.5, "min_trade_amount": 10, "contract_size": 10, "settlement_period": "perpetual",
    }  # fmt: skip
    linear = {
        **listed, "instrument_type": "linear", "quote_currency": "USDC", "min_trade_amount": 0.001,
        "contract_size": 0.001,
    }  # fmt: skip
    rows = [{"instrument_name": "BTC-PERPETUAL", **listed}, {"instrument_name": "BTC_USDC-PERPETUAL", **linear}]
    dollars, coins = deribit_json.instruments(json.dumps({"result": rows}).encode()).instruments
    contracts = {index: of_instrument(index, one) for index, one in enumerate((dollars, coins))}
    positions = Positions({index: one for index, one in contracts.items() if one is not None})
    positions.trade(0, 10_000, 100_000_0)  # 10,000 dollars bought at 100,000 and sold at 125,000
    positions.trade(0, -10_000, 125_000_0)
    positions.trade(1, 100, 100_000_0)  # 0.1 coins, likewise
    positions.trade(1, -100, 125_000_0)
    assert positions[0].realised == 2 * 10**16  # 0.02 BTC
    assert positions[1].realised == 2_500 * 10**18


def test_fees_are_those_that_are_said_for_a_kind_else_those_that_a_venue_lists_else_none() -> None:
    row = {
        "base_currency": "BTC", "quote_currency": "USD", "settlement_currency": "BTC", "instrument_type": "reversed",
        "tick_size": 0.0001, "min_trade_amount": 0.1, "contract_size": 1, "maker_commission": -0.0001,
        "taker_commission": 0.0005,
    }  # fmt: skip
    future = {**row, "instrument_name": "F", "kind": "future", "settlement_period": "perpetual"}
    option = {
        **row,
        "instrument_name": "O",
        "kind": "option",
        "strike": 9,
        "option_type": "call",
        "maker_commission": 0.0003,
    }
    old = {**future, "instrument_name": "G", "maker_commission": None, "taker_commission": None}
    answer = json.dumps({"result": [future, option, old]}).encode()
    listed = {one.name: one for one in deribit_json.instruments(answer).instruments}
    assert len(listed) == 3
    feed = SimpleNamespace(names=list(listed), exponents=[(-4, -1)] * 3)

    def fees(said: Fees) -> list[tuple[float, float]]:
        books = [(number, Book(feed, number)) for number in range(3)]
        found = known(books, {id(feed): "deribit"}, {id(feed): listed}, said)
        return [(one.contract.maker_fee, one.contract.taker_fee) for one in found]

    found = known([(0, Book(feed, 0))], {id(feed): "deribit"}, {}, Fees(), {"deribit": listed})
    assert list(found) == []  # what another feed lists makes no contract of this one's book
    assert fees(Fees()) == [(-0.0001, 0.0005), (0.0003, 0.0005), (0.0, 0.0)]
    assert fees(Fees(taker=0.0004)) == [(-0.0001, 0.0004), (0.0003, 0.0004), (0.0, 0.0004)]
    said = Fees(maker=0.0, options=Shares(maker=0.0002))
    assert fees(said) == [(0.0, 0.0005), (0.0002, 0.0005), (0.0, 0.0)]


def test_of_two_feeds_that_list_a_name_the_one_with_the_venues_number_is_traded() -> None:
    (perpetual, *_) = CONTRACTS
    feed = SimpleNamespace(names=["x"])
    json, multicast, other = (
        Known(replace(perpetual, venue=venue), Book(feed, 0), Traded(number, "BTC-PERP", -1, 0, venue_id))
        for number, venue, venue_id in ((0, "a", None), (1, "a", 1001), (2, "b", None))
    )
    assert once([json, multicast, other]) == [multicast, other] == once([multicast, json, other])
