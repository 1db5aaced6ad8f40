"""The words of the trading screen: prices as short as they are exact, signs, bars, and what each colour means.

| colour           | means                                                                  |
|------------------|------------------------------------------------------------------------|
| green, red       | bid, ask; a gain, a loss                                               |
| bold cyan        | ours: a quote that rests                                               |
| dim cyan         | ours, under way: sent, and not answered                                |
| white on red     | do not believe this: a book that is SUSPECT or STALE, a session down   |
| black on yellow  | not yet: a book that is filling, an engine that waits                  |
| dim              | nothing there                                                          |

Whoever has no colours reads the same from the marks: `!` suspect, `?` filling, `~` under way.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from rich.text import Text

from netfeed.app.tables import printable
from netfeed.book.state import BookState
from netfeed.engine.picture import MoneyPicture
from netfeed.units import decimal_text

BAD, WAIT, OURS, SENT, FAINT = "bold white on red", "black on yellow", "bold cyan", "cyan", "dim"
STATE_STYLES: Final = {
    BookState.LIVE: "", BookState.SUSPECT: BAD, BookState.STALE: BAD, BookState.SYNCING: WAIT, BookState.EMPTY: FAINT,
}  # fmt: skip
STATE_MARKS: Final = {
    BookState.LIVE: " ",
    BookState.SUSPECT: "!",
    BookState.STALE: "!",
    BookState.SYNCING: "?",
    BookState.EMPTY: " ",
}
_MOST_DECIMALS: Final = 12


def decimals(prices: Iterable[int | None], exponent: int) -> int:
    """Give how many decimals show all these prices exactly."""
    known = [price for price in prices if price]
    for count in range(min(-exponent, _MOST_DECIMALS)):
        if all(price % 10 ** (-exponent - count) == 0 for price in known):
            return count
    return max(-exponent, 0)


def price_text(price: int | None, exponent: int, places: int) -> str:
    """Write a price with so many decimals; below one without the nought before the point."""
    if price is None:
        return "-"
    text = decimal_text(price, exponent)
    whole, _, fraction = text.partition(".")
    return short(f"{whole}.{fraction[:places]}" if places and fraction else whole)


def number_text(number: float | None, places: int) -> str:
    """Write a number with so many decimals, as prices are written."""
    return "-" if number is None else short(f"{number:.{places}f}")


def short(text: str) -> str:
    """Leave out the nought before the point."""
    for long, brief in (("0.", "."), ("-0.", "-."), ("+0.", "+.")):
        if text.startswith(long):
            return brief + text[len(long) :]
    return text


def signed(number: float, digits: int = 3) -> str:
    """Write a number with its sign and about so many digits."""
    if number == 0:
        return "0"
    if abs(number) >= 10 ** (digits - 1):
        return f"{number:+,.0f}"
    return short(f"{number:+.{digits}g}")


def total(money: MoneyPicture) -> int:
    """Give all that a currency has brought: at the marks, after fees. What has no mark is left out."""
    return money.realised + (money.unrealised or 0) - money.fees


def amount_text(amount: int, exponent: int, places: int = 6) -> str:
    """Write money with its sign, rounded to so many decimals."""
    return f"{amount * 10.0**exponent:+,.{places}f}"


def gain_style(amount: float) -> str:
    """Give the colour of a gain or a loss."""
    return "bold green" if amount > 0 else "bold red" if amount < 0 else ""


def brief(time_ns: int) -> str:
    """Write a duration in as few characters as say it: 950ns, 12us, 4.6ms, 8s."""
    for unit, scale in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if time_ns >= scale:
            number = time_ns / scale
            return f"{number:.1f}{unit}" if number < 9.95 and unit != "us" else f"{number:,.0f}{unit}"
    return f"{time_ns}ns"


def bar(share: float, width: int) -> Text:
    """Draw how much of a limit is used: green, from two thirds on yellow, from nine tenths on red."""
    share = min(max(share, 0.0), 1.0)
    full = round(share * width)
    style = "red" if share >= 0.9 else "yellow" if share >= 2 / 3 else "green"
    return Text.assemble(("█" * full, style), ("░" * (width - full), FAINT))


def expiry_text(expiry_ns: int | None) -> str:
    """Write an expiry as its day."""
    if expiry_ns is None:
        return "perpetual"
    return datetime.fromtimestamp(expiry_ns / 10**9, UTC).strftime("%d%b%y").upper()


def words(text: str, style: str = "") -> Text:
    """Make one line of what others said; it cannot steer a terminal."""
    return Text(printable(text), style=style, no_wrap=True, overflow="ellipsis")
