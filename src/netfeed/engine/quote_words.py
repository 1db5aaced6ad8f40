"""The arrays of the hot step: a row an instrument, 8 bytes a field, so that compiled code and its twin share them.

SLOT     what a full pass of the plain path left behind: worth, spread, grid, book, and what rests of ours; prices are
         less than 2**53 (or NO_PRICE), ticks more than nothing, as `hot_quotes` sees to: then nothing overflows
LIMIT    what risk has cleared beforehand (`mandate`); nobody else writes it
ROW      a quote that shall be sent: both sides whole
"""

from typing import Any, Final

import numpy as np

from netfeed.book.change import NO_PRICE

FAR_SHARE: Final = 0.005
"""As `worth.FAR`: beyond this share of the forward a step is no longer good to a tick."""
MAX_STEPS: Final = 3
"""Steps of the tick beside the first; a contract with more is left to the plain path."""
SPENT: Final = -(2**63)
"""The end of a mandate that is not in force."""
NO_STEP: Final = 2**63 - 1
"""Where a step of the tick begins that there is not."""

SLOT: Final = np.dtype(
    [
        ("value", "<f8"),  # as Black gave it, at `forward`
        ("forward", "<f8"),
        ("ratio", "<f8"),  # the forward for 1 of the underlying that leads
        ("slope", "<f8"),  # of the price, as `worth.moved` has them
        ("curvature", "<f8"),
        ("shift", "<f8"),  # how much cheaper what we hold makes it
        ("half", "<f8"),  # half the spread, times the tier's own
        ("edge", "<f8"),
        ("fee", "<f8"),  # fixed, and for 1 of the forward
        ("fee_forward", "<f8"),
        ("scale", "<f8"),  # 10**price_exponent
        ("tick", "<i8"),
        ("from1", "<i8"), ("from2", "<i8"), ("from3", "<i8"),  # from these prices on ...
        ("tick1", "<i8"), ("tick2", "<i8"), ("tick3", "<i8"),  # ... the tick is another
        ("best_bid", "<i8"), ("best_ask", "<i8"),  # of the book, NO_PRICE where a side is empty
        ("bid", "<i8"), ("ask", "<i8"),  # what rests of ours, NO_PRICE where nothing does
        ("bid_rests", "<i8"), ("ask_rests", "<i8"),
        ("bid_wanted", "<i8"), ("ask_wanted", "<i8"),  # how much a new quote asks for, 0: that side is not quoted
        ("bid_near", "<i8"), ("ask_near", "<i8"),  # so many ticks away it stays
        ("bid_placed_ns", "<i8"), ("ask_placed_ns", "<i8"),
        ("cool_ns", "<i8"),
    ]
)  # fmt: skip

LIMIT: Final = np.dtype(
    [
        ("until_ns", "<i8"),  # the last moment, SPENT: none
        ("bid_most", "<i8"), ("ask_least", "<i8"),  # prices
        ("bid_quantity", "<i8"), ("ask_quantity", "<i8"),  # at most
    ]
)  # fmt: skip

ROW: Final = np.dtype(
    [("slot", "<i8"), ("bid", "<i8"), ("bid_quantity", "<i8"), ("ask", "<i8"), ("ask_quantity", "<i8")]
)

Array = np.ndarray[Any, Any]


def unarmed(count: int) -> tuple[Array, Array]:
    """Give slots and limits for so many instruments, none of which may be quoted."""
    limits = np.zeros(count, LIMIT)
    limits["until_ns"] = SPENT
    slots = np.zeros(count, SLOT)
    for name in ("best_bid", "best_ask", "bid", "ask"):
        slots[name] = NO_PRICE
    return slots, limits
