"""What an engine holds and may do, as lines: inventory and Greeks, money, limits as bars, order sessions, counters."""

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from netfeed.app.trading.screen_words import (
    BAD,
    FAINT,
    WAIT,
    amount_text,
    bar,
    brief,
    expiry_text,
    gain_style,
    short,
    signed,
    total,
    words,
)
from netfeed.engine.picture import EnginePicture, ExpiryPicture, LimitPicture, RoutePicture
from netfeed.units import decimal_text

GREEKS: Final = {"delta": 1.0, "gamma": 1.0, "vega": 0.01, "theta": 1 / 365}
"""What the screen makes of them: vega for a point of volatility, theta for a day."""
_BAR: Final = 8
_CELL: Final = 37
"""Room for a limit: its name, its bar, its numbers."""


def state_text(picture: EnginePicture) -> Text:
    """Say in a word whether it quotes: so many instruments, or why not."""
    if picture.killed:
        return words(f" KILLED: {picture.killed} ", BAD)
    if picture.ready:
        return words(f" WAITS: {picture.ready} ", WAIT)
    quoted = sum(one.our_bid is not None or one.our_ask is not None for one in picture.instruments)
    return Text(f" QUOTING {quoted} ", style="bold white on green") if quoted else Text(" NO QUOTES ", style=WAIT)


def money_text(picture: EnginePicture, *, parts: bool = True) -> Text:
    """Say what it has brought, by currency: all of it, and what it is made of."""
    line = Text.assemble(("P&L", "bold"))
    for one in picture.money:
        whole = total(one)
        line.append(f" {amount_text(whole, one.exponent)} {one.currency}", gain_style(whole))
        if parts:
            marked = "unmarked" if one.unrealised is None else amount_text(one.unrealised, one.exponent)
            realised, fees = amount_text(one.realised, one.exponent), amount_text(-one.fees, one.exponent)
            line.append(f" (realised {realised}, open {marked}, fees {fees})", FAINT)
    return line if picture.money else line.append(" 0", FAINT)


def count_text(picture: EnginePicture) -> Text:
    """Count orders, what became of them, and what risk refused."""
    line = Text(f"orders {picture.orders:,}  fills {picture.fills:,}  hedges {picture.hedges:,}  ")
    line.append(f"uncertain {picture.uncertain}", BAD if picture.uncertain else "")
    refused = {rule: count for rule, count in picture.refused.items() if count}
    if refused:
        line.append("  refused " + ", ".join(f"{rule} {count:,}" for rule, count in refused.items()), "yellow")
    return line


def greek_text(one: ExpiryPicture) -> Text:
    """Write the Greeks of an expiry in short."""
    line = Text()
    for sign, (name, scale) in zip("ΔΓVΘ", GREEKS.items(), strict=True):
        line.append(f" {sign}", FAINT).append(signed(getattr(one, name) * scale))
    return line


def greek_line(picture: EnginePicture) -> Text:
    """Sum up the Greeks, and say what the hedger does."""
    line = Text.assemble(("all ", "bold"), greek_text(_sum(picture)))
    line.append("  hedge ", FAINT)
    return line.append_text(words(picture.hedge or "-"))


def _sum(picture: EnginePicture) -> ExpiryPicture:
    sums = (sum(getattr(one, name) for one in picture.expiries) for name in GREEKS)
    return ExpiryPicture(None, None, None, "", *sums)


def greek_lines(picture: EnginePicture) -> list[Text]:
    """Draw a table of Greeks, an expiry a line, and their sum."""
    lines = [Text(f"{'Greeks':<10}" + "".join(f"{name:>10}" for name in GREEKS), style="underline")]
    for one in picture.expiries:
        name = "futures" if one.expiry_ns is None else expiry_text(one.expiry_ns)  # dated ones, too
        lines.append(Text(_greeks(name, one)))
    return [*lines, Text(_greeks("all", _sum(picture)), style="bold")]


def _greeks(name: str, one: ExpiryPicture) -> str:
    return f"{name:<10}" + "".join(f"{signed(getattr(one, greek) * scale):>10}" for greek, scale in GREEKS.items())


def inventory_lines(picture: EnginePicture, room: int) -> list[Text]:
    """Draw what is held, the largest first."""
    held = sorted(
        (one for one in picture.instruments if one.position),
        key=lambda one: -abs(one.position * 10.0**one.quantity_exponent),
    )
    lines = [Text(f"{'Inventory':<24}{'held':>10}", style="underline")]
    lines += [
        Text(f"{one.name:<24.24}{decimal_text(one.position, one.quantity_exponent):>10}") for one in held[: room - 1]
    ]
    return lines if held else [*lines, Text("nothing", style=FAINT)]


def limit_lines(picture: EnginePicture, width: int, room: int) -> list[Text]:
    """Draw limits as bars, the most used first, as many beside each other as fit."""
    ordered = sorted(picture.limits, key=lambda one: -_share(one))
    across = max(1, width // _CELL)
    rows = [ordered[at : at + across] for at in range(0, len(ordered), across)][:room]
    return [Text("  ").join(_limit(one) for one in row) for row in rows]


def route_line(routes: Sequence[RoutePicture]) -> Text:
    """Draw the order sessions: up or down, how long an answer takes, how much was sent."""
    line = Text.assemble(("orders", FAINT))
    for one in routes:
        line.append("  ")
        line.append(f" {one.name} {'up' if one.is_up else 'DOWN'} ", "black on green" if one.is_up else BAD)
        line.append(f" {'-' if one.latency_ns is None else brief(one.latency_ns)} ×{one.sent:,}")
        if one.unsent:
            line.append(f", {one.unsent:,} unsent", "yellow")
    return line if routes else Text("no order session", style=BAD)


def _share(one: LimitPicture) -> float:
    return abs(one.used) / one.limit if one.limit else 0.0


def _limit(one: LimitPicture) -> Text:
    name, scale = Text(f"{one.rule:<11.11} "), GREEKS.get(one.rule, 1.0)
    numbers = f" {_amount(one.used * scale)} of {_amount(one.limit * scale)}"
    text = Text.assemble(name, bar(_share(one), _BAR), numbers)
    text.truncate(_CELL - 2, pad=True)
    return text


def _amount(number: float) -> str:
    if abs(number) >= 100_000:
        return f"{number / 1000:,.0f}k"
    if abs(number) >= 1000:
        return f"{number:,.0f}"
    return short(f"{number:.3g}") if abs(number) >= 0.01 else short(f"{number:.5f}")
