"""What a run that trades says of itself where nobody looks at a screen: why it does not quote, and what is refused.

    words = DeskWords(engine, tell)
    words.turn(now)                          with each look of the desk
    words.hear("sim-a", report, now)         with each report
    desk_account(picture, tally)             for SIGUSR1, `/account`, the summary of --json and --report
    desk_summary(account)                    for who reads the end of a log

A state is told when it changes; whether orders are open, `OPEN_NS` after it was told last at the earliest. A refusal is
told with the venue's own word, one of a cause each `AGAIN_NS` at most, with how many there were meanwhile: a venue that
refuses everything would otherwise look like a market without trades.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from netfeed.app.trading.demo_report import quantity_text
from netfeed.app.trading.order_tally import RESULTS, OrderTally
from netfeed.book.execution import Ask, Cause, Quoted, QuoteState, Rejected, Report
from netfeed.engine.picture import EnginePicture, MoneyPicture

AGAIN_NS: Final = 10_000_000_000
OPEN_NS: Final = 1_000_000_000
_LATE: Final = Cause.NOT_FOUND
"""That something had left before a cancel came is no refusal."""
_REMEDIES: Final = {
    (Ask.QUOTE, Cause.PROTECTION): "set the protection group up at the venue, or say mass_quotes = false",
    (Ask.NEW, Cause.PROTECTION): "set the protection group up at the venue, or say engine.quoter.protected = false",
    (Ask.NEW, Cause.MARGIN): "deposit, or smaller limits",
    (Ask.QUOTE, Cause.MARGIN): "deposit, or smaller limits",
    (Ask.NEW, Cause.RATE): "a `rate` of the session that the venue takes",
}


class State(Protocol):
    """What is looked at of an engine; nothing of it takes time."""

    @property
    def ready(self) -> str:
        """Say why it does not quote; empty when it may."""

    @property
    def account(self) -> Any:
        """Give its orders."""


class DeskWords:
    """Compares looks, and counts refusals."""

    def __init__(self, engine: State, tell: Callable[[str], None]) -> None:
        self._engine, self._tell = engine, tell
        self._ready, self._uncertain, self._is_open = "", 0, False
        self._open_ns: int | None = None
        self._refused: Counter[tuple[Ask, Cause]] = Counter()
        self._told_ns: dict[tuple[Ask, Cause], int] = {}

    def turn(self, now: int) -> None:
        """Say what has changed since the last look."""
        orders = self._engine.account.orders
        ready, uncertain, is_open = self._engine.ready, orders.uncertain, orders.open_count > 0
        if ready != self._ready:
            self._tell(f"engine: no quotes: {ready}" if ready else "engine: it may quote")
        if bool(uncertain) != bool(self._uncertain):
            doubted = f"{uncertain} orders are UNCERTAIN: the venue is asked"
            self._tell(f"engine: {doubted if uncertain else 'every order is certain again'}")
        self._ready, self._uncertain = ready, uncertain
        if is_open != self._is_open and (self._open_ns is None or now >= self._open_ns + OPEN_NS):
            self._is_open, self._open_ns = is_open, now
            self._tell(f"engine: {'orders of ours are open' if is_open else 'no order of ours is open'}")

    def hear(self, session: str, report: Report, now: int) -> None:
        """Say what a venue refuses."""
        if isinstance(report, Rejected) and report.cause is not _LATE:
            self._refusal(session, report.ask, report.cause, report.venue_reason, now)
        elif isinstance(report, Quoted):
            for one in (side for _, *sides in report.sides for side in sides if side.state is QuoteState.REFUSED):
                self._refusal(session, Ask.QUOTE, one.cause, one.venue_reason, now)

    def _refusal(self, session: str, ask: Ask, cause: Cause, reason: str, now: int) -> None:
        key = ask, cause
        self._refused[key] += 1
        if now < self._told_ns.get(key, now - AGAIN_NS) + AGAIN_NS:
            return
        self._told_ns[key] = now
        count, remedy = self._refused.pop(key), _REMEDIES.get(key)
        times = f", {count} times since this was said last" if count > 1 else ""
        word = f"{cause.name}{f' ({reason})' if reason else ''}"
        self._tell(f"{session}: the venue refuses {ask.name}: {word}{times}{f': {remedy}' if remedy else ''}")


def desk_account(picture: EnginePicture, tally: OrderTally) -> dict[str, Any]:
    """Give an engine as plain values; quantities and money are exact decimals as texts."""
    held = [one for one in picture.instruments if one.position]
    return {
        "ready": picture.ready, "killed": picture.killed, "reconciled": picture.reconciled,
        "orders": {name: tally.results[name] for name in RESULTS}, "refusals": dict(tally.causes),
        "risk_rejections": {rule: count for rule, count in picture.refused.items() if count},
        "fills": picture.fills, "hedges": picture.hedges, "uncertain": picture.uncertain,
        "positions": {one.name: quantity_text(one.position, one.quantity_exponent) for one in held},
        "money": [_money(one) for one in picture.money],
        "sessions": [{"session": one.name, "up": one.is_up, "sent": one.sent, "unsent": one.unsent}
                     for one in picture.routes],
    }  # fmt: skip


def desk_summary(told: Mapping[str, Any]) -> str:
    """Say on exit what was traded."""
    orders = told["orders"]
    refusals = ", ".join(f"{cause} {count}" for cause, count in told["refusals"].items()) or "none"
    rules = ", ".join(f"{rule} {count}" for rule, count in told["risk_rejections"].items()) or "none"
    held = ", ".join(f"{name} {quantity}" for name, quantity in told["positions"].items()) or "nothing"
    return "\n".join([
        f"{orders['sent']} requests sent, {told['fills']} fills ({told['hedges']} of hedges), "
        f"{told['uncertain']} uncertain",
        f"refused by venues: {refusals}; by risk: {rules}",
        f"held: {held}",
        *(
            f"P&L {one['currency']}: realised {one['realised']}, open {one['unrealised'] or 'unmarked'}, "
            f"fees {one['fees']}"
            for one in told["money"]
        ),
    ])  # fmt: skip


def _money(one: MoneyPicture) -> dict[str, str | None]:
    marked = None if one.unrealised is None else quantity_text(one.unrealised, one.exponent)
    realised, fees = quantity_text(one.realised, one.exponent), quantity_text(one.fees, one.exponent)
    return {"currency": one.currency, "realised": realised, "unrealised": marked, "fees": fees}
