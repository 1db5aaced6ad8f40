"""The picture of an engine, and why it does not quote: made when somebody looks, decided by nothing."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from netfeed.book.execution import List
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.engine.contract import Contract
from netfeed.engine.exposure import SCALE
from netfeed.engine.gate import Passage
from netfeed.engine.hedge import Hedger
from netfeed.engine.order import State
from netfeed.engine.ours import top
from netfeed.engine.picture import (
    EnginePicture,
    ExpiryPicture,
    InstrumentPicture,
    LimitPicture,
    MoneyPicture,
    QuotePicture,
    RoutePicture,
)
from netfeed.engine.position import CASH_EXPONENT
from netfeed.engine.targets import UNNUMBERED
from netfeed.errors import MisuseError

if TYPE_CHECKING:
    from netfeed.engine.engine import Engine

_UNDER_WAY: Final = frozenset({State.NEW, State.PENDING, State.AMENDING, State.CANCELING, State.UNCERTAIN})
_GREEKS: Final = ("delta", "gamma", "vega")


def why_not(engine: "Engine") -> str:
    """Say why an engine does not quote; empty when it may. A gate that is shut is the instrument's own."""
    thrown = engine.risk.switch.thrown
    if thrown is not None:
        return f"killed by {thrown.by}: {thrown.why}"
    if engine.leaving:
        return f"it leaves the market: {engine.leaving}"
    if engine.out.unwritten:
        return f"the journal cannot be written: {engine.out.unwritten}"
    for where, why in engine.failed.items():
        return f"the {where} has failed: {why}"
    for desk in (*engine.hedging, *engine.desks):
        if desk.broken is not None:
            return f"the strategy has failed: {desk.broken}"
    return _not_reconciled(engine)


def _not_reconciled(engine: "Engine") -> str:
    for venue in engine.router.venues:
        routes = engine.router.routes(venue)
        if not any(route.is_up for route in routes):
            names = ", ".join(route.name for route in routes)
            return f"no order session of {venue or 'the venue'} is up ({names})"
        if not any(route.takes(List(UNNUMBERED)) for route in routes):
            return (
                f"no session of {venue or 'the venue'} lists what rests, so that nothing is reconciled: add a session "
                "that does (deribit, ouch)"
            )
        if engine.questions.is_silent(venue):
            return f"{venue or 'the venue'} does not answer what rests any more: look at its session that lists"
    if engine.account.agrees:
        return _doubted(engine)
    last = engine.account.reconciled
    if last is None or not last.findings:
        return "no list of the venue has agreed with our account yet"
    found = last.findings[0]
    return f"the venue's list differs in {len(last.findings)}: {found.instrument}: {found.found.value}"


def _doubted(engine: "Engine") -> str:
    for instrument, anomaly in engine.account.orders.suspects.items():
        contract = engine.account.contracts.get(instrument)
        name = f"instrument {instrument}" if contract is None else contract.name
        return f"{name} is in doubt ({anomaly.value}): not quoted, and nothing is hedged, until the venue's list agrees"
    return ""


def portrait(engine: "Engine", *, chain: bool = True) -> EnginePicture:
    """Make the picture; without its instruments where nobody looks at the `chain`, which is nearly all of the work."""
    switch, board = engine.risk.switch, engine.board
    counts = {rule.value: count for rule, count in engine.risk.refused.items()}
    return EnginePicture(
        board.now, board.wall_ns, engine.ready, "" if switch.thrown is None else switch.thrown.why,
        engine.account.agrees, tuple(_instrument(engine, one) for one in board.contracts.values() if chain),
        tuple(_expiries(engine)), tuple(_limits(engine)), tuple(_routes(engine)), tuple(_money(engine)),
        _hedge(engine), engine.out.count["orders"], engine.count["fills"], engine.count["hedges"],
        engine.account.orders.uncertain, counts, engine.counters(),
        sum(bool(engine.account.positions[one].quantity) for one in engine.account.positions),
    )  # fmt: skip


def _instrument(engine: "Engine", contract: Contract) -> InstrumentPicture:
    board, index = engine.board, contract.index
    try:
        book = board.book(index)
        state, bid, ask = book.state, top(book.bid), top(book.ask)
    except MisuseError:
        state, bid, ask = BookState.EMPTY, None, None
    fair = board.fair(index)
    return InstrumentPicture(
        index, contract.name, state, bid, ask, contract.price_exponent, contract.quantity_exponent, contract.strike,
        contract.expiry_ns, contract.payoff.value == "call" if contract.is_option else None,
        None if fair is None else fair.value, fair.volatility if fair is not None and contract.is_option else None,
        _quote(engine, index, Side.BID), _quote(engine, index, Side.ASK),
        engine.account.positions[index].quantity, _shut(engine, index),
    )  # fmt: skip


def _quote(engine: "Engine", instrument: int, side: Side) -> QuotePicture | None:
    orders = list(engine.account.orders.at(instrument, side))
    prices = [order.price for order in orders if order.price is not None]
    if not prices:
        return None
    best = max(prices) if side is Side.BID else min(prices)
    return QuotePicture(best, sum(order.open for order in orders), any(one.state in _UNDER_WAY for one in orders))


def _shut(engine: "Engine", instrument: int) -> str:
    for desk in (*engine.desks, *engine.hedging):
        if instrument in desk.instruments:
            passage, reason = desk.gate.state(instrument)
            return "" if passage is Passage.OPEN else reason.value
    return ""


def _expiries(engine: "Engine") -> Iterator[ExpiryPicture]:
    reports = {(one.underlying, one.expiry_ns, one.inverse): one for one in engine.pricer.reports()}
    held_of = engine.pricer.held(engine.board)
    for key in sorted(reports):
        report, held = reports[key], held_of[key]
        yield ExpiryPicture(
            report.expiry_ns, report.forward, report.fitted_ns, report.verdict, held.delta, held.gamma, held.vega,
            held.theta,
        )  # fmt: skip
    rest = held_of[None]
    yield ExpiryPicture(None, None, None, "", rest.delta, rest.gamma, rest.vega, rest.theta)


def _limits(engine: "Engine") -> Iterator[LimitPicture]:
    limits, exposure = engine.risk.limits, engine.account.exposure
    for which, name in enumerate(_GREEKS):
        limit = getattr(limits, name)
        if limit is not None:
            worst = exposure.worst(which)
            yield LimitPicture(name, max(-worst.down, worst.up) / SCALE, limit)
    if limits.open_orders is not None:
        yield LimitPicture("open_orders", engine.account.orders.open_count, limits.open_orders)
    if limits.expiry is not None:
        expiries = {one.expiry_ns for one in engine.account.contracts.values() if one.expiry_ns is not None}
        furthest = max(map(exposure.of_expiry, expiries), default=0)
        yield LimitPicture("expiry", furthest / SCALE, limits.expiry)
    if limits.margin_percent is not None and engine.risk.margin_used is not None:
        yield LimitPicture("margin", 100 * engine.risk.margin_used, limits.margin_percent)
    for currency, loss in limits.loss.items():
        yield LimitPicture(f"loss {currency}", max(0.0, -engine.account.positions.net(currency) / SCALE), loss)
    yield from _positions(engine)


def _positions(engine: "Engine") -> Iterator[LimitPicture]:
    """Tell of the instrument that is nearest to its limit."""
    limits, exposure = engine.risk.limits.position, engine.account.exposure
    used = [
        (max(exposure.furthest(one, side) for side in Side), limits.get(one, limits.get(None)))
        for one in engine.board.contracts
    ]
    known = [(far, limit) for far, limit in used if limit is not None]
    if known:
        far, limit = max(known, key=lambda pair: pair[0] / max(1, pair[1]))
        yield LimitPicture("position", far, limit)


def _routes(engine: "Engine") -> Iterator[RoutePicture]:
    for one in engine.router.statistics():
        yield RoutePicture(one.number, one.name, one.is_up, one.latency_ns, one.sent, one.unsent)


def _money(engine: "Engine") -> Iterator[MoneyPicture]:
    positions = engine.account.positions
    for currency in sorted(positions.currencies()):
        sums = positions.totals(currency)
        unrealised = None if positions.unmarked else sums.unrealised
        yield MoneyPicture(currency, CASH_EXPONENT, sums.realised, unrealised, sums.fees)


def _hedge(engine: "Engine") -> str:
    said = []
    for desk in engine.hedging:
        if isinstance(desk.strategy, Hedger):
            report = desk.strategy.report
            said.append(f"{report.standing.value}; delta {report.delta:.4f}, residual {report.residual:.4f}")
    return "; ".join(said)
