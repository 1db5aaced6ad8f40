"""Who trades in a money world: a quoter of two options, its hedger, and what the two may not pass."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from netfeed.engine.account import Account
from netfeed.engine.board import Board
from netfeed.engine.client_ids import ClientIds
from netfeed.engine.contract import Contract
from netfeed.engine.desk import Desk
from netfeed.engine.engine import Engine, EngineSettings
from netfeed.engine.gate import Gate, GateSettings
from netfeed.engine.hedge import Hedge, Hedger, HedgerSettings
from netfeed.engine.hedge_band import Fixed
from netfeed.engine.journal import Record
from netfeed.engine.kill_switch import KillSwitch, Thrown
from netfeed.engine.limits import Limits
from netfeed.engine.quoter import Quoter, QuoterSettings, Tier
from netfeed.engine.risk import Risk
from netfeed.engine.route import Route
from netfeed.engine.router import Router
from netfeed.engine.strategy import Book
from netfeed.engine.targets import Abilities, Differ
from netfeed.sim.starbase_chain import NANO, Instrument
from netfeed.sim.terms import terms_of
from tests.engine.money_paths import MS
from tests.engine.money_pricer import FlatPricer
from tests.engine.money_script import Script

PERPETUAL, FUTURE, CALL, PUT = 1001, 1008, 1015, 1022
FUTURES, OPTIONS = (PERPETUAL, FUTURE), (CALL, PUT)
VENUE: Final = "starbase"
LOOK_NS, DESK_NS, PAUSE_NS = 100 * MS, 30 * MS, 20 * MS
ANSWER_NS, SETTLE_NS = 200 * MS, 100 * MS
"""How long an answer may take, and a request be under way: longer than the longest stall and what is left of a cut."""
LIMITS: Final = Limits(
    order_size={None: 10, PERPETUAL: 2_000, FUTURE: 2_000}, position={None: 14, PERPETUAL: 1_500, FUTURE: 1_000},
    expiry=3.0, delta=1.25, gamma=0.00006, vega=18_500.0, open_orders=10, rate=400, burst=24, stale_ns=400 * MS,
    clock_offset_ns=5 * MS, collar_ppm=100_000, collar_ticks=40,
)  # fmt: skip
GATE: Final = GateSettings(settle_ns=10 * MS, max_forward_age_ns=500 * MS, min_expiry_ns=0)
SETTINGS: Final = EngineSettings(look_ns=LOOK_NS, list_ns=250 * MS, again_ns=40 * MS, patience_ns=150 * MS)


def contract(of: Instrument) -> Contract:
    """Make a contract of an instrument, under the venue's number."""
    terms = terms_of(of)
    return Contract(
        of.id, of.name, terms.payoff, "BTC", True, -9, of.quantity_exponent, of.tick, of.lot,
        strike=None if of.strike is None else of.strike / NANO, expiry_ns=of.expiry_ns,
        steps=((of.threshold, of.large_tick),) if of.large_tick else (), venue=VENUE,
    )  # fmt: skip


def nobody(contracts: Mapping[int, Contract]) -> Account:
    """Give an account in which nothing has happened yet."""
    return Account(
        contracts, answer_ns=ANSWER_NS, settle_ns=SETTLE_NS, sessions=dict.fromkeys((1, 2, 3), VENUE)
    )  # fmt: skip


def engine(
    account: Account, routes: Sequence[Route], books: Mapping[int, Book], run: int, script: Script, *,
    record: Callable[[Record], None], killed: Thrown | None,
) -> Engine:  # fmt: skip
    """Make the engine of a run."""
    board, ids = Board(account.contracts.values()), ClientIds(run)
    for number, book in books.items():
        board.set_book(number, book)
    pricer: Any = FlatPricer(account.contracts, PERPETUAL)
    return Engine(
        account, board, Risk(account, LIMITS, switch=KillSwitch(killed=killed)), Router(account, routes), pricer, ids,
        desks=[_quoting(ids, script)], hedging=[_hedging(ids)], record=record,
        settings=replace(SETTINGS, queues=script.queues),
    )  # fmt: skip


def _quoting(ids: ClientIds, script: Script) -> Desk:
    quoter = Quoter(OPTIONS, QuoterSettings(
        (Tier(1.0, 4), Tier(2.0, 6))[: script.tiers], half_ticks=0.6, half_volatility=0.0003, max_position=16,
        skew_delta=10.0, requote_ticks=1, mass_quote=script.mass_quotes, fill_pause_ns=5 * MS,
    ))  # fmt: skip
    differ = Differ(Abilities(mass_quotes=script.mass_quotes), ids.take, lambda _: 1)
    gate = Gate(GATE, dict.fromkeys(OPTIONS, PERPETUAL))
    return Desk(quoter, OPTIONS, gate, differ, look_ns=DESK_NS, pause_ns=PAUSE_NS)


def _hedging(ids: ClientIds) -> Desk:
    hedges = [Hedge(PERPETUAL, 3_000, 200), Hedge(FUTURE, 3_000, 100)]
    hedger = Hedger("BTC", hedges, Fixed(0.1), HedgerSettings())
    gate, differ = Gate(replace(GATE, needs_worth=False)), Differ(Abilities(mass_quotes=False), ids.take)
    return Desk(hedger, FUTURES, gate, differ, look_ns=DESK_NS, pause_ns=PAUSE_NS)
