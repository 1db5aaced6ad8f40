"""The engine that `[engine]` asks for, of contracts, their books and the sessions that carry their orders.

    parts = plan(config, contracts)           what is quoted, what hedges; every mistake is named here
    engine = build(parts, books, routes, record, account=..., ids=...)

Live, in a replay and in a simulation it is the same: only books and routes are others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from netfeed.app import engine_configuration as conf
from netfeed.app.trading.strategies import Made, strategies, units
from netfeed.engine.account import Account
from netfeed.engine.board import Board
from netfeed.engine.client_ids import ClientIds
from netfeed.engine.contract import Contract
from netfeed.engine.desk import Desk
from netfeed.engine.engine import Engine, EngineSettings
from netfeed.engine.gate import Gate, GateSettings
from netfeed.engine.hedge import Hedge, Hedger, HedgerSettings
from netfeed.engine.hedge_band import Band, Fixed, WhalleyWilmott
from netfeed.engine.journal import Record
from netfeed.engine.kill_switch import KillSwitch
from netfeed.engine.limits import Limits
from netfeed.engine.mmp import Protection
from netfeed.engine.position import Terms
from netfeed.engine.pricer import Pricer, PricerSettings
from netfeed.engine.risk import Risk
from netfeed.engine.route import Route
from netfeed.engine.router import Owner, Router, RouterSettings, SessionTerms
from netfeed.engine.surface import Sticky, SurfaceSettings
from netfeed.engine.targets import UNNUMBERED, Abilities, Differ
from netfeed.errors import ConfigurationError

_SCALE: Final = 10**18


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be traded: `made` strategies with their instruments, `hedging` likewise, by underlying."""

    config: conf.Engine
    contracts: Mapping[int, Contract]
    made: tuple[Made, ...]
    hedging: tuple[tuple[Hedger, list[int]], ...]
    limits: Limits


def plan(
    config: conf.Engine, contracts: Sequence[Contract], folder: str = ".", *, made: Sequence[Made] | None = None
) -> Plan:
    """Say what will be traded of these contracts; `made`: by these strategies, whatever the configuration names.

    Raises: ConfigurationError with what does not fit the contracts.
    """
    hedges = [] if config.hedge is None else chosen(config.hedge.instruments, contracts)
    hedge_ids = {one.index for one in hedges}
    quoted = [one for one in chosen(config.instruments, contracts) if one.index not in hedge_ids]
    if config.hedge is not None and not hedges:
        raise ConfigurationError(
            f"engine.hedge.instruments: {', '.join(config.hedge.instruments)} names none of {_some(contracts)}"
        )
    if not quoted:
        raise ConfigurationError(
            f"engine.instruments: {', '.join(config.instruments)} names none of {_some(contracts)}"
        )
    made = strategies(config, quoted, folder) if made is None else made
    names = sorted({one.underlying for one in quoted})
    hedging = [_hedger(config.hedge, name, hedges) for name in names] if config.hedge is not None else []
    return Plan(
        config, {one.index: one for one in contracts}, tuple(made), tuple(one for one in hedging if one is not None),
        limits(config.limits, [*quoted, *hedges], config.quote),
    )  # fmt: skip


def empty_account(plan: Plan, sessions: Mapping[int, str] | None = None) -> Account:
    """Make the account before anything has happened, for a journal to fill; `sessions`: whose each number is."""
    config = plan.config
    protections = {
        one.group: Protection(one.window, one.frozen, _scaled(one.quantity), _scaled(one.delta), _scaled(one.vega))
        for one in config.protections
    }
    return Account(plan.contracts, protections=protections, quote=config.quote, sessions=sessions)


def build(
    plan: Plan, books: Mapping[int, Any], routes: Sequence[Route], record: Callable[[Record], None], *,
    account: Account | None = None, ids: ClientIds | None = None, switch: KillSwitch | None = None,
    terms: Mapping[int, SessionTerms] | None = None,
) -> Engine:  # fmt: skip
    """Make the engine. `account` and `ids`: those that a journal has brought back, else new ones; `terms`: of sessions,
    by their numbers.
    """
    config = plan.config
    account = empty_account(plan) if account is None else account
    board = Board(plan.contracts.values())
    for index, book in books.items():
        board.set_book(index, book)
    router = RouterSettings(config.router.overdue, owner=Owner[config.router.owner.upper()], terms=terms)
    said = config.surface
    surface = SurfaceSettings(Sticky[said.sticky.upper()], said.max_misfit, said.max_off)
    pricer = Pricer(
        plan.contracts.values(), PricerSettings(said.refit, config.look, surface=surface, discount=said.discount)
    )
    return Engine(
        account, board, Risk(account, plan.limits, switch=switch), Router(account, routes, router), pricer,
        ids or ClientIds(1), desks=_desks(plan), hedging=_hedging(plan), record=record,
        settings=EngineSettings(config.look, config.list_every),
    )  # fmt: skip


def limits(said: conf.Limits, contracts: Sequence[Contract], quote: str = "USD") -> Limits:
    """Make limits of these contracts.

    Raises: ConfigurationError where one has none of a size or a position; for a loss in a currency that none pays in.
    """
    paid = {Terms(one, quote).currency for one in contracts}
    for currency in said.loss:
        if currency not in paid:
            raise ConfigurationError(
                f"engine.limits.loss: nothing that is traded pays in {currency}; there is {', '.join(sorted(paid))}"
            )
    return Limits(
        _by_instrument(said.order_size, contracts, "engine.limits.order_size"),
        _by_instrument(said.position, contracts, "engine.limits.position"),
        said.expiry, said.delta, said.gamma, said.vega, said.collar_ppm, said.collar_ticks, said.market_orders,
        said.open_orders, said.margin_percent, dict(said.loss), said.rate, said.burst, said.stale, said.clock_off,
    )  # fmt: skip


def chosen(patterns: Sequence[str], contracts: Sequence[Contract]) -> list[Contract]:
    """Give the contracts whose name fits one of the patterns."""
    return [one for one in contracts if any(fnmatchcase(one.name, pattern) for pattern in patterns)]


def _by_instrument(said: Mapping[str, str], contracts: Sequence[Contract], where: str) -> dict[int | None, int]:
    found: dict[int | None, int] = {None: 0}
    for one in contracts:
        text = next((text for pattern, text in said.items() if fnmatchcase(one.name, pattern)), None)
        if text is None:
            raise ConfigurationError(f'{where}: nothing fits {one.name}; "*" fits all')
        found[one.index] = units(text, one, where)
    return found


def _desks(plan: Plan) -> list[Desk]:
    config = plan.config
    said = config.gate
    gates = GateSettings(said.max_clock_off, said.max_forward_age, said.max_model_age, said.min_expiry, said.settle)
    abilities = Abilities(mass_quotes=config.mass_quotes)
    return [
        Desk(
            strategy, instruments, Gate(gates, _hedged_by(plan, instruments)),
            Differ(abilities, lambda: UNNUMBERED, lambda _: config.group), look_ns=config.look,
        )
        for strategy, instruments in plan.made
    ]  # fmt: skip


def _hedging(plan: Plan) -> list[Desk]:
    said = plan.config.gate
    gates = GateSettings(said.max_clock_off, settle_ns=said.settle, needs_worth=False)
    return [
        Desk(
            hedger, instruments, Gate(gates), Differ(Abilities(mass_quotes=False), lambda: UNNUMBERED),
            look_ns=plan.config.look,
        )
        for hedger, instruments in plan.hedging
    ]  # fmt: skip


def _hedged_by(plan: Plan, instruments: Sequence[int]) -> dict[int, int]:
    """Give what each instrument is hedged with: what expires with it, else the first."""
    found: dict[int, int] = {}
    for index in instruments:
        one = plan.contracts[index]
        there = [plan.contracts[hedge] for _, hedges in plan.hedging for hedge in hedges]
        there = [hedge for hedge in there if hedge.underlying == one.underlying]
        same = [hedge for hedge in there if hedge.expiry_ns == one.expiry_ns]
        if there:
            found[index] = (same or there)[0].index
    return found


def _hedger(said: conf.Hedge, underlying: str, hedges: Sequence[Contract]) -> tuple[Hedger, list[int]] | None:
    mine = [one for one in hedges if one.underlying == underlying]
    if not mine:
        return None
    band: Band
    if said.band is not None:
        band = Fixed(said.band)
    else:
        most = float("inf") if said.most is None else said.most
        band = WhalleyWilmott(said.aversion or 0.0, said.least, most)
    hedged = [
        Hedge(
            one.index, units(said.max_position, one, "engine.hedge.max_position"),
            units(said.clip, one, "engine.hedge.clip"), said.carry,
        )
        for one in mine
    ]  # fmt: skip
    settings = HedgerSettings(said.patience, said.urgent, said.through_ticks, said.to_middle)
    return Hedger(underlying, hedged, band, settings), [one.index for one in mine]


def _scaled(amount: float | None) -> int | None:
    return None if amount is None else round(amount * _SCALE)


def _some(contracts: Sequence[Contract]) -> str:
    names = [one.name for one in contracts]
    return (
        f"{len(names)} that are listed ({', '.join(names[:5])}{', ...' if len(names) > 5 else ''})"
        if names
        else "nothing: no feed lists anything"
    )
