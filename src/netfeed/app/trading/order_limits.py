"""What may not be passed from a shell: what the configuration says, else the limits that stand here.

    one order          at most 100 lots; what is held and asked for, 1,000 lots of an instrument, at worst
    orders that rest   at most 100
    messages           20 a second
    price              never at the market; with a fair value that the person names, within 5 per cent of it

Beside them every other check of risk holds: steps, self-trades, doubt, the list of the venue that has to agree first.
There is no book and no model here: the person who types stands in for both, so that limits of Greeks, margin and loss,
which a running engine keeps, are not judged; of a session that is shared with an engine, that one sees the order.
"""

from collections.abc import Mapping
from typing import Final

from netfeed.engine.contract import Contract
from netfeed.engine.limits import Limits

LOTS: Final = 100
POSITION_LOTS: Final = 1_000
OPEN_ORDERS: Final = 100
RATE: Final = 20
COLLAR_PPM: Final = 50_000


def shell_limits(contracts: Mapping[int, Contract], *, fair: bool, configured: Limits | None = None) -> Limits:
    """Give the limits. `fair`: the person has said what the instrument is worth; `configured`: those of the engine."""
    if configured is not None:
        return Limits(
            order_size=configured.order_size, position=configured.position, open_orders=configured.open_orders,
            collar_ppm=configured.collar_ppm, collar_ticks=configured.collar_ticks,
            market_orders=configured.market_orders, rate=configured.rate, burst=configured.burst,
        )  # fmt: skip
    return Limits(
        order_size={index: LOTS * one.lot for index, one in contracts.items()},
        position={index: POSITION_LOTS * one.lot for index, one in contracts.items()},
        open_orders=OPEN_ORDERS, collar_ppm=COLLAR_PPM if fair else None, rate=RATE, burst=RATE,
    )  # fmt: skip
