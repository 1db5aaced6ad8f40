"""The engine of a demo: a chain of options quoted around Black's worth, its delta hedged in futures, limits on all.

It is an ordinary `Engine`; what is here are its numbers. They are a market maker's of a small book: half a bitcoin of
each option to either side, a vega and a delta that skew the quotes, and hedges when the delta is a bitcoin's third.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from netfeed.app.trading.hot_build import Link
from netfeed.book.execution import List
from netfeed.engine.account import Account
from netfeed.engine.board import Board
from netfeed.engine.client_ids import ClientIds
from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.desk import Desk
from netfeed.engine.engine import Engine, EngineSettings
from netfeed.engine.gate import Gate, GateSettings
from netfeed.engine.hedge import Hedge, Hedger, HedgerSettings
from netfeed.engine.hedge_band import Fixed
from netfeed.engine.hot_engine import HotEngine
from netfeed.engine.journal import Record
from netfeed.engine.limits import Limits
from netfeed.engine.pricer import Pricer, PricerSettings
from netfeed.engine.quoter import Quoter, QuoterSettings, Tier
from netfeed.engine.risk import Risk
from netfeed.engine.route import Route
from netfeed.engine.router import Router, RouterSettings, SessionTerms
from netfeed.engine.targets import UNNUMBERED, Abilities, Differ

BAND: Final = 0.3
"""How far delta may go before it is hedged. Units: BTC."""
GROUP: Final = 1
"""The protection group of our mass quotes; the venue knows it, and limits nothing by it."""
_TIER: Final = Tier(1.0, 5)
"""Half a bitcoin: the quantities of options are tenths."""
LIMITS: Final = Limits(
    order_size={None: 200_000}, position={None: 500_000}, delta=30.0, gamma=0.06, vega=750_000.0, collar_ppm=200_000,
    collar_ticks=20, open_orders=300, loss={"BTC": 5.0}, rate=2_000, burst=400, stale_ns=5_000_000_000,
    clock_offset_ns=50_000_000,
)  # fmt: skip
_QUOTER: Final = QuoterSettings(
    (_TIER,), half_ticks=1.5, half_volatility=0.008, skew_delta=15.0, skew_vega=2e-6, max_position=100, max_delta=4.0,
    max_vega=60_000.0, requote_ticks=1, cool_down_ns=50_000_000, fill_pause_ns=200_000_000, protected=False,
)  # fmt: skip
_HEDGER: Final = HedgerSettings(patience_ns=300_000_000, through_ticks=4)
_LAST: Final = SessionTerms(fee=1.0)
"""Of the session that lists: orders go by the gateways, and by it only when no gateway is up."""


def demo_engine(
    contracts: Sequence[Contract], books: Iterable[Any], routes: Sequence[Route], record: Callable[[Record], None]
) -> Engine:
    """Make the engine of these contracts; `books` are theirs, in the same order."""
    account = Account({one.index: one for one in contracts})
    board = Board(contracts)
    for contract, book in zip(contracts, books, strict=True):
        board.set_book(contract.index, book)
    ids = ClientIds(run=1)
    options = [one.index for one in contracts if one.is_option]
    futures = [one for one in contracts if not one.is_option]
    by_expiry = {one.expiry_ns: one.index for one in futures}
    hedges = {one.index: by_expiry.get(one.expiry_ns, futures[0].index) for one in contracts if one.is_option}
    quoting = Desk(
        Quoter(options, _QUOTER), options, Gate(GateSettings(settle_ns=200_000_000), hedges),
        Differ(Abilities(), ids.take, lambda _: GROUP),
    )  # fmt: skip
    hedging = Desk(
        Hedger("BTC", [Hedge(one.index, 400_000, 50_000) for one in futures], Fixed(BAND), _HEDGER),
        [one.index for one in futures], Gate(GateSettings(needs_worth=False, settle_ns=200_000_000)),
        Differ(Abilities(mass_quotes=False), ids.take),
    )  # fmt: skip
    return Engine(
        account, board, Risk(account, LIMITS), Router(account, routes, _settings(routes)),
        Pricer(contracts, PricerSettings(refit_ns=10**9)), ids,
        desks=[quoting], hedging=[hedging], record=record, settings=EngineSettings(list_ns=5_000_000_000),
    )  # fmt: skip


def demo_hot(engine: Engine, contracts: Sequence[Contract], links: Sequence[Link]) -> HotEngine:
    """Have the quotes follow the perpetual by the first Starbase session, before each pass of the engine."""
    options = [one.index for one in contracts if one.is_option]
    lead = next(one.index for one in contracts if one.payoff is Payoff.PERPETUAL)
    link = next(one for one in links if one.config.protocol == "starbase")
    return HotEngine(
        engine, engine.desks[0], session=link.number, group=GROUP, lead=lead, instruments=options,
        send=link.rows(options),
    )  # fmt: skip


def _settings(routes: Sequence[Route]) -> RouterSettings:
    """Let orders go by the sessions that do not list."""
    probe = List(UNNUMBERED)
    return RouterSettings(terms={route.number: _LAST for route in routes if route.takes(probe)})
