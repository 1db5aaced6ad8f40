"""Words of option maths: what kind an option is, which row holds what, and what a result may have to say.

They are plain integers because they stand in arrays, and the compiled core writes them.
"""

from enum import IntEnum
from typing import Final

CALL: Final = 1
PUT: Final = -1


class Row(IntEnum):
    """Which row of the values holds what; a shorter array is asked for fewer of them, always the first.

    Units: `VEGA` and `VANNA` for a volatility of 1 (a point is a hundredth of it), `THETA` a year of `years`.
    """

    PRICE = 0
    DELTA = 1
    GAMMA = 2
    VEGA = 3
    THETA = 4
    NET_DELTA = 5
    VANNA = 6
    VOLGA = 7


ROWS: Final = len(Row)


class Code(IntEnum):
    """What a result has to say beside its numbers.

    `BAD_INPUT`: not a number, or outside what has a meaning; every value is NaN. `EXPIRED`: prices and deltas are those
    at the expiry; there is no volatility to be found, and it is NaN. `BELOW_INTRINSIC`, `ABOVE_BOUND`: NaN as
    no volatility makes a price less than exercise, or no less than the discounted forward (a call) or strike (a put).
    """

    OK = 0
    BAD_INPUT = 1
    EXPIRED = 2
    BELOW_INTRINSIC = 3
    ABOVE_BOUND = 4


LEAST: Final = 1e-100
MOST: Final = 1e100
"""Between these a forward, a strike and a discount must lie."""
MOST_SPREAD: Final = 1e10
"""What a volatility, and a number of years, may at most be."""
