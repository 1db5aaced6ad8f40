"""Mass quotes of Starbase written from an array of quotes. This twin defines `netfeed._core.quote.QuoteFrames`.

Rows are (slot, bid, its quantity, ask, its quantity) in the integers of their instruments, NO_PRICE for a side that is
not quoted; `TERMS` say how the venue writes those of each slot. What does not fit one message goes on in the next, with
the next number; the correlation id of each is its number, as `proto.starbase_orders` has it.

Source and layout: `starbase_orders`.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from netfeed.wire.starbase_codes import MessageType
from netfeed.wire.starbase_orders import MAX_QUOTES, encode

TERMS: Final = np.dtype([
    ("venue_id", "<i8"),
    ("factor", "<i8"),              # of a price to 1e-9
    ("exponent", "<i8"),            # of a quantity
])  # fmt: skip
NO_PRICE: Final = -(2**63)
MAX_PRICE: Final = 2**63 - 1

_Array = np.ndarray[Any, Any]


class QuoteFrames:
    """The mass quotes of one session: `terms` by slot, `flags` of both sides of every quote."""

    def __init__(self, terms: _Array, self_match_id: int, flags: int) -> None:
        if terms.dtype.itemsize != TERMS.itemsize or not len(terms):
            raise ValueError("terms are an array of TERMS, one at least")
        self._terms, self._self_match_id, self._flags = terms.view(TERMS), self_match_id, flags

    def write(
        self, rows: _Array, count: int, quote_id: int, group: int, sequence: int, last_processed: int, send_time: int
    ) -> bytes:
        """Write the first `count` rows. Units: `send_time` ns since 1970.

        Raises: ValueError when a price does not fit, a slot has no terms, or there are not so many rows.
        """
        if not 1 <= count <= len(rows):
            raise ValueError("count is of the rows that there are, one at least")
        entries = [self._entry(*row) for row in rows[:count].tolist()]
        messages = (
            encode(
                MessageType.MASS_QUOTE, sequence=sequence + number, last_processed=last_processed, send_time=send_time,
                quoteId=quote_id, correlationId=sequence + number, mmpGroupId=group,
                selfMatchPreventionId=self._self_match_id, flags=0, quotes=part,
            )
            for number, part in enumerate(_parts(entries))
        )  # fmt: skip
        return b"".join(messages)

    def _entry(self, slot: int, bid: int, bid_quantity: int, ask: int, ask_quantity: int) -> dict[str, Any]:
        if not 0 <= slot < len(self._terms):
            raise ValueError(f"slot {slot} has no terms")
        venue_id, factor, exponent = (int(one) for one in self._terms[slot])
        fields: dict[str, Any] = {"instrumentId": venue_id, "bidFlags": self._flags, "askFlags": self._flags}
        for side, price, quantity in (("bid", bid, bid_quantity), ("ask", ask, ask_quantity)):
            if price != NO_PRICE and not abs(price) <= MAX_PRICE // factor:
                raise ValueError(f"a price of {price} does not fit 64 bits of 1e-9")
            fields[f"{side}Price"] = None if price == NO_PRICE else price * factor
            fields[f"{side}Qty"] = (0, 0) if price == NO_PRICE else (quantity, exponent)
        return fields


def _parts(entries: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    yield from (entries[at : at + MAX_QUOTES] for at in range(0, len(entries), MAX_QUOTES))
