"""What may not be passed from a shell: what `[engine]` of the configuration says, else the limits that stand here.

    one order          at most 100 lots; what is held and asked for, 1,000 lots of an instrument, at worst
    orders that rest   at most 100
    messages           20 a second
    price              never at the market; with a fair value that the person names, within 5 per cent of it

Beside them every other check of risk holds: steps, self-trades, doubt, the list of the venue that has to agree first.
There is no book and no model here: the person who types stands in for both, so that limits of Greeks, margin and loss,
which a running engine keeps, are not judged; of a session that is shared with an engine, that one sees the order.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from netfeed.app.trading.kill import exists, read_latch
from netfeed.engine.contract import Contract
from netfeed.engine.kill_switch import KillSwitch, Thrown
from netfeed.engine.limits import Limits
from netfeed.errors import ConfigurationFileError
from netfeed.units import parse_decimal

LOTS: Final = 100
POSITION_LOTS: Final = 1_000
OPEN_ORDERS: Final = 100
RATE: Final = 20
COLLAR_PPM: Final = 50_000


def shell_limits(contracts: Mapping[int, Contract], *, fair: bool, said: Any = None) -> Limits:
    """Give the limits. `fair`: the person has said what the instrument is worth; `said`: `[engine.limits]`."""
    if said is not None:
        return _configured(contracts, said, fair=fair)
    return Limits(
        order_size={index: LOTS * one.lot for index, one in contracts.items()},
        position={index: POSITION_LOTS * one.lot for index, one in contracts.items()},
        open_orders=OPEN_ORDERS, collar_ppm=COLLAR_PPM if fair else None, rate=RATE, burst=RATE,
    )  # fmt: skip


def shell_switch(kill_file: str | None) -> KillSwitch:
    """Give the kill switch: thrown where that of the engine is, so that nothing but cancels goes around it."""
    if kill_file is None:
        return KillSwitch()
    held = read_latch(kill_file)
    if held.killed:
        return KillSwitch(killed=Thrown(held.by, held.why, 0))
    return KillSwitch(killed=Thrown("file", f"{kill_file} is there", 0) if exists(kill_file) else None)


def _configured(contracts: Mapping[int, Contract], said: Any, *, fair: bool) -> Limits:
    """Give what is configured of that which can be judged here; a price wants a fair value where there is a collar."""
    return Limits(
        order_size={index: _size(said.order_size, one) for index, one in contracts.items()},
        position={index: _size(said.position, one) for index, one in contracts.items()},
        open_orders=said.open_orders, collar_ppm=said.collar_ppm if fair else None, collar_ticks=said.collar_ticks,
        market_orders=said.market_orders, rate=said.rate, burst=said.burst,
    )  # fmt: skip


def _size(by_name: Mapping[str, str], one: Contract) -> int:
    """Give the first size whose name or glob fits; where none does, nothing may be asked for.

    Raises: ConfigurationFileError for one that is finer than what can be traded.
    """
    text = next((size for glob, size in by_name.items() if fnmatchcase(one.name, glob)), "0")
    try:
        return int(parse_decimal(text, one.quantity_exponent))
    except ValueError as error:
        raise ConfigurationFileError(f"engine.limits: {text} of {one.name}: {error}") from None
