"""The chain as a trader's screen has it: an expiry a block, calls left, strikes in the middle, puts right.

    call: mark  position  IV  our bid  bid  fair  ask  our ask   STRIKE   our bid  bid  fair  ask  our ask  IV  position

What does not fit is left out in this order: position, volatility. Strikes that do not fit are those furthest from the
forward. A side whose gate is shut says why in the place of our quotes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from rich.text import Text

from netfeed.app.trading.desk_screen import greek_text
from netfeed.app.trading.screen_words import (
    FAINT,
    OURS,
    SENT,
    STATE_MARKS,
    STATE_STYLES,
    decimals,
    expiry_text,
    number_text,
    price_text,
    words,
)
from netfeed.book.state import BookState
from netfeed.engine.gate import Reason
from netfeed.engine.picture import EnginePicture, ExpiryPicture, InstrumentPicture, QuotePicture
from netfeed.units import decimal_text, duration_text

_NEAR: Final = 0.01
"""Strikes this near to the forward, as a share of it, are bright: they are at the money."""
_WHY: Final = {reason.value: reason.name for reason in Reason} | {Reason.NONE.value: "-"}
"""Why a gate is shut, in a word that fits a column."""
_GOOD: Final = ("", "GOOD", "taken")
"""Verdicts of a fit that need no eye."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """What a side shows. Units: characters of a price, of a position; volatility or not."""

    price: int
    strike: int
    held: int
    volatility: bool

    @property
    def side(self) -> int:
        """Give how wide a side is."""
        return 1 + 5 * (self.price + 1) + (self.held + 1 if self.held else 0) + (4 if self.volatility else 0)

    @property
    def width(self) -> int:
        """Give how wide a row is."""
        return 2 * self.side + self.strike + 2


def chain_lines(picture: EnginePicture, width: int, height: int) -> list[Text]:
    """Draw the chain in so many lines; every expiry gets its share of them."""
    chain = [one for one in picture.instruments if one.strike is not None]
    chain.sort(key=lambda one: (one.expiry_ns or 0, one.strike or 0.0))
    blocks = [(expiry, list(rows)) for expiry, rows in groupby(chain, key=lambda one: one.expiry_ns)]
    if not blocks:
        return [words("no options are listed", FAINT)]
    columns = _fitting(chain, width)
    lines = [_head(columns)]
    curves = {one.expiry_ns: one for one in picture.expiries}
    left = height - 1
    for place, (expiry, rows) in enumerate(blocks):
        room = left // (len(blocks) - place)
        if room < 2:
            break
        block = _block(picture, curves.get(expiry), expiry, rows, columns, room)
        lines += block
        left -= len(block)
    return lines


def hedge_lines(picture: EnginePicture, width: int) -> list[Text]:
    """Draw what hedges, as many beside each other as fit."""
    others = [one for one in picture.instruments if one.strike is None]
    lines: list[Text] = []
    for one in sorted(others, key=lambda one: (one.expiry_ns or 0, one.name)):
        cell = _hedge(one)
        if lines and len(lines[-1]) + len(cell) + 2 <= width:
            lines[-1] = Text.assemble(lines[-1], "  ", cell)
        else:
            lines.append(cell)
    return lines


def _block(
    picture: EnginePicture, curve: ExpiryPicture | None, expiry: int | None, rows: Sequence[InstrumentPicture],
    columns: _Columns, room: int,
) -> list[Text]:  # fmt: skip
    strikes: dict[float, dict[bool, InstrumentPicture]] = {}
    for one in rows:
        strikes.setdefault(one.strike or 0.0, {})[bool(one.is_call)] = one
    forward = curve.forward if curve else None
    shown = _nearest(sorted(strikes), forward, room - 1)
    places = decimals((price for one in rows for price in (one.bid, one.ask)), rows[0].price_exponent)
    lines = [_title(picture, curve, expiry, len(strikes) - len(shown))]
    for strike in shown:
        pair = strikes[strike]
        near = forward is not None and abs(strike - forward) <= _NEAR * forward
        middle = Text(f" {strike:>{columns.strike}.0f} ", style="bold" if near else "")
        call, put = (_side(pair.get(is_call), columns, places, left=is_call) for is_call in (True, False))
        lines.append(Text.assemble(call, middle, put))
    return lines


def _nearest(strikes: list[float], forward: float | None, room: int) -> list[float]:
    if len(strikes) <= room:
        return strikes
    middle = forward if forward is not None else strikes[len(strikes) // 2]
    return sorted(sorted(strikes, key=lambda strike: abs(strike - middle))[: max(room, 0)])


def _title(picture: EnginePicture, curve: ExpiryPicture | None, expiry: int | None, hidden: int) -> Text:
    line = Text.assemble((expiry_text(expiry), "bold"))
    if expiry is not None:
        line.append(f" {max(0, expiry - picture.wall_ns) / 86_400e9:.1f}d", FAINT)
    if curve is None:
        return line
    line.append("  F ", FAINT).append(number_text(curve.forward, 1))
    age = "" if curve.fitted_ns is None else f" {duration_text(max(0, picture.now - curve.fitted_ns))}"
    verdict = "" if curve.verdict in _GOOD else f" {curve.verdict}"
    line.append("  fit", FAINT).append(f"{age}{verdict}", "yellow" if verdict else "")
    line.append(" ").append_text(greek_text(curve))
    if hidden:
        line.append(f"  {hidden} more", FAINT)
    return line


def _fitting(chain: Sequence[InstrumentPicture], width: int) -> _Columns:
    """Choose the columns that fit."""
    exponent = chain[0].price_exponent
    places = decimals((price for one in chain for price in (one.bid, one.ask)), exponent)
    prices = [price_text(price, exponent, places) for one in chain for price in (one.bid, one.ask)]
    price = max(5, *(len(text) for text in prices))
    strike = max(len(f"{one.strike:.0f}") for one in chain)
    held = max(4, *(len(_held(one)) for one in chain))
    full = _Columns(price, strike, held, True)
    choices = (full, _Columns(price, strike, 0, True), _Columns(price, strike, 0, False))
    return next((one for one in choices if one.width <= width), choices[-1])


def _head(columns: _Columns) -> Text:
    names = [(name, columns.price) for name in ("ours", "bid", "fair", "ask", "ours")]
    extra = [("IV", 3)] * columns.volatility
    held = [("pos", columns.held)] * bool(columns.held)
    left = "".join(f" {name:>{size}}" for name, size in [*held, *extra, *names])
    right = "".join(f" {name:>{size}}" for name, size in [*names, *extra, *held])
    return Text(f" {left} {'strike':^{columns.strike}} {right} ", style="underline")


def _side(one: InstrumentPicture | None, columns: _Columns, places: int, *, left: bool) -> Text:
    if one is None:
        return Text(" " * columns.side)
    number = number_text(None if one.volatility is None else one.volatility * 100, 0)
    extra = [Text(f" {number:>3}")] * columns.volatility
    held = [Text(f" {_held(one):>{columns.held}}", "bold" if one.position else FAINT)] * bool(columns.held)
    cells = [*held, *extra, *_prices(one, columns.price, places)] if left else [
        *_prices(one, columns.price, places), *extra, *held,
    ]  # fmt: skip
    mark = Text(STATE_MARKS[one.state])
    line = Text.assemble(*([mark, *cells] if left else [*cells, mark]))
    if one.state is not BookState.LIVE:
        line = Text(line.plain, STATE_STYLES[one.state])
    return line


def _prices(one: InstrumentPicture, size: int, places: int) -> list[Text]:
    def of(text: str, style: str) -> Text:
        before = "" if len(text) > size else " "
        return Text(f"{before}{text:>{size}}", style if text != "-" else FAINT)

    exponent = one.price_exponent
    bid, ask = (_quote(quote, exponent, places) for quote in (one.our_bid, one.our_ask))
    if one.shut and one.our_bid is None and one.our_ask is None:
        bid = _WHY.get(one.shut, one.shut)[:size], FAINT
    return [
        of(*bid), of(price_text(one.bid, exponent, places), "green"), of(number_text(one.fair, places), "bold"),
        of(price_text(one.ask, exponent, places), "red"), of(*ask),
    ]  # fmt: skip


def _quote(quote: QuotePicture | None, exponent: int, places: int) -> tuple[str, str]:
    if quote is None:
        return "-", FAINT
    text = price_text(quote.price, exponent, places)
    return (f"~{text}", SENT) if quote.under_way else (text, OURS)


def _held(one: InstrumentPicture) -> str:
    if not one.position:
        return "."
    text = decimal_text(one.position, one.quantity_exponent)
    return f"+{text}" if one.position > 0 else text


def _hedge(one: InstrumentPicture) -> Text:
    places = decimals((one.bid, one.ask), one.price_exponent)
    bid, ask = (price_text(price, one.price_exponent, places) for price in (one.bid, one.ask))
    mark = STATE_MARKS[one.state].strip()
    line = Text.assemble((f"{mark}{one.name}", STATE_STYLES[one.state]), (f" {bid}", "green"), (f" {ask}", "red"))
    for quote in (one.our_bid, one.our_ask):
        if quote is not None:
            text, style = _quote(quote, one.price_exponent, places)
            line.append(f" ours {text}", style)
    return line.append(f" {_held(one)}", "bold" if one.position else FAINT)
